/*
 * The HTTP/2 codec in conversation: the input is a list of what its owner does (streams begun, cancelled, read, bodies
 * given, time going by) and of frames that the peer sends.  Every frame sent must be well formed and within the peer's
 * windows; credit is conserved; each stream ends exactly once.
 */
#include "fuzz_owner2.h"
#include "fuzz_peer2.h"

#include "base/clock.h"
#include "base/mem.h"
#include "proto/h2_internal.h"

#define OWNERS     24
#define MAX_WINDOW (256 * 1024)

struct talk {
    struct rqx__codec *codec;
    struct peer2 peer;
    struct owner2 owners[OWNERS];
    size_t count;
    struct rqx__err err;
    bool over; /* the connection ended */
};

static void end(struct talk *talk, int rv)
{
    if (rv >= 0 || talk->over)
        return;
    FUZZ_ASSERT(talk->err.code == rv && talk->err.text[0] != '\0');
    talk->over = true;
    talk->codec->ops->fail(talk->codec, &talk->err);
    FUZZ_ASSERT(talk->codec->open_streams == 0);
}

static void send_some(struct talk *talk, size_t limit)
{
    struct rqx__buf out;
    int rv;

    rqx__buf_init(&out, SIZE_MAX);
    rv = talk->codec->ops->send(talk->codec, &out, limit, &talk->err);
    FUZZ_ASSERT(out.len <= limit);
    if (out.len != 0)
        peer2_take(&talk->peer, rqx__buf_head(&out), out.len);
    rqx__buf_done(&out);
    end(talk, rv);
}

static void send_all(struct talk *talk)
{
    size_t rounds = 0;

    while (talk->codec->ops->want_send(talk->codec) && !talk->over) {
        send_some(talk, 20000);
        FUZZ_ASSERT(rounds++ < 10000);
    }
}

static void give(struct talk *talk, unsigned how)
{
    struct fuzz_log *buf = &talk->peer.to_client;

    while (buf->len != 0 && !talk->over) {
        size_t len = how & 1 ? buf->len : buf->len / 2 + 1;
        uint8_t *copy = (uint8_t *)fuzz_copy((struct fuzz_in){(const uint8_t *)buf->text, len});
        int rv = talk->codec->ops->recv(talk->codec, copy, len, &talk->err);

        free(copy);
        fuzz_log_drop(buf, len);
        end(talk, rv);
    }
    buf->len = 0;
}

/* What the peer may still send, and what it will be told that it may, is what the codec thinks its window is. */
static void check_credit(struct talk *talk)
{
    const struct rqx__h2 *h2 = rqx__h2_of(talk->codec);
    size_t i;

    send_all(talk);
    give(talk, 1);
    send_all(talk); /* the credit for what was just given */
    if (talk->over || talk->codec->ops->state(talk->codec) == RQX__CODEC_CLOSED || h2->dying || talk->peer.rude ||
        talk->peer.to_client.len != 0 || !talk->peer.greeted)
        return;
    FUZZ_ASSERT(h2->conn_window <= MAX_WINDOW);
    FUZZ_ASSERT(talk->peer.window <= h2->conn_window && talk->peer.window >= h2->conn_window / 2 - 1);
    for (i = 0; i < talk->count; i++) {
        struct owner2 *owner = &talk->owners[i];
        const struct rqx__stream *stream = &owner->stream;
        struct peer2_stream *seen = peer2_stream(&talk->peer, stream->id);

        if (stream->codec == NULL || seen == NULL || !seen->open || seen->peer_end)
            continue;
        FUZZ_ASSERT(stream->window <= MAX_WINDOW && stream->unconsumed == owner->owed);
        FUZZ_ASSERT(seen->window + (int64_t)owner->owed + stream->owed <= stream->window);
        /* all that was read comes back, but for the step in which it is given */
        FUZZ_ASSERT(seen->window + (int64_t)owner->owed >= stream->window / 2 - 1 - (int64_t)h2->credit_step);
    }
}

static void submit(struct talk *talk, struct fuzz_in *in)
{
    unsigned kind = fuzz_u8(in);
    unsigned how = fuzz_u8(in);
    struct owner2 *owner;
    size_t capacity = talk->codec->ops->capacity(talk->codec);
    int rv;

    if (talk->count == OWNERS || talk->over)
        return;
    owner = &talk->owners[talk->count];
    owner2_init(owner, kind, (size_t)(how & 15) * 9000, NULL);
    owner->hoards = kind & 32;
    owner->body_given = kind & 64 ? SIZE_MAX : 1000;
    owner->refuse_at = kind & 128 ? (int)(how >> 4) : 0;
    rv = talk->codec->ops->submit(talk->codec, &owner->stream, &owner->head);
    FUZZ_ASSERT(rv == 0 || rv == RQX_AGAIN);
    FUZZ_ASSERT((rv == 0) == (capacity > 0));
    if (rv == 0)
        talk->count++;
}

static void cancel(struct talk *talk, struct owner2 *owner)
{
    if (owner->stream.codec == NULL)
        return;
    talk->codec->ops->cancel(talk->codec, &owner->stream, 8);
    FUZZ_ASSERT(owner->stream.codec == NULL);
    owner->cancelled = true;
}

static void consume(struct talk *talk, struct owner2 *owner, unsigned how)
{
    size_t len = how & 1 ? owner->owed : owner->owed / 3;

    owner->owed -= len;
    if (owner->stream.codec != NULL)
        talk->codec->ops->consumed(talk->codec, &owner->stream, len);
}

static void resume(struct talk *talk, struct owner2 *owner, unsigned how)
{
    owner->body_given = how & 1 ? SIZE_MAX : 3000;
    if (owner->stream.codec != NULL)
        FUZZ_ASSERT(talk->codec->ops->resume_body(talk->codec, &owner->stream) == 0);
}

static void pass_time(struct talk *talk, unsigned ms)
{
    if (talk->over)
        return;
    talk->codec->now += (uint64_t)ms * RQX__NS_PER_MS;
    if (talk->codec->ops->next_deadline(talk->codec) <= talk->codec->now)
        end(talk, talk->codec->ops->tick(talk->codec, &talk->err));
}

static void act(struct talk *talk, struct fuzz_in *in)
{
    unsigned op = fuzz_u8(in);
    struct owner2 *owner = &talk->owners[talk->count == 0 ? 0 : (op >> 4) % talk->count];

    switch (op & 15) {
    case 0:
    case 1:
        submit(talk, in);
        break;
    case 2:
        if (talk->count > 0)
            cancel(talk, owner);
        break;
    case 3:
        if (talk->count > 0)
            consume(talk, owner, fuzz_u8(in));
        break;
    case 4:
        if (talk->count > 0)
            resume(talk, owner, fuzz_u8(in));
        break;
    case 5:
        pass_time(talk, fuzz_u8(in) * 40);
        break;
    case 6:
        if (!talk->over)
            send_some(talk, 64 + fuzz_u8(in) * 16);
        break;
    case 7:
        send_all(talk);
        break;
    case 8:
        check_credit(talk);
        break;
    case 9:
        if ((op >> 4) == 15)
            talk->codec->ops->shutdown(talk->codec);
        break;
    case 10:
        talk->peer.rude |= (op >> 4) == 15;
        break;
    default:
        peer2_act(&talk->peer, in);
        if (op & 0x10)
            give(talk, op >> 5);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t none[6];
    struct rqx__codec_config config = {.max_header_list = 4096,
                                       .max_window = MAX_WINDOW,
                                       .max_streams = 20,
                                       .ping_idle = 3000 * RQX__NS_PER_MS,
                                       .ping_timeout = 2000 * RQX__NS_PER_MS,
                                       .expect_timeout = 1000 * RQX__NS_PER_MS};
    struct fuzz_in in = {data, size < 4096 ? size : 4096};
    struct talk *talk = calloc(1, sizeof *talk);
    size_t i;

    FUZZ_ASSERT(talk != NULL && rqx__h2_new(&config, &talk->codec) == 0);
    talk->codec->now = 1000000 * RQX__NS_PER_MS;
    peer2_init(&talk->peer);
    talk->peer.settings_out[talk->peer.settings_waiting++] = 65535;
    peer2_frame(&talk->peer, FRAME_SETTINGS, 0, 0, none, 0);
    while (in.len > 0)
        act(talk, &in);
    give(talk, 1);
    check_credit(talk);
    if (!talk->over) {
        rqx__err_set(&talk->err, RQX_ERR_CLOSED, NULL);
        end(talk, RQX_ERR_CLOSED);
    }
    for (i = 0; i < 100 && talk->codec->ops->want_send(talk->codec); i++)
        send_some(talk, 20000); /* last words */
    for (i = 0; i < talk->count; i++)
        FUZZ_ASSERT(talk->owners[i].closes + (talk->owners[i].cancelled ? 1 : 0) == 1);
    talk->codec->ops->free(talk->codec);
    peer2_done(&talk->peer);
    free(talk);
    return 0;
}
