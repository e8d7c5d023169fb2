/*
 * clock.h - time that only goes forward, in nanoseconds.
 */
#ifndef RQX_BASE_CLOCK_H
#define RQX_BASE_CLOCK_H

#include <stdint.h>

#define RQX__NS_PER_MS UINT64_C(1000000)
#define RQX__NS_PER_US UINT64_C(1000)
/* A deadline that never comes. */
#define RQX__NEVER UINT64_MAX

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t rqx__clock_now(void);
/* |now| plus |ms|; RQX__NEVER for a negative |ms| or beyond the end of time. */
uint64_t rqx__clock_after_ms(uint64_t now, int64_t ms);

#endif
