/*
 * blocking.c - the shortest program: ask for a URL, wait, print the body.
 *
 *     blocking URL [CA-FILE]
 *
 * The engine is driven by the thread that waits (RQX_MODE_SYNC).
 */
#include <stdio.h>

#include <requestx/requestx.h>

static int print_response(rqx_response *response)
{
    rqx_slice body;
    int rv = rqx_response_body(response, &body);

    if (rv < 0) {
        fprintf(stderr, "body: %s\n", rqx_error_text(rv));
        return 1;
    }
    fprintf(stderr, "status %d over HTTP/%s, %zu bytes\n", rqx_response_status(response),
            rqx_response_version(response) == RQX_HTTP_2 ? "2" : "1.1", body.len);
    fwrite(body.data, 1, body.len, stdout);
    return rqx_response_status(response) < 400 ? 0 : 1;
}

static int ask(rqx_client *client, const char *url)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    int failed = 1;
    int rv = rqx_request_new_text("GET", url, &request);

    if (rv < 0) {
        fprintf(stderr, "%s: %s\n", url, rqx_error_text(rv));
        return 1;
    }
    rv = rqx_client_perform(client, request, &response);
    if (rv == 0)
        failed = print_response(response);
    else if (response != NULL)
        fprintf(stderr, "%s\n", rqx_response_error(response)->text);
    else
        fprintf(stderr, "%s: %s\n", url, rqx_error_text(rv));
    rqx_response_unref(response);
    rqx_request_unref(request);
    return failed;
}

int main(int argc, char **argv)
{
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_client_options options;
    rqx_tls_options tls_options;
    int failed = 1;

    if (argc < 2) {
        fprintf(stderr, "usage: %s URL [CA-FILE]\n", argv[0]);
        return 2;
    }
    rqx_tls_options_init(&tls_options);
    tls_options.ca_file = argc > 2 ? argv[2] : NULL;
    rqx_client_options_init(&options);
    options.max_redirects = 10;
    if (rqx_tls_new(&tls_options, &options.tls) == 0 && rqx_engine_new(NULL, &engine) == 0 &&
        rqx_client_new(engine, &options, &client) == 0)
        failed = ask(client, argv[1]);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    rqx_tls_unref(options.tls);
    return failed;
}
