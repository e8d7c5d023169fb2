/*
 * requestx/url.h - URLs: RFC 3986, with the WHATWG behaviours that browsers and httpx share, and IDNA 2008.
 *
 * An rqx_url is immutable and counted; any thread may use it.  All slices it gives live as long as the URL.
 */
#ifndef REQUESTX_URL_H
#define REQUESTX_URL_H

#include <requestx/error.h>

RQX_BEGIN_DECLS

/** The longest URL accepted, in characters: those of a URL that is ASCII are its bytes. */
#define RQX_URL_MAX 65536

/** The components of a URL, as rqx_url_build takes them.  A NULL |data| is an absent component. */
typedef struct rqx_url_parts {
    /** without ":" */
    rqx_slice scheme;
    /** already percent-encoded, "user" or "user:password" */
    rqx_slice userinfo;
    /** name, IPv4, or IPv6 with or without brackets; Unicode allowed (UTF-8) */
    rqx_slice host;
    /** -1: none */
    int port;
    /** with its "/" */
    rqx_slice path;
    /** without "?" */
    rqx_slice query;
    /** without "#" */
    rqx_slice fragment;
} rqx_url_parts;

/**
 * Parses |text| of |len| bytes (UTF-8), absolute or relative: lower-cases scheme and host, percent-encodes what each
 * component does not allow (existing %xx stay), removes dot segments, encodes the host by IDNA, drops a default port.
 *
 * Errors: RQX_ERR_INVALID_URL (too long, control characters, bad port, bad address, bad host label, malformed),
 * RQX_ERR_NOMEM.  |ret_why|, unless NULL, is set on RQX_ERR_INVALID_URL to a static text that says what is wrong.
 * Since 0.1.
 */
RQX_API int rqx_url_parse(const char *text, size_t len, const char **ret_why, rqx_url **ret_url);
/** Builds a URL of |parts|, each checked and encoded as rqx_url_parse does.  Errors as there.  Since 0.1. */
RQX_API int rqx_url_build(const rqx_url_parts *parts, const char **ret_why, rqx_url **ret_url);
/** Resolves |ref| against |base| (RFC 3986 section 5.3).  Errors as rqx_url_parse.  Since 0.1. */
RQX_API int rqx_url_join(const rqx_url *base, const char *ref, size_t len, const char **ret_why, rqx_url **ret_url);

/** Takes one more reference.  Returns |url|.  Since 0.1. */
RQX_API rqx_url *rqx_url_ref(rqx_url *url);
/** Gives a reference back; the last one frees.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_url_unref(rqx_url *url);

/** Gives the whole URL, NUL terminated.  Since 0.1. */
RQX_API rqx_slice rqx_url_text(const rqx_url *url);
/** Gives the scheme, lower case, without ":"; empty for a relative reference.  Since 0.1. */
RQX_API rqx_slice rqx_url_scheme(const rqx_url *url);
/** Gives "user:password" as it stands in the URL, percent-encoded; data is NULL if there is none.  Since 0.1. */
RQX_API rqx_slice rqx_url_userinfo(const rqx_url *url);
/** Gives the host in ASCII (IDNA encoded), lower case, IPv6 without brackets; NULL data: no authority.  Since 0.1. */
RQX_API rqx_slice rqx_url_host(const rqx_url *url);
/**
 * Gives the explicit port, or -1 where none stands or it is the scheme's default.  Up to 999,999: a URL may have a port
 * that no address has, which a request then refuses.  Since 0.1.
 */
RQX_API int rqx_url_port(const rqx_url *url);
/** Gives the port to connect to: the explicit one, or the default of http, https, ws, wss, ftp; else -1.  Since 0.1. */
RQX_API int rqx_url_effective_port(const rqx_url *url);
/** Gives host and explicit port as a Host field or :authority wants them, IPv6 in brackets, no userinfo.  Since 0.1. */
RQX_API rqx_slice rqx_url_authority(const rqx_url *url);
/** Gives the path, percent-encoded; "/" at least where there is an authority.  Since 0.1. */
RQX_API rqx_slice rqx_url_path(const rqx_url *url);
/** Gives the query without "?"; NULL data: no query; empty: a bare "?".  Since 0.1. */
RQX_API rqx_slice rqx_url_query(const rqx_url *url);
/** Gives path and query as a request line or :path wants them ("/" where the path is empty).  Since 0.1. */
RQX_API rqx_slice rqx_url_target(const rqx_url *url);
/** Gives the fragment without "#"; NULL data: none.  Since 0.1. */
RQX_API rqx_slice rqx_url_fragment(const rqx_url *url);
/**
 * Gives all components as they stand in the text, so that rqx_url_build makes an equal URL of them, or one that differs
 * in what the caller changes.  The path may be empty here.  The slices live as long as |url|.  Since 0.1.
 */
RQX_API void rqx_url_split(const rqx_url *url, rqx_url_parts *ret_parts);
/** Gives 1 if both have the same scheme, host and effective port (RFC 6454), else 0.  Since 0.1. */
RQX_API int rqx_url_same_origin(const rqx_url *a, const rqx_url *b);

/**
 * Gives the Unicode form of an ASCII |host| (IDNA decoded) in a buffer that the caller frees with rqx_free.
 * Errors: RQX_ERR_INVALID_URL, RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_url_host_unicode(const char *host, size_t len, char **ret_text);

/** Frees memory that a function of this library gave with the words "free with rqx_free".  Since 0.1. */
RQX_API void rqx_free(void *memory);

RQX_END_DECLS

#endif
