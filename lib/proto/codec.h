/*
 * codec.h - a protocol without I/O: bytes in, bytes out, and streams that are told what came.
 *
 * Implemented by h2.c (over nghttp2) and h1.c.  A codec knows no socket, no clock and no lock: whoever owns it (conn.c, or a test with a
 * fake peer) sets |now|, feeds recv(), drains send(), and calls tick() at next_deadline().  All calls come under the engine's lock.
 *
 * Rules
 * - Upcalls happen only inside recv(), eof(), send(), tick(), fail() and cancel() is silent.  They must not free the codec, nor
 *   call recv(), eof(), send() or tick(); they may call submit(), cancel(), consumed() and resume_body() of the same codec.
 * - closed() is the last upcall for a stream and comes exactly once for each that was submitted, unless cancel() was called, after
 *   which there is none.
 * - A negative result of recv(), eof(), send() or tick() is the end of the connection: the owner calls fail(), which closes all streams,
 *   may still drain send() (GOAWAY), and frees.
 */
#ifndef RQX_PROTO_CODEC_H
#define RQX_PROTO_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "http/headers.h"

struct rqx__codec;
struct rqx__stream;

/* What to send.  Borrowed until the stream is closed or cancelled: nothing in it may change or be freed before. */
struct rqx__head {
    rqx_slice method;
    rqx_slice scheme;
    rqx_slice authority;               /* the Host field's value where the user gave one */
    rqx_slice target;                  /* :path, or the request target (absolute form for a proxy is the owner's choice) */
    const struct rqx_headers *fields;  /* of the request; host, connection-specific ones included: the codec leaves out */
    const struct rqx_headers *defaults; /* of the client: sent unless |fields| has one of that name; NULL: none */
    rqx_slice authorization;           /* value to send unless |fields| has an Authorization; NULL data: none */
    rqx_slice cookies;                 /* cookie pairs to send after those of a Cookie field; NULL data: none */
    rqx_slice proxy_fields;            /* complete field lines for an HTTP/1.1 proxy in absolute form; empty: none */
    const struct rqx_headers *trailers; /* or NULL */
    bool in_tunnel;                    /* through a proxy that must not be spoken to in it: no Proxy-Authorization is sent */
    bool has_body;                     /* pull_body will be asked */
    int64_t body_length;               /* bytes, RQX_LENGTH_UNKNOWN; meaningful with |has_body| */
    bool send_zero_length;             /* no body, but content-length: 0 is to be sent (POST, PUT, PATCH) */
    bool expect_continue;              /* an Expect: 100-continue field stands in |fields| */
};

/* Why a stream was closed. */
enum rqx__close_flags {
    RQX__CLOSE_UNPROCESSED = 1, /* provably not processed: may be sent again whatever its method */
    RQX__CLOSE_NO_BYTES = 2     /* no byte of a response was received (HTTP/1 on a reused connection) */
};

/* Upcalls to the owner of a stream.  Results: 0, or negative to have that stream reset (h1: the connection closed). */
struct rqx__stream_ops {
    /* A header section begins, interim (1xx) or final; not called for trailers, which are field()s alone. */
    int (*head)(struct rqx__stream *stream, int status, rqx_slice reason, rqx_http_version version);
    /* A field of the section that began last; name is lower case on HTTP/2.  Checked; borrowed for the call. */
    int (*field)(struct rqx__stream *stream, const char *name, size_t name_len, const char *value, size_t value_len,
                 bool trailer);
    /* The header section that head() began is complete.  |status| as there.  |content_length|: bytes of body to come, 0
       where there can be none (HEAD, 204, 304), RQX_LENGTH_UNKNOWN. */
    int (*head_done)(struct rqx__stream *stream, int status, int64_t content_length);
    /* Body bytes as received, borrowed for the call.  The owner owes consumed() for them, at once or later. */
    int (*data)(struct rqx__stream *stream, const uint8_t *data, size_t len);
    /* The response is complete and valid, trailers included.  closed() follows, now or when the request is sent too. */
    void (*end)(struct rqx__stream *stream);
    /* Bytes of the request body: as rqx_body_read_cb, but never blocks: RQX_AGAIN until resume_body(). */
    int (*pull_body)(struct rqx__stream *stream, uint8_t *buffer, size_t cap, size_t *ret_len, bool *ret_end);
    /* The peer wants no more of the request body (early final response): it may be dropped.  The stream goes on.  h1: at the
       head of a status of 300 and above, or of any where 100 (Continue) was waited for; else at the end of the response. */
    void (*body_refused)(struct rqx__stream *stream);
    /* The last byte of the request was handed to send(). */
    void (*sent)(struct rqx__stream *stream);
    /* The end.  |err| NULL: well, after end().  Otherwise what went wrong; |flags| are RQX__CLOSE_*. */
    void (*closed)(struct rqx__stream *stream, const struct rqx__err *err, unsigned flags);
};

/* One request and its response on a codec; embedded in its owner, which outlives it. */
struct rqx__stream {
    const struct rqx__stream_ops *ops;
    struct rqx__codec *codec; /* NULL unless submitted and not closed */
    const struct rqx__head *head_out; /* as given to submit() */
    int32_t id;               /* HTTP/2 stream id; 0 until there is one, and on HTTP/1 */
    /* codec's own */
    struct rqx__list node;    /* in the codec's list of open streams */
    int64_t content_length;   /* announced by the response, or RQX_LENGTH_UNKNOWN */
    uint64_t received;        /* body bytes of the response so far */
    uint64_t sent_bytes;      /* body bytes of the request so far */
    uint64_t window_mark;     /* h2: time at which the current window's first byte came */
    uint64_t window_bytes;    /* h2: bytes consumed since then */
    uint64_t unconsumed;      /* bytes delivered for which consumed() is still owed */
    int64_t request_length;   /* h2: bytes of the request's body as announced, or RQX_LENGTH_UNKNOWN */
    uint64_t expect_at;       /* h2: time at which the body is sent without having seen 100 (Continue) */
    uint32_t window;          /* h2: size of the receive window */
    uint32_t owed;            /* h2: bytes consumed for which no credit was given yet */
    uint32_t header_bytes;    /* h2: size of all header sections of the response so far */
    uint32_t flags;           /* codec's private bits */
};

/* What the owner of a connection may do next with a codec. */
enum rqx__codec_state {
    RQX__CODEC_OPEN = 0, /* takes streams as capacity() allows */
    RQX__CODEC_DRAINING, /* takes no more; the open ones go on */
    RQX__CODEC_CLOSED    /* nothing open and no more taken: say goodbye and close */
};

struct rqx__codec_ops {
    const char *name; /* "h2", "h1" */
    rqx_http_version version;
    /* Begins a stream.  |head| is borrowed as told there.  RQX_AGAIN: no capacity (nothing was taken).
       RQX_ERR_REQUEST_LENGTH: a Content-Length field contradicts the body; RQX_ERR_NOMEM; h1: RQX_ERR_INVALID_METHOD,
       RQX_ERR_INVALID_URL, RQX_ERR_INVALID_FIELD where method, target or authority would break the message. */
    int (*submit)(struct rqx__codec *codec, struct rqx__stream *stream, const struct rqx__head *head);
    /* Ends a stream without upcalls.  h2: RST_STREAM(|h2_code|) unless it was never begun on the wire or is closed already; unread
       bytes are credited to the connection.  h1: the connection can carry nothing else: state becomes CLOSED, unless the message
       was complete. */
    void (*cancel)(struct rqx__codec *codec, struct rqx__stream *stream, uint32_t h2_code);
    /* pull_body() may give bytes again. */
    int (*resume_body)(struct rqx__codec *codec, struct rqx__stream *stream);
    /* The owner has done with |len| bytes of data(): stream window credit.  (The connection's is returned on receipt.) */
    void (*consumed)(struct rqx__codec *codec, struct rqx__stream *stream, size_t len);
    /* Takes all of |data|. */
    int (*recv)(struct rqx__codec *codec, const uint8_t *data, size_t len, struct rqx__err *err);
    /* The peer will send no more.  0 if that is a proper end for everything that was open. */
    int (*eof)(struct rqx__codec *codec, struct rqx__err *err);
    /* Appends bytes to send to |out| until it holds |limit| (64 at least; never more) or there are none.  Gives 0. */
    int (*send)(struct rqx__codec *codec, struct rqx__buf *out, size_t limit, struct rqx__err *err);
    /* Whether send() would give bytes. */
    bool (*want_send)(const struct rqx__codec *codec);
    /* Whether bytes from the peer are welcome; false: backpressure (h1 with a paused reader).  h2: always true. */
    bool (*want_recv)(const struct rqx__codec *codec);
    /* How many more streams submit() would take now. */
    size_t (*capacity)(const struct rqx__codec *codec);
    enum rqx__codec_state (*state)(const struct rqx__codec *codec);
    /* The connection is lost: closed(|err|) for each stream, with flags by what is known of it. */
    void (*fail)(struct rqx__codec *codec, const struct rqx__err *err);
    /* Takes no more streams; h2: GOAWAY(NO_ERROR) is queued. */
    void (*shutdown)(struct rqx__codec *codec);
    /* Earliest time at which tick() wants to be called; RQX__NEVER. */
    uint64_t (*next_deadline)(const struct rqx__codec *codec);
    int (*tick)(struct rqx__codec *codec, struct rqx__err *err);
    void (*free)(struct rqx__codec *codec);
};

/* First member of every codec's struct. */
struct rqx__codec {
    const struct rqx__codec_ops *ops;
    uint64_t now;        /* ns; set by the owner before each call */
    size_t open_streams; /* submitted and not closed; kept by the codec */
    uint64_t resets;     /* RST_STREAM frames queued; kept by the codec */
};

struct rqx__codec_config {
    size_t max_header_list;     /* bytes, 1xx sections included (RFC 9113 section 6.5.2 counting) */
    size_t max_window;          /* ceiling of a receive window */
    size_t max_streams;         /* the client's own limit of streams at once; SIZE_MAX: none */
    uint64_t ping_idle;         /* ns of silence with open streams before PING; RQX__NEVER: none */
    uint64_t ping_timeout;      /* ns from PING to RQX_ERR_LIVENESS */
    uint64_t expect_timeout;    /* ns to wait for 100 (Continue) */
    bool scheme_is_https;       /* for messages only */
};

/* h2: queues preface and SETTINGS.  RQX_ERR_NOMEM. */
int rqx__h2_new(const struct rqx__codec_config *config, struct rqx__codec **ret_codec);
int rqx__h1_new(const struct rqx__codec_config *config, struct rqx__codec **ret_codec);
/* nghttp2's version text. */
const char *rqx__h2_library(void);

#endif
