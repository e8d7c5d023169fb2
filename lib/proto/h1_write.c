#include "proto/h1_write.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define LAST_CHUNK "0\r\n"
/* What is written besides the texts of |head|: versions, names of our own, a length. */
#define EXTRA 192

/* ---- lists of fields ---- */

static bool same_name(const struct rqx__field *a, const struct rqx__field *b)
{
    return a->id == b->id && a->name_len == b->name_len && memcmp(a->lname, b->lname, a->name_len) == 0;
}

static bool has_field(const struct rqx_headers *fields, const struct rqx__field *field)
{
    size_t i;

    for (i = 0; fields != NULL && i < fields->count; i++) {
        if (same_name(&fields->fields[i], field))
            return true;
    }
    return false;
}

static bool has_id(const struct rqx_headers *fields, enum rqx__field_id id)
{
    return fields != NULL && rqx__headers_find(fields, id, 0) != NULL;
}

static rqx_slice value_of(const struct rqx__field *field)
{
    return (rqx_slice){field->value, field->value_len};
}

/* Whether a field with that id has |item| in its list. */
static bool lists(const struct rqx_headers *fields, enum rqx__field_id id, const char *item)
{
    size_t i;

    for (i = 0; fields != NULL && i < fields->count; i++) {
        if (fields->fields[i].id == id && rqx__list_has(value_of(&fields->fields[i]), item))
            return true;
    }
    return false;
}

/* The list that counts for a field of that id: the request's, or the client's where the request has none. */
static const struct rqx_headers *deciding(const struct rqx__head *head, enum rqx__field_id id)
{
    return has_id(head->fields, id) ? head->fields : head->defaults;
}

static bool has_trailers(const struct rqx__head *head)
{
    return head->trailers != NULL && head->trailers->count != 0;
}

/* ---- the plan ---- */

static int check_line(const struct rqx__head *head)
{
    if (!rqx__is_token(head->method.data, head->method.len))
        return RQX_ERR_INVALID_METHOD;
    if (head->target.len == 0 || memchr(head->target.data, ' ', head->target.len) != NULL ||
        memchr(head->target.data, '\t', head->target.len) != NULL ||
        rqx__has_control(head->target.data, head->target.len))
        return RQX_ERR_INVALID_URL;
    return rqx__is_field_value(head->authority.data, head->authority.len) ? 0 : RQX_ERR_INVALID_FIELD;
}

/* The Content-Length that the user gave; RQX_LENGTH_UNKNOWN if there is none that is a number. */
static int64_t given_length(const struct rqx_headers *fields)
{
    const struct rqx__field *field;
    uint64_t value;
    size_t i;

    for (i = 0; fields != NULL && i < fields->count; i++) {
        field = &fields->fields[i];
        if (field->id == RQX__FIELD_CONTENT_LENGTH &&
            rqx__parse_u64(field->value, field->value_len, INT64_MAX, &value) == 0)
            return (int64_t)value;
    }
    return RQX_LENGTH_UNKNOWN;
}

static int plan_length(const struct rqx__head *head, struct rqx__h1_plan *plan)
{
    int64_t given = given_length(head->fields);
    bool asked_chunked = given < 0 && lists(head->fields, RQX__FIELD_TRANSFER_ENCODING, "chunked");

    plan->length = head->has_body ? head->body_length : 0;
    if (given >= 0 && plan->length >= 0 && given != plan->length)
        return RQX_ERR_REQUEST_LENGTH;
    if (plan->length < 0)
        plan->length = given;
    plan->chunked = has_trailers(head) || (head->has_body && (plan->length < 0 || asked_chunked));
    if (!head->has_body && !plan->chunked && !head->send_zero_length && given < 0)
        plan->length = RQX_LENGTH_UNKNOWN; /* nothing is said of a body at all */
    return 0;
}

static enum rqx__h1_expect plan_answer(const struct rqx__head *head)
{
    if (rqx__eq(head->method.data, head->method.len, "HEAD", 4))
        return RQX__H1_EXPECT_NO_BODY;
    if (rqx__eq(head->method.data, head->method.len, "CONNECT", 7))
        return RQX__H1_EXPECT_TUNNEL;
    return has_id(head->fields, RQX__FIELD_UPGRADE) ? RQX__H1_EXPECT_UPGRADE : RQX__H1_EXPECT_ANY;
}

int rqx__h1_plan(const struct rqx__head *head, struct rqx__h1_plan *ret_plan)
{
    int rv = check_line(head);

    if (rv == 0)
        rv = plan_length(head, ret_plan);
    if (rv < 0)
        return rv;
    /* RFC 9110 section 10.1.1: no expectation without content */
    ret_plan->expects = head->expect_continue && head->has_body && head->body_length != 0;
    ret_plan->closes = lists(deciding(head, RQX__FIELD_CONNECTION), RQX__FIELD_CONNECTION, "close");
    ret_plan->answer = plan_answer(head);
    return 0;
}

/* ---- writing: the room is measured first, so that nothing is checked on the way ---- */

static char *put(char *at, const char *text, size_t len)
{
    if (len != 0)
        memcpy(at, text, len);
    return at + len;
}

#define PUT_LITERAL(at, text) put((at), (text), sizeof(text) - 1)
#define PUT_SLICE(at, slice)  put((at), (slice).data, (slice).len)

static char *put_field(char *at, const struct rqx__field *field)
{
    at = put(at, field->name, field->name_len);
    at = PUT_LITERAL(at, ": ");
    at = put(at, field->value, field->value_len);
    return PUT_LITERAL(at, "\r\n");
}

/* RFC 6265 section 5.4: one Cookie field, however many there are.  |more| stands in no field. */
static char *put_cookies(char *at, const struct rqx_headers *fields, size_t first, rqx_slice more)
{
    size_t i;

    at = put(at, fields->fields[first].name, fields->fields[first].name_len);
    at = PUT_LITERAL(at, ": ");
    for (i = first; i < fields->count; i++) {
        if (fields->fields[i].id != RQX__FIELD_COOKIE)
            continue;
        if (i != first)
            at = PUT_LITERAL(at, "; ");
        at = put(at, fields->fields[i].value, fields->fields[i].value_len);
    }
    if (more.data != NULL) {
        at = PUT_LITERAL(at, "; ");
        at = PUT_SLICE(at, more);
    }
    return PUT_LITERAL(at, "\r\n");
}

/* Those that found no Cookie field to go with. */
static char *put_own_cookies(char *at, const struct rqx__head *head)
{
    if (head->cookies.data == NULL || has_id(head->fields, RQX__FIELD_COOKIE) ||
        has_id(head->defaults, RQX__FIELD_COOKIE))
        return at;
    at = PUT_LITERAL(at, "Cookie: ");
    at = PUT_SLICE(at, head->cookies);
    return PUT_LITERAL(at, "\r\n");
}

/* Fields that are written in another way, or not at all. */
static bool is_ours(const struct rqx__field *field, const struct rqx__head *head, const struct rqx__h1_plan *plan)
{
    switch (field->id) {
    case RQX__FIELD_HOST:
    case RQX__FIELD_CONTENT_LENGTH:
    case RQX__FIELD_TRANSFER_ENCODING:
        return true;
    case RQX__FIELD_EXPECT:
        return head->expect_continue && !plan->expects;
    case RQX__FIELD_PROXY_AUTHORIZATION:
        return head->in_tunnel;
    default:
        return false;
    }
}

static char *put_list(char *at, const struct rqx_headers *fields, const struct rqx__head *head,
                      const struct rqx__h1_plan *plan)
{
    bool defaults = fields == head->defaults;
    bool cookies = false;
    size_t i;

    for (i = 0; fields != NULL && i < fields->count; i++) {
        const struct rqx__field *field = &fields->fields[i];

        if (is_ours(field, head, plan) || (defaults && has_field(head->fields, field)))
            continue;
        if (defaults && field->id == RQX__FIELD_AUTHORIZATION && head->authorization.data != NULL)
            continue;
        if (field->id != RQX__FIELD_COOKIE)
            at = put_field(at, field);
        else if (!cookies)
            at = put_cookies(at, fields, i, head->cookies);
        cookies |= field->id == RQX__FIELD_COOKIE;
    }
    return at;
}

static char *put_authorization(char *at, const struct rqx__head *head)
{
    if (head->authorization.data == NULL || has_id(head->fields, RQX__FIELD_AUTHORIZATION))
        return at;
    at = PUT_LITERAL(at, "Authorization: ");
    at = PUT_SLICE(at, head->authorization);
    return PUT_LITERAL(at, "\r\n");
}

/* TE is for the next hop alone and has to say so (RFC 9110 section 10.1.4). */
static char *put_connection(char *at, const struct rqx__head *head)
{
    if (!has_id(deciding(head, RQX__FIELD_TE), RQX__FIELD_TE) ||
        lists(deciding(head, RQX__FIELD_CONNECTION), RQX__FIELD_CONNECTION, "te"))
        return at;
    return PUT_LITERAL(at, "Connection: TE\r\n");
}

/* What must not stand behind the body: framing, routing and what a message is known by before (RFC 9110 section 6.5.1).
 */
static bool may_trail(const struct rqx__field *field)
{
    switch (field->id) {
    case RQX__FIELD_AUTHORIZATION:
    case RQX__FIELD_CONNECTION:
    case RQX__FIELD_CONTENT_LENGTH:
    case RQX__FIELD_EXPECT:
    case RQX__FIELD_HOST:
    case RQX__FIELD_KEEP_ALIVE:
    case RQX__FIELD_PROXY_AUTHORIZATION:
    case RQX__FIELD_PROXY_CONNECTION:
    case RQX__FIELD_TE:
    case RQX__FIELD_TRAILER:
    case RQX__FIELD_TRANSFER_ENCODING:
    case RQX__FIELD_UPGRADE:
        return false;
    default:
        return true;
    }
}

/* RFC 9110 section 6.6.2: which fields will follow, unless the user said so. */
static char *put_trailer_names(char *at, const struct rqx__head *head)
{
    bool any = false;
    size_t i;

    if (!has_trailers(head) || has_id(deciding(head, RQX__FIELD_TRAILER), RQX__FIELD_TRAILER))
        return at;
    for (i = 0; i < head->trailers->count; i++) {
        const struct rqx__field *field = &head->trailers->fields[i];

        if (!may_trail(field))
            continue;
        at = any ? PUT_LITERAL(at, ", ") : PUT_LITERAL(at, "Trailer: ");
        at = put(at, field->name, field->name_len);
        any = true;
    }
    return any ? PUT_LITERAL(at, "\r\n") : at;
}

static char *put_framing(char *at, const struct rqx__h1_plan *plan)
{
    if (plan->chunked)
        return PUT_LITERAL(at, "Transfer-Encoding: chunked\r\n");
    if (plan->length >= 0)
        at += sprintf(at, "Content-Length: %lld\r\n", (long long)plan->length);
    return at;
}

/* Room for all lines of |fields|, joined or not. */
static size_t measure(const struct rqx_headers *fields)
{
    size_t total = 0;
    size_t i;

    for (i = 0; fields != NULL && i < fields->count; i++)
        total += (size_t)fields->fields[i].name_len + fields->fields[i].value_len + 4;
    return total;
}

static size_t measure_head(const struct rqx__head *head)
{
    return head->method.len + head->target.len + head->authority.len + head->authorization.len + head->cookies.len +
           head->proxy_fields.len + measure(head->fields) + measure(head->defaults) + measure(head->trailers) + EXTRA;
}

int rqx__h1_write_head(struct rqx__buf *out, const struct rqx__head *head, const struct rqx__h1_plan *plan)
{
    char *start;
    char *at;

    if (rqx__buf_reserve(out, measure_head(head)) < 0)
        return RQX_ERR_NOMEM;
    at = start = (char *)rqx__buf_tail(out);
    at = PUT_SLICE(at, head->method);
    *at++ = ' ';
    at = PUT_SLICE(at, head->target);
    at = PUT_LITERAL(at, " HTTP/1.1\r\nHost: ");
    at = PUT_SLICE(at, head->authority);
    at = PUT_LITERAL(at, "\r\n");
    at = put_list(at, head->defaults, head, plan);
    at = put_list(at, head->fields, head, plan);
    at = put_own_cookies(at, head);
    at = put_authorization(at, head);
    at = PUT_SLICE(at, head->proxy_fields);
    at = put_connection(at, head);
    at = put_trailer_names(at, head);
    at = put_framing(at, plan);
    at = PUT_LITERAL(at, "\r\n");
    rqx__buf_commit(out, (size_t)(at - start));
    return 0;
}

int rqx__h1_write_end(struct rqx__buf *out, const struct rqx__head *head)
{
    char *start;
    char *at;
    size_t i;

    if (rqx__buf_reserve(out, measure(head->trailers) + EXTRA) < 0)
        return RQX_ERR_NOMEM;
    at = start = (char *)rqx__buf_tail(out);
    at = PUT_LITERAL(at, LAST_CHUNK);
    for (i = 0; has_trailers(head) && i < head->trailers->count; i++) {
        if (may_trail(&head->trailers->fields[i]))
            at = put_field(at, &head->trailers->fields[i]);
    }
    at = PUT_LITERAL(at, "\r\n");
    rqx__buf_commit(out, (size_t)(at - start));
    return 0;
}

/* ---- chunks: RFC 9112 section 7.1 ---- */

#define CRLF_LEN       2
#define SMALLEST_CHUNK 6 /* one byte: a digit, CR LF, the byte, CR LF */

static size_t hex_digits(size_t value)
{
    size_t digits = 1;

    while (value >>= 4)
        digits++;
    return digits;
}

int rqx__h1_chunk_begin(struct rqx__buf *out, size_t room, uint8_t **ret_data, size_t *ret_cap)
{
    size_t lead;

    *ret_cap = 0;
    if (room < SMALLEST_CHUNK)
        return 0;
    /* digits for as much as may fit, so that a full chunk is where it belongs at once */
    lead = hex_digits(room - SMALLEST_CHUNK + 1) + CRLF_LEN;
    if (rqx__buf_reserve(out, room) < 0)
        return RQX_ERR_NOMEM;
    *ret_data = rqx__buf_tail(out) + lead;
    *ret_cap = room - lead - CRLF_LEN;
    return 0;
}

void rqx__h1_chunk_commit(struct rqx__buf *out, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *start = rqx__buf_tail(out);
    size_t count = hex_digits(len);
    size_t lead = count + CRLF_LEN;
    size_t i;

    /* shorter than there was room for: its size may be shorter too */
    if (data != start + lead)
        memmove(start + lead, data, len);
    for (i = 0; i < count; i++)
        start[i] = (uint8_t)digits[len >> (4 * (count - 1 - i)) & 15];
    memcpy(start + count, "\r\n", CRLF_LEN);
    memcpy(start + lead + len, "\r\n", CRLF_LEN);
    rqx__buf_commit(out, lead + len + CRLF_LEN);
}
