/* pace.c - see pace.h. */
#include "client/pace.h"

/* Fewer under way than this are answered as they come. */
#define FEWEST 8u
/* A batch is this part of what is under way: the peer keeps the rest to work on meanwhile.  Of 2, 3, 4, 5 and 6 the
 * best by measurement, 100 streams on one connection. */
#define PART 3u
/* Responses further apart than this, in ns, are not waited for: waiting would cost more time than it saves. */
#define SLOWEST 20000u
/* One sample that is far off, after a pause for instance, counts no more than this. */
#define GAP_MOST  (16u * SLOWEST)
#define LATE_MOST 200000u
/* Each new sample has this part in the mean. */
#define SMOOTH 8

static uint64_t smoothed(uint64_t mean, uint64_t sample)
{
    return mean - mean / SMOOTH + sample / SMOOTH;
}

void rqx__pace_begin(struct rqx__pace *pace, uint64_t done)
{
    pace->begun = done;
    pace->slept = false;
}

void rqx__pace_looked(struct rqx__pace *pace, uint64_t now, uint64_t done)
{
    uint64_t ended = done - pace->looked;

    if (ended == 0)
        return;
    if (pace->looked_at != 0) {
        uint64_t gap = (now - pace->looked_at) / ended;

        if (gap > GAP_MOST)
            gap = GAP_MOST;
        pace->gap = pace->gap == 0 ? gap : smoothed(pace->gap, gap);
    }
    pace->looked = done;
    pace->looked_at = now;
}

uint64_t rqx__pace_wait(struct rqx__pace *pace, uint64_t open, uint64_t done, uint64_t longest)
{
    uint64_t wanted = open / PART;
    uint64_t here = done - pace->begun;
    uint64_t wait;

    if (pace->slept || open < FEWEST || here >= wanted || pace->gap == 0 || pace->gap > SLOWEST)
        return 0;
    wait = (wanted - here) * pace->gap;
    if (wait > longest)
        wait = longest;
    if (wait <= pace->late) {
        /* a sleep that would end too late is left out; that sleeps are late is believed a little less each time */
        pace->late -= pace->late / 64;
        return 0;
    }
    return wait - pace->late;
}

void rqx__pace_slept(struct rqx__pace *pace, uint64_t asked, uint64_t took)
{
    uint64_t late = took > asked ? took - asked : 0;

    pace->slept = true;
    pace->late = smoothed(pace->late, late < LATE_MOST ? late : LATE_MOST);
}
