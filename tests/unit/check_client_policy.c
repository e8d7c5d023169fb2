/*
 * What a client adds to an exchange by itself: cookies at each hop, and answers to challenges.
 */
#include <sys/stat.h>

#include <requestx/requestx.h>

#include "base/mem.h"
#include "script_server.h"
#include "support.h"

#define ANSWER(head) "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n" head "\r\nok"
#define REDIRECT(head, to)                                                                                             \
    "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " to "\r\n" head "\r\n"

static struct script_server server;
static rqx_client_options options;

static void begin(const char *const *answers)
{
    script_start(&server, answers);
    rqx_client_options_init(&options);
    options.trust_env = 0;
    options.protocols = RQX_PROTO_HTTP1;
    options.unix_path = server.path;
    options.max_redirects = 5;
}

/* What one exchange of a new client ends with. */
static int exchange(rqx_request *request, int *ret_status)
{
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_response *response = NULL;
    int rv = rqx_engine_new(NULL, &engine);

    if (rv == 0)
        rv = rqx_client_new(engine, &options, &client);
    if (rv == 0)
        rv = rqx_client_perform(client, request, &response);
    if (rv == 0)
        *ret_status = rqx_response_status(response);
    rqx_response_unref(response);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    return rv;
}

static int get(const char *url, const char *cookie)
{
    rqx_request *request = NULL;
    int status = 0;
    int rv = rqx_request_new_text("GET", url, &request);

    if (rv == 0 && cookie != NULL)
        rv = rqx_headers_add(rqx_request_headers(request), "Cookie", 6, cookie, strlen(cookie));
    if (rv == 0)
        rv = exchange(request, &status);
    rqx_request_unref(request);
    return rv < 0 ? rv : status;
}

/* The line of request |index| that begins with |name|, "" if there is none; in memory of the next call. */
static const char *line_of(int index, const char *name)
{
    static char line[4096];
    char start[64];
    const char *found;

    ck_assert_int_lt(index, server.count);
    snprintf(start, sizeof start, "\r\n%s: ", name);
    found = strcasestr(server.requests[index], start);
    if (found == NULL)
        return "";
    found += strlen(start);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(found, "\r"), found);
    ck_assert_ptr_null(strcasestr(found, start));
    return line;
}

/* ---- cookies ---- */

static rqx_cookies *jar;

static void new_jar(void)
{
    jar = NULL;
    ck_assert_int_eq(rqx_cookies_new(&jar), 0);
}

static void free_jar(void)
{
    rqx_cookies_unref(jar);
}

START_TEST(cookies_are_kept_and_sent_at_each_hop)
{
    static const char *const answers[] = {
        "HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\n\r\n" REDIRECT(
            "Set-Cookie: a=1\r\nSet-Cookie: b=2; Path=/x\r\n", "/x"),
        REDIRECT("Set-Cookie: c=3; Domain=example.com\r\n", "http://api.example.com/"),
        REDIRECT("Set-Cookie: d=4\r\nSet-Cookie: bad=5; Domain=com\r\n", "http://other.net/"),
        ANSWER("Set-Cookie: e=6\r\n"),
        ANSWER(""),
        NULL,
    };
    const rqx_slice any = {NULL, 0};
    rqx_cookie *cookie = NULL;

    begin(answers);
    options.cookies = jar;
    ck_assert_int_eq(get("http://www.example.com/", NULL), 200);
    ck_assert_int_eq(get("http://www.example.com/", NULL), 200);
    ck_assert_str_eq(line_of(0, "Cookie"), "");
    ck_assert_str_eq(line_of(1, "Cookie"), "b=2; a=1");
    ck_assert_str_eq(line_of(2, "Cookie"), "c=3");
    ck_assert_str_eq(line_of(3, "Cookie"), "");
    ck_assert_str_eq(line_of(4, "Cookie"), "a=1; c=3");
    ck_assert_int_eq(rqx_cookies_get(jar, (rqx_slice){"e", 1}, any, any, 0, &cookie), 1);
    ck_assert_str_eq(cookie->domain.data, "other.net");
    rqx_free(cookie);
    ck_assert_uint_eq(rqx_cookies_count(jar), 5);
    script_stop(&server);
}
END_TEST

START_TEST(a_cookie_field_of_the_request_s_own_goes_first)
{
    static const char *const answers[] = {
        ANSWER("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nSet-Cookie: c=3\r\n"),
        REDIRECT("Set-Cookie: a=4\r\n", "/next"),
        REDIRECT("", "http://other.example.com/"),
        ANSWER(""),
        ANSWER(""),
        NULL,
    };

    begin(answers);
    options.cookies = jar;
    ck_assert_int_eq(get("http://www.example.com/", NULL), 200);
    ck_assert_int_eq(get("http://www.example.com/", "own=9; b=mine;x"), 200);
    /* nothing is left of the jar's */
    ck_assert_int_eq(get("http://www.example.com/", "a=7;b; c =8"), 200);
    ck_assert_str_eq(line_of(1, "Cookie"), "own=9; b=mine;x; a=1; c=3");
    ck_assert_str_eq(line_of(2, "Cookie"), "own=9; b=mine;x; a=4; c=3");
    ck_assert_str_eq(line_of(3, "Cookie"), "");
    ck_assert_str_eq(line_of(4, "Cookie"), "a=7;b; c =8");
    script_stop(&server);
}
END_TEST

START_TEST(default_fields_with_secrets_stay_at_their_origin)
{
    static const char *const answers[] = {
        REDIRECT("Set-Cookie: a=1\r\n", "/same"),
        REDIRECT("Set-Cookie: b=2; Domain=example.com\r\n", "http://other.example.com/"),
        ANSWER(""),
        NULL,
    };
    rqx_headers *headers = NULL;

    begin(answers);
    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    rqx_headers_add(headers, "Cookie", 6, "fixed=0; a=mine", 15);
    rqx_headers_add(headers, "Authorization", 13, "Secret", 6);
    rqx_headers_add(headers, "X-Plain", 7, "1", 1);
    options.headers = headers;
    options.cookies = jar;
    ck_assert_int_eq(get("http://www.example.com/", NULL), 200);
    ck_assert_str_eq(line_of(0, "Cookie"), "fixed=0; a=mine");
    ck_assert_str_eq(line_of(1, "Cookie"), "fixed=0; a=mine");
    ck_assert_str_eq(line_of(1, "Authorization"), "Secret");
    ck_assert_str_eq(line_of(2, "Cookie"), "b=2");
    ck_assert_str_eq(line_of(2, "Authorization"), "");
    ck_assert_str_eq(line_of(2, "X-Plain"), "1");
    rqx_headers_free(headers);
    script_stop(&server);
}
END_TEST

START_TEST(without_a_jar_no_cookie_is_kept)
{
    static const char *const answers[] = {REDIRECT("Set-Cookie: a=1\r\n", "/x"), ANSWER(""), NULL};

    begin(answers);
    ck_assert_int_eq(get("http://www.example.com/", NULL), 200);
    ck_assert_str_eq(line_of(1, "Cookie"), "");
    script_stop(&server);
}
END_TEST

START_TEST(memory_for_cookies_may_run_out)
{
    static const char *const answers[] = {REDIRECT("Set-Cookie: a=1\r\n", "/x"), ANSWER("Set-Cookie: b=2\r\n"), NULL};
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        begin(answers);
        new_jar();
        options.cookies = jar;
        rqx__mem_fail_at(n, _i);
        rv = get("http://www.example.com/", "own=1");
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        free_jar();
        script_stop(&server);
        if (count < n)
            break;
        ck_assert_msg(rv == 200 || rv == RQX_ERR_NOMEM || rv == RQX_ERR_TRUNCATED, "allocation %lu: %s", n,
                      rqx_error_name(rv));
    }
    ck_assert_int_eq(rv, 200);
    ck_assert_uint_gt(n, 20);
}
END_TEST

/* ---- Digest ---- */

#define DENIED(challenge)                                                                                              \
    "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 4\r\nWWW-Authenticate: " challenge "\r\n\r\ngo" \
                                                                                                          "ne"
#define CHALLENGE(nonce) "Digest realm=\"r\", nonce=\"" nonce "\", qop=\"auth\", algorithm=SHA-256"

static rqx_auth *digest_auth(void)
{
    rqx_auth *auth = NULL;

    ck_assert_int_eq(rqx_auth_digest("user", 4, "pass", 4, &auth), 0);
    return auth;
}

static bool answered(int index, const char *what)
{
    return strstr(line_of(index, "Authorization"), what) != NULL;
}

/* Counts the bytes that are left, in |*user|; begins with 6. */
static int give_bytes(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    int *left = user;

    ck_assert_uint_ge(cap, 6);
    memcpy(buffer, "sesame", (size_t)*left);
    *ret_len = (size_t)*left;
    *ret_end = 1;
    *left = 0;
    return 0;
}

static int rewind_bytes(void *user)
{
    *(int *)user = 6;
    return 0;
}

START_TEST(a_challenge_is_answered_once_and_remembered)
{
    static const char *const answers[] = {
        DENIED("Basic realm=\"r\"\r\nWWW-Authenticate: " CHALLENGE("one")),
        ANSWER(""),
        ANSWER(""),
        DENIED("Digest realm=\"r\", nonce=\"two\", qop=\"auth\", stale=true"),
        ANSWER("Authentication-Info: nextnonce=\"three\"\r\n"),
        ANSWER(""),
        NULL,
    };
    rqx_auth *auth = digest_auth();
    int i;

    begin(answers);
    options.auth = auth;
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(get("http://a.com/x?y=z", NULL), 200);
    ck_assert_str_eq(line_of(0, "Authorization"), "");
    ck_assert(answered(1, "username=\"user\", realm=\"r\", nonce=\"one\", uri=\"/x?y=z\", response=\""));
    ck_assert(answered(1, "nc=00000001"));
    ck_assert(answered(2, "nonce=\"one\"") && answered(2, "nc=00000002"));
    ck_assert(answered(3, "nonce=\"one\"") && answered(3, "nc=00000003"));
    ck_assert(answered(4, "nonce=\"two\"") && answered(4, "nc=00000001"));
    ck_assert(answered(5, "nonce=\"three\"") && answered(5, "nc=00000001"));
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(an_answer_that_is_refused_is_the_end)
{
    static const char *const answers[] = {
        DENIED(CHALLENGE("one")),
        DENIED(CHALLENGE("two")),
        DENIED("Basic realm=r"),
        DENIED("Digest realm=\"open"),
        NULL,
    };
    rqx_auth *auth = digest_auth();

    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(get("http://a.com/", NULL), 401);
    ck_assert_int_eq(server.count, 2);
    /* nor are others answered */
    ck_assert_int_eq(get("http://b.com/", NULL), 401);
    ck_assert_int_eq(get("http://b.com/", NULL), 401);
    ck_assert_int_eq(server.count, 4);
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(a_nonce_that_aged_meanwhile_is_replaced_once)
{
    static const char *const answers[] = {
        DENIED(CHALLENGE("one")),
        DENIED(CHALLENGE("two") ", stale=true"),
        DENIED(CHALLENGE("three") ", stale=true"),
        NULL,
    };
    rqx_auth *auth = digest_auth();

    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(get("http://a.com/", NULL), 401);
    ck_assert_int_eq(server.count, 3);
    ck_assert(answered(2, "nonce=\"two\""));
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

/* Sends a body that a callback gives, with a rewind or without; gives the status. */
static int post_callback(int with_rewind)
{
    rqx_request *request = NULL;
    int left = 6;
    int status = 0;

    ck_assert_int_eq(rqx_request_new_text("POST", "http://a.com/", &request), 0);
    ck_assert_int_eq(
        rqx_request_set_body_callback(request, give_bytes, with_rewind ? rewind_bytes : NULL, 6, NULL, &left), 0);
    ck_assert_int_eq(exchange(request, &status), 0);
    rqx_request_unref(request);
    return status;
}

START_TEST(a_body_is_sent_again_where_it_can_be)
{
    static const char *const answers[] = {
        DENIED(CHALLENGE("one")),
        ANSWER(""),
        DENIED("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""),
        NULL,
    };
    rqx_auth *auth = digest_auth();

    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(post_callback(1), 200);
    ck_assert_ptr_nonnull(strstr(server.requests[0], "\r\n\r\nsesame"));
    ck_assert_ptr_nonnull(strstr(server.requests[1], "\r\n\r\nsesame"));
    /* what it covers is not known beforehand */
    ck_assert_int_eq(post_callback(1), 401);
    ck_assert_int_eq(server.count, 3);
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(a_body_that_cannot_be_sent_again_leaves_the_401)
{
    static const char *const answers[] = {DENIED(CHALLENGE("one")), ANSWER(""), NULL};
    rqx_auth *auth = digest_auth();

    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(post_callback(0), 401);
    ck_assert_int_eq(server.count, 1);
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(integrity_covers_bytes)
{
    static const char *const answers[] = {DENIED("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""), ANSWER(""),
                                          NULL};
    rqx_auth *auth = digest_auth();
    rqx_request *request = NULL;
    int status = 0;

    begin(answers);
    ck_assert_int_eq(rqx_request_new_text("POST", "http://a.com/", &request), 0);
    ck_assert_int_eq(rqx_request_set_body(request, "a body", 6), 0);
    rqx_request_set_auth(request, auth, 0);
    ck_assert_int_eq(rqx_request_set_target(request, "*", 1), 0);
    ck_assert_int_eq(exchange(request, &status), 0);
    ck_assert_int_eq(status, 200);
    ck_assert(answered(1, "qop=auth-int") && answered(1, "uri=\"*\""));
    rqx_request_unref(request);
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(another_origin_is_not_answered)
{
    static const char *const answers[] = {
        DENIED(CHALLENGE("one")),
        REDIRECT("", "http://b.com/"),
        DENIED(CHALLENGE("two")),
        /* the same one is, at each hop */
        REDIRECT("", "/again"),
        DENIED(CHALLENGE("three")),
        ANSWER(""),
        NULL,
    };
    rqx_auth *auth = digest_auth();

    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(get("http://a.com/", NULL), 401);
    ck_assert(answered(1, "nonce=\"one\""));
    ck_assert_str_eq(line_of(2, "Authorization"), "");
    ck_assert_int_eq(get("http://a.com/", NULL), 200);
    ck_assert(answered(5, "nonce=\"three\"") && answered(5, "uri=\"/again\""));
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(an_authorization_of_the_request_s_own_is_left_alone)
{
    static const char *const answers[] = {DENIED(CHALLENGE("one")), NULL};
    rqx_auth *auth = digest_auth();
    rqx_request *request = NULL;
    int status = 0;

    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(rqx_request_new_text("GET", "http://a.com/", &request), 0);
    ck_assert_int_eq(rqx_headers_add(rqx_request_headers(request), "Authorization", 13, "Mine", 4), 0);
    ck_assert_int_eq(exchange(request, &status), 0);
    ck_assert_int_eq(status, 401);
    ck_assert_str_eq(line_of(0, "Authorization"), "Mine");
    rqx_request_unref(request);
    rqx_auth_unref(auth);
    script_stop(&server);
}
END_TEST

START_TEST(memory_for_answers_may_run_out)
{
    static const char *const answers[] = {DENIED(CHALLENGE("one")), ANSWER("Authentication-Info: nextnonce=k\r\n"),
                                          NULL};
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        rqx_auth *auth = digest_auth();

        begin(answers);
        options.auth = auth;
        rqx__mem_fail_at(n, _i);
        rv = get("http://www.example.com/", NULL);
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        rqx_auth_unref(auth);
        script_stop(&server);
        if (count < n)
            break;
        ck_assert_msg(rv == 200 || rv == RQX_ERR_NOMEM || rv == RQX_ERR_TRUNCATED, "allocation %lu: %s", n,
                      rqx_error_name(rv));
    }
    ck_assert_int_eq(rv, 200);
    ck_assert_uint_gt(n, 20);
}
END_TEST

/* ---- jars in files ---- */

START_TEST(a_jar_is_kept_in_a_file)
{
    char folder[] = "/tmp/rqx_jar.XXXXXX";
    char path[64];
    char longer[5000];
    struct stat status;
    rqx_cookies *other = NULL;
    rqx_url *url = NULL;
    char *value = NULL;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/jar", folder);
    ck_assert_int_eq(rqx_cookies_load_file(jar, path, 0), RQX_ERR_SYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(rqx_cookies_load_file(jar, folder, 0), RQX_ERR_SYSTEM);
    ck_assert_int_eq(rqx_url_parse("https://a.com/", 14, NULL, &url), 0);
    ck_assert_int_eq(rqx_cookies_set_from(jar, url, "a=1; Secure", 11, 0), 1);
    ck_assert_int_eq(rqx_cookies_save_file(jar, path, 1, 0), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(rqx_cookies_new(&other), 0);
    ck_assert_int_eq(rqx_cookies_load_file(other, path, 0), 1);
    ck_assert_int_eq(rqx_cookies_field(other, url, 0, &value), 0);
    ck_assert_str_eq(value, "a=1");
    rqx_free(value);
    /* what is there is replaced; what cannot be leaves nothing behind */
    rqx_cookies_clear(jar);
    ck_assert_int_eq(rqx_cookies_save_file(jar, path, 1, 0), 0);
    ck_assert_int_eq(rqx_cookies_load_file(other, path, 0), 0);
    ck_assert_int_eq(rqx_cookies_save_file(jar, folder, 1, 0), RQX_ERR_SYSTEM);
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    ck_assert_int_eq(rqx_cookies_save_file(jar, longer, 1, 0), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(truncate(path, RQX_COOKIES_LOAD_MAX + 1), 0);
    ck_assert_int_eq(rqx_cookies_load_file(other, path, 0), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(truncate(path, RQX_COOKIES_LOAD_MAX), 0);
    ck_assert_int_eq(rqx_cookies_load_file(other, path, 0), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rqx_cookies_save_file(jar, "/nonexistent/jar", 1, 0), RQX_ERR_SYSTEM);
    ck_assert_int_eq(rmdir(folder), 0);
    rqx_cookies_unref(other);
    rqx_url_unref(url);
}
END_TEST

static Suite *client_policy_suite(void)
{
    Suite *suite = suite_create("client policy");
    TCase *cookies = rqx_add_case(suite, "cookies");
    TCase *digest = rqx_add_case(suite, "Digest");
    TCase *alloc = rqx_add_case(suite, "memory");

    tcase_add_checked_fixture(cookies, new_jar, free_jar);
    tcase_add_test(cookies, cookies_are_kept_and_sent_at_each_hop);
    tcase_add_test(cookies, a_cookie_field_of_the_request_s_own_goes_first);
    tcase_add_test(cookies, default_fields_with_secrets_stay_at_their_origin);
    tcase_add_test(cookies, without_a_jar_no_cookie_is_kept);
    tcase_add_test(cookies, a_jar_is_kept_in_a_file);
    tcase_add_test(digest, a_challenge_is_answered_once_and_remembered);
    tcase_add_test(digest, an_answer_that_is_refused_is_the_end);
    tcase_add_test(digest, a_nonce_that_aged_meanwhile_is_replaced_once);
    tcase_add_test(digest, a_body_is_sent_again_where_it_can_be);
    tcase_add_test(digest, a_body_that_cannot_be_sent_again_leaves_the_401);
    tcase_add_test(digest, integrity_covers_bytes);
    tcase_add_test(digest, another_origin_is_not_answered);
    tcase_add_test(digest, an_authorization_of_the_request_s_own_is_left_alone);
    tcase_add_loop_test(alloc, memory_for_cookies_may_run_out, 0, 2);
    tcase_add_loop_test(alloc, memory_for_answers_may_run_out, 0, 2);
    return suite;
}

RQX_CHECK_MAIN(client_policy_suite)
