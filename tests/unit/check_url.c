#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"
#include "support.h"

static rqx_url *parse(const char *text)
{
    rqx_url *url = NULL;
    const char *why = NULL;
    int rv = rqx_url_parse(text, strlen(text), &why, &url);

    ck_assert_msg(rv == 0, "%s: %s", text, why);
    return url;
}

static void expect_slice(const char *what, rqx_slice got, const char *want)
{
    if (want == NULL)
        ck_assert_msg(got.data == NULL, "%s is not absent", what);
    else
        ck_assert_msg(got.data != NULL && rqx__eq(got.data, got.len, want, strlen(want)), "%s: '%.*s', not '%s'", what,
                      (int)got.len, got.data, want);
}

/* What parsing |text| again gives is the same. */
static void expect_stable(const rqx_url *url)
{
    rqx_url *again = NULL;
    rqx_slice text = rqx_url_text(url);

    ck_assert_uint_eq(strlen(text.data), text.len);
    ck_assert_int_eq(rqx_url_parse(text.data, text.len, NULL, &again), 0);
    expect_slice("text again", rqx_url_text(again), text.data);
    ck_assert_int_eq(rqx_url_same_origin(url, again), 1);
    rqx_url_unref(again);
}

static void expect_text(const char *text, const char *want)
{
    rqx_url *url = parse(text);

    expect_slice(text, rqx_url_text(url), want);
    expect_stable(url);
    rqx_url_unref(url);
}

static void expect_refused(const char *text, const char *want)
{
    rqx_url *url = NULL;
    const char *why = NULL;

    ck_assert_msg(rqx_url_parse(text, strlen(text), &why, &url) == RQX_ERR_INVALID_URL, "%s is taken", text);
    ck_assert_str_eq(why, want);
    ck_assert_ptr_null(url);
    ck_assert_int_eq(rqx_url_parse(text, strlen(text), NULL, &url), RQX_ERR_INVALID_URL);
}

START_TEST(a_url_has_all_its_components)
{
    rqx_url *url = parse("HTTPS://User%3a:pass@Example.COM:8443/a/b?x=1&y#frag");

    expect_slice("text", rqx_url_text(url), "https://User%3a:pass@example.com:8443/a/b?x=1&y#frag");
    expect_slice("scheme", rqx_url_scheme(url), "https");
    expect_slice("userinfo", rqx_url_userinfo(url), "User%3a:pass");
    expect_slice("host", rqx_url_host(url), "example.com");
    ck_assert_int_eq(rqx_url_port(url), 8443);
    ck_assert_int_eq(rqx_url_effective_port(url), 8443);
    expect_slice("authority", rqx_url_authority(url), "example.com:8443");
    expect_slice("path", rqx_url_path(url), "/a/b");
    expect_slice("query", rqx_url_query(url), "x=1&y");
    expect_slice("target", rqx_url_target(url), "/a/b?x=1&y");
    expect_slice("fragment", rqx_url_fragment(url), "frag");
    expect_slice("origin", rqx__url_origin_key(url), "https://example.com:8443");
    rqx_url_unref(url);
}
END_TEST

START_TEST(what_is_absent_is_absent)
{
    rqx_url *url = parse("https://example.com");

    expect_slice("text", rqx_url_text(url), "https://example.com");
    expect_slice("userinfo", rqx_url_userinfo(url), NULL);
    ck_assert_int_eq(rqx_url_port(url), -1);
    ck_assert_int_eq(rqx_url_effective_port(url), 443);
    expect_slice("authority", rqx_url_authority(url), "example.com");
    expect_slice("path", rqx_url_path(url), "/");
    expect_slice("query", rqx_url_query(url), NULL);
    expect_slice("target", rqx_url_target(url), "/");
    expect_slice("fragment", rqx_url_fragment(url), NULL);
    expect_slice("origin", rqx__url_origin_key(url), "https://example.com:443");
    rqx_url_unref(url);
    url = parse("http://example.com?#");
    expect_slice("query", rqx_url_query(url), "");
    expect_slice("fragment", rqx_url_fragment(url), "");
    expect_slice("target", rqx_url_target(url), "/?");
    rqx_url_unref(url);
    url = parse("http://example.com?q=1");
    expect_slice("target", rqx_url_target(url), "/?q=1");
    expect_slice("text", rqx_url_text(url), "http://example.com?q=1");
    rqx_url_unref(url);
}
END_TEST

/* RFC 3986 section 4.2 */
START_TEST(references_parse_too)
{
    rqx_url *url = parse("../a/./b?c#d");

    expect_slice("text", rqx_url_text(url), "../a/./b?c#d");
    expect_slice("scheme", rqx_url_scheme(url), "");
    expect_slice("host", rqx_url_host(url), NULL);
    expect_slice("authority", rqx_url_authority(url), NULL);
    expect_slice("path", rqx_url_path(url), "../a/./b");
    expect_slice("target", rqx_url_target(url), "../a/./b?c");
    expect_slice("origin", rqx__url_origin_key(url), NULL);
    ck_assert_int_eq(rqx_url_effective_port(url), -1);
    rqx_url_unref(url);
    url = parse("");
    expect_slice("text", rqx_url_text(url), "");
    expect_slice("path", rqx_url_path(url), "");
    expect_slice("target", rqx_url_target(url), "/");
    rqx_url_unref(url);
    url = parse("//Host/x");
    expect_slice("host", rqx_url_host(url), "host");
    expect_slice("scheme", rqx_url_scheme(url), "");
    expect_slice("origin", rqx__url_origin_key(url), NULL);
    rqx_url_unref(url);
    url = parse("mailto:a/../b@c");
    expect_slice("scheme", rqx_url_scheme(url), "mailto");
    expect_slice("path", rqx_url_path(url), "b@c");
    expect_slice("host", rqx_url_host(url), NULL);
    rqx_url_unref(url);
    expect_text("://host/x", "//host/x");
    expect_text("1a:b", "1a:b");
    expect_text("a/b:c", "a/b:c");
    expect_text("http:///path", "http:/path");
    expect_text("http://@/path", "http:/path");
    expect_text("http://user@/path", "http://user@/path");
    expect_text("//:8080", "//:8080");
}
END_TEST

/* Each component with every printable ASCII character, against the sets of the WHATWG's URL standard. */
START_TEST(percent_encoding_follows_the_component)
{
    static const struct {
        const char *before;
        const char *encoded; /* what is percent-encoded, apart from what cannot stand there */
        const char *ends;
    } sets[] = {
        {"http://h/", " \"<>`{}", "?#"},
        {"http://h/?", " \"<>", "#"},
        {"http://h/#", " \"<>`", ""},
        {"http://", " \"<>`{};=[\\]^|", "/?#@"},
    };
    size_t i;
    int c;

    for (i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        for (c = 0x20; c < 0x7f; c++) {
            char text[64];
            char want[64];
            const char *end = i == 3 ? "x@h/" : "x";

            if (strchr(sets[i].ends, c) != NULL)
                continue;
            snprintf(text, sizeof text, "%sa%c%s", sets[i].before, c, end);
            if (strchr(sets[i].encoded, c) != NULL)
                snprintf(want, sizeof want, "%sa%%%02X%s", sets[i].before, (unsigned)c, end);
            else
                snprintf(want, sizeof want, "%sa%c%s", sets[i].before, c, end);
            expect_text(text, want);
        }
    }
    expect_text("http://h/\xc3\xa9?\xc3\xa9#\xc3\xa9", "http://h/%C3%A9?%C3%A9#%C3%A9");
    expect_text("http://u@v@h/", "http://u%40v@h/");
    expect_text("http://h/\xff", "http://h/%FF");
}
END_TEST

START_TEST(what_is_encoded_stays)
{
    expect_text("http://h/%20%c3%A9%2e%zz%?%23%", "http://h/%20%c3%A9%2e%zz%?%23%");
    expect_text("http://u%40:p%3A@h", "http://u%40:p%3A@h");
    expect_text("http://Exa%4Dple.com/", "http://exa%4dple.com/");
}
END_TEST

START_TEST(dot_segments_go_where_there_is_a_scheme_or_authority)
{
    static const char *const pairs[][2] = {
        {"/a/./b", "/a/b"},   {"/a/../b", "/b"},      {"/../../a", "/a"},
        {"/a/b/..", "/a"},    {"/a/b/.", "/a/b"},     {"/.", ""},
        {"/..", ""},          {"/a/..", ""},          {"/a//../b", "/a/b"},
        {"/a/...", "/a/..."}, {"/.a/..b", "/.a/..b"}, {"//..", ""},
        {"/a/b/../..", ""},   {"/./././", "/"},       {"/a.b/c", "/a.b/c"},
    };
    size_t i;

    for (i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[64];
        char want[64];

        snprintf(text, sizeof text, "http://h%s?../x", pairs[i][0]);
        snprintf(want, sizeof want, "http://h%s?../x", pairs[i][1]);
        expect_text(text, want);
    }
    expect_text("x:a/../../b", "x:b");
    expect_text("x:..", "x:");
    expect_text("/a/../b", "/a/../b");
}
END_TEST

START_TEST(default_ports_are_dropped)
{
    expect_text("http://h:80/", "http://h/");
    expect_text("HTTPS://h:443", "https://h");
    expect_text("ws://h:080", "ws://h");
    expect_text("wss://h:443", "wss://h");
    expect_text("ftp://h:21", "ftp://h");
    expect_text("http://h:443/", "http://h:443/");
    expect_text("http://h:", "http://h");
    expect_text("http://h:0/", "http://h:0/");
    expect_text("x://h:80", "x://h:80");
    expect_text("//h:80", "//h:80");
    expect_text("http://h:00000000065535/", "http://h:65535/");
    /* no address has it, but that shows when something connects */
    expect_text("http://h:999999/", "http://h:999999/");
}
END_TEST

START_TEST(bad_ports_are_refused)
{
    static const char *const bad[] = {"http://h:x",      "http://h:1000000", "http://h:99999999999999999999",
                                      "http://h:-1",     "http://h:+80",   "http://h: 80",
                                      "http://h:8_0",    "http://h:80:80", "http://[::1]x",
                                      "http://[::1]:y/", "http://[::1",    "http://h:\xd9\xa1"};
    char zeros[200];
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(bad[i], "Invalid port");
    snprintf(zeros, sizeof zeros, "http://h:%0100d/", 80);
    expect_refused(zeros, "Invalid port");
}
END_TEST

START_TEST(ipv4_hosts_are_checked)
{
    uint8_t bytes[4];

    expect_text("http://127.0.0.1/", "http://127.0.0.1/");
    expect_text("http://255.255.255.255", "http://255.255.255.255");
    expect_text("http://1.2.3", "http://1.2.3");
    expect_text("http://1.2.3.4.5", "http://1.2.3.4.5");
    expect_text("http://1..2.3", "http://1..2.3");
    expect_text("http://1.2.3.4.", "http://1.2.3.4.");
    expect_refused("http://256.1.1.1", "Invalid IPv4 address");
    expect_refused("http://01.2.3.4/", "Invalid IPv4 address");
    expect_refused("http://1.2.3.00", "Invalid IPv4 address");
    expect_refused("http://1.2.3.1111", "Invalid IPv4 address");
    /* so are those that full stops of other scripts make: U+3002, U+FF0E */
    expect_text("http://127\xe3\x80\x82\x30\xef\xbc\x8e\x30.1/", "http://127.0.0.1/");
    expect_refused("http://1\xe3\x80\x82\x30\x30.2.3/", "Invalid IPv4 address");
    ck_assert(rqx__ipv4_parse(RQX__LIT("10.0.200.1"), bytes));
    ck_assert_mem_eq(bytes, "\x0a\x00\xc8\x01", 4);
    ck_assert(!rqx__ipv4_parse(RQX__LIT("10.0.200"), bytes));
    ck_assert(!rqx__ipv4_parse(RQX__LIT("10.0.200.1.5"), bytes));
    ck_assert(!rqx__ipv4_parse(RQX__LIT("10.0.200."), bytes));
    ck_assert(!rqx__ipv4_parse(RQX__LIT(""), bytes));
}
END_TEST

START_TEST(ipv6_hosts_are_checked)
{
    rqx_url *url = parse("https://[2001:DB8::1]:8080/");

    expect_slice("host", rqx_url_host(url), "2001:db8::1");
    expect_slice("authority", rqx_url_authority(url), "[2001:db8::1]:8080");
    expect_slice("origin", rqx__url_origin_key(url), "https://[2001:db8::1]:8080");
    rqx_url_unref(url);
    url = parse("https://u@[::1]:8080/");
    expect_slice("origin", rqx__url_origin_key(url), "https://[::1]:8080");
    expect_slice("authority", rqx_url_authority(url), "[::1]:8080");
    rqx_url_unref(url);
    expect_text("http://[::ffff:192.168.0.1]:80", "http://[::ffff:192.168.0.1]");
    expect_text("http://[FE80::1%Eth0]/", "http://[fe80::1%Eth0]/");
    expect_text("http://[1:2:3:4:5:6:7::]", "http://[1:2:3:4:5:6:7::]");
    expect_refused("http://[]", "Invalid IPv6 address");
    expect_refused("http://[1:2:3:4:5:6:7]", "Invalid IPv6 address");
    expect_refused("http://[1::2::3]", "Invalid IPv6 address");
    expect_refused("http://[12345::]", "Invalid IPv6 address");
    expect_refused("http://[::1%]", "Invalid IPv6 address");
    expect_refused("http://[::1%a b]", "Invalid IPv6 address");
    expect_refused("http://[::1%a%b]", "Invalid IPv6 address");
    expect_refused("http://[%eth0]", "Invalid IPv6 address");
    expect_refused("http://[::ffff:1.2.3.256]", "Invalid IPv6 address");
    expect_refused("http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", "Invalid IPv6 address");
    expect_refused("http://[::\xc3\xa9]", "Invalid IPv6 address");
}
END_TEST

START_TEST(odd_names_are_encoded)
{
    expect_text("http://a_b.-c/", "http://a_b.-c/");
    expect_text("http://a b<c>^", "http://a%20b%3cc%3e%5e");
    expect_text("http://[abc", "http://%5babc");
    expect_text("foo://!\"$%&'()*+,-.;=\\_`{|}~/", "foo://!\"$%&'()*+,-.;=\\_`{|}~/");
}
END_TEST

/* RFC 5891 sections 4.2 and 4.4, without mapping but for case and dots */
START_TEST(names_beyond_ascii_are_encoded_by_idna)
{
    expect_text("http://m\xc3\xbcller.de/", "http://xn--mller-kva.de/");
    expect_text("http://M\xc3\x9cLLER.DE/", "http://xn--mller-kva.de/");
    expect_text("http://\xe4\xb8\xad\xe5\x9b\xbd.icom.museum", "http://xn--fiqs8s.icom.museum");
    expect_text("http://K\xc3\xb6nigsg\xc3\xa4\xc3\x9f"
                "chen.de:80",
                "http://xn--knigsgchen-b4a3dun.de");
    expect_text("http://fa\xc3\x9f.de", "http://xn--fa-hia.de");
    expect_text("http://\xc4\xb0x.com", "http://xn--ix-rub.com");
    expect_text("http://\xc3\xa9\xe3\x80\x82"
                "a\xef\xbc\x8e"
                "b\xef\xbd\xa1"
                "c/",
                "http://xn--9ca.a.b.c/");
    expect_text("http://\xc3\xa9.com.", "http://xn--9ca.com.");
    expect_text("http://xn--mller-kva.\xc3\xa9", "http://xn--mller-kva.xn--9ca");
    expect_text("http://\xf0\xa0\x80\x80.de", "http://xn--j50i.de");
    expect_text("http://l\xc2\xb7l.de", "http://xn--ll-0ea.de");
}
END_TEST

START_TEST(names_that_are_not_valid_are_refused)
{
    static const char *const bad[] = {
        "http://\xf0\x9f\x98\x87/", /* emoji: DISALLOWED */
        "http://\xe2\x98\x83.com",  /* snowman */
        "http://\xef\xbc\xa1.com",  /* full width: would need mapping */
        "http://a\xef\xbc\x8f"
        "b.com",                /* full width "/": must never become one */
        "http://e\xcc\x81.com", /* not in NFC */
        "http://a\xc2\xb7"
        "b.com",                /* CONTEXTO rule */
        "http://\xc3\xa9..com", /* empty label */
        "http://.\xc3\xa9",
        "http://\xe3\x80\x82",
        "http://-\xc3\xa9.com",
        "http://\xc3\xa9-.com",
        "http://ab--\xc3\xa9.com",
        "http://_x.\xc3\xa9.com",
        "http://-x.\xc3\xa9.com",
        "http://x-.\xc3\xa9.com",
        "http://ab--c.\xc3\xa9.com",
        "http://xn--zzzz.\xc3\xa9",
        "http://xn--.\xc3\xa9",
        "http://xn--a.\xc3\xa9",
        "http://1\xd7\x90.com", /* bidi rule */
        "http://\xc3.com",      /* not UTF-8 */
        "http://\xc0\x80.com",
        "http://\xed\xa0\x80.com",
        "http://\xe0\x80\x80.com",
        "http://\xf5\x80\x80\x80.com",
        "http://\xf4\x90\x80\x80.com",
        "http://\xc3\x28.com",
        "http://a.\xc3",
    };
    char text[4096];
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_refused(bad[i], "Invalid IDNA hostname");
    strcpy(text, "http://\xc3\xa9.");
    for (i = 0; i < 64; i++)
        strcat(text, "a");
    expect_refused(text, "Invalid IDNA hostname"); /* label too long */
    strcpy(text, "http://");
    for (i = 0; i < 64; i++)
        strcat(text, "\xc3\xa9");
    expect_refused(text, "Invalid IDNA hostname");
    strcpy(text, "http://\xc3\xa9");
    for (i = 0; i < 120; i++)
        strcat(text, ".ab");
    expect_refused(text, "Invalid IDNA hostname"); /* name too long */
    for (i = 0; i < 800; i++)
        strcat(text, ".ab");
    expect_refused(text, "Invalid IDNA hostname");
}
END_TEST

START_TEST(the_longest_names_fit)
{
    char text[600];
    char want[600];
    rqx_url *url;
    size_t i;

    strcpy(text, "\xc3\xa9");
    strcpy(want, "xn--9ca");
    for (i = 0; i < 123; i++) {
        strcat(text, ".a");
        strcat(want, ".a");
    }
    ck_assert_uint_eq(strlen(want), 253);
    memmove(text + 7, text, strlen(text) + 1);
    memcpy(text, "http://", 7);
    url = parse(text);
    expect_slice("host", rqx_url_host(url), want);
    rqx_url_unref(url);
    strcat(text, ".");
    strcat(want, ".");
    url = parse(text);
    expect_slice("host", rqx_url_host(url), want);
    rqx_url_unref(url);
    strcat(text, "a");
    expect_refused(text, "Invalid IDNA hostname");
}
END_TEST

static void expect_unicode(const char *host, const char *want)
{
    char *text = NULL;

    if (want == NULL) {
        ck_assert_int_eq(rqx_url_host_unicode(host, strlen(host), &text), RQX_ERR_INVALID_URL);
        ck_assert_ptr_null(text);
        return;
    }
    ck_assert_int_eq(rqx_url_host_unicode(host, strlen(host), &text), 0);
    ck_assert_str_eq(text, want);
    rqx_free(text);
}

START_TEST(hosts_are_shown_in_unicode)
{
    char label[80] = "xn--";
    char *text = NULL;

    expect_unicode("xn--mller-kva.de", "m\xc3\xbcller.de");
    expect_unicode("www.XN--MLLER-KVA.de.", "www.m\xc3\xbcller.de.");
    expect_unicode("xn--fa-hia", "fa\xc3\x9f");
    expect_unicode("example.com", "example.com");
    expect_unicode("a..b", "a..b");
    expect_unicode("::1", "::1");
    expect_unicode("", "");
    expect_unicode("xn--ls8h.la", NULL);
    expect_unicode("xn--zzzz", NULL);
    expect_unicode("m\xc3\xbcller.de", NULL);
    memset(label + 4, 'a', 70);
    expect_unicode(label, NULL);
    ck_assert_int_eq(rqx_url_host_unicode("a", SIZE_MAX / 2, &text), RQX_ERR_INVALID_URL);
}
END_TEST

START_TEST(control_characters_are_refused)
{
    static const char *const places[] = {"http://h_/", "http://h/_", "http://h/?_", "http://h/#_", "ht_tp://h/", "_"};
    char text[64];
    size_t i;
    int c;

    for (c = 1; c < 0x80; c = c == 0x1f ? 0x7f : c + 1) {
        for (i = 0; i < sizeof places / sizeof places[0]; i++) {
            strcpy(text, places[i]);
            *strchr(text, '_') = (char)c;
            expect_refused(text, "Invalid non-printable ASCII character in URL");
        }
    }
    ck_assert_int_eq(rqx_url_parse("http://h/\0", 10, NULL, &(rqx_url *){NULL}), RQX_ERR_INVALID_URL);
}
END_TEST

START_TEST(paths_obey_what_stands_before_them)
{
    rqx_url *url;
    rqx_url_parts parts = {.host = RQX__LIT("h"), .port = -1, .path = RQX__LIT("a")};
    const char *why = NULL;

    ck_assert_int_eq(rqx_url_build(&parts, &why, &url), RQX_ERR_INVALID_URL);
    ck_assert_str_eq(why, "For absolute URLs, path must be empty or begin with '/'");
    expect_refused("////x", "Relative URLs cannot have a path starting with '//'");
    expect_refused("::x", "Relative URLs cannot have a path starting with ':'");
    /* these would be read differently a second time */
    expect_refused(":a:b", "Relative URLs cannot have a colon in their first path segment");
    /* an empty authority keeps the path from being read as one */
    expect_text("x:////a", "x:////a");
    expect_text("x:/.//a", "x:////a");
    expect_text("file://///", "file://///");
}
END_TEST

START_TEST(the_longest_url_is_65536_characters)
{
    static char text[RQX_URL_MAX * 4 + 16];
    rqx_url *url = NULL;
    const char *why = NULL;
    size_t i;

    memset(text, 'a', sizeof text);
    memcpy(text, "http://h/", 9);
    ck_assert_int_eq(rqx_url_parse(text, RQX_URL_MAX, NULL, &url), 0);
    rqx_url_unref(url);
    url = NULL;
    ck_assert_int_eq(rqx_url_parse(text, RQX_URL_MAX + 1, &why, &url), RQX_ERR_INVALID_URL);
    ck_assert_str_eq(why, "URL too long");
    for (i = 9; i + 3 < sizeof text; i += 4)
        memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    ck_assert_int_eq(rqx_url_parse(text, 9 + 4 * (RQX_URL_MAX - 9), &why, &url), 0);
    ck_assert_uint_eq(rqx_url_text(url).len, 9 + 12 * (RQX_URL_MAX - 9));
    rqx_url_unref(url);
    ck_assert_int_eq(rqx_url_parse(text, 9 + 4 * (RQX_URL_MAX - 8), &why, &url), RQX_ERR_INVALID_URL);
    /* nor can anything pretend to be short by being no UTF-8 */
    memset(text, 0x80, sizeof text);
    ck_assert_int_eq(rqx_url_parse(text, RQX_URL_MAX * 4 + 1, &why, &url), RQX_ERR_INVALID_URL);
    ck_assert_str_eq(why, "URL too long");
}
END_TEST

static void expect_built(const rqx_url_parts *parts, const char *want)
{
    rqx_url *url = NULL;
    const char *why = NULL;
    int rv = rqx_url_build(parts, &why, &url);

    ck_assert_msg(rv == 0, "%s: %s", want, why);
    expect_slice("built", rqx_url_text(url), want);
    expect_stable(url);
    rqx_url_unref(url);
}

static void expect_not_built(const rqx_url_parts *parts, const char *want)
{
    rqx_url *url = NULL;
    const char *why = NULL;

    ck_assert_int_eq(rqx_url_build(parts, &why, &url), RQX_ERR_INVALID_URL);
    ck_assert_str_eq(why, want);
    ck_assert_int_eq(rqx_url_build(parts, NULL, &url), RQX_ERR_INVALID_URL);
    ck_assert_ptr_null(url);
}

#define PARTS(...) (&(rqx_url_parts){.port = -1, __VA_ARGS__})

START_TEST(a_url_is_built_of_its_parts)
{
    expect_built(PARTS(.path = RQX__LIT("")), "");
    expect_built(&(rqx_url_parts){RQX__LIT("HTTPS"), RQX__LIT("u:p w"), RQX__LIT("Ex.com"), 443, RQX__LIT("/a b"),
                                  RQX__LIT("q"), RQX__LIT("f")},
                 "https://u:p%20w@ex.com/a%20b?q#f");
    expect_built(PARTS(.scheme = RQX__LIT("http"), .host = RQX__LIT("::1")), "http://[::1]");
    expect_built(&(rqx_url_parts){.scheme = RQX__LIT("http"), .host = RQX__LIT("[::1]"), .port = 8080},
                 "http://[::1]:8080");
    expect_built(PARTS(.scheme = RQX__LIT("http"), .host = RQX__LIT("m\xc3\xbcller.de")), "http://xn--mller-kva.de");
    expect_built(PARTS(.scheme = RQX__LIT("http"), .host = RQX__LIT("a@b/c?d#e")), "http://a%40b%2fc%3fd%23e");
    expect_built(PARTS(.path = RQX__LIT("/x"), .query = RQX__LIT("")), "/x?");
    expect_built(PARTS(.query = RQX__LIT("a?b")), "?a?b");
    expect_built(PARTS(.fragment = RQX__LIT("a#b?c")), "#a#b?c");
}
END_TEST

START_TEST(parts_that_are_not_valid_are_refused)
{
    static char longer[RQX_URL_MAX + 1];

    memset(longer, 'a', sizeof longer);
    expect_not_built(PARTS(.scheme = RQX__LIT("ht tp")), "Invalid URL component 'scheme'");
    expect_not_built(PARTS(.scheme = RQX__LIT("1http")), "Invalid URL component 'scheme'");
    expect_not_built(PARTS(.scheme = RQX__LIT("http:")), "Invalid URL component 'scheme'");
    expect_not_built(PARTS(.scheme = RQX__LIT("\xc3\xa9")), "Invalid URL component 'scheme'");
    expect_not_built(PARTS(.userinfo = RQX__LIT("u@")), "Invalid URL component 'userinfo'");
    expect_not_built(PARTS(.path = RQX__LIT("/a?b")), "Invalid URL component 'path'");
    expect_not_built(PARTS(.path = RQX__LIT("/a#b")), "Invalid URL component 'path'");
    expect_not_built(PARTS(.query = RQX__LIT("a#b")), "Invalid URL component 'query'");
    expect_not_built(PARTS(.path = RQX__LIT("/\n")), "Invalid non-printable ASCII character in URL path component");
    expect_not_built(PARTS(.fragment = RQX__LIT("\x7f")),
                     "Invalid non-printable ASCII character in URL fragment component");
    expect_not_built(PARTS(.query = {longer, sizeof longer}), "URL component 'query' too long");
    expect_not_built(PARTS(.host = RQX__LIT("1:2")), "Invalid IPv6 address");
    expect_not_built(PARTS(.host = RQX__LIT("[::1/64]")), "Invalid IPv6 address");
    expect_not_built(PARTS(.host = {"[::1\0]", 6}), "Invalid non-printable ASCII character in URL host component");
    expect_not_built(&(rqx_url_parts){.host = RQX__LIT("h"), .port = 1000000}, "Invalid port");
    expect_not_built(&(rqx_url_parts){.host = RQX__LIT("h"), .port = -2}, "Invalid port");
    expect_not_built(PARTS(.path = RQX__LIT("//x")), "Relative URLs cannot have a path starting with '//'");
}
END_TEST

START_TEST(what_is_split_builds_the_same)
{
    static const char *const texts[] = {
        "",           "http://h", "https://u:p%40@[::1]:8080?q#f", "http://xn--mller-kva.de/a/b?", "/a/../b#",
        "mailto:x@y", "//h"};
    size_t i;

    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rqx_url *url = parse(texts[i]);
        rqx_url_parts parts;

        rqx_url_split(url, &parts);
        expect_built(&parts, texts[i]);
        rqx_url_unref(url);
    }
}
END_TEST

/* RFC 3986 section 5.4, less strict about "http:g" and with params apart as RFC 2396 had them */
static const char *const joins[][2] = {
    {"g:h", "g:h"},
    {"g", "http://a/b/c/g"},
    {"./g", "http://a/b/c/g"},
    {"g/", "http://a/b/c/g/"},
    {"/g", "http://a/g"},
    {"//g", "http://g"},
    {"//g/../x", "http://g/x"},
    {"?y", "http://a/b/c/d;p?y"},
    {"g?y", "http://a/b/c/g?y"},
    {"#s", "http://a/b/c/d;p?q#s"},
    {"g#s", "http://a/b/c/g#s"},
    {"g?y#s", "http://a/b/c/g?y#s"},
    {";x", "http://a/b/c/;x"},
    {"g;x", "http://a/b/c/g;x"},
    {"g;x?y#s", "http://a/b/c/g;x?y#s"},
    {"", "http://a/b/c/d;p?q"},
    {".", "http://a/b/c/"},
    {"./", "http://a/b/c/"},
    {"..", "http://a/b/"},
    {"../", "http://a/b/"},
    {"../g", "http://a/b/g"},
    {"../..", "http://a/"},
    {"../../", "http://a/"},
    {"../../g", "http://a/g"},
    {"../../../g", "http://a/g"},
    {"../../../../g", "http://a/g"},
    {"/./g", "http://a/g"},
    {"/../g", "http://a/g"},
    {"g.", "http://a/b/c/g."},
    {".g", "http://a/b/c/.g"},
    {"g..", "http://a/b/c/g.."},
    {"..g", "http://a/b/c/..g"},
    {"./../g", "http://a/b/g"},
    {"./g/.", "http://a/b/c/g/"},
    {"g/./h", "http://a/b/c/g/h"},
    {"g/../h", "http://a/b/c/h"},
    {"g?y/./x", "http://a/b/c/g?y/./x"},
    {"g#s/../x", "http://a/b/c/g#s/../x"},
    {"http:g", "http://a/b/c/g"},
    {"https:g", "https:g"},
    {"http://x/y", "http://x/y"},
    {"?", "http://a/b/c/d;p?q"},
    {"g//h", "http://a/b/c/g/h"},
    {"/g//h", "http://a/g//h"},
    {"a;", "http://a/b/c/a"},
};

static void expect_joined(const char *base, const char *ref, const char *want)
{
    rqx_url *url = parse(base);
    rqx_url *joined = NULL;
    const char *why = NULL;
    int rv = rqx_url_join(url, ref, strlen(ref), &why, &joined);

    if (want == NULL) {
        ck_assert_int_eq(rv, RQX_ERR_INVALID_URL);
        ck_assert_ptr_nonnull(why);
        ck_assert_ptr_null(joined);
        ck_assert_int_eq(rqx_url_join(url, ref, strlen(ref), NULL, &joined), RQX_ERR_INVALID_URL);
    } else {
        ck_assert_msg(rv == 0, "%s + %s: %s", base, ref, why);
        expect_slice(ref, rqx_url_text(joined), want);
        expect_stable(joined);
    }
    rqx_url_unref(joined);
    rqx_url_unref(url);
}

START_TEST(references_are_resolved)
{
    size_t i;

    for (i = 0; i < sizeof joins / sizeof joins[0]; i++)
        expect_joined("http://a/b/c/d;p?q", joins[i][0], joins[i][1]);
}
END_TEST

START_TEST(bases_of_all_kinds_are_joined)
{
    expect_joined("http://h", "a", "http://h/a");
    expect_joined("http://h", "?q", "http://h?q");
    expect_joined("http://h/a/b/", "c", "http://h/a/b/c");
    expect_joined("https://u:p@h:8443/a#f", "b", "https://u:p@h:8443/b");
    expect_joined("https://h/a;", "#f", "https://h/a#f");
    expect_joined("ws://h/a;b/c", "d;e", "ws://h/a;b/d;e");
    expect_joined("foo://h/a", "b", "b");
    expect_joined("", "b", "b");
    expect_joined("/a/b", "c", "/a/c");
    expect_joined("a/b", "../../c", "c");
    expect_joined("b", "c", "c");
    expect_joined("http:/a", "b", "http:/b");
    expect_joined("/a", "/.//b", NULL);
    expect_joined("http:/a", "/.//b", "http:////b");
    expect_joined("http://h/", "http://[x]/", NULL);
    expect_joined("http://h/", "\n", NULL);
}
END_TEST

START_TEST(a_join_that_is_too_long_is_refused)
{
    static char text[RQX_URL_MAX];
    rqx_url *base = NULL;
    rqx_url *url = NULL;

    memset(text, 'a', sizeof text);
    memcpy(text, "http://h/", 9);
    text[RQX_URL_MAX - 1] = '/';
    ck_assert_int_eq(rqx_url_parse(text, sizeof text, NULL, &base), 0);
    ck_assert_int_eq(rqx_url_join(base, "x", 1, NULL, &url), RQX_ERR_INVALID_URL);
    rqx_url_unref(base);
}
END_TEST

static int same_origin(const char *a, const char *b)
{
    rqx_url *first = parse(a);
    rqx_url *second = parse(b);
    rqx_slice key = rqx__url_origin_key(first);
    rqx_slice other = rqx__url_origin_key(second);
    int same = rqx_url_same_origin(first, second);

    ck_assert_int_eq(same, rqx_url_same_origin(second, first));
    ck_assert_int_eq(same, rqx__eq(key.data, key.len, other.data, other.len));
    rqx_url_unref(first);
    rqx_url_unref(second);
    return same;
}

/* RFC 6454 section 5 */
START_TEST(origins_are_scheme_host_and_port)
{
    ck_assert(same_origin("https://a/x", "HTTPS://u:p@A:443?y"));
    ck_assert(same_origin("http://a:8080", "http://v@a:8080/"));
    ck_assert(same_origin("http://[::A]", "http://[::a]:80"));
    ck_assert(!same_origin("https://a", "http://a"));
    ck_assert(!same_origin("https://a", "https://b"));
    ck_assert(!same_origin("https://a", "https://a:444"));
    ck_assert(!same_origin("http://a", "http://a.b"));
    ck_assert(!same_origin("http://a:443", "https://a:443"));
}
END_TEST

START_TEST(references_are_counted)
{
    rqx_url *url = parse("http://h/");

    ck_assert_ptr_eq(rqx_url_ref(url), url);
    rqx_url_unref(url);
    expect_slice("text", rqx_url_text(url), "http://h/");
    rqx_url_unref(url);
    rqx_url_unref(NULL);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(a_url_is_one_allocation)
{
    rqx__mem_fail_at(0, 0);
    rqx_url_unref(parse("https://u@M\xc3\xbcller.de:444/a/../b?q#f"));
    ck_assert_uint_eq(rqx__mem_count(), 1);
}
END_TEST

static int scenario(void)
{
    rqx_url *url = NULL;
    rqx_url *joined = NULL;
    rqx_url *built = NULL;
    char *text = NULL;
    int rv = rqx_url_parse("http://xn--mller-kva.de/a", 25, NULL, &url);

    if (rv == 0)
        rv = rqx_url_join(url, "../b", 4, NULL, &joined);
    if (rv == 0)
        rv = rqx_url_build(PARTS(.host = RQX__LIT("::1")), NULL, &built);
    if (rv == 0)
        rv = rqx_url_host_unicode(rqx_url_host(url).data, rqx_url_host(url).len, &text);
    ck_assert(rv == 0 || text == NULL);
    rqx_free(text);
    rqx_url_unref(url);
    rqx_url_unref(joined);
    rqx_url_unref(built);
    return rv;
}

START_TEST(every_failed_allocation_is_an_error)
{
    unsigned long total;
    unsigned long n;

    rqx__mem_fail_at(0, 0);
    ck_assert_int_eq(scenario(), 0);
    total = rqx__mem_count();
    ck_assert_uint_ge(total, 7);
    for (n = 1; n <= total; n++) {
        rqx__mem_fail_at(n, 0);
        ck_assert_int_eq(scenario(), RQX_ERR_NOMEM);
    }
    rqx__mem_fail_at(0, 0);
}
END_TEST
#endif

static void add_joining(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "join");

    tcase_add_test(tcase, references_are_resolved);
    tcase_add_test(tcase, bases_of_all_kinds_are_joined);
    tcase_add_test(tcase, a_join_that_is_too_long_is_refused);
    tcase_add_test(tcase, origins_are_scheme_host_and_port);
    tcase_add_test(tcase, references_are_counted);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, a_url_is_one_allocation);
    tcase_add_test(tcase, every_failed_allocation_is_an_error);
#endif
}

static void add_hosts(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "host");

    tcase_add_test(tcase, default_ports_are_dropped);
    tcase_add_test(tcase, bad_ports_are_refused);
    tcase_add_test(tcase, ipv4_hosts_are_checked);
    tcase_add_test(tcase, ipv6_hosts_are_checked);
    tcase_add_test(tcase, odd_names_are_encoded);
    tcase_add_test(tcase, names_beyond_ascii_are_encoded_by_idna);
    tcase_add_test(tcase, names_that_are_not_valid_are_refused);
    tcase_add_test(tcase, the_longest_names_fit);
    tcase_add_test(tcase, hosts_are_shown_in_unicode);
}

static Suite *url_suite(void)
{
    Suite *suite = suite_create("url");
    TCase *tcase = rqx_add_case(suite, "parse");

    tcase_add_test(tcase, a_url_has_all_its_components);
    tcase_add_test(tcase, what_is_absent_is_absent);
    tcase_add_test(tcase, references_parse_too);
    tcase_add_test(tcase, percent_encoding_follows_the_component);
    tcase_add_test(tcase, what_is_encoded_stays);
    tcase_add_test(tcase, dot_segments_go_where_there_is_a_scheme_or_authority);
    tcase_add_test(tcase, control_characters_are_refused);
    tcase_add_test(tcase, paths_obey_what_stands_before_them);
    tcase_add_test(tcase, the_longest_url_is_65536_characters);
    tcase_add_test(tcase, a_url_is_built_of_its_parts);
    tcase_add_test(tcase, parts_that_are_not_valid_are_refused);
    tcase_add_test(tcase, what_is_split_builds_the_same);
    add_hosts(suite);
    add_joining(suite);
    return suite;
}

RQX_CHECK_MAIN(url_suite)
