/*
 * .netrc: a file.  An entry before it is found whatever it holds, and changes nothing of the others; space behind it
 * changes nothing at all.
 */
#include "fuzz.h"

#include "base/str.h"
#include "http/auth.h"
#include "http/netrc.h"

#define FIRST "machine first.example login user password \"sec ret\"\n"

static bool same_auth(const rqx_auth *a, const rqx_auth *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return fuzz_same((rqx_slice){a->value, a->len}, (rqx_slice){b->value, b->len});
}

/* Each word of the file is asked for as a host. */
static void compare(const struct rqx__netrc *one, const struct rqx__netrc *other, struct fuzz_in in)
{
    int words = 0;

    while (in.len > 0 && words++ < 50) {
        struct fuzz_in word = fuzz_until(&in, ' ');
        rqx_slice host = {(const char *)word.data, word.len};

        if (!fuzz_same(host, RQX__LIT("first.example")))
            FUZZ_ASSERT(same_auth(rqx__netrc_find(one, host), rqx__netrc_find(other, host)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct rqx__netrc *netrc = NULL;
    struct rqx__netrc *behind = NULL;
    struct rqx__netrc *spaced = NULL;
    struct fuzz_log text = {0};
    char *copy = fuzz_copy(in);
    int rv = rqx__netrc_parse(copy, in.len, &netrc);

    FUZZ_ASSERT(rv == 0 || rv == RQX_ERR_INVALID_ARGUMENT);
    fuzz_log_add(&text, FIRST, sizeof FIRST - 1);
    fuzz_log_add(&text, in.data, in.len);
    if (rv == 0) {
        rqx_auth *first;

        FUZZ_ASSERT(rqx__netrc_parse(text.text, text.len, &behind) == 0);
        first = rqx__netrc_find(behind, RQX__LIT("first.example"));
        FUZZ_ASSERT(first != NULL && strcmp(first->value, "Basic dXNlcjpzZWMgcmV0") == 0);
        compare(netrc, behind, in);
        fuzz_log_drop(&text, sizeof FIRST - 1);
        fuzz_log_add(&text, "\n\n", 2);
        if (in.len == 0 || in.data[in.len - 1] != '\\') { /* which would make a line's end part of a word */
            FUZZ_ASSERT(rqx__netrc_parse(text.text, text.len, &spaced) == 0);
            compare(netrc, spaced, in);
        }
    }
    rqx__netrc_free(netrc);
    rqx__netrc_free(behind);
    rqx__netrc_free(spaced);
    fuzz_log_done(&text);
    free(copy);
    return 0;
}
