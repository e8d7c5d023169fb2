#include "net/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"

struct tcp_wire {
    struct rqx__wire wire;
    unsigned wants;
    bool connected;
    bool full; /* the last send was short: the next one would only tell EAGAIN */
};

static struct tcp_wire *tcp_of(const struct rqx__wire *wire)
{
    return (struct tcp_wire *)(uintptr_t)wire;
}

int rqx__net_err(struct rqx__err *err, int code, int sys_errno)
{
    char text[96];

    if (err == NULL)
        return code;
    rqx__errno_text(sys_errno, text, sizeof text);
    text[0] = (char)rqx__lower((unsigned char)text[0]);
    rqx__err_set(err, code, "%s", text);
    err->sys_errno = sys_errno;
    return code;
}

static int again(struct tcp_wire *tcp, unsigned wants)
{
    tcp->wants = wants;
    return RQX_AGAIN;
}

/* SO_ERROR alone is 0 while the connection is in progress, and so is told apart from success by getpeername. */
static int tcp_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    struct tcp_wire *tcp = tcp_of(wire);
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;
    int error = 0;
    socklen_t error_len = sizeof error;

    if (tcp->connected)
        return 0;
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
        return rqx__net_err(err, RQX_ERR_CONNECT, errno);
    if (error != 0)
        return rqx__net_err(err, RQX_ERR_CONNECT, error);
    if (getpeername(wire->fd, (struct sockaddr *)&peer, &peer_len) < 0) {
        if (errno == ENOTCONN)
            return again(tcp, RQX__IO_WRITE);
        return rqx__net_err(err, RQX_ERR_CONNECT, errno);
    }
    tcp->connected = true;
    return 0;
}

static int tcp_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    struct tcp_wire *tcp = tcp_of(wire);
    ssize_t got;

    do {
        got = recv(wire->fd, buffer, cap, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return again(tcp, RQX__IO_READ);
        return rqx__net_err(err, RQX_ERR_READ, errno);
    }
    *ret_len = (size_t)got;
    return 0;
}

static int tcp_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    struct tcp_wire *tcp = tcp_of(wire);
    ssize_t put;

    if (tcp->full) {
        tcp->full = false;
        return again(tcp, RQX__IO_WRITE);
    }
    do {
        put = send(wire->fd, data, len, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    if (put < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return again(tcp, RQX__IO_WRITE);
        return rqx__net_err(err, RQX_ERR_WRITE, errno);
    }
    tcp->full = (size_t)put < len;
    *ret_len = (size_t)put;
    return 0;
}

static bool tcp_has_buffered(const struct rqx__wire *wire)
{
    (void)wire;
    return false;
}

static unsigned tcp_wants(const struct rqx__wire *wire)
{
    return tcp_of(wire)->wants;
}

static void tcp_shutdown(struct rqx__wire *wire)
{
    shutdown(wire->fd, SHUT_WR);
}

static void tcp_free(struct rqx__wire *wire)
{
    close(wire->fd);
    rqx__free(tcp_of(wire));
}

static const struct rqx__wire_ops tcp_ops = {
    .name = "tcp",
    .handshake = tcp_handshake,
    .read = tcp_read,
    .write = tcp_write,
    .has_buffered = tcp_has_buffered,
    .wants = tcp_wants,
    .shutdown = tcp_shutdown,
    .free = tcp_free,
};

int rqx__tcp_wire_new(int fd, struct rqx__wire **ret_wire)
{
    struct tcp_wire *tcp = rqx__calloc(1, sizeof *tcp);

    if (tcp == NULL)
        return RQX_ERR_NOMEM;
    tcp->wire.ops = &tcp_ops;
    tcp->wire.fd = fd;
    tcp->wants = RQX__IO_READ;
    *ret_wire = &tcp->wire;
    return 0;
}

static int bind_local(int fd, const struct sockaddr *local, socklen_t local_len, struct rqx__err *err)
{
    int on = 1;
    char text[80];
    int error;

    /* leaves the port to connect(), which may then share it between destinations */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, local, local_len) == 0)
        return 0;
    error = errno;
    rqx__net_err(err, RQX_ERR_CONNECT, error);
    rqx__sockaddr_text(local, local_len, text, sizeof text);
    if (err != NULL)
        rqx__err_prefix(err, "local address %s", text);
    return RQX_ERR_CONNECT;
}

static int set_options(int fd, const rqx_socket_option *options, size_t count, struct rqx__err *err)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (setsockopt(fd, options[i].level, options[i].name, options[i].value, (socklen_t)options[i].len) < 0)
            return rqx__err_sys(err, RQX_ERR_CONNECT, errno, "socket option %d of level %d", options[i].name,
                                options[i].level);
    }
    return 0;
}

int rqx__tcp_connect(const struct sockaddr *address, socklen_t address_len, const struct sockaddr *local,
                     socklen_t local_len, int *ret_fd, struct rqx__err *err)
{
    return rqx__tcp_connect_with(address, address_len, local, local_len, NULL, 0, ret_fd, err);
}

int rqx__tcp_connect_with(const struct sockaddr *address, socklen_t address_len, const struct sockaddr *local,
                          socklen_t local_len, const rqx_socket_option *options, size_t count, int *ret_fd,
                          struct rqx__err *err)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    int rc;

    if (fd < 0)
        return rqx__net_err(err, RQX_ERR_CONNECT, errno);
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    rc = set_options(fd, options, count, err);
    if (rc >= 0 && local != NULL)
        rc = bind_local(fd, local, local_len, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    if (connect(fd, address, address_len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        rc = rqx__net_err(err, RQX_ERR_CONNECT, errno);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static void unix_text(const struct sockaddr *address, socklen_t len, char *text, size_t size)
{
    struct sockaddr_un un;
    size_t path_len;

    memset(&un, 0, sizeof un);
    if (len > sizeof un)
        len = sizeof un;
    memcpy(&un, address, len);
    path_len = len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;
    if (path_len > 0 && un.sun_path[0] == '\0') /* abstract: a leading NUL, and no NUL at the end */
        snprintf(text, size, "unix:@%.*s", (int)(path_len - 1), un.sun_path + 1);
    else
        snprintf(text, size, "unix:%.*s", (int)strnlen(un.sun_path, path_len), un.sun_path);
}

void rqx__sockaddr_text(const struct sockaddr *address, socklen_t len, char *text, size_t size)
{
    char number[INET6_ADDRSTRLEN] = "?";

    if (address->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, number, sizeof number);
        snprintf(text, size, "%s:%u", number, ntohs(in.sin_port));
    } else if (address->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in6;
        char scope[16] = "";

        memcpy(&in6, address, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, number, sizeof number);
        if (in6.sin6_scope_id != 0)
            snprintf(scope, sizeof scope, "%%%u", in6.sin6_scope_id);
        snprintf(text, size, "[%s%s]:%u", number, scope, ntohs(in6.sin6_port));
    } else if (address->sa_family == AF_UNIX) {
        unix_text(address, len, text, size);
    } else {
        snprintf(text, size, "?");
    }
}
