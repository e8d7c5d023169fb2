#include "client/exchange.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/cookies.h"
#include "client/digest.h"
#include "client/proxy.h"
#include "http/redirect.h"

#define H2_NO_ERROR 0u
#define H2_CANCEL   8u

/* Room made at once for a body whose length was announced. */
#define EXPECT_MAX (1024 * 1024)
/* A body that is not given to anybody is read up to this size to keep the connection, above it the stream is reset. */
#define DISCARD_MAX (64 * 1024)

/* ---- life ---- */

static int64_t pick_timeout(int64_t own, int64_t client)
{
    return own == RQX_TIMEOUT_UNSET ? client : own;
}

static void pick_timeouts(struct rqx__exchange *exchange)
{
    const rqx_timeouts *own = &exchange->request->timeouts;
    const rqx_timeouts *client = &exchange->client->options.timeouts;

    exchange->timeouts.connect_ms = pick_timeout(own->connect_ms, client->connect_ms);
    exchange->timeouts.read_ms = pick_timeout(own->read_ms, client->read_ms);
    exchange->timeouts.write_ms = pick_timeout(own->write_ms, client->write_ms);
    exchange->timeouts.pool_ms = pick_timeout(own->pool_ms, client->pool_ms);
    exchange->timeouts.total_ms = pick_timeout(own->total_ms, client->total_ms);
    exchange->timeouts.stall_rate = pick_timeout(own->stall_rate, client->stall_rate);
    exchange->timeouts.stall_ms = pick_timeout(own->stall_ms, client->stall_ms);
    rqx__stall_init(exchange);
}

/* The user let go of the response: nobody is to be told any more. */
static void bury(struct rqx__dead *dead)
{
    struct rqx__exchange *exchange = RQX__OF(dead, struct rqx__exchange, dead);

    exchange->holds++;
    if (!rqx__list_empty(&exchange->event_node)) {
        rqx__list_remove(&exchange->event_node);
        exchange->holds--;
    }
    exchange->abandoned = true;
    rqx__conn_unhold(exchange);
    if (exchange->state != RQX__EXCHANGE_DONE) {
        struct rqx__err err;

        rqx__err_set(&err, RQX_ERR_CANCELLED, NULL);
        rqx__exchange_end(exchange, &err, H2_CANCEL);
    }
    rqx__exchange_release(exchange);
}

int rqx__exchange_new(struct rqx_client *client, struct rqx_request *request, void *user,
                      struct rqx__exchange **ret_exchange)
{
    struct rqx__exchange *exchange = rqx__calloc(1, sizeof *exchange);

    if (exchange == NULL)
        return RQX_ERR_NOMEM;
    rqx__response_init(&exchange->response);
    exchange->response.exchange = exchange;
    exchange->client = client;
    client->exchange_count++;
    exchange->request = rqx_request_ref(request);
    exchange->user = user;
    exchange->streamed = request->streamed;
    exchange->holds = 1;
    exchange->dead.bury_cb = bury;
    rqx__list_init(&exchange->event_node);
    rqx__list_init(&exchange->client_node);
    rqx__list_init(&exchange->queue_node);
    exchange->stream.ops = &rqx__exchange_stream_ops;
    rqx__upload_init(&exchange->upload, &request->body);
    rqx__defer_init(&exchange->again, rqx__exchange_again, exchange);
    rqx__timer_init(&exchange->timer, rqx__exchange_timer_due, exchange);
    rqx__headers_init(&exchange->interim);
    rqx__list_init(&exchange->interims);
    exchange->redirects_left = request->max_redirects >= 0 ? request->max_redirects : client->options.max_redirects;
    exchange->replays_left = client->options.max_replays;
    exchange->connect_tries_left = client->options.connect_retries;
    exchange->retry = request->retry != NULL || request->no_retry ? request->retry : client->options.retry;
    rqx__retry_begin(exchange->retry, &exchange->budget);
    pick_timeouts(exchange);
    *ret_exchange = exchange;
    return 0;
}

void rqx__exchange_free(struct rqx__exchange *exchange)
{
    struct rqx_client *client = exchange->client;

    rqx__interim_done(exchange);
    rqx__upload_done(&exchange->upload);
    rqx__hop_done(&exchange->hop);
    rqx__response_done(&exchange->response);
    rqx_request_unref(exchange->request);
    rqx__free(exchange);
    client->exchange_count--;
    rqx__client_reap(client);
}

void rqx__exchange_release(struct rqx__exchange *exchange)
{
    if (--exchange->holds == 0 && exchange->abandoned)
        rqx__exchange_free(exchange);
}

/* ---- telling the user ---- */

void rqx__exchange_tell(struct rqx__exchange *exchange, unsigned what)
{
    struct rqx_engine *engine = exchange->client->engine;

    exchange->ready |= what;
    if (exchange->abandoned)
        return;
    if (exchange->waiter != NULL)
        rqx__waiter_wake(exchange->waiter);
    if (!engine->pull_events && exchange->request->event_cb == NULL)
        return;
    if (rqx__list_empty(&exchange->event_node)) {
        exchange->holds++;
        rqx__list_push_back(&engine->events, &exchange->event_node);
    }
    exchange->posted |= what;
}

static int64_t since_submission(const struct rqx__exchange *exchange, uint64_t then)
{
    return then == 0 || then < exchange->submitted ? -1 : (int64_t)((then - exchange->submitted) / RQX__NS_PER_US);
}

static uint64_t now_of(const struct rqx__exchange *exchange)
{
    return rqx__loop_touch(exchange->client->engine->loop);
}

void rqx__exchange_name(const struct rqx__exchange *exchange, struct rqx__err *err)
{
    rqx_proxy *proxy = exchange->hop.proxy;
    rqx_slice host = rqx_url_host(exchange->hop.url);
    int port = rqx_url_effective_port(exchange->hop.url);

    if (rqx__proxy_forwards(proxy, exchange->head.scheme.len == 5))
        rqx__err_prefix(err, "request to %.*s:%d through proxy %.*s", (int)host.len, host.data, port,
                        (int)rqx_url_authority(proxy->url).len, rqx_url_authority(proxy->url).data);
    else if (exchange->stream.id != 0)
        rqx__err_prefix(err, "stream %d to %.*s:%d", (int)exchange->stream.id, (int)host.len, host.data, port);
    else
        rqx__err_prefix(err, "request to %.*s:%d", (int)host.len, host.data, port);
}

static void set_error(struct rqx__exchange *exchange, const struct rqx__err *err)
{
    struct rqx_response *response = &exchange->response;

    response->err = *err;
    if (strcmp(err->text, rqx_error_text(err->code)) == 0)
        rqx__exchange_name(exchange, &response->err);
    if (response->retries > 0 && err->code != RQX_ERR_CANCELLED && err->code != RQX_ERR_CLOSED)
        rqx__err_suffix(&response->err, " (after %d attempts)", response->retries + 1);
    response->error = (rqx_error){.code = err->code,
                                  .phase = rqx_error_phase(err->code),
                                  .sys_errno = err->sys_errno,
                                  .tls_verify = err->tls_verify,
                                  .h2_code = err->h2_code,
                                  .text = response->err.text};
}

void rqx__exchange_leave(struct rqx__exchange *exchange, uint32_t h2_code)
{
    struct rqx_engine *engine = exchange->client->engine;
    struct rqx__conn *conn = exchange->conn;

    rqx__timer_clear(engine->loop, &exchange->timer);
    rqx__defer_cancel(&exchange->again);
    if (exchange->origin != NULL)
        rqx__pool_withdraw(exchange);
    if (conn == NULL)
        return;
    exchange->conn = NULL;
    if (exchange->stream.codec != NULL) {
        conn->codec->now = rqx__loop_now(engine->loop);
        conn->codec->ops->cancel(conn->codec, &exchange->stream, h2_code);
        rqx__conn_kick(conn);
    }
    rqx__pool_conn_changed(conn);
}

void rqx__exchange_end(struct rqx__exchange *exchange, const struct rqx__err *err, uint32_t h2_code)
{
    struct rqx_engine *engine = exchange->client->engine;
    struct rqx_response *response = &exchange->response;

    if (exchange->state == RQX__EXCHANGE_DONE)
        return;
    rqx__exchange_leave(exchange, h2_code);
    exchange->state = RQX__EXCHANGE_DONE;
    rqx__list_remove(&exchange->client_node);
    if (!exchange->upload.feeding)
        rqx__request_release_source(exchange->request);
    rqx__upload_done(&exchange->upload);
    if (err != NULL)
        set_error(exchange, err);
    response->error.text = response->err.text;
    if (err == NULL)
        response->body_complete = true;
    response->timings.total_us = since_submission(exchange, now_of(exchange));
    engine->stats.exchanges_open--;
    engine->stats.exchanges_done++;
    atomic_store_explicit(&response->done, true, memory_order_release);
    rqx__exchange_tell(exchange, RQX_EVENT_DONE);
    rqx__exchange_release(exchange);
}

/* ---- starting ---- */

int rqx__exchange_start_hop(struct rqx__exchange *exchange, struct rqx__err *err)
{
    int rv = rqx__hop_head(exchange);

    if (rv >= 0) {
        exchange->sent = exchange->head_seen = exchange->ended = exchange->discard = exchange->redirecting = false;
        rv = rqx__pool_submit(exchange->client, exchange);
    }
    if (rv < 0 && err->code == 0)
        rqx__err_set(err, rv, NULL);
    return rv;
}

int rqx__exchange_start(struct rqx__exchange *exchange)
{
    struct rqx_engine *engine = exchange->client->engine;
    struct rqx__err err;
    int rv;

    rqx__err_clear(&err);
    exchange->submitted = rqx__loop_touch(engine->loop);
    rqx__list_push_back(&exchange->client->exchanges, &exchange->client_node);
    engine->stats.exchanges_open++;
    rv = rqx__exchange_start_hop(exchange, &err);
    if (rv < 0)
        rqx__exchange_end(exchange, &err, H2_CANCEL);
    return 0;
}

void rqx__exchange_waits(struct rqx__exchange *exchange, enum rqx__wait wait)
{
    exchange->state = RQX__EXCHANGE_QUEUED;
    exchange->wait = wait;
    exchange->wait_since = rqx__loop_now(exchange->client->engine->loop);
    rqx__exchange_arm(exchange);
}

static void note_connection(struct rqx__exchange *exchange, struct rqx__conn *conn)
{
    struct rqx_response *response = &exchange->response;

    response->timings.queue_us = since_submission(exchange, now_of(exchange));
    if (!conn->used) {
        response->timings.dns_us = since_submission(exchange, conn->times.resolved);
        response->timings.connect_us = since_submission(exchange, conn->times.connected);
        response->timings.tls_us = since_submission(exchange, conn->times.secured);
    }
    response->connection_id = conn->id;
    response->version = conn->codec->ops->version;
}

int rqx__exchange_open(struct rqx__exchange *exchange, struct rqx__conn *conn)
{
    struct rqx__err err;
    uint64_t now = rqx__loop_now(exchange->client->engine->loop);
    int rv;

    conn->codec->now = now;
    exchange->conn = conn;
    rv = conn->codec->ops->submit(conn->codec, &exchange->stream, &exchange->head);
    if (rv == RQX_AGAIN) {
        exchange->conn = NULL;
        return RQX_AGAIN;
    }
    if (rv < 0) {
        exchange->conn = NULL;
        rqx__err_set(&err, rv, NULL);
        rqx__exchange_end(exchange, &err, H2_CANCEL);
        return rv;
    }
    exchange->state = RQX__EXCHANGE_ACTIVE;
    exchange->reused = conn->used;
    exchange->read_since = exchange->write_since = now;
    note_connection(exchange, conn);
    conn->used = true;
    if (exchange->stall.least != 0)
        rqx__stall_init(exchange); /* the count of an earlier try is void */
    rqx__stall_note(exchange, 0);
    rqx__exchange_arm(exchange);
    rqx__conn_kick(conn);
    return 0;
}

/* ---- upcalls of the stream ---- */

static int on_head(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);
    struct rqx_response *response = &exchange->response;
    char *copy;

    exchange->read_since = exchange->conn->codec->now;
    if (status < 200) {
        rqx__headers_done(&exchange->interim);
        rqx__headers_init(&exchange->interim);
        exchange->interim_status = status;
        return 0;
    }
    exchange->interim_status = 0;
    response->status = status;
    response->version = version;
    response->stream_id = stream->id;
    if (reason.len == 0)
        return 0;
    copy = rqx__arena_strndup(&response->headers.arena, reason.data, reason.len);
    if (copy == NULL)
        return RQX_ERR_NOMEM;
    response->reason = (rqx_slice){copy, reason.len};
    return 0;
}

static int on_field(struct rqx__stream *stream, const char *name, size_t name_len, const char *value, size_t value_len,
                    bool trailer)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);
    struct rqx_headers *fields = &exchange->response.headers;

    if (trailer)
        fields = &exchange->response.trailers;
    else if (exchange->interim_status != 0)
        fields = &exchange->interim;
    return rqx__headers_add_checked(fields, name, name_len, value, value_len);
}

/* Body bytes are not for the user; a long or unknown rest is not worth reading. */
static void discard_body(struct rqx__exchange *exchange, int64_t content_length)
{
    exchange->discard = true;
    if (content_length < 0 || content_length > DISCARD_MAX)
        exchange->discard_left = DISCARD_MAX;
    else
        exchange->discard_left = (size_t)content_length;
}

/* Sets how much may be collected of the body whose head has come. */
static void limit_body(struct rqx__exchange *exchange)
{
    const struct rqx_request *request = exchange->request;
    struct rqx_response *response = &exchange->response;
    int64_t most = request->max_body;

    if (request->max_redirect_body >= 0 && (most < 0 || request->max_redirect_body < most) &&
        rqx__redirect_status(response->status) && rqx_headers_get(&response->headers, "location", 8).data != NULL)
        most = request->max_redirect_body;
    response->body.max = most < 0 || (uint64_t)most >= SIZE_MAX ? SIZE_MAX : (size_t)most;
}

static int take_final_head(struct rqx__exchange *exchange, int64_t content_length)
{
    struct rqx_response *response = &exchange->response;
    struct rqx__err err;
    int rv;

    rqx__err_clear(&err);
    response->timings.first_byte_us = since_submission(exchange, exchange->conn->codec->now);
    if (exchange->client->options.cookies != NULL) {
        rv = rqx__cookies_receive(exchange);
        if (rv < 0)
            return rv;
    }
    if (rqx__resend_wanted(exchange, response->status) || rqx__retry_answered(exchange, response->status)) {
        discard_body(exchange, content_length);
        return 0;
    }
    rv = rqx__hop_wanted(exchange, &err);
    if (rv < 0) {
        response->err = err; /* closed() will find it */
        return rv;
    }
    exchange->head_seen = true;
    rqx__facts_unref(response->facts);
    response->facts = rqx__facts_ref(exchange->conn->facts);
    rv = exchange->redirecting ? 0 : rqx__digest_wanted(exchange);
    if (rv < 0)
        return rv;
    exchange->authenticating = rv == 1;
    if (exchange->redirecting || exchange->authenticating) {
        discard_body(exchange, content_length);
        return 0;
    }
    if (exchange->streamed) {
        rqx__exchange_tell(exchange, RQX_EVENT_HEAD);
        return 0;
    }
    limit_body(exchange);
    rqx__stall_note(exchange, 0);
    if (content_length > 0) {
        /* an announced length is believed up to a point: what is not sent must not cost memory */
        size_t room = content_length < EXPECT_MAX ? (size_t)content_length : EXPECT_MAX;

        return rqx__buf_reserve(&response->body, room);
    }
    return 0;
}

static int on_head_done(struct rqx__stream *stream, int status, int64_t content_length)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);

    if (status >= 200)
        return take_final_head(exchange, content_length);
    return exchange->request->interim ? rqx__interim_keep(exchange) : 0;
}

static int on_data(struct rqx__stream *stream, const uint8_t *data, size_t len)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);
    struct rqx__codec *codec = exchange->conn->codec;
    int rv;

    exchange->read_since = codec->now;
    if (exchange->discard) {
        codec->ops->consumed(codec, stream, len);
        if (len > exchange->discard_left)
            return RQX_ERR_BODY_TOO_LARGE; /* enough: closed() goes on from here */
        exchange->discard_left -= len;
        rqx__stall_note(exchange, len);
        return 0;
    }
    rv = rqx__buf_append(&exchange->response.body, data, len);
    if (rv < 0)
        return rv;
    if (!exchange->streamed)
        codec->ops->consumed(codec, stream, len);
    else if ((exchange->ready & RQX_EVENT_BODY) == 0) {
        exchange->ready |= RQX_EVENT_BODY;
        if (exchange->reader_waits || exchange->waiter != NULL) {
            exchange->reader_waits = false;
            rqx__exchange_tell(exchange, RQX_EVENT_BODY);
        }
    }
    rqx__stall_note(exchange, len);
    return 0;
}

static void on_end(struct rqx__stream *stream)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);

    exchange->ended = true;
    if (!exchange->streamed || exchange->discard)
        return;
    exchange->response.body_complete = true;
    exchange->ready |= RQX_EVENT_BODY;
    if (exchange->reader_waits || exchange->waiter != NULL) {
        exchange->reader_waits = false;
        rqx__exchange_tell(exchange, RQX_EVENT_BODY);
    }
}

static int on_pull_body(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);
    bool room = false;
    int rv;

    if (exchange->discard && !exchange->redirecting && !rqx__request_can_rewind(exchange->request))
        return RQX_ERR_BODY_SOURCE; /* it goes to the next try: closed() begins that */
    rv = rqx__upload_pull(&exchange->upload, &exchange->client->engine->feeds, buffer, cap, ret_len, ret_end, &room);
    exchange->write_since = exchange->conn->codec->now;
    rqx__stall_note(exchange, rv == 0 ? *ret_len : 0);
    if (room) {
        exchange->upload.wants_room = false;
        rqx__exchange_tell(exchange, RQX_EVENT_WRITE);
    }
    return rv;
}

static void on_body_refused(struct rqx__stream *stream)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);

    if (exchange->discard && !exchange->redirecting)
        return; /* the next try takes it */
    exchange->upload.refused = true;
    rqx__list_remove(&exchange->upload.feed_node);
    if (exchange->upload.body != NULL && exchange->upload.body->kind == RQX__BODY_PUSH)
        rqx__exchange_tell(exchange, RQX_EVENT_WRITE); /* so that its writer finds out */
}

static void on_sent(struct rqx__stream *stream)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);

    exchange->sent = true;
    exchange->read_since = exchange->conn->codec->now;
    exchange->response.timings.sent_us = since_submission(exchange, exchange->conn->codec->now);
    rqx__stall_note(exchange, 0);
    rqx__exchange_arm(exchange);
}

/* What an upcall found wrong says more than that the stream was reset for it. */
static int told_code(const struct rqx__exchange *exchange, const struct rqx__err *err)
{
    return exchange->response.err.code != 0 ? exchange->response.err.code : err->code;
}

static void on_closed(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    struct rqx__exchange *exchange = rqx__exchange_of(stream);
    struct rqx__conn *conn = exchange->conn;
    struct rqx__err told;

    exchange->conn = NULL;
    if (err == NULL && exchange->streamed && !exchange->discard && exchange->response.version != RQX_HTTP_2)
        rqx__conn_hold(conn, exchange);
    rqx__pool_conn_changed(conn);
    if (rqx__exchange_goes_on(exchange))
        return;
    if (err == NULL) {
        rqx__exchange_end(exchange, NULL, H2_NO_ERROR);
        return;
    }
    if (err->code == RQX_ERR_HTTP_1_1_REQUIRED && !exchange->avoid_h2 && conn->origin != NULL &&
        (conn->origin->protocols & RQX_PROTO_HTTP1) != 0) {
        exchange->avoid_h2 = true;
        rqx__pool_demand_h1(conn->origin);
        if (!exchange->head_seen && rqx__resend(exchange))
            return;
    }
    if (rqx__replay_allowed(exchange, flags)) {
        rqx__replay(exchange);
        return;
    }
    if (rqx__retry_failed(exchange, told_code(exchange, err), flags))
        return;
    told = exchange->response.err.code != 0 ? exchange->response.err : *err;
    rqx__exchange_name(exchange, &told);
    rqx__exchange_end(exchange, &told, H2_CANCEL);
}

const struct rqx__stream_ops rqx__exchange_stream_ops = {
    .head = on_head,
    .field = on_field,
    .head_done = on_head_done,
    .data = on_data,
    .end = on_end,
    .pull_body = on_pull_body,
    .body_refused = on_body_refused,
    .sent = on_sent,
    .closed = on_closed,
};
