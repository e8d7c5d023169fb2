/*
 * threads.c - many threads share one client; their requests share one connection.
 *
 *     threads URL CA-FILE [THREADS [REQUESTS-EACH]]
 *
 * No thread is special: whoever waits polls for all, and the others sleep until their own response is there.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <requestx/requestx.h>

#define MOST_THREADS 256

struct job {
    rqx_client *client;
    rqx_request *request; /* shared: a request is read only once submitted */
    int count;
    int good;
    unsigned long long connections; /* bit n - 1: connection n was used */
};

static void *work(void *user)
{
    struct job *job = user;
    int i;

    for (i = 0; i < job->count; i++) {
        rqx_response *response = NULL;

        if (rqx_client_perform(job->client, job->request, &response) == 0 && rqx_response_status(response) == 200) {
            job->good++;
            job->connections |= 1ull << ((rqx_response_connection_id(response) - 1) & 63);
        } else if (response != NULL) {
            fprintf(stderr, "%s\n", rqx_response_error(response)->text);
        }
        rqx_response_unref(response);
    }
    return NULL;
}

static int run(rqx_client *client, const char *url, int threads, int each)
{
    static struct job jobs[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    rqx_request *request = NULL;
    unsigned long long connections = 0;
    int good = 0;
    int i;

    if (rqx_request_new_text("GET", url, &request) != 0)
        return 1;
    for (i = 0; i < threads; i++) {
        jobs[i] = (struct job){.client = client, .request = request, .count = each};
        if (pthread_create(&ids[i], NULL, work, &jobs[i]) != 0)
            abort();
    }
    for (i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        good += jobs[i].good;
        connections |= jobs[i].connections;
    }
    rqx_request_unref(request);
    printf("%d of %d requests by %d threads over %d connection(s)\n", good, threads * each, threads,
           __builtin_popcountll(connections));
    return good == threads * each ? 0 : 1;
}

int main(int argc, char **argv)
{
    int threads = argc > 3 ? atoi(argv[3]) : 8;
    int each = argc > 4 ? atoi(argv[4]) : 100;
    rqx_engine *engine = NULL;
    rqx_client *client = NULL;
    rqx_client_options options;
    rqx_tls_options tls_options;
    int failed = 1;

    if (argc < 3 || threads < 1 || threads > MOST_THREADS || each < 1) {
        fprintf(stderr, "usage: %s URL CA-FILE [THREADS [REQUESTS-EACH]]\n", argv[0]);
        return 2;
    }
    rqx_tls_options_init(&tls_options);
    tls_options.ca_file = argv[2];
    rqx_client_options_init(&options);
    if (rqx_tls_new(&tls_options, &options.tls) == 0 && rqx_engine_new(NULL, &engine) == 0 &&
        rqx_client_new(engine, &options, &client) == 0)
        failed = run(client, argv[1], threads, each);
    rqx_client_unref(client);
    rqx_engine_unref(engine);
    rqx_tls_unref(options.tls);
    return failed;
}
