/*
 * client_args.c - the arguments of the request methods, and the way to the package's own _request().
 */
#include "client.h"

#include <string.h>

const core_verb core_verbs[VERB_COUNT] = {
    {"request", NULL, 1},    {"get", "GET", 0},   {"options", "OPTIONS", 0}, {"head", "HEAD", 0},
    {"delete", "DELETE", 0}, {"post", "POST", 1}, {"put", "PUT", 1},         {"patch", "PATCH", 1},
};

static PyObject *name_of(core_state *state, int arg)
{
    switch (arg) {
    case ARG_METHOD:
        return state->names.method;
    case ARG_URL:
        return state->names.url;
    case ARG_CONTENT:
        return state->names.content;
    case ARG_DATA:
        return state->names.data;
    case ARG_FILES:
        return state->names.files;
    case ARG_JSON:
        return state->names.json;
    case ARG_PARAMS:
        return state->names.params;
    case ARG_HEADERS:
        return state->names.headers;
    case ARG_COOKIES:
        return state->names.cookies;
    case ARG_AUTH:
        return state->names.auth;
    case ARG_FOLLOW_REDIRECTS:
        return state->names.follow_redirects;
    case ARG_TIMEOUT:
        return state->names.timeout;
    default:
        return state->names.extensions;
    }
}

static int find_arg(core_state *state, PyObject *name)
{
    for (int arg = 0; arg < ARG_COUNT; arg++) {
        if (name == name_of(state, arg))
            return arg;
    }
    for (int arg = 0; arg < ARG_COUNT; arg++) {
        if (PyUnicode_Compare(name, name_of(state, arg)) == 0)
            return arg;
    }
    return -1;
}

static int unexpected(const core_verb *verb, PyObject *name)
{
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", verb->name, name);
    return -1;
}

static int missing(const core_verb *verb, const char *name)
{
    PyErr_Format(PyExc_TypeError, "%s() missing 1 required positional argument: '%s'", verb->name, name);
    return -1;
}

static int take_keywords(core_state *state, core_args *args, const core_verb *verb, PyObject *const *values,
                         PyObject *kwnames)
{
    Py_ssize_t count = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);

    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int arg = find_arg(state, name);

        if (arg < 0 || (arg == ARG_METHOD && verb->method != NULL) ||
            (!verb->has_body && arg >= ARG_CONTENT && arg <= ARG_JSON))
            return unexpected(verb, name);
        if (args->at[arg] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument %R", verb->name, name);
            return -1;
        }
        args->at[arg] = values[i];
    }
    return 0;
}

int core_args_read(core_state *state, core_args *args, int which, PyObject *const *values, Py_ssize_t nargs,
                   PyObject *kwnames)
{
    const core_verb *verb = &core_verbs[which];
    Py_ssize_t positional = verb->method == NULL ? 2 : 1, taken = 0;

    memset(args, 0, sizeof *args);
    args->plain = verb->method == NULL;
    if (nargs > positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd positional arguments but %zd were given", verb->name,
                     positional + 1, nargs + 1);
        return -1;
    }
    if (verb->method == NULL && nargs > 0)
        args->at[ARG_METHOD] = values[taken++];
    if (taken < nargs)
        args->at[ARG_URL] = values[taken++];
    if (take_keywords(state, args, verb, values + nargs, kwnames) < 0)
        return -1;
    if (verb->method != NULL)
        args->at[ARG_METHOD] = state->verbs[which];
    if (args->at[ARG_METHOD] == NULL)
        return missing(verb, "method");
    return args->at[ARG_URL] == NULL ? missing(verb, "url") : 0;
}

static int has_body(core_state *state, PyObject *method)
{
    for (int verb = 0; verb < VERB_COUNT; verb++) {
        if (state->verbs[verb] == method)
            return core_verbs[verb].has_body;
    }
    return 1;
}

/*
 * What was not given has its default where get() and the like call request(): that may be the method of a subclass,
 * which finds the same keywords as it would in httpx.
 */
static void set_defaults(core_state *state, core_args *args)
{
    int from = has_body(state, args->at[ARG_METHOD]) ? ARG_CONTENT : ARG_PARAMS;

    for (int arg = from; arg < ARG_COUNT; arg++) {
        int is_of_client = arg == ARG_AUTH || arg == ARG_FOLLOW_REDIRECTS || arg == ARG_TIMEOUT;

        if (args->at[arg] == NULL)
            args->at[arg] = is_of_client ? state->registered[CORE_USE_CLIENT_DEFAULT] : Py_None;
    }
}

PyObject *core_args_slow(core_state *state, PyObject *self, const core_args *given_args)
{
    PyObject *values[ARG_COUNT + 1], *kwnames, *result;
    PyObject *name = given_args->plain ? state->names._request : state->names.request;
    core_args copy = *given_args, *args = &copy;
    Py_ssize_t given = 0, at = 0;

    if (!args->plain)
        set_defaults(state, args);
    for (int arg = ARG_CONTENT; arg < ARG_COUNT; arg++)
        given += args->at[arg] != NULL;
    kwnames = PyTuple_New(given);
    if (kwnames == NULL)
        return NULL;
    values[0] = self;
    values[1] = args->at[ARG_METHOD];
    values[2] = args->at[ARG_URL];
    for (int arg = ARG_CONTENT; arg < ARG_COUNT; arg++) {
        if (args->at[arg] == NULL)
            continue;
        values[3 + at] = args->at[arg];
        PyTuple_SET_ITEM(kwnames, at, Py_NewRef(name_of(state, arg)));
        at++;
    }
    result = PyObject_VectorcallMethod(name, values, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
    Py_DECREF(kwnames);
    return result;
}
