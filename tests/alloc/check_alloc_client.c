/*
 * Memory that runs out at the n-th allocation, for every n, over whole scenarios of the client layer: each must end
 * with a right answer or RQX_ERR_NOMEM (or what a peer makes of it), leave nothing behind, and let the next one
 * succeed.
 */
#include <poll.h>

#include <requestx/requestx.h>

#include "../unit/http_server.h"
#include "../unit/support.h"

static struct http_server server;
static rqx_mode mode;

static void start_h1(void)
{
    server_start(&server, false);
}

static void start_h2(void)
{
    server_start(&server, true);
}

static void stop(void)
{
    rqx__mem_fail_at(0, 0);
    server_stop(&server);
}

/* A scenario gives the exchange's result; negative also where something before it failed. */
typedef int (*scenario_fn)(rqx_client *client);

static int with_client(scenario_fn scenario)
{
    rqx_engine_options engine_options;
    rqx_client_options options;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    int rv;

    rqx_engine_options_init(&engine_options);
    engine_options.mode = mode;
    rv = rqx_engine_new(&engine_options, &engine);
    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.max_redirects = 5;
    options.protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    if (rv == 0)
        rv = rqx_client_new(engine, &options, &client);
    if (rv == 0)
        rv = scenario(client);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    return rv;
}

/* Drives until the exchange has ended; gives how. */
static int finish(rqx_client *client, rqx_response *response)
{
    rqx_engine *engine = rqx_client_engine(client);
    int turns = 0;

    while (!rqx_response_done(response)) {
        struct pollfd entry = {.events = POLLIN};
        int rv = 0;

        if (mode == RQX_MODE_SYNC) {
            rv = rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT);
        } else if (mode == RQX_MODE_EMBEDDED) {
            entry.fd = rqx_engine_fd(engine);
            poll(&entry, 1, 1000);
            rv = rqx_engine_dispatch(engine);
        } else {
            poll(NULL, 0, 1);
        }
        if (rv < 0)
            return rv;
        ck_assert_int_lt(turns++, 30000);
    }
    return rqx_response_error(response)->code;
}

static int perform(rqx_client *client, const char *method, const char *path, const char *body)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    rqx_slice got;
    int rv = rqx_request_new_text(method, server_url(&server, path), &request);

    if (rv == 0)
        rv = rqx_headers_add(rqx_request_headers(request), "x-tag", 5, "value", 5);
    if (rv == 0 && body != NULL)
        rv = rqx_request_set_body(request, body, strlen(body));
    if (rv == 0)
        rv = rqx_client_submit(client, request, NULL, &response);
    if (rv == 0)
        rv = finish(client, response);
    if (rv == 0)
        rv = rqx_response_body(response, &got);
    if (rv == 0 && rqx_response_status(response) != 200)
        rv = RQX_ERR_INTERNAL;
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

static int scenario_get(rqx_client *client)
{
    int rv = perform(client, "GET", "/ok", NULL);

    return rv == 0 ? perform(client, "GET", "/bytes/100000", NULL) : rv;
}

static int scenario_post(rqx_client *client)
{
    return perform(client, "POST", "/echo", "a body");
}

static int scenario_redirect(rqx_client *client)
{
    return perform(client, "GET", "/redirect/2", NULL);
}

static int give_once(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)user;
    memset(buffer, 'b', cap < 10 ? cap : 10);
    *ret_len = cap < 10 ? cap : 10;
    *ret_end = 1;
    return 0;
}

/* 0, or an error of the engine's. */
static int wait_a_little(rqx_client *client, rqx_response *response)
{
    struct pollfd entry = {.events = POLLIN};
    int rv = 0;

    if (mode == RQX_MODE_SYNC) {
        rv = rqx_response_wait(response, RQX_EVENT_BODY | RQX_EVENT_DONE, 1);
    } else if (mode == RQX_MODE_EMBEDDED) {
        entry.fd = rqx_engine_fd(rqx_client_engine(client));
        poll(&entry, 1, 1);
        rv = rqx_engine_dispatch(rqx_client_engine(client));
    } else {
        poll(NULL, 0, 1);
    }
    return rv < 0 ? rv : 0;
}

static int scenario_stream(rqx_client *client)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    char buffer[1000];
    size_t len = 1;
    int rv = rqx_request_new_text("POST", server_url(&server, "/bytes/50000"), &request);

    if (rv == 0)
        rv = rqx_request_set_body_callback(request, give_once, NULL, 10, NULL, NULL);
    if (rv == 0)
        rqx_request_set_streamed(request, 1);
    if (rv == 0)
        rv = rqx_client_submit(client, request, NULL, &response);
    while (rv == 0 && len > 0) {
        rv = rqx_response_read(response, buffer, sizeof buffer, &len);
        if (rv == RQX_AGAIN) {
            len = 1;
            rv = wait_a_little(client, response);
        }
    }
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

static int scenario_cancel(rqx_client *client)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    int rv = rqx_request_new_text("GET", server_url(&server, "/never"), &request);

    if (rv == 0)
        rv = rqx_client_submit(client, request, NULL, &response);
    if (rv == 0)
        rv = wait_a_little(client, response);
    if (rv >= 0) {
        rqx_response_cancel(response);
        rv = finish(client, response);
        if (rv == RQX_ERR_CANCELLED)
            rv = 0;
    }
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

static int scenario_retry(rqx_client *client)
{
    rqx_retry_options options;
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    rqx_retry *retry = NULL;
    int rv = rqx_request_new_text("GET", server_url(&server, "/busy"), &request);

    rqx_retry_options_init(&options);
    options.backoff_ms = 1;
    if (rv == 0)
        rv = rqx_retry_new(&options, &retry);
    if (rv == 0) {
        rqx_request_set_retry(request, retry, 0);
        rv = rqx_client_submit(client, request, NULL, &response);
        if (rv == 0)
            rv = finish(client, response);
    }
    if (rv == 0 && rqx_response_status(response) != 200)
        rv = RQX_ERR_INTERNAL;
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_retry_unref(retry);
    return rv;
}

/* The body is pushed, in two pieces. */
static int scenario_push(rqx_client *client)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    size_t taken = 0;
    int rv = rqx_request_new_text("POST", server_url(&server, "/echo"), &request);

    if (rv == 0) {
        rqx_request_set_body_push(request, 8);
        rv = rqx_client_submit(client, request, NULL, &response);
    }
    if (rv == 0)
        rv = rqx_response_write_body(response, "1234", 4, &taken);
    if (rv == 0)
        rv = wait_a_little(client, response);
    if (rv == 0)
        rv = rqx_response_write_body(response, "5678", 4, &taken);
    if (rv == 0)
        rv = rqx_response_end_body(response);
    if (rv == RQX_ERR_STATE) /* it ended by itself */
        rv = rqx_response_error(response)->code;
    if (rv == 0)
        rv = finish(client, response);
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

/* By a name that is looked up, with credentials of the client's and of the URL's, and redirects to elsewhere. */
static int scenario_name(rqx_client *client)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    rqx_auth *auth = NULL;
    char url[128];
    int rv = rqx_auth_basic("user", 4, "password", 8, &auth);

    snprintf(url, sizeof url, "http://other:secret@localhost:%d/redirect/1", server.port);
    if (rv == 0)
        rv = rqx_request_new_text("GET", url, &request);
    if (rv == 0) {
        rqx_request_set_auth(request, auth, 0);
        rv = rqx_client_submit(client, request, NULL, &response);
    }
    if (rv == 0)
        rv = finish(client, response);
    if (rv == 0 && rqx_response_history_count(response) != 2)
        rv = RQX_ERR_INTERNAL;
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_auth_unref(auth);
    return rv;
}

/* Several at once, and the client is closed under them. */
static int scenario_close(rqx_client *client)
{
    static const char *const paths[] = {"/ok", "/never", "/bytes/200000", "/never"};
    rqx_response *responses[4] = {NULL};
    int rv = 0;
    int i;

    for (i = 0; i < 4 && rv == 0; i++) {
        rqx_request *request = NULL;

        rv = rqx_request_new_text("GET", server_url(&server, paths[i]), &request);
        if (rv == 0)
            rv = rqx_client_submit(client, request, NULL, &responses[i]);
        rqx_request_unref(request);
    }
    if (rv == 0)
        rv = wait_a_little(client, responses[0]);
    rqx_client_close(client);
    for (i = 0; i < 4; i++) {
        if (responses[i] != NULL && rv == 0)
            rv = finish(client, responses[i]);
        if (rv == RQX_ERR_CLOSED)
            rv = 0;
        rqx_response_unref(responses[i]);
    }
    return rv;
}

/* Sent again, since it was refused (HTTP/2). */
static int scenario_refused(rqx_client *client)
{
    int rv = server.h2 ? perform(client, "POST", "/refuse", "a body") : perform(client, "GET", "/ok", NULL);

    return rv == 0 ? perform(client, "GET", "/ok", NULL) : rv;
}

/* What comes before the answer, where it is wanted. */
static int scenario_interim(rqx_client *client)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    rqx_headers *headers = NULL;
    int status = 0;
    int rv = rqx_request_new_text("GET", server_url(&server, "/early"), &request);

    if (rv == 0) {
        rqx_request_set_interim(request, 1);
        rv = rqx_client_submit(client, request, NULL, &response);
    }
    if (rv == 0)
        rv = finish(client, response);
    if (rv == 0)
        rv = rqx_response_next_interim(response, &status, &headers);
    if (rv == 0 && (status != 103 || rqx_headers_count(headers) != 1))
        rv = RQX_ERR_INTERNAL;
    rqx_headers_free(headers);
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

static const struct {
    const char *name;
    scenario_fn run;
} scenarios[] = {
    {"retry", scenario_retry},       {"get", scenario_get},         {"post", scenario_post},
    {"redirect", scenario_redirect}, {"stream", scenario_stream},   {"cancel", scenario_cancel},
    {"push", scenario_push},         {"name", scenario_name},       {"close", scenario_close},
    {"refused", scenario_refused},   {"interim", scenario_interim},
};

static const rqx_mode modes[] = {RQX_MODE_SYNC, RQX_MODE_EMBEDDED, RQX_MODE_THREAD};

#define SCENARIOS ((int)(sizeof scenarios / sizeof scenarios[0]))

static void fail_each(int number, int sticky)
{
    int which = number % SCENARIOS;
    unsigned long n;
    int rv;

    mode = modes[number / SCENARIOS];
    for (n = 1;; n += rqx_test_step()) {
        unsigned long count;

        atomic_store(&server.refused, 0);
        rqx__mem_fail_at(n, sticky);
        rv = with_client(scenarios[which].run);
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        if (count < n)
            break; /* ran to its end without reaching the n-th */
        /* the error that was made, or what the peer or the user sees of a connection that ended by it */
        ck_assert_msg(rv == 0 || rv == RQX_ERR_NOMEM || rv == RQX_ERR_TRUNCATED || rv == RQX_ERR_PROTOCOL ||
                          rv == RQX_ERR_STREAM_RESET,
                      "%s: allocation %lu: %s", scenarios[which].name, n, rqx_error_name(rv));
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 10);
}

START_TEST(each_allocation_fails_once)
{
    fail_each(_i, 0);
}
END_TEST

START_TEST(all_allocations_fail_from_some_point_on)
{
    fail_each(_i, 1);
}
END_TEST

static Suite *alloc_suite(void)
{
    Suite *suite = suite_create("alloc: client");
    TCase *h1 = rqx_add_case(suite, "over HTTP/1.1");
    TCase *h2 = rqx_add_case(suite, "over HTTP/2");
    TCase *cases[2];
    int i;

    cases[0] = h1;
    cases[1] = h2;
    tcase_add_checked_fixture(h1, start_h1, stop);
    tcase_add_checked_fixture(h2, start_h2, stop);
    for (i = 0; i < 2; i++) {
        tcase_set_timeout(cases[i], 300);
        tcase_add_loop_test(cases[i], each_allocation_fails_once, 0, 3 * SCENARIOS);
        tcase_add_loop_test(cases[i], all_allocations_fail_from_some_point_on, 0, 3 * SCENARIOS);
    }
    return suite;
}

RQX_CHECK_MAIN(alloc_suite)
