/*
 * call.c - a request of AsyncClient: an awaitable that is sent when it is first awaited.
 */
#include "client.h"

#include "errors.h"
#include "exchange.h"
#include "models.h"
#include "op.h"
#include "transport.h"

typedef struct CoreCall {
    CoreOp op;
    core_exchange exchange;
    CoreClient *client;
    core_fast fast;            /* what was sent, but for |native| */
    PyObject *args[ARG_COUNT]; /* until it is sent */
    char plain;                /* request() itself */
} CoreCall;

static void drop_args(CoreCall *self)
{
    for (int i = 0; i < ARG_COUNT; i++)
        Py_CLEAR(self->args[i]);
}

static int submit(CoreCall *self, rqx_request *native)
{
    CoreTransport *transport = self->fast.transport;
    CoreDriver *driver;
    int is_trio, rc = -1;

    self->fast.transport = NULL;
    self->op.loop = core_current_loop(self->op.state, &is_trio);
    driver = self->op.loop == NULL ? NULL : core_transport_driver(transport, self->op.loop, is_trio);
    if (driver != NULL)
        rc = core_exchange_submit(&self->exchange, driver, native);
    if (rc == RQX_ERR_FORKED) {
        core_transport_forked(transport, driver);
        driver = core_transport_driver(transport, self->op.loop, is_trio);
        if (driver != NULL)
            rc = core_exchange_submit(&self->exchange, driver, native);
    }
    Py_DECREF(transport);
    return rc;
}

/* |native| is what |self->fast| was made with. */
static void raise_failure(CoreCall *self, int code, rqx_request *native)
{
    core_state *state = self->op.state;
    PyObject *request;

    if (PyErr_Occurred())
        return;
    request = core_request_of(state, native, self->fast.content, self->fast.timeout);
    if (request == NULL)
        return;
    if (code == 0)
        core_raise_response(state, self->exchange.native, request);
    else
        core_raise_submit(state, code, native, request);
    Py_DECREF(request);
}

static int start_slow(CoreCall *self)
{
    core_args args = {.plain = self->plain};
    PyObject *coroutine;

    for (int i = 0; i < ARG_COUNT; i++)
        args.at[i] = self->args[i];
    coroutine = core_args_slow(self->op.state, (PyObject *)self->client, &args);
    if (coroutine == NULL)
        return -1;
    self->op.delegate = core_awaitable_iter(coroutine);
    Py_DECREF(coroutine);
    return self->op.delegate == NULL ? -1 : 1;
}

static int call_start(CoreOp *op)
{
    CoreCall *self = (CoreCall *)op;
    int rc = core_fast_build(self->client, self->args, &self->fast);
    rqx_request *native = self->fast.native;

    self->fast.native = NULL; /* the response holds it from here on */
    if (rc == 0)
        rc = start_slow(self);
    if (native != NULL) {
        rc = submit(self, native);
        if (rc < 0)
            raise_failure(self, rc, native);
        rqx_request_unref(native);
    }
    drop_args(self);
    return rc < 0 ? -1 : rc;
}

/* Goes on with _fast_follow(response) in place of the op.  2 or -1. */
static int follow(CoreCall *self, PyObject *response)
{
    PyObject *name = self->op.state->names._fast_follow;
    PyObject *coroutine = PyObject_CallMethodOneArg((PyObject *)self->client, name, response);

    if (coroutine == NULL)
        return -1;
    self->op.delegate = core_awaitable_iter(coroutine);
    Py_DECREF(coroutine);
    return self->op.delegate == NULL ? -1 : 2;
}

static int call_poll(CoreOp *op, PyObject **ret_result)
{
    CoreCall *self = (CoreCall *)op;
    rqx_response *native = self->exchange.native;
    PyObject *response;
    int follows = 0, rc;

    if (!(self->exchange.events & RQX_EVENT_DONE)) {
        if (self->exchange.driver == NULL) {
            PyErr_SetString(PyExc_RuntimeError, "the request's connection was given up");
            return -1;
        }
        return core_exchange_wait(&self->exchange, op, 0);
    }
    if (!core_fast_answered(native, &self->fast)) {
        raise_failure(self, 0, rqx_response_request(native));
        return -1;
    }
    self->exchange.native = NULL;
    response = core_fast_finish(self->client, native, &self->fast, &follows);
    if (response != NULL && follows) {
        rc = follow(self, response);
        Py_DECREF(response);
        return rc;
    }
    *ret_result = response;
    return response == NULL ? -1 : 1;
}

static void call_abandon(CoreOp *op)
{
    CoreCall *self = (CoreCall *)op;

    if (self->exchange.native == NULL)
        return;
    rqx_response_cancel(self->exchange.native);
    core_exchange_unwait(&self->exchange, op);
}

static void call_release(CoreOp *op)
{
    CoreCall *self = (CoreCall *)op;

    Py_CLEAR(self->client);
    core_fast_drop(&self->fast);
}

#define OPS(name)                                                                                                      \
    {                                                                                                                  \
        "AsyncClient." name, call_start, call_poll, call_abandon, call_release                                         \
    }

static const core_op_ops call_ops[VERB_COUNT] = {
    OPS("request"), OPS("get"), OPS("options"), OPS("head"), OPS("delete"), OPS("post"), OPS("put"), OPS("patch"),
};

PyObject *core_async_request(PyObject *client, const core_args *args, int verb)
{
    core_state *state = ((CoreClient *)client)->state;
    CoreCall *self = (CoreCall *)state->call_type->tp_alloc(state->call_type, 0);

    if (self == NULL)
        return NULL;
    self->op.state = state;
    self->op.ops = &call_ops[verb];
    self->op.exchange = &self->exchange;
    self->exchange.owner = (PyObject *)self;
    self->client = (CoreClient *)Py_NewRef(client);
    self->plain = (char)args->plain;
    for (int i = 0; i < ARG_COUNT; i++)
        self->args[i] = Py_XNewRef(args->at[i]);
    return (PyObject *)self;
}

static int call_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreCall *self = (CoreCall *)op;
    int rc = core_exchange_traverse(&self->exchange, visit, arg);

    if (rc != 0)
        return rc;
    Py_VISIT((PyObject *)self->client);
    Py_VISIT(self->fast.content);
    Py_VISIT(self->fast.timeout);
    for (int i = 0; i < ARG_COUNT; i++)
        Py_VISIT(self->args[i]);
    return core_op_traverse(&self->op, visit, arg);
}

static int call_clear(PyObject *op)
{
    CoreCall *self = (CoreCall *)op;

    drop_args(self);
    Py_CLEAR(self->client);
    core_fast_drop(&self->fast);
    core_op_clear(&self->op);
    return 0;
}

static void call_dealloc(PyObject *op)
{
    CoreCall *self = (CoreCall *)op;
    PyTypeObject *type = Py_TYPE(op);

    if (self->op.phase != OP_DONE && PyObject_CallFinalizerFromDealloc(op) < 0)
        return;
    PyObject_GC_UnTrack(op);
    core_exchange_clear(&self->exchange);
    call_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot call_slots[] = {
    {Py_tp_doc, (void *)"A request, to be awaited."},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    CORE_OP_SLOTS,
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "requestx._core.Call",
    .basicsize = sizeof(CoreCall),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};

int core_call_init(PyObject *module, core_state *state)
{
    state->call_type = core_add_type(module, &call_spec, NULL, 0);
    return state->call_type == NULL ? -1 : 0;
}
