/*
 * url_priv.h - between url_change.c (components and refusals) and url.c (the type).
 */
#ifndef RQX_PY_URL_PRIV_H
#define RQX_PY_URL_PRIV_H

#include "url.h"

/* Raises InvalidURL for |why| of rqx_url_parse about |text|, in httpx's words. */
void core_url_refuse(core_state *state, int code, const char *why, const char *text, size_t len);
/* Percent-decodes |text| into a str, as UTF-8 with replacement. */
PyObject *core_url_unquote(rqx_slice text);

#endif
