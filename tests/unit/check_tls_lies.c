/*
 * check_tls_lies.c - servers that do what they should not: choose what was not offered, begin anew, ask late, revoked.
 */
#include "support.h"

#include "tls_fixture.h"

/* ---- ALPN ---- */

static int choose_spdy(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *user)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    *out = (const unsigned char *)user;
    *out_len = (unsigned char)strlen(user);
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 7301 section 3.2: the server chooses from what the client offered. */
START_TEST(a_protocol_that_was_not_offered_is_refused)
{
    static char *const lies[] = {"spdy/3", "h2c", "http/1.0", "h3"};
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    static const unsigned offers[] = {BOTH, RQX_PROTO_HTTP2};
    size_t i;

    for (i = 0; i < 4 * 2 * 2; i++) {
        struct server server = {.identity = &good, .max_version = versions[i / 4 % 2]};
        rqx_tls *tls = make_trusting();
        struct rqx__err err;
        int rc;

        make_server_ctx(&server);
        SSL_CTX_set_alpn_select_cb(server.ctx, choose_spdy, lies[i % 4]);
        rc = outcome_with(tls, &server, HOST, offers[i / 8], &err);
        /* OpenSSL looks since 3.0.15; before that, we do */
        ck_assert_msg(rc == RQX_ERR_TLS_ALPN || (rc == RQX_ERR_TLS_HANDSHAKE && strcmp(err.text, "bad extension") == 0),
                      "%s: %d %s", lies[i % 4], rc, err.text);
        rqx_tls_unref(tls);
        free_server(&server);
    }
}
END_TEST

START_TEST(h2_that_was_not_offered_is_refused)
{
    static char h2[] = "h2";
    struct server server = {.identity = &good};
    rqx_tls *tls = make_trusting();
    struct rqx__err err;
    int rc;

    make_server_ctx(&server);
    SSL_CTX_set_alpn_select_cb(server.ctx, choose_spdy, h2);
    rc = outcome_with(tls, &server, HOST, RQX_PROTO_HTTP1, &err);
    ck_assert_msg(rc == RQX_ERR_TLS_ALPN || (rc == RQX_ERR_TLS_HANDSHAKE && strcmp(err.text, "bad extension") == 0),
                  "%d %s", rc, err.text);
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

/* ---- after the handshake ---- */

static void talk_renegotiate(struct server *server, SSL *ssl)
{
    (void)server;
    SSL_write(ssl, "hello", 5);
    SSL_renegotiate(ssl);
    SSL_do_handshake(ssl); /* HelloRequest, which the client answers, or not */
    SSL_write(ssl, "again", 5);
}

/* RFC 9113 section 9.2.1; elsewhere too nothing is to be gained by it. */
START_TEST(renegotiation_is_refused)
{
    static const unsigned offers[] = {RQX_PROTO_HTTP2, RQX_PROTO_HTTP1};
    size_t i;

    for (i = 0; i < 2; i++) {
        struct server server = {.identity = &good,
                                .max_version = TLS1_2_VERSION,
                                .alpn = i == 0 ? "h2" : "http/1.1",
                                .talk = talk_renegotiate};
        rqx_tls *tls = make_trusting();
        struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, offers[i]);
        struct rqx__err err;
        char buffer[8];
        size_t len = 0;
        int rc;

        ck_assert_int_eq(drive_handshake(wire, &err), 0);
        ck_assert_int_eq(drive_read_all(wire, buffer, 5, &err), 0);
        ck_assert_int_eq(memcmp(buffer, "hello", 5), 0);
        rc = drive_read(wire, buffer, sizeof buffer, &len, &err);
        /* either the server goes on as before, or it ends the connection: there is no second handshake */
        ck_assert_msg((rc == 0 && (len == 0 || (len == 5 && memcmp(buffer, "again", 5) == 0))) || rc == RQX_ERR_READ ||
                          rc == RQX_ERR_TRUNCATED,
                      "%d %s", rc, rc < 0 ? err.text : "");
        ck_assert_int_eq((int)SSL_num_renegotiations(((struct rqx__tls_wire *)(void *)wire)->ssl), 0);
        ck_assert_int_eq(SSL_renegotiate_pending(((struct rqx__tls_wire *)(void *)wire)->ssl), 0);
        rqx__wire_free(wire);
        join_server(&server);
        rqx_tls_unref(tls);
        free_server(&server);
    }
}
END_TEST

static void talk_ask_late(struct server *server, SSL *ssl)
{
    server->amount = 1;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (SSL_verify_client_post_handshake(ssl) == 1 && SSL_do_handshake(ssl) == 1)
        server->amount = 2;
    SSL_write(ssl, "hello", 5);
}

/* RFC 9113 section 9.2.3. */
START_TEST(authentication_after_the_handshake_is_not_done)
{
    static const unsigned offers[] = {RQX_PROTO_HTTP2, RQX_PROTO_HTTP1};
    size_t i;

    for (i = 0; i < 2; i++) {
        struct server server = {.identity = &good, .alpn = i == 0 ? "h2" : "http/1.1", .talk = talk_ask_late};
        rqx_tls *tls = make_trusting();
        struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, offers[i]);
        struct rqx__err err;
        char buffer[8];

        ck_assert_int_eq(drive_handshake(wire, &err), 0);
        ck_assert_int_eq(drive_read_all(wire, buffer, 5, &err), 0);
        rqx__wire_free(wire);
        join_server(&server);
        ck_assert_uint_eq(server.amount, 1);
        rqx_tls_unref(tls);
        free_server(&server);
    }
}
END_TEST

/* ---- revocation ---- */

static void write_crl(const char *path, const struct identity *issuer, const X509 *revoked, long from, long until)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *when = X509_gmtime_adj(NULL, from);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
    X509_CRL_set1_lastUpdate(crl, when);
    if (revoked != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(entry, when);
        ck_assert_int_eq(X509_CRL_add0_revoked(crl, entry), 1);
    }
    X509_gmtime_adj(when, until);
    X509_CRL_set1_nextUpdate(crl, when);
    ASN1_TIME_free(when);
    ck_assert_int_gt(X509_CRL_sign(crl, issuer->key, EVP_sha256()), 0);
    ck_assert_int_eq(PEM_write_X509_CRL(file, crl), 1);
    fclose(file);
    X509_CRL_free(crl);
}

START_TEST(a_revoked_certificate_is_refused)
{
    struct server server = {.identity = &good};
    rqx_tls_options options = trusting();
    struct rqx__err err;
    rqx_tls *tls;

    options.crl_file = in_folder("crl.pem");
    write_crl(options.crl_file, &ca, good.cert, -DAY, DAY);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "certificate was revoked by Check Root");
    ck_assert_int_eq(err.tls_verify, X509_V_ERR_CERT_REVOKED);
    rqx_tls_unref(tls);
    write_crl(options.crl_file, &ca, NULL, -DAY, DAY);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    write_crl(options.crl_file, &ca, NULL, -2 * DAY, -DAY);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "revocation list of Check Root is out of date");
    rqx_tls_unref(tls);
    write_crl(options.crl_file, &good, NULL, -DAY, DAY); /* of somebody else */
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "no revocation list of Check Root");
    rqx_tls_unref(tls);
    options.verify = 0; /* where nothing is checked, that is not either */
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

START_TEST(the_chain_is_looked_for_when_that_is_asked)
{
    struct identity middle = make_identity("Check Middle", NULL, &ca, -DAY, 365 * DAY);
    struct identity leaf = make_identity("check", "DNS:" HOST, &middle, -DAY, 30 * DAY);
    struct server server = {.identity = &leaf, .chain = &middle};
    rqx_tls_options options = trusting();
    struct rqx__err err;
    char command[400];
    rqx_tls *tls;
    int asked;

    options.crl_file = in_folder("crl.pem");
    write_crl(in_folder("one.pem"), &ca, middle.cert, -DAY, DAY);
    write_crl(in_folder("two.pem"), &middle, NULL, -DAY, DAY);
    snprintf(command, sizeof command, "cat %s/one.pem %s/two.pem > %s", folder, folder, options.crl_file);
    ck_assert_int_eq(system(command), 0);
    for (asked = 0; asked < 2; asked++) {
        options.crl_check_chain = asked;
        tls = make_tls(&options);
        ck_assert_int_eq(outcome(tls, &server, &err), asked ? RQX_ERR_TLS_CERTIFICATE : 0);
        rqx_tls_unref(tls);
    }
    ck_assert_str_eq(err.text, "certificate of Check Middle was revoked by Check Root");
    free_server(&server);
    free_identity(&middle);
    free_identity(&leaf);
}
END_TEST

START_TEST(a_list_that_cannot_be_read_is_told)
{
    rqx_tls_options options = trusting();
    const char *path = in_folder("not-there.pem");
    char expected[200];
    char *text = NULL;
    rqx_tls *tls;

    options.crl_file = path;
    tls = make_tls(&options);
    snprintf(expected, sizeof expected, "crl_file %s: no such file or directory", path);
    ck_assert_int_eq(rqx_tls_load(tls, &text), RQX_ERR_TLS_CONFIG);
    ck_assert_str_eq(text, expected);
    rqx_free(text);
    write_pem(path, ca.cert, NULL, NULL); /* a certificate is no list */
    ck_assert_int_eq(rqx_tls_load(tls, &text), RQX_ERR_TLS_CONFIG);
    ck_assert_int_eq(strncmp(text, expected, strlen("crl_file ") + strlen(path)), 0);
    rqx_free(text);
    rqx_tls_unref(tls);
}
END_TEST

static Suite *tls_lies_suite(void)
{
    const TTest *const tests[] = {
        a_protocol_that_was_not_offered_is_refused,
        h2_that_was_not_offered_is_refused,
        renegotiation_is_refused,
        authentication_after_the_handshake_is_not_done,
        a_revoked_certificate_is_refused,
        the_chain_is_looked_for_when_that_is_asked,
        a_list_that_cannot_be_read_is_told,
    };
    Suite *suite = suite_create("tls_lies");

    add_tests(rqx_add_case(suite, "servers"), tests, sizeof tests / sizeof tests[0], set_up, tear_down);
    return suite;
}

RQX_CHECK_MAIN(tls_lies_suite)
