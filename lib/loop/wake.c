#include "loop/wake.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <requestx/error.h>

int rqx__wake_init(struct rqx__wake *wake)
{
    atomic_init(&wake->rung, false);
    wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return wake->fd < 0 ? RQX_ERR_SYSTEM : 0;
}

void rqx__wake_done(struct rqx__wake *wake)
{
    if (wake->fd >= 0)
        close(wake->fd);
    wake->fd = -1;
}

void rqx__wake_ring(struct rqx__wake *wake)
{
    uint64_t one = 1;
    int saved;

    if (atomic_exchange_explicit(&wake->rung, true, memory_order_acq_rel))
        return;
    saved = errno;
    while (write(wake->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = saved;
}

void rqx__wake_heard(struct rqx__wake *wake)
{
    atomic_exchange_explicit(&wake->rung, false, memory_order_acq_rel);
}
