#include <stdio.h>
#include <string.h>

#include <requestx/error.h>

#include "base/mem.h"
#include "base/str.h"
#include "proto/h1_write.h"
#include "support.h"

/* A request to be filled in. */
struct request {
    struct rqx__head head;
    rqx_headers *fields;
    rqx_headers *defaults;
    rqx_headers *trailers;
    struct rqx__h1_plan plan;
    struct rqx__buf out;
};

static rqx_headers *make_headers(void)
{
    rqx_headers *headers = NULL;

    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    return headers;
}

static void request_init(struct request *request, const char *method, const char *target)
{
    memset(request, 0, sizeof *request);
    request->fields = make_headers();
    request->defaults = make_headers();
    request->trailers = make_headers();
    request->head.method = (rqx_slice){method, strlen(method)};
    request->head.scheme = RQX__LIT("https");
    request->head.authority = RQX__LIT("example.com");
    request->head.target = (rqx_slice){target, strlen(target)};
    request->head.fields = request->fields;
    request->head.defaults = request->defaults;
    request->head.body_length = RQX_LENGTH_UNKNOWN;
    rqx__buf_init(&request->out, SIZE_MAX);
}

static void request_done(struct request *request)
{
    rqx_headers_free(request->fields);
    rqx_headers_free(request->defaults);
    rqx_headers_free(request->trailers);
    rqx__buf_done(&request->out);
}

static void add(rqx_headers *headers, const char *name, const char *value)
{
    ck_assert_int_eq(rqx_headers_add(headers, name, strlen(name), value, strlen(value)), 0);
}

static void check_out(struct request *request, const char *want)
{
    ck_assert_int_eq(rqx__buf_append(&request->out, "", 1), 0);
    ck_assert_str_eq((const char *)rqx__buf_head(&request->out), want);
}

/* Writes the head and compares; frees. */
static void check_head(struct request *request, const char *want)
{
    ck_assert_int_eq(rqx__h1_plan(&request->head, &request->plan), 0);
    ck_assert_int_eq(rqx__h1_write_head(&request->out, &request->head, &request->plan), 0);
    check_out(request, want);
    request_done(request);
}

static void check_refused(struct request *request, int code)
{
    ck_assert_int_eq(rqx__h1_plan(&request->head, &request->plan), code);
    request_done(request);
}

#define GET "GET / HTTP/1.1\r\nHost: example.com\r\n"
#define PUT "PUT / HTTP/1.1\r\nHost: example.com\r\n"

/* ---- lines ---- */

START_TEST(a_small_request)
{
    struct request request;

    request_init(&request, "GET", "/a?b=c");
    check_head(&request, "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\n");
    request_init(&request, "OPTIONS", "*");
    request.head.fields = request.head.defaults = NULL;
    check_head(&request, "OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n");
    request_init(&request, "GET", "http://example.com/a");
    request.head.proxy_fields = RQX__LIT("Proxy-Authorization: Basic eA==\r\n");
    check_head(&request, "GET http://example.com/a HTTP/1.1\r\nHost: example.com\r\n"
                         "Proxy-Authorization: Basic eA==\r\n\r\n");
}
END_TEST

/* Credentials for a proxy are not for an origin behind it. */
START_TEST(proxy_credentials_end_at_the_tunnel)
{
    struct request request;

    request_init(&request, "GET", "/");
    request.head.in_tunnel = true;
    add(request.defaults, "Proxy-Authorization", "Basic abc");
    add(request.fields, "Proxy-Authorization", "Basic def");
    add(request.fields, "X-End", "1");
    check_head(&request, GET "X-End: 1\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.fields, "Proxy-Authorization", "Basic def");
    check_head(&request, GET "Proxy-Authorization: Basic def\r\n\r\n");
}
END_TEST

START_TEST(fields_replace_defaults_of_their_name)
{
    struct request request;

    request_init(&request, "GET", "/");
    add(request.defaults, "Accept", "*/*");
    add(request.defaults, "User-Agent", "requestx");
    add(request.defaults, "X-Two", "1");
    add(request.defaults, "X-Two", "2");
    add(request.fields, "ACCEPT", "text/html");
    add(request.fields, "x-Own", "a");
    add(request.fields, "x-Own", "b");
    check_head(&request, GET "User-Agent: requestx\r\nX-Two: 1\r\nX-Two: 2\r\nACCEPT: text/html\r\n"
                             "x-Own: a\r\nx-Own: b\r\n\r\n");
}
END_TEST

START_TEST(host_is_said_once_and_first)
{
    struct request request;

    request_init(&request, "GET", "/");
    request.head.authority = RQX__LIT("other:8080");
    add(request.defaults, "Host", "wrong");
    add(request.fields, "Accept", "*/*");
    add(request.fields, "Host", "other:8080");
    check_head(&request, "GET / HTTP/1.1\r\nHost: other:8080\r\nAccept: */*\r\n\r\n");
}
END_TEST

START_TEST(authorization_yields_to_the_users)
{
    struct request request;

    request_init(&request, "GET", "/");
    request.head.authorization = RQX__LIT("Bearer t");
    check_head(&request, GET "Authorization: Bearer t\r\n\r\n");
    request_init(&request, "GET", "/");
    request.head.authorization = RQX__LIT("Bearer t");
    add(request.fields, "authorization", "mine");
    check_head(&request, GET "authorization: mine\r\n\r\n");
    request_init(&request, "GET", "/");
    request.head.authorization = RQX__LIT("Bearer t");
    add(request.defaults, "Authorization", "of the client");
    check_head(&request, GET "Authorization: Bearer t\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.defaults, "Authorization", "of the client");
    check_head(&request, GET "Authorization: of the client\r\n\r\n");
}
END_TEST

START_TEST(cookies_are_one_field)
{
    struct request request;

    request_init(&request, "GET", "/");
    add(request.defaults, "Cookie", "dropped=1");
    add(request.fields, "Cookie", "a=1");
    add(request.fields, "X", "y");
    add(request.fields, "cookie", "b=2; c=3");
    add(request.fields, "Cookie", "d=4");
    check_head(&request, GET "Cookie: a=1; b=2; c=3; d=4\r\nX: y\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.fields, "Cookie", "a=1");
    add(request.fields, "X", "y");
    add(request.fields, "cookie", "b=2");
    request.head.cookies = RQX__LIT("e=5; f=6");
    check_head(&request, GET "Cookie: a=1; b=2; e=5; f=6\r\nX: y\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.defaults, "Cookie", "default=1");
    request.head.cookies = RQX__LIT("e=5");
    check_head(&request, GET "Cookie: default=1; e=5\r\n\r\n");
    request_init(&request, "GET", "/");
    request.head.cookies = RQX__LIT("e=5");
    check_head(&request, GET "Cookie: e=5\r\n\r\n");
}
END_TEST

START_TEST(te_is_named_by_connection)
{
    struct request request;

    request_init(&request, "GET", "/");
    add(request.fields, "TE", "trailers");
    check_head(&request, GET "TE: trailers\r\nConnection: TE\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.defaults, "TE", "trailers");
    add(request.defaults, "Connection", "keep-alive");
    check_head(&request, GET "TE: trailers\r\nConnection: keep-alive\r\nConnection: TE\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.fields, "TE", "trailers");
    add(request.fields, "Connection", "close, te");
    check_head(&request, GET "TE: trailers\r\nConnection: close, te\r\n\r\n");
}
END_TEST

START_TEST(connection_close_is_noticed)
{
    struct request request;

    request_init(&request, "GET", "/");
    add(request.defaults, "Connection", "close");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert(request.plan.closes);
    add(request.fields, "Connection", "keep-alive");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert(!request.plan.closes);
    add(request.fields, "Connection", "Close");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert(request.plan.closes);
    request_done(&request);
}
END_TEST

START_TEST(the_answer_depends_on_the_method)
{
    static const struct {
        const char *method;
        enum rqx__h1_expect answer;
    } table[] = {{"HEAD", RQX__H1_EXPECT_NO_BODY},
                 {"CONNECT", RQX__H1_EXPECT_TUNNEL},
                 {"head", RQX__H1_EXPECT_ANY},
                 {"GET", RQX__H1_EXPECT_ANY}};
    struct request request;
    size_t i;

    for (i = 0; i < sizeof table / sizeof *table; i++) {
        request_init(&request, table[i].method, "/");
        ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
        ck_assert_int_eq(request.plan.answer, table[i].answer);
        request_done(&request);
    }
    request_init(&request, "GET", "/");
    add(request.fields, "Upgrade", "websocket");
    add(request.fields, "Connection", "Upgrade");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert_int_eq(request.plan.answer, RQX__H1_EXPECT_UPGRADE);
    check_head(&request, GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}
END_TEST

START_TEST(what_would_break_the_message_is_refused)
{
    static const char *const methods[] = {"", "GE T", "GET\r\nX:", "G:"};
    static const char *const targets[] = {"", "/a b", "/a\tb", "/a\r\nX: y", "/\x7f"};
    static const char *const authorities[] = {"a\r\nX: y", " a", "a\x01"};
    struct request request;
    size_t i;

    for (i = 0; i < sizeof methods / sizeof *methods; i++) {
        request_init(&request, methods[i], "/");
        check_refused(&request, RQX_ERR_INVALID_METHOD);
    }
    for (i = 0; i < sizeof targets / sizeof *targets; i++) {
        request_init(&request, "GET", targets[i]);
        check_refused(&request, RQX_ERR_INVALID_URL);
    }
    for (i = 0; i < sizeof authorities / sizeof *authorities; i++) {
        request_init(&request, "GET", "/");
        request.head.authority = (rqx_slice){authorities[i], strlen(authorities[i])};
        check_refused(&request, RQX_ERR_INVALID_FIELD);
    }
    request_init(&request, "GET", "/");
    request.head.target = (rqx_slice){"/\0", 2};
    check_refused(&request, RQX_ERR_INVALID_URL);
}
END_TEST

/* ---- framing ---- */

START_TEST(no_body_says_nothing_or_zero)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.send_zero_length = true;
    check_head(&request, PUT "Content-Length: 0\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.fields, "Content-Length", "0");
    check_head(&request, GET "Content-Length: 0\r\n\r\n");
    request_init(&request, "GET", "/");
    add(request.fields, "Transfer-Encoding", "chunked");
    check_head(&request, GET "\r\n");
}
END_TEST

START_TEST(a_known_length_is_announced)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = INT64_MAX;
    check_head(&request, PUT "Content-Length: 9223372036854775807\r\n\r\n");
    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = 0;
    check_head(&request, PUT "Content-Length: 0\r\n\r\n");
    /* the user's word is as good as ours */
    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    add(request.fields, "content-length", "17");
    add(request.fields, "Transfer-Encoding", "chunked");
    check_head(&request, PUT "Content-Length: 17\r\n\r\n");
}
END_TEST

START_TEST(an_unknown_length_is_chunked)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    check_head(&request, PUT "Transfer-Encoding: chunked\r\n\r\n");
    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = 5;
    add(request.fields, "Transfer-Encoding", "chunked");
    check_head(&request, PUT "Transfer-Encoding: chunked\r\n\r\n");
    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = 5;
    add(request.fields, "Transfer-Encoding", "gzip");
    check_head(&request, PUT "Content-Length: 5\r\n\r\n");
}
END_TEST

START_TEST(a_length_that_is_wrong_is_refused)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = 5;
    add(request.fields, "Content-Length", "6");
    check_refused(&request, RQX_ERR_REQUEST_LENGTH);
    request_init(&request, "GET", "/");
    add(request.fields, "Content-Length", "6");
    check_refused(&request, RQX_ERR_REQUEST_LENGTH);
    /* no number: ours is sent */
    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = 5;
    add(request.fields, "Content-Length", "five");
    check_head(&request, PUT "Content-Length: 5\r\n\r\n");
}
END_TEST

START_TEST(an_expectation_needs_content)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.has_body = request.head.expect_continue = true;
    request.head.body_length = 5;
    add(request.fields, "Expect", "100-continue");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert(request.plan.expects);
    check_head(&request, PUT "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    request_init(&request, "PUT", "/");
    request.head.has_body = request.head.expect_continue = true;
    request.head.body_length = 0;
    add(request.fields, "Expect", "100-continue");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert(!request.plan.expects);
    check_head(&request, PUT "Content-Length: 0\r\n\r\n");
    request_init(&request, "GET", "/");
    request.head.expect_continue = true;
    add(request.fields, "Expect", "100-continue");
    check_head(&request, GET "\r\n");
    /* another expectation is the user's affair */
    request_init(&request, "GET", "/");
    add(request.fields, "Expect", "wonders");
    check_head(&request, GET "Expect: wonders\r\n\r\n");
}
END_TEST

START_TEST(trailers_follow_the_last_chunk)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.has_body = true;
    request.head.body_length = 5;
    request.head.trailers = request.trailers;
    add(request.trailers, "Content-Length", "5");
    add(request.trailers, "X-Sum", "abc");
    add(request.trailers, "Host", "evil");
    add(request.trailers, "x-more", "d e");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    ck_assert(request.plan.chunked);
    ck_assert_int_eq(request.plan.length, 5);
    ck_assert_int_eq(rqx__h1_write_head(&request.out, &request.head, &request.plan), 0);
    ck_assert_int_eq(rqx__h1_write_end(&request.out, &request.head), 0);
    check_out(&request, PUT "Trailer: X-Sum, x-more\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "0\r\nX-Sum: abc\r\nx-more: d e\r\n\r\n");
    request_done(&request);
}
END_TEST

START_TEST(the_users_trailer_field_stands)
{
    struct request request;

    request_init(&request, "PUT", "/");
    request.head.trailers = request.trailers;
    add(request.trailers, "X-Sum", "abc");
    add(request.fields, "Trailer", "x-sum");
    check_head(&request, PUT "Trailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n");
    /* nothing but what must not be there */
    request_init(&request, "PUT", "/");
    request.head.trailers = request.trailers;
    add(request.trailers, "Transfer-Encoding", "chunked");
    check_head(&request, PUT "Transfer-Encoding: chunked\r\n\r\n");
    /* an empty list is none */
    request_init(&request, "GET", "/");
    request.head.trailers = request.trailers;
    check_head(&request, GET "\r\n");
}
END_TEST

START_TEST(a_body_without_trailers_ends_with_an_empty_section)
{
    struct request request;

    request_init(&request, "PUT", "/");
    ck_assert_int_eq(rqx__h1_write_end(&request.out, &request.head), 0);
    check_out(&request, "0\r\n\r\n");
    request_done(&request);
}
END_TEST

/* ---- chunks ---- */

static void check_chunk(size_t room, size_t len)
{
    struct rqx__buf out;
    uint8_t *data = NULL;
    size_t cap = 0;
    char head[20];
    size_t head_len;

    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&out, "before", 6), 0);
    ck_assert_int_eq(rqx__h1_chunk_begin(&out, room, &data, &cap), 0);
    ck_assert_uint_gt(cap, 0);
    len = len < cap ? len : cap;
    memset(data, 'x', len);
    rqx__h1_chunk_commit(&out, data, len);
    ck_assert_uint_le(out.len, 6 + room);
    head_len = (size_t)snprintf(head, sizeof head, "%zx\r\n", len);
    ck_assert_mem_eq(rqx__buf_head(&out), "before", 6);
    ck_assert_mem_eq(rqx__buf_head(&out) + 6, head, head_len);
    ck_assert_uint_eq(out.len, 6 + head_len + len + 2);
    ck_assert_mem_eq(rqx__buf_head(&out) + out.len - 2, "\r\n", 2);
    ck_assert_uint_eq(rqx__buf_head(&out)[6 + head_len], 'x');
    ck_assert_uint_eq(rqx__buf_head(&out)[6 + head_len + len - 1], 'x');
    rqx__buf_done(&out);
}

START_TEST(chunks_fit_their_room)
{
    static const size_t rooms[] = {6, 7, 8, 15, 16, 17, 20, 21, 22, 64, 255, 256, 260, 4095, 4096, 4100, 65536, 70000};
    size_t i;

    for (i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        check_chunk(rooms[i], 1);
        check_chunk(rooms[i], 9);
        check_chunk(rooms[i], 17);
        check_chunk(rooms[i], SIZE_MAX);
    }
}
END_TEST

START_TEST(there_is_a_smallest_room)
{
    struct rqx__buf out;
    uint8_t *data;
    size_t cap;
    size_t room;

    rqx__buf_init(&out, SIZE_MAX);
    for (room = 0; room < 6; room++) {
        cap = 99;
        ck_assert_int_eq(rqx__h1_chunk_begin(&out, room, &data, &cap), 0);
        ck_assert_uint_eq(cap, 0);
    }
    rqx__buf_done(&out);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(out_of_memory_is_told)
{
    struct request request;
    uint8_t *data;
    size_t cap;

    request_init(&request, "GET", "/");
    ck_assert_int_eq(rqx__h1_plan(&request.head, &request.plan), 0);
    rqx__mem_fail_at(1, 1);
    ck_assert_int_eq(rqx__h1_write_head(&request.out, &request.head, &request.plan), RQX_ERR_NOMEM);
    ck_assert_int_eq(rqx__h1_write_end(&request.out, &request.head), RQX_ERR_NOMEM);
    ck_assert_int_eq(rqx__h1_chunk_begin(&request.out, 100, &data, &cap), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_uint_eq(request.out.len, 0);
    request_done(&request);
}
END_TEST
#endif

static Suite *h1_write_suite(void)
{
    Suite *suite = suite_create("h1_write");
    TCase *lines = rqx_add_case(suite, "lines");
    TCase *framing = rqx_add_case(suite, "framing");

    tcase_add_test(lines, a_small_request);
    tcase_add_test(lines, proxy_credentials_end_at_the_tunnel);
    tcase_add_test(lines, fields_replace_defaults_of_their_name);
    tcase_add_test(lines, host_is_said_once_and_first);
    tcase_add_test(lines, authorization_yields_to_the_users);
    tcase_add_test(lines, cookies_are_one_field);
    tcase_add_test(lines, te_is_named_by_connection);
    tcase_add_test(lines, connection_close_is_noticed);
    tcase_add_test(lines, the_answer_depends_on_the_method);
    tcase_add_test(lines, what_would_break_the_message_is_refused);
    tcase_add_test(framing, no_body_says_nothing_or_zero);
    tcase_add_test(framing, a_known_length_is_announced);
    tcase_add_test(framing, an_unknown_length_is_chunked);
    tcase_add_test(framing, a_length_that_is_wrong_is_refused);
    tcase_add_test(framing, an_expectation_needs_content);
    tcase_add_test(framing, trailers_follow_the_last_chunk);
    tcase_add_test(framing, the_users_trailer_field_stands);
    tcase_add_test(framing, a_body_without_trailers_ends_with_an_empty_section);
    tcase_add_test(framing, chunks_fit_their_room);
    tcase_add_test(framing, there_is_a_smallest_room);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(framing, out_of_memory_is_told);
#endif
    return suite;
}

RQX_CHECK_MAIN(h1_write_suite)
