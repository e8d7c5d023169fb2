#include "http/date.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

#define SECONDS_PER_DAY 86400
/* Longest wait that is told of: a hundred years, so that nobody's sum overflows. */
#define LONGEST_SECONDS (INT64_C(36525) * SECONDS_PER_DAY)

struct date {
    int64_t year;
    int64_t month; /* 1 to 12 */
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
};

/* What is left to read; |data| NULL once something did not fit. */
static void fail(rqx_slice *text)
{
    text->data = NULL;
    text->len = 0;
}

static void take(rqx_slice *text, const char *expected)
{
    size_t len = strlen(expected);

    if (text->data == NULL || text->len < len || memcmp(text->data, expected, len) != 0) {
        fail(text);
        return;
    }
    text->data += len;
    text->len -= len;
}

static int64_t take_number(rqx_slice *text, size_t digits)
{
    uint64_t value = 0;

    if (text->data == NULL || text->len < digits || rqx__parse_u64(text->data, digits, 9999, &value) < 0) {
        fail(text);
        return 0;
    }
    text->data += digits;
    text->len -= digits;
    return (int64_t)value;
}

static int64_t take_month(rqx_slice *text)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t i;

    for (i = 0; text->data != NULL && text->len >= 3 && i < 12; i++) {
        if (memcmp(names + 3 * i, text->data, 3) == 0) {
            text->data += 3;
            text->len -= 3;
            return i + 1;
        }
    }
    fail(text);
    return 0;
}

/* The day's name says nothing that the date does not. */
static void skip_letters(rqx_slice *text)
{
    size_t len = 0;

    while (len < text->len && rqx__lower((unsigned char)text->data[len]) >= 'a' &&
           rqx__lower((unsigned char)text->data[len]) <= 'z')
        len++;
    if (len < 3 || len > 9) {
        fail(text);
        return;
    }
    text->data += len;
    text->len -= len;
}

static void take_clock(rqx_slice *text, struct date *date)
{
    date->hour = take_number(text, 2);
    take(text, ":");
    date->minute = take_number(text, 2);
    take(text, ":");
    date->second = take_number(text, 2);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool is_sane(const struct date *date)
{
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (date->month < 1 || date->month > 12 || date->day < 1 || date->year < 1)
        return false;
    if (date->day > lengths[date->month - 1] + (date->month == 2 && is_leap(date->year) ? 1 : 0))
        return false;
    return date->hour < 24 && date->minute < 60 && date->second <= 60; /* 60: a leap second */
}

/* Days since 1970 of a date of the Gregorian calendar, with years that begin in March. */
static int64_t days_of(const struct date *date)
{
    int64_t month = (date->month + 9) % 12;
    int64_t year = date->year - (date->month < 3 ? 1 : 0);

    return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date->day - 1 - 719468;
}

static int64_t seconds_of(const struct date *date)
{
    return ((days_of(date) * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

/* A year of two digits that would be more than 50 years ahead is of the century before. */
static int64_t full_year(int64_t year, int64_t now)
{
    int64_t this_year = 1970 + now / (365 * SECONDS_PER_DAY + SECONDS_PER_DAY / 4);

    year += this_year - this_year % 100;
    if (year > this_year + 50)
        year -= 100;
    return year;
}

/* "06 Nov 1994 08:49:37 GMT" */
static void take_fixdate(rqx_slice *text, struct date *date)
{
    date->day = take_number(text, 2);
    take(text, " ");
    date->month = take_month(text);
    take(text, " ");
    date->year = take_number(text, 4);
    take(text, " ");
    take_clock(text, date);
    take(text, " GMT");
}

/* "06-Nov-94 08:49:37 GMT" */
static void take_rfc850(rqx_slice *text, struct date *date, int64_t now)
{
    date->day = take_number(text, 2);
    take(text, "-");
    date->month = take_month(text);
    take(text, "-");
    date->year = full_year(take_number(text, 2), now);
    take(text, " ");
    take_clock(text, date);
    take(text, " GMT");
}

/* " Nov  6 08:49:37 1994" */
static void take_asctime(rqx_slice *text, struct date *date)
{
    take(text, " ");
    date->month = take_month(text);
    take(text, " ");
    if (text->len != 0 && text->data[0] == ' ') {
        take(text, " ");
        date->day = take_number(text, 1);
    } else {
        date->day = take_number(text, 2);
    }
    take(text, " ");
    take_clock(text, date);
    take(text, " ");
    date->year = take_number(text, 4);
}

int rqx__http_date(rqx_slice text, int64_t now, int64_t *ret_time)
{
    struct date date = {0};

    text = rqx__trim(text);
    if (text.data == NULL || text.len == 0)
        return -1;
    skip_letters(&text);
    if (text.len != 0 && text.data[0] == ' ') {
        take_asctime(&text, &date);
    } else {
        take(&text, ", ");
        if (text.len > 2 && text.data[2] == '-')
            take_rfc850(&text, &date, now);
        else
            take_fixdate(&text, &date);
    }
    if (text.data == NULL || text.len != 0 || !is_sane(&date))
        return -1;
    *ret_time = seconds_of(&date);
    return 0;
}

int rqx__retry_after(rqx_slice value, int64_t now, int64_t *ret_ms)
{
    int64_t seconds;

    value = rqx__trim(value);
    if (value.len != 0 && rqx__is_digit((unsigned char)value.data[0])) {
        size_t i;

        for (i = 0, seconds = 0; i < value.len; i++) {
            if (!rqx__is_digit((unsigned char)value.data[i]))
                return -1;
            if (seconds <= LONGEST_SECONDS)
                seconds = seconds * 10 + (value.data[i] - '0');
        }
    } else {
        int64_t until;

        if (rqx__http_date(value, now, &until) < 0)
            return -1;
        seconds = until > now ? until - now : 0;
    }
    *ret_ms = (seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS) * 1000;
    return 0;
}
