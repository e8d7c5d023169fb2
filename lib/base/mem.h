/*
 * mem.h - the one door to the heap.
 *
 * Every allocation of the library goes through here, so that a test build can make the n-th one fail
 * (RQX_TEST_ALLOC).  Results are NULL on failure; nothing aborts.
 */
#ifndef RQX_BASE_MEM_H
#define RQX_BASE_MEM_H

#include <stddef.h>

void *rqx__malloc(size_t size);
void *rqx__calloc(size_t count, size_t size);
void *rqx__realloc(void *memory, size_t size);
void rqx__free(void *memory);
/* Copies |len| bytes and adds a NUL. */
char *rqx__strndup(const char *text, size_t len);
/* Overwrites with zeros in a way that the compiler keeps, then frees. */
void rqx__free_secret(void *memory, size_t size);

#ifdef RQX_TEST_ALLOC
/* The |n|-th allocation from now on (1 is the next) fails, and with |sticky| each one after it; 0 switches off. */
void rqx__mem_fail_at(unsigned long n, int sticky);
/* Allocations tried since the last rqx__mem_fail_at. */
unsigned long rqx__mem_count(void);
#endif

#endif
