/*
 * hop.c - what is sent at each hop of an exchange: the request itself, then what redirects make of it (RFC 9110
 * section 15.4).
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/cookies.h"
#include "client/digest.h"
#include "client/exchange.h"
#include "client/proxy.h"
#include "http/auth.h"
#include "http/netrc.h"
#include "http/redirect.h"

static void clear_own_auth(struct rqx__hop *hop)
{
    rqx__free_secret(hop->own_auth, hop->own_auth_len);
    hop->own_auth = NULL;
    hop->own_auth_len = 0;
}

void rqx__hop_done(struct rqx__hop *hop)
{
    clear_own_auth(hop);
    rqx__cookies_forget(hop);
    rqx__free(hop->target);
    rqx_headers_free(hop->fields);
    rqx_url_unref(hop->url);
    memset(hop, 0, sizeof *hop);
}

void rqx__hop_first(struct rqx__exchange *exchange)
{
    struct rqx_request *request = exchange->request;

    exchange->hop.url = rqx_url_ref(request->url);
    exchange->hop.method = request->method;
    exchange->hop.method_len = request->method_len;
    exchange->response.url = rqx_url_ref(request->url);
}

/* ---- the head ---- */

static int userinfo_value(struct rqx__hop *hop, rqx_slice userinfo)
{
    rqx_slice user;
    rqx_slice password;
    char *plain = rqx__userinfo_decode(userinfo, &user, &password);
    int rv;

    if (plain == NULL)
        return RQX_ERR_NOMEM;
    rv = rqx__basic_value(user, password, &hop->own_auth, &hop->own_auth_len);
    rqx__free_secret(plain, userinfo.len + 1);
    return rv;
}

rqx_auth *rqx__hop_auth(const struct rqx__exchange *exchange)
{
    const struct rqx_request *request = exchange->request;

    if (exchange->hop.drop_auth)
        return NULL;
    return request->auth != NULL || request->no_auth ? request->auth : exchange->client->options.auth;
}

/* What the client's netrc file has for the host, unless the user's own fields say who it is. */
static void choose_netrc(struct rqx__exchange *exchange)
{
    const struct rqx__netrc *netrc = exchange->client->netrc;
    const struct rqx_headers *defaults = exchange->head.defaults;
    rqx_auth *auth;

    if (netrc == NULL || exchange->hop.drop_auth)
        return;
    if (defaults != NULL && rqx__headers_find(defaults, RQX__FIELD_AUTHORIZATION, 0) != NULL)
        return;
    auth = rqx__netrc_find(netrc, rqx_url_host(exchange->hop.url));
    if (auth != NULL)
        exchange->head.authorization = rqx_auth_value(auth);
}

/* The request's credentials, else the client's, else those in the URL, else those of the netrc file. */
static int choose_auth(struct rqx__exchange *exchange)
{
    struct rqx_request *request = exchange->request;
    rqx_slice userinfo = rqx_url_userinfo(exchange->hop.url);
    rqx_auth *auth = request->auth != NULL || request->no_auth ? request->auth : exchange->client->options.auth;
    int rv;

    exchange->head.authorization = (rqx_slice){NULL, 0};
    clear_own_auth(&exchange->hop);
    if (auth != NULL && auth->sessions != NULL && !exchange->hop.drop_auth) {
        return rqx__digest_send(exchange, auth);
    } else if (auth != NULL && !exchange->hop.drop_auth) {
        exchange->head.authorization = rqx_auth_value(auth);
    } else if (auth == NULL && !request->no_auth && userinfo.data != NULL && userinfo.len != 0) {
        rv = userinfo_value(&exchange->hop, userinfo);
        if (rv < 0)
            return rv;
        exchange->head.authorization = (rqx_slice){exchange->hop.own_auth, exchange->hop.own_auth_len};
    } else if (auth == NULL && !request->no_auth) {
        choose_netrc(exchange);
    }
    return 0;
}

/* "http://authority/path?query", which a proxy is asked for in clear (RFC 9112 section 3.2.2). */
static int absolute_target(struct rqx__hop *hop, rqx_slice *ret_target)
{
    rqx_slice authority = rqx_url_authority(hop->url);
    rqx_slice target = rqx_url_target(hop->url);
    size_t len = 7 + authority.len + target.len;

    rqx__free(hop->target);
    hop->target = rqx__malloc(len + 1);
    if (hop->target == NULL)
        return RQX_ERR_NOMEM;
    memcpy(hop->target, "http://", 7);
    memcpy(hop->target + 7, authority.data, authority.len);
    memcpy(hop->target + 7 + authority.len, target.data, target.len);
    hop->target[len] = '\0';
    *ret_target = (rqx_slice){hop->target, len};
    return 0;
}

/* What goes to the proxy alone: where the user wrote credentials for it, they are the ones. */
static void choose_proxy_fields(struct rqx__exchange *exchange, bool secure)
{
    const rqx_proxy *proxy = exchange->hop.proxy;
    struct rqx__head *head = &exchange->head;
    bool forwards = rqx__proxy_forwards(proxy, secure);
    bool written;

    head->in_tunnel = proxy != NULL && !forwards;
    head->proxy_fields = (rqx_slice){"", 0};
    if (!forwards)
        return;
    written = rqx__headers_find(head->fields, RQX__FIELD_PROXY_AUTHORIZATION, 0) != NULL ||
              (head->defaults != NULL && rqx__headers_find(head->defaults, RQX__FIELD_PROXY_AUTHORIZATION, 0) != NULL);
    head->proxy_fields = (rqx_slice){proxy->fields, written ? proxy->secret_at : proxy->fields_len};
}

static int choose_target(struct rqx__exchange *exchange)
{
    struct rqx_request *request = exchange->request;
    struct rqx__hop *hop = &exchange->hop;
    struct rqx__head *head = &exchange->head;
    bool secure = head->scheme.len == 5;

    hop->proxy = request->proxy;
    if (hop->proxy == NULL && !request->direct)
        hop->proxy = rqx__client_proxy_for(exchange->client, hop->url);
    head->target = rqx_url_target(hop->url);
    choose_proxy_fields(exchange, secure);
    if (request->target != NULL && hop->url == request->url)
        head->target = (rqx_slice){request->target, request->target_len};
    else if (rqx__proxy_forwards(hop->proxy, secure))
        return absolute_target(hop, &head->target);
    return 0;
}

static bool sends_zero_length(const struct rqx__hop *hop)
{
    return rqx__eq(hop->method, hop->method_len, "POST", 4) || rqx__eq(hop->method, hop->method_len, "PUT", 3) ||
           rqx__eq(hop->method, hop->method_len, "PATCH", 5);
}

static bool expects_continue(const struct rqx_headers *fields)
{
    const struct rqx__field *expect = rqx__headers_find(fields, RQX__FIELD_EXPECT, 0);

    return expect != NULL && rqx__list_has((rqx_slice){expect->value, expect->value_len}, "100-continue");
}

int rqx__hop_head(struct rqx__exchange *exchange)
{
    struct rqx_request *request = exchange->request;
    struct rqx__hop *hop = &exchange->hop;
    struct rqx__head *head = &exchange->head;
    const struct rqx_headers *fields = hop->fields != NULL ? hop->fields : &request->headers;
    const struct rqx__field *host = rqx__headers_find(fields, RQX__FIELD_HOST, 0);
    int rv;

    head->method = (rqx_slice){hop->method, hop->method_len};
    head->scheme = rqx_url_scheme(hop->url);
    head->authority = host != NULL ? (rqx_slice){host->value, host->value_len} : rqx_url_authority(hop->url);
    head->fields = fields;
    head->defaults = hop->drop_auth ? exchange->client->defaults_elsewhere : exchange->client->defaults;
    rv = choose_auth(exchange);
    if (rv >= 0 && exchange->client->options.cookies != NULL)
        rv = rqx__cookies_send(exchange);
    if (rv >= 0)
        rv = choose_target(exchange);
    if (rv < 0)
        return rv;
    head->has_body = request->body.kind != RQX__BODY_NONE && !hop->drop_body;
    head->body_length = head->has_body ? request->body.length : 0;
    head->trailers = head->has_body ? request->trailers : NULL;
    head->send_zero_length = !head->has_body && sends_zero_length(hop);
    head->expect_continue = head->has_body && expects_continue(fields);
    exchange->upload.body = head->has_body ? &request->body : NULL;
    return 0;
}

int rqx__hop_drop_expect(struct rqx__exchange *exchange)
{
    struct rqx__hop *hop = &exchange->hop;
    int rv = 0;

    if (hop->fields == NULL)
        rv = rqx_headers_copy(&exchange->request->headers, &hop->fields);
    if (rv < 0)
        return rv;
    rqx_headers_remove(hop->fields, "expect", 6);
    return 0;
}

/* ---- redirects ---- */

int rqx__hop_wanted(struct rqx__exchange *exchange, struct rqx__err *err)
{
    struct rqx_response *response = &exchange->response;
    int limit = exchange->request->max_redirects >= 0 ? exchange->request->max_redirects
                                                      : exchange->client->options.max_redirects;

    if (limit == 0 || !rqx__redirect_status(response->status) ||
        rqx__headers_find(&response->headers, RQX__FIELD_LOCATION, 0) == NULL)
        return 0;
    if (exchange->redirects_left == 0)
        return rqx__err_set(err, RQX_ERR_TOO_MANY_REDIRECTS, "more than %d redirects", limit);
    exchange->redirecting = true;
    return 1;
}

int rqx__hop_next(struct rqx__exchange *exchange, struct rqx__err *err)
{
    struct rqx_response *response = &exchange->response;
    struct rqx__hop *hop = &exchange->hop;
    const struct rqx__field *location = rqx__headers_find(&response->headers, RQX__FIELD_LOCATION, 0);
    rqx_slice method = rqx__redirect_method(response->status, (rqx_slice){hop->method, hop->method_len});
    const struct rqx_headers *fields = hop->fields != NULL ? hop->fields : &exchange->request->headers;
    struct rqx_headers *next_fields = NULL;
    rqx_url *next_url = NULL;
    bool drop_body = method.data != hop->method;
    bool keep_auth;
    int rv = rqx__redirect_url(hop->url, (rqx_slice){location->value, location->value_len}, &next_url, err);

    if (rv < 0)
        return rv;
    keep_auth = rqx__redirect_keeps_auth(hop->url, next_url);
    rv = rqx__redirect_fields(fields, keep_auth, drop_body, &next_fields);
    if (rv >= 0)
        rv = rqx__response_push_history(response);
    if (rv < 0) {
        rqx_headers_free(next_fields);
        rqx_url_unref(next_url);
        return rv;
    }
    exchange->redirects_left--;
    exchange->redirecting = false;
    hop->challenged = hop->stale = false;
    rqx_headers_free(hop->fields);
    rqx_url_unref(hop->url);
    rqx_url_unref(response->url);
    hop->url = next_url;
    hop->fields = next_fields;
    hop->method = method.data;
    hop->method_len = method.len;
    hop->drop_body = hop->drop_body || drop_body;
    hop->drop_auth = hop->drop_auth || !keep_auth;
    response->url = rqx_url_ref(next_url);
    return 0;
}
