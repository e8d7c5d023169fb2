/*
 * cookies_parse.c - Set-Cookie fields, dates, and how domains and paths match (RFC 6265 sections 5.1 and 5.2).
 */
#include <string.h>

#include "base/str.h"
#include "http/cookies.h"

/* ---- dates: section 5.1.1 ---- */

struct date {
    int year, month, day; /* -1: not found yet */
    int hour, minute, second;
};

/* %x09 / %x20-2F / %x3B-40 / %x5B-60 / %x7B-7E */
static bool is_date_delimiter(unsigned char c)
{
    return c == 0x09 || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
           (c >= 0x7b && c <= 0x7e);
}

/* Reads |min| to |max| digits after which no digit follows; gives how many, 0: there are not so many. */
static size_t digits(rqx_slice text, size_t min, size_t max, int *ret_value)
{
    size_t len = 0;
    int value = 0;

    while (len < text.len && rqx__is_digit((unsigned char)text.data[len])) {
        if (len == max)
            return 0;
        value = value * 10 + (text.data[len++] - '0');
    }
    if (len < min)
        return 0;
    *ret_value = value;
    return len;
}

static bool read_time(rqx_slice token, struct date *date)
{
    int parts[3];
    size_t i;

    for (i = 0; i < 3; i++) {
        size_t len = digits(token, 1, 2, &parts[i]);

        if (len == 0)
            return false;
        token.data += len;
        token.len -= len;
        if (i < 2) {
            if (token.len == 0 || token.data[0] != ':')
                return false;
            token.data++;
            token.len--;
        }
    }
    date->hour = parts[0];
    date->minute = parts[1];
    date->second = parts[2];
    return true;
}

static int month_of(rqx_slice token)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    int i;

    for (i = 0; token.len >= 3 && i < 12; i++) {
        if (rqx__ieq(token.data, 3, names + 3 * i, 3))
            return i + 1;
    }
    return -1;
}

/* Each token is taken for the first thing that it can be and that is still wanted. */
static void read_token(rqx_slice token, struct date *date)
{
    int value;

    if (date->hour < 0 && read_time(token, date))
        return;
    if (date->day < 0 && digits(token, 1, 2, &value) != 0) {
        date->day = value;
        return;
    }
    if (date->month < 0) {
        date->month = month_of(token);
        if (date->month >= 0)
            return;
    }
    if (date->year < 0 && digits(token, 2, 4, &value) != 0)
        date->year = value;
}

static int days_in(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01; years begin in March here, so that the odd day comes last. */
static int64_t days_since_1970(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int m = month <= 2 ? month + 9 : month - 3;

    return 365 * (int64_t)y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int rqx__cookie_date(rqx_slice text, int64_t *ret_time)
{
    struct date date = {-1, -1, -1, -1, -1, -1};
    size_t at = 0;

    while (at < text.len) {
        size_t start;

        while (at < text.len && is_date_delimiter((unsigned char)text.data[at]))
            at++;
        start = at;
        while (at < text.len && !is_date_delimiter((unsigned char)text.data[at]))
            at++;
        read_token((rqx_slice){text.data + start, at - start}, &date);
    }
    if (date.year >= 70 && date.year <= 99)
        date.year += 1900;
    else if (date.year >= 0 && date.year <= 69)
        date.year += 2000;
    if (date.year < 1601 || date.month < 0 || date.day < 1 || date.hour < 0)
        return RQX_ERR_INVALID_FIELD;
    if (date.day > days_in(date.year, date.month) || date.hour > 23 || date.minute > 59 || date.second > 59)
        return RQX_ERR_INVALID_FIELD;
    *ret_time =
        days_since_1970(date.year, date.month, date.day) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
    return 0;
}

/* ---- matching: sections 5.1.3 and 5.1.4 ---- */

bool rqx__domain_match(rqx_slice host, rqx_slice domain)
{
    if (rqx__eq(host.data, host.len, domain.data, domain.len))
        return true;
    /* addresses have nothing below them; their caller knows */
    return domain.len > 0 && host.len > domain.len && host.data[host.len - domain.len - 1] == '.' &&
           memcmp(host.data + host.len - domain.len, domain.data, domain.len) == 0;
}

bool rqx__path_match(rqx_slice path, rqx_slice cookie_path)
{
    if (path.len < cookie_path.len || cookie_path.len == 0 || memcmp(path.data, cookie_path.data, cookie_path.len) != 0)
        return false;
    return path.len == cookie_path.len || cookie_path.data[cookie_path.len - 1] == '/' ||
           path.data[cookie_path.len] == '/';
}

rqx_slice rqx__default_path(rqx_slice path)
{
    size_t len = path.len;

    if (len == 0 || path.data[0] != '/')
        return RQX__LIT("/");
    while (path.data[len - 1] != '/')
        len--;
    return len == 1 ? RQX__LIT("/") : (rqx_slice){path.data, len - 1};
}

/* ---- what may be in a cookie ---- */

static bool has_any(rqx_slice text, const char *forbidden)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c == 0x7f || strchr(forbidden, c) != NULL)
            return true;
    }
    return false;
}

static bool is_trimmed(rqx_slice text)
{
    return text.len == 0 || (text.data[0] != ' ' && text.data[text.len - 1] != ' ');
}

bool rqx__cookie_pair_is_valid(rqx_slice name, rqx_slice value)
{
    if (name.len == 0 || name.len > RQX_COOKIE_MAX || value.len > RQX_COOKIE_MAX - name.len)
        return false;
    return !has_any(name, ";=") && !has_any(value, ";") && is_trimmed(name) && is_trimmed(value);
}

bool rqx__cookie_path_is_valid(rqx_slice path)
{
    return path.len > 0 && path.len <= RQX_COOKIE_PATH_MAX && path.data[0] == '/' && !has_any(path, ";");
}

/* Names are compared without case here, since servers do (RFC 6265bis section 5.7). */
static bool begins(rqx_slice name, rqx_slice prefix)
{
    return name.len >= prefix.len && rqx__ieq(name.data, prefix.len, prefix.data, prefix.len);
}

bool rqx__cookie_prefix_holds(const rqx_cookie *cookie)
{
    if (begins(cookie->name, RQX__LIT("__Host-")))
        return cookie->secure && cookie->host_only && rqx__eq(cookie->path.data, cookie->path.len, "/", 1);
    return cookie->secure || !begins(cookie->name, RQX__LIT("__Secure-"));
}

/* ---- the field: section 5.2 ---- */

static rqx_slice cut(rqx_slice *text, char at, bool *ret_found)
{
    const char *found = text->len > 0 ? memchr(text->data, at, text->len) : NULL;
    rqx_slice head = *text;

    *ret_found = found != NULL;
    if (found == NULL) {
        *text = (rqx_slice){text->data + text->len, 0};
        return head;
    }
    head.len = (size_t)(found - text->data);
    text->data += head.len + 1;
    text->len -= head.len + 1;
    return head;
}

static void read_max_age(rqx_slice value, int64_t now, int64_t *ret_expires)
{
    bool negative = value.len > 0 && value.data[0] == '-';
    uint64_t seconds = 0;
    size_t i;

    if (negative) {
        value.data++;
        value.len--;
    }
    for (i = 0; i < value.len; i++) {
        if (!rqx__is_digit((unsigned char)value.data[i]))
            return;
        seconds = seconds < INT64_MAX / 10 ? seconds * 10 + (uint64_t)(value.data[i] - '0') : INT64_MAX;
    }
    if (value.len == 0)
        return;
    if (negative || seconds == 0)
        *ret_expires = INT64_MIN;
    else if (now > 0 && seconds >= (uint64_t)(INT64_MAX - now))
        *ret_expires = INT64_MAX - 1;
    else
        *ret_expires = now + (int64_t)seconds;
}

static rqx_same_site read_same_site(rqx_slice value)
{
    if (rqx__ieq(value.data, value.len, "none", 4))
        return RQX_SAME_SITE_NONE;
    if (rqx__ieq(value.data, value.len, "lax", 3))
        return RQX_SAME_SITE_LAX;
    return rqx__ieq(value.data, value.len, "strict", 6) ? RQX_SAME_SITE_STRICT : RQX_SAME_SITE_DEFAULT;
}

/* Times of Max-Age and Expires: the former wins, wherever it stands; of the same ones the last. */
struct times {
    int64_t max_age;
    int64_t expires;
    bool has_max_age;
};

static void read_attribute(rqx_slice name, rqx_slice value, int64_t now, struct rqx__set_cookie *cookie,
                           struct times *times)
{
    if (rqx__ieq(name.data, name.len, "expires", 7)) {
        rqx__cookie_date(value, &times->expires);
    } else if (rqx__ieq(name.data, name.len, "max-age", 7)) {
        int64_t none = RQX_COOKIE_SESSION;

        read_max_age(value, now, &none);
        if (none != RQX_COOKIE_SESSION) {
            times->max_age = none;
            times->has_max_age = true;
        }
    } else if (rqx__ieq(name.data, name.len, "domain", 6)) {
        if (value.len > 0 && value.data[0] == '.') {
            value.data++;
            value.len--;
        }
        cookie->domain = value.len > 0 ? value : (rqx_slice){NULL, 0};
    } else if (rqx__ieq(name.data, name.len, "path", 4)) {
        cookie->path = value.len > 0 && value.data[0] == '/' ? value : (rqx_slice){NULL, 0};
    } else if (rqx__ieq(name.data, name.len, "secure", 6)) {
        cookie->secure = true;
    } else if (rqx__ieq(name.data, name.len, "httponly", 8)) {
        cookie->http_only = true;
    } else if (rqx__ieq(name.data, name.len, "samesite", 8)) {
        cookie->same_site = read_same_site(value);
    }
}

static void read_attributes(rqx_slice rest, int64_t now, struct rqx__set_cookie *cookie)
{
    struct times times = {.expires = RQX_COOKIE_SESSION};
    bool more = true;

    while (more) {
        rqx_slice value = cut(&rest, ';', &more);
        bool has_value;
        rqx_slice name = rqx__trim(cut(&value, '=', &has_value));

        value = rqx__trim(value);
        if (value.len <= RQX__COOKIE_ATTRIBUTE_MAX)
            read_attribute(name, value, now, cookie, &times);
    }
    cookie->expires = times.has_max_age ? times.max_age : times.expires;
}

int rqx__set_cookie_parse(rqx_slice text, int64_t now, struct rqx__set_cookie *ret_cookie)
{
    struct rqx__set_cookie cookie = {.same_site = RQX_SAME_SITE_DEFAULT};
    rqx_slice pair;
    bool more;
    bool found;

    if (text.len == 0 || rqx__has_control(text.data, text.len))
        return RQX_ERR_INVALID_FIELD;
    pair = cut(&text, ';', &more);
    cookie.name = rqx__trim(cut(&pair, '=', &found));
    cookie.value = rqx__trim(pair);
    if (!found || !rqx__cookie_pair_is_valid(cookie.name, cookie.value))
        return RQX_ERR_INVALID_FIELD;
    read_attributes(text, now, &cookie);
    *ret_cookie = cookie;
    return 0;
}
