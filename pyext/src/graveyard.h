/*
 * graveyard.h - Python objects whose last use is in the library, which may end on any thread and under any lock.
 *
 * The library is given a core_deferred as |user| and core_deferred_done as rqx_free_cb.  That puts it on a lock-free
 * list, and the next thread that runs Python anyway, in core_graveyard_drain, gives the reference back.  Any number of
 * threads may do either at once: each drains what it has taken off the list, all of it at a time.
 */
#ifndef RQX_PY_GRAVEYARD_H
#define RQX_PY_GRAVEYARD_H

#include "core.h"

struct core_deferred;

/* Makes the list of a module.  0 or -1. */
int core_graveyard_init(core_state *state);
/* Gives back everything, and lets go of the list: what comes later is left to the end of the process. */
void core_graveyard_done(core_state *state);
/* Gives back what came since the last time. */
void core_graveyard_drain(core_state *state);
/* Holds a new reference to |object|; NULL with MemoryError. */
struct core_deferred *core_deferred_new(core_state *state, PyObject *object);
/* rqx_free_cb */
void core_deferred_done(void *user);

#endif
