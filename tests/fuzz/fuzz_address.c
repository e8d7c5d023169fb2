/*
 * Address policies: BASE, rules ("+NETWORK" or "-NETWORK", a line each), NUL, addresses, a line each.  The order of
 * rules does not matter, a copy decides alike, what is allowed grows with the base, and a rule for the address itself
 * decides.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <requestx/address.h>

#include "net/address.h"

#define MOST 32

struct rules {
    char *networks[MOST];
    bool allows[MOST];
    size_t count;
};

static void add(rqx_address_policy *policy, const char *network, bool allow)
{
    int rv = allow ? rqx_address_policy_allow(policy, network) : rqx_address_policy_deny(policy, network);

    FUZZ_ASSERT(rv == 0 || rv == RQX_ERR_INVALID_ARGUMENT);
}

static rqx_address_policy *make(rqx_address_base base, const struct rules *rules, bool backwards)
{
    rqx_address_policy *policy = NULL;
    size_t i;

    FUZZ_ASSERT(rqx_address_policy_new(base, &policy) == 0);
    for (i = 0; i < rules->count; i++) {
        size_t at = backwards ? rules->count - 1 - i : i;

        add(policy, rules->networks[at], rules->allows[at]);
    }
    return policy;
}

/* False: |text| is no address without a zone. */
static bool sockaddr_of(const char *text, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

    memset(ret_address, 0, sizeof *ret_address);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    return ret_address->ss_family != 0;
}

/* What is tried last: a rule for the address itself, which no other can be longer than. */
static void check_own_rule(rqx_address_policy *policy, const char *address, int allowed)
{
    add(policy, address, true);
    FUZZ_ASSERT(rqx_address_policy_allows(policy, address) >= allowed);
    add(policy, address, false);
    FUZZ_ASSERT(rqx_address_policy_allows(policy, address) == 0);
}

static void check(rqx_address_base base, const struct rules *rules, const char *address)
{
    rqx_address_policy *policy = make(base, rules, false);
    rqx_address_policy *backwards = make(base, rules, true);
    rqx_address_policy *none = make(RQX_ADDRESS_NONE, rules, false);
    rqx_address_policy *any = make(RQX_ADDRESS_ANY, rules, false);
    rqx_address_policy *copy = NULL;
    struct sockaddr_storage sockaddr;
    int allowed = rqx_address_policy_allows(policy, address);

    FUZZ_ASSERT(rqx__address_policy_copy(policy, &copy) == 0);
    FUZZ_ASSERT(rqx_address_policy_allows(copy, address) == allowed);
    FUZZ_ASSERT(rqx_address_policy_allows(backwards, address) == allowed);
    FUZZ_ASSERT(allowed == 0 || allowed == 1 || allowed == RQX_ERR_INVALID_ARGUMENT);
    if (allowed >= 0) {
        FUZZ_ASSERT(rqx_address_policy_allows(none, address) <= allowed);
        FUZZ_ASSERT(rqx_address_policy_allows(any, address) >= allowed);
    }
    if (sockaddr_of(address, &sockaddr)) {
        FUZZ_ASSERT(allowed >= 0);
        FUZZ_ASSERT(rqx__address_policy_allows(policy, (struct sockaddr *)&sockaddr) == (allowed == 1));
        FUZZ_ASSERT(rqx__address_policy_allows_host(policy, address, strlen(address)) == (allowed == 1));
        check_own_rule(policy, address, allowed);
    }
    rqx_address_policy_free(policy);
    rqx_address_policy_free(backwards);
    rqx_address_policy_free(none);
    rqx_address_policy_free(any);
    rqx_address_policy_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    rqx_address_base base = (rqx_address_base)(fuzz_u8(&in) % 3);
    struct fuzz_in lines = fuzz_until(&in, 0);
    struct rules rules = {.count = 0};
    size_t i;

    while (lines.len > 0 && rules.count < MOST) {
        struct fuzz_in line = fuzz_until(&lines, '\n');

        rules.allows[rules.count] = fuzz_u8(&line) == '+';
        rules.networks[rules.count++] = fuzz_text(line);
    }
    for (i = 0; i < MOST && in.len > 0; i++) {
        char *address = fuzz_text(fuzz_until(&in, '\n'));

        check(base, &rules, address);
        free(address);
    }
    for (i = 0; i < rules.count; i++)
        free(rules.networks[i]);
    return 0;
}
