/*
 * tls_session.c - the TLS sessions that an rqx_tls remembers, by server name and port.
 *
 * Bounded both ways: so many peers, of which the one unused for longest goes first, and so many tickets of each.  The
 * lock of the rqx_tls guards it; sessions are freed outside, since OpenSSL then frees whole certificate chains.
 */
#include "net/tls_internal.h"

#include <string.h>
#include <time.h>

#include "base/mem.h"

struct peer {
    struct rqx__map_node node;
    struct rqx__list by_age;
    unsigned count;
    SSL_SESSION *tickets[RQX__SESSION_TICKETS_MAX]; /* the newest is the last */
    char key[];
};

static struct peer *peer_of(struct rqx__map_node *node)
{
    return RQX__OF(node, struct peer, node);
}

static void free_peer(struct peer *peer)
{
    unsigned i;

    for (i = 0; i < peer->count; i++)
        SSL_SESSION_free(peer->tickets[i]);
    rqx__free(peer);
}

static void unlink_peer(struct rqx__tls_sessions *sessions, struct peer *peer)
{
    rqx__map_remove(&sessions->by_peer, &peer->node);
    rqx__list_remove(&peer->by_age);
    sessions->count--;
}

static struct peer *find_peer(struct rqx__tls_sessions *sessions, const char *key)
{
    struct rqx__map_node *node = rqx__map_get(&sessions->by_peer, key, strlen(key));

    return node != NULL ? peer_of(node) : NULL;
}

static struct peer *add_peer(struct rqx__tls_sessions *sessions, const char *key)
{
    size_t len = strlen(key);
    struct peer *peer = rqx__calloc(1, sizeof *peer + len + 1);

    if (peer == NULL)
        return NULL;
    memcpy(peer->key, key, len + 1);
    peer->node.key = peer->key;
    peer->node.key_len = len;
    if (rqx__map_add(&sessions->by_peer, &peer->node) < 0) {
        rqx__free(peer);
        return NULL;
    }
    rqx__list_push_back(&sessions->by_age, &peer->by_age);
    sessions->count++;
    return peer;
}

static void touch_peer(struct rqx__tls_sessions *sessions, struct peer *peer)
{
    rqx__list_remove(&peer->by_age);
    rqx__list_push_back(&sessions->by_age, &peer->by_age);
}

/* Takes the peer that was unused for longest off, if there are too many. */
static struct peer *pop_surplus(struct rqx__tls_sessions *sessions)
{
    struct peer *oldest;

    if (sessions->count <= RQX__SESSION_PEERS_MAX)
        return NULL;
    oldest = RQX__OF(sessions->by_age.next, struct peer, by_age);
    unlink_peer(sessions, oldest);
    return oldest;
}

void rqx__tls_sessions_init(struct rqx__tls_sessions *sessions)
{
    rqx__map_init(&sessions->by_peer);
    rqx__list_init(&sessions->by_age);
    sessions->count = 0;
}

void rqx__tls_sessions_done(struct rqx__tls_sessions *sessions)
{
    struct rqx__map_node *node;

    while ((node = rqx__map_any(&sessions->by_peer)) != NULL) {
        struct peer *peer = peer_of(node);

        unlink_peer(sessions, peer);
        free_peer(peer);
    }
    rqx__map_done(&sessions->by_peer);
}

static bool is_single_use(const SSL_SESSION *session)
{
    return SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION;
}

static bool is_usable(const SSL_SESSION *session)
{
    long age = (long)time(NULL) - SSL_SESSION_get_time(session);

    return SSL_SESSION_is_resumable(session) && age >= 0 && age < SSL_SESSION_get_timeout(session);
}

SSL_SESSION *rqx__tls_session_take(rqx_tls *tls, const char *key)
{
    SSL_SESSION *stale[RQX__SESSION_TICKETS_MAX];
    SSL_SESSION *found = NULL;
    unsigned stale_count = 0;
    struct peer *peer;

    rqx__tls_lock(tls);
    peer = find_peer(&tls->sessions, key);
    if (peer != NULL)
        touch_peer(&tls->sessions, peer);
    while (peer != NULL && found == NULL && peer->count > 0) {
        SSL_SESSION *newest = peer->tickets[peer->count - 1];

        if (!is_usable(newest)) {
            peer->count--;
            stale[stale_count++] = newest;
        } else {
            found = newest;
            if (is_single_use(newest))
                peer->count--;
            else
                SSL_SESSION_up_ref(newest);
        }
    }
    rqx__tls_unlock(tls);
    while (stale_count > 0)
        SSL_SESSION_free(stale[--stale_count]);
    return found;
}

/* Puts |session| at the end of |peer|'s; what has to go for it is given back. */
static SSL_SESSION *push_ticket(struct peer *peer, SSL_SESSION *session)
{
    SSL_SESSION *oldest = NULL;

    if (peer->count == RQX__SESSION_TICKETS_MAX || (peer->count > 0 && !is_single_use(session))) {
        oldest = peer->tickets[0];
        peer->count--;
        memmove(peer->tickets, peer->tickets + 1, peer->count * sizeof peer->tickets[0]);
    }
    peer->tickets[peer->count++] = session;
    return oldest;
}

void rqx__tls_session_put(rqx_tls *tls, const char *key, SSL_SESSION *session)
{
    SSL_SESSION *surplus = session;
    struct peer *surplus_peer = NULL;
    struct peer *peer;

    rqx__tls_lock(tls);
    peer = find_peer(&tls->sessions, key);
    if (peer == NULL)
        peer = add_peer(&tls->sessions, key);
    if (peer != NULL) { /* without memory it is not remembered, and nothing else comes of that */
        touch_peer(&tls->sessions, peer);
        surplus = push_ticket(peer, session);
        surplus_peer = pop_surplus(&tls->sessions);
    }
    rqx__tls_unlock(tls);
    SSL_SESSION_free(surplus);
    if (surplus_peer != NULL)
        free_peer(surplus_peer);
}

void rqx__tls_session_drop(rqx_tls *tls, const char *key)
{
    struct peer *peer;

    rqx__tls_lock(tls);
    peer = find_peer(&tls->sessions, key);
    if (peer != NULL)
        unlink_peer(&tls->sessions, peer);
    rqx__tls_unlock(tls);
    if (peer != NULL)
        free_peer(peer);
}
