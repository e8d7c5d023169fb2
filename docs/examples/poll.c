/*
 * poll.c - the client in somebody else's loop: one descriptor, watched by poll().
 *
 *     poll URL CA-FILE [REQUESTS]
 *
 * All requests are in flight at once.  The loop knows nothing of sockets, names or deadlines: it waits until the
 * engine's descriptor is readable and calls one function, which calls back for each response (RQX_MODE_EMBEDDED).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <requestx/requestx.h>

struct progress {
    int left;
    int good;
};

static void on_event(rqx_response *response, unsigned what, void *user)
{
    struct progress *progress = user;

    if ((what & RQX_EVENT_DONE) == 0)
        return;
    progress->left--;
    if (rqx_response_error(response)->code != 0)
        fprintf(stderr, "%s\n", rqx_response_error(response)->text);
    else if (rqx_response_status(response) == 200)
        progress->good++;
    rqx_response_unref(response);
}

static int watch(rqx_engine *engine, struct progress *progress)
{
    struct pollfd watched = {.fd = rqx_engine_fd(engine), .events = POLLIN};

    while (progress->left > 0) {
        if (poll(&watched, 1, -1) < 0 && errno != EINTR)
            return -1;
        if (rqx_engine_dispatch(engine) < 0)
            return -1;
    }
    return 0;
}

static int run(rqx_engine *engine, rqx_client *client, const char *url, int count)
{
    struct progress progress = {.left = 0};
    rqx_request *request = NULL;
    rqx_response *response;
    int i;

    if (rqx_request_new_text("GET", url, &request) != 0)
        return 1;
    rqx_request_set_callback(request, on_event);
    rqx_engine_cork(engine); /* one write for all */
    for (i = 0; i < count; i++) {
        if (rqx_client_submit(client, request, &progress, &response) == 0)
            progress.left++;
    }
    rqx_engine_uncork(engine);
    rqx_request_unref(request);
    if (watch(engine, &progress) < 0)
        return 1;
    printf("%d of %d requests through one descriptor\n", progress.good, count);
    return progress.good == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    int count = argc > 3 ? atoi(argv[3]) : 1000;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_engine_options engine_options;
    rqx_client_options options;
    rqx_tls_options tls_options;
    int failed = 1;

    if (argc < 3 || count < 1) {
        fprintf(stderr, "usage: %s URL CA-FILE [REQUESTS]\n", argv[0]);
        return 2;
    }
    rqx_engine_options_init(&engine_options);
    engine_options.mode = RQX_MODE_EMBEDDED;
    rqx_tls_options_init(&tls_options);
    tls_options.ca_file = argv[2];
    rqx_client_options_init(&options);
    options.timeouts.pool_ms = RQX_NO_TIMEOUT; /* they queue for a stream as long as it takes */
    if (rqx_tls_new(&tls_options, &options.tls) == 0 && rqx_engine_new(&engine_options, &engine) == 0 &&
        rqx_client_new(engine, &options, &client) == 0)
        failed = run(engine, client, argv[1], count);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    rqx_tls_unref(options.tls);
    return failed;
}
