/*
 * verb.c - the types of request methods, unbound and bound.
 */
#include "verb.h"

#include "client.h"

#include <stddef.h>

/* AsyncClient.get; called with the client as first argument, without making a bound method.  Never changes. */
typedef struct CoreVerb {
    PyObject_HEAD vectorcallfunc vectorcall;
    core_state *state; /* borrowed of the type */
    int verb;
    char is_async;
} CoreVerb;

/* client.get; never changes, either. */
typedef struct CoreBoundVerb {
    PyObject_HEAD vectorcallfunc vectorcall;
    CoreVerb *verb;
    PyObject *client;
    PyObject *weakrefs;
} CoreBoundVerb;

static const char *const docs[VERB_COUNT] = {
    "Send a request and read its response.",
    "Send a GET request.",
    "Send an OPTIONS request.",
    "Send a HEAD request.",
    "Send a DELETE request.",
    "Send a POST request.",
    "Send a PUT request.",
    "Send a PATCH request.",
};

static PyObject *call(CoreVerb *self, PyObject *client, PyObject *const *values, Py_ssize_t nargs, PyObject *kwnames)
{
    core_args args;

    if (core_args_read(self->state, &args, self->verb, values, nargs, kwnames) < 0)
        return NULL;
    return self->is_async ? core_async_request(client, &args, self->verb) : core_sync_request(client, &args);
}

static PyObject *verb_vectorcall(PyObject *op, PyObject *const *values, size_t nargsf, PyObject *kwnames)
{
    CoreVerb *self = (CoreVerb *)op;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    PyTypeObject *type = self->is_async ? self->state->async_client_type : self->state->sync_client_type;

    if (nargs < 1 || !PyObject_TypeCheck(values[0], type)) {
        PyErr_Format(PyExc_TypeError, "%s() is a method of %s", core_verbs[self->verb].name,
                     self->is_async ? "AsyncClient" : "Client");
        return NULL;
    }
    return call(self, values[0], values + 1, nargs - 1, kwnames);
}

static PyObject *bound_vectorcall(PyObject *op, PyObject *const *values, size_t nargsf, PyObject *kwnames)
{
    CoreBoundVerb *self = (CoreBoundVerb *)op;

    return call(self->verb, self->client, values, PyVectorcall_NARGS(nargsf), kwnames);
}

static PyObject *verb_get(PyObject *op, PyObject *client, PyObject *type)
{
    CoreVerb *self = (CoreVerb *)op;
    PyTypeObject *bound_type = self->state->bound_verb_type;
    CoreBoundVerb *bound;

    (void)type;
    if (client == NULL || client == Py_None)
        return Py_NewRef(op);
    bound = (CoreBoundVerb *)bound_type->tp_alloc(bound_type, 0);
    if (bound == NULL)
        return NULL;
    bound->vectorcall = bound_vectorcall;
    bound->verb = (CoreVerb *)Py_NewRef(op);
    bound->client = Py_NewRef(client);
    return (PyObject *)bound;
}

/* --- what both tell of themselves; |closure| is not NULL for the bound one --- */

static CoreVerb *verb_of(PyObject *op, void *closure)
{
    return closure == NULL ? (CoreVerb *)op : ((CoreBoundVerb *)op)->verb;
}

static PyObject *get_name(PyObject *op, void *closure)
{
    return PyUnicode_FromString(core_verbs[verb_of(op, closure)->verb].name);
}

static PyObject *get_qualname(PyObject *op, void *closure)
{
    CoreVerb *self = verb_of(op, closure);

    return PyUnicode_FromFormat("%s.%s", self->is_async ? "AsyncClient" : "Client", core_verbs[self->verb].name);
}

static PyObject *get_module(PyObject *op, void *closure)
{
    (void)op;
    (void)closure;
    return PyUnicode_FromString("requestx");
}

static PyObject *get_doc(PyObject *op, void *closure)
{
    return PyUnicode_FromString(docs[verb_of(op, closure)->verb]);
}

static PyObject *get_signature(PyObject *op, void *closure)
{
    const core_verb *verb = &core_verbs[verb_of(op, closure)->verb];
    PyObject *module = PyImport_ImportModule("requestx._signatures"), *result;

    if (module == NULL)
        return NULL;
    result = PyObject_CallMethod(module, "signature", "OOO", verb->method == NULL ? Py_True : Py_False,
                                 verb->has_body ? Py_True : Py_False, closure == NULL ? Py_False : Py_True);
    Py_DECREF(module);
    return result;
}

/* The mark by which |module| knows a coroutine function that was not made by `async def`. */
static PyObject *coroutine_mark(CoreVerb *self, const char *module_name, const char *mark, const char *attribute)
{
    PyObject *module, *result = NULL;

    module = self->is_async ? PyImport_ImportModule(module_name) : NULL;
    if (module != NULL)
        result = PyObject_GetAttrString(module, mark);
    Py_XDECREF(module);
    if (result == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_AttributeError, attribute);
    return result;
}

static PyObject *get_asyncio_mark(PyObject *op, void *closure)
{
    return coroutine_mark(verb_of(op, closure), "asyncio.coroutines", "_is_coroutine", "_is_coroutine");
}

static PyObject *get_inspect_mark(PyObject *op, void *closure)
{
    return coroutine_mark(verb_of(op, closure), "inspect", "_is_coroutine_mark", "_is_coroutine_marker");
}

#define DESCRIPTION(closure)                                                                                           \
    {"__name__", get_name, NULL, NULL, closure}, {"__qualname__", get_qualname, NULL, NULL, closure},                  \
        {"__module__", get_module, NULL, NULL, closure}, {"__doc__", get_doc, NULL, NULL, closure},                    \
        {"__signature__", get_signature, NULL, NULL, closure},                                                         \
        {"_is_coroutine", get_asyncio_mark, NULL, NULL, closure},                                                      \
    {                                                                                                                  \
        "_is_coroutine_marker", get_inspect_mark, NULL, NULL, closure                                                  \
    }

static PyGetSetDef verb_getset[] = {DESCRIPTION(NULL), {NULL, NULL, NULL, NULL, NULL}};
static PyGetSetDef bound_getset[] = {DESCRIPTION((void *)1), {NULL, NULL, NULL, NULL, NULL}};

static PyObject *verb_repr(PyObject *op)
{
    PyObject *name = get_qualname(op, NULL), *result;

    result = name == NULL ? NULL : PyUnicode_FromFormat("<method %U of requestx>", name);
    Py_XDECREF(name);
    return result;
}

static PyObject *bound_repr(PyObject *op)
{
    PyObject *name = get_qualname(op, (void *)1), *result;

    result = name == NULL ? NULL : PyUnicode_FromFormat("<bound method %U of %R>", name, ((CoreBoundVerb *)op)->client);
    Py_XDECREF(name);
    return result;
}

static PyObject *verb_reduce(PyObject *op, PyObject *unused)
{
    (void)unused;
    return get_qualname(op, NULL);
}

static PyObject *bound_reduce(PyObject *op, PyObject *unused)
{
    PyObject *getattr = PyMapping_GetItemString(PyEval_GetBuiltins(), "getattr");

    (void)unused;
    if (getattr == NULL)
        return NULL;
    return Py_BuildValue("N(Os)", getattr, ((CoreBoundVerb *)op)->client,
                         core_verbs[((CoreBoundVerb *)op)->verb->verb].name);
}

static PyObject *bound_richcompare(PyObject *op, PyObject *other, int compare)
{
    CoreBoundVerb *a = (CoreBoundVerb *)op, *b = (CoreBoundVerb *)other;
    int same;

    if ((compare != Py_EQ && compare != Py_NE) || Py_TYPE(op) != Py_TYPE(other))
        Py_RETURN_NOTIMPLEMENTED;
    same = a->verb == b->verb && a->client == b->client;
    return PyBool_FromLong(same == (compare == Py_EQ));
}

static Py_hash_t bound_hash(PyObject *op)
{
    CoreBoundVerb *self = (CoreBoundVerb *)op;
    Py_hash_t hash = (Py_hash_t)((size_t)self->client >> 4 ^ (size_t)self->verb >> 3);

    return hash == -1 ? -2 : hash;
}

static int verb_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    return 0;
}

static void verb_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static int bound_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((CoreBoundVerb *)op)->verb);
    Py_VISIT(((CoreBoundVerb *)op)->client);
    return 0;
}

static int bound_clear(PyObject *op)
{
    Py_CLEAR(((CoreBoundVerb *)op)->client);
    return 0;
}

static void bound_dealloc(PyObject *op)
{
    CoreBoundVerb *self = (CoreBoundVerb *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    Py_XDECREF(self->client);
    Py_XDECREF(self->verb);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMemberDef verb_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CoreVerb, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMemberDef bound_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CoreBoundVerb, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreBoundVerb, weakrefs), READONLY, NULL},
    {"__self__", T_OBJECT, offsetof(CoreBoundVerb, client), READONLY, NULL},
    {"__func__", T_OBJECT, offsetof(CoreBoundVerb, verb), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef verb_methods[] = {{"__reduce__", verb_reduce, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyMethodDef bound_methods[] = {{"__reduce__", bound_reduce, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot verb_slots[] = {
    {Py_tp_call, PyVectorcall_Call}, {Py_tp_descr_get, verb_get},   {Py_tp_repr, verb_repr},
    {Py_tp_traverse, verb_traverse}, {Py_tp_dealloc, verb_dealloc}, {Py_tp_members, verb_members},
    {Py_tp_getset, verb_getset},     {Py_tp_methods, verb_methods}, {0, NULL},
};

static PyType_Slot bound_slots[] = {
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_repr, bound_repr},
    {Py_tp_richcompare, bound_richcompare},
    {Py_tp_hash, bound_hash},
    {Py_tp_traverse, bound_traverse},
    {Py_tp_clear, bound_clear},
    {Py_tp_dealloc, bound_dealloc},
    {Py_tp_members, bound_members},
    {Py_tp_getset, bound_getset},
    {Py_tp_methods, bound_methods},
    {0, NULL},
};

#define FLAGS Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION

static PyType_Spec verb_spec = {
    .name = "requestx._core.Method",
    .basicsize = sizeof(CoreVerb),
    .flags = FLAGS | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .slots = verb_slots,
};

static PyType_Spec bound_spec = {
    .name = "requestx._core.BoundMethod",
    .basicsize = sizeof(CoreBoundVerb),
    .flags = FLAGS,
    .slots = bound_slots,
};

int core_verb_add(core_state *state, PyTypeObject *type, int is_async)
{
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        CoreVerb *self = (CoreVerb *)state->verb_type->tp_alloc(state->verb_type, 0);
        int rc;

        if (self == NULL)
            return -1;
        self->vectorcall = verb_vectorcall;
        self->state = state;
        self->verb = verb;
        self->is_async = (char)is_async;
        rc = PyObject_SetAttrString((PyObject *)type, core_verbs[verb].name, (PyObject *)self);
        Py_DECREF(self);
        if (rc < 0)
            return -1;
    }
    return 0;
}

int core_verb_init(PyObject *module, core_state *state)
{
    state->verb_type = core_add_type(module, &verb_spec, NULL, 0);
    state->bound_verb_type = core_add_type(module, &bound_spec, NULL, 0);
    return state->verb_type == NULL || state->bound_verb_type == NULL ? -1 : 0;
}
