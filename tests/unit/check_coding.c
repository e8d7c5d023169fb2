#include <string.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/coding.h"
#include "support.h"

#define GZIP (16 + MAX_WBITS)
#define ZLIB MAX_WBITS
#define RAW  (-MAX_WBITS)

static const struct rqx__decoder_limits no_limits = {0, 0, 0};

static const char text[] = "the quick brown fox jumps over the lazy dog, again and again and again";
#define TEXT_LEN (sizeof text - 1)
#define MIB      ((uint64_t)1024 * 1024)

#ifdef HAVE_BROTLI
/* |text| */
static const uint8_t brotli_text[] = {0x1b, 0x45, 0x00, 0x50, 0x9d, 0x09, 0x76, 0xac, 0x0b, 0xeb, 0x58, 0xce, 0xc3,
                                      0x9a, 0xcc, 0x8c, 0x8d, 0x4e, 0x83, 0xb0, 0xcc, 0xe5, 0xcd, 0x33, 0x3c, 0xbd,
                                      0x7c, 0x43, 0x0b, 0x83, 0x0d, 0x38, 0x70, 0x08, 0x30, 0xd8, 0x27, 0x9c, 0x75,
                                      0xd8, 0x80, 0xf3, 0xd8, 0xe2, 0x05, 0x17, 0x59, 0xf7, 0x5f, 0x21, 0xea, 0xab,
                                      0x12, 0xcd, 0xa8, 0x53, 0x1f, 0x64, 0x13, 0x2e, 0x00};
/* 4,000,000 zeros */
static const uint8_t brotli_zeros[] = {0x9b, 0xff, 0x08, 0x3d, 0xf8, 0x27, 0x00,
                                       0xe2, 0xb1, 0x40, 0x20, 0x17, 0xa0, 0x07};
static const uint8_t brotli_empty[] = {0x3b};
#endif

/* Compresses with zlib, appending to |out|. */
static void zip(int window_bits, const void *data, size_t len, struct rqx__buf *out)
{
    z_stream stream = {.zalloc = NULL};
    size_t bound;

    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    bound = deflateBound(&stream, (uLong)len) + 64;
    ck_assert_int_eq(rqx__buf_reserve(out, bound), 0);
    stream.next_in = (z_const Bytef *)data;
    stream.avail_in = (uInt)len;
    stream.next_out = rqx__buf_tail(out);
    stream.avail_out = (uInt)bound;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    rqx__buf_commit(out, bound - stream.avail_out);
    deflateEnd(&stream);
}

static struct rqx__buf zipped(int window_bits, const void *data, size_t len)
{
    struct rqx__buf buf;

    rqx__buf_init(&buf, SIZE_MAX);
    zip(window_bits, data, len, &buf);
    return buf;
}

static struct rqx__decoder *decoder_for(const char *codings, const struct rqx__decoder_limits *limits)
{
    struct rqx__decoder *decoder = NULL;

    ck_assert_int_eq(rqx__decoder_new((rqx_slice){codings, strlen(codings)}, limits, &decoder), 0);
    return decoder;
}

/* How a body is handed over. */
struct way {
    size_t step; /* bytes at once */
    size_t want; /* bytes asked for at once */
};

/* Pushes all of |data|; gives the first error or 0. */
static int push_all(struct rqx__decoder *decoder, const uint8_t *data, size_t len, struct way way, struct rqx__buf *out,
                    struct rqx__err *err)
{
    while (len > 0 || rqx__decoder_has_output(decoder)) {
        size_t step = len < way.step ? len : way.step;
        size_t before = out->len;
        size_t used = 0;
        int rv = rqx__decoder_push(decoder, data, step, way.want, &used, out, err);

        if (rv < 0)
            return rv;
        ck_assert_uint_le(used, step);
        ck_assert_uint_le(out->len - before, way.want);
        ck_assert(used == step || out->len - before == way.want);
        data += used;
        len -= used;
    }
    return 0;
}

static int decode(const char *codings, const void *data, size_t len, struct way way,
                  const struct rqx__decoder_limits *limits, struct rqx__buf *out, struct rqx__err *err)
{
    struct rqx__decoder *decoder = decoder_for(codings, limits);
    int rv;

    rqx__err_clear(err);
    ck_assert_ptr_nonnull(decoder);
    rv = push_all(decoder, data, len, way, out, err);
    if (rv == 0)
        rv = rqx__decoder_finish(decoder, err);
    rqx__decoder_free(decoder);
    return rv;
}

/* More bytes than are taken one by one. */
#define MANY 10000

static const struct way ways[] = {{SIZE_MAX, SIZE_MAX}, {1, SIZE_MAX}, {7, 3}, {SIZE_MAX, 1}, {1, 1}, {16384, 16384}};

/* Whatever way the bytes come in and go out, |want| comes out. */
static void expect_decoded(const char *codings, const void *data, size_t len, const void *want, size_t want_len)
{
    size_t i;

    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct rqx__buf out;
        struct rqx__err err;
        int rv;

        if (want_len > MANY && ways[i].want < 100)
            continue;
        rqx__buf_init(&out, SIZE_MAX);
        rv = decode(codings, data, len, ways[i], &no_limits, &out, &err);
        ck_assert_msg(rv == 0, "%s, way %zu: %s", codings, i, err.text);
        ck_assert_uint_eq(out.len, want_len);
        if (want_len > 0)
            ck_assert_mem_eq(rqx__buf_head(&out), want, want_len);
        rqx__buf_done(&out);
    }
}

/* Whatever way the bytes come in and go out, they are refused with a text that has |why|. */
static void expect_refused(const char *codings, const void *data, size_t len, const char *why)
{
    size_t i;

    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct rqx__buf out;
        struct rqx__err err;
        int rv;

        if (len > MANY && (ways[i].want < 100 || ways[i].step < 100))
            continue;
        rqx__buf_init(&out, SIZE_MAX);
        rv = decode(codings, data, len, ways[i], &no_limits, &out, &err);
        ck_assert_int_eq(rv, RQX_ERR_DECODING);
        ck_assert_int_eq(err.code, RQX_ERR_DECODING);
        ck_assert_msg(strstr(err.text, why) != NULL, "%s, way %zu: '%s' lacks '%s'", codings, i, err.text, why);
        rqx__buf_done(&out);
    }
}

START_TEST(nothing_to_undo_is_no_decoder)
{
    static const char *const lists[] = {"",        "identity",      "IDENTITY, identity", ",, ,",
                                        "unknown", "gzip, unknown", "compress",           "gzip;q=1"};
    size_t i;

    for (i = 0; i < sizeof lists / sizeof lists[0]; i++)
        ck_assert_ptr_null(decoder_for(lists[i], &no_limits));
    ck_assert_ptr_null(decoder_for("", &no_limits));
    rqx__decoder_free(NULL);
}
END_TEST

START_TEST(the_built_codings_are_named)
{
    rqx_slice list = {rqx__codings_built(), strlen(rqx__codings_built())};

    ck_assert(rqx__list_has(list, "gzip"));
    ck_assert(rqx__list_has(list, "deflate"));
#ifdef HAVE_BROTLI
    ck_assert(rqx__list_has(list, "br"));
#else
    ck_assert_ptr_null(decoder_for("br", &no_limits));
#endif
#ifdef HAVE_ZSTD
    ck_assert(rqx__list_has(list, "zstd"));
#else
    ck_assert_ptr_null(decoder_for("zstd", &no_limits));
#endif
}
END_TEST

/* RFC 9110 section 8.4.1.3 */
START_TEST(gzip_is_undone)
{
    struct rqx__buf body = zipped(GZIP, text, TEXT_LEN);

    expect_decoded("gzip", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    expect_decoded("x-gzip", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    expect_decoded(" , GZip ,identity", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    expect_decoded("unknown, gzip", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    rqx__buf_done(&body);
    body = zipped(GZIP, "", 0);
    expect_decoded("gzip", rqx__buf_head(&body), body.len, "", 0);
    rqx__buf_done(&body);
}
END_TEST

/* RFC 1952 section 2.2 */
START_TEST(gzip_members_follow_one_another)
{
    static const uint8_t zeros[1000];
    struct rqx__buf body = zipped(GZIP, text, TEXT_LEN);

    zip(GZIP, "", 0, &body);
    zip(GZIP, " and more", 9, &body);
    expect_decoded("gzip", rqx__buf_head(&body), body.len,
                   "the quick brown fox jumps over the lazy dog, again and again and again and more", TEXT_LEN + 9);
    ck_assert_int_eq(rqx__buf_append(&body, zeros, sizeof zeros), 0);
    expect_decoded("gzip", rqx__buf_head(&body), body.len,
                   "the quick brown fox jumps over the lazy dog, again and again and again and more", TEXT_LEN + 9);
    zip(GZIP, "!", 1, &body);
    expect_decoded("gzip", rqx__buf_head(&body), body.len,
                   "the quick brown fox jumps over the lazy dog, again and again and again and more!", TEXT_LEN + 10);
    ck_assert_int_eq(rqx__buf_append(&body, "\0x", 2), 0);
    expect_refused("gzip", rqx__buf_head(&body), body.len, "gzip: data after the end");
    rqx__buf_done(&body);
}
END_TEST

START_TEST(malformed_gzip_is_refused)
{
    struct rqx__buf body = zipped(GZIP, text, TEXT_LEN);
    size_t i;

    expect_refused("gzip", text, TEXT_LEN, "gzip: incorrect header check");
    for (i = 1; i < body.len; i += rqx_test_step())
        expect_refused("gzip", rqx__buf_head(&body), i, "gzip: the data ends too early");
    body.data[body.off + body.len - 1] ^= 1;
    expect_refused("gzip", rqx__buf_head(&body), body.len, "gzip: incorrect length check");
    body.data[body.off + body.len - 1] ^= 1;
    body.data[body.off + body.len - 5] ^= 1;
    expect_refused("gzip", rqx__buf_head(&body), body.len, "gzip: incorrect data check");
    body.data[body.off + body.len - 5] ^= 1;
    ck_assert_int_eq(rqx__buf_append(&body, "\x1f\x8b\x07\0\0\0\0\0\0\0", 10), 0);
    expect_refused("gzip", rqx__buf_head(&body), body.len, "gzip: unknown compression method");
    rqx__buf_done(&body);
}
END_TEST

/* RFC 9110 section 8.4.1.2, and the servers that send RFC 1951 alone */
START_TEST(deflate_is_undone_with_and_without_its_wrapper)
{
    struct rqx__buf body = zipped(ZLIB, text, TEXT_LEN);
    size_t i;

    expect_decoded("deflate", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    for (i = 1; i < body.len; i += rqx_test_step())
        expect_refused("deflate", rqx__buf_head(&body), i, "deflate: the data ends too early");
    ck_assert_int_eq(rqx__buf_append(&body, "", 1), 0);
    expect_refused("deflate", rqx__buf_head(&body), body.len, "deflate: data after the end");
    rqx__buf_done(&body);
    body = zipped(RAW, text, TEXT_LEN);
    expect_decoded("deflate", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    for (i = 1; i < body.len; i += rqx_test_step())
        expect_refused("deflate", rqx__buf_head(&body), i, "deflate: the data ends too early");
    ck_assert_int_eq(rqx__buf_append(&body, "x", 1), 0);
    expect_refused("deflate", rqx__buf_head(&body), body.len, "deflate: data after the end");
    rqx__buf_done(&body);
    body = zipped(RAW, "", 0);
    ck_assert_uint_eq(body.len, 2);
    expect_decoded("deflate", rqx__buf_head(&body), body.len, "", 0);
    rqx__buf_done(&body);
    expect_refused("deflate", "\xff\xff\xff", 3, "deflate: invalid block type");
    expect_refused("deflate", "\x78\xbb\x00\x00\x00\x01\x00", 7, "deflate: wants a dictionary");
}
END_TEST

START_TEST(no_byte_at_all_is_complete)
{
    static const char *const lists[] = {
        "gzip", "deflate", "gzip, gzip",
#ifdef HAVE_BROTLI
        "br",
#endif
#ifdef HAVE_ZSTD
        "zstd",
#endif
    };
    size_t i;

    for (i = 0; i < sizeof lists / sizeof lists[0]; i++)
        expect_decoded(lists[i], "", 0, "", 0);
}
END_TEST

/* Bytes that compress badly, the same each time. */
static void fill(uint8_t *data, size_t len)
{
    uint32_t state = 12345;
    size_t i;

    for (i = 0; i < len; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (uint8_t)(state >> 24);
    }
}

START_TEST(large_bodies_come_through_whole)
{
    static uint8_t data[300000];
    size_t len = sizeof data / rqx_test_step();
    struct rqx__buf body;

    fill(data, len / 2);
    body = zipped(GZIP, data, len);
    expect_decoded("gzip", rqx__buf_head(&body), body.len, data, len);
    rqx__buf_done(&body);
    body = zipped(RAW, data, len);
    expect_decoded("deflate", rqx__buf_head(&body), body.len, data, len);
    rqx__buf_done(&body);
}
END_TEST

/* |times| times gzip around |data|. */
static struct rqx__buf nested(const void *data, size_t len, int times)
{
    struct rqx__buf body = zipped(GZIP, data, len);

    while (--times > 0) {
        struct rqx__buf outer = zipped(GZIP, rqx__buf_head(&body), body.len);

        rqx__buf_done(&body);
        body = outer;
    }
    return body;
}

/* RFC 9110 section 8.4: listed in the order in which they were applied */
START_TEST(codings_are_undone_from_the_last_to_the_first)
{
    static uint8_t data[100000];
    struct rqx__buf inner = zipped(ZLIB, text, TEXT_LEN);
    struct rqx__buf body = zipped(GZIP, rqx__buf_head(&inner), inner.len);

    expect_decoded("deflate, gzip", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    expect_decoded("deflate,identity,,x-gzip", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    expect_decoded("unknown, gzip", rqx__buf_head(&body), body.len, rqx__buf_head(&inner), inner.len);
    expect_refused("gzip, deflate", rqx__buf_head(&body), body.len, "deflate: ");
    expect_refused("gzip, gzip", rqx__buf_head(&body), body.len, "gzip: incorrect header check");
    rqx__buf_done(&inner);
    rqx__buf_done(&body);
    fill(data, sizeof data);
    body = nested(data, sizeof data, RQX__CODING_CHAIN_MAX);
    expect_decoded("gzip, gzip, gzip, gzip, gzip", rqx__buf_head(&body), body.len, data, sizeof data);
    expect_refused("gzip, gzip, gzip, gzip, gzip", rqx__buf_head(&body), body.len - 1, "ends too early");
    rqx__buf_done(&body);
}
END_TEST

START_TEST(a_chain_inside_which_the_data_ends_is_refused)
{
    struct rqx__buf inner = zipped(GZIP, text, TEXT_LEN);
    struct rqx__buf body = zipped(GZIP, rqx__buf_head(&inner), inner.len - 1);

    expect_refused("gzip, gzip", rqx__buf_head(&body), body.len, "gzip: the data ends too early");
    rqx__buf_done(&inner);
    rqx__buf_done(&body);
}
END_TEST

START_TEST(a_chain_is_at_most_five_long)
{
    struct rqx__decoder *decoder = NULL;

    ck_assert_int_eq(rqx__decoder_new(RQX__LIT("gzip,gzip,gzip,gzip,gzip,gzip"), &no_limits, &decoder),
                     RQX_ERR_DECODING);
    ck_assert_ptr_null(decoder);
    decoder = decoder_for("gzip,gzip,identity,gzip,gzip,gzip", &no_limits);
    ck_assert_ptr_nonnull(decoder);
    rqx__decoder_free(decoder);
}
END_TEST

START_TEST(no_more_than_what_is_wanted_comes)
{
    static uint8_t zeros[200000];
    struct rqx__buf body = zipped(GZIP, zeros, sizeof zeros);
    struct rqx__decoder *decoder = decoder_for("gzip", &no_limits);
    struct rqx__buf out;
    size_t used = 1;

    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(rqx__decoder_push(decoder, rqx__buf_head(&body), body.len, 0, &used, &out, NULL), 0);
    ck_assert_uint_eq(used, 0);
    ck_assert_int_eq(rqx__decoder_push(decoder, rqx__buf_head(&body), body.len, 1000, &used, &out, NULL), 0);
    ck_assert_uint_eq(out.len, 1000);
    ck_assert_uint_le(out.cap, 4096);
    ck_assert(rqx__decoder_has_output(decoder));
    ck_assert_int_eq(rqx__decoder_finish(decoder, NULL), RQX_ERR_DECODING);
    rqx__buf_consume(&body, used);
    while (rqx__decoder_has_output(decoder) || body.len > 0) {
        ck_assert_int_eq(rqx__decoder_push(decoder, rqx__buf_head(&body), body.len, 5000, &used, &out, NULL), 0);
        rqx__buf_consume(&body, used);
    }
    ck_assert_uint_eq(out.len, sizeof zeros);
    ck_assert_int_eq(rqx__decoder_finish(decoder, NULL), 0);
    rqx__decoder_free(decoder);
    rqx__buf_done(&body);
    rqx__buf_done(&out);
}
END_TEST

static void expect_limit(const char *codings, const struct rqx__buf *body, struct rqx__decoder_limits limits, int want,
                         size_t most)
{
    size_t i;

    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct rqx__buf out;
        struct rqx__err err;

        if ((most > MANY || body->len > MANY) && (ways[i].want < 100 || ways[i].step < 100))
            continue;
        rqx__buf_init(&out, SIZE_MAX);
        ck_assert_int_eq(decode(codings, rqx__buf_head(body), body->len, ways[i], &limits, &out, &err), want);
        ck_assert_int_eq(err.code, want);
        ck_assert_uint_le(out.len, most);
        ck_assert_uint_le(out.cap, most == 0 ? 32768 : 4 * most + 2048);
        if (want == 0)
            ck_assert_uint_eq(out.len, most);
        rqx__buf_done(&out);
    }
}

START_TEST(the_maximum_of_bytes_holds_to_the_byte)
{
    static uint8_t data[100000];
    struct rqx__buf body = zipped(GZIP, data, sizeof data);
    struct rqx__buf inner;

    expect_limit("gzip", &body, (struct rqx__decoder_limits){sizeof data, 0, MIB}, 0, sizeof data);
    expect_limit("gzip", &body, (struct rqx__decoder_limits){sizeof data - 1, 0, MIB}, RQX_ERR_DECODED_TOO_LARGE,
                 sizeof data - 1);
    expect_limit("gzip", &body, (struct rqx__decoder_limits){1, 0, MIB}, RQX_ERR_DECODED_TOO_LARGE, 1);
    expect_limit("gzip", &body, (struct rqx__decoder_limits){UINT64_MAX, UINT32_MAX, MIB}, 0, sizeof data);
    rqx__buf_done(&body);
    /* what stands between two codings may be a little larger than the result */
    fill(data, sizeof data);
    body = nested(data, sizeof data, 2);
    expect_limit("gzip, gzip", &body, (struct rqx__decoder_limits){sizeof data, 0, MIB}, 0, sizeof data);
    rqx__buf_done(&body);
    /* but a chain that swallows everything and gives nothing is no way around it */
    body = zipped(GZIP, "", 0);
    rqx__buf_init(&inner, SIZE_MAX);
    while (inner.len < 3000000)
        ck_assert_int_eq(rqx__buf_append(&inner, rqx__buf_head(&body), body.len), 0);
    rqx__buf_done(&body);
    body = zipped(GZIP, rqx__buf_head(&inner), inner.len);
    rqx__buf_done(&inner);
    expect_limit("gzip, gzip", &body, (struct rqx__decoder_limits){1000000, 0, MIB}, RQX_ERR_DECODED_TOO_LARGE, 0);
    expect_limit("gzip, gzip", &body, (struct rqx__decoder_limits){0, 50, MIB}, RQX_ERR_DECODED_TOO_LARGE, 0);
    expect_limit("gzip, gzip", &body, no_limits, 0, 0);
    rqx__buf_done(&body);
}
END_TEST

START_TEST(the_ratio_holds_from_where_it_is_told)
{
    static uint8_t data[2000000];
    struct rqx__buf body = zipped(GZIP, data, 1000000);

    expect_limit("gzip", &body, (struct rqx__decoder_limits){0, 10, MIB}, 0, 1000000);
    rqx__buf_done(&body);
    body = zipped(GZIP, data, sizeof data);
    expect_limit("gzip", &body, (struct rqx__decoder_limits){0, 100, MIB}, RQX_ERR_DECODED_TOO_LARGE,
                 1024 * 1024 + 32768);
    expect_limit("gzip", &body, (struct rqx__decoder_limits){0, 2000, MIB}, 0, sizeof data);
    rqx__buf_done(&body);
    fill(data, sizeof data);
    body = zipped(GZIP, data, sizeof data);
    expect_limit("gzip", &body, (struct rqx__decoder_limits){0, 2, MIB}, 0, sizeof data);
    rqx__buf_done(&body);
}
END_TEST

START_TEST(the_maximum_of_the_buffer_holds)
{
    struct rqx__buf body = zipped(GZIP, text, TEXT_LEN);
    struct rqx__err err;
    struct rqx__buf out;
    size_t i;

    for (i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        rqx__buf_init(&out, TEXT_LEN);
        ck_assert_int_eq(decode("gzip", rqx__buf_head(&body), body.len, ways[i], &no_limits, &out, &err), 0);
        ck_assert_uint_eq(out.len, TEXT_LEN);
        rqx__buf_done(&out);
        rqx__buf_init(&out, TEXT_LEN - 1);
        ck_assert_int_eq(decode("gzip", rqx__buf_head(&body), body.len, ways[i], &no_limits, &out, &err),
                         RQX_ERR_BODY_TOO_LARGE);
        rqx__buf_done(&out);
    }
    rqx__buf_done(&body);
}
END_TEST

START_TEST(a_failure_is_final)
{
    struct rqx__decoder *decoder = decoder_for("gzip", &no_limits);
    struct rqx__err err;
    struct rqx__buf out;
    size_t used = 77;

    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(rqx__decoder_push(decoder, (const uint8_t *)"xyz", 3, SIZE_MAX, &used, &out, &err),
                     RQX_ERR_DECODING);
    ck_assert_uint_eq(used, 77);
    ck_assert(!rqx__decoder_has_output(decoder));
    ck_assert_int_eq(rqx__decoder_push(decoder, NULL, 0, SIZE_MAX, &used, &out, &err), RQX_ERR_DECODING);
    ck_assert_int_eq(rqx__decoder_finish(decoder, &err), RQX_ERR_DECODING);
    rqx__decoder_free(decoder);
    rqx__buf_done(&out);
}
END_TEST

#ifdef HAVE_BROTLI
START_TEST(brotli_is_undone)
{
    static uint8_t zeros[4000000];
    struct rqx__buf body;
    size_t i;

    expect_decoded("br", brotli_text, sizeof brotli_text, text, TEXT_LEN);
    expect_decoded("BR", brotli_empty, sizeof brotli_empty, "", 0);
    for (i = 1; i < sizeof brotli_text; i += rqx_test_step())
        expect_refused("br", brotli_text, i, "br: the data ends too early");
    expect_refused("br", "\xff\xff\xff\xff\xff", 5, "br: ");
    rqx__buf_init(&body, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&body, brotli_zeros, sizeof brotli_zeros), 0);
    expect_limit("br", &body, no_limits, 0, sizeof zeros);
    expect_limit("br", &body, (struct rqx__decoder_limits){1000, 0, MIB}, RQX_ERR_DECODED_TOO_LARGE, 1000);
    expect_limit("br", &body, (struct rqx__decoder_limits){0, 100, MIB}, RQX_ERR_DECODED_TOO_LARGE,
                 1024 * 1024 + 32768);
    rqx__buf_clear(&body);
    ck_assert_int_eq(rqx__buf_append(&body, brotli_text, sizeof brotli_text), 0);
    ck_assert_int_eq(rqx__buf_append(&body, "", 1), 0);
    expect_refused("br", rqx__buf_head(&body), body.len, "br: data after the end");
    rqx__buf_done(&body);
    body = zipped(GZIP, brotli_text, sizeof brotli_text);
    expect_decoded("br, gzip", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    rqx__buf_done(&body);
}
END_TEST
#endif

#ifdef HAVE_ZSTD
static void zstd(const void *data, size_t len, struct rqx__buf *out)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t size;

    ck_assert_int_eq(rqx__buf_reserve(out, ZSTD_compressBound(len)), 0);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size = ZSTD_compress2(context, rqx__buf_tail(out), ZSTD_compressBound(len), data, len);
    ck_assert(!ZSTD_isError(size));
    rqx__buf_commit(out, size);
    ZSTD_freeCCtx(context);
}

/* RFC 8878 section 3.1 */
START_TEST(zstd_is_undone)
{
    static uint8_t data[300000];
    struct rqx__buf body;
    size_t i;

    rqx__buf_init(&body, SIZE_MAX);
    zstd(text, TEXT_LEN, &body);
    expect_decoded("zstd", rqx__buf_head(&body), body.len, text, TEXT_LEN);
    for (i = 1; i < body.len; i += rqx_test_step())
        expect_refused("zstd", rqx__buf_head(&body), i, "zstd: the data ends too early");
    zstd("", 0, &body);
    ck_assert_int_eq(rqx__buf_append(&body, "\x50\x2a\x4d\x18\x03\x00\x00\x00xyz", 11), 0); /* skippable frame */
    zstd(" and more", 9, &body);
    expect_decoded("zstd", rqx__buf_head(&body), body.len,
                   "the quick brown fox jumps over the lazy dog, again and again and again and more", TEXT_LEN + 9);
    ck_assert_int_eq(rqx__buf_append(&body, "garbage!!!", 10), 0);
    expect_refused("zstd", rqx__buf_head(&body), body.len, "zstd: ");
    rqx__buf_done(&body);
    fill(data, sizeof data / 2);
    zstd(data, sizeof data, &body);
    expect_decoded("zstd", rqx__buf_head(&body), body.len, data, sizeof data);
    expect_limit("zstd", &body, (struct rqx__decoder_limits){sizeof data, 0, MIB}, 0, sizeof data);
    expect_limit("zstd", &body, (struct rqx__decoder_limits){sizeof data - 1, 0, MIB}, RQX_ERR_DECODED_TOO_LARGE,
                 sizeof data - 1);
    body.data[body.off + body.len - 1] ^= 1;
    expect_refused("zstd", rqx__buf_head(&body), body.len, "zstd: ");
    rqx__buf_done(&body);
}
END_TEST

/* RFC 9659 section 3: frames that announce a window of 8 MiB, a little more, and 16 MiB, with one raw block */
START_TEST(zstd_is_that_of_the_rfc)
{
    /* frames to skip are, wherever they stand (section 3.1.2) */
    expect_decoded("zstd", "\x5a\x2a\x4d\x18\x02\x00\x00\x00??\x28\xb5\x2f\xfd\x00\x50\x19\x00\x00xyz", 22, "xyz", 3);
    expect_decoded("zstd", "\x28\xb5\x2f\xfd\x00\x50\x19\x00\x00xyz\x5f\x2a\x4d\x18\x02\x00\x00\x00??", 22, "xyz", 3);
    /* versions 0.1 and 0.4 to 0.7, which libzstd may have been built with */
    expect_refused("zstd", "\xfd\x2f\xb5\x1e\x00\x00\x00\x00", 8, "zstd: Unknown frame descriptor");
    expect_refused("zstd", "\x24\xb5\x2f\xfd\x00\x00\x00\x00", 8, "zstd: Unknown frame descriptor");
    expect_refused("zstd", "\x25\xb5\x2f\xfd\x00\x00\x00\x00", 8, "zstd: Unknown frame descriptor");
    expect_refused("zstd", "\x26\xb5\x2f\xfd\x04\xf5\x1f\xfb", 8, "zstd: Unknown frame descriptor");
    expect_refused("zstd", "\x27\xb5\x2f\xfd\x00\x00\x00\x00", 8, "zstd: Unknown frame descriptor");
    /* and behind a frame that is well */
    expect_refused("zstd", "\x28\xb5\x2f\xfd\x00\x50\x19\x00\x00xyz\x26\xb5\x2f\xfd", 16,
                   "zstd: Unknown frame descriptor");
    expect_refused("zstd", "\x28\x2a\x4d\x18\x02\x00\x00\x00??", 10, "zstd: Unknown frame descriptor");
}
END_TEST

START_TEST(zstd_windows_are_at_most_8_mib)
{
    expect_decoded("zstd", "\x28\xb5\x2f\xfd\x00\x68\x19\x00\x00xyz", 12, "xyz", 3);
    expect_refused("zstd", "\x28\xb5\x2f\xfd\x00\x69\x19\x00\x00xyz", 12, "zstd: Frame requires too much memory");
    expect_refused("zstd", "\x28\xb5\x2f\xfd\x00\x70\x19\x00\x00xyz", 12, "zstd: Frame requires too much memory");
}
END_TEST
#endif

#ifdef RQX_TEST_ALLOC
static int scenario(const char *codings, const struct rqx__buf *body)
{
    struct rqx__decoder *decoder = NULL;
    struct rqx__buf out;
    struct rqx__err err;
    int rv = rqx__decoder_new((rqx_slice){codings, strlen(codings)}, &no_limits, &decoder);

    rqx__buf_init(&out, SIZE_MAX);
    if (rv == 0)
        rv = push_all(decoder, rqx__buf_head(body), body->len, (struct way){100, 20000}, &out, &err);
    if (rv == 0)
        rv = rqx__decoder_finish(decoder, &err);
    rqx__decoder_free(decoder);
    rqx__buf_done(&out);
    return rv;
}

static void fail_each_allocation(const char *codings, const struct rqx__buf *body)
{
    unsigned long total;
    unsigned long n;

    rqx__mem_fail_at(0, 0);
    ck_assert_int_eq(scenario(codings, body), 0);
    total = rqx__mem_count();
    ck_assert_uint_ge(total, 3);
    for (n = 1; n <= total; n++) {
        rqx__mem_fail_at(n, 0);
        ck_assert_int_eq(scenario(codings, body), RQX_ERR_NOMEM);
    }
    rqx__mem_fail_at(0, 0);
}

START_TEST(every_failed_allocation_is_an_error)
{
    static uint8_t data[100000];
    struct rqx__buf body;

    fill(data, sizeof data / 8);
    body = nested(data, sizeof data, 2);
    fail_each_allocation("gzip, gzip", &body);
    rqx__buf_done(&body);
    body = zipped(RAW, data, sizeof data);
    fail_each_allocation("deflate", &body);
    rqx__buf_done(&body);
#ifdef HAVE_BROTLI
    ck_assert_int_eq(rqx__buf_append(&body, brotli_text, sizeof brotli_text), 0);
    fail_each_allocation("br", &body);
    rqx__buf_done(&body);
#endif
#ifdef HAVE_ZSTD
    zstd(data, sizeof data, &body);
    fail_each_allocation("zstd", &body);
    rqx__buf_done(&body);
#endif
}
END_TEST
#endif

static void add_limits(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "limits");

    tcase_add_test(tcase, a_chain_is_at_most_five_long);
    tcase_add_test(tcase, no_more_than_what_is_wanted_comes);
    tcase_add_test(tcase, the_maximum_of_bytes_holds_to_the_byte);
    tcase_add_test(tcase, the_ratio_holds_from_where_it_is_told);
    tcase_add_test(tcase, the_maximum_of_the_buffer_holds);
    tcase_add_test(tcase, a_failure_is_final);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, every_failed_allocation_is_an_error);
#endif
}

static Suite *coding_suite(void)
{
    Suite *suite = suite_create("coding");
    TCase *tcase = rqx_add_case(suite, "codings");

    tcase_add_test(tcase, nothing_to_undo_is_no_decoder);
    tcase_add_test(tcase, the_built_codings_are_named);
    tcase_add_test(tcase, gzip_is_undone);
    tcase_add_test(tcase, gzip_members_follow_one_another);
    tcase_add_test(tcase, malformed_gzip_is_refused);
    tcase_add_test(tcase, deflate_is_undone_with_and_without_its_wrapper);
    tcase_add_test(tcase, no_byte_at_all_is_complete);
    tcase_add_test(tcase, large_bodies_come_through_whole);
    tcase_add_test(tcase, codings_are_undone_from_the_last_to_the_first);
    tcase_add_test(tcase, a_chain_inside_which_the_data_ends_is_refused);
#ifdef HAVE_BROTLI
    tcase_add_test(tcase, brotli_is_undone);
#endif
#ifdef HAVE_ZSTD
    tcase_add_test(tcase, zstd_is_undone);
    tcase_add_test(tcase, zstd_is_that_of_the_rfc);
    tcase_add_test(tcase, zstd_windows_are_at_most_8_mib);
#endif
    add_limits(suite);
    return suite;
}

RQX_CHECK_MAIN(coding_suite)
