/*
 * pool_dial.c - making connections for an origin: how many, for whom, and what becomes of them.
 *
 * Where HTTP/2 may be spoken one dial is made for all that wait; they learn from it which protocol it is.  Where
 * HTTP/1.1 is known to be spoken, one dial for each that waits.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/exchange.h"
#include "client/pool.h"
#include "client/proxy.h"

/* How long a dial goes on that all who waited for it found another connection than. */
#define SURPLUS_MS 5000

struct dial_job {
    struct rqx__list node; /* in origin->dials */
    struct rqx__origin *origin;
    struct rqx__dial *dial;
    struct rqx__timer surplus;
};

static struct rqx__loop *loop_of(const struct rqx__origin *origin)
{
    return origin->client->engine->loop;
}

static unsigned protocols_of(const struct rqx__origin *origin)
{
    return origin->h1_only ? RQX_PROTO_HTTP1 : origin->protocols;
}

/* Whether the next connection may turn out to carry many streams. */
static bool may_multiplex(const struct rqx__origin *origin)
{
    unsigned protocols = protocols_of(origin);

    if ((protocols & RQX_PROTO_HTTP2) == 0)
        return false;
    if (!origin->secure && (protocols & RQX_PROTO_HTTP1) != 0)
        return false; /* HTTP/2 in clear only with prior knowledge */
    if (rqx__proxy_forwards(origin->proxy, origin->secure))
        return false;
    return !origin->known || origin->multiplexes;
}

static void job_free(struct dial_job *job, bool abandon)
{
    rqx__list_remove(&job->node);
    job->origin->dial_count--;
    rqx__timer_clear(loop_of(job->origin), &job->surplus);
    if (abandon)
        rqx__dial_abandon(job->dial);
    else
        rqx__dial_free(job->dial);
    rqx__free(job);
}

/* ---- who waits for what ---- */

/* Lets the first |count| of the queue wait for a dial and the others for the pool. */
static void mark_waits(struct rqx__origin *origin, size_t count)
{
    struct rqx__list *node;
    struct rqx__list *following;

    RQX__LIST_EACH(&origin->queue, node, following)
    {
        struct rqx__exchange *exchange = RQX__OF(node, struct rqx__exchange, queue_node);
        enum rqx__wait wait = count > 0 ? RQX__WAIT_CONNECT : RQX__WAIT_POOL;

        if (exchange->wait != wait)
            rqx__exchange_waits(exchange, wait);
        if (count > 0)
            count--;
    }
}

/* The same where only the end of the queue can have changed. */
static void mark_new_waits(struct rqx__origin *origin, size_t count)
{
    struct rqx__exchange *last;

    if (rqx__list_empty(&origin->queue))
        return;
    last = RQX__OF(origin->queue.prev, struct rqx__exchange, queue_node);
    if (count >= origin->queued && last->wait != RQX__WAIT_CONNECT)
        rqx__exchange_waits(last, RQX__WAIT_CONNECT);
}

static void fail_waiting(struct rqx__origin *origin, size_t count, const struct rqx__err *err)
{
    struct rqx__list failed;
    struct rqx__list *node;

    rqx__list_init(&failed);
    while (count-- > 0 && (node = rqx__list_pop_front(&origin->queue)) != NULL)
        rqx__list_push_back(&failed, node);
    while ((node = rqx__list_pop_front(&failed)) != NULL) {
        struct rqx__exchange *exchange = RQX__OF(node, struct rqx__exchange, queue_node);

        exchange->origin = NULL;
        origin->queued--;
        origin->client->engine->stats.exchanges_queued--;
        rqx__exchange_dial_failed(exchange, err);
    }
}

/* ---- the end of a dial ---- */

static void dial_succeeded(struct rqx__origin *origin, struct rqx__wire *wire, enum rqx__alpn alpn,
                           const struct rqx__dial_times *times)
{
    struct rqx__conn *conn = NULL;
    struct rqx__err err;
    int rv;

    rqx__err_clear(&err);
    rv = rqx__conn_new(origin, wire, alpn, times, &conn, &err);
    if (rv < 0) {
        rqx__wire_free(wire);
        rqx__pool_slot_free(origin);
        fail_waiting(origin, origin->queued, &err);
        return;
    }
    origin->known = true;
    origin->multiplexes = conn->codec->ops->version == RQX_HTTP_2;
    rqx__list_push_back(&origin->conns, &conn->origin_node);
    origin->conn_count++;
    rqx__pool_conn_changed(conn);
    rqx__pool_serve(origin);
    mark_waits(origin, may_multiplex(origin) && origin->dial_count > 0 ? origin->queued : origin->dial_count);
}

static void dial_failed(struct rqx__origin *origin, const struct rqx__err *err)
{
    rqx__pool_slot_free(origin);
    /* with HTTP/1.1 each dial was for one; otherwise all waited for this one */
    fail_waiting(origin, may_multiplex(origin) ? origin->queued : 1, err);
    rqx__pool_dial(origin);
}

static void dial_done(struct rqx__dial *dial, struct rqx__wire *wire, enum rqx__alpn alpn, const struct rqx__err *err,
                      void *user)
{
    struct dial_job *job = user;
    struct rqx__origin *origin = job->origin;
    struct rqx__dial_times times = *rqx__dial_times(dial);
    struct rqx__err copy;

    if (err != NULL)
        copy = *err;
    job_free(job, false);
    if (err == NULL)
        dial_succeeded(origin, wire, alpn, &times);
    else
        dial_failed(origin, &copy);
    rqx__pool_serve_soon(origin);
}

/* ---- the beginning of a dial ---- */

static void surplus_due(struct rqx__timer *timer, void *user)
{
    struct dial_job *job = user;
    struct rqx__origin *origin = job->origin;

    if (origin->queued != 0) {
        if (rqx__timer_set(loop_of(origin), timer, rqx__clock_after_ms(rqx__loop_now(loop_of(origin)), SURPLUS_MS)) >=
            0)
            return;
    }
    job_free(job, false);
    rqx__pool_slot_free(origin);
    rqx__pool_serve_soon(origin);
}

static rqx_slice text_or_empty(const char *text)
{
    return text == NULL ? (rqx_slice){"", 0} : (rqx_slice){text, strlen(text)};
}

static void fill_target(const struct rqx__origin *origin, struct rqx__dial_target *target)
{
    const rqx_client_options *options = &origin->client->options;

    memset(target, 0, sizeof *target);
    target->host = (rqx_slice){origin->host, origin->host_len};
    target->port = origin->port;
    target->tls = origin->secure ? options->tls : NULL;
    target->server_name = (rqx_slice){origin->server_name, origin->server_name_len};
    target->protocols = protocols_of(origin);
    target->unix_path = text_or_empty(origin->client->unix_path);
    target->socket_options = options->socket_options;
    target->socket_option_count = options->socket_option_count;
    target->address_policy = options->address_policy;
    target->local_address = text_or_empty(origin->client->local_address);
    if (origin->proxy != NULL) {
        target->proxy_host = rqx_url_host(origin->proxy->url);
        target->proxy_port = origin->proxy->port;
        target->proxy_tls = origin->proxy->tls;
        target->route = rqx__proxy_forwards(origin->proxy, origin->secure) ? RQX__ROUTE_DIRECT : origin->proxy->route;
        target->proxy_user = (rqx_slice){origin->proxy->user, origin->proxy->user_len};
        if (origin->proxy->user != NULL)
            target->proxy_password =
                (rqx_slice){origin->proxy->user + origin->proxy->user_len, origin->proxy->password_len};
        target->tunnel_fields = (rqx_slice){origin->proxy->fields, origin->proxy->fields_len};
    }
}

static int start_dial(struct rqx__origin *origin)
{
    struct rqx_engine *engine = origin->client->engine;
    struct dial_job *job = rqx__calloc(1, sizeof *job);
    struct rqx__dial_target target;
    int rv;

    if (job == NULL)
        return RQX_ERR_NOMEM;
    job->origin = origin;
    rqx__timer_init(&job->surplus, surplus_due, job);
    fill_target(origin, &target);
    rv = rqx__engine_resolver(engine);
    if (rv >= 0)
        rv = rqx__timer_set(engine->loop, &job->surplus, rqx__clock_after_ms(rqx__loop_now(engine->loop), SURPLUS_MS));
    if (rv >= 0)
        rv = rqx__dial_new(engine->loop, engine->resolver, &target, dial_done, job, &job->dial);
    if (rv < 0) {
        rqx__timer_clear(engine->loop, &job->surplus);
        rqx__free(job);
        return rv;
    }
    rqx__list_push_back(&origin->dials, &job->node);
    origin->dial_count++;
    origin->client->pool.connections++;
    engine->stats.connections_open++;
    return 0;
}

/* Connections that still take streams, now or later. */
static size_t usable_conns(const struct rqx__origin *origin)
{
    struct rqx__list *node;
    struct rqx__list *following;
    size_t count = 0;

    RQX__LIST_EACH(&origin->conns, node, following)
    {
        struct rqx__conn *conn = RQX__OF(node, struct rqx__conn, origin_node);

        if (!conn->lingering && conn->codec->ops->state(conn->codec) == RQX__CODEC_OPEN)
            count++;
    }
    return count;
}

/* How many dials there should be for those who wait. */
static size_t dials_wanted(const struct rqx__origin *origin)
{
    int64_t limit = origin->client->options.limits.max_connections_per_origin;

    if (origin->queued == 0)
        return 0;
    if (!may_multiplex(origin))
        return origin->queued;
    return limit < 0 || usable_conns(origin) < (size_t)limit ? 1 : 0;
}

void rqx__pool_dial(struct rqx__origin *origin)
{
    size_t wanted = dials_wanted(origin);
    bool started = false;

    while (origin->dial_count < wanted && rqx__pool_make_room(origin)) {
        int rv = start_dial(origin);

        if (rv < 0) {
            struct rqx__err err;

            rqx__err_set(&err, rv, NULL);
            rqx__err_prefix(&err, "connect to %s:%d", origin->host, origin->port);
            fail_waiting(origin, origin->queued, &err);
            return;
        }
        started = true;
    }
    if (origin->queued == 0)
        return;
    if (started)
        mark_waits(origin, may_multiplex(origin) ? origin->queued : origin->dial_count);
    else if (origin->dial_count > 0)
        mark_new_waits(origin, may_multiplex(origin) ? origin->queued : origin->dial_count);
}

void rqx__pool_drop_dials(struct rqx__origin *origin, bool abandon)
{
    while (!rqx__list_empty(&origin->dials)) {
        job_free(RQX__OF(origin->dials.next, struct dial_job, node), abandon);
        if (!abandon)
            rqx__pool_slot_free(origin);
    }
}

struct rqx__dial *rqx__pool_first_dial(const struct rqx__origin *origin)
{
    return rqx__list_empty(&origin->dials) ? NULL : RQX__OF(origin->dials.next, struct dial_job, node)->dial;
}

void rqx__pool_dial_expired(struct rqx__exchange *exchange)
{
    struct rqx__origin *origin = exchange->origin;
    struct dial_job *job;
    uint64_t deadline;

    if (rqx__list_empty(&origin->dials))
        return;
    job = RQX__OF(origin->dials.next, struct dial_job, node);
    deadline = rqx__clock_after_ms(rqx__dial_times(job->dial)->start, exchange->timeouts.connect_ms);
    if (deadline > rqx__loop_now(loop_of(origin)))
        return;
    job_free(job, false);
    rqx__pool_slot_free(origin);
    rqx__pool_serve_soon(origin);
}
