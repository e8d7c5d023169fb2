/*
 * response_body.c - the body as the user reads it: whole or in pieces, as received or decoded.
 */
#include <string.h>

#include "client/exchange.h"

/* Decoded pieces are made about this large. */
#define DECODE_PIECE (64 * 1024)
/* Received bytes handed to the decoder at once. */
#define ENCODED_PIECE (16 * 1024)

/* All Content-Encoding fields joined, in |buf|. */
static int join_codings(const struct rqx_response *response, struct rqx__buf *buf)
{
    const struct rqx__field *field;
    size_t from = 0;
    int rv = 0;

    while (rv >= 0 && (field = rqx__headers_find(&response->headers, RQX__FIELD_CONTENT_ENCODING, from)) != NULL) {
        from = (size_t)(field - response->headers.fields) + 1;
        if (buf->len != 0)
            rv = rqx__buf_append(buf, ",", 1);
        if (rv >= 0)
            rv = rqx__buf_append(buf, field->value, field->value_len);
    }
    return rv;
}

static int make_decoder(struct rqx_response *response)
{
    struct rqx__decoder_limits limits = {0, 0, RQX__DECODER_RATIO_FROM};
    struct rqx__buf codings;
    int rv;

    if (response->decoder_made)
        return 0;
    if (response->exchange != NULL) {
        limits.max_bytes = response->exchange->client->options.max_decoded;
        limits.max_ratio = response->exchange->client->options.max_decode_ratio;
    }
    if (rqx__headers_find(&response->headers, RQX__FIELD_CONTENT_ENCODING, 0) == NULL) {
        response->decoder_made = true;
        return 0;
    }
    rqx__buf_init(&codings, RQX__HEADERS_MAX_BYTES);
    rv = join_codings(response, &codings);
    if (rv >= 0)
        rv = rqx__decoder_new((rqx_slice){(const char *)codings.data, codings.len}, &limits, &response->decoder);
    rqx__buf_done(&codings);
    if (rv < 0)
        return rv;
    response->decoder_made = true;
    return 0;
}

rqx_slice rqx_response_raw_body(const rqx_response *response)
{
    if (!rqx_response_done(response) || response->exchange == NULL || response->exchange->streamed ||
        response->body.len == 0)
        return (rqx_slice){"", 0};
    return (rqx_slice){(const char *)rqx__buf_head(&response->body), response->body.len};
}

static int decode_whole(struct rqx_response *response)
{
    rqx_slice raw = rqx_response_raw_body(response);
    size_t used = 0;
    int rv = make_decoder(response);

    if (rv < 0 || response->decoder == NULL)
        return rv;
    while (rv >= 0 && (used < raw.len || rqx__decoder_has_output(response->decoder))) {
        size_t taken = 0;

        rv = rqx__decoder_push(response->decoder, (const uint8_t *)raw.data + used, raw.len - used, DECODE_PIECE,
                               &taken, &response->decoded, NULL);
        used += taken;
    }
    if (rv >= 0)
        rv = rqx__decoder_finish(response->decoder, NULL);
    rqx__decoder_free(response->decoder);
    response->decoder = NULL;
    response->decoder_finished = true;
    if (rv < 0)
        rqx__buf_done(&response->decoded);
    return rv < 0 ? rv : 0;
}

int rqx_response_body(rqx_response *response, rqx_slice *ret_body)
{
    if (!rqx_response_done(response))
        return RQX_ERR_STATE;
    if (response->decode_result == 1)
        response->decode_result = decode_whole(response);
    if (response->decode_result < 0)
        return response->decode_result;
    if (!response->decoder_finished)
        *ret_body = rqx_response_raw_body(response);
    else if (response->decoded.len == 0)
        *ret_body = (rqx_slice){"", 0};
    else
        *ret_body = (rqx_slice){(const char *)rqx__buf_head(&response->decoded), response->decoded.len};
    return 0;
}

void rqx_response_discard_body(rqx_response *response)
{
    if (!rqx_response_done(response) || response->exchange == NULL || response->exchange->streamed)
        return;
    rqx__buf_done(&response->body);
    rqx__buf_done(&response->decoded);
}

/* What read gives when the queue is empty.  Under the lock, or done. */
static int nothing_left(struct rqx__exchange *exchange)
{
    struct rqx_response *response = &exchange->response;

    if (response->body_complete) {
        rqx__conn_unhold(exchange);
        return 0;
    }
    if (rqx_response_done(response))
        return response->err.code;
    exchange->ready &= ~(unsigned)RQX_EVENT_BODY;
    rqx__exchange_reader_waits(exchange);
    return RQX_AGAIN;
}

static int read_queue(struct rqx__exchange *exchange, uint8_t *buffer, size_t cap, size_t *ret_len)
{
    struct rqx__buf *body = &exchange->response.body;
    size_t len = body->len < cap ? body->len : cap;

    if (len == 0)
        return nothing_left(exchange);
    memcpy(buffer, rqx__buf_head(body), len);
    rqx__buf_consume(body, len);
    if (exchange->conn != NULL && exchange->stream.codec != NULL) {
        exchange->conn->codec->ops->consumed(exchange->conn->codec, &exchange->stream, len);
        rqx__conn_kick(exchange->conn);
    }
    if (body->len == 0 && !exchange->response.body_complete)
        exchange->ready &= ~(unsigned)RQX_EVENT_BODY;
    *ret_len = len;
    return 0;
}

int rqx_response_read_raw(rqx_response *response, void *buffer, size_t cap, size_t *ret_len)
{
    struct rqx__exchange *exchange = response->exchange;
    struct rqx_engine *engine;
    int rv;

    *ret_len = 0;
    if (exchange == NULL || !exchange->streamed)
        return RQX_ERR_STATE;
    if (cap == 0)
        return RQX_ERR_INVALID_ARGUMENT;
    engine = exchange->client->engine;
    rv = rqx__engine_lock(engine);
    if (rv < 0)
        return rv;
    rv = read_queue(exchange, buffer, cap, ret_len);
    rqx__engine_unlock(engine);
    return rv;
}

/* Which codings there are is known with the head.  0, or as read_raw where it has not come. */
static int await_head(struct rqx__exchange *exchange)
{
    struct rqx_engine *engine = exchange->client->engine;
    int rv = rqx__engine_lock(engine);

    if (rv < 0)
        return rv;
    if (!exchange->head_seen || exchange->discard)
        rv = nothing_left(exchange);
    rqx__engine_unlock_quiet(engine);
    return rv;
}

static int give_decoded(struct rqx_response *response, void *buffer, size_t cap, size_t *ret_len)
{
    size_t len = response->decoded.len < cap ? response->decoded.len : cap;

    memcpy(buffer, rqx__buf_head(&response->decoded), len);
    rqx__buf_consume(&response->decoded, len);
    *ret_len = len;
    return 0;
}

/* Runs the decoder once over what was received; 0, or an error. */
static int decode_piece(struct rqx_response *response, size_t want)
{
    size_t taken = 0;
    int rv = rqx__decoder_push(response->decoder, rqx__buf_head(&response->encoded), response->encoded.len, want,
                               &taken, &response->decoded, NULL);

    rqx__buf_consume(&response->encoded, taken);
    return rv < 0 ? rv : 0;
}

static int refill_encoded(struct rqx_response *response, size_t *ret_len)
{
    int rv = rqx__buf_reserve(&response->encoded, ENCODED_PIECE);

    *ret_len = 0;
    if (rv < 0)
        return rv;
    rv = rqx_response_read_raw(response, rqx__buf_tail(&response->encoded), ENCODED_PIECE, ret_len);
    if (rv == 0)
        rqx__buf_commit(&response->encoded, *ret_len);
    return rv;
}

int rqx_response_read(rqx_response *response, void *buffer, size_t cap, size_t *ret_len)
{
    int rv;

    *ret_len = 0;
    if (response->exchange == NULL || !response->exchange->streamed)
        return RQX_ERR_STATE;
    rv = response->decoder_made ? 0 : await_head(response->exchange);
    if (rv == 0)
        rv = make_decoder(response);
    if (rv != 0)
        return rv;
    if (response->decoder == NULL && !response->decoder_finished)
        return rqx_response_read_raw(response, buffer, cap, ret_len);
    for (;;) {
        size_t got;

        if (response->decoded.len != 0)
            return give_decoded(response, buffer, cap, ret_len);
        if (response->decoder_finished)
            return response->decode_result < 0 ? response->decode_result : 0;
        if (response->encoded.len == 0 && !rqx__decoder_has_output(response->decoder)) {
            rv = refill_encoded(response, &got);
            if (rv != 0)
                return rv;
            if (got == 0) {
                response->decoder_finished = true;
                response->decode_result = rqx__decoder_finish(response->decoder, NULL);
                continue;
            }
        }
        rv = decode_piece(response, cap < DECODE_PIECE ? cap : DECODE_PIECE);
        if (rv < 0) {
            response->decoder_finished = true;
            response->decode_result = rv;
        }
    }
}
