/*
 * h2_send.c - requests on their way out: streams given to nghttp2, bodies, trailers, frames.
 */
#include "proto/h2_internal.h"

#include <inttypes.h>
#include <string.h>

/* How much of one upload is sent while others wait for their turn. */
#define TURN_BYTES (64 * 1024)
/* A DATA frame smaller than this is not worth its header, unless the buffer is empty. */
#define SMALLEST_FRAME 1024
#define FRAME_HEADER   9

/* ---- bodies ---- */

static void upload_over(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    if (stream->flags & RQX__H2_UPLOADING)
        h2->uploads--;
    stream->flags &= (uint32_t)~RQX__H2_UPLOADING;
}

static void wrong_length(struct rqx__h2 *h2, struct rqx__stream *stream, const char *how)
{
    struct rqx__err err;

    rqx__err_set(&err, RQX_ERR_REQUEST_LENGTH, "request body is %s than its content-length of %" PRId64 " bytes", how,
                 stream->request_length);
    rqx__h2_kill(h2, stream, NGHTTP2_CANCEL, &err);
}

static int submit_trailers(struct rqx__h2 *h2, const struct rqx__stream *stream)
{
    int rv;

    rv = rqx__h2_build_trailers(h2, stream->head_out->trailers);
    if (rv < 0)
        return rv;
    rv = nghttp2_submit_trailer(h2->session, stream->id, h2->nva, h2->nv_count);
    return rv == 0 ? 0 : rqx__h2_error_of(rv);
}

/* Whether other uploads should have a go before this one sends more. */
static bool turn_is_over(struct rqx__h2 *h2, const struct rqx__stream *stream)
{
    if (h2->turn_id != stream->id) {
        h2->turn_id = stream->id;
        h2->turn_bytes = 0;
    }
    return h2->uploads > 1 && h2->turn_bytes >= TURN_BYTES;
}

static void park(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    stream->flags |= RQX__H2_PARKED;
    rqx__list_remove(&stream->node);
    rqx__list_push_back(&h2->parked, &stream->node);
    h2->turn_bytes = 0;
}

bool rqx__h2_unpark(struct rqx__h2 *h2)
{
    bool any = false;

    while (!rqx__list_empty(&h2->parked)) {
        struct rqx__stream *stream = RQX__OF(h2->parked.next, struct rqx__stream, node);

        any = true;
        stream->flags &= (uint32_t)~RQX__H2_PARKED;
        rqx__list_remove(&stream->node);
        rqx__list_push_back(&h2->active, &stream->node);
        if (nghttp2_is_fatal(nghttp2_session_resume_data(h2->session, stream->id)))
            rqx__h2_fatal(h2, RQX_ERR_NOMEM);
    }
    return any;
}

/* How many bytes the next DATA frame may hold for |out| to stay under its limit; 0: none that is worth it. */
static size_t frame_room(const struct rqx__h2 *h2, size_t most)
{
    size_t room = h2->limit > h2->out->len ? h2->limit - h2->out->len : 0;

    if (room <= FRAME_HEADER)
        return 0;
    room -= FRAME_HEADER;
    if (room >= most)
        return most;
    return room < SMALLEST_FRAME && h2->out->len != 0 ? 0 : room;
}

/* pull_body() once, and again if it was resumed before it could say that it has nothing.  The stream may be gone after
 * it. */
static int ask(struct rqx__h2 *h2, struct rqx__stream *stream, uint8_t *to, size_t cap, size_t *ret_len, bool *ret_end)
{
    int rv;
    int i;

    for (i = 0; i < 2; i++) {
        *ret_len = 0;
        *ret_end = false;
        stream->flags &= (uint32_t)~RQX__H2_RESUMED;
        rv = stream->ops->pull_body(stream, to, cap, ret_len, ret_end);
        if (h2->cached != stream || rv != RQX_AGAIN || !(stream->flags & RQX__H2_RESUMED))
            break;
    }
    return rv;
}

/* Body bytes at |to|.  A body whose announced length is used up is asked for one byte that it must not have. */
static int pull(struct rqx__h2 *h2, struct rqx__stream *stream, uint8_t *to, size_t cap, size_t *ret_len, bool *ret_end)
{
    bool known = stream->request_length >= 0;
    uint64_t left = known ? (uint64_t)stream->request_length - stream->sent_bytes : UINT64_MAX;
    uint8_t surplus;
    int rv;

    *ret_len = 0;
    *ret_end = !stream->head_out->has_body;
    if (*ret_end)
        return 0;
    if (left == 0)
        rv = ask(h2, stream, &surplus, 1, ret_len, ret_end);
    else
        rv = ask(h2, stream, to, cap < left ? cap : (size_t)left, ret_len, ret_end);
    if (h2->cached != stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (rv == RQX_AGAIN || (rv == 0 && *ret_len == 0 && !*ret_end))
        return NGHTTP2_ERR_DEFERRED;
    if (rv < 0)
        rqx__h2_kill_code(h2, stream, rv);
    else if (left == 0 && *ret_len != 0)
        wrong_length(h2, stream, "longer");
    else if (known && *ret_end && *ret_len < left)
        wrong_length(h2, stream, "shorter");
    else
        return 0;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int end_of_body(struct rqx__h2 *h2, struct rqx__stream *stream, uint32_t *data_flags)
{
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->head_out->trailers == NULL || stream->head_out->trailers->count == 0)
        return 0;
    *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return submit_trailers(h2, stream);
}

/* The frame's payload goes to its place behind |out|'s tail now, and write_data() puts the header before it. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *data_flags,
                         nghttp2_data_source *source, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream = rqx__h2_stream(h2, id);
    size_t room;
    size_t len;
    bool end;
    int rv;

    (void)session;
    (void)buf;
    (void)source;
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (stream->flags & RQX__H2_EXPECTING)
        return NGHTTP2_ERR_DEFERRED;
    if (turn_is_over(h2, stream)) {
        park(h2, stream);
        return NGHTTP2_ERR_DEFERRED;
    }
    room = frame_room(h2, length);
    if (room == 0) {
        h2->out_full = true;
        return NGHTTP2_ERR_PAUSE;
    }
    rv = rqx__buf_reserve(h2->out, FRAME_HEADER + room);
    if (rv < 0) {
        rqx__h2_fatal(h2, rv);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    rv = pull(h2, stream, rqx__buf_tail(h2->out) + FRAME_HEADER, room, &len, &end);
    if (rv != 0)
        return rv;
    if (end && end_of_body(h2, stream, data_flags) < 0) {
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    h2->staged = len;
    return (ssize_t)len;
}

static int write_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd, size_t length,
                      nghttp2_data_source *source, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream = rqx__h2_stream(h2, frame->hd.stream_id);

    (void)session;
    (void)source;
    if (length != h2->staged)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(rqx__buf_tail(h2->out), framehd, FRAME_HEADER);
    rqx__buf_commit(h2->out, FRAME_HEADER + length);
    h2->turn_bytes += length;
    rqx__h2_guard_bytes(h2, length);
    if (stream != NULL)
        stream->sent_bytes += length;
    return 0;
}

/* ---- frames ---- */

static ssize_t write_frame(nghttp2_session *session, const uint8_t *data, size_t length, int flags, void *user)
{
    struct rqx__h2 *h2 = user;
    size_t room = h2->limit > h2->out->len ? h2->limit - h2->out->len : 0;
    int rv;

    (void)session;
    (void)flags;
    if (room < length) {
        h2->out_full = true;
        if (room == 0)
            return NGHTTP2_ERR_WOULDBLOCK;
        length = room;
    }
    rv = rqx__buf_append(h2->out, data, length);
    if (rv < 0) {
        rqx__h2_fatal(h2, rv);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return (ssize_t)length;
}

static void request_sent(struct rqx__h2 *h2, struct rqx__stream *stream, const nghttp2_frame *frame)
{
    if (frame->hd.type == NGHTTP2_HEADERS) {
        stream->flags |= RQX__H2_HEADERS_SENT;
        rqx__h2_guard_progress(h2);
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        stream->flags |= RQX__H2_LOCAL_DONE;
        upload_over(h2, stream);
        stream->ops->sent(stream);
        return;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && (stream->flags & RQX__H2_EXPECTING)) {
        uint64_t wait = h2->config.expect_timeout;

        stream->expect_at = wait < RQX__NEVER - h2->codec.now ? h2->codec.now + wait : RQX__NEVER;
        rqx__list_remove(&stream->node);
        rqx__list_push_back(&h2->expecting, &stream->node);
    }
}

void rqx__h2_expect_over(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    if (!(stream->flags & RQX__H2_EXPECTING))
        return;
    stream->flags &= (uint32_t)~RQX__H2_EXPECTING;
    rqx__list_remove(&stream->node);
    rqx__list_push_back(&h2->active, &stream->node);
    if (nghttp2_is_fatal(nghttp2_session_resume_data(h2->session, stream->id)))
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
}

/* nghttp2 ended the session: what its GOAWAY says is the reason. */
static void goaway_sent(struct rqx__h2 *h2, const nghttp2_goaway *goaway)
{
    char number[32];
    int len = goaway->opaque_data_len < 160 ? (int)goaway->opaque_data_len : 160;

    if (goaway->error_code == NGHTTP2_NO_ERROR || h2->fatal.code != 0)
        return;
    h2->dying = true;
    if (h2->invalid == NGHTTP2_ERR_SETTINGS_EXPECTED)
        rqx__err_set(&h2->fatal, RQX_ERR_PROTOCOL, "peer does not speak HTTP/2: no SETTINGS frame came first");
    else
        rqx__err_set(&h2->fatal, RQX_ERR_PROTOCOL, "%s: %s%s%.*s", rqx_error_text(RQX_ERR_PROTOCOL),
                     rqx__h2_code_name(goaway->error_code, number, sizeof number), len == 0 ? "" : ", ", len,
                     (const char *)goaway->opaque_data);
    h2->fatal.h2_code = goaway->error_code;
}

static int frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        stream = rqx__h2_stream(h2, frame->hd.stream_id);
        if (stream != NULL)
            request_sent(h2, stream, frame);
        break;
    case NGHTTP2_RST_STREAM:
        h2->codec.resets++;
        rqx__h2_reset_sent(h2, frame->hd.stream_id);
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            h2->settings_at = h2->codec.now;
        break;
    case NGHTTP2_GOAWAY:
        goaway_sent(h2, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

static int frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int nghttp2_error, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream;

    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || nghttp2_error != NGHTTP2_ERR_FRAME_SIZE_ERROR)
        return 0;
    stream = rqx__h2_stream(h2, frame->hd.stream_id);
    if (stream != NULL)
        stream->flags |= RQX__H2_TOO_LARGE;
    return 0;
}

/* ---- starting streams ---- */

bool rqx__h2_can_start(const struct rqx__h2 *h2)
{
    return h2->pending_count != 0 && h2->wire_count + rqx__h2_held(h2) < h2->peer_max && !h2->dying;
}

static int start(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    const struct rqx__head *head = stream->head_out;
    nghttp2_data_provider body = {.read_callback = read_body};
    bool upload = head->has_body || (head->trailers != NULL && head->trailers->count != 0);
    char length_text[RQX__H2_LENGTH_TEXT];
    int32_t id;

    if (rqx__h2_build_request(h2, stream, length_text) < 0)
        return RQX_ERR_NOMEM;
    id = nghttp2_submit_request(h2->session, NULL, h2->nva, h2->nv_count, upload ? &body : NULL, stream);
    if (id < 0)
        return rqx__h2_error_of(id);
    h2->ids_left--;
    h2->wire_count++;
    h2->pending_count--;
    stream->id = h2->last_id = id;
    rqx__list_remove(&stream->node);
    rqx__list_push_back(&h2->active, &stream->node);
    if (upload) {
        h2->uploads++;
        stream->flags |= RQX__H2_UPLOADING;
        if (head->expect_continue && head->has_body)
            stream->flags |= RQX__H2_EXPECTING;
    }
    return 0;
}

void rqx__h2_start_pending(struct rqx__h2 *h2)
{
    while (rqx__h2_can_start(h2)) {
        struct rqx__stream *stream = RQX__OF(h2->pending.next, struct rqx__stream, node);
        struct rqx__err err;
        int rv = start(h2, stream);

        if (rv < 0) {
            rqx__err_set(&err, rv, NULL);
            rqx__h2_finish(h2, stream, &err, RQX__CLOSE_UNPROCESSED);
        }
    }
}

void rqx__h2_send_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_callback(callbacks, write_frame);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, write_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, frame_not_sent);
}
