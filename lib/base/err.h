/*
 * err.h - a failure with its details, filled where it happens and carried to the user as rqx_error.
 *
 * The text lives inside, so that telling of an error never allocates.  Layers below write the cause
 * ("connection refused"); the client layer puts host and phase before it.
 */
#ifndef RQX_BASE_ERR_H
#define RQX_BASE_ERR_H

#include <stdarg.h>
#include <stdint.h>

#include <requestx/error.h>

#define RQX__ERR_TEXT_MAX 320

struct rqx__err {
    int code;                     /* RQX_ERR_*, 0: nothing */
    int sys_errno;                /* errno, or 0 */
    long tls_verify;              /* X509_V_ERR_*, or 0 */
    uint32_t h2_code;             /* RST_STREAM / GOAWAY code, or 0 */
    char text[RQX__ERR_TEXT_MAX]; /* NUL terminated; cut at a character's border when too long */
};

void rqx__err_clear(struct rqx__err *err);
/* Fills |err| (NULL is allowed) and returns |code|.  |format| NULL: the code's own text. */
int rqx__err_set(struct rqx__err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with |sys_errno|, whose text is added after ": ". */
int rqx__err_sys(struct rqx__err *err, int code, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts formatted text and ": " before what stands there. */
void rqx__err_prefix(struct rqx__err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds formatted text behind what stands there, which is cut if it would not fit. */
void rqx__err_suffix(struct rqx__err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
