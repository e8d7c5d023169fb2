/*
 * Pins of public keys, a line each: "sha256/" and 44 characters of base64.  What is taken is kept as it stands, and is
 * base64 of 32 bytes and of nothing else.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "base/str.h"
#include "net/tls_internal.h"

#define MOST 40

/* Decodes 44 characters; false if encoding what comes out does not give them again. */
static bool is_base64(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t bytes[33] = {0};
    char again[48];
    size_t i;

    for (i = 0; i < 43; i++) {
        const char *at = strchr(alphabet, text[i]);
        unsigned value;
        size_t bit;

        if (text[i] == '\0' || at == NULL)
            return false;
        value = (unsigned)(at - alphabet);
        for (bit = 0; bit < 6; bit++) {
            size_t place = i * 6 + bit;

            if (value >> (5 - bit) & 1)
                bytes[place / 8] = (uint8_t)(bytes[place / 8] | 0x80u >> place % 8);
        }
    }
    rqx__base64(bytes, 32, again);
    return memcmp(again, text, 44) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct rqx_tls tls = {.pin_count = 0};
    const char *pins[MOST];
    size_t count = 0;
    size_t i;

    while (in.len > 0 && count < MOST)
        pins[count++] = fuzz_text(fuzz_until(&in, '\n'));
    if (rqx__tls_pins_copy(&tls, pins, count) == 0) {
        FUZZ_ASSERT(tls.pin_count == count && count <= RQX_TLS_PINS_MAX);
        for (i = 0; i < count; i++) {
            size_t len = strlen(pins[i]);

            FUZZ_ASSERT(len >= 7 + 44 && memcmp(pins[i] + len - 44, tls.pins[i], 44) == 0);
            FUZZ_ASSERT(strncmp(pins[i], "sha256/", 7) == 0 && is_base64(tls.pins[i]));
        }
    } else {
        FUZZ_ASSERT(tls.pins == NULL);
    }
    rqx__free(tls.pins);
    for (i = 0; i < count; i++)
        free((char *)(uintptr_t)pins[i]);
    return 0;
}
