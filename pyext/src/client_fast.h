/*
 * client_fast.h - between client_fast.c (when the fast path applies) and client_build.c (what it sends).
 */
#ifndef RQX_PY_CLIENT_FAST_H
#define RQX_PY_CLIENT_FAST_H

#include "client.h"

/*
 * With the guard: makes the native request of what the settings say, which are those of |generation|.  1, 0: not to be
 * made here, -1 with an exception.
 */
int core_fast_start(CoreClient *self, PyObject *const *args, unsigned generation, core_fast *fast);
/* Without it: adds what may take Python code, and keeps the body.  The same. */
int core_fast_complete(CoreClient *self, PyObject *const *args, unsigned generation, core_fast *fast);
/* The deadlines of a Timeout.  0 or -1. */
int core_timeouts_of(core_state *state, PyObject *timeout, rqx_timeouts *ret_timeouts);

/*
 * Whether the settings are still those of |generation|: asked after whatever may have let go of the guard.  With the
 * GIL that is only what runs Python code, after which nothing borrowed of them is used.
 */
static inline int core_settings_hold(const CoreClient *self, unsigned generation)
{
#ifdef Py_GIL_DISABLED
    return self->generation == generation;
#else
    (void)self;
    (void)generation;
    return 1;
#endif
}

static inline int is_default(core_state *state, PyObject *value)
{
    return value == NULL || value == state->registered[CORE_USE_CLIENT_DEFAULT];
}

static inline int is_none(PyObject *value)
{
    return value == NULL || value == Py_None;
}

#endif
