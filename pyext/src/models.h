/*
 * models.h - RequestBase and ResponseBase: the fields of Request and Response that the hot path fills.
 *
 * requestx/_models.py adds the cold methods.  What a response can tell is made only when it is asked for: as long as
 * |native| holds it, headers, content, request and the rest cost nothing.
 */
#ifndef RQX_PY_MODELS_H
#define RQX_PY_MODELS_H

#include "core.h"

/* The guard of the object guards all of it. */
typedef struct CoreRequest {
    PyObject_HEAD PyObject *method; /* str, upper case */
    PyObject *url;                  /* URL */
    PyObject *headers;              /* Headers */
    PyObject *extensions;           /* dict; NULL: made when asked for */
    PyObject *stream;               /* NULL: ByteStream of |content|, made when asked for */
    PyObject *content;              /* bytes; NULL: not read */
    PyObject *dict;
    PyObject *weakrefs;
} CoreRequest;

/*
 * The guard of the object guards all of it but for what never changes once somebody else can have the object.  Of
 * |native| any thread may read what the head told; its body is read, and given up, under the guard.
 */
typedef struct CoreResponse {
    PyObject_HEAD int status;
    char is_closed;
    char is_stream_consumed;
    char complete;              /* never changes: |native| holds the whole body */
    rqx_response *native;       /* never changes; NULL: not of the engine */
    Py_ssize_t downloaded;      /* bytes of the body as received */
    PyObject *status_code;      /* as given; NULL: int of |status| */
    PyObject *headers;          /* NULL: those of |native| */
    PyObject *request;          /* NULL: that of |native|, or none */
    PyObject *request_content;  /* never changes: bytes that |native|'s request sent; NULL: none */
    PyObject *request_timeout;  /* never changes: its timeout as given: Timeout, number or None; NULL: none */
    PyObject *extensions;       /* NULL: made when asked for */
    PyObject *history;          /* NULL: empty */
    PyObject *next_request;     /* NULL: None */
    PyObject *default_encoding; /* NULL: "utf-8" */
    PyObject *stream;           /* NULL: ByteStream of |content| */
    PyObject *content;          /* bytes; NULL: not read, or in |native| */
    PyObject *text;             /* NULL: not asked yet */
    PyObject *elapsed;          /* NULL: from |native|, or unknown */
    PyObject *dict;
    PyObject *weakrefs;
} CoreResponse;

/* Compact JSON as bytes, in the manner of httpx. */
PyObject *core_json_encode(core_state *state, PyObject *object);
/* A ByteStream of |content|. */
PyObject *core_byte_stream(core_state *state, PyObject *content);
/* Adds fields that are not there yet, from a dict of str; Transfer-Encoding yields to Content-Length.  Takes the guard
 * of |headers|. */
int core_headers_defaults(core_state *state, PyObject *headers, PyObject *defaults);

/* A Request of what is known to be good.  New references are taken; |content| is bytes or NULL (empty). */
PyObject *core_request_make(core_state *state, PyObject *method, PyObject *url, PyObject *headers, PyObject *content);
/* The most that is kept of the body of a redirect that is followed, bytes as received. */
#define CORE_MAX_REDIRECT_BODY (1024 * 1024)

struct CoreTransport;

/* What the fast path sends, with what, and what of it only Python knows; references. */
typedef struct core_fast {
    rqx_request *native;
    struct CoreTransport *transport;
    PyObject *content; /* bytes of the body, or NULL */
    PyObject *timeout; /* Timeout, number or None */
    char follows;      /* redirects are to be followed */
} core_fast;

/* The Request that |native| was submitted with, with the |content| and |timeout| of core_fast or NULL. */
PyObject *core_request_of(core_state *state, rqx_request *native, PyObject *content, PyObject *timeout);
/* str for a method, without making a new one for the usual ones. */
PyObject *core_method_text(core_state *state, rqx_slice method);

/*
 * A Response over a finished, collected exchange.  On success, takes ownership of |native|.  NULL with DecodingError if
 * the body cannot be decoded.
 */
PyObject *core_response_make(core_state *state, rqx_response *native, const core_fast *fast,
                             PyObject *default_encoding);
/* A Response whose head alone is there.  On success, takes ownership of |native|. */
PyObject *core_response_streamed(core_state *state, rqx_response *native, PyObject *stream, PyObject *request);

/*
 * Puts |made| (stolen; NULL: with an exception) into a field of an object whose guard is held, unless something came
 * there while it was made.  What is there then, a new reference; NULL if |made| is.
 */
PyObject *core_field_first(PyObject **field, PyObject *made);
/* Puts |value| (stolen, or NULL) into such a field. */
static inline void core_field_put(PyObject **field, PyObject *value)
{
    PyObject *old = *field;

#ifdef Py_GIL_DISABLED
    __atomic_store_n(field, value, __ATOMIC_RELEASE); /* a T_OBJECT_EX member is read without the guard */
#else
    *field = value;
#endif
    Py_XDECREF(old);
}

#endif
