/*
 * requestx/address.h - which addresses a client may connect to: a guard for URLs that somebody else chose (SSRF).
 *
 * The policy of a client is asked about each address right before a socket is connected to it, whoever named it: DNS,
 * the hosts file, an override, a literal in the URL, the target of a redirect, a proxy.  So a name cannot have one
 * address when it is looked at and another when it is used (DNS rebinding).  Where it allows none of a host's addresses
 * the exchange ends with RQX_ERR_ADDRESS_DENIED, whose text names host and addresses.
 *
 * Behind a proxy that resolves names itself (HTTP, CONNECT, SOCKS5h) the library connects to the proxy, whose address
 * is the one asked about; the origin's is not known, and only the proxy can refuse it.  Behind a SOCKS5 proxy whose
 * names are resolved here (socks5) both are asked about, and the proxy is not asked for what is denied.  An origin that
 * is given as an address (also as a number: 0x7f000001, 127.1), and localhost, are asked about all the same.
 *
 * Rules are addresses and networks: "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; and "unix": sockets on a path.  The
 * rule with the longest prefix that holds an address decides, and of two alike the one that denies.  Where no rule
 * holds it, the base that the policy was made with does.
 *
 * IPv4-mapped addresses (::ffff:0:0/96) are the IPv4 addresses that they stand for, in rules too.  An IPv6 address that
 * carries an IPv4 address to which the packets may go in the end (6to4, Teredo, NAT64's 64:ff9b::/96, IPv4-compatible)
 * is allowed only if both are.  The prefix of a NAT64 that is a network's own cannot be known: deny it by a rule.
 * 0.0.0.0 and :: are allowed only if 127.0.0.1 and ::1 are too, which is where they lead.
 *
 * One owner; not for several threads while rules are added.  A client copies it.
 */
#ifndef REQUESTX_ADDRESS_H
#define REQUESTX_ADDRESS_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/** Most rules of a policy. */
#define RQX_ADDRESS_RULES_MAX 65536

/** What becomes of an address that no rule holds. */
typedef enum rqx_address_base {
    /** it is allowed */
    RQX_ADDRESS_ANY = 0,
    /** it is denied; sockets on a path too */
    RQX_ADDRESS_NONE = 1,
    /**
     * it is allowed if it is one of the public internet: global unicast, and not in one of the special-purpose blocks
     * of the registry of RFC 6890 and RFC 8190 that are not globally reachable (loopback, private, shared, link-local,
     * unique local, documentation, benchmarking, reserved, unspecified), nor multicast, broadcast, 6to4 relays, Teredo;
     * sockets on a path are denied
     */
    RQX_ADDRESS_PUBLIC = 2
} rqx_address_base;

/** Makes a policy without rules.  Errors: RQX_ERR_INVALID_ARGUMENT (|base|), RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_address_policy_new(rqx_address_base base, rqx_address_policy **ret_policy);
/** Frees it.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_address_policy_free(rqx_address_policy *policy);
/**
 * Adds a rule that allows.  Errors: RQX_ERR_INVALID_ARGUMENT (|network| is none, has bits beyond its prefix, or there
 * are RQX_ADDRESS_RULES_MAX rules already), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_address_policy_allow(rqx_address_policy *policy, const char *network);
/** Adds a rule that denies.  Errors: as rqx_address_policy_allow.  Since 0.1. */
RQX_API int rqx_address_policy_deny(rqx_address_policy *policy, const char *network);
/**
 * Tells whether |address|, a literal without brackets or "unix", is allowed: 1 or 0.  Errors: RQX_ERR_INVALID_ARGUMENT
 * (it is no address).  Since 0.1.
 */
RQX_API int rqx_address_policy_allows(const rqx_address_policy *policy, const char *address);

RQX_END_DECLS

#endif
