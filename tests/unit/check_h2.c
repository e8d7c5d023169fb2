/*
 * Requests over HTTP/2 (RFC 9113 section 8): the preface, fields, and bodies.
 */
#include "h2_support.h"

static struct link link;
static struct server server;

static void set_up(void)
{
    link_init(&link);
    server_init(&server, &link, NULL, 0);
}

static void tear_down(void)
{
    server_done(&server);
    link_done(&link);
}

/* The request of |owner| as a decent server sees it. */
static const char *request_text(struct owner *owner)
{
    server.log_len = 0;
    server.log[0] = '\0';
    ck_assert_int_eq(link_submit(&link, owner), 0);
    ck_assert_int_eq(run(&server), 0);
    check_closed_well(owner);
    owner_done(owner);
    return server.log;
}

#define GET_LINES  ":method: GET\n:scheme: https\n:authority: example.com\n:path: /\n"
#define POST_LINES ":method: POST\n:scheme: https\n:authority: example.com\n:path: /post\n"

/* ---- the beginning ---- */

START_TEST(the_first_send_has_preface_settings_and_window)
{
    uint32_t seen[16] = {0};
    const uint8_t *payload;
    size_t i;

    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(link.frame_count, 2);
    ck_assert_uint_eq(link.frames[0].type, NGHTTP2_SETTINGS);
    payload = rqx__buf_head(&link.sent) + link.frames[0].payload;
    for (i = 0; i < link.frames[0].length; i += 6) {
        ck_assert_uint_lt(payload[i + 1], 16);
        seen[payload[i + 1]] = word_at(payload + i + 2) + 1;
    }
    ck_assert_uint_eq(seen[NGHTTP2_SETTINGS_ENABLE_PUSH], 1);
    ck_assert_uint_eq(seen[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 256 * 1024 + 1);
    ck_assert_uint_eq(seen[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE], 64 * 1024 + 1);
    ck_assert_uint_eq(seen[NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES], 2);
    ck_assert_uint_eq(seen[NGHTTP2_SETTINGS_HEADER_TABLE_SIZE], 0);
    ck_assert_uint_eq(link.frames[1].type, NGHTTP2_WINDOW_UPDATE);
    ck_assert_int_eq(link.frames[1].id, 0);
    ck_assert_uint_eq(link.frames[1].word, 1024 * 1024 - 65535);
    ck_assert(!link.codec->ops->want_send(link.codec));
    ck_assert(link.codec->ops->want_recv(link.codec));
    ck_assert_str_eq(link.codec->ops->name, "h2");
    ck_assert_int_eq(link.codec->ops->version, RQX_HTTP_2);
    ck_assert_ptr_nonnull(strchr(rqx__h2_library(), '.'));
}
END_TEST

START_TEST(a_get_is_answered)
{
    struct owner owner;

    server.body_bytes = 10;
    owner_init(&owner, "/a?b");
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(run(&server), 0);
    check_closed_well(&owner);
    ck_assert_str_eq(server.log, ":method: GET\n:scheme: https\n:authority: example.com\n:path: /a?b\n");
    ck_assert_str_eq(owner.log, "[200]\ncontent-type: text/plain\ndone 200\nend\n");
    ck_assert_uint_eq(owner.received, 10);
    ck_assert_int_eq(owner.content_length, RQX_LENGTH_UNKNOWN);
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_int_eq(owner.refusals, 0);
    ck_assert_uint_eq(owner.flags, 0);
    ck_assert_uint_eq(link.codec->open_streams, 0);
    ck_assert_uint_eq(link.codec->resets, 0);
    ck_assert_int_eq(link.codec->ops->state(link.codec), RQX__CODEC_OPEN);
}
END_TEST

START_TEST(a_request_goes_out_with_the_preface)
{
    struct owner owner;

    owner_init(&owner, "/");
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(owner.stream.id, 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(owner.stream.id, 1);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_HEADERS, 1)->flags, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM);
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_int_eq(run(&server), 0);
    check_closed_well(&owner);
}
END_TEST

START_TEST(many_streams_share_a_connection)
{
    static struct owner owners[100];
    size_t i;

    server.body_bytes = 1000;
    for (i = 0; i < 100; i++) {
        owner_init(&owners[i], "/");
        ck_assert_int_eq(link_submit(&link, &owners[i]), 0);
    }
    ck_assert_uint_eq(link.codec->open_streams, 100);
    ck_assert_int_eq(run(&server), 0);
    for (i = 0; i < 100; i++) {
        check_closed_well(&owners[i]);
        ck_assert_uint_eq(owners[i].received, 1000);
    }
    ck_assert_uint_eq(link.codec->open_streams, 0);
}
END_TEST

/* A buffer that takes only a few bytes at a time changes nothing of what is sent. */
START_TEST(the_limit_of_a_send_is_kept)
{
    struct owner owner;

    link.limit = 100;
    owner_post(&owner, 20000, 20000);
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 20000\n");
    ck_assert_uint_eq(server.received, 20000);
}
END_TEST

/* ---- fields of requests (RFC 9113 sections 8.2 and 8.3) ---- */

START_TEST(names_are_sent_in_lower_case)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner_field(&owner, "X-Mixed-Case", "Value");
    owner_field(&owner, "accept", "*/*");
    ck_assert_str_eq(request_text(&owner), GET_LINES "x-mixed-case: Value\naccept: */*\n");
}
END_TEST

START_TEST(connection_specific_fields_are_left_out)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner_field(&owner, "Host", "other.example");
    owner_field(&owner, "Connection", "keep-alive, X-Hop, te");
    owner_field(&owner, "Connection", "x-other-hop");
    owner_field(&owner, "Keep-Alive", "timeout=5");
    owner_field(&owner, "Proxy-Connection", "keep-alive");
    owner_field(&owner, "Transfer-Encoding", "chunked");
    owner_field(&owner, "Upgrade", "websocket");
    owner_field(&owner, "X-Hop", "1");
    owner_field(&owner, "X-Other-Hop", "1");
    owner_field(&owner, "X-End", "1");
    owner_field(&owner, "TE", "trailers, deflate;q=0.5");
    ck_assert_str_eq(request_text(&owner), GET_LINES "x-end: 1\nte: trailers\n");
}
END_TEST

/* Credentials for a proxy are not for an origin behind it. */
START_TEST(proxy_credentials_end_at_the_tunnel)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner.head.in_tunnel = true;
    owner_field(&owner, "Proxy-Authorization", "Basic def");
    owner_field(&owner, "X-End", "1");
    ck_assert_str_eq(request_text(&owner), GET_LINES "x-end: 1\n");
}
END_TEST

START_TEST(default_proxy_credentials_end_at_the_tunnel)
{
    struct owner owner;
    rqx_headers *defaults = NULL;

    owner_init(&owner, "/");
    ck_assert_int_eq(rqx_headers_new(&defaults), 0);
    ck_assert_int_eq(rqx_headers_add(defaults, "Proxy-Authorization", 19, "Basic def", 9), 0);
    ck_assert_int_eq(rqx_headers_add(defaults, "X-End", 5, "1", 1), 0);
    owner.head.in_tunnel = true;
    owner.head.defaults = defaults;
    ck_assert_str_eq(request_text(&owner), GET_LINES "x-end: 1\n");
    rqx_headers_free(defaults);
}
END_TEST

START_TEST(errors_of_nghttp2_are_told_as_ours)
{
    ck_assert_int_eq(rqx__h2_error_of(NGHTTP2_ERR_NOMEM), RQX_ERR_NOMEM);
    ck_assert_int_eq(rqx__h2_error_of(NGHTTP2_ERR_FLOODED), RQX_ERR_FLOOD);
    ck_assert_int_eq(rqx__h2_error_of(NGHTTP2_ERR_CALLBACK_FAILURE), RQX_ERR_INTERNAL);
    ck_assert_int_eq(rqx__h2_error_of(NGHTTP2_ERR_BAD_CLIENT_MAGIC), RQX_ERR_PROTOCOL);
}
END_TEST

START_TEST(te_without_trailers_is_left_out)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner_field(&owner, "TE", "deflate");
    ck_assert_str_eq(request_text(&owner), GET_LINES);
}
END_TEST

START_TEST(secrets_are_never_indexed)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner_field(&owner, "Authorization", "Basic abc");
    owner_field(&owner, "Proxy-Authorization", "Basic def");
    owner_field(&owner, "X-Plain", "1");
    ck_assert_str_eq(request_text(&owner),
                     GET_LINES "!authorization: Basic abc\n!proxy-authorization: Basic def\nx-plain: 1\n");
}
END_TEST

START_TEST(cookies_are_sent_as_crumbs)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner_field(&owner, "Cookie", "a=1; session=0123456789012345678901234567890;b=2; ");
    owner_field(&owner, "Cookie", "c=3");
    ck_assert_str_eq(request_text(&owner), GET_LINES
                     "!cookie: a=1\ncookie: session=0123456789012345678901234567890\n!cookie: b=2\n!cookie: c=3\n");
    owner_init(&owner, "/");
    owner_field(&owner, "Cookie", "a=1");
    owner.head.cookies = RQX__LIT("d=4; e=5");
    ck_assert_str_eq(request_text(&owner), GET_LINES "!cookie: a=1\n!cookie: d=4\n!cookie: e=5\n");
}
END_TEST

START_TEST(defaults_yield_to_fields_of_the_request)
{
    struct rqx_headers *defaults = NULL;
    struct owner owner;
    const char *text;

    add_field(&defaults, "User-Agent", "default");
    add_field(&defaults, "Accept", "default");
    add_field(&defaults, "X-Some", "default");
    add_field(&defaults, "X-Hop", "default");
    add_field(&defaults, "Connection", "x-hop");
    owner_init(&owner, "/");
    owner.head.defaults = defaults;
    owner_field(&owner, "ACCEPT", "mine");
    owner_field(&owner, "x-some", "mine");
    owner_field(&owner, "x-some", "mine too");
    text = request_text(&owner);
    ck_assert_str_eq(text, GET_LINES "user-agent: default\naccept: mine\nx-some: mine\nx-some: mine too\n");
    /* and they are sent to those that have none of their own */
    owner_init(&owner, "/");
    owner.head.defaults = defaults;
    text = request_text(&owner);
    ck_assert_str_eq(text, GET_LINES "user-agent: default\naccept: default\nx-some: default\n");
    rqx_headers_free(defaults);
}
END_TEST

START_TEST(credentials_yield_to_an_authorization_of_the_request)
{
    struct rqx_headers *defaults = NULL;
    struct owner owner;

    add_field(&defaults, "Authorization", "default");
    owner_init(&owner, "/");
    owner.head.authorization = SLICE("Bearer token");
    owner.head.defaults = defaults;
    ck_assert_str_eq(request_text(&owner), GET_LINES "!authorization: Bearer token\n");
    owner_init(&owner, "/");
    owner.head.defaults = defaults;
    ck_assert_str_eq(request_text(&owner), GET_LINES "!authorization: default\n");
    owner_init(&owner, "/");
    owner.head.authorization = SLICE("Bearer token");
    owner.head.defaults = defaults;
    owner_field(&owner, "authorization", "Mine");
    ck_assert_str_eq(request_text(&owner), GET_LINES "!authorization: Mine\n");
    rqx_headers_free(defaults);
}
END_TEST

/* A list that is longer than the scratch array was so far. */
START_TEST(any_number_of_fields_is_sent)
{
    struct owner owner;
    char name[16];
    size_t lines = 0;
    const char *p;
    int i;

    owner_init(&owner, "/");
    for (i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "x-%d", i);
        owner_field(&owner, name, "v");
    }
    for (p = request_text(&owner); (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    ck_assert_uint_eq(lines, 304);
}
END_TEST

START_TEST(connect_has_neither_scheme_nor_path)
{
    struct owner owner;

    server.silent = true;
    owner_init(&owner, "ignored");
    owner.head.method = RQX__LIT("CONNECT");
    owner.head.authority = RQX__LIT("example.com:443");
    owner.head.has_body = true;
    owner.body_given = 0;
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(run(&server), 0);
    ck_assert_str_eq(server.log, ":method: CONNECT\n:authority: example.com:443\n");
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(owner.content_length, RQX_LENGTH_UNKNOWN);
    link.codec->ops->cancel(link.codec, &owner.stream, NGHTTP2_CANCEL);
}
END_TEST

/* RFC 9113 section 8.5: the directions of a tunnel end each for itself. */
START_TEST(a_tunnel_may_be_closed_by_half)
{
    struct owner owner;

    raw_greet(&link);
    owner_init(&owner, "");
    owner.head.method = RQX__LIT("CONNECT");
    owner.head.has_body = true;
    owner.body_left = 20;
    owner.body_given = 10;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_data(&link, 1, true, 5), 0);
    ck_assert_int_eq(owner.ends, 1);
    ck_assert_int_eq(owner.closes + owner.refusals, 0);
    owner.body_given = SIZE_MAX;
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 20);
    check_closed_well(&owner);
    ck_assert_uint_eq(link.codec->resets, 0);
    /* the connection's end is no error for the half that is done */
    owner_init(&owner, "");
    owner.head.method = RQX__LIT("CONNECT");
    owner.head.has_body = true;
    owner.body_given = 0;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 3, true, "200", NULL), 0);
    rqx__err_set(&link.err, RQX_ERR_READ, NULL);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed_well(&owner);
}
END_TEST

/* RFC 7541 section 4.2: the peer's table may shrink to nothing and grow again between two header sections. */
START_TEST(the_peers_table_size_is_obeyed)
{
    static const uint32_t sizes[] = {4096, 0, 100, 1 << 20, 0};
    struct owner owner;
    size_t i;
    size_t j;

    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, sizes[i]};

        ck_assert_int_eq(nghttp2_submit_settings(server.session, NGHTTP2_FLAG_NONE, &entry, 1), 0);
        ck_assert_int_eq(run(&server), 0);
        for (j = 0; j < 2; j++) {
            owner_init(&owner, "/");
            owner_field(&owner, "x-same", "value");
            ck_assert_str_eq(request_text(&owner), GET_LINES "x-same: value\n");
        }
    }
}
END_TEST

START_TEST(a_request_too_large_for_anybody_fails_alone)
{
    struct owner owner;
    struct owner other;
    struct rqx_headers list;
    struct rqx__field *field;
    static char value[5 * 1024 * 1024];

    memset(value, 'v', sizeof value - 1);
    owner_init(&owner, "/");
    owner_field(&owner, "x-large", "v");
    list = *owner.fields;
    field = &list.fields[0];
    field->value = value;
    field->value_len = sizeof value - 1;
    owner.head.fields = &list;
    owner_init(&other, "/");
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(link_submit(&link, &other), 0);
    ck_assert_int_eq(run(&server), 0);
    check_closed(&owner, RQX_ERR_HEADER_TOO_LARGE, RQX__CLOSE_UNPROCESSED | RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner.err.text, "request's header section too large");
    check_closed_well(&other);
    ck_assert_uint_eq(link_h2(&link)->wire_count, 0);
    owner_done(&owner);
}
END_TEST

/* ---- bodies of requests ---- */

START_TEST(a_body_is_sent)
{
    struct owner owner;

    owner_post(&owner, 5, 5);
    owner.body = "hello";
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 5\n");
    ck_assert_uint_eq(server.received, 5);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_DATA, 1)->flags, NGHTTP2_FLAG_END_STREAM);
    ck_assert_mem_eq(rqx__buf_head(&link.sent) + find_frame(&link, NGHTTP2_DATA, 1)->payload, "hello", 5);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_DATA, 1), 1);
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_int_eq(owner.refusals, 0);
}
END_TEST

START_TEST(a_body_of_unknown_length_has_no_content_length)
{
    struct owner owner;

    owner_post(&owner, 40000, RQX_LENGTH_UNKNOWN);
    owner.late_end = true;
    ck_assert_str_eq(request_text(&owner), POST_LINES);
    ck_assert_uint_eq(server.received, 40000);
}
END_TEST

START_TEST(an_empty_body_is_announced)
{
    struct owner owner;

    owner_post(&owner, 0, 0);
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 0\n");
    owner_post(&owner, 0, 0);
    owner.head.has_body = false;
    owner.head.send_zero_length = true;
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 0\n");
    owner_post(&owner, 0, 0);
    owner.head.has_body = false;
    owner_field(&owner, "content-length", "0");
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 0\n");
}
END_TEST

START_TEST(a_content_length_field_announces_a_body_of_unknown_length)
{
    struct owner owner;

    owner_post(&owner, 7, RQX_LENGTH_UNKNOWN);
    owner_field(&owner, "Content-Length", "7");
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 7\n");
    /* one that is no number is not sent */
    owner_post(&owner, 7, 7);
    owner_field(&owner, "Content-Length", "seven");
    ck_assert_str_eq(request_text(&owner), POST_LINES "content-length: 7\n");
}
END_TEST

START_TEST(a_content_length_field_that_contradicts_is_refused)
{
    struct owner owner;

    owner_post(&owner, 7, 7);
    owner_field(&owner, "Content-Length", "8");
    ck_assert_int_eq(link_submit(&link, &owner), RQX_ERR_REQUEST_LENGTH);
    owner.head.has_body = false;
    ck_assert_int_eq(link_submit(&link, &owner), RQX_ERR_REQUEST_LENGTH);
    ck_assert_uint_eq(link.codec->open_streams, 0);
    owner_done(&owner);
}
END_TEST

/* A body that has no bytes yet waits without being asked again, until it is resumed. */
START_TEST(a_body_waits_until_it_is_resumed)
{
    struct owner owner;
    size_t pulls;

    owner_post(&owner, 30, 30);
    owner.body_given = 0;
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    /* before it was asked there is nothing to resume */
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(run(&server), 0);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_DATA, 1), 0);
    pulls = owner.pulls;
    ck_assert_int_eq(run(&server), 0);
    ck_assert_uint_eq(owner.pulls, pulls);
    owner.body_given = 10;
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(run(&server), 0);
    ck_assert_uint_eq(server.received, 10);
    owner.body_given = SIZE_MAX;
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(run(&server), 0);
    ck_assert_uint_eq(server.received, 30);
    check_closed_well(&owner);
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
}
END_TEST

START_TEST(a_body_may_be_resumed_while_it_is_asked)
{
    struct owner owner;

    owner_post(&owner, 30, 30);
    owner.resumes = true;
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(run(&server), 0);
    ck_assert_uint_eq(server.received, 30);
    check_closed_well(&owner);
}
END_TEST

/* RFC 9113 section 8.1.1: a body that does not match content-length makes the request malformed. */
START_TEST(a_longer_body_is_cut_at_its_announced_length)
{
    struct owner owner;

    owner_post(&owner, 20001, 20000);
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(run(&server), 0);
    check_closed(&owner, RQX_ERR_REQUEST_LENGTH, RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner.err.text, "request body is longer than its content-length of 20000 bytes");
    ck_assert_uint_eq(server.received, 20000);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 1), 1);
    ck_assert_uint_eq(server.requests, 1);
    ck_assert_int_eq(owner.ends, 0);
    ck_assert_uint_eq(link_h2(&link)->uploads, 0);
}
END_TEST

START_TEST(a_shorter_body_is_an_error)
{
    struct owner owner;

    owner_post(&owner, 9, 10);
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(run(&server), 0);
    check_closed(&owner, RQX_ERR_REQUEST_LENGTH, RQX__CLOSE_NO_BYTES);
    ck_assert_str_eq(owner.err.text, "request body is shorter than its content-length of 10 bytes");
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_RST_STREAM, 1), 1);
}
END_TEST

START_TEST(a_body_that_fails_fails_its_stream)
{
    struct owner owner;

    owner_post(&owner, 9, 10);
    owner.fail_at = AT_PULL;
    ck_assert_int_eq(link_submit(&link, &owner), 0);
    ck_assert_int_eq(run(&server), 0);
    check_closed(&owner, RQX_ERR_NOMEM, RQX__CLOSE_NO_BYTES);
    ck_assert_uint_eq(count_frames(&link, NGHTTP2_DATA, 1), 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_INTERNAL_ERROR);
}
END_TEST

START_TEST(trailers_follow_a_body)
{
    struct owner owner;

    owner_post(&owner, 5, RQX_LENGTH_UNKNOWN);
    owner_field(&owner, "x-first", "1");
    owner_trailer(&owner, "X-Checksum", "abc");
    owner_trailer(&owner, "Connection", "close");
    ck_assert_str_eq(request_text(&owner), POST_LINES "x-first: 1\nx-checksum: abc\n");
    ck_assert_uint_eq(server.received, 5);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_DATA, 1)->flags, 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_HEADERS, 1)->flags, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM);
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_uint_eq(link_h2(&link)->uploads, 0);
}
END_TEST

START_TEST(trailers_are_sent_without_a_body_too)
{
    struct owner owner;

    owner_init(&owner, "/");
    owner_trailer(&owner, "X-Checksum", "abc");
    ck_assert_str_eq(request_text(&owner), GET_LINES "x-checksum: abc\n");
    ck_assert_uint_eq(owner.pulls, 0);
}
END_TEST

/* RFC 9110 section 10.1.1 */
START_TEST(a_body_waits_for_100_continue)
{
    struct owner owner;

    raw_greet(&link);
    owner_post(&owner, 5, 5);
    owner.head.expect_continue = true;
    owner_field(&owner, "Expect", "100-continue");
    raw_request(&link, &owner);
    ck_assert_uint_eq(owner.pulls, 0);
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(raw_headers(&link, 1, false, "103", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(owner.pulls, 0);
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), link.codec->now + 1000 * MS);
    ck_assert_int_eq(raw_headers(&link, 1, false, "100", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 5);
    ck_assert_int_eq(owner.interims, 2);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    check_closed_well(&owner);
    owner_done(&owner);
}
END_TEST

START_TEST(a_body_waits_for_100_continue_no_longer_than_told)
{
    struct owner owner;
    struct owner second;

    raw_greet(&link);
    owner_post(&owner, 5, 5);
    owner.head.expect_continue = true;
    raw_request(&link, &owner);
    link.codec->now += 10 * MS;
    owner_post(&second, 5, 5);
    second.head.expect_continue = true;
    raw_request(&link, &second);
    link.codec->now += 989 * MS;
    ck_assert_int_eq(link.codec->ops->tick(link.codec, &link.err), 0);
    ck_assert(!link.codec->ops->want_send(link.codec));
    link.codec->now += 1 * MS;
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), link.codec->now);
    ck_assert_int_eq(link.codec->ops->tick(link.codec, &link.err), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 5);
    ck_assert_uint_eq(second.pulls, 0);
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), link.codec->now + 10 * MS);
    ck_assert_int_eq(raw_headers(&link, 1, true, "200", NULL), 0);
    check_closed_well(&owner);
    link.codec->ops->cancel(link.codec, &second.stream, NGHTTP2_CANCEL);
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), RQX__NEVER);
}
END_TEST

START_TEST(a_final_answer_instead_of_100_continue_spares_the_body)
{
    struct owner owner;

    raw_greet(&link);
    owner_post(&owner, 5, 5);
    owner.head.expect_continue = true;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, true, "417", NULL), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(owner.refusals, 1);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 0);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_NO_ERROR);
    /* success wants the body, though */
    owner_post(&owner, 5, 5);
    owner.head.expect_continue = true;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 3, false, "200", NULL), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 3), 5);
    ck_assert_int_eq(raw_data(&link, 3, true, 0), 0);
    check_closed_well(&owner);
}
END_TEST

/* RFC 9113 section 8.1: a complete response before the end of the request. */
START_TEST(an_early_answer_stops_the_upload)
{
    struct owner owner;

    raw_greet(&link);
    owner_post(&owner, 1000, 1000);
    owner.body_given = 100;
    raw_request(&link, &owner);
    ck_assert_uint_eq(data_bytes(&link, 1), 100);
    ck_assert_int_eq(raw_headers(&link, 1, false, "413", NULL), 0);
    ck_assert_int_eq(owner.refusals, 0);
    ck_assert_int_eq(raw_data(&link, 1, true, 12), 0);
    check_closed_well(&owner);
    ck_assert_int_eq(owner.refusals, 1);
    ck_assert_int_eq(owner.sents, 0);
    ck_assert_uint_eq(owner.received, 12);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 100);
    ck_assert_uint_eq(find_frame(&link, NGHTTP2_RST_STREAM, 1)->word, NGHTTP2_NO_ERROR);
    ck_assert_uint_eq(link.codec->resets, 1);
    /* the peer's own RST_STREAM(NO_ERROR), on its way at that time, is answered by nothing */
    ck_assert_int_eq(raw_rst(&link, 1, NGHTTP2_NO_ERROR), 0);
    ck_assert(!link.codec->ops->want_send(link.codec));
}
END_TEST

/* Full duplex: the answer's body comes while the request's is still going out. */
START_TEST(both_bodies_flow_at_once)
{
    struct owner owner;

    raw_greet(&link);
    owner_post(&owner, 30, RQX_LENGTH_UNKNOWN);
    owner.body_given = 10;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    ck_assert_int_eq(raw_data(&link, 1, false, 5), 0);
    ck_assert_uint_eq(owner.received, 5);
    owner.body_given = 10;
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_uint_eq(data_bytes(&link, 1), 20);
    ck_assert_int_eq(raw_data(&link, 1, false, 5), 0);
    owner.body_given = SIZE_MAX;
    ck_assert_int_eq(link.codec->ops->resume_body(link.codec, &owner.stream), 0);
    ck_assert_int_eq(link_send(&link), 0);
    ck_assert_int_eq(owner.sents, 1);
    ck_assert_int_eq(raw_data(&link, 1, true, 5), 0);
    check_closed_well(&owner);
    ck_assert_uint_eq(owner.received, 15);
    ck_assert_int_eq(owner.refusals, 0);
    ck_assert_uint_eq(link.codec->resets, 0);
}
END_TEST

static Suite *h2_suite(void)
{
    Suite *suite = suite_create("h2");
    TCase *tcase;

    tcase = rqx_add_case(suite, "beginning");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, the_first_send_has_preface_settings_and_window);
    tcase_add_test(tcase, a_get_is_answered);
    tcase_add_test(tcase, a_request_goes_out_with_the_preface);
    tcase_add_test(tcase, many_streams_share_a_connection);
    tcase_add_test(tcase, the_limit_of_a_send_is_kept);

    tcase = rqx_add_case(suite, "fields");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, names_are_sent_in_lower_case);
    tcase_add_test(tcase, connection_specific_fields_are_left_out);
    tcase_add_test(tcase, proxy_credentials_end_at_the_tunnel);
    tcase_add_test(tcase, default_proxy_credentials_end_at_the_tunnel);
    tcase_add_test(tcase, errors_of_nghttp2_are_told_as_ours);
    tcase_add_test(tcase, te_without_trailers_is_left_out);
    tcase_add_test(tcase, secrets_are_never_indexed);
    tcase_add_test(tcase, cookies_are_sent_as_crumbs);
    tcase_add_test(tcase, defaults_yield_to_fields_of_the_request);
    tcase_add_test(tcase, credentials_yield_to_an_authorization_of_the_request);
    tcase_add_test(tcase, any_number_of_fields_is_sent);
    tcase_add_test(tcase, connect_has_neither_scheme_nor_path);
    tcase_add_test(tcase, a_tunnel_may_be_closed_by_half);
    tcase_add_test(tcase, the_peers_table_size_is_obeyed);
    tcase_add_test(tcase, a_request_too_large_for_anybody_fails_alone);

    tcase = rqx_add_case(suite, "request bodies");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_body_is_sent);
    tcase_add_test(tcase, a_body_of_unknown_length_has_no_content_length);
    tcase_add_test(tcase, an_empty_body_is_announced);
    tcase_add_test(tcase, a_content_length_field_announces_a_body_of_unknown_length);
    tcase_add_test(tcase, a_content_length_field_that_contradicts_is_refused);
    tcase_add_test(tcase, a_body_waits_until_it_is_resumed);
    tcase_add_test(tcase, a_body_may_be_resumed_while_it_is_asked);
    tcase_add_test(tcase, a_longer_body_is_cut_at_its_announced_length);
    tcase_add_test(tcase, a_shorter_body_is_an_error);
    tcase_add_test(tcase, a_body_that_fails_fails_its_stream);
    tcase_add_test(tcase, trailers_follow_a_body);
    tcase_add_test(tcase, trailers_are_sent_without_a_body_too);
    tcase_add_test(tcase, a_body_waits_for_100_continue);
    tcase_add_test(tcase, a_body_waits_for_100_continue_no_longer_than_told);
    tcase_add_test(tcase, a_final_answer_instead_of_100_continue_spares_the_body);
    tcase_add_test(tcase, an_early_answer_stops_the_upload);
    tcase_add_test(tcase, both_bodies_flow_at_once);
    return suite;
}

RQX_CHECK_MAIN(h2_suite)
