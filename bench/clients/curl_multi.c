/* The scorecard's libcurl client: the multi *socket* API over epoll, as its documentation asks for
 * where speed matters. |concurrency| easy handles are made once and added again as each finishes,
 * bodies are discarded as they come, and over HTTP/2 all share one connection (PIPEWAIT).
 */
#include "bench_cli.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_EVENTS 128

struct transfer {
    CURL *easy;
    struct run *run;
    FILE *file; /* uploads only */
};

struct run {
    const struct bench_job *job;
    struct bench_result *result;
    CURLM *multi;
    struct curl_slist *fields;
    struct transfer *transfers;
    int epoll_fd;
    double timeout_at; /* bench_now() seconds; negative = none */
    long to_start;
    long running;
    bool warm; /* the timed part has begun */
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "curl_multi: %s: %s\n", what, why);
    exit(2);
}

static int socket_cb(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct run *run = user;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(run->multi, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0U) |
                   (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0U);
    if (epoll_ctl(run->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
        die("epoll_ctl", strerror(errno));
    }
    if (!known) {
        curl_multi_assign(run->multi, fd, run);
    }
    return 0;
}

static int timer_cb(CURLM *multi, long timeout_ms, void *user)
{
    struct run *run = user;
    (void)multi;
    run->timeout_at = timeout_ms < 0 ? -1 : bench_now() + (double)timeout_ms / 1e3;
    return 0;
}

static size_t discard_cb(char *data, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    (void)data;
    if (transfer->run->warm && transfer->run->job->kind != BENCH_UPLOAD) {
        transfer->run->result->bytes += (long long)(size * count);
    }
    return size * count;
}

static size_t read_cb(char *data, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    size_t got = fread(data, 1, size * count, transfer->file);
    transfer->run->result->bytes += (long long)got;
    return got;
}

static int seek_cb(void *user, curl_off_t offset, int origin)
{
    struct transfer *transfer = user;
    return fseek(transfer->file, (long)offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static void set_upload(struct transfer *transfer, const struct bench_job *job)
{
    CURL *easy = transfer->easy;
    transfer->file = fopen(job->upload, "rb");
    if (!transfer->file || fseek(transfer->file, 0, SEEK_END) != 0) {
        die(job->upload, strerror(errno));
    }
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "POST");
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_cb);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_cb);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)ftell(transfer->file));
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024);
    rewind(transfer->file);
}

/* Set when the handle is made, and kept: only warm-up requests differ from those measured. */
static void set_measured(struct transfer *transfer)
{
    const struct bench_job *job = transfer->run->job;
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_URL, job->url);
    if (job->kind == BENCH_POST) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, job->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)job->body_size);
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->run->fields);
    } else if (job->kind == BENCH_UPLOAD) {
        set_upload(transfer, job);
    }
}

static void make_handle(struct transfer *transfer, struct run *run)
{
    const struct bench_job *job = run->job;
    CURL *easy = curl_easy_init();
    if (!easy) {
        die("curl_easy_init", "failed");
    }
    transfer->easy = easy;
    transfer->run = run;
    curl_easy_setopt(easy, CURLOPT_URL, job->warm_url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_CAINFO, job->ca);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard_cb);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     job->http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, job->http1 ? 0L : 1L);
    if (job->kind == BENCH_DOWNLOAD) {
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L * 1024);
    }
}

static void start_next(struct run *run, struct transfer *transfer)
{
    if (run->to_start == 0) {
        return;
    }
    run->to_start--;
    run->running++;
    if (transfer->file) {
        rewind(transfer->file);
    }
    CURLMcode rc = curl_multi_add_handle(run->multi, transfer->easy);
    if (rc != CURLM_OK) {
        die("curl_multi_add_handle", curl_multi_strerror(rc));
    }
}

static void note_done(struct run *run, const CURLMsg *msg)
{
    if (msg->data.result != CURLE_OK) {
        fprintf(stderr, "curl_multi: %s\n", curl_easy_strerror(msg->data.result));
        run->result->errors++;
    } else if (run->warm) {
        run->result->requests++;
    }
    if (!run->result->protocol) {
        long version = 0;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_HTTP_VERSION, &version);
        run->result->protocol = version == CURL_HTTP_VERSION_2_0 ? "h2" : "h1";
    }
}

static void collect(struct run *run)
{
    int left = 0;
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(run->multi, &left))) {
        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        CURL *easy = msg->easy_handle;
        struct transfer *transfer = NULL;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        note_done(run, msg);
        curl_multi_remove_handle(run->multi, easy); /* |msg| is gone after this */
        run->running--;
        start_next(run, transfer);
    }
}

static int wait_ms(const struct run *run)
{
    if (run->timeout_at < 0) {
        return 1000;
    }
    double left = (run->timeout_at - bench_now()) * 1e3;
    return left <= 0 ? 0 : (int)left + 1;
}

static void fire_timer(struct run *run)
{
    int running = 0;
    if (run->timeout_at >= 0 && bench_now() >= run->timeout_at) {
        run->timeout_at = -1;
        curl_multi_socket_action(run->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

static void perform(struct run *run, long requests, long concurrency)
{
    struct epoll_event events[MAX_EVENTS];
    run->to_start = requests;
    for (long i = 0; i < concurrency; i++) {
        start_next(run, &run->transfers[i]);
    }
    while (run->running > 0) {
        int count = epoll_wait(run->epoll_fd, events, MAX_EVENTS, wait_ms(run));
        for (int i = 0; i < count; i++) {
            int running = 0;
            int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                       (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                       (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(run->multi, events[i].data.fd, what, &running);
        }
        fire_timer(run);
        collect(run);
    }
}

static void open_run(struct run *run)
{
    long concurrency = run->job->concurrency;
    run->timeout_at = -1;
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run->multi = curl_multi_init();
    run->transfers = calloc((size_t)concurrency, sizeof(*run->transfers));
    run->fields = curl_slist_append(NULL, "Content-Type: application/json");
    if (run->epoll_fd < 0 || !run->multi || !run->transfers || !run->fields) {
        die("start", "out of memory");
    }
    curl_multi_setopt(run->multi, CURLMOPT_SOCKETFUNCTION, socket_cb);
    curl_multi_setopt(run->multi, CURLMOPT_SOCKETDATA, run);
    curl_multi_setopt(run->multi, CURLMOPT_TIMERFUNCTION, timer_cb);
    curl_multi_setopt(run->multi, CURLMOPT_TIMERDATA, run);
    curl_multi_setopt(run->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(run->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 256L);
    curl_multi_setopt(run->multi, CURLMOPT_MAXCONNECTS, concurrency + 1);
    for (long i = 0; i < concurrency; i++) {
        make_handle(&run->transfers[i], run);
    }
}

static void close_run(struct run *run)
{
    for (long i = 0; i < run->job->concurrency; i++) {
        curl_easy_cleanup(run->transfers[i].easy);
        if (run->transfers[i].file) {
            fclose(run->transfers[i].file);
        }
    }
    curl_multi_cleanup(run->multi);
    curl_slist_free_all(run->fields);
    free(run->transfers);
    close(run->epoll_fd);
}

int main(int argc, char **argv)
{
    struct bench_job job;
    struct bench_result result = {0};
    struct run run = {.job = &job, .result = &result};

    bench_parse(&job, argc, argv);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_run(&run);
    perform(&run, job.warmup, job.concurrency);
    for (long i = 0; i < job.concurrency; i++) {
        set_measured(&run.transfers[i]);
    }
    run.warm = true;
    bench_begin(&result);
    perform(&run, job.requests, job.concurrency);
    bench_end(&result);
    close_run(&run);
    curl_global_cleanup();
    free(job.body);
    return bench_print(&result);
}
