/*
 * drive.c - who drives: a foreign loop (EMBEDDED), the waiting threads (SYNC), or a thread of our own (THREAD).
 *
 * SYNC is leader and followers: the leader polls without the lock and dispatches for everybody; when its own exchange
 * is done it wakes exactly one of those that sleep, which leads from then on.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "client/engine.h"
#include "client/exchange.h"

/* Events taken and told in one go. */
#define EVENT_BATCH 64

/* ---- events ---- */

static size_t take_locked(struct rqx_engine *engine, rqx_event *events, size_t max)
{
    size_t count = 0;

    while (count < max) {
        struct rqx__list *node = rqx__list_pop_front(&engine->events);
        struct rqx__exchange *exchange;

        if (node == NULL)
            break;
        exchange = RQX__OF(node, struct rqx__exchange, event_node);
        events[count++] = (rqx_event){exchange->posted, &exchange->response, exchange->user};
        exchange->posted = 0;
    }
    return count;
}

/* The events were told: the holds that kept their exchanges alive go. */
static void release_events_locked(const rqx_event *events, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        rqx__exchange_release(events[i].response->exchange);
}

int rqx_engine_take(rqx_engine *engine, rqx_event *events, size_t max)
{
    size_t count;
    int rv;

    if (!engine->pull_events)
        return RQX_ERR_MODE;
    rv = rqx__engine_lock(engine);
    if (rv < 0)
        return rv;
    count = take_locked(engine, events, max > INT32_MAX ? INT32_MAX : max);
    /* the user's own reference keeps each alive from here on */
    release_events_locked(events, count);
    rqx__engine_unlock_quiet(engine);
    return (int)count;
}

/* Calls back for what waits; takes and gives back the lock. */
static void tell_callbacks(struct rqx_engine *engine)
{
    rqx_event events[EVENT_BATCH];
    size_t count;
    size_t i;

    if (engine->pull_events)
        return;
    for (;;) {
        pthread_mutex_lock(&engine->lock);
        count = take_locked(engine, events, EVENT_BATCH);
        rqx__engine_unlock_quiet(engine);
        if (count == 0)
            return;
        for (i = 0; i < count; i++) {
            struct rqx__exchange *exchange = events[i].response->exchange;

            exchange->request->event_cb(events[i].response, events[i].what, events[i].user);
        }
        pthread_mutex_lock(&engine->lock);
        release_events_locked(events, count);
        rqx__engine_unlock(engine);
    }
}

/* ---- EMBEDDED ---- */

static void timespec_of(uint64_t ns, struct timespec *ret_time)
{
    ret_time->tv_sec = (time_t)(ns / 1000000000u);
    ret_time->tv_nsec = (long)(ns % 1000000000u);
}

/* Looks, without sending anything, for what arrived.  Gives whether events wait. */
static bool look_locked(struct rqx_engine *engine)
{
    if (rqx__loop_poll(engine->loop, 1) < 0)
        return false;
    if (rqx__loop_deliver(engine->loop))
        rqx__loop_wake(engine->loop);
    rqx__pace_looked(&engine->pace, rqx__loop_now(engine->loop), engine->stats.exchanges_done);
    return !rqx__list_empty(&engine->events);
}

/* How many exchanges a peer works on now. */
static uint64_t under_way(const struct rqx_engine *engine)
{
    return engine->stats.exchanges_open - engine->stats.exchanges_queued;
}

/* Sleeps |wait| ns, and learns how long that took; takes and gives back the lock. */
static void sleep_unlocked(struct rqx_engine *engine, uint64_t wait)
{
    struct timespec time;
    uint64_t began = rqx__clock_now();
    uint64_t took;

    timespec_of(wait, &time);
    rqx__engine_unlock_quiet(engine);
    nanosleep(&time, NULL); /* a signal ends it early, which is as good */
    took = rqx__clock_now() - began;
    rqx__engine_relock(engine);
    rqx__pace_slept(&engine->pace, wait, took);
}

static int lock_embedded(struct rqx_engine *engine)
{
    return engine->mode == RQX_MODE_EMBEDDED ? rqx__engine_lock(engine) : RQX_ERR_MODE;
}

int rqx_engine_collect(rqx_engine *engine, unsigned longest_us)
{
    uint64_t wait;
    int rv;

    if (!engine->pull_events)
        return RQX_ERR_MODE;
    rv = lock_embedded(engine);
    if (rv < 0)
        return rv;
    if (engine->corked == 0) {
        rqx__engine_unlock_quiet(engine);
        return RQX_ERR_STATE;
    }
    engine->collects = longest_us != 0;
    wait = rqx__pace_wait(&engine->pace, under_way(engine), engine->stats.exchanges_done, longest_us * RQX__NS_PER_US);
    if (wait != 0)
        sleep_unlocked(engine, wait);
    rv = wait != 0 && look_locked(engine);
    rqx__engine_unlock_quiet(engine);
    return rv;
}

int rqx_engine_fd(const rqx_engine *engine)
{
    return engine->mode == RQX_MODE_EMBEDDED ? rqx__loop_fd(engine->loop) : RQX_ERR_MODE;
}

/* Takes the lock over, and gives it back. */
static int dispatch_locked(struct rqx_engine *engine)
{
    int more;
    int rv = rqx__loop_poll(engine->loop, 1); /* a deadline long past: what is ready now */

    if (rv < 0) {
        rqx__engine_unlock_quiet(engine);
        return rv;
    }
    engine->stats.dispatches++;
    engine->corked++;
    more = rqx__loop_deliver(engine->loop) ? RQX_AGAIN : 0;
    rqx__pace_looked(&engine->pace, rqx__loop_now(engine->loop), engine->stats.exchanges_done);
    rqx__engine_feed(engine);
    if (!engine->pull_events) {
        rqx__engine_unlock_quiet(engine);
        tell_callbacks(engine);
        rqx__engine_relock(engine);
    }
    rqx__loop_run_deferred(engine->loop);
    engine->corked--;
    if (rqx__loop_has_deferred(engine->loop) || !rqx__list_empty(&engine->feeds) ||
        (!engine->pull_events && !rqx__list_empty(&engine->events)))
        more = RQX_AGAIN;
    if (more == RQX_AGAIN)
        rqx__loop_wake(engine->loop);
    rqx__loop_settle(engine->loop);
    rqx__engine_unlock_quiet(engine);
    return more;
}

int rqx_engine_dispatch(rqx_engine *engine)
{
    int rv = lock_embedded(engine);

    if (rv < 0)
        return rv;
    rqx__engine_hold(engine); /* user code is called, which may let go of everything */
    rv = dispatch_locked(engine);
    rqx__engine_release(engine);
    return rv;
}

int rqx_engine_cork(rqx_engine *engine)
{
    int rv = lock_embedded(engine);

    if (rv < 0)
        return rv;
    engine->corked++;
    rqx__engine_unlock_quiet(engine);
    return 0;
}

int rqx_engine_uncork(rqx_engine *engine)
{
    int rv = lock_embedded(engine);

    if (rv < 0)
        return rv;
    if (engine->corked > 0)
        engine->corked--;
    if (engine->corked == 0) {
        rqx__loop_run_deferred(engine->loop);
        rqx__pace_begin(&engine->pace, engine->stats.exchanges_done);
    }
    rqx__engine_unlock(engine);
    return 0;
}

/* ---- SYNC ---- */

void rqx__waiter_wake(struct rqx__waiter *waiter)
{
    if (!waiter->sleeping || waiter->woken)
        return;
    waiter->woken = true;
    pthread_cond_signal(&waiter->cond);
}

/* One turn as leader: sources, poll, dispatch.  RQX_AGAIN after a signal. */
static int lead_once(struct rqx_engine *engine, uint64_t deadline)
{
    int rv;

    rqx__engine_feed(engine);
    rqx__loop_run_deferred(engine->loop);
    if (!rqx__list_empty(&engine->feeds))
        deadline = 1;
    rqx__engine_unlock_quiet(engine);
    rv = rqx__loop_poll(engine->loop, deadline);
    rqx__engine_relock(engine);
    engine->stats.dispatches++;
    rqx__loop_dispatch(engine->loop);
    return rv;
}

/* Nothing that was left to the leader stays behind when it leaves. */
static void stop_leading(struct rqx_engine *engine)
{
    engine->leading = false;
    rqx__loop_run_deferred(engine->loop);
}

static void waiter_init(struct rqx__waiter *waiter)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    waiter->has_cond = true;
}

/* Sleeps until woken or |deadline|. */
static void follow(struct rqx_engine *engine, struct rqx__waiter *waiter, uint64_t deadline)
{
    struct timespec until;

    if (!waiter->has_cond)
        waiter_init(waiter); /* most threads that wait alone never need it */
    waiter->sleeping = true;
    rqx__list_push_back(&engine->waiters, &waiter->node);
    if (deadline == RQX__NEVER) {
        pthread_cond_wait(&waiter->cond, &engine->lock);
    } else {
        timespec_of(deadline, &until);
        pthread_cond_timedwait(&waiter->cond, &engine->lock, &until);
    }
    rqx__list_remove(&waiter->node);
    waiter->woken = waiter->sleeping = false;
}

/*
 * Nobody may leave without a leader being there for those who sleep.  The one that is woken may find its own exchange
 * done and leave too, and then comes by here.
 */
static void hand_over(struct rqx_engine *engine)
{
    if (!engine->leading && !rqx__list_empty(&engine->waiters))
        rqx__waiter_wake(RQX__OF(engine->waiters.next, struct rqx__waiter, node));
}

int rqx__engine_wait_locked(struct rqx_engine *engine, struct rqx__waiter **waiter_slot, bool (*ready_cb)(void *user),
                            void *user, uint64_t deadline)
{
    struct rqx__waiter waiter = {.sleeping = false};
    bool leading = false;
    int rv = 0;

    if (ready_cb(user))
        return 0;
    if (waiter_slot != NULL)
        *waiter_slot = &waiter;
    while (!ready_cb(user)) {
        if (rqx__clock_now() >= deadline) {
            rv = RQX_AGAIN;
            break;
        }
        if (!leading && engine->leading) {
            follow(engine, &waiter, deadline);
            continue;
        }
        engine->leading = leading = true;
        rv = lead_once(engine, deadline);
        if (rv != 0)
            break;
    }
    if (waiter_slot != NULL)
        *waiter_slot = NULL;
    if (leading)
        stop_leading(engine);
    hand_over(engine);
    if (waiter.has_cond)
        pthread_cond_destroy(&waiter.cond);
    return ready_cb(user) ? 0 : rv;
}

static bool has_events(void *user)
{
    return !rqx__list_empty(&((struct rqx_engine *)user)->events);
}

int rqx_engine_run(rqx_engine *engine, int64_t timeout_ms)
{
    int rv;

    if (engine->mode != RQX_MODE_SYNC)
        return RQX_ERR_MODE;
    rv = rqx__engine_lock(engine);
    if (rv < 0)
        return rv;
    rqx__engine_hold(engine); /* as in rqx_engine_dispatch */
    if (timeout_ms == 0 && !engine->leading && !has_events(engine)) {
        engine->leading = true;
        rv = lead_once(engine, 1);
        stop_leading(engine);
        hand_over(engine);
        if (rv >= 0)
            rv = has_events(engine) ? 0 : RQX_AGAIN;
    } else {
        rv = rqx__engine_wait_locked(engine, NULL, has_events, engine,
                                     rqx__clock_after_ms(rqx__clock_now(), timeout_ms));
    }
    rqx__engine_unlock_quiet(engine);
    tell_callbacks(engine);
    rqx__engine_release(engine);
    return rv;
}

/* ---- THREAD ---- */

static void *run_thread(void *user)
{
    struct rqx_engine *engine = user;
    bool stopping = false;

    while (!stopping) {
        pthread_mutex_lock(&engine->lock);
        lead_once(engine, engine->stopping ? 1 : RQX__NEVER);
        stopping = engine->stopping;
        rqx__engine_unlock_quiet(engine);
        tell_callbacks(engine);
    }
    rqx__engine_release(engine);
    return NULL;
}

int rqx__engine_start_thread(struct rqx_engine *engine)
{
    int failed;

    engine->thread_started = true; /* before it runs: it may be asked at once */
    rqx__engine_hold(engine);
    failed = pthread_create(&engine->thread, NULL, run_thread, engine);
    if (failed == 0)
        return 0;
    engine->thread_started = false;
    atomic_fetch_sub_explicit(&engine->refs, 1, memory_order_relaxed); /* the caller has another */
    errno = failed;
    return RQX_ERR_SYSTEM;
}

void rqx__engine_stop_thread(struct rqx_engine *engine)
{
    pthread_t thread = engine->thread;

    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    rqx__loop_wake(engine->loop);
    pthread_mutex_unlock(&engine->lock);
    if (pthread_equal(thread, pthread_self()))
        pthread_detach(thread); /* a callback gave the last one back: it ends once that has returned */
    else
        pthread_join(thread, NULL);
}
