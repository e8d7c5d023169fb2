/*
 * driver.c - an engine in an event loop: watching, dispatching, waking.
 */
#include "driver.h"

#include "graveyard.h"
#include "op.h"
#include "transport.h"

#include <pythread.h>
#include <stddef.h>
#include <unistd.h>

/* Events taken at once, and dispatches before the loop gets its turn. */
#define TAKE_MAX   64
#define ROUNDS_MAX 8

/* --- exchanges --- */

static void link_live(CoreDriver *self, core_exchange *exchange)
{
    exchange->next = self->live;
    exchange->link = &self->live;
    if (self->live != NULL)
        self->live->link = &exchange->next;
    self->live = exchange;
    exchange->driver = (CoreDriver *)Py_NewRef((PyObject *)self);
    Py_INCREF(exchange->owner);
}

/* Takes |exchange| off the list.  The caller gives the references to driver and owner back. */
static CoreDriver *unlink_live(core_exchange *exchange)
{
    CoreDriver *driver = exchange->driver;

    *exchange->link = exchange->next;
    if (exchange->next != NULL)
        exchange->next->link = exchange->link;
    exchange->next = NULL;
    exchange->link = NULL;
    exchange->driver = NULL;
    return driver;
}

int core_exchange_submit(core_exchange *exchange, CoreDriver *driver, rqx_request *request)
{
    int rc;

    core_graveyard_drain(driver->state);
    if (driver->client == NULL)
        return RQX_ERR_CLOSED;
    rc = rqx_client_submit(driver->client, request, exchange, &exchange->native);
    if (rc < 0)
        return rc;
    link_live(driver, exchange);
    return 0;
}

int core_exchange_wait(core_exchange *exchange, CoreOp *op, int for_writing)
{
    CoreOp **place = for_writing ? &exchange->writer : &exchange->reader;

    if (*place == op)
        return 0;
    if (*place != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "another task is waiting for this response already");
        return -1;
    }
    *place = (CoreOp *)Py_NewRef((PyObject *)op);
    return 0;
}

void core_exchange_unwait(core_exchange *exchange, CoreOp *op)
{
    if (exchange->reader == op)
        Py_CLEAR(exchange->reader);
    if (exchange->writer == op)
        Py_CLEAR(exchange->writer);
}

void core_exchange_clear(core_exchange *exchange)
{
    rqx_response *native = exchange->native;

    exchange->native = NULL;
    Py_CLEAR(exchange->reader);
    Py_CLEAR(exchange->writer);
    rqx_response_unref(native);
}

/* --- waking --- */

/* Puts |op| (whose reference is taken over) in line. */
static int make_ready(CoreDriver *self, CoreOp *op)
{
    if (self->ready_len == self->ready_cap) {
        Py_ssize_t cap = self->ready_cap == 0 ? TAKE_MAX : self->ready_cap * 2;
        CoreOp **grown = PyMem_Realloc(self->ready, (size_t)cap * sizeof *grown);

        if (grown == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        self->ready = grown;
        self->ready_cap = cap;
    }
    self->ready[self->ready_len++] = op;
    return 0;
}

/* Moves who waits at |place| to the line. */
static void wake_place(CoreDriver *self, CoreOp **place)
{
    CoreOp *op = *place;

    *place = NULL;
    if (op != NULL && make_ready(self, op) < 0) {
        /* no room to remember it: wake it here and now */
        PyErr_Clear();
        if (core_op_wake(op) < 0)
            PyErr_WriteUnraisable((PyObject *)op);
        Py_DECREF(op);
    }
}

static void handle_event(CoreDriver *self, core_exchange *exchange, unsigned what)
{
    exchange->events |= what;
    if (what & (RQX_EVENT_HEAD | RQX_EVENT_BODY | RQX_EVENT_DONE))
        wake_place(self, &exchange->reader);
    if (what & (RQX_EVENT_WRITE | RQX_EVENT_DONE))
        wake_place(self, &exchange->writer);
    if (what & RQX_EVENT_DONE) {
        PyObject *owner = exchange->owner;
        CoreDriver *driver = unlink_live(exchange);

        Py_DECREF(owner);
        Py_DECREF(driver);
    }
}

/* Takes what the engine has to tell.  Runs no user code but destructors. */
static void take_events(CoreDriver *self)
{
    rqx_event events[TAKE_MAX];
    int count;

    do {
        count = self->engine == NULL ? 0 : rqx_engine_take(self->engine, events, TAKE_MAX);
        for (int i = 0; i < count; i++)
            handle_event(self, events[i].user, events[i].what);
    } while (count == TAKE_MAX);
}

/* Wakes all who are in line.  -1 with an exception that is to leave the loop; the rest stays in line. */
static int wake_ready(CoreDriver *self)
{
    int rc = 0;

    while (rc == 0 && self->ready_at < self->ready_len) {
        CoreOp *op = self->ready[self->ready_at++];

        rc = core_op_wake(op);
        Py_DECREF(op);
    }
    if (self->ready_at == self->ready_len)
        self->ready_at = self->ready_len = 0;
    return rc;
}

/* The same where a task may be running. */
static void wake_ready_soon(CoreDriver *self)
{
    while (self->ready_at < self->ready_len) {
        CoreOp *op = self->ready[self->ready_at++];

        if (!self->is_trio)
            core_op_wake_soon(op);
        else if (core_op_wake(op) < 0)
            PyErr_WriteUnraisable((PyObject *)op);
        Py_DECREF(op);
    }
    self->ready_at = self->ready_len = 0;
}

static PyObject *bound_dispatch(CoreDriver *self)
{
    return PyObject_GetAttrString((PyObject *)self, "_dispatch");
}

/* After an exception left a dispatch: comes back for the rest. */
static void resume_soon(CoreDriver *self)
{
    PyObject *type, *value, *traceback, *dispatch, *handle = NULL;

    PyErr_Fetch(&type, &value, &traceback);
    dispatch = bound_dispatch(self);
    if (dispatch != NULL && !self->is_trio)
        handle = PyObject_CallMethodOneArg(self->loop, self->state->names.call_soon, dispatch);
    Py_XDECREF(dispatch);
    Py_XDECREF(handle);
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

static int engine_dispatch(rqx_engine *engine)
{
    int rc;

    Py_BEGIN_ALLOW_THREADS rc = rqx_engine_dispatch(engine);
    Py_END_ALLOW_THREADS return rc;
}

static int engine_uncork(rqx_engine *engine)
{
    int rc;

    Py_BEGIN_ALLOW_THREADS rc = rqx_engine_uncork(engine);
    Py_END_ALLOW_THREADS return rc;
}

static int engine_collect(rqx_engine *engine)
{
    int rc;

    Py_BEGIN_ALLOW_THREADS rc = rqx_engine_collect(engine);
    Py_END_ALLOW_THREADS return rc;
}

/* What the woken tasks submit leaves together. */
static int wake_corked(CoreDriver *self, rqx_engine *engine)
{
    int rc;

    take_events(self);
    if (self->ready_at == self->ready_len)
        return 0;
    rqx_engine_cork(engine);
    rc = wake_ready(self);
    /* what the tasks asked for leaves together, with what others ask for whose responses came meanwhile */
    while (rc == 0 && engine_collect(engine) > 0) {
        take_events(self);
        rc = wake_ready(self);
    }
    engine_uncork(engine);
    return rc;
}

static void settle_orphan(CoreDriver *self)
{
    if (self->orphan && self->live == NULL && self->engine != NULL)
        core_driver_shutdown(self);
}

static PyObject *driver_dispatch(PyObject *op, PyObject *unused)
{
    CoreDriver *self = (CoreDriver *)op;
    rqx_engine *engine = self->engine;
    int rc = 0, more = RQX_AGAIN;

    (void)unused;
    if (engine == NULL)
        Py_RETURN_NONE;
    Py_INCREF(self);
    rqx_engine_ref(engine);
    self->depth++;
    for (int round = 0; rc == 0 && more == RQX_AGAIN && round < ROUNDS_MAX && self->engine == engine; round++) {
        more = engine_dispatch(engine);
        rc = wake_corked(self, engine);
    }
    self->depth--;
    if (rc < 0)
        resume_soon(self);
    core_graveyard_drain(self->state);
    if (rc == 0)
        settle_orphan(self);
    rqx_engine_unref(engine);
    Py_DECREF(self);
    if (rc < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* --- the loop --- */

static int watch(CoreDriver *self)
{
    PyObject *dispatch = bound_dispatch(self), *fd = PyLong_FromLong(rqx_engine_fd(self->engine)), *result = NULL;

    if (dispatch != NULL && fd != NULL && self->is_trio) {
        PyObject *loops = PyImport_ImportModule("requestx._loops");

        if (loops != NULL)
            result = PyObject_CallMethod(loops, "watch", "OO", fd, dispatch);
        Py_XDECREF(loops);
        Py_XSETREF(self->watch, Py_XNewRef(result));
    } else if (dispatch != NULL && fd != NULL) {
        PyObject *values[] = {self->loop, fd, dispatch};

        result =
            PyObject_VectorcallMethod(self->state->names.add_reader, values, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    }
    Py_XDECREF(dispatch);
    Py_XDECREF(fd);
    Py_XDECREF(result);
    self->thread = PyThread_get_thread_ident();
    return result == NULL ? -1 : 0;
}

int core_driver_loop_closed(CoreDriver *self)
{
    PyObject *result;
    int closed;

    if (self->is_trio) {
        result = self->watch == NULL ? Py_NewRef(Py_True) : PyObject_GetAttrString(self->watch, "ended");
    } else {
        result = PyObject_CallMethod(self->loop, "is_closed", NULL);
    }
    if (result == NULL)
        return -1;
    closed = PyObject_IsTrue(result);
    Py_DECREF(result);
    return closed;
}

/* Ends the watch; never fails, for a loop that is closed watches nothing. */
static void unwatch(CoreDriver *self)
{
    PyObject *type, *value, *traceback, *fd, *result = NULL;
    int closed;

    if (self->engine == NULL || self->loop == NULL || self->pid != getpid())
        return;
    PyErr_Fetch(&type, &value, &traceback);
    closed = core_driver_loop_closed(self);
    if (closed == 0 && self->is_trio) {
        result = PyObject_CallMethodNoArgs(self->watch, self->state->names.close);
    } else if (closed == 0) {
        fd = PyLong_FromLong(rqx_engine_fd(self->engine));
        if (fd != NULL && PyThread_get_thread_ident() == self->thread) {
            result = PyObject_CallMethodOneArg(self->loop, self->state->names.remove_reader, fd);
        } else if (fd != NULL) {
            PyObject *remove = PyObject_GetAttr(self->loop, self->state->names.remove_reader);

            if (remove != NULL)
                result =
                    PyObject_CallMethodObjArgs(self->loop, self->state->names.call_soon_threadsafe, remove, fd, NULL);
            Py_XDECREF(remove);
        }
        Py_XDECREF(fd);
    }
    Py_XDECREF(result);
    Py_CLEAR(self->watch);
    PyErr_Clear();
    PyErr_Restore(type, value, traceback);
}

static int open_engine(CoreDriver *self, CoreTransport *transport)
{
    rqx_engine_options options;
    int rc;

    rqx_engine_options_init(&options);
    options.mode = RQX_MODE_EMBEDDED;
    options.pull_events = 1;
    rc = rqx_engine_new(&options, &self->engine);
    if (rc < 0) {
        core_raise_submit(self->state, rc, NULL, NULL);
        return -1;
    }
    self->client = core_transport_make_client(transport, self->engine);
    return self->client == NULL ? -1 : 0;
}

CoreDriver *core_driver_new(CoreTransport *transport, PyObject *loop, int is_trio)
{
    core_state *state = transport->state;
    CoreDriver *self = (CoreDriver *)state->driver_type->tp_alloc(state->driver_type, 0);

    if (self == NULL)
        return NULL;
    self->state = state;
    self->is_trio = is_trio;
    self->loop = Py_NewRef(loop);
    self->pid = getpid();
    if (open_engine(self, transport) < 0 || watch(self) < 0)
        Py_CLEAR(self);
    return self;
}

int core_driver_rebind(CoreDriver *self, PyObject *loop, int is_trio)
{
    Py_CLEAR(self->watch);
    Py_XSETREF(self->loop, Py_NewRef(loop));
    self->is_trio = is_trio;
    return watch(self);
}

void core_driver_shutdown(CoreDriver *self)
{
    rqx_engine *engine = self->engine;
    rqx_client *client = self->client;
    PyObject *type, *value, *traceback;

    if (engine == NULL)
        return;
    Py_INCREF(self);
    unwatch(self);
    PyErr_Fetch(&type, &value, &traceback);
    self->client = NULL;
    rqx_client_close(client);
    take_events(self);
    self->engine = NULL;
    wake_ready_soon(self);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    PyErr_Restore(type, value, traceback);
    Py_DECREF(self);
}

void core_driver_abandon(CoreDriver *self)
{
    self->orphan = 1;
    if (self->live == NULL)
        core_driver_shutdown(self);
}

void core_driver_forget(CoreDriver *self)
{
    rqx_engine *engine = self->engine;
    rqx_client *client = self->client;

    self->engine = NULL;
    self->client = NULL;
    while (self->live != NULL) {
        core_exchange *exchange = self->live;
        PyObject *owner = exchange->owner;
        CoreDriver *driver = unlink_live(exchange);

        Py_DECREF(owner);
        Py_DECREF(driver);
    }
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}

/* --- which loop runs --- */

static PyObject *running_asyncio_loop(core_state *state)
{
    if (state->get_loop == NULL) {
        PyObject *modules = PyImport_GetModuleDict(), *events;

        events = PyDict_GetItemString(modules, "asyncio.events");
        if (events == NULL)
            return Py_NewRef(Py_None);
        state->get_loop = PyObject_GetAttrString(events, "_get_running_loop");
        if (state->get_loop == NULL)
            return NULL;
    }
    return PyObject_CallNoArgs(state->get_loop);
}

static PyObject *running_trio_token(void)
{
    PyObject *lowlevel = PyDict_GetItemString(PyImport_GetModuleDict(), "trio.lowlevel"), *token;

    if (lowlevel == NULL)
        return NULL;
    token = PyObject_CallMethod(lowlevel, "current_trio_token", NULL);
    if (token == NULL && PyErr_ExceptionMatches(PyExc_RuntimeError))
        PyErr_Clear();
    return token;
}

PyObject *core_current_loop(core_state *state, int *ret_is_trio)
{
    PyObject *loop = running_asyncio_loop(state);

    *ret_is_trio = 0;
    if (loop != Py_None)
        return loop;
    Py_DECREF(loop);
    loop = running_trio_token();
    if (loop != NULL)
        *ret_is_trio = 1;
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "an AsyncClient needs a running event loop of asyncio or trio");
    return loop;
}

/* --- the type --- */

static int driver_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreDriver *self = (CoreDriver *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->loop);
    Py_VISIT(self->watch);
    for (Py_ssize_t i = self->ready_at; i < self->ready_len; i++)
        Py_VISIT(self->ready[i]);
    return 0;
}

static int driver_clear(PyObject *op)
{
    CoreDriver *self = (CoreDriver *)op;

    Py_CLEAR(self->loop);
    Py_CLEAR(self->watch);
    return 0;
}

static void driver_dealloc(PyObject *op)
{
    CoreDriver *self = (CoreDriver *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    rqx_client_unref(self->client);
    rqx_engine_unref(self->engine);
    while (self->ready_at < self->ready_len)
        Py_DECREF(self->ready[self->ready_at++]);
    PyMem_Free(self->ready);
    driver_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef driver_methods[] = {
    {"_dispatch", driver_dispatch, METH_NOARGS, "Do what is due."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef driver_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreDriver, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot driver_slots[] = {
    {Py_tp_doc, (void *)"An engine in an event loop."},
    {Py_tp_dealloc, driver_dealloc},
    {Py_tp_traverse, driver_traverse},
    {Py_tp_clear, driver_clear},
    {Py_tp_methods, driver_methods},
    {Py_tp_members, driver_members},
    {0, NULL},
};

static PyType_Spec driver_spec = {
    .name = "requestx._core.Driver",
    .basicsize = sizeof(CoreDriver),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = driver_slots,
};

int core_driver_init(PyObject *module, core_state *state)
{
    state->driver_type = core_add_type(module, &driver_spec, NULL, 0);
    return state->driver_type == NULL ? -1 : 0;
}
