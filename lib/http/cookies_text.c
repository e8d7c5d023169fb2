/*
 * cookies_text.c - a jar as a file in Netscape's format: seven columns with a tab between, which curl and wget know.
 *
 *     domain  below  path  secure  expires  name  value
 *
 * "#HttpOnly_" before the domain is no comment.  A cookie of a session expires at 0 there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/cookies.h"

#define COLUMNS        7
#define HEADING        "# Netscape HTTP Cookie File\n\n"
#define HTTP_ONLY_MARK "#HttpOnly_"

/* ---- reading ---- */

static rqx_slice next_line(rqx_slice *text)
{
    const char *end = memchr(text->data, '\n', text->len);
    rqx_slice line = {text->data, end != NULL ? (size_t)(end - text->data) : text->len};
    size_t taken = end != NULL ? line.len + 1 : line.len;

    text->data += taken;
    text->len -= taken;
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* A line without a seventh column has an empty value. */
static bool split(rqx_slice line, rqx_slice columns[COLUMNS])
{
    size_t i;

    columns[COLUMNS - 1] = (rqx_slice){"", 0};
    for (i = 0; i < COLUMNS; i++) {
        const char *tab = line.len > 0 ? memchr(line.data, '\t', line.len) : NULL;

        columns[i] = (rqx_slice){line.data, tab != NULL ? (size_t)(tab - line.data) : line.len};
        if (tab == NULL)
            return i >= COLUMNS - 2;
        line.len -= columns[i].len + 1;
        line.data = tab + 1;
    }
    return false;
}

static bool read_line(rqx_slice line, rqx_cookie *cookie)
{
    static const rqx_slice mark = {HTTP_ONLY_MARK, sizeof HTTP_ONLY_MARK - 1};
    rqx_slice columns[COLUMNS];
    uint64_t expires;

    *cookie = (rqx_cookie){.same_site = RQX_SAME_SITE_DEFAULT};
    if (line.len > mark.len && memcmp(line.data, mark.data, mark.len) == 0) {
        cookie->http_only = 1;
        line.data += mark.len;
        line.len -= mark.len;
    }
    if (line.len == 0 || line.len > RQX_COOKIES_LINE_MAX || line.data[0] == '#' || !split(line, columns))
        return false;
    if (rqx__parse_u64(columns[4].data, columns[4].len, INT64_MAX, &expires) < 0)
        return false;
    cookie->domain = columns[0];
    if (cookie->domain.len > 0 && cookie->domain.data[0] == '.') {
        cookie->domain.data++;
        cookie->domain.len--;
    }
    cookie->host_only = !rqx__ieq(columns[1].data, columns[1].len, "TRUE", 4);
    cookie->path = columns[2];
    cookie->secure = rqx__ieq(columns[3].data, columns[3].len, "TRUE", 4);
    cookie->expires = expires == 0 ? RQX_COOKIE_SESSION : (int64_t)expires;
    cookie->name = columns[5];
    cookie->value = columns[6];
    return rqx__cookie_is_valid(cookie);
}

int rqx_cookies_load(rqx_cookies *jar, const char *text, size_t len, int64_t now)
{
    rqx_slice rest = {text, len};
    int taken = 0;
    int rv = 0;

    if (len > RQX_COOKIES_LOAD_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    pthread_mutex_lock(&jar->lock);
    while (rv == 0 && rest.len > 0) {
        rqx_cookie cookie;

        if (!read_line(next_line(&rest), &cookie) || cookie.expires <= now)
            continue;
        rv = rqx__cookies_store_locked(jar, &cookie, now);
        taken++;
    }
    pthread_mutex_unlock(&jar->lock);
    return rv < 0 ? rv : taken;
}

/* ---- writing ---- */

static int add(struct rqx__buf *out, rqx_slice text)
{
    return rqx__buf_append(out, text.data, text.len);
}

static int add_cookie(struct rqx__buf *out, const rqx_cookie *cookie)
{
    char expires[24];
    const rqx_slice tab = {"\t", 1};
    const rqx_slice below = cookie->host_only ? RQX__LIT("\tFALSE\t") : RQX__LIT("\tTRUE\t");
    const rqx_slice secure = cookie->secure ? RQX__LIT("\tTRUE\t") : RQX__LIT("\tFALSE\t");
    const rqx_slice mark = cookie->http_only ? RQX__LIT(HTTP_ONLY_MARK) : (rqx_slice){"", 0};
    const rqx_slice dot = cookie->host_only ? (rqx_slice){"", 0} : (rqx_slice){".", 1};
    const int64_t until = cookie->expires == RQX_COOKIE_SESSION ? 0 : cookie->expires;
    const rqx_slice time = {expires, (size_t)snprintf(expires, sizeof expires, "%" PRId64, until)};
    const rqx_slice pieces[] = {mark, dot, cookie->domain, below, cookie->path,  secure,
                                time, tab, cookie->name,   tab,   cookie->value, (rqx_slice){"\n", 1}};
    size_t i;
    int rv = 0;

    for (i = 0; rv == 0 && i < sizeof pieces / sizeof pieces[0]; i++)
        rv = add(out, pieces[i]);
    return rv;
}

int rqx_cookies_save(rqx_cookies *jar, int session, int64_t now, char **ret_text, size_t *ret_len)
{
    rqx_cookie *cookies = NULL;
    struct rqx__buf out;
    size_t count = 0;
    size_t i;
    int rv = rqx_cookies_all(jar, now, &cookies, &count);

    if (rv < 0)
        return rv;
    rqx__buf_init(&out, SIZE_MAX);
    rv = add(&out, RQX__LIT(HEADING));
    for (i = 0; rv == 0 && i < count; i++) {
        if (session || cookies[i].expires != RQX_COOKIE_SESSION)
            rv = add_cookie(&out, &cookies[i]);
    }
    if (rv == 0)
        rv = rqx__buf_append(&out, "", 1);
    rqx__free(cookies);
    if (rv < 0) {
        rqx__buf_done(&out);
        return rv;
    }
    *ret_text = (char *)out.data; /* nothing was taken from its front */
    *ret_len = out.len - 1;
    return 0;
}
