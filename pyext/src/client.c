/*
 * client.c - the types SyncClientBase and AsyncClientBase.
 */
#include "client.h"

#include <stddef.h>

static int read_args(PyObject *op, core_args *args, int verb, PyObject *const *values, Py_ssize_t nargs,
                     PyObject *kwnames)
{
    return core_args_read(((CoreClient *)op)->state, args, verb, values, nargs, kwnames);
}

#define VERB(function, verb)                                                                                           \
    static PyObject *sync_##function(PyObject *op, PyObject *const *values, Py_ssize_t nargs, PyObject *kwnames)       \
    {                                                                                                                  \
        core_args args;                                                                                                \
                                                                                                                       \
        return read_args(op, &args, verb, values, nargs, kwnames) < 0 ? NULL : core_sync_request(op, &args);           \
    }                                                                                                                  \
    static PyObject *async_##function(PyObject *op, PyObject *const *values, Py_ssize_t nargs, PyObject *kwnames)      \
    {                                                                                                                  \
        core_args args;                                                                                                \
                                                                                                                       \
        return read_args(op, &args, verb, values, nargs, kwnames) < 0 ? NULL : core_async_request(op, &args, verb);    \
    }

VERB(request, VERB_REQUEST)
VERB(get, VERB_GET)
VERB(options, VERB_OPTIONS)
VERB(head, VERB_HEAD)
VERB(delete, VERB_DELETE)
VERB(post, VERB_POST)
VERB(put, VERB_PUT)
VERB(patch, VERB_PATCH)

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

/* The default of those that show an ellipsis is USE_CLIENT_DEFAULT, which a signature in text cannot name. */
#define OPTIONS                                                                                                        \
    "params=None, headers=None, cookies=None, auth=..., follow_redirects=..., timeout=..., extensions=None"
#define BODY   "content=None, data=None, files=None, json=None, "
#define FAST   METH_FASTCALL | METH_KEYWORDS
#define METHOD(kind, function, parameters, doc)                                                                        \
    {                                                                                                                  \
        #function, (PyCFunction)(void (*)(void))kind##_##function, FAST,                                               \
            #function "($self, " parameters OPTIONS ")\n--\n\n" doc                                                    \
    }
#define METHODS(kind)                                                                                                  \
    METHOD(kind, request, "method, url, *, " BODY, "Send a request and read its response."),                           \
        METHOD(kind, get, "url, *, ", "Send a GET request."), METHOD(kind, options, "url, *, ", "Send an OPTIONS request."), \
        METHOD(kind, head, "url, *, ", "Send a HEAD request."),                                                        \
        METHOD(kind, delete, "url, *, ", "Send a DELETE request."),                                                    \
        METHOD(kind, post, "url, *, " BODY, "Send a POST request."),                                                   \
        METHOD(kind, put, "url, *, " BODY, "Send a PUT request."),                                                     \
        METHOD(kind, patch, "url, *, " BODY, "Send a PATCH request."),

static PyMethodDef sync_methods[] = {METHODS(sync){NULL, NULL, 0, NULL}};
static PyMethodDef async_methods[] = {METHODS(async){NULL, NULL, 0, NULL}};

static PyMethodDef client_methods[] = {
    {"_fast_configure", (PyCFunction)(void (*)(void))core_fast_configure, METH_VARARGS | METH_KEYWORDS,
     "Settings of the client, for the fast path."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef client_members[] = {
    {"follow_redirects", T_OBJECT_EX, offsetof(CoreClient, follow_redirects), 0, "Whether redirects are followed."},
    {"max_redirects", T_OBJECT_EX, offsetof(CoreClient, max_redirects), 0, "The most redirects to follow."},
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
    LIFE,
    {Py_tp_methods, client_methods},
    {Py_tp_members, client_members},
    {Py_tp_getset, client_getset},
    {0, NULL},
};

static PyType_Slot sync_slots[] = {
    LIFE,
    {Py_tp_doc, (void *)"The request methods of Client."},
    {Py_tp_methods, sync_methods},
    {0, NULL},
};

static PyType_Slot async_slots[] = {
    LIFE,
    {Py_tp_doc, (void *)"The request methods of AsyncClient."},
    {Py_tp_methods, async_methods},
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
    return state->sync_client_type == NULL || state->async_client_type == NULL ? -1 : 0;
}
