#include "loop/timers.h"

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <requestx/error.h>

#include "base/clock.h"

int rqx__timers_init(struct rqx__timers *timers, bool nested)
{
    rqx__heap_init(&timers->heap);
    timers->fd = -1;
    timers->armed = RQX__NEVER;
    atomic_init(&timers->fired, false);
    atomic_init(&timers->next, RQX__NEVER);
    if (!nested)
        return 0;
    timers->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return timers->fd < 0 ? RQX_ERR_SYSTEM : 0;
}

void rqx__timers_detach(struct rqx__timers *timers)
{
    if (timers->fd >= 0)
        close(timers->fd);
    timers->fd = -1;
}

static void forget_all(struct rqx__timers *timers)
{
    size_t i;

    for (i = 0; i < timers->heap.count; i++)
        timers->heap.nodes[i]->place = 0;
}

void rqx__timers_done(struct rqx__timers *timers)
{
    rqx__timers_detach(timers);
    forget_all(timers);
    rqx__heap_done(&timers->heap);
}

static void publish_next(struct rqx__timers *timers)
{
    const struct rqx__heap_node *first = rqx__heap_first(&timers->heap);
    uint64_t next = first != NULL ? first->key : RQX__NEVER;

    if (next != atomic_load_explicit(&timers->next, memory_order_relaxed))
        atomic_store(&timers->next, next);
}

int rqx__timers_set(struct rqx__timers *timers, struct rqx__timer *timer, uint64_t deadline)
{
    if (deadline == RQX__NEVER) {
        rqx__timers_clear(timers, timer);
        return 0;
    }
    if (rqx__timer_is_set(timer)) {
        rqx__heap_update(&timers->heap, &timer->node, deadline);
    } else {
        int rv = rqx__heap_add(&timers->heap, &timer->node, deadline);

        if (rv < 0)
            return rv;
    }
    publish_next(timers);
    return 0;
}

void rqx__timers_clear(struct rqx__timers *timers, struct rqx__timer *timer)
{
    if (!rqx__timer_is_set(timer))
        return;
    rqx__heap_remove(&timers->heap, &timer->node);
    publish_next(timers);
}

uint64_t rqx__timers_next(const struct rqx__timers *timers)
{
    return atomic_load(&timers->next);
}

void rqx__timers_fired(struct rqx__timers *timers)
{
    atomic_store(&timers->fired, true);
}

void rqx__timers_arm(struct rqx__timers *timers)
{
    uint64_t next = rqx__timers_next(timers);
    struct itimerspec spec = {0};

    if (next >= timers->armed || timers->fd < 0)
        return;
    if (next == 0)
        next = 1; /* zero would switch the timerfd off */
    spec.it_value.tv_sec = (time_t)(next / UINT64_C(1000000000));
    spec.it_value.tv_nsec = (long)(next % UINT64_C(1000000000));
    timerfd_settime(timers->fd, TFD_TIMER_ABSTIME, &spec, NULL);
    timers->armed = next;
}

void rqx__timers_run(struct rqx__timers *timers, uint64_t now)
{
    size_t budget = timers->heap.count;

    if (atomic_exchange(&timers->fired, false))
        timers->armed = RQX__NEVER;
    while (budget-- > 0) {
        struct rqx__heap_node *first = rqx__heap_first(&timers->heap);
        struct rqx__timer *timer;

        if (first == NULL || first->key > now)
            break;
        timer = RQX__OF(first, struct rqx__timer, node);
        rqx__timers_clear(timers, timer);
        timer->due_cb(timer, timer->user); /* may set, clear or free any timer, itself included */
    }
}
