#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "client/exchange.h"
#include "client/file.h"
#include "client/proxy.h"
#include "http/netrc.h"
#include "http/noproxy.h"
#include "http/redirect.h"
#include "net/address.h"

/* Most socket options of a client, and bytes of one. */
#define SOCKET_OPTIONS_MAX    64
#define SOCKET_OPTION_LEN_MAX 4096

void rqx_client_options_init(rqx_client_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->protocols = RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2;
    options->trust_env = 1;
    options->timeouts = (rqx_timeouts){5000, 5000, 5000, 5000, RQX_NO_TIMEOUT, 0, 0};
    options->limits = (rqx_limits){100, 20, 5000, RQX_LIMIT_NONE, 1};
    options->max_replays = 6;
    options->expect_continue_ms = 1000;
    options->ping_idle_ms = 10000;
    options->ping_timeout_ms = 5000;
    options->max_header_list = 64 * 1024;
    options->max_window = 16 * 1024 * 1024;
    options->max_decode_ratio = 256;
}

/* ---- life ---- */

static void bury(struct rqx__dead *dead);

static void free_socket_options(struct rqx_client *client)
{
    size_t i;

    for (i = 0; client->socket_options != NULL && i < client->options.socket_option_count; i++)
        rqx__free((void *)(uintptr_t)client->socket_options[i].value);
    rqx__free(client->socket_options);
}

static void client_free(struct rqx_client *client)
{
    free_socket_options(client);
    rqx_headers_free(client->defaults);
    rqx_headers_free(client->defaults_elsewhere);
    rqx_cookies_unref(client->options.cookies);
    rqx_tls_unref(client->options.tls);
    rqx_proxy_unref(client->options.proxy);
    rqx_proxy_unref(client->env_http);
    rqx_proxy_unref(client->env_https);
    rqx_auth_unref(client->options.auth);
    rqx_address_policy_free(client->address_policy);
    rqx_retry_unref(client->options.retry);
    rqx__netrc_free(client->netrc);
    rqx__free(client->local_address);
    rqx__free(client->unix_path);
    rqx__free(client->no_proxy);
    rqx__free(client);
}

static int copy_text(const char *text, char **ret_copy)
{
    if (text == NULL)
        return 0;
    *ret_copy = rqx__strndup(text, strlen(text));
    return *ret_copy == NULL ? RQX_ERR_NOMEM : 0;
}

static int env_proxy(const char *scheme, rqx_tls *tls, rqx_proxy **ret_proxy)
{
    const char *text = rqx__env_proxy(scheme);
    rqx_proxy_options options;
    rqx_url *url = NULL;
    int rv;

    if (text == NULL)
        return 0;
    rv = rqx__env_proxy_url(text, &url);
    if (rv < 0)
        return rv;
    rqx_proxy_options_init(&options);
    options.tls = tls;
    rv = rqx_proxy_new(url, &options, ret_proxy);
    rqx_url_unref(url);
    return rv;
}

/* Both proxies of the environment trust the system, and share what is read for that. */
static int env_proxies(struct rqx_client *client)
{
    rqx_tls *tls = NULL;
    int rv;

    if (rqx__env_proxy("http") == NULL && rqx__env_proxy("https") == NULL)
        return 0;
    rv = rqx_tls_new(NULL, &tls);
    if (rv >= 0)
        rv = env_proxy("http", tls, &client->env_http);
    if (rv >= 0)
        rv = env_proxy("https", tls, &client->env_https);
    rqx_tls_unref(tls);
    return rv;
}

static int read_environment(struct rqx_client *client)
{
    int rv;

    if (!client->options.trust_env || client->options.proxy != NULL || client->unix_path != NULL)
        return 0;
    rv = env_proxies(client);
    if (rv >= 0)
        rv = copy_text(rqx__env_no_proxy(), &client->no_proxy);
    return rv;
}

static int copy_socket_options(struct rqx_client *client, const rqx_client_options *options)
{
    size_t i;

    client->options.socket_options = NULL;
    if (options->socket_option_count == 0)
        return 0;
    client->socket_options = rqx__calloc(options->socket_option_count, sizeof *client->socket_options);
    if (client->socket_options == NULL)
        return RQX_ERR_NOMEM;
    client->options.socket_options = client->socket_options;
    for (i = 0; i < options->socket_option_count; i++) {
        const rqx_socket_option *option = &options->socket_options[i];

        client->socket_options[i] = *option;
        client->socket_options[i].value = NULL;
        if (option->value == NULL)
            continue; /* a length alone is what some options want */
        client->socket_options[i].value = rqx__strndup(option->value, option->len);
        if (client->socket_options[i].value == NULL)
            return RQX_ERR_NOMEM;
    }
    return 0;
}

static int copy_address_policy(struct rqx_client *client, const rqx_client_options *options)
{
    int rv = 0;

    client->options.address_policy = NULL;
    if (options->address_policy != NULL)
        rv = rqx__address_policy_copy(options->address_policy, &client->address_policy);
    client->options.address_policy = client->address_policy;
    return rv;
}

/* Credentials among the default fields are for where the first request goes, as all others are. */
static int copy_defaults(struct rqx_client *client, const rqx_headers *headers)
{
    int rv = rqx_headers_copy(headers, &client->defaults);

    return rv < 0 ? rv : rqx__redirect_fields(headers, false, false, &client->defaults_elsewhere);
}

static int copy_options(struct rqx_client *client, const rqx_client_options *options)
{
    rqx_client_options *own = &client->options;
    int rv = 0;

    *own = *options;
    own->headers = NULL;
    own->netrc = NULL;
    own->proxy = options->proxy == NULL ? NULL : rqx_proxy_ref(options->proxy);
    own->cookies = options->cookies == NULL ? NULL : rqx_cookies_ref(options->cookies);
    own->auth = options->auth == NULL ? NULL : rqx_auth_ref(options->auth);
    own->tls = options->tls == NULL ? NULL : rqx_tls_ref(options->tls);
    own->retry = options->retry == NULL ? NULL : rqx_retry_ref(options->retry);
    if (own->tls == NULL)
        rv = rqx_tls_new(NULL, &own->tls);
    if (rv >= 0)
        rv = copy_socket_options(client, options);
    if (rv >= 0)
        rv = copy_address_policy(client, options);
    if (rv >= 0 && options->headers != NULL)
        rv = copy_defaults(client, options->headers);
    if (rv >= 0)
        rv = copy_text(options->local_address, &client->local_address);
    if (rv >= 0)
        rv = copy_text(options->unix_path, &client->unix_path);
    if (rv >= 0)
        rv = read_environment(client);
    if (rv >= 0 && options->netrc != NULL)
        rv = rqx__netrc_read(options->netrc, &client->netrc);
    return rv;
}

static int check_options(const rqx_client_options *options)
{
    const rqx_limits *limits = &options->limits;
    struct sockaddr_storage local;
    size_t i;

    if (options->struct_size < sizeof *options)
        return RQX_ERR_INVALID_ARGUMENT;
    if (options->protocols == 0 || (options->protocols & ~(unsigned)(RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2)) != 0)
        return RQX_ERR_INVALID_ARGUMENT;
    if (options->socket_option_count > SOCKET_OPTIONS_MAX ||
        (options->socket_option_count != 0 && options->socket_options == NULL))
        return RQX_ERR_INVALID_ARGUMENT;
    for (i = 0; i < options->socket_option_count; i++) {
        if (options->socket_options[i].len > SOCKET_OPTION_LEN_MAX)
            return RQX_ERR_INVALID_ARGUMENT;
    }
    if (limits->max_connections == 0 || limits->max_streams == 0 || limits->max_connections_per_origin == 0)
        return RQX_ERR_INVALID_ARGUMENT; /* nothing could ever be sent */
    if (options->max_window < 65535 || options->max_window > INT32_MAX || options->max_header_list == 0)
        return RQX_ERR_INVALID_ARGUMENT;
    if (options->max_redirects < 0 || options->max_replays < 0 || options->connect_retries < 0)
        return RQX_ERR_INVALID_ARGUMENT;
    return options->local_address == NULL
               ? 0
               : rqx__sockaddr_read((rqx_slice){options->local_address, strlen(options->local_address)}, &local);
}

int rqx_client_new(rqx_engine *engine, const rqx_client_options *options, rqx_client **ret_client)
{
    rqx_client_options defaults;
    struct rqx_client *client;
    int rv;

    if (options == NULL) {
        rqx_client_options_init(&defaults);
        options = &defaults;
    }
    rv = check_options(options);
    if (rv < 0)
        return rv;
    client = rqx__calloc(1, sizeof *client);
    if (client == NULL)
        return RQX_ERR_NOMEM;
    atomic_init(&client->refs, 1);
    client->dead.bury_cb = bury;
    rqx__list_init(&client->engine_node);
    rqx__list_init(&client->exchanges);
    client->engine = engine;
    rv = copy_options(client, options);
    if (rv >= 0)
        rv = rqx__engine_lock(engine);
    if (rv < 0) {
        client_free(client);
        return rv;
    }
    rqx_engine_ref(engine);
    rqx__pool_init(&client->pool, client);
    rqx__list_push_back(&engine->clients, &client->engine_node);
    rqx__engine_unlock_quiet(engine);
    *ret_client = client;
    return 0;
}

rqx_client *rqx_client_ref(rqx_client *client)
{
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return client;
}

static void close_locked(struct rqx_client *client)
{
    struct rqx__err err;

    client->closed = true;
    rqx__err_set(&err, RQX_ERR_CLOSED, NULL);
    while (!rqx__list_empty(&client->exchanges))
        rqx__exchange_end(RQX__OF(client->exchanges.next, struct rqx__exchange, client_node), &err, 8 /* CANCEL */);
    rqx__pool_shutdown(&client->pool);
}

void rqx__client_reap(struct rqx_client *client)
{
    struct rqx_engine *engine = client->engine;

    if (!client->unreferenced || client->exchange_count != 0)
        return;
    rqx__pool_done(&client->pool, client);
    rqx__list_remove(&client->engine_node);
    client_free(client);
    engine->refs_to_drop++;
}

static void bury(struct rqx__dead *dead)
{
    struct rqx_client *client = RQX__OF(dead, struct rqx_client, dead);

    client->unreferenced = true;
    if (!client->closed)
        close_locked(client);
    rqx__client_reap(client);
}

/* In a forked child there is but one thread, and the lock means nothing. */
static void abandon(struct rqx_client *client)
{
    struct rqx_engine *engine = client->engine;

    if (rqx__engine_torn(engine))
        return;
    rqx__engine_abandon(engine);
    rqx__pool_abandon(&client->pool, client);
    rqx__list_remove(&client->engine_node);
    /* exchanges that the parent had under way are left as they are, and with them what they point at */
    if (client->exchange_count != 0)
        return;
    client_free(client);
    rqx_engine_unref(engine);
}

void rqx_client_unref(rqx_client *client)
{
    struct rqx_engine *engine;

    if (client == NULL || atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
        return;
    engine = client->engine;
    if (rqx__engine_forked(engine)) {
        abandon(client);
        return;
    }
    rqx__engine_hold(engine); /* the client's own may go with it */
    rqx__engine_bury(engine, &client->dead);
    rqx__engine_user_gone(engine);
    rqx__engine_release(engine);
}

void rqx_client_close(rqx_client *client)
{
    if (rqx__engine_lock(client->engine) < 0)
        return;
    if (!client->closed)
        close_locked(client);
    rqx__engine_unlock(client->engine);
}

rqx_engine *rqx_client_engine(const rqx_client *client)
{
    return client->engine;
}

rqx_proxy *rqx__client_proxy_for(const struct rqx_client *client, const rqx_url *url)
{
    bool secure = rqx_url_scheme(url).len == 5;
    rqx_proxy *proxy = secure ? client->env_https : client->env_http;

    if (client->options.proxy != NULL)
        return client->options.proxy;
    if (proxy == NULL || (client->no_proxy != NULL && rqx__no_proxy_match(client->no_proxy, url)))
        return NULL;
    return proxy;
}

/* ---- submitting ---- */

/* What can be refused before anything is done. */
/* Content-Length of the user's own: a number, one value, and that of the body where it is known (RFC 9110 section 8.6).
 */
static int check_length(const struct rqx_request *request)
{
    const struct rqx_headers *fields = &request->headers;
    const struct rqx__field *field = rqx__headers_find(fields, RQX__FIELD_CONTENT_LENGTH, 0);
    int64_t length = request->body.kind == RQX__BODY_NONE ? 0 : request->body.length;

    while (field != NULL) {
        uint64_t value;

        if (rqx__parse_u64(field->value, field->value_len, INT64_MAX, &value) < 0)
            return RQX_ERR_INVALID_FIELD;
        if (length < 0)
            length = (int64_t)value;
        if ((uint64_t)length != value)
            return RQX_ERR_REQUEST_LENGTH;
        field = rqx__headers_find(fields, RQX__FIELD_CONTENT_LENGTH, (size_t)(field - fields->fields) + 1);
    }
    return 0;
}

static int check_request(const struct rqx_client *client, const struct rqx_request *request)
{
    if (client->closed)
        return RQX_ERR_CLOSED;
    if (client->engine->pull_events && request->event_cb != NULL)
        return RQX_ERR_MODE;
    if ((request->protocols & ~(unsigned)(RQX_PROTO_HTTP1 | RQX_PROTO_HTTP2)) != 0)
        return RQX_ERR_INVALID_ARGUMENT;
    return check_length(request);
}

static int submit_locked(struct rqx_client *client, struct rqx_request *request, void *user,
                         struct rqx__exchange **ret_exchange)
{
    struct rqx__exchange *exchange = NULL;
    int claimed;
    int rv = check_request(client, request);

    if (rv < 0)
        return rv;
    claimed = rqx__request_claim_source(request);
    if (claimed < 0)
        return claimed;
    rv = rqx__exchange_new(client, request, user, &exchange);
    if (rv < 0) {
        rqx__request_release_source(request);
        return rv;
    }
    exchange->upload.rewind = claimed == 1;
    rqx__hop_first(exchange);
    *ret_exchange = exchange;
    return rqx__exchange_start(exchange);
}

int rqx_client_submit(rqx_client *client, rqx_request *request, void *user, rqx_response **ret_response)
{
    struct rqx__exchange *exchange = NULL;
    int rv = rqx__engine_lock(client->engine);

    if (rv < 0)
        return rv;
    rv = submit_locked(client, request, user, &exchange);
    if (rv >= 0)
        *ret_response = &exchange->response;
    rqx__engine_unlock(client->engine);
    return rv;
}

int rqx_client_perform(rqx_client *client, rqx_request *request, rqx_response **ret_response)
{
    rqx_response *response = NULL;
    int rv;

    *ret_response = NULL;
    if (client->engine->mode != RQX_MODE_SYNC)
        return RQX_ERR_MODE;
    if (rqx__engine_forked(client->engine))
        return RQX_ERR_FORKED;
    if (request->body.kind == RQX__BODY_PUSH)
        return RQX_ERR_STATE; /* who waits here cannot push */
    rv = rqx_client_submit(client, request, NULL, &response);
    if (rv < 0)
        return rv;
    do /* a body that nobody reads would never end */
        rv = rqx_response_wait(response, request->streamed ? RQX_EVENT_HEAD : RQX_EVENT_DONE, RQX_NO_TIMEOUT);
    while (rv == RQX_AGAIN); /* a signal */
    *ret_response = response;
    if (rv >= 0 && rqx_response_done(response))
        rv = rqx_response_error(response)->code;
    return rv;
}
