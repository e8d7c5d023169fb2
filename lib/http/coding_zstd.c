/* zstd (RFC 8878), frames one after the other, windows of at most 8 MiB (RFC 9659). */
#include "base/mem.h"
#include "http/coding_ops.h"

#ifdef HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 23

struct unpacker {
    ZSTD_DCtx *context;
    bool ended; /* the last frame is complete and written */
};

static int create(void **ret_state)
{
    struct unpacker *unpacker = rqx__calloc(1, sizeof *unpacker);

    if (unpacker == NULL)
        return RQX_ERR_NOMEM;
    unpacker->context = ZSTD_createDCtx();
    if (unpacker->context == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(unpacker->context, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        ZSTD_freeDCtx(unpacker->context);
        rqx__free(unpacker);
        return RQX_ERR_NOMEM;
    }
    *ret_state = unpacker;
    return 0;
}

static int translate(size_t code, struct rqx__coding_io *io)
{
    if (ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation)
        return RQX_ERR_NOMEM;
    io->why = ZSTD_getErrorName(code);
    return RQX_ERR_DECODING;
}

static int run(void *state, struct rqx__coding_io *io)
{
    struct unpacker *unpacker = state;

    io->pending = false;
    do {
        ZSTD_inBuffer in = {io->in, io->in_len, 0};
        ZSTD_outBuffer out = {io->out, io->out_cap, io->out_len};
        size_t left = ZSTD_decompressStream(unpacker->context, &out, &in);

        io->in += in.pos;
        io->in_len -= in.pos;
        io->out_len = out.pos;
        if (ZSTD_isError(left))
            return translate(left, io);
        unpacker->ended = left == 0;
        io->pending = left != 0 && out.pos == out.size;
    } while (io->in_len > 0 && io->out_len < io->out_cap);
    return 0;
}

static bool complete(const void *state)
{
    const struct unpacker *unpacker = state;

    return unpacker->ended;
}

static void destroy(void *state)
{
    struct unpacker *unpacker = state;

    ZSTD_freeDCtx(unpacker->context);
    rqx__free(unpacker);
}

const struct rqx__coding rqx__coding_zstd = {"zstd", create, run, complete, destroy};
#endif
