/*
 * sync.c - threads that drive an engine for each other.
 */
#include "sync.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define TAKE_MAX 64

enum waiter_state { WAITER_SLEEPS, WAITER_READY, WAITER_WOKEN };

/* A thread that sleeps; lives on its stack.  In the list of sleepers, or in the line of those to be woken. */
struct sync_waiter {
    struct sync_waiter *next, *prev;
    core_sync_exchange *exchange;
    unsigned what;
    enum waiter_state state;
    char passes; /* was woken from the line: wakes the next */
    sem_t sem;
};

struct core_sync {
    atomic_int refs;
    unsigned generation; /* see core_fork_generation */
    rqx_engine *engine;
    rqx_client *client;
    pthread_mutex_t lock;
    struct sync_waiter sleepers; /* rings */
    struct sync_waiter line;
    core_sync_exchange *exchanges;
    char leading;  /* a thread polls */
    char electing; /* a thread was woken to poll, and is not there yet */
    char passing;  /* a thread was woken from the line, and will wake the next */
};

/* The only thing that is the process's: no object hangs on it. */
static atomic_uint fork_generation;

unsigned core_fork_generation(void)
{
    return atomic_load_explicit(&fork_generation, memory_order_relaxed);
}

void core_forked(void)
{
    atomic_fetch_add(&fork_generation, 1);
}

/* --- rings --- */

static void ring_init(struct sync_waiter *ring)
{
    ring->next = ring->prev = ring;
}

static int ring_empty(const struct sync_waiter *ring)
{
    return ring->next == ring;
}

static void ring_push(struct sync_waiter *ring, struct sync_waiter *waiter)
{
    waiter->prev = ring->prev;
    waiter->next = ring;
    ring->prev->next = waiter;
    ring->prev = waiter;
}

static void ring_remove(struct sync_waiter *waiter)
{
    waiter->prev->next = waiter->next;
    waiter->next->prev = waiter->prev;
    ring_init(waiter);
}

/* --- life --- */

struct core_sync *core_sync_new(rqx_engine *engine, rqx_client *client)
{
    struct core_sync *sync = calloc(1, sizeof *sync);

    if (sync == NULL)
        return NULL;
    atomic_init(&sync->refs, 1);
    pthread_mutex_init(&sync->lock, NULL);
    ring_init(&sync->sleepers);
    ring_init(&sync->line);
    sync->generation = core_fork_generation();
    sync->engine = engine;
    sync->client = client;
    return sync;
}

struct core_sync *core_sync_ref(struct core_sync *sync)
{
    atomic_fetch_add_explicit(&sync->refs, 1, memory_order_relaxed);
    return sync;
}

static void free_exchange(core_sync_exchange *exchange)
{
    *exchange->link = exchange->next;
    if (exchange->next != NULL)
        exchange->next->link = exchange->link;
    rqx_response_unref(exchange->native);
    free(exchange);
}

void core_sync_unref(struct core_sync *sync)
{
    if (sync == NULL || atomic_fetch_sub_explicit(&sync->refs, 1, memory_order_acq_rel) != 1)
        return;
    rqx_client_unref(sync->client);
    while (sync->exchanges != NULL)
        free_exchange(sync->exchanges);
    rqx_engine_unref(sync->engine);
    pthread_mutex_destroy(&sync->lock);
    free(sync);
}

rqx_engine *core_sync_engine(const struct core_sync *sync)
{
    return sync->engine;
}

/* --- waking; all with the lock --- */

static void wake(struct sync_waiter *waiter, int passes)
{
    ring_remove(waiter);
    waiter->state = WAITER_WOKEN;
    waiter->passes = (char)passes;
    sem_post(&waiter->sem);
}

static void wake_line(struct core_sync *sync)
{
    sync->passing = 0;
    if (!ring_empty(&sync->line)) {
        sync->passing = 1;
        wake(sync->line.next, 1);
    }
}

/* Nobody may leave without a leader being there for those who sleep. */
static void elect(struct core_sync *sync)
{
    if (sync->leading || sync->electing || ring_empty(&sync->sleepers))
        return;
    sync->electing = 1;
    wake(sync->sleepers.next, 0);
}

/* What ended while another thread polls is told by no event yet. */
static int is_ready(const core_sync_exchange *exchange, unsigned what)
{
    return (exchange->events & (what | RQX_EVENT_DONE)) != 0 || rqx_response_done(exchange->native);
}

static void tell(struct core_sync *sync, core_sync_exchange *exchange, unsigned what)
{
    struct sync_waiter *waiter = exchange->waiter;

    exchange->events |= what;
    if (waiter != NULL && waiter->state == WAITER_SLEEPS && (what & (waiter->what | RQX_EVENT_DONE))) {
        ring_remove(waiter);
        ring_push(&sync->line, waiter);
        waiter->state = WAITER_READY;
    }
    if (what & RQX_EVENT_DONE) {
        exchange->done = 1;
        if (!exchange->owned)
            free_exchange(exchange);
    }
}

/* Takes what the engine has to tell. */
static void take(struct core_sync *sync)
{
    rqx_event events[TAKE_MAX];
    int count;

    do {
        count = rqx_engine_take(sync->engine, events, TAKE_MAX);
        for (int i = 0; i < count; i++)
            tell(sync, events[i].user, events[i].what);
    } while (count == TAKE_MAX);
    if (!sync->passing)
        wake_line(sync);
}

/* --- exchanges --- */

static void keep_exchange(struct core_sync *sync, core_sync_exchange *exchange)
{
    pthread_mutex_lock(&sync->lock);
    exchange->next = sync->exchanges;
    exchange->link = &sync->exchanges;
    if (sync->exchanges != NULL)
        sync->exchanges->link = &exchange->next;
    sync->exchanges = exchange;
    pthread_mutex_unlock(&sync->lock);
}

int core_sync_submit(struct core_sync *sync, rqx_request *request, core_sync_exchange **ret_exchange)
{
    core_sync_exchange *exchange;
    int rc;

    if (sync->generation != core_fork_generation())
        return RQX_ERR_FORKED;
    exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return RQX_ERR_NOMEM;
    exchange->sync = sync;
    exchange->owned = 1;
    keep_exchange(sync, exchange);
    rc = rqx_client_submit(sync->client, request, exchange, &exchange->native);
    if (rc < 0) {
        pthread_mutex_lock(&sync->lock);
        free_exchange(exchange);
        pthread_mutex_unlock(&sync->lock);
        return rc;
    }
    core_sync_ref(sync);
    *ret_exchange = exchange;
    return 0;
}

void core_sync_release(core_sync_exchange *exchange)
{
    struct core_sync *sync = exchange->sync;

    if (sync->generation != core_fork_generation()) {
        rqx_response_unref(exchange->native);
        return; /* the parent's lock may be anybody's */
    }
    /* without a reference to the response no event would say that it is over, and the exchange would stay */
    if (!rqx_response_done(exchange->native))
        rqx_response_cancel(exchange->native);
    pthread_mutex_lock(&sync->lock);
    exchange->owned = 0;
    if (exchange->done)
        free_exchange(exchange);
    else
        take(sync);
    pthread_mutex_unlock(&sync->lock);
    core_sync_unref(sync);
}

void core_sync_close(struct core_sync *sync)
{
    if (sync->generation != core_fork_generation())
        return;
    rqx_client_close(sync->client);
    pthread_mutex_lock(&sync->lock);
    take(sync);
    pthread_mutex_unlock(&sync->lock);
}

void core_sync_pass(struct core_sync *sync)
{
    pthread_mutex_lock(&sync->lock);
    wake_line(sync);
    pthread_mutex_unlock(&sync->lock);
}

/* --- waiting --- */

/* One turn as leader. */
static int lead(struct core_sync *sync, int timeout_ms)
{
    int rc;

    sync->leading = 1;
    sync->electing = 0;
    pthread_mutex_unlock(&sync->lock);
    rc = rqx_engine_run(sync->engine, timeout_ms);
    pthread_mutex_lock(&sync->lock);
    sync->leading = 0;
    take(sync);
    return rc;
}

static void deadline_after(int ms, struct timespec *ret_time)
{
    clock_gettime(CLOCK_MONOTONIC, ret_time);
    ret_time->tv_sec += ms / 1000;
    ret_time->tv_nsec += (long)(ms % 1000) * 1000000;
    if (ret_time->tv_nsec >= 1000000000) {
        ret_time->tv_nsec -= 1000000000;
        ret_time->tv_sec++;
    }
}

/* Sleeps until woken.  0, or RQX_AGAIN after the time or a signal. */
static int follow(struct core_sync *sync, core_sync_exchange *exchange, unsigned what, int timeout_ms, int *ret_pass)
{
    struct sync_waiter waiter = {.exchange = exchange, .what = what, .state = WAITER_SLEEPS};
    struct timespec until;

    sem_init(&waiter.sem, 0, 0);
    ring_push(&sync->sleepers, &waiter);
    exchange->waiter = &waiter;
    pthread_mutex_unlock(&sync->lock);
    deadline_after(timeout_ms, &until);
    sem_clockwait(&waiter.sem, CLOCK_MONOTONIC, &until);
    pthread_mutex_lock(&sync->lock);
    exchange->waiter = NULL;
    if (waiter.state == WAITER_WOKEN) {
        *ret_pass |= waiter.passes;
        if (!waiter.passes)
            sync->electing = 0;
    } else {
        ring_remove(&waiter);
    }
    sem_destroy(&waiter.sem);
    return waiter.state == WAITER_SLEEPS ? RQX_AGAIN : 0;
}

int core_sync_has(core_sync_exchange *exchange, unsigned what)
{
    struct core_sync *sync = exchange->sync;
    int has;

    if (sync->generation != core_fork_generation())
        return 1; /* nothing comes any more */
    pthread_mutex_lock(&sync->lock);
    has = is_ready(exchange, what);
    pthread_mutex_unlock(&sync->lock);
    return has;
}

int core_sync_wait(core_sync_exchange *exchange, unsigned what, int timeout_ms, int *ret_pass)
{
    struct core_sync *sync = exchange->sync;
    int rc = 0;

    if (sync->generation != core_fork_generation())
        return RQX_ERR_FORKED;
    pthread_mutex_lock(&sync->lock);
    while (!is_ready(exchange, what)) {
        if (sync->leading)
            rc = follow(sync, exchange, what, timeout_ms, ret_pass);
        else
            rc = lead(sync, timeout_ms);
        if (rc != 0)
            break;
    }
    if (is_ready(exchange, what))
        rc = 0;
    exchange->events &= ~(what & (RQX_EVENT_BODY | RQX_EVENT_WRITE | RQX_EVENT_INTERIM)); /* those come again */
    elect(sync);
    pthread_mutex_unlock(&sync->lock);
    return rc;
}
