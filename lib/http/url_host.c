/* Hosts of URLs: names, IPv4 and IPv6 addresses (RFC 3986 section 3.2.2). */
#include "http/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "http/idna.h"

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return RQX_ERR_INVALID_URL;
}

bool rqx__ipv4_parse(rqx_slice text, uint8_t *ret_bytes)
{
    uint8_t bytes[4];
    int i;

    for (i = 0; i < 4; i++) {
        size_t len = 0;
        uint64_t value;

        while (len < text.len && text.data[len] != '.')
            len++;
        /* "010" is octal to some, so it is nothing here */
        if (rqx__parse_u64(text.data, len, 255, &value) < 0 || (len > 1 && text.data[0] == '0'))
            return false;
        bytes[i] = (uint8_t)value;
        if ((len < text.len) != (i < 3))
            return false;
        text.data += len + (i < 3);
        text.len -= len + (i < 3);
    }
    memcpy(ret_bytes, bytes, sizeof bytes);
    return true;
}

bool rqx__ipv6_parse(rqx_slice text, uint8_t *ret_bytes)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof copy || memchr(text.data, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return inet_pton(AF_INET6, copy, ret_bytes) == 1;
}

/* Four numbers with dots between: an address, or an error. */
static bool looks_ipv4(rqx_slice host)
{
    size_t dots = 0;
    size_t i;

    if (!rqx__is_digit((unsigned char)host.data[0]) || !rqx__is_digit((unsigned char)host.data[host.len - 1]))
        return false;
    for (i = 0; i < host.len; i++) {
        if (host.data[i] == '.') {
            if (host.data[i - 1] == '.')
                return false;
            dots++;
        } else if (!rqx__is_digit((unsigned char)host.data[i])) {
            return false;
        }
    }
    return dots == 3;
}

/* A zone (RFC 6874) is a name of this machine's interfaces: letters, digits and what RFC 3986 calls unreserved. */
static bool is_zone(rqx_slice zone)
{
    size_t i;

    for (i = 0; i < zone.len; i++) {
        char c = zone.data[i];

        if (!(rqx__url_class_of(c) & RQX__URL_SCHEME) && c != '_' && c != '~')
            return false;
    }
    return zone.len > 0;
}

static int check_ipv6(rqx_slice text, const char **ret_why, struct rqx__host *ret_host)
{
    const char *percent = rqx__url_find(text, '%');
    rqx_slice address = {text.data, percent != NULL ? (size_t)(percent - text.data) : text.len};
    uint8_t bytes[16];

    if (address.len == 0 || !rqx__ipv6_parse(address, bytes))
        return refuse(RQX__WHY_IPV6, ret_why);
    if (percent != NULL && !is_zone((rqx_slice){percent + 1, text.len - address.len - 1}))
        return refuse(RQX__WHY_IPV6, ret_why);
    ret_host->kind = RQX__HOST_IPV6;
    ret_host->text = text;
    ret_host->len = text.len;
    return 0;
}

/* A name, or an address that must be one. */
static int check_ascii(rqx_slice host, const char **ret_why, struct rqx__host *ret_host)
{
    uint8_t bytes[4];

    ret_host->kind = RQX__HOST_NAME;
    ret_host->text = host;
    if (looks_ipv4(host)) {
        if (!rqx__ipv4_parse(host, bytes))
            return refuse(RQX__WHY_IPV4, ret_why);
        ret_host->kind = RQX__HOST_IPV4;
    }
    return 0;
}

static int check_unicode(rqx_slice host, const char **ret_why, struct rqx__host *ret_host)
{
    int rv = rqx__idna_to_ascii(host, ret_host->ascii, &ret_host->len);

    if (rv < 0)
        return rv == RQX_ERR_INVALID_URL ? refuse(RQX__WHY_IDNA, ret_why) : rv;
    /* other full stops than "." make addresses, too */
    return check_ascii((rqx_slice){ret_host->ascii, ret_host->len}, ret_why, ret_host);
}

int rqx__host_check(rqx_slice host, const char **ret_why, struct rqx__host *ret_host)
{
    unsigned seen;

    ret_host->kind = RQX__HOST_NONE;
    ret_host->len = 0;
    if (host.len == 0)
        return 0;
    if (host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        return check_ipv6((rqx_slice){host.data + 1, host.len - 2}, ret_why, ret_host);
    seen = rqx__url_classes_in(host);
    if (seen & RQX__URL_HIGH)
        return check_unicode(host, ret_why, ret_host);
    ret_host->len = seen & RQX__URL_ENC_HOST ? rqx__url_encoded_len(host, RQX__URL_ENC_HOST) : host.len;
    return check_ascii(host, ret_why, ret_host);
}

char *rqx__host_write(char *out, const struct rqx__host *host)
{
    const char *zone;
    size_t len;

    if (host->kind == RQX__HOST_NAME && host->len != host->text.len) {
        rqx__url_encode(out, host->text, RQX__URL_ENC_HOST);
        return rqx__url_lower(out, (rqx_slice){out, host->len});
    }
    zone = host->kind == RQX__HOST_IPV6 ? rqx__url_find(host->text, '%') : NULL;
    len = zone != NULL ? (size_t)(zone - host->text.data) : host->len;
    out = rqx__url_lower(out, (rqx_slice){host->text.data, len});
    /* names of interfaces know upper case */
    if (zone != NULL)
        memcpy(out, zone, host->len - len);
    return out + (host->len - len);
}
