/*
 * facts.c - what is known of a connection.
 */
#include "client/facts.h"

#include <sys/socket.h>

#include "base/mem.h"

static void note_addresses(struct rqx__facts *facts, int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
        rqx__sockaddr_text((struct sockaddr *)&address, len, facts->peer, sizeof facts->peer);
    len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
        rqx__sockaddr_text((struct sockaddr *)&address, len, facts->local, sizeof facts->local);
}

struct rqx__facts *rqx__facts_new(const struct rqx__wire *wire, bool secure)
{
    struct rqx__facts *facts = rqx__calloc(1, sizeof *facts);

    if (facts == NULL)
        return NULL;
    facts->refs = 1;
    facts->secure = secure;
    note_addresses(facts, wire->fd);
    if (secure && rqx__tls_wire_facts(wire, &facts->tls) < 0) {
        rqx__free(facts);
        return NULL;
    }
    return facts;
}

struct rqx__facts *rqx__facts_ref(struct rqx__facts *facts)
{
    if (facts != NULL)
        facts->refs++;
    return facts;
}

void rqx__facts_unref(struct rqx__facts *facts)
{
    if (facts == NULL || --facts->refs != 0)
        return;
    rqx__tls_facts_done(&facts->tls);
    rqx__free(facts);
}
