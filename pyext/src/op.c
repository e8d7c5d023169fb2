/*
 * op.c - how an op is driven, and the part of a future that it plays.
 */
#include "op.h"

static int set_wait_delegate(CoreOp *self)
{
    PyObject *loops = PyImport_ImportModule("requestx._loops"), *coroutine;

    if (loops == NULL)
        return -1;
    coroutine = PyObject_CallMethod(loops, "wait", "O", self);
    Py_DECREF(loops);
    if (coroutine == NULL)
        return -1;
    self->delegate = core_awaitable_iter(coroutine);
    Py_DECREF(coroutine);
    self->waits = 1;
    return self->delegate == NULL ? -1 : 0;
}

PyObject *core_awaitable_iter(PyObject *awaitable)
{
    PyTypeObject *type = Py_TYPE(awaitable);

    if (PyCoro_CheckExact(awaitable))
        return Py_NewRef(awaitable);
    if (type->tp_as_async != NULL && type->tp_as_async->am_await != NULL)
        return type->tp_as_async->am_await(awaitable);
    PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression", type->tp_name);
    return NULL;
}

/* Ends it before its time. */
static void abandon(CoreOp *self)
{
    int running = self->phase == OP_RUNNING;

    self->phase = OP_DONE;
    self->waits = 0;
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->more);
    if (running)
        self->ops->abandon(self);
}

/* The same while an exception is on its way. */
static void give_up(CoreOp *self)
{
    PyObject *type, *error, *traceback;

    PyErr_Fetch(&type, &error, &traceback);
    abandon(self);
    PyErr_Restore(type, error, traceback);
}

/* Drives the delegate.  PYGEN_RETURN of one that only waits means: poll again. */
static PySendResult send_delegate(CoreOp *self, PyObject *value, PyObject **ret_result)
{
    PyObject *delegate = Py_NewRef(self->delegate);
    PySendResult result = PyIter_Send(delegate, value, ret_result);

    Py_DECREF(delegate);
    if (result != PYGEN_NEXT)
        Py_CLEAR(self->delegate);
    return result;
}

/* One step without a delegate: PYGEN_NEXT with the op itself where it has to wait. */
static PySendResult step(CoreOp *self, PyObject **ret_result)
{
    int rc;

    if (self->phase == OP_NEW) {
        self->phase = OP_RUNNING;
        rc = self->ops->start(self);
        if (rc < 0)
            return PYGEN_ERROR;
        if (rc > 0)
            return send_delegate(self, Py_None, ret_result);
    }
    rc = self->ops->poll(self, ret_result);
    if (rc == 2)
        return send_delegate(self, Py_None, ret_result);
    if (rc != 0)
        return rc > 0 ? PYGEN_RETURN : PYGEN_ERROR;
    self->woken = 0;
    if (self->exchange->driver != NULL && self->exchange->driver->is_trio) {
        if (set_wait_delegate(self) < 0)
            return PYGEN_ERROR;
        return send_delegate(self, Py_None, ret_result);
    }
    self->blocking = 1;
    *ret_result = Py_NewRef((PyObject *)self);
    return PYGEN_NEXT;
}

PySendResult core_op_send(PyObject *op, PyObject *value, PyObject **ret_result)
{
    CoreOp *self = (CoreOp *)op;
    PySendResult result;

    *ret_result = NULL;
    if (self->phase == OP_DONE) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    Py_INCREF(self);
    if (self->delegate != NULL)
        result = send_delegate(self, value, ret_result);
    else
        result = step(self, ret_result);
    while (result == PYGEN_RETURN && self->waits) {
        self->waits = 0;
        Py_CLEAR(*ret_result);
        result = step(self, ret_result);
    }
    if (result == PYGEN_ERROR && self->waits)
        give_up(self);
    else if (result != PYGEN_NEXT)
        self->phase = OP_DONE;
    if (result == PYGEN_RETURN)
        self->ops->release(self);
    Py_DECREF(self);
    return result;
}

/* For those who know iterators only: a result leaves as StopIteration. */
static PyObject *as_iteration(PySendResult result, PyObject *value)
{
    if (result == PYGEN_NEXT)
        return value;
    if (result == PYGEN_RETURN) {
        if (value == Py_None) {
            PyErr_SetNone(PyExc_StopIteration);
        } else {
            /* a tuple or an exception would be taken apart as arguments */
            PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);

            if (stop != NULL)
                PyErr_SetObject(PyExc_StopIteration, stop);
            Py_XDECREF(stop);
        }
        Py_DECREF(value);
    }
    return NULL;
}

PyObject *core_op_iternext(PyObject *op)
{
    PyObject *value;
    PySendResult result = core_op_send(op, Py_None, &value);

    return as_iteration(result, value);
}

static PyObject *op_send(PyObject *op, PyObject *argument)
{
    PyObject *value;
    PySendResult result = core_op_send(op, argument, &value);

    return as_iteration(result, value);
}

PyObject *core_op_self(PyObject *op)
{
    return Py_NewRef(op);
}

/* The delegate's throw(): what it yields, or its end. */
static PyObject *throw_delegate(CoreOp *self, PyObject *args)
{
    PyObject *delegate = Py_NewRef(self->delegate), *method, *value = NULL;

    method = PyObject_GetAttrString(delegate, "throw");
    if (method != NULL)
        value = PyObject_Call(method, args, NULL);
    Py_XDECREF(method);
    Py_DECREF(delegate);
    if (value != NULL)
        return value;
    Py_CLEAR(self->delegate);
    if (!self->waits || !PyErr_ExceptionMatches(PyExc_StopIteration)) {
        give_up(self);
        return NULL;
    }
    /* the wait ended well after all */
    PyErr_Clear();
    self->waits = 0;
    return core_op_iternext((PyObject *)self);
}

static PyObject *op_throw(PyObject *op, PyObject *args)
{
    CoreOp *self = (CoreOp *)op;
    PyObject *type, *value = NULL, *traceback = NULL;

    if (!PyArg_ParseTuple(args, "O|OO:throw", &type, &value, &traceback))
        return NULL;
    if (self->delegate != NULL)
        return throw_delegate(self, args);
    Py_INCREF(self);
    abandon(self);
    Py_DECREF(self);
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        if (value == Py_None)
            value = NULL;
        if (value != NULL && PyExceptionInstance_Check(value))
            PyErr_SetObject((PyObject *)Py_TYPE(value), value);
        else
            PyErr_SetObject(type, value);
    } else {
        PyErr_SetString(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException");
    }
    return NULL;
}

static PyObject *op_close(PyObject *op, PyObject *unused)
{
    CoreOp *self = (CoreOp *)op;
    PyObject *delegate = self->delegate, *result;

    (void)unused;
    self->delegate = NULL;
    if (delegate != NULL) {
        result = PyObject_CallMethodNoArgs(delegate, self->state->names.close);
        Py_DECREF(delegate);
        if (result == NULL)
            return NULL;
        Py_DECREF(result);
    }
    abandon(self);
    Py_RETURN_NONE;
}

/* --- the part of a future --- */

/* None while it does not wait: ensure_future() and the like then take it for the coroutine that it is, and wrap it. */
static PyObject *get_blocking(PyObject *op, void *closure)
{
    CoreOp *self = (CoreOp *)op;

    (void)closure;
    if (self->phase != OP_RUNNING || self->delegate != NULL)
        Py_RETURN_NONE;
    return PyBool_FromLong(self->blocking);
}

static int set_blocking(PyObject *op, PyObject *value, void *closure)
{
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);

    (void)closure;
    if (truth < 0)
        return -1;
    ((CoreOp *)op)->blocking = (char)truth;
    return 0;
}

static PyObject *op_get_loop(PyObject *op, PyObject *unused)
{
    CoreOp *self = (CoreOp *)op;

    (void)unused;
    if (self->loop == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the request was not awaited yet");
        return NULL;
    }
    return Py_NewRef(self->loop);
}

/* loop.call_soon(callback, op, context=context) */
static int call_soon(CoreOp *self, PyObject *callback, PyObject *context)
{
    PyObject *values[] = {self->loop, callback, (PyObject *)self, context}, *names = NULL, *handle;
    core_state *state = self->state;

    if (context != NULL && (names = PyTuple_Pack(1, state->names.context)) == NULL)
        return -1;
    handle = PyObject_VectorcallMethod(state->names.call_soon, values, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    Py_XDECREF(names);
    Py_XDECREF(handle);
    return handle == NULL ? -1 : 0;
}

static int add_callback(CoreOp *self, PyObject *callback, PyObject *context)
{
    PyObject *pair;
    int rc;

    if (self->woken || self->cancelled || self->phase == OP_DONE)
        return call_soon(self, callback, context);
    if (self->callback == NULL) {
        self->callback = Py_NewRef(callback);
        self->context = Py_XNewRef(context);
        return 0;
    }
    if (self->more == NULL && (self->more = PyList_New(0)) == NULL)
        return -1;
    pair = PyTuple_Pack(2, callback, context == NULL ? Py_None : context);
    rc = pair == NULL ? -1 : PyList_Append(self->more, pair);
    Py_XDECREF(pair);
    return rc;
}

static PyObject *op_add_done_callback(PyObject *op, PyObject *const *values, Py_ssize_t nargs, PyObject *kwnames)
{
    CoreOp *self = (CoreOp *)op;
    PyObject *context = NULL;

    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) == 1 &&
        PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, 0), self->state->names.context) == 0)
        context = values[nargs];
    else if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) != 0)
        nargs = 0;
    if (nargs != 1) {
        PyErr_SetString(PyExc_TypeError, "add_done_callback() takes a function and, by keyword, a context");
        return NULL;
    }
    if (context == Py_None)
        context = NULL;
    if (add_callback(self, values[0], context) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *op_remove_done_callback(PyObject *op, PyObject *callback)
{
    CoreOp *self = (CoreOp *)op;
    long removed = 0;
    int same;

    if (self->callback != NULL) {
        same = PyObject_RichCompareBool(self->callback, callback, Py_EQ);
        if (same < 0)
            return NULL;
        if (same) {
            Py_CLEAR(self->callback);
            Py_CLEAR(self->context);
            removed++;
        }
    }
    for (Py_ssize_t i = self->more == NULL ? -1 : PyList_GET_SIZE(self->more) - 1; i >= 0; i--) {
        same = PyObject_RichCompareBool(PyTuple_GET_ITEM(PyList_GET_ITEM(self->more, i), 0), callback, Py_EQ);
        if (same < 0 || (same && PyList_SetSlice(self->more, i, i + 1, NULL) < 0))
            return NULL;
        removed += same;
    }
    return PyLong_FromLong(removed);
}

/* Takes the callbacks off: a list of (callback, context), or NULL if there is none. */
static int take_callbacks(CoreOp *self, PyObject **ret_callback, PyObject **ret_context, PyObject **ret_more)
{
    *ret_callback = self->callback;
    *ret_context = self->context;
    *ret_more = self->more;
    self->callback = self->context = self->more = NULL;
    return *ret_callback != NULL;
}

static PyObject *op_cancel(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"msg", NULL};
    CoreOp *self = (CoreOp *)op;
    PyObject *message = Py_None, *callback, *context, *more;
    int rc = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cancel", names, &message))
        return NULL;
    if (self->woken || self->cancelled || self->phase != OP_RUNNING || self->delegate != NULL)
        Py_RETURN_FALSE;
    self->cancelled = 1;
    Py_XSETREF(self->message, message == Py_None ? NULL : Py_NewRef(message));
    self->ops->abandon(self);
    if (take_callbacks(self, &callback, &context, &more))
        rc = call_soon(self, callback, context);
    for (Py_ssize_t i = 0; rc == 0 && more != NULL && i < PyList_GET_SIZE(more); i++) {
        PyObject *pair = PyList_GET_ITEM(more, i), *in = PyTuple_GET_ITEM(pair, 1);

        rc = call_soon(self, PyTuple_GET_ITEM(pair, 0), in == Py_None ? NULL : in);
    }
    Py_XDECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(more);
    if (rc < 0)
        return NULL;
    Py_RETURN_TRUE;
}

/* On trio: the task that waits was cancelled, and is not to be woken any more. */
static PyObject *op_cancel_wait(PyObject *op, PyObject *unused)
{
    CoreOp *self = (CoreOp *)op;

    (void)unused;
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->more);
    if (self->exchange != NULL)
        core_exchange_unwait(self->exchange, self);
    Py_RETURN_NONE;
}

static PyObject *raise_asyncio(core_state *state, const char *name, PyObject *message)
{
    PyObject *module = PyImport_ImportModule("asyncio"), *type, *error;

    (void)state;
    if (module == NULL)
        return NULL;
    type = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    if (type == NULL)
        return NULL;
    error = message == NULL ? PyObject_CallNoArgs(type) : PyObject_CallOneArg(type, message);
    if (error != NULL)
        PyErr_SetObject(type, error);
    Py_DECREF(type);
    Py_XDECREF(error);
    return NULL;
}

/* The wait's result: nothing, but that it is over. */
static PyObject *op_result(PyObject *op, PyObject *unused)
{
    CoreOp *self = (CoreOp *)op;

    (void)unused;
    if (self->cancelled)
        return raise_asyncio(self->state, "CancelledError", self->message);
    if (!self->woken && self->phase != OP_DONE)
        return raise_asyncio(self->state, "InvalidStateError", NULL);
    Py_RETURN_NONE;
}

static PyObject *op_done(PyObject *op, PyObject *unused)
{
    CoreOp *self = (CoreOp *)op;

    (void)unused;
    return PyBool_FromLong(self->woken || self->cancelled || self->phase == OP_DONE);
}

static PyObject *op_cancelled(PyObject *op, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((CoreOp *)op)->cancelled);
}

/* --- being woken --- */

static int must_leave_loop(void)
{
    return PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) || PyErr_ExceptionMatches(PyExc_SystemExit);
}

/* Tells the loop of an exception in a callback.  0, or -1 if it is one that must get through. */
static int report(CoreOp *self)
{
    PyObject *type, *value, *traceback, *context, *result = NULL;

    if (must_leave_loop())
        return -1;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    context = Py_BuildValue("{s:s,s:O,s:O}", "message", "Exception in callback of a requestx request", "exception",
                            value, "future", self);
    if (context != NULL && self->loop != NULL)
        result = PyObject_CallMethodOneArg(self->loop, self->state->names.call_exception_handler, context);
    if (result == NULL && !must_leave_loop())
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(context);
    Py_XDECREF(result);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return PyErr_Occurred() ? -1 : 0;
}

static int run_callback(CoreOp *self, PyObject *callback, PyObject *context)
{
    PyObject *result;

    if (context != NULL && PyContext_Enter(context) < 0) {
        PyErr_Clear();
        return call_soon(self, callback, context);
    }
    result = PyObject_CallOneArg(callback, (PyObject *)self);
    if (context != NULL && PyContext_Exit(context) < 0)
        Py_CLEAR(result);
    if (result == NULL)
        return report(self);
    Py_DECREF(result);
    return 0;
}

int core_op_wake(CoreOp *self)
{
    PyObject *callback, *context, *more;
    int rc = 0;

    if (self->woken || self->cancelled || self->phase == OP_DONE)
        return 0;
    self->woken = 1;
    if (!take_callbacks(self, &callback, &context, &more))
        return 0;
    rc = run_callback(self, callback, context);
    for (Py_ssize_t i = 0; more != NULL && i < PyList_GET_SIZE(more); i++) {
        PyObject *pair = PyList_GET_ITEM(more, i), *in = PyTuple_GET_ITEM(pair, 1);

        in = in == Py_None ? NULL : in;
        if (rc == 0)
            rc = run_callback(self, PyTuple_GET_ITEM(pair, 0), in);
        else
            (void)call_soon(self, PyTuple_GET_ITEM(pair, 0), in);
    }
    Py_DECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(more);
    return rc;
}

void core_op_wake_soon(CoreOp *self)
{
    PyObject *callback, *context, *more;

    if (self->woken || self->cancelled || self->phase == OP_DONE)
        return;
    self->woken = 1;
    if (!take_callbacks(self, &callback, &context, &more))
        return;
    /* a loop that is closed takes no more calls, and has nobody left who waits */
    if (call_soon(self, callback, context) < 0)
        PyErr_Clear();
    for (Py_ssize_t i = 0; more != NULL && i < PyList_GET_SIZE(more); i++) {
        PyObject *pair = PyList_GET_ITEM(more, i), *in = PyTuple_GET_ITEM(pair, 1);

        if (call_soon(self, PyTuple_GET_ITEM(pair, 0), in == Py_None ? NULL : in) < 0)
            PyErr_Clear();
    }
    Py_DECREF(callback);
    Py_XDECREF(context);
    Py_XDECREF(more);
}

/* --- for the types --- */

void core_op_finalize(PyObject *op)
{
    CoreOp *self = (CoreOp *)op;
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    if (self->phase == OP_NEW && self->ops != NULL) {
        if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%s' was never awaited", self->ops->name) < 0)
            PyErr_WriteUnraisable(op);
    } else if (self->phase == OP_RUNNING) {
        abandon(self);
    }
    PyErr_Restore(type, value, traceback);
}

int core_op_traverse(CoreOp *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->loop);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->more);
    Py_VISIT(self->delegate);
    Py_VISIT(self->message);
    Py_VISIT(self->target);
    return 0;
}

void core_op_clear(CoreOp *self)
{
    Py_CLEAR(self->loop);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->more);
    Py_CLEAR(self->delegate);
    Py_CLEAR(self->message);
    Py_CLEAR(self->target);
}

static PyObject *get_name(PyObject *op, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(((CoreOp *)op)->ops->name);
}

static PyObject *get_running(PyObject *op, void *closure)
{
    (void)op;
    (void)closure;
    Py_RETURN_FALSE;
}

static PyObject *get_await(PyObject *op, void *closure)
{
    CoreOp *self = (CoreOp *)op;

    (void)closure;
    return Py_NewRef(self->delegate == NULL ? Py_None : self->delegate);
}

PyMethodDef core_op_methods[] = {
    {"send", op_send, METH_O, NULL},
    {"throw", op_throw, METH_VARARGS, NULL},
    {"close", op_close, METH_NOARGS, NULL},
    {"get_loop", op_get_loop, METH_NOARGS, NULL},
    {"add_done_callback", (PyCFunction)(void (*)(void))op_add_done_callback, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"remove_done_callback", op_remove_done_callback, METH_O, NULL},
    {"cancel", (PyCFunction)(void (*)(void))op_cancel, METH_VARARGS | METH_KEYWORDS, NULL},
    {"cancelled", op_cancelled, METH_NOARGS, NULL},
    {"cancel_wait", op_cancel_wait, METH_NOARGS, NULL},
    {"done", op_done, METH_NOARGS, NULL},
    {"result", op_result, METH_NOARGS, NULL},
    {"exception", op_result, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

PyGetSetDef core_op_getset[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, NULL, NULL},
    {"__name__", get_name, NULL, NULL, NULL},
    {"__qualname__", get_name, NULL, NULL, NULL},
    {"cr_running", get_running, NULL, NULL, NULL},
    {"cr_await", get_await, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
