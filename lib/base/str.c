#include "base/str.h"

#include <stdio.h>
#include <strings.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

int rqx__hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = rqx__lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool rqx__ieq(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t i;

    if (a_len != b_len)
        return false;
    if (a_len != 0 && memcmp(a, b, a_len) == 0)
        return true; /* field names mostly come in lower case, as ours are */
    for (i = 0; i < a_len; i++) {
        if (rqx__lower((unsigned char)a[i]) != rqx__lower((unsigned char)b[i]))
            return false;
    }
    return true;
}

int rqx__parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i;

    if (len == 0)
        return -1;
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        uint64_t digit = (uint64_t)c - '0';

        if (!rqx__is_digit(c) || digit > max || value > (max - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

rqx_slice rqx__trim(rqx_slice text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

const uint32_t rqx__tchar_bits[8] = {0x00000000, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff, 0, 0, 0, 0};

bool rqx__is_token(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (!rqx__is_tchar((unsigned char)text[i]))
            return false;
    }
    return len > 0;
}

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Whether one of the eight bytes of |word| is below 0x20 or is 0x7f: the classic test for a zero byte, twice. */
static bool word_may_have_control(uint64_t word)
{
    uint64_t del = word ^ (EACH_BYTE * 0x7f);
    uint64_t low = (word - EACH_BYTE * 0x20) & ~word;

    return ((low | ((del - EACH_BYTE) & ~del)) & (EACH_BYTE * 0x80)) != 0;
}

bool rqx__has_control(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len) {
        uint64_t word;

        if (len - i >= sizeof word) {
            memcpy(&word, text + i, sizeof word);
            if (!word_may_have_control(word)) {
                i += sizeof word;
                continue;
            }
        }
        if (is_control((unsigned char)text[i]))
            return true;
        i++;
    }
    return false;
}

bool rqx__is_field_value(const char *text, size_t len)
{
    if (len > 0 && (is_blank(text[0]) || is_blank(text[len - 1])))
        return false;
    return !rqx__has_control(text, len);
}

bool rqx__list_has(rqx_slice list, const char *item)
{
    size_t item_len = strlen(item);

    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.data) : list.len;
        rqx_slice part = rqx__trim((rqx_slice){list.data, len});

        if (rqx__ieq(part.data, part.len, item, item_len))
            return true;
        if (comma == NULL)
            break;
        list.data += len + 1;
        list.len -= len + 1;
    }
    return false;
}

size_t rqx__utf8_cut(const char *text, size_t len)
{
    size_t start = len;

    while (start > 0 && len - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0) {
        unsigned char lead = (unsigned char)text[start - 1];
        size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

        if (len - (start - 1) < want)
            return start - 1;
    }
    return len;
}

void rqx__errno_text(int value, char *buffer, size_t size)
{
    const char *text = strerrordesc_np(value);

    if (text != NULL)
        snprintf(buffer, size, "%s", text);
    else
        snprintf(buffer, size, "error %d", value);
}

size_t rqx__base64(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t used = 0;
    size_t i;

    for (i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)data[i] << 16;

        if (left > 1)
            group |= (uint32_t)data[i + 1] << 8;
        if (left > 2)
            group |= data[i + 2];
        out[used++] = digits[group >> 18];
        out[used++] = digits[group >> 12 & 63];
        out[used++] = left > 1 ? digits[group >> 6 & 63] : '=';
        out[used++] = left > 2 ? digits[group & 63] : '=';
    }
    out[used] = '\0';
    return used;
}
