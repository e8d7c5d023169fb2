/*
 * The HTTP/1.1 codec: REQUEST CUTS, then what the peer sends until it closes.  Where the bytes are cut changes nothing
 * of what the owner is told, who is told of the end exactly once and of no byte of a body that was not announced.
 */
#include "fuzz.h"

#include <requestx/error.h>

#include "base/clock.h"
#include "base/str.h"
#include "proto/codec.h"

#define SECOND (1000 * RQX__NS_PER_MS)

/* Bits of REQUEST; the lowest three choose the method. */
enum {
    HAS_BODY = 1 << 3,   /* of 3,000 bytes */
    ANNOUNCED = 1 << 4,  /* its length is told */
    EXPECTS = 1 << 5,    /* 100 (Continue) is waited for */
    SENDS_LATE = 1 << 6, /* nothing is sent before the answer is there */
    FOLLOWS = 1 << 7     /* another request on the connection, where it may be */
};

struct owner {
    struct rqx__stream stream; /* first */
    struct rqx__head head;
    struct rqx_headers fields;
    struct fuzz_log *log;
    bool hoards; /* says consumed() at the end alone */
    size_t given;
    int64_t length; /* as head_done() told */
    uint64_t got;
    uint64_t owed;
    int status;
    int ends;
    int closes;
};

static struct owner *owner_of(struct rqx__stream *stream)
{
    return RQX__OF(stream, struct owner, stream);
}

static int on_head(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version)
{
    struct owner *owner = owner_of(stream);

    FUZZ_ASSERT(owner->closes == 0 && owner->ends == 0 && status >= 100 && status <= 999);
    FUZZ_ASSERT(owner->status < 200); /* what was final stays final */
    owner->status = status == 101 ? 200 : status;
    fuzz_log_say(owner->log, "head %d %d ", status, (int)version);
    fuzz_log_add(owner->log, reason.data, reason.len);
    fuzz_log_say(owner->log, "\n");
    return 0;
}

static int on_field(struct rqx__stream *stream, const char *name, size_t name_len, const char *value, size_t value_len,
                    bool trailer)
{
    struct owner *owner = owner_of(stream);

    FUZZ_ASSERT(owner->closes == 0 && owner->ends == 0);
    FUZZ_ASSERT(rqx__is_token(name, name_len) && rqx__is_field_value(value, value_len));
    fuzz_log_say(owner->log, trailer ? "trailer " : "field ");
    fuzz_log_add(owner->log, name, name_len);
    fuzz_log_say(owner->log, "=");
    fuzz_log_add(owner->log, value, value_len);
    fuzz_log_say(owner->log, "\n");
    return 0;
}

static int on_head_done(struct rqx__stream *stream, int status, int64_t content_length)
{
    struct owner *owner = owner_of(stream);

    FUZZ_ASSERT(content_length >= RQX_LENGTH_UNKNOWN);
    owner->length = content_length;
    fuzz_log_say(owner->log, "done %d %lld\n", status, (long long)content_length);
    return 0;
}

static int on_data(struct rqx__stream *stream, const uint8_t *data, size_t len)
{
    struct owner *owner = owner_of(stream);

    FUZZ_ASSERT(owner->closes == 0 && owner->ends == 0 && owner->status >= 200 && len > 0);
    owner->got += len;
    FUZZ_ASSERT(owner->length < 0 || owner->got <= (uint64_t)owner->length);
    fuzz_log_data(owner->log, data, len);
    if (owner->hoards)
        owner->owed += len;
    else
        stream->codec->ops->consumed(stream->codec, stream, len);
    return 0;
}

static void on_end(struct rqx__stream *stream)
{
    struct owner *owner = owner_of(stream);

    FUZZ_ASSERT(owner->closes == 0 && ++owner->ends == 1 && owner->status >= 200);
    FUZZ_ASSERT(owner->length < 0 || owner->got == (uint64_t)owner->length);
    fuzz_log_say(owner->log, "end\n");
}

static int on_pull(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    struct owner *owner = owner_of(stream);
    size_t len = 3000 - owner->given;

    FUZZ_ASSERT(cap > 0 && owner->head.has_body && owner->closes == 0);
    if (len > cap)
        len = cap;
    memset(buffer, 'b', len);
    owner->given += len;
    *ret_len = len;
    *ret_end = owner->given == 3000;
    return 0;
}

static void on_refused(struct rqx__stream *stream)
{
    fuzz_log_say(owner_of(stream)->log, "refused\n");
}

static void on_sent(struct rqx__stream *stream)
{
    fuzz_log_say(owner_of(stream)->log, "sent\n");
}

static void on_closed(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    struct owner *owner = owner_of(stream);

    FUZZ_ASSERT(++owner->closes == 1 && stream->codec == NULL);
    FUZZ_ASSERT((err == NULL) == (owner->ends == 1));
    FUZZ_ASSERT(err == NULL || err->code < 0);
    fuzz_log_say(owner->log, "closed %d %u %s\n", err != NULL ? err->code : 0, flags, err != NULL ? err->text : "");
}

static const struct rqx__stream_ops owner_ops = {
    .head = on_head,
    .field = on_field,
    .head_done = on_head_done,
    .data = on_data,
    .end = on_end,
    .pull_body = on_pull,
    .body_refused = on_refused,
    .sent = on_sent,
    .closed = on_closed,
};

static void add(struct owner *owner, const char *name, const char *value)
{
    FUZZ_ASSERT(rqx_headers_add(&owner->fields, name, strlen(name), value, strlen(value)) == 0);
}

static void owner_init(struct owner *owner, unsigned request, struct fuzz_log *log)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT", "OPTIONS", "GET", "PUT", "X"};
    const char *method = methods[request & 7];

    memset(owner, 0, sizeof *owner);
    owner->stream.ops = &owner_ops;
    owner->log = log;
    owner->length = RQX_LENGTH_UNKNOWN;
    rqx__headers_init(&owner->fields);
    owner->head = (struct rqx__head){
        .method = {method, strlen(method)},
        .scheme = RQX__LIT("http"),
        .authority = RQX__LIT("host.example:80"),
        .target = (request & 7) == 3 ? RQX__LIT("host.example:80") : RQX__LIT("/path?query"),
        .fields = &owner->fields,
        .has_body = (request & HAS_BODY) != 0,
        .body_length = request & ANNOUNCED ? 3000 : RQX_LENGTH_UNKNOWN,
    };
    if ((request & 7) == 5) {
        add(owner, "Connection", "Upgrade");
        add(owner, "Upgrade", "websocket");
    }
    if (request & HAS_BODY && request & EXPECTS) {
        add(owner, "Expect", "100-continue");
        owner->head.expect_continue = true;
    }
}

/* Lets the codec send all that it has. */
static int send_all(struct rqx__codec *codec)
{
    struct rqx__err err;
    struct rqx__buf out;
    size_t got;
    int rv;

    rqx__buf_init(&out, SIZE_MAX);
    do {
        rqx__buf_clear(&out);
        rv = codec->ops->send(codec, &out, 1000, &err);
        got = out.len;
        FUZZ_ASSERT(got <= 1000);
    } while (rv == 0 && got != 0);
    FUZZ_ASSERT(rv < 0 || !codec->ops->want_send(codec));
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
        FUZZ_ASSERT(rv <= 0);
        free(copy);
    }
    return rv;
}

static void consume(struct owner *owner, struct rqx__codec *codec)
{
    if (owner->owed != 0 && owner->stream.codec != NULL)
        codec->ops->consumed(codec, &owner->stream, owner->owed);
    owner->owed = 0;
}

/* One request and all that is answered.  Nothing of it may depend on |cuts|. */
static void exchange(struct rqx__codec *codec, struct owner *owner, unsigned request, struct fuzz_in in,
                     struct fuzz_cuts *cuts)
{
    struct rqx__err err = {0};
    int rv = codec->ops->submit(codec, &owner->stream, &owner->head);

    fuzz_log_say(owner->log, "submit %d\n", rv);
    if (rv != 0)
        return;
    FUZZ_ASSERT(codec->open_streams == 1);
    if (!(request & SENDS_LATE))
        rv = send_all(codec);
    if (rv >= 0)
        rv = receive(codec, in, cuts, &err);
    consume(owner, codec);
    if (rv >= 0)
        rv = send_all(codec);
    if (rv >= 0 && codec->ops->next_deadline(codec) != RQX__NEVER) {
        codec->now = codec->ops->next_deadline(codec);
        rv = codec->ops->tick(codec, &err);
        if (rv >= 0)
            rv = send_all(codec);
    }
    fuzz_log_say(owner->log, "now %d, state %d\n", rv, (int)codec->ops->state(codec));
    if (owner->closes == 1 && rv >= 0 && codec->ops->capacity(codec) == 1)
        return;
    if (rv >= 0)
        rv = codec->ops->eof(codec, &err);
    if (rv < 0)
        codec->ops->fail(codec, &err);
    fuzz_log_say(owner->log, "left %d\n", rv);
}

static void run(unsigned request, struct fuzz_in in, struct fuzz_cuts *cuts, struct fuzz_log *log)
{
    struct rqx__codec_config config = {
        .max_header_list = 4096, .max_streams = SIZE_MAX, .ping_idle = RQX__NEVER, .expect_timeout = SECOND};
    struct rqx__codec *codec = NULL;
    struct owner owners[3];
    size_t count = request & FOLLOWS ? 3 : 1;
    size_t i;

    FUZZ_ASSERT(rqx__h1_new(&config, &codec) == 0);
    codec->now = 5 * SECOND;
    for (i = 0; i < count; i++) {
        /* one after the other: an answer that is there before its request spoils the connection */
        struct fuzz_in part = count == 1 ? in : fuzz_until(&in, 0xff);

        owner_init(&owners[i], request, log);
        owners[i].hoards = cuts != NULL;
        exchange(codec, &owners[i], request, part, cuts);
    }
    codec->ops->shutdown(codec);
    codec->ops->fail(codec, &(struct rqx__err){.code = RQX_ERR_CLOSED});
    FUZZ_ASSERT(codec->open_streams == 0);
    for (i = 0; i < count; i++) {
        FUZZ_ASSERT(owners[i].closes <= 1 && owners[i].stream.codec == NULL);
        rqx__headers_done(&owners[i].fields);
    }
    FUZZ_ASSERT(owners[0].closes == 1);
    codec->ops->free(codec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned request = fuzz_u8(&in);
    struct fuzz_cuts cuts = fuzz_cuts(fuzz_u8(&in));
    struct fuzz_log whole = {0};
    struct fuzz_log pieces = {0};

    run(request, in, NULL, &whole);
    run(request, in, &cuts, &pieces);
    fuzz_log_same(&whole, &pieces);
    fuzz_log_done(&whole);
    fuzz_log_done(&pieces);
    return 0;
}
