#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <requestx/url.h>

/* No object is larger (C11 section 6.5.6); checking tools abort where malloc gives NULL. */
#define LARGEST ((size_t)PTRDIFF_MAX)

#ifdef RQX_TEST_ALLOC
#include <stdatomic.h>

static atomic_ulong calls;
static atomic_ulong fail_at;
static atomic_int fail_sticky;

void rqx__mem_fail_at(unsigned long n, int sticky)
{
    atomic_store(&fail_at, 0);
    atomic_store(&calls, 0);
    atomic_store(&fail_sticky, sticky);
    atomic_store(&fail_at, n);
}

unsigned long rqx__mem_count(void)
{
    return atomic_load(&calls);
}

static int refuse(size_t size)
{
    unsigned long call = atomic_fetch_add(&calls, 1) + 1;
    unsigned long at = atomic_load(&fail_at);

    return size > LARGEST || (at != 0 && (call == at || (call > at && atomic_load(&fail_sticky))));
}
#else
#define refuse(size) ((size) > LARGEST)
#endif

void *rqx__malloc(size_t size)
{
    return refuse(size) ? NULL : malloc(size ? size : 1);
}

void *rqx__calloc(size_t count, size_t size)
{
    return refuse(0) ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *rqx__realloc(void *memory, size_t size)
{
    return refuse(size) ? NULL : realloc(memory, size ? size : 1);
}

void rqx__free(void *memory)
{
    free(memory);
}

char *rqx__strndup(const char *text, size_t len)
{
    char *copy = rqx__malloc(len + 1);

    if (copy == NULL)
        return NULL;
    if (len != 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void rqx__free_secret(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    explicit_bzero(memory, size);
    rqx__free(memory);
}

void rqx_free(void *memory)
{
    rqx__free(memory);
}
