#include "proto/connect.h"

#include <string.h>

#include "base/str.h"

#define REASON_MAX 120

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

int rqx__connect_refused(int status, rqx_slice reason, struct rqx__err *err)
{
    char text[REASON_MAX + 1];

    copy_reason(reason, text);
    return rqx__err_set(err, status == 407 ? RQX_ERR_PROXY_AUTH : RQX_ERR_PROXY_REFUSED, "%d%s%s", status,
                        text[0] != '\0' ? " " : "", text);
}

/* Takes one head.  0: the tunnel is open; RQX_AGAIN: interim, another one follows. */
static int take_head(rqx_slice head, struct rqx__err *err)
{
    rqx_slice reason;
    int status;

    if (memchr(head.data, '\0', head.len) != NULL)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: NUL in its head");
    status = parse_status_line(next_line(&head), &reason);
    if (status < 0)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: not an HTTP/1 status line");
    if (!fields_are_sound(head))
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: bad field line");
    if (status == 101)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: status 101");
    if (status < 200)
        return RQX_AGAIN;
    return status < 300 ? 0 : rqx__connect_refused(status, reason, err);
}

int rqx__connect_take(struct rqx__connect_answer *answer, const uint8_t *data, size_t len, struct rqx__err *err)
{
    size_t shown = len < RQX__CONNECT_ANSWER_MAX ? len : RQX__CONNECT_ANSWER_MAX;
    int rc = RQX_AGAIN;

    while (rc == RQX_AGAIN) {
        const uint8_t *head = data + answer->used;
        size_t head_len = find_head_end(head, shown - answer->used, &answer->scanned);

        if (head_len == 0)
            break;
        rc = take_head((rqx_slice){(const char *)head, head_len}, err);
        answer->used += head_len;
        answer->scanned = 0;
    }
    /* interim answers count too, so that an endless series of them ends */
    if (rc == RQX_AGAIN && len >= RQX__CONNECT_ANSWER_MAX)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "the proxy's answer has a head of more than %d bytes",
                            RQX__CONNECT_ANSWER_MAX);
    return rc;
}

bool rqx__connect_authority_is_sound(rqx_slice authority)
{
    size_t i;

    for (i = 0; i < authority.len; i++) {
        if ((unsigned char)authority.data[i] <= 0x20 || (unsigned char)authority.data[i] >= 0x7f)
            return false;
    }
    return authority.len > 0 && authority.len <= RQX__CONNECT_ANSWER_MAX;
}
