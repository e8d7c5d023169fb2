/*
 * facts.h - what is known of a connection and outlives it: addresses, and how TLS secured it.
 *
 * Made with the connection, shared with the responses that came over it, never changed: any thread may read what its
 * response has.  The count is under the engine's lock.
 */
#ifndef RQX_CLIENT_FACTS_H
#define RQX_CLIENT_FACTS_H

#include <stdbool.h>

#include "net/wire.h"

struct rqx__facts {
    unsigned refs;
    bool secure;   /* |tls| is there */
    char peer[80]; /* "addr:port" */
    char local[80];
    struct rqx__tls_facts tls;
};

/* Looks at |wire|, which is ready; |secure|: it is TLS to the origin.  With one reference.  NULL: out of memory. */
struct rqx__facts *rqx__facts_new(const struct rqx__wire *wire, bool secure);
/* One more reference; |facts| NULL is allowed.  Returns |facts|. */
struct rqx__facts *rqx__facts_ref(struct rqx__facts *facts);
/* NULL is allowed. */
void rqx__facts_unref(struct rqx__facts *facts);

#endif
