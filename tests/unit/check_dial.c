/*
 * check_dial.c - from an origin to a wire: with real listeners on loopback, overrides in place of DNS, and DNS where
 * time matters.
 */
#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include <requestx/client.h>
#include <requestx/tls.h>

#include "base/clock.h"
#include "dial_run.h"
#include "dial_support.h"
#include "net/dial.h"
#include "net/dial_race.h"

static bool has_ipv6(void)
{
    int port;
    int fd = listen_on(AF_INET6, &port);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The address that |wire| is connected to. */
static void peer_of(const struct rqx__wire *wire, char *text, size_t size)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    ck_assert_int_eq(getpeername(wire->fd, (struct sockaddr *)&address, &len), 0);
    rqx__sockaddr_text((struct sockaddr *)&address, len, text, size);
}

/* ---- connecting ---- */

START_TEST(a_plain_connection_is_ready_and_watched_by_nobody)
{
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__watch watch;
    int port = 0;
    int listener = listen_on(AF_INET, &port);
    int peer;

    start_resolver(NULL, NULL, 0);
    target = target_of("127.0.0.1", port);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_str_eq(outcome.wire->ops->name, "tcp");
    ck_assert_int_eq(outcome.alpn, RQX__ALPN_NONE);
    ck_assert_int_eq(outcome.phase, RQX__DIAL_READY);
    ck_assert_uint_gt(outcome.times.start, 0);
    ck_assert_uint_ge(outcome.times.resolved, outcome.times.start);
    ck_assert_uint_ge(outcome.times.connected, outcome.times.resolved);
    ck_assert_uint_eq(outcome.times.secured, 0);
    ck_assert_uint_eq(rqx__loop_next_deadline(loop), RQX__NEVER);
    rqx__watch_init(&watch);
    ck_assert_int_eq(rqx__loop_watch(loop, &watch, outcome.wire->fd, RQX__IO_READ, NULL, NULL), 0);
    rqx__loop_unwatch(loop, &watch);
    peer = accept(listener, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    close(peer);
    close(listener);
    rqx__wire_free(outcome.wire);
}
END_TEST

START_TEST(a_refused_connection_names_host_and_addresses)
{
    static const char *const resolve[] = {"two.example=127.0.0.1,127.0.0.2",
                                          "many.example=127.0.0.1,127.0.0.2,127.0.0.3,"
                                          "127.0.0.4,127.0.0.5,127.0.0.6,127.0.0.7,127.0.0.8",
                                          NULL};
    struct rqx__dial_target target;
    struct outcome outcome;
    char text[400];
    int port = 0;
    int holder = refuse_on(AF_INET, &port);

    start_resolver(resolve, NULL, 0);
    target = target_of("127.0.0.1", port);
    snprintf(text, sizeof text, "connect to 127.0.0.1:%d: connection refused (127.0.0.1:%d)", port, port);
    expect_failure(&target, RQX_ERR_CONNECT, text);
    target = target_of("two.example", port);
    snprintf(text, sizeof text, "connect to two.example:%d: connection refused (127.0.0.1:%d, 127.0.0.2:%d)", port,
             port, port);
    expect_failure(&target, RQX_ERR_CONNECT, text);
    target = target_of("many.example", port);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(strstr(outcome.err.text, " and 2 more"));
    ck_assert_int_eq(outcome.err.sys_errno, ECONNREFUSED);
    close(holder);
}
END_TEST

START_TEST(a_name_that_does_not_resolve_is_told)
{
    static const struct dns_rule rules[] = {{"empty.example", DNS_A, DNS_NODATA, 0, 0, 0},
                                            {"empty.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
                                            {"bad.example", DNS_A, DNS_GARBAGE, 0, 0, 0},
                                            {"bad.example", DNS_AAAA, DNS_NODATA, 0, 0, 0}};
    struct rqx__dial_target target = target_of("nosuch.example", 443);
    struct outcome outcome;

    start_resolver(NULL, rules, COUNT(rules));
    expect_failure(&target, RQX_ERR_NAME_NOT_FOUND, "resolve nosuch.example: name does not resolve");
    target = target_of("empty.example.", 443);
    expect_failure(&target, RQX_ERR_NAME_NOT_FOUND, "resolve empty.example.: name has no address");
    target = target_of("bad.example.", 443); /* the doubtful answer says more than the one that has nothing */
    dial(&target, &outcome);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_RESOLVE);
    target = target_of("not a name", 443);
    expect_failure(&target, RQX_ERR_RESOLVE, "resolve not a name: name resolution failed");
}
END_TEST

START_TEST(the_next_address_is_tried_at_once_when_one_fails)
{
    static const char *const resolve[] = {"mixed.example=127.0.0.9,127.0.0.1", NULL};
    struct rqx__dial_target target;
    struct outcome outcome;
    char text[64];
    char expected[64];
    int port = 0;
    int listener = listen_on(AF_INET, &port); /* on 127.0.0.1 alone */

    start_resolver(resolve, NULL, 0);
    target = target_of("mixed.example", port);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    peer_of(outcome.wire, text, sizeof text);
    snprintf(expected, sizeof expected, "127.0.0.1:%d", port);
    ck_assert_str_eq(text, expected);
    rqx__wire_free(outcome.wire);
    close(listener);
}
END_TEST

START_TEST(ipv6_goes_first_and_ipv4_is_there_if_it_fails)
{
    static const char *const resolve[] = {"both.example=127.0.0.1,::1", "only4.example=127.0.0.1,::1", NULL};
    struct rqx__dial_target target;
    struct outcome outcome;
    char text[64];
    int port = 0;
    int listener;

    start_resolver(resolve, NULL, 0);
    if (has_ipv6()) {
        listener = listen_on(AF_INET6, &port);
        target = target_of("both.example", port);
        dial(&target, &outcome);
        ck_assert_ptr_nonnull(outcome.wire);
        peer_of(outcome.wire, text, sizeof text);
        ck_assert_int_eq(strncmp(text, "[::1]:", 6), 0);
        rqx__wire_free(outcome.wire);
        close(listener);
    }
    listener = listen_on(AF_INET, &port);
    target = target_of("only4.example", port);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    peer_of(outcome.wire, text, sizeof text);
    ck_assert_int_eq(strncmp(text, "127.0.0.1:", 10), 0);
    rqx__wire_free(outcome.wire);
    close(listener);
}
END_TEST

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    int fd;

    for (fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A silent 127.0.0.7 and a listening 127.0.0.1 of one port, which others may have on either. */
static int hang_and_listen(struct hanging *hanging, int *ret_listener)
{
    int tries;

    for (tries = 0; tries < 100; tries++) {
        int port = hang_on(hanging, 0x7f000007, 0);
        struct sockaddr_in address = loopback4(port);

        *ret_listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(*ret_listener, (struct sockaddr *)&address, sizeof address) == 0) {
            ck_assert_int_eq(listen(*ret_listener, 8), 0);
            return port;
        }
        close(*ret_listener);
        stop_hanging(hanging);
    }
    ck_abort_msg("no port is free on both addresses");
    return -1;
}

/* RFC 8305 section 5: an address that does not answer gets a head start of 250 ms; the loser is closed. */
START_TEST(a_silent_address_is_overtaken)
{
    static const char *const resolve[] = {"race.example=127.0.0.7,127.0.0.1", NULL};
    struct hanging hanging;
    struct rqx__dial_target target;
    struct outcome outcome;
    unsigned before;
    uint64_t took;
    char text[64];
    int listener;
    int port = hang_and_listen(&hanging, &listener);

    start_resolver(resolve, NULL, 0);
    target = target_of("race.example", port);
    before = count_descriptors();
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    peer_of(outcome.wire, text, sizeof text);
    ck_assert_int_eq(strncmp(text, "127.0.0.1:", 10), 0);
    took = outcome.times.connected - outcome.times.start;
    ck_assert_uint_ge(took, (RQX__ATTEMPT_DELAY_MS - 1) * RQX__NS_PER_MS);
    ck_assert_uint_eq(count_descriptors(), before + 1);
    rqx__wire_free(outcome.wire);
    stop_hanging(&hanging);
    close(listener);
}
END_TEST

/* A dial may be given up in each phase; nothing is left behind. */
START_TEST(a_dial_can_be_cancelled)
{
    static const struct dns_rule rules[] = {{"slow.example", DNS_A, DNS_SILENCE, 0, 0, 0},
                                            {"slow.example", DNS_AAAA, DNS_SILENCE, 0, 0, 0}};
    struct hanging hanging;
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *under_way;
    unsigned before;
    int refused_port = 0;
    int holder = refuse_on(AF_INET, &refused_port);
    int port = hang_on(&hanging, 0x7f000007, 0);

    start_resolver(NULL, rules, COUNT(rules));
    before = count_descriptors();
    target = target_of("127.0.0.7", port);
    under_way = begin(&target, &outcome);
    ck_assert_int_eq(rqx__dial_phase(under_way), RQX__DIAL_CONNECT);
    expect_wait(under_way, "connecting");
    turn();
    rqx__dial_free(under_way);
    ck_assert_uint_eq(count_descriptors(), before);
    target = target_of("127.0.0.1", refused_port);
    under_way = begin(&target, &outcome);
    rqx__dial_free(under_way); /* perhaps with its failure already known and not told */
    target = target_of("slow.example", 443);
    under_way = begin(&target, &outcome);
    ck_assert_int_eq(rqx__dial_phase(under_way), RQX__DIAL_RESOLVE);
    expect_wait(under_way, "resolving the name");
    turn();
    rqx__dial_free(under_way);
    turn();
    ck_assert_uint_eq(outcome.calls, 0);
    rqx__dial_free(NULL);
    stop_hanging(&hanging);
    close(holder);
}
END_TEST

/* RFC 8305 section 3: IPv4 alone waits 50 ms for IPv6, and no longer. */
START_TEST(ipv4_waits_a_moment_for_ipv6)
{
    static const struct dns_rule rules[] = {
        {"late6.example", DNS_A, DNS_ANSWER, 300, 1, 1},   {"late6.example", DNS_AAAA, DNS_HOLD, 300, 1, 1},
        {"no6.example", DNS_A, DNS_ANSWER, 300, 1, 1},     {"no6.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
        {"late4.example", DNS_A, DNS_HOLD, 300, 1, 1},     {"late4.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
        {"silent6.example", DNS_A, DNS_ANSWER, 300, 1, 9}, {"silent6.example", DNS_AAAA, DNS_HOLD, 300, 0, 0},
    };
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *under_way;
    char text[200];
    int port = 0;
    int listener = listen_on(AF_INET, &port);

    start_resolver(NULL, rules, COUNT(rules));
    target = target_of("late6.example", port);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_uint_ge(outcome.times.connected - outcome.times.resolved,
                      (RQX__RESOLUTION_DELAY_MS - 1) * RQX__NS_PER_MS);
    rqx__wire_free(outcome.wire);
    target = target_of("no6.example", port);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    rqx__wire_free(outcome.wire);
    /* with nothing else to try the dial lives on the slower family, whichever it is */
    target = target_of("late4.example", port);
    under_way = begin(&target, &outcome);
    while (dns.asked_a < 3)
        turn();
    turn();
    ck_assert_int_eq(rqx__dial_phase(under_way), RQX__DIAL_RESOLVE);
    dns_release(&dns);
    run_until(&outcome.done);
    ck_assert_ptr_nonnull(outcome.wire);
    rqx__wire_free(outcome.wire);
    target = target_of("silent6.example", port); /* 127.0.0.9 refuses; what IPv6 has is waited for */
    under_way = begin(&target, &outcome);
    while (dns.asked_aaaa < 4)
        turn();
    while (rqx__dial_phase(under_way) == RQX__DIAL_RESOLVE)
        turn();
    turn();
    turn();
    turn();
    ck_assert_uint_eq(outcome.calls, 0);
    dns_release(&dns);
    run_until(&outcome.done);
    snprintf(text, sizeof text, "connect to silent6.example:%d: connection refused (127.0.0.9:%d)", port, port);
    ck_assert_str_eq(outcome.err.text, text);
    close(listener);
}
END_TEST

START_TEST(a_local_address_is_used_and_chooses_the_family)
{
    static const char *const resolve[] = {"both.example=127.0.0.1,::1", "six.example=::1", NULL};
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *none = NULL;
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    char text[200];
    int port = 0;
    int listener = listen_on(AF_INET, &port);
    int peer;

    start_resolver(resolve, NULL, 0);
    target = target_of("both.example", port);
    target.local_address = SLICE("127.0.0.3");
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    peer = accept(listener, (struct sockaddr *)&address, &len);
    ck_assert_uint_eq(ntohl(address.sin_addr.s_addr), 0x7f000003);
    close(peer);
    rqx__wire_free(outcome.wire);
    target.host = SLICE("six.example");
    snprintf(text, sizeof text, "connect to six.example:%d: no address of the local address's family", port);
    expect_failure(&target, RQX_ERR_CONNECT, text);
    target.host = SLICE("both.example");
    target.local_address = SLICE("192.0.2.1");
    snprintf(text, sizeof text,
             "connect to both.example:%d: local address 192.0.2.1:0: cannot assign requested address (127.0.0.1:%d)",
             port, port);
    expect_failure(&target, RQX_ERR_CONNECT, text);
    target.local_address = SLICE("localhost");
    ck_assert_int_eq(rqx__dial_new(loop, resolver, &target, dialed, &outcome, &none), RQX_ERR_INVALID_ARGUMENT);
    target.local_address = SLICE("0000:0000:0000:0000:0000:0000:0000:0000:0000:0001");
    ck_assert_int_eq(rqx__dial_new(loop, resolver, &target, dialed, &outcome, &none), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(none);
    target = target_of("six.example", port);
    target.local_address = SLICE("::1");
    dial(&target, &outcome); /* nobody listens there, or there is no IPv6 */
    ck_assert_int_eq(outcome.err.code, RQX_ERR_CONNECT);
    close(listener);
}
END_TEST

/* What says more of this machine than of the peer comes last. */
START_TEST(different_causes_are_told_apart)
{
    struct rqx__dial_target target;
    struct outcome outcome;
    static const char *const resolve[] = {"odd.example=255.255.255.255,127.0.0.1", NULL};
    char refused[100];
    int port = 0;
    int holder = refuse_on(AF_INET, &port);

    start_resolver(resolve, NULL, 0);
    target = target_of("odd.example", port);
    dial(&target, &outcome);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_CONNECT);
    snprintf(refused, sizeof refused, "connection refused (127.0.0.1:%d)", port);
    ck_assert_ptr_nonnull(strstr(outcome.err.text, refused));
    ck_assert_ptr_nonnull(strstr(outcome.err.text, "(255.255.255.255:"));
    ck_assert_ptr_nonnull(strstr(outcome.err.text, "; "));
    close(holder);
}
END_TEST

/* ---- paths ---- */

START_TEST(a_path_is_connected_to)
{
    char folder[] = "/tmp/check_dial.XXXXXX";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct rqx__dial_target target = target_of("api.example", 80);
    struct outcome outcome;
    struct rqx__dial *none = NULL;
    char text[300];
    char long_path[200];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int filler;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    target.unix_path = SLICE(address.sun_path);
    start_resolver(NULL, NULL, 0);
    snprintf(text, sizeof text, "connect to api.example:80 at unix:%s: no such file or directory", address.sun_path);
    expect_failure(&target, RQX_ERR_CONNECT, text);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_uint_eq(outcome.times.resolved, 0);
    rqx__wire_free(outcome.wire);
    /* the listener's queue is full now, until somebody takes that one: the dial waits for room */
    begin(&target, &outcome);
    turn();
    turn();
    ck_assert_uint_eq(outcome.calls, 0);
    filler = accept(listener, NULL, NULL);
    ck_assert_int_ge(filler, 0);
    close(filler);
    run_until(&outcome.done);
    ck_assert_ptr_nonnull(outcome.wire);
    rqx__wire_free(outcome.wire);
    memset(long_path, 'x', sizeof long_path);
    target.unix_path = (rqx_slice){long_path, 108};
    ck_assert_int_eq(rqx__dial_new(loop, resolver, &target, dialed, &outcome, &none), RQX_ERR_INVALID_ARGUMENT);
    target.unix_path = (rqx_slice){"a\0b", 3};
    ck_assert_int_eq(rqx__dial_new(loop, resolver, &target, dialed, &outcome, &none), RQX_ERR_INVALID_ARGUMENT);
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
}
END_TEST

/* ---- TLS and proxies ---- */

static struct identity ca;
static struct identity good;

static rqx_tls *make_trust(void)
{
    rqx_tls_options options;
    rqx_tls *tls = NULL;
    char *text;

    ca = make_identity("Check Root", NULL, NULL, -DAY, 365 * DAY);
    good = make_identity("check", "DNS:api.example", &ca, -DAY, 30 * DAY);
    text = pem_of(ca.cert);
    rqx_tls_options_init(&options);
    options.system_trust = 0;
    options.trust_env = 0;
    options.ca_pem = text;
    options.ca_pem_len = strlen(text);
    ck_assert_int_eq(rqx_tls_new(&options, &tls), 0);
    free(text);
    return tls;
}

static void drop_trust(rqx_tls *tls)
{
    rqx_tls_unref(tls);
    free_identity(&ca);
    free_identity(&good);
}

static const char *const api_resolve[] = {"api.example=127.0.0.1", "proxy.example=127.0.0.1", NULL};

START_TEST(tls_is_ready_when_it_is_told)
{
    struct origin origin = {.tls = {.identity = NULL, .alpn = "h2"}};
    rqx_tls *tls = make_trust();
    struct rqx__dial_target target;
    struct outcome outcome;

    origin.tls.identity = &good;
    start_origin(&origin);
    start_resolver(api_resolve, NULL, 0);
    target = target_of("api.example", origin.port);
    target.tls = tls;
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_str_eq(outcome.wire->ops->name, "tls");
    ck_assert_int_eq(outcome.alpn, RQX__ALPN_HTTP2);
    ck_assert_uint_ge(outcome.times.secured, outcome.times.connected);
    rqx__wire_shutdown(outcome.wire);
    rqx__wire_free(outcome.wire);
    stop_origin(&origin);
    ck_assert_str_eq(origin.tls.sni, "api.example");
    drop_trust(tls);
}
END_TEST

START_TEST(another_server_name_can_be_asked_for)
{
    struct origin origin = {.tls = {.identity = NULL}};
    rqx_tls *tls = make_trust();
    struct rqx__dial_target target;
    struct outcome outcome;

    origin.tls.identity = &good;
    start_origin(&origin);
    start_resolver(NULL, NULL, 0);
    target = target_of("127.0.0.1", origin.port);
    target.tls = tls;
    target.server_name = SLICE("api.example");
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_int_eq(outcome.alpn, RQX__ALPN_NONE);
    rqx__wire_free(outcome.wire);
    stop_origin(&origin);
    drop_trust(tls);
}
END_TEST

START_TEST(failures_of_tls_name_host_and_cause)
{
    struct identity expired;
    struct origin origin = {.tls = {.identity = NULL}};
    struct origin vanishing = {.tls = {.identity = NULL}, .vanish = true};
    rqx_tls *tls = make_trust();
    rqx_tls_options options;
    rqx_tls *broken = NULL;
    struct rqx__dial_target target;
    struct outcome outcome;
    time_t when = time(NULL) - 10 * DAY;
    struct tm tm;
    char date[32];
    char text[200];

    expired = make_identity("x", "DNS:api.example", &ca, -20 * DAY, -10 * DAY);
    gmtime_r(&when, &tm);
    strftime(date, sizeof date, "%Y-%m-%d", &tm);
    origin.tls.identity = &expired;
    start_origin(&origin);
    start_resolver(api_resolve, NULL, 0);
    target = target_of("api.example", origin.port);
    target.tls = tls;
    snprintf(text, sizeof text, "TLS handshake with api.example:%d: certificate has expired (%s)", origin.port, date);
    expect_failure(&target, RQX_ERR_TLS_CERTIFICATE, text);
    stop_origin(&origin);

    start_origin(&vanishing);
    target.port = vanishing.port;
    dial(&target, &outcome); /* a closed or a reset connection */
    snprintf(text, sizeof text, "TLS handshake with api.example:%d: ", vanishing.port);
    ck_assert_int_eq(strncmp(outcome.err.text, text, strlen(text)), 0);
    ck_assert_int_eq(outcome.err.code, RQX_ERR_TLS_HANDSHAKE);
    stop_origin(&vanishing);

    rqx_tls_options_init(&options);
    options.ca_file = "/no/such.pem";
    options.system_trust = 0;
    ck_assert_int_eq(rqx_tls_new(&options, &broken), 0);
    start_origin(&vanishing);
    target.port = vanishing.port;
    target.tls = broken;
    snprintf(text, sizeof text, "TLS handshake with api.example:%d: ca_file /no/such.pem: no such file or directory",
             vanishing.port);
    expect_failure(&target, RQX_ERR_TLS_CONFIG, text);
    stop_origin(&vanishing);
    rqx_tls_unref(broken);
    free_identity(&expired);
    drop_trust(tls);
}
END_TEST

START_TEST(a_tunnel_leads_to_the_origin)
{
    char expected[300];
    struct origin origin = {
        .tls = {.identity = NULL, .alpn = "h2"}, .proxy_answer = "HTTP/1.1 200 OK\r\n\r\n", .expected = expected};
    rqx_tls *tls = make_trust();
    struct rqx__dial_target target;
    struct outcome outcome;

    origin.tls.identity = &good;
    start_origin(&origin);
    start_resolver(api_resolve, NULL, 0);
    snprintf(expected, sizeof expected,
             "CONNECT api.example:8443 HTTP/1.1\r\nHost: api.example:8443\r\nProxy-Authorization: Basic eDp5\r\n\r\n");
    target = target_of("api.example", 8443);
    target.tls = tls;
    target.proxy_host = SLICE("proxy.example");
    target.proxy_port = origin.port;
    target.route = RQX__ROUTE_CONNECT;
    target.tunnel_fields = SLICE("Proxy-Authorization: Basic eDp5\r\n");
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_str_eq(outcome.wire->ops->name, "tls");
    ck_assert_str_eq(outcome.wire->lower->ops->name, "tunnel");
    ck_assert_int_eq(outcome.alpn, RQX__ALPN_HTTP2);
    rqx__wire_shutdown(outcome.wire);
    rqx__wire_free(outcome.wire);
    stop_origin(&origin);
    ck_assert(origin.asked_right);
    drop_trust(tls);
}
END_TEST

START_TEST(a_proxy_without_a_tunnel_is_connected_to)
{
    struct rqx__dial_target target;
    struct outcome outcome;
    char text[64];
    int port = 0;
    int listener = listen_on(AF_INET, &port);

    start_resolver(api_resolve, NULL, 0);
    target = target_of("elsewhere.example", 80);
    target.proxy_host = SLICE("proxy.example");
    target.proxy_port = port;
    dial(&target, &outcome);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_str_eq(outcome.wire->ops->name, "tcp");
    peer_of(outcome.wire, text, sizeof text);
    ck_assert_int_eq(strncmp(text, "127.0.0.1:", 10), 0);
    rqx__wire_free(outcome.wire);
    close(listener);
}
END_TEST

START_TEST(failures_of_a_proxy_are_the_proxys)
{
    static const struct {
        const char *answer;
        int code;
        const char *cause;
    } cases[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", RQX_ERR_PROXY_AUTH, "407 Proxy Authentication Required"},
        {"HTTP/1.1 503 No\r\n\r\n", RQX_ERR_PROXY_REFUSED, "503 No"},
        {"SSH-2.0\r\n\r\n", RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: not an HTTP/1 status line"},
        {"", RQX_ERR_PROXY_CONNECT, "the proxy closed the connection without an answer"},
    };
    struct rqx__dial_target target = target_of("2001:db8::1", 443);
    char text[300];
    int port = 0;
    int holder;
    size_t i;

    start_resolver(api_resolve, NULL, 0);
    target.proxy_host = SLICE("proxy.example");
    target.route = RQX__ROUTE_CONNECT;
    for (i = 0; i < COUNT(cases); i++) {
        struct origin origin = {
            .proxy_answer = cases[i].answer,
            .expected = "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n",
        };

        start_origin(&origin);
        target.proxy_port = origin.port;
        snprintf(text, sizeof text, "proxy tunnel to [2001:db8::1]:443 through proxy.example:%d: %s", origin.port,
                 cases[i].cause);
        expect_failure(&target, cases[i].code, text);
        stop_origin(&origin);
        ck_assert(origin.asked_right);
    }
    holder = refuse_on(AF_INET, &port);
    target.proxy_port = port;
    snprintf(text, sizeof text,
             "connect to proxy proxy.example:%d for [2001:db8::1]:443: connection refused (127.0.0.1:%d)", port, port);
    expect_failure(&target, RQX_ERR_PROXY_CONNECT, text);
    target.proxy_host = SLICE("bad name");
    expect_failure(&target, RQX_ERR_PROXY_CONNECT,
                   "resolve proxy bad name for [2001:db8::1]:443: name resolution failed");
    close(holder);
}
END_TEST

START_TEST(a_tunnel_to_no_host_is_refused)
{
    struct origin origin = {.proxy_answer = NULL};
    struct rqx__dial_target target = target_of("a b", 443);
    char text[200];

    start_resolver(api_resolve, NULL, 0);
    start_origin(&origin);
    target.proxy_host = SLICE("127.0.0.1");
    target.proxy_port = origin.port;
    target.route = RQX__ROUTE_CONNECT;
    snprintf(text, sizeof text, "proxy tunnel to a b:443 through 127.0.0.1:%d: invalid argument", origin.port);
    expect_failure(&target, RQX_ERR_INVALID_ARGUMENT, text);
    stop_origin(&origin);
}
END_TEST

/* Peers that hang: the phase says where, and a dial can be freed there. */
START_TEST(each_phase_can_hang_and_be_left)
{
    rqx_tls *tls = make_trust();
    struct rqx__dial_target target;
    struct outcome outcome;
    struct rqx__dial *under_way;
    char text[100];
    int port = 0;
    int listener = listen_on(AF_INET, &port);
    unsigned before;

    start_resolver(api_resolve, NULL, 0);
    before = count_descriptors();
    target = target_of("api.example", port);
    target.tls = tls;
    under_way = begin(&target, &outcome);
    while (rqx__dial_phase(under_way) != RQX__DIAL_TLS)
        turn();
    expect_wait(under_way, "waiting for the TLS handshake");
    ck_assert_uint_gt(rqx__dial_times(under_way)->connected, 0);
    turn();
    rqx__dial_free(under_way);
    target.proxy_host = SLICE("proxy.example");
    target.proxy_port = port;
    target.route = RQX__ROUTE_CONNECT;
    under_way = begin(&target, &outcome);
    while (rqx__dial_phase(under_way) != RQX__DIAL_PROXY)
        turn();
    snprintf(text, sizeof text, "waiting for the proxy proxy.example:%d", port);
    expect_wait(under_way, text);
    ck_assert_uint_eq(rqx__dial_times(under_way)->connected, 0);
    turn();
    rqx__dial_free(under_way);
    ck_assert_uint_eq(outcome.calls, 0);
    ck_assert_uint_eq(count_descriptors(), before);
    close(listener);
    drop_trust(tls);
}
END_TEST

/* ---- fork ---- */

START_TEST(a_forked_child_leaves_the_parents_dials_alone)
{
    struct origin origin = {.tls = {.identity = NULL}};
    rqx_tls *tls = make_trust();
    struct hanging hanging;
    struct rqx__dial_target target;
    struct outcome outcome;
    struct outcome racing;
    struct rqx__dial *under_way;
    struct rqx__dial *race;
    pid_t pid;

    origin.tls.identity = &good;
    origin.listener = listen_on(AF_INET, &origin.port); /* accepts only after the fork */
    make_server_ctx(&origin.tls);
    start_resolver(api_resolve, NULL, 0);
    target = target_of("api.example", origin.port);
    target.tls = tls;
    under_way = begin(&target, &outcome);
    while (rqx__dial_phase(under_way) != RQX__DIAL_TLS)
        turn();
    target = target_of("127.0.0.7", hang_on(&hanging, 0x7f000007, 0));
    race = begin(&target, &racing);
    pid = fork();
    if (pid == 0) {
        rqx__loop_detach(loop);
        rqx__resolver_abandon(resolver);
        rqx__dial_abandon(under_way);
        rqx__dial_abandon(race);
        rqx__loop_abandon(loop);
        leave_child(outcome.calls == 0 && racing.calls == 0);
    }
    ck_assert(child_left_well(pid));
    ck_assert_int_eq(pthread_create(&origin.thread, NULL, origin_thread, &origin), 0);
    run_until(&outcome.done);
    ck_assert_ptr_nonnull(outcome.wire);
    ck_assert_uint_eq(racing.calls, 0);
    rqx__wire_shutdown(outcome.wire);
    rqx__wire_free(outcome.wire);
    rqx__dial_free(race);
    stop_hanging(&hanging);
    stop_origin(&origin);
    drop_trust(tls);
}
END_TEST

/* ---- allocation failures ---- */

#ifdef RQX_TEST_ALLOC
START_TEST(each_allocation_may_fail)
{
    char expected[] = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\nX: y\r\n\r\n";
    rqx_tls *tls = make_trust();
    unsigned long n;
    int refused = 0;
    bool done = false;

    ck_assert_int_eq(rqx_tls_load(tls, NULL), 0);
    start_resolver(api_resolve, NULL, 0);
    for (n = 1; !done; n++) {
        struct origin origin = {
            .tls = {.identity = &good}, .proxy_answer = "HTTP/1.1 200 OK\r\n\r\n", .expected = expected};
        struct rqx__dial_target target = target_of("api.example", 443);
        struct outcome outcome;
        struct rqx__dial *under_way = NULL;
        int rc;

        start_origin(&origin);
        target.tls = tls;
        target.proxy_host = SLICE("proxy.example");
        target.proxy_port = origin.port;
        target.route = RQX__ROUTE_CONNECT;
        target.tunnel_fields = SLICE("X: y\r\n");
        memset(&outcome, 0, sizeof outcome);
        rqx__mem_fail_at(n, 0);
        rc = rqx__dial_new(loop, resolver, &target, dialed, &outcome, &under_way);
        if (rc == 0)
            run_until(&outcome.done);
        done = rqx__mem_count() < n;
        rqx__mem_fail_at(0, 0);
        if (rc == 0 && outcome.wire == NULL)
            rc = outcome.err.code;
        ck_assert_msg(rc == 0 || rc == RQX_ERR_NOMEM, "%d at %lu", rc, n);
        refused += rc == RQX_ERR_NOMEM;
        rqx__wire_free(outcome.wire);
        if (rc != 0) { /* in case nobody came to it */
            struct sockaddr_in address = loopback4(origin.port);
            int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

            connect(fd, (struct sockaddr *)&address, sizeof address);
            close(fd);
        }
        stop_origin(&origin);
        ck_assert_uint_lt(n, 100);
    }
    ck_assert_int_gt(refused, 10);
    drop_trust(tls);
}
END_TEST
#endif

static Suite *dial_suite(void)
{
    const TTest *const connecting[] = {
        a_plain_connection_is_ready_and_watched_by_nobody,
        a_refused_connection_names_host_and_addresses,
        a_name_that_does_not_resolve_is_told,
        the_next_address_is_tried_at_once_when_one_fails,
        ipv6_goes_first_and_ipv4_is_there_if_it_fails,
        a_silent_address_is_overtaken,
        a_dial_can_be_cancelled,
        ipv4_waits_a_moment_for_ipv6,
        a_local_address_is_used_and_chooses_the_family,
        different_causes_are_told_apart,
        a_path_is_connected_to,
    };
    const TTest *const layers[] = {
        tls_is_ready_when_it_is_told,
        another_server_name_can_be_asked_for,
        failures_of_tls_name_host_and_cause,
        a_tunnel_leads_to_the_origin,
        a_proxy_without_a_tunnel_is_connected_to,
        failures_of_a_proxy_are_the_proxys,
        a_tunnel_to_no_host_is_refused,
        each_phase_can_hang_and_be_left,
        a_forked_child_leaves_the_parents_dials_alone,
#ifdef RQX_TEST_ALLOC
        each_allocation_may_fail,
#endif
    };
    Suite *suite = suite_create("dial");

    add_tests(rqx_add_case(suite, "connecting"), connecting, COUNT(connecting), set_up, tear_down);
    add_tests(rqx_add_case(suite, "layers"), layers, COUNT(layers), set_up, tear_down);
    return suite;
}

RQX_CHECK_MAIN(dial_suite)
