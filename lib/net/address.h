/*
 * address.h - what the library itself asks an rqx_address_policy, and addresses that are written as numbers.
 *
 * Knows nothing of sockets or names that need looking up.  A policy does not change while a client has it.
 */
#ifndef RQX_NET_ADDRESS_H
#define RQX_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include <requestx/address.h>

/* RQX_ERR_NOMEM. */
int rqx__address_policy_copy(const rqx_address_policy *policy, rqx_address_policy **ret_copy);
/* Whether a socket may be connected to |address|.  |policy| NULL: to any. */
bool rqx__address_policy_allows(const rqx_address_policy *policy, const struct sockaddr *address);
/*
 * Whether the host of an origin may be named to a proxy: false only where it is, or as a number stands for, an address
 * that is not allowed.  |policy| NULL: true.
 */
bool rqx__address_policy_allows_host(const rqx_address_policy *policy, const char *host, size_t len);
/* Reads an IPv4 or IPv6 address, of port 0.  RQX_ERR_INVALID_ARGUMENT: it is none. */
int rqx__sockaddr_read(rqx_slice text, struct sockaddr_storage *ret_address);

#endif
