/*
 * decoder.c - the Python type Decoder: content codings undone by the library, for bodies that the engine did not bring.
 */
#include "core.h"
#include "errors.h"

/* The guard is held over all that the native decoder does, and over the use of what it gives. */
typedef struct CoreDecoder {
    PyObject_HEAD rqx_decoder *native; /* NULL: nothing to undo */
} CoreDecoder;

static PyObject *decoder_result(CoreDecoder *self, int rc, rqx_slice out)
{
    if (rc >= 0)
        return PyBytes_FromStringAndSize(out.data == NULL ? "" : out.data, (Py_ssize_t)out.len);
    core_raise(core_state_of(Py_TYPE(self)), rc, rqx_decoder_text(self->native), NULL);
    return NULL;
}

static PyObject *decode_view(CoreDecoder *self, const Py_buffer *view)
{
    rqx_slice out = {"", 0};
    int rc;

    if (self->native == NULL)
        return PyBytes_FromStringAndSize(view->buf, view->len);
    rc = rqx_decoder_push(self->native, view->buf, (size_t)view->len, &out);
    return decoder_result(self, rc, out);
}

static PyObject *decoder_decode(PyObject *op, PyObject *data)
{
    CoreDecoder *self = (CoreDecoder *)op;
    PyObject *result;
    Py_buffer view;

    if (self->native == NULL)
        return PyBytes_FromObject(data);
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) /* which may run Python code */
        return NULL;
    result = decode_view(self, &view);
    PyBuffer_Release(&view);
    return result;
}

CORE_GUARDED_METHOD(decoder_decode)

static PyObject *decoder_flush(PyObject *op, PyObject *unused)
{
    CoreDecoder *self = (CoreDecoder *)op;
    rqx_slice out = {"", 0};
    int rc;

    (void)unused;
    if (self->native == NULL)
        return PyBytes_FromStringAndSize("", 0);
    rc = rqx_decoder_finish(self->native, &out);
    return decoder_result(self, rc, out);
}

CORE_GUARDED_METHOD(decoder_flush)

static int decoder_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"codings", "limited", NULL};
    CoreDecoder *self = (CoreDecoder *)op;
    rqx_decoder *native = NULL;
    rqx_client_options defaults;
    const char *codings;
    Py_ssize_t len;
    int rc, limited = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s#|p:Decoder", names, &codings, &len, &limited))
        return -1;
    rqx_client_options_init(&defaults);
    rc = rqx_decoder_new(codings, (size_t)len, limited ? defaults.max_decoded : 0,
                         limited ? defaults.max_decode_ratio : 0, &native);
    if (rc < 0) {
        if (rc == RQX_ERR_NOMEM)
            PyErr_NoMemory();
        else
            PyErr_SetString(PyExc_ValueError, rqx_error_text(rc));
        return -1;
    }
    rqx_decoder_free(self->native);
    self->native = native;
    return 0;
}

CORE_GUARDED_INIT(decoder_init)

static void decoder_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    rqx_decoder_free(((CoreDecoder *)op)->native);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef decoder_methods[] = {
    {"decode", decoder_decode_guarded, METH_O, "decode($self, data, /)\n--\n\nDecode the next bytes."},
    {"flush", decoder_flush_guarded, METH_NOARGS, "flush($self, /)\n--\n\nWhat is left, after the last bytes."},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(decoder_doc, "Decoder(codings, limited=False)\n--\n\n"
                          "Undoes content codings: 'gzip', or a list such as 'gzip, br'; limited, within the\n"
                          "bounds that the engine's own responses have.");

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, (void *)decoder_doc}, {Py_tp_init, decoder_init_guarded}, {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, decoder_dealloc}, {Py_tp_methods, decoder_methods},   {0, NULL},
};

static PyType_Spec decoder_spec = {
    .name = "requestx._core.Decoder",
    .basicsize = sizeof(CoreDecoder),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = decoder_slots,
};

int core_decoder_init(PyObject *module, core_state *state)
{
    state->decoder_type = core_add_type(module, &decoder_spec, NULL, 1);
    return state->decoder_type == NULL ? -1 : 0;
}
