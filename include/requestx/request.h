/*
 * requestx/request.h - what to send: method, URL, fields, body, and how long each phase may take.
 *
 * A request is built by one thread, then submitted; from then on it is read only and may be submitted again, also at
 * the same time, where its body can be read again (bytes and files can; a callback can if it has a rewind).
 */
#ifndef REQUESTX_REQUEST_H
#define REQUESTX_REQUEST_H

#include <requestx/auth.h>
#include <requestx/error.h>
#include <requestx/headers.h>
#include <requestx/retry.h>
#include <requestx/url.h>

RQX_BEGIN_DECLS

/** Deadlines in milliseconds; 0 is over at once, RQX_NO_TIMEOUT is none.  rqx_error names the phase that ran out. */
typedef struct rqx_timeouts {
    /** name resolution, TCP, proxy and TLS, from the start of the dial that the exchange waits for */
    int64_t connect_ms;
    /** silence while a response is awaited */
    int64_t read_ms;
    /** request bytes that wait and cannot leave */
    int64_t write_ms;
    /** waiting for a connection or, on a full one, for a stream */
    int64_t pool_ms;
    /** the whole exchange, redirects and replays included, until its last byte */
    int64_t total_ms;
    /**
     * least bytes a second, counted both ways, while a body is to move: one that the peer sends and the caller waits
     * for, or whose bytes are there and that the peer does not take; 0: any number
     */
    int64_t stall_rate;
    /** over how long they are counted; whoever moves fewer in that time ends with RQX_ERR_STALL_TIMEOUT */
    int64_t stall_ms;
} rqx_timeouts;

/** RQX_TIMEOUT_UNSET in a request's rqx_timeouts: as the client has it. */
#define RQX_TIMEOUT_UNSET (-2)

/**
 * Gives up to |cap| bytes of a request body.  Returns 0 with |*ret_len| set and, with the last bytes or after them,
 * |*ret_end| set to 1; RQX_AGAIN if there are none yet (call rqx_response_resume_body when there are, which may be
 * before this returns); a negative RQX_ERR_* to fail the exchange with RQX_ERR_BODY_SOURCE, as more than |cap| bytes
 * do, and neither bytes nor end.  Both outputs are 0 when it is called.  Called by the driving thread, outside the
 * engine's lock, never twice at once for one request; nothing else moves on the engine until it returns.
 */
typedef int (*rqx_body_read_cb)(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user);
/** Goes back to the first byte, for a redirect or a replay.  0, or negative: it cannot. */
typedef int (*rqx_body_rewind_cb)(void *user);
/** Called once when |user| is needed no more, by whichever thread that is known in. */
typedef void (*rqx_free_cb)(void *user);

/**
 * Called by the driving thread, outside the engine's lock, when something happened: |what| are RQX_EVENT_* bits.  The
 * response is borrowed; what was submitted is let go of here, or later, with rqx_response_unref.
 */
typedef void (*rqx_event_cb)(rqx_response *response, unsigned what, void *user);

/**
 * Makes a request.  |method| is a token (RFC 9110 section 9.1) of at most 64 bytes, sent as it is; |url| is absolute,
 * http or https (referenced).
 * Errors: RQX_ERR_INVALID_METHOD, RQX_ERR_UNSUPPORTED_SCHEME, RQX_ERR_INVALID_URL (no host), RQX_ERR_CONNECT (a port
 * that no address has), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_request_new(const char *method, size_t method_len, rqx_url *url, rqx_request **ret_request);
/** The same from the text of a URL; rqx_url_parse says what is wrong with one.  Errors as there and as rqx_request_new.
 * Since 0.1. */
RQX_API int rqx_request_new_text(const char *method, const char *url, rqx_request **ret_request);
/** Takes one more reference.  Returns |request|.  Since 0.1. */
RQX_API rqx_request *rqx_request_ref(rqx_request *request);
/** Gives a reference back; the last one frees, and calls the body's |free_cb|.  NULL is allowed.  Any thread.
 * Since 0.1. */
RQX_API void rqx_request_unref(rqx_request *request);

/** Gives the method, borrowed.  Since 0.1. */
RQX_API rqx_slice rqx_request_method(const rqx_request *request);
/** Gives the URL, borrowed.  Since 0.1. */
RQX_API rqx_url *rqx_request_url(const rqx_request *request);
/**
 * Gives the request's own fields, borrowed, to be changed until it is submitted.  Host overrides the authority;
 * Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding and Upgrade are the library's affair and left out on
 * HTTP/2 (RFC 9113 section 8.2.2). Since 0.1.
 */
RQX_API rqx_headers *rqx_request_headers(rqx_request *request);

/** Sends a copy of |len| bytes.  This and the next four replace the body that was set before, and leave it where they
 * fail.  Errors: RQX_ERR_INVALID_ARGUMENT (|len| above INT64_MAX), RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_request_set_body(rqx_request *request, const void *data, size_t len);
/**
 * Sends |len| bytes that stay the caller's until |free_cb| (or NULL) is called with |user|: when the request is freed,
 * or has another body.  Any thread may make that call; where this function fails none does.
 * Errors: RQX_ERR_INVALID_ARGUMENT (|len| above INT64_MAX).  Since 0.1.
 */
RQX_API int rqx_request_set_body_borrowed(rqx_request *request, const void *data, size_t len, rqx_free_cb free_cb,
                                          void *user);
/**
 * Sends a file from its first byte to the last that it has now.  The file is opened here and read as it is sent.
 * Errors: RQX_ERR_SYSTEM (errno tells), RQX_ERR_INVALID_ARGUMENT (no regular file), RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_request_set_body_file(rqx_request *request, const char *path);
/**
 * Sends what |read_cb| gives.  |length| bytes exactly, or RQX_LENGTH_UNKNOWN (chunked on HTTP/1.1).  |rewind_cb| NULL:
 * it can be read once only.  |free_cb| (or NULL) is called as in rqx_request_set_body_borrowed.
 * Errors: RQX_ERR_INVALID_ARGUMENT (|read_cb| NULL, another negative length).  Since 0.1.
 */
RQX_API int rqx_request_set_body_callback(rqx_request *request, rqx_body_read_cb read_cb, rqx_body_rewind_cb rewind_cb,
                                          int64_t length, rqx_free_cb free_cb, void *user);
/**
 * Sends what rqx_response_write_body is given after submission, until rqx_response_end_body.  |length| bytes exactly,
 * or RQX_LENGTH_UNKNOWN.  Such a body cannot be sent twice.  Since 0.1.
 */
RQX_API void rqx_request_set_body_push(rqx_request *request, int64_t length);
/** Sends |headers| after the body, as trailer section (copied); NULL: none.  The body is then chunked on HTTP/1.1.
 * Errors: RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_request_set_trailers(rqx_request *request, const rqx_headers *headers);

/** Sets deadlines (copied); RQX_TIMEOUT_UNSET fields stay the client's.  Since 0.1. */
RQX_API void rqx_request_set_timeouts(rqx_request *request, const rqx_timeouts *timeouts);
/** Sets credentials in place of the client's; NULL with |none| 1: none at all.  References |auth|.  Since 0.1. */
RQX_API void rqx_request_set_auth(rqx_request *request, rqx_auth *auth, int none);
/** Sets the redirects to follow in place of the client's; -1: the client's.  Since 0.1. */
RQX_API void rqx_request_set_max_redirects(rqx_request *request, int max_redirects);
/**
 * 1: the body is read with rqx_response_read as it comes; 0 (default): it is collected until the end.  An HTTP/1.1
 * connection that carries a streamed response is free for another when that was read to its end, closed or let go.
 * Since 0.1.
 */
RQX_API void rqx_request_set_streamed(rqx_request *request, int streamed);
/** The largest body that is collected, in bytes as received; default none (-1).  Since 0.1. */
RQX_API void rqx_request_set_max_body(rqx_request *request, int64_t max_body);
/**
 * The same for the body of a redirect that is given and not followed, where that is less: who follows it by himself
 * needs no more of it than its head, which is there also where the response ended in RQX_ERR_BODY_TOO_LARGE.  Default
 * -1: as rqx_request_set_max_body says.  Since 0.1.0.
 */
RQX_API void rqx_request_set_max_redirect_body(rqx_request *request, int64_t max_body);
/** Bits of RQX_PROTO_* in place of the client's; 0: the client's.  Others are refused by rqx_client_submit.
 * Since 0.1. */
RQX_API void rqx_request_set_protocols(rqx_request *request, unsigned protocols);
/** Uses |proxy| (referenced), or none where NULL and |direct| is 1, in place of the client's.  Since 0.1. */
RQX_API void rqx_request_set_proxy(rqx_request *request, rqx_proxy *proxy, int direct);
/** Uses |retry| (referenced), or none at all where NULL and |none| is 1, in place of the client's.  Since 0.1.0. */
RQX_API void rqx_request_set_retry(rqx_request *request, rqx_retry *retry, int none);
/** Sends |target| as request target / :path in place of the URL's.  Errors: RQX_ERR_INVALID_ARGUMENT (empty, above
 * RQX_URL_MAX bytes, spaces or what is not printable ASCII), RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_request_set_target(rqx_request *request, const char *target, size_t len);
/** Asks for and checks this name in TLS in place of the URL's host.  Errors: RQX_ERR_INVALID_ARGUMENT (empty, above 255
 * bytes, spaces or what is not printable ASCII), RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_request_set_server_name(rqx_request *request, const char *name, size_t len);
/** 1: 1xx responses are kept for rqx_response_next_interim and told by RQX_EVENT_INTERIM; default 0.  Since 0.1. */
RQX_API void rqx_request_set_interim(rqx_request *request, int wanted);
/** Tells events by |event_cb|.  For engines without |pull_events|.  Since 0.1. */
RQX_API void rqx_request_set_callback(rqx_request *request, rqx_event_cb event_cb);

RQX_END_DECLS

#endif
