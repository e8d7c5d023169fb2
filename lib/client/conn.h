/*
 * conn.h - a connection: the only place where a byte stream (wire) meets a codec.
 *
 * Under the engine's lock throughout.  Owns both; lives until the codec is closed, an error, or its pool's wish.
 */
#ifndef RQX_CLIENT_CONN_H
#define RQX_CLIENT_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "client/engine.h"
#include "client/facts.h"
#include "client/pool.h"
#include "loop/loop.h"
#include "net/dial.h"
#include "net/wire.h"
#include "proto/codec.h"

/* Bytes taken from the codec before they are written; the codec keeps the rest. */
#define RQX__OUT_LIMIT (64 * 1024)
/* Bytes read and written in one dispatch, before others have their turn. */
#define RQX__READ_BUDGET  (512 * 1024)
#define RQX__WRITE_BUDGET (1024 * 1024)

struct rqx__conn {
    struct rqx__list origin_node; /* in origin->conns */
    struct rqx__list ready_node;  /* in origin->ready while it has capacity */
    struct rqx__list idle_node;   /* in pool->idle while nothing is open on it */
    struct rqx__origin *origin;
    struct rqx_engine *engine;
    struct rqx__wire *wire;
    struct rqx__wire *mover; /* the layer of |wire| that has work of its own; NULL: none */
    struct rqx__codec *codec;
    struct rqx__watch watch;
    struct rqx__timer timer; /* the codec's next deadline */
    struct rqx__defer work;  /* flush, further reads, close */
    struct rqx__buf out;     /* taken from the codec, not yet by the wire */
    struct rqx__exchange
        *held_by; /* HTTP/1: a streamed response that is complete and not yet read to its end; or NULL */
    uint64_t id;
    uint64_t idle_since;     /* ns */
    uint64_t resets_counted; /* of the codec's, those that are in the engine's counters */
    struct rqx__dial_times times;
    bool write_blocked; /* a write waits for the socket: set by flush(), cleared once it may go on */
    bool write_again;   /* a write's turn is over with more to write, goes on in the next dispatch: flush()'s alone */
    bool write_failed;  /* what the peer said before is still read, but nothing can be said to it any more */
    bool read_again;    /* bytes are left inside the wire: read in the next dispatch if the codec wants them */
    bool lingering;     /* takes no more streams; closed as soon as the open ones are done and the output is out */
    bool said_goodbye;  /* the codec was told to shut down */
    bool used;          /* carried an exchange before */
    struct rqx__facts *facts; /* one reference */
};

/*
 * On success, takes ownership of |wire|.  RQX_ERR_TLS_ALPN: the peer chose a protocol that may not be spoken;
 * RQX_ERR_NOMEM, RQX_ERR_SYSTEM.
 */
int rqx__conn_new(struct rqx__origin *origin, struct rqx__wire *wire, enum rqx__alpn alpn,
                  const struct rqx__dial_times *times, struct rqx__conn **ret_conn, struct rqx__err *err);
/* Closes now and frees; open exchanges are told |err| (NULL: there are none).  Not from inside an upcall. */
void rqx__conn_close(struct rqx__conn *conn, const struct rqx__err *err);
/* No new streams from now on; says goodbye when the open ones are done.  Also from inside an upcall. */
void rqx__conn_shutdown(struct rqx__conn *conn);
/* In a forked child. */
void rqx__conn_abandon(struct rqx__conn *conn);
/* The codec was given something to do: has it written at the end of this dispatch or call. */
void rqx__conn_kick(struct rqx__conn *conn);
/*
 * HTTP/1: keeps the connection from other exchanges until the streamed response of |exchange| was read to its end,
 * closed or let go: who allows one connection means one response at a time.
 */
void rqx__conn_hold(struct rqx__conn *conn, struct rqx__exchange *exchange);
/* Ends that.  Harmless if nothing is held. */
void rqx__conn_unhold(struct rqx__exchange *exchange);
/*
 * The connection rested and is about to be used: takes in what came meanwhile (GOAWAY, the end, bytes that nobody asked
 * for), since nobody may have polled.  False: it is gone.  Not from inside an upcall.
 */
bool rqx__conn_look(struct rqx__conn *conn);
/* How many more streams it takes. */
size_t rqx__conn_capacity(const struct rqx__conn *conn);

#endif
