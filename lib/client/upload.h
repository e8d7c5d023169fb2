/*
 * upload.h - the request body of one exchange on its way out.
 *
 * Bytes are taken where they lie.  Everything else (file, callback, push) goes through a buffer of bounded size, which
 * the driver fills outside the engine's lock (feed.c), since a file or user code may take its time.
 */
#ifndef RQX_CLIENT_UPLOAD_H
#define RQX_CLIENT_UPLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "client/request.h"

#define RQX__UPLOAD_BUFFER (256 * 1024)
#define RQX__UPLOAD_PIECE  (64 * 1024)

struct rqx_engine;

struct rqx__upload {
    struct rqx__list feed_node;   /* in engine->feeds while the source is to be asked */
    const struct rqx__body *body; /* NULL: nothing to send */
    struct rqx__buf buffer;       /* from the source, not yet sent */
    uint64_t offset;              /* bytes given to the codec (BYTES), or read from the source (others) */
    bool starved;                 /* the codec was told RQX_AGAIN: resume it when there are bytes */
    bool ended;                   /* the source has no more */
    bool refused;                 /* the peer wants no more */
    bool feeding;                 /* the source is being asked, outside the lock */
    bool wants_room;              /* a pushed body found the buffer full: RQX_EVENT_WRITE when there is room */
    bool parked;                  /* the callback gave RQX_AGAIN: wait for rqx_response_resume_body */
    bool resumed;                 /* rqx_response_resume_body was called while it was being asked */
    bool rewind;                  /* the source must go back to its first byte before it is asked */
    int failure;                  /* what the source failed with, or 0 */
};

void rqx__upload_init(struct rqx__upload *upload, const struct rqx__body *body);
void rqx__upload_done(struct rqx__upload *upload);
/* Nothing of the body was given to a codec: it can be sent from its first byte, whatever its source. */
bool rqx__upload_untouched(const struct rqx__upload *upload);
/* From the first byte again; RQX_ERR_BODY_REPLAY if that cannot be. */
int rqx__upload_restart(struct rqx__upload *upload);
/* The codec's pull_body.  May queue the exchange in |feeds|.  |*ret_room| is set where a pushed body's writer can be
 * told. */
int rqx__upload_pull(struct rqx__upload *upload, struct rqx__list *feeds, uint8_t *out, size_t cap, size_t *ret_len,
                     bool *ret_end, bool *ret_room);
/* Whether bytes are held that the codec could take now (for the write deadline). */
bool rqx__upload_pending(const struct rqx__upload *upload);
/* Queues the exchange so that the source is asked, if there is room and reason. */
void rqx__upload_want_feed(struct rqx__upload *upload, struct rqx__list *feeds);

#endif
