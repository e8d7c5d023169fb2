/*
 * tls.h - the Python type Tls: a configuration that transports share.
 */
#ifndef RQX_PY_TLS_H
#define RQX_PY_TLS_H

#include "core.h"

/* Needs no guard: once there, neither field changes. */
typedef struct CoreTls {
    PyObject_HEAD rqx_tls *native; /* NULL until __init__ ran; immutable itself, for any thread */
    PyObject *context;             /* the ssl.SSLContext that was borrowed, or NULL */
} CoreTls;

#endif
