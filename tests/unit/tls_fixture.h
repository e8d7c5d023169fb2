/*
 * tls_fixture.h - what the tests of TLS begin with: a root, a server's certificate under it, and a folder for files.
 */
#ifndef RQX_TESTS_UNIT_TLS_FIXTURE_H
#define RQX_TESTS_UNIT_TLS_FIXTURE_H

#include <requestx/client.h>
#include <requestx/tls.h>

#include "net/tls_internal.h"
#include "tls_support.h"

#define BOTH (RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2)
#define HOST "api.example.com"

static struct identity ca;
static struct identity good; /* HOST, *.wild.example, 127.0.0.1, ::1; signed by |ca| */
static char *ca_text;
static char folder[64];

static inline void set_up(void)
{
    strcpy(folder, "/tmp/check_tls.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ca = make_identity("Check Root", NULL, NULL, -DAY, 365 * DAY);
    good = make_identity("check", "DNS:" HOST ",DNS:*.wild.example,IP:127.0.0.1,IP:::1", &ca, -DAY, 30 * DAY);
    ca_text = pem_of(ca.cert);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    unsetenv("SSLKEYLOGFILE");
}

static inline void tear_down(void)
{
    char command[128];

    free_identity(&ca);
    free_identity(&good);
    free(ca_text);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static inline const char *in_folder(const char *name)
{
    static char paths[8][128];
    static int next;
    char *path = paths[next++ & 7];

    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* Settings that trust |ca| alone. */
static inline rqx_tls_options trusting(void)
{
    rqx_tls_options options;

    rqx_tls_options_init(&options);
    options.system_trust = 0;
    options.ca_pem = ca_text;
    options.ca_pem_len = strlen(ca_text);
    return options;
}

static inline rqx_tls *make_tls(const rqx_tls_options *options)
{
    rqx_tls *tls = NULL;

    ck_assert_int_eq(rqx_tls_new(options, &tls), 0);
    return tls;
}

static inline rqx_tls *make_trusting(void)
{
    rqx_tls_options options = trusting();

    return make_tls(&options);
}

static inline struct rqx__wire *tls_on(rqx_tls *tls, int fd, const char *name, int port, unsigned protocols)
{
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *wire = NULL;
    struct rqx__err err;

    ck_assert_int_eq(rqx__tcp_wire_new(fd, &tcp), 0);
    ck_assert_int_eq(rqx__tls_wire_new(tls, tcp, SLICE(name), port, protocols, &wire, &err), 0);
    ck_assert_str_eq(wire->ops->name, "tls");
    ck_assert_ptr_eq(wire->lower, tcp);
    return wire;
}

/* The outcome of a handshake with |server|; the wire is freed. */
static inline int outcome_with(rqx_tls *tls, struct server *server, const char *name, unsigned protocols,
                               struct rqx__err *err)
{
    struct rqx__wire *wire = tls_on(tls, start_server(server), name, 443, protocols);
    int rc = drive_handshake(wire, err);

    if (rc == 0)
        rqx__wire_shutdown(wire);
    rqx__wire_free(wire);
    join_server(server);
    return rc;
}

static inline int outcome(rqx_tls *tls, struct server *server, struct rqx__err *err)
{
    int rc = outcome_with(tls, server, HOST, BOTH, err);

    ck_assert_uint_eq(ERR_peek_error(), 0);
    return rc;
}

static inline void free_server(struct server *server)
{
    SSL_CTX_free(server->ctx);
    server->ctx = NULL;
}

static inline void fill(uint8_t *data, size_t len, unsigned seed)
{
    size_t i;

    for (i = 0; i < len; i++) {
        seed = seed * 1103515245u + 12345u;
        data[i] = (uint8_t)(seed >> 16);
    }
}

static inline void talk_echo(struct server *server, SSL *ssl)
{
    static uint8_t data[1 << 22];
    size_t done = 0;

    while (done < server->amount) {
        int got = SSL_read(ssl, data + done, (int)(server->amount - done));

        if (got <= 0)
            return;
        done += (size_t)got;
    }
    SSL_write(ssl, data, (int)server->amount);
}

static inline void talk_say(struct server *server, SSL *ssl)
{
    (void)server;
    SSL_write(ssl, "hello", 5);
}

/* Whether the session of |wire| was resumed. */
static inline bool was_resumed(const struct rqx__wire *wire)
{
    struct rqx__tls_facts facts;
    bool resumed;

    ck_assert_int_eq(rqx__tls_wire_facts(wire, &facts), 0);
    resumed = facts.resumed;
    rqx__tls_facts_done(&facts);
    return resumed;
}

/* Connects, waits for the greeting (tickets come before it) and closes; gives whether the session was resumed. */
static inline bool visit_port(rqx_tls *tls, struct server *server, const char *name, int port, bool goodbye)
{
    struct rqx__wire *wire = tls_on(tls, start_server(server), name, port, BOTH);
    struct rqx__err err;
    char buffer[8];
    bool resumed;

    ck_assert_int_eq(drive_handshake(wire, &err), 0);
    ck_assert_int_eq(drive_read_all(wire, buffer, 5, &err), 0);
    resumed = was_resumed(wire);
    if (goodbye)
        rqx__wire_shutdown(wire);
    rqx__wire_free(wire);
    join_server(server);
    ck_assert_int_eq(server->resumed, resumed);
    return resumed;
}

#endif
