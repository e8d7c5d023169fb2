/* gzip (RFC 1952) and deflate (RFC 1950, or RFC 1951 from servers that took the name literally). */
#include <zlib.h>

#include "base/mem.h"
#include "http/coding_ops.h"

/* Most that is handed to zlib at once: its counts are unsigned int. */
#define STEP_MAX   ((size_t)1 << 30)
#define GZIP_FIRST 0x1f

struct inflater {
    z_stream stream;
    bool ended; /* the last member is complete */
    /* deflate only: the two bytes that tell the format, until it has taken them */
    uint8_t first[2];
    size_t first_len;
    size_t first_taken;
    bool chosen;
};

static voidpf allocate(voidpf opaque, uInt count, uInt size)
{
    (void)opaque;
    return rqx__calloc(count, size);
}

static void release(voidpf opaque, voidpf memory)
{
    (void)opaque;
    rqx__free(memory);
}

static int create(int window_bits, void **ret_state)
{
    struct inflater *inflater = rqx__calloc(1, sizeof *inflater);

    if (inflater == NULL)
        return RQX_ERR_NOMEM;
    inflater->stream.zalloc = allocate;
    inflater->stream.zfree = release;
    if (inflateInit2(&inflater->stream, window_bits) != Z_OK) {
        rqx__free(inflater);
        return RQX_ERR_NOMEM;
    }
    *ret_state = inflater;
    return 0;
}

static int create_gzip(void **ret_state)
{
    return create(16 + MAX_WBITS, ret_state);
}

static int create_deflate(void **ret_state)
{
    return create(MAX_WBITS, ret_state);
}

static void destroy(void *state)
{
    struct inflater *inflater = state;

    inflateEnd(&inflater->stream);
    rqx__free(inflater);
}

static bool complete(const void *state)
{
    const struct inflater *inflater = state;

    return inflater->ended;
}

static int fail(struct rqx__coding_io *io, const char *why)
{
    io->why = why;
    return RQX_ERR_DECODING;
}

/* One call of inflate with |*in|. */
static int step(struct inflater *inflater, const uint8_t **in, size_t *in_len, struct rqx__coding_io *io)
{
    z_stream *stream = &inflater->stream;
    size_t take = *in_len < STEP_MAX ? *in_len : STEP_MAX;
    size_t room = io->out_cap - io->out_len < STEP_MAX ? io->out_cap - io->out_len : STEP_MAX;
    int rc;

    stream->next_in = (z_const Bytef *)*in;
    stream->avail_in = (uInt)take;
    stream->next_out = io->out + io->out_len;
    stream->avail_out = (uInt)room;
    rc = inflate(stream, Z_NO_FLUSH);
    *in += take - stream->avail_in;
    *in_len -= take - stream->avail_in;
    io->out_len += room - stream->avail_out;
    io->pending = stream->avail_out == 0 && rc != Z_STREAM_END;
    switch (rc) {
    case Z_STREAM_END:
        inflater->ended = true;
        return 0;
    case Z_OK:
    case Z_BUF_ERROR: /* nothing to do, which is no error */
        return 0;
    case Z_MEM_ERROR:
        return RQX_ERR_NOMEM;
    case Z_NEED_DICT:
        return fail(io, "wants a dictionary");
    default:
        return fail(io, stream->msg != NULL ? stream->msg : "malformed");
    }
}

/* After a member: another one, or zeros that fill up a block of tape (RFC 1952 section 2.2 allows members to follow).
 */
static int next_member(struct inflater *inflater, struct rqx__coding_io *io)
{
    while (io->in_len > 0 && io->in[0] == 0) {
        io->in++;
        io->in_len--;
    }
    if (io->in_len == 0)
        return 0;
    if (io->in[0] != GZIP_FIRST)
        return fail(io, RQX__CODING_GARBAGE);
    inflater->ended = false;
    return inflateReset(&inflater->stream) == Z_OK ? 0 : fail(io, "malformed");
}

static int run_gzip(void *state, struct rqx__coding_io *io)
{
    struct inflater *inflater = state;
    int rv = 0;

    io->pending = false;
    do {
        if (inflater->ended)
            rv = next_member(inflater, io);
        if (rv == 0 && !inflater->ended)
            rv = step(inflater, &io->in, &io->in_len, io);
    } while (rv == 0 && io->in_len > 0 && io->out_len < io->out_cap);
    return rv;
}

/* RFC 1950 section 2.2: method 8, window of at most 32 KiB, and a check of both bytes. */
static bool is_zlib(const uint8_t *first)
{
    return (first[0] & 0x0f) == 8 && first[0] >> 4 <= 7 && (first[0] << 8 | first[1]) % 31 == 0;
}

/* Collects the first two bytes and sets the format by them.  Gives whether it is known. */
static bool choose(struct inflater *inflater, struct rqx__coding_io *io)
{
    while (io->in_len > 0 && inflater->first_len < sizeof inflater->first) {
        inflater->first[inflater->first_len++] = *io->in++;
        io->in_len--;
    }
    if (inflater->first_len < sizeof inflater->first)
        return false;
    if (!is_zlib(inflater->first))
        inflateReset2(&inflater->stream, -MAX_WBITS);
    inflater->chosen = true;
    return true;
}

static int run_deflate(void *state, struct rqx__coding_io *io)
{
    struct inflater *inflater = state;
    int rv = 0;

    io->pending = false;
    if (!inflater->chosen && !choose(inflater, io))
        return 0;
    while (rv == 0 && !inflater->ended && io->out_len < io->out_cap) {
        const uint8_t *first = inflater->first + inflater->first_taken;
        size_t left = inflater->first_len - inflater->first_taken;

        if (left > 0) {
            rv = step(inflater, &first, &left, io);
            inflater->first_taken = inflater->first_len - left;
            io->pending = io->pending || left > 0;
            continue;
        }
        rv = step(inflater, &io->in, &io->in_len, io);
        if (io->in_len == 0)
            break;
    }
    if (rv == 0 && inflater->ended && (io->in_len > 0 || inflater->first_taken < inflater->first_len))
        return fail(io, RQX__CODING_GARBAGE);
    return rv;
}

const struct rqx__coding rqx__coding_gzip = {"gzip", create_gzip, run_gzip, complete, destroy};
const struct rqx__coding rqx__coding_deflate = {"deflate", create_deflate, run_deflate, complete, destroy};
