/*
 * fuzz_owner2.h - owners of HTTP/2 streams that log what they are told and assert that it makes sense.
 */
#ifndef RQX_TESTS_FUZZ_FUZZ_OWNER2_H
#define RQX_TESTS_FUZZ_FUZZ_OWNER2_H

#include "fuzz.h"

#include <requestx/error.h>

#include "base/str.h"
#include "proto/codec.h"

struct owner2 {
    struct rqx__stream stream; /* first */
    struct rqx__head head;
    struct fuzz_log *log; /* or NULL */
    size_t body_left;     /* of the request */
    size_t body_given;    /* bytes that may be given before RQX_AGAIN */
    bool hoards;          /* keeps back consumed() */
    int refuse_at;        /* the upcall of that number fails, 0: none */
    int upcalls;
    int64_t length;
    uint64_t got;
    uint32_t hash; /* of the body: a part of one that is cut short may or may not be told */
    size_t owed;
    int status;
    int ends;
    int closes;
    int submitted;
    bool cancelled;
};

static inline struct owner2 *owner2_of(struct rqx__stream *stream)
{
    return RQX__OF(stream, struct owner2, stream);
}

static inline int owner2_upcall(struct owner2 *owner)
{
    FUZZ_ASSERT(owner->closes == 0 && !owner->cancelled && owner->stream.codec != NULL);
    return ++owner->upcalls == owner->refuse_at ? RQX_ERR_NOMEM : 0;
}

#define OWNER2_LOG(owner, ...)                                                                                         \
    do {                                                                                                               \
        if ((owner)->log != NULL)                                                                                      \
            fuzz_log_say((owner)->log, __VA_ARGS__);                                                                   \
    } while (0)

static inline int owner2_head(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version)
{
    struct owner2 *owner = owner2_of(stream);

    FUZZ_ASSERT(reason.len == 0 && version == RQX_HTTP_2 && status >= 100 && status <= 999 && status != 101);
    FUZZ_ASSERT(owner->status < 200 && owner->ends == 0);
    owner->status = status;
    OWNER2_LOG(owner, "%d head %d\n", (int)stream->id, status);
    return owner2_upcall(owner);
}

static inline int owner2_field(struct rqx__stream *stream, const char *name, size_t name_len, const char *value,
                               size_t value_len, bool trailer)
{
    struct owner2 *owner = owner2_of(stream);

    FUZZ_ASSERT(rqx__is_token(name, name_len) && rqx__is_field_value(value, value_len) && owner->ends == 0);
    FUZZ_ASSERT(!trailer || owner->status >= 200);
    if (owner->log != NULL) {
        fuzz_log_say(owner->log, "%d %s ", (int)stream->id, trailer ? "trailer" : "field");
        fuzz_log_add(owner->log, name, name_len);
        fuzz_log_add(owner->log, "=", 1);
        fuzz_log_add(owner->log, value, value_len);
        fuzz_log_add(owner->log, "\n", 1);
    }
    return owner2_upcall(owner);
}

static inline int owner2_head_done(struct rqx__stream *stream, int status, int64_t content_length)
{
    struct owner2 *owner = owner2_of(stream);

    FUZZ_ASSERT(status == owner->status && content_length >= RQX_LENGTH_UNKNOWN);
    if (status >= 200)
        owner->length = content_length;
    OWNER2_LOG(owner, "%d done %d %lld\n", (int)stream->id, status, (long long)content_length);
    return owner2_upcall(owner);
}

static inline int owner2_data(struct rqx__stream *stream, const uint8_t *data, size_t len)
{
    struct owner2 *owner = owner2_of(stream);
    size_t i;

    FUZZ_ASSERT(owner->status >= 200 && owner->ends == 0 && len > 0);
    owner->got += len;
    FUZZ_ASSERT(owner->length < 0 || owner->got <= (uint64_t)owner->length);
    for (i = 0; i < len; i++)
        owner->hash = (owner->hash ^ data[i]) * UINT32_C(16777619);
    if (owner->hoards)
        owner->owed += len;
    else
        stream->codec->ops->consumed(stream->codec, stream, len);
    return owner2_upcall(owner);
}

static inline void owner2_end(struct rqx__stream *stream)
{
    struct owner2 *owner = owner2_of(stream);

    FUZZ_ASSERT(++owner->ends == 1 && owner->status >= 200);
    FUZZ_ASSERT(owner->length < 0 || owner->got == (uint64_t)owner->length);
    OWNER2_LOG(owner, "%d end, %llu bytes, %x\n", (int)stream->id, (unsigned long long)owner->got,
               (unsigned)owner->hash);
    owner2_upcall(owner);
}

static inline int owner2_pull(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    struct owner2 *owner = owner2_of(stream);
    size_t len = owner->body_left < cap ? owner->body_left : cap;

    FUZZ_ASSERT(cap > 0 && owner->head.has_body && owner->closes == 0 && !owner->cancelled);
    if (len > owner->body_given)
        len = owner->body_given;
    if (len == 0 && owner->body_left != 0)
        return RQX_AGAIN;
    memset(buffer, 'b', len);
    owner->body_left -= len;
    owner->body_given -= len;
    *ret_len = len;
    *ret_end = owner->body_left == 0;
    return 0;
}

static inline void owner2_refused(struct rqx__stream *stream)
{
    struct owner2 *owner = owner2_of(stream);

    owner2_upcall(owner);
}

static inline void owner2_sent(struct rqx__stream *stream)
{
    owner2_upcall(owner2_of(stream));
}

static inline void owner2_closed(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    struct owner2 *owner = owner2_of(stream);

    FUZZ_ASSERT(!owner->cancelled && ++owner->closes == 1 && stream->codec == NULL);
    FUZZ_ASSERT((err == NULL) == (owner->ends == 1));
    FUZZ_ASSERT(err == NULL || err->code < 0);
    /* what may be sent again was not answered */
    FUZZ_ASSERT(!(flags & RQX__CLOSE_UNPROCESSED) || owner->status < 200);
}

static const struct rqx__stream_ops owner2_ops = {
    .head = owner2_head,
    .field = owner2_field,
    .head_done = owner2_head_done,
    .data = owner2_data,
    .end = owner2_end,
    .pull_body = owner2_pull,
    .body_refused = owner2_refused,
    .sent = owner2_sent,
    .closed = owner2_closed,
};

/* |kind|: the lowest three bits choose the method; 8: a body of |body| bytes; 16: which is not announced. */
static inline void owner2_init(struct owner2 *owner, unsigned kind, size_t body, struct fuzz_log *log)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "CONNECT", "PUT", "GET", "OPTIONS", "DELETE"};
    const char *method = methods[kind & 7];

    memset(owner, 0, sizeof *owner);
    owner->stream.ops = &owner2_ops;
    owner->log = log;
    owner->length = RQX_LENGTH_UNKNOWN;
    owner->body_left = body;
    owner->body_given = SIZE_MAX;
    owner->head = (struct rqx__head){
        .method = {method, strlen(method)},
        .scheme = RQX__LIT("https"),
        .authority = RQX__LIT("host.example"),
        .target = RQX__LIT("/path?query"),
        .has_body = (kind & 8) != 0 && (kind & 7) != 3,
        .body_length = kind & 16 ? RQX_LENGTH_UNKNOWN : (int64_t)body,
    };
}

#endif
