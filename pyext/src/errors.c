/*
 * errors.c - which exception tells of which error code.
 */
#include "errors.h"

#include <string.h>

static enum core_registered class_of_protocol(int code)
{
    switch (code) {
    case RQX_ERR_READ:
        return CORE_ReadError;
    case RQX_ERR_WRITE:
        return CORE_WriteError;
    default:
        return CORE_RemoteProtocolError;
    }
}

static enum core_registered class_of_timeout(int code)
{
    switch (code) {
    case RQX_ERR_POOL_TIMEOUT:
        return CORE_PoolTimeout;
    case RQX_ERR_CONNECT_TIMEOUT:
        return CORE_ConnectTimeout;
    case RQX_ERR_WRITE_TIMEOUT:
        return CORE_WriteTimeout;
    default:
        return CORE_ReadTimeout;
    }
}

static enum core_registered class_of_usage(int code)
{
    switch (code) {
    case RQX_ERR_UNSUPPORTED_SCHEME:
        return CORE_UnsupportedProtocol;
    case RQX_ERR_INVALID_URL:
        return CORE_InvalidURL;
    case RQX_ERR_CLOSED:
    case RQX_ERR_CANCELLED:
        return CORE_ReadError;
    default:
        return CORE_LocalProtocolError;
    }
}

static enum core_registered class_of_body(int code)
{
    switch (code) {
    case RQX_ERR_DECODING:
    case RQX_ERR_DECODED_TOO_LARGE:
        return CORE_DecodingError;
    case RQX_ERR_BODY_SOURCE:
    case RQX_ERR_BODY_REPLAY:
        return CORE_WriteError;
    default:
        return CORE_ReadError;
    }
}

static enum core_registered class_of(int code)
{
    switch (rqx_error_phase(code)) {
    case RQX_PHASE_RESOLVE:
    case RQX_PHASE_CONNECT:
    case RQX_PHASE_TLS:
        return CORE_ConnectError;
    case RQX_PHASE_PROXY:
        return CORE_ProxyError;
    case RQX_PHASE_TIMEOUT:
        return class_of_timeout(code);
    case RQX_PHASE_BODY:
        return class_of_body(code);
    case RQX_PHASE_USAGE:
        return class_of_usage(code);
    case RQX_PHASE_FATAL:
        return CORE_ConnectError;
    default:
        return class_of_protocol(code);
    }
}

static const char *phase_text(int code)
{
    switch (rqx_error_phase(code)) {
    case RQX_PHASE_USAGE:
        return "usage";
    case RQX_PHASE_RESOLVE:
        return "resolve";
    case RQX_PHASE_CONNECT:
        return "connect";
    case RQX_PHASE_TLS:
        return "tls";
    case RQX_PHASE_PROXY:
        return "proxy";
    case RQX_PHASE_PROTOCOL:
        return "protocol";
    case RQX_PHASE_TIMEOUT:
        return "timeout";
    case RQX_PHASE_BODY:
        return "body";
    default:
        return "fatal";
    }
}

/* "connect_timeout" of "RQX_ERR_CONNECT_TIMEOUT". */
static PyObject *code_text(int code)
{
    const char *name = rqx_error_name(code);
    char text[64];
    size_t i;

    if (strncmp(name, "RQX_ERR_", 8) == 0)
        name += 8;
    for (i = 0; name[i] != '\0' && i < sizeof text - 1; i++)
        text[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    return PyUnicode_FromStringAndSize(text, (Py_ssize_t)i);
}

static int describe(core_state *state, PyObject *error, int code, PyObject *request)
{
    PyObject *name = code_text(code), *phase = PyUnicode_FromString(phase_text(code));
    int rc = -1;

    if (name != NULL && phase != NULL && PyObject_SetAttr(error, state->names.code, name) == 0 &&
        PyObject_SetAttr(error, state->names.phase, phase) == 0)
        rc = request == NULL ? 0 : PyObject_SetAttr(error, state->names.request, request);
    Py_XDECREF(name);
    Py_XDECREF(phase);
    return rc;
}

void core_raise(core_state *state, int code, const char *text, PyObject *request)
{
    enum core_registered which = class_of(code);
    PyObject *type, *message, *error;

    if (code == RQX_ERR_NOMEM) {
        PyErr_NoMemory();
        return;
    }
    type = core_registered(state, which);
    message = type == NULL
                  ? NULL
                  : PyUnicode_DecodeUTF8(text == NULL ? rqx_error_text(code) : text,
                                         (Py_ssize_t)strlen(text == NULL ? rqx_error_text(code) : text), "replace");
    error = message == NULL ? NULL : PyObject_CallOneArg(type, message);
    Py_XDECREF(message);
    if (error == NULL)
        return;
    if (which == CORE_InvalidURL || describe(state, error, code, request) == 0)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
}

void core_raise_response(core_state *state, const rqx_response *native, PyObject *request)
{
    const rqx_error *failure = rqx_response_error(native);

    core_raise(state, failure->code == 0 ? RQX_ERR_INTERNAL : failure->code, failure->text, request);
}
