/*
 * verb.h - the request methods of the clients as descriptors: get, post and the like.
 *
 * They are not plain C methods because programs look at them: asyncio.iscoroutinefunction(client.get) has to be true of
 * an AsyncClient (unittest.mock makes an AsyncMock of such), and inspect.signature has to name the defaults.
 */
#ifndef RQX_PY_VERB_H
#define RQX_PY_VERB_H

#include "core.h"

/* Gives |type| its request methods.  0 or -1. */
int core_verb_add(core_state *state, PyTypeObject *type, int is_async);

#endif
