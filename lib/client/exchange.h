/*
 * exchange.h - one request in flight, from its submission to its response's last byte: queue, stream, deadlines,
 * replays, redirects.
 *
 * Under the engine's lock unless a group of fields says otherwise.  Two kinds of reference: |response.refs| are the
 * user's; |holds| are the engine's own (while it runs, while an event waits, while its body source is asked).  It is
 * freed when both are gone.
 */
#ifndef RQX_CLIENT_EXCHANGE_H
#define RQX_CLIENT_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/request.h"
#include "client/response.h"
#include "client/retry.h"
#include "client/upload.h"
#include "proto/codec.h"

enum rqx__exchange_state {
    RQX__EXCHANGE_NEW = 0,
    RQX__EXCHANGE_QUEUED,  /* waits for a connection or stream */
    RQX__EXCHANGE_ACTIVE,  /* has a stream */
    RQX__EXCHANGE_BACKOFF, /* waits before it is sent again */
    RQX__EXCHANGE_DONE
};

/* What a queued exchange waits for; decides which deadline counts. */
enum rqx__wait { RQX__WAIT_POOL = 0, RQX__WAIT_CONNECT };

/* What is sent at this hop; hop 0 is the request itself. */
struct rqx__hop {
    rqx_url *url;       /* counted */
    rqx_proxy *proxy;   /* borrowed of request or client; NULL: none */
    const char *method; /* the request's, or "GET" */
    size_t method_len;
    struct rqx_headers *fields; /* own copy after a redirect, NULL: the request's */
    bool drop_body;
    bool drop_auth;  /* another origin than the first */
    bool challenged; /* a Digest challenge was answered */
    bool stale;      /* and once more, since the nonce was too old */
    char *own_auth;  /* Basic value made of the URL's userinfo, or Digest value; own, secret, or NULL */
    size_t own_auth_len;
    char *target;  /* absolute form for a proxy; own, or NULL */
    char *cookies; /* of the client's jar; own, secret, or NULL */
};

/* How fast bytes move, counted while they should.  Times in ns. */
struct rqx__stall {
    uint64_t least; /* bytes in |window|; 0: nobody asks */
    uint64_t window;
    uint64_t moved; /* bytes in this window */
    uint64_t used;  /* of this window, up to |mark| */
    uint64_t mark;
    bool runs; /* bytes should move since |mark| */
    bool over; /* too few did */
};

struct rqx__exchange {
    struct rqx_response response; /* first: an rqx_response * is an exchange */

    /* immutable after submission */
    struct rqx_client *client;   /* counted */
    struct rqx_request *request; /* counted */
    void *user;
    rqx_timeouts timeouts;
    bool streamed;

    struct rqx__dead dead; /* for the last unref */

    /* engine lock */
    enum rqx__exchange_state state;
    unsigned holds;
    unsigned ready;               /* RQX_EVENT_* bits that are true and were not told */
    unsigned posted;              /* bits of the event that waits */
    struct rqx__waiter *waiter;   /* the thread that waits for it, or NULL */
    struct rqx__list event_node;  /* in engine->events */
    struct rqx__list client_node; /* in client->exchanges */
    struct rqx__list queue_node;  /* in origin->queue */
    struct rqx__origin *origin;   /* while QUEUED */
    struct rqx__conn *conn;       /* while ACTIVE */
    struct rqx__conn *held;       /* kept from others until the response is read: see rqx__conn_hold */
    struct rqx__stream stream;
    struct rqx__head head;
    struct rqx__hop hop;
    struct rqx__upload upload;
    struct rqx__defer again; /* starts the next hop or replay once the codec is left */
    struct rqx__timer timer;
    enum rqx__wait wait;
    struct rqx__stall stall;
    uint64_t submitted;   /* ns */
    uint64_t wait_since;  /* QUEUED: since when |wait| counts; BACKOFF: until when */
    uint64_t read_since;  /* last sign of life of the response, or when the request was out */
    uint64_t write_since; /* last progress of the request's bytes */
    int redirects_left;
    int replays_left;
    int connect_tries_left;
    const struct rqx_retry *retry;   /* borrowed of request or client; NULL: none */
    struct rqx__retry_budget budget; /* of |retry| */
    uint64_t pause;                  /* ns before the try that was taken from |budget| last */
    bool sent;                       /* the request is out */
    bool head_seen;                  /* the final head is complete */
    bool ended;                      /* the response is complete */
    bool discard; /* the body is of a response that is not given: redirect, challenge, retry, 421, 417, 425 */
    bool redirecting;
    bool authenticating;        /* a challenge is to be answered */
    bool retrying;              /* |retry| wants none of this response */
    bool misdirected;           /* 421 was answered once at this hop */
    bool too_early;             /* 425 was */
    bool unexpected;            /* 417 was */
    bool drop_expect;           /* the next try does not expect 100 (Continue) */
    bool avoid_h2;              /* HTTP_1_1_REQUIRED: the replay speaks HTTP/1.1 */
    bool reader_waits;          /* the user was told RQX_AGAIN by read */
    bool no_timer;              /* there was no memory for its deadline */
    bool reused;                /* its connection had carried another before */
    bool abandoned;             /* the user holds no reference any more */
    unsigned backoffs;          /* tries since something last worked */
    size_t discard_left;        /* bytes of a discarded body that are still worth reading */
    int interim_status;         /* of the 1xx section that is coming in; 0: a final one is */
    struct rqx_headers interim; /* its fields */
    struct rqx__list interims;  /* struct rqx__interim, oldest first: not yet taken by the user */
};

/* A 1xx response that waits to be taken. */
struct rqx__interim {
    struct rqx__list node;
    int status;
    struct rqx_headers headers;
};

static inline struct rqx__exchange *rqx__exchange_of(struct rqx__stream *stream)
{
    return RQX__OF(stream, struct rqx__exchange, stream);
}

/* Makes an exchange with one user reference and one hold.  RQX_ERR_NOMEM. */
int rqx__exchange_new(struct rqx_client *client, struct rqx_request *request, void *user,
                      struct rqx__exchange **ret_exchange);
/* Gives a hold back. */
void rqx__exchange_release(struct rqx__exchange *exchange);
/* Frees; for one that was never started, or has no reference left. */
void rqx__exchange_free(struct rqx__exchange *exchange);

/* Fills |head| for this hop and gives the exchange to the pool. */
int rqx__exchange_start(struct rqx__exchange *exchange);
/* It got a connection: opens the stream.  RQX_AGAIN: the codec has no capacity; negative: failed (already told). */
int rqx__exchange_open(struct rqx__exchange *exchange, struct rqx__conn *conn);
/* It has to wait in a queue, for |wait|, from now. */
void rqx__exchange_waits(struct rqx__exchange *exchange, enum rqx__wait wait);
/* Begins the hop: its head, then the pool. */
int rqx__exchange_start_hop(struct rqx__exchange *exchange, struct rqx__err *err);
/* Leaves queue, stream (RST_STREAM with |h2_code|) and timer behind; no upcall comes any more. */
void rqx__exchange_leave(struct rqx__exchange *exchange, uint32_t h2_code);
/* Ends it: |err| NULL: well.  Leaves queue or stream (RST_STREAM with |h2_code|). */
void rqx__exchange_end(struct rqx__exchange *exchange, const struct rqx__err *err, uint32_t h2_code);
/* Says host and port, and the proxy where that is what is asked, before what |err| tells. */
void rqx__exchange_name(const struct rqx__exchange *exchange, struct rqx__err *err);
/* Tells the user, or the thread that waits. */
void rqx__exchange_tell(struct rqx__exchange *exchange, unsigned what);
/* The upcalls of a codec's stream. */
extern const struct rqx__stream_ops rqx__exchange_stream_ops;

/* ---- replay.c ---- */

/* The dial that it waited for failed: retried if it may, else ended. */
void rqx__exchange_dial_failed(struct rqx__exchange *exchange, const struct rqx__err *err);
/* Connecting failed with |code|: tries it again, if the client's connect_retries allow it; else false. */
bool rqx__connect_again(struct rqx__exchange *exchange, int code);
/* Whether the body can be sent once more from its first byte. */
bool rqx__body_is_repeatable(const struct rqx__exchange *exchange);
/* Whether what RQX__CLOSE_* |flags| tell allows to send the request again unasked. */
bool rqx__replay_allowed(const struct rqx__exchange *exchange, unsigned flags);
/* Does that, after as long a pause as is due. */
void rqx__replay(struct rqx__exchange *exchange);
/* Whether an answer with |status| says that the request was not worked on, and is to be sent again, once. */
bool rqx__resend_wanted(struct rqx__exchange *exchange, int status);
/* Sends it again without a pause; false: it cannot be. */
bool rqx__resend(struct rqx__exchange *exchange);
/* Whether |retry| has it sent again after an answer with |status|. */
bool rqx__retry_answered(struct rqx__exchange *exchange, int status);
/* Has it sent again after a failure with |code|, if |retry| allows it; else false. */
bool rqx__retry_failed(struct rqx__exchange *exchange, int code, unsigned flags);
/* A discarded response is over, however it ended: begins what comes next.  False: it was not one. */
bool rqx__exchange_goes_on(struct rqx__exchange *exchange);
/* Starts the next hop, or this one anew, once the codec is left. */
void rqx__exchange_retry_now(struct rqx__exchange *exchange);
void rqx__exchange_again(struct rqx__defer *defer, void *user);

/* ---- interim.c ---- */

/* Keeps the 1xx section that is complete for the user.  RQX_ERR_NOMEM. */
int rqx__interim_keep(struct rqx__exchange *exchange);
void rqx__interim_done(struct rqx__exchange *exchange);

/* ---- deadline.c ---- */

/* (Re)arms the timer if the next deadline is earlier than it is set to. */
void rqx__exchange_arm(struct rqx__exchange *exchange);
/* The user wants bytes of the body and there are none: from here on it is the peer who keeps the reader waiting. */
void rqx__exchange_reader_waits(struct rqx__exchange *exchange);
void rqx__exchange_timer_due(struct rqx__timer *timer, void *user);
/* Sets |stall| by |timeouts|. */
void rqx__stall_init(struct rqx__exchange *exchange);
void rqx__stall_look(struct rqx__exchange *exchange, size_t moved);
/* So many bytes of a body moved, or what is waited for changed. */
static inline void rqx__stall_note(struct rqx__exchange *exchange, size_t moved)
{
    if (exchange->stall.least != 0)
        rqx__stall_look(exchange, moved);
}

/* ---- hop.c ---- */

/* Sets hop 0. */
void rqx__hop_first(struct rqx__exchange *exchange);
/* Whether the head that came is a redirect to be followed; 0 no, 1 yes, negative: an error to end with. */
int rqx__hop_wanted(struct rqx__exchange *exchange, struct rqx__err *err);
/* Moves on to where the response points: history, next URL, method, fields. */
int rqx__hop_next(struct rqx__exchange *exchange, struct rqx__err *err);
/* The credentials that count at this hop, those of the URL aside; borrowed, NULL: none. */
rqx_auth *rqx__hop_auth(const struct rqx__exchange *exchange);
/* Fills exchange->head. */
int rqx__hop_head(struct rqx__exchange *exchange);
/* The peer does not meet the expectation: this hop is sent again without it (RFC 9110 section 10.1.1).  RQX_ERR_NOMEM.
 */
int rqx__hop_drop_expect(struct rqx__exchange *exchange);
void rqx__hop_done(struct rqx__hop *hop);

/* ---- feed.c ---- */

/* Asks the body sources of all exchanges in engine->feeds, giving the lock back around each call.  Under the lock. */
void rqx__engine_feed(struct rqx_engine *engine);

#endif
