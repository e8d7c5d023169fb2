#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <requestx/error.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proto/h1_parse.h"
#include "support.h"

#define MAX_HEAD 1024

/* Writes down what the parser tells; body bytes that come in pieces are one entry. */
struct recorder {
    struct rqx__h1_parser parser;
    struct rqx__buf log;
    bool in_data;
    int events;
    int stop_at; /* the event that says stop; 0: none */
};

static void add(struct recorder *recorder, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct recorder *recorder, const char *format, ...)
{
    char text[512];
    va_list args;
    int len;

    if (recorder->in_data)
        ck_assert_int_eq(rqx__buf_append(&recorder->log, "\n", 1), 0);
    recorder->in_data = false;
    va_start(args, format);
    len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ck_assert_int_lt(len, (int)sizeof text);
    ck_assert_int_eq(rqx__buf_append(&recorder->log, text, (size_t)len), 0);
}

static int verdict(struct recorder *recorder)
{
    return ++recorder->events == recorder->stop_at ? -77 : 0;
}

static int on_status(void *user, int status, rqx_slice reason, rqx_http_version version)
{
    add(user, "S%d %d %.*s\n", (int)version, status, (int)reason.len, reason.data);
    return verdict(user);
}

static int on_field(void *user, rqx_slice name, rqx_slice value, bool trailer)
{
    add(user, "%s%.*s=%.*s\n", trailer ? "T" : "F", (int)name.len, name.data, (int)value.len, value.data);
    return verdict(user);
}

static int on_head_done(void *user, int status, int64_t length)
{
    add(user, "H%d %d\n", status, (int)length);
    return verdict(user);
}

static int on_data(void *user, const uint8_t *data, size_t len)
{
    struct recorder *recorder = user;

    ck_assert_uint_gt(len, 0);
    if (!recorder->in_data)
        add(recorder, "D");
    recorder->in_data = true;
    ck_assert_int_eq(rqx__buf_append(&recorder->log, data, len), 0);
    return verdict(recorder);
}

static const struct rqx__h1_events events = {on_status, on_field, on_head_done, on_data};

static void recorder_init(struct recorder *recorder, enum rqx__h1_expect expect, size_t max_head)
{
    memset(recorder, 0, sizeof *recorder);
    rqx__buf_init(&recorder->log, SIZE_MAX);
    rqx__h1_parser_init(&recorder->parser, &events, max_head, recorder);
    rqx__h1_parser_begin(&recorder->parser, expect);
}

static void recorder_done(struct recorder *recorder)
{
    rqx__h1_parser_done(&recorder->parser);
    rqx__buf_done(&recorder->log);
}

/* Feeds a piece from memory of its own size, so that reading beyond it is found out.  Gives the parser's result. */
static int feed(struct recorder *recorder, const char *text, size_t len, size_t *used, struct rqx__err *err)
{
    uint8_t *copy = malloc(len ? len : 1);
    size_t taken = 0;
    int rv;

    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, len);
    rv = rqx__h1_parser_feed(&recorder->parser, copy, len, &taken, err);
    ck_assert_uint_le(taken, len);
    if (rv == 0)
        ck_assert_uint_eq(taken, len);
    *used += taken;
    free(copy);
    return rv;
}

/* The end of the story: what the parser says of it all. */
static void conclude(struct recorder *recorder, int rv, size_t left, struct rqx__err *err)
{
    bool closed = rv == 0;

    if (closed)
        rv = rqx__h1_parser_eof(&recorder->parser, err);
    if (rv == RQX__H1_COMPLETE && closed)
        add(recorder, "closed");
    else if (rv == RQX__H1_COMPLETE)
        add(recorder, "%s %zu", rqx__h1_parser_keeps_alive(&recorder->parser) ? "keep" : "close", left);
    else
        add(recorder, "%s: %s", rqx_error_name(rv), err->text);
    ck_assert_int_eq(rqx__buf_append(&recorder->log, "", 1), 0);
}

static const char *log_text(const struct recorder *recorder)
{
    return (const char *)rqx__buf_head(&recorder->log);
}

/* |cut|: where the input is cut in two; SIZE_MAX: behind each byte. */
static void run_cut(struct recorder *recorder, const char *text, size_t len, size_t cut)
{
    struct rqx__err err;
    size_t used = 0;
    size_t at = 0;
    int rv = 0;

    rqx__err_clear(&err);
    while (rv == 0 && at < len) {
        size_t piece = cut == SIZE_MAX ? 1 : at < cut ? cut : len - at;

        rv = feed(recorder, text + at, piece, &used, &err);
        at += piece;
    }
    conclude(recorder, rv, len - used, &err);
}

struct story {
    const char *input;
    const char *want;
    size_t len; /* 0: strlen */
    enum rqx__h1_expect expect;
};

/* The same story must come out wherever the input is cut. */
static void check_story(const struct story *story, size_t max_head)
{
    size_t len = story->len != 0 ? story->len : strlen(story->input);
    struct recorder recorder;
    size_t cut;

    for (cut = 0; cut <= len; cut++) {
        size_t where = cut == 0 ? len : cut == len ? SIZE_MAX : cut;

        recorder_init(&recorder, story->expect, max_head);
        run_cut(&recorder, story->input, len, where);
        if (strcmp(log_text(&recorder), story->want) != 0)
            ck_abort_msg("cut at %zu of %s:\n%s\ninstead of\n%s", where, story->input, log_text(&recorder),
                         story->want);
        recorder_done(&recorder);
    }
}

static void check_stories(const struct story *stories, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        check_story(&stories[i], MAX_HEAD);
}

#define CHECK_STORIES(stories) check_stories((stories), sizeof(stories) / sizeof *(stories))

#define MALFORMED "RQX_ERR_PROTOCOL: malformed HTTP/1.1 response: "
#define OK        "HTTP/1.1 200 OK\r\n"
#define OK_TOLD   "S11 200 OK\n"

/* ---- RFC 9112 section 4 ---- */

START_TEST(status_lines)
{
    static const struct story stories[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", "S11 204 No Content\nH204 0\nkeep 0", 0, 0},
        {"HTTP/1.1 204 \r\n\r\n", "S11 204 \nH204 0\nkeep 0", 0, 0},
        {"HTTP/1.1 204\r\n\r\n", "S11 204 \nH204 0\nkeep 0", 0, 0},
        {"HTTP/1.1 304   spaced\tout \xc3\xa9\r\n\r\n", "S11 304   spaced\tout \xc3\xa9\nH304 0\nkeep 0", 0, 0},
        {"HTTP/1.0 204 No\r\n\r\n", "S10 204 No\nH204 0\nclose 0", 0, 0},
        /* a later minor version is understood as ours: RFC 9110 section 2.5 */
        {"HTTP/1.7 204 No\r\n\r\n", "S11 204 No\nH204 0\nkeep 0", 0, 0},
        {"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "S11 999 Odd\nFContent-Length=0\nH999 0\nkeep 0", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(bad_status_lines)
{
    static const struct story stories[] = {
        {"HTTP/1.1  200 OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1\t200 OK\r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/1.1 20 OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 2000 OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 020 OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 -20 OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 2x0 OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 20x OK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 200\tOK\r\n\r\n", MALFORMED "status code", 0, 0},
        {"HTTP/1.1 \r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/2.0 200 OK\r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/11 2 200 OK\r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/1.x 200 OK\r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/1.10 200 OK\r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/\r\n\r\n", MALFORMED "status line", 0, 0},
        {"HTTP/1.1 200 O\rK\r\n\r\n", MALFORMED "control character in the reason phrase", 0, 0},
        {"HTTP/1.1 200 O\0K\r\n\r\n", MALFORMED "control character in the reason phrase", 21, 0},
        {"HTTP/1.1 200 \x7f\r\n\r\n", MALFORMED "control character in the reason phrase", 0, 0},
        {"HTTP/1.1 200 OK\n\r\n", MALFORMED "line ends without CR", 0, 0},
        {"http/1.1 200 OK\r\n\r\n", "RQX_ERR_PROTOCOL: the peer does not speak HTTP/1.1", 0, 0},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", "RQX_ERR_PROTOCOL: the peer does not speak HTTP/1.1", 0, 0},
        {"HTT\r\n", "RQX_ERR_PROTOCOL: the peer does not speak HTTP/1.1", 0, 0},
        {"\n", "RQX_ERR_PROTOCOL: the peer does not speak HTTP/1.1", 0, 0},
        {"SSH-2.0-OpenSSH_9.2", "RQX_ERR_PROTOCOL: the peer does not speak HTTP/1.1", 0, 0},
        {"\x15\x03\x01\0\x02\x02\x16", "RQX_ERR_PROTOCOL: the peer does not speak HTTP/1.1", 7, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

/* ---- RFC 9112 section 5 ---- */

START_TEST(fields)
{
    static const struct story stories[] = {
        {OK "A: b\r\nC:d\r\nE:\t f g \t\r\nEmpty:\r\nBlank:  \t\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FA=b\nFC=d\nFE=f g\nFEmpty=\nFBlank=\nFContent-Length=0\nH200 0\nkeep 0", 0, 0},
        {OK "!#$%&'*+-.^_`|~0aZ: x\r\nV: a:b\tc \xff \"\r\ncontent-LENGTH: 0\r\n\r\n",
         OK_TOLD "F!#$%&'*+-.^_`|~0aZ=x\nFV=a:b\tc \xff \"\nFcontent-LENGTH=0\nH200 0\nkeep 0", 0, 0},
        {OK "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FSet-Cookie=a=b\nFSet-Cookie=c=d\nFContent-Length=0\nH200 0\nkeep 0", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(bad_fields)
{
    static const struct story stories[] = {
        {OK "A: b\r\n c\r\n\r\n", OK_TOLD "FA=b\n" MALFORMED "folded field line", 0, 0},
        {OK "A: b\r\n\tc\r\n\r\n", OK_TOLD "FA=b\n" MALFORMED "folded field line", 0, 0},
        {OK " A: b\r\n\r\n", OK_TOLD MALFORMED "folded field line", 0, 0},
        {OK " \r\n\r\n", OK_TOLD MALFORMED "folded field line", 0, 0},
        {OK "A : b\r\n\r\n", OK_TOLD MALFORMED "field name", 0, 0},
        {OK ": b\r\n\r\n", OK_TOLD MALFORMED "field name", 0, 0},
        {OK "A\r\n\r\n", OK_TOLD MALFORMED "field name", 0, 0},
        {OK "A b: c\r\n\r\n", OK_TOLD MALFORMED "field name", 0, 0},
        {OK "(A): c\r\n\r\n", OK_TOLD MALFORMED "field name", 0, 0},
        {OK "\xc3\xa9: c\r\n\r\n", OK_TOLD MALFORMED "field name", 0, 0},
        {OK "A\0: c\r\n\r\n", OK_TOLD MALFORMED "field name", sizeof(OK "A\0: c\r\n\r\n") - 1, 0},
        {OK "A: b\0c\r\n\r\n", OK_TOLD MALFORMED "control character in a field value", sizeof(OK "A: b\0c\r\n\r\n") - 1,
         0},
        {OK "A: b\rc\r\n\r\n", OK_TOLD MALFORMED "control character in a field value", 0, 0},
        {OK "A: b\r\r\n\r\n", OK_TOLD MALFORMED "control character in a field value", 0, 0},
        {OK "A: \x01\r\n\r\n", OK_TOLD MALFORMED "control character in a field value", 0, 0},
        {OK "A: b\nB: c\r\n\r\n", OK_TOLD MALFORMED "line ends without CR", 0, 0},
        {OK "A: b\r\n\n", OK_TOLD "FA=b\n" MALFORMED "line ends without CR", 0, 0},
        {OK "A: b\r\n\rX", OK_TOLD "FA=b\nRQX_ERR_TRUNCATED: peer closed the connection inside the header section", 0,
         0},
    };

    CHECK_STORIES(stories);
}
END_TEST

/* ---- RFC 9112 section 6 ---- */

START_TEST(lengths)
{
    static const struct story stories[] = {
        {OK "Content-Length: 5\r\n\r\nhello", OK_TOLD "FContent-Length=5\nH200 5\nDhello\nkeep 0", 0, 0},
        {OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1 200", OK_TOLD "FContent-Length=5\nH200 5\nDhello\nkeep 12", 0, 0},
        {OK "Content-Length: 0\r\n\r\nx", OK_TOLD "FContent-Length=0\nH200 0\nkeep 1", 0, 0},
        {OK "Content-Length: 0005\r\n\r\nhello", OK_TOLD "FContent-Length=0005\nH200 5\nDhello\nkeep 0", 0, 0},
        {OK "\r\nall there is", OK_TOLD "H200 -1\nDall there is\nclosed", 0, 0},
        {OK "\r\n", OK_TOLD "H200 -1\nclosed", 0, 0},
        {OK "Connection: keep-alive\r\n\r\nx", OK_TOLD "FConnection=keep-alive\nH200 -1\nDx\nclosed", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(bad_lengths)
{
    static const struct story stories[] = {
        {OK "Content-Length: 5\r\n\r\nhell",
         OK_TOLD "FContent-Length=5\nH200 5\nDhell\n"
                 "RQX_ERR_TRUNCATED: peer closed the connection after 4 of 5 bytes of the body",
         0, 0},
        {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
         OK_TOLD "FContent-Length=5\n" MALFORMED "more than one Content-Length", 0, 0},
        {OK "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello",
         OK_TOLD "FContent-Length=5\n" MALFORMED "more than one Content-Length", 0, 0},
        {OK "Content-Length: 5, 5\r\n\r\nhello", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length: +5\r\n\r\nhello", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length: -5\r\n\r\nhello", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length: 0x5\r\n\r\nhello", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length: 5 5\r\n\r\nhello", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length:\r\n\r\nhello", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length: 9223372036854775808\r\n\r\nx", OK_TOLD MALFORMED "Content-Length is not a number", 0, 0},
        {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
         OK_TOLD "FContent-Length=5\nFTransfer-Encoding=chunked\n" MALFORMED "Content-Length beside Transfer-Encoding",
         0, 0},
        {OK "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FTransfer-Encoding=chunked\nFContent-Length=0\n" MALFORMED "Content-Length beside Transfer-Encoding",
         0, 0},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", OK_TOLD MALFORMED "Transfer-Encoding other than chunked", 0, 0},
        {OK "Transfer-Encoding: chunked, chunked\r\n\r\n", OK_TOLD MALFORMED "Transfer-Encoding other than chunked", 0,
         0},
        {OK "Transfer-Encoding: identity\r\n\r\n", OK_TOLD MALFORMED "Transfer-Encoding other than chunked", 0, 0},
        {OK "Transfer-Encoding:\r\n\r\n", OK_TOLD MALFORMED "Transfer-Encoding other than chunked", 0, 0},
        {OK "Transfer-Encoding: xchunked\r\n\r\n", OK_TOLD MALFORMED "Transfer-Encoding other than chunked", 0, 0},
        {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
         OK_TOLD "FTransfer-Encoding=chunked\n" MALFORMED "more than one Transfer-Encoding", 0, 0},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         "S10 200 OK\nFTransfer-Encoding=chunked\n" MALFORMED "Transfer-Encoding in HTTP/1.0", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(responses_without_a_body)
{
    static const struct story stories[] = {
        {OK "Content-Length: 5\r\n\r\n", OK_TOLD "FContent-Length=5\nH200 0\nkeep 0", 0, RQX__H1_EXPECT_NO_BODY},
        {OK "Transfer-Encoding: chunked\r\n\r\n", OK_TOLD "FTransfer-Encoding=chunked\nH200 0\nkeep 0", 0,
         RQX__H1_EXPECT_NO_BODY},
        {OK "\r\n", OK_TOLD "H200 0\nkeep 0", 0, RQX__H1_EXPECT_NO_BODY},
        {"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", "S11 304 N\nFContent-Length=5\nH304 0\nkeep 0", 0, 0},
        {"HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n", "S11 204 N\nFContent-Length=0\nH204 0\nkeep 0", 0, 0},
        /* a body that must not be there may come all the same */
        {"HTTP/1.1 204 N\r\nContent-Length: 5\r\n\r\nhello", "S11 204 N\nFContent-Length=5\nH204 0\nclose 5", 0, 0},
        {"HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n",
         "S11 204 N\nFTransfer-Encoding=chunked\nH204 0\nclose 0", 0, 0},
        {"HTTP/1.1 205 R\r\nContent-Length: 0\r\n\r\n", "S11 205 R\nFContent-Length=0\nH205 0\nkeep 0", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(tunnels)
{
    static const struct story stories[] = {
        /* RFC 9110 section 9.3.6: framing fields mean nothing */
        {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\x16\x03\x01 and so on",
         OK_TOLD "FContent-Length=5\nFTransfer-Encoding=chunked\nH200 -1\nD\x16\x03\x01 and so on\nclosed", 0,
         RQX__H1_EXPECT_TUNNEL},
        {"HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno", "S11 407 Auth\nFContent-Length=2\nH407 2\nDno\nkeep 0", 0,
         RQX__H1_EXPECT_TUNNEL},
        {"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\nraw", "S11 101 Go\nFUpgrade=x\nH101 -1\nDraw\nclosed", 0,
         RQX__H1_EXPECT_UPGRADE},
        {"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\nraw", "RQX_ERR_PROTOCOL: 101 (Switching Protocols) was not asked for", 0,
         0},
        {OK "Content-Length: 2\r\n\r\nno", OK_TOLD "FContent-Length=2\nH200 2\nDno\nkeep 0", 0, RQX__H1_EXPECT_UPGRADE},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(interim_responses)
{
    static const struct story stories[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nok",
         "S11 100 Continue\nH100 0\n" OK_TOLD "FContent-Length=2\nH200 2\nDok\nkeep 0", 0, 0},
        {"HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 102 P\r\nContent-Length: 0\r\n\r\n" OK
         "Content-Length: 0\r\n\r\n",
         "S11 103 Early\nFLink=<a>\nH103 0\nS11 103 E\nH103 0\nS11 102 P\nFContent-Length=0\nH102 0\n" OK_TOLD
         "FContent-Length=0\nH200 0\nkeep 0",
         0, 0},
        {"HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n",
         "S11 100 C\nFContent-Length=5\n" MALFORMED "interim response with a body", 0, 0},
        {"HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n",
         "S11 100 C\nFTransfer-Encoding=chunked\n" MALFORMED "interim response with a body", 0, 0},
        {"HTTP/1.1 100 C\r\n\r\n",
         "S11 100 C\nH100 0\nRQX_ERR_TRUNCATED: peer closed the connection inside the header section", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

/* ---- RFC 9112 section 7 ---- */

#define CHUNKED      OK "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_TOLD OK_TOLD "FTransfer-Encoding=chunked\nH200 -1\n"

START_TEST(chunks)
{
    static const struct story stories[] = {
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n", CHUNKED_TOLD "Dhello\nkeep 0", 0, 0},
        {CHUNKED "5\r\nhello\r\n1\r\n \r\n00a\r\n0123456789\r\n0\r\n\r\nX", CHUNKED_TOLD "Dhello 0123456789\nkeep 1", 0,
         0},
        {CHUNKED "0\r\n\r\n", CHUNKED_TOLD "keep 0", 0, 0},
        {CHUNKED "000\r\n\r\n", CHUNKED_TOLD "keep 0", 0, 0},
        {CHUNKED "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", CHUNKED_TOLD "D01234567890123456789\nkeep 0", 0, 0},
        {CHUNKED "2;ext\r\nok\r\n0;a=b;c=\"d;e\"\r\n\r\n", CHUNKED_TOLD "Dok\nkeep 0", 0, 0},
        {CHUNKED "2 ; ext = \t1\r\nok\r\n0  \r\n\r\n", CHUNKED_TOLD "Dok\nkeep 0", 0, 0},
        /* CR and LF inside a chunk are data */
        {CHUNKED "4\r\n\r\n\r\n\r\n0\r\n\r\n", CHUNKED_TOLD "D\r\n\r\n\nkeep 0", 0, 0},
        {OK "TRANSFER-ENCODING: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
         OK_TOLD "FTRANSFER-ENCODING=Chunked\nH200 -1\nDx\nkeep 0", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(trailers)
{
    static const struct story stories[] = {
        {CHUNKED "1\r\nx\r\n0\r\nA: b\r\nGrpc-Status:\t0 \r\n\r\n", CHUNKED_TOLD "Dx\nTA=b\nTGrpc-Status=0\nkeep 0", 0,
         0},
        {CHUNKED "0\r\nA: b\r\n c\r\n\r\n", CHUNKED_TOLD "TA=b\n" MALFORMED "folded field line", 0, 0},
        {CHUNKED "0\r\nA\r\n\r\n", CHUNKED_TOLD MALFORMED "field name", 0, 0},
        {CHUNKED "0\r\nA: b\r\n\n", CHUNKED_TOLD "TA=b\n" MALFORMED "line ends without CR", 0, 0},
        {CHUNKED "0\r\ncontent-length: 0\r\n\r\n", CHUNKED_TOLD MALFORMED "framing field in the trailer section", 0, 0},
        {CHUNKED "0\r\nTransfer-Encoding: chunked\r\n\r\n",
         CHUNKED_TOLD MALFORMED "framing field in the trailer section", 0, 0},
        {CHUNKED "0\r\nA: b\r\n",
         CHUNKED_TOLD "TA=b\nRQX_ERR_TRUNCATED: peer closed the connection before the last chunk of the body", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(bad_chunks)
{
    static const struct story stories[] = {
        {CHUNKED "\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "x\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "-1\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "+1\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "0x1\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED " 1\r\nx\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "1 2\r\nx\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "1,\r\nx\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "ffffffffffffffff\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "0000000000000001\r\nx\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "1\nx\r\n", CHUNKED_TOLD MALFORMED "line ends without CR", 0, 0},
        {CHUNKED "1;a\nb\r\nx\r\n", CHUNKED_TOLD MALFORMED "line ends without CR", 0, 0},
        {CHUNKED "1;a\rb\r\nx\r\n", CHUNKED_TOLD MALFORMED "control character in a chunk extension", 0, 0},
        {CHUNKED "1;a\x01\r\nx\r\n", CHUNKED_TOLD MALFORMED "control character in a chunk extension", 0, 0},
        {CHUNKED "1\r\r\nx\r\n", CHUNKED_TOLD MALFORMED "chunk size", 0, 0},
        {CHUNKED "2\r\nabc\r\n", CHUNKED_TOLD "Dab\n" MALFORMED "chunk longer than its size", 0, 0},
        {CHUNKED "2\r\nab\n", CHUNKED_TOLD "Dab\n" MALFORMED "chunk longer than its size", 0, 0},
        {CHUNKED "2\r\nab\rx", CHUNKED_TOLD "Dab\n" MALFORMED "chunk longer than its size", 0, 0},
        {CHUNKED "2\r\nab\r",
         CHUNKED_TOLD "Dab\nRQX_ERR_TRUNCATED: peer closed the connection before the last chunk of the body", 0, 0},
        {CHUNKED "2\r\na",
         CHUNKED_TOLD "Da\nRQX_ERR_TRUNCATED: peer closed the connection before the last chunk of the body", 0, 0},
        {CHUNKED "1", CHUNKED_TOLD "RQX_ERR_TRUNCATED: peer closed the connection before the last chunk of the body", 0,
         0},
    };

    CHECK_STORIES(stories);
}
END_TEST

/* Runs |len| bytes of |text| in one piece. */
static void run_whole(struct recorder *recorder, enum rqx__h1_expect expect, const struct rqx__buf *text)
{
    recorder_init(recorder, expect, MAX_HEAD);
    run_cut(recorder, (const char *)rqx__buf_head(text), text->len, text->len);
}

static void append(struct rqx__buf *buf, const char *text)
{
    ck_assert_int_eq(rqx__buf_append(buf, text, strlen(text)), 0);
}

static void append_run(struct rqx__buf *buf, char c, size_t len)
{
    ck_assert_int_eq(rqx__buf_reserve(buf, len), 0);
    memset(rqx__buf_tail(buf), c, len);
    rqx__buf_commit(buf, len);
}

/* The text of the last entry. */
static const char *last_entry(const struct recorder *recorder)
{
    const char *last = strrchr(log_text(recorder), '\n');

    return last != NULL ? last + 1 : log_text(recorder);
}

START_TEST(a_chunk_line_has_a_longest)
{
    struct rqx__buf text;
    struct recorder recorder;
    struct story story;

    rqx__buf_init(&text, SIZE_MAX);
    append(&text, CHUNKED "1;");
    append_run(&text, 'e', RQX__H1_CHUNK_LINE_MAX - 2);
    append(&text, "\r\nx\r\n0\r\n\r\n");
    run_whole(&recorder, RQX__H1_EXPECT_ANY, &text);
    ck_assert_str_eq(last_entry(&recorder), "keep 0");
    recorder_done(&recorder);
    rqx__buf_clear(&text);
    append(&text, CHUNKED "1;");
    append_run(&text, 'e', RQX__H1_CHUNK_LINE_MAX - 1);
    append(&text, "\r\nx\r\n0\r\n\r\n");
    story = (struct story){(const char *)text.data, CHUNKED_TOLD MALFORMED "chunk size line too long", text.len, 0};
    check_story(&story, MAX_HEAD);
    rqx__buf_done(&text);
}
END_TEST

START_TEST(extensions_must_not_outweigh_data)
{
    struct rqx__buf text;
    struct recorder recorder;
    int i;

    rqx__buf_init(&text, SIZE_MAX);
    append(&text, CHUNKED);
    for (i = 0; i < 17; i++) {
        append(&text, "1;");
        append_run(&text, 'e', 999);
        append(&text, "\r\nx\r\n");
    }
    append(&text, "0\r\n\r\n");
    run_whole(&recorder, RQX__H1_EXPECT_ANY, &text);
    ck_assert_str_eq(last_entry(&recorder), MALFORMED "more chunk extensions than data");
    recorder_done(&recorder);
    /* as many of them are nothing to worry about where there is data too */
    rqx__buf_clear(&text);
    append(&text, CHUNKED);
    for (i = 0; i < 100; i++) {
        append(&text, "400;");
        append_run(&text, 'e', 999);
        append(&text, "\r\n");
        append_run(&text, 'x', 0x400);
        append(&text, "\r\n");
    }
    append(&text, "0\r\n\r\n");
    run_whole(&recorder, RQX__H1_EXPECT_ANY, &text);
    ck_assert_int_eq(strncmp(last_entry(&recorder), "keep ", 5), 0);
    recorder_done(&recorder);
    rqx__buf_done(&text);
}
END_TEST

/* ---- the connection: RFC 9112 section 9.3 ---- */

START_TEST(persistence)
{
    static const struct story stories[] = {
        {OK "Connection: close\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FConnection=close\nFContent-Length=0\nH200 0\nclose 0", 0, 0},
        {OK "Connection: x, CLOSE\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FConnection=x, CLOSE\nFContent-Length=0\nH200 0\nclose 0", 0, 0},
        {OK "Connection: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FConnection=x\nFConnection=close\nFContent-Length=0\nH200 0\nclose 0", 0, 0},
        {OK "Connection: keep-alive, close\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FConnection=keep-alive, close\nFContent-Length=0\nH200 0\nclose 0", 0, 0},
        {OK "Proxy-Connection: close\r\nContent-Length: 0\r\n\r\n",
         OK_TOLD "FProxy-Connection=close\nFContent-Length=0\nH200 0\nclose 0", 0, 0},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "S10 200 OK\nFContent-Length=0\nH200 0\nclose 0", 0, 0},
        {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n",
         "S10 200 OK\nFConnection=Keep-Alive\nFContent-Length=0\nH200 0\nkeep 0", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(ends_of_input)
{
    static const struct story stories[] = {
        {"", "RQX_ERR_TRUNCATED: peer closed the connection without an answer", 0, 0},
        {"H", "RQX_ERR_TRUNCATED: peer closed the connection inside the header section", 0, 0},
        {OK, OK_TOLD "RQX_ERR_TRUNCATED: peer closed the connection inside the header section", 0, 0},
        {OK "A: b", OK_TOLD "RQX_ERR_TRUNCATED: peer closed the connection inside the header section", 0, 0},
    };

    CHECK_STORIES(stories);
}
END_TEST

START_TEST(eof_after_the_end_is_no_error)
{
    struct recorder recorder;
    struct rqx__err err;
    size_t used = 0;

    recorder_init(&recorder, RQX__H1_EXPECT_NO_BODY, MAX_HEAD);
    ck_assert_int_eq(feed(&recorder, OK "\r\nrest", 23, &used, &err), RQX__H1_COMPLETE);
    ck_assert_uint_eq(used, 19);
    ck_assert_int_eq(feed(&recorder, "rest", 4, &used, &err), RQX__H1_COMPLETE);
    ck_assert_uint_eq(used, 19);
    ck_assert(rqx__h1_parser_keeps_alive(&recorder.parser));
    ck_assert_int_eq(rqx__h1_parser_eof(&recorder.parser, &err), RQX__H1_COMPLETE);
    ck_assert(!rqx__h1_parser_keeps_alive(&recorder.parser));
    recorder_done(&recorder);
}
END_TEST

START_TEST(one_response_after_another)
{
    static const char first[] = OK "Connection: keep-alive\r\nContent-Length: 1\r\n\r\nx";
    static const char second[] = "HTTP/1.0 404 No\r\nTransfer";
    struct recorder recorder;
    struct rqx__err err;
    size_t used = 0;

    recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
    ck_assert(!rqx__h1_parser_keeps_alive(&recorder.parser));
    ck_assert_int_eq(feed(&recorder, first, sizeof first - 1, &used, &err), RQX__H1_COMPLETE);
    ck_assert(rqx__h1_parser_keeps_alive(&recorder.parser));
    rqx__h1_parser_begin(&recorder.parser, RQX__H1_EXPECT_ANY);
    ck_assert(!rqx__h1_parser_keeps_alive(&recorder.parser));
    ck_assert_int_eq(feed(&recorder, second, sizeof second - 1, &used, &err), 0);
    /* nothing of one response stays for the next, half a line included */
    rqx__h1_parser_begin(&recorder.parser, RQX__H1_EXPECT_ANY);
    used = 0;
    ck_assert_int_eq(feed(&recorder, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 38, &used, &err),
                     RQX__H1_COMPLETE);
    ck_assert_uint_eq(used, 38);
    ck_assert(!rqx__h1_parser_keeps_alive(&recorder.parser));
    recorder_done(&recorder);
}
END_TEST

/* ---- limits ---- */

#define TOO_LARGE "RQX_ERR_HEADER_TOO_LARGE: header section is larger than 100 bytes"

START_TEST(header_sections_have_a_largest)
{
    /* 15 for the status line, 32 and the line for each field */
    static const struct story fits[] = {
        {OK "A: 34567890123456789012345678901234567890123456789012\r\n\r\n",
         OK_TOLD "FA=34567890123456789012345678901234567890123456789012\nH200 -1\nclosed", 0, 0},
        {OK "A: 3\r\nB: 56789012345678\r\n\r\n", OK_TOLD "FA=3\nFB=56789012345678\nH200 -1\nclosed", 0, 0},
    };
    static const struct story too_large[] = {
        {OK "A: 345678901234567890123456789012345678901234567890123\r\n\r\n", OK_TOLD TOO_LARGE, 0, 0},
        {OK "A: 3\r\nB: 567890123456789\r\n\r\n", OK_TOLD "FA=3\n" TOO_LARGE, 0, 0},
        {OK "A:                                                                                         b\r\n\r\n",
         OK_TOLD TOO_LARGE, 0, 0},
        {OK "a line without end ..................................................................................",
         OK_TOLD TOO_LARGE, 0, 0},
        {"HTTP/1.1 200 ........................................................................................\r\n",
         TOO_LARGE, 0, 0},
        {"HTTP/1.1 200 ........................................................................................\n",
         TOO_LARGE, 0, 0},
        {OK "A:                                                                                    \n",
         OK_TOLD TOO_LARGE, 0, 0},
        {"HTTP/1.1 103 E\r\nA: 3\r\n\r\nHTTP/1.1 103 E\r\nA: 34\r\n\r\n",
         "S11 103 E\nFA=3\nH103 0\nS11 103 E\n" TOO_LARGE, 0, 0},
        {"HTTP/1.1 103 12\r\n\r\nHTTP/1.1 103 12\r\n\r\nHTTP/1.1 103 12\r\n\r\nHTTP/1.1 103 12\r\n\r\n"
         "HTTP/1.1 103 12\r\n\r\nHTTP/1.1 103 12\r\n\r\nHTTP/1.1 103 12\r\n\r\n",
         "S11 103 12\nH103 0\nS11 103 12\nH103 0\nS11 103 12\nH103 0\nS11 103 12\nH103 0\nS11 103 12\nH103 0\n"
         "S11 103 12\nH103 0\n" TOO_LARGE,
         0, 0},
        {OK "Transfer-Encoding:chunked\r\n\r\n0\r\nA: b\r\n\r\n",
         OK_TOLD "FTransfer-Encoding=chunked\nH200 -1\n" TOO_LARGE, 0, 0},
    };
    size_t i;

    for (i = 0; i < sizeof fits / sizeof *fits; i++)
        check_story(&fits[i], 100);
    for (i = 0; i < sizeof too_large / sizeof *too_large; i++)
        check_story(&too_large[i], 100);
}
END_TEST

START_TEST(an_endless_line_costs_no_more_than_the_limit)
{
    struct recorder recorder;
    struct rqx__err err;
    size_t fed = 0;
    size_t used = 0;
    int rv;

    recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
    rv = feed(&recorder, OK "A: ", 20, &used, &err);
    while (rv == 0) {
        rv = feed(&recorder, "aaaaaaaaaaaaaaaa", 16, &used, &err);
        fed += 16;
        ck_assert_uint_le(fed, MAX_HEAD);
    }
    ck_assert_int_eq(rv, RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_uint_le(recorder.parser.line.cap, 2 * MAX_HEAD);
    recorder_done(&recorder);
}
END_TEST

START_TEST(without_a_limit_a_long_line_is_given_back)
{
    struct rqx__buf text;
    struct recorder recorder;
    struct rqx__err err;
    size_t used = 0;

    rqx__buf_init(&text, SIZE_MAX);
    append(&text, OK "A: ");
    append_run(&text, 'a', 100000);
    recorder_init(&recorder, RQX__H1_EXPECT_NO_BODY, SIZE_MAX);
    recorder.stop_at = 0;
    ck_assert_int_eq(feed(&recorder, (const char *)text.data, text.len, &used, &err), 0);
    ck_assert_uint_ge(recorder.parser.line.cap, 100000);
    rqx__h1_parser_begin(&recorder.parser, RQX__H1_EXPECT_ANY);
    ck_assert_uint_eq(recorder.parser.line.cap, 0);
    recorder_done(&recorder);
    rqx__buf_done(&text);
}
END_TEST

/* ---- the receiver's word ---- */

START_TEST(each_event_may_stop_it)
{
    static const char text[] = CHUNKED "1\r\nx\r\n1\r\ny\r\n0\r\nT: u\r\n\r\n";
    struct recorder recorder;
    struct rqx__err err;
    size_t used;
    int at;
    int rv;

    for (at = 1; at <= 6; at++) {
        recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
        recorder.stop_at = at;
        used = 0;
        rv = feed(&recorder, text, sizeof text - 1, &used, &err);
        ck_assert_int_eq(rv, RQX__H1_STOPPED);
        ck_assert_int_eq(recorder.events, at);
        recorder_done(&recorder);
    }
    recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
    recorder.stop_at = 7;
    used = 0;
    ck_assert_int_eq(feed(&recorder, text, sizeof text - 1, &used, &err), RQX__H1_COMPLETE);
    recorder_done(&recorder);
}
END_TEST

START_TEST(stopping_with_the_last_byte_counts)
{
    struct recorder recorder;
    struct rqx__err err;
    size_t used = 0;

    recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
    recorder.stop_at = 4;
    ck_assert_int_eq(feed(&recorder, OK "Content-Length: 1\r\n\r\nx", 39, &used, &err), RQX__H1_STOPPED);
    ck_assert_uint_eq(used, 39);
    recorder_done(&recorder);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(out_of_memory_is_told)
{
    struct recorder recorder;
    struct rqx__err err;
    size_t used = 0;

    recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
    ck_assert_int_eq(rqx__buf_reserve(&recorder.log, 4096), 0);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(feed(&recorder, OK "A: b", 21, &used, &err), RQX_ERR_NOMEM);
    ck_assert_int_eq(err.code, RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    recorder_done(&recorder);
    /* the end of a line needs room as well */
    recorder_init(&recorder, RQX__H1_EXPECT_ANY, MAX_HEAD);
    ck_assert_int_eq(rqx__buf_reserve(&recorder.log, 4096), 0);
    ck_assert_int_eq(feed(&recorder, OK "A: b", 21, &used, &err), 0);
    rqx__mem_fail_at(1, 0);
    {
        char rest[300];

        memset(rest, 'b', sizeof rest);
        memcpy(rest + 298, "\r\n", 2);
        ck_assert_int_eq(feed(&recorder, rest, sizeof rest, &used, &err), RQX_ERR_NOMEM);
    }
    rqx__mem_fail_at(0, 0);
    recorder_done(&recorder);
}
END_TEST
#endif

static void add_head_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "head");

    tcase_add_test(tcase, status_lines);
    tcase_add_test(tcase, bad_status_lines);
    tcase_add_test(tcase, fields);
    tcase_add_test(tcase, bad_fields);
    tcase_add_test(tcase, interim_responses);
    tcase_add_test(tcase, header_sections_have_a_largest);
    tcase_add_test(tcase, an_endless_line_costs_no_more_than_the_limit);
    tcase_add_test(tcase, without_a_limit_a_long_line_is_given_back);
}

static void add_body_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "body");

    tcase_add_test(tcase, lengths);
    tcase_add_test(tcase, bad_lengths);
    tcase_add_test(tcase, responses_without_a_body);
    tcase_add_test(tcase, tunnels);
    tcase_add_test(tcase, chunks);
    tcase_add_test(tcase, trailers);
    tcase_add_test(tcase, bad_chunks);
    tcase_add_test(tcase, a_chunk_line_has_a_longest);
    tcase_add_test(tcase, extensions_must_not_outweigh_data);
}

static Suite *h1_parse_suite(void)
{
    Suite *suite = suite_create("h1_parse");
    TCase *tcase = rqx_add_case(suite, "connection");

    add_head_tests(suite);
    add_body_tests(suite);
    tcase_add_test(tcase, persistence);
    tcase_add_test(tcase, ends_of_input);
    tcase_add_test(tcase, eof_after_the_end_is_no_error);
    tcase_add_test(tcase, one_response_after_another);
    tcase_add_test(tcase, each_event_may_stop_it);
    tcase_add_test(tcase, stopping_with_the_last_byte_counts);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, out_of_memory_is_told);
#endif
    return suite;
}

RQX_CHECK_MAIN(h1_parse_suite)
