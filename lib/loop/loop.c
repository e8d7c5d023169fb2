#include "loop/loop.h"

#include <errno.h>
#include <stdatomic.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/poller.h"
#include "loop/timers.h"
#include "loop/wake.h"

#define NO_SLOT     UINT32_MAX
#define FIRST_SLOTS 16
#define MAX_SLOTS   (UINT32_C(1) << 30)

/* Tokens of the loop's own descriptors; slots never come near. */
#define TOKEN_WAKE  UINT64_MAX
#define TOKEN_TIMER (UINT64_MAX - 1)

/* Rounds of deferred work in one dispatch: work that queues itself over and over must let readiness through. */
#define DEFER_ROUNDS 256

struct slot {
    struct rqx__watch *watch; /* NULL: free */
    uint32_t generation;      /* counts how often the slot was given back */
    uint32_t next_free;
};

struct rqx__loop {
    /* immutable */
    struct rqx__poller *poller;
    bool nested;

    /* owner's lock */
    struct slot *slots;
    uint32_t slot_count;
    uint32_t free_slot; /* NO_SLOT: none */
    struct rqx__timers timers;
    struct rqx__list deferred;
    struct rqx__list postponed; /* deferred by the next dispatch */
    uint64_t now;

    /* any thread */
    struct rqx__wake wake;
    atomic_bool has_work;           /* something is postponed, or was deferred since the queue was run last */
    _Atomic uint64_t poll_deadline; /* how long a running poll will sleep at most; 0: none is running */

    /* the thread that polls and then dispatches */
    struct rqx__poller_event batch[RQX__POLLER_BATCH];
    size_t batch_len;
    bool batch_full;
};

static int watch_own(struct rqx__loop *loop)
{
    const struct rqx__poller_ops *ops = loop->poller->ops;
    int rv = ops->add(loop->poller, loop->wake.fd, RQX__IO_READ, true, TOKEN_WAKE);

    if (rv == 0 && loop->nested)
        rv = ops->add(loop->poller, loop->timers.fd, RQX__IO_READ, true, TOKEN_TIMER);
    return rv;
}

static int start(struct rqx__loop *loop)
{
    int rv = rqx__wake_init(&loop->wake);

    if (rv == 0)
        rv = rqx__timers_init(&loop->timers, loop->nested);
    if (rv == 0)
        rv = rqx__poller_epoll_new(&loop->poller);
    if (rv == 0)
        rv = watch_own(loop);
    return rv;
}

int rqx__loop_new(bool nested, struct rqx__loop **ret_loop)
{
    struct rqx__loop *loop = rqx__calloc(1, sizeof *loop);
    int rv;

    if (loop == NULL)
        return RQX_ERR_NOMEM;
    loop->nested = nested;
    loop->free_slot = NO_SLOT;
    loop->wake.fd = loop->timers.fd = -1;
    atomic_init(&loop->has_work, false);
    atomic_init(&loop->poll_deadline, 0);
    rqx__list_init(&loop->deferred);
    rqx__list_init(&loop->postponed);
    loop->now = rqx__clock_now();
    rv = start(loop);
    if (rv < 0) {
        int saved = errno;

        rqx__loop_free(loop);
        errno = saved;
        return rv;
    }
    *ret_loop = loop;
    return 0;
}

/* Owners that outlive the loop find their watches, timers and deferred work unset. */
static void forget_all(struct rqx__loop *loop)
{
    uint32_t i;

    for (i = 0; i < loop->slot_count; i++) {
        if (loop->slots[i].watch != NULL)
            loop->slots[i].watch->fd = -1;
    }
    rqx__list_splice(&loop->deferred, &loop->postponed);
    while (rqx__list_pop_front(&loop->deferred) != NULL)
        ;
}

void rqx__loop_detach(struct rqx__loop *loop)
{
    loop->poller->ops->detach(loop->poller);
    rqx__timers_detach(&loop->timers);
    rqx__wake_done(&loop->wake);
}

void rqx__loop_free(struct rqx__loop *loop)
{
    if (loop == NULL)
        return;
    forget_all(loop);
    if (loop->poller != NULL)
        loop->poller->ops->free(loop->poller);
    rqx__timers_done(&loop->timers);
    rqx__wake_done(&loop->wake);
    rqx__free(loop->slots);
    rqx__free(loop);
}

void rqx__loop_abandon(struct rqx__loop *loop)
{
    if (loop == NULL)
        return;
    rqx__loop_detach(loop);
    rqx__loop_free(loop);
}

int rqx__loop_fd(const struct rqx__loop *loop)
{
    return loop->poller->fd;
}

uint64_t rqx__loop_now(const struct rqx__loop *loop)
{
    return loop->now;
}

uint64_t rqx__loop_touch(struct rqx__loop *loop)
{
    loop->now = rqx__clock_now();
    return loop->now;
}

/* ---- watches ---- */

static int add_slots(struct rqx__loop *loop)
{
    uint32_t count = loop->slot_count == 0 ? FIRST_SLOTS : loop->slot_count * 2;
    struct slot *slots;
    uint32_t i;

    if (count > MAX_SLOTS)
        return RQX_ERR_NOMEM;
    slots = rqx__realloc(loop->slots, count * sizeof *slots);
    if (slots == NULL)
        return RQX_ERR_NOMEM;
    for (i = loop->slot_count; i < count; i++)
        slots[i] = (struct slot){.next_free = i + 1 < count ? i + 1 : NO_SLOT};
    loop->free_slot = loop->slot_count;
    loop->slots = slots;
    loop->slot_count = count;
    return 0;
}

static uint64_t token_of(const struct rqx__loop *loop, uint32_t slot)
{
    return (uint64_t)loop->slots[slot].generation << 32 | slot;
}

/* Nothing but errors wanted: told once, or a socket that was reset would keep the loop spinning. */
static bool wants_edge(unsigned interest)
{
    return interest == 0;
}

void rqx__watch_init(struct rqx__watch *watch)
{
    *watch = (struct rqx__watch){.fd = -1};
}

int rqx__loop_watch(struct rqx__loop *loop, struct rqx__watch *watch, int fd, unsigned interest,
                    void (*ready_cb)(struct rqx__watch *, unsigned, void *), void *user)
{
    uint32_t at;
    int rv;

    if (loop->free_slot == NO_SLOT) {
        rv = add_slots(loop);
        if (rv < 0)
            return rv;
    }
    at = loop->free_slot;
    rv = loop->poller->ops->add(loop->poller, fd, interest, wants_edge(interest), token_of(loop, at));
    if (rv < 0)
        return rv;
    loop->free_slot = loop->slots[at].next_free;
    loop->slots[at].watch = watch;
    *watch = (struct rqx__watch){.fd = fd, .interest = interest, .slot = at, .ready_cb = ready_cb, .user = user};
    return 0;
}

int rqx__loop_set_interest(struct rqx__loop *loop, struct rqx__watch *watch, unsigned interest)
{
    int rv;

    if (watch->interest == interest && watch->fd >= 0)
        return 0;
    rv =
        loop->poller->ops->modify(loop->poller, watch->fd, interest, wants_edge(interest), token_of(loop, watch->slot));
    if (rv == 0)
        watch->interest = interest;
    return rv;
}

void rqx__loop_unwatch(struct rqx__loop *loop, struct rqx__watch *watch)
{
    struct slot *slot;

    if (watch->fd < 0)
        return;
    slot = &loop->slots[watch->slot];
    loop->poller->ops->remove(loop->poller, watch->fd);
    slot->watch = NULL;
    slot->generation++;
    slot->next_free = loop->free_slot;
    loop->free_slot = watch->slot;
    watch->fd = -1;
}

/* ---- timers and deferred work ---- */

void rqx__timer_init(struct rqx__timer *timer, void (*due_cb)(struct rqx__timer *, void *), void *user)
{
    *timer = (struct rqx__timer){.due_cb = due_cb, .user = user};
}

int rqx__timer_set(struct rqx__loop *loop, struct rqx__timer *timer, uint64_t deadline)
{
    return rqx__timers_set(&loop->timers, timer, deadline);
}

void rqx__timer_clear(struct rqx__loop *loop, struct rqx__timer *timer)
{
    rqx__timers_clear(&loop->timers, timer);
}

uint64_t rqx__loop_next_deadline(const struct rqx__loop *loop)
{
    return rqx__timers_next(&loop->timers);
}

void rqx__defer_init(struct rqx__defer *defer, void (*run_cb)(struct rqx__defer *, void *), void *user)
{
    rqx__list_init(&defer->node);
    defer->run_cb = run_cb;
    defer->user = user;
}

static void queue(struct rqx__loop *loop, struct rqx__list *list, struct rqx__defer *defer)
{
    if (!rqx__list_empty(&defer->node))
        return;
    rqx__list_push_back(list, &defer->node);
    if (!atomic_load_explicit(&loop->has_work, memory_order_relaxed))
        atomic_store(&loop->has_work, true);
}

void rqx__loop_defer(struct rqx__loop *loop, struct rqx__defer *defer)
{
    queue(loop, &loop->deferred, defer);
}

void rqx__loop_postpone(struct rqx__loop *loop, struct rqx__defer *defer)
{
    queue(loop, &loop->postponed, defer);
}

void rqx__defer_cancel(struct rqx__defer *defer)
{
    rqx__list_remove(&defer->node);
}

bool rqx__loop_has_deferred(const struct rqx__loop *loop)
{
    return !rqx__list_empty(&loop->deferred) || !rqx__list_empty(&loop->postponed);
}

/* ---- the wake-up ---- */

void rqx__loop_wake(struct rqx__loop *loop)
{
    rqx__wake_ring(&loop->wake);
}

void rqx__loop_settle(struct rqx__loop *loop)
{
    if (loop->nested) {
        if (rqx__loop_has_deferred(loop))
            rqx__wake_ring(&loop->wake);
        else
            rqx__timers_arm(&loop->timers);
    } else {
        uint64_t until = atomic_load(&loop->poll_deadline);

        if (until != 0 && (rqx__loop_has_deferred(loop) || rqx__timers_next(&loop->timers) < until))
            rqx__wake_ring(&loop->wake);
    }
}

/*
 * Says until when this poll sleeps, so that rqx__loop_settle in another thread can tell whether to cut it short.  "For
 * ever" stands there while deadlines are looked at: a deadline set meanwhile is either seen here or finds that and
 * wakes.
 */
static uint64_t announce(struct rqx__loop *loop, uint64_t deadline)
{
    uint64_t next;

    atomic_store(&loop->poll_deadline, RQX__NEVER);
    next = rqx__timers_next(&loop->timers);
    if (atomic_load(&loop->has_work))
        return 0;
    if (next < deadline)
        deadline = next;
    if (deadline != 0)
        atomic_store(&loop->poll_deadline, deadline);
    return deadline;
}

static uint64_t time_until(uint64_t deadline)
{
    uint64_t now;

    if (deadline == 0 || deadline == RQX__NEVER)
        return deadline;
    now = rqx__clock_now();
    return deadline > now ? deadline - now : 0;
}

/* The loop's own descriptors are heard at once: their edges come only once, whatever becomes of the batch. */
static void hear_own(struct rqx__loop *loop)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < loop->batch_len; i++) {
        if (loop->batch[i].token == TOKEN_WAKE)
            rqx__wake_heard(&loop->wake);
        else if (loop->batch[i].token == TOKEN_TIMER)
            rqx__timers_fired(&loop->timers);
        else
            loop->batch[kept++] = loop->batch[i];
    }
    loop->batch_len = kept;
}

int rqx__loop_poll(struct rqx__loop *loop, uint64_t deadline)
{
    uint64_t timeout = time_until(announce(loop, deadline));
    int count = loop->poller->ops->wait(loop->poller, loop->batch, RQX__POLLER_BATCH, timeout);

    atomic_store(&loop->poll_deadline, 0);
    loop->batch_len = count > 0 ? (size_t)count : 0;
    loop->batch_full = loop->batch_len == RQX__POLLER_BATCH;
    hear_own(loop);
    if (count < 0)
        return count;
    return loop->poller->interrupted ? RQX_AGAIN : 0;
}

static void deliver(struct rqx__loop *loop, const struct rqx__poller_event *event)
{
    uint32_t at = (uint32_t)event->token;
    const struct slot *slot = &loop->slots[at];
    struct rqx__watch *watch = slot->watch;
    unsigned events = event->events;

    if (watch == NULL || slot->generation != (uint32_t)(event->token >> 32))
        return;
    /* the interest may have changed since the poll */
    events &= watch->interest | (events & RQX__IO_ERROR ? RQX__IO_ERROR | RQX__IO_READ : 0);
    if (events != 0)
        watch->ready_cb(watch, events, watch->user); /* may unwatch or free any watch, itself included */
}

void rqx__loop_run_deferred(struct rqx__loop *loop)
{
    int rounds = 0;

    atomic_store(&loop->has_work, !rqx__list_empty(&loop->postponed));
    while (!rqx__list_empty(&loop->deferred)) {
        struct rqx__list round;
        struct rqx__list *node;

        if (++rounds > DEFER_ROUNDS) {
            atomic_store(&loop->has_work, true);
            return;
        }
        rqx__list_init(&round);
        rqx__list_splice(&round, &loop->deferred);
        while ((node = rqx__list_pop_front(&round)) != NULL) {
            struct rqx__defer *defer = RQX__OF(node, struct rqx__defer, node);

            defer->run_cb(defer, defer->user);
        }
    }
}

bool rqx__loop_deliver(struct rqx__loop *loop)
{
    size_t count = loop->batch_len;
    bool full = loop->batch_full;
    size_t i;

    rqx__loop_touch(loop);
    loop->batch_len = 0;
    loop->batch_full = false;
    for (i = 0; i < count; i++)
        deliver(loop, &loop->batch[i]);
    rqx__timers_run(&loop->timers, loop->now);
    rqx__list_splice(&loop->deferred, &loop->postponed);
    return full;
}

int rqx__loop_dispatch(struct rqx__loop *loop)
{
    bool full = rqx__loop_deliver(loop);

    rqx__loop_run_deferred(loop);
    return full || rqx__loop_has_deferred(loop) ? RQX_AGAIN : 0;
}
