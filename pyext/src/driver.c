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
/* The longest wait for more, in microseconds, while many tasks wait for quick answers: the loop stands still for it. */
#define COLLECT_US 100

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

int core_exchange_traverse(core_exchange *exchange, visitproc visit, void *arg)
{
    Py_VISIT(exchange->driver);
    Py_VISIT(exchange->reader);
    Py_VISIT(exchange->writer);
    return 0;
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
    if (what & (RQX_EVENT_HEAD | RQX_EVENT_BODY | RQX_EVENT_INTERIM | RQX_EVENT_DONE))
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

    Py_BEGIN_ALLOW_THREADS rc = rqx_engine_collect(engine, COLLECT_US);
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

/*
 * Whether trio runs in this thread.  In its guest mode another loop's callback runs it, and both are there: then the
 * one who put down its name last is meant.  Trio brings sniffio, where that name is.
 */
static int in_trio(core_state *state)
{
    PyObject *modules = PyImport_GetModuleDict(), *sniffio, *local, *name;
    int found;

    if (PyDict_GetItemWithError(modules, state->names.trio) == NULL)
        return PyErr_Occurred() ? -1 : 0;
    sniffio = PyDict_GetItemWithError(modules, state->names.sniffio);
    if (sniffio == NULL)
        return PyErr_Occurred() ? -1 : 0;
    local = PyObject_GetAttr(sniffio, state->names.thread_local);
    name = local == NULL ? NULL : PyObject_GetAttr(local, state->names.name);
    Py_XDECREF(local);
    if (name == NULL)
        return -1;
    found = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "trio") == 0;
    Py_DECREF(name);
    return found;
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
    PyObject *loop = running_asyncio_loop(state), *token;
    int trio;

    *ret_is_trio = 0;
    if (loop == NULL || (trio = loop == Py_None ? 1 : in_trio(state)) == 0)
        return loop;
    token = trio < 0 ? NULL : running_trio_token();
    if (token != NULL)
        *ret_is_trio = 1;
    else if (!PyErr_Occurred() && loop != Py_None)
        return loop;
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "an AsyncClient needs a running event loop of asyncio or trio");
    Py_DECREF(loop);
    return token;
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

/* --- letting go of the loop --- */

/* Whether nobody but this thread can be in the loop now; -1 with an exception. */
static int loop_is_ours(CoreDriver *self)
{
    PyObject *running = self->is_trio ? running_trio_token() : running_asyncio_loop(self->state), *result;
    int ours;

    if (running == NULL && PyErr_Occurred())
        return -1;
    ours = running == self->loop;
    Py_XDECREF(running);
    if (ours || self->is_trio || PyThread_get_thread_ident() != self->thread)
        return ours;
    result = PyObject_CallMethod(self->loop, "is_running", NULL);
    if (result == NULL)
        return -1;
    ours = PyObject_Not(result);
    Py_DECREF(result);
    return ours;
}

#define LEASE_NAME "requestx._core.engine"

static void end_lease(PyObject *lease)
{
    rqx_engine_unref(PyCapsule_GetPointer(lease, LEASE_NAME));
}

/* Runs in |loop|: the engine, and with it the number of its descriptor, goes with |lease|, and not before this. */
static PyObject *remove_reader(PyObject *lease, PyObject *loop)
{
    return PyObject_CallMethod(loop, "remove_reader", "i", rqx_engine_fd(PyCapsule_GetPointer(lease, LEASE_NAME)));
}

static PyMethodDef remove_reader_method = {"remove_reader", remove_reader, METH_O, NULL};

/*
 * Has the loop, which runs in another thread, end the watch at its next turn.  Until then the engine is kept: another
 * one would get the number of its descriptor, and this would end that one's watch.
 */
static PyObject *remove_reader_soon(CoreDriver *self)
{
    PyObject *lease = PyCapsule_New(self->engine, LEASE_NAME, NULL), *function, *result = NULL;

    if (lease == NULL)
        return NULL;
    rqx_engine_ref(self->engine);
    (void)PyCapsule_SetDestructor(lease, end_lease);
    function = PyCFunction_New(&remove_reader_method, lease);
    Py_DECREF(lease);
    if (function != NULL)
        result =
            PyObject_CallMethodObjArgs(self->loop, self->state->names.call_soon_threadsafe, function, self->loop, NULL);
    Py_XDECREF(function);
    return result;
}

static PyObject *end_watch(CoreDriver *self)
{
    PyObject *fd, *result;
    int ours;

    if (self->is_trio)
        return PyObject_CallMethodNoArgs(self->watch, self->state->names.close);
    ours = loop_is_ours(self);
    if (ours <= 0)
        return ours < 0 ? NULL : remove_reader_soon(self);
    fd = PyLong_FromLong(rqx_engine_fd(self->engine));
    if (fd == NULL)
        return NULL;
    result = PyObject_CallMethodOneArg(self->loop, self->state->names.remove_reader, fd);
    Py_DECREF(fd);
    return result;
}

/* Ends the watch; never fails, for a loop that is closed watches nothing. */
static void unwatch(CoreDriver *self)
{
    PyObject *type, *value, *traceback;

    if (self->engine == NULL || self->loop == NULL || self->pid != getpid())
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (core_driver_loop_closed(self) == 0)
        Py_XDECREF(end_watch(self));
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

/* --- being shut down --- */

static PyObject *wake_here(PyObject *op, PyObject *unused)
{
    (void)unused;
    if (core_op_wake((CoreOp *)op) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef wake_method = {"wake", wake_here, METH_NOARGS, NULL};

/* Has the loop, which may run in another thread, wake |op|.  One that is closed has nobody left who waits. */
static void wake_there(CoreDriver *self, CoreOp *op)
{
    PyObject *function = PyCFunction_New(&wake_method, (PyObject *)op), *result = NULL;

    if (function != NULL && self->is_trio)
        result = PyObject_CallMethod(self->loop, "run_sync_soon", "O", function);
    else if (function != NULL)
        result = PyObject_CallMethodOneArg(self->loop, self->state->names.call_soon_threadsafe, function);
    if (result == NULL)
        PyErr_Clear();
    Py_XDECREF(function);
    Py_XDECREF(result);
}

/* Wakes all who are in line from wherever, such as from within a task, or from another thread. */
static void wake_ready_soon(CoreDriver *self)
{
    int ours = self->ready_at == self->ready_len ? 1 : loop_is_ours(self);

    if (ours < 0)
        PyErr_Clear();
    while (self->ready_at < self->ready_len) {
        CoreOp *op = self->ready[self->ready_at++];

        if (ours <= 0)
            wake_there(self, op);
        else if (!self->is_trio)
            core_op_wake_soon(op);
        else if (core_op_wake(op) < 0)
            PyErr_WriteUnraisable((PyObject *)op);
        Py_DECREF(op);
    }
    self->ready_at = self->ready_len = 0;
}

void core_driver_shutdown(CoreDriver *self)
{
    rqx_engine *engine = self->engine;
    rqx_client *client = self->client;
    PyObject *type, *value, *traceback;

    /* without a client: it is under way, and what ended with an exchange was the last to hold the transport */
    if (engine == NULL || client == NULL)
        return;
    Py_INCREF(self);
    unwatch(self);
    PyErr_Fetch(&type, &value, &traceback);
    self->client = NULL;
    rqx_client_close(client);
    /* nobody dispatches any more, and a response that is still held keeps the client: goodbye is said now */
    if (rqx_engine_cork(engine) == 0)
        rqx_engine_uncork(engine);
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

/* --- the type --- */

static int driver_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreDriver *self = (CoreDriver *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->loop);
    Py_VISIT(self->watch);
    for (Py_ssize_t i = self->ready_at; i < self->ready_len; i++)
        Py_VISIT(self->ready[i]);
    for (core_exchange *exchange = self->live; exchange != NULL; exchange = exchange->next)
        Py_VISIT(exchange->owner);
    return 0;
}

/* Garbage, so that nobody will dispatch any more: of a loop that was given up with requests under way. */
static void driver_finalize(PyObject *op)
{
    CoreDriver *self = (CoreDriver *)op;

    if (self->pid == getpid())
        core_driver_shutdown(self);
    else
        core_driver_forget(self);
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
    {Py_tp_finalize, driver_finalize},
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
