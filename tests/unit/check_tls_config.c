/*
 * check_tls_config.c - rqx_tls: settings and files, sessions that are remembered, and its life among threads and forks.
 */
#include "support.h"

#include <sys/stat.h>

#include <requestx/url.h>

#include "tls_fixture.h"

/* ---- resumption ---- */

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
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(NULL, 1, NULL, 0, &tls), RQX_ERR_INVALID_ARGUMENT);
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
    snprintf(text, sizeof text, "key_file %s: no private key in it", cert_path);
    load_fails(&options, text);
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

    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, NULL, 0, &tls), 0);
    ck_assert_int_eq(rqx_tls_load(tls, NULL), 0);
    ck_assert(!visit_port(tls, &server, "any.name.example", 443, true)); /* it verifies nothing */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    ck_assert_int_eq(outcome_with(tls, &server, HOST, BOTH, &err), RQX_ERR_TLS_CERTIFICATE);
    ck_assert_str_eq(err.text, "unable to get local issuer certificate (Check Root is not trusted)");
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
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, NULL, 0, &tls), 0);
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

/* ---- threads and forks ---- */

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

#ifdef RQX_TEST_ALLOC
START_TEST(a_borrowed_context_without_memory)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    rqx_tls_options options = trusting();
    rqx_tls *tls = NULL;
    char *text = NULL;

    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx_tls_from_ssl_ctx(ctx, 1, NULL, 0, &tls), RQX_ERR_NOMEM);
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

static Suite *tls_config_suite(void)
{
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
    const TTest *const life[] = {
        many_threads_share_one_configuration,
#ifndef __SANITIZE_THREAD__
        a_forked_child_can_use_it_even_while_it_was_locked,
#endif
#ifdef RQX_TEST_ALLOC
        a_borrowed_context_without_memory,
#endif
    };
    Suite *suite = suite_create("tls_config");

#define ADD(name) add_tests(rqx_add_case(suite, #name), name, sizeof name / sizeof name[0], set_up, tear_down)
    ADD(sessions);
    ADD(settings);
    ADD(life);
#undef ADD
    return suite;
}

RQX_CHECK_MAIN(tls_config_suite)
