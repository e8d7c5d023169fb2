#include "proto/socks.h"

#include <string.h>
#include <sys/socket.h>

#define SOCKS_VERSION    0x05
#define PASSWORD_VERSION 0x01
#define COMMAND_CONNECT  0x01

enum { TYPE_IPV4 = 0x01, TYPE_NAME = 0x03, TYPE_IPV6 = 0x04 };

/* RFC 1928 section 6 */
enum { CODE_COMMAND = 0x07, CODES = 0x09 };

/* ---- what is said ---- */

size_t rqx__socks_say_methods(bool password, uint8_t out[RQX__SOCKS_SAY_MAX])
{
    out[0] = SOCKS_VERSION;
    out[1] = password ? 2 : 1;
    out[2] = RQX__SOCKS_OPEN;
    out[3] = RQX__SOCKS_PASSWORD;
    return password ? 4 : 3;
}

/* A length and so many bytes. */
static uint8_t *put_text(uint8_t *at, rqx_slice text)
{
    *at++ = (uint8_t)text.len;
    if (text.len != 0)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

size_t rqx__socks_say_password(rqx_slice user, rqx_slice password, uint8_t out[RQX__SOCKS_SAY_MAX])
{
    uint8_t *at = out;

    if (user.len > RQX__SOCKS_TEXT_MAX || password.len > RQX__SOCKS_TEXT_MAX)
        return 0;
    *at++ = PASSWORD_VERSION;
    at = put_text(at, user);
    at = put_text(at, password);
    return (size_t)(at - out);
}

static uint8_t *put_address(uint8_t *at, const struct rqx__socks_target *target)
{
    size_t len = target->family == AF_INET ? 4 : 16;

    if (target->family == 0) {
        *at++ = TYPE_NAME;
        return put_text(at, target->name);
    }
    *at++ = target->family == AF_INET ? TYPE_IPV4 : TYPE_IPV6;
    memcpy(at, target->bytes, len);
    return at + len;
}

size_t rqx__socks_say_connect(const struct rqx__socks_target *target, uint8_t out[RQX__SOCKS_SAY_MAX])
{
    uint8_t *at = out;

    if (target->family == 0 && (target->name.len == 0 || target->name.len > RQX__SOCKS_TEXT_MAX))
        return 0;
    *at++ = SOCKS_VERSION;
    *at++ = COMMAND_CONNECT;
    *at++ = 0;
    at = put_address(at, target);
    *at++ = (uint8_t)((unsigned)target->port >> 8 & 0xff);
    *at++ = (uint8_t)((unsigned)target->port & 0xff);
    return (size_t)(at - out);
}

/* ---- what is heard ---- */

/* The first byte of each answer. */
static int check_version(const uint8_t *data, size_t len, uint8_t version, struct rqx__err *err)
{
    if (len == 0 || data[0] == version)
        return 0;
    return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: version %d where %d was due",
                        data[0], version);
}

int rqx__socks_take_method(const uint8_t *data, size_t len, bool password, enum rqx__socks_method *ret_method,
                           size_t *ret_need, struct rqx__err *err)
{
    int rv = check_version(data, len, SOCKS_VERSION, err);

    if (rv < 0)
        return rv;
    *ret_need = 2;
    if (len < 2)
        return RQX_AGAIN;
    switch (data[1]) {
    case RQX__SOCKS_OPEN:
        *ret_method = RQX__SOCKS_OPEN;
        return 0;
    case RQX__SOCKS_PASSWORD:
        if (!password)
            break;
        *ret_method = RQX__SOCKS_PASSWORD;
        return 0;
    case RQX__SOCKS_NONE_FITS:
        return rqx__err_set(err, RQX_ERR_PROXY_AUTH,
                            password ? "the proxy accepts neither a password nor none"
                                     : "the proxy wants credentials, and there are none");
    default:
        break;
    }
    return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL,
                        "malformed answer from the proxy: it chose method %d, which was not offered", data[1]);
}

int rqx__socks_take_password(const uint8_t *data, size_t len, size_t *ret_need, struct rqx__err *err)
{
    int rv = check_version(data, len, PASSWORD_VERSION, err);

    if (rv < 0)
        return rv;
    *ret_need = 2;
    if (len < 2)
        return RQX_AGAIN;
    return data[1] == 0
               ? 0
               : rqx__err_set(err, RQX_ERR_PROXY_AUTH, "the proxy refused user and password (status %d)", data[1]);
}

static int refused(int code, struct rqx__err *err)
{
    static const char *const texts[CODES] = {
        "succeeded",           "general failure",       "not allowed by its rules",
        "network unreachable", "host unreachable",      "connection refused",
        "TTL expired",         "command not supported", "address type not supported"};

    return rqx__err_set(err, RQX_ERR_PROXY_REFUSED, "%s (SOCKS code %d)", code < CODES ? texts[code] : "failure", code);
}

/* Bytes of the whole answer, or 0: no such type of address. */
static size_t answer_len(const uint8_t data[5])
{
    switch (data[3]) {
    case TYPE_IPV4:
        return 4 + 4 + 2;
    case TYPE_IPV6:
        return 4 + 16 + 2;
    case TYPE_NAME:
        return 5 + (size_t)data[4] + 2;
    default:
        return 0;
    }
}

int rqx__socks_take_connect(const uint8_t *data, size_t len, int *ret_code, size_t *ret_need, struct rqx__err *err)
{
    size_t whole;
    int rv = check_version(data, len, SOCKS_VERSION, err);

    if (rv < 0)
        return rv;
    /* what follows a failure is of no use, and some proxies leave it out */
    if (len >= 2 && data[1] != 0) {
        *ret_code = data[1];
        return refused(data[1], err);
    }
    *ret_need = 5;
    if (len < 5)
        return RQX_AGAIN;
    whole = answer_len(data);
    if (whole == 0)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "malformed answer from the proxy: address type %d", data[3]);
    *ret_need = whole;
    return len < whole ? RQX_AGAIN : 0;
}

bool rqx__socks_may_try_another(int code)
{
    return code > 0 && code < CODES && code != CODE_COMMAND;
}
