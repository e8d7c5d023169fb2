/*
 * deadline.c - when an exchange has waited too long, and for what.
 *
 * One timer an exchange.  Signs of life only note the time; the timer, when it comes, looks at what was noted and is
 * set anew. So a busy stream costs the heap nothing, and each exchange ends by its own deadlines alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/exchange.h"

#define H2_CANCEL 8u

/* One deadline and the error that it is. */
struct deadline {
    uint64_t at;
    int code;
    int64_t ms;
};

static void consider(struct deadline *first, uint64_t since, int64_t ms, int code)
{
    uint64_t at = rqx__clock_after_ms(since, ms);

    if (at < first->at)
        *first = (struct deadline){at, code, ms};
}

/* The response is awaited, and it is not the user who keeps it waiting. */
static bool waits_to_read(const struct rqx__exchange *exchange)
{
    if (exchange->ended)
        return false;
    if (!exchange->sent && !exchange->head_seen)
        return false; /* the request is not out yet: that is the write deadline's time */
    return !exchange->streamed || !exchange->head_seen || exchange->discard || exchange->reader_waits;
}

/* Request bytes are there and do not leave. */
static bool waits_to_write(const struct rqx__exchange *exchange)
{
    if (exchange->sent || exchange->upload.refused)
        return false;
    return exchange->upload.body == NULL || rqx__upload_pending(&exchange->upload);
}

/* ---- speed ---- */

void rqx__stall_init(struct rqx__exchange *exchange)
{
    const rqx_timeouts *timeouts = &exchange->timeouts;
    struct rqx__stall *stall = &exchange->stall;

    memset(stall, 0, sizeof *stall);
    if (timeouts->stall_rate <= 0 || timeouts->stall_ms <= 0)
        return;
    stall->window = rqx__clock_after_ms(0, timeouts->stall_ms);
    stall->least = timeouts->stall_rate > INT64_MAX / timeouts->stall_ms
                       ? UINT64_MAX
                       : (uint64_t)(timeouts->stall_rate * timeouts->stall_ms) / 1000;
    if (stall->least == 0)
        stall->least = 1;
}

/* Bytes of a body should move now, and nobody on this side holds them up. */
static bool bytes_are_due(const struct rqx__exchange *exchange)
{
    if (exchange->state != RQX__EXCHANGE_ACTIVE)
        return false;
    return ((exchange->head_seen || exchange->discard) && waits_to_read(exchange)) || waits_to_write(exchange);
}

void rqx__stall_look(struct rqx__exchange *exchange, size_t moved)
{
    struct rqx__stall *stall = &exchange->stall;
    uint64_t now = rqx__loop_touch(exchange->client->engine->loop);

    stall->moved += moved;
    if (stall->runs)
        stall->used += now - stall->mark;
    stall->mark = now;
    if (stall->used >= stall->window) {
        stall->over = stall->moved < stall->least;
        stall->used = stall->moved = 0;
    }
    stall->runs = bytes_are_due(exchange);
    if (stall->runs || stall->over)
        rqx__exchange_arm(exchange);
}

static void consider_stall(struct deadline *first, const struct rqx__exchange *exchange)
{
    const struct rqx__stall *stall = &exchange->stall;
    uint64_t at = stall->over ? 0 : stall->mark + (stall->window - stall->used);

    if ((stall->over || stall->runs) && at < first->at)
        *first = (struct deadline){at, RQX_ERR_STALL_TIMEOUT, exchange->timeouts.stall_ms};
}

/* ---- the next deadline ---- */

static struct deadline next_deadline(const struct rqx__exchange *exchange)
{
    const rqx_timeouts *timeouts = &exchange->timeouts;
    struct deadline first = {RQX__NEVER, 0, 0};

    consider(&first, exchange->submitted, timeouts->total_ms, RQX_ERR_TOTAL_TIMEOUT);
    switch (exchange->state) {
    case RQX__EXCHANGE_QUEUED:
        if (exchange->wait == RQX__WAIT_CONNECT)
            consider(&first, exchange->wait_since, timeouts->connect_ms, RQX_ERR_CONNECT_TIMEOUT);
        else
            consider(&first, exchange->wait_since, timeouts->pool_ms, RQX_ERR_POOL_TIMEOUT);
        break;
    case RQX__EXCHANGE_ACTIVE:
        if (waits_to_read(exchange))
            consider(&first, exchange->read_since, timeouts->read_ms, RQX_ERR_READ_TIMEOUT);
        if (waits_to_write(exchange))
            consider(&first, exchange->write_since, timeouts->write_ms, RQX_ERR_WRITE_TIMEOUT);
        consider_stall(&first, exchange);
        break;
    case RQX__EXCHANGE_BACKOFF:
        consider(&first, exchange->wait_since, 0, 0);
        break;
    case RQX__EXCHANGE_NEW:
    case RQX__EXCHANGE_DONE:
        break;
    }
    return first;
}

void rqx__exchange_arm(struct rqx__exchange *exchange)
{
    uint64_t at = next_deadline(exchange).at;

    if (at == RQX__NEVER || exchange->state == RQX__EXCHANGE_DONE)
        return;
    if (rqx__timer_is_set(&exchange->timer) && exchange->timer.node.key <= at)
        return;
    if (rqx__timer_set(exchange->client->engine->loop, &exchange->timer, at) < 0) {
        exchange->no_timer = true; /* it ends with RQX_ERR_NOMEM where no codec is above us */
        rqx__exchange_retry_now(exchange);
    }
}

void rqx__exchange_reader_waits(struct rqx__exchange *exchange)
{
    if (exchange->reader_waits)
        return; /* since then: asking again is no sign of life */
    exchange->reader_waits = true;
    exchange->read_since = rqx__loop_touch(exchange->client->engine->loop);
    rqx__stall_note(exchange, 0);
    rqx__exchange_arm(exchange);
}

/* What the dial waits for that the exchange waited for; |text| has room. */
static const char *describe_dial(const struct rqx__exchange *exchange, char text[RQX__ERR_TEXT_MAX])
{
    const struct rqx__dial *dial = exchange->origin == NULL ? NULL : rqx__pool_first_dial(exchange->origin);

    if (dial == NULL)
        return "connecting";
    rqx__dial_describe(dial, text, RQX__ERR_TEXT_MAX);
    return text;
}

/* What was waited for, in words; |text| has room for them. */
static const char *describe(const struct rqx__exchange *exchange, int code, char text[RQX__ERR_TEXT_MAX])
{
    switch (code) {
    case RQX_ERR_POOL_TIMEOUT:
        return "waiting for a connection or stream";
    case RQX_ERR_CONNECT_TIMEOUT:
        return describe_dial(exchange, text);
    case RQX_ERR_WRITE_TIMEOUT:
        return "sending the request";
    case RQX_ERR_TOTAL_TIMEOUT:
        if (exchange->state == RQX__EXCHANGE_QUEUED)
            return exchange->wait == RQX__WAIT_CONNECT ? describe_dial(exchange, text)
                                                       : "waiting for a connection or stream";
        if (exchange->state == RQX__EXCHANGE_BACKOFF)
            return "waiting to try again";
        /* fall through */
    default:
        return exchange->head_seen ? "reading the response body" : "waiting for the response";
    }
}

static const char *phase_name(int code)
{
    switch (code) {
    case RQX_ERR_POOL_TIMEOUT:
        return "pool";
    case RQX_ERR_CONNECT_TIMEOUT:
        return "connect";
    case RQX_ERR_WRITE_TIMEOUT:
        return "write";
    case RQX_ERR_TOTAL_TIMEOUT:
        return "total";
    default:
        return "read";
    }
}

static void describe_stall(const struct rqx__exchange *exchange, struct rqx__err *err)
{
    rqx_slice host = rqx_url_host(exchange->hop.url);

    rqx__err_set(err, RQX_ERR_STALL_TIMEOUT, "request to %.*s:%d: fewer than %lld bytes/s in %g s while %s",
                 (int)host.len, host.data, rqx_url_effective_port(exchange->hop.url),
                 (long long)exchange->timeouts.stall_rate, (double)exchange->timeouts.stall_ms / 1000,
                 waits_to_write(exchange) ? "sending the request" : "reading the response body");
}

static void time_out(struct rqx__exchange *exchange, const struct deadline *deadline)
{
    rqx_slice host = rqx_url_host(exchange->hop.url);
    char text[RQX__ERR_TEXT_MAX];
    struct rqx__err err;

    if (deadline->code == RQX_ERR_STALL_TIMEOUT)
        describe_stall(exchange, &err);
    else
        rqx__err_set(&err, deadline->code, "request to %.*s:%d: %s timeout of %g s passed while %s", (int)host.len,
                     host.data, rqx_url_effective_port(exchange->hop.url), phase_name(deadline->code),
                     (double)deadline->ms / 1000, describe(exchange, deadline->code, text));
    if (deadline->code == RQX_ERR_CONNECT_TIMEOUT && exchange->origin != NULL)
        rqx__pool_dial_expired(exchange);
    if ((deadline->code == RQX_ERR_READ_TIMEOUT || deadline->code == RQX_ERR_STALL_TIMEOUT) && exchange->discard) {
        rqx__exchange_leave(exchange, H2_CANCEL); /* enough of a body that nobody wants */
        rqx__exchange_goes_on(exchange);
        return;
    }
    if (deadline->code == RQX_ERR_CONNECT_TIMEOUT && rqx__connect_again(exchange, deadline->code))
        return;
    if (rqx__retry_failed(exchange, deadline->code, 0))
        return;
    rqx__exchange_end(exchange, &err, H2_CANCEL);
}

void rqx__exchange_timer_due(struct rqx__timer *timer, void *user)
{
    struct rqx__exchange *exchange = user;
    struct deadline first;

    (void)timer;
    rqx__stall_note(exchange, 0);
    first = next_deadline(exchange);
    if (first.at > rqx__loop_now(exchange->client->engine->loop))
        rqx__exchange_arm(exchange);
    else if (first.code == 0)
        rqx__exchange_retry_now(exchange);
    else
        time_out(exchange, &first);
}
