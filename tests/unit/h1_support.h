/*
 * h1_support.h - a fake peer and a stream's owner that writes down all it is told, for the tests of the HTTP/1.1 codec.
 */
#ifndef RQX_TESTS_UNIT_H1_SUPPORT_H
#define RQX_TESTS_UNIT_H1_SUPPORT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "proto/codec.h"
#include "support.h"

#define SECOND (1000 * RQX__NS_PER_MS)

struct peer;

/* One request and who waits for its answer. */
struct owner {
    struct rqx__stream stream;
    struct rqx__head head;
    struct rqx_headers fields;
    struct rqx_headers trailers;
    struct peer *peer;
    char log[16384];
    size_t log_len;
    bool in_data;
    int closed; /* how often closed() came */
    int code;   /* what it said */
    unsigned flags;
    int events;         /* upcalls so far */
    bool hoards;        /* does not say consumed() */
    int refuse;         /* result of the upcall number |refuse_at| */
    int refuse_at;      /* 0: of none */
    int cancel_at;      /* cancels the stream in that upcall */
    struct owner *next; /* submitted in closed() */
    /* the source of the body */
    const char *body;
    size_t body_len;
    size_t given;
    size_t piece;     /* most bytes at once */
    size_t announced; /* of |body_len| bytes, ends after so many; SIZE_MAX: at the end of |body| */
    int failure;      /* what the source says after |given| == |fail_at| */
    size_t fail_at;
    bool late_end;  /* the end is told alone, after the last byte */
    bool hesitates; /* RQX_AGAIN before each piece */
    bool hesitated;
    bool resumes_at_once; /* calls resume_body() while it is asked */
    bool says_nothing;    /* gives no bytes and no end */
    int pulls;
};

/* The codec and what it sent. */
struct peer {
    struct rqx__codec *codec;
    struct rqx__codec_config config;
    struct rqx__buf sent;
    struct rqx__err err;
    size_t limit; /* of one send() */
};

static inline void say(struct owner *owner, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void say(struct owner *owner, const char *format, ...)
{
    va_list args;
    int len;

    if (owner->in_data)
        owner->log[owner->log_len++] = '\n';
    owner->in_data = false;
    va_start(args, format);
    len = vsnprintf(owner->log + owner->log_len, sizeof owner->log - owner->log_len, format, args);
    va_end(args);
    ck_assert_uint_lt((size_t)len, sizeof owner->log - owner->log_len);
    owner->log_len += (size_t)len;
}

/* What this upcall does besides being written down. */
static inline int react(struct owner *owner)
{
    struct rqx__codec *codec = owner->peer->codec;

    ck_assert_int_eq(owner->closed, 0);
    ck_assert_ptr_eq(owner->stream.codec, codec);
    owner->events++;
    if (owner->events == owner->cancel_at)
        codec->ops->cancel(codec, &owner->stream, 8);
    return owner->events == owner->refuse_at ? owner->refuse : 0;
}

static inline struct owner *owner_of(struct rqx__stream *stream)
{
    return RQX__OF(stream, struct owner, stream);
}

static inline int owner_head(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version)
{
    say(owner_of(stream), "head %d %.*s %d\n", status, (int)reason.len, reason.data, (int)version);
    return react(owner_of(stream));
}

static inline int owner_field(struct rqx__stream *stream, const char *name, size_t name_len, const char *value,
                              size_t value_len, bool trailer)
{
    say(owner_of(stream), "%s %.*s=%.*s\n", trailer ? "trailer" : "field", (int)name_len, name, (int)value_len, value);
    return react(owner_of(stream));
}

static inline int owner_head_done(struct rqx__stream *stream, int status, int64_t content_length)
{
    say(owner_of(stream), "done %d %d\n", status, (int)content_length);
    return react(owner_of(stream));
}

static inline int owner_data(struct rqx__stream *stream, const uint8_t *data, size_t len)
{
    struct owner *owner = owner_of(stream);

    if (!owner->in_data)
        say(owner, "data ");
    owner->in_data = true;
    if (len < 1000) {
        ck_assert_uint_lt(len, sizeof owner->log - owner->log_len);
        memcpy(owner->log + owner->log_len, data, len);
        owner->log_len += len;
    }
    if (!owner->hoards)
        stream->codec->ops->consumed(stream->codec, stream, len);
    return react(owner);
}

static inline void owner_end(struct rqx__stream *stream)
{
    say(owner_of(stream), "end\n");
    react(owner_of(stream));
}

static inline int pull_piece(struct owner *owner, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    size_t left = owner->body_len - owner->given;
    size_t len = left < cap ? left : cap;

    if (owner->piece != 0 && len > owner->piece)
        len = owner->piece;
    if (len != 0)
        memcpy(buffer, owner->body + owner->given, len);
    owner->given += len;
    *ret_len = len;
    *ret_end = owner->given == owner->body_len && (len == 0 || !owner->late_end);
    return 0;
}

static inline int owner_pull(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    struct owner *owner = owner_of(stream);
    int rv;

    ck_assert_uint_gt(cap, 0);
    ck_assert(owner->head.has_body);
    owner->pulls++;
    rv = react(owner);
    if (rv != 0)
        return rv;
    if (owner->failure != 0 && owner->given >= owner->fail_at)
        return owner->failure;
    if (owner->resumes_at_once && stream->codec != NULL)
        stream->codec->ops->resume_body(stream->codec, stream);
    owner->hesitated = owner->hesitates && !owner->hesitated;
    if (owner->hesitated)
        return RQX_AGAIN;
    *ret_len = 0;
    *ret_end = false;
    if (owner->says_nothing)
        return 0;
    return pull_piece(owner, buffer, cap, ret_len, ret_end);
}

static inline void owner_refused(struct rqx__stream *stream)
{
    say(owner_of(stream), "refused\n");
    react(owner_of(stream));
}

static inline void owner_sent(struct rqx__stream *stream)
{
    say(owner_of(stream), "sent\n");
    react(owner_of(stream));
}

static inline void owner_closed(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    struct owner *owner = owner_of(stream);

    ck_assert_ptr_null(stream->codec);
    ck_assert_uint_eq(owner->peer->codec->open_streams, 0);
    owner->closed++;
    owner->code = err != NULL ? err->code : 0;
    owner->flags = flags;
    if (err == NULL)
        say(owner, "closed\n");
    else
        say(owner, "closed: %s\n", err->text);
    if (owner->next != NULL) {
        struct rqx__codec *codec = owner->peer->codec;

        owner->next->code = codec->ops->submit(codec, &owner->next->stream, &owner->next->head);
    }
}

static const struct rqx__stream_ops owner_ops = {
    .head = owner_head,
    .field = owner_field,
    .head_done = owner_head_done,
    .data = owner_data,
    .end = owner_end,
    .pull_body = owner_pull,
    .body_refused = owner_refused,
    .sent = owner_sent,
    .closed = owner_closed,
};

/* ---- owners ---- */

static inline void owner_init(struct owner *owner, struct peer *peer, const char *method)
{
    memset(owner, 0, sizeof *owner);
    owner->peer = peer;
    owner->stream.ops = &owner_ops;
    rqx__headers_init(&owner->fields);
    rqx__headers_init(&owner->trailers);
    owner->head.method = (rqx_slice){method, strlen(method)};
    owner->head.scheme = RQX__LIT("http");
    owner->head.authority = RQX__LIT("h");
    owner->head.target = RQX__LIT("/");
    owner->head.fields = &owner->fields;
    owner->head.body_length = RQX_LENGTH_UNKNOWN;
}

static inline void owner_done(struct owner *owner)
{
    rqx__headers_done(&owner->fields);
    rqx__headers_done(&owner->trailers);
}

static inline void owner_add(struct owner *owner, const char *name, const char *value)
{
    ck_assert_int_eq(rqx_headers_add(&owner->fields, name, strlen(name), value, strlen(value)), 0);
}

/* Gives it a body of |len| bytes, announced or not. */
static inline void owner_body(struct owner *owner, const char *body, size_t len, bool announced)
{
    owner->head.has_body = true;
    owner->head.body_length = announced ? (int64_t)len : RQX_LENGTH_UNKNOWN;
    owner->body = body;
    owner->body_len = len;
}

static inline void owner_expect(struct owner *owner)
{
    owner_add(owner, "Expect", "100-continue");
    owner->head.expect_continue = true;
}

static inline const char *owner_log(struct owner *owner)
{
    owner->log[owner->log_len] = '\0';
    return owner->log;
}

/* ---- the peer ---- */

static inline void peer_init(struct peer *peer)
{
    memset(peer, 0, sizeof *peer);
    peer->config = (struct rqx__codec_config){
        .max_header_list = 16 * 1024, .max_streams = SIZE_MAX, .ping_idle = RQX__NEVER, .expect_timeout = SECOND};
    peer->limit = 65536;
    rqx__buf_init(&peer->sent, SIZE_MAX);
    ck_assert_int_eq(rqx__h1_new(&peer->config, &peer->codec), 0);
    peer->codec->now = 5 * SECOND;
}

static inline void peer_done(struct peer *peer)
{
    peer->codec->ops->free(peer->codec);
    rqx__buf_done(&peer->sent);
}

static inline int peer_submit(struct peer *peer, struct owner *owner)
{
    return peer->codec->ops->submit(peer->codec, &owner->stream, &owner->head);
}

/* Takes all that the codec has to send, |limit| bytes at a time. */
static inline int peer_send(struct peer *peer)
{
    struct rqx__buf out;
    size_t got;
    int rv;

    rqx__buf_init(&out, SIZE_MAX);
    do {
        rv = peer->codec->ops->send(peer->codec, &out, peer->limit, &peer->err);
        ck_assert_uint_le(out.len, peer->limit);
        got = out.len;
        if (got != 0)
            ck_assert_int_eq(rqx__buf_append(&peer->sent, rqx__buf_head(&out), got), 0);
        rqx__buf_clear(&out);
    } while (rv == 0 && got != 0);
    rqx__buf_done(&out);
    return rv;
}

/* Answers with memory of its own size, so that reading beyond it is found out. */
static inline int peer_answer_len(struct peer *peer, const char *text, size_t len)
{
    uint8_t *copy = malloc(len != 0 ? len : 1);
    int rv;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    rv = peer->codec->ops->recv(peer->codec, copy, len, &peer->err);
    free(copy);
    return rv;
}

static inline int peer_answer(struct peer *peer, const char *text)
{
    return peer_answer_len(peer, text, strlen(text));
}

static inline int peer_eof(struct peer *peer)
{
    return peer->codec->ops->eof(peer->codec, &peer->err);
}

static inline void peer_fail(struct peer *peer)
{
    (peer->codec->ops->fail)(peer->codec, &peer->err); /* check.h has a macro of that name */
}

static inline void check_sent(struct peer *peer, const char *want)
{
    size_t len = peer->sent.len;

    ck_assert_int_eq(rqx__buf_append(&peer->sent, "", 1), 0);
    ck_assert_str_eq((const char *)rqx__buf_head(&peer->sent), want);
    ck_assert_uint_eq(strlen(want), len);
    rqx__buf_clear(&peer->sent);
}

static inline void check_state(const struct peer *peer, enum rqx__codec_state state)
{
    ck_assert_int_eq(peer->codec->ops->state(peer->codec), state);
    ck_assert_uint_eq(peer->codec->ops->capacity(peer->codec),
                      state == RQX__CODEC_OPEN && peer->codec->open_streams == 0 ? 1 : 0);
}

/* Ended well. */
static inline void check_well(const struct owner *owner)
{
    ck_assert_int_eq(owner->closed, 1);
    ck_assert_int_eq(owner->code, 0);
    ck_assert_uint_eq(owner->flags, 0);
}

static inline void check_failed(const struct owner *owner, int code, unsigned flags)
{
    ck_assert_int_eq(owner->closed, 1);
    ck_assert_int_eq(owner->code, code);
    ck_assert_uint_eq(owner->flags, flags);
}

#endif
