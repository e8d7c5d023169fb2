/*
 * h2_internal.h - what the files of the HTTP/2 codec share.
 *
 *   h2.c         the vtable: a session's life, streams in and out of it, errors of the whole connection
 *   h2_fields.c  field lists of requests as HTTP/2 wants them
 *   h2_send.c    requests on their way out: streams given to nghttp2, bodies, trailers, frames
 *   h2_recv.c    nghttp2's callbacks, turned into upcalls
 *   h2_window.c  flow control of what is received
 *   h2_mem.c     nghttp2's memory
 *   h2_reset.c   streams that we reset, until the peer knows
 *   h2_guard.c   a peer that is gone, or sends what costs and brings nothing
 *
 * These are the only files that know nghttp2.  They know no socket, clock or lock.
 *
 * A stream is queued here until send(), and only then given to nghttp2: what is cancelled or refused before that used
 * no stream id and no byte of the wire.  From then on nghttp2 keeps the way from id to stream (its stream user data);
 * it is NULL once the stream was closed or cancelled, so that what nghttp2 still tells of that id reaches nobody.
 */
#ifndef RQX_PROTO_H2_INTERNAL_H
#define RQX_PROTO_H2_INTERNAL_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <nghttp2/nghttp2.h>
#include <stddef.h>

#include "base/clock.h"
#include "proto/codec.h"

/* rqx__stream.flags */
enum {
    RQX__H2_HEADERS_SENT = 1 << 0,  /* the header section left send() whole */
    RQX__H2_LOCAL_DONE = 1 << 1,    /* END_STREAM left send() */
    RQX__H2_ANSWERED = 1 << 2,      /* some header section of a response came */
    RQX__H2_FINAL = 1 << 3,         /* the final header section is complete */
    RQX__H2_REMOTE_DONE = 1 << 4,   /* END_STREAM came and end() was called */
    RQX__H2_RESET_BY_PEER = 1 << 5, /* RST_STREAM came */
    RQX__H2_UPLOADING = 1 << 6,     /* has a body that is not sent whole: counted in h2->uploads */
    RQX__H2_EXPECTING = 1 << 7,     /* body held back for 100 (Continue); in h2->expecting once HEADERS are sent */
    RQX__H2_PARKED = 1 << 8,        /* in h2->parked: had its turn at sending */
    RQX__H2_LAGGING = 1 << 9,       /* the reader fell behind in this window's time */
    RQX__H2_TOO_LARGE = 1 << 10,    /* nghttp2 refused the request's header section for its size */
    RQX__H2_NO_BODY = 1 << 11,      /* HEAD was asked */
    RQX__H2_TUNNEL = 1 << 12,       /* CONNECT was asked */
    RQX__H2_RESUMED = 1 << 13       /* resume_body() was called since the body was asked last */
};

/* Streams that we reset and the peer may still count. */
struct rqx__h2_resets {
    size_t waited;     /* whose end the peer will show next */
    size_t later;      /* reset since */
    int32_t last_id;   /* an answer on a stream above it shows the end of |waited| */
    uint64_t since;    /* time at which |waited| began */
    uint64_t opaque;   /* of the last PING */
    bool asked;        /* that PING will show it too */
    bool ping_blocked; /* nothing came since a PING that would allow another */
};

struct rqx__h2 {
    struct rqx__codec codec; /* first */
    struct rqx__codec_config config;
    nghttp2_session *session;
    struct rqx__list blocks; /* nghttp2's memory */

    /* streams */
    struct rqx__list pending;   /* submitted to us, not yet to nghttp2; oldest first */
    struct rqx__list active;    /* given to nghttp2, unless in one of the next two */
    struct rqx__list expecting; /* by |expect_at|, which grows as all wait equally long */
    struct rqx__list parked;    /* uploads that had their turn and wait for the others' */
    size_t pending_count;
    size_t wire_count; /* that nghttp2 has not closed yet, cancelled ones included */
    size_t uploads;    /* streams with RQX__H2_UPLOADING */
    size_t peer_max;   /* SETTINGS_MAX_CONCURRENT_STREAMS, 100 before it is known */
    struct rqx__h2_resets resets;
    int32_t last_id;            /* highest stream id used */
    uint32_t ids_left;          /* stream ids that this connection can still use */
    struct rqx__stream *cached; /* the stream found last, by its id; NULL when it is gone */
    int32_t cached_id;
    uint32_t max_list; /* bytes of all header sections of a response */
    int status;        /* of the header section that is coming in */

    /* output */
    struct rqx__buf *out; /* during send() */
    size_t limit;
    bool out_full;            /* something waits for room in |out| */
    size_t staged;            /* body bytes that stand behind |out|'s tail, for the DATA frame being made */
    struct rqx__buf farewell; /* made when a violation was found, ahead of what send() makes */
    int32_t turn_id;          /* the upload that sent last */
    size_t turn_bytes;        /* and how much in one go */
    nghttp2_nv *nva;          /* scratch for one header section */
    size_t nv_count;
    size_t nv_cap;

    /* the connection's end */
    bool draining;         /* takes no more streams */
    bool shut;             /* shutdown() was called */
    bool failed;           /* fail() was called: upcalls are over */
    bool dying;            /* a violation was found, or the session cannot go on */
    bool told;             /* the owner knows |fatal| */
    bool broken;           /* nghttp2 ran out of memory: it is asked for nothing any more */
    bool goaway;           /* the peer sent GOAWAY */
    int32_t goaway_last;   /* lowest last stream id of the peer's GOAWAYs */
    uint32_t goaway_code;  /* the first that was not NO_ERROR */
    char goaway_text[64];  /* its debug data as far as it is printable */
    struct rqx__err fatal; /* why a callback failed, or what our error GOAWAY says */
    int invalid;           /* nghttp2's code for the last invalid frame, 0: none */

    /* flow control */
    uint32_t stream_window; /* SETTINGS_INITIAL_WINDOW_SIZE */
    uint32_t conn_window;   /* the connection's window */
    uint32_t max_window;
    uint32_t credit_step; /* bytes of a stream that are credited at once */
    uint64_t conn_mark;   /* time since which |conn_bytes| came */
    uint64_t conn_bytes;
    uint64_t rtt;         /* shortest round trip seen, ns; 0: none yet */
    uint64_t settings_at; /* time at which SETTINGS left; 0: not yet, or acknowledged */

    /* liveness */
    uint64_t ping_idle; /* ns; grows when the peer complains */
    uint64_t last_sign; /* of life, or since when there are streams */
    uint64_t ping_at;   /* time at which the last PING was queued */
    bool ping_waits;    /* nothing came since */
    bool ping_timed;    /* its acknowledgement tells the round trip */
    uint64_t ping_opaque;

    /* floods */
    int32_t budget;         /* what the peer may still send that brings nothing */
    uint64_t budget_at;     /* time of the last refill by time */
    uint8_t scan_header[9]; /* of the frame that begins */
    size_t scan_have;       /* bytes of it that came */
    uint32_t scan_left;     /* bytes of the frame's payload that did not */
    bool scan_zeros;        /* it is a WINDOW_UPDATE of a stream, and its bytes so far were zero */
    int32_t zero_update;    /* stream whose WINDOW_UPDATE of zero is at hand; 0: none */
    int32_t headless;       /* stream whose DATA is at hand while no HEADERS may have come; 0: none */
    int32_t headed;         /* the last stream that is known to have got HEADERS, or to be none of ours */
    size_t continuations;   /* CONTINUATION frames of this header section */
    size_t max_continuations;
    uint64_t budget_bytes; /* bytes of bodies that did not count as a refill yet */
};

static inline struct rqx__h2 *rqx__h2_of(const struct rqx__codec *codec)
{
    return (struct rqx__h2 *)(uintptr_t)codec;
}

/* ---- h2.c ---- */

/* Takes a stream out of everything and calls closed(). */
void rqx__h2_finish(struct rqx__h2 *h2, struct rqx__stream *stream, const struct rqx__err *err, unsigned flags);
/* Resets a stream with |h2_code| and closes it with |err|; NULL: well. */
void rqx__h2_kill(struct rqx__h2 *h2, struct rqx__stream *stream, uint32_t h2_code, const struct rqx__err *err);
/* kill() for an upcall or a body that gave the negative |code|. */
void rqx__h2_kill_code(struct rqx__h2 *h2, struct rqx__stream *stream, int code);
/* Out of h2->cached, so that callers up the stack see that the stream is gone. */
void rqx__h2_forget(struct rqx__h2 *h2, const struct rqx__stream *stream);
/* Notes why the session cannot go on; gives |code|.  The first reason stays. */
int rqx__h2_fatal(struct rqx__h2 *h2, int code);
/* The error that tells of the peer's GOAWAY. */
void rqx__h2_goaway_error(const struct rqx__h2 *h2, struct rqx__err *ret_err);
/* Whether the peer provably did nothing about a stream (RFC 9113 section 8.7). */
bool rqx__h2_unprocessed(const struct rqx__h2 *h2, const struct rqx__stream *stream);
/* Takes back from nghttp2 all requests of which no byte was written, and closes them as unprocessed, with |err|. */
void rqx__h2_withdraw_unsent(struct rqx__h2 *h2, const struct rqx__err *err);
/* Closes all streams of |list| with |err|. */
void rqx__h2_fail_list(struct rqx__h2 *h2, struct rqx__list *list, const struct rqx__err *err);
/* RFC 9113 section 7 name of |code|; |buffer| is for codes without one. */
const char *rqx__h2_code_name(uint32_t code, char *buffer, size_t size);
/* The code of RQX_ERR_ for one of nghttp2's. */
int rqx__h2_error_of(int nghttp2_error);

/* ---- h2_mem.c ---- */

/* What nghttp2 allocates with; |h2| must stay where it is. */
void rqx__h2_mem_init(struct rqx__h2 *h2, nghttp2_mem *ret_mem);
/* Frees all that nghttp2 has not. */
void rqx__h2_mem_done(struct rqx__h2 *h2);

/* ---- h2_fields.c ---- */

/* Room for a number as text. */
#define RQX__H2_LENGTH_TEXT 24

/* Fills h2->nva for |stream|'s request; |length_text| must live until nghttp2 has copied the list.  RQX_ERR_NOMEM. */
int rqx__h2_build_request(struct rqx__h2 *h2, const struct rqx__stream *stream, char length_text[RQX__H2_LENGTH_TEXT]);
int rqx__h2_build_trailers(struct rqx__h2 *h2, const struct rqx_headers *trailers);
/* Length of the body as it will be announced; RQX_LENGTH_UNKNOWN.  Negative below that: fields contradict the body. */
int64_t rqx__h2_announced(const struct rqx__head *head);

/* ---- h2_send.c ---- */

void rqx__h2_send_callbacks(nghttp2_session_callbacks *callbacks);
/* Gives nghttp2 the pending streams that the peer's limit admits. */
void rqx__h2_start_pending(struct rqx__h2 *h2);
/* Whether there is one of those. */
bool rqx__h2_can_start(const struct rqx__h2 *h2);
/* Lets the uploads that had their turn go on; false if there are none. */
bool rqx__h2_unpark(struct rqx__h2 *h2);
/* The body needs no 100 (Continue) any more. */
void rqx__h2_expect_over(struct rqx__h2 *h2, struct rqx__stream *stream);

/* ---- h2_recv.c ---- */

void rqx__h2_recv_callbacks(nghttp2_session_callbacks *callbacks);
/* The stream with that id, or NULL. */
struct rqx__stream *rqx__h2_stream(struct rqx__h2 *h2, int32_t id);

/* ---- h2_window.c ---- */

void rqx__h2_window_init(struct rqx__h2 *h2);
/* Bytes of DATA came, for whatever stream: the connection's credit.  RQX_ERR_NOMEM. */
int rqx__h2_window_received(struct rqx__h2 *h2, size_t len);
/* They are given to |stream|'s owner. */
void rqx__h2_window_delivered(struct rqx__h2 *h2, struct rqx__stream *stream, size_t len);
void rqx__h2_window_consumed(struct rqx__h2 *h2, struct rqx__stream *stream, size_t len);
/* A round trip took |ns|. */
void rqx__h2_window_round_trip(struct rqx__h2 *h2, uint64_t ns);

/* ---- h2_reset.c ---- */

/* How many reset streams count as open. */
static inline size_t rqx__h2_held(const struct rqx__h2 *h2)
{
    return h2->resets.waited + h2->resets.later;
}
/* RST_STREAM was sent. */
void rqx__h2_reset_sent(struct rqx__h2 *h2, int32_t id);
/* A header section or a piece of a body came. */
void rqx__h2_reset_answered(struct rqx__h2 *h2, int32_t id);
/* Whether a PING that was acknowledged was of here. */
bool rqx__h2_reset_acknowledged(struct rqx__h2 *h2, const uint8_t opaque[8]);
uint64_t rqx__h2_reset_deadline(const struct rqx__h2 *h2);
void rqx__h2_reset_tick(struct rqx__h2 *h2);

/* ---- h2_guard.c ---- */

void rqx__h2_guard_init(struct rqx__h2 *h2);
/*
 * Looks at bytes from the peer before nghttp2 does: how many of them it may have as they are, which is all but where
 * one of these was set.  h2->zero_update: the next byte is the last one of a WINDOW_UPDATE of zero for that stream.
 * h2->headless: the next byte is the last one of the header of a DATA frame, and once nghttp2 has dealt with what is
 * before it, that stream has to be looked at.  RQX_ERR_FLOOD (h2->fatal).
 */
ssize_t rqx__h2_guard_scan(struct rqx__h2 *h2, const uint8_t *data, size_t len);
/* What makes up for frames that bring nothing: a header section of a request or response, bytes of a body either way.
 */
void rqx__h2_guard_progress(struct rqx__h2 *h2);
void rqx__h2_guard_bytes(struct rqx__h2 *h2, size_t bytes);
/* A padded DATA frame had bytes of a body, too. */
void rqx__h2_guard_padded(struct rqx__h2 *h2);
/* The peer asks for less PING. */
void rqx__h2_guard_calm(struct rqx__h2 *h2);
uint64_t rqx__h2_liveness_deadline(const struct rqx__h2 *h2);
/* PING, or the end (rqx__h2_fatal). */
void rqx__h2_liveness_tick(struct rqx__h2 *h2);
void rqx__h2_ping_acknowledged(struct rqx__h2 *h2, const uint8_t opaque[8]);

#endif
