#include "client/retry.h"

#include <limits.h>
#include <string.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define FIRST_STATUS 400
#define LAST_STATUS  599
/* Most statuses and methods, and bytes of a method. */
#define LIST_MAX   64
#define METHOD_MAX 64
/* Longest pause that may be asked for: a year. */
#define PAUSE_MAX_MS (INT64_C(365) * 86400 * 1000)

static const char *const idempotent_methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};

bool rqx__method_is_idempotent(rqx_slice method)
{
    size_t i;

    for (i = 0; i < sizeof idempotent_methods / sizeof idempotent_methods[0]; i++) {
        if (rqx__eq(method.data, method.len, idempotent_methods[i], strlen(idempotent_methods[i])))
            return true;
    }
    return false;
}

/* ---- making ---- */

void rqx_retry_options_init(rqx_retry_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->total = 3;
    options->connect = options->read = options->status = -1;
    options->backoff_ms = 500;
    options->backoff_max_ms = 30000;
    options->jitter = 50;
    options->respect_retry_after = 1;
    options->retry_after_max_ms = 120000;
}

static bool is_pause(int64_t ms)
{
    return ms >= 0 && ms <= PAUSE_MAX_MS;
}

static int check_numbers(const rqx_retry_options *options)
{
    if (options->struct_size < sizeof *options || options->total < 0 || options->connect < -1 || options->read < -1 ||
        options->status < -1)
        return RQX_ERR_INVALID_ARGUMENT;
    if (!is_pause(options->backoff_ms) || !is_pause(options->backoff_max_ms) ||
        !is_pause(options->retry_after_max_ms) || options->jitter < 0 || options->jitter > 100)
        return RQX_ERR_INVALID_ARGUMENT;
    return options->status_count > LIST_MAX || options->method_count > LIST_MAX ? RQX_ERR_INVALID_ARGUMENT : 0;
}

static int set_statuses(struct rqx_retry *retry, const int *statuses, size_t count)
{
    static const int usual[] = {429, 502, 503, 504};
    size_t i;

    if (statuses == NULL) {
        statuses = usual;
        count = sizeof usual / sizeof usual[0];
    }
    for (i = 0; i < count; i++) {
        int bit = statuses[i] - FIRST_STATUS;

        if (statuses[i] < FIRST_STATUS || statuses[i] > LAST_STATUS)
            return RQX_ERR_INVALID_ARGUMENT;
        retry->statuses[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
    return 0;
}

/* The texts in one piece of memory, and where each of them is. */
static int set_methods(struct rqx_retry *retry, const char *const *methods, size_t count)
{
    size_t size = 0;
    size_t i;

    if (methods == NULL)
        return 0;
    for (i = 0; i < count; i++) {
        size_t len = strlen(methods[i]);

        if (len > METHOD_MAX || !rqx__is_token(methods[i], len))
            return RQX_ERR_INVALID_METHOD;
        size += len;
    }
    retry->method_text = rqx__malloc(size + 1);
    retry->methods = rqx__calloc(count + 1, sizeof *retry->methods);
    if (retry->method_text == NULL || retry->methods == NULL)
        return RQX_ERR_NOMEM;
    for (i = 0, size = 0; i < count; i++) {
        size_t len = strlen(methods[i]);

        memcpy(retry->method_text + size, methods[i], len);
        retry->methods[i] = (rqx_slice){retry->method_text + size, len};
        size += len;
    }
    retry->method_count = count;
    return 0;
}

static void set_budget(struct rqx_retry *retry, const rqx_retry_options *options)
{
    int *kinds = retry->budget.kinds;

    retry->budget.total = options->total;
    kinds[RQX__RETRY_CONNECT] = options->connect < 0 ? options->total : options->connect;
    kinds[RQX__RETRY_READ] = options->read < 0 ? options->total : options->read;
    kinds[RQX__RETRY_STATUS] = options->status < 0 ? options->total : options->status;
}

int rqx_retry_new(const rqx_retry_options *options, rqx_retry **ret_retry)
{
    rqx_retry_options defaults;
    struct rqx_retry *retry;
    int rv;

    if (options == NULL) {
        rqx_retry_options_init(&defaults);
        options = &defaults;
    }
    rv = check_numbers(options);
    if (rv < 0)
        return rv;
    retry = rqx__calloc(1, sizeof *retry);
    if (retry == NULL)
        return RQX_ERR_NOMEM;
    atomic_init(&retry->refs, 1);
    set_budget(retry, options);
    retry->backoff_ms = options->backoff_ms;
    retry->backoff_max_ms = options->backoff_max_ms;
    retry->retry_after_max_ms = options->retry_after_max_ms;
    retry->jitter = options->jitter;
    retry->respect_retry_after = options->respect_retry_after != 0;
    rv = set_statuses(retry, options->statuses, options->status_count);
    if (rv >= 0)
        rv = set_methods(retry, options->methods, options->method_count);
    if (rv < 0) {
        rqx_retry_unref(retry);
        return rv;
    }
    *ret_retry = retry;
    return 0;
}

rqx_retry *rqx_retry_ref(rqx_retry *retry)
{
    atomic_fetch_add_explicit(&retry->refs, 1, memory_order_relaxed);
    return retry;
}

void rqx_retry_unref(rqx_retry *retry)
{
    if (retry == NULL || atomic_fetch_sub_explicit(&retry->refs, 1, memory_order_acq_rel) != 1)
        return;
    rqx__free(retry->methods);
    rqx__free(retry->method_text);
    rqx__free(retry);
}

/* ---- asking ---- */

enum rqx__retry_kind rqx__retry_kind_of(int code)
{
    switch (code) {
    case RQX_ERR_RESOLVE:
    case RQX_ERR_CONNECT:
    case RQX_ERR_CONNECT_TIMEOUT:
    case RQX_ERR_TLS_HANDSHAKE:
    case RQX_ERR_PROXY_CONNECT:
        return RQX__RETRY_CONNECT;
    case RQX_ERR_READ:
    case RQX_ERR_WRITE:
    case RQX_ERR_TRUNCATED:
    case RQX_ERR_STREAM_RESET:
    case RQX_ERR_GOAWAY:
    case RQX_ERR_REFUSED:
    case RQX_ERR_LIVENESS:
    case RQX_ERR_READ_TIMEOUT:
    case RQX_ERR_WRITE_TIMEOUT:
    case RQX_ERR_STALL_TIMEOUT:
        return RQX__RETRY_READ;
    default:
        return RQX__RETRY_NONE;
    }
}

bool rqx__retry_has_status(const struct rqx_retry *retry, int status)
{
    int bit = status - FIRST_STATUS;

    return status >= FIRST_STATUS && status <= LAST_STATUS && (retry->statuses[bit / 8] >> bit % 8 & 1) != 0;
}

bool rqx__retry_has_method(const struct rqx_retry *retry, rqx_slice method)
{
    size_t i;

    if (retry->methods == NULL)
        return rqx__method_is_idempotent(method);
    for (i = 0; i < retry->method_count; i++) {
        if (rqx__eq(method.data, method.len, retry->methods[i].data, retry->methods[i].len))
            return true;
    }
    return false;
}

/* Milliseconds, doubled for each try that was made. */
static int64_t grown_pause(const struct rqx_retry *retry, unsigned tries)
{
    int64_t pause = retry->backoff_ms;

    while (tries-- > 0 && pause != 0 && pause < retry->backoff_max_ms)
        pause *= 2;
    return pause < retry->backoff_max_ms ? pause : retry->backoff_max_ms;
}

uint64_t rqx__retry_pause(const struct rqx_retry *retry, unsigned tries, int64_t after_ms, uint32_t chance)
{
    uint64_t pause = rqx__clock_after_ms(0, grown_pause(retry, tries));
    uint64_t part = pause / 100 * (uint64_t)retry->jitter;
    uint64_t random = (uint64_t)((double)part * ((double)chance / UINT32_MAX));

    /* those who were told the same time should not all come at once */
    if (after_ms > 0)
        return rqx__clock_after_ms(0, after_ms) + random;
    return pause - random;
}

void rqx__retry_begin(const struct rqx_retry *retry, struct rqx__retry_budget *ret_budget)
{
    if (retry != NULL)
        *ret_budget = retry->budget;
}
