#include <string.h>

#include "client/pace.h"
#include "support.h"

#define LONGEST UINT64_C(200000)

/* |count| exchanges end, |gap| ns apart, seen one at a time. */
static void ends(struct rqx__pace *pace, uint64_t *now, uint64_t *done, uint64_t gap, int count)
{
    while (count-- > 0) {
        *now += gap;
        ++*done;
        rqx__pace_looked(pace, *now, *done);
    }
}

static struct rqx__pace paced(uint64_t gap, uint64_t *now, uint64_t *done)
{
    struct rqx__pace pace;

    memset(&pace, 0, sizeof pace);
    *now = 1000;
    *done = 0;
    ends(&pace, now, done, gap, 100);
    rqx__pace_begin(&pace, *done);
    return pace;
}

START_TEST(nothing_is_known_at_first)
{
    struct rqx__pace pace;

    memset(&pace, 0, sizeof pace);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 100, 0, LONGEST), 0);
    rqx__pace_looked(&pace, 1000, 1); /* since when is not known */
    ck_assert_uint_eq(rqx__pace_wait(&pace, 100, 1, LONGEST), 0);
}
END_TEST

START_TEST(waits_for_a_third_of_what_is_under_way)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);

    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done, LONGEST), 33 * 4000);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done + 20, LONGEST), 13 * 4000);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done + 33, LONGEST), 0);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done + 90, LONGEST), 0);
}
END_TEST

START_TEST(waits_no_longer_than_allowed)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);

    ck_assert_uint_eq(rqx__pace_wait(&pace, 100000, done, LONGEST), LONGEST);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done, 50000), 50000);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done, 0), 0);
}
END_TEST

START_TEST(few_exchanges_are_not_waited_for)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);

    ck_assert_uint_eq(rqx__pace_wait(&pace, 0, done, LONGEST), 0);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 7, done, LONGEST), 0);
}
END_TEST

START_TEST(slow_exchanges_are_not_waited_for)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(1000000, &now, &done);

    ck_assert_uint_eq(rqx__pace_wait(&pace, 100, done, LONGEST), 0);
    /* they become quick, and are waited for soon */
    ends(&pace, &now, &done, 2000, 60);
    rqx__pace_begin(&pace, done);
    ck_assert_uint_gt(rqx__pace_wait(&pace, 99, done, LONGEST), 0);
}
END_TEST

START_TEST(several_ends_at_one_look_count_each)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);

    rqx__pace_looked(&pace, now + 80000, done); /* none: says nothing */
    rqx__pace_looked(&pace, now + 80000, done + 20);
    rqx__pace_begin(&pace, done + 20);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done + 20, LONGEST), 33 * 4000);
}
END_TEST

START_TEST(sleeps_once_a_batch)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);
    uint64_t wait = rqx__pace_wait(&pace, 99, done, LONGEST);

    rqx__pace_slept(&pace, wait, wait);
    ck_assert_uint_eq(rqx__pace_wait(&pace, 99, done + 1, LONGEST), 0);
    rqx__pace_begin(&pace, done + 1);
    ck_assert_uint_gt(rqx__pace_wait(&pace, 99, done + 1, LONGEST), 0);
}
END_TEST

START_TEST(late_sleeps_are_asked_to_be_shorter)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);
    int i;

    for (i = 0; i < 100; i++) {
        rqx__pace_slept(&pace, 50000, 100000);
        rqx__pace_begin(&pace, done);
    }
    /* 50 us late each time, in the mean over the last of them */
    ck_assert_uint_ge(rqx__pace_wait(&pace, 99, done, LONGEST), 132000 - 50000);
    ck_assert_uint_le(rqx__pace_wait(&pace, 99, done, LONGEST), 132000 - 49000);
}
END_TEST

START_TEST(sleeps_that_come_much_too_late_are_left_out_for_a_while)
{
    uint64_t now, done;
    struct rqx__pace pace = paced(4000, &now, &done);
    int tries = 0;
    int i;

    for (i = 0; i < 100; i++) {
        rqx__pace_slept(&pace, 50000, UINT64_C(30000000000));
        rqx__pace_begin(&pace, done);
    }
    while (rqx__pace_wait(&pace, 99, done, LONGEST) == 0)
        ck_assert_int_lt(++tries, 200);
    ck_assert_int_gt(tries, 10);
}
END_TEST

static Suite *pace_suite(void)
{
    Suite *suite = suite_create("pace");
    TCase *tcase = tcase_create("pace");

    tcase_add_test(tcase, nothing_is_known_at_first);
    tcase_add_test(tcase, waits_for_a_third_of_what_is_under_way);
    tcase_add_test(tcase, waits_no_longer_than_allowed);
    tcase_add_test(tcase, few_exchanges_are_not_waited_for);
    tcase_add_test(tcase, slow_exchanges_are_not_waited_for);
    tcase_add_test(tcase, several_ends_at_one_look_count_each);
    tcase_add_test(tcase, sleeps_once_a_batch);
    tcase_add_test(tcase, late_sleeps_are_asked_to_be_shorter);
    tcase_add_test(tcase, sleeps_that_come_much_too_late_are_left_out_for_a_while);
    suite_add_tcase(suite, tcase);
    return suite;
}

RQX_CHECK_MAIN(pace_suite)
