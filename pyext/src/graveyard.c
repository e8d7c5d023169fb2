/*
 * graveyard.c - references that are given back later.
 */
#include "graveyard.h"

#include <stdatomic.h>
#include <stdlib.h>

struct core_deferred {
    struct core_deferred *next;
    struct core_graveyard *graveyard;
    PyObject *object;
};

struct core_graveyard {
    atomic_size_t refs; /* one of the module, one of each core_deferred */
    _Atomic(struct core_deferred *) buried;
};

static void graveyard_unref(struct core_graveyard *graveyard)
{
    struct core_deferred *each, *next;

    if (atomic_fetch_sub(&graveyard->refs, 1) != 1)
        return;
    for (each = atomic_load(&graveyard->buried); each != NULL; each = next) {
        next = each->next;
        free(each);
    }
    free(graveyard);
}

int core_graveyard_init(core_state *state)
{
    state->graveyard = calloc(1, sizeof *state->graveyard);
    if (state->graveyard == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    atomic_init(&state->graveyard->refs, 1);
    atomic_init(&state->graveyard->buried, NULL);
    return 0;
}

static void release_all(struct core_graveyard *graveyard)
{
    struct core_deferred *each = atomic_exchange(&graveyard->buried, NULL), *next;

    for (; each != NULL; each = next) {
        next = each->next;
        Py_DECREF(each->object);
        free(each);
        atomic_fetch_sub(&graveyard->refs, 1);
    }
}

void core_graveyard_drain(core_state *state)
{
    if (state->graveyard != NULL && atomic_load_explicit(&state->graveyard->buried, memory_order_relaxed) != NULL)
        release_all(state->graveyard);
}

void core_graveyard_done(core_state *state)
{
    struct core_graveyard *graveyard = state->graveyard;

    if (graveyard == NULL)
        return;
    state->graveyard = NULL;
    release_all(graveyard);
    graveyard_unref(graveyard);
}

struct core_deferred *core_deferred_new(core_state *state, PyObject *object)
{
    struct core_deferred *deferred = malloc(sizeof *deferred);

    if (deferred == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    deferred->graveyard = state->graveyard;
    deferred->object = Py_NewRef(object);
    atomic_fetch_add(&state->graveyard->refs, 1);
    return deferred;
}

void core_deferred_done(void *user)
{
    struct core_deferred *deferred = user;
    struct core_graveyard *graveyard = deferred->graveyard;

    /* The reference that |deferred| holds goes with it; the module's own keeps the list, or this is the end of it. */
    deferred->next = atomic_load(&graveyard->buried);
    while (!atomic_compare_exchange_weak(&graveyard->buried, &deferred->next, deferred))
        ;
}
