/*
 * fuzz.h - what the fuzz targets share: bytes taken off the input, copies that end where the data ends, and assertions.
 *
 * A target is one file fuzz_WHAT.c with LLVMFuzzerTestOneInput.  It is linked with libFuzzer ("make fuzz") or with
 * replay.c, which feeds it the files of corpus/WHAT ("make check").  Beside what the sanitizers find it asserts what
 * must hold for any input: that a result can be taken apart again, and that cutting the input differently changes
 * nothing.
 */
#ifndef RQX_TESTS_FUZZ_FUZZ_H
#define RQX_TESTS_FUZZ_FUZZ_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <requestx/types.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fails the run: libFuzzer keeps the input that led here. */
#define FUZZ_ASSERT(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: not true: %s\n", __FILE__, __LINE__, __func__, #condition);                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define FUZZ_FAIL(why)                                                                                                 \
    do {                                                                                                               \
        fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, __func__, why);                                         \
        abort();                                                                                                       \
    } while (0)

/* ---- the input ---- */

struct fuzz_in {
    const uint8_t *data;
    size_t len;
};

/* The next byte; 0 past the end. */
static inline unsigned fuzz_u8(struct fuzz_in *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

static inline unsigned fuzz_u16(struct fuzz_in *in)
{
    unsigned high = fuzz_u8(in);

    return high << 8 | fuzz_u8(in);
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
    uint32_t high = fuzz_u16(in);

    return high << 16 | fuzz_u16(in);
}

/* The next |len| bytes, or as many as there are. */
static inline struct fuzz_in fuzz_take(struct fuzz_in *in, size_t len)
{
    struct fuzz_in piece = {in->data, len < in->len ? len : in->len};

    in->data += piece.len;
    in->len -= piece.len;
    return piece;
}

/* What stands before the next |separator|, which is dropped; all that is left if there is none. */
static inline struct fuzz_in fuzz_until(struct fuzz_in *in, uint8_t separator)
{
    const uint8_t *end = in->len == 0 ? NULL : memchr(in->data, separator, in->len);
    struct fuzz_in piece = fuzz_take(in, end == NULL ? in->len : (size_t)(end - in->data));

    fuzz_take(in, 1);
    return piece;
}

/* A copy that ends where the data does, so that the sanitizers see a read beyond it.  The caller frees it. */
static inline char *fuzz_copy(struct fuzz_in in)
{
    char *copy = malloc(in.len != 0 ? in.len : 1);

    FUZZ_ASSERT(copy != NULL);
    if (in.len != 0)
        memcpy(copy, in.data, in.len);
    return copy;
}

/* The same with a NUL behind it. */
static inline char *fuzz_text(struct fuzz_in in)
{
    char *copy = malloc(in.len + 1);

    FUZZ_ASSERT(copy != NULL);
    if (in.len != 0)
        memcpy(copy, in.data, in.len);
    copy[in.len] = '\0';
    return copy;
}

static inline bool fuzz_same(rqx_slice a, rqx_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ---- pieces ---- */

/* Where to cut what is given piece by piece.  |seed| 0: a byte at a time; else by chance, but always the same. */
struct fuzz_cuts {
    uint32_t state;
    bool single;
};

static inline struct fuzz_cuts fuzz_cuts(unsigned seed)
{
    return (struct fuzz_cuts){seed * UINT32_C(2654435761) + 1, seed == 0};
}

/* Length of the next piece of |left| bytes: 1 at least; mostly short, sometimes long. */
static inline size_t fuzz_piece(struct fuzz_cuts *cuts, size_t left)
{
    size_t len;

    if (cuts->single || left <= 1)
        return left < 1 ? left : 1;
    cuts->state = cuts->state * UINT32_C(1664525) + UINT32_C(1013904223);
    len = (cuts->state >> 8 & 15) == 0 ? cuts->state >> 12 & 0xfff : cuts->state >> 12 & 15;
    return len < 1 ? 1 : len < left ? len : left;
}

/* ---- what happened, to be compared ---- */

struct fuzz_log {
    char *text;
    size_t len;
    size_t cap;
    bool in_data; /* bytes of a body were added last */
};

static inline void fuzz_log_add(struct fuzz_log *log, const void *data, size_t len)
{
    if (log->len + len + 1 > log->cap) {
        log->cap = 2 * (log->len + len) + 256;
        log->text = realloc(log->text, log->cap);
        FUZZ_ASSERT(log->text != NULL);
    }
    if (len != 0)
        memcpy(log->text + log->len, data, len);
    log->len += len;
    log->text[log->len] = '\0';
}

static inline void fuzz_log_say(struct fuzz_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void fuzz_log_say(struct fuzz_log *log, const char *format, ...)
{
    char line[512];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    FUZZ_ASSERT(len >= 0);
    if (log->in_data)
        fuzz_log_add(log, "\n", 1);
    log->in_data = false;
    fuzz_log_add(log, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

/* Drops |len| bytes from the front: a log serves as a queue, too. */
static inline void fuzz_log_drop(struct fuzz_log *log, size_t len)
{
    FUZZ_ASSERT(len <= log->len);
    log->len -= len;
    if (len != 0 && log->len != 0)
        memmove(log->text, log->text + len, log->len);
}

/* Bytes of a body: it does not matter in how many pieces they came. */
static inline void fuzz_log_data(struct fuzz_log *log, const void *data, size_t len)
{
    if (!log->in_data)
        fuzz_log_add(log, "data ", 5);
    log->in_data = true;
    fuzz_log_add(log, data, len);
}

static inline void fuzz_log_done(struct fuzz_log *log)
{
    free(log->text);
}

/* Shows both where they differ. */
static inline void fuzz_log_same(const struct fuzz_log *a, const struct fuzz_log *b)
{
    if (a->len == b->len && (a->len == 0 || memcmp(a->text, b->text, a->len) == 0))
        return;
    fprintf(stderr, "---- one:\n%.4000s\n---- other:\n%.4000s\n----\n", a->text ? a->text : "", b->text ? b->text : "");
    FUZZ_FAIL("they differ");
}

#endif
