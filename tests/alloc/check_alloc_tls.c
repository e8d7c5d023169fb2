/*
 * Memory that runs out at the n-th allocation, for every n, over connections that are made in several steps: TLS, a
 * proxy asked in absolute form, a tunnel through it, SOCKS, and a redirect from one to the other.  OpenSSL's own
 * allocations are not among those that fail.
 */
#include <requestx/requestx.h>

#include "../unit/support.h"
#include "../unit/tls_support.h"

#include <netinet/tcp.h>
#include <stdatomic.h>

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define MOVED "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: https://localhost:%d/ok\r\n\r\n"

/* A server that speaks TLS or not, as it is spoken to, and is a proxy too: all that it tunnels to is itself. */
static struct {
    int fd;
    int port;
    struct server tls;
    struct identity ca;
    struct identity good;
    char *ca_text;
    pthread_t acceptor;
    atomic_int running;
    atomic_int tunnels;
} gate;

struct line {
    int fd;
    SSL *ssl; /* NULL: in clear */
};

static int line_read(const struct line *line, char *buffer, int cap)
{
    return line->ssl != NULL ? SSL_read(line->ssl, buffer, cap) : (int)recv(line->fd, buffer, (size_t)cap, 0);
}

static void line_write(const struct line *line, const char *text)
{
    if (line->ssl != NULL)
        SSL_write(line->ssl, text, (int)strlen(text));
    else
        put_all(line->fd, text, strlen(text));
}

static bool read_head(const struct line *line, char *head, int size)
{
    int used = 0;

    while (used < size - 1) {
        int got = line_read(line, head + used, size - 1 - used);

        if (got <= 0)
            return false;
        used += got;
        head[used] = '\0';
        if (strstr(head, "\r\n\r\n") != NULL)
            return true;
    }
    return false;
}

static void start_tls(struct line *line)
{
    line->ssl = SSL_new(gate.tls.ctx);
    SSL_set_fd(line->ssl, line->fd);
    SSL_accept(line->ssl); /* what went wrong shows when it is read from */
}

/* RFC 1928, without authentication; whatever is asked for. */
static bool speak_socks(int fd)
{
    uint8_t bytes[300];

    if (!get_all(fd, bytes, 2) || !get_all(fd, bytes + 2, bytes[1]) || !put_all(fd, "\5\0", 2))
        return false;
    if (!get_all(fd, bytes, 5)) /* ends in the first byte of the address: for a name, its length */
        return false;
    if (!get_all(fd, bytes + 5, (bytes[3] == 3 ? bytes[4] : bytes[3] == 1 ? 3 : 15) + 2u))
        return false;
    atomic_fetch_add(&gate.tunnels, 1);
    return put_all(fd, "\5\0\0\1\0\0\0\0\0\0", 10);
}

static void *gate_connection(void *user)
{
    struct line line = {.fd = (int)(intptr_t)user};
    char head[4096];
    char moved[128];
    sigset_t set;
    char first = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    snprintf(moved, sizeof moved, MOVED, gate.port);
    if (recv(line.fd, &first, 1, MSG_PEEK) == 1 && first == 5 && speak_socks(line.fd))
        recv(line.fd, &first, 1, MSG_PEEK);
    if (first == 0x16)
        start_tls(&line);
    while (read_head(&line, head, sizeof head)) {
        if (strncmp(head, "CONNECT ", 8) == 0) {
            atomic_fetch_add(&gate.tunnels, 1);
            line_write(&line, "HTTP/1.1 200 OK\r\n\r\n");
            start_tls(&line);
        } else {
            line_write(&line, strstr(head, "/moved ") != NULL ? moved : HELLO);
        }
    }
    SSL_free(line.ssl);
    ERR_clear_error();
    close(line.fd);
    atomic_fetch_sub(&gate.running, 1);
    return NULL;
}

static void *gate_accept(void *user)
{
    int fd;
    int on = 1;

    while ((fd = accept(gate.fd, NULL, NULL)) >= 0) {
        pthread_t id;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        atomic_fetch_add(&gate.running, 1);
        pthread_create(&id, NULL, gate_connection, (void *)(intptr_t)fd);
        pthread_detach(id);
    }
    return user;
}

static void start(void)
{
    memset(&gate, 0, sizeof gate);
    gate.ca = make_identity("Check Root", NULL, NULL, -DAY, 365 * DAY);
    gate.good = make_identity("check", "DNS:localhost", &gate.ca, -DAY, 30 * DAY);
    gate.ca_text = pem_of(gate.ca.cert);
    gate.tls = (struct server){.identity = &gate.good};
    make_server_ctx(&gate.tls);
    gate.fd = listen_on(AF_INET, &gate.port);
    ck_assert_int_ge(gate.fd, 0);
    ck_assert_int_eq(pthread_create(&gate.acceptor, NULL, gate_accept, NULL), 0);
}

static void stop(void)
{
    rqx__mem_fail_at(0, 0);
    shutdown(gate.fd, SHUT_RDWR);
    pthread_join(gate.acceptor, NULL);
    close(gate.fd);
    while (atomic_load(&gate.running) > 0)
        poll(NULL, 0, 1); /* the clients are closed: they end */
    SSL_CTX_free(gate.tls.ctx);
    free(gate.ca_text);
    free_identity(&gate.ca);
    free_identity(&gate.good);
}

/* ---- scenarios ---- */

static const struct scenario {
    const char *scheme;
    const char *path;
    const char *proxy; /* scheme and credentials, or NULL */
    int tunnels;
} scenarios[] = {
    {"https", "/ok", NULL, 0},
    {"http", "/ok", "http://user:password@", 0},
    {"https", "/ok", "http://user:password@", 1},
    {"https", "/ok", "socks5h://", 1},
    {"http", "/ok", "socks5://", 1},
    {"http", "/moved", NULL, 0},
    {"http", "/moved", "http://", 1},
};

#define SCENARIOS ((int)(sizeof scenarios / sizeof scenarios[0]))

static int make_proxy(const struct scenario *scenario, rqx_proxy **ret_proxy)
{
    rqx_url *url = NULL;
    char text[64];
    int rv;

    snprintf(text, sizeof text, "%s127.0.0.1:%d/", scenario->proxy, gate.port);
    rv = rqx_url_parse(text, strlen(text), NULL, &url);
    if (rv == 0)
        rv = rqx_proxy_new(url, NULL, ret_proxy);
    rqx_url_unref(url);
    return rv;
}

static int make_client(const struct scenario *scenario, rqx_client **ret_client)
{
    rqx_tls_options tls_options;
    rqx_client_options options;
    rqx_engine *engine = NULL;
    int rv = rqx_engine_new(NULL, &engine);

    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.max_redirects = 5;
    rqx_tls_options_init(&tls_options);
    tls_options.system_trust = 0;
    tls_options.ca_pem = gate.ca_text;
    tls_options.ca_pem_len = strlen(gate.ca_text);
    if (rv == 0)
        rv = rqx_tls_new(&tls_options, &options.tls);
    if (rv == 0 && scenario->proxy != NULL)
        rv = make_proxy(scenario, &options.proxy);
    if (rv == 0)
        rv = rqx_client_new(engine, &options, ret_client);
    rqx_proxy_unref(options.proxy);
    rqx_tls_unref(options.tls);
    rqx_engine_unref(engine);
    return rv;
}

/* Twice, so that the connection is used again. */
/* What was agreed on is known of each response over TLS, and only of those. */
static void check_info(const rqx_response *response)
{
    bool secure = rqx_url_scheme(rqx_response_url(response)).len == 5;
    rqx_tls_info info = {.version = NULL};
    int rv = rqx_response_tls(response, &info);

    ck_assert_int_eq(rv == 0, secure);
    if (!secure)
        return;
    ck_assert_ptr_nonnull(info.version);
    ck_assert_ptr_nonnull(info.cipher);
    ck_assert_int_ge(info.cipher_bits, 128);
}

static int run(const struct scenario *scenario)
{
    rqx_client *client = NULL;
    char url[64];
    int rv = make_client(scenario, &client);
    int i;

    snprintf(url, sizeof url, "%s://localhost:%d%s", scenario->scheme, gate.port, scenario->path);
    for (i = 0; i < 2 && rv == 0; i++) {
        rqx_request *request = NULL;
        rqx_response *response = NULL;

        rv = rqx_request_new_text("GET", url, &request);
        if (rv == 0)
            rv = rqx_client_perform(client, request, &response);
        if (rv == 0 && rqx_response_status(response) != 200)
            rv = RQX_ERR_INTERNAL;
        if (rv == 0)
            check_info(response);
        rqx_response_unref(response);
        rqx_request_unref(request);
    }
    rqx_client_unref(client);
    return rv;
}

static void fail_each(const struct scenario *scenario, int sticky)
{
    unsigned long n;
    int rv;

    for (n = 1;; n += rqx_test_step()) {
        unsigned long count;

        rqx__mem_fail_at(n, sticky);
        rv = run(scenario);
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        if (count < n)
            break;
        ck_assert_msg(rv == 0 || rv == RQX_ERR_NOMEM || rv == RQX_ERR_TRUNCATED, "%s %s: allocation %lu: %s",
                      scenario->scheme, scenario->path, n, rqx_error_name(rv));
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 20);
    atomic_store(&gate.tunnels, 0);
    ck_assert_int_eq(run(scenario), 0);
    ck_assert_int_eq(atomic_load(&gate.tunnels), scenario->tunnels);
}

START_TEST(each_allocation_fails_once)
{
    fail_each(&scenarios[_i], 0);
}
END_TEST

START_TEST(all_allocations_fail_from_some_point_on)
{
    fail_each(&scenarios[_i], 1);
}
END_TEST

static Suite *alloc_tls_suite(void)
{
    Suite *suite = suite_create("alloc: TLS and proxies");
    TCase *tcase = rqx_add_case(suite, "over each way");

    tcase_add_checked_fixture(tcase, start, stop);
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, each_allocation_fails_once, 0, SCENARIOS);
    tcase_add_loop_test(tcase, all_allocations_fail_from_some_point_on, 0, SCENARIOS);
    return suite;
}

RQX_CHECK_MAIN(alloc_tls_suite)
