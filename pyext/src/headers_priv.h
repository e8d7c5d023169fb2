/*
 * headers_priv.h - between headers.c (the list) and headers_type.c (the methods).
 *
 * Guarded, as headers.h has it, but for core_headers_add_all; those that decode and encode may run Python code, and the
 * list be another after them.
 */
#ifndef RQX_PY_HEADERS_PRIV_H
#define RQX_PY_HEADERS_PRIV_H

#include "headers.h"

/* Room for |room| more fields. */
int core_headers_reserve(CoreHeaders *self, Py_ssize_t room);
void core_headers_changed(CoreHeaders *self);
/* bytes in lower case, a new reference: the same where there is nothing to change. */
PyObject *core_headers_lower(PyObject *raw);
/* The field at |index| with references of its own: decoding may run a codec that changes the list. */
core_field core_headers_field(CoreHeaders *self, Py_ssize_t index);
/* Gives the references of |field| back. */
void core_field_release(core_field *field);
void core_headers_remove_at(CoreHeaders *self, Py_ssize_t index);
/* Removes every field of that lower case name; gives how many. */
Py_ssize_t core_headers_remove(CoreHeaders *self, const char *lower, Py_ssize_t len);
void core_headers_wipe(CoreHeaders *self);
PyObject *core_headers_bytes(PyObject *object, PyObject *encoding, const char *what);
int core_headers_add_pair(CoreHeaders *self, PyObject *key, PyObject *value, PyObject *encoding);
/* Appends what |other| has, whose guard is held, too. */
int core_headers_add_copy(CoreHeaders *self, const CoreHeaders *other);
/* Appends whatever core_headers_from takes.  No guard is held. */
int core_headers_add_all(core_state *state, CoreHeaders *self, PyObject *source, PyObject *encoding);
void core_headers_settle_encoding(CoreHeaders *self);
PyObject *core_headers_decode(CoreHeaders *self, PyObject *bytes);
PyObject *core_headers_encode(CoreHeaders *self, PyObject *text);

#endif
