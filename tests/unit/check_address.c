/*
 * check_address.c - which addresses a policy allows: the registry of special purposes, rules, and numbers in disguise.
 */
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <requestx/address.h>

#include "base/mem.h"
#include "net/address.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static rqx_address_policy *make(rqx_address_base base)
{
    rqx_address_policy *policy = NULL;

    ck_assert_int_eq(rqx_address_policy_new(base, &policy), 0);
    return policy;
}

static void expect(const rqx_address_policy *policy, int allowed, const char *const *list)
{
    for (; *list != NULL; list++)
        ck_assert_msg(rqx_address_policy_allows(policy, *list) == allowed, "%s", *list);
}

/* ---- the public internet ---- */

START_TEST(what_is_of_the_public_internet)
{
    static const char *const public[] = {"1.1.1.1",         "8.8.8.8",
                                         "9.255.255.255",   "11.0.0.0",
                                         "100.63.255.255",  "100.128.0.0",
                                         "126.255.255.255", "128.0.0.0",
                                         "169.253.255.255", "169.255.0.0",
                                         "172.15.255.255",  "172.32.0.0",
                                         "192.0.0.9",       "192.0.0.10",
                                         "192.0.1.0",       "192.0.3.0",
                                         "192.31.196.1",    "192.52.193.1",
                                         "192.167.255.255", "192.169.0.0",
                                         "192.175.48.1",    "198.17.255.255",
                                         "198.20.0.0",      "198.51.101.0",
                                         "203.0.112.255",   "203.0.114.0",
                                         "223.255.255.255", "2001:4860:4860::8888",
                                         "2606:4700::1111", "2001:200::1",
                                         "2001:1::1",       "2001:1::2",
                                         "2001:3::1",       "2001:4:112::1",
                                         "2001:20::1",      "2001:30::1",
                                         "2620:4f:8000::1", "3ffe::1",
                                         "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
                                         "2002:808:808::1", NULL};
    static const char *const other[] = {"0.0.0.0",
                                        "0.1.2.3",
                                        "10.0.0.1",
                                        "10.255.255.255",
                                        "100.64.0.1",
                                        "100.127.255.255",
                                        "127.0.0.1",
                                        "127.255.255.254",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.0.0.1",
                                        "192.0.0.8",
                                        "192.0.0.170",
                                        "192.0.2.1",
                                        "192.88.99.1",
                                        "192.168.0.1",
                                        "198.18.0.1",
                                        "198.19.255.255",
                                        "198.51.100.1",
                                        "203.0.113.1",
                                        "224.0.0.1",
                                        "239.255.255.255",
                                        "240.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::2",
                                        "::127.0.0.1",
                                        "::8.8.8.8",
                                        "100::1",
                                        "100:0:0:1::1",
                                        "64:ff9b:1::1",
                                        "2001::1",
                                        "2001:2::1",
                                        "2001:10::1",
                                        "2001:db8::1",
                                        "3fff::1",
                                        "3fff:fff::1",
                                        "4000::1",
                                        "5f00::1",
                                        "fc00::1",
                                        "fd12:3456::1",
                                        "fe80::1",
                                        "febf::1",
                                        "fec0::1",
                                        "ff02::1",
                                        "::ffff:127.0.0.1",
                                        "::ffff:0.0.0.0",
                                        "::ffff:169.254.169.254",
                                        "64:ff9b::127.0.0.1",
                                        "64:ff9b::a9fe:a9fe",
                                        "2002:7f00:1::1",
                                        "2002:a00:1::",
                                        "unix",
                                        NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_PUBLIC);

    expect(policy, 1, public);
    expect(policy, 0, other);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(rules_make_exceptions_from_the_public)
{
    static const char *const allowed[] = {"10.1.2.3", "fd00::7", "1.1.1.1", "unix", NULL};
    static const char *const denied[] = {"10.1.3.3", "8.8.8.8", "2001:4860::1", "64:ff9b::8.8.8.8", "fd00::8", NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_PUBLIC);

    ck_assert_int_eq(rqx_address_policy_allow(policy, "10.1.2.0/24"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "fd00::7"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "unix"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "8.0.0.0/8"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "2001:4860::/32"), 0);
    expect(policy, 1, allowed);
    expect(policy, 0, denied);
    rqx_address_policy_free(policy);
}
END_TEST

/* ---- rules ---- */

START_TEST(the_base_decides_where_no_rule_does)
{
    rqx_address_policy *any = make(RQX_ADDRESS_ANY);
    rqx_address_policy *none = make(RQX_ADDRESS_NONE);
    static const char *const list[] = {"127.0.0.1", "0.0.0.0", "::", "8.8.8.8", "fe80::1", "unix", NULL};

    expect(any, 1, list);
    expect(none, 0, list);
    rqx_address_policy_free(any);
    rqx_address_policy_free(none);
    any = NULL;
    ck_assert_int_eq(rqx_address_policy_new((rqx_address_base)3, &any), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(any);
    rqx_address_policy_free(NULL);
}
END_TEST

START_TEST(the_longest_prefix_decides)
{
    static const char *const allowed[] = {"10.1.0.1", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8:1::1", NULL};
    static const char *const denied[] = {"10.0.0.1", "10.1.2.4", "11.0.0.1", "10.1.2.2", "2001:db8::1", "::1", NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_NONE);

    ck_assert_int_eq(rqx_address_policy_allow(policy, "10.1.2.3/32"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "10.0.0.0/8"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "10.1.0.0/16"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "10.1.2.0/24"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "2001:db8:1::/48"), 0);
    expect(policy, 1, allowed);
    expect(policy, 0, denied);
    /* of two alike the one that denies, in whatever order they came */
    ck_assert_int_eq(rqx_address_policy_allow(policy, "10.1.2.2"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "10.1.2.2"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "10.1.2.2"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "unix"), 0);
    expect(policy, 0, denied);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "unix"), 1);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "unix"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "unix"), 0);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(prefixes_that_end_within_a_byte)
{
    static const char *const denied[] = {"172.16.0.0", "172.31.255.255", "fe80::1", "febf:ffff::1", "255.0.0.1", NULL};
    static const char *const allowed[] = {"172.15.255.255", "172.32.0.0", "fe7f::1", "fec0::1", "127.0.0.1", NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);

    ck_assert_int_eq(rqx_address_policy_deny(policy, "172.16.0.0/12"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "fe80::/10"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "128.0.0.0/1"), 0);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "174.0.0.0/6"), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_allow(policy, "168.0.0.0/5"), 0);
    expect(policy, 0, denied);
    expect(policy, 1, allowed);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(everything_may_be_denied)
{
    static const char *const list[] = {"0.0.0.0", "1.2.3.4", "255.255.255.255", "::", "::1", "2001::1", NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);

    ck_assert_int_eq(rqx_address_policy_deny(policy, "0.0.0.0/0"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "::/0"), 0);
    expect(policy, 0, list);
    rqx_address_policy_free(policy);
}
END_TEST

/* What an IPv6 address carries, and where "any address" leads, is asked about too. */
START_TEST(addresses_in_disguise)
{
    static const char *const denied[] = {
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::5",
        "2001:0:7f00:1::1",             /* Teredo: the server */
        "2001:0:808:808:0:0:80ff:fffe", /* and the client, 127.0.0.1 with each bit turned */
        NULL};
    static const char *const allowed[] = {
        "::2:1",   "64:ff9b::8.8.8.8",   "2002:808:808::1",      "2001:0:808:808::f7f7:f7f7",
        "8.8.8.8", "64:ff9a::127.0.0.1", "64:ff9b:1::127.0.0.1", NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);

    ck_assert_int_eq(rqx_address_policy_deny(policy, "127.0.0.0/8"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "::1"), 0);
    expect(policy, 0, denied);
    expect(policy, 1, allowed);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(a_mapped_network_is_one_of_ipv4)
{
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);

    ck_assert_int_eq(rqx_address_policy_deny(policy, "::ffff:10.0.0.0/104"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "10.9.9.9"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "::ffff:10.9.9.9"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "11.0.0.0"), 1);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(what_is_no_rule)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8 ",
                                      " 10.0.0.0/8",
                                      "10.0.0.0/8/8",
                                      "10.0.0/8",
                                      "10.0.0.1/8",
                                      "10.0.0.0/255.0.0.0",
                                      "0x7f.0.0.1",
                                      "::/129",
                                      "2001:db8::1/32",
                                      "fe80::1%lo",
                                      "fe80::%1/10",
                                      "[::1]",
                                      "localhost",
                                      "unix:/run/x",
                                      "UNIX",
                                      "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128000000000000000",
                                      NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);
    size_t i;

    for (i = 0; bad[i] != NULL; i++) {
        ck_assert_msg(rqx_address_policy_deny(policy, bad[i]) == RQX_ERR_INVALID_ARGUMENT, "%s", bad[i]);
        ck_assert_msg(rqx_address_policy_allow(policy, bad[i]) == RQX_ERR_INVALID_ARGUMENT, "%s", bad[i]);
    }
    ck_assert_int_eq(rqx_address_policy_deny(policy, NULL), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_deny(NULL, "::1"), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "localhost"), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_allows(policy, NULL), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_allows(NULL, "::1"), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "127.0.0.1"), 1);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(rules_have_a_maximum)
{
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);
    char text[32];
    unsigned i;

    for (i = 0; i < RQX_ADDRESS_RULES_MAX; i++) {
        snprintf(text, sizeof text, "10.%u.%u.0/24", i >> 8, i & 255);
        ck_assert_int_eq(rqx_address_policy_deny(policy, text), 0);
    }
    ck_assert_int_eq(rqx_address_policy_deny(policy, "11.0.0.0/8"), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "10.255.255.1"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "11.0.0.1"), 1);
    rqx_address_policy_free(policy);
}
END_TEST

/* ---- what the library asks ---- */

START_TEST(addresses_of_sockets)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr other = {.sa_family = AF_PACKET};
    rqx_address_policy *policy = make(RQX_ADDRESS_PUBLIC);

    inet_pton(AF_INET, "10.0.0.1", &in.sin_addr);
    inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
    in6.sin6_scope_id = 1;
    ck_assert(!rqx__address_policy_allows(policy, (struct sockaddr *)&in));
    ck_assert(!rqx__address_policy_allows(policy, (struct sockaddr *)&in6));
    ck_assert(!rqx__address_policy_allows(policy, (struct sockaddr *)&un));
    ck_assert(!rqx__address_policy_allows(policy, &other));
    ck_assert(rqx__address_policy_allows(NULL, (struct sockaddr *)&in));
    inet_pton(AF_INET, "1.1.1.1", &in.sin_addr);
    inet_pton(AF_INET6, "2606:4700::1", &in6.sin6_addr);
    ck_assert(rqx__address_policy_allows(policy, (struct sockaddr *)&in));
    ck_assert(rqx__address_policy_allows(policy, (struct sockaddr *)&in6));
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(hosts_that_are_numbers)
{
    static const char *const denied[] = {"127.0.0.1",    "127.0.0.1.",       "127.1",     "0x7f000001", "2130706433",
                                         "017700000001", "0x7f.1",           "0",         "::1",        "fe80::1%eth0",
                                         "fe80::1",      "fe80::1%nosuchif", "localhost", "LOCALHOST.", "a.localhost",
                                         "10.0.0.1",     "::ffff:a00:1",     NULL};
    static const char *const allowed[] = {
        "example.org",        "8.8.8.8",      "134744072", "2606:4700::1", "",  ".", "localhost.example",
        "0x7f000001.example", "notlocalhost", "1.2.3.4.5", "99999999999",  NULL};
    rqx_address_policy *policy = make(RQX_ADDRESS_PUBLIC);
    char long_name[400];
    size_t i;

    for (i = 0; denied[i] != NULL; i++)
        ck_assert_msg(!rqx__address_policy_allows_host(policy, denied[i], strlen(denied[i])), "%s", denied[i]);
    for (i = 0; allowed[i] != NULL; i++)
        ck_assert_msg(rqx__address_policy_allows_host(policy, allowed[i], strlen(allowed[i])), "%s", allowed[i]);
    ck_assert(rqx__address_policy_allows_host(NULL, "127.0.0.1", 9));
    memset(long_name, '1', sizeof long_name);
    ck_assert(rqx__address_policy_allows_host(policy, long_name, sizeof long_name));
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(a_copy_is_another)
{
    rqx_address_policy *policy = make(RQX_ADDRESS_ANY);
    rqx_address_policy *copy = NULL;

    ck_assert_int_eq(rqx__address_policy_copy(policy, &copy), 0);
    ck_assert_int_eq(rqx_address_policy_allows(copy, "10.0.0.1"), 1);
    rqx_address_policy_free(copy);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "10.0.0.0/8"), 0);
    ck_assert_int_eq(rqx__address_policy_copy(policy, &copy), 0);
    ck_assert_int_eq(rqx_address_policy_deny(copy, "11.0.0.0/8"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(policy, "11.0.0.1"), 1);
    rqx_address_policy_free(policy);
    ck_assert_int_eq(rqx_address_policy_allows(copy, "10.0.0.1"), 0);
    ck_assert_int_eq(rqx_address_policy_allows(copy, "11.0.0.1"), 0);
    rqx_address_policy_free(copy);
}
END_TEST

#ifdef RQX_TEST_ALLOC
static int scenario(void)
{
    static const char *const rules[] = {"10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8", "13.0.0.0/8", "14.0.0.0/8",
                                        "15.0.0.0/8", "16.0.0.0/8", "17.0.0.0/8", "18.0.0.0/8"};
    rqx_address_policy *policy = NULL;
    rqx_address_policy *copy = NULL;
    size_t i;
    int rc = rqx_address_policy_new(RQX_ADDRESS_PUBLIC, &policy);

    for (i = 0; rc == 0 && i < COUNT(rules); i++)
        rc = rqx_address_policy_allow(policy, rules[i]);
    if (rc == 0)
        rc = rqx__address_policy_copy(policy, &copy);
    rqx_address_policy_free(policy);
    rqx_address_policy_free(copy);
    return rc;
}

START_TEST(each_allocation_may_fail)
{
    unsigned long n;
    bool done = false;

    for (n = 1; !done; n++) {
        int rc;

        rqx__mem_fail_at(n, 0);
        rc = scenario();
        done = rqx__mem_count() < n;
        rqx__mem_fail_at(0, 0);
        ck_assert_int_eq(rc, done ? 0 : RQX_ERR_NOMEM);
    }
    ck_assert_uint_eq(n, 7);
}
END_TEST
#endif

static Suite *address_suite(void)
{
    const TTest *const tests[] = {
        what_is_of_the_public_internet,
        rules_make_exceptions_from_the_public,
        the_base_decides_where_no_rule_does,
        the_longest_prefix_decides,
        prefixes_that_end_within_a_byte,
        everything_may_be_denied,
        addresses_in_disguise,
        a_mapped_network_is_one_of_ipv4,
        what_is_no_rule,
        rules_have_a_maximum,
        addresses_of_sockets,
        hosts_that_are_numbers,
        a_copy_is_another,
#ifdef RQX_TEST_ALLOC
        each_allocation_may_fail,
#endif
    };
    Suite *suite = suite_create("address");
    TCase *tcase = rqx_add_case(suite, "policies");
    size_t i;

    for (i = 0; i < COUNT(tests); i++)
        tcase_add_test(tcase, tests[i]);
    return suite;
}

RQX_CHECK_MAIN(address_suite)
