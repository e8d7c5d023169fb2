#include <errno.h>

#include "loop_probe.h"

/* ---- watches ---- */

START_TEST(ready_descriptors_are_told_while_they_are_ready)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe probe;
    int fd = make_event(0);

    probe_init(&probe, loop);
    watch(&probe, fd, RQX__IO_READ);
    ck_assert_int_eq(turn(loop), 0);
    ck_assert_int_eq(probe.calls, 0);
    make_ready(fd);
    turn(loop);
    turn(loop);
    ck_assert_int_eq(probe.calls, 2);
    ck_assert_uint_eq(probe.events, RQX__IO_READ);
    make_unready(fd);
    turn(loop);
    ck_assert_int_eq(probe.calls, 2);
    rqx__loop_unwatch(loop, &probe.watch);
    rqx__loop_unwatch(loop, &probe.watch);
    make_ready(fd);
    turn(loop);
    ck_assert_int_eq(probe.calls, 2);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(interest_can_change)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;
    int fd = make_event(1);

    probe_init(&probe, loop);
    watch(&probe, fd, RQX__IO_WRITE);
    turn(loop);
    ck_assert_uint_eq(probe.events, RQX__IO_WRITE);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_READ | RQX__IO_WRITE), 0);
    turn(loop);
    ck_assert_uint_eq(probe.events, RQX__IO_READ | RQX__IO_WRITE);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, 0), 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 2);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_READ), 0);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_READ), 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 3);
    ck_assert_uint_eq(probe.events, RQX__IO_READ);
    rqx__loop_unwatch(loop, &probe.watch);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(interest_lost_after_the_poll_counts)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;
    int fd = make_event(1);

    probe_init(&probe, loop);
    watch(&probe, fd, RQX__IO_READ | RQX__IO_WRITE);
    ck_assert_int_eq(rqx__loop_poll(loop, 0), 0);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_WRITE), 0);
    rqx__loop_dispatch(loop);
    ck_assert_uint_eq(probe.events, RQX__IO_WRITE);
    ck_assert_int_eq(rqx__loop_poll(loop, 0), 0);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_READ), 0);
    rqx__loop_dispatch(loop);
    ck_assert_int_eq(probe.calls, 1);
    rqx__loop_unwatch(loop, &probe.watch);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(errors_come_with_read)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    probe_init(&probe, loop);
    watch(&probe, fds[1], RQX__IO_WRITE);
    close(fds[0]);
    turn(loop);
    ck_assert_uint_eq(probe.events, RQX__IO_READ | RQX__IO_WRITE | RQX__IO_ERROR);
    rqx__loop_unwatch(loop, &probe.watch);
    close(fds[1]);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(without_interest_an_error_is_told_once)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;
    int fds[2];

    ck_assert_int_eq(pipe(fds), 0);
    probe_init(&probe, loop);
    watch(&probe, fds[1], 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 0);
    close(fds[0]);
    turn(loop);
    turn(loop);
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    ck_assert_uint_eq(probe.events, RQX__IO_READ | RQX__IO_ERROR);
    /* who wants to read again hears of it again */
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_READ), 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 2);
    rqx__loop_unwatch(loop, &probe.watch);
    close(fds[1]);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(unwatched_between_poll_and_dispatch_is_not_called)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe old;
    struct probe fresh;
    int fd = make_event(1);
    int other = make_event(0);

    probe_init(&old, loop);
    probe_init(&fresh, loop);
    watch(&old, fd, RQX__IO_READ);
    ck_assert_int_eq(rqx__loop_poll(loop, 0), 0);
    rqx__loop_unwatch(loop, &old.watch);
    /* takes the same slot, and must not get the event of the one before */
    watch(&fresh, other, RQX__IO_READ);
    ck_assert_uint_eq(fresh.watch.slot, old.watch.slot);
    rqx__loop_dispatch(loop);
    ck_assert_int_eq(old.calls, 0);
    ck_assert_int_eq(fresh.calls, 0);
    rqx__loop_unwatch(loop, &fresh.watch);
    close(fd);
    close(other);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(a_callback_may_unwatch_others_of_the_batch)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probes[2];
    int fds[2];
    int i;

    for (i = 0; i < 2; i++) {
        probe_init(&probes[i], loop);
        fds[i] = make_event(1);
        watch(&probes[i], fds[i], RQX__IO_READ);
        probes[i].victim = &probes[!i];
    }
    turn(loop);
    ck_assert_int_eq(probes[0].calls + probes[1].calls, 1);
    turn(loop);
    ck_assert_int_eq(probes[0].calls + probes[1].calls, 2);
    undo(&probes[0]);
    undo(&probes[1]);
    close(fds[0]);
    close(fds[1]);
    rqx__loop_free(loop);
}
END_TEST

static void free_owner(struct rqx__watch *watch, unsigned events, void *user)
{
    struct probe *probe = user;

    ck_assert_uint_eq(events, RQX__IO_READ);
    ck_assert_ptr_eq(watch, &probe->watch);
    rqx__loop_unwatch(probe->loop, watch);
    free(probe);
}

START_TEST(a_callback_may_free_its_owner)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe *probe = malloc(sizeof *probe);
    int fd = make_event(1);

    ck_assert_ptr_nonnull(probe);
    probe_init(probe, loop);
    ck_assert_int_eq(rqx__loop_watch(loop, &probe->watch, fd, RQX__IO_READ, free_owner, probe), 0);
    ck_assert_int_eq(turn(loop), 0);
    ck_assert_int_eq(turn(loop), 0);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(what_cannot_be_watched_is_refused)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;
    struct probe twin;
    int fd = make_event(1);

    probe_init(&probe, loop);
    probe_init(&twin, loop);
    errno = 0;
    ck_assert_int_eq(rqx__loop_watch(loop, &probe.watch, -1, RQX__IO_READ, on_ready, &probe), RQX_ERR_SYSTEM);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(probe.watch.fd, -1);
    ck_assert_int_eq(rqx__loop_set_interest(loop, &probe.watch, RQX__IO_READ), RQX_ERR_SYSTEM);
    watch(&probe, fd, RQX__IO_READ);
    ck_assert_int_eq(rqx__loop_watch(loop, &twin.watch, fd, RQX__IO_READ, on_ready, &twin), RQX_ERR_SYSTEM);
    ck_assert_int_eq(errno, EEXIST);
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    ck_assert_int_eq(twin.calls, 0);
    rqx__loop_unwatch(loop, &probe.watch);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

#define MANY (RQX__POLLER_BATCH + 44)

START_TEST(a_full_batch_says_that_there_is_more)
{
    static struct probe probes[MANY];
    struct rqx__loop *loop = make_loop(_i);
    int fds[MANY];
    int told = 0;
    int i;

    for (i = 0; i < MANY; i++) {
        probe_init(&probes[i], loop);
        fds[i] = make_event(1);
        watch(&probes[i], fds[i], RQX__IO_READ);
    }
    ck_assert_int_eq(turn(loop), RQX_AGAIN);
    turn(loop);
    for (i = 0; i < MANY; i++) {
        ck_assert_int_ge(probes[i].calls, 1);
        told += probes[i].calls;
        /* every other one leaves a hole in the table */
        if (i % 2 == 0)
            undo(&probes[i]);
        make_unready(fds[i]);
    }
    ck_assert_int_ge(told, MANY);
    ck_assert_int_eq(turn(loop), 0);
    for (i = 0; i < MANY; i++) {
        undo(&probes[i]);
        close(fds[i]);
    }
    rqx__loop_free(loop);
}
END_TEST

/* ---- timers ---- */

START_TEST(timers_come_in_order_and_not_early)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe probes[5];
    uint64_t start = rqx__loop_touch(loop);
    int i;

    for (i = 0; i < 5; i++) {
        probe_init(&probes[i], loop);
        ck_assert_int_eq(rqx__timer_set(loop, &probes[i].timer, start + (uint64_t)(5 - i) * MS), 0);
        ck_assert(rqx__timer_is_set(&probes[i].timer));
    }
    ck_assert_uint_eq(rqx__loop_next_deadline(loop), start + MS);
    while (probes[0].calls == 0) {
        rqx__loop_settle(loop);
        ck_assert_int_eq(rqx__loop_poll(loop, RQX__NEVER), 0);
        rqx__loop_dispatch(loop);
        for (i = 0; i < 5; i++)
            ck_assert(probes[i].calls == 0 || rqx__loop_now(loop) >= start + (uint64_t)(5 - i) * MS);
    }
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(probes[i].calls, 1);
        ck_assert_int_gt(probes[i].order, probes[i + 1].order);
    }
    ck_assert_uint_eq(rqx__loop_next_deadline(loop), RQX__NEVER);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(timers_move_and_clear)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;

    probe_init(&probe, loop);
    ck_assert(!rqx__timer_is_set(&probe.timer));
    rqx__timer_clear(loop, &probe.timer);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 1), 0);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, rqx__loop_now(loop) + LONG), 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 0);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 1), 0);
    rqx__timer_clear(loop, &probe.timer);
    turn(loop);
    ck_assert_int_eq(probe.calls, 0);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 1), 0);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, RQX__NEVER), 0);
    ck_assert(!rqx__timer_is_set(&probe.timer));
    ck_assert_uint_eq(rqx__loop_next_deadline(loop), RQX__NEVER);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 0), 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(a_due_timer_may_clear_the_next)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probes[2];

    probe_init(&probes[0], loop);
    probe_init(&probes[1], loop);
    probes[0].victim = &probes[1];
    ck_assert_int_eq(rqx__timer_set(loop, &probes[0].timer, 1), 0);
    ck_assert_int_eq(rqx__timer_set(loop, &probes[1].timer, 2), 0);
    turn(loop);
    ck_assert_int_eq(probes[0].calls, 1);
    ck_assert_int_eq(probes[1].calls, 0);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(a_timer_that_is_due_again_waits_for_the_next_turn)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;

    probe_init(&probe, loop);
    probe.again = true;
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 1), 0);
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    /* due already: the poll must not wait */
    ck_assert_int_eq(rqx__loop_poll(loop, RQX__NEVER), 0);
    rqx__loop_dispatch(loop);
    ck_assert_int_eq(probe.calls, 2);
    rqx__loop_free(loop);
    ck_assert(!rqx__timer_is_set(&probe.timer));
}
END_TEST

START_TEST(poll_waits_for_its_own_deadline_too)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probe;
    uint64_t until = rqx__clock_now() + 3 * MS;

    probe_init(&probe, loop);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, until + LONG), 0);
    ck_assert_int_eq(rqx__loop_poll(loop, until), 0);
    ck_assert_uint_ge(rqx__clock_now(), until);
    ck_assert_uint_lt(rqx__clock_now(), until + LONG);
    ck_assert_int_eq(rqx__loop_poll(loop, 1), 0); /* long gone */
    rqx__loop_dispatch(loop);
    ck_assert_int_eq(probe.calls, 0);
    rqx__timer_clear(loop, &probe.timer);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(a_nested_loop_becomes_readable_in_time)
{
    struct rqx__loop *loop = make_loop(true);
    struct probe probe;
    uint64_t deadline = rqx__loop_touch(loop) + 5 * MS;

    probe_init(&probe, loop);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, deadline), 0);
    rqx__loop_settle(loop);
    rqx__loop_settle(loop);
    ck_assert(readable(loop, 60000));
    ck_assert_uint_ge(rqx__clock_now(), deadline);
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    ck_assert(!readable(loop, 0));
    /* a deadline that is over already */
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 0), 0);
    rqx__loop_settle(loop);
    ck_assert(readable(loop, 60000));
    turn(loop);
    ck_assert_int_eq(probe.calls, 2);
    ck_assert(!readable(loop, 0));
    rqx__loop_free(loop);
}
END_TEST

START_TEST(an_earlier_deadline_moves_the_timerfd)
{
    struct rqx__loop *loop = make_loop(true);
    struct probe probe;
    struct probe sooner;

    probe_init(&probe, loop);
    probe_init(&sooner, loop);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, rqx__loop_touch(loop) + LONG), 0);
    rqx__loop_settle(loop);
    ck_assert_int_eq(rqx__timer_set(loop, &sooner.timer, rqx__loop_touch(loop) + MS), 0);
    rqx__loop_settle(loop);
    ck_assert(readable(loop, 30000));
    turn(loop);
    ck_assert_int_eq(sooner.calls, 1);
    ck_assert_int_eq(probe.calls, 0);
    rqx__loop_settle(loop);
    ck_assert(!readable(loop, 0));
    undo(&probe);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(a_firing_for_a_deadline_that_is_gone_is_harmless)
{
    struct rqx__loop *loop = make_loop(true);
    struct probe probe;
    uint64_t later;

    probe_init(&probe, loop);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, rqx__loop_touch(loop) + MS), 0);
    rqx__loop_settle(loop);
    later = rqx__loop_now(loop) + 20 * MS;
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, later), 0);
    rqx__loop_settle(loop);
    while (probe.calls == 0) {
        ck_assert(readable(loop, 60000));
        turn(loop);
        rqx__loop_settle(loop); /* arms for what is left */
    }
    ck_assert_uint_ge(rqx__clock_now(), later);
    ck_assert(!readable(loop, 0));
    rqx__loop_free(loop);
}
END_TEST

/* ---- deferred work ---- */

START_TEST(deferred_work_runs_once_at_the_end)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe first;
    struct probe second;
    struct probe timer;

    probe_init(&first, loop);
    probe_init(&second, loop);
    probe_init(&timer, loop);
    ck_assert(!rqx__loop_has_deferred(loop));
    rqx__loop_defer(loop, &first.defer);
    rqx__loop_defer(loop, &second.defer);
    rqx__loop_defer(loop, &first.defer);
    ck_assert_int_eq(rqx__timer_set(loop, &timer.timer, 1), 0);
    ck_assert(rqx__loop_has_deferred(loop));
    rqx__loop_settle(loop);
    /* never mind how long: there is work */
    ck_assert_int_eq(rqx__loop_poll(loop, RQX__NEVER), 0);
    ck_assert_int_eq(rqx__loop_dispatch(loop), 0);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 1);
    ck_assert_int_lt(timer.order, first.order);
    ck_assert_int_lt(first.order, second.order);
    ck_assert(!rqx__loop_has_deferred(loop));
    turn(loop);
    ck_assert_int_eq(first.calls, 1);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(cancelled_work_does_not_run)
{
    struct rqx__loop *loop = make_loop(false);
    struct probe probes[3];
    int i;

    for (i = 0; i < 3; i++)
        probe_init(&probes[i], loop);
    rqx__defer_cancel(&probes[0].defer);
    rqx__loop_defer(loop, &probes[0].defer);
    rqx__defer_cancel(&probes[0].defer);
    probes[1].victim = &probes[2];
    rqx__loop_defer(loop, &probes[1].defer);
    rqx__loop_defer(loop, &probes[2].defer);
    turn(loop);
    ck_assert_int_eq(probes[0].calls, 0);
    ck_assert_int_eq(probes[1].calls, 1);
    ck_assert_int_eq(probes[2].calls, 0);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(endless_deferral_lets_others_through)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe busy;
    struct probe patient;
    int fd = make_event(1);

    probe_init(&busy, loop);
    probe_init(&patient, loop);
    busy.again = true;
    rqx__loop_defer(loop, &busy.defer);
    ck_assert_int_eq(turn(loop), RQX_AGAIN);
    ck_assert(rqx__loop_has_deferred(loop));
    rqx__loop_settle(loop);
    watch(&patient, fd, RQX__IO_READ);
    ck_assert_int_eq(rqx__loop_poll(loop, RQX__NEVER), 0);
    ck_assert_int_eq(rqx__loop_dispatch(loop), RQX_AGAIN);
    ck_assert_int_eq(patient.calls, 1);
    busy.again = false;
    ck_assert_int_eq(turn(loop), 0);
    undo(&patient);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

/* Whoever runs deferred work in between: it waits for the poll's news, but keeps the poll from waiting. */
START_TEST(postponed_work_runs_in_the_next_dispatch)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe late;
    struct probe news;
    int fd = make_event(1);

    probe_init(&late, loop);
    probe_init(&news, loop);
    rqx__loop_postpone(loop, &late.defer);
    rqx__loop_postpone(loop, &late.defer);
    rqx__loop_defer(loop, &late.defer); /* queued already */
    ck_assert(rqx__loop_has_deferred(loop));
    rqx__loop_run_deferred(loop);
    ck_assert_int_eq(late.calls, 0);
    ck_assert(rqx__loop_has_deferred(loop));
    rqx__loop_settle(loop);
    watch(&news, fd, RQX__IO_READ);
    ck_assert_int_eq(rqx__loop_poll(loop, RQX__NEVER), 0);
    ck_assert_int_eq(rqx__loop_dispatch(loop), 0);
    ck_assert_int_eq(late.calls, 1);
    ck_assert_int_eq(news.calls, 1);
    ck_assert_int_lt(news.order, late.order);
    ck_assert(!rqx__loop_has_deferred(loop));
    undo(&news);
    close(fd);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(postponed_work_is_cancelled_and_forgotten)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe cancelled;
    struct probe left;

    probe_init(&cancelled, loop);
    probe_init(&left, loop);
    rqx__loop_postpone(loop, &cancelled.defer);
    rqx__defer_cancel(&cancelled.defer);
    ck_assert(!rqx__loop_has_deferred(loop));
    turn(loop);
    ck_assert_int_eq(cancelled.calls, 0);
    rqx__loop_postpone(loop, &left.defer);
    rqx__loop_free(loop);
    ck_assert(rqx__list_empty(&left.defer.node));
    ck_assert_int_eq(left.calls, 0);
}
END_TEST

START_TEST(deferred_work_can_be_run_without_a_turn)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe probe;

    probe_init(&probe, loop);
    rqx__loop_run_deferred(loop);
    rqx__loop_defer(loop, &probe.defer);
    rqx__loop_run_deferred(loop);
    ck_assert_int_eq(probe.calls, 1);
    ck_assert(!rqx__loop_has_deferred(loop));
    ck_assert_int_eq(turn(loop), 0);
    ck_assert_int_eq(probe.calls, 1);
    rqx__loop_free(loop);
}
END_TEST

START_TEST(work_left_makes_a_nested_loop_readable)
{
    struct rqx__loop *loop = make_loop(true);
    struct probe probe;

    probe_init(&probe, loop);
    rqx__loop_settle(loop);
    ck_assert(!readable(loop, 0));
    rqx__loop_defer(loop, &probe.defer);
    rqx__loop_settle(loop);
    ck_assert(readable(loop, 0));
    turn(loop);
    ck_assert_int_eq(probe.calls, 1);
    rqx__loop_settle(loop);
    ck_assert(!readable(loop, 0));
    rqx__loop_free(loop);
}
END_TEST

START_TEST(freeing_the_loop_forgets_what_others_hold)
{
    struct rqx__loop *loop = make_loop(_i);
    struct probe probe;
    int fd = make_event(0);

    probe_init(&probe, loop);
    watch(&probe, fd, RQX__IO_READ);
    ck_assert_int_eq(rqx__timer_set(loop, &probe.timer, 1), 0);
    rqx__loop_defer(loop, &probe.defer);
    rqx__loop_free(loop);
    ck_assert_int_eq(probe.watch.fd, -1);
    ck_assert(!rqx__timer_is_set(&probe.timer));
    ck_assert(rqx__list_empty(&probe.defer.node));
    rqx__loop_free(NULL);
    rqx__loop_abandon(NULL);
    close(fd);
}
END_TEST

START_TEST(now_moves_when_asked)
{
    struct rqx__loop *loop = make_loop(false);
    uint64_t before = rqx__loop_now(loop);

    ck_assert_uint_gt(before, 0);
    usleep(1000);
    ck_assert_uint_eq(rqx__loop_now(loop), before);
    ck_assert_uint_ge(rqx__loop_touch(loop), before + MS);
    before = rqx__loop_now(loop);
    usleep(1000);
    turn(loop);
    ck_assert_uint_ge(rqx__loop_now(loop), before + MS);
    rqx__loop_free(loop);
}
END_TEST

static void add_watch_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "watch");

    tcase_add_loop_test(tcase, ready_descriptors_are_told_while_they_are_ready, 0, 2);
    tcase_add_test(tcase, interest_can_change);
    tcase_add_test(tcase, interest_lost_after_the_poll_counts);
    tcase_add_test(tcase, errors_come_with_read);
    tcase_add_test(tcase, without_interest_an_error_is_told_once);
    tcase_add_test(tcase, unwatched_between_poll_and_dispatch_is_not_called);
    tcase_add_test(tcase, a_callback_may_unwatch_others_of_the_batch);
    tcase_add_test(tcase, a_callback_may_free_its_owner);
    tcase_add_test(tcase, what_cannot_be_watched_is_refused);
    tcase_add_loop_test(tcase, a_full_batch_says_that_there_is_more, 0, 2);
}

static void add_timer_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "timer");

    tcase_add_loop_test(tcase, timers_come_in_order_and_not_early, 0, 2);
    tcase_add_test(tcase, timers_move_and_clear);
    tcase_add_test(tcase, a_due_timer_may_clear_the_next);
    tcase_add_test(tcase, a_timer_that_is_due_again_waits_for_the_next_turn);
    tcase_add_test(tcase, poll_waits_for_its_own_deadline_too);
    tcase_add_test(tcase, a_nested_loop_becomes_readable_in_time);
    tcase_add_test(tcase, an_earlier_deadline_moves_the_timerfd);
    tcase_add_test(tcase, a_firing_for_a_deadline_that_is_gone_is_harmless);
    tcase_add_test(tcase, now_moves_when_asked);
}

static void add_defer_tests(Suite *suite)
{
    TCase *tcase = rqx_add_case(suite, "defer");

    tcase_add_loop_test(tcase, deferred_work_runs_once_at_the_end, 0, 2);
    tcase_add_test(tcase, cancelled_work_does_not_run);
    tcase_add_loop_test(tcase, endless_deferral_lets_others_through, 0, 2);
    tcase_add_loop_test(tcase, postponed_work_runs_in_the_next_dispatch, 0, 2);
    tcase_add_loop_test(tcase, postponed_work_is_cancelled_and_forgotten, 0, 2);
    tcase_add_loop_test(tcase, deferred_work_can_be_run_without_a_turn, 0, 2);
    tcase_add_test(tcase, work_left_makes_a_nested_loop_readable);
    tcase_add_loop_test(tcase, freeing_the_loop_forgets_what_others_hold, 0, 2);
}

static Suite *loop_suite(void)
{
    Suite *suite = suite_create("loop");

    add_watch_tests(suite);
    add_timer_tests(suite);
    add_defer_tests(suite);
    return suite;
}

RQX_CHECK_MAIN(loop_suite)
