/*
 * exchange.c - the Python type Exchange: submitting, writing the body, and making the response.
 */
#include "exchange.h"

#include "errors.h"
#include "graveyard.h"
#include "headers.h"
#include "models.h"

/* How long a thread waits before it looks for signals. */
#define TICK_MS 100

int core_wait(core_state *state, core_sync_exchange *exchange, unsigned what)
{
    int rc, pass;

    do {
        pass = 0;
        Py_BEGIN_ALLOW_THREADS rc = core_sync_wait(exchange, what, TICK_MS, &pass);
        Py_END_ALLOW_THREADS if (pass) core_sync_pass(exchange->sync);
        if (rc == RQX_AGAIN && PyErr_CheckSignals() < 0)
            return -1;
    } while (rc == RQX_AGAIN);
    if (rc < 0)
        core_raise(state, rc, NULL, NULL);
    return rc < 0 ? -1 : 0;
}

int core_exchange_has_head(const core_exchange *exchange)
{
    return exchange->events & (RQX_EVENT_HEAD | RQX_EVENT_DONE) || rqx_response_done(exchange->native);
}

/* --- submitting --- */

static int submit_async(CoreExchange *self, CoreTransport *transport, rqx_request *native)
{
    CoreDriver *driver;
    int is_trio, rc;

    Py_XSETREF(self->loop, core_current_loop(self->state, &is_trio));
    if (self->loop == NULL)
        return -1;
    driver = core_transport_driver(transport, self->loop, is_trio);
    if (driver == NULL)
        return -1;
    rc = core_exchange_submit(&self->exchange, driver, native);
    if (rc == RQX_ERR_FORKED) {
        core_transport_forked(transport, driver);
        driver = core_transport_driver(transport, self->loop, is_trio);
        if (driver == NULL)
            return -1;
        rc = core_exchange_submit(&self->exchange, driver, native);
    }
    if (rc < 0)
        core_raise_submit(self->state, rc, native, self->request);
    return rc < 0 ? -1 : 0;
}

static int submit_once(CoreExchange *self, CoreTransport *transport, rqx_request *native)
{
    struct core_sync *sync = core_transport_sync(transport);
    int rc;

    if (sync == NULL)
        return RQX_ERR_STATE;
    Py_BEGIN_ALLOW_THREADS rc = core_sync_submit(sync, native, &self->sync);
    core_sync_unref(sync);
    Py_END_ALLOW_THREADS if (rc == 0) self->exchange.native = rqx_response_ref(self->sync->native);
    return rc;
}

static int submit_sync(CoreExchange *self, CoreTransport *transport, rqx_request *native)
{
    int rc = submit_once(self, transport, native);

    if (rc == RQX_ERR_FORKED) {
        core_transport_forked(transport, NULL);
        rc = submit_once(self, transport, native);
    }
    if (rc < 0 && !PyErr_Occurred())
        core_raise_submit(self->state, rc, native, self->request);
    return rc < 0 ? -1 : 0;
}

PyObject *core_transport_submit(PyObject *op, PyObject *request)
{
    CoreTransport *transport = (CoreTransport *)op;
    core_state *state = transport->state;
    rqx_request *native = NULL;
    CoreExchange *self;
    int rc;

    if (!PyObject_TypeCheck(request, state->request_type)) {
        PyErr_Format(PyExc_TypeError, "expected a Request, not %.100s", Py_TYPE(request)->tp_name);
        return NULL;
    }
    core_graveyard_drain(state);
    self = (CoreExchange *)state->exchange_type->tp_alloc(state->exchange_type, 0);
    if (self == NULL)
        return NULL;
    self->state = state;
    self->exchange.owner = (PyObject *)self;
    self->request = Py_NewRef(request);
    self->transport = Py_NewRef(op);
    rc = core_native_request(state, (CoreRequest *)request, &native);
    if (rc < 0)
        goto fail;
    self->wants_body = (char)rc;
    rqx_request_set_streamed(native, 1);
    transport->closed = 0;
    rc = transport->is_async ? submit_async(self, transport, native) : submit_sync(self, transport, native);
    rqx_request_unref(native);
    if (rc == 0)
        return (PyObject *)self;

fail:
    Py_DECREF(self);
    return NULL;
}

/* --- the request's body --- */

int core_exchange_push(CoreExchange *self, const Py_buffer *view, Py_ssize_t *offset, int *ret_refused)
{
    size_t taken;
    int rc;

    while (*offset < view->len) {
        taken = 0;
        rc = rqx_response_write_body(self->exchange.native, (const char *)view->buf + *offset,
                                     (size_t)(view->len - *offset), &taken);
        *offset += (Py_ssize_t)taken;
        if (rc == RQX_AGAIN)
            return 0;
        if (rc == RQX_ERR_STATE) {
            *ret_refused = 1;
            return 1;
        }
        if (rc < 0) {
            core_raise(self->state, rc,
                       rc == RQX_ERR_REQUEST_LENGTH ? "Too much data for declared Content-Length" : NULL,
                       self->request);
            return -1;
        }
    }
    return 1;
}

static PyObject *write_sync(CoreExchange *self, PyObject *data)
{
    Py_ssize_t offset = 0;
    int rc, refused = 0;
    Py_buffer view;

    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    while ((rc = core_exchange_push(self, &view, &offset, &refused)) == 0) {
        if (core_wait(self->state, self->sync, RQX_EVENT_WRITE | RQX_EVENT_DONE) < 0) {
            rc = -1;
            break;
        }
    }
    PyBuffer_Release(&view);
    return rc < 0 ? NULL : PyBool_FromLong(!refused);
}

static PyObject *exchange_write(PyObject *op, PyObject *data)
{
    CoreExchange *self = (CoreExchange *)op;

    return self->loop == NULL ? write_sync(self, data) : core_op_for_write(self, data);
}

static PyObject *exchange_end_body(PyObject *op, PyObject *unused)
{
    CoreExchange *self = (CoreExchange *)op;
    int rc = rqx_response_end_body(self->exchange.native);

    (void)unused;
    if (rc < 0 && rc != RQX_ERR_STATE) {
        core_raise(self->state, rc, rc == RQX_ERR_REQUEST_LENGTH ? "Too little data for declared Content-Length" : NULL,
                   self->request);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *exchange_cancel(PyObject *op, PyObject *unused)
{
    CoreExchange *self = (CoreExchange *)op;

    (void)unused;
    if (self->exchange.native != NULL)
        rqx_response_cancel(self->exchange.native);
    Py_RETURN_NONE;
}

/* --- the response --- */

static PyObject *make_stream(CoreExchange *self)
{
    PyTypeObject *type =
        (PyTypeObject *)core_registered(self->state, self->loop == NULL ? CORE_EngineStream : CORE_AsyncEngineStream);
    CoreStream *stream = type == NULL ? NULL : (CoreStream *)type->tp_alloc(type, 0);

    if (stream != NULL) {
        stream->state = self->state;
        stream->exchange = (CoreExchange *)Py_NewRef((PyObject *)self);
    }
    return (PyObject *)stream;
}

PyObject *core_exchange_make_response(CoreExchange *self)
{
    rqx_response *native = self->exchange.native;
    PyObject *stream, *response;

    if (rqx_response_status(native) == 0 || rqx_response_error(native)->code == RQX_ERR_REQUEST_LENGTH) {
        core_raise_response(self->state, native, self->request);
        return NULL;
    }
    stream = make_stream(self);
    if (stream == NULL)
        return NULL;
    rqx_response_ref(native);
    response = core_response_streamed(self->state, native, stream, self->request);
    if (response == NULL)
        rqx_response_unref(native);
    Py_DECREF(stream);
    return response;
}

static PyObject *exchange_response(PyObject *op, PyObject *unused)
{
    CoreExchange *self = (CoreExchange *)op;

    (void)unused;
    if (self->loop != NULL)
        return core_op_for_response(self);
    if (core_wait(self->state, self->sync, RQX_EVENT_HEAD | RQX_EVENT_DONE) < 0) {
        rqx_response_cancel(self->exchange.native);
        return NULL;
    }
    return core_exchange_make_response(self);
}

/* --- what comes before it --- */

int core_exchange_poll_interim(CoreExchange *self, PyObject **ret_interim)
{
    int has_head =
        self->loop == NULL ? core_sync_has(self->sync, RQX_EVENT_HEAD) : core_exchange_has_head(&self->exchange);
    rqx_headers *native = NULL;
    PyObject *headers;
    int status;
    int rc = rqx_response_next_interim(self->exchange.native, &status, &native);

    if (rc == RQX_AGAIN && has_head)
        *ret_interim = Py_NewRef(Py_None);
    if (rc == RQX_AGAIN)
        return has_head;
    if (rc < 0) {
        core_raise(self->state, rc, NULL, self->request);
        return -1;
    }
    headers = (PyObject *)core_headers_from_native(self->state, native);
    rqx_headers_free(native);
    *ret_interim = headers == NULL ? NULL : Py_BuildValue("(iN)", status, headers);
    return *ret_interim == NULL ? -1 : 1;
}

static PyObject *exchange_interim(PyObject *op, PyObject *unused)
{
    CoreExchange *self = (CoreExchange *)op;
    PyObject *interim = NULL;
    int rc;

    (void)unused;
    if (self->loop != NULL)
        return core_op_for_interim(self);
    while ((rc = core_exchange_poll_interim(self, &interim)) == 0) {
        if (core_wait(self->state, self->sync, RQX_EVENT_INTERIM | RQX_EVENT_HEAD | RQX_EVENT_DONE) < 0)
            return NULL;
    }
    return rc < 0 ? NULL : interim;
}

/* --- for who traces --- */

/* (protocol or None, stream id, connection made, TLS made, request sent, retries, socket's path or None) */
static PyObject *exchange_progress(PyObject *op, PyObject *unused)
{
    CoreExchange *self = (CoreExchange *)op;
    const rqx_response *native = self->exchange.native;
    rqx_http_version version = rqx_response_version(native);
    PyObject *uds = ((CoreTransport *)self->transport)->uds;
    PyObject *path = uds == NULL ? Py_NewRef(Py_None) : PyUnicode_DecodeFSDefault(PyBytes_AS_STRING(uds));
    rqx_timings timings;

    (void)unused;
    rqx_response_timings(native, &timings);
    return Py_BuildValue("(ziNNNiN)",
                         version == RQX_HTTP_UNKNOWN ? NULL
                         : version == RQX_HTTP_2     ? "http2"
                                                     : "http11",
                         (int)rqx_response_stream_id(native), PyBool_FromLong(timings.connect_us >= 0),
                         PyBool_FromLong(timings.tls_us >= 0), PyBool_FromLong(timings.sent_us >= 0),
                         rqx_response_retries(native), path);
}

/* --- the type --- */

static int exchange_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreExchange *self = (CoreExchange *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->request);
    Py_VISIT(self->transport);
    Py_VISIT(self->loop);
    return core_exchange_traverse(&self->exchange, visit, arg);
}

static int exchange_clear(PyObject *op)
{
    CoreExchange *self = (CoreExchange *)op;

    Py_CLEAR(self->request);
    Py_CLEAR(self->transport);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->exchange.reader);
    Py_CLEAR(self->exchange.writer);
    return 0;
}

static void exchange_dealloc(PyObject *op)
{
    CoreExchange *self = (CoreExchange *)op;
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    core_exchange_clear(&self->exchange);
    if (self->sync != NULL)
        core_sync_release(self->sync);
    exchange_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef exchange_methods[] = {
    {"write", exchange_write, METH_O,
     "write($self, data, /)\n--\n\nSend a piece of the body; False: no more is wanted.  Async: to be awaited."},
    {"end_body", exchange_end_body, METH_NOARGS, "end_body($self, /)\n--\n\nThe body is complete."},
    {"response", exchange_response, METH_NOARGS,
     "response($self, /)\n--\n\nThe response, once its head is there.  Async: to be awaited."},
    {"interim", exchange_interim, METH_NOARGS,
     "interim($self, /)\n--\n\nThe next 1xx response as (status, Headers); None: the final one is there.  Async: to be "
     "awaited."},
    {"progress", exchange_progress, METH_NOARGS,
     "progress($self, /)\n--\n\n(protocol, stream_id, connected, secured, sent, retries, path), as far as it came."},
    {"cancel", exchange_cancel, METH_NOARGS, "cancel($self, /)\n--\n\nGive the exchange up."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef exchange_members[] = {
    {"wants_body", T_BOOL, offsetof(CoreExchange, wants_body), READONLY, "Whether the body is to be written."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot exchange_slots[] = {
    {Py_tp_doc, (void *)"A request under way."},
    {Py_tp_dealloc, exchange_dealloc},
    {Py_tp_traverse, exchange_traverse},
    {Py_tp_clear, exchange_clear},
    {Py_tp_methods, exchange_methods},
    {Py_tp_members, exchange_members},
    {0, NULL},
};

static PyType_Spec exchange_spec = {
    .name = "requestx._core.Exchange",
    .basicsize = sizeof(CoreExchange),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = exchange_slots,
};

int core_exchange_init(PyObject *module, core_state *state)
{
    state->exchange_type = core_add_type(module, &exchange_spec, NULL, 0);
    return state->exchange_type == NULL ? -1 : 0;
}
