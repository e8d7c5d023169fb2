#include "proto/h2_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Streams that may be opened before the peer's SETTINGS tell how many (RFC 9113 section 6.5.2 recommends no less). */
#define UNKNOWN_MAX_STREAMS 100
/* Odd ids up to 2^31 - 1. */
#define ALL_IDS (UINT32_C(1) << 30)
/* Bytes given to nghttp2 at once. */
#define PIECE 16384
/* Acknowledgements that may wait to be sent. */
#define MAX_OUTBOUND_ACK 512
/* A request's fields as nghttp2 estimates them: two lists of RQX__HEADERS_MAX_BYTES, target and authority, and more. */
#define MAX_SEND_HEADER_BLOCK (4 * 1024 * 1024)
/* What may stand before GOAWAY: the rest of a frame that was begun. */
#define MAX_FAREWELL (2 * MAX_SEND_HEADER_BLOCK)

/* ---- errors ---- */

const char *rqx__h2_code_name(uint32_t code, char *buffer, size_t size)
{
    if (code <= NGHTTP2_HTTP_1_1_REQUIRED)
        return nghttp2_http2_strerror(code);
    snprintf(buffer, size, "error 0x%" PRIx32, code);
    return buffer;
}

int rqx__h2_error_of(int nghttp2_error)
{
    switch (nghttp2_error) {
    case NGHTTP2_ERR_NOMEM:
        return RQX_ERR_NOMEM;
    case NGHTTP2_ERR_FLOODED:
        return RQX_ERR_FLOOD;
    case NGHTTP2_ERR_CALLBACK_FAILURE:
    case NGHTTP2_ERR_INVALID_ARGUMENT:
    case NGHTTP2_ERR_INVALID_STATE:
        return RQX_ERR_INTERNAL;
    default:
        return RQX_ERR_PROTOCOL;
    }
}

int rqx__h2_fatal(struct rqx__h2 *h2, int code)
{
    h2->dying = true;
    if (code == RQX_ERR_NOMEM)
        h2->broken = true;
    if (h2->fatal.code == 0)
        rqx__err_set(&h2->fatal, code, NULL);
    return code;
}

void rqx__h2_goaway_error(const struct rqx__h2 *h2, struct rqx__err *ret_err)
{
    char number[32];
    bool wants_http1 = h2->goaway_code == NGHTTP2_HTTP_1_1_REQUIRED;
    bool told = h2->goaway_text[0] != '\0';

    rqx__err_set(ret_err, wants_http1 ? RQX_ERR_HTTP_1_1_REQUIRED : RQX_ERR_GOAWAY, "%s: %s%s%s%s",
                 rqx_error_text(RQX_ERR_GOAWAY), rqx__h2_code_name(h2->goaway_code, number, sizeof number),
                 told ? " (" : "", h2->goaway_text, told ? ")" : "");
    ret_err->h2_code = h2->goaway_code;
}

/* Copies why the session ended into |err|; gives its code. */
static int tell_fatal(struct rqx__h2 *h2, struct rqx__err *err)
{
    h2->told = true;
    if (err != NULL)
        *err = h2->fatal;
    return h2->fatal.code;
}

/* Whether there is an error that nobody knows of: it came up in a call that cannot fail. */
static bool untold(const struct rqx__h2 *h2)
{
    return h2->fatal.code != 0 && !h2->told && !h2->failed;
}

/* ---- streams ---- */

void rqx__h2_forget(struct rqx__h2 *h2, const struct rqx__stream *stream)
{
    if (h2->cached == stream)
        h2->cached = NULL;
}

/* Takes a stream out of everything that is ours. */
static void detach(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    rqx__h2_forget(h2, stream);
    rqx__list_remove(&stream->node);
    if (stream->id == 0)
        h2->pending_count--;
    if (stream->flags & RQX__H2_UPLOADING)
        h2->uploads--;
    stream->flags &= (uint32_t)~RQX__H2_UPLOADING;
    h2->codec.open_streams--;
    stream->codec = NULL;
}

void rqx__h2_finish(struct rqx__h2 *h2, struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    detach(h2, stream);
    if (!(stream->flags & RQX__H2_ANSWERED))
        flags |= RQX__CLOSE_NO_BYTES;
    stream->ops->closed(stream, err, flags);
}

/* Has nghttp2 reset a stream that it knows, and tell nobody of it. */
static void reset(struct rqx__h2 *h2, const struct rqx__stream *stream, uint32_t h2_code)
{
    if (h2->broken)
        return;
    nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
    if (nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, h2_code) != 0)
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
}

void rqx__h2_kill(struct rqx__h2 *h2, struct rqx__stream *stream, uint32_t h2_code, const struct rqx__err *err)
{
    if (stream->id != 0)
        reset(h2, stream, h2_code);
    rqx__h2_finish(h2, stream, err, 0);
}

void rqx__h2_kill_code(struct rqx__h2 *h2, struct rqx__stream *stream, int code)
{
    struct rqx__err err;

    rqx__err_set(&err, code, NULL);
    rqx__h2_kill(h2, stream, code == RQX_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL, &err);
}

static size_t capacity(const struct rqx__codec *codec)
{
    const struct rqx__h2 *h2 = rqx__h2_of(codec);
    size_t used = h2->wire_count + h2->pending_count;
    size_t counted = used + rqx__h2_held(h2);
    size_t ids = h2->ids_left - h2->pending_count;
    size_t room = h2->peer_max > counted ? h2->peer_max - counted : 0;
    size_t own = h2->config.max_streams > used ? h2->config.max_streams - used : 0;

    if (h2->draining || h2->dying)
        return 0;
    if (own < room)
        room = own;
    return room < ids ? room : ids;
}

static bool slice_is(rqx_slice slice, const char *text, size_t len)
{
    return slice.len == len && memcmp(slice.data, text, len) == 0;
}

static int submit(struct rqx__codec *codec, struct rqx__stream *stream, const struct rqx__head *head)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);
    int64_t length = rqx__h2_announced(head);

    if (length < RQX_LENGTH_UNKNOWN)
        return RQX_ERR_REQUEST_LENGTH;
    if (capacity(codec) == 0)
        return RQX_AGAIN;
    stream->codec = codec;
    stream->head_out = head;
    stream->id = 0;
    stream->content_length = RQX_LENGTH_UNKNOWN;
    stream->received = stream->sent_bytes = 0;
    stream->window_mark = stream->window_bytes = stream->unconsumed = 0;
    stream->request_length = length;
    stream->expect_at = RQX__NEVER;
    stream->window = h2->stream_window;
    stream->owed = stream->header_bytes = 0;
    stream->flags = 0;
    if (slice_is(head->method, "HEAD", 4))
        stream->flags |= RQX__H2_NO_BODY;
    else if (slice_is(head->method, "CONNECT", 7))
        stream->flags |= RQX__H2_TUNNEL;
    rqx__list_push_back(&h2->pending, &stream->node);
    h2->pending_count++;
    /* silence counts from when somebody waits for an answer */
    if (codec->open_streams++ == 0 && h2->last_sign < codec->now)
        h2->last_sign = codec->now;
    return 0;
}

static void cancel(struct rqx__codec *codec, struct rqx__stream *stream, uint32_t h2_code)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);
    uint32_t done = RQX__H2_LOCAL_DONE | RQX__H2_REMOTE_DONE;

    if (stream->codec != codec)
        return;
    if (stream->id != 0) {
        if ((stream->flags & done) == done)
            nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
        else
            reset(h2, stream, h2_code);
    }
    detach(h2, stream);
}

static int resume_body(struct rqx__codec *codec, struct rqx__stream *stream)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    stream->flags |= RQX__H2_RESUMED;
    /* held back for a reason of our own: the body is asked when that is over */
    if (stream->codec != codec || !(stream->flags & RQX__H2_UPLOADING) || h2->dying ||
        (stream->flags & (RQX__H2_EXPECTING | RQX__H2_PARKED)))
        return 0;
    if (nghttp2_is_fatal(nghttp2_session_resume_data(h2->session, stream->id)))
        return rqx__h2_fatal(h2, RQX_ERR_NOMEM);
    return 0;
}

static void consumed(struct rqx__codec *codec, struct rqx__stream *stream, size_t len)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    if (stream->codec == codec && !h2->dying)
        rqx__h2_window_consumed(h2, stream, len);
}

/* ---- bytes ---- */

/* nghttp2 found a violation and wants to say GOAWAY: has it written now, since only that tells what was wrong. */
static void write_farewell(struct rqx__h2 *h2)
{
    h2->dying = true;
    h2->out = &h2->farewell;
    h2->limit = MAX_FAREWELL;
    nghttp2_session_send(h2->session);
    h2->out = NULL;
    if (h2->fatal.code == 0)
        rqx__h2_fatal(h2, RQX_ERR_PROTOCOL);
}

/* Whether nghttp2 has decided to end the session.  Not to be seen after GOAWAY or with all ids used; then send() tells.
 */
static bool found_violation(const struct rqx__h2 *h2)
{
    return !h2->goaway && !h2->shut && h2->ids_left != 0 && !nghttp2_session_check_request_allowed(h2->session);
}

static void give(struct rqx__h2 *h2, const uint8_t *data, size_t len)
{
    ssize_t rv = nghttp2_session_mem_recv(h2->session, data, len);

    if (rv < 0)
        rqx__h2_fatal(h2, rqx__h2_error_of((int)rv));
    else if (found_violation(h2))
        write_farewell(h2);
}

/* A WINDOW_UPDATE of zero for a stream: nghttp2 gets one of one instead, and the stream is reset. */
static void refuse_zero_update(struct rqx__h2 *h2)
{
    static const uint8_t one = 1;
    int32_t id = h2->zero_update;
    struct rqx__stream *stream;
    struct rqx__err err;

    h2->zero_update = 0;
    h2->scan_zeros = false;
    h2->scan_left = 0;
    give(h2, &one, 1);
    stream = h2->fatal.code == 0 ? rqx__h2_stream(h2, id) : NULL;
    if (stream == NULL)
        return;
    rqx__err_set(&err, RQX_ERR_PROTOCOL, "%s: WINDOW_UPDATE of zero", rqx_error_text(RQX_ERR_PROTOCOL));
    err.h2_code = NGHTTP2_PROTOCOL_ERROR;
    rqx__h2_kill(h2, stream, NGHTTP2_PROTOCOL_ERROR, &err);
}

/*
 * The DATA frame that begins is for h2->headless, and nghttp2 has seen all before it: without HEADERS that is the end
 * of the stream.  As it is reset first, nghttp2 ignores the frame, and counts it for the connection's window.
 */
static void refuse_headless(struct rqx__h2 *h2)
{
    struct rqx__stream *stream = rqx__h2_stream(h2, h2->headless);
    struct rqx__err err;

    h2->headed = h2->headless;
    h2->headless = 0;
    if (stream == NULL || !(stream->flags & RQX__H2_HEADERS_SENT) || (stream->flags & RQX__H2_ANSWERED))
        return;
    rqx__err_set(&err, RQX_ERR_PROTOCOL, "%s: DATA before HEADERS", rqx_error_text(RQX_ERR_PROTOCOL));
    err.h2_code = NGHTTP2_PROTOCOL_ERROR;
    rqx__h2_kill(h2, stream, NGHTTP2_PROTOCOL_ERROR, &err);
}

/* Gives nghttp2 a piece that is small enough for what it brings to count before the next one's frames do. */
static void take_piece(struct rqx__h2 *h2, const uint8_t *data, size_t len)
{
    while (len != 0 && h2->fatal.code == 0) {
        ssize_t plain = rqx__h2_guard_scan(h2, data, len);

        if (plain < 0)
            return;
        if (plain != 0)
            give(h2, data, (size_t)plain);
        data += plain;
        len -= (size_t)plain;
        if (h2->zero_update != 0 && h2->fatal.code == 0) {
            refuse_zero_update(h2);
            data++;
            len--;
        }
        if (h2->headless != 0 && h2->fatal.code == 0)
            refuse_headless(h2);
    }
}

static int h2_recv(struct rqx__codec *codec, const uint8_t *data, size_t len, struct rqx__err *err)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    if (h2->dying)
        return tell_fatal(h2, err);
    h2->last_sign = codec->now;
    h2->ping_waits = false;
    while (len != 0 && h2->fatal.code == 0) {
        size_t piece = len < PIECE ? len : PIECE;

        take_piece(h2, data, piece);
        data += piece;
        len -= piece;
    }
    if (h2->fatal.code == 0)
        return 0;
    if (h2->fatal.code == RQX_ERR_FLOOD)
        nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
    return tell_fatal(h2, err);
}

static int eof(struct rqx__codec *codec, struct rqx__err *err)
{
    const struct rqx__h2 *h2 = rqx__h2_of(codec);
    struct rqx__err scratch;

    if (codec->open_streams == 0)
        return 0;
    if (err == NULL)
        err = &scratch;
    if (!h2->goaway)
        return rqx__err_set(err, RQX_ERR_TRUNCATED, NULL);
    rqx__h2_goaway_error(h2, err);
    return err->code;
}

static int take_farewell(struct rqx__h2 *h2)
{
    size_t room = h2->limit > h2->out->len ? h2->limit - h2->out->len : 0;
    size_t len = h2->farewell.len < room ? h2->farewell.len : room;
    int rv = rqx__buf_append(h2->out, rqx__buf_head(&h2->farewell), len);

    if (rv == 0)
        rqx__buf_consume(&h2->farewell, len);
    return rv;
}

static void write_frames(struct rqx__h2 *h2)
{
    bool more;
    int rv;

    do {
        rqx__h2_start_pending(h2);
        h2->out_full = false;
        rv = nghttp2_session_send(h2->session);
        if (rv < 0) {
            rqx__h2_fatal(h2, rqx__h2_error_of(rv));
            h2->broken = true;
        }
        if (h2->dying || h2->out_full)
            return;
        more = rqx__h2_unpark(h2) || rqx__h2_can_start(h2);
    } while (more);
}

static int h2_send(struct rqx__codec *codec, struct rqx__buf *out, size_t limit, struct rqx__err *err)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    h2->out = out;
    h2->limit = limit < out->max ? limit : out->max;
    if (h2->farewell.len != 0 && take_farewell(h2) < 0)
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
    if (h2->farewell.len == 0 && !h2->broken)
        write_frames(h2);
    h2->out = NULL;
    /* what was told before is not told again: the farewell is being drained */
    return h2->fatal.code == 0 || h2->told ? 0 : tell_fatal(h2, err);
}

static bool want_send(const struct rqx__codec *codec)
{
    const struct rqx__h2 *h2 = rqx__h2_of(codec);

    if (untold(h2))
        return true;
    if (h2->broken)
        return false;
    return h2->farewell.len != 0 || nghttp2_session_want_write(h2->session) || !rqx__list_empty(&h2->parked) ||
           rqx__h2_can_start(h2);
}

static bool want_recv(const struct rqx__codec *codec)
{
    (void)codec;
    return true;
}

/* ---- the connection's life ---- */

static enum rqx__codec_state state(const struct rqx__codec *codec)
{
    const struct rqx__h2 *h2 = rqx__h2_of(codec);

    if (!h2->draining && !h2->dying && h2->ids_left > h2->pending_count)
        return RQX__CODEC_OPEN;
    return codec->open_streams == 0 ? RQX__CODEC_CLOSED : RQX__CODEC_DRAINING;
}

bool rqx__h2_unprocessed(const struct rqx__h2 *h2, const struct rqx__stream *stream)
{
    if (!(stream->flags & RQX__H2_HEADERS_SENT))
        return true;
    /* one that was answered was worked on, whatever the peer says */
    if (!h2->goaway || stream->id <= h2->goaway_last || (stream->flags & RQX__H2_ANSWERED))
        return false;
    /* a connection that answers its first stream with an error would have it replayed on the next one for ever */
    return stream->id != 1 || h2->goaway_code == NGHTTP2_NO_ERROR || h2->goaway_code == NGHTTP2_HTTP_1_1_REQUIRED;
}

void rqx__h2_fail_list(struct rqx__h2 *h2, struct rqx__list *list, const struct rqx__err *err)
{
    while (!rqx__list_empty(list)) {
        struct rqx__stream *stream = RQX__OF(list->next, struct rqx__stream, node);

        if (stream->flags & RQX__H2_REMOTE_DONE)
            rqx__h2_finish(h2, stream, NULL, 0);
        else
            rqx__h2_finish(h2, stream, err, rqx__h2_unprocessed(h2, stream) ? RQX__CLOSE_UNPROCESSED : 0);
    }
}

void rqx__h2_withdraw_unsent(struct rqx__h2 *h2, const struct rqx__err *err)
{
    struct rqx__list unsent;
    struct rqx__list *node;
    struct rqx__list *next;

    rqx__list_init(&unsent);
    RQX__LIST_EACH(&h2->active, node, next)
    {
        const struct rqx__stream *stream = RQX__OF(node, struct rqx__stream, node);

        /* nghttp2 makes a stream when it begins to write its header section */
        if (!(stream->flags & RQX__H2_HEADERS_SENT) && nghttp2_session_find_stream(h2->session, stream->id) == NULL) {
            rqx__list_remove(node);
            rqx__list_push_back(&unsent, node);
        }
    }
    /* an owner that is told may cancel others: they leave the list by themselves */
    while (!rqx__list_empty(&unsent)) {
        struct rqx__stream *stream = RQX__OF(unsent.next, struct rqx__stream, node);

        reset(h2, stream, NGHTTP2_CANCEL);
        rqx__h2_finish(h2, stream, err, RQX__CLOSE_UNPROCESSED);
    }
}

static void fail(struct rqx__codec *codec, const struct rqx__err *err)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    h2->failed = h2->draining = h2->dying = true;
    rqx__h2_fail_list(h2, &h2->active, err);
    rqx__h2_fail_list(h2, &h2->expecting, err);
    rqx__h2_fail_list(h2, &h2->parked, err);
    rqx__h2_fail_list(h2, &h2->pending, err);
}

static void shutdown(struct rqx__codec *codec)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    if (h2->shut || h2->dying)
        return;
    h2->shut = h2->draining = true;
    if (nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, NULL, 0) != 0)
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
}

static uint64_t next_deadline(const struct rqx__codec *codec)
{
    const struct rqx__h2 *h2 = rqx__h2_of(codec);
    uint64_t alive = rqx__h2_liveness_deadline(h2);
    uint64_t reset = rqx__h2_reset_deadline(h2);
    uint64_t expect = RQX__NEVER;

    if (untold(h2))
        return codec->now;
    if (!rqx__list_empty(&h2->expecting))
        expect = RQX__OF(h2->expecting.next, struct rqx__stream, node)->expect_at;
    if (reset < alive)
        alive = reset;
    return alive < expect ? alive : expect;
}

static int tick(struct rqx__codec *codec, struct rqx__err *err)
{
    struct rqx__h2 *h2 = rqx__h2_of(codec);

    if (h2->dying)
        return h2->failed ? 0 : tell_fatal(h2, err);
    while (!rqx__list_empty(&h2->expecting)) {
        struct rqx__stream *stream = RQX__OF(h2->expecting.next, struct rqx__stream, node);

        if (stream->expect_at > codec->now)
            break;
        rqx__h2_expect_over(h2, stream);
    }
    rqx__h2_reset_tick(h2);
    rqx__h2_liveness_tick(h2);
    return h2->fatal.code == 0 ? 0 : tell_fatal(h2, err);
}

static void h2_free(struct rqx__codec *codec)
{
    struct rqx__h2 *h2;

    if (codec == NULL)
        return;
    h2 = rqx__h2_of(codec);
    /* callbacks that tell of streams are over */
    h2->failed = true;
    if (!h2->broken)
        nghttp2_session_del(h2->session);
    rqx__h2_mem_done(h2);
    rqx__buf_done(&h2->farewell);
    rqx__free(h2->nva);
    rqx__free(h2);
}

static const struct rqx__codec_ops h2_ops = {
    .name = "h2",
    .version = RQX_HTTP_2,
    .submit = submit,
    .cancel = cancel,
    .resume_body = resume_body,
    .consumed = consumed,
    .recv = h2_recv,
    .eof = eof,
    .send = h2_send,
    .want_send = want_send,
    .want_recv = want_recv,
    .capacity = capacity,
    .state = state,
    .fail = fail,
    .shutdown = shutdown,
    .next_deadline = next_deadline,
    .tick = tick,
    .free = h2_free,
};

/* ---- making one ---- */

static void set_options(const struct rqx__h2 *h2, nghttp2_option *option)
{
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(option, UNKNOWN_MAX_STREAMS);
    nghttp2_option_set_max_outbound_ack(option, MAX_OUTBOUND_ACK);
    nghttp2_option_set_max_send_header_block_length(option, MAX_SEND_HEADER_BLOCK);
    /* common on servers that translate from HTTP/1.1; h2_recv.c trims */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
    /* h2_guard.c counts them too, and tells why */
    nghttp2_option_set_max_continuations(option, h2->max_continuations + 1);
#else
    (void)h2;
#endif
}

/* The callbacks and options objects are nghttp2's own affair, and copied by it: they are the only memory here that does
   not come from mem.h. */
static int new_session(struct rqx__h2 *h2)
{
    nghttp2_mem mem;
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int rv = NGHTTP2_ERR_NOMEM;

    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        rqx__h2_send_callbacks(callbacks);
        rqx__h2_recv_callbacks(callbacks);
        set_options(h2, option);
        rqx__h2_mem_init(h2, &mem);
        rv = nghttp2_session_client_new3(&h2->session, callbacks, h2, option, &mem);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return rv == 0 ? 0 : RQX_ERR_NOMEM;
}

/* The first SETTINGS and the connection's window (RFC 9113 section 3.4). */
static int submit_preface(struct rqx__h2 *h2)
{
    const nghttp2_settings_entry settings[] = {
        /* what was pushed before the peer saw this is refused by nghttp2, and still decoded (RFC 9113 section 8.4) */
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, h2->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, h2->max_list},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };

    if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]) != 0)
        return RQX_ERR_NOMEM;
    if (nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)h2->conn_window) != 0)
        return RQX_ERR_NOMEM;
    return 0;
}

int rqx__h2_new(const struct rqx__codec_config *config, struct rqx__codec **ret_codec)
{
    struct rqx__h2 *h2 = rqx__calloc(1, sizeof *h2);
    int rv;

    if (h2 == NULL)
        return RQX_ERR_NOMEM;
    h2->codec.ops = &h2_ops;
    h2->config = *config;
    rqx__list_init(&h2->blocks);
    rqx__list_init(&h2->pending);
    rqx__list_init(&h2->active);
    rqx__list_init(&h2->expecting);
    rqx__list_init(&h2->parked);
    rqx__buf_init(&h2->farewell, MAX_FAREWELL);
    h2->max_list = config->max_header_list < UINT32_MAX ? (uint32_t)config->max_header_list : UINT32_MAX;
    h2->peer_max = UNKNOWN_MAX_STREAMS;
    h2->ids_left = ALL_IDS;
    rqx__h2_window_init(h2);
    rqx__h2_guard_init(h2);
    rv = new_session(h2);
    if (rv == 0)
        rv = submit_preface(h2);
    if (rv < 0) {
        h2_free(&h2->codec);
        return rv;
    }
    *ret_codec = &h2->codec;
    return 0;
}

const char *rqx__h2_library(void)
{
    return nghttp2_version(0)->version_str;
}
