/*
 * headers.h - the Python type Headers: fields as byte strings, in order, compared without case.
 *
 * It keeps its own list rather than an rqx_headers, because httpx lets a Headers hold what must never be sent; what is
 * sent goes through rqx_headers_add, which refuses that.
 *
 * Threads.  Everything in a CoreHeaders is read and written under its guard (guard.h).  Of the functions here, those
 * marked "Guarded" are called with the guard of |self| held, or before anybody else can have |self|.  They run no
 * Python code and let go of no guard, so that several of them within one are one step; and so is reading |fields| next
 * to them.  A core_field that they point to is good until the guard ends, the list changes, or anything is called that
 * may run Python code: an exception of it is raised after references to its objects were taken.  These objects
 * themselves are bytes, never of a derived type, and do not change.
 * The other functions take the guards they need, and run Python code where what they are given does.
 */
#ifndef RQX_PY_HEADERS_H
#define RQX_PY_HEADERS_H

#include "core.h"

typedef struct core_field {
    PyObject *raw;   /* bytes, as given */
    PyObject *key;   /* bytes, lower case; may be the same object as |raw| */
    PyObject *value; /* bytes */
} core_field;

enum core_encoding { CORE_ENC_UNKNOWN, CORE_ENC_ASCII, CORE_ENC_UTF8, CORE_ENC_LATIN1, CORE_ENC_OTHER };

typedef struct CoreHeaders {
    PyObject_HEAD core_field *fields; /* NULL where cap is 0; moves as the list grows */
    Py_ssize_t count;
    Py_ssize_t cap;
    uint64_t version;   /* changes with each mutation */
    PyObject *encoding; /* str, as set; NULL: not set */
    enum core_encoding kind;
} CoreHeaders;

#define CoreHeaders_Check(state, op) PyObject_TypeCheck((op), (state)->headers_type)

/* A new, empty Headers. */
CoreHeaders *core_headers_new(core_state *state);
/* A new Headers of whatever httpx accepts: None, Headers, mapping, pairs.  No guard of |source| is held here. */
CoreHeaders *core_headers_from(core_state *state, PyObject *source);
/* A new Headers with a library list's fields. */
CoreHeaders *core_headers_from_native(core_state *state, const rqx_headers *native);
/* Guarded.  Appends a field of bytes (new references are taken).  0 or -1. */
int core_headers_append(CoreHeaders *self, PyObject *raw, PyObject *value);
/* Guarded.  The same from C text. */
int core_headers_append_text(CoreHeaders *self, const char *name, const char *value, Py_ssize_t value_len);
/* Guarded.  First field of that lower case name, or NULL without an exception. */
core_field *core_headers_find(CoreHeaders *self, const char *lower, Py_ssize_t len);
/* Guarded.  Whether a field of that lower case name is there. */
int core_headers_has(CoreHeaders *self, const char *lower, Py_ssize_t len);
/* Guarded.  Adds all fields to a library list.  0, or an RQX_ERR_ code with the culprit borrowed in |ret_bad|. */
int core_headers_to_native(CoreHeaders *self, rqx_headers *native, core_field **ret_bad);

#endif
