/*
 * http/cookies.h - the inside of rqx_cookies, and the steps of RFC 6265 section 5.
 *
 * Knows no connection, clock or file.  cookies_parse.c reads Set-Cookie fields and dates; cookies.c is the jar;
 * cookies_list.c is what is asked of a jar and stored by hand; cookies_text.c is Netscape's format.
 *
 * A jar keeps its cookies by site (psl.h): all cookies that one host may be sent or may set are of one site, so that a
 * request looks at those alone, and a host with many names below it has no more room than others.  A cookie lives in
 * its site's list, oldest first, and in the jar's list by use; a site is freed with its last cookie.
 */
#ifndef RQX_HTTP_COOKIES_H
#define RQX_HTTP_COOKIES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/cookies.h>
#include <requestx/url.h>

#include "base/list.h"
#include "base/map.h"

/* Longest attribute value that is looked at. */
#define RQX__COOKIE_ATTRIBUTE_MAX 1024

struct rqx__site {
    struct rqx__map_node node; /* its key is |name| */
    struct rqx__list cookies;  /* cookie.node, oldest first */
    size_t count;
    char name[];
};

struct rqx__cookie {
    struct rqx__list node; /* in site->cookies */
    struct rqx__list used; /* in jar->used */
    struct rqx__site *site;
    uint64_t number;   /* by creation */
    uint64_t use;      /* by last use */
    size_t size;       /* of this object */
    rqx_cookie public; /* texts are in |text| */
    char text[];
};

struct rqx_cookies {
    atomic_uint refs;
    pthread_mutex_t lock;

    /* under the lock */
    struct rqx__map sites;
    struct rqx__list used; /* longest unused first */
    size_t count;
    uint64_t next_number;
    uint64_t next_use;
    int64_t next_expiry; /* no cookie expires before */
};

/* ---- cookies_parse.c ---- */

/* A Set-Cookie field, as it stands. */
struct rqx__set_cookie {
    rqx_slice name;
    rqx_slice value;
    rqx_slice domain; /* without a dot before it, in the case given; NULL data: none */
    rqx_slice path;   /* NULL data: none that begins with "/" */
    int64_t expires;  /* of Max-Age, else of Expires, else RQX_COOKIE_SESSION */
    bool secure;
    bool http_only;
    rqx_same_site same_site;
};

/* Reads a field's value (section 5.2).  RQX_ERR_INVALID_FIELD: the whole of it is to be ignored. */
int rqx__set_cookie_parse(rqx_slice text, int64_t now, struct rqx__set_cookie *ret_cookie);
/* Reads a date (section 5.1.1) to seconds since 1970.  RQX_ERR_INVALID_FIELD: it is none. */
int rqx__cookie_date(rqx_slice text, int64_t *ret_time);
/* Section 5.1.3; both in lower case. */
bool rqx__domain_match(rqx_slice host, rqx_slice domain);
/* Section 5.1.4: whether |path| is |cookie_path| or below it, and the path of a cookie that has none. */
bool rqx__path_match(rqx_slice path, rqx_slice cookie_path);
rqx_slice rqx__default_path(rqx_slice path);
/* Whether name and value are such that a Cookie field with them says what it should; sizes included. */
bool rqx__cookie_pair_is_valid(rqx_slice name, rqx_slice value);
bool rqx__cookie_path_is_valid(rqx_slice path);
/* Whether a cookie whose name begins with "__Secure-" or "__Host-" keeps the promise. */
bool rqx__cookie_prefix_holds(const rqx_cookie *cookie);

/* ---- cookies.c; all under the jar's lock ---- */

/*
 * Stores a copy of |cookie|, which is valid, in place of its predecessor, and makes room.  The domain is made lower
 * case. RQX_ERR_NOMEM; the jar is as before then.
 */
int rqx__cookies_store_locked(rqx_cookies *jar, const rqx_cookie *cookie, int64_t now);
void rqx__cookies_drop_locked(rqx_cookies *jar, struct rqx__cookie *cookie);
void rqx__cookies_expire_locked(rqx_cookies *jar, int64_t now);

/* ---- cookies_list.c ---- */

/* Whether rqx_cookies_set would take it. */
bool rqx__cookie_is_valid(const rqx_cookie *cookie);

#endif
