/*
 * tls_support.h - certificates made on the spot, and a TLS server in a thread, for the tests of TLS and dialling.
 */
#ifndef RQX_TESTS_UNIT_TLS_SUPPORT_H
#define RQX_TESTS_UNIT_TLS_SUPPORT_H

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net_support.h"

#define DAY (24L * 60 * 60)

struct identity {
    X509 *cert;
    EVP_PKEY *key;
};

static inline void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* |issuer| NULL: self-signed.  |san|: as in OpenSSL's configuration, "DNS:a.example,IP:127.0.0.1"; NULL: a CA. */
static inline struct identity make_identity(const char *name, const char *san, const struct identity *issuer, long from,
                                            long until)
{
    static long serial = 1000;
    struct identity made = {X509_new(), EVP_EC_gen("P-256")};
    X509 *signer = issuer != NULL ? issuer->cert : made.cert;
    X509_NAME *subject = X509_get_subject_name(made.cert);

    X509_set_version(made.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.cert), from);
    X509_gmtime_adj(X509_getm_notAfter(made.cert), until);
    X509_set_pubkey(made.cert, made.key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.cert, X509_get_subject_name(signer));
    add_extension(made.cert, signer, NID_subject_key_identifier, "hash");
    add_extension(made.cert, signer, NID_basic_constraints, san == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (san != NULL && san[0] != '\0')
        add_extension(made.cert, signer, NID_subject_alt_name, san);
    ck_assert_int_gt(X509_sign(made.cert, issuer != NULL ? issuer->key : made.key, EVP_sha256()), 0);
    return made;
}

static inline void free_identity(struct identity *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
}

/* The certificate as PEM text, to be freed with free(). */
static inline char *pem_of(const X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    char *text;
    long len;

    ck_assert_int_eq(PEM_write_bio_X509(bio, (X509 *)(uintptr_t)cert), 1);
    len = BIO_get_mem_data(bio, &data);
    text = strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

static inline void write_pem(const char *path, const X509 *cert, EVP_PKEY *key, const char *password)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    if (cert != NULL)
        ck_assert_int_eq(PEM_write_X509(file, (X509 *)(uintptr_t)cert), 1);
    if (key != NULL)
        ck_assert_int_eq(PEM_write_PrivateKey(file, key, password != NULL ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                              (void *)(uintptr_t)password),
                         1);
    fclose(file);
}

/* ---- the server ---- */

enum ending { END_NOTIFY, END_ABRUPT, END_WAIT };

struct server {
    const struct identity *identity;
    const struct identity *chain;     /* sent along, or NULL */
    const struct identity *client_ca; /* asks for a certificate and demands one of these; NULL: does not ask */
    const char *alpn;                 /* the protocol chosen if it is offered; NULL: none */
    bool alpn_strict;                 /* a client that does not offer it gets an alert */
    int max_version;
    const char *ciphers;
    SSL_CTX *ctx; /* kept from one connection to the next, for resumption */

    int fd; /* blocks; closed at the end */
    /* Talks on the connection. */
    void (*talk)(struct server *server, SSL *ssl);
    enum ending ending;
    size_t amount; /* for |talk| */

    pthread_t thread;
    bool accepted;
    bool resumed;
    char sni[256];
};

static inline int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                              unsigned in_len, void *user)
{
    const struct server *server = user;
    size_t len = server->alpn != NULL ? strlen(server->alpn) : 0;
    unsigned at;

    (void)ssl;
    for (at = 0; server->alpn != NULL && at < in_len; at += in[at] + 1u) {
        if (in[at] == len && memcmp(in + at + 1, server->alpn, len) == 0) {
            *out = in + at + 1;
            *out_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return server->alpn_strict ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static inline void make_server_ctx(struct server *server)
{
    static const unsigned char context[] = "check";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(SSL_CTX_use_certificate(ctx, server->identity->cert), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, server->identity->key), 1);
    if (server->chain != NULL)
        ck_assert_int_eq((int)SSL_CTX_add1_chain_cert(ctx, server->chain->cert), 1);
    if (server->client_ca != NULL) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), server->client_ca->cert);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (server->max_version != 0)
        SSL_CTX_set_max_proto_version(ctx, server->max_version);
    if (server->ciphers != NULL)
        ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, server->ciphers), 1);
    SSL_CTX_set_session_id_context(ctx, context, sizeof context);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, server);
    server->ctx = ctx;
}

static inline void serve(struct server *server, int fd)
{
    SSL *ssl = SSL_new(server->ctx);
    char rest[256];

    SSL_set_fd(ssl, fd);
    server->accepted = SSL_accept(ssl) == 1;
    if (server->accepted) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

        snprintf(server->sni, sizeof server->sni, "%s", name != NULL ? name : "");
        server->resumed = SSL_session_reused(ssl) == 1;
        if (server->talk != NULL)
            server->talk(server, ssl);
        if (server->ending == END_NOTIFY)
            SSL_shutdown(ssl);
        if (server->ending == END_WAIT)
            while (SSL_read(ssl, rest, sizeof rest) > 0)
                ;
    }
    SSL_free(ssl);
    ERR_clear_error();
}

static inline void *serve_thread(void *user)
{
    struct server *server = user;

    /* OpenSSL's socket BIO writes without MSG_NOSIGNAL */
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    serve(server, server->fd);
    /* what the client sent last is read, so that closing is not a reset */
    shutdown(server->fd, SHUT_WR);
    close(server->fd);
    return NULL;
}

/* Starts it on one end of a pair, and gives the other end, which does not block. */
static inline int start_server(struct server *server)
{
    int ends[2];

    if (server->ctx == NULL)
        make_server_ctx(server);
    make_pair(ends);
    server->fd = ends[1];
    server->accepted = server->resumed = false;
    ck_assert_int_eq(pthread_create(&server->thread, NULL, serve_thread, server), 0);
    return ends[0];
}

static inline void join_server(struct server *server)
{
    pthread_join(server->thread, NULL);
}

#endif
