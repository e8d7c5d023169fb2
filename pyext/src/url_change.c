/*
 * url_change.c - URLs of components (URL(url, **kwargs), copy_with), and the words in which a bad one is refused.
 */
#include "url_priv.h"

#include <string.h>

enum {
    PART_SCHEME,
    PART_USERNAME,
    PART_PASSWORD,
    PART_USERINFO,
    PART_HOST,
    PART_PORT,
    PART_NETLOC,
    PART_PATH,
    PART_QUERY,
    PART_RAW_PATH,
    PART_FRAGMENT,
    PART_PARAMS,
    PART_COUNT
};

/* Keyword arguments of URL(): 's' str, 'b' bytes, 'i' int, 'o' anything. */
static const struct {
    const char *name;
    char kind;
} part_names[PART_COUNT] = {
    {"scheme", 's'}, {"username", 's'}, {"password", 's'}, {"userinfo", 'b'}, {"host", 's'},     {"port", 'i'},
    {"netloc", 'b'}, {"path", 's'},     {"query", 'b'},    {"raw_path", 'b'}, {"fragment", 's'}, {"params", 'o'},
};

/* What the keyword arguments are, and the memory that the new components stand in. */
struct change {
    core_state *state;
    PyObject *given[PART_COUNT]; /* borrowed; NULL: not given; None: given as absent */
    PyObject *kept[4];           /* objects that components point into */
    int kept_count;
    rqx_url_parts parts;
    rqx_slice port_text; /* of netloc or port=, for the message */
};

static rqx_slice slice_of(const char *data, size_t len)
{
    return (rqx_slice){data, len};
}

static void raise_invalid(core_state *state, PyObject *message)
{
    PyObject *type = core_registered(state, CORE_InvalidURL), *error;

    if (type == NULL || message == NULL)
        return;
    error = PyObject_CallOneArg(type, message);
    if (error != NULL)
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_XDECREF(error);
}

static void invalid_with(core_state *state, const char *why, rqx_slice culprit)
{
    PyObject *text = PyUnicode_DecodeUTF8(culprit.data == NULL ? "" : culprit.data, (Py_ssize_t)culprit.len, "replace");
    PyObject *message = text == NULL ? NULL : PyUnicode_FromFormat("%s: %R", why, text);

    raise_invalid(state, message);
    Py_XDECREF(text);
    Py_XDECREF(message);
}

static void invalid_plain(core_state *state, const char *why)
{
    PyObject *message = PyUnicode_FromString(why);

    raise_invalid(state, message);
    Py_XDECREF(message);
}

/* The first ASCII control character of |text|, with its position in characters. */
static void invalid_control(core_state *state, const char *why, rqx_slice text)
{
    size_t chars = 0, i;
    PyObject *message, *culprit;

    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c == 0x7f)
            break;
        chars += (c & 0xc0) != 0x80;
    }
    culprit = PyUnicode_DecodeASCII(i < text.len ? text.data + i : "", i < text.len, "strict");
    message = culprit == NULL ? NULL : PyUnicode_FromFormat("%s, %R at position %zu.", why, culprit, chars);
    raise_invalid(state, message);
    Py_XDECREF(culprit);
    Py_XDECREF(message);
}

/* Cuts host (with brackets) and port out of the text of a URL, as far as there are any. */
static void find_authority(rqx_slice text, rqx_slice *ret_host, rqx_slice *ret_port)
{
    const char *end = text.data + text.len, *at = text.data, *p, *host_end;

    *ret_host = *ret_port = slice_of("", 0);
    for (p = at; p < end && *p != '/' && *p != '?' && *p != '#'; p++) {
        if (*p == ':') {
            at = p + 1;
            break;
        }
    }
    if (end - at < 2 || at[0] != '/' || at[1] != '/')
        return;
    at += 2;
    for (p = at; p < end && *p != '/' && *p != '?' && *p != '#'; p++)
        ;
    end = p;
    for (p = end; p > at; p--) {
        if (p[-1] == '@')
            break;
    }
    at = p;
    host_end = memchr(at, ':', (size_t)(end - at));
    if (at < end && *at == '[') {
        for (p = end; p > at && p[-1] != ']'; p--)
            ;
        if (p > at)
            host_end = p;
    }
    if (host_end == NULL)
        host_end = end;
    *ret_host = slice_of(at, (size_t)(host_end - at));
    if (host_end < end && *host_end == ':')
        host_end++;
    *ret_port = slice_of(host_end, (size_t)(end - host_end));
}

static int starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void refuse_authority(core_state *state, const char *why, rqx_slice host, rqx_slice port)
{
    if (strcmp(why, "Invalid port") == 0)
        invalid_with(state, why, port);
    else if (strcmp(why, "Invalid IPv4 address") == 0 || strcmp(why, "Invalid IPv6 address") == 0 ||
             strcmp(why, "Invalid IDNA hostname") == 0)
        invalid_with(state, why, host);
    else
        invalid_plain(state, why);
}

void core_url_refuse(core_state *state, int code, const char *why, const char *text, size_t len)
{
    rqx_slice host, port;

    if (code == RQX_ERR_NOMEM) {
        PyErr_NoMemory();
    } else if (code != RQX_ERR_INVALID_URL || why == NULL) {
        invalid_plain(state, rqx_error_text(code));
    } else if (starts(why, "Invalid non-printable")) {
        invalid_control(state, why, slice_of(text, len));
    } else {
        find_authority(slice_of(text, len), &host, &port);
        refuse_authority(state, why, host, port);
    }
}

/* The component that |why| names between quotation marks. */
static rqx_slice culprit_of(const rqx_url_parts *parts, const char *why)
{
    if (strstr(why, "scheme component"))
        return parts->scheme;
    if (strstr(why, "userinfo component"))
        return parts->userinfo;
    if (strstr(why, "host component"))
        return parts->host;
    if (strstr(why, "path component"))
        return parts->path;
    if (strstr(why, "query component"))
        return parts->query;
    return parts->fragment;
}

static void refuse_change(struct change *change, int code, const char *why)
{
    const rqx_url_parts *parts = &change->parts;
    char bracketed[128];
    rqx_slice host = parts->host;

    if (code == RQX_ERR_NOMEM) {
        PyErr_NoMemory();
        return;
    }
    if (starts(why, "Invalid non-printable")) {
        invalid_control(change->state, why, culprit_of(parts, why));
        return;
    }
    if (strcmp(why, "Invalid IPv6 address") == 0 && host.len > 0 && host.data[0] != '[' && host.len < 100) {
        int len = snprintf(bracketed, sizeof bracketed, "[%.*s]", (int)host.len, host.data);

        host = slice_of(bracketed, (size_t)len);
    }
    refuse_authority(change->state, why, host, change->port_text);
}

static int check_type(int part, PyObject *value)
{
    char kind = part_names[part].kind;

    if (value == Py_None || kind == 'o' || (kind == 's' && PyUnicode_Check(value)) ||
        (kind == 'b' && PyBytes_Check(value)) || (kind == 'i' && PyLong_Check(value)))
        return 0;
    PyErr_Format(PyExc_TypeError, "Argument '%s' must be %s but got %s", part_names[part].name,
                 kind == 's'   ? "str"
                 : kind == 'b' ? "bytes"
                               : "int",
                 Py_TYPE(value)->tp_name);
    return -1;
}

/* |kwargs| are of a call, or a copy: nobody else can have them. */
static int take_kwargs(struct change *change, PyObject *kwargs)
{
    PyObject *key, *value;
    Py_ssize_t pos = 0;

    while (PyDict_Next(kwargs, &pos, &key, &value)) {
        int part = 0;

        while (part < PART_COUNT && PyUnicode_CompareWithASCIIString(key, part_names[part].name) != 0)
            part++;
        if (part == PART_COUNT) {
            PyErr_Format(PyExc_TypeError, "%R is an invalid keyword argument for URL()", key);
            return -1;
        }
        if (check_type(part, value) < 0)
            return -1;
        change->given[part] = value;
    }
    return 0;
}

/* The text of an argument: bytes must be ASCII. */
static int text_of(PyObject *value, rqx_slice *ret_text)
{
    Py_ssize_t len;

    if (value == NULL || value == Py_None) {
        *ret_text = slice_of(NULL, 0);
        return 0;
    }
    if (PyBytes_Check(value)) {
        PyObject *check = PyUnicode_DecodeASCII(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), "strict");

        if (check == NULL)
            return -1;
        Py_DECREF(check);
        *ret_text = slice_of(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
        return 0;
    }
    ret_text->data = PyUnicode_AsUTF8AndSize(value, &len);
    ret_text->len = (size_t)len;
    return ret_text->data == NULL ? -1 : 0;
}

/* The WHATWG userinfo set, ":" included: what is encoded in a user name or password.  "%" is not. */
static int is_user_char(unsigned char c)
{
    return c > 0x20 && c < 0x7f && strchr("\"#<>?`{}/:;=@[\\]^|", c) == NULL;
}

static size_t quote_user(char *out, rqx_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (is_user_char(c)) {
            out[len++] = (char)c;
        } else {
            out[len++] = '%';
            out[len++] = digits[c >> 4];
            out[len++] = digits[c & 15];
        }
    }
    return len;
}

static int set_user(struct change *change)
{
    rqx_slice user, password;
    PyObject *bytes;
    char *out;
    size_t len;

    if (text_of(change->given[PART_USERNAME], &user) < 0 || text_of(change->given[PART_PASSWORD], &password) < 0)
        return -1;
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(3 * (user.len + password.len) + 1));
    if (bytes == NULL)
        return -1;
    change->kept[change->kept_count++] = bytes;
    out = PyBytes_AS_STRING(bytes);
    len = quote_user(out, user);
    if (password.len > 0) {
        out[len++] = ':';
        len += quote_user(out + len, password);
    }
    change->parts.userinfo = slice_of(out, len);
    return 0;
}

/* A port as text: digits, or nothing. */
static int set_port_text(struct change *change, rqx_slice text)
{
    int value = 0;

    change->port_text = text;
    change->parts.port = -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || value > 99999) {
            invalid_with(change->state, "Invalid port", text);
            return -1;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    if (text.len > 0)
        change->parts.port = value;
    return 0;
}

static int set_port(struct change *change, PyObject *port)
{
    PyObject *text;
    rqx_slice slice;

    if (port == Py_None)
        return set_port_text(change, slice_of("", 0));
    text = PyObject_Str(port);
    if (text == NULL)
        return -1;
    change->kept[change->kept_count++] = text;
    return text_of(text, &slice) < 0 ? -1 : set_port_text(change, slice);
}

static int set_netloc(struct change *change)
{
    rqx_slice text;
    const char *colon, *bracket;

    if (text_of(change->given[PART_NETLOC], &text) < 0)
        return -1;
    if (text.data == NULL)
        text = slice_of("", 0);
    bracket = text.len > 0 && text.data[0] == '[' ? memchr(text.data, ']', text.len) : NULL;
    colon = memchr(bracket != NULL ? bracket : text.data, ':',
                   text.len - (size_t)(bracket != NULL ? bracket - text.data : 0));
    if (colon == NULL)
        colon = text.data + text.len;
    change->parts.host = slice_of(text.data, (size_t)(colon - text.data));
    if (colon < text.data + text.len)
        colon++;
    return set_port_text(change, slice_of(colon, (size_t)(text.data + text.len - colon)));
}

static int set_raw_path(struct change *change)
{
    rqx_slice text;
    const char *mark;

    if (text_of(change->given[PART_RAW_PATH], &text) < 0)
        return -1;
    if (text.data == NULL)
        text = slice_of("", 0);
    mark = memchr(text.data, '?', text.len);
    change->parts.path = slice_of(text.data, mark == NULL ? text.len : (size_t)(mark - text.data));
    change->parts.query =
        mark == NULL ? slice_of(NULL, 0) : slice_of(mark + 1, (size_t)(text.data + text.len - mark - 1));
    return 0;
}

static int set_params(struct change *change)
{
    PyObject *type, *params, *text;
    int truth = PyObject_IsTrue(change->given[PART_PARAMS]);

    if (truth < 0)
        return -1;
    change->parts.query = slice_of(NULL, 0);
    if (!truth)
        return 0;
    type = core_registered(change->state, CORE_QueryParams);
    params = type == NULL ? NULL : PyObject_CallOneArg(type, change->given[PART_PARAMS]);
    text = params == NULL ? NULL : PyObject_Str(params);
    Py_XDECREF(params);
    if (text == NULL)
        return -1;
    change->kept[change->kept_count++] = text;
    return text_of(text, &change->parts.query);
}

static int set_simple(struct change *change, int part, rqx_slice *ret_component)
{
    return change->given[part] == NULL ? 0 : text_of(change->given[part], ret_component);
}

static int fill(struct change *change)
{
    rqx_url_parts *parts = &change->parts;
    PyObject **given = change->given;

    if (set_simple(change, PART_SCHEME, &parts->scheme) < 0 ||
        set_simple(change, PART_USERINFO, &parts->userinfo) < 0 || set_simple(change, PART_HOST, &parts->host) < 0 ||
        set_simple(change, PART_PATH, &parts->path) < 0 || set_simple(change, PART_QUERY, &parts->query) < 0 ||
        set_simple(change, PART_FRAGMENT, &parts->fragment) < 0)
        return -1;
    if (given[PART_PORT] != NULL && given[PART_NETLOC] == NULL && set_port(change, given[PART_PORT]) < 0)
        return -1;
    if (given[PART_NETLOC] != NULL && set_netloc(change) < 0)
        return -1;
    if ((given[PART_USERNAME] != NULL || given[PART_PASSWORD] != NULL) && set_user(change) < 0)
        return -1;
    if (given[PART_PARAMS] != NULL && set_params(change) < 0)
        return -1;
    return given[PART_RAW_PATH] != NULL ? set_raw_path(change) : 0;
}

rqx_url *core_url_change(core_state *state, rqx_url *base, PyObject *kwargs)
{
    struct change change = {.state = state, .parts = {.port = -1}};
    const char *why = NULL;
    rqx_url *url = NULL;
    int rc;

    if (base != NULL)
        rqx_url_split(base, &change.parts);
    if (take_kwargs(&change, kwargs) < 0 || fill(&change) < 0)
        goto done;
    rc = rqx_url_build(&change.parts, &why, &url);
    if (rc < 0) {
        refuse_change(&change, rc, why);
        url = NULL;
    }

done:
    for (int i = 0; i < change.kept_count; i++)
        Py_DECREF(change.kept[i]);
    return url;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        return (c | 0x20) - 'a' + 10;
    return -1;
}

PyObject *core_url_unquote(rqx_slice text)
{
    PyObject *result;
    char *out;
    size_t len = 0;

    if (text.len == 0 || memchr(text.data, '%', text.len) == NULL)
        return PyUnicode_DecodeUTF8(text.len == 0 ? "" : text.data, (Py_ssize_t)text.len, "replace");
    out = PyMem_Malloc(text.len);
    if (out == NULL)
        return PyErr_NoMemory();
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' && i + 2 < text.len && hex_value(text.data[i + 1]) >= 0 &&
            hex_value(text.data[i + 2]) >= 0) {
            out[len++] = (char)(hex_value(text.data[i + 1]) << 4 | hex_value(text.data[i + 2]));
            i += 2;
        } else {
            out[len++] = text.data[i];
        }
    }
    result = PyUnicode_DecodeUTF8(out, (Py_ssize_t)len, "replace");
    PyMem_Free(out);
    return result;
}
