#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* One page for the life of the process: zero after a fork, then the pid of the process that asked. */
static _Atomic uint64_t *page;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_page(void)
{
    long size = sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return;
    if (madvise(memory, (size_t)size, MADV_WIPEONFORK) < 0) {
        munmap(memory, (size_t)size);
        return;
    }
    page = memory;
}

uint64_t rqx__fork_epoch(void)
{
    uint64_t epoch;

    pthread_once(&once, make_page);
    if (page == NULL)
        return (uint64_t)getpid();
    epoch = atomic_load_explicit(page, memory_order_relaxed);
    if (epoch == 0) {
        epoch = (uint64_t)getpid();
        atomic_store_explicit(page, epoch, memory_order_relaxed);
    }
    return epoch;
}
