/*
 * stream.c - the types SyncStream and AsyncStream: the body of a response as it comes, as received.
 */
#include "exchange.h"

#include "errors.h"

#include <stddef.h>

/* Most bytes that one read gives. */
#define READ_SIZE 65536

int core_stream_poll(CoreStream *self, PyObject **ret_bytes)
{
    CoreExchange *exchange = self->exchange;
    size_t len = 0;
    int rc;

    *ret_bytes = NULL;
    if (exchange == NULL)
        return 1;
    if (self->buffer == NULL && (self->buffer = PyMem_Malloc(READ_SIZE)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    rc = rqx_response_read_raw(exchange->exchange.native, self->buffer, READ_SIZE, &len);
    if (rc == RQX_AGAIN)
        return 0;
    if (rc < 0) {
        core_raise_response(self->state, exchange->exchange.native, exchange->request);
        return -1;
    }
    if (len > 0 && (*ret_bytes = PyBytes_FromStringAndSize(self->buffer, (Py_ssize_t)len)) == NULL)
        return -1;
    return 1;
}

/* Gives the rest of the body up, and the exchange back. */
static void stream_end(CoreStream *self)
{
    CoreExchange *exchange = self->exchange;
    char *buffer = self->buffer;

    self->exchange = NULL;
    self->buffer = NULL;
    PyMem_Free(buffer);
    if (exchange != NULL) {
        rqx_response_close(exchange->exchange.native);
        Py_DECREF(exchange);
    }
}

static PyObject *stream_self(PyObject *op)
{
    return Py_NewRef(op);
}

static PyObject *sync_next(PyObject *op)
{
    CoreStream *self = (CoreStream *)op;
    PyObject *bytes = NULL, *held;
    int rc;

    while ((rc = core_stream_poll(self, &bytes)) == 0) {
        held = Py_NewRef((PyObject *)self->exchange);
        rc = core_wait(self->state, self->exchange->sync, RQX_EVENT_BODY | RQX_EVENT_DONE);
        Py_DECREF(held);
        if (rc < 0)
            break;
    }
    return rc < 0 ? NULL : bytes;
}

static PyObject *sync_close(PyObject *op, PyObject *unused)
{
    (void)unused;
    stream_end((CoreStream *)op);
    Py_RETURN_NONE;
}

static PyObject *async_next(PyObject *op)
{
    return core_op_for_read((CoreStream *)op);
}

static PyObject *async_close(PyObject *op, PyObject *unused)
{
    (void)unused;
    return core_op_for_close((CoreStream *)op);
}

static PyObject *stream_end_now(PyObject *op, PyObject *unused)
{
    (void)unused;
    stream_end((CoreStream *)op);
    Py_RETURN_NONE;
}

static int stream_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((CoreStream *)op)->exchange);
    return 0;
}

static int stream_clear(PyObject *op)
{
    stream_end((CoreStream *)op);
    return 0;
}

static void stream_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    if (((CoreStream *)op)->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    stream_end((CoreStream *)op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef sync_methods[] = {
    {"close", sync_close, METH_NOARGS, "close($self, /)\n--\n\nGive up what was not read."},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef async_methods[] = {
    {"aclose", async_close, METH_NOARGS, "aclose($self, /)\n--\n\nGive up what was not read."},
    {"_end", stream_end_now, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef stream_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreStream, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot sync_slots[] = {
    {Py_tp_doc, (void *)"The body of a response, as it comes."},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_traverse, stream_traverse},
    {Py_tp_clear, stream_clear},
    {Py_tp_iter, stream_self},
    {Py_tp_iternext, sync_next},
    {Py_tp_methods, sync_methods},
    {Py_tp_members, stream_members},
    {0, NULL},
};

static PyType_Slot async_slots[] = {
    {Py_tp_doc, (void *)"The body of a response, as it comes."},
    {Py_tp_dealloc, stream_dealloc},
    {Py_tp_traverse, stream_traverse},
    {Py_tp_clear, stream_clear},
    {Py_am_aiter, stream_self},
    {Py_am_anext, async_next},
    {Py_tp_methods, async_methods},
    {Py_tp_members, stream_members},
    {0, NULL},
};

#define SPEC(name_, slots_)                                                                                            \
    {                                                                                                                  \
        .name = name_, .basicsize = sizeof(CoreStream),                                                                \
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,    \
        .slots = slots_                                                                                                \
    }

static PyType_Spec sync_spec = SPEC("requestx._core.SyncStream", sync_slots);
static PyType_Spec async_spec = SPEC("requestx._core.AsyncStream", async_slots);

int core_stream_init(PyObject *module, core_state *state)
{
    state->stream_type = core_add_type(module, &sync_spec, NULL, 1);
    state->async_stream_type = core_add_type(module, &async_spec, NULL, 1);
    return state->stream_type == NULL || state->async_stream_type == NULL ? -1 : 0;
}
