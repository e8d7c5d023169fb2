/*
 * h2_recv.c - nghttp2's callbacks for what comes in, turned into upcalls.
 *
 * An upcall may cancel its own stream, and its owner may free it then: h2->cached, which is the stream of the frame at
 * hand, tells whether it is still there.
 */
#include "proto/h2_internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

/* RFC 9113 section 6.5.2: what a field counts beyond its text. */
#define FIELD_OVERHEAD 32

struct rqx__stream *rqx__h2_stream(struct rqx__h2 *h2, int32_t id)
{
    struct rqx__stream *stream;

    if (h2->failed)
        return NULL;
    if (h2->cached != NULL && h2->cached_id == id)
        return h2->cached;
    stream = nghttp2_session_get_stream_user_data(h2->session, id);
    if (stream != NULL) {
        h2->cached = stream;
        h2->cached_id = id;
    }
    return stream;
}

/* Deals with the result of an upcall for |stream|: whether the stream goes on. */
static bool goes_on(struct rqx__h2 *h2, struct rqx__stream *stream, int rv)
{
    if (h2->cached != stream)
        return false;
    if (rv >= 0)
        return true;
    rqx__h2_kill_code(h2, stream, rv);
    return false;
}

/* ---- header sections ---- */

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rqx__h2 *h2 = user;

    (void)session;
    h2->status = 0;
    if (rqx__h2_held(h2) != 0 || h2->resets.ping_blocked)
        rqx__h2_reset_answered(h2, frame->hd.stream_id);
    return 0;
}

/* Closes the stream as nghttp2 does for a field that it refuses. */
static void bad_field(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    struct rqx__err err;

    rqx__err_set(&err, RQX_ERR_PROTOCOL, "%s: malformed field in a header section", rqx_error_text(RQX_ERR_PROTOCOL));
    err.h2_code = NGHTTP2_PROTOCOL_ERROR;
    rqx__h2_kill(h2, stream, NGHTTP2_PROTOCOL_ERROR, &err);
}

/* nghttp2 checked that it is three digits, but takes 000 to 099 for a final response (RFC 9110 section 15). */
static int begin_section(struct rqx__h2 *h2, struct rqx__stream *stream, const uint8_t *value, size_t len)
{
    uint64_t status = 0;

    if (rqx__parse_u64((const char *)value, len, 999, &status) != 0 || status < 100) {
        bad_field(h2, stream);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    h2->status = (int)status;
    stream->flags |= RQX__H2_ANSWERED;
    if (!goes_on(h2, stream, stream->ops->head(stream, h2->status, (rqx_slice){"", 0}, RQX_HTTP_2)))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

static void note_length(struct rqx__stream *stream, rqx_slice value)
{
    uint64_t length;

    if (rqx__parse_u64(value.data, value.len, INT64_MAX, &length) == 0)
        stream->content_length = (int64_t)length;
}

static void list_too_large(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    struct rqx__err err;

    rqx__err_set(&err, RQX_ERR_HEADER_TOO_LARGE, "header section too large: more than %" PRIu32 " bytes", h2->max_list);
    rqx__h2_kill(h2, stream, NGHTTP2_ENHANCE_YOUR_CALM, &err);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The value without white space around it, which h2.c has nghttp2 tolerate. */
static rqx_slice value_text(const uint8_t *value, size_t len)
{
    rqx_slice text = {(const char *)value, len};

    return len != 0 && (is_space(value[0]) || is_space(value[len - 1])) ? rqx__trim(text) : text;
}

/* TEMPORAL_CALLBACK_FAILURE makes nghttp2 decode the rest of the section, which keeps the decoder's table right, and
   tell us no more of it.  RST_STREAM is queued by then, so that nghttp2 adds none of its own. */
static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                  const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream = rqx__h2_stream(h2, frame->hd.stream_id);
    rqx_slice text;
    bool trailer;

    (void)session;
    (void)flags;
    if (stream == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (name_len + value_len + FIELD_OVERHEAD > h2->max_list - stream->header_bytes) {
        list_too_large(h2, stream);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->header_bytes += (uint32_t)(name_len + value_len + FIELD_OVERHEAD);
    if (name[0] == ':')
        return begin_section(h2, stream, value, value_len);
    text = value_text(value, value_len);
    trailer = stream->flags & RQX__H2_FINAL;
    if (name_len == 14 && !trailer && h2->status >= 200 && memcmp(name, "content-length", 14) == 0)
        note_length(stream, text);
    if (!goes_on(h2, stream, stream->ops->field(stream, (const char *)name, name_len, text.data, text.len, trailer)))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

/* RFC 9113 section 8.2.1: a field that is not valid makes the whole message malformed. */
static int invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                          const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    (void)session;
    (void)frame;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)user;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* How many bytes of body follow a final header section with |status|. */
static int64_t body_to_come(const struct rqx__stream *stream, int status, bool end_stream)
{
    if ((stream->flags & RQX__H2_TUNNEL) && status < 300)
        return RQX_LENGTH_UNKNOWN;
    if (end_stream || (stream->flags & RQX__H2_NO_BODY) || status == 204 || status == 304)
        return 0;
    return stream->content_length;
}

static bool section_done(struct rqx__h2 *h2, struct rqx__stream *stream, const nghttp2_frame *frame)
{
    bool end_stream = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    bool trailers = stream->flags & RQX__H2_FINAL;
    int status = h2->status;
    int64_t length = 0;

    if (trailers)
        return true;
    if (status >= 200) {
        rqx__h2_guard_progress(h2);
        stream->flags |= RQX__H2_FINAL;
        length = stream->content_length = body_to_come(stream, status, end_stream);
    }
    if (!goes_on(h2, stream, stream->ops->head_done(stream, status, length)))
        return false;
    /* RFC 9110 section 10.1.1; an answer that is no success makes the body most likely unwanted, but only its end, or
       the time, decides that */
    if (status == 100 || (status >= 200 && status < 300))
        rqx__h2_expect_over(h2, stream);
    return true;
}

/* ---- bodies ---- */

static void length_error(const struct rqx__stream *stream, struct rqx__err *err)
{
    rqx__err_set(err, RQX_ERR_RESPONSE_LENGTH, "%s of %" PRId64 " bytes", rqx_error_text(RQX_ERR_RESPONSE_LENGTH),
                 stream->content_length);
}

/* nghttp2 counts too, but not what answers CONNECT, of which all but a tunnel has a length. */
static bool has_length(struct rqx__h2 *h2, struct rqx__stream *stream, bool complete)
{
    uint64_t length = (uint64_t)stream->content_length;
    struct rqx__err err;

    if (stream->content_length < 0 || stream->received == length || (stream->received < length && !complete))
        return true;
    length_error(stream, &err);
    err.h2_code = NGHTTP2_PROTOCOL_ERROR;
    rqx__h2_kill(h2, stream, NGHTTP2_PROTOCOL_ERROR, &err);
    return false;
}

static int data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream;

    (void)session;
    if (rqx__h2_window_received(h2, len) < 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (h2->resets.ping_blocked)
        rqx__h2_reset_answered(h2, id);
    stream = rqx__h2_stream(h2, id);
    if (stream == NULL)
        return 0;
    stream->received += len;
    if (!has_length(h2, stream, false))
        return 0;
    rqx__h2_guard_bytes(h2, len);
    if (flags & NGHTTP2_FLAG_PADDED)
        rqx__h2_guard_padded(h2);
    rqx__h2_window_delivered(h2, stream, len);
    goes_on(h2, stream, stream->ops->data(stream, data, len));
    return 0;
}

/* END_STREAM came.  nghttp2 closes the stream when the request is sent too; a request that is not will never be of use
   (RFC 9113 section 8.1), but for a tunnel, whose two directions end each for itself. */
static void remote_end(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    bool cut = !(stream->flags & (RQX__H2_LOCAL_DONE | RQX__H2_TUNNEL));

    if (!has_length(h2, stream, true))
        return;
    stream->flags |= RQX__H2_REMOTE_DONE;
    if (cut)
        stream->ops->body_refused(stream);
    if (h2->cached != stream)
        return;
    stream->ops->end(stream);
    if (h2->cached == stream && cut)
        rqx__h2_kill(h2, stream, NGHTTP2_NO_ERROR, NULL);
}

/* ---- frames of the connection ---- */

static void settings_received(struct rqx__h2 *h2, const nghttp2_frame *frame)
{
    if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
        h2->peer_max = nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
        return;
    }
    if (h2->settings_at != 0)
        rqx__h2_window_round_trip(h2, h2->codec.now - h2->settings_at);
    h2->settings_at = 0;
}

static void note_goaway_text(struct rqx__h2 *h2, const nghttp2_goaway *goaway)
{
    size_t i;

    for (i = 0; i < goaway->opaque_data_len && i < sizeof h2->goaway_text - 1; i++) {
        uint8_t c = goaway->opaque_data[i];

        h2->goaway_text[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    h2->goaway_text[i] = '\0';
}

/* RFC 9113 section 6.8.  A first GOAWAY with 2^31 - 1 warns, a later one tells the truth; nghttp2 sees to it that the
   id never grows, and closes the streams above it after this. */
static void goaway_received(struct rqx__h2 *h2, const nghttp2_goaway *goaway)
{
    struct rqx__err err;

    h2->goaway_last = goaway->last_stream_id;
    if (!h2->goaway || h2->goaway_code == NGHTTP2_NO_ERROR) {
        h2->goaway_code = goaway->error_code;
        note_goaway_text(h2, goaway);
    }
    h2->goaway = h2->draining = true;
    if (goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM)
        rqx__h2_guard_calm(h2);
    rqx__h2_goaway_error(h2, &err);
    rqx__h2_fail_list(h2, &h2->pending, &err);
    /* nghttp2 would send none of those any more, but keeps them until the peer's limit lets it look at them */
    rqx__h2_withdraw_unsent(h2, &err);
}

static void message_frame(struct rqx__h2 *h2, const nghttp2_frame *frame)
{
    struct rqx__stream *stream = rqx__h2_stream(h2, frame->hd.stream_id);

    if (stream == NULL)
        return;
    if (frame->hd.type == NGHTTP2_HEADERS && !section_done(h2, stream, frame))
        return;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        remote_end(h2, stream);
}

static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        message_frame(h2, frame);
        break;
    case NGHTTP2_RST_STREAM:
        stream = rqx__h2_stream(h2, frame->hd.stream_id);
        if (stream != NULL)
            stream->flags |= RQX__H2_RESET_BY_PEER;
        break;
    case NGHTTP2_SETTINGS:
        settings_received(h2, frame);
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            rqx__h2_ping_acknowledged(h2, frame->ping.opaque_data);
        break;
    case NGHTTP2_GOAWAY:
        goaway_received(h2, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

/* ---- the end of streams ---- */

/* The peer reset the stream with |code|. */
static unsigned reset_error(const struct rqx__stream *stream, uint32_t code, struct rqx__err *err)
{
    char number[32];
    const char *name = rqx__h2_code_name(code, number, sizeof number);
    bool answered = stream->flags & RQX__H2_ANSWERED;
    unsigned flags = 0;

    switch (code) {
    case NGHTTP2_REFUSED_STREAM:
        /* one that was answered was worked on, whatever the peer says */
        flags = answered ? 0 : RQX__CLOSE_UNPROCESSED;
        rqx__err_set(err, RQX_ERR_REFUSED, "%s: %s", rqx_error_text(RQX_ERR_REFUSED), name);
        break;
    case NGHTTP2_HTTP_1_1_REQUIRED:
        flags = answered ? 0 : RQX__CLOSE_UNPROCESSED;
        rqx__err_set(err, RQX_ERR_HTTP_1_1_REQUIRED, "%s: %s", rqx_error_text(RQX_ERR_HTTP_1_1_REQUIRED), name);
        break;
    case NGHTTP2_NO_ERROR:
        rqx__err_set(err, RQX_ERR_STREAM_RESET, "%s before the response was complete: %s",
                     rqx_error_text(RQX_ERR_STREAM_RESET), name);
        break;
    default:
        rqx__err_set(err, RQX_ERR_STREAM_RESET, "%s: %s", rqx_error_text(RQX_ERR_STREAM_RESET), name);
        break;
    }
    err->h2_code = code;
    return flags;
}

/* nghttp2 gave the request up before it was sent. */
static void unsent_error(const struct rqx__h2 *h2, const struct rqx__stream *stream, struct rqx__err *err)
{
    if (stream->flags & RQX__H2_TOO_LARGE)
        rqx__err_set(err, RQX_ERR_HEADER_TOO_LARGE, "request's header section too large");
    else if (h2->goaway)
        rqx__h2_goaway_error(h2, err);
    else
        rqx__err_set(err, RQX_ERR_REFUSED, "connection closing, request not sent");
}

/* nghttp2 reset the stream for what the peer sent on it. */
static void violation_error(const struct rqx__stream *stream, uint32_t code, struct rqx__err *err)
{
    char number[32];

    /* the one violation that is not told to invalid_frame(), but for a body before the header section */
    if (code == NGHTTP2_PROTOCOL_ERROR && stream->content_length >= 0)
        length_error(stream, err);
    else
        rqx__err_set(err, RQX_ERR_PROTOCOL, "%s: %s", rqx_error_text(RQX_ERR_PROTOCOL),
                     rqx__h2_code_name(code, number, sizeof number));
    err->h2_code = code;
}

static int stream_closed(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream = rqx__h2_stream(h2, id);
    struct rqx__err err;
    unsigned flags = 0;

    (void)session;
    /* even ids are pushes that were refused */
    if (id & 1)
        h2->wire_count--;
    if (stream == NULL)
        return 0;
    if (stream->flags & RQX__H2_REMOTE_DONE) {
        rqx__h2_finish(h2, stream, NULL, 0);
        return 0;
    }
    if (stream->flags & RQX__H2_RESET_BY_PEER) {
        flags = reset_error(stream, code, &err);
    } else if (!(stream->flags & RQX__H2_HEADERS_SENT)) {
        unsent_error(h2, stream, &err);
        flags = RQX__CLOSE_UNPROCESSED;
    } else if (h2->goaway && id > h2->goaway_last) {
        rqx__h2_goaway_error(h2, &err);
        flags = rqx__h2_unprocessed(h2, stream) ? RQX__CLOSE_UNPROCESSED : 0;
    } else {
        violation_error(stream, code, &err);
    }
    rqx__h2_finish(h2, stream, &err, flags);
    return 0;
}

/* A malformed message is the end of its stream alone (RFC 9113 section 8.1.1), for which nghttp2 has queued RST_STREAM.
   Other codes come for streams and connections alike: they are seen when the stream closes, or GOAWAY is made. */
static int invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int nghttp2_error, void *user)
{
    struct rqx__h2 *h2 = user;
    struct rqx__stream *stream = frame->hd.stream_id == 0 ? NULL : rqx__h2_stream(h2, frame->hd.stream_id);
    struct rqx__err err;

    h2->invalid = nghttp2_error;
    if (stream == NULL || (nghttp2_error != NGHTTP2_ERR_HTTP_HEADER && nghttp2_error != NGHTTP2_ERR_HTTP_MESSAGING))
        return 0;
    if (nghttp2_error == NGHTTP2_ERR_HTTP_MESSAGING && h2->status >= 200 && stream->content_length > 0 &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        length_error(stream, &err);
    else
        rqx__err_set(&err, RQX_ERR_PROTOCOL, "%s: malformed %s", rqx_error_text(RQX_ERR_PROTOCOL),
                     nghttp2_error == NGHTTP2_ERR_HTTP_HEADER ? "field in a header section" : "message");
    err.h2_code = NGHTTP2_PROTOCOL_ERROR;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, NULL);
    rqx__h2_finish(h2, stream, &err, 0);
    return 0;
}

static int session_error(nghttp2_session *session, int nghttp2_error, const char *text, size_t len, void *user)
{
    struct rqx__h2 *h2 = user;

    (void)session;
    (void)text;
    (void)len;
    h2->invalid = nghttp2_error;
    return 0;
}

void rqx__h2_recv_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    nghttp2_session_callbacks_set_error_callback2(callbacks, session_error);
}
