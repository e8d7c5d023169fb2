/*
 * errors.h - from RQX_ERR_* codes to the package's exceptions, by phase.
 */
#ifndef RQX_PY_ERRORS_H
#define RQX_PY_ERRORS_H

#include "core.h"

/* Raises what |code| means, with |text| (NULL: the code's own) and |request| (NULL: none). */
void core_raise(core_state *state, int code, const char *text, PyObject *request);
/* Raises what ended |native|'s exchange; |request| as above. */
void core_raise_response(core_state *state, const rqx_response *native, PyObject *request);

#endif
