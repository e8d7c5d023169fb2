/*
 * client.h - SyncClientBase and AsyncClientBase: the request methods, and the fast path under them.
 *
 * A call either satisfies every condition of the fast path and is sent from here, or goes to self._request().  What the
 * conditions are made of is handed over by _fast_configure(), which the package calls whenever a setting changes.
 */
#ifndef RQX_PY_CLIENT_H
#define RQX_PY_CLIENT_H

#include "core.h"
#include "headers.h"
#include "models.h"
#include "transport.h"

enum core_arg {
    ARG_METHOD,
    ARG_URL,
    ARG_CONTENT,
    ARG_DATA,
    ARG_FILES,
    ARG_JSON,
    ARG_PARAMS,
    ARG_HEADERS,
    ARG_COOKIES,
    ARG_AUTH,
    ARG_FOLLOW_REDIRECTS,
    ARG_TIMEOUT,
    ARG_EXTENSIONS,
    ARG_COUNT
};

/* The arguments of a request method, borrowed; NULL: not given. */
typedef struct core_args {
    PyObject *at[ARG_COUNT];
    int plain; /* request() itself was called, not get() or the like */
} core_args;

/* Which request method was called: its name, the HTTP method, and whether it has body arguments. */
typedef struct core_verb {
    const char *name;
    const char *method; /* NULL: the first argument */
    int has_body;
} core_verb;

enum { VERB_REQUEST, VERB_GET, VERB_OPTIONS, VERB_HEAD, VERB_DELETE, VERB_POST, VERB_PUT, VERB_PATCH, VERB_COUNT };
extern const core_verb core_verbs[VERB_COUNT];

/* Reads the arguments of a vectorcall.  0 or -1 with TypeError. */
int core_args_read(core_state *state, core_args *args, int verb, PyObject *const *values, Py_ssize_t nargs,
                   PyObject *kwnames);
/* Calls self.request() or self._request() with |args|: the slow path. */
PyObject *core_args_slow(core_state *state, PyObject *self, const core_args *args);

#define CORE_URL_CACHE 16

/* What _fast_configure() was told; NULL where there is none.  Replaced as a whole. */
typedef struct core_settings {
    CoreTransport *transport;
    CoreHeaders *headers;
    PyObject *auth; /* bytes of the Authorization field */
    PyObject *cookies;
    PyObject *event_hooks;
    PyObject *base_url; /* URL; NULL: empty */
    PyObject *default_encoding;
    PyObject *timeout; /* Timeout */
    rqx_timeouts timeouts;
    /* made of them */
    rqx_headers *fields;     /* |headers|, checked; NULL: not valid, or not made yet */
    uint64_t fields_version; /* version of |headers| that |fields| was made of */
    struct {
        PyObject *text; /* str as it was given */
        rqx_url *url;
    } urls[CORE_URL_CACHE];
    char enabled;          /* they allow the fast path */
    char transport_is_own; /* nobody has replaced the transport class's method */
    /* what was looked at when |enabled| was decided; anything else asks for _reconfigure() */
    unsigned int type_tag;
    unsigned int transport_tag;
    Py_ssize_t dict_size;
} core_settings;

/* ClientState of the package. */
enum { CORE_CLIENT_UNOPENED = 1, CORE_CLIENT_OPENED, CORE_CLIENT_CLOSED };

/* The guard of the object guards all of it but for |state| and |is_async|, which never change. */
typedef struct CoreClient {
    PyObject_HEAD core_state *state; /* borrowed from the type */
    PyObject *follow_redirects;      /* plain attributes of the client */
    PyObject *max_redirects;
    core_settings settings;
    unsigned generation; /* counts how often |settings| was replaced */
    uint64_t turns;      /* counts how often the package began to look what they are, */
    uint64_t turn;       /* and which time |settings| is of */
    char is_async;
    char phase; /* CORE_CLIENT_ */
    PyObject *dict;
    PyObject *weakrefs;
} CoreClient;

/* --- client_fast.c --- */

/* A number for core_fast_configure, of which the later one wins: whoever got it had seen what had been set before. */
PyObject *core_fast_turn(PyObject *self, PyObject *unused);
PyObject *core_fast_configure(PyObject *self, PyObject *args, PyObject *kwargs);
void core_fast_clear(CoreClient *self);
int core_fast_traverse(CoreClient *self, visitproc visit, void *arg);
/* Takes the guard of |self|.  1 with |*ret_fast|, 0: the fast path does not apply, -1 with an exception. */
int core_fast_build(CoreClient *self, PyObject *const *args, core_fast *ret_fast);
void core_fast_drop(core_fast *fast);
/* Whether a finished exchange brought an answer: also a redirect that is to be followed, whose body was too long. */
int core_fast_answered(const rqx_response *native, const core_fast *fast);
/*
 * The response of an exchange that was answered, with what the client does to it.  Takes ownership of |native|.
 * |*ret_follow|: it is a redirect, and self._fast_follow(response) goes on from it.
 */
PyObject *core_fast_finish(CoreClient *self, rqx_response *native, const core_fast *fast, int *ret_follow);

PyObject *core_sync_request(PyObject *self, const core_args *args);
PyObject *core_async_request(PyObject *self, const core_args *args, int verb);

#endif
