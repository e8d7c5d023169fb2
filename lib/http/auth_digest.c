/*
 * auth_digest.c - one Digest challenge: understood, chosen among others, and answered.
 */
#include "http/auth_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <requestx/error.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- understanding: RFC 7616 section 3.3 ---- */

static const struct {
    const char *name; /* with "-sess" it has a session */
    enum rqx__hash hash;
} algorithms[] = {
    {"MD5", RQX__HASH_MD5},
    {"SHA-256", RQX__HASH_SHA_256},
    {"SHA-512-256", RQX__HASH_SHA_512_256},
};

static bool read_algorithm(const struct rqx__auth_param *param, struct rqx__digest *digest)
{
    static const rqx_slice suffix = {"-sess", 5};
    rqx_slice name;
    size_t i;

    digest->algorithm = RQX__HASH_MD5;
    if (param == NULL)
        return true;
    name = param->value;
    digest->named = true;
    digest->session =
        name.len > suffix.len && rqx__ieq(name.data + name.len - suffix.len, suffix.len, suffix.data, suffix.len);
    if (digest->session)
        name.len -= suffix.len;
    for (i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (rqx__ieq(name.data, name.len, algorithms[i].name, strlen(algorithms[i].name))) {
            digest->algorithm = algorithms[i].hash;
            return true;
        }
    }
    return false;
}

static bool read_qop(const struct rqx__auth_param *param, struct rqx__digest *digest)
{
    if (param == NULL)
        return true;
    digest->qop_auth = rqx__list_has(param->value, "auth");
    digest->qop_int = rqx__list_has(param->value, "auth-int");
    return digest->qop_auth || digest->qop_int;
}

static bool is_true(const struct rqx__auth_param *param)
{
    return param != NULL && rqx__ieq(param->value.data, param->value.len, "true", 4);
}

/* RFC 9110 section 11.2: a name stands once. */
static bool has_twins(const struct rqx__challenge *challenge)
{
    size_t i;
    size_t j;

    for (i = 0; i < challenge->count; i++) {
        for (j = 0; j < i; j++) {
            const rqx_slice a = challenge->params[i].name;
            const rqx_slice b = challenge->params[j].name;

            if (rqx__ieq(a.data, a.len, b.data, b.len))
                return true;
        }
    }
    return false;
}

static char *put_param(char *at, const struct rqx__auth_param *param, rqx_slice *ret_text)
{
    char *end = rqx__auth_unescape(param, at);

    *ret_text = (rqx_slice){at, (size_t)(end - at)};
    return end;
}

static struct rqx__digest *copy_texts(const struct rqx__auth_param *realm, const struct rqx__auth_param *nonce,
                                      const struct rqx__auth_param *opaque)
{
    size_t len = realm->value.len + nonce->value.len + (opaque != NULL ? opaque->value.len : 0);
    struct rqx__digest *digest = rqx__calloc(1, sizeof *digest + len);
    char *at;

    if (digest == NULL)
        return NULL;
    at = put_param(digest->text, realm, &digest->realm);
    at = put_param(at, nonce, &digest->nonce);
    if (opaque != NULL)
        put_param(at, opaque, &digest->opaque);
    return digest;
}

int rqx__digest_new(const struct rqx__challenge *challenge, struct rqx__digest **ret_digest)
{
    const struct rqx__auth_param *realm = rqx__auth_param(challenge, "realm");
    const struct rqx__auth_param *nonce = rqx__auth_param(challenge, "nonce");
    const struct rqx__auth_param *opaque = rqx__auth_param(challenge, "opaque");
    const struct rqx__auth_param *charset = rqx__auth_param(challenge, "charset");
    struct rqx__digest *digest;

    if (realm == NULL || nonce == NULL || has_twins(challenge))
        return RQX_ERR_INVALID_FIELD;
    if (realm->value.len + nonce->value.len + (opaque != NULL ? opaque->value.len : 0) > RQX__DIGEST_TEXT_MAX)
        return RQX_ERR_INVALID_FIELD;
    digest = copy_texts(realm, nonce, opaque);
    if (digest == NULL)
        return RQX_ERR_NOMEM;
    digest->stale = is_true(rqx__auth_param(challenge, "stale"));
    digest->userhash = is_true(rqx__auth_param(challenge, "userhash"));
    digest->utf8 = charset != NULL && rqx__ieq(charset->value.data, charset->value.len, "UTF-8", 5);
    if (!read_algorithm(rqx__auth_param(challenge, "algorithm"), digest) ||
        !read_qop(rqx__auth_param(challenge, "qop"), digest)) {
        rqx__digest_free(digest);
        return RQX_ERR_UNSUPPORTED;
    }
    *ret_digest = digest;
    return 0;
}

void rqx__digest_free(struct rqx__digest *digest)
{
    rqx__free(digest);
}

/* ---- choosing ---- */

static bool is_digest(rqx_slice scheme)
{
    return rqx__ieq(scheme.data, scheme.len, "Digest", 6);
}

/* Whether |found| is to take the place of |have|. */
static bool is_better(const struct rqx__digest *found, bool body_known, const struct rqx__digest *have)
{
    if (found->qop_int && !found->qop_auth && !body_known)
        return false;
    return have == NULL || found->algorithm > have->algorithm;
}

int rqx__digest_pick(rqx_slice field, bool body_known, struct rqx__digest **digest)
{
    struct rqx__challenge challenge;

    while (rqx__challenge_next(&field, &challenge) == 1) {
        struct rqx__digest *found;
        int rv;

        if (!is_digest(challenge.scheme))
            continue;
        rv = rqx__digest_new(&challenge, &found);
        if (rv == RQX_ERR_NOMEM)
            return rv;
        if (rv < 0)
            continue;
        if (!is_better(found, body_known, *digest)) {
            rqx__digest_free(found);
            continue;
        }
        rqx__digest_free(*digest);
        *digest = found;
    }
    return 0;
}

/* ---- the arithmetic: RFC 7616 section 3.4 ---- */

#define HEX_MAX (2 * RQX__HASH_MAX)

struct hex {
    char text[HEX_MAX];
    rqx_slice slice; /* of |text| */
};

/* Hashes pieces to lower case hexadecimal. */
static int hash(const struct rqx__hash_ops *ops, enum rqx__hash which, const rqx_slice *pieces, size_t count,
                struct hex *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[RQX__HASH_MAX];
    int len = ops->hash(which, pieces, count, bytes);
    int i;

    for (i = 0; i < len; i++) {
        out->text[2 * i] = digits[bytes[i] >> 4];
        out->text[2 * i + 1] = digits[bytes[i] & 15];
    }
    out->slice = (rqx_slice){out->text, len < 0 ? 0 : 2 * (size_t)len};
    return len < 0 ? len : 0;
}

#define COLON        RQX__LIT(":")
#define COUNT_OF(of) (sizeof(of) / sizeof(of)[0])

struct answer {
    const struct rqx__digest *digest;
    const struct rqx__hash_ops *ops;
    const struct rqx__digest_use *use;
    rqx_slice qop;   /* empty: none */
    char count[9];   /* nc */
    struct hex user; /* with |userhash| */
    struct hex response;
};

static int hash_secret(const struct answer *answer, struct hex *out)
{
    const struct rqx__digest *digest = answer->digest;
    const struct rqx__digest_use *use = answer->use;
    const rqx_slice secret[] = {use->user, COLON, digest->realm, COLON, use->password};
    int rv = hash(answer->ops, digest->algorithm, secret, COUNT_OF(secret), out);

    if (rv == 0 && digest->session) {
        struct hex once = *out;
        const rqx_slice session[] = {{once.text, out->slice.len}, COLON, digest->nonce, COLON, use->cnonce};

        rv = hash(answer->ops, digest->algorithm, session, COUNT_OF(session), out);
    }
    return rv;
}

static int hash_request(const struct answer *answer, struct hex *out)
{
    const struct rqx__digest_use *use = answer->use;
    enum rqx__hash which = answer->digest->algorithm;
    struct hex body = {.slice = {"", 0}};
    const bool whole = answer->qop.len > 4;
    int rv = whole ? hash(answer->ops, which, &use->body, 1, &body) : 0;

    if (rv == 0) {
        const rqx_slice pieces[] = {use->method, COLON, use->target, COLON, body.slice};

        rv = hash(answer->ops, which, pieces, whole ? 5 : 3, out);
    }
    return rv;
}

static int hash_response(struct answer *answer)
{
    const struct rqx__digest *digest = answer->digest;
    struct hex secret;
    struct hex request;
    int rv = hash_secret(answer, &secret);

    if (rv == 0)
        rv = hash_request(answer, &request);
    if (rv == 0 && answer->qop.len > 0) {
        const rqx_slice pieces[] = {secret.slice,        COLON, digest->nonce, COLON, {answer->count, 8}, COLON,
                                    answer->use->cnonce, COLON, answer->qop,   COLON, request.slice};

        rv = hash(answer->ops, digest->algorithm, pieces, COUNT_OF(pieces), &answer->response);
    } else if (rv == 0) {
        const rqx_slice pieces[] = {secret.slice, COLON, digest->nonce, COLON, request.slice};

        rv = hash(answer->ops, digest->algorithm, pieces, COUNT_OF(pieces), &answer->response);
    }
    explicit_bzero(&secret, sizeof secret);
    return rv;
}

static int hash_user(struct answer *answer)
{
    const rqx_slice pieces[] = {answer->use->user, COLON, answer->digest->realm};

    return hash(answer->ops, answer->digest->algorithm, pieces, COUNT_OF(pieces), &answer->user);
}

/* ---- writing: section 3.4 ---- */

static int add(struct rqx__buf *out, rqx_slice text)
{
    return rqx__buf_append(out, text.data, text.len);
}

static int add_text(struct rqx__buf *out, const char *text)
{
    return rqx__buf_append(out, text, strlen(text));
}

/* RFC 9110 section 5.6.4 */
static int add_quoted(struct rqx__buf *out, const char *lead, rqx_slice text)
{
    size_t i;
    int rv = add_text(out, lead);

    for (i = 0; rv == 0 && i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            rv = rqx__buf_append(out, "\\", 1);
        if (rv == 0)
            rv = rqx__buf_append(out, text.data + i, 1);
    }
    return rv == 0 ? rqx__buf_append(out, "\"", 1) : rv;
}

static bool is_ascii(rqx_slice text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    }
    return true;
}

/* RFC 8187 section 3.2.1: attr-char */
static bool is_attr_char(unsigned char c)
{
    return rqx__is_tchar(c) && c != '*' && c != '\'' && c != '%';
}

static int add_extended(struct rqx__buf *out, rqx_slice text)
{
    size_t i;
    int rv = add_text(out, "Digest username*=UTF-8''");

    for (i = 0; rv == 0 && i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char code[4];

        if (is_attr_char(c)) {
            rv = rqx__buf_append(out, text.data + i, 1);
        } else {
            snprintf(code, sizeof code, "%%%02X", c);
            rv = rqx__buf_append(out, code, 3);
        }
    }
    return rv;
}

static int add_user(struct rqx__buf *out, const struct answer *answer)
{
    if (answer->digest->userhash)
        return add_quoted(out, "Digest username=\"", answer->user.slice);
    if (answer->digest->utf8 && !is_ascii(answer->use->user))
        return add_extended(out, answer->use->user);
    return add_quoted(out, "Digest username=\"", answer->use->user);
}

static int add_algorithm(struct rqx__buf *out, const struct rqx__digest *digest)
{
    int rv = add_text(out, ", algorithm=");

    if (rv == 0)
        rv = add_text(out, algorithms[digest->algorithm].name);
    return rv == 0 && digest->session ? add_text(out, "-sess") : rv;
}

static int add_qop(struct rqx__buf *out, const struct answer *answer)
{
    int rv = add_text(out, ", qop=");

    if (rv == 0)
        rv = add(out, answer->qop);
    if (rv == 0)
        rv = add_text(out, ", nc=");
    if (rv == 0)
        rv = add_text(out, answer->count);
    return rv == 0 ? add_quoted(out, ", cnonce=\"", answer->use->cnonce) : rv;
}

static int write_answer(struct rqx__buf *out, const struct answer *answer)
{
    const struct rqx__digest *digest = answer->digest;
    int rv = add_user(out, answer);

    if (rv == 0)
        rv = add_quoted(out, ", realm=\"", digest->realm);
    if (rv == 0)
        rv = add_quoted(out, ", nonce=\"", digest->nonce);
    if (rv == 0)
        rv = add_quoted(out, ", uri=\"", answer->use->target);
    if (rv == 0)
        rv = add_quoted(out, ", response=\"", answer->response.slice);
    if (rv == 0 && digest->named)
        rv = add_algorithm(out, digest);
    if (rv == 0 && digest->opaque.data != NULL)
        rv = add_quoted(out, ", opaque=\"", digest->opaque);
    if (rv == 0 && answer->qop.len > 0)
        rv = add_qop(out, answer);
    if (rv == 0 && digest->userhash)
        rv = add_text(out, ", userhash=true");
    return rv == 0 ? rqx__buf_append(out, "", 1) : rv;
}

static int choose_qop(struct answer *answer)
{
    const struct rqx__digest *digest = answer->digest;

    if (digest->qop_auth)
        answer->qop = RQX__LIT("auth");
    else if (digest->qop_int && answer->use->body_known)
        answer->qop = RQX__LIT("auth-int");
    else if (digest->qop_int)
        return RQX_ERR_UNSUPPORTED;
    return 0;
}

int rqx__digest_value(const struct rqx__digest *digest, const struct rqx__hash_ops *ops,
                      const struct rqx__digest_use *use, char **ret_value, size_t *ret_len)
{
    struct answer answer = {.digest = digest, .ops = ops, .use = use};
    struct rqx__buf out;
    int rv = choose_qop(&answer);

    snprintf(answer.count, sizeof answer.count, "%08" PRIx32, use->count);
    if (rv == 0)
        rv = hash_response(&answer);
    if (rv == 0 && digest->userhash)
        rv = hash_user(&answer);
    if (rv < 0)
        return rv;
    rqx__buf_init(&out, SIZE_MAX);
    rv = write_answer(&out, &answer);
    if (rv < 0) {
        rqx__free_secret(out.data, out.cap);
        return rv;
    }
    *ret_value = (char *)out.data; /* nothing was taken from its front */
    *ret_len = out.len - 1;
    return 0;
}
