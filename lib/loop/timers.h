/*
 * timers.h - deadlines in a heap and, for a nested loop, one timerfd that makes the loop's descriptor readable in time.
 *
 * The timerfd is set anew only when a deadline is earlier than what it is set to: most deadlines are cleared or moved
 * before they come, and a firing for a deadline that is gone costs one idle wake-up.  It is watched edge triggered and
 * never read.
 *
 * Called under the lock of the loop's owner, except rqx__timers_next and rqx__timers_fired.
 */
#ifndef RQX_LOOP_TIMERS_H
#define RQX_LOOP_TIMERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "loop/loop.h"

struct rqx__timers {
    struct rqx__heap heap;
    int fd;                /* timerfd; -1: not nested */
    uint64_t armed;        /* what the timerfd is set to; RQX__NEVER: it is not */
    atomic_bool fired;     /* the timerfd went off since |armed| was set */
    _Atomic uint64_t next; /* deadline of the heap's first, readable without the lock; RQX__NEVER */
};

/* RQX_ERR_SYSTEM. */
int rqx__timers_init(struct rqx__timers *timers, bool nested);
/* Closes the timerfd; deadlines may still be set and cleared. */
void rqx__timers_detach(struct rqx__timers *timers);
/* Timers that others still hold are no longer set. */
void rqx__timers_done(struct rqx__timers *timers);
/* RQX_ERR_NOMEM. */
int rqx__timers_set(struct rqx__timers *timers, struct rqx__timer *timer, uint64_t deadline);
void rqx__timers_clear(struct rqx__timers *timers, struct rqx__timer *timer);
/* Any thread. */
uint64_t rqx__timers_next(const struct rqx__timers *timers);
/* The timerfd was found readable.  Any thread. */
void rqx__timers_fired(struct rqx__timers *timers);
/* Sees to it that the timerfd goes off no later than the next deadline.  At most one system call. */
void rqx__timers_arm(struct rqx__timers *timers);
/* Calls back for timers that are due at |now|; one that sets itself to be due again waits for the next run. */
void rqx__timers_run(struct rqx__timers *timers, uint64_t now);

#endif
