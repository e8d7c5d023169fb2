#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fork.h"
#include "support.h"

START_TEST(it_never_goes_back)
{
    uint64_t last = rqx__clock_now();
    int i;

    ck_assert_uint_gt(last, 0);
    for (i = 0; i < 10000; i++) {
        uint64_t now = rqx__clock_now();

        ck_assert_uint_ge(now, last);
        last = now;
    }
}
END_TEST

START_TEST(it_counts_nanoseconds)
{
    uint64_t before = rqx__clock_now();

    usleep(2000);
    ck_assert_uint_ge(rqx__clock_now() - before, 2 * RQX__NS_PER_MS);
}
END_TEST

START_TEST(after_adds_milliseconds)
{
    ck_assert_uint_eq(rqx__clock_after_ms(5, 0), 5);
    ck_assert_uint_eq(rqx__clock_after_ms(5, 3), 3000005);
    ck_assert_uint_eq(rqx__clock_after_ms(0, 1), RQX__NS_PER_MS);
}
END_TEST

START_TEST(after_knows_never)
{
    ck_assert_uint_eq(rqx__clock_after_ms(5, -1), RQX__NEVER);
    ck_assert_uint_eq(rqx__clock_after_ms(5, INT64_MIN), RQX__NEVER);
    ck_assert_uint_eq(rqx__clock_after_ms(5, INT64_MAX), RQX__NEVER);
    ck_assert_uint_eq(rqx__clock_after_ms(RQX__NEVER, 0), RQX__NEVER);
    ck_assert_uint_eq(rqx__clock_after_ms(RQX__NEVER, 5), RQX__NEVER);
    ck_assert_uint_eq(rqx__clock_after_ms(RQX__NEVER - 1, 1), RQX__NEVER);
    ck_assert_uint_eq(rqx__clock_after_ms(RQX__NEVER - 1, 0), RQX__NEVER - 1);
    ck_assert_uint_eq(rqx__clock_after_ms(RQX__NEVER - 1 - RQX__NS_PER_MS, 1), RQX__NEVER - 1);
}
END_TEST

START_TEST(a_child_has_another_epoch)
{
    uint64_t mine = rqx__fork_epoch();
    int status = -1;
    pid_t child;

    ck_assert_uint_ne(mine, 0);
    ck_assert_uint_eq(rqx__fork_epoch(), mine);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        uint64_t first = rqx__fork_epoch();

        _exit(first != mine && first != 0 && rqx__fork_epoch() == first ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_uint_eq(rqx__fork_epoch(), mine);
}
END_TEST

static Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = rqx_add_case(suite, "clock");
    TCase *forks = rqx_add_case(suite, "fork");

    tcase_add_test(tcase, it_never_goes_back);
    tcase_add_test(tcase, it_counts_nanoseconds);
    tcase_add_test(tcase, after_adds_milliseconds);
    tcase_add_test(tcase, after_knows_never);
    tcase_add_test(forks, a_child_has_another_epoch);
    return suite;
}

RQX_CHECK_MAIN(clock_suite)
