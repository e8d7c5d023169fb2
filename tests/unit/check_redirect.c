#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/redirect.h"
#include "http/url.h"
#include "support.h"

static rqx_url *parse(const char *text)
{
    rqx_url *url = NULL;

    ck_assert_int_eq(rqx_url_parse(text, strlen(text), NULL, &url), 0);
    return url;
}

/* RFC 9110 section 15.4 */
START_TEST(five_statuses_are_redirects)
{
    int status;

    for (status = 100; status < 600; status++) {
        bool want = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;

        ck_assert_int_eq(rqx__redirect_status(status), want);
    }
}
END_TEST

START_TEST(methods_change_as_browsers_change_them)
{
    static const struct {
        int status;
        const char *method;
        const char *next;
    } cases[] = {
        {301, "GET", "GET"},   {301, "HEAD", "HEAD"},  {301, "POST", "GET"},  {301, "PUT", "PUT"},
        {301, "post", "post"}, {302, "GET", "GET"},    {302, "HEAD", "HEAD"}, {302, "POST", "GET"},
        {302, "PUT", "GET"},   {302, "DELETE", "GET"}, {303, "GET", "GET"},   {303, "HEAD", "HEAD"},
        {303, "POST", "GET"},  {303, "PATCH", "GET"},  {307, "POST", "POST"}, {307, "GET", "GET"},
        {308, "POST", "POST"}, {308, "HEAD", "HEAD"},  {308, "PUT", "PUT"},
    };
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rqx_slice method = {cases[i].method, strlen(cases[i].method)};
        rqx_slice next = rqx__redirect_method(cases[i].status, method);

        ck_assert(rqx__eq(next.data, next.len, cases[i].next, strlen(cases[i].next)));
        /* the body stays where the method does */
        ck_assert_int_eq(next.data == method.data, strcmp(cases[i].method, cases[i].next) == 0);
    }
}
END_TEST

static void expect_url(const char *base_text, const char *location, const char *want)
{
    rqx_url *base = parse(base_text);
    rqx_url *url = NULL;
    struct rqx__err err;
    int rv = rqx__redirect_url(base, (rqx_slice){location, strlen(location)}, &url, &err);

    ck_assert_msg(rv == 0, "%s: %s", location, err.text);
    ck_assert_str_eq(rqx_url_text(url).data, want);
    rqx_url_unref(url);
    rqx_url_unref(base);
}

static void expect_no_url(const char *location, int code, const char *why)
{
    rqx_url *base = parse("https://h/a#f");
    rqx_url *url = NULL;
    struct rqx__err err;

    ck_assert_int_eq(rqx__redirect_url(base, (rqx_slice){location, strlen(location)}, &url, &err), code);
    ck_assert_int_eq(err.code, code);
    ck_assert_str_eq(err.text, why);
    ck_assert_int_eq(rqx__redirect_url(base, (rqx_slice){location, strlen(location)}, &url, NULL), code);
    ck_assert_ptr_null(url);
    rqx_url_unref(base);
}

/* RFC 9110 section 10.2.2 */
START_TEST(the_location_is_resolved)
{
    expect_url("https://h/a/b", "https://other/x", "https://other/x");
    expect_url("https://h/a/b", "/x?y", "https://h/x?y");
    expect_url("https://h/a/b", "x", "https://h/a/x");
    expect_url("https://h/a/b", "//other:444/x", "https://other:444/x");
    expect_url("https://h/a/b?c", "", "https://h/a/b?c");
    expect_url("https://h:8443/a", "?q", "https://h:8443/a?q");
    expect_url("https://u:p@h/a", "/b", "https://u:p@h/b");
    expect_url("https://h/", "/\xc3\xa9 \xe9", "https://h/%C3%A9%20%E9");
}
END_TEST

START_TEST(a_location_without_host_gets_the_old_one)
{
    expect_url("http://h/a", "https:///x", "https://h/x");
    expect_url("http://h/a", "https://:444/x", "https://h:444/x");
    expect_url("http://[::1]/a", "https:/x", "https://[::1]/x");
    expect_url("http://h/a", "http:", "http://h");
}
END_TEST

START_TEST(fragments_are_inherited)
{
    expect_url("https://h/a#f", "/x", "https://h/x#f");
    expect_url("https://h/a#f", "/x#g", "https://h/x#g");
    expect_url("https://h/a#f", "https://other/x", "https://other/x#f");
    expect_url("https://h/a#f", "/x#", "https://h/x#f");
    expect_url("https://h/a#", "/x", "https://h/x");
}
END_TEST

START_TEST(what_leads_nowhere_is_refused)
{
    expect_no_url("https://h:x/", RQX_ERR_PROTOCOL, "invalid URL in the location field: Invalid port");
    expect_no_url("https://h:65536/", RQX_ERR_PROTOCOL, "invalid URL in the location field: " RQX__WHY_PORT);
    expect_no_url("/\n", RQX_ERR_PROTOCOL,
                  "invalid URL in the location field: Invalid non-printable ASCII character in URL");
    expect_no_url("https:x", RQX_ERR_PROTOCOL,
                  "invalid URL in the location field: For absolute URLs, path must be empty or begin with '/'");
    expect_no_url("//:80/x", RQX_ERR_PROTOCOL, "invalid URL in the location field: no host");
    expect_no_url("////x", RQX_ERR_PROTOCOL,
                  "invalid URL in the location field: Relative URLs cannot have a path starting with '//'");
    expect_no_url("ftp://h/", RQX_ERR_UNSUPPORTED_SCHEME, "redirect to the unsupported scheme 'ftp'");
    expect_no_url("javascript:alert(1)", RQX_ERR_UNSUPPORTED_SCHEME, "redirect to the unsupported scheme 'javascript'");
    expect_no_url("aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd:", RQX_ERR_UNSUPPORTED_SCHEME,
                  "redirect to the unsupported scheme 'aaaaaaaaaabbbbbbbbbbccccccccccdd'");
}
END_TEST

START_TEST(a_resolved_location_that_is_too_long_is_refused)
{
    static char text[RQX_URL_MAX];
    rqx_url *base = NULL;
    rqx_url *url = NULL;

    memset(text, 'a', sizeof text);
    memcpy(text, "http://h/", 9);
    text[sizeof text - 1] = '/';
    ck_assert_int_eq(rqx_url_parse(text, sizeof text, NULL, &base), 0);
    ck_assert_int_eq(rqx__redirect_url(base, RQX__LIT("x"), &url, NULL), RQX_ERR_PROTOCOL);
    rqx_url_unref(base);
}
END_TEST

static bool keeps(const char *from_text, const char *to_text)
{
    rqx_url *from = parse(from_text);
    rqx_url *to = parse(to_text);
    bool result = rqx__redirect_keeps_auth(from, to);

    rqx_url_unref(from);
    rqx_url_unref(to);
    return result;
}

START_TEST(credentials_stay_with_their_origin)
{
    ck_assert(keeps("https://h/a", "https://h:443/b"));
    ck_assert(keeps("http://h/a", "https://h/"));
    ck_assert(keeps("http://h:80/a", "https://h:443/"));
    ck_assert(!keeps("https://h/", "http://h/"));
    ck_assert(!keeps("http://h:8080/", "https://h/"));
    ck_assert(!keeps("http://h/", "https://h:8443/"));
    ck_assert(!keeps("http://h/", "https://www.h/"));
    ck_assert(!keeps("https://h/", "https://other/"));
    ck_assert(!keeps("https://h/", "https://h:444/"));
    ck_assert(!keeps("http://h:443/", "https://h/"));
}
END_TEST

static const char *const all_fields[] = {"Host",
                                         "Accept",
                                         "Authorization",
                                         "Cookie",
                                         "Proxy-Authorization",
                                         "X-Trace",
                                         "Content-Length",
                                         "Content-Type",
                                         "Content-Encoding",
                                         "Content-Language",
                                         "Content-Location",
                                         "TE",
                                         "Trailer",
                                         "Transfer-Encoding",
                                         "Expect",
                                         "Content-Disposition"};

static void expect_fields(bool keep_auth, bool drop_body, const char *want)
{
    rqx_headers *fields = NULL;
    rqx_headers *next = NULL;
    char names[400] = "";
    size_t i;

    ck_assert_int_eq(rqx_headers_new(&fields), 0);
    for (i = 0; i < sizeof all_fields / sizeof all_fields[0]; i++)
        ck_assert_int_eq(rqx_headers_add(fields, all_fields[i], strlen(all_fields[i]), "v", 1), 0);
    ck_assert_int_eq(rqx__redirect_fields(fields, keep_auth, drop_body, &next), 0);
    rqx_headers_free(fields);
    for (i = 0; i < rqx_headers_count(next); i++) {
        strcat(names, rqx_headers_at(next, i).name.data);
        strcat(names, " ");
        ck_assert_str_eq(rqx_headers_at(next, i).value.data, "v");
    }
    ck_assert_str_eq(names, want);
    rqx_headers_free(next);
}

START_TEST(fields_that_must_not_go_along_are_left_out)
{
    expect_fields(
        true, false,
        "Accept Authorization Cookie Proxy-Authorization X-Trace Content-Length Content-Type Content-Encoding "
        "Content-Language Content-Location TE Trailer Transfer-Encoding Expect Content-Disposition ");
    expect_fields(false, false,
                  "Accept X-Trace Content-Length Content-Type Content-Encoding Content-Language Content-Location TE "
                  "Trailer Transfer-Encoding Expect Content-Disposition ");
    expect_fields(true, true, "Accept Authorization Cookie Proxy-Authorization X-Trace TE Content-Disposition ");
    expect_fields(false, true, "Accept X-Trace TE Content-Disposition ");
}
END_TEST

#ifdef RQX_TEST_ALLOC
static int scenario(const rqx_url *base, const char *location, const rqx_headers *fields)
{
    rqx_url *url = NULL;
    rqx_headers *next = NULL;
    struct rqx__err err;
    int rv = rqx__redirect_url(base, (rqx_slice){location, strlen(location)}, &url, &err);

    if (rv == 0)
        rv = rqx__redirect_fields(fields, true, false, &next);
    else
        ck_assert_int_eq(err.code, rv);
    rqx_url_unref(url);
    rqx_headers_free(next);
    return rv;
}

START_TEST(every_failed_allocation_is_an_error)
{
    static const char *const locations[] = {"x", "https:///x", "https://other"};
    rqx_url *base = parse("https://h/a#f");
    rqx_headers *fields = NULL;
    unsigned long total;
    unsigned long n;
    size_t i;

    ck_assert_int_eq(rqx_headers_new(&fields), 0);
    ck_assert_int_eq(rqx_headers_add(fields, "a", 1, "b", 1), 0);
    for (i = 0; i < sizeof locations / sizeof locations[0]; i++) {
        rqx__mem_fail_at(0, 0);
        ck_assert_int_eq(scenario(base, locations[i], fields), 0);
        total = rqx__mem_count();
        ck_assert_uint_ge(total, 5);
        for (n = 1; n <= total; n++) {
            rqx__mem_fail_at(n, 0);
            ck_assert_int_eq(scenario(base, locations[i], fields), RQX_ERR_NOMEM);
        }
    }
    rqx__mem_fail_at(0, 0);
    rqx_headers_free(fields);
    rqx_url_unref(base);
}
END_TEST
#endif

static Suite *redirect_suite(void)
{
    Suite *suite = suite_create("redirect");
    TCase *tcase = rqx_add_case(suite, "redirect");

    tcase_add_test(tcase, five_statuses_are_redirects);
    tcase_add_test(tcase, methods_change_as_browsers_change_them);
    tcase_add_test(tcase, the_location_is_resolved);
    tcase_add_test(tcase, a_location_without_host_gets_the_old_one);
    tcase_add_test(tcase, fragments_are_inherited);
    tcase_add_test(tcase, what_leads_nowhere_is_refused);
    tcase_add_test(tcase, a_resolved_location_that_is_too_long_is_refused);
    tcase_add_test(tcase, credentials_stay_with_their_origin);
    tcase_add_test(tcase, fields_that_must_not_go_along_are_left_out);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, every_failed_allocation_is_an_error);
#endif
    return suite;
}

RQX_CHECK_MAIN(redirect_suite)
