#include "http/idna.h"

#include <idn2.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

#include <requestx/url.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/url.h"

#define LABEL_MAX 63
/* Bytes of an encoded name; a dot at its end is not counted. */
#define NAME_MAX_LEN (RQX__HOST_IDNA_MAX - 1)
/* Bytes of a host name in UTF-8 that could still have a short enough ASCII form. */
#define INPUT_MAX 1024
/* The one capital whose small letter is two characters. */
#define CAPITAL_I_WITH_DOT 0x130

/* Reads one character of UTF-8; gives how many bytes it has, 0: malformed. */
static size_t read_char(const char *text, size_t len, uint32_t *ret_char)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)text[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    uint32_t value = lead;
    size_t i;

    if (size == 0 || size > len)
        return 0;
    if (size > 1)
        value = lead & (0x7fu >> size);
    for (i = 1; i < size; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (value < smallest[size] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *ret_char = value;
    return size;
}

static size_t write_char(char *out, uint32_t value)
{
    if (value < 0x80) {
        out[0] = (char)value;
        return 1;
    }
    if (value < 0x800) {
        out[0] = (char)(0xc0 | value >> 6);
        out[1] = (char)(0x80 | (value & 0x3f));
        return 2;
    }
    if (value < 0x10000) {
        out[0] = (char)(0xe0 | value >> 12);
        out[1] = (char)(0x80 | (value >> 6 & 0x3f));
        out[2] = (char)(0x80 | (value & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | value >> 18);
    out[1] = (char)(0x80 | (value >> 12 & 0x3f));
    out[2] = (char)(0x80 | (value >> 6 & 0x3f));
    out[3] = (char)(0x80 | (value & 0x3f));
    return 4;
}

/* Full stops of other scripts divide labels as "." does (RFC 5895 section 2). */
static bool is_dot(uint32_t c)
{
    return c == '.' || c == 0x3002 || c == 0xff0e || c == 0xff61;
}

/*
 * Lower case and plain dots.  |out| has three bytes for two of |host|: no character grows more.  RQX_ERR_INVALID_URL:
 * not UTF-8. Without the locale only ASCII is lowered, and other capitals are then not valid in a label.
 */
static int fold(rqx_slice host, char *out, size_t *ret_len)
{
    locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    size_t used = 0;
    size_t at = 0;

    while (at < host.len) {
        uint32_t c;
        size_t size = read_char(host.data + at, host.len - at, &c);

        if (size == 0)
            break;
        at += size;
        if (c == CAPITAL_I_WITH_DOT) {
            memcpy(out + used, "i\xcc\x87", 3);
            used += 3;
            continue;
        }
        if (c < 0x80)
            c = rqx__lower((unsigned char)c);
        else if (unicode != (locale_t)0)
            c = (uint32_t)towlower_l((wint_t)c, unicode);
        used += write_char(out + used, is_dot(c) ? '.' : c);
    }
    if (unicode != (locale_t)0)
        freelocale(unicode);
    *ret_len = used;
    return at == host.len ? 0 : RQX_ERR_INVALID_URL;
}

static int translate(int rc)
{
    return rc == IDN2_OK ? 0 : rc == IDN2_MALLOC ? RQX_ERR_NOMEM : RQX_ERR_INVALID_URL;
}

/* A label of letters, digits and hyphens that is no A-label (RFC 5890 section 2.3.1). */
static bool is_ldh_label(const char *label, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (!rqx__is_digit((unsigned char)label[i]) && !(label[i] >= 'a' && label[i] <= 'z') && label[i] != '-')
            return false;
    }
    return label[0] != '-' && label[len - 1] != '-' && !(len > 3 && label[2] == '-' && label[3] == '-');
}

static bool is_alabel(const char *label, size_t len)
{
    return len > 4 && memcmp(label, "xn--", 4) == 0;
}

static bool is_ascii(const char *text, size_t len)
{
    return (rqx__url_classes_in((rqx_slice){text, len}) & RQX__URL_HIGH) == 0;
}

/* Encodes one label, |label| NUL terminated.  Writes at most LABEL_MAX bytes to |out|. */
static int encode_label(const char *label, size_t len, char *out, size_t *ret_len)
{
    bool ascii = is_ascii(label, len);
    uint8_t *encoded = NULL;
    size_t encoded_len;
    int rv;

    if (len == 0 || (ascii && len > LABEL_MAX))
        return RQX_ERR_INVALID_URL;
    if (ascii && !is_alabel(label, len)) {
        if (!is_ldh_label(label, len))
            return RQX_ERR_INVALID_URL;
        memcpy(out, label, len);
        *ret_len = len;
        return 0;
    }
    /* all rules of RFC 5891 section 4.2; an A-label has to be the one that its U-label gives */
    if (ascii)
        rv = translate(idn2_register_u8(NULL, (const uint8_t *)label, &encoded, 0));
    else
        rv = translate(idn2_register_u8((const uint8_t *)label, NULL, &encoded, 0));
    if (rv < 0)
        return rv;
    encoded_len = strlen((const char *)encoded);
    if (encoded_len <= LABEL_MAX) {
        memcpy(out, encoded, encoded_len);
        *ret_len = encoded_len;
    }
    idn2_free(encoded);
    return encoded_len <= LABEL_MAX ? 0 : RQX_ERR_INVALID_URL;
}

int rqx__idna_to_ascii(rqx_slice host, char *out, size_t *ret_len)
{
    char folded[INPUT_MAX / 2 * 3 + 1];
    char ascii[LABEL_MAX];
    const char *label = folded;
    size_t used = 0;
    size_t len;
    char *dot;
    int rv;

    if (host.len > INPUT_MAX)
        return RQX_ERR_INVALID_URL;
    rv = fold(host, folded, &len);
    if (rv < 0)
        return rv;
    folded[len] = '\0';
    do {
        dot = strchr(label, '.');
        if (dot != NULL)
            *dot = '\0';
        if (label[0] == '\0' && dot == NULL && used > 0)
            break; /* a dot at the end is not followed by a label */
        rv = encode_label(label, strlen(label), ascii, &len);
        if (rv < 0)
            return rv;
        if (used + len > NAME_MAX_LEN)
            return RQX_ERR_INVALID_URL;
        memcpy(out + used, ascii, len);
        used += len;
        if (dot != NULL) {
            out[used++] = '.';
            label = dot + 1;
        }
    } while (dot != NULL);
    out[used] = '\0';
    *ret_len = used;
    return 0;
}

/* Appends the U-label of an A-label to |out|, which has four bytes for each of |label|. */
static int decode_label(const char *label, size_t len, char *out, size_t *ret_len)
{
    char copy[LABEL_MAX + 1];
    char check[LABEL_MAX];
    size_t check_len;
    char *text = NULL;
    int rv;

    if (len > LABEL_MAX)
        return RQX_ERR_INVALID_URL;
    memcpy(copy, label, len);
    copy[len] = '\0';
    rv = encode_label(copy, len, check, &check_len);
    if (rv < 0)
        return rv;
    rv = translate(idn2_to_unicode_8z8z(copy, &text, 0));
    if (rv < 0)
        return rv;
    *ret_len = strlen(text);
    memcpy(out, text, *ret_len);
    idn2_free(text);
    return 0;
}

int rqx_url_host_unicode(const char *host, size_t len, char **ret_text)
{
    const char *end = host + len;
    const char *dot;
    char *text;
    char *out;

    if (len > RQX_URL_MAX || !is_ascii(host, len))
        return RQX_ERR_INVALID_URL;
    text = out = rqx__malloc(len * 4 + 1);
    if (text == NULL)
        return RQX_ERR_NOMEM;
    for (; host < end; host = dot) {
        size_t size;
        int rv = 0;

        dot = memchr(host, '.', (size_t)(end - host));
        dot = dot != NULL ? dot : end;
        rqx__url_lower(out, (rqx_slice){host, size = (size_t)(dot - host)});
        if (is_alabel(out, size))
            rv = decode_label(out, size, out, &size);
        if (rv < 0) {
            rqx__free(text);
            return rv;
        }
        out += size;
        if (dot < end)
            *out++ = *dot++;
    }
    *out = '\0';
    *ret_text = text;
    return 0;
}
