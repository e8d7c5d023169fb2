/*
 * resolver_names.c - names that are known without asking anybody.
 */
#include "net/resolver_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define HOSTS_FILE_MAX (8u << 20)

/* ---- literals ---- */

/* A zone is an interface's name or number (RFC 4007 section 11). */
static bool parse_zone(const char *zone, uint32_t *ret_scope)
{
    uint64_t number;

    if (rqx__parse_u64(zone, strlen(zone), UINT32_MAX, &number) == 0)
        *ret_scope = (uint32_t)number;
    else
        *ret_scope = if_nametoindex(zone);
    return *ret_scope != 0;
}

bool rqx__address_parse(const char *text, size_t len, struct rqx__address *ret_address)
{
    char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    char *percent;

    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return false;
    memset(ret_address, 0, sizeof *ret_address);
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, ret_address->bytes) == 1) {
        ret_address->family = AF_INET;
        return true;
    }
    percent = strchr(copy, '%');
    if (percent != NULL) {
        *percent = '\0';
        if (!parse_zone(percent + 1, &ret_address->scope))
            return false;
    }
    ret_address->family = AF_INET6;
    return inet_pton(AF_INET6, copy, ret_address->bytes) == 1;
}

/* ---- the table ---- */

struct name {
    struct rqx__map_node node;
    unsigned count;
    unsigned cap;
    struct rqx__address *list;
    char text[];
};

static struct name *name_of(struct rqx__map_node *node)
{
    return RQX__OF(node, struct name, node);
}

void rqx__names_init(struct rqx__names *names)
{
    rqx__map_init(&names->map);
}

void rqx__names_done(struct rqx__names *names)
{
    struct rqx__map_node *node;

    while ((node = rqx__map_any(&names->map)) != NULL) {
        rqx__map_remove(&names->map, node);
        rqx__free(name_of(node)->list);
        rqx__free(name_of(node));
    }
    rqx__map_done(&names->map);
}

static struct name *new_name(struct rqx__names *names, const char *text, size_t len)
{
    struct name *name = rqx__calloc(1, sizeof *name + len);

    if (name == NULL)
        return NULL;
    memcpy(name->text, text, len);
    name->node.key = name->text;
    name->node.key_len = len;
    if (rqx__map_add(&names->map, &name->node) < 0) {
        rqx__free(name);
        return NULL;
    }
    return name;
}

static bool wants_more(const struct name *name, const struct rqx__address *address)
{
    unsigned same_family = 0;
    unsigned i;

    for (i = 0; i < name->count; i++) {
        const struct rqx__address *other = &name->list[i];

        if (other->family != address->family)
            continue;
        if (other->scope == address->scope && memcmp(other->bytes, address->bytes, sizeof other->bytes) == 0)
            return false;
        same_family++;
    }
    return same_family < RQX__RESOLVE_MAX;
}

static int add_address(struct name *name, const struct rqx__address *address)
{
    if (!wants_more(name, address))
        return 0;
    if (name->count == name->cap) {
        unsigned cap = name->cap == 0 ? 1 : 2 * name->cap;
        struct rqx__address *list = rqx__realloc(name->list, cap * sizeof *list);

        if (list == NULL)
            return RQX_ERR_NOMEM;
        name->list = list;
        name->cap = cap;
    }
    name->list[name->count++] = *address;
    return 0;
}

int rqx__names_add(struct rqx__names *names, const char *name, size_t len, const struct rqx__address *address)
{
    char lower[RQX__NAME_MAX];
    struct rqx__map_node *node;
    struct name *entry;
    size_t i;

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > sizeof lower)
        return 0; /* a name that nobody can ask for */
    for (i = 0; i < len; i++)
        lower[i] = (char)rqx__lower((unsigned char)name[i]);
    node = rqx__map_get(&names->map, lower, len);
    entry = node != NULL ? name_of(node) : new_name(names, lower, len);
    return entry != NULL ? add_address(entry, address) : RQX_ERR_NOMEM;
}

bool rqx__names_find(const struct rqx__names *names, const char *name, size_t len, struct rqx__known *ret_known)
{
    struct rqx__map_node *node = rqx__map_get(&names->map, name, len);
    const struct name *entry;

    if (node == NULL)
        return false;
    entry = name_of(node);
    if (entry->count == 0) /* memory ran out before its first address */
        return false;
    ret_known->count = entry->count;
    memcpy(ret_known->list, entry->list, entry->count * sizeof entry->list[0]);
    return true;
}

/* ---- overrides ---- */

static int add_override_address(struct rqx__names *names, rqx_slice host, rqx_slice text)
{
    struct rqx__address address;

    text = rqx__trim(text);
    if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']') {
        text.data++;
        text.len -= 2;
    }
    if (!rqx__address_parse(text.data, text.len, &address))
        return RQX_ERR_INVALID_ARGUMENT;
    return rqx__names_add(names, host.data, host.len, &address);
}

int rqx__names_add_override(struct rqx__names *names, const char *text)
{
    const char *equals = strchr(text, '=');
    rqx_slice host;
    const char *next;

    if (equals == NULL)
        return RQX_ERR_INVALID_ARGUMENT;
    host = rqx__trim((rqx_slice){text, (size_t)(equals - text)});
    if (host.len == 0 || host.len > RQX__NAME_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    next = equals;
    do {
        const char *start = next + 1;
        size_t len = strcspn(start, ",");
        int rc = add_override_address(names, host, (rqx_slice){start, len});

        if (rc < 0)
            return rc;
        next = start + len;
    } while (*next == ',');
    return 0;
}

/* ---- files ---- */

bool rqx__stamp_changed(struct rqx__stamp *stamp, const char *path, uint64_t now)
{
    struct stat status;
    bool first = stamp->next_look == 0;
    bool there;
    bool same;

    if (now < stamp->next_look)
        return false;
    stamp->next_look = now + 1000 * RQX__NS_PER_MS;
    memset(&status, 0, sizeof status);
    there = stat(path, &status) == 0;
    same = there == stamp->there && status.st_dev == stamp->device && status.st_ino == stamp->inode &&
           status.st_size == stamp->size && status.st_mtim.tv_sec == stamp->changed.tv_sec &&
           status.st_mtim.tv_nsec == stamp->changed.tv_nsec;
    stamp->there = there;
    stamp->device = status.st_dev;
    stamp->inode = status.st_ino;
    stamp->size = status.st_size;
    stamp->changed = status.st_mtim;
    return first || !same;
}

/* The next run of bytes that are neither blank nor a comment; moves on.  Empty at the end of the line. */
static rqx_slice next_word(rqx_slice *line)
{
    rqx_slice word;

    while (line->len > 0 && (line->data[0] == ' ' || line->data[0] == '\t' || line->data[0] == '\r')) {
        line->data++;
        line->len--;
    }
    word = (rqx_slice){line->data, 0};
    while (word.len < line->len && strchr(" \t\r#", line->data[word.len]) == NULL)
        word.len++;
    line->data += word.len;
    line->len -= word.len;
    return word;
}

static int add_hosts_line(struct rqx__names *names, rqx_slice line)
{
    rqx_slice word = next_word(&line);
    struct rqx__address address;
    int rc = 0;

    if (word.len == 0 || !rqx__address_parse(word.data, word.len, &address))
        return 0;
    while (rc == 0 && (word = next_word(&line)).len > 0)
        rc = rqx__names_add(names, word.data, word.len, &address);
    return rc;
}

static int add_hosts_text(struct rqx__names *names, const char *text, size_t len)
{
    int rc = 0;

    while (rc == 0 && len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t line_len = newline != NULL ? (size_t)(newline - text) : len;

        rc = add_hosts_line(names, (rqx_slice){text, line_len});
        if (newline == NULL)
            break;
        text += line_len + 1;
        len -= line_len + 1;
    }
    return rc;
}

/* Reads the whole file, up to the maximum.  |ret_text| is NULL where there is nothing to read. */
static int read_file(const char *path, char **ret_text, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    size_t size = 0;
    size_t len = 0;
    char *text = NULL;
    int rc = 0;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        size = status.st_size < HOSTS_FILE_MAX ? (size_t)status.st_size : HOSTS_FILE_MAX;
    if (size > 0) {
        text = rqx__malloc(size);
        rc = text != NULL ? 0 : RQX_ERR_NOMEM;
    }
    while (text != NULL && len < size) {
        ssize_t got = read(fd, text + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    *ret_text = text;
    *ret_len = len;
    return rc;
}

int rqx__names_read_hosts(struct rqx__names *names, const char *path)
{
    struct rqx__names fresh;
    char *text;
    size_t len;
    int rc = read_file(path, &text, &len);

    if (rc < 0)
        return rc;
    rqx__names_init(&fresh);
    rc = text != NULL ? add_hosts_text(&fresh, text, len) : 0;
    rqx__free(text);
    if (rc < 0) {
        rqx__names_done(&fresh);
        return rc;
    }
    rqx__names_done(names);
    *names = fresh;
    return 0;
}
