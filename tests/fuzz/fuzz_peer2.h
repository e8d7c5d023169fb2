/*
 * fuzz_peer2.h - an HTTP/2 peer made of the input: frames that are well formed, though not always polite, and what the
 * peer knows of flow control from the frames that it got.
 */
#ifndef RQX_TESTS_FUZZ_FUZZ_PEER2_H
#define RQX_TESTS_FUZZ_FUZZ_PEER2_H

#include "fuzz.h"

enum {
    FRAME_DATA = 0,
    FRAME_HEADERS,
    FRAME_PRIORITY,
    FRAME_RST_STREAM,
    FRAME_SETTINGS,
    FRAME_PUSH_PROMISE,
    FRAME_PING,
    FRAME_GOAWAY,
    FRAME_WINDOW_UPDATE,
    FRAME_CONTINUATION
};

#define FLAG_END_STREAM  1u
#define FLAG_ACK         1u
#define FLAG_END_HEADERS 4u
#define FLAG_PADDED      8u

#define PEER2_STREAMS 256
#define PEER2_MAGIC   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

struct peer2_stream {
    int64_t window;  /* bytes that the peer may send */
    int64_t out;     /* bytes that the client may send */
    bool open;       /* HEADERS came */
    bool client_end; /* END_STREAM came */
    bool peer_end;   /* END_STREAM or RST_STREAM was sent, or RST_STREAM came */
};

struct peer2 {
    struct fuzz_log to_client;
    struct fuzz_log from_client; /* not yet parsed */
    bool greeted;                /* the client's preface came */
    bool rude;                   /* sends beyond windows, and on streams that are closed */
    bool wild;                   /* sent frames that it does not understand itself: no accounts are kept any more */
    int64_t window;
    int64_t out;
    int64_t initial_window;    /* SETTINGS_INITIAL_WINDOW_SIZE of the client */
    int64_t initial_out;       /* the peer's own, as acknowledged by the client */
    uint32_t settings_out[64]; /* values sent and not acknowledged: initial windows */
    size_t settings_waiting;
    int32_t last_id;
    unsigned acks_owed; /* SETTINGS of the client */
    uint8_t ping[8];
    bool ping_owed;
    struct peer2_stream streams[PEER2_STREAMS]; /* by id / 2 */
};

static inline void peer2_init(struct peer2 *peer)
{
    memset(peer, 0, sizeof *peer);
    peer->window = peer->out = peer->initial_window = peer->initial_out = 65535;
}

static inline void peer2_done(struct peer2 *peer)
{
    fuzz_log_done(&peer->to_client);
    fuzz_log_done(&peer->from_client);
}

/* NULL: none of the client's. */
static inline struct peer2_stream *peer2_stream(struct peer2 *peer, int32_t id)
{
    if (id <= 0 || (id & 1) == 0 || id / 2 >= PEER2_STREAMS)
        return NULL;
    return &peer->streams[id / 2];
}

static inline uint32_t peer2_word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void peer2_put_word(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

/* ---- what the client sends ---- */

static inline void peer2_take_settings(struct peer2 *peer, unsigned flags, const uint8_t *payload, size_t len)
{
    size_t i;

    if (flags & FLAG_ACK) {
        FUZZ_ASSERT(len == 0 && (peer->settings_waiting > 0 || peer->wild));
        if (peer->settings_waiting == 0)
            return;
        for (i = 0; i < PEER2_STREAMS; i++)
            peer->streams[i].out += (int64_t)peer->settings_out[0] - peer->initial_out;
        peer->initial_out = peer->settings_out[0];
        memmove(peer->settings_out, peer->settings_out + 1, --peer->settings_waiting * sizeof peer->settings_out[0]);
        return;
    }
    FUZZ_ASSERT(len % 6 == 0);
    for (i = 0; i + 6 <= len; i += 6) {
        unsigned id = (unsigned)payload[i] << 8 | payload[i + 1];
        uint32_t value = peer2_word(payload + i + 2);

        FUZZ_ASSERT(id != 2 || value == 0); /* no push */
        if (id == 4)
            peer->initial_window = value;
    }
    peer->acks_owed++;
}

static inline void peer2_take_data(struct peer2 *peer, struct peer2_stream *stream, unsigned flags, size_t len)
{
    FUZZ_ASSERT(stream != NULL && stream->open && !stream->client_end);
    FUZZ_ASSERT(len == 0 || peer->wild || ((int64_t)len <= peer->out && (int64_t)len <= stream->out));
    peer->out -= (int64_t)len;
    stream->out -= (int64_t)len;
    stream->client_end = flags & FLAG_END_STREAM;
}

static inline void peer2_take_headers(struct peer2 *peer, struct peer2_stream *stream, int32_t id, unsigned flags)
{
    FUZZ_ASSERT(id & 1);
    if (id > peer->last_id) {
        peer->last_id = id;
        if (stream == NULL)
            return;
        stream->open = true;
        stream->window = peer->initial_window;
        stream->out = peer->initial_out;
    }
    if (stream == NULL)
        return;
    FUZZ_ASSERT(stream->open && !stream->client_end); /* else: trailers of a request that goes on */
    stream->client_end = flags & FLAG_END_STREAM;
}

static inline void peer2_take_frame(struct peer2 *peer, const uint8_t *frame, size_t len)
{
    int32_t id = (int32_t)(peer2_word(frame + 5) & 0x7fffffff);
    struct peer2_stream *stream = peer2_stream(peer, id);
    const uint8_t *payload = frame + 9;
    unsigned flags = frame[4];

    switch (frame[3]) {
    case FRAME_DATA:
        if (id / 2 < PEER2_STREAMS)
            peer2_take_data(peer, stream, flags, len);
        break;
    case FRAME_HEADERS:
        peer2_take_headers(peer, stream, id, flags);
        break;
    case FRAME_RST_STREAM:
        FUZZ_ASSERT(len == 4 && id != 0);
        if (stream != NULL) {
            FUZZ_ASSERT(stream->open);
            stream->client_end = stream->peer_end = true;
        }
        break;
    case FRAME_SETTINGS:
        FUZZ_ASSERT(id == 0);
        peer2_take_settings(peer, flags, payload, len);
        break;
    case FRAME_PING:
        FUZZ_ASSERT(len == 8 && id == 0);
        if (!(flags & FLAG_ACK)) {
            memcpy(peer->ping, payload, 8);
            peer->ping_owed = true;
        }
        break;
    case FRAME_GOAWAY:
        FUZZ_ASSERT(len >= 8 && id == 0);
        break;
    case FRAME_WINDOW_UPDATE:
        FUZZ_ASSERT(len == 4 && peer2_word(payload) > 0);
        if (id == 0)
            peer->window += peer2_word(payload);
        else if (stream != NULL)
            stream->window += peer2_word(payload);
        FUZZ_ASSERT(peer->wild || (peer->window <= INT32_MAX && (stream == NULL || stream->window <= INT32_MAX)));
        break;
    case FRAME_CONTINUATION:
        break;
    default:
        FUZZ_FAIL("not a frame that a client sends");
    }
}

/* Takes what the client sent: every frame is checked. */
static inline void peer2_take(struct peer2 *peer, const uint8_t *data, size_t len)
{
    struct fuzz_log *buf = &peer->from_client;

    fuzz_log_add(buf, data, len);
    if (!peer->greeted && buf->len >= sizeof PEER2_MAGIC - 1) {
        FUZZ_ASSERT(memcmp(buf->text, PEER2_MAGIC, sizeof PEER2_MAGIC - 1) == 0);
        fuzz_log_drop(buf, sizeof PEER2_MAGIC - 1);
        peer->greeted = true;
    }
    while (peer->greeted && buf->len >= 9) {
        const uint8_t *frame = (const uint8_t *)buf->text;
        size_t payload = peer2_word(frame) >> 8;

        FUZZ_ASSERT(payload <= 16384);
        if (buf->len < 9 + payload)
            return;
        peer2_take_frame(peer, frame, payload);
        fuzz_log_drop(buf, 9 + payload);
    }
}

/* ---- what the peer sends ---- */

static inline void peer2_frame(struct peer2 *peer, unsigned type, unsigned flags, int32_t id, const void *payload,
                               size_t len)
{
    uint8_t header[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, (uint8_t)type, (uint8_t)flags};

    peer2_put_word(header + 5, (uint32_t)id);
    fuzz_log_add(&peer->to_client, header, 9);
    fuzz_log_add(&peer->to_client, payload, len);
}

/* A literal field without indexing (RFC 7541 section 6.2.2); texts are cut to 126 bytes. */
static inline size_t peer2_field(uint8_t *block, const char *name, const char *value)
{
    size_t name_len = strlen(name) < 126 ? strlen(name) : 126;
    size_t value_len = strlen(value) < 126 ? strlen(value) : 126;

    block[0] = 0;
    block[1] = (uint8_t)name_len;
    memcpy(block + 2, name, name_len);
    block[2 + name_len] = (uint8_t)value_len;
    memcpy(block + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

/* Fields that a server may send; the bits of |which| choose. */
static inline size_t peer2_fields(uint8_t *block, unsigned which)
{
    static const char *const fields[8][2] = {
        {"content-type", "text/plain"}, {"content-length", "5"}, {"content-length", "0"}, {"location", "/elsewhere"},
        {"content-encoding", "gzip"},   {"connection", "close"}, {"retry-after", "1"},    {"set-cookie", "a=b; Path=/"},
    };
    size_t len = 0;
    size_t i;

    for (i = 0; i < 8; i++) {
        if (which >> i & 1)
            len += peer2_field(block + len, fields[i][0], fields[i][1]);
    }
    return len;
}

static inline void peer2_headers(struct peer2 *peer, struct fuzz_in *in, int32_t id)
{
    static const char *const statuses[] = {"200", "204", "304", "100", "103", "302", "404", "421",
                                           "503", "417", "301", "101", "999", "425", "200", "200"};
    struct peer2_stream *stream = peer2_stream(peer, id);
    unsigned how = fuzz_u8(in);
    bool end = how & 0x10;
    uint8_t block[1024];
    size_t len = 0;
    size_t cut;

    if (!peer->rude && (stream == NULL || !stream->open || stream->peer_end))
        return;
    if (how & 0x20) /* trailers */
        end = true;
    else
        len = peer2_field(block, ":status", statuses[how & 15]);
    len += peer2_fields(block + len, fuzz_u8(in));
    cut = how & 0x40 ? len / 2 : len;
    peer2_frame(peer, FRAME_HEADERS, (cut == len ? FLAG_END_HEADERS : 0) | (end ? FLAG_END_STREAM : 0), id, block, cut);
    if (cut < len)
        peer2_frame(peer, FRAME_CONTINUATION, FLAG_END_HEADERS, id, block + cut, len - cut);
    if (end && stream != NULL)
        stream->peer_end = true;
}

static inline void peer2_data(struct peer2 *peer, struct fuzz_in *in, int32_t id)
{
    static const uint8_t bytes[16384];
    struct peer2_stream *stream = peer2_stream(peer, id);
    unsigned how = fuzz_u8(in);
    size_t len = (size_t)(how & 0x3f) * (how & 0x3f) * 4;
    uint8_t padded[16384];
    bool end = how & 0x40;

    if (!peer->rude) {
        if (stream == NULL || !stream->open || stream->peer_end)
            return;
        if ((int64_t)len > peer->window)
            len = peer->window > 0 ? (size_t)peer->window : 0;
        if ((int64_t)len > stream->window)
            len = stream->window > 0 ? (size_t)stream->window : 0;
    }
    peer->window -= (int64_t)len;
    if (stream != NULL) {
        stream->window -= (int64_t)len;
        stream->peer_end |= end;
    }
    if ((how & 0x80) && len > 4) {
        memset(padded, 0, len);
        padded[0] = 3;
        peer2_frame(peer, FRAME_DATA, FLAG_PADDED | (end ? FLAG_END_STREAM : 0), id, padded, len);
    } else {
        peer2_frame(peer, FRAME_DATA, end ? FLAG_END_STREAM : 0, id, bytes, len);
    }
}

static inline void peer2_settings(struct peer2 *peer, struct fuzz_in *in)
{
    static const uint32_t values[] = {0, 1, 100, 65535, 1000, 1u << 20, 16384, 3};
    unsigned which = fuzz_u8(in);
    unsigned ids[] = {4, 3, 5, 1, 6, 4, 8, 0x99};
    uint32_t value = values[which & 7];
    uint8_t payload[6] = {0, (uint8_t)ids[which >> 3 & 7]};
    int64_t initial = peer->settings_waiting > 0 ? peer->settings_out[peer->settings_waiting - 1] : peer->initial_out;

    if (peer->settings_waiting == 64)
        return;
    if (payload[1] == 5)
        value = 16384; /* larger frames are not what this is about */
    if (payload[1] == 8)
        value &= 1;
    peer2_put_word(payload + 2, value);
    peer->settings_out[peer->settings_waiting++] = payload[1] == 4 ? value : (uint32_t)initial;
    peer2_frame(peer, FRAME_SETTINGS, 0, 0, payload, which & 0x80 ? 0 : 6);
    if (which & 0x80)
        peer->settings_out[peer->settings_waiting - 1] = (uint32_t)initial;
}

static inline void peer2_window_update(struct peer2 *peer, struct fuzz_in *in, int32_t id)
{
    uint32_t amount = (fuzz_u8(in) + 1) * 500;
    struct peer2_stream *stream = peer2_stream(peer, id);
    uint8_t payload[4];

    if (id != 0 && !peer->rude && (stream == NULL || !stream->open))
        return;
    if (peer->rude && amount % 3 == 0)
        amount = 0x7fffffff;
    peer2_put_word(payload, amount);
    peer2_frame(peer, FRAME_WINDOW_UPDATE, 0, id, payload, 4);
    if (id == 0)
        peer->out += amount;
    else if (stream != NULL)
        stream->out += amount;
}

static inline void peer2_rst(struct peer2 *peer, struct fuzz_in *in, int32_t id)
{
    static const uint32_t codes[] = {7, 8, 0, 13, 11, 2, 0x1234, 5};
    struct peer2_stream *stream = peer2_stream(peer, id);
    uint8_t payload[4];

    peer2_put_word(payload, codes[fuzz_u8(in) & 7]);
    if (!peer->rude && (stream == NULL || !stream->open))
        return;
    if (stream != NULL)
        stream->peer_end = true;
    peer2_frame(peer, FRAME_RST_STREAM, 0, id, payload, 4);
}

static inline void peer2_goaway(struct peer2 *peer, struct fuzz_in *in)
{
    unsigned how = fuzz_u8(in);
    static const uint32_t codes[] = {0, 11, 13, 1};
    uint8_t payload[13] = "........debug";

    peer2_put_word(payload, how & 0x80 ? 0x7fffffff : (how & 15) * 2 + 1);
    peer2_put_word(payload + 4, codes[how >> 4 & 3]);
    peer2_frame(peer, FRAME_GOAWAY, 0, 0, payload, how & 0x40 ? 8 : 13);
}

static inline void peer2_small(struct peer2 *peer, struct fuzz_in *in, int32_t id)
{
    unsigned how = fuzz_u8(in);
    uint8_t payload[16] = {0, 0, 0, 2, 0x88};

    switch (how & 7) {
    case 0:
        peer2_frame(peer, FRAME_PING, 0, 0, payload, 8);
        break;
    case 1:
        if (peer->ping_owed)
            peer2_frame(peer, FRAME_PING, FLAG_ACK, 0, peer->ping, 8);
        peer->ping_owed = false;
        break;
    case 2:
        peer2_frame(peer, FRAME_PING, FLAG_ACK, 0, payload, 8);
        break;
    case 3:
        peer2_frame(peer, FRAME_PRIORITY, 0, id != 0 ? id : 1, payload, 5);
        break;
    case 4:
        if (peer->rude)
            peer2_frame(peer, FRAME_PUSH_PROMISE, FLAG_END_HEADERS, id, payload, 5);
        break;
    default:
        peer2_frame(peer, 0xa + how, how, id, payload, how & 15); /* extensions are ignored */
        break;
    }
}

static inline void peer2_ack(struct peer2 *peer)
{
    if (peer->acks_owed == 0)
        return;
    peer->acks_owed--;
    peer2_frame(peer, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
}

/* Makes the next frame of the input. */
static inline void peer2_act(struct peer2 *peer, struct fuzz_in *in)
{
    unsigned op = fuzz_u8(in);
    int32_t id = (int32_t)(op >> 4) * 2 + 1;

    switch (op & 15) {
    case 0:
    case 1:
    case 2:
        peer2_headers(peer, in, id);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        peer2_data(peer, in, id);
        break;
    case 7:
        peer2_window_update(peer, in, id);
        break;
    case 8:
        peer2_window_update(peer, in, 0);
        break;
    case 9:
        peer2_rst(peer, in, id);
        break;
    case 10:
        peer2_settings(peer, in);
        break;
    case 11:
    case 12:
        peer2_ack(peer);
        break;
    case 13:
        peer2_goaway(peer, in);
        break;
    case 14:
        peer2_small(peer, in, id);
        break;
    default: { /* whatever the input says */
        unsigned type = fuzz_u8(in);
        unsigned flags = fuzz_u8(in);
        struct fuzz_in payload = fuzz_take(in, fuzz_u8(in) & 63);

        peer->rude = peer->wild = true;
        peer2_frame(peer, type, flags, id - 1, payload.data, payload.len);
        break;
    }
    }
}

#endif
