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

static void raise_field(core_state *state, int code, core_field *bad, PyObject *request)
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

static rqx_request *new_native(core_state *state, CoreRequest *request)
{
    PyObject *object = (PyObject *)request;
    rqx_request *native = NULL;
    const char *method;
    Py_ssize_t len;
    rqx_url *url;
    int rc;

    if (request->url == NULL || !CoreURL_Check(state, request->url) || request->method == NULL ||
        request->headers == NULL || !CoreHeaders_Check(state, request->headers)) {
        PyErr_SetString(PyExc_TypeError, "a Request needs a method, a URL and Headers");
        return NULL;
    }
    url = core_url_native(request->url);
    if (PyUnicode_Check(request->method)) {
        method = PyUnicode_AsUTF8AndSize(request->method, &len);
    } else {
        char *bytes = NULL;

        method = PyBytes_AsStringAndSize(request->method, &bytes, &len) < 0 ? NULL : bytes;
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
static int64_t announced_length(CoreHeaders *headers)
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

/* The body of |request| as bytes, if it is announced as long as it is.  0 or -1. */
static int set_bytes(core_state *state, CoreRequest *request, rqx_request *native, PyObject *content)
{
    int64_t announced = announced_length((CoreHeaders *)request->headers);

    if (announced >= 0 && announced != PyBytes_GET_SIZE(content)) {
        core_raise(state, RQX_ERR_REQUEST_LENGTH,
                   announced > PyBytes_GET_SIZE(content) ? "Too little data for declared Content-Length"
                                                         : "Too much data for declared Content-Length",
                   (PyObject *)request);
        return -1;
    }
    return core_set_bytes(state, native, content);
}

/* 1: to be pushed, 0: done, -1 with an exception. */
static int set_body(core_state *state, CoreRequest *request, rqx_request *native)
{
    PyObject *type, *empty, *content;
    int is_bytes, rc;

    if (request->stream == NULL) {
        if (request->content != NULL && PyBytes_Check(request->content))
            return set_bytes(state, request, native, request->content);
        PyErr_SetString(PyExc_TypeError, "the Request has neither a stream nor a body");
        return -1;
    }
    type = core_registered(state, CORE_ByteStream);
    is_bytes = type == NULL ? -1 : PyObject_IsInstance(request->stream, type);
    if (is_bytes < 0)
        return -1;
    if (!is_bytes) {
        rqx_request_set_body_push(native, announced_length((CoreHeaders *)request->headers));
        return 1;
    }
    empty = PyBytes_FromStringAndSize("", 0);
    content = empty == NULL ? NULL : PyObject_CallMethod(empty, "join", "O", request->stream);
    Py_XDECREF(empty);
    if (content == NULL)
        return -1;
    rc = set_bytes(state, request, native, content);
    Py_DECREF(content);
    return rc;
}

static int timeout_of(PyObject *timeouts, PyObject *name, int64_t *ret_ms)
{
    PyObject *value = PyDict_GetItemWithError(timeouts, name);
    int rc;

    if (value == NULL) {
        *ret_ms = RQX_NO_TIMEOUT;
        return PyErr_Occurred() ? -1 : 0;
    }
    Py_INCREF(value); /* its __float__() may change the dict */
    rc = core_milliseconds(value, ret_ms);
    Py_DECREF(value);
    return rc;
}

static int set_timeouts(core_state *state, PyObject *timeouts, rqx_request *native)
{
    rqx_timeouts values;
    PyObject *stall;

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
    stall = PyDict_GetItemWithError(timeouts, state->names.stall);
    if (PyErr_Occurred() || core_stall(stall == NULL ? Py_None : stall, &values) < 0)
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

static int set_extensions(core_state *state, CoreRequest *request, rqx_request *native)
{
    PyObject *extensions = request->extensions, *value;
    int rc;

    if (extensions == NULL)
        return 0;
    if (!PyDict_Check(extensions)) {
        PyErr_SetString(PyExc_TypeError, "Request.extensions must be a dict");
        return -1;
    }
    value = Py_XNewRef(PyDict_GetItemWithError(extensions, state->names.timeout));
    rc = value == NULL || value == Py_None ? 0 : set_timeouts(state, value, native);
    Py_XDECREF(value);
    if (rc < 0)
        return -1;
    value = PyDict_GetItemWithError(extensions, state->names.sni_hostname);
    if (value != NULL && value != Py_None &&
        set_text(state, value, "sni_hostname", native, (PyObject *)request, rqx_request_set_server_name) < 0)
        return -1;
    value = PyDict_GetItemWithError(extensions, state->names.target);
    if (value != NULL && value != Py_None &&
        set_text(state, value, "target", native, (PyObject *)request, rqx_request_set_target) < 0)
        return -1;
    value = PyDict_GetItemWithError(extensions, state->names.retries);
    if (value != NULL && set_retry(state, value, native) < 0)
        return -1;
    value = PyDict_GetItemWithError(extensions, state->names.informational);
    if (value != NULL && value != Py_None)
        rqx_request_set_interim(native, 1);
    return PyErr_Occurred() ? -1 : 0;
}

int core_native_request(core_state *state, CoreRequest *request, rqx_request **ret_native)
{
    rqx_request *native = new_native(state, request);
    core_field *bad = NULL;
    int rc, push;

    if (native == NULL)
        return -1;
    rc = core_headers_to_native((CoreHeaders *)request->headers, rqx_request_headers(native), &bad);
    if (rc < 0) {
        raise_field(state, rc, bad, (PyObject *)request);
        goto fail;
    }
    push = set_body(state, request, native);
    if (push < 0 || set_extensions(state, request, native) < 0)
        goto fail;
    *ret_native = native;
    return push;

fail:
    rqx_request_unref(native);
    return -1;
}
