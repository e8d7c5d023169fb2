/*
 * requestx/auth.h - credentials that a request or a client carries (RFC 9110 section 11).
 *
 * An rqx_auth is immutable and counted; any thread may use it.  Credentials go to the origin of the first request only:
 * a redirect to another origin leaves them behind.
 */
#ifndef REQUESTX_AUTH_H
#define REQUESTX_AUTH_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/**
 * Makes Basic credentials (RFC 7617) of |user| and |password|, bytes as they are to be sent (UTF-8).
 * Errors: RQX_ERR_INVALID_ARGUMENT (a colon in |user|, control characters, above 64 KiB), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_auth_basic(const char *user, size_t user_len, const char *password, size_t password_len,
                           rqx_auth **ret_auth);
/**
 * Makes a Bearer token (RFC 6750).  Errors: RQX_ERR_INVALID_ARGUMENT (empty, above 64 KiB, or a character that a field
 * value may not hold), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_auth_bearer(const char *token, size_t token_len, rqx_auth **ret_auth);
/** Takes one more reference.  Returns |auth|.  Since 0.1. */
RQX_API rqx_auth *rqx_auth_ref(rqx_auth *auth);
/** Gives a reference back; the last one wipes and frees.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_auth_unref(rqx_auth *auth);
/** Gives the value of the Authorization field, NUL terminated.  Secret.  Since 0.1. */
RQX_API rqx_slice rqx_auth_value(const rqx_auth *auth);

RQX_END_DECLS

#endif
