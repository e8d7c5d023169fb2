#include <string.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/retry.h"
#include "support.h"

static rqx_retry *made(const rqx_retry_options *options)
{
    rqx_retry *retry = NULL;

    ck_assert_int_eq(rqx_retry_new(options, &retry), 0);
    return retry;
}

static rqx_slice slice(const char *text)
{
    return (rqx_slice){text, strlen(text)};
}

START_TEST(the_defaults_are_careful)
{
    rqx_retry *retry = made(NULL);
    struct rqx__retry_budget budget;
    static const char *const again[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    int status;
    size_t i;

    rqx__retry_begin(retry, &budget);
    ck_assert_int_eq(budget.total, 3);
    for (i = 0; i < RQX__RETRY_KINDS; i++)
        ck_assert_int_eq(budget.kinds[i], 3);
    ck_assert_uint_eq(budget.tries, 0);
    for (status = 0; status < 1000; status++) {
        bool want = status == 429 || status == 502 || status == 503 || status == 504;

        ck_assert_msg(rqx__retry_has_status(retry, status) == want, "%d", status);
    }
    for (i = 0; i < sizeof again / sizeof again[0]; i++)
        ck_assert(rqx__retry_has_method(retry, slice(again[i])));
    ck_assert(!rqx__retry_has_method(retry, slice("POST")));
    ck_assert(!rqx__retry_has_method(retry, slice("PATCH")));
    ck_assert(!rqx__retry_has_method(retry, slice("get"))); /* methods are case-sensitive */
    rqx_retry_unref(retry);
}
END_TEST

START_TEST(kinds_have_budgets_of_their_own)
{
    rqx_retry_options options;
    struct rqx__retry_budget budget;
    rqx_retry *retry;

    rqx_retry_options_init(&options);
    options.total = 5;
    options.connect = 0;
    options.status = 2;
    retry = made(&options);
    rqx__retry_begin(retry, &budget);
    ck_assert(!rqx__retry_left(&budget, RQX__RETRY_CONNECT));
    ck_assert(rqx__retry_left(&budget, RQX__RETRY_READ));
    ck_assert(rqx__retry_left(&budget, RQX__RETRY_STATUS));
    ck_assert_int_eq(budget.kinds[RQX__RETRY_READ], 5);
    budget.total = 0;
    ck_assert(!rqx__retry_left(&budget, RQX__RETRY_STATUS));
    rqx_retry_unref(retry);
}
END_TEST

START_TEST(statuses_and_methods_are_copied)
{
    char post[] = "POST";
    const char *methods[] = {post, "REPORT"};
    int statuses[] = {400, 599};
    rqx_retry_options options;
    rqx_retry *retry;

    rqx_retry_options_init(&options);
    options.methods = methods;
    options.method_count = 2;
    options.statuses = statuses;
    options.status_count = 2;
    retry = made(&options);
    memset(post, 'x', 4);
    statuses[0] = 503;
    ck_assert(rqx__retry_has_method(retry, slice("POST")));
    ck_assert(rqx__retry_has_method(retry, slice("REPORT")));
    ck_assert(!rqx__retry_has_method(retry, slice("GET")));
    ck_assert(!rqx__retry_has_method(retry, slice("POSTREPORT")));
    ck_assert(rqx__retry_has_status(retry, 400));
    ck_assert(rqx__retry_has_status(retry, 599));
    ck_assert(!rqx__retry_has_status(retry, 503));
    rqx_retry_unref(retry);
}
END_TEST

START_TEST(lists_may_be_empty)
{
    static const char *const none[] = {NULL};
    static const int no_status[] = {0};
    rqx_retry_options options;
    rqx_retry *retry;

    rqx_retry_options_init(&options);
    options.methods = none;
    options.statuses = no_status;
    retry = made(&options);
    ck_assert(!rqx__retry_has_method(retry, slice("GET")));
    ck_assert(!rqx__retry_has_status(retry, 503));
    rqx_retry_unref(retry);
}
END_TEST

static void refused(const rqx_retry_options *options, int code)
{
    rqx_retry *retry = NULL;

    ck_assert_int_eq(rqx_retry_new(options, &retry), code);
    ck_assert_ptr_null(retry);
}

#define REFUSE(field, value, code)                                                                                     \
    do {                                                                                                               \
        rqx_retry_options_init(&options);                                                                              \
        options.field = (value);                                                                                       \
        refused(&options, code);                                                                                       \
    } while (0)

START_TEST(nonsense_is_refused)
{
    const char *methods[65] = {"GE T"};
    const int low[] = {399};
    const int high[] = {600};
    rqx_retry_options options;
    size_t i;

    REFUSE(struct_size, 1, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(total, -1, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(connect, -2, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(read, -2, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(status, -2, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(backoff_ms, -1, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(backoff_ms, INT64_MAX, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(backoff_max_ms, -1, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(backoff_max_ms, INT64_MAX, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(retry_after_max_ms, -1, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(retry_after_max_ms, INT64_MAX, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(jitter, -1, RQX_ERR_INVALID_ARGUMENT);
    REFUSE(jitter, 101, RQX_ERR_INVALID_ARGUMENT);
    rqx_retry_options_init(&options);
    options.statuses = low;
    options.status_count = 1;
    refused(&options, RQX_ERR_INVALID_ARGUMENT);
    options.statuses = high;
    refused(&options, RQX_ERR_INVALID_ARGUMENT);
    rqx_retry_options_init(&options);
    options.methods = methods;
    options.method_count = 1;
    refused(&options, RQX_ERR_INVALID_METHOD);
    for (i = 0; i < 65; i++)
        methods[i] = "GET";
    options.method_count = 65;
    refused(&options, RQX_ERR_INVALID_ARGUMENT);
    options.method_count = 64;
    rqx_retry_unref(made(&options));
}
END_TEST

static uint64_t pause_ms(const rqx_retry *retry, unsigned tries, int64_t after_ms, uint32_t chance)
{
    return rqx__retry_pause(retry, tries, after_ms, chance) / RQX__NS_PER_MS;
}

START_TEST(pauses_double_up_to_a_limit)
{
    rqx_retry_options options;
    rqx_retry *retry;

    rqx_retry_options_init(&options);
    options.backoff_ms = 100;
    options.backoff_max_ms = 1000;
    options.jitter = 0;
    retry = made(&options);
    ck_assert_uint_eq(pause_ms(retry, 0, -1, 7), 100);
    ck_assert_uint_eq(pause_ms(retry, 1, -1, 7), 200);
    ck_assert_uint_eq(pause_ms(retry, 2, -1, 7), 400);
    ck_assert_uint_eq(pause_ms(retry, 3, -1, 7), 800);
    ck_assert_uint_eq(pause_ms(retry, 4, -1, 7), 1000);
    ck_assert_uint_eq(pause_ms(retry, UINT32_MAX, -1, 7), 1000);
    rqx_retry_unref(retry);
    options.backoff_ms = 2000; /* above the limit from the beginning */
    retry = made(&options);
    ck_assert_uint_eq(pause_ms(retry, 0, -1, 7), 1000);
    rqx_retry_unref(retry);
    options.backoff_ms = 0;
    retry = made(&options);
    ck_assert_uint_eq(pause_ms(retry, UINT32_MAX, -1, UINT32_MAX), 0);
    rqx_retry_unref(retry);
}
END_TEST

START_TEST(a_part_of_each_pause_is_chance)
{
    rqx_retry_options options;
    rqx_retry *retry;

    rqx_retry_options_init(&options);
    options.backoff_ms = 1000;
    options.jitter = 25;
    retry = made(&options);
    ck_assert_uint_eq(pause_ms(retry, 0, -1, 0), 1000);
    ck_assert_uint_eq(pause_ms(retry, 0, -1, UINT32_MAX), 750);
    ck_assert_uint_eq(pause_ms(retry, 1, -1, UINT32_MAX), 1500);
    ck_assert_uint_ge(pause_ms(retry, 0, -1, UINT32_MAX / 2), 870);
    ck_assert_uint_le(pause_ms(retry, 0, -1, UINT32_MAX / 2), 880);
    rqx_retry_unref(retry);
    options.jitter = 100;
    retry = made(&options);
    ck_assert_uint_eq(pause_ms(retry, 0, -1, UINT32_MAX), 0);
    rqx_retry_unref(retry);
}
END_TEST

/* Never earlier than the server asked, and not all at one moment. */
START_TEST(retry_after_is_the_least)
{
    rqx_retry_options options;
    rqx_retry *retry;

    rqx_retry_options_init(&options);
    options.backoff_ms = 1000;
    options.jitter = 50;
    retry = made(&options);
    ck_assert_uint_eq(pause_ms(retry, 0, 3000, 0), 3000);
    ck_assert_uint_eq(pause_ms(retry, 0, 3000, UINT32_MAX), 3500);
    ck_assert_uint_eq(pause_ms(retry, 3, 100, 0), 100);
    ck_assert_uint_eq(pause_ms(retry, 0, 0, 0), 1000); /* "0" leaves it to us */
    rqx_retry_unref(retry);
}
END_TEST

START_TEST(failures_are_of_a_kind)
{
    static const struct {
        int code;
        enum rqx__retry_kind kind;
    } rows[] = {
        {RQX_ERR_CONNECT, RQX__RETRY_CONNECT},
        {RQX_ERR_RESOLVE, RQX__RETRY_CONNECT},
        {RQX_ERR_CONNECT_TIMEOUT, RQX__RETRY_CONNECT},
        {RQX_ERR_TLS_HANDSHAKE, RQX__RETRY_CONNECT},
        {RQX_ERR_PROXY_CONNECT, RQX__RETRY_CONNECT},
        {RQX_ERR_TRUNCATED, RQX__RETRY_READ},
        {RQX_ERR_READ, RQX__RETRY_READ},
        {RQX_ERR_WRITE, RQX__RETRY_READ},
        {RQX_ERR_STREAM_RESET, RQX__RETRY_READ},
        {RQX_ERR_GOAWAY, RQX__RETRY_READ},
        {RQX_ERR_REFUSED, RQX__RETRY_READ},
        {RQX_ERR_LIVENESS, RQX__RETRY_READ},
        {RQX_ERR_READ_TIMEOUT, RQX__RETRY_READ},
        {RQX_ERR_WRITE_TIMEOUT, RQX__RETRY_READ},
        {RQX_ERR_STALL_TIMEOUT, RQX__RETRY_READ},
        {RQX_ERR_NAME_NOT_FOUND, RQX__RETRY_NONE},
        {RQX_ERR_TLS_CERTIFICATE, RQX__RETRY_NONE},
        {RQX_ERR_POOL_TIMEOUT, RQX__RETRY_NONE},
        {RQX_ERR_TOTAL_TIMEOUT, RQX__RETRY_NONE},
        {RQX_ERR_PROTOCOL, RQX__RETRY_NONE},
        {RQX_ERR_CANCELLED, RQX__RETRY_NONE},
        {RQX_ERR_CLOSED, RQX__RETRY_NONE},
        {RQX_ERR_BODY_SOURCE, RQX__RETRY_NONE},
        {RQX_ERR_NOMEM, RQX__RETRY_NONE},
        {0, RQX__RETRY_NONE},
    };
    size_t i;

    for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(rqx__retry_kind_of(rows[i].code) == rows[i].kind, "%s", rqx_error_name(rows[i].code));
}
END_TEST

START_TEST(references_are_counted)
{
    rqx_retry *retry = made(NULL);

    ck_assert_ptr_eq(rqx_retry_ref(retry), retry);
    rqx_retry_unref(retry);
    ck_assert(rqx__retry_has_status(retry, 503));
    rqx_retry_unref(retry);
    rqx_retry_unref(NULL);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(every_failed_allocation_is_an_error)
{
    const char *methods[] = {"GET", "POST"};
    rqx_retry_options options;
    unsigned long n;
    int rv = RQX_ERR_NOMEM;

    rqx_retry_options_init(&options);
    options.methods = methods;
    options.method_count = 2;
    for (n = 1; rv == RQX_ERR_NOMEM; n++) {
        rqx_retry *retry = NULL;

        rqx__mem_fail_at(n, 0);
        rv = rqx_retry_new(&options, &retry);
        rqx__mem_fail_at(0, 0);
        ck_assert_int_eq(rv == 0, retry != NULL);
        rqx_retry_unref(retry);
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_eq(n, 5);
}
END_TEST
#endif

static Suite *retry_suite(void)
{
    Suite *suite = suite_create("retry");
    TCase *tcase = rqx_add_case(suite, "policy");

    tcase_add_test(tcase, the_defaults_are_careful);
    tcase_add_test(tcase, kinds_have_budgets_of_their_own);
    tcase_add_test(tcase, statuses_and_methods_are_copied);
    tcase_add_test(tcase, lists_may_be_empty);
    tcase_add_test(tcase, nonsense_is_refused);
    tcase_add_test(tcase, pauses_double_up_to_a_limit);
    tcase_add_test(tcase, a_part_of_each_pause_is_chance);
    tcase_add_test(tcase, retry_after_is_the_least);
    tcase_add_test(tcase, failures_are_of_a_kind);
    tcase_add_test(tcase, references_are_counted);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, every_failed_allocation_is_an_error);
#endif
    return suite;
}

RQX_CHECK_MAIN(retry_suite)
