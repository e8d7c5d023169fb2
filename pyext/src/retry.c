/*
 * retry.c - the Python type NativeRetry.
 */
#include "retry.h"

#include <limits.h>

#define LIST_MAX 64

/* Needs no guard: it is whole when it is made, and does not change. */
typedef struct CoreRetry {
    PyObject_HEAD rqx_retry *native;
} CoreRetry;

rqx_retry *core_retry_of(core_state *state, PyObject *value)
{
    rqx_retry *native = NULL;
    PyObject *inner;

    if (Py_TYPE(value) == state->retry_type)
        return rqx_retry_ref(((CoreRetry *)value)->native);
    inner = PyObject_GetAttr(value, state->names._native);
    if (inner != NULL && Py_TYPE(inner) == state->retry_type)
        native = rqx_retry_ref(((CoreRetry *)inner)->native); /* which may be the last to hold it */
    Py_XDECREF(inner);
    if (native == NULL && (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_AttributeError)))
        PyErr_Format(PyExc_TypeError, "a Retry is needed, not %.100s", Py_TYPE(value)->tp_name);
    return native;
}

/* A tuple of ints.  0 or -1. */
static int statuses_arg(PyObject *tuple, int *numbers, rqx_retry_options *options)
{
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);

    if (count > LIST_MAX) {
        PyErr_SetString(PyExc_ValueError, "too many statuses");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        long number = PyLong_AsLong(PyTuple_GET_ITEM(tuple, i));

        if (number == -1 && PyErr_Occurred())
            return -1;
        numbers[i] = number < 0 || number > 999 ? 0 : (int)number;
    }
    options->statuses = numbers;
    options->status_count = (size_t)count;
    return 0;
}

/* A tuple of str.  0 or -1. */
static int methods_arg(PyObject *tuple, const char **texts, rqx_retry_options *options)
{
    Py_ssize_t count = PyTuple_GET_SIZE(tuple);

    if (count > LIST_MAX) {
        PyErr_SetString(PyExc_ValueError, "too many methods");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        texts[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(tuple, i));
        if (texts[i] == NULL)
            return -1;
    }
    options->methods = texts;
    options->method_count = (size_t)count;
    return 0;
}

static PyObject *retry_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    int numbers[LIST_MAX];
    const char *texts[LIST_MAX];
    rqx_retry_options options;
    PyObject *statuses, *methods;
    CoreRetry *self;
    int rc;

    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "NativeRetry takes no keywords");
        return NULL;
    }
    rqx_retry_options_init(&options);
    if (!PyArg_ParseTuple(args, "iiiiO!O!LLipL:NativeRetry", &options.total, &options.connect, &options.read,
                          &options.status, &PyTuple_Type, &statuses, &PyTuple_Type, &methods, &options.backoff_ms,
                          &options.backoff_max_ms, &options.jitter, &options.respect_retry_after,
                          &options.retry_after_max_ms) ||
        statuses_arg(statuses, numbers, &options) < 0 || methods_arg(methods, texts, &options) < 0)
        return NULL;
    self = (CoreRetry *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    rc = rqx_retry_new(&options, &self->native);
    if (rc == 0)
        return (PyObject *)self;
    Py_DECREF(self);
    if (rc == RQX_ERR_NOMEM)
        return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError, rc == RQX_ERR_INVALID_METHOD
                                          ? "Retry: methods must be tokens such as \"GET\""
                                          : "Retry: statuses are from 400 to 599, numbers are not negative, jitter is "
                                            "from 0 to 1, and no pause is longer than a year");
    return NULL;
}

static void retry_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    rqx_retry_unref(((CoreRetry *)op)->native);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyType_Slot retry_slots[] = {
    {Py_tp_doc, (void *)"The settings of a Retry, as the library has them."},
    {Py_tp_new, retry_new},
    {Py_tp_dealloc, retry_dealloc},
    {0, NULL},
};

static PyType_Spec retry_spec = {
    .name = "requestx._core.NativeRetry",
    .basicsize = sizeof(CoreRetry),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = retry_slots,
};

int core_retry_init(PyObject *module, core_state *state)
{
    state->retry_type = core_add_type(module, &retry_spec, NULL, 1);
    return state->retry_type == NULL ? -1 : 0;
}
