/*
 * response.h - the inside of rqx_response: what the user sees of an exchange.
 *
 * The first member of struct rqx__exchange; a response in a history stands alone.
 */
#ifndef RQX_CLIENT_RESPONSE_H
#define RQX_CLIENT_RESPONSE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <requestx/response.h>
#include <requestx/url.h>

#include "base/buf.h"
#include "base/err.h"
#include "client/facts.h"
#include "http/coding.h"
#include "http/headers.h"

struct rqx__exchange;

struct rqx_response {
    /* any thread */
    atomic_uint refs;
    atomic_bool done; /* everything below is final */

    /* set by the driver under the engine's lock, read by anyone once the event HEAD or DONE told so */
    struct rqx__exchange *exchange; /* itself; NULL for one in a history */
    int status;
    rqx_http_version version;
    rqx_slice reason; /* in |headers|' arena */
    struct rqx_headers headers;
    struct rqx_headers trailers;
    rqx_url *url; /* counted */
    int32_t stream_id;
    uint64_t connection_id;
    int retries;
    struct rqx__facts *facts; /* of the connection, counted; NULL until the head came */
    rqx_timings timings;
    rqx_response **history;
    size_t history_count;

    /* the error: final with |done| */
    struct rqx__err err;
    rqx_error error; /* what rqx_response_error gives */

    /* under the engine's lock until |done|, then the reader's */
    struct rqx__buf body; /* as received: all of it, or what was not read yet (streamed) */
    bool body_complete;   /* streamed: nothing more comes */

    /* the reader's */
    struct rqx__decoder *decoder;
    bool decoder_made;
    bool decoder_finished;
    struct rqx__buf decoded; /* whole body decoded, or what the decoder gave and was not read (streamed) */
    struct rqx__buf encoded; /* streamed: taken from |body|, not yet decoded */
    int decode_result;       /* of the whole body: 1 not tried, 0, or the error */
};

/* Sets up everything but |exchange|. */
void rqx__response_init(struct rqx_response *response);
/* Frees all that hangs on it, not itself. */
void rqx__response_done(struct rqx_response *response);
/* Forgets the head, body and trailers, for the next hop or replay. */
void rqx__response_reset(struct rqx_response *response);
/* Makes a response of its own of |response|'s head, moves it into the history and resets.  RQX_ERR_NOMEM: nothing
 * changed. */
int rqx__response_push_history(struct rqx_response *response);

#endif
