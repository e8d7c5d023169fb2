/*
 * Forms: CUTS, then parts: a line each, KIND NAME ":" FILENAME ":" CONTENT.  The body is the same however it is read
 * and however often, has the length that was announced, and is taken apart again by a reader of RFC 7578 that knows no
 * more than the boundary.
 */
#include "fuzz.h"

#include <requestx/multipart.h>

#include "base/str.h"
#include "http/multipart.h"
#include "net/hash.h"

#define BOUNDARY "frontier"
#define MOST     16

struct piece {
    rqx_slice name;
    rqx_slice content;
    size_t given; /* by the callback */
    int frees;
    bool is_callback;
};

static int give(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct piece *piece = user;
    size_t len = piece->content.len - piece->given;

    if (len > cap)
        len = cap;
    if (len > 3)
        len = 3;
    if (len != 0)
        memcpy(buffer, piece->content.data + piece->given, len);
    piece->given += len;
    *ret_len = len;
    *ret_end = piece->given == piece->content.len;
    return 0;
}

static int back(void *user)
{
    ((struct piece *)user)->given = 0;
    return 0;
}

static void gone(void *user)
{
    FUZZ_ASSERT(++((struct piece *)user)->frees == 1);
}

static bool contains(rqx_slice text, const char *what)
{
    return text.len > 0 && memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static int add(rqx_multipart *form, unsigned kind, struct piece *piece, rqx_slice filename)
{
    rqx_file_info info = {.name = piece->name, .filename = filename};
    int64_t length = kind & 4 ? (int64_t)piece->content.len : RQX_LENGTH_UNKNOWN;

    switch (kind & 3) {
    case 0:
        return rqx_multipart_add_field(form, piece->name.data, piece->name.len, piece->content.data,
                                       piece->content.len);
    case 1:
        info.filename = (rqx_slice){NULL, 0};
        return rqx_multipart_add_bytes(form, &info, piece->content.data, piece->content.len);
    case 2:
        return rqx_multipart_add_bytes(form, &info, piece->content.data, piece->content.len);
    default:
        piece->is_callback = true;
        return rqx_multipart_add_callback(form, &info, give, back, length, gone, piece);
    }
}

static void read_all(rqx_multipart *form, struct fuzz_cuts *cuts, struct fuzz_log *log)
{
    char buffer[4096];
    size_t rounds = 0;
    int end = 0;

    while (!end) {
        size_t cap = cuts == NULL ? sizeof buffer : fuzz_piece(cuts, sizeof buffer);
        size_t len = 0;

        FUZZ_ASSERT(rqx__multipart_read(buffer, cap, &len, &end, form) == 0 && len <= cap && rounds++ < 10000000);
        fuzz_log_add(log, buffer, len);
    }
}

static rqx_slice take_until(rqx_slice *text, const char *separator)
{
    const char *at = memmem(text->data, text->len, separator, strlen(separator));
    rqx_slice taken = {text->data, at == NULL ? 0 : (size_t)(at - text->data)};

    FUZZ_ASSERT(at != NULL);
    text->data += taken.len + strlen(separator);
    text->len -= taken.len + strlen(separator);
    return taken;
}

/* name="...": quotes and control characters percent-encoded, but for ESC; backslashes doubled. */
static void check_name(rqx_slice head, rqx_slice name)
{
    static const char before[] = "Content-Disposition: form-data; name=\"";
    struct fuzz_log expected = {0};
    size_t i;

    fuzz_log_add(&expected, before, sizeof before - 1);
    for (i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        char code[4];

        snprintf(code, sizeof code, "%%%02X", (unsigned)c);
        if (c == '"' || (c < 0x20 && c != 0x1b))
            fuzz_log_add(&expected, code, 3);
        else
            fuzz_log_add(&expected, c == '\\' ? "\\\\" : (const char *)&c, c == '\\' ? 2 : 1);
    }
    fuzz_log_add(&expected, "\"", 1);
    FUZZ_ASSERT(head.len >= expected.len && memcmp(head.data, expected.text, expected.len) == 0);
    fuzz_log_done(&expected);
}

static void take_apart(const struct fuzz_log *log, const struct piece *pieces, size_t count)
{
    rqx_slice text = {log->text, log->len};
    size_t i;

    for (i = 0; i < count; i++) {
        rqx_slice head;

        take_until(&text, "--" BOUNDARY "\r\n");
        head = take_until(&text, "\r\n\r\n");
        check_name(head, pieces[i].name);
        FUZZ_ASSERT(fuzz_same(take_until(&text, "\r\n--" BOUNDARY), pieces[i].content));
        text.data -= sizeof BOUNDARY + 1; /* the next one begins with it */
        text.len += sizeof BOUNDARY + 1;
    }
    FUZZ_ASSERT(fuzz_same(text, RQX__LIT("--" BOUNDARY "--\r\n")));
}

static void check(rqx_multipart *form, const struct piece *pieces, size_t count, unsigned seed)
{
    struct fuzz_cuts cuts = fuzz_cuts(seed);
    int64_t length = rqx_multipart_length(form);
    struct fuzz_log whole = {0};
    struct fuzz_log again = {0};

    read_all(form, NULL, &whole);
    FUZZ_ASSERT(length == RQX_LENGTH_UNKNOWN || (uint64_t)length == whole.len);
    FUZZ_ASSERT(rqx__multipart_can_rewind(form) && rqx__multipart_rewind(form) == 0);
    read_all(form, &cuts, &again);
    fuzz_log_same(&whole, &again);
    take_apart(&whole, pieces, count);
    fuzz_log_done(&whole);
    fuzz_log_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    unsigned seed = fuzz_u8(&in);
    struct piece pieces[MOST] = {{{0}}};
    rqx_multipart *form = NULL;
    bool clashes = false;
    bool hidden = false; /* a callback may give the boundary: nobody can know */
    size_t count = 0;
    size_t i;
    int rv;

    FUZZ_ASSERT(rqx_multipart_new(&form) == 0);
    FUZZ_ASSERT(rqx_multipart_set_boundary(form, BOUNDARY, sizeof BOUNDARY - 1) == 0);
    while (in.len > 0 && count < MOST) {
        struct piece *piece = &pieces[count];
        struct fuzz_in line = fuzz_until(&in, '\0');
        unsigned kind = fuzz_u8(&line);
        struct fuzz_in name = fuzz_until(&line, ':');
        struct fuzz_in filename = fuzz_until(&line, ':');

        piece->name = (rqx_slice){(const char *)name.data, name.len};
        piece->content = (rqx_slice){(const char *)line.data, line.len};
        if (add(form, kind, piece, (rqx_slice){(const char *)filename.data, filename.len}) < 0) {
            FUZZ_ASSERT(!piece->frees);
            memset(piece, 0, sizeof *piece);
            continue;
        }
        clashes =
            clashes || contains(piece->name, BOUNDARY) || (!piece->is_callback && contains(piece->content, BOUNDARY));
        clashes = clashes || ((kind & 2) && contains((rqx_slice){(const char *)filename.data, filename.len}, BOUNDARY));
        hidden = hidden || (piece->is_callback && contains(piece->content, BOUNDARY));
        count++;
    }
    rv = rqx__multipart_seal(form, &rqx__hash_ops);
    FUZZ_ASSERT(rv == (clashes ? RQX_ERR_INVALID_ARGUMENT : 0));
    if (rv == 0 && !hidden)
        check(form, pieces, count, seed);
    rqx_multipart_free(form);
    for (i = 0; i < count; i++)
        FUZZ_ASSERT(pieces[i].frees == (pieces[i].is_callback ? 1 : 0));
    return 0;
}
