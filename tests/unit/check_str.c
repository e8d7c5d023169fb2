#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "support.h"

static rqx_slice slice(const char *text)
{
    return (rqx_slice){text, strlen(text)};
}

START_TEST(lower_touches_ascii_letters_alone)
{
    int c;

    for (c = 0; c < 256; c++) {
        int want = c >= 'A' && c <= 'Z' ? c + 32 : c;

        ck_assert_int_eq(rqx__lower((unsigned char)c), want);
        ck_assert_int_eq(rqx__is_digit((unsigned char)c), c >= '0' && c <= '9');
    }
}
END_TEST

START_TEST(hex_digits_have_values)
{
    static const char digits[] = "0123456789abcdef";
    int c;

    for (c = 0; c < 256; c++) {
        const char *at = c == 0 ? NULL : strchr(digits, rqx__lower((unsigned char)c));

        ck_assert_int_eq(rqx__hex_value((unsigned char)c), at == NULL ? -1 : (int)(at - digits));
    }
}
END_TEST

START_TEST(comparison_with_and_without_case)
{
    ck_assert(rqx__ieq("Content-Length", 14, "cONTENT-lENGTH", 14));
    ck_assert(!rqx__ieq("abc", 3, "abd", 3));
    ck_assert(!rqx__ieq("abc", 3, "ab", 2));
    ck_assert(!rqx__ieq("[", 1, "{", 1));
    ck_assert(rqx__ieq("", 0, NULL, 0));
    ck_assert(rqx__eq("abc", 3, "abc", 3));
    ck_assert(rqx__eq(NULL, 0, "", 0));
    ck_assert(!rqx__eq("abc", 3, "ABC", 3));
    ck_assert(!rqx__eq("abc", 3, "ab", 2));
}
END_TEST

static int parse(const char *text, uint64_t max, uint64_t *ret_value)
{
    return rqx__parse_u64(text, strlen(text), max, ret_value);
}

START_TEST(numbers_are_digits_and_nothing_else)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "1,1", "0x1", "1e1", "1.0", "\xb2"};
    uint64_t value = 77;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(parse(bad[i], UINT64_MAX, &value), -1);
    ck_assert_int_eq(rqx__parse_u64("1\0", 2, UINT64_MAX, &value), -1);
    ck_assert_uint_eq(value, 77);
    ck_assert_int_eq(parse("0", 0, &value), 0);
    ck_assert_uint_eq(value, 0);
    ck_assert_int_eq(parse("0000000000000000000000000000000000000042", 42, &value), 0);
    ck_assert_uint_eq(value, 42);
}
END_TEST

START_TEST(numbers_above_the_maximum_are_refused)
{
    uint64_t value = 77;

    ck_assert_int_eq(parse("18446744073709551615", UINT64_MAX, &value), 0);
    ck_assert_uint_eq(value, UINT64_MAX);
    value = 77;
    ck_assert_int_eq(parse("18446744073709551616", UINT64_MAX, &value), -1);
    ck_assert_int_eq(parse("99999999999999999999999", UINT64_MAX, &value), -1);
    ck_assert_int_eq(parse("9223372036854775808", INT64_MAX, &value), -1);
    ck_assert_int_eq(parse("65536", 65535, &value), -1);
    ck_assert_int_eq(parse("6", 5, &value), -1);
    ck_assert_int_eq(parse("1", 0, &value), -1);
    /* 2^64 + 3: what is left of it after running over is small */
    ck_assert_int_eq(parse("18446744073709551619", 5, &value), -1);
    ck_assert_uint_eq(value, 77);
    ck_assert_int_eq(parse("65535", 65535, &value), 0);
    ck_assert_uint_eq(value, 65535);
}
END_TEST

static void check_trim(const char *text, const char *want)
{
    rqx_slice trimmed = rqx__trim(slice(text));

    ck_assert_uint_eq(trimmed.len, strlen(want));
    ck_assert_mem_eq(trimmed.data, want, trimmed.len);
}

START_TEST(trim_drops_spaces_and_tabs)
{
    check_trim("", "");
    check_trim(" \t ", "");
    check_trim("a", "a");
    check_trim(" \t a b\t c \t", "a b\t c");
    check_trim("\na\n", "\na\n");
}
END_TEST

START_TEST(token_characters_are_those_of_rfc_9110)
{
    static const char allowed[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int c;

    for (c = 0; c < 256; c++)
        ck_assert_int_eq(rqx__is_tchar((unsigned char)c), c != 0 && strchr(allowed, c) != NULL);
    ck_assert(rqx__is_token("GET", 3));
    ck_assert(!rqx__is_token("", 0));
    ck_assert(!rqx__is_token("GE T", 4));
    ck_assert(!rqx__is_token("GET\r", 4));
}
END_TEST

START_TEST(field_values_hold_no_controls)
{
    int c;

    ck_assert(rqx__is_field_value("", 0));
    ck_assert(rqx__is_field_value("a", 1));
    ck_assert(rqx__is_field_value("a b\tc \xc3\xa9", 8));
    ck_assert(!rqx__is_field_value(" a", 2));
    ck_assert(!rqx__is_field_value("a\t", 2));
    ck_assert(!rqx__is_field_value(" ", 1));
    for (c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        int want = c == '\t' || (c >= 0x20 && c != 0x7f);

        ck_assert_int_eq(rqx__is_field_value(text, 3), want);
    }
}
END_TEST

START_TEST(controls_are_found_wherever_they_stand)
{
    char text[40];
    size_t at;
    int c;

    for (c = 0; c < 256; c++) {
        int want = (c < 0x20 && c != '\t') || c == 0x7f;

        for (at = 0; at < sizeof text; at++) {
            memset(text, 0xe9, sizeof text);
            text[3] = '\t';
            text[at] = (char)c;
            ck_assert_int_eq(rqx__has_control(text, sizeof text), want);
            ck_assert_int_eq(rqx__has_control(text, at + 1), want);
            ck_assert_int_eq(rqx__has_control(text, at), 0);
        }
    }
}
END_TEST

START_TEST(lists_are_searched_by_item)
{
    ck_assert(rqx__list_has(slice("close"), "close"));
    ck_assert(rqx__list_has(slice("Keep-Alive , CLOSE\t,x"), "close"));
    ck_assert(rqx__list_has(slice(",, a"), "a"));
    ck_assert(!rqx__list_has(slice(""), "close"));
    ck_assert(!rqx__list_has(slice("closed, not-close"), "close"));
    ck_assert(!rqx__list_has(slice("a b"), "a"));
    ck_assert(!rqx__list_has(slice("a,"), "b"));
}
END_TEST

START_TEST(utf8_is_cut_between_characters)
{
    /* a, e acute, euro sign, clef: 1, 2, 3 and 4 bytes */
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e";
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    size_t len;

    for (len = 0; len <= 10; len++)
        ck_assert_uint_eq(rqx__utf8_cut(text, len), want[len]);
    /* no UTF-8: any cut will do, but none beyond the end */
    ck_assert_uint_eq(rqx__utf8_cut("\x80\x80\x80\x80\x80\x80", 6), 6);
    ck_assert_uint_eq(rqx__utf8_cut("\x80", 1), 1);
}
END_TEST

START_TEST(errno_values_have_texts)
{
    char text[64];
    char tiny[5];

    rqx__errno_text(ENOENT, text, sizeof text);
    ck_assert_str_eq(text, "No such file or directory");
    rqx__errno_text(-5, text, sizeof text);
    ck_assert_str_eq(text, "error -5");
    rqx__errno_text(ENOENT, tiny, sizeof tiny);
    ck_assert_str_eq(tiny, "No s");
}
END_TEST

START_TEST(base64_is_that_of_rfc_4648)
{
    /* the vectors of section 10 */
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    static const uint8_t high[] = {0xff, 0xef, 0xfe, 0x00};
    char out[16];
    size_t i;

    for (i = 0; i < 7; i++) {
        ck_assert_uint_eq(rqx__base64((const uint8_t *)plain[i], i, out), strlen(coded[i]));
        ck_assert_str_eq(out, coded[i]);
    }
    rqx__base64(high, 4, out);
    ck_assert_str_eq(out, "/+/+AA==");
}
END_TEST

static Suite *str_suite(void)
{
    Suite *suite = suite_create("str");
    TCase *tcase = rqx_add_case(suite, "str");

    tcase_add_test(tcase, lower_touches_ascii_letters_alone);
    tcase_add_test(tcase, hex_digits_have_values);
    tcase_add_test(tcase, comparison_with_and_without_case);
    tcase_add_test(tcase, numbers_are_digits_and_nothing_else);
    tcase_add_test(tcase, numbers_above_the_maximum_are_refused);
    tcase_add_test(tcase, trim_drops_spaces_and_tabs);
    tcase_add_test(tcase, token_characters_are_those_of_rfc_9110);
    tcase_add_test(tcase, field_values_hold_no_controls);
    tcase_add_test(tcase, controls_are_found_wherever_they_stand);
    tcase_add_test(tcase, lists_are_searched_by_item);
    tcase_add_test(tcase, utf8_is_cut_between_characters);
    tcase_add_test(tcase, errno_values_have_texts);
    tcase_add_test(tcase, base64_is_that_of_rfc_4648);
    return suite;
}

RQX_CHECK_MAIN(str_suite)
