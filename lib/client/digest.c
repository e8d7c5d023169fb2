#include "client/digest.h"

#include "base/str.h"
#include "client/exchange.h"
#include "http/auth.h"
#include "http/auth_digest.h"
#include "http/url.h"
#include "net/hash.h"

/* Largest body that is hashed: that happens under the engine's lock, and all others wait. */
#define HASHED_MAX (1024 * 1024)

/* What auth-int covers; false: it is not known before it is sent, or too large. */
static bool know_body(const struct rqx__exchange *exchange, rqx_slice *ret_body)
{
    const struct rqx__body *body = &exchange->request->body;

    *ret_body = (rqx_slice){"", 0};
    if (body->kind == RQX__BODY_NONE || exchange->hop.drop_body)
        return true;
    if (body->kind != RQX__BODY_BYTES || body->length > HASHED_MAX)
        return false;
    *ret_body = (rqx_slice){(const char *)body->bytes, (size_t)body->length};
    return true;
}

int rqx__digest_send(struct rqx__exchange *exchange, rqx_auth *auth)
{
    const struct rqx_request *request = exchange->request;
    struct rqx__hop *hop = &exchange->hop;
    struct rqx__digest_use use = {.method = {hop->method, hop->method_len}, .target = rqx_url_target(hop->url)};
    int rv;

    if (request->target != NULL && hop->url == request->url)
        use.target = (rqx_slice){request->target, request->target_len};
    use.body_known = know_body(exchange, &use.body);
    rv =
        rqx__auth_answer(auth, rqx__url_origin_key(hop->url), &rqx__hash_ops, &use, &hop->own_auth, &hop->own_auth_len);
    if (rv == 1)
        exchange->head.authorization = (rqx_slice){hop->own_auth, hop->own_auth_len};
    return rv < 0 ? rv : 0;
}

static bool is_named(const struct rqx__field *field, const char *name)
{
    return rqx__eq(field->lname, field->name_len, name, strlen(name));
}

static int heed_info(struct rqx__exchange *exchange, rqx_auth *auth)
{
    const struct rqx_headers *fields = &exchange->response.headers;
    size_t i;
    int rv = 0;

    for (i = 0; rv >= 0 && i < fields->count; i++) {
        const struct rqx__field *field = &fields->fields[i];

        if (is_named(field, "authentication-info"))
            rv = rqx__auth_info(auth, rqx__url_origin_key(exchange->hop.url), &rqx__hash_ops,
                                (rqx_slice){field->value, field->value_len});
    }
    return rv;
}

/* The strongest challenge of all fields; NULL: none that can be answered. */
static int pick(struct rqx__exchange *exchange, struct rqx__digest **ret_digest)
{
    const struct rqx_headers *fields = &exchange->response.headers;
    struct rqx__digest *digest = NULL;
    rqx_slice body;
    bool body_known = know_body(exchange, &body);
    size_t i;

    for (i = 0; i < fields->count; i++) {
        const struct rqx__field *field = &fields->fields[i];

        if (is_named(field, "www-authenticate") &&
            rqx__digest_pick((rqx_slice){field->value, field->value_len}, body_known, &digest) < 0) {
            rqx__digest_free(digest);
            return RQX_ERR_NOMEM;
        }
    }
    *ret_digest = digest;
    return 0;
}

static int take_challenge(struct rqx__exchange *exchange, rqx_auth *auth)
{
    struct rqx__hop *hop = &exchange->hop;
    struct rqx__digest *digest = NULL;
    bool stale;
    int rv = pick(exchange, &digest);

    if (rv < 0 || digest == NULL)
        return rv;
    stale = digest->stale;
    /* an answer that was refused would be refused again, unless nothing was wrong but the nonce's age */
    if ((hop->challenged && (!stale || hop->stale)) || !rqx__body_is_repeatable(exchange)) {
        rqx__digest_free(digest);
        return 0;
    }
    rv = rqx__auth_challenged(auth, rqx__url_origin_key(hop->url), &rqx__hash_ops, digest);
    if (rv < 0) {
        rqx__digest_free(digest);
        return rv;
    }
    hop->stale = hop->challenged && stale;
    hop->challenged = true;
    return 1;
}

int rqx__digest_wanted(struct rqx__exchange *exchange)
{
    rqx_auth *auth = rqx__hop_auth(exchange);

    if (auth == NULL || auth->sessions == NULL || exchange->client->closed)
        return 0;
    if (rqx__headers_find(exchange->head.fields, RQX__FIELD_AUTHORIZATION, 0) != NULL)
        return 0; /* the user answers by himself */
    return exchange->response.status == 401 ? take_challenge(exchange, auth) : heed_info(exchange, auth);
}
