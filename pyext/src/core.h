/*
 * core.h - what the files of requestx._core share: module state, names, and small helpers.
 *
 * The extension stands on include/requestx alone; it knows nothing of lib/.  There is no global Python object: all of
 * them are in the module's state, which a type finds through its module (core_state_of) or keeps a borrowed pointer
 * to (every heap type holds its module, which holds the state).
 */
#ifndef RQX_PY_CORE_H
#define RQX_PY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <requestx/requestx.h>

#include "guard.h"

/* Names that the hot path compares by pointer, or asks for often. */
#define CORE_NAMES(X)                                                                                                  \
    X(add_done_callback)                                                                                               \
    X(add_reader)                                                                                                      \
    X(allow_nan)                                                                                                       \
    X(ascii)                                                                                                           \
    X(as_dict)                                                                                                         \
    X(auth)                                                                                                            \
    X(base_url)                                                                                                        \
    X(boundary)                                                                                                        \
    X(call_exception_handler)                                                                                          \
    X(call_soon)                                                                                                       \
    X(call_soon_threadsafe)                                                                                            \
    X(close)                                                                                                           \
    X(code)                                                                                                            \
    X(connect)                                                                                                         \
    X(content)                                                                                                         \
    X(context)                                                                                                         \
    X(cookies)                                                                                                         \
    X(data)                                                                                                            \
    X(default_encoding)                                                                                                \
    X(encode)                                                                                                          \
    X(encoding)                                                                                                        \
    X(ensure_ascii)                                                                                                    \
    X(extensions)                                                                                                      \
    X(files)                                                                                                           \
    X(follow_redirects)                                                                                                \
    X(fragment)                                                                                                        \
    X(get)                                                                                                             \
    X(handle_async_request)                                                                                            \
    X(handle_request)                                                                                                  \
    X(headers)                                                                                                         \
    X(history)                                                                                                         \
    X(host)                                                                                                            \
    X(html)                                                                                                            \
    X(http_version)                                                                                                    \
    X(informational)                                                                                                   \
    X(is_closed)                                                                                                       \
    X(isEnabledFor)                                                                                                    \
    X(items)                                                                                                           \
    X(json)                                                                                                            \
    X(keys)                                                                                                            \
    X(logging)                                                                                                         \
    X(lower)                                                                                                           \
    X(max_redirects)                                                                                                   \
    X(method)                                                                                                          \
    X(name)                                                                                                            \
    X(netloc)                                                                                                          \
    X(network_stream)                                                                                                  \
    X(params)                                                                                                          \
    X(password)                                                                                                        \
    X(path)                                                                                                            \
    X(phase)                                                                                                           \
    X(pool)                                                                                                            \
    X(port)                                                                                                            \
    X(query)                                                                                                           \
    X(raw_path)                                                                                                        \
    X(read)                                                                                                            \
    X(reason_phrase)                                                                                                   \
    X(remove_reader)                                                                                                   \
    X(request)                                                                                                         \
    X(response)                                                                                                        \
    X(retries)                                                                                                         \
    X(scheme)                                                                                                          \
    X(separators)                                                                                                      \
    X(set_cookie_header)                                                                                               \
    X(sni_hostname)                                                                                                    \
    X(sniffio)                                                                                                         \
    X(stall)                                                                                                           \
    X(status_code)                                                                                                     \
    X(stream)                                                                                                          \
    X(stream_id)                                                                                                       \
    X(target)                                                                                                          \
    X(text)                                                                                                            \
    X(thread_local)                                                                                                    \
    X(timeout)                                                                                                         \
    X(total)                                                                                                           \
    X(trace)                                                                                                           \
    X(trio)                                                                                                            \
    X(upper)                                                                                                           \
    X(url)                                                                                                             \
    X(userinfo)                                                                                                        \
    X(username)                                                                                                        \
    X(values)                                                                                                          \
    X(write)                                                                                                           \
    X(_asyncio_future_blocking)                                                                                        \
    X(_cache)                                                                                                          \
    X(_cookies)                                                                                                        \
    X(_decoded)                                                                                                        \
    X(_fast_follow)                                                                                                    \
    X(_fast_cookies)                                                                                                   \
    X(_fast_log)                                                                                                       \
    X(_fast_redirect)                                                                                                  \
    X(_header)                                                                                                         \
    X(_jar)                                                                                                            \
    X(_native)                                                                                                         \
    X(_raise_for_status)                                                                                               \
    X(_request)                                                                                                        \
    X(_precompiled)                                                                                                    \
    X(_reconfigure)                                                                                                    \
    X(_state)                                                                                                          \
    X(_text_of)

/* Classes and functions that Python hands over with register(**names): rarely needed, looked up by name. */
#define CORE_REGISTERED(X)                                                                                             \
    X(AsyncByteStream)                                                                                                 \
    X(AsyncEngineStream)                                                                                               \
    X(AsyncHTTPTransport)                                                                                              \
    X(ByteStream)                                                                                                      \
    X(ConnectError)                                                                                                    \
    X(ConnectTimeout)                                                                                                  \
    X(Cookies)                                                                                                         \
    X(DecodingError)                                                                                                   \
    X(EngineStream)                                                                                                    \
    X(HTTPTransport)                                                                                                   \
    X(InvalidURL)                                                                                                      \
    X(LocalProtocolError)                                                                                              \
    X(PoolTimeout)                                                                                                     \
    X(ProxyError)                                                                                                      \
    X(QueryParams)                                                                                                     \
    X(ReadError)                                                                                                       \
    X(ReadTimeout)                                                                                                     \
    X(RemoteProtocolError)                                                                                             \
    X(Request)                                                                                                         \
    X(RequestNotRead)                                                                                                  \
    X(Response)                                                                                                        \
    X(ResponseNotRead)                                                                                                 \
    X(StreamClosed)                                                                                                    \
    X(SyncByteStream)                                                                                                  \
    X(TimeoutException)                                                                                                \
    X(UnsupportedProtocol)                                                                                             \
    X(USE_CLIENT_DEFAULT)                                                                                              \
    X(WriteError)                                                                                                      \
    X(WriteTimeout)                                                                                                    \
    X(encode_request)                                                                                                  \
    X(encode_response)                                                                                                 \
    X(get_multipart_boundary_from_content_type)                                                                        \
    X(reason_phrase)

enum core_registered {
#define CORE_REGISTERED_ENUM(name) CORE_##name,
    CORE_REGISTERED(CORE_REGISTERED_ENUM)
#undef CORE_REGISTERED_ENUM
        CORE_REGISTERED_COUNT
};

struct core_graveyard;

typedef struct core_state {
    PyObject *module; /* borrowed: it owns this struct */
    struct {
#define CORE_NAMES_FIELD(name) PyObject *name;
        CORE_NAMES(CORE_NAMES_FIELD)
#undef CORE_NAMES_FIELD
    } names;
    PyObject *registered[CORE_REGISTERED_COUNT]; /* NULL until register() */
    PyObject *replaced;                          /* list of what was in |registered| before: it may be in use */
    PyTypeObject *headers_type;
    PyTypeObject *url_type;
    PyTypeObject *request_type;
    PyTypeObject *response_type;
    PyTypeObject *decoder_type;
    PyTypeObject *address_rules_type;
    PyTypeObject *tls_type;
    PyTypeObject *retry_type;
    PyTypeObject *transport_type;
    PyTypeObject *driver_type;
    PyTypeObject *exchange_type;
    PyTypeObject *call_type;
    PyTypeObject *stream_op_type;
    PyTypeObject *stream_type;
    PyTypeObject *async_stream_type;
    PyTypeObject *client_type;
    PyTypeObject *sync_client_type;
    PyTypeObject *async_client_type;
    PyTypeObject *timings_type;
    PyTypeObject *verb_type;
    PyTypeObject *bound_verb_type;
    PyObject *mapping;                /* collections.abc.Mapping */
    PyObject *json_encode;            /* encode method of the JSON encoder, made at the first use */
    PyObject *json_loads;             /* json.loads, at the first use */
    PyObject *logger;                 /* the logger "requestx", once somebody imported logging */
    PyObject *get_loop;               /* asyncio's _get_running_loop, at the first use */
    PyObject *timedelta;              /* datetime.timedelta, at the first use */
    PyObject *info_level;             /* logging.INFO as int */
    PyObject *sync_handler;           /* HTTPTransport.handle_request as it was registered, */
    PyObject *async_handler;          /* and AsyncHTTPTransport.handle_async_request */
    PyObject *methods[9];             /* "GET", "HEAD", ... as str, once they were needed */
    PyObject *verbs[8];               /* the same by enum of client.h */
    struct core_graveyard *graveyard; /* Python objects that library threads are done with */
} core_state;

extern struct PyModuleDef core_module;

/* The state for a type made by this module, or for a subclass of one. */
static inline core_state *core_state_of(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &core_module);

    return module == NULL ? NULL : (core_state *)PyModule_GetState(module);
}

/* A registered class, borrowed; NULL with RuntimeError before register(). */
PyObject *core_registered(core_state *state, enum core_registered which);

/* Adds a heap type to the module; NULL |name| keeps it private. */
PyTypeObject *core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject *base, int public_name);

int core_headers_init(PyObject *module, core_state *state);
int core_url_init(PyObject *module, core_state *state);
int core_decoder_init(PyObject *module, core_state *state);
int core_request_init(PyObject *module, core_state *state);
int core_response_init(PyObject *module, core_state *state);
int core_client_init(PyObject *module, core_state *state);
int core_verb_init(PyObject *module, core_state *state);
int core_address_init(PyObject *module, core_state *state);
int core_tls_init(PyObject *module, core_state *state);
int core_retry_init(PyObject *module, core_state *state);
int core_transport_init(PyObject *module, core_state *state);
int core_exchange_init(PyObject *module, core_state *state);
int core_stream_init(PyObject *module, core_state *state);
int core_stream_op_init(PyObject *module, core_state *state);
int core_call_init(PyObject *module, core_state *state);

#endif
