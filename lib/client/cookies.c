#include "client/cookies.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/exchange.h"

static int64_t wall_clock(void)
{
    return (int64_t)time(NULL);
}

void rqx__cookies_forget(struct rqx__hop *hop)
{
    if (hop->cookies != NULL)
        rqx__free_secret(hop->cookies, strlen(hop->cookies));
    hop->cookies = NULL;
}

/* Cuts the first pair off. */
static rqx_slice next_pair(rqx_slice *text)
{
    const char *end = text->len > 0 ? memchr(text->data, ';', text->len) : NULL;
    rqx_slice pair = {text->data, end != NULL ? (size_t)(end - text->data) : text->len};
    size_t taken = end != NULL ? pair.len + 1 : pair.len;

    text->data += taken;
    text->len -= taken;
    return rqx__trim(pair);
}

static rqx_slice name_of(rqx_slice pair)
{
    const char *sign = pair.len > 0 ? memchr(pair.data, '=', pair.len) : NULL;

    return rqx__trim((rqx_slice){pair.data, sign != NULL ? (size_t)(sign - pair.data) : pair.len});
}

/* Whether a Cookie field of |fields| has that name. */
static bool has_name(const struct rqx_headers *fields, rqx_slice name)
{
    const struct rqx__field *field = rqx__headers_find(fields, RQX__FIELD_COOKIE, 0);

    while (field != NULL) {
        rqx_slice rest = {field->value, field->value_len};

        while (rest.len > 0) {
            rqx_slice other = name_of(next_pair(&rest));

            if (rqx__eq(name.data, name.len, other.data, other.len))
                return true;
        }
        field = rqx__headers_find(fields, RQX__FIELD_COOKIE, (size_t)(field - fields->fields) + 1);
    }
    return false;
}

/* Takes the pairs out of |text| whose names |fields| have; what is left moves together.  Gives its length. */
static size_t leave_out(char *text, const struct rqx_headers *fields)
{
    rqx_slice rest = {text, strlen(text)};
    size_t len = 0;

    while (rest.len > 0) {
        rqx_slice pair = next_pair(&rest);

        if (has_name(fields, name_of(pair)))
            continue;
        if (len > 0) {
            text[len++] = ';';
            text[len++] = ' ';
        }
        memmove(text + len, pair.data, pair.len);
        len += pair.len;
    }
    return len;
}

int rqx__cookies_send(struct rqx__exchange *exchange)
{
    struct rqx__head *head = &exchange->head;
    const struct rqx_headers *fields = head->fields;
    size_t len;
    int rv;

    rqx__cookies_forget(&exchange->hop);
    head->cookies = (rqx_slice){NULL, 0};
    rv = rqx_cookies_field(exchange->client->options.cookies, exchange->hop.url, wall_clock(), &exchange->hop.cookies);
    if (rv < 0 || exchange->hop.cookies == NULL)
        return rv;
    if (rqx__headers_find(fields, RQX__FIELD_COOKIE, 0) == NULL && head->defaults != NULL)
        fields = head->defaults;
    if (rqx__headers_find(fields, RQX__FIELD_COOKIE, 0) == NULL)
        len = strlen(exchange->hop.cookies);
    else
        len = leave_out(exchange->hop.cookies, fields);
    if (len > 0)
        head->cookies = (rqx_slice){exchange->hop.cookies, len};
    return 0;
}

int rqx__cookies_receive(struct rqx__exchange *exchange)
{
    const struct rqx_headers *fields = &exchange->response.headers;
    const struct rqx__field *field = rqx__headers_find(fields, RQX__FIELD_SET_COOKIE, 0);
    int64_t now = field != NULL ? wall_clock() : 0;

    while (field != NULL) {
        int rv = rqx_cookies_set_from(exchange->client->options.cookies, exchange->hop.url, field->value,
                                      field->value_len, now);

        if (rv < 0)
            return rv;
        field = rqx__headers_find(fields, RQX__FIELD_SET_COOKIE, (size_t)(field - fields->fields) + 1);
    }
    return 0;
}
