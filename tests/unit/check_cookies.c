/*
 * The jar: RFC 6265 sections 5.3 and 5.4, its limits, Netscape's format, and memory that runs out.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/cookies.h"
#include "support.h"

#define NOW 1700000000
#define ANY ((rqx_slice){NULL, 0})

static rqx_slice text(const char *literal)
{
    return (rqx_slice){literal, strlen(literal)};
}

static rqx_cookies *new_jar(void)
{
    rqx_cookies *jar = NULL;

    ck_assert_int_eq(rqx_cookies_new(&jar), 0);
    return jar;
}

static rqx_url *parse_url(const char *literal)
{
    rqx_url *url = NULL;

    ck_assert_int_eq(rqx_url_parse(literal, strlen(literal), NULL, &url), 0);
    return url;
}

static int set_at(rqx_cookies *jar, const char *from, const char *field, int64_t now)
{
    rqx_url *url = parse_url(from);
    int rv = rqx_cookies_set_from(jar, url, field, strlen(field), now);

    rqx_url_unref(url);
    return rv;
}

static int set(rqx_cookies *jar, const char *from, const char *field)
{
    return set_at(jar, from, field, NOW);
}

/* What the jar sends, "" for nothing; in memory of the next call. */
static const char *sent_at(rqx_cookies *jar, const char *to, int64_t now)
{
    static char *value;
    rqx_url *url = parse_url(to);

    rqx_free(value);
    value = NULL;
    ck_assert_int_eq(rqx_cookies_field(jar, url, now, &value), 0);
    rqx_url_unref(url);
    return value == NULL ? "" : value;
}

static void expect(rqx_cookies *jar, const char *to, const char *want)
{
    ck_assert_str_eq(sent_at(jar, to, NOW), want);
}

/* ---- where cookies go ---- */

START_TEST(a_cookie_goes_back_to_its_host)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1"), 1);
    expect(jar, "http://www.example.com/", "a=1");
    expect(jar, "https://www.example.com:8443/x", "a=1");
    expect(jar, "http://example.com/", "");
    expect(jar, "http://a.www.example.com/", "");
    expect(jar, "http://www.example.org/", "");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(a_domain_widens_it)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=.EXAMPLE.com"), 1);
    expect(jar, "http://example.com/", "a=1");
    expect(jar, "http://www.example.com/", "a=1");
    expect(jar, "http://a.b.example.com/", "a=1");
    expect(jar, "http://badexample.com/", "");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(foreign_domains_are_refused)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=other.com"), 0);
    ck_assert_int_eq(set(jar, "http://example.com/", "a=1; Domain=www.example.com"), 0);
    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=ample.com"), 0);
    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=xwww.example.com"), 0);
    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=example.com."), 0);
    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=..example.com"), 0);
    ck_assert_int_eq(set(jar, "http://www.example.com/", "a=1; Domain=ex\xc3\xa4mple.com"), 0);
    ck_assert_uint_eq(rqx_cookies_count(jar), 0);
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(public_suffixes_are_refused)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://a.example.com/", "a=1; Domain=com"), 0);
#ifdef HAVE_PSL
    ck_assert_int_eq(set(jar, "http://a.co.uk/", "a=1; Domain=co.uk"), 0);
    ck_assert_int_eq(set(jar, "http://a.co.uk/", "a=1; Domain=.CO.UK"), 0);
    ck_assert_int_eq(set(jar, "http://a.co.uk/", "a=1; Domain=com"), 0);
    ck_assert_int_eq(set(jar, "http://a.co.uk/", "a=1; Domain=github.io"), 0);
    ck_assert_int_eq(set(jar, "http://me.github.io/", "a=1; Domain=github.io"), 0);
    ck_assert_uint_eq(rqx_cookies_count(jar), 0);
    /* of a public suffix itself it is a cookie for that host alone (section 5.3 step 5) */
    ck_assert_int_eq(set(jar, "http://github.io/", "a=1; Domain=github.io"), 1);
    expect(jar, "http://github.io/", "a=1");
    expect(jar, "http://me.github.io/", "");
    /* nor is one set across a suffix: "s3.amazonaws.com" is one, "amazonaws.com" is none */
    ck_assert_int_eq(set(jar, "http://me.s3.amazonaws.com/", "a=1; Domain=amazonaws.com"), 0);
    ck_assert_int_eq(set(jar, "http://s3.amazonaws.com/", "a=1; Domain=amazonaws.com"), 0);
    ck_assert_int_eq(set(jar, "http://a.me.s3.amazonaws.com/", "a=3; Domain=me.s3.amazonaws.com"), 1);
    expect(jar, "http://me.s3.amazonaws.com/", "a=3");
#endif
    /* a name with an empty label is no domain, and has none above it */
    ck_assert_int_eq(set(jar, "http://a..example.com/", "a=1; Domain=example.com"), 0);
    ck_assert_int_eq(set(jar, "http://localhost/", "a=2; Domain=localhost"), 1);
    expect(jar, "http://localhost/", "a=2");
    expect(jar, "http://b.localhost/", "");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(addresses_have_nothing_below_them)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://127.0.0.1/", "a=1; Domain=127.0.0.1"), 1);
    ck_assert_int_eq(set(jar, "http://127.0.0.1/", "b=1; Domain=0.0.1"), 0);
    ck_assert_int_eq(set(jar, "http://[::1]/", "c=1"), 1);
    expect(jar, "http://127.0.0.1/", "a=1");
    expect(jar, "http://[::1]/", "c=1");
    expect(jar, "http://0.0.1/", "");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(paths_limit_it)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://a.com/x/y/z", "deep=1"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/x/y/z", "top=1; Path=/"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/x/y/z", "x=1; Path=/x"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/x/y/z", "other=1; Path=/other"), 1);
    /* longer paths first */
    expect(jar, "http://a.com/x/y/q?z", "deep=1; x=1; top=1");
    expect(jar, "http://a.com/x/y", "deep=1; x=1; top=1");
    expect(jar, "http://a.com/x/yy", "x=1; top=1");
    expect(jar, "http://a.com", "top=1");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(secure_cookies_want_tls)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://a.com/", "a=1; Secure"), 0);
    ck_assert_int_eq(set(jar, "https://a.com/", "a=1; Secure"), 1);
    expect(jar, "http://a.com/", "");
    expect(jar, "https://a.com/", "a=1");
    rqx_cookies_unref(jar);
}
END_TEST

/* RFC 6265bis section 5.7 */
START_TEST(secure_cookies_are_left_alone_in_clear)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "https://www.a.com/x/y", "a=1; Secure; Path=/x; Domain=a.com"), 1);
    ck_assert_int_eq(set(jar, "http://www.a.com/", "a=2; Path=/x; Domain=a.com"), 0);
    ck_assert_int_eq(set(jar, "http://www.a.com/", "a=2; Path=/x/y"), 0);
    ck_assert_int_eq(set(jar, "http://a.com/", "a=2; Path=/x"), 0);
    ck_assert_int_eq(set(jar, "http://b.www.a.com/", "a=2; Path=/x"), 0);
    /* these hide nothing */
    ck_assert_int_eq(set(jar, "http://www.a.com/", "b=2; Path=/x"), 1);
    ck_assert_int_eq(set(jar, "http://www.a.com/", "a=3; Path=/"), 1);
    expect(jar, "https://www.a.com/x/", "a=1; b=2; a=3");
    ck_assert_int_eq(set(jar, "https://www.a.com/", "a=4; Path=/x; Domain=a.com"), 1);
    expect(jar, "http://www.a.com/x/", "a=4; b=2; a=3");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(prefixes_keep_their_promise)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "https://a.com/", "__Secure-a=1"), 0);
    ck_assert_int_eq(set(jar, "http://a.com/", "__Secure-a=1; Secure"), 0);
    ck_assert_int_eq(set(jar, "https://a.com/", "__SECURE-a=1"), 0);
    ck_assert_int_eq(set(jar, "https://a.com/", "__Host-a=1; Path=/"), 0);
    ck_assert_int_eq(set(jar, "https://a.com/", "__Host-a=1; Secure"), 0);
    ck_assert_int_eq(set(jar, "https://a.com/", "__Host-a=1; Secure; Path=/x"), 0);
    ck_assert_int_eq(set(jar, "https://a.com/", "__host-a=1; Secure; Path=/; Domain=a.com"), 0);
    ck_assert_int_eq(set(jar, "http://a.com/", "__Host-a=1; Secure; Path=/"), 0);
    ck_assert_uint_eq(rqx_cookies_count(jar), 0);
    ck_assert_int_eq(set(jar, "https://www.a.com/", "__Secure-a=1; Secure; Domain=a.com"), 1);
    ck_assert_int_eq(set(jar, "https://www.a.com/", "__Host-a=2; Secure; Path=/"), 1);
    ck_assert_int_eq(set(jar, "https://www.a.com/", "__Hos=3"), 1);
    expect(jar, "https://www.a.com/", "__Secure-a=1; __Host-a=2; __Hos=3");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(a_url_without_a_host_has_no_cookies)
{
    rqx_cookies *jar = new_jar();
    char longer[RQX_URL_MAX];

    ck_assert_int_eq(set(jar, "/relative", "a=1"), 0);
    expect(jar, "/relative", "");
    strcpy(longer, "http://");
    memset(longer + 7, 'a', 256);
    strcpy(longer + 7 + 256, "/");
    ck_assert_int_eq(set(jar, longer, "a=1"), 0);
    expect(jar, longer, "");
    /* nor has one whose host could be no cookie's domain */
    ck_assert_int_eq(set(jar, "http://a;b.example/", "a=1"), 0);
    ck_assert_int_eq(set(jar, "http://.www.example.com/", "a=1; Domain=example.com"), 0);
    expect(jar, "http://.www.example.com/", "");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(a_path_too_long_is_refused)
{
    rqx_cookies *jar = new_jar();
    char url[RQX_COOKIE_PATH_MAX + 32] = "http://a.com/";
    size_t start = strlen("http://a.com");

    memset(url + start + 1, 'p', RQX_COOKIE_PATH_MAX);
    strcpy(url + start + RQX_COOKIE_PATH_MAX, "/");
    ck_assert_int_eq(set(jar, url, "a=1"), 1);
    expect(jar, url, "a=1");
    strcpy(url + start + RQX_COOKIE_PATH_MAX, "p/");
    ck_assert_int_eq(set(jar, url, "b=1"), 0);
    rqx_cookies_unref(jar);
}
END_TEST

/* ---- how long they stay ---- */

START_TEST(a_newer_one_replaces_and_keeps_the_age)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://a.com/", "a=1"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/", "b=1"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/", "a=2"), 1);
    expect(jar, "http://a.com/", "a=2; b=1");
    ck_assert_uint_eq(rqx_cookies_count(jar), 2);
    /* another domain or path is another cookie; names have a case */
    ck_assert_int_eq(set(jar, "http://a.com/", "a=3; Domain=a.com"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/", "A=4"), 1);
    expect(jar, "http://a.com/", "a=2; b=1; a=3; A=4");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(expired_cookies_are_neither_sent_nor_kept)
{
    rqx_cookies *jar = new_jar();

    ck_assert_int_eq(set(jar, "http://a.com/", "a=1; Max-Age=10"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/", "b=1; Max-Age=20"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/", "c=1"), 1);
    ck_assert_str_eq(sent_at(jar, "http://a.com/", NOW + 9), "a=1; b=1; c=1");
    ck_assert_str_eq(sent_at(jar, "http://a.com/", NOW + 10), "b=1; c=1");
    ck_assert_uint_eq(rqx_cookies_count(jar), 2);
    ck_assert_str_eq(sent_at(jar, "http://a.com/", NOW + 1000), "c=1");
    /* that is how a server deletes */
    ck_assert_int_eq(set(jar, "http://a.com/", "c=; Max-Age=0"), 1);
    ck_assert_int_eq(set(jar, "http://a.com/", "d=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), 0);
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(a_site_has_a_maximum)
{
    rqx_cookies *jar = new_jar();
    rqx_slice name;
    rqx_cookie *found = NULL;
    char field[64];
    int i;

    ck_assert_int_eq(set(jar, "https://www.a.com/", "safe=1; Secure"), 1);
    for (i = 1; i < RQX_COOKIES_PER_SITE; i++) {
        snprintf(field, sizeof field, "n%d=1; Max-Age=%d", i, i == 50 ? 5 : 1000);
        /* names below do not make room for more */
        ck_assert_int_eq(set(jar, i % 2 ? "http://www.a.com/" : "http://b.a.com/", field), 1);
    }
    ck_assert_int_eq(set(jar, "http://other.com/", "x=1"), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), RQX_COOKIES_PER_SITE + 1);
    ck_assert_str_ne(sent_at(jar, "http://www.a.com/", NOW), ""); /* the odd ones are used later than the even ones */
    /* an expired one goes first */
    ck_assert_int_eq(set_at(jar, "http://c.a.com/", "new1=1", NOW + 6), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), RQX_COOKIES_PER_SITE + 1);
    name = text("n50");
    ck_assert_int_eq(rqx_cookies_get(jar, name, ANY, ANY, NOW, &found), 0);
    name = text("n2");
    ck_assert_int_eq(rqx_cookies_get(jar, name, ANY, ANY, NOW, &found), 1);
    rqx_free(found);
    /* then the one that was used longest ago and is not secure */
    ck_assert_int_eq(set_at(jar, "http://c.a.com/", "new2=1", NOW + 6), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), RQX_COOKIES_PER_SITE + 1);
    ck_assert_int_eq(rqx_cookies_get(jar, name, ANY, ANY, NOW, &found), 0);
    name = text("safe");
    ck_assert_int_eq(rqx_cookies_get(jar, name, ANY, ANY, NOW, &found), 1);
    rqx_free(found);
    expect(jar, "http://other.com/", "x=1");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(a_jar_has_a_maximum)
{
    rqx_cookies *jar = new_jar();
    char url[64];
    int i;

    for (i = 0; i < RQX_COOKIES_TOTAL; i++) {
        snprintf(url, sizeof url, "http://host%d.com/", i);
        ck_assert_int_eq(set(jar, url, i == 7 ? "a=1; Max-Age=5" : "a=1"), 1);
    }
    expect(jar, "http://host0.com/", "a=1");
    ck_assert_int_eq(set_at(jar, "http://more1.com/", "a=1", NOW + 6), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), RQX_COOKIES_TOTAL);
    expect(jar, "http://host7.com/", "");
    expect(jar, "http://host1.com/", "a=1");
    ck_assert_int_eq(set_at(jar, "http://more2.com/", "a=1", NOW + 6), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), RQX_COOKIES_TOTAL);
    expect(jar, "http://host2.com/", "");
    expect(jar, "http://host0.com/", "a=1");
    expect(jar, "http://host1.com/", "a=1");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(a_field_has_a_maximum)
{
    rqx_cookies *jar = new_jar();
    char field[RQX_COOKIE_MAX + 8];
    size_t len;
    int i;

    for (i = 0; i < 10; i++) {
        memset(field, 'v', sizeof field);
        field[0] = (char)('a' + i);
        field[1] = '=';
        field[RQX_COOKIE_MAX + 1] = '\0';
        ck_assert_int_eq(set(jar, "http://a.com/", field), 1);
    }
    len = strlen(sent_at(jar, "http://a.com/", NOW));
    ck_assert_uint_le(len, RQX_COOKIES_FIELD_MAX);
    ck_assert_uint_eq(len, 7 * (RQX_COOKIE_MAX + 3) - 2);
    rqx_cookies_unref(jar);
}
END_TEST

/* ---- by hand ---- */

static rqx_cookie cookie_of(const char *name, const char *value, const char *domain, const char *path)
{
    return (rqx_cookie){.name = text(name),
                        .value = text(value),
                        .domain = text(domain),
                        .path = text(path),
                        .expires = RQX_COOKIE_SESSION};
}

START_TEST(cookies_are_set_found_and_removed)
{
    rqx_cookies *jar = new_jar();
    rqx_cookie cookie = cookie_of("a", "1", "Example.com", "/");
    rqx_cookie *found = NULL;
    rqx_cookie *all = NULL;
    size_t count = 7;

    ck_assert_int_eq(rqx_cookies_all(jar, NOW, &all, &count), 0);
    ck_assert_ptr_null(all);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(rqx_cookies_set(jar, &cookie, NOW), 0);
    cookie = cookie_of("a", "2", "localhost", "/x");
    cookie.host_only = cookie.secure = cookie.http_only = 1;
    cookie.same_site = RQX_SAME_SITE_STRICT;
    cookie.expires = NOW + 5;
    ck_assert_int_eq(rqx_cookies_set(jar, &cookie, NOW), 0);
    expect(jar, "http://www.example.com/", "a=1");

    ck_assert_int_eq(rqx_cookies_get(jar, text("a"), ANY, ANY, NOW, &found), 1);
    ck_assert_str_eq(found->value.data, "1");
    ck_assert_str_eq(found->domain.data, "example.com");
    rqx_free(found);
    ck_assert_int_eq(rqx_cookies_get(jar, text("a"), text("LOCALHOST"), text("/x"), NOW, &found), 1);
    ck_assert_str_eq(found->name.data, "a");
    ck_assert_str_eq(found->value.data, "2");
    ck_assert_str_eq(found->path.data, "/x");
    ck_assert(found->host_only && found->secure && found->http_only);
    ck_assert_int_eq(found->same_site, RQX_SAME_SITE_STRICT);
    ck_assert_int_eq(found->expires, NOW + 5);
    rqx_free(found);
    ck_assert_int_eq(rqx_cookies_get(jar, text("a"), ANY, text("/y"), NOW, &found), 0);
    ck_assert_int_eq(rqx_cookies_get(jar, text("A"), ANY, ANY, NOW, &found), 0);
    ck_assert_int_eq(rqx_cookies_get(jar, text("a"), text("localhost"), ANY, NOW + 5, &found), 0);

    ck_assert_uint_eq(rqx_cookies_delete(jar, text("b"), ANY, ANY), 0);
    ck_assert_uint_eq(rqx_cookies_delete(jar, text("a"), ANY, ANY), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), 0);
    ck_assert_int_eq(set(jar, "http://a.com/", "a=1"), 1);
    ck_assert_int_eq(set(jar, "http://b.com/", "a=1"), 1);
    ck_assert_uint_eq(rqx_cookies_delete(jar, ANY, text("a.com"), ANY), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), 1);
    rqx_cookies_clear(jar);
    ck_assert_uint_eq(rqx_cookies_count(jar), 0);
    ck_assert_int_eq(set(jar, "http://b.com/", "a=1"), 1);
    rqx_cookies_unref(rqx_cookies_ref(jar));
    expect(jar, "http://b.com/", "a=1");
    rqx_cookies_unref(jar);
    rqx_cookies_unref(NULL);
}
END_TEST

START_TEST(all_cookies_come_by_age)
{
    rqx_cookies *jar = new_jar();
    rqx_cookie *all = NULL;
    size_t count = 0;
    char text_of[64];
    size_t i;

    for (i = 0; i < 100; i++) {
        snprintf(text_of, sizeof text_of, "http://h%zu.com/", i * 37 % 100);
        ck_assert_int_eq(set(jar, text_of, "a=1"), 1);
    }
    for (i = 0; i < 100; i += 3) {
        snprintf(text_of, sizeof text_of, "http://h%zu.com/", i);
        expect(jar, text_of, "a=1"); /* use does not change their age */
    }
    ck_assert_int_eq(rqx_cookies_all(jar, NOW, &all, &count), 0);
    ck_assert_uint_eq(count, 100);
    for (i = 0; i < 100; i++) {
        snprintf(text_of, sizeof text_of, "h%zu.com", i * 37 % 100);
        ck_assert_str_eq(all[i].domain.data, text_of);
    }
    rqx_free(all);
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(what_cannot_be_sent_is_refused)
{
    rqx_cookies *jar = new_jar();
    char longer[RQX_COOKIE_MAX + 2];
    const rqx_cookie bad[] = {
        cookie_of("", "1", "a.com", "/"),
        cookie_of("a=b", "1", "a.com", "/"),
        cookie_of("a;b", "1", "a.com", "/"),
        cookie_of(" a", "1", "a.com", "/"),
        cookie_of("a\r", "1", "a.com", "/"),
        cookie_of("a", "1;b=2", "a.com", "/"),
        cookie_of("a", "1\r\nX: y", "a.com", "/"),
        cookie_of("a", "1 ", "a.com", "/"),
        cookie_of("a", "1", "", "/"),
        cookie_of("a", "1", ".a.com", "/"),
        cookie_of("a", "1", "a b.com", "/"),
        cookie_of("a", "1", "a.com\t", "/"),
        cookie_of("a", "1", "a.com/x", "/"),
        cookie_of("a", "1", "#HttpOnly_a.com", "/"),
        cookie_of("a", "1", "com", "/"),
        cookie_of("a", "1", "127.0.0.1", "/"),
        cookie_of("a", "1", "a.com", ""),
        cookie_of("a", "1", "a.com", "x"),
        cookie_of("a", "1", "a.com", "/;"),
        cookie_of("a", "1", "a.com", "/\n"),
        cookie_of("__Secure-a", "1", "a.com", "/"),
        cookie_of("__Host-a", "1", "a.com", "/"),
        cookie_of("a", "1", "\xc3\xa4.com", "/"),
    };
    rqx_cookie cookie;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(rqx_cookies_set(jar, &bad[i], NOW) == RQX_ERR_INVALID_ARGUMENT, "%zu", i);
    memset(longer, 'a', sizeof longer);
    cookie = cookie_of("a", "", "a.com", "/");
    cookie.value = (rqx_slice){longer, RQX_COOKIE_MAX};
    ck_assert_int_eq(rqx_cookies_set(jar, &cookie, NOW), RQX_ERR_INVALID_ARGUMENT);
    cookie.value.len--;
    ck_assert_int_eq(rqx_cookies_set(jar, &cookie, NOW), 0);
    cookie = cookie_of("a", "1", "a.com", "/");
    longer[0] = '/';
    cookie.path = (rqx_slice){longer, RQX_COOKIE_PATH_MAX + 1};
    ck_assert_int_eq(rqx_cookies_set(jar, &cookie, NOW), RQX_ERR_INVALID_ARGUMENT);
    longer[0] = 'a';
    cookie.path = text("/");
    cookie.domain = (rqx_slice){longer, 256};
    ck_assert_int_eq(rqx_cookies_set(jar, &cookie, NOW), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_uint_eq(rqx_cookies_count(jar), 1);
    rqx_cookies_unref(jar);
}
END_TEST

/* ---- Netscape's format ---- */

static const char netscape[] = "# Netscape HTTP Cookie File\n\n"
                               "a.com\tFALSE\t/\tFALSE\t0\tsession\t1\n"
                               "#HttpOnly_.b.com\tTRUE\t/x\tTRUE\t1800000000\tlong\t2\n"
                               "c.com\tFALSE\t/\tFALSE\t1800000000\tempty\t\n";

START_TEST(a_file_is_read_and_written)
{
    rqx_cookies *jar = new_jar();
    char *out = NULL;
    size_t len = 0;

    ck_assert_int_eq(rqx_cookies_load(jar, netscape, strlen(netscape), NOW), 3);
    expect(jar, "http://a.com/", "session=1");
    expect(jar, "https://www.b.com/x/y", "long=2");
    expect(jar, "http://www.b.com/x/y", "");
    expect(jar, "http://c.com/", "empty=");
    ck_assert_int_eq(rqx_cookies_save(jar, 1, NOW, &out, &len), 0);
    ck_assert_str_eq(out, netscape);
    ck_assert_uint_eq(len, strlen(netscape));
    rqx_free(out);
    ck_assert_int_eq(rqx_cookies_save(jar, 0, NOW, &out, &len), 0);
    ck_assert_ptr_null(strstr(out, "session"));
    ck_assert_ptr_nonnull(strstr(out, "long"));
    rqx_free(out);
    ck_assert_int_eq(rqx_cookies_save(jar, 0, 1800000000, &out, &len), 0);
    ck_assert_str_eq(out, "# Netscape HTTP Cookie File\n\n");
    rqx_free(out);
    rqx_cookies_unref(jar);
}
END_TEST

static const char *const bad_lines[] = {
    "# comment",
    "#HttpOnly_",
    "",
    "a.com",
    "a.com\tFALSE\t/\tFALSE\t0",
    "a.com\tFALSE\t/\tFALSE\t0\tname\tvalue\tmore",
    "a.com\tFALSE\t/\tFALSE\tsoon\tname\tvalue",
    "a.com\tFALSE\t/\tFALSE\t-1\tname\tvalue",
    "a.com\tFALSE\t/\tFALSE\t\tname\tvalue",
    "a.com\tFALSE\t/\tFALSE\t1\tname\tvalue",
    "a.com\tFALSE\tx\tFALSE\t0\tname\tvalue",
    "a.com\tFALSE\t/\tFALSE\t0\t\tvalue",
    ".com\tTRUE\t/\tFALSE\t0\tname\tvalue",
    "\tTRUE\t/\tFALSE\t0\tname\tvalue",
    ".\tTRUE\t/\tFALSE\t0\tname\tvalue",
    "a.com\tTRUE\t/\tFALSE\t0\t__Secure-name\tvalue",
};

START_TEST(lines_that_are_no_cookie_are_passed_over)
{
    rqx_cookies *jar = new_jar();
    char file[512];

    snprintf(file, sizeof file, "%s\r\ngood.com\tFALSE\t/\tfalse\t0\tname", bad_lines[_i]);
    ck_assert_int_eq(rqx_cookies_load(jar, file, strlen(file), NOW), 1);
    ck_assert_uint_eq(rqx_cookies_count(jar), 1);
    expect(jar, "http://good.com/", "name=");
    rqx_cookies_unref(jar);
}
END_TEST

START_TEST(files_and_lines_have_a_maximum)
{
    rqx_cookies *jar = new_jar();
    char *file = malloc(RQX_COOKIES_LOAD_MAX + 1);
    static const char start[] = "a.com\tFALSE\t/\tFALSE\t0\tname\t";
    size_t i;

    memset(file, '#', RQX_COOKIES_LOAD_MAX + 1);
    for (i = RQX_COOKIES_LINE_MAX; i < RQX_COOKIES_LOAD_MAX; i += 100)
        file[i] = '\n';
    ck_assert_int_eq(rqx_cookies_load(jar, file, RQX_COOKIES_LOAD_MAX, NOW), 0);
    ck_assert_int_eq(rqx_cookies_load(jar, file, RQX_COOKIES_LOAD_MAX + 1, NOW), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_cookies_load(jar, "", 0, NOW), 0);
    /* a line that is one byte too long, for a cookie that would do */
    memset(file, 'v', RQX_COOKIES_LINE_MAX + 1);
    memcpy(file, start, strlen(start));
    ck_assert_int_eq(rqx_cookies_load(jar, file, RQX_COOKIES_LINE_MAX + 1, NOW), 0);
    ck_assert_int_eq(rqx_cookies_load(jar, file, strlen(start) + RQX_COOKIE_MAX - 4, NOW), 1);
    ck_assert_int_eq(rqx_cookies_load(jar, file, strlen(start) + RQX_COOKIE_MAX - 3, NOW), 0);
    free(file);
    rqx_cookies_unref(jar);
}
END_TEST

/* ---- memory that runs out ---- */

static int scenario(void)
{
    rqx_cookies *jar = NULL;
    rqx_url *url = NULL;
    rqx_cookie *all = NULL;
    rqx_cookie *one = NULL;
    char *value = NULL;
    char *out = NULL;
    size_t count;
    int rv = rqx_cookies_new(&jar);

    if (rv >= 0)
        rv = rqx_url_parse("https://www.example.com/", 24, NULL, &url);
    if (rv >= 0)
        rv = rqx_cookies_set_from(jar, url, "a=1; Domain=example.com", 23, NOW);
    if (rv >= 0)
        rv = rqx_cookies_set_from(jar, url, "a=2; Domain=example.com", 23, NOW);
    if (rv >= 0)
        rv = rqx_cookies_set_from(jar, url, "b=2", 3, NOW);
    if (rv >= 0)
        rv = rqx_cookies_load(jar, netscape, strlen(netscape), NOW);
    if (rv >= 0)
        rv = rqx_cookies_field(jar, url, NOW, &value);
    if (rv >= 0)
        rv = rqx_cookies_get(jar, text("b"), ANY, ANY, NOW, &one);
    if (rv >= 0)
        rv = rqx_cookies_all(jar, NOW, &all, &count);
    if (rv >= 0)
        rv = rqx_cookies_save(jar, 1, NOW, &out, &count);
    if (rv >= 0)
        ck_assert_str_eq(value, "a=2; b=2");
    rqx_free(value);
    rqx_free(one);
    rqx_free(all);
    rqx_free(out);
    rqx_cookies_unref(jar);
    rqx_url_unref(url);
    return rv;
}

START_TEST(each_allocation_may_fail)
{
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        rqx__mem_fail_at(n, _i);
        rv = scenario();
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        if (count < n)
            break;
        ck_assert_int_eq(rv, RQX_ERR_NOMEM);
    }
    ck_assert_int_ge(rv, 0);
    ck_assert_uint_gt(n, 12);
}
END_TEST

START_TEST(a_failed_replacement_leaves_the_old_one)
{
    rqx_cookies *jar = new_jar();
    rqx_url *url = parse_url("http://a.com/");

    ck_assert_int_eq(rqx_cookies_set_from(jar, url, "a=1", 3, NOW), 1);
    rqx__mem_fail_at(1, 1);
    ck_assert_int_eq(rqx_cookies_set_from(jar, url, "a=2", 3, NOW), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    expect(jar, "http://a.com/", "a=1");
    rqx_url_unref(url);
    rqx_cookies_unref(jar);
}
END_TEST

/* ---- threads ---- */

static void *work(void *user)
{
    rqx_cookies *jar = user;
    rqx_url *url = NULL;
    int i;

    if (rqx_url_parse("http://a.com/", 13, NULL, &url) < 0)
        return NULL;
    for (i = 0; i < 300; i++) {
        char field[32];
        char *value = NULL;
        int len = snprintf(field, sizeof field, "n%d=%d", i % 20, i);

        rqx_cookies_set_from(jar, url, field, (size_t)len, NOW);
        rqx_cookies_field(jar, url, NOW, &value);
        rqx_free(value);
        if (i % 50 == 0)
            rqx_cookies_delete(jar, text("n3"), ANY, ANY);
    }
    rqx_url_unref(url);
    rqx_cookies_unref(jar);
    return NULL;
}

START_TEST(threads_share_a_jar)
{
    rqx_cookies *jar = new_jar();
    pthread_t threads[4];
    size_t i;

    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, rqx_cookies_ref(jar)), 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(rqx_cookies_count(jar), 20);
    rqx_cookies_unref(jar);
}
END_TEST

static Suite *cookies_suite(void)
{
    Suite *suite = suite_create("cookies: the jar");
    TCase *send = rqx_add_case(suite, "where they go");
    TCase *stay = rqx_add_case(suite, "how long they stay");
    TCase *hand = rqx_add_case(suite, "by hand");
    TCase *file = rqx_add_case(suite, "files");
    TCase *alloc = rqx_add_case(suite, "memory and threads");

    tcase_add_test(send, a_cookie_goes_back_to_its_host);
    tcase_add_test(send, a_domain_widens_it);
    tcase_add_test(send, foreign_domains_are_refused);
    tcase_add_test(send, public_suffixes_are_refused);
    tcase_add_test(send, addresses_have_nothing_below_them);
    tcase_add_test(send, paths_limit_it);
    tcase_add_test(send, secure_cookies_want_tls);
    tcase_add_test(send, secure_cookies_are_left_alone_in_clear);
    tcase_add_test(send, prefixes_keep_their_promise);
    tcase_add_test(send, a_url_without_a_host_has_no_cookies);
    tcase_add_test(send, a_path_too_long_is_refused);
    tcase_add_test(stay, a_newer_one_replaces_and_keeps_the_age);
    tcase_add_test(stay, expired_cookies_are_neither_sent_nor_kept);
    tcase_add_test(stay, a_site_has_a_maximum);
    tcase_add_test(stay, a_jar_has_a_maximum);
    tcase_add_test(stay, a_field_has_a_maximum);
    tcase_add_test(hand, cookies_are_set_found_and_removed);
    tcase_add_test(hand, all_cookies_come_by_age);
    tcase_add_test(hand, what_cannot_be_sent_is_refused);
    tcase_add_test(file, a_file_is_read_and_written);
    tcase_add_loop_test(file, lines_that_are_no_cookie_are_passed_over, 0, sizeof bad_lines / sizeof bad_lines[0]);
    tcase_add_test(file, files_and_lines_have_a_maximum);
    tcase_add_loop_test(alloc, each_allocation_may_fail, 0, 2);
    tcase_add_test(alloc, a_failed_replacement_leaves_the_old_one);
    tcase_add_test(alloc, threads_share_a_jar);
    return suite;
}

RQX_CHECK_MAIN(cookies_suite)
