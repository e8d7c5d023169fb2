/*
 * dial_race.c - one attempt after the other, each with a head start on the next; the first that connects wins.
 */
#include "net/dial_race.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/dial.h"

/* A listener on a path whose queue is full gives no sign when there is room again. */
#define UNIX_RETRY_MS 10

enum { LANE_6 = 0, LANE_4 };

struct attempt {
    struct rqx__list node;
    struct rqx__race *race;
    struct rqx__watch watch;
    struct rqx__wire *wire;
    struct sockaddr_storage address;
};

static socklen_t address_len(const struct sockaddr_storage *address)
{
    switch (address->ss_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof(struct sockaddr_un);
    }
}

/* ---- the end ---- */

static void free_attempt(struct attempt *attempt)
{
    rqx__loop_unwatch(attempt->race->loop, &attempt->watch);
    rqx__list_remove(&attempt->node);
    rqx__wire_free(attempt->wire);
    rqx__free(attempt);
}

void rqx__race_done(struct rqx__race *race)
{
    rqx__timer_clear(race->loop, &race->timer);
    while (!rqx__list_empty(&race->attempts))
        free_attempt(RQX__OF(race->attempts.next, struct attempt, node));
    rqx__free(race->lane[LANE_6].list);
    rqx__free(race->lane[LANE_4].list);
    memset(race->lane, 0, sizeof race->lane);
}

static void finish(struct rqx__race *race, struct rqx__wire *wire, const struct rqx__err *err)
{
    rqx__race_done(race);
    race->done_cb(race, wire, err, race->user);
}

/* Whether it says more of this machine than of the peer, as without any IPv6. */
static bool is_local_trouble(int sys_errno)
{
    return sys_errno == ENETUNREACH || sys_errno == EADDRNOTAVAIL || sys_errno == EAFNOSUPPORT;
}

static void note_failure(struct rqx__race *race, const struct sockaddr_storage *address, const struct rqx__err *err)
{
    struct rqx__race_failure *failure;

    if (err->code == RQX_ERR_ADDRESS_DENIED)
        race->denied++;
    else if (!is_local_trouble(err->sys_errno))
        race->refused++;
    if (race->failed++ >= RQX__RACE_TOLD)
        return;
    failure = &race->failures[race->failed - 1];
    failure->sys_errno = err->sys_errno;
    snprintf(failure->cause, sizeof failure->cause, "%.*s", (int)sizeof failure->cause - 1, err->text);
    failure->address[0] = '\0'; /* a path is told by who dials */
    if (address->ss_family != AF_UNIX)
        rqx__sockaddr_text((const struct sockaddr *)address, address_len(address), failure->address,
                           sizeof failure->address);
}

static void append(char *text, size_t size, const char *before, const char *what, const char *after)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%s%s%s", before, what, after);
}

/* Adds "cause (address, address)" with all that failed as |first| did. */
static void append_group(struct rqx__race *race, unsigned told, unsigned first, bool *done, char *text, size_t size)
{
    const char *cause = race->failures[first].cause;
    bool opened = false;
    unsigned i;

    append(text, size, text[0] != '\0' ? "; " : "", cause, "");
    for (i = first; i < told; i++) {
        if (done[i] || strcmp(race->failures[i].cause, cause) != 0)
            continue;
        done[i] = true;
        if (race->failures[i].address[0] == '\0')
            continue;
        append(text, size, opened ? ", " : " (", race->failures[i].address, "");
        opened = true;
    }
    if (opened)
        append(text, size, "", ")", "");
}

static void fail(struct rqx__race *race)
{
    unsigned told = race->failed < RQX__RACE_TOLD ? race->failed : RQX__RACE_TOLD;
    bool done[RQX__RACE_TOLD] = {false};
    char text[RQX__ERR_TEXT_MAX] = "";
    char more[32];
    struct rqx__err err;
    unsigned main_one = 0;
    unsigned i;

    if (race->failed == 0) { /* nothing to try: a local address of the other family */
        rqx__err_set(&err, RQX_ERR_CONNECT, "no address of the local address's family");
        finish(race, NULL, &err);
        return;
    }
    for (i = 0; i < told && is_local_trouble(race->failures[main_one].sys_errno); i++)
        main_one = is_local_trouble(race->failures[i].sys_errno) ? main_one : i;
    append_group(race, told, main_one, done, text, sizeof text);
    for (i = 0; i < told; i++) {
        if (!done[i])
            append_group(race, told, i, done, text, sizeof text);
    }
    snprintf(more, sizeof more, " and %u more", race->failed - told);
    if (race->failed > told)
        append(text, sizeof text, "", more, "");
    /* denied it is unless an address that is allowed was tried in earnest */
    rqx__err_set(&err, race->denied > 0 && race->refused == 0 ? RQX_ERR_ADDRESS_DENIED : RQX_ERR_CONNECT, "%s", text);
    err.sys_errno = race->failures[main_one].sys_errno;
    finish(race, NULL, &err);
}

static void fail_at_once(struct rqx__race *race, int code)
{
    struct rqx__err err;

    rqx__err_set(&err, code, NULL);
    finish(race, NULL, &err);
}

/* ---- attempts ---- */

static void go_on(struct rqx__race *race);

static void attempt_ready(struct rqx__watch *watch, unsigned events, void *user)
{
    struct attempt *attempt = user;
    struct rqx__race *race = attempt->race;
    struct rqx__wire *wire = attempt->wire;
    struct rqx__err err;
    int rc = rqx__wire_handshake(wire, &err);

    (void)watch;
    (void)events;
    if (rc == RQX_AGAIN)
        return;
    if (rc < 0) {
        note_failure(race, &attempt->address, &err);
        free_attempt(attempt);
        go_on(race);
        return;
    }
    attempt->wire = NULL;
    free_attempt(attempt);
    finish(race, wire, NULL);
}

/* Takes the next address, of the other family than the last where there is one (RFC 8305 section 4). */
static bool take_address(struct rqx__race *race, struct sockaddr_storage *ret_address)
{
    struct rqx__race_lane *lane = &race->lane[race->turn];

    if (lane->next == lane->count)
        lane = &race->lane[race->turn ^ 1];
    if (lane->next == lane->count)
        return false;
    *ret_address = lane->list[lane->next++];
    race->turn = lane == &race->lane[LANE_6] ? LANE_4 : LANE_6;
    return true;
}

static int make_wire(int fd, struct rqx__wire **ret_wire)
{
    int rc = rqx__tcp_wire_new(fd, ret_wire);

    if (rc < 0)
        close(fd);
    return rc;
}

/* The connection is begun on |fd|, which becomes the attempt's. */
static int add_attempt(struct rqx__race *race, const struct sockaddr_storage *address, int fd)
{
    struct attempt *attempt = rqx__calloc(1, sizeof *attempt);
    int rc;

    if (attempt == NULL) {
        close(fd);
        return RQX_ERR_NOMEM;
    }
    attempt->race = race;
    attempt->address = *address;
    rqx__watch_init(&attempt->watch);
    rqx__list_push_back(&race->attempts, &attempt->node);
    rc = make_wire(fd, &attempt->wire);
    if (rc == 0)
        rc = rqx__loop_watch(race->loop, &attempt->watch, fd, RQX__IO_WRITE, attempt_ready, attempt);
    if (rc < 0)
        free_attempt(attempt);
    return rc;
}

static int set_timer(struct rqx__race *race, int64_t ms)
{
    return rqx__timer_set(race->loop, &race->timer, rqx__clock_after_ms(rqx__loop_touch(race->loop), ms));
}

/* Connects, if the policy allows it: what is asked about here is what is connected to. */
static int connect_to(struct rqx__race *race, const struct sockaddr_storage *address, int *ret_fd, struct rqx__err *err)
{
    if (!rqx__address_policy_allows(race->policy, (const struct sockaddr *)address))
        return rqx__err_set(err, RQX_ERR_ADDRESS_DENIED, NULL);
    return rqx__tcp_connect_with((const struct sockaddr *)address, address_len(address), race->local, race->local_len,
                                 race->options, race->option_count, ret_fd, err);
}

/* 0: an attempt is under way, or will be; RQX_AGAIN: this address failed; negative: nothing can be done at all. */
static int begin_attempt(struct rqx__race *race, const struct sockaddr_storage *address)
{
    struct rqx__err err;
    int fd = -1;
    int rc = connect_to(race, address, &fd, &err);

    if (rc < 0 && address->ss_family == AF_UNIX && err.sys_errno == EAGAIN) {
        race->lane[LANE_4].next--;
        return set_timer(race, UNIX_RETRY_MS);
    }
    if (rc < 0) {
        note_failure(race, address, &err);
        return RQX_AGAIN;
    }
    rc = add_attempt(race, address, fd);
    return rc < 0 ? rc : set_timer(race, RQX__ATTEMPT_DELAY_MS);
}

static bool all_answered(const struct rqx__race *race)
{
    return race->lane[LANE_6].answered && race->lane[LANE_4].answered;
}

/* Begins the next attempt now.  |race| may be over, and gone, afterwards. */
static void go_on(struct rqx__race *race)
{
    struct sockaddr_storage address;
    int rc;

    race->started = true;
    race->overdue = false;
    while (take_address(race, &address)) {
        rc = begin_attempt(race, &address);
        if (rc < 0)
            fail_at_once(race, rc);
        if (rc != RQX_AGAIN)
            return;
    }
    race->overdue = true;
    if (rqx__list_empty(&race->attempts) && all_answered(race))
        fail(race);
}

static void timer_due(struct rqx__timer *timer, void *user)
{
    (void)timer;
    go_on(user);
}

/* ---- addresses ---- */

void rqx__race_init(struct rqx__race *race, struct rqx__loop *loop, const struct sockaddr *local, socklen_t local_len,
                    rqx__race_cb done_cb, void *user)
{
    memset(race, 0, sizeof *race);
    race->loop = loop;
    race->local = local;
    race->local_len = local_len;
    race->done_cb = done_cb;
    race->user = user;
    rqx__timer_init(&race->timer, timer_due, race);
    rqx__list_init(&race->attempts);
}

static int fill_lane(struct rqx__race_lane *lane, const struct sockaddr_storage *list, unsigned count)
{
    lane->answered = true;
    if (count == 0)
        return 0;
    lane->list = rqx__malloc(count * sizeof *list);
    if (lane->list == NULL)
        return RQX_ERR_NOMEM;
    memcpy(lane->list, list, count * sizeof *list);
    lane->count = count;
    return 0;
}

/* RFC 8305 section 3: with IPv4 alone it is worth a moment to wait for IPv6; whatever comes later joins the queue. */
static void addresses_came(struct rqx__race *race, unsigned which)
{
    bool some = race->lane[LANE_6].count + race->lane[LANE_4].count > 0;
    int rc = 0;

    if (race->started) {
        if (race->overdue) /* else the timer will */
            go_on(race);
        return;
    }
    if (which == LANE_4 && !race->lane[LANE_6].answered && some)
        rc = set_timer(race, RQX__RESOLUTION_DELAY_MS);
    else if (some || all_answered(race))
        go_on(race);
    if (rc < 0)
        fail_at_once(race, rc);
}

void rqx__race_add(struct rqx__race *race, int family, const struct sockaddr_storage *list, unsigned count)
{
    unsigned which = family == AF_INET6 ? LANE_6 : LANE_4;
    int rc;

    if (race->local != NULL && race->local->sa_family != family && family != AF_UNIX)
        count = 0;
    rc = fill_lane(&race->lane[which], list, count);
    if (family == AF_UNIX)
        race->lane[LANE_6].answered = true;
    if (rc < 0)
        fail_at_once(race, rc);
    else
        addresses_came(race, which);
}
