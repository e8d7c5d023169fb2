/*
 * guard.h - what keeps an object whole where threads run at once: on builds of CPython without the GIL.
 *
 * A guard is the critical section of one object.  It is let go of whenever its thread blocks, and taken again after:
 * on another object's guard that is taken, on I/O, in whatever runs Python code.  So what was read of the object before
 * such a call may be another after it, as it is with the GIL, and a reference is held to what is used over one.  With
 * the GIL, a guard is a pair of braces, and costs nothing.
 *
 * No lock of the library's or of ours is held over a guard, so that nothing can wait in a ring.
 */
#ifndef RQX_PY_GUARD_H
#define RQX_PY_GUARD_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A scope: nothing may leave it but over its end. */
#ifdef Py_GIL_DISABLED
#define CORE_LOCK(op)    Py_BEGIN_CRITICAL_SECTION(op)
#define CORE_UNLOCK()    Py_END_CRITICAL_SECTION()
#define CORE_LOCK2(a, b) Py_BEGIN_CRITICAL_SECTION2(a, b)
#define CORE_UNLOCK2()   Py_END_CRITICAL_SECTION2()
#else
#define CORE_LOCK(op)    {
#define CORE_UNLOCK()    }
#define CORE_LOCK2(a, b) {
#define CORE_UNLOCK2()   }
#endif

/* Define function_guarded: the same under the guard of its first argument.  For the tables of a type. */
#define CORE_GUARDED_AS(type, function, declaration, call)                                                             \
    static type function##_guarded declaration                                                                         \
    {                                                                                                                  \
        type guarded_result;                                                                                           \
                                                                                                                       \
        CORE_LOCK(op);                                                                                                 \
        guarded_result = function call;                                                                                \
        CORE_UNLOCK();                                                                                                 \
        return guarded_result;                                                                                         \
    }

/* A getter, a setter, a method without arguments or with one (which have the same shape), one with args and kwargs, */
#define CORE_GUARDED_GET(function) CORE_GUARDED_AS(PyObject *, function, (PyObject * op, void *closure), (op, closure))
#define CORE_GUARDED_SET(function)                                                                                     \
    CORE_GUARDED_AS(int, function, (PyObject * op, PyObject * value, void *closure), (op, value, closure))
#define CORE_GUARDED_METHOD(function)                                                                                  \
    CORE_GUARDED_AS(PyObject *, function, (PyObject * op, PyObject * argument), (op, argument))
#define CORE_GUARDED_KEYWORDS(function)                                                                                \
    CORE_GUARDED_AS(PyObject *, function, (PyObject * op, PyObject * args, PyObject * kwargs), (op, args, kwargs))
/* one of METH_FASTCALL | METH_KEYWORDS, __init__, and slots that take the object alone: repr, iter, iternext. */
#define CORE_GUARDED_FASTCALL(function)                                                                                \
    CORE_GUARDED_AS(PyObject *, function,                                                                              \
                    (PyObject * op, PyObject *const *values, Py_ssize_t nargs, PyObject *kwnames),                     \
                    (op, values, nargs, kwnames))
#define CORE_GUARDED_INIT(function)                                                                                    \
    CORE_GUARDED_AS(int, function, (PyObject * op, PyObject * args, PyObject * kwargs), (op, args, kwargs))
#define CORE_GUARDED_UNARY(function) CORE_GUARDED_AS(PyObject *, function, (PyObject * op), (op))

/*
 * Puts |made| (stolen; NULL: nothing could be made) into |slot| unless another thread was quicker: then |made| is given
 * back.  What is in |slot| now, borrowed: for slots that are filled once, and stay.  NULL if |made| is.
 */
PyObject *core_keep_first(PyObject **slot, PyObject *made);
/* What is in such a slot, or NULL. */
static inline PyObject *core_kept(PyObject *const *slot)
{
#ifdef Py_GIL_DISABLED
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
#else
    return *slot;
#endif
}

/* The value of |key|, a new reference.  1, 0 if it is not there, -1 with an exception. */
int core_dict_item(PyObject *dict, PyObject *key, PyObject **ret_value);
/* The item at |index| of a list, a new reference; NULL without an exception past its end. */
PyObject *core_list_item(PyObject *list, Py_ssize_t index);

/*
 * References for the quickest ways alone, over calls that run no Python code: with the GIL nothing that a field holds
 * goes away in those, and none is taken.
 */
#ifdef Py_GIL_DISABLED
static inline PyObject *core_hold(PyObject *op)
{
    return Py_XNewRef(op);
}
static inline void core_let_go(PyObject *op)
{
    Py_XDECREF(op);
}
#else
static inline PyObject *core_hold(PyObject *op)
{
    return op;
}
static inline void core_let_go(PyObject *op)
{
    (void)op;
}
#endif

#endif
