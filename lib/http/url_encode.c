/* The characters of a URL: which are percent-encoded where (https://url.spec.whatwg.org/#percent-encoded-bytes). */
#include "http/url.h"

#include <string.h>

#include "base/str.h"

#define P        RQX__URL_ENC_PATH
#define Q        RQX__URL_ENC_QUERY
#define F        RQX__URL_ENC_FRAGMENT
#define U        RQX__URL_ENC_USERINFO
#define H        RQX__URL_ENC_HOST
#define S        RQX__URL_SCHEME
#define C        RQX__URL_CONTROL
#define CONTROLS C, C, C, C, C, C, C, C
#define DIGITS   S, S, S, S, S, S, S, S, S, S
#define LETTERS  S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S, S

const uint16_t rqx__url_classes[128] = {
    CONTROLS,
    CONTROLS,
    CONTROLS,
    CONTROLS,
    [' '] = P | Q | F | U | H,
    ['"'] = P | Q | F | U,
    ['#'] = P | Q | U | H | RQX__URL_END_AUTHORITY | RQX__URL_END_PATH | RQX__URL_END_QUERY,
    ['+'] = S,
    ['-'] = S,
    ['.'] = S,
    ['/'] = U | H | RQX__URL_END_AUTHORITY,
    ['0'] = DIGITS,
    [':'] = H,
    [';'] = U,
    ['<'] = P | Q | F | U | H,
    ['='] = U,
    ['>'] = P | Q | F | U | H,
    ['?'] = P | U | H | RQX__URL_END_AUTHORITY | RQX__URL_END_PATH,
    ['@'] = U | H,
    ['A'] = LETTERS,
    ['['] = U | H,
    ['\\'] = U,
    [']'] = U | H,
    ['^'] = U | H,
    ['`'] = P | F | U,
    ['a'] = LETTERS,
    ['{'] = P | U,
    ['|'] = U,
    ['}'] = P | U,
    [0x7f] = C,
};

unsigned rqx__url_classes_in(rqx_slice text)
{
    unsigned seen = 0;
    size_t i;

    for (i = 0; i < text.len; i++)
        seen |= rqx__url_class_of(text.data[i]);
    return seen;
}

size_t rqx__url_encoded_len(rqx_slice text, unsigned enc)
{
    size_t len = text.len;
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (rqx__url_class_of(text.data[i]) & enc)
            len += 2;
    }
    return len;
}

char *rqx__url_encode(char *out, rqx_slice text, unsigned enc)
{
    /* hosts are in lower case, so that parsing the result changes nothing */
    const char *digits = enc == RQX__URL_ENC_HOST ? "0123456789abcdef" : "0123456789ABCDEF";
    size_t i;

    for (i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (rqx__url_class_of(text.data[i]) & enc) {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        } else {
            *out++ = text.data[i];
        }
    }
    return out;
}

char *rqx__url_lower(char *out, rqx_slice text)
{
    size_t i;

    for (i = 0; i < text.len; i++)
        out[i] = (char)rqx__lower((unsigned char)text.data[i]);
    return out + text.len;
}

/* A list of segments, joined with "/" in place. */
struct segments {
    char *path;
    size_t len;
    size_t count;
};

static void push_segment(struct segments *list, const char *segment, size_t len)
{
    if (list->count++ > 0)
        list->path[list->len++] = '/';
    memmove(list->path + list->len, segment, len);
    list->len += len;
}

/* The empty segment before a leading "/" stays. */
static void pop_segment(struct segments *list)
{
    if (list->len == 0 && list->count <= 1)
        return;
    while (list->len > 0 && list->path[list->len - 1] != '/')
        list->len--;
    if (--list->count > 0)
        list->len--;
}

size_t rqx__url_remove_dots(char *path, size_t len)
{
    struct segments list = {path, 0, 0};
    size_t at = 0;

    if (memchr(path, '.', len) == NULL)
        return len;
    for (;;) {
        const char *slash = at < len ? memchr(path + at, '/', len - at) : NULL;
        size_t end = slash != NULL ? (size_t)(slash - path) : len;
        size_t size = end - at;

        if (size == 2 && path[at] == '.' && path[at + 1] == '.')
            pop_segment(&list);
        else if (size != 1 || path[at] != '.')
            push_segment(&list, path + at, size);
        if (slash == NULL)
            return list.len;
        at = end + 1;
    }
}
