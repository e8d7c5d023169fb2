/*
 * tls_internal.h - what the files of TLS share: the only ones that include OpenSSL.
 *
 * tls_config.c   rqx_tls: settings, the SSL_CTX made of them once, references
 * tls_session.c  the sessions that an rqx_tls remembers
 * tls_facts.c    what is known of a connection, told
 * tls_pin.c      pinned public keys
 * tls_verify.c   certificate checks, and why one failed, in words
 * tls_wire.c     the wire
 *
 * An rqx_tls is shared between engines and threads: |lock| is its own and is never held across a wait, save the one for
 * files when the SSL_CTX is made.  A wire belongs to one engine and keeps a reference on its rqx_tls.
 */
#ifndef RQX_NET_TLS_INTERNAL_H
#define RQX_NET_TLS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <requestx/tls.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "net/wire.h"

/* Longest name that DNS knows, and so the longest server name (RFC 1035 section 2.3.4). */
#define RQX__SERVER_NAME_MAX 253
/* "name:port" and a NUL. */
#define RQX__SESSION_KEY_MAX (RQX__SERVER_NAME_MAX + 8)
/* Peers that sessions are kept of, and tickets of one peer; the oldest go first. */
#define RQX__SESSION_PEERS_MAX   256
#define RQX__SESSION_TICKETS_MAX 4

/* base64 of a SHA-256. */
#define RQX__PIN_LEN 44

struct rqx__tls_sessions {
    struct rqx__map by_peer;
    struct rqx__list by_age; /* the peer that was used last is the last */
    size_t count;
};

/* The texts of rqx_tls_options, and those of the environment as it was when the rqx_tls was made. */
enum rqx__tls_text {
    RQX__TLS_CA_FILE = 0,
    RQX__TLS_CA_DIR,
    RQX__TLS_CERT_FILE,
    RQX__TLS_KEY_FILE,
    RQX__TLS_KEY_PASSWORD,
    RQX__TLS_KEYLOG_FILE,
    RQX__TLS_CRL_FILE,
    RQX__TLS_ENV_CERT_FILE,
    RQX__TLS_ENV_CERT_DIR,
    RQX__TLS_TEXTS
};

struct rqx_tls {
    atomic_size_t refs;

    /* immutable */
    bool borrowed;     /* |ctx| is the user's: nothing is set on it */
    bool any_hostname; /* borrowed: whose certificate it is does not matter */
    bool verify;
    bool system_trust;
    bool crl_check_chain;
    int min_version;
    char *text[RQX__TLS_TEXTS]; /* NULL: not given */
    char *ca_pem;
    size_t ca_pem_len;
    char (*pins)[RQX__PIN_LEN]; /* base64 of each, without a NUL; NULL: none */
    size_t pin_count;
    BIO_METHOD *bio_method; /* how OpenSSL reads and writes the wire below */

    pthread_mutex_t lock;
    _Atomic uint64_t lock_epoch; /* process that |lock| is good in: see rqx__tls_lock */

    /* under |lock| while it is made; never changes once it is there */
    _Atomic(SSL_CTX *) ctx;
    int keylog_fd; /* -1: none */

    /* under |lock| */
    struct rqx__tls_sessions sessions;
};

struct rqx__tls_wire {
    struct rqx__wire wire;
    rqx_tls *tls;
    SSL *ssl;
    char server_name[RQX__SERVER_NAME_MAX + 1]; /* without a dot at its end */
    char session_key[RQX__SESSION_KEY_MAX];
    bool server_is_address;
    const SSL_SESSION *offered; /* to compare with alone */
    unsigned protocols;         /* RQX_PROTO_* offered */

    bool above_tls;   /* somewhere below is TLS, with a proxy */
    bool lower_ready; /* the layer below is through its handshake */
    bool ready;       /* and so is this one */
    bool failed;      /* a negative result was or will be given */
    bool blocked;     /* the last read found no whole record: what OpenSSL holds is of no use yet */
    bool gathering;   /* records go to |out| for now */
    unsigned wants;

    enum rqx__alpn alpn;
    int verify_code;                     /* X509_V_*, as the check of this connection found it */
    char verify_text[RQX__ERR_TEXT_MAX]; /* why, in words; empty: the check did not fail */

    int lower_rc; /* negative: what the layer below failed with, |lower_err| in full */
    struct rqx__err lower_err;
    bool lower_eof;     /* the layer below is at its end */
    bool lower_drained; /* the socket gave all it had in this call: to ask again would only tell EAGAIN */
    bool late;          /* |late_rc| and |late_err| are to be given once what was read before is */
    int late_rc;
    struct rqx__err late_err;

    uint8_t *out; /* records that wait to go down together; NULL while none did */
    size_t out_cap;
    size_t out_len;
    size_t out_off;
    size_t promised; /* bytes of the caller's that are in |out| and were not told as taken */
};

/* ---- tls_config.c ---- */

/* The SSL_CTX, made at the first call; borrowed.  RQX_ERR_TLS_CONFIG with |err|, RQX_ERR_NOMEM. */
int rqx__tls_get_ctx(rqx_tls *tls, SSL_CTX **ret_ctx, struct rqx__err *err);
/* Takes the lock; in a forked child it is made good first, and what another thread may have held half done is dropped.
 */
void rqx__tls_lock(rqx_tls *tls);
void rqx__tls_unlock(rqx_tls *tls);
/* The reason of OpenSSL's newest error in words; empties its queue. */
void rqx__tls_take_reason(char *text, size_t size);

/* ---- tls_session.c ---- */

void rqx__tls_sessions_init(struct rqx__tls_sessions *sessions);
void rqx__tls_sessions_done(struct rqx__tls_sessions *sessions);
/* A session to resume with the peer that |key| names, or NULL; a TLS 1.3 ticket is given once (RFC 8446 appendix C.4).
 */
SSL_SESSION *rqx__tls_session_take(rqx_tls *tls, const char *key);
/* Remembers |session|; takes ownership of the caller's reference, whatever comes of it. */
void rqx__tls_session_put(rqx_tls *tls, const char *key, SSL_SESSION *session);
/* Forgets what is known of the peer that |key| names. */
void rqx__tls_session_drop(rqx_tls *tls, const char *key);

/* ---- tls_pin.c ---- */

/* Copies the pins of |tls|'s options.  RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM. */
int rqx__tls_pins_copy(rqx_tls *tls, const char *const *pins, size_t count);
/* After a handshake: RQX_ERR_TLS_PIN if there are pins and none matches; RQX_ERR_NOMEM. */
int rqx__tls_pins_check(const struct rqx__tls_wire *wire, struct rqx__err *err);

/* ---- tls_verify.c ---- */

/* Tells |tls->ssl| whom to expect and, where the certificate is checked, to note why it was refused.  RQX_ERR_NOMEM. */
int rqx__tls_verify_setup(struct rqx__tls_wire *tls);

/* ---- tls_wire.c ---- */

/* The wire that an SSL of ours belongs to; NULL if there is none. */
struct rqx__tls_wire *rqx__tls_wire_of_ssl(const SSL *ssl);
/* How OpenSSL reads and writes the wire below; NULL: out of memory. */
BIO_METHOD *rqx__tls_bio_method_new(void);
/* To be set on the SSL_CTX that the library makes. */
int rqx__tls_new_session_cb(SSL *ssl, SSL_SESSION *session);
void rqx__tls_keylog_cb(const SSL *ssl, const char *line);

#endif
