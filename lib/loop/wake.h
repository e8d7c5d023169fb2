/*
 * wake.h - a wake-up call from any thread: one eventfd, rung at most once until it was heard.
 *
 * The descriptor is watched edge triggered, so that it is never read: each ring is one edge.  The counter would need
 * 2^64 rings to run over.
 */
#ifndef RQX_LOOP_WAKE_H
#define RQX_LOOP_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

struct rqx__wake {
    int fd;
    atomic_bool rung; /* written and not heard yet */
};

/* RQX_ERR_SYSTEM. */
int rqx__wake_init(struct rqx__wake *wake);
void rqx__wake_done(struct rqx__wake *wake);
/* Any thread, a signal handler too.  What was written before it is seen by who returns from rqx__wake_heard. */
void rqx__wake_ring(struct rqx__wake *wake);
/* The descriptor was found readable.  To be called before looking for work. */
void rqx__wake_heard(struct rqx__wake *wake);

#endif
