/*
 * dial.c - the steps from an origin to a wire: each begins when the one before is over, and any may end it all.
 */
#include "net/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <requestx/tls.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "net/address.h"
#include "net/dial_race.h"
#include "net/dial_targets.h"
#include "proto/socks.h"

/* "[host]:port" of the longest host. */
#define AUTHORITY_MAX (RQX__ERR_TEXT_MAX)
/* "[address]:port" */
#define TARGET_TEXT_MAX (INET6_ADDRSTRLEN + 8)

struct rqx__dial {
    struct rqx__loop *loop;
    rqx__dial_cb done_cb;
    void *user;

    /* immutable */
    rqx_tls *tls;      /* NULL: cleartext */
    char *host;        /* of the origin */
    char *server_name; /* for TLS */
    char *proxy_host;  /* NULL: none */
    char *tunnel_fields;
    char *proxy_user; /* NULL: no credentials; secret, as is what follows */
    char *proxy_password;
    size_t proxy_user_len;
    size_t proxy_password_len;
    int port;
    int proxy_port;
    rqx_tls *proxy_tls; /* NULL: it is talked to in clear */
    enum rqx__dial_route route;
    unsigned protocols;
    bool has_local;
    struct sockaddr_storage local;
    struct sockaddr_un unix_address;         /* with a path: connect there */
    struct rqx__resolver *resolver;          /* borrowed */
    const rqx_socket_option *socket_options; /* borrowed */
    size_t socket_option_count;
    const rqx_address_policy *policy; /* borrowed, or NULL */

    enum rqx__dial_phase phase;
    struct rqx__dial_times times;
    bool origin_denied; /* by the policy, though it is the proxy that would connect to it */
    bool calling;       /* within rqx__dial_new: the end must wait */
    struct rqx__defer defer;
    struct rqx__lookup lookup;
    struct rqx__race race;
    struct rqx__watch watch; /* on the wire's socket, while a handshake waits */
    struct rqx__wire *wire;  /* as far as it is built */
    struct rqx__err err;     /* why it failed; and of the lookup, until it is over */

    /* SOCKS5 */
    struct rqx__targets targets;
    struct sockaddr_storage target;   /* the one that the proxy is asked for */
    struct rqx__wire *socks;          /* the layer of |wire| that asks, or NULL */
    char refusals[RQX__ERR_TEXT_MAX]; /* what the proxy said of those before */
    char denied[RQX__ERR_TEXT_MAX];   /* those that the policy did not allow */
};

/* ---- words ---- */

/* "host:port", with brackets around an IPv6 address. */
static void put_authority(char *text, size_t size, const char *host, int port)
{
    bool brackets = strchr(host, ':') != NULL;

    snprintf(text, size, "%s%s%s:%d", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

static bool uses_unix(const struct rqx__dial *dial)
{
    return dial->unix_address.sun_path[0] != '\0';
}

void rqx__dial_describe(const struct rqx__dial *dial, char *text, size_t size)
{
    static const char *const texts[] = {
        [RQX__DIAL_RESOLVE] = "resolving the name",
        [RQX__DIAL_RESOLVE_ORIGIN] = "resolving the name",
        [RQX__DIAL_CONNECT] = "connecting",
        [RQX__DIAL_TLS] = "waiting for the TLS handshake",
        [RQX__DIAL_READY] = "connected",
    };
    static const char *const proxy_texts[] = {
        [RQX__DIAL_RESOLVE] = "resolving the name of the proxy",
        [RQX__DIAL_CONNECT] = "connecting to the proxy",
        [RQX__DIAL_PROXY_TLS] = "waiting for the TLS handshake with the proxy",
        [RQX__DIAL_PROXY] = "waiting for the proxy",
        [RQX__DIAL_TLS] = "waiting for the TLS handshake through the proxy",
        [RQX__DIAL_READY] = "connected through the proxy",
    };
    char proxy[AUTHORITY_MAX];

    if (dial->proxy_host == NULL || dial->phase == RQX__DIAL_RESOLVE_ORIGIN) {
        snprintf(text, size, "%s", texts[dial->phase]);
        return;
    }
    put_authority(proxy, sizeof proxy, dial->proxy_host, dial->proxy_port);
    snprintf(text, size, "%s %s", proxy_texts[dial->phase], proxy);
}

/* Puts host and phase before the cause. */
static void name_failure(struct rqx__dial *dial, struct rqx__err *err)
{
    char origin[AUTHORITY_MAX];
    char proxy[AUTHORITY_MAX];

    put_authority(origin, sizeof origin, dial->host, dial->port);
    if (dial->proxy_host != NULL)
        put_authority(proxy, sizeof proxy, dial->proxy_host, dial->proxy_port);
    if (dial->origin_denied) {
        rqx__err_prefix(err, "connect to %s through proxy %s", origin, proxy);
        return;
    }
    switch (dial->phase) {
    case RQX__DIAL_RESOLVE:
        if (dial->proxy_host != NULL)
            rqx__err_prefix(err, "resolve proxy %s for %s", dial->proxy_host, origin);
        else
            rqx__err_prefix(err, "resolve %s", dial->host);
        break;
    case RQX__DIAL_RESOLVE_ORIGIN:
        rqx__err_prefix(err, "resolve %s", dial->host);
        break;
    case RQX__DIAL_CONNECT:
        if (uses_unix(dial))
            rqx__err_prefix(err, "connect to %s at unix:%s", origin, dial->unix_address.sun_path);
        else if (dial->proxy_host != NULL)
            rqx__err_prefix(err, "connect to proxy %s for %s", proxy, origin);
        else
            rqx__err_prefix(err, "connect to %s", origin);
        break;
    case RQX__DIAL_PROXY_TLS:
        rqx__err_prefix(err, "TLS handshake with proxy %s for %s", proxy, origin);
        break;
    case RQX__DIAL_PROXY:
        rqx__err_prefix(err, "proxy tunnel to %s through %s", origin, proxy);
        break;
    default:
        rqx__err_prefix(err, "TLS handshake with %s", origin);
        break;
    }
}

/* A failure of the connection while it is being made is one of that step, and to reach a proxy one of the proxy. */
static int code_of(const struct rqx__dial *dial, int code)
{
    rqx_phase band = rqx_error_phase(code);

    switch (dial->phase) {
    case RQX__DIAL_RESOLVE:
    case RQX__DIAL_CONNECT:
        return code != RQX_ERR_ADDRESS_DENIED && dial->proxy_host != NULL &&
                       (band == RQX_PHASE_RESOLVE || band == RQX_PHASE_CONNECT)
                   ? RQX_ERR_PROXY_CONNECT
                   : code;
    case RQX__DIAL_RESOLVE_ORIGIN:
        return code;
    case RQX__DIAL_PROXY_TLS:
        /* but files of our own that cannot be used are not its fault */
        return code != RQX_ERR_TLS_CONFIG &&
                       (band == RQX_PHASE_TLS || band == RQX_PHASE_PROTOCOL || band == RQX_PHASE_CONNECT)
                   ? RQX_ERR_PROXY_CONNECT
                   : code;
    case RQX__DIAL_PROXY:
        return band == RQX_PHASE_PROTOCOL || band == RQX_PHASE_CONNECT ? RQX_ERR_PROXY_CONNECT : code;
    default:
        return band == RQX_PHASE_PROTOCOL ? RQX_ERR_TLS_HANDSHAKE : code;
    }
}

/* ---- the end ---- */

/* Lets go of everything but the dial itself. */
static void drop(struct rqx__dial *dial)
{
    rqx__defer_cancel(&dial->defer);
    rqx__targets_done(&dial->targets);
    rqx__lookup_cancel(&dial->lookup);
    rqx__race_done(&dial->race);
    rqx__loop_unwatch(dial->loop, &dial->watch);
    rqx__wire_free(dial->wire);
    dial->wire = dial->socks = NULL;
}

static void tell_failure(struct rqx__defer *defer, void *user)
{
    struct rqx__dial *dial = user;

    (void)defer;
    dial->done_cb(dial, NULL, RQX__ALPN_NONE, &dial->err, dial->user);
}

/* |err| may be |dial->err|.  The dial may be gone afterwards. */
static void fail(struct rqx__dial *dial, const struct rqx__err *err)
{
    struct rqx__err copy = *err;

    drop(dial);
    copy.code = code_of(dial, copy.code);
    name_failure(dial, &copy);
    dial->err = copy;
    if (dial->calling)
        rqx__loop_defer(dial->loop, &dial->defer);
    else
        tell_failure(&dial->defer, dial);
}

static void succeed(struct rqx__dial *dial)
{
    struct rqx__wire *wire = dial->wire;
    enum rqx__alpn alpn = dial->tls != NULL ? rqx__tls_wire_alpn(wire) : RQX__ALPN_NONE;

    dial->wire = NULL;
    rqx__loop_unwatch(dial->loop, &dial->watch);
    rqx__targets_done(&dial->targets); /* a slower family of a SOCKS5 proxy's target */
    dial->phase = RQX__DIAL_READY;
    dial->done_cb(dial, wire, alpn, NULL, dial->user);
}

/* ---- layers on the socket ---- */

static int add_tunnel(struct rqx__dial *dial, bool h2, struct rqx__err *err)
{
    char authority[AUTHORITY_MAX];
    rqx_slice fields;
    int rc;

    put_authority(authority, sizeof authority, dial->host, dial->port);
    fields = (rqx_slice){dial->tunnel_fields, strlen(dial->tunnel_fields)};
    if (h2)
        rc = rqx__h2_tunnel_wire_new(dial->wire, (rqx_slice){authority, strlen(authority)}, fields, &dial->wire);
    else
        rc = rqx__tunnel_wire_new(dial->wire, (rqx_slice){authority, strlen(authority)}, fields, &dial->wire);
    return rc < 0 ? rqx__err_set(err, rc, NULL) : 0;
}

/* What the proxy is asked for: an address, or the name where that is the proxy's to look up. */
static void socks_target(const struct rqx__dial *dial, struct rqx__socks_target *ret_target)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&dial->target;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&dial->target;
    struct rqx__socks_target target = {.port = dial->port, .name = {dial->host, strlen(dial->host)}};

    if (dial->route == RQX__ROUTE_SOCKS5) {
        target.family = dial->target.ss_family;
        if (target.family == AF_INET)
            memcpy(target.bytes, &in->sin_addr, sizeof in->sin_addr);
        else
            memcpy(target.bytes, &in6->sin6_addr, sizeof in6->sin6_addr);
    } else if (inet_pton(AF_INET, dial->host, target.bytes) == 1) {
        target.family = AF_INET;
    } else if (inet_pton(AF_INET6, dial->host, target.bytes) == 1) {
        target.family = AF_INET6;
    }
    *ret_target = target;
}

static int add_socks(struct rqx__dial *dial, struct rqx__err *err)
{
    rqx_slice user = {dial->proxy_user, dial->proxy_user_len};
    rqx_slice password = {dial->proxy_password, dial->proxy_password_len};
    struct rqx__socks_target target;
    int rc;

    socks_target(dial, &target);
    rc = rqx__socks_wire_new(dial->wire, &target, user, password, &dial->wire);
    if (rc < 0)
        return rqx__err_set(err, rc, NULL);
    dial->socks = dial->wire;
    return 0;
}

static int add_tls(struct rqx__dial *dial, struct rqx__err *err)
{
    return rqx__tls_wire_new(dial->tls, dial->wire, (rqx_slice){dial->server_name, strlen(dial->server_name)},
                             dial->port, dial->protocols, &dial->wire, err);
}

/* The proxy's name is asked for and checked, by the proxy's own settings. */
static int add_proxy_tls(struct rqx__dial *dial, struct rqx__err *err)
{
    unsigned protocols = RQX_PROTO_HTTP1;

    /* absolute form is asked for in HTTP/1.1; a tunnel may be a stream of HTTP/2 */
    if (dial->route == RQX__ROUTE_CONNECT)
        protocols |= dial->protocols & RQX_PROTO_HTTP2;
    return rqx__tls_wire_new(dial->proxy_tls, dial->wire, (rqx_slice){dial->proxy_host, strlen(dial->proxy_host)},
                             dial->proxy_port, protocols, &dial->wire, err);
}

/* Has the proxy asked to go on to the origin, in the protocol that it chose. */
static int ask_proxy(struct rqx__dial *dial, struct rqx__err *err)
{
    enum rqx__alpn alpn = dial->phase == RQX__DIAL_PROXY_TLS ? rqx__tls_wire_alpn(dial->wire) : RQX__ALPN_NONE;

    if (alpn == RQX__ALPN_OTHER)
        return rqx__err_set(err, RQX_ERR_PROXY_PROTOCOL, "the proxy chose a protocol that was not offered (ALPN)");
    dial->phase = RQX__DIAL_PROXY;
    return dial->route == RQX__ROUTE_CONNECT ? add_tunnel(dial, alpn == RQX__ALPN_HTTP2, err) : add_socks(dial, err);
}

/* Begins the step after the one that is over: puts its layer on the wire.  0, or negative. */
static int next_step(struct rqx__dial *dial, struct rqx__err *err)
{
    uint64_t now = rqx__loop_touch(dial->loop);

    if (dial->phase == RQX__DIAL_CONNECT && dial->proxy_tls != NULL) {
        dial->phase = RQX__DIAL_PROXY_TLS;
        return add_proxy_tls(dial, err);
    }
    if (dial->route != RQX__ROUTE_DIRECT && (dial->phase == RQX__DIAL_CONNECT || dial->phase == RQX__DIAL_PROXY_TLS))
        return ask_proxy(dial, err);
    if (dial->phase != RQX__DIAL_TLS) {
        dial->times.connected = now;
        if (dial->tls != NULL) {
            dial->phase = RQX__DIAL_TLS;
            return add_tls(dial, err);
        }
    } else {
        dial->times.secured = now;
    }
    dial->phase = RQX__DIAL_READY;
    return 0;
}

static void socket_ready(struct rqx__watch *watch, unsigned events, void *user);
static bool asks_again(struct rqx__dial *dial, const struct rqx__err *err);

static int await_socket(struct rqx__dial *dial, struct rqx__err *err)
{
    unsigned wants = rqx__wire_wants(dial->wire);
    int rc;

    if (dial->watch.fd < 0)
        rc = rqx__loop_watch(dial->loop, &dial->watch, dial->wire->fd, wants, socket_ready, dial);
    else
        rc = rqx__loop_set_interest(dial->loop, &dial->watch, wants);
    return rc < 0 ? rqx__err_set(err, rc, NULL) : 0;
}

/* Goes on until a handshake waits, all is done, or something failed. */
static void advance(struct rqx__dial *dial)
{
    struct rqx__err err;
    int rc;

    for (;;) {
        rc = rqx__wire_handshake(dial->wire, &err);
        if (rc == 0)
            rc = next_step(dial, &err);
        if (rc == 0 && dial->phase == RQX__DIAL_READY) {
            succeed(dial);
            return;
        }
        if (rc == RQX_AGAIN) {
            rc = await_socket(dial, &err);
            if (rc == 0)
                return;
        }
        if (rc < 0) {
            if (!asks_again(dial, &err))
                fail(dial, &err);
            return;
        }
    }
}

static void socket_ready(struct rqx__watch *watch, unsigned events, void *user)
{
    (void)watch;
    (void)events;
    advance(user);
}

static void race_over(struct rqx__race *race, struct rqx__wire *wire, const struct rqx__err *err, void *user)
{
    struct rqx__dial *dial = user;
    struct rqx__err copy;

    (void)race;
    rqx__lookup_cancel(&dial->lookup); /* of the slower family */
    if (err != NULL) {
        copy = *err;
        fail(dial, &copy);
        return;
    }
    dial->wire = wire;
    advance(dial);
}

/* ---- addresses ---- */

static void addresses_came(struct rqx__lookup *lookup, int family, const struct rqx__addresses *addresses,
                           const struct rqx__err *err, bool last, void *user)
{
    struct rqx__dial *dial = user;

    (void)lookup;
    if (addresses == NULL) {
        rqx__lookup_err_keep(&dial->err, err);
        if (last && dial->phase == RQX__DIAL_RESOLVE) {
            fail(dial, &dial->err);
            return;
        }
    } else if (dial->phase == RQX__DIAL_RESOLVE) {
        dial->phase = RQX__DIAL_CONNECT;
        dial->times.resolved = rqx__loop_touch(dial->loop);
    }
    if (addresses != NULL)
        rqx__race_add(&dial->race, family, addresses->list, addresses->count);
    else
        rqx__race_add(&dial->race, family, NULL, 0);
}

static void race_to_path(struct rqx__dial *dial)
{
    struct sockaddr_storage address;

    memset(&address, 0, sizeof address);
    memcpy(&address, &dial->unix_address, sizeof dial->unix_address);
    dial->phase = RQX__DIAL_CONNECT;
    rqx__race_add(&dial->race, AF_UNIX, &address, 1);
}

static void init_race(struct rqx__dial *dial)
{
    const struct sockaddr *local = dial->has_local ? (const struct sockaddr *)&dial->local : NULL;
    socklen_t local_len = dial->local.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    rqx__race_init(&dial->race, dial->loop, uses_unix(dial) ? NULL : local, local_len, race_over, dial);
    dial->race.policy = dial->policy;
    if (!uses_unix(dial)) {
        dial->race.options = dial->socket_options;
        dial->race.option_count = dial->socket_option_count;
    }
}

/* Looks up the first host on the way, and connects to it. */
static int begin_connecting(struct rqx__dial *dial)
{
    const char *host = dial->proxy_host != NULL ? dial->proxy_host : dial->host;
    int port = dial->proxy_host != NULL ? dial->proxy_port : dial->port;
    struct rqx__err err;
    int rc;

    dial->phase = RQX__DIAL_RESOLVE;
    if (uses_unix(dial)) {
        race_to_path(dial);
        return 0;
    }
    rqx__err_clear(&dial->err);
    dial->lookup.answer_cb = addresses_came;
    dial->lookup.user = dial;
    rc = rqx__resolver_lookup(dial->resolver, host, strlen(host), port, &dial->lookup);
    if (rc != RQX_ERR_RESOLVE)
        return rc;
    rqx__err_set(&err, rc, NULL); /* a name that cannot be asked for is told like one that is not there */
    fail(dial, &err);
    return 0;
}

/* ---- SOCKS5: the origin's addresses ---- */

static void append(char text[RQX__ERR_TEXT_MAX], const char *between, const char *what, const char *more)
{
    size_t used = strlen(text);

    snprintf(text + used, RQX__ERR_TEXT_MAX - used, "%s%s%s", used > 0 ? between : "", what, more);
}

static void target_text(const struct rqx__dial *dial, char *text, size_t size)
{
    socklen_t len = dial->target.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    rqx__sockaddr_text((const struct sockaddr *)&dial->target, len, text, size);
}

/* What is not allowed to be connected to from here is not to be connected to from the proxy. */
static bool is_denied(struct rqx__dial *dial)
{
    char address[TARGET_TEXT_MAX];

    if (rqx__address_policy_allows(dial->policy, (const struct sockaddr *)&dial->target))
        return false;
    target_text(dial, address, sizeof address);
    append(dial->denied, ", ", address, "");
    return true;
}

/* No address is left: what became of those that the proxy was asked for matters most, then that some were denied. */
static void targets_failed(struct rqx__dial *dial, struct rqx__err *err)
{
    dial->phase = RQX__DIAL_RESOLVE_ORIGIN;
    if (dial->refusals[0] != '\0') {
        dial->phase = RQX__DIAL_PROXY;
        rqx__err_set(err, RQX_ERR_PROXY_REFUSED, "%s", dial->refusals);
    } else if (dial->denied[0] != '\0') {
        dial->origin_denied = true;
        rqx__err_set(err, RQX_ERR_ADDRESS_DENIED, "%s (%s)", rqx_error_text(RQX_ERR_ADDRESS_DENIED), dial->denied);
    }
    fail(dial, err);
}

/* Has the proxy asked for the origin's next address. */
static int ask_for_next(struct rqx__dial *dial)
{
    struct rqx__err err;
    int rc;

    do
        rc = rqx__targets_next(&dial->targets, &dial->target, &err);
    while (rc == 0 && is_denied(dial));
    if (rc == RQX_AGAIN) {
        dial->phase = RQX__DIAL_RESOLVE_ORIGIN;
        return 0;
    }
    if (rc == 0)
        return begin_connecting(dial);
    targets_failed(dial, &err);
    return 0;
}

static void ask_or_fail(struct rqx__dial *dial)
{
    struct rqx__err err;
    int rc = ask_for_next(dial);

    if (rc == 0)
        return;
    rqx__err_set(&err, rc, NULL);
    fail(dial, &err);
}

static void targets_came(struct rqx__targets *targets, void *user)
{
    (void)targets;
    ask_or_fail(user);
}

static void note_refusal(struct rqx__dial *dial, const struct rqx__err *err)
{
    char address[TARGET_TEXT_MAX];

    target_text(dial, address, sizeof address);
    append(dial->refusals, "; ", err->text, " for ");
    append(dial->refusals, "", address, "");
}

/* The proxy could not reach this address of the origin: it may reach another.  A refusal ends the connection to it. */
static bool asks_again(struct rqx__dial *dial, const struct rqx__err *err)
{
    if (dial->route != RQX__ROUTE_SOCKS5 || dial->phase != RQX__DIAL_PROXY || dial->socks == NULL ||
        !rqx__socks_may_try_another(rqx__socks_wire_code(dial->socks)))
        return false;
    note_refusal(dial, err);
    rqx__loop_unwatch(dial->loop, &dial->watch);
    rqx__wire_free(dial->wire);
    dial->wire = dial->socks = NULL;
    init_race(dial);
    ask_or_fail(dial);
    return true;
}

static int begin(struct rqx__dial *dial)
{
    struct rqx__err err;
    int rc;

    if (dial->proxy_host != NULL && !rqx__address_policy_allows_host(dial->policy, dial->host, strlen(dial->host))) {
        dial->origin_denied = true;
        rqx__err_set(&err, RQX_ERR_ADDRESS_DENIED, NULL);
        fail(dial, &err);
        return 0;
    }
    if (dial->route != RQX__ROUTE_SOCKS5)
        return begin_connecting(dial);
    dial->phase = RQX__DIAL_RESOLVE_ORIGIN;
    rc = rqx__targets_start(&dial->targets, dial->resolver, dial->host, dial->port);
    if (rc == 0)
        return ask_for_next(dial);
    if (rc != RQX_ERR_RESOLVE)
        return rc;
    rqx__err_set(&err, rc, NULL);
    fail(dial, &err);
    return 0;
}

/* ---- life ---- */

static int copy_slice(rqx_slice text, char **ret_copy)
{
    *ret_copy = rqx__strndup(text.data, text.len);
    return *ret_copy != NULL ? 0 : RQX_ERR_NOMEM;
}

static int set_local(struct rqx__dial *dial, rqx_slice text)
{
    dial->has_local = text.len != 0;
    return dial->has_local ? rqx__sockaddr_read(text, &dial->local) : 0;
}

static int set_unix(struct rqx__dial *dial, rqx_slice path)
{
    if (path.len == 0)
        return 0;
    if (path.len >= sizeof dial->unix_address.sun_path || memchr(path.data, '\0', path.len) != NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    dial->unix_address.sun_family = AF_UNIX;
    memcpy(dial->unix_address.sun_path, path.data, path.len);
    return 0;
}

static int copy_credentials(struct rqx__dial *dial, const struct rqx__dial_target *target)
{
    int rc;

    if (dial->route == RQX__ROUTE_SOCKS5H && target->host.len > RQX__SOCKS_TEXT_MAX)
        return RQX_ERR_INVALID_URL;
    if (target->proxy_user.data == NULL)
        return 0;
    dial->proxy_user_len = target->proxy_user.len;
    dial->proxy_password_len = target->proxy_password.len;
    rc = copy_slice(target->proxy_user, &dial->proxy_user);
    return rc == 0 ? copy_slice(target->proxy_password, &dial->proxy_password) : rc;
}

static int copy_target(struct rqx__dial *dial, const struct rqx__dial_target *target)
{
    int rc = set_local(dial, target->local_address);

    dial->port = target->port;
    dial->protocols = target->protocols;
    dial->socket_options = target->socket_options;
    dial->socket_option_count = target->socket_option_count;
    dial->policy = target->address_policy;
    if (rc == 0)
        rc = set_unix(dial, target->unix_path);
    if (rc == 0)
        rc = copy_slice(target->host, &dial->host);
    if (rc == 0)
        rc = copy_slice(target->server_name.len > 0 ? target->server_name : target->host, &dial->server_name);
    if (rc == 0 && target->proxy_host.len > 0) {
        dial->proxy_port = target->proxy_port;
        dial->route = target->route;
        if (target->proxy_tls != NULL)
            dial->proxy_tls = rqx_tls_ref(target->proxy_tls);
        rc = copy_slice(target->proxy_host, &dial->proxy_host);
        if (rc == 0)
            rc = copy_credentials(dial, target);
    }
    if (rc == 0)
        rc = copy_slice(target->tunnel_fields, &dial->tunnel_fields);
    if (rc == 0 && target->tls != NULL)
        dial->tls = rqx_tls_ref(target->tls);
    return rc;
}

int rqx__dial_new(struct rqx__loop *loop, struct rqx__resolver *resolver, const struct rqx__dial_target *target,
                  rqx__dial_cb done_cb, void *user, struct rqx__dial **ret_dial)
{
    struct rqx__dial *dial = rqx__calloc(1, sizeof *dial);
    int rc;

    if (dial == NULL)
        return RQX_ERR_NOMEM;
    dial->loop = loop;
    dial->resolver = resolver;
    dial->done_cb = done_cb;
    dial->user = user;
    dial->times.start = rqx__loop_touch(loop);
    rqx__watch_init(&dial->watch);
    rqx__defer_init(&dial->defer, tell_failure, dial);
    rqx__list_init(&dial->lookup.node);
    rc = copy_target(dial, target);
    init_race(dial);
    rqx__targets_init(&dial->targets, loop, targets_came, dial);
    if (rc == 0) {
        dial->calling = true;
        rc = begin(dial);
        dial->calling = false;
    }
    if (rc < 0) {
        rqx__dial_free(dial);
        return rc;
    }
    *ret_dial = dial;
    return 0;
}

void rqx__dial_free(struct rqx__dial *dial)
{
    if (dial == NULL)
        return;
    drop(dial);
    if (dial->tunnel_fields != NULL) /* they may hold credentials */
        rqx__free_secret(dial->tunnel_fields, strlen(dial->tunnel_fields));
    rqx__free_secret(dial->proxy_user, dial->proxy_user_len);
    rqx__free_secret(dial->proxy_password, dial->proxy_password_len);
    rqx_tls_unref(dial->tls);
    rqx_tls_unref(dial->proxy_tls);
    rqx__free(dial->host);
    rqx__free(dial->server_name);
    rqx__free(dial->proxy_host);
    rqx__free(dial);
}

/* With the loop detached nothing here reaches the parent: wires say nothing when they are freed. */
void rqx__dial_abandon(struct rqx__dial *dial)
{
    rqx__dial_free(dial);
}

enum rqx__dial_phase rqx__dial_phase(const struct rqx__dial *dial)
{
    return dial->phase;
}

const struct rqx__dial_times *rqx__dial_times(const struct rqx__dial *dial)
{
    return &dial->times;
}
