/*
 * loop_probe.h - what the tests of the loop share: a probe that counts its calls, and descriptors that are ready on
 * demand.
 */
#ifndef RQX_TESTS_UNIT_LOOP_PROBE_H
#define RQX_TESTS_UNIT_LOOP_PROBE_H

#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/poller.h"
#include "support.h"

#define MS RQX__NS_PER_MS
/* A wait that a working loop cuts short. */
#define LONG (60000 * MS)

/* What a callback saw, and what it is to do. */
struct probe {
    struct rqx__loop *loop;
    struct rqx__watch watch;
    struct rqx__timer timer;
    struct rqx__defer defer;
    int calls;
    unsigned events;
    int order;
    struct probe *victim; /* to be unwatched, cleared and cancelled */
    bool again;           /* set the timer / defer anew */
};

static int sequence;

static inline void undo(struct probe *probe)
{
    rqx__loop_unwatch(probe->loop, &probe->watch);
    rqx__timer_clear(probe->loop, &probe->timer);
    rqx__defer_cancel(&probe->defer);
}

static inline void note(struct probe *probe, unsigned events)
{
    probe->calls++;
    probe->events = events;
    probe->order = ++sequence;
    if (probe->victim != NULL)
        undo(probe->victim);
}

static inline void on_ready(struct rqx__watch *watch, unsigned events, void *user)
{
    ck_assert_ptr_eq(watch, &((struct probe *)user)->watch);
    note(user, events);
}

static inline void on_due(struct rqx__timer *timer, void *user)
{
    struct probe *probe = user;

    ck_assert_ptr_eq(timer, &probe->timer);
    ck_assert(!rqx__timer_is_set(timer));
    note(probe, 0);
    if (probe->again)
        ck_assert_int_eq(rqx__timer_set(probe->loop, timer, rqx__loop_now(probe->loop)), 0);
}

static inline void on_run(struct rqx__defer *defer, void *user)
{
    struct probe *probe = user;

    note(probe, 0);
    if (probe->again)
        rqx__loop_defer(probe->loop, defer);
}

static inline void probe_init(struct probe *probe, struct rqx__loop *loop)
{
    memset(probe, 0, sizeof *probe);
    probe->loop = loop;
    rqx__watch_init(&probe->watch);
    rqx__timer_init(&probe->timer, on_due, probe);
    rqx__defer_init(&probe->defer, on_run, probe);
}

static inline struct rqx__loop *make_loop(bool nested)
{
    struct rqx__loop *loop = NULL;

    ck_assert_int_eq(rqx__loop_new(nested, &loop), 0);
    return loop;
}

static inline int make_event(unsigned value)
{
    int fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK);

    ck_assert_int_ge(fd, 0);
    return fd;
}

static inline void make_ready(int fd)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
}

static inline void make_unready(int fd)
{
    uint64_t value;

    ck_assert_int_eq(read(fd, &value, sizeof value), sizeof value);
}

static inline void watch(struct probe *probe, int fd, unsigned interest)
{
    ck_assert_int_eq(rqx__loop_watch(probe->loop, &probe->watch, fd, interest, on_ready, probe), 0);
}

/* One turn without waiting. */
static inline int turn(struct rqx__loop *loop)
{
    ck_assert_int_eq(rqx__loop_poll(loop, 0), 0);
    return rqx__loop_dispatch(loop);
}

/* Whether the loop's own descriptor becomes readable within |ms|. */
static inline bool readable(const struct rqx__loop *loop, int ms)
{
    struct pollfd entry = {.fd = rqx__loop_fd(loop), .events = POLLIN};

    return poll(&entry, 1, ms) == 1;
}

#endif
