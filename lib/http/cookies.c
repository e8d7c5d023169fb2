#include "http/cookies.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/psl.h"

/* ---- life ---- */

int rqx_cookies_new(rqx_cookies **ret_jar)
{
    rqx_cookies *jar = rqx__calloc(1, sizeof *jar);

    if (jar == NULL)
        return RQX_ERR_NOMEM;
    if (pthread_mutex_init(&jar->lock, NULL) != 0) {
        rqx__free(jar);
        return RQX_ERR_NOMEM;
    }
    atomic_init(&jar->refs, 1);
    rqx__map_init(&jar->sites);
    rqx__list_init(&jar->used);
    jar->next_expiry = INT64_MAX;
    *ret_jar = jar;
    return 0;
}

rqx_cookies *rqx_cookies_ref(rqx_cookies *jar)
{
    atomic_fetch_add_explicit(&jar->refs, 1, memory_order_relaxed);
    return jar;
}

static struct rqx__cookie *of_used(struct rqx__list *node)
{
    return RQX__OF(node, struct rqx__cookie, used);
}

static struct rqx__cookie *of_site(struct rqx__list *node)
{
    return RQX__OF(node, struct rqx__cookie, node);
}

static void free_all(rqx_cookies *jar)
{
    while (!rqx__list_empty(&jar->used))
        rqx__cookies_drop_locked(jar, of_used(jar->used.next));
}

void rqx_cookies_unref(rqx_cookies *jar)
{
    if (jar == NULL || atomic_fetch_sub_explicit(&jar->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_all(jar);
    rqx__map_done(&jar->sites);
    pthread_mutex_destroy(&jar->lock);
    rqx__free(jar);
}

void rqx_cookies_clear(rqx_cookies *jar)
{
    pthread_mutex_lock(&jar->lock);
    free_all(jar);
    jar->next_expiry = INT64_MAX;
    pthread_mutex_unlock(&jar->lock);
}

size_t rqx_cookies_count(rqx_cookies *jar)
{
    size_t count;

    pthread_mutex_lock(&jar->lock);
    count = jar->count;
    pthread_mutex_unlock(&jar->lock);
    return count;
}

/* ---- sites ---- */

static struct rqx__site *find_site(const rqx_cookies *jar, rqx_slice name)
{
    struct rqx__map_node *node = rqx__map_get(&jar->sites, name.data, name.len);

    return node == NULL ? NULL : RQX__OF(node, struct rqx__site, node);
}

static int make_site(rqx_cookies *jar, rqx_slice name, struct rqx__site **ret_site)
{
    struct rqx__site *site = rqx__malloc(sizeof *site + name.len);

    if (site == NULL)
        return RQX_ERR_NOMEM;
    memcpy(site->name, name.data, name.len);
    site->node.key = site->name;
    site->node.key_len = name.len;
    site->count = 0;
    rqx__list_init(&site->cookies);
    if (rqx__map_add(&jar->sites, &site->node) < 0) {
        rqx__free(site);
        return RQX_ERR_NOMEM;
    }
    *ret_site = site;
    return 0;
}

static void drop_site_if_empty(rqx_cookies *jar, struct rqx__site *site)
{
    if (site->count != 0)
        return;
    rqx__map_remove(&jar->sites, &site->node);
    rqx__free(site);
}

/* ---- storing: RFC 6265 section 5.3 ---- */

static char *put_text(char *at, rqx_slice text, rqx_slice *ret_copy)
{
    *ret_copy = (rqx_slice){at, text.len};
    if (text.len > 0)
        memcpy(at, text.data, text.len);
    at[text.len] = '\0';
    return at + text.len + 1;
}

static struct rqx__cookie *copy_cookie(const rqx_cookie *from)
{
    size_t texts = from->name.len + from->value.len + from->domain.len + from->path.len + 4;
    struct rqx__cookie *cookie = rqx__malloc(sizeof *cookie + texts);
    char *at;
    char *domain;
    size_t i;

    if (cookie == NULL)
        return NULL;
    cookie->public = *from;
    cookie->size = sizeof *cookie + texts;
    at = put_text(cookie->text, from->name, &cookie->public.name);
    at = put_text(at, from->value, &cookie->public.value);
    domain = at;
    at = put_text(at, from->domain, &cookie->public.domain);
    put_text(at, from->path, &cookie->public.path);
    for (i = 0; i < from->domain.len; i++)
        domain[i] = (char)rqx__lower((unsigned char)domain[i]);
    return cookie;
}

void rqx__cookies_drop_locked(rqx_cookies *jar, struct rqx__cookie *cookie)
{
    struct rqx__site *site = cookie->site;

    rqx__list_remove(&cookie->node);
    rqx__list_remove(&cookie->used);
    site->count--;
    jar->count--;
    rqx__free_secret(cookie, cookie->size);
    drop_site_if_empty(jar, site);
}

static bool slices_equal(rqx_slice a, rqx_slice b)
{
    return rqx__eq(a.data, a.len, b.data, b.len);
}

static struct rqx__cookie *find_same(struct rqx__site *site, const rqx_cookie *like)
{
    struct rqx__list *node;
    struct rqx__list *next;

    RQX__LIST_EACH(&site->cookies, node, next)
    {
        const rqx_cookie *cookie = &of_site(node)->public;

        if (slices_equal(cookie->name, like->name) && slices_equal(cookie->domain, like->domain) &&
            slices_equal(cookie->path, like->path) && !cookie->host_only == !like->host_only)
            return of_site(node);
    }
    return NULL;
}

void rqx__cookies_expire_locked(rqx_cookies *jar, int64_t now)
{
    int64_t next_expiry = INT64_MAX;
    struct rqx__list *node;
    struct rqx__list *next;

    if (now < jar->next_expiry)
        return;
    RQX__LIST_EACH(&jar->used, node, next)
    {
        struct rqx__cookie *cookie = of_used(node);

        if (cookie->public.expires <= now)
            rqx__cookies_drop_locked(jar, cookie);
        else if (cookie->public.expires < next_expiry)
            next_expiry = cookie->public.expires;
    }
    jar->next_expiry = next_expiry;
}

/* The cookie of |site| that was used longest ago; one that is not secure goes before all that are. */
static struct rqx__cookie *least_wanted(const struct rqx__site *site)
{
    struct rqx__cookie *found = NULL;
    struct rqx__list *node;
    struct rqx__list *next;

    RQX__LIST_EACH(&site->cookies, node, next)
    {
        struct rqx__cookie *cookie = of_site(node);
        bool first = found == NULL || !cookie->public.secure > !found->public.secure;
        bool older = found != NULL && !cookie->public.secure == !found->public.secure && cookie->use < found->use;

        if (first || older)
            found = cookie;
    }
    return found;
}

/* Expired cookies go first, then one of a site that has too many, then the one that was used longest ago. */
static void keep_limits(rqx_cookies *jar, struct rqx__site *site, int64_t now)
{
    if (site->count <= RQX_COOKIES_PER_SITE && jar->count <= RQX_COOKIES_TOTAL)
        return;
    rqx__cookies_expire_locked(jar, now); /* never the one that has just come, so that |site| stays */
    if (site->count > RQX_COOKIES_PER_SITE)
        rqx__cookies_drop_locked(jar, least_wanted(site));
    if (jar->count > RQX_COOKIES_TOTAL)
        rqx__cookies_drop_locked(jar, of_used(jar->used.next));
}

static void mark_used(rqx_cookies *jar, struct rqx__cookie *cookie)
{
    cookie->use = jar->next_use++;
    rqx__list_remove(&cookie->used);
    rqx__list_push_back(&jar->used, &cookie->used);
}

static void insert(rqx_cookies *jar, struct rqx__site *site, struct rqx__cookie *cookie, struct rqx__cookie *old)
{
    if (old != NULL) {
        /* keeps its age, and so its place */
        cookie->number = old->number;
        rqx__list_insert_before(&old->node, &cookie->node);
    } else {
        cookie->number = jar->next_number++;
        rqx__list_push_back(&site->cookies, &cookie->node);
    }
    cookie->site = site;
    site->count++;
    jar->count++;
    rqx__list_init(&cookie->used);
    mark_used(jar, cookie);
    if (cookie->public.expires < jar->next_expiry)
        jar->next_expiry = cookie->public.expires;
    if (old != NULL)
        rqx__cookies_drop_locked(jar, old);
}

int rqx__cookies_store_locked(rqx_cookies *jar, const rqx_cookie *like, int64_t now)
{
    struct rqx__cookie *cookie = copy_cookie(like);
    struct rqx__cookie *old = NULL;
    struct rqx__site *site;
    rqx_slice name;

    if (cookie == NULL)
        return RQX_ERR_NOMEM;
    name = rqx__psl_site(cookie->public.domain);
    site = find_site(jar, name);
    if (site != NULL)
        old = find_same(site, &cookie->public);
    if (like->expires <= now) {
        rqx__free_secret(cookie, cookie->size);
        if (old != NULL)
            rqx__cookies_drop_locked(jar, old);
        return 0;
    }
    if (site == NULL && make_site(jar, name, &site) < 0) {
        rqx__free_secret(cookie, cookie->size);
        return RQX_ERR_NOMEM;
    }
    insert(jar, site, cookie, old);
    keep_limits(jar, site, now);
    return 0;
}

/* ---- from a response ---- */

struct source {
    rqx_slice host;
    rqx_slice path;
    bool secure;
};

static bool read_source(const rqx_url *url, struct source *ret_source)
{
    rqx_slice scheme = rqx_url_scheme(url);

    ret_source->host = rqx_url_host(url);
    ret_source->path = rqx_url_path(url);
    ret_source->secure = rqx__eq(scheme.data, scheme.len, "https", 5) || rqx__eq(scheme.data, scheme.len, "wss", 3);
    /* a dot before it makes it no domain, of which no site can be told */
    return ret_source->host.len > 0 && ret_source->host.len <= RQX__DOMAIN_MAX && ret_source->host.data[0] != '.';
}

/*
 * Whether |host| may set cookies for |domain|.  A public suffix that stands between the two is held against it as well:
 * who was given a name below "s3.amazonaws.com" has no say in "amazonaws.com".
 */
static bool may_set_for(rqx_slice host, rqx_slice domain)
{
    return !rqx__is_address(host) && !rqx__psl_is_suffix(domain) && rqx__domain_match(host, domain) &&
           slices_equal(rqx__psl_site(host), rqx__psl_site(domain));
}

/* Whose cookie it is (section 5.3 steps 4 to 6).  |name| has room for a domain. */
static bool choose_domain(rqx_slice host, rqx_slice attribute, char *name, rqx_cookie *cookie)
{
    rqx_slice domain = {name, attribute.len};
    size_t i;

    cookie->domain = host;
    cookie->host_only = 1;
    if (attribute.data == NULL)
        return true;
    if (attribute.len > RQX__DOMAIN_MAX)
        return false;
    for (i = 0; i < attribute.len; i++)
        name[i] = (char)rqx__lower((unsigned char)attribute.data[i]);
    if (slices_equal(host, domain) && (rqx__is_address(host) || rqx__psl_is_suffix(host)))
        return true;
    if (!may_set_for(host, domain))
        return false;
    cookie->domain = domain;
    cookie->host_only = 0;
    return true;
}

/* Whether a secure cookie would be hidden or replaced by one that came in clear (RFC 6265bis section 5.7). */
static bool covers_secure(const rqx_cookies *jar, const rqx_cookie *cookie)
{
    struct rqx__site *site = find_site(jar, rqx__psl_site(cookie->domain));
    struct rqx__list *node;
    struct rqx__list *next;

    if (site == NULL)
        return false;
    RQX__LIST_EACH(&site->cookies, node, next)
    {
        const rqx_cookie *other = &of_site(node)->public;

        if (other->secure && slices_equal(other->name, cookie->name) &&
            (rqx__domain_match(other->domain, cookie->domain) || rqx__domain_match(cookie->domain, other->domain)) &&
            rqx__path_match(cookie->path, other->path))
            return true;
    }
    return false;
}

static bool is_welcome(const struct source *source, const struct rqx__set_cookie *set, const rqx_cookie *cookie)
{
    if (cookie->secure && !source->secure)
        return false;
    if (!rqx__cookie_path_is_valid(cookie->path) || !rqx__cookie_prefix_holds(cookie))
        return false;
    /* "__Host-" wants the path to be said */
    return set->path.data != NULL || set->name.len < 7 || !rqx__ieq(set->name.data, 7, "__host-", 7);
}

int rqx_cookies_set_from(rqx_cookies *jar, const rqx_url *url, const char *value, size_t len, int64_t now)
{
    char domain[RQX__DOMAIN_MAX];
    struct rqx__set_cookie set;
    struct source source;
    rqx_cookie cookie;
    int rv = 0;

    if (!read_source(url, &source) || rqx__set_cookie_parse((rqx_slice){value, len}, now, &set) < 0)
        return 0;
    cookie = (rqx_cookie){.name = set.name,
                          .value = set.value,
                          .path = set.path.data != NULL ? set.path : rqx__default_path(source.path),
                          .expires = set.expires,
                          .secure = set.secure,
                          .http_only = set.http_only,
                          .same_site = set.same_site};
    /* valid too: a host of a URL may have characters that no domain of a cookie may (";") */
    if (!choose_domain(source.host, set.domain, domain, &cookie) || !is_welcome(&source, &set, &cookie) ||
        !rqx__cookie_is_valid(&cookie))
        return 0;
    pthread_mutex_lock(&jar->lock);
    if (source.secure || !covers_secure(jar, &cookie)) {
        rv = rqx__cookies_store_locked(jar, &cookie, now);
        rv = rv < 0 ? rv : 1;
    }
    pthread_mutex_unlock(&jar->lock);
    return rv;
}

/* ---- for a request: section 5.4 ---- */

static bool is_due(const struct rqx__cookie *cookie, const struct source *source)
{
    const rqx_cookie *have = &cookie->public;

    if (have->secure && !source->secure)
        return false;
    if (!(have->host_only ? slices_equal(source->host, have->domain) : rqx__domain_match(source->host, have->domain)))
        return false;
    return rqx__path_match(source->path, have->path);
}

/* Collects what is due, longer paths first; those of equal length stay in the order in which they came. */
static size_t collect(const struct rqx__site *site, const struct source *source, struct rqx__cookie **due)
{
    size_t count = 0;
    struct rqx__list *node;
    struct rqx__list *next;

    RQX__LIST_EACH(&site->cookies, node, next)
    {
        struct rqx__cookie *cookie = of_site(node);
        size_t at = count;

        if (!is_due(cookie, source))
            continue;
        while (at > 0 && due[at - 1]->public.path.len < cookie->public.path.len) {
            due[at] = due[at - 1];
            at--;
        }
        due[at] = cookie;
        count++;
    }
    return count;
}

/* Bytes of the field, and how many of the cookies fit. */
static size_t measure(struct rqx__cookie **due, size_t *count)
{
    size_t total = 0;
    size_t i;

    for (i = 0; i < *count; i++) {
        size_t len = due[i]->public.name.len + 1 + due[i]->public.value.len + (i > 0 ? 2 : 0);

        if (len > RQX_COOKIES_FIELD_MAX - total)
            break;
        total += len;
    }
    *count = i;
    return total;
}

static char *put(char *at, rqx_slice text)
{
    memcpy(at, text.data, text.len);
    return at + text.len;
}

static int make_field(rqx_cookies *jar, const struct rqx__site *site, const struct source *source, char **ret_value)
{
    struct rqx__cookie *due[RQX_COOKIES_PER_SITE];
    size_t count = collect(site, source, due);
    size_t len = measure(due, &count);
    char *value;
    char *at;
    size_t i;

    if (count == 0) {
        *ret_value = NULL;
        return 0;
    }
    at = value = rqx__malloc(len + 1);
    if (value == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0; i < count; i++) {
        if (i > 0)
            at = put(at, RQX__LIT("; "));
        at = put(at, due[i]->public.name);
        *at++ = '=';
        at = put(at, due[i]->public.value);
        mark_used(jar, due[i]);
    }
    *at = '\0';
    *ret_value = value;
    return 0;
}

int rqx_cookies_field(rqx_cookies *jar, const rqx_url *url, int64_t now, char **ret_value)
{
    struct rqx__site *site = NULL;
    struct source source;
    int rv = 0;

    if (!read_source(url, &source)) {
        *ret_value = NULL;
        return 0;
    }
    pthread_mutex_lock(&jar->lock);
    rqx__cookies_expire_locked(jar, now);
    if (jar->count > 0)
        site = find_site(jar, rqx__psl_site(source.host));
    if (site == NULL)
        *ret_value = NULL;
    else
        rv = make_field(jar, site, &source, ret_value);
    pthread_mutex_unlock(&jar->lock);
    return rv;
}

int rqx_cookies_public_suffix(const char *domain, size_t len)
{
    return rqx__psl_is_suffix((rqx_slice){domain, len});
}
