/*
 * The end of engines and clients: what is said to the peer, and who is still called.
 */
#include <poll.h>

#include <requestx/requestx.h>

#include "engine_support.h"

static void drive(rqx_engine *engine)
{
    struct pollfd entry = {.fd = rqx_engine_fd(engine), .events = POLLIN};

    ck_assert_int_eq(poll(&entry, 1, 20000), 1);
    ck_assert_int_ge(rqx_engine_dispatch(engine), 0);
}

/* All that a child may do with what it inherited is to let go of it. */
static bool is_refused(rqx_engine *engine, rqx_client *client, rqx_request *request, rqx_response *response)
{
    rqx_headers *headers = NULL;
    rqx_response *other = NULL;
    rqx_engine_stats stats = {.dispatches = 1};
    char buffer[8];
    size_t len = 0;
    int status = 0;
    bool good = rqx_client_submit(client, request, NULL, &other) == RQX_ERR_FORKED;

    good = good && rqx_response_write_body(response, "a", 1, &len) == RQX_ERR_FORKED;
    good = good && rqx_response_end_body(response) == RQX_ERR_FORKED;
    good = good && rqx_response_next_interim(response, &status, &headers) == RQX_ERR_FORKED;
    good = good && rqx_response_read(response, buffer, sizeof buffer, &len) == RQX_ERR_FORKED;
    good = good && rqx_response_read_raw(response, buffer, sizeof buffer, &len) == RQX_ERR_FORKED;
    rqx_response_resume_body(response);
    rqx_response_cancel(response);
    rqx_client_close(client);
    rqx_engine_get_stats(engine, &stats);
    return good && stats.dispatches == 0 && !rqx_response_done(response);
}

START_TEST(a_forked_child_is_refused_everything)
{
    static const rqx_mode modes[] = {RQX_MODE_SYNC, RQX_MODE_EMBEDDED, RQX_MODE_THREAD};
    rqx_engine *engine = new_engine(modes[_i], modes[_i] == RQX_MODE_EMBEDDED);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("POST", "/never");
    rqx_response *response = NULL;
    rqx_event event;
    pid_t child;

    rqx_request_set_body_push(request, 1);
    rqx_request_set_streamed(request, 1);
    ck_assert_int_eq(rqx_client_submit(client, request, NULL, &response), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        bool good = is_refused(engine, client, request, response);

        if (modes[_i] == RQX_MODE_SYNC)
            good = good && rqx_response_wait(response, RQX_EVENT_DONE, 0) == RQX_ERR_FORKED &&
                   rqx_engine_run(engine, 0) == RQX_ERR_FORKED;
        if (modes[_i] == RQX_MODE_EMBEDDED)
            good = good && rqx_engine_dispatch(engine) == RQX_ERR_FORKED && rqx_engine_cork(engine) == RQX_ERR_FORKED &&
                   rqx_engine_uncork(engine) == RQX_ERR_FORKED && rqx_engine_collect(engine, 100) == RQX_ERR_FORKED &&
                   rqx_engine_take(engine, &event, 1) == RQX_ERR_FORKED;
        rqx_response_unref(response);
        rqx_client_unref(client);
        rqx_engine_unref(engine);
        leave_child(good);
    }
    ck_assert(child_left_well(child));
    rqx_response_cancel(response);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static void count_done(rqx_response *response, unsigned what, void *user)
{
    if ((what & RQX_EVENT_DONE) == 0)
        return;
    if (rqx_response_status(response) == 200)
        ++*(atomic_int *)user;
    rqx_response_unref(response);
}

/* Whoever frees a client drives it no more: what it has to say, it says at once. */
START_TEST(a_client_that_is_freed_says_goodbye)
{
    static const rqx_mode modes[] = {RQX_MODE_SYNC, RQX_MODE_EMBEDDED, RQX_MODE_THREAD};
    rqx_engine *engine = new_engine(modes[_i], 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response;
    atomic_int done = 0;

    rqx_request_set_callback(request, count_done);
    ck_assert_int_eq(rqx_client_submit(client, request, &done, &response), 0);
    while (atomic_load(&done) == 0) {
        if (modes[_i] == RQX_MODE_SYNC)
            ck_assert_int_ge(rqx_engine_run(engine, 1), 0);
        else if (modes[_i] == RQX_MODE_EMBEDDED)
            drive(engine);
        else
            sched_yield();
    }
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    while (atomic_load(&server.goaways) == 0)
        sched_yield();
}
END_TEST

START_TEST(an_idle_connection_makes_room_for_another_origin_s)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client_options options;
    rqx_client *client = NULL;
    rqx_request *request = new_request("GET", "/ok");
    rqx_response *response = NULL;
    char url[64];

    default_options(&options);
    options.limits.max_connections = 1;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    rqx_response_unref(response);
    rqx_request_unref(request);
    snprintf(url, sizeof url, "http://localhost:%d/ok", server.port);
    ck_assert_int_eq(rqx_request_new_text("GET", url, &request), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    expect_body(response, "hello");
    ck_assert_int_eq(atomic_load(&server.connections), 2);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

/* Each connection rests as long as it may, whatever becomes of others. */
START_TEST(idle_connections_expire_one_by_one)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client_options options;
    rqx_client *client = NULL;
    rqx_engine_stats stats;
    int i;

    default_options(&options);
    options.limits.keepalive_expiry_ms = 200;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    for (i = 0; i < 2; i++) {
        rqx_request *request = NULL;
        rqx_response *response = NULL;
        char url[64];

        snprintf(url, sizeof url, "http://%s:%d/ok", i == 0 ? "127.0.0.1" : "localhost", server.port);
        ck_assert_int_eq(rqx_request_new_text("GET", url, &request), 0);
        ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
        rqx_response_unref(response);
        rqx_request_unref(request);
        ck_assert_int_ge(rqx_engine_run(engine, 100), 0);
    }
    do {
        ck_assert_int_ge(rqx_engine_run(engine, 20), 0);
        rqx_engine_get_stats(engine, &stats);
    } while (stats.connections_open != 0);
    ck_assert_int_eq(atomic_load(&server.connections), 2);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

struct dawdler {
    atomic_bool begun;
    atomic_bool ended;
    rqx_client *client; /* to be let go by the callback, or NULL */
};

static void dawdle(rqx_response *response, unsigned what, void *user)
{
    struct dawdler *dawdler = user;

    ck_assert_uint_eq(what, RQX_EVENT_DONE);
    rqx_response_unref(response);
    rqx_client_unref(dawdler->client);
    atomic_store(&dawdler->begun, true);
    poll(NULL, 0, 30);
    atomic_store(&dawdler->ended, true);
}

/* Engine first, client first, and by the callback itself. */
START_TEST(nobody_calls_back_after_the_last_reference)
{
    rqx_engine *engine = new_engine(RQX_MODE_THREAD, 0);
    rqx_client *client = new_client(engine);
    rqx_request *request = new_request("GET", "/ok");
    static struct dawdler dawdler;
    rqx_response *response;

    memset(&dawdler, 0, sizeof dawdler);
    if (_i == 2) {
        dawdler.client = client;
        rqx_engine_unref(engine); /* the callback's is the last one */
    }
    rqx_request_set_callback(request, dawdle);
    ck_assert_int_eq(rqx_client_submit(client, request, &dawdler, &response), 0);
    rqx_request_unref(request);
    while (!atomic_load(&dawdler.begun))
        sched_yield();
    if (_i == 0)
        rqx_engine_unref(engine);
    if (_i < 2)
        rqx_client_unref(client);
    if (_i == 1)
        rqx_engine_unref(engine);
    if (_i < 2)
        ck_assert(atomic_load(&dawdler.ended));
    while (!atomic_load(&dawdler.ended))
        sched_yield();
}
END_TEST

/* Nobody drives after the last answer: what must not be kept was closed before. */
START_TEST(no_idle_connection_is_kept_where_none_may_be)
{
    rqx_engine *engine = new_engine(RQX_MODE_SYNC, 0);
    rqx_client_options options;
    rqx_client *client = NULL;
    rqx_request *request = new_request("GET", "/ok");
    rqx_engine_stats stats;
    int i;

    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    options.limits.max_keepalive = 0;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    for (i = 0; i < 3; i++) {
        rqx_response *response = NULL;

        ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
        rqx_response_unref(response);
        rqx_engine_get_stats(engine, &stats);
        ck_assert_uint_eq(stats.connections_open, 0);
        ck_assert_uint_eq(stats.connections_made, (uint64_t)i + 1);
    }
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

struct holder {
    rqx_engine *engine;
    rqx_client *client;
    atomic_bool gone;
};

static void let_go(struct holder *holder)
{
    rqx_client_unref(holder->client);
    rqx_engine_unref(holder->engine);
    atomic_store(&holder->gone, true);
}

static void let_go_of_all(rqx_response *response, unsigned what, void *user)
{
    ck_assert_uint_eq(what, RQX_EVENT_DONE);
    rqx_response_unref(response);
    let_go(user);
}

static int let_go_when_asked(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)buffer, (void)cap, (void)ret_len;
    *ret_end = 1;
    let_go(user);
    return 0;
}

static void drive_until_gone(struct holder *holder, rqx_mode mode)
{
    while (!atomic_load(&holder->gone)) {
        if (mode == RQX_MODE_SYNC)
            ck_assert_int_ge(rqx_engine_run(holder->engine, 1), 0);
        else if (mode == RQX_MODE_EMBEDDED)
            drive(holder->engine);
        else
            sched_yield();
    }
}

/* User code that an engine calls may let go of everything, the engine included that is at work below it. */
START_TEST(a_callback_may_let_go_of_everything)
{
    static const rqx_mode modes[] = {RQX_MODE_SYNC, RQX_MODE_EMBEDDED, RQX_MODE_THREAD};
    rqx_mode mode = modes[_i / 2];
    struct holder holder = {.engine = new_engine(mode, 0)};
    rqx_request *request =
        new_request("POST", _i % 2 == 0 ? "/echo" : "/never"); /* no answer before the body is asked for */
    rqx_response *response;

    holder.client = new_client(holder.engine);
    if (_i % 2 == 0)
        rqx_request_set_callback(request, let_go_of_all);
    else
        ck_assert_int_eq(
            rqx_request_set_body_callback(request, let_go_when_asked, NULL, RQX_LENGTH_UNKNOWN, NULL, &holder), 0);
    ck_assert_int_eq(rqx_client_submit(holder.client, request, &holder, &response), 0);
    drive_until_gone(&holder, mode);
    if (_i % 2 != 0) {
        if (mode != RQX_MODE_THREAD) /* where the thread may not have come to it */
            ck_assert_int_eq(rqx_response_error(response)->code, RQX_ERR_CLOSED);
        rqx_response_unref(response);
    }
    rqx_request_unref(request);
}
END_TEST

static Suite *engine_life_suite(void)
{
    Suite *suite = suite_create("engine: life");
    TCase *h1 = rqx_add_case(suite, "over HTTP/1.1");
    TCase *h2 = rqx_add_case(suite, "over HTTP/2");

    tcase_add_checked_fixture(h1, start_h1, stop);
    tcase_add_checked_fixture(h2, start_h2, stop);
    tcase_add_loop_test(h1, nobody_calls_back_after_the_last_reference, 0, 3);
    tcase_add_loop_test(h2, nobody_calls_back_after_the_last_reference, 0, 3);
    tcase_add_test(h1, no_idle_connection_is_kept_where_none_may_be);
    tcase_add_test(h2, no_idle_connection_is_kept_where_none_may_be);
    tcase_add_loop_test(h1, a_forked_child_is_refused_everything, 0, 3);
    tcase_add_test(h1, idle_connections_expire_one_by_one);
    tcase_add_test(h1, an_idle_connection_makes_room_for_another_origin_s);
    tcase_add_loop_test(h2, a_client_that_is_freed_says_goodbye, 0, 3);
    tcase_add_loop_test(h1, a_callback_may_let_go_of_everything, 0, 6);
    tcase_add_loop_test(h2, a_callback_may_let_go_of_everything, 0, 6);
    return suite;
}

RQX_CHECK_MAIN(engine_life_suite)
