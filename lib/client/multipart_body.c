/*
 * multipart_body.c - a form as a request's body, and files in it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/file.h"
#include "client/request.h"
#include "http/multipart.h"
#include "net/hash.h"

/* An open file of a form. */
struct file {
    int fd;
    uint64_t offset;
    uint64_t length;
};

static int read_file(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct file *file = user;
    uint64_t left = file->length - file->offset;
    size_t want = left < cap ? (size_t)left : cap;
    ssize_t got;

    do
        got = pread(file->fd, buffer, want, (off_t)file->offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return RQX_ERR_BODY_SOURCE;
    file->offset += (uint64_t)got;
    *ret_len = (size_t)got;
    *ret_end = got == 0 || (uint64_t)got == left; /* a file that shrank ends early, which the form does not take */
    return 0;
}

static int rewind_file(void *user)
{
    struct file *file = user;

    file->offset = 0;
    return 0;
}

static void close_file(void *user)
{
    struct file *file = user;

    close(file->fd);
    rqx__free(file);
}

static int open_file(const char *path, struct file **ret_file)
{
    struct file *file;
    uint64_t length;
    int fd;
    int rv = rqx__file_open(path, &fd, &length);

    if (rv < 0)
        return rv;
    file = rqx__malloc(sizeof *file);
    if (file == NULL) {
        close(fd);
        return RQX_ERR_NOMEM;
    }
    *file = (struct file){fd, 0, length};
    *ret_file = file;
    return 0;
}

int rqx_multipart_add_file(rqx_multipart *form, const rqx_file_info *info, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    rqx_file_info named = *info;
    struct file *file = NULL;
    int rv = open_file(path, &file);

    if (rv < 0)
        return rv;
    if (named.filename.data == NULL)
        named.filename = (rqx_slice){last, strlen(last)};
    rv = rqx_multipart_add_callback(form, &named, read_file, rewind_file, (int64_t)file->length, close_file, file);
    if (rv < 0)
        close_file(file);
    return rv;
}

static void free_form(void *user)
{
    rqx_multipart_free(user);
}

int rqx_request_set_multipart(rqx_request *request, rqx_multipart *form)
{
    char type[sizeof "multipart/form-data; boundary=" + RQX_MULTIPART_BOUNDARY_MAX];
    int rv = rqx__multipart_seal(form, &rqx__hash_ops);
    int len;

    if (rv < 0)
        return rv;
    len = snprintf(type, sizeof type, "multipart/form-data; boundary=%.*s", (int)form->boundary_len, form->boundary);
    rv = rqx_headers_set(&request->headers, "Content-Type", 12, type, (size_t)len);
    if (rv >= 0)
        rv = rqx_request_set_body_callback(request, rqx__multipart_read,
                                           rqx__multipart_can_rewind(form) ? rqx__multipart_rewind : NULL,
                                           rqx_multipart_length(form), free_form, form);
    if (rv < 0)
        form->sealed = false;
    return rv;
}
