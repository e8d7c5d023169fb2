/*
 * http/noproxy.h - which proxy the environment names for a URL: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY.
 *
 * The environment is read when asked, and nothing is kept.
 */
#ifndef RQX_HTTP_NOPROXY_H
#define RQX_HTTP_NOPROXY_H

#include <stdbool.h>

#include <requestx/url.h>

/*
 * The proxy that the environment names for |scheme| ("http", "https"): SCHEME_PROXY in lower case, then in upper case,
 * then all_proxy, ALL_PROXY.  NULL: none, or empty.  HTTP_PROXY in upper case does not count where REQUEST_METHOD is
 * set: a CGI program's client could have set it by a "Proxy" field.  Belongs to the environment.
 */
const char *rqx__env_proxy(const char *scheme);
/* Parses such a value; one without "://" is taken for "http://" and it.  RQX_ERR_INVALID_URL, RQX_ERR_NOMEM. */
int rqx__env_proxy_url(const char *text, rqx_url **ret_url);
/* no_proxy, then NO_PROXY; NULL: none.  Belongs to the environment. */
const char *rqx__env_no_proxy(void);
/*
 * Whether the comma separated |list| has |url|: "*" for all; "example.com" (it and its subdomains); ".example.com" and
 * "*.example.com" (subdomains only); "localhost" (it alone); IPv4 and IPv6 literals and CIDR blocks; each with ":port"
 * as well; "scheme://host" (it alone), where the scheme "all" is any and an empty host is every one.  Without case, and
 * a dot at the end of a name does not count.  A malformed entry is none.  |list| may be NULL.
 */
bool rqx__no_proxy_match(const char *list, const rqx_url *url);

#endif
