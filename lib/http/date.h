/*
 * date.h - times as HTTP writes them (RFC 9110 section 5.6.7), and Retry-After (section 10.2.3).
 *
 * Pure: who needs to know what time it is now is told.
 */
#ifndef RQX_HTTP_DATE_H
#define RQX_HTTP_DATE_H

#include <stdint.h>

#include <requestx/types.h>

/*
 * Reads an HTTP-date in any of its three forms: seconds since 1970.  |now| (seconds too) says which century a year of
 * two digits is of.  0, or -1: malformed.
 */
int rqx__http_date(rqx_slice text, int64_t now, int64_t *ret_time);
/*
 * How many milliseconds a Retry-After of |value| asks to wait: so many seconds, or until a time, as seen at |now|; 0
 * for a time that has passed.  0, or -1: malformed.
 */
int rqx__retry_after(rqx_slice value, int64_t now, int64_t *ret_ms);

#endif
