#include "client/response.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void rqx__response_init(struct rqx_response *response)
{
    atomic_init(&response->refs, 1);
    atomic_init(&response->done, false);
    rqx__headers_init(&response->headers);
    rqx__headers_init(&response->trailers);
    rqx__buf_init(&response->body, SIZE_MAX);
    rqx__buf_init(&response->decoded, SIZE_MAX);
    rqx__buf_init(&response->encoded, SIZE_MAX);
    response->decode_result = 1;
    response->timings = (rqx_timings){-1, -1, -1, -1, -1, -1, -1};
}

static void free_history(struct rqx_response *response)
{
    size_t i;

    for (i = 0; i < response->history_count; i++) {
        rqx__response_done(response->history[i]);
        rqx__free(response->history[i]);
    }
    rqx__free(response->history);
    response->history = NULL;
    response->history_count = 0;
}

void rqx__response_done(struct rqx_response *response)
{
    free_history(response);
    rqx__decoder_free(response->decoder);
    rqx__buf_done(&response->encoded);
    rqx__buf_done(&response->decoded);
    rqx__buf_done(&response->body);
    rqx__headers_done(&response->trailers);
    rqx__headers_done(&response->headers);
    rqx_url_unref(response->url);
    response->url = NULL;
    rqx__facts_unref(response->facts);
    response->facts = NULL;
}

void rqx__response_reset(struct rqx_response *response)
{
    rqx__headers_done(&response->headers);
    rqx__headers_init(&response->headers);
    rqx__headers_done(&response->trailers);
    rqx__headers_init(&response->trailers);
    rqx__buf_done(&response->body);
    response->status = 0;
    response->version = RQX_HTTP_UNKNOWN;
    response->reason = (rqx_slice){NULL, 0};
    response->stream_id = 0;
    response->connection_id = 0;
    rqx__facts_unref(response->facts);
    response->facts = NULL;
    response->body_complete = false;
}

int rqx__response_push_history(struct rqx_response *response)
{
    struct rqx_response *past = rqx__calloc(1, sizeof *past);
    struct rqx_response **history;

    if (past == NULL)
        return RQX_ERR_NOMEM;
    history = rqx__realloc(response->history, (response->history_count + 1) * sizeof *history);
    if (history == NULL) {
        rqx__free(past);
        return RQX_ERR_NOMEM;
    }
    rqx__response_init(past);
    past->status = response->status;
    past->version = response->version;
    past->reason = response->reason;
    past->headers = response->headers;
    past->trailers = response->trailers;
    past->url = rqx_url_ref(response->url);
    past->stream_id = response->stream_id;
    past->connection_id = response->connection_id;
    past->retries = response->retries;
    past->facts = response->facts;
    past->timings = response->timings;
    atomic_store_explicit(&past->done, true, memory_order_relaxed);
    /* the arenas moved: what is left here must not free them */
    rqx__headers_init(&response->headers);
    rqx__headers_init(&response->trailers);
    response->facts = NULL;
    history[response->history_count++] = past;
    response->history = history;
    rqx__response_reset(response);
    return 0;
}

int rqx_response_done(const rqx_response *response)
{
    return atomic_load_explicit(&response->done, memory_order_acquire);
}

const rqx_error *rqx_response_error(const rqx_response *response)
{
    static const rqx_error none = {.text = ""};

    return rqx_response_done(response) ? &response->error : &none;
}

int rqx_response_status(const rqx_response *response)
{
    return response->status;
}

rqx_slice rqx_response_reason(const rqx_response *response)
{
    return response->reason;
}

rqx_http_version rqx_response_version(const rqx_response *response)
{
    return response->version;
}

const rqx_headers *rqx_response_headers(const rqx_response *response)
{
    return &response->headers;
}

const rqx_headers *rqx_response_trailers(const rqx_response *response)
{
    return &response->trailers;
}

const rqx_url *rqx_response_url(const rqx_response *response)
{
    return response->url;
}

int32_t rqx_response_stream_id(const rqx_response *response)
{
    return response->stream_id;
}

uint64_t rqx_response_connection_id(const rqx_response *response)
{
    return response->connection_id;
}

int rqx_response_retries(const rqx_response *response)
{
    return response->retries;
}

void rqx_response_timings(const rqx_response *response, rqx_timings *ret_timings)
{
    *ret_timings = response->timings;
}

static rqx_slice text_slice(const char *text)
{
    return (rqx_slice){text, strlen(text)};
}

void rqx_response_addresses(const rqx_response *response, rqx_slice *ret_peer, rqx_slice *ret_local)
{
    const struct rqx__facts *facts = response->facts;

    if (ret_peer != NULL)
        *ret_peer = text_slice(facts != NULL ? facts->peer : "");
    if (ret_local != NULL)
        *ret_local = text_slice(facts != NULL ? facts->local : "");
}

int rqx_response_tls(const rqx_response *response, rqx_tls_info *ret_info)
{
    const struct rqx__facts *facts = response->facts;

    if (facts == NULL || !facts->secure)
        return RQX_ERR_STATE;
    *ret_info = (rqx_tls_info){
        .version = facts->tls.version,
        .cipher = facts->tls.cipher,
        .cipher_bits = facts->tls.cipher_bits,
        .alpn = facts->tls.alpn,
        .server_name = facts->tls.server_name,
        .peer_certificate = facts->tls.certificate,
        .verified = facts->tls.verified,
        .resumed = facts->tls.resumed,
    };
    return 0;
}

size_t rqx_response_history_count(const rqx_response *response)
{
    return response->history_count;
}

const rqx_response *rqx_response_history(const rqx_response *response, size_t index)
{
    return index < response->history_count ? response->history[index] : NULL;
}
