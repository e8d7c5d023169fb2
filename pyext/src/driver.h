/*
 * driver.h - one engine in EMBEDDED mode, watched by one event loop.
 *
 * Exchanges in flight stand in a list and keep their owners alive until RQX_EVENT_DONE was taken; so no event ever
 * names an object that is gone.  Everything here belongs to the loop's thread.
 */
#ifndef RQX_PY_DRIVER_H
#define RQX_PY_DRIVER_H

#include <sys/types.h>

#include "core.h"

struct CoreOp;
struct CoreTransport;
typedef struct CoreDriver CoreDriver;

/* One exchange of an engine, part of the Python object |owner|. */
typedef struct core_exchange {
    struct core_exchange *next; /* in the driver's list, while it is in flight */
    struct core_exchange **link;
    CoreDriver *driver;    /* a reference, while in flight; NULL: never submitted, or done */
    rqx_response *native;  /* a reference; NULL before the submission */
    PyObject *owner;       /* borrowed, but for a reference while in flight */
    unsigned events;       /* RQX_EVENT_* that came */
    struct CoreOp *reader; /* references: who waits for HEAD, BODY or DONE, */
    struct CoreOp *writer; /* and for WRITE or DONE */
} core_exchange;

struct CoreDriver {
    PyObject_HEAD core_state *state;
    rqx_engine *engine; /* NULL once it was shut down */
    rqx_client *client;
    PyObject *loop;  /* the event loop, or trio's token */
    PyObject *watch; /* of trio: what watches the descriptor */
    int is_trio;
    int orphan; /* the transport is gone: shut down with the last exchange */
    pid_t pid;  /* process that made the engine */
    unsigned long thread;
    core_exchange *live;
    struct CoreOp **ready; /* references: those to be woken, from |ready_at| on */
    Py_ssize_t ready_at;
    Py_ssize_t ready_len;
    Py_ssize_t ready_cap;
    int depth; /* dispatches under way, one inside the other */
    PyObject *weakrefs;
};

/* Makes an engine for |transport| and lets |loop| watch it. */
CoreDriver *core_driver_new(struct CoreTransport *transport, PyObject *loop, int is_trio);
/* Lets another loop watch it, whose first loop was closed.  0 or -1. */
int core_driver_rebind(CoreDriver *self, PyObject *loop, int is_trio);
/* Whether its loop was closed; -1 with an exception. */
int core_driver_loop_closed(CoreDriver *self);
/* Ends every exchange, wakes who waits for them, and closes the engine. */
void core_driver_shutdown(CoreDriver *self);
/* The transport is gone: shuts down now, or with the last exchange. */
void core_driver_abandon(CoreDriver *self);
/* After fork: forgets the engine and the loop without touching either. */
void core_driver_forget(CoreDriver *self);

/* Submits |request| for |exchange|, whose owner is set.  0 or an RQX_ERR_ code. */
int core_exchange_submit(core_exchange *exchange, CoreDriver *driver, rqx_request *request);
/* Lets |op| be woken for |exchange|'s events; the place must be free.  0 or -1 with RuntimeError. */
int core_exchange_wait(core_exchange *exchange, struct CoreOp *op, int for_writing);
/* |op| waits no more. */
void core_exchange_unwait(core_exchange *exchange, struct CoreOp *op);
/* For the traverse of its owner. */
int core_exchange_traverse(core_exchange *exchange, visitproc visit, void *arg);
/* Gives the native response back and forgets the waiters. */
void core_exchange_clear(core_exchange *exchange);

/* The running event loop, a new reference, and whether it is trio's; NULL with RuntimeError. */
PyObject *core_current_loop(core_state *state, int *ret_is_trio);

int core_driver_init(PyObject *module, core_state *state);

#endif
