/*
 * cookies_list.c - a jar's cookies one by one: what a user stores, finds and removes.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/cookies.h"
#include "http/psl.h"

static struct rqx__cookie *of_used(struct rqx__list *node)
{
    return RQX__OF(node, struct rqx__cookie, used);
}

/* ---- storing ---- */

static bool domain_is_valid(rqx_slice domain, int host_only)
{
    size_t i;

    if (domain.len == 0 || domain.len > RQX__DOMAIN_MAX || domain.data[0] == '.')
        return false;
    for (i = 0; i < domain.len; i++) {
        unsigned char c = (unsigned char)domain.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr(";,/@#?", c) != NULL)
            return false;
    }
    return host_only || (!rqx__is_address(domain) && !rqx__psl_is_suffix(domain));
}

bool rqx__cookie_is_valid(const rqx_cookie *cookie)
{
    return rqx__cookie_pair_is_valid(cookie->name, cookie->value) &&
           domain_is_valid(cookie->domain, cookie->host_only) && rqx__cookie_path_is_valid(cookie->path) &&
           rqx__cookie_prefix_holds(cookie);
}

int rqx_cookies_set(rqx_cookies *jar, const rqx_cookie *cookie, int64_t now)
{
    int rv;

    if (!rqx__cookie_is_valid(cookie))
        return RQX_ERR_INVALID_ARGUMENT;
    pthread_mutex_lock(&jar->lock);
    rv = rqx__cookies_store_locked(jar, cookie, now);
    pthread_mutex_unlock(&jar->lock);
    return rv;
}

/* ---- finding ---- */

/* What a cookie is looked for by; NULL data: anything. */
struct filter {
    rqx_slice name;
    rqx_slice domain;
    rqx_slice path;
};

static bool fits(const struct filter *filter, const rqx_cookie *cookie)
{
    if (filter->name.data != NULL && !rqx__eq(filter->name.data, filter->name.len, cookie->name.data, cookie->name.len))
        return false;
    if (filter->domain.data != NULL &&
        !rqx__ieq(filter->domain.data, filter->domain.len, cookie->domain.data, cookie->domain.len))
        return false;
    return filter->path.data == NULL ||
           rqx__eq(filter->path.data, filter->path.len, cookie->path.data, cookie->path.len);
}

static size_t text_size(const rqx_cookie *cookie)
{
    return cookie->name.len + cookie->value.len + cookie->domain.len + cookie->path.len + 4;
}

static char *put_text(char *at, rqx_slice *text)
{
    memcpy(at, text->data, text->len);
    at[text->len] = '\0';
    text->data = at;
    return at + text->len + 1;
}

/* Copies to |to|, with the texts at |at|; gives where they end. */
static char *copy_out(const rqx_cookie *cookie, rqx_cookie *to, char *at)
{
    *to = *cookie;
    at = put_text(at, &to->name);
    at = put_text(at, &to->value);
    at = put_text(at, &to->domain);
    return put_text(at, &to->path);
}

/* The oldest cookie that fits; the list is by use. */
static const struct rqx__cookie *find_locked(rqx_cookies *jar, const struct filter *filter)
{
    const struct rqx__cookie *found = NULL;
    struct rqx__list *node;
    struct rqx__list *next;

    RQX__LIST_EACH(&jar->used, node, next)
    {
        const struct rqx__cookie *cookie = of_used(node);

        if (fits(filter, &cookie->public) && (found == NULL || cookie->number < found->number))
            found = cookie;
    }
    return found;
}

int rqx_cookies_get(rqx_cookies *jar, rqx_slice name, rqx_slice domain, rqx_slice path, int64_t now,
                    rqx_cookie **ret_cookie)
{
    const struct filter filter = {name, domain, path};
    const struct rqx__cookie *found;
    rqx_cookie *copy;
    int rv = 0;

    pthread_mutex_lock(&jar->lock);
    rqx__cookies_expire_locked(jar, now);
    found = find_locked(jar, &filter);
    if (found != NULL) {
        copy = rqx__malloc(sizeof *copy + text_size(&found->public));
        if (copy == NULL) {
            rv = RQX_ERR_NOMEM;
        } else {
            copy_out(&found->public, copy, (char *)(copy + 1));
            *ret_cookie = copy;
            rv = 1;
        }
    }
    pthread_mutex_unlock(&jar->lock);
    return rv;
}

/* ---- all of them ---- */

static void swap(const struct rqx__cookie **order, size_t a, size_t b)
{
    const struct rqx__cookie *cookie = order[a];

    order[a] = order[b];
    order[b] = cookie;
}

/* The first |count| of a heap of cookies, the youngest on top: lets order[at] sink. */
static void sink(const struct rqx__cookie **order, size_t at, size_t count)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= count)
            return;
        if (child + 1 < count && order[child + 1]->number > order[child]->number)
            child++;
        if (order[child]->number < order[at]->number)
            return;
        swap(order, at, child);
        at = child;
    }
}

/* In place and without memory of its own, which qsort takes where it likes. */
static void sort_by_age(const struct rqx__cookie **order, size_t count)
{
    size_t i;

    for (i = count / 2; i-- > 0;)
        sink(order, i, count);
    for (i = count; i-- > 1;) {
        swap(order, 0, i);
        sink(order, 0, i);
    }
}

static int copy_all_locked(rqx_cookies *jar, rqx_cookie **ret_cookies)
{
    const struct rqx__cookie **order = rqx__malloc(jar->count * sizeof(*order));
    size_t size = jar->count * sizeof **ret_cookies;
    rqx_cookie *copies;
    size_t i = 0;
    char *at;
    struct rqx__list *node;
    struct rqx__list *next;

    if (order == NULL)
        return RQX_ERR_NOMEM;
    RQX__LIST_EACH(&jar->used, node, next)
    {
        order[i++] = of_used(node);
        size += text_size(&of_used(node)->public);
    }
    copies = rqx__malloc(size);
    if (copies == NULL) {
        rqx__free(order);
        return RQX_ERR_NOMEM;
    }
    sort_by_age(order, jar->count);
    at = (char *)(copies + jar->count);
    for (i = 0; i < jar->count; i++)
        at = copy_out(&order[i]->public, &copies[i], at);
    rqx__free(order);
    *ret_cookies = copies;
    return 0;
}

int rqx_cookies_all(rqx_cookies *jar, int64_t now, rqx_cookie **ret_cookies, size_t *ret_count)
{
    rqx_cookie *cookies = NULL;
    size_t count;
    int rv = 0;

    pthread_mutex_lock(&jar->lock);
    rqx__cookies_expire_locked(jar, now);
    count = jar->count;
    if (count > 0)
        rv = copy_all_locked(jar, &cookies);
    pthread_mutex_unlock(&jar->lock);
    if (rv < 0)
        return rv;
    *ret_cookies = cookies;
    *ret_count = count;
    return 0;
}

size_t rqx_cookies_delete(rqx_cookies *jar, rqx_slice name, rqx_slice domain, rqx_slice path)
{
    const struct filter filter = {name, domain, path};
    size_t count = 0;
    struct rqx__list *node;
    struct rqx__list *next;

    pthread_mutex_lock(&jar->lock);
    RQX__LIST_EACH(&jar->used, node, next)
    {
        if (fits(&filter, &of_used(node)->public)) {
            rqx__cookies_drop_locked(jar, of_used(node));
            count++;
        }
    }
    pthread_mutex_unlock(&jar->lock);
    return count;
}
