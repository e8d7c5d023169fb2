/*
 * http/auth.h - the inside of rqx_auth: a field value that never changes.
 */
#ifndef RQX_HTTP_AUTH_H
#define RQX_HTTP_AUTH_H

#include <stdatomic.h>

#include <requestx/auth.h>

struct rqx_auth {
    atomic_uint refs;
    size_t len;   /* of |value| */
    char value[]; /* NUL terminated, wiped before it is freed */
};

/* Most bytes of user and password, or of a token. */
#define RQX__CREDENTIALS_MAX 65536

/*
 * Makes the value of a Basic credential, for Authorization and Proxy-Authorization alike; errors as rqx_auth_basic. NUL
 * terminated; the caller frees it with rqx__free_secret(value, len).
 */
int rqx__basic_value(rqx_slice user, rqx_slice password, char **ret_value, size_t *ret_len);

#endif
