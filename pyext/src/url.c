/*
 * url.c - the Python type URL: immutable, equal to its text, with httpx's properties.
 */
#include "url_priv.h"

#include <string.h>

rqx_url *core_url_parse(core_state *state, PyObject *text)
{
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len), *why = NULL;
    rqx_url *url = NULL;
    int rc;

    if (utf8 == NULL)
        return NULL;
    rc = rqx_url_parse(utf8, (size_t)len, &why, &url);
    if (rc < 0) {
        core_url_refuse(state, rc, why, utf8, (size_t)len);
        return NULL;
    }
    return url;
}

#ifdef Py_GIL_DISABLED

#define LOAD(slot)         __atomic_load_n(&(slot), __ATOMIC_ACQUIRE)
#define STORE(slot, value) __atomic_store_n(&(slot), (value), __ATOMIC_RELEASE)

struct core_url_past {
    struct core_url_past *next;
    rqx_url *native;
    PyObject *text; /* or NULL */
};

/* Takes |native| in the place of what there is.  Guarded.  0 or -1. */
static int replace(CoreURL *self, rqx_url *native)
{
    struct core_url_past *past;

    if (self->native != NULL) {
        past = PyMem_Malloc(sizeof *past);
        if (past == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        *past = (struct core_url_past){self->past, self->native, self->text};
        self->past = past;
        STORE(self->text, NULL);
    }
    STORE(self->native, native);
    return 0;
}

static void forget_past(CoreURL *self)
{
    struct core_url_past *past, *next;

    for (past = self->past; past != NULL; past = next) {
        next = past->next;
        rqx_url_unref(past->native);
        Py_XDECREF(past->text);
        PyMem_Free(past);
    }
}

#else

#define LOAD(slot)         (slot)
#define STORE(slot, value) ((slot) = (value))

static int replace(CoreURL *self, rqx_url *native)
{
    rqx_url_unref(self->native);
    self->native = native;
    Py_CLEAR(self->text);
    return 0;
}

static void forget_past(CoreURL *self)
{
    (void)self;
}

#endif

/* Makes the native URL of an object whose __init__ never ran: an empty one. */
static rqx_url *make_empty(CoreURL *self)
{
    rqx_url *native = NULL;

    CORE_LOCK(self);
    if (self->native == NULL && rqx_url_parse("", 0, NULL, &native) < 0)
        PyErr_NoMemory();
    if (native != NULL)
        STORE(self->native, native);
    native = self->native;
    CORE_UNLOCK();
    return native;
}

static rqx_url *native_of(PyObject *op)
{
    rqx_url *native = LOAD(((CoreURL *)op)->native);

    return native != NULL ? native : make_empty((CoreURL *)op);
}

rqx_url *core_url_native(PyObject *url)
{
    return native_of(url);
}

PyObject *core_url_wrap(core_state *state, rqx_url *native)
{
    PyTypeObject *type = state->url_type;
    CoreURL *self = (CoreURL *)type->tp_alloc(type, 0);

    if (self != NULL)
        self->native = rqx_url_ref(native);
    return (PyObject *)self;
}

static void wrong_type(PyObject *source)
{
    PyErr_Format(PyExc_TypeError, "Invalid type for url.  Expected str or requestx.URL, got %R: %R",
                 (PyObject *)Py_TYPE(source), source);
}

PyObject *core_url_from(core_state *state, PyObject *source)
{
    rqx_url *native;
    PyObject *url;

    if (CoreURL_Check(state, source))
        return Py_NewRef(source);
    if (!PyUnicode_Check(source)) {
        wrong_type(source);
        return NULL;
    }
    native = core_url_parse(state, source);
    if (native == NULL)
        return NULL;
    url = core_url_wrap(state, native);
    rqx_url_unref(native);
    return url;
}

static rqx_url *make_native(core_state *state, PyObject *source, PyObject *kwargs)
{
    rqx_url *base = NULL, *changed;

    if (source != NULL && CoreURL_Check(state, source)) {
        base = native_of(source);
        if (base == NULL)
            return NULL;
        rqx_url_ref(base);
    } else if (source != NULL && PyUnicode_Check(source)) {
        base = core_url_parse(state, source);
        if (base == NULL)
            return NULL;
    } else if (source != NULL) {
        wrong_type(source);
        return NULL;
    }
    if (base != NULL && (kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0))
        return base;
    changed = core_url_change(state, base, kwargs);
    rqx_url_unref(base);
    return changed;
}

static int url_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *source = NULL, *rest = NULL, *empty = NULL;
    rqx_url *native = NULL;
    int rc;

    if (PyTuple_GET_SIZE(args) > 1) {
        PyErr_Format(PyExc_TypeError, "URL() takes at most 1 positional argument (%zd given)", PyTuple_GET_SIZE(args));
        return -1;
    }
    if (PyTuple_GET_SIZE(args) == 1)
        source = PyTuple_GET_ITEM(args, 0);
    if (kwargs != NULL && (rest = PyDict_Copy(kwargs)) == NULL)
        return -1;
    if (source == NULL && rest != NULL && (source = PyDict_GetItem(rest, state->names.url)) != NULL) {
        empty = Py_NewRef(source);
        if (PyDict_DelItem(rest, state->names.url) < 0)
            goto done;
    }
    if (source == NULL && (source = empty = PyUnicode_FromString("")) == NULL)
        goto done;
    native = make_native(state, source, rest);

done:
    Py_XDECREF(rest);
    Py_XDECREF(empty);
    if (native == NULL)
        return -1;
    CORE_LOCK(op);
    rc = replace((CoreURL *)op, native);
    CORE_UNLOCK();
    if (rc < 0)
        rqx_url_unref(native);
    return rc;
}

static PyObject *text_from(rqx_slice slice)
{
    return PyUnicode_DecodeUTF8(slice.data == NULL ? "" : slice.data, (Py_ssize_t)slice.len, "replace");
}

static PyObject *bytes_from(rqx_slice slice)
{
    return PyBytes_FromStringAndSize(slice.data == NULL ? "" : slice.data, (Py_ssize_t)slice.len);
}

static PyObject *make_text(CoreURL *self)
{
    rqx_url *native = native_of((PyObject *)self);
    PyObject *text = NULL;

    if (native == NULL)
        return NULL;
    CORE_LOCK(self);
    if (self->text == NULL && (text = text_from(rqx_url_text(self->native))) != NULL)
        STORE(self->text, text);
    text = self->text;
    CORE_UNLOCK();
    return text;
}

PyObject *core_url_text(PyObject *op)
{
    PyObject *text = LOAD(((CoreURL *)op)->text);

    return text != NULL ? text : make_text((CoreURL *)op);
}

static PyObject *url_str(PyObject *op)
{
    return Py_XNewRef(core_url_text(op));
}

/* The text of |native| with the password hidden. */
static PyObject *shown_text(rqx_url *native)
{
    rqx_slice whole = rqx_url_text(native), user = rqx_url_userinfo(native);
    const char *colon = user.data == NULL ? NULL : memchr(user.data, ':', user.len), *after;
    PyObject *head, *tail, *shown;

    if (colon == NULL)
        return text_from(whole);
    after = user.data + user.len;
    head = text_from((rqx_slice){whole.data, (size_t)(colon + 1 - whole.data)});
    tail = text_from((rqx_slice){after, whole.len - (size_t)(after - whole.data)});
    shown = head == NULL || tail == NULL ? NULL : PyUnicode_FromFormat("%U[secure]%U", head, tail);
    Py_XDECREF(head);
    Py_XDECREF(tail);
    return shown;
}

static PyObject *url_repr(PyObject *op)
{
    rqx_url *native = native_of(op);
    PyObject *shown = native == NULL ? NULL : shown_text(native), *name, *result = NULL;

    if (shown == NULL)
        return NULL;
    name = PyObject_GetAttrString((PyObject *)Py_TYPE(op), "__name__");
    if (name != NULL)
        result = PyUnicode_FromFormat("%U(%R)", name, shown);
    Py_DECREF(shown);
    Py_XDECREF(name);
    return result;
}

static Py_hash_t url_hash(PyObject *op)
{
    PyObject *text = core_url_text(op);

    return text == NULL ? -1 : PyObject_Hash(text);
}

static PyObject *url_richcompare(PyObject *op, PyObject *other, int compare)
{
    core_state *state = core_state_of(Py_TYPE(op));
    PyObject *text = core_url_text(op), *url, *other_text, *result = NULL;

    if (compare != Py_EQ && compare != Py_NE)
        Py_RETURN_NOTIMPLEMENTED;
    if (text == NULL)
        return NULL;
    if (!PyUnicode_Check(other) && !CoreURL_Check(state, other))
        return PyBool_FromLong(compare == Py_NE);
    url = core_url_from(state, other);
    if (url == NULL)
        return NULL;
    other_text = core_url_text(url);
    if (other_text != NULL)
        result = PyObject_RichCompare(text, other_text, compare);
    Py_DECREF(url);
    return result;
}

static PyObject *get_scheme(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : text_from(rqx_url_scheme(native));
}

static PyObject *get_raw_scheme(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : bytes_from(rqx_url_scheme(native));
}

static PyObject *get_userinfo(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : bytes_from(rqx_url_userinfo(native));
}

/* |closure|: 0 the user name, 1 the password. */
static PyObject *get_user_part(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);
    rqx_slice info;
    const char *colon;

    if (native == NULL)
        return NULL;
    info = rqx_url_userinfo(native);
    colon = info.data == NULL ? NULL : memchr(info.data, ':', info.len);
    if (closure == NULL && colon != NULL)
        info.len = (size_t)(colon - info.data);
    else if (closure != NULL)
        info = colon == NULL ? (rqx_slice){"", 0} : (rqx_slice){colon + 1, info.len - (size_t)(colon + 1 - info.data)};
    return core_url_unquote(info);
}

static PyObject *get_host(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);
    rqx_slice host;
    PyObject *result;
    char *text;
    int rc;

    (void)closure;
    if (native == NULL)
        return NULL;
    host = rqx_url_host(native);
    if (host.len < 4 || memcmp(host.data, "xn--", 4) != 0)
        return text_from(host);
    rc = rqx_url_host_unicode(host.data, host.len, &text);
    if (rc == RQX_ERR_NOMEM)
        return PyErr_NoMemory();
    if (rc < 0)
        return text_from(host);
    result = PyUnicode_FromString(text);
    rqx_free(text);
    return result;
}

static PyObject *get_raw_host(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : bytes_from(rqx_url_host(native));
}

static PyObject *get_port(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);
    int port;

    (void)closure;
    if (native == NULL)
        return NULL;
    port = rqx_url_port(native);
    if (port < 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(port);
}

static PyObject *get_netloc(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : bytes_from(rqx_url_authority(native));
}

static PyObject *get_path(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);
    rqx_url_parts parts;

    (void)closure;
    if (native == NULL)
        return NULL;
    rqx_url_split(native, &parts);
    return parts.path.len == 0 ? PyUnicode_FromString("/") : core_url_unquote(parts.path);
}

static PyObject *get_raw_path(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : bytes_from(rqx_url_target(native));
}

static PyObject *get_query(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : bytes_from(rqx_url_query(native));
}

static PyObject *get_params(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);
    PyObject *type = core_registered(core_state_of(Py_TYPE(op)), CORE_QueryParams), *query, *result;

    (void)closure;
    if (native == NULL || type == NULL)
        return NULL;
    query = rqx_url_query(native).data == NULL ? Py_NewRef(Py_None) : text_from(rqx_url_query(native));
    if (query == NULL)
        return NULL;
    result = PyObject_CallOneArg(type, query);
    Py_DECREF(query);
    return result;
}

static PyObject *get_fragment(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);

    (void)closure;
    return native == NULL ? NULL : core_url_unquote(rqx_url_fragment(native));
}

/* |closure|: 0 asks for absolute, 1 for relative. */
static PyObject *get_is_absolute(PyObject *op, void *closure)
{
    rqx_url *native = native_of(op);
    int absolute;

    if (native == NULL)
        return NULL;
    absolute = rqx_url_scheme(native).len > 0 && rqx_url_host(native).len > 0;
    return PyBool_FromLong(closure == NULL ? absolute : !absolute);
}

static PyObject *get_raw(PyObject *op, void *closure)
{
    static const char *const names[] = {"raw_scheme", "raw_host", "port", "raw_path"};
    PyObject *collections, *type, *args, *result = NULL;

    (void)closure;
    if (PyErr_WarnEx(PyExc_UserWarning, "URL.raw is deprecated.", 1) < 0)
        return NULL;
    collections = PyImport_ImportModule("collections");
    if (collections == NULL)
        return NULL;
    type = PyObject_CallMethod(collections, "namedtuple", "s[ssss]", "RawURL", names[0], names[1], names[2], names[3]);
    Py_DECREF(collections);
    if (type == NULL)
        return NULL;
    args = PyTuple_New(4);
    for (Py_ssize_t i = 0; args != NULL && i < 4; i++) {
        PyObject *value = PyObject_GetAttrString(op, names[i]);

        if (value == NULL)
            Py_CLEAR(args);
        else
            PyTuple_SET_ITEM(args, i, value);
    }
    if (args != NULL)
        result = PyObject_CallObject(type, args);
    Py_DECREF(type);
    Py_XDECREF(args);
    return result;
}

static PyObject *changed(PyObject *op, PyObject *kwargs)
{
    core_state *state = core_state_of(Py_TYPE(op));
    rqx_url *native = native_of(op), *fresh;
    PyObject *url;

    if (native == NULL)
        return NULL;
    if (kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0)
        return core_url_wrap(state, native);
    rqx_url_ref(native); /* the program's code may run, and call __init__ */
    fresh = core_url_change(state, native, kwargs);
    rqx_url_unref(native);
    if (fresh == NULL)
        return NULL;
    url = core_url_wrap(state, fresh);
    rqx_url_unref(fresh);
    return url;
}

static PyObject *url_copy_with(PyObject *op, PyObject *args, PyObject *kwargs)
{
    if (PyTuple_GET_SIZE(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "URL.copy_with() takes keyword arguments only");
        return NULL;
    }
    return changed(op, kwargs);
}

/* self.copy_with(params=self.params.<method>(*args, **kwargs)) */
static PyObject *change_params(PyObject *op, const char *method, PyObject *args, PyObject *kwargs)
{
    PyObject *params = get_params(op, NULL), *bound, *fresh = NULL, *keywords, *url;

    if (params == NULL)
        return NULL;
    bound = PyObject_GetAttrString(params, method);
    Py_DECREF(params);
    if (bound != NULL)
        fresh = PyObject_Call(bound, args, kwargs);
    Py_XDECREF(bound);
    if (fresh == NULL)
        return NULL;
    keywords = Py_BuildValue("{s:N}", "params", fresh);
    url = keywords == NULL ? NULL : changed(op, keywords);
    Py_XDECREF(keywords);
    return url;
}

static PyObject *url_copy_set_param(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return change_params(op, "set", args, kwargs);
}

static PyObject *url_copy_add_param(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return change_params(op, "add", args, kwargs);
}

static PyObject *url_copy_remove_param(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return change_params(op, "remove", args, kwargs);
}

static PyObject *url_copy_merge_params(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return change_params(op, "merge", args, kwargs);
}

static PyObject *url_join(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"url", NULL};
    core_state *state = core_state_of(Py_TYPE(op));
    rqx_url *base = native_of(op), *ref, *joined = NULL;
    PyObject *source, *url, *result = NULL;
    const char *why = NULL;
    rqx_slice text;
    int rc;

    if (base == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O:join", names, &source))
        return NULL;
    url = core_url_from(state, source);
    ref = url == NULL ? NULL : native_of(url);
    if (ref == NULL)
        goto done;
    text = rqx_url_text(ref);
    rc = rqx_url_join(base, text.data, text.len, &why, &joined);
    if (rc < 0) {
        core_url_refuse(state, rc, why, text.data, text.len);
        goto done;
    }
    result = core_url_wrap(state, joined);
    rqx_url_unref(joined);

done:
    Py_XDECREF(url);
    return result;
}

static PyObject *url_reduce(PyObject *op, PyObject *unused)
{
    PyObject *text = core_url_text(op);

    (void)unused;
    return text == NULL ? NULL : Py_BuildValue("O(O)", Py_TYPE(op), text);
}

static void url_dealloc(PyObject *op)
{
    CoreURL *self = (CoreURL *)op;
    PyTypeObject *type = Py_TYPE(op);

    rqx_url_unref(self->native);
    Py_XDECREF(self->text);
    forget_past(self);
    type->tp_free(op);
    Py_DECREF(type);
}

#define KEYWORDS(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

static PyMethodDef url_methods[] = {
    {"copy_with", KEYWORDS(url_copy_with),
     "copy_with($self, /, **kwargs)\n--\n\nA copy with the given components changed."},
    {"copy_set_param", KEYWORDS(url_copy_set_param),
     "copy_set_param($self, /, key, value=None)\n--\n\nA copy with one query parameter set."},
    {"copy_add_param", KEYWORDS(url_copy_add_param),
     "copy_add_param($self, /, key, value=None)\n--\n\nA copy with one query parameter added."},
    {"copy_remove_param", KEYWORDS(url_copy_remove_param),
     "copy_remove_param($self, /, key)\n--\n\nA copy without a query parameter."},
    {"copy_merge_params", KEYWORDS(url_copy_merge_params),
     "copy_merge_params($self, /, params)\n--\n\nA copy with query parameters merged in."},
    {"join", KEYWORDS(url_join), "join($self, /, url)\n--\n\nThe absolute URL that url means, seen from this one."},
    {"__reduce__", url_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef url_getset[] = {
    {"scheme", get_scheme, NULL, "Scheme, in lower case.", NULL},
    {"raw_scheme", get_raw_scheme, NULL, "Scheme as bytes.", NULL},
    {"userinfo", get_userinfo, NULL, "User name and password as bytes, percent-encoded.", NULL},
    {"username", get_user_part, NULL, "User name, decoded.", NULL},
    {"password", get_user_part, NULL, "Password, decoded.", (void *)1},
    {"host", get_host, NULL, "Host, in lower case, IDNA decoded.", NULL},
    {"raw_host", get_raw_host, NULL, "Host as bytes, IDNA encoded.", NULL},
    {"port", get_port, NULL, "Port, or None where it is the scheme's default.", NULL},
    {"netloc", get_netloc, NULL, "Host and port as bytes.", NULL},
    {"path", get_path, NULL, "Path, decoded.", NULL},
    {"raw_path", get_raw_path, NULL, "Path and query as bytes: what a request asks for.", NULL},
    {"query", get_query, NULL, "Query as bytes.", NULL},
    {"params", get_params, NULL, "Query as QueryParams.", NULL},
    {"fragment", get_fragment, NULL, "Fragment, decoded.", NULL},
    {"is_absolute_url", get_is_absolute, NULL, "Whether there are a scheme and a host.", NULL},
    {"is_relative_url", get_is_absolute, NULL, "Whether scheme or host are missing.", (void *)1},
    {"raw", get_raw, NULL, "Deprecated.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(url_doc, "URL(url='', **kwargs)\n--\n\n"
                      "A URL, normalized and immutable.  Components may be given or changed by keyword:\n"
                      "scheme, username, password, userinfo, host, port, netloc, path, query, raw_path,\n"
                      "fragment, params.");

static PyType_Slot url_slots[] = {
    {Py_tp_doc, (void *)url_doc},
    {Py_tp_init, url_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, url_dealloc},
    {Py_tp_repr, url_repr},
    {Py_tp_str, url_str},
    {Py_tp_hash, url_hash},
    {Py_tp_richcompare, url_richcompare},
    {Py_tp_methods, url_methods},
    {Py_tp_getset, url_getset},
    {0, NULL},
};

static PyType_Spec url_spec = {
    .name = "requestx.URL",
    .basicsize = sizeof(CoreURL),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = url_slots,
};

int core_url_init(PyObject *module, core_state *state)
{
    state->url_type = core_add_type(module, &url_spec, NULL, 1);
    return state->url_type == NULL ? -1 : 0;
}
