/*
 * requestx/auth.h - credentials that a request or a client carries (RFC 9110 section 11).
 *
 * An rqx_auth is counted and never changes in what it lets the user see; any thread may use it.  Credentials go to the
 * origin of the first request only: a redirect to another origin leaves them behind.
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
/**
 * Makes credentials for Digest (RFC 7616), bytes as they are to be hashed (UTF-8).  A 401 response that asks for Digest
 * is answered once, with MD5, SHA-256 or SHA-512-256, whichever of those offered is strongest, where the request's body
 * can be sent again (bytes and files can; a callback can if it has a rewind); otherwise the 401 is the answer.  What a
 * server asked for is remembered for its origin, so that later requests answer it at once.  Integrity protection of the
 * body (auth-int) is used where nothing else is offered, for bodies that are bytes,
 * a MiB at most.
 *
 * Errors: RQX_ERR_INVALID_ARGUMENT (control characters, above 64 KiB), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_auth_digest(const char *user, size_t user_len, const char *password, size_t password_len,
                            rqx_auth **ret_auth);
/** Takes one more reference.  Returns |auth|.  Since 0.1. */
RQX_API rqx_auth *rqx_auth_ref(rqx_auth *auth);
/** Gives a reference back; the last one wipes and frees.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_auth_unref(rqx_auth *auth);
/** Gives the value of the Authorization field, NUL terminated; NULL data for Digest.  Secret.  Since 0.1. */
RQX_API rqx_slice rqx_auth_value(const rqx_auth *auth);

RQX_END_DECLS

#endif
