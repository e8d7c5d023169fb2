#include "client/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <requestx/error.h>

#include "base/mem.h"
#include "http/netrc.h"

#define PIECE 65536

int rqx__file_open(const char *path, int *ret_fd, uint64_t *ret_length)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return RQX_ERR_SYSTEM;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return RQX_ERR_INVALID_ARGUMENT;
    }
    *ret_fd = fd;
    *ret_length = (uint64_t)info.st_size;
    return 0;
}

int rqx__file_read(int fd, struct rqx__buf *text, size_t max)
{
    for (;;) {
        ssize_t got;

        if (rqx__buf_reserve(text, PIECE) < 0)
            return RQX_ERR_NOMEM;
        got = read(fd, rqx__buf_tail(text), PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return RQX_ERR_SYSTEM;
        rqx__buf_commit(text, (size_t)got);
        if (got == 0)
            return 0;
        if (text->len > max)
            return RQX_ERR_INVALID_ARGUMENT;
    }
}

void rqx__file_forget(struct rqx__buf *text)
{
    rqx__free_secret(text->data, text->cap);
    text->data = NULL;
}

/* Opens what may be trusted with passwords. */
static int open_private(const char *path, mode_t forbidden)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_uid == geteuid() || info.st_uid == 0) &&
        (info.st_mode & forbidden) == 0)
        return fd;
    close(fd);
    errno = EACCES;
    return -1;
}

/* The file of this user; false: there is no such name. */
static bool own_path(char *path, size_t size)
{
    const char *home = getenv("HOME");
    const char *named = getenv("NETRC");
    int len;

    if (named != NULL && named[0] != '\0')
        len = snprintf(path, size, "%s", named);
    else if (home != NULL && home[0] != '\0')
        len = snprintf(path, size, "%s/.netrc", home);
    else
        return false;
    return len > 0 && (size_t)len < size;
}

int rqx__netrc_read(const char *path, struct rqx__netrc **ret_netrc)
{
    bool own = path[0] == '\0';
    char found[PATH_MAX];
    struct rqx__buf text;
    int fd;
    int rv;

    if (own && !own_path(found, sizeof found)) {
        *ret_netrc = NULL;
        return 0;
    }
    fd = open_private(own ? found : path, own ? S_IRWXG | S_IRWXO : S_IWGRP | S_IWOTH);
    if (fd < 0 && own && errno == ENOENT) {
        *ret_netrc = NULL;
        return 0;
    }
    if (fd < 0)
        return RQX_ERR_SYSTEM;
    rqx__buf_init(&text, SIZE_MAX);
    rv = rqx__file_read(fd, &text, RQX__NETRC_MAX);
    if (rv == 0)
        rv = rqx__netrc_parse((const char *)rqx__buf_head(&text), text.len, ret_netrc);
    close(fd);
    rqx__file_forget(&text);
    return rv;
}
