/*
 * probe.h - a program that the tests drive line by line: one client, any number of exchanges, JSON out.
 *
 * It knows the public headers alone.  A command is a word and KEY=VALUE pairs, values percent-encoded, so that a test
 * can also give what must be refused.  probe.py is the other side.
 *
 * Locks: a task's own, then |lock| (list of tasks, timers, output).  The library is never called with |lock| held, and
 * a task's lock is held while the library is called only where it cannot call back.
 */
#ifndef PROBE_H
#define PROBE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include <requestx/requestx.h>

#define MOST_PAIRS 128
#define BODY_SHOWN (64 * 1024)
#define READ_MOST  (256 * 1024)

/* ---- KEY=VALUE pairs ---- */

struct pair {
    char *key;
    char *value;
    size_t len; /* of |value|, which may hold NUL */
};

struct args {
    struct pair pairs[MOST_PAIRS];
    int count;
};

/* Splits |words| (changed, borrowed) into pairs. */
void args_parse(struct args *args, char *words);
void args_add(struct args *args, char *word);
const char *arg_text(const struct args *args, const char *key, const char *otherwise);
rqx_slice arg_slice(const struct args *args, const char *key);
long long arg_number(const struct args *args, const char *key, long long otherwise);
/* The next pair of that key after |*index| (begin with -1), or NULL. */
const struct pair *arg_next(const struct args *args, const char *key, int *index);

/* ---- SHA-256 and output ---- */

struct sha256 {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t bytes;
};

void sha256_init(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t len);
void sha256_hex(struct sha256 *sha, char ret_hex[65]);

/* A line of output that is being made; grows as needed. */
struct line {
    char *text;
    size_t len;
    size_t cap;
    bool comma;
};

void line_begin(struct line *line, const char *event, const char *id);
void line_number(struct line *line, const char *key, long long value);
void line_bytes(struct line *line, const char *key, const char *data, size_t len);
void line_text(struct line *line, const char *key, const char *value);
void line_fields(struct line *line, const char *key, const rqx_headers *headers);
void line_raw(struct line *line, const char *key, const char *json);
void line_error(struct line *line, const rqx_error *error);
void line_head(struct line *line, const rqx_response *response);
void line_timings(struct line *line, const rqx_response *response);
void line_history(struct line *line, const rqx_response *response);
/* Writes it out at once; any thread. */
void line_end(struct line *line);

/* ---- the program ---- */

enum kind { KIND_SYNC, KIND_RUN, KIND_EMBEDDED, KIND_THREAD };

struct probe {
    enum kind kind;
    bool pull;
    bool keep; /* tasks stay when they are over, so that an end that is told again is noticed */
    rqx_engine *engine;
    rqx_client *client;
    rqx_cookies *cookies; /* the client's, or NULL */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *tasks; /* all that live */
    int running;        /* tasks, and group members, that are not done */
};

extern struct probe probe;

/* ---- exchanges: probe_task.c ---- */

/* Where a request's body comes from; outlives the task where the library still reads it. */
struct source;
struct group;

struct task {
    struct task *next;
    pthread_mutex_t lock;
    int refs;
    char id[64];
    rqx_request *request;
    rqx_response *response; /* NULL before submission has returned and after the end */
    struct source *source;
    struct group *group;
    int index; /* within the group */
    /* how the body is read */
    bool streamed;
    bool raw;
    bool hold;    /* nothing is read until a "read" command */
    bool verbose; /* tells each piece */
    size_t piece;
    int read_gap_ms;
    long long close_after;
    long long cancel_after;
    int cancel_ms; /* -1: never */
    int close_ms;
    long long read_left; /* of a "read" command; -1: all */
    /* pushed body */
    char *push;
    size_t push_len;
    size_t push_done;
    bool push_end;
    bool wants_write;
    /* what has come */
    bool head_told;
    bool ended_told; /* RQX_EVENT_DONE came */
    bool finished;   /* reported */
    bool resting;    /* between two reads */
    int read_result;
    size_t body_len;
    struct sha256 sha;
    char *shown;
    size_t shown_len;
    size_t pieces;
};

/* "submit": one exchange, or with count= a group of them with one report. */
void task_submit(const struct args *args);
/* Something happened: goes on with it.  Returns false once the task is over. */
bool task_event(struct task *task, rqx_response *response, unsigned what);
/* When none runs any more. */
void tasks_done(void);
/* The task of that id with one more reference, or NULL. */
struct task *task_find(const char *id);
void task_ref(struct task *task);
void task_unref(struct task *task);
void task_command(struct task *task, const char *command, const struct args *args);
/* Called by timers. */
void task_cancel_now(struct task *task);
void task_close_now(struct task *task);
void task_read_now(struct task *task);
void task_resume_now(struct task *task);

/* ---- requests: probe_request.c ---- */

int request_make(const struct args *args, struct task *task, rqx_request **ret_request);
int auth_make(const char *text, rqx_auth **ret_auth);
int fields_make(const struct args *args, const char *key, rqx_headers *into);
/* A retry of retry=, retry_connect=, retry_statuses=503,504, retry_methods=GET,POST, backoff_ms= and the like. */
int retry_make(const struct args *args, rqx_retry **ret_retry);
void timeouts_make(const struct args *args, rqx_timeouts *timeouts);
void source_set_task(struct source *source, struct task *task);

/* ---- groups: probe_group.c ---- */

struct group *group_new(const struct args *args);
/* Starts as many members as may run at once. */
void group_run(struct group *group);
/* A member's end, with the task's lock held; and, without it, what follows. */
void group_note(struct group *group, struct task *task, rqx_response *response);
void group_next(struct group *group);
/* Submission of a member failed. */
void group_refused(struct group *group, int rv);
/* Starts one exchange; |group| may be NULL. */
int task_start(const struct args *args, struct group *group, int index);

/* ---- timers: probe.c ---- */

typedef void (*timer_cb)(struct task *task);
/* Calls |cb| with |task| (referenced) after |us| microseconds, in a thread of its own. */
void timer_add(long long us, timer_cb cb, struct task *task);

#endif
