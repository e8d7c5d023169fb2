/*
 * check_tcp.c - the wire at the bottom: sockets.
 */
#include "support.h"

#include <netinet/tcp.h>

#include "net_support.h"

static struct rqx__wire *wire_on(int fd)
{
    struct rqx__wire *wire = NULL;

    ck_assert_int_eq(rqx__tcp_wire_new(fd, &wire), 0);
    ck_assert_str_eq(wire->ops->name, "tcp");
    ck_assert_int_eq(wire->fd, fd);
    ck_assert_ptr_null(wire->lower);
    return wire;
}

START_TEST(bytes_pass_both_ways_and_the_end_is_zero)
{
    struct rqx__err err;
    struct rqx__wire *wire;
    char buffer[16];
    size_t len = 99;
    int ends[2];

    make_pair(ends);
    wire = wire_on(ends[0]);
    ck_assert_int_eq(rqx__wire_handshake(wire, &err), 0);
    ck_assert_int_eq(rqx__wire_handshake(wire, &err), 0);
    ck_assert_int_eq(rqx__wire_read(wire, (uint8_t *)buffer, sizeof buffer, &len, &err), RQX_AGAIN);
    ck_assert_uint_eq(len, 99);
    ck_assert_uint_eq(rqx__wire_wants(wire), RQX__IO_READ);
    ck_assert(put_all(ends[1], "hello", 5));
    ck_assert_int_eq(rqx__wire_read(wire, (uint8_t *)buffer, sizeof buffer, &len, &err), 0);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(buffer, "hello", 5);
    ck_assert(!rqx__wire_has_buffered(wire));
    ck_assert_int_eq(rqx__wire_write(wire, (const uint8_t *)"world!", 6, &len, &err), 0);
    ck_assert_uint_eq(len, 6);
    ck_assert(get_all(ends[1], buffer, 6));
    ck_assert_mem_eq(buffer, "world!", 6);
    close(ends[1]);
    ck_assert_int_eq(drive_read(wire, buffer, sizeof buffer, &len, &err), 0);
    ck_assert_uint_eq(len, 0);
    rqx__wire_free(wire);
    ck_assert_int_eq(fcntl(ends[0], F_GETFD), -1);
}
END_TEST

START_TEST(a_full_socket_says_again_and_goes_on)
{
    static uint8_t chunk[65536];
    struct rqx__err err;
    struct rqx__wire *wire;
    size_t sent = 0;
    size_t drained = 0;
    size_t len = 0;
    int ends[2];
    int rc;

    make_pair(ends);
    wire = wire_on(ends[0]);
    while ((rc = rqx__wire_write(wire, chunk, sizeof chunk, &len, &err)) == 0) {
        ck_assert_uint_gt(len, 0);
        sent += len;
    }
    ck_assert_int_eq(rc, RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(wire), RQX__IO_WRITE);
    while (drained < sent) {
        ssize_t got = recv(ends[1], chunk, sizeof chunk, 0);

        ck_assert_int_gt(got, 0);
        drained += (size_t)got;
    }
    ck_assert_int_eq(drive_write(wire, chunk, 100, &err), 0);
    rqx__wire_free(wire);
    close(ends[1]);
}
END_TEST

/* MSG_NOSIGNAL: with SIGPIPE at its default this test would die. */
START_TEST(a_gone_peer_is_a_read_and_a_write_error)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    struct rqx__err err;
    struct rqx__wire *wire;
    struct sockaddr_in address;
    char buffer[8];
    size_t len = 0;
    int port = 0;
    int listener = listen_on(AF_INET, &port);
    int fd = -1;
    int peer;

    address = loopback4(port);
    ck_assert_int_eq(rqx__tcp_connect((struct sockaddr *)&address, sizeof address, NULL, 0, &fd, &err), 0);
    wire = wire_on(fd);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    peer = accept(listener, NULL, NULL);
    ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(peer);
    ck_assert_int_eq(drive_read(wire, buffer, sizeof buffer, &len, &err), RQX_ERR_READ);
    ck_assert_int_eq(err.code, RQX_ERR_READ);
    ck_assert_int_eq(err.sys_errno, ECONNRESET);
    ck_assert_str_eq(err.text, "connection reset by peer");
    ck_assert_int_eq(rqx__wire_write(wire, (const uint8_t *)"x", 1, &len, &err), RQX_ERR_WRITE);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    ck_assert_str_eq(err.text, "broken pipe");
    ck_assert_int_eq(rqx__wire_write(wire, (const uint8_t *)"x", 1, &len, NULL), RQX_ERR_WRITE);
    rqx__wire_free(wire);
    close(listener);
}
END_TEST

START_TEST(a_connected_socket_is_set_up)
{
    struct rqx__err err;
    struct rqx__wire *wire;
    struct sockaddr_in address;
    struct sockaddr_in peer_address;
    struct sockaddr_in local = {.sin_family = AF_INET};
    socklen_t len = sizeof peer_address;
    int on = 0;
    socklen_t on_len = sizeof on;
    int port = 0;
    int listener = listen_on(AF_INET, &port);
    int fd = -1;
    int peer;

    address = loopback4(port);
    local.sin_addr.s_addr = htonl(0x7f000002);
    ck_assert_int_eq(rqx__tcp_connect((struct sockaddr *)&address, sizeof address, (struct sockaddr *)&local,
                                      sizeof local, &fd, &err),
                     0);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
    ck_assert_int_ne(on, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    wire = wire_on(fd);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    peer = accept(listener, (struct sockaddr *)&peer_address, &len);
    ck_assert_int_ge(peer, 0);
    ck_assert_uint_eq(ntohl(peer_address.sin_addr.s_addr), 0x7f000002);
    /* shutdown says goodbye, and the rest of the peer's can still be read */
    rqx__wire_shutdown(wire);
    ck_assert_int_eq(recv(peer, &on, sizeof on, 0), 0);
    ck_assert(put_all(peer, "late", 4));
    ck_assert_int_eq(drive_read_all(wire, &on, 4, &err), 0);
    rqx__wire_free(wire);
    close(peer);
    close(listener);
}
END_TEST

START_TEST(refusals_are_told_with_their_cause)
{
    struct rqx__err err;
    struct sockaddr_in address;
    struct sockaddr_in local = {.sin_family = AF_INET};
    struct sockaddr_storage odd = {.ss_family = AF_UNSPEC};
    int port = 0;
    int holder = refuse_on(AF_INET, &port);
    int fd = -1;
    int rc;

    address = loopback4(port);
    rc = rqx__tcp_connect((struct sockaddr *)&address, sizeof address, NULL, 0, &fd, &err);
    if (rc == 0) { /* told at once or in time: both are right */
        struct rqx__wire *wire = wire_on(fd);

        rc = drive_handshake(wire, &err);
        rqx__wire_free(wire);
    }
    ck_assert_int_eq(rc, RQX_ERR_CONNECT);
    ck_assert_int_eq(err.sys_errno, ECONNREFUSED);
    ck_assert_str_eq(err.text, "connection refused");
    fd = -1;
    local.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, which is nobody's (RFC 5737) */
    rc = rqx__tcp_connect((struct sockaddr *)&address, sizeof address, (struct sockaddr *)&local, sizeof local, &fd,
                          &err);
    ck_assert_int_eq(rc, RQX_ERR_CONNECT);
    ck_assert_int_eq(err.sys_errno, EADDRNOTAVAIL);
    ck_assert_str_eq(err.text, "local address 192.0.2.1:0: cannot assign requested address");
    ck_assert_int_eq(rqx__tcp_connect((struct sockaddr *)&odd, sizeof odd, NULL, 0, &fd, &err), RQX_ERR_CONNECT);
    ck_assert_int_eq(rqx__tcp_connect((struct sockaddr *)&odd, sizeof odd, NULL, 0, &fd, NULL), RQX_ERR_CONNECT);
    ck_assert_int_eq(fd, -1);
    close(holder);
}
END_TEST

START_TEST(handshake_waits_while_the_connection_is_in_progress)
{
    struct rqx__err err;
    struct rqx__wire *wire = wire_on(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

    /* a socket on which connect() was not called answers as one whose connect() goes on */
    ck_assert_int_eq(rqx__wire_handshake(wire, &err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(wire), RQX__IO_WRITE);
    rqx__wire_free(wire);
}
END_TEST

START_TEST(handshake_on_a_bad_descriptor_fails)
{
    struct rqx__err err;
    int ends[2];
    struct rqx__wire *wire;

    ck_assert_int_eq(pipe(ends), 0);
    wire = wire_on(ends[0]);
    ck_assert_int_eq(rqx__wire_handshake(wire, &err), RQX_ERR_CONNECT);
    ck_assert_int_eq(err.sys_errno, ENOTSOCK);
    rqx__wire_free(wire);
    close(ends[1]);
    rqx__wire_free(NULL);
}
END_TEST

START_TEST(unix_sockets_connect_too)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/check_tcp.XXXXXX";
    struct rqx__err err;
    struct rqx__wire *wire;
    char text[200];
    char expected[160];
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = -1;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    ck_assert_int_eq(rqx__tcp_connect((struct sockaddr *)&address, sizeof address, NULL, 0, &fd, &err),
                     RQX_ERR_CONNECT);
    ck_assert_int_eq(err.sys_errno, ENOENT);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 4), 0);
    ck_assert_int_eq(rqx__tcp_connect((struct sockaddr *)&address, sizeof address, NULL, 0, &fd, &err), 0);
    wire = wire_on(fd);
    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    rqx__sockaddr_text((struct sockaddr *)&address, sizeof address, text, sizeof text);
    snprintf(expected, sizeof expected, "unix:%s", address.sun_path);
    ck_assert_str_eq(text, expected);
    rqx__wire_free(wire);
    close(listener);
    unlink(address.sun_path);
    rmdir(folder);
}
END_TEST

START_TEST(addresses_have_a_text)
{
    struct sockaddr_in in = loopback4(443);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(8443)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_storage odd = {.ss_family = AF_NETLINK};
    char text[64];

    rqx__sockaddr_text((struct sockaddr *)&in, sizeof in, text, sizeof text);
    ck_assert_str_eq(text, "127.0.0.1:443");
    rqx__sockaddr_text((struct sockaddr *)&in, sizeof in, text, 6);
    ck_assert_str_eq(text, "127.0");
    rqx__sockaddr_text((struct sockaddr *)&in, 2, text, sizeof text);
    ck_assert_str_eq(text, "?");
    in6.sin6_addr = in6addr_loopback;
    rqx__sockaddr_text((struct sockaddr *)&in6, sizeof in6, text, sizeof text);
    ck_assert_str_eq(text, "[::1]:8443");
    in6.sin6_scope_id = 3;
    rqx__sockaddr_text((struct sockaddr *)&in6, sizeof in6, text, sizeof text);
    ck_assert_str_eq(text, "[::1%3]:8443");
    memcpy(un.sun_path, "\0name", 5);
    rqx__sockaddr_text((struct sockaddr *)&un, offsetof(struct sockaddr_un, sun_path) + 5, text, sizeof text);
    ck_assert_str_eq(text, "unix:@name");
    rqx__sockaddr_text((struct sockaddr *)&un, offsetof(struct sockaddr_un, sun_path), text, sizeof text);
    ck_assert_str_eq(text, "unix:");
    memset(un.sun_path, 'x', sizeof un.sun_path); /* no NUL at all */
    rqx__sockaddr_text((struct sockaddr *)&un, sizeof un + 9, text, sizeof text);
    ck_assert_uint_eq(strlen(text), sizeof text - 1);
    rqx__sockaddr_text((struct sockaddr *)&odd, sizeof odd, text, sizeof text);
    ck_assert_str_eq(text, "?");
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(without_memory_the_descriptor_stays_the_callers)
{
    struct rqx__wire *wire = NULL;
    int ends[2];

    make_pair(ends);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &wire), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_ptr_null(wire);
    ck_assert_int_eq(close(ends[0]), 0);
    close(ends[1]);
}
END_TEST
#endif

static Suite *tcp_suite(void)
{
    Suite *suite = suite_create("tcp");
    TCase *tcase = rqx_add_case(suite, "tcp");

    tcase_add_test(tcase, bytes_pass_both_ways_and_the_end_is_zero);
    tcase_add_test(tcase, a_full_socket_says_again_and_goes_on);
    tcase_add_test(tcase, a_gone_peer_is_a_read_and_a_write_error);
    tcase_add_test(tcase, a_connected_socket_is_set_up);
    tcase_add_test(tcase, refusals_are_told_with_their_cause);
    tcase_add_test(tcase, handshake_waits_while_the_connection_is_in_progress);
    tcase_add_test(tcase, handshake_on_a_bad_descriptor_fails);
    tcase_add_test(tcase, unix_sockets_connect_too);
    tcase_add_test(tcase, addresses_have_a_text);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, without_memory_the_descriptor_stays_the_callers);
#endif
    return suite;
}

RQX_CHECK_MAIN(tcp_suite)
