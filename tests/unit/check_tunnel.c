/*
 * check_tunnel.c - CONNECT tunnels (RFC 9110 section 9.3.6): what is asked, and each way a proxy may answer.
 */
#include "support.h"

#include "net_support.h"

#define REQUEST "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n"

struct fixture {
    struct rqx__wire *wire;
    int proxy; /* the proxy's end; blocks */
    struct rqx__err err;
};

static void open_tunnel(struct fixture *fixture, const char *fields)
{
    struct rqx__wire *tcp = NULL;
    int ends[2];

    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    fixture->proxy = ends[1];
    fixture->wire = NULL;
    memset(&fixture->err, 0, sizeof fixture->err);
    ck_assert_int_eq(rqx__tunnel_wire_new(tcp, SLICE("origin.example:443"), SLICE(fields), &fixture->wire), 0);
    ck_assert_str_eq(fixture->wire->ops->name, "tunnel");
    ck_assert_ptr_eq(fixture->wire->lower, tcp);
    ck_assert_int_eq(fixture->wire->fd, ends[0]);
}

static void close_tunnel(struct fixture *fixture)
{
    rqx__wire_free(fixture->wire);
    if (fixture->proxy >= 0)
        close(fixture->proxy);
}

/* Lets the tunnel ask, and takes the request from the socket. */
static void take_request(struct fixture *fixture, const char *expected)
{
    char text[1024] = "";

    ck_assert_int_eq(rqx__wire_handshake(fixture->wire, &fixture->err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(fixture->wire), RQX__IO_READ);
    ck_assert_uint_lt(strlen(expected), sizeof text);
    ck_assert(get_all(fixture->proxy, text, strlen(expected)));
    ck_assert_str_eq(text, expected);
}

/* The outcome of the handshake when the proxy answers with |answer| and, if |end|, closes. */
static int outcome_of(const char *answer, size_t len, bool end, struct fixture *fixture)
{
    open_tunnel(fixture, "");
    take_request(fixture, REQUEST "\r\n");
    ck_assert(put_all(fixture->proxy, answer, len));
    if (end) {
        close(fixture->proxy);
        fixture->proxy = -1;
    }
    return drive_handshake(fixture->wire, &fixture->err);
}

START_TEST(a_tunnel_asks_opens_and_carries)
{
    struct fixture fixture;
    char buffer[16];

    open_tunnel(&fixture, "Proxy-Authorization: Basic dTpw\r\nX-Tag: 1\r\n");
    take_request(&fixture, REQUEST "Proxy-Authorization: Basic dTpw\r\nX-Tag: 1\r\n\r\n");
    ck_assert(put_all(fixture.proxy, "HTTP/1.1 200 Connection established\r\n\r\n", 39));
    ck_assert_int_eq(drive_handshake(fixture.wire, &fixture.err), 0);
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), 0);
    ck_assert(!rqx__wire_has_buffered(fixture.wire));
    ck_assert_int_eq(drive_write(fixture.wire, "ping", 4, &fixture.err), 0);
    ck_assert(get_all(fixture.proxy, buffer, 4));
    ck_assert_mem_eq(buffer, "ping", 4);
    ck_assert(put_all(fixture.proxy, "pong", 4));
    ck_assert_int_eq(drive_read_all(fixture.wire, buffer, 4, &fixture.err), 0);
    ck_assert_mem_eq(buffer, "pong", 4);
    rqx__wire_shutdown(fixture.wire);
    ck_assert_int_eq(recv(fixture.proxy, buffer, sizeof buffer, 0), 0);
    close_tunnel(&fixture);
}
END_TEST

/* Content-length and transfer-encoding mean nothing in a 2xx to CONNECT: what follows the head is the origin's. */
START_TEST(bytes_behind_the_head_belong_to_the_tunnel)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nearly";
    struct fixture fixture;
    char buffer[16];
    size_t len = 0;

    ck_assert_int_eq(outcome_of(answer, sizeof answer - 1, false, &fixture), 0);
    ck_assert(rqx__wire_has_buffered(fixture.wire));
    ck_assert_int_eq(rqx__wire_read(fixture.wire, (uint8_t *)buffer, 2, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 2);
    ck_assert(rqx__wire_has_buffered(fixture.wire));
    ck_assert_int_eq(rqx__wire_read(fixture.wire, (uint8_t *)buffer + 2, 14, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(buffer, "early", 5);
    ck_assert(!rqx__wire_has_buffered(fixture.wire));
    ck_assert(put_all(fixture.proxy, "late", 4));
    ck_assert_int_eq(drive_read_all(fixture.wire, buffer, 4, &fixture.err), 0);
    ck_assert_mem_eq(buffer, "late", 4);
    close_tunnel(&fixture);
}
END_TEST

START_TEST(an_answer_may_come_byte_by_byte)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nVia: 1.1 p\r\n\r\n",
        "HTTP/1.0 200\n\n",
        "HTTP/1.1 204 \nA: b\n\r\n",
        "HTTP/1.1 200 OK\r\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA:b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    };
    size_t i;

    for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        size_t len = strlen(answers[i]);
        struct fixture fixture;
        size_t at;

        open_tunnel(&fixture, "");
        take_request(&fixture, REQUEST "\r\n");
        for (at = 0; at < len; at++) {
            int rc;

            ck_assert(put_all(fixture.proxy, answers[i] + at, 1));
            rc = rqx__wire_handshake(fixture.wire, &fixture.err);
            ck_assert_int_eq(rc, at + 1 < len ? RQX_AGAIN : 0);
        }
        ck_assert(!rqx__wire_has_buffered(fixture.wire));
        close_tunnel(&fixture);
    }
}
END_TEST

START_TEST(refusals_have_status_and_reason)
{
    static const struct {
        const char *answer;
        int code;
        const char *text;
    } cases[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno",
         RQX_ERR_PROXY_AUTH, "407 Proxy Authentication Required"},
        {"HTTP/1.1 403 Filtered\r\n\r\n", RQX_ERR_PROXY_REFUSED, "403 Filtered"},
        {"HTTP/1.1 502 \r\n\r\n", RQX_ERR_PROXY_REFUSED, "502"},
        {"HTTP/1.0 503\r\n\r\n", RQX_ERR_PROXY_REFUSED, "503"},
        {"HTTP/1.1 302 Go \xc3\xa9\x1b[0m\r\nLocation: /\r\n\r\n", RQX_ERR_PROXY_REFUSED, "302 Go ???[0m"},
        {"HTTP/1.1 500 a:b c\r\n\r\n", RQX_ERR_PROXY_REFUSED, "500 a:b c"},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;

        ck_assert_int_eq(outcome_of(cases[i].answer, strlen(cases[i].answer), true, &fixture), cases[i].code);
        ck_assert_int_eq(fixture.err.code, cases[i].code);
        ck_assert_str_eq(fixture.err.text, cases[i].text);
        close_tunnel(&fixture);
    }
}
END_TEST

START_TEST(a_long_reason_is_cut)
{
    char answer[1024] = "HTTP/1.1 500 ";
    struct fixture fixture;

    memset(answer + 13, 'r', 900);
    strcpy(answer + 913, "\r\n\r\n");
    ck_assert_int_eq(outcome_of(answer, strlen(answer), false, &fixture), RQX_ERR_PROXY_REFUSED);
    ck_assert_uint_eq(strlen(fixture.err.text), 4 + 120);
    close_tunnel(&fixture);
}
END_TEST

START_TEST(malformed_answers_are_refused)
{
    static const struct {
        const char *answer;
        size_t len;
    } cases[] = {
#define CASE(text) {text, sizeof(text) - 1}
        CASE("HTTP/2 200 OK\r\n\r\n"),
        CASE("HTTP/1. 200 OK\r\n\r\n"),
        CASE("http/1.1 200 OK\r\n\r\n"),
        CASE("HTTP/1.1 20 OK\r\n\r\n"),
        CASE("HTTP/1.1 2000\r\n\r\n"),
        CASE("HTTP/1.1 099 x\r\n\r\n"),
        CASE("HTTP/1.1 600 x\r\n\r\n"),
        CASE("HTTP/1.1 2x0 x\r\n\r\n"),
        CASE("HTTP/1.1  200 x\r\n\r\n"),
        CASE("HTTP/1.1 200-x\r\n\r\n"),
        CASE("\r\nHTTP/1.1 200 x\r\n\r\n"),
        CASE("\n\n"),
        CASE("SSH-2.0-x\r\n\r\n"),
        CASE("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
        CASE("HTTP/1.1 200 OK\r\n: empty\r\n\r\n"),
        CASE("HTTP/1.1 200 OK\r\na : b\r\n\r\n"),
        CASE("HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n"),
        CASE("HTTP/1.1 200 OK\r\na: \0b\r\n\r\n"),
        CASE("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
#undef CASE
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture fixture;

        ck_assert_msg(outcome_of(cases[i].answer, cases[i].len, false, &fixture) == RQX_ERR_PROXY_PROTOCOL,
                      "case %zu: %s", i, fixture.err.text);
        ck_assert_ptr_nonnull(strstr(fixture.err.text, "malformed answer from the proxy"));
        close_tunnel(&fixture);
    }
}
END_TEST

START_TEST(a_head_is_16_kib_at_most_interim_ones_included)
{
    static char answer[16384 + 1];
    struct fixture fixture;
    size_t used = 0;

    memset(answer, 'a', sizeof answer);
    memcpy(answer, "HTTP/1.1 200 OK\r\nX: ", 20);
    ck_assert_int_eq(outcome_of(answer, 16384, false, &fixture), RQX_ERR_PROXY_PROTOCOL);
    ck_assert_str_eq(fixture.err.text, "the proxy's answer has a head of more than 16384 bytes");
    close_tunnel(&fixture);
    memcpy(answer + 16384 - 4, "\r\n\r\n", 4); /* exactly so long is fine */
    ck_assert_int_eq(outcome_of(answer, 16384, false, &fixture), 0);
    close_tunnel(&fixture);
    while (used + 25 <= 16384) {
        memcpy(answer + used, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        used += 25;
    }
    memcpy(answer + used, "HTTP/1.1 100 Continue\r\n\r\n", 16384 - used);
    ck_assert_int_eq(outcome_of(answer, 16384, false, &fixture), RQX_ERR_PROXY_PROTOCOL);
    close_tunnel(&fixture);
}
END_TEST

START_TEST(a_proxy_that_closes_is_told_apart)
{
    struct fixture fixture;

    ck_assert_int_eq(outcome_of("", 0, true, &fixture), RQX_ERR_TRUNCATED);
    ck_assert_str_eq(fixture.err.text, "the proxy closed the connection without an answer");
    close_tunnel(&fixture);
    ck_assert_int_eq(outcome_of("HTTP/1.1 200 O", 14, true, &fixture), RQX_ERR_TRUNCATED);
    ck_assert_str_eq(fixture.err.text, "the proxy closed the connection within its answer");
    close_tunnel(&fixture);
    open_tunnel(&fixture, "");
    close(fixture.proxy);
    fixture.proxy = -1;
    ck_assert_int_eq(drive_handshake(fixture.wire, &fixture.err), RQX_ERR_WRITE);
    close_tunnel(&fixture);
}
END_TEST

START_TEST(a_request_may_leave_in_pieces)
{
    static char fields[60000];
    static char received[65536];
    struct fixture fixture;
    size_t used = 0;
    int size = 4096;
    ssize_t got;

    while (used + 12 < sizeof fields)
        used += (size_t)snprintf(fields + used, 13, "X-Pad: abc\r\n");
    open_tunnel(&fixture, fields);
    ck_assert_int_eq(setsockopt(fixture.wire->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(fixture.wire), RQX__IO_WRITE);
    used = 0;
    while (strstr(received, "\r\n\r\n") == NULL) {
        got = recv(fixture.proxy, received + used, sizeof received - 1 - used, MSG_DONTWAIT);
        ck_assert_int_ne(got, 0);
        if (got > 0)
            used += (size_t)got;
        ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), RQX_AGAIN);
    }
    ck_assert_uint_eq(used, strlen(REQUEST) + strlen(fields) + 2);
    ck_assert(put_all(fixture.proxy, "HTTP/1.1 200 OK\r\n\r\n", 19));
    ck_assert_int_eq(drive_handshake(fixture.wire, &fixture.err), 0);
    close_tunnel(&fixture);
}
END_TEST

START_TEST(what_would_break_the_request_is_refused)
{
    static const struct {
        rqx_slice authority;
        rqx_slice fields;
    } cases[] = {
        {{"", 0}, {"", 0}},           {{"a b:1", 5}, {"", 0}},
        {{"a\r\nX: y", 7}, {"", 0}},  {{"a\0:1", 4}, {"", 0}},
        {{"\xc3\xa9:1", 4}, {"", 0}}, {{"a:1", 3}, {"X: y", 4}},
        {{"a:1", 3}, {"X: y\n", 5}},  {{"a:1", 3}, {"X: y\r\n\r\n", 8}},
        {{"a:1", 3}, {"\r\n", 2}},    {{"a:1", 3}, {"X: y\rZ\r\n", 8}},
        {{"a:1", 3}, {"X: y\r", 5}},  {{"a:1", 3}, {"X: \0y\r\n", 7}},
    };
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *tunnel = NULL;
    int ends[2];
    size_t i;

    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(rqx__tunnel_wire_new(tcp, cases[i].authority, cases[i].fields, &tunnel) ==
                          RQX_ERR_INVALID_ARGUMENT,
                      "case %zu", i);
    ck_assert_ptr_null(tunnel);
    rqx__wire_free(tcp);
    close(ends[1]);
}
END_TEST

START_TEST(a_connection_that_fails_is_the_tunnels_failure)
{
    struct fixture fixture;
    struct rqx__wire *tcp = NULL;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    ck_assert_int_eq(rqx__tunnel_wire_new(tcp, SLICE("a:1"), SLICE(""), &fixture.wire), 0);
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), RQX_ERR_CONNECT);
    fixture.proxy = ends[1];
    close_tunnel(&fixture);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(without_memory_the_wire_below_stays_the_callers)
{
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *tunnel = NULL;
    int ends[2];
    unsigned long n;

    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    for (n = 1; n <= 3; n++) {
        rqx__mem_fail_at(n, 0);
        ck_assert_int_eq(rqx__tunnel_wire_new(tcp, SLICE("a:1"), SLICE("X: y\r\n"), &tunnel), RQX_ERR_NOMEM);
        ck_assert_ptr_null(tunnel);
    }
    rqx__mem_fail_at(4, 0);
    ck_assert_int_eq(rqx__tunnel_wire_new(tcp, SLICE("a:1"), SLICE("X: y\r\n"), &tunnel), 0);
    ck_assert_uint_eq(rqx__mem_count(), 3);
    rqx__mem_fail_at(0, 0);
    rqx__wire_free(tunnel);
    close(ends[1]);
}
END_TEST
#endif

static Suite *tunnel_suite(void)
{
    Suite *suite = suite_create("tunnel");
    TCase *tcase = rqx_add_case(suite, "tunnel");

    tcase_add_test(tcase, a_tunnel_asks_opens_and_carries);
    tcase_add_test(tcase, bytes_behind_the_head_belong_to_the_tunnel);
    tcase_add_test(tcase, an_answer_may_come_byte_by_byte);
    tcase_add_test(tcase, refusals_have_status_and_reason);
    tcase_add_test(tcase, a_long_reason_is_cut);
    tcase_add_test(tcase, malformed_answers_are_refused);
    tcase_add_test(tcase, a_head_is_16_kib_at_most_interim_ones_included);
    tcase_add_test(tcase, a_proxy_that_closes_is_told_apart);
    tcase_add_test(tcase, a_request_may_leave_in_pieces);
    tcase_add_test(tcase, what_would_break_the_request_is_refused);
    tcase_add_test(tcase, a_connection_that_fails_is_the_tunnels_failure);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, without_memory_the_wire_below_stays_the_callers);
#endif
    return suite;
}

RQX_CHECK_MAIN(tunnel_suite)
