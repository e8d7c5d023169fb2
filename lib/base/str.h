/*
 * str.h - ASCII text helpers that do not look at the locale.
 */
#ifndef RQX_BASE_STR_H
#define RQX_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <requestx/types.h>

/* A slice of a string literal. */
#define RQX__LIT(text) ((rqx_slice){(text), sizeof(text) - 1})

static inline unsigned char rqx__lower(unsigned char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static inline bool rqx__is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* Value of a hexadecimal digit, or -1. */
int rqx__hex_value(unsigned char c);
/* Equal but for ASCII case. */
bool rqx__ieq(const char *a, size_t a_len, const char *b, size_t b_len);
/* Equal to the letter. */
static inline bool rqx__eq(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}
/* Reads a decimal number without sign, 1 to |len| digits and nothing else.  0, or -1: malformed or above |max|. */
int rqx__parse_u64(const char *text, size_t len, uint64_t max, uint64_t *ret_value);
/* Drops spaces and tabs at both ends (RFC 9110 OWS). */
rqx_slice rqx__trim(rqx_slice text);
/* One bit for each character that a token may hold. */
extern const uint32_t rqx__tchar_bits[8];
/* A token character of RFC 9110 section 5.6.2. */
static inline bool rqx__is_tchar(unsigned char c)
{
    return (rqx__tchar_bits[c >> 5] >> (c & 31) & 1) != 0;
}
/* Not empty and tokens only. */
bool rqx__is_token(const char *text, size_t len);
/* Whether there is a control character other than the tab (RFC 9110 section 5.5); bytes of 128 and above are none. */
bool rqx__has_control(const char *text, size_t len);
/* A field value without CR, LF, NUL and without white space at its ends (RFC 9110 section 5.5); obs-text is allowed. */
bool rqx__is_field_value(const char *text, size_t len);
/* Whether the comma separated list |list| has |item| (without case). */
bool rqx__list_has(rqx_slice list, const char *item);
/* The largest n <= len at which |text| may be cut without halving a UTF-8 sequence. */
size_t rqx__utf8_cut(const char *text, size_t len);
/* The text of an errno value, thread safe. */
void rqx__errno_text(int value, char *buffer, size_t size);
/* Writes base64 of |len| bytes and a NUL; |out| has room for (len + 2) / 3 * 4 + 1. Gives the length. */
size_t rqx__base64(const uint8_t *data, size_t len, char *out);

#endif
