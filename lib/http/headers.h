/*
 * http/headers.h - the inside of rqx_headers, for those who fill it from the wire and send it.
 */
#ifndef RQX_HTTP_HEADERS_H
#define RQX_HTTP_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include <requestx/headers.h>

#include "base/arena.h"

/* Most fields in one list, and most bytes of names and values in it. */
#define RQX__HEADERS_MAX_COUNT 8192
#define RQX__HEADERS_MAX_BYTES (1024 * 1024)

/* Field names that the library itself looks at, found once when a field is added. */
enum rqx__field_id {
    RQX__FIELD_OTHER = 0,
    RQX__FIELD_AUTHORIZATION,
    RQX__FIELD_CONNECTION,
    RQX__FIELD_CONTENT_ENCODING,
    RQX__FIELD_CONTENT_LENGTH,
    RQX__FIELD_COOKIE,
    RQX__FIELD_EXPECT,
    RQX__FIELD_HOST,
    RQX__FIELD_KEEP_ALIVE,
    RQX__FIELD_LOCATION,
    RQX__FIELD_PROXY_AUTHORIZATION,
    RQX__FIELD_PROXY_CONNECTION,
    RQX__FIELD_RETRY_AFTER,
    RQX__FIELD_SET_COOKIE,
    RQX__FIELD_TE,
    RQX__FIELD_TRAILER,
    RQX__FIELD_TRANSFER_ENCODING,
    RQX__FIELD_UPGRADE
};

/* Every text is NUL terminated and lives in the list's arena. */
struct rqx__field {
    const char *name;  /* as given */
    const char *lname; /* in lower case; the same pointer as |name| where that is lower case already */
    const char *value;
    uint32_t name_len;
    uint32_t value_len;
    enum rqx__field_id id;
};

struct rqx_headers {
    struct rqx__arena arena;
    struct rqx__field *fields;
    size_t count;
    size_t cap;
    size_t bytes;      /* of names and values in the list */
    size_t bytes_dead; /* of the arena, taken by fields that were removed */
};

void rqx__headers_init(struct rqx_headers *headers);
void rqx__headers_done(struct rqx_headers *headers);
/* Adds what a codec has checked already: no validation but the maxima.  RQX_ERR_NOMEM, RQX_ERR_HEADER_TOO_LARGE. */
int rqx__headers_add_checked(struct rqx_headers *headers, const char *name, size_t name_len, const char *value,
                             size_t value_len);
/* First field with that id at or after |from|; NULL if there is none. */
const struct rqx__field *rqx__headers_find(const struct rqx_headers *headers, enum rqx__field_id id, size_t from);
/* The id for a name in any case. */
enum rqx__field_id rqx__field_id_of(const char *name, size_t name_len);

#endif
