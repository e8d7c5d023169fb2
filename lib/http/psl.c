#include "http/psl.h"

#include <string.h>

#ifdef HAVE_PSL
#include <libpsl.h>
#endif

#include "base/str.h"
#include "http/url.h"

/* |domain| in lower case, NUL terminated, without a final dot; false: it is no domain. */
static bool copy_domain(rqx_slice domain, char out[RQX__DOMAIN_MAX + 1])
{
    size_t i;

    if (domain.len > 0 && domain.data[domain.len - 1] == '.')
        domain.len--;
    if (domain.len == 0 || domain.len > RQX__DOMAIN_MAX)
        return false;
    for (i = 0; i < domain.len; i++) {
        unsigned char c = (unsigned char)domain.data[i];

        if (c <= 0x20 || c >= 0x7f || (c == '.' && (i == 0 || domain.data[i - 1] == '.')))
            return false;
        out[i] = (char)rqx__lower(c);
    }
    out[i] = '\0';
    return out[i - 1] != '.';
}

#ifdef HAVE_PSL

static bool is_suffix(const char *name)
{
    return psl_is_public_suffix(psl_builtin(), name) != 0;
}

static const char *registrable(const char *name)
{
    return psl_registrable_domain(psl_builtin(), name);
}

#else

/* Without a list all that is known is that nobody owns a top level. */
static bool is_suffix(const char *name)
{
    return strchr(name, '.') == NULL;
}

static const char *registrable(const char *name)
{
    const char *last = strrchr(name, '.');

    if (last == NULL)
        return NULL;
    while (last > name && last[-1] != '.')
        last--;
    return last;
}

#endif

bool rqx__is_address(rqx_slice host)
{
    uint8_t bytes[4];

    return (host.len > 0 && memchr(host.data, ':', host.len) != NULL) || rqx__ipv4_parse(host, bytes);
}

bool rqx__psl_is_suffix(rqx_slice domain)
{
    char name[RQX__DOMAIN_MAX + 1];

    return !copy_domain(domain, name) || is_suffix(name);
}

rqx_slice rqx__psl_site(rqx_slice host)
{
    char name[RQX__DOMAIN_MAX + 1];
    const char *site;

    if (rqx__is_address(host) || !copy_domain(host, name))
        return host;
    site = registrable(name);
    if (site == NULL)
        return host;
    return (rqx_slice){host.data + (site - name), host.len - (size_t)(site - name)};
}
