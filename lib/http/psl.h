/*
 * http/psl.h - where the registry's part of a domain name ends: the public suffix list.
 *
 * psl.c alone knows libpsl, and uses the list that is compiled into it: no file is read.
 */
#ifndef RQX_HTTP_PSL_H
#define RQX_HTTP_PSL_H

#include <stdbool.h>

#include <requestx/types.h>

/* Most bytes of a domain name (RFC 1035 section 2.3.4). */
#define RQX__DOMAIN_MAX 255

/* Whether |host|, as a URL gives it, is an IPv4 or IPv6 address. */
bool rqx__is_address(rqx_slice host);
/* Whether |domain| (any case, a final dot is passed over) is a public suffix.  What is no domain counts as one. */
bool rqx__psl_is_suffix(rqx_slice domain);
/*
 * The site of |host| (lower case): the end of it that is a public suffix and one label more; |host| itself where that
 * is an address or a public suffix, or too long.
 */
rqx_slice rqx__psl_site(rqx_slice host);

#endif
