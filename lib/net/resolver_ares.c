/*
 * resolver_ares.c - questions to DNS by c-ares, whose sockets and timeouts live in the loop.
 *
 * The only file that includes c-ares.  It is asked for one name and one type at a time: its own search would find the
 * two families of one name in different places.  c-ares calls back from inside its own functions, at times while it is
 * still being asked, so answers are only noted there; they are told once it has returned.
 */
#include "net/resolver_internal.h"

#define CARES_NO_DEPRECATED /* ares_query and its parsers are what the oldest supported version has */
#include <ares.h>
#include <arpa/nameser.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

/* One server is tried so often, each time for longer. */
#define TRIES 3
/* Largest answer taken by UDP: what passes everywhere unfragmented. */
#define UDP_MAX 1232

struct rqx__ares {
    struct rqx__loop *loop;
    ares_channel channel;
    char **domains; /* the search list; c-ares's copy */
    int domain_count;
    int ndots;
    void (*finished_cb)(struct rqx__ares_request *request, void *user);
    void *user;
    struct rqx__timer timer;
    struct rqx__list sockets;  /* struct ares_watch */
    struct rqx__list asked;    /* requests that c-ares has */
    struct rqx__list finished; /* requests whose answer was noted */
    struct rqx__list node;     /* among the retired */
    unsigned depth;            /* calls of ours that are on the stack */
    int failure;               /* RQX_ERR_* of the loop: everything under way is given up */
    bool retired;
    bool closing; /* being freed: nothing is told any more */
};

struct ares_watch {
    struct rqx__list node;
    struct rqx__watch watch;
};

/* ---- sockets and time ---- */

static void settle(struct rqx__ares *ares);

static void begin(struct rqx__ares *ares)
{
    ares->depth++;
}

static void process(struct rqx__ares *ares, int readable, int writable)
{
    begin(ares);
    ares_process_fd(ares->channel, readable, writable);
    settle(ares);
}

static void socket_ready(struct rqx__watch *watch, unsigned events, void *user)
{
    int fd = watch->fd;
    bool readable = (events & (RQX__IO_READ | RQX__IO_ERROR)) != 0;
    bool writable = (events & RQX__IO_WRITE) != 0;

    process(user, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
}

static void timer_due(struct rqx__timer *timer, void *user)
{
    (void)timer;
    process(user, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static struct ares_watch *find_watch(struct rqx__ares *ares, int fd)
{
    struct rqx__list *node;
    struct rqx__list *following;

    RQX__LIST_EACH(&ares->sockets, node, following)
    {
        struct ares_watch *found = RQX__OF(node, struct ares_watch, node);

        if (found->watch.fd == fd)
            return found;
    }
    return NULL;
}

static void drop_watch(struct rqx__ares *ares, struct ares_watch *found)
{
    rqx__loop_unwatch(ares->loop, &found->watch);
    rqx__list_remove(&found->node);
    rqx__free(found);
}

static int add_watch(struct rqx__ares *ares, int fd, unsigned interest)
{
    struct ares_watch *made = rqx__calloc(1, sizeof *made);
    int rc;

    if (made == NULL)
        return RQX_ERR_NOMEM;
    rqx__watch_init(&made->watch);
    rc = rqx__loop_watch(ares->loop, &made->watch, fd, interest, socket_ready, ares);
    if (rc < 0) {
        rqx__free(made);
        return rc;
    }
    rqx__list_push_back(&ares->sockets, &made->node);
    return 0;
}

static void socket_state_cb(void *user, ares_socket_t fd, int readable, int writable)
{
    struct rqx__ares *ares = user;
    unsigned interest = (readable ? RQX__IO_READ : 0) | (writable ? RQX__IO_WRITE : 0);
    struct ares_watch *found = find_watch(ares, fd);
    int rc = 0;

    if (interest == 0) {
        if (found != NULL)
            drop_watch(ares, found);
        return;
    }
    if (found != NULL)
        rc = rqx__loop_set_interest(ares->loop, &found->watch, interest);
    else
        rc = add_watch(ares, fd, interest);
    if (rc < 0)
        ares->failure = rc;
}

static int set_timer(struct rqx__ares *ares)
{
    struct timeval left;
    uint64_t deadline = RQX__NEVER;

    /* a millisecond more: c-ares rounds down, and would be asked again too early */
    if (ares_timeout(ares->channel, NULL, &left) != NULL)
        deadline = rqx__clock_after_ms(rqx__clock_now(), (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
    return rqx__timer_set(ares->loop, &ares->timer, deadline);
}

static void give_up_if_failed(struct rqx__ares *ares)
{
    if (ares->failure < 0 && !rqx__list_empty(&ares->asked))
        ares_cancel(ares->channel); /* each callback notes |failure| */
    ares->failure = 0;
}

/* After c-ares returned: tells what was noted, and frees what has retired. */
static void settle(struct rqx__ares *ares)
{
    struct rqx__list *node;
    int rc;

    give_up_if_failed(ares);
    rc = rqx__list_empty(&ares->asked) ? rqx__timer_set(ares->loop, &ares->timer, RQX__NEVER) : set_timer(ares);
    if (rc < 0) {
        ares->failure = rc;
        give_up_if_failed(ares);
    }
    while ((node = rqx__list_pop_front(&ares->finished)) != NULL)
        ares->finished_cb(RQX__OF(node, struct rqx__ares_request, node), ares->user);
    if (--ares->depth == 0 && ares->retired && rqx__list_empty(&ares->asked))
        rqx__ares_free(ares);
}

/* ---- answers ---- */

static void refuse(struct rqx__ares_request *request, int code, const char *text)
{
    rqx__free(request->addresses);
    request->addresses = NULL;
    request->count = 0;
    request->code = code;
    request->text = text;
}

static void note_status(struct rqx__ares_request *request, int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        refuse(request, RQX_ERR_NAME_NOT_FOUND, "name does not resolve");
        break;
    case ARES_ENODATA:
        refuse(request, RQX_ERR_NAME_NOT_FOUND, "name has no address");
        break;
    case ARES_ENOMEM:
        refuse(request, RQX_ERR_NOMEM, "out of memory");
        break;
    case ARES_ECANCELLED:
        refuse(request, request->ares->failure < 0 ? request->ares->failure : RQX_ERR_RESOLVE,
               "cannot watch the resolver's sockets");
        break;
    case ARES_ETIMEOUT:
        refuse(request, RQX_ERR_RESOLVE, "timed out asking the DNS servers");
        break;
    case ARES_ECONNREFUSED:
        refuse(request, RQX_ERR_RESOLVE, "the DNS servers cannot be reached or failed"); /* c-ares tells both the same way */
        break;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ENOTIMP:
        refuse(request, RQX_ERR_RESOLVE, "the DNS servers failed");
        break;
    default:
        refuse(request, RQX_ERR_RESOLVE, "malformed answer from the DNS servers");
        break;
    }
}

static size_t size_of(int family)
{
    return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

/* The answer lives as long as the shortest lived of its records. */
static void add_address(struct rqx__ares_request *request, const void *address, int ttl)
{
    size_t size = size_of(request->family);
    uint64_t ttl_ms = ttl > 0 ? (uint64_t)ttl * 1000 : 0;

    memcpy(request->addresses + request->count++ * size, address, size);
    if (ttl_ms < request->ttl_ms)
        request->ttl_ms = ttl_ms;
}

static int parse_four(const unsigned char *reply, int len, struct rqx__ares_request *request)
{
    struct ares_addrttl records[RQX__RESOLVE_MAX];
    int count = RQX__RESOLVE_MAX;
    int status = ares_parse_a_reply(reply, len, NULL, records, &count);
    int i;

    for (i = 0; status == ARES_SUCCESS && i < count; i++)
        add_address(request, &records[i].ipaddr, records[i].ttl);
    return status;
}

static int parse_six(const unsigned char *reply, int len, struct rqx__ares_request *request)
{
    struct ares_addr6ttl records[RQX__RESOLVE_MAX];
    int count = RQX__RESOLVE_MAX;
    int status = ares_parse_aaaa_reply(reply, len, NULL, records, &count);
    int i;

    for (i = 0; status == ARES_SUCCESS && i < count; i++)
        add_address(request, &records[i].ip6addr, records[i].ttl);
    return status;
}

/* Gives the memory back that the answer did not need; keeps it all if that fails. */
static void trim_addresses(struct rqx__ares_request *request)
{
    uint8_t *trimmed = rqx__realloc(request->addresses, request->count * size_of(request->family));

    if (trimmed != NULL)
        request->addresses = trimmed;
}

static void note_answer(struct rqx__ares_request *request, const unsigned char *reply, int len)
{
    int status;

    request->ttl_ms = UINT64_MAX;
    request->addresses = rqx__malloc(RQX__RESOLVE_MAX * size_of(request->family));
    if (request->addresses == NULL)
        status = ARES_ENOMEM;
    else
        status = request->family == AF_INET ? parse_four(reply, len, request) : parse_six(reply, len, request);
    if (status == ARES_SUCCESS && request->count == 0)
        status = ARES_ENODATA;
    if (status == ARES_SUCCESS)
        trim_addresses(request);
    else
        note_status(request, status);
}

static void answered_cb(void *user, int status, int timeouts, unsigned char *reply, int len)
{
    struct rqx__ares_request *request = user;
    struct rqx__ares *ares = request->ares;

    (void)timeouts;
    rqx__list_remove(&request->node);
    if (ares->closing)
        return;
    if (status == ARES_SUCCESS)
        note_answer(request, reply, len);
    else
        note_status(request, status);
    rqx__list_push_back(&ares->finished, &request->node);
}

/* ---- asking ---- */

static bool join(const char *name, const char *domain, char *ret_name)
{
    size_t len = strlen(name);
    size_t domain_len = strlen(domain);

    while (domain_len > 0 && domain[0] == '.') {
        domain++;
        domain_len--;
    }
    if (domain_len > 0 && len + 1 + domain_len > RQX__NAME_MAX)
        return false;
    memcpy(ret_name, name, len + 1);
    if (domain_len > 0) {
        ret_name[len] = '.';
        memcpy(ret_name + len + 1, domain, domain_len + 1);
    }
    return true;
}

bool rqx__ares_candidate(const struct rqx__ares *ares, const char *name, unsigned *index, char *ret_candidate)
{
    size_t len = strlen(name);
    unsigned count = name[len - 1] == '.' ? 0 : (unsigned)ares->domain_count;
    unsigned own_place = 0; /* of the name by itself */
    int dots = 0;
    size_t i;

    for (i = 0; i < len; i++)
        dots += name[i] == '.';
    if (dots < ares->ndots)
        own_place = count;
    for (; *index <= count; ++*index) {
        const char *domain = "";

        if (*index != own_place)
            domain = ares->domains[*index < own_place ? *index : *index - 1];
        if (join(name, domain, ret_candidate))
            return true;
    }
    return false;
}

void rqx__ares_ask(struct rqx__ares *ares, const char *name, struct rqx__ares_request *request)
{
    request->ares = ares;
    request->code = 0;
    request->text = NULL;
    request->ttl_ms = 0;
    request->count = 0;
    request->addresses = NULL;
    begin(ares);
    rqx__list_push_back(&ares->asked, &request->node);
    ares_query(ares->channel, name, C_IN, request->family == AF_INET ? T_A : T_AAAA, answered_cb, request);
    settle(ares);
}

/* ---- the channel ---- */

static void link_servers(const struct rqx__ares_config *config, struct ares_addr_port_node *nodes)
{
    size_t i;

    for (i = 0; i < config->server_count; i++) {
        const struct rqx__server *server = &config->servers[i];

        memset(&nodes[i], 0, sizeof nodes[i]);
        nodes[i].next = i + 1 < config->server_count ? &nodes[i + 1] : NULL;
        nodes[i].family = server->address.family;
        nodes[i].udp_port = nodes[i].tcp_port = server->port;
        memcpy(&nodes[i].addr, server->address.bytes, size_of(server->address.family));
    }
}

static int set_servers(ares_channel channel, const struct rqx__ares_config *config)
{
    struct ares_addr_port_node *nodes;
    int status;

    if (config->server_count == 0)
        return ARES_SUCCESS;
    nodes = rqx__calloc(config->server_count, sizeof *nodes);
    if (nodes == NULL)
        return ARES_ENOMEM;
    link_servers(config, nodes);
    status = ares_set_servers_ports(channel, nodes);
    rqx__free(nodes);
    return status;
}

static int read_search_list(struct rqx__ares *ares)
{
    struct ares_options options;
    int mask = 0;
    int status;

    memset(&options, 0, sizeof options);
    status = ares_save_options(ares->channel, &options, &mask);
    if (status == ARES_SUCCESS) {
        ares->domains = options.domains;
        ares->domain_count = options.ndomains > 0 ? options.ndomains : 0;
        ares->ndots = options.ndots;
        options.domains = NULL;
        options.ndomains = 0;
    }
    ares_destroy_options(&options);
    return status;
}

/* The way by which c-ares wants its copies back. */
static void free_search_list(struct rqx__ares *ares)
{
    struct ares_options options;

    memset(&options, 0, sizeof options);
    options.domains = ares->domains;
    options.ndomains = ares->domain_count;
    ares_destroy_options(&options);
}

static int open_channel(struct rqx__ares *ares, const struct rqx__ares_config *config)
{
    struct ares_options options;
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    int status;

    memset(&options, 0, sizeof options);
    options.flags = ARES_FLAG_EDNS;
    options.ednspsz = UDP_MAX;
    options.timeout = config->timeout_ms > INT_MAX ? INT_MAX : (int)config->timeout_ms;
    options.tries = TRIES;
    options.sock_state_cb = socket_state_cb;
    options.sock_state_cb_data = ares;
    if (config->resolv_file != NULL) {
        options.resolvconf_path = (char *)(uintptr_t)config->resolv_file; /* read and copied, not changed */
        mask |= ARES_OPT_RESOLVCONF;
    }
    status = ares_init_options(&ares->channel, &options, mask);
    if (status == ARES_SUCCESS) {
        status = set_servers(ares->channel, config);
        if (status == ARES_SUCCESS)
            status = read_search_list(ares);
        if (status != ARES_SUCCESS)
            ares_destroy(ares->channel);
    }
    return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? RQX_ERR_NOMEM : RQX_ERR_RESOLVE;
}

int rqx__ares_new(struct rqx__loop *loop, const struct rqx__ares_config *config, struct rqx__ares **ret_ares)
{
    struct rqx__ares *ares = rqx__calloc(1, sizeof *ares);
    int rc;

    if (ares == NULL)
        return RQX_ERR_NOMEM;
    ares->loop = loop;
    ares->finished_cb = config->finished_cb;
    ares->user = config->user;
    rqx__timer_init(&ares->timer, timer_due, ares);
    rqx__list_init(&ares->sockets);
    rqx__list_init(&ares->asked);
    rqx__list_init(&ares->finished);
    rqx__list_init(&ares->node);
    rc = open_channel(ares, config);
    if (rc < 0) {
        rqx__free(ares);
        return rc;
    }
    *ret_ares = ares;
    return 0;
}

/* ares_destroy calls back for all that is under way, and tells that its sockets are closed. */
void rqx__ares_free(struct rqx__ares *ares)
{
    if (ares == NULL)
        return;
    rqx__timer_clear(ares->loop, &ares->timer);
    ares->closing = true;
    ares_destroy(ares->channel);
    free_search_list(ares);
    while (!rqx__list_empty(&ares->sockets))
        drop_watch(ares, RQX__OF(ares->sockets.next, struct ares_watch, node));
    rqx__list_remove(&ares->node);
    rqx__free(ares);
}

void rqx__ares_retire(struct rqx__ares *ares, struct rqx__list *list)
{
    ares->retired = true;
    rqx__list_push_back(list, &ares->node);
    if (ares->depth == 0 && rqx__list_empty(&ares->asked))
        rqx__ares_free(ares);
}

struct rqx__ares *rqx__ares_of_node(struct rqx__list *node)
{
    return RQX__OF(node, struct rqx__ares, node);
}

const char *rqx__resolver_library(void)
{
    return ares_version(NULL);
}
