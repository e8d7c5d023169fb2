/*
 * Streams that we reset count as open until the peer has shown that it knows (RFC 9113 sections 5.1.2 and 10.5).
 */
#include "h2_support.h"

static struct link link;

static void set_up(void)
{
    link_init(&link);
    raw_greet(&link);
}

static void tear_down(void)
{
    link_done(&link);
}

static size_t capacity(void)
{
    return link.codec->ops->capacity(link.codec);
}

static void limit_streams(uint32_t count)
{
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, count), 0);
    ck_assert_int_eq(link_send(&link), 0);
}

static void open_get(struct owner *owner)
{
    owner_init(owner, "/");
    raw_request(&link, owner);
}

/* Opens |count| streams and resets each at once. */
static void open_and_reset(size_t count)
{
    while (count-- > 0) {
        struct owner owner;

        open_get(&owner);
        link.codec->ops->cancel(link.codec, &owner.stream, NGHTTP2_CANCEL);
        ck_assert_int_eq(link_send(&link), 0);
    }
}

static size_t pings(void)
{
    return count_frames(&link, NGHTTP2_PING, 0);
}

/* Acknowledges the last PING. */
static void acknowledge(void)
{
    const struct frame *ping = find_frame(&link, NGHTTP2_PING, 0);
    uint8_t payload[8];

    memcpy(payload, rqx__buf_head(&link.sent) + ping->payload, 8);
    ck_assert_int_eq(raw(&link, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload, 8), 0);
    ck_assert_int_eq(link_send(&link), 0);
}

/* Answers the stream |id|, which is open. */
static void answer(int32_t id)
{
    ck_assert_int_eq(raw_headers(&link, id, true, "200", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
}

static void let_time_pass(uint64_t ms)
{
    link.codec->now += ms * MS;
    ck_assert_int_eq(link.codec->ops->tick(link.codec, &link.err), 0);
    ck_assert_int_eq(link_send(&link), 0);
}

START_TEST(a_reset_stream_still_counts)
{
    limit_streams(10);
    open_and_reset(3);
    ck_assert_uint_eq(capacity(), 7);
    ck_assert_uint_eq(link.codec->open_streams, 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 3);
}
END_TEST

START_TEST(a_few_cost_no_ping)
{
    limit_streams(10);
    open_and_reset(4);
    ck_assert_uint_eq(pings(), 0);
    open_and_reset(1);
    ck_assert_uint_eq(pings(), 1);
    open_and_reset(5);
    ck_assert_uint_eq(pings(), 1);
    ck_assert_uint_eq(capacity(), 0);
}
END_TEST

START_TEST(a_later_answer_shows_that_the_resets_were_read)
{
    struct owner later;
    struct owner early;

    limit_streams(10);
    open_get(&early);  /* 1 */
    open_and_reset(1); /* 3 */
    answer(1);         /* may have been under way before the reset was read */
    ck_assert_uint_eq(capacity(), 9);
    check_closed_well(&early);
    open_get(&later); /* 5 */
    ck_assert_uint_eq(capacity(), 8);
    answer(5);
    ck_assert_uint_eq(capacity(), 10);
    check_closed_well(&later);
    ck_assert_uint_eq(pings(), 0);
}
END_TEST

START_TEST(an_acknowledged_ping_shows_it_too)
{
    limit_streams(2);
    open_and_reset(1);
    ck_assert_uint_eq(pings(), 1);
    ck_assert_uint_eq(capacity(), 1);
    acknowledge();
    ck_assert_uint_eq(capacity(), 2);
    acknowledge(); /* once more: nothing to show */
    ck_assert_uint_eq(capacity(), 2);
    ck_assert(link.codec->ops->next_deadline(link.codec) == RQX__NEVER);
}
END_TEST

/* What was reset after the PING left is shown by the next thing only. */
START_TEST(resets_come_in_groups)
{
    struct owner owner;

    limit_streams(4);
    open_and_reset(2); /* the second one has the PING sent */
    open_and_reset(1);
    ck_assert_uint_eq(capacity(), 1);
    acknowledge();
    ck_assert_uint_eq(capacity(), 2); /* the first, which was waited for when the PING left */
    open_get(&owner);
    answer(owner.stream.id);
    ck_assert_uint_eq(capacity(), 4);
}
END_TEST

/* Servers of gRPC take a PING for abuse if nothing of use came in between. */
START_TEST(no_second_ping_before_something_came)
{
    struct owner owner;

    limit_streams(2);
    open_and_reset(1);
    acknowledge();
    open_and_reset(2);
    ck_assert_uint_eq(pings(), 1);
    ck_assert_uint_eq(capacity(), 0);
    let_time_pass(1000);
    let_time_pass(1000);
    ck_assert_uint_eq(capacity(), 2);
    open_get(&owner);
    answer(owner.stream.id);
    open_and_reset(1);
    ck_assert_uint_eq(pings(), 2);
}
END_TEST

START_TEST(data_allows_the_next_ping)
{
    struct owner owner;

    limit_streams(3);
    open_get(&owner); /* 1 */
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    open_and_reset(1);
    ck_assert_uint_eq(pings(), 1);
    acknowledge();
    ck_assert_int_eq(raw_data(&link, 1, false, 10), 0);
    open_and_reset(1);
    ck_assert_uint_eq(pings(), 2);
}
END_TEST

/* A peer that tells nothing must not keep the connection full. */
START_TEST(the_wait_is_bounded)
{
    limit_streams(4);
    open_and_reset(4);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), link.codec->now + 1000 * MS);
    let_time_pass(999);
    ck_assert_uint_eq(capacity(), 0);
    let_time_pass(1);
    ck_assert_uint_ge(capacity(), 1);
    let_time_pass(1000);
    ck_assert_uint_eq(capacity(), 4);
    ck_assert(link.codec->ops->next_deadline(link.codec) == RQX__NEVER);
}
END_TEST

/* What was submitted before the reset made the peer full waits, and is sent when there is room. */
START_TEST(those_that_wait_are_sent_when_there_is_room)
{
    struct owner first;
    struct owner second;

    limit_streams(2);
    open_get(&first); /* 1 */
    owner_init(&second, "/");
    ck_assert_int_eq(link_submit(&link, &second), 0);
    link.codec->ops->cancel(link.codec, &first.stream, NGHTTP2_CANCEL);
    ck_assert_int_eq(link_send(&link), 0); /* RST_STREAM, and the second */
    limit_streams(1);
    owner_init(&first, "/");
    ck_assert_int_eq(link_submit(&link, &first), RQX_AGAIN);
    answer(3); /* whose request left together with the reset: it tells nothing of that */
    check_closed_well(&second);
    ck_assert_uint_eq(capacity(), 0);
    let_time_pass(1000);
    ck_assert_uint_eq(capacity(), 1);
}
END_TEST

START_TEST(the_clients_own_limit_is_another)
{
    link_done(&link);
    link_config(&link);
    link.config.max_streams = 2;
    link_open(&link);
    raw_greet(&link);
    limit_streams(100);
    open_and_reset(5);
    ck_assert_uint_eq(capacity(), 2);
}
END_TEST

START_TEST(a_peer_without_a_limit_is_never_asked)
{
    open_and_reset(200);
    ck_assert_uint_eq(pings(), 0);
    ck_assert_uint_gt(capacity(), 1000000);
}
END_TEST

/* The liveness PING and this one are told apart. */
START_TEST(both_pings_may_be_under_way)
{
    struct owner owner;
    uint8_t payload[8];

    limit_streams(4);
    open_get(&owner);
    let_time_pass(10000);
    ck_assert_uint_eq(pings(), 1);
    memcpy(payload, rqx__buf_head(&link.sent) + find_frame(&link, NGHTTP2_PING, 0)->payload, 8);
    open_and_reset(1);
    ck_assert_uint_eq(pings(), 2);
    ck_assert_int_eq(raw(&link, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload, 8), 0);
    ck_assert_uint_eq(capacity(), 2);
    acknowledge();
    ck_assert_uint_eq(capacity(), 3);
}
END_TEST

START_TEST(refused_pushes_never_counted)
{
    struct owner owner;
    struct block block = {.len = 4};

    link_done(&link);
    link_init(&link);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10), 0);
    open_get(&owner);
    memcpy(block.bytes, "\0\0\0\2", 4);
    block_field(&block, ":method", "GET");
    block_field(&block, ":scheme", "https");
    block_field(&block, ":authority", "example.com");
    block_field(&block, ":path", "/pushed");
    ck_assert_int_eq(raw(&link, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, block.bytes, block.len), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 2), 1);
    ck_assert_uint_eq(capacity(), 9);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(a_ping_may_have_no_memory)
{
    unsigned long n;

    for (n = 1; n < 40; n++) {
        struct owner owner;

        tear_down();
        set_up();
        limit_streams(2);
        open_get(&owner);
        link.codec->ops->cancel(link.codec, &owner.stream, NGHTTP2_CANCEL);
        rqx__mem_fail_at(n, 0);
        (void)link.codec->ops->send(link.codec, &link.sent, SIZE_MAX, &link.err);
        rqx__mem_fail_at(0, 0);
        ck_assert(link.err.code == 0 || link.err.code == RQX_ERR_NOMEM);
    }
}
END_TEST
#endif

static Suite *h2_reset_suite(void)
{
    Suite *suite = suite_create("h2_reset");
    TCase *tcase = rqx_add_case(suite, "resets");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_reset_stream_still_counts);
    tcase_add_test(tcase, a_few_cost_no_ping);
    tcase_add_test(tcase, a_later_answer_shows_that_the_resets_were_read);
    tcase_add_test(tcase, an_acknowledged_ping_shows_it_too);
    tcase_add_test(tcase, resets_come_in_groups);
    tcase_add_test(tcase, no_second_ping_before_something_came);
    tcase_add_test(tcase, data_allows_the_next_ping);
    tcase_add_test(tcase, the_wait_is_bounded);
    tcase_add_test(tcase, those_that_wait_are_sent_when_there_is_room);
    tcase_add_test(tcase, the_clients_own_limit_is_another);
    tcase_add_test(tcase, a_peer_without_a_limit_is_never_asked);
    tcase_add_test(tcase, both_pings_may_be_under_way);
    tcase_add_test(tcase, refused_pushes_never_counted);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, a_ping_may_have_no_memory);
#endif
    return suite;
}

RQX_CHECK_MAIN(h2_reset_suite)
