/*
 * dns_support.h - a DNS server on loopback, in a thread, that answers as the test tells it.
 */
#ifndef RQX_TESTS_UNIT_DNS_SUPPORT_H
#define RQX_TESTS_UNIT_DNS_SUPPORT_H

#include <stdatomic.h>

#include "net_support.h"

#define DNS_A     1
#define DNS_CNAME 5
#define DNS_AAAA  28

enum dns_kind {
    DNS_ANSWER = 0, /* |count| addresses from |first| on */
    DNS_NXDOMAIN,
    DNS_NODATA,
    DNS_SERVFAIL,
    DNS_SILENCE,
    DNS_GARBAGE,
    DNS_HOLD,      /* answers once dns_release was called */
    DNS_ALIAS,     /* CNAME to "real." + name, and that one's address, with a TTL of its own */
    DNS_LOOP,      /* CNAME to itself */
    DNS_TRUNCATED, /* over UDP; nothing listens for TCP */
    DNS_OTHER_TYPE /* says it has addresses, and they are of the other family */
};

/* What is said of a name and a type; the first match counts.  |name| NULL: any. */
struct dns_rule {
    const char *name;
    int type;
    enum dns_kind kind;
    uint32_t ttl;
    unsigned count;
    unsigned first; /* last byte of the first address */
};

struct dns_server {
    int fd;
    int port;
    int quit[2];
    pthread_t thread;
    const struct dns_rule *rules;
    size_t rule_count;
    atomic_uint asked;
    atomic_uint asked_a;
    atomic_uint asked_aaaa;
};

/* Reads the question's name as text; gives the offset behind it. */
static inline size_t dns_name(const uint8_t *query, size_t len, char *name, size_t size)
{
    size_t at = 12;
    size_t used = 0;

    while (at < len && query[at] != 0) {
        size_t label = query[at];
        size_t i;

        for (i = 1; i <= label && at + i < len && used + 2 < size; i++)
            name[used++] = (char)query[at + i];
        at += label + 1;
        if (at < len && query[at] != 0 && used + 2 < size)
            name[used++] = '.';
    }
    name[used] = '\0';
    return at + 1;
}

static inline const struct dns_rule *dns_match(const struct dns_server *server, const char *name, int type)
{
    size_t i;

    for (i = 0; i < server->rule_count; i++) {
        const struct dns_rule *rule = &server->rules[i];

        if (rule->type == type && (rule->name == NULL || strcasecmp(rule->name, name) == 0))
            return rule;
    }
    return NULL;
}

static inline void dns_put16(uint8_t *place, unsigned value)
{
    place[0] = (uint8_t)(value >> 8);
    place[1] = (uint8_t)value;
}

/* Name (a pointer to |name_at|), type, class, TTL, length. */
static inline size_t dns_record(uint8_t *out, unsigned name_at, int type, uint32_t ttl, size_t data_len)
{
    dns_put16(out, 0xc000 | name_at);
    dns_put16(out + 2, (unsigned)type);
    dns_put16(out + 4, 1);
    dns_put16(out + 6, ttl >> 16);
    dns_put16(out + 8, ttl & 0xffff);
    dns_put16(out + 10, (unsigned)data_len);
    return 12;
}

static inline size_t dns_address(uint8_t *out, unsigned name_at, int type, uint32_t ttl, unsigned last)
{
    size_t data_len = type == DNS_A ? 4 : 16;
    size_t used = dns_record(out, name_at, type, ttl, data_len);

    memset(out + used, 0, data_len);
    if (type == DNS_A)
        out[used] = 127;
    out[used + data_len - 1] = (uint8_t)last;
    return used + data_len;
}

/* Makes the answer to |query| in |out|; 0: none. */
static inline size_t dns_answer(const struct dns_server *server, const uint8_t *query, size_t len, uint8_t *out)
{
    char name[256];
    size_t question_end = dns_name(query, len, name, sizeof name) + 4;
    int type = query[question_end - 4] << 8 | query[question_end - 3];
    const struct dns_rule *rule = dns_match(server, name, type);
    enum dns_kind kind = rule != NULL ? rule->kind : DNS_NXDOMAIN;
    size_t used = question_end;
    unsigned i;

    memcpy(out, query, question_end);
    dns_put16(out + 2, 0x8180);
    memset(out + 6, 0, 6);
    switch (kind) {
    case DNS_ANSWER:
    case DNS_HOLD:
        for (i = 0; i < rule->count; i++)
            used += dns_address(out + used, 12, type, rule->ttl, rule->first + i);
        dns_put16(out + 6, rule->count);
        return used;
    case DNS_OTHER_TYPE:
        used += dns_address(out + used, 12, type == DNS_A ? DNS_AAAA : DNS_A, rule->ttl, 1);
        dns_put16(out + 6, 1);
        return used;
    case DNS_ALIAS: {
        unsigned target = (unsigned)used + 12;

        used += dns_record(out + used, 12, DNS_CNAME, rule->ttl, 7);
        memcpy(out + used, "\004real\300\014", 7);
        used += 7;
        used += dns_address(out + used, target, type, 3600, rule->first);
        dns_put16(out + 6, 2);
        return used;
    }
    case DNS_LOOP:
        used += dns_record(out + used, 12, DNS_CNAME, rule->ttl, 2);
        dns_put16(out + used, 0xc00c);
        dns_put16(out + 6, 1);
        return used + 2;
    case DNS_NODATA:
        return used;
    case DNS_NXDOMAIN:
        dns_put16(out + 2, 0x8183);
        return used;
    case DNS_SERVFAIL:
        dns_put16(out + 2, 0x8182);
        return used;
    case DNS_TRUNCATED:
        dns_put16(out + 2, 0x8380);
        return used;
    case DNS_GARBAGE:
        dns_put16(out + 6, 3); /* three answers are announced and none is there */
        memset(out + used, 0xff, 20);
        return used + 20;
    default:
        return 0;
    }
}

static inline bool dns_must_hold(struct dns_server *server, const uint8_t *query, size_t len)
{
    char name[256];
    size_t end = dns_name(query, len, name, sizeof name);
    const struct dns_rule *rule = dns_match(server, name, query[end] << 8 | query[end + 1]);

    atomic_fetch_add(&server->asked, 1);
    atomic_fetch_add((query[end] << 8 | query[end + 1]) == DNS_A ? &server->asked_a : &server->asked_aaaa, 1);
    return rule != NULL && rule->kind == DNS_HOLD;
}

struct dns_held {
    uint8_t data[600];
    size_t len;
    struct sockaddr_in from;
};

static inline void dns_send(struct dns_server *server, const uint8_t *query, size_t len, const struct sockaddr_in *from)
{
    uint8_t out[2048];
    size_t out_len = dns_answer(server, query, len, out);

    if (out_len > 0)
        sendto(server->fd, out, out_len, 0, (const struct sockaddr *)from, sizeof *from);
}

static inline void *dns_thread(void *user)
{
    struct dns_server *server = user;
    struct pollfd entries[2] = {{.fd = server->fd, .events = POLLIN}, {.fd = server->quit[0], .events = POLLIN}};
    struct dns_held held[16];
    size_t held_count = 0;
    char command;

    while (poll(entries, 2, -1) >= 0) {
        if (entries[1].revents != 0) {
            if (read(server->quit[0], &command, 1) != 1 || command == 'q')
                return NULL;
            while (held_count > 0) {
                held_count--;
                dns_send(server, held[held_count].data, held[held_count].len, &held[held_count].from);
            }
        }
        if (entries[0].revents != 0) {
            uint8_t query[600];
            struct sockaddr_in from;
            socklen_t from_len = sizeof from;
            ssize_t len = recvfrom(server->fd, query, sizeof query, 0, (struct sockaddr *)&from, &from_len);

            if (len < 17)
                continue;
            if (dns_must_hold(server, query, (size_t)len) && held_count < 16) {
                memcpy(held[held_count].data, query, (size_t)len);
                held[held_count].len = (size_t)len;
                held[held_count].from = from;
                held_count++;
            } else {
                dns_send(server, query, (size_t)len, &from);
            }
        }
    }
    return NULL;
}

static inline void dns_start(struct dns_server *server, const struct dns_rule *rules, size_t rule_count)
{
    struct sockaddr_in address = loopback4(0);
    socklen_t len = sizeof address;

    memset(server, 0, sizeof *server);
    server->rules = rules;
    server->rule_count = rule_count;
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    server->port = ntohs(address.sin_port);
    ck_assert_int_eq(pipe(server->quit), 0);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, dns_thread, server), 0);
}

/* Lets the answers that are held go. */
static inline void dns_release(struct dns_server *server)
{
    ck_assert(write(server->quit[1], "r", 1) == 1);
}

static inline void dns_stop(struct dns_server *server)
{
    ck_assert(write(server->quit[1], "q", 1) == 1);
    pthread_join(server->thread, NULL);
    close(server->quit[0]);
    close(server->quit[1]);
    close(server->fd);
}

#endif
