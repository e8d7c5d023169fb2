/*
 * Memory that runs out at the n-th allocation, for every n, over whole scenarios of the client layer: each must end
 * with a right answer or RQX_ERR_NOMEM (or what a peer makes of it), leave nothing behind, and let the next one
 * succeed.
 */
#include <requestx/requestx.h>

#include "../unit/http_server.h"
#include "../unit/support.h"

static struct http_server server;

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
    rqx_client_options options;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    int rv = rqx_engine_new(NULL, &engine);

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
        rv = rqx_client_perform(client, request, &response);
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
            rv = rqx_response_wait(response, RQX_EVENT_BODY | RQX_EVENT_DONE, RQX_NO_TIMEOUT);
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
        rv = rqx_response_wait(response, RQX_EVENT_DONE, 1);
    if (rv >= 0) {
        rqx_response_cancel(response);
        rv = rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT);
        if (rv == 0 && rqx_response_error(response)->code != RQX_ERR_CANCELLED)
            rv = rqx_response_error(response)->code;
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
        rv = rqx_client_perform(client, request, &response);
    }
    if (rv == 0 && rqx_response_status(response) != 200)
        rv = RQX_ERR_INTERNAL;
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_retry_unref(retry);
    return rv;
}

static const struct {
    const char *name;
    scenario_fn run;
} scenarios[] = {
    {"retry", scenario_retry},       {"get", scenario_get},       {"post", scenario_post},
    {"redirect", scenario_redirect}, {"stream", scenario_stream}, {"cancel", scenario_cancel},
};

#define SCENARIOS ((int)(sizeof scenarios / sizeof scenarios[0]))

static void fail_each(int which, int sticky)
{
    unsigned long n;
    int rv;

    for (n = 1;; n++) {
        unsigned long count;

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
        tcase_add_loop_test(cases[i], each_allocation_fails_once, 0, SCENARIOS);
        tcase_add_loop_test(cases[i], all_allocations_fail_from_some_point_on, 0, SCENARIOS);
    }
    return suite;
}

RQX_CHECK_MAIN(alloc_suite)
