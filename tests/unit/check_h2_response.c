/*
 * Responses over HTTP/2 (RFC 9113 section 8): what is made of them, what is malformed, and owners that change their
 * mind meanwhile.
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

START_TEST(interim_responses_come_before_the_final_one)
{
    static const char *const hints[] = {"link", "</a.css>", NULL};
    static const char *const fields[] = {"content-length", "3", "x-a", "1", NULL};
    struct owner owner;

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "103", hints), 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, "103", hints), 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, "199", NULL), 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", fields), 0);
    ck_assert_int_eq(owner.content_length, 3);
    ck_assert_int_eq(raw_data(&link, 1, true, 3), 0);
    ck_assert_str_eq(owner.log, "[103]\nlink: </a.css>\ndone 103\n[103]\nlink: </a.css>\ndone 103\n[199]\ndone 199\n"
                                "[200]\ncontent-length: 3\nx-a: 1\ndone 200\nend\n");
    check_closed_well(&owner);
}
END_TEST

START_TEST(trailers_of_a_response_are_told_apart)
{
    static const char *const fields[] = {"x-checksum", "abc", "x-more", "1", NULL};
    struct owner owner;

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_data(&link, 1, false, 3), 0);
    ck_assert_int_eq(raw_headers(&link, 1, true, NULL, fields), 0);
    ck_assert_str_eq(owner.log, "[200]\ndone 200\ntrailer x-checksum: abc\ntrailer x-more: 1\nend\n");
    check_closed_well(&owner);
}
END_TEST

/* RFC 9113 section 8.1.1 and RFC 9110 section 8.6: these may announce a length that no body follows. */
START_TEST(head_and_304_may_announce_a_length)
{
    static const char *const fields[] = {"content-length", "1000", NULL};
    struct owner owner;

    owner_init(&owner, "/");
    owner.head.method = RQX__LIT("HEAD");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", fields), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(owner.content_length, 0);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 3, false, "304", fields), 0);
    ck_assert_int_eq(owner.content_length, 0);
    ck_assert_int_eq(raw_data(&link, 3, true, 0), 0);
    check_closed_well(&owner);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 5, true, "204", NULL), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(owner.content_length, 0);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 7, true, "200", NULL), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(owner.content_length, 0);
}
END_TEST

/* One stream's malformed message is no other's affair. */
static void check_malformed(bool end, const char *status, const char *const *pairs, size_t data, bool data_end,
                            int code, const char *text)
{
    struct owner owner;
    struct owner other;
    int32_t id;

    owner_init(&owner, "/");
    owner_init(&other, "/");
    raw_request(&link, &owner);
    raw_request(&link, &other);
    id = owner.stream.id;
    ck_assert_int_eq(raw_headers(&link, id, end, status, pairs), 0);
    if (data != 0 || data_end)
        ck_assert_int_eq(raw_data(&link, id, data_end, data), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(owner.closes, 1);
    ck_assert_str_eq(rqx_error_name(owner.err.code), rqx_error_name(code));
    ck_assert_str_eq(owner.err.text, text);
    ck_assert_uint_eq(owner.err.h2_code, NGHTTP2_PROTOCOL_ERROR);
    ck_assert_uint_eq(owner.flags & RQX__CLOSE_UNPROCESSED, 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, id), 1);
    ck_assert_int_eq(raw_headers(&link, id + 2, true, "200", NULL), 0);
    check_closed_well(&other);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
    ck_assert_uint_eq(link.codec->open_streams, 0);
}

#define MALFORMED_FIELD   "protocol violated by the peer: malformed field in a header section"
#define MALFORMED_MESSAGE "protocol violated by the peer: malformed message"

START_TEST(malformed_responses_are_errors_of_their_stream)
{
    static const char *const upper[] = {"X-Upper", "1", NULL};
    static const char *const line[] = {"x-split", "a\r\nb", NULL};
    static const char *const name[] = {"x split", "1", NULL};
    static const char *const nul[] = {"empty", "", ":late", "1", NULL};
    static const char *const connection[] = {"connection", "close", NULL};
    static const char *const lengths[] = {"content-length", "1", "content-length", "2", NULL};
    static const char *const length[] = {"content-length", "-1", NULL};
    static const char *const unknown[] = {":path", "/", NULL};

    check_malformed(false, "200", upper, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", line, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", name, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", nul, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", connection, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", lengths, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", length, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "200", unknown, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "101", NULL, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, "20x", NULL, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(true, "099", NULL, 0, false, RQX_ERR_PROTOCOL, MALFORMED_FIELD);
    check_malformed(false, NULL, NULL, 0, false, RQX_ERR_PROTOCOL, MALFORMED_MESSAGE);
    check_malformed(true, "103", NULL, 0, false, RQX_ERR_PROTOCOL, MALFORMED_MESSAGE);
    check_malformed(false, "103", NULL, 5, true, RQX_ERR_PROTOCOL, "protocol violated by the peer: PROTOCOL_ERROR");
}
END_TEST

START_TEST(trailers_without_the_end_are_an_error_of_their_stream)
{
    static const char *const fields[] = {"x-trailer", "1", NULL};
    struct owner owner;

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, NULL, fields), 0);
    ck_assert_int_eq(link_send(&link), 0);
    check_closed(&owner, RQX_ERR_PROTOCOL, 0);
    ck_assert_int_eq(owner.ends, 0);
}
END_TEST

/* RFC 9113 section 8.1.1 */
START_TEST(a_body_must_have_the_length_announced)
{
    static const char *const ten[] = {"content-length", "10", NULL};
    const char *text = "response body does not match its content-length of 10 bytes";

    check_malformed(false, "200", ten, 9, true, RQX_ERR_RESPONSE_LENGTH, text);
    check_malformed(false, "200", ten, 11, false, RQX_ERR_RESPONSE_LENGTH, text);
    check_malformed(true, "200", ten, 0, false, RQX_ERR_RESPONSE_LENGTH, text);
}
END_TEST

/* nghttp2 does not count for CONNECT. */
START_TEST(a_body_that_refuses_a_tunnel_has_its_length_too)
{
    static const char *const ten[] = {"content-length", "10", NULL};
    static const size_t lengths[] = {9, 10, 11};
    size_t i;

    for (i = 0; i < 3; i++) {
        int32_t id = (int32_t)i * 2 + 1;
        struct owner owner;

        owner_init(&owner, "example.com:443");
        owner.head.method = RQX__LIT("CONNECT");
        raw_request(&link, &owner);
        ck_assert_int_eq(raw_headers(&link, id, false, "403", ten), 0);
        ck_assert_int_eq(raw_data(&link, id, lengths[i] < 11, lengths[i]), 0);
        ck_assert_int_eq(link_send(&link), 0);
        if (lengths[i] == 10)
            check_closed_well(&owner);
        else
            check_closed(&owner, RQX_ERR_RESPONSE_LENGTH, 0);
        ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, id), lengths[i] == 10 ? 0 : 1);
    }
}
END_TEST

START_TEST(white_space_around_a_value_is_dropped)
{
    static const char *const fields[] = {"x-space", " \tvalue ", "content-length", "2", NULL};
    struct owner owner;

    owner_init(&owner, "/");
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", fields), 0);
    ck_assert_int_eq(raw_data(&link, 1, true, 2), 0);
    ck_assert_str_eq(owner.log, "[200]\nx-space: value\ncontent-length: 2\ndone 200\nend\n");
    check_closed_well(&owner);
}
END_TEST

/* ---- owners that change their mind in an upcall ---- */

START_TEST(an_upcall_may_cancel_its_stream)
{
    static const char *const fields[] = {"x-a", "1", "x-b", "2", NULL};
    enum at at;

    for (at = AT_HEAD; at <= AT_END; at++) {
        struct owner owner;
        int32_t id;

        owner_post(&owner, 10, 10);
        owner.cancel_at = at;
        owner.body_given = at == AT_PULL ? SIZE_MAX : 0;
        raw_request(&link, &owner);
        id = owner.stream.id;
        ck_assert_int_eq(raw_headers(&link, id, false, "200", fields), 0);
        ck_assert_int_eq(raw_data(&link, id, false, 5), 0);
        ck_assert_int_eq(raw_data(&link, id, true, 5), 0);
        ck_assert_int_eq(link_send(&link), 0);
        ck_assert_int_eq(owner.closes, 0);
        ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, id), 1);
        ck_assert_uint_eq(link.codec->open_streams, 0);
        ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
        ck_assert_uint_eq(link_h2(&link)->uploads, 0);
    }
}
END_TEST

START_TEST(an_upcall_at_the_end_may_cancel_its_stream)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner.cancel_at = AT_END;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    /* both sides are done: nothing is left to reset */
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, -1), 0);
    ck_assert_int_eq(owner.closes, 0);
    owner_post(&owner, 10, 10);
    owner.cancel_at = AT_REFUSED;
    owner.body_given = 0;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 3, true, "200", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 3), 1);
    ck_assert_int_eq(owner.ends, 0);
    owner_init(&owner, "/");
    owner.cancel_at = AT_SENT;
    raw_request(&link, &owner);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 5), 1);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
}
END_TEST

START_TEST(an_upcall_that_fails_resets_its_stream)
{
    static const char *const fields[] = {"x-a", "1", "x-b", "2", NULL};
    enum at at;

    for (at = AT_HEAD; at <= AT_DATA; at++) {
        struct owner owner;

        owner_init(&owner, "/");
        owner.fail_at = at;
        raw_request(&link, &owner);
        ck_assert_int_eq(raw_headers(&link, owner.stream.id, false, "200", fields), 0);
        ck_assert_int_eq(raw_data(&link, owner.stream.id, true, 5), 0);
        check_closed(&owner, RQX_ERR_NOMEM, 0);
        ck_assert_int_eq(link_send(&link), 0);
        ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, owner.stream.id), 1);
        ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, owner.stream.id)->word, NGHTTP2_INTERNAL_ERROR);
    }
}
END_TEST

static Suite *h2_response_suite(void)
{
    Suite *suite = suite_create("h2_response");
    TCase *tcase;

    tcase = rqx_add_case(suite, "responses");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, interim_responses_come_before_the_final_one);
    tcase_add_test(tcase, trailers_of_a_response_are_told_apart);
    tcase_add_test(tcase, head_and_304_may_announce_a_length);
    tcase_add_test(tcase, malformed_responses_are_errors_of_their_stream);
    tcase_add_test(tcase, trailers_without_the_end_are_an_error_of_their_stream);
    tcase_add_test(tcase, a_body_must_have_the_length_announced);
    tcase_add_test(tcase, a_body_that_refuses_a_tunnel_has_its_length_too);
    tcase_add_test(tcase, white_space_around_a_value_is_dropped);

    tcase = rqx_add_case(suite, "upcalls");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_upcall_may_cancel_its_stream);
    tcase_add_test(tcase, an_upcall_at_the_end_may_cancel_its_stream);
    tcase_add_test(tcase, an_upcall_that_fails_resets_its_stream);
    return suite;
}

RQX_CHECK_MAIN(h2_response_suite)
