/*
 * socks.c - a connection through a SOCKS5 proxy (RFC 1928), with user and password where it wants them (RFC 1929).
 *
 * Up to three questions, each sent whole before its answer is read; proto/socks.c knows the words.  No byte behind an
 * answer is read, so that once the proxy has connected this layer only hands on.  What holds credentials is wiped once
 * it was sent.
 */
#include "net/wire.h"

#include <string.h>

#include "base/mem.h"
#include "proto/socks.h"

enum step { STEP_LOWER = 0, STEP_METHODS, STEP_PASSWORD, STEP_CONNECT, STEP_OPEN };

struct socks_wire {
    struct rqx__wire wire;
    enum step step;
    uint8_t question[RQX__SOCKS_SAY_MAX]; /* of this step */
    size_t question_len;
    size_t sent;
    uint8_t answer[RQX__SOCKS_ANSWER_MAX];
    size_t answer_len;
    size_t answer_need; /* bytes that it has at least */
    bool has_password;
    uint8_t password[RQX__SOCKS_SAY_MAX]; /* the message; secret */
    size_t password_len;
    uint8_t connect[RQX__SOCKS_SAY_MAX]; /* the message */
    size_t connect_len;
    int code; /* the proxy's, of a failure */
};

static struct socks_wire *socks_of(const struct rqx__wire *wire)
{
    return (struct socks_wire *)(uintptr_t)wire;
}

static void ask(struct socks_wire *socks, enum step step, const uint8_t *question, size_t len)
{
    socks->step = step;
    memcpy(socks->question, question, len);
    socks->question_len = len;
    socks->sent = 0;
    socks->answer_len = 0;
    socks->answer_need = 2; /* no answer is shorter */
}

static void begin(struct socks_wire *socks)
{
    uint8_t methods[RQX__SOCKS_SAY_MAX];
    size_t len = rqx__socks_say_methods(socks->has_password, methods);

    ask(socks, STEP_METHODS, methods, len);
}

static int send_question(struct socks_wire *socks, struct rqx__err *err)
{
    while (socks->sent < socks->question_len) {
        size_t put = 0;
        int rc = rqx__wire_write(socks->wire.lower, socks->question + socks->sent, socks->question_len - socks->sent,
                                 &put, err);

        if (rc != 0)
            return rc;
        socks->sent += put;
    }
    if (socks->step == STEP_PASSWORD) {
        explicit_bzero(socks->question, sizeof socks->question);
        explicit_bzero(socks->password, sizeof socks->password);
    }
    return 0;
}

/* The answer to this step's question is in |answer|, or a part of it.  0: goes on to the next step. */
static int take_answer(struct socks_wire *socks, struct rqx__err *err)
{
    enum rqx__socks_method method;
    int rc;

    switch (socks->step) {
    case STEP_METHODS:
        rc = rqx__socks_take_method(socks->answer, socks->answer_len, socks->has_password, &method, &socks->answer_need,
                                    err);
        if (rc == 0 && method == RQX__SOCKS_PASSWORD)
            ask(socks, STEP_PASSWORD, socks->password, socks->password_len);
        else if (rc == 0)
            ask(socks, STEP_CONNECT, socks->connect, socks->connect_len);
        return rc;
    case STEP_PASSWORD:
        rc = rqx__socks_take_password(socks->answer, socks->answer_len, &socks->answer_need, err);
        if (rc == 0)
            ask(socks, STEP_CONNECT, socks->connect, socks->connect_len);
        return rc;
    default:
        rc = rqx__socks_take_connect(socks->answer, socks->answer_len, &socks->code, &socks->answer_need, err);
        if (rc == 0)
            socks->step = STEP_OPEN;
        return rc;
    }
}

static int closed(const struct socks_wire *socks, struct rqx__err *err)
{
    static const char *const questions[] = {
        [STEP_METHODS] = "the greeting", [STEP_PASSWORD] = "user and password", [STEP_CONNECT] = "the request"};

    return rqx__err_set(err, RQX_ERR_TRUNCATED, "the proxy closed the connection %s to %s",
                        socks->answer_len == 0 ? "without an answer" : "within its answer", questions[socks->step]);
}

static int receive_answer(struct socks_wire *socks, struct rqx__err *err)
{
    int rc;

    do {
        size_t got = 0;

        rc = rqx__wire_read(socks->wire.lower, socks->answer + socks->answer_len,
                            socks->answer_need - socks->answer_len, &got, err);
        if (rc != 0)
            return rc;
        if (got == 0)
            return closed(socks, err);
        socks->answer_len += got;
        rc = take_answer(socks, err);
    } while (rc == RQX_AGAIN);
    return rc;
}

static int socks_handshake(struct rqx__wire *wire, struct rqx__err *err)
{
    struct socks_wire *socks = socks_of(wire);
    int rc = 0;

    if (socks->step == STEP_LOWER) {
        rc = rqx__wire_handshake(wire->lower, err);
        if (rc == 0)
            begin(socks);
    }
    while (rc == 0 && socks->step != STEP_OPEN) {
        rc = send_question(socks, err);
        if (rc == 0)
            rc = receive_answer(socks, err);
    }
    return rc;
}

/* ---- open: the layer below is the connection ---- */

static int socks_read(struct rqx__wire *wire, uint8_t *buffer, size_t cap, size_t *ret_len, struct rqx__err *err)
{
    return rqx__wire_read(wire->lower, buffer, cap, ret_len, err);
}

static int socks_write(struct rqx__wire *wire, const uint8_t *data, size_t len, size_t *ret_len, struct rqx__err *err)
{
    return rqx__wire_write(wire->lower, data, len, ret_len, err);
}

static bool socks_has_buffered(const struct rqx__wire *wire)
{
    return rqx__wire_has_buffered(wire->lower);
}

static unsigned socks_wants(const struct rqx__wire *wire)
{
    return rqx__wire_wants(wire->lower);
}

static void socks_shutdown(struct rqx__wire *wire)
{
    rqx__wire_shutdown(wire->lower);
}

static void socks_free(struct rqx__wire *wire)
{
    rqx__wire_free(wire->lower);
    rqx__free_secret(socks_of(wire), sizeof(struct socks_wire));
}

static const struct rqx__wire_ops socks_ops = {
    .name = "socks",
    .handshake = socks_handshake,
    .read = socks_read,
    .write = socks_write,
    .has_buffered = socks_has_buffered,
    .wants = socks_wants,
    .shutdown = socks_shutdown,
    .free = socks_free,
};

int rqx__socks_wire_new(struct rqx__wire *lower, const struct rqx__socks_target *target, rqx_slice user,
                        rqx_slice password, struct rqx__wire **ret_wire)
{
    struct socks_wire *socks = rqx__calloc(1, sizeof *socks);

    if (socks == NULL)
        return RQX_ERR_NOMEM;
    socks->wire.ops = &socks_ops;
    socks->wire.fd = lower->fd;
    socks->has_password = user.data != NULL;
    socks->connect_len = rqx__socks_say_connect(target, socks->connect);
    if (socks->has_password)
        socks->password_len = rqx__socks_say_password(user, password, socks->password);
    if (socks->connect_len == 0 || (socks->has_password && socks->password_len == 0)) {
        rqx__free_secret(socks, sizeof *socks);
        return RQX_ERR_INVALID_ARGUMENT;
    }
    socks->wire.lower = lower;
    *ret_wire = &socks->wire;
    return 0;
}

int rqx__socks_wire_code(const struct rqx__wire *wire)
{
    return socks_of(wire)->code;
}
