/*
 * probe.c - options, timers, and the loops of the driver modes; see probe.h.
 *
 *     probe mode=sync|run|embedded|thread [pull=1] [KEY=VALUE...]
 *
 * Reads commands from its standard input until it ends; writes a line of JSON for each thing that happens.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

#define LONGEST_COMMAND (4 * 1024 * 1024)
#define MOST_OVERRIDES  64

struct probe probe = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- timers: a heap and a thread ---- */

struct alarm {
    long long due_us;
    timer_cb cb;
    struct task *task;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    struct alarm *heap;
    size_t count;
    size_t cap;
    bool stop;
} alarms = {.lock = PTHREAD_MUTEX_INITIALIZER};

static long long now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void swap_alarms(size_t a, size_t b)
{
    struct alarm saved = alarms.heap[a];

    alarms.heap[a] = alarms.heap[b];
    alarms.heap[b] = saved;
}

void timer_add(long long us, timer_cb cb, struct task *task)
{
    size_t at;

    task_ref(task);
    pthread_mutex_lock(&alarms.lock);
    if (alarms.count == alarms.cap) {
        alarms.cap = 2 * alarms.cap + 64;
        alarms.heap = realloc(alarms.heap, alarms.cap * sizeof *alarms.heap);
        if (alarms.heap == NULL)
            abort();
    }
    at = alarms.count++;
    alarms.heap[at] = (struct alarm){now_us() + us, cb, task};
    for (; at != 0 && alarms.heap[(at - 1) / 2].due_us > alarms.heap[at].due_us; at = (at - 1) / 2)
        swap_alarms(at, (at - 1) / 2);
    pthread_cond_signal(&alarms.changed);
    pthread_mutex_unlock(&alarms.lock);
}

static struct alarm pop_alarm(void)
{
    struct alarm first = alarms.heap[0];
    size_t at = 0;

    alarms.heap[0] = alarms.heap[--alarms.count];
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < alarms.count && alarms.heap[child + 1].due_us < alarms.heap[child].due_us)
            child++;
        if (child >= alarms.count || alarms.heap[child].due_us >= alarms.heap[at].due_us)
            return first;
        swap_alarms(at, child);
        at = child;
    }
}

static void *run_alarms(void *user)
{
    (void)user;
    pthread_mutex_lock(&alarms.lock);
    while (!alarms.stop) {
        struct alarm alarm;
        struct timespec until;

        if (alarms.count == 0) {
            pthread_cond_wait(&alarms.changed, &alarms.lock);
            continue;
        }
        if (alarms.heap[0].due_us > now_us()) {
            until = (struct timespec){.tv_sec = alarms.heap[0].due_us / 1000000,
                                      .tv_nsec = alarms.heap[0].due_us % 1000000 * 1000};
            pthread_cond_timedwait(&alarms.changed, &alarms.lock, &until);
            continue;
        }
        alarm = pop_alarm();
        pthread_mutex_unlock(&alarms.lock);
        alarm.cb(alarm.task);
        task_unref(alarm.task);
        pthread_mutex_lock(&alarms.lock);
    }
    pthread_mutex_unlock(&alarms.lock);
    return NULL;
}

static void start_alarms(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&alarms.changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&alarms.thread, NULL, run_alarms, NULL) != 0)
        abort();
}

static void stop_alarms(void)
{
    pthread_mutex_lock(&alarms.lock);
    alarms.stop = true;
    pthread_cond_signal(&alarms.changed);
    pthread_mutex_unlock(&alarms.lock);
    pthread_join(alarms.thread, NULL);
    while (alarms.count != 0)
        task_unref(alarms.heap[--alarms.count].task);
    free(alarms.heap);
}

/* ---- options ---- */

static int make_engine(const struct args *args)
{
    static const char *const names[] = {"sync", "run", "embedded", "thread"};
    const char *name = arg_text(args, "mode", "sync");
    const char *resolve[MOST_OVERRIDES + 1] = {NULL};
    const struct pair *pair;
    rqx_engine_options options;
    int index = -1;
    int count = 0;

    while (probe.kind < KIND_THREAD && strcmp(names[probe.kind], name) != 0)
        probe.kind++;
    probe.pull = arg_number(args, "pull", 0) != 0;
    probe.keep = arg_number(args, "keep", 0) != 0;
    while (count < MOST_OVERRIDES && (pair = arg_next(args, "resolve", &index)) != NULL)
        resolve[count++] = pair->value;
    rqx_engine_options_init(&options);
    options.mode = probe.kind == KIND_EMBEDDED ? RQX_MODE_EMBEDDED
                   : probe.kind == KIND_THREAD ? RQX_MODE_THREAD
                                               : RQX_MODE_SYNC;
    options.pull_events = probe.pull;
    options.nameservers = arg_text(args, "nameservers", NULL);
    options.resolve = count == 0 ? NULL : resolve;
    options.dns_ttl_max_ms = arg_number(args, "dns_ttl_max_ms", options.dns_ttl_max_ms);
    options.dns_negative_ms = arg_number(args, "dns_negative_ms", options.dns_negative_ms);
    options.dns_timeout_ms = arg_number(args, "dns_timeout_ms", options.dns_timeout_ms);
    return rqx_engine_new(&options, &probe.engine);
}

static int make_tls(const struct args *args, rqx_tls **ret_tls)
{
    const char *pins[RQX_TLS_PINS_MAX];
    const struct pair *pair;
    rqx_tls_options options;
    int index = -1;

    rqx_tls_options_init(&options);
    while (options.pin_count < RQX_TLS_PINS_MAX && (pair = arg_next(args, "pin", &index)) != NULL)
        pins[options.pin_count++] = pair->value;
    options.pins = options.pin_count == 0 ? NULL : pins;
    options.verify = (int)arg_number(args, "verify", 1);
    options.system_trust = (int)arg_number(args, "system_trust", 0);
    options.ca_file = arg_text(args, "ca", NULL);
    options.ca_dir = arg_text(args, "ca_dir", NULL);
    options.cert_file = arg_text(args, "cert", NULL);
    options.key_file = arg_text(args, "key", NULL);
    options.key_password = arg_text(args, "key_password", NULL);
    options.keylog_file = arg_text(args, "keylog", NULL);
    options.crl_file = arg_text(args, "crl", NULL);
    options.crl_check_chain = (int)arg_number(args, "crl_chain", 0);
    options.min_version = (int)arg_number(args, "min_version", options.min_version);
    options.trust_env = (int)arg_number(args, "trust_env", 0);
    return rqx_tls_new(&options, ret_tls);
}

/* The proxy's own TLS: "proxy_ca" is the file of those it trusts, "proxy_verify" 0 for all. */
static int make_proxy_tls(const struct args *args, rqx_tls **ret_tls)
{
    rqx_tls_options options;

    rqx_tls_options_init(&options);
    options.ca_file = arg_text(args, "proxy_ca", NULL);
    options.verify = (int)arg_number(args, "proxy_verify", 1);
    if (options.ca_file == NULL && options.verify)
        return 0; /* the default: the system's */
    options.system_trust = 0;
    return rqx_tls_new(&options, ret_tls);
}

static int make_proxy(const struct args *args, rqx_proxy **ret_proxy)
{
    const char *text = arg_text(args, "proxy", NULL);
    rqx_proxy_options options;
    rqx_headers *headers = NULL;
    rqx_url *url = NULL;
    int rv;

    if (text == NULL)
        return 0;
    rv = rqx_url_parse(text, strlen(text), NULL, &url);
    if (rv == 0)
        rv = rqx_headers_new(&headers);
    if (rv == 0)
        rv = fields_make(args, "proxy_header", headers);
    rqx_proxy_options_init(&options);
    options.user = arg_text(args, "proxy_user", NULL);
    options.password = arg_text(args, "proxy_password", NULL);
    options.headers = headers;
    if (rv == 0)
        rv = make_proxy_tls(args, &options.tls);
    if (rv == 0)
        rv = rqx_proxy_new(url, &options, ret_proxy);
    rqx_tls_unref(options.tls);
    rqx_headers_free(headers);
    rqx_url_unref(url);
    return rv;
}

/* address_base=any|none|public [allow=NETWORK...] [deny=NETWORK...] */
static int make_address_policy(const struct args *args, rqx_address_policy **ret_policy)
{
    static const char *const names[] = {"any", "none", "public"};
    const char *base = arg_text(args, "address_base", NULL);
    const struct pair *pair;
    int kind = 0;
    int index = -1;
    int rv;

    if (base == NULL)
        return 0;
    while (kind < RQX_ADDRESS_PUBLIC && strcmp(names[kind], base) != 0)
        kind++;
    rv = rqx_address_policy_new((rqx_address_base)kind, ret_policy);
    while (rv == 0 && (pair = arg_next(args, "allow", &index)) != NULL)
        rv = rqx_address_policy_allow(*ret_policy, pair->value);
    index = -1;
    while (rv == 0 && (pair = arg_next(args, "deny", &index)) != NULL)
        rv = rqx_address_policy_deny(*ret_policy, pair->value);
    return rv;
}

static void set_limits(const struct args *args, rqx_client_options *options)
{
    rqx_limits *limits = &options->limits;

    timeouts_make(args, &options->timeouts);
    limits->max_connections = arg_number(args, "max_connections", limits->max_connections);
    limits->max_keepalive = arg_number(args, "max_keepalive", limits->max_keepalive);
    limits->keepalive_expiry_ms = arg_number(args, "keepalive_expiry_ms", limits->keepalive_expiry_ms);
    limits->max_streams = arg_number(args, "max_streams", limits->max_streams);
    limits->max_connections_per_origin =
        arg_number(args, "max_connections_per_origin", limits->max_connections_per_origin);
    options->protocols = (unsigned)arg_number(args, "protocols", options->protocols);
    options->trust_env = (int)arg_number(args, "trust_env", 0);
    options->max_redirects = (int)arg_number(args, "redirects", options->max_redirects);
    options->max_replays = (int)arg_number(args, "max_replays", options->max_replays);
    options->connect_retries = (int)arg_number(args, "connect_retries", options->connect_retries);
    options->expect_continue_ms = arg_number(args, "expect_continue_ms", options->expect_continue_ms);
    options->ping_idle_ms = arg_number(args, "ping_idle_ms", options->ping_idle_ms);
    options->ping_timeout_ms = arg_number(args, "ping_timeout_ms", options->ping_timeout_ms);
    options->max_header_list = (size_t)arg_number(args, "max_header_list", (long long)options->max_header_list);
    options->max_window = (size_t)arg_number(args, "max_window", (long long)options->max_window);
    options->max_decoded = (uint64_t)arg_number(args, "max_decoded", (long long)options->max_decoded);
    options->max_decode_ratio = (uint32_t)arg_number(args, "max_decode_ratio", options->max_decode_ratio);
    options->local_address = arg_text(args, "local_address", NULL);
    options->unix_path = arg_text(args, "unix_path", NULL);
}

static int make_client(const struct args *args)
{
    const char *auth = arg_text(args, "auth", NULL);
    rqx_client_options options;
    rqx_address_policy *policy = NULL;
    rqx_headers *headers = NULL;
    int rv;

    rqx_client_options_init(&options);
    set_limits(args, &options);
    rv = rqx_headers_new(&headers);
    if (rv == 0)
        rv = fields_make(args, "header", headers);
    options.headers = headers;
    if (rv == 0)
        rv = make_tls(args, &options.tls);
    if (rv == 0)
        rv = make_proxy(args, &options.proxy);
    if (rv == 0 && auth != NULL)
        rv = auth_make(auth, &options.auth);
    if (rv == 0 && arg_number(args, "cookies", 0) != 0)
        rv = rqx_cookies_new(&probe.cookies);
    options.cookies = probe.cookies;
    if (rv == 0 && arg_text(args, "retry", NULL) != NULL)
        rv = retry_make(args, &options.retry);
    if (rv == 0)
        rv = make_address_policy(args, &policy);
    options.address_policy = policy;
    if (rv == 0)
        rv = rqx_client_new(probe.engine, &options, &probe.client);
    rqx_address_policy_free(policy);
    rqx_headers_free(headers);
    rqx_tls_unref(options.tls);
    rqx_proxy_unref(options.proxy);
    rqx_auth_unref(options.auth);
    rqx_retry_unref(options.retry);
    return rv;
}

/* ---- commands ---- */

/* Resident memory; 0 where a sanitizer keeps freed memory, so that it tells nothing. */
static long rss_kb(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
#endif
}

static void tell_stats(const char *id)
{
    rqx_engine_stats stats;
    struct line line;

    rqx_engine_get_stats(probe.engine, &stats);
    line_begin(&line, "stats", id);
    line_number(&line, "connections_open", (long long)stats.connections_open);
    line_number(&line, "connections_made", (long long)stats.connections_made);
    line_number(&line, "exchanges_open", (long long)stats.exchanges_open);
    line_number(&line, "exchanges_queued", (long long)stats.exchanges_queued);
    line_number(&line, "exchanges_done", (long long)stats.exchanges_done);
    line_number(&line, "replays", (long long)stats.replays);
    line_number(&line, "resets_sent", (long long)stats.resets_sent);
    line_number(&line, "dispatches", (long long)stats.dispatches);
    line_number(&line, "cookies", probe.cookies != NULL ? (long long)rqx_cookies_count(probe.cookies) : 0);
    line_number(&line, "rss_kb", rss_kb());
    line_end(&line);
}

static void run_command(char *text)
{
    struct args args;
    char *words = strchr(text, ' ');
    struct task *task;

    if (words != NULL)
        *words++ = '\0';
    args_parse(&args, words == NULL ? strchr(text, '\0') : words);
    if (strcmp(text, "submit") == 0) {
        task_submit(&args);
    } else if (strcmp(text, "stats") == 0) {
        tell_stats(arg_text(&args, "id", "?"));
    } else if (strcmp(text, "shut") == 0) {
        rqx_client_close(probe.client);
    } else if ((task = task_find(arg_text(&args, "id", ""))) != NULL) {
        task_command(task, text, &args);
        task_unref(task);
    }
}

struct input {
    char *text;
    size_t len;
    size_t cap;
};

/* Reads what there is and runs the complete lines of it; false at the end. */
static bool take_input(struct input *input)
{
    char *begin;
    char *newline;
    ssize_t got;

    if (input->cap - input->len < 65536) {
        input->cap = 2 * input->cap + 131072;
        if (input->cap > 2 * LONGEST_COMMAND || (input->text = realloc(input->text, input->cap)) == NULL)
            abort();
    }
    got = read(STDIN_FILENO, input->text + input->len, input->cap - input->len - 1);
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0)
        return false;
    input->len += (size_t)got;
    input->text[input->len] = '\0';
    begin = input->text;
    rqx_engine_cork(probe.engine);
    while ((newline = memchr(begin, '\n', input->len - (size_t)(begin - input->text))) != NULL) {
        *newline = '\0';
        run_command(begin);
        begin = newline + 1;
    }
    rqx_engine_uncork(probe.engine);
    input->len -= (size_t)(begin - input->text);
    memmove(input->text, begin, input->len);
    return true;
}

/* ---- drivers ---- */

static void take_events(void)
{
    rqx_event events[64];
    int count;
    int i;

    if (!probe.pull)
        return;
    while ((count = rqx_engine_take(probe.engine, events, 64)) > 0) {
        for (i = 0; i < count; i++)
            task_event(events[i].user, events[i].response, events[i].what);
    }
    if (count < 0)
        abort();
}

static bool anything_runs(void)
{
    bool runs;

    pthread_mutex_lock(&probe.lock);
    runs = probe.running != 0;
    pthread_mutex_unlock(&probe.lock);
    return runs;
}

/* The foreign loop: one thread, two descriptors. */
static void drive_embedded(struct input *input)
{
    struct pollfd watched[2] = {{.fd = rqx_engine_fd(probe.engine), .events = POLLIN},
                                {.fd = STDIN_FILENO, .events = POLLIN}};
    long long give_up = 0;

    while (give_up == 0 || (anything_runs() && now_us() < give_up)) {
        watched[0].revents = watched[1].revents = 0;
        if (poll(watched, give_up == 0 ? 2 : 1, give_up == 0 ? -1 : 100) < 0 && errno != EINTR)
            abort();
        if (watched[0].revents != 0 && rqx_engine_dispatch(probe.engine) < 0)
            abort();
        take_events();
        if (give_up == 0 && watched[1].revents != 0 && !take_input(input)) {
            rqx_client_close(probe.client);
            give_up = now_us() + 10000000;
        }
    }
}

static bool stopping; /* probe.lock */

static void *run_engine(void *user)
{
    bool stop = false;

    (void)user;
    while (!stop) {
        if (rqx_engine_run(probe.engine, 100) < 0)
            abort();
        take_events();
        pthread_mutex_lock(&probe.lock);
        stop = stopping;
        pthread_mutex_unlock(&probe.lock);
    }
    return NULL;
}

/* Commands in this thread; the exchanges are driven by those who wait, by the library, or by one thread that runs the
 * engine. */
static void drive_others(struct input *input)
{
    struct timespec until;
    pthread_t runner;
    int rv = 0;

    if (probe.kind == KIND_RUN && pthread_create(&runner, NULL, run_engine, NULL) != 0)
        abort();
    while (take_input(input)) {
    }
    rqx_client_close(probe.client);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&probe.lock);
    while (probe.running != 0 && rv == 0)
        rv = pthread_cond_timedwait(&probe.changed, &probe.lock, &until);
    stopping = true;
    pthread_mutex_unlock(&probe.lock);
    if (probe.kind == KIND_RUN)
        pthread_join(runner, NULL);
}

/* Lets the last frames out: GOAWAY and close_notify. */
static void drain(void)
{
    long long give_up = now_us() + 1000000;
    rqx_engine_stats stats;

#if defined(__SANITIZE_ADDRESS__)
    /* the library's thread may be on its way back from the last callback: the engine then outlives us by a moment, and
     * what that thread holds would look like a leak */
    if (probe.kind == KIND_THREAD)
        poll(NULL, 0, 30);
#endif
    rqx_engine_get_stats(probe.engine, &stats);
    while (stats.connections_open != 0 && now_us() < give_up) {
        struct pollfd watched = {.fd = probe.kind == KIND_EMBEDDED ? rqx_engine_fd(probe.engine) : -1,
                                 .events = POLLIN};

        poll(&watched, 1, 10);
        if (probe.kind == KIND_EMBEDDED)
            rqx_engine_dispatch(probe.engine);
        else if (probe.kind != KIND_THREAD)
            rqx_engine_run(probe.engine, 10);
        rqx_engine_get_stats(probe.engine, &stats);
    }
}

static void tell_ready(const char *event, int rv)
{
    struct line line;

    line_begin(&line, event, NULL);
    line_text(&line, "error", rv < 0 ? rqx_error_name(rv) + strlen("RQX_ERR_") : "");
    line_end(&line);
}

int main(int argc, char **argv)
{
    static struct args args;
    struct input input = {.text = NULL};
    bool left;
    int rv;
    int i;

    for (i = 1; i < argc; i++)
        args_add(&args, argv[i]);
    rv = make_engine(&args);
    if (rv == 0)
        rv = make_client(&args);
    tell_ready(rv < 0 ? "failed" : "ready", rv);
    if (rv == 0) {
        start_alarms();
        if (probe.kind == KIND_EMBEDDED)
            drive_embedded(&input);
        else
            drive_others(&input);
        drain();
        stop_alarms();
        tasks_done();
    }
    left = anything_runs();
    free(input.text);
    rqx_client_unref(probe.client);
    rqx_cookies_unref(probe.cookies);
    rqx_engine_unref(probe.engine);
    if (left)
        fprintf(stderr, "%d exchanges never ended\n", probe.running);
    return rv < 0 ? 3 : left ? 4 : 0;
}
