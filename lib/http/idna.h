/*
 * http/idna.h - host names beyond ASCII: IDNA 2008 (RFC 5891) without mapping but for letter case and full stops.
 *
 * idna.c is the only file that includes libidn2.  Keeps nothing.
 */
#ifndef RQX_HTTP_IDNA_H
#define RQX_HTTP_IDNA_H

#include <stddef.h>

#include <requestx/types.h>

/*
 * Writes the ASCII form of |host| (UTF-8) and a NUL to |out|, which has RQX__HOST_IDNA_MAX + 1 bytes.
 * RQX_ERR_INVALID_URL: a label is empty, too long or not valid; RQX_ERR_NOMEM.
 */
int rqx__idna_to_ascii(rqx_slice host, char *out, size_t *ret_len);

#endif
