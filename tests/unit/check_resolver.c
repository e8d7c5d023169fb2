/*
 * check_resolver.c - names to addresses: what needs no question, the cache, and DNS with a server that answers as told.
 */
#include "support.h"

#include <net/if.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "dns_support.h"
#include "file_support.h"
#include "net/resolver.h"
#include "net/resolver_internal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what the tests share ---- */

static struct rqx__loop *loop;
static struct rqx__resolver *resolver;
static struct dns_server dns;
static bool dns_runs;
static char hosts_path[64];
static char resolv_path[64];

static void set_up(void)
{
    make_file(hosts_path, sizeof hosts_path, "");
    make_file(resolv_path, sizeof resolv_path, "search one.example\n");
    ck_assert_int_eq(rqx__loop_new(false, &loop), 0);
    resolver = NULL;
    dns_runs = false;
}

static void tear_down(void)
{
    rqx__resolver_free(resolver);
    rqx__loop_free(loop);
    if (dns_runs)
        dns_stop(&dns);
    unlink(hosts_path);
    unlink(resolv_path);
}

static struct rqx__resolver_config plain_config(void)
{
    static char nameservers[32];

    snprintf(nameservers, sizeof nameservers, "127.0.0.1:%d", dns_runs ? dns.port : 1);
    return (struct rqx__resolver_config){
        .nameservers = nameservers,
        .ttl_max_ms = 60000,
        .negative_ms = 60000,
        .timeout_ms = 2000,
        .hosts_file = hosts_path,
        .resolv_file = resolv_path,
    };
}

static void start_resolver(const struct rqx__resolver_config *config)
{
    ck_assert_int_eq(rqx__resolver_new(loop, config, &resolver), 0);
}

/* A DNS server by |rules|, and a resolver that asks it. */
static void start_both(const struct dns_rule *rules, size_t count)
{
    struct rqx__resolver_config config;

    dns_start(&dns, rules, count);
    dns_runs = true;
    config = plain_config();
    start_resolver(&config);
}

/* A lookup and what it was told. */
struct probe {
    struct rqx__lookup lookup;
    unsigned calls;
    bool last;
    int order[2];
    char text[2][64 * RQX__RESOLVE_MAX]; /* addresses, each with a space behind it; of IPv6, then of IPv4 */
    unsigned count[2];
    struct rqx__err err[2];
    bool cancel_at_first;
    struct probe *also; /* to look up when called first */
    const char *also_name;
};

static void begin_probe(struct probe *probe, const char *name, int port);

static void told(struct rqx__lookup *lookup, int family, const struct rqx__addresses *addresses,
                 const struct rqx__err *err, bool last, void *user)
{
    struct probe *probe = user;
    int at = family == AF_INET6 ? 0 : 1;
    unsigned i;

    ck_assert_ptr_eq(lookup, &probe->lookup);
    ck_assert(family == AF_INET6 || family == AF_INET);
    ck_assert_uint_lt(probe->calls, 2);
    ck_assert(!probe->last);
    ck_assert((addresses == NULL) != (err == NULL));
    probe->order[probe->calls++] = family;
    probe->last = last;
    if (err != NULL)
        probe->err[at] = *err;
    for (i = 0; addresses != NULL && i < addresses->count; i++) {
        ck_assert_int_eq(addresses->family, family);
        ck_assert_int_eq(addresses->list[i].ss_family, family);
        rqx__sockaddr_text((const struct sockaddr *)&addresses->list[i], sizeof addresses->list[i],
                           probe->text[at] + strlen(probe->text[at]), 64);
        strcat(probe->text[at], " ");
        probe->count[at]++;
    }
    if (probe->also != NULL && probe->calls == 1)
        begin_probe(probe->also, probe->also_name, 1);
    if (probe->cancel_at_first)
        rqx__lookup_cancel(lookup);
}

static void begin_probe(struct probe *probe, const char *name, int port)
{
    probe->lookup.answer_cb = told;
    probe->lookup.user = probe;
    ck_assert_int_eq(rqx__resolver_lookup(resolver, name, strlen(name), port, &probe->lookup), 0);
}

static struct probe *new_probe(const char *name, int port)
{
    struct probe *probe = calloc(1, sizeof *probe);

    begin_probe(probe, name, port);
    return probe;
}

/* Lets the loop run until |*flag|; fails after 20 s. */
static void run_until(const bool *flag)
{
    uint64_t end = rqx__clock_after_ms(rqx__clock_now(), 20000);

    while (!*flag) {
        ck_assert_uint_lt(rqx__clock_now(), end);
        ck_assert_int_eq(rqx__loop_poll(loop, rqx__clock_after_ms(rqx__clock_now(), 100)), 0);
        rqx__loop_dispatch(loop);
    }
}

static struct probe *look_up(const char *name)
{
    struct probe *probe = new_probe(name, 443);

    run_until(&probe->last);
    ck_assert_uint_eq(probe->calls, 2);
    return probe;
}

static void expect(const char *name, const char *text6, const char *text4)
{
    struct probe *probe = look_up(name);

    ck_assert_str_eq(probe->text[0], text6);
    ck_assert_str_eq(probe->text[1], text4);
    ck_assert_int_eq(probe->err[0].code, text6[0] == '\0' ? RQX_ERR_NAME_NOT_FOUND : 0);
    ck_assert_int_eq(probe->err[1].code, text4[0] == '\0' ? RQX_ERR_NAME_NOT_FOUND : 0);
    free(probe);
}

static void expect_failure(const char *name, int code, const char *text)
{
    struct probe *probe = look_up(name);
    int i;

    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(probe->err[i].code, code);
        ck_assert_str_eq(probe->err[i].text, text);
        ck_assert_uint_eq(probe->count[i], 0);
    }
    free(probe);
}

/* Looks |name| up until IPv4 has |expected|. */
static void look_up_until(const char *name, const char *expected)
{
    bool changed = false;

    while (!changed) {
        struct timespec pause = {.tv_nsec = 20000000};
        struct probe *probe;

        nanosleep(&pause, NULL);
        rqx__loop_touch(loop);
        probe = look_up(name);
        changed = strcmp(probe->text[1], expected) == 0;
        free(probe);
    }
}

/* ---- without a question ---- */

START_TEST(literals_are_their_own_answer)
{
    struct rqx__resolver_config config = plain_config();
    char expected[64];
    char name[64];
    char loopback[IF_NAMESIZE];
    struct probe *probe;

    start_resolver(&config);
    expect("192.0.2.7", "", "192.0.2.7:443 ");
    expect("2001:db8::1", "[2001:db8::1]:443 ", "");
    expect("fe80::1%7", "[fe80::1%7]:443 ", "");
    ck_assert_ptr_nonnull(if_indextoname(1, loopback));
    snprintf(name, sizeof name, "FE80::1%%%s", loopback);
    for (char *c = name + 8; *c != '\0'; c++)
        *c = (char)(*c | 0x20);
    snprintf(expected, sizeof expected, "[fe80::1%%1]:443 ");
    expect(name, expected, "");
    probe = look_up("::ffff:1.2.3.4");
    ck_assert_int_eq(probe->order[0], AF_INET6);
    ck_assert_int_eq(probe->order[1], AF_INET);
    ck_assert_str_eq(probe->err[1].text, "name has no address");
    free(probe);
}
END_TEST

/* RFC 6761 section 6.3 */
START_TEST(localhost_is_this_machine)
{
    struct rqx__resolver_config config = plain_config();
    struct probe *probe;

    config.timeout_ms = 20;
    write_file(hosts_path, "192.0.2.1 localhost sub.localhost\n");
    start_resolver(&config);
    expect("localhost", "[::1]:443 ", "127.0.0.1:443 ");
    expect("LocalHost.", "[::1]:443 ", "127.0.0.1:443 ");
    expect("sub.localhost", "[::1]:443 ", "127.0.0.1:443 ");
    probe = look_up("notlocalhost"); /* which nobody is there to answer */
    ck_assert_int_eq(probe->err[0].code, RQX_ERR_RESOLVE);
    ck_assert_int_eq(probe->err[1].code, RQX_ERR_RESOLVE);
    free(probe);
}
END_TEST

START_TEST(overrides_come_first)
{
    static const char *const resolve[] = {"api.example=192.0.2.1, [2001:db8::1],192.0.2.2,192.0.2.1",
                                          "Up.Example.=127.0.0.9", "localhost=127.0.0.5", "api.example=192.0.2.3",
                                          NULL};
    struct rqx__resolver_config config = plain_config();

    config.resolve = resolve;
    write_file(hosts_path, "10.0.0.1 api.example\n");
    start_resolver(&config);
    expect("api.example", "[2001:db8::1]:443 ", "192.0.2.1:443 192.0.2.2:443 192.0.2.3:443 ");
    expect("up.example", "", "127.0.0.9:443 ");
    expect("API.example.", "[2001:db8::1]:443 ", "192.0.2.1:443 192.0.2.2:443 192.0.2.3:443 ");
    expect("localhost", "", "127.0.0.5:443 ");
}
END_TEST

START_TEST(the_hosts_file_counts)
{
    static char many[4000] = "";
    struct rqx__resolver_config config = plain_config();
    struct probe *probe;
    int i;

    for (i = 1; i <= 40; i++)
        snprintf(many + strlen(many), 40, "10.0.0.%d many.example\n", i);
    strcat(many, "# comment\n"
                 "192.0.2.5\tplain.example  alias # 192.0.2.6 no\r\n"
                 "2001:db8::5 plain.example\n"
                 "nonsense plain.example\n"
                 "\n"
                 "192.0.2.7\n"
                 "fe80::9%3 zone.example\n"
                 "192.0.2.8 UPPER.Example.\n"
                 "192.0.2.9 last.example");
    write_file(hosts_path, many);
    start_resolver(&config);
    expect("plain.example", "[2001:db8::5]:443 ", "192.0.2.5:443 ");
    expect("Alias", "", "192.0.2.5:443 ");
    expect("zone.example", "[fe80::9%3]:443 ", "");
    expect("upper.example", "", "192.0.2.8:443 ");
    expect("last.example", "", "192.0.2.9:443 ");
    probe = look_up("many.example");
    ck_assert_uint_eq(probe->count[1], RQX__RESOLVE_MAX);
    free(probe);
}
END_TEST

START_TEST(a_changed_hosts_file_is_read_anew)
{
    struct rqx__resolver_config config = plain_config();

    write_file(hosts_path, "192.0.2.1 h.example\n");
    start_resolver(&config);
    expect("h.example", "", "192.0.2.1:443 ");
    write_file(hosts_path, "192.0.2.22 h.example\n");
    expect("h.example", "", "192.0.2.1:443 "); /* not looked at for every question */
    look_up_until("h.example", "192.0.2.22:443 ");
}
END_TEST

/* ---- DNS ---- */

START_TEST(both_families_are_asked_and_remembered)
{
    static const struct dns_rule rules[] = {
        {"both.example", DNS_A, DNS_ANSWER, 300, 2, 1},
        {"both.example", DNS_AAAA, DNS_ANSWER, 300, 1, 9},
        {"four.example", DNS_A, DNS_ANSWER, 300, 1, 4},
        {"four.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
    };

    start_both(rules, COUNT(rules));
    expect("both.example", "[::9]:443 ", "127.0.0.1:443 127.0.0.2:443 ");
    expect("four.example", "", "127.0.0.4:443 ");
    ck_assert_uint_eq(dns.asked_a, 2);
    ck_assert_uint_eq(dns.asked_aaaa, 2);
    expect("both.example", "[::9]:443 ", "127.0.0.1:443 127.0.0.2:443 ");
    expect("FOUR.example", "", "127.0.0.4:443 ");
    ck_assert_uint_eq(dns.asked, 4);
}
END_TEST

START_TEST(that_there_is_no_name_is_remembered_for_a_moment)
{
    static const struct dns_rule rules[] = {{"none.example", DNS_A, DNS_NODATA, 0, 0, 0},
                                            {"none.example", DNS_AAAA, DNS_NODATA, 0, 0, 0}};
    struct rqx__resolver_config config;

    start_both(rules, COUNT(rules));
    expect_failure("nosuch.example.", RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
    expect_failure("none.example.", RQX_ERR_NAME_NOT_FOUND, "name has no address");
    ck_assert_uint_eq(dns.asked, 4);
    expect_failure("nosuch.example.", RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
    ck_assert_uint_eq(dns.asked, 4);
    rqx__resolver_free(resolver);
    config = plain_config();
    config.negative_ms = 0;
    start_resolver(&config);
    expect_failure("nosuch.example.", RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
    expect_failure("nosuch.example.", RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
    ck_assert_uint_eq(dns.asked, 8);
}
END_TEST

START_TEST(answers_live_no_longer_than_they_say_and_we_allow)
{
    static const struct dns_rule rules[] = {
        {"long.example", DNS_A, DNS_ANSWER, 86400, 1, 1},  {"long.example", DNS_AAAA, DNS_ANSWER, 86400, 1, 1},
        {"zero.example", DNS_A, DNS_ANSWER, 0, 1, 1},      {"zero.example", DNS_AAAA, DNS_ANSWER, 0, 1, 1},
        {"alias.example", DNS_A, DNS_ALIAS, 0, 1, 7},      {"alias.example", DNS_AAAA, DNS_ALIAS, 0, 1, 7},
        {"short.example", DNS_A, DNS_ANSWER, 86400, 1, 1}, {"short.example", DNS_AAAA, DNS_ANSWER, 86400, 1, 1},
    };
    struct rqx__resolver_config config;
    unsigned asked;

    start_both(rules, COUNT(rules));
    free(look_up("zero.example"));
    free(look_up("zero.example"));
    ck_assert_uint_eq(dns.asked, 4);
    expect("alias.example", "[::7]:443 ", "127.0.0.7:443 ");
    expect("alias.example", "[::7]:443 ", "127.0.0.7:443 "); /* its alias is good for no time at all */
    ck_assert_uint_eq(dns.asked, 8);
    rqx__resolver_free(resolver);
    config = plain_config();
    config.ttl_max_ms = 0;
    start_resolver(&config);
    free(look_up("long.example"));
    free(look_up("long.example"));
    ck_assert_uint_eq(dns.asked, 12);
    rqx__resolver_free(resolver);
    config.ttl_max_ms = 30;
    start_resolver(&config);
    free(look_up("short.example"));
    asked = dns.asked;
    while (dns.asked == asked) { /* until it is asked again */
        rqx__loop_touch(loop);
        free(look_up("short.example"));
    }
}
END_TEST

START_TEST(one_question_serves_all_who_ask_meanwhile)
{
    static const struct dns_rule rules[] = {{"slow.example", DNS_A, DNS_HOLD, 300, 1, 1},
                                            {"slow.example", DNS_AAAA, DNS_HOLD, 300, 1, 2}};
    struct probe *probes[6];
    size_t i;

    start_both(rules, COUNT(rules));
    for (i = 0; i < 6; i++)
        probes[i] = new_probe("slow.example", 1000 + (int)i);
    while (dns.asked < 2) {
        struct timespec pause = {.tv_nsec = 1000000};

        nanosleep(&pause, NULL);
    }
    rqx__lookup_cancel(&probes[1]->lookup);
    rqx__lookup_cancel(&probes[1]->lookup);
    probes[2]->cancel_at_first = true;
    probes[3]->also = calloc(1, sizeof *probes[3]); /* begins while answers are told */
    probes[3]->also_name = "slow.example";
    dns_release(&dns);
    run_until(&probes[5]->last);
    run_until(&probes[0]->last);
    run_until(&probes[3]->also->last);
    for (i = 0; i < 6; i++) {
        ck_assert_uint_eq(probes[i]->calls, i == 1 ? 0 : i == 2 ? 1 : 2);
        if (i != 1 && i != 2) {
            char expected[32];

            snprintf(expected, sizeof expected, "127.0.0.1:%zu ", 1000 + i);
            ck_assert_str_eq(probes[i]->text[1], expected);
        }
    }
    ck_assert_str_eq(probes[3]->also->text[0], "[::2]:1 ");
    ck_assert_uint_eq(dns.asked, 2);
    free(probes[3]->also);
    for (i = 0; i < 6; i++)
        free(probes[i]);
}
END_TEST

/* The other family of a cancelled lookup is not told, nor touched: its memory may be gone. */
static void cancel_and_free(struct rqx__lookup *lookup, int family, const struct rqx__addresses *addresses,
                            const struct rqx__err *err, bool last, void *user)
{
    bool *called = user;

    (void)family;
    (void)addresses;
    (void)err;
    ck_assert(!*called);
    ck_assert(!last);
    *called = true;
    rqx__lookup_cancel(lookup);
    free(lookup);
}

static void begin_and_free(const char *name, bool *called)
{
    struct rqx__lookup *lookup = calloc(1, sizeof *lookup);

    *called = false;
    lookup->answer_cb = cancel_and_free;
    lookup->user = called;
    ck_assert_int_eq(rqx__resolver_lookup(resolver, name, strlen(name), 443, lookup), 0);
}

START_TEST(a_lookup_may_be_cancelled_and_freed_when_called)
{
    static const struct dns_rule rules[] = {{"both.example", DNS_A, DNS_ANSWER, 300, 1, 1},
                                            {"both.example", DNS_AAAA, DNS_ANSWER, 300, 1, 2}};
    bool called;

    start_both(rules, COUNT(rules));
    begin_and_free("both.example", &called);
    run_until(&called);
    expect("both.example", "[::2]:443 ", "127.0.0.1:443 ");
    begin_and_free("both.example", &called); /* from the cache */
    ck_assert(called);
    begin_and_free("localhost", &called);
    ck_assert(called);
    expect("both.example", "[::2]:443 ", "127.0.0.1:443 ");
}
END_TEST

START_TEST(lookups_may_be_begun_from_callbacks)
{
    static const struct dns_rule rules[] = {{NULL, DNS_A, DNS_ANSWER, 300, 1, 1},
                                            {NULL, DNS_AAAA, DNS_ANSWER, 300, 1, 2}};
    struct probe *first = calloc(1, sizeof *first);
    struct probe *second = calloc(1, sizeof *second);
    struct probe *third = calloc(1, sizeof *third);

    start_both(rules, COUNT(rules));
    first->also = second;
    first->also_name = "b.example";
    second->also = third;
    second->also_name = "localhost";
    begin_probe(first, "a.example", 7);
    run_until(&first->last);
    run_until(&second->last);
    ck_assert(third->last);
    ck_assert_str_eq(second->text[1], "127.0.0.1:1 ");
    ck_assert_str_eq(third->text[0], "[::1]:1 ");
    free(first);
    free(second);
    free(third);
}
END_TEST

/* resolv.conf(5), "search" and "ndots": both families in step, so that one name is connected to and not two. */
START_TEST(the_search_list_is_gone_through_by_both_families_together)
{
    static const struct dns_rule rules[] = {
        {"app.one.example", DNS_A, DNS_ANSWER, 300, 1, 1},
        {"app.two.example", DNS_A, DNS_ANSWER, 300, 1, 2},
        {"app.two.example", DNS_AAAA, DNS_ANSWER, 300, 1, 2},
        {"app.one.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
        {"six.two.example", DNS_AAAA, DNS_ANSWER, 300, 1, 6},
        {"six.two.example", DNS_A, DNS_NODATA, 0, 0, 0},
        {"a.b", DNS_A, DNS_ANSWER, 300, 1, 3},
        {"a.b", DNS_AAAA, DNS_NODATA, 0, 0, 0},
        {"a.b.one.example", DNS_A, DNS_ANSWER, 300, 1, 4},
        {"bad.one.example", DNS_AAAA, DNS_SILENCE, 0, 0, 0},
        {"bad", DNS_A, DNS_ANSWER, 300, 1, 5},
        {"c.d.two.example", DNS_A, DNS_ANSWER, 300, 1, 8},
    };
    struct rqx__resolver_config config;
    struct probe *probe;

    write_file(resolv_path, "search one.example two.example.\n");
    dns_start(&dns, rules, COUNT(rules));
    dns_runs = true;
    config = plain_config();
    config.timeout_ms = 300; /* nothing may be asked twice but what is not answered */
    start_resolver(&config);
    expect("app", "", "127.0.0.1:443 "); /* not app.two.example for IPv6 alone */
    ck_assert_uint_eq(dns.asked, 2);
    expect("six", "[::6]:443 ", "");
    expect("a.b", "", "127.0.0.3:443 "); /* dots enough to be asked for as it is first */
    expect("c.d", "", "127.0.0.8:443 ");
    probe = look_up("bad"); /* a family whose answer is in doubt does not end the search for the other one */
    ck_assert_int_eq(probe->err[0].code, RQX_ERR_RESOLVE);
    ck_assert_str_eq(probe->text[1], "127.0.0.5:443 ");
    free(probe);
    rqx__resolver_free(resolver);
    write_file(resolv_path, "search one.example two.example.\noptions ndots:2\n");
    start_resolver(&config);
    expect("a.b", "", "127.0.0.4:443 ");
    expect("a.b.", "", "127.0.0.3:443 ");
    expect_failure("no.where", RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
}
END_TEST

/* Candidates that would be too long for a name are passed over. */
START_TEST(long_names_are_not_searched_for)
{
    static const struct dns_rule rules[] = {{NULL, DNS_A, DNS_NODATA, 0, 0, 0}, {NULL, DNS_AAAA, DNS_NODATA, 0, 0, 0}};
    char name[RQX__NAME_MAX] = "";
    int i;

    start_both(rules, COUNT(rules));
    for (i = 0; i < 24; i++)
        strcat(name, i > 0 ? ".aaaaaaaaa" : "aaaaaaaaa");
    strcat(name, ".aaaaaaaa"); /* 248 bytes: ".one.example" does not fit behind */
    ck_assert_uint_eq(strlen(name), 248);
    expect_failure(name, RQX_ERR_NAME_NOT_FOUND, "name has no address");
    ck_assert_uint_eq(dns.asked, 2);
}
END_TEST

START_TEST(servers_that_fail_are_told_as_such_and_not_remembered)
{
    static const struct dns_rule rules[] = {
        {"servfail.example", DNS_A, DNS_SERVFAIL, 0, 0, 0}, {"servfail.example", DNS_AAAA, DNS_SERVFAIL, 0, 0, 0},
        {"silent.example", DNS_A, DNS_SILENCE, 0, 0, 0},    {"silent.example", DNS_AAAA, DNS_SILENCE, 0, 0, 0},
        {"garbage.example", DNS_A, DNS_GARBAGE, 0, 0, 0},   {"garbage.example", DNS_AAAA, DNS_GARBAGE, 0, 0, 0},
        {"cut.example", DNS_A, DNS_TRUNCATED, 0, 0, 0},     {"cut.example", DNS_AAAA, DNS_TRUNCATED, 0, 0, 0},
    };
    struct rqx__resolver_config config;
    unsigned asked;
    struct probe *probe;

    dns_start(&dns, rules, COUNT(rules));
    dns_runs = true;
    config = plain_config();
    config.timeout_ms = 20;
    start_resolver(&config);
    probe = look_up("servfail.example");
    ck_assert_int_eq(probe->err[0].code, RQX_ERR_RESOLVE);
    ck_assert_int_eq(probe->err[1].code, RQX_ERR_RESOLVE);
    free(probe);
    expect_failure("silent.example", RQX_ERR_RESOLVE, "timed out asking the DNS servers");
    probe = look_up("garbage.example");
    ck_assert_int_eq(probe->err[1].code, RQX_ERR_RESOLVE);
    free(probe);
    probe = look_up("cut.example"); /* TCP is refused */
    ck_assert_int_eq(probe->err[1].code, RQX_ERR_RESOLVE);
    free(probe);
    asked = dns.asked;
    probe = look_up("servfail.example");
    free(probe);
    ck_assert_uint_gt(dns.asked, asked);
}
END_TEST

START_TEST(lies_are_bounded)
{
    static const struct dns_rule rules[] = {
        {"loop.example", DNS_A, DNS_LOOP, 60, 0, 0},        {"loop.example", DNS_AAAA, DNS_LOOP, 60, 0, 0},
        {"other.example", DNS_A, DNS_OTHER_TYPE, 60, 0, 0}, {"other.example", DNS_AAAA, DNS_OTHER_TYPE, 60, 0, 0},
        {"many.example", DNS_A, DNS_ANSWER, 60, 40, 1},     {"many.example", DNS_AAAA, DNS_ANSWER, 60, 40, 1},
        {"empty.example", DNS_A, DNS_ANSWER, 60, 0, 0},     {"empty.example", DNS_AAAA, DNS_ANSWER, 60, 0, 0},
    };
    struct probe *probe;

    start_both(rules, COUNT(rules));
    probe = look_up("loop.example");
    ck_assert_uint_eq(probe->count[0] + probe->count[1], 0);
    free(probe);
    probe = look_up("other.example");
    ck_assert_uint_eq(probe->count[0] + probe->count[1], 0);
    ck_assert_int_lt(probe->err[0].code, 0);
    free(probe);
    probe = look_up("many.example");
    ck_assert_uint_eq(probe->count[0], RQX__RESOLVE_MAX);
    ck_assert_uint_eq(probe->count[1], RQX__RESOLVE_MAX);
    free(probe);
    expect_failure("empty.example.", RQX_ERR_NAME_NOT_FOUND, "name has no address");
}
END_TEST

START_TEST(the_cache_is_bounded)
{
    static const struct dns_rule rules[] = {{NULL, DNS_A, DNS_ANSWER, 300, 1, 1},
                                            {NULL, DNS_AAAA, DNS_NODATA, 0, 0, 0}};
    char name[32];
    int i;

    start_both(rules, COUNT(rules));
    free(look_up("first.example"));
    free(look_up("kept.example"));
    for (i = 0; i < RQX__RESOLVE_NAMES_MAX - 1; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        free(look_up(name));
        free(look_up("kept.example"));
    }
    ck_assert_uint_eq(dns.asked, 2 * (RQX__RESOLVE_NAMES_MAX + 1));
    free(look_up("kept.example"));
    free(look_up(name));
    ck_assert_uint_eq(dns.asked, 2 * (RQX__RESOLVE_NAMES_MAX + 1));
    free(look_up("first.example"));
    ck_assert_uint_eq(dns.asked, 2 * (RQX__RESOLVE_NAMES_MAX + 2));
}
END_TEST

/* Names that are being asked for are not pushed out. */
START_TEST(what_is_under_way_stays)
{
    static const struct dns_rule rules[] = {{"slow.example", DNS_A, DNS_HOLD, 300, 1, 1},
                                            {"slow.example", DNS_AAAA, DNS_HOLD, 300, 1, 1},
                                            {NULL, DNS_A, DNS_ANSWER, 300, 1, 1},
                                            {NULL, DNS_AAAA, DNS_NODATA, 0, 0, 0}};
    struct rqx__resolver_config config;
    struct probe *slow;
    char name[32];
    int i;

    dns_start(&dns, rules, COUNT(rules));
    dns_runs = true;
    config = plain_config();
    config.timeout_ms = 60000;
    start_resolver(&config);
    slow = new_probe("slow.example", 443);
    for (i = 0; i < RQX__RESOLVE_NAMES_MAX + 5; i++) {
        snprintf(name, sizeof name, "n%d.example", i);
        free(look_up(name));
    }
    ck_assert_uint_eq(slow->calls, 0);
    dns_release(&dns);
    run_until(&slow->last);
    ck_assert_str_eq(slow->text[1], "127.0.0.1:443 ");
    free(slow);
}
END_TEST

START_TEST(a_changed_resolv_conf_is_noticed)
{
    static const struct dns_rule rules[] = {
        {"short.one.example", DNS_A, DNS_ANSWER, 0, 1, 1}, {"short.one.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
        {"short.two.example", DNS_A, DNS_ANSWER, 0, 1, 2}, {"short.two.example", DNS_AAAA, DNS_NODATA, 0, 0, 0},
        {"slow.one.example", DNS_A, DNS_HOLD, 0, 1, 3},    {"slow.one.example", DNS_AAAA, DNS_HOLD, 0, 1, 3},
        {"other.one.example", DNS_A, DNS_HOLD, 0, 1, 3},   {"other.one.example", DNS_AAAA, DNS_HOLD, 0, 1, 3},
    };
    struct rqx__resolver_config config;
    struct probe *slow;
    struct probe *other;

    dns_start(&dns, rules, COUNT(rules));
    dns_runs = true;
    config = plain_config();
    config.timeout_ms = 60000;
    config.negative_ms = 0;
    start_resolver(&config);
    expect("short", "", "127.0.0.1:443 ");
    slow = new_probe("slow", 443); /* asked by the old settings, and answered all the same */
    other = new_probe("other", 443);
    write_file(resolv_path, "search two.example\noptions attempts:2\n");
    look_up_until("short", "127.0.0.2:443 ");
    dns_release(&dns);
    run_until(&slow->last);
    ck_assert_str_eq(slow->text[1], "127.0.0.3:443 ");
    run_until(&other->last);
    free(slow);
    free(other);
    expect("short", "", "127.0.0.2:443 ");
    write_file(resolv_path, "search one.example\n"); /* with nothing under way */
    look_up_until("short", "127.0.0.1:443 ");
}
END_TEST

START_TEST(what_is_no_name_is_not_asked)
{
    static char long_name[256];
    static const rqx_slice names[] = {{"", 0}, {".", 1}, {"a b", 3}, {"a\0b", 3}, {"a\n", 2}, {"\xc3\xa9", 2}};
    struct rqx__resolver_config config = plain_config();
    struct probe probe = {.calls = 0};
    size_t i;

    start_resolver(&config);
    memset(long_name, 'a', 255);
    probe.lookup.answer_cb = told;
    probe.lookup.user = &probe;
    for (i = 0; i < COUNT(names); i++)
        ck_assert_int_eq(rqx__resolver_lookup(resolver, names[i].data, names[i].len, 1, &probe.lookup),
                         RQX_ERR_RESOLVE);
    ck_assert_int_eq(rqx__resolver_lookup(resolver, long_name, 255, 1, &probe.lookup), RQX_ERR_RESOLVE);
    ck_assert_uint_eq(probe.calls, 0);
    memset(&probe, 0, sizeof probe);
    rqx__lookup_cancel(&probe.lookup); /* one that never began */
    expect_failure(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", /* a label of 72 */
        RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
}
END_TEST

START_TEST(settings_are_checked)
{
    static const char *const bad_servers[] = {
        "",       "nonsense", "127.0.0.1:",  "127.0.0.1:0", "127.0.0.1:65536", "[::1",
        "[::1]x", "[::1]:x",  "127.0.0.1,,", ",",           "1.1.1.1:1:1",     "1,2,3"};
    static const char *const good_servers[] = {"127.0.0.1",           "::1",     "[::1]", "[::1]:5353",
                                               " 127.0.0.1:53 , ::1", "1.1.1.1,"};
    static const char *const bad_overrides[] = {"",           "host",          "host=",     "=1.2.3.4",
                                                "host=1.2.3", "host=1.2.3.4,", "host=[::1", " =1.1.1.1"};
    struct rqx__resolver_config config = plain_config();
    char many[400] = "";
    char override[400];
    const char *resolve[] = {NULL, NULL};
    size_t i;

    for (i = 0; i < COUNT(bad_servers); i++) {
        config.nameservers = bad_servers[i];
        ck_assert_msg(rqx__resolver_new(loop, &config, &resolver) == RQX_ERR_INVALID_ARGUMENT, "%s", bad_servers[i]);
    }
    for (i = 0; i < 17; i++)
        strcat(many, "127.0.0.1,");
    config.nameservers = many;
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), RQX_ERR_INVALID_ARGUMENT);
    for (i = 0; i < COUNT(good_servers); i++) {
        config.nameservers = good_servers[i];
        ck_assert_msg(rqx__resolver_new(loop, &config, &resolver) == 0, "%s", good_servers[i]);
        rqx__resolver_free(resolver);
        resolver = NULL;
    }
    config = plain_config();
    config.resolve = resolve;
    for (i = 0; i < COUNT(bad_overrides); i++) {
        resolve[0] = bad_overrides[i];
        ck_assert_msg(rqx__resolver_new(loop, &config, &resolver) == RQX_ERR_INVALID_ARGUMENT, "%s", bad_overrides[i]);
    }
    memset(override, 'a', sizeof override);
    strcpy(override + 300, "=1.2.3.4");
    resolve[0] = override;
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), RQX_ERR_INVALID_ARGUMENT);
    config = plain_config();
    config.timeout_ms = 0;
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), RQX_ERR_INVALID_ARGUMENT);
    config.timeout_ms = 1;
    config.ttl_max_ms = -1;
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), RQX_ERR_INVALID_ARGUMENT);
    config.ttl_max_ms = 0;
    config.negative_ms = -1;
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), RQX_ERR_INVALID_ARGUMENT);
    config.negative_ms = 0;
    config.timeout_ms = INT64_MAX;
    config.hosts_file = NULL;
    config.resolv_file = NULL;
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), 0);
    ck_assert_uint_gt(strlen(rqx__resolver_library()), 3);
    rqx__resolver_free(NULL);
}
END_TEST

/* The system's own settings: nobody is asked, the channel is only made. */
START_TEST(the_systems_settings_can_be_used)
{
    struct rqx__resolver_config config = plain_config();
    struct probe *probe;

    config.nameservers = NULL;
    config.resolv_file = NULL;
    start_resolver(&config);
    probe = new_probe("x.y.invalid.", 443);
    rqx__lookup_cancel(&probe->lookup);
    free(probe);
}
END_TEST

START_TEST(freeing_drops_what_is_under_way)
{
    static const struct dns_rule rules[] = {{NULL, DNS_A, DNS_HOLD, 0, 1, 1}, {NULL, DNS_AAAA, DNS_HOLD, 0, 1, 1}};
    struct probe *probe;

    start_both(rules, COUNT(rules));
    probe = new_probe("slow.example", 443);
    rqx__resolver_free(resolver);
    resolver = NULL;
    ck_assert_uint_eq(probe->calls, 0);
    rqx__lookup_cancel(&probe->lookup);
    free(probe);
    ck_assert_uint_eq(rqx__loop_next_deadline(loop), RQX__NEVER);
}
END_TEST

START_TEST(a_forked_child_leaves_the_parents_questions_alone)
{
    static const struct dns_rule rules[] = {{NULL, DNS_A, DNS_HOLD, 0, 1, 1}, {NULL, DNS_AAAA, DNS_HOLD, 0, 1, 1}};
    struct probe *probe;
    pid_t pid;

    start_both(rules, COUNT(rules));
    probe = new_probe("slow.example", 443);
    while (dns.asked < 2) {
        struct timespec pause = {.tv_nsec = 1000000};

        nanosleep(&pause, NULL);
    }
    pid = fork();
    if (pid == 0) {
        rqx__loop_detach(loop);
        rqx__resolver_abandon(resolver);
        rqx__lookup_cancel(&probe->lookup); /* its owner is abandoned later */
        rqx__loop_abandon(loop);
        leave_child(probe->calls == 0);
    }
    ck_assert(child_left_well(pid));
    dns_release(&dns);
    run_until(&probe->last);
    ck_assert_str_eq(probe->text[1], "127.0.0.1:443 ");
    free(probe);
}
END_TEST

#ifdef RQX_TEST_ALLOC
static void noted(struct rqx__lookup *lookup, int family, const struct rqx__addresses *addresses,
                  const struct rqx__err *err, bool last, void *user)
{
    struct probe *probe = user;

    (void)lookup;
    (void)family;
    if (addresses == NULL) {
        ck_assert_int_eq(err->code, RQX_ERR_NOMEM);
        probe->err[0] = *err;
    }
    probe->last = last;
}

/* Makes a resolver and looks up a name of each kind; gives the first error. */
static int whole_scenario(const struct rqx__resolver_config *config)
{
    static const char *const names[] = {"both.example", "over.example", "host.example", "both.example", "localhost"};
    struct probe probe = {.calls = 0};
    int rc = rqx__resolver_new(loop, config, &resolver);
    size_t i;

    probe.lookup.answer_cb = noted;
    probe.lookup.user = &probe;
    for (i = 0; rc == 0 && i < COUNT(names); i++) {
        probe.last = false;
        rc = rqx__resolver_lookup(resolver, names[i], strlen(names[i]), 443, &probe.lookup);
        if (rc == 0)
            run_until(&probe.last);
        if (probe.err[0].code != 0)
            rc = probe.err[0].code;
    }
    rqx__resolver_free(resolver);
    resolver = NULL;
    return rc;
}

START_TEST(each_allocation_may_fail)
{
    static const struct dns_rule rules[] = {{NULL, DNS_A, DNS_ANSWER, 60, 3, 1},
                                            {NULL, DNS_AAAA, DNS_ANSWER, 60, 3, 1}};
    static const char *const resolve[] = {"over.example=127.0.0.1,::1", NULL};
    struct rqx__resolver_config config;
    unsigned long n;
    int refused = 0;
    bool done = false;

    dns_start(&dns, rules, COUNT(rules));
    dns_runs = true;
    write_file(hosts_path, "127.0.0.1 host.example\n::1 host.example\n");
    config = plain_config();
    config.resolve = resolve;
    for (n = 1; !done; n++) {
        int rc;

        rqx__loop_free(loop);
        ck_assert_int_eq(rqx__loop_new(false, &loop), 0);
        rqx__mem_fail_at(n, 0);
        rc = whole_scenario(&config);
        done = rqx__mem_count() < n;
        rqx__mem_fail_at(0, 0);
        /* without memory for the hosts file it stays as it was: its name is asked of DNS then, which knows all */
        ck_assert_msg(rc == 0 || rc == RQX_ERR_NOMEM, "%d at %lu", rc, n);
        refused += rc == RQX_ERR_NOMEM;
        ck_assert_uint_lt(n, 200);
    }
    ck_assert_int_gt(refused, 10);
}
END_TEST
#endif

static Suite *resolver_suite(void)
{
    const TTest *const known[] = {
        literals_are_their_own_answer, localhost_is_this_machine,         overrides_come_first,
        the_hosts_file_counts,         a_changed_hosts_file_is_read_anew,
    };
    const TTest *const asked[] = {
        both_families_are_asked_and_remembered,
        that_there_is_no_name_is_remembered_for_a_moment,
        answers_live_no_longer_than_they_say_and_we_allow,
        one_question_serves_all_who_ask_meanwhile,
        a_lookup_may_be_cancelled_and_freed_when_called,
        lookups_may_be_begun_from_callbacks,
        the_search_list_is_gone_through_by_both_families_together,
        long_names_are_not_searched_for,
        servers_that_fail_are_told_as_such_and_not_remembered,
        lies_are_bounded,
        the_cache_is_bounded,
        what_is_under_way_stays,
        a_changed_resolv_conf_is_noticed,
        what_is_no_name_is_not_asked,
    };
    const TTest *const life[] = {
        settings_are_checked,
        the_systems_settings_can_be_used,
        freeing_drops_what_is_under_way,
        a_forked_child_leaves_the_parents_questions_alone,
#ifdef RQX_TEST_ALLOC
        each_allocation_may_fail,
#endif
    };
    Suite *suite = suite_create("resolver");

    add_tests(rqx_add_case(suite, "known"), known, COUNT(known), set_up, tear_down);
    add_tests(rqx_add_case(suite, "asked"), asked, COUNT(asked), set_up, tear_down);
    add_tests(rqx_add_case(suite, "life"), life, COUNT(life), set_up, tear_down);
    return suite;
}

RQX_CHECK_MAIN(resolver_suite)
