#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "support.h"

START_TEST(pieces_are_apart_and_keep_their_bytes)
{
    struct rqx__arena arena;
    char *pieces[300];
    size_t i;
    size_t j;

    rqx__arena_init(&arena, SIZE_MAX);
    for (i = 0; i < 300; i++) {
        pieces[i] = rqx__arena_text(&arena, i + 1);
        ck_assert_ptr_nonnull(pieces[i]);
        memset(pieces[i], (int)(i & 0xff), i + 1);
    }
    for (i = 0; i < 300; i++) {
        for (j = 0; j <= i; j++)
            ck_assert_int_eq((unsigned char)pieces[i][j], (int)(i & 0xff));
    }
    ck_assert_uint_eq(arena.used, 300 * 301 / 2);
    rqx__arena_done(&arena);
    ck_assert_uint_eq(arena.used, 0);
}
END_TEST

START_TEST(alloc_is_aligned_after_any_text)
{
    struct rqx__arena arena;
    size_t i;

    rqx__arena_init(&arena, SIZE_MAX);
    for (i = 0; i < 200; i++) {
        char *memory;

        ck_assert_ptr_nonnull(rqx__arena_text(&arena, i % 37));
        memory = rqx__arena_alloc(&arena, i % 53);
        ck_assert_ptr_nonnull(memory);
        ck_assert_uint_eq((uintptr_t)memory % alignof(max_align_t), 0);
        memset(memory, 1, i % 53);
    }
    rqx__arena_done(&arena);
}
END_TEST

START_TEST(large_pieces_get_a_chunk_of_their_own)
{
    struct rqx__arena arena;
    char *memory;

    rqx__arena_init(&arena, SIZE_MAX);
    memory = rqx__arena_alloc(&arena, 100000);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 7, 100000);
    memory = rqx__arena_text(&arena, 100000);
    ck_assert_ptr_nonnull(memory);
    memset(memory, 8, 100000);
    ck_assert_uint_eq(arena.used, 200000);
    rqx__arena_done(&arena);
}
END_TEST

START_TEST(strndup_copies_and_terminates)
{
    struct rqx__arena arena;
    char *copy;

    rqx__arena_init(&arena, SIZE_MAX);
    copy = rqx__arena_strndup(&arena, "requestx", 7);
    ck_assert_str_eq(copy, "request");
    copy = rqx__arena_strndup(&arena, NULL, 0);
    ck_assert_str_eq(copy, "");
    ck_assert_ptr_null(rqx__arena_strndup(&arena, "x", SIZE_MAX));
    rqx__arena_done(&arena);
}
END_TEST

START_TEST(nothing_at_all_is_still_a_piece)
{
    struct rqx__arena arena;

    rqx__arena_init(&arena, 0);
    ck_assert_ptr_nonnull(rqx__arena_text(&arena, 0));
    rqx__arena_done(&arena);
    ck_assert_ptr_nonnull(rqx__arena_alloc(&arena, 0));
    rqx__arena_done(&arena);
}
END_TEST

START_TEST(the_maximum_holds)
{
    struct rqx__arena arena;

    rqx__arena_init(&arena, 100);
    ck_assert_ptr_nonnull(rqx__arena_text(&arena, 60));
    ck_assert_ptr_null(rqx__arena_text(&arena, 41));
    ck_assert_ptr_null(rqx__arena_alloc(&arena, 41));
    ck_assert_ptr_nonnull(rqx__arena_text(&arena, 40));
    ck_assert_ptr_null(rqx__arena_text(&arena, 1));
    ck_assert_uint_eq(arena.used, 100);
    rqx__arena_done(&arena);
    /* the maximum stays, and all of it is free again */
    ck_assert_ptr_nonnull(rqx__arena_text(&arena, 100));
    rqx__arena_done(&arena);
}
END_TEST

START_TEST(padding_counts_against_the_maximum)
{
    struct rqx__arena arena;

    rqx__arena_init(&arena, 20);
    ck_assert_ptr_nonnull(rqx__arena_text(&arena, 19));
    ck_assert_ptr_null(rqx__arena_alloc(&arena, 1));
    rqx__arena_done(&arena);
}
END_TEST

START_TEST(absurd_sizes_are_refused)
{
    struct rqx__arena arena;

    rqx__arena_init(&arena, SIZE_MAX);
    ck_assert_ptr_null(rqx__arena_text(&arena, SIZE_MAX));
    ck_assert_ptr_null(rqx__arena_text(&arena, SIZE_MAX - 4));
    ck_assert_ptr_null(rqx__arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(rqx__arena_alloc(&arena, SIZE_MAX - 1000));
    ck_assert_uint_eq(arena.used, 0);
    rqx__arena_done(&arena);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(a_failed_allocation_leaves_the_rest_usable)
{
    struct rqx__arena arena;
    char *first;

    rqx__arena_init(&arena, SIZE_MAX);
    rqx__mem_fail_at(1, 0);
    ck_assert_ptr_null(rqx__arena_text(&arena, 10));
    first = rqx__arena_strndup(&arena, "kept", 4);
    ck_assert_str_eq(first, "kept");
    rqx__mem_fail_at(1, 0);
    ck_assert_ptr_null(rqx__arena_alloc(&arena, 5000));
    rqx__mem_fail_at(0, 0);
    ck_assert_str_eq(first, "kept");
    ck_assert_ptr_nonnull(rqx__arena_alloc(&arena, 5000));
    rqx__arena_done(&arena);
}
END_TEST
#endif

static Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = rqx_add_case(suite, "arena");

    tcase_add_test(tcase, pieces_are_apart_and_keep_their_bytes);
    tcase_add_test(tcase, alloc_is_aligned_after_any_text);
    tcase_add_test(tcase, large_pieces_get_a_chunk_of_their_own);
    tcase_add_test(tcase, strndup_copies_and_terminates);
    tcase_add_test(tcase, nothing_at_all_is_still_a_piece);
    tcase_add_test(tcase, the_maximum_holds);
    tcase_add_test(tcase, padding_counts_against_the_maximum);
    tcase_add_test(tcase, absurd_sizes_are_refused);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, a_failed_allocation_leaves_the_rest_usable);
#endif
    return suite;
}

RQX_CHECK_MAIN(arena_suite)
