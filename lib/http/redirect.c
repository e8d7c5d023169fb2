#include "http/redirect.h"

#include <string.h>

#include "base/str.h"
#include "http/url.h"

bool rqx__redirect_status(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

rqx_slice rqx__redirect_method(int status, rqx_slice method)
{
    bool to_get;

    /* methods are case-sensitive */
    if (status == 303 || status == 302)
        to_get = !rqx__eq(method.data, method.len, "HEAD", 4);
    else
        to_get = status == 301 && rqx__eq(method.data, method.len, "POST", 4);
    /* the caller sees by the pointer that nothing changes, and keeps the body */
    if (!to_get || rqx__eq(method.data, method.len, "GET", 3))
        return method;
    return RQX__LIT("GET");
}

static bool is_http(rqx_slice scheme)
{
    return rqx__eq(scheme.data, scheme.len, "http", 4) || rqx__eq(scheme.data, scheme.len, "https", 5);
}

/* |*url| with other parts; the old one is given back. */
static int rebuild(rqx_url **url, const rqx_url_parts *parts, const char **ret_why)
{
    rqx_url *built;
    int rv = rqx_url_build(parts, ret_why, &built);

    if (rv < 0)
        return rv;
    rqx_url_unref(*url);
    *url = built;
    return 0;
}

/* Completes |*url|, the parsed location. */
static int complete(const rqx_url *base, rqx_url **url, const char **ret_why)
{
    rqx_url_parts parts;
    rqx_url *joined;
    int rv;

    rqx_url_split(*url, &parts);
    if (parts.scheme.len > 0 && parts.host.len == 0) {
        /* "https:///path": some servers leave the host out */
        parts.host = rqx_url_host(base);
        return rebuild(url, &parts, ret_why);
    }
    if (parts.scheme.len > 0)
        return 0;
    rv = rqx_url_join(base, (*url)->text.data, (*url)->text.len, ret_why, &joined);
    if (rv < 0)
        return rv;
    rqx_url_unref(*url);
    *url = joined;
    return 0;
}

/* RFC 9110 section 10.2.2 */
static int inherit_fragment(const rqx_url *base, rqx_url **url, const char **ret_why)
{
    rqx_url_parts parts;

    if (base->fragment.len == 0 || (*url)->fragment.len > 0)
        return 0;
    rqx_url_split(*url, &parts);
    parts.fragment = base->fragment;
    return rebuild(url, &parts, ret_why);
}

int rqx__redirect_url(const rqx_url *base, rqx_slice location, rqx_url **ret_url, struct rqx__err *err)
{
    const char *why = "no host";
    rqx_url *url = NULL;
    int rv = rqx_url_parse(location.data, location.len, &why, &url);

    if (rv == 0 && url->scheme.len > 0 && !is_http(url->scheme)) {
        rqx__err_set(err, RQX_ERR_UNSUPPORTED_SCHEME, "redirect to the unsupported scheme '%.*s'",
                     url->scheme.len < 32 ? (int)url->scheme.len : 32, url->scheme.data);
        rqx_url_unref(url);
        return RQX_ERR_UNSUPPORTED_SCHEME;
    }
    if (rv == 0)
        rv = complete(base, &url, &why);
    if (rv == 0)
        rv = inherit_fragment(base, &url, &why);
    if (rv == 0 && url->host.len == 0)
        rv = RQX_ERR_INVALID_URL;
    if (rv == 0 && url->effective_port > RQX__PORT_MAX) {
        why = RQX__WHY_PORT;
        rv = RQX_ERR_INVALID_URL;
    }
    if (rv < 0) {
        rqx_url_unref(url);
        return rv == RQX_ERR_INVALID_URL
                   ? rqx__err_set(err, RQX_ERR_PROTOCOL, "invalid URL in the location field: %s", why)
                   : rqx__err_set(err, rv, NULL);
    }
    *ret_url = url;
    return 0;
}

bool rqx__redirect_keeps_auth(const rqx_url *from, const rqx_url *to)
{
    if (rqx_url_same_origin(from, to))
        return true;
    return rqx__eq(from->host.data, from->host.len, to->host.data, to->host.len) &&
           rqx__eq(from->scheme.data, from->scheme.len, "http", 4) && from->effective_port == 80 &&
           rqx__eq(to->scheme.data, to->scheme.len, "https", 5) && to->effective_port == 443;
}

/* Fields that speak of the body (RFC 9110 section 15.4). */
static bool is_of_body(const struct rqx__field *field)
{
    static const char *const names[] = {"content-type", "content-language", "content-location"};
    size_t i;

    switch (field->id) {
    case RQX__FIELD_CONTENT_LENGTH:
    case RQX__FIELD_CONTENT_ENCODING:
    case RQX__FIELD_TRANSFER_ENCODING:
    case RQX__FIELD_TRAILER:
    case RQX__FIELD_EXPECT:
        return true;
    case RQX__FIELD_OTHER:
        break;
    default:
        return false;
    }
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (rqx__eq(field->lname, field->name_len, names[i], strlen(names[i])))
            return true;
    }
    return false;
}

static bool goes_along(const struct rqx__field *field, bool keep_auth, bool drop_body)
{
    switch (field->id) {
    case RQX__FIELD_HOST:
        return false;
    case RQX__FIELD_AUTHORIZATION:
    case RQX__FIELD_COOKIE:
    case RQX__FIELD_PROXY_AUTHORIZATION:
        return keep_auth;
    default:
        return !drop_body || !is_of_body(field);
    }
}

int rqx__redirect_fields(const struct rqx_headers *fields, bool keep_auth, bool drop_body,
                         struct rqx_headers **ret_fields)
{
    struct rqx_headers *copy;
    size_t i;
    int rv = rqx_headers_new(&copy);

    for (i = 0; rv == 0 && i < fields->count; i++) {
        const struct rqx__field *field = &fields->fields[i];

        if (goes_along(field, keep_auth, drop_body))
            rv = rqx__headers_add_checked(copy, field->name, field->name_len, field->value, field->value_len);
        if (rv < 0)
            rqx_headers_free(copy);
    }
    if (rv < 0)
        return rv;
    *ret_fields = copy;
    return 0;
}
