/*
 * response.h - between response.c (what a response tells), response_body.c (how its body
 * is decoded) and response_init.c (how it comes to be).
 */
#ifndef RQX_PY_RESPONSE_H
#define RQX_PY_RESPONSE_H

#include "models.h"

/* ResponseBase.__init__ */
int core_response_construct(PyObject *self, PyObject *args, PyObject *kwargs);
/* The setter of status_code. */
int core_response_set_status(PyObject *self, PyObject *value, void *closure);
/* With the guard: the request, a new reference; NULL: none, or with an exception. */
PyObject *core_response_request(core_state *state, CoreResponse *self);
/*
 * With the guard: the decoded body, a new reference, taken out of |native| at the first call; NULL: not read, or with
 * an exception.
 */
PyObject *core_response_content(core_state *state, CoreResponse *self);

#endif
