/*
 * proxy.h - the inside of rqx_proxy, and the proxies that the environment names.
 */
#ifndef RQX_CLIENT_PROXY_H
#define RQX_CLIENT_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/proxy.h>

#include "net/dial.h"

struct rqx_proxy {
    atomic_uint refs;
    rqx_url *url; /* without credentials */
    rqx_tls *tls; /* how the proxy itself is spoken to; NULL: in clear */
    int port;
    enum rqx__dial_route route; /* how a tunnel is asked for */
    char *user;                 /* for SOCKS5, |password| behind it in the same memory; NULL: no credentials; secret */
    size_t user_len;
    size_t password_len;
    char *fields; /* complete field lines for the proxy alone, credentials last; may be empty; secret */
    size_t fields_len;
    size_t secret_at; /* where Proxy-Authorization begins in them, or |fields_len| */
};

/*
 * Whether a request goes to |proxy| (NULL: there is none) itself, in absolute form and with the proxy's own fields.
 * Otherwise it goes to the origin, and nothing in it is for the proxy.
 */
static inline bool rqx__proxy_forwards(const rqx_proxy *proxy, bool secure)
{
    return proxy != NULL && proxy->route == RQX__ROUTE_CONNECT && !secure;
}

/*
 * The user and password of a URL's |userinfo| with percent-encoding undone, in memory of |userinfo.len| + 1 bytes that
 * the caller wipes and frees; NULL: out of memory.
 */
char *rqx__userinfo_decode(rqx_slice userinfo, rqx_slice *ret_user, rqx_slice *ret_password);

#endif
