/*
 * tunnel.c - a CONNECT tunnel through an HTTP/1.1 proxy (RFC 9110 section 9.3.6, RFC 9112 section 3.2.3).
 *
 * Speaks just enough HTTP to ask and to find the end of the answer's head; whatever follows a 2xx head belongs to the
 * tunnel, since content-length and transfer-encoding mean nothing there.  The request may hold credentials: it is wiped
 * once it was sent.
 */
#include "net/wire.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define HEAD_MAX   16384
#define REASON_MAX 120

enum tunnel_state { TUNNEL_LOWER, TUNNEL_SEND, TUNNEL_RECEIVE, TUNNEL_OPEN };

struct tunnel_wire {
    struct rqx__wire wire;
    enum tunnel_state state;
    char *request; /* NULL once it was sent */
    size_t request_len;
    size_t request_sent;
    uint8_t *input;   /* HEAD_MAX bytes; NULL when the answer is known and nothing is left of it */
    size_t input_len; /* bytes read */
    size_t input_off; /* bytes used: heads of interim answers, then what was read through the tunnel */
    size_t scanned;   /* bytes from |input_off| on in which the head is known not to end */
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

/* Length of the head at |text| with its empty line, 0 if its end is not there.  A bare LF ends a line too (RFC 9112
 * section 2.2). */
static size_t find_head_end(const uint8_t *text, size_t len, size_t *scanned)
{
    size_t at = *scanned;

    for (;;) {
        const uint8_t *newline = at < len ? memchr(text + at, '\n', len - at) : NULL;
        size_t next;

        if (newline == NULL) {
            *scanned = len;
            return 0;
        }
        next = (size_t)(newline - text) + 1;
        if (next < len && text[next] == '\n')
            return next + 1;
        if (next + 1 >= len) { /* what stands in the next line is not known yet: look at this newline again */
            *scanned = next - 1;
            return 0;
        }
        if (text[next] == '\r' && text[next + 1] == '\n')
            return next + 2;
        at = next;
    }
}

/* "HTTP/1.x SP 3DIGIT [SP reason]" (RFC 9112 section 4).  Gives the status, or -1. */
static int parse_status_line(rqx_slice line, rqx_slice *ret_reason)
{
    const char *text = line.data;
    int status;

    if (line.len < 12 || memcmp(text, "HTTP/1.", 7) != 0 || !rqx__is_digit((unsigned char)text[7]) || text[8] != ' ')
        return -1;
    if (!rqx__is_digit((unsigned char)text[9]) || !rqx__is_digit((unsigned char)text[10]) ||
        !rqx__is_digit((unsigned char)text[11]) || (line.len > 12 && text[12] != ' '))
        return -1;
    status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    if (status < 100 || status > 599)
        return -1;
    *ret_reason = line.len > 13 ? rqx__trim((rqx_slice){text + 13, line.len - 13}) : (rqx_slice){"", 0};
    return status;
}

/* The next line of |head| without its end; moves on. */
static rqx_slice next_line(rqx_slice *head)
{
    const char *newline = memchr(head->data, '\n', head->len);
    size_t len = (size_t)(newline - head->data);
    rqx_slice line = {head->data, len > 0 && head->data[len - 1] == '\r' ? len - 1 : len};

    head->data += len + 1;
    head->len -= len + 1;
    return line;
}

/* Each line after the first has a name and a colon; their values do not matter here. */
static bool fields_are_sound(rqx_slice head)
{
    while (head.len > 0) {
        rqx_slice line = next_line(&head);
        const char *colon = line.len > 0 ? memchr(line.data, ':', line.len) : NULL;

        if (line.len == 0)
            return true; /* the empty line is the last */
        if (colon == NULL || !rqx__is_token(line.data, (size_t)(colon - line.data)))
            return false;
    }
    return true;
}

/* The reason comes from the peer and goes into an error's text: printable ASCII alone, and bounded. */
static void copy_reason(rqx_slice reason, char *text)
{
    size_t len = reason.len < REASON_MAX ? reason.len : REASON_MAX;
    size_t i;

    for (i = 0; i < len; i++)
        text[i] = (char)(reason.data[i] >= 0x20 && reason.data[i] < 0x7f ? reason.data[i] : '?');
    text[len] = '\0';
}

/* Takes the head of |head_len| bytes.  0: the tunnel is open; RQX_AGAIN: interim, another one follows. */
static int take_head(struct tunnel_wire *tunnel, size_t head_len, struct rqx__err *err)
{
    rqx_slice head = {(const char *)tunnel->input + tunnel->input_off, head_len};
    rqx_slice reason;
    char text[REASON_MAX + 1];
    int status;

    if (memchr(head.data, '\0', head.len) != NULL)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: NUL in its head");
    status = parse_status_line(next_line(&head), &reason);
    if (status < 0)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: not an HTTP/1 status line");
    if (!fields_are_sound(head))
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: bad field line");
    tunnel->input_off += head_len;
    tunnel->scanned = 0;
    if (status == 101)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: status 101");
    if (status < 200)
        return RQX_AGAIN;
    if (status < 300)
        return 0;
    copy_reason(reason, text);
    return rqx__err_set(err, status == 407 ? RQX_ERR_PROXY_AUTH : RQX_ERR_PROXY_REFUSED, "%d%s%s", status,
                        text[0] != '\0' ? " " : "", text);
}

/* Looks for complete heads in what is there.  0: the tunnel is open; RQX_AGAIN: more bytes are needed. */
static int take_heads(struct tunnel_wire *tunnel, struct rqx__err *err)
{
    for (;;) {
        size_t head_len =
            find_head_end(tunnel->input + tunnel->input_off, tunnel->input_len - tunnel->input_off, &tunnel->scanned);
        int rc;

        if (head_len == 0)
            return RQX_AGAIN;
        rc = take_head(tunnel, head_len, err);
        if (rc != RQX_AGAIN)
            return rc;
    }
}

static int receive_answer(struct tunnel_wire *tunnel, struct rqx__err *err)
{
    for (;;) {
        size_t got = 0;
        int rc;

        /* interim answers count too, so that an endless series of them ends */
        if (tunnel->input_len == HEAD_MAX)
            return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "the proxy's answer has a head of more than %d bytes",
                                HEAD_MAX);
        rc = rqx__wire_read(tunnel->wire.lower, tunnel->input + tunnel->input_len, HEAD_MAX - tunnel->input_len, &got,
                            err);
        if (rc != 0)
            return rc;
        if (got == 0)
            return rqx__err_set(err, RQX_ERR_TRUNCATED,
                                tunnel->input_len == 0 ? "the proxy closed the connection without an answer"
                                                       : "the proxy closed the connection within its answer");
        tunnel->input_len += got;
        rc = take_heads(tunnel, err);
        if (rc != RQX_AGAIN)
            return rc;
    }
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

/* Not empty, and nothing that could end the request line or begin another. */
static bool authority_is_sound(rqx_slice authority)
{
    size_t i;

    for (i = 0; i < authority.len; i++) {
        if ((unsigned char)authority.data[i] <= 0x20 || (unsigned char)authority.data[i] >= 0x7f)
            return false;
    }
    return authority.len > 0;
}

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

    if (authority.len > HEAD_MAX || fields.len > 4 * HEAD_MAX || !authority_is_sound(authority) ||
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
