/*
 * url.h - the Python type URL: httpx's properties and texts over an immutable rqx_url.
 *
 * Threads.  A URL never changes but by another call of its __init__, which keeps what was there for as long as the URL
 * lives wherever threads run at once.  So what the functions here borrow from a URL is good as long as a reference to
 * it is held, and no guard is needed to read; __init__ and the making of |text| are one at a time by its guard.
 */
#ifndef RQX_PY_URL_H
#define RQX_PY_URL_H

#include "core.h"

typedef struct CoreURL {
    PyObject_HEAD rqx_url *native; /* NULL until __init__ ran */
    PyObject *text;                /* str(self), made at the first use */
#ifdef Py_GIL_DISABLED
    struct core_url_past *past; /* what __init__ has replaced: other threads may have borrowed it */
#endif
} CoreURL;

#define CoreURL_Check(state, op) PyObject_TypeCheck((op), (state)->url_type)

/* A URL of str or URL; a URL itself comes back as it is.  TypeError, InvalidURL. */
PyObject *core_url_from(core_state *state, PyObject *source);
/* A URL over |native| (one more reference is taken). */
PyObject *core_url_wrap(core_state *state, rqx_url *native);
/* The rqx_url of a URL object, borrowed; NULL with an exception. */
rqx_url *core_url_native(PyObject *url);
/* Parses a str; a new reference, or NULL with InvalidURL. */
rqx_url *core_url_parse(core_state *state, PyObject *text);
/* URL(base, **kwargs) for |base| a URL or NULL. */
rqx_url *core_url_change(core_state *state, rqx_url *base, PyObject *kwargs);
/* str of |url|, borrowed from it. */
PyObject *core_url_text(PyObject *url);

#endif
