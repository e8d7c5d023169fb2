/*
 * buf.h - a byte queue in one piece: append at the end, take from the front, never above its maximum.
 */
#ifndef RQX_BASE_BUF_H
#define RQX_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct rqx__buf {
    uint8_t *data; /* NULL while nothing was ever needed */
    size_t off;    /* first byte that is still there */
    size_t len;    /* bytes that are there */
    size_t cap;    /* bytes allocated */
    size_t max;    /* most that |len| may be; SIZE_MAX: no maximum */
};

void rqx__buf_init(struct rqx__buf *buf, size_t max);
void rqx__buf_done(struct rqx__buf *buf);
/* Drops the bytes and keeps the memory. */
void rqx__buf_clear(struct rqx__buf *buf);
/* Makes room for |room| more bytes in one piece.  RQX_ERR_NOMEM; RQX_ERR_BODY_TOO_LARGE if that passes |max|. */
int rqx__buf_reserve(struct rqx__buf *buf, size_t room);
/* Appends a copy; errors as rqx__buf_reserve, nothing is appended then. */
int rqx__buf_append(struct rqx__buf *buf, const void *data, size_t len);
/* Where the next bytes go, after rqx__buf_reserve. */
uint8_t *rqx__buf_tail(struct rqx__buf *buf);
/* Tells that |len| bytes were written at the tail. */
void rqx__buf_commit(struct rqx__buf *buf, size_t len);
/* First byte that is there. */
const uint8_t *rqx__buf_head(const struct rqx__buf *buf);
/* Drops |len| bytes from the front. */
void rqx__buf_consume(struct rqx__buf *buf, size_t len);

#endif
