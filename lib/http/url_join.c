/*
 * Resolving a reference (RFC 3986 section 5.3), not strict about a repeated scheme, and with ";params" of the last
 * segment kept apart from it, as in RFC 2396: what HTTP clients for Python have always done.
 */
#include "http/url.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Schemes whose references are resolved against a base; there are others whose references stand alone. */
static bool is_hierarchical(rqx_slice scheme)
{
    static const char *const schemes[] = {"",       "http",  "https", "ws",   "wss",     "ftp",     "file",
                                          "gopher", "nntp",  "imap",  "wais", "shttp",   "mms",     "rtsp",
                                          "rtsps",  "rtspu", "sftp",  "svn",  "svn+ssh", "prospero"};
    size_t i;

    for (i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (rqx__eq(scheme.data, scheme.len, schemes[i], strlen(schemes[i])))
            return true;
    }
    return false;
}

/* Whether ";" begins params in URLs of a hierarchical scheme. */
static bool has_params(rqx_slice scheme)
{
    static const char *const without[] = {"ws", "wss", "file", "gopher", "nntp", "wais", "svn", "svn+ssh"};
    size_t i;

    for (i = 0; i < sizeof without / sizeof without[0]; i++) {
        if (rqx__eq(scheme.data, scheme.len, without[i], strlen(without[i])))
            return false;
    }
    return true;
}

/* A path, and what follows the first ";" of its last segment. */
struct split_path {
    rqx_slice path;
    rqx_slice params;
};

static struct split_path split_params(rqx_slice path, rqx_slice scheme)
{
    struct split_path split = {path, {NULL, 0}};
    const char *slash;
    const char *last;
    const char *mark;

    if (path.len == 0 || !has_params(scheme))
        return split;
    slash = rqx__url_find_last(path, '/');
    last = slash != NULL ? slash : path.data;
    mark = memchr(last, ';', path.len - (size_t)(last - path.data));
    if (mark != NULL) {
        split.path.len = (size_t)(mark - path.data);
        split.params = (rqx_slice){mark + 1, path.len - split.path.len - 1};
    }
    return split;
}

/* A text that grows in memory which is large enough. */
struct joined {
    char *text;
    size_t len;
};

static void put(struct joined *out, rqx_slice text)
{
    if (text.len != 0)
        memcpy(out->text + out->len, text.data, text.len);
    out->len += text.len;
}

static void put_after(struct joined *out, char mark, rqx_slice text)
{
    if (text.len == 0)
        return;
    out->text[out->len++] = mark;
    put(out, text);
}

/* The base's path up to its last "/", then the reference's. */
static void put_merged(struct joined *out, rqx_slice base, rqx_slice ref)
{
    const char *slash = rqx__url_find_last(base, '/');

    if (slash != NULL)
        put(out, (rqx_slice){base.data, (size_t)(slash - base.data)});
    if (slash != NULL || base.len == 0)
        put(out, RQX__LIT("/"));
    put(out, ref);
}

/*
 * Takes dot segments out of what |out| has from |start| on, in place.  |squeeze|: empty segments go too, but for the
 * first and the last one.
 */
static void resolve(struct joined *out, size_t start, bool squeeze)
{
    char *path = out->text + start;
    size_t len = out->len - start;
    size_t used = 0;
    size_t count = 0; /* of segments kept */
    size_t at = 0;
    bool last = false;

    while (!last) {
        const char *slash = at < len ? memchr(path + at, '/', len - at) : NULL;
        size_t end = slash != NULL ? (size_t)(slash - path) : len;
        size_t size = end - at;
        bool up = size == 2 && memcmp(path + at, "..", 2) == 0;
        bool here = size == 1 && path[at] == '.';

        last = slash == NULL;
        if (up && count > 0) {
            while (used > 0 && path[used - 1] != '/')
                used--;
            used -= --count > 0;
        }
        /* a dot segment at the end leaves its slash */
        if (!(up || here) ? size > 0 || !squeeze || at == 0 || last : last) {
            if (count++ > 0)
                path[used++] = '/';
            size = up || here ? 0 : size;
            memmove(path + used, path + at, size);
            used += size;
        }
        at = end + 1;
    }
    if (used == 0)
        path[used++] = '/';
    out->len = start + used;
}

/* Which of |base| and |ref| gives what, when |ref| has no other scheme. */
static int put_resolved(struct joined *out, const rqx_url *base, const rqx_url *ref, const char **ret_why)
{
    struct split_path base_path = split_params(base->path, base->scheme);
    struct split_path path = split_params(ref->path, base->scheme);
    bool same_document = ref->netloc.len == 0 && path.path.len == 0 && path.params.len == 0;
    rqx_slice netloc = ref->netloc.len > 0 ? ref->netloc : base->netloc;
    rqx_slice query = same_document && ref->query.len == 0 ? base->query : ref->query;
    size_t start;

    if (base->scheme.len > 0) {
        put(out, base->scheme);
        put(out, RQX__LIT(":"));
    }
    if (netloc.len > 0) {
        put(out, RQX__LIT("//"));
        put(out, netloc);
    }
    start = out->len;
    if (ref->netloc.len > 0) {
        put(out, path.path);
    } else if (same_document) {
        path.params = base_path.params;
        put(out, base_path.path);
    } else {
        bool rooted = path.path.len > 0 && path.path.data[0] == '/';

        if (rooted)
            put(out, path.path);
        else
            put_merged(out, base_path.path, path.path);
        resolve(out, start, !rooted);
    }
    put_after(out, ';', path.params);
    if (netloc.len == 0 && out->len - start >= 2 && memcmp(out->text + start, "//", 2) == 0) {
        if (base->scheme.len == 0) {
            *ret_why = RQX__WHY_PATH_SLASHES;
            return RQX_ERR_INVALID_URL;
        }
        /* after an empty authority, for else it would be read as one */
        memmove(out->text + start + 2, out->text + start, out->len - start);
        memcpy(out->text + start, "//", 2);
        out->len += 2;
    }
    if (out->len > start && out->text[start] != '/' && (netloc.len > 0 || base->scheme.len > 0)) {
        memmove(out->text + start + 1, out->text + start, out->len - start);
        out->text[start] = '/';
        out->len++;
    }
    put_after(out, '?', query);
    put_after(out, '#', ref->fragment);
    return 0;
}

static int join(const rqx_url *base, const rqx_url *ref, const char **ret_why, rqx_url **ret_url)
{
    struct joined out = {NULL, 0};
    int rv;

    /* all of both, and the few marks that neither has */
    out.text = rqx__malloc(base->text.len + ref->text.len + 16);
    if (out.text == NULL)
        return RQX_ERR_NOMEM;
    rv = put_resolved(&out, base, ref, ret_why);
    if (rv == 0)
        rv = rqx_url_parse(out.text, out.len, ret_why, ret_url);
    rqx__free(out.text);
    return rv;
}

static bool stands_alone(const rqx_url *base, const rqx_url *ref)
{
    if (base->text.len == 0)
        return true;
    if (ref->scheme.len > 0 && !rqx__eq(ref->scheme.data, ref->scheme.len, base->scheme.data, base->scheme.len))
        return true;
    return !is_hierarchical(base->scheme);
}

int rqx_url_join(const rqx_url *base, const char *text, size_t len, const char **ret_why, rqx_url **ret_url)
{
    const char *why;
    rqx_url *ref;
    int rv;

    if (ret_why == NULL)
        ret_why = &why;
    rv = rqx_url_parse(text, len, ret_why, &ref);
    if (rv < 0)
        return rv;
    if (ref->text.len == 0)
        rv = rqx_url_parse(base->text.data, base->text.len, ret_why, ret_url);
    else if (stands_alone(base, ref))
        rv = rqx_url_parse(ref->text.data, ref->text.len, ret_why, ret_url);
    else
        rv = join(base, ref, ret_why, ret_url);
    rqx_url_unref(ref);
    return rv;
}
