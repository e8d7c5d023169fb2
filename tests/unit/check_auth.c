#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "http/auth.h"
#include "support.h"

static rqx_auth *basic(const char *user, const char *password)
{
    rqx_auth *auth = NULL;

    ck_assert_int_eq(rqx_auth_basic(user, strlen(user), password, strlen(password), &auth), 0);
    return auth;
}

static void expect_basic(const char *user, const char *password, const char *want)
{
    rqx_auth *auth = basic(user, password);
    char *value = NULL;
    size_t len = 0;

    ck_assert_str_eq(rqx_auth_value(auth).data, want);
    ck_assert_uint_eq(rqx_auth_value(auth).len, strlen(want));
    rqx_auth_unref(auth);
    ck_assert_int_eq(
        rqx__basic_value((rqx_slice){user, strlen(user)}, (rqx_slice){password, strlen(password)}, &value, &len), 0);
    ck_assert_str_eq(value, want);
    ck_assert_uint_eq(len, strlen(want));
    rqx__free_secret(value, len);
}

/* RFC 7617 section 2 and 2.1 */
START_TEST(basic_credentials_are_base64)
{
    expect_basic("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    expect_basic("test", "123\xc2\xa3", "Basic dGVzdDoxMjPCow==");
    expect_basic("user", "p:w", "Basic dXNlcjpwOnc=");
    expect_basic("", "", "Basic Og==");
    expect_basic("a", "", "Basic YTo=");
    expect_basic("", "b", "Basic OmI=");
}
END_TEST

START_TEST(credentials_that_cannot_be_told_apart_are_refused)
{
    static char longer[RQX__CREDENTIALS_MAX + 1];
    rqx_auth *auth = NULL;
    char *value = NULL;
    size_t len = 0;

    memset(longer, 'a', sizeof longer);
    ck_assert_int_eq(rqx_auth_basic("a:b", 3, "c", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_basic("a\n", 2, "c", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_basic("a", 1, "c\x7f", 2, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_basic("a", 1, "\0", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_basic(longer, sizeof longer, "c", 1, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_basic("a", 1, longer, RQX__CREDENTIALS_MAX, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_basic("a", 1, longer, SIZE_MAX, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx__basic_value(RQX__LIT(":"), RQX__LIT(""), &value, &len), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(auth);
    ck_assert_ptr_null(value);
    ck_assert_int_eq(rqx_auth_basic("a", 1, longer, RQX__CREDENTIALS_MAX - 1, &auth), 0);
    ck_assert_uint_eq(rqx_auth_value(auth).len, 6 + (RQX__CREDENTIALS_MAX + 1 + 2) / 3 * 4);
    rqx_auth_unref(auth);
}
END_TEST

/* RFC 6750 section 2.1 */
START_TEST(a_bearer_token_is_sent_as_it_is)
{
    rqx_auth *auth = NULL;

    ck_assert_int_eq(rqx_auth_bearer("mF_9.B5f-4.1JqM==", 17, &auth), 0);
    ck_assert_str_eq(rqx_auth_value(auth).data, "Bearer mF_9.B5f-4.1JqM==");
    ck_assert_uint_eq(rqx_auth_value(auth).len, 24);
    rqx_auth_unref(auth);
}
END_TEST

START_TEST(tokens_that_are_no_field_value_are_refused)
{
    static char longer[RQX__CREDENTIALS_MAX + 1];
    static const char *const bad[] = {"a\r\nX: y", "a\x01", " a", "a ", "a\x7f"};
    rqx_auth *auth = NULL;
    size_t i;

    memset(longer, 'a', sizeof longer);
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(rqx_auth_bearer(bad[i], strlen(bad[i]), &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_bearer("", 0, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_bearer("a\0b", 3, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_auth_bearer(longer, sizeof longer, &auth), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_ptr_null(auth);
    ck_assert_int_eq(rqx_auth_bearer(longer, RQX__CREDENTIALS_MAX, &auth), 0);
    rqx_auth_unref(auth);
}
END_TEST

START_TEST(references_are_counted)
{
    rqx_auth *auth = basic("a", "b");

    ck_assert_ptr_eq(rqx_auth_ref(auth), auth);
    rqx_auth_unref(auth);
    ck_assert_str_eq(rqx_auth_value(auth).data, "Basic YTpi");
    rqx_auth_unref(auth);
    rqx_auth_unref(NULL);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(every_failed_allocation_is_an_error)
{
    unsigned long n;

    for (n = 1; n <= 2; n++) {
        rqx_auth *auth = NULL;
        char *value = NULL;
        size_t len = 0;

        rqx__mem_fail_at(n, 0);
        ck_assert_int_eq(rqx_auth_basic("a", 1, "b", 1, &auth), RQX_ERR_NOMEM);
        rqx__mem_fail_at(n, 0);
        ck_assert_int_eq(rqx__basic_value(RQX__LIT("a"), RQX__LIT("b"), &value, &len), RQX_ERR_NOMEM);
        rqx__mem_fail_at(1, 0);
        ck_assert_int_eq(rqx_auth_bearer("a", 1, &auth), RQX_ERR_NOMEM);
        ck_assert_ptr_null(auth);
        ck_assert_ptr_null(value);
    }
    rqx__mem_fail_at(0, 0);
}
END_TEST
#endif

static Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = rqx_add_case(suite, "credentials");

    tcase_add_test(tcase, basic_credentials_are_base64);
    tcase_add_test(tcase, credentials_that_cannot_be_told_apart_are_refused);
    tcase_add_test(tcase, a_bearer_token_is_sent_as_it_is);
    tcase_add_test(tcase, tokens_that_are_no_field_value_are_refused);
    tcase_add_test(tcase, references_are_counted);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, every_failed_allocation_is_an_error);
#endif
    return suite;
}

RQX_CHECK_MAIN(auth_suite)
