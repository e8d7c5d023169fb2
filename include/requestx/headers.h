/*
 * requestx/headers.h - a list of fields in the order in which they were added (RFC 9110 section 5).
 *
 * Names compare without case and keep the case they were given (HTTP/2 sends them in lower case).  Names are tokens,
 * values hold no control character but the tab and neither begin nor end with a space: everything else is refused when
 * it is added, so that a list which exists can be sent.  One owner; not for several threads at once.
 */
#ifndef REQUESTX_HEADERS_H
#define REQUESTX_HEADERS_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/** One field.  Both slices live until the list is changed or freed, and are NUL terminated. */
typedef struct rqx_field {
    /** in the case that it was given */
    rqx_slice name;
    /** without spaces around it */
    rqx_slice value;
} rqx_field;

/** Makes an empty list.  Errors: RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_headers_new(rqx_headers **ret_headers);
/** Makes a copy of |headers|.  Errors: RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_headers_copy(const rqx_headers *headers, rqx_headers **ret_headers);
/** Frees the list.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_headers_free(rqx_headers *headers);

/**
 * Adds a field at the end, whatever else has its name.  Leading and trailing spaces and tabs of |value| are dropped.
 * Errors: RQX_ERR_INVALID_FIELD, RQX_ERR_HEADER_TOO_LARGE (above 8,192 fields, or 1 MiB of names and values),
 * RQX_ERR_NOMEM; nothing was added then.  Since 0.1.
 */
RQX_API int rqx_headers_add(rqx_headers *headers, const char *name, size_t name_len, const char *value,
                            size_t value_len);
/** Adds all of |more| at the end, in order.  Errors: RQX_ERR_NOMEM, RQX_ERR_HEADER_TOO_LARGE; some may have been added.
 * Since 0.1. */
RQX_API int rqx_headers_extend(rqx_headers *headers, const rqx_headers *more);
/** Puts one field in the place of all of that name (at the first one's place, else at the end).  Errors as add. Since
 * 0.1. */
RQX_API int rqx_headers_set(rqx_headers *headers, const char *name, size_t name_len, const char *value,
                            size_t value_len);
/** Removes every field of that name.  Gives how many there were.  Since 0.1. */
RQX_API size_t rqx_headers_remove(rqx_headers *headers, const char *name, size_t name_len);
/** Removes everything.  Since 0.1. */
RQX_API void rqx_headers_clear(rqx_headers *headers);

/** Gives the number of fields.  Since 0.1. */
RQX_API size_t rqx_headers_count(const rqx_headers *headers);
/** Gives the field at |index|; slices are NULL past the end.  Since 0.1. */
RQX_API rqx_field rqx_headers_at(const rqx_headers *headers, size_t index);
/** Gives the first value of that name; NULL data if there is none.  Since 0.1. */
RQX_API rqx_slice rqx_headers_get(const rqx_headers *headers, const char *name, size_t name_len);

RQX_END_DECLS

#endif
