/*
 * arena.h - memory that is given out in small pieces and freed all at once.
 *
 * For what lives and dies with one message: fields, reason phrases, addresses.
 */
#ifndef RQX_BASE_ARENA_H
#define RQX_BASE_ARENA_H

#include <stddef.h>

struct rqx__arena_chunk;

struct rqx__arena {
    struct rqx__arena_chunk *chunks; /* newest first */
    char *next;                      /* first free byte of the newest chunk */
    size_t left;                     /* free bytes of the newest chunk */
    size_t used;                     /* bytes given out */
    size_t max;                      /* most that |used| may be */
};

void rqx__arena_init(struct rqx__arena *arena, size_t max);
/* Frees everything that was given out. */
void rqx__arena_done(struct rqx__arena *arena);
/* Gives |size| bytes aligned for any type; NULL: out of memory or above |max|. */
void *rqx__arena_alloc(struct rqx__arena *arena, size_t size);
/* The same without alignment, for text. */
char *rqx__arena_text(struct rqx__arena *arena, size_t size);
/* Copies |len| bytes and adds a NUL. */
char *rqx__arena_strndup(struct rqx__arena *arena, const char *text, size_t len);

#endif
