/* br: the Brotli format (RFC 7932), windows of at most 16 MiB. */
#include "base/mem.h"
#include "http/coding_ops.h"

#ifdef HAVE_BROTLI
#include <brotli/decode.h>

static void *allocate(void *opaque, size_t size)
{
    (void)opaque;
    return rqx__malloc(size);
}

static void release(void *opaque, void *memory)
{
    (void)opaque;
    rqx__free(memory);
}

static int create(void **ret_state)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(allocate, release, NULL);

    if (state == NULL)
        return RQX_ERR_NOMEM;
    *ret_state = state;
    return 0;
}

static int translate(BrotliDecoderErrorCode code, struct rqx__coding_io *io)
{
    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
        return RQX_ERR_NOMEM;
    io->why = BrotliDecoderErrorString(code);
    return RQX_ERR_DECODING;
}

static int run(void *state, struct rqx__coding_io *io)
{
    uint8_t *out = io->out + io->out_len;
    size_t room = io->out_cap - io->out_len;
    BrotliDecoderResult result = BrotliDecoderDecompressStream(state, &io->in_len, &io->in, &room, &out, NULL);

    io->out_len = io->out_cap - room;
    io->pending = BrotliDecoderHasMoreOutput(state) != 0;
    if (result == BROTLI_DECODER_RESULT_ERROR)
        return translate(BrotliDecoderGetErrorCode(state), io);
    if (result == BROTLI_DECODER_RESULT_SUCCESS && io->in_len > 0) {
        io->why = RQX__CODING_GARBAGE;
        return RQX_ERR_DECODING;
    }
    return 0;
}

static bool complete(const void *state)
{
    return BrotliDecoderIsFinished(state) != 0;
}

static void destroy(void *state)
{
    BrotliDecoderDestroyInstance(state);
}

const struct rqx__coding rqx__coding_brotli = {"br", create, run, complete, destroy};
#endif
