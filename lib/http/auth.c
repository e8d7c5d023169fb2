#include "http/auth.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/auth_digest.h"

static const char basic_scheme[] = "Basic ";
static const char bearer_scheme[] = "Bearer ";

rqx_auth *rqx__auth_new(size_t len)
{
    rqx_auth *auth = rqx__malloc(sizeof *auth + len + 1);

    if (auth == NULL)
        return NULL;
    atomic_init(&auth->refs, 1);
    auth->len = len;
    auth->user_len = 0;
    auth->sessions = NULL;
    return auth;
}

bool rqx__auth_has_control(rqx_slice text)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

/* Length of the value for |user| and |password|; RQX_ERR_INVALID_ARGUMENT: RFC 7617 section 2 does not allow them. */
static int basic_len(rqx_slice user, rqx_slice password, size_t *ret_len)
{
    size_t plain;

    if (user.len > RQX__CREDENTIALS_MAX || password.len > RQX__CREDENTIALS_MAX - user.len)
        return RQX_ERR_INVALID_ARGUMENT;
    if (rqx__auth_has_control(user) || rqx__auth_has_control(password))
        return RQX_ERR_INVALID_ARGUMENT;
    if (user.len > 0 && memchr(user.data, ':', user.len) != NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    plain = user.len + 1 + password.len;
    *ret_len = sizeof basic_scheme - 1 + (plain + 2) / 3 * 4;
    return 0;
}

static char *put(char *out, rqx_slice text)
{
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    return out + text.len;
}

/* Writes the value and a NUL.  RQX_ERR_NOMEM. */
static int write_basic(rqx_slice user, rqx_slice password, char *out)
{
    size_t len = user.len + 1 + password.len;
    char *plain = rqx__malloc(len);
    char *at;

    if (plain == NULL)
        return RQX_ERR_NOMEM;
    at = put(plain, user);
    *at++ = ':';
    put(at, password);
    out = put(out, RQX__LIT(basic_scheme));
    rqx__base64((const uint8_t *)plain, len, out);
    rqx__free_secret(plain, len);
    return 0;
}

int rqx__basic_value(rqx_slice user, rqx_slice password, char **ret_value, size_t *ret_len)
{
    size_t len;
    char *value;
    int rv = basic_len(user, password, &len);

    if (rv < 0)
        return rv;
    value = rqx__malloc(len + 1);
    if (value == NULL)
        return RQX_ERR_NOMEM;
    rv = write_basic(user, password, value);
    if (rv < 0) {
        rqx__free(value);
        return rv;
    }
    *ret_value = value;
    *ret_len = len;
    return 0;
}

int rqx_auth_basic(const char *user, size_t user_len, const char *password, size_t password_len, rqx_auth **ret_auth)
{
    rqx_slice user_text = {user, user_len};
    rqx_slice password_text = {password, password_len};
    rqx_auth *auth;
    size_t len;
    int rv = basic_len(user_text, password_text, &len);

    if (rv < 0)
        return rv;
    auth = rqx__auth_new(len);
    if (auth == NULL)
        return RQX_ERR_NOMEM;
    rv = write_basic(user_text, password_text, auth->value);
    if (rv < 0) {
        rqx__free(auth);
        return rv;
    }
    *ret_auth = auth;
    return 0;
}

int rqx_auth_bearer(const char *token, size_t token_len, rqx_auth **ret_auth)
{
    rqx_auth *auth;
    char *at;

    if (token_len == 0 || token_len > RQX__CREDENTIALS_MAX || !rqx__is_field_value(token, token_len))
        return RQX_ERR_INVALID_ARGUMENT;
    auth = rqx__auth_new(sizeof bearer_scheme - 1 + token_len);
    if (auth == NULL)
        return RQX_ERR_NOMEM;
    at = put(auth->value, RQX__LIT(bearer_scheme));
    at = put(at, (rqx_slice){token, token_len});
    *at = '\0';
    *ret_auth = auth;
    return 0;
}

rqx_auth *rqx_auth_ref(rqx_auth *auth)
{
    atomic_fetch_add_explicit(&auth->refs, 1, memory_order_relaxed);
    return auth;
}

void rqx_auth_unref(rqx_auth *auth)
{
    if (auth == NULL || atomic_fetch_sub_explicit(&auth->refs, 1, memory_order_acq_rel) != 1)
        return;
    rqx__digest_sessions_free(auth->sessions);
    rqx__free_secret(auth, sizeof *auth + auth->len + 1);
}

rqx_slice rqx_auth_value(const rqx_auth *auth)
{
    return auth->sessions != NULL ? (rqx_slice){NULL, 0} : (rqx_slice){auth->value, auth->len};
}
