/*
 * Cookie jars: lines, each with what is done first.
 *
 *     @URL  from here on    +SET-COOKIE  stored     ?  asked for     >SECONDS  later
 *     D TEXT  a date        L TEXT  a line in Netscape's format
 *
 * What a jar sends can be read back, none of it is for another host or a plain connection if it must not be, and a jar
 * that is filled by hand or from a file with all that the first one holds sends the same.
 */
#include "fuzz.h"

#include <requestx/cookies.h>

#include "base/str.h"
#include "http/cookies.h"
#include "http/psl.h"

#define FIRST INT64_C(1700000000)

struct kitchen {
    rqx_cookies *jar;
    rqx_url *url; /* NULL: none yet */
    int64_t now;
};

static void check_cookie(const rqx_cookie *cookie, int64_t now)
{
    FUZZ_ASSERT(rqx__cookie_is_valid(cookie));
    FUZZ_ASSERT(cookie->expires > now);
    FUZZ_ASSERT(cookie->host_only || !rqx_cookies_public_suffix(cookie->domain.data, cookie->domain.len));
    FUZZ_ASSERT(cookie->path.len > 0 && cookie->path.data[0] == '/');
    FUZZ_ASSERT(!rqx__has_control(cookie->name.data, cookie->name.len));
    FUZZ_ASSERT(!rqx__has_control(cookie->value.data, cookie->value.len));
    FUZZ_ASSERT(cookie->name.len + cookie->value.len <= RQX_COOKIE_MAX);
}

/* Whether |cookie| is among the "; " separated pairs of |field|. */
static bool in_field(const rqx_cookie *cookie, const char *field)
{
    while (field != NULL) {
        size_t len = strcspn(field, ";");

        if (len == cookie->name.len + 1 + cookie->value.len &&
            memcmp(field, cookie->name.data, cookie->name.len) == 0 && field[cookie->name.len] == '=' &&
            memcmp(field + cookie->name.len + 1, cookie->value.data, cookie->value.len) == 0)
            return true;
        field = field[len] == ';' ? field + len + 2 : NULL;
    }
    return false;
}

static bool is_due(const rqx_cookie *cookie, const rqx_url *url)
{
    rqx_slice host = rqx_url_host(url);
    bool secure = fuzz_same(rqx_url_scheme(url), RQX__LIT("https"));
    bool below =
        rqx__domain_match(host, cookie->domain) && fuzz_same(rqx__psl_site(host), rqx__psl_site(cookie->domain));
    bool here = cookie->host_only ? fuzz_same(host, cookie->domain) : below;

    return here && (secure || !cookie->secure) && rqx__path_match(rqx_url_path(url), cookie->path);
}

/* Each pair of the field is that of a cookie that is due, and there are no others as long as the field has room. */
static void check_field(const struct kitchen *kitchen, const char *field)
{
    rqx_cookie *cookies = NULL;
    size_t count = 0;
    size_t due = 0;
    size_t pairs = 0;
    size_t i;

    FUZZ_ASSERT(rqx_cookies_all(kitchen->jar, kitchen->now, &cookies, &count) == 0);
    for (i = 0; i < count; i++) {
        check_cookie(&cookies[i], kitchen->now);
        if (!is_due(&cookies[i], kitchen->url))
            continue;
        due++;
        FUZZ_ASSERT(field != NULL);
        FUZZ_ASSERT(strlen(field) + RQX_COOKIE_MAX + 3 > RQX_COOKIES_FIELD_MAX || in_field(&cookies[i], field));
    }
    for (i = 0; field != NULL && field[i] != '\0'; i++)
        pairs += field[i] == ';';
    pairs += field != NULL;
    FUZZ_ASSERT(field == NULL || (strlen(field) <= RQX_COOKIES_FIELD_MAX && field[0] != '\0'));
    FUZZ_ASSERT(pairs <= due && (pairs > 0) == (due > 0));
    rqx_free(cookies);
}

/* A jar that gets by hand all that the first one has. */
static rqx_cookies *copy_of(const struct kitchen *kitchen)
{
    rqx_cookies *copy = NULL;
    rqx_cookie *cookies = NULL;
    size_t count = 0;
    size_t i;

    FUZZ_ASSERT(rqx_cookies_new(&copy) == 0);
    FUZZ_ASSERT(rqx_cookies_all(kitchen->jar, kitchen->now, &cookies, &count) == 0);
    for (i = 0; i < count; i++)
        FUZZ_ASSERT(rqx_cookies_set(copy, &cookies[i], kitchen->now) == 0);
    FUZZ_ASSERT(rqx_cookies_count(copy) == count);
    rqx_free(cookies);
    return copy;
}

static void ask(const struct kitchen *kitchen)
{
    rqx_cookies *copy;
    char *field = NULL;
    char *again = NULL;

    if (kitchen->url == NULL)
        return;
    FUZZ_ASSERT(rqx_cookies_field(kitchen->jar, kitchen->url, kitchen->now, &field) == 0);
    check_field(kitchen, field);
    copy = copy_of(kitchen);
    FUZZ_ASSERT(rqx_cookies_field(copy, kitchen->url, kitchen->now, &again) == 0);
    FUZZ_ASSERT((field == NULL) == (again == NULL) && (field == NULL || strcmp(field, again) == 0));
    rqx_cookies_unref(copy);
    rqx_free(field);
    rqx_free(again);
}

static void save_and_load(const struct kitchen *kitchen)
{
    rqx_cookies *other = NULL;
    char *text = NULL;
    char *again = NULL;
    size_t len = 0;
    size_t len_again = 0;
    int taken;

    FUZZ_ASSERT(rqx_cookies_save(kitchen->jar, 1, kitchen->now, &text, &len) == 0 && strlen(text) == len);
    FUZZ_ASSERT(rqx_cookies_new(&other) == 0);
    taken = rqx_cookies_load(other, text, len, kitchen->now);
    FUZZ_ASSERT(taken >= 0 && (size_t)taken <= rqx_cookies_count(kitchen->jar));
    FUZZ_ASSERT(rqx_cookies_save(other, 1, kitchen->now, &again, &len_again) == 0);
    FUZZ_ASSERT(len == len_again && memcmp(text, again, len) == 0);
    rqx_cookies_unref(other);
    rqx_free(text);
    rqx_free(again);
}

static void check_date(rqx_slice text)
{
    int64_t time = 0;

    if (rqx__cookie_date(text, &time) == 0)
        FUZZ_ASSERT(time >= INT64_C(-11644473600) && time < INT64_C(253402300800)); /* 1601 to 9999 */
}

static void act(struct kitchen *kitchen, struct fuzz_in line)
{
    unsigned op = fuzz_u8(&line);
    char *text = fuzz_copy(line);
    rqx_url *url = NULL;

    switch (op) {
    case '@':
        if (rqx_url_parse(text, line.len, NULL, &url) == 0 && rqx_url_host(url).len > 0) {
            rqx_url_unref(kitchen->url);
            kitchen->url = rqx_url_ref(url);
        }
        rqx_url_unref(url);
        break;
    case '+':
        if (kitchen->url != NULL)
            FUZZ_ASSERT(rqx_cookies_set_from(kitchen->jar, kitchen->url, text, line.len, kitchen->now) >= 0);
        break;
    case '>':
        kitchen->now += (int64_t)line.len * 1000;
        break;
    case 'D':
        check_date((rqx_slice){text, line.len});
        break;
    case 'L':
        FUZZ_ASSERT(rqx_cookies_load(kitchen->jar, text, line.len, kitchen->now) >= 0);
        break;
    default:
        ask(kitchen);
        break;
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct kitchen kitchen = {.now = FIRST};
    size_t lines = 0;

    FUZZ_ASSERT(rqx_cookies_new(&kitchen.jar) == 0);
    while (in.len > 0 && lines++ < 300) {
        act(&kitchen, fuzz_until(&in, '\n'));
        FUZZ_ASSERT(rqx_cookies_count(kitchen.jar) <= RQX_COOKIES_TOTAL);
    }
    ask(&kitchen);
    save_and_load(&kitchen);
    rqx_cookies_unref(kitchen.jar);
    rqx_url_unref(kitchen.url);
    return 0;
}
