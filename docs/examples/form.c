/*
 * form.c - sends a form with a field and a file, and prints the answer.
 *
 *     form URL CA-FILE FILE
 */
#include <stdio.h>
#include <string.h>

#include <requestx/requestx.h>

/* [form] */
static int set_form(rqx_request *request, const char *path)
{
    const rqx_file_info info = {.name = {"document", strlen("document")}, .content_type = {"text/plain", 10}};
    rqx_multipart *form = NULL;
    int rv = rqx_multipart_new(&form);

    if (rv == 0)
        rv = rqx_multipart_add_field(form, "title", strlen("title"), "notes", strlen("notes"));
    if (rv == 0)
        rv = rqx_multipart_add_file(form, &info, path);
    if (rv == 0)
        rv = rqx_request_set_multipart(request, form);
    if (rv < 0)
        rqx_multipart_free(form); /* else it is the request's */
    return rv;
}
/* [end] */

static int run(rqx_client *client, const char *url, const char *path)
{
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    rqx_slice body;
    int rv = rqx_request_new_text("POST", url, &request);

    if (rv == 0)
        rv = set_form(request, path);
    if (rv == 0)
        rv = rqx_client_perform(client, request, &response);
    if (rv == 0)
        rv = rqx_response_body(response, &body);
    if (rv == 0)
        printf("status %d\n%.*s", rqx_response_status(response), (int)body.len, body.data);
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
    rqx_client_options options;
    rqx_tls_options tls_options;
    int failed = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: %s URL CA-FILE FILE\n", argv[0]);
        return 2;
    }
    rqx_tls_options_init(&tls_options);
    tls_options.ca_file = argv[2];
    rqx_client_options_init(&options);
    if (rqx_tls_new(&tls_options, &options.tls) == 0 && rqx_engine_new(NULL, &engine) == 0 &&
        rqx_client_new(engine, &options, &client) == 0)
        failed = run(client, argv[1], argv[3]);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    rqx_tls_unref(options.tls);
    return failed;
}
