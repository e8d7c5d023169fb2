/*
 * response_body.c - the body of a ResponseBase, taken out of its rqx_response with the content codings undone.
 */
#include "errors.h"
#include "models.h"
#include "response.h"

#include <string.h>

static void raise_decoding(core_state *state, CoreResponse *self, int code)
{
    const char *text = code == RQX_ERR_DECODED_TOO_LARGE ? "the response body decodes to more than is allowed"
                       : code == RQX_ERR_DECODING        ? "the response body's content coding is malformed"
                                                         : NULL;
    PyObject *request = core_response_request(state, self);

    if (request != NULL)
        core_raise(state, code, text, request);
    Py_XDECREF(request);
}

/* Whether the comma separated |list| has |name|. */
static int list_has(const char *list, const char *name, size_t len)
{
    while (*list != '\0') {
        size_t item = strcspn(list, ", ");

        if (item == len && PyOS_strnicmp(list, name, (Py_ssize_t)len) == 0)
            return 1;
        list += item;
        list += strspn(list, ", ");
    }
    return 0;
}

/* Whether each coding that |value| names is one that the library undoes. */
static int codings_are_known(rqx_slice value)
{
    const char *at = value.data, *end = at + value.len;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *last = comma == NULL ? end : comma;

        while (at < last && (*at == ' ' || *at == '\t'))
            at++;
        while (at < last && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (at < last && !list_has(rqx_version()->codings, at, (size_t)(last - at)) &&
            !list_has("identity, x-gzip", at, (size_t)(last - at)))
            return 0;
        at = comma == NULL ? end : comma + 1;
    }
    return 1;
}

/* Whether the body has a coding that is unknown to the library, which then leaves those that were applied before it. */
static int has_unknown_coding(const rqx_headers *fields)
{
    if (rqx_headers_get(fields, "content-encoding", 16).data == NULL)
        return 0;
    for (size_t i = 0; i < rqx_headers_count(fields); i++) {
        rqx_field field = rqx_headers_at(fields, i);

        if (field.name.len == 16 && PyOS_strnicmp(field.name.data, "content-encoding", 16) == 0 &&
            !codings_are_known(field.value))
            return 1;
    }
    return 0;
}

/* The body without the codings that are known, as httpx does it: as if there was no other. */
static PyObject *decode_known(core_state *state, CoreResponse *self)
{
    rqx_slice raw = rqx_response_raw_body(self->native);
    PyObject *bytes = PyBytes_FromStringAndSize(raw.data, (Py_ssize_t)raw.len), *content;

    if (bytes == NULL)
        return NULL;
    content = PyObject_CallMethodOneArg((PyObject *)self, state->names._decoded, bytes);
    Py_DECREF(bytes);
    if (content != NULL && !PyBytes_CheckExact(content)) {
        PyErr_SetString(PyExc_TypeError, "_decoded() must return bytes");
        Py_CLEAR(content);
    }
    return core_field_first(&self->content, content);
}

/* Takes the decoded body out of |native|. */
PyObject *core_response_content(core_state *state, CoreResponse *self)
{
    PyObject *content;
    rqx_slice body;
    int rc;

    if (self->content != NULL || !self->complete)
        return Py_XNewRef(self->content);
    if (has_unknown_coding(rqx_response_headers(self->native)))
        return decode_known(state, self);
    rc = rqx_response_body(self->native, &body);
    if (rc < 0) {
        raise_decoding(state, self, rc);
        return NULL;
    }
    /* No Python code runs, and so no other thread is here, until the bytes are in their field. */
    content = PyBytes_FromStringAndSize(body.data, (Py_ssize_t)body.len);
    if (content == NULL)
        return NULL;
    rqx_response_discard_body(self->native);
    self->content = Py_NewRef(content);
    return content;
}
