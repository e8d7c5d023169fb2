/*
 * digest.h - Digest credentials in an exchange: sent where a challenge is remembered, and sent again where one comes.
 *
 * Under the engine's lock, which is outside that of the credentials.
 */
#ifndef RQX_CLIENT_DIGEST_H
#define RQX_CLIENT_DIGEST_H

#include <requestx/types.h>

struct rqx__exchange;

/* Makes the value of this hop's Authorization field, own to the hop, if |auth| remembers a challenge.  RQX_ERR_NOMEM.
 */
int rqx__digest_send(struct rqx__exchange *exchange, rqx_auth *auth);
/*
 * Looks at the head that came.  1: it is a challenge that is to be answered, and remembered for that; 0: it is for the
 * user.  RQX_ERR_NOMEM, RQX_ERR_SYSTEM.
 */
int rqx__digest_wanted(struct rqx__exchange *exchange);

#endif
