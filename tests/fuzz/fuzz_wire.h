/*
 * fuzz_wire.h - a wire without a socket, for what speaks before HTTP does: it gives the input piece by piece, each once
 * it was said that there is none yet, and takes all that is written.
 */
#ifndef RQX_TESTS_FUZZ_FUZZ_WIRE_H
#define RQX_TESTS_FUZZ_FUZZ_WIRE_H

#include "fuzz.h"

#include <requestx/error.h>

#include "loop/loop.h"
#include "net/wire.h"

struct fuzz_wire {
    struct rqx__wire wire;  /* first */
    struct fuzz_in in;      /* still to come */
    struct fuzz_cuts *cuts; /* NULL: at once */
    size_t piece;           /* bytes that may be read before the next RQX_AGAIN */
    struct fuzz_log sent;   /* all that was written */
    bool *freed;
};

static inline struct fuzz_wire *fuzz_wire_of(const struct rqx__wire *wire)
{
    return (struct fuzz_wire *)(uintptr_t)wire;
}

static inline int fuzz_wire_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    (void)wire;
    (void)err;
    return 0;
}

static inline int fuzz_wire_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len,
                                 struct rqx__err *err)
{
    struct fuzz_wire *self = fuzz_wire_of(wire);
    size_t len;

    (void)err;
    FUZZ_ASSERT(cap > 0);
    if (self->in.len == 0) {
        *ret_len = 0;
        return 0;
    }
    if (self->piece == 0) {
        self->piece = self->cuts == NULL ? self->in.len : fuzz_piece(self->cuts, self->in.len);
        return RQX_AGAIN;
    }
    len = self->piece < cap ? self->piece : cap;
    memcpy(buffer, fuzz_take(&self->in, len).data, len);
    self->piece -= len;
    *ret_len = len;
    return 0;
}

static inline int fuzz_wire_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len,
                                  struct rqx__err *err)
{
    (void)err;
    FUZZ_ASSERT(len > 0);
    fuzz_log_add(&fuzz_wire_of(wire)->sent, data, len);
    *ret_len = len;
    return 0;
}

static inline bool fuzz_wire_has_buffered(const struct rqx__wire *wire)
{
    (void)wire;
    return false;
}

static inline unsigned fuzz_wire_wants(const struct rqx__wire *wire)
{
    (void)wire;
    return RQX__IO_READ;
}

static inline void fuzz_wire_shutdown(struct rqx__wire *wire)
{
    (void)wire;
}

static inline void fuzz_wire_free(struct rqx__wire *wire)
{
    struct fuzz_wire *self = fuzz_wire_of(wire);

    FUZZ_ASSERT(!*self->freed);
    *self->freed = true;
    fuzz_log_done(&self->sent);
    free(self);
}

static const struct rqx__wire_ops fuzz_wire_ops = {
    .name = "fuzz",
    .handshake = fuzz_wire_handshake,
    .read = fuzz_wire_read,
    .write = fuzz_wire_write,
    .has_buffered = fuzz_wire_has_buffered,
    .wants = fuzz_wire_wants,
    .shutdown = fuzz_wire_shutdown,
    .free = fuzz_wire_free,
};

static inline struct fuzz_wire *fuzz_wire_new(struct fuzz_in in, struct fuzz_cuts *cuts, bool *freed)
{
    struct fuzz_wire *self = calloc(1, sizeof *self);

    FUZZ_ASSERT(self != NULL);
    self->wire.ops = &fuzz_wire_ops;
    self->wire.fd = -1;
    self->in = in;
    self->cuts = cuts;
    self->freed = freed;
    *freed = false;
    return self;
}

/*
 * Shakes hands on |upper|, which stands on a fuzz_wire, and reads all that follows; frees it.  Everything that happened
 * is in |log|.  0, or the error.
 */
static inline int fuzz_wire_run(struct rqx__wire *upper, size_t cap, struct fuzz_log *log)
{
    struct rqx__err err = {0};
    uint8_t buffer[4096];
    size_t rounds = 0;
    size_t len;
    int rv;

    do {
        rv = rqx__wire_handshake(upper, &err);
        FUZZ_ASSERT(rounds++ < 1000000);
    } while (rv == RQX_AGAIN);
    fuzz_log_say(log, "handshake %d %s\n", rv, rv < 0 ? err.text : "");
    FUZZ_ASSERT(rv == 0 || (rv < 0 && err.code == rv && err.text[0] != '\0'));
    while (rv == 0) {
        int result = rqx__wire_read(upper, buffer, cap < sizeof buffer ? cap : sizeof buffer, &len, &err);

        FUZZ_ASSERT(rounds++ < 1000000);
        if (result == RQX_AGAIN)
            continue;
        FUZZ_ASSERT(result == 0);
        if (len == 0)
            break;
        fuzz_log_data(log, buffer, len);
    }
    rqx__wire_free(upper);
    return rv;
}

#endif
