/*
 * transport.h - the Python type EngineTransport: settings, and the engines and clients made of them.
 *
 * A sync transport has one engine in SYNC mode, made at the first request.  An async one has a driver, with an engine
 * of its own, for each event loop that it is used from.
 */
#ifndef RQX_PY_TRANSPORT_H
#define RQX_PY_TRANSPORT_H

#include "core.h"
#include "driver.h"
#include "models.h"
#include "sync.h"

typedef struct CoreTransport {
    PyObject_HEAD core_state *state;
    /* settings, as they were given */
    unsigned protocols;
    rqx_limits limits;
    int retries;
    PyObject *tls;            /* Tls */
    PyObject *retry;          /* NativeRetry or NULL */
    PyObject *proxy;          /* Proxy or NULL */
    PyObject *proxy_tls;      /* Tls, for a proxy that is spoken to over it, or NULL */
    PyObject *uds;            /* bytes or NULL */
    PyObject *local_address;  /* str or NULL */
    PyObject *socket_options; /* of core_socket_options, or NULL */
    PyObject *address_policy; /* AddressRules or NULL */
    int is_async;
    int closed;             /* close() was called, and nothing was sent since */
    struct core_sync *sync; /* of a sync transport, from the first request on */
    /* of an async transport */
    CoreDriver **drivers;
    Py_ssize_t driver_count;
    PyObject *weakrefs;
} CoreTransport;

/* Most socket options of a transport. */
#define CORE_SOCKET_OPTIONS_MAX 32

/* Options as a tuple that core_socket_options_fill takes; NULL with an exception that says what is wrong with one. */
PyObject *core_socket_options(PyObject *options);
/* Fills |list|, of CORE_SOCKET_OPTIONS_MAX, with what points into |checked| (NULL: nothing).  Gives how many. */
size_t core_socket_options_fill(PyObject *checked, rqx_socket_option *list);
/* Makes a client of the settings on |engine|.  NULL with an exception. */
rqx_client *core_transport_make_client(CoreTransport *self, rqx_engine *engine);
/* The engine of a sync transport, a new reference; NULL with an exception. */
struct core_sync *core_transport_sync(CoreTransport *self);
/* The driver for |loop|, borrowed; NULL with an exception. */
CoreDriver *core_transport_driver(CoreTransport *self, PyObject *loop, int is_trio);
/* This process is a forked child: leaves the parent's engine alone and forgets it. */
void core_transport_forked(CoreTransport *self, CoreDriver *driver);
/* Raises what |code| of a submission means.  |request| may be NULL. */
void core_raise_submit(core_state *state, int code, const rqx_request *native, PyObject *request);

/* Makes a native request of |request|.  1: its body is to be pushed, 0: not, -1 with an exception. */
int core_native_request(core_state *state, CoreRequest *request, rqx_request **ret_native);
/* Gives |native| the bytes |content| as body, borrowed if that is worth it.  0 or -1. */
int core_set_bytes(core_state *state, rqx_request *native, PyObject *content);
/* Seconds, or None, to milliseconds.  0 or -1. */
int core_milliseconds(PyObject *seconds, int64_t *ret_ms);
/* Timeout.stall, None or (bytes per second, seconds), to stall_rate and stall_ms.  0 or -1. */
int core_stall(PyObject *stall, rqx_timeouts *ret_timeouts);

#endif
