/*
 * retry.h - the Python type NativeRetry: the settings of a requestx.Retry, as the library has them.
 */
#ifndef RQX_PY_RETRY_H
#define RQX_PY_RETRY_H

#include "core.h"

/* The library's object behind a requestx.Retry, or a NativeRetry; a new reference, NULL with TypeError. */
rqx_retry *core_retry_of(core_state *state, PyObject *value);

#endif
