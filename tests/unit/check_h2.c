#include "h2_support.h"

START_TEST(a_get_is_answered)
{
    struct link link;
    struct server server;
    struct owner owner;

    link_init(&link);
    server_init(&server, &link, NULL, 0);
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
    ck_assert_uint_eq(link.codec->open_streams, 0);
    ck_assert_uint_eq(link.codec->resets, 0);
    ck_assert_int_eq(link.codec->ops->state(link.codec), RQX__CODEC_OPEN);
    owner_done(&owner);
    server_done(&server);
    link_done(&link);
}
END_TEST

static Suite *h2_suite(void)
{
    Suite *suite = suite_create("h2");
    TCase *tcase = rqx_add_case(suite, "messages");

    tcase_add_test(tcase, a_get_is_answered);
    return suite;
}

RQX_CHECK_MAIN(h2_suite)
