/*
 * dial_run.h - a loop, a resolver, and dials that are run to their end.
 */
#ifndef RQX_TESTS_UNIT_DIAL_RUN_H
#define RQX_TESTS_UNIT_DIAL_RUN_H

#include "support.h"

#include "base/clock.h"
#include "dns_support.h"
#include "loop/loop.h"
#include "net/dial.h"
#include "net_support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct rqx__loop *loop;
static struct rqx__resolver *resolver;
static struct dns_server dns;
static bool dns_runs;

static inline void set_up(void)
{
    ck_assert_int_eq(rqx__loop_new(false, &loop), 0);
    resolver = NULL;
    dns_runs = false;
}

static inline void tear_down(void)
{
    rqx__resolver_free(resolver);
    rqx__loop_free(loop);
    if (dns_runs)
        dns_stop(&dns);
}

/* Names by |resolve|, and by |rules| of DNS, if any. */
static inline void start_resolver(const char *const *resolve, const struct dns_rule *rules, size_t rule_count)
{
    char nameservers[32] = "127.0.0.1:1";
    struct rqx__resolver_config config = {
        .nameservers = nameservers,
        .resolve = resolve,
        .ttl_max_ms = 60000,
        .negative_ms = 1000,
        .timeout_ms = 60000,
        .hosts_file = "/dev/null",
        .resolv_file = "/dev/null",
    };

    if (rules != NULL) {
        dns_start(&dns, rules, rule_count);
        dns_runs = true;
        snprintf(nameservers, sizeof nameservers, "127.0.0.1:%d", dns.port);
    }
    ck_assert_int_eq(rqx__resolver_new(loop, &config, &resolver), 0);
}

/* How a dial ended. */
struct outcome {
    unsigned calls;
    bool done;
    struct rqx__wire *wire;
    enum rqx__alpn alpn;
    struct rqx__err err;
    struct rqx__dial_times times;
    enum rqx__dial_phase phase;
    bool keep; /* the dial is not freed by the callback */
};

static inline void dialed(struct rqx__dial *dial, struct rqx__wire *wire, enum rqx__alpn alpn,
                          const struct rqx__err *err, void *user)
{
    struct outcome *outcome = user;

    ck_assert((wire == NULL) != (err == NULL));
    outcome->calls++;
    outcome->wire = wire;
    outcome->alpn = alpn;
    outcome->times = *rqx__dial_times(dial);
    outcome->phase = rqx__dial_phase(dial);
    if (err != NULL)
        outcome->err = *err;
    outcome->done = true;
    if (!outcome->keep)
        rqx__dial_free(dial);
}

static inline void turn(void)
{
    ck_assert_int_eq(rqx__loop_poll(loop, rqx__loop_has_deferred(loop) ? 0 : rqx__clock_after_ms(rqx__clock_now(), 50)),
                     0);
    rqx__loop_dispatch(loop);
}

static inline void run_until(const bool *flag)
{
    uint64_t end = rqx__clock_after_ms(rqx__clock_now(), 20000);

    while (!*flag) {
        ck_assert_uint_lt(rqx__clock_now(), end);
        turn();
    }
}

static inline struct rqx__dial_target target_of(const char *host, int port)
{
    struct rqx__dial_target target;

    memset(&target, 0, sizeof target);
    target.host = SLICE(host);
    target.port = port;
    target.protocols = RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2;
    return target;
}

static inline struct rqx__dial *begin(const struct rqx__dial_target *target, struct outcome *outcome)
{
    struct rqx__dial *dial = NULL;

    memset(outcome, 0, sizeof *outcome);
    ck_assert_int_eq(rqx__dial_new(loop, resolver, target, dialed, outcome, &dial), 0);
    ck_assert_uint_eq(outcome->calls, 0); /* never before it returned */
    return dial;
}

static inline void dial(const struct rqx__dial_target *target, struct outcome *outcome)
{
    begin(target, outcome);
    run_until(&outcome->done);
    ck_assert_uint_eq(outcome->calls, 1);
}

/* What the dial waits for, in words. */
static inline void expect_wait(const struct rqx__dial *under_way, const char *expected)
{
    char text[200];

    rqx__dial_describe(under_way, text, sizeof text);
    ck_assert_str_eq(text, expected);
}

static inline void expect_failure(const struct rqx__dial_target *target, int code, const char *text)
{
    struct outcome outcome;

    dial(target, &outcome);
    ck_assert_ptr_null(outcome.wire);
    ck_assert_str_eq(outcome.err.text, text);
    ck_assert_int_eq(outcome.err.code, code);
}

#endif
