/*
 * requestx/engine.h - the engine: one descriptor behind which live all sockets, the resolver and every deadline.
 *
 * An engine has one driver mode for life.
 *
 *   RQX_MODE_SYNC      The threads that wait drive it.  rqx_response_wait (and what is built on it) polls for everybody
 *                      while others sleep, and hands over when its own exchange is done.  Any number of threads.
 *   RQX_MODE_EMBEDDED  A foreign loop watches rqx_engine_fd for reading and then calls rqx_engine_dispatch.  Nothing
 *                      blocks.  After any public call returns, either there is nothing to do or the descriptor is, or
 *                      will in time become, readable: there is nothing to ask before polling.
 *   RQX_MODE_THREAD    A thread of the library drives it and calls callbacks.
 *
 * A finished exchange is told either by its callback (rqx_request_set_callback) or, where the engine was made with
 * |pull_events|, by rqx_engine_take.  User code never runs under the engine's lock, and may call anything here.
 *
 * After fork() the child may only call rqx_engine_unref (and the unrefs of what hangs on it); everything else gives
 * RQX_ERR_FORKED, and no byte is sent on a socket of the parent.
 */
#ifndef REQUESTX_ENGINE_H
#define REQUESTX_ENGINE_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/** Who drives an engine. */
typedef enum rqx_mode {
    /** the threads that wait */
    RQX_MODE_SYNC = 1,
    /** a loop of the caller's */
    RQX_MODE_EMBEDDED,
    /** a thread of the library */
    RQX_MODE_THREAD
} rqx_mode;

/** Settings of an engine.  Start from rqx_engine_options_init; pointers are borrowed for the call alone. */
typedef struct rqx_engine_options {
    /** set by rqx_engine_options_init */
    size_t struct_size;
    /** default RQX_MODE_SYNC */
    rqx_mode mode;
    /** 1: events wait for rqx_engine_take; 0 (default): callbacks are called */
    int pull_events;
    /** "addr[:port],...", IPv6 with a port as "[addr]:port", instead of the system's; NULL (default): the system's */
    const char *nameservers;
    /** "host=addr[,addr...]" overrides, NULL terminated; NULL (default): none */
    const char *const *resolve;
    /** cap on how long an answer is kept; default 60,000; 0: no cache */
    int64_t dns_ttl_max_ms;
    /** how long "no such name" is kept; default 1,000 */
    int64_t dns_negative_ms;
    /** of one query before the next server or try; default 2,000 */
    int64_t dns_timeout_ms;
} rqx_engine_options;

/** What an event tells.  Bits: one event may tell several things. */
enum {
    /** the final response's header section is there (streamed responses only) */
    RQX_EVENT_HEAD = 1,
    /** rqx_response_read gave RQX_AGAIN before and has something now */
    RQX_EVENT_BODY = 2,
    /** the exchange ended: well, or with rqx_response_error. Exactly once, the last one. */
    RQX_EVENT_DONE = 4,
    /** a pushed body has room again after rqx_response_write_body gave RQX_AGAIN */
    RQX_EVENT_WRITE = 8,
    /** a 1xx response came (only where rqx_request_set_interim asked for it) */
    RQX_EVENT_INTERIM = 16
};

/** Something that happened to an exchange. */
typedef struct rqx_event {
    /** RQX_EVENT_* bits */
    unsigned what;
    /** borrowed: the reference that rqx_client_submit gave */
    rqx_response *response;
    /** as given to rqx_client_submit */
    void *user;
} rqx_event;

/** Sets every field to its default.  Since 0.1. */
RQX_API void rqx_engine_options_init(rqx_engine_options *options);
/**
 * Makes an engine.  |options| NULL: the defaults.
 * Errors: RQX_ERR_INVALID_ARGUMENT (options that were not initialized, no such mode, |nameservers| or |resolve| that
 * cannot be read), RQX_ERR_SYSTEM (descriptors, thread), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_engine_new(const rqx_engine_options *options, rqx_engine **ret_engine);
/** Takes one more reference.  Any thread.  Returns |engine|.  Since 0.1. */
RQX_API rqx_engine *rqx_engine_ref(rqx_engine *engine);
/**
 * Gives a reference back.  Clients hold references of their own; the last one ends every exchange with RQX_ERR_CLOSED
 * and closes all connections.  NULL is allowed.  Any thread.
 *
 * SYNC and EMBEDDED mode: nobody drives any more then, so that callbacks which were not called yet are not called.
 * Whoever holds a response still gives it back, and may read it until then.
 *
 * THREAD mode: whichever gives the last reference to the engine or to one of its clients back, this or
 * rqx_client_unref, waits until the thread has made its last callback and ended: what callbacks use may go then.  Given
 * back by a callback, it returns at once, and the thread ends when that callback and those that still wait have
 * returned.  Since 0.1.
 */
RQX_API void rqx_engine_unref(rqx_engine *engine);

/** Gives the descriptor to watch for reading; never read, write or close it.  EMBEDDED only, else RQX_ERR_MODE. Since
 * 0.1. */
RQX_API int rqx_engine_fd(const rqx_engine *engine);
/**
 * Does all that can be done now without blocking, then calls callbacks (none with |pull_events|).
 * Gives 0, or RQX_AGAIN if more is ready (the descriptor stays readable).  EMBEDDED only; one thread at a time.
 * Errors: RQX_ERR_MODE, RQX_ERR_FORKED, RQX_ERR_SYSTEM.  Since 0.1.
 */
RQX_API int rqx_engine_dispatch(rqx_engine *engine);
/**
 * EMBEDDED only: between cork and uncork, submissions, reads and the like are collected; uncork then does all of it at
 * once, so that many requests leave in one write and the descriptor need not be armed for each.  May be nested. Between
 * the two the descriptor need not be readable for work that waits.  Errors: RQX_ERR_MODE, RQX_ERR_FORKED.  Since 0.1.
 */
RQX_API int rqx_engine_cork(rqx_engine *engine);
/**
 * EMBEDDED with |pull_events|, between cork and uncork: when many exchanges are under way and end in quick succession,
 * sleeps until about a third of them has ended since the last uncork, |longest_us| microseconds at most (100 is a good
 * value), and looks for what arrived, without sending anything; so that what answers it leaves together with the rest,
 * which costs both ends much less.  Does not sleep if enough has ended, if only a few are under way, or if they take
 * long.  Gives 1 if events wait for rqx_engine_take, else 0: call it again while it gives 1.  Errors: RQX_ERR_MODE,
 * RQX_ERR_STATE (not corked), RQX_ERR_FORKED.  Since 0.1.
 */
RQX_API int rqx_engine_collect(rqx_engine *engine, unsigned longest_us);
/** Ends rqx_engine_cork.  Never blocks; events wait for the next rqx_engine_take or dispatch.  Since 0.1. */
RQX_API int rqx_engine_uncork(rqx_engine *engine);
/**
 * Takes up to |max| events into |events|; gives how many.  Events of one exchange are merged while they wait.
 * With |pull_events| only, else RQX_ERR_MODE.  Any thread.  Since 0.1.
 */
RQX_API int rqx_engine_take(rqx_engine *engine, rqx_event *events, size_t max);
/**
 * SYNC only: drives the engine until events wait or |timeout_ms| passed (RQX_NO_TIMEOUT: none; 0: just once), then
 * calls callbacks, or leaves the events to rqx_engine_take.  Gives 0, or RQX_AGAIN if the time passed, or a signal
 * came, without any. Errors: RQX_ERR_MODE, RQX_ERR_FORKED, RQX_ERR_SYSTEM.  Since 0.1.
 */
RQX_API int rqx_engine_run(rqx_engine *engine, int64_t timeout_ms);

/** Counters, for looking and for tests.  Fields are only ever added at the end. */
typedef struct rqx_engine_stats {
    /** connections now, dials included */
    uint64_t connections_open;
    /** connections made since the beginning */
    uint64_t connections_made;
    /** submitted and not done */
    uint64_t exchanges_open;
    /** of those, waiting for a connection or stream */
    uint64_t exchanges_queued;
    /** ended since the beginning, well or not */
    uint64_t exchanges_done;
    /** exchanges that were moved to another connection */
    uint64_t replays;
    /** RST_STREAM frames sent */
    uint64_t resets_sent;
    /** wake-ups */
    uint64_t dispatches;
} rqx_engine_stats;

/** Gives the counters.  Any thread.  Since 0.1. */
RQX_API void rqx_engine_get_stats(rqx_engine *engine, rqx_engine_stats *ret_stats);

RQX_END_DECLS

#endif
