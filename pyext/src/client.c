/*
 * client.c - the types SyncClientBase and AsyncClientBase.
 */
#include "client.h"
#include "verb.h"

#include <stddef.h>

static PyObject *client_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    core_state *state = core_state_of(type);
    CoreClient *self = state == NULL ? NULL : (CoreClient *)type->tp_alloc(type, 0);

    (void)args;
    (void)kwargs;
    if (self == NULL)
        return NULL;
    self->state = state;
    self->follow_redirects = Py_NewRef(Py_False);
    self->max_redirects = Py_NewRef(Py_None);
    self->phase = CORE_CLIENT_UNOPENED;
    self->is_async = (char)PyType_IsSubtype(type, state->async_client_type);
    return (PyObject *)self;
}

static int client_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreClient *self = (CoreClient *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->follow_redirects);
    Py_VISIT(self->max_redirects);
    Py_VISIT(self->dict);
    return core_fast_traverse(self, visit, arg);
}

static int client_clear(PyObject *op)
{
    CoreClient *self = (CoreClient *)op;

    Py_CLEAR(self->follow_redirects);
    Py_CLEAR(self->max_redirects);
    Py_CLEAR(self->dict);
    core_fast_clear(self);
    return 0;
}

static void client_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    if (((CoreClient *)op)->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    client_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

/* Opens or closes the client, unless it is closed, and gives what it was before: one thread alone is told so. */
static PyObject *client_move(PyObject *op, PyObject *number)
{
    CoreClient *self = (CoreClient *)op;
    long phase = PyLong_AsLong(number);
    char before = self->phase;

    if (phase == -1 && PyErr_Occurred())
        return NULL;
    if (phase > before)
        self->phase = phase >= CORE_CLIENT_CLOSED ? CORE_CLIENT_CLOSED : (char)phase;
    return PyLong_FromLong(before);
}

CORE_GUARDED_METHOD(client_move)

static PyMethodDef client_methods[] = {
    {"_move", client_move_guarded, METH_O, "Go on to a later ClientState; give the one before."},
    {"_fast_turn", core_fast_turn, METH_NOARGS, "To be called before the settings are read for _fast_configure()."},
    {"_fast_configure", (PyCFunction)(void (*)(void))core_fast_configure, METH_VARARGS | METH_KEYWORDS,
     "Settings of the client, for the fast path."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef client_members[] = {
    {"follow_redirects", T_OBJECT_EX, offsetof(CoreClient, follow_redirects), 0, "Whether redirects are followed."},
    {"max_redirects", T_OBJECT_EX, offsetof(CoreClient, max_redirects), 0, "The most redirects to follow."},
    {"_state", T_BYTE, offsetof(CoreClient, phase), 0, "The ClientState."},
    {"__dictoffset__", T_PYSSIZET, offsetof(CoreClient, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreClient, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef client_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* A heap type with GC says so itself, also where it inherits. */
#define LIFE                                                                                                           \
    {Py_tp_new, client_new}, {Py_tp_dealloc, client_dealloc}, {Py_tp_traverse, client_traverse},                       \
    {                                                                                                                  \
        Py_tp_clear, client_clear                                                                                      \
    }

static PyType_Slot client_slots[] = {
    LIFE, {Py_tp_methods, client_methods}, {Py_tp_members, client_members}, {Py_tp_getset, client_getset}, {0, NULL},
};

static PyType_Slot sync_slots[] = {
    LIFE,
    {Py_tp_doc, (void *)"The request methods of Client."},
    {0, NULL},
};

static PyType_Slot async_slots[] = {
    LIFE,
    {Py_tp_doc, (void *)"The request methods of AsyncClient."},
    {0, NULL},
};

#define SPEC(name_, slots_)                                                                                            \
    {                                                                                                                  \
        .name = name_, .basicsize = sizeof(CoreClient),                                                                \
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, .slots = slots_                        \
    }

static PyType_Spec client_spec = SPEC("requestx._core.ClientBase", client_slots);
static PyType_Spec sync_spec = SPEC("requestx._core.SyncClientBase", sync_slots);
static PyType_Spec async_spec = SPEC("requestx._core.AsyncClientBase", async_slots);

int core_client_init(PyObject *module, core_state *state)
{
    state->client_type = core_add_type(module, &client_spec, NULL, 0);
    if (state->client_type == NULL)
        return -1;
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        if (core_verbs[verb].method != NULL &&
            (state->verbs[verb] = PyUnicode_InternFromString(core_verbs[verb].method)) == NULL)
            return -1;
    }
    state->sync_client_type = core_add_type(module, &sync_spec, state->client_type, 1);
    state->async_client_type = core_add_type(module, &async_spec, state->client_type, 1);
    if (state->sync_client_type == NULL || state->async_client_type == NULL ||
        core_verb_add(state, state->sync_client_type, 0) < 0)
        return -1;
    return core_verb_add(state, state->async_client_type, 1);
}
