/*
 * fuzz_world.h - what the client layer stands on, made of memory alone: a clock that goes when it is told to, a poller
 * and a wake-up without descriptors, and dials that end in wires whose other end the input holds.
 *
 * It defines the functions of base/clock.c, loop/poller_epoll.c, loop/wake.c, net/dial.c and net/tls_facts.c: a program
 * that includes it is linked with these in their place.  Nothing here allocates through base/mem.h, so that the n-th
 * allocation that is made to fail is the library's.
 */
#ifndef RQX_TESTS_FUZZ_FUZZ_WORLD_H
#define RQX_TESTS_FUZZ_FUZZ_WORLD_H

#include "fuzz_peer2.h"

#include <requestx/client.h>
#include <requestx/error.h>

#include "base/clock.h"
#include "base/str.h"
#include "loop/poller.h"
#include "loop/wake.h"
#include "net/dial.h"

#define WORLD_WIRES   48
#define WORLD_ENTRIES (WORLD_WIRES + 4)
#define WORLD_FD      1000000 /* of the first wire: no descriptor has such a number */
#define WORLD_WAKE_FD (WORLD_FD - 1)
#define WORLD_POLL_FD (WORLD_FD - 2)

struct world_wire {
    struct rqx__wire wire;  /* first */
    struct peer2 peer;      /* |to_client| is what is under way, for HTTP/1.1 too */
    struct fuzz_log inside; /* taken off the socket, as TLS does, and not yet read */
    bool used;
    bool layered; /* has |inside| */
    bool h2;      /* found out by what is sent first */
    bool known;   /* |h2| is */
    bool ended;   /* the peer closed after what is under way */
    bool reset;   /* reading and writing fail */
    bool failed;  /* reading gave a negative result: may only be freed */
    bool dumb;    /* writing did: may still be read */
    bool said_goodbye;
    size_t room; /* bytes that the socket takes before it is full */
};

struct world_entry {
    int fd; /* 0: free */
    unsigned interest;
    bool edge;
    uint64_t token;
};

struct world {
    uint64_t now;
    bool wake_edge;
    struct world_entry entries[WORLD_ENTRIES];
    struct world_wire *wires[WORLD_WIRES]; /* NULL: none, or freed */
    size_t wire_count;                     /* made so far */
    unsigned dial_plan;                    /* how the next dial ends: see world_dial_run */
    size_t dials;                          /* that are there */
};

static struct world world;

/* ---- the clock ---- */

uint64_t rqx__clock_now(void)
{
    return world.now;
}

uint64_t rqx__clock_after_ms(uint64_t now, int64_t ms)
{
    if (ms < 0 || now == RQX__NEVER || (uint64_t)ms > (RQX__NEVER - 1 - now) / RQX__NS_PER_MS)
        return RQX__NEVER;
    return now + (uint64_t)ms * RQX__NS_PER_MS;
}

/* ---- the wake-up ---- */

int rqx__wake_init(struct rqx__wake *wake)
{
    atomic_init(&wake->rung, false);
    wake->fd = WORLD_WAKE_FD;
    world.wake_edge = false;
    return 0;
}

void rqx__wake_done(struct rqx__wake *wake)
{
    wake->fd = -1;
}

void rqx__wake_ring(struct rqx__wake *wake)
{
    if (!atomic_exchange(&wake->rung, true))
        world.wake_edge = true;
}

void rqx__wake_heard(struct rqx__wake *wake)
{
    atomic_store(&wake->rung, false);
}

/* ---- the poller ---- */

static struct world_entry *world_entry(int fd)
{
    size_t i;

    for (i = 0; i < WORLD_ENTRIES; i++) {
        if (world.entries[i].fd == fd)
            return &world.entries[i];
    }
    return NULL;
}

static int world_add(struct rqx__poller *poller, int fd, unsigned interest, bool edge, uint64_t token)
{
    struct world_entry *entry = world_entry(0);

    (void)poller;
    FUZZ_ASSERT(world_entry(fd) == NULL && entry != NULL && fd > 0);
    *entry = (struct world_entry){fd, interest, edge, token};
    return 0;
}

static int world_modify(struct rqx__poller *poller, int fd, unsigned interest, bool edge, uint64_t token)
{
    struct world_entry *entry = world_entry(fd);

    (void)poller;
    FUZZ_ASSERT(entry != NULL);
    *entry = (struct world_entry){fd, interest, edge, token};
    return 0;
}

static void world_remove(struct rqx__poller *poller, int fd)
{
    struct world_entry *entry = world_entry(fd);

    (void)poller;
    FUZZ_ASSERT(entry != NULL);
    entry->fd = 0;
}

static unsigned world_ready(struct world_entry *entry)
{
    const struct world_wire *wire;
    unsigned events = 0;

    if (entry->fd == WORLD_WAKE_FD) {
        events = world.wake_edge ? RQX__IO_READ : 0;
        world.wake_edge = false;
        return events;
    }
    if (entry->fd < WORLD_FD)
        return 0; /* the timer's: deadlines are looked at anyway */
    wire = world.wires[entry->fd - WORLD_FD];
    FUZZ_ASSERT(wire != NULL);
    if (wire->reset)
        return RQX__IO_READ | RQX__IO_ERROR;
    if ((entry->interest & RQX__IO_READ) != 0 && (wire->peer.to_client.len != 0 || wire->ended))
        events |= RQX__IO_READ;
    if ((entry->interest & RQX__IO_WRITE) != 0 && wire->room != 0)
        events |= RQX__IO_WRITE;
    return events;
}

static int world_wait(struct rqx__poller *poller, struct rqx__poller_event *events, size_t max, uint64_t timeout)
{
    size_t count = 0;
    size_t i;

    poller->interrupted = false;
    for (i = 0; i < WORLD_ENTRIES && count < max; i++) {
        unsigned ready = world.entries[i].fd == 0 ? 0 : world_ready(&world.entries[i]);

        if (ready != 0)
            events[count++] = (struct rqx__poller_event){world.entries[i].token, ready};
    }
    if (count == 0) /* sleeps */
        world.now += timeout < RQX__POLLER_LONGEST ? timeout : RQX__POLLER_LONGEST;
    return (int)count;
}

static void world_detach(struct rqx__poller *poller)
{
    poller->fd = -1;
}

static void world_poller_free(struct rqx__poller *poller)
{
    memset(world.entries, 0, sizeof world.entries);
    free(poller);
}

int rqx__poller_epoll_new(struct rqx__poller **ret_poller)
{
    static const struct rqx__poller_ops ops = {
        .name = "world",
        .add = world_add,
        .modify = world_modify,
        .remove = world_remove,
        .wait = world_wait,
        .detach = world_detach,
        .free = world_poller_free,
    };
    struct rqx__poller *poller = calloc(1, sizeof *poller);

    FUZZ_ASSERT(poller != NULL);
    poller->ops = &ops;
    poller->fd = WORLD_POLL_FD;
    *ret_poller = poller;
    return 0;
}

/* ---- wires ---- */

static struct world_wire *world_wire_of(const struct rqx__wire *wire)
{
    struct world_wire *self = (struct world_wire *)(uintptr_t)wire;

    FUZZ_ASSERT(!self->failed);
    return self;
}

static int world_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    (void)err;
    world_wire_of(wire);
    return 0;
}

static int world_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    struct world_wire *self = world_wire_of(wire);
    struct fuzz_log *source = &self->peer.to_client;

    FUZZ_ASSERT(cap > 0);
    if (self->layered && self->inside.len == 0) {
        fuzz_log_add(&self->inside, source->text, source->len);
        fuzz_log_drop(source, source->len);
    }
    if (self->layered) {
        source = &self->inside;
        cap = cap < 700 ? cap : 700; /* a record */
    }
    if (source->len == 0) {
        *ret_len = 0;
        self->failed = self->reset;
        if (self->reset)
            return rqx__err_set(err, RQX_ERR_READ, NULL);
        return self->ended ? 0 : RQX_AGAIN;
    }
    *ret_len = source->len < cap ? source->len : cap;
    memcpy(buffer, source->text, *ret_len);
    fuzz_log_drop(source, *ret_len);
    return 0;
}

static int world_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    struct world_wire *self = world_wire_of(wire);

    FUZZ_ASSERT(len > 0 && len <= 64 * 1024 && !self->dumb);
    self->dumb = self->reset;
    if (self->reset)
        return rqx__err_set(err, RQX_ERR_WRITE, NULL);
    if (self->room == 0)
        return RQX_AGAIN;
    if (len > self->room)
        len = self->room;
    if (self->room != SIZE_MAX)
        self->room -= len;
    if (!self->known) {
        self->known = true;
        self->h2 = data[0] == 'P' && (len < 2 || data[1] == 'R');
    }
    if (self->h2)
        peer2_take(&self->peer, data, len);
    *ret_len = len;
    return 0;
}

static bool world_has_buffered(const struct rqx__wire *wire)
{
    return world_wire_of(wire)->inside.len != 0;
}

static unsigned world_wants(const struct rqx__wire *wire)
{
    (void)wire;
    return RQX__IO_WRITE;
}

static void world_shutdown(struct rqx__wire *wire)
{
    struct world_wire *self = world_wire_of(wire);

    FUZZ_ASSERT(!self->said_goodbye && !self->dumb);
    self->said_goodbye = true;
}

static void world_wire_free(struct rqx__wire *wire)
{
    struct world_wire *self = (struct world_wire *)wire;

    FUZZ_ASSERT(world_entry(wire->fd) == NULL); /* nobody watches it any more */
    world.wires[wire->fd - WORLD_FD] = NULL;
    fuzz_log_done(&self->inside);
    peer2_done(&self->peer);
    free(self);
}

static struct world_wire *world_wire_new(bool layered)
{
    static const struct rqx__wire_ops ops = {
        .name = "world",
        .handshake = world_handshake,
        .read = world_read,
        .write = world_write,
        .has_buffered = world_has_buffered,
        .wants = world_wants,
        .shutdown = world_shutdown,
        .free = world_wire_free,
    };
    struct world_wire *self = calloc(1, sizeof *self);

    FUZZ_ASSERT(self != NULL);
    self->wire.ops = &ops;
    self->wire.fd = WORLD_FD + (int)world.wire_count;
    self->layered = layered;
    self->room = SIZE_MAX;
    peer2_init(&self->peer);
    world.wires[world.wire_count++] = self;
    return self;
}

/* What TLS would know of one of these wires. */
int rqx__tls_wire_facts(const struct rqx__wire *wire, struct rqx__tls_facts *ret_facts)
{
    world_wire_of(wire);
    memset(ret_facts, 0, sizeof *ret_facts);
    return 0;
}

void rqx__tls_facts_done(struct rqx__tls_facts *facts)
{
    (void)facts;
}

/* ---- dials ---- */

struct rqx__dial {
    struct rqx__loop *loop;
    struct rqx__defer done;
    rqx__dial_cb done_cb;
    void *user;
    unsigned plan;
    bool secure;
    struct rqx__dial_times times;
};

/* |plan|: bits 0 and 1: success, success, failure, never; bit 2: HTTP/1.1 where TLS could choose; bit 3: layered. */
static void world_dial_run(struct rqx__defer *defer, void *user)
{
    struct rqx__dial *dial = user;
    enum rqx__alpn alpn = !dial->secure ? RQX__ALPN_NONE : dial->plan & 4 ? RQX__ALPN_HTTP1 : RQX__ALPN_HTTP2;
    struct rqx__err err;

    (void)defer;
    if ((dial->plan & 3) < 2 && world.wire_count < WORLD_WIRES) {
        dial->times.resolved = dial->times.connected = dial->times.secured = world.now;
        dial->done_cb(dial, &world_wire_new(dial->plan & 8)->wire, alpn, NULL, dial->user);
        return;
    }
    if ((dial->plan & 3) == 3)
        return; /* hangs */
    rqx__err_set(&err, dial->plan & 4 ? RQX_ERR_NAME_NOT_FOUND : RQX_ERR_CONNECT, NULL);
    dial->done_cb(dial, NULL, RQX__ALPN_NONE, &err, dial->user);
}

int rqx__dial_new(struct rqx__loop *loop, struct rqx__resolver *resolver, const struct rqx__dial_target *target,
                  rqx__dial_cb done_cb, void *user, struct rqx__dial **ret_dial)
{
    struct rqx__dial *dial = calloc(1, sizeof *dial);

    FUZZ_ASSERT(dial != NULL && resolver != NULL && target->host.len > 0 && target->port > 0);
    dial->loop = loop;
    dial->done_cb = done_cb;
    dial->user = user;
    dial->plan = world.dial_plan;
    dial->secure = target->tls != NULL;
    dial->times.start = world.now;
    world.dials++;
    rqx__defer_init(&dial->done, world_dial_run, dial);
    rqx__loop_defer(loop, &dial->done);
    *ret_dial = dial;
    return 0;
}

void rqx__dial_free(struct rqx__dial *dial)
{
    if (dial == NULL)
        return;
    rqx__defer_cancel(&dial->done);
    world.dials--;
    free(dial);
}

void rqx__dial_abandon(struct rqx__dial *dial)
{
    rqx__dial_free(dial);
}

enum rqx__dial_phase rqx__dial_phase(const struct rqx__dial *dial)
{
    (void)dial;
    return RQX__DIAL_CONNECT;
}

void rqx__dial_describe(const struct rqx__dial *dial, char *text, size_t size)
{
    (void)dial;
    snprintf(text, size, "connecting");
}

const struct rqx__dial_times *rqx__dial_times(const struct rqx__dial *dial)
{
    return &dial->times;
}

#endif
