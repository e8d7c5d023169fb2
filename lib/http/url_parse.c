/* From text or components to an rqx_url: splitting, checking, laying out. */
#include "http/url.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Most digits that a port is read of; leading zeros are allowed. */
#define PORT_DIGITS_MAX 64
/* Room for ":999999". */
#define PORT_TEXT 8

static int refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return RQX_ERR_INVALID_URL;
}

int rqx__url_default_port(rqx_slice scheme)
{
    static const struct {
        rqx_slice scheme;
        int port;
    } ports[] = {{{"https", 5}, 443}, {{"http", 4}, 80}, {{"wss", 3}, 443}, {{"ws", 2}, 80}, {{"ftp", 3}, 21}};
    size_t i;

    for (i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        if (rqx__ieq(scheme.data, scheme.len, ports[i].scheme.data, ports[i].scheme.len))
            return ports[i].port;
    }
    return -1;
}

/* Moves |*at| to the first character with one of |stop|, and adds the classes of what it passes to |*seen|. */
static rqx_slice take_until(const char **at, const char *end, unsigned stop, unsigned *seen)
{
    const char *start = *at;
    const char *p = start;
    unsigned classes = 0;
    unsigned class_of;

    while (p < end && !((class_of = rqx__url_class_of(*p)) & stop)) {
        classes |= class_of;
        p++;
    }
    *seen |= classes;
    *at = p;
    return (rqx_slice){start, (size_t)(p - start)};
}

static bool is_letter(char c)
{
    unsigned char lower = rqx__lower((unsigned char)c);

    return lower >= 'a' && lower <= 'z';
}

/* Length of the scheme before a ":"; -1: there is none.  It may be empty. */
static ptrdiff_t scheme_length(const char *text, size_t len)
{
    size_t i = 0;

    if (len > 0 && is_letter(text[0])) {
        while (i < len && rqx__url_class_of(text[i]) & RQX__URL_SCHEME)
            i++;
    }
    return i < len && text[i] == ':' ? (ptrdiff_t)i : -1;
}

/* [userinfo "@"] host [":" port]: the last "@" counts, and within brackets ":" divides nothing. */
static void split_authority(rqx_slice text, struct rqx__url_pieces *pieces)
{
    const char *sign = rqx__url_find_last(text, '@');
    const char *bracket = NULL;
    const char *colon;
    const char *end;

    if (text.len == 0)
        return;
    end = text.data + text.len;
    if (sign != NULL) {
        pieces->userinfo = (rqx_slice){text.data, (size_t)(sign - text.data)};
        text = (rqx_slice){sign + 1, (size_t)(end - sign - 1)};
    }
    pieces->host = text;
    if (text.len == 0)
        return;
    if (text.data[0] == '[')
        bracket = rqx__url_find_last(text, ']');
    colon = bracket != NULL ? bracket + 1 : rqx__url_find(text, ':');
    if (colon == NULL)
        return;
    pieces->host.len = (size_t)(colon - text.data);
    /* whatever stands after a bracket is taken for a port, and refused as such */
    if (colon < end && *colon == ':')
        colon++;
    pieces->port = (rqx_slice){colon, (size_t)(end - colon)};
}

int rqx__url_split(const char *text, size_t len, const char **ret_why, struct rqx__url_pieces *ret_pieces)
{
    struct rqx__url_pieces pieces = {.scheme = {NULL, 0}};
    const char *at = text;
    const char *end = text + len;
    ptrdiff_t scheme_len = scheme_length(text, len);
    unsigned seen = 0;
    rqx_slice authority = {NULL, 0};

    if (scheme_len >= 0) {
        pieces.scheme = (rqx_slice){text, (size_t)scheme_len};
        at += scheme_len + 1;
    }
    if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
        at += 2;
        authority = take_until(&at, end, RQX__URL_END_AUTHORITY, &seen);
    }
    pieces.path = take_until(&at, end, RQX__URL_END_PATH, &seen);
    if (at < end && *at == '?') {
        at++;
        pieces.query = take_until(&at, end, RQX__URL_END_QUERY, &seen);
    }
    if (at < end) {
        at++;
        pieces.fragment = take_until(&at, end, 0, &seen);
    }
    if (seen & RQX__URL_CONTROL)
        return refuse(RQX__WHY_CONTROL, ret_why);
    split_authority(authority, &pieces);
    *ret_pieces = pieces;
    return 0;
}

/* Writes ":" and the number, at most PORT_TEXT bytes.  Gives the end. */
static char *put_port(char *out, int port)
{
    char digits[PORT_TEXT];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + port % 10);
    while ((port /= 10) > 0);
    *out++ = ':';
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

/* What assembling knows before it allocates. */
struct plan {
    const struct rqx__url_pieces *in;
    struct rqx__host host;
    int port;                  /* to be written, or -1 */
    int effective_port;        /* or -1 */
    char port_text[PORT_TEXT]; /* ":8080", or empty */
    size_t port_len;
    bool authority; /* "//" is written */
    bool brackets;
    bool user;
};

static int read_port(struct plan *plan, const char **ret_why)
{
    rqx_slice text = plan->in->port;
    int default_port = rqx__url_default_port(plan->in->scheme);
    uint64_t value;

    plan->port = -1;
    plan->port_len = 0;
    plan->effective_port = default_port;
    if (text.len == 0)
        return 0;
    if (text.len > PORT_DIGITS_MAX || rqx__parse_u64(text.data, text.len, RQX__URL_PORT_MAX, &value) < 0)
        return refuse(RQX__WHY_PORT, ret_why);
    plan->effective_port = (int)value;
    if (plan->effective_port == default_port)
        return 0;
    plan->port = plan->effective_port;
    plan->port_len = (size_t)(put_port(plan->port_text, plan->port) - plan->port_text);
    return 0;
}

static bool starts_with_slashes(const char *path, size_t len)
{
    return len >= 2 && path[0] == '/' && path[1] == '/';
}

/* RFC 3986 section 3.3: what a path may begin with, by what stands before it. */
static int check_path(const struct plan *plan, const char **ret_why)
{
    rqx_slice path = plan->in->path;
    const char *slash;
    size_t first_len;

    if (path.len == 0)
        return 0;
    if (plan->authority)
        return path.data[0] == '/' ? 0 : refuse(RQX__WHY_PATH_ABSOLUTE, ret_why);
    if (plan->in->scheme.len > 0)
        return 0;
    if (starts_with_slashes(path.data, path.len))
        return refuse(RQX__WHY_PATH_SLASHES, ret_why);
    if (path.data[0] == ':')
        return refuse(RQX__WHY_PATH_COLON, ret_why);
    slash = rqx__url_find(path, '/');
    first_len = slash != NULL ? (size_t)(slash - path.data) : path.len;
    /* it would be read as a scheme */
    return scheme_length(path.data, first_len) >= 0 ? refuse(RQX__WHY_PATH_SCHEME, ret_why) : 0;
}

static size_t encoded_len(rqx_slice text, unsigned enc)
{
    return text.len == 0 ? 0 : rqx__url_encoded_len(text, enc);
}

/* Bytes for the text and for what is laid out after it. */
static size_t room(const struct plan *plan)
{
    const struct rqx__url_pieces *in = plan->in;
    size_t query = encoded_len(in->query, RQX__URL_ENC_QUERY);
    size_t text = in->scheme.len + 1 + 2 + encoded_len(in->userinfo, RQX__URL_ENC_USERINFO) + 1 + plan->host.len + 2 +
                  plan->port_len + encoded_len(in->path, RQX__URL_ENC_PATH) + 1 + query + 1 +
                  encoded_len(in->fragment, RQX__URL_ENC_FRAGMENT) + 1;

    /* "/?query" where the path is empty, and the origin's key */
    return text + 2 + query + in->scheme.len + 3 + plan->host.len + 2 + sizeof plan->port_text;
}

static char *put(char *out, const char *text, size_t len)
{
    if (len != 0)
        memcpy(out, text, len);
    return out + len;
}

static char *put_host(char *out, const struct plan *plan, rqx_slice *ret_host)
{
    char *start;

    if (plan->brackets)
        *out++ = '[';
    start = out;
    out = rqx__host_write(out, &plan->host);
    *ret_host = (rqx_slice){start, plan->host.len};
    if (plan->brackets)
        *out++ = ']';
    return out;
}

static rqx_slice between(const char *start, const char *end)
{
    return (rqx_slice){start, (size_t)(end - start)};
}

static char *put_authority(char *out, const struct plan *plan, rqx_url *url)
{
    const char *start;

    out = put(out, "//", 2);
    start = out;
    if (plan->user) {
        out = rqx__url_encode(out, plan->in->userinfo, RQX__URL_ENC_USERINFO);
        url->userinfo = between(start, out);
        *out++ = '@';
    }
    url->authority.data = out;
    out = put_host(out, plan, &url->host);
    out = put(out, plan->port_text, plan->port_len);
    url->authority = between(url->authority.data, out);
    url->netloc = between(start, out);
    return out;
}

static char *put_path(char *out, const struct plan *plan, rqx_url *url)
{
    char *start = out;

    if (plan->in->path.len != 0)
        out = rqx__url_encode(out, plan->in->path, RQX__URL_ENC_PATH);
    if (plan->authority || plan->in->scheme.len != 0)
        out = start + rqx__url_remove_dots(start, (size_t)(out - start));
    if (!plan->authority && starts_with_slashes(start, (size_t)(out - start))) {
        /* after an empty authority, for else the path would be read as one */
        memmove(start + 2, start, (size_t)(out - start));
        start = put(start, "//", 2);
        out += 2;
    }
    url->path = between(start, out);
    return out;
}

static char *put_target(char *out, rqx_url *url, const char *path_end)
{
    if (url->path.len != 0) {
        url->target = between(url->path.data, path_end);
    } else if (url->query.data == NULL) {
        url->target = RQX__LIT("/");
    } else {
        const char *start = out;

        out = put(out, "/?", 2);
        out = put(out, url->query.data, url->query.len);
        url->target = between(start, out);
    }
    return out;
}

static void put_origin_key(char *out, const struct plan *plan, rqx_url *url)
{
    const char *start = out;
    rqx_slice host;

    if (url->scheme.len == 0 || url->host.len == 0 || url->effective_port < 0)
        return;
    if (url->port >= 0 && !plan->user) {
        /* the text begins so already */
        url->origin_key = between(url->text.data, url->netloc.data + url->netloc.len);
        return;
    }
    out = put(out, url->scheme.data, url->scheme.len);
    out = put(out, "://", 3);
    out = put_host(out, plan, &host);
    out = put_port(out, url->effective_port);
    url->origin_key = between(start, out);
}

static void lay_out(const struct plan *plan, rqx_url *url)
{
    const struct rqx__url_pieces *in = plan->in;
    char *out = url->bytes;
    const char *start = out;
    const char *target_end;

    if (in->scheme.len != 0) {
        out = rqx__url_lower(out, in->scheme);
        *out++ = ':';
    }
    url->scheme = (rqx_slice){url->bytes, in->scheme.len};
    if (plan->authority)
        out = put_authority(out, plan, url);
    out = put_path(out, plan, url);
    if (in->query.data != NULL) {
        *out++ = '?';
        start = out;
        out = rqx__url_encode(out, in->query, RQX__URL_ENC_QUERY);
        url->query = between(start, out);
    }
    target_end = out;
    if (in->fragment.data != NULL) {
        *out++ = '#';
        start = out;
        out = rqx__url_encode(out, in->fragment, RQX__URL_ENC_FRAGMENT);
        url->fragment = between(start, out);
    }
    url->text = between(url->bytes, out);
    *out++ = '\0';
    out = put_target(out, url, target_end);
    put_origin_key(out, plan, url);
}

int rqx__url_assemble(const struct rqx__url_pieces *pieces, const char **ret_why, rqx_url **ret_url)
{
    struct plan plan;
    rqx_url *url;
    int rv;

    plan.in = pieces;
    rv = rqx__host_check(pieces->host, ret_why, &plan.host);
    if (rv == 0)
        rv = read_port(&plan, ret_why);
    if (rv < 0)
        return rv;
    plan.user = pieces->userinfo.len != 0;
    plan.brackets = plan.host.kind == RQX__HOST_IPV6;
    plan.authority = plan.user || plan.host.kind != RQX__HOST_NONE || plan.port >= 0;
    rv = check_path(&plan, ret_why);
    if (rv < 0)
        return rv;
    url = rqx__malloc(sizeof *url + room(&plan));
    if (url == NULL)
        return RQX_ERR_NOMEM;
    memset(url, 0, sizeof *url);
    atomic_init(&url->refs, 1);
    url->port = plan.port;
    url->effective_port = plan.effective_port;
    lay_out(&plan, url);
    *ret_url = url;
    return 0;
}
