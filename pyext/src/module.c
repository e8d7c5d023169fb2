/*
 * module.c - requestx._core: creation, state, and the register() function by which Python hands its classes in.
 */
#include "core.h"

#include "driver.h"
#include "graveyard.h"
#include "models.h"
#include "sync.h"

static int add_names(core_state *state)
{
#define CORE_NAMES_MAKE(name)                                                                                          \
    state->names.name = PyUnicode_InternFromString(#name);                                                             \
    if (state->names.name == NULL)                                                                                     \
        return -1;
    CORE_NAMES(CORE_NAMES_MAKE)
#undef CORE_NAMES_MAKE
    return 0;
}

static const char *const registered_names[] = {
#define CORE_REGISTERED_TEXT(name) #name,
    CORE_REGISTERED(CORE_REGISTERED_TEXT)
#undef CORE_REGISTERED_TEXT
};

PyObject *core_registered(core_state *state, enum core_registered which)
{
    PyObject *object = core_kept(&state->registered[which]);

    if (object == NULL)
        PyErr_Format(PyExc_RuntimeError, "requestx._core: %s is not registered", registered_names[which]);
    return object;
}

/* Keeps what a transport class' method was before anybody could replace it.  0 or -1. */
static int note_handler(core_state *state, enum core_registered which, PyObject *name, PyObject **slot)
{
    PyObject *type = core_kept(&state->registered[which]);

    if (type == NULL || core_kept(slot) != NULL)
        return 0;
    return core_keep_first(slot, PyObject_GetAttr(type, name)) == NULL ? -1 : 0;
}

/* Fills a slot; what was there goes on living, because others borrow it.  0 or -1. */
static int fill_slot(core_state *state, size_t which, PyObject *value)
{
    PyObject *old = __atomic_exchange_n(&state->registered[which], Py_NewRef(value), __ATOMIC_ACQ_REL);
    int rc = old == NULL || old == value ? 0 : PyList_Append(state->replaced, old);

    Py_XDECREF(old);
    return rc;
}

static PyObject *module_register(PyObject *module, PyObject *args, PyObject *kwargs)
{
    core_state *state = PyModule_GetState(module);
    PyObject *key, *value;
    Py_ssize_t pos = 0;

    if (PyTuple_GET_SIZE(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "register() takes keyword arguments only");
        return NULL;
    }
    while (kwargs != NULL && PyDict_Next(kwargs, &pos, &key, &value)) {
        size_t i;

        for (i = 0; i < CORE_REGISTERED_COUNT; i++) {
            if (PyUnicode_CompareWithASCIIString(key, registered_names[i]) == 0)
                break;
        }
        if (i == CORE_REGISTERED_COUNT) {
            PyErr_Format(PyExc_TypeError, "register() does not know %R", key);
            return NULL;
        }
        if (fill_slot(state, i, value) < 0)
            return NULL;
    }
    if (note_handler(state, CORE_HTTPTransport, state->names.handle_request, &state->sync_handler) < 0 ||
        note_handler(state, CORE_AsyncHTTPTransport, state->names.handle_async_request, &state->async_handler) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *module_versions(PyObject *module, PyObject *unused)
{
    const rqx_version_info *info = rqx_version();

    (void)module;
    (void)unused;
    return Py_BuildValue("{s:s,s:s,s:s,s:s,s:s}", "requestx", info->version, "nghttp2", info->nghttp2, "openssl",
                         info->openssl, "cares", info->cares, "codings", info->codings);
}

static PyObject *module_forked(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    core_forked();
    Py_RETURN_NONE;
}

/* A child has to know that it is one, before it waits for a lock that a thread of its parent held. */
static int watch_forks(PyObject *module)
{
    PyObject *os = PyImport_ImportModule("os"), *hook = NULL, *function = NULL, *none = NULL, *kwargs = NULL;
    PyObject *result = NULL;

    if (os != NULL)
        hook = PyObject_GetAttrString(os, "register_at_fork");
    if (hook != NULL)
        function = PyObject_GetAttrString(module, "_forked");
    none = PyTuple_New(0);
    if (function != NULL)
        kwargs = Py_BuildValue("{s:O}", "after_in_child", function);
    if (none != NULL && kwargs != NULL)
        result = PyObject_Call(hook, none, kwargs);
    Py_XDECREF(os);
    Py_XDECREF(hook);
    Py_XDECREF(function);
    Py_XDECREF(none);
    Py_XDECREF(kwargs);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

PyTypeObject *core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base, int public_name)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, (PyObject *)base);

    if (type == NULL)
        return NULL;
    if (public_name && PyModule_AddType(module, type) < 0) {
        Py_DECREF(type);
        return NULL;
    }
    return type;
}

static int (*const inits[])(PyObject *module, core_state *state) = {
    core_headers_init, core_url_init,   core_decoder_init, core_request_init,   core_response_init, core_address_init,
    core_tls_init,     core_retry_init, core_driver_init,  core_transport_init, core_exchange_init, core_stream_op_init,
    core_stream_init,  core_call_init,  core_verb_init,    core_client_init,
};

static int module_exec(PyObject *module)
{
    core_state *state = PyModule_GetState(module);
    PyObject *abc;

    state->module = module;
    if (add_names(state) < 0)
        return -1;
    abc = PyImport_ImportModule("_collections_abc");
    if (abc == NULL)
        return -1;
    state->mapping = PyObject_GetAttrString(abc, "Mapping");
    Py_DECREF(abc);
    if (state->mapping == NULL)
        return -1;
    state->info_level = PyLong_FromLong(20);
    state->replaced = PyList_New(0);
    if (state->info_level == NULL || state->replaced == NULL || core_graveyard_init(state) < 0)
        return -1;
    for (size_t i = 0; i < sizeof inits / sizeof inits[0]; i++) {
        if (inits[i](module, state) < 0)
            return -1;
    }
    if (PyModule_AddIntConstant(module, "MAX_REDIRECT_BODY", CORE_MAX_REDIRECT_BODY) < 0)
        return -1;
    return watch_forks(module);
}

/* Every object of the state, as pointers to PyObject *: for traverse and clear. */
static int state_each(core_state *state, int (*each)(PyObject **slot, void *arg), void *arg)
{
    PyObject **slots[] = {
        (PyObject **)&state->headers_type,
        (PyObject **)&state->url_type,
        (PyObject **)&state->request_type,
        (PyObject **)&state->response_type,
        (PyObject **)&state->decoder_type,
        (PyObject **)&state->address_rules_type,
        (PyObject **)&state->tls_type,
        (PyObject **)&state->retry_type,
        (PyObject **)&state->transport_type,
        (PyObject **)&state->driver_type,
        (PyObject **)&state->exchange_type,
        (PyObject **)&state->call_type,
        (PyObject **)&state->stream_op_type,
        (PyObject **)&state->stream_type,
        (PyObject **)&state->async_stream_type,
        (PyObject **)&state->client_type,
        (PyObject **)&state->sync_client_type,
        (PyObject **)&state->async_client_type,
        (PyObject **)&state->timings_type,
        (PyObject **)&state->verb_type,
        (PyObject **)&state->bound_verb_type,
        &state->replaced,
        &state->mapping,
        &state->json_encode,
        &state->json_loads,
        &state->logger,
        &state->get_loop,
        &state->timedelta,
        &state->info_level,
        &state->sync_handler,
        &state->async_handler,
    };
    size_t i;
    int rc;

    for (i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        if ((rc = each(slots[i], arg)) != 0)
            return rc;
    }
    for (i = 0; i < CORE_REGISTERED_COUNT; i++) {
        if ((rc = each(&state->registered[i], arg)) != 0)
            return rc;
    }
    return 0;
}

struct visit_arg {
    visitproc visit;
    void *arg;
};

static int visit_slot(PyObject **slot, void *arg)
{
    struct visit_arg *visit = arg;

    return *slot == NULL ? 0 : visit->visit(*slot, visit->arg);
}

static int clear_slot(PyObject **slot, void *arg)
{
    (void)arg;
    Py_CLEAR(*slot);
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct visit_arg pair = {visit, arg};

    return state_each(PyModule_GetState(module), visit_slot, &pair);
}

static int module_clear(PyObject *module)
{
    core_state *state = PyModule_GetState(module);

    state_each(state, clear_slot, NULL);
    for (size_t i = 0; i < sizeof(state->methods) / sizeof(state->methods[0]); i++)
        Py_CLEAR(state->methods[i]);
    for (size_t i = 0; i < sizeof(state->verbs) / sizeof(state->verbs[0]); i++)
        Py_CLEAR(state->verbs[i]);
#define CORE_NAMES_CLEAR(name) Py_CLEAR(state->names.name);
    CORE_NAMES(CORE_NAMES_CLEAR)
#undef CORE_NAMES_CLEAR
    return 0;
}

static void module_free(void *module)
{
    core_state *state = PyModule_GetState(module);

    module_clear(module);
    core_graveyard_done(state);
}

static PyObject *module_is_public_suffix(PyObject *module, PyObject *domain)
{
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(domain, &len);

    (void)module;
    return text == NULL ? NULL : PyBool_FromLong(rqx_cookies_public_suffix(text, (size_t)len));
}

static PyMethodDef module_methods[] = {
    {"register", (PyCFunction)(void (*)(void))module_register, METH_VARARGS | METH_KEYWORDS,
     "register(**names)\n--\n\nHand classes and functions of the package to the extension."},
    {"versions", module_versions, METH_NOARGS, "versions()\n--\n\nVersions of the library and of what it runs on."},
    {"is_public_suffix", module_is_public_suffix, METH_O,
     "is_public_suffix(domain)\n--\n\nWhether nobody may set cookies for the domain: a registry's, such as \"co.uk\"."},
    {"_forked", module_forked, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,         .m_name = "requestx._core",  .m_doc = "The compiled part of requestx.",
    .m_size = sizeof(core_state),  .m_methods = module_methods, .m_slots = module_slots,
    .m_traverse = module_traverse, .m_clear = module_clear,     .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
