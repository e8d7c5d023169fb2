/*
 * requestx/types.h - the names of the library's objects, and what every header needs.
 *
 * Every object is opaque.  Counted objects have `_ref` and `_unref`; objects with one owner have
 * `_new` and `_free`.  Freeing functions accept NULL.
 *
 * Where a comment does not say that it may be NULL, a pointer is not NULL: this is not checked.  Bytes of length 0 are
 * the exception, whose pointer is not looked at.  Objects may be let go of in any order: each keeps what it needs.
 */
#ifndef REQUESTX_TYPES_H
#define REQUESTX_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define RQX_BEGIN_DECLS extern "C" {
#define RQX_END_DECLS   }
#else
#define RQX_BEGIN_DECLS
#define RQX_END_DECLS
#endif

#if defined(__GNUC__)
#define RQX_API __attribute__((visibility("default")))
#else
#define RQX_API
#endif

/** The sockets, timers, resolver and lock of a client: see engine.h.  Counted. */
typedef struct rqx_engine rqx_engine;
/** Defaults, limits and policy over an engine, and its pool of connections: see client.h.  Counted. */
typedef struct rqx_client rqx_client;
/** What to send: see request.h.  Counted. */
typedef struct rqx_request rqx_request;
/** One exchange from its submission on, and then its response: see response.h.  Counted. */
typedef struct rqx_response rqx_response;
/** A parsed URL, immutable: see url.h.  Counted. */
typedef struct rqx_url rqx_url;
/** A list of fields (header or trailer section): see headers.h.  One owner. */
typedef struct rqx_headers rqx_headers;
/** Credentials of a request: see auth.h.  Immutable and counted. */
typedef struct rqx_auth rqx_auth;
/** Cookies that servers set: see cookies.h.  Counted. */
typedef struct rqx_cookies rqx_cookies;
/** How TLS connections are made and whom they trust: see tls.h.  Immutable and counted. */
typedef struct rqx_tls rqx_tls;
/** When a request is sent again: see retry.h.  Immutable and counted. */
typedef struct rqx_retry rqx_retry;
/** A proxy and its credentials: see proxy.h.  Immutable and counted. */
typedef struct rqx_proxy rqx_proxy;

/** Which addresses may be connected to: see address.h.  One owner. */
typedef struct rqx_address_policy rqx_address_policy;
/** A form with files, the body of a request: see multipart.h.  One owner. */
typedef struct rqx_multipart rqx_multipart;
/** Content codings being undone: see decoder.h.  One owner. */
typedef struct rqx_decoder rqx_decoder;

/** Bytes that somebody else owns.  |data| is not NUL terminated unless the function that gives it says so. */
typedef struct rqx_slice {
    /** the first byte; NULL where there is nothing, not even something empty */
    const char *data;
    /** how many bytes */
    size_t len;
} rqx_slice;

/** The protocol that carried a response. */
typedef enum rqx_http_version {
    /** none yet */
    RQX_HTTP_UNKNOWN = 0,
    /** HTTP/1.0: only ever a server's answer */
    RQX_HTTP_1_0 = 10,
    /** HTTP/1.1 */
    RQX_HTTP_1_1 = 11,
    /** HTTP/2 */
    RQX_HTTP_2 = 20
} rqx_http_version;

/** Length given where a length is not known. */
#define RQX_LENGTH_UNKNOWN (-1)
/** Duration, in milliseconds, that never passes. */
#define RQX_NO_TIMEOUT (-1)

#endif
