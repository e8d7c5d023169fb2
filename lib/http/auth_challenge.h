/*
 * http/auth_challenge.h - what a WWW-Authenticate field asks for (RFC 9110 section 11.6.1), one challenge after
 * another.
 *
 * A function over bytes that allocates nothing.  Slices point into the field's value; what stood in quotes is still
 * escaped.
 */
#ifndef RQX_HTTP_AUTH_CHALLENGE_H
#define RQX_HTTP_AUTH_CHALLENGE_H

#include <stdbool.h>

#include <requestx/types.h>

/* Most parameters of one challenge, and most bytes of a field's value. */
#define RQX__CHALLENGE_PARAMS 24
#define RQX__CHALLENGE_MAX    32768

struct rqx__auth_param {
    rqx_slice name;
    rqx_slice value; /* without quotes */
    bool quoted;
};

struct rqx__challenge {
    rqx_slice scheme;
    rqx_slice token68; /* NULL data: there are parameters, or nothing */
    struct rqx__auth_param params[RQX__CHALLENGE_PARAMS];
    size_t count;
};

/*
 * Reads the first challenge of |*rest| and moves on.  Gives 1; 0: there are no more; RQX_ERR_INVALID_FIELD: malformed,
 * or beyond a limit, and nothing after it can be told apart.
 */
int rqx__challenge_next(rqx_slice *rest, struct rqx__challenge *ret_challenge);
/* Reads a list of parameters without a scheme (Authentication-Info); errors as there.  Gives 0. */
int rqx__auth_params(rqx_slice text, struct rqx__challenge *ret_params);
/* The parameter of that name, in any case; NULL: there is none. */
const struct rqx__auth_param *rqx__auth_param(const struct rqx__challenge *challenge, const char *name);
/* Writes the value with escapes undone; |out| has room for value.len.  Gives the end. */
char *rqx__auth_unescape(const struct rqx__auth_param *param, char *out);

#endif
