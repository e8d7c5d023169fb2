/*
 * The whole client over wires of memory: the input is a list of calls (submit with every kind of body, read, cancel,
 * close, let go, drive) mixed with what peers send, connections that break, time that goes by and allocations that
 * fail.  Every exchange ends exactly once, counters agree with what is there, no buffer passes its maximum, and in the
 * end nothing is left.
 */
#include "fuzz_world.h"

#include <requestx/requestx.h>

#include "base/mem.h"
#include "client/client.h"
#include "client/conn.h"
#include "client/exchange.h"

#define SLOTS      24
#define MAX_WINDOW (128 * 1024)
#define MAX_BODY   (512 * 1024)
/* How far HTTP/1.1 may get ahead of a reader: its own limit, and a read. */
#define H1_AHEAD (256 * 1024 + RQX__READ_BUFFER)

struct source {
    size_t left;
    size_t size;
    bool waits; /* gives RQX_AGAIN every other time */
    bool waited;
    bool fails;
    int frees;
};

struct slot {
    rqx_response *response; /* NULL: let go of, or never there */
    bool begun;
    bool streamed;
    int dones;
    size_t got;
    struct source source;
    bool has_source;
};

struct play {
    rqx_engine *engine;
    rqx_client *client;
    bool embedded;
    bool pulls;
    bool corked;
    bool client_closed;
    bool failing; /* an allocation was made to fail at some point */
    struct slot slots[SLOTS];
    size_t slot_count;
};

static struct play *play;

/* ---- what the library calls ---- */

static int give(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct source *source = user;
    size_t len = source->left < cap ? source->left : cap;

    FUZZ_ASSERT(source->frees == 0 && cap > 0);
    if (source->fails && source->left < source->size / 2)
        return RQX_ERR_BODY_SOURCE;
    source->waited = source->waits && !source->waited;
    if (source->waited)
        return RQX_AGAIN;
    if (len > 3000)
        len = 3000;
    memset(buffer, 'b', len);
    source->left -= len;
    *ret_len = len;
    *ret_end = source->left == 0;
    return 0;
}

static int rewind_source(void *user)
{
    struct source *source = user;

    FUZZ_ASSERT(source->frees == 0);
    source->left = source->size;
    return 0;
}

static void free_source(void *user)
{
    FUZZ_ASSERT(++((struct source *)user)->frees == 1);
}

static void on_event(rqx_response *response, unsigned what, void *user)
{
    struct slot *slot = user;

    FUZZ_ASSERT(slot->response == response && slot->dones == 0);
    if (what & RQX_EVENT_DONE) {
        slot->dones++;
        FUZZ_ASSERT(rqx_response_done(response));
    }
}

static void take_events(void)
{
    rqx_event events[8];
    int count;
    int i;

    if (!play->pulls)
        return;
    do {
        count = rqx_engine_take(play->engine, events, 8);
        FUZZ_ASSERT(count >= 0 && count <= 8);
        for (i = 0; i < count; i++)
            on_event(events[i].response, events[i].what, events[i].user);
    } while (count == 8);
}

/* ---- what must hold ---- */

static void check_exchange(const struct slot *slot)
{
    const struct rqx__exchange *exchange = slot->response->exchange;
    const struct rqx__conn *conn = exchange->conn;

    FUZZ_ASSERT(exchange->upload.buffer.len <= RQX__UPLOAD_BUFFER);
    FUZZ_ASSERT(exchange->response.body.len <= MAX_BODY || exchange->response.body.max > MAX_BODY);
    if (conn != NULL) {
        FUZZ_ASSERT(conn->out.len <= RQX__OUT_LIMIT && exchange->state == RQX__EXCHANGE_ACTIVE);
        if (slot->streamed)
            FUZZ_ASSERT(exchange->response.body.len <=
                        (conn->codec->ops->version == RQX_HTTP_2 ? (size_t)MAX_WINDOW : (size_t)H1_AHEAD));
    }
    if (rqx_response_done(slot->response)) {
        const rqx_error *error = rqx_response_error(slot->response);

        FUZZ_ASSERT(exchange->conn == NULL && exchange->origin == NULL && error->code <= 0);
        FUZZ_ASSERT(error->code == 0 || error->text[0] != '\0');
        FUZZ_ASSERT(error->code != 0 || rqx_response_status(slot->response) >= 100);
        FUZZ_ASSERT(error->code != RQX_ERR_INTERNAL && (error->code != RQX_ERR_NOMEM || play->failing));
    }
}

static void check(void)
{
    rqx_engine_stats stats;
    size_t open = 0;
    size_t i;

    for (i = 0; i < play->slot_count; i++) {
        const struct slot *slot = &play->slots[i];

        FUZZ_ASSERT(slot->dones <= 1);
        if (slot->response == NULL)
            continue;
        open += !rqx_response_done(slot->response);
        check_exchange(slot);
    }
    rqx_engine_get_stats(play->engine, &stats);
    FUZZ_ASSERT(stats.exchanges_open == open && stats.exchanges_queued <= open);
    FUZZ_ASSERT(stats.connections_open <= WORLD_WIRES + world.dials);
    /* nobody is asked before a foreign loop polls: what is left to do must have rung */
    if (play->embedded && !play->corked && rqx__loop_has_deferred(play->engine->loop))
        FUZZ_ASSERT(world.wake_edge);
}

static void drive(void)
{
    int rv = play->embedded ? rqx_engine_dispatch(play->engine) : rqx_engine_run(play->engine, 0);

    FUZZ_ASSERT(rv == 0 || rv == RQX_AGAIN);
    take_events();
}

/* ---- calls ---- */

static int set_body(struct slot *slot, rqx_request *request, unsigned how, size_t size)
{
    static const char bytes[70000];
    bool announced = how & 8;
    int rv;

    switch (how & 7) {
    case 1:
        return rqx_request_set_body(request, bytes, size);
    case 2:
        rv = rqx_request_set_body_borrowed(request, bytes, size, free_source, &slot->source);
        slot->has_source = rv == 0;
        return rv;
    case 3:
    case 4:
        slot->source = (struct source){.left = size, .size = size, .waits = how & 16, .fails = how & 32};
        rv = rqx_request_set_body_callback(request, give, (how & 7) == 3 ? rewind_source : NULL,
                                           announced ? (int64_t)size : RQX_LENGTH_UNKNOWN, free_source, &slot->source);
        slot->has_source = rv == 0;
        return rv;
    case 5:
        rqx_request_set_body_push(request, announced ? (int64_t)size : RQX_LENGTH_UNKNOWN);
        return 0;
    default:
        return 0;
    }
}

static int set_fields(rqx_request *request, unsigned how)
{
    static const char *const fields[8][2] = {
        {"X-A", "b"},           {"Expect", "100-continue"}, {"Authorization", "Basic abc"}, {"Cookie", "a=b"},
        {"Host", "other.host"}, {"TE", "trailers"},         {"Connection", "close"},        {"Content-Length", "5"},
    };
    int rv = 0;
    size_t i;

    for (i = 0; i < 8 && rv == 0; i++) {
        if (how >> i & 1)
            rv = rqx_headers_add(rqx_request_headers(request), fields[i][0], strlen(fields[i][0]), fields[i][1],
                                 strlen(fields[i][1]));
    }
    return rv;
}

static int make_request(struct slot *slot, struct fuzz_in *in, rqx_request **ret_request)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE", "GET", "PATCH"};
    static const char *const urls[] = {"https://a.example/",      "http://a.example/x?y#z", "https://b.example:8443/",
                                       "http://127.0.0.1:81/p/q", "https://u:p@a.example/", "http://[::1]/",
                                       "https://a.example/next",  "http://c.example/"};
    unsigned what = fuzz_u8(in);
    unsigned how = fuzz_u8(in);
    unsigned body = fuzz_u8(in);
    size_t size = (size_t)fuzz_u8(in) * 250;
    rqx_timeouts timeouts = {.connect_ms = RQX_TIMEOUT_UNSET,
                             .read_ms = RQX_TIMEOUT_UNSET,
                             .write_ms = RQX_TIMEOUT_UNSET,
                             .pool_ms = RQX_TIMEOUT_UNSET,
                             .total_ms = 3000,
                             .stall_rate = how & 128 ? 1000 : 0,
                             .stall_ms = 500};
    int rv = rqx_request_new_text(methods[what & 7], urls[what >> 3 & 7], ret_request);

    if (rv < 0)
        return rv;
    rv = set_body(slot, *ret_request, body, size);
    if (rv == 0 && (what & 64))
        rv = set_fields(*ret_request, fuzz_u8(in));
    slot->streamed = how & 1;
    rqx_request_set_streamed(*ret_request, how & 1);
    rqx_request_set_interim(*ret_request, how >> 1 & 1);
    if (how & 4)
        rqx_request_set_timeouts(*ret_request, &timeouts);
    if (how & 8)
        rqx_request_set_max_body(*ret_request, MAX_BODY / 8);
    if (how & 16)
        rqx_request_set_max_redirects(*ret_request, 0);
    if (how & 32)
        rqx_request_set_protocols(*ret_request, how & 64 ? RQX_PROTO_HTTP1 : RQX_PROTO_HTTP2);
    if (!play->pulls)
        rqx_request_set_callback(*ret_request, on_event);
    return rv;
}

static void submit(struct fuzz_in *in)
{
    struct slot *slot = &play->slots[play->slot_count];
    rqx_request *request = NULL;
    int rv;

    if (play->slot_count == SLOTS)
        return;
    play->slot_count++;
    world.dial_plan = fuzz_u8(in);
    rv = make_request(slot, in, &request);
    if (rv == 0)
        rv = rqx_client_submit(play->client, request, slot, &slot->response);
    FUZZ_ASSERT(rv == 0 || slot->response == NULL);
    FUZZ_ASSERT(rv == 0 || rv == RQX_ERR_NOMEM || rv == RQX_ERR_REQUEST_LENGTH || rv == RQX_ERR_INVALID_FIELD ||
                (rv == RQX_ERR_CLOSED && play->client_closed));
    slot->begun = rv == 0;
    rqx_request_unref(request);
}

static void read_some(struct slot *slot, unsigned how)
{
    char buffer[5000];
    size_t cap = how & 0x7f ? (how & 0x7f) * 39 : 1;
    size_t len = 99;
    int rv = slot->got != 0 || (how & 0x80) == 0 ? rqx_response_read_raw(slot->response, buffer, cap, &len)
                                                 : rqx_response_read(slot->response, buffer, cap, &len);

    FUZZ_ASSERT(len <= cap && (rv == 0 || len == 0));
    FUZZ_ASSERT(slot->streamed || rv == RQX_ERR_STATE);
    slot->got += len;
    if (rv < 0 && slot->streamed)
        FUZZ_ASSERT(rqx_response_done(slot->response) || rv == RQX_ERR_DECODING || rv == RQX_ERR_DECODED_TOO_LARGE ||
                    rv == RQX_ERR_NOMEM);
}

static void write_some(struct slot *slot, unsigned how)
{
    static const char bytes[40000];
    size_t taken = 1;
    size_t len = (how & 0x7f) * 300;
    int rv = how & 0x80 ? rqx_response_end_body(slot->response)
                        : rqx_response_write_body(slot->response, bytes, len, &taken);

    FUZZ_ASSERT(rv <= RQX_AGAIN && ((how & 0x80) || taken <= len));
}

static void look_at(struct slot *slot)
{
    rqx_headers *headers = NULL;
    rqx_timings timings;
    rqx_slice body;
    int status;
    int rv;

    while (rqx_response_next_interim(slot->response, &status, &headers) == 0) {
        FUZZ_ASSERT(status >= 100 && status < 200);
        rqx_headers_free(headers);
        headers = NULL;
    }
    rqx_response_timings(slot->response, &timings);
    FUZZ_ASSERT(timings.total_us >= timings.first_byte_us || !rqx_response_done(slot->response));
    rv = rqx_response_body(slot->response, &body);
    FUZZ_ASSERT(rqx_response_done(slot->response) || rv == RQX_ERR_STATE);
    FUZZ_ASSERT(rv != 0 || body.data != NULL);
}

static void let_go(struct slot *slot)
{
    rqx_response *response = slot->response;

    slot->response = NULL; /* no event may come for it from here on */
    rqx_response_unref(response);
}

static void use(struct slot *slot, unsigned what, struct fuzz_in *in)
{
    if (slot->response == NULL)
        return;
    switch (what) {
    case 0:
        rqx_response_cancel(slot->response);
        FUZZ_ASSERT(rqx_response_done(slot->response));
        break;
    case 1:
        rqx_response_close(slot->response);
        FUZZ_ASSERT(rqx_response_done(slot->response));
        break;
    case 2:
        let_go(slot);
        break;
    case 3:
        look_at(slot);
        break;
    case 4:
        rqx_response_resume_body(slot->response);
        break;
    case 5:
        write_some(slot, fuzz_u8(in));
        break;
    default:
        read_some(slot, fuzz_u8(in));
        break;
    }
}

/* ---- peers ---- */

static void h1_answer(struct world_wire *wire, struct fuzz_in *in)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "5\r\nagain\r\n",
        "0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 3\r\n\r\nbye",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 421 Misdirected Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nuntil the end",
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://b.example/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n",
        "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nno",
    };
    unsigned which = fuzz_u8(in);
    struct fuzz_in bytes;

    if ((which & 15) < 15) {
        fuzz_log_add(&wire->peer.to_client, answers[which & 15], strlen(answers[which & 15]));
        return;
    }
    bytes = fuzz_take(in, which >> 4 << 2);
    fuzz_log_add(&wire->peer.to_client, bytes.data, bytes.len);
}

static void bulk(struct world_wire *wire, unsigned how)
{
    static const char zeros[32768];

    if (!wire->h2)
        fuzz_log_add(&wire->peer.to_client, zeros, (size_t)how * 128);
}

static void greet(struct world_wire *wire)
{
    static const uint8_t none[6];

    if (wire->used)
        return;
    wire->used = true;
    wire->peer.settings_out[wire->peer.settings_waiting++] = 65535;
    peer2_frame(&wire->peer, FRAME_SETTINGS, 0, 0, none, 0);
}

static void peer_acts(struct world_wire *wire, unsigned what, struct fuzz_in *in)
{
    unsigned how;

    if (wire == NULL || wire->ended || wire->reset)
        return;
    switch (what) {
    case 0:
        wire->ended = true;
        break;
    case 1:
        wire->reset = true;
        break;
    case 2:
        how = fuzz_u8(in);
        wire->room = how == 0 ? 0 : how < 128 ? how * 50 : SIZE_MAX;
        break;
    case 3:
        bulk(wire, fuzz_u8(in));
        break;
    default:
        if (!wire->known)
            break; /* nobody asked for anything yet */
        if (wire->h2) {
            greet(wire);
            peer2_act(&wire->peer, in);
        } else {
            h1_answer(wire, in);
        }
        break;
    }
}

static struct world_wire *wire_at(unsigned which)
{
    struct world_wire *found = NULL;
    size_t i;

    /* the |which|-th of those that are there, going round */
    for (i = 0; i < world.wire_count; i++) {
        if (world.wires[i] != NULL) {
            found = world.wires[i];
            if (which-- == 0)
                break;
        }
    }
    return found;
}

/* ---- the rest ---- */

static void pass_time(unsigned how)
{
    world.now += (how < 128 ? how : (uint64_t)(how - 127) * 100) * RQX__NS_PER_MS;
}

static void rare(unsigned what, struct fuzz_in *in)
{
    switch (what) {
    case 0:
        rqx_client_close(play->client);
        play->client_closed = true;
        break;
    case 1:
        rqx__mem_fail_at(fuzz_u8(in) + 1, 0);
        play->failing = true;
        break;
    case 2:
        if (play->embedded && !play->corked) {
            FUZZ_ASSERT(rqx_engine_cork(play->engine) == 0);
            play->corked = true;
        }
        break;
    case 3:
        if (play->corked) {
            play->corked = false;
            FUZZ_ASSERT(rqx_engine_uncork(play->engine) == 0);
        }
        break;
    case 4:
        if (play->corked && play->pulls)
            FUZZ_ASSERT(rqx_engine_collect(play->engine, 50) >= 0);
        break;
    case 5:
        take_events();
        break;
    default:
        pass_time(fuzz_u8(in));
        break;
    }
}

static void act(struct fuzz_in *in)
{
    unsigned op = fuzz_u8(in);
    unsigned which = op >> 4;
    struct slot *slot = &play->slots[play->slot_count == 0 ? 0 : which % play->slot_count];

    switch (op & 15) {
    case 0:
    case 1:
        submit(in);
        break;
    case 2:
    case 3:
    case 4:
        drive();
        break;
    case 5:
        use(slot, which & 7, in);
        break;
    case 6:
    case 7:
        use(slot, 6, in);
        break;
    case 8:
        use(slot, 5, in);
        break;
    case 9:
        use(slot, fuzz_u8(in) & 7, in);
        break;
    case 10:
        rare(which, in);
        break;
    case 11:
        peer_acts(wire_at(which & 3), which >> 2, in);
        break;
    default:
        peer_acts(wire_at(which), 4, in);
        if (op & 1)
            drive();
        break;
    }
    check();
}

/* ---- life ---- */

static bool start(struct fuzz_in *in)
{
    unsigned how = fuzz_u8(in);
    rqx_engine_options engine;
    rqx_client_options client;
    bool started;

    rqx_engine_options_init(&engine);
    rqx_client_options_init(&client);
    play->embedded = how & 1;
    play->pulls = how & 2;
    engine.mode = play->embedded ? RQX_MODE_EMBEDDED : RQX_MODE_SYNC;
    engine.pull_events = play->pulls;
    client.trust_env = 0;
    client.max_redirects = 3;
    client.connect_retries = how & 4 ? 2 : 0;
    client.max_window = MAX_WINDOW;
    client.max_decoded = MAX_BODY;
    client.protocols = how & 8 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2;
    client.limits.max_connections = how & 16 ? 2 : 10;
    client.limits.max_streams = how & 32 ? 3 : RQX_LIMIT_NONE;
    client.limits.max_connections_per_origin = how & 64 ? 3 : 1;
    if (how & 128) {
        FUZZ_ASSERT(rqx_retry_new(NULL, &client.retry) == 0);
        FUZZ_ASSERT(rqx_cookies_new(&client.cookies) == 0);
    }
    started = rqx_engine_new(&engine, &play->engine) == 0 && rqx_client_new(play->engine, &client, &play->client) == 0;
    rqx_retry_unref(client.retry);
    rqx_cookies_unref(client.cookies);
    return started;
}

static void finish(void)
{
    size_t i;

    rqx__mem_fail_at(0, 0);
    if (play->corked)
        FUZZ_ASSERT(rqx_engine_uncork(play->engine) == 0);
    play->corked = false;
    for (i = 0; i < 3; i++)
        drive();
    check();
    rqx_client_close(play->client);
    for (i = 0; i < 50 && (i < 3 || rqx__loop_has_deferred(play->engine->loop)); i++)
        drive();
    check();
    for (i = 0; i < play->slot_count; i++) {
        struct slot *slot = &play->slots[i];

        if (slot->response == NULL)
            continue;
        FUZZ_ASSERT(rqx_response_done(slot->response) && slot->dones == 1);
        let_go(slot);
    }
    rqx_client_unref(play->client);
    rqx_engine_unref(play->engine);
    for (i = 0; i < play->slot_count; i++)
        FUZZ_ASSERT(play->slots[i].source.frees == (play->slots[i].has_source ? 1 : 0));
    for (i = 0; i < world.wire_count; i++)
        FUZZ_ASSERT(world.wires[i] == NULL);
    FUZZ_ASSERT(world.dials == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size < 2000 ? size : 2000};

    memset(&world, 0, sizeof world);
    world.now = 1000000 * RQX__NS_PER_MS;
    play = calloc(1, sizeof *play);
    FUZZ_ASSERT(play != NULL && start(&in));
    while (in.len > 0)
        act(&in);
    finish();
    free(play);
    return 0;
}
