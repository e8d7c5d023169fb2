/*
 * tls_facts.c - what is known of a TLS connection, in memory of its own.
 */
#include "net/tls_internal.h"

#include <string.h>

#include "base/mem.h"

static rqx_slice alpn_text(enum rqx__alpn alpn)
{
    switch (alpn) {
    case RQX__ALPN_HTTP2:
        return (rqx_slice){"h2", 2};
    case RQX__ALPN_HTTP1:
        return (rqx_slice){"http/1.1", 8};
    default:
        return (rqx_slice){"", 0};
    }
}

/* Whether the peer's chain was checked, and was well: in the handshake that a resumed session comes from, if any. */
static bool is_verified(SSL *ssl)
{
    return (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 && SSL_get_verify_result(ssl) == X509_V_OK &&
           SSL_get0_peer_certificate(ssl) != NULL;
}

/* The certificate's DER, then the server name and a NUL. */
static int copy_bytes(const struct rqx__tls_wire *tls, struct rqx__tls_facts *facts)
{
    X509 *cert = SSL_get0_peer_certificate(tls->ssl);
    int der_len = cert != NULL ? i2d_X509(cert, NULL) : 0;
    size_t len = der_len > 0 ? (size_t)der_len : 0;
    size_t name_len = strlen(tls->server_name);
    unsigned char *memory = rqx__malloc(len + name_len + 1);
    unsigned char *at = memory;

    if (memory == NULL)
        return RQX_ERR_NOMEM;
    if (len > 0 && i2d_X509(cert, &at) != der_len)
        len = 0;
    memcpy(memory + len, tls->server_name, name_len + 1);
    facts->memory = memory;
    facts->certificate = (rqx_slice){(const char *)memory, len};
    facts->server_name = (rqx_slice){(const char *)memory + len, name_len};
    return 0;
}

int rqx__tls_wire_facts(const struct rqx__wire *wire, struct rqx__tls_facts *ret_facts)
{
    const struct rqx__tls_wire *tls = (const struct rqx__tls_wire *)(const void *)wire;
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);
    struct rqx__tls_facts facts = {
        .version = SSL_get_version(tls->ssl),
        .cipher = SSL_CIPHER_get_name(cipher),
        .cipher_bits = SSL_CIPHER_get_bits(cipher, NULL),
        .alpn = alpn_text(tls->alpn),
        .verified = is_verified(tls->ssl),
        .resumed = SSL_session_reused(tls->ssl) == 1,
    };
    int rc = copy_bytes(tls, &facts);

    ERR_clear_error();
    if (rc == 0)
        *ret_facts = facts;
    return rc;
}

void rqx__tls_facts_done(struct rqx__tls_facts *facts)
{
    rqx__free(facts->memory);
    memset(facts, 0, sizeof *facts);
}
