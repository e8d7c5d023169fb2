/*
 * bodies.c - bodies both ways, in pieces: sends bytes that are made as they are needed, and reads the answer as it
 * comes.
 *
 *     bodies URL CA-FILE [BYTES]
 *
 * The server is one that sends back what it is sent.  However many bytes there are, memory stays the same: what is not
 * read is not sent by the peer, and what the peer does not take is not asked of the callback.
 */
#include <stdio.h>
#include <stdlib.h>

#include <requestx/requestx.h>

struct source {
    int64_t length;
    int64_t given;
};

static char byte_at(int64_t position)
{
    return (char)('a' + position % 26);
}

/* [source] */
static int give(char *buffer, size_t cap, size_t *ret_len, int *ret_end, void *user)
{
    struct source *source = user;
    size_t len = 0;

    while (len < cap && source->given < source->length)
        buffer[len++] = byte_at(source->given++);
    *ret_len = len;
    *ret_end = source->given == source->length;
    return 0;
}

static int rewind_source(void *user)
{
    struct source *source = user;

    source->given = 0;
    return 0;
}
/* [end] */

static int is_echo(const char *data, size_t len, int64_t position)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] != byte_at(position + (int64_t)i))
            return 0;
    }
    return 1;
}

/* [read] */
static int64_t read_all(rqx_response *response)
{
    char buffer[16384];
    int64_t total = 0;

    for (;;) {
        size_t len;
        int rv = rqx_response_read(response, buffer, sizeof buffer, &len);

        if (rv == RQX_AGAIN)
            rv = rqx_response_wait(response, RQX_EVENT_BODY, RQX_NO_TIMEOUT);
        else if (rv == 0 && len == 0)
            return total;
        else if (rv == 0 && !is_echo(buffer, len, total))
            return -1;
        else if (rv == 0)
            total += (int64_t)len;
        if (rv < 0)
            return -1;
    }
}
/* [end] */

static int run(rqx_client *client, const char *url, int64_t length)
{
    struct source source = {.length = length};
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    int64_t total = -1;

    /* [submit] */
    if (rqx_request_new_text("POST", url, &request) == 0 &&
        rqx_request_set_body_callback(request, give, rewind_source, length, NULL, &source) == 0) {
        rqx_request_set_streamed(request, 1);
        if (rqx_client_submit(client, request, NULL, &response) == 0 &&
            rqx_response_wait(response, RQX_EVENT_HEAD, RQX_NO_TIMEOUT) == 0) {
            printf("status %d\n", rqx_response_status(response));
            total = read_all(response);
        }
    }
    /* [end] */
    if (response != NULL && rqx_response_error(response)->code != 0)
        fprintf(stderr, "%s\n", rqx_response_error(response)->text);
    rqx_response_unref(response);
    rqx_request_unref(request);
    printf("%lld of %lld bytes came back\n", (long long)total, (long long)length);
    return total == length ? 0 : 1;
}

int main(int argc, char **argv)
{
    int64_t length = argc > 3 ? atoll(argv[3]) : 1000000;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_client_options options;
    rqx_tls_options tls_options;
    int failed = 1;

    if (argc < 3 || length < 0) {
        fprintf(stderr, "usage: %s URL CA-FILE [BYTES]\n", argv[0]);
        return 2;
    }
    rqx_tls_options_init(&tls_options);
    tls_options.ca_file = argv[2];
    rqx_client_options_init(&options);
    if (rqx_tls_new(&tls_options, &options.tls) == 0 && rqx_engine_new(NULL, &engine) == 0 &&
        rqx_client_new(engine, &options, &client) == 0)
        failed = run(client, argv[1], length);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    rqx_tls_unref(options.tls);
    return failed;
}
