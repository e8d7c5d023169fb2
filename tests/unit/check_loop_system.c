#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "loop_probe.h"

/* ---- wake-ups ---- */

START_TEST(a_wake_up_is_heard_once)
{
    struct rqx__loop *loop = make_loop(_i);
    int i;

    for (i = 0; i < 100; i++)
        rqx__loop_wake(loop);
    ck_assert(readable(loop, 0));
    ck_assert_int_eq(rqx__loop_poll(loop, rqx__clock_now() + LONG), 0);
    ck_assert(!readable(loop, 0));
    /* one more, between poll and dispatch, is for the next poll */
    rqx__loop_wake(loop);
    ck_assert_int_eq(rqx__loop_dispatch(loop), 0);
    ck_assert(readable(loop, 0));
    ck_assert_int_eq(rqx__loop_poll(loop, rqx__clock_now() + LONG), 0);
    ck_assert(!readable(loop, 0));
    rqx__loop_free(loop);
}
END_TEST

static void *ring_soon(void *loop)
{
    usleep(2000);
    rqx__loop_wake(loop);
    return NULL;
}

START_TEST(another_thread_ends_the_wait)
{
    struct rqx__loop *loop = make_loop(_i);
    uint64_t start = rqx__clock_now();
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, ring_soon, loop), 0);
    ck_assert_int_eq(rqx__loop_poll(loop, start + LONG), 0);
    ck_assert_uint_lt(rqx__clock_now(), start + LONG);
    ck_assert_int_eq(rqx__loop_dispatch(loop), 0);
    pthread_join(thread, NULL);
    rqx__loop_free(loop);
}
END_TEST

/* A loop with its owner's lock, driven by one thread. */
struct shared {
    pthread_mutex_t lock;
    struct rqx__loop *loop;
    atomic_bool stop;
    atomic_int polls;
};

static void *drive(void *user)
{
    struct shared *shared = user;

    while (!atomic_load(&shared->stop)) {
        ck_assert_int_eq(rqx__loop_poll(shared->loop, RQX__NEVER), 0);
        atomic_fetch_add(&shared->polls, 1);
        pthread_mutex_lock(&shared->lock);
        rqx__loop_dispatch(shared->loop);
        pthread_mutex_unlock(&shared->lock);
    }
    return NULL;
}

static int calls_locked(struct shared *shared, const struct probe *probe)
{
    int calls;

    pthread_mutex_lock(&shared->lock);
    calls = probe->calls;
    pthread_mutex_unlock(&shared->lock);
    return calls;
}

static void wait_for_calls(struct shared *shared, const struct probe *probe, int calls)
{
    while (calls_locked(shared, probe) < calls)
        usleep(200);
}

START_TEST(settle_reaches_a_poll_in_another_thread)
{
    struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .loop = make_loop(false)};
    struct probe probe;
    pthread_t thread;
    int i;

    probe_init(&probe, shared.loop);
    ck_assert_int_eq(pthread_create(&thread, NULL, drive, &shared), 0);
    for (i = 0; i < 50; i++) {
        pthread_mutex_lock(&shared.lock);
        if (i % 2 == 0)
            rqx__loop_defer(shared.loop, &probe.defer);
        else
            ck_assert_int_eq(rqx__timer_set(shared.loop, &probe.timer, rqx__loop_touch(shared.loop) + MS / 4), 0);
        rqx__loop_settle(shared.loop);
        pthread_mutex_unlock(&shared.lock);
        wait_for_calls(&shared, &probe, i + 1);
    }
    atomic_store(&shared.stop, true);
    rqx__loop_wake(shared.loop);
    pthread_join(thread, NULL);
    rqx__loop_free(shared.loop);
}
END_TEST

START_TEST(settle_leaves_a_poll_alone_that_wakes_in_time)
{
    struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .loop = make_loop(false)};
    struct probe probe;
    struct probe later;
    pthread_t thread;
    int polls;
    int i;

    probe_init(&probe, shared.loop);
    probe_init(&later, shared.loop);
    ck_assert_int_eq(rqx__timer_set(shared.loop, &later.timer, rqx__loop_touch(shared.loop) + LONG), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, drive, &shared), 0);
    /* the thread is known to be past its first wake-up, and sleeps or is about to */
    pthread_mutex_lock(&shared.lock);
    rqx__loop_defer(shared.loop, &probe.defer);
    rqx__loop_settle(shared.loop);
    rqx__loop_wake(shared.loop);
    pthread_mutex_unlock(&shared.lock);
    wait_for_calls(&shared, &probe, 1);
    usleep(20000);
    polls = atomic_load(&shared.polls);
    pthread_mutex_lock(&shared.lock);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(rqx__timer_set(shared.loop, &probe.timer, rqx__loop_touch(shared.loop) + 2 * LONG), 0);
        rqx__loop_settle(shared.loop);
    }
    pthread_mutex_unlock(&shared.lock);
    usleep(5000);
    /* the wake-up above, and one that came while the thread was on its way to sleep */
    ck_assert_int_le(atomic_load(&shared.polls) - polls, 3);
    atomic_store(&shared.stop, true);
    rqx__loop_wake(shared.loop);
    pthread_join(thread, NULL);
    undo(&probe);
    undo(&later);
    rqx__loop_free(shared.loop);
}
END_TEST

struct worker {
    struct shared *shared;
    struct probe probe;
    int fd;
};

static void *work(void *user)
{
    struct worker *worker = user;
    struct rqx__loop *loop = worker->shared->loop;
    int i;

    for (i = 0; i < 200; i++) {
        int before = calls_locked(worker->shared, &worker->probe);

        pthread_mutex_lock(&worker->shared->lock);
        ck_assert_int_eq(rqx__timer_set(loop, &worker->probe.timer, rqx__loop_touch(loop) + LONG), 0);
        if (i % 2 == 0) {
            watch(&worker->probe, worker->fd, RQX__IO_READ);
        } else {
            rqx__loop_defer(loop, &worker->probe.defer);
            rqx__loop_settle(loop);
        }
        pthread_mutex_unlock(&worker->shared->lock);
        wait_for_calls(worker->shared, &worker->probe, before + 1);
        pthread_mutex_lock(&worker->shared->lock);
        undo(&worker->probe);
        pthread_mutex_unlock(&worker->shared->lock);
    }
    return NULL;
}

START_TEST(many_threads_share_one_loop)
{
    struct shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .loop = make_loop(false)};
    struct worker workers[4];
    pthread_t threads[4];
    pthread_t driver;
    int i;

    ck_assert_int_eq(pthread_create(&driver, NULL, drive, &shared), 0);
    for (i = 0; i < 4; i++) {
        workers[i].shared = &shared;
        workers[i].fd = make_event(1);
        probe_init(&workers[i].probe, shared.loop);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        close(workers[i].fd);
    }
    atomic_store(&shared.stop, true);
    rqx__loop_wake(shared.loop);
    pthread_join(driver, NULL);
    rqx__loop_free(shared.loop);
}
END_TEST

/* ---- the system ---- */

static void on_alarm(int number)
{
    (void)number;
}

START_TEST(a_signal_ends_the_wait_without_an_error)
{
    struct rqx__loop *loop = make_loop(false);
    struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction old;
    struct itimerval soon = {.it_interval = {0, 2000}, .it_value = {0, 2000}};
    struct itimerval off = {{0, 0}, {0, 0}};
    uint64_t start = rqx__clock_now();

    ck_assert_int_eq(sigaction(SIGALRM, &action, &old), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &soon, NULL), 0);
    ck_assert_int_eq(rqx__loop_poll(loop, start + LONG), RQX_AGAIN);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &off, NULL), 0);
    ck_assert_int_eq(sigaction(SIGALRM, &old, NULL), 0);
    ck_assert_uint_lt(rqx__clock_now(), start + LONG);
    ck_assert_int_eq(rqx__loop_dispatch(loop), 0);
    rqx__loop_free(loop);
}
END_TEST

/* Makes epoll_pwait2 fail as in a sandbox that does not know it; on machines without filters nothing changes. */
static void forbid_pwait2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In a child: waits for a deadline that is no whole number of milliseconds away. */
static int wait_without_pwait2(struct rqx__loop *loop)
{
    uint64_t deadline;
    int turns;

    forbid_pwait2();
    for (turns = 0; turns < 3; turns++) {
        deadline = rqx__clock_now() + MS / 3;
        if (rqx__loop_poll(loop, deadline) != 0 || rqx__clock_now() < deadline)
            return 1;
    }
    rqx__loop_wake(loop);
    return rqx__loop_poll(loop, rqx__clock_now() + LONG) != 0;
}

START_TEST(without_nanoseconds_the_wait_is_rounded_up)
{
    int status = -1;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rqx__loop *loop;
        int failed = rqx__loop_new(false, &loop) != 0;

        if (!failed) {
            failed = wait_without_pwait2(loop);
            rqx__loop_free(loop);
        }
        exit(failed);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(a_forked_child_cannot_disturb_its_parent)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe probe;
    int fd = make_event(0);
    int status = -1;
    pid_t child;

    probe_init(&probe, loop);
    watch(&probe, fd, RQX__IO_READ);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        int failed;

        rqx__loop_detach(loop);
        failed = rqx__loop_fd(loop) != -1;
        failed |= rqx__loop_set_interest(loop, &probe.watch, RQX__IO_WRITE) != RQX_ERR_SYSTEM;
        failed |= rqx__loop_poll(loop, 0) != RQX_ERR_SYSTEM;
        rqx__loop_unwatch(loop, &probe.watch);
        failed |= rqx__timer_set(loop, &probe.timer, 1) != 0;
        rqx__loop_defer(loop, &probe.defer);
        rqx__loop_settle(loop);
        rqx__loop_wake(loop);
        undo(&probe);
        rqx__loop_abandon(loop);
        RQX_KEEP_COVERAGE();
        _exit(failed);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert(!readable(loop, 0));
    make_ready(fd);
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    rqx__loop_unwatch(loop, &probe.watch);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(descriptors_that_run_out_are_told)
{
    int status = -1;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rqx__loop *loop;
        int failed = 0;
        int left;

        /* with 0, 1 and 2 descriptors left, one step after the other fails */
        while (dup(0) >= 0)
            ;
        for (left = 0; left < 3; left++) {
            errno = 0;
            failed |= rqx__loop_new(true, &loop) != RQX_ERR_SYSTEM || errno != EMFILE;
            close(3 + left);
        }
        failed |= rqx__loop_new(true, &loop) != 0;
        if (!failed)
            rqx__loop_free(loop);
        RQX_KEEP_COVERAGE();
        _exit(failed);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

#ifdef RQX_TEST_ALLOC
START_TEST(each_failed_allocation_is_out_of_memory)
{
    struct rqx__loop *loop = NULL;
    struct probe probe;
    unsigned long n;
    int fd = make_event(0);
    int rv = RQX_ERR_NOMEM;

    for (n = 1; rv != 0; n++) {
        rqx__mem_fail_at(n, 0);
        rv = rqx__loop_new(true, &loop);
        ck_assert(rv == 0 || rv == RQX_ERR_NOMEM);
    }
    ck_assert_uint_gt(n, 2);
    probe_init(&probe, loop);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__loop_watch(loop, &probe.watch, fd, RQX__IO_READ, on_ready, &probe), RQX_ERR_NOMEM);
    ck_assert_int_eq(probe.watch.fd, -1);
    rqx__mem_fail_at(1, 0);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 1), RQX_ERR_NOMEM);
    ck_assert(!rqx__timer_is_set(&probe.timer));
    rqx__mem_fail_at(0, 0);
    ck_assert_uint_eq(rqx__loop_next_deadline(loop), RQX__NEVER);
    ck_assert_int_eq(turn(loop), 0);
    ck_assert_int_eq(probe.calls, 0);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST
#endif

static Suite *loop_system_suite(void)
{
    Suite *suite = suite_create("loop_system");
    TCase *wake = rqx_add_case(suite, "wake");
    TCase *system = rqx_add_case(suite, "system");

    tcase_add_loop_test(wake, a_wake_up_is_heard_once, 0, 2);
    tcase_add_loop_test(wake, another_thread_ends_the_wait, 0, 2);
    tcase_add_test(wake, settle_reaches_a_poll_in_another_thread);
    tcase_add_test(wake, settle_leaves_a_poll_alone_that_wakes_in_time);
    tcase_add_test(wake, many_threads_share_one_loop);
    tcase_add_test(system, a_signal_ends_the_wait_without_an_error);
    tcase_add_test(system, without_nanoseconds_the_wait_is_rounded_up);
    tcase_add_loop_test(system, a_forked_child_cannot_disturb_its_parent, 0, 2);
    tcase_add_test(system, descriptors_that_run_out_are_told);
#ifdef RQX_TEST_ALLOC
    tcase_add_test(system, each_failed_allocation_is_out_of_memory);
#endif
    return suite;
}

RQX_CHECK_MAIN(loop_system_suite)
