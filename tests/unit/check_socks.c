/*
 * check_socks.c - SOCKS5 (RFC 1928) with user and password (RFC 1929): every message, every way to answer, and the
 * wire.
 */
#include "support.h"

#include "net_support.h"
#include "proto/socks.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(text)  (const uint8_t *)(text), sizeof(text) - 1

/* ---- what is said ---- */

START_TEST(the_methods_are_those_there_is_an_answer_to)
{
    uint8_t out[RQX__SOCKS_SAY_MAX];

    ck_assert_uint_eq(rqx__socks_say_methods(false, out), 3);
    ck_assert_mem_eq(out, "\5\1\0", 3);
    ck_assert_uint_eq(rqx__socks_say_methods(true, out), 4);
    ck_assert_mem_eq(out, "\5\2\0\2", 4);
}
END_TEST

START_TEST(user_and_password_have_255_bytes_each)
{
    uint8_t out[RQX__SOCKS_SAY_MAX];
    char text[256];

    memset(text, 'x', sizeof text);
    ck_assert_uint_eq(rqx__socks_say_password(SLICE("us:er"), SLICE("p@ss"), out), 12);
    ck_assert_mem_eq(out, "\1\5us:er\4p@ss", 12);
    ck_assert_uint_eq(rqx__socks_say_password(SLICE(""), (rqx_slice){NULL, 0}, out), 3);
    ck_assert_mem_eq(out, "\1\0\0", 3);
    ck_assert_uint_eq(rqx__socks_say_password((rqx_slice){text, 255}, (rqx_slice){text, 255}, out), 513);
    ck_assert_uint_eq(out[1], 255);
    ck_assert_uint_eq(out[257], 255);
    ck_assert_uint_eq(rqx__socks_say_password((rqx_slice){text, 256}, SLICE("p"), out), 0);
    ck_assert_uint_eq(rqx__socks_say_password(SLICE("u"), (rqx_slice){text, 256}, out), 0);
}
END_TEST

START_TEST(a_target_is_an_address_or_a_name)
{
    struct rqx__socks_target v4 = {.family = AF_INET, .bytes = {192, 0, 2, 7}, .port = 443};
    struct rqx__socks_target v6 = {.family = AF_INET6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .port = 65535};
    struct rqx__socks_target name = {.name = SLICE("a.example"), .port = 80};
    uint8_t out[RQX__SOCKS_SAY_MAX];
    char text[256];

    memset(text, 'n', sizeof text);
    ck_assert_uint_eq(rqx__socks_say_connect(&v4, out), 10);
    ck_assert_mem_eq(out, "\5\1\0\1\xc0\0\2\7\x01\xbb", 10);
    ck_assert_uint_eq(rqx__socks_say_connect(&v6, out), 22);
    ck_assert_mem_eq(out, "\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xff\xff", 22);
    ck_assert_uint_eq(rqx__socks_say_connect(&name, out), 16);
    ck_assert_mem_eq(out,
                     "\5\1\0\3\x9"
                     "a.example\0\x50",
                     16);
    name.name = (rqx_slice){text, 255};
    ck_assert_uint_eq(rqx__socks_say_connect(&name, out), 262);
    name.name.len = 256;
    ck_assert_uint_eq(rqx__socks_say_connect(&name, out), 0);
    name.name.len = 0;
    ck_assert_uint_eq(rqx__socks_say_connect(&name, out), 0);
}
END_TEST

/* ---- what is heard ---- */

START_TEST(the_method_is_one_of_those_offered)
{
    static const struct {
        uint8_t answer[2];
        bool password;
        int code;
        enum rqx__socks_method method;
    } cases[] = {
        {{5, 0}, false, 0, RQX__SOCKS_OPEN},        {{5, 0}, true, 0, RQX__SOCKS_OPEN},
        {{5, 2}, true, 0, RQX__SOCKS_PASSWORD},     {{5, 2}, false, RQX_ERR_PROXY_PROTOCOL, 0},
        {{5, 1}, true, RQX_ERR_PROXY_PROTOCOL, 0},  {{5, 0x80}, true, RQX_ERR_PROXY_PROTOCOL, 0},
        {{5, 0xff}, false, RQX_ERR_PROXY_AUTH, 0},  {{5, 0xff}, true, RQX_ERR_PROXY_AUTH, 0},
        {{4, 0}, false, RQX_ERR_PROXY_PROTOCOL, 0}, {{'H', 'T'}, false, RQX_ERR_PROXY_PROTOCOL, 0},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        enum rqx__socks_method method = RQX__SOCKS_NONE_FITS;
        struct rqx__err err = {.code = 0};
        size_t need = 0;

        ck_assert_int_eq(rqx__socks_take_method(cases[i].answer, 0, cases[i].password, &method, &need, &err),
                         RQX_AGAIN);
        ck_assert_uint_eq(need, 2);
        ck_assert_int_eq(rqx__socks_take_method(cases[i].answer, 2, cases[i].password, &method, &need, &err),
                         cases[i].code);
        if (cases[i].code == 0)
            ck_assert_int_eq(method, cases[i].method);
        else
            ck_assert_int_gt((int)strlen(err.text), 10);
    }
}
END_TEST

START_TEST(a_wrong_version_is_seen_in_the_first_byte)
{
    enum rqx__socks_method method;
    struct rqx__err err;
    size_t need;
    int code;

    ck_assert_int_eq(rqx__socks_take_method(BYTES("\4"), true, &method, &need, &err), RQX_ERR_PROXY_PROTOCOL);
    ck_assert_str_eq(err.text, "malformed answer from the proxy: version 4 where 5 was due");
    ck_assert_int_eq(rqx__socks_take_password(BYTES("\5"), &need, &err), RQX_ERR_PROXY_PROTOCOL);
    ck_assert_str_eq(err.text, "malformed answer from the proxy: version 5 where 1 was due");
    ck_assert_int_eq(rqx__socks_take_connect(BYTES("\0"), &code, &need, &err), RQX_ERR_PROXY_PROTOCOL);
}
END_TEST

START_TEST(a_password_is_good_with_status_0_alone)
{
    struct rqx__err err;
    size_t need = 0;

    ck_assert_int_eq(rqx__socks_take_password(BYTES("\1"), &need, &err), RQX_AGAIN);
    ck_assert_uint_eq(need, 2);
    ck_assert_int_eq(rqx__socks_take_password(BYTES("\1\0"), &need, &err), 0);
    ck_assert_int_eq(rqx__socks_take_password(BYTES("\1\1"), &need, &err), RQX_ERR_PROXY_AUTH);
    ck_assert_int_eq(rqx__socks_take_password(BYTES("\1\xff"), &need, &err), RQX_ERR_PROXY_AUTH);
    ck_assert_str_eq(err.text, "the proxy refused user and password (status 255)");
}
END_TEST

/* Each prefix of a good answer asks for more, and never for more than the answer has. */
START_TEST(an_answer_may_come_byte_by_byte)
{
    static const struct {
        const uint8_t *data;
        size_t len;
    } cases[] = {
        {BYTES("\5\0\0\1\0\0\0\0\0\0")},
        {BYTES("\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
        {BYTES("\5\0\0\3\0\0\0")},
        {BYTES("\5\0\x7f\3\x3"
               "abc\0\0")},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        struct rqx__err err;
        size_t need = 0;
        size_t len;
        int code = 0;

        for (len = 0; len < cases[i].len; len++) {
            ck_assert_int_eq(rqx__socks_take_connect(cases[i].data, len, &code, &need, &err), RQX_AGAIN);
            ck_assert_uint_gt(need, len);
            ck_assert_uint_le(need, cases[i].len);
        }
        ck_assert_int_eq(rqx__socks_take_connect(cases[i].data, len, &code, &need, &err), 0);
        ck_assert_uint_eq(need, cases[i].len);
        ck_assert_int_eq(code, 0);
    }
}
END_TEST

START_TEST(each_code_of_failure_is_told)
{
    static const char *const texts[] = {"general failure",       "not allowed by its rules",   "network unreachable",
                                        "host unreachable",      "connection refused",         "TTL expired",
                                        "command not supported", "address type not supported", "failure"};
    int i;

    for (i = 1; i <= 255; i++) {
        uint8_t answer[2] = {5, (uint8_t)i};
        struct rqx__err err;
        char text[100];
        size_t need = 0;
        int code = 0;

        snprintf(text, sizeof text, "%s (SOCKS code %d)", texts[i < 9 ? i - 1 : 8], i);
        ck_assert_int_eq(rqx__socks_take_connect(answer, 2, &code, &need, &err), RQX_ERR_PROXY_REFUSED);
        ck_assert_int_eq(code, i);
        ck_assert_str_eq(err.text, text);
        ck_assert_int_eq(rqx__socks_may_try_another(code), i < 9 && i != 7);
    }
    ck_assert(!rqx__socks_may_try_another(0));
}
END_TEST

START_TEST(an_unknown_type_of_address_is_malformed)
{
    struct rqx__err err;
    size_t need;
    int code;

    ck_assert_int_eq(rqx__socks_take_connect(BYTES("\5\0\0\2\0"), &code, &need, &err), RQX_ERR_PROXY_PROTOCOL);
    ck_assert_str_eq(err.text, "malformed answer from the proxy: address type 2");
    ck_assert_int_eq(rqx__socks_take_connect(BYTES("\5\0\0\0\0"), &code, &need, &err), RQX_ERR_PROXY_PROTOCOL);
}
END_TEST

/* ---- the wire ---- */

struct fixture {
    struct rqx__wire *wire;
    int proxy; /* the proxy's end; blocks */
    struct rqx__err err;
};

static void open_socks(struct fixture *fixture, rqx_slice user, rqx_slice password)
{
    struct rqx__socks_target target = {.name = SLICE("origin.example"), .port = 443};
    struct rqx__wire *tcp = NULL;
    int ends[2];

    make_pair(ends);
    memset(fixture, 0, sizeof *fixture);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    fixture->proxy = ends[1];
    ck_assert_int_eq(rqx__socks_wire_new(tcp, &target, user, password, &fixture->wire), 0);
    ck_assert_str_eq(fixture->wire->ops->name, "socks");
    ck_assert_ptr_eq(fixture->wire->lower, tcp);
    ck_assert_int_eq(fixture->wire->fd, ends[0]);
}

static void close_socks(struct fixture *fixture)
{
    rqx__wire_free(fixture->wire);
    if (fixture->proxy >= 0)
        close(fixture->proxy);
}

/* Lets the wire ask, and takes what it says from the socket. */
static void take_question(struct fixture *fixture, const void *expected, size_t len)
{
    char text[600];

    ck_assert_int_eq(rqx__wire_handshake(fixture->wire, &fixture->err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(fixture->wire), RQX__IO_READ);
    ck_assert(get_all(fixture->proxy, text, len));
    ck_assert_mem_eq(text, expected, len);
}

#define REQUEST                                                                                                        \
    "\5\1\0\3\x0e"                                                                                                     \
    "origin.example\x01\xbb"

START_TEST(a_connection_is_asked_for_and_carries)
{
    struct fixture fixture;
    char buffer[16];

    open_socks(&fixture, (rqx_slice){NULL, 0}, (rqx_slice){NULL, 0});
    take_question(&fixture, BYTES("\5\1\0"));
    ck_assert(put_all(fixture.proxy, "\5\0", 2));
    take_question(&fixture, BYTES(REQUEST));
    /* bytes of the origin that come with the answer stay where they are */
    ck_assert(put_all(fixture.proxy, "\5\0\0\1\0\0\0\0\0\0early", 15));
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), 0);
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), 0);
    ck_assert_int_eq(rqx__socks_wire_code(fixture.wire), 0);
    ck_assert_int_eq(drive_read_all(fixture.wire, buffer, 5, &fixture.err), 0);
    ck_assert_mem_eq(buffer, "early", 5);
    ck_assert(!rqx__wire_has_buffered(fixture.wire));
    ck_assert_int_eq(drive_write(fixture.wire, "ping", 4, &fixture.err), 0);
    ck_assert(get_all(fixture.proxy, buffer, 4));
    ck_assert_mem_eq(buffer, "ping", 4);
    rqx__wire_shutdown(fixture.wire);
    ck_assert_int_eq(recv(fixture.proxy, buffer, sizeof buffer, 0), 0);
    close_socks(&fixture);
}
END_TEST

/* Offered where there are credentials, told only when the proxy chooses so. */
START_TEST(credentials_are_told_when_they_are_wanted)
{
    struct fixture fixture;

    open_socks(&fixture, SLICE("user"), SLICE("pass"));
    take_question(&fixture, BYTES("\5\2\0\2"));
    ck_assert(put_all(fixture.proxy, "\5\2", 2));
    take_question(&fixture, BYTES("\1\4user\4pass"));
    ck_assert(put_all(fixture.proxy, "\1\0", 2));
    take_question(&fixture, BYTES(REQUEST));
    ck_assert(put_all(fixture.proxy, "\5\0\0\3\1x\0\0", 8));
    ck_assert_int_eq(drive_handshake(fixture.wire, &fixture.err), 0);
    close_socks(&fixture);
    open_socks(&fixture, SLICE("user"), SLICE("pass"));
    take_question(&fixture, BYTES("\5\2\0\2"));
    ck_assert(put_all(fixture.proxy, "\5\0", 2));
    take_question(&fixture, BYTES(REQUEST));
    close_socks(&fixture);
}
END_TEST

/* What comes of a proxy that answers with |first|, |second| and |third| in turn, and then closes. */
static int outcome_of(const char *const answers[3], const size_t lens[3], struct fixture *fixture)
{
    static const struct {
        const char *data;
        size_t len;
    } questions[] = {{"\5\2\0\2", 4}, {"\1\1u\1p", 5}, {REQUEST, sizeof REQUEST - 1}};
    int i;

    open_socks(fixture, SLICE("u"), SLICE("p"));
    for (i = 0; i < 3 && answers[i] != NULL; i++) {
        take_question(fixture, questions[i].data, questions[i].len);
        ck_assert(put_all(fixture->proxy, answers[i], lens[i]));
    }
    shutdown(fixture->proxy, SHUT_WR);
    return drive_handshake(fixture->wire, &fixture->err);
}

START_TEST(each_step_may_fail)
{
    static const struct {
        const char *answers[3];
        size_t lens[3];
        int code;
        int socks_code;
        const char *text;
    } cases[] = {
        {{""}, {0}, RQX_ERR_TRUNCATED, 0, "the proxy closed the connection without an answer to the greeting"},
        {{"\5"}, {1}, RQX_ERR_TRUNCATED, 0, "the proxy closed the connection within its answer to the greeting"},
        {{"\5\xff"}, {2}, RQX_ERR_PROXY_AUTH, 0, "the proxy accepts neither a password nor none"},
        {{"HTTP/1.1 400 Bad Request\r\n\r\n"},
         {28},
         RQX_ERR_PROXY_PROTOCOL,
         0,
         "malformed answer from the proxy: version 72 where 5 was due"},
        {{"\5\2", ""},
         {2, 0},
         RQX_ERR_TRUNCATED,
         0,
         "the proxy closed the connection without an answer to user and password"},
        {{"\5\2", "\1"},
         {2, 1},
         RQX_ERR_TRUNCATED,
         0,
         "the proxy closed the connection within its answer to user and password"},
        {{"\5\2", "\1\1"}, {2, 2}, RQX_ERR_PROXY_AUTH, 0, "the proxy refused user and password (status 1)"},
        {{"\5\2", "\1\0", ""},
         {2, 2, 0},
         RQX_ERR_TRUNCATED,
         0,
         "the proxy closed the connection without an answer to the request"},
        {{"\5\2", "\1\0", "\5\0\0\1\x7f"},
         {2, 2, 5},
         RQX_ERR_TRUNCATED,
         0,
         "the proxy closed the connection within its answer to the request"},
        {{"\5\2", "\1\0", "\5\5"}, {2, 2, 2}, RQX_ERR_PROXY_REFUSED, 5, "connection refused (SOCKS code 5)"},
        {{"\5\2", "\1\0", "\5\x8\0\1\0\0\0\0\0\0"},
         {2, 2, 10},
         RQX_ERR_PROXY_REFUSED,
         8,
         "address type not supported (SOCKS code 8)"},
        {{"\5\2", "\1\0", "\5\0\0\x9\0\0\0\0\0\0"},
         {2, 2, 10},
         RQX_ERR_PROXY_PROTOCOL,
         0,
         "malformed answer from the proxy: address type 9"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        struct fixture fixture;

        ck_assert_msg(outcome_of(cases[i].answers, cases[i].lens, &fixture) == cases[i].code, "case %zu: %s", i,
                      fixture.err.text);
        ck_assert_str_eq(fixture.err.text, cases[i].text);
        ck_assert_int_eq(rqx__socks_wire_code(fixture.wire), cases[i].socks_code);
        close_socks(&fixture);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_refused_before_anything_is_sent)
{
    struct rqx__socks_target target = {.name = SLICE("origin.example"), .port = 443};
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *socks = NULL;
    char text[256];
    int ends[2];

    memset(text, 'x', sizeof text);
    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    ck_assert_int_eq(rqx__socks_wire_new(tcp, &target, (rqx_slice){text, 256}, SLICE(""), &socks),
                     RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx__socks_wire_new(tcp, &target, SLICE("u"), (rqx_slice){text, 256}, &socks),
                     RQX_ERR_INVALID_ARGUMENT);
    target.name = (rqx_slice){text, 256};
    ck_assert_int_eq(rqx__socks_wire_new(tcp, &target, (rqx_slice){NULL, 0}, SLICE(""), &socks),
                     RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(socks);
    rqx__wire_free(tcp);
    close(ends[1]);
}
END_TEST

START_TEST(a_connection_that_fails_is_the_wires_failure)
{
    struct rqx__socks_target target = {.name = SLICE("a"), .port = 1};
    struct fixture fixture;
    struct rqx__wire *tcp = NULL;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    ck_assert_int_eq(rqx__socks_wire_new(tcp, &target, (rqx_slice){NULL, 0}, SLICE(""), &fixture.wire), 0);
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), RQX_ERR_CONNECT);
    fixture.proxy = ends[1];
    close_socks(&fixture);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(without_memory_the_wire_below_stays_the_callers)
{
    struct rqx__socks_target target = {.name = SLICE("a"), .port = 1};
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *socks = NULL;
    int ends[2];

    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__socks_wire_new(tcp, &target, (rqx_slice){NULL, 0}, SLICE(""), &socks), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_ptr_null(socks);
    rqx__wire_free(tcp);
    close(ends[1]);
}
END_TEST
#endif

static Suite *socks_suite(void)
{
    Suite *suite = suite_create("socks");
    TCase *words = rqx_add_case(suite, "words");
    TCase *wire = rqx_add_case(suite, "wire");

    tcase_add_test(words, the_methods_are_those_there_is_an_answer_to);
    tcase_add_test(words, user_and_password_have_255_bytes_each);
    tcase_add_test(words, a_target_is_an_address_or_a_name);
    tcase_add_test(words, the_method_is_one_of_those_offered);
    tcase_add_test(words, a_wrong_version_is_seen_in_the_first_byte);
    tcase_add_test(words, a_password_is_good_with_status_0_alone);
    tcase_add_test(words, an_answer_may_come_byte_by_byte);
    tcase_add_test(words, each_code_of_failure_is_told);
    tcase_add_test(words, an_unknown_type_of_address_is_malformed);
    tcase_add_test(wire, a_connection_is_asked_for_and_carries);
    tcase_add_test(wire, credentials_are_told_when_they_are_wanted);
    tcase_add_test(wire, each_step_may_fail);
    tcase_add_test(wire, what_does_not_fit_is_refused_before_anything_is_sent);
    tcase_add_test(wire, a_connection_that_fails_is_the_wires_failure);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(wire, without_memory_the_wire_below_stays_the_callers);
#endif
    return suite;
}

RQX_CHECK_MAIN(socks_suite)
