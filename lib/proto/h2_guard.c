/*
 * h2_guard.c - a peer that is gone, or sends what costs and brings nothing.
 *
 * Liveness: PING only while somebody waits for an answer and nothing came for a while; any byte is a sign of life.
 *
 * Floods (RFC 9113 section 10.5): each frame that brings a stream of ours no further takes from a budget, which time,
 * messages and bytes of bodies fill up again.  What is legal in small numbers, and every peer sends some of, ends the
 * connection when there is nothing but.  Frames are counted here and not in nghttp2's callbacks, which are silent about
 * what it ignores.
 */
#include "proto/h2_internal.h"

#include <inttypes.h>
#include <string.h>

#define BUDGET 2000
/* Per request sent, and per final header section of a response. */
#define REFILL_BY_MESSAGE 20
/* A peer may answer small pieces of a body with two WINDOW_UPDATEs each. */
#define BYTES_PER_REFILL 512
/* 100 a second */
#define TIME_PER_REFILL (10 * RQX__NS_PER_MS)
/* CONTINUATION frames of one header section: some, and those that a large one needs. */
#define FEW_CONTINUATIONS 8
#define FRAME_BYTES       16384
#define FRAME_HEADER      sizeof(((struct rqx__h2 *)NULL)->scan_header)
/* How much rarer PING becomes for a peer that complained. */
#define CALMER 4

void rqx__h2_guard_init(struct rqx__h2 *h2)
{
    h2->budget = BUDGET;
    h2->max_continuations = FEW_CONTINUATIONS + h2->config.max_header_list / FRAME_BYTES;
    h2->ping_idle = h2->config.ping_idle;
}

static void refill(struct rqx__h2 *h2, uint64_t amount)
{
    uint64_t room = (uint64_t)(BUDGET - h2->budget);

    h2->budget += (int32_t)(amount < room ? amount : room);
}

void rqx__h2_guard_progress(struct rqx__h2 *h2)
{
    refill(h2, REFILL_BY_MESSAGE);
}

void rqx__h2_guard_bytes(struct rqx__h2 *h2, size_t bytes)
{
    h2->budget_bytes += bytes;
    if (h2->budget_bytes < BYTES_PER_REFILL)
        return;
    refill(h2, h2->budget_bytes / BYTES_PER_REFILL);
    h2->budget_bytes %= BYTES_PER_REFILL;
}

void rqx__h2_guard_padded(struct rqx__h2 *h2)
{
    refill(h2, 1);
}

static void refill_by_time(struct rqx__h2 *h2)
{
    uint64_t units = (h2->codec.now - h2->budget_at) / TIME_PER_REFILL;

    refill(h2, units);
    h2->budget_at += units * TIME_PER_REFILL;
}

/* What a frame takes from the budget. */
static int32_t cost_of(uint32_t length, uint8_t type, uint8_t flags)
{
    switch (type) {
    case NGHTTP2_DATA:
        /* empty, or perhaps nothing but padding */
        if (flags & NGHTTP2_FLAG_END_STREAM)
            return 0;
        return length == 0 || ((flags & NGHTTP2_FLAG_PADDED) && length <= 256) ? 1 : 0;
    case NGHTTP2_SETTINGS:
        return 4;
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_GOAWAY:
        return 10;
    default:
        return 1;
    }
}

static const char *frame_name(uint8_t type)
{
    static const char *const names[] = {"DATA",         "HEADERS", "PRIORITY", "RST_STREAM",    "SETTINGS",
                                        "PUSH_PROMISE", "PING",    "GOAWAY",   "WINDOW_UPDATE", "CONTINUATION"};

    return type < sizeof names / sizeof names[0] ? names[type] : "extension";
}

static int flooded(struct rqx__h2 *h2, uint8_t type)
{
    h2->dying = true;
    rqx__err_set(&h2->fatal, RQX_ERR_FLOOD, "%s: too many %s frames", rqx_error_text(RQX_ERR_FLOOD), frame_name(type));
    return RQX_ERR_FLOOD;
}

/* A frame with that header begins. */
static int count_frame(struct rqx__h2 *h2, uint32_t length, uint8_t type, uint8_t flags)
{
    int32_t cost = cost_of(length, type, flags);

    if (type != NGHTTP2_CONTINUATION)
        h2->continuations = 0;
    else if (++h2->continuations > h2->max_continuations)
        return flooded(h2, type);
    if (cost > h2->budget)
        refill_by_time(h2);
    if (cost > h2->budget)
        return flooded(h2, type);
    h2->budget -= cost;
    return 0;
}

static int32_t scanned_id(const struct rqx__h2 *h2)
{
    const uint8_t *id = h2->scan_header + 5;

    return (int32_t)(((uint32_t)id[0] & 0x7f) << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]);
}

/*
 * Whether the header that is complete is of DATA, for a stream that perhaps got no HEADERS yet: nghttp2 may still have
 * to see them.  DATA without them is an error of its stream (RFC 9113 section 8.1.1), for which nghttp2 ends the
 * connection.
 */
static bool may_be_headless(struct rqx__h2 *h2)
{
    const struct rqx__stream *stream;
    int32_t id = scanned_id(h2);

    if (h2->scan_header[3] == NGHTTP2_HEADERS)
        h2->headed = id;
    if (h2->scan_header[3] != NGHTTP2_DATA || id == h2->headed)
        return false;
    stream = rqx__h2_stream(h2, id);
    if (stream != NULL && !(stream->flags & RQX__H2_ANSWERED)) {
        h2->headless = id;
        return true;
    }
    h2->headed = id;
    return false;
}

/* The header of a frame is complete. */
static int begin_frame(struct rqx__h2 *h2)
{
    const uint8_t *header = h2->scan_header;

    h2->scan_have = 0;
    h2->scan_left = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2];
    h2->scan_zeros = header[3] == NGHTTP2_WINDOW_UPDATE && h2->scan_left == 4 && scanned_id(h2) != 0;
    return count_frame(h2, h2->scan_left, header[3], header[4]);
}

/*
 * Looks at bytes of a WINDOW_UPDATE's increment.  One of zero is an error of its stream alone (RFC 9113 section 6.9),
 * for which nghttp2 ends the connection.  Gives how many of them it may have.
 */
static size_t scan_increment(struct rqx__h2 *h2, const uint8_t *data, size_t len)
{
    size_t i;

    for (i = 0; i < len && h2->scan_zeros; i++, h2->scan_left--) {
        uint8_t byte = h2->scan_left == 4 ? data[i] & 0x7f : data[i];

        h2->scan_zeros = byte == 0;
        if (h2->scan_zeros && h2->scan_left == 1) {
            h2->zero_update = scanned_id(h2);
            return i;
        }
    }
    return i;
}

/* Takes bytes of a frame's header: how many, or RQX_ERR_FLOOD. */
static ssize_t scan_frame_header(struct rqx__h2 *h2, const uint8_t *data, size_t len)
{
    size_t missing = FRAME_HEADER - h2->scan_have;
    size_t piece = len < missing ? len : missing;

    memcpy(h2->scan_header + h2->scan_have, data, piece);
    h2->scan_have += piece;
    if (piece < missing)
        return (ssize_t)piece;
    if (may_be_headless(h2)) {
        h2->scan_have--;
        return (ssize_t)piece - 1;
    }
    return begin_frame(h2) < 0 ? RQX_ERR_FLOOD : (ssize_t)piece;
}

ssize_t rqx__h2_guard_scan(struct rqx__h2 *h2, const uint8_t *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        size_t piece = len - done;

        if (h2->scan_left != 0 && h2->scan_zeros) {
            done += scan_increment(h2, data + done, piece < h2->scan_left ? piece : h2->scan_left);
            if (h2->zero_update != 0)
                return (ssize_t)done;
            continue;
        }
        if (h2->scan_left != 0) {
            piece = piece < h2->scan_left ? piece : h2->scan_left;
            h2->scan_left -= (uint32_t)piece;
        } else {
            ssize_t taken = scan_frame_header(h2, data + done, piece);

            if (taken < 0)
                return taken;
            piece = (size_t)taken;
        }
        done += piece;
        if (h2->headless != 0)
            break;
    }
    return (ssize_t)done;
}

/* ---- liveness ---- */

static uint64_t after(uint64_t time, uint64_t ns)
{
    return ns < RQX__NEVER - time ? time + ns : RQX__NEVER;
}

uint64_t rqx__h2_liveness_deadline(const struct rqx__h2 *h2)
{
    if (h2->codec.open_streams == 0 || h2->dying)
        return RQX__NEVER;
    return h2->ping_waits ? after(h2->ping_at, h2->config.ping_timeout) : after(h2->last_sign, h2->ping_idle);
}

void rqx__h2_liveness_tick(struct rqx__h2 *h2)
{
    uint8_t opaque[8];

    if (rqx__h2_liveness_deadline(h2) > h2->codec.now)
        return;
    if (h2->ping_waits) {
        h2->dying = true;
        rqx__err_set(&h2->fatal, RQX_ERR_LIVENESS, "%s: silence for %" PRIu64 " ms", rqx_error_text(RQX_ERR_LIVENESS),
                     (h2->codec.now - h2->last_sign) / RQX__NS_PER_MS);
        return;
    }
    h2->ping_opaque++;
    memcpy(opaque, &h2->ping_opaque, sizeof opaque);
    if (nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, opaque) != 0) {
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
        return;
    }
    h2->ping_at = h2->codec.now;
    h2->ping_waits = h2->ping_timed = true;
}

void rqx__h2_ping_acknowledged(struct rqx__h2 *h2, const uint8_t opaque[8])
{
    if (rqx__h2_reset_acknowledged(h2, opaque))
        return;
    if (h2->ping_timed && memcmp(opaque, &h2->ping_opaque, 8) == 0)
        rqx__h2_window_round_trip(h2, h2->codec.now - h2->ping_at);
    h2->ping_timed = false;
}

void rqx__h2_guard_calm(struct rqx__h2 *h2)
{
    h2->ping_idle = h2->ping_idle < RQX__NEVER / CALMER ? h2->ping_idle * CALMER : RQX__NEVER;
}
