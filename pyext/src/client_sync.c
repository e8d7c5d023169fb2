/*
 * client_sync.c - a request of Client: sent and awaited with the GIL released.
 */
#include "client.h"

#include "errors.h"
#include "exchange.h"
#include "graveyard.h"
#include "models.h"
#include "transport.h"

/* How long a thread waits before it looks for signals. */
#define TICK_MS 100

/* One try.  With |*ret_exchange| set: 0, RQX_AGAIN after a signal, or an error of waiting; else an RQX_ERR_ code. */
static int perform(CoreTransport *transport, rqx_request *native, core_sync_exchange **ret_exchange)
{
    struct core_sync *sync = core_transport_sync(transport);
    int rc, pass = 0;

    if (sync == NULL)
        return RQX_ERR_STATE;
    Py_BEGIN_ALLOW_THREADS rc = core_sync_submit(sync, native, ret_exchange);
    if (rc == 0)
        rc = core_sync_wait(*ret_exchange, RQX_EVENT_DONE, TICK_MS, &pass);
    Py_END_ALLOW_THREADS if (pass) core_sync_pass(sync);
    core_sync_unref(sync);
    return rc;
}

static int perform_or_fork(CoreTransport *transport, rqx_request *native, core_sync_exchange **ret_exchange)
{
    int rc = perform(transport, native, ret_exchange);

    if (rc != RQX_ERR_FORKED)
        return rc;
    core_transport_forked(transport, NULL);
    return perform(transport, native, ret_exchange);
}

static void raise_failure(core_state *state, int code, const rqx_response *response, const core_fast *fast)
{
    PyObject *request;

    if (PyErr_Occurred())
        return;
    request = core_request_of(state, fast->native, fast->content, fast->timeout);
    if (request == NULL)
        return;
    if (response != NULL)
        core_raise_response(state, response, request);
    else
        core_raise_submit(state, code, fast->native, request);
    Py_DECREF(request);
}

/* The response, or, of a redirect that is to be followed, the last one. */
static PyObject *finish(CoreClient *self, rqx_response *native, const core_fast *fast)
{
    int follow = 0;
    PyObject *response = core_fast_finish(self, native, fast, &follow);

    if (response != NULL && follow)
        Py_SETREF(response, PyObject_CallMethodOneArg((PyObject *)self, self->state->names._fast_follow, response));
    return response;
}

static PyObject *send(CoreClient *self, const core_fast *fast)
{
    core_state *state = self->state;
    core_sync_exchange *exchange = NULL;
    PyObject *result = NULL;
    int rc = perform_or_fork(fast->transport, fast->native, &exchange);

    if (rc == RQX_AGAIN && PyErr_CheckSignals() == 0)
        rc = core_wait(state, exchange, RQX_EVENT_DONE);
    if (rc != 0 || PyErr_Occurred()) {
        if (exchange != NULL)
            rqx_response_cancel(exchange->native);
        raise_failure(state, rc, NULL, fast);
    } else if (!core_fast_answered(exchange->native, fast)) {
        raise_failure(state, 0, exchange->native, fast);
    } else {
        rqx_response *native = rqx_response_ref(exchange->native);

        core_sync_release(exchange);
        exchange = NULL;
        result = finish(self, native, fast);
    }
    if (exchange != NULL)
        core_sync_release(exchange);
    core_graveyard_drain(state);
    return result;
}

PyObject *core_sync_request(PyObject *op, const core_args *args)
{
    CoreClient *self = (CoreClient *)op;
    PyObject *result;
    core_fast fast;
    int rc = core_fast_build(self, args->at, &fast);

    if (rc < 0)
        return NULL;
    if (rc == 0)
        return core_args_slow(self->state, op, args);
    result = send(self, &fast);
    core_fast_drop(&fast);
    return result;
}
