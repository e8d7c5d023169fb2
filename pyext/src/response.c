/*
 * response.c - ResponseBase: what it tells, made of an rqx_response only when it is asked for.
 */
#include "headers.h"
#include "models.h"
#include "response.h"
#include "url.h"

#include <stddef.h>
#include <string.h>

static PyObject *raise_registered(core_state *state, enum core_registered which)
{
    PyObject *type = core_registered(state, which), *error;

    if (type == NULL)
        return NULL;
    error = PyObject_CallNoArgs(type);
    if (error != NULL)
        PyErr_SetObject(type, error);
    Py_XDECREF(error);
    return NULL;
}

/* --- parts made of |native|: new references, with the guard of the response held, but for what says otherwise --- */

static PyObject *headers_of(core_state *state, CoreResponse *self)
{
    CoreHeaders *made;

    if (self->headers != NULL)
        return Py_NewRef(self->headers);
    made = self->native == NULL ? core_headers_new(state)
                                : core_headers_from_native(state, rqx_response_headers(self->native));
    return core_field_first(&self->headers, (PyObject *)made);
}

/*
 * The first value of a lower case field name; NULL data: there is none.  It is good as long as |*ret_held| is, which
 * goes to core_let_go.
 */
static rqx_slice field_value(CoreResponse *self, const char *name, size_t len, PyObject **ret_held)
{
    rqx_slice value = {NULL, 0};
    PyObject *headers;
    core_field *field;

    *ret_held = NULL;
    if (self->headers == NULL)
        return self->native == NULL ? value : rqx_headers_get(rqx_response_headers(self->native), name, len);
    headers = core_hold(self->headers);
    CORE_LOCK(headers);
    field = core_headers_find((CoreHeaders *)headers, name, (Py_ssize_t)len);
    if (field != NULL) {
        value = (rqx_slice){PyBytes_AS_STRING(field->value), (size_t)PyBytes_GET_SIZE(field->value)};
        *ret_held = core_hold(field->value);
    }
    CORE_UNLOCK();
    core_let_go(headers);
    return value;
}

PyObject *core_response_request(core_state *state, CoreResponse *self)
{
    PyObject *made;

    if (self->request != NULL || self->native == NULL)
        return Py_XNewRef(self->request);
    made = core_request_of(state, rqx_response_request(self->native), self->request_content, self->request_timeout);
    return core_field_first(&self->request, made);
}

static const char *version_text(rqx_http_version version)
{
    return version == RQX_HTTP_2 ? "HTTP/2" : version == RQX_HTTP_1_0 ? "HTTP/1.0" : "HTTP/1.1";
}

static int put(PyObject *dict, PyObject *key, PyObject *value)
{
    int rc = value == NULL ? -1 : PyDict_SetItem(dict, key, value);

    Py_XDECREF(value);
    return rc;
}

/* What an SSLObject of the package is made of; None without TLS. */
static PyObject *tls_of(const rqx_response *native)
{
    rqx_tls_info info;

    if (rqx_response_tls(native, &info) < 0)
        Py_RETURN_NONE;
    return Py_BuildValue("(ssis#s#y#ii)", info.version, info.cipher, info.cipher_bits, info.alpn.data,
                         (Py_ssize_t)info.alpn.len, info.server_name.data, (Py_ssize_t)info.server_name.len,
                         info.peer_certificate.data, (Py_ssize_t)info.peer_certificate.len, info.verified,
                         info.resumed);
}

static PyObject *network_stream(CoreResponse *self)
{
    PyObject *module = PyImport_ImportModule("requestx._network"), *stream;
    rqx_slice peer, local;

    if (module == NULL)
        return NULL;
    rqx_response_addresses(self->native, &peer, &local);
    stream = PyObject_CallMethod(module, "NetworkStream", "ssN", peer.data, local.data, tls_of(self->native));
    Py_DECREF(module);
    return stream;
}

static PyObject *make_extensions(core_state *state, CoreResponse *self)
{
    PyObject *dict = PyDict_New();
    rqx_http_version version;
    rqx_slice reason;
    int rc;

    if (dict == NULL || self->native == NULL)
        return dict;
    version = rqx_response_version(self->native);
    rc = put(dict, state->names.http_version, PyBytes_FromString(version_text(version)));
    if (rc == 0 && version == RQX_HTTP_2) {
        rc = put(dict, state->names.stream_id, PyLong_FromLong(rqx_response_stream_id(self->native)));
    } else if (rc == 0) {
        reason = rqx_response_reason(self->native);
        rc = put(dict, state->names.reason_phrase,
                 PyBytes_FromStringAndSize(reason.data == NULL ? "" : reason.data, (Py_ssize_t)reason.len));
    }
    if (rc == 0)
        rc = put(dict, state->names.network_stream, network_stream(self));
    if (rc < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *extensions_of(core_state *state, CoreResponse *self)
{
    if (self->extensions != NULL)
        return Py_NewRef(self->extensions);
    return core_field_first(&self->extensions, make_extensions(state, self));
}

/* |name| of a module, kept in |slot| of the state; borrowed. */
static PyObject *kept_from(PyObject **slot, const char *module_name, const char *name)
{
    PyObject *kept = core_kept(slot), *module;

    if (kept != NULL)
        return kept;
    module = PyImport_ImportModule(module_name);
    if (module == NULL)
        return NULL;
    kept = core_keep_first(slot, PyObject_GetAttrString(module, name));
    Py_DECREF(module);
    return kept;
}

static PyObject *timedelta_of(core_state *state, int64_t microseconds)
{
    PyObject *type = kept_from(&state->timedelta, "datetime", "timedelta");

    return type == NULL ? NULL : PyObject_CallFunction(type, "iiL", 0, 0, (long long)microseconds);
}

/* --- attributes --- */

static PyObject *get_status_code(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return self->status_code != NULL ? Py_NewRef(self->status_code) : PyLong_FromLong(self->status);
}

CORE_GUARDED_GET(get_status_code)

int core_response_set_status(PyObject *op, PyObject *value, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    long status;

    (void)closure;
    if (value == NULL) {
        PyErr_SetString(PyExc_AttributeError, "status_code cannot be deleted");
        return -1;
    }
    status = PyLong_AsLong(value);
    if (status == -1 && PyErr_Occurred())
        return -1;
    self->status = status < 0 || status > 99999 ? 0 : (int)status;
    core_field_put(&self->status_code, Py_NewRef(value));
    return 0;
}

CORE_GUARDED_SET(core_response_set_status)

static PyObject *get_headers(PyObject *op, void *closure)
{
    (void)closure;
    return headers_of(core_state_of(Py_TYPE(op)), (CoreResponse *)op);
}

CORE_GUARDED_GET(get_headers)

static PyObject *get_request(PyObject *op, void *closure)
{
    PyObject *request = core_response_request(core_state_of(Py_TYPE(op)), (CoreResponse *)op);

    (void)closure;
    if (request == NULL || request == Py_None) {
        Py_XDECREF(request);
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "The request instance has not been set on this response.");
        return NULL;
    }
    return request;
}

CORE_GUARDED_GET(get_request)

static PyObject *get_request_or_none(PyObject *op, void *closure)
{
    PyObject *request = core_response_request(core_state_of(Py_TYPE(op)), (CoreResponse *)op);

    (void)closure;
    if (request == NULL && !PyErr_Occurred())
        return Py_NewRef(Py_None);
    return request;
}

CORE_GUARDED_GET(get_request_or_none)

static PyObject *get_url(PyObject *op, void *closure)
{
    PyObject *request = get_request_guarded(op, closure), *url;
    core_state *state = core_state_of(Py_TYPE(op));

    if (request == NULL)
        return NULL;
    url = PyObject_GetAttr(request, state->names.url);
    Py_DECREF(request);
    return url;
}

static PyObject *get_extensions(PyObject *op, void *closure)
{
    (void)closure;
    return extensions_of(core_state_of(Py_TYPE(op)), (CoreResponse *)op);
}

CORE_GUARDED_GET(get_extensions)

static PyObject *get_history(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    if (self->history == NULL)
        return core_field_first(&self->history, PyList_New(0));
    return Py_NewRef(self->history);
}

CORE_GUARDED_GET(get_history)

static PyObject *get_stream(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content, *made;

    (void)closure;
    if (self->stream != NULL)
        return Py_NewRef(self->stream);
    content = core_response_content(state, self);
    if (content == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_AttributeError, "stream");
        return NULL;
    }
    made = core_byte_stream(state, content);
    Py_DECREF(content);
    return core_field_first(&self->stream, made);
}

CORE_GUARDED_GET(get_stream)

static PyObject *get_content(PyObject *op, void *closure)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content = core_response_content(state, (CoreResponse *)op);

    (void)closure;
    if (content == NULL && !PyErr_Occurred())
        return raise_registered(state, CORE_ResponseNotRead);
    return content;
}

CORE_GUARDED_GET(get_content)

static PyObject *get_raw_content(PyObject *op, void *closure)
{
    PyObject *content = core_response_content(core_state_of(Py_TYPE(op)), (CoreResponse *)op);

    (void)closure;
    if (content == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_AttributeError, "_content");
    return content;
}

CORE_GUARDED_GET(get_raw_content)

static int lower_equals(const char *text, size_t len, const char *lower)
{
    size_t i;

    for (i = 0; i < len && lower[i] != '\0'; i++) {
        char c = text[i];

        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != lower[i])
            return 0;
    }
    return i == len && lower[i] == '\0';
}

/* Whether a Content-Type names no charset, or UTF-8. */
static int is_utf8(rqx_slice type)
{
    const char *end, *at;

    if (type.data == NULL)
        return 1;
    end = type.data + type.len;
    at = memchr(type.data, ';', type.len);
    if (at == NULL)
        return 1;
    for (at++; at < end && *at == ' '; at++)
        ;
    if ((size_t)(end - at) < 8 || !lower_equals(at, 8, "charset="))
        return 0;
    return lower_equals(at + 8, (size_t)(end - at) - 8, "utf-8");
}

/* Whether the body is UTF-8 beyond doubt: no charset, or that one, and nothing else was asked for. */
static int is_plain_utf8(CoreResponse *self)
{
    PyObject *held;
    rqx_slice type;
    int rc;

    if (self->default_encoding != NULL && !(PyUnicode_CheckExact(self->default_encoding) &&
                                            PyUnicode_CompareWithASCIIString(self->default_encoding, "utf-8") == 0))
        return 0;
    if (self->dict != NULL && PyDict_GET_SIZE(self->dict) > 0)
        return 0;
    type = field_value(self, "content-type", 12, &held);
    rc = is_utf8(type);
    core_let_go(held);
    return rc;
}

/* The text, or NULL: with an exception, or with the |*ret_content| that it takes Python code to read. */
static PyObject *quick_text(PyObject *op, PyObject **ret_content)
{
    CoreResponse *self = (CoreResponse *)op;
    PyObject *content, *text;

    if (self->text != NULL)
        return Py_NewRef(self->text);
    content = get_content(op, NULL);
    if (content == NULL)
        return NULL;
    if (PyBytes_GET_SIZE(content) != 0 && !is_plain_utf8(self)) {
        *ret_content = content;
        return NULL;
    }
    text = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content), "replace");
    Py_DECREF(content);
    return core_field_first(&self->text, text);
}

static PyObject *get_text(PyObject *op, void *closure)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content = NULL, *text;

    (void)closure;
    CORE_LOCK(op);
    text = quick_text(op, &content);
    CORE_UNLOCK();
    if (content == NULL)
        return text;
    text = PyObject_CallMethodOneArg(op, state->names._text_of, content);
    Py_DECREF(content);
    CORE_LOCK(op);
    text = core_field_first(&((CoreResponse *)op)->text, text);
    CORE_UNLOCK();
    return text;
}

static PyObject *get_raw_text(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    if (self->text == NULL)
        PyErr_SetString(PyExc_AttributeError, "_text");
    return Py_XNewRef(self->text);
}

CORE_GUARDED_GET(get_raw_text)

static PyObject *get_http_version(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *extensions, *value;

    (void)closure;
    CORE_LOCK(op);
    extensions = Py_XNewRef(self->extensions);
    CORE_UNLOCK();
    if (extensions == NULL)
        return PyUnicode_FromString(self->native == NULL ? "HTTP/1.1"
                                                         : version_text(rqx_response_version(self->native)));
    value = PyObject_GetItem(extensions, state->names.http_version);
    Py_DECREF(extensions);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        return PyUnicode_FromString("HTTP/1.1");
    }
    if (value != NULL)
        Py_SETREF(value, PyObject_CallMethod(value, "decode", "ss", "ascii", "ignore"));
    return value;
}

static PyObject *reason_by_status(core_state *state, PyObject *op)
{
    PyObject *function = core_registered(state, CORE_reason_phrase);
    PyObject *status = function == NULL ? NULL : get_status_code_guarded(op, NULL), *text;

    if (status == NULL)
        return NULL;
    text = PyObject_CallOneArg(function, status);
    Py_DECREF(status);
    return text;
}

static PyObject *get_reason_phrase(PyObject *op, void *closure)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *extensions = get_extensions_guarded(op, closure), *value;

    if (extensions == NULL)
        return NULL;
    value = PyObject_GetItem(extensions, state->names.reason_phrase);
    Py_DECREF(extensions);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_KeyError)) {
        PyErr_Clear();
        return reason_by_status(state, op);
    }
    if (value != NULL)
        Py_SETREF(value, PyObject_CallMethod(value, "decode", "ss", "ascii", "ignore"));
    return value;
}

static PyObject *get_elapsed(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    rqx_timings timings;
    PyObject *made;

    (void)closure;
    if (self->elapsed != NULL)
        return Py_NewRef(self->elapsed);
    if (!self->complete) {
        PyErr_SetString(PyExc_RuntimeError,
                        "'.elapsed' may only be accessed after the response has been read or closed.");
        return NULL;
    }
    rqx_response_timings(self->native, &timings);
    made = timedelta_of(core_state_of(Py_TYPE(op)), timings.total_us < 0 ? 0 : timings.total_us);
    return core_field_first(&self->elapsed, made);
}

CORE_GUARDED_GET(get_elapsed)

static PyObject *get_raw_elapsed(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    if (self->elapsed == NULL && !self->complete) {
        PyErr_SetString(PyExc_AttributeError, "_elapsed");
        return NULL;
    }
    return get_elapsed(op, closure);
}

CORE_GUARDED_GET(get_raw_elapsed)

static PyObject *get_num_bytes(PyObject *op, void *closure)
{
    (void)closure;
    return PyLong_FromSsize_t(((CoreResponse *)op)->downloaded);
}

CORE_GUARDED_GET(get_num_bytes)

static int set_num_bytes(PyObject *op, PyObject *value, void *closure)
{
    Py_ssize_t count = value == NULL ? 0 : PyLong_AsSsize_t(value);

    (void)closure;
    if (count == -1 && PyErr_Occurred())
        return -1;
    ((CoreResponse *)op)->downloaded = count;
    return 0;
}

CORE_GUARDED_SET(set_num_bytes)

static PyObject *get_next_request(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return Py_NewRef(self->next_request == NULL ? Py_None : self->next_request);
}

CORE_GUARDED_GET(get_next_request)

static PyObject *get_default_encoding(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return self->default_encoding == NULL ? PyUnicode_FromString("utf-8") : Py_NewRef(self->default_encoding);
}

CORE_GUARDED_GET(get_default_encoding)

/* |closure| is the first digit of the status; 9: 4xx or 5xx. */
static PyObject *get_is_class(PyObject *op, void *closure)
{
    int status = ((CoreResponse *)op)->status, wanted = (int)(size_t)closure;

    return PyBool_FromLong(wanted == 9 ? status >= 400 && status <= 599 : status / 100 == wanted);
}

CORE_GUARDED_GET(get_is_class)

static PyObject *get_has_redirect_location(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    PyObject *held;
    int has;

    (void)closure;
    switch (self->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        has = field_value(self, "location", 8, &held).data != NULL;
        core_let_go(held);
        return PyBool_FromLong(has);
    default:
        Py_RETURN_FALSE;
    }
}

CORE_GUARDED_GET(get_has_redirect_location)

static PyObject *get_trailers(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));

    (void)closure;
    if (self->native == NULL || !rqx_response_done(self->native))
        return (PyObject *)core_headers_new(state);
    return (PyObject *)core_headers_from_native(state, rqx_response_trailers(self->native));
}

static PyObject *get_stream_id(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    int32_t id = self->native == NULL ? 0 : rqx_response_stream_id(self->native);

    (void)closure;
    if (id == 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(id);
}

static PyObject *get_connection_id(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    uint64_t id = self->native == NULL ? 0 : rqx_response_connection_id(self->native);

    (void)closure;
    if (id == 0)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(id);
}

static PyObject *get_retries(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return PyLong_FromLong(self->native == NULL ? 0 : rqx_response_retries(self->native));
}

static PyObject *seconds(int64_t microseconds)
{
    if (microseconds < 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)microseconds / 1e6);
}

static PyObject *get_timings(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    rqx_timings timings;
    PyObject *result;

    (void)closure;
    if (self->native == NULL)
        Py_RETURN_NONE;
    rqx_response_timings(self->native, &timings);
    result = PyStructSequence_New(state->timings_type);
    if (result == NULL)
        return NULL;
    {
        const int64_t values[] = {timings.queue_us, timings.dns_us,        timings.connect_us, timings.tls_us,
                                  timings.sent_us,  timings.first_byte_us, timings.total_us};

        for (Py_ssize_t i = 0; i < 7; i++) {
            PyObject *value = seconds(values[i]);

            if (value == NULL) {
                Py_DECREF(result);
                return NULL;
            }
            PyStructSequence_SetItem(result, i, value);
        }
    }
    return result;
}

/* |closure| is the offset of the field. */
static int set_field(PyObject *op, PyObject *value, void *closure)
{
    core_field_put((PyObject **)((char *)op + (size_t)closure), Py_XNewRef(value));
    return 0;
}

CORE_GUARDED_SET(set_field)

/* Whatever fields can be made of: the rest of this file looks into them. */
static int set_headers(PyObject *op, PyObject *value, void *closure)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *headers;
    int rc;

    if (value == NULL || CoreHeaders_Check(state, value))
        return set_field_guarded(op, value, closure);
    headers = (PyObject *)core_headers_from(state, value);
    rc = headers == NULL ? -1 : set_field_guarded(op, headers, closure);
    Py_XDECREF(headers);
    return rc;
}

/* Whoever deletes the content wants the body to be read once more: from a stream that there may not be yet. */
static int set_raw_content(PyObject *op, PyObject *value, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    if (value != NULL && !PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a body must be bytes, not %.100s", Py_TYPE(value)->tp_name);
        return -1;
    }
    if (value == NULL && self->content != NULL) {
        PyObject *stream = get_stream(op, NULL);

        if (stream == NULL)
            return -1;
        Py_DECREF(stream);
    }
    return set_field(op, value, closure);
}

CORE_GUARDED_SET(set_raw_content)

/* --- methods --- */

static PyObject *response_json(PyObject *op, PyObject *args, PyObject *kwargs)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content, *loads, *result = NULL;

    if (PyTuple_GET_SIZE(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "Response.json() takes keyword arguments only");
        return NULL;
    }
    content = get_content_guarded(op, NULL);
    if (content == NULL)
        return NULL;
    loads = kept_from(&state->json_loads, "json", "loads");
    if (loads != NULL && kwargs == NULL) {
        result = PyObject_CallOneArg(loads, content);
    } else if (loads != NULL) {
        PyObject *positional = PyTuple_Pack(1, content);

        result = positional == NULL ? NULL : PyObject_Call(loads, positional, kwargs);
        Py_XDECREF(positional);
    }
    Py_DECREF(content);
    return result;
}

static PyObject *response_raise_for_status(PyObject *op, PyObject *unused)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    int is_good;

    (void)unused;
    CORE_LOCK(op);
    is_good = self->status / 100 == 2 && (self->native != NULL || (self->request != NULL && self->request != Py_None));
    CORE_UNLOCK();
    return is_good ? Py_NewRef(op) : PyObject_CallMethodNoArgs(op, state->names._raise_for_status);
}

/* Whether this thread is the one that reads the stream: the first that asks. */
static PyObject *response_begin_stream(PyObject *op, PyObject *unused)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)unused;
    if (self->is_stream_consumed)
        Py_RETURN_FALSE;
    self->is_stream_consumed = 1;
    self->downloaded = 0;
    Py_RETURN_TRUE;
}

CORE_GUARDED_METHOD(response_begin_stream)

/* Whether this thread is the one that closes the stream: the first that asks. */
static PyObject *response_begin_close(PyObject *op, PyObject *unused)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)unused;
    if (self->is_closed)
        Py_RETURN_FALSE;
    self->is_closed = 1;
    Py_RETURN_TRUE;
}

CORE_GUARDED_METHOD(response_begin_close)

/* --- the type --- */

static int response_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreResponse *self = (CoreResponse *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->status_code);
    Py_VISIT(self->headers);
    Py_VISIT(self->request);
    Py_VISIT(self->request_content);
    Py_VISIT(self->request_timeout);
    Py_VISIT(self->extensions);
    Py_VISIT(self->history);
    Py_VISIT(self->next_request);
    Py_VISIT(self->default_encoding);
    Py_VISIT(self->stream);
    Py_VISIT(self->content);
    Py_VISIT(self->elapsed);
    Py_VISIT(self->dict);
    return 0;
}

static int response_clear(PyObject *op)
{
    CoreResponse *self = (CoreResponse *)op;

    Py_CLEAR(self->status_code);
    Py_CLEAR(self->headers);
    Py_CLEAR(self->request);
    Py_CLEAR(self->request_content);
    Py_CLEAR(self->request_timeout);
    Py_CLEAR(self->extensions);
    Py_CLEAR(self->history);
    Py_CLEAR(self->next_request);
    Py_CLEAR(self->default_encoding);
    Py_CLEAR(self->stream);
    Py_CLEAR(self->content);
    Py_CLEAR(self->text);
    Py_CLEAR(self->elapsed);
    Py_CLEAR(self->dict);
    return 0;
}

static void response_dealloc(PyObject *op)
{
    CoreResponse *self = (CoreResponse *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    response_clear(op);
    rqx_response_unref(self->native);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef response_methods[] = {
    {"json", (PyCFunction)(void (*)(void))response_json, METH_VARARGS | METH_KEYWORDS,
     "json($self, /, **kwargs)\n--\n\nThe body, read as JSON."},
    {"raise_for_status", response_raise_for_status, METH_NOARGS,
     "raise_for_status($self, /)\n--\n\nRaise HTTPStatusError unless the status is 2xx; else give the response."},
    {"_begin_stream", response_begin_stream_guarded, METH_NOARGS, NULL},
    {"_begin_close", response_begin_close_guarded, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef response_members[] = {
    {"is_closed", T_BOOL, offsetof(CoreResponse, is_closed), 0, "Whether the stream was closed."},
    {"is_stream_consumed", T_BOOL, offsetof(CoreResponse, is_stream_consumed), 0, "Whether the stream was read."},
    {"__dictoffset__", T_PYSSIZET, offsetof(CoreResponse, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreResponse, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

CORE_GUARDED_INIT(core_response_construct)

#define FIELD(name) (void *)offsetof(CoreResponse, name)

static PyGetSetDef response_getset[] = {
    {"status_code", get_status_code_guarded, core_response_set_status_guarded, "Status code.", NULL},
    {"headers", get_headers_guarded, set_headers, "Headers.", FIELD(headers)},
    {"request", get_request_guarded, set_field_guarded, "The request that this answers.", FIELD(request)},
    {"_request", get_request_or_none_guarded, set_field_guarded, NULL, FIELD(request)},
    {"url", get_url, NULL, "URL of the request.", NULL},
    {"extensions", get_extensions_guarded, set_field_guarded, "Extensions of the transport API.", FIELD(extensions)},
    {"history", get_history_guarded, set_field_guarded, "Responses that led here.", FIELD(history)},
    {"next_request", get_next_request_guarded, set_field_guarded, "Where a redirect that was not followed leads.",
     FIELD(next_request)},
    {"default_encoding", get_default_encoding_guarded, set_field_guarded, "Encoding where the response names none.",
     FIELD(default_encoding)},
    {"stream", get_stream_guarded, set_field_guarded, "Stream of the body.", FIELD(stream)},
    {"content", get_content_guarded, NULL, "The body, decoded.", NULL},
    {"_content", get_raw_content_guarded, set_raw_content_guarded, NULL, FIELD(content)},
    {"text", get_text, NULL, "The body as text.", NULL},
    {"_text", get_raw_text_guarded, set_field_guarded, NULL, FIELD(text)},
    {"http_version", get_http_version, NULL, "Protocol version, such as HTTP/2.", NULL},
    {"reason_phrase", get_reason_phrase, NULL, "Reason phrase.", NULL},
    {"elapsed", get_elapsed_guarded, set_field_guarded, "From sending the request to the body's last byte.",
     FIELD(elapsed)},
    {"_elapsed", get_raw_elapsed_guarded, set_field_guarded, NULL, FIELD(elapsed)},
    {"num_bytes_downloaded", get_num_bytes_guarded, NULL, "Bytes of the body as received.", NULL},
    {"_num_bytes_downloaded", get_num_bytes_guarded, set_num_bytes_guarded, NULL, NULL},
    {"is_informational", get_is_class_guarded, NULL, "Whether the status is 1xx.", (void *)1},
    {"is_success", get_is_class_guarded, NULL, "Whether the status is 2xx.", (void *)2},
    {"is_redirect", get_is_class_guarded, NULL, "Whether the status is 3xx.", (void *)3},
    {"is_client_error", get_is_class_guarded, NULL, "Whether the status is 4xx.", (void *)4},
    {"is_server_error", get_is_class_guarded, NULL, "Whether the status is 5xx.", (void *)5},
    {"is_error", get_is_class_guarded, NULL, "Whether the status is 4xx or 5xx.", (void *)9},
    {"has_redirect_location", get_has_redirect_location_guarded, NULL, "Whether this is a redirect that says where to.",
     NULL},
    {"trailers", get_trailers, NULL, "Trailer fields, complete once the body was read.", NULL},
    {"stream_id", get_stream_id, NULL, "HTTP/2 stream, or None.", NULL},
    {"connection_id", get_connection_id, NULL, "Number of the connection within its client, or None.", NULL},
    {"retries", get_retries, NULL, "How often the request was moved to another connection.", NULL},
    {"timings", get_timings, NULL, "Seconds from the submission to the end of each phase, or None.", NULL},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot response_slots[] = {
    {Py_tp_doc, (void *)"ResponseBase(status_code, *, headers=None, content=None, text=None, html=None, json=None, "
                        "stream=None, request=None, extensions=None, history=None, default_encoding='utf-8')\n--\n\n"
                        "The fields of a Response."},
    {Py_tp_init, core_response_construct_guarded},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, response_dealloc},
    {Py_tp_traverse, response_traverse},
    {Py_tp_clear, response_clear},
    {Py_tp_methods, response_methods},
    {Py_tp_members, response_members},
    {Py_tp_getset, response_getset},
    {0, NULL},
};

static PyType_Spec response_spec = {
    .name = "requestx._core.ResponseBase",
    .basicsize = sizeof(CoreResponse),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = response_slots,
};

static PyStructSequence_Field timings_fields[] = {
    {"queue", "a connection and stream were there"},         {"dns", "the name was resolved"},
    {"connect", "TCP was connected, proxy tunnel included"}, {"tls", "the TLS handshake was complete"},
    {"sent", "the request's last byte was written"},         {"first_byte", "the response's head was complete"},
    {"total", "the response's last byte was there"},         {NULL, NULL},
};

static PyStructSequence_Desc timings_desc = {
    .name = "requestx.Timings",
    .doc = "Seconds from the submission to the end of each phase; None where it did not happen.",
    .fields = timings_fields,
    .n_in_sequence = 7,
};

int core_response_init(PyObject *module, core_state *state)
{
    state->response_type = core_add_type(module, &response_spec, NULL, 1);
    if (state->response_type == NULL)
        return -1;
    state->timings_type = PyStructSequence_NewType(&timings_desc);
    return state->timings_type == NULL ? -1 : 0;
}
