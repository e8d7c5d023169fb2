/*
 * Lists of fields: operations on one, beside a plain model of it, which must always agree.  What may be added is judged
 * here by RFC 9110 section 5 once more.
 */
#include "fuzz.h"

#include <requestx/headers.h>

#include "http/headers.h"

#define MOST 64

struct model_field {
    rqx_slice name;
    rqx_slice value; /* without white space around it */
};

struct model {
    struct model_field fields[MOST];
    size_t count;
};

static bool token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool name_allowed(rqx_slice name)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        if (!token_char(name.data[i]))
            return false;
    }
    return name.len > 0;
}

static rqx_slice trimmed(rqx_slice value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value.data++, value.len--;
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

static bool value_allowed(rqx_slice value)
{
    size_t i;

    for (i = 0; i < value.len; i++) {
        if (((unsigned char)value.data[i] < 0x20 && value.data[i] != '\t') || value.data[i] == 0x7f)
            return false;
    }
    return true;
}

static bool same_name(rqx_slice a, rqx_slice b)
{
    size_t i;

    if (a.len != b.len)
        return false;
    for (i = 0; i < a.len; i++) {
        char x = a.data[i];
        char y = b.data[i];

        x = (char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
        y = (char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
        if (x != y)
            return false;
    }
    return true;
}

static size_t model_remove(struct model *model, rqx_slice name, size_t from)
{
    size_t removed = 0;
    size_t kept = from;
    size_t i;

    for (i = from; i < model->count; i++) {
        if (same_name(model->fields[i].name, name))
            removed++;
        else
            model->fields[kept++] = model->fields[i];
    }
    model->count = kept;
    return removed;
}

static size_t model_find(const struct model *model, rqx_slice name)
{
    size_t i;

    for (i = 0; i < model->count && !same_name(model->fields[i].name, name); i++)
        ;
    return i;
}

static void compare(const rqx_headers *headers, const struct model *model)
{
    size_t i;

    FUZZ_ASSERT(rqx_headers_count(headers) == model->count);
    for (i = 0; i < model->count; i++) {
        rqx_field field = rqx_headers_at(headers, i);
        rqx_slice first = rqx_headers_get(headers, field.name.data, field.name.len);

        FUZZ_ASSERT(fuzz_same(field.name, model->fields[i].name));
        FUZZ_ASSERT(fuzz_same(field.value, model->fields[i].value));
        FUZZ_ASSERT(field.name.data[field.name.len] == '\0' && field.value.data[field.value.len] == '\0');
        FUZZ_ASSERT(fuzz_same(first, model->fields[model_find(model, field.name)].value));
    }
    FUZZ_ASSERT(rqx_headers_at(headers, model->count).name.data == NULL);
}

static void add(rqx_headers *headers, struct model *model, rqx_slice name, rqx_slice value)
{
    bool allowed = name_allowed(name) && value_allowed(trimmed(value));
    int rv = rqx_headers_add(headers, name.data, name.len, value.data, value.len);

    FUZZ_ASSERT(rv == (allowed ? 0 : RQX_ERR_INVALID_FIELD));
    if (allowed)
        model->fields[model->count++] = (struct model_field){name, trimmed(value)};
}

static void set(rqx_headers *headers, struct model *model, rqx_slice name, rqx_slice value)
{
    bool allowed = name_allowed(name) && value_allowed(trimmed(value));
    int rv = rqx_headers_set(headers, name.data, name.len, value.data, value.len);
    size_t at = model_find(model, name);

    FUZZ_ASSERT(rv == (allowed ? 0 : RQX_ERR_INVALID_FIELD));
    if (!allowed)
        return;
    if (at == model->count)
        model->count++;
    model->fields[at] = (struct model_field){name, trimmed(value)};
    model_remove(model, name, at + 1);
}

static void copy(rqx_headers **headers)
{
    rqx_headers *other = NULL;

    FUZZ_ASSERT(rqx_headers_copy(*headers, &other) == 0);
    rqx_headers_free(*headers);
    *headers = other;
}

static void twice(rqx_headers *headers, struct model *model)
{
    rqx_headers *more = NULL;

    if (2 * model->count > MOST)
        return;
    FUZZ_ASSERT(rqx_headers_copy(headers, &more) == 0);
    FUZZ_ASSERT(rqx_headers_extend(headers, more) == 0);
    rqx_headers_free(more);
    memcpy(model->fields + model->count, model->fields, model->count * sizeof model->fields[0]);
    model->count *= 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    struct model model = {.count = 0};
    rqx_headers *headers = NULL;

    FUZZ_ASSERT(rqx_headers_new(&headers) == 0);
    while (in.len > 0 && model.count < MOST - 1) {
        unsigned op = fuzz_u8(&in);
        struct fuzz_in name_in = fuzz_until(&in, ':');
        struct fuzz_in value_in = fuzz_until(&in, '\n');
        rqx_slice name = {(const char *)name_in.data, name_in.len};
        rqx_slice value = {(const char *)value_in.data, value_in.len};

        switch (op) {
        case '=':
            set(headers, &model, name, value);
            break;
        case '-':
            FUZZ_ASSERT(rqx_headers_remove(headers, name.data, name.len) == model_remove(&model, name, 0));
            break;
        case '@':
            copy(&headers);
            break;
        case '&':
            twice(headers, &model);
            break;
        case '0':
            rqx_headers_clear(headers);
            model.count = 0;
            break;
        default:
            add(headers, &model, name, value);
            break;
        }
        compare(headers, &model);
    }
    rqx_headers_free(headers);
    return 0;
}
