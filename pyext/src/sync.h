/*
 * sync.h - an engine in SYNC mode, driven by the Python threads that wait: leader and followers.
 *
 * The library could do this by itself (rqx_response_wait).  It is done here because of the GIL: when one dispatch
 * finishes many exchanges, waking all of their threads at once makes each of them sleep a second time, for the GIL.  So
 * they are woken one after the other: each wakes the next when it has the GIL.
 *
 * None of this needs the GIL; a mutex guards it.  An exchange is freed once its owner has let go of it and its last
 * event was taken.
 */
#ifndef RQX_PY_SYNC_H
#define RQX_PY_SYNC_H

#include "core.h"

struct core_sync;
struct sync_waiter;

/* A number that a forked child has another one of: the package has os.register_at_fork() count it. */
unsigned core_fork_generation(void);
void core_forked(void);

typedef struct core_sync_exchange {
    struct core_sync *sync;
    rqx_response *native;
    unsigned events;                         /* RQX_EVENT_* that came; guarded by the mutex */
    struct sync_waiter *waiter;              /* the thread that sleeps for it, or NULL */
    char owned;                              /* its owner has not let go of it */
    char done;                               /* RQX_EVENT_DONE was taken */
    struct core_sync_exchange *next, **link; /* in the list of all */
} core_sync_exchange;

/* Takes over |engine| and |client|; NULL: out of memory, and they stay the caller's. */
struct core_sync *core_sync_new(rqx_engine *engine, rqx_client *client);
struct core_sync *core_sync_ref(struct core_sync *sync);
void core_sync_unref(struct core_sync *sync);
rqx_engine *core_sync_engine(const struct core_sync *sync);
/* Ends all exchanges and wakes all who wait for them. */
void core_sync_close(struct core_sync *sync);

/* Starts |request|.  0 or an RQX_ERR_ code.  On success, |*ret_exchange| is the caller's. */
int core_sync_submit(struct core_sync *sync, rqx_request *request, core_sync_exchange **ret_exchange);
/* Whether one of |what| has come, or the end. */
int core_sync_has(core_sync_exchange *exchange, unsigned what);
/*
 * Without the GIL: waits until one of |what|, or RQX_EVENT_DONE, has come.  0, RQX_AGAIN after |timeout_ms| or a
 * signal, or an RQX_ERR_ code.  |*ret_pass| is set to 1 if core_sync_pass is due once the GIL is held.
 */
int core_sync_wait(core_sync_exchange *exchange, unsigned what, int timeout_ms, int *ret_pass);
/* With the GIL: wakes the next thread whose exchange is ready. */
void core_sync_pass(struct core_sync *sync);
/* Gives the exchange, and its response, back; what is not over is cancelled. */
void core_sync_release(core_sync_exchange *exchange);

#endif
