/*
 * resolver.c - lookups, and the cache of what DNS said.
 *
 * A name that was asked for has one |query|, which holds the answer of each family, while it is fresh, and the lookups
 * that wait.  It lives in the cache until others push it out, and is pinned while something of it is under way.
 *
 * Callbacks may do anything to lookups: begin others, cancel this one, and after that free its owner.  So no lookup is
 * touched after its callback unless a guard on the stack says that it was not cancelled.
 */
#include "net/resolver_internal.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define SERVERS_MAX 16
#define DNS_PORT    53

/* Families as bits of |pending|, in the order in which they are asked and told (RFC 8305 section 3). */
enum { FAMILY_6 = 0, FAMILY_4, FAMILIES };

static const int families[FAMILIES] = {AF_INET6, AF_INET};

/* What is known of one family. */
struct answer {
    uint64_t good_until; /* ns */
    bool asked;          /* |request| is under way */
    bool held;           /* there is nothing under this candidate, but perhaps for the other family: the search waits */
    int code;            /* 0, or RQX_ERR_* */
    const char *text;    /* with |code|, static */
    unsigned count;
    uint8_t *addresses; /* |count| times 4 or 16 bytes */
    struct rqx__ares_request request;
};

struct rqx__query {
    struct rqx__resolver *resolver;
    struct rqx__map_node node;
    struct rqx__list by_age;
    struct rqx__list lookups; /* that wait for something of it */
    unsigned pins;            /* loops over it that are on the stack */
    unsigned candidate;       /* which of the names that it may stand for is asked for, for both families */
    bool found;               /* that one has addresses */
    struct answer answers[FAMILIES];
    const char *name; /* in lower case, NUL terminated; stands behind the struct */
};

/* On the stack while a lookup's callback runs. */
struct guard {
    struct rqx__lookup *lookup; /* NULL: cancelled meanwhile */
    struct guard *outer;
};

struct rqx__resolver {
    struct rqx__loop *loop;
    int64_t ttl_max_ms;
    int64_t negative_ms;
    int64_t timeout_ms;
    char *hosts_file;
    char *resolv_file; /* NULL: c-ares knows where it is */
    struct rqx__server servers[SERVERS_MAX];
    size_t server_count; /* 0: the system's */

    struct rqx__names overrides;
    struct rqx__names hosts;
    struct rqx__stamp hosts_stamp;
    struct rqx__stamp resolv_stamp;

    struct rqx__ares *ares;   /* NULL until a name needs it */
    struct rqx__list retired; /* channels that answer what they were asked, with older settings */

    struct rqx__map queries;
    struct rqx__list by_age;  /* the query that was used last is the last */
    struct rqx__query direct; /* stands in for lookups that need no query */
    struct guard *guards;
};

static struct rqx__query *query_of(struct rqx__list *by_age)
{
    return RQX__OF(by_age, struct rqx__query, by_age);
}

/* ---- telling lookups ---- */

static void unlink_lookup(struct rqx__lookup *lookup)
{
    rqx__list_remove(&lookup->node);
    lookup->query = NULL;
}

/*
 * Tells |lookup| the answer for a family.  True: it waits for the other one, and was not cancelled; otherwise it must
 * not be touched any more.
 */
static bool tell(struct rqx__resolver *resolver, struct rqx__lookup *lookup, int family,
                 const struct rqx__addresses *addresses, const struct rqx__err *err)
{
    struct guard guard = {lookup, resolver->guards};
    bool last;

    lookup->pending &= ~(1u << family);
    last = lookup->pending == 0;
    if (last)
        unlink_lookup(lookup);
    resolver->guards = &guard;
    lookup->answer_cb(lookup, families[family], addresses, err, last, lookup->user);
    resolver->guards = guard.outer;
    return !last && guard.lookup != NULL;
}

void rqx__lookup_cancel(struct rqx__lookup *lookup)
{
    struct guard *guard;

    if (lookup->query == NULL)
        return;
    for (guard = lookup->query->resolver->guards; guard != NULL; guard = guard->outer) {
        if (guard->lookup == lookup)
            guard->lookup = NULL;
    }
    unlink_lookup(lookup);
}

static void put_address(struct rqx__addresses *addresses, const uint8_t *bytes, uint32_t scope, int port)
{
    struct sockaddr_storage *place = &addresses->list[addresses->count++];

    memset(place, 0, sizeof *place);
    if (addresses->family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)place;

        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        memcpy(&in->sin_addr, bytes, sizeof in->sin_addr);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)place;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        in6->sin6_scope_id = scope;
        memcpy(&in6->sin6_addr, bytes, sizeof in6->sin6_addr);
    }
}

/* ---- answers that need nobody ---- */

static bool tell_known(struct rqx__resolver *resolver, struct rqx__lookup *lookup, int family,
                       const struct rqx__known *known)
{
    struct rqx__addresses addresses;
    struct rqx__err err;
    unsigned i;

    addresses.family = families[family];
    addresses.count = 0;
    for (i = 0; i < known->count; i++) {
        const struct rqx__address *address = &known->list[i];

        if (address->family == families[family] && addresses.count < RQX__RESOLVE_MAX)
            put_address(&addresses, address->bytes, address->scope, lookup->port);
    }
    if (addresses.count > 0)
        return tell(resolver, lookup, family, &addresses, NULL);
    rqx__err_set(&err, RQX_ERR_NAME_NOT_FOUND, "name has no address");
    return tell(resolver, lookup, family, NULL, &err);
}

static void answer_known(struct rqx__resolver *resolver, struct rqx__lookup *lookup, const struct rqx__known *known)
{
    lookup->query = &resolver->direct;
    rqx__list_push_back(&resolver->direct.lookups, &lookup->node);
    if (tell_known(resolver, lookup, FAMILY_6, known))
        tell_known(resolver, lookup, FAMILY_4, known);
}

/* "localhost" and what is below it are this machine and nothing else (RFC 6761 section 6.3). */
static bool is_localhost(const char *name, size_t len)
{
    static const char localhost[] = ".localhost";
    size_t tail = sizeof localhost - 1;

    if (rqx__eq(name, len, localhost + 1, tail - 1))
        return true;
    return len > tail && memcmp(name + len - tail, localhost, tail) == 0;
}

static void know_loopback(struct rqx__known *known)
{
    static const uint8_t loopback4[4] = {127, 0, 0, 1};

    memset(known, 0, sizeof *known);
    known->count = 2;
    known->list[0].family = AF_INET6;
    known->list[0].bytes[15] = 1;
    known->list[1].family = AF_INET;
    memcpy(known->list[1].bytes, loopback4, sizeof loopback4);
}

/* What the hosts file says.  One that cannot be read anew for want of memory stays as it was. */
static bool find_host(struct rqx__resolver *resolver, const char *name, size_t len, struct rqx__known *ret_known)
{
    const char *path = resolver->hosts_file;

    if (rqx__stamp_changed(&resolver->hosts_stamp, path, rqx__loop_now(resolver->loop)))
        rqx__names_read_hosts(&resolver->hosts, path);
    return rqx__names_find(&resolver->hosts, name, len, ret_known);
}

static bool find_known(struct rqx__resolver *resolver, const char *name, size_t len, struct rqx__known *ret_known)
{
    struct rqx__address literal;

    if (rqx__address_parse(name, len, &literal)) {
        ret_known->count = 1;
        ret_known->list[0] = literal;
        return true;
    }
    if (name[len - 1] == '.')
        len--;
    if (rqx__names_find(&resolver->overrides, name, len, ret_known))
        return true;
    if (is_localhost(name, len)) {
        know_loopback(ret_known);
        return true;
    }
    return find_host(resolver, name, len, ret_known);
}

/* ---- the cache ---- */

static bool is_waiting(const struct rqx__query *query, int family)
{
    return query->answers[family].asked || query->answers[family].held;
}

static bool is_idle(const struct rqx__query *query)
{
    return query->pins == 0 && rqx__list_empty(&query->lookups) && !is_waiting(query, FAMILY_6) &&
           !is_waiting(query, FAMILY_4);
}

static void free_query(struct rqx__query *query)
{
    int family;

    rqx__map_remove(&query->resolver->queries, &query->node);
    rqx__list_remove(&query->by_age);
    for (family = 0; family < FAMILIES; family++)
        rqx__free(query->answers[family].addresses);
    rqx__free(query);
}

/* Those that are in use are passed over: there are no more of them than lookups. */
static void make_room(struct rqx__resolver *resolver)
{
    struct rqx__list *node;
    struct rqx__list *following;

    RQX__LIST_EACH(&resolver->by_age, node, following)
    {
        if (resolver->queries.count < RQX__RESOLVE_NAMES_MAX)
            return;
        if (is_idle(query_of(node)))
            free_query(query_of(node));
    }
}

static struct rqx__query *new_query(struct rqx__resolver *resolver, const char *name, size_t len)
{
    struct rqx__query *query;
    int family;

    make_room(resolver);
    query = rqx__calloc(1, sizeof *query + len + 1);
    if (query == NULL)
        return NULL;
    query->resolver = resolver;
    rqx__list_init(&query->lookups);
    query->name = memcpy(query + 1, name, len);
    query->node.key = query->name;
    query->node.key_len = len;
    for (family = 0; family < FAMILIES; family++)
        query->answers[family].request.family = families[family];
    if (rqx__map_add(&resolver->queries, &query->node) < 0) {
        rqx__free(query);
        return NULL;
    }
    rqx__list_push_back(&resolver->by_age, &query->by_age);
    return query;
}

static struct rqx__query *get_query(struct rqx__resolver *resolver, const char *name, size_t len)
{
    struct rqx__map_node *node = rqx__map_get(&resolver->queries, name, len);
    struct rqx__query *query;

    if (node == NULL)
        return new_query(resolver, name, len);
    query = RQX__OF(node, struct rqx__query, node);
    rqx__list_remove(&query->by_age);
    rqx__list_push_back(&resolver->by_age, &query->by_age);
    return query;
}

static bool is_fresh(const struct rqx__query *query, int family)
{
    return !query->answers[family].asked && rqx__loop_now(query->resolver->loop) < query->answers[family].good_until;
}

static bool tell_answer(struct rqx__query *query, struct rqx__lookup *lookup, int family)
{
    const struct answer *answer = &query->answers[family];
    size_t size = families[family] == AF_INET ? 4 : 16;
    struct rqx__addresses addresses;
    struct rqx__err err;
    unsigned i;

    if (answer->code != 0) {
        rqx__err_set(&err, answer->code, "%s", answer->text);
        return tell(query->resolver, lookup, family, NULL, &err);
    }
    addresses.family = families[family];
    addresses.count = 0;
    for (i = 0; i < answer->count; i++)
        put_address(&addresses, answer->addresses + i * size, 0, lookup->port);
    return tell(query->resolver, lookup, family, &addresses, NULL);
}

/* Tells all who wait for this family.  Those who begin to wait meanwhile find the answer by themselves. */
static void tell_all(struct rqx__query *query, int family)
{
    struct rqx__list waiting;
    struct rqx__list *node;

    rqx__list_init(&waiting);
    rqx__list_splice(&waiting, &query->lookups);
    query->pins++;
    while ((node = rqx__list_pop_front(&waiting)) != NULL) {
        struct rqx__lookup *lookup = RQX__OF(node, struct rqx__lookup, node);

        rqx__list_push_back(&query->lookups, node);
        if (lookup->pending & (1u << family))
            tell_answer(query, lookup, family);
    }
    query->pins--;
}

/* ---- asking ---- */

/* How long an answer is good for: a failure to ask is not remembered. */
static int64_t lifetime_of(const struct rqx__resolver *resolver, const struct answer *answer)
{
    if (answer->code == RQX_ERR_NAME_NOT_FOUND)
        return resolver->negative_ms;
    if (answer->code != 0)
        return 0;
    return answer->request.ttl_ms < (uint64_t)resolver->ttl_max_ms ? (int64_t)answer->request.ttl_ms
                                                                   : resolver->ttl_max_ms;
}

/* What is known of a family now is its answer. */
static void settle(struct rqx__query *query, int family)
{
    struct answer *answer = &query->answers[family];

    answer->held = false;
    answer->good_until =
        rqx__clock_after_ms(rqx__loop_now(query->resolver->loop), lifetime_of(query->resolver, answer));
    tell_all(query, family);
}

static void settle_refused(struct rqx__query *query, int family, int code, const char *text)
{
    struct answer *answer = &query->answers[family];

    rqx__free(answer->addresses);
    answer->addresses = NULL;
    answer->count = 0;
    answer->code = code;
    answer->text = text;
    settle(query, family);
}

/*
 * Asks for the families of |mask| under the next candidate from |query->candidate| on.  False: there is none.  All are
 * marked before the first is asked, since its answer may come at once.
 */
static bool ask(struct rqx__query *query, unsigned mask)
{
    struct rqx__resolver *resolver = query->resolver;
    char candidate[RQX__NAME_MAX + 1];
    int family;

    /* the channel may be gone again: a callback on the way here may have wanted a new one in vain */
    if (resolver->ares != NULL && !rqx__ares_candidate(resolver->ares, query->name, &query->candidate, candidate))
        return false;
    for (family = 0; family < FAMILIES; family++) {
        if (mask & (1u << family)) {
            query->answers[family].held = false;
            query->answers[family].asked = true;
        }
    }
    for (family = 0; family < FAMILIES; family++) {
        if ((mask & (1u << family)) == 0)
            continue;
        if (resolver->ares != NULL) {
            rqx__ares_ask(resolver->ares, candidate, &query->answers[family].request);
        } else {
            query->answers[family].asked = false;
            settle_refused(query, family, RQX_ERR_NOMEM, "out of memory");
        }
    }
    return true;
}

/* Goes on to the next candidate for those of |mask|; at the end of the search there is no such name for them. */
static void search_on(struct rqx__query *query, unsigned mask)
{
    int family;

    query->candidate++;
    if (ask(query, mask))
        return;
    for (family = 0; family < FAMILIES; family++) {
        if (mask & (1u << family))
            settle(query, family);
    }
}

/*
 * Both families are searched for in step, so that one name is connected to and not two: a family that has nothing waits
 * for the other before the search goes on.  One that has addresses is told at once.
 */
static void take_answer(struct rqx__query *query, int family)
{
    struct answer *answer = &query->answers[family];
    struct answer *other = &query->answers[family ^ 1];

    if (answer->code == RQX_ERR_NAME_NOT_FOUND && !query->found) {
        answer->held = true;
        if (!other->asked)
            search_on(query, 1u << family | (other->held ? 1u << (family ^ 1) : 0));
        return;
    }
    query->found = query->found || answer->code == 0;
    settle(query, family);
    if (!other->held)
        return;
    if (query->found)
        settle(query, family ^ 1);
    else
        search_on(query, 1u << (family ^ 1));
}

static void request_finished(struct rqx__ares_request *request, void *user)
{
    int family = request->family == AF_INET ? FAMILY_4 : FAMILY_6;
    struct answer *answer = RQX__OF(request, struct answer, request);
    struct rqx__query *query = RQX__OF(answer - family, struct rqx__query, answers);

    (void)user;
    rqx__free(answer->addresses);
    answer->addresses = request->addresses;
    answer->count = request->count;
    answer->code = request->code;
    answer->text = request->text;
    answer->asked = false;
    query->pins++;
    take_answer(query, family);
    query->pins--;
}

static int start_ares(struct rqx__resolver *resolver)
{
    struct rqx__ares_config config = {
        .servers = resolver->servers,
        .server_count = resolver->server_count,
        .resolv_file = resolver->resolv_file,
        .timeout_ms = resolver->timeout_ms,
        .finished_cb = request_finished,
        .user = resolver,
    };

    return rqx__ares_new(resolver->loop, &config, &resolver->ares);
}

/* Makes sure that there is a channel, with what /etc/resolv.conf says now: its search list counts with other servers
 * too. */
static int get_ares(struct rqx__resolver *resolver)
{
    const char *path = resolver->resolv_file != NULL ? resolver->resolv_file : "/etc/resolv.conf";
    bool changed = rqx__stamp_changed(&resolver->resolv_stamp, path, rqx__loop_now(resolver->loop));

    if (changed && resolver->ares != NULL) {
        rqx__ares_retire(resolver->ares, &resolver->retired);
        resolver->ares = NULL;
    }
    return resolver->ares != NULL ? 0 : start_ares(resolver);
}

static bool needs_asking(const struct rqx__query *query, int family)
{
    return !is_waiting(query, family) && !is_fresh(query, family);
}

/* The families to be asked for.  Where nothing is under way and nothing was found, the search begins anew. */
static unsigned begin_search(struct rqx__query *query)
{
    unsigned mask = 0;
    bool busy = false;
    bool found = false;
    int family;

    for (family = 0; family < FAMILIES; family++) {
        mask |= needs_asking(query, family) ? 1u << family : 0;
        busy = busy || is_waiting(query, family);
        found = found || (is_fresh(query, family) && query->answers[family].code == 0);
    }
    if (!busy && !found) {
        query->candidate = 0;
        query->found = false;
    }
    return mask;
}

/* Gives what is fresh, and asks for the rest.  |lookup| may be gone after each step; |query| is pinned. */
static void serve(struct rqx__query *query, struct rqx__lookup *lookup)
{
    bool fresh[FAMILIES] = {is_fresh(query, FAMILY_6), is_fresh(query, FAMILY_4)};
    bool waits = true;
    unsigned mask;
    int family;

    query->pins++;
    lookup->query = query;
    rqx__list_push_back(&query->lookups, &lookup->node);
    for (family = 0; family < FAMILIES && waits; family++) {
        if (fresh[family])
            waits = tell_answer(query, lookup, family);
    }
    if (waits) { /* in the list, and is told from there */
        mask = begin_search(query);
        if (mask != 0 && !ask(query, mask)) { /* the search list has become shorter: the first is always there */
            query->candidate = 0;
            ask(query, mask);
        }
    }
    query->pins--;
}

static int look_up(struct rqx__resolver *resolver, const char *name, size_t len, struct rqx__lookup *lookup)
{
    struct rqx__query *query = get_query(resolver, name, len);
    int rc;

    if (query == NULL)
        return RQX_ERR_NOMEM;
    rc = needs_asking(query, FAMILY_6) || needs_asking(query, FAMILY_4) ? get_ares(resolver) : 0;
    if (rc < 0)
        return rc;
    serve(query, lookup);
    return 0;
}

/* In lower case; without what no name has, so that nothing strange is asked or logged. */
static bool copy_name(const char *host, size_t len, char *name)
{
    size_t i;

    if (len == 0 || len > RQX__NAME_MAX)
        return false;
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];

        if (c <= 0x20 || c >= 0x7f)
            return false;
        name[i] = (char)rqx__lower(c);
    }
    name[len] = '\0';
    return len > 1 || name[0] != '.';
}

int rqx__resolver_lookup(struct rqx__resolver *resolver, const char *host, size_t host_len, int port,
                         struct rqx__lookup *lookup)
{
    char name[RQX__NAME_MAX + 1];
    struct rqx__known known;

    if (!copy_name(host, host_len, name))
        return RQX_ERR_RESOLVE;
    rqx__list_init(&lookup->node);
    lookup->port = port;
    lookup->pending = (1u << FAMILIES) - 1;
    lookup->query = NULL;
    if (find_known(resolver, name, host_len, &known)) {
        answer_known(resolver, lookup, &known);
        return 0;
    }
    return look_up(resolver, name, host_len, lookup);
}

/* ---- life ---- */

/* "addr[:port]" or "[addr][:port]". */
static bool parse_server(rqx_slice text, struct rqx__server *ret_server)
{
    const char *port = NULL;
    rqx_slice address = text;
    uint64_t number = DNS_PORT;

    if (text.len > 0 && text.data[0] == '[') {
        const char *bracket = memchr(text.data, ']', text.len);

        if (bracket == NULL)
            return false;
        address = (rqx_slice){text.data + 1, (size_t)(bracket - text.data) - 1};
        if (bracket + 1 < text.data + text.len)
            port = bracket + 1;
    } else if (memchr(text.data, ':', text.len) == memrchr(text.data, ':', text.len)) {
        port = memchr(text.data, ':', text.len);
        if (port != NULL)
            address.len = (size_t)(port - text.data);
    }
    if (port != NULL &&
        (*port != ':' || rqx__parse_u64(port + 1, (size_t)(text.data + text.len - port) - 1, 65535, &number) < 0))
        return false;
    ret_server->port = (int)number;
    return number > 0 && rqx__address_parse(address.data, address.len, &ret_server->address);
}

static int add_servers(struct rqx__resolver *resolver, const char *list)
{
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        rqx_slice text = rqx__trim((rqx_slice){list, len});

        if (resolver->server_count == SERVERS_MAX || !parse_server(text, &resolver->servers[resolver->server_count]))
            return RQX_ERR_INVALID_ARGUMENT;
        resolver->server_count++;
        list += len;
        if (*list == ',')
            list++;
    }
    return resolver->server_count > 0 ? 0 : RQX_ERR_INVALID_ARGUMENT;
}

static int copy_path(const char *path, char **ret_copy)
{
    *ret_copy = rqx__strndup(path, strlen(path));
    return *ret_copy != NULL ? 0 : RQX_ERR_NOMEM;
}

static int configure(struct rqx__resolver *resolver, const struct rqx__resolver_config *config)
{
    const char *const *resolve = config->resolve;
    int rc = copy_path(config->hosts_file != NULL ? config->hosts_file : "/etc/hosts", &resolver->hosts_file);

    if (rc == 0 && config->resolv_file != NULL)
        rc = copy_path(config->resolv_file, &resolver->resolv_file);
    if (rc == 0 && config->nameservers != NULL)
        rc = add_servers(resolver, config->nameservers);
    for (; rc == 0 && resolve != NULL && *resolve != NULL; resolve++)
        rc = rqx__names_add_override(&resolver->overrides, *resolve);
    return rc;
}

int rqx__resolver_new(struct rqx__loop *loop, const struct rqx__resolver_config *config,
                      struct rqx__resolver **ret_resolver)
{
    struct rqx__resolver *resolver;
    int rc;

    if (config->ttl_max_ms < 0 || config->negative_ms < 0 || config->timeout_ms <= 0)
        return RQX_ERR_INVALID_ARGUMENT;
    resolver = rqx__calloc(1, sizeof *resolver);
    if (resolver == NULL)
        return RQX_ERR_NOMEM;
    resolver->loop = loop;
    resolver->ttl_max_ms = config->ttl_max_ms;
    resolver->negative_ms = config->negative_ms;
    resolver->timeout_ms = config->timeout_ms;
    rqx__names_init(&resolver->overrides);
    rqx__names_init(&resolver->hosts);
    rqx__list_init(&resolver->retired);
    rqx__map_init(&resolver->queries);
    rqx__list_init(&resolver->by_age);
    rqx__list_init(&resolver->direct.lookups);
    resolver->direct.resolver = resolver;
    rc = configure(resolver, config);
    if (rc < 0) {
        rqx__resolver_free(resolver);
        return rc;
    }
    *ret_resolver = resolver;
    return 0;
}

static void drop_lookups(struct rqx__query *query)
{
    while (!rqx__list_empty(&query->lookups))
        unlink_lookup(RQX__OF(query->lookups.next, struct rqx__lookup, node));
}

void rqx__resolver_free(struct rqx__resolver *resolver)
{
    if (resolver == NULL)
        return;
    rqx__ares_free(resolver->ares); /* first: its requests live in the queries */
    while (!rqx__list_empty(&resolver->retired))
        rqx__ares_free(rqx__ares_of_node(resolver->retired.next));
    while (!rqx__list_empty(&resolver->by_age)) {
        struct rqx__query *query = query_of(resolver->by_age.next);

        drop_lookups(query);
        free_query(query);
    }
    drop_lookups(&resolver->direct);
    rqx__map_done(&resolver->queries);
    rqx__names_done(&resolver->overrides);
    rqx__names_done(&resolver->hosts);
    rqx__free(resolver->hosts_file);
    rqx__free(resolver->resolv_file);
    rqx__free(resolver);
}

/* With the loop detached nothing here reaches the parent's sockets: c-ares closes descriptors and sends nothing. */
void rqx__resolver_abandon(struct rqx__resolver *resolver)
{
    rqx__resolver_free(resolver);
}
