/*
 * driver.c - the part of the soak that is in C: one client in one driver mode, threads that send requests with numbers
 * through it, and what came of them.
 *
 *     driver MODE SECONDS SEED FIRST CA ANSWERED H2 H1 PLAIN PROXY
 *
 * MODE sync, embedded or thread; FIRST is the lowest number; the last four are ports.  The numbers of answered requests
 * that may be processed once only (odd ones) go to the file ANSWERED.  One JSON line tells the rest.
 */
#include <dirent.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <requestx/requestx.h>

#define THREADS    12
#define TIMEOUT_MS 3000
#define HUNG_MS    30000
#define SIZE_MAX_  400000

enum place { H2, H1, PLAIN, PLACES };

static const struct kind {
    const char *name;
    unsigned weight;
    const char *path;
    const char *fault;
    unsigned least;
    unsigned most;
    bool posts;
    bool answered; /* unless something breaks */
} kinds[] = {
    {"get", 30, "/w", NULL, 100, 2000, false, true},        {"large", 4, "/w", NULL, 100000, 400000, false, true},
    {"post", 25, "/w", NULL, 100, 2000, true, true},        {"upload", 4, "/w", NULL, 50000, 300000, true, true},
    {"push", 4, "/w", NULL, 100, 20000, true, true},        {"stream", 6, "/w", NULL, 10000, 300000, false, true},
    {"leave", 4, "/w", NULL, 100000, 300000, false, true},  {"cancel", 5, "/never", NULL, 100, 101, false, false},
    {"timeout", 2, "/never", NULL, 100, 101, false, false}, {"redirect", 4, "/moved", NULL, 100, 2000, false, true},
    {"flaky", 4, "/flaky", NULL, 100, 2000, true, true},    {"slow", 3, "/w", "slow", 100, 2000, false, true},
    {"rst", 2, "/w", "rst", 100, 2000, true, false},        {"half", 2, "/w", "half", 1000, 50000, false, false},
    {"abort", 1, "/w", "abort", 100, 2000, true, false},    {"goaway", 1, "/w", "goaway", 100, 2000, true, true},
    {"let-go", 3, "/w", NULL, 100, 50000, false, false},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static struct {
    rqx_mode mode;
    rqx_engine *engine;
    rqx_client *client;
    rqx_client *proxied;
    int ports[PLACES];
    pthread_mutex_t lock; /* of |answered| */
    FILE *answered;
    _Atomic uint64_t next;
    atomic_bool over;
    atomic_bool driver_over;
    atomic_long requests;
    atomic_long good;
    atomic_long errors;
    atomic_long wrong;
    atomic_long hung;
} soak;

/* An exchange, as its events tell of it. */
struct job {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned events;
    int ends;
};

struct plan {
    const struct kind *kind;
    uint64_t number;
    size_t size;
    enum place place;
    char url[256];
    char *body; /* of the request, or NULL */
    size_t offset;
};

struct worker {
    pthread_t id;
    uint64_t seed;
    char *expected; /* SIZE_MAX_ bytes */
};

static void die(const char *what, int code)
{
    fprintf(stderr, "driver: %s: %s\n", what, rqx_error_name(code));
    exit(2);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static unsigned chance(struct worker *worker, unsigned below)
{
    worker->seed ^= worker->seed << 13;
    worker->seed ^= worker->seed >> 7;
    worker->seed ^= worker->seed << 17;
    return (unsigned)(worker->seed >> 20) % below;
}

static void wrong(const struct plan *plan, const char *how, long number)
{
    if (atomic_fetch_add(&soak.wrong, 1) < 20)
        fprintf(stderr, "wrong: %s %llu: %s (%ld)\n", plan->kind->name, (unsigned long long)plan->number, how, number);
}

/* ---- bytes ---- */

static void pattern(uint64_t number, char *into, size_t size)
{
    char line[32];
    size_t at;

    snprintf(line, sizeof line, "%015llu\n", (unsigned long long)number);
    for (at = 0; at < size; at += 16)
        memcpy(into + at, line, size - at < 16 ? size - at : 16);
}

/* As zlib's. */
static uint32_t crc_of(const char *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    size_t i;
    int bit;

    for (i = 0; i < size; i++) {
        crc ^= (uint8_t)data[i];
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

/* ---- waiting ---- */

static void on_event(rqx_response *response, unsigned what, void *user)
{
    struct job *job = user;

    (void)response;
    if (job == NULL)
        return;
    pthread_mutex_lock(&job->lock);
    job->events |= what;
    if (what & RQX_EVENT_DONE)
        job->ends++;
    pthread_cond_broadcast(&job->changed);
    pthread_mutex_unlock(&job->lock);
}

/* False after |ms|. */
static bool wait_for(rqx_response *response, struct job *job, unsigned what, uint64_t ms)
{
    uint64_t until = now_ms() + ms;
    struct timespec at = {(time_t)(until / 1000), (long)(until % 1000) * 1000000};
    bool came;

    if (soak.mode == RQX_MODE_SYNC) {
        do {
            if (rqx_response_wait(response, what | RQX_EVENT_DONE, (int64_t)ms) == 0)
                return true;
        } while (now_ms() < until);
        return false;
    }
    pthread_mutex_lock(&job->lock);
    while ((job->events & (what | RQX_EVENT_DONE)) == 0) {
        if (pthread_cond_timedwait(&job->changed, &job->lock, &at) != 0)
            break;
    }
    came = (job->events & (what | RQX_EVENT_DONE)) != 0;
    job->events &= RQX_EVENT_DONE;
    pthread_mutex_unlock(&job->lock);
    return came;
}

static void job_init(struct job *job)
{
    pthread_condattr_t attributes;

    memset(job, 0, sizeof *job);
    pthread_mutex_init(&job->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&job->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void *drive(void *user)
{
    while (!atomic_load(&soak.driver_over)) {
        struct pollfd entry = {.fd = rqx_engine_fd(soak.engine), .events = POLLIN};

        poll(&entry, 1, 50);
        rqx_engine_dispatch(soak.engine);
    }
    return user;
}

/* ---- one request ---- */

static void make_plan(struct worker *worker, struct plan *plan)
{
    unsigned total = 0;
    unsigned at;
    size_t i;
    int len;

    for (i = 0; i < KINDS; i++)
        total += kinds[i].weight;
    at = chance(worker, total);
    for (i = 0; at >= kinds[i].weight; i++)
        at -= kinds[i].weight;
    plan->kind = &kinds[i];
    plan->number = atomic_fetch_add(&soak.next, 2) + (plan->kind->posts ? 1 : 0);
    plan->size = plan->kind->least + chance(worker, plan->kind->most - plan->kind->least);
    at = chance(worker, 10);
    plan->place = at < 6 ? H2 : at < 8 ? H1 : PLAIN;
    plan->offset = 0;
    plan->body = NULL;
    len = snprintf(plan->url, sizeof plan->url, "%s://localhost:%d%s?id=%llu&n=%zu",
                   plan->place == PLAIN ? "http" : "https", soak.ports[plan->place], plan->kind->path,
                   (unsigned long long)plan->number, plan->size);
    if (plan->kind->fault != NULL)
        snprintf(plan->url + len, sizeof plan->url - (size_t)len, "&fault=%s&ms=%u", plan->kind->fault,
                 5 + chance(worker, 150));
    if (!plan->kind->posts)
        return;
    plan->body = malloc(plan->size);
    if (plan->body == NULL)
        abort();
    pattern(plan->number, plan->body, plan->size);
}

static int give(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct plan *plan = user;
    size_t len = plan->size - plan->offset;

    if (len > cap)
        len = cap;
    if (len > 7000)
        len = 7000;
    memcpy(buffer, plan->body + plan->offset, len);
    plan->offset += len;
    *ret_len = len;
    *ret_end = plan->offset == plan->size;
    return 0;
}

static int again(void *user)
{
    ((struct plan *)user)->offset = 0;
    return 0;
}

static bool is(const struct plan *plan, const char *name)
{
    return strcmp(plan->kind->name, name) == 0;
}

static int set_body(struct plan *plan, rqx_request *request)
{
    if (plan->body == NULL)
        return 0;
    if (is(plan, "upload"))
        return rqx_request_set_body_callback(request, give, again, (int64_t)plan->size, NULL, plan);
    if (is(plan, "push")) {
        rqx_request_set_body_push(request, (int64_t)plan->size);
        return 0;
    }
    return rqx_request_set_body(request, plan->body, plan->size);
}

static rqx_request *make_request(struct plan *plan)
{
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET,
                             RQX_TIMEOUT_UNSET,
                             RQX_TIMEOUT_UNSET,
                             RQX_TIMEOUT_UNSET,
                             is(plan, "timeout") ? 40 : RQX_TIMEOUT_UNSET,
                             0,
                             0};
    rqx_request *request = NULL;
    int rv = rqx_request_new_text(plan->body != NULL ? "POST" : "GET", plan->url, &request);

    if (rv == 0)
        rv = set_body(plan, request);
    if (rv < 0)
        die("request", rv);
    rqx_request_set_timeouts(request, &timeouts);
    rqx_request_set_streamed(request, is(plan, "stream") || is(plan, "leave"));
    if (is(plan, "redirect"))
        rqx_request_set_max_redirects(request, 3);
    if (soak.mode != RQX_MODE_SYNC)
        rqx_request_set_callback(request, on_event);
    return request;
}

/* A right error is one of the way there, or the peer's; or what was asked for. */
static bool right_error(const struct plan *plan, int code)
{
    switch (rqx_error_phase(code)) {
    case RQX_PHASE_CONNECT:
    case RQX_PHASE_TLS:
    case RQX_PHASE_PROXY:
    case RQX_PHASE_PROTOCOL:
    case RQX_PHASE_TIMEOUT:
        return true;
    default:
        return code == RQX_ERR_CANCELLED && is(plan, "cancel");
    }
}

static bool field_is(rqx_response *response, const char *name, unsigned long long value)
{
    rqx_slice field = rqx_headers_get(rqx_response_headers(response), name, strlen(name));
    char text[32];

    snprintf(text, sizeof text, "%llu", value);
    return field.data != NULL && field.len == strlen(text) && memcmp(field.data, text, field.len) == 0;
}

/* An answer: is it this request's own? */
static void check_answer(struct worker *worker, const struct plan *plan, rqx_response *response, const char *body,
                         size_t len, bool whole)
{
    int status = rqx_response_status(response);

    if (status == 502 && plan->place == PLAIN) { /* the proxy speaks for itself */
        atomic_fetch_add(&soak.errors, 1);
        return;
    }
    pattern(plan->number, worker->expected, plan->size);
    if (!plan->kind->answered || status != 200)
        wrong(plan, "an answer", status);
    else if (!field_is(response, "x-id", plan->number) ||
             !field_is(response, "x-crc", plan->body == NULL ? 0 : crc_of(plan->body, plan->size)))
        wrong(plan, "another's fields", status);
    else if ((whole ? len != plan->size : len > plan->size) || memcmp(body, worker->expected, len) != 0)
        wrong(plan, "another's bytes", (long)len);
    else
        atomic_fetch_add(&soak.good, 1);
    if (plan->number % 2 == 0)
        return;
    pthread_mutex_lock(&soak.lock);
    fprintf(soak.answered, "%llu\n", (unsigned long long)plan->number);
    pthread_mutex_unlock(&soak.lock);
}

static void note_error(const struct plan *plan, int code)
{
    if (right_error(plan, code))
        atomic_fetch_add(&soak.errors, 1);
    else
        wrong(plan, rqx_error_name(code), code);
}

/* Reads to the end, or for a while; the end of it all is told by the exchange. */
static void read_streamed(struct worker *worker, const struct plan *plan, rqx_response *response, struct job *job)
{
    char *body = malloc(SIZE_MAX_);
    size_t total = 0;
    size_t len = 1;
    int rv = 0;

    if (body == NULL)
        abort();
    while (rv >= 0 && len != 0 && !(is(plan, "leave") && total != 0)) {
        rv = rqx_response_read(response, body + total, total + 5000 < SIZE_MAX_ ? 5000 : SIZE_MAX_ - total, &len);
        total += rv == 0 ? len : 0;
        if (rv == RQX_AGAIN)
            len = 1;
        if (rv == RQX_AGAIN && !wait_for(response, job, RQX_EVENT_BODY, HUNG_MS)) {
            atomic_fetch_add(&soak.hung, 1);
            break;
        }
    }
    if (rv < 0)
        note_error(plan, rv);
    else
        check_answer(worker, plan, response, body, total, is(plan, "stream"));
    rqx_response_close(response);
    free(body);
}

static void push_body(const struct plan *plan, rqx_response *response, struct job *job)
{
    size_t sent = 0;

    while (sent < plan->size) {
        size_t taken = 0;
        size_t len = plan->size - sent < 3000 ? plan->size - sent : 3000;
        int rv = rqx_response_write_body(response, plan->body + sent, len, &taken);

        sent += taken;
        if (rv == RQX_AGAIN)
            wait_for(response, job, RQX_EVENT_WRITE, HUNG_MS);
        else if (rv < 0)
            return; /* it has ended already */
    }
    rqx_response_end_body(response);
}

static void follow(struct worker *worker, struct plan *plan, rqx_response *response, struct job *job)
{
    bool streamed = is(plan, "stream") || is(plan, "leave");
    rqx_slice body = {"", 0};
    int code;

    if (is(plan, "push"))
        push_body(plan, response, job);
    if (is(plan, "cancel")) {
        wait_for(response, job, RQX_EVENT_DONE, chance(worker, 40));
        rqx_response_cancel(response);
    }
    if (streamed)
        read_streamed(worker, plan, response, job);
    if (!wait_for(response, job, RQX_EVENT_DONE, HUNG_MS)) {
        atomic_fetch_add(&soak.hung, 1);
        wrong(plan, "hung", 0);
        rqx_response_cancel(response);
        wait_for(response, job, RQX_EVENT_DONE, HUNG_MS);
        return;
    }
    if (streamed)
        return;
    code = rqx_response_error(response)->code;
    if (code == 0)
        code = rqx_response_body(response, &body);
    if (code < 0)
        note_error(plan, code);
    else
        check_answer(worker, plan, response, body.data, body.len, true);
}

static void one(struct worker *worker)
{
    rqx_client *client = chance(worker, 10) == 0 ? soak.proxied : soak.client;
    rqx_response *response = NULL;
    rqx_request *request;
    struct plan plan;
    struct job job;
    bool forgotten;
    int rv;

    make_plan(worker, &plan);
    request = make_request(&plan);
    job_init(&job);
    forgotten = is(&plan, "let-go");
    rv = rqx_client_submit(client, request, forgotten ? NULL : &job, &response);
    atomic_fetch_add(&soak.requests, 1);
    if (rv < 0) {
        wrong(&plan, "not submitted", rv);
    } else if (forgotten) {
        if (chance(worker, 2) == 0)
            poll(NULL, 0, (int)chance(worker, 10));
        atomic_fetch_add(&soak.good, 1);
    } else {
        follow(worker, &plan, response, &job);
        if (soak.mode != RQX_MODE_SYNC && job.ends != 1)
            wrong(&plan, "ended so often", job.ends);
        if (rqx_error_phase(rqx_response_error(response)->code) == RQX_PHASE_CONNECT)
            poll(NULL, 0, 20);
    }
    rqx_response_unref(response);
    rqx_request_unref(request);
    pthread_cond_destroy(&job.changed);
    pthread_mutex_destroy(&job.lock);
    free(plan.body);
}

static void *work(void *user)
{
    struct worker *worker = user;

    while (!atomic_load(&soak.over))
        one(worker);
    return NULL;
}

/* ---- the whole ---- */

static void load(double seconds, uint64_t seed)
{
    struct worker workers[THREADS];
    int i;

    atomic_store(&soak.over, false);
    for (i = 0; i < THREADS; i++) {
        workers[i].seed = seed * 1000003u + (uint64_t)i * 7919u + 1u;
        workers[i].expected = malloc(SIZE_MAX_);
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    poll(NULL, 0, (int)(seconds * 1000));
    atomic_store(&soak.over, true);
    for (i = 0; i < THREADS; i++) {
        pthread_join(workers[i].id, NULL);
        free(workers[i].expected);
    }
}

static long rss_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    malloc_trim(0);
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* What is allocated, apart from what the allocator keeps. */
static long used_kb(void)
{
    return (long)(mallinfo2().uordblks / 1024);
}

static int descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static void make_client(const char *ca, int proxy_port, rqx_client **ret_client)
{
    rqx_tls_options tls_options;
    rqx_client_options options;
    rqx_url *url = NULL;
    char text[64];
    int rv;

    rqx_tls_options_init(&tls_options);
    tls_options.system_trust = 0;
    tls_options.ca_file = ca;
    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.timeouts = (rqx_timeouts){TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS, RQX_NO_TIMEOUT, 0, 0};
    rv = rqx_tls_new(&tls_options, &options.tls);
    snprintf(text, sizeof text, "http://127.0.0.1:%d/", proxy_port);
    if (rv == 0 && proxy_port != 0)
        rv = rqx_url_parse(text, strlen(text), NULL, &url);
    if (rv == 0 && proxy_port != 0)
        rv = rqx_proxy_new(url, NULL, &options.proxy);
    if (rv == 0)
        rv = rqx_client_new(soak.engine, &options, ret_client);
    if (rv < 0)
        die("client", rv);
    rqx_url_unref(url);
    rqx_proxy_unref(options.proxy);
    rqx_tls_unref(options.tls);
}

static rqx_mode mode_of(const char *name)
{
    return strcmp(name, "sync") == 0     ? RQX_MODE_SYNC
           : strcmp(name, "thread") == 0 ? RQX_MODE_THREAD
                                         : RQX_MODE_EMBEDDED;
}

int main(int argc, char **argv)
{
    rqx_engine_options options;
    rqx_engine_stats stats;
    pthread_t driver;
    double seconds;
    int before = descriptors();
    long first;
    long last;
    long first_used;
    long last_used;
    int i;

    if (argc != 11)
        return 2;
    soak.mode = mode_of(argv[1]);
    seconds = atof(argv[2]);
    atomic_store(&soak.next, strtoull(argv[4], NULL, 10) & ~UINT64_C(1));
    soak.answered = fopen(argv[6], "w");
    pthread_mutex_init(&soak.lock, NULL);
    for (i = 0; i < PLACES; i++)
        soak.ports[i] = atoi(argv[7 + i]);
    rqx_engine_options_init(&options);
    options.mode = soak.mode;
    i = rqx_engine_new(&options, &soak.engine);
    if (i < 0 || soak.answered == NULL)
        die("engine", i);
    make_client(argv[5], 0, &soak.client);
    make_client(argv[5], atoi(argv[10]), &soak.proxied);
    if (soak.mode == RQX_MODE_EMBEDDED)
        pthread_create(&driver, NULL, drive, NULL);
    load(seconds * 0.3, strtoull(argv[3], NULL, 10));
    first = rss_kb();
    first_used = used_kb();
    load(seconds * 0.7, strtoull(argv[3], NULL, 10) + 1);
    last = rss_kb();
    last_used = used_kb();
    rqx_engine_get_stats(soak.engine, &stats);
    rqx_client_unref(soak.client);
    rqx_client_unref(soak.proxied);
    atomic_store(&soak.driver_over, true);
    if (soak.mode == RQX_MODE_EMBEDDED)
        pthread_join(driver, NULL);
    rqx_engine_unref(soak.engine);
    fclose(soak.answered);
    printf("{\"requests\": %ld, \"answered\": %ld, \"errors\": %ld, \"wrong\": %ld, \"hung\": %ld, \"open\": %llu, "
           "\"growth_kb\": %ld, \"used_kb\": %ld, \"descriptors\": %d}\n",
           atomic_load(&soak.requests), atomic_load(&soak.good), atomic_load(&soak.errors), atomic_load(&soak.wrong),
           atomic_load(&soak.hung), (unsigned long long)(stats.exchanges_open + stats.exchanges_queued), last - first,
           last_used - first_used, descriptors() - before);
    return 0;
}
