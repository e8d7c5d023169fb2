/*
 * headers.c - the list inside of Headers, and what it is made of.  The mapping methods are in headers_type.c.
 */
#include "headers_priv.h"

#include <string.h>

PyObject *core_headers_lower(PyObject *raw)
{
    const char *text = PyBytes_AS_STRING(raw);
    Py_ssize_t len = PyBytes_GET_SIZE(raw), i;
    PyObject *key;
    char *out;

    for (i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            break;
    }
    if (i == len)
        return Py_NewRef(raw);
    /* without a source: given one, Python hands out its own object for a single byte, which is not ours to change */
    key = PyBytes_FromStringAndSize(NULL, len);
    if (key == NULL)
        return NULL;
    out = PyBytes_AS_STRING(key);
    for (i = 0; i < len; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    return key;
}

void core_field_release(core_field *field)
{
    Py_XDECREF(field->raw);
    Py_XDECREF(field->key);
    Py_XDECREF(field->value);
}

core_field core_headers_field(CoreHeaders *self, Py_ssize_t index)
{
    core_field field = self->fields[index];

    Py_INCREF(field.raw);
    Py_INCREF(field.key);
    Py_INCREF(field.value);
    return field;
}

int core_headers_reserve(CoreHeaders *self, Py_ssize_t room)
{
    Py_ssize_t cap = self->cap;
    core_field *fields;

    if (room > PY_SSIZE_T_MAX / (Py_ssize_t)sizeof(core_field) / 2 - self->count) {
        PyErr_NoMemory();
        return -1;
    }
    if (self->count + room <= cap)
        return 0;
    while (cap < self->count + room)
        cap = cap == 0 ? 8 : cap * 2;
    fields = PyMem_Realloc(self->fields, (size_t)cap * sizeof(core_field));
    if (fields == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->fields = fields;
    self->cap = cap;
    return 0;
}

void core_headers_changed(CoreHeaders *self)
{
    self->version++;
}

/* |bytes|, a new reference, of the type itself: one derived of it may have methods that do anything. */
static PyObject *plain_bytes(PyObject *bytes)
{
    if (PyBytes_CheckExact(bytes))
        return Py_NewRef(bytes);
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
}

int core_headers_append(CoreHeaders *self, PyObject *raw, PyObject *value)
{
    core_field field = {.raw = plain_bytes(raw), .value = plain_bytes(value)};

    if (field.raw != NULL && field.value != NULL)
        field.key = core_headers_lower(field.raw);
    if (field.key == NULL || core_headers_reserve(self, 1) < 0) {
        core_field_release(&field);
        return -1;
    }
    self->fields[self->count++] = field;
    core_headers_changed(self);
    return 0;
}

int core_headers_append_text(CoreHeaders *self, const char *name, const char *value, Py_ssize_t value_len)
{
    PyObject *raw = PyBytes_FromString(name), *bytes;
    int rc;

    if (raw == NULL)
        return -1;
    bytes = PyBytes_FromStringAndSize(value, value_len);
    if (bytes == NULL) {
        Py_DECREF(raw);
        return -1;
    }
    rc = core_headers_append(self, raw, bytes);
    Py_DECREF(raw);
    Py_DECREF(bytes);
    return rc;
}

core_field *core_headers_find(CoreHeaders *self, const char *lower, Py_ssize_t len)
{
    for (Py_ssize_t i = 0; i < self->count; i++) {
        PyObject *key = self->fields[i].key;

        if (PyBytes_GET_SIZE(key) == len && memcmp(PyBytes_AS_STRING(key), lower, (size_t)len) == 0)
            return &self->fields[i];
    }
    return NULL;
}

int core_headers_has(CoreHeaders *self, const char *lower, Py_ssize_t len)
{
    return core_headers_find(self, lower, len) != NULL;
}

void core_headers_remove_at(CoreHeaders *self, Py_ssize_t index)
{
    core_field field = self->fields[index];

    self->count--;
    memmove(&self->fields[index], &self->fields[index + 1], (size_t)(self->count - index) * sizeof(core_field));
    core_headers_changed(self);
    core_field_release(&field);
}

Py_ssize_t core_headers_remove(CoreHeaders *self, const char *lower, Py_ssize_t len)
{
    Py_ssize_t removed = 0, i;

    for (i = self->count - 1; i >= 0; i--) {
        PyObject *key = self->fields[i].key;

        if (PyBytes_GET_SIZE(key) == len && memcmp(PyBytes_AS_STRING(key), lower, (size_t)len) == 0) {
            core_headers_remove_at(self, i);
            removed++;
        }
    }
    return removed;
}

void core_headers_wipe(CoreHeaders *self)
{
    core_field *fields = self->fields;
    Py_ssize_t count = self->count, i;

    self->fields = NULL;
    self->count = self->cap = 0;
    core_headers_changed(self);
    for (i = 0; i < count; i++)
        core_field_release(&fields[i]);
    PyMem_Free(fields);
}

/* bytes of a name or value: bytes stay, str is encoded, anything else is a TypeError. */
PyObject *core_headers_bytes(PyObject *object, PyObject *encoding, const char *what)
{
    if (PyBytes_Check(object))
        return Py_NewRef(object);
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "Header %s must be str or bytes, not %R", what, (PyObject *)Py_TYPE(object));
        return NULL;
    }
    if (encoding == NULL)
        return PyUnicode_AsASCIIString(object);
    return PyUnicode_AsEncodedString(object, PyUnicode_AsUTF8(encoding), "strict");
}

int core_headers_add_pair(CoreHeaders *self, PyObject *key, PyObject *value, PyObject *encoding)
{
    PyObject *raw = core_headers_bytes(key, encoding, "name"), *bytes;
    int rc;

    if (raw == NULL)
        return -1;
    bytes = core_headers_bytes(value, encoding, "value");
    if (bytes == NULL) {
        Py_DECREF(raw);
        return -1;
    }
    rc = core_headers_append(self, raw, bytes);
    Py_DECREF(raw);
    Py_DECREF(bytes);
    return rc;
}

int core_headers_add_copy(CoreHeaders *self, const CoreHeaders *other)
{
    if (core_headers_reserve(self, other->count) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < other->count; i++) {
        const core_field *field = &other->fields[i];

        self->fields[self->count++] =
            (core_field){Py_NewRef(field->raw), Py_NewRef(field->key), Py_NewRef(field->value)};
    }
    core_headers_changed(self);
    return 0;
}

static int add_dict(CoreHeaders *self, PyObject *dict, PyObject *encoding)
{
    PyObject *key, *value;
    Py_ssize_t pos = 0;

    /* Encoding a str runs no user code, so that the dict cannot change meanwhile: but for the program's own codecs. */
    while (PyDict_Next(dict, &pos, &key, &value)) {
        int rc;

        Py_INCREF(key);
        Py_INCREF(value);
        rc = core_headers_add_pair(self, key, value, encoding);
        Py_DECREF(key);
        Py_DECREF(value);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int add_item(CoreHeaders *self, PyObject *item, PyObject *encoding)
{
    PyObject *pair = PySequence_Fast(item, "header items must be pairs"), *key = NULL, *value = NULL;
    Py_ssize_t size;
    int rc = -1;

    if (pair == NULL)
        return -1;
    CORE_LOCK(pair);
    size = PySequence_Fast_GET_SIZE(pair);
    if (size == 2) {
        key = Py_NewRef(PySequence_Fast_GET_ITEM(pair, 0));
        value = Py_NewRef(PySequence_Fast_GET_ITEM(pair, 1));
    }
    CORE_UNLOCK();
    Py_DECREF(pair);
    if (size == 2)
        rc = core_headers_add_pair(self, key, value, encoding);
    else if (size < 2)
        PyErr_Format(PyExc_ValueError, "not enough values to unpack (expected 2, got %zd)", size);
    else
        PyErr_SetString(PyExc_ValueError, "too many values to unpack (expected 2)");
    Py_XDECREF(key);
    Py_XDECREF(value);
    return rc;
}

static int add_pairs(CoreHeaders *self, PyObject *iterable, PyObject *encoding)
{
    PyObject *iterator = PyObject_GetIter(iterable), *item;
    int rc = 0;

    if (iterator == NULL)
        return -1;
    while (rc == 0 && (item = PyIter_Next(iterator)) != NULL) {
        rc = add_item(self, item, encoding);
        Py_DECREF(item);
    }
    Py_DECREF(iterator);
    return rc < 0 || PyErr_Occurred() ? -1 : 0;
}

/* Of an iterable of pairs, or of a mapping other than dict. */
static int add_others(core_state *state, CoreHeaders *self, PyObject *source, PyObject *encoding)
{
    PyObject *pairs;
    int rc = PyList_CheckExact(source) || PyTuple_CheckExact(source) ? 0 : PyObject_IsInstance(source, state->mapping);

    if (rc < 0)
        return -1;
    pairs = rc == 0 ? Py_NewRef(source) : PyObject_CallMethodNoArgs(source, state->names.items);
    if (pairs == NULL)
        return -1;
    CORE_LOCK(self);
    rc = add_pairs(self, pairs, encoding);
    CORE_UNLOCK();
    Py_DECREF(pairs);
    return rc;
}

int core_headers_add_all(core_state *state, CoreHeaders *self, PyObject *source, PyObject *encoding)
{
    int rc;

    if (source == Py_None)
        return 0;
    if (CoreHeaders_Check(state, source)) {
        CORE_LOCK2(self, source);
        rc = core_headers_add_copy(self, (CoreHeaders *)source);
        CORE_UNLOCK2();
    } else if (PyDict_CheckExact(source)) {
        CORE_LOCK2(self, source);
        rc = add_dict(self, source, encoding);
        CORE_UNLOCK2();
    } else {
        rc = add_others(state, self, source, encoding);
    }
    return rc;
}

CoreHeaders *core_headers_new(core_state *state)
{
    PyTypeObject *type = state->headers_type;

    return (CoreHeaders *)type->tp_alloc(type, 0);
}

CoreHeaders *core_headers_from(core_state *state, PyObject *source)
{
    CoreHeaders *self = core_headers_new(state);

    if (self != NULL && source != NULL && core_headers_add_all(state, self, source, NULL) < 0)
        Py_CLEAR(self);
    return self;
}

static PyObject *slice_bytes(rqx_slice slice)
{
    return PyBytes_FromStringAndSize(slice.data, (Py_ssize_t)slice.len);
}

CoreHeaders *core_headers_from_native(core_state *state, const rqx_headers *native)
{
    CoreHeaders *self = core_headers_new(state);
    size_t count = rqx_headers_count(native), i;

    if (self == NULL || core_headers_reserve(self, (Py_ssize_t)count) < 0)
        goto fail;
    for (i = 0; i < count; i++) {
        rqx_field field = rqx_headers_at(native, i);
        PyObject *raw = slice_bytes(field.name), *value = slice_bytes(field.value);
        int rc = raw == NULL || value == NULL ? -1 : core_headers_append(self, raw, value);

        Py_XDECREF(raw);
        Py_XDECREF(value);
        if (rc < 0)
            goto fail;
    }
    return self;

fail:
    Py_XDECREF(self);
    return NULL;
}

int core_headers_to_native(CoreHeaders *self, rqx_headers *native, core_field **ret_bad)
{
    for (Py_ssize_t i = 0; i < self->count; i++) {
        core_field *field = &self->fields[i];
        int rc = rqx_headers_add(native, PyBytes_AS_STRING(field->raw), (size_t)PyBytes_GET_SIZE(field->raw),
                                 PyBytes_AS_STRING(field->value), (size_t)PyBytes_GET_SIZE(field->value));

        if (rc < 0) {
            *ret_bad = field;
            return rc;
        }
    }
    return 0;
}

/* Whether |bytes| are what Python's strict decoder takes: no overlong forms, no surrogates (RFC 3629 section 4). */
static int is_utf8(PyObject *bytes)
{
    const unsigned char *text = (const unsigned char *)PyBytes_AS_STRING(bytes);
    Py_ssize_t len = PyBytes_GET_SIZE(bytes), i, more;

    for (i = 0; i < len; i += more + 1) {
        unsigned char c = text[i], next;

        more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || more >= len - i)
            return 0;
        for (Py_ssize_t j = 1; j <= more; j++) {
            if ((text[i + j] & 0xc0) != 0x80)
                return 0;
        }
        next = more == 0 ? 0 : text[i + 1];
        if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) || (c == 0xf0 && next < 0x90) ||
            (c == 0xf4 && next > 0x8f))
            return 0;
    }
    return 1;
}

static int is_ascii(PyObject *bytes)
{
    const char *text = PyBytes_AS_STRING(bytes);
    Py_ssize_t len = PyBytes_GET_SIZE(bytes), i = 0;

    while (i < len && (unsigned char)text[i] < 0x80)
        i++;
    return i == len;
}

/* The first of ascii, utf-8 and iso-8859-1 that every name and value can be read as. */
static enum core_encoding narrowest(const CoreHeaders *self)
{
    enum core_encoding kind = CORE_ENC_ASCII;

    for (Py_ssize_t i = 0; i < self->count; i++) {
        PyObject *parts[2] = {self->fields[i].raw, self->fields[i].value};

        for (int j = 0; j < 2; j++) {
            if (is_ascii(parts[j]))
                continue;
            if (!is_utf8(parts[j]))
                return CORE_ENC_LATIN1;
            kind = CORE_ENC_UTF8;
        }
    }
    return kind;
}

/* Finds out the encoding, as httpx does: once and for all. */
void core_headers_settle_encoding(CoreHeaders *self)
{
    if (self->kind == CORE_ENC_UNKNOWN)
        self->kind = narrowest(self);
}

static PyObject *decode_other(CoreHeaders *self, const char *text, Py_ssize_t len)
{
    PyObject *encoding = Py_NewRef(self->encoding), *decoded;

    decoded = PyUnicode_Decode(text, len, PyUnicode_AsUTF8(encoding), "strict");
    Py_DECREF(encoding);
    return decoded;
}

PyObject *core_headers_decode(CoreHeaders *self, PyObject *bytes)
{
    const char *text = PyBytes_AS_STRING(bytes);
    Py_ssize_t len = PyBytes_GET_SIZE(bytes);
    PyObject *decoded;

    core_headers_settle_encoding(self);
    Py_INCREF(bytes); /* the program's own codecs and error handlers may change |self| */
    switch (self->kind) {
    case CORE_ENC_ASCII:
        decoded = PyUnicode_DecodeASCII(text, len, "strict");
        break;
    case CORE_ENC_UTF8:
        decoded = PyUnicode_DecodeUTF8(text, len, "strict");
        break;
    case CORE_ENC_LATIN1:
        decoded = PyUnicode_DecodeLatin1(text, len, "strict");
        break;
    default:
        decoded = decode_other(self, text, len);
        break;
    }
    Py_DECREF(bytes);
    return decoded;
}

static PyObject *encode_other(CoreHeaders *self, PyObject *text)
{
    PyObject *encoding = Py_NewRef(self->encoding), *bytes;

    bytes = PyUnicode_AsEncodedString(text, PyUnicode_AsUTF8(encoding), "strict");
    Py_DECREF(encoding);
    return bytes;
}

PyObject *core_headers_encode(CoreHeaders *self, PyObject *text)
{
    switch (self->kind) {
    case CORE_ENC_ASCII:
        return PyUnicode_AsASCIIString(text);
    case CORE_ENC_LATIN1:
        return PyUnicode_AsLatin1String(text);
    case CORE_ENC_OTHER:
        return encode_other(self, text);
    default:
        return PyUnicode_AsUTF8String(text);
    }
}
