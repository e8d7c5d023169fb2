#include "http/multipart.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/headers.h"

/* A boundary of our own: 128 bits in hexadecimal. */
#define CHOSEN_LEN   32
#define CHOICES      4
#define DISPOSITION  "Content-Disposition: form-data; name=\""
#define DEFAULT_TYPE "application/octet-stream"

static struct rqx__part *part_of(struct rqx__list *node)
{
    return RQX__OF(node, struct rqx__part, node);
}

/* ---- life ---- */

int rqx_multipart_new(rqx_multipart **ret_form)
{
    rqx_multipart *form = rqx__calloc(1, sizeof *form);

    if (form == NULL)
        return RQX_ERR_NOMEM;
    rqx__list_init(&form->parts);
    form->at = &form->parts;
    form->boundary_len = CHOSEN_LEN;
    *ret_form = form;
    return 0;
}

void rqx_multipart_free(rqx_multipart *form)
{
    struct rqx__list *node;

    if (form == NULL)
        return;
    while ((node = rqx__list_pop_front(&form->parts)) != NULL) {
        struct rqx__part *part = part_of(node);

        if (part->free_cb != NULL)
            part->free_cb(part->user);
        rqx__free(part->bytes);
        rqx__free(part->head);
        rqx__free(part);
    }
    rqx__free(form);
}

/* ---- a part's head ---- */

static int add(struct rqx__buf *out, rqx_slice text)
{
    return rqx__buf_append(out, text.data, text.len);
}

/*
 * What would end the quotes, or the line, is written as HTML's forms do; ESC is left alone, since it shifts the
 * character set in ISO-2022.
 */
static int add_quoted(struct rqx__buf *out, rqx_slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = 0;
    size_t i;
    int rv = 0;

    for (i = 0; rv == 0 && i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        const char code[] = {'%', digits[c >> 4], digits[c & 15]};
        bool coded = c == '"' || (c < 0x20 && c != 0x1b);

        if (!coded && c != '\\')
            continue;
        rv = rqx__buf_append(out, text.data + plain, i - plain);
        if (rv == 0)
            rv = coded ? rqx__buf_append(out, code, sizeof code) : rqx__buf_append(out, "\\\\", 2);
        plain = i + 1;
    }
    if (rv == 0)
        rv = rqx__buf_append(out, text.data + plain, text.len - plain);
    return rv == 0 ? rqx__buf_append(out, "\"", 1) : rv;
}

static int add_field(struct rqx__buf *out, rqx_slice name, rqx_slice value)
{
    const rqx_slice pieces[] = {RQX__LIT("\r\n"), name, RQX__LIT(": "), value};
    size_t i;
    int rv = 0;

    for (i = 0; rv == 0 && i < sizeof pieces / sizeof pieces[0]; i++)
        rv = add(out, pieces[i]);
    return rv;
}

static int add_headers(struct rqx__buf *out, const rqx_file_info *info)
{
    const struct rqx_headers *headers = info->headers;
    bool typed = headers != NULL && rqx_headers_get(headers, "content-type", 12).data != NULL;
    rqx_slice type = info->content_type.data != NULL ? info->content_type : RQX__LIT(DEFAULT_TYPE);
    size_t i;
    int rv = typed ? 0 : add_field(out, RQX__LIT("Content-Type"), type);

    for (i = 0; rv == 0 && headers != NULL && i < headers->count; i++) {
        const struct rqx__field *field = &headers->fields[i];

        rv = add_field(out, (rqx_slice){field->name, field->name_len}, (rqx_slice){field->value, field->value_len});
    }
    return rv;
}

static int write_head(struct rqx__buf *out, const rqx_file_info *info, bool is_file)
{
    int rv = add(out, RQX__LIT(DISPOSITION));

    if (rv == 0)
        rv = add_quoted(out, info->name);
    if (rv == 0 && is_file && info->filename.data != NULL)
        rv = add(out, RQX__LIT("; filename=\""));
    if (rv == 0 && is_file && info->filename.data != NULL)
        rv = add_quoted(out, info->filename);
    if (rv == 0 && is_file)
        rv = add_headers(out, info);
    return rv == 0 ? add(out, RQX__LIT("\r\n\r\n")) : rv;
}

/* ---- adding ---- */

static int check(const rqx_multipart *form, const rqx_file_info *info)
{
    const rqx_slice type = info->content_type;

    if (form->sealed || form->count == RQX_MULTIPART_PARTS_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    if (info->name.len > RQX_MULTIPART_NAME_MAX || info->filename.len > RQX_MULTIPART_NAME_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    if (type.data != NULL && (type.len == 0 || !rqx__is_field_value(type.data, type.len)))
        return RQX_ERR_INVALID_FIELD;
    return 0;
}

int rqx__multipart_add(rqx_multipart *form, const rqx_file_info *info, bool is_file, const struct rqx__part *content)
{
    struct rqx__part *part;
    struct rqx__buf head;
    int rv = check(form, info);

    if (rv < 0)
        return rv;
    part = rqx__malloc(sizeof *part);
    if (part == NULL)
        return RQX_ERR_NOMEM;
    rqx__buf_init(&head, SIZE_MAX);
    rv = write_head(&head, info, is_file);
    if (rv < 0) {
        rqx__buf_done(&head);
        rqx__free(part);
        return rv;
    }
    *part = *content;
    part->head = (char *)head.data; /* nothing was taken from its front */
    part->head_len = head.len;
    rqx__list_push_back(&form->parts, &part->node);
    form->count++;
    return 0;
}

static int add_copy(rqx_multipart *form, const rqx_file_info *info, bool is_file, const void *data, size_t len)
{
    struct rqx__part content = {.length = (int64_t)len};
    int rv;

    if (len > INT64_MAX / RQX_MULTIPART_PARTS_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    content.bytes = rqx__strndup(data, len);
    if (content.bytes == NULL)
        return RQX_ERR_NOMEM;
    rv = rqx__multipart_add(form, info, is_file, &content);
    if (rv < 0)
        rqx__free(content.bytes);
    return rv;
}

int rqx_multipart_add_field(rqx_multipart *form, const char *name, size_t name_len, const char *value, size_t value_len)
{
    const rqx_file_info info = {.name = {name, name_len}};

    return add_copy(form, &info, false, value, value_len);
}

int rqx_multipart_add_bytes(rqx_multipart *form, const rqx_file_info *info, const void *data, size_t len)
{
    return add_copy(form, info, true, data, len);
}

int rqx_multipart_add_callback(rqx_multipart *form, const rqx_file_info *info, rqx_body_read_cb read_cb,
                               rqx_body_rewind_cb rewind_cb, int64_t length, rqx_free_cb free_cb, void *user)
{
    const struct rqx__part content = {
        .length = length, .read_cb = read_cb, .rewind_cb = rewind_cb, .free_cb = free_cb, .user = user};

    if (read_cb == NULL || length < RQX_LENGTH_UNKNOWN || length > INT64_MAX / RQX_MULTIPART_PARTS_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    return rqx__multipart_add(form, info, true, &content);
}

int rqx_multipart_set_boundary(rqx_multipart *form, const char *boundary, size_t len)
{
    size_t i;

    if (form->sealed || len == 0 || len > RQX_MULTIPART_BOUNDARY_MAX)
        return RQX_ERR_INVALID_ARGUMENT;
    for (i = 0; i < len; i++) {
        unsigned char c = rqx__lower((unsigned char)boundary[i]);

        if (!(c >= 'a' && c <= 'z') && !rqx__is_digit(c) && (c == '\0' || strchr("'+_-.", c) == NULL))
            return RQX_ERR_INVALID_ARGUMENT;
    }
    memcpy(form->boundary, boundary, len);
    form->boundary[len] = '\0';
    form->boundary_len = len;
    form->boundary_set = true;
    return 0;
}

/* ---- as a whole ---- */

#define DELIMITER_LEN(form) ((form)->boundary_len + 4) /* "--boundary\r\n" */
#define CLOSING_LEN(form)   ((form)->boundary_len + 6) /* "--boundary--\r\n" */

int64_t rqx_multipart_length(const rqx_multipart *form)
{
    uint64_t total = CLOSING_LEN(form);
    struct rqx__list *node;

    for (node = form->parts.next; node != &form->parts; node = node->next) {
        const struct rqx__part *part = part_of(node);

        if (part->length < 0)
            return RQX_LENGTH_UNKNOWN;
        /* each part is at most the n-th of what a length can be, so that this does not overflow by contents */
        total += DELIMITER_LEN(form) + part->head_len + (uint64_t)part->length + 2;
    }
    return total > INT64_MAX ? RQX_LENGTH_UNKNOWN : (int64_t)total;
}

bool rqx__multipart_can_rewind(const rqx_multipart *form)
{
    struct rqx__list *node;

    for (node = form->parts.next; node != &form->parts; node = node->next) {
        if (part_of(node)->read_cb != NULL && part_of(node)->rewind_cb == NULL)
            return false;
    }
    return true;
}

/* Whether the boundary stands in what is known of the form. */
static bool occurs(const rqx_multipart *form)
{
    struct rqx__list *node;

    for (node = form->parts.next; node != &form->parts; node = node->next) {
        const struct rqx__part *part = part_of(node);

        if (memmem(part->head, part->head_len, form->boundary, form->boundary_len) != NULL)
            return true;
        if (part->bytes != NULL &&
            memmem(part->bytes, (size_t)part->length, form->boundary, form->boundary_len) != NULL)
            return true;
    }
    return false;
}

static int choose(rqx_multipart *form, const struct rqx__hash_ops *ops)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[CHOSEN_LEN / 2];
    size_t i;
    int rv = ops->random(random, sizeof random);

    if (rv < 0)
        return rv;
    for (i = 0; i < sizeof random; i++) {
        form->boundary[2 * i] = digits[random[i] >> 4];
        form->boundary[2 * i + 1] = digits[random[i] & 15];
    }
    return 0;
}

int rqx__multipart_seal(rqx_multipart *form, const struct rqx__hash_ops *ops)
{
    int left = CHOICES;

    if (form->sealed)
        return RQX_ERR_INVALID_ARGUMENT;
    if (form->boundary_set && occurs(form))
        return RQX_ERR_INVALID_ARGUMENT;
    while (!form->boundary_set) {
        int rv = left-- == 0 ? RQX_ERR_SYSTEM : choose(form, ops); /* by chance that does not happen even once */

        if (rv < 0)
            return rv;
        if (!occurs(form))
            break;
    }
    form->sealed = true;
    form->at = form->parts.next;
    return 0;
}

/* ---- reading ---- */

struct room {
    char *buffer;
    size_t cap;
    size_t len;
    bool pauses; /* a callback gave nothing */
    bool again;  /* and said so */
};

/* Writes what fits of |text|, whose first form->offset bytes are out; true: all of it is out now. */
static bool put(rqx_multipart *form, struct room *room, rqx_slice text)
{
    size_t left = text.len - form->offset;
    size_t len = left < room->cap - room->len ? left : room->cap - room->len;

    if (len > 0)
        memcpy(room->buffer + room->len, text.data + form->offset, len);
    room->len += len;
    form->offset += len;
    if (len < left)
        return false;
    form->offset = 0;
    return true;
}

/* "\r\n" after a part, then "--boundary\r\n" before one or "--boundary--\r\n" at the end. */
static bool put_delimiter(rqx_multipart *form, struct room *room)
{
    char text[RQX_MULTIPART_BOUNDARY_MAX + 8];
    bool first = form->at == form->parts.next;
    bool last = form->at == &form->parts;
    size_t len = 0;

    if (!first) {
        memcpy(text, "\r\n", 2);
        len = 2;
    }
    memcpy(text + len, "--", 2);
    memcpy(text + len + 2, form->boundary, form->boundary_len);
    len += 2 + form->boundary_len;
    memcpy(text + len, last ? "--\r\n" : "\r\n", last ? 4 : 2);
    return put(form, room, (rqx_slice){text, len + (last ? 4 : 2)});
}

/* Asks a callback.  1: the content is complete; 0: not yet; negative: failed. */
static int ask(struct rqx__part *part, struct room *room)
{
    size_t len = 0;
    int end = 0;
    int rv;

    if (part->ended || (part->length >= 0 && part->given == (uint64_t)part->length))
        return 1;
    part->touched = true;
    rv = part->read_cb(room->buffer + room->len, room->cap - room->len, &len, &end, part->user);
    if (rv < 0 || len > room->cap - room->len)
        return RQX_ERR_BODY_SOURCE;
    room->again = rv == RQX_AGAIN;
    room->pauses = room->again || (len == 0 && !end);
    if (room->pauses)
        return 0;
    part->given += len;
    room->len += len;
    part->ended = end != 0;
    /* what was announced is what has to come */
    if (part->length >= 0 && (part->given > (uint64_t)part->length || (end && part->given != (uint64_t)part->length)))
        return RQX_ERR_BODY_SOURCE;
    return end != 0;
}

static int put_content(rqx_multipart *form, struct room *room)
{
    struct rqx__part *part = part_of(form->at);

    if (part->bytes != NULL)
        return put(form, room, (rqx_slice){part->bytes, (size_t)part->length});
    return ask(part, room);
}

/* Goes on by one step.  1: the step is complete. */
static int step(rqx_multipart *form, struct room *room)
{
    int rv = 0;

    switch (form->step) {
    case RQX__PART_DELIMITER:
        rv = put_delimiter(form, room);
        if (rv == 1)
            form->step = form->at == &form->parts ? RQX__PART_END : RQX__PART_HEAD;
        break;
    case RQX__PART_HEAD:
        rv = put(form, room, (rqx_slice){part_of(form->at)->head, part_of(form->at)->head_len});
        if (rv == 1)
            form->step = RQX__PART_CONTENT;
        break;
    case RQX__PART_CONTENT:
        rv = put_content(form, room);
        if (rv == 1) {
            form->at = form->at->next;
            form->step = RQX__PART_DELIMITER;
        }
        break;
    case RQX__PART_END:
        break;
    }
    return rv;
}

int rqx__multipart_read(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    rqx_multipart *form = user;
    struct room room = {.buffer = buffer, .cap = cap};

    while (form->step != RQX__PART_END && room.len < cap && !room.pauses) {
        int rv = step(form, &room);

        if (rv < 0)
            return rv;
    }
    *ret_len = room.len;
    *ret_end = form->step == RQX__PART_END;
    return room.again && room.len == 0 ? RQX_AGAIN : 0;
}

int rqx__multipart_rewind(void *user)
{
    rqx_multipart *form = user;
    struct rqx__list *node;

    for (node = form->parts.next; node != &form->parts; node = node->next) {
        struct rqx__part *part = part_of(node);

        if (part->touched && (part->rewind_cb == NULL || part->rewind_cb(part->user) < 0))
            return RQX_ERR_BODY_REPLAY;
        part->touched = part->ended = false;
        part->given = 0;
    }
    form->at = form->parts.next;
    form->step = RQX__PART_DELIMITER;
    form->offset = 0;
    return 0;
}
