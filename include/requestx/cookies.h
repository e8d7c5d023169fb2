/*
 * requestx/cookies.h - a jar of cookies (RFC 6265, with the name prefixes and the rules for secure cookies of its
 * successor), which clients share.
 *
 * A jar is counted, has a lock of its own, and may be used by any number of threads and clients at once.  A client that
 * has one (rqx_client_options.cookies) stores what each final response sets, redirects included, and sends with each
 * request what its URL is due.  A Cookie field of the request's own goes first, and the jar adds only the names that it
 * does not have.
 *
 * What a server may set: cookies for its own host or a domain above it that is no public suffix ("com", "co.uk",
 * "github.io") and has none below it on the way to the host, by the public suffix list that libpsl has, or, in a build
 * without it, no name without a dot.  After fork() the child makes a jar of its own.
 */
#ifndef REQUESTX_COOKIES_H
#define REQUESTX_COOKIES_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/** Most bytes of name and value of one cookie; larger ones are refused. */
#define RQX_COOKIE_MAX 4096
/** Most bytes of a cookie's path; longer ones are refused. */
#define RQX_COOKIE_PATH_MAX 1024
/** Most cookies of one site, which is a public suffix and one label more; those used longest ago make room. */
#define RQX_COOKIES_PER_SITE 150
/** Most cookies in a jar; those used longest ago make room. */
#define RQX_COOKIES_TOTAL 3000
/** Most bytes of the Cookie field that a jar makes; cookies beyond it are left out. */
#define RQX_COOKIES_FIELD_MAX 32768
/** Most bytes that rqx_cookies_load takes. */
#define RQX_COOKIES_LOAD_MAX (16 * 1024 * 1024)
/** Longest line that rqx_cookies_load looks at. */
#define RQX_COOKIES_LINE_MAX 8192

/** Time in rqx_cookie.expires of one that lasts as long as its jar. */
#define RQX_COOKIE_SESSION INT64_MAX

/** The SameSite attribute.  Stored, and of no effect: that is for browsers. */
typedef enum rqx_same_site {
    /** none was given, or one that is not known */
    RQX_SAME_SITE_DEFAULT = 0,
    /** SameSite=None */
    RQX_SAME_SITE_NONE,
    /** SameSite=Lax */
    RQX_SAME_SITE_LAX,
    /** SameSite=Strict */
    RQX_SAME_SITE_STRICT
} rqx_same_site;

/** One cookie.  Those that the library gives are NUL terminated in each text. */
typedef struct rqx_cookie {
    /** not empty; no control character, ";" or "=" */
    rqx_slice name;
    /** no control character or ";"; may be empty */
    rqx_slice value;
    /** host or domain in ASCII, without a dot before it */
    rqx_slice domain;
    /** begins with "/" */
    rqx_slice path;
    /** seconds since 1970, or RQX_COOKIE_SESSION */
    int64_t expires;
    /** 1: sent to |domain| alone; 0: also to the names below it */
    int host_only;
    /** 1: sent over TLS alone */
    int secure;
    /** 1: not for scripts; of no effect here */
    int http_only;
    /** stored */
    rqx_same_site same_site;
} rqx_cookie;

/** Makes an empty jar.  Errors: RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_cookies_new(rqx_cookies **ret_jar);
/** Takes one more reference.  Returns |jar|.  Since 0.1. */
RQX_API rqx_cookies *rqx_cookies_ref(rqx_cookies *jar);
/** Gives a reference back; the last one wipes and frees.  NULL is allowed.  Any thread.  Since 0.1. */
RQX_API void rqx_cookies_unref(rqx_cookies *jar);

/**
 * Takes one Set-Cookie field's |value| of a response from |url|.  |now| is in seconds since 1970, as time(2) gives it,
 * here and in what follows.  Gives 1 where the jar changed, 0 where the cookie was refused.  Errors: RQX_ERR_NOMEM.
 * Since 0.1.
 */
RQX_API int rqx_cookies_set_from(rqx_cookies *jar, const rqx_url *url, const char *value, size_t len, int64_t now);
/**
 * Gives the value of the Cookie field that is due to |url|, NUL terminated; longer paths first, then older cookies.
 * NULL: no cookie is.  The caller frees it with rqx_free.  Errors: RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_cookies_field(rqx_cookies *jar, const rqx_url *url, int64_t now, char **ret_value);

/**
 * Stores |cookie| (copied) in place of the one of that name, domain, path and |host_only|; one that has expired only
 * removes that.  Errors: RQX_ERR_INVALID_ARGUMENT (a text that rqx_cookie does not allow or a limit forbids; a domain
 * that is a public suffix without |host_only|; a name that begins with "__Secure-" or "__Host-" where the rest does not
 * keep its promise), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_cookies_set(rqx_cookies *jar, const rqx_cookie *cookie, int64_t now);
/**
 * Gives the first cookie that has this name, domain and path; texts with NULL data fit every one.  Gives 1, and the
 * cookie in one piece of memory that the caller frees with rqx_free; 0: there is none.  Errors: RQX_ERR_NOMEM.
 * Since 0.1.
 */
RQX_API int rqx_cookies_get(rqx_cookies *jar, rqx_slice name, rqx_slice domain, rqx_slice path, int64_t now,
                            rqx_cookie **ret_cookie);
/**
 * Gives all cookies that have not expired, in the order in which they came, in one piece of memory that the caller
 * frees with rqx_free; NULL where there are none.  Errors: RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_cookies_all(rqx_cookies *jar, int64_t now, rqx_cookie **ret_cookies, size_t *ret_count);
/**
 * Removes the cookies that have this name, domain and path; texts with NULL data fit every one.  Gives how many there
 * were.  Since 0.1.
 */
RQX_API size_t rqx_cookies_delete(rqx_cookies *jar, rqx_slice name, rqx_slice domain, rqx_slice path);
/** Removes all.  Since 0.1. */
RQX_API void rqx_cookies_clear(rqx_cookies *jar);
/** Gives the number of cookies, those included that have expired and were not removed yet.  Since 0.1. */
RQX_API size_t rqx_cookies_count(rqx_cookies *jar);

/**
 * Adds the cookies of |text|, a file in Netscape's format as curl and wget write it.  Lines that are no cookie, or that
 * rqx_cookies_set would refuse, are passed over.  Gives how many were taken.  Errors: RQX_ERR_INVALID_ARGUMENT (above
 * RQX_COOKIES_LOAD_MAX), RQX_ERR_NOMEM; some may have been taken then.  Since 0.1.
 */
RQX_API int rqx_cookies_load(rqx_cookies *jar, const char *text, size_t len, int64_t now);
/**
 * Gives all cookies as a file in Netscape's format, NUL terminated, which has no place for SameSite.  Those of a
 * session are in it only where |session| is 1.  The caller frees it with rqx_free.  Errors: RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_cookies_save(rqx_cookies *jar, int session, int64_t now, char **ret_text, size_t *ret_len);
/**
 * Does as rqx_cookies_load with the file at |path|.  Blocks.  Errors: those, RQX_ERR_SYSTEM (errno tells).  Since 0.1.
 */
RQX_API int rqx_cookies_load_file(rqx_cookies *jar, const char *path, int64_t now);
/**
 * Writes what rqx_cookies_save gives to a file beside |path|, readable by its owner alone, that then takes the place of
 * |path|: what was there stays whole if anything fails.  Blocks.  Errors: RQX_ERR_SYSTEM (errno tells), RQX_ERR_NOMEM,
 * RQX_ERR_INVALID_ARGUMENT (a path too long).  Since 0.1.
 */
RQX_API int rqx_cookies_save_file(rqx_cookies *jar, const char *path, int session, int64_t now);

/**
 * Gives 1 if |domain|, in ASCII and any case, is a public suffix, for which nobody may set cookies; else 0. What is no
 * domain (empty, above 255 bytes, not ASCII) is refused as if it were.  Since 0.1.
 */
RQX_API int rqx_cookies_public_suffix(const char *domain, size_t len);

RQX_END_DECLS

#endif
