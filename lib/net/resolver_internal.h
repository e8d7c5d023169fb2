/*
 * resolver_internal.h - what the files of the resolver share.
 *
 * resolver.c        lookups, the cache, who is asked in which order
 * resolver_names.c  names that are known without asking: overrides and the hosts file; address literals
 * resolver_ares.c   DNS, by c-ares
 */
#ifndef RQX_NET_RESOLVER_INTERNAL_H
#define RQX_NET_RESOLVER_INTERNAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/map.h"
#include "loop/loop.h"
#include "net/resolver.h"

/* Longest name with a dot at its end (RFC 1035 section 2.3.4). */
#define RQX__NAME_MAX 254

/* ---- resolver_names.c ---- */

struct rqx__address {
    int family;
    uint32_t scope; /* of a link-local IPv6 address, or 0 */
    uint8_t bytes[16];
};

/* Addresses of both families, of one name. */
struct rqx__known {
    unsigned count;
    struct rqx__address list[2 * RQX__RESOLVE_MAX];
};

/* Reads an address literal, with or without a zone ("fe80::1%eth0"), without brackets. */
bool rqx__address_parse(const char *text, size_t len, struct rqx__address *ret_address);

/* A table of names and their addresses; names without case and without a dot at their end. */
struct rqx__names {
    struct rqx__map map;
};

void rqx__names_init(struct rqx__names *names);
void rqx__names_done(struct rqx__names *names);
/* Adds one address to a name; those above RQX__RESOLVE_MAX of a family, and repeated ones, are dropped.  RQX_ERR_NOMEM.
 */
int rqx__names_add(struct rqx__names *names, const char *name, size_t len, const struct rqx__address *address);
/* Copies what is known of |name| (in lower case, without a dot at its end); false if nothing is. */
bool rqx__names_find(const struct rqx__names *names, const char *name, size_t len, struct rqx__known *ret_known);
/* Adds "host=addr[,addr...]".  RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM. */
int rqx__names_add_override(struct rqx__names *names, const char *text);

/* A file as it was when it was looked at last. */
struct rqx__stamp {
    uint64_t next_look; /* ns: not to be looked at before */
    bool there;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* Whether |path| changed since the last time; looks at most once a second.  The first look counts as a change. */
bool rqx__stamp_changed(struct rqx__stamp *stamp, const char *path, uint64_t now);
/* Reads a hosts file (hosts(5)) anew; one that cannot be read is empty.  At most 8 MiB of it.  RQX_ERR_NOMEM: |names|
 * stays as it was. */
int rqx__names_read_hosts(struct rqx__names *names, const char *path);

/* ---- resolver_ares.c ---- */

struct rqx__ares;

/* A DNS server to ask in place of the system's. */
struct rqx__server {
    struct rqx__address address;
    int port;
};

/* One question of one family, and then its answer.  Embedded in its owner, who lets it live until it is finished. */
struct rqx__ares_request {
    struct rqx__list node; /* private */
    struct rqx__ares *ares;
    int family;
    int code;         /* 0, or RQX_ERR_* */
    const char *text; /* why, static; with |code| */
    uint64_t ttl_ms;
    unsigned count;
    uint8_t *addresses; /* |count| times 4 or 16 bytes, rqx__malloc; the owner's when finished */
};

struct rqx__ares_config {
    const struct rqx__server *servers;
    size_t server_count; /* 0: those of |resolv_file| */
    const char *resolv_file;
    int64_t timeout_ms;
    /* Called for each request, never within rqx__ares_free.  It may ask again. */
    void (*finished_cb)(struct rqx__ares_request *request, void *user);
    void *user;
};

/* Starts a channel of c-ares.  RQX_ERR_NOMEM, RQX_ERR_RESOLVE. */
int rqx__ares_new(struct rqx__loop *loop, const struct rqx__ares_config *config, struct rqx__ares **ret_ares);
/* Drops what is under way, telling nobody. */
void rqx__ares_free(struct rqx__ares *ares);
/*
 * The names that |name| may stand for, by the system's search list and "ndots" (resolv.conf(5)): gives the first one
 * from *index on, sets *index to its number and writes it to |ret_candidate|, RQX__NAME_MAX + 1 bytes.  False: there
 * are no more.
 */
bool rqx__ares_candidate(const struct rqx__ares *ares, const char *name, unsigned *index, char *ret_candidate);
/* Asks for exactly this name; the answer may come before this returns. */
void rqx__ares_ask(struct rqx__ares *ares, const char *name, struct rqx__ares_request *request);
/* Frees as soon as nothing is under way any more, which may be now; linked in |list| until then. */
void rqx__ares_retire(struct rqx__ares *ares, struct rqx__list *list);
struct rqx__ares *rqx__ares_of_node(struct rqx__list *node);

#endif
