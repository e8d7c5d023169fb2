#include "base/clock.h"

#include <time.h>

uint64_t rqx__clock_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t rqx__clock_after_ms(uint64_t now, int64_t ms)
{
    if (ms < 0 || now == RQX__NEVER || (uint64_t)ms > (RQX__NEVER - 1 - now) / RQX__NS_PER_MS)
        return RQX__NEVER;
    return now + (uint64_t)ms * RQX__NS_PER_MS;
}
