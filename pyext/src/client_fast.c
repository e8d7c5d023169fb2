/*
 * client_fast.c - the fast path: its settings, when it applies, and what it does with the response.
 */
#include "client_fast.h"

#include "headers.h"
#include "models.h"
#include "transport.h"
#include "url.h"

#include <string.h>

/* --- settings --- */

static void drop_settings(core_settings *settings)
{
    Py_XDECREF((PyObject *)settings->transport);
    Py_XDECREF((PyObject *)settings->headers);
    Py_XDECREF(settings->auth);
    Py_XDECREF(settings->cookies);
    Py_XDECREF(settings->event_hooks);
    Py_XDECREF(settings->base_url);
    Py_XDECREF(settings->default_encoding);
    Py_XDECREF(settings->timeout);
    rqx_headers_free(settings->fields);
    for (int i = 0; i < CORE_URL_CACHE; i++) {
        rqx_url_unref(settings->urls[i].url);
        Py_XDECREF(settings->urls[i].text);
    }
}

void core_fast_clear(CoreClient *self)
{
    core_settings old = self->settings;

    memset(&self->settings, 0, sizeof self->settings);
    self->generation++;
    drop_settings(&old);
}

int core_fast_traverse(CoreClient *self, visitproc visit, void *arg)
{
    const core_settings *settings = &self->settings;

    Py_VISIT((PyObject *)settings->transport);
    Py_VISIT((PyObject *)settings->headers);
    Py_VISIT(settings->cookies);
    Py_VISIT(settings->event_hooks);
    Py_VISIT(settings->base_url);
    Py_VISIT(settings->default_encoding);
    Py_VISIT(settings->timeout);
    return 0;
}

/* A number that changes when |type| or one of its bases is changed, by whatever thread; 0: it has none. */
static unsigned int type_tag(PyTypeObject *type)
{
#if defined(Py_GIL_DISABLED)
    return __atomic_load_n(&type->tp_version_tag, __ATOMIC_RELAXED);
#elif PY_VERSION_HEX >= 0x030D0000 /* the flag is never set from 3.13 on: a tag that is not valid is 0 */
    return type->tp_version_tag;
#else
    return type->tp_flags & Py_TPFLAGS_VALID_VERSION_TAG ? type->tp_version_tag : 0;
#endif
}

/* The tag of |type|, which looking |name| up gives it if it had none; and whether what was found is |wanted|. */
static unsigned int fresh_tag(PyTypeObject *type, PyObject *name, PyObject *wanted, char *ret_same)
{
    PyObject *found = PyObject_GetAttr((PyObject *)type, name);

    if (found == NULL)
        PyErr_Clear();
    *ret_same = found != NULL && found == wanted;
    Py_XDECREF(found);
    return type_tag(type);
}

static PyTypeObject *transport_class(CoreClient *self)
{
    return (PyTypeObject *)self->state->registered[self->is_async ? CORE_AsyncHTTPTransport : CORE_HTTPTransport];
}

static Py_ssize_t dict_size(const CoreClient *self)
{
    return self->dict == NULL ? 0 : PyDict_GET_SIZE(self->dict);
}

static void note_tags(CoreClient *self, core_settings *settings)
{
    PyTypeObject *transport = transport_class(self);
    core_state *state = self->state;
    char unused;

    settings->type_tag = fresh_tag(Py_TYPE(self), state->names._fast_log, NULL, &unused);
    if (transport != NULL && self->is_async)
        settings->transport_tag =
            fresh_tag(transport, state->names.handle_async_request, state->async_handler, &settings->transport_is_own);
    else if (transport != NULL)
        settings->transport_tag =
            fresh_tag(transport, state->names.handle_request, state->sync_handler, &settings->transport_is_own);
}

static int tags_hold(CoreClient *self)
{
    PyTypeObject *transport = transport_class(self);
    const core_settings *settings = &self->settings;

    return settings->type_tag != 0 && settings->type_tag == type_tag(Py_TYPE(self)) && transport != NULL &&
           settings->transport_tag != 0 && settings->transport_tag == type_tag(transport) &&
           settings->dict_size == dict_size(self);
}

static int attribute_ms(PyObject *timeout, PyObject *name, int64_t *ret_ms)
{
    PyObject *value = PyObject_GetAttr(timeout, name);
    int rc = value == NULL ? -1 : core_milliseconds(value, ret_ms);

    Py_XDECREF(value);
    return rc;
}

static int attribute_stall(PyObject *timeout, PyObject *name, rqx_timeouts *ret_timeouts)
{
    PyObject *value = PyObject_GetAttr(timeout, name);
    int rc = value == NULL ? -1 : core_stall(value, ret_timeouts);

    Py_XDECREF(value);
    return rc;
}

int core_timeouts_of(core_state *state, PyObject *timeout, rqx_timeouts *ret_timeouts)
{
    if (attribute_ms(timeout, state->names.connect, &ret_timeouts->connect_ms) < 0 ||
        attribute_ms(timeout, state->names.read, &ret_timeouts->read_ms) < 0 ||
        attribute_ms(timeout, state->names.write, &ret_timeouts->write_ms) < 0 ||
        attribute_ms(timeout, state->names.pool, &ret_timeouts->pool_ms) < 0 ||
        attribute_ms(timeout, state->names.total, &ret_timeouts->total_ms) < 0 ||
        attribute_stall(timeout, state->names.stall, ret_timeouts) < 0)
        return -1;
    return 0;
}

static PyObject *kept(PyObject *value)
{
    return value == NULL || value == Py_None ? NULL : Py_NewRef(value);
}

static int keep_base_url(core_state *state, PyObject *url, PyObject **ret_url)
{
    rqx_url *native;

    if (url == NULL || url == Py_None)
        return 0;
    if (!CoreURL_Check(state, url)) {
        PyErr_SetString(PyExc_TypeError, "base_url must be a URL");
        return -1;
    }
    native = core_url_native(url);
    if (native == NULL)
        return -1;
    *ret_url = rqx_url_host(native).len == 0 ? NULL : Py_NewRef(url);
    return 0;
}

/* The settings as they were given; borrowed. */
struct given {
    PyObject *transport;
    PyObject *headers;
    PyObject *auth;
    PyObject *timeout;
    PyObject *cookies;
    PyObject *hooks;
    PyObject *base_url;
    PyObject *encoding;
};

/* 0 or -1; |settings| then allow no fast path. */
static int fill_settings(core_state *state, const struct given *given, core_settings *settings)
{
    PyObject *encoding = given->encoding;

    if (!PyObject_TypeCheck(given->transport, state->transport_type) || !CoreHeaders_Check(state, given->headers) ||
        (given->auth != Py_None && !PyBytes_Check(given->auth))) {
        PyErr_SetString(PyExc_TypeError, "_fast_configure(): wrong type");
        return -1;
    }
    if (core_timeouts_of(state, given->timeout, &settings->timeouts) < 0 ||
        keep_base_url(state, given->base_url, &settings->base_url) < 0)
        return -1;
    settings->transport = (CoreTransport *)Py_NewRef(given->transport);
    settings->headers = (CoreHeaders *)Py_NewRef(given->headers);
    settings->auth = kept(given->auth);
    settings->timeout = kept(given->timeout);
    settings->cookies = kept(given->cookies);
    settings->event_hooks = kept(given->hooks);
    if (PyUnicode_Check(encoding) && PyUnicode_CompareWithASCIIString(encoding, "utf-8") == 0)
        encoding = Py_None;
    settings->default_encoding = kept(encoding);
    settings->enabled = 1;
    return 0;
}

/* Puts |fresh| in the place of the settings unless those are of a later turn; what is not kept is dropped. */
static void replace_settings(CoreClient *self, core_settings *fresh, uint64_t turn)
{
    core_settings old = *fresh;

    CORE_LOCK(self);
    if (turn == 0)
        turn = ++self->turns;
    if (turn >= self->turn) {
        old = self->settings;
        self->settings = *fresh;
        self->settings.dict_size = dict_size(self);
        self->generation++;
        self->turn = turn;
    }
    CORE_UNLOCK();
    drop_settings(&old);
}

PyObject *core_fast_turn(PyObject *op, PyObject *unused)
{
    uint64_t turn;

    (void)unused;
    CORE_LOCK(op);
    turn = ++((CoreClient *)op)->turns;
    CORE_UNLOCK();
    return PyLong_FromUnsignedLongLong(turn);
}

PyObject *core_fast_configure(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"enabled",     "transport", "headers",          "auth", "timeout", "cookies",
                            "event_hooks", "base_url",  "default_encoding", "turn", NULL};
    struct given given = {Py_None, Py_None, Py_None, Py_None, Py_None, Py_None, Py_None, Py_None};
    CoreClient *self = (CoreClient *)op;
    core_settings fresh = {.transport = NULL};
    unsigned long long turn = 0;
    int enabled = 0, rc = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pOOOOOOOOK:_fast_configure", names, &enabled, &given.transport,
                                     &given.headers, &given.auth, &given.timeout, &given.cookies, &given.hooks,
                                     &given.base_url, &given.encoding, &turn))
        return NULL;
    note_tags(self, &fresh);
    if (enabled && given.transport != Py_None && given.headers != Py_None && given.timeout != Py_None)
        rc = fill_settings(self->state, &given, &fresh);
    replace_settings(self, &fresh, turn);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}
/* --- conditions --- */

static int args_allow(CoreClient *self, PyObject *const *args, char *ret_follows)
{
    PyObject *follow = args[ARG_FOLLOW_REDIRECTS];

    if (is_default(self->state, follow))
        follow = self->follow_redirects;
    *ret_follows = follow == Py_True;
    return (follow == Py_False || follow == Py_True) && is_none(args[ARG_DATA]) && is_none(args[ARG_FILES]) &&
           is_none(args[ARG_COOKIES]) && is_none(args[ARG_EXTENSIONS]) && is_none(args[ARG_PARAMS]);
}

#ifdef Py_GIL_DISABLED
static int list_empty(PyObject *dict, PyObject *key)
{
    PyObject *list;
    int empty, rc = core_dict_item(dict, key, &list);

    if (rc <= 0)
        return rc == 0;
    empty = PyList_CheckExact(list) && PyList_GET_SIZE(list) == 0;
    Py_DECREF(list);
    return empty;
}
#else
static int list_empty(PyObject *dict, PyObject *key)
{
    PyObject *list = PyDict_GetItemWithError(dict, key);

    return list == NULL ? !PyErr_Occurred() : PyList_CheckExact(list) && PyList_GET_SIZE(list) == 0;
}
#endif

static int hooks_allow(CoreClient *self)
{
    PyObject *hooks = core_hold(self->settings.event_hooks);
    int allow = hooks == NULL ||
                (PyDict_CheckExact(hooks) && list_empty(hooks, self->state->names.request) &&
                 list_empty(hooks, self->state->names.response) && list_empty(hooks, self->state->names.informational));

    core_let_go(hooks);
    return allow;
}

/* Whether the cookie jar is empty, or not even made.  1, 0, or -1 with an exception. */
static int cookies_allow(CoreClient *self)
{
    PyObject *owner = core_hold(self->settings.cookies), *jar, *cookies;
    int empty;

    if (owner == NULL)
        return 1;
    jar = PyObject_GetAttr(owner, self->state->names._jar);
    core_let_go(owner);
    if (jar == NULL)
        return -1;
    if (jar == Py_None) {
        Py_DECREF(jar);
        return 1;
    }
    cookies = PyObject_GetAttr(jar, self->state->names._cookies);
    Py_DECREF(jar);
    if (cookies == NULL) {
        PyErr_Clear();
        return 0;
    }
    empty = PyDict_Check(cookies) && PyDict_GET_SIZE(cookies) == 0;
    Py_DECREF(cookies);
    return empty;
}

static int open_client(CoreClient *self)
{
    if (self->phase != CORE_CLIENT_UNOPENED)
        return self->phase == CORE_CLIENT_OPENED;
    self->phase = CORE_CLIENT_OPENED;
    return 1;
}

static int reconfigure(CoreClient *self)
{
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)self, self->state->names._reconfigure);

    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int transport_is_closed(CoreClient *self)
{
    CoreTransport *transport = (CoreTransport *)core_hold((PyObject *)self->settings.transport);
    int closed;

    CORE_LOCK(transport);
    closed = transport->closed;
    CORE_UNLOCK();
    core_let_go((PyObject *)transport);
    return closed;
}

/* Whether the settings, whose |*ret_generation| it tells, allow the fast path.  1, 0, or -1 with an exception. */
static int settings_allow(CoreClient *self, unsigned *ret_generation)
{
    int rc;

    if (!tags_hold(self) && reconfigure(self) < 0)
        return -1;
    *ret_generation = self->generation;
    if (!self->settings.enabled || !self->settings.transport_is_own || transport_is_closed(self))
        return 0;
    if (!hooks_allow(self))
        return PyErr_Occurred() ? -1 : 0;
    rc = cookies_allow(self);
    if (rc <= 0 || !core_settings_hold(self, *ret_generation))
        return rc < 0 ? -1 : 0;
    return open_client(self);
}

/* --- the request --- */

void core_fast_drop(core_fast *fast)
{
    rqx_request *native = fast->native;

    fast->native = NULL;
    rqx_request_unref(native);
    Py_CLEAR(fast->transport);
    Py_CLEAR(fast->content);
    Py_CLEAR(fast->timeout);
}

int core_fast_build(CoreClient *self, PyObject *const *args, core_fast *ret_fast)
{
    core_fast fast = {.native = NULL};
    unsigned generation = 0;
    int rc = 0;

    CORE_LOCK(self);
    if (args_allow(self, args, &fast.follows))
        rc = settings_allow(self, &generation);
    if (rc == 1)
        rc = core_fast_start(self, args, generation, &fast);
    CORE_UNLOCK();
    if (rc == 1)
        rc = core_fast_complete(self, args, generation, &fast);
    if (rc != 1) {
        core_fast_drop(&fast);
        return rc;
    }
    if (fast.follows)
        rqx_request_set_max_redirect_body(fast.native, CORE_MAX_REDIRECT_BODY);
    *ret_fast = fast;
    return 1;
}

/* --- the response --- */

static int call_method(CoreClient *self, PyObject *name, PyObject *response)
{
    PyObject *result = PyObject_CallMethodOneArg((PyObject *)self, name, response);

    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* The logger, borrowed, once somebody has imported logging; NULL: nobody has, or with an exception. */
static PyObject *logger_of(core_state *state)
{
    PyObject *logger = core_kept(&state->logger), *logging;

    if (logger != NULL || core_dict_item(PyImport_GetModuleDict(), state->names.logging, &logging) <= 0)
        return logger;
    logger = core_keep_first(&state->logger, PyObject_CallMethod(logging, "getLogger", "s", "requestx"));
    Py_DECREF(logging);
    return logger;
}

/* Whether the log takes INFO: what Logger.isEnabledFor found out before, if it did. */
static int log_is_on(core_state *state)
{
    PyObject *logger = logger_of(state), *cache, *known, *result;
    int on;

    if (logger == NULL)
        return PyErr_Occurred() ? -1 : 0;
    cache = PyObject_GetAttr(logger, state->names._cache);
    if (cache != NULL && PyDict_CheckExact(cache)) {
        known = PyDict_GetItemWithError(cache, state->info_level);
        if (known == Py_False) { /* nothing else is looked into, for it might be gone */
            Py_DECREF(cache);
            return 0;
        }
    }
    PyErr_Clear();
    Py_XDECREF(cache);
    result = PyObject_CallMethodOneArg(logger, state->names.isEnabledFor, state->info_level);
    on = result == NULL ? -1 : PyObject_IsTrue(result);
    Py_XDECREF(result);
    return on;
}

static int is_redirect(int status, const rqx_headers *headers)
{
    return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
           rqx_headers_get(headers, "location", 8).data != NULL;
}

int core_fast_answered(const rqx_response *native, const core_fast *fast)
{
    int code = rqx_response_error(native)->code;

    return code == 0 || (code == RQX_ERR_BODY_TOO_LARGE && fast->follows &&
                         is_redirect(rqx_response_status(native), rqx_response_headers(native)));
}

PyObject *core_fast_finish(CoreClient *self, rqx_response *native, const core_fast *fast, int *ret_follow)
{
    core_state *state = self->state;
    const rqx_headers *headers = rqx_response_headers(native);
    int has_cookies = rqx_headers_get(headers, "set-cookie", 10).data != NULL, rc = 0;
    int redirects = is_redirect(rqx_response_status(native), headers);
    PyObject *encoding, *response;

    CORE_LOCK(self);
    encoding = core_hold(self->settings.default_encoding);
    CORE_UNLOCK();
    response = core_response_make(state, native, fast, encoding);
    core_let_go(encoding);
    if (response == NULL) {
        rqx_response_unref(native);
        return NULL;
    }
    *ret_follow = redirects && fast->follows;
    if (has_cookies)
        rc = call_method(self, state->names._fast_cookies, response);
    if (rc == 0 && redirects && !fast->follows)
        rc = call_method(self, state->names._fast_redirect, response);
    if (rc == 0)
        rc = log_is_on(state);
    if (rc > 0)
        rc = call_method(self, state->names._fast_log, response);
    if (rc < 0)
        Py_CLEAR(response);
    return response;
}
