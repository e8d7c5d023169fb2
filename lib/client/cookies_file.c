/*
 * cookies_file.c - jars in files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <requestx/cookies.h>

#include "base/mem.h"
#include "client/file.h"

int rqx_cookies_load_file(rqx_cookies *jar, const char *path, int64_t now)
{
    struct rqx__buf text;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int saved;
    int rv;

    if (fd < 0)
        return RQX_ERR_SYSTEM;
    rqx__buf_init(&text, SIZE_MAX);
    rv = rqx__file_read(fd, &text, RQX_COOKIES_LOAD_MAX);
    saved = errno;
    if (rv == 0)
        rv = rqx_cookies_load(jar, (const char *)rqx__buf_head(&text), text.len, now);
    close(fd);
    rqx__file_forget(&text);
    errno = saved;
    return rv;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, text, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return RQX_ERR_SYSTEM;
        text += done;
        len -= (size_t)done;
    }
    return fsync(fd) < 0 ? RQX_ERR_SYSTEM : 0;
}

/* Takes the place of |path| at once or not at all. */
static int replace(const char *path, const char *text, size_t len)
{
    char beside[PATH_MAX];
    int fd;
    int saved;
    int rv;

    if (snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= (int)sizeof beside)
        return RQX_ERR_INVALID_ARGUMENT;
    fd = mkostemp(beside, O_CLOEXEC); /* readable by its owner alone */
    if (fd < 0)
        return RQX_ERR_SYSTEM;
    rv = write_all(fd, text, len);
    saved = errno;
    if (close(fd) < 0 && rv == 0) {
        saved = errno;
        rv = RQX_ERR_SYSTEM;
    }
    if (rv == 0 && rename(beside, path) < 0) {
        saved = errno;
        rv = RQX_ERR_SYSTEM;
    }
    if (rv < 0)
        unlink(beside);
    errno = saved;
    return rv;
}

int rqx_cookies_save_file(rqx_cookies *jar, const char *path, int session, int64_t now)
{
    char *text = NULL;
    size_t len = 0;
    int rv = rqx_cookies_save(jar, session, now, &text, &len);
    int saved;

    if (rv < 0)
        return rv;
    rv = replace(path, text, len);
    saved = errno;
    rqx__free_secret(text, len);
    errno = saved;
    return rv;
}
