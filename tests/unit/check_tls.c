/*
 * check_tls.c - the TLS wire: against OpenSSL's server in a thread, with certificates made here.
 */
#include "support.h"

#include <time.h>

#include "tls_fixture.h"

/* ---- handshakes ---- */

START_TEST(versions_protocols_and_names_are_agreed)
{
    static const struct {
        int version;
        const char *version_text;
        const char *alpn;
        unsigned offered;
        enum rqx__alpn chosen;
        const char *name;
        const char *sni;
    } cases[] = {
        {TLS1_3_VERSION, "TLSv1.3", "h2", BOTH, RQX__ALPN_HTTP2, HOST, HOST},
        {TLS1_2_VERSION, "TLSv1.2", "h2", BOTH, RQX__ALPN_HTTP2, HOST, HOST},
        {TLS1_3_VERSION, "TLSv1.3", "http/1.1", BOTH, RQX__ALPN_HTTP1, HOST ".", HOST},
        {TLS1_3_VERSION, "TLSv1.3", NULL, BOTH, RQX__ALPN_NONE, "127.0.0.1", ""},
        {TLS1_3_VERSION, "TLSv1.3", "h2", RQX_PROTO_HTTP1, RQX__ALPN_NONE, "::1", ""},
        {TLS1_3_VERSION, "TLSv1.3", "h2", RQX_PROTO_HTTP2, RQX__ALPN_HTTP2, "a.wild.example", "a.wild.example"},
        {TLS1_3_VERSION, "TLSv1.3", "h2", 0, RQX__ALPN_NONE, HOST, HOST},
        {TLS1_3_VERSION, "TLSv1.3", "h2", BOTH, RQX__ALPN_HTTP2, "::1%lo", ""},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server = {.identity = &good, .max_version = cases[i].version, .alpn = cases[i].alpn};
        rqx_tls *tls = make_trusting();
        struct rqx__wire *wire = tls_on(tls, start_server(&server), cases[i].name, 443, cases[i].offered);
        struct rqx__tls_facts facts;
        unsigned char *der = NULL;
        int der_len = i2d_X509(good.cert, &der);
        struct rqx__err err;

        rqx_tls_unref(tls); /* the wire has its own reference */
        ck_assert_int_eq(drive_handshake(wire, &err), 0);
        ck_assert_int_eq(rqx__wire_handshake(wire, &err), 0);
        ck_assert_int_eq(rqx__tls_wire_alpn(wire), cases[i].chosen);
        ck_assert_int_eq(rqx__tls_wire_facts(wire, &facts), 0);
        rqx__wire_free(wire); /* what was told does not need it */
        ck_assert(!facts.resumed);
        ck_assert(facts.verified);
        ck_assert_str_eq(facts.version, cases[i].version_text);
        ck_assert_uint_gt(strlen(facts.cipher), 4);
        ck_assert_int_ge(facts.cipher_bits, 128);
        ck_assert_uint_eq(facts.alpn.len, cases[i].chosen == RQX__ALPN_NONE ? 0 : strlen(cases[i].alpn));
        ck_assert_int_eq(memcmp(facts.alpn.data, facts.alpn.len > 0 ? cases[i].alpn : "", facts.alpn.len), 0);
        ck_assert_int_eq(strncmp(facts.server_name.data, cases[i].name, facts.server_name.len), 0);
        ck_assert_int_eq(facts.server_name.data[facts.server_name.len], '\0');
        ck_assert_uint_eq(facts.certificate.len, (size_t)der_len);
        ck_assert_int_eq(memcmp(facts.certificate.data, der, (size_t)der_len), 0);
        rqx__tls_facts_done(&facts);
        rqx__tls_facts_done(&facts);
        OPENSSL_free(der);
        join_server(&server);
        ck_assert(server.accepted);
        ck_assert_str_eq(server.sni, cases[i].sni);
        free_server(&server);
    }
    ck_assert_ptr_nonnull(strstr(rqx__tls_library(), "OpenSSL"));
}
END_TEST

START_TEST(a_server_without_h2_fails_who_wants_nothing_else)
{
    struct server none = {.identity = &good};
    struct server other = {.identity = &good, .alpn = "spdy/3", .alpn_strict = true};
    rqx_tls *tls = make_trusting();
    struct rqx__err err;

    ck_assert_int_eq(outcome_with(tls, &none, HOST, RQX_PROTO_HTTP2, &err), RQX_ERR_TLS_ALPN);
    ck_assert_str_eq(err.text, "peer did not choose h2 (ALPN), and nothing else was offered");
    ck_assert_int_eq(outcome_with(tls, &other, HOST, BOTH, &err), RQX_ERR_TLS_ALPN);
    ck_assert_str_eq(err.text, "peer sent alert: no application protocol (120), offered: h2, http/1.1");
    ck_assert_int_eq(outcome_with(tls, &other, HOST, RQX_PROTO_HTTP2, &err), RQX_ERR_TLS_ALPN);
    ck_assert_str_eq(err.text, "peer sent alert: no application protocol (120), offered: h2");
    ck_assert_int_eq(outcome_with(tls, &other, HOST, RQX_PROTO_HTTP1, &err), RQX_ERR_TLS_ALPN);
    ck_assert_str_eq(err.text, "peer sent alert: no application protocol (120), offered: http/1.1");
    rqx_tls_unref(tls);
    free_server(&none);
    free_server(&other);
}
END_TEST

/* RFC 9113 section 9.2.2: under TLS 1.2 some ciphers are not for HTTP/2; for HTTP/1.1 they are good enough. */
START_TEST(old_ciphers_do_not_carry_h2)
{
    struct server server = {
        .identity = &good, .max_version = TLS1_2_VERSION, .alpn = "h2", .ciphers = "ECDHE-ECDSA-AES128-SHA"};
    rqx_tls *tls = make_trusting();
    struct rqx__err err;

    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_HANDSHAKE);
    ck_assert_str_eq(err.text, "cipher ECDHE-ECDSA-AES128-SHA is not allowed for HTTP/2 (RFC 9113 section 9.2.2)");
    ck_assert_int_eq(outcome_with(tls, &server, HOST, RQX_PROTO_HTTP1, &err), 0);
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

START_TEST(alerts_are_named)
{
    struct server old = {.identity = &good, .max_version = TLS1_2_VERSION};
    struct server picky = {.identity = &good, .max_version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"};
    rqx_tls_options options = trusting();
    rqx_tls *tls = make_trusting();
    rqx_tls *young;
    struct rqx__err err;

    options.min_version = TLS1_3_VERSION;
    young = make_tls(&options);
    ck_assert_int_eq(outcome(young, &old, &err), RQX_ERR_TLS_HANDSHAKE);
    ck_assert_str_eq(err.text, "peer sent alert: protocol version (70)");
    ck_assert_int_eq(outcome(tls, &picky, &err), RQX_ERR_TLS_HANDSHAKE);
    ck_assert_str_eq(err.text, "peer sent alert: handshake failure (40)");
    rqx_tls_unref(tls);
    rqx_tls_unref(young);
    free_server(&old);
    free_server(&picky);
}
END_TEST

START_TEST(a_peer_without_tls_is_told_as_such)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    rqx_tls *tls = make_trusting();
    struct rqx__err err;
    struct rqx__wire *wire;
    int ends[2];

    make_pair(ends);
    wire = tls_on(tls, ends[0], HOST, 443, BOTH);
    ck_assert(put_all(ends[1], answer, sizeof answer - 1));
    ck_assert_int_eq(drive_handshake(wire, &err), RQX_ERR_TLS_HANDSHAKE);
    ck_assert_str_eq(err.text, "peer does not speak TLS (wrong version number)");
    rqx__wire_free(wire);
    close(ends[1]);
    make_pair(ends);
    wire = tls_on(tls, ends[0], HOST, 443, BOTH);
    close(ends[1]);
    ck_assert_int_eq(drive_handshake(wire, &err), RQX_ERR_WRITE);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    rqx__wire_free(wire);
    make_pair(ends);
    wire = tls_on(tls, ends[0], HOST, 443, BOTH);
    ck_assert_int_eq(rqx__wire_handshake(wire, &err), RQX_AGAIN);
    shutdown(ends[1], SHUT_WR);
    ck_assert_int_eq(drive_handshake(wire, &err), RQX_ERR_TRUNCATED);
    ck_assert_str_eq(err.text, "peer closed the connection during the handshake");
    rqx__wire_free(wire);
    close(ends[1]);
    rqx_tls_unref(tls);
}
END_TEST

START_TEST(server_names_are_checked)
{
    static const rqx_slice names[] = {{"", 0}, {".", 1}, {".example.com", 12}, {"a\0b", 3}};
    static char long_name[300];
    rqx_tls *tls = make_trusting();
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *wire = NULL;
    struct rqx__err err;
    int ends[2];
    size_t i;

    make_pair(ends);
    memset(long_name, 'a', sizeof long_name);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_int_eq(rqx__tls_wire_new(tls, tcp, names[i], 443, BOTH, &wire, &err), RQX_ERR_TLS_CONFIG);
    ck_assert_int_eq(rqx__tls_wire_new(tls, tcp, (rqx_slice){long_name, 254}, 443, BOTH, &wire, &err),
                     RQX_ERR_TLS_CONFIG);
    ck_assert_str_eq(err.text, "server name is not valid");
    ck_assert_ptr_null(wire);
    rqx__wire_free(tcp);
    close(ends[1]);
    rqx_tls_unref(tls);
}
END_TEST

/* ---- certificates ---- */

static void refuse_certificate(const struct identity *identity, const struct identity *chain, const char *name,
                               long code, const char *text)
{
    struct server server = {.identity = identity, .chain = chain};
    rqx_tls_options options = trusting();
    rqx_tls *tls = make_tls(&options);
    rqx_tls *blind;
    struct rqx__err err;

    ck_assert_int_eq(outcome_with(tls, &server, name, BOTH, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_int_eq(err.code, RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, text);
    ck_assert_int_eq(err.tls_verify, code);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    options.verify = 0;
    blind = make_tls(&options);
    ck_assert_int_eq(outcome_with(blind, &server, name, BOTH, &err), 0);
    rqx_tls_unref(tls);
    rqx_tls_unref(blind);
    free_server(&server);
}

/* |what| and, in parentheses, the date in |seconds| from now. */
static void date_in(long seconds, const char *what, char *text, size_t size)
{
    time_t when = time(NULL) + seconds;
    char date[16];
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    snprintf(text, size, "%s (%s)", what, date);
}

START_TEST(an_expired_certificate_is_told_with_its_date)
{
    struct identity expired = make_identity("x", "DNS:" HOST, &ca, -20 * DAY, -10 * DAY);
    struct identity early = make_identity("x", "DNS:" HOST, &ca, 10 * DAY, 20 * DAY);
    struct identity old_ca = make_identity("Old Root", NULL, NULL, -20 * DAY, -10 * DAY);
    struct identity under = make_identity("x", "DNS:" HOST, &old_ca, -DAY, DAY);
    char text[128];

    date_in(-10 * DAY, "certificate has expired", text, sizeof text);
    refuse_certificate(&expired, NULL, HOST, X509_V_ERR_CERT_HAS_EXPIRED, text);
    date_in(10 * DAY, "certificate is not yet valid", text, sizeof text);
    refuse_certificate(&early, NULL, HOST, X509_V_ERR_CERT_NOT_YET_VALID, text);
    free(ca_text);
    ca_text = pem_of(old_ca.cert);
    date_in(-10 * DAY, "certificate of Old Root has expired", text, sizeof text);
    refuse_certificate(&under, NULL, HOST, X509_V_ERR_CERT_HAS_EXPIRED, text);
    free_identity(&expired);
    free_identity(&early);
    free_identity(&under);
    free_identity(&old_ca);
}
END_TEST

START_TEST(an_unknown_issuer_is_told_by_name)
{
    struct identity self = make_identity("selfish", "DNS:" HOST, NULL, -DAY, DAY);
    struct identity other_ca = make_identity("Other Root", NULL, NULL, -DAY, DAY);
    struct identity under = make_identity("x", "DNS:" HOST, &other_ca, -DAY, DAY);

    refuse_certificate(&self, NULL, HOST, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed certificate");
    refuse_certificate(&under, NULL, HOST, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                       "unable to get local issuer certificate (Other Root is not trusted)");
    refuse_certificate(&under, &other_ca, HOST, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
                       "self-signed certificate in certificate chain (Other Root)");
    free_identity(&self);
    free_identity(&under);
    free_identity(&other_ca);
}
END_TEST

START_TEST(another_hosts_certificate_is_told_with_its_names)
{
    struct identity wrong = make_identity("x", "DNS:wrong.example", &ca, -DAY, DAY);
    struct identity many = make_identity(
        "x", "DNS:a.example,email:x@y.example,DNS:b.example,IP:192.0.2.7,DNS:c.example,DNS:d.example", &ca, -DAY, DAY);
    struct identity none = make_identity(HOST, "", &ca, -DAY, DAY); /* RFC 9110 section 4.3.4: no common names */

    refuse_certificate(&wrong, NULL, HOST, X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for wrong.example, not " HOST);
    refuse_certificate(&many, NULL, HOST, X509_V_ERR_HOSTNAME_MISMATCH,
                       "certificate is for a.example, b.example, 192.0.2.7 and 2 more, not " HOST);
    refuse_certificate(&none, NULL, HOST, X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for no host, not " HOST);
    refuse_certificate(&good, NULL, "127.0.0.2", X509_V_ERR_IP_ADDRESS_MISMATCH,
                       "certificate is for " HOST ", *.wild.example, 127.0.0.1 and 1 more, not 127.0.0.2");
    refuse_certificate(&good, NULL, "wild.example", X509_V_ERR_HOSTNAME_MISMATCH,
                       "certificate is for " HOST ", *.wild.example, 127.0.0.1 and 1 more, not wild.example");
    free_identity(&wrong);
    free_identity(&many);
    free_identity(&none);
}
END_TEST

/* A certificate's names are the peer's to choose. */
START_TEST(names_in_certificates_are_made_printable_and_cut)
{
    char name[65];
    char text[256];
    struct identity odd_ca;
    struct identity under;
    struct identity long_ca;
    struct identity below;
    struct identity nameless_ca;

    odd_ca = make_identity("Ro\x1b[31mot \xc3\xa9", NULL, NULL, -DAY, DAY);
    under = make_identity("x", "DNS:" HOST, &odd_ca, -DAY, DAY);
    memset(name, 'n', 64);
    name[64] = '\0';
    long_ca = make_identity(name, NULL, NULL, -DAY, DAY);
    below = make_identity("x", "DNS:" HOST, &long_ca, -DAY, DAY);
    refuse_certificate(&under, NULL, HOST, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                       "unable to get local issuer certificate (Ro?[31mot ?"
                       "? is not trusted)");
    snprintf(text, sizeof text, "unable to get local issuer certificate (%s is not trusted)", name);
    refuse_certificate(&below, NULL, HOST, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, text);
    nameless_ca = make_identity("", NULL, NULL, -DAY, DAY);
    free_identity(&under);
    under = make_identity("x", "DNS:" HOST, &nameless_ca, -DAY, DAY);
    free_identity(&odd_ca);
    free_identity(&under);
    free_identity(&long_ca);
    free_identity(&below);
    free_identity(&nameless_ca);
}
END_TEST

START_TEST(other_refusals_have_openssls_words)
{
    /* a server certificate may not have signed another one */
    struct identity middle = make_identity("middle", "DNS:m.example", &ca, -DAY, DAY);
    struct identity leaf = make_identity("x", "DNS:" HOST, &middle, -DAY, DAY);
    struct server server = {.identity = &leaf, .chain = &middle};
    rqx_tls *tls = make_trusting();
    struct rqx__err err;

    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "invalid CA certificate");
    ck_assert_int_eq(err.tls_verify, X509_V_ERR_INVALID_CA);
    rqx_tls_unref(tls);
    free_server(&server);
    free_identity(&leaf);
    free_identity(&middle);
}
END_TEST

/* ---- bytes ---- */

START_TEST(much_passes_both_ways_through_small_sockets)
{
    static const size_t sizes[] = {1, 100, 16384, 16385, 65536, 65537, 700000, 3000000};
    static uint8_t sent[3000000];
    static uint8_t back[3000000];
    rqx_tls *tls = make_trusting();
    size_t i;

    for (i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i / 2];
        struct server server = {.identity = &good,
                                .talk = talk_echo,
                                .amount = size,
                                .max_version = i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION};
        int fd = start_server(&server);
        struct rqx__wire *wire = tls_on(tls, fd, HOST, 443, BOTH);
        struct rqx__err err;
        int space = 8192;
        size_t len = 9;

        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &space, sizeof space);
        ck_assert_int_eq(drive_handshake(wire, &err), 0);
        fill(sent, size, (unsigned)i + 1);
        ck_assert_int_eq(drive_write(wire, sent, size, &err), 0);
        ck_assert_int_eq(drive_read_all(wire, back, size, &err), 0);
        ck_assert_mem_eq(sent, back, size);
        ck_assert_int_eq(drive_read(wire, back, 10, &len, &err), 0);
        ck_assert_uint_eq(len, 0);
        ck_assert_int_eq(rqx__wire_read(wire, back, 10, &len, &err), 0); /* and it stays so */
        ck_assert_uint_eq(len, 0);
        rqx__wire_shutdown(wire);
        rqx__wire_free(wire);
        join_server(&server);
        free_server(&server);
    }
    rqx_tls_unref(tls);
}
END_TEST

/* After RQX_AGAIN more bytes may be offered than before, and in another place. */
START_TEST(what_is_offered_may_grow_and_move)
{
    static uint8_t sent[400000];
    static uint8_t back[400000];
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_echo, .amount = sizeof sent};
    int fd = start_server(&server);
    struct rqx__wire *wire = tls_on(tls, fd, HOST, 443, BOTH);
    struct rqx__err err;
    size_t offered = 1000;
    size_t done = 0;
    int space = 4096;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &space, sizeof space);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    fill(sent, sizeof sent, 7);
    while (done < sizeof sent) {
        size_t len = offered < sizeof sent - done ? offered : sizeof sent - done;
        uint8_t *copy = malloc(len);
        size_t put = 0;
        int rc;

        memcpy(copy, sent + done, len);
        rc = rqx__wire_write(wire, copy, len, &put, &err);
        memset(copy, 0, len);
        free(copy);
        ck_assert_int_ge(rc, 0);
        if (rc == RQX_AGAIN) {
            ck_assert_uint_eq(rqx__wire_wants(wire), RQX__IO_WRITE);
            ck_assert(wire_wait(wire));
            offered = len + 7777;
        } else {
            ck_assert_uint_gt(put, 0);
            ck_assert_uint_le(put, len);
            done += put;
        }
    }
    ck_assert_int_eq(drive_read_all(wire, back, sizeof back, &err), 0);
    ck_assert_mem_eq(sent, back, sizeof back);
    rqx__wire_free(wire);
    join_server(&server);
    free_server(&server);
    rqx_tls_unref(tls);
}
END_TEST

START_TEST(an_end_without_close_notify_is_truncation)
{
    static const struct {
        enum ending ending;
        int rc;
    } cases[] = {{END_NOTIFY, 0}, {END_ABRUPT, RQX_ERR_TRUNCATED}};
    rqx_tls *tls = make_trusting();
    size_t i;

    for (i = 0; i < 4; i++) {
        struct server server = {.identity = &good,
                                .talk = talk_say,
                                .ending = cases[i % 2].ending,
                                .max_version = i < 2 ? TLS1_3_VERSION : TLS1_2_VERSION};
        struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
        struct rqx__err err;
        char buffer[64];
        size_t len = 0;
        int rc;

        ck_assert_int_eq(drive_handshake(wire, &err), 0);
        ck_assert(wire_wait(wire));
        join_server(&server); /* the greeting and the end are both there now */
        ck_assert_int_eq(drive_read(wire, buffer, sizeof buffer, &len, &err), 0);
        ck_assert_uint_eq(len, 5);
        ck_assert_mem_eq(buffer, "hello", 5);
        rc = drive_read(wire, buffer, sizeof buffer, &len, &err);
        ck_assert_int_eq(rc, cases[i % 2].rc);
        if (rc == 0)
            ck_assert_uint_eq(len, 0);
        else
            ck_assert_str_eq(err.text, "peer closed the connection without close_notify");
        rqx__wire_shutdown(wire);
        rqx__wire_free(wire);
        free_server(&server);
    }
    rqx_tls_unref(tls);
}
END_TEST

/* Bytes before a failure are given first, and has_buffered tells that there is something behind them. */
static void talk_say_and_break(struct server *server, SSL *ssl)
{
    static const char junk[] = "\x17\x03\x03\x00\x20this is no record, for sure......";

    (void)server;
    SSL_write(ssl, "hello", 5);
    put_all(SSL_get_fd(ssl), junk, sizeof junk - 1);
}

START_TEST(a_broken_record_fails_after_what_came_before)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_say_and_break, .ending = END_ABRUPT};
    struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    struct rqx__err err;
    char buffer[64];
    size_t len = 0;

    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    join_server(&server);
    ck_assert_int_eq(drive_read(wire, buffer, sizeof buffer, &len, &err), 0);
    ck_assert_uint_eq(len, 5);
    ck_assert(rqx__wire_has_buffered(wire));
    ck_assert_int_eq(rqx__wire_read(wire, (uint8_t *)buffer, sizeof buffer, &len, &err), RQX_ERR_READ);
    ck_assert_int_eq(err.code, RQX_ERR_READ);
    ck_assert_ptr_nonnull(strstr(err.text, "decryption failed or bad record mac"));
    ck_assert(rqx__wire_has_buffered(wire));
    ck_assert_int_eq(rqx__wire_read(wire, (uint8_t *)buffer, sizeof buffer, &len, NULL), RQX_ERR_READ);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    rqx__wire_free(wire);
    free_server(&server);
    rqx_tls_unref(tls);
}
END_TEST

static void talk_records(struct server *server, SSL *ssl)
{
    static uint8_t data[1000];
    size_t i;
    char go;

    for (i = 0; i < server->amount; i++)
        SSL_write(ssl, data, sizeof data);
    SSL_read(ssl, &go, 1);
}

START_TEST(what_was_read_ahead_is_told_of)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_records, .amount = 20};
    struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    struct rqx__err err;
    uint8_t buffer[30000];
    size_t total = 0;
    size_t len = 0;
    bool buffered = false;
    int rc;

    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    ck_assert(!rqx__wire_has_buffered(wire));
    while (total < 20000) {
        ck_assert_int_eq(drive_read(wire, buffer, 300, &len, &err), 0);
        ck_assert_uint_le(len, 300);
        total += len;
        buffered = buffered || rqx__wire_has_buffered(wire);
        while (rqx__wire_has_buffered(wire) && total < 20000) {
            rc = rqx__wire_read(wire, buffer, 300, &len, &err); /* without waiting */
            ck_assert_int_ge(rc, 0);
            if (rc == RQX_AGAIN) { /* a part of a record alone: no more is told of */
                ck_assert(!rqx__wire_has_buffered(wire));
                break;
            }
            total += len;
        }
    }
    ck_assert(buffered);
    ck_assert(!rqx__wire_has_buffered(wire));
    ck_assert_int_eq(rqx__wire_read(wire, buffer, 300, &len, &err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(wire), RQX__IO_READ);
    ck_assert_int_eq(drive_write(wire, "x", 1, &err), 0);
    rqx__wire_free(wire);
    join_server(&server);
    free_server(&server);
    rqx_tls_unref(tls);
}
END_TEST

/* Whole records (RFC 8446 section 5.1) of just this length. */
static int count_records(const uint8_t *bytes, size_t len, size_t record_len)
{
    size_t at = 0;
    int count = 0;

    while (at + 5 <= len) {
        size_t this_len = (size_t)bytes[at + 3] << 8 | bytes[at + 4];

        at += 5 + this_len;
        count += at <= len && this_len == record_len;
    }
    return count;
}

/* One read() takes several records; a part of one does not count as buffered, and is finished by the next bytes. */
START_TEST(a_part_of_a_record_is_no_progress)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_records, .amount = 3};
    int relay[2];
    int server_fd = start_server(&server);
    struct rqx__wire *wire;
    struct rqx__err err;
    uint8_t bytes[8192];
    uint8_t buffer[4000];
    size_t len = 0;
    ssize_t got;
    ssize_t have = 0;
    int rc;

    /* this thread carries the bytes by hand */
    make_pair(relay);
    ck_assert_int_eq(fcntl(relay[1], F_SETFL, O_NONBLOCK), 0);
    wire = tls_on(tls, relay[0], HOST, 443, BOTH);
    while ((rc = rqx__wire_handshake(wire, &err)) == RQX_AGAIN) {
        struct pollfd entries[2] = {{.fd = relay[1], .events = POLLIN}, {.fd = server_fd, .events = POLLIN}};

        ck_assert_int_gt(poll(entries, 2, 20000), 0);
        got = recv(relay[1], bytes, sizeof bytes, 0);
        if (got > 0)
            ck_assert(put_all(server_fd, bytes, (size_t)got));
        got = recv(server_fd, bytes, sizeof bytes, 0);
        if (got > 0)
            ck_assert(put_all(relay[1], bytes, (size_t)got));
    }
    ck_assert_int_eq(rc, 0);
    got = recv(relay[1], bytes, sizeof bytes, 0);
    if (got > 0)
        ck_assert(put_all(server_fd, bytes, (size_t)got));
    while (count_records(bytes, (size_t)have, 1000 + 17) < 3) { /* two tickets come before them */
        struct pollfd entry = {.fd = server_fd, .events = POLLIN};

        ck_assert_int_gt(poll(&entry, 1, 20000), 0);
        got = recv(server_fd, bytes + have, sizeof bytes - (size_t)have, 0);
        ck_assert_int_gt(got, 0);
        have += got;
    }
    ck_assert(put_all(relay[1], bytes, (size_t)have - 500));
    ck_assert_int_eq(drive_read(wire, buffer, sizeof buffer, &len, &err), 0);
    ck_assert_uint_eq(len, 2000);
    ck_assert(!rqx__wire_has_buffered(wire));
    ck_assert_int_eq(rqx__wire_read(wire, buffer, sizeof buffer, &len, &err), RQX_AGAIN);
    ck_assert(put_all(relay[1], bytes + have - 500, 500));
    ck_assert_int_eq(drive_read(wire, buffer, sizeof buffer, &len, &err), 0);
    ck_assert_uint_eq(len, 1000);
    rqx__wire_free(wire);
    close(relay[1]);
    close(server_fd);
    join_server(&server);
    free_server(&server);
    rqx_tls_unref(tls);
}
END_TEST

START_TEST(a_reset_connection_is_the_layers_below_error)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .ending = END_ABRUPT};
    struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    static uint8_t data[100000];
    struct rqx__err err;
    size_t len = 0;
    int rc;

    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    join_server(&server);
    ck_assert_int_eq(rqx__wire_write(wire, data, sizeof data, &len, &err), RQX_ERR_WRITE);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    rqx__wire_shutdown(wire); /* says nothing any more */
    rqx__wire_free(wire);
    wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    join_server(&server);
    rc = rqx__wire_write(wire, data, 10, &len, &err);
    ck_assert_int_eq(rc, RQX_ERR_WRITE);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    rqx__wire_free(wire);
    /* a peer that said goodbye and went: its end of bytes does not hide the failure */
    server.ending = END_NOTIFY;
    wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    join_server(&server);
    ck_assert_int_eq(drive_read(wire, data, 10, &len, &err), 0);
    ck_assert_uint_eq(len, 0);
    ck_assert_int_eq(rqx__wire_write(wire, data, 10, &len, &err), RQX_ERR_WRITE);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    rqx__wire_free(wire);
    free_server(&server);
    rqx_tls_unref(tls);
}
END_TEST

/* ---- a guest in the process ---- */

START_TEST(errors_of_the_program_do_not_confuse)
{
    struct server server = {.identity = &good, .talk = talk_echo, .amount = 100};
    rqx_tls *tls = make_trusting();
    struct rqx__wire *wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    uint8_t data[100] = "x";
    struct rqx__err err;
    size_t done = 0;
    size_t len = 0;
    int rc;

    do {
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
        rc = rqx__wire_handshake(wire, &err);
        if (rc == RQX_AGAIN)
            wire_wait(wire);
    } while (rc == RQX_AGAIN);
    ck_assert_int_eq(rc, 0);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
    ck_assert_int_eq(rqx__wire_write(wire, data, sizeof data, &len, &err), 0);
    while (done < sizeof data) {
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
        rc = rqx__wire_read(wire, data, sizeof data, &len, &err);
        ck_assert_int_ge(rc, 0);
        if (rc == RQX_AGAIN)
            ck_assert(wire_wait(wire));
        else
            done += len;
    }
    rqx__wire_free(wire);
    ERR_clear_error();
    join_server(&server);
    free_server(&server);
    rqx_tls_unref(tls);
}
END_TEST

/* ---- stacking ---- */

struct outer {
    struct server server; /* ends the outer TLS */
    struct server inner;  /* and is reached through it */
};

/* Carries bytes between the outer connection and the inner server. */
static void talk_relay(struct server *server, SSL *ssl)
{
    struct server *inner = &((struct outer *)server)->inner;
    int inner_fd = start_server(inner);
    struct pollfd entries[2] = {{.fd = SSL_get_fd(ssl), .events = POLLIN}, {.fd = inner_fd, .events = POLLIN}};
    char bytes[32768];
    int got;

    fcntl(inner_fd, F_SETFL, 0);
    for (;;) {
        if (SSL_pending(ssl) == 0 && poll(entries, 2, 20000) <= 0)
            break;
        if (SSL_pending(ssl) > 0 || entries[0].revents != 0) {
            got = SSL_read(ssl, bytes, sizeof bytes);
            if (got <= 0 || !put_all(inner_fd, bytes, (size_t)got))
                break;
        }
        if (entries[1].revents != 0) {
            got = (int)recv(inner_fd, bytes, sizeof bytes, 0);
            if (got <= 0)
                break;
            SSL_write(ssl, bytes, got);
        }
    }
    close(inner_fd);
    join_server(inner);
}

START_TEST(tls_runs_in_tls)
{
    static uint8_t sent[200000];
    static uint8_t back[200000];
    struct outer outer = {
        .server = {.identity = &good, .talk = talk_relay},
        .inner = {.identity = &good, .talk = talk_echo, .amount = sizeof sent, .alpn = "h2"},
    };
    rqx_tls *tls = make_trusting();
    int fd = start_server(&outer.server);
    struct rqx__wire *lower = tls_on(tls, fd, "127.0.0.1", 3128, RQX_PROTO_HTTP1);
    struct rqx__wire *wire = NULL;
    struct rqx__err err;
    size_t len = 1;

    ck_assert_int_eq(rqx__tls_wire_new(tls, lower, SLICE(HOST), 443, BOTH, &wire, &err), 0);
    ck_assert_int_eq(wire->fd, fd);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    ck_assert_int_eq(rqx__tls_wire_alpn(wire), RQX__ALPN_HTTP2);
    ck_assert_int_eq(rqx__tls_wire_alpn(lower), RQX__ALPN_NONE);
    fill(sent, sizeof sent, 3);
    ck_assert_int_eq(drive_write(wire, sent, sizeof sent, &err), 0);
    ck_assert_int_eq(drive_read_all(wire, back, sizeof back, &err), 0);
    ck_assert_mem_eq(sent, back, sizeof sent);
    ck_assert_int_eq(drive_read(wire, back, 1, &len, &err), 0);
    ck_assert_uint_eq(len, 0);
    rqx__wire_shutdown(wire);
    rqx__wire_free(wire);
    join_server(&outer.server);
    free_server(&outer.server);
    free_server(&outer.inner);
    rqx_tls_unref(tls);
}
END_TEST

/* ---- allocation failures ---- */

#ifdef RQX_TEST_ALLOC
/* Makes settings, connects, echoes; gives the first error. */
static int whole_scenario(const rqx_tls_options *options, int fd)
{
    static uint8_t data[100000];
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *wire = NULL;
    struct rqx__err err;
    rqx_tls *tls = NULL;
    int rc = rqx_tls_new(options, &tls);

    if (rc < 0) {
        close(fd);
        return rc;
    }
    rc = rqx__tcp_wire_new(fd, &tcp);
    if (rc < 0) {
        close(fd);
        rqx_tls_unref(tls);
        return rc;
    }
    rc = rqx__tls_wire_new(tls, tcp, SLICE(HOST), 443, BOTH, &wire, &err);
    if (rc < 0)
        rqx__wire_free(tcp);
    if (rc == 0)
        rc = drive_handshake(wire, &err);
    if (rc == 0)
        rc = drive_write(wire, data, sizeof data, &err);
    if (rc == 0)
        rc = drive_read_all(wire, data, sizeof data, &err);
    rqx__wire_free(wire);
    rqx_tls_unref(tls);
    return rc;
}

START_TEST(each_allocation_may_fail)
{
    rqx_tls_options options = trusting();
    unsigned long n;
    int refused = 0;
    int done = 0;

    write_pem(in_folder("both.pem"), good.cert, good.key, NULL);
    write_pem(in_folder("ca.pem"), ca.cert, NULL, NULL);
    options.cert_file = in_folder("both.pem");
    options.key_file = in_folder("both.pem");
    options.key_password = "unused";
    options.ca_file = in_folder("ca.pem");
    options.ca_dir = folder;
    options.keylog_file = in_folder("log");
    for (n = 1; done < 2; n++) {
        struct server server = {.identity = &good, .talk = talk_echo, .amount = 100000};
        int fd = start_server(&server);
        int rc;

        rqx__mem_fail_at(n, 0);
        rc = whole_scenario(&options, fd);
        if (rqx__mem_count() < n)
            done++;
        rqx__mem_fail_at(0, 0);
        join_server(&server);
        free_server(&server);
        ck_assert(rc == 0 || rc == RQX_ERR_NOMEM);
        refused += rc == RQX_ERR_NOMEM;
        ck_assert_uint_lt(n, 100);
    }
    ck_assert_int_gt(refused, 8);
}
END_TEST

#endif

static Suite *tls_suite(void)
{
    const TTest *const handshakes[] = {
        versions_protocols_and_names_are_agreed,
        a_server_without_h2_fails_who_wants_nothing_else,
        old_ciphers_do_not_carry_h2,
        alerts_are_named,
        a_peer_without_tls_is_told_as_such,
        server_names_are_checked,
    };
    const TTest *const certificates[] = {
        an_expired_certificate_is_told_with_its_date,
        an_unknown_issuer_is_told_by_name,
        another_hosts_certificate_is_told_with_its_names,
        names_in_certificates_are_made_printable_and_cut,
        other_refusals_have_openssls_words,
    };
    const TTest *const bytes[] = {
        much_passes_both_ways_through_small_sockets,
        what_is_offered_may_grow_and_move,
        an_end_without_close_notify_is_truncation,
        a_broken_record_fails_after_what_came_before,
        what_was_read_ahead_is_told_of,
        a_part_of_a_record_is_no_progress,
        a_reset_connection_is_the_layers_below_error,
        tls_runs_in_tls,
    };
    const TTest *const process[] = {
        errors_of_the_program_do_not_confuse,
#ifdef RQX_TEST_ALLOC
        each_allocation_may_fail,
#endif
    };
    Suite *suite = suite_create("tls");

#define ADD(name) add_tests(rqx_add_case(suite, #name), name, sizeof name / sizeof name[0], set_up, tear_down)
    ADD(handshakes);
    ADD(certificates);
    ADD(bytes);
    ADD(process);
#undef ADD
    return suite;
}

RQX_CHECK_MAIN(tls_suite)
