/*
 * requestx/tls.h - how TLS connections are made and whom they trust.
 *
 * An rqx_tls is immutable after its creation, counted, and may be shared by any number of clients, engines and threads.
 * The costly part (reading a trust store) happens once, at the first connection that uses it; TLS sessions are
 * remembered in it for resumption (RFC 8446 section 2.2).  TLS 1.2 is the lowest version spoken.
 *
 * Pins are looked at when a handshake is over, before anything is sent of the request.  A chain that was verified may
 * match with any of its certificates, the root included, so that an authority's key can be pinned and a spare one;
 * without verification only the peer's own does.  Where none does, the exchange fails with RQX_ERR_TLS_PIN, whose text
 * has the pins that were seen.  Sessions are resumed only with peers whose pins matched.
 */
#ifndef REQUESTX_TLS_H
#define REQUESTX_TLS_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/** Settings of an rqx_tls.  Start from rqx_tls_options_init; every pointer is borrowed for the call alone. */
typedef struct rqx_tls_options {
    /** set by rqx_tls_options_init */
    size_t struct_size;
    /** 1 (default): check chain and host name; 0: check nothing */
    int verify;
    /** 1 (default): trust the system's store (SSL_CERT_FILE, SSL_CERT_DIR win) */
    int system_trust;
    /** PEM file of further roots, or NULL */
    const char *ca_file;
    /** directory of roots by hash, or NULL */
    const char *ca_dir;
    /** roots as PEM text, or NULL */
    const char *ca_pem;
    /** bytes of |ca_pem| */
    size_t ca_pem_len;
    /** PEM chain of the client's own certificate, or NULL */
    const char *cert_file;
    /** PEM key; NULL: it stands in |cert_file| */
    const char *key_file;
    /** of the key, or NULL */
    const char *key_password;
    /** file to append secrets to in the SSLKEYLOGFILE format, or NULL */
    const char *keylog_file;
    /** 0x0303 (TLS 1.2, default) or 0x0304 (TLS 1.3) */
    int min_version;
    /** 1 (default): SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE count */
    int trust_env;
    /**
     * pinned public keys, or NULL: one of them has to be that of a certificate in the chain.  Each is "sha256/" and the
     * base64 of the SHA-256 of a SubjectPublicKeyInfo (RFC 7469 section 2.4); "sha256//", as curl has it, does too
     */
    const char *const *pins;
    /** of |pins|, at most RQX_TLS_PINS_MAX */
    size_t pin_count;
    /**
     * PEM file of certificate revocation lists (RFC 5280), or NULL: the peer's certificate must not be in that of its
     * issuer, which has to be there and not be out of date
     */
    const char *crl_file;
    /** 1: with |crl_file|, the other certificates of the chain are looked for too; 0 (default): the peer's alone */
    int crl_check_chain;
} rqx_tls_options;

/** How TLS secures a connection: see rqx_response_tls. */
typedef struct rqx_tls_info {
    /** "TLSv1.3" or "TLSv1.2"; static */
    const char *version;
    /** OpenSSL's name of the cipher suite; static */
    const char *cipher;
    /** how strong the cipher is, bits */
    int cipher_bits;
    /** the protocol that ALPN chose, "h2" or "http/1.1"; empty if none */
    rqx_slice alpn;
    /** the name (or address) that was asked for and checked; NUL terminated */
    rqx_slice server_name;
    /** the peer's own certificate, DER; empty if it has none */
    rqx_slice peer_certificate;
    /** 1: the chain was checked and is good; 0: nothing was checked */
    int verified;
    /** 1: the session was resumed, and the certificate is that of the first handshake */
    int resumed;
} rqx_tls_info;

/** Most pins of a configuration. */
#define RQX_TLS_PINS_MAX 64

/** Sets every field to its default.  Since 0.1. */
RQX_API void rqx_tls_options_init(rqx_tls_options *options);
/**
 * Makes a TLS configuration.  |options| NULL: the defaults.  Files are read at the first connection, whose exchange
 * fails with RQX_ERR_TLS_CONFIG when one cannot be used; rqx_tls_load asks for it earlier.
 * Errors: RQX_ERR_INVALID_ARGUMENT (options that were not initialized, another |min_version|, a pin that is none or too
 * many of them, |key_file| without |cert_file|, a |ca_pem_len| above INT32_MAX), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_tls_new(const rqx_tls_options *options, rqx_tls **ret_tls);
/**
 * Wraps an OpenSSL `SSL_CTX *` of the caller (one more reference is taken), whose settings are used as they are.  The
 * caller must be linked to the same OpenSSL as the library.  The library sets nothing on it.  |check_hostname| 0 leaves
 * the host name unchecked (an SSL_CTX does not know of that wish).  |pins| are as in rqx_tls_options; NULL and 0: none.
 * Errors: RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_tls_from_ssl_ctx(void *ssl_ctx, int check_hostname, const char *const *pins, size_t pin_count,
                                 rqx_tls **ret_tls);
/**
 * Reads the files now.  On failure |ret_text|, unless NULL, is a text that names the file and the cause, to be freed
 * with rqx_free.  Errors: RQX_ERR_TLS_CONFIG, RQX_ERR_NOMEM.  Blocks on files.  Since 0.1.
 */
RQX_API int rqx_tls_load(rqx_tls *tls, char **ret_text);
/** Takes one more reference.  Returns |tls|.  Since 0.1. */
RQX_API rqx_tls *rqx_tls_ref(rqx_tls *tls);
/** Gives a reference back; the last one frees.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_tls_unref(rqx_tls *tls);

RQX_END_DECLS

#endif
