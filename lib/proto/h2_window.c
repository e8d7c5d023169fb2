/*
 * h2_window.c - flow control of what is received (RFC 9113 sections 5.2 and 6.9).
 *
 * The connection's credit goes back when bytes come, so that a reader that pauses holds back its own stream alone; a
 * stream's when its owner has done with them.  nghttp2 counts padding and frames for closed streams by itself, and
 * sends WINDOW_UPDATE when half a window is used.
 *
 * A window must hold what can be under way in a round trip and more, for the peer never to wait: while half of it is
 * used up in less than two round trips it is doubled, and where the peer clearly waits for credit, made four times as
 * large: a long way with much bandwidth is not filled by small steps, each of which takes a round trip.  A stream whose
 * reader did not keep up is left as it is: there it is not the window that is slow.
 */
#include "proto/h2_internal.h"

#define FIRST_STREAM_WINDOW (256 * 1024)
#define FIRST_CONN_WINDOW   (1024 * 1024)
/* A connection begins with this much whatever we say (RFC 9113 section 6.9.2). */
#define PROTOCOL_WINDOW 65535
/* The time that a wake-up takes counts too, however near the peer is. */
#define SHORTEST_ROUND_TRIP (500 * RQX__NS_PER_US)

static uint32_t smaller(size_t a, size_t b)
{
    return (uint32_t)(a < b ? a : b);
}

void rqx__h2_window_init(struct rqx__h2 *h2)
{
    size_t max = h2->config.max_window;

    h2->max_window = smaller(max < 1 ? 1 : max, NGHTTP2_MAX_WINDOW_SIZE);
    h2->stream_window = smaller(FIRST_STREAM_WINDOW, h2->max_window);
    h2->conn_window = smaller(FIRST_CONN_WINDOW, h2->max_window);
    if (h2->conn_window < PROTOCOL_WINDOW)
        h2->conn_window = PROTOCOL_WINDOW;
    /* streams may have the protocol's own window until the peer knows ours */
    h2->credit_step = smaller(h2->stream_window, PROTOCOL_WINDOW) / 2;
}

void rqx__h2_window_round_trip(struct rqx__h2 *h2, uint64_t ns)
{
    if (ns < SHORTEST_ROUND_TRIP)
        ns = SHORTEST_ROUND_TRIP;
    if (h2->rtt == 0 || ns < h2->rtt)
        h2->rtt = ns;
}

/* What |window| is to be after half of it took since |mark|. */
static uint32_t grown(const struct rqx__h2 *h2, uint32_t window, uint64_t mark)
{
    uint64_t took = h2->codec.now - mark;
    uint32_t factor = took < h2->rtt - h2->rtt / 4 ? 4 : 2;

    if (window >= h2->max_window || h2->rtt == 0 || took >= 2 * h2->rtt)
        return window;
    return window > h2->max_window / factor ? h2->max_window : window * factor;
}

int rqx__h2_window_received(struct rqx__h2 *h2, size_t len)
{
    uint32_t window;

    if (nghttp2_session_consume_connection(h2->session, len) != 0)
        return rqx__h2_fatal(h2, RQX_ERR_NOMEM);
    if (h2->conn_bytes == 0)
        h2->conn_mark = h2->codec.now;
    h2->conn_bytes += len;
    if (h2->conn_bytes < h2->conn_window / 2)
        return 0;
    window = grown(h2, h2->conn_window, h2->conn_mark);
    h2->conn_bytes = 0;
    if (window == h2->conn_window)
        return 0;
    h2->conn_window = window;
    if (nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)window) != 0)
        return rqx__h2_fatal(h2, RQX_ERR_NOMEM);
    return 0;
}

void rqx__h2_window_delivered(struct rqx__h2 *h2, struct rqx__stream *stream, size_t len)
{
    if (stream->window_mark == 0)
        stream->window_mark = h2->codec.now;
    stream->unconsumed += len;
}

/* Half of the stream's window was consumed. */
static void half_used(struct rqx__h2 *h2, struct rqx__stream *stream)
{
    uint32_t window = stream->flags & RQX__H2_LAGGING ? stream->window : grown(h2, stream->window, stream->window_mark);

    stream->window_bytes = 0;
    stream->window_mark = h2->codec.now;
    if (stream->unconsumed == 0)
        stream->flags &= (uint32_t)~RQX__H2_LAGGING;
    if (window == stream->window)
        return;
    stream->window = window;
    if (nghttp2_is_fatal(
            nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, stream->id, (int32_t)window)))
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
}

void rqx__h2_window_consumed(struct rqx__h2 *h2, struct rqx__stream *stream, size_t len)
{
    /* more than was delivered: credit for it would let the peer send more than we can hold */
    if (len > stream->unconsumed)
        len = (size_t)stream->unconsumed;
    if (stream->unconsumed > stream->window / 2)
        stream->flags |= RQX__H2_LAGGING;
    stream->unconsumed -= len;
    stream->owed += (uint32_t)len;
    if (stream->owed < h2->credit_step || (stream->flags & RQX__H2_REMOTE_DONE))
        return;
    if (nghttp2_is_fatal(nghttp2_session_consume_stream(h2->session, stream->id, stream->owed)))
        rqx__h2_fatal(h2, RQX_ERR_NOMEM);
    stream->window_bytes += stream->owed;
    stream->owed = 0;
    if (stream->window_bytes >= stream->window / 2)
        half_used(h2, stream);
}
