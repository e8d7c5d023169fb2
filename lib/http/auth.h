/*
 * http/auth.h - the inside of rqx_auth: a field value that never changes, or credentials that answer challenges.
 */
#ifndef RQX_HTTP_AUTH_H
#define RQX_HTTP_AUTH_H

#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/auth.h>

struct rqx__digest_sessions;

struct rqx_auth {
    atomic_uint refs;
    size_t len;                            /* of |value| */
    size_t user_len;                       /* Digest: of the user, after which the password stands */
    struct rqx__digest_sessions *sessions; /* Digest: see auth_digest.h; NULL: |value| is what is sent */
    char value[];                          /* NUL terminated, wiped before it is freed */
};

/* Makes one with one reference and room for |len| bytes and a NUL.  NULL: out of memory. */
rqx_auth *rqx__auth_new(size_t len);
/* Whether there is a control character, which no credentials may have. */
bool rqx__auth_has_control(rqx_slice text);

/* Most bytes of user and password, or of a token. */
#define RQX__CREDENTIALS_MAX 65536

/*
 * Makes the value of a Basic credential, for Authorization and Proxy-Authorization alike; errors as rqx_auth_basic. NUL
 * terminated; the caller frees it with rqx__free_secret(value, len).
 */
int rqx__basic_value(rqx_slice user, rqx_slice password, char **ret_value, size_t *ret_len);

#endif
