/*
 * Content codings: WHICH CUTS WANT, then the body (or, with the highest bit of WHICH, what is to be compressed first).
 * What comes out does not depend on how the body was cut, nor on how much was asked for at once, and never passes the
 * maximum.
 */
#include "fuzz.h"

#include <requestx/error.h>
#include <zlib.h>

#include "http/coding.h"

/* Few enough for a run to be quick, and below what the ratio begins to count at. */
#define MOST (256 * 1024)

static const char *const chains[] = {
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, deflate",
    "deflate, gzip",
    "br, gzip",
    "zstd, br",
    "x-gzip",
    "gzip,gzip",
    "identity",
    "unknown, gzip",
    "GZIP",
    "gzip,deflate,gzip,deflate,gzip",
    "zstd, gzip",
    "deflate",
};

struct result {
    struct rqx__buf out;
    int rv;
};

static void take(struct rqx__decoder *decoder, const uint8_t *data, size_t len, size_t want, struct result *result)
{
    size_t used = 0;
    unsigned idle = 0;

    while (result->rv == 0 && (used < len || rqx__decoder_has_output(decoder))) {
        size_t before = result->out.len;
        size_t taken = 0;
        struct rqx__err err = {0};

        result->rv = rqx__decoder_push(decoder, data + used, len - used, want, &taken, &result->out, &err);
        FUZZ_ASSERT(result->rv <= 0 && taken <= len - used);
        FUZZ_ASSERT(result->out.len - before <= want && result->out.len <= MOST);
        FUZZ_ASSERT(result->rv == 0 || (err.code == result->rv && err.text[0] != '\0'));
        used += taken;
        idle = taken == 0 && result->out.len == before ? idle + 1 : 0;
        FUZZ_ASSERT(idle < 1000);
    }
}

/* The body in pieces made by |cuts|, or at once (NULL), each in memory that ends where it does. */
static struct result decode(const char *codings, const uint8_t *data, size_t len, struct fuzz_cuts *cuts, size_t want)
{
    struct rqx__decoder_limits limits = {MOST, 0, 0};
    struct rqx__decoder *decoder = NULL;
    struct result result = {.rv = 0};

    rqx__buf_init(&result.out, SIZE_MAX);
    FUZZ_ASSERT(rqx__decoder_new((rqx_slice){codings, strlen(codings)}, &limits, &decoder) == 0);
    if (decoder == NULL)
        return result;
    while (len > 0 && result.rv == 0) {
        size_t piece = cuts != NULL ? fuzz_piece(cuts, len) : len;
        uint8_t *copy = (uint8_t *)fuzz_copy((struct fuzz_in){data, piece});

        take(decoder, copy, piece, want, &result);
        free(copy);
        data += piece;
        len -= piece;
    }
    if (result.rv == 0)
        result.rv = rqx__decoder_finish(decoder, NULL);
    else
        FUZZ_ASSERT(rqx__decoder_finish(decoder, NULL) == result.rv && !rqx__decoder_has_output(decoder));
    rqx__decoder_free(decoder);
    return result;
}

static void check(const char *codings, const uint8_t *data, size_t len, unsigned seed, size_t want,
                  const struct fuzz_in *original)
{
    struct fuzz_cuts cuts = fuzz_cuts(seed);
    struct result whole = decode(codings, data, len, NULL, 64 * 1024);
    struct result pieces = decode(codings, data, len, &cuts, want);
    size_t common = whole.out.len < pieces.out.len ? whole.out.len : pieces.out.len;

    /* where two things are wrong, the order in which they are found may differ */
    FUZZ_ASSERT((whole.rv == 0) == (pieces.rv == 0));
    if (whole.rv == 0)
        FUZZ_ASSERT(whole.out.len == pieces.out.len);
    if (common != 0)
        FUZZ_ASSERT(memcmp(rqx__buf_head(&whole.out), rqx__buf_head(&pieces.out), common) == 0);
    if (original != NULL) {
        FUZZ_ASSERT(whole.rv == 0 && whole.out.len == original->len);
        FUZZ_ASSERT(original->len == 0 || memcmp(rqx__buf_head(&whole.out), original->data, original->len) == 0);
    }
    rqx__buf_done(&whole.out);
    rqx__buf_done(&pieces.out);
}

/* gzip, zlib or raw deflate of what is left. */
static void check_compressed(struct fuzz_in in, unsigned which, unsigned seed, size_t want)
{
    static const int bits[] = {16 + MAX_WBITS, MAX_WBITS, -MAX_WBITS};
    z_stream stream = {.zalloc = NULL};
    uint8_t *out;
    size_t bound;

    if (in.len > MOST)
        return;
    FUZZ_ASSERT(deflateInit2(&stream, (int)(which >> 2 & 7) + 1, Z_DEFLATED, bits[which % 3], 8, Z_DEFAULT_STRATEGY) ==
                Z_OK);
    bound = deflateBound(&stream, (uLong)in.len) + 64;
    out = malloc(bound);
    FUZZ_ASSERT(out != NULL);
    stream.next_in = (z_const Bytef *)(uintptr_t)in.data;
    stream.avail_in = (uInt)in.len;
    stream.next_out = out;
    stream.avail_out = (uInt)bound;
    FUZZ_ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    check(which % 3 == 0 ? "gzip" : "deflate", out, bound - stream.avail_out, seed, want, &in);
    deflateEnd(&stream);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned which = fuzz_u8(&in);
    unsigned seed = fuzz_u8(&in);
    size_t want = (fuzz_u8(&in) + 1) * 37;

    if (which & 0x80)
        check_compressed(in, which & 0x7f, seed, want);
    else
        check(chains[which % (sizeof chains / sizeof chains[0])], in.data, in.len, seed, want, NULL);
    return 0;
}
