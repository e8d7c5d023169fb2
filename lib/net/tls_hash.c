/*
 * tls_hash.c - OpenSSL's hash functions and random bytes.
 */
#include "net/hash.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <requestx/error.h>

static const EVP_MD *method(enum rqx__hash which)
{
    switch (which) {
    case RQX__HASH_MD5:
        return EVP_md5();
    case RQX__HASH_SHA_256:
        return EVP_sha256();
    case RQX__HASH_SHA_512_256:
        return EVP_sha512_256();
    case RQX__HASH_COUNT:
        break;
    }
    return NULL;
}

static int hash(enum rqx__hash which, const rqx_slice *pieces, size_t count, uint8_t out[RQX__HASH_MAX])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned len = 0;
    size_t i;
    int good;

    if (context == NULL)
        return RQX_ERR_NOMEM;
    /* where only approved functions are allowed, MD5 fails here */
    good = EVP_DigestInit_ex(context, method(which), NULL);
    for (i = 0; good && i < count; i++) {
        if (pieces[i].len > 0)
            good = EVP_DigestUpdate(context, pieces[i].data, pieces[i].len);
    }
    good = good && EVP_DigestFinal_ex(context, out, &len);
    EVP_MD_CTX_free(context);
    return good ? (int)len : RQX_ERR_UNSUPPORTED;
}

static int random_bytes(uint8_t *out, size_t len)
{
    return RAND_bytes(out, (int)len) == 1 ? 0 : RQX_ERR_SYSTEM;
}

const struct rqx__hash_ops rqx__hash_ops = {hash, random_bytes};
