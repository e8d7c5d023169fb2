#include "client/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/fork.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/exchange.h"

void rqx_engine_options_init(rqx_engine_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->mode = RQX_MODE_SYNC;
    options->dns_ttl_max_ms = 60000;
    options->dns_negative_ms = 1000;
    options->dns_timeout_ms = 2000;
}

/* ---- lock, and what must wait for it ---- */

bool rqx__engine_forked(const struct rqx_engine *engine)
{
    return engine->fork_epoch != rqx__fork_epoch();
}

static void bury_dead_locked(struct rqx_engine *engine)
{
    struct rqx__dead *dead;

    while ((dead = atomic_exchange_explicit(&engine->dead, NULL, memory_order_acquire)) != NULL) {
        while (dead != NULL) {
            struct rqx__dead *next = dead->next;

            dead->bury_cb(dead);
            dead = next;
        }
    }
}

int rqx__engine_lock(struct rqx_engine *engine)
{
    if (rqx__engine_forked(engine))
        return RQX_ERR_FORKED;
    pthread_mutex_lock(&engine->lock);
    bury_dead_locked(engine);
    return 0;
}

void rqx__engine_relock(struct rqx_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    bury_dead_locked(engine);
}

void rqx__engine_unlock_quiet(struct rqx_engine *engine)
{
    for (;;) {
        unsigned drop;

        bury_dead_locked(engine);
        drop = engine->refs_to_drop;
        engine->refs_to_drop = 0;
        pthread_mutex_unlock(&engine->lock);
        while (drop-- > 0)
            rqx__engine_release(engine); /* never the last one: whoever holds the lock holds a reference too */
        /* somebody who could not have the lock left something here: it is ours to look after */
        if (atomic_load_explicit(&engine->dead, memory_order_acquire) == NULL ||
            pthread_mutex_trylock(&engine->lock) != 0)
            return;
    }
}

void rqx__engine_unlock(struct rqx_engine *engine)
{
    bury_dead_locked(engine);
    if (engine->mode == RQX_MODE_EMBEDDED) {
        if (engine->corked == 0) {
            if (!rqx__list_empty(&engine->feeds) || !rqx__list_empty(&engine->events))
                rqx__loop_wake(engine->loop);
            rqx__loop_settle(engine->loop);
        }
    } else {
        /* who polls in rqx_engine_run waits for events of any thread */
        bool heard = engine->mode == RQX_MODE_THREAD || (engine->pull_events && engine->leading);
        /* a leader that is there writes for all: what comes before it runs leaves in one piece */
        bool left = engine->mode == RQX_MODE_SYNC && engine->leading && rqx__loop_has_deferred(engine->loop);

        if (!left)
            rqx__loop_run_deferred(engine->loop);
        if (left || !rqx__list_empty(&engine->feeds) || (heard && !rqx__list_empty(&engine->events)))
            rqx__loop_wake(engine->loop);
        rqx__loop_settle(engine->loop);
    }
    rqx__engine_unlock_quiet(engine);
}

void rqx__engine_bury(struct rqx_engine *engine, struct rqx__dead *dead)
{
    rqx__engine_hold(engine); /* what is buried may hold the last one */
    dead->next = atomic_load_explicit(&engine->dead, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&engine->dead, &dead->next, dead, memory_order_acq_rel,
                                                  memory_order_relaxed))
        ;
    if (!rqx__engine_forked(engine) && pthread_mutex_trylock(&engine->lock) == 0)
        rqx__engine_unlock(engine);
    rqx__engine_release(engine);
}

/* ---- life ---- */

static int copy_resolve(struct rqx_engine *engine, const char *const *resolve)
{
    size_t count = 0;
    size_t i;

    while (resolve != NULL && resolve[count] != NULL)
        count++;
    if (count == 0)
        return 0;
    engine->resolve = rqx__calloc(count + 1, sizeof *engine->resolve);
    if (engine->resolve == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0; i < count; i++) {
        engine->resolve[i] = rqx__strndup(resolve[i], strlen(resolve[i]));
        if (engine->resolve[i] == NULL)
            return RQX_ERR_NOMEM;
    }
    return 0;
}

static int copy_options(struct rqx_engine *engine, const rqx_engine_options *options)
{
    int rv = copy_resolve(engine, options->resolve);

    if (rv < 0)
        return rv;
    if (options->nameservers != NULL) {
        engine->nameservers = rqx__strndup(options->nameservers, strlen(options->nameservers));
        if (engine->nameservers == NULL)
            return RQX_ERR_NOMEM;
    }
    engine->resolver_config = (struct rqx__resolver_config){
        .nameservers = engine->nameservers,
        .resolve = (const char *const *)engine->resolve,
        .ttl_max_ms = options->dns_ttl_max_ms,
        .negative_ms = options->dns_negative_ms,
        .timeout_ms = options->dns_timeout_ms,
    };
    /* settings that cannot be used are refused now, not at the first request */
    return engine->nameservers != NULL || engine->resolve != NULL ? rqx__engine_resolver(engine) : 0;
}

int rqx__engine_resolver(struct rqx_engine *engine)
{
    if (engine->resolver != NULL)
        return 0;
    return rqx__resolver_new(engine->loop, &engine->resolver_config, &engine->resolver);
}

void rqx__engine_free(struct rqx_engine *engine)
{
    size_t i;

    rqx__resolver_free(engine->resolver);
    rqx__loop_free(engine->loop);
    for (i = 0; engine->resolve != NULL && engine->resolve[i] != NULL; i++)
        rqx__free(engine->resolve[i]);
    rqx__free(engine->resolve);
    rqx__free(engine->nameservers);
    rqx__free(engine->read_buffer);
    pthread_mutex_destroy(&engine->lock);
    rqx__free(engine);
}

static int engine_build(struct rqx_engine *engine, const rqx_engine_options *options)
{
    int rv;

    engine->read_buffer = rqx__malloc(RQX__READ_BUFFER);
    if (engine->read_buffer == NULL)
        return RQX_ERR_NOMEM;
    rv = rqx__loop_new(engine->mode == RQX_MODE_EMBEDDED, &engine->loop);
    if (rv >= 0)
        rv = copy_options(engine, options);
    if (rv >= 0 && engine->mode == RQX_MODE_THREAD)
        rv = rqx__engine_start_thread(engine);
    return rv;
}

int rqx_engine_new(const rqx_engine_options *options, rqx_engine **ret_engine)
{
    rqx_engine_options defaults;
    struct rqx_engine *engine;
    int rv;

    if (options == NULL) {
        rqx_engine_options_init(&defaults);
        options = &defaults;
    }
    if (options->struct_size < sizeof *options || options->mode < RQX_MODE_SYNC || options->mode > RQX_MODE_THREAD)
        return RQX_ERR_INVALID_ARGUMENT;
    engine = rqx__calloc(1, sizeof *engine);
    if (engine == NULL)
        return RQX_ERR_NOMEM;
    atomic_init(&engine->refs, 1);
    atomic_init(&engine->handles, 1);
    atomic_init(&engine->dead, NULL);
    pthread_mutex_init(&engine->lock, NULL);
    rqx__list_init(&engine->clients);
    rqx__list_init(&engine->events);
    rqx__list_init(&engine->feeds);
    rqx__list_init(&engine->waiters);
    engine->mode = options->mode;
    engine->pull_events = options->pull_events != 0;
    engine->fork_epoch = rqx__fork_epoch();
    rv = engine_build(engine, options);
    if (rv < 0) {
        rqx__engine_free(engine);
        return rv;
    }
    *ret_engine = engine;
    return 0;
}

void rqx__engine_hold(struct rqx_engine *engine)
{
    atomic_fetch_add_explicit(&engine->refs, 1, memory_order_relaxed);
}

rqx_engine *rqx_engine_ref(rqx_engine *engine)
{
    atomic_fetch_add_explicit(&engine->handles, 1, memory_order_relaxed);
    rqx__engine_hold(engine);
    return engine;
}

bool rqx__engine_torn(struct rqx_engine *engine)
{
    if (pthread_mutex_trylock(&engine->lock) != 0)
        return true;
    pthread_mutex_unlock(&engine->lock);
    return false;
}

/*
 * In a child: closes what was inherited and forgets it.  The parent's threads do not exist here, so the lock, which one
 * of them may have held, means nothing, and objects that still point here are the child's only thread's.
 */
void rqx__engine_abandon(struct rqx_engine *engine)
{
    rqx__loop_detach(engine->loop);
    rqx__resolver_abandon(engine->resolver);
    engine->resolver = NULL;
}

void rqx__engine_release(struct rqx_engine *engine)
{
    if (atomic_fetch_sub_explicit(&engine->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (rqx__engine_forked(engine)) {
        if (rqx__engine_torn(engine))
            return;
        rqx__engine_abandon(engine);
    }
    rqx__engine_free(engine);
}

void rqx__engine_user_gone(struct rqx_engine *engine)
{
    if (atomic_fetch_sub_explicit(&engine->handles, 1, memory_order_acq_rel) != 1 || !engine->thread_started)
        return;
    if (rqx__engine_forked(engine))
        rqx__engine_release(engine); /* the thread's: it does not exist here */
    else
        rqx__engine_stop_thread(engine);
}

void rqx_engine_unref(rqx_engine *engine)
{
    if (engine == NULL)
        return;
    rqx__engine_user_gone(engine);
    rqx__engine_release(engine);
}

void rqx_engine_get_stats(rqx_engine *engine, rqx_engine_stats *ret_stats)
{
    if (rqx__engine_lock(engine) < 0) {
        memset(ret_stats, 0, sizeof *ret_stats);
        return;
    }
    *ret_stats = engine->stats;
    rqx__engine_unlock_quiet(engine);
}
