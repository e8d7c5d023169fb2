/*
 * http_server.h - a small origin in threads, HTTP/1.1 or HTTP/2 in clear, for tests of the client layer.
 *
 * By path: /ok (200 "hello"), /bytes/N (N times "x"), /echo (the request's body), /never (no answer), /redirect/N (302
 * to /redirect/N-1, the last to /ok), /moved (302 to /ok with a body of nine bytes), /refuse (HTTP/2: REFUSED_STREAM the first time on each server), /close (the
 * connection is closed without a byte), /busy (503 and 200 in turn), /busier (always 503).  Each connection has a
 * thread of its own.
 */
#ifndef RQX_TESTS_UNIT_HTTP_SERVER_H
#define RQX_TESTS_UNIT_HTTP_SERVER_H

#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdatomic.h>

#include "net_support.h"

#define SERVER_MAX_CONNECTIONS 4096

struct http_server {
    int fd;
    int port;
    bool h2;
    pthread_t acceptor;
    atomic_bool stopping;
    atomic_int connections;
    atomic_int requests;
    atomic_int resets;  /* RST_STREAM frames received */
    atomic_int goaways; /* GOAWAY frames received */
    atomic_int refused; /* /refuse was refused so often */
    int clients[SERVER_MAX_CONNECTIONS];
    pthread_t threads[SERVER_MAX_CONNECTIONS];
    uint32_t max_streams; /* SETTINGS_MAX_CONCURRENT_STREAMS; 0: 100 */
    atomic_bool one_each; /* HTTP/1.1: a second request closes its connection without a byte */
    atomic_int least;     /* HTTP/1.1: no answer before there are so many connections */
};

struct server_stream {
    struct server_stream *next; /* of the connection's */
    struct server_stream *prev;
    char path[128];
    char *body; /* of the request, then of the answer */
    size_t len;
    size_t sent;
    bool discard;
};

struct server_conn {
    struct http_server *server;
    int fd;
    int index;
    struct server_stream streams; /* head of a ring */
};

static inline void answer_bytes(struct server_stream *stream, size_t len)
{
    free(stream->body);
    stream->body = malloc(len + 1);
    memset(stream->body, 'x', len);
    stream->len = len;
}

/* Puts "hello hello hello" as gzip has it in place. */
static inline void answer_gzip(struct server_stream *stream)
{
    static const unsigned char packed[] = {0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03,
                                           0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00,
                                           0x80, 0x88, 0xf9, 0xe5, 0x11, 0x00, 0x00, 0x00};

    answer_bytes(stream, sizeof packed);
    memcpy(stream->body, packed, sizeof packed);
}

/* Puts the answer's body in place; gives the status, 0: no answer, -1: refuse or close. */
static inline int server_answer(struct http_server *server, struct server_stream *stream, char *location, size_t size)
{
    atomic_fetch_add(&server->requests, 1);
    location[0] = '\0';
    if (strcmp(stream->path, "/echo") == 0)
        return 200;
    if (strncmp(stream->path, "/bytes/", 7) == 0) {
        answer_bytes(stream, (size_t)atol(stream->path + 7));
        return 200;
    }
    if (strcmp(stream->path, "/moved") == 0) {
        snprintf(location, size, "/ok");
        answer_bytes(stream, 9);
        return 302;
    }
    if (strncmp(stream->path, "/redirect/", 10) == 0) {
        int left = atoi(stream->path + 10);

        if (left > 0)
            snprintf(location, size, "/redirect/%d", left - 1);
        else
            snprintf(location, size, "/ok");
        stream->len = 0;
        return 302;
    }
    if (strcmp(stream->path, "/gzip") == 0) {
        answer_gzip(stream);
        return 200;
    }
    if (strcmp(stream->path, "/never") == 0)
        return 0;
    if (strcmp(stream->path, "/busier") == 0 ||
        (strcmp(stream->path, "/busy") == 0 && atomic_fetch_add(&server->refused, 1) % 2 == 0)) {
        answer_bytes(stream, 100);
        return 503;
    }
    if (strcmp(stream->path, "/close") == 0 ||
        (strcmp(stream->path, "/refuse") == 0 && atomic_fetch_add(&server->refused, 1) == 0))
        return -1;
    answer_bytes(stream, 5);
    memcpy(stream->body, "hello", 5);
    return 200;
}

/* ---- HTTP/1.1 ---- */

static inline bool h1_read_request(int fd, struct server_stream *stream)
{
    char head[8192];
    size_t used = 0;
    char *end = NULL;
    char *length;
    size_t body_len;

    while (end == NULL) {
        ssize_t got = read(fd, head + used, sizeof head - 1 - used);

        if (got <= 0)
            return false;
        used += (size_t)got;
        head[used] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    sscanf(head, "%*s %127s", stream->path);
    length = strcasestr(head, "content-length:");
    body_len = length != NULL && length < end ? (size_t)atol(length + 15) : 0;
    stream->len = used - (size_t)(end + 4 - head); /* more than the length says, where the body is chunked */
    stream->body = malloc((body_len > stream->len ? body_len : stream->len) + 1);
    memcpy(stream->body, end + 4, stream->len);
    while (stream->len < body_len) {
        ssize_t got = read(fd, stream->body + stream->len, body_len - stream->len);

        if (got <= 0)
            return false;
        stream->len += (size_t)got;
    }
    return true;
}

static inline void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t done = send(fd, data, len, MSG_NOSIGNAL);

        if (done <= 0)
            return;
        data += done;
        len -= (size_t)done;
    }
}

static inline void h1_serve(struct server_conn *conn)
{
    static const char early[] = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    bool kept = false;

    for (;; kept = true) {
        struct server_stream stream = {.body = NULL};
        char location[64];
        char head[256];
        int status;

        if (!h1_read_request(conn->fd, &stream) || (kept && atomic_load(&conn->server->one_each))) {
            free(stream.body);
            return;
        }
        while (atomic_load(&conn->server->connections) < atomic_load(&conn->server->least))
            usleep(1000);
        status = server_answer(conn->server, &stream, location, sizeof location);
        if (status > 0) {
            if (strcmp(stream.path, "/early") == 0)
                write_all(conn->fd, early, sizeof early - 1);
            snprintf(head, sizeof head, "HTTP/1.1 %d Fine\r\nContent-Length: %zu\r\n%s%s%s%s\r\n", status, stream.len,
                     strcmp(stream.path, "/gzip") == 0 ? "Content-Encoding: gzip\r\n" : "",
                     location[0] ? "Location: " : "", location, location[0] ? "\r\n" : "");
            write_all(conn->fd, head, strlen(head));
            write_all(conn->fd, stream.body, stream.len);
        }
        free(stream.body);
        if (status < 0)
            return;
    }
}

/* ---- HTTP/2 in clear ---- */

static ssize_t h2_read_body(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t cap, uint32_t *flags,
                            nghttp2_data_source *source, void *user)
{
    struct server_stream *stream = source->ptr;
    size_t len = stream->len - stream->sent < cap ? stream->len - stream->sent : cap;

    (void)session, (void)id, (void)user;
    if (len != 0)
        memcpy(buffer, stream->body + stream->sent, len);
    stream->sent += len;
    if (stream->sent == stream->len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

static int h2_on_begin(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct server_conn *conn = user;
    struct server_stream *stream;

    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = calloc(1, sizeof *stream);
    stream->next = conn->streams.next;
    stream->prev = &conn->streams;
    stream->next->prev = stream->prev->next = stream;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
}

static int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                        const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct server_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void)flags, (void)user;
    if (stream != NULL && name_len == 5 && memcmp(name, ":path", 5) == 0)
        snprintf(stream->path, sizeof stream->path, "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
    struct server_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)flags, (void)user;
    stream->body = realloc(stream->body, stream->len + len);
    memcpy(stream->body + stream->len, data, len);
    stream->len += len;
    return 0;
}

static int h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct server_conn *conn = user;
    struct server_stream *stream;
    nghttp2_data_provider body;
    char location[64];
    char status_text[16];
    int status;

    if (frame->hd.type == NGHTTP2_RST_STREAM)
        atomic_fetch_add(&conn->server->resets, 1);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        atomic_fetch_add(&conn->server->goaways, 1);
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    status = server_answer(conn->server, stream, location, sizeof location);
    if (status < 0)
        return nghttp2_submit_rst_stream(session, 0, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM);
    if (status > 0) {
        nghttp2_nv fields[] = {
            {(uint8_t *)":status", (uint8_t *)status_text, 7, 3, 0},
            {(uint8_t *)"location", (uint8_t *)location, 8, strlen(location), 0},
        };
        nghttp2_nv packed = {(uint8_t *)"content-encoding", (uint8_t *)"gzip", 16, 4, 0};
        nghttp2_nv early[] = {{(uint8_t *)":status", (uint8_t *)"103", 7, 3, 0},
                              {(uint8_t *)"link", (uint8_t *)"</a>", 4, 4, 0}};
        bool has_second = location[0] != '\0' || strcmp(stream->path, "/gzip") == 0;

        if (location[0] == '\0')
            fields[1] = packed;
        if (strcmp(stream->path, "/early") == 0)
            nghttp2_submit_headers(session, 0, frame->hd.stream_id, NULL, early, 2, NULL);
        snprintf(status_text, sizeof status_text, "%d", status);
        body.source.ptr = stream;
        body.read_callback = h2_read_body;
        return nghttp2_submit_response(session, frame->hd.stream_id, fields, has_second ? 2 : 1, &body);
    }
    return 0;
}

static inline void h2_free_stream(struct server_stream *stream)
{
    stream->next->prev = stream->prev;
    stream->prev->next = stream->next;
    free(stream->body);
    free(stream);
}

static int h2_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct server_stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void)code, (void)user;
    if (stream != NULL)
        h2_free_stream(stream);
    nghttp2_session_set_stream_user_data(session, id, NULL);
    return 0;
}

static ssize_t h2_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags, void *user)
{
    struct server_conn *conn = user;

    (void)session, (void)flags;
    write_all(conn->fd, (const char *)data, len);
    return (ssize_t)len;
}

static inline void h2_serve(struct server_conn *conn)
{
    nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                       conn->server->max_streams ? conn->server->max_streams : 100};
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    uint8_t buffer[16384];
    ssize_t got;

    conn->streams.next = conn->streams.prev = &conn->streams;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, h2_on_begin);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, h2_on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, h2_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, h2_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, h2_on_close);
    nghttp2_session_callbacks_set_send_callback(callbacks, h2_send);
    nghttp2_session_server_new(&session, callbacks, conn);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, 0, &settings, 1);
    nghttp2_session_send(session);
    while ((got = read(conn->fd, buffer, sizeof buffer)) > 0) {
        if (nghttp2_session_mem_recv(session, buffer, (size_t)got) < 0 || nghttp2_session_send(session) < 0)
            break;
    }
    nghttp2_session_del(session);
    while (conn->streams.next != &conn->streams)
        h2_free_stream(conn->streams.next);
}

/* ---- life ---- */

static inline void *server_connection(void *user)
{
    struct server_conn *conn = user;

    if (conn->server->h2)
        h2_serve(conn);
    else
        h1_serve(conn);
    shutdown(conn->fd, SHUT_RDWR); /* closed by server_stop, so that the number is not used again meanwhile */
    free(conn);
    return NULL;
}

static inline void *server_accept(void *user)
{
    struct http_server *server = user;
    int on = 1;

    for (;;) {
        int fd = accept(server->fd, NULL, NULL);
        int index = atomic_load(&server->connections);
        struct server_conn *conn;

        if (fd < 0 || atomic_load(&server->stopping) || index == SERVER_MAX_CONNECTIONS) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        conn = malloc(sizeof *conn);
        *conn = (struct server_conn){.server = server, .fd = fd, .index = index};
        server->clients[index] = fd;
        atomic_fetch_add(&server->connections, 1); /* before anything is answered on it */
        pthread_create(&server->threads[index], NULL, server_connection, conn);
    }
}

static inline void server_start(struct http_server *server, bool h2)
{
    memset(server, 0, sizeof *server);
    server->h2 = h2;
    server->fd = listen_on(AF_INET, &server->port);
    ck_assert_int_ge(server->fd, 0);
    ck_assert_int_eq(pthread_create(&server->acceptor, NULL, server_accept, server), 0);
}

static inline void server_stop(struct http_server *server)
{
    int i;

    atomic_store(&server->stopping, true);
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->fd);
    for (i = 0; i < atomic_load(&server->connections); i++) {
        shutdown(server->clients[i], SHUT_RDWR);
        pthread_join(server->threads[i], NULL);
        close(server->clients[i]);
    }
}

static inline char *server_url(const struct http_server *server, const char *path)
{
    static _Thread_local char url[256];

    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", server->port, path);
    return url;
}

#endif
