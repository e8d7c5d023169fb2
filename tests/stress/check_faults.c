/*
 * The process itself at its worst moment: it forks in each state of an exchange, signals interrupt its system calls,
 * and its descriptors run out at each point.
 */
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include <requestx/requestx.h>

#include "../unit/http_server.h"
#include "../unit/support.h"

static struct http_server server;
static int silent_fd = -1; /* listens, and never says a word */
static int silent_port;

/* The servers' threads are not to be hit by the tests' signals. */
static void start(bool h2)
{
    sigset_t alarm;

    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    server_start(&server, h2);
    silent_fd = listen_on(AF_INET, &silent_port);
    ck_assert_int_ge(silent_fd, 0);
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
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
    close(silent_fd);
    server_stop(&server);
}

/*
 * For what threads and forked children do, too: Check's own assertions take a lock, which a child may have inherited
 * from a thread that it does not have.
 */
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            must_fail(#condition, __LINE__);                                                                           \
    } while (0)

static void must_fail(const char *condition, int line)
{
    fprintf(stderr, "line %d: not so: %s\n", line, condition);
    abort();
}

/* ---- an engine in one of its modes, driven as the test goes on ---- */

static const rqx_mode modes[] = {RQX_MODE_SYNC, RQX_MODE_EMBEDDED, RQX_MODE_THREAD};

#define MODES 3

struct world {
    rqx_mode mode;
    rqx_engine *engine;
    rqx_client *client;
};

static int world_new(struct world *world, rqx_mode mode)
{
    rqx_engine_options engine_options;
    rqx_client_options options;
    int rv;

    *world = (struct world){.mode = mode};
    rqx_engine_options_init(&engine_options);
    engine_options.mode = mode;
    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    options.timeouts = (rqx_timeouts){30000, 30000, 30000, 30000, RQX_NO_TIMEOUT, 0, 0};
    options.max_redirects = 5;
    rv = rqx_engine_new(&engine_options, &world->engine);
    if (rv == 0)
        rv = rqx_client_new(world->engine, &options, &world->client);
    return rv;
}

static void world_free(struct world *world)
{
    rqx_client_unref(world->client);
    rqx_engine_unref(world->engine);
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Lets the engine work for |ms|, or until something happened. */
static void step(struct world *world, int ms)
{
    struct pollfd entry = {.events = POLLIN};

    if (world->mode == RQX_MODE_SYNC) {
        rqx_engine_run(world->engine, ms);
    } else if (world->mode == RQX_MODE_EMBEDDED) {
        entry.fd = rqx_engine_fd(world->engine);
        poll(&entry, 1, ms);
        rqx_engine_dispatch(world->engine);
    } else {
        poll(NULL, 0, ms);
    }
}

static void work_for(struct world *world, int ms)
{
    long long until = now_ms() + ms;

    while (now_ms() < until)
        step(world, 1);
}

/* The code that the exchange ended with. */
static int finish(struct world *world, rqx_response *response)
{
    long long until = now_ms() + 40000;

    while (!rqx_response_done(response)) {
        MUST(now_ms() < until);
        step(world, 1);
    }
    return rqx_response_error(response)->code;
}

static rqx_request *make_request(const char *method, const char *url)
{
    rqx_request *request = NULL;

    MUST(rqx_request_new_text(method, url, &request) == 0);
    return request;
}

static rqx_response *submit(struct world *world, rqx_request *request)
{
    rqx_response *response = NULL;

    MUST(rqx_client_submit(world->client, request, NULL, &response) == 0);
    return response;
}

/* Reads to the end; gives the number of bytes or a negative code. */
static long read_all(struct world *world, rqx_response *response, long most)
{
    static char buffer[50000];
    long long until = now_ms() + 40000;
    long total = 0;

    while (total < most) {
        size_t len;
        int rv = rqx_response_read(response, buffer, sizeof buffer, &len);

        MUST(now_ms() < until);
        if (rv < 0)
            return rv;
        if (rv == RQX_AGAIN)
            step(world, 1);
        else if (len == 0)
            break;
        total += (long)len;
    }
    return total;
}

/* GET |path|, whole; 0 where it was answered as it should. */
static int get(struct world *world, const char *path, size_t expected)
{
    rqx_request *request = make_request("GET", server_url(&server, path));
    rqx_response *response = NULL;
    rqx_slice body = {"", 0};
    int rv = rqx_client_submit(world->client, request, NULL, &response);

    if (rv == 0)
        rv = finish(world, response);
    if (rv == 0)
        rv = rqx_response_body(response, &body);
    if (rv == 0 && (rqx_response_status(response) != 200 || body.len != expected))
        rv = RQX_ERR_INTERNAL;
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv;
}

/* ---- fork ---- */

enum state { FRESH, SUBMITTED, HANDSHAKE, IN_FLIGHT, STREAMING, PUSHING, IDLE, CLOSED, STATES };

static const char *const state_names[] = {"fresh",     "submitted", "handshake", "in flight",
                                          "streaming", "pushing",   "idle",      "closed"};

/* Brings the world there; gives the response that is under way, or NULL. */
static rqx_response *reach(struct world *world, enum state state, rqx_request **ret_request)
{
    char url[64];
    rqx_response *response;
    size_t taken;

    snprintf(url, sizeof url, "https://127.0.0.1:%d/", silent_port);
    *ret_request =
        make_request(state == PUSHING ? "POST" : "GET", state == HANDSHAKE   ? url
                                                        : state == IN_FLIGHT ? server_url(&server, "/never")
                                                        : state == STREAMING ? server_url(&server, "/bytes/5000000")
                                                        : state == PUSHING   ? server_url(&server, "/echo")
                                                                             : server_url(&server, "/ok"));
    if (state == FRESH)
        return NULL;
    if (state == IDLE || state == CLOSED) {
        ck_assert_int_eq(get(world, "/ok", 5), 0);
        if (state == CLOSED)
            rqx_client_close(world->client);
        return NULL;
    }
    if (state == STREAMING)
        rqx_request_set_streamed(*ret_request, 1);
    if (state == PUSHING)
        rqx_request_set_body_push(*ret_request, 8);
    response = submit(world, *ret_request);
    if (state == PUSHING)
        ck_assert_int_eq(rqx_response_write_body(response, "1234", 4, &taken), 0);
    if (state == STREAMING)
        ck_assert_int_ge(read_all(world, response, 1000), 1000);
    else if (state != SUBMITTED)
        work_for(world, 30);
    return response;
}

/* In the child: everything is refused, and letting go is fine. */
static bool child_is_refused(struct world *world, rqx_request *request, rqx_response *response)
{
    rqx_engine_stats stats;
    rqx_response *other = NULL;
    char buffer[16];
    size_t len;
    bool good = rqx_client_submit(world->client, request, NULL, &other) == RQX_ERR_FORKED && other == NULL;

    if (world->mode == RQX_MODE_SYNC)
        good = good && rqx_engine_run(world->engine, 0) == RQX_ERR_FORKED &&
               rqx_client_perform(world->client, request, &other) == RQX_ERR_FORKED;
    if (world->mode == RQX_MODE_EMBEDDED)
        good = good && rqx_engine_dispatch(world->engine) == RQX_ERR_FORKED &&
               rqx_engine_cork(world->engine) == RQX_ERR_FORKED && rqx_engine_uncork(world->engine) == RQX_ERR_FORKED;
    rqx_engine_get_stats(world->engine, &stats);
    good = good && stats.connections_made == 0;
    if (response != NULL && !rqx_response_done(response)) {
        int read = rqx_response_read(response, buffer, sizeof buffer, &len);

        good = good && (read == RQX_ERR_FORKED || read == RQX_ERR_STATE) &&
               rqx_response_write_body(response, "x", 1, &len) == RQX_ERR_FORKED &&
               rqx_response_end_body(response) == RQX_ERR_FORKED;
        if (world->mode == RQX_MODE_SYNC)
            good = good && rqx_response_wait(response, RQX_EVENT_DONE, 0) == RQX_ERR_FORKED;
        rqx_response_cancel(response);
        rqx_response_close(response);
    }
    rqx_client_close(world->client);
    return good;
}

/* And an engine of its own works. */
static bool child_starts_anew(rqx_mode mode)
{
    struct world own;
    bool good = world_new(&own, mode) == 0 && get(&own, "/ok", 5) == 0;

    world_free(&own);
    return good;
}

static void run_child(struct world *world, rqx_request *request, rqx_response *response)
{
    bool good = child_is_refused(world, request, response);

    rqx_response_unref(response);
    rqx_request_unref(request);
    world_free(world);
/* TSan lets no child start threads; a thread of the server's, which it has not, may hold locks of ASan's own */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    good = good && child_starts_anew(RQX_MODE_THREAD);
#endif
    leave_child(good && child_starts_anew(RQX_MODE_SYNC));
}

/* What was under way in the parent goes on as if nothing had been. */
static void parent_goes_on(struct world *world, enum state state, rqx_response *response)
{
    size_t taken;

    if (state == SUBMITTED) {
        ck_assert_int_eq(finish(world, response), 0);
    } else if (state == STREAMING) {
        ck_assert_int_ge(read_all(world, response, 5000000), 4900000);
        ck_assert_int_eq(finish(world, response), 0);
    } else if (state == PUSHING) {
        ck_assert_int_eq(rqx_response_write_body(response, "5678", 4, &taken), 0);
        ck_assert_int_eq(rqx_response_end_body(response), 0);
        ck_assert_int_eq(finish(world, response), 0);
        ck_assert_mem_eq(rqx_response_raw_body(response).data, "12345678", 8);
    } else if (state == IN_FLIGHT || state == HANDSHAKE) {
        work_for(world, 10);
        ck_assert_int_eq(rqx_response_done(response), 0);
        rqx_response_cancel(response);
        ck_assert_int_eq(finish(world, response), RQX_ERR_CANCELLED);
    }
    if (state != CLOSED)
        ck_assert_int_eq(get(world, "/ok", 5), 0);
}

static void fork_in(enum state state, rqx_mode mode)
{
    struct world world;
    rqx_request *request = NULL;
    rqx_response *response;
    rqx_engine_stats stats;
    int resets = atomic_load(&server.resets);
    pid_t child;

    ck_assert_int_eq(world_new(&world, mode), 0);
    response = reach(&world, state, &request);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        run_child(&world, request, response);
    ck_assert_msg(child_left_well(child), "%s, mode %d", state_names[state], (int)mode);
    parent_goes_on(&world, state, response);
    rqx_engine_get_stats(world.engine, &stats);
    /* one connection, whatever the child did to its copy; h1 gives up that of a cancelled exchange */
    if (state == HANDSHAKE || (state == IN_FLIGHT && !server.h2))
        ck_assert_uint_eq(stats.connections_made, state == HANDSHAKE ? 1 : 2);
    else
        ck_assert_uint_eq(stats.connections_made, 1);
    if (server.h2)
        ck_assert_int_eq(atomic_load(&server.resets) - resets, state == IN_FLIGHT ? 1 : 0);
    rqx_response_unref(response);
    rqx_request_unref(request);
    world_free(&world);
}

START_TEST(a_fork_in_each_state_is_no_concern_of_the_parent_s)
{
    int state;

    for (state = 0; state < STATES; state++)
        fork_in((enum state)state, modes[_i]);
}
END_TEST

/* Nothing but the ClientHello reached the peer, and the connection is still open. */
START_TEST(a_child_says_nothing_on_the_parent_s_sockets)
{
    struct world world;
    rqx_request *request = NULL;
    rqx_response *response;
    char seen[8192];
    ssize_t before;
    pid_t child;
    int fd;

    ck_assert_int_eq(world_new(&world, modes[_i]), 0);
    response = reach(&world, HANDSHAKE, &request);
    fd = accept4(silent_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    while ((before = recv(fd, seen, sizeof seen, MSG_PEEK)) < 0 && errno == EAGAIN)
        step(&world, 1);
    ck_assert_int_gt(before, 100);
    child = fork();
    if (child == 0) {
        bool good = child_is_refused(&world, request, response);

        rqx_response_unref(response);
        rqx_request_unref(request);
        world_free(&world);
        leave_child(good);
    }
    ck_assert(child_left_well(child));
    ck_assert_int_eq(recv(fd, seen, sizeof seen, 0), before);
    ck_assert_int_eq(recv(fd, seen, sizeof seen, 0), -1);
    ck_assert_int_eq(errno, EAGAIN);
    rqx_response_cancel(response);
    ck_assert_int_eq(finish(&world, response), RQX_ERR_CANCELLED);
    rqx_response_unref(response);
    rqx_request_unref(request);
    world_free(&world);
    close(fd);
}
END_TEST

#ifndef __SANITIZE_THREAD__ /* whose allocator's locks may be left held in a child, so that it can allocate nothing */

struct busy {
    struct world *world;
    pthread_t id;
    atomic_bool *over;
    int failures;
};

static void *keep_busy(void *user)
{
    struct busy *busy = user;

    while (!atomic_load(busy->over)) {
        if (get(busy->world, "/bytes/20000", 20000) != 0)
            busy->failures++;
    }
    return NULL;
}

/* The lock may be held, and what it guards half changed, by a thread that the child does not have. */
START_TEST(a_fork_under_load_leaves_a_child_that_can_let_go)
{
    struct world world;
    struct busy busy[4];
    atomic_bool over = false;
    rqx_mode mode = _i == 0 ? RQX_MODE_SYNC : RQX_MODE_THREAD;
    int i;

    ck_assert_int_eq(world_new(&world, mode), 0);
    for (i = 0; i < 4; i++) {
        busy[i] = (struct busy){.world = &world, .over = &over};
        ck_assert_int_eq(pthread_create(&busy[i].id, NULL, keep_busy, &busy[i]), 0);
    }
    for (i = 0; i < 60; i++) {
        pid_t child;

        poll(NULL, 0, 2);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            rqx_response *other = NULL;
            rqx_request *request = make_request("GET", server_url(&server, "/ok"));
            bool good = rqx_client_submit(world.client, request, NULL, &other) == RQX_ERR_FORKED;

            world_free(&world);
            leave_child(good && child_starts_anew(RQX_MODE_SYNC));
        }
        ck_assert(child_left_well(child));
    }
    atomic_store(&over, true);
    for (i = 0; i < 4; i++) {
        pthread_join(busy[i].id, NULL);
        ck_assert_int_eq(busy[i].failures, 0);
    }
    world_free(&world);
}
END_TEST

#endif

/* ---- signals ---- */

static atomic_int rung; /* by any thread */

static void on_alarm(int number)
{
    (void)number;
    atomic_fetch_add(&rung, 1);
}

/* A signal every millisecond, and no system call is started again. */
static void ring(bool on)
{
    struct itimerval timer = {.it_interval = {0, on ? 1000 : 0}, .it_value = {0, on ? 1000 : 0}};
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    if (on)
        ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void post(struct world *world, const char *text)
{
    rqx_request *request = make_request("POST", server_url(&server, "/echo"));
    rqx_response *response;
    rqx_slice body;

    ck_assert_int_eq(rqx_request_set_body(request, text, strlen(text)), 0);
    response = submit(world, request);
    ck_assert_int_eq(finish(world, response), 0);
    ck_assert_int_eq(rqx_response_body(response, &body), 0);
    ck_assert_uint_eq(body.len, strlen(text));
    ck_assert_mem_eq(body.data, text, body.len);
    rqx_response_unref(response);
    rqx_request_unref(request);
}

static void download(struct world *world)
{
    rqx_request *request = make_request("GET", server_url(&server, "/bytes/3000000"));
    rqx_response *response;

    rqx_request_set_streamed(request, 1);
    response = submit(world, request);
    ck_assert_int_eq(read_all(world, response, 4000000), 3000000);
    ck_assert_int_eq(finish(world, response), 0);
    rqx_response_unref(response);
    rqx_request_unref(request);
}

static void give_up(struct world *world, int total_ms)
{
    rqx_timeouts timeouts = {
        RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, total_ms, 0, 0};
    rqx_request *request = make_request("GET", server_url(&server, "/never"));
    rqx_response *response;
    long long begin = now_ms();

    rqx_request_set_timeouts(request, &timeouts);
    response = submit(world, request);
    ck_assert_int_eq(finish(world, response), RQX_ERR_TOTAL_TIMEOUT);
    ck_assert_int_ge(now_ms() - begin, total_ms - 1);
    rqx_response_unref(response);
    rqx_request_unref(request);
}

START_TEST(signals_interrupt_nothing)
{
    struct world world;
    char text[40];
    int i;

    atomic_store(&rung, 0);
    ring(true);
    ck_assert_int_eq(world_new(&world, modes[_i]), 0);
    for (i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "number %d", i);
        ck_assert_int_eq(get(&world, "/redirect/2", 5), 0);
        post(&world, text);
        download(&world);
        give_up(&world, 20);
    }
    ck_assert_int_eq(get(&world, "/bytes/1000000", 1000000), 0);
    world_free(&world);
    ring(false);
    ck_assert_int_gt(atomic_load(&rung), 50);
}
END_TEST

/* ---- descriptors ---- */

static int lowest_free(void)
{
    int fd = dup(STDERR_FILENO);

    ck_assert_int_ge(fd, 0);
    close(fd);
    return fd;
}

static int open_descriptors(void)
{
    int count = 0;
    int fd;

    for (fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static rlim_t descriptor_limit(void)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

static void limit_descriptors(rlim_t most)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Uses up the descriptors below |limit| so that |left| remain: what is open need not lie at the bottom. */
static int use_up(int *used, int most)
{
    int count = 0;

    while (count < most && (used[count] = dup(STDERR_FILENO)) >= 0)
        count++;
    return count;
}

/* The server is another process here: it needs descriptors of its own. */
static pid_t server_apart(int *ret_hold)
{
    int up[2];
    int hold[2];
    pid_t pid;

    ck_assert_int_eq(pipe(up), 0);
    ck_assert_int_eq(pipe(hold), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char end;
        bool h2 = server.h2;

        close(hold[1]);
        server_start(&server, h2);
        ck_assert_int_eq(write(up[1], &server.port, sizeof server.port), (ssize_t)sizeof server.port);
        while (read(hold[0], &end, 1) < 0)
            ;
        server_stop(&server);
        leave_child(true);
    }
    close(up[1]);
    close(hold[0]);
    ck_assert_int_eq(read(up[0], &server.port, sizeof server.port), (ssize_t)sizeof server.port);
    close(up[0]);
    *ret_hold = hold[1];
    return pid;
}

/* With |left| descriptors to be had: an engine is made or not, a request answered or refused with a right reason; and
 * once there are descriptors again, it works. */
static bool run_short(rqx_mode mode, int left, const char *host)
{
    static int used[1024];
    struct world world;
    rqx_request *request;
    rqx_response *response = NULL;
    char url[64];
    rlim_t usual = descriptor_limit();
    int count;
    int rv;

    limit_descriptors((rlim_t)(lowest_free() + 40));
    count = use_up(used, 1024);
    ck_assert_int_ge(count, left);
    while (left-- > 0)
        close(used[--count]);
    snprintf(url, sizeof url, "http://%s:%d/ok", host, server.port);
    request = make_request("GET", url);
    rv = world_new(&world, mode);
    if (rv == 0) {
        response = submit(&world, request);
        rv = finish(&world, response);
        ck_assert_msg(rv == 0 || rv == RQX_ERR_CONNECT || rv == RQX_ERR_RESOLVE || rv == RQX_ERR_SYSTEM, "%s: %s", host,
                      rqx_response_error(response)->text);
        if (rv != 0)
            ck_assert_msg(rqx_response_error(response)->sys_errno == EMFILE, "%s", rqx_response_error(response)->text);
    } else {
        ck_assert_int_eq(rv, RQX_ERR_SYSTEM);
        ck_assert_int_eq(errno, EMFILE);
    }
    while (count > 0)
        close(used[--count]);
    limit_descriptors(usual);
    if (world.client != NULL)
        ck_assert_int_eq(get(&world, "/ok", 5), 0);
    rqx_response_unref(response);
    rqx_request_unref(request);
    world_free(&world);
    return rv == 0;
}

START_TEST(descriptors_run_out_at_each_point)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    int before = open_descriptors();
    int hold = -1;
    pid_t pid;
    size_t i;

    stop(); /* the fixture's */
    pid = server_apart(&hold);
    for (i = 0; i < 2; i++) {
        int left = 0;

        while (!run_short(modes[_i], left, hosts[i]))
            ck_assert_int_lt(left++, 20);
        ck_assert_int_ge(left, 2); /* epoll, eventfd: it did run out */
    }
    close(hold);
    ck_assert(child_left_well(pid));
    start(server.h2);
    ck_assert_int_le(open_descriptors(), before);
}
END_TEST

static void add_all(TCase *tcase)
{
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_fork_in_each_state_is_no_concern_of_the_parent_s, 0, MODES);
    tcase_add_loop_test(tcase, a_child_says_nothing_on_the_parent_s_sockets, 0, MODES);
#ifndef __SANITIZE_THREAD__
    tcase_add_loop_test(tcase, a_fork_under_load_leaves_a_child_that_can_let_go, 0, 2);
#endif
    tcase_add_loop_test(tcase, signals_interrupt_nothing, 0, MODES);
    tcase_add_loop_test(tcase, descriptors_run_out_at_each_point, 0, MODES);
}

static Suite *faults_suite(void)
{
    Suite *suite = suite_create("faults");
    TCase *h1 = rqx_add_case(suite, "over HTTP/1.1");
    TCase *h2 = rqx_add_case(suite, "over HTTP/2");

    tcase_add_checked_fixture(h1, start_h1, stop);
    tcase_add_checked_fixture(h2, start_h2, stop);
    add_all(h1);
    add_all(h2);
    return suite;
}

RQX_CHECK_MAIN(faults_suite)
