/*
 * The public API from outside, over HTTP/1.1 and HTTP/2: what is set on requests and engines, what is asked of
 * responses, bodies from files and those that are decoded, 1xx responses, and what is refused in which mode and state.
 */
#include <requestx/requestx.h>

#include "http_server.h"
#include "support.h"

#define PACKED "hello hello hello"

static struct http_server server;

static void start_h1(void)
{
    server_start(&server, false);
}

static void start_h2(void)
{
    server_start(&server, true);
}

static void stop(void)
{
    server_stop(&server);
}

/* An engine, a client on it, and a request that may be changed. */
struct set {
    rqx_engine *engine;
    rqx_client *client;
    rqx_request *request;
    rqx_response *response;
};

static void open_set(struct set *set, rqx_mode mode, const char *method, const char *path)
{
    rqx_engine_options engine;
    rqx_client_options client;

    memset(set, 0, sizeof *set);
    rqx_engine_options_init(&engine);
    engine.mode = mode;
    engine.pull_events = mode == RQX_MODE_EMBEDDED;
    ck_assert_int_eq(rqx_engine_new(&engine, &set->engine), 0);
    rqx_client_options_init(&client);
    client.trust_env = 0;
    client.protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    ck_assert_int_eq(rqx_client_new(set->engine, &client, &set->client), 0);
    ck_assert_int_eq(rqx_request_new_text(method, server_url(&server, path), &set->request), 0);
}

static void perform(struct set *set, int status, const char *body)
{
    rqx_slice got = {"", 0};

    ck_assert_int_eq(rqx_client_perform(set->client, set->request, &set->response), 0);
    ck_assert_int_eq(rqx_response_status(set->response), status);
    ck_assert_int_eq(rqx_response_body(set->response, &got), 0);
    ck_assert_uint_eq(got.len, strlen(body));
    ck_assert(got.len == 0 || memcmp(got.data, body, got.len) == 0);
}

static void close_set(struct set *set)
{
    rqx_response_unref(set->response);
    rqx_request_unref(set->request);
    rqx_client_unref(set->client);
    rqx_engine_unref(set->engine);
}

static void expect_slice(rqx_slice slice, const char *text)
{
    ck_assert_uint_eq(slice.len, strlen(text));
    ck_assert(slice.len == 0 || memcmp(slice.data, text, slice.len) == 0);
}

/* ---- by itself ---- */

START_TEST(versions_are_told)
{
    const rqx_version_info *info = rqx_version();

    ck_assert_uint_eq(info->number, RQX_VERSION_NUM);
    ck_assert_str_eq(info->version, RQX_VERSION);
    ck_assert_ptr_eq(rqx_version(), info);
    ck_assert_ptr_nonnull(strstr(info->codings, "gzip"));
    ck_assert_uint_gt(strlen(info->nghttp2), 0);
    ck_assert_ptr_nonnull(strstr(info->openssl, "OpenSSL"));
    ck_assert_uint_gt(strlen(info->cares), 0);
}
END_TEST

static const unsigned char packed[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                       0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00,
                                       0x80, 0x88, 0xf9, 0xe5, 0x11, 0x00, 0x00, 0x00};

static rqx_decoder *new_decoder(const char *codings, uint64_t most)
{
    rqx_decoder *decoder = NULL;

    ck_assert_int_eq(rqx_decoder_new(codings, strlen(codings), most, 0, &decoder), 0);
    return decoder;
}

START_TEST(a_decoder_stands_alone)
{
    rqx_decoder *decoder = new_decoder("x-gzip", 0);
    rqx_slice out;
    size_t i;

    for (i = 0; i < sizeof packed; i++) {
        ck_assert_int_eq(rqx_decoder_push(decoder, packed + i, 1, &out), 0);
        if (i < 10)
            expect_slice(out, "");
    }
    ck_assert_int_eq(rqx_decoder_push(decoder, NULL, 0, &out), 0);
    expect_slice(out, "");
    ck_assert_int_eq(rqx_decoder_finish(decoder, &out), 0);
    ck_assert_str_eq(rqx_decoder_text(decoder), "");
    rqx_decoder_free(decoder);
    decoder = new_decoder("gzip", 0);
    ck_assert_int_eq(rqx_decoder_push(decoder, packed, sizeof packed, &out), 0);
    expect_slice(out, PACKED);
    rqx_decoder_free(decoder);
    rqx_decoder_free(NULL);
}
END_TEST

START_TEST(a_decoder_says_what_is_wrong)
{
    rqx_decoder *decoder = new_decoder("gzip", 5);
    rqx_slice out;

    ck_assert_int_eq(rqx_decoder_push(decoder, packed, sizeof packed, &out), RQX_ERR_DECODED_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(rqx_decoder_text(decoder), "larger than allowed"));
    ck_assert_int_eq(rqx_decoder_finish(decoder, &out), RQX_ERR_DECODED_TOO_LARGE);
    rqx_decoder_free(decoder);
    decoder = new_decoder("gzip", 0);
    ck_assert_int_eq(rqx_decoder_push(decoder, packed, 20, &out), 0);
    ck_assert_int_eq(rqx_decoder_finish(decoder, &out), RQX_ERR_DECODING);
    ck_assert_str_eq(rqx_decoder_text(decoder), "gzip: the data ends too early");
    rqx_decoder_free(decoder);
    decoder = NULL;
    ck_assert_int_eq(rqx_decoder_new("identity", 8, 0, 0, &decoder), 0);
    ck_assert_ptr_null(decoder);
    ck_assert_int_eq(rqx_decoder_new("gzip,gzip,gzip,gzip,gzip,gzip", 29, 0, 0, &decoder), RQX_ERR_DECODING);
    rqx__mem_fail_at(2, 0);
    ck_assert_int_eq(rqx_decoder_new("gzip", 4, 0, 0, &decoder), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
}
END_TEST

static void expect_refused(int rv)
{
    ck_assert_int_eq(rv, RQX_ERR_INVALID_ARGUMENT);
}

START_TEST(bad_settings_are_refused)
{
    static const rqx_socket_option too_long = {SOL_SOCKET, SO_KEEPALIVE, NULL, 1 << 20};
    rqx_engine_options engine_options;
    rqx_client_options options;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;

    rqx_engine_options_init(&engine_options);
    engine_options.mode = (rqx_mode)77;
    expect_refused(rqx_engine_new(&engine_options, &engine));
    ck_assert_int_eq(rqx_engine_new(NULL, &engine), 0);
    ck_assert_int_eq(rqx_client_new(engine, NULL, &client), 0);
    rqx_client_unref(client);
    client = NULL;
    rqx_client_options_init(&options);
    options.protocols = 0;
    expect_refused(rqx_client_new(engine, &options, &client));
    rqx_client_options_init(&options);
    options.max_window = 0;
    expect_refused(rqx_client_new(engine, &options, &client));
    rqx_client_options_init(&options);
    options.local_address = "localhost";
    expect_refused(rqx_client_new(engine, &options, &client));
    options.local_address = "::1";
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    rqx_client_unref(client);
    client = NULL;
    rqx_client_options_init(&options);
    options.socket_options = &too_long;
    options.socket_option_count = SIZE_MAX;
    ck_assert_int_lt(rqx_client_new(engine, &options, &client), 0);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(a_request_is_checked_as_it_is_made)
{
    rqx_headers *headers = NULL;
    rqx_request *request = NULL;
    char longer[300];

    memset(longer, 'a', sizeof longer);
    ck_assert_int_eq(rqx_request_new_text("OPTIONS", "http://host/path", &request), 0);
    expect_slice(rqx_request_method(request), "OPTIONS");
    expect_slice(rqx_url_text(rqx_request_url(request)), "http://host/path");
    expect_refused(rqx_request_set_server_name(request, longer, sizeof longer));
    expect_refused(rqx_request_set_server_name(request, "", 0));
    expect_refused(rqx_request_set_target(request, "a b", 3));
    expect_refused(rqx_request_set_target(request, "a\x7f", 2));
    ck_assert_int_eq(rqx_request_set_target(request, "*", 1), 0);
    ck_assert_int_eq(rqx_request_set_server_name(request, "other", 5), 0);
    expect_refused(rqx_request_set_body_callback(request, NULL, NULL, 1, NULL, NULL));
    expect_refused(rqx_request_set_body_borrowed(request, "", SIZE_MAX, NULL, NULL));
    ck_assert_int_eq(rqx_headers_new(&headers), 0);
    ck_assert_int_eq(rqx_request_set_trailers(request, headers), 0);
    ck_assert_int_eq(rqx_request_set_trailers(request, NULL), 0);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx_request_set_trailers(request, headers), RQX_ERR_NOMEM);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx_request_set_target(request, "/", 1), RQX_ERR_NOMEM);
    rqx__mem_fail_at(0, 0);
    rqx_request_set_proxy(request, NULL, 1);
    ck_assert_int_eq(rqx_request_set_body_file(request, "/nonexistent/file"), RQX_ERR_SYSTEM);
    expect_refused(rqx_request_set_body_file(request, "/"));
    rqx_headers_free(headers);
    rqx_request_unref(request);
}
END_TEST

/* ---- responses ---- */

START_TEST(a_response_tells_all_of_itself)
{
    struct set set;
    rqx_slice peer = {"", 0};
    rqx_slice local = {"", 0};
    rqx_tls_info tls;
    char address[40];

    open_set(&set, RQX_MODE_SYNC, "GET", "/ok");
    perform(&set, 200, "hello");
    expect_slice(rqx_response_reason(set.response), server.h2 ? "" : "Fine");
    ck_assert_int_eq(rqx_response_version(set.response), server.h2 ? RQX_HTTP_2 : RQX_HTTP_1_1);
    ck_assert_uint_eq(rqx_headers_count(rqx_response_headers(set.response)), server.h2 ? 0 : 1);
    ck_assert_uint_eq(rqx_headers_count(rqx_response_trailers(set.response)), 0);
    ck_assert_ptr_eq(rqx_response_request(set.response), set.request);
    ck_assert_int_eq(rqx_response_tls(set.response, &tls), RQX_ERR_STATE);
    rqx_response_addresses(set.response, &peer, &local);
    snprintf(address, sizeof address, "127.0.0.1:%d", server.port);
    expect_slice(peer, address);
    ck_assert_uint_gt(local.len, 0);
    rqx_response_addresses(set.response, NULL, NULL);
    ck_assert_ptr_eq(rqx_client_engine(set.client), set.engine);
    rqx_client_unref(rqx_client_ref(set.client));
    rqx_response_unref(rqx_response_ref(set.response));
    rqx_response_discard_body(set.response);
    expect_slice(rqx_response_raw_body(set.response), "");
    close_set(&set);
}
END_TEST

START_TEST(a_body_is_decoded_whole)
{
    struct set set;
    rqx_slice body;

    open_set(&set, RQX_MODE_SYNC, "GET", "/gzip");
    perform(&set, 200, PACKED);
    ck_assert_uint_eq(rqx_response_raw_body(set.response).len, sizeof packed);
    ck_assert_int_eq(rqx_response_body(set.response, &body), 0);
    expect_slice(body, PACKED);
    close_set(&set);
}
END_TEST

START_TEST(a_body_is_decoded_as_it_comes)
{
    struct set set;
    char text[64];
    size_t used = 0;
    size_t len = 1;
    int rv;

    open_set(&set, RQX_MODE_SYNC, "GET", "/gzip");
    rqx_request_set_streamed(set.request, 1);
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), 0);
    while (len > 0) {
        rv = rqx_response_read(set.response, text + used, 3, &len);
        used += len;
        if (rv == RQX_AGAIN) {
            len = 1;
            ck_assert_int_eq(rqx_response_wait(set.response, RQX_EVENT_BODY, 10000), 0);
        } else {
            ck_assert_int_eq(rv, 0);
        }
    }
    expect_slice((rqx_slice){text, used}, PACKED);
    ck_assert_int_eq(rqx_response_read_raw(set.response, text, 0, &len), RQX_ERR_INVALID_ARGUMENT);
    rqx_response_discard_body(set.response); /* of one that is collected alone */
    ck_assert_int_eq(rqx_response_read(set.response, text, 3, &len), 0);
    ck_assert_uint_eq(len, 0);
    close_set(&set);
}
END_TEST

START_TEST(performing_waits_for_the_head_of_a_streamed_response)
{
    static char piece[65536];
    struct set set;
    size_t total = 0;
    size_t len = 1;

    open_set(&set, RQX_MODE_SYNC, "GET", "/bytes/20000000"); /* more than any window, so that it cannot all have come */
    rqx_request_set_streamed(set.request, 1);
    ck_assert_int_eq(rqx_client_perform(set.client, set.request, &set.response), 0);
    ck_assert_int_eq(rqx_response_status(set.response), 200);
    ck_assert(!rqx_response_done(set.response));
    while (len > 0) {
        int rv = rqx_response_read_raw(set.response, piece, sizeof piece, &len);

        total += len;
        if (rv == RQX_AGAIN) {
            len = 1;
            ck_assert_int_eq(rqx_response_wait(set.response, RQX_EVENT_BODY, 10000), 0);
        } else {
            ck_assert_int_eq(rv, 0);
        }
    }
    ck_assert_uint_eq(total, 20000000);
    close_set(&set);
    open_set(&set, RQX_MODE_SYNC, "POST", "/echo"); /* who waits cannot push */
    rqx_request_set_body_push(set.request, RQX_LENGTH_UNKNOWN);
    ck_assert_int_eq(rqx_client_perform(set.client, set.request, &set.response), RQX_ERR_STATE);
    ck_assert_ptr_null(set.response);
    close_set(&set);
}
END_TEST

START_TEST(early_responses_are_kept_for_who_wants_them)
{
    struct set set;
    rqx_headers *headers = NULL;
    int status = 0;

    open_set(&set, RQX_MODE_SYNC, "GET", "/early");
    rqx_request_set_interim(set.request, 1);
    perform(&set, 200, "hello");
    ck_assert_int_eq(rqx_response_next_interim(set.response, &status, &headers), 0);
    ck_assert_int_eq(status, 103);
    expect_slice(rqx_headers_get(headers, "link", 4), "</a>");
    rqx_headers_free(headers);
    ck_assert_int_eq(rqx_response_next_interim(set.response, &status, &headers), RQX_AGAIN);
    close_set(&set);
    /* not taken, or not wanted */
    open_set(&set, RQX_MODE_SYNC, "GET", "/early");
    rqx_request_set_interim(set.request, 1);
    perform(&set, 200, "hello");
    close_set(&set);
    open_set(&set, RQX_MODE_SYNC, "GET", "/early");
    perform(&set, 200, "hello");
    ck_assert_int_eq(rqx_response_next_interim(set.response, &status, &headers), RQX_AGAIN);
    close_set(&set);
}
END_TEST

/* ---- bodies ---- */

START_TEST(a_file_is_sent)
{
    char path[] = "/tmp/requestx-api-XXXXXX";
    int fd = mkstemp(path);
    struct set set;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "from a file", 11), 11);
    close(fd);
    open_set(&set, RQX_MODE_SYNC, "POST", "/echo");
    ck_assert_int_eq(rqx_request_set_body_file(set.request, path), 0);
    ck_assert_int_eq(rqx_request_set_body_file(set.request, path), 0); /* in the place of the first */
    perform(&set, 200, "from a file");
    close_set(&set);
    unlink(path);
}
END_TEST

START_TEST(a_pushed_body_has_its_length)
{
    struct set set;
    size_t taken;
    int i;

    for (i = 0; i < 2; i++) {
        open_set(&set, RQX_MODE_SYNC, "POST", "/echo");
        rqx_request_set_body_push(set.request, 5);
        ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), 0);
        ck_assert_int_eq(rqx_response_write_body(set.response, "1234", 4, &taken), 0);
        ck_assert_uint_eq(taken, 4);
        if (i == 0)
            ck_assert_int_eq(rqx_response_end_body(set.response), RQX_ERR_REQUEST_LENGTH);
        else
            ck_assert_int_eq(rqx_response_write_body(set.response, "56", 2, &taken), RQX_ERR_REQUEST_LENGTH);
        ck_assert(rqx_response_done(set.response));
        ck_assert_int_eq(rqx_response_error(set.response)->code, RQX_ERR_REQUEST_LENGTH);
        ck_assert_int_eq(rqx_response_end_body(set.response), RQX_ERR_STATE);
        ck_assert_int_eq(rqx_response_write_body(set.response, "5", 1, &taken), RQX_ERR_STATE);
        close_set(&set);
    }
}
END_TEST

/* Nobody takes what is pushed, so that the buffer fills up. */
START_TEST(a_pushed_body_is_held_back)
{
    static const char block[100000];
    struct set set;
    size_t pushed = 0;
    size_t taken;
    int rv;

    open_set(&set, RQX_MODE_EMBEDDED, "POST", "/never");
    rqx_request_set_body_push(set.request, RQX_LENGTH_UNKNOWN);
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), 0);
    do {
        rv = rqx_response_write_body(set.response, block, sizeof block, &taken);
        pushed += taken;
    } while (rv == 0);
    ck_assert_int_eq(rv, RQX_AGAIN);
    ck_assert_uint_eq(taken, 0);
    ck_assert_uint_eq(pushed, 256 * 1024);
    rqx_response_resume_body(set.response); /* of no meaning here */
    rqx_response_cancel(set.response);
    rqx_response_resume_body(set.response);
    close_set(&set);
}
END_TEST

static int fails(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    int *calls = user;

    (void)ret_end;
    if ((*calls)++ > 0)
        return RQX_ERR_SYSTEM;
    memset(buffer, 'b', cap < 10 ? cap : 10);
    *ret_len = cap < 10 ? cap : 10;
    return 0;
}

static int gives_too_much(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)buffer, (void)ret_end, (void)user;
    *ret_len = cap + 1;
    return 0;
}

static int gives_nothing(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)buffer, (void)cap, (void)ret_len, (void)ret_end, (void)user;
    return 0;
}

/* What failed is told with the host that it was for. */
static void expect_error(const rqx_response *response, const char *text)
{
    const rqx_error *error = rqx_response_error(response);
    char host[64];

    snprintf(host, sizeof host, " to 127.0.0.1:%d: ", server.port);
    ck_assert_ptr_nonnull(strstr(error->text, host));
    ck_assert_str_eq(strstr(error->text, host) + strlen(host), text);
}

START_TEST(a_source_that_fails_fails_the_exchange)
{
    const struct {
        rqx_body_read_cb read_cb;
        const char *text;
    } cases[] = {{fails, "the callback of the request body failed"},
                 {gives_too_much, "the callback of the request body gave more than there was room for"},
                 {gives_nothing, "the callback of the request body gave neither bytes nor RQX_AGAIN nor the end"}};
    struct set set;
    int calls = 0;
    int i;

    for (i = 0; i < 3; i++) {
        open_set(&set, RQX_MODE_SYNC, "POST", "/never"); /* an answer that is quicker than the source is a success */
        ck_assert_int_eq(
            rqx_request_set_body_callback(set.request, cases[i].read_cb, NULL, RQX_LENGTH_UNKNOWN, NULL, &calls), 0);
        ck_assert_int_eq(rqx_client_perform(set.client, set.request, &set.response), RQX_ERR_BODY_SOURCE);
        ck_assert_int_eq(rqx_response_error(set.response)->phase, RQX_PHASE_BODY);
        expect_error(set.response, cases[i].text);
        close_set(&set);
    }
    ck_assert_int_eq(calls, 2);
}
END_TEST

static void set_length(struct set *set, const char *length)
{
    ck_assert_int_eq(rqx_headers_set(rqx_request_headers(set->request), "Content-Length", 14, length, strlen(length)),
                     0);
}

START_TEST(a_content_length_of_the_user_s_own_must_fit)
{
    struct set set;

    open_set(&set, RQX_MODE_SYNC, "POST", "/echo");
    ck_assert_int_eq(rqx_request_set_body(set.request, "12345", 5), 0);
    set_length(&set, "x");
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), RQX_ERR_INVALID_FIELD);
    set_length(&set, "6");
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), RQX_ERR_REQUEST_LENGTH);
    set_length(&set, "5");
    perform(&set, 200, "12345");
    close_set(&set);
}
END_TEST

/* ---- modes ---- */

static int later(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    (void)buffer, (void)cap, (void)ret_len, (void)ret_end, (void)user;
    return RQX_AGAIN;
}

static void on_event(rqx_response *response, unsigned what, void *user)
{
    (void)response, (void)what, (void)user;
}

START_TEST(each_mode_has_its_calls)
{
    struct set set;
    rqx_event event;

    open_set(&set, RQX_MODE_SYNC, "GET", "/ok");
    ck_assert_int_eq(rqx_engine_fd(set.engine), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_dispatch(set.engine), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_cork(set.engine), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_uncork(set.engine), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_collect(set.engine, 0), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_take(set.engine, &event, 1), RQX_ERR_MODE);
    close_set(&set);
    open_set(&set, RQX_MODE_EMBEDDED, "GET", "/ok");
    ck_assert_int_eq(rqx_engine_run(set.engine, 0), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_engine_collect(set.engine, 0), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_client_perform(set.client, set.request, &set.response), RQX_ERR_MODE);
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), 0);
    ck_assert_int_eq(rqx_response_wait(set.response, RQX_EVENT_DONE, 0), RQX_ERR_MODE);
    rqx_response_cancel(set.response);
    rqx_response_unref(set.response);
    set.response = NULL;
    rqx_request_set_callback(set.request, on_event); /* beside events that are pulled */
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), RQX_ERR_MODE);
    close_set(&set);
}
END_TEST

START_TEST(what_has_not_come_cannot_be_read)
{
    struct set set;
    rqx_slice body;
    char text[8];
    size_t len;

    open_set(&set, RQX_MODE_SYNC, "POST", "/never");
    ck_assert_int_eq(rqx_request_set_body_callback(set.request, later, NULL, RQX_LENGTH_UNKNOWN, NULL, NULL), 0);
    ck_assert_int_eq(rqx_client_submit(set.client, set.request, NULL, &set.response), 0);
    ck_assert_int_eq(rqx_response_body(set.response, &body), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_read(set.response, text, 8, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_read_raw(set.response, text, 8, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_write_body(set.response, "x", 1, &len), RQX_ERR_STATE);
    ck_assert_int_eq(rqx_response_wait(set.response, RQX_EVENT_DONE, 5), RQX_AGAIN);
    rqx_response_resume_body(set.response);
    ck_assert_int_eq(rqx_response_wait(set.response, RQX_EVENT_DONE, 5), RQX_AGAIN);
    rqx_response_close(set.response); /* without a head it is as good as cancelled */
    ck_assert_int_eq(rqx_response_error(set.response)->code, RQX_ERR_CANCELLED);
    expect_error(set.response, "cancelled");
    close_set(&set);
}
END_TEST

/* ---- environment and resolver ---- */

START_TEST(the_environment_s_proxy_is_used)
{
    rqx_client_options options;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    char proxy[64];

    snprintf(proxy, sizeof proxy, "127.0.0.1:%d", server.port);
    ck_assert_int_eq(setenv("http_proxy", proxy, 1), 0);
    ck_assert_int_eq(setenv("no_proxy", "direct.invalid", 1), 0);
    ck_assert_int_eq(rqx_engine_new(NULL, &engine), 0);
    rqx_client_options_init(&options);
    options.protocols = RQX_PROTO_HTTP1;
    ck_assert_int_eq(rqx_client_new(engine, &options, &client), 0);
    ck_assert_int_eq(setenv("http_proxy", "://", 1), 0);
    ck_assert_int_lt(rqx_client_new(engine, &options, &(rqx_client *){NULL}), 0);
    unsetenv("http_proxy");
    unsetenv("no_proxy");
    ck_assert_int_eq(rqx_request_new_text("GET", "http://somewhere.invalid/ok", &request), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    rqx_response_unref(response);
    rqx_request_unref(request);
    ck_assert_int_eq(rqx_request_new_text("GET", "http://direct.invalid/ok", &request), 0);
    ck_assert_int_lt(rqx_client_perform(client, request, &response), 0);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

START_TEST(an_engine_may_be_told_where_hosts_are)
{
    static const char *const resolve[] = {"told.example=127.0.0.1", "other.example=::1,127.0.0.1", NULL};
    rqx_engine_options options;
    rqx_client_options client_options;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    char url[64];
    unsigned long n;

    rqx_engine_options_init(&options);
    options.resolve = resolve;
    options.nameservers = "127.0.0.1:9";
    for (n = 1; n < 30 && engine == NULL; n++) {
        rqx__mem_fail_at(n, 0);
        if (rqx_engine_new(&options, &engine) < 0)
            engine = NULL;
    }
    rqx__mem_fail_at(0, 0);
    ck_assert_ptr_nonnull(engine);
    ck_assert_uint_gt(n, 5);
    rqx_client_options_init(&client_options);
    client_options.trust_env = 0;
    client_options.protocols = server.h2 ? RQX_PROTO_HTTP2 : RQX_PROTO_HTTP1;
    ck_assert_int_eq(rqx_client_new(engine, &client_options, &client), 0);
    snprintf(url, sizeof url, "http://told.example:%d/ok", server.port);
    ck_assert_int_eq(rqx_request_new_text("GET", url, &request), 0);
    ck_assert_int_eq(rqx_client_perform(client, request, &response), 0);
    ck_assert_int_eq(rqx_response_status(response), 200);
    rqx_response_unref(response);
    rqx_request_unref(request);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
}
END_TEST

static Suite *api_suite(void)
{
    const TTest *const tests[] = {
        a_response_tells_all_of_itself,
        a_body_is_decoded_whole,
        a_body_is_decoded_as_it_comes,
        performing_waits_for_the_head_of_a_streamed_response,
        early_responses_are_kept_for_who_wants_them,
        a_file_is_sent,
        a_pushed_body_has_its_length,
        a_pushed_body_is_held_back,
        a_source_that_fails_fails_the_exchange,
        a_content_length_of_the_user_s_own_must_fit,
        each_mode_has_its_calls,
        what_has_not_come_cannot_be_read,
        an_engine_may_be_told_where_hosts_are,
    };
    Suite *suite = suite_create("api");
    TCase *alone = rqx_add_case(suite, "alone");
    TCase *h1 = rqx_add_case(suite, "over HTTP/1.1");
    TCase *h2 = rqx_add_case(suite, "over HTTP/2");

    tcase_add_test(alone, versions_are_told);
    tcase_add_test(alone, a_decoder_stands_alone);
    tcase_add_test(alone, a_decoder_says_what_is_wrong);
    tcase_add_test(alone, bad_settings_are_refused);
    tcase_add_test(alone, a_request_is_checked_as_it_is_made);
    add_tests(h1, tests, sizeof tests / sizeof tests[0], start_h1, stop);
    add_tests(h2, tests, sizeof tests / sizeof tests[0], start_h2, stop);
    tcase_add_test(h1, the_environment_s_proxy_is_used);
    return suite;
}

RQX_CHECK_MAIN(api_suite)
