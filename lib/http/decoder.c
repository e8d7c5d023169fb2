/*
 * decoder.c - the public decoder: a chain of codings, a buffer for what comes out, and the text of what went wrong.
 */
#include <requestx/decoder.h>

#include "base/mem.h"
#include "http/coding.h"

/* Output is made in pieces of this size until the input is used up. */
#define PIECE (64 * 1024)

struct rqx_decoder {
    struct rqx__decoder *chain;
    struct rqx__buf out;
    struct rqx__err err;
};

int rqx_decoder_new(const char *codings, size_t len, uint64_t max_bytes, uint32_t max_ratio, rqx_decoder **ret_decoder)
{
    struct rqx__decoder_limits limits = {max_bytes, max_ratio, RQX__DECODER_RATIO_FROM};
    struct rqx__decoder *chain = NULL;
    rqx_decoder *decoder;
    int rv = rqx__decoder_new((rqx_slice){codings, len}, &limits, &chain);

    if (rv < 0)
        return rv;
    if (chain == NULL) {
        *ret_decoder = NULL;
        return 0;
    }
    decoder = rqx__calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        rqx__decoder_free(chain);
        return RQX_ERR_NOMEM;
    }
    decoder->chain = chain;
    rqx__buf_init(&decoder->out, SIZE_MAX);
    *ret_decoder = decoder;
    return 0;
}

void rqx_decoder_free(rqx_decoder *decoder)
{
    if (decoder == NULL)
        return;
    rqx__decoder_free(decoder->chain);
    rqx__buf_done(&decoder->out);
    rqx__free(decoder);
}

static int push_all(rqx_decoder *decoder, const uint8_t *data, size_t len)
{
    size_t used = 0;

    rqx__buf_clear(&decoder->out);
    while (used < len || rqx__decoder_has_output(decoder->chain)) {
        size_t taken = 0;
        int rv =
            rqx__decoder_push(decoder->chain, data + used, len - used, PIECE, &taken, &decoder->out, &decoder->err);

        if (rv < 0)
            return rv;
        used += taken;
    }
    return 0;
}

static rqx_slice output_of(const rqx_decoder *decoder)
{
    if (decoder->out.len == 0)
        return (rqx_slice){"", 0};
    return (rqx_slice){(const char *)rqx__buf_head(&decoder->out), decoder->out.len};
}

int rqx_decoder_push(rqx_decoder *decoder, const void *data, size_t len, rqx_slice *ret_out)
{
    int rv = push_all(decoder, len == 0 ? (const uint8_t *)"" : data, len);

    if (rv < 0)
        return rv;
    *ret_out = output_of(decoder);
    return 0;
}

int rqx_decoder_finish(rqx_decoder *decoder, rqx_slice *ret_out)
{
    int rv = push_all(decoder, (const uint8_t *)"", 0);

    if (rv >= 0)
        rv = rqx__decoder_finish(decoder->chain, &decoder->err);
    if (rv < 0)
        return rv;
    *ret_out = output_of(decoder);
    return 0;
}

const char *rqx_decoder_text(const rqx_decoder *decoder)
{
    return decoder->err.text;
}
