/*
 * probe_task.c - one exchange of the probe: submission, what its events ask for, its report.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe.h"

/* Values of |read_result| besides 0 (goes on) and errors. */
enum { READ_END = 1, READ_CLOSED = 2 };

/* ---- life ---- */

void task_ref(struct task *task)
{
    pthread_mutex_lock(&probe.lock);
    task->refs++;
    pthread_mutex_unlock(&probe.lock);
}

void task_unref(struct task *task)
{
    struct task **at;

    pthread_mutex_lock(&probe.lock);
    if (--task->refs != 0) {
        pthread_mutex_unlock(&probe.lock);
        return;
    }
    for (at = &probe.tasks; *at != task; at = &(*at)->next) {
    }
    *at = task->next;
    pthread_mutex_unlock(&probe.lock);
    pthread_mutex_destroy(&task->lock);
    free(task->push);
    free(task->shown);
    free(task);
}

struct task *task_find(const char *id)
{
    struct task *task;

    pthread_mutex_lock(&probe.lock);
    for (task = probe.tasks; task != NULL && (task->finished || strcmp(task->id, id) != 0); task = task->next) {
    }
    if (task != NULL)
        task->refs++;
    pthread_mutex_unlock(&probe.lock);
    return task;
}

static struct task *task_new(const struct args *args, struct group *group, int index)
{
    struct task *task = calloc(1, sizeof *task);

    if (task == NULL)
        abort();
    snprintf(task->id, sizeof task->id, "%s", arg_text(args, "id", "?"));
    pthread_mutex_init(&task->lock, NULL);
    task->refs = 2; /* until it is over, and task_start's own */
    task->group = group;
    task->index = index;
    task->streamed = arg_number(args, "streamed", 0) != 0;
    task->raw = arg_number(args, "raw", 0) != 0;
    task->hold = arg_number(args, "hold", 0) != 0;
    task->verbose = arg_number(args, "verbose", 0) != 0;
    task->piece = (size_t)arg_number(args, "piece_size", 65536);
    if (task->piece > READ_MOST)
        task->piece = READ_MOST;
    task->read_gap_ms = (int)arg_number(args, "read_gap_ms", 0);
    task->close_after = arg_number(args, "close_after", -1);
    task->cancel_after = arg_number(args, "cancel_after", -1);
    task->read_left = -1;
    sha256_init(&task->sha);
    pthread_mutex_lock(&probe.lock);
    task->next = probe.tasks;
    probe.tasks = task;
    probe.running++;
    pthread_mutex_unlock(&probe.lock);
    return task;
}

static void count_running(int change)
{
    pthread_mutex_lock(&probe.lock);
    probe.running += change;
    pthread_cond_broadcast(&probe.changed);
    pthread_mutex_unlock(&probe.lock);
}

/* It is over, whatever came of it: without the task's lock. */
static void task_over(struct task *task)
{
    struct group *group = task->group;

    if (group != NULL)
        group_next(group);
    count_running(-1);
    if (group != NULL || !probe.keep)
        task_unref(task);
}

/* ---- what is done with the task's lock held ---- */

static void keep_bytes(struct task *task, const char *data, size_t len)
{
    size_t room = BODY_SHOWN - task->shown_len;

    sha256_add(&task->sha, data, len);
    task->body_len += len;
    task->pieces++;
    if (task->group != NULL || room == 0)
        return;
    if (len > room)
        len = room;
    task->shown = realloc(task->shown, task->shown_len + len + 1);
    if (task->shown == NULL)
        abort();
    memcpy(task->shown + task->shown_len, data, len);
    task->shown_len += len;
}

static void tell_piece(const struct task *task, const char *data, size_t len)
{
    struct line line;

    line_begin(&line, "body", task->id);
    line_bytes(&line, "data", data, len < BODY_SHOWN ? len : BODY_SHOWN);
    line_number(&line, "length", (long long)len);
    line_end(&line);
}

static void after_piece(struct task *task)
{
    if (task->close_after >= 0 && task->body_len >= (size_t)task->close_after) {
        rqx_response_close(task->response);
        task->read_result = READ_CLOSED;
    } else if (task->cancel_after >= 0 && task->body_len >= (size_t)task->cancel_after) {
        rqx_response_cancel(task->response);
        task->read_result = READ_CLOSED;
    } else if (task->read_gap_ms > 0) {
        task->resting = true;
        timer_add(task->read_gap_ms * 1000LL, task_read_now, task);
    }
}

static void read_some(struct task *task)
{
    static __thread char buffer[READ_MOST];

    while (task->read_result == 0 && !task->hold && !task->resting) {
        size_t cap = task->piece;
        size_t len;
        int rv;

        if (task->read_left >= 0 && (size_t)task->read_left < cap)
            cap = (size_t)task->read_left;
        rv = (task->raw ? rqx_response_read_raw : rqx_response_read)(task->response, buffer, cap, &len);
        if (rv == RQX_AGAIN)
            return;
        if (rv < 0 || len == 0) {
            task->read_result = rv < 0 ? rv : READ_END;
            if (rv < 0)
                rqx_response_close(task->response); /* what cannot be decoded is not worth waiting for */
            return;
        }
        keep_bytes(task, buffer, len);
        if (task->verbose)
            tell_piece(task, buffer, len);
        if (task->read_left >= 0 && (task->read_left -= (long long)len) == 0)
            task->hold = true;
        after_piece(task);
    }
}

static void push_some(struct task *task)
{
    size_t taken = 0;
    int rv = 0;

    while (task->push_done < task->push_len && rv == 0) {
        rv = rqx_response_write_body(task->response, task->push + task->push_done, task->push_len - task->push_done,
                                     &taken);
        task->push_done += taken;
    }
    task->wants_write = rv == RQX_AGAIN;
    if (rv < 0)
        task->push_done = task->push_len; /* it is over, or wants no more: the end of the exchange tells */
    if (task->push_done == task->push_len && task->push_end) {
        task->push_end = false;
        rqx_response_end_body(task->response);
    }
}

static void tell_interim(struct task *task)
{
    rqx_headers *fields;
    int status;

    while (rqx_response_next_interim(task->response, &status, &fields) == 0) {
        struct line line;

        if (task->group == NULL) {
            line_begin(&line, "interim", task->id);
            line_number(&line, "status", status);
            line_fields(&line, "headers", fields);
            line_end(&line);
        }
        rqx_headers_free(fields);
    }
}

static void tell_head(struct task *task)
{
    struct line line;

    task->head_told = true;
    if (task->group != NULL)
        return;
    line_begin(&line, "head", task->id);
    line_head(&line, task->response);
    line_end(&line);
}

static void take_whole_body(struct task *task)
{
    rqx_slice body;

    task->read_result = rqx_response_body(task->response, &body);
    if (task->read_result == 0) {
        keep_bytes(task, body.data, body.len);
        task->read_result = READ_END;
    }
}

static void tell_done(struct task *task)
{
    const rqx_response *response = task->response;
    struct line line;
    char sum[65];

    sha256_hex(&task->sha, sum);
    line_begin(&line, "done", task->id);
    line_error(&line, rqx_response_error(response));
    line_head(&line, response);
    line_timings(&line, response);
    line_history(&line, response);
    line_fields(&line, "trailers", rqx_response_trailers(response));
    line_number(&line, "length", (long long)task->body_len);
    line_text(&line, "sha256", sum);
    line_bytes(&line, "body", task->shown, task->shown_len);
    line_number(&line, "pieces", (long long)task->pieces);
    line_number(&line, "raw_length", (long long)rqx_response_raw_body(response).len);
    line_text(&line, "read_error", task->read_result < 0 ? rqx_error_name(task->read_result) + strlen("RQX_ERR_") : "");
    line_end(&line);
}

/* Whether nothing more is to come; reports it then, once. */
static bool finish(struct task *task)
{
    bool failed;

    if (!task->ended_told || task->finished)
        return false;
    failed = rqx_response_error(task->response)->code != 0;
    if (task->streamed && task->read_result == 0 && !(failed && task->hold))
        return false;
    if (!task->streamed && !failed)
        take_whole_body(task);
    if (task->group != NULL)
        group_note(task->group, task, task->response);
    else
        tell_done(task);
    task->finished = true;
    return true;
}

/* Gives the lock back; does what a finished task leaves to do. */
static void leave(struct task *task, bool over)
{
    rqx_response *response = over ? task->response : NULL;

    if (over)
        task->response = NULL;
    pthread_mutex_unlock(&task->lock);
    rqx_response_unref(response);
    if (over)
        task_over(task);
}

/* An event for what is over, which only a task that is kept can notice. */
static void tell_again(const struct task *task, unsigned what)
{
    struct line line;

    line_begin(&line, "done", task->id);
    line_number(&line, "again", what);
    line_end(&line);
}

bool task_event(struct task *task, rqx_response *response, unsigned what)
{
    bool over;

    pthread_mutex_lock(&task->lock);
    if (task->finished) {
        tell_again(task, what);
        leave(task, false);
        return false;
    }
    task->response = response;
    tell_interim(task);
    if ((what & RQX_EVENT_DONE) != 0)
        task->ended_told = true;
    if (task->streamed && !task->head_told && (what & RQX_EVENT_HEAD) != 0)
        tell_head(task);
    if ((what & RQX_EVENT_WRITE) != 0)
        push_some(task);
    if (task->streamed && (task->head_told || task->ended_told))
        read_some(task);
    over = finish(task);
    leave(task, over);
    return !over;
}

/* ---- timers and commands ---- */

void task_cancel_now(struct task *task)
{
    pthread_mutex_lock(&task->lock);
    if (task->response != NULL)
        rqx_response_cancel(task->response);
    pthread_mutex_unlock(&task->lock);
}

void task_close_now(struct task *task)
{
    pthread_mutex_lock(&task->lock);
    if (task->response != NULL) {
        rqx_response_close(task->response);
        if (task->read_result == 0)
            task->read_result = READ_CLOSED;
    }
    pthread_mutex_unlock(&task->lock);
}

void task_resume_now(struct task *task)
{
    bool early;

    pthread_mutex_lock(&task->lock);
    early = task->response == NULL && !task->finished;
    if (task->response != NULL)
        rqx_response_resume_body(task->response);
    pthread_mutex_unlock(&task->lock);
    if (early)
        timer_add(1000, task_resume_now, task);
}

void task_read_now(struct task *task)
{
    bool over = false;

    pthread_mutex_lock(&task->lock);
    task->resting = false;
    if (task->response != NULL && (task->head_told || task->ended_told)) {
        read_some(task);
        over = finish(task);
    }
    leave(task, over);
}

static void command_write(struct task *task, const struct args *args, bool end)
{
    rqx_slice data = arg_slice(args, "body");

    pthread_mutex_lock(&task->lock);
    if (task->response != NULL) {
        task->push = realloc(task->push, task->push_len + data.len + 1);
        if (task->push == NULL)
            abort();
        if (data.len != 0)
            memcpy(task->push + task->push_len, data.data, data.len);
        task->push_len += data.len;
        task->push_end = task->push_end || end;
        push_some(task);
    }
    pthread_mutex_unlock(&task->lock);
}

void task_command(struct task *task, const char *command, const struct args *args)
{
    if (strcmp(command, "cancel") == 0) {
        task_cancel_now(task);
    } else if (strcmp(command, "close") == 0) {
        task_close_now(task);
    } else if (strcmp(command, "write") == 0 || strcmp(command, "end") == 0) {
        command_write(task, args, strcmp(command, "end") == 0);
    } else if (strcmp(command, "read") == 0) {
        pthread_mutex_lock(&task->lock);
        task->hold = false;
        task->read_left = arg_number(args, "n", -1);
        pthread_mutex_unlock(&task->lock);
        task_read_now(task);
    }
}

/* ---- RQX_MODE_SYNC: a thread waits for each exchange ---- */

static unsigned wanted(const struct task *task, int64_t *ret_limit)
{
    unsigned what = RQX_EVENT_DONE;

    *ret_limit = RQX_NO_TIMEOUT;
    if (task->wants_write)
        what |= RQX_EVENT_WRITE;
    if (task->streamed && !task->head_told)
        what |= RQX_EVENT_HEAD;
    else if (task->streamed && !task->hold && !task->resting && task->read_result == 0)
        what |= RQX_EVENT_BODY;
    if (task->hold || task->resting || (task->push != NULL && !task->wants_write))
        *ret_limit = 20; /* others may change what is wanted */
    return what;
}

/* Threads that are over or about to be, to be joined: an exit that overtook their last steps would look like a leak. */
static pthread_t *over_threads;
static size_t over_count;
static size_t over_cap;

static void waiting_over(void)
{
    pthread_mutex_lock(&probe.lock);
    if (over_count == over_cap) {
        over_cap = 2 * over_cap + 16;
        over_threads = realloc(over_threads, over_cap * sizeof *over_threads);
        if (over_threads == NULL)
            abort();
    }
    over_threads[over_count++] = pthread_self();
    pthread_mutex_unlock(&probe.lock);
    count_running(-1);
}

static void join_over(void)
{
    pthread_t thread;
    bool any = true;

    while (any) {
        pthread_mutex_lock(&probe.lock);
        any = over_count != 0;
        if (any)
            thread = over_threads[--over_count];
        pthread_mutex_unlock(&probe.lock);
        if (any)
            pthread_join(thread, NULL);
    }
}

void tasks_done(void)
{
    join_over();
    free(over_threads);
    while (probe.keep && probe.tasks != NULL && probe.tasks->finished)
        task_unref(probe.tasks);
}

static void *wait_for(void *user)
{
    struct task *task = user;
    bool goes_on = true;

    while (goes_on) {
        rqx_response *response;
        unsigned what = 0;
        int64_t limit = 0;
        bool ended;
        int rv = RQX_AGAIN;

        pthread_mutex_lock(&task->lock);
        response = task->response;
        ended = task->ended_told;
        if (response != NULL && !ended)
            what = wanted(task, &limit);
        pthread_mutex_unlock(&task->lock);
        if (response == NULL)
            break;
        if (ended)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); /* somebody still has to read */
        else
            rv = rqx_response_wait(response, what, limit);
        if (rv < 0)
            abort();
        if (rv == RQX_AGAIN)
            continue;
        if (rqx_response_done(response))
            what |= RQX_EVENT_DONE | RQX_EVENT_HEAD;
        else
            what &= ~(unsigned)RQX_EVENT_DONE;
        if ((what & RQX_EVENT_HEAD) != 0 && rqx_response_wait(response, RQX_EVENT_HEAD, 0) != 0)
            what &= ~(unsigned)RQX_EVENT_HEAD;
        goes_on = task_event(task, response, what);
    }
    task_unref(task);
    waiting_over();
    return NULL;
}

static void start_waiting(struct task *task)
{
    pthread_attr_t attr;
    pthread_t thread;

    join_over();
    task_ref(task);
    count_running(1); /* the program waits for this thread, too */
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 1024 * 1024);
    if (pthread_create(&thread, &attr, wait_for, task) != 0)
        abort();
    pthread_attr_destroy(&attr);
}

/* ---- submission ---- */

static void on_event(rqx_response *response, unsigned what, void *user)
{
    task_event(user, response, what);
}

static void refused(struct task *task, int rv)
{
    struct line line;

    pthread_mutex_lock(&task->lock);
    task->finished = true;
    pthread_mutex_unlock(&task->lock);
    if (task->group != NULL) {
        group_refused(task->group, rv);
    } else {
        line_begin(&line, "done", task->id);
        line_error(&line, &(rqx_error){.code = rv, .phase = rqx_error_phase(rv), .text = rqx_error_text(rv)});
        line_number(&line, "refused", 1);
        line_end(&line);
    }
    task_over(task);
}

static void set_timers(struct task *task, const struct args *args)
{
    long long us = arg_number(args, "cancel_random_us", -1);
    static unsigned seed = 1;

    if (us >= 0)
        timer_add(us == 0 ? 0 : rand_r(&seed) % us, task_cancel_now, task);
    us = arg_number(args, "cancel_ms", -1) * 1000;
    if (us >= 0)
        timer_add(us, task_cancel_now, task);
    us = arg_number(args, "close_ms", -1) * 1000;
    if (us >= 0)
        timer_add(us, task_close_now, task);
    if (arg_number(args, "cancel_now", 0) != 0)
        task_cancel_now(task);
}

/* The response is there, and may be over already. */
static void after_submit(struct task *task, rqx_response *response, const struct args *args)
{
    pthread_mutex_lock(&task->lock);
    if (!task->finished) {
        task->response = response;
        if (task->push != NULL)
            push_some(task);
    }
    pthread_mutex_unlock(&task->lock);
    set_timers(task, args);
    if (probe.kind == KIND_SYNC)
        start_waiting(task);
}

int task_start(const struct args *args, struct group *group, int index)
{
    struct task *task = task_new(args, group, index);
    rqx_request *request = NULL;
    rqx_response *response = NULL;
    int rv = request_make(args, task, &request);

    if (rv == 0 && !probe.pull && probe.kind != KIND_SYNC)
        rqx_request_set_callback(request, on_event);
    if (rv == 0)
        rv = rqx_client_submit(probe.client, request, task, &response);
    rqx_request_unref(request);
    if (rv < 0)
        refused(task, rv);
    else
        after_submit(task, response, args);
    task_unref(task);
    return rv;
}

void task_submit(const struct args *args)
{
    if (arg_text(args, "count", NULL) != NULL)
        group_run(group_new(args));
    else
        task_start(args, NULL, 0);
}
