/*
 * dial.h - from an origin to a wire that is ready for bytes: resolve, race addresses, tunnel, TLS.
 *
 * Knows nothing of HTTP but the protocols that ALPN may choose.  A dial has no deadline of its own: its owner watches
 * the time and cancels.  Under the engine's lock throughout.
 */
#ifndef RQX_NET_DIAL_H
#define RQX_NET_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/resolver.h"
#include "net/wire.h"

/* How far a dial has come. */
enum rqx__dial_phase {
    RQX__DIAL_RESOLVE = 0,    /* looking up the name (of the proxy where there is one) */
    RQX__DIAL_RESOLVE_ORIGIN, /* looking up the origin's name for a proxy that is to be told an address */
    RQX__DIAL_CONNECT,        /* TCP, RFC 8305 */
    RQX__DIAL_PROXY_TLS,      /* handshake with the proxy */
    RQX__DIAL_PROXY,          /* waiting for what the proxy answers */
    RQX__DIAL_TLS,            /* handshake with the origin */
    RQX__DIAL_READY
};

/* How the origin is reached. */
enum rqx__dial_route {
    RQX__ROUTE_DIRECT = 0, /* without a proxy; or it is the proxy itself that is talked to, in absolute form */
    RQX__ROUTE_CONNECT,    /* through the proxy by CONNECT */
    RQX__ROUTE_SOCKS5, /* through it by SOCKS5, the name looked up here: both families, one address after the other */
    RQX__ROUTE_SOCKS5H /* the same, the name looked up by the proxy */
};

/* What to reach.  Slices and pointers are borrowed for rqx__dial_new alone (copied or referenced by it). */
struct rqx__dial_target {
    rqx_slice host; /* origin's host, ASCII, no brackets */
    int port;
    rqx_tls *tls;          /* NULL: cleartext */
    rqx_slice server_name; /* for TLS; empty: |host| */
    unsigned protocols;    /* RQX_PROTO_* to offer by ALPN */
    rqx_slice proxy_host;  /* empty: no proxy */
    int proxy_port;
    rqx_tls *proxy_tls;         /* how to talk to the proxy; NULL: in clear */
    enum rqx__dial_route route; /* meaningful with |proxy_host| */
    rqx_slice tunnel_fields;    /* complete field lines for CONNECT */
    rqx_slice proxy_user;       /* for SOCKS5; NULL data: no credentials */
    rqx_slice proxy_password;
    rqx_slice unix_path;                     /* not empty: connect there instead */
    const rqx_socket_option *socket_options; /* set on each socket; borrowed for the life of the dial */
    size_t socket_option_count;
    const rqx_address_policy *address_policy; /* or NULL; borrowed for the life of the dial */
    rqx_slice local_address;                  /* numeric; empty: any */
};

/* When each step was over, ns of the loop's clock; 0: it was not taken. */
struct rqx__dial_times {
    uint64_t start;
    uint64_t resolved;
    uint64_t connected; /* tunnel included */
    uint64_t secured;
};

struct rqx__dial;

/*
 * Called once, never before rqx__dial_new returned.  On success (|err| NULL) it takes ownership of |wire|, whose
 * handshake is done and whose socket nobody watches.  On failure |err| has phase and cause, with host and port named:
 * "connect to api.example.com:443: connection refused (127.0.0.1:443, [::1]:443)".  The dial is freed by the callee or
 * later.
 */
typedef void (*rqx__dial_cb)(struct rqx__dial *dial, struct rqx__wire *wire, enum rqx__alpn alpn,
                             const struct rqx__err *err, void *user);

/* Begins.  RQX_ERR_NOMEM, RQX_ERR_INVALID_ARGUMENT (local address), RQX_ERR_INVALID_URL (a name too long for SOCKS). */
int rqx__dial_new(struct rqx__loop *loop, struct rqx__resolver *resolver, const struct rqx__dial_target *target,
                  rqx__dial_cb done_cb, void *user, struct rqx__dial **ret_dial);
/* Cancels what is under way and frees.  NULL is allowed. */
void rqx__dial_free(struct rqx__dial *dial);
/* In a forked child. */
void rqx__dial_abandon(struct rqx__dial *dial);
enum rqx__dial_phase rqx__dial_phase(const struct rqx__dial *dial);
/* Writes what is waited for, to be put after "while", the proxy named: cut to |size|. */
void rqx__dial_describe(const struct rqx__dial *dial, char *text, size_t size);
const struct rqx__dial_times *rqx__dial_times(const struct rqx__dial *dial);

/* Time that the first family has before the second is tried too, and between attempts (RFC 8305 sections 3 and 5). */
#define RQX__RESOLUTION_DELAY_MS 50
#define RQX__ATTEMPT_DELAY_MS    250

#endif
