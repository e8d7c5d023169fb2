/*
 * The HTTP/2 codec with several streams open: STREAMS CUTS, then bytes from the peer, of which the first may be its
 * SETTINGS.  Each owner is told of the end exactly once, and where the bytes are cut changes nothing of a response that
 * ends well.  (Of one that does not, more or less may have been told: nghttp2 stops at a violation where it stands.)
 */
#include "fuzz_owner2.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proto/h2_internal.h"

#define STREAMS 5

static int send_all(struct rqx__codec *codec, struct rqx__err *err)
{
    struct rqx__buf out;
    size_t got;
    int rv;

    rqx__buf_init(&out, SIZE_MAX);
    do {
        rqx__buf_clear(&out);
        rv = codec->ops->send(codec, &out, 5000, err);
        got = out.len;
        FUZZ_ASSERT(got <= 5000);
    } while (rv == 0 && got != 0);
    rqx__buf_done(&out);
    return rv;
}

static int receive(struct rqx__codec *codec, struct fuzz_in in, struct fuzz_cuts *cuts, struct rqx__err *err)
{
    int rv = 0;

    while (in.len > 0 && rv == 0) {
        size_t len = cuts == NULL ? in.len : fuzz_piece(cuts, in.len);
        uint8_t *copy = (uint8_t *)fuzz_copy(fuzz_take(&in, len));

        rv = codec->ops->recv(codec, copy, len, err);
        FUZZ_ASSERT(rv <= 0 && (rv == 0 || (err->code == rv && err->text[0] != '\0')));
        free(copy);
    }
    return rv;
}

static void run(unsigned kinds, struct fuzz_in in, struct fuzz_cuts *cuts, struct fuzz_log *log)
{
    static const uint8_t greeting[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0};
    struct rqx__codec_config config = {.max_header_list = 8192,
                                       .max_window = 1024 * 1024,
                                       .max_streams = SIZE_MAX,
                                       .ping_idle = RQX__NEVER,
                                       .expect_timeout = 1000 * RQX__NS_PER_MS};
    struct owner2 owners[STREAMS];
    struct fuzz_log logs[STREAMS] = {{0}};
    struct rqx__codec *codec = NULL;
    struct rqx__err err = {0};
    size_t i;
    int rv;

    FUZZ_ASSERT(rqx__h2_new(&config, &codec) == 0);
    codec->now = 1000000 * RQX__NS_PER_MS;
    for (i = 0; i < STREAMS; i++) {
        static const unsigned shapes[STREAMS] = {0, 1 | 8, 2, 3, 4 | 8 | 16};

        owner2_init(&owners[i], shapes[i], kinds & 2 ? 200000 : 100, &logs[i]);
        owners[i].hoards = kinds & 4;
        FUZZ_ASSERT(codec->ops->submit(codec, &owners[i].stream, &owners[i].head) == 0);
    }
    FUZZ_ASSERT(codec->open_streams == STREAMS);
    rv = send_all(codec, &err);
    FUZZ_ASSERT(rv == 0);
    if (kinds & 1)
        rv = receive(codec, (struct fuzz_in){greeting, sizeof greeting}, NULL, &err);
    if (rv == 0)
        rv = receive(codec, in, cuts, &err);
    fuzz_log_say(log, "now %d\n", rv);
    if (rv == 0)
        rv = send_all(codec, &err);
    if (rv == 0)
        rv = codec->ops->eof(codec, &err);
    if (rv == 0)
        rqx__err_set(&err, RQX_ERR_CLOSED, NULL);
    codec->ops->fail(codec, &err);
    send_all(codec, &(struct rqx__err){0}); /* last words */
    FUZZ_ASSERT(codec->open_streams == 0);
    for (i = 0; i < STREAMS; i++) {
        FUZZ_ASSERT(owners[i].closes == 1 && owners[i].stream.codec == NULL);
        if (owners[i].ends == 1)
            fuzz_log_add(log, logs[i].text, logs[i].len);
        fuzz_log_done(&logs[i]);
    }
    codec->ops->free(codec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned kinds = fuzz_u8(&in);
    struct fuzz_cuts cuts = fuzz_cuts(fuzz_u8(&in));
    struct fuzz_log whole = {0};
    struct fuzz_log pieces = {0};

    run(kinds, in, NULL, &whole);
    run(kinds, in, &cuts, &pieces);
    fuzz_log_same(&whole, &pieces);
    fuzz_log_done(&whole);
    fuzz_log_done(&pieces);
    return 0;
}
