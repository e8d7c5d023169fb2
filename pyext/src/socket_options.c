/*
 * socket_options.c - options for setsockopt(), checked when they are given and not when the first request needs them.
 */
#include "transport.h"

#define OPTION_LEN_MAX 4096

/* The value of an option as bytes, a new reference; or NULL with an exception. */
static PyObject *option_bytes(PyObject *value)
{
    long number;
    int copy;

    if (PyByteArray_Check(value)) /* which may change later, and does not move while its buffer is borrowed */
        return PyBytes_FromObject(value);
    if (PyBytes_Check(value))
        return Py_NewRef(value);
    number = PyLong_AsLong(value);
    if (number == -1 && PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_OverflowError))
        return NULL;
    if (PyErr_Occurred() || number < INT_MIN || number > INT_MAX)
        return PyErr_Format(PyExc_OverflowError, "socket_options: %R is no C int; other values are given as bytes",
                            value);
    copy = (int)number;
    return PyBytes_FromStringAndSize((const char *)&copy, sizeof copy);
}

/* One option as (level, name, bytes or None, length). */
static PyObject *check_option(PyObject *item)
{
    PyObject *value;
    Py_ssize_t len = 0;
    int level, name;

    if (!PyTuple_Check(item))
        return PyErr_Format(PyExc_TypeError, "socket_options must be tuples, not %s", Py_TYPE(item)->tp_name);
    if (!PyArg_ParseTuple(item, "iiO|n:socket_options", &level, &name, &value, &len))
        return NULL;
    if ((value == Py_None) != (PyTuple_GET_SIZE(item) == 4)) {
        PyErr_SetString(PyExc_TypeError, "socket_options: a length belongs to a value that is None, and to no other");
        return NULL;
    }
    value = value == Py_None ? Py_NewRef(value) : option_bytes(value);
    if (value == NULL)
        return NULL;
    if (value != Py_None)
        len = PyBytes_GET_SIZE(value);
    if (len < 0 || len > OPTION_LEN_MAX) {
        Py_DECREF(value);
        return PyErr_Format(PyExc_ValueError, "socket_options: the length %zd is not within 0 and %d", len,
                            OPTION_LEN_MAX);
    }
    return Py_BuildValue("iiNn", level, name, value, len);
}

PyObject *core_socket_options(PyObject *options)
{
    PyObject *list = PySequence_List(options), *checked;
    Py_ssize_t i;

    if (list == NULL)
        return NULL;
    if (PyList_GET_SIZE(list) > CORE_SOCKET_OPTIONS_MAX) {
        PyErr_Format(PyExc_ValueError, "more than %d socket_options", CORE_SOCKET_OPTIONS_MAX);
        Py_DECREF(list);
        return NULL;
    }
    checked = PyTuple_New(PyList_GET_SIZE(list));
    for (i = 0; checked != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *item = check_option(PyList_GET_ITEM(list, i));

        if (item == NULL)
            Py_CLEAR(checked);
        else
            PyTuple_SET_ITEM(checked, i, item);
    }
    Py_DECREF(list);
    return checked;
}

size_t core_socket_options_fill(PyObject *checked, rqx_socket_option *list)
{
    Py_ssize_t count = checked == NULL ? 0 : PyTuple_GET_SIZE(checked);

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GET_ITEM(checked, i), *value = PyTuple_GET_ITEM(item, 2);

        list[i].level = (int)PyLong_AsLong(PyTuple_GET_ITEM(item, 0));
        list[i].name = (int)PyLong_AsLong(PyTuple_GET_ITEM(item, 1));
        list[i].value = value == Py_None ? NULL : PyBytes_AS_STRING(value);
        list[i].len = (size_t)PyLong_AsSsize_t(PyTuple_GET_ITEM(item, 3));
    }
    return (size_t)count;
}
