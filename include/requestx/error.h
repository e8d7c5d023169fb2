/*
 * requestx/error.h - what can go wrong, and how it is told.
 *
 * Functions return an int: zero or a positive number is success, a negative one is one of the RQX_ERR_ codes
 * below.  RQX_AGAIN is positive: nothing is wrong, there is just nothing to give yet.  The codes stand in
 * bands by the phase of the exchange, so that a caller may ask for the phase rather than for each code.
 */
#ifndef REQUESTX_ERROR_H
#define REQUESTX_ERROR_H

#include <requestx/types.h>

RQX_BEGIN_DECLS

/** Not an error: no bytes, no event or no progress now; ask again when told. */
#define RQX_AGAIN 1

/** X(name, number, phase, text): every error code.  Numbers are never reused. */
#define RQX_ERROR_MAP(X)                                                                                               \
    /* usage: nothing was sent */                                                                                      \
    X(INVALID_ARGUMENT, -1, USAGE, "invalid argument")                                                                 \
    X(INVALID_URL, -2, USAGE, "invalid URL")                                                                           \
    X(UNSUPPORTED_SCHEME, -3, USAGE, "unsupported URL scheme")                                                         \
    X(INVALID_METHOD, -4, USAGE, "invalid method")                                                                     \
    X(INVALID_FIELD, -5, USAGE, "invalid field name or value")                                                         \
    X(STATE, -6, USAGE, "not possible in this state")                                                                  \
    X(MODE, -7, USAGE, "not possible in this driver mode")                                                             \
    X(FORKED, -8, USAGE, "the engine belongs to the parent process")                                                   \
    X(CLOSED, -9, USAGE, "the client is closed")                                                                       \
    X(UNSUPPORTED, -10, USAGE, "not supported by this build")                                                          \
    X(CANCELLED, -11, USAGE, "cancelled")                                                                              \
    X(TOO_MANY_REDIRECTS, -12, USAGE, "too many redirects")                                                            \
    X(REQUEST_LENGTH, -13, USAGE, "request body does not match its content-length")                                    \
    /* resolve */                                                                                                      \
    X(NAME_NOT_FOUND, -100, RESOLVE, "name does not resolve")                                                          \
    X(RESOLVE, -101, RESOLVE, "name resolution failed")                                                                \
    /* connect */                                                                                                      \
    X(CONNECT, -200, CONNECT, "connection failed")                                                                     \
    X(ADDRESS_DENIED, -201, CONNECT, "address not allowed")                                                            \
    /* TLS */                                                                                                          \
    X(TLS_HANDSHAKE, -300, TLS, "TLS handshake failed")                                                                \
    X(TLS_CERTIFICATE, -301, TLS, "certificate verification failed")                                                   \
    X(TLS_CONFIG, -302, TLS, "TLS configuration failed")                                                               \
    X(TLS_ALPN, -303, TLS, "no common application protocol")                                                           \
    X(TLS_PIN, -304, TLS, "public key is not pinned")                                                                  \
    /* proxy */                                                                                                        \
    X(PROXY_CONNECT, -400, PROXY, "connection to the proxy failed")                                                    \
    X(PROXY_REFUSED, -401, PROXY, "the proxy refused the tunnel")                                                      \
    X(PROXY_AUTH, -402, PROXY, "the proxy wants other credentials")                                                    \
    X(PROXY_PROTOCOL, -403, PROXY, "malformed answer from the proxy")                                                  \
    /* protocol and connection, after it was made */                                                                   \
    X(READ, -500, PROTOCOL, "read failed")                                                                             \
    X(WRITE, -501, PROTOCOL, "write failed")                                                                           \
    X(TRUNCATED, -502, PROTOCOL, "peer closed the connection before the message was complete")                         \
    X(PROTOCOL, -503, PROTOCOL, "protocol violated by the peer")                                                       \
    X(STREAM_RESET, -504, PROTOCOL, "stream reset by the peer")                                                        \
    X(GOAWAY, -505, PROTOCOL, "connection shut down by the peer")                                                      \
    X(REFUSED, -506, PROTOCOL, "stream refused by the peer")                                                           \
    X(HEADER_TOO_LARGE, -507, PROTOCOL, "header section too large")                                                    \
    X(RESPONSE_LENGTH, -508, PROTOCOL, "response body does not match its content-length")                              \
    X(HTTP_1_1_REQUIRED, -509, PROTOCOL, "peer demands HTTP/1.1")                                                      \
    X(FLOOD, -510, PROTOCOL, "peer exceeds a frame limit")                                                             \
    X(LIVENESS, -511, PROTOCOL, "peer does not answer PING")                                                           \
    /* timeout */                                                                                                      \
    X(POOL_TIMEOUT, -600, TIMEOUT, "timed out waiting for a connection or stream")                                     \
    X(CONNECT_TIMEOUT, -601, TIMEOUT, "timed out connecting")                                                          \
    X(READ_TIMEOUT, -602, TIMEOUT, "timed out reading")                                                                \
    X(WRITE_TIMEOUT, -603, TIMEOUT, "timed out writing")                                                               \
    X(TOTAL_TIMEOUT, -604, TIMEOUT, "timed out")                                                                       \
    X(STALL_TIMEOUT, -605, TIMEOUT, "transfer too slow")                                                               \
    /* body */                                                                                                         \
    X(DECODING, -700, BODY, "content coding is malformed")                                                             \
    X(DECODED_TOO_LARGE, -701, BODY, "decoded body too large")                                                         \
    X(BODY_TOO_LARGE, -702, BODY, "response body larger than the caller allows")                                       \
    X(BODY_SOURCE, -703, BODY, "the request body's source failed")                                                     \
    X(BODY_REPLAY, -704, BODY, "the request body cannot be sent twice")                                                \
    /* fatal */                                                                                                        \
    X(NOMEM, -900, FATAL, "out of memory")                                                                             \
    X(SYSTEM, -901, FATAL, "system call failed")                                                                       \
    X(INTERNAL, -902, FATAL, "internal error")

/** The error codes: RQX_ERR_NAME for each row of RQX_ERROR_MAP. */
typedef enum rqx_error_code {
    /** nothing failed */
    RQX_OK = 0,
#define RQX_ERROR_ENUM_(name, number, phase, text) RQX_ERR_##name = number,
    RQX_ERROR_MAP(RQX_ERROR_ENUM_)
#undef RQX_ERROR_ENUM_
} rqx_error_code;

/** The phase of an exchange that an error code belongs to. */
typedef enum rqx_phase {
    /** of success */
    RQX_PHASE_NONE = 0,
    /** what was asked for cannot be done; nothing was sent, or the caller ended it */
    RQX_PHASE_USAGE,
    /** looking up the host's addresses */
    RQX_PHASE_RESOLVE,
    /** connecting to one of them */
    RQX_PHASE_CONNECT,
    /** the handshake, certificates included */
    RQX_PHASE_TLS,
    /** reaching a proxy, and what it answers */
    RQX_PHASE_PROXY,
    /** on a connection that was made */
    RQX_PHASE_PROTOCOL,
    /** a deadline passed; the code says which */
    RQX_PHASE_TIMEOUT,
    /** the content of a body, in either direction */
    RQX_PHASE_BODY,
    /** memory or the system gave out */
    RQX_PHASE_FATAL
} rqx_phase;

/**
 * All that is known of a failure.  It belongs to the object it was asked of and lives as long.
 * New fields are only ever added at the end.  Since 0.1.
 */
typedef struct rqx_error {
    /** RQX_ERR_*, or 0 where nothing failed */
    int code;
    /** the band of |code| */
    rqx_phase phase;
    /** errno of the system call that failed, or 0 */
    int sys_errno;
    /** X509_V_ERR_* of the certificate check that failed, or 0 */
    long tls_verify;
    /** error code of the peer's RST_STREAM or GOAWAY (RFC 9113 section 7) */
    uint32_t h2_code;
    /** what, where and why: names host, phase and cause; empty where nothing failed; NUL terminated, UTF-8 */
    const char *text;
} rqx_error;

/** Gives the symbolic name of |code|, such as "RQX_ERR_READ_TIMEOUT"; "RQX_ERR_?" if unknown.  Static. Since 0.1. */
RQX_API const char *rqx_error_name(int code);
/** Gives a short English text for |code|.  Static.  Since 0.1. */
RQX_API const char *rqx_error_text(int code);
/** Gives the phase that |code| belongs to; RQX_PHASE_NONE for success.  Since 0.1. */
RQX_API rqx_phase rqx_error_phase(int code);

RQX_END_DECLS

#endif
