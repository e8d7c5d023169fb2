/*
 * h2_fields.c - the field list of a request as HTTP/2 wants it (RFC 9113 section 8).
 *
 * The list is made in h2->nva, for one call of nghttp2; names and values are those of the request, which outlive it.
 */
#include "proto/h2_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* RFC 7541 section 7.1.3: a short secret can be guessed by trying, so that it never enters a table. */
#define SHORT_COOKIE 20

static int grow(struct rqx__h2 *h2)
{
    size_t cap = h2->nv_cap == 0 ? 32 : h2->nv_cap * 2;
    nghttp2_nv *nva = rqx__realloc(h2->nva, cap * sizeof *nva);

    if (nva == NULL)
        return RQX_ERR_NOMEM;
    h2->nva = nva;
    h2->nv_cap = cap;
    return 0;
}

static inline int push(struct rqx__h2 *h2, const char *name, size_t name_len, const char *value, size_t value_len,
                       uint8_t flags)
{
    if (h2->nv_count == h2->nv_cap && grow(h2) < 0)
        return RQX_ERR_NOMEM;
    /* nghttp2 does not write there */
    h2->nva[h2->nv_count++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = name_len,
        .valuelen = value_len,
        .flags = flags,
    };
    return 0;
}

#define ALIVE                       (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)
#define PUSH_SLICE(h2, name, slice) push((h2), (name), sizeof(name) - 1, (slice).data, (slice).len, ALIVE)

/* RFC 9113 section 8.2.3: one field for each pair, so that the unchanged ones are found in the table. */
static int push_cookie(struct rqx__h2 *h2, const char *value, size_t len)
{
    int rv = 0;

    while (rv == 0) {
        const char *cut = memchr(value, ';', len);
        size_t crumb = cut == NULL ? len : (size_t)(cut - value);
        uint8_t flags = ALIVE;

        if (crumb < SHORT_COOKIE)
            flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        rv = push(h2, "cookie", 6, value, crumb, flags);
        if (cut == NULL)
            break;
        value += crumb + 1;
        len -= crumb + 1;
        while (len > 0 && *value == ' ') {
            value++;
            len--;
        }
        if (len == 0)
            break;
    }
    return rv;
}

/* Whether a Connection field of |headers| names |field| (RFC 9110 section 7.6.1). */
static bool named_by_connection(const struct rqx_headers *headers, const struct rqx__field *field)
{
    size_t i;

    for (i = 0; i < headers->count; i++) {
        const struct rqx__field *other = &headers->fields[i];

        if (other->id == RQX__FIELD_CONNECTION &&
            rqx__list_has((rqx_slice){other->value, other->value_len}, field->lname))
            return true;
    }
    return false;
}

static bool has_connection(const struct rqx_headers *headers)
{
    size_t i;

    for (i = 0; i < headers->count; i++) {
        if (headers->fields[i].id == RQX__FIELD_CONNECTION)
            return true;
    }
    return false;
}

static int push_field(struct rqx__h2 *h2, const struct rqx__field *field)
{
    uint8_t flags = ALIVE;

    switch (field->id) {
    case RQX__FIELD_CONNECTION:
    case RQX__FIELD_KEEP_ALIVE:
    case RQX__FIELD_PROXY_CONNECTION:
    case RQX__FIELD_TRANSFER_ENCODING:
    case RQX__FIELD_UPGRADE:
    case RQX__FIELD_HOST:           /* is :authority */
    case RQX__FIELD_CONTENT_LENGTH: /* the body's own, see push_length() */
        return 0;
    case RQX__FIELD_TE:
        /* RFC 9113 section 8.2.2 */
        if (!rqx__list_has((rqx_slice){field->value, field->value_len}, "trailers"))
            return 0;
        return push(h2, "te", 2, "trailers", 8, ALIVE);
    case RQX__FIELD_COOKIE:
        return push_cookie(h2, field->value, field->value_len);
    case RQX__FIELD_AUTHORIZATION:
    case RQX__FIELD_PROXY_AUTHORIZATION:
        flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        break;
    default:
        break;
    }
    return push(h2, field->lname, field->name_len, field->value, field->value_len, flags);
}

static bool same_name(const struct rqx__field *a, const struct rqx__field *b)
{
    return a->id == b->id && a->name_len == b->name_len && memcmp(a->lname, b->lname, a->name_len) == 0;
}

static bool has_field(const struct rqx_headers *headers, const struct rqx__field *field)
{
    size_t i;

    for (i = 0; i < headers->count; i++) {
        if (same_name(&headers->fields[i], field))
            return true;
    }
    return false;
}

static bool has_authorization(const struct rqx_headers *headers)
{
    size_t i;

    for (i = 0; headers != NULL && i < headers->count; i++) {
        if (headers->fields[i].id == RQX__FIELD_AUTHORIZATION)
            return true;
    }
    return false;
}

/* Credentials that the user wrote for a proxy are not for an origin behind it. */
static bool stays_here(const struct rqx__head *head, const struct rqx__field *field)
{
    return field->id == RQX__FIELD_PROXY_AUTHORIZATION && head != NULL && head->in_tunnel;
}

/* |head| NULL: they are trailers. */
static int push_fields(struct rqx__h2 *h2, const struct rqx_headers *headers, const struct rqx__head *head)
{
    bool connection;
    size_t i;
    int rv = 0;

    if (headers == NULL)
        return 0;
    connection = has_connection(headers);
    for (i = 0; i < headers->count && rv == 0; i++) {
        const struct rqx__field *field = &headers->fields[i];

        /* TE is always named there on HTTP/1.1, and has a rule of its own */
        if (connection && field->id != RQX__FIELD_TE && named_by_connection(headers, field))
            continue;
        if (stays_here(head, field))
            continue;
        rv = push_field(h2, field);
    }
    return rv;
}

/* Those of |defaults| that the request does not set itself. */
static int push_defaults(struct rqx__h2 *h2, const struct rqx__head *head)
{
    const struct rqx_headers *defaults = head->defaults;
    bool connection;
    size_t i;
    int rv = 0;

    if (defaults == NULL)
        return 0;
    connection = has_connection(defaults);
    for (i = 0; i < defaults->count && rv == 0; i++) {
        const struct rqx__field *field = &defaults->fields[i];

        if (head->fields != NULL && has_field(head->fields, field))
            continue;
        if (field->id == RQX__FIELD_AUTHORIZATION && head->authorization.data != NULL)
            continue;
        if (connection && field->id != RQX__FIELD_TE && named_by_connection(defaults, field))
            continue;
        if (stays_here(head, field))
            continue;
        rv = push_field(h2, field);
    }
    return rv;
}

/* The Content-Length that the user gave; RQX_LENGTH_UNKNOWN if there is none that is a number. */
static int64_t given_length(const struct rqx_headers *headers)
{
    uint64_t value;
    size_t i;

    for (i = 0; headers != NULL && i < headers->count; i++) {
        const struct rqx__field *field = &headers->fields[i];

        if (field->id == RQX__FIELD_CONTENT_LENGTH &&
            rqx__parse_u64(field->value, field->value_len, INT64_MAX, &value) == 0)
            return (int64_t)value;
    }
    return RQX_LENGTH_UNKNOWN;
}

int64_t rqx__h2_announced(const struct rqx__head *head)
{
    int64_t given = given_length(head->fields);
    int64_t actual = RQX_LENGTH_UNKNOWN;

    if (head->has_body)
        actual = head->body_length;
    else if (head->send_zero_length || given >= 0)
        actual = 0;
    if (given >= 0 && actual >= 0 && given != actual)
        return RQX_LENGTH_UNKNOWN - 1;
    return given >= 0 ? given : actual;
}

/* |text| has room for a number; nghttp2 copies it. */
static int push_length(struct rqx__h2 *h2, int64_t length, char text[RQX__H2_LENGTH_TEXT])
{
    int len;

    if (length < 0)
        return 0;
    len = snprintf(text, RQX__H2_LENGTH_TEXT, "%" PRId64, length);
    return push(h2, "content-length", 14, text, (size_t)len, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static int push_authorization(struct rqx__h2 *h2, const struct rqx__head *head)
{
    if (head->authorization.data == NULL || has_authorization(head->fields))
        return 0;
    return push(h2, "authorization", 13, head->authorization.data, head->authorization.len,
                ALIVE | NGHTTP2_NV_FLAG_NO_INDEX);
}

/* RFC 9113 section 8.3.1; CONNECT has neither scheme nor path (section 8.5). */
static int push_pseudo(struct rqx__h2 *h2, const struct rqx__stream *stream)
{
    const struct rqx__head *head = stream->head_out;
    bool tunnel = stream->flags & RQX__H2_TUNNEL;
    int rv = PUSH_SLICE(h2, ":method", head->method);

    if (rv == 0 && !tunnel)
        rv = PUSH_SLICE(h2, ":scheme", head->scheme);
    if (rv == 0)
        rv = PUSH_SLICE(h2, ":authority", head->authority);
    if (rv == 0 && !tunnel)
        rv = PUSH_SLICE(h2, ":path", head->target);
    return rv;
}

int rqx__h2_build_request(struct rqx__h2 *h2, const struct rqx__stream *stream, char length_text[RQX__H2_LENGTH_TEXT])
{
    const struct rqx__head *head = stream->head_out;
    int rv;

    h2->nv_count = 0;
    rv = push_pseudo(h2, stream);
    if (rv == 0)
        rv = push_defaults(h2, head);
    if (rv == 0)
        rv = push_fields(h2, head->fields, head);
    if (rv == 0 && head->cookies.data != NULL)
        rv = push_cookie(h2, head->cookies.data, head->cookies.len);
    if (rv == 0)
        rv = push_authorization(h2, head);
    if (rv == 0)
        rv = push_length(h2, stream->request_length, length_text);
    return rv;
}

int rqx__h2_build_trailers(struct rqx__h2 *h2, const struct rqx_headers *trailers)
{
    h2->nv_count = 0;
    return push_fields(h2, trailers, NULL);
}
