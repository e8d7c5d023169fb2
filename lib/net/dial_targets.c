#include "net/dial_targets.h"

#include <string.h>

#include "base/clock.h"
#include "net/dial.h"

enum { LANE_4 = 0, LANE_6 };

/* ---- errors of lookups ---- */

static int weight_of(const struct rqx__err *err)
{
    if (err->code != RQX_ERR_NAME_NOT_FOUND)
        return err->code == 0 ? 0 : 3;
    return strcmp(err->text, rqx_error_text(RQX_ERR_NAME_NOT_FOUND)) == 0 ? 2 : 1;
}

void rqx__lookup_err_keep(struct rqx__err *kept, const struct rqx__err *err)
{
    if (weight_of(err) > weight_of(kept))
        *kept = *err;
}

/* ---- news ---- */

static bool has_next(const struct rqx__targets *targets)
{
    return targets->given < RQX__TARGETS_MAX &&
           (targets->next[LANE_4] < targets->count[LANE_4] || targets->next[LANE_6] < targets->count[LANE_6]);
}

/* Whether the next one must be waited for: there is none yet, or but IPv6, for a moment, where IPv4 may come first. */
static bool must_wait(const struct rqx__targets *targets)
{
    if (targets->pending == 0 || targets->given == RQX__TARGETS_MAX)
        return false;
    return !has_next(targets) || (targets->patient && targets->count[LANE_4] == 0);
}

static void tell(struct rqx__targets *targets)
{
    if (!targets->waiting || must_wait(targets))
        return;
    targets->waiting = false;
    rqx__timer_clear(targets->loop, &targets->timer);
    targets->news_cb(targets, targets->user);
}

static void patience_over(struct rqx__timer *timer, void *user)
{
    struct rqx__targets *targets = user;

    (void)timer;
    targets->patient = false;
    tell(targets);
}

/* RFC 8305 section 3, the other way round. */
static void be_patient(struct rqx__targets *targets)
{
    uint64_t until = rqx__clock_after_ms(rqx__loop_touch(targets->loop), RQX__RESOLUTION_DELAY_MS);

    if (targets->pending == 0 || targets->count[LANE_4] != 0 || rqx__timer_is_set(&targets->timer))
        return;
    if (rqx__timer_set(targets->loop, &targets->timer, until) < 0)
        targets->patient = false; /* without memory nothing is waited for */
}

static void addresses_came(struct rqx__lookup *lookup, int family, const struct rqx__addresses *addresses,
                           const struct rqx__err *err, bool last, void *user)
{
    struct rqx__targets *targets = user;
    unsigned lane = family == AF_INET6 ? LANE_6 : LANE_4;
    unsigned i;

    (void)lookup;
    targets->pending = last ? 0 : 1;
    if (addresses == NULL)
        rqx__lookup_err_keep(&targets->err, err);
    for (i = 0; addresses != NULL && i < addresses->count && targets->count[lane] < RQX__TARGETS_MAX; i++)
        targets->list[lane][targets->count[lane]++] = addresses->list[i];
    if (lane == LANE_6 && addresses != NULL)
        be_patient(targets);
    if (!targets->calling)
        tell(targets);
}

/* ---- for the dial ---- */

void rqx__targets_init(struct rqx__targets *targets, struct rqx__loop *loop,
                       void (*news_cb)(struct rqx__targets *targets, void *user), void *user)
{
    memset(targets, 0, sizeof *targets);
    targets->loop = loop;
    targets->news_cb = news_cb;
    targets->user = user;
    targets->patient = true;
    rqx__list_init(&targets->lookup.node);
    targets->lookup.answer_cb = addresses_came;
    targets->lookup.user = targets;
    rqx__timer_init(&targets->timer, patience_over, targets);
}

int rqx__targets_start(struct rqx__targets *targets, struct rqx__resolver *resolver, const char *host, int port)
{
    int rc;

    targets->pending = 2;
    targets->calling = true;
    rc = rqx__resolver_lookup(resolver, host, strlen(host), port, &targets->lookup);
    targets->calling = false;
    return rc;
}

int rqx__targets_next(struct rqx__targets *targets, struct sockaddr_storage *ret_address, struct rqx__err *err)
{
    unsigned lane = targets->turn;

    if (must_wait(targets)) {
        targets->waiting = true;
        return RQX_AGAIN;
    }
    if (!has_next(targets)) {
        *err = targets->err;
        return err->code != 0 ? err->code : rqx__err_set(err, RQX_ERR_NAME_NOT_FOUND, NULL);
    }
    if (targets->next[lane] == targets->count[lane])
        lane ^= 1;
    *ret_address = targets->list[lane][targets->next[lane]++];
    targets->turn = lane ^ 1;
    targets->given++;
    return 0;
}

void rqx__targets_done(struct rqx__targets *targets)
{
    rqx__lookup_cancel(&targets->lookup);
    rqx__timer_clear(targets->loop, &targets->timer);
    targets->pending = 0;
    targets->waiting = false;
}
