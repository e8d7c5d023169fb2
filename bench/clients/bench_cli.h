/* What every C client of the scorecard shares: the command line, the clock and the result line.
 * It knows nothing of any HTTP library.
 */
#ifndef BENCH_CLI_H
#define BENCH_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum bench_kind {
    BENCH_GET,
    BENCH_POST,
    BENCH_DOWNLOAD,
    BENCH_UPLOAD,
};

struct bench_job {
    const char *url;
    const char *warm_url; /* a small GET to open the connections with; |url| unless given */
    const char *ca;       /* PEM file to trust */
    const char *upload;   /* file to send, for BENCH_UPLOAD */
    const char *mode;     /* for clients that have several; may be NULL */
    enum bench_kind kind;
    bool http1;
    long requests;
    long concurrency;
    long warmup;
    char *body;       /* for BENCH_POST; NUL-terminated JSON */
    size_t body_size; /* without the NUL */
};

struct bench_result {
    long requests;
    long errors;
    long long bytes; /* of bodies, in the direction that matters */
    const char *protocol;
    double start;
    double cpu_start;
    double seconds;
    double cpu_seconds;
};

/* Exits with 2 and a usage line if the arguments are wrong. */
void bench_parse(struct bench_job *job, int argc, char **argv);

/* The timed part lies between these two. */
void bench_begin(struct bench_result *result);
void bench_end(struct bench_result *result);

/* Prints the JSON line; returns what main() should. */
int bench_print(const struct bench_result *result);

double bench_now(void);

#endif
