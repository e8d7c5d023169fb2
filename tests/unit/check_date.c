#include <string.h>

#include "http/date.h"
#include "support.h"

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define EXAMPLE 784111777
/* Tue, 24 Nov 2026 00:00:00 GMT */
#define NOW 1795478400

static rqx_slice slice(const char *text)
{
    return (rqx_slice){text, strlen(text)};
}

static void expect_time(const char *text, int64_t want)
{
    int64_t got = -1;

    ck_assert_msg(rqx__http_date(slice(text), NOW, &got) == 0, "%s", text);
    ck_assert_msg(got == want, "%s: %lld", text, (long long)got);
}

/* RFC 9110 section 5.6.7 */
START_TEST(all_three_forms_are_read)
{
    expect_time("Sun, 06 Nov 1994 08:49:37 GMT", EXAMPLE);
    expect_time("Sunday, 06-Nov-94 08:49:37 GMT", EXAMPLE);
    expect_time("Sun Nov  6 08:49:37 1994", EXAMPLE);
    expect_time("Sun Nov 16 08:49:37 1994", EXAMPLE + 10 * 86400);
    expect_time(" Sun, 06 Nov 1994 08:49:37 GMT\t", EXAMPLE);
    expect_time("Thu, 01 Jan 1970 00:00:00 GMT", 0);
    expect_time("Wed, 31 Dec 1969 23:59:59 GMT", -1);
    expect_time("Thu, 29 Feb 2024 12:00:00 GMT", 1709208000);
    expect_time("Tue, 29 Feb 2000 00:00:00 GMT", 951782400);
    expect_time("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800);
    expect_time("Fri, 31 Dec 9999 23:59:59 GMT", INT64_C(253402300799));
}
END_TEST

/* RFC 9110 section 5.6.7: more than 50 years ahead is the past */
START_TEST(years_of_two_digits_are_near)
{
    expect_time("Tuesday, 24-Nov-26 00:00:00 GMT", NOW);
    expect_time("Saturday, 01-Jan-00 00:00:00 GMT", 946684800);
    expect_time("Friday, 24-Nov-76 00:00:00 GMT", INT64_C(3373401600));
    expect_time("Thursday, 24-Nov-77 00:00:00 GMT", 249177600);
}
END_TEST

START_TEST(what_is_no_date_is_refused)
{
    static const char *const bad[] = {
        "",
        "now",
        "Sun",
        "Sun, ",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994  8:49:37 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Su, 06 Nov 1994 08:49:37 GMT",
        "Wednesdays, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "06 Nov 1994 08:49:37 GMT",
    };
    int64_t time = 42;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(rqx__http_date(slice(bad[i]), NOW, &time) == -1, "%s", bad[i]);
    ck_assert_int_eq(rqx__http_date((rqx_slice){NULL, 0}, NOW, &time), -1);
    ck_assert_int_eq(time, 42);
}
END_TEST

/* Each beginning of a date: nothing is read beyond its end. */
START_TEST(half_a_date_is_refused)
{
    static const char *const whole[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    size_t i;
    size_t len;

    for (i = 0; i < 3; i++) {
        for (len = 0; len < strlen(whole[i]); len++) {
            char *copy = malloc(len + 1);
            int64_t time;

            ck_assert_ptr_nonnull(copy);
            memcpy(copy, whole[i], len);
            ck_assert_int_eq(rqx__http_date((rqx_slice){copy, len}, NOW, &time), -1);
            free(copy);
        }
    }
}
END_TEST

static void expect_pause(const char *text, int64_t want)
{
    int64_t ms = -1;

    ck_assert_msg(rqx__retry_after(slice(text), NOW, &ms) == 0, "%s", text);
    ck_assert_msg(ms == want, "%s: %lld", text, (long long)ms);
}

/* RFC 9110 section 10.2.3 */
START_TEST(retry_after_is_seconds_or_a_date)
{
    const int64_t century = INT64_C(36525) * 86400 * 1000;
    int64_t ms = 7;

    expect_pause("120", 120000);
    expect_pause(" 0 ", 0);
    expect_pause("007", 7000);
    expect_pause("99999999999999999999999999", century);
    expect_pause("Tue, 24 Nov 2026 00:01:30 GMT", 90000);
    expect_pause("Tue, 24 Nov 2026 00:00:00 GMT", 0);
    expect_pause("Mon, 23 Nov 2026 23:59:59 GMT", 0);
    expect_pause("Fri, 31 Dec 9999 23:59:59 GMT", century);
    ck_assert_int_eq(rqx__retry_after(slice(""), NOW, &ms), -1);
    ck_assert_int_eq(rqx__retry_after(slice("-1"), NOW, &ms), -1);
    ck_assert_int_eq(rqx__retry_after(slice("1.5"), NOW, &ms), -1);
    ck_assert_int_eq(rqx__retry_after(slice("12 s"), NOW, &ms), -1);
    ck_assert_int_eq(rqx__retry_after(slice("soon"), NOW, &ms), -1);
    ck_assert_int_eq(ms, 7);
}
END_TEST

static Suite *date_suite(void)
{
    Suite *suite = suite_create("date");
    TCase *tcase = rqx_add_case(suite, "dates");

    tcase_add_test(tcase, all_three_forms_are_read);
    tcase_add_test(tcase, years_of_two_digits_are_near);
    tcase_add_test(tcase, what_is_no_date_is_refused);
    tcase_add_test(tcase, half_a_date_is_refused);
    tcase_add_test(tcase, retry_after_is_seconds_or_a_date);
    return suite;
}

RQX_CHECK_MAIN(date_suite)
