/*
 * dial_race.h - connecting to one of several addresses: Happy Eyeballs (RFC 8305).
 *
 * Knows nothing of names, proxies or TLS.  Embedded in a dial.  Addresses may come while the race is on, a family at a
 * time.
 */
#ifndef RQX_NET_DIAL_RACE_H
#define RQX_NET_DIAL_RACE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"
#include "net/address.h"
#include "net/wire.h"

/* How many failed addresses the error's text tells of. */
#define RQX__RACE_TOLD 6

struct rqx__race;

/* Called once, at times before the function returned that brought it about.  On success, takes ownership of |wire|,
 * which is connected. */
typedef void (*rqx__race_cb)(struct rqx__race *race, struct rqx__wire *wire, const struct rqx__err *err, void *user);

/* Addresses of one family that are still to be tried. */
struct rqx__race_lane {
    bool answered; /* no more will come */
    unsigned count;
    unsigned next;
    struct sockaddr_storage *list;
};

struct rqx__race_failure {
    int sys_errno;
    char cause[96];
    char address[64];
};

struct rqx__race {
    struct rqx__loop *loop;
    rqx__race_cb done_cb;
    void *user;
    const struct sockaddr *local; /* NULL: any; then only its family is tried */
    socklen_t local_len;
    const rqx_socket_option *options; /* set on each socket; borrowed for the life of the race */
    size_t option_count;
    const rqx_address_policy *policy; /* asked about each address; NULL: any; borrowed for the life of the race */
    struct rqx__timer timer;          /* when the next attempt may begin */
    struct rqx__list attempts;        /* under way */
    struct rqx__race_lane lane[2];    /* IPv6; IPv4 or a path */
    unsigned turn;                    /* lane that the next address comes from, if it has one */
    bool started;
    bool overdue; /* the time for the next attempt came when there was no address */
    unsigned failed;
    unsigned denied;  /* of those, by the policy */
    unsigned refused; /* of those, by the peer or on the way to it */
    struct rqx__race_failure failures[RQX__RACE_TOLD];
};

/* |local| is borrowed for the life of the race. */
void rqx__race_init(struct rqx__race *race, struct rqx__loop *loop, const struct sockaddr *local, socklen_t local_len,
                    rqx__race_cb done_cb, void *user);
/* Ends it without a word; closes what is under way. */
void rqx__race_done(struct rqx__race *race);
/* All addresses of a family, perhaps none: each family, AF_INET6 and AF_INET (AF_UNIX in its place), is told once. */
void rqx__race_add(struct rqx__race *race, int family, const struct sockaddr_storage *list, unsigned count);

#endif
