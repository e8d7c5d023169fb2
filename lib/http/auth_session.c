/*
 * auth_session.c - the inside of Digest credentials: what is remembered for each origin (RFC 7616 section 3.6).
 */
#include <pthread.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/auth.h"
#include "http/auth_digest.h"

/* A challenge and how often it was answered. */
struct session {
    struct rqx__list node; /* in sessions->list */
    struct rqx__digest *digest;
    uint32_t count;
    char cnonce[RQX__CNONCE_LEN + 1];
    size_t origin_len;
    char origin[];
};

struct rqx__digest_sessions {
    pthread_mutex_t lock;
    struct rqx__list list; /* longest unused first */
    size_t count;
};

static struct session *session_of(struct rqx__list *node)
{
    return RQX__OF(node, struct session, node);
}

static void drop(struct rqx__digest_sessions *sessions, struct session *session)
{
    rqx__list_remove(&session->node);
    sessions->count--;
    rqx__digest_free(session->digest);
    rqx__free(session);
}

void rqx__digest_sessions_free(struct rqx__digest_sessions *sessions)
{
    if (sessions == NULL)
        return;
    while (!rqx__list_empty(&sessions->list))
        drop(sessions, session_of(sessions->list.next));
    pthread_mutex_destroy(&sessions->lock);
    rqx__free(sessions);
}

static struct rqx__digest_sessions *new_sessions(void)
{
    struct rqx__digest_sessions *sessions = rqx__calloc(1, sizeof *sessions);

    if (sessions == NULL)
        return NULL;
    if (pthread_mutex_init(&sessions->lock, NULL) != 0) {
        rqx__free(sessions);
        return NULL;
    }
    rqx__list_init(&sessions->list);
    return sessions;
}

int rqx_auth_digest(const char *user, size_t user_len, const char *password, size_t password_len, rqx_auth **ret_auth)
{
    rqx_auth *auth;

    if (user_len > RQX__CREDENTIALS_MAX || password_len > RQX__CREDENTIALS_MAX - user_len)
        return RQX_ERR_INVALID_ARGUMENT;
    if (rqx__auth_has_control((rqx_slice){user, user_len}) ||
        rqx__auth_has_control((rqx_slice){password, password_len}))
        return RQX_ERR_INVALID_ARGUMENT;
    auth = rqx__auth_new(user_len + password_len);
    if (auth == NULL)
        return RQX_ERR_NOMEM;
    auth->sessions = new_sessions();
    if (auth->sessions == NULL) {
        rqx_auth_unref(auth);
        return RQX_ERR_NOMEM;
    }
    if (user_len > 0)
        memcpy(auth->value, user, user_len);
    if (password_len > 0)
        memcpy(auth->value + user_len, password, password_len);
    auth->user_len = user_len;
    *ret_auth = auth;
    return 0;
}

static struct session *find(struct rqx__digest_sessions *sessions, rqx_slice origin)
{
    struct rqx__list *node;
    struct rqx__list *next;

    RQX__LIST_EACH(&sessions->list, node, next)
    {
        struct session *session = session_of(node);

        if (rqx__eq(session->origin, session->origin_len, origin.data, origin.len))
            return session;
    }
    return NULL;
}

static int answer_locked(struct rqx__digest_sessions *sessions, rqx_slice origin, const struct rqx__hash_ops *ops,
                         struct rqx__digest_use *use, char **ret_value, size_t *ret_len)
{
    struct session *session = find(sessions, origin);
    int rv;

    if (session == NULL)
        return 0;
    use->cnonce = (rqx_slice){session->cnonce, RQX__CNONCE_LEN};
    use->count = session->count + 1;
    rv = rqx__digest_value(session->digest, ops, use, ret_value, ret_len);
    if (rv == RQX_ERR_UNSUPPORTED)
        return 0;
    if (rv < 0)
        return rv;
    session->count++;
    rqx__list_remove(&session->node);
    rqx__list_push_back(&sessions->list, &session->node);
    if (session->count == UINT32_MAX)
        drop(sessions, session); /* a count is used once */
    return 1;
}

int rqx__auth_answer(rqx_auth *auth, rqx_slice origin, const struct rqx__hash_ops *ops, struct rqx__digest_use *use,
                     char **ret_value, size_t *ret_len)
{
    int rv;

    use->user = (rqx_slice){auth->value, auth->user_len};
    use->password = (rqx_slice){auth->value + auth->user_len, auth->len - auth->user_len};
    pthread_mutex_lock(&auth->sessions->lock);
    rv = answer_locked(auth->sessions, origin, ops, use, ret_value, ret_len);
    pthread_mutex_unlock(&auth->sessions->lock);
    return rv;
}

static int new_session(rqx_slice origin, const struct rqx__hash_ops *ops, struct session **ret_session)
{
    static const char digits[] = "0123456789abcdef";
    struct session *session = rqx__calloc(1, sizeof *session + origin.len);
    uint8_t random[RQX__CNONCE_LEN / 2];
    size_t i;
    int rv;

    if (session == NULL)
        return RQX_ERR_NOMEM;
    rv = ops->random(random, sizeof random);
    if (rv < 0) {
        rqx__free(session);
        return rv;
    }
    for (i = 0; i < sizeof random; i++) {
        session->cnonce[2 * i] = digits[random[i] >> 4];
        session->cnonce[2 * i + 1] = digits[random[i] & 15];
    }
    memcpy(session->origin, origin.data, origin.len);
    session->origin_len = origin.len;
    *ret_session = session;
    return 0;
}

int rqx__auth_challenged(rqx_auth *auth, rqx_slice origin, const struct rqx__hash_ops *ops, struct rqx__digest *digest)
{
    struct rqx__digest_sessions *sessions = auth->sessions;
    struct session *session = NULL;
    struct session *old;
    int rv = new_session(origin, ops, &session);

    if (rv < 0)
        return rv;
    session->digest = digest;
    pthread_mutex_lock(&sessions->lock);
    old = find(sessions, origin);
    if (old == NULL && sessions->count == RQX__DIGEST_ORIGINS)
        old = session_of(sessions->list.next);
    if (old != NULL)
        drop(sessions, old);
    rqx__list_push_back(&sessions->list, &session->node);
    sessions->count++;
    pthread_mutex_unlock(&sessions->lock);
    return 0;
}

/* The same challenge with another nonce. */
static int with_nonce(const struct rqx__digest *digest, const struct rqx__auth_param *nonce,
                      struct rqx__digest **ret_digest)
{
    size_t len = digest->realm.len + nonce->value.len + digest->opaque.len;
    struct rqx__digest *copy = rqx__malloc(sizeof *copy + len);
    char *at;

    if (copy == NULL)
        return RQX_ERR_NOMEM;
    *copy = *digest;
    copy->stale = false;
    at = copy->text;
    if (digest->realm.len > 0)
        memcpy(at, digest->realm.data, digest->realm.len);
    copy->realm.data = at;
    at += digest->realm.len;
    copy->nonce = (rqx_slice){at, (size_t)(rqx__auth_unescape(nonce, at) - at)};
    at += copy->nonce.len;
    if (digest->opaque.len > 0)
        memcpy(at, digest->opaque.data, digest->opaque.len);
    if (digest->opaque.data != NULL)
        copy->opaque.data = at;
    *ret_digest = copy;
    return 0;
}

int rqx__auth_info(rqx_auth *auth, rqx_slice origin, const struct rqx__hash_ops *ops, rqx_slice field)
{
    struct rqx__digest_sessions *sessions = auth->sessions;
    const struct rqx__auth_param *nonce;
    struct rqx__digest *digest = NULL;
    struct rqx__challenge info;
    struct session *session;
    int rv;

    if (rqx__auth_params(field, &info) < 0)
        return 0;
    nonce = rqx__auth_param(&info, "nextnonce");
    if (nonce == NULL || nonce->value.len == 0 || nonce->value.len > RQX__DIGEST_TEXT_MAX)
        return 0;
    pthread_mutex_lock(&sessions->lock);
    session = find(sessions, origin);
    rv = session != NULL ? with_nonce(session->digest, nonce, &digest) : 0;
    pthread_mutex_unlock(&sessions->lock);
    if (rv < 0 || digest == NULL)
        return rv;
    rv = rqx__auth_challenged(auth, origin, ops, digest);
    if (rv < 0)
        rqx__digest_free(digest);
    return rv;
}
