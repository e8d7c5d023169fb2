/*
 * Exchanges over HTTP/1.1 (RFC 9112): what is sent, what is told, and whether the connection can be used again.
 */
#include "h1_support.h"

static struct peer peer;
static struct owner owner;

#define GET        "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK         "HTTP/1.1 200 OK\r\n"
#define OK_TOLD    "head 200 OK 11\n"
#define EMPTY      OK "Content-Length: 0\r\n\r\n"
#define EMPTY_TOLD OK_TOLD "field Content-Length=0\ndone 200 0\nend\nclosed\n"

static void set_up(void)
{
    peer_init(&peer);
    owner_init(&owner, &peer, "GET");
}

static void tear_down(void)
{
    owner_done(&owner);
    peer_done(&peer);
}

/* Submits and sends what can be sent. */
static void start(void)
{
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    ck_assert_int_eq(peer_send(&peer), 0);
}

/* A request anew, on the same connection. */
static void anew(const char *method)
{
    owner_done(&owner);
    owner_init(&owner, &peer, method);
}

/* ---- one exchange ---- */

START_TEST(a_get_is_answered)
{
    ck_assert_str_eq(peer.codec->ops->name, "h1");
    ck_assert_int_eq(peer.codec->ops->version, RQX_HTTP_1_1);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    check_state(&peer, RQX__CODEC_OPEN);
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    ck_assert_uint_eq(peer.codec->open_streams, 1);
    check_state(&peer, RQX__CODEC_OPEN);
    ck_assert(peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer_send(&peer), 0);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    ck_assert(peer.codec->ops->want_recv(peer.codec));
    check_sent(&peer, GET);
    ck_assert_int_eq(peer_answer(&peer, OK "Content-Length: 5\r\nA: b\r\n\r\nhello"), 0);
    ck_assert_str_eq(owner_log(&owner), "sent\n" OK_TOLD "field Content-Length=5\nfield A=b\ndone 200 5\n"
                                        "data hello\nend\nclosed\n");
    check_well(&owner);
    ck_assert_int_eq(owner.stream.content_length, 5);
    ck_assert_uint_eq(owner.stream.received, 5);
    ck_assert_uint_eq(peer.codec->open_streams, 0);
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(one_request_after_another)
{
    int i;

    for (i = 0; i < 3; i++) {
        start();
        check_sent(&peer, GET);
        ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
        ck_assert_str_eq(owner_log(&owner), "sent\n" EMPTY_TOLD);
        check_state(&peer, RQX__CODEC_OPEN);
        anew("GET");
    }
}
END_TEST

START_TEST(one_request_at_a_time)
{
    struct owner other;

    owner_init(&other, &peer, "GET");
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    ck_assert_int_eq(peer_submit(&peer, &other), RQX_AGAIN);
    ck_assert_ptr_null(other.stream.codec);
    ck_assert_int_eq(peer_send(&peer), 0);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    ck_assert_int_eq(peer_submit(&peer, &other), 0);
    ck_assert_int_eq(peer_send(&peer), 0);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    check_well(&owner);
    check_well(&other);
    owner_done(&other);
}
END_TEST

START_TEST(the_next_may_be_submitted_when_one_closes)
{
    struct owner next;

    owner_init(&next, &peer, "GET");
    owner.next = &next;
    start();
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    check_well(&owner);
    ck_assert_int_eq(next.code, 0);
    ck_assert_ptr_eq(next.stream.codec, peer.codec);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, GET GET);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    check_well(&next);
    owner_done(&next);
}
END_TEST

START_TEST(what_cannot_be_sent_is_not_taken)
{
    owner.head.target = RQX__LIT("/a b");
    ck_assert_int_eq(peer_submit(&peer, &owner), RQX_ERR_INVALID_URL);
    owner.head.target = RQX__LIT("/");
    owner_add(&owner, "Content-Length", "5");
    ck_assert_int_eq(peer_submit(&peer, &owner), RQX_ERR_REQUEST_LENGTH);
    ck_assert_ptr_null(owner.stream.codec);
    check_state(&peer, RQX__CODEC_OPEN);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    anew("GET");
    start();
    check_sent(&peer, GET);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    check_well(&owner);
}
END_TEST

START_TEST(interim_responses_are_told)
{
    start();
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 103 Early\r\nLink: <a>\r\n\r\nHTTP/1.1 100 Go\r\n\r\n" EMPTY), 0);
    ck_assert_str_eq(owner_log(&owner), "sent\nhead 103 Early 11\nfield Link=<a>\ndone 103 0\n"
                                        "head 100 Go 11\ndone 100 0\n" EMPTY_TOLD);
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(trailers_are_told)
{
    start();
    ck_assert_int_eq(
        peer_answer(&peer, OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nT: u\r\n\r\n"), 0);
    ck_assert_str_eq(owner_log(&owner), "sent\n" OK_TOLD "field Transfer-Encoding=chunked\ndone 200 -1\ndata hello\n"
                                        "trailer T=u\nend\nclosed\n");
    ck_assert_int_eq(owner.stream.content_length, RQX_LENGTH_UNKNOWN);
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(some_responses_have_no_body)
{
    static const char *const answers[] = {
        OK "Content-Length: 5\r\n\r\n",
        "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n",
    };
    size_t i;

    for (i = 0; i < 3; i++) {
        anew(i == 0 ? "HEAD" : "GET");
        start();
        ck_assert_int_eq(peer_answer(&peer, answers[i]), 0);
        check_well(&owner);
        ck_assert_int_eq(owner.stream.content_length, 0);
        check_state(&peer, RQX__CODEC_OPEN);
    }
}
END_TEST

/* A story told in pieces: where the answer is cut must make no difference. */
static void check_cuts(const char *method, const char *body, const char *answer, const char *want, bool eof)
{
    size_t len = strlen(answer);
    size_t cut;

    for (cut = 0; cut <= len; cut++) {
        size_t at;

        set_up();
        anew(method);
        if (body != NULL)
            owner_body(&owner, body, strlen(body), true);
        start();
        if (cut != 0) {
            ck_assert_int_eq(peer_answer_len(&peer, answer, cut), 0);
            ck_assert_int_eq(peer_answer_len(&peer, answer + cut, len - cut), 0);
        } else {
            for (at = 0; at < len; at++)
                ck_assert_int_eq(peer_answer_len(&peer, answer + at, 1), 0);
        }
        if (eof)
            ck_assert_int_eq(peer_eof(&peer), 0);
        ck_assert_str_eq(owner_log(&owner), want);
        tear_down();
    }
    set_up();
}

START_TEST(cuts_make_no_difference)
{
    tear_down();
    check_cuts("GET", NULL, "HTTP/1.1 103 E\r\nL: x\r\n\r\n" OK "Content-Length: 11\r\nA: b\r\n\r\nhello world",
               "sent\nhead 103 E 11\nfield L=x\ndone 103 0\n" OK_TOLD
               "field Content-Length=11\nfield A=b\ndone 200 11\ndata hello world\nend\nclosed\n",
               false);
    tear_down();
    check_cuts(
        "POST", "body", OK "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5;x=y\r\nworld\r\n0\r\nT: u\r\n\r\n",
        "sent\n" OK_TOLD "field Transfer-Encoding=chunked\ndone 200 -1\ndata hello world\ntrailer T=u\nend\nclosed\n",
        false);
    tear_down();
    check_cuts("GET", NULL, "HTTP/1.0 404 Not\r\n\r\nnothing here",
               "sent\nhead 404 Not 10\ndone 404 -1\ndata nothing here\nend\nclosed\n", true);
}
END_TEST

/* ---- the connection afterwards ---- */

START_TEST(a_connection_that_is_to_close_is_not_used_again)
{
    static const char *const answers[] = {
        OK "Connection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
        EMPTY,
    };
    size_t i;

    for (i = 0; i < 4; i++) {
        tear_down();
        set_up();
        if (i == 3)
            owner_add(&owner, "Connection", "close");
        start();
        ck_assert_int_eq(peer_answer(&peer, answers[i]), 0);
        check_well(&owner);
        check_state(&peer, RQX__CODEC_CLOSED);
        ck_assert_int_eq(peer_answer(&peer, "whatever"), 0);
        anew("GET");
        ck_assert_int_eq(peer_submit(&peer, &owner), RQX_AGAIN);
    }
}
END_TEST

START_TEST(http_1_0_may_keep_it)
{
    start();
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), 0);
    check_well(&owner);
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(shutdown_lets_the_open_one_finish)
{
    struct owner other;

    owner_init(&other, &peer, "GET");
    start();
    peer.codec->ops->shutdown(peer.codec);
    check_state(&peer, RQX__CODEC_DRAINING);
    ck_assert_int_eq(peer_submit(&peer, &other), RQX_AGAIN);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    check_well(&owner);
    check_state(&peer, RQX__CODEC_CLOSED);
    owner_done(&other);
    tear_down();
    set_up();
    peer.codec->ops->shutdown(peer.codec);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(bytes_on_an_idle_connection_end_it)
{
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 408 Request Timeout\r\n\r\n"), RQX_ERR_PROTOCOL);
    ck_assert_str_eq(peer.err.text, "the peer sent bytes that nobody had asked for");
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_answer(&peer, "x"), RQX_ERR_PROTOCOL);
    peer_fail(&peer);
    ck_assert_int_eq(peer_submit(&peer, &owner), RQX_AGAIN);
}
END_TEST

START_TEST(bytes_behind_a_response_end_the_connection)
{
    start();
    ck_assert_int_eq(peer_answer(&peer, EMPTY "HTTP/1.1 200 Smuggled\r\n\r\n"), RQX_ERR_PROTOCOL);
    check_well(&owner);
    ck_assert_str_eq(owner_log(&owner), "sent\n" EMPTY_TOLD);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(bytes_before_a_request_are_not_its_answer)
{
    struct owner next;

    owner_init(&next, &peer, "GET");
    owner.next = &next;
    start();
    ck_assert_int_eq(peer_answer(&peer, EMPTY "HTTP/1.1 200 Smuggled\r\n\r\n"), RQX_ERR_PROTOCOL);
    check_well(&owner);
    ck_assert_int_eq(next.closed, 0);
    check_state(&peer, RQX__CODEC_DRAINING);
    peer_fail(&peer);
    check_failed(&next, RQX_ERR_PROTOCOL, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, GET);
    owner_done(&next);
}
END_TEST

/* ---- ends and failures ---- */

START_TEST(the_end_of_an_idle_connection_is_proper)
{
    ck_assert_int_eq(peer_eof(&peer), 0);
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_eof(&peer), 0);
}
END_TEST

START_TEST(a_request_that_was_not_begun_is_unprocessed)
{
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    ck_assert_int_eq(peer_eof(&peer), RQX_ERR_TRUNCATED);
    ck_assert_int_eq(owner.closed, 0);
    peer_fail(&peer);
    check_failed(&owner, RQX_ERR_TRUNCATED, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
}
END_TEST

START_TEST(an_end_without_an_answer_says_so)
{
    start();
    ck_assert_int_eq(peer_eof(&peer), RQX_ERR_TRUNCATED);
    peer_fail(&peer);
    check_failed(&owner, RQX_ERR_TRUNCATED, RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner_log(&owner), "sent\nclosed: peer closed the connection without an answer\n");
}
END_TEST

START_TEST(an_end_inside_a_response_is_an_error)
{
    static const char *const answers[] = {"H", OK, OK "Content-Length: 5\r\n\r\nhell",
                                          OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"};
    size_t i;

    for (i = 0; i < 4; i++) {
        tear_down();
        set_up();
        start();
        ck_assert_int_eq(peer_answer(&peer, answers[i]), 0);
        ck_assert_int_eq(peer_eof(&peer), RQX_ERR_TRUNCATED);
        peer_fail(&peer);
        check_failed(&owner, RQX_ERR_TRUNCATED, 0);
        check_state(&peer, RQX__CODEC_CLOSED);
    }
}
END_TEST

START_TEST(an_end_may_be_the_end_of_the_body)
{
    start();
    ck_assert_int_eq(peer_answer(&peer, OK "\r\nall"), 0);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_int_eq(peer_eof(&peer), 0);
    check_well(&owner);
    ck_assert_str_eq(owner_log(&owner), "sent\n" OK_TOLD "done 200 -1\ndata all\nend\nclosed\n");
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(a_violation_ends_stream_and_connection)
{
    start();
    ck_assert_int_eq(peer_answer(&peer, OK "Content-Length: x\r\n\r\n"), RQX_ERR_PROTOCOL);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_int_eq(peer_answer(&peer, "more"), RQX_ERR_PROTOCOL);
    peer_fail(&peer);
    check_failed(&owner, RQX_ERR_PROTOCOL, 0);
    ck_assert_str_eq(owner_log(&owner),
                     "sent\n" OK_TOLD "closed: malformed HTTP/1.1 response: Content-Length is not a number\n");
    peer_fail(&peer);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(header_sections_are_bounded)
{
    int rv = 0;
    int i;

    start();
    for (i = 0; i < 1000 && rv == 0; i++)
        rv = peer_answer(&peer, i == 0 ? OK : "A: b\r\n");
    ck_assert_int_eq(rv, RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_int_lt(i, 500);
}
END_TEST

START_TEST(each_upcall_may_end_the_stream)
{
    static const char answer[] = OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n";
    int at;

    /* sent, head, field, head_done, data, trailer */
    for (at = 2; at <= 6; at++) {
        tear_down();
        set_up();
        owner.refuse_at = at;
        owner.refuse = RQX_ERR_BODY_TOO_LARGE;
        start();
        ck_assert_int_eq(peer_answer(&peer, answer), 0);
        check_failed(&owner, RQX_ERR_BODY_TOO_LARGE, 0);
        ck_assert_int_eq(owner.events, at);
        check_state(&peer, RQX__CODEC_CLOSED);
        ck_assert_int_eq(peer_answer(&peer, answer), 0);
        ck_assert_int_eq(peer_eof(&peer), 0);
    }
}
END_TEST

/* ---- cancellation ---- */

START_TEST(a_request_that_was_not_begun_costs_nothing)
{
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    peer.codec->ops->cancel(peer.codec, &owner.stream, 8);
    ck_assert_ptr_null(owner.stream.codec);
    ck_assert_uint_eq(peer.codec->open_streams, 0);
    check_state(&peer, RQX__CODEC_OPEN);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, "");
    peer.codec->ops->cancel(peer.codec, &owner.stream, 8);
    start();
    check_sent(&peer, GET);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    check_well(&owner);
}
END_TEST

START_TEST(a_request_that_was_begun_takes_the_connection_along)
{
    start();
    peer.codec->ops->cancel(peer.codec, &owner.stream, 8);
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    ck_assert_int_eq(peer_eof(&peer), 0);
    peer_fail(&peer);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_int_eq(peer.codec->ops->resume_body(peer.codec, &owner.stream), 0);
    peer.codec->ops->consumed(peer.codec, &owner.stream, 5);
}
END_TEST

START_TEST(each_upcall_may_cancel)
{
    static const char answer[] = OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: u\r\n\r\n";
    int at;

    /* sent, head, field, head_done, data, trailer */
    for (at = 1; at <= 6; at++) {
        tear_down();
        set_up();
        owner.cancel_at = at;
        start();
        ck_assert_int_eq(peer_answer(&peer, answer), 0);
        ck_assert_int_eq(owner.closed, 0);
        ck_assert_int_eq(owner.events, at);
        check_state(&peer, RQX__CODEC_CLOSED);
    }
}
END_TEST

START_TEST(cancelling_at_the_end_keeps_the_connection)
{
    owner.cancel_at = 5; /* sent, head, field, head_done, end */
    start();
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    ck_assert_int_eq(owner.events, 5);
    ck_assert_int_eq(owner.closed, 0);
    check_state(&peer, RQX__CODEC_OPEN);
    tear_down();
    set_up();
    owner.cancel_at = 6; /* unless it is to close anyway */
    start();
    ck_assert_int_eq(peer_answer(&peer, OK "Connection: close\r\nContent-Length: 0\r\n\r\n"), 0);
    ck_assert_int_eq(owner.events, 6);
    ck_assert_int_eq(owner.closed, 0);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

/* ---- backpressure ---- */

START_TEST(unread_bytes_are_not_wanted_without_end)
{
    static char bytes[64 * 1024];

    owner.hoards = true;
    start();
    ck_assert_int_eq(peer_answer(&peer, OK "Content-Length: 1000000\r\n\r\n"), 0);
    ck_assert_int_eq(peer_answer_len(&peer, bytes, sizeof bytes), 0);
    ck_assert(peer.codec->ops->want_recv(peer.codec));
    ck_assert_int_eq(peer_answer_len(&peer, bytes, 1000), 0);
    ck_assert(!peer.codec->ops->want_recv(peer.codec));
    ck_assert_uint_eq(owner.stream.unconsumed, sizeof bytes + 1000);
    peer.codec->ops->consumed(peer.codec, &owner.stream, 999);
    ck_assert(!peer.codec->ops->want_recv(peer.codec));
    peer.codec->ops->consumed(peer.codec, &owner.stream, 1);
    ck_assert(peer.codec->ops->want_recv(peer.codec));
    peer.codec->ops->consumed(peer.codec, &owner.stream, 10 * sizeof bytes);
    ck_assert_uint_eq(owner.stream.unconsumed, 0);
    /* who has gone is not waited for */
    ck_assert_int_eq(peer_answer_len(&peer, bytes, sizeof bytes), 0);
    ck_assert_int_eq(peer_answer_len(&peer, bytes, sizeof bytes), 0);
    ck_assert(!peer.codec->ops->want_recv(peer.codec));
    peer.codec->ops->cancel(peer.codec, &owner.stream, 8);
    ck_assert(peer.codec->ops->want_recv(peer.codec));
}
END_TEST

/* ---- tunnels ---- */

START_TEST(an_upgrade_turns_into_bytes)
{
    owner_add(&owner, "Upgrade", "x");
    owner_add(&owner, "Connection", "Upgrade");
    start();
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\nHTTP/1.1 "), 0);
    ck_assert_int_eq(peer_answer(&peer, "raw"), 0);
    ck_assert_int_eq(peer_eof(&peer), 0);
    ck_assert_str_eq(owner_log(&owner),
                     "sent\nhead 101 Go 11\nfield Upgrade=x\ndone 101 -1\ndata HTTP/1.1 raw\nend\nclosed\n");
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(an_upgrade_that_nobody_asked_for_is_an_error)
{
    start();
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 101 Go\r\n\r\n"), RQX_ERR_PROTOCOL);
    peer_fail(&peer);
    check_failed(&owner, RQX_ERR_PROTOCOL, 0);
}
END_TEST

START_TEST(a_tunnel_has_no_length)
{
    anew("CONNECT");
    start();
    ck_assert_int_eq(peer_answer(&peer, OK "Content-Length: 1\r\n\r\nmany bytes"), 0);
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_int_eq(peer_eof(&peer), 0);
    check_well(&owner);
    ck_assert_uint_eq(owner.stream.received, 10);
}
END_TEST

static void add_exchange_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "exchange");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_get_is_answered);
    tcase_add_test(tcase, one_request_after_another);
    tcase_add_test(tcase, one_request_at_a_time);
    tcase_add_test(tcase, the_next_may_be_submitted_when_one_closes);
    tcase_add_test(tcase, what_cannot_be_sent_is_not_taken);
    tcase_add_test(tcase, interim_responses_are_told);
    tcase_add_test(tcase, trailers_are_told);
    tcase_add_test(tcase, some_responses_have_no_body);
    tcase_add_test(tcase, cuts_make_no_difference);
    tcase_add_test(tcase, unread_bytes_are_not_wanted_without_end);
    tcase_add_test(tcase, an_upgrade_turns_into_bytes);
    tcase_add_test(tcase, an_upgrade_that_nobody_asked_for_is_an_error);
    tcase_add_test(tcase, a_tunnel_has_no_length);
}

static void add_connection_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "connection");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_connection_that_is_to_close_is_not_used_again);
    tcase_add_test(tcase, http_1_0_may_keep_it);
    tcase_add_test(tcase, shutdown_lets_the_open_one_finish);
    tcase_add_test(tcase, bytes_on_an_idle_connection_end_it);
    tcase_add_test(tcase, bytes_behind_a_response_end_the_connection);
    tcase_add_test(tcase, bytes_before_a_request_are_not_its_answer);
    tcase_add_test(tcase, the_end_of_an_idle_connection_is_proper);
    tcase_add_test(tcase, a_request_that_was_not_begun_is_unprocessed);
    tcase_add_test(tcase, an_end_without_an_answer_says_so);
    tcase_add_test(tcase, an_end_inside_a_response_is_an_error);
    tcase_add_test(tcase, an_end_may_be_the_end_of_the_body);
    tcase_add_test(tcase, a_violation_ends_stream_and_connection);
    tcase_add_test(tcase, header_sections_are_bounded);
}

static Suite *h1_suite(void)
{
    Suite *suite = suite_create("h1");
    TCase *tcase = rqx_add_case(suite, "stopping");

    add_exchange_tests(suite);
    add_connection_tests(suite);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, each_upcall_may_end_the_stream);
    tcase_add_test(tcase, a_request_that_was_not_begun_costs_nothing);
    tcase_add_test(tcase, a_request_that_was_begun_takes_the_connection_along);
    tcase_add_test(tcase, each_upcall_may_cancel);
    tcase_add_test(tcase, cancelling_at_the_end_keeps_the_connection);
    return suite;
}

RQX_CHECK_MAIN(h1_suite)
