/*
 * request.c - RequestBase: construction as httpx does it, and lazily made parts.
 */
#include "headers.h"
#include "models.h"
#include "url.h"

#include <stddef.h>
#include <string.h>

PyObject *core_field_first(PyObject **field, PyObject *made)
{
    PyObject *first = *field;

    if (made == NULL)
        return NULL;
    if (first == NULL) {
        core_field_put(field, Py_NewRef(made));
        return made;
    }
    Py_INCREF(first);
    Py_DECREF(made);
    return first;
}

static PyObject *make_json_encode(core_state *state)
{
    PyObject *json = PyImport_ImportModule("json"), *none = PyTuple_New(0), *kwargs, *encoder = NULL, *encode = NULL;
    PyObject *type = json == NULL ? NULL : PyObject_GetAttrString(json, "JSONEncoder");

    kwargs = Py_BuildValue("{s:O,s:O,s:(ss)}", "ensure_ascii", Py_False, "allow_nan", Py_False, "separators", ",", ":");
    if (type != NULL && none != NULL && kwargs != NULL)
        encoder = PyObject_Call(type, none, kwargs);
    if (encoder != NULL)
        encode = PyObject_GetAttr(encoder, state->names.encode);
    Py_XDECREF(json);
    Py_XDECREF(type);
    Py_XDECREF(none);
    Py_XDECREF(kwargs);
    Py_XDECREF(encoder);
    return encode;
}

PyObject *core_json_encode(core_state *state, PyObject *object)
{
    PyObject *encode = core_kept(&state->json_encode), *text, *bytes;

    if (encode == NULL && (encode = core_keep_first(&state->json_encode, make_json_encode(state))) == NULL)
        return NULL;
    text = PyObject_CallOneArg(encode, object);
    if (text == NULL)
        return NULL;
    bytes = PyUnicode_AsUTF8String(text);
    Py_DECREF(text);
    return bytes;
}

PyObject *core_byte_stream(core_state *state, PyObject *content)
{
    PyObject *type = core_registered(state, CORE_ByteStream);

    return type == NULL ? NULL : PyObject_CallOneArg(type, content);
}

static const char *const method_names[] = {"GET",   "HEAD",    "POST",    "PUT",  "DELETE",
                                           "PATCH", "OPTIONS", "CONNECT", "TRACE"};

PyObject *core_method_text(core_state *state, rqx_slice method)
{
    for (size_t i = 0; i < sizeof method_names / sizeof method_names[0]; i++) {
        PyObject *text;

        if (strlen(method_names[i]) != method.len || memcmp(method_names[i], method.data, method.len) != 0)
            continue;
        text = core_kept(&state->methods[i]);
        if (text == NULL)
            text = core_keep_first(&state->methods[i], PyUnicode_InternFromString(method_names[i]));
        return Py_XNewRef(text);
    }
    return PyUnicode_DecodeLatin1(method.data, (Py_ssize_t)method.len, "strict");
}

int core_headers_defaults(core_state *state, PyObject *headers, PyObject *defaults)
{
    CoreHeaders *list = (CoreHeaders *)headers;
    CoreHeaders *more = core_headers_from(state, defaults);
    int rc = 0;

    if (more == NULL)
        return -1;
    CORE_LOCK(headers);
    for (Py_ssize_t i = 0; rc == 0 && i < more->count; i++) {
        core_field *field = &more->fields[i];
        const char *key = PyBytes_AS_STRING(field->key);

        if (strcmp(key, "transfer-encoding") == 0 && core_headers_has(list, "content-length", 14))
            continue;
        if (!core_headers_has(list, key, PyBytes_GET_SIZE(field->key)))
            rc = core_headers_append(list, field->raw, field->value);
    }
    CORE_UNLOCK();
    Py_DECREF(more);
    return rc;
}

/* A Request in its __init__, and what its first fields were given: the fields may be others' by now.  References. */
struct making {
    core_state *state;
    CoreRequest *self;
    PyObject *method;
    PyObject *url;
    CoreHeaders *headers;
};

static int append_length(CoreHeaders *headers, Py_ssize_t length)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%zd", length);

    return core_headers_append_text(headers, "Content-Length", text, len);
}

static int has_length(CoreHeaders *headers)
{
    return core_headers_has(headers, "content-length", 14) || core_headers_has(headers, "transfer-encoding", 17);
}

static int is_method(PyObject *method, const char *name)
{
    return PyUnicode_Check(method) && PyUnicode_CompareWithASCIIString(method, name) == 0;
}

/* Puts Host first, and Content-Length: 0 where a body is expected and there is none. */
static int add_auto_headers(struct making *making)
{
    CoreHeaders *old = making->headers, *headers;
    rqx_url *url = core_url_native(making->url);
    PyObject *method = making->method;
    rqx_slice authority;
    int rc = 0;

    if (url == NULL || (headers = core_headers_new(making->state)) == NULL)
        return -1;
    authority = rqx_url_authority(url);
    CORE_LOCK(old);
    if (!core_headers_has(old, "host", 4) && rqx_url_host(url).len > 0)
        rc = core_headers_append_text(headers, "Host", authority.data, (Py_ssize_t)authority.len);
    if (rc == 0 && !has_length(old) &&
        (is_method(method, "POST") || is_method(method, "PUT") || is_method(method, "PATCH")))
        rc = append_length(headers, 0);
    for (Py_ssize_t i = 0; rc == 0 && i < old->count; i++)
        rc = core_headers_append(headers, old->fields[i].raw, old->fields[i].value);
    CORE_UNLOCK();
    if (rc < 0) {
        Py_DECREF(headers);
        return -1;
    }
    core_field_put(&making->self->headers, (PyObject *)headers);
    return 0;
}

static int add_default(CoreHeaders *headers, const char *lower, const char *name, const char *value)
{
    if (core_headers_has(headers, lower, (Py_ssize_t)strlen(lower)))
        return 0;
    return core_headers_append_text(headers, name, value, (Py_ssize_t)strlen(value));
}

/* Takes |bytes| (stolen) as the whole body. */
static int set_bytes_body(struct making *making, PyObject *bytes, const char *content_type)
{
    CoreHeaders *headers = making->headers;
    Py_ssize_t len;
    int rc = 0;

    if (bytes == NULL)
        return -1;
    len = PyBytes_GET_SIZE(bytes);
    core_field_put(&making->self->content, bytes);
    CORE_LOCK(headers);
    if ((len > 0 || content_type != NULL) && !core_headers_has(headers, "content-length", 14))
        rc = append_length(headers, len);
    if (rc == 0 && content_type != NULL)
        rc = add_default(headers, "content-type", "Content-Type", content_type);
    CORE_UNLOCK();
    return rc < 0 ? -1 : add_auto_headers(making);
}

static int is_empty(PyObject *object)
{
    return object == Py_None || (PyDict_CheckExact(object) && PyDict_GET_SIZE(object) == 0);
}

/* The boundary that a multipart Content-Type of the caller asks for; None if there is none. */
static PyObject *given_boundary(struct making *making)
{
    PyObject *function = core_registered(making->state, CORE_get_multipart_boundary_from_content_type);
    PyObject *value, *boundary;
    core_field *field;

    if (function == NULL)
        return NULL;
    CORE_LOCK(making->headers);
    field = core_headers_find(making->headers, "content-type", 12);
    value = field == NULL ? NULL : Py_NewRef(field->value);
    CORE_UNLOCK();
    if (value == NULL)
        return Py_NewRef(Py_None);
    boundary = PyObject_CallOneArg(function, value);
    Py_DECREF(value);
    return boundary;
}

/* The bytes of a ByteStream are the content.  0 or -1. */
static int keep_content(CoreRequest *self, PyObject *stream)
{
    PyObject *empty = PyBytes_FromStringAndSize("", 0), *content;

    content = empty == NULL ? NULL : PyObject_CallMethod(empty, "join", "O", stream);
    Py_XDECREF(empty);
    core_field_put(&self->content, content);
    return content == NULL ? -1 : 0;
}

/* Any other body: encode_request() of the package. */
static int encode_body(struct making *making, PyObject *content, PyObject *data, PyObject *files, PyObject *json)
{
    core_state *state = making->state;
    PyObject *function = core_registered(state, CORE_encode_request), *none = NULL, *kwargs = NULL, *pair = NULL;
    PyObject *boundary, *stream, *type = core_registered(state, CORE_ByteStream);
    int rc = -1, is_bytes;

    boundary = function == NULL || type == NULL ? NULL : given_boundary(making);
    if (boundary == NULL)
        return -1;
    none = PyTuple_New(0);
    kwargs = Py_BuildValue("{s:O,s:O,s:O,s:O,s:N}", "content", content, "data", data, "files", files, "json", json,
                           "boundary", boundary);
    pair = none == NULL || kwargs == NULL ? NULL : PyObject_Call(function, none, kwargs);
    if (pair == NULL)
        goto done;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "encode_request() must give headers and a stream");
        goto done;
    }
    stream = PyTuple_GET_ITEM(pair, 1);
    core_field_put(&making->self->stream, Py_NewRef(stream));
    if (core_headers_defaults(state, (PyObject *)making->headers, PyTuple_GET_ITEM(pair, 0)) < 0 ||
        add_auto_headers(making) < 0)
        goto done;
    is_bytes = PyObject_IsInstance(stream, type);
    rc = is_bytes > 0 ? keep_content(making->self, stream) : is_bytes;

done:
    Py_XDECREF(none);
    Py_XDECREF(kwargs);
    Py_XDECREF(pair);
    return rc;
}

static int set_body(struct making *making, PyObject *content, PyObject *data, PyObject *files, PyObject *json)
{
    if (is_empty(data) && is_empty(files)) {
        if (content == Py_None && json == Py_None)
            return set_bytes_body(making, PyBytes_FromStringAndSize("", 0), NULL);
        if (PyBytes_CheckExact(content))
            return set_bytes_body(making, Py_NewRef(content), NULL);
        if (PyUnicode_CheckExact(content))
            return set_bytes_body(making, PyUnicode_AsUTF8String(content), NULL);
        if (content == Py_None)
            return set_bytes_body(making, core_json_encode(making->state, json), "application/json");
    }
    return encode_body(making, content, data, files, json);
}

static PyObject *upper_method(core_state *state, PyObject *method)
{
    if (PyUnicode_CheckExact(method) && PyUnicode_IS_ASCII(method)) {
        const Py_UCS1 *text = PyUnicode_1BYTE_DATA(method);
        Py_ssize_t len = PyUnicode_GET_LENGTH(method), i = 0;

        while (i < len && !(text[i] >= 'a' && text[i] <= 'z'))
            i++;
        if (i == len)
            return Py_NewRef(method);
    }
    return PyObject_CallMethodNoArgs(method, state->names.upper);
}

static PyObject *url_with_params(core_state *state, PyObject *url, PyObject *params)
{
    PyObject *args, *kwargs, *result = NULL;

    if (params == Py_None)
        return core_url_from(state, url);
    args = PyTuple_Pack(1, url);
    kwargs = Py_BuildValue("{s:O}", "params", params);
    if (args != NULL && kwargs != NULL)
        result = PyObject_Call((PyObject *)state->url_type, args, kwargs);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    return result;
}

static int apply_cookies(core_state *state, CoreRequest *self, PyObject *cookies)
{
    PyObject *type, *jar, *result = NULL;
    int truth = cookies == Py_None ? 0 : PyObject_IsTrue(cookies);

    if (truth <= 0)
        return truth;
    type = core_registered(state, CORE_Cookies);
    jar = type == NULL ? NULL : PyObject_CallOneArg(type, cookies);
    if (jar != NULL)
        result = PyObject_CallMethodOneArg(jar, state->names.set_cookie_header, (PyObject *)self);
    Py_XDECREF(jar);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static PyObject *copied_dict(PyObject *source)
{
    if (source == Py_None)
        return PyDict_New();
    if (PyDict_CheckExact(source))
        return PyDict_Copy(source);
    return PyObject_CallOneArg((PyObject *)&PyDict_Type, source);
}

static int begin(struct making *making, PyObject *method, PyObject *url, PyObject *params, PyObject *headers)
{
    CoreRequest *self = making->self;

    making->method = upper_method(making->state, method);
    if (making->method == NULL)
        return -1;
    core_field_put(&self->method, Py_NewRef(making->method));
    making->url = url_with_params(making->state, url, params);
    if (making->url == NULL)
        return -1;
    core_field_put(&self->url, Py_NewRef(making->url));
    making->headers = core_headers_from(making->state, headers);
    if (making->headers == NULL)
        return -1;
    core_field_put(&self->headers, Py_NewRef((PyObject *)making->headers));
    return 0;
}

static int set_extensions(CoreRequest *self, PyObject *extensions)
{
    PyObject *copy = extensions == Py_None ? NULL : copied_dict(extensions);

    core_field_put(&self->extensions, copy);
    return copy == NULL && extensions != Py_None ? -1 : 0;
}

static int request_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"method", "url",   "params", "headers", "cookies",    "content",
                            "data",   "files", "json",   "stream",  "extensions", NULL};
    PyObject *method, *url, *params = Py_None, *headers = Py_None, *cookies = Py_None, *content = Py_None;
    PyObject *data = Py_None, *files = Py_None, *json = Py_None, *stream = Py_None, *extensions = Py_None;
    CoreRequest *self = (CoreRequest *)op;
    struct making making = {.state = core_state_of(Py_TYPE(op)), .self = self};
    int rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|$OOOOOOOOO:Request", names, &method, &url, &params, &headers,
                                     &cookies, &content, &data, &files, &json, &stream, &extensions))
        return -1;
    rc = begin(&making, method, url, params, headers);
    if (rc == 0)
        rc = set_extensions(self, extensions);
    if (rc == 0) {
        core_field_put(&self->stream, NULL);
        core_field_put(&self->content, NULL);
        rc = apply_cookies(making.state, self, cookies);
    }
    if (rc == 0 && stream == Py_None)
        rc = set_body(&making, content, data, files, json);
    else if (rc == 0)
        core_field_put(&self->stream, Py_NewRef(stream));
    Py_XDECREF(making.method);
    Py_XDECREF(making.url);
    Py_XDECREF((PyObject *)making.headers);
    return rc;
}

CORE_GUARDED_INIT(request_init)

PyObject *core_request_make(core_state *state, PyObject *method, PyObject *url, PyObject *headers, PyObject *content)
{
    PyTypeObject *type = (PyTypeObject *)core_registered(state, CORE_Request);
    CoreRequest *self;

    if (type == NULL)
        return NULL;
    self = (CoreRequest *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->method = Py_NewRef(method);
    self->url = Py_NewRef(url);
    self->headers = Py_NewRef(headers);
    self->content = content != NULL ? Py_NewRef(content) : PyBytes_FromStringAndSize("", 0);
    if (self->content == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* Headers of |native|, with the Host that the library derives of the URL. */
static CoreHeaders *headers_of(core_state *state, rqx_request *native)
{
    CoreHeaders *given = core_headers_from_native(state, rqx_request_headers(native)), *all;
    rqx_slice authority = rqx_url_authority(rqx_request_url(native));

    if (given == NULL || core_headers_has(given, "host", 4))
        return given;
    all = core_headers_new(state);
    if (all != NULL && core_headers_append_text(all, "Host", authority.data, (Py_ssize_t)authority.len) < 0)
        Py_CLEAR(all);
    for (Py_ssize_t i = 0; all != NULL && i < given->count; i++) {
        if (core_headers_append(all, given->fields[i].raw, given->fields[i].value) < 0)
            Py_CLEAR(all);
    }
    Py_DECREF(given);
    return all;
}

/* {"timeout": {"connect": ..., "read": ..., "write": ..., "pool": ...}} */
static PyObject *timeout_extension(core_state *state, PyObject *timeout)
{
    PyObject *steps;

    if (timeout == Py_None || PyFloat_Check(timeout) || PyLong_Check(timeout))
        steps = Py_BuildValue("{O:O,O:O,O:O,O:O}", state->names.connect, timeout, state->names.read, timeout,
                              state->names.write, timeout, state->names.pool, timeout);
    else
        steps = PyObject_CallMethodNoArgs(timeout, state->names.as_dict);
    return steps == NULL ? NULL : Py_BuildValue("{O:N}", state->names.timeout, steps);
}

PyObject *core_request_of(core_state *state, rqx_request *native, PyObject *content, PyObject *timeout)
{
    PyObject *method = core_method_text(state, rqx_request_method(native));
    PyObject *url = method == NULL ? NULL : core_url_wrap(state, rqx_request_url(native));
    PyObject *headers = url == NULL ? NULL : (PyObject *)headers_of(state, native), *request = NULL;

    if (headers != NULL)
        request = core_request_make(state, method, url, headers, content);
    if (request != NULL && timeout != NULL &&
        (((CoreRequest *)request)->extensions = timeout_extension(state, timeout)) == NULL)
        Py_CLEAR(request);
    Py_XDECREF(method);
    Py_XDECREF(url);
    Py_XDECREF(headers);
    return request;
}

static PyObject *get_extensions(PyObject *op, void *closure)
{
    CoreRequest *self = (CoreRequest *)op;

    (void)closure;
    if (self->extensions == NULL)
        return core_field_first(&self->extensions, PyDict_New());
    return Py_NewRef(self->extensions);
}

CORE_GUARDED_GET(get_extensions)

static PyObject *get_stream(PyObject *op, void *closure)
{
    CoreRequest *self = (CoreRequest *)op;
    PyObject *content, *made;

    (void)closure;
    if (self->stream != NULL)
        return Py_NewRef(self->stream);
    if (self->content == NULL) {
        PyErr_SetString(PyExc_AttributeError, "stream");
        return NULL;
    }
    content = Py_NewRef(self->content);
    made = core_byte_stream(core_state_of(Py_TYPE(op)), content);
    Py_DECREF(content);
    return core_field_first(&self->stream, made);
}

CORE_GUARDED_GET(get_stream)

static PyObject *get_content(PyObject *op, void *closure)
{
    CoreRequest *self = (CoreRequest *)op;
    PyObject *type;

    (void)closure;
    if (self->content != NULL)
        return Py_NewRef(self->content);
    type = core_registered(core_state_of(Py_TYPE(op)), CORE_RequestNotRead);
    if (type != NULL) {
        PyObject *error = PyObject_CallNoArgs(type);

        if (error != NULL)
            PyErr_SetObject(type, error);
        Py_XDECREF(error);
    }
    return NULL;
}

CORE_GUARDED_GET(get_content)

static PyObject *get_raw_content(PyObject *op, void *closure)
{
    CoreRequest *self = (CoreRequest *)op;

    (void)closure;
    if (self->content == NULL)
        PyErr_SetString(PyExc_AttributeError, "_content");
    return Py_XNewRef(self->content);
}

CORE_GUARDED_GET(get_raw_content)

/* |closure| is the offset of the field. */
static int set_field(PyObject *op, PyObject *value, void *closure)
{
    core_field_put((PyObject **)((char *)op + (size_t)closure), Py_XNewRef(value));
    return 0;
}

CORE_GUARDED_SET(set_field)

static int request_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreRequest *self = (CoreRequest *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->method);
    Py_VISIT(self->url);
    Py_VISIT(self->headers);
    Py_VISIT(self->extensions);
    Py_VISIT(self->stream);
    Py_VISIT(self->content);
    Py_VISIT(self->dict);
    return 0;
}

static int request_clear(PyObject *op)
{
    CoreRequest *self = (CoreRequest *)op;

    Py_CLEAR(self->method);
    Py_CLEAR(self->url);
    Py_CLEAR(self->headers);
    Py_CLEAR(self->extensions);
    Py_CLEAR(self->stream);
    Py_CLEAR(self->content);
    Py_CLEAR(self->dict);
    return 0;
}

static void request_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    if (((CoreRequest *)op)->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    request_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMemberDef request_members[] = {
    {"method", T_OBJECT_EX, offsetof(CoreRequest, method), 0, "Method, in upper case."},
    {"url", T_OBJECT_EX, offsetof(CoreRequest, url), 0, "URL."},
    {"headers", T_OBJECT_EX, offsetof(CoreRequest, headers), 0, "Headers."},
    {"__dictoffset__", T_PYSSIZET, offsetof(CoreRequest, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreRequest, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef request_getset[] = {
    {"extensions", get_extensions_guarded, set_field_guarded, "Extensions of the transport API.",
     (void *)offsetof(CoreRequest, extensions)},
    {"stream", get_stream_guarded, set_field_guarded, "Stream of the body.", (void *)offsetof(CoreRequest, stream)},
    {"content", get_content_guarded, NULL, "The body, once it was read.", NULL},
    {"_content", get_raw_content_guarded, set_field_guarded, NULL, (void *)offsetof(CoreRequest, content)},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot request_slots[] = {
    {Py_tp_doc, (void *)"RequestBase(method, url, *, params=None, headers=None, cookies=None, content=None, data=None, "
                        "files=None, json=None, stream=None, extensions=None)\n--\n\nThe fields of a Request."},
    {Py_tp_init, request_init_guarded},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_traverse, request_traverse},
    {Py_tp_clear, request_clear},
    {Py_tp_members, request_members},
    {Py_tp_getset, request_getset},
    {0, NULL},
};

static PyType_Spec request_spec = {
    .name = "requestx._core.RequestBase",
    .basicsize = sizeof(CoreRequest),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = request_slots,
};

int core_request_init(PyObject *module, core_state *state)
{
    state->request_type = core_add_type(module, &request_spec, NULL, 1);
    return state->request_type == NULL ? -1 : 0;
}
