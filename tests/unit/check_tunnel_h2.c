/*
 * check_tunnel_h2.c - a tunnel in a stream of HTTP/2 (RFC 9113 section 8.5): what is asked, how a proxy may answer, and
 * a byte stream under the proxy's flow control.  The proxy is nghttp2's server session on the other end of a
 * socketpair.
 */
#include "support.h"

#include <nghttp2/nghttp2.h>

#include "net_support.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the proxy does with the request. */
enum reaction { ANSWER = 0, ANSWER_AND_END, INTERIM_FIRST, RESET, GO_AWAY, IGNORE };

struct fixture {
    struct rqx__wire *wire;
    struct rqx__err err;

    int proxy; /* the proxy's end; does not block */
    nghttp2_session *session;
    enum reaction reaction;
    const char *status;
    uint32_t code;    /* of RESET and GO_AWAY */
    char asked[1000]; /* the request's fields, a line each */
    int32_t id;
    uint8_t *to_send; /* through the tunnel */
    size_t to_send_len;
    size_t sent;
    bool send_end; /* END_STREAM behind it */
    uint8_t *received;
    size_t received_len;
    size_t received_cap;
    bool holds;   /* gives no credit by itself */
    bool got_end; /* END_STREAM came */
    bool got_goaway;
    bool closed; /* the client's FIN came */
    size_t pongs;
};

/* ---- the proxy ---- */

static ssize_t give_data(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t cap, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    struct fixture *fixture = user;
    size_t len = fixture->to_send_len - fixture->sent;

    (void)session;
    (void)id;
    (void)source;
    if (len > cap)
        len = cap;
    if (len > 0)
        memcpy(buffer, fixture->to_send + fixture->sent, len);
    fixture->sent += len;
    if (fixture->send_end && fixture->sent == fixture->to_send_len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (len == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)len;
}

static void react(struct fixture *fixture)
{
    nghttp2_nv head[] = {{(uint8_t *)":status", (uint8_t *)(uintptr_t)fixture->status, 7, 3, 0},
                         {(uint8_t *)"via", (uint8_t *)"2 proxy", 3, 7, 0}};
    nghttp2_nv interim = {(uint8_t *)":status", (uint8_t *)"103", 7, 3, 0};
    nghttp2_data_provider provider = {.read_callback = give_data};

    switch (fixture->reaction) {
    case INTERIM_FIRST:
        nghttp2_submit_headers(fixture->session, 0, fixture->id, NULL, &interim, 1, NULL);
        /* fall through */
    case ANSWER:
        nghttp2_submit_response(fixture->session, fixture->id, head, 2, &provider);
        break;
    case ANSWER_AND_END:
        nghttp2_submit_response(fixture->session, fixture->id, head, 2, NULL);
        break;
    case RESET:
        nghttp2_submit_rst_stream(fixture->session, 0, fixture->id, fixture->code);
        break;
    case GO_AWAY:
        nghttp2_submit_goaway(fixture->session, 0, 0, fixture->code, NULL, 0);
        break;
    case IGNORE:
        break;
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct fixture *fixture = user;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        fixture->got_goaway = true;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        fixture->pongs++;
    if (frame->hd.stream_id != 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        fixture->got_end = true;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        fixture->id = frame->hd.stream_id;
        react(fixture);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct fixture *fixture = user;
    size_t used = strlen(fixture->asked);

    (void)session;
    (void)frame;
    snprintf(fixture->asked + used, sizeof fixture->asked - used, "%.*s: %.*s%s\n", (int)name_len, (const char *)name,
             (int)value_len, (const char *)value, flags & NGHTTP2_NV_FLAG_NO_INDEX ? " (never indexed)" : "");
    return 0;
}

static int on_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user)
{
    struct fixture *fixture = user;

    (void)flags;
    ck_assert_uint_le(fixture->received_len + len, fixture->received_cap);
    memcpy(fixture->received + fixture->received_len, data, len);
    fixture->received_len += len;
    if (!fixture->holds)
        nghttp2_session_consume(session, id, len);
    return 0;
}

/* Lets the proxy read and write what it can. */
static void serve(struct fixture *fixture)
{
    const uint8_t *data;
    uint8_t buffer[65536];
    ssize_t len;

    while (!fixture->closed && (len = recv(fixture->proxy, buffer, sizeof buffer, 0)) >= 0) {
        fixture->closed = len == 0;
        if (len > 0)
            ck_assert_int_eq(nghttp2_session_mem_recv(fixture->session, buffer, (size_t)len), len);
    }
    while ((len = nghttp2_session_mem_send(fixture->session, &data)) > 0) {
        ssize_t done = 0;

        while (done < len) {
            ssize_t put = send(fixture->proxy, data + done, (size_t)(len - done), MSG_NOSIGNAL);

            if (put < 0 && errno == EAGAIN) {
                fixture->wire->ops->pump(fixture->wire); /* the client takes it in; nothing else would */
                continue;
            }
            if (put < 0)
                return;
            done += put;
        }
    }
}

static void start(struct fixture *fixture, enum reaction reaction, const char *status, const char *fields,
                  uint32_t window)
{
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    struct rqx__wire *tcp = NULL;
    int ends[2];

    memset(fixture, 0, sizeof *fixture);
    fixture->reaction = reaction;
    fixture->status = status;
    fixture->received_cap = 8 << 20;
    fixture->received = malloc(fixture->received_cap);
    make_pair(ends);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    fixture->proxy = ends[1];
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_chunk);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    ck_assert_int_eq(nghttp2_session_server_new2(&fixture->session, callbacks, fixture, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(fixture->session, 0, settings, 1);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    ck_assert_int_eq(rqx__h2_tunnel_wire_new(tcp, SLICE("origin.example:443"), SLICE(fields), &fixture->wire), 0);
    ck_assert_str_eq(fixture->wire->ops->name, "tunnel-h2");
    ck_assert_ptr_eq(fixture->wire->lower, tcp);
    ck_assert_ptr_eq(rqx__wire_mover(fixture->wire), fixture->wire);
    ck_assert_int_eq(fixture->wire->fd, ends[0]);
}

static void stop(struct fixture *fixture)
{
    rqx__wire_free(fixture->wire);
    nghttp2_session_del(fixture->session);
    close(fixture->proxy);
    free(fixture->received);
    free(fixture->to_send);
}

/* Both sides in turn until the handshake is over. */
static int shake(struct fixture *fixture)
{
    int rc = RQX_AGAIN;
    int i;

    for (i = 0; rc == RQX_AGAIN && i < 100; i++) {
        rc = rqx__wire_handshake(fixture->wire, &fixture->err);
        if (rc == RQX_AGAIN)
            serve(fixture);
    }
    return rc;
}

static void open_tunnel(struct fixture *fixture, uint32_t window)
{
    start(fixture, ANSWER, "200", "", window);
    ck_assert_int_eq(shake(fixture), 0);
}

/* Has the proxy send |len| bytes more, which read as a pattern. */
static void let_send(struct fixture *fixture, size_t len)
{
    size_t i;

    fixture->to_send = realloc(fixture->to_send, fixture->to_send_len + len);
    for (i = fixture->to_send_len; i < fixture->to_send_len + len; i++)
        fixture->to_send[i] = (uint8_t)(i * 7 + i / 251);
    fixture->to_send_len += len;
    nghttp2_session_resume_data(fixture->session, fixture->id);
}

/* ---- the tests ---- */

START_TEST(a_tunnel_asks_opens_and_carries)
{
    struct fixture fixture;
    uint8_t buffer[16];
    size_t len = 0;

    start(&fixture, ANSWER, "200", "Proxy-Authorization: Basic dTpw\r\nX-Tag:  a: b \r\n", 65535);
    ck_assert_int_eq(shake(&fixture), 0);
    ck_assert_str_eq(fixture.asked, ":method: CONNECT\n:authority: origin.example:443\n"
                                    "proxy-authorization: Basic dTpw (never indexed)\nx-tag: a: b\n");
    ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), 0);
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(fixture.wire), RQX__IO_READ);
    ck_assert_int_eq(rqx__wire_write(fixture.wire, (const uint8_t *)"ping", 4, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 4);
    serve(&fixture);
    ck_assert_uint_eq(fixture.received_len, 4);
    ck_assert_mem_eq(fixture.received, "ping", 4);
    let_send(&fixture, 5);
    serve(&fixture);
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, 3, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 3);
    ck_assert(rqx__wire_has_buffered(fixture.wire));
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer + 3, 13, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 2);
    ck_assert_mem_eq(buffer, fixture.to_send, 5);
    ck_assert(!rqx__wire_has_buffered(fixture.wire));
    rqx__wire_shutdown(fixture.wire);
    serve(&fixture);
    ck_assert(fixture.got_end);
    ck_assert(fixture.got_goaway);
    ck_assert(fixture.closed);
    stop(&fixture);
}
END_TEST

START_TEST(interim_answers_are_passed_over)
{
    struct fixture fixture;

    start(&fixture, INTERIM_FIRST, "204", "", 65535);
    ck_assert_int_eq(shake(&fixture), 0);
    stop(&fixture);
}
END_TEST

START_TEST(refusals_are_told)
{
    static const struct {
        enum reaction reaction;
        const char *status;
        uint32_t h2_code;
        int code;
        const char *text;
    } cases[] = {
        {ANSWER, "407", 0, RQX_ERR_PROXY_AUTH, "407"},
        {ANSWER, "403", 0, RQX_ERR_PROXY_REFUSED, "403"},
        {ANSWER_AND_END, "502", 0, RQX_ERR_PROXY_REFUSED, "502"},
        {INTERIM_FIRST, "302", 0, RQX_ERR_PROXY_REFUSED, "302"},
        {RESET, "200", NGHTTP2_CONNECT_ERROR, RQX_ERR_PROXY_REFUSED, "CONNECT_ERROR"},
        {RESET, "200", NGHTTP2_REFUSED_STREAM, RQX_ERR_PROXY_REFUSED, "REFUSED_STREAM"},
        {RESET, "200", NGHTTP2_HTTP_1_1_REQUIRED, RQX_ERR_PROXY_REFUSED, "HTTP_1_1_REQUIRED"},
        {GO_AWAY, "200", NGHTTP2_ENHANCE_YOUR_CALM, RQX_ERR_PROXY_REFUSED, "ENHANCE_YOUR_CALM"},
    };
    size_t i;

    for (i = 0; i < COUNT(cases); i++) {
        struct fixture fixture;

        start(&fixture, cases[i].reaction, cases[i].status, "", 65535);
        fixture.code = cases[i].h2_code;
        let_send(&fixture, 100); /* words about it */
        ck_assert_msg(shake(&fixture) == cases[i].code, "case %zu: %s", i, fixture.err.text);
        ck_assert_int_eq(fixture.err.code, cases[i].code);
        ck_assert_msg(strstr(fixture.err.text, cases[i].text) != NULL, "case %zu: %s", i, fixture.err.text);
        ck_assert_int_eq(rqx__wire_handshake(fixture.wire, &fixture.err), cases[i].code);
        stop(&fixture);
    }
}
END_TEST

/* What comes of a proxy that says |text| and, if |end|, closes. */
static int outcome_of(const char *text, size_t len, bool end, struct fixture *fixture)
{
    uint8_t buffer[1000];

    start(fixture, IGNORE, "200", "", 65535);
    ck_assert_int_eq(rqx__wire_handshake(fixture->wire, &fixture->err), RQX_AGAIN);
    while (recv(fixture->proxy, buffer, sizeof buffer, 0) > 0)
        ;
    ck_assert(put_all(fixture->proxy, text, len));
    if (end)
        shutdown(fixture->proxy, SHUT_WR);
    return drive_handshake(fixture->wire, &fixture->err);
}

START_TEST(nonsense_is_told)
{
    struct fixture fixture;
    uint8_t buffer[1000];

    ck_assert_int_eq(outcome_of("HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, &fixture), RQX_ERR_PROXY_PROTOCOL);
    ck_assert_int_gt(recv(fixture.proxy, buffer, sizeof buffer, 0), 0); /* GOAWAY */
    stop(&fixture);
    ck_assert_int_eq(outcome_of("", 0, true, &fixture), RQX_ERR_TRUNCATED);
    ck_assert_str_eq(fixture.err.text, "the proxy closed the connection without an answer");
    stop(&fixture);
    ck_assert_int_eq(outcome_of("\0\0\0\4\0\0\0\0\0", 9, true, &fixture), RQX_ERR_TRUNCATED);
    stop(&fixture);
    start(&fixture, IGNORE, "200", "", 65535);
    shutdown(fixture.proxy, SHUT_RDWR);
    ck_assert_int_lt(shake(&fixture), 0);
    stop(&fixture);
}
END_TEST

START_TEST(the_end_of_the_tunnel_is_an_end)
{
    struct fixture fixture;
    uint8_t buffer[100];
    size_t len = 1;

    open_tunnel(&fixture, 65535);
    fixture.send_end = true;
    let_send(&fixture, 10);
    serve(&fixture);
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 10);
    ck_assert(rqx__wire_has_buffered(fixture.wire)); /* the end is there to be read */
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 0);
    /* the other direction goes on */
    ck_assert_int_eq(rqx__wire_write(fixture.wire, (const uint8_t *)"late", 4, &len, &fixture.err), 0);
    serve(&fixture);
    ck_assert_mem_eq(fixture.received, "late", 4);
    stop(&fixture);
    start(&fixture, ANSWER_AND_END, "200", "", 65535); /* at once */
    ck_assert_int_eq(shake(&fixture), 0);
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 0);
    stop(&fixture);
}
END_TEST

/* What came before is read first. */
START_TEST(a_tunnel_that_breaks_is_told)
{
    struct fixture fixture;
    uint8_t buffer[100];
    size_t len = 0;

    open_tunnel(&fixture, 65535);
    let_send(&fixture, 10);
    serve(&fixture);
    nghttp2_submit_rst_stream(fixture.session, 0, fixture.id, NGHTTP2_CONNECT_ERROR);
    serve(&fixture);
    fixture.wire->ops->pump(fixture.wire);
    ck_assert(rqx__wire_has_buffered(fixture.wire));
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 10);
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), RQX_ERR_READ);
    ck_assert_ptr_nonnull(
        strstr(fixture.err.text, "tunnel broken by the proxy: stream reset by the peer: CONNECT_ERR"));
    ck_assert_int_eq(rqx__wire_write(fixture.wire, (const uint8_t *)"x", 1, &len, &fixture.err), RQX_ERR_READ);
    stop(&fixture);
    open_tunnel(&fixture, 65535);
    shutdown(fixture.proxy, SHUT_WR); /* the connection ends, and the stream did not */
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), RQX_ERR_TRUNCATED);
    ck_assert_uint_eq(rqx__wire_wants(fixture.wire) & RQX__IO_READ, 0); /* else the loop would never rest */
    stop(&fixture);
    open_tunnel(&fixture, 65535);
    ck_assert(put_all(fixture.proxy, "\0\0\1\0\0\0\0\0\0x", 10)); /* DATA on stream 0 */
    ck_assert_int_eq(rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err), RQX_ERR_PROXY_PROTOCOL);
    stop(&fixture);
}
END_TEST

/* Nothing is taken beyond the credit, and what is waited for is credit: something to read. */
START_TEST(writing_waits_for_credit)
{
    static const char text[] = "0123456789abcdefghij";
    struct fixture fixture;
    size_t len = 0;
    size_t done = 0;

    open_tunnel(&fixture, 8);
    fixture.holds = true;
    ck_assert_int_eq(rqx__wire_write(fixture.wire, (const uint8_t *)text, 20, &len, &fixture.err), 0);
    ck_assert_uint_eq(len, 8);
    ck_assert_int_eq(rqx__wire_write(fixture.wire, (const uint8_t *)text + 8, 12, &len, &fixture.err), RQX_AGAIN);
    ck_assert_uint_eq(rqx__wire_wants(fixture.wire), RQX__IO_READ);
    for (done = 8; done < 20; done += len) {
        serve(&fixture);
        ck_assert_uint_eq(fixture.received_len, done);
        nghttp2_submit_window_update(fixture.session, 0, fixture.id, 5);
        serve(&fixture);
        ck_assert_int_eq(rqx__wire_write(fixture.wire, (const uint8_t *)text + done, 20 - done, &len, &fixture.err), 0);
        ck_assert_uint_eq(len, 20 - done < 5 ? 20 - done : 5);
    }
    serve(&fixture);
    ck_assert_uint_eq(fixture.received_len, 20);
    ck_assert_mem_eq(fixture.received, text, 20);
    stop(&fixture);
}
END_TEST

/* A reader that does not read holds the proxy back, at the window. */
START_TEST(a_reader_that_rests_is_not_buried)
{
    static uint8_t buffer[65536];
    struct fixture fixture;
    size_t total = 3 << 20;
    size_t done = 0;
    size_t at_rest;
    int i;

    open_tunnel(&fixture, 65535);
    let_send(&fixture, total);
    for (i = 0; i < 20; i++) {
        serve(&fixture);
        fixture.wire->ops->pump(fixture.wire);
    }
    at_rest = fixture.sent;
    ck_assert_uint_lt(at_rest, 300 * 1024);
    while (done < total) {
        size_t len = 0;
        int rc = rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err);

        ck_assert_int_ge(rc, 0);
        if (rc == RQX_AGAIN) {
            serve(&fixture);
            continue;
        }
        ck_assert_mem_eq(buffer, fixture.to_send + done, len);
        done += len;
    }
    stop(&fixture);
}
END_TEST

/* With the socket full, frames wait and the wire says so; pump() has them leave. */
START_TEST(frames_wait_for_the_socket)
{
    static uint8_t data[1 << 20];
    struct fixture fixture;
    size_t done = 0;
    size_t len = 0;
    size_t i;
    int size = 4096;
    int rc = 0;

    for (i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 3 + i / 253);
    open_tunnel(&fixture, 1 << 20);
    nghttp2_session_set_local_window_size(fixture.session, 0, 0, 4 << 20);
    serve(&fixture);
    fixture.wire->ops->pump(fixture.wire);
    ck_assert_int_eq(setsockopt(fixture.wire->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    while (rc == 0) {
        rc = rqx__wire_write(fixture.wire, data + done, sizeof data - done, &len, &fixture.err);
        if (rc == 0)
            done += len;
    }
    ck_assert_int_eq(rc, RQX_AGAIN);
    ck_assert_uint_lt(done, 300 * 1024);
    ck_assert_uint_eq(rqx__wire_wants(fixture.wire), RQX__IO_READ | RQX__IO_WRITE);
    while (done < sizeof data) {
        serve(&fixture);
        fixture.wire->ops->pump(fixture.wire);
        rc = rqx__wire_write(fixture.wire, data + done, sizeof data - done, &len, &fixture.err);
        ck_assert_int_ge(rc, 0);
        if (rc == 0)
            done += len;
    }
    while (fixture.received_len < sizeof data) {
        fixture.wire->ops->pump(fixture.wire);
        serve(&fixture);
    }
    ck_assert_uint_eq(rqx__wire_wants(fixture.wire), RQX__IO_READ);
    ck_assert_mem_eq(fixture.received, data, sizeof data);
    stop(&fixture);
}
END_TEST

START_TEST(the_protocols_own_frames_are_answered)
{
    struct fixture fixture;

    open_tunnel(&fixture, 65535);
    nghttp2_submit_ping(fixture.session, 0, NULL);
    serve(&fixture);
    fixture.wire->ops->pump(fixture.wire);
    serve(&fixture);
    ck_assert_uint_eq(fixture.pongs, 1);
    stop(&fixture);
}
END_TEST

START_TEST(what_would_break_the_request_is_refused)
{
    static const struct {
        rqx_slice authority;
        rqx_slice fields;
    } cases[] = {
        {{"", 0}, {"", 0}},           {{"a b:1", 5}, {"", 0}},          {{"a\r\nX: y", 7}, {"", 0}},
        {{"a:1", 3}, {"X: y", 4}},    {{"a:1", 3}, {"X: y\n", 5}},      {{"a:1", 3}, {"X: y\r\n\r\n", 8}},
        {{"a:1", 3}, {"no\r\n", 4}},  {{"a:1", 3}, {"X: y\rZ\r\n", 8}}, {{"a:1", 3}, {"X: y\r", 5}},
        {{"a:1", 3}, {": y\r\n", 5}},
    };
    struct rqx__wire *tcp = NULL;
    struct rqx__wire *tunnel = NULL;
    int ends[2];
    size_t i;

    make_pair(ends);
    ck_assert_int_eq(rqx__tcp_wire_new(ends[0], &tcp), 0);
    for (i = 0; i < COUNT(cases); i++)
        ck_assert_msg(rqx__h2_tunnel_wire_new(tcp, cases[i].authority, cases[i].fields, &tunnel) ==
                          RQX_ERR_INVALID_ARGUMENT,
                      "case %zu", i);
    ck_assert_ptr_null(tunnel);
    rqx__wire_free(tcp);
    close(ends[1]);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(each_allocation_may_fail)
{
    bool whole = false;
    unsigned long n;

    for (n = 1; !whole; n++) {
        struct fixture fixture;
        struct rqx__wire *tunnel = NULL;
        struct rqx__wire *tcp;
        uint8_t buffer[100];
        size_t len = 0;
        int rc;

        start(&fixture, ANSWER, "200", "", 65535); /* for its proxy; its wire is made anew */
        tcp = fixture.wire->lower;
        fixture.wire->lower = NULL;
        rqx__wire_free(fixture.wire);
        fixture.wire = NULL;
        rqx__mem_fail_at(n, 0);
        rc = rqx__h2_tunnel_wire_new(tcp, SLICE("origin.example:443"), SLICE("X: y\r\n"), &tunnel);
        fixture.wire = rc == 0 ? tunnel : tcp;
        if (rc == 0)
            rc = shake(&fixture);
        if (rc == 0)
            rc = rqx__wire_write(fixture.wire, (const uint8_t *)"ping", 4, &len, &fixture.err);
        if (rc == 0) {
            serve(&fixture);
            let_send(&fixture, 50);
            serve(&fixture);
            rc = rqx__wire_read(fixture.wire, buffer, sizeof buffer, &len, &fixture.err);
        }
        rqx__mem_fail_at(0, 0);
        whole = rc == 0;
        if (whole)
            ck_assert_uint_eq(len, 50);
        else
            ck_assert_int_lt(rc, 0);
        stop(&fixture);
        ck_assert_uint_lt(n, 500);
    }
    ck_assert_uint_gt(n, 10);
}
END_TEST
#endif

static Suite *tunnel_h2_suite(void)
{
    Suite *suite = suite_create("tunnel_h2");
    TCase *tcase = rqx_add_case(suite, "tunnel_h2");

    tcase_add_test(tcase, a_tunnel_asks_opens_and_carries);
    tcase_add_test(tcase, interim_answers_are_passed_over);
    tcase_add_test(tcase, refusals_are_told);
    tcase_add_test(tcase, nonsense_is_told);
    tcase_add_test(tcase, the_end_of_the_tunnel_is_an_end);
    tcase_add_test(tcase, a_tunnel_that_breaks_is_told);
    tcase_add_test(tcase, writing_waits_for_credit);
    tcase_add_test(tcase, a_reader_that_rests_is_not_buried);
    tcase_add_test(tcase, frames_wait_for_the_socket);
    tcase_add_test(tcase, the_protocols_own_frames_are_answered);
    tcase_add_test(tcase, what_would_break_the_request_is_refused);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(tcase, each_allocation_may_fail);
#endif
    return suite;
}

RQX_CHECK_MAIN(tunnel_h2_suite)
