/*
 * socks.h - the messages of SOCKS5 (RFC 1928) and of its user and password (RFC 1929): what is said, and what is heard.
 *
 * Functions over bytes alone: they know no socket, keep nothing, and look at no byte beyond |len|.
 *
 * Those that take look at the first |len| bytes that came, from the message's beginning on.  They give 0 when the
 * message is complete and good, with its length in |*ret_need|; RQX_AGAIN while it is not complete, and then it has at
 * least |*ret_need| bytes, so that nothing beyond the message need ever be read; or negative with |err|.
 */
#ifndef RQX_PROTO_SOCKS_H
#define RQX_PROTO_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <requestx/types.h>

#include "base/err.h"

/* Bytes of a host name, of a user and of a password: each has one byte for its length. */
#define RQX__SOCKS_TEXT_MAX 255
/* Room that what is said needs at most. */
#define RQX__SOCKS_SAY_MAX (3 + 2 * RQX__SOCKS_TEXT_MAX)
/* Bytes that an answer has at most: version, code, reserved, type, length, name, port. */
#define RQX__SOCKS_ANSWER_MAX (5 + RQX__SOCKS_TEXT_MAX + 2)

/* How a proxy may be asked to let a client in. */
enum rqx__socks_method { RQX__SOCKS_OPEN = 0x00, RQX__SOCKS_PASSWORD = 0x02, RQX__SOCKS_NONE_FITS = 0xff };

/* What a proxy is asked to connect to. */
struct rqx__socks_target {
    int family;        /* AF_INET, AF_INET6; 0: |name| */
    uint8_t bytes[16]; /* the address in network order */
    rqx_slice name;    /* borrowed; 1 to RQX__SOCKS_TEXT_MAX bytes */
    int port;
};

/* Each writes one message and gives its length. */

/* The methods that are offered: none needed, and |password| if there is one. */
size_t rqx__socks_say_methods(bool password, uint8_t out[RQX__SOCKS_SAY_MAX]);
/* User and password, either of which may be empty.  0: one is longer than RQX__SOCKS_TEXT_MAX. */
size_t rqx__socks_say_password(rqx_slice user, rqx_slice password, uint8_t out[RQX__SOCKS_SAY_MAX]);
/* CONNECT.  0: the name is empty or too long. */
size_t rqx__socks_say_connect(const struct rqx__socks_target *target, uint8_t out[RQX__SOCKS_SAY_MAX]);

/* The method that the proxy chose of those offered.  RQX_ERR_PROXY_AUTH (none), RQX_ERR_PROXY_PROTOCOL. */
int rqx__socks_take_method(const uint8_t *data, size_t len, bool password, enum rqx__socks_method *ret_method,
                           size_t *ret_need, struct rqx__err *err);
/* Whether it takes the password.  RQX_ERR_PROXY_AUTH, RQX_ERR_PROXY_PROTOCOL. */
int rqx__socks_take_password(const uint8_t *data, size_t len, size_t *ret_need, struct rqx__err *err);
/*
 * What came of CONNECT.  RQX_ERR_PROXY_REFUSED with the proxy's code in |*ret_code|, known from the second byte on;
 * RQX_ERR_PROXY_PROTOCOL.
 */
int rqx__socks_take_connect(const uint8_t *data, size_t len, int *ret_code, size_t *ret_need, struct rqx__err *err);

/* Whether another address of the same host may fare better than the one that |code| was the answer to. */
bool rqx__socks_may_try_another(int code);

#endif
