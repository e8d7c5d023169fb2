/*
 * http/url.h - the inside of rqx_url, and the steps of which parsing consists.
 *
 * Knows nothing of connections.  An rqx_url is one allocation that never changes after rqx__url_assemble made it: its
 * slices point into |bytes|, or at static text.
 *
 * url_parse.c splits a reference, checks the components and lays them out; url_encode.c has the characters; url_host.c
 * has hosts; url_join.c resolves references; url.c has what is asked of a URL; idna.c names that are not ASCII.
 */
#ifndef RQX_HTTP_URL_H
#define RQX_HTTP_URL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <requestx/url.h>

/* A port above 65535 can be written, but nothing can be connected to: that is for whoever connects to say. */
#define RQX__URL_PORT_MAX  999999
#define RQX__PORT_MAX      65535
/* Bytes that a reference of RQX_URL_MAX characters may have in UTF-8. */
#define RQX__URL_BYTES_MAX ((size_t)RQX_URL_MAX * 4)

struct rqx_url {
    atomic_uint refs;
    int port;             /* explicit, and not the scheme's default; or -1 */
    int effective_port;   /* |port|, or the scheme's default, or -1 */
    rqx_slice text;       /* the whole, NUL terminated */
    rqx_slice scheme;     /* empty: none */
    rqx_slice netloc;     /* userinfo, host and port as they stand after "//"; NULL data: no authority */
    rqx_slice userinfo;   /* NULL data: none */
    rqx_slice host;       /* without brackets; NULL data: no authority */
    rqx_slice authority;  /* |netloc| without userinfo */
    rqx_slice path;       /* as it stands; may be empty */
    rqx_slice query;      /* NULL data: none */
    rqx_slice fragment;   /* NULL data: none */
    rqx_slice target;     /* path and query, never empty */
    rqx_slice origin_key; /* "scheme://host:port"; NULL data: scheme, host or port is not known */
    char bytes[];         /* |text|, and after it what is no part of it */
};

/*
 * "https://host:port" with the effective port, IPv6 in brackets: the same for two URLs exactly if they have the same
 * origin. NULL data where scheme, host or port is not known: such a URL cannot be asked for.
 */
rqx_slice rqx__url_origin_key(const rqx_url *url);

/* The port that |scheme| (in any case) has without one; -1: none known. */
int rqx__url_default_port(rqx_slice scheme);

/* A reference cut into components, nothing decoded and nothing checked.  NULL data: absent. */
struct rqx__url_pieces {
    rqx_slice scheme;
    rqx_slice userinfo;
    rqx_slice host; /* IPv6 in brackets */
    rqx_slice port; /* without ":" */
    rqx_slice path;
    rqx_slice query;
    rqx_slice fragment;
};

/* Cuts |text|; the length was checked.  RQX_ERR_INVALID_URL with |*ret_why| for control characters. */
int rqx__url_split(const char *text, size_t len, const char **ret_why, struct rqx__url_pieces *ret_pieces);
/* Checks, normalizes and lays out.  Errors as rqx_url_parse; |ret_why| is not NULL. */
int rqx__url_assemble(const struct rqx__url_pieces *pieces, const char **ret_why, rqx_url **ret_url);

/* What |*ret_why| says. */
#define RQX__WHY_TOO_LONG      "URL too long"
#define RQX__WHY_CONTROL       "Invalid non-printable ASCII character in URL"
#define RQX__WHY_PORT          "Invalid port"
#define RQX__WHY_IPV4          "Invalid IPv4 address"
#define RQX__WHY_IPV6          "Invalid IPv6 address"
#define RQX__WHY_IDNA          "Invalid IDNA hostname"
#define RQX__WHY_PATH_ABSOLUTE "For absolute URLs, path must be empty or begin with '/'"
#define RQX__WHY_PATH_SLASHES  "Relative URLs cannot have a path starting with '//'"
#define RQX__WHY_PATH_COLON    "Relative URLs cannot have a path starting with ':'"
#define RQX__WHY_PATH_SCHEME   "Relative URLs cannot have a colon in their first path segment"

/* --- url_encode.c --- */

/* What is known of an ASCII character, one bit each. */
enum rqx__url_class {
    RQX__URL_ENC_PATH = 1 << 0,     /* is percent-encoded in a path */
    RQX__URL_ENC_QUERY = 1 << 1,    /* in a query */
    RQX__URL_ENC_FRAGMENT = 1 << 2, /* in a fragment */
    RQX__URL_ENC_USERINFO = 1 << 3, /* in userinfo, where ":" divides */
    RQX__URL_ENC_HOST = 1 << 4,     /* in a host */
    RQX__URL_END_AUTHORITY = 1 << 5,
    RQX__URL_END_PATH = 1 << 6,
    RQX__URL_END_QUERY = 1 << 7,
    RQX__URL_CONTROL = 1 << 8, /* allowed nowhere */
    RQX__URL_SCHEME = 1 << 9,  /* may stand in a scheme, if not always at its beginning */
    RQX__URL_HIGH = 1 << 10    /* not ASCII; is percent-encoded everywhere */
};

#define RQX__URL_CLASS_HIGH                                                                                            \
    (RQX__URL_HIGH | RQX__URL_ENC_PATH | RQX__URL_ENC_QUERY | RQX__URL_ENC_FRAGMENT | RQX__URL_ENC_USERINFO |          \
     RQX__URL_ENC_HOST)

extern const uint16_t rqx__url_classes[128];

static inline unsigned rqx__url_class_of(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte < 128 ? rqx__url_classes[byte] : (unsigned)RQX__URL_CLASS_HIGH;
}

/* The first and the last |c| in |text|; NULL: there is none.  An absent text has none. */
static inline const char *rqx__url_find(rqx_slice text, char c)
{
    return text.len > 0 ? memchr(text.data, c, text.len) : NULL;
}

static inline const char *rqx__url_find_last(rqx_slice text, char c)
{
    size_t at = text.len;

    while (at > 0 && text.data[at - 1] != c)
        at--;
    return at > 0 ? text.data + at - 1 : NULL;
}

/* All classes that occur in |text|. */
unsigned rqx__url_classes_in(rqx_slice text);
/* Length of |text| after percent-encoding; |enc| is one of RQX__URL_ENC_*.  "%" is never encoded: what is encoded
 * stays. */
size_t rqx__url_encoded_len(rqx_slice text, unsigned enc);
/* Percent-encodes to |out|.  Gives the end. */
char *rqx__url_encode(char *out, rqx_slice text, unsigned enc);
/* Copies in lower case.  Gives the end. */
char *rqx__url_lower(char *out, rqx_slice text);
/* Takes "." and ".." segments out of |path| in place.  Gives the new length. */
size_t rqx__url_remove_dots(char *path, size_t len);

/* --- url_host.c --- */

/* Most bytes of a name that is not ASCII, dots included, after encoding (RFC 1035 section 2.3.4). */
#define RQX__HOST_IDNA_MAX 254

enum rqx__host_kind { RQX__HOST_NONE, RQX__HOST_NAME, RQX__HOST_IPV4, RQX__HOST_IPV6 };

/* A host that was checked and is ready to be written. */
struct rqx__host {
    enum rqx__host_kind kind;
    rqx_slice text; /* of the input, without brackets; or |ascii| */
    size_t len;     /* of the normalized form, without brackets */
    char ascii[RQX__HOST_IDNA_MAX + 1];
};

/* Checks a host, IPv6 in brackets.  |ret_host| must not move.  Errors as rqx_url_parse. */
int rqx__host_check(rqx_slice host, const char **ret_why, struct rqx__host *ret_host);
/* Writes |host->len| bytes to |out|.  Gives the end. */
char *rqx__host_write(char *out, const struct rqx__host *host);
/* Reads a dotted IPv4 address, or an IPv6 address without brackets and zone, to 4 or 16 bytes.  False: it is none. */
bool rqx__ipv4_parse(rqx_slice text, uint8_t *ret_bytes);
bool rqx__ipv6_parse(rqx_slice text, uint8_t *ret_bytes);

#endif
