/*
 * net_support.h - sockets, threads and wires for the tests of lib/net.
 *
 * Everything is on loopback or a socketpair.  A peer is a function that runs in a thread on a blocking descriptor of
 * its own.
 */
#ifndef RQX_TESTS_UNIT_NET_SUPPORT_H
#define RQX_TESTS_UNIT_NET_SUPPORT_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <requestx/error.h>

#include "support.h"
#include "base/err.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "net/wire.h"

#define SLICE(text) ((rqx_slice){(text), strlen(text)})

/* A listening socket on loopback; gives its port. */
static inline int listen_on(int family, int *ret_port)
{
    struct sockaddr_storage address;
    socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memset(&address, 0, sizeof address);
    address.ss_family = (sa_family_t)family;
    if (family == AF_INET)
        ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                        : ((struct sockaddr_in6 *)&address)->sin6_port);
    return fd;
}

/* A port of loopback on which nobody listens: bound, so that nobody else takes it. */
static inline int refuse_on(int family, int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(family, AF_INET);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline struct sockaddr_in loopback4(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Two connected stream sockets: |ends[0]| does not block, |ends[1]| does. */
static inline void make_pair(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
}

/* Waits for what the wire's last RQX_AGAIN waits for; false after 20 s. */
static inline bool wire_wait(const struct rqx__wire *wire)
{
    unsigned wants = rqx__wire_wants(wire);
    struct pollfd entry = {.fd = wire->fd};

    entry.events = (short)((wants & RQX__IO_READ ? POLLIN : 0) | (wants & RQX__IO_WRITE ? POLLOUT : 0));
    ck_assert_int_ne(entry.events, 0);
    return poll(&entry, 1, 20000) > 0;
}

static inline int drive_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    int rc;

    while ((rc = rqx__wire_handshake(wire, err)) == RQX_AGAIN)
        ck_assert(wire_wait(wire));
    return rc;
}

static inline int drive_read(struct rqx__wire *wire, void *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    int rc;

    while ((rc = rqx__wire_read(wire, buffer, cap, ret_len, err)) == RQX_AGAIN)
        ck_assert(wire_wait(wire));
    return rc;
}

static inline int drive_write(struct rqx__wire *wire, const void *data, size_t len, struct rqx__err *err)
{
    size_t done = 0;

    while (done < len) {
        size_t put = 0;
        int rc = rqx__wire_write(wire, (const uint8_t *)data + done, len - done, &put, err);

        if (rc == RQX_AGAIN) {
            ck_assert(wire_wait(wire));
            continue;
        }
        if (rc < 0)
            return rc;
        ck_assert_uint_gt(put, 0);
        done += put;
    }
    return 0;
}

/* Reads exactly |len| bytes. */
static inline int drive_read_all(struct rqx__wire *wire, void *buffer, size_t len, struct rqx__err *err)
{
    size_t done = 0;

    while (done < len) {
        size_t got = 0;
        int rc = drive_read(wire, (uint8_t *)buffer + done, len - done, &got, err);

        if (rc < 0)
            return rc;
        if (got == 0)
            return RQX_ERR_TRUNCATED;
        done += got;
    }
    return 0;
}

/* Blocking counterparts for peers. */
static inline bool put_all(int fd, const void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t put = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);

        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static inline bool get_all(int fd, void *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got = recv(fd, (char *)data + done, len - done, 0);

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* Ends a forked child.  By a signal where all is well: at an exit valgrind would take what the parent still uses for
 * leaks. */
static inline void leave_child(bool good)
{
    RQX_KEEP_COVERAGE();
    if (good)
        kill(getpid(), SIGKILL);
    _exit(EXIT_FAILURE);
}

static inline bool child_left_well(pid_t pid)
{
    int status = 0;

    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Adds |tests| with what is to be done before and after each. */
static inline void add_tests(TCase *tcase, const TTest *const *tests, size_t count, void (*set_up)(void),
                             void (*tear_down)(void))
{
    size_t i;

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
}

#endif
