/*
 * Flow control over HTTP/2, both ways (RFC 9113 sections 5.2 and 6.9), and liveness.
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

#define KIB 1024

/* A GET whose answer has begun. */
static void open_answered(struct owner *owner)
{
    owner_init(owner, "/");
    raw_request(&link, owner);
    ck_assert_int_eq(raw_headers(&link, owner->stream.id, false, "200", NULL), 0);
}

/* |len| bytes of DATA in frames of 16 KiB. */
static void give(int32_t id, size_t len)
{
    while (len != 0) {
        size_t piece = len < 16 * KIB ? len : 16 * KIB;

        ck_assert_int_eq(raw_data(&link, id, false, piece), 0);
        len -= piece;
    }
    ck_assert_int_eq(link_send(&link), 0);
}

/* Credit given with WINDOW_UPDATE so far; the connection's first one is its size. */
static size_t credit(int32_t id)
{
    size_t i;
    size_t sum = 0;

    for (i = 0; i < link.frame_count; i++) {
        if (link.frames[i].type == NGHTTP2_WINDOW_UPDATE && link.frames[i].id == id)
            sum += link.frames[i].word;
    }
    return id == 0 ? sum - (1024 * KIB - 65535) : sum;
}

static void wait_ms(uint64_t ms)
{
    link.codec->now += ms * MS;
}

static void consume(struct owner *owner, size_t len)
{
    link.codec->ops->consumed(link.codec, &owner->stream, len);
    ck_assert_int_eq(link_send(&link), 0);
}

/* ---- receiving ---- */

/* A window that is read slowly enough not to grow. */
START_TEST(credit_goes_back_half_a_window_at_a_time)
{
    struct owner owner;
    size_t i;

    open_answered(&owner);
    give(1, 127 * KIB);
    wait_ms(1000);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_WINDOW_UPDATE, 1), 0);
    for (i = 1; i <= 8; i++) {
        give(1, 128 * KIB);
        wait_ms(1000);
        ck_assert_uint_eq(count_frames(&link, NGHTTP2_WINDOW_UPDATE, 1), i);
        /* never more than was used */
        ck_assert_uint_le(credit(1), owner.received);
        ck_assert_uint_ge(credit(1) + 160 * KIB, owner.received);
    }
    ck_assert_uint_eq(owner.stream.window, 256 * KIB);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_WINDOW_UPDATE, 0), 1 + 2);
}
END_TEST

START_TEST(small_responses_cost_no_window_update)
{
    struct owner owner;
    int i;

    for (i = 0; i < 100; i++) {
        open_answered(&owner);
        ck_assert_int_eq(raw_data(&link, owner.stream.id, true, 1000), 0);
        check_closed_well(&owner);
    }
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_WINDOW_UPDATE, -1), 1);
}
END_TEST

/* A reader that pauses holds back its own stream and no other. */
START_TEST(a_paused_stream_stalls_only_itself)
{
    struct owner paused;
    struct owner other;

    open_answered(&paused);
    open_answered(&other);
    paused.holds = true;
    give(1, 256 * KIB);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_WINDOW_UPDATE, 1), 0);
    wait_ms(1000);
    give(3, 256 * KIB);
    /* the connection's credit came back for what nobody read */
    ck_assert_uint_eq(credit(0), 512 * KIB);
    ck_assert_uint_gt(credit(3), 0);
    wait_ms(1000);
    consume(&paused, 256 * KIB);
    ck_assert_uint_eq(credit(1), 256 * KIB);
    ck_assert_uint_eq(paused.stream.unconsumed, 0);
    give(1, 256 * KIB);
    ck_assert_uint_eq(paused.received, 512 * KIB);
}
END_TEST

/* RFC 9113 section 6.9: who does not keep to the window is cut off. */
START_TEST(more_than_the_window_is_an_error)
{
    struct owner paused;

    open_answered(&paused);
    paused.holds = true;
    give(1, 256 * KIB);
    ck_assert_int_eq(raw_data(&link, 1, false, 1), 0);
    ck_assert_int_eq(link_send(&link), 0);
    check_closed(&paused, RQX_ERR_PROTOCOL, 0);
    ck_assert_str_eq(paused.err.text, "protocol violated by the peer: FLOW_CONTROL_ERROR");
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_FLOW_CONTROL_ERROR);
    /* what is delivered beyond it is one frame at most */
    ck_assert_uint_le(paused.received, 272 * KIB);
    ck_assert_int_eq(raw_data(&link, 1, false, 16 * KIB), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 1), 1);
}
END_TEST

/* Padding counts against both windows (RFC 9113 section 6.1), and is nobody's to consume. */
START_TEST(padding_is_credited)
{
    static uint8_t payload[256] = {255};
    struct owner owner;
    size_t i;

    open_answered(&owner);
    for (i = 0; i < 4096; i++) {
        ck_assert_int_eq(raw(&link, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, payload, sizeof payload), 0);
        wait_ms(10);
        ck_assert_int_eq(link_send(&link), 0);
    }
    ck_assert_uint_eq(owner.received, 0);
    ck_assert_uint_ge(credit(0), 512 * KIB);
    ck_assert_uint_ge(credit(1), 1024 * KIB - 128 * KIB);
}
END_TEST

/* Bytes that were delivered and never consumed, and bytes that come for streams that are gone. */
START_TEST(no_connection_credit_is_lost_with_cancelled_streams)
{
    struct owner owner;
    size_t given = 0;
    size_t i;

    for (i = 0; i < 200; i++) {
        open_answered(&owner);
        owner.holds = true;
        give(owner.stream.id, 16 * KIB);
        link.codec->ops->cancel(link.codec, &owner.stream, NGHTTP2_CANCEL);
        /* before RST_STREAM is sent, and after */
        ck_assert_int_eq(raw_data(&link, owner.stream.id, false, 16 * KIB), 0);
        ck_assert_int_eq(link_send(&link), 0);
        give(owner.stream.id, 16 * KIB);
        given += 48 * KIB;
        ck_assert_uint_eq(owner.received, 16 * KIB);
        ck_assert_uint_ge(credit(0) + 1024 * KIB, given + 256 * KIB);
        wait_ms(100);
    }
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 200);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
}
END_TEST

START_TEST(more_consumed_than_delivered_gives_no_credit)
{
    struct owner owner;

    open_answered(&owner);
    owner.holds = true;
    give(1, 100 * KIB);
    consume(&owner, 1024 * KIB);
    ck_assert_uint_eq(owner.stream.unconsumed, 0);
    consume(&owner, 1024 * KIB);
    ck_assert_uint_eq(credit(1), 0);
    give(1, 156 * KIB);
    consume(&owner, 156 * KIB);
    ck_assert_uint_le(credit(1), 256 * KIB);
    ck_assert_int_eq(raw_data(&link, 1, true, 0), 0);
    check_closed_well(&owner);
    /* and on a closed stream there is nothing to give */
    consume(&owner, 100 * KIB);
}
END_TEST

/* The first round trip that is known is that of SETTINGS. */
static void greet_slowly(uint64_t round_trip)
{
    link_done(&link);
    link_config(&link);
    link_open(&link);
    ck_assert_int_eq(link_send(&link), 0);
    link.codec->now += round_trip;
    ck_assert_int_eq(raw_settings(&link, 0, 0), 0);
    ck_assert_int_eq(raw_settings_ack(&link), 0);
    ck_assert_int_eq(link_send(&link), 0);
}

START_TEST(windows_grow_with_the_bandwidth_delay_product)
{
    struct owner owner;
    size_t total = 0;

    greet_slowly(50 * MS);
    open_answered(&owner);
    /* 128 KiB in 48 ms, with 50 ms for a round trip: the peer may have to wait for credit */
    while (owner.stream.window < 512 * KIB) {
        ck_assert_uint_lt(total, 256 * KIB);
        wait_ms(6);
        give(1, 16 * KIB);
        total += 16 * KIB;
    }
    ck_assert_uint_eq(credit(1), total + 256 * KIB);
    /* at that pace 512 KiB are enough for ever */
    for (total = 0; total < 4096 * KIB; total += 16 * KIB) {
        wait_ms(8);
        give(1, 16 * KIB);
    }
    ck_assert_uint_eq(owner.stream.window, 512 * KIB);
    ck_assert_uint_eq(link_h2(&link)->conn_window, 1024 * KIB);
}
END_TEST

/* 128 KiB in 20 ms, with 50 ms for a round trip: the peer waits for credit most of the time. */
START_TEST(windows_that_are_far_too_small_grow_faster)
{
    struct owner owner;
    size_t total = 0;

    greet_slowly(50 * MS);
    open_answered(&owner);
    while (owner.stream.window == 256 * KIB) {
        ck_assert_uint_lt(total, 256 * KIB);
        wait_ms(2);
        give(1, 16 * KIB);
        total += 16 * KIB;
    }
    ck_assert_uint_eq(owner.stream.window, 1024 * KIB);
}
END_TEST

START_TEST(windows_grow_no_further_than_allowed)
{
    struct owner owner;
    size_t i;

    link_done(&link);
    link_config(&link);
    link.config.max_window = 3 * 1024 * KIB;
    link_open(&link);
    raw_greet(&link);
    open_answered(&owner);
    for (i = 0; i < 4000; i++)
        give(1, 16 * KIB);
    ck_assert_uint_eq(owner.stream.window, 3 * 1024 * KIB);
    ck_assert_uint_eq(link_h2(&link)->conn_window, 3 * 1024 * KIB);
}
END_TEST

/* A window that fills since nobody reads is not too small. */
START_TEST(a_slow_readers_window_does_not_grow)
{
    struct owner owner;
    size_t i;
    size_t j;

    open_answered(&owner);
    owner.holds = true;
    give(1, 256 * KIB);
    for (i = 0; i < 20; i++) {
        /* reads all of it at once after a while, in pieces that follow each other quickly */
        wait_ms(500);
        for (j = 0; j < 16; j++)
            consume(&owner, 16 * KIB);
        give(1, 256 * KIB);
    }
    ck_assert_uint_eq(owner.stream.window, 256 * KIB);
    ck_assert_uint_le(credit(1), owner.received);
    /* one that reads well from some time on gets more */
    for (j = 0; j < 16; j++)
        consume(&owner, 16 * KIB);
    owner.holds = false;
    for (i = 0; i < 64; i++)
        give(1, 16 * KIB);
    ck_assert_uint_gt(owner.stream.window, 256 * KIB);
}
END_TEST

START_TEST(small_windows_are_possible)
{
    struct owner owner;
    size_t i;

    link_done(&link);
    link_config(&link);
    link.config.max_window = 1000;
    link_open(&link);
    raw_greet(&link);
    open_answered(&owner);
    for (i = 0; i < 1000; i++)
        give(1, 500);
    ck_assert_uint_eq(owner.received, 500000);
    ck_assert_uint_eq(owner.stream.window, 1000);
    ck_assert_uint_eq(link_h2(&link)->conn_window, 65535);
}
END_TEST

/* ---- sending ---- */

START_TEST(an_upload_keeps_to_the_windows)
{
    struct owner owner;

    owner_post(&owner, 200000, 200000);
    raw_request(&link, &owner);
    ck_assert_uint_eq(data_bytes(&link, 1), 65535);
    /* the stream's credit alone does not help, nor the connection's */
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 1, 1000), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 65535);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 500), 0);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 66035);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 1000000), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 66535);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 1, 1000000), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 200000);
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_DATA, 1)->flags, NGHTTP2_FLAG_END_STREAM);
}
END_TEST

/* RFC 9113 section 6.9.2: SETTINGS may make a window negative. */
START_TEST(a_negative_window_is_waited_out)
{
    struct owner owner;

    owner_post(&owner, 100000, 100000);
    raw_request(&link, &owner);
    ck_assert_uint_eq(data_bytes(&link, 1), 65535);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 1000000), 0);
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000), 0);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 1, 64535), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 65535);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 1, 10), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 65545);
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100000), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 100000);
}
END_TEST

/* Frames are no larger than the peer allows, nor than 16 KiB. */
START_TEST(data_frames_keep_to_their_size)
{
    struct owner owner;
    size_t i;

    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20), 0);
    owner_post(&owner, 60000, 60000);
    raw_request(&link, &owner);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_DATA, 1), 4);
    for (i = 0; i < link.frame_count; i++)
        ck_assert_uint_le(link.frames[i].length, 16384);
}
END_TEST

static void open_windows(void)
{
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30), 0);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 1 << 30), 0);
    ck_assert_int_eq(link_send(&link), 0);
}

/* Three large uploads and a small one, which must not wait for the others. */
START_TEST(uploads_take_turns)
{
    struct owner owners[3];
    struct owner small;
    size_t i;
    size_t before = 0;

    open_windows();
    for (i = 0; i < 3; i++) {
        owner_post(&owners[i], 1000000, 1000000);
        ck_assert_int_eq(link_submit(&link, &owners[i]), 0);
    }
    owner_post(&small, 100, 100);
    ck_assert_int_eq(link_submit(&link, &small), 0);
    ck_assert_int_eq(link_send(&link), 0);
    for (i = 0; i < 3; i++)
        ck_assert_uint_eq(data_bytes(&link, owners[i].stream.id), 1000000);
    for (i = 0; i < link.frame_count; i++) {
        if (link.frames[i].id == small.stream.id && link.frames[i].type == NGHTTP2_DATA)
            break;
        if (link.frames[i].type == NGHTTP2_DATA)
            before += link.frames[i].length;
    }
    ck_assert_uint_lt(before, 3 * 81 * KIB);
    ck_assert_uint_eq(link_h2(&link)->uploads, 0);
    ck_assert(rqx__list_empty(&link_h2(&link)->parked));
}
END_TEST

/* The same through a buffer that is full in the middle of a turn. */
START_TEST(uploads_take_turns_through_a_small_buffer)
{
    struct owner owners[2];
    size_t i;
    size_t lead = 0;

    open_windows();
    link.limit = 10000;
    for (i = 0; i < 2; i++) {
        owner_post(&owners[i], 500000, 500000);
        ck_assert_int_eq(link_submit(&link, &owners[i]), 0);
    }
    ck_assert_int_eq(link_send(&link), 0);
    for (i = 0; i < link.frame_count; i++) {
        if (link.frames[i].type != NGHTTP2_DATA)
            continue;
        lead += link.frames[i].id == owners[0].stream.id ? link.frames[i].length : (size_t)0;
        lead -= link.frames[i].id == owners[1].stream.id ? link.frames[i].length : (size_t)0;
        ck_assert(lead < 100 * KIB || lead > SIZE_MAX - 100 * KIB);
    }
    ck_assert_uint_eq(data_bytes(&link, owners[0].stream.id), 500000);
    ck_assert_uint_eq(data_bytes(&link, owners[1].stream.id), 500000);
}
END_TEST

/* An upload that had its turn and waits for the next may go away meanwhile, and its owner may say that there is more.
 */
START_TEST(an_upload_between_turns_may_be_cancelled)
{
    struct owner owners[2];
    struct rqx__buf out;

    open_windows();
    owner_post(&owners[0], 500000, 500000);
    owner_post(&owners[1], 500000, 500000);
    ck_assert_int_eq(link_submit(&link, &owners[0]), 0);
    ck_assert_int_eq(link_submit(&link, &owners[1]), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 80000, &link.err), 0);
    rqx__buf_done(&out);
    ck_assert(!rqx__list_empty(&link_h2(&link)->parked));
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owners[0].stream), 0);
    ck_assert(!rqx__list_empty(&link_h2(&link)->parked));
    link.codec->ops->cancel(link.codec, &owners[0].stream, NGHTTP2_CANCEL);
    ck_assert(rqx__list_empty(&link_h2(&link)->parked));
    ck_assert_uint_eq(link_h2(&link)->uploads, 1);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 1000000, &link.err), 0);
    rqx__buf_done(&out);
    ck_assert_int_eq(owners[1].sents, 1);
}
END_TEST

/* ---- liveness ---- */

static uint64_t deadline(void)
{
    return link.codec->ops->next_deadline(link.codec);
}

static int tick(void)
{
    return link.codec->ops->tick(link.codec, &link.err);
}

START_TEST(no_ping_without_streams)
{
    ck_assert_uint_eq(deadline(), RQX__NEVER);
    wait_ms(1000000);
    ck_assert_int_eq(tick(), 0);
    ck_assert(!link.codec->ops->want_send(link.codec));
}
END_TEST

START_TEST(silence_counts_from_when_there_are_streams)
{
    struct owner owner;

    wait_ms(1000000);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_uint_eq(deadline(), link.codec->now + 10000 * MS);
    wait_ms(9999);
    ck_assert_int_eq(tick(), 0);
    ck_assert(!link.codec->ops->want_send(link.codec));
    /* bytes put it off */
    ck_assert_int_eq(raw_settings(&link, 0, 0), 0);
    ck_assert_uint_eq(deadline(), link.codec->now + 10000 * MS);
}
END_TEST

START_TEST(a_silent_peer_is_asked_and_then_given_up)
{
    struct owner owner;

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    wait_ms(10000);
    ck_assert_int_eq(tick(), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_PING, 0), 1);
    ck_assert_uint_eq(deadline(), link.codec->now + 5000 * MS);
    wait_ms(4999);
    ck_assert_int_eq(tick(), 0);
    wait_ms(1);
    ck_assert_int_eq(tick(), RQX_ERR_LIVENESS);
    ck_assert_str_eq(link.err.text, "peer does not answer PING: silence for 15000 ms");
    ck_assert_uint_eq(deadline(), RQX__NEVER);
    ck_assert_int_eq(tick(), RQX_ERR_LIVENESS);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_LIVENESS, RQX__CLOSE_NO_BYTES);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_PING, 0), 1);
}
END_TEST

/* The opaque data of the codec's last PING, acknowledged. */
static void acknowledge_ping(void)
{
    uint8_t opaque[8];

    memcpy(opaque, rqx__buf_head(&link.sent) + find_frame(&link, NGHTTP2_PING, 0)->payload, 8);
    ck_assert_int_eq(raw(&link, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, opaque, 8), 0);
}

START_TEST(an_answer_to_ping_is_a_sign_of_life_and_a_round_trip)
{
    struct owner owner;

    greet_slowly(80 * MS);
    ck_assert_uint_eq(link_h2(&link)->rtt, 80 * MS);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    wait_ms(10000);
    ck_assert_int_eq(tick(), 0);
    ck_assert_int_eq(link_send(&link), 0);
    wait_ms(30);
    acknowledge_ping();
    ck_assert_uint_eq(link_h2(&link)->rtt, 30 * MS);
    ck_assert_uint_eq(deadline(), link.codec->now + 10000 * MS);
    /* a second answer, to the same, tells nothing */
    acknowledge_ping();
    ck_assert_uint_eq(link_h2(&link)->rtt, 30 * MS);
    wait_ms(10000);
    ck_assert_int_eq(tick(), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_PING, 0), 2);
}
END_TEST

START_TEST(a_peer_that_complains_of_ping_gets_less)
{
    struct owner owner;

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings"), 0);
    ck_assert_uint_eq(deadline(), link.codec->now + 40000 * MS);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    check_closed_well(&owner);
    ck_assert_uint_eq(deadline(), RQX__NEVER);
}
END_TEST

START_TEST(ping_can_be_switched_off)
{
    struct owner owner;

    link_done(&link);
    link_config(&link);
    link.config.ping_idle = RQX__NEVER;
    link_open(&link);
    raw_greet(&link);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_uint_eq(deadline(), RQX__NEVER);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_ENHANCE_YOUR_CALM, ""), 0);
    ck_assert_uint_eq(deadline(), RQX__NEVER);
}
END_TEST

/* An idle connection answers the peer's own (RFC 9113 section 6.7). */
START_TEST(ping_of_the_peer_is_answered)
{
    ck_assert_int_eq(raw(&link, NGHTTP2_PING, 0, 0, "12345678", 8), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_PING, 0)->flags, NGHTTP2_FLAG_ACK);
    ck_assert_mem_eq(rqx__buf_head(&link.sent) + find_frame(&link, NGHTTP2_PING, 0)->payload, "12345678", 8);
}
END_TEST

static Suite *h2_flow_suite(void)
{
    Suite *suite = suite_create("h2_flow");
    TCase *tcase;

    tcase = rqx_add_case(suite, "receiving");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, credit_goes_back_half_a_window_at_a_time);
    tcase_add_test(tcase, small_responses_cost_no_window_update);
    tcase_add_test(tcase, a_paused_stream_stalls_only_itself);
    tcase_add_test(tcase, more_than_the_window_is_an_error);
    tcase_add_test(tcase, padding_is_credited);
    tcase_add_test(tcase, no_connection_credit_is_lost_with_cancelled_streams);
    tcase_add_test(tcase, more_consumed_than_delivered_gives_no_credit);
    tcase_add_test(tcase, windows_grow_with_the_bandwidth_delay_product);
    tcase_add_test(tcase, windows_that_are_far_too_small_grow_faster);
    tcase_add_test(tcase, windows_grow_no_further_than_allowed);
    tcase_add_test(tcase, a_slow_readers_window_does_not_grow);
    tcase_add_test(tcase, small_windows_are_possible);

    tcase = rqx_add_case(suite, "sending");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_upload_keeps_to_the_windows);
    tcase_add_test(tcase, a_negative_window_is_waited_out);
    tcase_add_test(tcase, data_frames_keep_to_their_size);
    tcase_add_test(tcase, uploads_take_turns);
    tcase_add_test(tcase, uploads_take_turns_through_a_small_buffer);
    tcase_add_test(tcase, an_upload_between_turns_may_be_cancelled);

    tcase = rqx_add_case(suite, "liveness");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, no_ping_without_streams);
    tcase_add_test(tcase, silence_counts_from_when_there_are_streams);
    tcase_add_test(tcase, a_silent_peer_is_asked_and_then_given_up);
    tcase_add_test(tcase, an_answer_to_ping_is_a_sign_of_life_and_a_round_trip);
    tcase_add_test(tcase, a_peer_that_complains_of_ping_gets_less);
    tcase_add_test(tcase, ping_can_be_switched_off);
    tcase_add_test(tcase, ping_of_the_peer_is_answered);
    return suite;
}

RQX_CHECK_MAIN(h2_flow_suite)
