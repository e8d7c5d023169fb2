/*
 * list.h - an intrusive doubly linked ring.
 *
 * A node that is in no list points at itself, so that removal twice is harmless.  The list owns nothing.
 */
#ifndef RQX_BASE_LIST_H
#define RQX_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct rqx__list {
    struct rqx__list *next;
    struct rqx__list *prev;
};

/* The struct of |type| whose member |member| is at |node|. */
#define RQX__OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void rqx__list_init(struct rqx__list *node)
{
    node->next = node->prev = node;
}

static inline bool rqx__list_empty(const struct rqx__list *list)
{
    return list->next == list;
}

static inline void rqx__list_insert_before(struct rqx__list *place, struct rqx__list *node)
{
    node->prev = place->prev;
    node->next = place;
    place->prev->next = node;
    place->prev = node;
}

static inline void rqx__list_push_back(struct rqx__list *list, struct rqx__list *node)
{
    rqx__list_insert_before(list, node);
}

static inline void rqx__list_push_front(struct rqx__list *list, struct rqx__list *node)
{
    rqx__list_insert_before(list->next, node);
}

static inline void rqx__list_remove(struct rqx__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    rqx__list_init(node);
}

/* Takes the first node off; NULL if there is none. */
static inline struct rqx__list *rqx__list_pop_front(struct rqx__list *list)
{
    struct rqx__list *node = list->next;

    if (node == list)
        return NULL;
    rqx__list_remove(node);
    return node;
}

/* Moves all of |from| to the end of |to|. */
static inline void rqx__list_splice(struct rqx__list *to, struct rqx__list *from)
{
    if (rqx__list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    rqx__list_init(from);
}

/* |node| may be removed in the body. */
#define RQX__LIST_EACH(list, node, following)                                                                          \
    for ((node) = (list)->next, (following) = (node)->next; (node) != (list);                                          \
         (node) = (following), (following) = (node)->next)

#endif
