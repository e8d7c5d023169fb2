/*
 * requestx/client.h - a client: defaults, limits and policy, and the pool of connections that its requests share.
 *
 * A client is counted and may be used by any number of threads at once, as far as its engine's mode allows.  Settings
 * are fixed at creation.
 */
#ifndef REQUESTX_CLIENT_H
#define REQUESTX_CLIENT_H

#include <requestx/address.h>
#include <requestx/auth.h>
#include <requestx/cookies.h>
#include <requestx/engine.h>
#include <requestx/headers.h>
#include <requestx/proxy.h>
#include <requestx/request.h>
#include <requestx/response.h>
#include <requestx/retry.h>
#include <requestx/tls.h>

RQX_BEGIN_DECLS

/** Limits of a client's pool.  RQX_LIMIT_NONE where there is none. */
typedef struct rqx_limits {
    /** connections at once, dials included; default 100 */
    int64_t max_connections;
    /**
     * idle connections kept; default 20.  Those beyond are closed a tenth of a second late, since a burst of answers
     * leaves many idle that are wanted again at once; in SYNC mode, where nobody drives between calls, at the next call
     * after that.  0: at once
     */
    int64_t max_keepalive;
    /** an idle connection is closed after; default 5,000 */
    int64_t keepalive_expiry_ms;
    /** streams at once on a connection, under the peer's limit; default none */
    int64_t max_streams;
    /**
     * HTTP/2 connections to one origin; a further one is made only when the streams of the others are all taken;
     * default 1
     */
    int64_t max_connections_per_origin;
} rqx_limits;

/** A limit that is none. */
#define RQX_LIMIT_NONE (-1)

/** Protocols that a client may speak. */
enum {
    /** HTTP/1.1 */
    RQX_PROTO_HTTP1 = 1,
    /** HTTP/2 */
    RQX_PROTO_HTTP2 = 2
};

/** An option of setsockopt(2).  |value| is copied. */
typedef struct rqx_socket_option {
    /** SOL_SOCKET, IPPROTO_TCP and the like */
    int level;
    /** SO_KEEPALIVE, TCP_NODELAY and the like */
    int name;
    /** what is set */
    const void *value;
    /** bytes of |value| */
    size_t len;
} rqx_socket_option;

/** Settings of a client.  Start from rqx_client_options_init.  Counted objects are referenced; the rest is copied. */
typedef struct rqx_client_options {
    /** set by rqx_client_options_init */
    size_t struct_size;
    /**
     * RQX_PROTO_* bits; default both. HTTP/2 alone speaks it to http:// URLs with prior knowledge (RFC 9113
     * section 3.3)
     */
    unsigned protocols;
    /** NULL (default): rqx_tls_new(NULL) */
    rqx_tls *tls;
    /** for every request; NULL (default): none, or the environment's */
    rqx_proxy *proxy;
    /** 1 (default): HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY count, unless |proxy| is set */
    int trust_env;
    /** default fields: sent unless the request has one of that name; Authorization, Cookie and Proxy-Authorization
        stay behind when a redirect leads to another origin; NULL: none */
    const rqx_headers *headers;
    /** default credentials, or NULL */
    rqx_auth *auth;
    /** default deadlines, in milliseconds: connect, read, write, pool 5,000 each, total none, no stall_rate */
    rqx_timeouts timeouts;
    /** of the pool */
    rqx_limits limits;
    /** redirects followed; default 0: none, the 3xx response is the answer */
    int max_redirects;
    /** moves to another connection of provably unprocessed requests; default 6 */
    int max_replays;
    /** further tries where connecting failed or took longer than connect_ms; default 0 */
    int connect_retries;
    /** how long a request with `Expect: 100-continue` waits; default 1,000 */
    int64_t expect_continue_ms;
    /** with open streams, silence after which the peer is sent PING; default 10,000; -1: never */
    int64_t ping_idle_ms;
    /** silence after that PING which ends the connection; default 5,000 */
    int64_t ping_timeout_ms;
    /** bytes of a response's header section, 1xx included; default 64 KiB */
    size_t max_header_list;
    /** ceiling of receive windows, bytes; default 16 MiB */
    size_t max_window;
    /** IPv4 or IPv6 address to connect from, or NULL */
    const char *local_address;
    /** connect to this unix socket whatever the host, or NULL */
    const char *unix_path;
    /** set on each socket before it connects; default none */
    const rqx_socket_option *socket_options;
    /** of |socket_options| */
    size_t socket_option_count;
    /** bytes that a body's content codings may give, more is RQX_ERR_DECODED_TOO_LARGE; default 0: any number */
    uint64_t max_decoded;
    /** the same in multiples of the bytes received, once 64 MiB came out: honest data may repeat itself, but a little
       must not become very much; default 256; 0: any */
    uint32_t max_decode_ratio;
    /** which addresses may be connected to, at every redirect too; copied; NULL (default): any */
    const rqx_address_policy *address_policy;
    /**
     * a netrc file, read when the client is made: names and passwords by host, for requests without other credentials;
     * "": $NETRC or ~/.netrc, if there is one, which nobody else may read; NULL (default): none
     */
    const char *netrc;
    /** stores what responses set, and is asked for each request; NULL (default): none */
    rqx_cookies *cookies;
    /** when a request is sent again that may have been processed; NULL (default): never */
    rqx_retry *retry;
} rqx_client_options;

/** Sets every field to its default.  Since 0.1. */
RQX_API void rqx_client_options_init(rqx_client_options *options);
/**
 * Makes a client on |engine| (referenced).  |options| NULL: the defaults.  Opens nothing, reads no file but |netrc|.
 *
 * Errors: RQX_ERR_INVALID_ARGUMENT (options that were not initialized; no protocol, or one that is not known; 0
 * connections or streams; negative redirects, replays or retries; a |max_window| below 65,535 or above 2^31-1; a
 * |max_header_list| of 0; more than 64 socket options, or one above 4,096 bytes; a |local_address| that is none; a
 * netrc file that is malformed), RQX_ERR_SYSTEM (that cannot be read, or others may write it; errno tells),
 * RQX_ERR_INVALID_URL and RQX_ERR_UNSUPPORTED_SCHEME (a proxy of the environment), RQX_ERR_FORKED, RQX_ERR_NOMEM.
 * Since 0.1.
 */
RQX_API int rqx_client_new(rqx_engine *engine, const rqx_client_options *options, rqx_client **ret_client);
/** Takes one more reference.  Any thread.  Returns |client|.  Since 0.1. */
RQX_API rqx_client *rqx_client_ref(rqx_client *client);
/**
 * Gives a reference back; the last one closes as rqx_client_close does.  NULL is allowed.  Any thread.  In THREAD mode
 * it may have to wait for the engine's thread: see rqx_engine_unref.  Since 0.1.
 */
RQX_API void rqx_client_unref(rqx_client *client);
/**
 * Ends every exchange of the client with RQX_ERR_CLOSED and closes its connections politely (GOAWAY, close_notify).
 * Does not block.  Later submissions give RQX_ERR_CLOSED.  Any thread.  Since 0.1.
 */
RQX_API void rqx_client_close(rqx_client *client);
/** Gives the client's engine, borrowed.  Since 0.1. */
RQX_API rqx_engine *rqx_client_engine(const rqx_client *client);

/**
 * Starts |request| (referenced; it must not be changed any more until the exchange is done) and gives its response, on
 * which the caller holds one reference.  |user| comes back with each event.  Bad input is refused here, before anything
 * is sent; what happens later is told by events, also when it is known at once.  |*ret_response| is set before any
 * event is told, also where another thread tells it.
 *
 * Errors: RQX_ERR_CLOSED, RQX_ERR_FORKED, RQX_ERR_INVALID_ARGUMENT (protocols that are none), RQX_ERR_INVALID_FIELD and
 * RQX_ERR_REQUEST_LENGTH (a Content-Length of the caller's that is none, or not that of the body), RQX_ERR_MODE (a
 * callback, where events are pulled), RQX_ERR_STATE (its body is being sent, and is a callback's or pushed),
 * RQX_ERR_BODY_REPLAY (it was, and cannot be again), RQX_ERR_NOMEM.  Any thread.  Since 0.1.
 */
RQX_API int rqx_client_submit(rqx_client *client, rqx_request *request, void *user, rqx_response **ret_response);

/**
 * SYNC only: submits and waits for the end; of a streamed response for its head, since the body is the caller's to
 * read. Gives 0 with the response, or the error that ended the exchange; in that case too |*ret_response|, if the
 * exchange was begun, is set so that rqx_response_error can be asked (else NULL).  The caller unrefs it.
 *
 * Errors: as rqx_client_submit, RQX_ERR_MODE, RQX_ERR_STATE also for a body that is pushed, since nobody could, and
 * what may end an exchange.  Any thread.  Since 0.1.
 */
RQX_API int rqx_client_perform(rqx_client *client, rqx_request *request, rqx_response **ret_response);

RQX_END_DECLS

#endif
