/*
 * Engine, client and exchange over real sockets, against a small origin in threads: driver modes, sharing, cancelling,
 * deadlines, replays, redirects, bodies, forks.
 */
#include <poll.h>

#include <requestx/requestx.h>

#include "engine_support.h"

/* ---- sync ---- */

START_TEST(sync_requests_share_a_connection)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_engine_stats stats;
    rqx_timings timings;
    int i;

    for (i = 0; i < 3; i++) {
        rqx_response *response = NULL;

        ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
        ck_assert_int_eq(rqx_response_status(response), 200);
        ck_assert_uint_eq(rqx_response_connection_id(response), 1);
        ck_assert_int_eq(rqx_response_version(response), server.h2 ? RQX_HTTP_2 : RQX_HTTP_1_1);
        ck_assert_int_eq(rqx_response_stream_id(response), server.h2 ? 2 * i + 1 : 0);
        expect_body(response, "hello");
        rqx_response_timings(response, &timings);
        ck_assert_int_ge(timings.total_us, timings.first_byte_us);
        ck_assert_int_ge(timings.first_byte_us, timings.queue_us);
        ck_assert(i == 0 ? timings.connect_us >= 0 : timings.connect_us == -1);
        rqx_response_unref(response);
    }
    rqx_engine_get_stats(engine, &stats);
    ck_assert_uint_eq(stats.connections_made, 1);
    ck_assert_uint_eq(stats.exchanges_done, 3);
    ck_assert_uint_eq(stats.exchanges_open, 0);
    ck_assert_int_eq(atomic_load(&server.connections), 1);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

struct worker {
    rqx_client *client;
    rqx_request *request;
    pthread_t id;
    int good;
};

static void *work(void *user)
{
    struct worker *worker = user;
    int i;

    for (i = 0; i < 50; i++) {
        rqx_response *response = NULL;

        if (rqx_client_perform(worker->client, worker->request, &response) == 0 && rqx_response_status(response) == 200)
            worker->good++;
        rqx_response_unref(response);
    }
    return NULL;
}

START_TEST(threads_share_a_client)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    struct worker workers[8];
    int i;

    for (i = 0; i < 8; i++) {
        workers[i] = (struct worker){.client = client, .request = request};
        ck_assert_int_eq(pthread_create(&workers[i].id, NULL, work, &workers[i]), 0);
    }
    for (i = 0; i < 8; i++) {
        pthread_join(workers[i].id, NULL);
        ck_assert_int_eq(workers[i].good, 50);
    }
    ck_assert_int_eq(atomic_load(&server.requests), 400);
    if (server.h2)
        ck_assert_int_eq(atomic_load(&server.connections), 1);
    else
        ck_assert_int_le(atomic_load(&server.connections), 8);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(cancel_from_another_thread_ends_the_wait)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *never = new_request("GET", "/never");
    rqx_request *fine = new_request("GET", "/ok");
    rqx_response *stuck = NULL;
    rqx_response *response = NULL;

    ck_assert_int_eq(rqx_client_submit(client, never, NULL, &stuck), 0);
    ck_assert_int_eq(rqx_response_wait(stuck, RQX_EVENT_DONE, 50), RQX_AGAIN);
    rqx_response_cancel(stuck);
    ck_assert_int_eq(rqx_response_wait(stuck, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_error(stuck)->code, RQX_ERR_CANCELLED);
    ck_assert_int_eq(rqx_client_perform(client, fine, &response), 0);
    if (server.h2) {
        ck_assert_uint_eq(rqx_response_connection_id(response), 1);
        ck_assert_int_eq(atomic_load(&server.resets), 1);
    }
    rqx_response_unref(response);
    rqx_response_unref(stuck);
    rqx_request_unref(fine);
    rqx_request_unref(never);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_read_timeout_is_its_own_exchange_s)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *never = new_request("GET", "/never");
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET, 100, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, 0, 0};
    rqx_response *response = NULL;
    char expected[64];

    rqx_request_set_timeouts(never, &timeouts);
    ck_assert_int_eq(rqx_client_perform(client, never, &response), RQX_ERR_READ_TIMEOUT);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", server.port);
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, expected));
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, "read timeout of 0.1 s"));
    ck_assert_int_eq(rqx_response_error(response)->phase, RQX_PHASE_TIMEOUT);
    rqx_response_unref(response);
    rqx_request_unref(never);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_refused_connection_names_host_and_cause)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    char url[64];
    int port;
    int fd = refuse_on(AF_INET, &port);

    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    ck_assert_int_eq(rqx_request_new_text("GET", url, &request), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_CONNECT);
    ck_assert_int_eq(rqx_response_error(response)->sys_errno, ECONNREFUSED);
    url[strlen(url) - 1] = '\0';
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, url + strlen("http://")));
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, "refused"));
    close(fd);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(socket_options_are_set_before_connecting)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client_options options;
    rqx_socket_option option = {SOL_SOCKET, SO_BINDTODEVICE, "lo", 3};
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response = NULL;
    rqx_client *client = NULL;

    default_options(&options);
    options.socket_options = &option;
    options.socket_option_count = 1;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    rqx_response_unref(response);
    rqx_client_unref(client);
    /* one that the system refuses is named */
    option = (rqx_socket_option){SOL_SOCKET, SO_BINDTODEVICE, "no-such-dev", 12};
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_CONNECT);
    ck_assert_ptr_nonnull(strstr(rqx_response_error(response)->text, "socket option 25"));
    rqx_response_unref(response);
    rqx_client_unref(client);
    option.len = 1000000;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), RQX_ERR_INVALID_ARGUMENT);
    rqx_request_unref(request);
    rqx_engine_unref(engine);
}
END_TEST

/* ---- bodies ---- */

START_TEST(bytes_are_echoed)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/echo");
    rqx_response *response = NULL;

    ck_assert_int_eq(rqx_request_set_body(request, "ping", 4), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    expect_body(response, "ping");
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static int give_pieces(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    int *left = user;

    ck_assert_uint_ge(cap, 4);
    memcpy(buffer, "abcd", 4);
    *ret_len = 4;
    *ret_end = --*left == 0;
    return 0;
}

START_TEST(a_callback_s_body_is_echoed)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/echo");
    rqx_response *response = NULL;
    int left = 3;

    ck_assert_int_eq(rqx_request_set_body_callback(request, give_pieces, NULL, 12, NULL, &left), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    expect_body(response, "abcdabcdabcd");
    rqx_response_unref(response);
    response = NULL;
    /* it was read and cannot be rewound */
    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_BODY_REPLAY);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_pushed_body_is_echoed)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/echo");
    rqx_response *response = NULL;
    size_t taken;

    rqx_request_set_body_push(request, 8);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    ck_assert_int_eq(rqx_response_write_body(response, "1234", 4, &taken), 0);
    ck_assert_uint_eq(taken, 4);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, 20), RQX_AGAIN);
    ck_assert_int_eq(rqx_response_write_body(response, "5678", 4, &taken), 0);
    ck_assert_int_eq(rqx_response_end_body(response), 0);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    expect_body(response, "12345678");
    ck_assert_int_eq(rqx_response_write_body(response, "9", 1, &taken), RQX_ERR_STATE);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* Over HTTP/1.1 the announced length ends the body: the answer may come before the end is told. */
START_TEST(the_end_of_a_pushed_body_may_come_after_the_answer)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/echo");
    rqx_response *response = NULL;
    size_t taken;

    rqx_request_set_body_push(request, 4);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    ck_assert_int_eq(rqx_response_write_body(response, "1234", 4, &taken), 0);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_end_body(response), 0);
    ck_assert_int_eq(rqx_response_end_body(response), RQX_ERR_STATE);
    expect_body(response, "1234");
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_pushed_body_too_long_is_refused)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/echo");
    rqx_response *response = NULL;
    size_t taken;

    rqx_request_set_body_push(request, 2);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    ck_assert_int_eq(rqx_response_write_body(response, "1234", 4, &taken), RQX_ERR_REQUEST_LENGTH);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_error(response)->code, RQX_ERR_REQUEST_LENGTH);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_streamed_body_is_read_as_it_comes)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/bytes/3000000");
    rqx_response *response = NULL;
    static char buffer[10000];
    size_t total = 0;
    size_t len;
    int rv;

    rqx_request_set_streamed(request, 1);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_HEAD, RQX_NO_TIMEOUT), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    for (;;) {
        rv = rqx_response_read(response, buffer, sizeof buffer, &len);
        if (rv == RQX_AGAIN) {
            ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_BODY | RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
            continue;
        }
        ck_assert_int_eq(rv, 0);
        if (len == 0)
            break;
        total += len;
    }
    ck_assert_uint_eq(total, 3000000);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(an_early_close_resets_once_and_serves_on)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/bytes/3000000");
    rqx_request *fine = new_request("GET", "/ok");
    rqx_response *response = NULL;
    char buffer[100];
    size_t len;
    int i;

    rqx_request_set_streamed(request, 1);
    for (i = 0; i < 30; i++) {
        ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
        ck_assert_int_eq(rqx_response_wait(response, RQX_EVENT_BODY, RQX_NO_TIMEOUT), 0);
        ck_assert_int_eq(rqx_response_read(response, buffer, sizeof buffer, &len), 0);
        rqx_response_close(response);
        ck_assert_int_eq(rqx_response_done(response), 1);
        ck_assert_int_eq(rqx_response_error(response)->code, 0);
        rqx_response_unref(response);
    }
    ck_assert_int_eq(rqx_client_perform(client, fine, &response), 0);
    expect_body(response, "hello");
    if (server.h2) {
        ck_assert_int_eq(atomic_load(&server.connections), 1);
        ck_assert_int_eq(atomic_load(&server.resets), 30);
    }
    rqx_response_unref(response);
    rqx_request_unref(fine);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_body_that_was_copied_is_given_back)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/bytes/5000");
    rqx_response *response = NULL;
    rqx_slice body;

    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_uint_eq(rqx_response_raw_body(response).len, 5000);
    rqx_response_discard_body(response);
    rqx_response_discard_body(response);
    ck_assert_uint_eq(rqx_response_raw_body(response).len, 0);
    ck_assert_int_eq(rqx_response_body(response, &body), 0);
    ck_assert_uint_eq(body.len, 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_body_above_the_caller_s_maximum_is_an_error)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/bytes/5000");
    rqx_response *response = NULL;

    rqx_request_set_max_body(request, 4999);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_BODY_TOO_LARGE);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* Where the redirect is given: one that is followed is thrown away. */
START_TEST(a_redirect_s_body_has_a_maximum_of_its_own)
{
    static const struct {
        const char *path;
        int64_t most;
        int64_t most_of_redirect;
        int redirects;
        int result;
    } cases[] = {
        {"/moved", -1, -1, 0, 0},
        {"/moved", -1, 8, 0, RQX_ERR_BODY_TOO_LARGE},
        {"/moved", -1, 9, 0, 0},
        {"/moved", 8, -1, 0, RQX_ERR_BODY_TOO_LARGE},
        {"/moved", 8, 9, 0, RQX_ERR_BODY_TOO_LARGE},
        {"/moved", -1, 0, 1, 0},
        {"/bytes/5000", -1, 8, 0, 0},
        {"/bytes/5000", 5000, 8, 0, 0},
    };
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rqx_request *request = new_request("GET", cases[i].path);
        rqx_response *response = NULL;

        rqx_request_set_max_body(request, cases[i].most);
        rqx_request_set_max_redirect_body(request, cases[i].most_of_redirect);
        rqx_request_set_max_redirects(request, cases[i].redirects);
        ck_assert_int_eq(rqx_client_perform(client, request, &response), cases[i].result);
        if (cases[i].result < 0) {
            ck_assert_int_eq(rqx_response_status(response), 302);
            ck_assert_ptr_nonnull(rqx_headers_get(rqx_response_headers(response), "location", 8).data);
        }
        rqx_response_unref(response);
        rqx_request_unref(request);
    }
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* ---- redirects and replays ---- */

START_TEST(redirects_are_followed_with_their_history)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/redirect/2");
    rqx_response *response = NULL;
    rqx_slice text;

    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 302);
    rqx_response_unref(response);
    rqx_request_set_max_redirects(request, 3);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    expect_body(response, "hello");
    ck_assert_uint_eq(rqx_response_history_count(response), 3);
    ck_assert_int_eq(rqx_response_status(rqx_response_history(response, 0)), 302);
    text = rqx_url_path(rqx_response_url(response));
    ck_assert_str_eq(text.data, "/ok");
    text = rqx_url_path(rqx_response_url(rqx_response_history(response, 1)));
    ck_assert_mem_eq(text.data, "/redirect/1", text.len);
    rqx_response_unref(response);
    rqx_request_set_max_redirects(request, 2);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_TOO_MANY_REDIRECTS);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_fresh_connection_closed_without_an_answer_is_an_error)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/close");
    rqx_response *response = NULL;

    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_TRUNCATED);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_streamed_response_keeps_its_connection_until_it_is_read)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = NULL;
    rqx_client_options options;
    rqx_request *streamed = new_request("GET", "/ok");
    rqx_request *other = new_request("GET", "/ok");
    rqx_response *held = NULL;
    rqx_response *response = NULL;
    char buffer[16];
    size_t len;
    int i;

    default_options(&options);
    options.limits.max_connections = 1;
    options.timeouts.pool_ms = 30;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    rqx_request_set_streamed(streamed, 1);
    for (i = 0; i < 3; i++) { /* read to its end, closed, let go */
        ck_assert_int_eq(rqx_client_submit(client, streamed, NULL, &held), 0);
        ck_assert_int_eq(rqx_response_wait(held, RQX_EVENT_DONE, RQX_NO_TIMEOUT), 0);
        ck_assert_int_eq(rqx_client_perform(client, other, &response), RQX_ERR_POOL_TIMEOUT);
        rqx_response_unref(response);
        if (i == 0) {
            do
                ck_assert_int_eq(rqx_response_read(held, buffer, sizeof buffer, &len), 0);
            while (len != 0);
        } else if (i == 1) {
            rqx_response_close(held);
        }
        if (i == 2)
            rqx_response_unref(held);
        ck_assert_int_eq(rqx_client_perform(client, other, &response), 0);
        ck_assert_uint_eq(rqx_response_connection_id(response), 1);
        rqx_response_unref(response);
        if (i != 2)
            rqx_response_unref(held);
    }
    rqx_request_unref(other);
    rqx_request_unref(streamed);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* ---- embedded ---- */

static void drive(rqx_engine *engine)
{
    struct pollfd entry = {.fd = rqx_engine_fd(engine), .events = POLLIN};

    ck_assert_int_eq(poll(&entry, 1, 20000), 1);
    ck_assert_int_ge(rqx_engine_dispatch(engine), 0);
}

/* Drives until the server has seen |count| requests. */
static void drive_until_seen(rqx_engine *engine, int count)
{
    while (atomic_load(&server.requests) < count) {
        struct pollfd entry = {.fd = rqx_engine_fd(engine), .events = POLLIN};

        ck_assert_int_ge(poll(&entry, 1, 1), 0);
        ck_assert_int_ge(rqx_engine_dispatch(engine), 0);
    }
}

START_TEST(one_descriptor_carries_many_requests)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response;
    rqx_event events[16];
    int tags[200];
    int done = 0;
    int i;

    for (i = 0; i < 200; i++) {
        tags[i] = 0;
        ck_assert_int_eq(rqx_client_submit(client, request, &tags[i], &response), 0);
    }
    while (done < 200) {
        int count;

        drive(engine);
        while ((count = rqx_engine_take(engine, events, 16)) > 0) {
            for (i = 0; i < count; i++) {
                ck_assert_uint_eq(events[i].what, RQX_EVENT_DONE);
                ck_assert_int_eq(rqx_response_status(events[i].response), 200);
                ++*(int *)events[i].user;
                rqx_response_unref(events[i].response);
                done++;
            }
        }
    }
    for (i = 0; i < 200; i++)
        ck_assert_int_eq(tags[i], 1);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(what_comes_while_corked_is_collected)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response;
    rqx_event events[64];
    int started = 0;
    int done = 0;

    ck_assert_int_eq(rqx_engine_collect(engine, 200), RQX_ERR_STATE);
    for (; started < 50; started++)
        ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    while (done < 500) {
        int looks = 0;
        int count;
        int i;

        drive(engine);
        ck_assert_int_eq(rqx_engine_cork(engine), 0);
        do {
            while ((count = rqx_engine_take(engine, events, 64)) > 0) {
                for (i = 0; i < count; i++, done++) {
                    ck_assert_int_eq(rqx_response_status(events[i].response), 200);
                    rqx_response_unref(events[i].response);
                    if (started++ < 500)
                        ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
                }
            }
            ck_assert_int_le(++looks, 100);
        } while (rqx_engine_collect(engine, 200) == 1);
        ck_assert_int_eq(rqx_engine_uncork(engine), 0);
    }
    ck_assert_int_eq(done, 500);
    ck_assert_int_eq(atomic_load(&server.requests), 500);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static atomic_int not_well;

/* Counts, in |user|, those that ended, well or not: nobody may assert in a thread of the library's. */
static void count_done(rqx_response *response, unsigned what, void *user)
{
    if ((what & RQX_EVENT_DONE) == 0)
        return;
    if (rqx_response_status(response) != 200)
        atomic_fetch_add(&not_well, 1);
    rqx_response_unref(response);
    ++*(atomic_int *)user;
}

START_TEST(callbacks_tell_an_embedded_engine_s_events)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response;
    atomic_int done = 0;
    int i;

    rqx_request_set_callback(request, count_done);
    ck_assert_int_eq(rqx_engine_cork(engine), 0);
    for (i = 0; i < 20; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, &done, &response), 0);
    ck_assert_int_eq(rqx_engine_uncork(engine), 0);
    while (atomic_load(&done) < 20)
        drive(engine);
    ck_assert_int_eq(atomic_load(&not_well), 0);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_deadline_makes_the_descriptor_readable)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/never");
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, 100, 0, 0};
    rqx_response *response;
    rqx_event event;

    rqx_request_set_timeouts(request, &timeouts);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    do
        drive(engine);
    while (rqx_engine_take(engine, &event, 1) == 0);
    ck_assert_int_eq(rqx_response_error(response)->code, RQX_ERR_TOTAL_TIMEOUT);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(letting_go_of_responses_cancels_them)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/never");
    rqx_response *responses[10];
    rqx_engine_stats stats;
    rqx_event event;
    int i;

    for (i = 0; i < 10; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, NULL, &responses[i]), 0);
    drive_until_seen(engine, server.h2 ? 10 : 1);
    for (i = 0; i < 10; i++)
        rqx_response_unref(responses[i]);
    rqx_engine_get_stats(engine, &stats);
    ck_assert_uint_eq(stats.exchanges_open, 0);
    ck_assert_int_eq(rqx_engine_take(engine, &event, 1), 0);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(closing_a_client_ends_what_runs)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/never");
    rqx_response *response;
    rqx_response *refused;
    rqx_event event;

    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    drive_until_seen(engine, 1);
    rqx_client_close(client);
    ck_assert_int_eq(rqx_engine_take(engine, &event, 1), 1);
    ck_assert_int_eq(rqx_response_error(response)->code, RQX_ERR_CLOSED);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &refused), RQX_ERR_CLOSED);
    rqx_client_unref(client);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_engine_unref(engine);
}
END_TEST

/* ---- thread ---- */

START_TEST(a_thread_of_the_library_calls_back)
{
    rqx_engine *engine = new_engine(RQX_MODE_THREAD, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response;
    atomic_int done = 0;
    int i;

    rqx_request_set_callback(request, count_done);
    for (i = 0; i < 50; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, &done, &response), 0);
    while (atomic_load(&done) < 50)
        usleep(1000);
    ck_assert_int_eq(atomic_load(&not_well), 0);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* ---- usage ---- */

START_TEST(modes_are_enforced)
{
    rqx_engine *sync = new_engine(RQX_MODE_SYNC, 0);
    rqx_engine *embedded = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(embedded);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response = NULL;
    rqx_event event;

    ck_assert_int_eq(rqx_engine_fd(sync), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_dispatch(sync), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_cork(sync), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_take(sync, &event, 1), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_run(embedded, 0), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), RQX_ERR_MODE);
    ck_assert_ptr_null(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(embedded);
    rqx_engine_unref(sync);
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client_options options;
    rqx_client *client = NULL;
    rqx_request *request = NULL;

    default_options(&options);
    options.protocols = 0;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), RQX_ERR_INVALID_ARGUMENT);
    default_options(&options);
    options.limits.max_connections = 0;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), RQX_ERR_INVALID_ARGUMENT);
    default_options(&options);
    options.struct_size = 1;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_request_new_text("GE T", "http://x/", &request), RQX_ERR_INVALID_METHOD);
    ck_assert_int_eq(rqx_request_new_text("", "http://x/", &request), RQX_ERR_INVALID_METHOD);
    ck_assert_int_eq(rqx_request_new_text("GET", "ftp://x/", &request), RQX_ERR_UNSUPPORTED_SCHEME);
    ck_assert_int_eq(rqx_request_new_text("GET", "/x", &request), RQX_ERR_UNSUPPORTED_SCHEME);
    ck_assert_int_eq(rqx_request_new_text("GET", "http://", &request), RQX_ERR_INVALID_URL);
    ck_assert_int_eq(rqx_request_new_text("GET", "http://x:99999/", &request), RQX_ERR_CONNECT);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_forked_child_may_only_let_go)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response = NULL;
    pid_t child;

    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    rqx_response_unref(response);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int good = rqx_client_perform(client, request, &response) == RQX_ERR_FORKED;

        rqx_client_unref(client);
        rqx_engine_unref(engine);
        leave_child(good);
    }
    ck_assert(child_left_well(child));
    /* and the parent's connection still serves */
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_uint_eq(rqx_response_connection_id(response), 1);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(requests_beyond_the_peer_s_streams_wait_their_turn)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response;
    rqx_event events[16];
    intptr_t next = 0;
    intptr_t i;

    server.max_streams = 3;
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, (void *)i, &response), 0);
    while (next < 100) {
        int count;

        drive(engine);
        while ((count = rqx_engine_take(engine, events, 16)) > 0) {
            for (i = 0; i < count; i++) {
                ck_assert_int_eq(rqx_response_error(events[i].response)->code, 0);
                ck_assert_int_eq((intptr_t)events[i].user, next);
                next++;
                rqx_response_unref(events[i].response);
            }
        }
    }
    ck_assert_int_eq(atomic_load(&server.connections), 1);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static void add_common(TCase *tcase)
{
    tcase_add_test(tcase, sync_requests_share_a_connection);
    tcase_add_test(tcase, threads_share_a_client);
    tcase_add_test(tcase, cancel_from_another_thread_ends_the_wait);
    tcase_add_test(tcase, a_read_timeout_is_its_own_exchange_s);
    tcase_add_test(tcase, a_refused_connection_names_host_and_cause);
    tcase_add_test(tcase, bytes_are_echoed);
    tcase_add_test(tcase, a_callback_s_body_is_echoed);
    tcase_add_test(tcase, a_pushed_body_is_echoed);
    tcase_add_test(tcase, a_pushed_body_too_long_is_refused);
    tcase_add_test(tcase, a_streamed_body_is_read_as_it_comes);
    tcase_add_test(tcase, an_early_close_resets_once_and_serves_on);
    tcase_add_test(tcase, a_body_that_was_copied_is_given_back);
    tcase_add_test(tcase, a_body_above_the_caller_s_maximum_is_an_error);
    tcase_add_test(tcase, a_redirect_s_body_has_a_maximum_of_its_own);
    tcase_add_test(tcase, redirects_are_followed_with_their_history);
    tcase_add_test(tcase, one_descriptor_carries_many_requests);
    tcase_add_test(tcase, what_comes_while_corked_is_collected);
    tcase_add_test(tcase, callbacks_tell_an_embedded_engine_s_events);
    tcase_add_test(tcase, a_deadline_makes_the_descriptor_readable);
    tcase_add_test(tcase, letting_go_of_responses_cancels_them);
    tcase_add_test(tcase, closing_a_client_ends_what_runs);
    tcase_add_test(tcase, a_thread_of_the_library_calls_back);
    tcase_add_test(tcase, modes_are_enforced);
    tcase_add_test(tcase, options_that_make_no_sense_are_refused);
    tcase_add_test(tcase, a_forked_child_may_only_let_go);
}

static Suite *engine_suite(void)
{
    Suite *suite = suite_create("engine");
    TCase *h1 = rqx_add_case(suite, "over HTTP/1.1");
    TCase *h2 = rqx_add_case(suite, "over HTTP/2");

    tcase_add_checked_fixture(h1, start_h1, stop);
    tcase_add_checked_fixture(h2, start_h2, stop);
    add_common(h1);
    add_common(h2);
    tcase_add_test(h1, socket_options_are_set_before_connecting);
    tcase_add_test(h1, a_streamed_response_keeps_its_connection_until_it_is_read);
    tcase_add_test(h1, the_end_of_a_pushed_body_may_come_after_the_answer);
    tcase_add_test(h1, a_fresh_connection_closed_without_an_answer_is_an_error);
    tcase_add_test(h2, requests_beyond_the_peer_s_streams_wait_their_turn);
    return suite;
}

RQX_CHECK_MAIN(engine_suite)
