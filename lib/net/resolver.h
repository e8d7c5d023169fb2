/*
 * resolver.h - names to addresses, without blocking: hosts file, overrides, a cache, and c-ares.
 *
 * Only resolver_ares.c includes c-ares.  Under the engine's lock throughout.
 */
#ifndef RQX_NET_RESOLVER_H
#define RQX_NET_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"

struct rqx__resolver;

/* Most addresses kept of one answer, per family. */
#define RQX__RESOLVE_MAX 32
/* Most names kept; the one that was not asked for longest goes first. */
#define RQX__RESOLVE_NAMES_MAX 1024

struct rqx__resolver_config {
    const char *nameservers;    /* as rqx_engine_options */
    const char *const *resolve; /* as rqx_engine_options */
    int64_t ttl_max_ms;
    int64_t negative_ms;
    int64_t timeout_ms;
    const char *hosts_file;  /* NULL: /etc/hosts */
    const char *resolv_file; /* NULL: /etc/resolv.conf */
};

/* Addresses of one family; |port| is filled in. */
struct rqx__addresses {
    int family; /* AF_INET or AF_INET6 */
    unsigned count;
    struct sockaddr_storage list[RQX__RESOLVE_MAX];
};

/*
 * One question, embedded in its owner.  |answer_cb| is called exactly twice, once a family, in either order, unless the
 * lookup is cancelled; |addresses| (borrowed for the call) is NULL where there is none, and then |err| says why
 * (RQX_ERR_NAME_NOT_FOUND, RQX_ERR_RESOLVE, RQX_ERR_NOMEM).  |last| is true at the second call.  It may be called
 * before rqx__resolver_lookup returns (literals, cache, overrides) and may cancel, and then free its owner, or free it
 * when |last|.
 */
struct rqx__lookup {
    struct rqx__list node;
    void (*answer_cb)(struct rqx__lookup *lookup, int family, const struct rqx__addresses *addresses,
                      const struct rqx__err *err, bool last, void *user);
    void *user;
    int port;
    unsigned pending;         /* private: families still to come */
    struct rqx__query *query; /* private: the question that it shares with others */
};

/* Copies |config|.  c-ares starts at the first name that needs it.  RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM. */
int rqx__resolver_new(struct rqx__loop *loop, const struct rqx__resolver_config *config,
                      struct rqx__resolver **ret_resolver);
/* Lookups must be cancelled before. */
void rqx__resolver_free(struct rqx__resolver *resolver);
/* In a forked child, whose loop was detached: closes this process's descriptors.  Lookups end without a word. */
void rqx__resolver_abandon(struct rqx__resolver *resolver);

/*
 * Asks for |host| (ASCII, an address literal without brackets is its own answer; "localhost" and names below it are
 * loopback, RFC 6761 section 6.3).  Same questions at the same time are asked once.  RQX_ERR_NOMEM, RQX_ERR_RESOLVE:
 * nothing will be called.
 */
int rqx__resolver_lookup(struct rqx__resolver *resolver, const char *host, size_t host_len, int port,
                         struct rqx__lookup *lookup);
/* No more calls for this lookup.  Harmless on a finished one. */
void rqx__lookup_cancel(struct rqx__lookup *lookup);

/* c-ares's version text. */
const char *rqx__resolver_library(void);

#endif
