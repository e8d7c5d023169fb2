#include "proto/h1_parse.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "http/headers.h"

/* What a field costs beside its line, as in RFC 9113 section 6.5.2. */
#define FIELD_COST 32
/* Memory for a cut line that is kept from one response to the next. */
#define LINE_KEEP 4096

#define STATUS_SWITCHING  101
#define STATUS_NO_CONTENT 204
#define STATUS_UNCHANGED  304

/* The input that is left. */
struct input {
    const uint8_t *at;
    size_t left;
};

void rqx__h1_parser_init(struct rqx__h1_parser *parser, const struct rqx__h1_events *events, size_t max_head,
                         void *user)
{
    memset(parser, 0, sizeof *parser);
    parser->events = events;
    parser->user = user;
    parser->max_head = max_head < SIZE_MAX / 2 ? max_head : SIZE_MAX / 2;
    rqx__buf_init(&parser->line, SIZE_MAX); /* lines are counted before they are kept */
    rqx__h1_parser_begin(parser, RQX__H1_EXPECT_ANY);
}

void rqx__h1_parser_done(struct rqx__h1_parser *parser)
{
    rqx__buf_done(&parser->line);
}

/* A header section begins: what was said of the message in an interim one does not count. */
static void begin_head(struct rqx__h1_parser *parser)
{
    parser->state = RQX__H1_STATUS_LINE;
    parser->content_length = RQX_LENGTH_UNKNOWN;
    parser->chunked = false;
}

void rqx__h1_parser_begin(struct rqx__h1_parser *parser, enum rqx__h1_expect expect)
{
    begin_head(parser);
    parser->expect = expect;
    parser->head_bytes = 0;
    parser->left = 0;
    parser->chunk_overhead = 0;
    parser->status = 0;
    parser->says_close = parser->says_keep_alive = parser->spoiled = false;
    if (parser->line.cap > LINE_KEEP)
        rqx__buf_done(&parser->line);
    else
        rqx__buf_clear(&parser->line);
}

static int malformed(struct rqx__err *err, const char *what)
{
    return rqx__err_set(err, RQX_ERR_PROTOCOL, "malformed HTTP/1.1 response: %s", what);
}

static int too_large(const struct rqx__h1_parser *parser, struct rqx__err *err)
{
    return rqx__err_set(err, RQX_ERR_HEADER_TOO_LARGE, "header section is larger than %zu bytes", parser->max_head);
}

static int event_result(int rv)
{
    return rv == 0 ? 0 : RQX__H1_STOPPED;
}

/* ---- lines ---- */

/* Bytes of a line, or of its beginning, that count: not the CR it may end with. */
static size_t counted(size_t len, uint8_t last)
{
    return last == '\r' ? len - 1 : len;
}

/* Keeps the beginning of a line. */
static int keep_part(struct rqx__h1_parser *parser, struct input *input, size_t most, struct rqx__err *err)
{
    if (counted(parser->line.len + input->left, input->at[input->left - 1]) > most)
        return RQX__H1_STOPPED;
    if (rqx__buf_append(&parser->line, input->at, input->left) < 0)
        return rqx__err_set(err, RQX_ERR_NOMEM, NULL);
    input->at += input->left;
    input->left = 0;
    return 0;
}

/* Puts the end of a line, |len| bytes with LF, behind the beginning that was kept. */
static int join_line(struct rqx__h1_parser *parser, rqx_slice *line, struct rqx__err *err)
{
    if (rqx__buf_append(&parser->line, line->data, line->len) < 0)
        return rqx__err_set(err, RQX_ERR_NOMEM, NULL);
    *line = (rqx_slice){(const char *)rqx__buf_head(&parser->line), parser->line.len};
    rqx__buf_clear(&parser->line); /* its memory stays until the next line is kept */
    return 0;
}

/*
 * Takes the next line off the input: |*ret_line| without CR LF, |*ret_whole| false if its end has not come yet.
 * RQX__H1_STOPPED where it is longer than |most|; RQX_ERR_PROTOCOL where it does not end with CR LF.
 */
static int take_line(struct rqx__h1_parser *parser, struct input *input, size_t most, rqx_slice *ret_line,
                     bool *ret_whole, struct rqx__err *err)
{
    const uint8_t *end = memchr(input->at, '\n', input->left);
    rqx_slice line;

    *ret_whole = end != NULL;
    if (end == NULL)
        return keep_part(parser, input, most, err);
    line = (rqx_slice){(const char *)input->at, (size_t)(end - input->at) + 1};
    if (parser->line.len > most + 1 || line.len > most + 2)
        return RQX__H1_STOPPED; /* before it costs memory */
    input->at += line.len;
    input->left -= line.len;
    if (parser->line.len != 0 && join_line(parser, &line, err) < 0)
        return RQX_ERR_NOMEM;
    line.len--;
    if (line.len == 0)
        return malformed(err, "line ends without CR");
    if (counted(line.len, (uint8_t)line.data[line.len - 1]) > most)
        return RQX__H1_STOPPED;
    if (line.data[line.len - 1] != '\r')
        return malformed(err, "line ends without CR");
    line.len--;
    *ret_line = line;
    return 0;
}

/* ---- the status line: RFC 9112 section 4 ---- */

static const char http_slash[] = "HTTP/";

/* "HTTP/1.x 200 reason"; without the reason the space before it is often missing too. */
static int parse_status(struct rqx__h1_parser *parser, rqx_slice line, rqx_slice *ret_reason, struct rqx__err *err)
{
    const char *text = line.data;

    if (line.len < 12 || text[5] != '1' || text[6] != '.' || !rqx__is_digit((unsigned char)text[7]) || text[8] != ' ')
        return malformed(err, "status line");
    if (text[9] < '1' || text[9] > '9' || !rqx__is_digit((unsigned char)text[10]) ||
        !rqx__is_digit((unsigned char)text[11]))
        return malformed(err, "status code");
    if (line.len > 12 && text[12] != ' ')
        return malformed(err, "status code");
    parser->version = text[7] == '0' ? RQX_HTTP_1_0 : RQX_HTTP_1_1;
    parser->status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    *ret_reason = line.len > 13 ? (rqx_slice){text + 13, line.len - 13} : (rqx_slice){"", 0};
    if (rqx__has_control(ret_reason->data, ret_reason->len))
        return malformed(err, "control character in the reason phrase");
    return 0;
}

/* A peer that speaks something else is found out by its first bytes, not when a line becomes too long. */
static bool looks_like_http(const struct rqx__h1_parser *parser, const struct input *input)
{
    size_t have = parser->line.len;
    size_t i;

    for (i = have; i < sizeof http_slash - 1 && i - have < input->left; i++) {
        if (input->at[i - have] != (uint8_t)http_slash[i])
            return false;
    }
    return true;
}

static int on_status_line(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    rqx_slice line;
    rqx_slice reason;
    bool whole;
    int rv;

    if (!looks_like_http(parser, input))
        return rqx__err_set(err, RQX_ERR_PROTOCOL, "the peer does not speak HTTP/1.1");
    rv = take_line(parser, input, parser->max_head - parser->head_bytes, &line, &whole, err);
    if (rv == RQX__H1_STOPPED)
        return too_large(parser, err);
    if (rv < 0 || !whole)
        return rv;
    parser->head_bytes += line.len;
    rv = parse_status(parser, line, &reason, err);
    if (rv < 0)
        return rv;
    if (parser->status == STATUS_SWITCHING && parser->expect != RQX__H1_EXPECT_UPGRADE)
        return rqx__err_set(err, RQX_ERR_PROTOCOL, "101 (Switching Protocols) was not asked for");
    parser->state = RQX__H1_FIELDS;
    return event_result(parser->events->status(parser->user, parser->status, reason, parser->version));
}

/* ---- fields: RFC 9112 section 5 ---- */

/* RFC 9110 section 8.6 allows a list of equal values to be mended; one value is what every honest server sends. */
static int note_length(struct rqx__h1_parser *parser, rqx_slice value, struct rqx__err *err)
{
    uint64_t length;

    if (parser->content_length != RQX_LENGTH_UNKNOWN)
        return malformed(err, "more than one Content-Length");
    if (rqx__parse_u64(value.data, value.len, INT64_MAX, &length) < 0)
        return malformed(err, "Content-Length is not a number");
    parser->content_length = (int64_t)length;
    return 0;
}

/* No other coding was asked for with TE (RFC 9110 section 10.1.4). */
static int note_coding(struct rqx__h1_parser *parser, rqx_slice value, struct rqx__err *err)
{
    if (parser->chunked)
        return malformed(err, "more than one Transfer-Encoding");
    if (!rqx__ieq(value.data, value.len, "chunked", 7))
        return malformed(err, "Transfer-Encoding other than chunked");
    parser->chunked = true;
    return 0;
}

static int note_field(struct rqx__h1_parser *parser, rqx_slice name, rqx_slice value, struct rqx__err *err)
{
    switch (rqx__field_id_of(name.data, name.len)) {
    case RQX__FIELD_CONTENT_LENGTH:
        return note_length(parser, value, err);
    case RQX__FIELD_TRANSFER_ENCODING:
        return note_coding(parser, value, err);
    case RQX__FIELD_PROXY_CONNECTION: /* never standard, but a proxy that says close means it */
    case RQX__FIELD_CONNECTION:
        parser->says_close |= rqx__list_has(value, "close");
        parser->says_keep_alive |= rqx__list_has(value, "keep-alive");
        return 0;
    default:
        return 0;
    }
}

/* What frames a message cannot stand behind it (RFC 9110 section 6.5.1). */
static int note_trailer(rqx_slice name, struct rqx__err *err)
{
    enum rqx__field_id id = rqx__field_id_of(name.data, name.len);

    if (id == RQX__FIELD_CONTENT_LENGTH || id == RQX__FIELD_TRANSFER_ENCODING)
        return malformed(err, "framing field in the trailer section");
    return 0;
}

static int parse_field(rqx_slice line, rqx_slice *ret_name, rqx_slice *ret_value, struct rqx__err *err)
{
    size_t i = 0;

    while (i < line.len && rqx__is_tchar((unsigned char)line.data[i]))
        i++;
    if (i == 0 && (line.data[0] == ' ' || line.data[0] == '\t'))
        return malformed(err, "folded field line"); /* RFC 9112 section 5.2 */
    if (i == 0 || i == line.len || line.data[i] != ':')
        return malformed(err, "field name");
    *ret_name = (rqx_slice){line.data, i};
    *ret_value = rqx__trim((rqx_slice){line.data + i + 1, line.len - i - 1});
    if (rqx__has_control(ret_value->data, ret_value->len))
        return malformed(err, "control character in a field value");
    return 0;
}

static int on_field(struct rqx__h1_parser *parser, rqx_slice line, bool trailer, struct rqx__err *err)
{
    rqx_slice name;
    rqx_slice value;
    int rv;

    if (parser->max_head - parser->head_bytes < line.len + FIELD_COST)
        return too_large(parser, err);
    parser->head_bytes += line.len + FIELD_COST;
    rv = parse_field(line, &name, &value, err);
    if (rv == 0)
        rv = trailer ? note_trailer(name, err) : note_field(parser, name, value, err);
    if (rv < 0)
        return rv;
    return event_result(parser->events->field(parser->user, name, value, trailer));
}

/* Lines up to the empty one, for which |*ret_end| is set. */
static int take_fields(struct rqx__h1_parser *parser, struct input *input, bool trailer, bool *ret_end,
                       struct rqx__err *err)
{
    *ret_end = false;
    while (input->left != 0) {
        rqx_slice line;
        bool whole;
        int rv = take_line(parser, input, parser->max_head - parser->head_bytes, &line, &whole, err);

        if (rv == RQX__H1_STOPPED)
            return too_large(parser, err);
        if (rv < 0 || !whole)
            return rv;
        *ret_end = line.len == 0;
        if (*ret_end)
            return 0;
        rv = on_field(parser, line, trailer, err);
        if (rv != 0)
            return rv;
    }
    return 0;
}

/* ---- the body's length: RFC 9112 section 6.3 ---- */

/* 1xx and 204 have no body and must not say that they do; a tunnel's bytes are nobody's body. */
static bool has_no_body(const struct rqx__h1_parser *parser)
{
    return parser->expect == RQX__H1_EXPECT_NO_BODY || parser->status < 200 || parser->status == STATUS_NO_CONTENT ||
           parser->status == STATUS_UNCHANGED;
}

static bool is_tunnel(const struct rqx__h1_parser *parser)
{
    return parser->status == STATUS_SWITCHING ||
           (parser->expect == RQX__H1_EXPECT_TUNNEL && parser->status >= 200 && parser->status < 300);
}

static int check_framing(struct rqx__h1_parser *parser, struct rqx__err *err)
{
    if (parser->chunked && parser->content_length != RQX_LENGTH_UNKNOWN)
        return malformed(err, "Content-Length beside Transfer-Encoding");
    if (parser->chunked && parser->version == RQX_HTTP_1_0)
        return malformed(err, "Transfer-Encoding in HTTP/1.0");
    if (parser->status < 200 && (parser->chunked || parser->content_length > 0))
        return malformed(err, "interim response with a body");
    /* a 204 that announces a body may be followed by it: nobody can tell it from the next response */
    if (parser->status == STATUS_NO_CONTENT && (parser->chunked || parser->content_length > 0))
        parser->spoiled = true;
    return 0;
}

/* Sets how the body is read; gives its length as head_done() tells it. */
static int64_t choose_body(struct rqx__h1_parser *parser)
{
    if (is_tunnel(parser)) {
        parser->state = RQX__H1_BODY_TO_CLOSE;
        return RQX_LENGTH_UNKNOWN;
    }
    if (has_no_body(parser)) {
        parser->state = RQX__H1_END;
        return 0;
    }
    if (parser->chunked) {
        parser->state = RQX__H1_CHUNK_SIZE;
        return RQX_LENGTH_UNKNOWN;
    }
    if (parser->content_length == RQX_LENGTH_UNKNOWN) {
        parser->state = RQX__H1_BODY_TO_CLOSE;
        return RQX_LENGTH_UNKNOWN;
    }
    parser->left = (uint64_t)parser->content_length;
    parser->state = parser->left == 0 ? RQX__H1_END : RQX__H1_BODY_LENGTH;
    return parser->content_length;
}

static int on_fields(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    int status = parser->status;
    int64_t length;
    bool end;
    int rv = take_fields(parser, input, false, &end, err);

    if (rv == 0 && end && !is_tunnel(parser))
        rv = check_framing(parser, err);
    if (rv != 0 || !end)
        return rv;
    if (status < 200 && status != STATUS_SWITCHING) {
        begin_head(parser);
        length = 0;
    } else {
        length = choose_body(parser);
    }
    return event_result(parser->events->head_done(parser->user, status, length));
}

/* ---- the body ---- */

static int give_data(struct rqx__h1_parser *parser, struct input *input, size_t len)
{
    const uint8_t *data = input->at;

    input->at += len;
    input->left -= len;
    return event_result(parser->events->data(parser->user, data, len));
}

/* Gives what there is of the |left| bytes; |next| is the state after the last. */
static int give_left(struct rqx__h1_parser *parser, struct input *input, enum rqx__h1_state next)
{
    size_t len = parser->left < input->left ? (size_t)parser->left : input->left;

    parser->left -= len;
    if (parser->left == 0)
        parser->state = next;
    return give_data(parser, input, len);
}

static int on_body_length(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    (void)err;
    return give_left(parser, input, RQX__H1_END);
}

static int on_body_to_close(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    (void)err;
    return give_data(parser, input, input->left);
}

/* ---- chunks: RFC 9112 section 7.1 ---- */

/* Spaces after the size are seen in the wild and mean nothing. */
static size_t skip_blank(rqx_slice line, size_t at)
{
    while (at < line.len && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    return at;
}

/* At most 15 digits: 2^60 bytes. */
static int parse_size(rqx_slice line, uint64_t *ret_size, size_t *ret_digits, struct rqx__err *err)
{
    uint64_t size = 0;
    size_t i;

    for (i = 0; i < line.len; i++) {
        int digit = rqx__hex_value((unsigned char)line.data[i]);

        if (digit < 0)
            break;
        if (i == 15)
            return malformed(err, "chunk size");
        size = size << 4 | (uint64_t)digit;
    }
    if (i == 0)
        return malformed(err, "chunk size");
    *ret_size = size;
    *ret_digits = i;
    return 0;
}

/* Extensions mean nothing to us, and a peer that sends little else keeps us busy for nothing. */
static int check_extensions(struct rqx__h1_parser *parser, rqx_slice line, size_t at, uint64_t size,
                            struct rqx__err *err)
{
    size_t after = skip_blank(line, at);

    if (after < line.len && line.data[after] != ';')
        return malformed(err, "chunk size");
    if (rqx__has_control(line.data + after, line.len - after))
        return malformed(err, "control character in a chunk extension");
    parser->chunk_overhead += line.len - at;
    parser->chunk_overhead -= size < parser->chunk_overhead ? size : parser->chunk_overhead;
    if (parser->chunk_overhead > RQX__H1_CHUNK_OVERHEAD_MAX)
        return malformed(err, "more chunk extensions than data");
    return 0;
}

static int on_chunk_size(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    rqx_slice line;
    size_t digits = 0;
    uint64_t size = 0;
    bool whole;
    int rv = take_line(parser, input, RQX__H1_CHUNK_LINE_MAX, &line, &whole, err);

    if (rv == RQX__H1_STOPPED)
        return malformed(err, "chunk size line too long");
    if (rv < 0 || !whole)
        return rv;
    rv = parse_size(line, &size, &digits, err);
    if (rv == 0)
        rv = check_extensions(parser, line, digits, size, err);
    if (rv < 0)
        return rv;
    parser->left = size;
    parser->state = size == 0 ? RQX__H1_TRAILERS : RQX__H1_CHUNK_DATA;
    return 0;
}

static int on_chunk_data(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    (void)err;
    return give_left(parser, input, RQX__H1_CHUNK_END);
}

/* CR LF behind a chunk's data. */
static int on_chunk_end(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    while (input->left != 0) {
        uint8_t want = parser->left == 0 ? '\r' : '\n';

        if (*input->at != want)
            return malformed(err, "chunk longer than its size");
        input->at++;
        input->left--;
        if (want == '\n') {
            parser->left = 0;
            parser->state = RQX__H1_CHUNK_SIZE;
            return 0;
        }
        parser->left = 1; /* CR was seen */
    }
    return 0;
}

static int on_trailers(struct rqx__h1_parser *parser, struct input *input, struct rqx__err *err)
{
    bool end;
    int rv = take_fields(parser, input, true, &end, err);

    if (rv == 0 && end)
        parser->state = RQX__H1_END;
    return rv;
}

/* ---- the machine ---- */

static int (*const handlers[])(struct rqx__h1_parser *, struct input *, struct rqx__err *) = {
    [RQX__H1_STATUS_LINE] = on_status_line, [RQX__H1_FIELDS] = on_fields,
    [RQX__H1_BODY_LENGTH] = on_body_length, [RQX__H1_BODY_TO_CLOSE] = on_body_to_close,
    [RQX__H1_CHUNK_SIZE] = on_chunk_size,   [RQX__H1_CHUNK_DATA] = on_chunk_data,
    [RQX__H1_CHUNK_END] = on_chunk_end,     [RQX__H1_TRAILERS] = on_trailers,
};

int rqx__h1_parser_feed(struct rqx__h1_parser *parser, const uint8_t *data, size_t len, size_t *ret_used,
                        struct rqx__err *err)
{
    struct input input = {data, len};
    int rv = 0;

    while (rv == 0 && input.left != 0 && parser->state != RQX__H1_END)
        rv = handlers[parser->state](parser, &input, err);
    *ret_used = len - input.left;
    if (rv == 0 && parser->state == RQX__H1_END)
        rv = RQX__H1_COMPLETE;
    return rv;
}

static int truncated(const struct rqx__h1_parser *parser, struct rqx__err *err)
{
    if (parser->state == RQX__H1_STATUS_LINE && parser->head_bytes == 0 && parser->line.len == 0)
        return rqx__err_set(err, RQX_ERR_TRUNCATED, "peer closed the connection without an answer");
    if (parser->state == RQX__H1_STATUS_LINE || parser->state == RQX__H1_FIELDS)
        return rqx__err_set(err, RQX_ERR_TRUNCATED, "peer closed the connection inside the header section");
    if (parser->state == RQX__H1_BODY_LENGTH)
        return rqx__err_set(err, RQX_ERR_TRUNCATED,
                            "peer closed the connection after %" PRIu64 " of %" PRId64 " bytes of the body",
                            (uint64_t)parser->content_length - parser->left, parser->content_length);
    return rqx__err_set(err, RQX_ERR_TRUNCATED, "peer closed the connection before the last chunk of the body");
}

int rqx__h1_parser_eof(struct rqx__h1_parser *parser, struct rqx__err *err)
{
    if (parser->state == RQX__H1_BODY_TO_CLOSE)
        parser->state = RQX__H1_END;
    if (parser->state != RQX__H1_END)
        return truncated(parser, err);
    parser->says_close = true;
    return RQX__H1_COMPLETE;
}

bool rqx__h1_parser_keeps_alive(const struct rqx__h1_parser *parser)
{
    if (parser->state != RQX__H1_END || parser->spoiled || parser->says_close)
        return false;
    return parser->version != RQX_HTTP_1_0 || parser->says_keep_alive;
}
