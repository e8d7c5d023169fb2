/*
 * Challenges (RFC 9110 section 11.6.1), and Digest (RFC 7616): what is understood, chosen, answered and remembered.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/auth.h"
#include "http/auth_digest.h"
#include "net/hash.h"
#include "support.h"

static rqx_slice text(const char *literal)
{
    return (rqx_slice){literal, strlen(literal)};
}

/* ---- challenges ---- */

/* All challenges as "scheme(token68)" or "scheme[name=value name=value]", "!" at the end where they are malformed. */
static const char *read_all(const char *field)
{
    static char out[4096];
    struct rqx__challenge challenge;
    rqx_slice rest = text(field);
    size_t used = 0;
    size_t i;
    int rv;

    out[0] = '\0';
    while ((rv = rqx__challenge_next(&rest, &challenge)) == 1) {
        used +=
            (size_t)snprintf(out + used, sizeof out - used, "%.*s", (int)challenge.scheme.len, challenge.scheme.data);
        if (challenge.token68.data != NULL)
            used += (size_t)snprintf(out + used, sizeof out - used, "(%.*s)", (int)challenge.token68.len,
                                     challenge.token68.data);
        for (i = 0; i < challenge.count; i++) {
            char value[256];
            char *end = rqx__auth_unescape(&challenge.params[i], value);

            used += (size_t)snprintf(out + used, sizeof out - used, "[%.*s=%.*s]", (int)challenge.params[i].name.len,
                                     challenge.params[i].name.data, (int)(end - value), value);
        }
        used += (size_t)snprintf(out + used, sizeof out - used, " ");
    }
    if (rv < 0)
        snprintf(out + used, sizeof out - used, "!");
    return out;
}

static const struct {
    const char *field;
    const char *read;
} fields[] = {
    {"", ""},
    {" , ,", ""},
    {"Negotiate", "Negotiate "},
    {"Negotiate abc+/=", "Negotiate(abc+/=) "},
    {"Negotiate abc== , NTLM", "Negotiate(abc==) NTLM "},
    {"Basic realm=simple", "Basic[realm=simple] "},
    {"Basic realm=\"a, b=\\\"c\\\" \\\\\"", "Basic[realm=a, b=\"c\" \\] "},
    {"Basic realm = \"x\" , charset=\"UTF-8\"", "Basic[realm=x][charset=UTF-8] "},
    {"Basic realm=\"\"", "Basic[realm=] "},
    {"Newauth realm=\"apps\", type=1, title=\"Login\", Basic realm=\"simple\"",
     "Newauth[realm=apps][type=1][title=Login] Basic[realm=simple] "},
    {", Basic , realm=x ,, Digest nonce=\"n\",,qop=\"auth\",", "Basic[realm=x] Digest[nonce=n][qop=auth] "},
    {"Basic,Digest a=b", "Basic Digest[a=b] "},
    {"Basic realm", "Basic(realm) "},
    /* what cannot be told apart ends the field */
    {"Basic realm=\"x\", Digest nonce=\"open", "Basic[realm=x] !"},
    {"Digest nonce=\"open\\", "!"},
    {"Digest nonce=\"open\\\"", "!"},
    {"Digest nonce=\"a\" b", "!"},
    {"Digest nonce=\"a\"b=c", "!"},
    {"Digest a=, b=c", "Digest(a=) !"},
    {"Digest x=y, a=, b=c", "!"},
    {"Basic realm=x, =y", "Basic[realm=x] !"},
    {"realm=x", "!"},
    {"\"Basic\"", "!"},
    {"Basic(x)", "!"},
    {"Basic realm=x y", "!"},
};

START_TEST(challenges_are_told_apart)
{
    ck_assert_str_eq(read_all(fields[_i].field), fields[_i].read);
}
END_TEST

START_TEST(a_challenge_has_a_maximum)
{
    static char longer[RQX__CHALLENGE_MAX + 2];
    struct rqx__challenge challenge;
    rqx_slice rest;
    char field[1024] = "Digest ";
    size_t len = strlen(field);
    int i;

    for (i = 0; i < RQX__CHALLENGE_PARAMS; i++)
        len += (size_t)snprintf(field + len, sizeof field - len, "p%d=v,", i);
    rest = (rqx_slice){field, len};
    ck_assert_int_eq(rqx__challenge_next(&rest, &challenge), 1);
    ck_assert_uint_eq(challenge.count, RQX__CHALLENGE_PARAMS);
    ck_assert_uint_eq(rest.len, 0);
    len += (size_t)snprintf(field + len, sizeof field - len, "q=v");
    rest = (rqx_slice){field, len};
    ck_assert_int_eq(rqx__challenge_next(&rest, &challenge), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(rqx__auth_params((rqx_slice){field + 7, len - 7}, &challenge), RQX_ERR_INVALID_FIELD);
    memset(longer, 'x', sizeof longer);
    rest = (rqx_slice){longer, RQX__CHALLENGE_MAX};
    ck_assert_int_eq(rqx__challenge_next(&rest, &challenge), 1);
    rest = (rqx_slice){longer, RQX__CHALLENGE_MAX + 1};
    ck_assert_int_eq(rqx__challenge_next(&rest, &challenge), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(rqx__auth_params((rqx_slice){longer, RQX__CHALLENGE_MAX + 1}, &challenge), RQX_ERR_INVALID_FIELD);
    rest = (rqx_slice){NULL, 0};
    ck_assert_int_eq(rqx__challenge_next(&rest, &challenge), 0);
}
END_TEST

START_TEST(parameters_alone_are_read)
{
    struct rqx__challenge info;

    ck_assert_int_eq(rqx__auth_params(text(" nextnonce=\"n\", qop=auth"), &info), 0);
    ck_assert_uint_eq(info.count, 2);
    ck_assert_ptr_nonnull(rqx__auth_param(&info, "NextNonce"));
    ck_assert_ptr_null(rqx__auth_param(&info, "nonce"));
    ck_assert_int_eq(rqx__auth_params(text(""), &info), 0);
    ck_assert_int_eq(rqx__auth_params(text("nextnonce"), &info), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(rqx__auth_params(text("a=b c"), &info), RQX_ERR_INVALID_FIELD);
}
END_TEST

/* ---- Digest: RFC 7616 ---- */

static struct rqx__digest *pick(const char *field, bool body_known)
{
    struct rqx__digest *digest = NULL;

    ck_assert_int_eq(rqx__digest_pick(text(field), body_known, &digest), 0);
    return digest;
}

#define MUFASA(rest)                                                                                                   \
    "Digest realm=\"http-auth@example.org\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "                 \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"" rest

static struct rqx__digest_use use_of(const char *user, const char *password, const char *method, const char *target,
                                     const char *cnonce)
{
    return (struct rqx__digest_use){.user = text(user),
                                    .password = text(password),
                                    .method = text(method),
                                    .target = text(target),
                                    .cnonce = text(cnonce),
                                    .body = {"", 0},
                                    .body_known = true,
                                    .count = 1};
}

static char *answer_use(const char *field, const struct rqx__digest_use *use)
{
    struct rqx__digest *digest = pick(field, use->body_known);
    char *value = NULL;
    size_t len = 0;

    ck_assert_ptr_nonnull(digest);
    ck_assert_int_eq(rqx__digest_value(digest, &rqx__hash_ops, use, &value, &len), 0);
    ck_assert_uint_eq(len, strlen(value));
    rqx__digest_free(digest);
    return value;
}

static void expect_mufasa(const char *rest, const char *want)
{
    struct rqx__digest_use use =
        use_of("Mufasa", "Circle of Life", "GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    char field[1024];
    char *value;

    snprintf(field, sizeof field, "%s%s", MUFASA(""), rest);
    value = answer_use(field, &use);
    ck_assert_msg(strstr(value, want) != NULL, "no %s in %s", want, value);
    rqx__free_secret(value, strlen(value));
}

/* Section 3.9.1 */
START_TEST(the_rfc_s_example_with_two_algorithms)
{
    struct rqx__digest_use use =
        use_of("Mufasa", "Circle of Life", "GET", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    char *value = answer_use(MUFASA(", qop=\"auth, auth-int\", algorithm=MD5"), &use);

    ck_assert_str_eq(value, "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
                            "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", "
                            "response=\"8ca523f5e9506fed4657c9700eebdbec\", algorithm=MD5, "
                            "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", qop=auth, nc=00000001, "
                            "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"");
    rqx__free_secret(value, strlen(value));
    /* both in one field: the stronger one is answered, whichever comes first */
    value = answer_use(MUFASA(", qop=\"auth\", algorithm=MD5, ") MUFASA(", qop=\"auth\", algorithm=SHA-256"), &use);
    ck_assert_ptr_nonnull(strstr(value,
                                 "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", "
                                 "algorithm=SHA-256,"));
    rqx__free_secret(value, strlen(value));
    value = answer_use(MUFASA(", qop=\"auth\", algorithm=SHA-256, ") MUFASA(", qop=\"auth\", algorithm=MD5"), &use);
    ck_assert_ptr_nonnull(strstr(value, "algorithm=SHA-256,"));
    rqx__free_secret(value, strlen(value));
}
END_TEST

/* Section 3.9.2, whose own figures are those of SHA-512 cut short: these are of SHA-512/256 (FIPS 180-4). */
START_TEST(the_rfc_s_example_with_userhash)
{
    struct rqx__digest_use use =
        use_of("J\xc3\xa4s\xc3\xb8n Doe", "Secret, or not?", "GET", "/doe.json", "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm");
    char *value = answer_use("Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, "
                             "nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", "
                             "opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=true",
                             &use);

    ck_assert_ptr_nonnull(
        strstr(value, "username=\"793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b\""));
    ck_assert_ptr_nonnull(
        strstr(value, "response=\"7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c\""));
    ck_assert_ptr_nonnull(strstr(value, ", userhash=true"));
    rqx__free_secret(value, strlen(value));
    /* without it the name is written by RFC 8187, or as it is where the server says nothing of its charset */
    value = answer_use("Digest realm=\"r\", nonce=n, charset=utf-8", &use);
    ck_assert_ptr_nonnull(strstr(value, "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm"));
    rqx__free_secret(value, strlen(value));
    value = answer_use("Digest realm=\"r\", nonce=n", &use);
    ck_assert_ptr_nonnull(strstr(value, "username=\"J\xc3\xa4s\xc3\xb8n Doe\", realm"));
    rqx__free_secret(value, strlen(value));
}
END_TEST

START_TEST(sessions_and_integrity_are_answered)
{
    struct rqx__digest_use use =
        use_of("Mufasa", "Circle of Life", "POST", "/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
    char *value;

    expect_mufasa(", qop=auth, algorithm=MD5-sess", "response=\"e783283f46242139c486a698fec7211d\"");
    expect_mufasa(", qop=auth, algorithm=md5-SESS", ", algorithm=MD5-sess,");
    expect_mufasa(", qop=auth, algorithm=SHA-256-sess",
                  "response=\"2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7\"");
    expect_mufasa(", qop=auth, algorithm=SHA-512-256-sess",
                  "response=\"3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e\"");
    expect_mufasa(", qop=auth-int, algorithm=SHA-256",
                  "response=\"8bdf6f15638e260831e905028de5450562816d093c9bfc5c13d3a46adcdde940\"");
    expect_mufasa(", qop=\"auth-int\"", ", qop=auth-int, nc=00000001,");
    use.body = text("a body");
    value = answer_use(MUFASA(", qop=\"auth-int\", algorithm=SHA-256"), &use);
    ck_assert_ptr_nonnull(
        strstr(value, "response=\"a95b7ce72b72d6f746935df2dad3d9a06071265b595c918bf26a271bf043b21f\""));
    rqx__free_secret(value, strlen(value));
}
END_TEST

/* As it was before RFC 2617: neither quality of protection nor algorithm. */
START_TEST(a_challenge_without_qop_is_answered)
{
    struct rqx__digest_use use = use_of("Mufasa", "Circle of Life", "GET", "/dir/index.html", "unused");
    char *value = answer_use(MUFASA(""), &use);

    ck_assert_ptr_nonnull(strstr(value, "response=\"7b2cc3b30e75b4777ea31027084363fd\""));
    ck_assert_ptr_null(strstr(value, "qop"));
    ck_assert_ptr_null(strstr(value, "nc="));
    ck_assert_ptr_null(strstr(value, "cnonce"));
    ck_assert_ptr_null(strstr(value, "algorithm"));
    rqx__free_secret(value, strlen(value));
    expect_mufasa(", qop=\"other, AUTH\"", ", qop=auth,");
}
END_TEST

START_TEST(what_is_quoted_is_quoted_again)
{
    struct rqx__digest_use use = use_of("a\"b\\c", "p", "GET", "/\"x", "c");
    char *value = answer_use("Digest realm=\"r\\\"1\\\\\", nonce=\"n\\n\"", &use);

    ck_assert_ptr_nonnull(
        strstr(value, "username=\"a\\\"b\\\\c\", realm=\"r\\\"1\\\\\", nonce=\"nn\", uri=\"/\\\"x\""));
    ck_assert_ptr_null(strstr(value, "opaque"));
    rqx__free_secret(value, strlen(value));
    value = answer_use("Digest realm=\"\", nonce=\"\", opaque=\"\"", &use);
    ck_assert_ptr_nonnull(strstr(value, "realm=\"\", nonce=\"\", "));
    ck_assert_ptr_nonnull(strstr(value, ", opaque=\"\""));
    rqx__free_secret(value, strlen(value));
}
END_TEST

static const char *const unanswerable[] = {
    "Digest nonce=n",
    "Digest realm=r",
    "Digest realm=r, nonce=n, nonce=m",
    "Digest realm=r, nonce=n, algorithm=SHA-1",
    "Digest realm=r, nonce=n, algorithm=-sess",
    "Digest realm=r, nonce=n, algorithm=\"\"",
    "Digest realm=r, nonce=n, qop=\"other\"",
    "Digest realm=r, nonce=n, qop=\"\"",
    "Digest realm=\"open",
    "Digest",
    "Basic realm=r",
    "Negotiate abc=",
    "",
};

START_TEST(what_is_not_understood_is_passed_over)
{
    char both[256];
    struct rqx__digest *digest;

    ck_assert_ptr_null(pick(unanswerable[_i], true));
    snprintf(both, sizeof both, "Digest realm=good, nonce=n, %s", unanswerable[_i]);
    digest = pick(both, true);
    /* but for malformed ones, which cannot be told from their neighbours, and that which makes one of both */
    if (digest != NULL)
        ck_assert_msg(rqx__eq(digest->realm.data, digest->realm.len, "good", 4), "%s", both);
    rqx__digest_free(digest);
}
END_TEST

START_TEST(integrity_alone_wants_a_known_body)
{
    struct rqx__digest *digest = pick("Digest realm=r, nonce=n, qop=auth-int", false);

    ck_assert_ptr_null(digest);
    digest =
        pick("Digest realm=a, nonce=n, qop=auth-int, algorithm=SHA-256, Digest realm=b, nonce=n, qop=\"auth\"", false);
    ck_assert_uint_eq(digest->algorithm, RQX__HASH_MD5);
    rqx__digest_free(digest);
}
END_TEST

START_TEST(realm_nonce_and_opaque_have_a_maximum)
{
    char *field = malloc(RQX__DIGEST_TEXT_MAX + 64);
    int start = sprintf(field, "Digest realm=r, opaque=o, nonce=");
    struct rqx__digest *digest = NULL;

    memset(field + start, 'n', RQX__DIGEST_TEXT_MAX);
    ck_assert_int_eq(rqx__digest_pick((rqx_slice){field, (size_t)start + RQX__DIGEST_TEXT_MAX - 2}, true, &digest), 0);
    ck_assert_ptr_nonnull(digest);
    rqx__digest_free(digest);
    digest = NULL;
    ck_assert_int_eq(rqx__digest_pick((rqx_slice){field, (size_t)start + RQX__DIGEST_TEXT_MAX - 1}, true, &digest), 0);
    ck_assert_ptr_null(digest);
    free(field);
}
END_TEST

/* ---- credentials ---- */

static rqx_auth *credentials(void)
{
    rqx_auth *auth = NULL;

    ck_assert_int_eq(rqx_auth_digest("user", 4, "pass", 4, &auth), 0);
    return auth;
}

static void challenge_with(rqx_auth *auth, const char *origin, const char *field)
{
    struct rqx__digest *digest = pick(field, true);

    ck_assert_ptr_nonnull(digest);
    ck_assert_int_eq(rqx__auth_challenged(auth, text(origin), &rqx__hash_ops, digest), 0);
}

/* The answer, or NULL; the caller frees it. */
static char *answer(rqx_auth *auth, const char *origin, bool body_known)
{
    struct rqx__digest_use use = {.method = {"GET", 3}, .target = {"/", 1}, .body = {"", 0}, .body_known = body_known};
    char *value = NULL;
    size_t len = 0;
    int rv = rqx__auth_answer(auth, text(origin), &rqx__hash_ops, &use, &value, &len);

    ck_assert_int_eq(rv, value != NULL);
    return value;
}

static void expect_answer(rqx_auth *auth, const char *origin, const char *want)
{
    char *value = answer(auth, origin, true);

    if (want == NULL) {
        ck_assert_ptr_null(value);
        return;
    }
    ck_assert_ptr_nonnull(value);
    ck_assert_msg(strstr(value, want) != NULL, "no %s in %s", want, value);
    rqx__free_secret(value, strlen(value));
}

START_TEST(a_challenge_is_remembered_for_its_origin)
{
    rqx_auth *auth = credentials();
    char *first;
    char *second;

    ck_assert_ptr_null(rqx_auth_value(auth).data);
    expect_answer(auth, "https://a:443", NULL);
    challenge_with(auth, "https://a:443", "Digest realm=r, nonce=one, qop=auth");
    challenge_with(auth, "https://b:443", "Digest realm=r, nonce=two, qop=auth");
    first = answer(auth, "https://a:443", true);
    second = answer(auth, "https://a:443", true);
    ck_assert_ptr_nonnull(strstr(first, "nonce=\"one\""));
    ck_assert_ptr_nonnull(strstr(first, "nc=00000001"));
    ck_assert_ptr_nonnull(strstr(second, "nc=00000002"));
    /* the client's own nonce is that of the session, of 128 bits */
    ck_assert_str_eq(strstr(first, ", cnonce="), strstr(second, ", cnonce="));
    ck_assert_uint_eq(strlen(strstr(first, ", cnonce=")), strlen(", cnonce=\"\"") + 32);
    rqx__free(first);
    rqx__free(second);
    expect_answer(auth, "https://b:443", "nonce=\"two\"");
    expect_answer(auth, "https://c:443", NULL);
    /* a newer one counts anew */
    challenge_with(auth, "https://a:443", "Digest realm=r, nonce=three, qop=auth");
    expect_answer(auth, "https://a:443", "nonce=\"three\"");
    expect_answer(auth, "https://a:443", "nc=00000002");
    rqx_auth_unref(auth);
}
END_TEST

START_TEST(integrity_is_answered_where_the_body_is_known)
{
    rqx_auth *auth = credentials();

    challenge_with(auth, "https://a:443", "Digest realm=r, nonce=one, qop=auth-int");
    ck_assert_ptr_null(answer(auth, "https://a:443", false));
    expect_answer(auth, "https://a:443", "nc=00000001");
    rqx_auth_unref(auth);
}
END_TEST

START_TEST(the_next_nonce_is_heeded)
{
    rqx_auth *auth = credentials();
    const rqx_slice origin = text("https://a:443");
    char longer[RQX__DIGEST_TEXT_MAX + 32] = "nextnonce=";

    ck_assert_int_eq(rqx__auth_info(auth, origin, &rqx__hash_ops, text("nextnonce=\"x\"")), 0);
    expect_answer(auth, "https://a:443", NULL);
    challenge_with(auth, "https://a:443", "Digest realm=r, nonce=one, qop=auth, opaque=\"o\", algorithm=SHA-256");
    expect_answer(auth, "https://a:443", "nc=00000001");
    ck_assert_int_eq(rqx__auth_info(auth, origin, &rqx__hash_ops, text("qop=auth, rspauth=\"x\"")), 0);
    ck_assert_int_eq(rqx__auth_info(auth, origin, &rqx__hash_ops, text("nextnonce=\"")), 0);
    ck_assert_int_eq(rqx__auth_info(auth, origin, &rqx__hash_ops, text("nextnonce=\"\"")), 0);
    memset(longer + 10, 'n', RQX__DIGEST_TEXT_MAX + 1);
    ck_assert_int_eq(rqx__auth_info(auth, origin, &rqx__hash_ops, text(longer)), 0);
    expect_answer(auth, "https://a:443", "nc=00000002");
    ck_assert_int_eq(rqx__auth_info(auth, origin, &rqx__hash_ops, text("nextnonce=\"t\\wo\", qop=auth")), 0);
    expect_answer(auth, "https://a:443", "realm=\"r\", nonce=\"two\"");
    expect_answer(auth, "https://a:443", "algorithm=SHA-256, opaque=\"o\", qop=auth, nc=00000002");
    rqx_auth_unref(auth);
}
END_TEST

START_TEST(so_many_origins_are_remembered)
{
    rqx_auth *auth = credentials();
    char origin[32];
    int i;

    for (i = 0; i < RQX__DIGEST_ORIGINS; i++) {
        snprintf(origin, sizeof origin, "https://h%d:443", i);
        challenge_with(auth, origin, "Digest realm=r, nonce=n, qop=auth");
    }
    expect_answer(auth, "https://h0:443", "nc=00000001");
    challenge_with(auth, "https://more:443", "Digest realm=r, nonce=n, qop=auth");
    expect_answer(auth, "https://h0:443", "nc=00000002");
    expect_answer(auth, "https://h1:443", NULL);
    expect_answer(auth, "https://h2:443", "nc=00000001");
    expect_answer(auth, "https://more:443", "nc=00000001");
    rqx_auth_unref(auth);
}
END_TEST

START_TEST(credentials_with_controls_or_too_long_are_refused)
{
    static char longer[RQX__CREDENTIALS_MAX + 1];
    rqx_auth *auth = NULL;

    memset(longer, 'a', sizeof longer);
    ck_assert_int_eq(rqx_auth_digest("a\r\n", 3, "b", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_digest("a", 1, "b\0", 2, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_digest(longer, sizeof longer, "b", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_digest(longer, RQX__CREDENTIALS_MAX, "b", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(auth);
    ck_assert_int_eq(rqx_auth_digest(longer, RQX__CREDENTIALS_MAX, NULL, 0, &auth), 0);
    rqx_auth_unref(rqx_auth_ref(auth));
    rqx_auth_unref(auth);
}
END_TEST

/* ---- what fails below ---- */

static int no_hash(enum rqx__hash which, const rqx_slice *pieces, size_t count, uint8_t out[RQX__HASH_MAX])
{
    (void)which, (void)pieces, (void)count, (void)out;
    return RQX_ERR_UNSUPPORTED;
}

static int no_random(uint8_t *out, size_t len)
{
    (void)out, (void)len;
    return RQX_ERR_SYSTEM;
}

START_TEST(a_system_without_the_function_does_not_answer)
{
    static const struct rqx__hash_ops poor = {no_hash, no_random};
    struct rqx__digest_use use = use_of("u", "p", "GET", "/", "c");
    rqx_auth *auth = credentials();
    struct rqx__digest *digest = pick("Digest realm=r, nonce=n, qop=auth", true);
    char *value = NULL;
    size_t len = 0;

    ck_assert_int_eq(rqx__digest_value(digest, &poor, &use, &value, &len), RQX_ERR_UNSUPPORTED);
    ck_assert_int_eq(rqx__auth_challenged(auth, text("o"), &poor, digest), RQX_ERR_SYSTEM);
    ck_assert_int_eq(rqx__auth_challenged(auth, text("o"), &rqx__hash_ops, digest), 0);
    ck_assert_int_eq(rqx__auth_answer(auth, text("o"), &poor, &use, &value, &len), 0);
    ck_assert_int_eq(rqx__auth_info(auth, text("o"), &poor, text("nextnonce=m")), RQX_ERR_SYSTEM);
    ck_assert_ptr_null(value);
    rqx_auth_unref(auth);
}
END_TEST

static int scenario(void)
{
    struct rqx__digest_use use = use_of("u", "p", "GET", "/", "c");
    struct rqx__digest *digest = NULL;
    rqx_auth *auth = NULL;
    char *value = NULL;
    size_t len = 0;
    int rv = rqx_auth_digest("user", 4, "pass", 4, &auth);

    if (rv >= 0)
        rv = rqx__digest_pick(text("Digest realm=r, nonce=n, Digest realm=r, nonce=m, qop=auth, algorithm=SHA-256"),
                              true, &digest);
    if (rv >= 0)
        rv = rqx__auth_challenged(auth, text("o"), &rqx__hash_ops, digest);
    if (rv >= 0)
        digest = NULL;
    if (rv >= 0)
        rv = rqx__auth_info(auth, text("o"), &rqx__hash_ops, text("nextnonce=k"));
    if (rv >= 0)
        rv = rqx__auth_answer(auth, text("o"), &rqx__hash_ops, &use, &value, &len);
    rqx__digest_free(digest);
    rqx_auth_unref(auth);
    if (value != NULL)
        rqx__free_secret(value, len);
    return rv;
}

START_TEST(each_allocation_may_fail)
{
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        rqx__mem_fail_at(n, _i);
        rv = scenario();
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        if (count < n)
            break;
        ck_assert_int_eq(rv, RQX_ERR_NOMEM);
    }
    ck_assert_int_eq(rv, 1);
    ck_assert_uint_gt(n, 7);
}
END_TEST

static Suite *digest_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *challenge = rqx_add_case(suite, "challenges");
    TCase *digest = rqx_add_case(suite, "arithmetic");
    TCase *auth = rqx_add_case(suite, "credentials");

    tcase_add_loop_test(challenge, challenges_are_told_apart, 0, sizeof fields / sizeof fields[0]);
    tcase_add_test(challenge, a_challenge_has_a_maximum);
    tcase_add_test(challenge, parameters_alone_are_read);
    tcase_add_test(digest, the_rfc_s_example_with_two_algorithms);
    tcase_add_test(digest, the_rfc_s_example_with_userhash);
    tcase_add_test(digest, sessions_and_integrity_are_answered);
    tcase_add_test(digest, a_challenge_without_qop_is_answered);
    tcase_add_test(digest, what_is_quoted_is_quoted_again);
    tcase_add_loop_test(digest, what_is_not_understood_is_passed_over, 0, sizeof unanswerable / sizeof unanswerable[0]);
    tcase_add_test(digest, integrity_alone_wants_a_known_body);
    tcase_add_test(digest, realm_nonce_and_opaque_have_a_maximum);
    tcase_add_test(auth, a_challenge_is_remembered_for_its_origin);
    tcase_add_test(auth, integrity_is_answered_where_the_body_is_known);
    tcase_add_test(auth, the_next_nonce_is_heeded);
    tcase_add_test(auth, so_many_origins_are_remembered);
    tcase_add_test(auth, credentials_with_controls_or_too_long_are_refused);
    tcase_add_test(auth, a_system_without_the_function_does_not_answer);
    tcase_add_loop_test(auth, each_allocation_may_fail, 0, 2);
    return suite;
}

RQX_CHECK_MAIN(digest_suite)
