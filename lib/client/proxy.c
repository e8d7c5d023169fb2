#include "client/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/auth.h"
#include "http/headers.h"
#include "http/url.h"
#include "proto/socks.h"

/* Undoes percent-encoding; the result is at most as long.  Gives the length. */
static size_t percent_decode(rqx_slice text, char *out)
{
    size_t used = 0;
    size_t i;

    for (i = 0; i < text.len; i++) {
        int high = i + 2 < text.len && text.data[i] == '%' ? rqx__hex_value((unsigned char)text.data[i + 1]) : -1;
        int low = high >= 0 ? rqx__hex_value((unsigned char)text.data[i + 2]) : -1;

        if (low >= 0) {
            out[used++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[used++] = text.data[i];
        }
    }
    return used;
}

static int append_text(struct rqx__buf *buf, const char *text)
{
    return rqx__buf_append(buf, text, strlen(text));
}

static int append_credentials(struct rqx__buf *fields, rqx_slice user, rqx_slice password)
{
    char *value = NULL;
    size_t len = 0;
    int rv = rqx__basic_value(user, password, &value, &len);

    if (rv < 0)
        return rv;
    rv = append_text(fields, "Proxy-Authorization: ");
    if (rv >= 0)
        rv = rqx__buf_append(fields, value, len);
    if (rv >= 0)
        rv = append_text(fields, "\r\n");
    rqx__free_secret(value, len);
    return rv;
}

char *rqx__userinfo_decode(rqx_slice userinfo, rqx_slice *ret_user, rqx_slice *ret_password)
{
    const char *colon = memchr(userinfo.data, ':', userinfo.len);
    size_t user_len = colon == NULL ? userinfo.len : (size_t)(colon - userinfo.data);
    char *plain = rqx__malloc(userinfo.len + 1);
    size_t used;

    if (plain == NULL)
        return NULL;
    used = percent_decode((rqx_slice){userinfo.data, user_len}, plain);
    *ret_user = (rqx_slice){plain, used};
    *ret_password = (rqx_slice){plain + used, 0};
    if (colon != NULL)
        ret_password->len = percent_decode((rqx_slice){colon + 1, userinfo.len - user_len - 1}, plain + used);
    return plain;
}

static int append_userinfo(struct rqx__buf *fields, rqx_slice userinfo)
{
    rqx_slice user;
    rqx_slice password;
    char *plain = rqx__userinfo_decode(userinfo, &user, &password);
    int rv;

    if (plain == NULL)
        return RQX_ERR_NOMEM;
    rv = append_credentials(fields, user, password);
    rqx__free_secret(plain, userinfo.len + 1);
    return rv;
}

static int append_field(struct rqx__buf *fields, rqx_field field)
{
    int rv = rqx__buf_append(fields, field.name.data, field.name.len);

    if (rv >= 0)
        rv = append_text(fields, ": ");
    if (rv >= 0)
        rv = rqx__buf_append(fields, field.value.data, field.value.len);
    return rv >= 0 ? append_text(fields, "\r\n") : rv;
}

/* Those fields that are, or are not, credentials.  Gives how many, or negative. */
static int append_headers(struct rqx__buf *fields, const rqx_headers *headers, bool secret)
{
    size_t count = headers == NULL ? 0 : rqx_headers_count(headers);
    int found = 0;
    size_t i;
    int rv;

    for (i = 0; i < count; i++) {
        if ((headers->fields[i].id == RQX__FIELD_PROXY_AUTHORIZATION) != secret)
            continue;
        rv = append_field(fields, rqx_headers_at(headers, i));
        if (rv < 0)
            return rv;
        found++;
    }
    return found;
}

/* A Proxy-Authorization of the user's, else the credentials given, else those of the URL. */
static int append_secret(struct rqx__buf *fields, const rqx_url *url, const rqx_proxy_options *options)
{
    rqx_slice userinfo = rqx_url_userinfo(url);
    const char *password = options->password == NULL ? "" : options->password;
    int rv = append_headers(fields, options->headers, true);

    if (rv != 0)
        return rv;
    if (options->user != NULL)
        return append_credentials(fields, (rqx_slice){options->user, strlen(options->user)},
                                  (rqx_slice){password, strlen(password)});
    return userinfo.data == NULL || userinfo.len == 0 ? 0 : append_userinfo(fields, userinfo);
}

static int strip_userinfo(const rqx_url *url, rqx_url **ret_url)
{
    rqx_url_parts parts = {
        .scheme = rqx_url_scheme(url), .host = rqx_url_host(url), .port = rqx_url_port(url), .path = rqx_url_path(url)};

    return rqx_url_build(&parts, NULL, ret_url);
}

void rqx_proxy_options_init(rqx_proxy_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
}

/* What a scheme means. */
static const struct kind {
    const char *scheme;
    int port;
    bool tls;
    enum rqx__dial_route route;
} kinds[] = {
    {"http", 80, false, RQX__ROUTE_CONNECT},
    {"https", 443, true, RQX__ROUTE_CONNECT},
    {"socks5", 1080, false, RQX__ROUTE_SOCKS5},
    {"socks5h", 1080, false, RQX__ROUTE_SOCKS5H},
};

static const struct kind *kind_of(rqx_slice scheme)
{
    size_t i;

    for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (rqx__eq(scheme.data, scheme.len, kinds[i].scheme, strlen(kinds[i].scheme)))
            return &kinds[i];
    }
    return NULL;
}

static int set_fields(struct rqx_proxy *proxy, const rqx_url *url, const rqx_proxy_options *options)
{
    struct rqx__buf fields;
    int rv;

    rqx__buf_init(&fields, RQX__HEADERS_MAX_BYTES);
    rv = append_headers(&fields, options->headers, false);
    proxy->secret_at = fields.len;
    if (rv >= 0)
        rv = append_secret(&fields, url, options);
    proxy->fields = (char *)fields.data;
    proxy->fields_len = fields.len;
    return rv == RQX_ERR_BODY_TOO_LARGE ? RQX_ERR_INVALID_ARGUMENT : rv;
}

/* Each has one byte for its length (RFC 1929 section 2). */
static int set_password(struct rqx_proxy *proxy, rqx_slice user, rqx_slice password)
{
    if (user.len > RQX__SOCKS_TEXT_MAX || password.len > RQX__SOCKS_TEXT_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    proxy->user = rqx__malloc(user.len + password.len + 1);
    if (proxy->user == NULL)
        return RQX_ERR_NOMEM;
    proxy->user_len = user.len;
    proxy->password_len = password.len;
    memcpy(proxy->user, user.data, user.len);
    memcpy(proxy->user + user.len, password.data, password.len);
    return 0;
}

/* SOCKS5 has no fields, but credentials as they are. */
static int set_socks(struct rqx_proxy *proxy, const rqx_url *url, const rqx_proxy_options *options)
{
    rqx_slice userinfo = rqx_url_userinfo(url);
    const char *password = options->password == NULL ? "" : options->password;
    rqx_slice user_part;
    rqx_slice password_part;
    char *plain;
    int rv;

    if (options->user != NULL)
        return set_password(proxy, (rqx_slice){options->user, strlen(options->user)},
                            (rqx_slice){password, strlen(password)});
    if (userinfo.data == NULL || userinfo.len == 0)
        return 0;
    plain = rqx__userinfo_decode(userinfo, &user_part, &password_part);
    if (plain == NULL)
        return RQX_ERR_NOMEM;
    rv = set_password(proxy, user_part, password_part);
    rqx__free_secret(plain, userinfo.len + 1);
    return rv;
}

static int fill(struct rqx_proxy *proxy, const struct kind *kind, const rqx_url *url, const rqx_proxy_options *options)
{
    int rv = strip_userinfo(url, &proxy->url);

    proxy->port = rqx_url_port(url) >= 0 ? rqx_url_port(url) : kind->port;
    proxy->route = kind->route;
    if (rv >= 0)
        rv = kind->route == RQX__ROUTE_CONNECT ? set_fields(proxy, url, options) : set_socks(proxy, url, options);
    if (rv < 0 || !kind->tls)
        return rv;
    if (options->tls == NULL)
        return rqx_tls_new(NULL, &proxy->tls);
    proxy->tls = rqx_tls_ref(options->tls);
    return 0;
}

int rqx_proxy_new(const rqx_url *url, const rqx_proxy_options *options, rqx_proxy **ret_proxy)
{
    const struct kind *kind = kind_of(rqx_url_scheme(url));
    rqx_slice host = rqx_url_host(url);
    rqx_proxy_options defaults;
    struct rqx_proxy *proxy;
    int rv;

    if (options == NULL) {
        rqx_proxy_options_init(&defaults);
        options = &defaults;
    }
    if (options->struct_size < sizeof *options)
        return RQX_ERR_INVALID_ARGUMENT;
    if (kind == NULL)
        return RQX_ERR_UNSUPPORTED_SCHEME;
    if (host.data == NULL || host.len == 0 || rqx_url_port(url) > RQX__PORT_MAX)
        return RQX_ERR_INVALID_URL;
    proxy = rqx__calloc(1, sizeof *proxy);
    if (proxy == NULL)
        return RQX_ERR_NOMEM;
    atomic_init(&proxy->refs, 1);
    rv = fill(proxy, kind, url, options);
    if (rv < 0) {
        rqx_proxy_unref(proxy);
        return rv;
    }
    *ret_proxy = proxy;
    return 0;
}

rqx_proxy *rqx_proxy_ref(rqx_proxy *proxy)
{
    atomic_fetch_add_explicit(&proxy->refs, 1, memory_order_relaxed);
    return proxy;
}

void rqx_proxy_unref(rqx_proxy *proxy)
{
    if (proxy == NULL || atomic_fetch_sub_explicit(&proxy->refs, 1, memory_order_acq_rel) != 1)
        return;
    rqx__free_secret(proxy->fields, proxy->fields_len);
    rqx__free_secret(proxy->user, proxy->user_len + proxy->password_len);
    rqx_tls_unref(proxy->tls);
    rqx_url_unref(proxy->url);
    rqx__free(proxy);
}

const rqx_url *rqx_proxy_url(const rqx_proxy *proxy)
{
    return proxy->url;
}
