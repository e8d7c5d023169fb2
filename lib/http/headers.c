#include "http/headers.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define FIRST_CAP 16
/*
 * Texts of removed fields stay in the arena until so much of it is dead that copying the living pays: at least this
 * many bytes, and more than half.
 */
#define DEAD_MIN 8192

void rqx__headers_init(struct rqx_headers *headers)
{
    memset(headers, 0, sizeof *headers);
    rqx__arena_init(&headers->arena, SIZE_MAX);
}

void rqx__headers_done(struct rqx_headers *headers)
{
    rqx__arena_done(&headers->arena);
    rqx__free(headers->fields);
    rqx__headers_init(headers);
}

int rqx_headers_new(rqx_headers **ret_headers)
{
    struct rqx_headers *headers = rqx__malloc(sizeof *headers);

    if (headers == NULL)
        return RQX_ERR_NOMEM;
    rqx__headers_init(headers);
    *ret_headers = headers;
    return 0;
}

void rqx_headers_free(rqx_headers *headers)
{
    if (headers == NULL)
        return;
    rqx__headers_done(headers);
    rqx__free(headers);
}

struct known {
    const char *name;
    enum rqx__field_id id;
};

/* The one known name that a name of that length and first letter can be; name NULL: none. */
static struct known known_candidate(size_t len, unsigned char first)
{
    switch (len << 8 | rqx__lower(first)) {
#define KNOWN(first_, name_, id_)                                                                                      \
    case (sizeof(name_) - 1) << 8 | (first_):                                                                          \
        return (struct known){name_, RQX__FIELD_##id_}
        KNOWN('t', "te", TE);
        KNOWN('h', "host", HOST);
        KNOWN('c', "cookie", COOKIE);
        KNOWN('e', "expect", EXPECT);
        KNOWN('t', "trailer", TRAILER);
        KNOWN('u', "upgrade", UPGRADE);
        KNOWN('l', "location", LOCATION);
        KNOWN('s', "set-cookie", SET_COOKIE);
        KNOWN('c', "connection", CONNECTION);
        KNOWN('k', "keep-alive", KEEP_ALIVE);
        KNOWN('r', "retry-after", RETRY_AFTER);
        KNOWN('a', "authorization", AUTHORIZATION);
        KNOWN('c', "content-length", CONTENT_LENGTH);
        KNOWN('c', "content-encoding", CONTENT_ENCODING);
        KNOWN('p', "proxy-connection", PROXY_CONNECTION);
        KNOWN('t', "transfer-encoding", TRANSFER_ENCODING);
        KNOWN('p', "proxy-authorization", PROXY_AUTHORIZATION);
#undef KNOWN
    default:
        return (struct known){NULL, RQX__FIELD_OTHER};
    }
}

enum rqx__field_id rqx__field_id_of(const char *name, size_t name_len)
{
    struct known known;

    if (name_len == 0)
        return RQX__FIELD_OTHER;
    known = known_candidate(name_len, (unsigned char)name[0]);
    if (known.name == NULL || !rqx__ieq(name, name_len, known.name, name_len))
        return RQX__FIELD_OTHER;
    return known.id;
}

static enum rqx__field_id id_of_lower(const char *lname, size_t len)
{
    struct known known;

    if (len == 0)
        return RQX__FIELD_OTHER;
    known = known_candidate(len, (unsigned char)lname[0]);
    return known.name != NULL && memcmp(lname, known.name, len) == 0 ? known.id : RQX__FIELD_OTHER;
}

static bool has_upper(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            return true;
    }
    return false;
}

/* Bytes that the texts of a field take in an arena. */
static size_t texts_size(const struct rqx__field *field)
{
    return (size_t)field->name_len + field->value_len + 2 + (field->lname != field->name ? field->name_len + 1u : 0);
}

/* Moves the texts of |field| to |at|, which has texts_size() bytes.  Gives the byte after them. */
static char *place_texts(struct rqx__field *field, char *at)
{
    bool lower = field->lname == field->name;

    memcpy(at, field->name, field->name_len + 1u);
    field->name = at;
    at += field->name_len + 1u;
    if (lower) {
        field->lname = field->name;
    } else {
        memcpy(at, field->lname, field->name_len + 1u);
        field->lname = at;
        at += field->name_len + 1u;
    }
    memcpy(at, field->value, field->value_len + 1u);
    field->value = at;
    return at + field->value_len + 1u;
}

/* Bytes that all fields take in the arena. */
static size_t living(const struct rqx_headers *headers)
{
    size_t total = 0;
    size_t i;

    for (i = 0; i < headers->count; i++)
        total += texts_size(&headers->fields[i]);
    return total;
}

/* Copies the texts of all fields to a fresh arena and gives the old one, which the caller frees.  RQX_ERR_NOMEM. */
static int compact(struct rqx_headers *headers, struct rqx__arena *ret_old)
{
    size_t total = living(headers);
    struct rqx__arena fresh;
    char *at;
    size_t i;

    rqx__arena_init(&fresh, SIZE_MAX);
    at = rqx__arena_text(&fresh, total);
    if (at == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0; i < headers->count; i++)
        at = place_texts(&headers->fields[i], at);
    headers->bytes_dead = 0;
    *ret_old = headers->arena;
    headers->arena = fresh;
    return 0;
}

/* Makes |ret_field| with its texts in the list's arena.  RQX_ERR_NOMEM. */
static int make_field(struct rqx_headers *headers, const char *name, size_t name_len, const char *value,
                      size_t value_len, struct rqx__field *ret_field)
{
    bool upper = has_upper(name, name_len);
    char *at = rqx__arena_text(&headers->arena, name_len + value_len + 2 + (upper ? name_len + 1 : 0));
    size_t i;

    if (at == NULL)
        return RQX_ERR_NOMEM;
    ret_field->name = ret_field->lname = at;
    ret_field->name_len = (uint32_t)name_len;
    ret_field->value_len = (uint32_t)value_len;
    if (name_len != 0)
        memcpy(at, name, name_len);
    at[name_len] = '\0';
    at += name_len + 1;
    if (upper) {
        ret_field->lname = at;
        for (i = 0; i < name_len; i++)
            at[i] = (char)rqx__lower((unsigned char)name[i]);
        at[name_len] = '\0';
        at += name_len + 1;
    }
    if (value_len != 0)
        memcpy(at, value, value_len);
    at[value_len] = '\0';
    ret_field->value = at;
    ret_field->id = id_of_lower(ret_field->lname, name_len);
    return 0;
}

static int grow(struct rqx_headers *headers)
{
    size_t cap = headers->cap == 0 ? FIRST_CAP : headers->cap * 2;
    struct rqx__field *fields = rqx__realloc(headers->fields, cap * sizeof *fields);

    if (fields == NULL)
        return RQX_ERR_NOMEM;
    headers->fields = fields;
    headers->cap = cap;
    return 0;
}

/* Whether the maxima leave room for one more field.  Lengths are below them from here on: no sum can overflow. */
static bool fits(const struct rqx_headers *headers, size_t name_len, size_t value_len)
{
    size_t room = RQX__HEADERS_MAX_BYTES - headers->bytes;

    return headers->count < RQX__HEADERS_MAX_COUNT && name_len <= room && value_len <= room - name_len;
}

int rqx__headers_add_checked(struct rqx_headers *headers, const char *name, size_t name_len, const char *value,
                             size_t value_len)
{
    struct rqx__arena old;
    bool compacted = false;
    int rv;

    if (!fits(headers, name_len, value_len))
        return RQX_ERR_HEADER_TOO_LARGE;
    if (headers->count == headers->cap && (rv = grow(headers)) < 0)
        return rv;
    if (headers->bytes_dead > DEAD_MIN && headers->bytes_dead > headers->arena.used / 2) {
        rv = compact(headers, &old);
        if (rv < 0)
            return rv;
        compacted = true;
    }
    rv = make_field(headers, name, name_len, value, value_len, &headers->fields[headers->count]);
    /* only now: name and value may lie in the list itself */
    if (compacted)
        rqx__arena_done(&old);
    if (rv < 0)
        return rv;
    headers->count++;
    headers->bytes += name_len + value_len;
    return 0;
}

static int check(const char *name, size_t name_len, rqx_slice value)
{
    if (!rqx__is_token(name, name_len) || !rqx__is_field_value(value.data, value.len))
        return RQX_ERR_INVALID_FIELD;
    return 0;
}

int rqx_headers_add(rqx_headers *headers, const char *name, size_t name_len, const char *value, size_t value_len)
{
    rqx_slice trimmed = rqx__trim((rqx_slice){value, value_len});
    int rv = check(name, name_len, trimmed);

    return rv < 0 ? rv : rqx__headers_add_checked(headers, name, name_len, trimmed.data, trimmed.len);
}

static bool is_named(const struct rqx__field *field, enum rqx__field_id id, const char *name, size_t name_len)
{
    if (id != RQX__FIELD_OTHER)
        return field->id == id;
    return field->id == RQX__FIELD_OTHER && rqx__ieq(field->lname, field->name_len, name, name_len);
}

/* Index of the first field of that name at or after |from|; the count if there is none. */
static size_t find_named(const struct rqx_headers *headers, enum rqx__field_id id, const char *name, size_t name_len,
                         size_t from)
{
    while (from < headers->count && !is_named(&headers->fields[from], id, name, name_len))
        from++;
    return from;
}

static void forget(struct rqx_headers *headers, const struct rqx__field *field)
{
    headers->bytes -= (size_t)field->name_len + field->value_len;
    headers->bytes_dead += texts_size(field);
}

/* Drops the fields of that name at or after |from|.  Gives how many there were. */
static size_t remove_named(struct rqx_headers *headers, enum rqx__field_id id, const char *name, size_t name_len,
                           size_t from)
{
    size_t first = find_named(headers, id, name, name_len, from);
    size_t kept = first;
    size_t removed;
    size_t i;

    for (i = first; i < headers->count; i++) {
        if (is_named(&headers->fields[i], id, name, name_len))
            forget(headers, &headers->fields[i]);
        else
            headers->fields[kept++] = headers->fields[i];
    }
    removed = headers->count - kept;
    headers->count = kept;
    return removed;
}

int rqx_headers_set(rqx_headers *headers, const char *name, size_t name_len, const char *value, size_t value_len)
{
    rqx_slice trimmed = rqx__trim((rqx_slice){value, value_len});
    enum rqx__field_id id = rqx__field_id_of(name, name_len);
    size_t place = find_named(headers, id, name, name_len, 0);
    struct rqx__field added;
    int rv = check(name, name_len, trimmed);

    if (rv < 0)
        return rv;
    rv = rqx__headers_add_checked(headers, name, name_len, trimmed.data, trimmed.len);
    if (rv < 0 || place == headers->count - 1)
        return rv;
    added = headers->fields[--headers->count];
    /* the name that was given may be a text of a field that goes: the new one's is the same and stays */
    remove_named(headers, id, added.lname, added.name_len, place + 1);
    forget(headers, &headers->fields[place]);
    headers->fields[place] = added;
    return 0;
}

size_t rqx_headers_remove(rqx_headers *headers, const char *name, size_t name_len)
{
    /* texts of removed fields stay readable until the next add, so |name| may be one of them */
    return remove_named(headers, rqx__field_id_of(name, name_len), name, name_len, 0);
}

void rqx_headers_clear(rqx_headers *headers)
{
    rqx__arena_done(&headers->arena);
    headers->count = headers->bytes = headers->bytes_dead = 0;
}

int rqx_headers_copy(const rqx_headers *headers, rqx_headers **ret_headers)
{
    struct rqx_headers *copy;
    char *at;
    size_t i;
    int rv = rqx_headers_new(&copy);

    if (rv < 0)
        return rv;
    if (headers->count == 0) {
        *ret_headers = copy;
        return 0;
    }
    at = rqx__arena_text(&copy->arena, living(headers));
    copy->fields = rqx__malloc(headers->count * sizeof *copy->fields);
    if (at == NULL || copy->fields == NULL) {
        rqx_headers_free(copy);
        return RQX_ERR_NOMEM;
    }
    memcpy(copy->fields, headers->fields, headers->count * sizeof *copy->fields);
    copy->count = copy->cap = headers->count;
    copy->bytes = headers->bytes;
    for (i = 0; i < copy->count; i++)
        at = place_texts(&copy->fields[i], at);
    *ret_headers = copy;
    return 0;
}

size_t rqx_headers_count(const rqx_headers *headers)
{
    return headers->count;
}

rqx_field rqx_headers_at(const rqx_headers *headers, size_t index)
{
    const struct rqx__field *field;

    if (index >= headers->count)
        return (rqx_field){{NULL, 0}, {NULL, 0}};
    field = &headers->fields[index];
    return (rqx_field){{field->name, field->name_len}, {field->value, field->value_len}};
}

rqx_slice rqx_headers_get(const rqx_headers *headers, const char *name, size_t name_len)
{
    size_t index = find_named(headers, rqx__field_id_of(name, name_len), name, name_len, 0);

    return rqx_headers_at(headers, index).value;
}

const struct rqx__field *rqx__headers_find(const struct rqx_headers *headers, enum rqx__field_id id, size_t from)
{
    for (; from < headers->count; from++) {
        if (headers->fields[from].id == id)
            return &headers->fields[from];
    }
    return NULL;
}

int rqx_headers_extend(rqx_headers *headers, const rqx_headers *more)
{
    size_t count = more->count; /* |more| may be |headers| */
    size_t i;

    for (i = 0; i < count; i++) {
        const struct rqx__field *field = &more->fields[i];
        int rv = rqx__headers_add_checked(headers, field->name, field->name_len, field->value, field->value_len);

        if (rv < 0)
            return rv;
    }
    return 0;
}
