/*
 * poller.h - the system's readiness interface, as a small table of functions: epoll here, others may stand in.
 *
 * Knows descriptors and tokens, not watches.  wait() may run in one thread while others call add, modify and remove: a
 * poller must allow that without a lock (epoll does).
 */
#ifndef RQX_LOOP_POLLER_H
#define RQX_LOOP_POLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rqx__poller;

struct rqx__poller_event {
    uint64_t token;  /* as given to add or modify */
    unsigned events; /* RQX__IO_* */
};

/* A poller waits this long at most before it looks again; longer deadlines are the caller's to repeat. */
#define RQX__POLLER_LONGEST UINT64_C(3600000000000)

struct rqx__poller_ops {
    const char *name;
    /*
     * Level triggered unless |edge|: then what is ready is told once each time it becomes ready (or is written anew).
     * 0, or RQX_ERR_SYSTEM with errno set.
     */
    int (*add)(struct rqx__poller *poller, int fd, unsigned interest, bool edge, uint64_t token);
    int (*modify)(struct rqx__poller *poller, int fd, unsigned interest, bool edge, uint64_t token);
    void (*remove)(struct rqx__poller *poller, int fd);
    /*
     * Waits up to |timeout| ns (0: not at all), never shorter by rounding.  Gives the number of events, 0 after a
     * signal too; RQX_ERR_SYSTEM with errno set.
     */
    int (*wait)(struct rqx__poller *poller, struct rqx__poller_event *events, size_t max, uint64_t timeout);
    /* Closes this process's copy of the descriptor and nothing else: the set of a parent stays as it is. */
    void (*detach)(struct rqx__poller *poller);
    void (*free)(struct rqx__poller *poller);
};

/* First member of every poller's struct. */
struct rqx__poller {
    const struct rqx__poller_ops *ops;
    int fd;           /* readable when wait() would give events; -1: detached, all calls fail */
    bool interrupted; /* the last wait() was ended by a signal */
};

/* Most events that one wait() gives. */
#define RQX__POLLER_BATCH 256

/* RQX_ERR_SYSTEM, RQX_ERR_NOMEM. */
int rqx__poller_epoll_new(struct rqx__poller **ret_poller);

#endif
