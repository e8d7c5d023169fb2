/*
 * retry.h - the inside of rqx_retry: which failures and answers are worth another try, and how long to wait before it.
 *
 * Pure: time and chance are told.  What is sent again, and whether that is safe, is replay.c's affair.
 */
#ifndef RQX_CLIENT_RETRY_H
#define RQX_CLIENT_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/retry.h>

/* Why a request is tried again. */
enum rqx__retry_kind {
    RQX__RETRY_CONNECT = 0, /* nothing was sent */
    RQX__RETRY_READ,        /* the connection or stream was lost, silent or slow */
    RQX__RETRY_STATUS,      /* the answer's status */
    RQX__RETRY_KINDS,
    RQX__RETRY_NONE = -1
};

/* Tries that an exchange has left. */
struct rqx__retry_budget {
    int total;
    int kinds[RQX__RETRY_KINDS];
    unsigned tries; /* that were made: the next pause grows with it */
};

struct rqx_retry {
    atomic_uint refs;
    /* immutable */
    struct rqx__retry_budget budget; /* that an exchange begins with */
    uint8_t statuses[25];            /* a bit for each status from 400 to 599 */
    int64_t backoff_ms;
    int64_t backoff_max_ms;
    int64_t retry_after_max_ms;
    int jitter; /* percent */
    bool respect_retry_after;
    size_t method_count;
    rqx_slice *methods; /* NULL: those that are idempotent */
    char *method_text;
};

/* RFC 9110 section 9.2.2. */
bool rqx__method_is_idempotent(rqx_slice method);
/* What |code| (RQX_ERR_*) is a failure of; RQX__RETRY_NONE: nothing that another try would help. */
enum rqx__retry_kind rqx__retry_kind_of(int code);
bool rqx__retry_has_status(const struct rqx_retry *retry, int status);
bool rqx__retry_has_method(const struct rqx_retry *retry, rqx_slice method);
static inline bool rqx__retry_left(const struct rqx__retry_budget *budget, enum rqx__retry_kind kind)
{
    return budget->total > 0 && budget->kinds[kind] > 0;
}
/*
 * Nanoseconds before the next try after |tries| were made.  |after_ms|: what the answer asks for, or -1; |chance|: any
 * number, each as likely as another.
 */
uint64_t rqx__retry_pause(const struct rqx_retry *retry, unsigned tries, int64_t after_ms, uint32_t chance);
/* |retry| or, if NULL, none: the budget to begin with. */
void rqx__retry_begin(const struct rqx_retry *retry, struct rqx__retry_budget *ret_budget);

#endif
