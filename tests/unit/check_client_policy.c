/*
 * What a client adds to an exchange by itself: cookies at each hop, answers to challenges, forms, netrc.
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
    script_begin(&server, answers, &options);
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
    char head[8192];
    char start[64];
    const char *found;

    ck_assert_int_lt(index, server.count);
    snprintf(head, sizeof head, "%.*s", (int)(strstr(server.requests[index], "\r\n\r\n") + 2 - server.requests[index]),
             server.requests[index]);
    snprintf(start, sizeof start, "\r\n%s: ", name);
    found = strcasestr(head, start);
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
    static const char *const answers[] = {
        DENIED("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\""),
        ANSWER(""),
        ANSWER(""),
        NULL,
    };
    static char large[1024 * 1024 + 1];
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
    /* hashing more would keep others waiting */
    ck_assert_int_eq(rqx_request_set_body(request, large, sizeof large), 0);
    ck_assert_int_eq(exchange(request, &status), 0);
    ck_assert_str_eq(line_of(2, "Authorization"), "");
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

/* ---- forms ---- */

static void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

/* A request with a field and the file at |path| in a form. */
static rqx_request *form_request(const char *path)
{
    const rqx_file_info info = {.name = {"file", 4}};
    rqx_multipart *form = NULL;
    rqx_request *request = NULL;

    ck_assert_int_eq(rqx_multipart_new(&form), 0);
    ck_assert_int_eq(rqx_multipart_add_field(form, "field", 5, "value", 5), 0);
    ck_assert_int_eq(rqx_multipart_add_file(form, &info, path), 0);
    ck_assert_int_eq(rqx_request_new_text("POST", "http://a.com/", &request), 0);
    ck_assert_int_eq(rqx_headers_add(rqx_request_headers(request), "content-type", 12, "old", 3), 0);
    ck_assert_int_eq(rqx_request_set_multipart(request, form), 0);
    return request;
}

START_TEST(a_form_is_sent_and_sent_again)
{
    static const char *const answers[] = {DENIED(CHALLENGE("one")), ANSWER(""), NULL};
    static char file[] = "/tmp/rqx_form.XXXXXX";
    rqx_auth *auth = digest_auth();
    rqx_request *request;
    const char *boundary;
    char want[512];
    int status = 0;
    int i;

    close(mkstemp(file));
    write_text(file, "content of the file", 0600);
    request = form_request(file);
    begin(answers);
    options.auth = auth;
    ck_assert_int_eq(exchange(request, &status), 0);
    ck_assert_int_eq(status, 200);
    for (i = 0; i < 2; i++) {
        boundary = line_of(i, "Content-Type");
        ck_assert_int_eq(strncmp(boundary, "multipart/form-data; boundary=", 30), 0);
        snprintf(want, sizeof want,
                 "\r\n\r\n--%s\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue\r\n--%s\r\n"
                 "Content-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\n"
                 "Content-Type: application/octet-stream\r\n\r\ncontent of the file\r\n--%s--\r\n",
                 boundary + 30, boundary + 30, file + 5, boundary + 30);
        ck_assert_ptr_nonnull(strstr(server.requests[i], want));
        ck_assert_int_eq(atoi(line_of(i, "Content-Length")), (int)strlen(want) - 4);
    }
    rqx_request_unref(request);
    rqx_auth_unref(auth);
    script_stop(&server);
    unlink(file);
}
END_TEST

START_TEST(a_file_that_shrank_is_an_error)
{
    static const char *const answers[] = {ANSWER(""), NULL};
    static char file[] = "/tmp/rqx_form.XXXXXX";
    rqx_request *request;
    int status = 0;

    close(mkstemp(file));
    write_text(file, "content of the file", 0600);
    request = form_request(file);
    ck_assert_int_eq(truncate(file, 5), 0);
    begin(answers);
    ck_assert_int_eq(exchange(request, &status), RQX_ERR_BODY_SOURCE);
    rqx_request_unref(request);
    script_stop(&server);
    unlink(file);
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    const rqx_file_info info = {.name = {"file", 4}, .content_type = {"\n", 1}};
    const rqx_file_info good = {.name = {"file", 4}};
    rqx_multipart *form = NULL;
    rqx_request *request = NULL;

    ck_assert_int_eq(rqx_multipart_new(&form), 0);
    ck_assert_int_eq(rqx_multipart_add_file(form, &good, "/nonexistent/file"), RQX_ERR_SYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(rqx_multipart_add_file(form, &good, "/tmp"), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_add_file(form, &info, "/etc/passwd"), RQX_ERR_INVALID_FIELD);
    /* a form that a request refused is the caller's still */
    ck_assert_int_eq(rqx_multipart_add_field(form, "a", 1, "Own", 3), 0);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, "Own", 3), 0);
    ck_assert_int_eq(rqx_request_new_text("POST", "http://a.com/", &request), 0);
    ck_assert_int_eq(rqx_request_set_multipart(request, form), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(rqx_multipart_set_boundary(form, "Other", 5), 0);
    ck_assert_int_eq(rqx_request_set_multipart(request, form), 0);
    rqx_request_unref(request);
}
END_TEST

static int send_form(const char *path)
{
    const rqx_file_info info = {.name = {"file", 4}};
    rqx_multipart *form = NULL;
    rqx_request *request = NULL;
    int status = 0;
    int rv = rqx_multipart_new(&form);

    if (rv >= 0)
        rv = rqx_multipart_add_file(form, &info, path);
    if (rv >= 0)
        rv = rqx_request_new_text("POST", "http://a.com/", &request);
    if (rv >= 0)
        rv = rqx_request_set_multipart(request, form);
    if (rv >= 0) {
        form = NULL;
        rv = exchange(request, &status);
    }
    rqx_multipart_free(form);
    rqx_request_unref(request);
    return rv < 0 ? rv : status;
}

START_TEST(memory_for_a_form_may_run_out)
{
    static const char *const answers[] = {ANSWER(""), NULL};
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        begin(answers);
        rqx__mem_fail_at(n, _i);
        rv = send_form("/etc/passwd");
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
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

/* ---- netrc ---- */

static char netrc_file[64];

static void new_netrc(void)
{
    snprintf(netrc_file, sizeof netrc_file, "/tmp/rqx_netrc.XXXXXX");
    close(mkstemp(netrc_file));
    write_text(netrc_file, "machine a.com login me password secret\n", 0600);
}

static void remove_netrc(void)
{
    unlink(netrc_file);
}

#define MINE "Basic bWU6c2VjcmV0"

START_TEST(a_netrc_file_says_who_it_is)
{
    static const char *const answers[] = {
        ANSWER(""),
        ANSWER(""),
        REDIRECT("", "http://a.com/"),
        ANSWER(""),
        REDIRECT("", "/again"),
        ANSWER(""),
        ANSWER(""),
        ANSWER(""),
        NULL,
    };
    rqx_headers *headers = NULL;
    rqx_request *request = NULL;
    int status = 0;

    begin(answers);
    options.netrc = netrc_file;
    ck_assert_int_eq(get("http://A.com:81/", NULL), 200);
    ck_assert_int_eq(get("http://b.com/", NULL), 200);
    /* for the first origin alone, as all credentials */
    ck_assert_int_eq(get("http://b.com/", NULL), 200);
    ck_assert_int_eq(get("http://a.com/", NULL), 200);
    ck_assert_str_eq(line_of(0, "Authorization"), MINE);
    ck_assert_str_eq(line_of(1, "Authorization"), "");
    ck_assert_str_eq(line_of(3, "Authorization"), "");
    ck_assert_str_eq(line_of(4, "Authorization"), MINE);
    ck_assert_str_eq(line_of(5, "Authorization"), MINE);
    /* whatever else says it wins */
    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    ck_assert_int_eq(rqx_headers_add(headers, "Authorization", 13, "Default", 7), 0);
    options.headers = headers;
    ck_assert_int_eq(get("http://a.com/", NULL), 200);
    ck_assert_str_eq(line_of(6, "Authorization"), "Default");
    options.headers = NULL;
    ck_assert_int_eq(rqx_request_new_text("GET", "http://a.com/", &request), 0);
    rqx_request_set_auth(request, NULL, 1);
    ck_assert_int_eq(exchange(request, &status), 0);
    ck_assert_str_eq(line_of(7, "Authorization"), "");
    rqx_request_unref(request);
    rqx_headers_free(headers);
    script_stop(&server);
}
END_TEST

static int make_client(const char *path)
{
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    int rv;

    ck_assert_int_eq(rqx_engine_new(NULL, &engine), 0);
    rqx_client_options_init(&options);
    options.netrc = path;
    rv = rqx_client_new(engine, &options, &client);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    return rv;
}

START_TEST(a_netrc_file_must_be_fit_for_secrets)
{
    ck_assert_int_eq(make_client(netrc_file), 0);
    ck_assert_int_eq(chmod(netrc_file, 0644), 0);
    ck_assert_int_eq(make_client(netrc_file), 0); /* the user named it */
    ck_assert_int_eq(setenv("NETRC", netrc_file, 1), 0);
    ck_assert_int_eq(make_client(""), RQX_ERR_SYSTEM);
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(chmod(netrc_file, 0620), 0);
    ck_assert_int_eq(make_client(netrc_file), RQX_ERR_SYSTEM);
    ck_assert_int_eq(chmod(netrc_file, 0600), 0);
    ck_assert_int_eq(make_client(""), 0);
    ck_assert_int_eq(make_client("/tmp"), RQX_ERR_SYSTEM);
    ck_assert_int_eq(make_client("/nonexistent/netrc"), RQX_ERR_SYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    /* its own file need not be there */
    ck_assert_int_eq(setenv("NETRC", "/nonexistent/netrc", 1), 0);
    ck_assert_int_eq(make_client(""), 0);
    ck_assert_int_eq(unsetenv("NETRC"), 0);
    ck_assert_int_eq(setenv("HOME", "/nonexistent", 1), 0);
    ck_assert_int_eq(make_client(""), 0);
    ck_assert_int_eq(unsetenv("HOME"), 0);
    ck_assert_int_eq(make_client(""), 0);
    write_text(netrc_file, "machine", 0600);
    ck_assert_int_eq(make_client(netrc_file), RQX_ERR_INVALID_ARGUMENT);
    ck_assert_int_eq(truncate(netrc_file, 1024 * 1024 + 1), 0);
    ck_assert_int_eq(make_client(netrc_file), RQX_ERR_INVALID_ARGUMENT);
}
END_TEST

START_TEST(memory_for_a_netrc_file_may_run_out)
{
    unsigned long n;
    unsigned long count;
    int rv;

    for (n = 1;; n++) {
        rqx_engine *engine = NULL;
        rqx_client *client = NULL;

        ck_assert_int_eq(rqx_engine_new(NULL, &engine), 0);
        rqx_client_options_init(&options);
        options.netrc = netrc_file;
        rqx__mem_fail_at(n, _i);
        rv = rqx_client_new(engine, &options, &client);
        count = rqx__mem_count();
        rqx__mem_fail_at(0, 0);
        rqx_client_unref(client);
        rqx_engine_unref(engine);
        if (count < n)
            break;
        ck_assert_int_eq(rv, RQX_ERR_NOMEM);
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_uint_gt(n, 5);
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
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx_cookies_save_file(jar, path, 1, 0), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
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
    TCase *form = rqx_add_case(suite, "forms");
    TCase *netrc = rqx_add_case(suite, "netrc");
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
    tcase_add_loop_test(alloc, memory_for_a_form_may_run_out, 0, 2);
    tcase_add_test(form, a_form_is_sent_and_sent_again);
    tcase_add_test(form, a_file_that_shrank_is_an_error);
    tcase_add_test(form, what_is_no_file_is_refused);
    tcase_add_checked_fixture(netrc, new_netrc, remove_netrc);
    tcase_add_test(netrc, a_netrc_file_says_who_it_is);
    tcase_add_test(netrc, a_netrc_file_must_be_fit_for_secrets);
    tcase_add_loop_test(netrc, memory_for_a_netrc_file_may_run_out, 0, 2);
    return suite;
}

RQX_CHECK_MAIN(client_policy_suite)
