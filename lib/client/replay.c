/*
 * replay.c - sending a request again: of its own accord where the peer provably did nothing about it, and beyond that
 * where its rqx_retry says so.
 *
 * Nothing is sent again from inside a codec: the exchange goes to RQX__EXCHANGE_BACKOFF, and its timer or deferred work
 * begins the next try.  There it is as much alive as elsewhere: cancelling, closing and total_ms end it.
 */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/exchange.h"
#include "http/date.h"

#define H2_CANCEL 8u

/* Time before an unprocessed request is sent again for the second, third, ... time (RFC 9113 section 8.7). */
#define BACKOFF_FIRST_MS 10
#define BACKOFF_MAX_MS   1000

/* ---- pauses ---- */

/* A number that others do not get at the same time; nothing depends on its being hard to guess. */
static uint32_t chance(const struct rqx__exchange *exchange)
{
    uint64_t x = rqx__clock_now() ^ (uint64_t)(uintptr_t)exchange;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32);
}

/* The next try begins after |pause| ns. */
static void rest(struct rqx__exchange *exchange, uint64_t pause)
{
    struct rqx__loop *loop = exchange->client->engine->loop;

    rqx__timer_clear(loop, &exchange->timer);
    exchange->state = RQX__EXCHANGE_BACKOFF;
    exchange->wait_since = pause == 0 ? 0 : rqx__loop_now(loop) + pause;
    if (pause == 0)
        rqx__exchange_retry_now(exchange);
    else
        rqx__exchange_arm(exchange);
}

/* As long as is due after so many tries. */
static void back_off(struct rqx__exchange *exchange)
{
    uint64_t pause = BACKOFF_FIRST_MS * RQX__NS_PER_MS;
    unsigned i;

    if (exchange->backoffs <= 1) {
        rest(exchange, 0);
        return;
    }
    for (i = 2; i < exchange->backoffs && pause < BACKOFF_MAX_MS * RQX__NS_PER_MS; i++)
        pause *= 2;
    if (pause > BACKOFF_MAX_MS * RQX__NS_PER_MS)
        pause = BACKOFF_MAX_MS * RQX__NS_PER_MS;
    rest(exchange, pause / 2 + chance(exchange) % (pause / 2));
}

/* ---- the next try ---- */

void rqx__exchange_retry_now(struct rqx__exchange *exchange)
{
    rqx__loop_defer(exchange->client->engine->loop, &exchange->again);
}

void rqx__exchange_again(struct rqx__defer *defer, void *user)
{
    struct rqx__exchange *exchange = user;
    struct rqx__err err;
    int rv = 0;

    (void)defer;
    rqx__err_clear(&err);
    if (exchange->no_timer)
        rv = RQX_ERR_NOMEM;
    else if (exchange->redirecting)
        rv = rqx__hop_next(exchange, &err);
    else if (exchange->authenticating)
        rv = rqx__response_push_history(&exchange->response);
    else
        rqx__response_reset(&exchange->response);
    if (rv >= 0 && exchange->drop_expect)
        rv = rqx__hop_drop_expect(exchange);
    exchange->drop_expect = exchange->retrying = exchange->authenticating = false;
    if (exchange->hop.drop_body)
        rqx__upload_done(&exchange->upload); /* nobody asks for it again, so it need not be there again */
    else if (rv >= 0)
        rv = rqx__upload_restart(&exchange->upload);
    if (rv >= 0)
        rv = rqx__exchange_start_hop(exchange, &err);
    if (rv >= 0)
        return;
    if (err.code == 0)
        rqx__err_set(&err, rv, NULL);
    rqx__exchange_end(exchange, &err, H2_CANCEL);
}

/* ---- what the peer did nothing about ---- */

bool rqx__body_is_repeatable(const struct rqx__exchange *exchange)
{
    return rqx__upload_untouched(&exchange->upload) || rqx__request_can_rewind(exchange->request);
}

/* Nothing of this hop was shown to the user, and its body can be had again. */
static bool can_resend(const struct rqx__exchange *exchange)
{
    if (exchange->client->closed || (exchange->head_seen && exchange->streamed))
        return false;
    return rqx__body_is_repeatable(exchange);
}

static rqx_slice method_of(const struct rqx__exchange *exchange)
{
    return (rqx_slice){exchange->hop.method, exchange->hop.method_len};
}

bool rqx__replay_allowed(const struct rqx__exchange *exchange, unsigned flags)
{
    bool unprocessed = (flags & RQX__CLOSE_UNPROCESSED) != 0;
    /* a kept HTTP/1.1 connection that died under the request without a byte (RFC 9112 section 9.3.1): a server that
       closes one without a word closes others, so that it is not the first alone that is forgiven */
    bool stale = (flags & RQX__CLOSE_NO_BYTES) != 0 && exchange->response.version != RQX_HTTP_2 && exchange->reused &&
                 rqx__method_is_idempotent(method_of(exchange));

    if (!unprocessed && !stale)
        return false;
    return exchange->replays_left != 0 && !exchange->head_seen && can_resend(exchange);
}

static void count_try(struct rqx__exchange *exchange)
{
    exchange->response.retries++;
    exchange->client->engine->stats.replays++;
}

void rqx__replay(struct rqx__exchange *exchange)
{
    exchange->replays_left--;
    exchange->backoffs++;
    count_try(exchange);
    back_off(exchange);
}

/* Answers that say that nothing was done, and what to do better: each is believed once a hop, and counts against no
 * other budget. */
bool rqx__resend_wanted(struct rqx__exchange *exchange, int status)
{
    bool *known = NULL;

    if (status == 421)
        known = &exchange->misdirected; /* RFC 9110 section 15.5.20: another connection */
    else if (status == 425)
        known =
            &exchange->too_early; /* RFC 8470 section 5.2: we sent no early data, but somebody between us may have */
    else if (status == 417 && exchange->head.expect_continue)
        known = &exchange->unexpected; /* RFC 9110 section 10.1.1: without the expectation */
    if (known == NULL || *known || !can_resend(exchange))
        return false;
    *known = true;
    if (status == 421)
        rqx__conn_shutdown(exchange->conn);
    exchange->drop_expect = status == 417;
    return true;
}

bool rqx__resend(struct rqx__exchange *exchange)
{
    if (!can_resend(exchange))
        return false;
    count_try(exchange);
    rest(exchange, 0);
    return true;
}

/* ---- what the user wants to have tried again ---- */

/* Whether doing it twice is doing it once: RFC 9110 section 9.2.2, or a key by which the server tells. */
static bool is_repeatable(const struct rqx__exchange *exchange)
{
    return rqx__method_is_idempotent(method_of(exchange)) ||
           rqx_headers_get(exchange->head.fields, "idempotency-key", 15).data != NULL;
}

/* Takes a try of |kind| from the budget, if there is one, and there is time for the pause before it. */
static bool take_try(struct rqx__exchange *exchange, enum rqx__retry_kind kind, int64_t after_ms)
{
    struct rqx__retry_budget *budget = &exchange->budget;
    uint64_t now = rqx__loop_touch(exchange->client->engine->loop);
    uint64_t end = rqx__clock_after_ms(exchange->submitted, exchange->timeouts.total_ms);
    uint64_t pause;

    if (!rqx__retry_left(budget, kind))
        return false;
    pause = rqx__retry_pause(exchange->retry, budget->tries, after_ms, chance(exchange));
    if (pause >= end - now || now >= end)
        return false;
    budget->total--;
    budget->kinds[kind]--;
    budget->tries++;
    exchange->pause = pause;
    return true;
}

static void begin_retry(struct rqx__exchange *exchange)
{
    exchange->response.retries++;
    rest(exchange, exchange->pause);
}

bool rqx__retry_failed(struct rqx__exchange *exchange, int code, unsigned flags)
{
    enum rqx__retry_kind kind = rqx__retry_kind_of(code);

    if (exchange->retry == NULL || kind == RQX__RETRY_NONE || !can_resend(exchange))
        return false;
    if (exchange->state == RQX__EXCHANGE_QUEUED)
        kind = RQX__RETRY_CONNECT; /* whatever it was, nothing was sent */
    if (kind == RQX__RETRY_READ && (flags & RQX__CLOSE_UNPROCESSED) == 0 &&
        !(rqx__retry_has_method(exchange->retry, method_of(exchange)) && is_repeatable(exchange)))
        return false;
    if (!take_try(exchange, kind, -1))
        return false;
    rqx__exchange_leave(exchange, H2_CANCEL);
    begin_retry(exchange);
    return true;
}

/* Milliseconds that the answer asks to wait, or -1.  A date is seen from the peer's clock, if it tells. */
static int64_t asked_pause(const struct rqx__exchange *exchange)
{
    const rqx_headers *fields = &exchange->response.headers;
    rqx_slice after = rqx_headers_get(fields, "retry-after", 11);
    rqx_slice date = rqx_headers_get(fields, "date", 4);
    int64_t now = (int64_t)time(NULL);
    int64_t ms;

    if (after.data == NULL)
        return -1;
    if (date.data != NULL)
        (void)rqx__http_date(date, now, &now); /* a date that is none leaves ours */
    return rqx__retry_after(after, now, &ms) < 0 ? -1 : ms;
}

bool rqx__retry_answered(struct rqx__exchange *exchange, int status)
{
    const struct rqx_retry *retry = exchange->retry;
    int64_t after_ms = -1;

    if (retry == NULL || !rqx__retry_has_status(retry, status) || !rqx__retry_has_method(retry, method_of(exchange)) ||
        !can_resend(exchange))
        return false;
    if (retry->respect_retry_after)
        after_ms = asked_pause(exchange);
    if (after_ms > retry->retry_after_max_ms)
        return false;
    exchange->retrying = take_try(exchange, RQX__RETRY_STATUS, after_ms);
    return exchange->retrying;
}

/* ---- where a discarded answer, or a dial, is over ---- */

bool rqx__exchange_goes_on(struct rqx__exchange *exchange)
{
    if (!exchange->discard)
        return false;
    if (exchange->redirecting) {
        exchange->backoffs = 0;
        exchange->misdirected = exchange->too_early = exchange->unexpected = false; /* another hop */
        rest(exchange, 0);
    } else if (exchange->authenticating) {
        exchange->backoffs = 0;
        rest(exchange, 0);
    } else if (exchange->retrying) {
        begin_retry(exchange);
    } else {
        count_try(exchange); /* 421, 417, 425 */
        rest(exchange, 0);
    }
    return true;
}

bool rqx__connect_again(struct rqx__exchange *exchange, int code)
{
    bool transient = rqx__retry_kind_of(code) == RQX__RETRY_CONNECT || code == RQX_ERR_TRUNCATED;

    if (!transient || exchange->connect_tries_left == 0 || exchange->client->closed)
        return false;
    rqx__exchange_leave(exchange, H2_CANCEL);
    exchange->connect_tries_left--;
    exchange->response.retries++;
    exchange->backoffs++;
    back_off(exchange);
    return true;
}

void rqx__exchange_dial_failed(struct rqx__exchange *exchange, const struct rqx__err *err)
{
    if (rqx__connect_again(exchange, err->code))
        return;
    if (!rqx__retry_failed(exchange, err->code, RQX__CLOSE_UNPROCESSED))
        rqx__exchange_end(exchange, err, H2_CANCEL);
}
