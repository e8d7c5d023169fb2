#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/headers.h"
#include "support.h"

static int add(rqx_headers *headers, const char *name, const char *value)
{
    return rqx_headers_add(headers, name, strlen(name), value, strlen(value));
}

static int set(rqx_headers *headers, const char *name, const char *value)
{
    return rqx_headers_set(headers, name, strlen(name), value, strlen(value));
}

static const char *get(const rqx_headers *headers, const char *name)
{
    rqx_slice value = rqx_headers_get(headers, name, strlen(name));

    if (value.data != NULL)
        ck_assert_uint_eq(strlen(value.data), value.len);
    return value.data;
}

static rqx_headers *new_list(void)
{
    rqx_headers *headers = NULL;

    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    return headers;
}

/* "name: value" lines of the whole list. */
static const char *lines(const rqx_headers *headers)
{
    static char text[4096];
    size_t used = 0;
    size_t i;

    text[0] = '\0';
    for (i = 0; i < rqx_headers_count(headers); i++) {
        rqx_field field = rqx_headers_at(headers, i);

        ck_assert_uint_eq(strlen(field.name.data), field.name.len);
        ck_assert_uint_eq(strlen(field.value.data), field.value.len);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s: %s\n", field.name.data, field.value.data);
        ck_assert_uint_lt(used, sizeof text);
    }
    return text;
}

START_TEST(an_empty_list_has_nothing)
{
    rqx_headers *headers = new_list();

    ck_assert_uint_eq(rqx_headers_count(headers), 0);
    ck_assert_ptr_null(get(headers, "host"));
    ck_assert_ptr_null(get(headers, ""));
    ck_assert_ptr_null(rqx_headers_at(headers, 0).name.data);
    ck_assert_ptr_null(rqx_headers_at(headers, SIZE_MAX).value.data);
    ck_assert_uint_eq(rqx_headers_remove(headers, "host", 4), 0);
    ck_assert_ptr_null(rqx__headers_find(headers, RQX__FIELD_HOST, 0));
    rqx_headers_clear(headers);
    rqx_headers_free(headers);
    rqx_headers_free(NULL);
}
END_TEST

START_TEST(fields_keep_order_and_case_and_repeat)
{
    rqx_headers *headers = new_list();

    ck_assert_int_eq(add(headers, "Set-Cookie", "a=1"), 0);
    ck_assert_int_eq(add(headers, "X-Empty", ""), 0);
    ck_assert_int_eq(add(headers, "set-cookie", "b=2"), 0);
    ck_assert_str_eq(lines(headers), "Set-Cookie: a=1\nX-Empty: \nset-cookie: b=2\n");
    ck_assert_str_eq(get(headers, "SET-COOKIE"), "a=1");
    ck_assert_str_eq(get(headers, "x-empty"), "");
    ck_assert_ptr_null(get(headers, "set-cookie2"));
    ck_assert_str_eq(headers->fields[0].lname, "set-cookie");
    ck_assert_ptr_ne(headers->fields[0].lname, headers->fields[0].name);
    ck_assert_ptr_eq(headers->fields[2].lname, headers->fields[2].name);
    rqx_headers_free(headers);
}
END_TEST

START_TEST(white_space_around_a_value_is_dropped)
{
    rqx_headers *headers = new_list();

    ck_assert_int_eq(add(headers, "a", " \t some  text \t "), 0);
    ck_assert_int_eq(add(headers, "b", "   "), 0);
    ck_assert_int_eq(set(headers, "c", " x "), 0);
    ck_assert_str_eq(lines(headers), "a: some  text\nb: \nc: x\n");
    rqx_headers_free(headers);
}
END_TEST

/* RFC 9110 sections 5.1 and 5.5, RFC 9113 section 8.2.1 */
START_TEST(what_cannot_be_sent_is_refused)
{
    static const char *const bad_names[] = {"", ":path", "a b", "a:", "a\r\n", "\xc3\xa9", "a\x7f", "a(b)"};
    static const char *const bad_values[] = {"a\rb", "a\nb", "a\r\nx: y", "a\x01", "a\x7f", "\n"};
    rqx_headers *headers = new_list();
    size_t i;

    for (i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++) {
        ck_assert_int_eq(add(headers, bad_names[i], "v"), RQX_ERR_INVALID_FIELD);
        ck_assert_int_eq(set(headers, bad_names[i], "v"), RQX_ERR_INVALID_FIELD);
    }
    for (i = 0; i < sizeof bad_values / sizeof bad_values[0]; i++) {
        ck_assert_int_eq(add(headers, "n", bad_values[i]), RQX_ERR_INVALID_FIELD);
        ck_assert_int_eq(set(headers, "n", bad_values[i]), RQX_ERR_INVALID_FIELD);
    }
    ck_assert_int_eq(rqx_headers_add(headers, "n", 1, "a\0b", 3), RQX_ERR_INVALID_FIELD);
    ck_assert_int_eq(rqx_headers_add(headers, "n\0", 2, "a", 1), RQX_ERR_INVALID_FIELD);
    ck_assert_uint_eq(rqx_headers_count(headers), 0);
    ck_assert_int_eq(add(headers, "n", "tab\there, obs-text \xe9"), 0);
    rqx_headers_free(headers);
}
END_TEST

START_TEST(set_replaces_all_of_a_name_at_the_first_place)
{
    rqx_headers *headers = new_list();

    ck_assert_int_eq(set(headers, "a", "1"), 0);
    ck_assert_int_eq(add(headers, "B", "2"), 0);
    ck_assert_int_eq(add(headers, "c", "3"), 0);
    ck_assert_int_eq(add(headers, "b", "4"), 0);
    ck_assert_int_eq(add(headers, "d", "5"), 0);
    ck_assert_int_eq(set(headers, "b", "new"), 0);
    ck_assert_str_eq(lines(headers), "a: 1\nb: new\nc: 3\nd: 5\n");
    ck_assert_int_eq(set(headers, "D", "6"), 0);
    ck_assert_int_eq(set(headers, "HOST", "h"), 0);
    ck_assert_int_eq(set(headers, "Host", "i"), 0);
    ck_assert_str_eq(lines(headers), "a: 1\nb: new\nc: 3\nD: 6\nHost: i\n");
    ck_assert_int_eq(set(headers, "a", "bad\n"), RQX_ERR_INVALID_FIELD);
    ck_assert_str_eq(get(headers, "a"), "1");
    ck_assert_uint_eq(headers->bytes, strlen("a1bnewc3D6Hosti"));
    rqx_headers_free(headers);
}
END_TEST

START_TEST(remove_takes_every_one_of_a_name)
{
    rqx_headers *headers = new_list();

    add(headers, "Cookie", "1");
    add(headers, "x", "2");
    add(headers, "cookie", "3");
    add(headers, "y", "4");
    add(headers, "X", "5");
    ck_assert_uint_eq(rqx_headers_remove(headers, "COOKIE", 6), 2);
    ck_assert_str_eq(lines(headers), "x: 2\ny: 4\nX: 5\n");
    ck_assert_uint_eq(rqx_headers_remove(headers, "X", 1), 2);
    ck_assert_uint_eq(rqx_headers_remove(headers, "z", 1), 0);
    ck_assert_str_eq(lines(headers), "y: 4\n");
    rqx_headers_clear(headers);
    ck_assert_uint_eq(rqx_headers_count(headers), 0);
    ck_assert_int_eq(add(headers, "again", "6"), 0);
    ck_assert_str_eq(lines(headers), "again: 6\n");
    rqx_headers_free(headers);
}
END_TEST

START_TEST(arguments_may_be_texts_of_the_list_itself)
{
    rqx_headers *headers = new_list();
    rqx_field field;
    size_t i;

    add(headers, "First", "one");
    add(headers, "Second", "two");
    field = rqx_headers_at(headers, 0);
    ck_assert_int_eq(rqx_headers_set(headers, field.name.data, field.name.len, field.value.data, field.value.len), 0);
    for (i = 0; i < 5000; i++) {
        field = rqx_headers_at(headers, 1);
        ck_assert_int_eq(rqx_headers_set(headers, field.name.data, field.name.len, field.value.data, field.value.len),
                         0);
    }
    ck_assert_str_eq(lines(headers), "First: one\nSecond: two\n");
    field = rqx_headers_at(headers, 0);
    ck_assert_uint_eq(rqx_headers_remove(headers, field.name.data, field.name.len), 1);
    ck_assert_str_eq(lines(headers), "Second: two\n");
    rqx_headers_free(headers);
}
END_TEST

START_TEST(replacing_for_ever_takes_no_more_memory)
{
    rqx_headers *headers = new_list();
    char value[200];
    int i;

    add(headers, "Accept", "*/*");
    for (i = 0; i < 20000; i++) {
        memset(value, 'a' + i % 26, sizeof value);
        ck_assert_int_eq(rqx_headers_set(headers, "X-Request-Id", 12, value, sizeof value), 0);
    }
    ck_assert_uint_lt(headers->arena.used, 64 * 1024);
    ck_assert_uint_eq(rqx_headers_count(headers), 2);
    ck_assert_str_eq(get(headers, "accept"), "*/*");
    ck_assert_mem_eq(get(headers, "x-request-id"), value, sizeof value);
    rqx_headers_free(headers);
}
END_TEST

START_TEST(a_copy_is_independent)
{
    rqx_headers *headers = new_list();
    rqx_headers *copy = NULL;

    ck_assert_int_eq(rqx_headers_copy(headers, &copy), 0);
    ck_assert_uint_eq(rqx_headers_count(copy), 0);
    ck_assert_int_eq(add(copy, "x", "y"), 0);
    rqx_headers_free(copy);
    add(headers, "Host", "h");
    add(headers, "accept", "*/*");
    ck_assert_int_eq(rqx_headers_copy(headers, &copy), 0);
    ck_assert_str_eq(lines(copy), "Host: h\naccept: */*\n");
    ck_assert_ptr_eq(copy->fields[1].lname, copy->fields[1].name);
    ck_assert_str_eq(copy->fields[0].lname, "host");
    rqx_headers_free(headers);
    ck_assert_int_eq(set(copy, "host", "i"), 0);
    ck_assert_int_eq(add(copy, "b", "2"), 0);
    ck_assert_str_eq(lines(copy), "host: i\naccept: */*\nb: 2\n");
    rqx_headers_free(copy);
}
END_TEST

START_TEST(a_list_is_extended_by_another_or_itself)
{
    rqx_headers *headers = new_list();
    rqx_headers *more = new_list();
    size_t i;

    add(headers, "Host", "h");
    add(more, "A", "1");
    add(more, "host", "i");
    ck_assert_int_eq(rqx_headers_extend(headers, more), 0);
    rqx_headers_free(more);
    ck_assert_str_eq(lines(headers), "Host: h\nA: 1\nhost: i\n");
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(rqx_headers_extend(headers, headers), 0);
    ck_assert_uint_eq(rqx_headers_count(headers), 48);
    ck_assert_str_eq(rqx_headers_at(headers, 47).value.data, "i");
    for (i = 0; i < 7; i++)
        ck_assert_int_eq(rqx_headers_extend(headers, headers), 0);
    ck_assert_int_eq(rqx_headers_extend(headers, headers), RQX_ERR_HEADER_TOO_LARGE);
    rqx_headers_free(headers);
}
END_TEST

static const struct {
    const char *name;
    enum rqx__field_id id;
} known[] = {
    {"authorization", RQX__FIELD_AUTHORIZATION},
    {"connection", RQX__FIELD_CONNECTION},
    {"content-encoding", RQX__FIELD_CONTENT_ENCODING},
    {"content-length", RQX__FIELD_CONTENT_LENGTH},
    {"cookie", RQX__FIELD_COOKIE},
    {"expect", RQX__FIELD_EXPECT},
    {"host", RQX__FIELD_HOST},
    {"keep-alive", RQX__FIELD_KEEP_ALIVE},
    {"location", RQX__FIELD_LOCATION},
    {"proxy-authorization", RQX__FIELD_PROXY_AUTHORIZATION},
    {"proxy-connection", RQX__FIELD_PROXY_CONNECTION},
    {"retry-after", RQX__FIELD_RETRY_AFTER},
    {"set-cookie", RQX__FIELD_SET_COOKIE},
    {"te", RQX__FIELD_TE},
    {"trailer", RQX__FIELD_TRAILER},
    {"transfer-encoding", RQX__FIELD_TRANSFER_ENCODING},
    {"upgrade", RQX__FIELD_UPGRADE},
};

START_TEST(known_names_have_their_ids_in_any_case)
{
    rqx_headers *headers = new_list();
    char upper[32];
    size_t i;
    size_t j;

    ck_assert_uint_eq(sizeof known / sizeof known[0], RQX__FIELD_UPGRADE);
    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t len = strlen(known[i].name);

        for (j = 0; j < len; j++)
            upper[j] = (char)(known[i].name[j] >= 'a' ? known[i].name[j] - 32 : known[i].name[j]);
        ck_assert_int_eq(rqx__field_id_of(known[i].name, len), known[i].id);
        ck_assert_int_eq(rqx__field_id_of(upper, len), known[i].id);
        ck_assert_int_eq(rqx__field_id_of(known[i].name, len - 1), RQX__FIELD_OTHER);
        upper[len - 1] = '!';
        ck_assert_int_eq(rqx__field_id_of(upper, len), RQX__FIELD_OTHER);
        upper[len - 1] = (char)(known[i].name[len - 1] - 32);
        ck_assert_int_eq(rqx_headers_add(headers, i % 2 ? upper : known[i].name, len, "v", 1), 0);
        ck_assert_int_eq(headers->fields[i].id, known[i].id);
        ck_assert_ptr_eq(rqx__headers_find(headers, known[i].id, 0), &headers->fields[i]);
        ck_assert_ptr_null(rqx__headers_find(headers, known[i].id, i + 1));
    }
    ck_assert_int_eq(rqx__field_id_of("", 0), RQX__FIELD_OTHER);
    ck_assert_int_eq(rqx__field_id_of("x-other", 7), RQX__FIELD_OTHER);
    rqx_headers_free(headers);
}
END_TEST

START_TEST(find_goes_on_from_a_place)
{
    rqx_headers *headers = new_list();

    add(headers, "content-encoding", "gzip");
    add(headers, "x", "y");
    add(headers, "Content-Encoding", "br");
    ck_assert_str_eq(rqx__headers_find(headers, RQX__FIELD_CONTENT_ENCODING, 1)->value, "br");
    ck_assert_str_eq(rqx__headers_find(headers, RQX__FIELD_OTHER, 0)->name, "x");
    rqx_headers_free(headers);
}
END_TEST

START_TEST(the_maximum_of_fields_holds)
{
    rqx_headers *headers = new_list();
    size_t i;

    for (i = 0; i < RQX__HEADERS_MAX_COUNT; i++)
        ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, "b", 1), 0);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, "b", 1), RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_int_eq(add(headers, "a", "b"), RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_uint_eq(rqx_headers_count(headers), RQX__HEADERS_MAX_COUNT);
    ck_assert_uint_eq(rqx_headers_remove(headers, "a", 1), RQX__HEADERS_MAX_COUNT);
    ck_assert_int_eq(add(headers, "a", "b"), 0);
    rqx_headers_free(headers);
}
END_TEST

START_TEST(the_maximum_of_bytes_holds)
{
    static char value[RQX__HEADERS_MAX_BYTES];
    rqx_headers *headers = new_list();

    memset(value, 'v', sizeof value);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, value, sizeof value), RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "abcd", 4, value, sizeof value - 5), 0);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, "b", 1), RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_int_eq(rqx__headers_add_checked(headers, value, SIZE_MAX, "b", 1), RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, value, SIZE_MAX), RQX_ERR_HEADER_TOO_LARGE);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, "", 0), 0);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "", 0, "", 0), 0);
    ck_assert_uint_eq(headers->bytes, RQX__HEADERS_MAX_BYTES);
    rqx_headers_clear(headers);
    ck_assert_int_eq(rqx__headers_add_checked(headers, "a", 1, value, sizeof value - 1), 0);
    rqx_headers_free(headers);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(a_small_list_costs_two_allocations)
{
    struct rqx_headers headers;
    int i;

    rqx__headers_init(&headers);
    rqx__mem_fail_at(0, 0);
    for (i = 0; i < 12; i++)
        ck_assert_int_eq(rqx__headers_add_checked(&headers, "cache-control", 13, "private, no-store", 17), 0);
    ck_assert_uint_eq(rqx__mem_count(), 2);
    rqx__headers_done(&headers);
    rqx__headers_done(&headers);
}
END_TEST

/* Fills, replaces until the list is compacted, and copies.  Whatever fails, the list is as it was. */
static int scenario(void)
{
    char big[600];
    rqx_headers *headers = NULL;
    rqx_headers *copy = NULL;
    int rv = rqx_headers_new(&headers);
    int i;

    memset(big, 'x', sizeof big);
    for (i = 0; i < 40 && rv == 0; i++) {
        rv = add(headers, "Accept", "*/*");
        ck_assert_uint_eq(rqx_headers_count(headers), (size_t)(i + (rv == 0)));
    }
    for (i = 0; i < 40 && rv == 0; i++) {
        rv = rqx_headers_set(headers, "Big", 3, big, sizeof big);
        ck_assert_uint_eq(rqx_headers_count(headers), (size_t)(40 + (i > 0 || rv == 0)));
    }
    if (rv == 0)
        rv = rqx_headers_copy(headers, &copy);
    ck_assert(rv == 0 || copy == NULL);
    if (headers != NULL && rqx_headers_count(headers) > 0)
        ck_assert_str_eq(get(headers, "accept"), "*/*");
    rqx_headers_free(headers);
    rqx_headers_free(copy);
    return rv;
}

START_TEST(every_failed_allocation_is_an_error)
{
    unsigned long n;
    unsigned long total;

    rqx__mem_fail_at(0, 0);
    ck_assert_int_eq(scenario(), 0);
    total = rqx__mem_count();
    ck_assert_uint_gt(total, 8);
    for (n = 1; n <= total; n++) {
        rqx__mem_fail_at(n, 0);
        ck_assert_int_eq(scenario(), RQX_ERR_NOMEM);
    }
    rqx__mem_fail_at(0, 0);
}
END_TEST
#endif

static Suite *headers_suite(void)
{
    Suite *suite = suite_create("headers");
    TCase *tcase = rqx_add_case(suite, "list");

    tcase_add_test(tcase, an_empty_list_has_nothing);
    tcase_add_test(tcase, fields_keep_order_and_case_and_repeat);
    tcase_add_test(tcase, white_space_around_a_value_is_dropped);
    tcase_add_test(tcase, what_cannot_be_sent_is_refused);
    tcase_add_test(tcase, set_replaces_all_of_a_name_at_the_first_place);
    tcase_add_test(tcase, remove_takes_every_one_of_a_name);
    tcase_add_test(tcase, arguments_may_be_texts_of_the_list_itself);
    tcase_add_test(tcase, replacing_for_ever_takes_no_more_memory);
    tcase_add_test(tcase, a_copy_is_independent);
    tcase_add_test(tcase, a_list_is_extended_by_another_or_itself);
    tcase_add_test(tcase, known_names_have_their_ids_in_any_case);
    tcase_add_test(tcase, find_goes_on_from_a_place);
    tcase_add_test(tcase, the_maximum_of_fields_holds);
    tcase_add_test(tcase, the_maximum_of_bytes_holds);
#ifdef RQX_TEST_ALLOC
    tcase = rqx_add_case(suite, "memory");
    tcase_add_test(tcase, a_small_list_costs_two_allocations);
    tcase_add_test(tcase, every_failed_allocation_is_an_error);
#endif
    return suite;
}

RQX_CHECK_MAIN(headers_suite)
