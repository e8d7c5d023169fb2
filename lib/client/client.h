/*
 * client.h - the inside of rqx_client: settings, and the pool of its connections.
 */
#ifndef RQX_CLIENT_CLIENT_H
#define RQX_CLIENT_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/client.h>

#include "base/list.h"
#include "client/engine.h"
#include "client/pool.h"
#include "http/headers.h"

struct rqx_client {
    atomic_uint refs;      /* the users' */
    struct rqx__dead dead; /* for the last unref */

    /* immutable */
    struct rqx_engine *engine;              /* counted */
    rqx_client_options options;             /* pointers inside are the client's own copies or references */
    struct rqx_headers *defaults;           /* or NULL */
    struct rqx_headers *defaults_elsewhere; /* those that another origin may see; or NULL */
    rqx_socket_option *socket_options;      /* own copies, as |options| has them; or NULL */
    rqx_address_policy *address_policy;     /* own copy, as |options| has it; or NULL */
    struct rqx__netrc *netrc;               /* or NULL */
    char *local_address;
    char *unix_path;
    char *no_proxy;      /* NO_PROXY as it stood at creation, or NULL */
    rqx_proxy *env_http; /* from the environment, or NULL */
    rqx_proxy *env_https;

    /* under the engine's lock */
    struct rqx__list engine_node;
    struct rqx__list exchanges; /* all that are not done: exchange.client_node */
    struct rqx__pool pool;
    unsigned exchange_count; /* all that were not freed */
    bool closed;
    bool unreferenced; /* no user has it any more: freed with its last exchange */
};

/* Frees a client that nobody needs any more. */
void rqx__client_reap(struct rqx_client *client);

/* The proxy for |url|: the client's own, or the environment's unless NO_PROXY has the host; borrowed, NULL: none. */
rqx_proxy *rqx__client_proxy_for(const struct rqx_client *client, const rqx_url *url);

#endif
