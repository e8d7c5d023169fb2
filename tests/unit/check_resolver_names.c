/*
 * check_resolver_names.c - address literals, and the files that names are read from.
 */
#include "support.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "file_support.h"
#include "net/resolver_internal.h"

static char hosts_path[64];

static void set_up(void)
{
    make_file(hosts_path, sizeof hosts_path, "");
}

static void tear_down(void)
{
    unlink(hosts_path);
}

START_TEST(files_are_looked_at_once_a_second)
{
    struct rqx__stamp stamp = {.next_look = 0};
    uint64_t second = 1000 * RQX__NS_PER_MS;
    struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 5}};

    ck_assert(rqx__stamp_changed(&stamp, hosts_path, 10 * second));
    ck_assert(!rqx__stamp_changed(&stamp, hosts_path, 12 * second));
    write_file(hosts_path, "longer");
    ck_assert(!rqx__stamp_changed(&stamp, hosts_path, 12 * second + 1));
    ck_assert(rqx__stamp_changed(&stamp, hosts_path, 13 * second));
    ck_assert(!rqx__stamp_changed(&stamp, hosts_path, 14 * second));
    ck_assert_int_eq(utimensat(AT_FDCWD, hosts_path, times, 0), 0);
    ck_assert(rqx__stamp_changed(&stamp, hosts_path, 15 * second));
    unlink(hosts_path);
    ck_assert(rqx__stamp_changed(&stamp, hosts_path, 16 * second));
    ck_assert(!rqx__stamp_changed(&stamp, hosts_path, 17 * second));
    memset(&stamp, 0, sizeof stamp);
    ck_assert(rqx__stamp_changed(&stamp, "/no/such/file", second));
}
END_TEST

#ifdef RQX_TEST_ALLOC
/* A name without an address is none. */
START_TEST(memory_for_names_may_run_out)
{
    const struct rqx__address address = {.family = AF_INET};
    struct rqx__known known;
    unsigned long n;
    int rv = RQX_ERR_NOMEM;

    for (n = 1; rv == RQX_ERR_NOMEM; n++) {
        struct rqx__names names;

        rqx__names_init(&names);
        rqx__mem_fail_at(n, 0);
        rv = rqx__names_add(&names, "a", 1, &address);
        rqx__mem_fail_at(0, 0);
        ck_assert_int_eq(rqx__names_find(&names, "a", 1, &known), rv == 0);
        rqx__names_done(&names);
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 3);
}
END_TEST
#endif

/* RFC 1035 section 2.3.4 */
START_TEST(names_that_nobody_can_ask_for_are_left_out)
{
    char line[RQX__NAME_MAX + 64];
    struct rqx__names names;
    struct rqx__known known;

    rqx__names_init(&names);
    memset(line, 'a', sizeof line);
    memcpy(line, "192.0.2.1 ", 10);
    strcpy(line + sizeof line - 6, " b .\n");
    write_file(hosts_path, line);
    ck_assert_int_eq(rqx__names_read_hosts(&names, hosts_path), 0);
    ck_assert(rqx__names_find(&names, "b", 1, &known));
    ck_assert(!rqx__names_find(&names, line + 10, sizeof line - 16, &known));
    ck_assert(!rqx__names_find(&names, "", 0, &known));
    rqx__names_done(&names);
}
END_TEST

START_TEST(hosts_files_that_cannot_be_read_are_empty)
{
    struct rqx__names names;
    struct rqx__known known;

    rqx__names_init(&names);
    write_file(hosts_path, "192.0.2.1 a\n");
    ck_assert_int_eq(rqx__names_read_hosts(&names, hosts_path), 0);
    ck_assert(rqx__names_find(&names, "a", 1, &known));
    ck_assert_uint_eq(known.count, 1);
    ck_assert_int_eq(rqx__names_read_hosts(&names, "/no/such/file"), 0);
    ck_assert(!rqx__names_find(&names, "a", 1, &known));
    ck_assert_int_eq(rqx__names_read_hosts(&names, "/tmp"), 0);
    rqx__names_done(&names);
}
END_TEST

START_TEST(literals_are_told_from_names)
{
    static const char *const not_literals[] = {"",         "1.2.3",      "1.2.3.4.5", "1.2.3.256",  "a::b::c",
                                               "[::1]",    "::1%",       "1.2.3.4%1", "::1%nosuch", "::1%4294967296",
                                               "1.2.3.4 ", "0x7f.0.0.1", "12345::",   "::1%0"};
    struct rqx__address address;
    size_t i;

    for (i = 0; i < sizeof not_literals / sizeof not_literals[0]; i++)
        ck_assert_msg(!rqx__address_parse(not_literals[i], strlen(not_literals[i]), &address), "%s", not_literals[i]);
    ck_assert(!rqx__address_parse("1.2.3.4\0", 8, &address));
    ck_assert(rqx__address_parse("1.2.3.4xyz", 7, &address));
    ck_assert_int_eq(address.family, AF_INET);
}
END_TEST

static Suite *resolver_names_suite(void)
{
    Suite *suite = suite_create("resolver_names");
    TCase *tcase = rqx_add_case(suite, "names");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, files_are_looked_at_once_a_second);
    tcase_add_test(tcase, names_that_nobody_can_ask_for_are_left_out);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, memory_for_names_may_run_out);
#endif
    tcase_add_test(tcase, hosts_files_that_cannot_be_read_are_empty);
    tcase_add_test(tcase, literals_are_told_from_names);
    return suite;
}

RQX_CHECK_MAIN(resolver_names_suite)
