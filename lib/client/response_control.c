/*
 * response_control.c - what a user may do to an exchange that runs: wait, cancel, close, feed its body, let go of it.
 */
#include <string.h>

#include "base/clock.h"
#include "client/exchange.h"

#define H2_CANCEL 8u

rqx_response *rqx_response_ref(rqx_response *response)
{
    atomic_fetch_add_explicit(&response->refs, 1, memory_order_relaxed);
    return response;
}

void rqx_response_unref(rqx_response *response)
{
    if (response == NULL || atomic_fetch_sub_explicit(&response->refs, 1, memory_order_acq_rel) != 1)
        return;
    rqx__engine_bury(response->exchange->client->engine, &response->exchange->dead);
}

rqx_request *rqx_response_request(const rqx_response *response)
{
    return response->exchange == NULL ? NULL : response->exchange->request;
}

struct wait_for {
    struct rqx__exchange *exchange;
    unsigned what;
};

static bool is_ready(void *user)
{
    const struct wait_for *wait = user;

    return wait->exchange->state == RQX__EXCHANGE_DONE || (wait->exchange->ready & wait->what) != 0;
}

int rqx_response_wait(rqx_response *response, unsigned what, int64_t timeout_ms)
{
    struct rqx__exchange *exchange = response->exchange;
    struct wait_for wait = {exchange, what};
    struct rqx_engine *engine;
    int rv;

    if (exchange == NULL || rqx_response_done(response))
        return 0;
    engine = exchange->client->engine;
    if (engine->mode != RQX_MODE_SYNC)
        return RQX_ERR_MODE;
    rv = rqx__engine_lock(engine);
    if (rv < 0)
        return rv;
    if ((what & RQX_EVENT_BODY) != 0 && exchange->streamed && !is_ready(&wait))
        rqx__exchange_reader_waits(exchange);
    rv = rqx__engine_wait_locked(engine, &exchange->waiter, is_ready, &wait,
                                 rqx__clock_after_ms(rqx__clock_now(), timeout_ms));
    rqx__engine_unlock_quiet(engine);
    return rv;
}

static void end_by_user(rqx_response *response, bool well)
{
    struct rqx__exchange *exchange = response->exchange;
    struct rqx_engine *engine;
    struct rqx__err err;

    if (exchange == NULL || (rqx_response_done(response) && !exchange->streamed))
        return;
    engine = exchange->client->engine;
    if (rqx__engine_lock(engine) < 0)
        return;
    rqx__conn_unhold(exchange);
    if (exchange->state != RQX__EXCHANGE_DONE) {
        if (well && exchange->head_seen) {
            rqx__exchange_end(exchange, NULL, H2_CANCEL);
        } else {
            rqx__err_set(&err, RQX_ERR_CANCELLED, NULL);
            rqx__exchange_end(exchange, &err, H2_CANCEL);
        }
    }
    rqx__engine_unlock(engine);
}

void rqx_response_cancel(rqx_response *response)
{
    end_by_user(response, false);
}

void rqx_response_close(rqx_response *response)
{
    end_by_user(response, true);
}

void rqx_response_resume_body(rqx_response *response)
{
    struct rqx__exchange *exchange = response->exchange;
    struct rqx_engine *engine;

    if (exchange == NULL || rqx_response_done(response))
        return;
    engine = exchange->client->engine;
    if (rqx__engine_lock(engine) < 0)
        return;
    if (exchange->state != RQX__EXCHANGE_DONE) {
        exchange->upload.parked = false;
        exchange->upload.resumed = true;
        rqx__upload_want_feed(&exchange->upload, &engine->feeds);
        rqx__loop_wake(engine->loop);
    }
    rqx__engine_unlock(engine);
}

/* The codec waits for bytes that are there now. */
static void resume_stream(struct rqx__exchange *exchange)
{
    if (!exchange->upload.starved)
        return;
    exchange->upload.starved = false;
    if (exchange->conn == NULL)
        return;
    rqx__stall_note(exchange, 0);
    exchange->conn->codec->ops->resume_body(exchange->conn->codec, &exchange->stream);
    rqx__conn_kick(exchange->conn);
}

static bool takes_push(const struct rqx__exchange *exchange)
{
    return exchange->state != RQX__EXCHANGE_DONE && exchange->upload.body != NULL && !exchange->upload.ended &&
           !exchange->upload.refused && exchange->upload.body->kind == RQX__BODY_PUSH;
}

static int fail_length(struct rqx__exchange *exchange, const char *how)
{
    struct rqx__err err;

    rqx__err_set(&err, RQX_ERR_REQUEST_LENGTH, "request body is %s than the announced %lld bytes", how,
                 (long long)exchange->upload.body->length);
    rqx__exchange_end(exchange, &err, H2_CANCEL);
    return RQX_ERR_REQUEST_LENGTH;
}

static int push_locked(struct rqx__exchange *exchange, const void *data, size_t len, size_t *ret_taken)
{
    struct rqx__upload *upload = &exchange->upload;
    size_t room;
    int rv;

    if (!takes_push(exchange))
        return RQX_ERR_STATE;
    if (upload->body->length >= 0 && len > (uint64_t)upload->body->length - upload->offset)
        return fail_length(exchange, "longer");
    room = RQX__UPLOAD_BUFFER - upload->buffer.len;
    if (room == 0 && len != 0) {
        upload->wants_room = true;
        exchange->ready &= ~(unsigned)RQX_EVENT_WRITE;
        return RQX_AGAIN;
    }
    if (len > room)
        len = room;
    rv = rqx__buf_append(&upload->buffer, data, len);
    if (rv < 0)
        return rv;
    upload->offset += len;
    *ret_taken = len;
    if (len != 0)
        resume_stream(exchange);
    return 0;
}

int rqx_response_write_body(rqx_response *response, const void *data, size_t len, size_t *ret_taken)
{
    struct rqx__exchange *exchange = response->exchange;
    int rv;

    *ret_taken = 0;
    if (exchange == NULL)
        return RQX_ERR_STATE;
    rv = rqx__engine_lock(exchange->client->engine);
    if (rv < 0)
        return rv;
    rv = push_locked(exchange, data, len, ret_taken);
    rqx__engine_unlock(exchange->client->engine);
    return rv;
}

/* All that was announced was given, and the peer was quicker with its answer than the user with the end. */
static bool was_given_whole(const struct rqx__exchange *exchange)
{
    const struct rqx__body *body = &exchange->request->body;

    return exchange->state == RQX__EXCHANGE_DONE && exchange->response.err.code == 0 && body->kind == RQX__BODY_PUSH &&
           !exchange->upload.ended && body->length >= 0 && exchange->upload.offset == (uint64_t)body->length;
}

static int end_locked(struct rqx__exchange *exchange)
{
    struct rqx__upload *upload = &exchange->upload;

    if (was_given_whole(exchange)) {
        upload->ended = true;
        return 0;
    }
    if (!takes_push(exchange))
        return RQX_ERR_STATE;
    if (upload->body->length >= 0 && upload->offset < (uint64_t)upload->body->length)
        return fail_length(exchange, "shorter");
    upload->ended = true;
    resume_stream(exchange);
    return 0;
}

int rqx_response_end_body(rqx_response *response)
{
    struct rqx__exchange *exchange = response->exchange;
    int rv;

    if (exchange == NULL)
        return RQX_ERR_STATE;
    rv = rqx__engine_lock(exchange->client->engine);
    if (rv < 0)
        return rv;
    rv = end_locked(exchange);
    rqx__engine_unlock(exchange->client->engine);
    return rv;
}
