/*
 * request.h - the inside of rqx_request: what to send, read only once submitted.
 */
#ifndef RQX_CLIENT_REQUEST_H
#define RQX_CLIENT_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/proxy.h>
#include <requestx/request.h>
#include <requestx/retry.h>

#include "http/headers.h"

enum rqx__body_kind {
    RQX__BODY_NONE = 0,
    RQX__BODY_BYTES,    /* |bytes| */
    RQX__BODY_FILE,     /* |file_fd|, read at offsets, so several exchanges may send it at once */
    RQX__BODY_CALLBACK, /* |read_cb| */
    RQX__BODY_PUSH      /* rqx_response_write_body */
};

struct rqx__body {
    enum rqx__body_kind kind;
    int64_t length; /* bytes, or RQX_LENGTH_UNKNOWN */
    const uint8_t *bytes;
    int file_fd;
    rqx_body_read_cb read_cb;
    rqx_body_rewind_cb rewind_cb;
    rqx_free_cb free_cb;
    void *user;
};

struct rqx_request {
    atomic_uint refs;
    atomic_int source; /* enum source_state in request.c: a callback body can be read from one place only */

    /* immutable once submitted */
    rqx_url *url;
    char *method;
    size_t method_len;
    struct rqx_headers headers;
    struct rqx__body body;
    struct rqx_headers *trailers; /* or NULL */
    rqx_timeouts timeouts;
    rqx_auth *auth;
    bool no_auth;
    rqx_retry *retry;
    bool no_retry;
    bool streamed;
    bool direct;       /* no proxy, whatever the client has */
    int max_redirects; /* -1: the client's */
    int64_t max_body;  /* -1: none */
    int64_t max_redirect_body;
    unsigned protocols;
    rqx_proxy *proxy;
    char *target;
    size_t target_len;
    char *server_name;
    size_t server_name_len;
    rqx_event_cb event_cb;
    bool interim;
};

/*
 * Takes a body that can be read in one place only.  RQX_ERR_STATE: another exchange reads it; RQX_ERR_BODY_REPLAY: it
 * was read and cannot be rewound; 1: it must be rewound first; 0.
 */
int rqx__request_claim_source(struct rqx_request *request);
/* The exchange that claimed it is over. */
void rqx__request_release_source(struct rqx_request *request);
/* Whether the body could be sent again from its first byte. */
bool rqx__request_can_rewind(const struct rqx_request *request);

#endif
