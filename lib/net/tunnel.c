/*
 * tunnel.c - a CONNECT tunnel through an HTTP/1.1 proxy (RFC 9110 section 9.3.6, RFC 9112 section 3.2.3).
 *
 * Asks; proto/connect.c reads the answer; whatever follows that belongs to the tunnel.  The request may hold
 * credentials: it is wiped once it was sent.
 */
#include "net/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "proto/connect.h"

#define HEAD_MAX RQX__CONNECT_ANSWER_MAX

enum tunnel_state { TUNNEL_LOWER, TUNNEL_SEND, TUNNEL_RECEIVE, TUNNEL_OPEN };

struct tunnel_wire {
    struct rqx__wire wire;
    enum tunnel_state state;
    char *request; /* NULL once it was sent */
    size_t request_len;
    size_t request_sent;
    uint8_t *input;   /* HEAD_MAX bytes; NULL when the answer is known and nothing is left of it */
    size_t input_len; /* bytes read */
    size_t input_off; /* bytes used: the answer, then what was read through the tunnel */
    struct rqx__connect_answer answer;
};

static struct tunnel_wire *tunnel_of(const struct rqx__wire *wire)
{
    return (struct tunnel_wire *)(uintptr_t)wire;
}

static void drop_request(struct tunnel_wire *tunnel)
{
    rqx__free_secret(tunnel->request, tunnel->request_len);
    tunnel->request = NULL;
}

static void drop_input(struct tunnel_wire *tunnel)
{
    rqx__free(tunnel->input);
    tunnel->input = NULL;
    tunnel->input_len = tunnel->input_off = 0;
}

static int send_request(struct tunnel_wire *tunnel, struct rqx__err *err)
{
    while (tunnel->request_sent < tunnel->request_len) {
        size_t put = 0;
        int rc = rqx__wire_write(tunnel->wire.lower, (const uint8_t *)tunnel->request + tunnel->request_sent,
                                 tunnel->request_len - tunnel->request_sent, &put, err);

        if (rc != 0)
            return rc;
        tunnel->request_sent += put;
    }
    drop_request(tunnel);
    return 0;
}

static int receive_answer(struct tunnel_wire *tunnel, struct rqx__err *err)
{
    int rc;

    do {
        size_t got = 0;

        rc = rqx__wire_read(tunnel->wire.lower, tunnel->input + tunnel->input_len, HEAD_MAX - tunnel->input_len, &got,
                            err);
        if (rc != 0)
            return rc;
        if (got == 0)
            return rqx__err_set(err, RQX_ERR_TRUNCATED,
                                tunnel->input_len == 0 ? "the proxy closed the connection without an answer"
                                                       : "the proxy closed the connection within its answer");
        tunnel->input_len += got;
        rc = rqx__connect_take(&tunnel->answer, tunnel->input, tunnel->input_len, err);
    } while (rc == RQX_AGAIN);
    tunnel->input_off = tunnel->answer.used;
    return rc;
}

static int tunnel_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    struct tunnel_wire *tunnel = tunnel_of(wire);
    int rc;

    if (tunnel->state == TUNNEL_LOWER) {
        rc = rqx__wire_handshake(wire->lower, err);
        if (rc != 0)
            return rc;
        tunnel->state = TUNNEL_SEND;
    }
    if (tunnel->state == TUNNEL_SEND) {
        rc = send_request(tunnel, err);
        if (rc != 0)
            return rc;
        tunnel->state = TUNNEL_RECEIVE;
    }
    if (tunnel->state == TUNNEL_RECEIVE) {
        rc = receive_answer(tunnel, err);
        if (rc != 0)
            return rc;
        tunnel->state = TUNNEL_OPEN;
        if (tunnel->input_off == tunnel->input_len)
            drop_input(tunnel);
    }
    return 0;
}

static int tunnel_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    struct tunnel_wire *tunnel = tunnel_of(wire);
    size_t left = tunnel->input_len - tunnel->input_off;

    if (left == 0)
        return rqx__wire_read(wire->lower, buffer, cap, ret_len, err);
    if (left > cap)
        left = cap;
    memcpy(buffer, tunnel->input + tunnel->input_off, left);
    tunnel->input_off += left;
    if (tunnel->input_off == tunnel->input_len)
        drop_input(tunnel);
    *ret_len = left;
    return 0;
}

static int tunnel_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    return rqx__wire_write(wire->lower, data, len, ret_len, err);
}

static bool tunnel_has_buffered(const struct rqx__wire *wire)
{
    const struct tunnel_wire *tunnel = tunnel_of(wire);

    if (tunnel->state == TUNNEL_OPEN && tunnel->input_off < tunnel->input_len)
        return true;
    return rqx__wire_has_buffered(wire->lower);
}

static unsigned tunnel_wants(const struct rqx__wire *wire)
{
    return rqx__wire_wants(wire->lower);
}

static void tunnel_shutdown(struct rqx__wire *wire)
{
    rqx__wire_shutdown(wire->lower);
}

static void tunnel_free(struct rqx__wire *wire)
{
    struct tunnel_wire *tunnel = tunnel_of(wire);

    rqx__wire_free(wire->lower);
    drop_request(tunnel);
    drop_input(tunnel);
    rqx__free(tunnel);
}

static const struct rqx__wire_ops tunnel_ops = {
    .name = "tunnel",
    .handshake = tunnel_handshake,
    .read = tunnel_read,
    .write = tunnel_write,
    .has_buffered = tunnel_has_buffered,
    .wants = tunnel_wants,
    .shutdown = tunnel_shutdown,
    .free = tunnel_free,
};

/* Complete lines, none of them empty. */
static bool lines_are_complete(rqx_slice fields)
{
    bool line_empty = true;
    size_t i;

    for (i = 0; i < fields.len; i++) {
        char c = fields.data[i];

        if (c == '\n' || c == '\0')
            return false; /* an LF that no CR stood before */
        if (c == '\r') {
            if (line_empty || i + 1 >= fields.len || fields.data[i + 1] != '\n')
                return false;
            i++;
            line_empty = true;
        } else {
            line_empty = false;
        }
    }
    return line_empty;
}

static char *make_request(rqx_slice authority, rqx_slice fields, size_t *ret_len)
{
    static const char format[] = "CONNECT %.*s HTTP/1.1\r\nHost: %.*s\r\n%.*s\r\n";
    size_t size = sizeof format + 2 * authority.len + fields.len;
    char *request = rqx__malloc(size);

    if (request == NULL)
        return NULL;
    *ret_len = (size_t)snprintf(request, size, format, (int)authority.len, authority.data, (int)authority.len,
                                authority.data, (int)fields.len, fields.len > 0 ? fields.data : "");
    return request;
}

int rqx__tunnel_wire_new(struct rqx__wire *lower, rqx_slice authority, rqx_slice fields, struct rqx__wire **ret_wire)
{
    struct tunnel_wire *tunnel;

    if (authority.len > HEAD_MAX || fields.len > 4 * HEAD_MAX || !rqx__connect_authority_is_sound(authority) ||
        !lines_are_complete(fields))
        return RQX_ERR_INVALID_ARGUMENT;
    tunnel = rqx__calloc(1, sizeof *tunnel);
    if (tunnel == NULL)
        return RQX_ERR_NOMEM;
    tunnel->wire.ops = &tunnel_ops;
    tunnel->wire.fd = lower->fd;
    tunnel->request = make_request(authority, fields, &tunnel->request_len);
    tunnel->input = rqx__malloc(HEAD_MAX);
    if (tunnel->request == NULL || tunnel->input == NULL) {
        drop_request(tunnel);
        drop_input(tunnel);
        rqx__free(tunnel);
        return RQX_ERR_NOMEM;
    }
    tunnel->wire.lower = lower;
    *ret_wire = &tunnel->wire;
    return 0;
}
