/*
 * response_init.c - how a ResponseBase comes to be: made as in httpx, or by the engine.
 */
#include "headers.h"
#include "models.h"
#include "response.h"

static PyObject *copied_list(PyObject *source)
{
    return source == Py_None ? NULL : PySequence_List(source);
}

static PyObject *copied_dict(PyObject *source)
{
    return source == Py_None ? PyDict_New() : PyObject_CallOneArg((PyObject *)&PyDict_Type, source);
}

static int append_default_length(CoreHeaders *headers, Py_ssize_t length)
{
    char text[32];

    if (length == 0 || core_headers_has(headers, "content-length", 14))
        return 0;
    return core_headers_append_text(headers, "Content-Length", text, snprintf(text, sizeof text, "%zd", length));
}

static int read_now(core_state *state, CoreResponse *self)
{
    PyObject *read = PyObject_CallMethodNoArgs((PyObject *)self, state->names.read);

    Py_XDECREF(read);
    return read == NULL ? -1 : 0;
}

/* The body is |bytes| (stolen): read at once, through its content coding if it has one. */
static int set_bytes_body(core_state *state, CoreResponse *self, CoreHeaders *headers, PyObject *bytes)
{
    PyObject *stream;
    int is_coded, rc;

    if (bytes == NULL)
        return -1;
    CORE_LOCK(headers);
    rc = append_default_length(headers, PyBytes_GET_SIZE(bytes));
    is_coded = core_headers_has(headers, "content-encoding", 16);
    CORE_UNLOCK();
    if (rc < 0) {
        Py_DECREF(bytes);
        return -1;
    }
    if (!is_coded) {
        core_field_put(&self->content, bytes);
        self->is_closed = self->is_stream_consumed = 1;
        return 0;
    }
    stream = core_byte_stream(state, bytes);
    Py_DECREF(bytes);
    core_field_put(&self->stream, stream);
    return stream == NULL ? -1 : read_now(state, self);
}

/* Any other body: encode_response() of the package. */
static int encode_body(core_state *state, CoreResponse *self, CoreHeaders *headers, PyObject *content, PyObject *text,
                       PyObject *html, PyObject *json)
{
    PyObject *function = core_registered(state, CORE_encode_response), *type = core_registered(state, CORE_ByteStream);
    PyObject *pair, *stream;
    int rc;

    if (function == NULL || type == NULL)
        return -1;
    pair = PyObject_CallFunctionObjArgs(function, content, text, html, json, NULL);
    if (pair == NULL)
        return -1;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "encode_response() must give headers and a stream");
        Py_DECREF(pair);
        return -1;
    }
    stream = PyTuple_GET_ITEM(pair, 1);
    core_field_put(&self->stream, Py_NewRef(stream));
    rc = core_headers_defaults(state, (PyObject *)headers, PyTuple_GET_ITEM(pair, 0));
    if (rc == 0)
        rc = PyObject_IsInstance(stream, type);
    Py_DECREF(pair);
    return rc <= 0 ? rc : read_now(state, self);
}

static int set_body(core_state *state, CoreResponse *self, CoreHeaders *headers, PyObject *content, PyObject *text,
                    PyObject *html, PyObject *json)
{
    if (PyBytes_CheckExact(content))
        return set_bytes_body(state, self, headers, Py_NewRef(content));
    if (PyUnicode_CheckExact(content))
        return set_bytes_body(state, self, headers, PyUnicode_AsUTF8String(content));
    if (content == Py_None && text == Py_None && html == Py_None && json == Py_None)
        return set_bytes_body(state, self, headers, PyBytes_FromStringAndSize("", 0));
    return encode_body(state, self, headers, content, text, html, json);
}

static void forget_body(CoreResponse *self)
{
    core_field_put(&self->stream, NULL);
    core_field_put(&self->content, NULL);
    core_field_put(&self->text, NULL);
    core_field_put(&self->elapsed, NULL);
    self->is_closed = self->is_stream_consumed = 0;
}

/* 0 or -1. */
static int set_containers(CoreResponse *self, PyObject *extensions, PyObject *history)
{
    PyObject *dict = copied_dict(extensions), *list = dict == NULL ? NULL : copied_list(history);

    if (dict == NULL || (list == NULL && history != Py_None)) {
        Py_XDECREF(dict);
        return -1;
    }
    core_field_put(&self->extensions, dict);
    core_field_put(&self->history, list);
    return 0;
}

int core_response_construct(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"status_code", "headers", "content",          "text", "html", "json", "stream", "request",
                            "extensions",  "history", "default_encoding", NULL};
    PyObject *status, *headers = Py_None, *content = Py_None, *text = Py_None, *html = Py_None, *json = Py_None;
    PyObject *stream = Py_None, *request = Py_None, *extensions = Py_None, *history = Py_None, *encoding = NULL;
    CoreResponse *self = (CoreResponse *)op;
    core_state *state = core_state_of(Py_TYPE(op));
    CoreHeaders *fields;
    int rc = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OOOOOOOOOO:Response", names, &status, &headers, &content, &text,
                                     &html, &json, &stream, &request, &extensions, &history, &encoding) ||
        core_response_set_status(op, status, NULL) < 0)
        return -1;
    fields = core_headers_from(state, headers);
    if (fields == NULL)
        return -1;
    core_field_put(&self->headers, Py_NewRef((PyObject *)fields));
    core_field_put(&self->request, request == Py_None ? NULL : Py_NewRef(request));
    core_field_put(&self->default_encoding, Py_XNewRef(encoding));
    rc = set_containers(self, extensions, history);
    if (rc == 0)
        forget_body(self);
    if (rc == 0 && stream == Py_None)
        rc = set_body(state, self, fields, content, text, html, json);
    else if (rc == 0)
        core_field_put(&self->stream, Py_NewRef(stream));
    if (rc == 0)
        self->downloaded = 0;
    Py_DECREF((PyObject *)fields);
    return rc;
}

/* --- made by the engine --- */

static CoreResponse *alloc_response(core_state *state)
{
    PyTypeObject *type = (PyTypeObject *)core_registered(state, CORE_Response);

    return type == NULL ? NULL : (CoreResponse *)type->tp_alloc(type, 0);
}

/* A redirect's body was too long to be kept: it is as if the response had been closed while it was read. */
static int give_up_body(core_state *state, CoreResponse *self)
{
    PyObject *nothing = PyBytes_FromStringAndSize("", 0);

    self->complete = 0;
    self->stream = nothing == NULL ? NULL : core_byte_stream(state, nothing);
    Py_XDECREF(nothing);
    rqx_response_discard_body(self->native);
    return self->stream == NULL ? -1 : 0;
}

static int decode_now(core_state *state, CoreResponse *self)
{
    PyObject *content = core_response_content(state, self);

    Py_XDECREF(content);
    return content == NULL ? -1 : 0;
}

PyObject *core_response_make(core_state *state, rqx_response *native, const core_fast *fast, PyObject *default_encoding)
{
    CoreResponse *self = alloc_response(state);
    int rc = 0;

    if (self == NULL)
        return NULL;
    self->status = rqx_response_status(native);
    self->complete = self->is_closed = self->is_stream_consumed = 1;
    self->native = native;
    self->downloaded = (Py_ssize_t)rqx_response_raw_body(native).len;
    self->request_content = Py_XNewRef(fast->content);
    self->request_timeout = Py_XNewRef(fast->timeout);
    self->default_encoding = Py_XNewRef(default_encoding);
    if (rqx_response_error(native)->code != 0)
        rc = give_up_body(state, self);
    else if (rqx_headers_get(rqx_response_headers(native), "content-encoding", 16).data != NULL)
        rc = decode_now(state, self);
    if (rc < 0) {
        self->native = NULL;
        self->complete = 0;
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

PyObject *core_response_streamed(core_state *state, rqx_response *native, PyObject *stream, PyObject *request)
{
    CoreResponse *self = alloc_response(state);

    if (self == NULL)
        return NULL;
    self->status = rqx_response_status(native);
    self->native = native;
    self->stream = Py_NewRef(stream);
    self->request = Py_XNewRef(request);
    return (PyObject *)self;
}
