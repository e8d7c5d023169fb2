/*
 * interim.c - 1xx responses kept for a user who asked for them (RFC 9110 section 15.2, RFC 8297).
 *
 * The codec bounds the series: all sections of one response count against its header list's maximum.
 */
#include <string.h>

#include "base/mem.h"
#include "client/exchange.h"

int rqx__interim_keep(struct rqx__exchange *exchange)
{
    struct rqx__interim *interim = rqx__malloc(sizeof *interim);

    if (interim == NULL)
        return RQX_ERR_NOMEM;
    interim->status = exchange->interim_status;
    interim->headers = exchange->interim;
    rqx__headers_init(&exchange->interim);
    rqx__list_push_back(&exchange->interims, &interim->node);
    rqx__exchange_tell(exchange, RQX_EVENT_INTERIM);
    return 0;
}

void rqx__interim_done(struct rqx__exchange *exchange)
{
    struct rqx__list *node;

    while ((node = rqx__list_pop_front(&exchange->interims)) != NULL) {
        struct rqx__interim *interim = RQX__OF(node, struct rqx__interim, node);

        rqx__headers_done(&interim->headers);
        rqx__free(interim);
    }
    rqx__headers_done(&exchange->interim);
}

int rqx_response_next_interim(rqx_response *response, int *ret_status, rqx_headers **ret_headers)
{
    struct rqx__exchange *exchange = response->exchange;
    struct rqx__interim *interim;
    struct rqx__list *node;
    rqx_headers *headers = NULL;
    int rv;

    if (exchange == NULL)
        return RQX_AGAIN;
    rv = rqx__engine_lock(exchange->client->engine);
    if (rv < 0)
        return rv;
    node = exchange->interims.next;
    rv = node == &exchange->interims ? RQX_AGAIN : 0;
    if (rv == 0) {
        interim = RQX__OF(node, struct rqx__interim, node);
        rv = rqx_headers_copy(&interim->headers, &headers);
        if (rv == 0) {
            *ret_status = interim->status;
            *ret_headers = headers;
            rqx__list_remove(node);
            rqx__headers_done(&interim->headers);
            rqx__free(interim);
        }
    }
    if (rqx__list_empty(&exchange->interims))
        exchange->ready &= ~(unsigned)RQX_EVENT_INTERIM;
    rqx__engine_unlock_quiet(exchange->client->engine);
    return rv;
}
