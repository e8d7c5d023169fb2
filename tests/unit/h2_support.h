/*
 * h2_support.h - what the tests of the HTTP/2 codec share: owners of streams that write down what they are told, a
 * parser of the frames that the codec sends, and two peers.  One is nghttp2's server session, which does what a decent
 * server does; the other is frames written by hand, for what that would never send.
 */
#ifndef RQX_TESTS_UNIT_H2_SUPPORT_H
#define RQX_TESTS_UNIT_H2_SUPPORT_H

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "proto/h2_internal.h"
#include "support.h"

/* check.h has an old macro of that name */
#undef fail

#define SLICE(text) ((rqx_slice){(text), strlen(text)})
#define MS          RQX__NS_PER_MS

/* ---- owners of streams ---- */

/* Upcalls at which an owner does something out of the ordinary. */
enum at { AT_NEVER = 0, AT_HEAD, AT_FIELD, AT_HEAD_DONE, AT_DATA, AT_PULL, AT_END, AT_SENT, AT_REFUSED };

struct owner {
    struct rqx__stream stream;
    struct rqx__head head;
    struct rqx_headers *fields;   /* own; NULL: none */
    struct rqx_headers *trailers; /* own */

    /* what it does */
    bool holds;           /* keeps back consumed() */
    enum at cancel_at;    /* cancels its stream there */
    enum at fail_at;      /* gives RQX_ERR_NOMEM there */
    bool resumes;         /* calls resume_body() while it is asked, the first time, and says that it has nothing */
    struct owner *follow; /* submitted when this one is closed */
    const char *body;     /* to send; NULL: |body_left| times 'x' */
    size_t body_left;
    size_t body_given; /* bytes that pull_body may give before RQX_AGAIN; SIZE_MAX: all */
    size_t piece;      /* most bytes at once; 0: as asked */
    bool late_end;     /* the end comes after the last bytes, not with them */

    /* what it saw */
    char log[4096]; /* one line for each section, field, and end */
    size_t log_len;
    int status;
    int interims;
    int64_t content_length;
    size_t received;
    size_t pulls;
    int ends;
    int sents;
    int refusals;
    int closes;
    struct rqx__err err; /* code 0: closed well */
    unsigned flags;
};

static inline struct owner *owner_of(struct rqx__stream *stream)
{
    return RQX__OF(stream, struct owner, stream);
}

static inline void note(struct owner *owner, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void note(struct owner *owner, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(owner->log + owner->log_len, sizeof owner->log - owner->log_len, format, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof owner->log - owner->log_len)
        owner->log_len += (size_t)len;
}

/* Does what the owner is to do at |at|; gives the upcall's result. */
static inline int act(struct owner *owner, enum at at)
{
    ck_assert_int_eq(owner->closes, 0);
    if (owner->cancel_at == at)
        owner->stream.codec->ops->cancel(owner->stream.codec, &owner->stream, NGHTTP2_CANCEL);
    return owner->fail_at == at ? RQX_ERR_NOMEM : 0;
}

static inline int on_head(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version)
{
    struct owner *owner = owner_of(stream);

    ck_assert_int_eq(version, RQX_HTTP_2);
    ck_assert_uint_eq(reason.len, 0);
    note(owner, "[%d]\n", status);
    if (status < 200)
        owner->interims++;
    else
        owner->status = status;
    return act(owner, AT_HEAD);
}

static inline int on_field(struct rqx__stream *stream, const char *name, size_t name_len, const char *value,
                           size_t value_len, bool trailer)
{
    struct owner *owner = owner_of(stream);

    note(owner, "%s%.*s: %.*s\n", trailer ? "trailer " : "", (int)name_len, name, (int)value_len, value);
    return act(owner, AT_FIELD);
}

static inline int on_head_done(struct rqx__stream *stream, int status, int64_t content_length)
{
    struct owner *owner = owner_of(stream);

    owner->content_length = content_length;
    note(owner, "done %d\n", status);
    return act(owner, AT_HEAD_DONE);
}

static inline int on_data(struct rqx__stream *stream, const uint8_t *data, size_t len)
{
    struct owner *owner = owner_of(stream);
    struct rqx__codec *codec = stream->codec;

    ck_assert_ptr_nonnull(data);
    owner->received += len;
    if (!owner->holds)
        codec->ops->consumed(codec, stream, len);
    return act(owner, AT_DATA);
}

static inline void on_end(struct rqx__stream *stream)
{
    struct owner *owner = owner_of(stream);

    owner->ends++;
    note(owner, "end\n");
    act(owner, AT_END);
}

static inline int on_pull(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    struct owner *owner = owner_of(stream);
    size_t len = owner->body_left < cap ? owner->body_left : cap;
    int rv;

    owner->pulls++;
    rv = act(owner, AT_PULL);
    if (rv < 0)
        return rv;
    if (owner->resumes && owner->pulls == 1) {
        ck_assert_int_eq(stream->codec->ops->resume_body(stream->codec, stream), 0);
        return RQX_AGAIN;
    }
    if (owner->piece != 0 && len > owner->piece)
        len = owner->piece;
    if (owner->body_given != SIZE_MAX) {
        if (len > owner->body_given)
            len = owner->body_given;
        if (len == 0)
            return RQX_AGAIN;
        owner->body_given -= len;
    }
    if (owner->body != NULL) {
        memcpy(buffer, owner->body, len);
        owner->body += len;
    } else {
        memset(buffer, 'x', len);
    }
    owner->body_left -= len;
    *ret_len = len;
    *ret_end = owner->body_left == 0 && (len == 0 || !owner->late_end);
    return 0;
}

static inline void on_refused(struct rqx__stream *stream)
{
    owner_of(stream)->refusals++;
    act(owner_of(stream), AT_REFUSED);
}

static inline void on_sent(struct rqx__stream *stream)
{
    owner_of(stream)->sents++;
    act(owner_of(stream), AT_SENT);
}

static const struct rqx__stream_ops owner_ops;

static inline void on_closed(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    struct owner *owner = owner_of(stream);

    ck_assert_ptr_null(stream->codec);
    owner->closes++;
    ck_assert_int_eq(owner->closes, 1);
    if (err != NULL)
        owner->err = *err;
    else
        ck_assert_int_eq(owner->ends, 1);
    owner->flags = flags;
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

/* A GET of |path|. */
static inline void owner_init(struct owner *owner, const char *path)
{
    memset(owner, 0, sizeof *owner);
    owner->stream.ops = &owner_ops;
    owner->head.method = RQX__LIT("GET");
    owner->head.scheme = RQX__LIT("https");
    owner->head.authority = RQX__LIT("example.com");
    owner->head.target = SLICE(path);
    owner->head.body_length = RQX_LENGTH_UNKNOWN;
    owner->content_length = -99;
    owner->body_given = SIZE_MAX;
}

/* A POST of |len| bytes, announced as |announced|. */
static inline void owner_post(struct owner *owner, size_t len, int64_t announced)
{
    owner_init(owner, "/post");
    owner->head.method = RQX__LIT("POST");
    owner->head.has_body = true;
    owner->head.body_length = announced;
    owner->body_left = len;
}

static inline void add_field(struct rqx_headers **list, const char *name, const char *value)
{
    if (*list == NULL)
        ck_assert_int_eq(rqx_headers_new(list), 0);
    ck_assert_int_eq(rqx_headers_add(*list, name, strlen(name), value, strlen(value)), 0);
}

static inline void owner_field(struct owner *owner, const char *name, const char *value)
{
    add_field(&owner->fields, name, value);
    owner->head.fields = owner->fields;
}

static inline void owner_trailer(struct owner *owner, const char *name, const char *value)
{
    add_field(&owner->trailers, name, value);
    owner->head.trailers = owner->trailers;
}

static inline void owner_done(struct owner *owner)
{
    rqx_headers_free(owner->fields);
    rqx_headers_free(owner->trailers);
}

static inline void check_closed_well(const struct owner *owner)
{
    ck_assert_msg(owner->closes == 1 && owner->err.code == 0, "closes %d: %s", owner->closes, owner->err.text);
    ck_assert_int_eq(owner->ends, 1);
}

static inline void check_closed(const struct owner *owner, int code, unsigned flags)
{
    ck_assert_int_eq(owner->closes, 1);
    ck_assert_str_eq(rqx_error_name(owner->err.code), rqx_error_name(code));
    ck_assert_uint_eq(owner->flags, flags);
}

/* ---- frames ---- */

struct frame {
    uint32_t length;
    uint8_t type;
    uint8_t flags;
    int32_t id;
    uint32_t word;  /* RST_STREAM: code; WINDOW_UPDATE: increment; GOAWAY: code */
    size_t payload; /* offset in link->sent */
};

#define MAX_FRAMES 20000

/* The codec, and what it sent. */
struct link {
    struct rqx__codec *codec;
    struct rqx__codec_config config;
    struct rqx__buf sent; /* all of it, preface included */
    size_t parsed;        /* bytes of |sent| that are in |frames| */
    size_t taken;         /* bytes of |sent| that the peer had */
    struct frame *frames;
    size_t frame_count;
    size_t limit;        /* for send(); 0: much */
    struct rqx__err err; /* of the last call that failed */
};

static inline uint32_t word_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void parse_sent(struct link *link)
{
    const uint8_t *data = rqx__buf_head(&link->sent);

    if (link->parsed == 0 && link->sent.len >= NGHTTP2_CLIENT_MAGIC_LEN) {
        ck_assert_mem_eq(data, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
        link->parsed = NGHTTP2_CLIENT_MAGIC_LEN;
    }
    while (link->sent.len - link->parsed >= 9) {
        const uint8_t *p = data + link->parsed;
        struct frame frame = {0};

        frame.length = word_at(p) >> 8;
        frame.type = p[3];
        frame.flags = p[4];
        frame.id = (int32_t)(word_at(p + 5) & 0x7fffffff);
        frame.payload = link->parsed + 9;
        if (link->sent.len < frame.payload + frame.length)
            break;
        if (frame.type == NGHTTP2_GOAWAY)
            frame.word = word_at(p + 13);
        else if (frame.length >= 4)
            frame.word = word_at(p + 9);
        ck_assert_uint_lt(link->frame_count, MAX_FRAMES);
        link->frames[link->frame_count++] = frame;
        link->parsed = frame.payload + frame.length;
    }
}

/* Has the codec send what it has, at most |limit| bytes at a time. */
static inline int link_send(struct link *link)
{
    int rv = 0;
    size_t before;

    do {
        size_t limit = link->limit == 0 ? 1024 * 1024 : link->limit;

        before = link->sent.len;
        if (link->limit != 0) {
            struct rqx__buf out;

            rqx__buf_init(&out, SIZE_MAX);
            rv = link->codec->ops->send(link->codec, &out, limit, &link->err);
            ck_assert_uint_le(out.len, limit);
            ck_assert_int_eq(rqx__buf_append(&link->sent, rqx__buf_head(&out), out.len), 0);
            rqx__buf_done(&out);
        } else {
            rv = link->codec->ops->send(link->codec, &link->sent, link->sent.len + limit, &link->err);
        }
        parse_sent(link);
    } while (rv == 0 && link->sent.len != before);
    if (rv == 0)
        ck_assert(!link->codec->ops->want_send(link->codec));
    return rv;
}

/* How many frames of |type| were sent on |id|; -1: any. */
static inline size_t count_frames(const struct link *link, uint8_t type, int32_t id)
{
    size_t i;
    size_t n = 0;

    for (i = 0; i < link->frame_count; i++)
        n += link->frames[i].type == type && (id < 0 || link->frames[i].id == id);
    return n;
}

/* The last frame of |type| on |id|; fails if there is none. */
static inline const struct frame *find_frame(const struct link *link, uint8_t type, int32_t id)
{
    size_t i = link->frame_count;

    while (i-- > 0) {
        if (link->frames[i].type == type && (id < 0 || link->frames[i].id == id))
            return &link->frames[i];
    }
    ck_abort_msg("no frame of type %u on %d", type, (int)id);
    return NULL;
}

static inline size_t data_bytes(const struct link *link, int32_t id)
{
    size_t i;
    size_t n = 0;

    for (i = 0; i < link->frame_count; i++) {
        if (link->frames[i].type == NGHTTP2_DATA && link->frames[i].id == id)
            n += link->frames[i].length;
    }
    return n;
}

static inline void link_config(struct link *link)
{
    memset(link, 0, sizeof *link);
    link->config = (struct rqx__codec_config){
        .max_header_list = 64 * 1024,
        .max_window = 16 * 1024 * 1024,
        .max_streams = SIZE_MAX,
        .ping_idle = 10000 * MS,
        .ping_timeout = 5000 * MS,
        .expect_timeout = 1000 * MS,
    };
    rqx__buf_init(&link->sent, SIZE_MAX);
    link->frames = calloc(MAX_FRAMES, sizeof *link->frames);
    ck_assert_ptr_nonnull(link->frames);
}

/* With link->config as it stands. */
static inline void link_open(struct link *link)
{
    ck_assert_int_eq(rqx__h2_new(&link->config, &link->codec), 0);
    link->codec->now = 1000000 * MS;
}

static inline void link_init(struct link *link)
{
    link_config(link);
    link_open(link);
}

static inline void link_done(struct link *link)
{
    if (link->codec != NULL)
        link->codec->ops->free(link->codec);
    rqx__buf_done(&link->sent);
    free(link->frames);
}

static inline int link_submit(struct link *link, struct owner *owner)
{
    return link->codec->ops->submit(link->codec, &owner->stream, &owner->head);
}

static inline int link_recv(struct link *link, const void *data, size_t len)
{
    return link->codec->ops->recv(link->codec, data, len, &link->err);
}

static inline struct rqx__h2 *link_h2(struct link *link)
{
    return rqx__h2_of(link->codec);
}

/* ---- frames by hand ---- */

static inline void put_header(uint8_t *p, size_t len, uint8_t type, uint8_t flags, int32_t id)
{
    p[0] = (uint8_t)(len >> 16);
    p[1] = (uint8_t)(len >> 8);
    p[2] = (uint8_t)len;
    p[3] = type;
    p[4] = flags;
    p[5] = (uint8_t)((uint32_t)id >> 24);
    p[6] = (uint8_t)((uint32_t)id >> 16);
    p[7] = (uint8_t)((uint32_t)id >> 8);
    p[8] = (uint8_t)id;
}

/* A frame from the peer. */
static inline int raw(struct link *link, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len)
{
    static uint8_t buffer[9 + 65536];

    ck_assert_uint_le(len, 65536);
    put_header(buffer, len, type, flags, id);
    if (len != 0)
        memcpy(buffer + 9, payload, len);
    return link_recv(link, buffer, 9 + len);
}

static inline void put_word(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

static inline int raw_word(struct link *link, uint8_t type, int32_t id, uint32_t value)
{
    uint8_t payload[4];

    put_word(payload, value);
    return raw(link, type, 0, id, payload, 4);
}

static inline int raw_rst(struct link *link, int32_t id, uint32_t code)
{
    return raw_word(link, NGHTTP2_RST_STREAM, id, code);
}

static inline int raw_goaway(struct link *link, int32_t last, uint32_t code, const char *text)
{
    uint8_t payload[8 + 256];

    put_word(payload, (uint32_t)last);
    put_word(payload + 4, code);
    memcpy(payload + 8, text, strlen(text));
    return raw(link, NGHTTP2_GOAWAY, 0, 0, payload, 8 + strlen(text));
}

/* SETTINGS with one entry; |id| 0: none. */
static inline int raw_settings(struct link *link, uint16_t id, uint32_t value)
{
    uint8_t payload[6] = {(uint8_t)(id >> 8), (uint8_t)id};

    put_word(payload + 2, value);
    return raw(link, NGHTTP2_SETTINGS, 0, 0, payload, id == 0 ? 0 : 6);
}

static inline int raw_settings_ack(struct link *link)
{
    return raw(link, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

/* A header block in the making: literals without indexing (RFC 7541 section 6.2.2), lengths of one byte or more. */
struct block {
    uint8_t bytes[65536];
    size_t len;
};

static inline void block_number(struct block *block, size_t value)
{
    if (value < 127) {
        block->bytes[block->len++] = (uint8_t)value;
        return;
    }
    block->bytes[block->len++] = 127;
    value -= 127;
    while (value >= 128) {
        block->bytes[block->len++] = (uint8_t)(value % 128 + 128);
        value /= 128;
    }
    block->bytes[block->len++] = (uint8_t)value;
}

static inline void block_field_n(struct block *block, const char *name, const char *value, size_t value_len)
{
    block->bytes[block->len++] = 0;
    block_number(block, strlen(name));
    memcpy(block->bytes + block->len, name, strlen(name));
    block->len += strlen(name);
    block_number(block, value_len);
    memcpy(block->bytes + block->len, value, value_len);
    block->len += value_len;
}

static inline void block_field(struct block *block, const char *name, const char *value)
{
    block_field_n(block, name, value, strlen(value));
}

/* A HEADERS frame with :status |status| and the fields in |pairs| (name, value, ..., NULL). */
static inline int raw_headers(struct link *link, int32_t id, bool end, const char *status, const char *const *pairs)
{
    struct block block = {.len = 0};
    uint8_t flags = (uint8_t)(NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0));

    if (status != NULL)
        block_field(&block, ":status", status);
    for (; pairs != NULL && *pairs != NULL; pairs += 2)
        block_field(&block, pairs[0], pairs[1]);
    return raw(link, NGHTTP2_HEADERS, flags, id, block.bytes, block.len);
}

static inline int raw_data(struct link *link, int32_t id, bool end, size_t len)
{
    static const uint8_t zeros[65536];

    return raw(link, NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, id, zeros, len);
}

/* Both sides' SETTINGS are exchanged and acknowledged. */
static inline void raw_greet(struct link *link)
{
    ck_assert_int_eq(link_send(link), 0);
    ck_assert_int_eq(raw_settings(link, 0, 0), 0);
    ck_assert_int_eq(raw_settings_ack(link), 0);
    ck_assert_int_eq(link_send(link), 0);
}

/* Submits and sends a request on a link that greeted. */
static inline void raw_request(struct link *link, struct owner *owner)
{
    ck_assert_int_eq(link_submit(link, owner), 0);
    ck_assert_int_eq(link_send(link), 0);
}

/* ---- a decent server ---- */

struct server {
    nghttp2_session *session;
    struct link *link;
    char log[16384]; /* requests' fields, those never to be indexed with "!" before them */
    size_t log_len;
    size_t body_bytes; /* of the answers */
    size_t received;   /* bytes of requests' bodies */
    size_t requests;
    size_t resets;
    bool silent; /* takes requests without answering */
};

static inline ssize_t server_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
                                  nghttp2_data_source *source, void *user)
{
    size_t left = (size_t)(uintptr_t)nghttp2_session_get_stream_user_data(session, id);
    size_t len = left < length ? left : length;

    (void)source;
    (void)user;
    memset(buf, 'y', len);
    left -= len;
    nghttp2_session_set_stream_user_data(session, id, (void *)(uintptr_t)left);
    if (left == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

static inline void server_answer(struct server *server, int32_t id)
{
    static uint8_t status_name[] = ":status";
    static uint8_t status_value[] = "200";
    static uint8_t type_name[] = "content-type";
    static uint8_t type_value[] = "text/plain";
    nghttp2_nv nva[] = {{status_name, status_value, 7, 3, 0}, {type_name, type_value, 12, 10, 0}};
    nghttp2_data_provider body = {.read_callback = server_read};

    nghttp2_session_set_stream_user_data(server->session, id, (void *)(uintptr_t)server->body_bytes);
    ck_assert_int_eq(nghttp2_submit_response(server->session, id, nva, 2, server->body_bytes == 0 ? NULL : &body), 0);
}

static inline int server_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                                size_t namelen, const uint8_t *value, size_t valuelen, uint8_t flags, void *user)
{
    struct server *server = user;
    int len;

    (void)session;
    (void)frame;
    len = snprintf(server->log + server->log_len, sizeof server->log - server->log_len, "%s%.*s: %.*s\n",
                   flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "", (int)namelen, (const char *)name, (int)valuelen,
                   (const char *)value);
    if (len > 0 && (size_t)len < sizeof server->log - server->log_len)
        server->log_len += (size_t)len;
    return 0;
}

static inline int server_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct server *server = user;

    (void)session;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        server->requests++;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        server->resets++;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !server->silent)
        server_answer(server, frame->hd.stream_id);
    return 0;
}

static inline int server_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                              void *user)
{
    (void)session;
    (void)flags;
    (void)id;
    (void)data;
    ((struct server *)user)->received += len;
    return 0;
}

/* |settings| are the server's own. */
static inline void server_init(struct server *server, struct link *link, const nghttp2_settings_entry *settings,
                               size_t count)
{
    nghttp2_session_callbacks *callbacks;

    memset(server, 0, sizeof *server);
    server->link = link;
    ck_assert_int_eq(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, server_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, server_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, server_data);
    ck_assert_int_eq(nghttp2_session_server_new(&server->session, callbacks, server), 0);
    nghttp2_session_callbacks_del(callbacks);
    ck_assert_int_eq(nghttp2_submit_settings(server->session, NGHTTP2_FLAG_NONE, settings, count), 0);
}

static inline void server_done(struct server *server)
{
    nghttp2_session_del(server->session);
}

/* Gives the server what the codec sent. */
static inline void server_take(struct server *server)
{
    struct link *link = server->link;
    size_t len = link->sent.len - link->taken;
    ssize_t rv = nghttp2_session_mem_recv(server->session, rqx__buf_head(&link->sent) + link->taken, len);

    ck_assert_int_eq(rv, (ssize_t)len);
    link->taken = link->sent.len;
}

/* Gives the codec what the server has, all at once; gives the codec's result. */
static inline int server_give(struct server *server)
{
    struct rqx__buf buf;
    int rv = 0;

    rqx__buf_init(&buf, SIZE_MAX);
    for (;;) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(server->session, &data);

        ck_assert_int_ge(len, 0);
        if (len == 0)
            break;
        ck_assert_int_eq(rqx__buf_append(&buf, data, (size_t)len), 0);
    }
    if (buf.len != 0)
        rv = link_recv(server->link, rqx__buf_head(&buf), buf.len);
    rqx__buf_done(&buf);
    return rv;
}

/* Lets both talk until neither has anything to say. */
static inline int run(struct server *server)
{
    struct link *link = server->link;
    int rv;

    do {
        rv = link_send(link);
        if (rv < 0)
            return rv;
        server_take(server);
        rv = server_give(server);
        if (rv < 0)
            return rv;
    } while (link->codec->ops->want_send(link->codec) || nghttp2_session_want_write(server->session));
    return 0;
}

#endif
