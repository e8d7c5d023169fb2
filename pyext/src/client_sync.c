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

/* One try.  0 with the response in |*ret_response|, finished or given up after a signal; or an RQX_ERR_ code. */
static int perform(CoreTransport *transport, rqx_request *native, rqx_response **ret_response)
{
    rqx_client *client = core_transport_client(transport);
    rqx_response *response = NULL;
    int rc;

    if (client == NULL)
        return RQX_ERR_STATE;
    Py_BEGIN_ALLOW_THREADS
    rc = rqx_client_submit(client, native, NULL, &response);
    if (rc == 0)
        rc = rqx_response_wait(response, RQX_EVENT_DONE, TICK_MS);
    rqx_client_unref(client);
    Py_END_ALLOW_THREADS
    if (response == NULL)
        return rc < 0 ? rc : RQX_ERR_INTERNAL;
    *ret_response = response;
    return rc;
}

static int perform_or_fork(CoreTransport *transport, rqx_request *native, rqx_response **ret_response)
{
    int rc = perform(transport, native, ret_response);

    if (rc != RQX_ERR_FORKED)
        return rc;
    rqx_response_unref(*ret_response);
    *ret_response = NULL;
    core_transport_forked(transport, NULL);
    return perform(transport, native, ret_response);
}

static void raise_failure(core_state *state, int code, const rqx_response *response, rqx_request *native,
                          PyObject *content)
{
    PyObject *request;

    if (PyErr_Occurred())
        return;
    request = core_request_of(state, native, content);
    if (request == NULL)
        return;
    if (response != NULL)
        core_raise_response(state, response, request);
    else
        core_raise_submit(state, code, native, request);
    Py_DECREF(request);
}

static PyObject *send(CoreClient *self, rqx_request *native, PyObject *content)
{
    CoreTransport *transport = (CoreTransport *)Py_NewRef((PyObject *)self->transport);
    core_state *state = self->state;
    rqx_response *response = NULL;
    PyObject *result = NULL;
    int rc = perform_or_fork(transport, native, &response);

    if (rc == RQX_AGAIN && PyErr_CheckSignals() == 0)
        rc = core_wait(state, response, RQX_EVENT_DONE);
    if (rc != 0 || PyErr_Occurred()) {
        if (response != NULL)
            rqx_response_cancel(response);
        raise_failure(state, rc, NULL, native, content);
    } else if (rqx_response_error(response)->code != 0) {
        raise_failure(state, 0, response, native, content);
    } else {
        result = core_fast_finish(self, response, content);
        response = NULL;
    }
    rqx_response_unref(response);
    Py_DECREF(transport);
    core_graveyard_drain(state);
    return result;
}

PyObject *core_sync_request(PyObject *op, const core_args *args)
{
    CoreClient *self = (CoreClient *)op;
    rqx_request *native;
    PyObject *content, *result;
    int rc = core_fast_build(self, args->at, &native, &content);

    if (rc < 0)
        return NULL;
    if (rc == 0)
        return core_args_slow(self->state, op, args);
    result = send(self, native, content);
    rqx_request_unref(native);
    Py_XDECREF(content);
    return result;
}
