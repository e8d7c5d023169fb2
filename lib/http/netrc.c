#include "http/netrc.h"

#include <stdbool.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

struct entry {
    struct rqx__map_node node; /* its key is |host| */
    rqx_auth *auth;            /* NULL: there is none that Basic could carry */
    char host[];
};

struct rqx__netrc {
    struct rqx__map entries;
    rqx_auth *other; /* of "default", or NULL */
    bool has_other;
};

/* ---- words ---- */

struct word {
    char text[RQX__NETRC_WORD_MAX];
    size_t len;
};

/* Where reading goes on, and what was said of the host that is being read. */
struct reader {
    rqx_slice rest;
    struct word word;
    struct word host;
    struct word login;
    struct word password;
    bool in_entry;
    bool is_default;
    bool has_password;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static void skip(rqx_slice *text, size_t len)
{
    text->data += len;
    text->len -= len;
}

static void skip_line(rqx_slice *text)
{
    const char *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;

    skip(text, end != NULL ? (size_t)(end - text->data) + 1 : text->len);
}

/* Reads a word, in quotes or not, with a backslash before what stands for itself.  1; 0: the end; negative: malformed.
 */
static int read_word(rqx_slice *text, struct word *word)
{
    bool quoted;

    while (text->len > 0 && is_space(*text->data))
        skip(text, 1);
    if (text->len == 0)
        return 0;
    word->len = 0;
    quoted = *text->data == '"';
    if (quoted)
        skip(text, 1);
    while (text->len > 0 && (quoted ? *text->data != '"' : !is_space(*text->data))) {
        if (*text->data == '\\' && text->len > 1)
            skip(text, 1);
        if (word->len == sizeof word->text || *text->data == '\0')
            return RQX_ERR_INVALID_ARGUMENT;
        word->text[word->len++] = *text->data;
        skip(text, 1);
    }
    if (quoted && text->len == 0)
        return RQX_ERR_INVALID_ARGUMENT;
    if (quoted)
        skip(text, 1);
    return 1;
}

/* The word that has to follow. */
static int read_value(struct reader *reader, struct word *word)
{
    int rv = read_word(&reader->rest, word);

    return rv == 0 ? RQX_ERR_INVALID_ARGUMENT : rv;
}

/* A macro ends at an empty line. */
static void skip_macro(rqx_slice *text)
{
    skip_line(text);
    while (text->len > 0 && *text->data != '\n' && !(*text->data == '\r' && text->len > 1 && text->data[1] == '\n'))
        skip_line(text);
}

/* ---- entries ---- */

static int make_auth(const struct reader *reader, rqx_auth **ret_auth)
{
    int rv;

    *ret_auth = NULL;
    if (!reader->has_password)
        return 0;
    rv = rqx_auth_basic(reader->login.text, reader->login.len, reader->password.text, reader->password.len, ret_auth);
    /* what Basic cannot carry is of no use here, but no reason to refuse the others */
    return rv == RQX_ERR_INVALID_ARGUMENT ? 0 : rv;
}

static int add_host(struct rqx__netrc *netrc, const struct word *host, rqx_auth *auth)
{
    struct entry *entry;
    size_t i;

    if (netrc->entries.count == RQX__NETRC_HOSTS)
        return RQX_ERR_INVALID_ARGUMENT;
    entry = rqx__malloc(sizeof *entry + host->len + 1);
    if (entry == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0; i < host->len; i++)
        entry->host[i] = (char)rqx__lower((unsigned char)host->text[i]);
    entry->auth = auth;
    entry->node.key = entry->host;
    entry->node.key_len = host->len;
    if (rqx__map_get(&netrc->entries, entry->host, host->len) != NULL) {
        rqx_auth_unref(auth);
        rqx__free(entry);
        return 0;
    }
    if (rqx__map_add(&netrc->entries, &entry->node) < 0) {
        rqx__free(entry);
        return RQX_ERR_NOMEM;
    }
    return 0;
}

/* The entry that was being read is complete. */
static int end_entry(struct rqx__netrc *netrc, struct reader *reader)
{
    rqx_auth *auth = NULL;
    int rv = 0;

    if (reader->in_entry)
        rv = make_auth(reader, &auth);
    if (rv >= 0 && reader->in_entry && reader->is_default) {
        rqx_auth_unref(netrc->has_other ? auth : NULL);
        netrc->other = netrc->has_other ? netrc->other : auth;
        netrc->has_other = true;
    } else if (rv >= 0 && reader->in_entry) {
        rv = add_host(netrc, &reader->host, auth);
        if (rv < 0)
            rqx_auth_unref(auth);
    }
    reader->in_entry = reader->is_default = reader->has_password = false;
    reader->login.len = 0;
    return rv;
}

static bool is_word(const struct word *word, const char *text)
{
    return rqx__eq(word->text, word->len, text, strlen(text));
}

/* What a word in the place of a keyword begins. */
static int read_keyword(struct rqx__netrc *netrc, struct reader *reader)
{
    const struct word *word = &reader->word;
    int rv;

    if (is_word(word, "machine") || is_word(word, "default")) {
        bool is_default = is_word(word, "default");

        rv = end_entry(netrc, reader);
        reader->in_entry = true;
        reader->is_default = is_default;
        return rv < 0 || is_default ? rv : read_value(reader, &reader->host);
    }
    if (is_word(word, "macdef")) {
        rv = read_value(reader, &reader->word);
        skip_macro(&reader->rest);
        return rv;
    }
    if (!reader->in_entry)
        return RQX_ERR_INVALID_ARGUMENT;
    if (is_word(word, "login") || is_word(word, "user"))
        return read_value(reader, &reader->login);
    if (is_word(word, "account"))
        return read_value(reader, &reader->word);
    if (!is_word(word, "password"))
        return RQX_ERR_INVALID_ARGUMENT;
    reader->has_password = true;
    return read_value(reader, &reader->password);
}

static bool skip_comment(rqx_slice *text)
{
    while (text->len > 0 && is_space(*text->data))
        skip(text, 1);
    if (text->len == 0 || *text->data != '#')
        return false;
    skip_line(text);
    return true;
}

static int read_all(struct rqx__netrc *netrc, struct reader *reader)
{
    int rv;

    for (;;) {
        while (skip_comment(&reader->rest))
            ;
        rv = read_word(&reader->rest, &reader->word);
        if (rv <= 0)
            break;
        rv = read_keyword(netrc, reader);
        if (rv < 0)
            break;
    }
    return rv < 0 ? rv : end_entry(netrc, reader);
}

int rqx__netrc_parse(const char *text, size_t len, struct rqx__netrc **ret_netrc)
{
    struct rqx__netrc *netrc;
    struct reader *reader;
    int rv;

    if (len > RQX__NETRC_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    netrc = rqx__calloc(1, sizeof *netrc);
    if (netrc == NULL)
        return RQX_ERR_NOMEM;
    rqx__map_init(&netrc->entries);
    reader = rqx__calloc(1, sizeof *reader);
    if (reader == NULL) {
        rqx__netrc_free(netrc);
        return RQX_ERR_NOMEM;
    }
    reader->rest = (rqx_slice){text, len};
    rv = read_all(netrc, reader);
    rqx__free_secret(reader, sizeof *reader);
    if (rv < 0) {
        rqx__netrc_free(netrc);
        return rv;
    }
    *ret_netrc = netrc;
    return 0;
}

void rqx__netrc_free(struct rqx__netrc *netrc)
{
    struct rqx__map_node *node;

    if (netrc == NULL)
        return;
    while ((node = rqx__map_any(&netrc->entries)) != NULL) {
        struct entry *entry = (struct entry *)(void *)node; /* its first member */

        rqx__map_remove(&netrc->entries, node);
        rqx_auth_unref(entry->auth);
        rqx__free(entry);
    }
    rqx__map_done(&netrc->entries);
    rqx_auth_unref(netrc->other);
    rqx__free(netrc);
}

rqx_auth *rqx__netrc_find(const struct rqx__netrc *netrc, rqx_slice host)
{
    const struct rqx__map_node *node = rqx__map_get(&netrc->entries, host.data, host.len);

    return node != NULL ? ((const struct entry *)(const void *)node)->auth : netrc->other;
}
