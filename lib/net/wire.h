/*
 * wire.h - a byte stream that stacks: TCP at the bottom, a proxy tunnel or TLS on any other wire.
 *
 * Knows nothing of HTTP, except that a tunnel speaks CONNECT (and SOCKS), whose messages lib/proto reads.  Nothing here
 * blocks.  All calls are made under the lock of the engine that the wire belongs to.
 *
 * Rules of the vtable:
 * - A layer owns the one below and frees it.  handshake() of a layer first finishes that of the layer below.
 * - RQX_AGAIN means: wait until the socket is ready for wants(), then call the same function again.
 * - read() gives *ret_len 0 with 0 for a clean end (TCP FIN; under TLS only with close_notify, otherwise
 *   RQX_ERR_TRUNCATED).
 * - read() may be asked again at once while has_buffered() is true, even though the socket is not readable.  Where it
 *   is false and the last read was short, nothing is left: asking again would only cost a system call, since the loop
 *   is level triggered.
 * - write() takes fewer bytes than offered only where the socket is full, and says RQX_AGAIN next.  The others must be
 *   offered again, unchanged.
 * - After a negative result only free() may be called, and after one of write() read() too: the peer may have said why.
 * - Only shutdown() says anything to the peer at the end; free() closes the descriptor and is all that a forked child
 *   may call.
 */
#ifndef RQX_NET_WIRE_H
#define RQX_NET_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <requestx/client.h>

#include "base/err.h"

struct rqx__wire;

struct rqx__wire_ops {
    const char *name; /* "tcp", "tunnel", "tunnel-h2", "socks", "tls" */
    int (*handshake)(struct rqx__wire *wire, struct rqx__err *err);
    int (*read)(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err);
    /* Takes at least one byte or gives RQX_AGAIN.  After RQX_AGAIN the same bytes (or more) must be offered again. */
    int (*write)(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err);
    bool (*has_buffered)(const struct rqx__wire *wire);
    /* RQX__IO_* that the last RQX_AGAIN waits for. */
    unsigned (*wants)(const struct rqx__wire *wire);
    /* Says goodbye without waiting (close_notify), as far as the socket takes it now. */
    void (*shutdown)(struct rqx__wire *wire);
    void (*free)(struct rqx__wire *wire);
    /*
     * Of a layer that has work of its own (tunnel_h2.c: frames of its protocol), else NULL.  Does as much of it as the
     * socket allows; it is to be called whenever the socket is ready for wants(), whatever else is being waited for.
     * What came of it read() and write() tell, and has_buffered().
     */
    void (*pump)(struct rqx__wire *wire);
};

/* First member of every layer's struct. */
struct rqx__wire {
    const struct rqx__wire_ops *ops;
    struct rqx__wire *lower; /* NULL at the bottom */
    int fd;                  /* the socket at the bottom */
};

static inline int rqx__wire_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    return wire->ops->handshake(wire, err);
}
static inline int rqx__wire_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len,
                                 struct rqx__err *err)
{
    return wire->ops->read(wire, buffer, cap, ret_len, err);
}
static inline int rqx__wire_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len,
                                  struct rqx__err *err)
{
    return wire->ops->write(wire, data, len, ret_len, err);
}
static inline bool rqx__wire_has_buffered(const struct rqx__wire *wire)
{
    return wire->ops->has_buffered(wire);
}
static inline unsigned rqx__wire_wants(const struct rqx__wire *wire)
{
    return wire->ops->wants(wire);
}
static inline void rqx__wire_shutdown(struct rqx__wire *wire)
{
    wire->ops->shutdown(wire);
}
/* The layer of |wire| that has work of its own; NULL: none. */
static inline struct rqx__wire *rqx__wire_mover(struct rqx__wire *wire)
{
    while (wire != NULL && wire->ops->pump == NULL)
        wire = wire->lower;
    return wire;
}
static inline void rqx__wire_free(struct rqx__wire *wire)
{
    if (wire != NULL)
        wire->ops->free(wire);
}

/* ---- tcp.c ---- */

/* Wraps a connected (or connecting: handshake() finds out) nonblocking socket.  On success, takes ownership of |fd|. */
int rqx__tcp_wire_new(int fd, struct rqx__wire **ret_wire);
/*
 * Makes a nonblocking, close-on-exec socket (TCP_NODELAY for TCP) and begins to connect it; |local| may be NULL.  The
 * socket is given also while the connection is in progress; it is connected when it is writable and SO_ERROR is 0.
 * RQX_ERR_CONNECT with errno for what fails at once.
 */
int rqx__tcp_connect(const struct sockaddr *address, socklen_t address_len, const struct sockaddr *local,
                     socklen_t local_len, int *ret_fd, struct rqx__err *err);
/*
 * The same with |count| socket options set before it connects.  RQX_ERR_CONNECT also for an option that the system
 * refuses, which the text names.
 */
int rqx__tcp_connect_with(const struct sockaddr *address, socklen_t address_len, const struct sockaddr *local,
                          socklen_t local_len, const rqx_socket_option *options, size_t count, int *ret_fd,
                          struct rqx__err *err);
/* Fills |err| (NULL is allowed) with the text of |sys_errno| as a cause, in lower case, and returns |code|. */
int rqx__net_err(struct rqx__err *err, int code, int sys_errno);
/* "addr:port" or "[addr]:port" or "unix:PATH" of a socket address; cut to |size|. */
void rqx__sockaddr_text(const struct sockaddr *address, socklen_t len, char *text, size_t size);

/* ---- tunnel.c ---- */

/*
 * A CONNECT tunnel (RFC 9110 section 9.3.6) to |authority| through the HTTP/1.1 proxy on |lower|.  |fields| are
 * complete field lines for the proxy ("Proxy-Authorization: ...\r\n"), may be empty, copied.  The answer's head is at
 * most 16 KiB.  RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM.  Errors of handshake(): RQX_ERR_PROXY_AUTH (407),
 * RQX_ERR_PROXY_REFUSED (any other final status; the text has status and reason), RQX_ERR_PROXY_PROTOCOL,
 * RQX_ERR_TRUNCATED...  On success, takes ownership of |lower|.
 */
int rqx__tunnel_wire_new(struct rqx__wire *lower, rqx_slice authority, rqx_slice fields, struct rqx__wire **ret_wire);

/* ---- tunnel_h2.c ---- */

/* The same through an HTTP/2 proxy, which the connection on |lower| is for alone (RFC 9113 section 8.5). */
int rqx__h2_tunnel_wire_new(struct rqx__wire *lower, rqx_slice authority, rqx_slice fields,
                            struct rqx__wire **ret_wire);

/* ---- socks.c ---- */

struct rqx__socks_target; /* proto/socks.h */

/*
 * A connection to |target| through the SOCKS5 proxy on |lower| (RFC 1928).  |user| and |password| are offered where
 * |user.data| is not NULL (RFC 1929); all is copied.  RQX_ERR_INVALID_ARGUMENT (a text is too long), RQX_ERR_NOMEM.
 * Errors of handshake(): RQX_ERR_PROXY_AUTH, RQX_ERR_PROXY_REFUSED, RQX_ERR_PROXY_PROTOCOL, RQX_ERR_TRUNCATED...
 * On success, takes ownership of |lower|.
 */
int rqx__socks_wire_new(struct rqx__wire *lower, const struct rqx__socks_target *target, rqx_slice user,
                        rqx_slice password, struct rqx__wire **ret_wire);
/* The proxy's code (RFC 1928 section 6) that the handshake failed with; 0: it failed for another reason, or did not. */
int rqx__socks_wire_code(const struct rqx__wire *wire);

/* ---- tls_wire.c ---- */

/* What ALPN chose. */
enum rqx__alpn { RQX__ALPN_NONE = 0, RQX__ALPN_HTTP1, RQX__ALPN_HTTP2, RQX__ALPN_OTHER };

/*
 * TLS on |lower| by the settings of |tls| (referenced).  |server_name| is asked for (SNI, unless it is an address) and
 * checked against the certificate (names and IP SANs); |port| tells sessions of one name apart.  |protocols|:
 * RQX_PROTO_* bits to offer by ALPN in the order h2, http/1.1.  On success, takes ownership of |lower|.
 * Errors: RQX_ERR_TLS_CONFIG (with |err|), RQX_ERR_NOMEM.  handshake(): RQX_ERR_TLS_CERTIFICATE (text says why, with
 * the date for an expired one and the names for another host's; |tls_verify|), RQX_ERR_TLS_HANDSHAKE,
 * RQX_ERR_TRUNCATED...
 */
int rqx__tls_wire_new(rqx_tls *tls, struct rqx__wire *lower, rqx_slice server_name, int port, unsigned protocols,
                      struct rqx__wire **ret_wire, struct rqx__err *err);
/* What was negotiated; for a wire made by rqx__tls_wire_new after its handshake. */
enum rqx__alpn rqx__tls_wire_alpn(const struct rqx__wire *wire);
/* What is known of a TLS connection, independent of it. */
struct rqx__tls_facts {
    const char *version; /* static, as |cipher| */
    const char *cipher;
    int cipher_bits;
    rqx_slice alpn;        /* static; empty: none */
    rqx_slice server_name; /* in |memory|; NUL terminated */
    rqx_slice certificate; /* the peer's, DER, in |memory|; empty: it has none */
    bool verified;
    bool resumed;
    void *memory;
};

/* After the handshake of a wire made by rqx__tls_wire_new.  RQX_ERR_NOMEM. */
int rqx__tls_wire_facts(const struct rqx__wire *wire, struct rqx__tls_facts *ret_facts);
/* Frees what is in it.  Harmless on zeroed memory. */
void rqx__tls_facts_done(struct rqx__tls_facts *facts);
/* OpenSSL's version text. */
const char *rqx__tls_library(void);

#endif
