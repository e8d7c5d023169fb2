/*
 * h2_send.c - requests as nghttp2 wants them: field lists, bodies, trailers.
 */
#include "proto/h2_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* How much of one upload is sent while others wait for their turn. */
#define TURN_BYTES (64 * 1024)
/* A DATA frame smaller than this is not worth its header, unless the buffer is empty. */
#define SMALLEST_FRAME 1024
#define FRAME_HEADER 9
/* RFC 7541 section 7.1.3: a short secret can be guessed by trying, so that it never enters a table. */
#define SHORT_COOKIE 20

/* ---- field lists ---- */

static int push(struct rqx__h2 *h2, const char *name, size_t name_len, const char *value, size_t value_len, uint8_t flags)
{
    nghttp2_nv *nv;

    if (h2->nv_count == h2->nv_cap) {
        size_t cap = h2->nv_cap == 0 ? 32 : h2->nv_cap * 2;
        nghttp2_nv *nva = rqx__realloc(h2->nva, cap * sizeof *nva);

        if (nva == NULL)
            return RQX_ERR_NOMEM;
        h2->nva = nva;
        h2->nv_cap = cap;
    }
    nv = &h2->nva[h2->nv_count++];
    /* nghttp2 does not write there */
    nv->name = (uint8_t *)(uintptr_t)name;
    nv->namelen = name_len;
    nv->value = (uint8_t *)(uintptr_t)value;
    nv->valuelen = value_len;
    nv->flags = flags;
    return 0;
}

#define ALIVE (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)
#define PUSH_SLICE(h2, name, slice) push((h2), (name), sizeof(name) - 1, (slice).data, (slice).len, ALIVE)

/* RFC 9113 section 8.2.3: one field for each pair, so that the unchanged ones are found in the table. */
static int push_cookie(struct rqx__h2 *h2, const char *value, size_t len)
{
    int rv = 0;

    while (rv == 0) {
        const char *cut = memchr(value, ';', len);
        size_t crumb = cut == NULL ? len : (size_t)(cut - value);
        uint8_t flags = ALIVE;

        if (crumb < SHORT_COOKIE)
            flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        rv = push(h2, "cookie", 6, value, crumb, flags);
        if (cut == NULL)
            break;
        value += crumb + 1;
        len -= crumb + 1;
        while (len > 0 && *value == ' ') {
            value++;
            len--;
        }
        if (len == 0)
            break;
    }
    return rv;
}

/* Whether a Connection field of |headers| names |field| (RFC 9110 section 7.6.1). */
static bool named_by_connection(const struct rqx_headers *headers, const struct rqx__field *field)
{
    size_t i;

    for (i = 0; i < headers->count; i++) {
        const struct rqx__field *other = &headers->fields[i];

        if (other->id == RQX__FIELD_CONNECTION &&
            rqx__list_has((rqx_slice){other->value, other->value_len}, field->lname))
            return true;
    }
    return false;
}

static bool has_connection(const struct rqx_headers *headers)
{
    size_t i;

    for (i = 0; i < headers->count; i++) {
        if (headers->fields[i].id == RQX__FIELD_CONNECTION)
            return true;
    }
    return false;
}

static int push_field(struct rqx__h2 *h2, const struct rqx__field *field)
{
    uint8_t flags = ALIVE;

    switch (field->id) {
    case RQX__FIELD_CONNECTION:
    case RQX__FIELD_KEEP_ALIVE:
    case RQX__FIELD_PROXY_CONNECTION:
    case RQX__FIELD_TRANSFER_ENCODING:
    case RQX__FIELD_UPGRADE:
    case RQX__FIELD_HOST:           /* is :authority */
    case RQX__FIELD_CONTENT_LENGTH: /* the body's own, see push_length() */
        return 0;
    case RQX__FIELD_TE:
        /* RFC 9113 section 8.2.2 */
        if (!rqx__list_has((rqx_slice){field->value, field->value_len}, "trailers"))
            return 0;
        return push(h2, "te", 2, "trailers", 8, ALIVE);
    case RQX__FIELD_COOKIE:
        return push_cookie(h2, field->value, field->value_len);
    case RQX__FIELD_AUTHORIZATION:
    case RQX__FIELD_PROXY_AUTHORIZATION:
        flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        break;
    default:
        break;
    }
    return push(h2, field->lname, field->name_len, field->value, field->value_len, flags);
}

static bool same_name(const struct rqx__field *a, const struct rqx__field *b)
{
    return a->id == b->id && a->name_len == b->name_len && memcmp(a->lname, b->lname, a->name_len) == 0;
}

static bool has_field(const struct rqx_headers *headers, const struct rqx__field *field)
{
    size_t i;

    for (i = 0; i < headers->count; i++) {
        if (same_name(&headers->fields[i], field))
            return true;
    }
    return false;
}

static bool has_authorization(const struct rqx_headers *headers)
{
    size_t i;

    for (i = 0; headers != NULL && i < headers->count; i++) {
        if (headers->fields[i].id == RQX__FIELD_AUTHORIZATION)
            return true;
    }
    return false;
}

static int push_fields(struct rqx__h2 *h2, const struct rqx_headers *headers)
{
    bool connection;
    size_t i;
    int rv = 0;

    if (headers == NULL)
        return 0;
    connection = has_connection(headers);
    for (i = 0; i < headers->count && rv == 0; i++) {
        const struct rqx__field *field = &headers->fields[i];

        /* TE is always named there on HTTP/1.1, and has a rule of its own */
        if (connection && field->id != RQX__FIELD_TE && named_by_connection(headers, field))
            continue;
        rv = push_field(h2, field);
    }
    return rv;
}

/* Those of |defaults| that the request does not set itself. */
static int push_defaults(struct rqx__h2 *h2, const struct rqx__head *head)
{
    const struct rqx_headers *defaults = head->defaults;
    bool connection;
    size_t i;
    int rv = 0;

    if (defaults == NULL)
        return 0;
    connection = has_connection(defaults);
    for (i = 0; i < defaults->count && rv == 0; i++) {
        const struct rqx__field *field = &defaults->fields[i];

        if (head->fields != NULL && has_field(head->fields, field))
            continue;
        if (field->id == RQX__FIELD_AUTHORIZATION && head->authorization.data != NULL)
            continue;
        if (connection && field->id != RQX__FIELD_TE && named_by_connection(defaults, field))
            continue;
        rv = push_field(h2, field);
    }
    return rv;
}

/* The Content-Length that the user gave; RQX_LENGTH_UNKNOWN if there is none that is a number. */
static int64_t given_length(const struct rqx_headers *headers)
{
    uint64_t value;
    size_t i;

    for (i = 0; headers != NULL && i < headers->count; i++) {
        const struct rqx__field *field = &headers->fields[i];

        if (field->id == RQX__FIELD_CONTENT_LENGTH &&
            rqx__parse_u64(field->value, field->value_len, INT64_MAX, &value) == 0)
            return (int64_t)value;
    }
    return RQX_LENGTH_UNKNOWN;
}

int64_t rqx__h2_announced(const struct rqx__head *head)
{
    int64_t given = given_length(head->fields);
    int64_t actual = RQX_LENGTH_UNKNOWN;

    if (head->has_body)
        actual = head->body_length;
    else if (head->send_zero_length || given >= 0)
        actual = 0;
    if (given >= 0 && actual >= 0 && given != actual)
        return RQX_LENGTH_UNKNOWN - 1;
    return given >= 0 ? given : actual;
}

/* |text| has room for a number; nghttp2 copies it. */
static int push_length(struct rqx__h2 *h2, int64_t length, char text[24])
{
    int len;

    if (length < 0)
        return 0;
    len = snprintf(text, 24, "%" PRId64, length);
    return push(h2, "content-length", 14, text, (size_t)len, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static int push_authorization(struct rqx__h2 *h2, const struct rqx__head *head)
{
    if (head->authorization.data == NULL || has_authorization(head->fields))
        return 0;
    return push(h2, "authorization", 13, head->authorization.data, head->authorization.len,
                ALIVE | NGHTTP2_NV_FLAG_NO_INDEX);
}

/* RFC 9113 section 8.3.1; CONNECT has neither scheme nor path (section 8.5). */
static int push_pseudo(struct rqx__h2 *h2, const struct rqx__stream *stream)
{
    const struct rqx__head *head = stream->head_out;
    bool tunnel = stream->flags & RQX__H2_TUNNEL;
    int rv = PUSH_SLICE(h2, ":method", head->method);

    if (rv == 0 && !tunnel)
        rv = PUSH_SLICE(h2, ":scheme", head->scheme);
    if (rv == 0)
        rv = PUSH_SLICE(h2, ":authority", head->authority);
    if (rv == 0 && !tunnel)
        rv = PUSH_SLICE(h2, ":path", head->target);
    return rv;
}

static int build_request(struct rqx__h2 *h2, const struct rqx__stream *stream, char length_text[24])
{
    const struct rqx__head *head = stream->head_out;
    int rv;

    h2->nv_count = 0;
    rv = push_pseudo(h2, stream);
    if (rv == 0)
        rv = push_defaults(h2, head);
    if (rv == 0)
        rv = push_fields(h2, head->fields);
    if (rv == 0)
        rv = push_authorization(h2, head);
    if (rv == 0)
        rv = push_length(h2, stream->request_length, length_text);
    return rv;
}

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

    h2->nv_count = 0;
    rv = push_fields(h2, stream->head_out->trailers);
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
            rqx__h2_fatal(h2, RQX_ERR_NOMEM, NULL);
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

/* Asks for body bytes at |to|.  A body whose announced length is used up is asked for one byte that it must not have. */
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
        rv = stream->ops->pull_body(stream, &surplus, 1, ret_len, ret_end);
    else
        rv = stream->ops->pull_body(stream, to, cap < left ? cap : (size_t)left, ret_len, ret_end);
    if (h2->cached != stream)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (rv == RQX_AGAIN)
        return NGHTTP2_ERR_DEFERRED;
    if (rv < 0)
        rqx__h2_kill_code(h2, stream, rv);
    else if (left == 0 && *ret_len != 0)
        wrong_length(h2, stream, "longer");
    else if (known && *ret_end && *ret_len < left)
        wrong_length(h2, stream, "shorter");
    else if (*ret_len == 0 && !*ret_end)
        return NGHTTP2_ERR_DEFERRED;
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
        rqx__h2_fatal(h2, rv, NULL);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    rv = pull(h2, stream, rqx__buf_tail(h2->out) + FRAME_HEADER, room, &len, &end);
    if (rv != 0)
        return rv;
    if (end && end_of_body(h2, stream, data_flags) < 0) {
        rqx__h2_fatal(h2, RQX_ERR_NOMEM, NULL);
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
        rqx__h2_fatal(h2, rv, NULL);
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
        rqx__h2_fatal(h2, RQX_ERR_NOMEM, NULL);
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
    return h2->pending_count != 0 && h2->wire_count < h2->peer_max && !h2->dying;
}

static int start(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    const struct rqx__head *head = stream->head_out;
    nghttp2_data_provider body = {.read_callback = read_body};
    bool upload = head->has_body || (head->trailers != NULL && head->trailers->count != 0);
    char length_text[24];
    int32_t id;

    if (build_request(h2, stream, length_text) < 0)
        return RQX_ERR_NOMEM;
    id = nghttp2_submit_request(h2->session, NULL, h2->nva, h2->nv_count, upload ? &body : NULL, stream);
    if (id < 0)
        return rqx__h2_error_of(id);
    h2->ids_left--;
    h2->wire_count++;
    h2->pending_count--;
    stream->id = id;
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
