#include "client/request.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/file.h"
#include "http/url.h"

/* Longest method, and longest request target of the caller's. */
#define METHOD_MAX 64

static void body_clear(struct rqx__body *body)
{
    if (body->kind == RQX__BODY_FILE)
        close(body->file_fd);
    if (body->free_cb != NULL)
        body->free_cb(body->user);
    memset(body, 0, sizeof *body);
    body->file_fd = -1;
}

static int check_url(const rqx_url *url)
{
    rqx_slice scheme = rqx_url_scheme(url);
    rqx_slice host = rqx_url_host(url);

    if (!rqx__eq(scheme.data, scheme.len, "http", 4) && !rqx__eq(scheme.data, scheme.len, "https", 5))
        return RQX_ERR_UNSUPPORTED_SCHEME;
    if (host.data == NULL || host.len == 0)
        return RQX_ERR_INVALID_URL;
    return rqx_url_effective_port(url) > RQX__PORT_MAX ? RQX_ERR_CONNECT : 0;
}

int rqx_request_new(const char *method, size_t method_len, rqx_url *url, rqx_request **ret_request)
{
    struct rqx_request *request;
    int rv;

    if (method_len > METHOD_MAX || !rqx__is_token(method, method_len))
        return RQX_ERR_INVALID_METHOD;
    rv = check_url(url);
    if (rv < 0)
        return rv;
    request = rqx__calloc(1, sizeof *request);
    if (request == NULL)
        return RQX_ERR_NOMEM;
    request->method = rqx__strndup(method, method_len);
    if (request->method == NULL) {
        rqx__free(request);
        return RQX_ERR_NOMEM;
    }
    atomic_init(&request->refs, 1);
    atomic_init(&request->source, 0);
    request->method_len = method_len;
    request->url = rqx_url_ref(url);
    rqx__headers_init(&request->headers);
    request->body.file_fd = -1;
    request->timeouts = (rqx_timeouts){RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET,
                                       RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET, RQX_TIMEOUT_UNSET};
    request->max_redirects = -1;
    request->max_body = request->max_redirect_body = -1;
    *ret_request = request;
    return 0;
}

int rqx_request_new_text(const char *method, const char *url, rqx_request **ret_request)
{
    rqx_url *parsed = NULL;
    int rv = rqx_url_parse(url, strlen(url), NULL, &parsed);

    if (rv < 0)
        return rv;
    rv = rqx_request_new(method, strlen(method), parsed, ret_request);
    rqx_url_unref(parsed);
    return rv;
}

rqx_request *rqx_request_ref(rqx_request *request)
{
    atomic_fetch_add_explicit(&request->refs, 1, memory_order_relaxed);
    return request;
}

void rqx_request_unref(rqx_request *request)
{
    if (request == NULL || atomic_fetch_sub_explicit(&request->refs, 1, memory_order_acq_rel) != 1)
        return;
    body_clear(&request->body);
    rqx_headers_free(request->trailers);
    rqx__headers_done(&request->headers);
    rqx_auth_unref(request->auth);
    rqx_retry_unref(request->retry);
    rqx_proxy_unref(request->proxy);
    rqx_url_unref(request->url);
    rqx__free(request->server_name);
    rqx__free(request->target);
    rqx__free(request->method);
    rqx__free(request);
}

rqx_slice rqx_request_method(const rqx_request *request)
{
    return (rqx_slice){request->method, request->method_len};
}

rqx_url *rqx_request_url(const rqx_request *request)
{
    return request->url;
}

rqx_headers *rqx_request_headers(rqx_request *request)
{
    return &request->headers;
}

static void free_copy(void *user)
{
    rqx__free(user);
}

int rqx_request_set_body(rqx_request *request, const void *data, size_t len)
{
    char *copy;

    if (len > INT64_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    copy = rqx__strndup(data, len);
    if (copy == NULL)
        return RQX_ERR_NOMEM;
    return rqx_request_set_body_borrowed(request, copy, len, free_copy, copy);
}

int rqx_request_set_body_borrowed(rqx_request *request, const void *data, size_t len, rqx_free_cb free_cb, void *user)
{
    if (len > INT64_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    body_clear(&request->body);
    request->body.kind = RQX__BODY_BYTES;
    request->body.length = (int64_t)len;
    request->body.bytes = data;
    request->body.free_cb = free_cb;
    request->body.user = user;
    return 0;
}

int rqx_request_set_body_file(rqx_request *request, const char *path)
{
    uint64_t length;
    int fd;
    int rv = rqx__file_open(path, &fd, &length);

    if (rv < 0)
        return rv;
    body_clear(&request->body);
    request->body.kind = RQX__BODY_FILE;
    request->body.length = (int64_t)length;
    request->body.file_fd = fd;
    return 0;
}

int rqx_request_set_body_callback(rqx_request *request, rqx_body_read_cb read_cb, rqx_body_rewind_cb rewind_cb,
                                  int64_t length, rqx_free_cb free_cb, void *user)
{
    if (read_cb == NULL || length < RQX_LENGTH_UNKNOWN)
        return RQX_ERR_INVALID_ARGUMENT;
    body_clear(&request->body);
    request->body.kind = RQX__BODY_CALLBACK;
    request->body.length = length;
    request->body.read_cb = read_cb;
    request->body.rewind_cb = rewind_cb;
    request->body.free_cb = free_cb;
    request->body.user = user;
    return 0;
}

void rqx_request_set_body_push(rqx_request *request, int64_t length)
{
    body_clear(&request->body);
    request->body.kind = RQX__BODY_PUSH;
    request->body.length = length < 0 ? RQX_LENGTH_UNKNOWN : length;
}

int rqx_request_set_trailers(rqx_request *request, const rqx_headers *headers)
{
    rqx_headers *copy = NULL;
    int rv = headers == NULL ? 0 : rqx_headers_copy(headers, &copy);

    if (rv < 0)
        return rv;
    rqx_headers_free(request->trailers);
    request->trailers = copy;
    return 0;
}

void rqx_request_set_timeouts(rqx_request *request, const rqx_timeouts *timeouts)
{
    request->timeouts = *timeouts;
}

void rqx_request_set_auth(rqx_request *request, rqx_auth *auth, int none)
{
    rqx_auth *old = request->auth;

    request->auth = auth == NULL ? NULL : rqx_auth_ref(auth);
    request->no_auth = none != 0;
    rqx_auth_unref(old);
}

void rqx_request_set_retry(rqx_request *request, rqx_retry *retry, int none)
{
    rqx_retry *old = request->retry;

    request->retry = retry == NULL ? NULL : rqx_retry_ref(retry);
    request->no_retry = none != 0;
    rqx_retry_unref(old);
}

void rqx_request_set_max_redirects(rqx_request *request, int max_redirects)
{
    request->max_redirects = max_redirects < 0 ? -1 : max_redirects;
}

void rqx_request_set_streamed(rqx_request *request, int streamed)
{
    request->streamed = streamed != 0;
}

void rqx_request_set_max_body(rqx_request *request, int64_t max_body)
{
    request->max_body = max_body < 0 ? -1 : max_body;
}

void rqx_request_set_max_redirect_body(rqx_request *request, int64_t max_body)
{
    request->max_redirect_body = max_body < 0 ? -1 : max_body;
}

void rqx_request_set_protocols(rqx_request *request, unsigned protocols)
{
    request->protocols = protocols;
}

void rqx_request_set_proxy(rqx_request *request, rqx_proxy *proxy, int direct)
{
    rqx_proxy *old = request->proxy;

    request->proxy = proxy == NULL ? NULL : rqx_proxy_ref(proxy);
    request->direct = direct != 0;
    rqx_proxy_unref(old);
}

/* Replaces an owned text that must be printable ASCII without spaces. */
static int set_visible_text(char **text, size_t *text_len, const char *value, size_t len)
{
    char *copy;
    size_t i;

    if (len == 0 || len > RQX_URL_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    for (i = 0; i < len; i++) {
        if ((unsigned char)value[i] <= 0x20 || (unsigned char)value[i] >= 0x7f)
            return RQX_ERR_INVALID_ARGUMENT;
    }
    copy = rqx__strndup(value, len);
    if (copy == NULL)
        return RQX_ERR_NOMEM;
    rqx__free(*text);
    *text = copy;
    *text_len = len;
    return 0;
}

int rqx_request_set_target(rqx_request *request, const char *target, size_t len)
{
    return set_visible_text(&request->target, &request->target_len, target, len);
}

int rqx_request_set_server_name(rqx_request *request, const char *name, size_t len)
{
    if (len > 255)
        return RQX_ERR_INVALID_ARGUMENT;
    return set_visible_text(&request->server_name, &request->server_name_len, name, len);
}

void rqx_request_set_interim(rqx_request *request, int wanted)
{
    request->interim = wanted != 0;
}

void rqx_request_set_callback(rqx_request *request, rqx_event_cb event_cb)
{
    request->event_cb = event_cb;
}

enum source_state { SOURCE_FRESH = 0, SOURCE_BUSY, SOURCE_USED };

static bool has_source(const struct rqx_request *request)
{
    return request->body.kind == RQX__BODY_CALLBACK || request->body.kind == RQX__BODY_PUSH;
}

int rqx__request_claim_source(struct rqx_request *request)
{
    int state = SOURCE_FRESH;

    if (!has_source(request) || atomic_compare_exchange_strong(&request->source, &state, SOURCE_BUSY))
        return 0;
    if (state == SOURCE_BUSY)
        return RQX_ERR_STATE;
    if (!rqx__request_can_rewind(request))
        return RQX_ERR_BODY_REPLAY;
    return atomic_compare_exchange_strong(&request->source, &state, SOURCE_BUSY) ? 1 : RQX_ERR_STATE;
}

void rqx__request_release_source(struct rqx_request *request)
{
    if (has_source(request))
        atomic_store(&request->source, SOURCE_USED);
}

bool rqx__request_can_rewind(const struct rqx_request *request)
{
    switch (request->body.kind) {
    case RQX__BODY_CALLBACK:
        return request->body.rewind_cb != NULL;
    case RQX__BODY_PUSH:
        return false;
    case RQX__BODY_NONE:
    case RQX__BODY_BYTES:
    case RQX__BODY_FILE:
        break;
    }
    return true;
}
