/*
 * check_conn.c - a connection between a wire and a codec that are not real: how much of a dispatch it takes for itself,
 * and by what it goes on.
 */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <requestx/requestx.h>

#include "base/clock.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/exchange.h"

#define TURN ((size_t)RQX__WRITE_BUDGET)
#define MANY (100 * TURN)

/* Wires as conn.c sees them: one that takes all, one of records, one that has work of its own. */
enum kind { PLAIN = 0, RECORDS, TUNNEL, KINDS };

/* One connection and what it stands between. */
struct side {
    struct rqx__wire wire; /* first */
    struct rqx__codec codec;
    struct rqx__conn *conn;
    enum kind kind;
    int peer;        /* the other end of the wire's socket, for readiness alone */
    size_t room;     /* bytes that the wire takes before it is full */
    size_t written;  /* that it took */
    size_t tries;    /* calls of write() */
    size_t reads;    /* calls of read() */
    size_t pumps;    /* calls of pump() */
    size_t buffered; /* bytes that it has for the reader without the socket */
    size_t to_send;  /* bytes that the codec has */
    size_t received; /* that it was given */
    bool freed;
};

struct fixture {
    rqx_engine *engine;
    rqx_client *client;
    struct rqx__origin origin;
    struct side sides[2];
};

/* ---- the wire ---- */

static struct side *side_of_wire(const struct rqx__wire *wire)
{
    return (struct side *)(uintptr_t)wire;
}

static int wire_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    struct side *side = side_of_wire(wire);
    ssize_t got;

    (void)err;
    side->reads++;
    if (side->buffered > 0) {
        *ret_len = side->buffered < cap ? side->buffered : cap;
        side->buffered -= *ret_len;
        memset(buffer, 'x', *ret_len);
        return 0;
    }
    got = recv(wire->fd, buffer, cap, 0);
    if (got < 0)
        return RQX_AGAIN;
    *ret_len = (size_t)got;
    return 0;
}

static int wire_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    struct side *side = side_of_wire(wire);
    size_t most = side->kind == RECORDS ? 16 * 1024 : SIZE_MAX;

    (void)data;
    (void)err;
    side->tries++;
    if (len > most)
        len = most;
    if (len > side->room)
        len = side->room;
    if (len == 0)
        return RQX_AGAIN;
    side->room -= len;
    side->written += len;
    *ret_len = len;
    return 0;
}

static bool wire_has_buffered(const struct rqx__wire *wire)
{
    return side_of_wire(wire)->buffered > 0;
}

/* A tunnel's write waits for credit, which comes as something to read. */
static unsigned wire_wants(const struct rqx__wire *wire)
{
    return side_of_wire(wire)->kind == TUNNEL ? RQX__IO_READ : RQX__IO_WRITE;
}

static void wire_pump(struct rqx__wire *wire)
{
    side_of_wire(wire)->pumps++;
}

static void wire_shutdown(struct rqx__wire *wire)
{
    (void)wire;
}

static void wire_free(struct rqx__wire *wire)
{
    close(wire->fd);
    side_of_wire(wire)->freed = true;
}

static const struct rqx__wire_ops wire_ops = {
    .name = "test",
    .read = wire_read,
    .write = wire_write,
    .has_buffered = wire_has_buffered,
    .wants = wire_wants,
    .shutdown = wire_shutdown,
    .free = wire_free,
};

static const struct rqx__wire_ops tunnel_ops = {
    .name = "test-tunnel",
    .read = wire_read,
    .write = wire_write,
    .has_buffered = wire_has_buffered,
    .wants = wire_wants,
    .shutdown = wire_shutdown,
    .free = wire_free,
    .pump = wire_pump,
};

/* ---- the codec ---- */

static struct side *side_of_codec(const struct rqx__codec *codec)
{
    return RQX__OF((uintptr_t)codec, struct side, codec);
}

static int codec_recv(struct rqx__codec *codec, const uint8_t *data, size_t len, struct rqx__err *err)
{
    (void)data;
    (void)err;
    side_of_codec(codec)->received += len;
    return 0;
}

static int codec_send(struct rqx__codec *codec, struct rqx__buf *out, size_t limit, struct rqx__err *err)
{
    static const uint8_t bytes[RQX__OUT_LIMIT];
    struct side *side = side_of_codec(codec);
    size_t len = side->to_send < limit - out->len ? side->to_send : limit - out->len;

    (void)err;
    side->to_send -= len;
    return rqx__buf_append(out, bytes, len);
}

static bool codec_want_recv(const struct rqx__codec *codec)
{
    (void)codec;
    return true;
}

static size_t codec_capacity(const struct rqx__codec *codec)
{
    (void)codec;
    return 0;
}

static enum rqx__codec_state codec_state(const struct rqx__codec *codec)
{
    (void)codec;
    return RQX__CODEC_OPEN;
}

static void codec_fail(struct rqx__codec *codec, const struct rqx__err *err)
{
    (void)err;
    codec->open_streams = 0;
}

static uint64_t codec_next_deadline(const struct rqx__codec *codec)
{
    (void)codec;
    return RQX__NEVER;
}

static void codec_nothing(struct rqx__codec *codec)
{
    (void)codec;
}

static const struct rqx__codec_ops codec_ops = {
    .name = "test",
    .recv = codec_recv,
    .send = codec_send,
    .want_recv = codec_want_recv,
    .capacity = codec_capacity,
    .state = codec_state,
    .fail = codec_fail,
    .shutdown = codec_nothing,
    .next_deadline = codec_next_deadline,
    .free = codec_nothing,
};

/* ---- the connection ---- */

/* Has the wire's socket take no more, so that no readiness to write can come. */
static void fill_socket(int fd)
{
    static const uint8_t bytes[64 * 1024];

    while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

static void drain_socket(const struct side *side)
{
    static uint8_t bytes[64 * 1024];

    while (recv(side->peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

static void make_origin(struct fixture *fixture)
{
    struct rqx__origin *origin = &fixture->origin;

    rqx__list_init(&origin->conns);
    rqx__list_init(&origin->ready);
    rqx__list_init(&origin->dials);
    rqx__list_init(&origin->queue);
    rqx__list_init(&origin->starving_node);
    rqx__list_init(&origin->service_node);
    origin->client = fixture->client;
    origin->host = "host.test";
    origin->host_len = 9;
    origin->port = 80;
    origin->protocols = RQX_PROTO_HTTP1;
    origin->h1_only = true; /* worth remembering: the pool, which does not have it, leaves it alone */
}

static void set_up(struct fixture *fixture, rqx_mode mode)
{
    rqx_engine_options options;
    rqx_client_options client_options;

    memset(fixture, 0, sizeof *fixture);
    rqx_engine_options_init(&options);
    options.mode = mode;
    options.pull_events = 1;
    ck_assert_int_eq(rqx_engine_new(&options, &fixture->engine), 0);
    rqx_client_options_init(&client_options);
    client_options.trust_env = 0;
    ck_assert_int_eq(rqx_client_new(fixture->engine, &client_options, &fixture->client), 0);
    make_origin(fixture);
}

/* A connection of |kind| with |to_send| bytes to upload, whose socket is full. */
static struct side *connect_side(struct fixture *fixture, int which, enum kind kind, size_t to_send)
{
    struct side *side = &fixture->sides[which];
    struct rqx__dial_times times = {0};
    struct rqx__err err;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    fill_socket(ends[0]);
    side->peer = ends[1];
    side->kind = kind;
    side->room = SIZE_MAX;
    side->to_send = to_send;
    side->wire = (struct rqx__wire){.ops = kind == TUNNEL ? &tunnel_ops : &wire_ops, .fd = ends[0]};
    side->codec = (struct rqx__codec){.ops = &codec_ops, .open_streams = 1};
    ck_assert_int_eq(rqx__engine_lock(fixture->engine), 0);
    ck_assert_int_eq(rqx__conn_new(&fixture->origin, &side->wire, RQX__ALPN_HTTP1, &times, &side->conn, &err), 0);
    side->conn->codec->ops->free(side->conn->codec);
    side->conn->codec = &side->codec;
    rqx__list_push_back(&fixture->origin.conns, &side->conn->origin_node);
    fixture->origin.conn_count++;
    fixture->client->pool.connections++;
    fixture->engine->stats.connections_open++;
    rqx__engine_unlock_quiet(fixture->engine);
    return side;
}

static void kick(struct fixture *fixture, struct side *side)
{
    ck_assert_int_eq(rqx__engine_lock(fixture->engine), 0);
    rqx__conn_kick(side->conn);
    rqx__engine_unlock(fixture->engine);
}

static void close_side(struct fixture *fixture, struct side *side)
{
    struct rqx__err err;

    if (side->conn == NULL)
        return;
    ck_assert_int_eq(rqx__engine_lock(fixture->engine), 0);
    rqx__err_set(&err, RQX_ERR_CANCELLED, NULL);
    side->room = 0;
    rqx__conn_close(side->conn, &err);
    rqx__engine_unlock(fixture->engine);
    ck_assert(side->freed);
    close(side->peer);
    side->conn = NULL;
}

static void tear_down(struct fixture *fixture)
{
    close_side(fixture, &fixture->sides[0]);
    close_side(fixture, &fixture->sides[1]);
    ck_assert_int_eq(rqx__engine_lock(fixture->engine), 0);
    rqx__loop_run_deferred(fixture->engine->loop); /* the pool's part of it, while the origin is there */
    rqx__engine_unlock(fixture->engine);
    ck_assert_uint_eq(fixture->origin.conn_count, 0);
    rqx_client_unref(fixture->client);
    rqx_engine_unref(fixture->engine);
}

/* Whether a foreign loop would come back to the engine at once. */
static bool calls(const struct fixture *fixture)
{
    struct pollfd entry = {.fd = rqx_engine_fd(fixture->engine), .events = POLLIN};

    return poll(&entry, 1, 0) == 1;
}

/* ---- turns ---- */

START_TEST(an_upload_goes_on_turn_by_turn_without_readiness)
{
    struct fixture fixture;
    struct side *side;
    size_t turn;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, 3 * TURN + 5);
    for (turn = 1; turn <= 3; turn++) {
        ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
        ck_assert_uint_eq(side->written, turn * TURN);
        ck_assert_uint_eq(side->conn->watch.interest, RQX__IO_READ);
        ck_assert(!side->conn->write_blocked);
        ck_assert(calls(&fixture));
    }
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, 3 * TURN + 5);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert(!calls(&fixture));
    tear_down(&fixture);
}
END_TEST

START_TEST(a_turn_that_is_just_enough_is_the_last)
{
    struct fixture fixture;
    struct side *side;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, TURN);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, TURN);
    tear_down(&fixture);
}
END_TEST

/* However often it is given something to do: new requests, credit, settings. */
START_TEST(a_dispatch_is_one_turn)
{
    struct fixture fixture;
    struct side *side;
    size_t turn;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, MANY);
    for (turn = 1; turn <= 5; turn++) {
        ck_assert_int_eq(send(side->peer, "!", 1, 0), 1);
        kick(&fixture, side);
        ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
        ck_assert_uint_eq(side->written, turn * TURN);
        ck_assert_uint_eq(side->received, turn);
    }
    tear_down(&fixture);
}
END_TEST

START_TEST(two_uploads_take_turns)
{
    struct fixture fixture;
    struct side *one;
    struct side *other;
    size_t turn;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    one = connect_side(&fixture, 0, (enum kind)_i, MANY);
    other = connect_side(&fixture, 1, PLAIN, MANY);
    for (turn = 1; turn <= 5; turn++) {
        ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
        ck_assert_uint_eq(one->written, turn * TURN);
        ck_assert_uint_eq(other->written, turn * TURN);
    }
    tear_down(&fixture);
}
END_TEST

/* What comes on another connection while an upload runs is read in the next dispatch, and answered there. */
START_TEST(an_upload_lets_others_through)
{
    struct fixture fixture;
    struct side *upload;
    struct side *other;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    upload = connect_side(&fixture, 0, (enum kind)_i, MANY);
    other = connect_side(&fixture, 1, PLAIN, 0);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_int_eq(send(other->peer, "news", 4, 0), 4);
    other->to_send = 7;
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_uint_eq(other->received, 4);
    ck_assert_uint_eq(other->written, 7);
    ck_assert_uint_eq(upload->written, 2 * TURN);
    tear_down(&fixture);
}
END_TEST

START_TEST(who_waits_for_nothing_else_does_not_sleep_between_turns)
{
    struct fixture fixture;
    struct side *side;

    set_up(&fixture, RQX_MODE_SYNC);
    side = connect_side(&fixture, 0, (enum kind)_i, 10 * TURN);
    ck_assert_int_eq(rqx_engine_run(fixture.engine, 0), RQX_AGAIN);
    ck_assert_uint_lt(side->written, 10 * TURN);
    while (side->written < 10 * TURN) {
        size_t before = side->written;

        ck_assert_int_eq(rqx_engine_run(fixture.engine, 0), RQX_AGAIN);
        ck_assert_uint_eq(side->written, before + TURN);
    }
    /* nor is what others do meanwhile lost: work done between two polls leaves the turn where it was */
    side->to_send = 3 * TURN;
    kick(&fixture, side);
    ck_assert_uint_eq(side->written, 11 * TURN);
    kick(&fixture, side);
    ck_assert_uint_eq(side->written, 11 * TURN);
    ck_assert_int_eq(rqx_engine_run(fixture.engine, 0), RQX_AGAIN);
    ck_assert_uint_eq(side->written, 12 * TURN);
    tear_down(&fixture);
}
END_TEST

START_TEST(a_connection_is_closed_between_turns)
{
    struct fixture fixture;
    struct side *side;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, MANY);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    close_side(&fixture, side);
    ck_assert_uint_eq(side->written, TURN);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    tear_down(&fixture);
}
END_TEST

/* ---- full sockets ---- */

/* What a write of this kind waits for comes. */
static void unblock(struct side *side)
{
    side->room = SIZE_MAX;
    if (side->kind == TUNNEL)
        ck_assert_int_eq(send(side->peer, "!", 1, 0), 1);
    else
        drain_socket(side);
}

static unsigned blocked_interest(const struct side *side)
{
    return side->kind == TUNNEL ? RQX__IO_READ : RQX__IO_READ | RQX__IO_WRITE;
}

START_TEST(a_full_socket_is_waited_for)
{
    struct fixture fixture;
    struct side *side;
    size_t tries;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, TURN / 2);
    side->room = 1000;
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, 1000);
    ck_assert(side->conn->write_blocked);
    ck_assert_uint_eq(side->conn->watch.interest, blocked_interest(side));
    /* nothing that happens otherwise has it tried again */
    tries = side->tries;
    kick(&fixture, side);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->tries, tries);
    ck_assert(!calls(&fixture));
    unblock(side);
    ck_assert(calls(&fixture));
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, TURN / 2);
    ck_assert_uint_eq(side->conn->watch.interest, RQX__IO_READ);
    tear_down(&fixture);
}
END_TEST

/* The turn is over, and the next one finds the socket full: then that counts. */
START_TEST(a_socket_fills_up_between_turns)
{
    struct fixture fixture;
    struct side *side;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, 3 * TURN);
    side->room = TURN;
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_uint_eq(side->written, TURN);
    ck_assert(!side->conn->write_blocked);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, TURN);
    ck_assert(side->conn->write_blocked);
    ck_assert_uint_eq(side->conn->watch.interest, blocked_interest(side));
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert(!calls(&fixture));
    unblock(side);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_uint_eq(side->written, 2 * TURN);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, 3 * TURN);
    tear_down(&fixture);
}
END_TEST

START_TEST(one_waits_while_another_has_its_turns)
{
    struct fixture fixture;
    struct side *blocked;
    struct side *other;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    blocked = connect_side(&fixture, 0, (enum kind)_i, 2 * TURN);
    other = connect_side(&fixture, 1, (enum kind)_i, MANY);
    blocked->room = 10;
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_uint_eq(blocked->written, 10);
    ck_assert_uint_eq(other->written, 2 * TURN);
    unblock(blocked);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_uint_ge(blocked->written, 10 + TURN);
    ck_assert_uint_lt(blocked->written, 10 + TURN + RQX__OUT_LIMIT); /* what was begun is written out */
    ck_assert_uint_eq(other->written, 3 * TURN);
    tear_down(&fixture);
}
END_TEST

/* ---- reading beside it ---- */

START_TEST(reading_has_turns_of_its_own)
{
    struct fixture fixture;
    struct side *side;
    size_t turn;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, 3 * TURN);
    side->buffered = 3 * (size_t)RQX__READ_BUDGET;
    side->conn->read_again = true; /* as after a read that left them there */
    for (turn = 1; turn <= 2; turn++) {
        ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
        ck_assert_uint_eq(side->written, turn * TURN);
        ck_assert_uint_eq(side->received, turn * RQX__READ_BUDGET);
    }
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->written, 3 * TURN);
    ck_assert_uint_eq(side->received, 3 * (size_t)RQX__READ_BUDGET);
    tear_down(&fixture);
}
END_TEST

/* Reading goes on while the socket takes nothing, and tries no write, unless what was read may be the credit for it. */
START_TEST(reading_goes_on_while_a_write_waits)
{
    struct fixture fixture;
    struct side *side;
    size_t tries;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, TURN);
    side->room = 10;
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    tries = side->tries;
    side->buffered = (size_t)RQX__READ_BUDGET + 1;
    side->conn->read_again = true;
    kick(&fixture, side);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), RQX_AGAIN);
    ck_assert_uint_eq(side->received, RQX__READ_BUDGET);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->received, (size_t)RQX__READ_BUDGET + 1);
    ck_assert_uint_eq(side->tries - tries, side->kind == TUNNEL ? 2 : 0);
    ck_assert(side->conn->write_blocked);
    tear_down(&fixture);
}
END_TEST

/* How often the wire is asked when a piece of |len| bytes comes. */
static size_t reads_for(struct fixture *fixture, struct side *side, size_t len)
{
    static const uint8_t bytes[16 * 1024];
    size_t before = side->reads;
    size_t received = side->received;

    ck_assert_int_eq(send(side->peer, bytes, len, 0), (ssize_t)len);
    ck_assert_int_eq(rqx_engine_dispatch(fixture->engine), 0);
    ck_assert_uint_eq(side->received, received + len);
    return side->reads - before;
}

static void collect(struct fixture *fixture, unsigned longest_us)
{
    ck_assert_int_eq(rqx_engine_cork(fixture->engine), 0);
    ck_assert_int_eq(rqx_engine_collect(fixture->engine, longest_us), 0);
    ck_assert_int_eq(rqx_engine_uncork(fixture->engine), 0);
}

/* The next response is looked for where several are under way, and nobody waits for them in another way. */
START_TEST(more_is_looked_for_unless_it_is_collected)
{
    struct fixture fixture;
    struct side *side;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, (enum kind)_i, 0);
    ck_assert_uint_eq(reads_for(&fixture, side, 100), 1);
    side->codec.open_streams = 2;
    ck_assert_uint_eq(reads_for(&fixture, side, 100), 2);
    collect(&fixture, 100);
    ck_assert_uint_eq(reads_for(&fixture, side, 100), 1);
    ck_assert_uint_eq(reads_for(&fixture, side, 16 * 1024), 2); /* of a download, of which there is more */
    collect(&fixture, 0);
    ck_assert_uint_eq(reads_for(&fixture, side, 100), 2);
    tear_down(&fixture);
}
END_TEST

START_TEST(a_layer_with_work_of_its_own_has_it_done_when_ready)
{
    struct fixture fixture;
    struct side *side;

    set_up(&fixture, RQX_MODE_EMBEDDED);
    side = connect_side(&fixture, 0, TUNNEL, 0);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->pumps, 0);
    ck_assert_int_eq(send(side->peer, "!", 1, 0), 1);
    ck_assert_int_eq(rqx_engine_dispatch(fixture.engine), 0);
    ck_assert_uint_eq(side->pumps, 1);
    ck_assert_uint_eq(side->received, 1);
    tear_down(&fixture);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("conn");
    TCase *tcase = rqx_add_case(suite, "turns");

    tcase_add_loop_test(tcase, an_upload_goes_on_turn_by_turn_without_readiness, 0, KINDS);
    tcase_add_loop_test(tcase, a_turn_that_is_just_enough_is_the_last, 0, KINDS);
    tcase_add_loop_test(tcase, a_dispatch_is_one_turn, 0, KINDS);
    tcase_add_loop_test(tcase, two_uploads_take_turns, 0, KINDS);
    tcase_add_loop_test(tcase, an_upload_lets_others_through, 0, KINDS);
    tcase_add_loop_test(tcase, who_waits_for_nothing_else_does_not_sleep_between_turns, 0, KINDS);
    tcase_add_loop_test(tcase, a_connection_is_closed_between_turns, 0, KINDS);
    tcase = rqx_add_case(suite, "full sockets");
    tcase_add_loop_test(tcase, a_full_socket_is_waited_for, 0, KINDS);
    tcase_add_loop_test(tcase, a_socket_fills_up_between_turns, 0, KINDS);
    tcase_add_loop_test(tcase, one_waits_while_another_has_its_turns, 0, KINDS);
    tcase = rqx_add_case(suite, "reading");
    tcase_add_loop_test(tcase, reading_has_turns_of_its_own, 0, KINDS);
    tcase_add_loop_test(tcase, reading_goes_on_while_a_write_waits, 0, KINDS);
    tcase_add_loop_test(tcase, more_is_looked_for_unless_it_is_collected, 0, KINDS);
    tcase_add_test(tcase, a_layer_with_work_of_its_own_has_it_done_when_ready);
    return suite;
}

RQX_CHECK_MAIN(make_suite)
