/*
 * http/multipart.h - the inside of rqx_multipart: parts, and a place in them from which the body is read.
 *
 * Does no I/O: what is not bytes is a callback's.  A form is sealed when a request takes it; then the boundary is
 * known, and nothing more is added.
 */
#ifndef RQX_HTTP_MULTIPART_H
#define RQX_HTTP_MULTIPART_H

#include <stdbool.h>

#include <requestx/multipart.h>

#include "base/hash.h"
#include "base/list.h"

struct rqx__part {
    struct rqx__list node;
    char *head; /* from Content-Disposition to the empty line */
    size_t head_len;
    char *bytes;              /* own, or NULL: |read_cb| gives them */
    int64_t length;           /* of the content, or RQX_LENGTH_UNKNOWN */
    rqx_body_read_cb read_cb; /* as in request.h */
    rqx_body_rewind_cb rewind_cb;
    rqx_free_cb free_cb;
    void *user;
    uint64_t given; /* bytes of the content so far */
    bool touched;   /* |read_cb| was called since the last rewind */
    bool ended;     /* |read_cb| has no more */
};

/* Where the next byte comes from. */
enum rqx__part_step { RQX__PART_DELIMITER = 0, RQX__PART_HEAD, RQX__PART_CONTENT, RQX__PART_END };

struct rqx_multipart {
    struct rqx__list parts;
    size_t count;
    char boundary[RQX_MULTIPART_BOUNDARY_MAX + 1];
    size_t boundary_len;
    bool boundary_set; /* by the user */
    bool sealed;

    /* the place */
    struct rqx__list *at; /* a part, or |parts| itself: the closing delimiter */
    enum rqx__part_step step;
    size_t offset; /* in what the step writes */
};

/* Adds a part whose content |content| tells (fields node, head and the place aside).  Errors as add_bytes. */
int rqx__multipart_add(rqx_multipart *form, const rqx_file_info *info, bool is_file, const struct rqx__part *content);
/* Chooses the boundary and goes to the first byte.  Errors as rqx_request_set_multipart. */
int rqx__multipart_seal(rqx_multipart *form, const struct rqx__hash_ops *ops);
/* Whether all of it can be read again. */
bool rqx__multipart_can_rewind(const rqx_multipart *form);

/* rqx_body_read_cb and rqx_body_rewind_cb over a sealed form as |user|. */
int rqx__multipart_read(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user);
int rqx__multipart_rewind(void *user);

#endif
