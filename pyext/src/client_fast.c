/*
 * client_fast.c - the fast path: its settings, when it applies, and what it does with the response.
 */
#include "client_fast.h"

#include "headers.h"
#include "models.h"
#include "transport.h"
#include "url.h"

/* --- settings --- */

static void forget_urls(CoreClient *self)
{
    for (int i = 0; i < CORE_URL_CACHE; i++) {
        PyObject *text = self->urls[i].text;

        self->urls[i].text = NULL;
        rqx_url_unref(self->urls[i].url);
        self->urls[i].url = NULL;
        Py_XDECREF(text);
    }
}

void core_fast_clear(CoreClient *self)
{
    self->enabled = 0;
    Py_CLEAR(self->transport);
    Py_CLEAR(self->headers);
    Py_CLEAR(self->auth);
    Py_CLEAR(self->cookies);
    Py_CLEAR(self->event_hooks);
    Py_CLEAR(self->base_url);
    Py_CLEAR(self->default_encoding);
    Py_CLEAR(self->timeout);
    rqx_headers_free(self->fields);
    self->fields = NULL;
    forget_urls(self);
}

int core_fast_traverse(CoreClient *self, visitproc visit, void *arg)
{
    Py_VISIT((PyObject *)self->transport);
    Py_VISIT((PyObject *)self->headers);
    Py_VISIT(self->cookies);
    Py_VISIT(self->event_hooks);
    Py_VISIT(self->base_url);
    Py_VISIT(self->default_encoding);
    Py_VISIT(self->timeout);
    return 0;
}

/* A number that changes when |type| or one of its bases is changed; 0: it has none. */
static unsigned int type_tag(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030D0000 /* the flag is never set from 3.13 on: a tag that is not valid is 0 */
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

static void note_tags(CoreClient *self)
{
    PyTypeObject *transport = transport_class(self);
    core_state *state = self->state;
    char unused;

    self->type_tag = fresh_tag(Py_TYPE(self), state->names._fast_log, NULL, &unused);
    self->transport_tag = 0;
    if (transport != NULL && self->is_async)
        self->transport_tag =
            fresh_tag(transport, state->names.handle_async_request, state->async_handler, &self->transport_is_own);
    else if (transport != NULL)
        self->transport_tag =
            fresh_tag(transport, state->names.handle_request, state->sync_handler, &self->transport_is_own);
    self->dict_size = self->dict == NULL ? 0 : PyDict_GET_SIZE(self->dict);
}

static int tags_hold(CoreClient *self)
{
    PyTypeObject *transport = transport_class(self);

    return self->type_tag != 0 && self->type_tag == type_tag(Py_TYPE(self)) && transport != NULL &&
           self->transport_tag != 0 && self->transport_tag == type_tag(transport) &&
           self->dict_size == (self->dict == NULL ? 0 : PyDict_GET_SIZE(self->dict));
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

static void keep(PyObject **field, PyObject *value)
{
    Py_XSETREF(*field, value == NULL || value == Py_None ? NULL : Py_NewRef(value));
}

static int keep_base_url(CoreClient *self, PyObject *url)
{
    rqx_url *native;

    if (url == NULL || url == Py_None) {
        Py_CLEAR(self->base_url);
        return 0;
    }
    if (!CoreURL_Check(self->state, url)) {
        PyErr_SetString(PyExc_TypeError, "base_url must be a URL");
        return -1;
    }
    native = core_url_native(url);
    if (native == NULL)
        return -1;
    keep(&self->base_url, rqx_url_host(native).len == 0 ? NULL : url);
    return 0;
}

PyObject *core_fast_configure(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"enabled",     "transport", "headers",          "auth", "timeout", "cookies",
                            "event_hooks", "base_url",  "default_encoding", NULL};
    CoreClient *self = (CoreClient *)op;
    PyObject *transport = Py_None, *headers = Py_None, *auth = Py_None, *timeout = Py_None, *cookies = Py_None;
    PyObject *hooks = Py_None, *base_url = Py_None, *encoding = Py_None;
    core_state *state = self->state;
    int enabled = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pOOOOOOOO:_fast_configure", names, &enabled, &transport, &headers,
                                     &auth, &timeout, &cookies, &hooks, &base_url, &encoding))
        return NULL;
    core_fast_clear(self);
    self->opened = 0;
    if (enabled && transport != Py_None && headers != Py_None && timeout != Py_None) {
        if (!PyObject_TypeCheck(transport, state->transport_type) || !CoreHeaders_Check(state, headers) ||
            (auth != Py_None && !PyBytes_Check(auth))) {
            PyErr_SetString(PyExc_TypeError, "_fast_configure(): wrong type");
            return NULL;
        }
        if (core_timeouts_of(state, timeout, &self->timeouts) < 0 || keep_base_url(self, base_url) < 0)
            return NULL;
        self->transport = (CoreTransport *)Py_NewRef(transport);
        self->headers = (CoreHeaders *)Py_NewRef(headers);
        keep(&self->auth, auth);
        keep(&self->timeout, timeout);
        keep(&self->cookies, cookies);
        keep(&self->event_hooks, hooks);
        if (PyUnicode_Check(encoding) && PyUnicode_CompareWithASCIIString(encoding, "utf-8") == 0)
            encoding = Py_None;
        keep(&self->default_encoding, encoding);
        self->enabled = 1;
    }
    note_tags(self);
    Py_RETURN_NONE;
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

static int list_empty(PyObject *dict, PyObject *key)
{
    PyObject *list = PyDict_GetItemWithError(dict, key);

    return list == NULL ? !PyErr_Occurred() : PyList_CheckExact(list) && PyList_GET_SIZE(list) == 0;
}

static int hooks_allow(CoreClient *self)
{
    PyObject *hooks = self->event_hooks;

    return hooks == NULL ||
           (PyDict_CheckExact(hooks) && list_empty(hooks, self->state->names.request) &&
            list_empty(hooks, self->state->names.response) && list_empty(hooks, self->state->names.informational));
}

/* Whether the cookie jar is empty, or not even made.  1, 0, or -1 with an exception. */
static int cookies_allow(CoreClient *self)
{
    PyObject *jar, *cookies;
    int empty;

    if (self->cookies == NULL)
        return 1;
    jar = PyObject_GetAttr(self->cookies, self->state->names._jar);
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

/* Once a client, and again after each change of its settings. */
static int open_client(CoreClient *self)
{
    PyObject *value = PyObject_GetAttr((PyObject *)self, self->state->names._state), *opened;
    long number = value == NULL ? -1 : PyLong_AsLong(value);
    int rc;

    Py_XDECREF(value);
    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number != 1 && number != 2)
        return 0;
    if (number == 1) {
        opened = PyLong_FromLong(2);
        rc = opened == NULL ? -1 : PyObject_SetAttr((PyObject *)self, self->state->names._state, opened);
        Py_XDECREF(opened);
        if (rc < 0)
            return -1;
    }
    self->opened = 1;
    return 1;
}

static int reconfigure(CoreClient *self)
{
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)self, self->state->names._reconfigure);

    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* 1, 0, or -1 with an exception. */
static int settings_allow(CoreClient *self)
{
    int rc;

    if (!tags_hold(self) && reconfigure(self) < 0)
        return -1;
    if (!self->enabled || !self->transport_is_own || self->transport->closed)
        return 0;
    if (!hooks_allow(self))
        return PyErr_Occurred() ? -1 : 0;
    rc = cookies_allow(self);
    if (rc <= 0)
        return rc;
    return self->opened ? 1 : open_client(self);
}
/* --- the request --- */

void core_fast_drop(core_fast *fast)
{
    rqx_request *native = fast->native;

    fast->native = NULL;
    rqx_request_unref(native);
    Py_CLEAR(fast->content);
    Py_CLEAR(fast->timeout);
}

int core_fast_build(CoreClient *self, PyObject *const *args, core_fast *ret_fast)
{
    core_fast fast = {.native = NULL};
    int rc;

    if (!args_allow(self, args, &fast.follows))
        return 0;
    rc = settings_allow(self);
    if (rc == 1)
        rc = core_fast_fill(self, args, &fast);
    if (rc != 1) {
        core_fast_drop(&fast);
        return rc;
    }
    if (fast.follows)
        rqx_request_set_max_redirect_body(fast.native, CORE_MAX_REDIRECT_BODY);
    fast.timeout = Py_XNewRef(is_default(self->state, args[ARG_TIMEOUT]) ? self->timeout : args[ARG_TIMEOUT]);
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
    PyObject *logging;

    if (state->logger != NULL)
        return state->logger;
    logging = PyDict_GetItemWithError(PyImport_GetModuleDict(), state->names.logging);
    if (logging == NULL)
        return NULL;
    state->logger = PyObject_CallMethod(logging, "getLogger", "s", "requestx");
    return state->logger;
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
        if (known == Py_False) {
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
    PyObject *response = core_response_make(state, native, fast, self->default_encoding);

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
