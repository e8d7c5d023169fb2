#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/noproxy.h"
#include "support.h"

static void clear_environment(void)
{
    static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
                                        "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "REQUEST_METHOD"};
    size_t i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

START_TEST(the_environment_names_proxies)
{
    ck_assert_ptr_null(rqx__env_proxy("http"));
    ck_assert_ptr_null(rqx__env_no_proxy());
    set("ALL_PROXY", "all:1");
    ck_assert_str_eq(rqx__env_proxy("http"), "all:1");
    set("all_proxy", "all:2");
    ck_assert_str_eq(rqx__env_proxy("https"), "all:2");
    set("HTTP_PROXY", "http:1");
    ck_assert_str_eq(rqx__env_proxy("http"), "http:1");
    ck_assert_str_eq(rqx__env_proxy("https"), "all:2");
    set("http_proxy", "http:2");
    ck_assert_str_eq(rqx__env_proxy("http"), "http:2");
    set("HTTPS_PROXY", "https:1");
    ck_assert_str_eq(rqx__env_proxy("https"), "https:1");
    set("NO_PROXY", "a");
    ck_assert_str_eq(rqx__env_no_proxy(), "a");
    set("no_proxy", "b");
    ck_assert_str_eq(rqx__env_no_proxy(), "b");
    ck_assert_str_eq(rqx__env_proxy("a-very-long-scheme"), "all:2");
}
END_TEST

START_TEST(an_empty_variable_switches_off)
{
    set("HTTPS_PROXY", "https:1");
    set("https_proxy", "");
    ck_assert_ptr_null(rqx__env_proxy("https"));
    set("ALL_PROXY", "all:1");
    ck_assert_str_eq(rqx__env_proxy("https"), "all:1");
    set("all_proxy", "");
    ck_assert_ptr_null(rqx__env_proxy("https"));
    set("NO_PROXY", "a");
    set("no_proxy", "");
    ck_assert_ptr_null(rqx__env_no_proxy());
}
END_TEST

/* RFC 3875 section 4.1.18: a "Proxy" field of the request becomes HTTP_PROXY there */
START_TEST(a_cgi_program_does_not_believe_http_proxy)
{
    set("REQUEST_METHOD", "GET");
    set("HTTP_PROXY", "evil:1");
    set("HTTPS_PROXY", "https:1");
    ck_assert_ptr_null(rqx__env_proxy("http"));
    ck_assert_str_eq(rqx__env_proxy("https"), "https:1");
    set("http_proxy", "good:1");
    ck_assert_str_eq(rqx__env_proxy("http"), "good:1");
}
END_TEST

START_TEST(a_value_is_a_url_or_lacks_its_scheme)
{
    static char longer[RQX_URL_MAX * 4 + 2];
    rqx_url *url = NULL;

    ck_assert_int_eq(rqx__env_proxy_url("proxy.example.com:3128", &url), 0);
    ck_assert_str_eq(rqx_url_text(url).data, "http://proxy.example.com:3128");
    rqx_url_unref(url);
    ck_assert_int_eq(rqx__env_proxy_url("https://u:p@proxy/", &url), 0);
    ck_assert_str_eq(rqx_url_text(url).data, "https://u:p@proxy/");
    rqx_url_unref(url);
    url = NULL;
    ck_assert_int_eq(rqx__env_proxy_url("proxy:x", &url), RQX_ERR_INVALID_URL);
    ck_assert_int_eq(rqx__env_proxy_url("http://proxy:x", &url), RQX_ERR_INVALID_URL);
    memset(longer, 'a', sizeof longer - 1);
    ck_assert_int_eq(rqx__env_proxy_url(longer, &url), RQX_ERR_INVALID_URL);
#ifdef RQX_TEST_ALLOC
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__env_proxy_url("proxy", &url), RQX_ERR_NOMEM);
    rqx__mem_fail_at(2, 0);
    ck_assert_int_eq(rqx__env_proxy_url("proxy", &url), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
#endif
    ck_assert_ptr_null(url);
}
END_TEST

static const struct {
    const char *list;
    const char *url;
    int want;
} matches[] = {
    /* none, and all */
    {"", "http://h/", 0},
    {" , ,", "http://h/", 0},
    {"*", "http://h/", 1},
    {"a, * ,b", "http://10.0.0.1/", 1},
    {"*:8080", "http://h:8080/", 1},
    {"*:8080", "http://h/", 0},
    /* names */
    {"example.com", "http://example.com/", 1},
    {"example.com", "https://www.example.com/", 1},
    {"example.com", "https://a.b.example.com:8443/", 1},
    {"example.com", "http://notexample.com/", 0},
    {"example.com", "http://example.com.evil/", 0},
    {"example.com", "http://com/", 0},
    {"EXAMPLE.Com", "http://www.Example.com/", 1},
    {"a,\texample.com ,b", "http://example.com/", 1},
    {"example.com.", "http://example.com/", 1},
    {"example.com", "http://example.com./", 1},
    {".example.com", "http://www.example.com/", 1},
    {".example.com", "http://example.com/", 0},
    {"*.example.com", "http://www.example.com/", 1},
    {"*.example.com", "http://example.com/", 0},
    {"*example.com", "http://example.com/", 1},
    {"*example.com", "http://notexample.com/", 0},
    {".", "http://h./", 0},
    {"m\xc3\xbcller.de", "http://www.m\xc3\xbcller.de/", 1},
    {"\xf0\x9f\x98\x87", "http://h/", 0},
    {"localhost", "http://localhost:8000/", 1},
    {"LOCALHOST", "http://localhost/", 1},
    {"localhost", "http://a.localhost/", 0},
    {".localhost", "http://a.localhost/", 1},
    /* ports */
    {"example.com:8080", "http://example.com:8080/", 1},
    {"example.com:8080", "http://www.example.com:8080/", 1},
    {"example.com:8080", "http://example.com/", 0},
    {"example.com:443", "https://example.com/", 1},
    {"example.com:80", "https://example.com/", 0},
    {"example.com:x", "http://example.com/", 0},
    {"example.com:", "http://example.com/", 0},
    {"example.com:99999", "http://example.com/", 0},
    /* addresses */
    {"127.0.0.1", "http://127.0.0.1/", 1},
    {"127.0.0.1", "http://127.0.0.2/", 0},
    {"127.0.0.1:81", "http://127.0.0.1:81/", 1},
    {"127.0.0.1:81", "http://127.0.0.1/", 0},
    {"0.1", "http://127.0.0.1/", 0},
    {"::1", "http://[::1]/", 1},
    {"[::1]", "http://[::1]/", 1},
    {"[::1]:81", "http://[::1]:81/", 1},
    {"[::1]:81", "http://[::1]/", 0},
    {"0:0::0:1", "http://[::1]/", 1},
    {"2001:DB8::1", "http://[2001:db8:0::1]/", 1},
    {"::2", "http://[::1]/", 0},
    {"fe80::1", "http://[fe80::1%eth0]/", 1},
    {"fe80::1%eth0", "http://[fe80::1]/", 1},
    {"127.0.0.1", "http://[::ffff:127.0.0.1]/", 1},
    {"::ffff:127.0.0.1", "http://127.0.0.1/", 1},
    {"127.0.0.1", "http://localhost/", 0},
    {"[::1", "http://[::1]/", 0},
    {"[::1]x", "http://[::1]/", 0},
    /* blocks */
    {"10.0.0.0/8", "http://10.255.0.1/", 1},
    {"10.0.0.0/8", "http://11.0.0.1/", 0},
    {"10.1.2.3/8", "http://10.9.9.9/", 1},
    {"192.168.0.0/20", "http://192.168.15.255/", 1},
    {"192.168.0.0/20", "http://192.168.16.0/", 0},
    {"192.168.1.1/32", "http://192.168.1.1/", 1},
    {"192.168.1.1/32", "http://192.168.1.0/", 0},
    {"0.0.0.0/0", "http://1.2.3.4/", 1},
    {"0.0.0.0/0", "http://[::1]/", 0},
    {"0.0.0.0/0", "http://h/", 0},
    {"10.0.0.0/33", "http://10.0.0.0/", 0},
    {"10.0.0.0/", "http://10.0.0.0/", 0},
    {"10.0.0.0/x", "http://10.0.0.0/", 0},
    {"10.0.0.0/8:8080", "http://10.0.0.1:8080/", 1},
    {"10.0.0.0/8:8080", "http://10.0.0.1/", 0},
    {"fd00::/8", "http://[fdff::1]/", 1},
    {"fd00::/8", "http://[fe00::1]/", 0},
    {"fd00::/8:81", "http://[fd00::1]:81/", 1},
    {"fd00::/8:81", "http://[fd00::1]/", 0},
    {"[fd00::/8]", "http://[fd00::1]/", 1},
    {"[fd00::/8]:81", "http://[fd00::1]:81/", 1},
    {"[fd00::]/8", "http://[fd00::1]/", 1},
    {"[fd00::]/8:81", "http://[fd00::1]:80/", 0},
    {"::/0", "http://[fd00::1]/", 1},
    {"::/0", "http://10.0.0.1/", 0},
    {"::1/129", "http://[::1]/", 0},
    {"::ffff:10.0.0.0/104", "http://10.9.9.9/", 1},
    {"example.com/8", "http://example.com/", 0},
    /* schemes */
    {"https://example.com", "https://example.com/", 1},
    {"https://example.com", "http://example.com/", 0},
    {"https://example.com", "https://www.example.com/", 0},
    {"https://*.example.com", "https://www.example.com/", 1},
    {"https://*example.com", "https://example.com/", 1},
    {"HTTPS://Example.com/", "https://example.com/", 1},
    {"https://example.com:444", "https://example.com:444/", 1},
    {"https://example.com:444", "https://example.com/", 0},
    {"all://example.com", "https://example.com/", 1},
    {"https://", "https://h/", 1},
    {"https://", "http://h/", 0},
    {"https://*", "https://h/", 1},
    {"https://10.0.0.0/8", "https://10.1.1.1/", 1},
};

START_TEST(the_list_is_matched)
{
    size_t i;

    for (i = 0; i < sizeof matches / sizeof matches[0]; i++) {
        rqx_url *url = NULL;

        ck_assert_int_eq(rqx_url_parse(matches[i].url, strlen(matches[i].url), NULL, &url), 0);
        ck_assert_msg(rqx__no_proxy_match(matches[i].list, url) == matches[i].want, "'%s' and %s", matches[i].list,
                      matches[i].url);
        rqx_url_unref(url);
    }
}
END_TEST

START_TEST(no_list_and_no_host_match_nothing)
{
    rqx_url *url = NULL;

    ck_assert_int_eq(rqx_url_parse("http://h/", 9, NULL, &url), 0);
    ck_assert(!rqx__no_proxy_match(NULL, url));
    rqx_url_unref(url);
    ck_assert_int_eq(rqx_url_parse("/path", 5, NULL, &url), 0);
    ck_assert(!rqx__no_proxy_match("h,1.2.3.4,::1,.", url));
    rqx_url_unref(url);
}
END_TEST

static Suite *noproxy_suite(void)
{
    Suite *suite = suite_create("noproxy");
    TCase *tcase = rqx_add_case(suite, "environment");

    tcase_add_checked_fixture(tcase, clear_environment, clear_environment);
    tcase_add_test(tcase, the_environment_names_proxies);
    tcase_add_test(tcase, an_empty_variable_switches_off);
    tcase_add_test(tcase, a_cgi_program_does_not_believe_http_proxy);
    tcase_add_test(tcase, a_value_is_a_url_or_lacks_its_scheme);
    tcase = rqx_add_case(suite, "list");
    tcase_add_test(tcase, the_list_is_matched);
    tcase_add_test(tcase, no_list_and_no_host_match_nothing);
    return suite;
}

RQX_CHECK_MAIN(noproxy_suite)
