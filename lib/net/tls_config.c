/*
 * tls_config.c - rqx_tls: settings, and the SSL_CTX made of them at the first connection.
 */
#include "net/tls_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/fork.h"
#include "base/mem.h"
#include "base/str.h"

/* Set in |lock_epoch| while a child makes the lock good. */
#define EPOCH_MENDING (UINT64_C(1) << 63)

/* ---- the lock ---- */

/* A lock that a thread of the parent held at the fork is held for ever in the child, and what it guards may be half
 * done. */
static void mend_lock(rqx_tls *tls)
{
    if (pthread_mutex_trylock(&tls->lock) == 0) {
        rqx__tls_sessions_done(&tls->sessions); /* tickets are the parent's to use */
        rqx__tls_sessions_init(&tls->sessions);
        pthread_mutex_unlock(&tls->lock);
        return;
    }
    pthread_mutex_init(&tls->lock, NULL);
    rqx__tls_sessions_init(&tls->sessions);
}

void rqx__tls_lock(rqx_tls *tls)
{
    uint64_t now = rqx__fork_epoch();
    uint64_t seen = atomic_load_explicit(&tls->lock_epoch, memory_order_acquire);

    while (seen != now) {
        if (seen == (now | EPOCH_MENDING)) {
            sched_yield();
            seen = atomic_load_explicit(&tls->lock_epoch, memory_order_acquire);
        } else if (atomic_compare_exchange_strong(&tls->lock_epoch, &seen, now | EPOCH_MENDING)) {
            mend_lock(tls);
            atomic_store_explicit(&tls->lock_epoch, now, memory_order_release);
            seen = now;
        }
    }
    pthread_mutex_lock(&tls->lock);
}

void rqx__tls_unlock(rqx_tls *tls)
{
    pthread_mutex_unlock(&tls->lock);
}

/* ---- errors ---- */

void rqx__tls_take_reason(char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_reason_error_string(code);

    if (ERR_SYSTEM_ERROR(code)) {
        rqx__errno_text(ERR_GET_REASON(code), text, size);
        text[0] = (char)rqx__lower((unsigned char)text[0]);
    } else if (reason != NULL) {
        snprintf(text, size, "%s", reason);
    } else {
        snprintf(text, size, "OpenSSL error %lx", code);
    }
    ERR_clear_error();
}

/* "WHAT PATH: cause" of OpenSSL's oldest error. */
static int config_failed(struct rqx__err *err, const char *what, const char *path)
{
    char reason[160];
    bool memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;

    rqx__tls_take_reason(reason, sizeof reason);
    if (memory)
        return rqx__err_set(err, RQX_ERR_NOMEM, NULL);
    return rqx__err_set(err, RQX_ERR_TLS_CONFIG, "%s%s%s: %s", what, path[0] != '\0' ? " " : "", path, reason);
}

static int config_errno(struct rqx__err *err, int sys_errno, const char *what, const char *path)
{
    rqx__net_err(err, RQX_ERR_TLS_CONFIG, sys_errno);
    if (err != NULL)
        rqx__err_prefix(err, "%s %s", what, path);
    return RQX_ERR_TLS_CONFIG;
}

/* OpenSSL tells of a missing file in many ways; errno tells it in one. */
static int check_file(struct rqx__err *err, const char *what, const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = 0;

    if (fd < 0)
        return config_errno(err, errno, what, path);
    if (fstat(fd, &status) < 0)
        error = errno;
    else if (S_ISDIR(status.st_mode))
        error = EISDIR;
    close(fd);
    return error != 0 ? config_errno(err, error, what, path) : 0;
}

static int check_dir(struct rqx__err *err, const char *what, const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return config_errno(err, errno, what, path);
    return S_ISDIR(status.st_mode) ? 0 : config_errno(err, ENOTDIR, what, path);
}

/* ---- trust ---- */

static int trust_file(SSL_CTX *ctx, const char *what, const char *path, struct rqx__err *err)
{
    int rc = check_file(err, what, path);

    if (rc < 0)
        return rc;
    return SSL_CTX_load_verify_file(ctx, path) == 1 ? 0 : config_failed(err, what, path);
}

/* Certificates in a directory are looked for by hash when one is needed; nothing is read here. */
static int trust_dir(SSL_CTX *ctx, const char *what, const char *path, struct rqx__err *err)
{
    int rc = strchr(path, ':') == NULL ? check_dir(err, what, path) : 0; /* OpenSSL takes a list too */

    if (rc < 0)
        return rc;
    return SSL_CTX_load_verify_dir(ctx, path) == 1 ? 0 : config_failed(err, what, path);
}

static int trust_pem(SSL_CTX *ctx, const char *pem, size_t len, struct rqx__err *err)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    size_t found = 0;
    X509 *cert;
    int rc = 0;

    if (bio == NULL)
        return config_failed(err, "ca_pem", "");
    while (rc == 0 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) != 1)
            rc = config_failed(err, "ca_pem", "");
        X509_free(cert);
        found++;
    }
    if (rc == 0 && (found == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
        rc = config_failed(err, "ca_pem", "");
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is told as an error */
    return rc;
}

/* Revocation lists, without which no certificate is good from here on. */
static int load_crl(SSL_CTX *ctx, const char *path, bool check_chain, struct rqx__err *err)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(SSL_CTX_get_cert_store(ctx), X509_LOOKUP_file());
    int rc = check_file(err, "crl_file", path);

    if (rc < 0)
        return rc;
    if (lookup == NULL || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
        return config_failed(err, "crl_file", path);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
                                X509_V_FLAG_CRL_CHECK | (check_chain ? X509_V_FLAG_CRL_CHECK_ALL : 0));
    return 0;
}

/* Where distributions keep their bundle, for an OpenSSL that was built for another one. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
};

static bool readable(const char *path)
{
    return access(path, R_OK) == 0;
}

static int trust_system(rqx_tls *tls, SSL_CTX *ctx, struct rqx__err *err)
{
    const char *file = tls->text[RQX__TLS_ENV_CERT_FILE];
    const char *dir = tls->text[RQX__TLS_ENV_CERT_DIR];
    size_t i;
    int rc = 0;

    if (file != NULL)
        rc = trust_file(ctx, "SSL_CERT_FILE", file, err);
    if (rc == 0 && dir != NULL)
        rc = trust_dir(ctx, "SSL_CERT_DIR", dir, err);
    if (rc < 0 || file != NULL || dir != NULL)
        return rc;
    /* not SSL_CTX_set_default_verify_paths, which would look at the environment by itself */
    file = X509_get_default_cert_file();
    dir = X509_get_default_cert_dir();
    if (readable(dir) && SSL_CTX_load_verify_dir(ctx, dir) != 1)
        return config_failed(err, "system trust store", dir);
    if (readable(file) && SSL_CTX_load_verify_file(ctx, file) != 1)
        return config_failed(err, "system trust store", file);
    for (i = 0; !readable(file) && !readable(dir) && i < sizeof bundles / sizeof bundles[0]; i++) {
        if (readable(bundles[i]))
            return trust_file(ctx, "system trust store", bundles[i], err);
    }
    return 0;
}

static int set_trust(rqx_tls *tls, SSL_CTX *ctx, struct rqx__err *err)
{
    int rc = 0;

    SSL_CTX_set_verify(ctx, tls->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!tls->verify)
        return 0;
    /* a root that the user names is one, even if another certificate signed it */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (tls->system_trust)
        rc = trust_system(tls, ctx, err);
    if (rc == 0 && tls->text[RQX__TLS_CA_FILE] != NULL)
        rc = trust_file(ctx, "ca_file", tls->text[RQX__TLS_CA_FILE], err);
    if (rc == 0 && tls->text[RQX__TLS_CA_DIR] != NULL)
        rc = trust_dir(ctx, "ca_dir", tls->text[RQX__TLS_CA_DIR], err);
    if (rc == 0 && tls->ca_pem != NULL)
        rc = trust_pem(ctx, tls->ca_pem, tls->ca_pem_len, err);
    if (rc == 0 && tls->text[RQX__TLS_CRL_FILE] != NULL)
        rc = load_crl(ctx, tls->text[RQX__TLS_CRL_FILE], tls->crl_check_chain, err);
    return rc;
}

/* ---- the client's own certificate ---- */

struct key_password {
    const char *text; /* NULL: none was given */
    bool asked_for;
};

/* Without a callback of ours OpenSSL would ask on the terminal. */
static int password_cb(char *buffer, int size, int writing, void *user)
{
    struct key_password *password = user;
    size_t len = password->text != NULL ? strlen(password->text) : 0;

    (void)writing;
    password->asked_for = true;
    if (password->text == NULL || len > (size_t)size)
        return -1;
    memcpy(buffer, password->text, len);
    return (int)len;
}

static int load_key(SSL_CTX *ctx, const char *path, const struct key_password *password, struct rqx__err *err)
{
    int rc = check_file(err, "key_file", path);

    if (rc < 0)
        return rc;
    if (SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1)
        return 0;
    if (password->asked_for && password->text == NULL) {
        ERR_clear_error();
        return rqx__err_set(err, RQX_ERR_TLS_CONFIG, "key_file %s: the key is encrypted, and no password was given",
                            path);
    }
    if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_OSSL_DECODER) { /* "unsupported": it met nothing that it knows */
        ERR_clear_error();
        return rqx__err_set(err, RQX_ERR_TLS_CONFIG, "key_file %s: no private key in it", path);
    }
    return config_failed(err, "key_file", path);
}

static int load_identity(rqx_tls *tls, SSL_CTX *ctx, struct rqx__err *err)
{
    const char *cert_file = tls->text[RQX__TLS_CERT_FILE];
    const char *key_file = tls->text[RQX__TLS_KEY_FILE] != NULL ? tls->text[RQX__TLS_KEY_FILE] : cert_file;
    struct key_password password = {.text = tls->text[RQX__TLS_KEY_PASSWORD]};
    int rc;

    if (cert_file == NULL)
        return 0;
    rc = check_file(err, "cert_file", cert_file);
    if (rc < 0)
        return rc;
    SSL_CTX_set_default_passwd_cb(ctx, password_cb);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &password);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        rc = config_failed(err, "cert_file", cert_file);
    if (rc == 0)
        rc = load_key(ctx, key_file, &password, err);
    SSL_CTX_set_default_passwd_cb(ctx, NULL);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (rc < 0)
        return rc;
    return SSL_CTX_check_private_key(ctx) == 1 ? 0 : config_failed(err, "key_file", key_file);
}

/* ---- the whole ---- */

static int open_keylog(rqx_tls *tls, SSL_CTX *ctx, struct rqx__err *err)
{
    const char *path = tls->text[RQX__TLS_KEYLOG_FILE];

    if (path == NULL)
        return 0;
    if (tls->keylog_fd < 0)
        tls->keylog_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (tls->keylog_fd < 0)
        return config_errno(err, errno, "keylog_file", path);
    SSL_CTX_set_keylog_callback(ctx, rqx__tls_keylog_cb);
    return 0;
}

static int fill_ctx(rqx_tls *tls, SSL_CTX *ctx, struct rqx__err *err)
{
    int rc;

    if (SSL_CTX_set_min_proto_version(ctx, tls->min_version) != 1)
        return config_failed(err, "min_version", "");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, rqx__tls_new_session_cb);
    rc = set_trust(tls, ctx, err);
    if (rc == 0)
        rc = load_identity(tls, ctx, err);
    if (rc == 0)
        rc = open_keylog(tls, ctx, err);
    return rc;
}

static int make_ctx(rqx_tls *tls, SSL_CTX **ret_ctx, struct rqx__err *err)
{
    SSL_CTX *ctx;
    int rc;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        return config_failed(err, "TLS context", "");
    rc = fill_ctx(tls, ctx, err);
    ERR_clear_error();
    if (rc < 0) {
        SSL_CTX_free(ctx);
        return rc;
    }
    *ret_ctx = ctx;
    return 0;
}

int rqx__tls_get_ctx(rqx_tls *tls, SSL_CTX **ret_ctx, struct rqx__err *err)
{
    SSL_CTX *ctx = atomic_load_explicit(&tls->ctx, memory_order_acquire);
    int rc = 0;

    if (ctx == NULL) {
        rqx__tls_lock(tls);
        ctx = atomic_load_explicit(&tls->ctx, memory_order_relaxed);
        if (ctx == NULL) {
            rc = make_ctx(tls, &ctx, err);
            if (rc == 0)
                atomic_store_explicit(&tls->ctx, ctx, memory_order_release);
        }
        rqx__tls_unlock(tls);
    }
    if (rc == 0)
        *ret_ctx = ctx;
    return rc;
}

/* ---- public ---- */

void rqx_tls_options_init(rqx_tls_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->verify = 1;
    options->system_trust = 1;
    options->min_version = TLS1_2_VERSION;
    options->trust_env = 1;
}

static void free_tls(rqx_tls *tls)
{
    char *password = tls->text[RQX__TLS_KEY_PASSWORD];
    int i;

    rqx__tls_sessions_done(&tls->sessions);
    SSL_CTX_free(atomic_load(&tls->ctx));
    BIO_meth_free(tls->bio_method);
    if (tls->keylog_fd >= 0)
        close(tls->keylog_fd);
    if (password != NULL)
        rqx__free_secret(password, strlen(password));
    tls->text[RQX__TLS_KEY_PASSWORD] = NULL;
    for (i = 0; i < RQX__TLS_TEXTS; i++)
        rqx__free(tls->text[i]);
    rqx__free(tls->ca_pem);
    rqx__free(tls->pins);
    pthread_mutex_destroy(&tls->lock);
    rqx__free(tls);
}

static rqx_tls *new_tls(void)
{
    rqx_tls *tls = rqx__calloc(1, sizeof *tls);

    if (tls == NULL)
        return NULL;
    atomic_init(&tls->refs, 1);
    atomic_init(&tls->lock_epoch, rqx__fork_epoch());
    atomic_init(&tls->ctx, NULL);
    pthread_mutex_init(&tls->lock, NULL);
    rqx__tls_sessions_init(&tls->sessions);
    tls->keylog_fd = -1;
    tls->bio_method = rqx__tls_bio_method_new();
    if (tls->bio_method == NULL) {
        free_tls(tls);
        return NULL;
    }
    return tls;
}

static int copy_text(rqx_tls *tls, enum rqx__tls_text which, const char *text)
{
    if (text == NULL)
        return 0;
    tls->text[which] = rqx__strndup(text, strlen(text));
    return tls->text[which] != NULL ? 0 : RQX_ERR_NOMEM;
}

/* An empty variable counts as none. */
static int copy_env(rqx_tls *tls, enum rqx__tls_text which, const char *name)
{
    const char *value = secure_getenv(name);

    return value != NULL && value[0] != '\0' ? copy_text(tls, which, value) : 0;
}

static int copy_options(rqx_tls *tls, const rqx_tls_options *options)
{
    int rc = copy_text(tls, RQX__TLS_CA_FILE, options->ca_file);

    tls->verify = options->verify != 0;
    tls->system_trust = options->system_trust != 0;
    tls->min_version = options->min_version;
    tls->crl_check_chain = options->crl_check_chain != 0;
    if (rc == 0)
        rc = copy_text(tls, RQX__TLS_CRL_FILE, options->crl_file);
    if (rc == 0)
        rc = copy_text(tls, RQX__TLS_CA_DIR, options->ca_dir);
    if (rc == 0)
        rc = copy_text(tls, RQX__TLS_CERT_FILE, options->cert_file);
    if (rc == 0)
        rc = copy_text(tls, RQX__TLS_KEY_FILE, options->key_file);
    if (rc == 0)
        rc = copy_text(tls, RQX__TLS_KEY_PASSWORD, options->key_password);
    if (rc == 0)
        rc = copy_text(tls, RQX__TLS_KEYLOG_FILE, options->keylog_file);
    if (rc == 0 && options->ca_pem != NULL) {
        tls->ca_pem = rqx__strndup(options->ca_pem, options->ca_pem_len);
        tls->ca_pem_len = options->ca_pem_len;
        rc = tls->ca_pem != NULL ? 0 : RQX_ERR_NOMEM;
    }
    if (rc == 0)
        rc = rqx__tls_pins_copy(tls, options->pins, options->pin_count);
    if (rc == 0 && options->trust_env)
        rc = copy_env(tls, RQX__TLS_ENV_CERT_FILE, "SSL_CERT_FILE");
    if (rc == 0 && options->trust_env)
        rc = copy_env(tls, RQX__TLS_ENV_CERT_DIR, "SSL_CERT_DIR");
    if (rc == 0 && options->trust_env && options->keylog_file == NULL)
        rc = copy_env(tls, RQX__TLS_KEYLOG_FILE, "SSLKEYLOGFILE");
    return rc;
}

int rqx_tls_new(const rqx_tls_options *options, rqx_tls **ret_tls)
{
    rqx_tls_options own;
    rqx_tls *tls;
    int rc;

    rqx_tls_options_init(&own);
    if (options != NULL) {
        if (options->struct_size == 0 || options->struct_size > sizeof own)
            return RQX_ERR_INVALID_ARGUMENT;
        memcpy(&own, options, options->struct_size);
    }
    if ((own.min_version != TLS1_2_VERSION && own.min_version != TLS1_3_VERSION) ||
        (own.key_file != NULL && own.cert_file == NULL) || (own.ca_pem != NULL && own.ca_pem_len > INT32_MAX))
        return RQX_ERR_INVALID_ARGUMENT;
    tls = new_tls();
    if (tls == NULL)
        return RQX_ERR_NOMEM;
    rc = copy_options(tls, &own);
    if (rc < 0) {
        free_tls(tls);
        return rc;
    }
    *ret_tls = tls;
    return 0;
}

int rqx_tls_from_ssl_ctx(void *ssl_ctx, int check_hostname, const char *const *pins, size_t pin_count,
                         rqx_tls **ret_tls)
{
    rqx_tls *tls;
    int rc;

    if (ssl_ctx == NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    tls = new_tls();
    if (tls == NULL)
        return RQX_ERR_NOMEM;
    rc = rqx__tls_pins_copy(tls, pins, pin_count);
    if (rc == 0 && SSL_CTX_up_ref(ssl_ctx) != 1)
        rc = RQX_ERR_INVALID_ARGUMENT;
    if (rc < 0) {
        free_tls(tls);
        return rc;
    }
    tls->borrowed = true;
    tls->any_hostname = check_hostname == 0;
    atomic_init(&tls->ctx, ssl_ctx);
    *ret_tls = tls;
    return 0;
}

int rqx_tls_load(rqx_tls *tls, char **ret_text)
{
    struct rqx__err err;
    SSL_CTX *ctx;
    char *text;
    int rc = rqx__tls_get_ctx(tls, &ctx, &err);

    if (rc < 0 && ret_text != NULL) {
        text = rqx__strndup(err.text, strlen(err.text));
        if (text == NULL)
            return RQX_ERR_NOMEM;
        *ret_text = text;
    }
    return rc;
}

rqx_tls *rqx_tls_ref(rqx_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void rqx_tls_unref(rqx_tls *tls)
{
    if (tls != NULL && atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) == 1)
        free_tls(tls);
}

const char *rqx__tls_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
