/*
 * tunnel_h2.c - a tunnel in one CONNECT stream of an HTTP/2 connection to a proxy (RFC 9113 section 8.5).
 *
 * The connection carries this stream and no other.  The HTTP/2 codec does the talking; this wire stands between it and
 * the layer below as a connection does, and between its stream and the layer above as an exchange does.
 *
 * What is written goes into DATA frames as far as the proxy's credit reaches, straight from the caller's memory:
 * nothing waits here for credit.  Frames that the layer below does not take wait in |out|, those of the protocol itself
 * among them; what comes for a reader that does not read waits in |input|, which the stream's window bounds.  So this
 * layer has work of its own, and pump() does it.
 */
#include "net/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "proto/codec.h"
#include "proto/connect.h"

/* Ceiling of the windows, and so of |input|. */
#define WINDOW_MAX (4 * 1024 * 1024)
/* Frames that wait for the layer below. */
#define OUT_MAX (64 * 1024)
/* Bytes read from the layer below at once. */
#define PIECE (16 * 1024)
/* Field lines for the proxy, as the tunnel of HTTP/1.1 has them. */
#define FIELDS_MAX (4 * RQX__CONNECT_ANSWER_MAX)

struct h2_tunnel {
    struct rqx__wire wire;
    struct rqx__codec *codec;
    struct rqx__stream stream;
    struct rqx__head head; /* of CONNECT */
    char *authority;
    struct rqx_headers *fields; /* for the proxy; may hold credentials */

    bool asked;   /* the layer below is ready, and CONNECT was given to the codec */
    int answer;   /* RQX_AGAIN until the proxy answered; then 0 or negative, with |err| */
    bool ended;   /* the proxy will send no more through the tunnel */
    bool hung_up; /* nor anything else: the layer below is at its end */
    int failure;  /* negative: why the tunnel broke, with |err| */
    struct rqx__err err;

    struct rqx__buf input; /* came through the tunnel and was not read */
    struct rqx__buf out;   /* frames that the layer below did not take */
    const uint8_t *offer;  /* what write() has to send */
    size_t offered;
    size_t taken; /* of those bytes */
    bool last;    /* there will be no more */
};

static struct h2_tunnel *tunnel_of(const struct rqx__wire *wire)
{
    return (struct h2_tunnel *)(uintptr_t)wire;
}

static struct h2_tunnel *owner_of(struct rqx__stream *stream)
{
    return RQX__OF(stream, struct h2_tunnel, stream);
}

/* The first reason stays; what came before it is still to be read. */
static void broke(struct h2_tunnel *tunnel, const struct rqx__err *err)
{
    if (tunnel->failure < 0)
        return;
    tunnel->failure = err->code;
    tunnel->err = *err;
    if (tunnel->answer == RQX_AGAIN)
        tunnel->answer = err->code;
}

/* ---- the stream ---- */

static int on_head(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version)
{
    (void)stream;
    (void)status;
    (void)reason;
    (void)version;
    return 0;
}

static int on_field(struct rqx__stream *stream, const char *name, size_t name_len, const char *value, size_t value_len,
                    bool trailer)
{
    (void)stream;
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)trailer;
    return 0;
}

static int on_head_done(struct rqx__stream *stream, int status, int64_t content_length)
{
    struct h2_tunnel *tunnel = owner_of(stream);

    (void)content_length;
    if (status >= 300)
        tunnel->answer = rqx__connect_refused(status, (rqx_slice){"", 0}, &tunnel->err);
    else if (status >= 200)
        tunnel->answer = 0;
    return 0;
}

static int on_data(struct rqx__stream *stream, const uint8_t *data, size_t len)
{
    struct h2_tunnel *tunnel = owner_of(stream);

    if (tunnel->answer == 0)
        return rqx__buf_append(&tunnel->input, data, len);
    stream->codec->ops->consumed(stream->codec, stream, len); /* words about a refusal */
    return 0;
}

static void on_end(struct rqx__stream *stream)
{
    owner_of(stream)->ended = true;
}

static int on_pull(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end)
{
    struct h2_tunnel *tunnel = owner_of(stream);
    size_t left = tunnel->offered - tunnel->taken;

    *ret_len = left < cap ? left : cap;
    *ret_end = tunnel->last && *ret_len == left;
    if (left == 0)
        return *ret_end ? 0 : RQX_AGAIN;
    memcpy(buffer, tunnel->offer + tunnel->taken, *ret_len);
    tunnel->taken += *ret_len;
    return 0;
}

static void on_nothing(struct rqx__stream *stream)
{
    (void)stream;
}

/* RFC 9113 section 8.5: a reset is what a reset of TCP would be.  One before the answer refuses the tunnel. */
static void on_closed(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags)
{
    struct h2_tunnel *tunnel = owner_of(stream);
    struct rqx__err told;

    (void)flags;
    tunnel->ended = true;
    if (err == NULL)
        return;
    told = *err;
    switch (err->code) {
    case RQX_ERR_STREAM_RESET:
    case RQX_ERR_REFUSED:
    case RQX_ERR_GOAWAY:
    case RQX_ERR_HTTP_1_1_REQUIRED:
        told.code = tunnel->answer == RQX_AGAIN ? RQX_ERR_PROXY_REFUSED : RQX_ERR_READ;
        break;
    case RQX_ERR_PROTOCOL:
    case RQX_ERR_HEADER_TOO_LARGE:
    case RQX_ERR_RESPONSE_LENGTH:
    case RQX_ERR_FLOOD:
        told.code = RQX_ERR_PROXY_PROTOCOL;
        break;
    default:
        break;
    }
    if (tunnel->answer == 0)
        rqx__err_prefix(&told, "tunnel broken by the proxy");
    broke(tunnel, &told);
}

static const struct rqx__stream_ops stream_ops = {
    .head = on_head,
    .field = on_field,
    .head_done = on_head_done,
    .data = on_data,
    .end = on_end,
    .pull_body = on_pull,
    .body_refused = on_nothing,
    .sent = on_nothing,
    .closed = on_closed,
};

/* ---- bytes between the codec and the layer below ---- */

/* The connection to the proxy is lost, or what it says makes no sense: the stream is told, and so is the proxy. */
static void fail_codec(struct h2_tunnel *tunnel, const struct rqx__err *err)
{
    tunnel->codec->ops->fail(tunnel->codec, err);
    broke(tunnel, err);
}

/* Gives the layer below what there is.  0; RQX_AGAIN: some is left in |out|; negative: it failed. */
static int flush(struct h2_tunnel *tunnel)
{
    struct rqx__codec *codec = tunnel->codec;
    struct rqx__err err;

    codec->now = rqx__clock_now();
    for (;;) {
        size_t put = 0;
        int rc;

        if (tunnel->out.len == 0 && codec->ops->send(codec, &tunnel->out, OUT_MAX, &err) < 0) {
            fail_codec(tunnel, &err);
            codec->ops->send(codec, &tunnel->out, OUT_MAX, &err); /* its farewell */
        }
        if (tunnel->out.len == 0)
            return 0;
        rc = rqx__wire_write(tunnel->wire.lower, rqx__buf_head(&tunnel->out), tunnel->out.len, &put, &err);
        if (rc == RQX_AGAIN)
            return rc;
        if (rc < 0) {
            rqx__buf_clear(&tunnel->out);
            tunnel->hung_up = true;
            fail_codec(tunnel, &err);
            return rc;
        }
        rqx__buf_consume(&tunnel->out, put);
    }
}

static void hang_up(struct h2_tunnel *tunnel)
{
    struct rqx__err err;

    tunnel->hung_up = true;
    if (tunnel->ended)
        return;
    rqx__err_set(&err, RQX_ERR_TRUNCATED,
                 tunnel->answer == RQX_AGAIN ? "the proxy closed the connection without an answer"
                                             : "the proxy closed the connection");
    fail_codec(tunnel, &err);
}

/* Takes in one piece.  0: something came; RQX_AGAIN: nothing is there now, or ever. */
static int take_piece(struct h2_tunnel *tunnel)
{
    uint8_t piece[PIECE];
    struct rqx__err err;
    size_t got = 0;
    int rc;

    if (tunnel->hung_up || tunnel->failure < 0)
        return RQX_AGAIN;
    rc = rqx__wire_read(tunnel->wire.lower, piece, sizeof piece, &got, &err);
    if (rc == RQX_AGAIN)
        return rc;
    if (rc < 0) {
        tunnel->hung_up = true;
        fail_codec(tunnel, &err);
    } else if (got == 0) {
        hang_up(tunnel);
    } else {
        tunnel->codec->now = rqx__clock_now();
        if (tunnel->codec->ops->recv(tunnel->codec, piece, got, &err) < 0)
            fail_codec(tunnel, &err);
    }
    return 0;
}

/* Takes in what is there, and sends what that or anything else has made due. */
static void tunnel_pump(struct rqx__wire *wire)
{
    struct h2_tunnel *tunnel = tunnel_of(wire);

    while (take_piece(tunnel) == 0)
        ;
    flush(tunnel);
}

/* ---- the wire ---- */

static int submit(struct h2_tunnel *tunnel, struct rqx__err *err)
{
    int rc = tunnel->codec->ops->submit(tunnel->codec, &tunnel->stream, &tunnel->head);

    tunnel->asked = true;
    return rc == 0 ? 0 : rqx__err_set(err, rc < 0 ? rc : RQX_ERR_INTERNAL, NULL);
}

static int tunnel_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    struct h2_tunnel *tunnel = tunnel_of(wire);
    int rc;

    if (!tunnel->asked) {
        rc = rqx__wire_handshake(wire->lower, err);
        if (rc == 0)
            rc = submit(tunnel, err);
        if (rc != 0)
            return rc;
        flush(tunnel);
    }
    if (tunnel->answer == RQX_AGAIN)
        tunnel_pump(wire);
    if (tunnel->answer < 0 && err != NULL)
        *err = tunnel->err;
    return tunnel->answer;
}

static int tunnel_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    struct h2_tunnel *tunnel = tunnel_of(wire);
    size_t len;

    while (tunnel->input.len == 0 && !tunnel->ended && tunnel->failure == 0 && take_piece(tunnel) == 0)
        ;
    len = tunnel->input.len < cap ? tunnel->input.len : cap;
    if (len > 0) {
        memcpy(buffer, rqx__buf_head(&tunnel->input), len);
        rqx__buf_consume(&tunnel->input, len);
        tunnel->codec->ops->consumed(tunnel->codec, &tunnel->stream, len);
    }
    flush(tunnel); /* credit, and answers to what came */
    *ret_len = len;
    if (len > 0)
        return 0;
    if (tunnel->failure < 0 && err != NULL)
        *err = tunnel->err;
    if (tunnel->failure < 0)
        return tunnel->failure;
    return tunnel->ended ? 0 : RQX_AGAIN;
}

/* Has the stream take from |data| what credit and |out| allow. */
static int offer(struct h2_tunnel *tunnel, const uint8_t *data, size_t len, size_t *ret_taken)
{
    int rc;

    tunnel->offer = data;
    tunnel->offered = len;
    tunnel->taken = 0;
    rc = tunnel->codec->ops->resume_body(tunnel->codec, &tunnel->stream);
    if (rc == 0)
        rc = flush(tunnel);
    *ret_taken = tunnel->taken;
    tunnel->offer = NULL;
    tunnel->offered = tunnel->taken = 0;
    return rc;
}

static int tunnel_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    struct h2_tunnel *tunnel = tunnel_of(wire);
    size_t taken = 0;

    /* frames that wait go first; credit may have come since */
    if (tunnel->failure == 0 && flush(tunnel) == 0) {
        offer(tunnel, data, len, &taken);
        if (taken == 0 && tunnel->out.len == 0) {
            tunnel_pump(wire);
            if (tunnel->failure == 0)
                offer(tunnel, data, len, &taken);
        }
    }
    if (tunnel->failure < 0) {
        if (err != NULL)
            *err = tunnel->err;
        return tunnel->failure;
    }
    if (tunnel->stream.codec == NULL && taken == 0)
        return rqx__err_set(err, RQX_ERR_WRITE, "tunnel closed by the proxy");
    *ret_len = taken;
    return taken > 0 ? 0 : RQX_AGAIN;
}

static bool tunnel_has_buffered(const struct rqx__wire *wire)
{
    const struct h2_tunnel *tunnel = tunnel_of(wire);

    if (tunnel->input.len > 0 || tunnel->ended || tunnel->failure < 0)
        return true;
    return rqx__wire_has_buffered(wire->lower);
}

/* Also for writing: credit has to come first. */
static unsigned tunnel_wants(const struct rqx__wire *wire)
{
    const struct h2_tunnel *tunnel = tunnel_of(wire);
    unsigned wants = tunnel->hung_up || tunnel->failure < 0 ? 0 : RQX__IO_READ;

    if (!tunnel->asked)
        return rqx__wire_wants(wire->lower);
    return tunnel->out.len > 0 ? wants | RQX__IO_WRITE : wants;
}

static void tunnel_shutdown(struct rqx__wire *wire)
{
    struct h2_tunnel *tunnel = tunnel_of(wire);
    size_t taken;

    tunnel->last = true;
    if (tunnel->asked && tunnel->failure == 0) {
        if (tunnel->stream.codec != NULL)
            offer(tunnel, NULL, 0, &taken);
        tunnel->codec->ops->shutdown(tunnel->codec);
        flush(tunnel);
    }
    rqx__wire_shutdown(wire->lower);
}

static void tunnel_free(struct rqx__wire *wire)
{
    struct h2_tunnel *tunnel = tunnel_of(wire);

    if (tunnel->codec != NULL)
        tunnel->codec->ops->free(tunnel->codec);
    rqx__wire_free(wire->lower);
    rqx_headers_free(tunnel->fields);
    rqx__free(tunnel->authority);
    rqx__buf_done(&tunnel->input);
    rqx__buf_done(&tunnel->out);
    rqx__free(tunnel);
}

static const struct rqx__wire_ops tunnel_ops = {
    .name = "tunnel-h2",
    .handshake = tunnel_handshake,
    .read = tunnel_read,
    .write = tunnel_write,
    .has_buffered = tunnel_has_buffered,
    .wants = tunnel_wants,
    .shutdown = tunnel_shutdown,
    .free = tunnel_free,
    .pump = tunnel_pump,
};

/* ---- making one ---- */

/* "Name: value\r\n" for each field. */
static int parse_fields(rqx_slice lines, struct rqx_headers *fields)
{
    int rc = 0;

    while (rc == 0 && lines.len > 0) {
        const char *end = memchr(lines.data, '\r', lines.len);
        const char *colon = end == NULL ? NULL : memchr(lines.data, ':', (size_t)(end - lines.data));
        const char *value = colon == NULL ? NULL : colon + 1;
        size_t used;

        if (value == NULL || (size_t)(end - lines.data) + 2 > lines.len || end[1] != '\n')
            return RQX_ERR_INVALID_ARGUMENT;
        while (value < end && *value == ' ')
            value++;
        rc = rqx_headers_add(fields, lines.data, (size_t)(colon - lines.data), value, (size_t)(end - value));
        used = (size_t)(end - lines.data) + 2;
        lines = (rqx_slice){lines.data + used, lines.len - used};
    }
    return rc == RQX_ERR_NOMEM || rc == 0 ? rc : RQX_ERR_INVALID_ARGUMENT;
}

static int fill(struct h2_tunnel *tunnel, rqx_slice authority, rqx_slice fields)
{
    const struct rqx__codec_config config = {
        .max_header_list = RQX__CONNECT_ANSWER_MAX,
        .max_window = WINDOW_MAX,
        .max_streams = 1,
        .ping_idle = RQX__NEVER,
        .ping_timeout = RQX__NEVER,
        .expect_timeout = RQX__NEVER,
        .scheme_is_https = true,
    };
    int rc = rqx_headers_new(&tunnel->fields);

    if (rc == 0)
        rc = parse_fields(fields, tunnel->fields);
    if (rc == 0)
        rc = rqx__h2_new(&config, &tunnel->codec);
    if (rc < 0)
        return rc;
    tunnel->codec->now = rqx__clock_now();
    tunnel->authority = rqx__strndup(authority.data, authority.len);
    if (tunnel->authority == NULL)
        return RQX_ERR_NOMEM;
    tunnel->head.method = (rqx_slice){"CONNECT", 7};
    tunnel->head.authority = (rqx_slice){tunnel->authority, authority.len};
    tunnel->head.fields = tunnel->fields;
    tunnel->head.has_body = true;
    tunnel->head.body_length = RQX_LENGTH_UNKNOWN;
    tunnel->stream.ops = &stream_ops;
    return 0;
}

int rqx__h2_tunnel_wire_new(struct rqx__wire *lower, rqx_slice authority, rqx_slice fields, struct rqx__wire **ret_wire)
{
    struct h2_tunnel *tunnel;
    int rc;

    if (!rqx__connect_authority_is_sound(authority) || fields.len > FIELDS_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    tunnel = rqx__calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return RQX_ERR_NOMEM;
    tunnel->wire.ops = &tunnel_ops;
    tunnel->wire.fd = lower->fd;
    tunnel->answer = RQX_AGAIN;
    rqx__buf_init(&tunnel->input, 2 * WINDOW_MAX);
    rqx__buf_init(&tunnel->out, SIZE_MAX);
    rc = fill(tunnel, authority, fields);
    if (rc < 0) {
        tunnel_free(&tunnel->wire);
        return rc;
    }
    tunnel->wire.lower = lower;
    *ret_wire = &tunnel->wire;
    return 0;
}
