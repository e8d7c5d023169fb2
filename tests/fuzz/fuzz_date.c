/*
 * HTTP dates and Retry-After.  A date that is read, written by the C library and read again is the same; one with a
 * year of four digits is the same to cookies; no wait is negative or without bound.
 */
#include "fuzz.h"

#include <time.h>

#include "base/str.h"
#include "http/cookies.h"
#include "http/date.h"

#define NOW     INT64_C(1700000000)
#define LONGEST (INT64_C(36525) * 86400 * 1000)

static void check_date(int64_t seconds)
{
    time_t when = (time_t)seconds;
    int64_t again = 0;
    struct tm parts;
    char written[64];
    size_t len;

    FUZZ_ASSERT(gmtime_r(&when, &parts) != NULL);
    len = strftime(written, sizeof written, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    if (parts.tm_year + 1900 < 1000 || parts.tm_year + 1900 > 9999) /* four digits; a leap second may lead beyond */
        return;
    FUZZ_ASSERT(rqx__http_date((rqx_slice){written, len}, NOW, &again) == 0 && again == seconds);
    /* cookies take none before 1601 */
    if (parts.tm_year + 1900 > 1601)
        FUZZ_ASSERT(rqx__cookie_date((rqx_slice){written, len}, &again) == 0 && again == seconds);
}

static void check_wait(rqx_slice text)
{
    int64_t ms = -1;
    uint64_t seconds = 0;

    if (rqx__retry_after(text, NOW, &ms) < 0)
        return;
    FUZZ_ASSERT(ms >= 0 && ms <= LONGEST);
    if (rqx__parse_u64(text.data, text.len, 1000000, &seconds) == 0)
        FUZZ_ASSERT(ms == (int64_t)seconds * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = {data, size};
    char *copy = fuzz_copy(in);
    rqx_slice text = {copy, in.len};
    int64_t seconds = 0;

    if (rqx__http_date(text, NOW, &seconds) == 0)
        check_date(seconds);
    check_wait(text);
    free(copy);
    return 0;
}
