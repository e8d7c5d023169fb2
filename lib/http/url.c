/* What is asked of a URL, and the two ways to make one. */
#include "http/url.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return RQX_ERR_INVALID_URL;
}

/* More than RQX_URL_MAX characters.  Bytes that continue a UTF-8 sequence are not counted. */
static bool too_long(const char *text, size_t len)
{
    size_t count = 0;
    size_t i;

    if (len <= RQX_URL_MAX)
        return false;
    if (len > RQX__URL_BYTES_MAX)
        return true;
    for (i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count > RQX_URL_MAX;
}

int rqx_url_parse(const char *text, size_t len, const char **ret_why, rqx_url **ret_url)
{
    struct rqx__url_pieces pieces;
    const char *why;
    int rv;

    if (ret_why == NULL)
        ret_why = &why;
    if (too_long(text, len))
        return refuse(RQX__WHY_TOO_LONG, ret_why);
    rv = rqx__url_split(text, len, ret_why, &pieces);
    return rv < 0 ? rv : rqx__url_assemble(&pieces, ret_why, ret_url);
}

/* One component of rqx_url_parts, and what is said of it. */
struct component {
    rqx_slice text;
    unsigned ends; /* classes that would end it, were it part of a text */
    const char *too_long;
    const char *control;
    const char *invalid;
};

#define COMPONENT(name_, text_, ends_)                                                                                 \
    {                                                                                                                  \
        text_, ends_, "URL component '" name_ "' too long",                                                            \
            "Invalid non-printable ASCII character in URL " name_ " component", "Invalid URL component '" name_ "'"    \
    }

static bool is_scheme(rqx_slice text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (!(rqx__url_class_of(text.data[i]) & RQX__URL_SCHEME))
            return false;
    }
    return text.len == 0 || (rqx__lower((unsigned char)text.data[0]) >= 'a');
}

static int check_components(const rqx_url_parts *parts, const char **ret_why)
{
    const struct component components[] = {
        COMPONENT("scheme", parts->scheme, 0),
        COMPONENT("userinfo", parts->userinfo, 0),
        COMPONENT("host", parts->host, 0),
        COMPONENT("path", parts->path, RQX__URL_END_PATH),
        COMPONENT("query", parts->query, RQX__URL_END_QUERY),
        COMPONENT("fragment", parts->fragment, 0),
    };
    size_t i;

    for (i = 0; i < sizeof components / sizeof components[0]; i++) {
        const struct component *component = &components[i];
        unsigned seen;

        if (too_long(component->text.data, component->text.len))
            return refuse(component->too_long, ret_why);
        seen = rqx__url_classes_in(component->text);
        if (seen & RQX__URL_CONTROL)
            return refuse(component->control, ret_why);
        if ((seen & component->ends) || (i == 0 && !is_scheme(component->text)) ||
            (i == 1 && rqx__url_find(component->text, '@') != NULL))
            return refuse(component->invalid, ret_why);
    }
    return 0;
}

static bool is_bracketed(rqx_slice host)
{
    return host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
}

int rqx_url_build(const rqx_url_parts *parts, const char **ret_why, rqx_url **ret_url)
{
    struct rqx__url_pieces pieces = {
        .scheme = parts->scheme,
        .userinfo = parts->userinfo,
        .host = parts->host,
        .path = parts->path,
        .query = parts->query,
        .fragment = parts->fragment,
    };
    const char *why;
    char *bracketed = NULL;
    char port[16];
    int rv;

    if (ret_why == NULL)
        ret_why = &why;
    rv = check_components(parts, ret_why);
    if (rv < 0)
        return rv;
    if (parts->port >= 0)
        pieces.port = (rqx_slice){port, (size_t)snprintf(port, sizeof port, "%d", parts->port)};
    else if (parts->port != -1)
        return refuse(RQX__WHY_PORT, ret_why);
    if (rqx__url_find(parts->host, ':') != NULL && !is_bracketed(parts->host)) {
        bracketed = rqx__malloc(parts->host.len + 2);
        if (bracketed == NULL)
            return RQX_ERR_NOMEM;
        bracketed[0] = '[';
        memcpy(bracketed + 1, parts->host.data, parts->host.len);
        bracketed[parts->host.len + 1] = ']';
        pieces.host = (rqx_slice){bracketed, parts->host.len + 2};
    }
    rv = rqx__url_assemble(&pieces, ret_why, ret_url);
    rqx__free(bracketed);
    return rv;
}

rqx_url *rqx_url_ref(rqx_url *url)
{
    atomic_fetch_add_explicit(&url->refs, 1, memory_order_relaxed);
    return url;
}

void rqx_url_unref(rqx_url *url)
{
    if (url != NULL && atomic_fetch_sub_explicit(&url->refs, 1, memory_order_acq_rel) == 1)
        rqx__free(url);
}

rqx_slice rqx_url_text(const rqx_url *url)
{
    return url->text;
}

rqx_slice rqx_url_scheme(const rqx_url *url)
{
    return url->scheme;
}

rqx_slice rqx_url_userinfo(const rqx_url *url)
{
    return url->userinfo;
}

rqx_slice rqx_url_host(const rqx_url *url)
{
    return url->host;
}

int rqx_url_port(const rqx_url *url)
{
    return url->port;
}

int rqx_url_effective_port(const rqx_url *url)
{
    return url->effective_port;
}

rqx_slice rqx_url_authority(const rqx_url *url)
{
    return url->authority;
}

rqx_slice rqx_url_path(const rqx_url *url)
{
    return url->path.len == 0 && url->netloc.data != NULL ? RQX__LIT("/") : url->path;
}

rqx_slice rqx_url_query(const rqx_url *url)
{
    return url->query;
}

rqx_slice rqx_url_target(const rqx_url *url)
{
    return url->target;
}

rqx_slice rqx_url_fragment(const rqx_url *url)
{
    return url->fragment;
}

rqx_slice rqx__url_origin_key(const rqx_url *url)
{
    return url->origin_key;
}

void rqx_url_split(const rqx_url *url, rqx_url_parts *ret_parts)
{
    *ret_parts = (rqx_url_parts){
        .scheme = url->scheme,
        .userinfo = url->userinfo,
        .host = url->host,
        .port = url->port,
        .path = url->path,
        .query = url->query,
        .fragment = url->fragment,
    };
}

static bool equal(rqx_slice a, rqx_slice b)
{
    return rqx__eq(a.data, a.len, b.data, b.len);
}

int rqx_url_same_origin(const rqx_url *a, const rqx_url *b)
{
    return equal(a->scheme, b->scheme) && equal(a->host, b->host) && a->effective_port == b->effective_port;
}
