/*
 * net/hash.h - the hash functions and random bytes of the TLS library.
 */
#ifndef RQX_NET_HASH_H
#define RQX_NET_HASH_H

#include "base/hash.h"

extern const struct rqx__hash_ops rqx__hash_ops;

#endif
