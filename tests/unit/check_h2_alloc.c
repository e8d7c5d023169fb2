/*
 * The HTTP/2 codec when memory runs out: each allocation of a whole scenario fails once, and once with all that follow.
 */
#include "h2_support.h"

#ifdef RQX_TEST_ALLOC

#define OWNERS 6

struct scenario {
    struct link link;
    struct owner owners[OWNERS];
    bool submitted[OWNERS];
    bool cancelled[OWNERS];
    int rv; /* the first result that was negative */
};

static void scenario_init(struct scenario *s)
{
    size_t i;

    memset(s, 0, sizeof *s);
    link_config(&s->link);
    for (i = 0; i < OWNERS; i++)
        owner_post(&s->owners[i], i * 30000, RQX_LENGTH_UNKNOWN);
    owner_init(&s->owners[0], "/");
    owner_field(&s->owners[0], "Cookie", "a=1; b=2");
    for (i = 0; i < 40; i++)
        owner_field(&s->owners[0], "X-Many", "v");
    owner_trailer(&s->owners[2], "X-Trailer", "v");
    s->owners[3].head.expect_continue = true;
    s->owners[4].body_given = 100;
}

static void scenario_done(struct scenario *s)
{
    size_t i;

    for (i = 0; i < OWNERS; i++)
        owner_done(&s->owners[i]);
    link_done(&s->link);
}

static bool note_result(struct scenario *s, int rv)
{
    if (rv < 0 && s->rv == 0)
        s->rv = rv;
    return s->rv == 0;
}

/* Sends everything into a buffer that is thrown away. */
static bool flush(struct scenario *s)
{
    struct rqx__codec *codec = s->link.codec;
    bool more = true;
    int rv = 0;

    while (rv == 0 && more && codec->ops->want_send(codec)) {
        struct rqx__buf out;

        rqx__buf_init(&out, SIZE_MAX);
        rv = codec->ops->send(codec, &out, 60000, &s->link.err);
        more = out.len != 0;
        rqx__buf_done(&out);
    }
    return note_result(s, rv);
}

static bool submit_all(struct scenario *s)
{
    size_t i;

    for (i = 0; i < OWNERS; i++) {
        if (!note_result(s, link_submit(&s->link, &s->owners[i])))
            return false;
        s->submitted[i] = true;
    }
    return flush(s);
}

static bool answer(struct scenario *s, int32_t id)
{
    static const char *const fields[] = {"x-response", "a value that is longer than those that fit anywhere", NULL};

    return note_result(s, raw_headers(&s->link, id, false, "200", fields)) &&
           note_result(s, raw_data(&s->link, id, false, 16384)) && note_result(s, raw_data(&s->link, id, true, 10)) &&
           flush(s);
}

static bool play(struct scenario *s)
{
    int i;

    if (!note_result(s, rqx__h2_new(&s->link.config, &s->link.codec)))
        return false;
    s->link.codec->now = 1000 * MS;
    if (!flush(s) || !note_result(s, raw_settings(&s->link, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20)) ||
        !note_result(s, raw_settings_ack(&s->link)) ||
        !note_result(s, raw_word(&s->link, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20)))
        return false;
    if (!submit_all(s) || !answer(s, 1))
        return false;
    s->link.codec->now += 2000 * MS;
    if (!note_result(s, s->link.codec->ops->tick(s->link.codec, &s->link.err)) || !flush(s))
        return false;
    s->owners[4].body_given = SIZE_MAX;
    if (!note_result(s, s->link.codec->ops->resume_body(s->link.codec, &s->owners[4].stream)) || !flush(s))
        return false;
    s->cancelled[5] = s->owners[5].closes == 0;
    s->link.codec->ops->cancel(s->link.codec, &s->owners[5].stream, NGHTTP2_CANCEL);
    for (i = 0; i < 40; i++) {
        if (!note_result(s, raw_data(&s->link, 3, false, i == 0 ? 0 : 16384)) || !flush(s))
            return false;
    }
    s->link.codec->now += 20000 * MS;
    if (!note_result(s, s->link.codec->ops->tick(s->link.codec, &s->link.err)) || !flush(s) || !answer(s, 5))
        return false;
    s->link.codec->ops->shutdown(s->link.codec);
    return flush(s) && note_result(s, raw(&s->link, NGHTTP2_PING, 0, 1, "12345678", 8));
}

static unsigned long run_with(unsigned long n, int sticky)
{
    struct scenario s;
    unsigned long count;
    size_t i;

    scenario_init(&s);
    rqx__mem_fail_at(n, sticky);
    play(&s);
    if (s.link.codec != NULL) {
        if (s.link.err.code == 0)
            rqx__err_set(&s.link.err, s.rv == 0 ? RQX_ERR_READ : s.rv, NULL);
        s.link.codec->ops->fail(s.link.codec, &s.link.err);
        flush(&s);
    }
    count = rqx__mem_count();
    rqx__mem_fail_at(0, 0);
    for (i = 0; i < OWNERS; i++)
        ck_assert_int_eq(s.owners[i].closes, s.submitted[i] && !s.cancelled[i] ? 1 : 0);
    if (n != 0 && n <= count && s.rv < 0 && s.rv != RQX_ERR_PROTOCOL)
        ck_assert_str_eq(rqx_error_name(s.rv), "RQX_ERR_NOMEM");
    scenario_done(&s);
    return count;
}

START_TEST(each_allocation_may_fail)
{
    unsigned long total = run_with(0, 0);
    unsigned long n;

    ck_assert_uint_gt(total, 50);
    for (n = 1; n <= total; n++) {
        run_with(n, 0);
        run_with(n, 1);
    }
}
END_TEST

/* Where a call cannot tell, the next one does. */
START_TEST(a_failure_inside_cancel_is_told_later)
{
    struct link link;
    struct owner owner;

    link_init(&link);
    raw_greet(&link);
    owner_init(&owner, "/");
    raw_request(&link, &owner);
    rqx__mem_fail_at(1, 0);
    link.codec->ops->cancel(link.codec, &owner.stream, NGHTTP2_CANCEL);
    rqx__mem_fail_at(0, 0);
    ck_assert_ptr_null(owner.stream.codec);
    ck_assert(link.codec->ops->want_send(link.codec));
    ck_assert_uint_eq(link.codec->ops->next_deadline(link.codec), link.codec->now);
    ck_assert_int_eq(link_submit(&link, &owner), RQX_AGAIN);
    ck_assert_int_eq(link_send(&link), RQX_ERR_NOMEM);
    ck_assert_int_eq(link.err.code, RQX_ERR_NOMEM);
    ck_assert(!link.codec->ops->want_send(link.codec));
    ck_assert_int_eq(link_send(&link), 0);
    link.codec->ops->fail(link.codec, &link.err);
    link_done(&link);
}
END_TEST

static int tick_fails(struct link *link)
{
    return link->codec->ops->tick(link->codec, &link->err);
}

static int ping_fails(struct link *link)
{
    return raw(link, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static int settings_fail(struct link *link)
{
    return raw_settings(link, 0, 0);
}

static int shutdown_fails(struct link *link)
{
    link->codec->ops->shutdown(link->codec);
    return link->codec->ops->tick(link->codec, &link->err);
}

static int credit_fails(struct link *link)
{
    link->codec->ops->consumed(link->codec, &RQX__OF(link_h2(link)->active.next, struct owner, stream.node)->stream,
                               200000);
    return link->codec->ops->tick(link->codec, &link->err);
}

static int (*const failing[])(struct link *) = {tick_fails, ping_fails, settings_fail, shutdown_fails, credit_fails};

START_TEST(each_frame_of_our_own_may_fail)
{
    struct link link;
    struct owner owner;
    int rv;
    int i;

    link_init(&link);
    raw_greet(&link);
    owner_init(&owner, "/");
    owner.holds = true;
    raw_request(&link, &owner);
    ck_assert_int_eq(raw_headers(&link, 1, false, "200", NULL), 0);
    for (i = 0; i < 14; i++)
        ck_assert_int_eq(raw_data(&link, 1, false, 16384), 0);
    link.codec->now += 20000 * MS;
    rqx__mem_fail_at(1, 1);
    rv = failing[_i](&link);
    rqx__mem_fail_at(0, 0);
    ck_assert_str_eq(rqx_error_name(rv), "RQX_ERR_NOMEM");
    ck_assert_int_eq(link.err.code, RQX_ERR_NOMEM);
    link.codec->ops->fail(link.codec, &link.err);
    check_closed(&owner, RQX_ERR_NOMEM, 0);
    link_done(&link);
}
END_TEST

#endif

static Suite *h2_alloc_suite(void)
{
    Suite *suite = suite_create("h2_alloc");
    TCase *tcase = rqx_add_case(suite, "allocation");

#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, each_allocation_may_fail);
    tcase_add_test(tcase, a_failure_inside_cancel_is_told_later);
    tcase_add_loop_test(tcase, each_frame_of_our_own_may_fail, 0, (int)(sizeof failing / sizeof failing[0]));
#endif
    return suite;
}

RQX_CHECK_MAIN(h2_alloc_suite)
