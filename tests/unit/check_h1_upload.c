/*
 * Request bodies over HTTP/1.1: lengths, chunks, expectations, and answers that come before the end.
 */
#include "h1_support.h"

static struct peer peer;
static struct owner owner;

#define POST       "POST / HTTP/1.1\r\nHost: h\r\n"
#define EMPTY      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define EMPTY_TOLD "head 200 OK 11\nfield Content-Length=0\ndone 200 0\nend\nclosed\n"
#define TOO_LARGE  "HTTP/1.1 413 Large\r\nContent-Length: 2\r\n\r\n"

static void set_up(void)
{
    peer_init(&peer);
    owner_init(&owner, &peer, "POST");
}

static void tear_down(void)
{
    owner_done(&owner);
    peer_done(&peer);
}

static void again(void)
{
    tear_down();
    set_up();
}

static void start(void)
{
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    ck_assert_int_eq(peer_send(&peer), 0);
}

static void resume(void)
{
    ck_assert_int_eq(peer.codec->ops->resume_body(peer.codec, &owner.stream), 0);
}

/* Sends all of it, resuming where the source hesitates. */
static void send_all(void)
{
    int turns;

    start();
    for (turns = 0; turns < 1000 && owner.log_len == 0; turns++) {
        resume();
        ck_assert_int_eq(peer_send(&peer), 0);
    }
}

static void check_answered(void)
{
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    ck_assert_str_eq(owner_log(&owner), "sent\n" EMPTY_TOLD);
    check_well(&owner);
    check_state(&peer, RQX__CODEC_OPEN);
}

/* ---- whole bodies ---- */

START_TEST(a_known_length_is_sent_as_it_is)
{
    /* bit 0: in small pieces, bit 1: hesitating, bit 2: the end comes alone */
    owner.piece = _i & 1 ? 3 : 0;
    owner.hesitates = (_i & 2) != 0;
    owner.late_end = (_i & 4) != 0;
    owner_body(&owner, "hello world", 11, true);
    send_all();
    check_sent(&peer, POST "Content-Length: 11\r\n\r\nhello world");
    ck_assert_uint_eq(owner.stream.sent_bytes, 11);
    check_answered();
}
END_TEST

START_TEST(an_unknown_length_is_sent_in_chunks)
{
    owner.piece = _i & 1 ? 6 : 0;
    owner.hesitates = (_i & 2) != 0;
    owner.late_end = (_i & 4) != 0;
    owner_body(&owner, "hello world", 11, false);
    send_all();
    if (_i & 1)
        check_sent(&peer, POST "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
    else
        check_sent(&peer, POST "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n");
    check_answered();
}
END_TEST

START_TEST(an_empty_body_is_a_body)
{
    owner_body(&owner, "", 0, true);
    start();
    check_sent(&peer, POST "Content-Length: 0\r\n\r\n");
    ck_assert_int_eq(owner.pulls, 1);
    check_answered();
    again();
    owner_body(&owner, "", 0, false);
    start();
    check_sent(&peer, POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    check_answered();
}
END_TEST

START_TEST(trailers_end_the_body)
{
    ck_assert_int_eq(rqx_headers_add(&owner.trailers, "T", 1, "u", 1), 0);
    owner.head.trailers = &owner.trailers;
    owner_body(&owner, "hello", 5, true);
    start();
    check_sent(&peer, POST "Trailer: T\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: u\r\n\r\n");
    check_answered();
    again();
    ck_assert_int_eq(rqx_headers_add(&owner.trailers, "T", 1, "u", 1), 0);
    owner.head.trailers = &owner.trailers;
    start();
    check_sent(&peer, POST "Trailer: T\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: u\r\n\r\n");
    ck_assert_int_eq(owner.pulls, 0);
    check_answered();
}
END_TEST

static char large[300000];

/* The body as the peer has it, chunks undone, put at the beginning of |large|. */
static size_t undo_chunks(const char *at, const char *end)
{
    static char plain[sizeof large];
    size_t total = 0;

    for (;;) {
        char *after;
        unsigned long size = strtoul(at, &after, 16);

        ck_assert_mem_eq(after, "\r\n", 2);
        at = after + 2;
        if (size == 0)
            break;
        ck_assert_uint_le(size, (size_t)(end - at));
        memcpy(plain + total, at, size);
        total += size;
        ck_assert_mem_eq(at + size, "\r\n", 2);
        at += size + 2;
    }
    ck_assert_int_eq(end - at, 2);
    memcpy(large, plain, total);
    return total;
}

START_TEST(the_limit_of_a_send_is_kept)
{
    static const size_t limits[] = {64, 65, 100, 521, 1000, 65536, 65537, 65541, 1000000};
    static char copy[sizeof large];
    const char *sent;
    size_t i;

    for (i = 0; i < sizeof copy; i++)
        copy[i] = (char)('a' + i * i % 26);
    for (i = 0; i < 2 * sizeof limits / sizeof *limits; i++) {
        again();
        peer.limit = limits[i / 2];
        owner_body(&owner, copy, sizeof copy, i % 2 == 0);
        start();
        ck_assert_int_eq(rqx__buf_append(&peer.sent, "", 1), 0);
        sent = (const char *)rqx__buf_head(&peer.sent);
        sent = strstr(sent, "\r\n\r\n");
        ck_assert_ptr_nonnull(sent);
        sent += 4;
        if (i % 2 == 0)
            ck_assert_mem_eq(sent, copy, sizeof copy);
        else
            ck_assert_uint_eq(undo_chunks(sent, (const char *)rqx__buf_tail(&peer.sent) - 1), sizeof copy);
        if (i % 2 != 0)
            ck_assert_mem_eq(large, copy, sizeof copy);
        check_answered();
    }
}
END_TEST

START_TEST(a_large_head_goes_out_in_parts)
{
    static char value[40000];
    char *sent;

    memset(value, 'v', sizeof value);
    ck_assert_int_eq(rqx_headers_add(&owner.fields, "X", 1, value, sizeof value), 0);
    peer.limit = 1000;
    start();
    ck_assert_uint_gt(peer.sent.len, sizeof value);
    sent = (char *)rqx__buf_tail(&peer.sent) - 8;
    ck_assert_mem_eq(sent, "vvvv\r\n\r\n", 8);
    check_answered();
}
END_TEST

START_TEST(out_is_filled_but_not_with_crumbs)
{
    static char body[3000];
    struct rqx__buf out;
    size_t before;

    owner_body(&owner, body, sizeof body, false);
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 1000, &peer.err), 0);
    ck_assert_uint_le(out.len, 1000);
    before = out.len;
    ck_assert_uint_gt(before, 900);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, before + 100, &peer.err), 0);
    ck_assert_uint_eq(out.len, before);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, before - 100, &peer.err), 0);
    ck_assert_uint_eq(out.len, before);
    ck_assert(peer.codec->ops->want_send(peer.codec));
    rqx__buf_done(&out);
}
END_TEST

START_TEST(a_source_may_have_nothing_yet)
{
    owner.failure = RQX_AGAIN; /* once it gave five bytes */
    owner.fail_at = 5;
    owner.piece = 5;
    owner_body(&owner, "hello world", 11, true);
    start();
    check_sent(&peer, POST "Content-Length: 11\r\n\r\nhello");
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer_send(&peer), 0);
    ck_assert_int_eq(owner.pulls, 2);
    owner.failure = 0;
    resume();
    ck_assert(peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, " world");
    check_answered();
}
END_TEST

START_TEST(resuming_while_it_is_asked_counts)
{
    struct rqx__buf out;

    owner.hesitates = owner.resumes_at_once = true;
    owner_body(&owner, "hello", 5, true);
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 1000, &peer.err), 0);
    ck_assert_int_eq(owner.pulls, 1);
    ck_assert(peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 1000, &peer.err), 0);
    ck_assert_int_eq(owner.pulls, 2);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    rqx__buf_done(&out);
    check_answered();
}
END_TEST

START_TEST(no_bytes_and_no_end_are_not_asked_again_at_once)
{
    owner.says_nothing = true;
    owner_body(&owner, "hello", 5, true);
    start();
    ck_assert_int_eq(owner.pulls, 1);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    owner.says_nothing = false;
    resume();
    ck_assert_int_eq(peer_send(&peer), 0);
    check_answered();
}
END_TEST

/* ---- bodies that are not what was said ---- */

START_TEST(a_longer_body_fails_without_its_surplus)
{
    owner.piece = _i & 1 ? 4 : 0;
    if (_i & 2)
        owner_add(&owner, "Transfer-Encoding", "chunked");
    owner_body(&owner, "hello world", 11, true);
    owner.head.body_length = 5;
    start();
    check_failed(&owner, RQX_ERR_REQUEST_LENGTH, 0);
    ck_assert_str_eq(owner_log(&owner), "closed: the request body is longer than the 5 bytes announced\n");
    check_state(&peer, RQX__CODEC_CLOSED);
    if (_i == 0)
        check_sent(&peer, POST "Content-Length: 5\r\n\r\nhello");
    if (_i == 1)
        check_sent(&peer, POST "Content-Length: 5\r\n\r\nhello");
    if (_i == 2)
        check_sent(&peer, POST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    if (_i == 3)
        check_sent(&peer, POST "Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n1\r\no\r\n");
}
END_TEST

START_TEST(a_shorter_body_fails)
{
    owner.late_end = _i == 1;
    owner_body(&owner, "hello", 5, true);
    owner.head.body_length = 6;
    start();
    check_failed(&owner, RQX_ERR_REQUEST_LENGTH, 0);
    ck_assert_str_eq(owner_log(&owner), "closed: the request body is shorter than the 6 bytes announced\n");
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_send(&peer), 0);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
}
END_TEST

START_TEST(a_source_may_fail)
{
    owner.failure = RQX_ERR_BODY_SOURCE;
    owner.fail_at = 5;
    owner.piece = 5;
    owner_body(&owner, "hello world", 11, _i == 0);
    start();
    check_failed(&owner, RQX_ERR_BODY_SOURCE, 0);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(a_source_may_cancel)
{
    owner.cancel_at = 2;
    owner.piece = 5;
    owner_body(&owner, "hello world", 11, _i == 0);
    start();
    ck_assert_int_eq(owner.pulls, 2);
    ck_assert_int_eq(owner.closed, 0);
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
}
END_TEST

/* ---- RFC 9110 section 10.1.1 ---- */

#define EXPECTING POST "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"

static void start_expecting(void)
{
    owner_expect(&owner);
    owner_body(&owner, "body", 4, true);
    start();
    check_sent(&peer, EXPECTING);
    ck_assert_int_eq(owner.pulls, 0);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    ck_assert_uint_eq(peer.codec->ops->next_deadline(peer.codec), 6 * SECOND);
}

START_TEST(continue_lets_the_body_go)
{
    start_expecting();
    resume(); /* is not what it waits for */
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 103 E\r\n\r\n"), 0);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 100 Go\r\n\r\n"), 0);
    ck_assert(peer.codec->ops->want_send(peer.codec));
    ck_assert_uint_eq(peer.codec->ops->next_deadline(peer.codec), RQX__NEVER);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, "body");
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    ck_assert_str_eq(owner_log(&owner), "head 103 E 11\ndone 103 0\nhead 100 Go 11\ndone 100 0\nsent\n" EMPTY_TOLD);
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(silence_lets_the_body_go_in_time)
{
    start_expecting();
    peer.codec->now = 6 * SECOND - 1;
    ck_assert_int_eq(peer.codec->ops->tick(peer.codec, &peer.err), 0);
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    peer.codec->now = 6 * SECOND;
    ck_assert_int_eq(peer.codec->ops->tick(peer.codec, &peer.err), 0);
    ck_assert_uint_eq(peer.codec->ops->next_deadline(peer.codec), RQX__NEVER);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, "body");
    /* a late 100 is nothing special */
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 100 Go\r\n\r\n" EMPTY), 0);
    check_well(&owner);
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(the_wait_begins_when_the_head_is_out)
{
    struct rqx__buf out;

    owner_expect(&owner);
    owner_body(&owner, "body", 4, true);
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    ck_assert_uint_eq(peer.codec->ops->next_deadline(peer.codec), RQX__NEVER);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 64, &peer.err), 0);
    ck_assert_uint_eq(peer.codec->ops->next_deadline(peer.codec), RQX__NEVER);
    peer.codec->now = 9 * SECOND;
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 1000, &peer.err), 0);
    ck_assert_uint_eq(peer.codec->ops->next_deadline(peer.codec), 10 * SECOND);
    rqx__buf_done(&out);
}
END_TEST

START_TEST(without_patience_nothing_is_waited_for)
{
    struct peer hasty;
    struct owner other;

    peer_init(&hasty);
    hasty.codec->ops->free(hasty.codec);
    hasty.config.expect_timeout = _i == 0 ? 0 : RQX__NEVER;
    ck_assert_int_eq(rqx__h1_new(&hasty.config, &hasty.codec), 0);
    owner_init(&other, &hasty, "POST");
    owner_expect(&other);
    owner_body(&other, "body", 4, true);
    ck_assert_int_eq(peer_submit(&hasty, &other), 0);
    ck_assert_int_eq(peer_send(&hasty), 0);
    ck_assert_uint_eq(hasty.codec->ops->next_deadline(hasty.codec), RQX__NEVER);
    if (_i == 0)
        check_sent(&hasty, EXPECTING "body");
    else
        check_sent(&hasty, EXPECTING); /* with any amount of it, it is waited for ever */
    owner_done(&other);
    peer_done(&hasty);
}
END_TEST

START_TEST(a_final_answer_makes_the_body_pointless)
{
    static const char *const answers[] = {"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", EMPTY};

    start_expecting();
    ck_assert_int_eq(peer_answer(&peer, answers[_i]), 0);
    check_well(&owner);
    if (_i == 0)
        ck_assert_str_eq(owner_log(&owner),
                         "head 417 No 11\nfield Content-Length=0\ndone 417 0\nrefused\nend\nclosed\n");
    ck_assert_int_eq(owner.pulls, 0);
    /* the peer may still wait for the body that was announced */
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, "");
}
END_TEST

START_TEST(without_content_there_is_no_expectation)
{
    owner_expect(&owner);
    owner_body(&owner, "", 0, true);
    start();
    check_sent(&peer, POST "Content-Length: 0\r\n\r\n");
    check_answered();
}
END_TEST

/* ---- answers that come before the end of the request ---- */

static void start_half(bool announced)
{
    owner.failure = RQX_AGAIN;
    owner.fail_at = 5;
    owner.piece = 5;
    owner_body(&owner, "hello world", 11, announced);
    start();
    rqx__buf_clear(&peer.sent);
}

START_TEST(an_early_error_stops_the_upload)
{
    start_half(_i == 0);
    ck_assert_int_eq(peer_answer(&peer, TOO_LARGE), 0);
    ck_assert_str_eq(owner_log(&owner), "head 413 Large 11\nfield Content-Length=2\ndone 413 2\nrefused\n");
    owner.failure = 0;
    resume();
    ck_assert(!peer.codec->ops->want_send(peer.codec));
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, "");
    ck_assert_int_eq(owner.closed, 0);
    ck_assert_int_eq(peer_answer(&peer, "no"), 0);
    check_well(&owner);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(an_early_success_may_still_be_fed)
{
    start_half(_i == 0);
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello"), 0);
    owner.failure = 0;
    resume();
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, _i == 0 ? " world" : "5\r\n worl\r\n1\r\nd\r\n0\r\n\r\n");
    ck_assert_int_eq(peer_answer(&peer, " world"), 0);
    check_well(&owner);
    ck_assert_str_eq(owner_log(&owner), "head 200 OK 11\nfield Content-Length=11\ndone 200 11\ndata hello\nsent\n"
                                        "data  world\nend\nclosed\n");
    check_state(&peer, RQX__CODEC_OPEN);
}
END_TEST

START_TEST(a_complete_success_stops_the_upload)
{
    start_half(_i == 0);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), 0);
    ck_assert_str_eq(owner_log(&owner), "head 200 OK 11\nfield Content-Length=0\ndone 200 0\nrefused\nend\nclosed\n");
    check_well(&owner);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(all_bytes_are_enough_even_if_the_end_was_not_told)
{
    owner.failure = RQX_AGAIN;
    owner.fail_at = 5;
    owner.late_end = true;
    owner_body(&owner, "hello", 5, true);
    start();
    check_sent(&peer, POST "Content-Length: 5\r\n\r\nhello");
    ck_assert_int_eq(owner.pulls, 2);
    check_answered();
}
END_TEST

START_TEST(an_answer_before_all_of_the_head_is_odd_but_final)
{
    struct rqx__buf out;

    owner_add(&owner, "X", "a value that makes this more than sixty-four bytes altogether");
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 64, &peer.err), 0);
    ck_assert_uint_eq(out.len, 64);
    rqx__buf_done(&out);
    ck_assert_int_eq(peer_answer(&peer, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"), 0);
    check_well(&owner);
    check_state(&peer, RQX__CODEC_CLOSED);
    ck_assert_int_eq(peer_send(&peer), 0);
    check_sent(&peer, "");
}
END_TEST

START_TEST(being_told_of_a_refusal_may_cancel)
{
    /* two pulls, head, field, head_done, refused: at the head of an error, at the end of a success */
    start_half(true);
    owner.cancel_at = 6;
    ck_assert_int_eq(peer_answer(&peer, _i == 0 ? TOO_LARGE : EMPTY), 0);
    ck_assert_int_eq(owner.events, 6);
    ck_assert_int_eq(owner.closed, 0);
    check_state(&peer, RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(a_connection_lost_during_the_upload)
{
    start_half(true);
    rqx__err_set(&peer.err, RQX_ERR_WRITE, "broken pipe");
    peer_fail(&peer);
    check_failed(&owner, RQX_ERR_WRITE, RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner_log(&owner), "closed: broken pipe\n");
}
END_TEST

/* ---- memory ---- */

#ifdef RQX_TEST_ALLOC
/* A whole exchange; the sum of what went wrong. */
static int play(void)
{
    struct rqx__codec *codec = NULL;
    struct rqx__buf out;
    int rv = rqx__h1_new(&peer.config, &codec);

    if (rv < 0)
        return rv;
    rqx__buf_init(&out, SIZE_MAX);
    peer.codec = codec;
    rv = codec->ops->submit(codec, &owner.stream, &owner.head);
    if (rv == 0)
        rv = codec->ops->send(codec, &out, 65536, &peer.err);
    if (rv == 0)
        rv = peer_answer(&peer, "HTTP/1.1 200 O");
    if (rv == 0)
        rv = peer_answer(&peer, "K\r\nTransfer-Encoding: chun");
    if (rv == 0)
        rv = peer_answer(&peer, "ked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    if (rv < 0)
        (codec->ops->fail)(codec, &peer.err);
    codec->ops->free(codec);
    rqx__buf_done(&out);
    return rv;
}

START_TEST(each_failed_allocation_is_out_of_memory)
{
    struct rqx__codec *kept = peer.codec;
    unsigned long n;
    int rv = RQX_ERR_NOMEM;

    for (n = 1; rv != 0; n++) {
        owner_done(&owner);
        owner_init(&owner, &peer, "POST");
        ck_assert_int_eq(rqx_headers_add(&owner.trailers, "T", 1, "u", 1), 0);
        owner.head.trailers = &owner.trailers;
        owner_body(&owner, large, 10000, false);
        rqx__mem_fail_at(n, 0);
        rv = play();
        rqx__mem_fail_at(0, 0);
        ck_assert(rv == 0 || rv == RQX_ERR_NOMEM);
        if (rv != 0 && owner.closed != 0)
            ck_assert_int_eq(owner.code, RQX_ERR_NOMEM);
        ck_assert_ptr_null(owner.stream.codec);
    }
    check_well(&owner);
    ck_assert_uint_gt(n, 5);
    peer.codec = kept;
}
END_TEST

START_TEST(no_room_for_the_body_ends_the_connection)
{
    struct rqx__buf out;

    owner_body(&owner, large, 10000, true);
    ck_assert_int_eq(peer_submit(&peer, &owner), 0);
    rqx__buf_init(&out, SIZE_MAX);
    rqx__mem_fail_at(2, 0);
    ck_assert_int_eq(peer.codec->ops->send(peer.codec, &out, 65536, &peer.err), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_int_eq(peer.err.code, RQX_ERR_NOMEM);
    ck_assert_int_eq(peer_answer(&peer, EMPTY), RQX_ERR_NOMEM);
    peer_fail(&peer);
    check_failed(&owner, RQX_ERR_NOMEM, RQX__CLOSE_NO_BYTES);
    rqx__buf_done(&out);
}
END_TEST
#endif

static void add_body_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "body");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_known_length_is_sent_as_it_is, 0, 8);
    tcase_add_loop_test(tcase, an_unknown_length_is_sent_in_chunks, 0, 8);
    tcase_add_test(tcase, an_empty_body_is_a_body);
    tcase_add_test(tcase, trailers_end_the_body);
    tcase_add_test(tcase, the_limit_of_a_send_is_kept);
    tcase_add_test(tcase, a_large_head_goes_out_in_parts);
    tcase_add_test(tcase, out_is_filled_but_not_with_crumbs);
    tcase_add_test(tcase, a_source_may_have_nothing_yet);
    tcase_add_test(tcase, resuming_while_it_is_asked_counts);
    tcase_add_test(tcase, no_bytes_and_no_end_are_not_asked_again_at_once);
    tcase_add_loop_test(tcase, a_longer_body_fails_without_its_surplus, 0, 4);
    tcase_add_loop_test(tcase, a_shorter_body_fails, 0, 2);
    tcase_add_loop_test(tcase, a_source_may_fail, 0, 2);
    tcase_add_loop_test(tcase, a_source_may_cancel, 0, 2);
}

static void add_expect_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "expect");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, continue_lets_the_body_go);
    tcase_add_test(tcase, silence_lets_the_body_go_in_time);
    tcase_add_test(tcase, the_wait_begins_when_the_head_is_out);
    tcase_add_loop_test(tcase, without_patience_nothing_is_waited_for, 0, 2);
    tcase_add_loop_test(tcase, a_final_answer_makes_the_body_pointless, 0, 2);
    tcase_add_test(tcase, without_content_there_is_no_expectation);
}

static Suite *h1_upload_suite(void)
{
    Suite *suite = suite_create("h1_upload");
    TCase *tcase = rqx_add_case(suite, "early");

    add_body_tests(suite);
    add_expect_tests(suite);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, an_early_error_stops_the_upload, 0, 2);
    tcase_add_loop_test(tcase, an_early_success_may_still_be_fed, 0, 2);
    tcase_add_loop_test(tcase, a_complete_success_stops_the_upload, 0, 2);
    tcase_add_test(tcase, all_bytes_are_enough_even_if_the_end_was_not_told);
    tcase_add_test(tcase, an_answer_before_all_of_the_head_is_odd_but_final);
    tcase_add_loop_test(tcase, being_told_of_a_refusal_may_cancel, 0, 2);
    tcase_add_test(tcase, a_connection_lost_during_the_upload);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, each_failed_allocation_is_out_of_memory);
    tcase_add_test(tcase, no_room_for_the_body_ends_the_connection);
#endif
    return suite;
}

RQX_CHECK_MAIN(h1_upload_suite)
