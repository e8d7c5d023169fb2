#include "client/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/exchange.h"
#include "client/proxy.h"
#include "http/url.h"

/*
 * Idle connections beyond the limit are closed after this time: a wake-up that ends many exchanges leaves their
 * connections idle for the moment until their users ask for the next.
 */
#define TRIM_DELAY_MS 100
/* Origins without connections that are remembered for what is known of them. */
#define ORIGINS_KEPT 1024
/* A connection that was idle for longer than this is looked at before it is used. */
#define LOOK_AFTER_MS 1

static struct rqx__pool *pool_of(const struct rqx__origin *origin)
{
    return &origin->client->pool;
}

static struct rqx__loop *loop_of(const struct rqx__origin *origin)
{
    return origin->client->engine->loop;
}

/* ---- origins ---- */

/* A request's own choices that make its origin another than the URL's. */
static bool has_overrides(const struct rqx_request *request)
{
    return request->proxy != NULL || request->direct || request->protocols != 0 || request->server_name != NULL;
}

/* The key: "scheme://host:port", and for a request with choices of its own "|proxy|name|protocols". */
static char *make_key(const struct rqx__exchange *exchange, size_t *ret_len)
{
    const struct rqx_request *request = exchange->request;
    rqx_slice base = rqx__url_origin_key(exchange->hop.url);
    size_t size = base.len + request->server_name_len + 64;
    char *key = rqx__malloc(size);
    int len;

    if (key == NULL)
        return NULL;
    if (has_overrides(request))
        len = snprintf(key, size, "%.*s|%p%d|%.*s|%u", (int)base.len, base.data, (void *)request->proxy,
                       (int)request->direct, (int)request->server_name_len,
                       request->server_name == NULL ? "" : request->server_name, request->protocols);
    else
        len = snprintf(key, size, "%.*s", (int)base.len, base.data);
    *ret_len = (size_t)len;
    return key;
}

static void origin_free(struct rqx__origin *origin)
{
    rqx__list_remove(&origin->starving_node);
    rqx__list_remove(&origin->service_node);
    rqx_proxy_unref(origin->proxy);
    rqx__free(origin->server_name);
    rqx__free(origin->host);
    rqx__free((char *)(uintptr_t)origin->map_node.key);
    rqx__free(origin);
}

static struct rqx__origin *origin_new(struct rqx_client *client, const struct rqx__exchange *exchange, char *key,
                                      size_t key_len)
{
    const struct rqx_request *request = exchange->request;
    rqx_slice host = rqx_url_host(exchange->hop.url);
    struct rqx__origin *origin = rqx__calloc(1, sizeof *origin);

    if (origin == NULL) {
        rqx__free(key);
        return NULL;
    }
    rqx__list_init(&origin->conns);
    rqx__list_init(&origin->ready);
    rqx__list_init(&origin->dials);
    rqx__list_init(&origin->queue);
    rqx__list_init(&origin->starving_node);
    rqx__list_init(&origin->service_node);
    origin->map_node.key = key;
    origin->map_node.key_len = key_len;
    origin->client = client;
    origin->host = rqx__strndup(host.data, host.len);
    origin->host_len = host.len;
    origin->port = rqx_url_effective_port(exchange->hop.url);
    origin->secure = rqx_url_scheme(exchange->hop.url).len == 5;
    origin->protocols = request->protocols != 0 ? request->protocols : client->options.protocols;
    if (exchange->hop.proxy != NULL)
        origin->proxy = rqx_proxy_ref(exchange->hop.proxy);
    if (request->server_name != NULL) {
        origin->server_name = rqx__strndup(request->server_name, request->server_name_len);
        origin->server_name_len = request->server_name_len;
    }
    if (origin->host == NULL || (request->server_name != NULL && origin->server_name == NULL) ||
        rqx__map_add(&client->pool.origins, &origin->map_node) < 0) {
        origin_free(origin);
        return NULL;
    }
    return origin;
}

static struct rqx__origin *origin_for(struct rqx_client *client, const struct rqx__exchange *exchange)
{
    struct rqx__map_node *node;
    char *key;
    size_t key_len;

    if (!has_overrides(exchange->request)) {
        rqx_slice base = rqx__url_origin_key(exchange->hop.url);

        node = rqx__map_get(&client->pool.origins, base.data, base.len);
        if (node != NULL)
            return RQX__OF(node, struct rqx__origin, map_node);
    }
    key = make_key(exchange, &key_len);
    if (key == NULL)
        return NULL;
    node = rqx__map_get(&client->pool.origins, key, key_len);
    if (node == NULL)
        return origin_new(client, exchange, key, key_len);
    rqx__free(key);
    return RQX__OF(node, struct rqx__origin, map_node);
}

/* Frees an origin of which nothing is left that would be missed. */
static void reap_origin(struct rqx__origin *origin)
{
    struct rqx__pool *pool = pool_of(origin);

    if (origin->conn_count != 0 || origin->dial_count != 0 || origin->queued != 0)
        return;
    if (origin->h1_only && pool->origins.count <= ORIGINS_KEPT)
        return;
    rqx__map_remove(&pool->origins, &origin->map_node);
    origin_free(origin);
}

/* ---- service: handing out capacity ---- */

static void service(struct rqx__defer *defer, void *user)
{
    struct rqx__pool *pool = user;
    struct rqx__list *node;

    (void)defer;
    while ((node = rqx__list_pop_front(&pool->to_service)) != NULL) {
        struct rqx__origin *origin = RQX__OF(node, struct rqx__origin, service_node);

        rqx__pool_serve(origin);
        reap_origin(origin);
    }
}

void rqx__pool_serve_soon(struct rqx__origin *origin)
{
    struct rqx__pool *pool = pool_of(origin);

    if (rqx__list_empty(&origin->service_node))
        rqx__list_push_back(&pool->to_service, &origin->service_node);
    rqx__loop_defer(loop_of(origin), &pool->service);
}

static void dequeue(struct rqx__exchange *exchange)
{
    rqx__list_remove(&exchange->queue_node);
    exchange->origin->queued--;
    exchange->client->engine->stats.exchanges_queued--;
    exchange->origin = NULL;
}

static void enqueue(struct rqx__origin *origin, struct rqx__exchange *exchange, bool front)
{
    if (front)
        rqx__list_push_front(&origin->queue, &exchange->queue_node);
    else
        rqx__list_push_back(&origin->queue, &exchange->queue_node);
    origin->queued++;
    origin->client->engine->stats.exchanges_queued++;
    exchange->origin = origin;
}

/*
 * Whether something may have come on an idle connection that no poll has seen: where the engine is driven only by those
 * who wait, or the foreign loop was busy.  One that is used again at once is not worth the call.
 */
static bool has_rested(const struct rqx__conn *conn)
{
    return !rqx__list_empty(&conn->idle_node) &&
           rqx__loop_now(conn->engine->loop) > conn->idle_since + LOOK_AFTER_MS * RQX__NS_PER_MS;
}

/* Idle for too long, and no timer came by to close it, for the same reason. */
static bool has_expired(const struct rqx__conn *conn)
{
    int64_t expiry_ms = conn->origin->client->options.limits.keepalive_expiry_ms;

    return !rqx__list_empty(&conn->idle_node) &&
           rqx__clock_after_ms(conn->idle_since, expiry_ms) <= rqx__loop_now(conn->engine->loop);
}

/* A connection of the origin that takes another stream; NULL if there is none. */
static struct rqx__conn *ready_conn(struct rqx__origin *origin)
{
    while (!rqx__list_empty(&origin->ready)) {
        struct rqx__conn *conn = RQX__OF(origin->ready.next, struct rqx__conn, ready_node);

        if (has_expired(conn)) {
            rqx__conn_close(conn, NULL);
            continue;
        }
        if (has_rested(conn) && !rqx__conn_look(conn))
            continue;
        if (rqx__conn_capacity(conn) != 0)
            return conn;
        rqx__list_remove(&conn->ready_node);
    }
    return NULL;
}

/* Opens the exchange on |conn|; false if that turned out to be full. */
static bool open_on(struct rqx__exchange *exchange, struct rqx__conn *conn)
{
    int rv = rqx__exchange_open(exchange, conn);

    if (rv == RQX_AGAIN) {
        rqx__list_remove(&conn->ready_node);
        return false;
    }
    rqx__pool_conn_changed(conn);
    return true;
}

void rqx__pool_serve(struct rqx__origin *origin)
{
    struct rqx__conn *conn;

    while (!rqx__list_empty(&origin->queue) && (conn = ready_conn(origin)) != NULL) {
        struct rqx__exchange *exchange = RQX__OF(origin->queue.next, struct rqx__exchange, queue_node);

        dequeue(exchange);
        if (!open_on(exchange, conn))
            enqueue(origin, exchange, true);
    }
    rqx__pool_dial(origin);
}

int rqx__pool_submit(struct rqx_client *client, struct rqx__exchange *exchange)
{
    struct rqx__origin *origin = origin_for(client, exchange);
    struct rqx__conn *conn;

    if (origin == NULL)
        return RQX_ERR_NOMEM;
    /* nobody overtakes those who wait */
    while (rqx__list_empty(&origin->queue) && (conn = ready_conn(origin)) != NULL) {
        if (open_on(exchange, conn))
            return 0;
    }
    enqueue(origin, exchange, false);
    rqx__exchange_waits(exchange, RQX__WAIT_POOL);
    if (rqx__list_empty(&origin->ready))
        rqx__pool_dial(origin);
    else
        rqx__pool_serve_soon(origin);
    return 0;
}

void rqx__pool_withdraw(struct rqx__exchange *exchange)
{
    struct rqx__origin *origin = exchange->origin;

    dequeue(exchange);
    if (origin->queued == 0) {
        rqx__list_remove(&origin->starving_node);
        rqx__pool_drop_dials(origin, false);
        rqx__pool_serve_soon(origin); /* and is reaped there if that was all */
    }
}

bool rqx__pool_make_room(struct rqx__origin *origin)
{
    struct rqx__pool *pool = pool_of(origin);
    int64_t limit = origin->client->options.limits.max_connections;

    if (limit < 0 || pool->connections < (size_t)limit)
        return true;
    if (!rqx__list_empty(&pool->idle)) {
        struct rqx__conn *conn = RQX__OF(pool->idle.next, struct rqx__conn, idle_node);

        rqx__conn_close(conn, NULL);
        return pool->connections < (size_t)limit;
    }
    if (rqx__list_empty(&origin->starving_node))
        rqx__list_push_back(&pool->starving, &origin->starving_node);
    return false;
}

void rqx__pool_demand_h1(struct rqx__origin *origin)
{
    struct rqx__list *node;
    struct rqx__list *following;

    origin->h1_only = true;
    origin->known = true;
    origin->multiplexes = false;
    RQX__LIST_EACH(&origin->conns, node, following)
    {
        struct rqx__conn *conn = RQX__OF(node, struct rqx__conn, origin_node);

        if (conn->codec->ops->version == RQX_HTTP_2)
            rqx__conn_shutdown(conn);
    }
}

/* ---- idle connections ---- */

static void arm_expiry(struct rqx__pool *pool, struct rqx_client *client)
{
    struct rqx__conn *oldest;
    uint64_t due;

    if (rqx__list_empty(&pool->idle) || rqx__timer_is_set(&pool->expiry))
        return;
    oldest = RQX__OF(pool->idle.next, struct rqx__conn, idle_node);
    due = rqx__clock_after_ms(oldest->idle_since, client->options.limits.keepalive_expiry_ms);
    /* without memory for a timer nothing may be kept */
    if (due != RQX__NEVER && rqx__timer_set(client->engine->loop, &pool->expiry, due) < 0)
        rqx__conn_shutdown(oldest);
}

static void expire(struct rqx__timer *timer, void *user)
{
    struct rqx_client *client = user;
    struct rqx__pool *pool = &client->pool;
    uint64_t now = rqx__loop_now(client->engine->loop);

    (void)timer;
    while (!rqx__list_empty(&pool->idle)) {
        struct rqx__conn *conn = RQX__OF(pool->idle.next, struct rqx__conn, idle_node);

        if (rqx__clock_after_ms(conn->idle_since, client->options.limits.keepalive_expiry_ms) > now)
            break;
        rqx__list_remove(&conn->idle_node);
        pool->idle_count--;
        rqx__conn_shutdown(conn);
    }
    arm_expiry(pool, client);
}

static void leave_idle(struct rqx__pool *pool, struct rqx__conn *conn)
{
    if (rqx__list_empty(&conn->idle_node))
        return;
    rqx__list_remove(&conn->idle_node);
    pool->idle_count--;
}

/* Closes what is idle beyond the limit, the longest idle first. */
static void trim(struct rqx__timer *timer, void *user)
{
    struct rqx_client *client = user;
    struct rqx__pool *pool = &client->pool;

    (void)timer;
    while (pool->idle_count > (size_t)client->options.limits.max_keepalive) {
        struct rqx__conn *oldest = RQX__OF(pool->idle.next, struct rqx__conn, idle_node);

        leave_idle(pool, oldest);
        rqx__conn_shutdown(oldest);
    }
}

static void enter_idle(struct rqx__pool *pool, struct rqx__conn *conn)
{
    struct rqx_client *client = conn->origin->client;
    int64_t keep = client->options.limits.max_keepalive;

    if (!rqx__list_empty(&conn->idle_node))
        return;
    conn->idle_since = rqx__loop_now(client->engine->loop);
    rqx__list_push_back(&pool->idle, &conn->idle_node);
    pool->idle_count++;
    if (keep >= 0 && pool->idle_count > (size_t)keep && !rqx__timer_is_set(&pool->trim) &&
        rqx__timer_set(client->engine->loop, &pool->trim,
                       rqx__clock_after_ms(conn->idle_since, keep == 0 ? 0 : TRIM_DELAY_MS)) < 0)
        trim(&pool->trim, client);
    arm_expiry(pool, client);
}

/* ---- told by conn.c ---- */

void rqx__pool_conn_changed(struct rqx__conn *conn)
{
    struct rqx__origin *origin = conn->origin;
    struct rqx__pool *pool = pool_of(origin);

    if (rqx__conn_capacity(conn) == 0) {
        rqx__list_remove(&conn->ready_node);
        leave_idle(pool, conn);
    } else {
        /* last used, first used: what is not needed may grow old */
        if (rqx__list_empty(&conn->ready_node))
            rqx__list_push_front(&origin->ready, &conn->ready_node);
        if (conn->codec->open_streams != 0 || origin->queued != 0)
            leave_idle(pool, conn);
        else
            enter_idle(pool, conn);
    }
    if (origin->queued != 0)
        rqx__pool_serve_soon(origin);
}

void rqx__pool_conn_gone(struct rqx__conn *conn)
{
    struct rqx__origin *origin = conn->origin;
    struct rqx__pool *pool = pool_of(origin);

    rqx__list_remove(&conn->ready_node);
    leave_idle(pool, conn);
    rqx__list_remove(&conn->origin_node);
    origin->conn_count--;
    rqx__pool_slot_free(origin);
    rqx__pool_serve_soon(origin);
}

void rqx__pool_slot_free(struct rqx__origin *origin)
{
    struct rqx__pool *pool = pool_of(origin);
    struct rqx__list *node;

    pool->connections--;
    origin->client->engine->stats.connections_open--;
    node = rqx__list_pop_front(&pool->starving);
    if (node != NULL)
        rqx__pool_serve_soon(RQX__OF(node, struct rqx__origin, starving_node));
}

/* ---- life ---- */

void rqx__pool_init(struct rqx__pool *pool, struct rqx_client *client)
{
    memset(pool, 0, sizeof *pool);
    rqx__map_init(&pool->origins);
    rqx__list_init(&pool->idle);
    rqx__list_init(&pool->starving);
    rqx__list_init(&pool->to_service);
    rqx__timer_init(&pool->expiry, expire, client);
    rqx__timer_init(&pool->trim, trim, client);
    rqx__defer_init(&pool->service, service, pool);
}

static void shutdown_origin(struct rqx__map_node *map_node, void *user)
{
    struct rqx__origin *origin = RQX__OF(map_node, struct rqx__origin, map_node);
    struct rqx__list *node;
    struct rqx__list *following;

    (void)user;
    rqx__pool_drop_dials(origin, false);
    RQX__LIST_EACH(&origin->conns, node, following)
    rqx__conn_shutdown(RQX__OF(node, struct rqx__conn, origin_node));
}

void rqx__pool_shutdown(struct rqx__pool *pool)
{
    rqx__map_each(&pool->origins, shutdown_origin, NULL);
}

static void drop_origin(struct rqx__map_node *map_node, void *user)
{
    struct rqx__origin *origin = RQX__OF(map_node, struct rqx__origin, map_node);
    bool abandon = *(const bool *)user;

    rqx__pool_drop_dials(origin, abandon);
    while (!rqx__list_empty(&origin->conns)) {
        struct rqx__conn *conn = RQX__OF(origin->conns.next, struct rqx__conn, origin_node);

        if (abandon)
            rqx__conn_abandon(conn);
        else
            rqx__conn_close(conn, NULL);
    }
    rqx__map_remove(&pool_of(origin)->origins, map_node);
    origin_free(origin);
}

static void pool_drop(struct rqx__pool *pool, struct rqx_client *client, bool abandon)
{
    rqx__map_each(&pool->origins, drop_origin, &abandon);
    rqx__timer_clear(client->engine->loop, &pool->expiry);
    rqx__timer_clear(client->engine->loop, &pool->trim);
    rqx__defer_cancel(&pool->service);
    rqx__map_done(&pool->origins);
}

void rqx__pool_done(struct rqx__pool *pool, struct rqx_client *client)
{
    pool_drop(pool, client, false);
}

void rqx__pool_abandon(struct rqx__pool *pool, struct rqx_client *client)
{
    pool_drop(pool, client, true);
}
