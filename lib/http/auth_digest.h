/*
 * http/auth_digest.h - Digest authentication (RFC 7616): challenges understood, and the values that answer them.
 *
 * auth_digest.c is arithmetic over one challenge.  auth_session.c is the inside of an rqx_auth that rqx_auth_digest
 * made: credentials that never change, and for each origin the challenge that was answered last, so that the next
 * request need not be challenged again; that part is under a lock of its own.
 */
#ifndef RQX_HTTP_AUTH_DIGEST_H
#define RQX_HTTP_AUTH_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include <requestx/auth.h>

#include "base/hash.h"
#include "http/auth_challenge.h"

/* Most bytes of realm, nonce and opaque together. */
#define RQX__DIGEST_TEXT_MAX 16384
/* Origins that one rqx_auth remembers challenges of. */
#define RQX__DIGEST_ORIGINS 32
/* Characters of a cnonce: 128 bits in hexadecimal. */
#define RQX__CNONCE_LEN 32

/* A challenge that can be answered.  One piece of memory. */
struct rqx__digest {
    enum rqx__hash algorithm;
    bool named;    /* the algorithm was said */
    bool session;  /* "-sess" */
    bool qop_auth; /* offered */
    bool qop_int;  /* offered; neither: as it was before RFC 2617 */
    bool stale;    /* nothing was wrong but the nonce's age */
    bool userhash;
    bool utf8;
    rqx_slice realm; /* escapes undone */
    rqx_slice nonce;
    rqx_slice opaque; /* NULL data: none */
    char text[];
};

/*
 * Understands a challenge whose scheme is Digest.  RQX_ERR_INVALID_FIELD: something is missing, twice or malformed;
 * RQX_ERR_UNSUPPORTED: an algorithm or quality of protection that is not known; RQX_ERR_NOMEM.
 */
int rqx__digest_new(const struct rqx__challenge *challenge, struct rqx__digest **ret_digest);
void rqx__digest_free(struct rqx__digest *digest);
/*
 * Looks for the strongest challenge in one field's value that can be answered, without auth-int where the body is not
 * known, and that is stronger than |*digest| (or NULL), and puts it in its place.  Of equal ones the first stays.  What
 * is malformed ends the field.  RQX_ERR_NOMEM.
 */
int rqx__digest_pick(rqx_slice field, bool body_known, struct rqx__digest **digest);

/* What is answered. */
struct rqx__digest_use {
    rqx_slice user;
    rqx_slice password;
    rqx_slice method;
    rqx_slice target;
    rqx_slice body;  /* for auth-int */
    bool body_known; /* false: auth-int cannot be answered */
    rqx_slice cnonce;
    uint32_t count; /* nc */
};

/*
 * Makes the value of the Authorization field, NUL terminated; the caller frees it with rqx__free_secret(value, len).
 * RQX_ERR_UNSUPPORTED: only auth-int is offered and the body is not known, or the hash function is not there;
 * RQX_ERR_NOMEM.
 */
int rqx__digest_value(const struct rqx__digest *digest, const struct rqx__hash_ops *ops,
                      const struct rqx__digest_use *use, char **ret_value, size_t *ret_len);

/* ---- auth_session.c ---- */

struct rqx__digest_sessions;

void rqx__digest_sessions_free(struct rqx__digest_sessions *sessions);
/*
 * Answers with what is remembered for |origin|: fills in what |use| lacks (user, password, cnonce, count).  Gives 1; 0:
 * nothing is remembered, or it cannot be answered for this request.  RQX_ERR_NOMEM.
 */
int rqx__auth_answer(rqx_auth *auth, rqx_slice origin, const struct rqx__hash_ops *ops, struct rqx__digest_use *use,
                     char **ret_value, size_t *ret_len);
/* Remembers a challenge of |origin|.  On success, takes ownership of |digest|.  RQX_ERR_NOMEM, RQX_ERR_SYSTEM. */
int rqx__auth_challenged(rqx_auth *auth, rqx_slice origin, const struct rqx__hash_ops *ops, struct rqx__digest *digest);
/*
 * Heeds an Authentication-Info field of |origin| (RFC 7616 section 3.5): its next nonce, if it has one, is used from
 * now on.  RQX_ERR_NOMEM, RQX_ERR_SYSTEM.
 */
int rqx__auth_info(rqx_auth *auth, rqx_slice origin, const struct rqx__hash_ops *ops, rqx_slice field);

#endif
