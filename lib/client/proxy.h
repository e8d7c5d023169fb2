/*
 * proxy.h - the inside of rqx_proxy, and the proxies that the environment names.
 */
#ifndef RQX_CLIENT_PROXY_H
#define RQX_CLIENT_PROXY_H

#include <stdatomic.h>

#include <requestx/proxy.h>

struct rqx_proxy {
    atomic_uint refs;
    rqx_url *url; /* without credentials */
    char *fields; /* complete field lines for the proxy alone; may be empty; secret */
    size_t fields_len;
};

/*
 * The user and password of a URL's |userinfo| with percent-encoding undone, in memory of |userinfo.len| + 1 bytes that
 * the caller wipes and frees; NULL: out of memory.
 */
char *rqx__userinfo_decode(rqx_slice userinfo, rqx_slice *ret_user, rqx_slice *ret_password);

#endif
