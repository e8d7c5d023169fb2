/* zstd (RFC 8878), frames one after the other, windows of at most 8 MiB (RFC 9659). */
#include "base/mem.h"
#include "http/coding_ops.h"

#ifdef HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

#define WINDOW_LOG_MAX 23

/* Bytes of a frame's magic number. */
#define MAGIC_LEN 4

struct unpacker {
    ZSTD_DCtx *context;
    size_t magic_len; /* bytes of the frame's magic number that were taken */
    uint8_t first;    /* the first of them */
    bool ended;       /* the last frame is complete and written */
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

/* Whether |byte| may stand at |at| in a frame's first bytes, which a frame and one to skip do not share. */
static bool magic_has(uint8_t first, size_t at, uint8_t byte)
{
    static const uint8_t frame[MAGIC_LEN] = {0x28, 0xb5, 0x2f, 0xfd};
    static const uint8_t skippable[MAGIC_LEN] = {0x50, 0x2a, 0x4d, 0x18};

    if (at == 0)
        return byte == frame[0] || (byte & 0xf0) == skippable[0];
    return byte == (first == frame[0] ? frame[at] : skippable[at]);
}

/*
 * Whether the frame that the next bytes begin, or go on with, is one of RFC 8878 (sections 3.1.1 and 3.1.2).  libzstd
 * may know the formats from before the RFC too, by decoders that nobody looks after and that no server has reason to
 * want: they are kept away from what a stranger sends.
 */
static bool magic_is_known(struct unpacker *unpacker, const struct rqx__coding_io *io)
{
    size_t i;

    for (i = 0; i < io->in_len && unpacker->magic_len + i < MAGIC_LEN; i++) {
        if (unpacker->magic_len + i == 0)
            unpacker->first = io->in[0];
        if (!magic_has(unpacker->first, unpacker->magic_len + i, io->in[i]))
            return false;
    }
    return true;
}

/* What follows |taken| bytes; |left| is libzstd's word for how the frame stands. */
static void note_frame(struct unpacker *unpacker, size_t taken, size_t left)
{
    unpacker->magic_len = taken < MAGIC_LEN - unpacker->magic_len ? unpacker->magic_len + taken : MAGIC_LEN;
    unpacker->ended = left == 0;
    if (unpacker->ended)
        unpacker->magic_len = 0;
}

/*
 * How much libzstd is given at once: a frame's magic number by itself, and then what there is.  A frame that it gets in
 * one piece it would decode in another way, which takes some that are refused otherwise: how a body is cut must not
 * tell.
 */
static size_t piece_of(const struct unpacker *unpacker, const struct rqx__coding_io *io)
{
    size_t magic = MAGIC_LEN - unpacker->magic_len;

    return magic > 0 && magic < io->in_len ? magic : io->in_len;
}

static int run(void *state, struct rqx__coding_io *io)
{
    struct unpacker *unpacker = state;

    io->pending = false;
    do {
        ZSTD_inBuffer in = {io->in, piece_of(unpacker, io), 0};
        ZSTD_outBuffer out = {io->out, io->out_cap, io->out_len};
        size_t left;

        if (!magic_is_known(unpacker, io)) {
            io->why = "Unknown frame descriptor";
            return RQX_ERR_DECODING;
        }
        left = ZSTD_decompressStream(unpacker->context, &out, &in);
        io->in += in.pos;
        io->in_len -= in.pos;
        io->out_len = out.pos;
        if (ZSTD_isError(left))
            return translate(left, io);
        note_frame(unpacker, in.pos, left);
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
