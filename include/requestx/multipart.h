/*
 * requestx/multipart.h - a form with files as a request's body: multipart/form-data (RFC 7578).
 *
 * A form is built by one thread, and then given to one request.  Files and callbacks are read as the body is sent, so
 * that it may be of any size; its length is announced where that of each part is known.  Names are written as browsers
 * write them: what would end the quotes or the line is percent-encoded.
 */
#ifndef REQUESTX_MULTIPART_H
#define REQUESTX_MULTIPART_H

#include <requestx/headers.h>
#include <requestx/request.h>

RQX_BEGIN_DECLS

/** Most parts of a form. */
#define RQX_MULTIPART_PARTS_MAX 8192
/** Most bytes of a part's name, or of its file's name. */
#define RQX_MULTIPART_NAME_MAX 65536
/** Most characters of a boundary (RFC 2046 section 5.1.1). */
#define RQX_MULTIPART_BOUNDARY_MAX 70

/** What is said of a file.  All is copied. */
typedef struct rqx_file_info {
    /** of the form's field */
    rqx_slice name;
    /** the file's; NULL data: none is said, but by rqx_multipart_add_file the last part of the path */
    rqx_slice filename;
    /** NULL data: "application/octet-stream", unless |headers| has one */
    rqx_slice content_type;
    /** more fields of the part, or NULL */
    const rqx_headers *headers;
} rqx_file_info;

/** Makes an empty form.  Errors: RQX_ERR_NOMEM.  Since 0.1. */
RQX_API int rqx_multipart_new(rqx_multipart **ret_form);
/** Frees the form; for one that no request took.  NULL is allowed.  Since 0.1. */
RQX_API void rqx_multipart_free(rqx_multipart *form);

/**
 * Adds a field (copied).
 * Errors: RQX_ERR_INVALID_ARGUMENT (a limit is passed), RQX_ERR_NOMEM; nothing was added then.  Since 0.1.
 */
RQX_API int rqx_multipart_add_field(rqx_multipart *form, const char *name, size_t name_len, const char *value,
                                    size_t value_len);
/**
 * Adds a file of |len| bytes (copied).
 * Errors: as rqx_multipart_add_field, RQX_ERR_INVALID_FIELD (a content type that is no field value).  Since 0.1.
 */
RQX_API int rqx_multipart_add_bytes(rqx_multipart *form, const rqx_file_info *info, const void *data, size_t len);
/**
 * Adds the file at |path|, from its first byte to the last that it has now.  It is opened here and read as it is sent.
 * Errors: as rqx_multipart_add_bytes, RQX_ERR_SYSTEM (errno tells); RQX_ERR_INVALID_ARGUMENT also for what is no
 * regular file.  Since 0.1.
 */
RQX_API int rqx_multipart_add_file(rqx_multipart *form, const rqx_file_info *info, const char *path);
/**
 * Adds a file that |read_cb| gives: |length| bytes exactly, or RQX_LENGTH_UNKNOWN.  |rewind_cb| NULL: the form can be
 * sent once only.  |free_cb| may be NULL; it is called once where this function succeeded.
 * Errors: as rqx_multipart_add_bytes.  Since 0.1.
 */
RQX_API int rqx_multipart_add_callback(rqx_multipart *form, const rqx_file_info *info, rqx_body_read_cb read_cb,
                                       rqx_body_rewind_cb rewind_cb, int64_t length, rqx_free_cb free_cb, void *user);

/**
 * Sets the boundary in place of one that is chosen by chance: 1 to 70 characters that need no quotes (letters, digits,
 * "'+_-.").  Errors: RQX_ERR_INVALID_ARGUMENT, RQX_ERR_NOMEM.  Since 0.1.
 */
RQX_API int rqx_multipart_set_boundary(rqx_multipart *form, const char *boundary, size_t len);
/** Gives the bytes of the body as it stands, or RQX_LENGTH_UNKNOWN.  Since 0.1. */
RQX_API int64_t rqx_multipart_length(const rqx_multipart *form);

/**
 * Sends |form| as the body, and sets Content-Type.  On success, takes ownership of |form|.  A request with a form is
 * for one exchange at a time. Errors: RQX_ERR_INVALID_ARGUMENT (the boundary that was set stands in a part),
 * RQX_ERR_SYSTEM (no random bytes), RQX_ERR_NOMEM, RQX_ERR_HEADER_TOO_LARGE.  Since 0.1.
 */
RQX_API int rqx_request_set_multipart(rqx_request *request, rqx_multipart *form);

RQX_END_DECLS

#endif
