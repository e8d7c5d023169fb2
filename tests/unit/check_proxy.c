/*
 * check_proxy.c - rqx_proxy: what a URL and options make of it, and what is kept of credentials.
 */
#include "support.h"

#include <string.h>

#include <requestx/requestx.h>

#include "base/mem.h"
#include "client/proxy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A proxy of |text|, or NULL with the result in |*ret_rv|. */
static rqx_proxy *make(const char *text, const rqx_proxy_options *options, int *ret_rv)
{
    rqx_proxy *proxy = NULL;
    rqx_url *url = NULL;

    ck_assert_int_eq(rqx_url_parse(text, strlen(text), NULL, &url), 0);
    *ret_rv = rqx_proxy_new(url, options, &proxy);
    rqx_url_unref(url);
    ck_assert_int_eq(proxy == NULL, *ret_rv < 0);
    return proxy;
}

START_TEST(a_scheme_says_what_kind_it_is)
{
    static const struct {
        const char *url;
        enum rqx__dial_route route;
        int port;
        bool tls;
        bool forwards;
    } cases[] = {
        {"http://p.example", RQX__ROUTE_CONNECT, 80, false, true},
        {"http://p.example:3128/", RQX__ROUTE_CONNECT, 3128, false, true},
        {"https://p.example", RQX__ROUTE_CONNECT, 443, true, true},
        {"https://[::1]:8443", RQX__ROUTE_CONNECT, 8443, true, true},
        {"socks5://p.example", RQX__ROUTE_SOCKS5, 1080, false, false},
        {"socks5h://p.example:9050", RQX__ROUTE_SOCKS5H, 9050, false, false},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        int rv;
        rqx_proxy *proxy = make(cases[i].url, NULL, &rv);

        ck_assert_ptr_nonnull(proxy);
        ck_assert_int_eq(proxy->route, cases[i].route);
        ck_assert_int_eq(proxy->port, cases[i].port);
        ck_assert_int_eq(proxy->tls != NULL, cases[i].tls);
        /* https:// URLs always go through, http:// ones where the proxy speaks HTTP are asked of it */
        ck_assert_int_eq(rqx__proxy_forwards(proxy, false), cases[i].forwards);
        ck_assert(!rqx__proxy_forwards(proxy, true));
        ck_assert_ptr_null(proxy->user);
        ck_assert_uint_eq(proxy->fields_len, 0);
        rqx_proxy_unref(proxy);
    }
    ck_assert(!rqx__proxy_forwards(NULL, false));
}
END_TEST

START_TEST(what_is_no_proxy_is_refused)
{
    rqx_proxy_options options;
    int rv;

    make("ftp://p.example", NULL, &rv);
    ck_assert_int_eq(rv, RQX_ERR_UNSUPPORTED_SCHEME);
    make("socks4://p.example", NULL, &rv);
    ck_assert_int_eq(rv, RQX_ERR_UNSUPPORTED_SCHEME);
    make("socks://p.example", NULL, &rv);
    ck_assert_int_eq(rv, RQX_ERR_UNSUPPORTED_SCHEME);
    make("socks5://p.example:70000", NULL, &rv);
    ck_assert_int_eq(rv, RQX_ERR_INVALID_URL);
    make("http:///path", NULL, &rv);
    ck_assert_int_eq(rv, RQX_ERR_INVALID_URL);
    rqx_proxy_options_init(&options);
    options.struct_size = 1;
    make("http://p.example", &options, &rv);
    ck_assert_int_eq(rv, RQX_ERR_INVALID_ARGUMENT);
}
END_TEST

static void expect_fields(const rqx_proxy *proxy, const char *expected, size_t secret_at)
{
    ck_assert_uint_eq(proxy->fields_len, strlen(expected));
    ck_assert_mem_eq(proxy->fields, expected, strlen(expected));
    ck_assert_uint_eq(proxy->secret_at, secret_at);
    ck_assert_ptr_null(proxy->user);
}

START_TEST(an_http_proxy_has_fields)
{
    rqx_proxy_options options;
    rqx_headers *headers = NULL;
    rqx_proxy *proxy;
    int rv;

    rqx_proxy_options_init(&options);
    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    ck_assert_int_eq(rqx_headers_add(headers, "X-Team", 6, "a", 1), 0);
    options.headers = headers;
    proxy = make("http://us%20er:p%40ss%3Aw@p.example", &options, &rv);
    expect_fields(proxy, "X-Team: a\r\nProxy-Authorization: Basic dXMgZXI6cEBzczp3\r\n", 11);
    ck_assert_ptr_null(rqx_url_userinfo(rqx_proxy_url(proxy)).data);
    rqx_proxy_unref(proxy);
    options.user = "user"; /* wins over the URL's */
    options.password = "pass";
    proxy = make("http://other:one@p.example", &options, &rv);
    expect_fields(proxy, "X-Team: a\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n", 11);
    rqx_proxy_unref(proxy);
    /* a field of the user's wins over both, and stands last */
    ck_assert_int_eq(rqx_headers_add(headers, "Proxy-Authorization", 19, "Bearer t", 8), 0);
    ck_assert_int_eq(rqx_headers_add(headers, "X-Last", 6, "b", 1), 0);
    proxy = make("https://other:one@p.example", &options, &rv);
    expect_fields(proxy, "X-Team: a\r\nX-Last: b\r\nProxy-Authorization: Bearer t\r\n", 22);
    rqx_proxy_unref(proxy);
    rqx_headers_free(headers);
}
END_TEST

static void expect_password(const rqx_proxy *proxy, const char *user, const char *password)
{
    ck_assert_uint_eq(proxy->fields_len, 0);
    ck_assert_uint_eq(proxy->user_len, strlen(user));
    ck_assert_uint_eq(proxy->password_len, strlen(password));
    ck_assert_mem_eq(proxy->user, user, strlen(user));
    ck_assert_mem_eq(proxy->user + strlen(user), password, strlen(password));
}

START_TEST(a_socks_proxy_has_user_and_password_as_they_are)
{
    char longest[257];
    rqx_proxy_options options;
    rqx_proxy *proxy;
    int rv;

    proxy = make("socks5://us%20er:p%40ss%3Aw@p.example", NULL, &rv);
    expect_password(proxy, "us er", "p@ss:w");
    ck_assert_ptr_null(rqx_url_userinfo(rqx_proxy_url(proxy)).data);
    rqx_proxy_unref(proxy);
    proxy = make("socks5h://user@p.example", NULL, &rv);
    expect_password(proxy, "user", "");
    rqx_proxy_unref(proxy);
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    rqx_proxy_options_init(&options);
    options.user = longest;
    options.password = longest;
    proxy = make("socks5h://other:one@p.example", &options, &rv);
    expect_password(proxy, longest, longest);
    rqx_proxy_unref(proxy);
    longest[255] = 'x';
    longest[256] = '\0';
    make("socks5h://p.example", &options, &rv);
    ck_assert_int_eq(rv, RQX_ERR_INVALID_ARGUMENT);
    options.user = "user";
    make("socks5h://p.example", &options, &rv);
    ck_assert_int_eq(rv, RQX_ERR_INVALID_ARGUMENT);
    options.password = NULL;
    proxy = make("socks5://p.example", &options, &rv);
    expect_password(proxy, "user", "");
    rqx_proxy_unref(proxy);
}
END_TEST

START_TEST(it_is_counted)
{
    rqx_tls *tls = NULL;
    rqx_proxy_options options;
    rqx_proxy *proxy;
    int rv;

    ck_assert_int_eq(rqx_tls_new(NULL, &tls), 0);
    rqx_proxy_options_init(&options);
    options.tls = tls;
    proxy = make("https://p.example", &options, &rv);
    ck_assert_ptr_eq(proxy->tls, tls);
    rqx_tls_unref(tls);
    ck_assert_ptr_eq(rqx_proxy_ref(proxy), proxy);
    rqx_proxy_unref(proxy);
    ck_assert_ptr_eq(proxy->tls, tls);
    rqx_proxy_unref(proxy);
    rqx_proxy_unref(NULL);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(each_allocation_may_fail)
{
    static const char *const urls[] = {"http://us%20er:pass@p.example", "https://user:pass@p.example",
                                       "socks5://us%20er:pass@p.example"};
    size_t i;

    for (i = 0; i < COUNT(urls); i++) {
        rqx_proxy *proxy = NULL;
        rqx_url *url = NULL;
        unsigned long n;
        int rv = RQX_ERR_NOMEM;

        ck_assert_int_eq(rqx_url_parse(urls[i], strlen(urls[i]), NULL, &url), 0);
        for (n = 1; rv == RQX_ERR_NOMEM; n++) {
            rqx__mem_fail_at(n, 0);
            rv = rqx_proxy_new(url, NULL, &proxy);
            rqx__mem_fail_at(0, 0);
        }
        ck_assert_int_eq(rv, 0);
        ck_assert_uint_gt(n, 4);
        rqx_proxy_unref(proxy);
        rqx_url_unref(url);
    }
}
END_TEST
#endif

static Suite *proxy_suite(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tcase = rqx_add_case(suite, "proxy");

    tcase_add_test(tcase, a_scheme_says_what_kind_it_is);
    tcase_add_test(tcase, what_is_no_proxy_is_refused);
    tcase_add_test(tcase, an_http_proxy_has_fields);
    tcase_add_test(tcase, a_socks_proxy_has_user_and_password_as_they_are);
    tcase_add_test(tcase, it_is_counted);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, each_allocation_may_fail);
#endif
    return suite;
}

RQX_CHECK_MAIN(proxy_suite)
