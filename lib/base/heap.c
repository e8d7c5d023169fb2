#include "base/heap.h"

#include <requestx/error.h>

#include "base/mem.h"

void rqx__heap_init(struct rqx__heap *heap)
{
    heap->nodes = NULL;
    heap->count = heap->cap = 0;
}

void rqx__heap_done(struct rqx__heap *heap)
{
    rqx__free(heap->nodes);
    rqx__heap_init(heap);
}

static void put(struct rqx__heap *heap, size_t at, struct rqx__heap_node *node)
{
    heap->nodes[at] = node;
    node->place = at + 1;
}

static void sift_up(struct rqx__heap *heap, size_t at, struct rqx__heap_node *node)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (heap->nodes[parent]->key <= node->key)
            break;
        put(heap, at, heap->nodes[parent]);
        at = parent;
    }
    put(heap, at, node);
}

static void sift_down(struct rqx__heap *heap, size_t at, struct rqx__heap_node *node)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && heap->nodes[child + 1]->key < heap->nodes[child]->key)
            child++;
        if (node->key <= heap->nodes[child]->key)
            break;
        put(heap, at, heap->nodes[child]);
        at = child;
    }
    put(heap, at, node);
}

int rqx__heap_add(struct rqx__heap *heap, struct rqx__heap_node *node, uint64_t key)
{
    if (heap->count == heap->cap) {
        size_t cap = heap->cap == 0 ? 64 : heap->cap * 2;
        struct rqx__heap_node **nodes;

        if (cap > SIZE_MAX / sizeof *nodes)
            return RQX_ERR_NOMEM;
        nodes = rqx__realloc(heap->nodes, cap * sizeof *nodes);
        if (nodes == NULL)
            return RQX_ERR_NOMEM;
        heap->nodes = nodes;
        heap->cap = cap;
    }
    node->key = key;
    sift_up(heap, heap->count++, node);
    return 0;
}

void rqx__heap_update(struct rqx__heap *heap, struct rqx__heap_node *node, uint64_t key)
{
    uint64_t old = node->key;

    node->key = key;
    if (key < old)
        sift_up(heap, node->place - 1, node);
    else
        sift_down(heap, node->place - 1, node);
}

void rqx__heap_remove(struct rqx__heap *heap, struct rqx__heap_node *node)
{
    size_t at = node->place;
    struct rqx__heap_node *last;

    if (at-- == 0)
        return;
    node->place = 0;
    last = heap->nodes[--heap->count];
    if (last == node)
        return;
    if (at > 0 && heap->nodes[(at - 1) / 2]->key > last->key)
        sift_up(heap, at, last);
    else
        sift_down(heap, at, last);
}

struct rqx__heap_node *rqx__heap_first(const struct rqx__heap *heap)
{
    return heap->count == 0 ? NULL : heap->nodes[0];
}
