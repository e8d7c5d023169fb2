/*
 * tls.c - the Python type Tls, and borrowing the SSL_CTX of an ssl.SSLContext.
 *
 * Borrowing is right only where the interpreter's _ssl module and the library run on one and the same OpenSSL.  That is
 * found out by asking the dynamic linker where each of them gets SSL_CTX_new from; and before the SSL_CTX is used, its
 * options are read through that OpenSSL and compared with what the SSLContext says of them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tls.h"

#include <dlfcn.h>
#include <string.h>

static PyObject *tls_failure(int code, const char *text)
{
    if (code == RQX_ERR_NOMEM)
        return PyErr_NoMemory();
    PyErr_SetString(code == RQX_ERR_INVALID_ARGUMENT ? PyExc_ValueError : PyExc_OSError,
                    text == NULL ? rqx_error_text(code) : text);
    return NULL;
}

/* An argument that is None, str or bytes; 0 or -1. */
static int text_arg(PyObject *value, const char *name, const char **ret_text)
{
    *ret_text = NULL;
    if (value == NULL || value == Py_None)
        return 0;
    *ret_text = PyUnicode_Check(value) ? PyUnicode_AsUTF8(value)
                : PyBytes_Check(value) ? PyBytes_AS_STRING(value)
                                       : NULL;
    if (*ret_text == NULL && !PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "Tls: %s must be str or bytes", name);
    return *ret_text == NULL ? -1 : 0;
}

/* An argument that is None or a tuple of str, whose texts |list| then points to; 0 or -1. */
static int pins_arg(PyObject *value, const char **list, size_t *ret_count)
{
    *ret_count = 0;
    if (value == NULL || value == Py_None)
        return 0;
    if (!PyTuple_Check(value) || PyTuple_GET_SIZE(value) > RQX_TLS_PINS_MAX) {
        PyErr_Format(PyExc_ValueError, "pins must be a tuple of at most %d str", RQX_TLS_PINS_MAX);
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); i++) {
        if (text_arg(PyTuple_GET_ITEM(value, i), "pins", &list[i]) < 0)
            return -1;
    }
    *ret_count = (size_t)PyTuple_GET_SIZE(value);
    return 0;
}

/* Guarded. */
static int keep_native(CoreTls *self, rqx_tls *native)
{
    if (self->native != NULL) { /* a transport may hold it, and another thread be at it */
        PyErr_SetString(PyExc_TypeError, "a Tls cannot be changed");
        rqx_tls_unref(native);
        return -1;
    }
    self->native = native;
    return 0;
}

static int tls_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"verify",      "ca_file",      "ca_dir",      "ca_pem",    "cert_file",
                            "key_file",    "key_password", "keylog_file", "trust_env", "system_trust",
                            "min_version", "pins",         NULL};
    PyObject *ca_file = NULL, *ca_dir = NULL, *ca_pem = NULL, *cert = NULL, *key = NULL, *password = NULL,
             *keylog = NULL, *pins = NULL;
    const char *pin_list[RQX_TLS_PINS_MAX];
    rqx_tls_options options;
    rqx_tls *native = NULL;
    int rc;

    rqx_tls_options_init(&options);
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pOOOOOOOppiO:Tls", names, &options.verify, &ca_file, &ca_dir,
                                     &ca_pem, &cert, &key, &password, &keylog, &options.trust_env,
                                     &options.system_trust, &options.min_version, &pins) ||
        text_arg(ca_file, "ca_file", &options.ca_file) < 0 || text_arg(ca_dir, "ca_dir", &options.ca_dir) < 0 ||
        text_arg(ca_pem, "ca_pem", &options.ca_pem) < 0 || text_arg(cert, "cert_file", &options.cert_file) < 0 ||
        text_arg(key, "key_file", &options.key_file) < 0 || text_arg(keylog, "keylog_file", &options.keylog_file) < 0 ||
        text_arg(password, "key_password", &options.key_password) < 0 ||
        pins_arg(pins, pin_list, &options.pin_count) < 0)
        return -1;
    options.pins = options.pin_count == 0 ? NULL : pin_list;
    options.ca_pem_len = options.ca_pem == NULL ? 0 : strlen(options.ca_pem);
    rc = rqx_tls_new(&options, &native);
    if (rc < 0) {
        tls_failure(rc, NULL);
        return -1;
    }
    CORE_LOCK(op);
    rc = keep_native((CoreTls *)op, native);
    CORE_UNLOCK();
    return rc;
}

static PyObject *tls_load(PyObject *op, PyObject *unused)
{
    CoreTls *self = (CoreTls *)op;
    char *text = NULL;
    int rc;

    (void)unused;
    if (self->native == NULL)
        return tls_failure(RQX_ERR_INVALID_ARGUMENT, NULL);
    Py_BEGIN_ALLOW_THREADS rc = rqx_tls_load(self->native, &text);
    Py_END_ALLOW_THREADS if (rc < 0)
    {
        tls_failure(rc, text);
        rqx_free(text);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Where the shared object at |path| gets |symbol| from; NULL: it is not loaded, or has it from nowhere. */
static void *symbol_of(const char *path, const char *symbol)
{
    void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD), *found;

    if (handle == NULL)
        return NULL;
    found = dlsym(handle, symbol);
    dlclose(handle);
    return found;
}

static PyObject *ssl_module_path(void)
{
    PyObject *module = PyImport_ImportModule("_ssl"), *path;

    if (module == NULL)
        return NULL;
    path = PyObject_GetAttrString(module, "__file__");
    Py_DECREF(module);
    if (path == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        path = Py_NewRef(Py_None);
    }
    return path;
}

/* 1: one OpenSSL serves both; 0: not; -1 with an exception. */
static int shares_openssl(void)
{
    PyObject *path = ssl_module_path();
    const char *theirs;
    void *symbol = NULL;
    Dl_info info;

    if (path == NULL)
        return -1;
    theirs = path == Py_None ? NULL : PyUnicode_AsUTF8(path);
    if (theirs != NULL)
        symbol = symbol_of(theirs, "SSL_CTX_new");
    Py_DECREF(path);
    if (PyErr_Occurred())
        return -1;
    if (symbol == NULL || dladdr((void *)&rqx_tls_new, &info) == 0 || info.dli_fname == NULL)
        return 0;
    return symbol_of(info.dli_fname, "SSL_CTX_new") == symbol;
}

/* What every version of CPython so far has at the beginning of an _ssl._SSLContext. */
struct ssl_context_head {
    PyObject_HEAD void *ctx; /* SSL_CTX * */
};

/* The SSL_CTX of |context|, or NULL where that cannot be known. */
static void *ssl_ctx_of(PyObject *context)
{
    uint64_t (*get_options)(const void *) = NULL;
    PyObject *options;
    uint64_t told;
    void *ctx = ((struct ssl_context_head *)context)->ctx;

    *(void **)&get_options = dlsym(RTLD_DEFAULT, "SSL_CTX_get_options");
    if (get_options == NULL) {
        Dl_info info;

        if (dladdr((void *)&rqx_tls_new, &info) != 0 && info.dli_fname != NULL)
            *(void **)&get_options = symbol_of(info.dli_fname, "SSL_CTX_get_options");
    }
    if (get_options == NULL || ctx == NULL)
        return NULL;
    options = PyObject_GetAttrString(context, "options");
    if (options == NULL)
        return NULL;
    told = PyLong_AsUnsignedLongLongMask(options);
    Py_DECREF(options);
    return (get_options(ctx) & 0xffffffff) == (told & 0xffffffff) ? ctx : NULL;
}

static PyObject *tls_from_context(PyObject *type, PyObject *args)
{
    PyObject *context, *base, *check = NULL, *pins = NULL;
    const char *pin_list[RQX_TLS_PINS_MAX];
    int shared = shares_openssl(), checks, rc;
    size_t pin_count;
    CoreTls *self;
    void *ctx;

    if (shared < 0 || !PyArg_ParseTuple(args, "O|O:from_context", &context, &pins) ||
        pins_arg(pins, pin_list, &pin_count) < 0)
        return NULL;
    base = PyImport_ImportModule("_ssl");
    if (base != NULL)
        Py_SETREF(base, PyObject_GetAttrString(base, "_SSLContext"));
    rc = base == NULL ? -1 : PyObject_IsInstance(context, base);
    Py_XDECREF(base);
    if (rc < 0)
        return NULL;
    ctx = rc == 1 && shared ? ssl_ctx_of(context) : NULL;
    if (PyErr_Occurred())
        return NULL;
    if (ctx == NULL)
        Py_RETURN_NONE;
    check = PyObject_GetAttrString(context, "check_hostname");
    checks = check == NULL ? -1 : PyObject_IsTrue(check);
    Py_XDECREF(check);
    if (checks < 0)
        return NULL;
    self = (CoreTls *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    if (self == NULL)
        return NULL;
    rc = rqx_tls_from_ssl_ctx(ctx, checks, pin_list, pin_count, &self->native);
    if (rc < 0) {
        Py_DECREF(self);
        return tls_failure(rc, NULL);
    }
    self->context = Py_NewRef(context);
    return (PyObject *)self;
}

static int tls_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((CoreTls *)op)->context);
    return 0;
}

static int tls_clear(PyObject *op)
{
    Py_CLEAR(((CoreTls *)op)->context);
    return 0;
}

static void tls_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    rqx_tls_unref(((CoreTls *)op)->native);
    tls_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef tls_methods[] = {
    {"load", tls_load, METH_NOARGS, "load($self, /)\n--\n\nRead the files now; OSError names one that cannot be used."},
    {"from_context", tls_from_context, METH_VARARGS | METH_CLASS,
     "from_context($type, context, pins=None, /)\n--\n\nBorrow an ssl.SSLContext; None where it belongs to another "
     "OpenSSL."},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(tls_doc, "Tls(*, verify=True, ca_file=None, ca_dir=None, ca_pem=None, cert_file=None, key_file=None,\n"
                      "    key_password=None, keylog_file=None, trust_env=True, system_trust=True, min_version=771,\n"
                      "    pins=None)\n--\n\n"
                      "How TLS connections are made and whom they trust.");

static PyType_Slot tls_slots[] = {
    {Py_tp_doc, (void *)tls_doc},   {Py_tp_init, tls_init},
    {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, tls_dealloc},
    {Py_tp_traverse, tls_traverse}, {Py_tp_clear, tls_clear},
    {Py_tp_methods, tls_methods},   {0, NULL},
};

static PyType_Spec tls_spec = {
    .name = "requestx._core.Tls",
    .basicsize = sizeof(CoreTls),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = tls_slots,
};

int core_tls_init(PyObject *module, core_state *state)
{
    state->tls_type = core_add_type(module, &tls_spec, NULL, 1);
    return state->tls_type == NULL ? -1 : 0;
}
