/*
 * transport.c - the Python type EngineTransport.
 */
#include "transport.h"

#include "address.h"
#include "errors.h"
#include "exchange.h"
#include "headers.h"
#include "retry.h"
#include "tls.h"
#include "url.h"

#include <arpa/inet.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* --- settings --- */

int core_milliseconds(PyObject *seconds, int64_t *ret_ms)
{
    double value;

    if (seconds == Py_None) {
        *ret_ms = RQX_NO_TIMEOUT;
        return 0;
    }
    value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred())
        return -1;
    if (!(value < 9e12))
        *ret_ms = RQX_NO_TIMEOUT;
    else
        *ret_ms = value <= 0 ? 0 : (int64_t)ceil(value * 1000);
    return 0;
}

int core_stall(PyObject *stall, rqx_timeouts *ret_timeouts)
{
    PyObject *seconds;
    double rate;

    ret_timeouts->stall_rate = ret_timeouts->stall_ms = 0;
    if (stall == Py_None)
        return 0;
    if (!PyTuple_Check(stall) || !PyArg_ParseTuple(stall, "dO:stall", &rate, &seconds)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "stall must be (bytes per second, seconds)");
        return -1;
    }
    if (!(rate > 0))
        return 0;
    ret_timeouts->stall_rate = rate < 9e18 ? (int64_t)ceil(rate) : INT64_MAX;
    return core_milliseconds(seconds, &ret_timeouts->stall_ms);
}

static int limit_arg(PyObject *value, int64_t *ret_limit)
{
    long long limit;

    if (value == NULL || value == Py_None) {
        *ret_limit = RQX_LIMIT_NONE;
        return 0;
    }
    limit = PyLong_AsLongLong(value);
    if (limit == -1 && PyErr_Occurred())
        return -1;
    *ret_limit = limit < 0 ? 0 : limit;
    return 0;
}

static int keep(PyObject **field, PyObject *value)
{
    Py_XSETREF(*field, value == NULL || value == Py_None ? NULL : Py_NewRef(value));
    return 0;
}

/* The library would refuse it too, but only when the first request is sent, and without its name. */
static int check_local_address(PyObject *value)
{
    struct in6_addr address; /* room for either */
    const char *text;
    Py_ssize_t len;

    if (value == NULL || value == Py_None)
        return 0;
    text = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &len) : NULL;
    if (PyErr_Occurred())
        return -1;
    if (text != NULL && strlen(text) == (size_t)len &&
        (inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1))
        return 0;
    PyErr_Format(PyExc_ValueError, "local_address is an IP address, not %R", value);
    return -1;
}

/* The path of a Unix socket, kept as bytes without a NUL in them.  0 or -1. */
static int set_path(CoreTransport *self, PyObject *path)
{
    PyObject *bytes = NULL;

    if (path != NULL && path != Py_None && !PyUnicode_FSConverter(path, &bytes))
        return -1;
    Py_XSETREF(self->uds, bytes);
    if (bytes == NULL || PyBytes_GET_SIZE(bytes) > 0)
        return 0;
    PyErr_SetString(PyExc_ValueError, "uds must not be empty");
    return -1;
}

static int set_limits(CoreTransport *self, PyObject *connections, PyObject *keepalive, PyObject *expiry)
{
    rqx_client_options defaults;

    rqx_client_options_init(&defaults);
    self->limits = defaults.limits;
    if (limit_arg(connections, &self->limits.max_connections) < 0 ||
        limit_arg(keepalive, &self->limits.max_keepalive) < 0 ||
        core_milliseconds(expiry, &self->limits.keepalive_expiry_ms) < 0)
        return -1;
    if (self->limits.max_connections != 0)
        return 0;
    PyErr_SetString(PyExc_ValueError, "max_connections has to be 1 at least, or None");
    return -1;
}

static int transport_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"is_async",
                            "tls",
                            "http1",
                            "http2",
                            "max_connections",
                            "max_keepalive_connections",
                            "keepalive_expiry",
                            "proxy",
                            "proxy_tls",
                            "uds",
                            "local_address",
                            "retries",
                            "socket_options",
                            "address_policy",
                            "retry",
                            NULL};
    CoreTransport *self = (CoreTransport *)op;
    PyObject *connections = NULL, *keepalive = NULL, *expiry = Py_None, *proxy = NULL, *uds = NULL, *local = NULL;
    PyObject *tls = NULL, *proxy_tls = NULL, *options = NULL, *policy = NULL, *retry = NULL;
    int http1 = 1, http2 = 1;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pO!ppOOOOOOOiOOO:EngineTransport", names, &self->is_async,
                                     self->state->tls_type, &tls, &http1, &http2, &connections, &keepalive, &expiry,
                                     &proxy, &proxy_tls, &uds, &local, &self->retries, &options, &policy, &retry) ||
        set_limits(self, connections, keepalive, expiry) < 0 || set_path(self, uds) < 0 ||
        check_local_address(local) < 0)
        return -1;
    if (self->retries < 0)
        self->retries = 0;
    self->protocols = (http1 ? RQX_PROTO_HTTP1 : 0u) | (http2 ? RQX_PROTO_HTTP2 : 0u);
    if (self->protocols == 0) {
        PyErr_SetString(PyExc_ValueError, "either http1 or http2 has to be on");
        return -1;
    }
    if (proxy_tls != NULL && proxy_tls != Py_None && !PyObject_TypeCheck(proxy_tls, self->state->tls_type)) {
        PyErr_SetString(PyExc_TypeError, "proxy_tls must be a Tls");
        return -1;
    }
    if (retry != NULL && retry != Py_None) {
        rqx_retry *native = core_retry_of(self->state, retry);

        if (native == NULL)
            return -1;
        rqx_retry_unref(native);
    }
    keep(&self->tls, tls);
    keep(&self->retry, retry);
    keep(&self->proxy, proxy);
    keep(&self->proxy_tls, proxy_tls);
    keep(&self->local_address, local);
    if (options != NULL && options != Py_None) {
        options = core_socket_options(options);
        if (options == NULL)
            return -1;
        Py_XSETREF(self->socket_options, options);
    }
    if (policy != NULL && policy != Py_None && !Py_IS_TYPE(policy, self->state->address_rules_type)) {
        PyErr_SetString(PyExc_TypeError, "address_policy must be AddressRules");
        return -1;
    }
    keep(&self->address_policy, policy);
    return 0;
}

/* user and password of Proxy.raw_auth, pointing into |auth|. */
static int proxy_auth(PyObject *proxy, PyObject **ret_auth, const char **ret_user, const char **ret_password)
{
    PyObject *auth = PyObject_GetAttrString(proxy, "raw_auth");

    *ret_auth = auth;
    *ret_user = *ret_password = NULL;
    if (auth == NULL || auth == Py_None)
        return auth == NULL ? -1 : 0;
    return PyArg_ParseTuple(auth, "yy:raw_auth", ret_user, ret_password) ? 0 : -1;
}

static rqx_headers *proxy_headers(core_state *state, PyObject *proxy)
{
    PyObject *headers = PyObject_GetAttr(proxy, state->names.headers);
    rqx_headers *native = NULL;
    CoreHeaders *list;
    core_field *bad;
    int rc;

    list = headers == NULL ? NULL : core_headers_from(state, headers);
    Py_XDECREF(headers);
    if (list == NULL)
        return NULL;
    rc = rqx_headers_new(&native);
    if (rc == 0)
        rc = core_headers_to_native(list, native, &bad);
    Py_DECREF(list);
    if (rc == 0)
        return native;
    rqx_headers_free(native);
    core_raise(state, rc, "invalid field for the proxy", NULL);
    return NULL;
}

static rqx_proxy *make_proxy(CoreTransport *self)
{
    PyObject *url = PyObject_GetAttr(self->proxy, self->state->names.url), *auth = NULL;
    rqx_headers *headers = NULL;
    rqx_proxy *proxy = NULL;
    rqx_proxy_options options;
    int rc;

    rqx_proxy_options_init(&options);
    if (url == NULL || !CoreURL_Check(self->state, url)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "Proxy.url must be a URL");
        goto done;
    }
    if (proxy_auth(self->proxy, &auth, &options.user, &options.password) < 0 ||
        (headers = proxy_headers(self->state, self->proxy)) == NULL)
        goto done;
    options.headers = headers;
    options.tls = self->proxy_tls == NULL ? NULL : ((CoreTls *)self->proxy_tls)->native;
    rc = rqx_proxy_new(core_url_native(url), &options, &proxy);
    if (rc == RQX_ERR_INVALID_ARGUMENT)
        PyErr_SetString(PyExc_ValueError, "the proxy's credentials or headers are too long (SOCKS: 255 bytes each)");
    else if (rc < 0)
        core_raise(self->state, rc,
                   rc == RQX_ERR_UNSUPPORTED_SCHEME ? "proxies of this scheme are not supported" : NULL, NULL);

done:
    Py_XDECREF(url);
    Py_XDECREF(auth);
    rqx_headers_free(headers);
    return proxy;
}

rqx_client *core_transport_make_client(CoreTransport *self, rqx_engine *engine)
{
    rqx_socket_option list[CORE_SOCKET_OPTIONS_MAX];
    rqx_timeouts none = {RQX_NO_TIMEOUT, RQX_NO_TIMEOUT, RQX_NO_TIMEOUT, RQX_NO_TIMEOUT, RQX_NO_TIMEOUT, 0, 0};
    rqx_client_options options;
    rqx_proxy *proxy = NULL;
    rqx_retry *retry;
    rqx_client *client = NULL;
    int rc;

    if (self->proxy != NULL && (proxy = make_proxy(self)) == NULL)
        return NULL;
    rqx_client_options_init(&options);
    options.protocols = self->protocols;
    options.tls = self->tls == NULL ? NULL : ((CoreTls *)self->tls)->native;
    options.proxy = proxy;
    options.trust_env = 0;
    options.timeouts = none;
    options.limits = self->limits;
    options.connect_retries = self->retries;
    if (self->address_policy != NULL)
        options.address_policy = ((CoreAddressRules *)self->address_policy)->native;
    options.retry = retry = self->retry == NULL ? NULL : core_retry_of(self->state, self->retry);
    options.unix_path = self->uds == NULL ? NULL : PyBytes_AS_STRING(self->uds);
    options.local_address = self->local_address == NULL ? NULL : PyUnicode_AsUTF8(self->local_address);
    options.socket_options = list;
    options.socket_option_count = core_socket_options_fill(self->socket_options, list);
    rc = PyErr_Occurred() ? RQX_ERR_INVALID_ARGUMENT : rqx_client_new(engine, &options, &client);
    rqx_proxy_unref(proxy);
    rqx_retry_unref(retry);
    if (rc < 0 && !PyErr_Occurred())
        core_raise_submit(self->state, rc, NULL, NULL);
    return client;
}

/* --- sync --- */

static void drop_sync(CoreTransport *self)
{
    struct core_sync *sync = self->sync;

    self->sync = NULL;
    core_sync_unref(sync);
}

static struct core_sync *open_sync(CoreTransport *self)
{
    rqx_engine_options options;
    rqx_engine *engine = NULL;
    struct core_sync *sync = NULL;
    rqx_client *client;
    int rc;

    rqx_engine_options_init(&options);
    options.mode = RQX_MODE_SYNC;
    options.pull_events = 1;
    rc = rqx_engine_new(&options, &engine);
    if (rc < 0) {
        core_raise_submit(self->state, rc, NULL, NULL);
        return NULL;
    }
    client = core_transport_make_client(self, engine);
    if (client != NULL && (sync = core_sync_new(engine, client)) == NULL)
        PyErr_NoMemory();
    if (sync == NULL) {
        rqx_client_unref(client);
        rqx_engine_unref(engine);
    }
    return sync;
}

struct core_sync *core_transport_sync(CoreTransport *self)
{
    struct core_sync *sync;

    if (self->sync == NULL) {
        sync = open_sync(self);
        if (self->sync == NULL)
            self->sync = sync;
        else
            core_sync_unref(sync); /* another thread was quicker while attributes of the proxy were read */
    }
    return self->sync == NULL ? NULL : core_sync_ref(self->sync);
}

/* --- async --- */

static CoreDriver *keep_driver(CoreTransport *self, CoreDriver *driver)
{
    CoreDriver **grown;

    if (driver == NULL)
        return NULL;
    grown = PyMem_Realloc(self->drivers, (size_t)(self->driver_count + 1) * sizeof *grown);
    if (grown == NULL) {
        core_driver_shutdown(driver);
        Py_DECREF(driver);
        return (CoreDriver *)PyErr_NoMemory();
    }
    self->drivers = grown;
    self->drivers[self->driver_count++] = driver;
    return driver;
}

static void remove_driver(CoreTransport *self, CoreDriver *driver)
{
    for (Py_ssize_t i = 0; i < self->driver_count; i++) {
        if (self->drivers[i] == driver) {
            self->drivers[i] = self->drivers[--self->driver_count];
            return;
        }
    }
}

/* A driver whose loop was closed takes its connections to the next loop; further ones are shut down. */
static CoreDriver *reuse_driver(CoreTransport *self, PyObject *loop, int is_trio)
{
    CoreDriver *found = NULL;

    for (Py_ssize_t i = self->driver_count - 1; i >= 0; i--) {
        CoreDriver *driver = self->drivers[i];
        int closed = core_driver_loop_closed(driver);

        if (closed < 0)
            return NULL;
        if (!closed || driver->pid != getpid())
            continue;
        if (found == NULL && driver->live == NULL && core_driver_rebind(driver, loop, is_trio) == 0) {
            found = driver;
            continue;
        }
        if (PyErr_Occurred())
            return NULL;
        remove_driver(self, driver);
        core_driver_shutdown(driver);
        Py_DECREF(driver);
    }
    return found;
}

CoreDriver *core_transport_driver(CoreTransport *self, PyObject *loop, int is_trio)
{
    CoreDriver *driver;

    for (Py_ssize_t i = 0; i < self->driver_count; i++) {
        if (self->drivers[i]->loop == loop && self->drivers[i]->client != NULL)
            return self->drivers[i];
    }
    driver = reuse_driver(self, loop, is_trio);
    if (driver != NULL || PyErr_Occurred())
        return driver;
    return keep_driver(self, core_driver_new(self, loop, is_trio));
}

void core_transport_forked(CoreTransport *self, CoreDriver *driver)
{
    if (driver == NULL) {
        drop_sync(self);
        return;
    }
    remove_driver(self, driver);
    core_driver_forget(driver);
    Py_DECREF(driver);
}

static void close_drivers(CoreTransport *self, void (*close_one)(CoreDriver *driver))
{
    while (self->driver_count > 0) {
        CoreDriver *driver = self->drivers[--self->driver_count];

        if (driver->pid == getpid())
            close_one(driver);
        else
            core_driver_forget(driver);
        Py_DECREF(driver);
    }
}

static PyObject *transport_close(PyObject *op, PyObject *unused)
{
    CoreTransport *self = (CoreTransport *)op;
    struct core_sync *sync = self->sync;

    (void)unused;
    self->closed = 1;
    close_drivers(self, core_driver_shutdown);
    self->sync = NULL;
    if (sync != NULL) {
        Py_BEGIN_ALLOW_THREADS core_sync_close(sync);
        core_sync_unref(sync);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static PyObject *transport_stats(PyObject *op, PyObject *unused)
{
    CoreTransport *self = (CoreTransport *)op;
    rqx_engine_stats stats, sum;
    Py_ssize_t i;

    (void)unused;
    memset(&sum, 0, sizeof sum);
    for (i = -1; i < self->driver_count; i++) {
        rqx_engine *engine = i >= 0               ? self->drivers[i]->engine
                             : self->sync == NULL ? NULL
                                                  : core_sync_engine(self->sync);

        if (engine == NULL)
            continue;
        rqx_engine_get_stats(engine, &stats);
        sum.connections_open += stats.connections_open;
        sum.connections_made += stats.connections_made;
        sum.exchanges_open += stats.exchanges_open;
        sum.exchanges_queued += stats.exchanges_queued;
        sum.exchanges_done += stats.exchanges_done;
        sum.replays += stats.replays;
        sum.resets_sent += stats.resets_sent;
        sum.dispatches += stats.dispatches;
    }
    return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "connections_open", sum.connections_open,
                         "connections_made", sum.connections_made, "exchanges_open", sum.exchanges_open,
                         "exchanges_queued", sum.exchanges_queued, "exchanges_done", sum.exchanges_done, "replays",
                         sum.replays, "resets_sent", sum.resets_sent, "dispatches", sum.dispatches);
}

static PyObject *get_proxy_url(PyObject *op, void *closure)
{
    CoreTransport *self = (CoreTransport *)op;

    (void)closure;
    if (self->proxy == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_proxy_url");
        return NULL;
    }
    return PyObject_GetAttr(self->proxy, self->state->names.url);
}

/* --- the type --- */

static PyObject *transport_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    core_state *state = core_state_of(type);
    CoreTransport *self = state == NULL ? NULL : (CoreTransport *)type->tp_alloc(type, 0);

    (void)args;
    (void)kwargs;
    if (self != NULL)
        self->state = state;
    return (PyObject *)self;
}

static int transport_traverse(PyObject *op, visitproc visit, void *arg)
{
    CoreTransport *self = (CoreTransport *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->tls);
    Py_VISIT(self->retry);
    Py_VISIT(self->proxy);
    Py_VISIT(self->proxy_tls);
    Py_VISIT(self->uds);
    Py_VISIT(self->local_address);
    Py_VISIT(self->socket_options);
    Py_VISIT(self->address_policy);
    for (Py_ssize_t i = 0; i < self->driver_count; i++)
        Py_VISIT(self->drivers[i]);
    return 0;
}

static int transport_clear(PyObject *op)
{
    CoreTransport *self = (CoreTransport *)op;

    Py_CLEAR(self->tls);
    Py_CLEAR(self->retry);
    Py_CLEAR(self->proxy);
    Py_CLEAR(self->proxy_tls);
    Py_CLEAR(self->uds);
    Py_CLEAR(self->local_address);
    Py_CLEAR(self->socket_options);
    Py_CLEAR(self->address_policy);
    return 0;
}

static void transport_dealloc(PyObject *op)
{
    CoreTransport *self = (CoreTransport *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject *error_type, *error, *traceback;

    PyObject_GC_UnTrack(op);
    PyErr_Fetch(&error_type, &error, &traceback);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    close_drivers(self, core_driver_abandon);
    PyMem_Free(self->drivers);
    drop_sync(self);
    transport_clear(op);
    PyErr_Restore(error_type, error, traceback);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef transport_methods[] = {
    {"submit", core_transport_submit, METH_O,
     "submit($self, request, /)\n--\n\nStart a request; its response is the exchange's."},
    {"close", transport_close, METH_NOARGS, "close($self, /)\n--\n\nEnd all exchanges and close all connections."},
    {"stats", transport_stats, METH_NOARGS, "stats($self, /)\n--\n\nCounters of the engine."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef transport_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(CoreTransport, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef transport_getset[] = {
    {"_proxy_url", get_proxy_url, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot transport_slots[] = {
    {Py_tp_doc, (void *)"Connections, and how they are made."},
    {Py_tp_new, transport_new},
    {Py_tp_init, transport_init},
    {Py_tp_dealloc, transport_dealloc},
    {Py_tp_traverse, transport_traverse},
    {Py_tp_clear, transport_clear},
    {Py_tp_methods, transport_methods},
    {Py_tp_members, transport_members},
    {Py_tp_getset, transport_getset},
    {0, NULL},
};

static PyType_Spec transport_spec = {
    .name = "requestx._core.EngineTransport",
    .basicsize = sizeof(CoreTransport),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = transport_slots,
};

int core_transport_init(PyObject *module, core_state *state)
{
    state->transport_type = core_add_type(module, &transport_spec, NULL, 1);
    return state->transport_type == NULL ? -1 : 0;
}
