/*
 * headers_type.c - the methods of Headers: a mutable mapping that keeps repeated fields.
 */
#include "headers_priv.h"

#include <string.h>

/* The method may be the subclass's own, and give anything. */
static PyObject *lower_of_subclass(core_state *state, PyObject *key)
{
    PyObject *lower = PyObject_CallMethodNoArgs(key, state->names.lower);

    if (lower != NULL && !PyBytes_Check(lower)) {
        PyErr_Format(PyExc_TypeError, "lower() of a header name gave %R", (PyObject *)Py_TYPE(lower));
        Py_CLEAR(lower);
    }
    return lower;
}

/* The bytes to look a name up by: lower case.  bytes are taken as they are. */
static PyObject *lookup_key(core_state *state, CoreHeaders *self, PyObject *key)
{
    PyObject *lower, *bytes;

    if (!PyUnicode_Check(key)) {
        if (PyBytes_CheckExact(key))
            return core_headers_lower(key);
        if (PyBytes_Check(key))
            return lower_of_subclass(state, key);
        PyErr_Format(PyExc_TypeError, "Header name must be str or bytes, not %R", (PyObject *)Py_TYPE(key));
        return NULL;
    }
    if (PyUnicode_IS_ASCII(key)) {
        const Py_UCS1 *text = PyUnicode_1BYTE_DATA(key);
        Py_ssize_t len = PyUnicode_GET_LENGTH(key), i;
        char *out;

        bytes = PyBytes_FromStringAndSize(NULL, len);
        if (bytes == NULL)
            return NULL;
        out = PyBytes_AS_STRING(bytes);
        for (i = 0; i < len; i++)
            out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
        return bytes;
    }
    core_headers_settle_encoding(self);
    lower = PyObject_CallMethodNoArgs(key, state->names.lower);
    if (lower == NULL)
        return NULL;
    bytes = core_headers_encode(self, lower);
    Py_DECREF(lower);
    return bytes;
}

static int key_equals(const core_field *field, PyObject *key)
{
    return PyBytes_GET_SIZE(field->key) == PyBytes_GET_SIZE(key) &&
           memcmp(PyBytes_AS_STRING(field->key), PyBytes_AS_STRING(key), (size_t)PyBytes_GET_SIZE(key)) == 0;
}

/* Appends ", " and |more| to |*text|, or starts it. */
static int join_value(PyObject **text, PyObject *more)
{
    PyObject *joined;

    if (*text == NULL) {
        *text = Py_NewRef(more);
        return 0;
    }
    joined = PyUnicode_FromFormat("%U, %U", *text, more);
    if (joined == NULL)
        return -1;
    Py_SETREF(*text, joined);
    return 0;
}

/* The value of a name, repeated ones joined; NULL without an exception where there is none. */
static PyObject *find_value(core_state *state, CoreHeaders *self, PyObject *name)
{
    PyObject *key = lookup_key(state, self, name), *result = NULL;

    if (key == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < self->count; i++) {
        PyObject *value;
        int rc;

        if (!key_equals(&self->fields[i], key))
            continue;
        value = core_headers_decode(self, self->fields[i].value);
        rc = value == NULL ? -1 : join_value(&result, value);
        Py_XDECREF(value);
        if (rc < 0) {
            Py_CLEAR(result);
            break;
        }
    }
    Py_DECREF(key);
    return result;
}

static PyObject *headers_subscript(PyObject *op, PyObject *name)
{
    PyObject *value = find_value(core_state_of(Py_TYPE(op)), (CoreHeaders *)op, name);

    if (value == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, name);
    return value;
}

CORE_GUARDED_METHOD(headers_subscript)

static int delete_key(CoreHeaders *self, core_state *state, PyObject *name)
{
    PyObject *key = lookup_key(state, self, name);
    Py_ssize_t removed;

    if (key == NULL)
        return -1;
    removed = core_headers_remove(self, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key));
    Py_DECREF(key);
    if (removed > 0)
        return 0;
    PyErr_SetObject(PyExc_KeyError, name);
    return -1;
}

static PyObject *set_bytes(CoreHeaders *self, PyObject *object, const char *what)
{
    if (PyBytes_Check(object))
        return Py_NewRef(object);
    if (PyUnicode_Check(object))
        return core_headers_encode(self, object);
    PyErr_Format(PyExc_TypeError, "Header %s must be str or bytes, not %R", what, (PyObject *)Py_TYPE(object));
    return NULL;
}

/* Puts one field in the place of all of that name, at the first one's place or at the end. */
static int set_key(CoreHeaders *self, PyObject *name, PyObject *value)
{
    PyObject *raw = set_bytes(self, name, "name"), *bytes = NULL;
    Py_ssize_t first = -1, i;
    core_field added, old;
    int rc = -1;

    if (raw == NULL || (bytes = set_bytes(self, value, "value")) == NULL)
        goto done;
    if (core_headers_append(self, raw, bytes) < 0)
        goto done;
    added = self->fields[self->count - 1];
    for (i = self->count - 2; i >= 0; i--) {
        if (key_equals(&self->fields[i], added.key)) {
            if (first >= 0)
                core_headers_remove_at(self, first);
            first = i;
        }
    }
    if (first >= 0) {
        old = self->fields[first];
        self->fields[first] = self->fields[self->count - 1];
        self->fields[self->count - 1] = old;
        core_headers_remove_at(self, self->count - 1);
    }
    rc = 0;

done:
    Py_XDECREF(raw);
    Py_XDECREF(bytes);
    return rc;
}

static int headers_ass_subscript(PyObject *op, PyObject *name, PyObject *value)
{
    CoreHeaders *self = (CoreHeaders *)op;

    return value == NULL ? delete_key(self, core_state_of(Py_TYPE(op)), name) : set_key(self, name, value);
}

CORE_GUARDED_AS(int, headers_ass_subscript, (PyObject * op, PyObject *name, PyObject *value), (op, name, value))

static Py_ssize_t headers_length(PyObject *op)
{
    return ((CoreHeaders *)op)->count;
}

CORE_GUARDED_AS(Py_ssize_t, headers_length, (PyObject * op), (op))

static int headers_contains(PyObject *op, PyObject *name)
{
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *key = lookup_key(core_state_of(Py_TYPE(op)), self, name);
    int found;

    if (key == NULL)
        return -1;
    found = core_headers_has(self, PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key));
    Py_DECREF(key);
    return found;
}

CORE_GUARDED_AS(int, headers_contains, (PyObject * op, PyObject *name), (op, name))

/* A dict of lower case names to joined values, or to None. */
static PyObject *as_dict(CoreHeaders *self, int with_values)
{
    PyObject *dict = PyDict_New();

    for (Py_ssize_t i = 0; dict != NULL && i < self->count; i++) {
        core_field field = core_headers_field(self, i);
        PyObject *key = core_headers_decode(self, field.key), *value = NULL, *old;
        int rc = -1;

        if (key != NULL && with_values) {
            value = core_headers_decode(self, field.value);
            old = value == NULL ? NULL : PyDict_GetItemWithError(dict, key);
            if (old != NULL) {
                PyObject *joined = PyUnicode_FromFormat("%U, %U", old, value);

                Py_SETREF(value, joined);
            }
        } else if (key != NULL) {
            value = Py_NewRef(Py_None);
        }
        if (value != NULL && !PyErr_Occurred())
            rc = PyDict_SetItem(dict, key, value);
        core_field_release(&field);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (rc < 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static PyObject *dict_view(PyObject *op, int with_values, PyObject *method)
{
    PyObject *dict, *view;

    CORE_LOCK(op);
    dict = as_dict((CoreHeaders *)op, with_values);
    CORE_UNLOCK();
    if (dict == NULL)
        return NULL;
    view = PyObject_CallMethodNoArgs(dict, method);
    Py_DECREF(dict);
    return view;
}

static PyObject *headers_keys(PyObject *op, PyObject *unused)
{
    (void)unused;
    return dict_view(op, 0, core_state_of(Py_TYPE(op))->names.keys);
}

static PyObject *headers_values(PyObject *op, PyObject *unused)
{
    (void)unused;
    return dict_view(op, 1, core_state_of(Py_TYPE(op))->names.values);
}

static PyObject *headers_items(PyObject *op, PyObject *unused)
{
    (void)unused;
    return dict_view(op, 1, core_state_of(Py_TYPE(op))->names.items);
}

static PyObject *headers_iter(PyObject *op)
{
    PyObject *view = headers_keys(op, NULL), *iterator;

    if (view == NULL)
        return NULL;
    iterator = PyObject_GetIter(view);
    Py_DECREF(view);
    return iterator;
}

static PyObject *multi_items(CoreHeaders *self, int masked)
{
    static const char *const secret[] = {"authorization", "proxy-authorization"};
    PyObject *list = PyList_New(0);

    for (Py_ssize_t i = 0; list != NULL && i < self->count; i++) {
        core_field field = core_headers_field(self, i);
        PyObject *key = core_headers_decode(self, field.key), *value, *pair = NULL;
        int hide = 0;

        for (size_t j = 0; masked && j < 2; j++)
            hide |= strcmp(PyBytes_AS_STRING(field.key), secret[j]) == 0;
        value = key == NULL ? NULL : hide ? PyUnicode_FromString("[secure]") : core_headers_decode(self, field.value);
        core_field_release(&field);
        if (value != NULL)
            pair = PyTuple_Pack(2, key, value);
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

static PyObject *headers_multi_items(PyObject *op, PyObject *unused)
{
    (void)unused;
    return multi_items((CoreHeaders *)op, 0);
}

CORE_GUARDED_METHOD(headers_multi_items)

static PyObject *headers_get(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "default", NULL};
    PyObject *key, *fallback = Py_None, *value;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:get", names, &key, &fallback))
        return NULL;
    value = find_value(core_state_of(Py_TYPE(op)), (CoreHeaders *)op, key);
    return value != NULL || PyErr_Occurred() ? value : Py_NewRef(fallback);
}

CORE_GUARDED_KEYWORDS(headers_get)

static int extend_split(PyObject *list, PyObject *value)
{
    PyObject *comma = PyUnicode_FromString(","), *parts;
    int rc = 0;

    if (comma == NULL)
        return -1;
    parts = PyUnicode_Split(value, comma, -1);
    Py_DECREF(comma);
    if (parts == NULL)
        return -1;
    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(parts); i++) {
        PyObject *stripped = PyObject_CallMethod(PyList_GET_ITEM(parts, i), "strip", NULL);

        rc = stripped == NULL ? -1 : PyList_Append(list, stripped);
        Py_XDECREF(stripped);
    }
    Py_DECREF(parts);
    return rc;
}

static PyObject *value_list(core_state *state, CoreHeaders *self, PyObject *name, int split)
{
    PyObject *key = lookup_key(state, self, name), *list;

    if (key == NULL)
        return NULL;
    list = PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < self->count; i++) {
        PyObject *value;
        int rc;

        if (!key_equals(&self->fields[i], key))
            continue;
        value = core_headers_decode(self, self->fields[i].value);
        rc = value == NULL ? -1 : split ? extend_split(list, value) : PyList_Append(list, value);
        Py_XDECREF(value);
        if (rc < 0)
            Py_CLEAR(list);
    }
    Py_DECREF(key);
    return list;
}

static PyObject *headers_get_list(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "split_commas", NULL};
    PyObject *key;
    int split = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:get_list", names, &key, &split))
        return NULL;
    return value_list(core_state_of(Py_TYPE(op)), (CoreHeaders *)op, key, split);
}

CORE_GUARDED_KEYWORDS(headers_get_list)

static PyObject *headers_update(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"headers", NULL};
    core_state *state = core_state_of(Py_TYPE(op));
    CoreHeaders *self = (CoreHeaders *)op, *other;
    PyObject *source = Py_None;
    int rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:update", names, &source))
        return NULL;
    other = core_headers_from(state, source);
    if (other == NULL)
        return NULL;
    CORE_LOCK(op);
    for (Py_ssize_t i = 0; i < other->count; i++)
        core_headers_remove(self, PyBytes_AS_STRING(other->fields[i].key), PyBytes_GET_SIZE(other->fields[i].key));
    rc = core_headers_add_copy(self, other);
    CORE_UNLOCK();
    Py_DECREF(other);
    if (rc < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *headers_set(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "value", NULL};
    PyObject *key, *value;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:set", names, &key, &value) ||
        set_key((CoreHeaders *)op, key, value) < 0)
        return NULL;
    Py_RETURN_NONE;
}

CORE_GUARDED_KEYWORDS(headers_set)

static PyObject *headers_add(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "value", NULL};
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *key, *value, *raw = NULL, *bytes = NULL;
    int rc = -1;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:add", names, &key, &value))
        return NULL;
    raw = set_bytes(self, key, "name");
    bytes = raw == NULL ? NULL : set_bytes(self, value, "value");
    if (bytes != NULL)
        rc = core_headers_append(self, raw, bytes);
    Py_XDECREF(raw);
    Py_XDECREF(bytes);
    if (rc < 0)
        return NULL;
    Py_RETURN_NONE;
}

CORE_GUARDED_KEYWORDS(headers_add)

static PyObject *headers_pop(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "default", NULL};
    PyObject *key, *fallback = NULL, *value;
    core_state *state = core_state_of(Py_TYPE(op));

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:pop", names, &key, &fallback))
        return NULL;
    value = find_value(state, (CoreHeaders *)op, key);
    if (value != NULL && delete_key((CoreHeaders *)op, state, key) < 0)
        Py_CLEAR(value);
    if (value != NULL || PyErr_Occurred())
        return value;
    if (fallback != NULL)
        return Py_NewRef(fallback);
    PyErr_SetObject(PyExc_KeyError, key);
    return NULL;
}

CORE_GUARDED_KEYWORDS(headers_pop)

static PyObject *headers_popitem(PyObject *op, PyObject *unused)
{
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *key, *value, *pair;
    core_state *state = core_state_of(Py_TYPE(op));

    (void)unused;
    if (self->count == 0) {
        PyErr_SetString(PyExc_KeyError, "Headers is empty");
        return NULL;
    }
    key = core_headers_decode(self, self->fields[0].key);
    value = key == NULL ? NULL : find_value(state, self, key);
    if (key != NULL && value == NULL && !PyErr_Occurred())
        PyErr_SetObject(PyExc_KeyError, key); /* a codec has removed it */
    pair = value == NULL ? NULL : PyTuple_Pack(2, key, value);
    if (pair != NULL && delete_key(self, state, key) < 0)
        Py_CLEAR(pair);
    Py_XDECREF(key);
    Py_XDECREF(value);
    return pair;
}

CORE_GUARDED_METHOD(headers_popitem)

static PyObject *headers_setdefault(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "default", NULL};
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *key, *fallback = Py_None, *value;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:setdefault", names, &key, &fallback))
        return NULL;
    value = find_value(core_state_of(Py_TYPE(op)), self, key);
    if (value == NULL && !PyErr_Occurred() && set_key(self, key, fallback) == 0)
        value = Py_NewRef(fallback);
    return value;
}

CORE_GUARDED_KEYWORDS(headers_setdefault)

static PyObject *headers_clear_method(PyObject *op, PyObject *unused)
{
    (void)unused;
    core_headers_wipe((CoreHeaders *)op);
    Py_RETURN_NONE;
}

CORE_GUARDED_METHOD(headers_clear_method)

static PyObject *headers_copy(PyObject *op, PyObject *unused)
{
    CoreHeaders *self = (CoreHeaders *)op, *copy = core_headers_new(core_state_of(Py_TYPE(op)));

    (void)unused;
    if (copy == NULL || core_headers_add_copy(copy, self) < 0) {
        Py_XDECREF(copy);
        return NULL;
    }
    core_headers_settle_encoding(self);
    copy->kind = self->kind;
    copy->encoding = Py_XNewRef(self->encoding);
    return (PyObject *)copy;
}

CORE_GUARDED_METHOD(headers_copy)

static PyObject *raw_pair(const core_field *field)
{
    return PyTuple_Pack(2, field->raw, field->value);
}

static PyObject *lower_pair(const core_field *field)
{
    return PyTuple_Pack(2, field->key, field->value);
}

static PyObject *triple(const core_field *field)
{
    return PyTuple_Pack(3, field->raw, field->key, field->value);
}

/* A list of what |make| makes of each field.  Guarded; but a collection of garbage may run Python code. */
static PyObject *list_of(CoreHeaders *self, PyObject *(*make)(const core_field *field))
{
    PyObject *list = PyList_New(0);

    for (Py_ssize_t i = 0; list != NULL && i < self->count; i++) {
        core_field field = core_headers_field(self, i);
        PyObject *item = make(&field);

        core_field_release(&field);
        if (item == NULL || PyList_Append(list, item) < 0)
            Py_CLEAR(list);
        Py_XDECREF(item);
    }
    return list;
}

static PyObject *headers_get_raw(PyObject *op, void *closure)
{
    (void)closure;
    return list_of((CoreHeaders *)op, raw_pair);
}

CORE_GUARDED_GET(headers_get_raw)

/* Private, but asked for by others: (name as it was given, lower case name, value). */
static PyObject *headers_get_list_of_triples(PyObject *op, void *closure)
{
    (void)closure;
    return list_of((CoreHeaders *)op, triple);
}

CORE_GUARDED_GET(headers_get_list_of_triples)

static PyObject *headers_reduce(PyObject *op, PyObject *unused)
{
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *raw = list_of(self, raw_pair);

    (void)unused;
    if (raw == NULL)
        return NULL;
    return Py_BuildValue("O(NN)", Py_TYPE(op), raw, Py_NewRef(self->encoding == NULL ? Py_None : self->encoding));
}

CORE_GUARDED_METHOD(headers_reduce)

static PyObject *headers_get_encoding(PyObject *op, void *closure)
{
    static const char *const texts[] = {"ascii", "ascii", "utf-8", "iso-8859-1", ""};
    CoreHeaders *self = (CoreHeaders *)op;

    (void)closure;
    if (self->encoding != NULL)
        return Py_NewRef(self->encoding);
    core_headers_settle_encoding(self);
    return PyUnicode_FromString(texts[self->kind]);
}

CORE_GUARDED_GET(headers_get_encoding)

static int set_encoding(CoreHeaders *self, PyObject *value)
{
    PyObject *old;

    if (value == Py_None)
        value = NULL;
    if (value != NULL && (!PyUnicode_Check(value) || PyUnicode_AsUTF8(value) == NULL)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "Headers.encoding must be str");
        return -1;
    }
    old = self->encoding;
    self->encoding = Py_XNewRef(value);
    self->kind = value == NULL ? CORE_ENC_UNKNOWN : CORE_ENC_OTHER;
    if (value != NULL)
        core_headers_changed(self);
    Py_XDECREF(old); /* last: the destructor of a class derived from str may look at |self| */
    return 0;
}

static int headers_set_encoding(PyObject *op, PyObject *value, void *closure)
{
    (void)closure;
    return set_encoding((CoreHeaders *)op, value);
}

CORE_GUARDED_SET(headers_set_encoding)

static PyObject *headers_repr(PyObject *op)
{
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *list, *dict = NULL, *shown, *result = NULL, *name = NULL, *encoding;

    CORE_LOCK(op);
    list = multi_items(self, 1);
    encoding = list == NULL ? NULL : headers_get_encoding(op, NULL);
    CORE_UNLOCK();
    if (encoding == NULL || (dict = PyDict_New()) == NULL || PyDict_MergeFromSeq2(dict, list, 1) < 0)
        goto done;
    shown = PyDict_GET_SIZE(dict) == PyList_GET_SIZE(list) ? dict : list;
    name = PyObject_GetAttrString((PyObject *)Py_TYPE(op), "__name__");
    if (name == NULL)
        goto done;
    if (PyUnicode_CompareWithASCIIString(encoding, "ascii") == 0)
        result = PyUnicode_FromFormat("%U(%R)", name, shown);
    else
        result = PyUnicode_FromFormat("%U(%R, encoding=%R)", name, shown, encoding);

done:
    Py_XDECREF(list);
    Py_XDECREF(dict);
    Py_XDECREF(name);
    Py_XDECREF(encoding);
    return result;
}

/* Whether the (lower case name, value) pairs of both are the same in sorted order.  No guard is held. */
static PyObject *compare_sorted(CoreHeaders *self, CoreHeaders *other, int op)
{
    PyObject *a, *b, *result = NULL;

    CORE_LOCK(self);
    a = list_of(self, lower_pair);
    CORE_UNLOCK();
    b = a == NULL ? NULL : list_of(other, lower_pair);
    if (b != NULL && PyList_Sort(a) == 0 && PyList_Sort(b) == 0)
        result = PyObject_RichCompare(a, b, op);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return result;
}

static PyObject *headers_richcompare(PyObject *op, PyObject *other, int compare)
{
    core_state *state = core_state_of(Py_TYPE(op));
    CoreHeaders *headers;
    PyObject *result;

    if (compare != Py_EQ && compare != Py_NE)
        Py_RETURN_NOTIMPLEMENTED;
    headers = core_headers_from(state, other); /* a copy, which nobody else has */
    if (headers == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError))
            return NULL;
        PyErr_Clear();
        return PyBool_FromLong(compare == Py_NE);
    }
    result = compare_sorted((CoreHeaders *)op, headers, compare);
    Py_DECREF(headers);
    return result;
}

static int headers_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"headers", "encoding", NULL};
    CoreHeaders *self = (CoreHeaders *)op;
    PyObject *source = Py_None, *encoding = Py_None;
    core_state *state = core_state_of(Py_TYPE(op));
    int rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:Headers", names, &source, &encoding))
        return -1;
    if (source == op)
        return 0;
    CORE_LOCK(op);
    core_headers_wipe(self);
    rc = set_encoding(self, encoding);
    CORE_UNLOCK();
    return rc < 0 ? -1 : core_headers_add_all(state, self, source, encoding == Py_None ? NULL : encoding);
}

static void headers_dealloc(PyObject *op)
{
    CoreHeaders *self = (CoreHeaders *)op;
    PyTypeObject *type = Py_TYPE(op);

    core_headers_wipe(self);
    Py_CLEAR(self->encoding);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef headers_methods[] = {
    {"keys", headers_keys, METH_NOARGS, "keys($self, /)\n--\n\nNames, in lower case, each once."},
    {"values", headers_values, METH_NOARGS, "values($self, /)\n--\n\nValues, repeated fields joined with commas."},
    {"items", headers_items, METH_NOARGS, "items($self, /)\n--\n\nPairs of name and value, repeated fields joined."},
    {"multi_items", headers_multi_items_guarded, METH_NOARGS,
     "multi_items($self, /)\n--\n\nEvery field as a pair, in order."},
    {"get", (PyCFunction)(void (*)(void))headers_get_guarded, METH_VARARGS | METH_KEYWORDS,
     "get($self, /, key, default=None)\n--\n\nThe value of a field, repeated ones joined with commas."},
    {"get_list", (PyCFunction)(void (*)(void))headers_get_list_guarded, METH_VARARGS | METH_KEYWORDS,
     "get_list($self, /, key, split_commas=False)\n--\n\nEvery value of a field, split at commas if asked."},
    {"update", (PyCFunction)(void (*)(void))headers_update, METH_VARARGS | METH_KEYWORDS,
     "update($self, /, headers=None)\n--\n\nReplace the fields named in headers by those of headers."},
    {"set", (PyCFunction)(void (*)(void))headers_set_guarded, METH_VARARGS | METH_KEYWORDS,
     "set($self, /, key, value)\n--\n\nPut one field in the place of all of that name."},
    {"add", (PyCFunction)(void (*)(void))headers_add_guarded, METH_VARARGS | METH_KEYWORDS,
     "add($self, /, key, value)\n--\n\nAppend a field, whatever else has its name."},
    {"pop", (PyCFunction)(void (*)(void))headers_pop_guarded, METH_VARARGS | METH_KEYWORDS,
     "Remove a field and give its value."},
    {"popitem", headers_popitem_guarded, METH_NOARGS,
     "popitem($self, /)\n--\n\nRemove the first field and give name and value."},
    {"setdefault", (PyCFunction)(void (*)(void))headers_setdefault_guarded, METH_VARARGS | METH_KEYWORDS,
     "setdefault($self, /, key, default=None)\n--\n\nThe value of a field, which is added if it is not there."},
    {"clear", headers_clear_method_guarded, METH_NOARGS, "clear($self, /)\n--\n\nRemove every field."},
    {"copy", headers_copy_guarded, METH_NOARGS, "copy($self, /)\n--\n\nA copy of the headers."},
    {"__reduce__", headers_reduce_guarded, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef headers_getset[] = {
    {"raw", headers_get_raw_guarded, NULL, "List of pairs of bytes, names as they were given.", NULL},
    {"_list", headers_get_list_of_triples_guarded, NULL, NULL, NULL},
    {"encoding", headers_get_encoding_guarded, headers_set_encoding_guarded,
     "The encoding of names and values: ascii, else utf-8, else iso-8859-1, unless set.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(headers_doc, "Headers(headers=None, encoding=None)\n--\n\n"
                          "HTTP headers, as a case-insensitive multi-dict.");

static PyType_Slot headers_slots[] = {
    {Py_tp_doc, (void *)headers_doc},
    {Py_tp_init, headers_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, headers_dealloc},
    {Py_tp_repr, headers_repr},
    {Py_tp_richcompare, headers_richcompare},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_iter, headers_iter},
    {Py_tp_methods, headers_methods},
    {Py_tp_getset, headers_getset},
    {Py_mp_subscript, headers_subscript_guarded},
    {Py_mp_ass_subscript, headers_ass_subscript_guarded},
    {Py_mp_length, headers_length_guarded},
    {Py_sq_contains, headers_contains_guarded},
    {0, NULL},
};

static PyType_Spec headers_spec = {
    .name = "requestx.Headers",
    .basicsize = sizeof(CoreHeaders),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_MAPPING,
    .slots = headers_slots,
};

int core_headers_init(PyObject *module, core_state *state)
{
    PyObject *abc, *result;

    state->headers_type = core_add_type(module, &headers_spec, NULL, 1);
    if (state->headers_type == NULL)
        return -1;
    abc = PyImport_ImportModule("_collections_abc");
    if (abc == NULL)
        return -1;
    result = PyObject_GetAttrString(abc, "MutableMapping");
    if (result != NULL)
        Py_SETREF(result, PyObject_CallMethod(result, "register", "O", state->headers_type));
    Py_DECREF(abc);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}
