#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_SIZE 1024

struct rqx__arena_chunk {
    struct rqx__arena_chunk *next;
    alignas(max_align_t) char bytes[];
};

void rqx__arena_init(struct rqx__arena *arena, size_t max)
{
    memset(arena, 0, sizeof *arena);
    arena->max = max;
}

void rqx__arena_done(struct rqx__arena *arena)
{
    struct rqx__arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct rqx__arena_chunk *next = chunk->next;

        rqx__free(chunk);
        chunk = next;
    }
    rqx__arena_init(arena, arena->max);
}

static int add_chunk(struct rqx__arena *arena, size_t size)
{
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    struct rqx__arena_chunk *chunk;

    if (room > SIZE_MAX - sizeof *chunk)
        return -1;
    chunk = rqx__malloc(sizeof *chunk + room);
    if (chunk == NULL)
        return -1;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->next = chunk->bytes;
    arena->left = room;
    return 0;
}

char *rqx__arena_text(struct rqx__arena *arena, size_t size)
{
    char *result;

    if (size > arena->max - arena->used)
        return NULL;
    if ((size > arena->left || arena->next == NULL) && add_chunk(arena, size) < 0)
        return NULL;
    result = arena->next;
    arena->next += size;
    arena->left -= size;
    arena->used += size;
    return result;
}

void *rqx__arena_alloc(struct rqx__arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t pad = (align - (uintptr_t)arena->next % align) % align;

    if (size > SIZE_MAX - align)
        return NULL;
    if (arena->next == NULL || pad + size > arena->left) {
        /* a fresh chunk begins aligned */
        if (size > arena->max - arena->used || add_chunk(arena, size) < 0)
            return NULL;
        pad = 0;
    } else if (pad + size > arena->max - arena->used) {
        return NULL;
    }
    rqx__arena_text(arena, pad); /* there is room for it: checked above */
    return rqx__arena_text(arena, size);
}

char *rqx__arena_strndup(struct rqx__arena *arena, const char *text, size_t len)
{
    char *copy = len == SIZE_MAX ? NULL : rqx__arena_text(arena, len + 1);

    if (copy == NULL)
        return NULL;
    if (len != 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}
