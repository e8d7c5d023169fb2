/*
 * http/netrc.h - names and passwords by host, as ftp(1) and curl read them from a file named .netrc.
 *
 * The parser is a function over bytes.  What it made never changes; the passwords in it are kept as Basic credentials.
 */
#ifndef RQX_HTTP_NETRC_H
#define RQX_HTTP_NETRC_H

#include <requestx/auth.h>

/* Most bytes of a file, of a word in it, and most hosts. */
#define RQX__NETRC_MAX      (1024 * 1024)
#define RQX__NETRC_WORD_MAX 4096
#define RQX__NETRC_HOSTS    10000

struct rqx__netrc;

/*
 * Reads |text|.  Of several entries for one host the first counts.  RQX_ERR_INVALID_ARGUMENT: malformed, or a limit is
 * passed; RQX_ERR_NOMEM.
 */
int rqx__netrc_parse(const char *text, size_t len, struct rqx__netrc **ret_netrc);
/* Wipes and frees.  NULL is allowed. */
void rqx__netrc_free(struct rqx__netrc *netrc);
/* The credentials for |host| (lower case), else those of "default"; borrowed, NULL: there are none. */
rqx_auth *rqx__netrc_find(const struct rqx__netrc *netrc, rqx_slice host);

#endif
