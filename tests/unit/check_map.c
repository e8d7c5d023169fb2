#include <stdio.h>
#include <string.h>

#include <requestx/error.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "support.h"

#define COUNT 1000

struct entry {
    struct rqx__map_node node;
    char key[32];
    int visits;
};

static void name_entry(struct entry *entry, size_t number)
{
    /* lengths from 4 to 19, so that every tail of the hash is used */
    int len = snprintf(entry->key, sizeof entry->key, "%04zu%.*s", number, (int)(number % 16), "abcdefghijklmnop");

    entry->node.key = entry->key;
    entry->node.key_len = (size_t)len;
    entry->visits = 0;
}

START_TEST(an_empty_map_finds_nothing)
{
    struct rqx__map map;

    rqx__map_init(&map);
    ck_assert_ptr_null(rqx__map_get(&map, "a", 1));
    ck_assert_ptr_null(rqx__map_any(&map));
    rqx__map_done(&map);
    rqx__map_done(&map);
}
END_TEST

START_TEST(what_is_added_is_found_until_removed)
{
    static struct entry entries[COUNT];
    struct rqx__map map;
    size_t i;

    rqx__map_init(&map);
    for (i = 0; i < COUNT; i++) {
        name_entry(&entries[i], i);
        ck_assert_ptr_null(rqx__map_get(&map, entries[i].key, entries[i].node.key_len));
        ck_assert_int_eq(rqx__map_add(&map, &entries[i].node), 0);
    }
    ck_assert_uint_eq(map.count, COUNT);
    for (i = 0; i < COUNT; i += 2)
        rqx__map_remove(&map, &entries[i].node);
    for (i = 0; i < COUNT; i++) {
        struct rqx__map_node *found = rqx__map_get(&map, entries[i].key, entries[i].node.key_len);

        ck_assert_ptr_eq(found, i % 2 == 0 ? NULL : &entries[i].node);
    }
    ck_assert_uint_eq(map.count, COUNT / 2);
    rqx__map_done(&map);
}
END_TEST

START_TEST(keys_are_bytes_of_any_length)
{
    struct entry entries[4];
    struct rqx__map map;
    size_t i;
    static const char *const keys[] = {"", "a\0b", "a\0c", "a"};
    static const size_t lens[] = {0, 3, 3, 1};

    rqx__map_init(&map);
    for (i = 0; i < 4; i++) {
        entries[i].node.key = keys[i];
        entries[i].node.key_len = lens[i];
        ck_assert_int_eq(rqx__map_add(&map, &entries[i].node), 0);
    }
    for (i = 0; i < 4; i++)
        ck_assert_ptr_eq(rqx__map_get(&map, keys[i], lens[i]), &entries[i].node);
    ck_assert_ptr_null(rqx__map_get(&map, "a\0", 2));
    ck_assert_ptr_null(rqx__map_get(&map, "A", 1));
    rqx__map_done(&map);
}
END_TEST

START_TEST(any_gives_each_in_turn)
{
    struct entry entries[20];
    struct rqx__map map;
    size_t i;

    rqx__map_init(&map);
    for (i = 0; i < 20; i++) {
        name_entry(&entries[i], i);
        ck_assert_int_eq(rqx__map_add(&map, &entries[i].node), 0);
    }
    for (i = 0; i < 20; i++) {
        struct rqx__map_node *node = rqx__map_any(&map);

        ck_assert_ptr_nonnull(node);
        rqx__map_remove(&map, node);
    }
    ck_assert_ptr_null(rqx__map_any(&map));
    rqx__map_done(&map);
}
END_TEST

static void visit_and_remove_even(struct rqx__map_node *node, void *user)
{
    struct entry *entry = RQX__OF(node, struct entry, node);

    entry->visits++;
    if ((entry->key[3] - '0') % 2 == 0)
        rqx__map_remove(user, node);
}

START_TEST(each_visits_all_once_and_allows_removal)
{
    static struct entry entries[100];
    struct rqx__map map;
    size_t i;

    rqx__map_init(&map);
    rqx__map_each(&map, visit_and_remove_even, &map);
    for (i = 0; i < 100; i++) {
        name_entry(&entries[i], i);
        ck_assert_int_eq(rqx__map_add(&map, &entries[i].node), 0);
    }
    rqx__map_each(&map, visit_and_remove_even, &map);
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(entries[i].visits, 1);
    ck_assert_uint_eq(map.count, 50);
    rqx__map_done(&map);
}
END_TEST

START_TEST(two_maps_hash_differently)
{
    struct rqx__map a;
    struct rqx__map b;
    struct entry in_a;
    struct entry in_b;

    rqx__map_init(&a);
    rqx__map_init(&b);
    name_entry(&in_a, 1);
    name_entry(&in_b, 1);
    ck_assert_int_eq(rqx__map_add(&a, &in_a.node), 0);
    ck_assert_int_eq(rqx__map_add(&b, &in_b.node), 0);
    ck_assert(in_a.node.hash != in_b.node.hash);
    rqx__map_done(&a);
    rqx__map_done(&b);
}
END_TEST

START_TEST(like_keys_spread)
{
    static struct entry entries[COUNT];
    struct rqx__map map;
    size_t longest = 0;
    size_t i;

    rqx__map_init(&map);
    for (i = 0; i < COUNT; i++) {
        name_entry(&entries[i], i);
        ck_assert_int_eq(rqx__map_add(&map, &entries[i].node), 0);
    }
    ck_assert_uint_ge(map.mask + 1, COUNT);
    for (i = 0; i <= map.mask; i++) {
        const struct rqx__map_node *node;
        size_t len = 0;

        for (node = map.buckets[i]; node != NULL; node = node->next)
            len++;
        longest = len > longest ? len : longest;
    }
    /* 1000 keys in 1024 buckets: 16 in one has a chance of about 1 in 10^11 */
    ck_assert_uint_lt(longest, 16);
    rqx__map_done(&map);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(out_of_memory_adds_nothing)
{
    struct entry entries[17];
    struct rqx__map map;
    size_t i;

    rqx__map_init(&map);
    for (i = 0; i < 17; i++)
        name_entry(&entries[i], i);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__map_add(&map, &entries[0].node), RQX_ERR_NOMEM);
    for (i = 0; i < 16; i++)
        ck_assert_int_eq(rqx__map_add(&map, &entries[i].node), 0);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__map_add(&map, &entries[16].node), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    ck_assert_uint_eq(map.count, 16);
    for (i = 0; i < 16; i++)
        ck_assert_ptr_eq(rqx__map_get(&map, entries[i].key, entries[i].node.key_len), &entries[i].node);
    ck_assert_ptr_null(rqx__map_get(&map, entries[16].key, entries[16].node.key_len));
    ck_assert_int_eq(rqx__map_add(&map, &entries[16].node), 0);
    rqx__map_done(&map);
}
END_TEST
#endif

static Suite *map_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = rqx_add_case(suite, "map");

    tcase_add_test(tcase, an_empty_map_finds_nothing);
    tcase_add_test(tcase, what_is_added_is_found_until_removed);
    tcase_add_test(tcase, keys_are_bytes_of_any_length);
    tcase_add_test(tcase, any_gives_each_in_turn);
    tcase_add_test(tcase, each_visits_all_once_and_allows_removal);
    tcase_add_test(tcase, two_maps_hash_differently);
    tcase_add_test(tcase, like_keys_spread);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, out_of_memory_adds_nothing);
#endif
    return suite;
}

RQX_CHECK_MAIN(map_suite)
