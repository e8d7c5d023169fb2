/*
 * address.c - rqx_address_policy: rules about addresses, and the blocks that are not of the public internet.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/resolver_internal.h"

/* Longest rule: an address, "/", three digits. */
#define RULE_TEXT_MAX (INET6_ADDRSTRLEN + 4)

struct rule {
    uint8_t bytes[16];
    uint8_t family; /* 4 or 6 */
    uint8_t prefix; /* bits of |bytes| that count; the others are 0 */
    bool allow;
};

struct rqx_address_policy {
    rqx_address_base base;
    bool unix_allowed; /* sockets on a path */
    bool unix_denied;  /* wins */
    size_t count;
    size_t cap;
    struct rule *rules;
};

/* ---- the public internet ---- */

/*
 * The IANA special-purpose address registries (RFC 6890, RFC 8190): what is "Globally Reachable: False" there is
 * denied, and what is True inside of such a block is allowed.  Besides: multicast (RFC 5771, RFC 4291 section 2.7), the
 * relays of 6to4 (RFC 7526), and of IPv6 all that is not global unicast (RFC 4291 section 2.4) or NAT64's (RFC 6052).
 */
static const struct rule public_rules[] = {
    {{0}, 4, 0, true},
    {{0}, 4, 8, false},                            /* "this network", RFC 791 section 3.2 */
    {{10}, 4, 8, false},                           /* private, RFC 1918 */
    {{100, 64}, 4, 10, false},                     /* shared: carrier-grade NAT, RFC 6598 */
    {{127}, 4, 8, false},                          /* loopback, RFC 1122 section 3.2.1.3 */
    {{169, 254}, 4, 16, false},                    /* link-local, RFC 3927; instances' metadata */
    {{172, 16}, 4, 12, false},                     /* private, RFC 1918 */
    {{192, 0, 0}, 4, 24, false},                   /* protocol assignments, RFC 6890 section 2.1 */
    {{192, 0, 0, 9}, 4, 32, true},                 /* PCP anycast, RFC 7723 */
    {{192, 0, 0, 10}, 4, 32, true},                /* TURN anycast, RFC 8155 */
    {{192, 0, 2}, 4, 24, false},                   /* documentation, RFC 5737 */
    {{192, 88, 99}, 4, 24, false},                 /* 6to4 relays, RFC 7526 */
    {{192, 168}, 4, 16, false},                    /* private, RFC 1918 */
    {{198, 18}, 4, 15, false},                     /* benchmarking, RFC 2544 */
    {{198, 51, 100}, 4, 24, false},                /* documentation, RFC 5737 */
    {{203, 0, 113}, 4, 24, false},                 /* documentation, RFC 5737 */
    {{224}, 4, 4, false},                          /* multicast, RFC 5771 */
    {{240}, 4, 4, false},                          /* reserved, RFC 1112 section 4; broadcast, RFC 919 */
    {{0}, 6, 0, false},                            /* loopback, unspecified, unique local, link-local, multicast... */
    {{0x20}, 6, 3, true},                          /* global unicast */
    {{0, 0x64, 0xff, 0x9b}, 6, 96, true},          /* NAT64, RFC 6052; what it carries is asked about too */
    {{0x20, 0x01}, 6, 23, false},                  /* protocol assignments, RFC 2928; Teredo, benchmarking, ORCHID */
    {{0x20, 0x01, 0, 1, [15] = 1}, 6, 128, true},  /* PCP anycast, RFC 7723 */
    {{0x20, 0x01, 0, 1, [15] = 2}, 6, 128, true},  /* TURN anycast, RFC 8155 */
    {{0x20, 0x01, 0, 3}, 6, 32, true},             /* AMT, RFC 7450 */
    {{0x20, 0x01, 0, 4, 0x01, 0x12}, 6, 48, true}, /* AS112, RFC 7535 */
    {{0x20, 0x01, 0, 0x20}, 6, 28, true},          /* ORCHIDv2, RFC 7343 */
    {{0x20, 0x01, 0, 0x30}, 6, 28, true},          /* drone remote ID, RFC 9374 */
    {{0x20, 0x01, 0x0d, 0xb8}, 6, 32, false},      /* documentation, RFC 3849 */
    {{0x3f, 0xff}, 6, 20, false},                  /* documentation, RFC 9637 */
};

/* ---- deciding ---- */

static bool holds(const struct rule *rule, uint8_t family, const uint8_t *bytes)
{
    unsigned whole = rule->prefix / 8;
    unsigned rest = rule->prefix % 8;

    if (rule->family != family || memcmp(rule->bytes, bytes, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] >> (8 - rest)) == (rule->bytes[whole] >> (8 - rest));
}

/* The rule that decides on an address; NULL: none holds it. */
static const struct rule *find_rule(const struct rule *rules, size_t count, uint8_t family, const uint8_t *bytes)
{
    const struct rule *found = NULL;
    size_t i;

    for (i = 0; i < count; i++) {
        if ((found == NULL || rules[i].prefix > found->prefix ||
             (rules[i].prefix == found->prefix && !rules[i].allow)) &&
            holds(&rules[i], family, bytes))
            found = &rules[i];
    }
    return found;
}

static bool decide(const rqx_address_policy *policy, uint8_t family, const uint8_t *bytes)
{
    const struct rule *rule = find_rule(policy->rules, policy->count, family, bytes);

    if (rule == NULL && policy->base == RQX_ADDRESS_PUBLIC)
        rule = find_rule(public_rules, sizeof public_rules / sizeof public_rules[0], family, bytes);
    return rule != NULL ? rule->allow : policy->base == RQX_ADDRESS_ANY;
}

static bool allows_v4(const rqx_address_policy *policy, const uint8_t *bytes)
{
    static const uint8_t unspecified[4] = {0};
    static const uint8_t loopback[4] = {127, 0, 0, 1};

    if (memcmp(bytes, unspecified, sizeof unspecified) == 0 && !decide(policy, 4, loopback))
        return false; /* where Linux connects to then */
    return decide(policy, 4, bytes);
}

/* The IPv4 addresses inside of an IPv6 one, at most two. */
static unsigned carried(const uint8_t *bytes, uint8_t (*ret_addresses)[4])
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t compatible[12] = {0};
    unsigned i;

    if (bytes[0] == 0x20 && bytes[1] == 0x02) { /* 6to4, RFC 3056 section 2 */
        memcpy(ret_addresses[0], bytes + 2, 4);
        return 1;
    }
    if (memcmp(bytes, nat64, sizeof nat64) == 0 ||            /* RFC 6052 section 2.1 */
        (memcmp(bytes, compatible, sizeof compatible) == 0 && /* RFC 4291 section 2.5.5.1, but for :: and ::1 */
         (bytes[12] != 0 || bytes[13] != 0 || bytes[14] != 0 || bytes[15] > 1))) {
        memcpy(ret_addresses[0], bytes + 12, 4);
        return 1;
    }
    if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0 && bytes[3] == 0) { /* Teredo, RFC 4380 section 4 */
        memcpy(ret_addresses[0], bytes + 4, 4);
        for (i = 0; i < 4; i++)
            ret_addresses[1][i] = (uint8_t)~bytes[12 + i];
        return 2;
    }
    return 0;
}

static bool allows_v6(const rqx_address_policy *policy, const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t unspecified[16] = {0};
    static const uint8_t loopback[16] = {[15] = 1};
    uint8_t inner[2][4];
    unsigned count;

    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return allows_v4(policy, bytes + 12);
    if (memcmp(bytes, unspecified, sizeof unspecified) == 0 && !decide(policy, 6, loopback))
        return false;
    if (!decide(policy, 6, bytes))
        return false;
    for (count = carried(bytes, inner); count > 0; count--) {
        if (!allows_v4(policy, inner[count - 1]))
            return false;
    }
    return true;
}

static bool allows_unix(const rqx_address_policy *policy)
{
    return !policy->unix_denied && (policy->unix_allowed || policy->base == RQX_ADDRESS_ANY);
}

static bool allows_parsed(const rqx_address_policy *policy, const struct rqx__address *address)
{
    return address->family == AF_INET ? allows_v4(policy, address->bytes) : allows_v6(policy, address->bytes);
}

bool rqx__address_policy_allows(const rqx_address_policy *policy, const struct sockaddr *address)
{
    uint8_t bytes[16];

    if (policy == NULL)
        return true;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return allows_v4(policy, bytes);
    case AF_INET6:
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        return allows_v6(policy, bytes);
    case AF_UNIX:
        return allows_unix(policy);
    default:
        return false;
    }
}

static bool is_localhost(const char *name, size_t len)
{
    static const char localhost[] = ".localhost";
    size_t tail = sizeof localhost - 1;

    return rqx__ieq(name, len, localhost + 1, tail - 1) ||
           (len > tail && rqx__ieq(name + len - tail, tail, localhost, tail));
}

bool rqx__address_policy_allows_host(const rqx_address_policy *policy, const char *host, size_t len)
{
    static const uint8_t loopback4[4] = {127, 0, 0, 1};
    static const uint8_t loopback6[16] = {[15] = 1};
    char copy[RQX__NAME_MAX + 1];
    struct rqx__address address;
    struct in_addr number;

    if (policy == NULL)
        return true;
    if (len > 0 && host[len - 1] == '.')
        len--;
    if (memchr(host, '%', len) != NULL) /* a zone, which may be one of this machine's or not */
        len = (size_t)((const char *)memchr(host, '%', len) - host);
    if (rqx__address_parse(host, len, &address))
        return allows_parsed(policy, &address);
    if (is_localhost(host, len))
        return allows_v4(policy, loopback4) && allows_v6(policy, loopback6);
    if (len == 0 || len > RQX__NAME_MAX)
        return true;
    memcpy(copy, host, len);
    copy[len] = '\0';
    if (inet_aton(copy, &number) == 0)
        return true;
    memcpy(address.bytes, &number, 4);
    return allows_v4(policy, address.bytes);
}

/* ---- rules ---- */

/* Whether all bits of |rule| beyond its prefix are 0. */
static bool is_network(const struct rule *rule)
{
    unsigned bits = rule->family == 4 ? 32 : 128;
    unsigned i;

    for (i = rule->prefix; i < bits; i++) {
        if ((rule->bytes[i / 8] >> (7 - i % 8) & 1) != 0)
            return false;
    }
    return true;
}

/* An IPv4-mapped network is one of IPv4. */
static void unmap(struct rule *rule)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (rule->family != 6 || rule->prefix < 96 || memcmp(rule->bytes, mapped, sizeof mapped) != 0)
        return;
    rule->family = 4;
    rule->prefix = (uint8_t)(rule->prefix - 96);
    memmove(rule->bytes, rule->bytes + 12, 4);
    memset(rule->bytes + 4, 0, 12);
}

static bool parse_rule(const char *text, struct rule *ret_rule)
{
    size_t len = strnlen(text, RULE_TEXT_MAX + 1);
    const char *slash = memchr(text, '/', len);
    size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
    struct rqx__address address;
    uint64_t prefix;

    /* a zone means nothing here: what is compared is the address */
    if (len > RULE_TEXT_MAX || memchr(text, '%', len) != NULL || !rqx__address_parse(text, address_len, &address))
        return false;
    prefix = address.family == AF_INET ? 32 : 128;
    if (slash != NULL && rqx__parse_u64(slash + 1, len - address_len - 1, prefix, &prefix) < 0)
        return false;
    memset(ret_rule, 0, sizeof *ret_rule);
    ret_rule->family = address.family == AF_INET ? 4 : 6;
    ret_rule->prefix = (uint8_t)prefix;
    memcpy(ret_rule->bytes, address.bytes, sizeof ret_rule->bytes);
    if (!is_network(ret_rule))
        return false;
    unmap(ret_rule);
    return true;
}

static int add_rule(rqx_address_policy *policy, const char *network, bool allow)
{
    struct rule rule;

    if (policy == NULL || network == NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    if (strcmp(network, "unix") == 0) {
        policy->unix_allowed = policy->unix_allowed || allow;
        policy->unix_denied = policy->unix_denied || !allow;
        return 0;
    }
    if (policy->count == RQX_ADDRESS_RULES_MAX || !parse_rule(network, &rule))
        return RQX_ERR_INVALID_ARGUMENT;
    rule.allow = allow;
    if (policy->count == policy->cap) {
        size_t cap = policy->cap == 0 ? 8 : policy->cap * 2;
        struct rule *grown = rqx__realloc(policy->rules, cap * sizeof *grown);

        if (grown == NULL)
            return RQX_ERR_NOMEM;
        policy->rules = grown;
        policy->cap = cap;
    }
    policy->rules[policy->count++] = rule;
    return 0;
}

/* ---- public ---- */

int rqx_address_policy_new(rqx_address_base base, rqx_address_policy **ret_policy)
{
    rqx_address_policy *policy;

    if (base != RQX_ADDRESS_ANY && base != RQX_ADDRESS_NONE && base != RQX_ADDRESS_PUBLIC)
        return RQX_ERR_INVALID_ARGUMENT;
    policy = rqx__calloc(1, sizeof *policy);
    if (policy == NULL)
        return RQX_ERR_NOMEM;
    policy->base = base;
    *ret_policy = policy;
    return 0;
}

int rqx__address_policy_copy(const rqx_address_policy *policy, rqx_address_policy **ret_copy)
{
    rqx_address_policy *copy = rqx__malloc(sizeof *copy);

    if (copy == NULL)
        return RQX_ERR_NOMEM;
    *copy = *policy;
    copy->rules = NULL;
    copy->cap = copy->count;
    if (copy->count > 0) {
        copy->rules = rqx__malloc(copy->count * sizeof *copy->rules);
        if (copy->rules == NULL) {
            rqx__free(copy);
            return RQX_ERR_NOMEM;
        }
        memcpy(copy->rules, policy->rules, copy->count * sizeof *copy->rules);
    }
    *ret_copy = copy;
    return 0;
}

void rqx_address_policy_free(rqx_address_policy *policy)
{
    if (policy == NULL)
        return;
    rqx__free(policy->rules);
    rqx__free(policy);
}

int rqx_address_policy_allow(rqx_address_policy *policy, const char *network)
{
    return add_rule(policy, network, true);
}

int rqx_address_policy_deny(rqx_address_policy *policy, const char *network)
{
    return add_rule(policy, network, false);
}

int rqx_address_policy_allows(const rqx_address_policy *policy, const char *address)
{
    struct rqx__address parsed;

    if (policy == NULL || address == NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    if (strcmp(address, "unix") == 0)
        return allows_unix(policy);
    if (!rqx__address_parse(address, strnlen(address, RQX__NAME_MAX), &parsed))
        return RQX_ERR_INVALID_ARGUMENT;
    return allows_parsed(policy, &parsed);
}

int rqx__sockaddr_read(rqx_slice text, struct sockaddr_storage *ret_address)
{
    struct sockaddr_storage address = {0};
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof copy)
        return RQX_ERR_INVALID_ARGUMENT;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &((struct sockaddr_in *)&address)->sin_addr) == 1)
        address.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, copy, &((struct sockaddr_in6 *)&address)->sin6_addr) == 1)
        address.ss_family = AF_INET6;
    else
        return RQX_ERR_INVALID_ARGUMENT;
    *ret_address = address;
    return 0;
}
