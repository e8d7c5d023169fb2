/*
 * file_support.h - small files that a test writes and reads again.
 */
#ifndef RQX_TESTS_UNIT_FILE_SUPPORT_H
#define RQX_TESTS_UNIT_FILE_SUPPORT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void make_file(char *path, size_t size, const char *text)
{
    int fd;

    snprintf(path, size, "/tmp/check_resolver.XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    write_file(path, text);
}

#endif
