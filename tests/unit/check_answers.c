/*
 * Answers that are out of the ordinary: their codings, what they lead to, when they are asked for again; and what may
 * be asked of a response when.
 */
#include <requestx/requestx.h>

#include "base/mem.h"
#include "script_server.h"
#include "support.h"

#define HEAD(status, fields) "HTTP/1.1 " status "\r\nConnection: close\r\n" fields
#define OK                   HEAD("200 OK", "Content-Length: 2\r\n\r\nok")
/* 69 letters, by zlib, and that by zlib again */
#define COATS "coat coat coat coat coat coat coat coat coat coat coat coat coat coat"
#define PACKED                                                                                                         \
    "\x18\x95\x93\x98\xea}\xce_'\xd0"                                                                                  \
    "c\xd9\x04\x06\x86\xc4\xaf\x12\x87\x01"                                                                            \
    "2\x9b\x06"                                                                                                        \
    "B"

static struct script_server server;
static rqx_engine *engine;
static rqx_client *client;
static rqx_client_options options;
static rqx_response *response;
static rqx_request *request;

static void begin(const char *const *answers)
{
    script_begin(&server, answers, &options);
    client = NULL;
    request = NULL;
    response = NULL;
    ck_assert_int_eq(rqx_engine_new(NULL, &engine), 0);
}

static void make(const char *method)
{
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_eq(rqx_request_new_text(method, "http://a.com/", &request), 0);
}

/* Gives the exchange's result. */
static int ask(void)
{
    rqx_response_unref(response);
    response = NULL;
    return rqx_client_perform(client, request, &response);
}

static void end(void)
{
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    script_stop(&server);
}

static void expect_body(const char *text)
{
    rqx_slice body = {NULL, 0};

    ck_assert_int_eq(rqx_response_body(response, &body), 0);
    ck_assert_uint_eq(body.len, strlen(text));
    ck_assert_mem_eq(body.data, text, body.len);
}

/* ---- codings ---- */

/* RFC 9110 section 5.3: two fields are one list. */
START_TEST(codings_may_come_in_two_fields)
{
    static const char *const answers[] = {
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED), NULL};

    begin(answers);
    make("GET");
    ck_assert_int_eq(ask(), 0);
    expect_body(COATS);
    end();
}
END_TEST

START_TEST(a_body_may_decode_to_nothing)
{
    static const char *const answers[] = {HEAD("200 OK", "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"), NULL};

    begin(answers);
    make("GET");
    ck_assert_int_eq(ask(), 0);
    expect_body("");
    expect_body("");
    end();
}
END_TEST

START_TEST(a_body_that_does_not_decode_stays_so)
{
    static const char *const answers[] = {HEAD("200 OK", "Content-Encoding: gzip\r\n\r\nno gzip"), NULL};
    rqx_slice body = {NULL, 0};

    begin(answers);
    make("GET");
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_body(response, &body), RQX_ERR_DECODING);
    ck_assert_int_eq(rqx_response_body(response, &body), RQX_ERR_DECODING);
    ck_assert_ptr_null(body.data);
    ck_assert_uint_eq(rqx_response_raw_body(response).len, 7);
    end();
}
END_TEST

#ifdef RQX_TEST_ALLOC
/* Each allocation of decoding fails once: an error that says so, and the next response is read. */
START_TEST(memory_for_decoding_may_run_out)
{
    static const char *const answers[] = {
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        HEAD("200 OK", "Content-Encoding: deflate\r\nContent-Encoding: deflate\r\n\r\n" PACKED),
        NULL,
    };
    unsigned long n;

    begin(answers);
    make("GET");
    rqx_request_set_streamed(request, 1);
    for (n = 1; n <= 8; n++) {
        char buffer[256];
        size_t len = 0;
        int rv = RQX_AGAIN;

        ck_assert_int_eq(ask(), 0);
        rqx__mem_fail_at(n, 0);
        while (rv == RQX_AGAIN && (rv = rqx_response_read(response, buffer, sizeof buffer, &len)) == RQX_AGAIN) {
            rqx__mem_fail_at(0, 0);
            ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_BODY | RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
            rqx__mem_fail_at(n, 0);
        }
        rqx__mem_fail_at(0, 0);
        if (rv == 0)
            ck_assert_mem_eq(buffer, COATS, len);
        else
            ck_assert_int_eq(rv, RQX_ERR_NOMEM);
        if (n == 1)
            ck_assert_int_eq(rv, RQX_ERR_NOMEM);
    }
    end();
}
END_TEST
#endif

/* ---- what may be asked when ---- */

START_TEST(what_is_not_streamed_is_not_read)
{
    static const char *const answers[] = {OK, NULL};
    char buffer[8];
    size_t len = 1;

    begin(answers);
    make("GET");
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_read(response, buffer, sizeof buffer, &len), RQX_ERR_STATE);
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(rqx_response_read_raw(response, buffer, sizeof buffer, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_write_body(response, "a", 1, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_end_body(response), RQX_ERR_STATE);
    expect_body("ok");
    end();
}
END_TEST

/* What redirects left behind has no exchange of its own. */
START_TEST(a_redirect_that_was_followed_takes_no_part)
{
    static const char *const answers[] = {HEAD("302 Found", "Location: /b\r\nContent-Length: 0\r\n\r\n"), OK, NULL};
    rqx_headers *headers = NULL;
    rqx_response *old;
    rqx_slice body = {NULL, 1};
    char buffer[8];
    size_t len = 1;
    int status = 0;

    begin(answers);
    make("GET");
    ck_assert_int_eq(ask(), 0);
    ck_assert_uint_eq(rqx_response_history_count(response), 1);
    old = (rqx_response *)(uintptr_t)rqx_response_history(response, 0);
    ck_assert_int_eq(rqx_response_status(old), 302);
    ck_assert_int_eq(rqx_response_wait(old, RQX_EVENT_DONE, 0), 0);
    rqx_response_cancel(old);
    rqx_response_close(old);
    rqx_response_resume_body(old);
    ck_assert_int_eq(rqx_response_write_body(old, "a", 1, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_end_body(old), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_next_interim(old, &status, &headers), RQX_AGAIN);
    ck_assert_int_eq(rqx_response_read(old, buffer, sizeof buffer, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_body(old, &body), 0);
    ck_assert_uint_eq(body.len, 0);
    expect_body("ok");
    end();
}
END_TEST

static int give_ok(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)user;
    ck_assert_uint_ge(cap, 2);
    memcpy(buffer, "ok", 2);
    *ret_len = 2;
    *ret_end = 1;
    return 0;
}

/* Counts in |*user|; fails if that is none. */
static int rewind_it(void *user)
{
    int *times = user;

    if (times == NULL)
        return -1;
    ++*times;
    return 0;
}

/* One source gives one body at a time. */
START_TEST(a_source_is_asked_by_one_exchange_at_a_time)
{
    static const char *const answers[] = {OK, OK, NULL};
    rqx_response *second = NULL;
    int rewound = 0;

    begin(answers);
    make("POST");
    ck_assert_int_eq(rqx_request_set_body_callback(request, give_ok, rewind_it, 2, NULL, &rewound), 0);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &second), RQX_ERR_STATE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_int_eq(rewound, 0);
    ck_assert_int_eq(ask(), 0); /* and from its beginning by the next */
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_int_eq(rewound, 1);
    end();
}
END_TEST

START_TEST(a_source_that_does_not_rewind_is_an_error)
{
    static const char *const answers[] = {HEAD("307 Again", "Location: /b\r\nContent-Length: 0\r\n\r\n"), OK, NULL};

    begin(answers);
    make("POST");
    ck_assert_int_eq(rqx_request_set_body_callback(request, give_ok, rewind_it, 2, NULL, NULL), 0);
    ck_assert_int_eq(ask(), RQX_ERR_BODY_REPLAY);
    ck_assert_int_eq(server.count, 1);
    rqx_client_close(client);
    end();
}
END_TEST

/* Who pushes more than there is room for is told when there is room. */
START_TEST(a_pushed_body_waits_for_room)
{
    static const char *const answers[] = {OK, NULL};
    static const char piece[50000];
    size_t left = 20 * sizeof piece;

    begin(answers);
    make("POST");
    rqx_request_set_body_push(request, (int64_t)left);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    while (left > 0) {
        size_t taken = 0;
        int rv = rqx_response_write_body(response, piece, left < sizeof piece ? left : sizeof piece, &taken);

        left -= taken;
        if (rv == RQX_AGAIN)
            rv = rqx_response_wait(response, RQX_EVENT_WRITE | RQX_EVENT_DONE, RQX_NO_TIMEOUT);
        ck_assert_int_eq(rv, 0);
    }
    ck_assert_int_eq(rqx_response_end_body(response), 0);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    end();
}
END_TEST

/* ---- redirects ---- */

START_TEST(enough_is_read_of_a_redirect_s_body)
{
    static char large[1200000];
    const char *answers[] = {large, OK, NULL};

    memset(large, 'x', sizeof large - 1);
    memcpy(large, HEAD("302 Found", "Location: /b\r\n\r\n"), sizeof HEAD("302 Found", "Location: /b\r\n\r\n") - 1);
    begin(answers);
    make("GET");
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_uint_eq(rqx_response_history_count(response), 1);
    end();
}
END_TEST

START_TEST(a_pushed_body_is_not_sent_twice)
{
    static const char *const answers[] = {HEAD("307 Again", "Location: /b\r\nContent-Length: 0\r\n\r\n"), OK, NULL};
    size_t taken = 0;

    begin(answers);
    make("POST");
    rqx_request_set_body_push(request, 2);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    ck_assert_int_eq(rqx_response_write_body(response, "ok", 2, &taken), 0);
    ck_assert_uint_eq(taken, 2);
    ck_assert_int_eq(rqx_response_end_body(response), 0);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_error(response)->code, RQX_ERR_BODY_REPLAY);
    ck_assert_int_eq(server.count, 1);
    rqx_client_close(client); /* so that the server waits for nobody */
    end();
}
END_TEST

/* A body that nobody wants is not waited for. */
START_TEST(a_redirect_s_body_may_stall)
{
    static const char *const answers[] = {HEAD("302 Found", "Location: /b\r\nContent-Length: 5\r\n\r\n"), OK, NULL};

    begin(answers);
    server.stays = true; /* nobody connected yet */
    options.timeouts.read_ms = 200;
    options.timeouts.stall_rate = 1;
    options.timeouts.stall_ms = 100;
    make("GET");
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    end();
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_peer_that_takes_nothing_is_a_write_timeout)
{
    static const char *const answers[] = {NULL}; /* nobody accepts */
    static char large[8 * 1024 * 1024];

    begin(answers);
    options.timeouts.write_ms = 100;
    make("POST");
    ck_assert_int_eq(rqx_request_set_body_borrowed(request, large, sizeof large, NULL, NULL), 0);
    ck_assert_int_eq(ask(), RQX_ERR_WRITE_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, "write timeout"));
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, "sending the request"));
    end();
}
END_TEST

START_TEST(a_deadline_may_end_a_pause)
{
    static const char *const answers[] = {NULL};

    begin(answers);
    options.unix_path = "/nonexistent/socket";
    options.connect_retries = 1000;
    options.timeouts.total_ms = 300;
    make("GET");
    ck_assert_int_eq(ask(), RQX_ERR_TOTAL_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, "waiting to try again"));
    end();
}
END_TEST

/* ---- tried again ---- */

static void retry_with(const char *method, int64_t backoff_ms, int64_t total_ms)
{
    static const char *const methods[] = {"GET", "POST"};
    rqx_retry_options how;

    rqx_retry_options_init(&how);
    how.backoff_ms = backoff_ms;
    how.methods = methods;
    how.method_count = 2;
    how.retry_after_max_ms = 5000;
    options.timeouts.total_ms = total_ms;
    ck_assert_int_eq(rqx_retry_new(&how, &options.retry), 0);
    make(method);
    rqx_retry_unref(options.retry);
}

/* RFC 9110 section 10.2.3: the date is one of the server's clock, as its Date is. */
START_TEST(a_date_to_wait_for_is_seen_from_the_peer_s_clock)
{
    static const char *const answers[] = {
        HEAD("503 Busy", "Date: Tue, 01 Jan 2030 00:00:00 GMT\r\nRetry-After: Tue, 01 Jan 2030 00:00:00 GMT\r\n"
                         "Content-Length: 0\r\n\r\n"),
        OK, NULL};

    begin(answers);
    retry_with("GET", 1, RQX_NO_TIMEOUT);
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_int_eq(rqx_response_retries(response), 1);
    end();
}
END_TEST

START_TEST(who_asks_for_a_long_pause_is_not_asked_again)
{
    static const char *const answers[] = {HEAD("503 Busy", "Retry-After: 6\r\nContent-Length: 0\r\n\r\n"), NULL};

    begin(answers);
    retry_with("GET", 1, RQX_NO_TIMEOUT);
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_status(response), 503);
    end();
}
END_TEST

START_TEST(no_pause_is_longer_than_there_is_time)
{
    static const char *const answers[] = {HEAD("503 Busy", "Content-Length: 0\r\n\r\n"), NULL};

    begin(answers);
    retry_with("GET", 30000, 9000);
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_status(response), 503);
    ck_assert_int_eq(rqx_response_retries(response), 0);
    end();
}
END_TEST

/* Nothing says that it was not done, so it is done again only where that is known to be the same. */
START_TEST(what_may_have_been_done_is_done_again_by_its_key)
{
    static const char *const answers[] = {"", "", OK, NULL};

    begin(answers);
    retry_with("POST", 1, RQX_NO_TIMEOUT);
    ck_assert_int_lt(ask(), 0);
    ck_assert_int_eq(server.count, 1);
    ck_assert_int_eq(rqx_headers_add(rqx_request_headers(request), "Idempotency-Key", 15, "7", 1), 0);
    ck_assert_int_eq(ask(), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_int_eq(rqx_response_retries(response), 1);
    end();
}
END_TEST

START_TEST(tries_come_to_an_end)
{
    static const char *const answers[] = {"", "", "", "", OK, NULL};

    begin(answers);
    retry_with("GET", 1, RQX_NO_TIMEOUT);
    ck_assert_int_eq(ask(), RQX_ERR_TRUNCATED);
    ck_assert_int_eq(rqx_response_retries(response), 3);
    ck_assert_int_eq(server.count, 4);
    rqx_client_close(client);
    end();
}
END_TEST

/* The pauses before further tries to connect grow to a second, not beyond. */
START_TEST(pauses_before_connecting_again_have_an_end)
{
    static const char *const answers[] = {NULL};

    begin(answers);
    options.unix_path = "/nonexistent/socket";
    options.connect_retries = 9;
    make("GET");
    ck_assert_int_eq(ask(), RQX_ERR_CONNECT);
    end();
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_that_cannot_be_used_are_refused)
{
    static const char *const answers[] = {NULL};

    begin(answers);
    options.max_redirects = -1;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), RQX_ERR_INVALID_ARGUMENT);
    options.max_redirects = 0;
    options.max_window = 1;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), RQX_ERR_INVALID_ARGUMENT);
    options.max_window = 65535;
    options.unix_path = NULL;
    options.trust_env = 1;
    setenv("http_proxy", "http://h:port", 1);
    ck_assert_int_lt(rqx_client_new(engine, &options, &client), 0);
    unsetenv("http_proxy");
    ck_assert_ptr_null(client);
    options.trust_env = 0;
    make("GET");
    ck_assert_int_eq(rqx_request_set_body(request, "a", SIZE_MAX), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_request_set_body_borrowed(request, "a", SIZE_MAX, NULL, NULL), RQX_ERR_INVALID_ARGUMENT);
    rqx_request_set_protocols(request, 8);
    ck_assert_int_eq(ask(), RQX_ERR_INVALID_ARGUMENT);
    end();
}
END_TEST

START_TEST(a_policy_denies_sockets_on_a_path)
{
    static const char *const answers[] = {NULL};
    rqx_address_policy *policy = NULL;

    begin(answers);
    ck_assert_int_eq(rqx_address_policy_new(RQX_ADDRESS_PUBLIC, &policy), 0);
    options.address_policy = policy;
    make("GET");
    rqx_address_policy_free(policy);
    ck_assert_int_eq(ask(), RQX_ERR_ADDRESS_DENIED);
    end();
}
END_TEST

#ifdef RQX_TEST_ALLOC
/* The text of a socket option, or a length alone. */
START_TEST(memory_for_socket_options_may_run_out)
{
    static const char *const answers[] = {OK, NULL};
    static const int on = 1;
    const rqx_socket_option wanted[] = {{SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on}};
    const rqx_socket_option bare[] = {{SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0}};
    unsigned long n;
    int rv = RQX_ERR_NOMEM;

    begin(answers);
    options.socket_options = wanted;
    options.socket_option_count = 1;
    for (n = 1; rv == RQX_ERR_NOMEM; n++) {
        rqx__mem_fail_at(n, 0);
        rv = rqx_client_new(engine, &options, &client);
        rqx__mem_fail_at(0, 0);
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 4);
    ck_assert_int_eq(rqx_request_new_text("GET", "http://a.com/", &request), 0);
    ck_assert_int_eq(ask(), 0);
    rqx_client_unref(client);
    options.socket_options = bare;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_lt(ask(), 0); /* the kernel wants a filter */
    end();
}
END_TEST
#endif

static Suite *answers_suite(void)
{
    Suite *suite = suite_create("answers");
    TCase *codings = rqx_add_case(suite, "codings");
    TCase *state = rqx_add_case(suite, "state");
    TCase *again = rqx_add_case(suite, "again");
    TCase *settings = rqx_add_case(suite, "settings");

    tcase_add_test(codings, codings_may_come_in_two_fields);
    tcase_add_test(codings, a_body_may_decode_to_nothing);
    tcase_add_test(codings, a_body_that_does_not_decode_stays_so);
    tcase_add_test(state, what_is_not_streamed_is_not_read);
    tcase_add_test(state, a_redirect_that_was_followed_takes_no_part);
    tcase_add_test(state, a_source_is_asked_by_one_exchange_at_a_time);
    tcase_add_test(again, enough_is_read_of_a_redirect_s_body);
    tcase_add_test(again, a_pushed_body_is_not_sent_twice);
    tcase_add_test(again, a_redirect_s_body_may_stall);
    tcase_add_test(again, a_peer_that_takes_nothing_is_a_write_timeout);
    tcase_add_test(again, a_deadline_may_end_a_pause);
    tcase_add_test(again, a_date_to_wait_for_is_seen_from_the_peer_s_clock);
    tcase_add_test(again, who_asks_for_a_long_pause_is_not_asked_again);
    tcase_add_test(again, no_pause_is_longer_than_there_is_time);
    tcase_add_test(again, what_may_have_been_done_is_done_again_by_its_key);
    tcase_add_test(again, tries_come_to_an_end);
    tcase_add_test(state, a_source_that_does_not_rewind_is_an_error);
    tcase_add_test(state, a_pushed_body_waits_for_room);
    tcase_add_test(again, pauses_before_connecting_again_have_an_end);
    tcase_add_test(settings, settings_that_cannot_be_used_are_refused);
    tcase_add_test(settings, a_policy_denies_sockets_on_a_path);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(codings, memory_for_decoding_may_run_out);
    tcase_add_test(settings, memory_for_socket_options_may_run_out);
#endif
    return suite;
}

RQX_CHECK_MAIN(answers_suite)
