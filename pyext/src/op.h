/*
 * op.h - awaitables that are their own future.
 *
 * An op is driven like a coroutine (send, throw, close).  Where it has to wait it yields itself and then plays the part
 * of the future that asyncio's Task expects: no Future and no Handle is made.  The driver wakes it with the task's own
 * wake-up function.  On trio it waits through a coroutine of requestx._loops instead.
 */
#ifndef RQX_PY_OP_H
#define RQX_PY_OP_H

#include "core.h"
#include "driver.h"

enum { OP_NEW, OP_RUNNING, OP_DONE };

/* What kinds of op differ in. */
typedef struct core_op_ops {
    const char *name; /* of the coroutine, for messages */
    /* First send.  0: go on and poll; 1: |delegate| was set and gives the result; -1 with an exception. */
    int (*start)(struct CoreOp *op);
    /*
     * 1 with |*ret_result|, 0: has to wait (it was put in line), 2: |delegate| was set and gives the result, -1 with an
     * exception.
     */
    int (*poll)(struct CoreOp *op, PyObject **ret_result);
    /* Nobody wants the result any more. */
    void (*abandon)(struct CoreOp *op);
    /* It is over: lets go of what it was made of, for whoever woke it still holds it for a while. */
    void (*release)(struct CoreOp *op);
} core_op_ops;

typedef struct CoreOp {
    PyObject_HEAD core_state *state;
    const core_op_ops *ops;
    char phase;
    char blocking;      /* _asyncio_future_blocking */
    char woken;         /* the wait is over */
    char cancelled;     /* by cancel() while it waited */
    char waits;         /* |delegate| only waits: poll again after it */
    char submitted;     /* something was sent for it */
    PyObject *loop;     /* where it waits */
    PyObject *callback; /* what is called when the wait is over; NULL: nothing yet */
    PyObject *context;  /* contextvars context of |callback|, or NULL */
    PyObject *more;     /* list of further (callback, context), or NULL */
    PyObject *delegate; /* iterator that is driven in its place, or NULL */
    PyObject *message;  /* of cancel(), or NULL */
    core_exchange *exchange;
    PyObject *target; /* what holds |exchange|; NULL: the op itself */
} CoreOp;

/* Ends the wait of |op|: runs its callbacks.  0 or -1 with an exception that is to leave the loop. */
int core_op_wake(CoreOp *op);
/* The same from wherever, such as from within a task: lets the loop run the callbacks. */
void core_op_wake_soon(CoreOp *op);
/* The awaitable's iterator: what `await` drives. */
PyObject *core_awaitable_iter(PyObject *awaitable);

/* For the types that are ops. */
extern PyMethodDef core_op_methods[];
extern PyGetSetDef core_op_getset[];
PySendResult core_op_send(PyObject *op, PyObject *value, PyObject **ret_result);
PyObject *core_op_iternext(PyObject *op);
PyObject *core_op_self(PyObject *op);
void core_op_finalize(PyObject *op);
int core_op_traverse(CoreOp *op, visitproc visit, void *arg);
void core_op_clear(CoreOp *op);
/* The slots of theirs that are the same. */
#define CORE_OP_SLOTS                                                                                                  \
    {Py_tp_finalize, core_op_finalize}, {Py_tp_iter, core_op_self}, {Py_tp_iternext, core_op_iternext},                \
        {Py_am_await, core_op_self}, {Py_am_send, core_op_send}, {Py_tp_methods, core_op_methods},                     \
    {                                                                                                                  \
        Py_tp_getset, core_op_getset                                                                                   \
    }

#endif
