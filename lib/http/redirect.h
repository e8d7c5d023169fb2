/*
 * http/redirect.h - what a redirect asks for (RFC 9110 section 15.4).  Pure functions.
 */
#ifndef RQX_HTTP_REDIRECT_H
#define RQX_HTTP_REDIRECT_H

#include <stdbool.h>

#include <requestx/url.h>

#include "base/err.h"
#include "http/headers.h"

/* Whether |status| is a redirect that a Location can make to be followed: 301, 302, 303, 307, 308. */
bool rqx__redirect_status(int status);
/*
 * The method of the next request: GET in place of |method| for 303 (but HEAD stays), for 302 (but HEAD stays), and for
 * 301 after POST.  Otherwise, and where |method| is GET already, |method| itself, the same pointer: then the body
 * stays. The result lives as long as |method|.
 */
rqx_slice rqx__redirect_method(int status, rqx_slice method);
/*
 * Where |location| leads from |base| (RFC 3986 section 5.3), with |base|'s fragment where it has none of its own.
 * RQX_ERR_PROTOCOL: it is no URL; RQX_ERR_UNSUPPORTED_SCHEME: neither http nor https; RQX_ERR_NOMEM.  |err| may be
 * NULL.
 */
int rqx__redirect_url(const rqx_url *base, rqx_slice location, rqx_url **ret_url, struct rqx__err *err);
/* Whether credentials may go along: same origin, or http:80 -> https:443 of one host. */
bool rqx__redirect_keeps_auth(const rqx_url *from, const rqx_url *to);
/*
 * Copies |fields| without what must not go along: Host; Authorization, Cookie and Proxy-Authorization unless
 * |keep_auth|; with |drop_body| Content-Length, Content-Type, Content-Encoding, Content-Language, Content-Location,
 * Transfer-Encoding, Trailer and Expect.  RQX_ERR_NOMEM.
 */
int rqx__redirect_fields(const struct rqx_headers *fields, bool keep_auth, bool drop_body,
                         struct rqx_headers **ret_fields);

#endif
