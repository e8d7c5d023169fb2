#include "http/noproxy.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/idna.h"
#include "http/url.h"

#define SCHEME_MAX 16

/* The value of |name| followed by "_proxy", in lower or in upper case; NULL: not set. */
static const char *read_variable(const char *name, bool upper)
{
    static const char suffix[] = "_proxy";
    char variable[SCHEME_MAX + sizeof suffix];
    size_t len = strlen(name);
    size_t i;

    if (len > SCHEME_MAX)
        return NULL;
    memcpy(variable, name, len);
    memcpy(variable + len, suffix, sizeof suffix);
    for (i = 0; upper && variable[i] != '\0'; i++) {
        if (variable[i] >= 'a' && variable[i] <= 'z')
            variable[i] = (char)(variable[i] - 'a' + 'A');
    }
    return getenv(variable);
}

/* Lower case wins even if it is empty: so one variable is switched off for one program. */
static const char *read_either(const char *name, bool ignore_upper)
{
    const char *value = read_variable(name, false);

    if (value == NULL && !ignore_upper)
        value = read_variable(name, true);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

const char *rqx__env_proxy(const char *scheme)
{
    bool cgi = strcmp(scheme, "http") == 0 && getenv("REQUEST_METHOD") != NULL;
    const char *value = read_either(scheme, cgi);

    return value != NULL ? value : read_either("all", false);
}

const char *rqx__env_no_proxy(void)
{
    return read_either("no", false);
}

int rqx__env_proxy_url(const char *text, rqx_url **ret_url)
{
    static const char prefix[] = "http://";
    size_t len = strlen(text);
    char *complete;
    int rv;

    if (strstr(text, "://") != NULL)
        return rqx_url_parse(text, len, NULL, ret_url);
    if (len > RQX__URL_BYTES_MAX)
        return RQX_ERR_INVALID_URL;
    complete = rqx__malloc(sizeof prefix - 1 + len);
    if (complete == NULL)
        return RQX_ERR_NOMEM;
    memcpy(complete, prefix, sizeof prefix - 1);
    memcpy(complete + sizeof prefix - 1, text, len);
    rv = rqx_url_parse(complete, sizeof prefix - 1 + len, NULL, ret_url);
    rqx__free(complete);
    return rv;
}

/* An address in the form of IPv6; IPv4 is mapped (RFC 4291 section 2.5.5.2), so that both forms of it are one. */
struct address {
    uint8_t bytes[16];
    bool v4;
};

/* A URL, or rather what of it is compared. */
struct target {
    rqx_slice scheme;
    rqx_slice host; /* without the last dot */
    int port;
    bool is_address;
    struct address address;
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool read_address(rqx_slice text, struct address *ret_address)
{
    const char *zone = rqx__url_find(text, '%');

    if (zone != NULL)
        text.len = (size_t)(zone - text.data);
    if (rqx__ipv4_parse(text, ret_address->bytes + 12)) {
        memcpy(ret_address->bytes, mapped, sizeof mapped);
        ret_address->v4 = true;
        return true;
    }
    if (text.len == 0 || !rqx__ipv6_parse(text, ret_address->bytes))
        return false;
    ret_address->v4 = memcmp(ret_address->bytes, mapped, sizeof mapped) == 0;
    return true;
}

static rqx_slice without_last_dot(rqx_slice host)
{
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    return host;
}

/* Takes |count| bytes off the front. */
static rqx_slice skip(rqx_slice text, size_t count)
{
    return (rqx_slice){text.data + count, text.len - count};
}

/* One entry of the list, apart from its scheme. */
struct entry {
    rqx_slice host; /* without brackets */
    rqx_slice bits; /* of a CIDR block; NULL data: none */
    rqx_slice port; /* NULL data: any */
};

/* Cuts |text| at the first |mark| and gives what follows; NULL data: there is none. */
static rqx_slice cut(rqx_slice *text, char mark)
{
    const char *at = rqx__url_find(*text, mark);
    rqx_slice rest = {NULL, 0};

    if (at != NULL) {
        rest = skip(*text, (size_t)(at - text->data) + 1);
        text->len = (size_t)(at - text->data);
    }
    return rest;
}

/* host, host:port, v6, [v6], [v6]:port, each address with /bits before the port.  False: malformed. */
static bool read_entry(rqx_slice text, struct entry *ret_entry)
{
    struct entry entry = {text, {NULL, 0}, {NULL, 0}};

    if (text.len > 0 && text.data[0] == '[') {
        rqx_slice rest;

        entry.host = skip(text, 1);
        rest = cut(&entry.host, ']');
        if (rest.data == NULL)
            return false;
        entry.bits = cut(&entry.host, '/');
        if (rest.len > 0 && rest.data[0] == '/') {
            entry.bits = skip(rest, 1);
            entry.port = cut(&entry.bits, ':');
        } else if (rest.len > 0) {
            if (rest.data[0] != ':')
                return false;
            entry.port = skip(rest, 1);
        }
        *ret_entry = entry;
        return true;
    }
    entry.bits = cut(&entry.host, '/');
    if (entry.bits.data != NULL)
        entry.port = cut(&entry.bits, ':');
    else if (rqx__url_find(text, ':') == rqx__url_find_last(text, ':'))
        entry.port = cut(&entry.host, ':'); /* with two colons it is an IPv6 address */
    *ret_entry = entry;
    return true;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, size_t bits)
{
    size_t bytes = bits / 8;
    unsigned mask = 0xff00u >> bits % 8 & 0xff;

    return memcmp(a, b, bytes) == 0 && (mask == 0 || ((a[bytes] ^ b[bytes]) & mask) == 0);
}

static bool address_matches(const struct entry *entry, const struct address *block, const struct target *target)
{
    uint64_t bits = 128;
    size_t width = block->v4 && rqx__url_find(entry->host, ':') == NULL ? 32 : 128;

    if (!target->is_address)
        return false;
    if (entry->bits.data != NULL) {
        if (rqx__parse_u64(entry->bits.data, entry->bits.len, width, &bits) < 0)
            return false;
        bits += 128 - width;
    }
    /* "::/0" is all of IPv6, and nothing of IPv4 */
    if (target->address.v4 != (block->v4 && bits >= 96))
        return false;
    return same_bits(block->bytes, target->address.bytes, (size_t)bits);
}

static bool ends_with(rqx_slice host, rqx_slice domain)
{
    return host.len > domain.len && host.data[host.len - domain.len - 1] == '.' &&
           rqx__ieq(host.data + host.len - domain.len, domain.len, domain.data, domain.len);
}

/* |exact|: a name without a leading "." or "*" is that host alone. */
static bool name_matches(rqx_slice name, bool exact, const struct target *target)
{
    bool itself = true;
    bool below = !exact;

    if (target->is_address)
        return false;
    if (name.len > 0 && name.data[0] == '*') {
        name = skip(name, 1);
        below = true;
    }
    if (name.len > 0 && name.data[0] == '.') {
        name = skip(name, 1);
        itself = false;
        below = true;
    }
    name = without_last_dot(name);
    if (name.len == 0)
        return false;
    if (rqx__ieq(name.data, name.len, "localhost", 9))
        below = below && !itself;
    return (itself && rqx__ieq(name.data, name.len, target->host.data, target->host.len)) ||
           (below && ends_with(target->host, name));
}

static bool port_matches(rqx_slice port, int wanted)
{
    uint64_t value;

    if (port.data == NULL)
        return true;
    return rqx__parse_u64(port.data, port.len, 65535, &value) == 0 && (int)value == wanted;
}

static bool host_matches(rqx_slice text, bool exact, const struct target *target)
{
    char ascii[RQX__HOST_IDNA_MAX + 1];
    struct address block;
    struct entry entry;

    if (!read_entry(text, &entry) || !port_matches(entry.port, target->port))
        return false;
    if (read_address(entry.host, &block))
        return address_matches(&entry, &block, target);
    if (entry.bits.data != NULL)
        return false;
    if (rqx__eq(entry.host.data, entry.host.len, "*", 1))
        return true;
    if (rqx__url_classes_in(entry.host) & RQX__URL_HIGH) {
        if (rqx__idna_to_ascii(entry.host, ascii, &entry.host.len) < 0)
            return false;
        entry.host.data = ascii;
    }
    return name_matches(entry.host, exact, target);
}

static bool entry_matches(rqx_slice text, const struct target *target)
{
    size_t at;

    if (text.len == 0)
        return false;
    for (at = 0; at + 3 <= text.len; at++) {
        if (memcmp(text.data + at, "://", 3) == 0) {
            rqx_slice host = skip(text, at + 3);

            if (!rqx__ieq(text.data, at, target->scheme.data, target->scheme.len) && !rqx__ieq(text.data, at, "all", 3))
                return false;
            if (host.len > 0 && host.data[host.len - 1] == '/')
                host.len--;
            return host.len == 0 || host_matches(host, true, target);
        }
    }
    return host_matches(text, false, target);
}

bool rqx__no_proxy_match(const char *list, const rqx_url *url)
{
    struct target target;
    rqx_slice rest = {list, list != NULL ? strlen(list) : 0};

    target.scheme = rqx_url_scheme(url);
    target.host = without_last_dot(rqx_url_host(url));
    target.port = rqx_url_effective_port(url);
    target.is_address = read_address(target.host, &target.address);
    while (rest.data != NULL) {
        rqx_slice entry = rest;

        rest = cut(&entry, ',');
        if (entry_matches(rqx__trim(entry), &target))
            return true;
    }
    return false;
}
