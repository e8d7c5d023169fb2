/*
 * h2_mem.c - nghttp2's memory, all of which a session's owner can free without nghttp2.
 *
 * When an allocation fails nghttp2 may be left with pointers to what it has freed (1.52: a DATA item that could not be
 * queued), so that nghttp2_session_del() is not to be called any more.  Each block therefore stands in a list of the
 * session's.
 */
#include "proto/h2_internal.h"

#include "base/mem.h"

/* Before each block; as large as alignment for any type demands. */
struct block {
    _Alignas(max_align_t) struct rqx__list node;
};

static void *enlist(struct rqx__h2 *h2, struct block *block)
{
    if (block == NULL)
        return NULL;
    rqx__list_push_back(&h2->blocks, &block->node);
    return block + 1;
}

static void *mem_malloc(size_t size, void *user)
{
    return size > SIZE_MAX - sizeof(struct block) ? NULL : enlist(user, rqx__malloc(sizeof(struct block) + size));
}

static void *mem_calloc(size_t count, size_t size, void *user)
{
    if (size != 0 && count > (SIZE_MAX - sizeof(struct block)) / size)
        return NULL;
    return enlist(user, rqx__calloc(1, sizeof(struct block) + count * size));
}

static void mem_free(void *memory, void *user)
{
    struct block *block = memory;

    (void)user;
    if (block == NULL)
        return;
    rqx__list_remove(&block[-1].node);
    rqx__free(block - 1);
}

static void *mem_realloc(void *memory, size_t size, void *user)
{
    struct block *old = memory;
    struct block *block;

    if (old == NULL)
        return mem_malloc(size, user);
    if (size > SIZE_MAX - sizeof(struct block))
        return NULL;
    rqx__list_remove(&old[-1].node);
    block = rqx__realloc(old - 1, sizeof(struct block) + size);
    if (block != NULL)
        return enlist(user, block);
    enlist(user, old - 1);
    return NULL;
}

void rqx__h2_mem_init(struct rqx__h2 *h2, nghttp2_mem *ret_mem)
{
    *ret_mem = (nghttp2_mem){h2, mem_malloc, mem_free, mem_calloc, mem_realloc};
}

void rqx__h2_mem_done(struct rqx__h2 *h2)
{
    struct rqx__list *node;

    while ((node = rqx__list_pop_front(&h2->blocks)) != NULL)
        rqx__free(RQX__OF(node, struct block, node));
}
