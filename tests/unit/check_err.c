#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "support.h"

static const struct {
    int code;
    const char *name;
    rqx_phase phase;
    const char *text;
} table[] = {
#define ROW(name, number, phase, text) {number, "RQX_ERR_" #name, RQX_PHASE_##phase, text},
    RQX_ERROR_MAP(ROW)
#undef ROW
};

#define TABLE_LEN (sizeof table / sizeof *table)

START_TEST(each_code_has_name_text_and_phase)
{
    size_t i;

    for (i = 0; i < TABLE_LEN; i++) {
        ck_assert_int_lt(table[i].code, 0);
        ck_assert_str_eq(rqx_error_name(table[i].code), table[i].name);
        ck_assert_str_eq(rqx_error_text(table[i].code), table[i].text);
        ck_assert_int_eq(rqx_error_phase(table[i].code), table[i].phase);
    }
}
END_TEST

START_TEST(codes_stand_in_bands_by_phase)
{
    size_t i;
    size_t j;

    for (i = 0; i < TABLE_LEN; i++) {
        for (j = 0; j < TABLE_LEN; j++) {
            ck_assert(i == j || table[i].code != table[j].code);
            if (table[i].code / 100 == table[j].code / 100)
                ck_assert_int_eq(table[i].phase, table[j].phase);
        }
    }
}
END_TEST

START_TEST(success_and_the_unknown_have_names_too)
{
    ck_assert_str_eq(rqx_error_name(0), "RQX_OK");
    ck_assert_str_eq(rqx_error_name(RQX_AGAIN), "RQX_AGAIN");
    ck_assert_str_eq(rqx_error_name(-99999), "RQX_ERR_?");
    ck_assert_str_eq(rqx_error_text(0), "success");
    ck_assert_str_eq(rqx_error_text(RQX_AGAIN), "nothing yet");
    ck_assert_str_eq(rqx_error_text(12345), "unknown error");
    ck_assert_int_eq(rqx_error_phase(0), RQX_PHASE_NONE);
    ck_assert_int_eq(rqx_error_phase(RQX_AGAIN), RQX_PHASE_NONE);
    ck_assert_int_eq(rqx_error_phase(-99999), RQX_PHASE_NONE);
}
END_TEST

START_TEST(set_fills_and_gives_the_code)
{
    struct rqx__err err = {.sys_errno = 5, .tls_verify = 6, .h2_code = 7};

    ck_assert_int_eq(rqx__err_set(&err, RQX_ERR_CONNECT, "port %d", 443), RQX_ERR_CONNECT);
    ck_assert_int_eq(err.code, RQX_ERR_CONNECT);
    ck_assert_str_eq(err.text, "port 443");
    ck_assert_int_eq(err.sys_errno, 0);
    ck_assert_int_eq(err.tls_verify, 0);
    ck_assert_uint_eq(err.h2_code, 0);
    rqx__err_clear(&err);
    ck_assert_int_eq(err.code, 0);
    ck_assert_str_eq(err.text, "");
}
END_TEST

START_TEST(set_without_format_takes_the_codes_text)
{
    struct rqx__err err;

    ck_assert_int_eq(rqx__err_set(&err, RQX_ERR_NOMEM, NULL), RQX_ERR_NOMEM);
    ck_assert_str_eq(err.text, "out of memory");
}
END_TEST

START_TEST(nobody_needs_to_listen)
{
    ck_assert_int_eq(rqx__err_set(NULL, RQX_ERR_READ, "x"), RQX_ERR_READ);
    ck_assert_int_eq(rqx__err_sys(NULL, RQX_ERR_READ, EPIPE, "x"), RQX_ERR_READ);
}
END_TEST

START_TEST(sys_adds_the_reason)
{
    struct rqx__err err;

    ck_assert_int_eq(rqx__err_sys(&err, RQX_ERR_CONNECT, ECONNREFUSED, "connect to %s", "::1"), RQX_ERR_CONNECT);
    ck_assert_str_eq(err.text, "connect to ::1: Connection refused");
    ck_assert_int_eq(err.sys_errno, ECONNREFUSED);
    rqx__err_sys(&err, RQX_ERR_SYSTEM, EMFILE, "%s", "");
    ck_assert_str_eq(err.text, "Too many open files");
    rqx__err_sys(&err, RQX_ERR_SYSTEM, 98765, "x");
    ck_assert_str_eq(err.text, "x: error 98765");
}
END_TEST

START_TEST(prefixes_pile_up_in_front)
{
    struct rqx__err err;

    rqx__err_sys(&err, RQX_ERR_CONNECT, ECONNREFUSED, "tcp");
    rqx__err_prefix(&err, "connect to %s:%d", "a.example", 443);
    ck_assert_str_eq(err.text, "connect to a.example:443: tcp: Connection refused");
    ck_assert_int_eq(err.code, RQX_ERR_CONNECT);
    ck_assert_int_eq(err.sys_errno, ECONNREFUSED);
}
END_TEST

static void check_cut(const struct rqx__err *err)
{
    size_t len = strlen(err->text);

    ck_assert_uint_lt(len, sizeof err->text);
    ck_assert_uint_ge(len, sizeof err->text - 4);
    /* each two-byte letter is whole */
    ck_assert_uint_eq((unsigned char)err->text[len - 2], 0xc3);
    ck_assert_uint_eq((unsigned char)err->text[len - 1], 0xa9);
}

START_TEST(long_texts_are_cut_between_characters)
{
    struct rqx__err err;
    char text[2 * 400 + 1];
    size_t i;

    for (i = 0; i < 400; i++)
        memcpy(text + 2 * i, "\xc3\xa9", 2);
    text[800] = '\0';
    rqx__err_set(&err, RQX_ERR_READ, "%s", text);
    check_cut(&err);
    rqx__err_set(&err, RQX_ERR_READ, "x%s", text);
    check_cut(&err);
    rqx__err_sys(&err, RQX_ERR_READ, EPIPE, "x%s", text);
    ck_assert_int_eq(err.sys_errno, EPIPE);
    ck_assert_uint_lt(strlen(err.text), sizeof err.text);
    rqx__err_set(&err, RQX_ERR_READ, "%s", text);
    rqx__err_prefix(&err, "abc");
    check_cut(&err);
    ck_assert_int_eq(strncmp(err.text, "abc: \xc3\xa9", 7), 0);
    rqx__err_prefix(&err, "%s", text);
    ck_assert_uint_lt(strlen(err.text), sizeof err.text);
}
END_TEST

START_TEST(a_suffix_is_kept_whole)
{
    struct rqx__err err;
    char text[2 * 400 + 1];
    size_t i;

    rqx__err_set(&err, RQX_ERR_READ, "cut short");
    rqx__err_suffix(&err, " (after %d attempts)", 3);
    ck_assert_str_eq(err.text, "cut short (after 3 attempts)");
    for (i = 0; i < 400; i++)
        memcpy(text + 2 * i, "\xc3\xa9", 2);
    text[800] = '\0';
    rqx__err_set(&err, RQX_ERR_READ, "%s", text);
    rqx__err_suffix(&err, " (after %d attempts)", 3);
    ck_assert_uint_lt(strlen(err.text), sizeof err.text);
    ck_assert_str_eq(err.text + strlen(err.text) - 21, "\xc3\xa9 (after 3 attempts)");
    rqx__err_suffix(&err, "%s", text); /* longer than all of it: cut itself */
    ck_assert_uint_lt(strlen(err.text), sizeof err.text);
    ck_assert_uint_eq((unsigned char)err.text[strlen(err.text) - 1], 0xa9);
}
END_TEST

static Suite *err_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *tcase = rqx_add_case(suite, "err");

    tcase_add_test(tcase, each_code_has_name_text_and_phase);
    tcase_add_test(tcase, codes_stand_in_bands_by_phase);
    tcase_add_test(tcase, success_and_the_unknown_have_names_too);
    tcase_add_test(tcase, set_fills_and_gives_the_code);
    tcase_add_test(tcase, set_without_format_takes_the_codes_text);
    tcase_add_test(tcase, nobody_needs_to_listen);
    tcase_add_test(tcase, sys_adds_the_reason);
    tcase_add_test(tcase, prefixes_pile_up_in_front);
    tcase_add_test(tcase, long_texts_are_cut_between_characters);
    tcase_add_test(tcase, a_suffix_is_kept_whole);
    return suite;
}

RQX_CHECK_MAIN(err_suite)
