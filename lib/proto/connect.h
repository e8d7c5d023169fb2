/*
 * connect.h - what an HTTP/1.1 proxy answers to CONNECT (RFC 9110 section 9.3.6): a function over bytes alone.
 *
 * Knows just enough HTTP to find the end of the answer's head and what it says.  Whatever follows a 2xx head belongs to
 * the tunnel, since content-length and transfer-encoding mean nothing there.
 */
#ifndef RQX_PROTO_CONNECT_H
#define RQX_PROTO_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/err.h"

/* Bytes of the answer's head, those of interim answers before it included. */
#define RQX__CONNECT_ANSWER_MAX 16384

/* How far an answer was read; all zero at first. */
struct rqx__connect_answer {
    size_t used;    /* bytes of heads that were taken: behind them begins the next head, or the tunnel */
    size_t scanned; /* bytes behind those in which the next head is known not to end */
};

/*
 * Looks at the first |len| bytes that came, of which those at earlier calls were the beginning.  0: the tunnel is open,
 * and all from |answer->used| on is its own; RQX_AGAIN: more bytes are needed; RQX_ERR_PROXY_AUTH (407),
 * RQX_ERR_PROXY_REFUSED (any other final status; the text has status and reason), RQX_ERR_PROXY_PROTOCOL (malformed,
 * or longer than RQX__CONNECT_ANSWER_MAX).
 */
int rqx__connect_take(struct rqx__connect_answer *answer, const uint8_t *data, size_t len, struct rqx__err *err);

/* Whether CONNECT may be asked for it: not empty, and nothing that could end the request line or begin another. */
bool rqx__connect_authority_is_sound(rqx_slice authority);

/* RQX_ERR_PROXY_AUTH or RQX_ERR_PROXY_REFUSED by a final status that is not 2xx; |reason| may be empty. */
int rqx__connect_refused(int status, rqx_slice reason, struct rqx__err *err);

#endif
