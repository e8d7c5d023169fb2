/*
 * h1_parse.h - HTTP/1.x responses, strictly and incrementally (RFC 9112).
 *
 * Bytes in, events out; knows neither streams nor requests, but for what it is told of the request's method.  The body
 * is never copied: data() gives slices of the input.  A line that is not complete is kept until it is, so that where
 * the input is cut makes no difference.  Refused, since each has been used to make two readers see two messages: bare
 * CR and LF, folded lines, white space before the colon, more than one Content-Length or one that is not a number,
 * Content-Length beside Transfer-Encoding, transfer codings other than "chunked", and control characters anywhere.
 */
#ifndef RQX_PROTO_H1_PARSE_H
#define RQX_PROTO_H1_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Most bytes of one chunk-size line with its extensions. */
#define RQX__H1_CHUNK_LINE_MAX 1024
/* Most bytes of chunk extensions beyond what the chunks themselves hold. */
#define RQX__H1_CHUNK_OVERHEAD_MAX (16 * 1024)

/* Results of rqx__h1_parser_feed besides 0 and errors. */
enum {
    RQX__H1_COMPLETE = 1, /* the response is complete; bytes may be left */
    RQX__H1_STOPPED = 2   /* an event's function said so; nothing more can be fed */
};

/* What came.  Slices are borrowed for the call.  Each returns 0 to go on, anything else to stop. */
struct rqx__h1_events {
    int (*status)(void *user, int status, rqx_slice reason, rqx_http_version version);
    int (*field)(void *user, rqx_slice name, rqx_slice value, bool trailer);
    /* |length|: bytes of body, 0 where there can be none, RQX_LENGTH_UNKNOWN. */
    int (*head_done)(void *user, int status, int64_t length);
    int (*data)(void *user, const uint8_t *data, size_t len);
};

/* What the request says about its response. */
enum rqx__h1_expect {
    RQX__H1_EXPECT_ANY = 0,
    RQX__H1_EXPECT_NO_BODY, /* HEAD */
    RQX__H1_EXPECT_TUNNEL,  /* CONNECT: 2xx is followed by bytes without end */
    RQX__H1_EXPECT_UPGRADE  /* Upgrade was asked for: 101 is final and followed by bytes without end */
};

enum rqx__h1_state {
    RQX__H1_STATUS_LINE = 0,
    RQX__H1_FIELDS,
    RQX__H1_BODY_LENGTH,
    RQX__H1_BODY_TO_CLOSE,
    RQX__H1_CHUNK_SIZE,
    RQX__H1_CHUNK_DATA,
    RQX__H1_CHUNK_END,
    RQX__H1_TRAILERS,
    RQX__H1_END
};

struct rqx__h1_parser {
    const struct rqx__h1_events *events;
    void *user;
    size_t max_head; /* bytes of status lines and fields of one response, 1xx and trailers included; 32 more a field */
    struct rqx__buf line; /* the beginning of a line whose end is still to come */
    enum rqx__h1_state state;
    enum rqx__h1_expect expect;
    size_t head_bytes;       /* counted against |max_head| */
    uint64_t left;           /* bytes of this chunk, or of the body, to come */
    uint64_t chunk_overhead; /* counted against RQX__H1_CHUNK_OVERHEAD_MAX */
    int64_t content_length;  /* as announced; RQX_LENGTH_UNKNOWN */
    rqx_http_version version;
    int status;
    bool chunked;         /* Transfer-Encoding: chunked */
    bool says_close;      /* Connection: close */
    bool says_keep_alive; /* Connection: keep-alive */
    bool spoiled;         /* what comes after this response cannot be told */
};

void rqx__h1_parser_init(struct rqx__h1_parser *parser, const struct rqx__h1_events *events, size_t max_head,
                         void *user);
void rqx__h1_parser_done(struct rqx__h1_parser *parser);
/* The next response begins. */
void rqx__h1_parser_begin(struct rqx__h1_parser *parser, enum rqx__h1_expect expect);
/*
 * Takes bytes until they are used up (0), or the response is complete, or an event stopped it; |*ret_used| tells how
 * many were taken. RQX_ERR_PROTOCOL, RQX_ERR_HEADER_TOO_LARGE, RQX_ERR_NOMEM: nothing more can be fed.
 */
int rqx__h1_parser_feed(struct rqx__h1_parser *parser, const uint8_t *data, size_t len, size_t *ret_used,
                        struct rqx__err *err);
/* No more bytes will come: RQX__H1_COMPLETE where that is how the response ends, else RQX_ERR_TRUNCATED. */
int rqx__h1_parser_eof(struct rqx__h1_parser *parser, struct rqx__err *err);
/* After a complete response: whether another may follow on the connection (RFC 9112 section 9.3). */
bool rqx__h1_parser_keeps_alive(const struct rqx__h1_parser *parser);

#endif
