/*
 * file.h - files: opened to be sent, and small ones read whole.
 */
#ifndef RQX_CLIENT_FILE_H
#define RQX_CLIENT_FILE_H

#include <stdint.h>

#include "base/buf.h"

struct rqx__netrc;

/*
 * Opens the regular file at |path|, without waiting if it is none, and gives its length.  RQX_ERR_SYSTEM (errno tells),
 * RQX_ERR_INVALID_ARGUMENT: it is something else.
 */
int rqx__file_open(const char *path, int *ret_fd, uint64_t *ret_length);

/* Appends the rest of |fd|.  RQX_ERR_INVALID_ARGUMENT: more than |max| bytes; RQX_ERR_SYSTEM (errno tells),
 * RQX_ERR_NOMEM. */
int rqx__file_read(int fd, struct rqx__buf *text, size_t max);
/* Wipes and frees what was read. */
void rqx__file_forget(struct rqx__buf *text);

/*
 * Reads the netrc file at |path|; "": where $NETRC says, else .netrc in $HOME, and none at all gives NULL.  It must
 * belong to the user or root, and nobody else may write it; nor, where it was not named by |path|, read it.
 * RQX_ERR_SYSTEM (errno tells; EACCES: those rules), and the errors of rqx__netrc_parse.
 */
int rqx__netrc_read(const char *path, struct rqx__netrc **ret_netrc);

#endif
