/*
 * tls_pin.c - pinned public keys: SHA-256 of the SubjectPublicKeyInfo of a certificate (RFC 7469 section 2.4).
 *
 * Any certificate of the verified chain may match, as in RFC 7469 section 2.6, so that the key of an authority can be
 * pinned, and a spare one.  Where nothing is verified only the peer's own certificate counts: what else it sends is not
 * its to show, and proves nothing.
 *
 * A resumed session shows no chain.  It needs none: sessions are kept by the rqx_tls whose pins they were checked
 * against, and only once they were (rqx__tls_new_session_cb), and only who had the key then has its secrets.
 */
#include "net/tls_internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/mem.h"
#include "base/str.h"

/* How many keys of a chain are told when none matches. */
#define PINS_TOLD 4

/* 43 characters of base64 and "=", the last two bits of which are 0: 32 bytes. */
static bool is_digest(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i;

    for (i = 0; i < RQX__PIN_LEN - 1; i++) {
        const char *at = text[i] != '\0' ? strchr(alphabet, text[i]) : NULL;

        if (at == NULL || (i == RQX__PIN_LEN - 2 && (at - alphabet) % 4 != 0))
            return false;
    }
    return text[RQX__PIN_LEN - 1] == '=' && text[RQX__PIN_LEN] == '\0';
}

/* "sha256/..." or, as curl has it, "sha256//...". */
static const char *digest_of_pin(const char *pin)
{
    if (pin == NULL || strncmp(pin, "sha256/", 7) != 0)
        return NULL;
    pin += 7;
    if (is_digest(pin))
        return pin;
    return pin[0] == '/' && is_digest(pin + 1) ? pin + 1 : NULL;
}

int rqx__tls_pins_copy(rqx_tls *tls, const char *const *pins, size_t count)
{
    size_t i;

    if (count == 0)
        return 0;
    if (count > RQX_TLS_PINS_MAX || pins == NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    for (i = 0; i < count; i++) {
        if (digest_of_pin(pins[i]) == NULL)
            return RQX_ERR_INVALID_ARGUMENT;
    }
    tls->pins = rqx__malloc(count * sizeof *tls->pins);
    if (tls->pins == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0; i < count; i++)
        memcpy(tls->pins[i], digest_of_pin(pins[i]), RQX__PIN_LEN);
    tls->pin_count = count;
    return 0;
}

/* The pin of |cert|, RQX__PIN_LEN characters and a NUL.  False: out of memory. */
static bool pin_of(X509 *cert, char *ret_pin)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    unsigned char *info = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &info);
    bool done = len > 0 && EVP_Digest(info, (size_t)len, digest, &digest_len, EVP_sha256(), NULL) == 1;

    OPENSSL_free(info);
    if (done)
        rqx__base64(digest, digest_len, ret_pin);
    return done;
}

static bool is_pinned(const rqx_tls *tls, const char *pin)
{
    size_t i;

    for (i = 0; i < tls->pin_count; i++) {
        if (memcmp(tls->pins[i], pin, RQX__PIN_LEN) == 0)
            return true;
    }
    return false;
}

/* Whether |cert| is pinned: 1 or 0; adds its pin to |text|. */
static int look_at(const rqx_tls *tls, X509 *cert, unsigned nth, char *text, size_t size)
{
    char pin[RQX__PIN_LEN + 1];
    size_t used = strlen(text);

    if (!pin_of(cert, pin))
        return RQX_ERR_NOMEM;
    if (nth < PINS_TOLD)
        snprintf(text + used, size - used, "%ssha256/%s", nth > 0 ? ", " : "", pin);
    return is_pinned(tls, pin);
}

/* Whether a chain, or without one |leaf|, has a pinned key: 1 or 0.  |text| tells the keys that were seen. */
static int look_at_chain(const rqx_tls *tls, STACK_OF(X509) * chain, X509 *leaf, char *text, size_t size)
{
    int count = chain != NULL ? sk_X509_num(chain) : 1;
    size_t used;
    int found = 0;
    int i;

    text[0] = '\0';
    for (i = 0; found == 0 && i < count; i++)
        found = look_at(tls, chain != NULL ? sk_X509_value(chain, i) : leaf, (unsigned)i, text, size);
    used = strlen(text);
    if (count > PINS_TOLD)
        snprintf(text + used, size - used, " and %d more", count - PINS_TOLD);
    return found;
}

int rqx__tls_pins_check(const struct rqx__tls_wire *wire, struct rqx__err *err)
{
    bool verified =
        (SSL_get_verify_mode(wire->ssl) & SSL_VERIFY_PEER) != 0 && SSL_get_verify_result(wire->ssl) == X509_V_OK;
    X509 *leaf = SSL_get0_peer_certificate(wire->ssl);
    char seen[PINS_TOLD * (RQX__PIN_LEN + 10) + 32];
    int found;

    if (wire->tls->pin_count == 0 || (wire->offered != NULL && SSL_session_reused(wire->ssl) == 1))
        return 0;
    if (leaf == NULL)
        return rqx__err_set(err, RQX_ERR_TLS_PIN, "peer has no certificate, and so no pinned key");
    found = look_at_chain(wire->tls, verified ? SSL_get0_verified_chain(wire->ssl) : NULL, leaf, seen, sizeof seen);
    if (found < 0)
        return rqx__err_set(err, found, NULL);
    if (found == 0)
        return rqx__err_set(err, RQX_ERR_TLS_PIN, "no key of the %s is pinned (%s)",
                            verified ? "certificate chain" : "certificate, which is not verified,", seen);
    return 0;
}
