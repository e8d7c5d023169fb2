/*
 * http/coding_ops.h - one content coding, between coding.c, which chains them, and the file that owns its library.
 *
 * A state decodes one body: made at the body's first byte, freed with the chain.  None keeps more than its format's
 * window.
 */
#ifndef RQX_HTTP_CODING_OPS_H
#define RQX_HTTP_CODING_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <requestx/error.h>

/* What goes in and comes out of one step. */
struct rqx__coding_io {
    const uint8_t *in; /* moved past what was taken */
    size_t in_len;
    uint8_t *out;
    size_t out_cap;  /* at least 1 */
    size_t out_len;  /* written; 0 before */
    bool pending;    /* out: there may be more to write without more input */
    const char *why; /* out, on RQX_ERR_DECODING: static text */
};

struct rqx__coding {
    const char *name;
    /* RQX_ERR_NOMEM */
    int (*create)(void **ret_state);
    /* Takes and writes what it can; all input is taken unless the output is full.  RQX_ERR_DECODING, RQX_ERR_NOMEM. */
    int (*run)(void *state, struct rqx__coding_io *io);
    /* Whether a body may end after what was taken.  Asked only after some was. */
    bool (*complete)(const void *state);
    void (*destroy)(void *state);
};

/* coding_zlib.c */
extern const struct rqx__coding rqx__coding_gzip;
extern const struct rqx__coding rqx__coding_deflate;
/* coding_brotli.c, with HAVE_BROTLI */
extern const struct rqx__coding rqx__coding_brotli;
/* coding_zstd.c, with HAVE_ZSTD */
extern const struct rqx__coding rqx__coding_zstd;

/* What is said of bytes after the end. */
#define RQX__CODING_GARBAGE "data after the end"

#endif
