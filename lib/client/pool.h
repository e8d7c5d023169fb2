/*
 * pool.h - origin -> connections: which exchange goes where, who waits, and when another connection is made.
 *
 * Everything is under the engine's lock.  A pool belongs to one client.  Submitting finds a connection with capacity in
 * constant time: each origin keeps the list of those.
 */
#ifndef RQX_CLIENT_POOL_H
#define RQX_CLIENT_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "loop/loop.h"
#include "net/dial.h"

struct rqx__conn;
struct rqx__exchange;
struct rqx_client;

struct rqx__pool {
    struct rqx__map origins;   /* key: see make_key in pool.c */
    struct rqx__list idle;     /* conn.idle_node of all origins, longest idle first */
    struct rqx__list starving; /* origin.starving_node: want a connection and the limit is reached */
    size_t connections;        /* open ones and dials */
    size_t idle_count;
    struct rqx__timer trim;      /* closes idle connections beyond the limit */
    struct rqx__timer expiry;    /* of the longest idle connection */
    struct rqx__defer service;   /* hands out capacity that became free */
    struct rqx__list to_service; /* origin.service_node */
};

/* One place to connect to, and all that differs from another: scheme, host, port, proxy, TLS name, protocols. */
struct rqx__origin {
    struct rqx__map_node map_node; /* owns the key */
    struct rqx_client *client;     /* borrowed: it owns the pool */
    char *host;
    size_t host_len;
    int port;
    bool secure;
    char *server_name; /* or NULL: |host| */
    size_t server_name_len;
    unsigned protocols;     /* RQX_PROTO_* that may be spoken */
    rqx_proxy *proxy;       /* counted, or NULL */
    bool h1_only;           /* the peer demanded HTTP/1.1 (RFC 9113 section 7) */
    bool multiplexes;       /* the last connection spoke HTTP/2 */
    bool known;             /* |multiplexes| was found out */
    struct rqx__list conns; /* all: conn.origin_node */
    struct rqx__list ready; /* those with capacity: conn.ready_node */
    struct rqx__list dials; /* struct dial_job (pool_dial.c) */
    struct rqx__list queue; /* exchanges that wait, oldest first: exchange.queue_node */
    size_t conn_count;
    size_t dial_count;
    size_t queued;
    struct rqx__list starving_node;
    struct rqx__list service_node;
};

void rqx__pool_init(struct rqx__pool *pool, struct rqx_client *client);
/* Cancels dials, closes connections (their exchanges must be done) and frees all. */
void rqx__pool_done(struct rqx__pool *pool, struct rqx_client *client);
/* In a forked child: closes descriptors only, then frees. */
void rqx__pool_abandon(struct rqx__pool *pool, struct rqx_client *client);

/* Starts the exchange on a connection or queues it and, where the limits allow, dials.  RQX_ERR_NOMEM... */
int rqx__pool_submit(struct rqx_client *client, struct rqx__exchange *exchange);
/* Takes a waiting exchange out of its queue; dials that nobody waits for any more are given up. */
void rqx__pool_withdraw(struct rqx__exchange *exchange);
/* A waiting exchange's connect deadline passed: a dial that is as old as that is given up, and begun anew for the
 * others. */
void rqx__pool_dial_expired(struct rqx__exchange *exchange);
/* The peer wants HTTP/1.1 (RFC 9113 section 7): HTTP/2 connections take no more streams, new ones do not offer it. */
void rqx__pool_demand_h1(struct rqx__origin *origin);
/* Says goodbye on all connections and gives up all dials. */
void rqx__pool_shutdown(struct rqx__pool *pool);

/* ---- told by conn.c ---- */

/* The connection's capacity or state may have changed: keeps the lists right and has waiting exchanges served soon. */
void rqx__pool_conn_changed(struct rqx__conn *conn);
/* The connection is being freed. */
void rqx__pool_conn_gone(struct rqx__conn *conn);

/* ---- pool_dial.c ---- */

/* Starts as many dials as the waiting exchanges need and the limits allow. */
void rqx__pool_dial(struct rqx__origin *origin);
void rqx__pool_drop_dials(struct rqx__origin *origin, bool abandon);
/* The dial that waiting exchanges share, for messages; NULL if there is none. */
struct rqx__dial *rqx__pool_first_dial(const struct rqx__origin *origin);

/* ---- shared by pool.c and pool_dial.c ---- */

/* Serves the queue with what capacity there is, then dials for the rest. */
void rqx__pool_serve(struct rqx__origin *origin);
/* Has rqx__pool_serve called at the end of this dispatch. */
void rqx__pool_serve_soon(struct rqx__origin *origin);
/* A connection or dial is gone: another may be made. */
void rqx__pool_slot_free(struct rqx__origin *origin);
/* Another connection may be made now: under the limit, or an idle one was closed for it. */
bool rqx__pool_make_room(struct rqx__origin *origin);

#endif
