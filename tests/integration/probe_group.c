/*
 * probe_group.c - many exchanges of one kind, so many at once, with one report of what came of them.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe.h"

#define MOST_TALLIES 128

struct tally {
    char name[48];
    long long count;
};

struct tallies {
    struct tally of[MOST_TALLIES];
    int count;
};

struct group {
    pthread_mutex_t lock;
    char *text; /* what |args| points into */
    struct args args;
    int count;
    int parallel;
    int next; /* index of the next member */
    int running;
    int ended; /* reported */
    int over;
    bool starting; /* somebody is in group_run: the others leave it to him */
    struct tallies errors;
    struct tallies statuses;
    struct tallies conns;
    struct tallies retries;
    long long bytes;
    long long slowest_us;
    int32_t *streams; /* by index */
    int *finished;    /* indexes in the order in which they ended */
    char first_error[512];
    struct timespec begin;
};

static void tally_add(struct tallies *tallies, const char *name)
{
    int i;

    for (i = 0; i < tallies->count && strcmp(tallies->of[i].name, name) != 0; i++) {
    }
    if (i == MOST_TALLIES)
        i--;
    if (i == tallies->count) {
        tallies->count++;
        snprintf(tallies->of[i].name, sizeof tallies->of[i].name, "%s", name);
    }
    tallies->of[i].count++;
}

static void tally_number(struct tallies *tallies, long long number)
{
    char name[32];

    snprintf(name, sizeof name, "%lld", number);
    tally_add(tallies, name);
}

static void line_tallies(struct line *line, const char *key, const struct tallies *tallies)
{
    char json[MOST_TALLIES * 80];
    size_t len = 0;
    int i;

    json[0] = '\0';
    for (i = 0; i < tallies->count; i++)
        len += (size_t)snprintf(json + len, sizeof json - len, "%s\"%s\":%lld", i == 0 ? "{" : ",", tallies->of[i].name,
                                tallies->of[i].count);
    snprintf(json + len, sizeof json - len, tallies->count == 0 ? "{}" : "}");
    line_raw(line, key, json);
}

static void copy_args(struct group *group, const struct args *args)
{
    size_t len = 0;
    char *at;
    int i;

    for (i = 0; i < args->count; i++)
        len += strlen(args->pairs[i].key) + args->pairs[i].len + 2;
    at = group->text = malloc(len + 1);
    if (at == NULL)
        abort();
    group->args.count = args->count;
    for (i = 0; i < args->count; i++) {
        size_t key_len = strlen(args->pairs[i].key) + 1;

        group->args.pairs[i] = (struct pair){at, at + key_len, args->pairs[i].len};
        memcpy(at, args->pairs[i].key, key_len);
        memcpy(at + key_len, args->pairs[i].value, args->pairs[i].len + 1);
        at += key_len + args->pairs[i].len + 1;
    }
}

struct group *group_new(const struct args *args)
{
    struct group *group = calloc(1, sizeof *group);

    if (group == NULL)
        abort();
    copy_args(group, args);
    pthread_mutex_init(&group->lock, NULL);
    group->count = (int)arg_number(args, "count", 1);
    group->parallel = (int)arg_number(args, "parallel", group->count);
    group->streams = calloc((size_t)group->count + 1, sizeof *group->streams);
    group->finished = calloc((size_t)group->count + 1, sizeof *group->finished);
    if (group->streams == NULL || group->finished == NULL)
        abort();
    clock_gettime(CLOCK_MONOTONIC, &group->begin);
    return group;
}

static long long since_ms(const struct timespec *begin)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - begin->tv_sec) * 1000LL + (now.tv_nsec - begin->tv_nsec) / 1000000;
}

/* Whether streams were opened in the order of submission. */
static bool streams_in_order(const struct group *group)
{
    int i;

    for (i = 1; i < group->count; i++) {
        if (group->streams[i] <= group->streams[i - 1])
            return false;
    }
    return true;
}

static void group_report(struct group *group)
{
    struct line line;
    int i;
    int displaced = 0;

    for (i = 0; i < group->count; i++)
        displaced = abs(group->finished[i] - i) > displaced ? abs(group->finished[i] - i) : displaced;
    line_begin(&line, "group", arg_text(&group->args, "id", "?"));
    line_number(&line, "count", group->count);
    line_tallies(&line, "errors", &group->errors);
    line_tallies(&line, "statuses", &group->statuses);
    line_tallies(&line, "conns", &group->conns);
    line_tallies(&line, "retries", &group->retries);
    line_number(&line, "bytes", group->bytes);
    line_number(&line, "slowest_us", group->slowest_us);
    line_number(&line, "wall_ms", since_ms(&group->begin));
    line_number(&line, "in_order", streams_in_order(group));
    line_number(&line, "displaced", displaced);
    line_text(&line, "first_error", group->first_error);
    line_end(&line);
    pthread_mutex_destroy(&group->lock);
    free(group->streams);
    free(group->finished);
    free(group->text);
    free(group);
}

/* "{i}" in the URL becomes the member's number. */
static void start_member(const struct group *group, int index)
{
    struct args args = group->args;
    char url[2048];
    int i;

    for (i = 0; i < args.count; i++) {
        const char *hole = strcmp(args.pairs[i].key, "url") == 0 ? strstr(args.pairs[i].value, "{i}") : NULL;

        if (hole == NULL)
            continue;
        snprintf(url, sizeof url, "%.*s%d%s", (int)(hole - args.pairs[i].value), args.pairs[i].value, index, hole + 3);
        args.pairs[i].value = url;
        args.pairs[i].len = strlen(url);
    }
    task_start(&args, (struct group *)group, index);
}

void group_run(struct group *group)
{
    bool over;

    pthread_mutex_lock(&group->lock);
    if (group->starting) {
        pthread_mutex_unlock(&group->lock);
        return;
    }
    group->starting = true;
    rqx_engine_cork(probe.engine); /* refused in other modes, which is as well */
    while (group->next < group->count && group->running < group->parallel) {
        int index = group->next++;

        group->running++;
        pthread_mutex_unlock(&group->lock);
        start_member(group, index);
        pthread_mutex_lock(&group->lock);
    }
    rqx_engine_uncork(probe.engine);
    group->starting = false;
    over = group->over == group->count;
    pthread_mutex_unlock(&group->lock);
    if (over)
        group_report(group);
}

void group_note(struct group *group, struct task *task, rqx_response *response)
{
    const rqx_error *error = rqx_response_error(response);
    rqx_timings timings;

    rqx_response_timings(response, &timings);
    pthread_mutex_lock(&group->lock);
    if (error->code != 0) {
        tally_add(&group->errors, rqx_error_name(error->code) + strlen("RQX_ERR_"));
        if (group->first_error[0] == '\0')
            snprintf(group->first_error, sizeof group->first_error, "%s", error->text);
    } else {
        tally_number(&group->statuses, rqx_response_status(response));
    }
    if (rqx_response_connection_id(response) != 0)
        tally_number(&group->conns, (long long)rqx_response_connection_id(response));
    tally_number(&group->retries, rqx_response_retries(response));
    group->bytes += (long long)task->body_len;
    if (timings.total_us > group->slowest_us)
        group->slowest_us = timings.total_us;
    group->streams[task->index] = rqx_response_stream_id(response);
    group->finished[group->ended++] = task->index;
    pthread_mutex_unlock(&group->lock);
}

void group_refused(struct group *group, int rv)
{
    pthread_mutex_lock(&group->lock);
    tally_add(&group->errors, rqx_error_name(rv) + strlen("RQX_ERR_"));
    pthread_mutex_unlock(&group->lock);
}

void group_next(struct group *group)
{
    bool over;
    bool more;

    pthread_mutex_lock(&group->lock);
    group->running--;
    group->over++;
    over = group->over == group->count && !group->starting;
    more = group->next < group->count;
    pthread_mutex_unlock(&group->lock);
    if (over)
        group_report(group);
    else if (more)
        group_run(group);
}
