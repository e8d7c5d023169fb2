/*
 * NO_PROXY: LIST NUL URL.  A list has a URL exactly if one of its entries alone has it; case and empty entries do not
 * count, and "*" has every host.
 */
#include "fuzz.h"

#include "base/str.h"
#include "http/noproxy.h"

static bool any_entry(const char *list, const rqx_url *url)
{
    bool any = false;

    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        char *entry = fuzz_text((struct fuzz_in){(const uint8_t *)list, len});

        any = rqx__no_proxy_match(entry, url) || any;
        free(entry);
        list += len;
        list += *list == ',';
    }
    return any;
}

static char *with(const char *before, const char *list, const char *after)
{
    size_t size = strlen(before) + strlen(list) + strlen(after) + 1;
    char *text = malloc(size);

    FUZZ_ASSERT(text != NULL);
    snprintf(text, size, "%s%s%s", before, list, after);
    return text;
}

static void check(const char *list, const rqx_url *url)
{
    bool matches = rqx__no_proxy_match(list, url);
    char *other = with(", ,", list, ",,");
    char *star = with("", list, ",*");
    size_t i;

    FUZZ_ASSERT(any_entry(list, url) == matches);
    FUZZ_ASSERT(rqx__no_proxy_match(other, url) == matches);
    for (i = 0; other[i] != '\0'; i++) {
        if (other[i] >= 'a' && other[i] <= 'z')
            other[i] = (char)(other[i] - 32);
    }
    FUZZ_ASSERT(rqx__no_proxy_match(other, url) == matches);
    FUZZ_ASSERT(rqx__no_proxy_match(star, url));
    FUZZ_ASSERT(!rqx__no_proxy_match("", url) && !rqx__no_proxy_match(NULL, url));
    free(other);
    free(star);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    char *list = fuzz_text(fuzz_until(&in, 0));
    char *text = fuzz_text(in);
    rqx_url *url = NULL;
    rqx_url *proxy = NULL;

    if (rqx_url_parse(text, in.len, NULL, &url) == 0 && rqx_url_host(url).data != NULL)
        check(list, url);
    /* what stands there need not have a host; where it has none is for rqx_proxy_new to refuse */
    if (rqx__env_proxy_url(list, &proxy) == 0 && strstr(list, "://") == NULL)
        FUZZ_ASSERT(fuzz_same(rqx_url_scheme(proxy), RQX__LIT("http")));
    rqx_url_unref(url);
    rqx_url_unref(proxy);
    free(list);
    free(text);
    return 0;
}
