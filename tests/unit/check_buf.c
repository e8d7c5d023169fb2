#include <stdint.h>
#include <string.h>

#include <requestx/error.h>
#include <requestx/url.h>

#include "base/buf.h"
#include "base/mem.h"
#include "support.h"

START_TEST(an_empty_buffer_is_safe_to_look_at)
{
    struct rqx__buf buf;

    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_ptr_null(rqx__buf_head(&buf));
    ck_assert_ptr_null(rqx__buf_tail(&buf));
    rqx__buf_consume(&buf, 0);
    rqx__buf_clear(&buf);
    ck_assert_int_eq(rqx__buf_append(&buf, NULL, 0), 0);
    ck_assert_int_eq(rqx__buf_reserve(&buf, 0), 0);
    ck_assert_uint_eq(buf.len, 0);
    rqx__buf_done(&buf);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(bytes_come_out_as_they_went_in)
{
    struct rqx__buf buf;
    uint8_t in = 0;
    uint8_t out = 0;
    uint8_t chunk[97];
    size_t round;
    size_t i;

    /* more goes in than comes out, so that it grows, moves and wraps in every way */
    rqx__buf_init(&buf, SIZE_MAX);
    for (round = 0; round < 400; round++) {
        size_t take = round * 31 % 90;

        for (i = 0; i < sizeof chunk; i++)
            chunk[i] = in++;
        ck_assert_int_eq(rqx__buf_append(&buf, chunk, sizeof chunk), 0);
        for (i = 0; i < take; i++)
            ck_assert_uint_eq(rqx__buf_head(&buf)[i], out++);
        rqx__buf_consume(&buf, take);
    }
    while (buf.len > 0) {
        ck_assert_uint_eq(*rqx__buf_head(&buf), out++);
        rqx__buf_consume(&buf, 1);
    }
    ck_assert_uint_eq(in, out);
    ck_assert_uint_eq(buf.off, 0);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(the_first_large_reservation_is_exact)
{
    struct rqx__buf buf;

    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_reserve(&buf, 12345), 0);
    ck_assert_uint_eq(buf.cap, 12345);
    memset(rqx__buf_tail(&buf), 1, 12345);
    rqx__buf_commit(&buf, 12345);
    ck_assert_uint_eq(buf.len, 12345);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(reserved_room_is_written_in_place)
{
    struct rqx__buf buf;
    const uint8_t *before;

    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&buf, "abc", 3), 0);
    ck_assert_int_eq(rqx__buf_reserve(&buf, 3), 0);
    before = rqx__buf_head(&buf);
    memcpy(rqx__buf_tail(&buf), "def", 3);
    rqx__buf_commit(&buf, 3);
    ck_assert_ptr_eq(rqx__buf_head(&buf), before);
    ck_assert_mem_eq(rqx__buf_head(&buf), "abcdef", 6);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(consumed_room_is_used_again_without_growing)
{
    struct rqx__buf buf;
    uint8_t half[128];
    size_t i;

    memset(half, 'h', sizeof half);
    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&buf, half, 128), 0);
    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(rqx__buf_append(&buf, half, 128), 0);
        rqx__buf_consume(&buf, 128);
    }
    ck_assert_uint_le(buf.cap, 512);
    ck_assert_uint_eq(buf.len, 128);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(growing_keeps_what_was_not_consumed)
{
    struct rqx__buf buf;
    uint8_t bytes[200];
    size_t i;

    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&buf, bytes, 200), 0);
    rqx__buf_consume(&buf, 10);
    /* 190 bytes are left, too many to be worth moving: a new piece of memory */
    ck_assert_int_eq(rqx__buf_reserve(&buf, 1000), 0);
    ck_assert_mem_eq(rqx__buf_head(&buf), bytes + 10, 190);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(the_maximum_is_for_what_is_there)
{
    struct rqx__buf buf;

    rqx__buf_init(&buf, 10);
    ck_assert_int_eq(rqx__buf_append(&buf, "12345678", 8), 0);
    ck_assert_int_eq(rqx__buf_append(&buf, "123", 3), RQX_ERR_BODY_TOO_LARGE);
    ck_assert_int_eq(rqx__buf_reserve(&buf, SIZE_MAX), RQX_ERR_BODY_TOO_LARGE);
    ck_assert_uint_eq(buf.len, 8);
    rqx__buf_consume(&buf, 1);
    ck_assert_int_eq(rqx__buf_append(&buf, "90a", 3), 0);
    ck_assert_mem_eq(rqx__buf_head(&buf), "234567890a", 10);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(clear_keeps_the_memory)
{
    struct rqx__buf buf;
    size_t cap;

    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&buf, "abc", 3), 0);
    rqx__buf_consume(&buf, 1);
    cap = buf.cap;
    rqx__buf_clear(&buf);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_uint_eq(buf.off, 0);
    ck_assert_uint_eq(buf.cap, cap);
    rqx__buf_done(&buf);
    ck_assert_uint_eq(buf.cap, 0);
}
END_TEST

START_TEST(impossible_sizes_are_out_of_memory)
{
    struct rqx__buf buf;

    rqx__buf_init(&buf, SIZE_MAX);
    ck_assert_int_eq(rqx__buf_append(&buf, "a", 1), 0);
    ck_assert_int_eq(rqx__buf_reserve(&buf, SIZE_MAX / 2 + 2), RQX_ERR_NOMEM);
    ck_assert_int_eq(*rqx__buf_head(&buf), 'a');
    rqx__buf_done(&buf);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(a_failed_allocation_changes_nothing)
{
    struct rqx__buf buf;
    uint8_t bytes[300] = {5};

    rqx__buf_init(&buf, SIZE_MAX);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__buf_append(&buf, bytes, 200), RQX_ERR_NOMEM);
    ck_assert_uint_eq(buf.len, 0);
    ck_assert_int_eq(rqx__buf_append(&buf, bytes, 200), 0);
    rqx__mem_fail_at(1, 0); /* growing in place */
    ck_assert_int_eq(rqx__buf_append(&buf, bytes, 300), RQX_ERR_NOMEM);
    rqx__buf_consume(&buf, 50);
    rqx__mem_fail_at(1, 0); /* growing into new memory */
    ck_assert_int_eq(rqx__buf_append(&buf, bytes, 300), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_uint_eq(buf.len, 150);
    ck_assert_int_eq(rqx__buf_append(&buf, bytes, 300), 0);
    ck_assert_uint_eq(buf.len, 450);
    rqx__buf_done(&buf);
}
END_TEST

START_TEST(the_nth_allocation_fails_and_with_sticky_all_after_it)
{
    void *memory;
    int i;

    rqx__mem_fail_at(2, 0);
    memory = rqx__malloc(0);
    ck_assert_ptr_nonnull(memory);
    ck_assert_ptr_null(rqx__realloc(memory, 10));
    memory = rqx__realloc(memory, 0);
    ck_assert_ptr_nonnull(memory);
    rqx__free(memory);
    ck_assert_uint_eq(rqx__mem_count(), 3);
    rqx__mem_fail_at(1, 1);
    for (i = 0; i < 5; i++) {
        ck_assert_ptr_null(rqx__calloc(1, 1));
        ck_assert_ptr_null(rqx__strndup("a", 1));
    }
    rqx__mem_fail_at(0, 0);
    memory = rqx__calloc(0, 0);
    ck_assert_ptr_nonnull(memory);
    rqx_free(memory);
}
END_TEST
#endif

START_TEST(the_heap_door_copies_and_forgets)
{
    char *copy = rqx__strndup("secret!", 6);
    unsigned char *zero = rqx__calloc(3, 5);
    size_t i;

    ck_assert_str_eq(copy, "secret");
    rqx__free_secret(copy, 6);
    rqx__free_secret(NULL, 6);
    for (i = 0; i < 15; i++)
        ck_assert_int_eq(zero[i], 0);
    rqx__free(zero);
    copy = rqx__strndup(NULL, 0);
    ck_assert_str_eq(copy, "");
    rqx_free(copy);
    rqx_free(NULL);
}
END_TEST

static Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = rqx_add_case(suite, "buf");
    TCase *memory = rqx_add_case(suite, "mem");

    tcase_add_test(tcase, an_empty_buffer_is_safe_to_look_at);
    tcase_add_test(tcase, bytes_come_out_as_they_went_in);
    tcase_add_test(tcase, the_first_large_reservation_is_exact);
    tcase_add_test(tcase, reserved_room_is_written_in_place);
    tcase_add_test(tcase, consumed_room_is_used_again_without_growing);
    tcase_add_test(tcase, growing_keeps_what_was_not_consumed);
    tcase_add_test(tcase, the_maximum_is_for_what_is_there);
    tcase_add_test(tcase, clear_keeps_the_memory);
    tcase_add_test(tcase, impossible_sizes_are_out_of_memory);
    tcase_add_test(memory, the_heap_door_copies_and_forgets);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, a_failed_allocation_changes_nothing);
    tcase_add_test(memory, the_nth_allocation_fails_and_with_sticky_all_after_it);
#endif
    return suite;
}

RQX_CHECK_MAIN(buf_suite)
