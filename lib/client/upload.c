#include "client/upload.h"

#include <string.h>

void rqx__upload_init(struct rqx__upload *upload, const struct rqx__body *body)
{
    memset(upload, 0, sizeof *upload);
    rqx__list_init(&upload->feed_node);
    rqx__buf_init(&upload->buffer, RQX__UPLOAD_BUFFER);
    upload->body = body != NULL && body->kind != RQX__BODY_NONE ? body : NULL;
}

void rqx__upload_done(struct rqx__upload *upload)
{
    rqx__list_remove(&upload->feed_node);
    rqx__buf_done(&upload->buffer);
    upload->body = NULL;
}

bool rqx__upload_untouched(const struct rqx__upload *upload)
{
    if (upload->body == NULL)
        return true;
    return upload->offset == (upload->body->kind == RQX__BODY_BYTES ? 0 : upload->buffer.len);
}

int rqx__upload_restart(struct rqx__upload *upload)
{
    const struct rqx__body *body = upload->body;

    if (body == NULL)
        return 0;
    /* what was taken of the source and stands in the buffer is still to be had */
    if (!rqx__upload_untouched(upload)) {
        if (body->kind == RQX__BODY_PUSH || (body->kind == RQX__BODY_CALLBACK && body->rewind_cb == NULL))
            return RQX_ERR_BODY_REPLAY;
        if (body->kind == RQX__BODY_CALLBACK)
            upload->rewind = true;
        upload->offset = 0;
        upload->ended = false;
        upload->parked = false;
        rqx__buf_clear(&upload->buffer);
    }
    upload->starved = upload->refused = false;
    return 0;
}

static int pull_bytes(struct rqx__upload *upload, uint8_t *out, size_t cap, size_t *ret_len, bool *ret_end)
{
    uint64_t left = (uint64_t)upload->body->length - upload->offset;
    size_t len = left < cap ? (size_t)left : cap;

    if (len != 0)
        memcpy(out, upload->body->bytes + upload->offset, len);
    upload->offset += len;
    *ret_len = len;
    *ret_end = left == len;
    return 0;
}

int rqx__upload_pull(struct rqx__upload *upload, struct rqx__list *feeds, uint8_t *out, size_t cap, size_t *ret_len,
                     bool *ret_end, bool *ret_room)
{
    size_t len;

    *ret_room = false;
    if (upload->body == NULL) {
        *ret_len = 0;
        *ret_end = true;
        return 0;
    }
    if (upload->failure != 0)
        return upload->failure;
    if (upload->body->kind == RQX__BODY_BYTES)
        return pull_bytes(upload, out, cap, ret_len, ret_end);
    len = upload->buffer.len < cap ? upload->buffer.len : cap;
    if (len == 0 && !upload->ended) {
        upload->starved = true;
        rqx__upload_want_feed(upload, feeds);
        return RQX_AGAIN;
    }
    if (len != 0) {
        memcpy(out, rqx__buf_head(&upload->buffer), len);
        rqx__buf_consume(&upload->buffer, len);
    }
    *ret_len = len;
    *ret_end = upload->ended && upload->buffer.len == 0;
    *ret_room = upload->wants_room && upload->buffer.len <= RQX__UPLOAD_BUFFER / 2;
    rqx__upload_want_feed(upload, feeds);
    return 0;
}

bool rqx__upload_pending(const struct rqx__upload *upload)
{
    if (upload->body == NULL || upload->refused)
        return false;
    if (upload->body->kind == RQX__BODY_BYTES)
        return upload->offset < (uint64_t)upload->body->length;
    return upload->buffer.len != 0;
}

void rqx__upload_want_feed(struct rqx__upload *upload, struct rqx__list *feeds)
{
    if (upload->body == NULL || upload->body->kind == RQX__BODY_BYTES || upload->body->kind == RQX__BODY_PUSH)
        return;
    if (upload->ended || upload->refused || upload->parked || upload->feeding || upload->failure != 0)
        return;
    if (upload->buffer.len > RQX__UPLOAD_BUFFER - RQX__UPLOAD_PIECE || !rqx__list_empty(&upload->feed_node))
        return;
    rqx__list_push_back(feeds, &upload->feed_node);
}
