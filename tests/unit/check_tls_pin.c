/*
 * check_tls_pin.c - pinned public keys: which certificates count, what is told, and that no session gets around them.
 */
#include "support.h"

#include "base/mem.h"
#include "base/str.h"
#include "tls_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* "sha256/..." of |cert|'s key, in one of eight static buffers. */
static const char *pin_of(X509 *cert)
{
    static char pins[8][64];
    static int next;
    char *pin = pins[next++ & 7];
    unsigned char digest[32];
    unsigned char *info = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &info);

    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(EVP_Digest(info, (size_t)len, digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(info);
    memcpy(pin, "sha256/", 7);
    rqx__base64(digest, sizeof digest, pin + 7);
    return pin;
}

static const char *unknown_pin(void)
{
    return "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
}

static rqx_tls *make_pinned(const char *first, const char *second)
{
    const char *const pins[] = {first, second};
    rqx_tls_options options = trusting();

    options.pins = pins;
    options.pin_count = second != NULL ? 2 : 1;
    return make_tls(&options);
}

START_TEST(any_key_of_the_chain_matches)
{
    struct identity middle = make_identity("Check Middle", NULL, &ca, -DAY, 365 * DAY);
    struct identity leaf = make_identity("check", "DNS:" HOST, &middle, -DAY, 30 * DAY);
    struct server server = {.identity = &leaf, .chain = &middle};
    const char *const matching[] = {pin_of(leaf.cert), pin_of(middle.cert), pin_of(ca.cert)};
    struct rqx__err err;
    size_t i;

    for (i = 0; i < COUNT(matching); i++) {
        rqx_tls *tls = make_pinned(unknown_pin(), matching[i]);

        ck_assert_int_eq(outcome(tls, &server, &err), 0);
        rqx_tls_unref(tls);
    }
    free_server(&server);
    free_identity(&middle);
    free_identity(&leaf);
}
END_TEST

START_TEST(a_wrong_pin_tells_those_that_were_seen)
{
    struct server server = {.identity = &good};
    rqx_tls *tls = make_pinned(unknown_pin(), NULL);
    struct rqx__err err;
    char text[300];

    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_PIN);
    snprintf(text, sizeof text, "no key of the certificate chain is pinned (%s, %s)", pin_of(good.cert),
             pin_of(ca.cert));
    ck_assert_str_eq(err.text, text);
    ck_assert_int_eq(rqx_error_phase(err.code), RQX_PHASE_TLS);
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

START_TEST(a_chain_that_is_no_good_stays_no_good)
{
    struct server server = {.identity = &good};
    rqx_tls *tls = make_pinned(pin_of(good.cert), NULL);
    struct rqx__err err;

    ck_assert_int_eq(outcome_with(tls, &server, "other.example", BOTH, &err), RQX_ERR_TLS_CERTIFICATE);
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

/* A peer may send any certificate along, and so only its own counts where nothing is verified. */
START_TEST(without_verification_the_peers_own_key_counts)
{
    struct server honest = {.identity = &good};
    struct identity forged = make_identity("check", "DNS:" HOST, NULL, -DAY, 30 * DAY);
    struct server liar = {.identity = &forged, .chain = &good};
    const char *pin = pin_of(good.cert);
    rqx_tls_options options = trusting();
    rqx_tls *tls;
    struct rqx__err err;
    char text[300];

    options.verify = 0;
    options.pins = &pin;
    options.pin_count = 1;
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &honest, &err), 0);
    ck_assert_int_eq(outcome(tls, &liar, &err), RQX_ERR_TLS_PIN);
    snprintf(text, sizeof text, "no key of the certificate, which is not verified, is pinned (%s)",
             pin_of(forged.cert));
    ck_assert_str_eq(err.text, text);
    rqx_tls_unref(tls);
    /* not the root, which signed it, either */
    pin = pin_of(ca.cert);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &honest, &err), RQX_ERR_TLS_PIN);
    rqx_tls_unref(tls);
    free_server(&honest);
    free_server(&liar);
    free_identity(&forged);
}
END_TEST

START_TEST(a_long_chain_is_cut)
{
    static const char *const names[] = {"Check A", "Check B", "Check C", "Check D"};
    struct identity middle[4];
    struct identity leaf;
    struct server server = {.identity = &leaf};
    rqx_tls *tls = make_pinned(unknown_pin(), NULL);
    struct rqx__err err;
    size_t i;

    for (i = 0; i < COUNT(middle); i++)
        middle[i] = make_identity(names[i], NULL, i == 0 ? &ca : &middle[i - 1], -DAY, 365 * DAY);
    leaf = make_identity("check", "DNS:" HOST, &middle[3], -DAY, 30 * DAY);
    make_server_ctx(&server);
    for (i = 0; i < COUNT(middle); i++)
        ck_assert_int_eq((int)SSL_CTX_add1_chain_cert(server.ctx, middle[i].cert), 1);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_PIN);
    ck_assert_ptr_nonnull(strstr(err.text, pin_of(middle[1].cert)));
    ck_assert_ptr_null(strstr(err.text, pin_of(middle[0].cert)));
    ck_assert_str_eq(strstr(err.text, " and"), " and 2 more)");
    rqx_tls_unref(tls);
    free_server(&server);
    free_identity(&leaf);
    for (i = 0; i < COUNT(middle); i++)
        free_identity(&middle[i]);
}
END_TEST

START_TEST(pins_are_what_they_should_be)
{
    static const char *const bad[] = {"",
                                      "sha256/",
                                      "sha256",
                                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                      "sha1/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                      "SHA256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                      "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                      "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                      "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ",
                                      "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
                                      "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
                                      "sha256/AAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAAAAAA=",
                                      "sha256///AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
                                      NULL};
    static const char *const right[] = {
        "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha256///AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "sha256/+09azAZ+/09azAZ+/09azAZ+/09azAZ+/09azAZ+/08="};
    const char *many[RQX_TLS_PINS_MAX + 1];
    rqx_tls_options options = trusting();
    rqx_tls *tls = NULL;
    size_t i;

    for (i = 0; i < COUNT(bad); i++) { /* the last one is NULL */
        const char *const pins[] = {right[0], bad[i]};

        options.pins = pins;
        options.pin_count = 2;
        ck_assert_msg(rqx_tls_new(&options, &tls) == RQX_ERR_INVALID_ARGUMENT, "number %zu", i);
        ck_assert_ptr_null(tls);
    }
    options.pins = right;
    options.pin_count = COUNT(right);
    rqx_tls_unref(make_tls(&options));
    for (i = 0; i < COUNT(many); i++)
        many[i] = right[0];
    options.pins = many;
    options.pin_count = RQX_TLS_PINS_MAX;
    rqx_tls_unref(make_tls(&options));
    options.pin_count++;
    ck_assert_int_eq(rqx_tls_new(&options, &tls), RQX_ERR_INVALID_ARGUMENT);
    options.pins = NULL;
    options.pin_count = 1;
    ck_assert_int_eq(rqx_tls_new(&options, &tls), RQX_ERR_INVALID_ARGUMENT);
}
END_TEST

START_TEST(sessions_are_resumed_with_whom_matched)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    size_t i;

    for (i = 0; i < COUNT(versions); i++) {
        rqx_tls *tls = make_pinned(pin_of(ca.cert), NULL); /* which no session shows */
        struct server server = {.identity = &good, .talk = talk_say, .max_version = versions[i]};

        ck_assert(!visit_port(tls, &server, HOST, 443, true));
        ck_assert(visit_port(tls, &server, HOST, 443, true));
        ck_assert(visit_port(tls, &server, HOST, 443, true));
        rqx_tls_unref(tls);
        free_server(&server);
    }
}
END_TEST

/* Nothing is kept of a peer that did not match, also under TLS 1.2 where the session comes within the handshake. */
START_TEST(no_session_is_kept_of_whom_did_not_match)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    size_t i;

    for (i = 0; i < COUNT(versions); i++) {
        rqx_tls *tls = make_pinned(unknown_pin(), NULL);
        struct server server = {.identity = &good, .talk = talk_say, .max_version = versions[i]};
        struct rqx__err err;
        int n;

        for (n = 0; n < 3; n++) {
            ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_PIN);
            ck_assert_ptr_null(rqx__tls_session_take(tls, HOST ":443"));
        }
        rqx_tls_unref(tls);
        free_server(&server);
    }
}
END_TEST

START_TEST(a_borrowed_context_may_be_pinned)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    size_t i;

    for (i = 0; i < COUNT(versions); i++) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        struct server server = {.identity = &good, .talk = talk_say, .max_version = versions[i]};
        const char *pin = pin_of(ca.cert);
        rqx_tls *tls = NULL;
        struct rqx__err err;

        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.cert);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &pin, 1, &tls), 0);
        ck_assert(!visit_port(tls, &server, HOST, 443, true));
        ck_assert(visit_port(tls, &server, HOST, 443, true));
        rqx_tls_unref(tls);
        pin = unknown_pin();
        ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &pin, 1, &tls), 0);
        ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_PIN);
        ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_PIN);
        rqx_tls_unref(tls);
        pin = "sha256/";
        ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &pin, 1, &tls), RQX_ERR_INVALID_ARGUMENT);
        SSL_CTX_free(ctx);
        free_server(&server);
    }
}
END_TEST

/* Ciphers without certificates, which a borrowed context may allow, have no key that could be pinned. */
START_TEST(a_peer_without_a_certificate_does_not_match)
{
    static const char ciphers[] = "AECDH-AES128-SHA:@SECLEVEL=0";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct server server = {.identity = &good, .max_version = TLS1_2_VERSION, .ciphers = ciphers};
    const char *pin = pin_of(good.cert);
    struct rqx__tls_facts facts;
    struct rqx__wire *wire;
    struct rqx__err err;
    rqx_tls *tls = NULL;

    ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &pin, 1, &tls), 0);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_PIN);
    ck_assert_str_eq(err.text, "peer has no certificate, and so no pinned key");
    rqx_tls_unref(tls);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, NULL, 0, &tls), 0);
    wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    ck_assert_int_eq(rqx__tls_wire_facts(wire, &facts), 0);
    ck_assert_uint_eq(facts.certificate.len, 0);
    ck_assert(!facts.verified);
    rqx__tls_facts_done(&facts);
    rqx__wire_free(wire);
    join_server(&server);
    rqx_tls_unref(tls);
    SSL_CTX_free(ctx);
    free_server(&server);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(each_allocation_may_fail)
{
    const char *pin = pin_of(ca.cert);
    rqx_tls_options options = trusting();
    rqx_tls *tls = NULL;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    unsigned long n;
    bool done = false;

    options.pins = &pin;
    options.pin_count = 1;
    for (n = 1; !done; n++) {
        int rc;

        rqx__mem_fail_at(n, 0);
        rc = rqx_tls_new(&options, &tls);
        done = rqx__mem_count() < n;
        rqx__mem_fail_at(0, 0);
        ck_assert_int_eq(rc, done ? 0 : RQX_ERR_NOMEM);
    }
    rqx_tls_unref(tls);
    rqx__mem_fail_at(2, 0);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &pin, 1, &tls), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    SSL_CTX_free(ctx);
}
END_TEST
#endif

static Suite *tls_pin_suite(void)
{
    const TTest *const tests[] = {
        any_key_of_the_chain_matches,
        a_wrong_pin_tells_those_that_were_seen,
        a_chain_that_is_no_good_stays_no_good,
        without_verification_the_peers_own_key_counts,
        a_long_chain_is_cut,
        pins_are_what_they_should_be,
        sessions_are_resumed_with_whom_matched,
        no_session_is_kept_of_whom_did_not_match,
        a_borrowed_context_may_be_pinned,
        a_peer_without_a_certificate_does_not_match,
#ifdef RQX_TEST_ALLOC
        each_allocation_may_fail,
#endif
    };
    Suite *suite = suite_create("tls_pin");

    add_tests(rqx_add_case(suite, "pins"), tests, COUNT(tests), set_up, tear_down);
    return suite;
}

RQX_CHECK_MAIN(tls_pin_suite)
