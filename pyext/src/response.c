/*
 * response.c - ResponseBase: what it tells, made of an rqx_response only when it is asked for.
 */
#include "errors.h"
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

/* --- parts made of |native| --- */

static PyObject *headers_of(core_state *state, CoreResponse *self)
{
    if (self->headers == NULL) {
        self->headers = self->native == NULL
                            ? (PyObject *)core_headers_new(state)
                            : (PyObject *)core_headers_from_native(state, rqx_response_headers(self->native));
    }
    return self->headers;
}

/* The first value of a lower case field name; NULL data: there is none. */
static rqx_slice field_value(CoreResponse *self, const char *name, size_t len)
{
    core_field *field;

    if (self->headers == NULL)
        return self->native == NULL ? (rqx_slice){NULL, 0}
                                    : rqx_headers_get(rqx_response_headers(self->native), name, len);
    field = core_headers_find((CoreHeaders *)self->headers, name, (Py_ssize_t)len);
    if (field == NULL)
        return (rqx_slice){NULL, 0};
    return (rqx_slice){PyBytes_AS_STRING(field->value), (size_t)PyBytes_GET_SIZE(field->value)};
}

static PyObject *request_of(core_state *state, CoreResponse *self)
{
    if (self->request == NULL && self->native != NULL)
        self->request =
            core_request_of(state, rqx_response_request(self->native), self->request_content, self->request_timeout);
    return self->request;
}

static void raise_decoding(core_state *state, CoreResponse *self, int code)
{
    const char *text = code == RQX_ERR_DECODED_TOO_LARGE ? "the response body decodes to more than is allowed"
                       : code == RQX_ERR_DECODING        ? "the response body's content coding is malformed"
                                                         : NULL;

    if (request_of(state, self) != NULL)
        core_raise(state, code, text, self->request);
}

/* Whether the comma separated |list| has |name|. */
static int list_has(const char *list, const char *name, size_t len)
{
    while (*list != '\0') {
        size_t item = strcspn(list, ", ");

        if (item == len && PyOS_strnicmp(list, name, (Py_ssize_t)len) == 0)
            return 1;
        list += item;
        list += strspn(list, ", ");
    }
    return 0;
}

/* Whether each coding that |value| names is one that the library undoes. */
static int codings_are_known(rqx_slice value)
{
    const char *at = value.data, *end = at + value.len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *last = comma == NULL ? end : comma;

        while (at < last && (*at == ' ' || *at == '\t'))
            at++;
        while (at < last && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (at < last && !list_has(rqx_version()->codings, at, (size_t)(last - at)) &&
            !list_has("identity, x-gzip", at, (size_t)(last - at)))
            return 0;
        at = comma == NULL ? end : comma + 1;
    }
    return 1;
}

/* Whether the body has a coding that is unknown to the library, which then leaves those that were applied before it. */
static int has_unknown_coding(const rqx_headers *fields)
{
    if (rqx_headers_get(fields, "content-encoding", 16).data == NULL)
        return 0;
    for (size_t i = 0; i < rqx_headers_count(fields); i++) {
        rqx_field field = rqx_headers_at(fields, i);

        if (field.name.len == 16 && PyOS_strnicmp(field.name.data, "content-encoding", 16) == 0 &&
            !codings_are_known(field.value))
            return 1;
    }
    return 0;
}

/* The body without the codings that are known, as httpx does it: as if there was no other. */
static PyObject *decode_known(core_state *state, CoreResponse *self)
{
    rqx_slice raw = rqx_response_raw_body(self->native);
    PyObject *bytes = PyBytes_FromStringAndSize(raw.data, (Py_ssize_t)raw.len), *content;

    if (bytes == NULL)
        return NULL;
    content = PyObject_CallMethodOneArg((PyObject *)self, state->names._decoded, bytes);
    Py_DECREF(bytes);
    if (content != NULL && !PyBytes_CheckExact(content)) {
        PyErr_SetString(PyExc_TypeError, "_decoded() must return bytes");
        Py_CLEAR(content);
    }
    if (content != NULL && self->content == NULL)
        self->content = Py_NewRef(content);
    Py_XDECREF(content);
    return content == NULL ? NULL : self->content;
}

/* Takes the decoded body out of |native|. */
PyObject *core_response_content(core_state *state, CoreResponse *self)
{
    rqx_slice body;
    int rc;

    if (self->content != NULL || !self->complete)
        return self->content;
    if (has_unknown_coding(rqx_response_headers(self->native)))
        return decode_known(state, self);
    rc = rqx_response_body(self->native, &body);
    if (rc < 0) {
        raise_decoding(state, self, rc);
        return NULL;
    }
    self->content = PyBytes_FromStringAndSize(body.data, (Py_ssize_t)body.len);
    if (self->content != NULL)
        rqx_response_discard_body(self->native);
    return self->content;
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
    if (self->extensions == NULL)
        self->extensions = make_extensions(state, self);
    return self->extensions;
}

static PyObject *timedelta_of(core_state *state, int64_t microseconds)
{
    if (state->timedelta == NULL) {
        PyObject *datetime = PyImport_ImportModule("datetime");

        if (datetime == NULL)
            return NULL;
        state->timedelta = PyObject_GetAttrString(datetime, "timedelta");
        Py_DECREF(datetime);
        if (state->timedelta == NULL)
            return NULL;
    }
    return PyObject_CallFunction(state->timedelta, "iiL", 0, 0, (long long)microseconds);
}

/* --- attributes --- */

static PyObject *get_status_code(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return self->status_code != NULL ? Py_NewRef(self->status_code) : PyLong_FromLong(self->status);
}

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
    Py_XSETREF(self->status_code, Py_NewRef(value));
    return 0;
}

static PyObject *get_headers(PyObject *op, void *closure)
{
    (void)closure;
    return Py_XNewRef(headers_of(core_state_of(Py_TYPE(op)), (CoreResponse *)op));
}

static PyObject *get_request(PyObject *op, void *closure)
{
    PyObject *request = request_of(core_state_of(Py_TYPE(op)), (CoreResponse *)op);

    (void)closure;
    if (request == NULL || request == Py_None) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_RuntimeError, "The request instance has not been set on this response.");
        return NULL;
    }
    return Py_NewRef(request);
}

static PyObject *get_request_or_none(PyObject *op, void *closure)
{
    PyObject *request = request_of(core_state_of(Py_TYPE(op)), (CoreResponse *)op);

    (void)closure;
    if (request == NULL && PyErr_Occurred())
        return NULL;
    return Py_NewRef(request == NULL ? Py_None : request);
}

static PyObject *get_url(PyObject *op, void *closure)
{
    PyObject *request = get_request(op, closure), *url;
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
    return Py_XNewRef(extensions_of(core_state_of(Py_TYPE(op)), (CoreResponse *)op));
}

static PyObject *get_history(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    if (self->history == NULL)
        self->history = PyList_New(0);
    return Py_XNewRef(self->history);
}

static PyObject *get_stream(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content;

    (void)closure;
    if (self->stream == NULL) {
        content = core_response_content(state, self);
        if (content == NULL) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_AttributeError, "stream");
            return NULL;
        }
        self->stream = core_byte_stream(state, content);
    }
    return Py_XNewRef(self->stream);
}

static PyObject *get_content(PyObject *op, void *closure)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content = core_response_content(state, (CoreResponse *)op);

    (void)closure;
    if (content == NULL && !PyErr_Occurred())
        return raise_registered(state, CORE_ResponseNotRead);
    return Py_XNewRef(content);
}

static PyObject *get_raw_content(PyObject *op, void *closure)
{
    PyObject *content = core_response_content(core_state_of(Py_TYPE(op)), (CoreResponse *)op);

    (void)closure;
    if (content == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_AttributeError, "_content");
    return Py_XNewRef(content);
}

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

/* Whether the body is UTF-8 beyond doubt: no charset, or that one, and nothing else was asked for. */
static int is_plain_utf8(CoreResponse *self)
{
    rqx_slice type = field_value(self, "content-type", 12), charset;
    const char *end, *at;

    if (self->default_encoding != NULL && !(PyUnicode_CheckExact(self->default_encoding) &&
                                            PyUnicode_CompareWithASCIIString(self->default_encoding, "utf-8") == 0))
        return 0;
    if (self->dict != NULL && PyDict_GET_SIZE(self->dict) > 0)
        return 0;
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
    charset = (rqx_slice){at + 8, (size_t)(end - at) - 8};
    return lower_equals(charset.data, charset.len, "utf-8");
}

static PyObject *get_text(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content;

    (void)closure;
    if (self->text != NULL)
        return Py_NewRef(self->text);
    content = get_content(op, NULL);
    if (content == NULL)
        return NULL;
    if (PyBytes_GET_SIZE(content) == 0 || is_plain_utf8(self))
        self->text = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content), "replace");
    else
        self->text = PyObject_CallMethodOneArg(op, state->names._text_of, content);
    Py_DECREF(content);
    return Py_XNewRef(self->text);
}

static PyObject *get_raw_text(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    if (self->text == NULL)
        PyErr_SetString(PyExc_AttributeError, "_text");
    return Py_XNewRef(self->text);
}

static PyObject *get_http_version(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *value;

    (void)closure;
    if (self->extensions == NULL)
        return PyUnicode_FromString(self->native == NULL ? "HTTP/1.1"
                                                         : version_text(rqx_response_version(self->native)));
    value = PyObject_GetItem(self->extensions, state->names.http_version);
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
    PyObject *status = function == NULL ? NULL : get_status_code(op, NULL), *text;

    if (status == NULL)
        return NULL;
    text = PyObject_CallOneArg(function, status);
    Py_DECREF(status);
    return text;
}

static PyObject *get_reason_phrase(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *value;

    (void)closure;
    if (extensions_of(state, self) == NULL)
        return NULL;
    value = PyObject_GetItem(self->extensions, state->names.reason_phrase);
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

    (void)closure;
    if (self->elapsed == NULL && self->complete) {
        rqx_response_timings(self->native, &timings);
        self->elapsed = timedelta_of(core_state_of(Py_TYPE(op)), timings.total_us < 0 ? 0 : timings.total_us);
    } else if (self->elapsed == NULL) {
        PyErr_SetString(PyExc_RuntimeError,
                        "'.elapsed' may only be accessed after the response has been read or closed.");
    }
    return Py_XNewRef(self->elapsed);
}

static PyObject *get_raw_elapsed(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    if (self->elapsed == NULL && !self->complete) {
        PyErr_SetString(PyExc_AttributeError, "_elapsed");
        return NULL;
    }
    return get_elapsed(op, closure);
}

static PyObject *get_num_bytes(PyObject *op, void *closure)
{
    (void)closure;
    return PyLong_FromSsize_t(((CoreResponse *)op)->downloaded);
}

static int set_num_bytes(PyObject *op, PyObject *value, void *closure)
{
    Py_ssize_t count = value == NULL ? 0 : PyLong_AsSsize_t(value);

    (void)closure;
    if (count == -1 && PyErr_Occurred())
        return -1;
    ((CoreResponse *)op)->downloaded = count;
    return 0;
}

static PyObject *get_next_request(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return Py_NewRef(self->next_request == NULL ? Py_None : self->next_request);
}

static PyObject *get_default_encoding(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    return self->default_encoding == NULL ? PyUnicode_FromString("utf-8") : Py_NewRef(self->default_encoding);
}

/* |closure| is the first digit of the status; 9: 4xx or 5xx. */
static PyObject *get_is_class(PyObject *op, void *closure)
{
    int status = ((CoreResponse *)op)->status, wanted = (int)(size_t)closure;

    return PyBool_FromLong(wanted == 9 ? status >= 400 && status <= 599 : status / 100 == wanted);
}

static PyObject *get_has_redirect_location(PyObject *op, void *closure)
{
    CoreResponse *self = (CoreResponse *)op;

    (void)closure;
    switch (self->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        return PyBool_FromLong(field_value(self, "location", 8).data != NULL);
    default:
        Py_RETURN_FALSE;
    }
}

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
    PyObject **field = (PyObject **)((char *)op + (size_t)closure);

    Py_XSETREF(*field, Py_XNewRef(value));
    return 0;
}

/* Whatever fields can be made of: the rest of this file looks into them. */
static int set_headers(PyObject *op, PyObject *value, void *closure)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *headers;
    int rc;

    if (value == NULL || CoreHeaders_Check(state, value))
        return set_field(op, value, closure);
    headers = (PyObject *)core_headers_from(state, value);
    rc = headers == NULL ? -1 : set_field(op, headers, closure);
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

/* --- methods --- */

static PyObject *response_json(PyObject *op, PyObject *args, PyObject *kwargs)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *content, *result = NULL;

    if (PyTuple_GET_SIZE(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "Response.json() takes keyword arguments only");
        return NULL;
    }
    content = get_content(op, NULL);
    if (content == NULL)
        return NULL;
    if (state->json_loads == NULL) {
        PyObject *json = PyImport_ImportModule("json");

        if (json != NULL)
            state->json_loads = PyObject_GetAttrString(json, "loads");
        Py_XDECREF(json);
    }
    if (state->json_loads != NULL && kwargs == NULL) {
        result = PyObject_CallOneArg(state->json_loads, content);
    } else if (state->json_loads != NULL) {
        PyObject *positional = PyTuple_Pack(1, content);

        result = positional == NULL ? NULL : PyObject_Call(state->json_loads, positional, kwargs);
        Py_XDECREF(positional);
    }
    Py_DECREF(content);
    return result;
}

static PyObject *response_raise_for_status(PyObject *op, PyObject *unused)
{
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));

    (void)unused;
    if (self->status / 100 == 2 && (self->native != NULL || (self->request != NULL && self->request != Py_None)))
        return Py_NewRef(op);
    return PyObject_CallMethodNoArgs(op, state->names._raise_for_status);
}

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
    {NULL, NULL, 0, NULL},
};

static PyMemberDef response_members[] = {
    {"is_closed", T_BOOL, offsetof(CoreResponse, is_closed), 0, "Whether the stream was closed."},
    {"is_stream_consumed", T_BOOL, offsetof(CoreResponse, is_stream_consumed), 0, "Whether the stream was read."},
    {"__dictoffset__", T_PYSSIZET, offsetof(CoreResponse, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreResponse, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

#define FIELD(name) (void *)offsetof(CoreResponse, name)

static PyGetSetDef response_getset[] = {
    {"status_code", get_status_code, core_response_set_status, "Status code.", NULL},
    {"headers", get_headers, set_headers, "Headers.", FIELD(headers)},
    {"request", get_request, set_field, "The request that this answers.", FIELD(request)},
    {"_request", get_request_or_none, set_field, NULL, FIELD(request)},
    {"url", get_url, NULL, "URL of the request.", NULL},
    {"extensions", get_extensions, set_field, "Extensions of the transport API.", FIELD(extensions)},
    {"history", get_history, set_field, "Responses that led here.", FIELD(history)},
    {"next_request", get_next_request, set_field, "Where a redirect that was not followed leads.", FIELD(next_request)},
    {"default_encoding", get_default_encoding, set_field, "Encoding where the response names none.",
     FIELD(default_encoding)},
    {"stream", get_stream, set_field, "Stream of the body.", FIELD(stream)},
    {"content", get_content, NULL, "The body, decoded.", NULL},
    {"_content", get_raw_content, set_raw_content, NULL, FIELD(content)},
    {"text", get_text, NULL, "The body as text.", NULL},
    {"_text", get_raw_text, set_field, NULL, FIELD(text)},
    {"http_version", get_http_version, NULL, "Protocol version, such as HTTP/2.", NULL},
    {"reason_phrase", get_reason_phrase, NULL, "Reason phrase.", NULL},
    {"elapsed", get_elapsed, set_field, "From sending the request to the body's last byte.", FIELD(elapsed)},
    {"_elapsed", get_raw_elapsed, set_field, NULL, FIELD(elapsed)},
    {"num_bytes_downloaded", get_num_bytes, NULL, "Bytes of the body as received.", NULL},
    {"_num_bytes_downloaded", get_num_bytes, set_num_bytes, NULL, NULL},
    {"is_informational", get_is_class, NULL, "Whether the status is 1xx.", (void *)1},
    {"is_success", get_is_class, NULL, "Whether the status is 2xx.", (void *)2},
    {"is_redirect", get_is_class, NULL, "Whether the status is 3xx.", (void *)3},
    {"is_client_error", get_is_class, NULL, "Whether the status is 4xx.", (void *)4},
    {"is_server_error", get_is_class, NULL, "Whether the status is 5xx.", (void *)5},
    {"is_error", get_is_class, NULL, "Whether the status is 4xx or 5xx.", (void *)9},
    {"has_redirect_location", get_has_redirect_location, NULL, "Whether this is a redirect that says where to.", NULL},
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
    {Py_tp_init, core_response_construct},
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
