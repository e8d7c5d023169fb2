/*
 * heap.h - an intrusive binary heap: the smallest key first.
 *
 * The heap owns an array of pointers, never the nodes.
 */
#ifndef RQX_BASE_HEAP_H
#define RQX_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rqx__heap_node {
    uint64_t key;
    size_t place; /* index + 1 in the heap; 0: in none */
};

struct rqx__heap {
    struct rqx__heap_node **nodes;
    size_t count;
    size_t cap;
};

void rqx__heap_init(struct rqx__heap *heap);
void rqx__heap_done(struct rqx__heap *heap);
/* Adds a node that is in no heap.  RQX_ERR_NOMEM. */
int rqx__heap_add(struct rqx__heap *heap, struct rqx__heap_node *node, uint64_t key);
/* Gives a node in the heap another key. */
void rqx__heap_update(struct rqx__heap *heap, struct rqx__heap_node *node, uint64_t key);
/* Takes a node out; nothing happens if it is not in. */
void rqx__heap_remove(struct rqx__heap *heap, struct rqx__heap_node *node);
/* The node with the smallest key; NULL if there is none. */
struct rqx__heap_node *rqx__heap_first(const struct rqx__heap *heap);

#endif
