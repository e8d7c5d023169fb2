/*
 * check_dial_proxy.c - dialling through SOCKS5 proxies and through proxies that are spoken to over TLS: what they are
 * asked, in which order, and how a failure is told.
 */
#include "support.h"

#include <requestx/client.h>
#include <requestx/tls.h>

#include <requestx/address.h>

#include "dial_run.h"
#include "dial_support.h"

/* A SOCKS5 proxy that gives one answer to each connection in turn. */
struct socks_proxy {
    int listener;
    int port;
    const uint8_t *codes; /* of the answers; 0: connected, 0xff: it hangs */
    unsigned count;       /* of the connections; 0: any, which is code 5 to every other */
    char asked[8][80];    /* what it was asked for: "4 127.0.0.1:80", "6 ::1:80", "n name:80" */
    atomic_uint served;
    pthread_t thread;
};

static bool read_target(int fd, uint8_t type, char *text, size_t size)
{
    uint8_t bytes[256 + 2];
    char address[INET6_ADDRSTRLEN];
    uint8_t name_len = 0;
    size_t len = type == 1 ? 4 : 16;

    if (type == 3 && !get_all(fd, &name_len, 1))
        return false;
    if (type == 3)
        len = name_len;
    if (!get_all(fd, bytes, len + 2))
        return false;
    if (type == 3)
        snprintf(text, size, "n %.*s:%d", (int)len, (const char *)bytes, bytes[len] << 8 | bytes[len + 1]);
    else
        snprintf(text, size, "%s %s:%d", type == 1 ? "4" : "6",
                 inet_ntop(type == 1 ? AF_INET : AF_INET6, bytes, address, sizeof address),
                 bytes[len] << 8 | bytes[len + 1]);
    return true;
}

/* Whoever offers credentials is asked for them: RFC 1929. */
static bool greet(int fd)
{
    uint8_t bytes[11];

    if (!get_all(fd, bytes, 3))
        return false;
    if (memcmp(bytes, "\5\1\0", 3) == 0)
        return put_all(fd, "\5\0", 2);
    return memcmp(bytes, "\5\2\0", 3) == 0 && get_all(fd, bytes, 1) && bytes[0] == 2 && put_all(fd, "\5\2", 2) &&
           get_all(fd, bytes, 11) && memcmp(bytes, "\1\4user\4pass", 11) == 0 && put_all(fd, "\1\0", 2);
}

static void serve_socks(struct socks_proxy *proxy, int fd, uint8_t code, char *asked, size_t size)
{
    uint8_t answer[10] = {5, code, 0, 1};
    uint8_t bytes[4];

    if (!greet(fd))
        return;
    if (!get_all(fd, bytes, 4) || memcmp(bytes, "\5\1\0", 3) != 0 || !read_target(fd, bytes[3], asked, size))
        return;
    proxy->served++;
    if (code != 0xff)
        put_all(fd, answer, sizeof answer);
    if (code == 0 || code == 0xff)
        get_all(fd, bytes, 1); /* until it is closed */
}

static void *socks_thread(void *user)
{
    struct socks_proxy *proxy = user;
    unsigned i;

    for (i = 0; i < proxy->count || proxy->count == 0; i++) {
        unsigned at = proxy->count == 0 ? 0 : i;
        int fd = accept(proxy->listener, NULL, NULL);

        if (fd < 0)
            break;
        serve_socks(proxy, fd, proxy->count == 0 ? (i & 1 ? 0 : 5) : proxy->codes[i], proxy->asked[at],
                    sizeof proxy->asked[at]);
        close(fd);
    }
    return NULL;
}

static void start_socks(struct socks_proxy *proxy, const char *codes, unsigned count)
{
    memset(proxy, 0, sizeof *proxy);
    proxy->listener = listen_on(AF_INET, &proxy->port);
    proxy->codes = (const uint8_t *)codes;
    proxy->count = count;
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, socks_thread, proxy), 0);
}

static void stop_socks(struct socks_proxy *proxy)
{
    if (proxy->count == 0)
        shutdown(proxy->listener, SHUT_RDWR);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
}

static struct rqx__dial_target socks_target(const char *host, int port, const struct socks_proxy *proxy,
                                            enum rqx__dial_route route)
{
    struct rqx__dial_target target = target_of(host, port);

    target.proxy_host = SLICE("127.0.0.1");
    target.proxy_port = proxy->port;
    target.route = route;
    return target;
}

static const char *const names[] = {"both.example=127.0.0.5,127.0.0.6,::1,::2", "only6.example=::1",
                                    "denied.example=192.0.2.1", NULL};

START_TEST(the_name_goes_to_the_proxy)
{
    static const struct {
        const char *host;
        const char *asked;
    } cases[] = {
        {"both.example", "n both.example:443"},
        {"nowhere.example", "n nowhere.example:443"}, /* nobody here looks it up */
        {"192.0.2.7", "4 192.0.2.7:443"},
        {"2001:db8::7", "6 2001:db8::7:443"},
    };
    size_t i;

    start_resolver(names, NULL, 0);
    for (i = 0; i < COUNT(cases); i++) {
        struct socks_proxy proxy;
        struct rqx__dial_target target;
        struct outcome outcome;

        start_socks(&proxy, "\0", 1);
        target = socks_target(cases[i].host, 443, &proxy, RQX__ROUTE_SOCKS5H);
        dial(&target, &outcome);
        ck_assert_ptr_nonnull(outcome.wire);
        ck_assert_str_eq(outcome.wire->ops->name, "socks");
        ck_assert_int_eq(outcome.alpn, RQX__ALPN_NONE);
        ck_assert_uint_ge(outcome.times.connected, outcome.times.resolved);
        rqx__wire_free(outcome.wire);
        stop_socks(&proxy);
        ck_assert_str_eq(proxy.asked[0], cases[i].asked);
    }
}
END_TEST

START_TEST(the_proxy_is_told_the_credentials)
{
    struct socks_proxy proxy;
    struct rqx__dial_target target;
    struct outcome outcome;

    start_resolver(names, NULL, 0);
    start_socks(&proxy, "\0", 1);
    target = socks_target("nowhere.example", 443, &proxy, RQX__ROUTE_SOCKS5H);
    target.proxy_user = SLICE("user");
    target.proxy_password = SLICE("pass");
    dial(&target, &outcome);
    ck_assert_msg(outcome.wire != NULL, "%s", outcome.err.text);
    rqx__wire_free(outcome.wire);
    stop_socks(&proxy);
    ck_assert_str_eq(proxy.asked[0], "n nowhere.example:443");
}
END_TEST

/* IPv4 first, then in turns; each refusal ends a connection to the proxy. */
START_TEST(addresses_are_asked_for_one_after_the_other)
{
    struct socks_proxy proxy;
    struct rqx__dial_target target;
    struct outcome outcome;

    start_resolver(names, NULL, 0);
    start_socks(&proxy, "\5\x8\4\0", 4);
    target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    dial(&target, &outcome);
    ck_assert_msg(outcome.wire != NULL, "%s", outcome.err.text);
    rqx__wire_free(outcome.wire);
    stop_socks(&proxy);
    ck_assert_str_eq(proxy.asked[0], "4 127.0.0.5:80");
    ck_assert_str_eq(proxy.asked[1], "6 ::1:80");
    ck_assert_str_eq(proxy.asked[2], "4 127.0.0.6:80");
    ck_assert_str_eq(proxy.asked[3], "6 ::2:80");
}
END_TEST

START_TEST(an_origin_with_one_family_is_asked_for)
{
    static const char *const hosts[][2] = {
        {"only6.example", "6 ::1:80"}, {"127.0.0.9", "4 127.0.0.9:80"}, {"::1", "6 ::1:80"}};
    size_t i;

    start_resolver(names, NULL, 0);
    for (i = 0; i < COUNT(hosts); i++) {
        struct socks_proxy proxy;
        struct rqx__dial_target target;
        struct outcome outcome;

        start_socks(&proxy, "\0", 1);
        target = socks_target(hosts[i][0], 80, &proxy, RQX__ROUTE_SOCKS5);
        dial(&target, &outcome);
        ck_assert_msg(outcome.wire != NULL, "%s", outcome.err.text);
        rqx__wire_free(outcome.wire);
        stop_socks(&proxy);
        ck_assert_str_eq(proxy.asked[0], hosts[i][1]);
    }
}
END_TEST

START_TEST(failures_name_the_proxy_and_each_address)
{
    struct rqx__dial_target target;
    struct socks_proxy proxy;
    char text[400];

    start_resolver(names, NULL, 0);
    start_socks(&proxy, "\5\x8\4\3", 4);
    target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    snprintf(
        text, sizeof text,
        "proxy tunnel to both.example:80 through 127.0.0.1:%d: connection refused (SOCKS code 5) for 127.0.0.5:80; "
        "address type not supported (SOCKS code 8) for [::1]:80; host unreachable (SOCKS code 4) for 127.0.0.6:80; "
        "network unreachable (SOCKS code 3) for [::2]:80",
        proxy.port);
    text[RQX__ERR_TEXT_MAX - 1] = '\0'; /* longer ones are cut */
    expect_failure(&target, RQX_ERR_PROXY_REFUSED, text);
    stop_socks(&proxy);
    start_socks(&proxy, "\7", 1); /* no other address would help */
    target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    snprintf(text, sizeof text,
             "proxy tunnel to both.example:80 through 127.0.0.1:%d: command not supported (SOCKS code 7)", proxy.port);
    expect_failure(&target, RQX_ERR_PROXY_REFUSED, text);
    stop_socks(&proxy);
    start_socks(&proxy, "\4", 1);
    target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5H);
    snprintf(text, sizeof text, "proxy tunnel to both.example:80 through 127.0.0.1:%d: host unreachable (SOCKS code 4)",
             proxy.port);
    expect_failure(&target, RQX_ERR_PROXY_REFUSED, text);
    stop_socks(&proxy);
}
END_TEST

START_TEST(an_origin_that_does_not_resolve_is_not_asked_for)
{
    static const struct dns_rule rules[] = {{"gone.example", DNS_A, DNS_NXDOMAIN, 0, 0, 0},
                                            {"gone.example", DNS_AAAA, DNS_NXDOMAIN, 0, 0, 0}};
    struct socks_proxy nobody = {.port = 1};
    struct rqx__dial_target target = socks_target("gone.example", 80, &nobody, RQX__ROUTE_SOCKS5);

    start_resolver(NULL, rules, COUNT(rules));
    expect_failure(&target, RQX_ERR_NAME_NOT_FOUND, "resolve gone.example: name does not resolve");
    target.host = SLICE("bad name");
    expect_failure(&target, RQX_ERR_RESOLVE, "resolve bad name: name resolution failed");
}
END_TEST

START_TEST(a_proxy_that_is_not_there_is_told)
{
    struct socks_proxy nobody = {.port = 0};
    struct rqx__dial_target target;
    int holder = refuse_on(AF_INET, &nobody.port);
    char text[200];
    size_t i;

    start_resolver(names, NULL, 0);
    for (i = 0; i < 2; i++) {
        target = socks_target("both.example", 80, &nobody, i == 0 ? RQX__ROUTE_SOCKS5 : RQX__ROUTE_SOCKS5H);
        snprintf(text, sizeof text,
                 "connect to proxy 127.0.0.1:%d for both.example:80: connection refused (127.0.0.1:%d)", nobody.port,
                 nobody.port);
        expect_failure(&target, RQX_ERR_PROXY_CONNECT, text);
    }
    close(holder);
}
END_TEST

START_TEST(ipv6_waits_a_moment_for_ipv4)
{
    static const struct dns_rule rules[] = {
        {"late4.example", DNS_A, DNS_HOLD, 300, 1, 1},
        {"late4.example", DNS_AAAA, DNS_ANSWER, 300, 1, 1},
        {"late6.example", DNS_A, DNS_ANSWER, 300, 1, 1},
        {"late6.example", DNS_AAAA, DNS_HOLD, 300, 1, 1},
    };
    struct socks_proxy proxy;
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *under_way;

    start_resolver(NULL, rules, COUNT(rules));
    start_socks(&proxy, "\0", 1); /* IPv6 is asked for when that moment is over */
    target = socks_target("late4.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_uint_ge(outcome.times.resolved - outcome.times.start, (RQX__RESOLUTION_DELAY_MS - 1) * RQX__NS_PER_MS);
    rqx__wire_free(outcome.wire);
    stop_socks(&proxy);
    ck_assert_int_eq(proxy.asked[0][0], '6');
    start_socks(&proxy, "\5\0", 2); /* IPv4 is refused, and IPv6 not known yet: it is waited for */
    target = socks_target("late6.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    under_way = begin(&target, &outcome);
    while (proxy.served == 0 || rqx__dial_phase(under_way) != RQX__DIAL_RESOLVE_ORIGIN)
        turn();
    expect_wait(under_way, "resolving the name");
    dns_release(&dns);
    run_until(&outcome.done);
    ck_assert_msg(outcome.wire != NULL, "%s", outcome.err.text);
    rqx__wire_free(outcome.wire);
    stop_socks(&proxy);
    ck_assert_int_eq(proxy.asked[0][0], '4');
    ck_assert_int_eq(proxy.asked[1][0], '6');
}
END_TEST

/* What may not be connected to from here may not be asked of the proxy either. */
START_TEST(a_policy_is_asked_about_each_address)
{
    rqx_address_policy *policy = NULL;
    struct socks_proxy proxy;
    struct rqx__dial_target target;
    struct outcome outcome;
    char text[300];

    ck_assert_int_eq(rqx_address_policy_new(RQX_ADDRESS_ANY, &policy), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "127.0.0.6"), 0);
    ck_assert_int_eq(rqx_address_policy_deny(policy, "::/0"), 0);
    start_resolver(names, NULL, 0);
    start_socks(&proxy, "\0", 1);
    target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    target.address_policy = policy;
    dial(&target, &outcome);
    ck_assert_msg(outcome.wire != NULL, "%s", outcome.err.text);
    rqx__wire_free(outcome.wire);
    stop_socks(&proxy);
    ck_assert_str_eq(proxy.asked[0], "4 127.0.0.5:80");
    start_socks(&proxy, "\4", 1); /* the denied ones are no other addresses to try */
    target.proxy_port = proxy.port;
    snprintf(text, sizeof text,
             "proxy tunnel to both.example:80 through 127.0.0.1:%d: host unreachable (SOCKS code 4) for 127.0.0.5:80",
             proxy.port);
    expect_failure(&target, RQX_ERR_PROXY_REFUSED, text);
    stop_socks(&proxy);
    target.host = SLICE("only6.example");
    snprintf(text, sizeof text,
             "connect to only6.example:80 through proxy 127.0.0.1:%d: address not allowed ([::1]:80)", proxy.port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    target.host = SLICE("::2");
    target.route = RQX__ROUTE_SOCKS5H;
    snprintf(text, sizeof text, "connect to [::2]:80 through proxy 127.0.0.1:%d: address not allowed", proxy.port);
    expect_failure(&target, RQX_ERR_ADDRESS_DENIED, text);
    rqx_address_policy_free(policy);
}
END_TEST

START_TEST(no_more_than_eight_addresses_are_asked_for)
{
    static const char *const many[] = {"many.example=127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,"
                                       "127.0.0.7,127.0.0.8,127.0.0.9,127.0.0.10",
                                       NULL};
    struct socks_proxy proxy;
    struct rqx__dial_target target;
    struct outcome outcome;

    start_resolver(many, NULL, 0);
    start_socks(&proxy, "\5\5\5\5\5\5\5\5", 8);
    target = socks_target("many.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    dial(&target, &outcome);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_PROXY_REFUSED);
    stop_socks(&proxy);
    ck_assert_uint_eq(proxy.served, 8);
}
END_TEST

START_TEST(what_socks_cannot_say_is_refused_at_once)
{
    char host[257];
    struct socks_proxy nobody = {.port = 1};
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *none = NULL;

    memset(host, 'h', 256);
    host[256] = '\0';
    start_resolver(names, NULL, 0);
    target = socks_target(host, 80, &nobody, RQX__ROUTE_SOCKS5H);
    ck_assert_int_eq(rqx__dial_new(loop, resolver, &target, dialed, &outcome, &none), RQX_ERR_INVALID_URL);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(a_proxy_may_hang_and_be_left)
{
    static const struct dns_rule rules[] = {{"slow.example", DNS_A, DNS_SILENCE, 0, 0, 0},
                                            {"slow.example", DNS_AAAA, DNS_SILENCE, 0, 0, 0}};
    struct socks_proxy proxy;
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *under_way;
    char text[100];

    start_resolver(names, rules, COUNT(rules));
    start_socks(&proxy, "\5\xff", 2);
    snprintf(text, sizeof text, "waiting for the proxy 127.0.0.1:%d", proxy.port);
    target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5);
    under_way = begin(&target, &outcome);
    while (proxy.served < 2)
        turn();
    expect_wait(under_way, text);
    rqx__dial_free(under_way);
    stop_socks(&proxy);
    target.host = SLICE("slow.example");
    under_way = begin(&target, &outcome);
    turn();
    ck_assert_int_eq(rqx__dial_phase(under_way), RQX__DIAL_RESOLVE_ORIGIN);
    rqx__dial_free(under_way);
    turn();
    ck_assert_uint_eq(outcome.calls, 0);
}
END_TEST

/* ---- TLS to the proxy ---- */

static struct identity ca;
static struct identity good;
static char *ca_pem;

static void set_up_tls(void)
{
    set_up();
    ca = make_identity("Check CA", NULL, NULL, -DAY, 30 * DAY);
    good = make_identity("proxy.example", "DNS:proxy.example", &ca, -DAY, 30 * DAY);
    ca_pem = pem_of(ca.cert);
}

static void tear_down_tls(void)
{
    tear_down();
    free_identity(&ca);
    free_identity(&good);
    free(ca_pem);
}

static rqx_tls *make_trust(void)
{
    rqx_tls_options options;
    rqx_tls *tls = NULL;

    rqx_tls_options_init(&options);
    options.system_trust = 0;
    options.ca_pem = ca_pem;
    options.ca_pem_len = strlen(ca_pem);
    ck_assert_int_eq(rqx_tls_new(&options, &tls), 0);
    return tls;
}

static const char *const proxy_names[] = {"proxy.example=127.0.0.1", "other.example=127.0.0.1", NULL};

/* Answers CONNECT inside TLS. */
static void answer_connect(struct server *server, SSL *ssl)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";
    char request[1024] = "";
    int used = 0;

    while (strstr(request, "\r\n\r\n") == NULL && used < 1000) {
        int got = SSL_read(ssl, request + used, 1000 - used);

        if (got <= 0)
            return;
        used += got;
    }
    server->amount = strncmp(request, "CONNECT api.example:443 HTTP/1.1\r\n", 34) == 0;
    SSL_write(ssl, answer, sizeof answer - 1);
}

START_TEST(a_proxy_over_tls_is_asked_in_it)
{
    struct origin proxy = {.tls = {.identity = &good, .alpn = "http/1.1", .talk = answer_connect, .ending = END_WAIT}};
    struct rqx__dial_target target = target_of("api.example", 443);
    struct outcome outcome;
    rqx_tls *tls = make_trust();

    start_resolver(proxy_names, NULL, 0);
    start_origin(&proxy);
    target.proxy_host = SLICE("proxy.example");
    target.proxy_port = proxy.port;
    target.proxy_tls = tls;
    target.route = RQX__ROUTE_CONNECT;
    dial(&target, &outcome);
    ck_assert_msg(outcome.wire != NULL, "%s", outcome.err.text);
    ck_assert_str_eq(outcome.wire->ops->name, "tunnel");
    ck_assert_str_eq(outcome.wire->lower->ops->name, "tls");
    ck_assert_int_eq(outcome.alpn, RQX__ALPN_NONE); /* what the proxy speaks says nothing of the origin */
    rqx__wire_shutdown(outcome.wire);
    rqx__wire_free(outcome.wire);
    stop_origin(&proxy);
    ck_assert_str_eq(proxy.tls.sni, "proxy.example");
    ck_assert_uint_eq(proxy.tls.amount, 1);
    rqx_tls_unref(tls);
}
END_TEST

START_TEST(failures_of_tls_with_the_proxy_are_the_proxys)
{
    struct origin proxy = {.tls = {.identity = &good}};
    struct rqx__dial_target target = target_of("api.example", 443);
    rqx_tls_options options;
    rqx_tls *tls = make_trust();
    rqx_tls *broken = NULL;
    struct outcome outcome;
    char text[200];

    start_resolver(proxy_names, NULL, 0);
    start_origin(&proxy);
    target.proxy_host = SLICE("other.example");
    target.proxy_port = proxy.port;
    target.proxy_tls = tls;
    dial(&target, &outcome);
    snprintf(text, sizeof text, "TLS handshake with proxy other.example:%d for api.example:443: ", proxy.port);
    ck_assert_int_eq(strncmp(outcome.err.text, text, strlen(text)), 0);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_PROXY_CONNECT);
    ck_assert_int_eq(outcome.err.tls_verify, X509_V_ERR_HOSTNAME_MISMATCH);
    stop_origin(&proxy);
    proxy = (struct origin){.vanish = true};
    start_origin(&proxy);
    target.proxy_port = proxy.port;
    dial(&target, &outcome);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_PROXY_CONNECT);
    stop_origin(&proxy);
    /* files of our own */
    rqx_tls_options_init(&options);
    options.ca_file = "/nowhere/ca.pem";
    ck_assert_int_eq(rqx_tls_new(&options, &broken), 0);
    proxy = (struct origin){.vanish = true};
    start_origin(&proxy);
    target.proxy_port = proxy.port;
    target.proxy_tls = broken;
    dial(&target, &outcome);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_TLS_CONFIG);
    stop_origin(&proxy);
    rqx_tls_unref(broken);
    rqx_tls_unref(tls);
}
END_TEST

#ifdef RQX_TEST_ALLOC
/* Whatever allocation fails, the dial ends once, with that, and nothing is left. */
START_TEST(each_allocation_may_fail)
{
    struct socks_proxy proxy;
    struct outcome outcome;
    unsigned long n;
    unsigned good_ones = 0;

    start_resolver(names, NULL, 0);
    start_socks(&proxy, NULL, 0);
    for (n = 1; good_ones < 3; n++) {
        struct rqx__dial_target target = socks_target("both.example", 80, &proxy, RQX__ROUTE_SOCKS5);
        struct rqx__dial *under_way = NULL;
        int rc;

        memset(&outcome, 0, sizeof outcome);
        rqx__mem_fail_at(n, 0);
        rc = rqx__dial_new(loop, resolver, &target, dialed, &outcome, &under_way);
        if (rc == 0)
            run_until(&outcome.done);
        rqx__mem_fail_at(0, 0);
        if (outcome.wire == NULL)
            ck_assert_int_eq(rc < 0 ? rc : outcome.err.code, RQX_ERR_NOMEM);
        else
            good_ones++;
        rqx__wire_free(outcome.wire);
        ck_assert_uint_lt(n, 200);
    }
    stop_socks(&proxy);
    ck_assert_uint_gt(n, 10);
}
END_TEST
#endif

static Suite *dial_proxy_suite(void)
{
    const TTest *const socks[] = {
        the_name_goes_to_the_proxy,
        the_proxy_is_told_the_credentials,
        addresses_are_asked_for_one_after_the_other,
        an_origin_with_one_family_is_asked_for,
        failures_name_the_proxy_and_each_address,
        an_origin_that_does_not_resolve_is_not_asked_for,
        a_proxy_that_is_not_there_is_told,
        ipv6_waits_a_moment_for_ipv4,
        a_policy_is_asked_about_each_address,
        no_more_than_eight_addresses_are_asked_for,
        what_socks_cannot_say_is_refused_at_once,
        a_proxy_may_hang_and_be_left,
#ifdef RQX_TEST_ALLOC
        each_allocation_may_fail,
#endif
    };
    const TTest *const tls[] = {a_proxy_over_tls_is_asked_in_it, failures_of_tls_with_the_proxy_are_the_proxys};
    Suite *suite = suite_create("dial_proxy");

    add_tests(rqx_add_case(suite, "socks"), socks, COUNT(socks), set_up, tear_down);
    add_tests(rqx_add_case(suite, "tls"), tls, COUNT(tls), set_up_tls, tear_down_tls);
    return suite;
}

RQX_CHECK_MAIN(dial_proxy_suite)
