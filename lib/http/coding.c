#include "http/coding.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/coding_ops.h"

/* Bytes between two codings of a chain. */
#define BETWEEN ((size_t)8 * 1024)
/* Least and most that is asked for in one step. */
#define CHUNK_MIN ((size_t)1024)
#define CHUNK_MAX ((size_t)32 * 1024)

struct stage {
    const struct rqx__coding *coding;
    void *state;       /* NULL until the first byte came */
    bool pending;      /* may write more without input */
    uint64_t produced; /* bytes written so far */
    /* output that waits for the next stage; unused in the last one */
    uint8_t *between;
    size_t off;
    size_t len;
};

struct rqx__decoder {
    struct rqx__decoder_limits limits;
    uint64_t taken; /* bytes of the body so far */
    int failed;     /* code of the failure that ended it, or 0 */
    size_t count;
    struct stage stages[RQX__CODING_CHAIN_MAX]; /* in the order of undoing */
};

const char *rqx__codings_built(void)
{
    return "gzip, deflate"
#ifdef HAVE_BROTLI
           ", br"
#endif
#ifdef HAVE_ZSTD
           ", zstd"
#endif
        ;
}

/* The coding of that name; NULL: unknown here. */
static const struct rqx__coding *find_coding(rqx_slice name)
{
    static const struct {
        const char *name;
        const struct rqx__coding *coding;
    } codings[] = {
        {"gzip", &rqx__coding_gzip}, {"x-gzip", &rqx__coding_gzip}, {"deflate", &rqx__coding_deflate},
#ifdef HAVE_BROTLI
        {"br", &rqx__coding_brotli},
#endif
#ifdef HAVE_ZSTD
        {"zstd", &rqx__coding_zstd},
#endif
    };
    size_t i;

    for (i = 0; i < sizeof codings / sizeof codings[0]; i++) {
        if (rqx__ieq(name.data, name.len, codings[i].name, strlen(codings[i].name)))
            return codings[i].coding;
    }
    return NULL;
}

/* Takes the last item off the comma separated |*list|.  False: there is none left. */
static bool take_last(rqx_slice *list, rqx_slice *ret_item)
{
    size_t start = list->len;

    if (list->data == NULL)
        return false;
    while (start > 0 && list->data[start - 1] != ',')
        start--;
    *ret_item = rqx__trim((rqx_slice){list->data + start, list->len - start});
    if (start == 0)
        *list = (rqx_slice){NULL, 0};
    else
        list->len = start - 1;
    return true;
}

/* Fills |chain| from the last coding on to the first that is not known.  RQX_ERR_DECODING: too many. */
static int read_chain(rqx_slice codings, const struct rqx__coding **chain, size_t *ret_count)
{
    rqx_slice item;
    size_t count = 0;

    while (take_last(&codings, &item)) {
        const struct rqx__coding *coding;

        if (item.len == 0 || rqx__ieq(item.data, item.len, "identity", 8))
            continue;
        coding = find_coding(item);
        if (coding == NULL)
            break;
        if (count == RQX__CODING_CHAIN_MAX)
            return RQX_ERR_DECODING;
        chain[count++] = coding;
    }
    *ret_count = count;
    return 0;
}

int rqx__decoder_new(rqx_slice codings, const struct rqx__decoder_limits *limits, struct rqx__decoder **ret_decoder)
{
    const struct rqx__coding *chain[RQX__CODING_CHAIN_MAX];
    struct rqx__decoder *decoder;
    size_t count = 0;
    size_t i;
    int rv = read_chain(codings, chain, &count);

    if (rv < 0)
        return rv;
    if (count == 0) {
        *ret_decoder = NULL;
        return 0;
    }
    decoder = rqx__calloc(1, sizeof *decoder + (count - 1) * BETWEEN);
    if (decoder == NULL)
        return RQX_ERR_NOMEM;
    decoder->limits = *limits;
    decoder->count = count;
    for (i = 0; i < count; i++) {
        decoder->stages[i].coding = chain[i];
        decoder->stages[i].between = (uint8_t *)(decoder + 1) + i * BETWEEN;
    }
    *ret_decoder = decoder;
    return 0;
}

void rqx__decoder_free(struct rqx__decoder *decoder)
{
    size_t i;

    if (decoder == NULL)
        return;
    for (i = 0; i < decoder->count; i++) {
        if (decoder->stages[i].state != NULL)
            decoder->stages[i].coding->destroy(decoder->stages[i].state);
    }
    rqx__free(decoder);
}

int rqx__decoder_has_output(const struct rqx__decoder *decoder)
{
    size_t i;

    for (i = 0; i < decoder->count; i++) {
        if (decoder->stages[i].pending || decoder->stages[i].len > 0)
            return decoder->failed == 0;
    }
    return 0;
}

/* What one push works with. */
struct push {
    struct rqx__decoder *decoder;
    const uint8_t *data;
    size_t len;
    size_t want; /* bytes still wanted */
    struct rqx__buf *out;
    struct rqx__err *err;
};

static int fail(struct push *push, const struct stage *stage, int code, const char *why)
{
    push->decoder->failed = code;
    return why == NULL ? rqx__err_set(push->err, code, NULL)
                       : rqx__err_set(push->err, code, "%s: %s", stage->coding->name, why);
}

/*
 * Most bytes that a stage may write in all.  What stands between two stages may be a little larger than what it decodes
 * to, but not without end: a chain could else be made to work for ever and write nothing.
 */
static uint64_t most_of(const struct rqx__decoder *decoder, const struct stage *stage)
{
    uint64_t most = decoder->limits.max_bytes;
    uint64_t slack = stage == &decoder->stages[decoder->count - 1] ? 0 : most / 16 + 4096;

    return most == 0 || most > UINT64_MAX - slack ? UINT64_MAX : most + slack;
}

static bool ratio_is_passed(const struct rqx__decoder *decoder, const struct stage *stage)
{
    uint64_t ratio = decoder->limits.max_ratio;

    return ratio != 0 && stage->produced > decoder->limits.ratio_from && stage->produced / ratio >= decoder->taken &&
           stage->produced > decoder->taken * ratio;
}

/* Runs |stage| on |io|, counts, and holds the limits. */
static int run_stage(struct push *push, struct stage *stage, struct rqx__coding_io *io)
{
    struct rqx__decoder *decoder = push->decoder;
    size_t before = io->in_len;
    int rv;

    if (stage->state == NULL) {
        rv = stage->coding->create(&stage->state);
        if (rv < 0)
            return fail(push, stage, rv, NULL);
    }
    rv = stage->coding->run(stage->state, io);
    if (stage == decoder->stages)
        decoder->taken += before - io->in_len;
    stage->produced += io->out_len;
    stage->pending = io->pending;
    if (rv < 0)
        return fail(push, stage, rv, rv == RQX_ERR_DECODING ? io->why : NULL);
    if (stage->produced > most_of(decoder, stage))
        return fail(push, stage, RQX_ERR_DECODED_TOO_LARGE, "decoded body larger than allowed");
    if (ratio_is_passed(decoder, stage))
        return fail(push, stage, RQX_ERR_DECODED_TOO_LARGE, "decoded body too many times larger than encoded");
    return 0;
}

static size_t smaller(size_t a, uint64_t b)
{
    return b < a ? (size_t)b : a;
}

/* Room for the next output of the last stage: no more than is wanted, allowed and likely to be used.  May be 0. */
static size_t room_for(const struct push *push, const struct stage *stage, size_t in_len)
{
    const struct rqx__buf *out = push->out;
    size_t there = out->cap - out->off - out->len;
    size_t room = stage->pending || in_len > CHUNK_MAX / 4 ? CHUNK_MAX : in_len * 4;

    if (room < CHUNK_MIN)
        room = CHUNK_MIN;
    if (room < there)
        room = smaller(there, CHUNK_MAX);
    room = smaller(room, push->want);
    room = smaller(room, most_of(push->decoder, stage) - stage->produced);
    return smaller(room, out->max - out->len);
}

/* The last stage, whose output is the result. */
static int run_last(struct push *push, struct stage *stage, struct rqx__coding_io *io)
{
    uint8_t excess;
    int rv;

    io->out_cap = room_for(push, stage, io->in_len);
    if (io->out_cap == 0) {
        /* a maximum is reached: right if nothing more comes */
        io->out = &excess;
        io->out_cap = 1;
        rv = run_stage(push, stage, io);
        return rv == 0 && io->out_len > 0 ? fail(push, stage, RQX_ERR_BODY_TOO_LARGE, NULL) : rv;
    }
    rv = rqx__buf_reserve(push->out, io->out_cap);
    if (rv < 0)
        return fail(push, stage, rv, NULL);
    io->out = rqx__buf_tail(push->out);
    rv = run_stage(push, stage, io);
    if (rv < 0)
        return rv;
    rqx__buf_commit(push->out, io->out_len);
    push->want -= io->out_len;
    return 0;
}

/* One step of stage |i|, from the stage before or the data to the stage behind or the result. */
static int advance(struct push *push, size_t i)
{
    struct rqx__decoder *decoder = push->decoder;
    struct stage *stage = &decoder->stages[i];
    struct stage *source = i > 0 ? &decoder->stages[i - 1] : NULL;
    struct rqx__coding_io io = {.in = push->data, .in_len = push->len};
    int rv;

    if (source != NULL) {
        io.in = source->between + source->off;
        io.in_len = source->len;
    }
    if (i + 1 == decoder->count) {
        rv = run_last(push, stage, &io);
    } else {
        io.out = stage->between;
        io.out_cap = BETWEEN;
        rv = run_stage(push, stage, &io);
        stage->off = 0;
        stage->len = io.out_len;
    }
    if (source != NULL) {
        source->off = (size_t)(io.in - source->between);
        source->len = io.in_len;
    } else {
        push->data = io.in;
        push->len = io.in_len;
    }
    return rv;
}

/* The stage nearest to the result that has something to do; the count: none has. */
static size_t busy_stage(const struct push *push)
{
    const struct rqx__decoder *decoder = push->decoder;
    size_t i = decoder->count;

    while (i-- > 0) {
        if (decoder->stages[i].pending || (i > 0 ? decoder->stages[i - 1].len : push->len) > 0)
            return i;
    }
    return decoder->count;
}

int rqx__decoder_push(struct rqx__decoder *decoder, const uint8_t *data, size_t len, size_t want, size_t *ret_used,
                      struct rqx__buf *out, struct rqx__err *err)
{
    struct push push = {decoder, data, len, want, out, err};
    int rv = 0;

    if (decoder->failed != 0)
        return rqx__err_set(err, decoder->failed, NULL);
    while (rv == 0 && push.want > 0) {
        size_t i = busy_stage(&push);

        if (i == decoder->count)
            break;
        rv = advance(&push, i);
    }
    if (rv < 0)
        return rv;
    *ret_used = len - push.len;
    return 0;
}

int rqx__decoder_finish(struct rqx__decoder *decoder, struct rqx__err *err)
{
    size_t i;

    if (decoder->failed != 0)
        return rqx__err_set(err, decoder->failed, NULL);
    for (i = 0; i < decoder->count; i++) {
        const struct stage *stage = &decoder->stages[i];

        if (stage->len > 0 || (stage->state != NULL && !stage->coding->complete(stage->state)))
            return rqx__err_set(err, RQX_ERR_DECODING, "%s: the data ends too early", stage->coding->name);
    }
    return 0;
}
