/*
 * WWW-Authenticate and Authentication-Info: FIELD NUL INFO.  Challenges that were read and are written again are read
 * the same; what answers one can be sent, is itself read as a challenge is, and says what it answers.
 */
#include "fuzz.h"

#include <requestx/auth.h>
#include <requestx/headers.h>
#include <requestx/url.h>

#include "base/str.h"
#include "http/auth_challenge.h"
#include "http/auth_digest.h"
#include "net/hash.h"

static const rqx_slice origin = {"https://a.example:443", 21};

static void write_param(struct fuzz_log *out, const struct rqx__auth_param *param)
{
    fuzz_log_add(out, param->name.data, param->name.len);
    fuzz_log_add(out, param->quoted ? "=\"" : "=", param->quoted ? 2 : 1);
    fuzz_log_add(out, param->value.data, param->value.len);
    fuzz_log_add(out, "\"", param->quoted ? 1 : 0);
}

static void write_challenge(struct fuzz_log *out, const struct rqx__challenge *challenge)
{
    size_t i;

    FUZZ_ASSERT(rqx__is_token(challenge->scheme.data, challenge->scheme.len));
    FUZZ_ASSERT(challenge->count <= RQX__CHALLENGE_PARAMS &&
                (challenge->token68.data == NULL || challenge->count == 0));
    fuzz_log_add(out, challenge->scheme.data, challenge->scheme.len);
    fuzz_log_add(out, " ", 1);
    if (challenge->token68.data != NULL)
        fuzz_log_add(out, challenge->token68.data, challenge->token68.len);
    for (i = 0; i < challenge->count; i++) {
        FUZZ_ASSERT(rqx__is_token(challenge->params[i].name.data, challenge->params[i].name.len));
        if (i > 0)
            fuzz_log_add(out, ", ", 2);
        write_param(out, &challenge->params[i]);
    }
    fuzz_log_add(out, ", ", 2);
}

/* Writes all that can be read of |field|. */
static void rewrite(rqx_slice field, struct fuzz_log *out)
{
    struct rqx__challenge challenge;
    size_t before;

    do {
        before = field.len;
        if (rqx__challenge_next(&field, &challenge) != 1)
            return;
        FUZZ_ASSERT(field.len < before);
        write_challenge(out, &challenge);
    } while (true);
}

static void check_rewritten(rqx_slice field)
{
    struct fuzz_log once = {0};
    struct fuzz_log twice = {0};

    rewrite(field, &once);
    if (once.len <= RQX__CHALLENGE_MAX) {
        rewrite((rqx_slice){once.text, once.len}, &twice);
        fuzz_log_same(&once, &twice);
    }
    fuzz_log_done(&once);
    fuzz_log_done(&twice);
}

/* Whether the parameter of that name says |value|. */
static bool says(const struct rqx__challenge *answer, const char *name, rqx_slice value)
{
    const struct rqx__auth_param *param = rqx__auth_param(answer, name);
    char *text;
    bool same;

    if (param == NULL)
        return false;
    text = malloc(param->value.len + 1);
    FUZZ_ASSERT(text != NULL);
    same = (size_t)(rqx__auth_unescape(param, text) - text) == value.len &&
           (value.len == 0 || memcmp(text, value.data, value.len) == 0);
    free(text);
    return same;
}

static bool is_sendable(rqx_slice value)
{
    rqx_headers *headers = NULL;
    int rv;

    FUZZ_ASSERT(rqx_headers_new(&headers) == 0);
    rv = rqx_headers_add(headers, "authorization", 13, value.data, value.len);
    rqx_headers_free(headers);
    return rv == 0;
}

static void check_answer(const struct rqx__digest *digest, rqx_slice value, bool clean)
{
    struct rqx__challenge answer;
    const struct rqx__auth_param *response;
    rqx_slice rest = value;

    FUZZ_ASSERT(value.data[value.len] == '\0' && strlen(value.data) == value.len);
    FUZZ_ASSERT(!clean || is_sendable(value));
    if (value.len > RQX__CHALLENGE_MAX)
        return;
    FUZZ_ASSERT(rqx__challenge_next(&rest, &answer) == 1 && rest.len == 0);
    FUZZ_ASSERT(rqx__eq(answer.scheme.data, answer.scheme.len, "Digest", 6));
    FUZZ_ASSERT(says(&answer, "realm", digest->realm) && says(&answer, "nonce", digest->nonce));
    FUZZ_ASSERT(says(&answer, "uri", RQX__LIT("/path?a=b")));
    FUZZ_ASSERT(digest->opaque.data == NULL || says(&answer, "opaque", digest->opaque));
    response = rqx__auth_param(&answer, "response");
    FUZZ_ASSERT(response != NULL && response->value.len == (digest->algorithm == RQX__HASH_MD5 ? 32 : 64));
}

static struct rqx__digest_use use_of(bool body_known)
{
    return (struct rqx__digest_use){.user = RQX__LIT("us\"er\\"),
                                    .password = RQX__LIT("secret"),
                                    .method = RQX__LIT("GET"),
                                    .target = RQX__LIT("/path?a=b"),
                                    .body = RQX__LIT("body"),
                                    .body_known = body_known,
                                    .cnonce = RQX__LIT("0123456789abcdef0123456789abcdef"),
                                    .count = 7};
}

/* The one that is picked is answered, at once and again from what is remembered. */
static void check_pick(rqx_slice field, rqx_slice info, bool body_known)
{
    bool clean = !rqx__has_control(field.data, field.len) && !rqx__has_control(info.data, info.len);
    struct rqx__digest_use use = use_of(body_known);
    struct rqx__digest *digest = NULL;
    rqx_auth *auth = NULL;
    char *value = NULL;
    size_t len = 0;

    FUZZ_ASSERT(rqx__digest_pick(field, body_known, &digest) == 0);
    if (digest == NULL)
        return;
    FUZZ_ASSERT(memchr(digest->text, '\0', digest->realm.len + digest->nonce.len) == NULL || !clean);
    if (!clean) { /* no codec lets such a field through */
        rqx__digest_free(digest);
        return;
    }
    FUZZ_ASSERT(rqx__digest_value(digest, &rqx__hash_ops, &use, &value, &len) == 0);
    check_answer(digest, (rqx_slice){value, len}, clean);
    rqx_free(value);
    FUZZ_ASSERT(rqx_auth_digest("u", 1, "p", 1, &auth) == 0);
    FUZZ_ASSERT(rqx__auth_challenged(auth, origin, &rqx__hash_ops, digest) == 0);
    FUZZ_ASSERT(rqx__auth_info(auth, origin, &rqx__hash_ops, info) == 0);
    FUZZ_ASSERT(rqx__auth_answer(auth, origin, &rqx__hash_ops, &use, &value, &len) == 1);
    FUZZ_ASSERT(is_sendable((rqx_slice){value, len}));
    rqx_free(value);
    rqx_auth_unref(auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct fuzz_in first = fuzz_until(&in, 0);
    char *field = fuzz_copy(first);
    char *info = fuzz_copy(in);

    check_rewritten((rqx_slice){field, first.len});
    check_pick((rqx_slice){field, first.len}, (rqx_slice){info, in.len}, true);
    check_pick((rqx_slice){field, first.len}, (rqx_slice){info, in.len}, false);
    free(field);
    free(info);
    return 0;
}
