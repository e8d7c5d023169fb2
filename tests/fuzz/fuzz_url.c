/*
 * URLs: BASE [NUL REFERENCE].  What parsing gives is its own parse, can be split and built again, holds nothing that
 * could break a request line, and is what joining gives for itself.
 */
#include "fuzz.h"

#include <requestx/url.h>

#include "http/url.h"

static rqx_slice text_of(rqx_url *url)
{
    return rqx_url_text(url);
}

static void check_printable(rqx_slice text)
{
    size_t i;

    for (i = 0; i < text.len; i++)
        FUZZ_ASSERT((unsigned char)text.data[i] > 0x20 && (unsigned char)text.data[i] < 0x7f);
}

static void check_parsed_again(rqx_url *url)
{
    rqx_url *again = NULL;
    const char *why = NULL;
    rqx_slice text = text_of(url);

    FUZZ_ASSERT(text.data[text.len] == '\0');
    FUZZ_ASSERT(rqx_url_parse(text.data, text.len, &why, &again) == 0);
    FUZZ_ASSERT(fuzz_same(text, text_of(again)));
    FUZZ_ASSERT(fuzz_same(rqx_url_host(url), rqx_url_host(again)));
    FUZZ_ASSERT(fuzz_same(rqx_url_target(url), rqx_url_target(again)));
    FUZZ_ASSERT(rqx_url_effective_port(url) == rqx_url_effective_port(again));
    if (rqx__url_origin_key(url).data != NULL)
        FUZZ_ASSERT(rqx_url_same_origin(url, again));
    rqx_url_unref(again);
}

static void check_built_again(rqx_url *url)
{
    rqx_url *again = NULL;
    const char *why = NULL;
    rqx_url_parts parts;

    rqx_url_split(url, &parts);
    FUZZ_ASSERT(rqx_url_build(&parts, &why, &again) == 0);
    FUZZ_ASSERT(fuzz_same(text_of(url), text_of(again)));
    rqx_url_unref(again);
}

/* Joined to anything, a URL with a scheme is itself, but for dots in a path that parsing leaves. */
static void check_joined(rqx_url *base, rqx_url *url)
{
    rqx_url *joined = NULL;
    rqx_slice text = text_of(url);

    if (rqx_url_scheme(url).len == 0 || rqx_url_host(url).data == NULL)
        return;
    FUZZ_ASSERT(rqx_url_join(base, text.data, text.len, NULL, &joined) == 0);
    FUZZ_ASSERT(fuzz_same(rqx_url_scheme(joined), rqx_url_scheme(url)));
    FUZZ_ASSERT(fuzz_same(rqx_url_authority(joined), rqx_url_authority(url)));
    FUZZ_ASSERT(fuzz_same(rqx_url_query(joined), rqx_url_query(url)));
    rqx_url_unref(joined);
}

static void check_unicode(rqx_url *url)
{
    rqx_slice host = rqx_url_host(url);
    char *text = NULL;

    if (host.data != NULL && rqx_url_host_unicode(host.data, host.len, &text) == 0)
        FUZZ_ASSERT(host.len == 0 || strlen(text) > 0);
    rqx_free(text);
}

static void check(rqx_url *url)
{
    rqx_slice target = rqx_url_target(url);

    check_printable(text_of(url));
    check_printable(target);
    FUZZ_ASSERT(target.len > 0);
    check_parsed_again(url);
    check_built_again(url);
    check_unicode(url);
    FUZZ_ASSERT(rqx_url_port(url) <= RQX__URL_PORT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct fuzz_in first = fuzz_until(&in, 0);
    char *base_text = fuzz_copy(first);
    char *ref_text = fuzz_copy(in);
    rqx_url *base = NULL;
    rqx_url *joined = NULL;
    const char *why = NULL;

    if (rqx_url_parse(base_text, first.len, &why, &base) == 0) {
        check(base);
        check_joined(base, base);
        if (rqx_url_join(base, ref_text, in.len, &why, &joined) == 0) {
            check(joined);
            check_joined(base, joined);
        } else {
            FUZZ_ASSERT(why != NULL);
        }
    } else {
        FUZZ_ASSERT(why != NULL);
    }
    rqx_url_unref(base);
    rqx_url_unref(joined);
    free(base_text);
    free(ref_text);
    return 0;
}
