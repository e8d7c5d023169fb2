/*
 * netrelay.c - a relay of TCP connections that is a poor network: bandwidth, delay, jitter, and faults, all of which
 * can be set while it runs.
 *
 *     netrelay TARGET_PORT         prints "listening PORT", then reads commands from stdin, one a line
 *
 * Each command is answered by one line: "ok", "error TEXT", or, to "stats", a JSON object.  The end of stdin ends it.
 * DIR is "up" (client to server), "down" or "both".  A connection's two directions are lanes; all lanes of a direction
 * share one link of the bandwidth that is set, and the order within a lane is always kept.
 *
 *     bandwidth DIR BITS           a second; 0: as fast as can be
 *     delay DIR MS                 one way
 *     jitter DIR MS                up to so much more, for each piece: connections overtake one another
 *     stall DIR, resume DIR        nothing moves; everything goes on
 *     cut                          the connections that are there never move again, and are not told; later ones are
 * fine reset, close                 the connections that are there end by RST, by FIN fault KIND DIR BYTES TIMES   KIND
 * reset, half-close or stall: each of the next TIMES connections has this fault once BYTES of that direction were
 * delivered refuse, accept               stops listening; listens again on the same port target PORT for connections
 * from now on seed N                       of the jitter stats
 *
 * The handshake of TCP itself is not delayed: the relay accepts at once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PAIRS 4096
/* Read at once.  A piece is what delay and jitter apply to. */
#define PIECE (64 * 1024)
/* What may wait in a lane beyond what is on its way. */
#define LANE_SLACK (1024 * 1024)
/* And at most, where the link has no bandwidth to compute it from. */
#define LANE_MAX (64 * 1024 * 1024)
/* How far ahead the link may be booked before no more is read for it. */
#define LINK_AHEAD_NS 5000000u
#define NEVER         UINT64_MAX

enum { UP, DOWN };
enum kind { DATA, FIN, RST };
enum fault { NO_FAULT, FAULT_RESET, FAULT_HALF_CLOSE, FAULT_STALL };

struct piece {
    struct piece *next;
    uint64_t due;
    enum kind kind;
    size_t len;
    size_t sent;
    uint8_t data[];
};

struct lane {
    struct piece *first;
    struct piece *last;
    size_t queued; /* bytes */
    uint64_t delivered;
    uint64_t last_due;
    enum fault fault;
    uint64_t fault_at; /* delivered bytes */
    bool ended;        /* FIN or RST was read: nothing more comes */
    bool fin_sent;
    bool blocked;  /* the receiver's socket is full */
    bool dropping; /* what comes is thrown away: after a half-close */
    bool stalled;
};

struct pair {
    int fd[2]; /* client, server: lane |d| reads fd[d] and writes fd[!d] */
    struct lane lane[2];
    bool connecting;
    bool cut;
    bool gone;
};

struct link {
    uint64_t bits; /* a second; 0: no limit */
    uint64_t delay;
    uint64_t jitter;
    uint64_t free_at;
    bool stalled;
};

struct order {
    enum fault fault;
    int dir;
    uint64_t at;
    long times;
};

static struct {
    int listener; /* -1: refuses */
    int port;
    int target;
    struct link link[2];
    struct order order;
    struct pair *pairs[MAX_PAIRS];
    size_t count;
    size_t turn;
    uint64_t seed;
    /* counters */
    uint64_t accepted;
    uint64_t faults;
    uint64_t bytes[2];
    size_t queued;
    size_t queued_max;
} relay = {.listener = -1, .seed = 1};

static uint64_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* xorshift64: the same seed, the same network */
static uint64_t chance(void)
{
    relay.seed ^= relay.seed << 13;
    relay.seed ^= relay.seed >> 7;
    relay.seed ^= relay.seed << 17;
    return relay.seed;
}

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* ---- pairs ---- */

static void drop_pieces(struct lane *lane)
{
    while (lane->first != NULL) {
        struct piece *piece = lane->first;

        lane->first = piece->next;
        free(piece);
    }
    relay.queued -= lane->queued;
    lane->last = NULL;
    lane->queued = 0;
}

static void pair_end(struct pair *pair, bool by_reset)
{
    struct linger linger = {1, 0};
    int i;

    if (pair->gone)
        return;
    pair->gone = true;
    for (i = 0; i < 2; i++) {
        drop_pieces(&pair->lane[i]);
        if (by_reset)
            setsockopt(pair->fd[i], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        close(pair->fd[i]);
    }
}

static void sweep(void)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < relay.count; i++) {
        if (relay.pairs[i]->gone)
            free(relay.pairs[i]);
        else
            relay.pairs[kept++] = relay.pairs[i];
    }
    relay.count = kept;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void take_order(struct pair *pair)
{
    struct order *order = &relay.order;

    if (order->fault == NO_FAULT || order->times == 0)
        return;
    order->times--;
    pair->lane[order->dir].fault = order->fault;
    pair->lane[order->dir].fault_at = order->at;
}

static void accept_one(void)
{
    struct sockaddr_in target = loopback(relay.target);
    int on = 1;
    int client = accept4(relay.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct pair *pair;

    if (client < 0)
        return;
    relay.accepted++;
    pair = relay.count < MAX_PAIRS ? calloc(1, sizeof *pair) : NULL;
    if (pair == NULL) {
        close(client);
        return;
    }
    pair->fd[0] = client;
    pair->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(pair->fd[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    relay.pairs[relay.count++] = pair;
    take_order(pair);
    if (connect(pair->fd[1], (struct sockaddr *)&target, sizeof target) == 0)
        return;
    pair->connecting = true;
    if (errno != EINPROGRESS)
        pair_end(pair, true);
}

/* ---- lanes ---- */

static void queue_piece(struct lane *lane, struct link *link, enum kind kind, const uint8_t *data, size_t len,
                        uint64_t now)
{
    struct piece *piece = malloc(sizeof *piece + len);
    uint64_t sent = link->free_at > now ? link->free_at : now;

    if (piece == NULL)
        die("netrelay");
    if (link->bits != 0)
        sent += (uint64_t)len * 8u * 1000000000u / link->bits;
    link->free_at = sent;
    piece->due = sent + link->delay + (link->jitter != 0 ? chance() % link->jitter : 0);
    if (piece->due < lane->last_due)
        piece->due = lane->last_due;
    lane->last_due = piece->due;
    piece->next = NULL;
    piece->kind = kind;
    piece->len = len;
    piece->sent = 0;
    if (len != 0)
        memcpy(piece->data, data, len);
    if (lane->last == NULL)
        lane->first = piece;
    else
        lane->last->next = piece;
    lane->last = piece;
    lane->queued += len;
    relay.queued += len;
    if (relay.queued > relay.queued_max)
        relay.queued_max = relay.queued;
}

static size_t lane_room(const struct link *link)
{
    uint64_t flying = link->bits == 0 ? LANE_MAX : link->bits / 8u * (link->delay + link->jitter) / 1000000000u;

    return flying < LANE_MAX - LANE_SLACK ? (size_t)flying + LANE_SLACK : LANE_MAX;
}

static bool may_read(const struct pair *pair, int dir, uint64_t now)
{
    const struct lane *lane = &pair->lane[dir];
    const struct link *link = &relay.link[dir];

    if (pair->connecting || pair->cut || lane->ended || lane->stalled || link->stalled)
        return false;
    return lane->queued < lane_room(link) && link->free_at < now + LINK_AHEAD_NS;
}

static void lane_read(struct pair *pair, int dir, uint64_t now)
{
    static uint8_t buffer[PIECE];
    struct lane *lane = &pair->lane[dir];
    ssize_t got = recv(pair->fd[dir], buffer, sizeof buffer, 0);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0 && lane->dropping)
        return;
    if (got > 0) {
        queue_piece(lane, &relay.link[dir], DATA, buffer, (size_t)got, now);
        return;
    }
    lane->ended = true;
    queue_piece(lane, &relay.link[dir], got == 0 ? FIN : RST, NULL, 0, now);
}

static void end_lane(struct pair *pair, int dir)
{
    if (!pair->lane[dir].fin_sent)
        shutdown(pair->fd[!dir], SHUT_WR);
    pair->lane[dir].fin_sent = true;
    if (pair->lane[!dir].fin_sent)
        pair_end(pair, false);
}

/* The lane got as far as its fault.  False: nothing more is to be delivered. */
static bool meet_fault(struct pair *pair, int dir)
{
    struct lane *lane = &pair->lane[dir];
    enum fault fault = lane->fault;

    if (fault == NO_FAULT || lane->delivered < lane->fault_at)
        return true;
    lane->fault = NO_FAULT;
    relay.faults++;
    if (fault == FAULT_RESET) {
        pair_end(pair, true);
    } else if (fault == FAULT_HALF_CLOSE) {
        drop_pieces(lane);
        lane->dropping = true;
        end_lane(pair, dir);
    } else {
        lane->stalled = true;
    }
    return false;
}

/* False: the receiver takes no more now, or the pair is gone. */
static bool send_piece(struct pair *pair, int dir, struct piece *piece)
{
    struct lane *lane = &pair->lane[dir];
    size_t len = piece->len - piece->sent;
    ssize_t put;

    if (lane->fault != NO_FAULT && len > lane->fault_at - lane->delivered)
        len = (size_t)(lane->fault_at - lane->delivered);
    put = send(pair->fd[!dir], piece->data + piece->sent, len, MSG_NOSIGNAL);
    if (put < 0) {
        lane->blocked = errno == EAGAIN || errno == EINTR;
        if (!lane->blocked)
            pair_end(pair, true);
        return false;
    }
    piece->sent += (size_t)put;
    lane->delivered += (uint64_t)put;
    lane->queued -= (size_t)put;
    relay.queued -= (size_t)put;
    relay.bytes[dir] += (uint64_t)put;
    return meet_fault(pair, dir);
}

static void lane_deliver(struct pair *pair, int dir, uint64_t now)
{
    struct lane *lane = &pair->lane[dir];

    while (!pair->gone && !lane->blocked && lane->first != NULL && lane->first->due <= now) {
        struct piece *piece = lane->first;

        if (piece->kind == RST) {
            pair_end(pair, true);
            return;
        }
        if (piece->len != 0 && (!meet_fault(pair, dir) || !send_piece(pair, dir, piece)))
            return;
        if (piece->sent < piece->len)
            continue;
        lane->first = piece->next;
        if (lane->first == NULL)
            lane->last = NULL;
        if (piece->kind == FIN)
            end_lane(pair, dir);
        free(piece);
    }
}

static bool may_deliver(const struct pair *pair, int dir)
{
    return !pair->gone && !pair->connecting && !pair->cut && !pair->lane[dir].stalled && !relay.link[dir].stalled;
}

/* ---- the loop ---- */

static short events_of(const struct pair *pair, int side, uint64_t now)
{
    short events = 0;

    if (pair->cut)
        return side == 0 ? POLLRDHUP : 0;
    if (side == 1 && pair->connecting)
        return POLLOUT;
    if (may_read(pair, side, now))
        events |= POLLIN;
    if (pair->lane[!side].blocked && may_deliver(pair, !side))
        events |= POLLOUT;
    return events;
}

static void connected(struct pair *pair)
{
    int error = 0;
    socklen_t len = sizeof error;

    getsockopt(pair->fd[1], SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        pair_end(pair, true);
    pair->connecting = false;
}

static void serve_side(struct pair *pair, int side, short events, uint64_t now)
{
    if (pair->gone || events == 0)
        return;
    if (pair->cut) {
        pair_end(pair, true); /* the client gave up */
        return;
    }
    if (side == 1 && pair->connecting) {
        connected(pair);
        return;
    }
    if (events & (POLLOUT | POLLERR | POLLHUP))
        pair->lane[!side].blocked = false;
    if ((events & (POLLIN | POLLERR | POLLHUP)) != 0 && may_read(pair, side, now))
        lane_read(pair, side, now);
}

/* When something is to be done without anything being readable. */
static uint64_t next_due(uint64_t now)
{
    uint64_t due = NEVER;
    size_t i;
    int dir;

    for (dir = 0; dir < 2; dir++) {
        const struct link *link = &relay.link[dir];

        if (relay.count != 0 && link->free_at >= now + LINK_AHEAD_NS && link->free_at - LINK_AHEAD_NS + 1 < due)
            due = link->free_at - LINK_AHEAD_NS + 1;
        for (i = 0; i < relay.count; i++) {
            const struct lane *lane = &relay.pairs[i]->lane[dir];

            if (may_deliver(relay.pairs[i], dir) && !lane->blocked && lane->first != NULL && lane->first->due < due)
                due = lane->first->due;
        }
    }
    return due;
}

static void wait_for(struct pollfd *entries, size_t count, uint64_t now)
{
    uint64_t due = next_due(now);
    uint64_t ns = due > now ? due - now : 0;
    struct timespec timeout = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

    if (ppoll(entries, (nfds_t)count, due == NEVER ? NULL : &timeout, NULL) < 0 && errno != EINTR)
        die("poll");
}

static bool read_commands(void);

static void turn(void)
{
    static struct pollfd entries[2 + 2 * MAX_PAIRS];
    uint64_t now = clock_now();
    size_t count = relay.count;
    size_t i;
    int dir;

    entries[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    entries[1] = (struct pollfd){.fd = relay.listener, .events = POLLIN};
    for (i = 0; i < 2 * count; i++) {
        const struct pair *pair = relay.pairs[i / 2];
        short events = events_of(pair, (int)(i % 2), now);

        /* nothing wanted: errors would be told over and over */
        entries[2 + i] = (struct pollfd){.fd = events != 0 ? pair->fd[i % 2] : -1, .events = events};
    }
    wait_for(entries, 2 + 2 * count, now);
    now = clock_now();
    for (i = 0; i < count; i++) {
        size_t at = (i + relay.turn) % count; /* each is first once, or one would have the link to itself */
        struct pair *pair = relay.pairs[at];

        serve_side(pair, 0, entries[2 + 2 * at].revents, now);
        serve_side(pair, 1, entries[3 + 2 * at].revents, now);
        for (dir = 0; dir < 2; dir++) {
            if (may_deliver(pair, dir))
                lane_deliver(pair, dir, now);
        }
    }
    relay.turn++;
    if (entries[1].revents != 0)
        accept_one();
    if (entries[0].revents != 0 && !read_commands())
        exit(EXIT_SUCCESS);
    sweep();
}

/* ---- commands ---- */

static void start_listening(void)
{
    struct sockaddr_in address = loopback(relay.port);
    socklen_t len = sizeof address;
    int on = 1;

    if (relay.listener >= 0)
        return;
    relay.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(relay.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(relay.listener, (struct sockaddr *)&address, len) < 0 || listen(relay.listener, 1024) < 0 ||
        getsockname(relay.listener, (struct sockaddr *)&address, &len) < 0)
        die("listen");
    relay.port = ntohs(address.sin_port);
}

static void stop_listening(void)
{
    if (relay.listener >= 0)
        close(relay.listener);
    relay.listener = -1;
}

static void for_all(void (*function)(struct pair *pair))
{
    size_t i;

    for (i = 0; i < relay.count; i++)
        function(relay.pairs[i]);
}

static void cut_one(struct pair *pair)
{
    pair->cut = true;
    drop_pieces(&pair->lane[UP]);
    drop_pieces(&pair->lane[DOWN]);
    relay.faults++;
}

static void reset_one(struct pair *pair)
{
    pair_end(pair, true);
    relay.faults++;
}

static void close_one(struct pair *pair)
{
    pair_end(pair, false);
    relay.faults++;
}

static void print_stats(void)
{
    printf("{\"accepted\": %" PRIu64 ", \"open\": %zu, \"up\": %" PRIu64 ", \"down\": %" PRIu64 ", \"faults\": %" PRIu64
           ", \"queued\": %zu, \"queued_max\": %zu}\n",
           relay.accepted, relay.count, relay.bytes[UP], relay.bytes[DOWN], relay.faults, relay.queued,
           relay.queued_max);
}

/* Commands without a direction; false: there is none of that name. */
static bool plain_command(const char *name, const char *rest)
{
    if (strcmp(name, "cut") == 0)
        for_all(cut_one);
    else if (strcmp(name, "reset") == 0)
        for_all(reset_one);
    else if (strcmp(name, "close") == 0)
        for_all(close_one);
    else if (strcmp(name, "refuse") == 0)
        stop_listening();
    else if (strcmp(name, "accept") == 0)
        start_listening();
    else if (strcmp(name, "target") == 0)
        relay.target = atoi(rest);
    else if (strcmp(name, "seed") == 0)
        relay.seed = strtoull(rest, NULL, 10) | 1u;
    else
        return false;
    return true;
}

static bool fault_command(const char *rest)
{
    static const char *const kinds[] = {"", "reset", "half-close", "stall"};
    char kind[16];
    char dir[8];
    struct order order = {.times = 1};
    int i;

    if (sscanf(rest, "%15s %7s %" SCNu64 " %ld", kind, dir, &order.at, &order.times) < 3)
        return false;
    for (i = FAULT_RESET; i <= FAULT_STALL; i++) {
        if (strcmp(kind, kinds[i]) == 0)
            order.fault = (enum fault)i;
    }
    order.dir = strcmp(dir, "up") == 0 ? UP : DOWN;
    if (order.fault == NO_FAULT)
        return false;
    relay.order = order;
    return true;
}

static bool link_command(const char *name, struct link *link, double value)
{
    if (strcmp(name, "bandwidth") == 0)
        link->bits = (uint64_t)value;
    else if (strcmp(name, "delay") == 0)
        link->delay = (uint64_t)(value * 1e6);
    else if (strcmp(name, "jitter") == 0)
        link->jitter = (uint64_t)(value * 1e6);
    else if (strcmp(name, "stall") == 0)
        link->stalled = true;
    else if (strcmp(name, "resume") == 0)
        link->stalled = false;
    else
        return false;
    return true;
}

static bool direction_command(const char *name, const char *rest)
{
    char dir[8] = "";
    double value = 0;
    bool good = true;
    int i;

    if (sscanf(rest, "%7s %lf", dir, &value) < 1 || value < 0)
        return false;
    for (i = 0; i < 2; i++) {
        if (strcmp(dir, "both") == 0 || strcmp(dir, i == UP ? "up" : "down") == 0)
            good = link_command(name, &relay.link[i], value) && good;
    }
    return good;
}

static void run_command(char *line)
{
    char name[16] = "";
    int at = 0;

    sscanf(line, "%15s %n", name, &at);
    if (strcmp(name, "stats") == 0)
        print_stats();
    else if (strcmp(name, "fault") == 0 ? fault_command(line + at)
                                        : plain_command(name, line + at) || direction_command(name, line + at))
        puts("ok");
    else
        printf("error %s\n", line);
    fflush(stdout);
}

/* False: the end of stdin. */
static bool read_commands(void)
{
    static char buffer[4096];
    static size_t used;
    ssize_t got = read(STDIN_FILENO, buffer + used, sizeof buffer - 1 - used);
    char *line = buffer;
    char *end;

    if (got <= 0)
        return got < 0 && errno == EINTR;
    used += (size_t)got;
    buffer[used] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        run_command(line);
        line = end + 1;
    }
    used -= (size_t)(line - buffer);
    memmove(buffer, line, used);
    return used < sizeof buffer - 1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: netrelay TARGET_PORT\n");
        return EXIT_FAILURE;
    }
    relay.target = atoi(argv[1]);
    start_listening();
    printf("listening %d\n", relay.port);
    fflush(stdout);
    for (;;)
        turn();
}
