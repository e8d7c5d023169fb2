/*
 * stream_op.c - the awaitables of an async exchange: write a piece, have the response, read a piece, close.
 */
#include "exchange.h"
#include "op.h"

typedef struct StreamOp {
    CoreOp op;
    CoreStream *stream; /* of a read or a close */
    Py_buffer view;     /* of a write */
    Py_ssize_t offset;
} StreamOp;

static CoreExchange *exchange_of(CoreOp *op)
{
    return (CoreExchange *)op->target;
}

static int start_nothing(CoreOp *op)
{
    (void)op;
    return 0;
}

static void stop_waiting(CoreOp *op)
{
    if (op->exchange != NULL)
        core_exchange_unwait(op->exchange, op);
}

/* Puts |op| in line; what cannot come any more is not waited for. */
static int wait_for(CoreOp *op, int for_writing)
{
    if (op->exchange->driver != NULL)
        return core_exchange_wait(op->exchange, op, for_writing);
    PyErr_SetString(PyExc_RuntimeError, "the response's connection was given up");
    return -1;
}

static int poll_write(CoreOp *op, PyObject **ret_result)
{
    StreamOp *self = (StreamOp *)op;
    int refused = 0, rc = core_exchange_push(exchange_of(op), &self->view, &self->offset, &refused);

    if (rc == 0)
        return wait_for(op, 1);
    if (rc > 0)
        *ret_result = PyBool_FromLong(!refused);
    return rc;
}

static int poll_response(CoreOp *op, PyObject **ret_result)
{
    if (!core_exchange_has_head(op->exchange))
        return wait_for(op, 0);
    *ret_result = core_exchange_make_response(exchange_of(op));
    return *ret_result == NULL ? -1 : 1;
}

static int poll_interim(CoreOp *op, PyObject **ret_result)
{
    int rc = core_exchange_poll_interim(exchange_of(op), ret_result);

    return rc == 0 ? wait_for(op, 0) : rc;
}

static int poll_read(CoreOp *op, PyObject **ret_result)
{
    int rc = core_stream_poll(((StreamOp *)op)->stream, ret_result);

    if (rc == 0)
        return wait_for(op, 0);
    if (rc > 0 && *ret_result == NULL) {
        PyErr_SetNone(PyExc_StopAsyncIteration);
        return -1;
    }
    return rc;
}

static int poll_close(CoreOp *op, PyObject **ret_result)
{
    *ret_result = PyObject_CallMethod((PyObject *)((StreamOp *)op)->stream, "_end", NULL);
    return *ret_result == NULL ? -1 : 1;
}

static void release(CoreOp *op)
{
    StreamOp *self = (StreamOp *)op;

    op->exchange = NULL;
    Py_CLEAR(op->target);
    Py_CLEAR(self->stream);
    if (self->view.obj != NULL)
        PyBuffer_Release(&self->view);
}

#define OPS(name, poll)                                                                                                \
    {                                                                                                                  \
        name, start_nothing, poll, stop_waiting, release                                                               \
    }

static const core_op_ops write_ops = OPS("Exchange.write", poll_write);
static const core_op_ops response_ops = OPS("Exchange.response", poll_response);
static const core_op_ops interim_ops = OPS("Exchange.interim", poll_interim);
static const core_op_ops read_ops = OPS("AsyncStream.__anext__", poll_read);
static const core_op_ops close_ops = OPS("AsyncStream.aclose", poll_close);

static StreamOp *new_op(core_state *state, const core_op_ops *ops, CoreExchange *exchange)
{
    StreamOp *self = (StreamOp *)state->stream_op_type->tp_alloc(state->stream_op_type, 0);

    if (self == NULL)
        return NULL;
    self->op.state = state;
    self->op.ops = ops;
    if (exchange != NULL) {
        self->op.target = Py_NewRef((PyObject *)exchange);
        self->op.exchange = &exchange->exchange;
        self->op.loop = Py_XNewRef(exchange->loop);
    }
    return self;
}

PyObject *core_op_for_write(CoreExchange *exchange, PyObject *data)
{
    StreamOp *self = new_op(exchange->state, &write_ops, exchange);

    if (self != NULL && PyObject_GetBuffer(data, &self->view, PyBUF_SIMPLE) < 0) {
        self->op.phase = OP_DONE;
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

PyObject *core_op_for_response(CoreExchange *exchange)
{
    return (PyObject *)new_op(exchange->state, &response_ops, exchange);
}

PyObject *core_op_for_interim(CoreExchange *exchange)
{
    return (PyObject *)new_op(exchange->state, &interim_ops, exchange);
}

static PyObject *stream_op(CoreStream *stream, const core_op_ops *ops)
{
    StreamOp *self = new_op(stream->state, ops, stream->exchange);

    if (self != NULL)
        self->stream = (CoreStream *)Py_NewRef((PyObject *)stream);
    return (PyObject *)self;
}

PyObject *core_op_for_read(CoreStream *stream)
{
    return stream_op(stream, &read_ops);
}

PyObject *core_op_for_close(CoreStream *stream)
{
    return stream_op(stream, &close_ops);
}

static int op_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(((StreamOp *)op)->stream);
    return core_op_traverse((CoreOp *)op, visit, arg);
}

static int op_clear(PyObject *op)
{
    StreamOp *self = (StreamOp *)op;

    release(&self->op);
    core_op_clear(&self->op);
    return 0;
}

static void op_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    if (((CoreOp *)op)->phase != OP_DONE && PyObject_CallFinalizerFromDealloc(op) < 0)
        return;
    PyObject_GC_UnTrack(op);
    op_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot op_slots[] = {
    {Py_tp_doc, (void *)"A step of an exchange, to be awaited."},
    {Py_tp_dealloc, op_dealloc},
    {Py_tp_traverse, op_traverse},
    {Py_tp_clear, op_clear},
    CORE_OP_SLOTS,
    {0, NULL},
};

static PyType_Spec op_spec = {
    .name = "requestx._core.StreamOp",
    .basicsize = sizeof(StreamOp),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = op_slots,
};

int core_stream_op_init(PyObject *module, core_state *state)
{
    state->stream_op_type = core_add_type(module, &op_spec, NULL, 0);
    return state->stream_op_type == NULL ? -1 : 0;
}
