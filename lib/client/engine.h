/*
 * engine.h - the inside of rqx_engine: composition, lock, drivers, and the list of events.
 *
 * Owns the loop and the resolver; knows its clients.  Must not know HTTP.  An engine lives until its last reference is
 * given back; each client holds one, so when it dies no client, connection or exchange is left.  A thread holds one,
 * too, and ends earlier: when there is no user any more who could want anything of it.
 */
#ifndef RQX_CLIENT_ENGINE_H
#define RQX_CLIENT_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/engine.h>

#include "base/list.h"
#include "client/pace.h"
#include "loop/loop.h"
#include "net/resolver.h"

/* Bytes read from a connection at once; one buffer an engine, used under its lock. */
#define RQX__READ_BUFFER (64 * 1024)

/* Something whose last user reference went away where the lock could not be waited for.  Embedded in its owner. */
struct rqx__dead {
    struct rqx__dead *next;
    void (*bury_cb)(struct rqx__dead *dead); /* under the lock */
};

/* A thread that waits for one exchange; on its stack. */
struct rqx__waiter {
    struct rqx__list node; /* in engine->waiters */
    pthread_cond_t cond;
    bool has_cond; /* |cond| was made */
    bool sleeping; /* on |cond|; otherwise it leads, or runs */
    bool woken;
};

struct rqx_engine {
    /* immutable after rqx_engine_new */
    rqx_mode mode;
    bool pull_events;
    uint64_t fork_epoch;
    struct rqx__loop *loop; /* its poll runs without the lock, in the driver only */

    /* any thread */
    atomic_uint refs;    /* all of them; the last one frees */
    atomic_uint handles; /* the users' references, and clients that have users: the thread ends with the last */
    _Atomic(struct rqx__dead *) dead; /* stack: pushed by anyone, taken under the lock */

    pthread_mutex_t lock;
    /* under the lock */
    struct rqx__resolver *resolver; /* made at the first lookup */
    struct rqx__list clients;       /* rqx_client.engine_node */
    struct rqx__list events;        /* exchanges with events to be taken */
    struct rqx__list feeds;         /* exchanges whose body source is to be asked, outside the lock */
    struct rqx__list waiters;       /* struct rqx__waiter that sleep */
    uint8_t *read_buffer;           /* RQX__READ_BUFFER bytes */
    uint64_t last_connection_id;
    uint64_t poll_deadline; /* what the running poll waits for; 0: none runs */
    bool leading;           /* SYNC: a thread drives now */
    struct rqx__pace pace;  /* EMBEDDED: how long rqx_engine_collect waits */
    bool collects;          /* EMBEDDED: the last rqx_engine_collect was allowed to wait */
    unsigned corked;        /* EMBEDDED: rqx_engine_cork depth, and dispatch itself */
    rqx_engine_stats stats;
    unsigned refs_to_drop; /* of clients that died under the lock: given back once it is free */

    /* resolver's settings, immutable copies */
    struct rqx__resolver_config resolver_config;
    char *nameservers;
    char **resolve;

    /* THREAD: immutable after start */
    pthread_t thread;
    bool thread_started;
    bool stopping; /* under the lock */
};

/* Takes the lock and buries the dead.  Negative: RQX_ERR_FORKED, and the lock is not held. */
int rqx__engine_lock(struct rqx_engine *engine);
/*
 * Ends a public call that changed something: SYNC and THREAD: does deferred work now and wakes a poll that waits too
 * long; EMBEDDED: leaves it to the next dispatch and arms the descriptor.  Gives the lock back.
 */
void rqx__engine_unlock(struct rqx_engine *engine);
/* Gives the lock back where nothing was changed. */
void rqx__engine_unlock_quiet(struct rqx_engine *engine);
/* Whether this process is a forked child of the engine's. */
bool rqx__engine_forked(const struct rqx_engine *engine);
/* For a driver that gave the lock back to poll: takes it again and buries the dead. */
void rqx__engine_relock(struct rqx_engine *engine);
/* Takes and gives back a reference that is no user's; the last one frees. */
void rqx__engine_hold(struct rqx_engine *engine);
void rqx__engine_release(struct rqx_engine *engine);
/* A user of the engine, or of one of its clients, is gone.  The last one ends the thread, if there is one, and waits
 * until it has ended, unless it is the thread itself.  Not under the lock; the caller holds a reference. */
void rqx__engine_user_gone(struct rqx_engine *engine);
/* Makes sure that there is a resolver.  Under the lock. */
int rqx__engine_resolver(struct rqx_engine *engine);
/*
 * Has |dead->bury_cb| called under the lock: now if the lock is free, else by whoever takes it next.  Never waits.
 * Any thread, also one that holds somebody else's lock.
 */
void rqx__engine_bury(struct rqx_engine *engine, struct rqx__dead *dead);

/* ---- drive.c ---- */

struct rqx__exchange;

/*
 * SYNC: drives, or sleeps while another thread does, until |ready_cb(user)| is true (asked under the lock), |deadline|
 * passed or a signal came (RQX_AGAIN in both cases).  |waiter_slot|, unless NULL, is where the waiter is kept to be
 * woken by.  Under the lock.
 */
int rqx__engine_wait_locked(struct rqx_engine *engine, struct rqx__waiter **waiter_slot, bool (*ready_cb)(void *user),
                            void *user, uint64_t deadline);
/* Wakes the thread that waits in |waiter|. */
void rqx__waiter_wake(struct rqx__waiter *waiter);
/* Starts the thread of RQX_MODE_THREAD.  RQX_ERR_SYSTEM. */
int rqx__engine_start_thread(struct rqx_engine *engine);
/* Has the thread tell what is left to be told, and ends it. */
void rqx__engine_stop_thread(struct rqx_engine *engine);
/* In a forked child: closes this process's copies of loop and resolver; what is torn down after that touches memory
 * alone. */
void rqx__engine_abandon(struct rqx_engine *engine);
/* In a forked child: whether one of the parent's threads held the lock.  What it guards may then be half changed: it is
 * left as it is, descriptors included. */
bool rqx__engine_torn(struct rqx_engine *engine);
/* Frees an engine that nobody drives. */
void rqx__engine_free(struct rqx_engine *engine);

#endif
