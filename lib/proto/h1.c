/*
 * h1.c - the codec for HTTP/1.1: one request and its response at a time on a connection (RFC 9112).
 *
 * Knows no socket, no clock and no lock.  h1_write.c makes the bytes of a request, h1_parse.c understands those of a
 * response; here is what connects the two: when a body may be sent, who is told what, and whether the connection can be
 * used again.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/h1_parse.h"
#include "proto/h1_write.h"

/* Bytes given to data() and not consumed() from which on no more are welcome. */
#define UNCONSUMED_MAX (64 * 1024)
/* Memory for request heads that is kept from one request to the next. */
#define PENDING_KEEP (16 * 1024)
/* A piece of a body smaller than this is not worth a chunk, unless the buffer is empty. */
#define SMALLEST_PIECE 512

/* What is left to send of the request. */
enum upload {
    UPLOAD_DONE = 0, /* nothing but what is pending */
    UPLOAD_WAITING,  /* for 100 (Continue) */
    UPLOAD_READY,    /* pull_body() is to be asked */
    UPLOAD_STARVED,  /* pull_body() had nothing: until resume_body() */
    UPLOAD_REFUSED   /* the peer has answered already: no more */
};

struct h1 {
    struct rqx__codec codec;
    struct rqx__codec_config config;
    struct rqx__h1_parser parser;
    struct rqx__buf pending; /* bytes of the request that do not come from its body */

    /* the stream, and what is known of it; |serial| tells it from one that took its place during an upcall */
    struct rqx__stream *stream; /* NULL: idle */
    unsigned serial;
    struct rqx__h1_plan plan;
    enum upload upload;
    uint64_t expect_at; /* when the body is sent without 100 (Continue); RQX__NEVER: not yet known */
    bool resumed;       /* resume_body() was called while pull_body() ran */
    bool begun;         /* bytes of it were handed to send() */
    bool told_sent;     /* sent() was called */
    bool answered;      /* bytes of a response came */
    bool complete;      /* the response is complete */
    int refusal;        /* what an upcall of it returned to end it, or 0 */

    /* the connection */
    bool shut;             /* takes no more streams */
    bool closed;           /* can carry nothing any more */
    struct rqx__err fatal; /* why it is closed, where that was not its proper end */
};

static struct h1 *h1_of(const struct rqx__codec *codec)
{
    return (struct h1 *)(uintptr_t)codec; /* the first member */
}

/* ---- streams ---- */

/* Takes the stream out, before the last upcall about it. */
static void detach(struct h1 *h1)
{
    h1->stream->codec = NULL;
    h1->stream = NULL;
    h1->serial++;
    h1->codec.open_streams = 0;
    h1->upload = UPLOAD_DONE;
    h1->expect_at = RQX__NEVER;
    if (h1->pending.cap > PENDING_KEEP)
        rqx__buf_done(&h1->pending);
    else
        rqx__buf_clear(&h1->pending);
}

static void finish(struct h1 *h1, const struct rqx__err *err, unsigned flags)
{
    struct rqx__stream *stream = h1->stream;

    detach(h1);
    stream->ops->closed(stream, err, flags);
}

/* Ends the stream for a reason of ours; the peer is in the middle of something, so that the connection ends with it. */
static void give_up(struct h1 *h1, const struct rqx__err *err)
{
    h1->closed = true;
    finish(h1, err, 0);
}

static void give_up_code(struct h1 *h1, int code)
{
    struct rqx__err err;

    rqx__err_set(&err, code, NULL);
    give_up(h1, &err);
}

/* Whether the stream with |serial| is still there after an upcall. */
static bool is_current(const struct h1 *h1, unsigned serial)
{
    return h1->stream != NULL && h1->serial == serial;
}

/* All of the announced length was handed to send(). */
static bool is_full(const struct h1 *h1)
{
    return h1->plan.length >= 0 && h1->stream->sent_bytes == (uint64_t)h1->plan.length;
}

/* Whether the peer will have the whole request, though its source may not have said yet that it ends there. */
static bool is_sent(const struct h1 *h1)
{
    if (h1->pending.len != 0 || h1->upload == UPLOAD_REFUSED)
        return false;
    return h1->upload == UPLOAD_DONE || (is_full(h1) && !h1->plan.chunked);
}

static int submit(struct rqx__codec *codec, struct rqx__stream *stream, const struct rqx__head *head)
{
    struct h1 *h1 = h1_of(codec);
    struct rqx__h1_plan plan;
    int rv;

    if (h1->stream != NULL || h1->shut || h1->closed)
        return RQX_AGAIN;
    rv = rqx__h1_plan(head, &plan);
    if (rv == 0)
        rv = rqx__h1_write_head(&h1->pending, head, &plan);
    if (rv == 0 && plan.chunked && !head->has_body)
        rv = rqx__h1_write_end(&h1->pending, head);
    if (rv < 0) {
        rqx__buf_clear(&h1->pending);
        return rv;
    }
    h1->plan = plan;
    h1->upload = head->has_body ? UPLOAD_READY : UPLOAD_DONE;
    if (plan.expects && h1->config.expect_timeout != 0)
        h1->upload = UPLOAD_WAITING;
    h1->expect_at = RQX__NEVER;
    h1->resumed = h1->begun = h1->told_sent = h1->answered = h1->complete = false;
    h1->refusal = 0;
    h1->stream = stream;
    h1->serial++;
    codec->open_streams = 1;
    stream->codec = codec;
    stream->head_out = head;
    stream->id = 0;
    stream->content_length = RQX_LENGTH_UNKNOWN;
    stream->received = stream->sent_bytes = stream->unconsumed = 0;
    rqx__h1_parser_begin(&h1->parser, plan.answer);
    return 0;
}

/* After a complete response: whether the connection can carry another request. */
static bool is_reusable(const struct h1 *h1)
{
    return is_sent(h1) && !h1->plan.closes && rqx__h1_parser_keeps_alive(&h1->parser);
}

static void cancel(struct rqx__codec *codec, struct rqx__stream *stream, uint32_t h2_code)
{
    struct h1 *h1 = h1_of(codec);

    (void)h2_code;
    if (h1->stream != stream)
        return;
    if (h1->begun && !(h1->complete && is_reusable(h1)))
        h1->closed = true;
    detach(h1);
}

static int resume_body(struct rqx__codec *codec, struct rqx__stream *stream)
{
    struct h1 *h1 = h1_of(codec);

    if (h1->stream != stream)
        return 0;
    h1->resumed = true;
    if (h1->upload == UPLOAD_STARVED)
        h1->upload = UPLOAD_READY;
    return 0;
}

static void consumed(struct rqx__codec *codec, struct rqx__stream *stream, size_t len)
{
    if (stream->codec == codec)
        stream->unconsumed -= len < stream->unconsumed ? len : stream->unconsumed;
}

/* ---- what the parser tells ---- */

/* The result of an upcall: nonzero stops the parser. */
static int judge(struct h1 *h1, unsigned serial, int rv)
{
    if (!is_current(h1, serial))
        return 1;
    if (rv < 0)
        h1->refusal = rv;
    return rv < 0;
}

static int on_status(void *user, int status, rqx_slice reason, rqx_http_version version)
{
    struct h1 *h1 = user;
    unsigned serial = h1->serial;

    return judge(h1, serial, h1->stream->ops->head(h1->stream, status, reason, version));
}

static int on_field(void *user, rqx_slice name, rqx_slice value, bool trailer)
{
    struct h1 *h1 = user;
    unsigned serial = h1->serial;

    return judge(h1, serial, h1->stream->ops->field(h1->stream, name.data, name.len, value.data, value.len, trailer));
}

/* The peer has answered before it had all of the request, and wants no more of it. */
static void refuse_body(struct h1 *h1)
{
    h1->upload = UPLOAD_REFUSED;
    rqx__buf_clear(&h1->pending);
    h1->stream->ops->body_refused(h1->stream);
}

/*
 * RFC 9110 section 10.1.1, RFC 9112 section 9.5: a final answer instead of 100 (Continue), and an error or a redirect
 * at any time, make the body pointless.  A success may need it still: a server may answer while it reads.
 */
static bool is_refusal(const struct h1 *h1, int status)
{
    return !is_sent(h1) && (status >= 300 || h1->upload == UPLOAD_WAITING);
}

static int on_head_done(void *user, int status, int64_t length)
{
    struct h1 *h1 = user;
    unsigned serial = h1->serial;
    struct rqx__stream *stream = h1->stream;
    int rv;

    if (status == 100 && h1->upload == UPLOAD_WAITING)
        h1->upload = UPLOAD_READY;
    if (status >= 200)
        stream->content_length = length;
    rv = judge(h1, serial, stream->ops->head_done(stream, status, length));
    if (rv != 0 || (status < 200 && status != 101) || !is_refusal(h1, status))
        return rv;
    refuse_body(h1);
    return judge(h1, serial, 0);
}

static int on_data(void *user, const uint8_t *data, size_t len)
{
    struct h1 *h1 = user;
    unsigned serial = h1->serial;

    h1->stream->received += len;
    h1->stream->unconsumed += len;
    return judge(h1, serial, h1->stream->ops->data(h1->stream, data, len));
}

static const struct rqx__h1_events parser_events = {
    .status = on_status,
    .field = on_field,
    .head_done = on_head_done,
    .data = on_data,
};

/* ---- receiving ---- */

/* The connection ends with an error: fail() will tell the stream. */
static int fatal(struct h1 *h1, struct rqx__err *err)
{
    h1->closed = true;
    h1->fatal = *err;
    return err->code;
}

/* The response is complete, whatever became of the request. */
static void finish_response(struct h1 *h1)
{
    unsigned serial = h1->serial;

    if (!is_sent(h1) && h1->upload != UPLOAD_REFUSED) {
        refuse_body(h1);
        if (!is_current(h1, serial))
            return;
    }
    h1->complete = true;
    h1->stream->ops->end(h1->stream);
    if (!is_current(h1, serial))
        return;
    if (!is_reusable(h1))
        h1->closed = true;
    finish(h1, NULL, 0);
}

static int idle_bytes(struct h1 *h1, struct rqx__err *err)
{
    /* what it may be (408, a farewell, an answer to nobody) does not matter: it is not the answer to a request to come
     */
    rqx__err_set(err, RQX_ERR_PROTOCOL, "the peer sent bytes that nobody had asked for");
    return fatal(h1, err);
}

static int h1_recv(struct rqx__codec *codec, const uint8_t *data, size_t len, struct rqx__err *err)
{
    struct h1 *h1 = h1_of(codec);

    while (len != 0 && !h1->closed) {
        struct rqx__err why;
        size_t used;
        int rv;

        rqx__err_clear(&why);
        if (h1->stream == NULL || !h1->begun) {
            rv = idle_bytes(h1, &why);
        } else {
            h1->answered = true;
            rv = rqx__h1_parser_feed(&h1->parser, data, len, &used, &why);
            data += used;
            len -= used;
            if (rv < 0)
                fatal(h1, &why);
        }
        if (rv == RQX__H1_COMPLETE)
            finish_response(h1);
        else if (rv == RQX__H1_STOPPED && h1->refusal != 0 && h1->stream != NULL)
            give_up_code(h1, h1->refusal);
    }
    if (h1->fatal.code == 0)
        return 0;
    if (err != NULL)
        *err = h1->fatal;
    return h1->fatal.code;
}

static int eof(struct rqx__codec *codec, struct rqx__err *err)
{
    struct h1 *h1 = h1_of(codec);
    struct rqx__err why;

    if (h1->stream == NULL || h1->closed) {
        h1->closed = true;
        return 0;
    }
    rqx__err_clear(&why);
    if (!h1->begun)
        rqx__err_set(&why, RQX_ERR_TRUNCATED, "peer closed the connection while it was idle");
    else if (rqx__h1_parser_eof(&h1->parser, &why) == RQX__H1_COMPLETE)
        finish_response(h1);
    if (why.code != 0)
        fatal(h1, &why);
    h1->closed = true;
    if (why.code != 0 && err != NULL)
        *err = why;
    return why.code;
}

/* ---- sending ---- */

static void wrong_length(struct h1 *h1, const char *how)
{
    struct rqx__err err;

    rqx__err_set(&err, RQX_ERR_REQUEST_LENGTH, "the request body is %s than the %" PRId64 " bytes announced", how,
                 h1->plan.length);
    give_up(h1, &err);
}

/* Moves what is pending to |out|. */
static int send_pending(struct h1 *h1, struct rqx__buf *out, size_t limit)
{
    size_t room = limit > out->len ? limit - out->len : 0;
    size_t len = h1->pending.len < room ? h1->pending.len : room;

    if (len == 0)
        return 0;
    if (rqx__buf_append(out, rqx__buf_head(&h1->pending), len) < 0)
        return RQX_ERR_NOMEM;
    rqx__buf_consume(&h1->pending, len);
    h1->begun = true;
    return 0;
}

/* The place for the next piece of the body; |*ret_cap| 0: |out| is full. */
static int make_room(struct h1 *h1, struct rqx__buf *out, size_t limit, uint8_t **ret_data, size_t *ret_cap)
{
    size_t room = limit > out->len ? limit - out->len : 0;
    uint64_t left = h1->plan.length >= 0 ? (uint64_t)h1->plan.length - h1->stream->sent_bytes : UINT64_MAX;

    *ret_cap = 0;
    if (room < SMALLEST_PIECE && room < left && out->len != 0)
        return 0;
    if (h1->plan.chunked) {
        if (rqx__h1_chunk_begin(out, room, ret_data, ret_cap) < 0)
            return RQX_ERR_NOMEM;
    } else {
        if (left < room)
            room = (size_t)left;
        if (rqx__buf_reserve(out, room) < 0)
            return RQX_ERR_NOMEM;
        *ret_data = rqx__buf_tail(out);
        *ret_cap = room;
    }
    if (left < *ret_cap)
        *ret_cap = (size_t)left;
    return 0;
}

/* The source's |len| bytes are at |data|: makes them part of |out|. */
static void take_piece(struct h1 *h1, struct rqx__buf *out, const uint8_t *data, size_t len)
{
    h1->stream->sent_bytes += len;
    if (len == 0)
        return;
    if (h1->plan.chunked)
        rqx__h1_chunk_commit(out, data, len);
    else
        rqx__buf_commit(out, len);
}

static int end_body(struct h1 *h1)
{
    h1->upload = UPLOAD_DONE;
    return h1->plan.chunked ? rqx__h1_write_end(&h1->pending, h1->stream->head_out) : 0;
}

/*
 * Asks for one piece of the body.  A body whose announced length is used up is asked for one byte that it must not
 * have.  0; RQX_AGAIN if there is nothing more to do now; RQX_ERR_NOMEM.
 */
static int send_piece(struct h1 *h1, struct rqx__buf *out, size_t limit)
{
    struct rqx__stream *stream = h1->stream;
    bool full = is_full(h1);
    unsigned serial = h1->serial;
    uint8_t surplus;
    uint8_t *data = &surplus;
    size_t cap = 1;
    size_t len = 0;
    bool end = false;
    int rv = full ? 0 : make_room(h1, out, limit, &data, &cap);

    if (rv < 0 || cap == 0)
        return rv < 0 ? rv : RQX_AGAIN;
    h1->resumed = false;
    rv = stream->ops->pull_body(stream, data, cap, &len, &end);
    if (!is_current(h1, serial) || h1->upload != UPLOAD_READY)
        return RQX_AGAIN;
    if (rv < 0) {
        give_up_code(h1, rv);
        return RQX_AGAIN;
    }
    if (rv == RQX_AGAIN || (len == 0 && !end)) {
        if (!h1->resumed)
            h1->upload = UPLOAD_STARVED;
        return RQX_AGAIN;
    }
    if (full && len != 0) {
        wrong_length(h1, "longer");
        return RQX_AGAIN;
    }
    if (end && h1->plan.length >= 0 && stream->sent_bytes + len < (uint64_t)h1->plan.length) {
        wrong_length(h1, "shorter");
        return RQX_AGAIN;
    }
    take_piece(h1, out, data, len);
    return end ? end_body(h1) : 0;
}

static void after_send(struct h1 *h1)
{
    struct rqx__stream *stream = h1->stream;

    if (h1->upload == UPLOAD_WAITING && h1->pending.len == 0 && h1->expect_at == RQX__NEVER) {
        uint64_t timeout = h1->config.expect_timeout;

        h1->expect_at = timeout < RQX__NEVER - h1->codec.now ? h1->codec.now + timeout : RQX__NEVER;
    }
    if (h1->begun && is_sent(h1) && !h1->told_sent) {
        h1->told_sent = true;
        stream->ops->sent(stream);
    }
}

static int h1_send(struct rqx__codec *codec, struct rqx__buf *out, size_t limit, struct rqx__err *err)
{
    struct h1 *h1 = h1_of(codec);
    int rv = 0;

    while (rv == 0 && h1->stream != NULL) {
        rv = send_pending(h1, out, limit);
        if (rv == 0 && (h1->pending.len != 0 || h1->upload != UPLOAD_READY))
            break;
        if (rv == 0)
            rv = send_piece(h1, out, limit);
    }
    if (rv < 0) {
        struct rqx__err why;

        rqx__err_set(&why, rv, NULL);
        if (err != NULL)
            *err = why;
        return fatal(h1, &why);
    }
    if (h1->stream != NULL)
        after_send(h1);
    return 0;
}

static bool want_send(const struct rqx__codec *codec)
{
    const struct h1 *h1 = h1_of(codec);

    return h1->stream != NULL && (h1->pending.len != 0 || h1->upload == UPLOAD_READY);
}

static bool want_recv(const struct rqx__codec *codec)
{
    const struct h1 *h1 = h1_of(codec);

    return h1->stream == NULL || h1->stream->unconsumed <= UNCONSUMED_MAX;
}

/* ---- the connection ---- */

static size_t capacity(const struct rqx__codec *codec)
{
    const struct h1 *h1 = h1_of(codec);

    return h1->stream == NULL && !h1->shut && !h1->closed ? 1 : 0;
}

static enum rqx__codec_state state(const struct rqx__codec *codec)
{
    const struct h1 *h1 = h1_of(codec);

    if (!h1->shut && !h1->closed)
        return RQX__CODEC_OPEN;
    return h1->stream != NULL ? RQX__CODEC_DRAINING : RQX__CODEC_CLOSED;
}

static void fail(struct rqx__codec *codec, const struct rqx__err *err)
{
    struct h1 *h1 = h1_of(codec);
    unsigned flags = 0;

    h1->closed = true;
    if (h1->stream == NULL)
        return;
    if (!h1->begun)
        flags |= RQX__CLOSE_UNPROCESSED;
    if (!h1->answered)
        flags |= RQX__CLOSE_NO_BYTES;
    finish(h1, err, flags);
}

static void shutdown(struct rqx__codec *codec)
{
    h1_of(codec)->shut = true;
}

static uint64_t next_deadline(const struct rqx__codec *codec)
{
    const struct h1 *h1 = h1_of(codec);

    return h1->stream != NULL && h1->upload == UPLOAD_WAITING ? h1->expect_at : RQX__NEVER;
}

static int tick(struct rqx__codec *codec, struct rqx__err *err)
{
    struct h1 *h1 = h1_of(codec);

    (void)err;
    /* RFC 9110 section 10.1.1: a server that does not know of expectations must not be waited for in vain */
    if (next_deadline(codec) <= codec->now)
        h1->upload = UPLOAD_READY;
    return 0;
}

static void h1_free(struct rqx__codec *codec)
{
    struct h1 *h1 = h1_of(codec);

    rqx__h1_parser_done(&h1->parser);
    rqx__buf_done(&h1->pending);
    rqx__free(h1);
}

static const struct rqx__codec_ops h1_ops = {
    .name = "h1",
    .version = RQX_HTTP_1_1,
    .submit = submit,
    .cancel = cancel,
    .resume_body = resume_body,
    .consumed = consumed,
    .recv = h1_recv,
    .eof = eof,
    .send = h1_send,
    .want_send = want_send,
    .want_recv = want_recv,
    .capacity = capacity,
    .state = state,
    .fail = fail,
    .shutdown = shutdown,
    .next_deadline = next_deadline,
    .tick = tick,
    .free = h1_free,
};

int rqx__h1_new(const struct rqx__codec_config *config, struct rqx__codec **ret_codec)
{
    struct h1 *h1 = rqx__calloc(1, sizeof *h1);

    if (h1 == NULL)
        return RQX_ERR_NOMEM;
    h1->codec.ops = &h1_ops;
    h1->config = *config;
    h1->expect_at = RQX__NEVER;
    rqx__h1_parser_init(&h1->parser, &parser_events, config->max_header_list, h1);
    rqx__buf_init(&h1->pending, SIZE_MAX);
    *ret_codec = &h1->codec;
    return 0;
}
