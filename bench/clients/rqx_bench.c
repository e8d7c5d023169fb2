/* The scorecard's requestx client in C. --mode says who drives the engine:
 *
 *     embedded   this program's own poll() loop watches the engine's one descriptor (default)
 *     sync       rqx_engine_run waits and drives
 *     perform    |concurrency| threads, each in blocking calls on the one client
 *
 * A request is made once and submitted again and again, also many times at once.
 */
#include "bench_cli.h"

#include <poll.h>
#include <pthread.h>
#include <requestx/requestx.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVENTS 256
#define COLLECT_US 100
#define READ_SIZE (256 * 1024)

struct run {
    const struct bench_job *job;
    struct bench_result *result;
    rqx_engine *engine;
    rqx_client *client;
    rqx_request *request; /* what is being sent now: first the warm-up, then the measured one */
    char *buffer;         /* streamed bodies are read into it and forgotten */
    int fd;               /* -1 unless embedded */
    atomic_int version;   /* the rqx_http_version that carried the last response */
    bool stream;          /* |request| is streamed */
    long to_start;
    long running;
    atomic_long tickets;  /* perform mode: requests left to start, over all threads */
    atomic_long failures; /* perform mode */
    atomic_llong bytes;   /* perform mode */
};

static void check(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "rqx_bench: %s: %s\n", what, rqx_error_name(rc));
        exit(2);
    }
}

static rqx_request *make_request(const struct bench_job *job, bool warm)
{
    rqx_request *request = NULL;
    enum bench_kind kind = warm ? BENCH_GET : job->kind;
    bool body = kind == BENCH_POST || kind == BENCH_UPLOAD;

    check(rqx_request_new_text(body ? "POST" : "GET", warm ? job->warm_url : job->url, &request),
          "rqx_request_new_text");
    if (kind == BENCH_POST) {
        check(rqx_headers_add(rqx_request_headers(request), "content-type", 12, "application/json",
                              16),
              "rqx_headers_add");
        check(rqx_request_set_body_borrowed(request, job->body, job->body_size, NULL, NULL),
              "rqx_request_set_body_borrowed");
    } else if (kind == BENCH_UPLOAD) {
        check(rqx_request_set_body_file(request, job->upload), job->upload);
    } else if (kind == BENCH_DOWNLOAD) {
        rqx_request_set_streamed(request, 1);
    }
    return request;
}

static rqx_tls *make_tls(const struct bench_job *job)
{
    rqx_tls_options options;
    rqx_tls *tls = NULL;
    rqx_tls_options_init(&options);
    options.system_trust = 0;
    options.ca_file = job->ca;
    check(rqx_tls_new(&options, &tls), "rqx_tls_new");
    return tls;
}

static void open_run(struct run *run)
{
    const struct bench_job *job = run->job;
    bool embedded = !job->mode || strcmp(job->mode, "embedded") == 0;
    rqx_engine_options engine_options;
    rqx_client_options options;

    rqx_engine_options_init(&engine_options);
    engine_options.mode = embedded ? RQX_MODE_EMBEDDED : RQX_MODE_SYNC;
    engine_options.pull_events = embedded || strcmp(job->mode, "sync") == 0;
    check(rqx_engine_new(&engine_options, &run->engine), "rqx_engine_new");
    run->fd = embedded ? rqx_engine_fd(run->engine) : -1;

    rqx_client_options_init(&options);
    options.protocols = job->http1 ? RQX_PROTO_HTTP1 : RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2;
    options.tls = make_tls(job);
    options.trust_env = 0;
    options.limits.max_connections = job->concurrency + 10;
    options.limits.max_keepalive = job->concurrency + 10;
    check(rqx_client_new(run->engine, &options, &run->client), "rqx_client_new");
    rqx_tls_unref(options.tls);

    run->buffer = malloc(READ_SIZE);
    if (!run->buffer) {
        check(RQX_ERR_NOMEM, "start");
    }
}

static void close_run(struct run *run)
{
    rqx_client_unref(run->client);
    rqx_engine_unref(run->engine);
    free(run->buffer);
}

/* Gives whether the exchange went well; says why on stderr if not. */
static bool went_well(struct run *run, const rqx_response *response)
{
    const rqx_error *error = rqx_response_error(response);
    atomic_store_explicit(&run->version, rqx_response_version(response), memory_order_relaxed);
    if (error->code < 0) {
        fprintf(stderr, "rqx_bench: %s\n", error->text);
        return false;
    }
    if (rqx_response_status(response) != 200) {
        fprintf(stderr, "rqx_bench: status %d\n", rqx_response_status(response));
        return false;
    }
    return true;
}

/* Reads and forgets what has come of a streamed body: RQX_AGAIN, 0 at its end, or an error. */
static int drain(rqx_response *response, char *buffer, long long *bytes)
{
    for (;;) {
        size_t len = 0;
        int rc = rqx_response_read_raw(response, buffer, READ_SIZE, &len);
        if (rc != 0 || len == 0) {
            return rc;
        }
        *bytes += (long long)len;
    }
}

static void start(struct run *run)
{
    rqx_response *response = NULL;
    if (run->to_start == 0) {
        return;
    }
    run->to_start--;
    run->running++;
    check(rqx_client_submit(run->client, run->request, NULL, &response), "rqx_client_submit");
}

static void on_event(struct run *run, const rqx_event *event)
{
    rqx_response *response = event->response;
    struct bench_result *result = run->result;

    if (run->stream) {
        drain(response, run->buffer, &result->bytes);
    }
    if (!(event->what & RQX_EVENT_DONE)) {
        return;
    }
    if (went_well(run, response)) {
        result->requests++;
        result->bytes += (long long)rqx_response_raw_body(response).len;
    } else {
        result->errors++;
    }
    rqx_response_unref(response);
    run->running--;
    start(run);
}

static void take_all(struct run *run)
{
    rqx_event events[MAX_EVENTS];
    int count;
    do {
        count = rqx_engine_take(run->engine, events, MAX_EVENTS);
        check(count, "rqx_engine_take");
        for (int i = 0; i < count; i++) {
            on_event(run, &events[i]);
        }
    } while (count == MAX_EVENTS);
}

static void drive_once(struct run *run)
{
    if (run->fd < 0) {
        check(rqx_engine_run(run->engine, RQX_NO_TIMEOUT), "rqx_engine_run");
        return;
    }
    struct pollfd watched = {.fd = run->fd, .events = POLLIN};
    poll(&watched, 1, -1);
    check(rqx_engine_dispatch(run->engine), "rqx_engine_dispatch");
}

static void run_events(struct run *run, long requests)
{
    run->to_start = requests;
    for (long i = 0; i < run->job->concurrency; i++) {
        start(run);
    }
    while (run->running > 0) {
        drive_once(run);
        if (run->fd < 0) {
            take_all(run);
            continue;
        }
        /* what answers the events leaves together, with what answers those that come meanwhile */
        check(rqx_engine_cork(run->engine), "rqx_engine_cork");
        do {
            take_all(run);
        } while (rqx_engine_collect(run->engine, COLLECT_US) > 0);
        check(rqx_engine_uncork(run->engine), "rqx_engine_uncork");
    }
}

/* One blocking exchange. */
static bool perform(struct run *run, char *buffer)
{
    rqx_response *response = NULL;
    long long bytes = 0;
    int rc;

    if (run->stream) {
        rc = rqx_client_submit(run->client, run->request, NULL, &response);
        check(rc, "rqx_client_submit");
        do {
            rqx_response_wait(response, RQX_EVENT_HEAD | RQX_EVENT_BODY, RQX_NO_TIMEOUT);
        } while (drain(response, buffer, &bytes) == RQX_AGAIN);
        rqx_response_wait(response, RQX_EVENT_DONE, RQX_NO_TIMEOUT);
    } else {
        rc = rqx_client_perform(run->client, run->request, &response);
        if (!response) {
            check(rc, "rqx_client_perform");
        }
        bytes = (long long)rqx_response_raw_body(response).len;
    }
    bool good = went_well(run, response);
    atomic_fetch_add(&run->bytes, bytes);
    rqx_response_unref(response);
    return good;
}

static void *perform_thread(void *user)
{
    struct run *run = user;
    char *buffer = malloc(READ_SIZE);
    while (buffer && atomic_fetch_sub(&run->tickets, 1) > 0) {
        if (!perform(run, buffer)) {
            atomic_fetch_add(&run->failures, 1);
        }
    }
    free(buffer);
    return NULL;
}

static void run_threads(struct run *run, long requests)
{
    long count = run->job->concurrency;
    pthread_t *threads = calloc((size_t)count, sizeof(*threads));
    if (!threads) {
        check(RQX_ERR_NOMEM, "threads");
    }
    atomic_store(&run->tickets, requests);
    for (long i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, perform_thread, run) != 0) {
            check(RQX_ERR_SYSTEM, "pthread_create");
        }
    }
    for (long i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    free(threads);
    run->result->errors = atomic_load(&run->failures);
    run->result->requests = requests - run->result->errors;
    run->result->bytes = atomic_load(&run->bytes);
}

static void run_all(struct run *run, bool warm)
{
    const struct bench_job *job = run->job;
    long requests = warm ? job->warmup : job->requests;

    run->stream = !warm && job->kind == BENCH_DOWNLOAD;
    run->request = make_request(job, warm);
    if (!warm) {
        bench_begin(run->result);
    }
    if (job->mode && strcmp(job->mode, "perform") == 0) {
        run_threads(run, requests);
    } else {
        run_events(run, requests);
    }
    if (!warm) {
        bench_end(run->result);
    }
    rqx_request_unref(run->request);
}

static long long file_size(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0) {
        size = ftell(file);
    }
    if (file) {
        fclose(file);
    }
    return size;
}

int main(int argc, char **argv)
{
    struct bench_job job;
    struct bench_result warm = {0};
    struct bench_result result = {0};
    struct run run = {.job = &job, .result = &warm};

    bench_parse(&job, argc, argv);
    open_run(&run);
    run_all(&run, true);
    run.result = &result;
    atomic_store(&run.bytes, 0);
    atomic_store(&run.failures, 0);
    run_all(&run, false);
    close_run(&run);
    result.errors += warm.errors;
    result.protocol = atomic_load(&run.version) == RQX_HTTP_2 ? "h2" : "h1";
    if (job.kind == BENCH_UPLOAD) {
        result.bytes = result.requests * file_size(job.upload);
    }
    free(job.body);
    return bench_print(&result);
}
