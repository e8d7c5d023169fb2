/*
 * client_build.c - the native request that the fast path makes of arguments and settings.
 *
 * Whatever is unusual, or wrong, is no concern of this file: it then answers 0, and the package's own code does the
 * request, or says what is wrong with it.
 */
#include "client_fast.h"

#include "headers.h"
#include "models.h"
#include "transport.h"
#include "url.h"

#include <string.h>

/* --- URL --- */

/* base_url and a relative path, as httpx joins them.  1, or 0: not so simple. */
static int join_base(PyObject *base_url, const char *text, size_t len, rqx_url **ret_url)
{
    rqx_url *base = core_url_native(base_url);
    rqx_slice start;
    char joined[2048];
    size_t i;

    if (base == NULL || rqx_url_query(base).data != NULL || rqx_url_fragment(base).data != NULL)
        return 0;
    start = rqx_url_text(base);
    while (len > 0 && *text == '/') {
        text++;
        len--;
    }
    for (i = 0; i < len && text[i] != '/' && text[i] != '?'; i++) {
        if (text[i] == ':')
            return 0;
    }
    if (memchr(text, '#', len) != NULL || start.len + len > sizeof joined || start.data[start.len - 1] != '/')
        return 0;
    memcpy(joined, start.data, start.len);
    memcpy(joined + start.len, text, len);
    return rqx_url_parse(joined, start.len + len, NULL, ret_url) == 0;
}

static int parse_url(PyObject *base_url, PyObject *text, rqx_url **ret_url)
{
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len);

    if (utf8 == NULL) {
        PyErr_Clear();
        return 0;
    }
    if (base_url != NULL && strncmp(utf8, "http://", 7) != 0 && strncmp(utf8, "https://", 8) != 0) {
        if (len >= 2 && utf8[0] == '/' && utf8[1] == '/')
            return 0;
        return join_base(base_url, utf8, (size_t)len, ret_url);
    }
    return rqx_url_parse(utf8, (size_t)len, NULL, ret_url) == 0;
}

/* The URL, borrowed of the cache or of the argument; NULL: the fast path does not apply. */
static rqx_url *find_url(CoreClient *self, PyObject *argument, unsigned generation)
{
    size_t at = ((size_t)argument >> 4 ^ (size_t)argument >> 9) % CORE_URL_CACHE;
    core_settings *settings = &self->settings;
    PyObject *base_url;
    rqx_url *url = NULL;
    int rc;

    if (!PyUnicode_CheckExact(argument)) {
        if (!Py_IS_TYPE(argument, self->state->url_type))
            return NULL;
        url = core_url_native(argument);
        return url != NULL && rqx_url_host(url).len > 0 && rqx_url_userinfo(url).data == NULL ? url : NULL;
    }
    if (settings->urls[at].text == argument)
        return settings->urls[at].url;
    base_url = core_hold(settings->base_url);
    rc = parse_url(base_url, argument, &url);
    core_let_go(base_url);
    if (!rc)
        return NULL;
    if (!core_settings_hold(self, generation) || rqx_url_host(url).len == 0 || rqx_url_userinfo(url).data != NULL) {
        rqx_url_unref(url);
        return NULL;
    }
    rqx_url_unref(settings->urls[at].url);
    settings->urls[at].url = url;
    Py_XSETREF(settings->urls[at].text, Py_NewRef(argument)); /* a str, whose end runs nothing */
    return url;
}

/* --- fields --- */

/* What |headers| hold now, checked; NULL: it is not valid. */
static rqx_headers *native_fields(CoreHeaders *headers)
{
    rqx_headers *fields;
    core_field *bad;

    if (rqx_headers_new(&fields) < 0)
        return NULL;
    if (core_headers_to_native(headers, fields, &bad) == 0)
        return fields;
    rqx_headers_free(fields);
    return NULL;
}

/* The client's own fields, checked; 0: they are not valid, or the settings are others. */
static int refresh_fields(CoreClient *self, unsigned generation)
{
    core_settings *settings = &self->settings;
    uint64_t known = settings->fields_version, version;
    int is_known = settings->fields != NULL;
    rqx_headers *fresh = NULL;
    CoreHeaders *headers;

    if (!core_settings_hold(self, generation))
        return 0;
    headers = (CoreHeaders *)core_hold((PyObject *)settings->headers);
    CORE_LOCK(headers);
    version = headers->version;
    is_known = is_known && version == known;
    if (!is_known)
        fresh = native_fields(headers);
    CORE_UNLOCK();
    core_let_go((PyObject *)headers);
    if (is_known)
        return core_settings_hold(self, generation);
    if (fresh == NULL || !core_settings_hold(self, generation)) {
        rqx_headers_free(fresh);
        return 0;
    }
    rqx_headers_free(settings->fields);
    settings->fields = fresh;
    settings->fields_version = version;
    return 1;
}

#define PAIRS_MAX 64

struct pair {
    rqx_slice name;
    rqx_slice value;
};

static int slice_of(PyObject *object, rqx_slice *ret_slice)
{
    if (PyUnicode_CheckExact(object) && PyUnicode_IS_ASCII(object)) {
        *ret_slice = (rqx_slice){(const char *)PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object)};
        return 1;
    }
    if (PyBytes_CheckExact(object)) {
        *ret_slice = (rqx_slice){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)};
        return 1;
    }
    return 0;
}

static int pairs_of_headers(CoreHeaders *headers, struct pair *pairs)
{
    if (headers->count > PAIRS_MAX)
        return -1;
    for (Py_ssize_t i = 0; i < headers->count; i++) {
        slice_of(headers->fields[i].raw, &pairs[i].name);
        slice_of(headers->fields[i].value, &pairs[i].value);
    }
    return (int)headers->count;
}

static int pairs_of_sequence(PyObject *sequence, struct pair *pairs)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);

    if (count > PAIRS_MAX)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(sequence, i);

        if (!PyTuple_CheckExact(item) || PyTuple_GET_SIZE(item) != 2 ||
            !slice_of(PyTuple_GET_ITEM(item, 0), &pairs[i].name) ||
            !slice_of(PyTuple_GET_ITEM(item, 1), &pairs[i].value))
            return -1;
    }
    return (int)count;
}

/* The headers argument, where threads run at once as a copy that is nobody else's; for core_let_go.  0 or -1. */
static int steady_headers(core_state *state, PyObject *headers, PyObject **ret_headers)
{
#ifdef Py_GIL_DISABLED
    if (is_none(headers))
        *ret_headers = NULL;
    else if (PyDict_CheckExact(headers))
        *ret_headers = PyDict_Copy(headers);
    else if (PyList_CheckExact(headers))
        *ret_headers = PyList_AsTuple(headers);
    else if (Py_IS_TYPE(headers, state->headers_type))
        *ret_headers = (PyObject *)core_headers_from(state, headers);
    else
        *ret_headers = Py_NewRef(headers);
    return *ret_headers == NULL && !is_none(headers) ? -1 : 0;
#else
    (void)state;
    *ret_headers = headers;
    return 0;
#endif
}

/* The headers argument as pairs that point into it; -1: it is of another kind. */
static int pairs_of(CoreClient *self, PyObject *headers, struct pair *pairs)
{
    PyObject *key, *value;
    Py_ssize_t pos = 0;
    int count = 0;

    if (is_none(headers))
        return 0;
    if (Py_IS_TYPE(headers, self->state->headers_type))
        return pairs_of_headers((CoreHeaders *)headers, pairs);
    if (PyList_CheckExact(headers) || PyTuple_CheckExact(headers))
        return pairs_of_sequence(headers, pairs);
    if (!PyDict_CheckExact(headers) || PyDict_GET_SIZE(headers) > PAIRS_MAX)
        return -1;
    while (PyDict_Next(headers, &pos, &key, &value)) {
        if (!slice_of(key, &pairs[count].name) || !slice_of(value, &pairs[count].value))
            return -1;
        count++;
    }
    return count;
}

static int same_name(rqx_slice a, rqx_slice b)
{
    if (a.len != b.len)
        return 0;
    for (size_t i = 0; i < a.len; i++) {
        unsigned char x = (unsigned char)a.data[i], y = (unsigned char)b.data[i];

        if (x != y && (x ^ y) != 0x20)
            return 0;
        if (x != y && !((x | 0x20) >= 'a' && (x | 0x20) <= 'z'))
            return 0;
    }
    return 1;
}

static int add(rqx_headers *fields, rqx_slice name, rqx_slice value)
{
    return rqx_headers_add(fields, name.data, name.len, value.data, value.len);
}

/* The client's fields but for those that |pairs| name, then |pairs|.  0 or an RQX_ERR_ code. */
static int merge_fields(CoreClient *self, const struct pair *pairs, int count, rqx_headers *fields)
{
    const rqx_headers *given = self->settings.fields;
    size_t own = rqx_headers_count(given), i;
    int rc = 0, j;

    if (count == 0)
        return rqx_headers_extend(fields, given);
    for (i = 0; rc == 0 && i < own; i++) {
        rqx_field field = rqx_headers_at(given, i);

        for (j = 0; j < count && !same_name(field.name, pairs[j].name); j++)
            ;
        if (j == count)
            rc = add(fields, field.name, field.value);
    }
    for (j = 0; rc == 0 && j < count; j++)
        rc = add(fields, pairs[j].name, pairs[j].value);
    return rc;
}

static int expects_body(rqx_slice method)
{
    return (method.len == 4 && memcmp(method.data, "POST", 4) == 0) ||
           (method.len == 3 && memcmp(method.data, "PUT", 3) == 0) ||
           (method.len == 5 && memcmp(method.data, "PATCH", 5) == 0);
}

static int tells_length(CoreClient *self, const struct pair *pairs, int count)
{
    static const rqx_slice names[] = {{"content-length", 14}, {"transfer-encoding", 17}};

    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < count; j++) {
            if (same_name(pairs[j].name, names[i]))
                return 1;
        }
        if (rqx_headers_get(self->settings.fields, names[i].data, names[i].len).data != NULL)
            return 1;
    }
    return 0;
}

static int is_empty_body(PyObject *const *args)
{
    PyObject *content = args[ARG_CONTENT];

    if (is_none(content))
        return is_none(args[ARG_JSON]);
    return (PyBytes_CheckExact(content) && PyBytes_GET_SIZE(content) == 0) ||
           (PyUnicode_CheckExact(content) && PyUnicode_GET_LENGTH(content) == 0);
}

/* 1 or 0. */
static int set_pairs(CoreClient *self, PyObject *const *args, const struct pair *pairs, int count, rqx_request *native)
{
    rqx_headers *fields = rqx_request_headers(native);

    if (is_empty_body(args) && expects_body(rqx_request_method(native)) && !tells_length(self, pairs, count) &&
        rqx_headers_add(fields, "Content-Length", 14, "0", 1) < 0)
        return 0;
    return merge_fields(self, pairs, count, fields) == 0;
}

/* 1; 0: not here; -1 with an exception. */
static int set_fields(CoreClient *self, PyObject *const *args, unsigned generation, rqx_request *native)
{
    struct pair pairs[PAIRS_MAX];
    PyObject *headers;
    int count, rc = 0;

    if (steady_headers(self->state, args[ARG_HEADERS], &headers) < 0)
        return -1;
    count = pairs_of(self, headers, pairs);
    if (count >= 0 && refresh_fields(self, generation))
        rc = set_pairs(self, args, pairs, count, native);
    core_let_go(headers);
    return rc;
}

/* --- credentials --- */

/* Basic credentials of a pair.  1, or 0: not here. */
static int set_basic(PyObject *pair, rqx_headers *fields)
{
    rqx_slice user, password, value;
    rqx_auth *auth;
    int rc;

    if (PyTuple_GET_SIZE(pair) != 2 || !slice_of(PyTuple_GET_ITEM(pair, 0), &user) ||
        !slice_of(PyTuple_GET_ITEM(pair, 1), &password) ||
        rqx_auth_basic(user.data, user.len, password.data, password.len, &auth) < 0)
        return 0;
    value = rqx_auth_value(auth);
    rc = rqx_headers_set(fields, "Authorization", 13, value.data, value.len);
    rqx_auth_unref(auth);
    return rc == 0;
}

static int set_credentials(PyObject *value, rqx_headers *fields)
{
    return rqx_headers_set(fields, "Authorization", 13, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)) == 0;
}

/* The client's own, if the settings are still the same.  1 or 0. */
static int set_own_auth(CoreClient *self, unsigned generation, rqx_headers *fields)
{
    int rc = 0;

    CORE_LOCK(self);
    if (core_settings_hold(self, generation))
        rc = self->settings.auth == NULL ? 1 : set_credentials(self->settings.auth, fields);
    CORE_UNLOCK();
    return rc;
}

/* 1 with the credentials set, if there are any; 0: not here; -1 with an exception. */
static int set_auth(CoreClient *self, PyObject *auth, unsigned generation, rqx_headers *fields)
{
    PyObject *value, *marker;
    int rc = 0;

    if (is_default(self->state, auth))
        return set_own_auth(self, generation, fields);
    if (auth == Py_None)
        return 1;
    if (PyTuple_CheckExact(auth))
        return set_basic(auth, fields);
    marker = Py_TYPE(auth)->tp_dict == NULL
                 ? NULL
                 : PyDict_GetItemWithError(Py_TYPE(auth)->tp_dict, self->state->names._precompiled);
    if (marker != Py_True)
        return PyErr_Occurred() ? -1 : 0;
    value = PyObject_GetAttr(auth, self->state->names._header);
    if (value == NULL)
        return -1;
    if (PyBytes_CheckExact(value))
        rc = set_credentials(value, fields);
    Py_DECREF(value);
    return rc;
}

/* --- body --- */

/* Says how long the body is.  1, or 0: the caller says something else, which is for others to refuse. */
static int set_length(rqx_headers *fields, size_t len)
{
    rqx_slice given = rqx_headers_get(fields, "content-length", 14);
    char text[24];
    size_t text_len = (size_t)snprintf(text, sizeof text, "%zu", len);

    if (given.data != NULL)
        return given.len == text_len && memcmp(given.data, text, text_len) == 0;
    if (rqx_headers_get(fields, "transfer-encoding", 17).data != NULL)
        return 0;
    return rqx_headers_add(fields, "Content-Length", 14, text, text_len) == 0;
}

/* Whether the fields announce nothing, either. */
static int tells_no_body(rqx_headers *fields)
{
    rqx_slice given = rqx_headers_get(fields, "content-length", 14);

    return given.data == NULL || (given.len == 1 && given.data[0] == '0');
}

/* The body as bytes, a new reference, or NULL: none, or with an exception. */
static PyObject *body_of(CoreClient *self, PyObject *const *args)
{
    PyObject *content = args[ARG_CONTENT];

    if (is_none(content))
        return is_none(args[ARG_JSON]) ? NULL : core_json_encode(self->state, args[ARG_JSON]);
    return PyUnicode_CheckExact(content) ? PyUnicode_AsUTF8String(content) : Py_NewRef(content);
}

/* 1; 0: not here; -1 with an exception. */
static int set_body(CoreClient *self, PyObject *const *args, rqx_request *native, PyObject **ret_content)
{
    rqx_headers *fields = rqx_request_headers(native);
    PyObject *content = args[ARG_CONTENT], *body;
    int is_json = is_none(content) && !is_none(args[ARG_JSON]), rc = 1;

    if (!is_none(content) && !PyBytes_CheckExact(content) && !PyUnicode_CheckExact(content))
        return 0;
    body = body_of(self, args);
    if (body == NULL)
        return PyErr_Occurred() ? -1 : tells_no_body(fields);
    if (PyBytes_GET_SIZE(body) > 0 || is_json || expects_body(rqx_request_method(native)))
        rc = set_length(fields, (size_t)PyBytes_GET_SIZE(body));
    if (rc == 1 && is_json && rqx_headers_get(fields, "content-type", 12).data == NULL)
        rc = rqx_headers_add(fields, "Content-Type", 12, "application/json", 16) == 0;
    if (rc == 1 && core_set_bytes(self->state, native, body) < 0)
        rc = -1;
    if (rc == 1)
        *ret_content = body;
    else
        Py_DECREF(body);
    return rc;
}

/* --- timeouts --- */

/* Timeouts that were given with the request.  1; 0: not here. */
static int set_timeouts(core_state *state, PyObject *timeout, rqx_request *native)
{
    rqx_timeouts values;
    int64_t all = RQX_NO_TIMEOUT;

    if (timeout == Py_None || PyFloat_CheckExact(timeout) || PyLong_CheckExact(timeout)) {
        if (core_milliseconds(timeout, &all) < 0) {
            PyErr_Clear();
            return 0;
        }
        values = (rqx_timeouts){all, all, all, all, RQX_NO_TIMEOUT, 0, 0};
    } else if (PyTuple_Check(timeout) || core_timeouts_of(state, timeout, &values) < 0) {
        PyErr_Clear();
        return 0;
    }
    rqx_request_set_timeouts(native, &values);
    return 1;
}

/* --- putting it together --- */

#define METHOD_MAX 32

static int new_native(CoreClient *self, PyObject *const *args, unsigned generation, rqx_request **ret_native)
{
    rqx_url *url = find_url(self, args[ARG_URL], generation);
    char upper[METHOD_MAX];
    rqx_slice method;

    if (url == NULL || !PyUnicode_CheckExact(args[ARG_METHOD]) || !slice_of(args[ARG_METHOD], &method) ||
        method.len > METHOD_MAX)
        return 0;
    for (size_t i = 0; i < method.len; i++)
        upper[i] = (char)(method.data[i] >= 'a' && method.data[i] <= 'z' ? method.data[i] - 0x20 : method.data[i]);
    return rqx_request_new(upper, method.len, url, ret_native) == 0;
}

int core_fast_start(CoreClient *self, PyObject *const *args, unsigned generation, core_fast *fast)
{
    core_settings *settings = &self->settings;
    int rc;

    if (!new_native(self, args, generation, &fast->native))
        return PyErr_Occurred() ? -1 : 0;
    rc = set_fields(self, args, generation, fast->native);
    if (rc != 1 || !core_settings_hold(self, generation))
        return rc < 0 ? -1 : 0;
    fast->transport = (CoreTransport *)Py_NewRef((PyObject *)settings->transport);
    if (is_default(self->state, args[ARG_TIMEOUT])) {
        rqx_request_set_timeouts(fast->native, &settings->timeouts);
        fast->timeout = Py_NewRef(settings->timeout);
    }
    return 1;
}

int core_fast_complete(CoreClient *self, PyObject *const *args, unsigned generation, core_fast *fast)
{
    int rc = 1;

    if (fast->timeout == NULL) {
        rc = set_timeouts(self->state, args[ARG_TIMEOUT], fast->native);
        fast->timeout = Py_NewRef(args[ARG_TIMEOUT]);
    }
    if (rc == 1)
        rc = set_body(self, args, fast->native, &fast->content);
    if (rc == 1)
        rc = set_auth(self, args[ARG_AUTH], generation, rqx_request_headers(fast->native));
    return rc;
}
