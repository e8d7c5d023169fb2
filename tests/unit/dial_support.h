/*
 * dial_support.h - peers to dial: listeners that do not answer, and an origin behind TLS and perhaps a proxy.
 */
#ifndef RQX_TESTS_UNIT_DIAL_SUPPORT_H
#define RQX_TESTS_UNIT_DIAL_SUPPORT_H

#include "tls_support.h"

/* A listener whose queue is full: connections to it hang. */
struct hanging {
    int listener;
    int fillers[8];
};

static inline int hang_on(struct hanging *hanging, in_addr_t host, int port)
{
    struct sockaddr_in address = loopback4(port);
    socklen_t len = sizeof address;
    size_t i;

    address.sin_addr.s_addr = htonl(host);
    hanging->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(hanging->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(hanging->listener, 0), 0);
    ck_assert_int_eq(getsockname(hanging->listener, (struct sockaddr *)&address, &len), 0);
    for (i = 0; i < 8; i++) {
        hanging->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(hanging->fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    return ntohs(address.sin_port);
}

static inline void stop_hanging(struct hanging *hanging)
{
    size_t i;

    close(hanging->listener);
    for (i = 0; i < 8; i++)
        close(hanging->fillers[i]);
}

/* Accepts one connection, plays a proxy on it if it is to, and then serves TLS. */
struct origin {
    struct server tls; /* |identity| NULL: no TLS */
    int listener;
    int port;
    const char *proxy_answer; /* NULL: no proxy */
    const char *expected;     /* what the proxy must be asked */
    bool asked_right;
    bool vanish; /* closes instead of serving TLS */
    pthread_t thread;
};

static inline void *origin_thread(void *user)
{
    struct origin *origin = user;
    char request[1024] = "";
    size_t used = 0;

    origin->tls.fd = accept(origin->listener, NULL, NULL);
    if (origin->proxy_answer != NULL) {
        while (strstr(request, "\r\n\r\n") == NULL && get_all(origin->tls.fd, request + used, 1))
            used++;
        origin->asked_right = strcmp(request, origin->expected) == 0;
        put_all(origin->tls.fd, origin->proxy_answer, strlen(origin->proxy_answer));
    }
    if (origin->vanish || origin->tls.identity == NULL)
        close(origin->tls.fd);
    else
        serve_thread(&origin->tls);
    return NULL;
}

static inline void start_origin(struct origin *origin)
{
    origin->listener = listen_on(AF_INET, &origin->port);
    if (origin->tls.identity != NULL)
        make_server_ctx(&origin->tls);
    ck_assert_int_eq(pthread_create(&origin->thread, NULL, origin_thread, origin), 0);
}

static inline void stop_origin(struct origin *origin)
{
    pthread_join(origin->thread, NULL);
    close(origin->listener);
    SSL_CTX_free(origin->tls.ctx);
    origin->tls.ctx = NULL;
}

#endif
