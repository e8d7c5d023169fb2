#include "bench_cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static void usage(const char *why, const char *what)
{
    fprintf(stderr,
            "%s: %s\n"
            "usage: client URL --ca FILE [--requests N] [--concurrency M] [--warmup N]\n"
            "       [--warm-url URL] [--http1] [--method POST --body-size N]\n"
            "       [--download | --upload FILE] [--mode NAME]\n",
            why, what);
    exit(2);
}

static long number(const char *option, const char *text)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0) {
        usage("not a number", option);
    }
    return value;
}

/* The same text as scorecard_lib/servers.py and clients/_harness.py make. */
static char *post_body(size_t size)
{
    static const char head[] = "{\"user\":42,\"items\":[\"a\",\"b\",\"c\"],\"note\":\"";
    if (size < sizeof(head) + 1) {
        usage("too small", "--body-size");
    }
    char *body = malloc(size + 1);
    if (!body) {
        usage("out of memory", "--body-size");
    }
    memset(body, 'y', size);
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + size - 2, "\"}", 3);
    return body;
}

static bool flag(struct bench_job *job, const char *arg)
{
    if (strcmp(arg, "--http1") == 0) {
        job->http1 = true;
    } else if (strcmp(arg, "--download") == 0) {
        job->kind = BENCH_DOWNLOAD;
    } else {
        return false;
    }
    return true;
}

static void option(struct bench_job *job, const char *arg, const char *value)
{
    if (strcmp(arg, "--requests") == 0) {
        job->requests = number(arg, value);
    } else if (strcmp(arg, "--concurrency") == 0) {
        job->concurrency = number(arg, value);
    } else if (strcmp(arg, "--warmup") == 0) {
        job->warmup = number(arg, value);
    } else if (strcmp(arg, "--warm-url") == 0) {
        job->warm_url = value;
    } else if (strcmp(arg, "--ca") == 0) {
        job->ca = value;
    } else if (strcmp(arg, "--mode") == 0) {
        job->mode = value;
    } else if (strcmp(arg, "--upload") == 0) {
        job->kind = BENCH_UPLOAD;
        job->upload = value;
    } else if (strcmp(arg, "--body-size") == 0) {
        job->body_size = (size_t)number(arg, value);
    } else if (strcmp(arg, "--method") == 0) {
        if (strcmp(value, "POST") != 0 && strcmp(value, "GET") != 0) {
            usage("GET or POST", arg);
        }
        job->kind = strcmp(value, "POST") == 0 ? BENCH_POST : BENCH_GET;
    } else {
        usage("unknown option", arg);
    }
}

void bench_parse(struct bench_job *job, int argc, char **argv)
{
    memset(job, 0, sizeof(*job));
    job->requests = 1;
    job->concurrency = 1;
    job->warmup = 1;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            job->url = argv[i];
        } else if (!flag(job, argv[i])) {
            if (i + 1 == argc) {
                usage("no value for", argv[i]);
            }
            option(job, argv[i], argv[i + 1]);
            i++;
        }
    }
    if (!job->url || !job->ca || job->concurrency < 1) {
        usage("missing", "URL, --ca or --concurrency");
    }
    if (!job->warm_url) {
        job->warm_url = job->url;
    }
    if (job->kind == BENCH_POST) {
        job->body = post_body(job->body_size);
    }
}

double bench_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu_now(void)
{
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

void bench_begin(struct bench_result *result)
{
    result->cpu_start = cpu_now();
    result->start = bench_now();
}

void bench_end(struct bench_result *result)
{
    result->seconds = bench_now() - result->start;
    result->cpu_seconds = cpu_now() - result->cpu_start;
}

int bench_print(const struct bench_result *result)
{
    printf("{\"requests\":%ld,\"errors\":%ld,\"seconds\":%.6f,\"bytes\":%lld,"
           "\"cpu_seconds\":%.6f,\"protocol\":\"%s\"}\n",
           result->requests, result->errors, result->seconds, result->bytes, result->cpu_seconds,
           result->protocol ? result->protocol : "");
    return result->errors == 0 ? 0 : 1;
}
