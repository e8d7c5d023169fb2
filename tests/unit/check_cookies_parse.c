/*
 * Set-Cookie fields, dates, and how domains and paths match: RFC 6265 sections 5.1 and 5.2, public suffixes.
 */
#include <string.h>

#include "base/str.h"
#include "http/cookies.h"
#include "http/psl.h"
#include "support.h"

#define NOW 1700000000

static rqx_slice text(const char *literal)
{
    return (rqx_slice){literal, strlen(literal)};
}

static void expect(rqx_slice got, const char *want)
{
    ck_assert_msg(rqx__eq(got.data, got.len, want, strlen(want)), "\"%.*s\" is not \"%s\"", (int)got.len, got.data,
                  want);
}

/* ---- dates: section 5.1.1 ---- */

static const struct {
    const char *text;
    int64_t time;
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"Sun Nov  6 08:49:37 1994", 784111777},
    {"06 Nov 1994 08:49:37", 784111777},
    {"08:49:37 6 November 1994", 784111777},
    {"1994 nOv 06 8:49:37", 784111777},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"1 Jan 69 0:0:0", 3124224000},
    {"1 Jan 70 0:0:0", 0},
    {"1 Jan 99 0:0:0", 915148800},
    {"1 Jan 00 0:0:0", 946684800},
    {"29 Feb 2000 23:59:59", 951868799},
    {"1 Jan 1601 0:0:0", -11644473600},
    {"31 Dec 9999 23:59:59", 253402300799},
    /* what follows a number that is no digit is passed over */
    {"06th Nov 1994x 08:49:37Z", 784111777},
    /* each token is the first thing that it can be and that is still wanted: a year may have two digits */
    {"06 07 Nov 1994 08:49:37 10:00:00", 1194338977},
};

START_TEST(a_date_is_read_in_any_order)
{
    int64_t time = 1;

    ck_assert_int_eq(rqx__cookie_date(text(dates[_i].text), &time), 0);
    ck_assert_int_eq(time, dates[_i].time);
}
END_TEST

static const char *const no_dates[] = {
    "",
    " ",
    "Sun, 06 Nov 1994",
    "06 Nov 08:49:37",
    "Nov 1994 08:49:37",
    "06 1994 08:49:37",
    "06 Nox 1994 08:49:37",
    "00 Nov 1994 08:49:37",
    "32 Nov 1994 08:49:37",
    "31 Nov 1994 08:49:37",
    "29 Feb 1900 08:49:37",
    "29 Feb 2001 08:49:37",
    "31 Feb 2024 08:49:37",
    "06 Nov 1600 08:49:37",
    "06 Nov 123 08:49:37",
    "06 Nov 19940 08:49:37",
    "06 Nov 1994 24:49:37",
    "06 Nov 1994 08:60:37",
    "06 Nov 1994 08:49:60",
    "06 Nov 1994 08:49",
    "06 Nov 1994 08:49:",
    "06 Nov 1994 108:49:37",
    "06 Nov 1994 08:49:377",
    "006 Nov 1994 08:49:37",
};

START_TEST(what_is_no_date_is_refused)
{
    int64_t time = 7;

    ck_assert_int_eq(rqx__cookie_date(text(no_dates[_i]), &time), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(time, 7);
}
END_TEST

/* ---- matching: sections 5.1.3 and 5.1.4 ---- */

START_TEST(a_domain_matches_itself_and_names_below)
{
    ck_assert(rqx__domain_match(text("example.com"), text("example.com")));
    ck_assert(rqx__domain_match(text("a.example.com"), text("example.com")));
    ck_assert(rqx__domain_match(text("a.b.example.com"), text("example.com")));
    ck_assert(!rqx__domain_match(text("example.com"), text("a.example.com")));
    ck_assert(!rqx__domain_match(text("badexample.com"), text("example.com")));
    ck_assert(!rqx__domain_match(text("example.com"), text("")));
    ck_assert(!rqx__domain_match(text("example.com.evil"), text("example.com")));
}
END_TEST

START_TEST(a_path_matches_itself_and_paths_below)
{
    ck_assert(rqx__path_match(text("/"), text("/")));
    ck_assert(rqx__path_match(text("/a"), text("/")));
    ck_assert(rqx__path_match(text("/a/b"), text("/a")));
    ck_assert(rqx__path_match(text("/a/b"), text("/a/")));
    ck_assert(rqx__path_match(text("/a"), text("/a")));
    ck_assert(!rqx__path_match(text("/ab"), text("/a")));
    ck_assert(!rqx__path_match(text("/a"), text("/a/")));
    ck_assert(!rqx__path_match(text("/A"), text("/a")));
    ck_assert(!rqx__path_match(text("/a"), text("")));
}
END_TEST

START_TEST(a_cookie_without_a_path_has_that_of_its_directory)
{
    expect(rqx__default_path(text("/a/b/c")), "/a/b");
    expect(rqx__default_path(text("/a/b/")), "/a/b");
    expect(rqx__default_path(text("/a")), "/");
    expect(rqx__default_path(text("/")), "/");
    expect(rqx__default_path(text("")), "/");
    expect(rqx__default_path(text("a/b")), "/");
}
END_TEST

/* ---- fields: section 5.2 ---- */

static struct rqx__set_cookie parse(const char *field)
{
    struct rqx__set_cookie cookie;

    ck_assert_msg(rqx__set_cookie_parse(text(field), NOW, &cookie) == 0, "%s", field);
    return cookie;
}

START_TEST(name_value_and_attributes_are_read)
{
    struct rqx__set_cookie cookie = parse(" SID = 31d4=d96e407aad42 ; Path=/a; Domain=.Example.COM;secure ;HTTPONLY; "
                                          "SameSite=lax; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Unknown=x; ;");

    expect(cookie.name, "SID");
    expect(cookie.value, "31d4=d96e407aad42");
    expect(cookie.path, "/a");
    expect(cookie.domain, "Example.COM");
    ck_assert(cookie.secure);
    ck_assert(cookie.http_only);
    ck_assert_int_eq(cookie.same_site, RQX_SAME_SITE_LAX);
    ck_assert_int_eq(cookie.expires, 784111777);
    cookie = parse("a=");
    expect(cookie.value, "");
    ck_assert_ptr_null(cookie.path.data);
    ck_assert_ptr_null(cookie.domain.data);
    ck_assert(!cookie.secure && !cookie.http_only);
    ck_assert_int_eq(cookie.same_site, RQX_SAME_SITE_DEFAULT);
    ck_assert_int_eq(cookie.expires, RQX_COOKIE_SESSION);
    expect(parse("a=\"x y\"").value, "\"x y\"");
    expect(parse("a=\xc3\xa9").value, "\xc3\xa9");
}
END_TEST

START_TEST(of_several_attributes_the_last_counts)
{
    struct rqx__set_cookie cookie = parse("a=b; Path=/x; Path=/y; Domain=a.com; Domain=b.com; SameSite=None; "
                                          "SameSite=Strict");

    expect(cookie.path, "/y");
    expect(cookie.domain, "b.com");
    ck_assert_int_eq(cookie.same_site, RQX_SAME_SITE_STRICT);
    ck_assert_ptr_null(parse("a=b; Path=/x; Path=y").path.data);
    ck_assert_ptr_null(parse("a=b; Domain=a.com; Domain=").domain.data);
    ck_assert_int_eq(parse("a=b; SameSite=None").same_site, RQX_SAME_SITE_NONE);
    ck_assert_int_eq(parse("a=b; SameSite=odd").same_site, RQX_SAME_SITE_DEFAULT);
}
END_TEST

START_TEST(max_age_wins_over_expires)
{
    ck_assert_int_eq(parse("a=b; Max-Age=10; Expires=Sun, 06 Nov 1994 08:49:37 GMT").expires, NOW + 10);
    ck_assert_int_eq(parse("a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=10").expires, NOW + 10);
    ck_assert_int_eq(parse("a=b; Max-Age=10; Max-Age=20").expires, NOW + 20);
    ck_assert_int_eq(parse("a=b; Max-Age=0").expires, INT64_MIN);
    ck_assert_int_eq(parse("a=b; Max-Age=-1").expires, INT64_MIN);
    ck_assert_int_eq(parse("a=b; Max-Age=9223372036854775807").expires, INT64_MAX - 1);
    ck_assert_int_eq(parse("a=b; Max-Age=99999999999999999999999").expires, INT64_MAX - 1);
    /* ignored where they are malformed */
    ck_assert_int_eq(parse("a=b; Max-Age=").expires, RQX_COOKIE_SESSION);
    ck_assert_int_eq(parse("a=b; Max-Age=-").expires, RQX_COOKIE_SESSION);
    ck_assert_int_eq(parse("a=b; Max-Age=1x").expires, RQX_COOKIE_SESSION);
    ck_assert_int_eq(parse("a=b; Max-Age=+1").expires, RQX_COOKIE_SESSION);
    ck_assert_int_eq(parse("a=b; Max-Age=x; Expires=Sun, 06 Nov 1994 08:49:37 GMT").expires, 784111777);
    ck_assert_int_eq(parse("a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT; Expires=never").expires, 784111777);
}
END_TEST

static const char *const ignored[] = {
    "",        "a",          ";a=b",        "=b",     " =b",    "; Path=/", "a\x01=b",
    "a=b\x7f", "a=b\r\nx=y", "a=b; P=\x02", "a\tb=c", "a=b\tc", "a=b\n",    "Secure; a=b",
};

START_TEST(a_field_that_is_no_cookie_is_ignored)
{
    struct rqx__set_cookie cookie = {.expires = 3};

    ck_assert_int_eq(rqx__set_cookie_parse(text(ignored[_i]), NOW, &cookie), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(cookie.expires, 3);
    ck_assert_int_eq(rqx__set_cookie_parse((rqx_slice){"a\0=b", 4}, NOW, &cookie), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(rqx__set_cookie_parse((rqx_slice){NULL, 0}, NOW, &cookie), RQX_ERR_INVALID_FIELD);
}
END_TEST

START_TEST(name_and_value_have_a_maximum_together)
{
    char field[RQX_COOKIE_MAX + 16];
    struct rqx__set_cookie cookie;

    memset(field, 'x', sizeof field);
    field[10] = '=';
    ck_assert_int_eq(rqx__set_cookie_parse((rqx_slice){field, RQX_COOKIE_MAX + 1}, NOW, &cookie), 0);
    ck_assert_uint_eq(cookie.name.len + cookie.value.len, RQX_COOKIE_MAX);
    ck_assert_int_lt(rqx__set_cookie_parse((rqx_slice){field, RQX_COOKIE_MAX + 2}, NOW, &cookie), 0);
    field[10] = 'x';
    field[RQX_COOKIE_MAX] = '=';
    ck_assert_int_eq(rqx__set_cookie_parse((rqx_slice){field, RQX_COOKIE_MAX + 1}, NOW, &cookie), 0);
    ck_assert_int_lt(rqx__set_cookie_parse((rqx_slice){field, RQX_COOKIE_MAX + 2}, NOW, &cookie), 0);
}
END_TEST

START_TEST(a_long_attribute_is_ignored)
{
    char field[RQX__COOKIE_ATTRIBUTE_MAX + 64];
    size_t start = strlen("a=b; Path=");
    struct rqx__set_cookie cookie;

    memset(field, 'x', sizeof field);
    memcpy(field, "a=b; Path=/", start + 1);
    ck_assert_int_eq(rqx__set_cookie_parse((rqx_slice){field, start + RQX__COOKIE_ATTRIBUTE_MAX}, NOW, &cookie), 0);
    ck_assert_uint_eq(cookie.path.len, RQX__COOKIE_ATTRIBUTE_MAX);
    ck_assert_int_eq(rqx__set_cookie_parse((rqx_slice){field, start + RQX__COOKIE_ATTRIBUTE_MAX + 1}, NOW, &cookie), 0);
    ck_assert_ptr_null(cookie.path.data);
}
END_TEST

/* ---- public suffixes ---- */

static bool is_suffix(const char *domain)
{
    return rqx_cookies_public_suffix(domain, strlen(domain)) == 1;
}

START_TEST(a_top_level_is_a_public_suffix)
{
    char longer[RQX__DOMAIN_MAX + 2];

    ck_assert(is_suffix("com"));
    ck_assert(is_suffix("COM"));
    ck_assert(is_suffix("com."));
    ck_assert(is_suffix("localhost"));
    ck_assert(!is_suffix("example.com"));
    ck_assert(!is_suffix("example.com."));
    ck_assert(!is_suffix("a.example.com"));
    /* what is no domain */
    ck_assert(is_suffix(""));
    ck_assert(is_suffix("."));
    ck_assert(is_suffix(".com"));
    ck_assert(is_suffix("example..com"));
    ck_assert(is_suffix("example.com.."));
    ck_assert(is_suffix("exa mple.com"));
    ck_assert(is_suffix("ex\xc3\xa4mple.com"));
    memset(longer, 'a', sizeof longer);
    longer[1] = '.';
    ck_assert_int_eq(rqx_cookies_public_suffix(longer, RQX__DOMAIN_MAX), 0);
    ck_assert_int_eq(rqx_cookies_public_suffix(longer, RQX__DOMAIN_MAX + 1), 1);
}
END_TEST

START_TEST(the_list_knows_what_registries_sell)
{
#ifdef HAVE_PSL
    ck_assert(is_suffix("co.uk"));
    ck_assert(is_suffix("CO.UK"));
    ck_assert(is_suffix("github.io"));
    ck_assert(is_suffix("anything.ck"));
    ck_assert(!is_suffix("www.ck"));
    ck_assert(is_suffix("xn--p1ai"));
    expect(rqx__psl_site(text("a.b.example.co.uk")), "example.co.uk");
    expect(rqx__psl_site(text("me.github.io")), "me.github.io");
    expect(rqx__psl_site(text("github.io")), "github.io");
    expect(rqx__psl_site(text("a.me.github.io")), "me.github.io");
#else
    ck_assert(!is_suffix("co.uk"));
    expect(rqx__psl_site(text("a.b.example.co.uk")), "co.uk");
#endif
    ck_assert(!is_suffix("example.co.uk"));
}
END_TEST

START_TEST(a_site_is_what_was_registered)
{
    char longer[RQX__DOMAIN_MAX + 2];

    expect(rqx__psl_site(text("www.example.com")), "example.com");
    expect(rqx__psl_site(text("example.com")), "example.com");
    expect(rqx__psl_site(text("www.example.com.")), "example.com.");
    expect(rqx__psl_site(text("com")), "com");
    expect(rqx__psl_site(text("localhost")), "localhost");
    expect(rqx__psl_site(text("127.0.0.1")), "127.0.0.1");
    expect(rqx__psl_site(text("1.2.3.4")), "1.2.3.4");
    expect(rqx__psl_site(text("::1")), "::1");
    expect(rqx__psl_site(text("")), "");
    memset(longer, 'a', sizeof longer);
    ck_assert_uint_eq(rqx__psl_site((rqx_slice){longer, sizeof longer}).len, sizeof longer);
}
END_TEST

static Suite *cookies_parse_suite(void)
{
    Suite *suite = suite_create("cookies: fields");
    TCase *date = rqx_add_case(suite, "dates");
    TCase *match = rqx_add_case(suite, "matching");
    TCase *field = rqx_add_case(suite, "fields");
    TCase *psl = rqx_add_case(suite, "public suffixes");

    tcase_add_loop_test(date, a_date_is_read_in_any_order, 0, sizeof dates / sizeof dates[0]);
    tcase_add_loop_test(date, what_is_no_date_is_refused, 0, sizeof no_dates / sizeof no_dates[0]);
    tcase_add_test(match, a_domain_matches_itself_and_names_below);
    tcase_add_test(match, a_path_matches_itself_and_paths_below);
    tcase_add_test(match, a_cookie_without_a_path_has_that_of_its_directory);
    tcase_add_test(field, name_value_and_attributes_are_read);
    tcase_add_test(field, of_several_attributes_the_last_counts);
    tcase_add_test(field, max_age_wins_over_expires);
    tcase_add_loop_test(field, a_field_that_is_no_cookie_is_ignored, 0, sizeof ignored / sizeof ignored[0]);
    tcase_add_test(field, name_and_value_have_a_maximum_together);
    tcase_add_test(field, a_long_attribute_is_ignored);
    tcase_add_test(psl, a_top_level_is_a_public_suffix);
    tcase_add_test(psl, the_list_knows_what_registries_sell);
    tcase_add_test(psl, a_site_is_what_was_registered);
    return suite;
}

RQX_CHECK_MAIN(cookies_parse_suite)
