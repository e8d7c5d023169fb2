/*
 * requestx/proxy.h - a proxy, its credentials, and the fields that go to it alone.
 *
 * By the scheme of its URL a proxy is
 *
 * - `http`: http:// URLs are asked of it in absolute form (RFC 9112 section 3.2.2); https:// URLs go through a CONNECT
 *   tunnel (RFC 9110 section 9.3.6), HTTP/2 inside it;
 * - `https`: the same, with TLS to the proxy, whose certificate is checked for the proxy's name; a tunnel is asked for
 *   in HTTP/2 (RFC 9113 section 8.5) where the client speaks that and the proxy chooses it;
 * - `socks5`: every connection goes through it (RFC 1928).  The origin's name is looked up here, and its addresses are
 *   asked for one after the other until the proxy reaches one;
 * - `socks5h`: the same, but the proxy is given the name, which nothing here looks up.
 *
 * Immutable and counted; any thread may use it.
 */
#ifndef REQUESTX_PROXY_H
#define REQUESTX_PROXY_H

#include <requestx/headers.h>
#include <requestx/tls.h>
#include <requestx/url.h>

RQX_BEGIN_DECLS

/** Settings of a proxy.  Start from rqx_proxy_options_init.  Counted objects are referenced; the rest is copied. */
typedef struct rqx_proxy_options {
    /** set by rqx_proxy_options_init */
    size_t struct_size;
    /** credentials, which win over those of the URL; NULL (default): those of the URL, if any */
    const char *user;
    /** NULL (default): empty */
    const char *password;
    /** sent to the proxy with CONNECT and absolute-form requests, not with SOCKS; NULL (default): none */
    const rqx_headers *headers;
    /** for `https` proxies; NULL (default): rqx_tls_new(NULL), whatever the client has for origins */
    rqx_tls *tls;
} rqx_proxy_options;

/** Sets every field to its default.  Since 0.1. */
RQX_API void rqx_proxy_options_init(rqx_proxy_options *options);
/**
 * Makes a proxy of |url|, whose scheme has to stand in it; userinfo in it counts as credentials.  |options| NULL: the
 * defaults.  A Proxy-Authorization among the fields wins over credentials.  Where the URL has no port, it is 80, 443,
 * or 1080 for SOCKS.  Errors: RQX_ERR_UNSUPPORTED_SCHEME, RQX_ERR_INVALID_URL (no host, no such port),
 * RQX_ERR_INVALID_ARGUMENT (also user or password of more than 255 bytes for SOCKS), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_proxy_new(const rqx_url *url, const rqx_proxy_options *options, rqx_proxy **ret_proxy);
/** Takes one more reference.  Returns |proxy|.  Since 0.1. */
RQX_API rqx_proxy *rqx_proxy_ref(rqx_proxy *proxy);
/** Gives a reference back; the last one wipes and frees.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_proxy_unref(rqx_proxy *proxy);
/** Gives the proxy's URL without credentials.  Borrowed.  Since 0.1. */
RQX_API const rqx_url *rqx_proxy_url(const rqx_proxy *proxy);

RQX_END_DECLS

#endif
