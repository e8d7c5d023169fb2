/*
 * submit.c - from a Request to a native one: fields, body, timeouts and extensions.
 */
#include "errors.h"
#include "graveyard.h"
#include "headers.h"
#include "retry.h"
#include "transport.h"
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bodies up to this size are copied; larger ones are borrowed of their bytes object. */
#define COPY_MAX 16384

void core_raise_submit(core_state *state, int code, const rqx_request *native, PyObject *request)
{
    int error = errno;
    char text[128];

    (void)native;
    if (code == RQX_ERR_CLOSED && request != NULL) {
        core_raise(state, code, "the connection pool was closed while the request was made", request);
    } else if (code == RQX_ERR_SYSTEM && error != 0) {
        snprintf(text, sizeof text, "%s: %s", rqx_error_text(code), strerror(error));
        core_raise(state, code, text, request);
    } else
        core_raise(state, code, NULL, request);
}

static int is_token(PyObject *bytes)
{
    const char *text = PyBytes_AS_STRING(bytes);
    Py_ssize_t len = PyBytes_GET_SIZE(bytes);

    for (Py_ssize_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
            return 0;
    }
    return len > 0;
}

/* What of a Request makes a native one, as it was at one moment; references. */
struct parts {
    PyObject *request;
    PyObject *method;
    PyObject *url;
    PyObject *headers;
    PyObject *stream;
    PyObject *content;
    PyObject *extensions;
};

static void take_parts(CoreRequest *request, struct parts *parts)
{
    parts->request = (PyObject *)request;
    CORE_LOCK(request);
    parts->method = Py_XNewRef(request->method);
    parts->url = Py_XNewRef(request->url);
    parts->headers = Py_XNewRef(request->headers);
    parts->stream = Py_XNewRef(request->stream);
    parts->content = Py_XNewRef(request->content);
    parts->extensions = Py_XNewRef(request->extensions);
    CORE_UNLOCK();
}

static void drop_parts(struct parts *parts)
{
    Py_XDECREF(parts->method);
    Py_XDECREF(parts->url);
    Py_XDECREF(parts->headers);
    Py_XDECREF(parts->stream);
    Py_XDECREF(parts->content);
    Py_XDECREF(parts->extensions);
}

static void raise_field(core_state *state, int code, const core_field *bad, PyObject *request)
{
    PyObject *text = NULL;

    if (code == RQX_ERR_INVALID_FIELD && is_token(bad->raw))
        text = PyUnicode_FromFormat("Illegal header value %R", bad->value);
    else if (code == RQX_ERR_INVALID_FIELD)
        text = PyUnicode_FromFormat("Illegal header name %R", bad->raw);
    if (code == RQX_ERR_HEADER_TOO_LARGE) { /* ours, not the peer's, for which that code stands */
        core_raise(state, RQX_ERR_INVALID_FIELD, "The request has more than 8192 header fields, or 1 MiB of them",
                   request);
        return;
    }
    if (!PyErr_Occurred())
        core_raise(state, code, text == NULL ? NULL : PyUnicode_AsUTF8(text), request);
    Py_XDECREF(text);
}

static void raise_scheme(core_state *state, rqx_url *url, PyObject *request)
{
    rqx_slice scheme = rqx_url_scheme(url);
    char text[128];

    if (scheme.len == 0)
        snprintf(text, sizeof text, "Request URL is missing an 'http://' or 'https://' protocol.");
    else
        snprintf(text, sizeof text, "Request URL has an unsupported protocol '%.*s://'.",
                 scheme.len > 60 ? 60 : (int)scheme.len, scheme.data);
    core_raise(state, RQX_ERR_UNSUPPORTED_SCHEME, text, request);
}

static void raise_port(core_state *state, rqx_url *url, PyObject *request)
{
    rqx_slice authority = rqx_url_authority(url);
    char text[320];

    snprintf(text, sizeof text, "connect to %.*s: no address has that port",
             authority.len > 260 ? 260 : (int)authority.len, authority.data);
    core_raise(state, RQX_ERR_CONNECT, text, request);
}

static rqx_request *new_native(core_state *state, const struct parts *parts)
{
    PyObject *object = parts->request;
    rqx_request *native = NULL;
    const char *method;
    Py_ssize_t len;
    rqx_url *url;
    int rc;

    if (parts->url == NULL || !CoreURL_Check(state, parts->url) || parts->method == NULL || parts->headers == NULL ||
        !CoreHeaders_Check(state, parts->headers)) {
        PyErr_SetString(PyExc_TypeError, "a Request needs a method, a URL and Headers");
        return NULL;
    }
    url = core_url_native(parts->url);
    if (PyUnicode_Check(parts->method)) {
        method = PyUnicode_AsUTF8AndSize(parts->method, &len);
    } else {
        char *bytes = NULL;

        method = PyBytes_AsStringAndSize(parts->method, &bytes, &len) < 0 ? NULL : bytes;
    }
    if (url == NULL || method == NULL)
        return NULL;
    rc = rqx_request_new(method, (size_t)len, url, &native);
    if (rc == 0)
        return native;
    if (rc == RQX_ERR_UNSUPPORTED_SCHEME)
        raise_scheme(state, url, object);
    else if (rc == RQX_ERR_INVALID_URL)
        core_raise(state, RQX_ERR_UNSUPPORTED_SCHEME, "Request URL is missing a host.", object);
    else if (rc == RQX_ERR_INVALID_METHOD)
        core_raise(state, rc, "Illegal method characters", object);
    else if (rc == RQX_ERR_CONNECT)
        raise_port(state, url, object);
    else
        core_raise(state, rc, NULL, object);
    return NULL;
}

int core_set_bytes(core_state *state, rqx_request *native, PyObject *content)
{
    Py_ssize_t len = PyBytes_GET_SIZE(content);
    struct core_deferred *deferred;
    int rc;

    if (len == 0)
        return 0;
    if (len <= COPY_MAX) {
        rc = rqx_request_set_body(native, PyBytes_AS_STRING(content), (size_t)len);
    } else {
        deferred = core_deferred_new(state, content);
        if (deferred == NULL)
            return -1;
        rc = rqx_request_set_body_borrowed(native, PyBytes_AS_STRING(content), (size_t)len, core_deferred_done,
                                           deferred);
        if (rc < 0)
            core_deferred_done(deferred);
    }
    if (rc < 0)
        core_raise(state, rc, NULL, NULL);
    return rc < 0 ? -1 : 0;
}

/* Content-Length as the fields say it; RQX_LENGTH_UNKNOWN if they do not. */
static int64_t length_of(CoreHeaders *headers)
{
    core_field *field = core_headers_find(headers, "content-length", 14);
    const char *text;
    int64_t value = 0;

    if (field == NULL || PyBytes_GET_SIZE(field->value) == 0 || PyBytes_GET_SIZE(field->value) > 18)
        return RQX_LENGTH_UNKNOWN;
    for (text = PyBytes_AS_STRING(field->value); *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return RQX_LENGTH_UNKNOWN;
        value = value * 10 + (*text - '0');
    }
    return value;
}

static int64_t announced_length(const struct parts *parts)
{
    int64_t length;

    CORE_LOCK(parts->headers);
    length = length_of((CoreHeaders *)parts->headers);
    CORE_UNLOCK();
    return length;
}

/* |content| as the body, if it is announced as long as it is.  0 or -1. */
static int set_bytes(core_state *state, const struct parts *parts, rqx_request *native, PyObject *content)
{
    int64_t announced = announced_length(parts);

    if (announced >= 0 && announced != PyBytes_GET_SIZE(content)) {
        core_raise(state, RQX_ERR_REQUEST_LENGTH,
                   announced > PyBytes_GET_SIZE(content) ? "Too little data for declared Content-Length"
                                                         : "Too much data for declared Content-Length",
                   parts->request);
        return -1;
    }
    return core_set_bytes(state, native, content);
}

/* 1: to be pushed, 0: done, -1 with an exception. */
static int set_body(core_state *state, const struct parts *parts, rqx_request *native)
{
    PyObject *type, *empty, *content;
    int is_bytes, rc;

    if (parts->stream == NULL) {
        if (parts->content != NULL && PyBytes_Check(parts->content))
            return set_bytes(state, parts, native, parts->content);
        PyErr_SetString(PyExc_TypeError, "the Request has neither a stream nor a body");
        return -1;
    }
    type = core_registered(state, CORE_ByteStream);
    is_bytes = type == NULL ? -1 : PyObject_IsInstance(parts->stream, type);
    if (is_bytes < 0)
        return -1;
    if (!is_bytes) {
        rqx_request_set_body_push(native, announced_length(parts));
        return 1;
    }
    empty = PyBytes_FromStringAndSize("", 0);
    content = empty == NULL ? NULL : PyObject_CallMethod(empty, "join", "O", parts->stream);
    Py_XDECREF(empty);
    if (content == NULL)
        return -1;
    rc = set_bytes(state, parts, native, content);
    Py_DECREF(content);
    return rc;
}

static int timeout_of(PyObject *timeouts, PyObject *name, int64_t *ret_ms)
{
    PyObject *value;
    int rc = core_dict_item(timeouts, name, &value);

    if (rc <= 0) {
        *ret_ms = RQX_NO_TIMEOUT;
        return rc;
    }
    rc = core_milliseconds(value, ret_ms);
    Py_DECREF(value);
    return rc;
}

static int set_timeouts(core_state *state, PyObject *timeouts, rqx_request *native)
{
    rqx_timeouts values;
    PyObject *stall;
    int rc;

    if (!PyDict_Check(timeouts)) {
        PyErr_SetString(PyExc_TypeError, "the timeout extension must be a dict");
        return -1;
    }
    if (timeout_of(timeouts, state->names.connect, &values.connect_ms) < 0 ||
        timeout_of(timeouts, state->names.read, &values.read_ms) < 0 ||
        timeout_of(timeouts, state->names.write, &values.write_ms) < 0 ||
        timeout_of(timeouts, state->names.pool, &values.pool_ms) < 0 ||
        timeout_of(timeouts, state->names.total, &values.total_ms) < 0)
        return -1;
    rc = core_dict_item(timeouts, state->names.stall, &stall);
    if (rc >= 0)
        rc = core_stall(stall == NULL ? Py_None : stall, &values);
    Py_XDECREF(stall);
    if (rc < 0)
        return -1;
    rqx_request_set_timeouts(native, &values);
    return 0;
}

static int set_text(core_state *state, PyObject *value, const char *name, rqx_request *native, PyObject *request,
                    int (*set)(rqx_request *native, const char *text, size_t len))
{
    const char *text;
    Py_ssize_t len;
    int rc;

    if (PyBytes_Check(value)) {
        text = PyBytes_AS_STRING(value);
        len = PyBytes_GET_SIZE(value);
    } else if (PyUnicode_Check(value)) {
        text = PyUnicode_AsUTF8AndSize(value, &len);
        if (text == NULL)
            return -1;
    } else {
        PyErr_Format(PyExc_TypeError, "the %s extension must be str or bytes", name);
        return -1;
    }
    rc = set(native, text, (size_t)len);
    if (rc < 0) {
        char message[96];

        snprintf(message, sizeof message, "the %s extension is not valid", name);
        core_raise(state, rc, message, request);
    }
    return rc < 0 ? -1 : 0;
}

/* A Retry, or None for none at all.  0 or -1. */
static int set_retry(core_state *state, PyObject *value, rqx_request *native)
{
    rqx_retry *retry = value == Py_None ? NULL : core_retry_of(state, value);

    if (retry == NULL && value != Py_None)
        return -1;
    rqx_request_set_retry(native, retry, retry == NULL);
    rqx_retry_unref(retry);
    return 0;
}

/* One extension that is not None, but for the retries, of which None says something.  0 or -1. */
static int set_extension(core_state *state, const struct parts *parts, PyObject *name, rqx_request *native)
{
    PyObject *value;
    int rc = core_dict_item(parts->extensions, name, &value);

    if (rc <= 0)
        return rc;
    rc = 0;
    if (name == state->names.retries)
        rc = set_retry(state, value, native);
    else if (value == Py_None)
        rc = 0;
    else if (name == state->names.timeout)
        rc = set_timeouts(state, value, native);
    else if (name == state->names.sni_hostname)
        rc = set_text(state, value, "sni_hostname", native, parts->request, rqx_request_set_server_name);
    else if (name == state->names.target)
        rc = set_text(state, value, "target", native, parts->request, rqx_request_set_target);
    else
        rqx_request_set_interim(native, 1);
    Py_DECREF(value);
    return rc;
}

static int set_extensions(core_state *state, const struct parts *parts, rqx_request *native)
{
    PyObject *const names[] = {state->names.timeout, state->names.sni_hostname, state->names.target,
                               state->names.retries, state->names.informational};

    if (parts->extensions == NULL)
        return 0;
    if (!PyDict_Check(parts->extensions)) {
        PyErr_SetString(PyExc_TypeError, "Request.extensions must be a dict");
        return -1;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (set_extension(state, parts, names[i], native) < 0)
            return -1;
    }
    return 0;
}

/* 0 or -1. */
static int set_headers(core_state *state, const struct parts *parts, rqx_request *native)
{
    core_field *at = NULL, bad = {NULL, NULL, NULL};
    int rc;

    CORE_LOCK(parts->headers);
    rc = core_headers_to_native((CoreHeaders *)parts->headers, rqx_request_headers(native), &at);
    if (rc < 0)
        bad = (core_field){Py_NewRef(at->raw), NULL, Py_NewRef(at->value)};
    CORE_UNLOCK();
    if (rc == 0)
        return 0;
    raise_field(state, rc, &bad, parts->request);
    Py_DECREF(bad.raw);
    Py_DECREF(bad.value);
    return -1;
}

int core_native_request(core_state *state, CoreRequest *request, rqx_request **ret_native)
{
    rqx_request *native;
    struct parts parts;
    int push = -1;

    take_parts(request, &parts);
    native = new_native(state, &parts);
    if (native != NULL && set_headers(state, &parts, native) == 0)
        push = set_body(state, &parts, native);
    if (push >= 0 && set_extensions(state, &parts, native) < 0)
        push = -1;
    drop_parts(&parts);
    if (push < 0)
        rqx_request_unref(native);
    else
        *ret_native = native;
    return push;
}
