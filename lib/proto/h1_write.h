/*
 * h1_write.h - HTTP/1.1 requests as bytes: head, chunks, trailers (RFC 9112 sections 3, 5 to 7).
 *
 * Pure: from struct rqx__head to a buffer.  Knows neither streams nor when a body may be sent.
 */
#ifndef RQX_PROTO_H1_WRITE_H
#define RQX_PROTO_H1_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/codec.h"
#include "proto/h1_parse.h"

/* How a request is framed, and what follows from it. */
struct rqx__h1_plan {
    int64_t length;             /* of the body, bytes; RQX_LENGTH_UNKNOWN */
    bool chunked;               /* else |length| is announced, where it is known */
    bool expects;               /* the body waits for 100 (Continue) */
    bool closes;                /* "Connection: close" is sent */
    enum rqx__h1_expect answer; /* what the response may be */
};

/*
 * RQX_ERR_REQUEST_LENGTH: a Content-Length field contradicts the body; RQX_ERR_INVALID_METHOD, RQX_ERR_INVALID_URL,
 * RQX_ERR_INVALID_FIELD: method, target or authority would break the message.
 */
int rqx__h1_plan(const struct rqx__head *head, struct rqx__h1_plan *ret_plan);
/* Appends request line and fields.  RQX_ERR_NOMEM. */
int rqx__h1_write_head(struct rqx__buf *out, const struct rqx__head *head, const struct rqx__h1_plan *plan);
/* Appends the last chunk and the trailer section.  RQX_ERR_NOMEM. */
int rqx__h1_write_end(struct rqx__buf *out, const struct rqx__head *head);

/*
 * A chunk is written in place: begin() makes room for at most |room| bytes of it and tells where its data goes and how
 * many bytes of it there may be (0: |room| is too small), commit() frames what was put there.  RQX_ERR_NOMEM.
 */
int rqx__h1_chunk_begin(struct rqx__buf *out, size_t room, uint8_t **ret_data, size_t *ret_cap);
void rqx__h1_chunk_commit(struct rqx__buf *out, const uint8_t *data, size_t len);

#endif
