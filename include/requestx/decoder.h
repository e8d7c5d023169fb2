/*
 * requestx/decoder.h - content codings undone apart from a response (RFC 9110 section 8.4): gzip, deflate, br, zstd,
 * chained.
 *
 * One owner; not for several threads at once.
 */
#ifndef REQUESTX_DECODER_H
#define REQUESTX_DECODER_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/**
 * Makes a decoder for the value |codings| of a Content-Encoding field ("gzip", "gzip, br").  |*ret_decoder| is NULL,
 * with 0, where there is nothing that is known and to be undone.  At most |max_bytes| come out (0: no limit), and,
 * beyond the first 64 MiB, at most |max_ratio| times what went in (0: no limit).  Errors: RQX_ERR_DECODING (a chain too
 * long), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_decoder_new(const char *codings, size_t len, uint64_t max_bytes, uint32_t max_ratio,
                            rqx_decoder **ret_decoder);
/** Frees it.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_decoder_free(rqx_decoder *decoder);
/**
 * Decodes |len| bytes and gives all that comes of them in |*ret_out|, which lives until the next call.
 * Errors (final): RQX_ERR_DECODING, RQX_ERR_DECODED_TOO_LARGE, RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_decoder_push(rqx_decoder *decoder, const void *data, size_t len, rqx_slice *ret_out);
/** After the last byte: what is left.  Errors: as push; RQX_ERR_DECODING also if the stream is not complete.  Since
 * 0.1. */
RQX_API int rqx_decoder_finish(rqx_decoder *decoder, rqx_slice *ret_out);
/** Gives what failed and why; empty if nothing did.  Lives as long as the decoder.  Since 0.1. */
RQX_API const char *rqx_decoder_text(const rqx_decoder *decoder);

RQX_END_DECLS

#endif
