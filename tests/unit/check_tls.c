/*
 * check_tls.c - rqx_tls and the TLS wire: against OpenSSL's server in a thread, with certificates made here.
 */
#include "support.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <requestx/client.h>
#include <requestx/tls.h>
#include <requestx/url.h>

#include "net/tls_internal.h"
#include "tls_support.h"

#define BOTH (RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2)
#define HOST "api.example.com"

static struct identity ca;
static struct identity good; /* HOST, *.wild.example, 127.0.0.1, ::1; signed by |ca| */
static char *ca_text;
static char folder[64];

static void set_up(void)
{
    strcpy(folder, "/tmp/check_tls.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ca = make_identity("Check Root", NULL, NULL, -DAY, 365 * DAY);
    good = make_identity("check", "DNS:" HOST ",DNS:*.wild.example,IP:127.0.0.1,IP:::1", &ca, -DAY, 30 * DAY);
    ca_text = pem_of(ca.cert);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    unsetenv("SSLKEYLOGFILE");
}

static void tear_down(void)
{
    char command[128];

    free_identity(&ca);
    free_identity(&good);
    free(ca_text);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_folder(const char *name)
{
    static char paths[8][128];
    static int next;
    char *path = paths[next++ & 7];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Settings that trust |ca| alone. */
static rqx_tls_options trusting(void)
{
    rqx_tls_options options;

    rqx_tls_options_init(&options);
    options.system_trust = 0;
    options.ca_pem = ca_text;
    options.ca_pem_len = strlen(ca_text);
    return options;
}

static rqx_tls *make_tls(const rqx_tls_options *options)
{
    rqx_tls *tls = NULL;

    ck_assert_int_eq(rqx_tls_new(options, &tls), 0);
    return tls;
}

static rqx_tls *make_trusting(void)
{
    rqx_tls_options options = trusting();

    return make_tls(&options);
}

static struct rqx__wire *tls_on(rqx_tls *tls, int fd, const char *name, int port, unsigned protocols)
{
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *wire = NULL;
    struct rqx__err err;

    ck_assert_int_eq(rqx__tcp_wire_new(fd, &tcp), 0);
    ck_assert_int_eq(rqx__tls_wire_new(tls, tcp, SLICE(name), port, protocols, &wire, &err), 0);
    ck_assert_str_eq(wire->ops->name, "tls");
    ck_assert_ptr_eq(wire->lower, tcp);
    return wire;
}

/* The outcome of a handshake with |server|; the wire is freed. */
static int outcome_with(rqx_tls *tls, struct server *server, const char *name, unsigned protocols, struct rqx__err *err)
{
    struct rqx__wire *wire = tls_on(tls, start_server(server), name, 443, protocols);
    int rc = drive_handshake(wire, err);

    if (rc == 0)
        rqx__wire_shutdown(wire);
    rqx__wire_free(wire);
    join_server(server);
    return rc;
}

static int outcome(rqx_tls *tls, struct server *server, struct rqx__err *err)
{
    int rc = outcome_with(tls, server, HOST, BOTH, err);

    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rc;
}

static void free_server(struct server *server)
{
    SSL_CTX_free(server->ctx);
    server->ctx = NULL;
}

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
        const char *version = NULL;
        const char *cipher = NULL;
        struct rqx__err err;

        rqx_tls_unref(tls); /* the wire has its own reference */
        ck_assert_int_eq(drive_handshake(wire, &err), 0);
        ck_assert_int_eq(rqx__wire_handshake(wire, &err), 0);
        ck_assert_int_eq(rqx__tls_wire_alpn(wire), cases[i].chosen);
        ck_assert(!rqx__tls_wire_resumed(wire));
        rqx__tls_wire_describe(wire, &version, &cipher);
        ck_assert_str_eq(version, cases[i].version_text);
        ck_assert_uint_gt(strlen(cipher), 4);
        rqx__wire_free(wire);
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
    ck_assert_str_eq(err.text, "peer did not choose h2 (ALPN)");
    ck_assert_int_eq(outcome_with(tls, &other, HOST, BOTH, &err), RQX_ERR_TLS_ALPN);
    ck_assert_str_eq(err.text, "peer sent alert: no application protocol (120)");
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
                       "unable to get local issuer certificate (Other Root)");
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
                       "?)");
    snprintf(text, sizeof text, "unable to get local issuer certificate (%s)", name);
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

static void fill(uint8_t *data, size_t len, unsigned seed)
{
    size_t i;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        data[i] = (uint8_t)(seed >> 16);
    }
}

static void talk_echo(struct server *server, SSL *ssl)
{
    static uint8_t data[1 << 22];
    size_t done = 0;

    while (done < server->amount) {
        int got = SSL_read(ssl, data + done, (int)(server->amount - done));

        if (got <= 0)
            return;
        done += (size_t)got;
    }
    SSL_write(ssl, data, (int)server->amount);
}

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

static void talk_say(struct server *server, SSL *ssl)
{
    (void)server;
    SSL_write(ssl, "hello", 5);
}

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

/* ---- resumption ---- */

/* Connects, waits for the greeting (tickets come before it) and closes; gives whether the session was resumed. */
static bool visit_port(rqx_tls *tls, struct server *server, const char *name, int port, bool goodbye)
{
    struct rqx__wire *wire = tls_on(tls, start_server(server), name, port, BOTH);
    struct rqx__err err;
    char buffer[8];
    bool resumed;

    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    ck_assert_int_eq(drive_read_all(wire, buffer, 5, &err), 0);
    resumed = rqx__tls_wire_resumed(wire);
    if (goodbye)
        rqx__wire_shutdown(wire);
    rqx__wire_free(wire);
    join_server(server);
    ck_assert_int_eq(server->resumed, resumed);
    return resumed;
}

START_TEST(sessions_are_resumed)
{
    static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
    size_t i;

    for (i = 0; i < 2; i++) {
        rqx_tls *tls = make_trusting();
        struct server server = {.identity = &good, .talk = talk_say, .max_version = versions[i], .alpn = "h2"};

        ck_assert(!visit_port(tls, &server, HOST, 443, true));
        ck_assert(visit_port(tls, &server, HOST, 443, true));
        ck_assert(visit_port(tls, &server, HOST ".", 443, false)); /* no goodbye was said here */
        ck_assert(visit_port(tls, &server, HOST, 443, true));
        ck_assert(!visit_port(tls, &server, HOST, 8443, true));
        ck_assert(!visit_port(tls, &server, "127.0.0.1", 443, true));
        rqx_tls_unref(tls);
        free_server(&server);
    }
}
END_TEST

/* RFC 8446 appendix C.4: a ticket is used once. */
START_TEST(tickets_of_tls_1_3_are_used_once)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_say};
    SSL_SESSION *first;
    SSL_SESSION *second;

    ck_assert(!visit_port(tls, &server, HOST, 443, true)); /* OpenSSL's server gives two */
    first = rqx__tls_session_take(tls, HOST ":443");
    second = rqx__tls_session_take(tls, HOST ":443");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_ne(first, second);
    ck_assert_ptr_null(rqx__tls_session_take(tls, HOST ":443"));
    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    SSL_SESSION_set_timeout(first, 1);
    SSL_SESSION_set_time(first, SSL_SESSION_get_time(first) - 100);
    rqx__tls_session_put(tls, "old:1", first);
    ck_assert_ptr_null(rqx__tls_session_take(tls, "old:1")); /* too old */
    rqx__tls_session_put(tls, "gone:1", second);
    rqx__tls_session_drop(tls, "gone:1");
    rqx__tls_session_drop(tls, "gone:1");
    ck_assert_ptr_null(rqx__tls_session_take(tls, "gone:1"));
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

START_TEST(remembered_sessions_are_bounded)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_say};
    SSL_SESSION *session;
    char key[32];
    int found = 0;
    int i;

    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    session = rqx__tls_session_take(tls, HOST ":443");
    ck_assert_ptr_nonnull(session);
    for (i = 0; i < 10; i++) {
        SSL_SESSION_up_ref(session);
        rqx__tls_session_put(tls, "many:1", session);
    }
    for (i = 0; i < 10; i++) {
        SSL_SESSION *one = rqx__tls_session_take(tls, "many:1");

        found += one != NULL;
        SSL_SESSION_free(one);
    }
    ck_assert_int_eq(found, RQX__SESSION_TICKETS_MAX);
    SSL_SESSION_up_ref(session);
    rqx__tls_session_put(tls, "first:1", session);
    for (i = 0; i < RQX__SESSION_PEERS_MAX; i++) {
        snprintf(key, sizeof key, "peer%d:1", i);
        SSL_SESSION_up_ref(session);
        rqx__tls_session_put(tls, key, session);
        SSL_SESSION_free(rqx__tls_session_take(tls, "peer0:1")); /* used, so it stays */
    }
    ck_assert_uint_eq(tls->sessions.count, RQX__SESSION_PEERS_MAX);
    ck_assert_ptr_null(rqx__tls_session_take(tls, "first:1"));
    SSL_SESSION_up_ref(session);
    rqx__tls_session_put(tls, "peer0:1", session);
    ck_assert_uint_eq(tls->sessions.count, RQX__SESSION_PEERS_MAX);
    SSL_SESSION_free(session);
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

START_TEST(a_failed_handshake_forgets_the_session)
{
    rqx_tls *tls = make_trusting();
    struct server server = {.identity = &good, .talk = talk_say};
    struct rqx__wire *wire;
    struct rqx__err err;
    int ends[2];

    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    make_pair(ends);
    wire = tls_on(tls, ends[0], HOST, 443, BOTH);
    close(ends[1]);
    ck_assert_int_lt(drive_handshake(wire, &err), 0);
    rqx__wire_free(wire);
    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    rqx_tls_unref(tls);
    free_server(&server);
}
END_TEST

/* ---- settings ---- */

static void load_fails(const rqx_tls_options *options, const char *text)
{
    rqx_tls *tls = make_tls(options);
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *wire = NULL;
    struct rqx__err err;
    char *told = NULL;
    int ends[2];

    ck_assert_int_eq(rqx_tls_load(tls, &told), RQX_ERR_TLS_CONFIG);
    ck_assert_str_eq(told, text);
    rqx_free(told);
    ck_assert_int_eq(rqx_tls_load(tls, NULL), RQX_ERR_TLS_CONFIG);
    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    ck_assert_int_eq(rqx__tls_wire_new(tls, tcp, SLICE(HOST), 443, BOTH, &wire, &err), RQX_ERR_TLS_CONFIG);
    ck_assert_str_eq(err.text, text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    rqx__wire_free(tcp);
    close(ends[1]);
    rqx_tls_unref(tls);
}

START_TEST(options_are_checked)
{
    rqx_tls_options options;
    rqx_tls *tls = NULL;

    rqx_tls_options_init(&options);
    ck_assert_uint_eq(options.struct_size, sizeof options);
    ck_assert_int_eq(options.verify, 1);
    options.min_version = 0x0302;
    ck_assert_int_eq(rqx_tls_new(&options, &tls), RQX_ERR_INVALID_ARGUMENT);
    rqx_tls_options_init(&options);
    options.key_file = "k.pem";
    ck_assert_int_eq(rqx_tls_new(&options, &tls), RQX_ERR_INVALID_ARGUMENT);
    rqx_tls_options_init(&options);
    options.struct_size = 0;
    ck_assert_int_eq(rqx_tls_new(&options, &tls), RQX_ERR_INVALID_ARGUMENT);
    options.struct_size = sizeof options + 8;
    ck_assert_int_eq(rqx_tls_new(&options, &tls), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(NULL, 1, &tls), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(tls);
    rqx_tls_unref(NULL);
    ck_assert_int_eq(rqx_tls_new(NULL, &tls), 0);
    ck_assert_int_eq(rqx_tls_load(tls, NULL), 0); /* the system's store, whatever is in it */
    ck_assert_ptr_eq(rqx_tls_ref(tls), tls);
    rqx_tls_unref(tls);
    rqx_tls_unref(tls);
}
END_TEST

START_TEST(files_that_cannot_be_used_are_named)
{
    const char *missing = in_folder("missing");
    const char *junk = in_folder("junk");
    rqx_tls_options options = trusting();
    char text[256];
    FILE *file = fopen(junk, "w");

    fputs("no certificate\n", file);
    fclose(file);
    options.ca_file = missing;
    snprintf(text, sizeof text, "ca_file %s: no such file or directory", missing);
    load_fails(&options, text);
    options.ca_file = folder;
    snprintf(text, sizeof text, "ca_file %s: is a directory", folder);
    load_fails(&options, text);
    options.ca_file = junk;
    snprintf(text, sizeof text, "ca_file %s: no certificate or crl found", junk);
    load_fails(&options, text);
    options.ca_file = NULL;
    options.ca_dir = missing;
    snprintf(text, sizeof text, "ca_dir %s: no such file or directory", missing);
    load_fails(&options, text);
    options.ca_dir = junk;
    snprintf(text, sizeof text, "ca_dir %s: not a directory", junk);
    load_fails(&options, text);
    options.ca_dir = NULL;
    options.ca_pem = "nothing";
    options.ca_pem_len = 7;
    load_fails(&options, "ca_pem: no start line");
    options.ca_pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    options.ca_pem_len = strlen(options.ca_pem);
    load_fails(&options, "ca_pem: header too long");
    options = trusting();
    options.cert_file = missing;
    snprintf(text, sizeof text, "cert_file %s: no such file or directory", missing);
    load_fails(&options, text);
    options.cert_file = junk;
    snprintf(text, sizeof text, "cert_file %s: no start line", junk);
    load_fails(&options, text);
    options = trusting();
    options.keylog_file = in_folder("no/such");
    snprintf(text, sizeof text, "keylog_file %s: no such file or directory", options.keylog_file);
    load_fails(&options, text);
}
END_TEST

START_TEST(keys_that_cannot_be_used_are_named)
{
    struct identity client = make_identity("client", "DNS:c.example", &ca, -DAY, DAY);
    const char *cert_path = in_folder("cert.pem");
    const char *locked = in_folder("locked.pem");
    const char *other = in_folder("other.pem");
    rqx_tls_options options = trusting();
    rqx_tls *tls;
    char text[256];

    write_pem(cert_path, client.cert, NULL, NULL);
    write_pem(locked, NULL, client.key, "secret");
    write_pem(other, NULL, good.key, NULL);
    options.cert_file = cert_path;
    options.key_file = locked;
    snprintf(text, sizeof text, "key_file %s: the key is encrypted, and no password was given", locked);
    load_fails(&options, text);
    options.key_password = "wrong";
    tls = make_tls(&options);
    {
        char *told = NULL;

        ck_assert_int_eq(rqx_tls_load(tls, &told), RQX_ERR_TLS_CONFIG);
        snprintf(text, sizeof text, "key_file %s: ", locked);
        ck_assert_int_eq(strncmp(told, text, strlen(text)), 0);
        rqx_free(told);
    }
    rqx_tls_unref(tls);
    options.key_password = NULL;
    options.key_file = other;
    snprintf(text, sizeof text, "key_file %s: key values mismatch", other);
    load_fails(&options, text);
    options.key_file = in_folder("missing");
    snprintf(text, sizeof text, "key_file %s: no such file or directory", options.key_file);
    load_fails(&options, text);
    options.key_file = NULL; /* it should stand in cert_file then */
    tls = make_tls(&options);
    ck_assert_int_eq(rqx_tls_load(tls, NULL), RQX_ERR_TLS_CONFIG);
    rqx_tls_unref(tls);
    free_identity(&client);
}
END_TEST

static char client_name[64];

static void talk_who(struct server *server, SSL *ssl)
{
    X509 *cert = SSL_get1_peer_certificate(ssl);

    (void)server;
    client_name[0] = '\0';
    if (cert != NULL)
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, client_name, sizeof client_name);
    X509_free(cert);
    SSL_write(ssl, "hello", 5);
}

START_TEST(a_client_certificate_is_shown)
{
    struct identity client = make_identity("client", "DNS:c.example", &ca, -DAY, DAY);
    struct server server = {.identity = &good, .client_ca = &ca, .talk = talk_who};
    rqx_tls_options options = trusting();
    struct rqx__wire *wire;
    struct rqx__err err;
    char buffer[8];
    size_t len = 0;
    rqx_tls *tls;
    int rc;

    write_pem(in_folder("cert.pem"), client.cert, NULL, NULL);
    write_pem(in_folder("locked.pem"), NULL, client.key, "secret");
    write_pem(in_folder("both.pem"), client.cert, client.key, NULL);
    options.cert_file = in_folder("cert.pem");
    options.key_file = in_folder("locked.pem");
    options.key_password = "secret";
    tls = make_tls(&options);
    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    ck_assert_str_eq(client_name, "client");
    rqx_tls_unref(tls);
    options = trusting();
    options.cert_file = in_folder("both.pem");
    tls = make_tls(&options);
    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    ck_assert_str_eq(client_name, "client");
    rqx_tls_unref(tls);
    /* without one: TLS 1.3 tells so only after the client's side of the handshake is done */
    tls = make_trusting();
    wire = tls_on(tls, start_server(&server), HOST, 443, BOTH);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    rc = drive_read(wire, buffer, sizeof buffer, &len, &err);
    ck_assert_int_eq(rc, RQX_ERR_READ);
    ck_assert_str_eq(err.text, "peer sent alert: certificate required (116)");
    rqx__wire_free(wire);
    join_server(&server);
    rqx_tls_unref(tls);
    free_server(&server);
    free_identity(&client);
}
END_TEST

START_TEST(roots_come_from_file_directory_text_and_environment)
{
    struct server server = {.identity = &good};
    rqx_tls_options options;
    struct rqx__err err;
    char path[160];
    rqx_tls *tls;
    char text[256];

    write_pem(in_folder("ca.pem"), ca.cert, NULL, NULL);
    snprintf(path, sizeof path, "%s/roots", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/roots/%08lx.0", folder, X509_subject_name_hash(ca.cert));
    write_pem(path, ca.cert, NULL, NULL);
    snprintf(path, sizeof path, "%s/roots", folder);

    rqx_tls_options_init(&options);
    tls = make_tls(&options); /* the system does not know our root */
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    rqx_tls_unref(tls);
    options.ca_file = in_folder("ca.pem");
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    options.ca_file = NULL;
    options.ca_dir = path;
    options.system_trust = 0;
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);

    rqx_tls_options_init(&options);
    setenv("SSL_CERT_FILE", in_folder("ca.pem"), 1);
    tls = make_tls(&options);
    setenv("SSL_CERT_FILE", "/changed/after/wards", 1);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    snprintf(text, sizeof text, "SSL_CERT_FILE /changed/after/wards: no such file or directory");
    load_fails(&options, text);
    options.trust_env = 0;
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    rqx_tls_unref(tls);
    options.trust_env = 1;
    options.system_trust = 0; /* then these variables do not count either */
    tls = make_tls(&options);
    ck_assert_int_eq(rqx_tls_load(tls, NULL), 0);
    rqx_tls_unref(tls);
    options.system_trust = 1;
    setenv("SSL_CERT_FILE", "", 1);
    snprintf(text, sizeof text, "/nowhere:%s", path);
    setenv("SSL_CERT_DIR", text, 1);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    free_server(&server);
}
END_TEST

/* A certificate that the user names is trusted, whoever signed it. */
START_TEST(a_leaf_may_be_its_own_root)
{
    struct server server = {.identity = &good};
    rqx_tls_options options = trusting();
    char *leaf = pem_of(good.cert);
    struct rqx__err err;
    rqx_tls *tls;

    options.ca_pem = leaf;
    options.ca_pem_len = strlen(leaf);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    free(leaf);
    free_server(&server);
}
END_TEST

START_TEST(secrets_are_logged_where_asked_for)
{
    static const char *const labels[] = {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 "};
    struct server server = {.identity = &good};
    rqx_tls_options options = trusting();
    struct rqx__err err;
    char text[4096] = "";
    struct stat status;
    FILE *file;
    rqx_tls *tls;
    size_t i;

    setenv("SSLKEYLOGFILE", in_folder("env.log"), 1);
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    options.keylog_file = in_folder("own.log");
    tls = make_tls(&options);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    ck_assert_int_eq(outcome(tls, &server, &err), 0);
    rqx_tls_unref(tls);
    unsetenv("SSLKEYLOGFILE");
    ck_assert_int_eq(stat(in_folder("own.log"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(in_folder("env.log"), &status), 0);
    file = fopen(in_folder("own.log"), "r");
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 500);
    fclose(file);
    for (i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(strstr(text, labels[i]));
    ck_assert_int_eq(text[strlen(text) - 1], '\n');
    free_server(&server);
}
END_TEST

/* ---- a user's SSL_CTX ---- */

START_TEST(a_borrowed_context_is_used_as_it_is)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct server server = {.identity = &good, .talk = talk_say, .alpn = "h2"};
    struct server abrupt = {.identity = &good, .talk = talk_say, .ending = END_ABRUPT};
    struct rqx__wire *wire;
    struct rqx__err err;
    rqx_tls *tls = NULL;
    char buffer[8];
    size_t len = 0;

    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &tls), 0);
    ck_assert_int_eq(rqx_tls_load(tls, NULL), 0);
    ck_assert(!visit_port(tls, &server, "any.name.example", 443, true)); /* it verifies nothing */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ck_assert_int_eq(outcome_with(tls, &server, HOST, BOTH, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "unable to get local issuer certificate (Check Root)");
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca.cert);
    ck_assert(!visit_port(tls, &server, HOST, 443, true));
    ck_assert(visit_port(tls, &server, HOST, 443, false)); /* sessions are remembered without setting a callback */
    ck_assert(visit_port(tls, &server, HOST, 443, true));
    ck_assert_int_eq(outcome_with(tls, &server, "wrong.example", BOTH, &err), RQX_ERR_TLS_CERTIFICATE);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF); /* truncation is told all the same */
    wire = tls_on(tls, start_server(&abrupt), HOST, 443, BOTH);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    ck_assert_int_eq(drive_read_all(wire, buffer, 5, &err), 0);
    ck_assert_int_eq(drive_read(wire, buffer, 1, &len, &err), RQX_ERR_TRUNCATED);
    rqx__wire_free(wire);
    join_server(&abrupt);
    X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(ctx), HOST, 0);
    ck_assert_int_eq(outcome_with(tls, &server, "wrong.example", BOTH, &err), 0); /* the user said who is expected */
    rqx_tls_unref(tls);
    SSL_CTX_free(ctx);
    free_server(&server);
    free_server(&abrupt);
}
END_TEST

static int refuse_all(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static int refuse_silently(X509_STORE_CTX *store, void *user)
{
    (void)user;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 0;
}

START_TEST(a_borrowed_contexts_own_callback_decides)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    struct server server = {.identity = &good};
    struct rqx__err err;
    rqx_tls *tls = NULL;

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, refuse_all);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &tls), 0);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "application verification failure");
    ck_assert_int_eq(err.tls_verify, X509_V_ERR_APPLICATION_VERIFICATION);
    SSL_CTX_set_cert_verify_callback(ctx, refuse_silently, NULL);
    ck_assert_int_eq(outcome(tls, &server, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_uint_gt(strlen(err.text), 10);
    rqx_tls_unref(tls);
    SSL_CTX_free(ctx);
    free_server(&server);
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

static void *visit_thread(void *user)
{
    rqx_tls *tls = user;
    struct server server = {.identity = &good, .talk = talk_say};
    int i;

    for (i = 0; i < 5; i++)
        visit_port(tls, &server, HOST, 443, true);
    free_server(&server);
    rqx_tls_unref(tls);
    return NULL;
}

START_TEST(many_threads_share_one_configuration)
{
    rqx_tls *tls = make_trusting();
    pthread_t threads[8];
    int i;

    for (i = 0; i < 8; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, visit_thread, rqx_tls_ref(tls)), 0);
    rqx_tls_unref(tls);
    for (i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

#ifndef __SANITIZE_THREAD__ /* which knows no threads in a child */
struct holder {
    rqx_tls *tls;
    int held[2];
    int release[2];
};

static void *hold_lock(void *user)
{
    struct holder *holder = user;
    char go;

    rqx__tls_lock(holder->tls);
    ck_assert(write(holder->held[1], "x", 1) == 1);
    ck_assert(read(holder->release[0], &go, 1) == 1);
    rqx__tls_unlock(holder->tls);
    return NULL;
}

/* Whether a child can use |tls|: with a full handshake, since sessions are the parent's to use. */
static bool works_in_child(rqx_tls *tls)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct server server = {.identity = &good, .talk = talk_say};
        bool resumed = visit_port(tls, &server, HOST, 443, true);

        rqx_tls_unref(tls);
        leave_child(!resumed);
    }
    return child_left_well(pid);
}

START_TEST(a_forked_child_can_use_it_even_while_it_was_locked)
{
    struct server server = {.identity = &good, .talk = talk_say};
    struct holder holder = {.tls = make_trusting()};
    pthread_t thread;
    char held;

    ck_assert(!visit_port(holder.tls, &server, HOST, 443, true));
    ck_assert(works_in_child(holder.tls));
    ck_assert_int_eq(pipe(holder.held), 0);
    ck_assert_int_eq(pipe(holder.release), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, hold_lock, &holder), 0);
    ck_assert(read(holder.held[0], &held, 1) == 1);
    ck_assert(works_in_child(holder.tls));
    ck_assert(write(holder.release[1], "x", 1) == 1);
    pthread_join(thread, NULL);
    ck_assert(visit_port(holder.tls, &server, HOST, 443, true)); /* the parent's are still there */
    rqx_tls_unref(holder.tls);
    free_server(&server);
    close(holder.held[0]);
    close(holder.held[1]);
    close(holder.release[0]);
    close(holder.release[1]);
}
END_TEST
#endif

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

START_TEST(a_borrowed_context_without_memory)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    rqx_tls_options options = trusting();
    rqx_tls *tls = NULL;
    char *text = NULL;

    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, &tls), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    SSL_CTX_free(ctx);
    options.ca_file = "/missing";
    tls = make_tls(&options);
    rqx__mem_fail_at(1, 1);
    ck_assert_int_eq(rqx_tls_load(tls, &text), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_ptr_null(text);
    rqx_tls_unref(tls);
}
END_TEST
#endif

static void add_all(TCase *tcase, const TTest *const *tests, size_t count)
{
    size_t i;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
}

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
    const TTest *const sessions[] = {
        sessions_are_resumed,
        tickets_of_tls_1_3_are_used_once,
        remembered_sessions_are_bounded,
        a_failed_handshake_forgets_the_session,
    };
    const TTest *const settings[] = {
        options_are_checked,
        files_that_cannot_be_used_are_named,
        keys_that_cannot_be_used_are_named,
        a_client_certificate_is_shown,
        roots_come_from_file_directory_text_and_environment,
        a_leaf_may_be_its_own_root,
        secrets_are_logged_where_asked_for,
        a_borrowed_context_is_used_as_it_is,
        a_borrowed_contexts_own_callback_decides,
    };
    const TTest *const process[] = {
        errors_of_the_program_do_not_confuse,
        many_threads_share_one_configuration,
#ifndef __SANITIZE_THREAD__
        a_forked_child_can_use_it_even_while_it_was_locked,
#endif
    };
    Suite *suite = suite_create("tls");

#define ADD(name) add_all(rqx_add_case(suite, #name), name, sizeof name / sizeof name[0])
    ADD(handshakes);
    ADD(certificates);
    ADD(bytes);
    ADD(sessions);
    ADD(settings);
    ADD(process);
#ifdef RQX_TEST_ALLOC
    {
        const TTest *const memory[] = {each_allocation_may_fail, a_borrowed_context_without_memory};

        ADD(memory);
    }
#endif
#undef ADD
    return suite;
}

RQX_CHECK_MAIN(tls_suite)
