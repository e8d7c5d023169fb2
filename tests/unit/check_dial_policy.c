/*
 * check_dial_policy.c - that no dial reaches an address which the policy does not allow, whoever named it.
 */
#include "support.h"

#include <requestx/address.h>
#include <requestx/client.h>

#include "dial_run.h"

static rqx_address_policy *policy_of(rqx_address_base base, const char *allow, const char *deny)
{
    rqx_address_policy *policy = NULL;

    ck_assert_int_eq(rqx_address_policy_new(base, &policy), 0);
    if (allow != NULL)
        ck_assert_int_eq(rqx_address_policy_allow(policy, allow), 0);
    if (deny != NULL)
        ck_assert_int_eq(rqx_address_policy_deny(policy, deny), 0);
    return policy;
}

START_TEST(addresses_that_are_not_allowed_are_left_out)
{
    static const char *const resolve[] = {"two.example=127.0.0.1,127.0.0.2", "in.example=10.1.1.1,::1", NULL};
    rqx_address_policy *policy = policy_of(RQX_ADDRESS_ANY, NULL, "127.0.0.1");
    struct rqx__dial_target target;
    struct outcome outcome;
    char text[300];
    int port = 0;
    int listener = listen_on(AF_INET, &port); /* on 127.0.0.1, which 127.0.0.2 is not */

    start_resolver(resolve, NULL, 0);
    target = target_of("127.0.0.1", port);
    target.address_policy = policy;
    snprintf(text, sizeof text, "connect to 127.0.0.1:%d: address not allowed (127.0.0.1:%d)", port, port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    /* where one that is allowed fails, that is what is told, and the other beside it */
    target = target_of("two.example", port);
    target.address_policy = policy;
    snprintf(text, sizeof text,
             "connect to two.example:%d: address not allowed (127.0.0.1:%d); connection refused (127.0.0.2:%d)", port,
             port, port);
    expect_failure(&target, RQX_ERR_CONNECT, text);
    rqx_address_policy_free(policy);
    policy = policy_of(RQX_ADDRESS_PUBLIC, NULL, NULL);
    target = target_of("in.example", port);
    target.address_policy = policy;
    snprintf(text, sizeof text, "connect to in.example:%d: address not allowed ([::1]:%d, 10.1.1.1:%d)", port, port,
             port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    rqx_address_policy_free(policy);
    policy = policy_of(RQX_ADDRESS_PUBLIC, "127.0.0.1", NULL);
    target = target_of("two.example", port);
    target.address_policy = policy;
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    rqx__wire_free(outcome.wire);
    rqx_address_policy_free(policy);
    ck_assert_int_eq(accept(listener, NULL, NULL) >= 0, 1);
    close(listener);
}
END_TEST

START_TEST(a_family_that_is_not_allowed_does_not_hide_the_other)
{
    static const struct dns_rule rules[] = {{"both.example", DNS_A, DNS_ANSWER, 300, 1, 1},
                                            {"both.example", DNS_AAAA, DNS_NODATA, 0, 0, 0}};
    rqx_address_policy *policy = policy_of(RQX_ADDRESS_NONE, "::/0", NULL);
    struct rqx__dial_target target;
    struct outcome outcome;

    start_resolver(NULL, rules, COUNT(rules));
    target = target_of("both.example", 80);
    target.address_policy = policy;
    dial(&target, &outcome);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_ADDRESS_DENIED);
    ck_assert_ptr_nonnull(strstr(outcome.err.text, "connect to both.example:80: address not allowed ("));
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(a_path_is_an_address_too)
{
    rqx_address_policy *policy = policy_of(RQX_ADDRESS_PUBLIC, NULL, NULL);
    struct rqx__dial_target target = target_of("api.example", 80);

    start_resolver(NULL, NULL, 0);
    target.unix_path = SLICE("/tmp/no-such-socket");
    target.address_policy = policy;
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED,
                   "connect to api.example:80 at unix:/tmp/no-such-socket: address not allowed");
    rqx_address_policy_free(policy);
    policy = policy_of(RQX_ADDRESS_PUBLIC, "unix", NULL);
    target.address_policy = policy;
    expect_failure(&target, RQX_ERR_CONNECT,
                   "connect to api.example:80 at unix:/tmp/no-such-socket: no such file or directory");
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(a_proxy_has_an_address_and_may_be_given_one)
{
    static const char *const resolve[] = {"proxy.example=127.0.0.1", NULL};
    rqx_address_policy *policy = policy_of(RQX_ADDRESS_PUBLIC, NULL, NULL);
    struct rqx__dial_target target = target_of("example.org", 80);
    struct outcome outcome;
    char text[200];
    int port = 0;
    int listener = listen_on(AF_INET, &port);

    start_resolver(resolve, NULL, 0);
    target.proxy_host = SLICE("proxy.example");
    target.proxy_port = port;
    target.address_policy = policy;
    snprintf(text, sizeof text,
             "connect to proxy proxy.example:%d for example.org:80: address not allowed (127.0.0.1:%d)", port, port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    rqx_address_policy_free(policy);
    /* the proxy is allowed; what it is asked to connect to may not be */
    policy = policy_of(RQX_ADDRESS_PUBLIC, "127.0.0.1", NULL);
    target.address_policy = policy;
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    rqx__wire_free(outcome.wire);
    target.host = SLICE("169.254.169.254");
    snprintf(text, sizeof text, "connect to 169.254.169.254:80 through proxy proxy.example:%d: address not allowed",
             port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    target.route = RQX__ROUTE_CONNECT;
    target.host = SLICE("0xa9fea9fe");
    snprintf(text, sizeof text, "connect to 0xa9fea9fe:80 through proxy proxy.example:%d: address not allowed", port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    rqx_address_policy_free(policy);
    close(listener);
}
END_TEST

static Suite *dial_policy_suite(void)
{
    const TTest *const tests[] = {
        addresses_that_are_not_allowed_are_left_out,
        a_family_that_is_not_allowed_does_not_hide_the_other,
        a_path_is_an_address_too,
        a_proxy_has_an_address_and_may_be_given_one,
    };
    Suite *suite = suite_create("dial_policy");

    add_tests(rqx_add_case(suite, "policies"), tests, COUNT(tests), set_up, tear_down);
    return suite;
}

RQX_CHECK_MAIN(dial_policy_suite)
