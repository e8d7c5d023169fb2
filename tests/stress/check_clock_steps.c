/*
 * The wall clock jumps at each look: hours and years, in both directions.  Deadlines, keep-alive, the resolver's cache
 * and waiting threads must not notice.
 *
 * This program's own clock_gettime, time and gettimeofday come before the C library's, for the libraries it uses too.
 */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <requestx/requestx.h>

#include "../unit/http_server.h"
#include "../unit/support.h"

static atomic_int looks; /* at the wall clock */
static atomic_bool jumping;

static void jump(struct timespec *now)
{
    static const long steps[] = {0, 3600, -3600, 31536000, -31536000, 1, -86400, 864000000};

    if (atomic_load(&jumping))
        now->tv_sec += steps[(unsigned)atomic_fetch_add(&looks, 1) % 8];
}

int clock_gettime(clockid_t id, struct timespec *ret_now)
{
    int rv = (int)syscall(SYS_clock_gettime, id, ret_now);

    if (rv == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        jump(ret_now);
    return rv;
}

time_t time(time_t *ret_now)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now != NULL)
        *ret_now = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret_now, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    ret_now->tv_sec = now.tv_sec;
    ret_now->tv_usec = now.tv_nsec / 1000;
    return 0;
}

static struct http_server server;
static rqx_engine *engine;
static rqx_client *client;

static void start(bool h2)
{
    rqx_client_options options;

    server_start(&server, h2);
    atomic_store(&looks, 0);
    atomic_store(&jumping, true);
    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.protocols = h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    options.limits.keepalive_expiry_ms = 60000;
    ck_assert_int_eq(rqx_engine_new(NULL, &engine), 0);
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
}

static void start_h1(void)
{
    start(false);
}

static void start_h2(void)
{
    start(true);
}

static void stop(void)
{
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    atomic_store(&jumping, false);
    server_stop(&server);
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int get(const char *host, const char *path, const rqx_timeouts *timeouts, uint64_t *ret_connection)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    char url[128];
    int rv;

    snprintf(url, sizeof url, "http://%s:%d%s", host, server.port, path);
    ck_assert_int_eq(rqx_request_new_text("GET", url, &request), 0);
    if (timeouts != NULL)
        rqx_request_set_timeouts(request, timeouts);
    rv = rqx_client_perform(client, request, &response);
    if (rv == 0 && rqx_response_status(response) != 200)
        rv = RQX_ERR_INTERNAL;
    if (ret_connection != NULL)
        *ret_connection = rqx_response_connection_id(response);
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

START_TEST(deadlines_come_when_they_are_due)
{
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, 150, 0, 0};
    int i;

    for (i = 0; i < 4; i++) {
        long long begin = now_ms();

        (void)time(NULL);
        ck_assert_int_eq(get("127.0.0.1", "/never", &timeouts, NULL), RQX_ERR_TOTAL_TIMEOUT);
        ck_assert_int_ge(now_ms() - begin, 149);
        ck_assert_int_lt(now_ms() - begin, 5000);
    }
}
END_TEST

START_TEST(connections_and_names_are_kept)
{
    uint64_t first = 0;
    uint64_t later = 0;
    int i;

    ck_assert_int_eq(get("localhost", "/ok", NULL, &first), 0);
    for (i = 0; i < 20; i++) {
        (void)time(NULL);
        ck_assert_int_eq(get("localhost", "/bytes/10000", NULL, &later), 0);
        ck_assert_uint_eq(later, first);
    }
    ck_assert_int_eq(atomic_load(&server.connections), 1);
}
END_TEST

static void *wait_in_vain(void *user)
{
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, 200, 0, 0};
    long long begin = now_ms();

    *(int *)user = get("127.0.0.1", "/never", &timeouts, NULL);
    return now_ms() - begin < 5000 ? user : NULL;
}

/* One of them polls, the others sleep on condition variables. */
START_TEST(threads_that_wait_are_woken_in_time)
{
    pthread_t threads[4];
    int codes[4];
    void *good;
    int i;

    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_in_vain, &codes[i]), 0);
    for (i = 0; i < 4; i++) {
        (void)time(NULL);
        pthread_join(threads[i], &good);
        ck_assert_ptr_nonnull(good);
        ck_assert_int_eq(codes[i], RQX_ERR_TOTAL_TIMEOUT);
    }
    ck_assert_int_gt(atomic_load(&looks), 0); /* the clock did jump */
}
END_TEST

static Suite *clock_suite(void)
{
    Suite *suite = suite_create("clock steps");
    TCase *cases[2];
    int i;

    cases[0] = rqx_add_case(suite, "over HTTP/1.1");
    cases[1] = rqx_add_case(suite, "over HTTP/2");
    tcase_add_checked_fixture(cases[0], start_h1, stop);
    tcase_add_checked_fixture(cases[1], start_h2, stop);
    for (i = 0; i < 2; i++) {
        tcase_add_test(cases[i], deadlines_come_when_they_are_due);
        tcase_add_test(cases[i], connections_and_names_are_kept);
        tcase_add_test(cases[i], threads_that_wait_are_woken_in_time);
    }
    return suite;
}

RQX_CHECK_MAIN(clock_suite)
