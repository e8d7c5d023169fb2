/*
 * requestx/proxy.h - a proxy, its credentials, and the fields that go to it alone.
 *
 * http:// URLs are asked of an HTTP proxy in absolute form (RFC 9112 section 3.2.2); https:// URLs go through a
 * CONNECT tunnel (RFC 9110 section 9.3.6), HTTP/2 inside it.  Immutable and counted; any thread may use it.
 */
#ifndef REQUESTX_PROXY_H
#define REQUESTX_PROXY_H

#include <requestx/headers.h>
#include <requestx/url.h>

RQX_BEGIN_DECLS

/**
 * Makes a proxy of |url| (scheme http; userinfo in it counts as credentials).  |user| and |password|, unless NULL, win
 * over those of the URL; |headers|, unless NULL, are sent to the proxy with CONNECT and absolute-form requests
 * (copied). Errors: RQX_ERR_UNSUPPORTED_SCHEME, RQX_ERR_INVALID_URL (no host), RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM.
 * Since 0.1.
 */
RQX_API int rqx_proxy_new(const rqx_url *url, const char *user, const char *password, const rqx_headers *headers,
                          rqx_proxy **ret_proxy);
/** Takes one more reference.  Returns |proxy|.  Since 0.1. */
RQX_API rqx_proxy *rqx_proxy_ref(rqx_proxy *proxy);
/** Gives a reference back; the last one wipes and frees.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_proxy_unref(rqx_proxy *proxy);
/** Gives the proxy's URL without credentials.  Borrowed.  Since 0.1. */
RQX_API const rqx_url *rqx_proxy_url(const rqx_proxy *proxy);

RQX_END_DECLS

#endif
