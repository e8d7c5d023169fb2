/*
 * Names and passwords by host, as a netrc file has them.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/netrc.h"
#include "support.h"

/* The credentials for |host| as "user:password" in base64, "-" for none. */
static const char *found(const char *text, const char *host)
{
    static char value[256];
    struct rqx__netrc *netrc = NULL;
    rqx_auth *auth;

    ck_assert_msg(rqx__netrc_parse(text, strlen(text), &netrc) == 0, "%s", text);
    auth = rqx__netrc_find(netrc, (rqx_slice){host, strlen(host)});
    snprintf(value, sizeof value, "%s", auth == NULL ? "-" : rqx_auth_value(auth).data + strlen("Basic "));
    rqx__netrc_free(netrc);
    return value;
}

static void expect(const char *text, const char *host, const char *credentials)
{
    char want[256];

    rqx__base64((const uint8_t *)credentials, strlen(credentials), want);
    ck_assert_str_eq(found(text, host), want);
}

START_TEST(hosts_are_found)
{
    const char *file = "# a comment\n"
                       "machine one.example login me password secret\n"
                       "machine Two.example\n\tlogin\tyou\n\taccount x\n\tpassword pass # word\n"
                       "machine three.example user a password b machine four.example login c password d\n";

    expect(file, "one.example", "me:secret");
    expect(file, "two.example", "you:pass");
    expect(file, "three.example", "a:b");
    expect(file, "four.example", "c:d");
    ck_assert_str_eq(found(file, "five.example"), "-");
    ck_assert_str_eq(found("", "one.example"), "-");
    ck_assert_str_eq(found(" \r\n# machine a login b password c", "a"), "-");
}
END_TEST

START_TEST(default_is_for_the_others)
{
    const char *file = "default login any password thing machine a login me password secret "
                       "default login more password more machine b login x";

    expect(file, "a", "me:secret");
    expect(file, "c", "any:thing");
    /* one that is known, without a password, is not one of the others */
    ck_assert_str_eq(found(file, "b"), "-");
}
END_TEST

START_TEST(the_first_of_a_host_counts)
{
    expect("machine a login 1 password 1 machine A login 2 password 2", "a", "1:1");
}
END_TEST

START_TEST(words_may_be_quoted)
{
    expect("machine \"a\" login \"my name\" password \"a \\\"b\\\" #c\\\\\"", "a", "my name:a \"b\" #c\\");
    expect("machine a login m\\ e password \\\"p", "a", "m e:\"p");
    expect("machine a login \"\" password p\\", "a", ":p\\");
    expect("machine a password p", "a", ":p");
    expect("machine a login me password #p", "a", "me:#p");
    expect("machine a login \xc3\xa4 password p", "a", "\xc3\xa4:p");
}
END_TEST

START_TEST(macros_are_passed_over)
{
    expect(
        "machine a login b password c macdef init\ncd /x\nmachine z login z password z\n\nmachine d login e password f",
        "d", "e:f");
    expect("macdef init\r\ncd\r\n\r\nmachine d login e password f", "d", "e:f");
    ck_assert_str_eq(found("macdef init\ncd\nmachine d login e password f\n", "d"), "-");
    ck_assert_str_eq(found("macdef init", "d"), "-");
}
END_TEST

/* A colon in the name, or a control character, cannot be said by Basic. */
START_TEST(what_basic_cannot_carry_is_not_found)
{
    const char *file =
        "machine a login x:y password z machine b login c password \"d\te\" machine f login g password h";

    ck_assert_str_eq(found(file, "a"), "-");
    ck_assert_str_eq(found(file, "b"), "-");
    expect(file, "f", "g:h");
}
END_TEST

static const char *const malformed[] = {
    "login x",
    "machine",
    "machine a login",
    "machine a password",
    "machine a account",
    "machine a unknown",
    "machine \"a login b",
    "password x",
    "macdef",
    "default login",
    "word",
    "machine a login b c",
    "machine a\nlogin\"",
    "\"",
};

START_TEST(what_is_malformed_is_refused)
{
    struct rqx__netrc *netrc = NULL;

    ck_assert_int_eq(rqx__netrc_parse(malformed[_i], strlen(malformed[_i]), &netrc), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx__netrc_parse("machine a\0b", 11, &netrc), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx__netrc_parse("machine a\\\0b", 12, &netrc), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(netrc);
    rqx__netrc_free(NULL);
}
END_TEST

START_TEST(files_words_and_hosts_have_a_maximum)
{
    struct rqx__netrc *netrc = NULL;
    char *file = malloc(RQX__NETRC_MAX + 1);
    size_t len = 0;
    int i;

    memset(file, ' ', RQX__NETRC_MAX + 1);
    ck_assert_int_eq(rqx__netrc_parse(file, RQX__NETRC_MAX + 1, &netrc), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx__netrc_parse(file, RQX__NETRC_MAX, &netrc), 0);
    rqx__netrc_free(netrc);
    netrc = NULL;
    memcpy(file, "machine ", 8);
    memset(file + 8, 'a', RQX__NETRC_WORD_MAX + 1);
    ck_assert_int_eq(rqx__netrc_parse(file, 8 + RQX__NETRC_WORD_MAX + 1, &netrc), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx__netrc_parse(file, 8 + RQX__NETRC_WORD_MAX, &netrc), 0);
    rqx__netrc_free(netrc);
    netrc = NULL;
    for (i = 0; i < RQX__NETRC_HOSTS; i++)
        len += (size_t)sprintf(file + len, "machine h%d\n", i);
    ck_assert_int_eq(rqx__netrc_parse(file, len, &netrc), 0);
    rqx__netrc_free(netrc);
    netrc = NULL;
    len += (size_t)sprintf(file + len, "machine more\n");
    ck_assert_int_eq(rqx__netrc_parse(file, len, &netrc), RQX_ERR_INVALID_ARGUMENT);
    free(file);
}
END_TEST

START_TEST(each_allocation_may_fail)
{
    static const char file[] = "machine a login b password c machine a login d password e default login f password g "
                               "default password h";
    struct rqx__netrc *netrc;
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        netrc = NULL;
        rqx__mem_fail_at(n, _i);
        rv = rqx__netrc_parse(file, strlen(file), &netrc);
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        rqx__netrc_free(netrc);
        if (count < n)
            break;
        ck_assert_int_eq(rv, RQX_ERR_NOMEM);
        ck_assert_ptr_null(netrc);
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 8);
}
END_TEST

static Suite *netrc_suite(void)
{
    Suite *suite = suite_create("netrc");
    TCase *tcase = rqx_add_case(suite, "netrc");

    tcase_add_test(tcase, hosts_are_found);
    tcase_add_test(tcase, default_is_for_the_others);
    tcase_add_test(tcase, the_first_of_a_host_counts);
    tcase_add_test(tcase, words_may_be_quoted);
    tcase_add_test(tcase, macros_are_passed_over);
    tcase_add_test(tcase, what_basic_cannot_carry_is_not_found);
    tcase_add_loop_test(tcase, what_is_malformed_is_refused, 0, sizeof malformed / sizeof malformed[0]);
    tcase_add_test(tcase, files_words_and_hosts_have_a_maximum);
    tcase_add_loop_test(tcase, each_allocation_may_fail, 0, 2);
    return suite;
}

RQX_CHECK_MAIN(netrc_suite)
