/*
 * exchange.h - one request through the transport API: its body is written, its response and the stream under it read.
 */
#ifndef RQX_PY_EXCHANGE_H
#define RQX_PY_EXCHANGE_H

#include "core.h"
#include "driver.h"
#include "transport.h"

typedef struct CoreExchange {
    PyObject_HEAD core_state *state;
    core_exchange exchange;
    PyObject *request;        /* Request, for exceptions and for the response */
    PyObject *transport;      /* kept open while this lives */
    PyObject *loop;           /* of an async exchange, else NULL */
    core_sync_exchange *sync; /* of a sync one, else NULL; |exchange| then has but |native| */
    char wants_body;          /* the body is to be pushed */
} CoreExchange;

/* EngineTransport.submit */
PyObject *core_transport_submit(PyObject *transport, PyObject *request);

/* The body of a response; SyncStream and AsyncStream. */
typedef struct CoreStream {
    PyObject_HEAD core_state *state;
    CoreExchange *exchange; /* NULL: closed */
    char *buffer;           /* of READ_SIZE bytes, made at the first read */
    PyObject *weakrefs;
} CoreStream;

/* The next bytes as received.  1 with |*ret_bytes| (NULL: the end), 0: none yet, -1 with an exception. */
int core_stream_poll(CoreStream *self, PyObject **ret_bytes);
/* Makes the response whose head is there. */
PyObject *core_exchange_make_response(CoreExchange *self);
/*
 * The next 1xx response as (status, Headers), or None when the final head, or the end, is there.  1 with
 * |*ret_interim|, 0: neither yet, -1 with an exception.
 */
int core_exchange_poll_interim(CoreExchange *self, PyObject **ret_interim);
/* Whether the head, or the end, is there. */
int core_exchange_has_head(const core_exchange *exchange);
/* Waits for |what| with the GIL released and signals handled.  0 or -1. */
int core_wait(core_state *state, core_sync_exchange *exchange, unsigned what);
/* Writes what the peer takes.  1: all was taken, 0: no room now, -1 with an exception; |*ret_refused|: no more is
 * wanted. */
int core_exchange_push(CoreExchange *self, const Py_buffer *view, Py_ssize_t *offset, int *ret_refused);

/* Awaitables over an exchange. */
PyObject *core_op_for_write(CoreExchange *exchange, PyObject *data);
PyObject *core_op_for_response(CoreExchange *exchange);
PyObject *core_op_for_interim(CoreExchange *exchange);
PyObject *core_op_for_read(CoreStream *stream);
PyObject *core_op_for_close(CoreStream *stream);

#endif
