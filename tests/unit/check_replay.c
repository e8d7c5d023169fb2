/*
 * Requests that are sent again, over real sockets: unasked, and as a retry says.
 */
#include <poll.h>

#include <requestx/requestx.h>

#include "client/client.h"
#include "client/conn.h"
#include "engine_support.h"
#include "proto/h2_internal.h"

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

START_TEST(a_refused_stream_is_sent_again)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/refuse");
    rqx_response *response = NULL;

    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_int_eq(rqx_response_retries(response), 1);
    ck_assert_int_eq(atomic_load(&server.requests), 2);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* Connections that are kept die one after the other under the requests that they are used for again. */
START_TEST(kept_connections_that_die_are_passed_over)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_request *post = new_request("POST", "/ok");
    rqx_response *responses[4];
    rqx_event event;
    int done = 0;
    int i;

    atomic_store(&server.least, 3);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, NULL, &responses[i]), 0);
    while (done < 3) {
        drive(engine);
        while (rqx_engine_take(engine, &event, 1) == 1)
            done++;
    }
    atomic_store(&server.one_each, true);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &responses[3]), 0);
    while (rqx_engine_take(engine, &event, 1) == 0)
        drive(engine);
    ck_assert_int_eq(rqx_response_status(responses[3]), 200);
    ck_assert_int_eq(rqx_response_retries(responses[3]), 3);
    ck_assert_int_eq(atomic_load(&server.connections), 4);
    rqx_response_unref(responses[3]);
    /* what is not idempotent may have been worked on */
    ck_assert_int_eq(rqx_client_submit(client, post, NULL, &responses[3]), 0);
    while (rqx_engine_take(engine, &event, 1) == 0)
        drive(engine);
    ck_assert_int_eq(rqx_response_error(responses[3])->code, RQX_ERR_TRUNCATED);
    ck_assert_int_eq(rqx_response_retries(responses[3]), 0);
    for (i = 0; i < 4; i++)
        rqx_response_unref(responses[i]);
    rqx_request_unref(request);
    rqx_request_unref(post);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static rqx_retry *new_retry(int total, int64_t backoff_ms)
{
    rqx_retry_options options;
    rqx_retry *retry = NULL;

    rqx_retry_options_init(&options);
    options.total = total;
    options.backoff_ms = backoff_ms;
    options.jitter = 0;
    ck_assert_int_eq(rqx_retry_new(&options, &retry), 0);
    return retry;
}

START_TEST(a_busy_server_is_asked_again)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_retry *retry = new_retry(2, 1);
    rqx_client_options options;
    rqx_client *client = NULL;
    rqx_request *request = new_request("GET", "/busy");
    rqx_request *busier = new_request("GET", "/busier");
    rqx_response *response = NULL;

    default_options(&options);
    options.retry = retry;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    rqx_retry_unref(retry); /* the client has its own reference */
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    ck_assert_int_eq(rqx_response_retries(response), 1);
    ck_assert_uint_eq(rqx_response_connection_id(response), 1);
    expect_body(response, "hello");
    rqx_response_unref(response);
    ck_assert_int_eq(rqx_client_perform(client, busier, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 503);
    ck_assert_int_eq(rqx_response_retries(response), 2);
    rqx_response_unref(response);
    rqx_request_set_retry(busier, NULL, 1);
    ck_assert_int_eq(rqx_client_perform(client, busier, &response), 0);
    ck_assert_int_eq(rqx_response_retries(response), 0);
    rqx_response_unref(response);
    ck_assert_int_eq(atomic_load(&server.requests), 6);
    rqx_request_unref(request);
    rqx_request_unref(busier);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_pause_before_a_retry_ends_with_the_response)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/busier");
    rqx_retry *retry = new_retry(3, 60000);
    rqx_response *responses[2];
    rqx_engine_stats stats;
    rqx_event event;

    rqx_request_set_retry(request, retry, 0);
    rqx_retry_unref(retry);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &responses[0]), 0);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &responses[1]), 0);
    drive_until_seen(engine, 2);
    while (rqx_response_retries(responses[0]) + rqx_response_retries(responses[1]) < 2)
        drive(engine);
    rqx_response_cancel(responses[0]);
    ck_assert_int_eq(rqx_engine_take(engine, &event, 1), 1);
    ck_assert_ptr_eq(event.response, responses[0]);
    ck_assert_int_eq(rqx_response_error(responses[0])->code, RQX_ERR_CANCELLED);
    ck_assert_ptr_nonnull(strstr(rqx_response_error(responses[0])->text, rqx_error_text(RQX_ERR_CANCELLED)));
    rqx_response_unref(responses[1]);
    rqx_engine_get_stats(engine, &stats);
    ck_assert_uint_eq(stats.exchanges_open, 0);
    ck_assert_int_eq(atomic_load(&server.requests), 2);
    rqx_response_unref(responses[0]);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static void find_conn(struct rqx__map_node *node, void *user)
{
    struct rqx__origin *origin = RQX__OF(node, struct rqx__origin, map_node);

    if (!rqx__list_empty(&origin->conns))
        *(struct rqx__conn **)user = RQX__OF(origin->conns.next, struct rqx__conn, origin_node);
}

/* Leaves the client's connection two stream ids, the last that there are. */
static void use_ids_up(rqx_client *client)
{
    struct rqx__conn *conn = NULL;
    struct rqx__h2 *h2;

    rqx__map_each(&client->pool.origins, find_conn, &conn);
    ck_assert_ptr_nonnull(conn);
    h2 = rqx__h2_of(conn->codec);
    ck_assert_int_eq(nghttp2_session_set_next_stream_id(h2->session, INT32_MAX - 2), 0);
    h2->ids_left = 2;
}

/* RFC 9113 section 5.1.1: a client that has used up the ids makes a new connection. */
START_TEST(a_connection_without_ids_is_replaced)
{
    static const struct {
        int32_t stream;
        uint64_t conn;
    } wanted[] = {{1, 1}, {INT32_MAX - 2, 1}, {INT32_MAX, 1}, {1, 2}, {3, 2}};
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    size_t i;

    for (i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        rqx_response *response = NULL;

        ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
        ck_assert_int_eq(rqx_response_stream_id(response), wanted[i].stream);
        ck_assert_uint_eq(rqx_response_connection_id(response), wanted[i].conn);
        ck_assert_int_eq(rqx_response_retries(response), 0);
        expect_body(response, "hello");
        rqx_response_unref(response);
        if (i == 0)
            use_ids_up(client);
    }
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* Those that are too many for the ids that are left go to the new connection, while the last ones are still open. */
START_TEST(many_at_once_share_the_last_ids_and_a_new_connection)
{
    rqx_engine *engine = new_engine(RQX_MODE_EMBEDDED, 1);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response = NULL;
    rqx_event events[16];
    int on_first = 0;
    int done = 0;
    int i;

    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    while (rqx_engine_take(engine, events, 1) == 0)
        drive(engine);
    rqx_response_unref(response);
    use_ids_up(client);
    for (i = 0; i < 20; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    while (done < 20) {
        int count = rqx_engine_take(engine, events, 16);

        for (i = 0; i < count; i++, done++) {
            ck_assert_int_eq(rqx_response_error(events[i].response)->code, 0);
            on_first += rqx_response_connection_id(events[i].response) == 1;
            rqx_response_unref(events[i].response);
        }
        if (done < 20)
            drive(engine);
    }
    ck_assert_int_eq(on_first, 2);
    ck_assert_int_eq(atomic_load(&server.connections), 2);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static Suite *replay_suite(void)
{
    Suite *suite = suite_create("replay");
    TCase *h1 = rqx_add_case(suite, "over HTTP/1.1");
    TCase *h2 = rqx_add_case(suite, "over HTTP/2");
    TCase *cases[2];
    int i;

    cases[0] = h1;
    cases[1] = h2;
    tcase_add_checked_fixture(h1, start_h1, stop);
    tcase_add_checked_fixture(h2, start_h2, stop);
    for (i = 0; i < 2; i++) {
        tcase_add_test(cases[i], a_busy_server_is_asked_again);
        tcase_add_test(cases[i], a_pause_before_a_retry_ends_with_the_response);
    }
    tcase_add_test(h1, kept_connections_that_die_are_passed_over);
    tcase_add_test(h2, a_refused_stream_is_sent_again);
    tcase_add_test(h2, a_connection_without_ids_is_replaced);
    tcase_add_test(h2, many_at_once_share_the_last_ids_and_a_new_connection);
    return suite;
}

RQX_CHECK_MAIN(replay_suite)
