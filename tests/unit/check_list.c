#include "base/list.h"
#include "support.h"

struct item {
    int number;
    struct rqx__list node;
};

static void make_items(struct item *items, int count, struct rqx__list *list)
{
    int i;

    rqx__list_init(list);
    for (i = 0; i < count; i++) {
        items[i].number = i;
        rqx__list_push_back(list, &items[i].node);
    }
}

static void check_numbers(struct rqx__list *list, const int *numbers, size_t count)
{
    struct rqx__list *node = list->next;
    size_t i;

    for (i = 0; i < count; i++, node = node->next) {
        ck_assert_ptr_ne(node, list);
        ck_assert_ptr_eq(node->next->prev, node);
        ck_assert_int_eq(RQX__OF(node, struct item, node)->number, numbers[i]);
    }
    ck_assert_ptr_eq(node, list);
}

START_TEST(a_new_list_is_empty)
{
    struct rqx__list list;

    rqx__list_init(&list);
    ck_assert(rqx__list_empty(&list));
    ck_assert_ptr_null(rqx__list_pop_front(&list));
}
END_TEST

START_TEST(order_is_that_of_pushing)
{
    struct item items[4];
    struct rqx__list list;

    make_items(items, 3, &list);
    check_numbers(&list, (int[]){0, 1, 2}, 3);
    items[3].number = 3;
    rqx__list_push_front(&list, &items[3].node);
    check_numbers(&list, (int[]){3, 0, 1, 2}, 4);
    ck_assert_ptr_eq(rqx__list_pop_front(&list), &items[3].node);
    ck_assert(rqx__list_empty(&items[3].node));
    rqx__list_insert_before(&items[1].node, &items[3].node);
    check_numbers(&list, (int[]){0, 3, 1, 2}, 4);
}
END_TEST

START_TEST(removing_twice_is_harmless)
{
    struct item items[3];
    struct rqx__list list;

    make_items(items, 3, &list);
    rqx__list_remove(&items[1].node);
    rqx__list_remove(&items[1].node);
    check_numbers(&list, (int[]){0, 2}, 2);
    rqx__list_remove(&items[0].node);
    rqx__list_remove(&items[2].node);
    ck_assert(rqx__list_empty(&list));
}
END_TEST

START_TEST(splice_moves_everything_to_the_end)
{
    struct item left[2];
    struct item right[2];
    struct rqx__list to;
    struct rqx__list from;

    make_items(left, 2, &to);
    make_items(right, 2, &from);
    rqx__list_splice(&to, &from);
    check_numbers(&to, (int[]){0, 1, 0, 1}, 4);
    ck_assert(rqx__list_empty(&from));
    rqx__list_splice(&to, &from);
    check_numbers(&to, (int[]){0, 1, 0, 1}, 4);
    rqx__list_splice(&from, &to);
    ck_assert(rqx__list_empty(&to));
    check_numbers(&from, (int[]){0, 1, 0, 1}, 4);
}
END_TEST

START_TEST(each_allows_removal_of_its_node)
{
    struct item items[5];
    struct rqx__list list;
    struct rqx__list *node;
    struct rqx__list *following;
    int seen = 0;

    make_items(items, 5, &list);
    RQX__LIST_EACH(&list, node, following)
    {
        ck_assert_int_eq(RQX__OF(node, struct item, node)->number, seen);
        if (seen % 2 == 0)
            rqx__list_remove(node);
        seen++;
    }
    ck_assert_int_eq(seen, 5);
    check_numbers(&list, (int[]){1, 3}, 2);
}
END_TEST

static Suite *list_suite(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = rqx_add_case(suite, "list");

    tcase_add_test(tcase, a_new_list_is_empty);
    tcase_add_test(tcase, order_is_that_of_pushing);
    tcase_add_test(tcase, removing_twice_is_harmless);
    tcase_add_test(tcase, splice_moves_everything_to_the_end);
    tcase_add_test(tcase, each_allows_removal_of_its_node);
    return suite;
}

RQX_CHECK_MAIN(list_suite)
