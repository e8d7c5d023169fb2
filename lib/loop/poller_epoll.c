#include "loop/poller.h"

#include <errno.h>
#include <linux/time_types.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <requestx/error.h>

#include "base/clock.h"
#include "base/mem.h"
#include "loop/loop.h"

struct epoll_poller {
    struct rqx__poller base;
    bool no_pwait2;                               /* waiting thread only: the kernel lacks epoll_pwait2 */
    struct epoll_event events[RQX__POLLER_BATCH]; /* waiting thread only */
};

static int control(struct rqx__poller *poller, int op, int fd, unsigned interest, bool edge, uint64_t token)
{
    struct epoll_event event = {.events = 0, .data.u64 = token};

    if (interest & RQX__IO_READ)
        event.events |= EPOLLIN;
    if (interest & RQX__IO_WRITE)
        event.events |= EPOLLOUT;
    if (edge)
        event.events |= EPOLLET;
    return epoll_ctl(poller->fd, op, fd, &event) < 0 ? RQX_ERR_SYSTEM : 0;
}

static int epoll_add(struct rqx__poller *poller, int fd, unsigned interest, bool edge, uint64_t token)
{
    return control(poller, EPOLL_CTL_ADD, fd, interest, edge, token);
}

static int epoll_modify(struct rqx__poller *poller, int fd, unsigned interest, bool edge, uint64_t token)
{
    return control(poller, EPOLL_CTL_MOD, fd, interest, edge, token);
}

static void epoll_remove(struct rqx__poller *poller, int fd)
{
    int saved = errno;

    epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, NULL);
    errno = saved;
}

/* Rounded up: a deadline must neither be early nor be waited for in a busy loop. */
static int wait_ms(struct epoll_poller *self, int max, uint64_t timeout)
{
    uint64_t ms = timeout / RQX__NS_PER_MS + (timeout % RQX__NS_PER_MS != 0);

    return epoll_wait(self->base.fd, self->events, max, (int)ms);
}

#ifdef SYS_epoll_pwait2
static int wait_ns(struct epoll_poller *self, int max, uint64_t timeout)
{
    struct __kernel_timespec ts = {
        .tv_sec = (__kernel_time64_t)(timeout / UINT64_C(1000000000)),
        .tv_nsec = (long long)(timeout % UINT64_C(1000000000)),
    };

    /* by number: the C library may be older than the kernel */
    return (int)syscall(SYS_epoll_pwait2, self->base.fd, self->events, max, &ts, NULL, (size_t)0);
}
#endif

static int wait_for_events(struct epoll_poller *self, int max, uint64_t timeout)
{
#ifdef SYS_epoll_pwait2
    if (timeout != 0 && !self->no_pwait2) {
        int count = wait_ns(self, max, timeout);

        /* Linux before 5.11, or a sandbox that does not know the call */
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        self->no_pwait2 = true;
    }
#endif
    return wait_ms(self, max, timeout);
}

static unsigned translate(uint32_t raw)
{
    unsigned events = 0;

    if (raw & EPOLLIN)
        events |= RQX__IO_READ;
    if (raw & EPOLLOUT)
        events |= RQX__IO_WRITE;
    if (raw & (EPOLLERR | EPOLLHUP))
        events |= RQX__IO_ERROR | RQX__IO_READ;
    return events;
}

static int epoll_poller_wait(struct rqx__poller *poller, struct rqx__poller_event *events, size_t max, uint64_t timeout)
{
    struct epoll_poller *self = (struct epoll_poller *)poller;
    int count;
    int i;

    if (max > RQX__POLLER_BATCH)
        max = RQX__POLLER_BATCH;
    if (timeout > RQX__POLLER_LONGEST)
        timeout = RQX__POLLER_LONGEST;
    count = wait_for_events(self, (int)max, timeout);
    poller->interrupted = count < 0 && errno == EINTR;
    if (count < 0)
        return poller->interrupted ? 0 : RQX_ERR_SYSTEM;
    for (i = 0; i < count; i++) {
        events[i].token = self->events[i].data.u64;
        events[i].events = translate(self->events[i].events);
    }
    return count;
}

static void epoll_detach(struct rqx__poller *poller)
{
    if (poller->fd >= 0)
        close(poller->fd);
    poller->fd = -1;
}

static void epoll_free(struct rqx__poller *poller)
{
    epoll_detach(poller);
    rqx__free(poller);
}

static const struct rqx__poller_ops epoll_ops = {
    .name = "epoll",
    .add = epoll_add,
    .modify = epoll_modify,
    .remove = epoll_remove,
    .wait = epoll_poller_wait,
    .detach = epoll_detach,
    .free = epoll_free,
};

int rqx__poller_epoll_new(struct rqx__poller **ret_poller)
{
    struct epoll_poller *self = rqx__calloc(1, sizeof *self);

    if (self == NULL)
        return RQX_ERR_NOMEM;
    self->base.ops = &epoll_ops;
    self->base.fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->base.fd < 0) {
        rqx__free(self);
        return RQX_ERR_SYSTEM;
    }
    *ret_poller = &self->base;
    return 0;
}
