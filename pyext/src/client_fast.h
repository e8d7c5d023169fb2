/*
 * client_fast.h - between client_fast.c (when the fast path applies) and client_build.c (what it sends).
 */
#ifndef RQX_PY_CLIENT_FAST_H
#define RQX_PY_CLIENT_FAST_H

#include "client.h"

/* Makes the native request, and keeps its body.  1, 0: not to be made here, -1 with an exception. */
int core_fast_fill(CoreClient *self, PyObject *const *args, core_fast *fast);
/* The deadlines of a Timeout.  0 or -1. */
int core_timeouts_of(core_state *state, PyObject *timeout, rqx_timeouts *ret_timeouts);

static inline int is_default(core_state *state, PyObject *value)
{
    return value == NULL || value == state->registered[CORE_USE_CLIENT_DEFAULT];
}

static inline int is_none(PyObject *value)
{
    return value == NULL || value == Py_None;
}

#endif
