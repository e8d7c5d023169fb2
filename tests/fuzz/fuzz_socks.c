/*
 * What a SOCKS5 proxy answers: HOW CUTS, then the bytes.  Where they are cut changes neither the outcome nor what comes
 * through, which is all that stands behind the proxy's messages and nothing of them.
 */
#include "fuzz_wire.h"

#include "base/str.h"
#include "proto/socks.h"

static void target_of(unsigned how, struct rqx__socks_target *ret_target)
{
    memset(ret_target, 0, sizeof *ret_target);
    ret_target->family = (how >> 1 & 3) == 1 ? AF_INET : (how >> 1 & 3) == 2 ? AF_INET6 : 0;
    ret_target->name = RQX__LIT("origin.example");
    ret_target->port = 443;
}

/* Length of the proxy's messages that let a client in, by RFC 1928 and 1929; 0: they do not. */
static size_t messages(struct fuzz_in in, bool password)
{
    size_t at = 2;
    size_t address;

    if (in.len < 2 || in.data[0] != 5 || (in.data[1] != 0 && (in.data[1] != 2 || !password)))
        return 0;
    if (in.data[1] == 2) {
        if (in.len < 4 || in.data[2] != 1 || in.data[3] != 0)
            return 0;
        at = 4;
    }
    if (in.len < at + 5 || in.data[at] != 5 || in.data[at + 1] != 0)
        return 0;
    address = in.data[at + 3] == 1 ? 4 : in.data[at + 3] == 4 ? 16 : in.data[at + 3] == 3 ? 1u + in.data[at + 4] : 0;
    return address == 0 || in.len < at + 4 + address + 2 ? 0 : at + 4 + address + 2;
}

static int run(unsigned how, struct fuzz_in in, struct fuzz_cuts *cuts, size_t cap, struct fuzz_log *log)
{
    bool password = how & 1;
    bool freed = false;
    struct fuzz_wire *lower = fuzz_wire_new(in, cuts, &freed);
    struct rqx__socks_target target;
    struct rqx__wire *socks = NULL;
    int rv;

    target_of(how, &target);
    FUZZ_ASSERT(rqx__socks_wire_new(&lower->wire, &target, password ? RQX__LIT("user") : (rqx_slice){NULL, 0},
                                    password ? RQX__LIT("secret") : (rqx_slice){NULL, 0}, &socks) == 0);
    rv = fuzz_wire_run(socks, cap, log);
    FUZZ_ASSERT(freed);
    return rv;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned how = fuzz_u8(&in);
    unsigned seed = fuzz_u8(&in);
    struct fuzz_cuts cuts = fuzz_cuts(seed);
    struct fuzz_log whole = {0};
    struct fuzz_log pieces = {0};
    size_t len = messages(in, how & 1);
    int rv = run(how, in, NULL, 4096, &whole);

    FUZZ_ASSERT(rv == run(how, in, &cuts, seed % 7 + 1, &pieces));
    fuzz_log_same(&whole, &pieces);
    FUZZ_ASSERT(rv < 0 || (len > 0 && whole.len >= in.len - len));
    if (rv == 0 && in.len > len)
        FUZZ_ASSERT(memcmp(whole.text + whole.len - (in.len - len), in.data + len, in.len - len) == 0);
    fuzz_log_done(&whole);
    fuzz_log_done(&pieces);
    return 0;
}
