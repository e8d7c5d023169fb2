/*
 * Peers that violate HTTP/2, or that keep to its letter and flood (RFC 9113 section 10.5).
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

static void open_get(struct owner *owner)
{
    owner_init(owner, "/");
    raw_request(&link, owner);
}

/* ---- header sections ---- */

/* A header block with |count| fields of 100 bytes as they are counted, and :status 200, which is 42. */
static void fill(struct block *block, size_t count)
{
    char value[64];

    memset(value, 'v', sizeof value);
    while (count-- > 0)
        block_field_n(block, "x-ab", value, sizeof value);
}

START_TEST(a_header_section_may_be_as_large_as_allowed)
{
    static struct block block;
    struct owner owner;
    size_t rest;

    open_get(&owner);
    block.len = 0;
    block_field(&block, ":status", "200");
    fill(&block, 100);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.bytes, block.len), 0);
    ck_assert_uint_eq(owner.stream.header_bytes, 10042);
    ck_assert_int_eq(raw_data(&link, 1, true, 0), 0);
    check_closed_well(&owner);
    /* to the byte, in several frames */
    open_get(&owner);
    block.len = 0;
    block_field(&block, ":status", "200");
    fill(&block, 654);
    rest = 64 * 1024 - 42 - 65400;
    ck_assert_uint_ge(rest, 36);
    block_field_n(&block, "x-ab", "0123456789012345678901234567890123456789012345678901234567", rest - 36);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 3, block.bytes, 16000), 0);
    ck_assert_int_eq(raw(&link, NGHTTP2_CONTINUATION, 0, 3, block.bytes + 16000, 16000), 0);
    ck_assert_int_eq(
        raw(&link, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 3, block.bytes + 32000, block.len - 32000), 0);
    ck_assert_uint_eq(owner.stream.header_bytes, 64 * 1024);
    check_closed_well(&owner);
}
END_TEST

START_TEST(a_larger_header_section_is_an_error_of_its_stream)
{
    static struct block block;
    struct owner owner;
    struct owner other;

    open_get(&owner);
    open_get(&other);
    block.len = 0;
    block_field(&block, ":status", "200");
    fill(&block, 200);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, 0, 1, block.bytes, block.len), 0);
    while (owner.closes == 0) {
        block.len = 0;
        fill(&block, 200);
        ck_assert_int_eq(raw(&link, NGHTTP2_CONTINUATION, 0, 1, block.bytes, block.len), 0);
    }
    check_closed(&owner, RQX_ERR_HEADER_TOO_LARGE, 0);
    ck_assert_str_eq(owner.err.text, "header section too large: more than 65536 bytes");
    ck_assert_int_eq(raw(&link, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, NULL, 0), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 1), 1);
    ck_assert_int_eq(raw_headers(&link, 3, true, "200", NULL), 0);
    check_closed_well(&other);
}
END_TEST

/* Interim responses without end come to the same. */
START_TEST(interim_responses_count_together)
{
    static const char *const hints[] = {"link", "</style.css>; rel=preload; as=style", NULL};
    struct owner owner;
    size_t i;

    open_get(&owner);
    for (i = 0; i < 1000 && owner.closes == 0; i++)
        ck_assert_int_eq(raw_headers(&link, 1, false, "103", hints), 0);
    check_closed(&owner, RQX_ERR_HEADER_TOO_LARGE, 0);
    ck_assert_int_eq(owner.interims, (int)(64 * 1024 / (42 + 4 + 35 + 32)) + 1);
}
END_TEST

/* RFC 7541: one field in the table, then references to it, each of which costs one byte to send. */
START_TEST(an_hpack_bomb_is_cut_short)
{
    static struct block block;
    static char value[3000];
    struct owner owner;

    open_get(&owner);
    memset(value, 'v', sizeof value);
    block.len = 0;
    block_field(&block, ":status", "200");
    block_field_n(&block, "x-bomb", value, sizeof value);
    block.bytes[13] = 0x40; /* with indexing */
    memset(block.bytes + block.len, 0x80 | 62, 1000);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block.bytes, block.len + 1000), 0);
    check_closed(&owner, RQX_ERR_HEADER_TOO_LARGE, 0);
    ck_assert_uint_le(owner.stream.header_bytes, 64 * 1024);
}
END_TEST

/* ---- floods ---- */

static void check_flooded(const char *text)
{
    struct owner owner;

    ck_assert_str_eq(link.err.text, text);
    ck_assert_int_eq(link.codec->ops->state(link.codec), RQX__CODEC_CLOSED);
    ck_assert_uint_eq(link.codec->ops->capacity(link.codec), 0);
    owner_init(&owner, "/");
    ck_assert_int_eq(link_submit(&link, &owner), RQX_AGAIN);
    link.codec->ops->fail(link.codec, &link.err);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_GOAWAY, 0)->word, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Sends the same frame until that is too much; gives how many passed. */
static size_t flood(uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len)
{
    size_t i;

    for (i = 0; i < 5000; i++) {
        int rv = raw(&link, type, flags, id, payload, len);

        if (rv != 0) {
            ck_assert_str_eq(rqx_error_name(rv), "RQX_ERR_FLOOD");
            ck_assert_int_eq(link.err.code, rv);
            return i;
        }
        ck_assert_int_eq(link_send(&link), 0);
    }
    ck_abort_msg("5000 frames of type %u passed", type);
    return i;
}

START_TEST(a_ping_flood_ends_the_connection)
{
    ck_assert_uint_gt(flood(NGHTTP2_PING, 0, 0, "12345678", 8), 500);
    check_flooded("peer exceeds a frame limit: too many PING frames");
}
END_TEST

START_TEST(a_settings_flood_ends_the_connection)
{
    ck_assert_uint_gt(flood(NGHTTP2_SETTINGS, 0, 0, NULL, 0), 100);
    check_flooded("peer exceeds a frame limit: too many SETTINGS frames");
}
END_TEST

START_TEST(a_priority_flood_ends_the_connection)
{
    flood(NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\0", 5);
    check_flooded("peer exceeds a frame limit: too many PRIORITY frames");
}
END_TEST

START_TEST(a_window_update_flood_ends_the_connection)
{
    flood(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
    check_flooded("peer exceeds a frame limit: too many WINDOW_UPDATE frames");
}
END_TEST

START_TEST(a_flood_of_unknown_frames_ends_the_connection)
{
    flood(0xbb, 0, 0, "x", 1);
    check_flooded("peer exceeds a frame limit: too many extension frames");
}
END_TEST

START_TEST(an_empty_data_flood_ends_the_connection)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    flood(NGHTTP2_DATA, 0, 1, NULL, 0);
    ck_assert_str_eq(link.err.text, "peer exceeds a frame limit: too many DATA frames");
    ck_assert_int_eq(link.codec->ops->state(link.codec), RQX__CODEC_DRAINING);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_FLOOD, 0);
    ck_assert_uint_eq(owner.received, 0);
}
END_TEST

START_TEST(a_flood_of_padding_ends_the_connection)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    flood(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3abc", 4);
    ck_assert_uint_eq(owner.received, 0);
}
END_TEST

START_TEST(a_rst_stream_flood_ends_the_connection)
{
    struct owner owner;

    open_get(&owner);
    flood(NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\7", 4);
    check_flooded("peer exceeds a frame limit: too many RST_STREAM frames");
    check_closed(&owner, RQX_ERR_REFUSED, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
}
END_TEST

/* CVE-2024-27316 and its kin: a header section without end. */
START_TEST(a_continuation_flood_ends_the_connection)
{
    struct owner owner;
    size_t passed;

    open_get(&owner);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, 0, 1, "\x88", 1), 0);
    for (passed = 0; passed < 100; passed++) {
        int rv = raw(&link, NGHTTP2_CONTINUATION, 0, 1, "", 0);

        if (rv != 0) {
            ck_assert_str_eq(rqx_error_name(rv), "RQX_ERR_FLOOD");
            break;
        }
    }
    ck_assert_uint_ge(passed, 8);
    ck_assert_uint_le(passed, 12);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_FLOOD, 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_GOAWAY, 0)->word, NGHTTP2_ENHANCE_YOUR_CALM);
}
END_TEST

/* Answers that the peer asks for and does not fetch. */
START_TEST(answers_do_not_pile_up)
{
    static uint8_t pings[600 * 17];
    size_t i;

    for (i = 0; i < 600; i++)
        put_header(pings + i * 17, 8, NGHTTP2_PING, 0, 0);
    ck_assert_int_eq(link_recv(&link, pings, sizeof pings), RQX_ERR_FLOOD);
    ck_assert_str_eq(link.err.text, "peer exceeds a frame limit");
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_le(count_frames(&link, NGHTTP2_PING, 0), 512);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_GOAWAY, 0)->word, NGHTTP2_ENHANCE_YOUR_CALM);
}
END_TEST

/* What a peer may do for hours. */
START_TEST(slow_frames_are_no_flood)
{
    size_t i;

    for (i = 0; i < 10000; i++) {
        link.codec->now += 11 * MS;
        ck_assert_int_eq(raw(&link, NGHTTP2_PING, 0, 0, "12345678", 8), 0);
        ck_assert_int_eq(link_send(&link), 0);
    }
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_PING, 0), 10000);
}
END_TEST

START_TEST(frames_that_come_with_progress_are_no_flood)
{
    struct owner owner;
    size_t i;

    /* answers */
    for (i = 0; i < 4000; i++) {
        open_get(&owner);
        ck_assert_int_eq(raw_headers(&link, owner.stream.id, true, "200", NULL), 0);
        ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 1), 0);
        check_closed_well(&owner);
    }
    /* an upload with two WINDOW_UPDATEs for each KiB */
    owner_post(&owner, 4000000, 4000000);
    raw_request(&link, &owner);
    for (i = 0; i < 4000; i++) {
        ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 0, 1024), 0);
        ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, owner.stream.id, 1024), 0);
        ck_assert_int_eq(link_send(&link), 0);
    }
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_int_eq(raw_headers(&link, owner.stream.id, false, "200", NULL), 0);
    /* a download with a PING for each KiB */
    for (i = 0; i < 4000; i++) {
        ck_assert_int_eq(raw_data(&link, owner.stream.id, false, 1024), 0);
        ck_assert_int_eq(raw(&link, NGHTTP2_PING, 0, 0, "12345678", 8), 0);
        ck_assert_int_eq(link_send(&link), 0);
    }
    ck_assert_uint_eq(owner.received, 4000 * 1024);
}
END_TEST

/* A server that pads each event of a stream of small ones. */
START_TEST(padded_bodies_are_no_flood)
{
    struct owner owner;
    size_t i;

    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    for (i = 0; i < 10000; i++) {
        ck_assert_int_eq(raw(&link, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3xabc", 5), 0);
        ck_assert_int_eq(link_send(&link), 0);
    }
    ck_assert_uint_eq(owner.received, 10000);
}
END_TEST

/* CONTINUATION for a stream that nobody waits for, and frames of types that nobody knows, which nghttp2 passes over in
 * silence. */
START_TEST(what_is_ignored_is_counted)
{
    struct owner owner;
    size_t passed;

    open_get(&owner);
    link.codec->ops->cancel(link.codec, &owner.stream, NGHTTP2_CANCEL);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, 0, 1, "\x88", 1), 0);
    for (passed = 0; passed < 100; passed++) {
        if (raw(&link, NGHTTP2_CONTINUATION, 0, 1, "", 0) != 0)
            break;
    }
    ck_assert_uint_ge(passed, 8);
    ck_assert_uint_le(passed, 12);
    ck_assert_int_eq(link.err.code, RQX_ERR_FLOOD);
}
END_TEST

/* ---- violations ---- */

/* What came was a violation: the streams end with |text|, and GOAWAY says |code|. */
static void check_violation(int rv, uint32_t code, const char *text)
{
    ck_assert_str_eq(rqx_error_name(rv), "RQX_ERR_PROTOCOL");
    ck_assert_int_eq(link.err.code, rv);
    ck_assert_str_eq(link.err.text, text);
    ck_assert_uint_eq(link.err.h2_code, code);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link_recv(&link, "x", 1), RQX_ERR_PROTOCOL);
    ck_assert_int_eq(link.codec->ops->tick(link.codec, NULL), RQX_ERR_PROTOCOL);
    link.codec->ops->fail(link.codec, &link.err);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_GOAWAY, 0)->word, code);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_GOAWAY, 0), 1);
    ck_assert(!link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link.codec->ops->state(link.codec), RQX__CODEC_CLOSED);
}

struct violation {
    uint8_t type;
    uint8_t flags;
    int32_t id;
    const char *payload;
    size_t len;
    uint32_t code;
    const char *text;
};

#define V "protocol violated by the peer: "

static const struct violation violations[] = {
    {NGHTTP2_DATA, 0, 0, "x", 1, NGHTTP2_PROTOCOL_ERROR, V "PROTOCOL_ERROR, DATA: stream_id == 0"},
    {NGHTTP2_DATA, 0, 9, "x", 1, NGHTTP2_PROTOCOL_ERROR, V "PROTOCOL_ERROR, DATA: stream in idle"},
    {NGHTTP2_HEADERS, 4, 0, "\x88", 1, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_HEADERS, 4, 1, "\xff\xff\xff\xff\xff\xff\xff", 7, NGHTTP2_COMPRESSION_ERROR, NULL},
    {NGHTTP2_RST_STREAM, 0, 9, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_RST_STREAM, 0, 1, "\0\0\0", 3, NGHTTP2_FRAME_SIZE_ERROR, NULL},
    {NGHTTP2_SETTINGS, 0, 1, "", 0, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_SETTINGS, 0, 0, "\0\4\xff", 3, NGHTTP2_FRAME_SIZE_ERROR, NULL},
    {NGHTTP2_SETTINGS, 0, 0, "\0\4\xff\xff\xff\xff", 6, NGHTTP2_FLOW_CONTROL_ERROR, NULL},
    {NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\0\1", 6, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_SETTINGS, 0, 0, "\0\2\0\0\0\1", 6, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82", 5, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_PING, 0, 0, "1234567", 7, NGHTTP2_FRAME_SIZE_ERROR, NULL},
    {NGHTTP2_PING, 0, 1, "12345678", 8, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0", 4, NGHTTP2_FRAME_SIZE_ERROR, NULL},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4, NGHTTP2_FLOW_CONTROL_ERROR, NULL},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR, NULL},
    {NGHTTP2_CONTINUATION, 4, 1, "\x88", 1, NGHTTP2_PROTOCOL_ERROR, NULL},
};

START_TEST(a_violation_ends_the_connection)
{
    const struct violation *v = &violations[_i];
    struct owner owner;
    int rv;

    open_get(&owner);
    rv = raw(&link, v->type, v->flags, v->id, v->payload, v->len);
    check_violation(rv, v->code, v->text != NULL ? v->text : link.err.text);
    ck_assert_int_eq(strncmp(link.err.text, V, strlen(V)), 0);
    check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
}
END_TEST

START_TEST(padding_longer_than_its_frame_ends_the_connection)
{
    struct owner owner;
    int rv;

    open_get(&owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    rv = raw(&link, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\5x", 2);
    check_violation(rv, NGHTTP2_PROTOCOL_ERROR, link.err.text);
    check_closed(&owner, RQX_ERR_PROTOCOL, 0);
}
END_TEST

START_TEST(a_frame_larger_than_allowed_ends_the_connection)
{
    uint8_t header[9];
    int rv;

    put_header(header, 16385, NGHTTP2_PING, 0, 0);
    rv = link_recv(&link, header, sizeof header);
    check_violation(rv, NGHTTP2_FRAME_SIZE_ERROR, V "FRAME_SIZE_ERROR, too large frame size");
}
END_TEST

START_TEST(frames_between_headers_and_continuation_end_the_connection)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw(&link, NGHTTP2_HEADERS, 0, 1, "\x88", 1), 0);
    ck_assert_int_eq(raw(&link, NGHTTP2_PING, 0, 0, "12345678", 8), RQX_ERR_PROTOCOL);
    ck_assert_uint_eq(link.err.h2_code, NGHTTP2_PROTOCOL_ERROR);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_PROTOCOL, 0);
}
END_TEST

/* RFC 9113 section 6.9: these two are errors of one stream. */
START_TEST(window_errors_of_a_stream_are_its_own)
{
    struct owner owner;
    struct owner second;
    struct owner other;

    owner_post(&owner, 100000, 100000);
    raw_request(&link, &owner);
    owner_post(&second, 100000, 100000);
    raw_request(&link, &second);
    open_get(&other);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 3, 0x7fffffff), 0);
    ck_assert_int_eq(link_send(&link), 0);
    check_closed(&second, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, 3)->word, NGHTTP2_FLOW_CONTROL_ERROR);
    ck_assert_str_eq(second.err.text, V "FLOW_CONTROL_ERROR");
    ck_assert_int_eq(raw_headers(&link, 5, true, "200", NULL), 0);
    check_closed_well(&other);
    ck_assert_int_eq(owner.closes, 0);
    ck_assert_uint_eq(link_h2(&link)->uploads, 1);
}
END_TEST

/* RFC 9113 section 6.9: so is an increment of zero, however it is cut into pieces. */
START_TEST(a_window_update_of_zero_is_its_streams_error)
{
    static const uint8_t zeros[2][4] = {{0, 0, 0, 0}, {0x80, 0, 0, 0}};
    uint8_t frame[13];
    size_t cut;

    for (cut = 0; cut < sizeof frame; cut++) {
        struct owner owner;
        struct owner other;
        struct link fresh;

        link_init(&fresh);
        raw_greet(&fresh);
        owner_post(&owner, 100000, 100000);
        raw_request(&fresh, &owner);
        owner_init(&other, "/");
        raw_request(&fresh, &other);
        put_header(frame, 4, NGHTTP2_WINDOW_UPDATE, 0, 1);
        memcpy(frame + 9, zeros[cut % 2], 4);
        ck_assert_int_eq(link_recv(&fresh, frame, cut), 0);
        ck_assert_int_eq(owner.closes, 0);
        ck_assert_int_eq(link_recv(&fresh, frame + cut, sizeof frame - cut), 0);
        check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
        ck_assert_str_eq(owner.err.text, V "WINDOW_UPDATE of zero");
        ck_assert_int_eq(link_send(&fresh), 0);
        ck_assert_uint_eq(find_frame(&fresh, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_PROTOCOL_ERROR);
        /* once more, for a stream that is closed by now; and what follows is read as it is */
        ck_assert_int_eq(link_recv(&fresh, frame, sizeof frame), 0);
        ck_assert_int_eq(raw_word(&fresh, NGHTTP2_WINDOW_UPDATE, 3, 256), 0);
        ck_assert_int_eq(raw_headers(&fresh, 3, true, "200", NULL), 0);
        check_closed_well(&other);
        link_done(&fresh);
    }
}
END_TEST

START_TEST(a_window_update_of_zero_among_other_frames)
{
    struct owner owner;
    struct owner other;
    uint8_t bytes[9 + 8 + 13 + 9 + 1];

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    owner_init(&other, "/");
    raw_request(&link, &other);
    put_header(bytes, 8, NGHTTP2_PING, 0, 0);
    memcpy(bytes + 9, "12345678", 8);
    put_header(bytes + 17, 4, NGHTTP2_WINDOW_UPDATE, 0, 1);
    memset(bytes + 26, 0, 4);
    put_header(bytes + 30, 1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3);
    bytes[39] = 0x88;
    ck_assert_int_eq(link_recv(&link, bytes, sizeof bytes), 0);
    check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
    check_closed_well(&other);
}
END_TEST

START_TEST(a_window_update_of_zero_for_an_idle_stream_ends_the_connection)
{
    struct owner owner;

    open_get(&owner);
    ck_assert_int_eq(raw_word(&link, NGHTTP2_WINDOW_UPDATE, 99, 0), RQX_ERR_PROTOCOL);
}
END_TEST

/* RFC 9113 section 8.1.1.  Padded, so that all of the payload has to count. */
START_TEST(data_before_headers_is_its_streams_error)
{
    enum { PAYLOAD = 16000, FRAME = 9 + PAYLOAD };
    static uint8_t frame[FRAME];
    size_t cut;

    put_header(frame, PAYLOAD, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1);
    frame[9] = 200;
    for (cut = 0; cut < 12; cut++) {
        struct owner owner;
        struct owner other;
        struct link fresh;
        int i;

        link_init(&fresh);
        raw_greet(&fresh);
        owner_post(&owner, 100000, 100000);
        raw_request(&fresh, &owner);
        owner_init(&other, "/");
        raw_request(&fresh, &other);
        ck_assert_int_eq(link_recv(&fresh, frame, cut), 0);
        ck_assert_int_eq(owner.closes, cut < 9 ? 0 : 1);
        ck_assert_int_eq(link_recv(&fresh, frame + cut, sizeof frame - cut), 0);
        check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
        ck_assert_str_eq(owner.err.text, V "DATA before HEADERS");
        ck_assert_int_eq(link_send(&fresh), 0);
        ck_assert_uint_eq(find_frame(&fresh, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_PROTOCOL_ERROR);
        /* more of it is ignored, and credited to the connection whole */
        for (i = 0; i < 40; i++)
            ck_assert_int_eq(link_recv(&fresh, frame, sizeof frame), 0);
        ck_assert_int_eq(link_send(&fresh), 0);
        ck_assert_uint_ge(count_frames(&fresh, NGHTTP2_WINDOW_UPDATE, 0), 1);
        ck_assert_uint_eq(count_frames(&fresh, NGHTTP2_WINDOW_UPDATE, 1), 0);
        ck_assert_uint_eq(count_frames(&fresh, NGHTTP2_RST_STREAM, 1), 1);
        ck_assert_int_lt(nghttp2_session_get_effective_recv_data_length(link_h2(&fresh)->session),
                         41 * PAYLOAD / 2 + 1);
        ck_assert_int_eq(raw_headers(&fresh, 3, true, "200", NULL), 0);
        check_closed_well(&other);
        link_done(&fresh);
    }
}
END_TEST

/* One read with the answers of two streams, cut into two at each byte: HEADERS of both, then DATA of both. */
START_TEST(data_behind_headers_in_the_same_bytes_is_well)
{
    static const uint32_t order[] = {1, 3};
    uint8_t bytes[2 * (9 + 1) + 2 * (9 + 2)];
    size_t len = 0;
    size_t cut;
    size_t i;

    for (i = 0; i < 2; i++, len += 10) {
        put_header(bytes + len, 1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, (int32_t)order[i]);
        bytes[len + 9] = 0x88;
    }
    for (i = 0; i < 2; i++, len += 11) {
        put_header(bytes + len, 2, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, (int32_t)order[i]);
        memcpy(bytes + len + 9, "ok", 2);
    }
    for (cut = 0; cut < sizeof bytes; cut++) {
        struct owner owners[2];
        struct link fresh;

        link_init(&fresh);
        raw_greet(&fresh);
        for (i = 0; i < 2; i++) {
            owner_init(&owners[i], "/");
            raw_request(&fresh, &owners[i]);
        }
        ck_assert_int_eq(link_recv(&fresh, bytes, cut), 0);
        ck_assert_int_eq(link_recv(&fresh, bytes + cut, sizeof bytes - cut), 0);
        for (i = 0; i < 2; i++)
            check_closed_well(&owners[i]);
        link_done(&fresh);
    }
}
END_TEST

/* A push before the peer saw our SETTINGS: refused, but its fields pass through the decoder. */
START_TEST(an_early_push_is_refused)
{
    static const uint8_t push[] = {0, 0, 0, 2, 0x82, 0x87, 0x84, 0x41, 1, 'a', 0x40, 3, 'x', '-', 'a', 2, 'b', 'c'};
    static const uint8_t refers[] = {0x88, 0x80 | 62};
    struct owner owner;
    struct link fresh;

    link_init(&fresh);
    owner_init(&owner, "/");
    ck_assert_int_eq(link_submit(&fresh, &owner), 0);
    ck_assert_int_eq(link_send(&fresh), 0);
    ck_assert_int_eq(raw_settings(&fresh, 0, 0), 0);
    ck_assert_int_eq(raw(&fresh, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, push, sizeof push), 0);
    ck_assert_int_eq(link_send(&fresh), 0);
    ck_assert_uint_eq(count_frames(&fresh, NGHTTP2_RST_STREAM, 2), 1);
    ck_assert_int_eq(raw(&fresh, NGHTTP2_HEADERS, 5, 1, refers, sizeof refers), 0);
    check_closed_well(&owner);
    ck_assert_str_eq(owner.log, "[200]\nx-a: bc\ndone 200\nend\n");
    ck_assert_uint_eq(link_h2(&fresh)->wire_count, 0);
    link_done(&fresh);
}
END_TEST

START_TEST(a_peer_that_speaks_no_http_2_is_told_apart)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    struct owner owner;
    struct link fresh;

    link_init(&fresh);
    owner_init(&owner, "/");
    ck_assert_int_eq(link_submit(&fresh, &owner), 0);
    ck_assert_int_eq(link_send(&fresh), 0);
    ck_assert_int_eq(link_recv(&fresh, text, sizeof text - 1), RQX_ERR_PROTOCOL);
    ck_assert_str_eq(fresh.err.text, "peer does not speak HTTP/2: no SETTINGS frame came first");
    fresh.codec->ops->fail(fresh.codec, &fresh.err);
    check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
    link_done(&fresh);
}
END_TEST

/* The GOAWAY of a violation stands behind what was begun before it. */
START_TEST(goaway_follows_a_frame_that_was_begun)
{
    struct owner owner;
    struct rqx__buf out;

    owner_init(&owner, "/a-target-that-is-not-sent-whole");
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    rqx__buf_init(&out, SIZE_MAX);
    ck_assert_int_eq(link.codec->ops->send(link.codec, &out, 12, &link.err), 0);
    ck_assert_int_eq(rqx__buf_append(&link.sent, rqx__buf_head(&out), out.len), 0);
    rqx__buf_done(&out);
    ck_assert_int_eq(raw(&link, NGHTTP2_PING, 0, 1, "12345678", 8), RQX_ERR_PROTOCOL);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_PROTOCOL, RQX__CLOSE_NO_BYTES);
    link.limit = 64;
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_HEADERS, 1), 1);
    ck_assert_uint_eq(link.frames[link.frame_count - 1].type, NGHTTP2_GOAWAY);
    ck_assert_uint_eq(link.parsed, link.sent.len);
}
END_TEST

/* Bytes in any pieces, with any of them changed: no crash, nothing told twice, no stream left over. */
START_TEST(noise_is_survived)
{
    uint32_t seed = 12345 + (uint32_t)_i;
    struct owner owners[4];
    uint8_t bytes[4096];
    size_t i;
    int rv = 0;
    size_t round;

    for (i = 0; i < 4; i++) {
        owner_post(&owners[i], i * 20000, RQX_LENGTH_UNKNOWN);
        ck_assert_int_eq(link_submit(&link, &owners[i]), 0);
    }
    for (round = 0; round < 200 && rv == 0; round++) {
        size_t len = 0;
        size_t at = 0;

        while (len < 2048) {
            size_t payload;

            seed = seed * 1103515245 + 12345;
            payload = (seed >> 16) % 40;
            put_header(bytes + len, payload, (uint8_t)((seed >> 8) % 11), (uint8_t)(seed >> 20),
                       (int32_t)((seed >> 4) % 9));
            len += 9;
            for (i = 0; i < payload; i++) {
                seed = seed * 1103515245 + 12345;
                bytes[len++] = (uint8_t)(seed >> 16);
            }
        }
        while (at < len && rv == 0) {
            size_t piece;

            seed = seed * 1103515245 + 12345;
            piece = 1 + (seed >> 16) % 300;
            if (piece > len - at)
                piece = len - at;
            rv = link_recv(&link, bytes + at, piece);
            at += piece;
            if (rv == 0)
                rv = link_send(&link);
        }
    }
    rqx__err_set(&link.err, RQX_ERR_READ, NULL);
    link.codec->ops->fail(link.codec, &link.err);
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(owners[i].closes, 1);
    ck_assert_uint_eq(link.codec->open_streams, 0);
}
END_TEST

static Suite *h2_guard_suite(void)
{
    Suite *suite = suite_create("h2_guard");
    TCase *tcase;

    tcase = rqx_add_case(suite, "header sections");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_header_section_may_be_as_large_as_allowed);
    tcase_add_test(tcase, a_larger_header_section_is_an_error_of_its_stream);
    tcase_add_test(tcase, interim_responses_count_together);
    tcase_add_test(tcase, an_hpack_bomb_is_cut_short);

    tcase = rqx_add_case(suite, "floods");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_ping_flood_ends_the_connection);
    tcase_add_test(tcase, a_settings_flood_ends_the_connection);
    tcase_add_test(tcase, a_priority_flood_ends_the_connection);
    tcase_add_test(tcase, a_window_update_flood_ends_the_connection);
    tcase_add_test(tcase, a_flood_of_unknown_frames_ends_the_connection);
    tcase_add_test(tcase, an_empty_data_flood_ends_the_connection);
    tcase_add_test(tcase, a_flood_of_padding_ends_the_connection);
    tcase_add_test(tcase, a_rst_stream_flood_ends_the_connection);
    tcase_add_test(tcase, a_continuation_flood_ends_the_connection);
    tcase_add_test(tcase, answers_do_not_pile_up);
    tcase_add_test(tcase, slow_frames_are_no_flood);
    tcase_add_test(tcase, frames_that_come_with_progress_are_no_flood);

    tcase_add_test(tcase, padded_bodies_are_no_flood);
    tcase_add_test(tcase, what_is_ignored_is_counted);

    tcase = rqx_add_case(suite, "violations");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_violation_ends_the_connection, 0, (int)(sizeof violations / sizeof violations[0]));
    tcase_add_test(tcase, padding_longer_than_its_frame_ends_the_connection);
    tcase_add_test(tcase, a_frame_larger_than_allowed_ends_the_connection);
    tcase_add_test(tcase, frames_between_headers_and_continuation_end_the_connection);
    tcase_add_test(tcase, window_errors_of_a_stream_are_its_own);
    tcase_add_test(tcase, a_window_update_of_zero_is_its_streams_error);
    tcase_add_test(tcase, a_window_update_of_zero_among_other_frames);
    tcase_add_test(tcase, a_window_update_of_zero_for_an_idle_stream_ends_the_connection);
    tcase_add_test(tcase, data_before_headers_is_its_streams_error);
    tcase_add_test(tcase, data_behind_headers_in_the_same_bytes_is_well);
    tcase_add_test(tcase, an_early_push_is_refused);
    tcase_add_test(tcase, a_peer_that_speaks_no_http_2_is_told_apart);
    tcase_add_test(tcase, goaway_follows_a_frame_that_was_begun);
    tcase_add_loop_test(tcase, noise_is_survived, 0, 50);
    return suite;
}

RQX_CHECK_MAIN(h2_guard_suite)
