/*
 * dial_targets.h - the addresses of an origin, one after the other, for a proxy that wants an address and not a name.
 *
 * Both families are looked up.  IPv4 goes first, since more proxies have it, then they take turns; a family whose
 * answer is late joins when it comes.  Knows nothing of proxies.  Embedded in a dial.
 */
#ifndef RQX_NET_DIAL_TARGETS_H
#define RQX_NET_DIAL_TARGETS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "loop/loop.h"
#include "net/resolver.h"

/* How many of them are given at most. */
#define RQX__TARGETS_MAX 8

struct rqx__targets {
    struct rqx__loop *loop;
    /* What rqx__targets_next had not is known now: ask again.  Never called from inside a function of this header. */
    void (*news_cb)(struct rqx__targets *targets, void *user);
    void *user;
    struct rqx__lookup lookup;
    struct rqx__timer timer;                           /* how long IPv4 is waited for */
    struct sockaddr_storage list[2][RQX__TARGETS_MAX]; /* IPv4; IPv6 */
    unsigned count[2];
    unsigned next[2];
    unsigned turn; /* family that the next one comes from, if it has one */
    unsigned given;
    unsigned pending;    /* families that were not answered */
    bool waiting;        /* news_cb is owed */
    bool patient;        /* IPv4 may still come first */
    bool calling;        /* within rqx__targets_start */
    struct rqx__err err; /* of the lookups */
};

void rqx__targets_init(struct rqx__targets *targets, struct rqx__loop *loop,
                       void (*news_cb)(struct rqx__targets *targets, void *user), void *user);
/* Begins to look up.  RQX_ERR_NOMEM, RQX_ERR_RESOLVE. */
int rqx__targets_start(struct rqx__targets *targets, struct rqx__resolver *resolver, const char *host, int port);
/*
 * The next address.  RQX_AGAIN: it is not known yet, news_cb follows.  Negative: there is none, or none is left, and
 * |err| says why the lookup gave none.
 */
int rqx__targets_next(struct rqx__targets *targets, struct sockaddr_storage *ret_address, struct rqx__err *err);
/* Ends what is under way.  Harmless on one that was never started, or twice. */
void rqx__targets_done(struct rqx__targets *targets);

/* Keeps in |kept| the error of a lookup that says most: that there is no such name says more than that it has no
 * address, and a doubtful answer most. */
void rqx__lookup_err_keep(struct rqx__err *kept, const struct rqx__err *err);

#endif
