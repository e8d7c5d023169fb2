/*
 * 32 threads send, stream, pause, cancel, close and let go on one client, while others make and free engines and
 * clients: in each driver mode, over both protocols.  What it asserts is that every exchange ends once and rightly;
 * what it is for is the thread sanitizer ("make check-tsan").
 *
 * RQX_STRESS_TURNS is how many things each thread does (default 25).
 */
#include <poll.h>
#include <sched.h>

#include <requestx/requestx.h>

#include "../unit/http_server.h"
#include "../unit/support.h"

#define THREADS 32
#define SLOTS   8

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
    server_stop(&server);
}

/* An engine, its client, and who drives. */
struct world {
    rqx_mode mode;
    bool pull;
    rqx_engine *engine;
    rqx_client *client;
    pthread_t driver;
    atomic_bool over;
    atomic_long submitted;
    atomic_long failures; /* of what has to go well */
    pthread_mutex_t lock;
    rqx_response *slots[SLOTS]; /* shared with whoever comes by */
};

/* What is known of an exchange by its events; lives until its end was told. */
struct job {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned events; /* told, and not yet waited for */
    int ends;
};

struct worker {
    struct world *world;
    pthread_t id;
    unsigned number;
    unsigned turns;
};

static unsigned turns_wanted(void)
{
    const char *text = getenv("RQX_STRESS_TURNS");

    return text != NULL ? (unsigned)atoi(text) : 25;
}

/* ---- events ---- */

static void on_event(rqx_response *response, unsigned what, void *user)
{
    struct job *job = user;

    (void)response;
    if (job == NULL)
        return; /* nobody waits for it */
    pthread_mutex_lock(&job->lock);
    job->events |= what;
    if (what & RQX_EVENT_DONE)
        job->ends++;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock); /* the last touch: whoever waits may free it now */
}

static void job_init(struct job *job)
{
    memset(job, 0, sizeof *job);
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->changed, NULL);
}

static void job_done(struct job *job)
{
    pthread_cond_destroy(&job->changed);
    pthread_mutex_destroy(&job->lock);
}

/* Waits for one of |what| or the end; false after |ms|, where that is not negative. */
static bool wait_for(struct world *world, rqx_response *response, struct job *job, unsigned what, int ms)
{
    struct timespec until;
    bool came;

    if (world->mode == RQX_MODE_SYNC) {
        int rv;

        do
            rv = rqx_response_wait(response, what | RQX_EVENT_DONE, ms < 0 ? RQX_NO_TIMEOUT : ms);
        while (rv == RQX_AGAIN && ms < 0);
        return rv == 0;
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (ms < 0 ? 0 : ms) * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L + (ms < 0 ? 1000 : 0);
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&job->lock);
    while ((job->events & (what | RQX_EVENT_DONE)) == 0) {
        if (pthread_cond_timedwait(&job->changed, &job->lock, &until) == ETIMEDOUT)
            break;
    }
    came = (job->events & (what | RQX_EVENT_DONE)) != 0;
    job->events &= RQX_EVENT_DONE;
    pthread_mutex_unlock(&job->lock);
    return came;
}

/* ---- a foreign loop ---- */

static void take_all(struct world *world)
{
    rqx_event events[16];
    int count;
    int i;

    while ((count = rqx_engine_take(world->engine, events, 16)) > 0) {
        for (i = 0; i < count; i++)
            on_event(events[i].response, events[i].what, events[i].user);
    }
}

static void *drive(void *user)
{
    struct world *world = user;
    unsigned turn;

    for (turn = 0; !atomic_load(&world->over); turn++) {
        struct pollfd entry = {.fd = rqx_engine_fd(world->engine), .events = POLLIN};

        poll(&entry, 1, 20); /* not for ever: nothing wakes it at the end */
        rqx_engine_dispatch(world->engine);
        if (!world->pull)
            continue;
        if (turn % 2 != 0) {
            take_all(world);
            continue;
        }
        rqx_engine_cork(world->engine);
        do
            take_all(world);
        while (rqx_engine_collect(world->engine, 100) == 1);
        rqx_engine_uncork(world->engine);
    }
    return NULL;
}

/* ---- what threads do; each gives whether it went well ---- */

static rqx_request *make_request(struct world *world, const char *method, const char *path)
{
    rqx_request *request = NULL;

    ck_assert_int_eq(rqx_request_new_text(method, server_url(&server, path), &request), 0);
    if (world->mode != RQX_MODE_SYNC && !world->pull)
        rqx_request_set_callback(request, on_event);
    return request;
}

static rqx_response *submit(struct world *world, rqx_client *client, rqx_request *request, struct job *job)
{
    rqx_response *response = NULL;

    if (rqx_client_submit(client, request, world->mode == RQX_MODE_SYNC ? NULL : job, &response) != 0)
        return NULL;
    atomic_fetch_add(&world->submitted, 1);
    return response;
}

static bool body_is(rqx_response *response, const char *text, size_t len)
{
    rqx_slice body;

    return rqx_response_error(response)->code == 0 && rqx_response_status(response) == 200 &&
           rqx_response_body(response, &body) == 0 && body.len == len && memcmp(body.data, text, len) == 0;
}

static void tell(rqx_response *response, bool good)
{
    rqx_slice body = {"", 0};

    if (good || response == NULL)
        return;
    rqx_response_body(response, &body);
    fprintf(stderr, "status %d, %s: %s, %zu bytes: %.*s\n", rqx_response_status(response),
            rqx_error_name(rqx_response_error(response)->code), rqx_response_error(response)->text, body.len,
            (int)(body.len < 64 ? body.len : 64), body.data);
}

static bool do_get(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "GET", "/ok");
    struct job job;
    rqx_response *response;
    bool good;

    job_init(&job);
    response = submit(world, world->client, request, &job);
    good = response != NULL && wait_for(world, response, &job, RQX_EVENT_DONE, -1) && body_is(response, "hello", 5);
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

static bool do_echo(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "POST", "/echo");
    struct job job;
    rqx_response *response;
    char text[64];
    bool good;

    snprintf(text, sizeof text, "thread %u, turn %u", worker->number, worker->turns);
    ck_assert_int_eq(rqx_request_set_body(request, text, strlen(text)), 0);
    job_init(&job);
    response = submit(world, world->client, request, &job);
    good = response != NULL && wait_for(world, response, &job, RQX_EVENT_DONE, -1) &&
           body_is(response, text, strlen(text));
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

static bool do_push(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "POST", "/echo");
    struct job job;
    rqx_response *response;
    size_t taken = 0;
    bool good;

    rqx_request_set_body_push(request, 8);
    job_init(&job);
    response = submit(world, world->client, request, &job);
    good = response != NULL && rqx_response_write_body(response, "1234", 4, &taken) == 0 && taken == 4;
    sched_yield();
    good = good && rqx_response_write_body(response, "5678", 4, &taken) == 0 && rqx_response_end_body(response) == 0;
    good = response != NULL && wait_for(world, response, &job, RQX_EVENT_DONE, -1) && good &&
           body_is(response, "12345678", 8);
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

/* Reads up to |most| bytes with pauses; gives how many there were, or a negative code. */
static long read_slowly(struct world *world, rqx_response *response, struct job *job, long most)
{
    char buffer[20000];
    long total = 0;

    while (total < most) {
        size_t len;
        int rv = rqx_response_read(response, buffer, sizeof buffer, &len);

        if (rv == RQX_AGAIN) {
            wait_for(world, response, job, RQX_EVENT_BODY, -1);
            continue;
        }
        if (rv < 0)
            return rv;
        if (len == 0)
            break;
        total += (long)len;
        sched_yield();
    }
    return total;
}

static bool stream(struct worker *worker, const char *path, long most, long expected)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "GET", path);
    struct job job;
    rqx_response *response;
    bool good;

    rqx_request_set_streamed(request, 1);
    job_init(&job);
    response = submit(world, world->client, request, &job);
    good = response != NULL && wait_for(world, response, &job, RQX_EVENT_HEAD, -1) &&
           rqx_response_status(response) == 200 && read_slowly(world, response, &job, most) >= expected;
    if (response != NULL)
        rqx_response_close(response);
    good = good && wait_for(world, response, &job, RQX_EVENT_DONE, -1) && rqx_response_error(response)->code == 0;
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

static bool do_stream(struct worker *worker)
{
    return stream(worker, "/bytes/300000", 300001, 300000);
}

static bool do_close_early(struct worker *worker)
{
    return stream(worker, "/bytes/2000000", 1, 1);
}

static bool do_cancel(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "GET", "/never");
    struct job job;
    rqx_response *response;
    bool good;

    job_init(&job);
    response = submit(world, world->client, request, &job);
    good = response != NULL && !wait_for(world, response, &job, RQX_EVENT_DONE, (int)(worker->turns % 3));
    rqx_response_cancel(response);
    good = good && wait_for(world, response, &job, RQX_EVENT_DONE, -1) &&
           rqx_response_error(response)->code == RQX_ERR_CANCELLED;
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

static bool do_time_out(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, 5, 0, 0};
    rqx_request *request = make_request(world, "GET", "/never");
    struct job job;
    rqx_response *response;
    bool good;

    rqx_request_set_timeouts(request, &timeouts);
    job_init(&job);
    response = submit(world, world->client, request, &job);
    good = response != NULL && wait_for(world, response, &job, RQX_EVENT_DONE, -1) &&
           rqx_response_error(response)->code == RQX_ERR_TOTAL_TIMEOUT;
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

/* Submits and lets go at once: nobody is told. */
static bool do_let_go(struct worker *worker)
{
    rqx_request *request = make_request(worker->world, "GET", worker->turns % 2 == 0 ? "/ok" : "/bytes/100000");
    rqx_response *response = submit(worker->world, worker->world->client, request, NULL);

    rqx_request_unref(request);
    if (worker->turns % 4 < 2)
        sched_yield();
    rqx_response_unref(response);
    return response != NULL;
}

/* Leaves its response for others to cancel or close, and does so itself if nobody came. */
static bool do_share(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "GET", "/never");
    rqx_response **slot = &world->slots[worker->turns % SLOTS];
    struct job job;
    rqx_response *response;
    rqx_response *found;
    bool good;

    job_init(&job);
    response = submit(world, world->client, request, &job);
    if (response == NULL)
        return false;
    pthread_mutex_lock(&world->lock);
    found = *slot;
    *slot = rqx_response_ref(response);
    pthread_mutex_unlock(&world->lock);
    if (found != NULL && worker->number % 2 == 0)
        rqx_response_cancel(found);
    else if (found != NULL)
        rqx_response_close(found);
    rqx_response_unref(found);
    if (!wait_for(world, response, &job, RQX_EVENT_DONE, 3))
        rqx_response_cancel(response);
    good =
        wait_for(world, response, &job, RQX_EVENT_DONE, -1) && rqx_response_error(response)->code == RQX_ERR_CANCELLED;
    tell(response, good);
    rqx_response_unref(response);
    rqx_request_unref(request);
    job_done(&job);
    return good;
}

static void quiet_options(rqx_client_options *options)
{
    rqx_client_options_init(options);
    options->trust_env = 0;
    options->protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    options->timeouts = (rqx_timeouts){60000, 60000, 60000, 60000, RQX_NO_TIMEOUT, 0, 0};
}

/* Another client of the same engine, closed with requests under way. */
static bool do_client(struct worker *worker)
{
    struct world *world = worker->world;
    rqx_request *request = make_request(world, "GET", worker->turns % 2 == 0 ? "/ok" : "/never");
    rqx_response *responses[3];
    struct job jobs[3];
    rqx_client_options options;
    rqx_client *client = NULL;
    bool good = true;
    int i;

    quiet_options(&options);
    ck_assert_int_eq(rqx_client_new(world->engine, &options, &client), 0);
    for (i = 0; i < 3; i++) {
        job_init(&jobs[i]);
        responses[i] = submit(world, client, request, &jobs[i]);
    }
    sched_yield();
    if (worker->number % 2 == 0)
        rqx_client_close(client);
    rqx_client_unref(client);
    for (i = 0; i < 3; i++) {
        int code;

        good = good && responses[i] != NULL && wait_for(world, responses[i], &jobs[i], RQX_EVENT_DONE, -1);
        code = responses[i] == NULL ? 0 : rqx_response_error(responses[i])->code;
        good = good && (code == 0 || code == RQX_ERR_CLOSED);
        rqx_response_unref(responses[i]);
        job_done(&jobs[i]);
    }
    rqx_request_unref(request);
    return good;
}

/* An engine of its own, made, used and freed. */
static bool do_engine(struct worker *worker)
{
    struct world own = {.mode = RQX_MODE_SYNC, .pull = false};
    rqx_request *request = make_request(&own, "GET", "/ok");
    rqx_client_options options;
    rqx_response *response = NULL;
    bool good;

    (void)worker;
    quiet_options(&options);
    ck_assert_int_eq(rqx_engine_new(NULL, &own.engine), 0);
    ck_assert_int_eq(rqx_client_new(own.engine, &options, &own.client), 0);
    rqx_engine_unref(own.engine);
    good = rqx_client_perform(own.client, request, &response) == 0 && body_is(response, "hello", 5);
    rqx_client_unref(own.client);
    rqx_response_unref(response);
    rqx_request_unref(request);
    return good;
}

static atomic_int inside; /* callbacks of engines that have a thread */

static void dawdle(rqx_response *response, unsigned what, void *user)
{
    atomic_int *ends = user;

    atomic_fetch_add(ends + 1, 1);
    atomic_fetch_add(&inside, 1);
    if (what & RQX_EVENT_DONE) {
        rqx_response_unref(response);
        atomic_fetch_add(ends, 1);
    }
    sched_yield();
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_sub(ends + 1, 1);
}

/* An engine with a thread, freed with requests under way: once that returned, nobody calls back any more. */
static bool do_thread(struct worker *worker)
{
    rqx_engine_options engine_options;
    rqx_client_options options;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    atomic_int ends[2] = {0, 0};
    int i;

    rqx_engine_options_init(&engine_options);
    engine_options.mode = RQX_MODE_THREAD;
    quiet_options(&options);
    ck_assert_int_eq(rqx_engine_new(&engine_options, &engine), 0);
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_eq(rqx_request_new_text("GET", server_url(&server, "/ok"), &request), 0);
    rqx_request_set_callback(request, dawdle);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(rqx_client_submit(client, request, ends, &response), 0);
    rqx_request_unref(request);
    for (i = 0; i < (int)(worker->turns % 5); i++)
        sched_yield();
    while (worker->turns % 3 == 0 && atomic_load(&ends[0]) < 3)
        sched_yield();
    if (worker->number % 2 == 0) {
        rqx_engine_unref(engine);
        rqx_client_unref(client);
    } else {
        rqx_client_unref(client);
        rqx_engine_unref(engine);
    }
    return atomic_load(&ends[0]) == 3 && atomic_load(&ends[1]) == 0;
}

static bool do_look(struct worker *worker)
{
    rqx_engine_stats stats;

    rqx_engine_get_stats(worker->world->engine, &stats);
    return stats.exchanges_open <= (uint64_t)atomic_load(&worker->world->submitted) + THREADS * 3;
}

static bool (*const deeds[])(struct worker *worker) = {
    do_get,   do_echo,   do_push,   do_stream, do_close_early, do_cancel, do_time_out, do_let_go,
    do_share, do_client, do_engine, do_thread, do_look,        do_get,    do_echo,
};

#define DEEDS (sizeof deeds / sizeof deeds[0])

static void *work(void *user)
{
    struct worker *worker = user;
    unsigned most = turns_wanted();

    for (worker->turns = 0; worker->turns < most; worker->turns++) {
        size_t which = (worker->number * 7 + worker->turns) % DEEDS;

        if (!deeds[which](worker)) {
            fprintf(stderr, "thread %u, turn %u: deed %zu went wrong\n", worker->number, worker->turns, which);
            atomic_fetch_add(&worker->world->failures, 1);
        }
    }
    return NULL;
}

/* ---- tests ---- */

static void begin(struct world *world, rqx_mode mode, bool pull)
{
    rqx_engine_options engine_options;
    rqx_client_options options;

    memset(world, 0, sizeof *world);
    world->mode = mode;
    world->pull = pull;
    pthread_mutex_init(&world->lock, NULL);
    rqx_engine_options_init(&engine_options);
    engine_options.mode = mode;
    engine_options.pull_events = pull;
    quiet_options(&options);
    ck_assert_int_eq(rqx_engine_new(&engine_options, &world->engine), 0);
    ck_assert_int_eq(rqx_client_new(world->engine, &options, &world->client), 0);
    if (mode == RQX_MODE_EMBEDDED)
        ck_assert_int_eq(pthread_create(&world->driver, NULL, drive, world), 0);
}

static void end(struct world *world)
{
    rqx_engine_stats stats;
    int i;

    for (i = 0; i < SLOTS; i++)
        rqx_response_unref(world->slots[i]);
    if (world->mode == RQX_MODE_EMBEDDED) {
        atomic_store(&world->over, true);
        pthread_join(world->driver, NULL);
    }
    rqx_engine_get_stats(world->engine, &stats);
    ck_assert_uint_eq(stats.exchanges_open, 0);
    ck_assert_uint_eq(stats.exchanges_queued, 0);
    ck_assert_uint_eq(stats.exchanges_done, (uint64_t)atomic_load(&world->submitted));
    rqx_client_unref(world->client);
    rqx_engine_unref(world->engine);
    pthread_mutex_destroy(&world->lock);
}

static void run(rqx_mode mode, bool pull)
{
    struct worker workers[THREADS];
    struct world world;
    unsigned i;

    begin(&world, mode, pull);
    for (i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.world = &world, .number = i};
        ck_assert_int_eq(pthread_create(&workers[i].id, NULL, work, &workers[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(workers[i].id, NULL);
    end(&world);
    ck_assert_int_eq(atomic_load(&world.failures), 0);
    ck_assert_int_eq(atomic_load(&inside), 0);
}

START_TEST(threads_drive_a_sync_engine)
{
    run(RQX_MODE_SYNC, false);
}
END_TEST

START_TEST(threads_use_an_embedded_engine_that_calls_back)
{
    run(RQX_MODE_EMBEDDED, false);
}
END_TEST

START_TEST(threads_use_an_embedded_engine_whose_events_are_taken)
{
    run(RQX_MODE_EMBEDDED, true);
}
END_TEST

START_TEST(threads_use_an_engine_with_a_thread)
{
    run(RQX_MODE_THREAD, false);
}
END_TEST

static Suite *stress_suite(void)
{
    Suite *suite = suite_create("stress");
    TCase *cases[2];
    int i;

    cases[0] = rqx_add_case(suite, "over HTTP/1.1");
    cases[1] = rqx_add_case(suite, "over HTTP/2");
    tcase_add_checked_fixture(cases[0], start_h1, stop);
    tcase_add_checked_fixture(cases[1], start_h2, stop);
    for (i = 0; i < 2; i++) {
        tcase_set_timeout(cases[i], 120);
        tcase_add_test(cases[i], threads_drive_a_sync_engine);
        tcase_add_test(cases[i], threads_use_an_embedded_engine_that_calls_back);
        tcase_add_test(cases[i], threads_use_an_embedded_engine_whose_events_are_taken);
        tcase_add_test(cases[i], threads_use_an_engine_with_a_thread);
    }
    return suite;
}

RQX_CHECK_MAIN(stress_suite)
