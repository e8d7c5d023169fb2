/*
 * hash.h - hash functions and random bytes, as they are handed to code that must not know who has them.
 */
#ifndef RQX_BASE_HASH_H
#define RQX_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <requestx/types.h>

/* By strength. */
enum rqx__hash { RQX__HASH_MD5 = 0, RQX__HASH_SHA_256, RQX__HASH_SHA_512_256, RQX__HASH_COUNT };

#define RQX__HASH_MAX 32

struct rqx__hash_ops {
    /*
     * Hashes the |count| pieces one after the other; gives the length of |out|: 16 for MD5, else 32.
     * RQX_ERR_UNSUPPORTED: this system does not have or allow the function; RQX_ERR_NOMEM.
     */
    int (*hash)(enum rqx__hash which, const rqx_slice *pieces, size_t count, uint8_t out[RQX__HASH_MAX]);
    /* Bytes that nobody can guess.  RQX_ERR_SYSTEM. */
    int (*random)(uint8_t *out, size_t len);
};

#endif
