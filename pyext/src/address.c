/*
 * address.c - the Python type AddressRules.
 */
#include "address.h"

#include <string.h>

static int add_rules(rqx_address_policy *policy, PyObject *rules, int (*add)(rqx_address_policy *, const char *))
{
    PyObject *list = PySequence_Fast(rules, "AddressRules: rules must be sequences of str");
    int rc;

    if (list != NULL && PyList_Check(list)) /* which others may change meanwhile */
        Py_SETREF(list, PyList_AsTuple(list));
    rc = list == NULL ? -1 : 0;
    for (Py_ssize_t i = 0; rc == 0 && i < PyTuple_GET_SIZE(list); i++) {
        PyObject *rule = PyTuple_GET_ITEM(list, i);
        Py_ssize_t len;
        const char *text = PyUnicode_Check(rule) ? PyUnicode_AsUTF8AndSize(rule, &len) : NULL;

        if (text == NULL) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_TypeError, "a rule must be str, not %s", Py_TYPE(rule)->tp_name);
            rc = -1;
        } else if (i >= RQX_ADDRESS_RULES_MAX) {
            PyErr_Format(PyExc_ValueError, "more than %d rules", RQX_ADDRESS_RULES_MAX);
            rc = -1;
        } else {
            rc = strlen(text) == (size_t)len ? add(policy, text) : RQX_ERR_INVALID_ARGUMENT;
            if (rc == RQX_ERR_NOMEM)
                PyErr_NoMemory();
            else if (rc < 0)
                PyErr_Format(PyExc_ValueError, "%R is not an address, a network as 192.0.2.0/24, or 'unix'", rule);
        }
    }
    Py_XDECREF(list);
    return rc < 0 ? -1 : 0;
}

/* Guarded. */
static int keep_policy(CoreAddressRules *self, rqx_address_policy *policy)
{
    if (self->native != NULL) { /* a client may hold it */
        PyErr_SetString(PyExc_TypeError, "AddressRules cannot be changed");
        rqx_address_policy_free(policy);
        return -1;
    }
    self->native = policy;
    return 0;
}

static int rules_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"base", "allow", "deny", NULL};
    static const char *const bases[] = {"any", "none", "public"};
    rqx_address_policy *policy = NULL;
    PyObject *allow, *deny;
    const char *base;
    int i, rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sOO:AddressRules", names, &base, &allow, &deny))
        return -1;
    for (i = 0; i < 3 && strcmp(base, bases[i]) != 0; i++)
        ;
    rc = rqx_address_policy_new((rqx_address_base)i, &policy);
    if (rc < 0) {
        if (rc == RQX_ERR_NOMEM)
            PyErr_NoMemory();
        else
            PyErr_SetString(PyExc_ValueError, "base must be 'any', 'none' or 'public'");
        return -1;
    }
    if (add_rules(policy, allow, rqx_address_policy_allow) < 0 ||
        add_rules(policy, deny, rqx_address_policy_deny) < 0) {
        rqx_address_policy_free(policy);
        return -1;
    }
    CORE_LOCK(op);
    rc = keep_policy((CoreAddressRules *)op, policy);
    CORE_UNLOCK();
    return rc;
}

static PyObject *rules_allows(PyObject *op, PyObject *address)
{
    CoreAddressRules *self = (CoreAddressRules *)op;
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(address, &len);
    int rc;

    if (text == NULL)
        return NULL;
    rc = strlen(text) == (size_t)len ? rqx_address_policy_allows(self->native, text) : RQX_ERR_INVALID_ARGUMENT;
    if (rc < 0)
        return PyErr_Format(PyExc_ValueError, "%R is not an address", address);
    return PyBool_FromLong(rc);
}

static void rules_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    rqx_address_policy_free(((CoreAddressRules *)op)->native);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef rules_methods[] = {
    {"allows", rules_allows, METH_O, "allows($self, address, /)\n--\n\nWhether an address may be connected to."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot rules_slots[] = {
    {Py_tp_doc, (void *)"AddressRules(base, allow, deny)\n--\n\nWhich addresses may be connected to."},
    {Py_tp_init, rules_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, rules_dealloc},
    {Py_tp_methods, rules_methods},
    {0, NULL},
};

static PyType_Spec rules_spec = {
    .name = "requestx._core.AddressRules",
    .basicsize = sizeof(CoreAddressRules),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = rules_slots,
};

int core_address_init(PyObject *module, core_state *state)
{
    state->address_rules_type = core_add_type(module, &rules_spec, NULL, 1);
    return state->address_rules_type == NULL ? -1 : 0;
}
