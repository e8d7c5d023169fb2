/*
 * guard.c - slots that are filled once, and items of containers that others may change.
 */
#include "guard.h"

#ifdef Py_GIL_DISABLED

PyObject *core_keep_first(PyObject **slot, PyObject *made)
{
    PyObject *first = NULL;

    if (made == NULL || __atomic_compare_exchange_n(slot, &first, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    Py_DECREF(made);
    return first;
}

#else

PyObject *core_keep_first(PyObject **slot, PyObject *made)
{
    PyObject *first = *slot;

    if (made == NULL)
        return NULL;
    if (first == NULL)
        return *slot = made;
    Py_DECREF(made);
    return first;
}

#endif

#if PY_VERSION_HEX >= 0x030D0000

int core_dict_item(PyObject *dict, PyObject *key, PyObject **ret_value)
{
    return PyDict_GetItemRef(dict, key, ret_value);
}

PyObject *core_list_item(PyObject *list, Py_ssize_t index)
{
    PyObject *item = PyList_GetItemRef(list, index);

    if (item == NULL)
        PyErr_Clear();
    return item;
}

#else

int core_dict_item(PyObject *dict, PyObject *key, PyObject **ret_value)
{
    PyObject *value = PyDict_GetItemWithError(dict, key);

    *ret_value = Py_XNewRef(value);
    if (value != NULL)
        return 1;
    return PyErr_Occurred() ? -1 : 0;
}

PyObject *core_list_item(PyObject *list, Py_ssize_t index)
{
    return index < PyList_GET_SIZE(list) ? Py_NewRef(PyList_GET_ITEM(list, index)) : NULL;
}

#endif
