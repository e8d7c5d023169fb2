/*
 * coding.h - content codings undone: gzip, deflate (zlib or raw), br, zstd, chained (RFC 9110 section 8.4).
 *
 * Pure data, no I/O.  coding*.c are the only files that include zlib, brotli and zstd.  A coding that the build lacks
 * or that nobody knows ends the chain: the bytes stay as they are from there.
 *
 * After the end of a gzip member comes another one, zeros, or nothing; after the end of a zstd frame another one or
 * nothing; after the end of the others nothing.
 */
#ifndef RQX_HTTP_CODING_H
#define RQX_HTTP_CODING_H

#include <stddef.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Most codings in one chain. */
#define RQX__CODING_CHAIN_MAX 5

struct rqx__decoder;

/* Output from which on the ratio counts by default: less than that harms nobody, whatever little it came of. */
#define RQX__DECODER_RATIO_FROM ((uint64_t)64 * 1024 * 1024)

/*
 * Caps against bombs: at most |max_bytes| of output (0: none), and, once more than |ratio_from| bytes came out, at most
 * |max_ratio| times the input (0: none).  They hold for each coding of a chain, not only for the last.
 */
struct rqx__decoder_limits {
    uint64_t max_bytes;
    uint32_t max_ratio;
    uint64_t ratio_from;
};

/*
 * Makes a decoder for the list |codings| ("gzip", "gzip, br", several fields joined with commas), undone from the last
 * to the first.  |*ret_decoder| is NULL, with 0, where there is nothing to undo.  RQX_ERR_NOMEM; RQX_ERR_DECODING:
 * chain too long.
 */
int rqx__decoder_new(rqx_slice codings, const struct rqx__decoder_limits *limits, struct rqx__decoder **ret_decoder);
void rqx__decoder_free(struct rqx__decoder *decoder);
/*
 * Decodes from |data|, appending to |out| until |data| is used up or |want| bytes were appended, never more;
 * |*ret_used| tells how many bytes of |data| were taken.  Call again (with the rest, even when it is empty) while
 * rqx__decoder_has_output.  RQX_ERR_DECODING, RQX_ERR_DECODED_TOO_LARGE, RQX_ERR_NOMEM, RQX_ERR_BODY_TOO_LARGE (above
 * the maximum of |out|); |err| says which coding and why.  A failure is final.
 */
int rqx__decoder_push(struct rqx__decoder *decoder, const uint8_t *data, size_t len, size_t want, size_t *ret_used,
                      struct rqx__buf *out, struct rqx__err *err);
/* Output may be held inside that push can give without new input. */
int rqx__decoder_has_output(const struct rqx__decoder *decoder);
/* After the last byte: RQX_ERR_DECODING if the stream is not complete.  No input at all is complete. */
int rqx__decoder_finish(struct rqx__decoder *decoder, struct rqx__err *err);
/* "gzip, deflate, br, zstd" as built. */
const char *rqx__codings_built(void);

#endif
