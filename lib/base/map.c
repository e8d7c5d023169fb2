#include "base/map.h"

#include <string.h>
#include <sys/random.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"

#define FIRST_BUCKETS 16

void rqx__map_init(struct rqx__map *map)
{
    memset(map, 0, sizeof *map);
    if (getrandom(map->seed, sizeof map->seed, GRND_NONBLOCK) != (ssize_t)sizeof map->seed) {
        /* early at boot: better a guessable seed than none */
        map->seed[0] = rqx__clock_now();
        map->seed[1] = (uint64_t)(uintptr_t)map;
    }
}

void rqx__map_done(struct rqx__map *map)
{
    rqx__free(map->buckets);
    map->buckets = NULL;
    map->count = map->mask = 0;
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein), as hash tables with chosen keys need it. */
static uint64_t hash_key(const struct rqx__map *map, const char *key, size_t len)
{
    uint64_t v[4] = {map->seed[0] ^ 0x736f6d6570736575u, map->seed[1] ^ 0x646f72616e646f6du,
                     map->seed[0] ^ 0x6c7967656e657261u, map->seed[1] ^ 0x7465646279746573u};
    uint64_t word;
    size_t i;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, key + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (len > i)
        memcpy(&word, key + i, len - i);
    word |= (uint64_t)len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct rqx__map_node *rqx__map_get(const struct rqx__map *map, const char *key, size_t key_len)
{
    struct rqx__map_node *node;
    uint64_t hash;

    if (map->count == 0)
        return NULL;
    hash = hash_key(map, key, key_len);
    for (node = map->buckets[hash & map->mask]; node != NULL; node = node->next) {
        if (node->hash == hash && node->key_len == key_len && memcmp(node->key, key, key_len) == 0)
            return node;
    }
    return NULL;
}

static int grow(struct rqx__map *map)
{
    size_t size = map->buckets == NULL ? FIRST_BUCKETS : (map->mask + 1) * 2;
    struct rqx__map_node **buckets = rqx__calloc(size, sizeof *buckets);
    size_t i;

    if (buckets == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0; map->buckets != NULL && i <= map->mask; i++) {
        struct rqx__map_node *node = map->buckets[i];

        while (node != NULL) {
            struct rqx__map_node *next = node->next;

            node->next = buckets[node->hash & (size - 1)];
            buckets[node->hash & (size - 1)] = node;
            node = next;
        }
    }
    rqx__free(map->buckets);
    map->buckets = buckets;
    map->mask = size - 1;
    return 0;
}

int rqx__map_add(struct rqx__map *map, struct rqx__map_node *node)
{
    struct rqx__map_node **bucket;

    if (map->buckets == NULL || map->count > map->mask) {
        int rv = grow(map);

        if (rv < 0)
            return rv;
    }
    node->hash = hash_key(map, node->key, node->key_len);
    bucket = &map->buckets[node->hash & map->mask];
    node->next = *bucket;
    *bucket = node;
    map->count++;
    return 0;
}

void rqx__map_remove(struct rqx__map *map, struct rqx__map_node *node)
{
    struct rqx__map_node **link = &map->buckets[node->hash & map->mask];

    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    node->next = NULL;
    map->count--;
}

struct rqx__map_node *rqx__map_any(const struct rqx__map *map)
{
    size_t i;

    for (i = 0; map->count != 0 && i <= map->mask; i++) {
        if (map->buckets[i] != NULL)
            return map->buckets[i];
    }
    return NULL;
}

void rqx__map_each(struct rqx__map *map, void (*visit)(struct rqx__map_node *node, void *user), void *user)
{
    size_t i;

    for (i = 0; map->buckets != NULL && i <= map->mask; i++) {
        struct rqx__map_node *node = map->buckets[i];

        while (node != NULL) {
            struct rqx__map_node *next = node->next;

            visit(node, user);
            node = next;
        }
    }
}
