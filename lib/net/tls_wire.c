/*
 * tls_wire.c - TLS on another wire.
 *
 * OpenSSL reads and writes the wire below through a BIO of ours.  Reading: it asks for as much as its buffer holds, so
 * that one system call brings several records.  Writing: the records of one large write() are gathered in |out| and go
 * down together; bytes are told as taken only when all records made of them went down, so nothing is ever left behind
 * that nobody would flush.
 */
#include "net/tls_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <requestx/client.h>

#include "base/mem.h"
#include "loop/loop.h"

#define RECORD_MAX 16384
/* Bytes that OpenSSL may read ahead: four whole records. */
#define READ_AHEAD (4 * (RECORD_MAX + 256 + 5))
/* Most plaintext of one gathered batch, and what its records come to. */
#define GATHER_MAX (4 * RECORD_MAX)
#define OUT_MAX    (4 * (RECORD_MAX + 256 + 5) + 1024)

static struct rqx__tls_wire *tls_of(const struct rqx__wire *wire)
{
    return (struct rqx__tls_wire *)(uintptr_t)wire;
}

/* OpenSSL judges a call by what stands in the thread's queue, which the program may have left something in. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* ---- the BIO ---- */

struct rqx__tls_wire *rqx__tls_wire_of_ssl(const SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);

    return bio != NULL ? BIO_get_data(bio) : NULL;
}

/*
 * Where the layer below is TLS, too, it empties the thread's queue of errors before it calls OpenSSL, while this one
 * has one there: it sends the alert about it.  The first is all that is looked at.
 */
static unsigned long hold_error(const struct rqx__tls_wire *tls)
{
    return tls->above_tls ? ERR_peek_error() : 0;
}

static void give_back_error(unsigned long error)
{
    if (error != 0 && ERR_peek_error() == 0)
        ERR_raise(ERR_GET_LIB(error), ERR_GET_REASON(error));
}

static int bio_read(BIO *bio, char *buffer, size_t cap, size_t *ret_len)
{
    struct rqx__tls_wire *tls = BIO_get_data(bio);
    unsigned long error = hold_error(tls);
    size_t got = 0;
    int rc;

    BIO_clear_retry_flags(bio);
    if (tls->lower_rc < 0 || tls->lower_eof)
        return 0;
    if (tls->lower_drained) {
        tls->wants = RQX__IO_READ;
        BIO_set_retry_read(bio);
        return 0;
    }
    rc = rqx__wire_read(tls->wire.lower, (uint8_t *)buffer, cap, &got, &tls->lower_err);
    give_back_error(error);
    if (rc == RQX_AGAIN) {
        tls->wants = rqx__wire_wants(tls->wire.lower);
        BIO_set_retry_read(bio);
        return 0;
    }
    if (rc < 0) {
        tls->lower_rc = rc;
        return 0;
    }
    tls->lower_eof = got == 0;
    /* the loop is level triggered: should more have come since, it tells */
    tls->lower_drained = tls->ready && got < cap && !rqx__wire_has_buffered(tls->wire.lower);
    *ret_len = got;
    return got > 0;
}

static int gather(struct rqx__tls_wire *tls, const char *data, size_t len)
{
    size_t need = tls->out_len + len;

    if (need > tls->out_cap) {
        size_t cap = need > OUT_MAX ? need : OUT_MAX;
        uint8_t *out = rqx__realloc(tls->out, cap);

        if (out == NULL)
            return RQX_ERR_NOMEM;
        tls->out = out;
        tls->out_cap = cap;
    }
    memcpy(tls->out + tls->out_len, data, len);
    tls->out_len += len;
    return 0;
}

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_len)
{
    struct rqx__tls_wire *tls = BIO_get_data(bio);
    unsigned long error = hold_error(tls);
    size_t put = len;
    int rc;

    BIO_clear_retry_flags(bio);
    if (tls->lower_rc < 0)
        return 0;
    if (tls->gathering) {
        rc = gather(tls, data, len);
        if (rc < 0)
            rqx__err_set(&tls->lower_err, rc, NULL);
    } else {
        rc = rqx__wire_write(tls->wire.lower, (const uint8_t *)data, len, &put, &tls->lower_err);
        give_back_error(error);
    }
    if (rc == RQX_AGAIN) {
        tls->wants = rqx__wire_wants(tls->wire.lower);
        BIO_set_retry_write(bio);
        return 0;
    }
    if (rc < 0) {
        tls->lower_rc = rc;
        return 0;
    }
    *ret_len = put;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct rqx__tls_wire *tls = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return tls->lower_eof;
    default:
        return 0;
    }
}

BIO_METHOD *rqx__tls_bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "requestx wire");

    if (method == NULL || BIO_meth_set_read_ex(method, bio_read) != 1 ||
        BIO_meth_set_write_ex(method, bio_write) != 1 || BIO_meth_set_ctrl(method, bio_ctrl) != 1) {
        BIO_meth_free(method);
        ERR_clear_error();
        return NULL;
    }
    return method;
}

/* ---- callbacks of the SSL_CTX ---- */

int rqx__tls_new_session_cb(SSL *ssl, SSL_SESSION *session)
{
    struct rqx__tls_wire *tls = rqx__tls_wire_of_ssl(ssl);

    if (tls == NULL)
        return 0;
    /* under TLS 1.2 this comes before the end of the handshake, which would look at the pins too late for others */
    if (!tls->ready && rqx__tls_pins_check(tls, NULL) < 0)
        return 0;
    rqx__tls_session_put(tls->tls, tls->session_key, session);
    return 1; /* the reference is kept */
}

/* One write() of a whole line to a descriptor that appends: lines of several threads and processes stay whole. */
void rqx__tls_keylog_cb(const SSL *ssl, const char *line)
{
    struct rqx__tls_wire *tls = rqx__tls_wire_of_ssl(ssl);
    char text[512];
    int len = snprintf(text, sizeof text, "%s\n", line);

    if (tls == NULL || len <= 0 || (size_t)len >= sizeof text)
        return;
    if (write(tls->tls->keylog_fd, text, (size_t)len) < 0) {
        /* a log that cannot be written must not stop the connection */
    }
    OPENSSL_cleanse(text, sizeof text);
}

/* ---- failures in words ---- */

/* The alert that an error of OpenSSL stands for, or -1: alerts from the peer are reasons from SSL_AD_REASON_OFFSET on.
 */
static int alert_of(unsigned long code)
{
    int reason = ERR_GET_REASON(code);

    if (ERR_GET_LIB(code) != ERR_LIB_SSL || reason < SSL_AD_REASON_OFFSET || reason > SSL_AD_REASON_OFFSET + 255)
        return -1;
    return reason - SSL_AD_REASON_OFFSET;
}

/* OpenSSL 3.0 has no words for the younger ones (RFC 8446 section 6, RFC 7301 section 3.2). */
static void alert_text(int alert, char *text, size_t size)
{
    const char *name = SSL_alert_desc_string_long(alert);

    if (alert == SSL_AD_MISSING_EXTENSION)
        name = "missing extension";
    else if (alert == SSL_AD_CERTIFICATE_REQUIRED)
        name = "certificate required";
    else if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
        name = "no application protocol";
    else if (alert == SSL_AD_INAPPROPRIATE_FALLBACK)
        name = "inappropriate fallback";
    snprintf(text, size, "peer sent alert: %s (%d)", name, alert);
}

static int certificate_failed(struct rqx__tls_wire *tls, struct rqx__err *err)
{
    int code = tls->verify_code;
    const char *text = tls->verify_text;

    if (text[0] == '\0') { /* a callback of the user's stood in the place of ours */
        code = (int)SSL_get_verify_result(tls->ssl);
        text = code != X509_V_OK ? X509_verify_cert_error_string(code) : "certificate refused by the program";
    }
    rqx__err_set(err, RQX_ERR_TLS_CERTIFICATE, "%s", text);
    if (err != NULL)
        err->tls_verify = code;
    return RQX_ERR_TLS_CERTIFICATE;
}

static const char *names_of(unsigned protocols)
{
    if (protocols == RQX_PROTO_HTTP2)
        return "h2";
    return protocols == RQX_PROTO_HTTP1 ? "http/1.1" : "h2, http/1.1";
}

/* OpenSSL's oldest error, as the failure of this call. */
static int protocol_failed(struct rqx__tls_wire *tls, int code, struct rqx__err *err)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    int alert = alert_of(error);
    char text[160];

    if (reason == ERR_R_MALLOC_FAILURE)
        return rqx__err_set(err, RQX_ERR_NOMEM, NULL);
    if (alert >= 0) {
        alert_text(alert, text, sizeof text);
        if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
            return rqx__err_set(err, RQX_ERR_TLS_ALPN, "%s, offered: %s", text, names_of(tls->protocols));
        return rqx__err_set(err, code, "%s", text);
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return certificate_failed(tls, err);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_WRONG_VERSION_NUMBER)
        return rqx__err_set(err, code, "peer does not speak TLS (wrong version number)");
    rqx__tls_take_reason(text, sizeof text);
    return rqx__err_set(err, code, "%s", text);
}

/*
 * What a call of OpenSSL that gave no success came to: RQX_AGAIN, 0 for the peer's close_notify, or negative: |code|
 * for a failure of TLS itself.  Leaves the thread's error queue empty.
 */
static int judge(struct rqx__tls_wire *tls, int code, struct rqx__err *err)
{
    int rc;

    /* first the layer below: after the peer's close_notify OpenSSL takes any failure for that */
    switch (tls->lower_rc < 0 ? SSL_ERROR_SYSCALL : SSL_get_error(tls->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return RQX_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        break;
    }
    tls->failed = true;
    if (tls->lower_eof && alert_of(ERR_peek_error()) < 0) {
        rc = rqx__err_set(err, RQX_ERR_TRUNCATED,
                          tls->ready ? "peer closed the connection without close_notify"
                                     : "peer closed the connection during the handshake");
    } else if (tls->lower_rc < 0 && ERR_peek_error() == 0) {
        rc = tls->lower_rc;
        if (err != NULL)
            *err = tls->lower_err;
    } else { /* though the layer below may have failed too: with the alert about this */
        rc = protocol_failed(tls, code, err);
    }
    ERR_clear_error();
    return rc;
}

/* ---- handshake ---- */

static enum rqx__alpn alpn_of(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(ssl, &name, &len);
    if (len == 0)
        return RQX__ALPN_NONE;
    if (len == 2 && memcmp(name, "h2", 2) == 0)
        return RQX__ALPN_HTTP2;
    if (len == 8 && memcmp(name, "http/1.1", 8) == 0)
        return RQX__ALPN_HTTP1;
    return RQX__ALPN_OTHER;
}

/* RFC 9113 section 9.2.2 and appendix A: under TLS 1.2 an ephemeral key exchange and an AEAD. */
static bool cipher_is_allowed(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    int exchange = SSL_CIPHER_get_kx_nid(cipher);

    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return true;
    return SSL_CIPHER_is_aead(cipher) && (exchange == NID_kx_ecdhe || exchange == NID_kx_dhe);
}

static int check_agreement(struct rqx__tls_wire *tls, struct rqx__err *err)
{
    tls->alpn = alpn_of(tls->ssl);
    if (tls->protocols == RQX_PROTO_HTTP2 && tls->alpn != RQX__ALPN_HTTP2)
        return rqx__err_set(err, RQX_ERR_TLS_ALPN, "peer did not choose h2 (ALPN), and nothing else was offered");
    if (tls->alpn == RQX__ALPN_HTTP2 && (tls->protocols & RQX_PROTO_HTTP2) == 0)
        return rqx__err_set(err, RQX_ERR_TLS_ALPN, "peer chose h2 (ALPN), which was not offered");
    if (tls->alpn != RQX__ALPN_HTTP2)
        return 0;
    if (SSL_version(tls->ssl) < TLS1_2_VERSION)
        return rqx__err_set(err, RQX_ERR_TLS_HANDSHAKE, "%s is not allowed for HTTP/2 (RFC 9113 section 9.2)",
                            SSL_get_version(tls->ssl));
    if (!cipher_is_allowed(tls->ssl))
        return rqx__err_set(err, RQX_ERR_TLS_HANDSHAKE, "cipher %s is not allowed for HTTP/2 (RFC 9113 section 9.2.2)",
                            SSL_CIPHER_get_name(SSL_get_current_cipher(tls->ssl)));
    return 0;
}

static int tls_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    struct rqx__tls_wire *tls = tls_of(wire);
    int rc;

    if (tls->ready)
        return 0;
    if (!tls->lower_ready) {
        rc = rqx__wire_handshake(wire->lower, err);
        if (rc == RQX_AGAIN)
            tls->wants = rqx__wire_wants(wire->lower);
        if (rc != 0)
            return rc;
        tls->lower_ready = true;
    }
    clear_errors();
    if (SSL_do_handshake(tls->ssl) != 1) {
        rc = judge(tls, RQX_ERR_TLS_HANDSHAKE, err);
        if (rc == 0) { /* close_notify in the middle of it */
            tls->failed = true;
            rc = rqx__err_set(err, RQX_ERR_TRUNCATED, "peer closed the connection during the handshake");
        }
        if (rc < 0) /* perhaps the session is what the peer stumbled over */
            rqx__tls_session_drop(tls->tls, tls->session_key);
        return rc;
    }
    rc = check_agreement(tls, err);
    if (rc == 0)
        rc = rqx__tls_pins_check(tls, err);
    clear_errors();
    tls->failed = rc < 0;
    tls->ready = rc == 0;
    return rc;
}

/* ---- reading ---- */

static int give_late(struct rqx__tls_wire *tls, size_t *ret_len, struct rqx__err *err)
{
    if (tls->late_rc == 0)
        *ret_len = 0;
    else if (err != NULL)
        *err = tls->late_err;
    return tls->late_rc;
}

/* The last SSL_read_ex of a read() gave nothing, after |got| bytes. */
static int read_ended(struct rqx__tls_wire *tls, size_t got, size_t *ret_len, struct rqx__err *err)
{
    int rc = judge(tls, RQX_ERR_READ, &tls->late_err);

    if (rc == RQX_ERR_WRITE) /* of an answer of TLS's own: the caller only reads */
        rc = tls->late_err.code = RQX_ERR_READ;
    if (rc == RQX_AGAIN) {
        tls->blocked = SSL_want_read(tls->ssl); /* else it has something to say first, and may then have more */
    } else {
        tls->late = true;
        tls->late_rc = rc;
    }
    if (got == 0)
        return rc == RQX_AGAIN ? rc : give_late(tls, ret_len, err);
    *ret_len = got;
    return 0;
}

static int tls_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    struct rqx__tls_wire *tls = tls_of(wire);
    size_t got = 0;

    if (tls->late)
        return give_late(tls, ret_len, err);
    clear_errors();
    tls->lower_drained = false;
    do {
        size_t now = 0;

        if (SSL_read_ex(tls->ssl, buffer + got, cap - got, &now) != 1)
            return read_ended(tls, got, ret_len, err);
        tls->blocked = false;
        got += now;
    } while (got < cap && SSL_has_pending(tls->ssl));
    *ret_len = got;
    return 0;
}

static bool tls_has_buffered(const struct rqx__wire *wire)
{
    const struct rqx__tls_wire *tls = tls_of(wire);

    if (tls->late || (!tls->blocked && SSL_has_pending(tls->ssl)))
        return true;
    return rqx__wire_has_buffered(wire->lower);
}

/* ---- writing ---- */

static int flush(struct rqx__tls_wire *tls, struct rqx__err *err)
{
    while (tls->out_off < tls->out_len) {
        size_t put = 0;
        int rc = rqx__wire_write(tls->wire.lower, tls->out + tls->out_off, tls->out_len - tls->out_off, &put, err);

        if (rc == RQX_AGAIN)
            tls->wants = rqx__wire_wants(tls->wire.lower);
        if (rc < 0)
            tls->failed = true;
        if (rc != 0)
            return rc;
        tls->out_off += put;
    }
    tls->out_len = tls->out_off = 0;
    return 0;
}

/* What SSL_write_ex came to that gave no success: never the end of the peer's bytes. */
static int write_failed(struct rqx__tls_wire *tls, struct rqx__err *err)
{
    int rc = judge(tls, RQX_ERR_WRITE, err);

    return rc != 0 ? rc : rqx__err_set(err, RQX_ERR_WRITE, "TLS connection is closed");
}

/* Makes one record of |data| and sends it.  The memory for gathering is given back once writes are small again. */
static int write_direct(struct rqx__tls_wire *tls, const uint8_t *data, size_t len, struct rqx__err *err)
{
    size_t put = 0;

    rqx__free(tls->out);
    tls->out = NULL;
    tls->out_cap = 0;
    if (SSL_write_ex(tls->ssl, data, len, &put) != 1)
        return write_failed(tls, err);
    tls->promised = put;
    return 0;
}

static int write_gathered(struct rqx__tls_wire *tls, const uint8_t *data, size_t len, struct rqx__err *err)
{
    int rc = 0;

    if (len > GATHER_MAX)
        len = GATHER_MAX;
    tls->gathering = true;
    while (tls->promised < len) {
        size_t put = 0;

        if (SSL_write_ex(tls->ssl, data + tls->promised, len - tls->promised, &put) != 1) {
            rc = write_failed(tls, err);
            break;
        }
        tls->promised += put;
    }
    tls->gathering = false;
    return tls->promised > 0 && rc == RQX_AGAIN ? 0 : rc;
}

static int tls_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    struct rqx__tls_wire *tls = tls_of(wire);
    size_t taken = 0;
    int rc;

    clear_errors();
    for (;;) {
        rc = flush(tls, err);
        if (rc != 0)
            break;
        taken += tls->promised;
        tls->promised = 0;
        if (taken >= len)
            break;
        if (len - taken <= RECORD_MAX)
            rc = write_direct(tls, data + taken, len - taken, err);
        else
            rc = write_gathered(tls, data + taken, len - taken, err);
        if (rc != 0)
            break;
    }
    if (rc < 0 || taken == 0)
        return rc;
    *ret_len = taken;
    return 0;
}

/* ---- the rest ---- */

static unsigned tls_wants(const struct rqx__wire *wire)
{
    return tls_of(wire)->wants;
}

/* close_notify goes out only behind whole records: where some wait, the socket is full and takes nothing now anyway. */
static void tls_shutdown(struct rqx__wire *wire)
{
    struct rqx__tls_wire *tls = tls_of(wire);

    if (tls->ready && !tls->failed && flush(tls, NULL) == 0) {
        clear_errors();
        SSL_shutdown(tls->ssl);
        clear_errors();
    }
    if (tls->lower_ready)
        rqx__wire_shutdown(wire->lower);
}

/* The SSL_CTX of a user has no callback of ours that would tell of new sessions. */
static void keep_session(struct rqx__tls_wire *tls)
{
    SSL_SESSION *session = SSL_get1_session(tls->ssl);

    if (session != NULL && session != tls->offered && SSL_SESSION_is_resumable(session))
        rqx__tls_session_put(tls->tls, tls->session_key, session);
    else
        SSL_SESSION_free(session);
}

static void tls_free(struct rqx__wire *wire)
{
    struct rqx__tls_wire *tls = tls_of(wire);

    if (tls->ready && !tls->failed) {
        if (tls->tls->borrowed)
            keep_session(tls);
        /* else OpenSSL marks the session of a connection that nobody said goodbye on as not resumable */
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(tls->ssl);
    rqx__wire_free(wire->lower);
    rqx_tls_unref(tls->tls);
    rqx__free(tls->out);
    rqx__free(tls);
}

static const struct rqx__wire_ops tls_ops = {
    .name = "tls",
    .handshake = tls_handshake,
    .read = tls_read,
    .write = tls_write,
    .has_buffered = tls_has_buffered,
    .wants = tls_wants,
    .shutdown = tls_shutdown,
    .free = tls_free,
};

enum rqx__alpn rqx__tls_wire_alpn(const struct rqx__wire *wire)
{
    return tls_of(wire)->alpn;
}

/* ---- making one ---- */

/* Without its final dot (RFC 6066 section 3); a leading one would match any name below for OpenSSL. */
static int set_server_name(struct rqx__tls_wire *tls, rqx_slice name, int port, struct rqx__err *err)
{
    struct in6_addr address;

    if (name.len > 0 && name.data[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > RQX__SERVER_NAME_MAX || name.data[0] == '.' ||
        memchr(name.data, '\0', name.len) != NULL)
        return rqx__err_set(err, RQX_ERR_TLS_CONFIG, "server name is not valid");
    memcpy(tls->server_name, name.data, name.len);
    tls->server_name[name.len] = '\0';
    if (strchr(tls->server_name, ':') != NULL) /* an IPv6 address; its zone means nothing to the peer */
        tls->server_name[strcspn(tls->server_name, "%")] = '\0';
    tls->server_is_address =
        inet_pton(AF_INET, tls->server_name, &address) == 1 || inet_pton(AF_INET6, tls->server_name, &address) == 1;
    snprintf(tls->session_key, sizeof tls->session_key, "%s:%u", tls->server_name, (unsigned)port & 0xffff);
    return 0;
}

static int offer_protocols(SSL *ssl, unsigned protocols)
{
    unsigned char list[12];
    unsigned len = 0;

    if (protocols & RQX_PROTO_HTTP2) {
        memcpy(list + len, "\002h2", 3);
        len += 3;
    }
    if (protocols & RQX_PROTO_HTTP1) {
        memcpy(list + len, "\010http/1.1", 9);
        len += 9;
    }
    return len > 0 && SSL_set_alpn_protos(ssl, list, len) != 0 ? RQX_ERR_NOMEM : 0;
}

static void offer_session(struct rqx__tls_wire *tls)
{
    SSL_SESSION *session = rqx__tls_session_take(tls->tls, tls->session_key);

    if (session == NULL)
        return;
    SSL_set_session(tls->ssl, session);
    tls->offered = session;
    SSL_SESSION_free(session);
}

/* Settings that belong to how a wire is used, on the SSL alone: the SSL_CTX may be the user's. */
static void set_manners(SSL *ssl, unsigned protocols)
{
    SSL_set_connect_state(ssl);
    SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS);
    SSL_set_read_ahead(ssl, 1);
    SSL_set_default_read_buffer_len(ssl, READ_AHEAD);
    /* RFC 9113 section 9.2.1; nor is an end without close_notify taken for one with */
    SSL_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (protocols & RQX_PROTO_HTTP2) /* RFC 9113 section 9.2.3 */
        SSL_set_post_handshake_auth(ssl, 0);
}

static int make_ssl(struct rqx__tls_wire *tls, SSL_CTX *ctx)
{
    BIO *bio;

    tls->ssl = SSL_new(ctx);
    if (tls->ssl == NULL)
        return RQX_ERR_NOMEM;
    bio = BIO_new(tls->tls->bio_method);
    if (bio == NULL)
        return RQX_ERR_NOMEM;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    set_manners(tls->ssl, tls->protocols);
    if (!tls->server_is_address && SSL_set_tlsext_host_name(tls->ssl, tls->server_name) != 1)
        return RQX_ERR_NOMEM;
    if (offer_protocols(tls->ssl, tls->protocols) < 0 || rqx__tls_verify_setup(tls) < 0)
        return RQX_ERR_NOMEM;
    offer_session(tls);
    return 0;
}

static bool has_tls(const struct rqx__wire *wire)
{
    while (wire != NULL && wire->ops != &tls_ops)
        wire = wire->lower;
    return wire != NULL;
}

int rqx__tls_wire_new(rqx_tls *tls, struct rqx__wire *lower, rqx_slice server_name, int port, unsigned protocols,
                      struct rqx__wire **ret_wire, struct rqx__err *err)
{
    SSL_CTX *ctx;
    struct rqx__tls_wire *made;
    int rc = rqx__tls_get_ctx(tls, &ctx, err);

    if (rc < 0)
        return rc;
    made = rqx__calloc(1, sizeof *made);
    if (made == NULL)
        return rqx__err_set(err, RQX_ERR_NOMEM, NULL);
    made->wire.ops = &tls_ops;
    made->wire.fd = lower->fd;
    made->tls = tls;
    made->protocols = protocols;
    made->wants = RQX__IO_WRITE;
    made->above_tls = has_tls(lower);
    rc = set_server_name(made, server_name, port, err);
    clear_errors();
    if (rc == 0 && make_ssl(made, ctx) < 0)
        rc = rqx__err_set(err, RQX_ERR_NOMEM, NULL);
    if (rc < 0) {
        SSL_free(made->ssl);
        rqx__free(made);
        clear_errors();
        return rc;
    }
    rqx_tls_ref(tls);
    made->wire.lower = lower;
    *ret_wire = &made->wire;
    return 0;
}
