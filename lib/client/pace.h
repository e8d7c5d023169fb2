/*
 * pace.h - how long to wait for more before what answers it is sent.
 *
 * While many streams are open, responses come one by one, as fast as the peer makes them.  Who answers each at once
 * wakes up, reads, and writes for each, and so does the peer.  Who waits until a good part of what is under way has
 * come does so once for all of them, and the peer still has the other part to work on.  This is the arithmetic of it:
 * from how quickly responses came so far, how long to sleep.  Pure: told the time and the counts; must not know
 * engines.
 *
 * Lifetime: embedded in the engine, used under its lock.
 */
#ifndef RQX_CLIENT_PACE_H
#define RQX_CLIENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct rqx__pace {
    uint64_t begun;     /* how many exchanges had ended when this batch began */
    uint64_t looked;    /* how many had ended at the last look */
    uint64_t looked_at; /* when that was, ns; 0: not yet */
    uint64_t gap;       /* mean time from one end to the next, ns; 0: not known */
    bool slept;         /* once a batch: short sleeps cost more than they save */
    uint64_t late;      /* mean time that a sleep takes longer than asked for, ns */
};

/* What was there was answered: what ends from now on, after |done|, belongs to the next batch. */
void rqx__pace_begin(struct rqx__pace *pace, uint64_t done);
/* A look at |now| (ns) found that |done| exchanges have ended since the beginning. */
void rqx__pace_looked(struct rqx__pace *pace, uint64_t now, uint64_t done);
/*
 * How long (ns) to sleep so that a good part of |open| exchanges ends, when |done| have by now; at most |longest|.
 * 0: not at all, as enough is there, or too few are under way, or they come too slowly to be waited for.
 */
uint64_t rqx__pace_wait(struct rqx__pace *pace, uint64_t open, uint64_t done, uint64_t longest);
/* A sleep of |asked| ns took |took|. */
void rqx__pace_slept(struct rqx__pace *pace, uint64_t asked, uint64_t took);

#endif
