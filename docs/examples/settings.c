/*
 * settings.c - deadlines, a proxy, credentials, cookies and a field for every request; and what is known of a failure.
 *
 *     settings URL CA-FILE [PROXY-URL [SECONDS [COOKIE-FILE]]]
 *
 * An empty PROXY-URL is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <requestx/requestx.h>

/* [deadlines] */
static void set_deadlines(rqx_client_options *options, int64_t total_ms)
{
    options->timeouts.connect_ms = 3000;
    options->timeouts.read_ms = 10000;
    options->timeouts.pool_ms = RQX_NO_TIMEOUT;
    options->timeouts.total_ms = total_ms;
}
/* [end] */

/* [proxy] */
static int set_proxy(rqx_client_options *options, const char *text)
{
    rqx_proxy_options settings;
    rqx_url *url = NULL;
    int rv = rqx_url_parse(text, strlen(text), NULL, &url);

    rqx_proxy_options_init(&settings);
    settings.user = "proxy-user";
    settings.password = "proxy-pass";
    if (rv == 0)
        rv = rqx_proxy_new(url, &settings, &options->proxy);
    rqx_url_unref(url);
    return rv;
}
/* [end] */

/* [defaults] */
static int set_defaults(rqx_client_options *options, rqx_headers *fields)
{
    int rv = rqx_auth_bearer("api-token", strlen("api-token"), &options->auth);

    if (rv == 0)
        rv = rqx_headers_add(fields, "User-Agent", strlen("User-Agent"), "example/1.0", strlen("example/1.0"));
    options->headers = fields;
    return rv;
}
/* [end] */

/* [cookies] */
static int open_jar(rqx_client_options *options, const char *path)
{
    int rv = rqx_cookies_new(&options->cookies);

    if (rv == 0)
        rv = rqx_cookies_load_file(options->cookies, path, time(NULL));
    return rv == RQX_ERR_SYSTEM ? 0 : rv; /* no such file yet */
}

static int close_jar(rqx_client_options *options, const char *path)
{
    int rv = rqx_cookies_save_file(options->cookies, path, 1, time(NULL));

    rqx_cookies_unref(options->cookies);
    return rv;
}
/* [end] */

/* [failure] */
static void tell_failure(const rqx_error *error)
{
    fprintf(stderr, "%s: %s\n", rqx_error_name(error->code), error->text);
    if (error->phase == RQX_PHASE_TIMEOUT)
        fprintf(stderr, "it may work with more time\n");
    else if (error->code == RQX_ERR_TLS_CERTIFICATE)
        fprintf(stderr, "OpenSSL's code of the check that failed: %ld\n", error->tls_verify);
    else if (error->phase == RQX_PHASE_CONNECT || error->phase == RQX_PHASE_PROXY)
        fprintf(stderr, "the system says: %s\n", error->sys_errno == 0 ? "nothing" : strerror(error->sys_errno));
}
/* [end] */

static int ask(rqx_client *client, const char *url)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    int rv = rqx_request_new_text("GET", url, &request);

    if (rv == 0)
        rv = rqx_client_perform(client, request, &response);
    if (rv == 0)
        printf("status %d\n", rqx_response_status(response));
    else if (response != NULL)
        tell_failure(rqx_response_error(response));
    else
        fprintf(stderr, "%s: %s\n", rqx_error_name(rv), rqx_error_text(rv));
    rqx_response_unref(response);
    rqx_request_unref(request);
    return rv == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_headers *fields = NULL;
    rqx_client_options options;
    rqx_tls_options tls_options;
    int failed = 1;

    if (argc < 3) {
        fprintf(stderr, "usage: %s URL CA-FILE [PROXY-URL [SECONDS [COOKIE-FILE]]]\n", argv[0]);
        return 2;
    }
    rqx_tls_options_init(&tls_options);
    tls_options.ca_file = argv[2];
    rqx_client_options_init(&options);
    set_deadlines(&options, argc > 4 ? atoll(argv[4]) * 1000 : 30000);
    if ((argc < 4 || argv[3][0] == '\0' || set_proxy(&options, argv[3]) == 0) &&
        (argc < 6 || open_jar(&options, argv[5]) >= 0) && rqx_headers_new(&fields) == 0 &&
        set_defaults(&options, fields) == 0 && rqx_tls_new(&tls_options, &options.tls) == 0 &&
        rqx_engine_new(NULL, &engine) == 0 && rqx_client_new(engine, &options, &client) == 0)
        failed = ask(client, argv[1]);
    if (options.cookies != NULL && close_jar(&options, argv[5]) < 0)
        failed = 1;
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    rqx_headers_free(fields);
    rqx_auth_unref(options.auth);
    rqx_proxy_unref(options.proxy);
    rqx_tls_unref(options.tls);
    return failed;
}
