/*
 * script_server.h - an HTTP/1.1 origin on a unix socket that gives prepared answers, one for each connection, and keeps
 * what it was asked.  A client with |unix_path| takes it for every host there is.
 */
#ifndef RQX_TESTS_UNIT_SCRIPT_SERVER_H
#define RQX_TESTS_UNIT_SCRIPT_SERVER_H

#include "net_support.h"

#define SCRIPT_MAX  16
#define SCRIPT_TEXT (2 * 1024 * 1024)

struct script_server {
    int fd;
    char path[64];
    pthread_t thread;
    const char *const *answers; /* NULL ends them */
    int count;                  /* answers given */
    char *requests[SCRIPT_MAX]; /* heads and bodies, NUL terminated */
    int conns[SCRIPT_MAX];
    bool stays; /* the answers are not all that will come */
};

static inline size_t script_body_len(const char *head)
{
    const char *length = strcasestr(head, "\r\ncontent-length:");

    return length != NULL ? (size_t)atol(length + 17) : 0;
}

/* Whether |text| is a whole request. */
static inline bool script_is_whole(const char *text, size_t len)
{
    const char *end = strstr(text, "\r\n\r\n");

    if (end == NULL)
        return false;
    if (strcasestr(text, "\r\ntransfer-encoding: chunked") != NULL)
        return len >= 5 && memcmp(text + len - 5, "0\r\n\r\n", 5) == 0;
    return len >= (size_t)(end + 4 - text) + script_body_len(text);
}

static inline void script_answer(struct script_server *server, int fd)
{
    char *text = malloc(SCRIPT_TEXT);
    const char *answer = server->answers[server->count];
    size_t len = 0;
    ssize_t got;

    text[0] = '\0';
    while (!script_is_whole(text, len) && len < SCRIPT_TEXT - 1 &&
           (got = read(fd, text + len, SCRIPT_TEXT - 1 - len)) > 0) {
        len += (size_t)got;
        text[len] = '\0';
    }
    if (!script_is_whole(text, len)) {
        free(text); /* a client that gave up: the answer is for the next one */
        close(fd);
        return;
    }
    server->conns[server->count] = fd; /* stays open: to close it on unread bytes would reset it */
    server->requests[server->count++] = text;
    if (send(fd, answer, strlen(answer), MSG_NOSIGNAL) >= 0 && !server->stays)
        shutdown(fd, SHUT_WR); /* else the client went away, and its test knows */
}

static inline void *script_run(void *user)
{
    struct script_server *server = user;

    while (server->count < SCRIPT_MAX && server->answers[server->count] != NULL) {
        int fd = accept(server->fd, NULL, NULL);

        if (fd < 0)
            break;
        script_answer(server, fd);
    }
    return NULL;
}

static inline void script_start(struct script_server *server, const char *const *answers)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memset(server, 0, sizeof *server);
    server->answers = answers;
    snprintf(server->path, sizeof server->path, "/tmp/rqx_script.XXXXXX");
    server->fd = mkstemp(server->path);
    ck_assert_int_ge(server->fd, 0);
    close(server->fd);
    unlink(server->path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->path);
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server->fd, 16), 0);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, script_run, server), 0);
}

/* Starts it, and sets the options of a client that goes to it whatever the URL's host. */
static inline void script_begin(struct script_server *server, const char *const *answers, rqx_client_options *options)
{
    script_start(server, answers);
    rqx_client_options_init(options);
    options->trust_env = 0;
    options->protocols = RQX_PROTO_HTTP1;
    options->unix_path = server->path;
    options->max_redirects = 5;
}

/* The client must have closed its connections. */
static inline void script_stop(struct script_server *server)
{
    int i;

    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->fd);
    unlink(server->path);
    for (i = 0; i < server->count; i++) {
        close(server->conns[i]);
        free(server->requests[i]);
    }
}

#endif
