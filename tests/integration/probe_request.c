/*
 * probe_request.c - makes requests as a command tells: fields, credentials, deadlines, and bodies of every kind.
 */
#include <stdlib.h>
#include <string.h>

#include "probe.h"

/* A body that a callback gives in pieces, with pauses if wanted. */
struct source {
    struct task *task; /* counted */
    char *data;
    size_t len;
    size_t offset;
    size_t piece;
    int gap_ms;
    bool rested;    /* the pause before this piece is over */
    bool end_apart; /* the end is told after the last piece, not with it */
    long long fail_after;
    bool can_rewind;
    int rewinds;
};

static int source_read(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct source *source = user;
    size_t left = source->len - source->offset;
    size_t len = left < source->piece ? left : source->piece;

    if (source->fail_after >= 0 && source->offset >= (size_t)source->fail_after)
        return RQX_ERR_SYSTEM;
    if (source->gap_ms > 0 && source->offset != 0 && !source->rested) {
        source->rested = true;
        timer_add(source->gap_ms * 1000LL, task_resume_now, source->task);
        return RQX_AGAIN;
    }
    source->rested = false;
    if (len > cap)
        len = cap;
    if (len != 0)
        memcpy(buffer, source->data + source->offset, len);
    source->offset += len;
    *ret_len = len;
    *ret_end = source->offset == source->len && (!source->end_apart || len == 0);
    return 0;
}

static int source_rewind(void *user)
{
    struct source *source = user;

    source->offset = 0;
    source->rested = false;
    source->rewinds++;
    return 0;
}

static void source_free(void *user)
{
    struct source *source = user;

    if (source->task != NULL)
        task_unref(source->task);
    free(source->data);
    free(source);
}

void source_set_task(struct source *source, struct task *task)
{
    task_ref(task);
    source->task = task;
}

static void free_plain(void *user)
{
    free(user);
}

/* The body's bytes, in memory of the caller's own: what stands in the command, or a pattern of some length. */
static char *body_bytes(const struct args *args, size_t *ret_len)
{
    rqx_slice given = arg_slice(args, "body");
    size_t len = given.data != NULL ? given.len : (size_t)arg_number(args, "body_size", 0);
    char *data = malloc(len + 1);
    size_t i;

    if (data == NULL)
        abort();
    for (i = 0; i < len; i++)
        data[i] = given.data != NULL ? given.data[i] : (char)(i % 251);
    *ret_len = len;
    return data;
}

static int64_t announced(const struct args *args, size_t len)
{
    const char *text = arg_text(args, "length", NULL);

    if (text == NULL)
        return (int64_t)len;
    return strcmp(text, "unknown") == 0 ? RQX_LENGTH_UNKNOWN : strtoll(text, NULL, 10);
}

static int set_callback(const struct args *args, struct task *task, rqx_request *request, char *data, size_t len)
{
    struct source *source = calloc(1, sizeof *source);
    int rv;

    if (source == NULL)
        abort();
    *source = (struct source){.data = data,
                              .len = len,
                              .piece = (size_t)arg_number(args, "piece", 16384),
                              .gap_ms = (int)arg_number(args, "gap_ms", 0),
                              .end_apart = arg_number(args, "end_apart", 0) != 0,
                              .fail_after = arg_number(args, "fail_after", -1)};
    rv = rqx_request_set_body_callback(request, source_read, arg_number(args, "rewind", 0) != 0 ? source_rewind : NULL,
                                       announced(args, len), source_free, source);
    if (rv < 0)
        source_free(source);
    else
        source_set_task(source, task);
    return rv;
}

static int set_body(const struct args *args, struct task *task, rqx_request *request)
{
    const char *kind = arg_text(args, "body_kind", "bytes");
    const char *file = arg_text(args, "body_file", NULL);
    size_t len;
    char *data;
    int rv = 0;

    if (file != NULL)
        return rqx_request_set_body_file(request, file);
    if (arg_text(args, "body", NULL) == NULL && arg_text(args, "body_size", NULL) == NULL && strcmp(kind, "push") != 0)
        return 0;
    data = body_bytes(args, &len);
    if (strcmp(kind, "callback") == 0)
        return set_callback(args, task, request, data, len);
    if (strcmp(kind, "borrowed") == 0) {
        rv = rqx_request_set_body_borrowed(request, data, len, free_plain, data);
        if (rv == 0)
            return 0;
    } else if (strcmp(kind, "push") == 0) {
        rqx_request_set_body_push(request, announced(args, len));
        task->push = data;
        task->push_len = len;
        task->push_end = arg_number(args, "push_open", 0) == 0;
        return 0;
    } else {
        rv = rqx_request_set_body(request, data, len);
    }
    free(data);
    return rv;
}

int fields_make(const struct args *args, const char *key, rqx_headers *into)
{
    int index = -1;
    const struct pair *pair;

    while ((pair = arg_next(args, key, &index)) != NULL) {
        const char *tab = memchr(pair->value, '\t', pair->len);
        size_t name_len = tab == NULL ? pair->len : (size_t)(tab - pair->value);
        size_t rest = tab == NULL ? pair->len : name_len + 1;
        int rv = rqx_headers_add(into, pair->value, name_len, pair->value + rest, pair->len - rest);

        if (rv < 0)
            return rv;
    }
    return 0;
}

static int set_trailers(const struct args *args, rqx_request *request)
{
    rqx_headers *trailers = NULL;
    int rv;

    if (arg_text(args, "trailer", NULL) == NULL)
        return 0;
    rv = rqx_headers_new(&trailers);
    if (rv == 0)
        rv = fields_make(args, "trailer", trailers);
    if (rv == 0)
        rv = rqx_request_set_trailers(request, trailers);
    rqx_headers_free(trailers);
    return rv;
}

int auth_make(const char *text, rqx_auth **ret_auth)
{
    const char *first = strchr(text, '\t');
    const char *second = first == NULL ? NULL : strchr(first + 1, '\t');

    if (first == NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    if (second == NULL)
        return rqx_auth_bearer(first + 1, strlen(first + 1), ret_auth);
    if (strncmp(text, "digest", 6) == 0)
        return rqx_auth_digest(first + 1, (size_t)(second - first - 1), second + 1, strlen(second + 1), ret_auth);
    return rqx_auth_basic(first + 1, (size_t)(second - first - 1), second + 1, strlen(second + 1), ret_auth);
}

void timeouts_make(const struct args *args, rqx_timeouts *timeouts)
{
    timeouts->connect_ms = arg_number(args, "connect_ms", timeouts->connect_ms);
    timeouts->read_ms = arg_number(args, "read_ms", timeouts->read_ms);
    timeouts->write_ms = arg_number(args, "write_ms", timeouts->write_ms);
    timeouts->pool_ms = arg_number(args, "pool_ms", timeouts->pool_ms);
    timeouts->total_ms = arg_number(args, "total_ms", timeouts->total_ms);
    timeouts->stall_rate = arg_number(args, "stall_rate", timeouts->stall_rate);
    timeouts->stall_ms = arg_number(args, "stall_ms", timeouts->stall_ms);
}

/* Words between commas, in |text| (changed). */
static size_t split(char *text, const char *words[], size_t most)
{
    size_t count = 0;
    char *rest = NULL;
    char *word;

    for (word = strtok_r(text, ",", &rest); word != NULL && count < most; word = strtok_r(NULL, ",", &rest))
        words[count++] = word;
    return count;
}

int retry_make(const struct args *args, rqx_retry **ret_retry)
{
    char *methods_text = strdup(arg_text(args, "retry_methods", ""));
    char *statuses_text = strdup(arg_text(args, "retry_statuses", ""));
    const char *methods[16];
    const char *words[16];
    int statuses[16];
    rqx_retry_options options;
    size_t i;
    int rv;

    if (methods_text == NULL || statuses_text == NULL)
        abort();
    rqx_retry_options_init(&options);
    options.total = (int)arg_number(args, "retry", options.total);
    options.connect = (int)arg_number(args, "retry_connect", options.connect);
    options.read = (int)arg_number(args, "retry_read", options.read);
    options.status = (int)arg_number(args, "retry_status", options.status);
    options.backoff_ms = arg_number(args, "backoff_ms", 10);
    options.backoff_max_ms = arg_number(args, "backoff_max_ms", options.backoff_max_ms);
    options.jitter = (int)arg_number(args, "jitter", options.jitter);
    options.respect_retry_after = (int)arg_number(args, "retry_after", options.respect_retry_after);
    options.retry_after_max_ms = arg_number(args, "retry_after_max_ms", options.retry_after_max_ms);
    options.status_count = split(statuses_text, words, 16);
    for (i = 0; i < options.status_count; i++)
        statuses[i] = atoi(words[i]);
    options.method_count = split(methods_text, methods, 16);
    if (options.status_count != 0)
        options.statuses = statuses;
    if (options.method_count != 0)
        options.methods = methods;
    rv = rqx_retry_new(&options, ret_retry);
    free(methods_text);
    free(statuses_text);
    return rv;
}

/* retry=N: so many tries of its own; 0: none, whatever the client has. */
static int set_retry(const struct args *args, rqx_request *request)
{
    rqx_retry *retry = NULL;
    int rv = 0;

    if (arg_text(args, "retry", NULL) == NULL)
        return 0;
    if (arg_number(args, "retry", 0) != 0)
        rv = retry_make(args, &retry);
    if (rv == 0)
        rqx_request_set_retry(request, retry, retry == NULL);
    rqx_retry_unref(retry);
    return rv;
}

static int set_auth(const struct args *args, rqx_request *request)
{
    const char *text = arg_text(args, "auth", NULL);
    rqx_auth *auth = NULL;
    int rv;

    if (text == NULL)
        return 0;
    if (strcmp(text, "none") == 0) {
        rqx_request_set_auth(request, NULL, 1);
        return 0;
    }
    rv = auth_make(text, &auth);
    if (rv == 0)
        rqx_request_set_auth(request, auth, 0);
    rqx_auth_unref(auth);
    return rv;
}

static int set_proxy(const struct args *args, rqx_request *request)
{
    const char *text = arg_text(args, "proxy", NULL);
    rqx_url *url = NULL;
    rqx_proxy *proxy = NULL;
    int rv;

    if (arg_number(args, "direct", 0) != 0)
        rqx_request_set_proxy(request, NULL, 1);
    if (text == NULL)
        return 0;
    rv = rqx_url_parse(text, strlen(text), NULL, &url);
    if (rv == 0)
        rv = rqx_proxy_new(url, NULL, &proxy);
    if (rv == 0)
        rqx_request_set_proxy(request, proxy, 0);
    rqx_proxy_unref(proxy);
    rqx_url_unref(url);
    return rv;
}

static void set_numbers(const struct args *args, rqx_request *request)
{
    rqx_timeouts timeouts = {RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET,
                             RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET};

    timeouts_make(args, &timeouts);
    rqx_request_set_timeouts(request, &timeouts);
    if (arg_text(args, "redirects", NULL) != NULL)
        rqx_request_set_max_redirects(request, (int)arg_number(args, "redirects", -1));
    if (arg_text(args, "max_body", NULL) != NULL)
        rqx_request_set_max_body(request, arg_number(args, "max_body", -1));
    rqx_request_set_protocols(request, (unsigned)arg_number(args, "protocols", 0));
    rqx_request_set_streamed(request, arg_number(args, "streamed", 0) != 0);
    rqx_request_set_interim(request, arg_number(args, "interim", 0) != 0);
}

static int set_texts(const struct args *args, rqx_request *request)
{
    rqx_slice target = arg_slice(args, "target");
    rqx_slice name = arg_slice(args, "server_name");
    int rv = 0;

    if (target.data != NULL)
        rv = rqx_request_set_target(request, target.data, target.len);
    if (rv == 0 && name.data != NULL)
        rv = rqx_request_set_server_name(request, name.data, name.len);
    return rv;
}

int request_make(const struct args *args, struct task *task, rqx_request **ret_request)
{
    rqx_slice url_text = arg_slice(args, "url");
    rqx_slice method = arg_slice(args, "method");
    rqx_url *url = NULL;
    rqx_request *request = NULL;
    int rv = rqx_url_parse(url_text.data, url_text.len, NULL, &url);

    if (method.data == NULL)
        method = (rqx_slice){"GET", 3};
    if (rv == 0)
        rv = rqx_request_new(method.data, method.len, url, &request);
    rqx_url_unref(url);
    if (rv == 0)
        rv = fields_make(args, "header", rqx_request_headers(request));
    if (rv == 0)
        rv = set_texts(args, request);
    if (rv == 0)
        rv = set_trailers(args, request);
    if (rv == 0)
        rv = set_auth(args, request);
    if (rv == 0)
        rv = set_proxy(args, request);
    if (rv == 0)
        rv = set_retry(args, request);
    if (rv == 0)
        rv = set_body(args, task, request);
    if (rv < 0) {
        rqx_request_unref(request);
        return rv;
    }
    set_numbers(args, request);
    *ret_request = request;
    return 0;
}
