#include "base/buf.h"

#include <string.h>

#include <requestx/error.h>

#include "base/mem.h"

#define SMALLEST 256

void rqx__buf_init(struct rqx__buf *buf, size_t max)
{
    memset(buf, 0, sizeof *buf);
    buf->max = max;
}

void rqx__buf_done(struct rqx__buf *buf)
{
    rqx__free(buf->data);
    buf->data = NULL;
    buf->off = buf->len = buf->cap = 0;
}

void rqx__buf_clear(struct rqx__buf *buf)
{
    buf->off = buf->len = 0;
}

static size_t next_capacity(size_t have, size_t need)
{
    size_t cap = have < SMALLEST ? SMALLEST : have;

    while (cap < need) {
        if (cap > SIZE_MAX / 2)
            return need;
        cap *= 2;
    }
    return cap;
}

int rqx__buf_reserve(struct rqx__buf *buf, size_t room)
{
    size_t need;
    size_t cap;
    uint8_t *data;

    if (room > buf->max - buf->len)
        return RQX_ERR_BODY_TOO_LARGE;
    need = buf->len + room;
    if (buf->cap - buf->off >= need)
        return 0;
    if (buf->cap >= need && buf->off >= buf->len) {
        /* moving is cheaper than growing, and each byte is moved at most once for each byte consumed */
        if (buf->len != 0)
            memmove(buf->data, buf->data + buf->off, buf->len);
        buf->off = 0;
        return 0;
    }
    /* the first allocation is exact: a body whose length is known wants no more */
    cap = buf->cap == 0 && room > SMALLEST ? need : next_capacity(buf->cap, need);
    if (buf->off == 0) {
        data = rqx__realloc(buf->data, cap);
        if (data == NULL)
            return RQX_ERR_NOMEM;
    } else {
        data = rqx__malloc(cap);
        if (data == NULL)
            return RQX_ERR_NOMEM;
        if (buf->len != 0)
            memcpy(data, buf->data + buf->off, buf->len);
        rqx__free(buf->data);
        buf->off = 0;
    }
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int rqx__buf_append(struct rqx__buf *buf, const void *data, size_t len)
{
    int rv;

    if (len == 0)
        return 0;
    rv = rqx__buf_reserve(buf, len);
    if (rv < 0)
        return rv;
    memcpy(rqx__buf_tail(buf), data, len);
    buf->len += len;
    return 0;
}

uint8_t *rqx__buf_tail(struct rqx__buf *buf)
{
    return buf->data == NULL ? NULL : buf->data + buf->off + buf->len;
}

void rqx__buf_commit(struct rqx__buf *buf, size_t len)
{
    buf->len += len;
}

const uint8_t *rqx__buf_head(const struct rqx__buf *buf)
{
    return buf->data == NULL ? NULL : buf->data + buf->off;
}

void rqx__buf_consume(struct rqx__buf *buf, size_t len)
{
    buf->off += len;
    buf->len -= len;
    if (buf->len == 0)
        buf->off = 0;
}
