#include "client/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/auth.h"
#include "http/headers.h"
#include "http/url.h"

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

static int append_headers(struct rqx__buf *fields, const rqx_headers *headers)
{
    size_t i;
    int rv = 0;

    for (i = 0; i < rqx_headers_count(headers) && rv >= 0; i++) {
        rqx_field field = rqx_headers_at(headers, i);

        rv = rqx__buf_append(fields, field.name.data, field.name.len);
        if (rv >= 0)
            rv = append_text(fields, ": ");
        if (rv >= 0)
            rv = rqx__buf_append(fields, field.value.data, field.value.len);
        if (rv >= 0)
            rv = append_text(fields, "\r\n");
    }
    return rv;
}

static int make_fields(struct rqx__buf *fields, const rqx_url *url, const char *user, const char *password,
                       const rqx_headers *headers)
{
    rqx_slice userinfo = rqx_url_userinfo(url);
    int rv = 0;

    if (headers != NULL)
        rv = append_headers(fields, headers);
    if (rv < 0 || (headers != NULL && rqx__headers_find(headers, RQX__FIELD_PROXY_AUTHORIZATION, 0) != NULL))
        return rv;
    if (user != NULL) {
        const char *secret = password == NULL ? "" : password;

        return append_credentials(fields, (rqx_slice){user, strlen(user)}, (rqx_slice){secret, strlen(secret)});
    }
    return userinfo.data == NULL || userinfo.len == 0 ? 0 : append_userinfo(fields, userinfo);
}

static int strip_userinfo(const rqx_url *url, rqx_url **ret_url)
{
    rqx_url_parts parts = {
        .scheme = rqx_url_scheme(url), .host = rqx_url_host(url), .port = rqx_url_port(url), .path = rqx_url_path(url)};

    return rqx_url_build(&parts, NULL, ret_url);
}

int rqx_proxy_new(const rqx_url *url, const char *user, const char *password, const rqx_headers *headers,
                  rqx_proxy **ret_proxy)
{
    rqx_slice scheme = rqx_url_scheme(url);
    rqx_slice host = rqx_url_host(url);
    struct rqx__buf fields;
    struct rqx_proxy *proxy;
    int rv;

    if (!rqx__eq(scheme.data, scheme.len, "http", 4))
        return RQX_ERR_UNSUPPORTED_SCHEME;
    if (host.data == NULL || host.len == 0 || rqx_url_effective_port(url) > RQX__PORT_MAX)
        return RQX_ERR_INVALID_URL;
    proxy = rqx__calloc(1, sizeof *proxy);
    if (proxy == NULL)
        return RQX_ERR_NOMEM;
    rqx__buf_init(&fields, RQX__HEADERS_MAX_BYTES);
    rv = make_fields(&fields, url, user, password, headers);
    if (rv >= 0)
        rv = strip_userinfo(url, &proxy->url);
    if (rv < 0) {
        rqx__buf_done(&fields);
        rqx__free(proxy);
        return rv == RQX_ERR_BODY_TOO_LARGE ? RQX_ERR_INVALID_ARGUMENT : rv;
    }
    atomic_init(&proxy->refs, 1);
    proxy->fields = (char *)fields.data;
    proxy->fields_len = fields.len;
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
    rqx_url_unref(proxy->url);
    rqx__free(proxy);
}

const rqx_url *rqx_proxy_url(const rqx_proxy *proxy)
{
    return proxy->url;
}
