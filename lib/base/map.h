/*
 * map.h - an intrusive hash table with byte strings as keys.
 *
 * The table owns its buckets, never the nodes or their keys, which must stay as they are while they are in it.  Each
 * table hashes with a seed of its own, so that a peer who chooses keys (host names in redirects) cannot make them
 * collide.
 */
#ifndef RQX_BASE_MAP_H
#define RQX_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct rqx__map_node {
    struct rqx__map_node *next;
    const char *key;
    size_t key_len;
    uint64_t hash;
};

struct rqx__map {
    struct rqx__map_node **buckets;
    size_t count;
    size_t mask; /* buckets - 1; a power of two less one */
    uint64_t seed[2];
};

void rqx__map_init(struct rqx__map *map);
void rqx__map_done(struct rqx__map *map);
struct rqx__map_node *rqx__map_get(const struct rqx__map *map, const char *key, size_t key_len);
/* Adds a node under its key, which the caller has set and which is not in the table.  RQX_ERR_NOMEM. */
int rqx__map_add(struct rqx__map *map, struct rqx__map_node *node);
/* Takes out a node that is in the table. */
void rqx__map_remove(struct rqx__map *map, struct rqx__map_node *node);
/* Any node; NULL if there is none. */
struct rqx__map_node *rqx__map_any(const struct rqx__map *map);
/* Calls |visit| for each node; it may remove that node. */
void rqx__map_each(struct rqx__map *map, void (*visit)(struct rqx__map_node *node, void *user), void *user);

#endif
