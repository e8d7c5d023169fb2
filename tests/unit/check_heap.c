#include <requestx/error.h>

#include "base/heap.h"
#include "base/mem.h"
#include "support.h"

#define COUNT 500

/* A small generator with a fixed seed, so that a failure can be seen again. */
static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

/* Asserted once: an assertion for each node takes longer than everything else here, and minutes under valgrind. */
static void check_order(const struct rqx__heap *heap)
{
    size_t ordered = 0;

    while (ordered < heap->count && heap->nodes[ordered]->place == ordered + 1 &&
           (ordered == 0 || heap->nodes[(ordered - 1) / 2]->key <= heap->nodes[ordered]->key))
        ordered++;
    ck_assert_uint_eq(ordered, heap->count);
}

static void drain_sorted(struct rqx__heap *heap)
{
    uint64_t last = 0;

    while (rqx__heap_first(heap) != NULL) {
        struct rqx__heap_node *node = rqx__heap_first(heap);

        ck_assert_uint_ge(node->key, last);
        last = node->key;
        rqx__heap_remove(heap, node);
        ck_assert_uint_eq(node->place, 0);
    }
    ck_assert_uint_eq(heap->count, 0);
}

START_TEST(an_empty_heap_has_no_first)
{
    struct rqx__heap heap;
    struct rqx__heap_node node = {0, 0};

    rqx__heap_init(&heap);
    ck_assert_ptr_null(rqx__heap_first(&heap));
    rqx__heap_remove(&heap, &node);
    rqx__heap_done(&heap);
    rqx__heap_done(&heap);
}
END_TEST

START_TEST(keys_come_out_in_order)
{
    struct rqx__heap heap;
    struct rqx__heap_node nodes[COUNT] = {{0, 0}};
    size_t i;

    seed = 1;
    rqx__heap_init(&heap);
    for (i = 0; i < COUNT; i++) {
        ck_assert_int_eq(rqx__heap_add(&heap, &nodes[i], draw(200)), 0);
        check_order(&heap);
    }
    drain_sorted(&heap);
    rqx__heap_done(&heap);
}
END_TEST

START_TEST(updates_move_both_ways)
{
    struct rqx__heap heap;
    struct rqx__heap_node nodes[COUNT] = {{0, 0}};
    size_t i;

    seed = 2;
    rqx__heap_init(&heap);
    for (i = 0; i < COUNT; i++)
        ck_assert_int_eq(rqx__heap_add(&heap, &nodes[i], i), 0);
    for (i = 0; i < 4 * COUNT; i++) {
        rqx__heap_update(&heap, &nodes[draw(COUNT)], draw(1000));
        check_order(&heap);
    }
    rqx__heap_update(&heap, &nodes[7], nodes[7].key);
    check_order(&heap);
    rqx__heap_update(&heap, &nodes[COUNT / 2], 0);
    ck_assert_uint_eq(rqx__heap_first(&heap)->key, 0);
    drain_sorted(&heap);
    rqx__heap_done(&heap);
}
END_TEST

START_TEST(any_node_can_be_taken_out)
{
    struct rqx__heap heap;
    struct rqx__heap_node nodes[COUNT] = {{0, 0}};
    size_t in = 0;
    size_t i;

    seed = 3;
    rqx__heap_init(&heap);
    for (i = 0; i < 8 * COUNT; i++) {
        struct rqx__heap_node *node = &nodes[draw(COUNT)];

        if (node->place != 0) {
            rqx__heap_remove(&heap, node);
            in--;
        } else {
            ck_assert_int_eq(rqx__heap_add(&heap, node, draw(1000)), 0);
            in++;
        }
        ck_assert_uint_eq(heap.count, in);
        check_order(&heap);
    }
    drain_sorted(&heap);
    for (i = 0; i < COUNT; i++)
        ck_assert_uint_eq(nodes[i].place, 0);
    rqx__heap_done(&heap);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(out_of_memory_adds_nothing)
{
    struct rqx__heap heap;
    struct rqx__heap_node nodes[65] = {{0, 0}};
    size_t i;

    rqx__heap_init(&heap);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__heap_add(&heap, &nodes[0], 1), RQX_ERR_NOMEM);
    ck_assert_uint_eq(nodes[0].place, 0);
    for (i = 0; i < 64; i++)
        ck_assert_int_eq(rqx__heap_add(&heap, &nodes[i], i), 0);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__heap_add(&heap, &nodes[64], 1), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_uint_eq(nodes[64].place, 0);
    ck_assert_uint_eq(heap.count, 64);
    ck_assert_int_eq(rqx__heap_add(&heap, &nodes[64], 1), 0);
    drain_sorted(&heap);
    rqx__heap_done(&heap);
}
END_TEST
#endif

static Suite *heap_suite(void)
{
    Suite *suite = suite_create("heap");
    TCase *tcase = rqx_add_case(suite, "heap");

    tcase_add_test(tcase, an_empty_heap_has_no_first);
    tcase_add_test(tcase, keys_come_out_in_order);
    tcase_add_test(tcase, updates_move_both_ways);
    tcase_add_test(tcase, any_node_can_be_taken_out);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, out_of_memory_adds_nothing);
#endif
    return suite;
}

RQX_CHECK_MAIN(heap_suite)
