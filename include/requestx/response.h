/*
 * requestx/response.h - one exchange from its submission on, and then its response, whatever protocol carried it.
 *
 * Counted, and readable until it is given back, also when its client and engine are gone.  What is known of the head
 * (status, fields, version, ids) may be read by any thread once an event, or rqx_response_wait, told that it is there;
 * it does not change any more.  The body is read by one thread at a time.
 */
#ifndef REQUESTX_RESPONSE_H
#define REQUESTX_RESPONSE_H

#include <requestx/error.h>
#include <requestx/headers.h>
#include <requestx/tls.h>

RQX_BEGIN_DECLS

/** When each phase ended, in microseconds since the submission; -1 where it did not happen (reused connection,
 * failure). */
typedef struct rqx_timings {
    /** a connection and stream were there */
    int64_t queue_us;
    /** the name was resolved */
    int64_t dns_us;
    /** TCP was connected, proxy tunnel included */
    int64_t connect_us;
    /** the TLS handshake was complete */
    int64_t tls_us;
    /** the request's last byte went to the connection */
    int64_t sent_us;
    /** the response's head was complete */
    int64_t first_byte_us;
    /** the response's last byte was there */
    int64_t total_us;
} rqx_timings;

/** Takes one more reference.  Returns |response|.  Any thread.  Since 0.1. */
RQX_API rqx_response *rqx_response_ref(rqx_response *response);
/** Gives a reference back; the last one cancels what still runs, and frees.  NULL is allowed.  Any thread; never waits.
 * Since 0.1. */
RQX_API void rqx_response_unref(rqx_response *response);

/**
 * SYNC only: drives the engine, or sleeps while another thread does, until one of the |what| bits (RQX_EVENT_HEAD,
 * _BODY, _WRITE, _DONE) is true of the response, which is also the case for all of them once it is done.  Gives 0;
 * RQX_AGAIN if |timeout_ms| passed (RQX_NO_TIMEOUT: none) or a signal came.  Errors: RQX_ERR_MODE, RQX_ERR_FORKED,
 * RQX_ERR_SYSTEM; not the exchange's own failure. Any number of threads, each on a response of its own.  Since 0.1.
 */
RQX_API int rqx_response_wait(rqx_response *response, unsigned what, int64_t timeout_ms);
/**
 * Ends the exchange if it still runs: its stream alone is reset (RFC 9113 section 5.4.2), a queued one leaves the
 * queue, and the event RQX_EVENT_DONE comes with RQX_ERR_CANCELLED, from whoever drives next and not from in here. Does
 * nothing on a finished one.  Any thread.  Since 0.1.
 */
RQX_API void rqx_response_cancel(rqx_response *response);
/**
 * Tells that the caller wants no more of the body: as cancel, but a response whose head has come counts as done well,
 * and RQX_EVENT_DONE comes without error.  Any thread.  Since 0.1.
 */
RQX_API void rqx_response_close(rqx_response *response);
/** Tells that a body callback that gave RQX_AGAIN has bytes now.  Any thread.  Since 0.1. */
RQX_API void rqx_response_resume_body(rqx_response *response);

/**
 * Gives bytes of a pushed body (rqx_request_set_body_push): copies up to |len| into the exchange's buffer of 256 KiB.
 * 0 with
 * |*ret_taken| > 0; RQX_AGAIN with 0 if it is full (RQX_EVENT_WRITE tells when there is room).  Errors: RQX_ERR_STATE
 * (no pushed body, ended, or the exchange is done or wants no more), RQX_ERR_REQUEST_LENGTH (more than announced; the
 * exchange fails with it), RQX_ERR_NOMEM.  Any thread.  Since 0.1.
 */
RQX_API int rqx_response_write_body(rqx_response *response, const void *data, size_t len, size_t *ret_taken);
/**
 * Tells that a pushed body is complete.  0 too where the peer answered all of an announced length before that was told.
 * Errors: RQX_ERR_STATE (as above), RQX_ERR_REQUEST_LENGTH (less than announced).  Any thread.  Since 0.1.
 */
RQX_API int rqx_response_end_body(rqx_response *response);

/**
 * Takes the oldest 1xx response that was not taken yet (rqx_request_set_interim): its status and a list of fields that
 * the caller frees.  0; RQX_AGAIN if there is none.  Any thread.  Since 0.1.
 */
RQX_API int rqx_response_next_interim(rqx_response *response, int *ret_status, rqx_headers **ret_headers);

/** Gives 1 once RQX_EVENT_DONE is true.  Any thread.  Since 0.1. */
RQX_API int rqx_response_done(const rqx_response *response);
/** Gives what ended the exchange: |code| 0 where it is well or still runs.  Read it after RQX_EVENT_DONE.  It lives as
 * long as the response.  Since 0.1. */
RQX_API const rqx_error *rqx_response_error(const rqx_response *response);
/** Gives the status code; 0 while there is none.  Since 0.1. */
RQX_API int rqx_response_status(const rqx_response *response);
/** Gives the reason phrase of an HTTP/1 status line; empty on HTTP/2.  Since 0.1. */
RQX_API rqx_slice rqx_response_reason(const rqx_response *response);
/** Gives the protocol that carried it.  Since 0.1. */
RQX_API rqx_http_version rqx_response_version(const rqx_response *response);
/** Gives the header section, borrowed.  HTTP/1 names keep their case.  Since 0.1. */
RQX_API const rqx_headers *rqx_response_headers(const rqx_response *response);
/** Gives the trailer section, borrowed, empty if there was none.  Complete after RQX_EVENT_DONE.  Since 0.1. */
RQX_API const rqx_headers *rqx_response_trailers(const rqx_response *response);
/** Gives the URL that was asked last (after redirects), borrowed.  Since 0.1. */
RQX_API const rqx_url *rqx_response_url(const rqx_response *response);
/** Gives the request as submitted, borrowed.  Since 0.1. */
RQX_API rqx_request *rqx_response_request(const rqx_response *response);
/** Gives the HTTP/2 stream id; 0 on HTTP/1 or while there is none.  Since 0.1. */
RQX_API int32_t rqx_response_stream_id(const rqx_response *response);
/** Gives a number that names the connection within its engine, from 1 on; 0 while there is none.  Since 0.1. */
RQX_API uint64_t rqx_response_connection_id(const rqx_response *response);
/** Gives how many times the request was sent again, connected anew, or moved to another connection.  Since 0.1. */
RQX_API int rqx_response_retries(const rqx_response *response);
/** Gives when each phase ended.  Since 0.1. */
RQX_API void rqx_response_timings(const rqx_response *response, rqx_timings *ret_timings);
/** Gives the peer's and our own address as "addr:port" ("[addr]:port" for IPv6), NUL terminated, empty if unknown.
 * Since 0.1. */
RQX_API void rqx_response_addresses(const rqx_response *response, rqx_slice *ret_peer, rqx_slice *ret_local);
/**
 * Gives how TLS secured the connection to the origin that the response's head came over (a tunnel's proxy is another
 * matter).  What |*ret_info| points to lives as long as the response.  Errors: RQX_ERR_STATE (no TLS, or no head has
 * come).  Since 0.1.
 */
RQX_API int rqx_response_tls(const rqx_response *response, rqx_tls_info *ret_info);
/** Gives how many redirects, and challenges that were answered, led here.  Since 0.1. */
RQX_API size_t rqx_response_history_count(const rqx_response *response);
/** Gives such a response, the oldest at |index| 0, borrowed, NULL past the end: head only, its body was discarded.
 * Since 0.1. */
RQX_API const rqx_response *rqx_response_history(const rqx_response *response, size_t index);

/**
 * Gives the whole body as received, with its content codings, of a response that was not streamed and is done; empty
 * for a streamed one.  Lives as long as the response.  Since 0.1.
 */
RQX_API rqx_slice rqx_response_raw_body(const rqx_response *response);
/**
 * Gives the whole body with its content codings undone (gzip, deflate, br, zstd; unknown ones are left), as far as
 * raw_body has it.  Decodes at the first call; not for several threads at once.  Lives as long as the response.
 * Errors: RQX_ERR_STATE (not done), RQX_ERR_DECODING, RQX_ERR_DECODED_TOO_LARGE, RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_response_body(rqx_response *response, rqx_slice *ret_body);
/**
 * Frees the body of a response that was not streamed and is done, before the response itself: for who has made a copy.
 * What rqx_response_raw_body and rqx_response_body gave ends here, and they give nothing any more.  Since 0.1.
 */
RQX_API void rqx_response_discard_body(rqx_response *response);
/**
 * Streamed responses: gives up to |cap| bytes as received.  0 with |*ret_len| > 0; 0 with |*ret_len| 0 at the end;
 * RQX_AGAIN if there are none yet (RQX_EVENT_BODY tells); the exchange's error when it failed, after the bytes that
 * came before.  |*ret_len| is 0 but in the first case.  Reading gives window credit back to the peer, so that what is
 * not read is not sent.  Errors also: RQX_ERR_STATE (not streamed), RQX_ERR_INVALID_ARGUMENT (|cap| 0).  Since 0.1.
 */
RQX_API int rqx_response_read_raw(rqx_response *response, void *buffer, size_t cap, size_t *ret_len);
/** The same with content codings undone.  Not to be mixed with rqx_response_read_raw.  Errors also as
 * rqx_response_body.  Since 0.1. */
RQX_API int rqx_response_read(rqx_response *response, void *buffer, size_t cap, size_t *ret_len);

RQX_END_DECLS

#endif
