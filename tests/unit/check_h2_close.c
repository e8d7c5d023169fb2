/*
 * How HTTP/2 streams and connections end (RFC 9113 sections 5.1, 5.4, 6.4, 6.8 and 8.7), and how many streams there may
 * be.
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

static enum rqx__codec_state state(void)
{
    return link.codec->ops->state(link.codec);
}

static size_t capacity(void)
{
    return link.codec->ops->capacity(link.codec);
}

static void cancel(struct owner *owner, uint32_t code)
{
    link.codec->ops->cancel(link.codec, &owner->stream, code);
}

static void open_get(struct owner *owner)
{
    owner_init(owner, "/");
    raw_request(&link, owner);
}

/* ---- RST_STREAM ---- */

START_TEST(a_refused_stream_was_not_processed)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_REFUSED_STREAM), 0);
    check_closed(&owner, RQX_ERR_REFUSED, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner.err.text, "stream refused by the peer: REFUSED_STREAM");
    ck_assert_uint_eq(owner.err.h2_code, NGHTTP2_REFUSED_STREAM);
    ck_assert(!link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(state(), RQX__CODEC_OPEN);
    /* one that was answered was processed */
    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 3, false, "200", NULL), 0);
    ck_assert_int_eq(raw_rst(&link, 3, NGHTTP2_REFUSED_STREAM), 0);
    check_closed(&owner, RQX_ERR_REFUSED, 0);
}
END_TEST

START_TEST(a_reset_stream_tells_the_code)
{
    struct owner owner;
    struct owner other;

    open_get(&owner);
    open_get(&other);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_ENHANCE_YOUR_CALM), 0);
    check_closed(&owner, RQX_ERR_STREAM_RESET, 0);
    ck_assert_str_eq(owner.err.text, "stream reset by the peer: ENHANCE_YOUR_CALM");
    ck_assert_uint_eq(owner.err.h2_code, NGHTTP2_ENHANCE_YOUR_CALM);
    ck_assert_int_eq(raw_rst(&link, 3, 0x1234), 0);
    check_closed(&other, RQX_ERR_STREAM_RESET, RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(other.err.text, "stream reset by the peer: error 0x1234");
    /* RFC 9113 section 5.4.2: never RST_STREAM for RST_STREAM */
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 0);
}
END_TEST

START_TEST(http_1_1_required_is_told_as_such)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_HTTP_1_1_REQUIRED), 0);
    check_closed(&owner, RQX_ERR_HTTP_1_1_REQUIRED, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner.err.text, "peer demands HTTP/1.1: HTTP_1_1_REQUIRED");
    ck_assert_uint_eq(owner.err.h2_code, NGHTTP2_HTTP_1_1_REQUIRED);
}
END_TEST

/* RFC 9113 section 8.1: NO_ERROR after a whole response is well, and says that the upload is not wanted. */
START_TEST(no_error_after_a_complete_response_is_well)
{
    struct owner owner;

    owner_post(&owner, 1000, 1000);
    owner.body_given = 10;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_NO_ERROR), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(owner.refusals, 1);
}
END_TEST

START_TEST(no_error_before_the_response_is_complete_is_an_error)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_data(&link, 1, false, 10), 0);
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_NO_ERROR), 0);
    check_closed(&owner, RQX_ERR_STREAM_RESET, 0);
    ck_assert_str_eq(owner.err.text, "stream reset by the peer before the response was complete: NO_ERROR");
    ck_assert_int_eq(owner.ends, 0);
}
END_TEST

START_TEST(frames_for_closed_streams_are_ignored)
{
    struct owner owner;
    static const char *const fields[] = {"x-a", "1", NULL};

    open_get(&owner);
    cancel(&owner, NGHTTP2_CANCEL);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", fields), 0);
    ck_assert_int_eq(raw_data(&link, 1, false, 10), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(raw_data(&link, 1, false, 10), 0);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 1, 1), 0);
    ck_assert_int_eq(raw_data(&link, 1, true, 10), 0);
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_CANCEL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(owner.log_len, 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 1);
    ck_assert_int_eq(state(), RQX__CODEC_OPEN);
}
END_TEST

/* Header sections of streams that nobody waits for still pass through the decoder (RFC 9113 section 4.3): here one puts
   a field into its table, and a later response refers to it. */
START_TEST(the_decoder_stays_in_step_with_cancelled_streams)
{
    /* :status 200; literal with incremental indexing x-a: bc */
    static const uint8_t adds[] = {0x88, 0x40, 3, 'x', '-', 'a', 2, 'b', 'c'};
    static const uint8_t refers[] = {0x88, 0x80 | 62};
    struct owner owner;

    open_get(&owner);
    cancel(&owner, NGHTTP2_CANCEL);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, adds, sizeof adds), 0);
    open_get(&owner);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, 5, 3, refers, sizeof refers), 0);
    ck_assert_str_eq(owner.log, "[200]\nx-a: bc\ndone 200\nend\n");
    /* the same with one that the upcall cancels in the middle, and one that is too large */
    owner_init(&owner, "/");
    owner.cancel_at = AT_HEAD;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 5, adds, sizeof adds), 0);
    open_get(&owner);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, 5, 7, refers, sizeof refers), 0);
    check_closed_well(&owner);
    ck_assert_str_eq(owner.log, "[200]\nx-a: bc\ndone 200\nend\n");
}
END_TEST

/* ---- cancel ---- */

START_TEST(a_stream_cancelled_before_it_is_sent_never_was)
{
    struct owner owner;
    struct owner next;

    owner_init(&owner, "/");
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_uint_eq(link.codec->open_streams, 1);
    cancel(&owner, NGHTTP2_CANCEL);
    ck_assert_uint_eq(link.codec->open_streams, 0);
    ck_assert(!link.codec->ops->want_send(link.codec));
    open_get(&next);
    ck_assert_int_eq(next.stream.id, 1);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 0);
    ck_assert_uint_eq(link.codec->resets, 0);
    ck_assert_int_eq(owner.closes, 0);
    cancel(&next, NGHTTP2_CANCEL);
}
END_TEST

/* Gives both to nghttp2, with room for five bytes of the first one's header section. */
static void submit_behind_a_full_buffer(struct owner *first, struct owner *second)
{
    struct rqx__buf out;

    owner_init(first, "/");
    owner_init(second, "/");
    ck_assert_int_eq(link_submit(&link, first), 0);
    ck_assert_int_eq(link_submit(&link, second), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 5, &link.err), 0);
    ck_assert_uint_eq(out.len, 5);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(rqx__buf_append(&link.sent, rqx__buf_head(&out), out.len), 0);
    rqx__buf_done(&out);
}

/* Given to nghttp2, but the output buffer was full: no byte of it left. */
START_TEST(a_stream_cancelled_behind_a_full_buffer_is_withdrawn)
{
    struct owner first;
    struct owner second;

    submit_behind_a_full_buffer(&first, &second);
    ck_assert_int_eq(second.stream.id, 3);
    cancel(&second, NGHTTP2_CANCEL);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 1), 1);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 3), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 0);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 1);
    cancel(&first, NGHTTP2_CANCEL);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
}
END_TEST

/* A header section that left in part is completed, since the encoder's table has it, and then reset. */
START_TEST(a_stream_cancelled_halfway_is_completed_and_reset)
{
    struct owner owner;
    struct rqx__buf out;

    owner_init(&owner, "/");
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 5, &link.err), 0);
    ck_assert_int_eq(rqx__buf_append(&link.sent, rqx__buf_head(&out), out.len), 0);
    rqx__buf_done(&out);
    cancel(&owner, NGHTTP2_CANCEL);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 1), 1);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 1), 1);
    ck_assert_int_eq(owner.sents, 0);
}
END_TEST

START_TEST(cancel_resets_once_with_the_code_given)
{
    struct owner owner;
    struct owner other;

    owner_post(&owner, 100000, 100000);
    raw_request(&link, &owner);
    open_get(&other);
    cancel(&owner, NGHTTP2_INTERNAL_ERROR);
    cancel(&owner, NGHTTP2_CANCEL);
    ck_assert_ptr_null(owner.stream.codec);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 1), 1);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_INTERNAL_ERROR);
    ck_assert_uint_eq(link.codec->resets, 1);
    ck_assert_int_eq(owner.closes, 0);
    ck_assert_uint_eq(link.codec->open_streams, 1);
    ck_assert_int_eq(raw_headers(&link, 3, true, "200", NULL), 0);
    check_closed_well(&other);
    /* and a stream that is closed needs nothing */
    cancel(&other, NGHTTP2_CANCEL);
    ck_assert(!link.codec->ops->want_send(link.codec));
}
END_TEST

/* A cancelled stream is one that the peer still counts, until it can know better. */
START_TEST(a_cancelled_stream_counts_until_its_reset_is_known)
{
    struct owner owner;

    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1), 0);
    open_get(&owner);
    ck_assert_uint_eq(capacity(), 0);
    cancel(&owner, NGHTTP2_CANCEL);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(capacity(), 0);
    link.codec->now = link.codec->ops->next_deadline(link.codec);
    ck_assert_int_eq(link.codec->ops->tick(link.codec, &link.err), 0);
    ck_assert_uint_eq(capacity(), 1);
}
END_TEST

/* ---- how many streams ---- */

START_TEST(a_hundred_streams_before_settings_are_known)
{
    struct owner owners[101];
    struct link fresh;
    size_t i;

    link_init(&fresh);
    ck_assert_uint_eq(fresh.codec->ops->capacity(fresh.codec), 100);
    for (i = 0; i < 101; i++) {
        owner_init(&owners[i], "/");
        ck_assert_int_eq(link_submit(&fresh, &owners[i]), i < 100 ? 0 : RQX_AGAIN);
    }
    ck_assert_int_eq(link_send(&fresh), 0);
    ck_assert_uint_eq(count_frames(&fresh, NGHTTP2_HEADERS, -1), 100);
    /* SETTINGS that name no limit have none */
    ck_assert_int_eq(raw_settings(&fresh, 0, 0), 0);
    ck_assert_int_eq(link_submit(&fresh, &owners[100]), 0);
    ck_assert_uint_gt(fresh.codec->ops->capacity(fresh.codec), 1000000);
    link_done(&fresh);
}
END_TEST

START_TEST(the_peers_limit_is_obeyed_as_it_changes)
{
    struct owner owners[4];
    size_t i;

    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 3), 0);
    ck_assert_uint_eq(capacity(), 3);
    for (i = 0; i < 3; i++) {
        owner_init(&owners[i], "/");
        ck_assert_int_eq(link_submit(&link, &owners[i]), 0);
    }
    owner_init(&owners[3], "/");
    ck_assert_int_eq(link_submit(&link, &owners[3]), RQX_AGAIN);
    /* the limit falls before they are sent */
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, -1), 1);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    check_closed_well(&owners[0]);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, -1), 2);
    /* to nothing at all, and up again */
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0), 0);
    ck_assert_int_eq(raw_headers(&link, 3, true, "200", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert(!link.codec->ops->want_send(link.codec));
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(owners[2].closes, 0);
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2), 0);
    ck_assert_uint_eq(capacity(), 1);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(raw_headers(&link, 5, true, "200", NULL), 0);
    check_closed_well(&owners[2]);
}
END_TEST

START_TEST(the_clients_own_limit_is_obeyed)
{
    struct owner owners[3];
    struct link own;

    link_config(&own);
    own.config.max_streams = 2;
    link_open(&own);
    owner_init(&owners[0], "/");
    owner_init(&owners[1], "/");
    owner_init(&owners[2], "/");
    ck_assert_int_eq(link_submit(&own, &owners[0]), 0);
    ck_assert_int_eq(link_submit(&own, &owners[1]), 0);
    ck_assert_int_eq(link_submit(&own, &owners[2]), RQX_AGAIN);
    link_done(&own);
}
END_TEST

/* RFC 9113 section 5.1.1 */
START_TEST(a_connection_drains_when_its_ids_are_used_up)
{
    struct rqx__h2 *h2 = link_h2(&link);
    struct owner owner;
    struct owner last;

    ck_assert_int_eq(nghttp2_session_set_next_stream_id(h2->session, INT32_MAX - 2), 0);
    h2->ids_left = 2;
    ck_assert_uint_eq(capacity(), 2);
    open_get(&owner);
    ck_assert_int_eq(owner.stream.id, INT32_MAX - 2);
    ck_assert_int_eq(state(), RQX__CODEC_OPEN);
    open_get(&last);
    ck_assert_int_eq(last.stream.id, INT32_MAX);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(state(), RQX__CODEC_DRAINING);
    ck_assert_int_eq(raw_headers(&link, INT32_MAX, true, "200", NULL), 0);
    ck_assert_int_eq(raw_headers(&link, INT32_MAX - 2, true, "200", NULL), 0);
    check_closed_well(&owner);
    check_closed_well(&last);
    ck_assert_int_eq(state(), RQX__CODEC_CLOSED);
}
END_TEST

/* ---- GOAWAY ---- */

START_TEST(goaway_closes_what_is_above_and_keeps_what_is_below)
{
    struct owner low;
    struct owner high;
    struct owner unsent;

    open_get(&low);
    open_get(&high);
    owner_init(&unsent, "/");
    ck_assert_int_eq(link_submit(&link, &unsent), 0);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_NO_ERROR, ""), 0);
    check_closed(&high, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(high.err.text, "connection shut down by the peer: NO_ERROR");
    check_closed(&unsent, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_int_eq(state(), RQX__CODEC_DRAINING);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(link_submit(&link, &unsent), RQX_AGAIN);
    ck_assert_int_eq(low.closes, 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_data(&link, 1, true, 3), 0);
    check_closed_well(&low);
    ck_assert_int_eq(state(), RQX__CODEC_CLOSED);
    ck_assert_int_eq(link.codec->ops->eof(link.codec, &link.err), 0);
}
END_TEST

/* RFC 9113 section 6.8: a warning first, the truth a round trip later. */
START_TEST(a_graceful_goaway_comes_in_two_steps)
{
    struct owner low;
    struct owner high;

    open_get(&low);
    open_get(&high);
    ck_assert_int_eq(raw_goaway(&link, INT32_MAX, NGHTTP2_NO_ERROR, ""), 0);
    ck_assert_int_eq(state(), RQX__CODEC_DRAINING);
    ck_assert_int_eq(low.closes + high.closes, 0);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_NO_ERROR, ""), 0);
    check_closed(&high, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    check_closed_well(&low);
}
END_TEST

START_TEST(the_code_of_goaway_is_kept)
{
    struct owner low;
    struct owner high;

    open_get(&low);
    open_get(&high);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings\n"), 0);
    check_closed(&high, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(high.err.text, "connection shut down by the peer: ENHANCE_YOUR_CALM (too_many_pings?)");
    ck_assert_uint_eq(high.err.h2_code, NGHTTP2_ENHANCE_YOUR_CALM);
    /* a later one does not make it better */
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_NO_ERROR, ""), 0);
    ck_assert_int_eq(link.codec->ops->eof(link.codec, &link.err), RQX_ERR_GOAWAY);
    ck_assert_uint_eq(link.err.h2_code, NGHTTP2_ENHANCE_YOUR_CALM);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&low, RQX_ERR_GOAWAY, RQX__CLOSE_NO_BYTES);
    ck_assert_int_eq(state(), RQX__CODEC_CLOSED);
}
END_TEST

/* Otherwise each new connection would be asked the same, and answer the same. */
START_TEST(the_first_stream_is_not_replayed_after_an_error)
{
    struct owner first;
    struct owner second;

    open_get(&first);
    open_get(&second);
    ck_assert_int_eq(raw_goaway(&link, 0, NGHTTP2_INTERNAL_ERROR, ""), 0);
    check_closed(&first, RQX_ERR_GOAWAY, RQX__CLOSE_NO_BYTES);
    check_closed(&second, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
}
END_TEST

/* A peer that answers a stream has worked on it, whatever its GOAWAY says. */
START_TEST(what_was_answered_is_not_replayed_after_goaway)
{
    struct owner first;
    struct owner second;

    open_get(&first);
    open_get(&second);
    ck_assert_int_eq(raw_headers(&link, 3, false, "200", NULL), 0);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_NO_ERROR, ""), 0);
    check_closed(&second, RQX_ERR_GOAWAY, 0);
    ck_assert_int_eq(first.closes, 0);
    ck_assert_int_eq(raw_headers(&link, 1, true, "204", NULL), 0);
    check_closed_well(&first);
}
END_TEST

START_TEST(the_first_stream_is_replayed_after_a_graceful_goaway)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_goaway(&link, 0, NGHTTP2_NO_ERROR, ""), 0);
    check_closed(&owner, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
}
END_TEST

START_TEST(goaway_may_demand_http_1_1)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_goaway(&link, 0, NGHTTP2_HTTP_1_1_REQUIRED, ""), 0);
    check_closed(&owner, RQX_ERR_HTTP_1_1_REQUIRED, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_uint_eq(owner.err.h2_code, NGHTTP2_HTTP_1_1_REQUIRED);
}
END_TEST

/* Requests that wait behind a full buffer when GOAWAY comes. */
START_TEST(goaway_refuses_what_waits_behind_a_full_buffer)
{
    struct owner first;
    struct owner second;

    submit_behind_a_full_buffer(&first, &second);
    ck_assert_int_eq(raw_goaway(&link, 0, NGHTTP2_NO_ERROR, ""), 0);
    ck_assert_int_eq(link_send(&link), 0);
    check_closed(&first, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    check_closed(&second, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 3), 0);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
}
END_TEST

/* The same, where the peer takes no streams at all: nghttp2 does not even look at them then. */
START_TEST(goaway_refuses_what_waits_for_the_peers_limit)
{
    struct owner first;
    struct owner second;

    submit_behind_a_full_buffer(&first, &second);
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(second.closes, 0);
    ck_assert_int_eq(raw_goaway(&link, INT32_MAX, NGHTTP2_NO_ERROR, ""), 0);
    check_closed(&second, RQX_ERR_GOAWAY, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 3), 0);
    /* the first one's had been begun */
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 1), 1);
    ck_assert_int_eq(first.closes, 0);
    cancel(&first, NGHTTP2_CANCEL);
    ck_assert_int_eq(link.codec->ops->state(link.codec), RQX__CODEC_CLOSED);
}
END_TEST

START_TEST(a_goaway_that_raises_its_id_is_a_violation)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_goaway(&link, 1, NGHTTP2_NO_ERROR, ""), 0);
    ck_assert_int_eq(raw_goaway(&link, 3, NGHTTP2_NO_ERROR, ""), 0);
    /* nghttp2 does not tell before it says so itself */
    ck_assert_int_eq(link_send(&link), RQX_ERR_PROTOCOL);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_GOAWAY, 0)->word, NGHTTP2_PROTOCOL_ERROR);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
    ck_assert_int_eq(link_recv(&link, "x", 1), RQX_ERR_PROTOCOL);
}
END_TEST

/* ---- the connection's end ---- */

START_TEST(an_end_with_nothing_open_is_proper)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    ck_assert_int_eq(link.codec->ops->eof(link.codec, &link.err), 0);
}
END_TEST

START_TEST(an_end_with_open_streams_cuts_them_short)
{
    struct owner owner;
    struct owner unsent;

    open_get(&owner);
    owner_init(&unsent, "/");
    ck_assert_int_eq(link_submit(&link, &unsent), 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(link.codec->ops->eof(link.codec, &link.err), RQX_ERR_TRUNCATED);
    ck_assert_int_eq(link.codec->ops->eof(link.codec, NULL), RQX_ERR_TRUNCATED);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_TRUNCATED, 0);
    check_closed(&unsent, RQX_ERR_TRUNCATED, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_int_eq(state(), RQX__CODEC_CLOSED);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(link.codec->ops->tick(link.codec, &link.err), 0);
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), RQX__NEVER);
}
END_TEST

/* fail() reaches streams in each state; what nghttp2 tells afterwards reaches nobody. */
START_TEST(fail_closes_every_stream_once)
{
    struct owner open;
    struct owner expecting;
    struct owner uploading[2];
    struct owner unsent;
    struct rqx__buf out;
    size_t i;

    open_get(&open);
    owner_post(&expecting, 10, 10);
    expecting.head.expect_continue = true;
    raw_request(&link, &expecting);
    for (i = 0; i < 2; i++) {
        owner_post(&uploading[i], 1000000, 1000000);
        ck_assert_int_eq(link_submit(&link, &uploading[i]), 0);
    }
    ck_assert_int_eq(raw_settings(&link, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1000000), 0);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 1000000), 0);
    /* one upload has had its turn when the buffer is full */
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 80000, &link.err), 0);
    ck_assert(!rqx__list_empty(&link_h2(&link)->parked));
    rqx__buf_done(&out);
    owner_init(&unsent, "/");
    ck_assert_int_eq(link_submit(&link, &unsent), 0);
    rqx__err_set(&link.err, RQX_ERR_READ, NULL);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&open, RQX_ERR_READ, RQX__CLOSE_NO_BYTES);
    check_closed(&expecting, RQX_ERR_READ, RQX__CLOSE_NO_BYTES);
    check_closed(&uploading[0], RQX_ERR_READ, RQX__CLOSE_NO_BYTES);
    check_closed(&uploading[1], RQX_ERR_READ, RQX__CLOSE_NO_BYTES);
    check_closed(&unsent, RQX_ERR_READ, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_uint_eq(link.codec->open_streams, 0);
    ck_assert_uint_eq(link_h2(&link)->uploads, 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 1000000, &link.err), 0);
    rqx__buf_done(&out);
}
END_TEST

START_TEST(shutdown_says_goodbye_and_lets_streams_finish)
{
    struct owner owner;
    struct owner unsent;

    open_get(&owner);
    owner_init(&unsent, "/");
    ck_assert_int_eq(link_submit(&link, &unsent), 0);
    link.codec->ops->shutdown(link.codec);
    link.codec->ops->shutdown(link.codec);
    ck_assert_int_eq(state(), RQX__CODEC_DRAINING);
    ck_assert_uint_eq(capacity(), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_GOAWAY, 0), 1);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_GOAWAY, 0)->word, NGHTTP2_NO_ERROR);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 3), 1);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(raw_headers(&link, 3, true, "200", NULL), 0);
    check_closed_well(&unsent);
    ck_assert_int_eq(state(), RQX__CODEC_CLOSED);
    ck_assert_int_eq(link_send(&link), 0);
}
END_TEST

START_TEST(shutdown_of_an_idle_connection_closes_it)
{
    link.codec->ops->shutdown(link.codec);
    ck_assert_int_eq(state(), RQX__CODEC_CLOSED);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_GOAWAY, 0), 1);
}
END_TEST

START_TEST(free_takes_null_and_open_streams)
{
    struct owner owner;
    struct link other;

    link_init(&other);
    other.codec->ops->free(NULL);
    owner_post(&owner, 100, 100);
    owner.body_given = 10;
    ck_assert_int_eq(link_submit(&other, &owner), 0);
    ck_assert_int_eq(link_send(&other), 0);
    link_done(&other);
    ck_assert_int_eq(owner.closes, 0);
}
END_TEST

static Suite *h2_close_suite(void)
{
    Suite *suite = suite_create("h2_close");
    TCase *tcase;

    tcase = rqx_add_case(suite, "RST_STREAM");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_refused_stream_was_not_processed);
    tcase_add_test(tcase, a_reset_stream_tells_the_code);
    tcase_add_test(tcase, http_1_1_required_is_told_as_such);
    tcase_add_test(tcase, no_error_after_a_complete_response_is_well);
    tcase_add_test(tcase, no_error_before_the_response_is_complete_is_an_error);
    tcase_add_test(tcase, frames_for_closed_streams_are_ignored);
    tcase_add_test(tcase, the_decoder_stays_in_step_with_cancelled_streams);

    tcase = rqx_add_case(suite, "cancel");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_stream_cancelled_before_it_is_sent_never_was);
    tcase_add_test(tcase, a_stream_cancelled_behind_a_full_buffer_is_withdrawn);
    tcase_add_test(tcase, a_stream_cancelled_halfway_is_completed_and_reset);
    tcase_add_test(tcase, cancel_resets_once_with_the_code_given);
    tcase_add_test(tcase, a_cancelled_stream_counts_until_its_reset_is_known);

    tcase = rqx_add_case(suite, "limits");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_hundred_streams_before_settings_are_known);
    tcase_add_test(tcase, the_peers_limit_is_obeyed_as_it_changes);
    tcase_add_test(tcase, the_clients_own_limit_is_obeyed);
    tcase_add_test(tcase, a_connection_drains_when_its_ids_are_used_up);

    tcase = rqx_add_case(suite, "GOAWAY");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, goaway_closes_what_is_above_and_keeps_what_is_below);
    tcase_add_test(tcase, a_graceful_goaway_comes_in_two_steps);
    tcase_add_test(tcase, the_code_of_goaway_is_kept);
    tcase_add_test(tcase, the_first_stream_is_not_replayed_after_an_error);
    tcase_add_test(tcase, what_was_answered_is_not_replayed_after_goaway);
    tcase_add_test(tcase, the_first_stream_is_replayed_after_a_graceful_goaway);
    tcase_add_test(tcase, goaway_may_demand_http_1_1);
    tcase_add_test(tcase, goaway_refuses_what_waits_behind_a_full_buffer);
    tcase_add_test(tcase, goaway_refuses_what_waits_for_the_peers_limit);
    tcase_add_test(tcase, a_goaway_that_raises_its_id_is_a_violation);

    tcase = rqx_add_case(suite, "end");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_end_with_nothing_open_is_proper);
    tcase_add_test(tcase, an_end_with_open_streams_cuts_them_short);
    tcase_add_test(tcase, fail_closes_every_stream_once);
    tcase_add_test(tcase, shutdown_says_goodbye_and_lets_streams_finish);
    tcase_add_test(tcase, shutdown_of_an_idle_connection_closes_it);
    tcase_add_test(tcase, free_takes_null_and_open_streams);
    return suite;
}

RQX_CHECK_MAIN(h2_close_suite)
