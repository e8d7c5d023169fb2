/*
 * h2_reset.c - streams that we reset go on counting until the peer has shown that it knows.
 *
 * RST_STREAM makes a stream closed for us at once, and for the peer when it comes to read it.  Who cancels and opens at
 * full speed so has the peer work on more streams than it allows, which is what the attack of CVE-2023-44487 does, and
 * is cut off like one.  A reset stream therefore counts against SETTINGS_MAX_CONCURRENT_STREAMS until something comes
 * that the peer sent later: the answer on a stream that was opened after it, or the acknowledgement of a PING, which is
 * sent when half of the limit is used up.
 *
 * Resets come in two groups: those that are waited for, and those sent since; the second becomes the first when the
 * first is over.  A group is waited for no longer than HOLD, since a peer that tells nothing must not keep the
 * connection full.  There is no second PING before HEADERS or DATA came, since servers of gRPC count what comes more
 * often as abuse.
 */
#include "proto/h2_internal.h"

#include <string.h>

#define HOLD (1000 * RQX__NS_PER_MS)
/* Set in the eighth byte of the PING's payload, which liveness never sets. */
#define OPAQUE_MARK (UINT64_C(1) << 63)

static void ask(struct rqx__h2 *h2)
{
    uint64_t opaque = ++h2->resets.opaque | OPAQUE_MARK;
    uint8_t payload[8];

    memcpy(payload, &opaque, sizeof payload);
    if (nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, payload) != 0) {
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
        return;
    }
    h2->resets.asked = h2->resets.ping_blocked = true;
}

/* |open|: streams of the wire that are not reset. */
static void ask_if_due(struct rqx__h2 *h2, size_t open)
{
    const struct rqx__h2_resets *resets = &h2->resets;

    if (resets->waited != 0 && !resets->asked && !resets->ping_blocked && !h2->dying &&
        (open + rqx__h2_held(h2)) * 2 >= h2->peer_max)
        ask(h2);
}

/* Those sent since become those that are waited for. */
static void next_group(struct rqx__h2 *h2, size_t open)
{
    struct rqx__h2_resets *resets = &h2->resets;

    resets->waited = resets->later;
    resets->later = 0;
    resets->asked = false;
    resets->since = h2->codec.now;
    resets->last_id = h2->last_id;
    ask_if_due(h2, open);
}

void rqx__h2_reset_sent(struct rqx__h2 *h2, int32_t id)
{
    size_t open = h2->wire_count == 0 ? 0 : h2->wire_count - 1; /* it is closed right after this */

    /* even ids are pushes, which never counted */
    if ((id & 1) == 0)
        return;
    h2->resets.later++;
    if (h2->resets.waited == 0)
        next_group(h2, open);
    else
        ask_if_due(h2, open);
}

void rqx__h2_reset_answered(struct rqx__h2 *h2, int32_t id)
{
    h2->resets.ping_blocked = false;
    if (h2->resets.waited != 0 && id > h2->resets.last_id)
        next_group(h2, h2->wire_count);
}

bool rqx__h2_reset_acknowledged(struct rqx__h2 *h2, const uint8_t opaque[8])
{
    uint64_t value;

    memcpy(&value, opaque, sizeof value);
    if ((value & OPAQUE_MARK) == 0)
        return false;
    if (h2->resets.asked && value == (h2->resets.opaque | OPAQUE_MARK))
        next_group(h2, h2->wire_count);
    return true;
}

uint64_t rqx__h2_reset_deadline(const struct rqx__h2 *h2)
{
    return h2->resets.waited == 0 || h2->dying ? RQX__NEVER : h2->resets.since + HOLD;
}

void rqx__h2_reset_tick(struct rqx__h2 *h2)
{
    if (rqx__h2_reset_deadline(h2) <= h2->codec.now)
        next_group(h2, h2->wire_count);
}
