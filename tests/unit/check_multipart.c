/*
 * Forms with files: RFC 7578, and names as browsers write them.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/multipart.h"
#include "support.h"

static int count_up(uint8_t *out, size_t len)
{
    static uint8_t next;

    memset(out, next++, len);
    return 0;
}

static int no_random(uint8_t *out, size_t len)
{
    (void)out, (void)len;
    return RQX_ERR_SYSTEM;
}

static const struct rqx__hash_ops chance = {NULL, count_up};

static rqx_slice text(const char *literal)
{
    return (rqx_slice){literal, strlen(literal)};
}

static rqx_multipart *new_form(void)
{
    rqx_multipart *form = NULL;

    ck_assert_int_eq(rqx_multipart_new(&form), 0);
    return form;
}

static void add(rqx_multipart *form, const char *name, const char *value)
{
    ck_assert_int_eq(rqx_multipart_add_field(form, name, strlen(name), value, strlen(value)), 0);
}

/* The whole body, read in pieces of |cap|; in memory of the next call. */
static const char *read_body(rqx_multipart *form, size_t cap)
{
    static char out[65536];
    size_t used = 0;
    int end = 0;

    while (!end) {
        size_t len = 0;

        ck_assert_uint_lt(used + cap, sizeof out);
        ck_assert_int_eq(rqx__multipart_read(out + used, cap, &len, &end, form), 0);
        ck_assert_uint_le(len, cap);
        used += len;
    }
    out[used] = '\0';
    if (rqx_multipart_length(form) >= 0)
        ck_assert_int_eq(rqx_multipart_length(form), (int64_t)used);
    return out;
}

/* With a boundary that is easy to read. */
static void seal(rqx_multipart *form)
{
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), 0);
    memcpy(form->boundary, "XX", 3);
    form->boundary_len = 2;
}

START_TEST(fields_and_files_are_written)
{
    rqx_multipart *form = new_form();
    rqx_headers *headers = NULL;
    rqx_file_info info = {.name = text("file"), .filename = text("a.txt"), .content_type = text("text/plain")};
    const char *want = "--XX\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n"
                       "--XX\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n"
                       "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
                       "Content-Type: text/plain\r\n\r\nhello\r\n"
                       "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n"
                       "Content-Type: application/octet-stream\r\nX-Y: z\r\n\r\nhello\r\n"
                       "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n"
                       "X-Y: z\r\ncontent-type: own/type\r\n\r\n\r\n"
                       "--XX--\r\n";
    size_t cap;

    add(form, "field", "value");
    add(form, "empty", "");
    ck_assert_int_eq(rqx_multipart_add_bytes(form, &info, "hello", 5), 0);
    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    ck_assert_int_eq(rqx_headers_add(headers, "X-Y", 3, "z", 1), 0);
    info = (rqx_file_info){.name = text("file"), .headers = headers};
    ck_assert_int_eq(rqx_multipart_add_bytes(form, &info, "hello", 5), 0);
    ck_assert_int_eq(rqx_headers_add(headers, "content-type", 12, "own/type", 8), 0);
    info.filename = text("");
    info.content_type = text("not/this");
    ck_assert_int_eq(rqx_multipart_add_bytes(form, &info, NULL, 0), 0);
    rqx_headers_free(headers);
    seal(form);
    /* whatever the pieces */
    for (cap = 1; cap < 600; cap += cap < 80 ? 1 : 97) {
        ck_assert_str_eq(read_body(form, cap), want);
        ck_assert_int_eq(rqx__multipart_rewind(form), 0);
    }
    rqx_multipart_free(form);
    rqx_multipart_free(NULL);
}
END_TEST

START_TEST(a_form_may_be_empty)
{
    rqx_multipart *form = new_form();

    ck_assert_int_eq(rqx_multipart_length(form), 32 + 6);
    seal(form);
    ck_assert_str_eq(read_body(form, 3), "--XX--\r\n");
    rqx_multipart_free(form);
}
END_TEST

static const struct {
    const char *name;
    const char *written;
} names[] = {
    {"plain", "plain"},
    {"a\"b", "a%22b"},
    {"a\\b", "a\\\\b"},
    {"a\r\nX: y", "a%0D%0AX: y"},
    {"\t\x01\x1f", "%09%01%1F"},
    {"\x1b$B", "\x1b$B"},
    {"f\xc3\xbc\x7f%22;=", "f\xc3\xbc\x7f%22;="},
    {"\"", "%22"},
    {"", ""},
};

START_TEST(names_cannot_leave_their_quotes)
{
    rqx_multipart *form = new_form();
    const rqx_file_info info = {.name = text(names[_i].name), .filename = text(names[_i].name)};
    char want[256];

    ck_assert_int_eq(rqx_multipart_add_bytes(form, &info, "", 0), 0);
    seal(form);
    snprintf(want, sizeof want,
             "--XX\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
             "Content-Type: application/octet-stream\r\n\r\n\r\n--XX--\r\n",
             names[_i].written, names[_i].written);
    ck_assert_str_eq(read_body(form, 7), want);
    rqx_multipart_free(form);
    form = new_form();
    ck_assert_int_eq(rqx_multipart_add_field(form, "a\0b", 3, "", 0), 0);
    seal(form);
    ck_assert_ptr_nonnull(strstr(read_body(form, 100), "name=\"a%00b\""));
    rqx_multipart_free(form);
}
END_TEST

START_TEST(fields_that_could_end_a_line_are_refused)
{
    rqx_multipart *form = new_form();
    rqx_file_info info = {.name = text("f")};
    static const char *const bad[] = {"a/b\r\nX: y", "a\nb", "", " a/b", "a/b\x01"};
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        info.content_type = text(bad[i]);
        ck_assert_int_eq(rqx_multipart_add_bytes(form, &info, "", 0), RQX_ERR_INVALID_FIELD);
    }
    ck_assert_uint_eq(form->count, 0);
    rqx_multipart_free(form);
}
END_TEST

/* ---- boundaries ---- */

START_TEST(a_boundary_is_chosen_that_stands_nowhere)
{
    rqx_multipart *form = new_form();
    char first[33];
    int i;

    add(form, "a", "b");
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), 0);
    ck_assert_uint_eq(strlen(form->boundary), 32);
    memcpy(first, form->boundary, 33);
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_add_field(form, "a", 1, "b", 1), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, "b", 1), RQX_ERR_INVALID_ARGUMENT);
    rqx_multipart_free(form);

    /* the next three are in the form */
    form = new_form();
    for (i = 1; i <= 3; i++) {
        char next[33];
        int j;

        for (j = 0; j < 32; j += 2)
            snprintf(next + j, 3, "%02x", (unsigned)strtoul((char[]){first[0], first[1], 0}, NULL, 16) + (unsigned)i);
        add(form, i == 2 ? next : "a", i == 2 ? "" : next);
    }
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), 0);
    ck_assert_uint_eq(strtoul((char[]){form->boundary[0], form->boundary[1], 0}, NULL, 16),
                      strtoul((char[]){first[0], first[1], 0}, NULL, 16) + 4);
    rqx_multipart_free(form);
}
END_TEST

static int always_same(uint8_t *out, size_t len)
{
    memset(out, 0xaa, len);
    return 0;
}

START_TEST(a_boundary_that_cannot_be_had_is_an_error)
{
    static const struct rqx__hash_ops poor = {NULL, no_random};
    static const struct rqx__hash_ops stuck = {NULL, always_same};
    rqx_multipart *form = new_form();

    add(form, "a", "xxaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaxx");
    ck_assert_int_eq(rqx__multipart_seal(form, &poor), RQX_ERR_SYSTEM);
    ck_assert_int_eq(rqx__multipart_seal(form, &stuck), RQX_ERR_SYSTEM);
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), 0);
    rqx_multipart_free(form);
}
END_TEST

START_TEST(a_boundary_of_one_s_own_is_checked)
{
    rqx_multipart *form = new_form();
    char longer[RQX_MULTIPART_BOUNDARY_MAX + 1];
    static const char *const bad[] = {"", "a b", "a\r\n", "a\"b", "a;b", "a/b", "\xc3\xa4"};
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(rqx_multipart_set_boundary(form, bad[i], strlen(bad[i])), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, "a\0b", 3), RQX_ERR_INVALID_ARGUMENT);
    memset(longer, 'A', sizeof longer);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, longer, sizeof longer), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, longer, sizeof longer - 1), 0);
    add(form, "n", "v");
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), 0);
    ck_assert_ptr_nonnull(strstr(read_body(form, 50), "AAAA--\r\n"));
    rqx_multipart_free(form);
    form = new_form();
    ck_assert_int_eq(rqx_multipart_set_boundary(form, "Own-'+_.9", 9), 0);
    add(form, "n", "xOwn-'+_.9");
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, "Own", 3), 0);
    ck_assert_int_eq(rqx__multipart_seal(form, &chance), RQX_ERR_INVALID_ARGUMENT);
    rqx_multipart_free(form);
}
END_TEST

/* ---- limits ---- */

START_TEST(parts_and_names_have_a_maximum)
{
    rqx_multipart *form = new_form();
    char *longer = malloc(RQX_MULTIPART_NAME_MAX + 1);
    rqx_file_info info = {.name = text("a")};
    int i;

    memset(longer, 'n', RQX_MULTIPART_NAME_MAX + 1);
    ck_assert_int_eq(rqx_multipart_add_field(form, longer, RQX_MULTIPART_NAME_MAX + 1, "", 0),
                     RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_add_field(form, longer, RQX_MULTIPART_NAME_MAX, "", 0), 0);
    info.filename = (rqx_slice){longer, RQX_MULTIPART_NAME_MAX + 1};
    ck_assert_int_eq(rqx_multipart_add_bytes(form, &info, "", 0), RQX_ERR_INVALID_ARGUMENT);
    free(longer);
    for (i = 1; i < RQX_MULTIPART_PARTS_MAX; i++)
        add(form, "", "");
    ck_assert_int_eq(rqx_multipart_add_field(form, "", 0, "", 0), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_add_field(form, "", 0, "", SIZE_MAX), RQX_ERR_INVALID_ARGUMENT);
    rqx_multipart_free(form);
}
END_TEST

/* ---- callbacks ---- */

struct source {
    const char *text;
    size_t at;
    size_t piece; /* bytes at once; 0: all */
    int result;   /* of each call, where not 0 */
    int pauses;   /* calls that give nothing, without saying so */
    bool late;    /* the end comes after the last bytes */
    int freed;
};

static int give(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct source *source = user;
    size_t left = strlen(source->text) - source->at;
    size_t len = left < cap ? left : cap;

    if (source->result != 0)
        return source->result;
    if (source->pauses > 0) {
        source->pauses--;
        *ret_len = 0;
        return 0;
    }
    if (source->piece != 0 && len > source->piece)
        len = source->piece;
    memcpy(buffer, source->text + source->at, len);
    source->at += len;
    *ret_len = len;
    *ret_end = len == left && !(source->late && len != 0);
    return 0;
}

static int go_back(void *user)
{
    struct source *source = user;

    source->at = 0;
    return 0;
}

static int cannot_go_back(void *user)
{
    (void)user;
    return -1;
}

static void let_go(void *user)
{
    ((struct source *)user)->freed++;
}

static rqx_multipart *form_of(struct source *source, rqx_body_rewind_cb rewind_cb, int64_t length)
{
    const rqx_file_info info = {.name = text("f")};
    rqx_multipart *form = new_form();

    ck_assert_int_eq(rqx_multipart_add_callback(form, &info, give, rewind_cb, length, let_go, source), 0);
    add(form, "g", "after");
    seal(form);
    return form;
}

START_TEST(what_a_callback_gives_is_written)
{
    struct source source = {.text = "0123456789", .piece = 3, .late = _i & 1};
    rqx_multipart *form = form_of(&source, go_back, _i & 2 ? 10 : RQX_LENGTH_UNKNOWN);
    const char *want = "Content-Type: application/octet-stream\r\n\r\n0123456789\r\n--XX\r\n"
                       "Content-Disposition: form-data; name=\"g\"\r\n\r\nafter\r\n--XX--\r\n";
    size_t cap;

    ck_assert(rqx__multipart_can_rewind(form));
    ck_assert_int_eq(rqx_multipart_length(form) < 0, !(_i & 2));
    for (cap = 1; cap < 200; cap += 5) {
        source.pauses = 0;
        ck_assert_ptr_nonnull(strstr(read_body(form, cap), want));
        ck_assert_int_eq(rqx__multipart_rewind(form), 0);
    }
    ck_assert_int_eq(source.freed, 0);
    rqx_multipart_free(form);
    ck_assert_int_eq(source.freed, 1);
}
END_TEST

START_TEST(a_callback_may_have_nothing_yet)
{
    struct source source = {.text = "late", .result = RQX_AGAIN};
    rqx_multipart *form = form_of(&source, NULL, RQX_LENGTH_UNKNOWN);
    char buffer[500];
    size_t len = 0;
    int end = 0;

    ck_assert(!rqx__multipart_can_rewind(form));
    /* what stands before it goes out first */
    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), 0);
    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), RQX_AGAIN);
    source.result = 0;
    source.pauses = 1;
    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), 0);
    ck_assert_uint_eq(len, 0);
    ck_assert(!end);
    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), 0);
    ck_assert(end);
    ck_assert_int_eq(memcmp(buffer, "late\r\n--XX", 10), 0);
    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), 0);
    ck_assert(end && len == 0);
    ck_assert_int_eq(rqx__multipart_rewind(form), RQX_ERR_BODY_REPLAY);
    rqx_multipart_free(form);
}
END_TEST

static int give_too_much(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)buffer, (void)ret_end, (void)user;
    *ret_len = cap + 1;
    return 0;
}

START_TEST(a_callback_that_breaks_its_word_fails)
{
    static const struct {
        const char *text;
        int64_t length;
        int result;
    } cases[] = {{"12345", 6, 0}, {"12345", 4, 0}, {"", 1, 0}, {"x", 1, -1}};
    const rqx_file_info info = {.name = text("f")};
    char buffer[500];
    rqx_multipart *form;
    size_t len = 0;
    int end = 0;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct source source = {.text = cases[i].text, .result = cases[i].result};

        form = form_of(&source, cannot_go_back, cases[i].length);
        ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), RQX_ERR_BODY_SOURCE);
        ck_assert_int_eq(rqx__multipart_rewind(form), RQX_ERR_BODY_REPLAY);
        rqx_multipart_free(form);
    }
    form = new_form();
    ck_assert_int_eq(rqx_multipart_add_callback(form, &info, give_too_much, NULL, -1, NULL, NULL), 0);
    ck_assert_int_eq(rqx_multipart_add_callback(form, &info, NULL, NULL, -1, NULL, NULL), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_add_callback(form, &info, give, NULL, -2, NULL, NULL), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_add_callback(form, &info, give, NULL, INT64_MAX, NULL, NULL),
                     RQX_ERR_INVALID_ARGUMENT);
    seal(form);
    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), RQX_ERR_BODY_SOURCE);
    rqx_multipart_free(form);
}
END_TEST

START_TEST(a_source_that_was_not_asked_need_not_go_back)
{
    struct source source = {.text = "x"};
    rqx_multipart *form = form_of(&source, NULL, 1);
    char buffer[4];
    size_t len = 0;
    int end = 0;

    ck_assert_int_eq(rqx__multipart_read(buffer, sizeof buffer, &len, &end, form), 0);
    ck_assert_int_eq(rqx__multipart_rewind(form), 0);
    ck_assert_ptr_nonnull(strstr(read_body(form, 100), "\r\n\r\nx\r\n"));
    rqx_multipart_free(form);
}
END_TEST

/* ---- memory ---- */

static int scenario(struct source *source)
{
    const rqx_file_info info = {.name = text("f\""), .filename = text("g"), .content_type = text("a/b")};
    rqx_multipart *form = NULL;
    int rv = rqx_multipart_new(&form);

    if (rv == 0)
        rv = rqx_multipart_add_field(form, "a", 1, "b", 1);
    if (rv == 0)
        rv = rqx_multipart_add_bytes(form, &info, "bytes", 5);
    if (rv == 0)
        rv = rqx_multipart_add_callback(form, &info, give, NULL, -1, let_go, source);
    if (rv == 0)
        rv = rqx__multipart_seal(form, &chance);
    if (rv == 0)
        read_body(form, 20);
    rqx_multipart_free(form);
    return rv;
}

START_TEST(each_allocation_may_fail)
{
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        struct source source = {.text = "x"};

        rqx__mem_fail_at(n, _i);
        rv = scenario(&source);
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        if (count < n) {
            ck_assert_int_eq(source.freed, 1);
            break;
        }
        ck_assert_int_eq(rv, RQX_ERR_NOMEM);
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 8);
}
END_TEST

static Suite *multipart_suite(void)
{
    Suite *suite = suite_create("multipart");
    TCase *write = rqx_add_case(suite, "writing");
    TCase *boundary = rqx_add_case(suite, "boundaries and limits");
    TCase *source = rqx_add_case(suite, "callbacks");

    tcase_add_test(write, fields_and_files_are_written);
    tcase_add_test(write, a_form_may_be_empty);
    tcase_add_loop_test(write, names_cannot_leave_their_quotes, 0, sizeof names / sizeof names[0]);
    tcase_add_test(write, fields_that_could_end_a_line_are_refused);
    tcase_add_test(boundary, a_boundary_is_chosen_that_stands_nowhere);
    tcase_add_test(boundary, a_boundary_that_cannot_be_had_is_an_error);
    tcase_add_test(boundary, a_boundary_of_one_s_own_is_checked);
    tcase_add_test(boundary, parts_and_names_have_a_maximum);
    tcase_add_loop_test(source, what_a_callback_gives_is_written, 0, 4);
    tcase_add_test(source, a_callback_may_have_nothing_yet);
    tcase_add_test(source, a_callback_that_breaks_its_word_fails);
    tcase_add_test(source, a_source_that_was_not_asked_need_not_go_back);
    tcase_add_loop_test(source, each_allocation_may_fail, 0, 2);
    return suite;
}

RQX_CHECK_MAIN(multipart_suite)
