/*
 * What a proxy answers to CONNECT: CUTS, then the bytes.  Where they are cut changes neither the outcome nor what comes
 * through the tunnel, which opens after a 2xx alone and carries the bytes behind its head.
 */
#include "fuzz_wire.h"

#include "base/str.h"

static int run(struct fuzz_in in, struct fuzz_cuts *cuts, size_t cap, struct fuzz_log *log)
{
    static const char request[] = "CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\nX: y\r\n\r\n";
    bool freed = false;
    struct fuzz_wire *lower = fuzz_wire_new(in, cuts, &freed);
    struct rqx__wire *tunnel = NULL;
    struct rqx__err err;
    int rv;

    FUZZ_ASSERT(rqx__tunnel_wire_new(&lower->wire, RQX__LIT("origin.example:443"), RQX__LIT("X: y\r\n"), &tunnel) == 0);
    rv = rqx__wire_handshake(tunnel, &err);
    FUZZ_ASSERT(lower->sent.len == sizeof request - 1 && memcmp(lower->sent.text, request, sizeof request - 1) == 0);
    (void)rv; /* nothing was read yet, unless nothing ever comes */
    if (in.len == 0) {
        FUZZ_ASSERT(rv == RQX_ERR_TRUNCATED);
        rqx__wire_free(tunnel);
    } else {
        FUZZ_ASSERT(rv == RQX_AGAIN);
        rv = fuzz_wire_run(tunnel, cap, log);
    }
    FUZZ_ASSERT(freed);
    return rv;
}

/* The bytes begin with the status line of an answer that opens a tunnel, or of one that announces another. */
static bool may_open(struct fuzz_in in)
{
    return in.len > 12 && memcmp(in.data, "HTTP/1.", 7) == 0 && (in.data[9] == '2' || in.data[9] == '1');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned seed = fuzz_u8(&in);
    struct fuzz_cuts cuts = fuzz_cuts(seed);
    struct fuzz_log whole = {0};
    struct fuzz_log pieces = {0};
    int rv = run(in, NULL, 4096, &whole);

    FUZZ_ASSERT(rv == run(in, &cuts, seed % 7 + 1, &pieces));
    FUZZ_ASSERT(rv < 0 || may_open(in));
    fuzz_log_same(&whole, &pieces);
    fuzz_log_done(&whole);
    fuzz_log_done(&pieces);
    return 0;
}
