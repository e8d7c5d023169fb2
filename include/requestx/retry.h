/*
 * requestx/retry.h - when a request that failed, or was answered that it comes at a bad time, is sent again.
 *
 * Without one, a request is sent again only where the peer provably did nothing about it
 * (rqx_client_options.max_replays). A retry goes further, as far as it is told to.  Immutable and counted; any thread
 * may use it, and any number of clients and requests.
 *
 *   A connection that could not be made    nothing was sent: every method is tried again.
 *   An answer with one of the statuses     tried again where the method is one of the methods.
 *   A connection or stream that was lost,  tried again where the method is one of the methods and is idempotent (RFC
 *   or was silent or slow for too long     9110 section 9.2.2) or the request has an Idempotency-Key field.
 *
 * A request is not tried again once its caller has seen the head of a streamed response, or where its body cannot be
 * read a second time.  total_ms covers all tries and the pauses between them: a pause that would outlast it is not
 * begun, and what came last is the outcome.  So it is when no try is left.
 */
#ifndef REQUESTX_RETRY_H
#define REQUESTX_RETRY_H

#include <requestx/types.h>

RQX_BEGIN_DECLS

/** Settings of a retry.  Start from rqx_retry_options_init; pointers are borrowed for the call alone. */
typedef struct rqx_retry_options {
    /** set by rqx_retry_options_init */
    size_t struct_size;
    /** tries after the first, for whatever reason; default 3 */
    int total;
    /** of these, after connecting failed; default -1: as many as |total| */
    int connect;
    /** of these, after a connection or stream was lost, silent or slow; default -1 */
    int read;
    /** of these, after an answer with one of the statuses; default -1 */
    int status;
    /** statuses to try again after, from 400 to 599; NULL (default): 429, 502, 503, 504 */
    const int *statuses;
    /** of |statuses|, 64 at most */
    size_t status_count;
    /** methods to try again with, case-sensitive; NULL (default): GET, HEAD, OPTIONS, TRACE, PUT, DELETE */
    const char *const *methods;
    /** of |methods|, 64 at most */
    size_t method_count;
    /** the pause before the first retry, doubled for each further one; default 500 */
    int64_t backoff_ms;
    /** the longest pause of that kind; default 30,000 */
    int64_t backoff_max_ms;
    /** how much of each pause is left to chance, in percent; default 50 */
    int jitter;
    /** 1 (default): an answer's Retry-After, in seconds or as a date, says how long the pause is at least */
    int respect_retry_after;
    /** an answer that asks for a longer pause than this is not tried again after; default 120,000 */
    int64_t retry_after_max_ms;
} rqx_retry_options;

/** Sets every field to its default.  Since 0.1.0. */
RQX_API void rqx_retry_options_init(rqx_retry_options *options);
/**
 * Makes a retry.  |options| NULL: the defaults.  Errors: RQX_ERR_INVALID_ARGUMENT (a negative number, a pause of more
 * than a year, another status, a jitter above 100), RQX_ERR_INVALID_METHOD, RQX_ERR_NOMEM.  Since 0.1.0.
 */
RQX_API int rqx_retry_new(const rqx_retry_options *options, rqx_retry **ret_retry);
/** Takes one more reference.  Returns |retry|.  Any thread.  Since 0.1.0. */
RQX_API rqx_retry *rqx_retry_ref(rqx_retry *retry);
/** Gives a reference back; the last one frees.  NULL is allowed.  Any thread.  Since 0.1.0. */
RQX_API void rqx_retry_unref(rqx_retry *retry);

RQX_END_DECLS

#endif
