/*
 * loop.h - readiness of descriptors, deadlines and wake-ups, behind one descriptor that can itself be polled.
 *
 * Does not know what the descriptors are for.  The loop has no lock: everything here is called under the lock of its
 * owner (the engine), except rqx__loop_poll, which may run without it, and rqx__loop_wake, which any thread may call.
 *
 * Life of a wake-up:  poll (fills the batch, unlocked) -> dispatch (calls back for each event of the batch and each
 * timer that is due, then runs deferred work until there is none, that which was postponed last time included).  A
 * watch that was removed between poll and dispatch is not called back: the batch names watches by slot and generation,
 * never by pointer.
 */
#ifndef RQX_LOOP_LOOP_H
#define RQX_LOOP_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"

#define RQX__IO_READ  1u
#define RQX__IO_WRITE 2u
#define RQX__IO_ERROR 4u /* error or hang-up: told together with READ so that a read finds out which */

struct rqx__loop;
struct rqx__poller;

/* Embedded in its owner.  Set by rqx__loop_watch; the callback may unwatch or free its owner. */
struct rqx__watch {
    int fd;            /* -1: not watched */
    unsigned interest; /* RQX__IO_* asked for; 0 is allowed (an error is still told, once) */
    uint32_t slot;     /* place in the loop's table */
    void (*ready_cb)(struct rqx__watch *watch, unsigned events, void *user);
    void *user;
};

/* Embedded in its owner; one shot. */
struct rqx__timer {
    struct rqx__heap_node node; /* key: deadline in ns; place 0: not set */
    void (*due_cb)(struct rqx__timer *timer, void *user);
    void *user;
};

/* Embedded in its owner: work to be done at the end of this dispatch (or of the next one, if none runs). */
struct rqx__defer {
    struct rqx__list node;
    void (*run_cb)(struct rqx__defer *defer, void *user);
    void *user;
};

/*
 * |nested|: the loop's descriptor is watched by somebody else's loop, so deadlines must make it readable (timerfd).
 * Otherwise rqx__loop_poll waits for deadlines itself and no timerfd is armed.  Errors: RQX_ERR_SYSTEM, RQX_ERR_NOMEM.
 */
int rqx__loop_new(bool nested, struct rqx__loop **ret_loop);
/* Closes the loop's own descriptors.  Watches, timers and deferred work that others still hold are no longer set. */
void rqx__loop_free(struct rqx__loop *loop);
/*
 * In a forked child, before anything that watches is freed: closes this process's copies of the loop's descriptors.
 * From then on unwatch, timers and the rest work on memory alone and never reach the epoll set, which the parent still
 * uses.
 */
void rqx__loop_detach(struct rqx__loop *loop);
/* In a forked child: detach and free. */
void rqx__loop_abandon(struct rqx__loop *loop);

/* The descriptor to poll for reading. */
int rqx__loop_fd(const struct rqx__loop *loop);
/* Time as of the last dispatch or touch; cheap.  A public call begins with rqx__loop_touch, which reads the clock. */
uint64_t rqx__loop_now(const struct rqx__loop *loop);
uint64_t rqx__loop_touch(struct rqx__loop *loop);

/* A new watch has fd -1. */
void rqx__watch_init(struct rqx__watch *watch);
/* Starts to watch |fd|, which stays the caller's.  Level triggered.  RQX_ERR_SYSTEM (errno), RQX_ERR_NOMEM. */
int rqx__loop_watch(struct rqx__loop *loop, struct rqx__watch *watch, int fd, unsigned interest,
                    void (*ready_cb)(struct rqx__watch *, unsigned, void *), void *user);
/* Changes the interest; no system call if it is the same.  RQX_ERR_SYSTEM. */
int rqx__loop_set_interest(struct rqx__loop *loop, struct rqx__watch *watch, unsigned interest);
/* Stops to watch; call before closing the descriptor.  Harmless if not watched. */
void rqx__loop_unwatch(struct rqx__loop *loop, struct rqx__watch *watch);

void rqx__timer_init(struct rqx__timer *timer, void (*due_cb)(struct rqx__timer *, void *), void *user);
/* Sets or moves the deadline (RQX__NEVER: clears it).  RQX_ERR_NOMEM, when it was not set before. */
int rqx__timer_set(struct rqx__loop *loop, struct rqx__timer *timer, uint64_t deadline);
void rqx__timer_clear(struct rqx__loop *loop, struct rqx__timer *timer);
static inline bool rqx__timer_is_set(const struct rqx__timer *timer)
{
    return timer->node.place != 0;
}

void rqx__defer_init(struct rqx__defer *defer, void (*run_cb)(struct rqx__defer *, void *), void *user);
/* Queues once; a second call before it ran does nothing.  Does not wake anybody: see rqx__loop_settle. */
void rqx__loop_defer(struct rqx__loop *loop, struct rqx__defer *defer);
/*
 * The same for the next dispatch, whatever runs now: who has had a turn lets all others have theirs, those too that
 * only the next poll tells of.  That poll does not wait.
 */
void rqx__loop_postpone(struct rqx__loop *loop, struct rqx__defer *defer);
void rqx__defer_cancel(struct rqx__defer *defer);
/* Postponed work included. */
bool rqx__loop_has_deferred(const struct rqx__loop *loop);
/* Runs what was deferred, and what that defers in turn, but nothing postponed.  Not from inside a callback of the loop.
 */
void rqx__loop_run_deferred(struct rqx__loop *loop);

/* Makes the descriptor readable / a running poll return.  Any thread; coalesced: one write until it is seen. */
void rqx__loop_wake(struct rqx__loop *loop);
/*
 * To be called before a public call returns.  Nested loops: with deferred work left it wakes; with a deadline earlier
 * than the timerfd is set to, it sets it.  Others: a poll that runs in another thread is woken if it would sleep beyond
 * deferred work or a deadline.  At most one system call, usually none.
 */
void rqx__loop_settle(struct rqx__loop *loop);

/*
 * Waits until something is ready, |deadline| (ns, RQX__NEVER: none; 0: do not wait) or the earliest timer; does not
 * wait while deferred work is left.  May run without the owner's lock, in one thread at a time.  May return with
 * nothing ready: after a wake-up, or an hour.  0; RQX_AGAIN after a signal; RQX_ERR_SYSTEM.
 */
int rqx__loop_poll(struct rqx__loop *loop, uint64_t deadline);
/* The deadline of the earliest timer; RQX__NEVER if there is none. */
uint64_t rqx__loop_next_deadline(const struct rqx__loop *loop);
/*
 * Calls back for the batch of the last poll and for due timers, then deferred work.  Gives RQX_AGAIN if the batch was
 * full or deferred work is left (it queued itself very often): there is more to do at once.
 */
int rqx__loop_dispatch(struct rqx__loop *loop);
/* The first half of that: leaves deferred work alone.  True if the batch was full. */
bool rqx__loop_deliver(struct rqx__loop *loop);

#endif
