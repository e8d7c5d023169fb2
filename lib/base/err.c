#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

const char *rqx_error_name(int code)
{
    switch (code) {
    case 0:
        return "RQX_OK";
    case RQX_AGAIN:
        return "RQX_AGAIN";
#define NAME_CASE(name, number, phase, text)                                                                           \
    case number:                                                                                                       \
        return "RQX_ERR_" #name;
        RQX_ERROR_MAP(NAME_CASE)
#undef NAME_CASE
    default:
        return "RQX_ERR_?";
    }
}

const char *rqx_error_text(int code)
{
    switch (code) {
    case 0:
        return "success";
    case RQX_AGAIN:
        return "nothing yet";
#define TEXT_CASE(name, number, phase, text)                                                                           \
    case number:                                                                                                       \
        return text;
        RQX_ERROR_MAP(TEXT_CASE)
#undef TEXT_CASE
    default:
        return "unknown error";
    }
}

rqx_phase rqx_error_phase(int code)
{
    switch (code) {
#define PHASE_CASE(name, number, phase, text)                                                                          \
    case number:                                                                                                       \
        return RQX_PHASE_##phase;
        RQX_ERROR_MAP(PHASE_CASE)
#undef PHASE_CASE
    default:
        return RQX_PHASE_NONE;
    }
}

void rqx__err_clear(struct rqx__err *err)
{
    err->code = 0;
    err->sys_errno = 0;
    err->tls_verify = 0;
    err->h2_code = 0;
    err->text[0] = '\0';
}

/* Cuts a text that snprintf truncated so that no UTF-8 sequence stays half. */
static void cut_text(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= size)
        text[rqx__utf8_cut(text, size - 1)] = '\0';
}

__attribute__((format(printf, 2, 0))) static void format_text(struct rqx__err *err, const char *format, va_list args)
{
    int wanted = vsnprintf(err->text, sizeof err->text, format, args);

    cut_text(err->text, sizeof err->text, wanted);
}

int rqx__err_set(struct rqx__err *err, int code, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return code;
    rqx__err_clear(err);
    err->code = code;
    if (format == NULL) {
        snprintf(err->text, sizeof err->text, "%s", rqx_error_text(code));
        return code;
    }
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    return code;
}

int rqx__err_sys(struct rqx__err *err, int code, int sys_errno, const char *format, ...)
{
    char reason[96];
    size_t used;
    va_list args;

    if (err == NULL)
        return code;
    rqx__err_clear(err);
    err->code = code;
    err->sys_errno = sys_errno;
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    used = strlen(err->text);
    rqx__errno_text(sys_errno, reason, sizeof reason);
    cut_text(err->text, sizeof err->text,
             (int)used + snprintf(err->text + used, sizeof err->text - used, "%s%s", used ? ": " : "", reason));
    return code;
}

void rqx__err_prefix(struct rqx__err *err, const char *format, ...)
{
    char old[RQX__ERR_TEXT_MAX];
    size_t used;
    va_list args;

    memcpy(old, err->text, sizeof old);
    va_start(args, format);
    format_text(err, format, args);
    va_end(args);
    used = strlen(err->text);
    cut_text(err->text, sizeof err->text, (int)used + snprintf(err->text + used, sizeof err->text - used, ": %s", old));
}

void rqx__err_suffix(struct rqx__err *err, const char *format, ...)
{
    char added[RQX__ERR_TEXT_MAX / 2];
    size_t used = strlen(err->text);
    va_list args;
    int wanted;

    va_start(args, format);
    wanted = vsnprintf(added, sizeof added, format, args);
    va_end(args);
    cut_text(added, sizeof added, wanted);
    if (used > sizeof err->text - 1 - strlen(added))
        used = rqx__utf8_cut(err->text, sizeof err->text - 1 - strlen(added));
    memcpy(err->text + used, added, strlen(added) + 1);
}
