/*
 * cookies.h - a client's jar at each hop of an exchange.  Under the engine's lock, which is outside the jar's own.
 */
#ifndef RQX_CLIENT_COOKIES_H
#define RQX_CLIENT_COOKIES_H

struct rqx__exchange;
struct rqx__hop;

/*
 * Puts into the head of this hop what the jar has for its URL, but for names that the request's Cookie field has, or
 * that of the client's default fields where the request has none.  RQX_ERR_NOMEM.
 */
int rqx__cookies_send(struct rqx__exchange *exchange);
/* Stores what the response's Set-Cookie fields say.  RQX_ERR_NOMEM. */
int rqx__cookies_receive(struct rqx__exchange *exchange);
/* Wipes and frees what rqx__cookies_send made. */
void rqx__cookies_forget(struct rqx__hop *hop);

#endif
