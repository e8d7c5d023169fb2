/*
 * probe_report.c - the probe's input and output: KEY=VALUE pairs, SHA-256, lines of JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "probe.h"

/* ---- pairs ---- */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);

    return at == NULL ? -1 : (int)(at - digits);
}

static size_t unescape(char *text)
{
    char *in = text;
    char *out = text;

    while (*in != '\0') {
        int high = *in == '%' ? hex_digit(in[1]) : -1;
        int low = high < 0 ? -1 : hex_digit(in[2]);

        if (low >= 0) {
            *out++ = (char)(high * 16 + low);
            in += 3;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

void args_add(struct args *args, char *word)
{
    char *equals = strchr(word, '=');
    struct pair *pair;

    if (equals == NULL || args->count == MOST_PAIRS)
        return;
    *equals = '\0';
    pair = &args->pairs[args->count++];
    pair->key = word;
    pair->value = equals + 1;
    pair->len = unescape(pair->value);
}

void args_parse(struct args *args, char *words)
{
    char *rest = NULL;
    char *word;

    args->count = 0;
    for (word = strtok_r(words, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest))
        args_add(args, word);
}

const struct pair *arg_next(const struct args *args, const char *key, int *index)
{
    for (++*index; *index < args->count; ++*index) {
        if (strcmp(args->pairs[*index].key, key) == 0)
            return &args->pairs[*index];
    }
    return NULL;
}

rqx_slice arg_slice(const struct args *args, const char *key)
{
    int index = -1;
    const struct pair *pair = arg_next(args, key, &index);

    return pair == NULL ? (rqx_slice){NULL, 0} : (rqx_slice){pair->value, pair->len};
}

const char *arg_text(const struct args *args, const char *key, const char *otherwise)
{
    rqx_slice value = arg_slice(args, key);

    return value.data == NULL ? otherwise : value.data;
}

long long arg_number(const struct args *args, const char *key, long long otherwise)
{
    const char *text = arg_text(args, key, NULL);

    return text == NULL ? otherwise : strtoll(text, NULL, 0);
}

/* ---- SHA-256 (FIPS 180-4) ---- */

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static void sha256_block(struct sha256 *sha, const uint8_t *block)
{
    uint32_t w[64];
    uint32_t s[8];
    int i;

    memcpy(s, sha->state, sizeof s);
    for (i = 0; i < 64; i++) {
        uint32_t mixed;

        if (i < 16) {
            w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
                   block[4 * i + 3];
        } else {
            w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
                   (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
        }
        mixed = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) +
                round_constants[i] + w[i];
        s[7] = s[6], s[6] = s[5], s[5] = s[4];
        s[4] = s[3] + mixed;
        mixed +=
            (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        s[3] = s[2], s[2] = s[1], s[1] = s[0];
        s[0] = mixed;
    }
    for (i = 0; i < 8; i++)
        sha->state[i] += s[i];
}

void sha256_init(struct sha256 *sha)
{
    static const uint32_t first[8] = {
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    };

    memcpy(sha->state, first, sizeof first);
    sha->bytes = 0;
}

void sha256_add(struct sha256 *sha, const void *data, size_t len)
{
    const uint8_t *in = data;

    while (len != 0) {
        size_t used = (size_t)(sha->bytes % 64);
        size_t take = len < 64 - used ? len : 64 - used;

        memcpy(sha->block + used, in, take);
        sha->bytes += take;
        in += take;
        len -= take;
        if (used + take == 64)
            sha256_block(sha, sha->block);
    }
}

void sha256_hex(struct sha256 *sha, char ret_hex[65])
{
    uint64_t bits = sha->bytes * 8;
    uint8_t length[8];
    int i;

    sha256_add(sha, "\x80", 1);
    while (sha->bytes % 64 != 56)
        sha256_add(sha, "", 1);
    for (i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(sha, length, 8);
    for (i = 0; i < 8; i++)
        snprintf(ret_hex + 8 * i, 9, "%08x", (unsigned)sha->state[i]);
}

/* ---- JSON ---- */

static void put(struct line *line, const char *text, size_t len)
{
    if (line->len + len + 1 > line->cap) {
        line->cap = 2 * (line->len + len) + 256;
        line->text = realloc(line->text, line->cap);
        if (line->text == NULL)
            abort();
    }
    memcpy(line->text + line->len, text, len);
    line->len += len;
    line->text[line->len] = '\0';
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Each byte is one character (latin-1): the other side turns it back. */
static void put_string(struct line *line, const char *data, size_t len)
{
    size_t i;

    put_text(line, "\"");
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        char escaped[8];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
            put_text(line, escaped);
        } else {
            put(line, data + i, 1);
        }
    }
    put_text(line, "\"");
}

static void put_key(struct line *line, const char *key)
{
    put_text(line, line->comma ? "," : "");
    line->comma = true;
    put_string(line, key, strlen(key));
    put_text(line, ":");
}

void line_number(struct line *line, const char *key, long long value)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", value);
    put_key(line, key);
    put_text(line, text);
}

void line_bytes(struct line *line, const char *key, const char *data, size_t len)
{
    put_key(line, key);
    put_string(line, data, len);
}

void line_text(struct line *line, const char *key, const char *value)
{
    line_bytes(line, key, value, strlen(value));
}

void line_raw(struct line *line, const char *key, const char *json)
{
    put_key(line, key);
    put_text(line, json);
}

void line_begin(struct line *line, const char *event, const char *id)
{
    *line = (struct line){.text = NULL};
    put_text(line, "{");
    line_text(line, "event", event);
    if (id != NULL)
        line_text(line, "id", id);
}

void line_fields(struct line *line, const char *key, const rqx_headers *headers)
{
    size_t i;

    put_key(line, key);
    put_text(line, "[");
    for (i = 0; i < rqx_headers_count(headers); i++) {
        rqx_field field = rqx_headers_at(headers, i);

        put_text(line, i == 0 ? "[" : ",[");
        put_string(line, field.name.data, field.name.len);
        put_text(line, ",");
        put_string(line, field.value.data, field.value.len);
        put_text(line, "]");
    }
    put_text(line, "]");
}

void line_error(struct line *line, const rqx_error *error)
{
    static const char *const phases[] = {"none",  "usage",    "resolve", "connect", "tls",
                                         "proxy", "protocol", "timeout", "body",    "fatal"};

    line_text(line, "error", error->code == 0 ? "" : rqx_error_name(error->code) + strlen("RQX_ERR_"));
    line_text(line, "phase", phases[error->phase]);
    line_number(line, "errno", error->sys_errno);
    line_number(line, "tls_verify", error->tls_verify);
    line_number(line, "h2_code", error->h2_code);
    line_text(line, "text", error->text == NULL ? "" : error->text);
}

static void line_tls(struct line *line, const rqx_response *response)
{
    rqx_tls_info info;

    if (rqx_response_tls(response, &info) < 0)
        return;
    line_text(line, "tls_version", info.version);
    line_text(line, "tls_cipher", info.cipher);
    line_number(line, "tls_bits", info.cipher_bits);
    line_bytes(line, "tls_alpn", info.alpn.data, info.alpn.len);
    line_text(line, "tls_name", info.server_name.data);
    line_number(line, "tls_certificate", (long long)info.peer_certificate.len);
    line_number(line, "tls_verified", info.verified);
    line_number(line, "tls_resumed", info.resumed);
}

void line_head(struct line *line, const rqx_response *response)
{
    rqx_slice peer;
    rqx_slice local;
    rqx_slice reason = rqx_response_reason(response);
    rqx_slice url = rqx_url_text(rqx_response_url(response));

    rqx_response_addresses(response, &peer, &local);
    line_number(line, "status", rqx_response_status(response));
    line_number(line, "version", rqx_response_version(response));
    line_bytes(line, "reason", reason.data, reason.len);
    line_number(line, "stream", rqx_response_stream_id(response));
    line_number(line, "conn", (long long)rqx_response_connection_id(response));
    line_number(line, "retries", rqx_response_retries(response));
    line_bytes(line, "url", url.data, url.len);
    line_bytes(line, "peer", peer.data, peer.len);
    line_bytes(line, "local", local.data, local.len);
    line_tls(line, response);
    line_fields(line, "headers", rqx_response_headers(response));
}

void line_timings(struct line *line, const rqx_response *response)
{
    rqx_timings t;
    char json[400];

    rqx_response_timings(response, &t);
    snprintf(
        json, sizeof json,
        "{\"queue\":%lld,\"dns\":%lld,\"connect\":%lld,\"tls\":%lld,\"sent\":%lld,\"first_byte\":%lld,\"total\":%lld}",
        (long long)t.queue_us, (long long)t.dns_us, (long long)t.connect_us, (long long)t.tls_us, (long long)t.sent_us,
        (long long)t.first_byte_us, (long long)t.total_us);
    line_raw(line, "timings", json);
}

void line_history(struct line *line, const rqx_response *response)
{
    size_t i;

    put_key(line, "history");
    put_text(line, "[");
    for (i = 0; i < rqx_response_history_count(response); i++) {
        put_text(line, i == 0 ? "{" : ",{");
        line->comma = false;
        line_head(line, rqx_response_history(response, i));
        put_text(line, "}");
    }
    put_text(line, "]");
}

void line_end(struct line *line)
{
    put_text(line, "}\n");
    pthread_mutex_lock(&probe.lock);
    fwrite(line->text, 1, line->len, stdout);
    fflush(stdout);
    pthread_mutex_unlock(&probe.lock);
    free(line->text);
}
