/*
 * feed.c - asking the body sources, outside the engine's lock: a file may be on a slow disk, and a callback is user
 * code.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/exchange.h"

/* One answer of a source. */
struct piece {
    size_t len;
    bool end;
    int result; /* 0, RQX_AGAIN or negative */
    int sys_errno;
    const char *why; /* of a failure; NULL: the code says it */
};

static void read_file(const struct rqx__body *body, uint64_t offset, uint8_t *buffer, size_t cap, struct piece *piece)
{
    uint64_t left = (uint64_t)body->length - offset;
    size_t want = left < cap ? (size_t)left : cap;
    ssize_t got;

    do
        got = pread(body->file_fd, buffer, want, (off_t)offset);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        piece->result = RQX_ERR_BODY_SOURCE;
        piece->sys_errno = errno;
        return;
    }
    piece->len = (size_t)got;
    /* a file that shrank ends early, which the codec then tells as a body that is too short */
    piece->end = got == 0 || (uint64_t)got == left;
}

static void read_callback(const struct rqx__body *body, uint8_t *buffer, size_t cap, struct piece *piece)
{
    int end = 0;
    int rv = body->read_cb((char *)buffer, cap, &piece->len, &end, body->user);

    piece->end = end != 0;
    if (rv == RQX_AGAIN) {
        piece->len = 0;
        piece->end = false;
        piece->result = RQX_AGAIN;
        return;
    }
    if (rv < 0)
        piece->why = "the callback of the request body failed";
    else if (piece->len > cap)
        piece->why = "the callback of the request body gave more than there was room for";
    else if (piece->len == 0 && !piece->end) /* it would be asked for ever */
        piece->why = "the callback of the request body gave neither bytes nor RQX_AGAIN nor the end";
    if (piece->why == NULL)
        return;
    piece->len = 0;
    piece->result = RQX_ERR_BODY_SOURCE;
}

/* Without the lock. */
static void ask(const struct rqx__body *body, bool rewind, uint64_t offset, uint8_t *buffer, size_t cap,
                struct piece *piece)
{
    memset(piece, 0, sizeof *piece);
    if (rewind && body->rewind_cb(body->user) < 0) {
        piece->result = RQX_ERR_BODY_REPLAY;
        return;
    }
    if (body->kind == RQX__BODY_FILE)
        read_file(body, offset, buffer, cap, piece);
    else
        read_callback(body, buffer, cap, piece);
}

static void source_failed(struct rqx__exchange *exchange, const struct piece *piece)
{
    struct rqx__err err;

    if (piece->sys_errno != 0)
        rqx__err_sys(&err, piece->result, piece->sys_errno, "reading the request body");
    else if (piece->why != NULL)
        rqx__err_set(&err, piece->result, "%s", piece->why);
    else
        rqx__err_set(&err, piece->result, NULL);
    rqx__exchange_name(exchange, &err);
    exchange->upload.failure = piece->result;
    rqx__exchange_end(exchange, &err, 8 /* CANCEL */);
}

/* Under the lock again: the exchange may be over, or at another hop, by now. */
static void take_piece(struct rqx__exchange *exchange, uint64_t offset, const uint8_t *buffer,
                       const struct piece *piece)
{
    struct rqx__upload *upload = &exchange->upload;

    upload->feeding = false;
    if (exchange->state == RQX__EXCHANGE_DONE || upload->body == NULL) {
        rqx__request_release_source(exchange->request);
        return;
    }
    if (upload->offset != offset || upload->rewind) {
        /* restarted meanwhile: what came belongs to a body that nobody sends any more */
        upload->rewind = upload->body->kind == RQX__BODY_CALLBACK;
        rqx__upload_want_feed(upload, &exchange->client->engine->feeds);
        return;
    }
    if (piece->result < 0) {
        source_failed(exchange, piece);
        return;
    }
    if (piece->result == RQX_AGAIN) {
        upload->parked = !upload->resumed;
        upload->resumed = false;
        if (upload->parked)
            return;
    }
    if (rqx__buf_append(&upload->buffer, buffer, piece->len) < 0) {
        struct piece failure = {.result = RQX_ERR_NOMEM};

        source_failed(exchange, &failure);
        return;
    }
    upload->offset += piece->len;
    upload->ended = piece->end;
    if (upload->starved && (piece->len != 0 || piece->end)) {
        upload->starved = false;
        if (exchange->conn != NULL) {
            rqx__stall_note(exchange, 0);
            exchange->conn->codec->ops->resume_body(exchange->conn->codec, &exchange->stream);
            rqx__conn_kick(exchange->conn);
        }
    }
    rqx__upload_want_feed(upload, &exchange->client->engine->feeds);
}

static void feed_one(struct rqx_engine *engine, struct rqx__exchange *exchange, uint8_t *buffer)
{
    struct rqx__upload *upload = &exchange->upload;
    const struct rqx__body *body = upload->body;
    uint64_t offset = upload->offset;
    bool rewind = upload->rewind;
    struct piece piece;

    upload->feeding = true;
    upload->rewind = upload->resumed = false;
    exchange->holds++;
    pthread_mutex_unlock(&engine->lock);
    ask(body, rewind, offset, buffer, RQX__UPLOAD_PIECE, &piece);
    pthread_mutex_lock(&engine->lock);
    take_piece(exchange, offset, buffer, &piece);
    rqx__exchange_release(exchange);
}

void rqx__engine_feed(struct rqx_engine *engine)
{
    uint8_t *buffer;
    struct rqx__list batch;
    struct rqx__list *node;

    if (rqx__list_empty(&engine->feeds))
        return;
    /* one piece each, so that no body keeps the others waiting; those that want more are asked again after a flush */
    rqx__list_init(&batch);
    rqx__list_splice(&batch, &engine->feeds);
    buffer = rqx__malloc(RQX__UPLOAD_PIECE);
    while ((node = rqx__list_pop_front(&batch)) != NULL) {
        struct rqx__exchange *exchange = RQX__OF(node, struct rqx__exchange, upload.feed_node);

        if (buffer == NULL) {
            struct piece failure = {.result = RQX_ERR_NOMEM};

            source_failed(exchange, &failure);
        } else {
            feed_one(engine, exchange, buffer);
        }
    }
    rqx__free(buffer);
}
