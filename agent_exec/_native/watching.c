/* watching.c - see watching.h. */
#define _GNU_SOURCE
#include "watching.h"
#include "own.h"
#include "start.h"
#include "sys.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    EVENTS_AT_ONCE = 64,
    LOOKS = 16, /* into the inbox, between looks at the clock */
    /* Of an epoll tag: source in the low bits, then slot, then generation. */
    SOURCE_BITS = 12,
    SLOT_BITS = 20,
};

static const uint64_t STUCK_CHECK = 1000000000; /* ns between looks at unreaped stages */
static const uint64_t SPIN = 200000;            /* ns to wait awake for the next task */

/* Give a finished task to its loop, or to the thread that waits for it. Called with the lock,
 * by a thread of ours. */
static void
deliver(struct ax_engine *engine, struct ax_task *task)
{
    struct ax_port *port = task->port;
    struct ax_task *before;

    if (task->waiter != NULL) {
        task->delivered = true;
        pthread_cond_signal(task->waiter);
        return;
    }
    before = atomic_load(&port->finished);
    do
        task->next = before;
    while (!atomic_compare_exchange_weak(&port->finished, &before, task));
    if (before != NULL)
        return; /* it has been woken, and has not looked yet */
    if (port->bell.fd < 0)
        port->bell.fd = ax_table_borrow(&engine->own, port->event_fd);
    ax_bell_ring(&port->bell);
}

static void
check_stuck(struct ax_engine *engine, uint64_t now)
{
    struct stuck **link = &engine->stuck;

    while (*link != NULL) {
        struct stuck *stuck = *link;

        if (ax_reap_stuck(stuck->pid)) {
            *link = stuck->next;
            free(stuck);
        } else {
            link = &stuck->next;
        }
    }
    if (engine->stuck != NULL)
        ax_ring_no_later(engine, now + STUCK_CHECK, engine->own_timer_fd);
}

/* ax_task_end - a task has ended: forget it, and hand it out. */
void
ax_task_end(struct ax_engine *engine, struct ax_task *task)
{
    ax_remember_stuck(engine, &task->job, engine->own_wake_fd);
    ax_release_slot(engine);
    engine->loud = ax_job_is_loud(&task->job);
    if (task->living != NULL)
        --*task->living;
    deliver(engine, task);
}

/* Tasks that were stopped before they were started. */
static void
drop_stopped(struct ax_engine *engine)
{
    struct ax_task **link, *last = NULL;

    ax_collect(engine);
    link = &engine->queue_first;
    while (*link != NULL) {
        struct ax_task *task = *link;
        int cause = engine->closing ? AX_CLOSED : atomic_load(&task->stop);

        if (cause == 0) {
            last = task;
            link = &task->next;
            continue;
        }
        *link = task->next;
        engine->n_queued--;
        task->job.cause = (enum ax_cause)cause;
        task->job.phase = AX_ENDED;
        deliver(engine, task);
    }
    engine->queue_last = last;
}

/* Leave the outputs of a task alone for a while, if somebody will look at the time. */
static void
watch_late(struct ax_engine *engine, struct ax_task *task)
{
    uint64_t at = ax_late(engine, ax_now());

    if (at < engine->wakes_at)
        return; /* the leader is asleep, and would have to be woken */
    ax_job_watch_late(&task->job, at);
    if (task->job.watch_at < engine->watch_at)
        engine->watch_at = task->job.watch_at;
}

/* When to look at a task again. With the lock held, by the leader. */
static void
look_again(struct ax_engine *engine, const struct ax_task *task)
{
    if (task->job.watch_at < engine->watch_at)
        engine->watch_at = task->job.watch_at;
    ax_ring_no_later(engine, task->job.deadline, engine->own_timer_fd);
}

/* How long the leader may wait, in ms; -1: until something happens. With the lock held. */
static int
wait_how_long(struct ax_engine *engine)
{
    uint64_t now, until = engine->watch_at;

    engine->wakes_at = UINT64_MAX;
    if (until == UINT64_MAX &&
        (engine->n_launching == 0 || engine->n_active > engine->n_cpus))
        return -1;
    now = ax_now();
    /* What is being launched will want to be looked at; unless that hangs. */
    if (until == UINT64_MAX && now < engine->busy_since + AX_LAUNCH_PATIENCE)
        until = now + AX_SHORT;
    if (until == UINT64_MAX)
        return -1;
    engine->wakes_at = until;
    return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

/* ax_task_watch - put a started task where the leader finds it. With the lock held throughout,
 * the leader cannot meet it half registered. */
void
ax_task_watch(struct ax_engine *engine, struct ax_task *task)
{
    uint64_t slot = 0;
    int cause, error;

    while (engine->slots[slot] != NULL)
        slot++;
    task->generation = ++engine->generations[slot];
    engine->slots[slot] = task;
    engine->n_watched++;
    watch_late(engine, task);
    error = ax_job_register(&task->job, engine->epoll_fd,
                            ((uint64_t)task->generation << 32) | (slot << SOURCE_BITS));
    if (error != 0) {
        task->job.failure = (struct ax_failure){AX_STEP_SPAWN, error, -1};
        atomic_store(&task->stop, AX_NOT_LAUNCHED);
    }
    ax_ring_no_later(engine, task->job.deadline, engine->own_timer_fd);
    /* Asked for when there was nothing to stop yet: the leader has to look again. Its child
     * may have been killed in launch, so the cause is set here, before its end is seen. */
    cause = engine->closing ? AX_CLOSED : atomic_load(&task->stop);
    if (cause != 0) {
        if (task->job.cause == AX_BY_ITSELF)
            task->job.cause = (enum ax_cause)cause;
        engine->attention = true;
        ax_ring(engine->own_wake_fd);
    }
}

static void
close_retired(struct ax_engine *engine)
{
    while (engine->n_retired > 0)
        close(engine->retired[--engine->n_retired]);
}

/* A watched task has ended, and goes out. */
static void
leave_slot(struct ax_engine *engine, size_t slot)
{
    struct ax_task *task = engine->slots[slot];

    engine->slots[slot] = NULL;
    engine->n_watched--;
    if (engine->n_watched == 0)
        engine->watch_at = UINT64_MAX;
    ax_task_end(engine, task);
}

/* The tasks that are to be stopped, are out of time, or have been left alone for long enough.
 * Worked on without the lock, as in ax_events_wait(): what a task left behind may take
 * milliseconds to find and end. */
static void
look_after_watched(struct ax_engine *engine, uint64_t now)
{
    size_t n_due = 0;

    engine->watch_at = UINT64_MAX;
    for (size_t slot = 0; slot < engine->max_active; slot++) {
        struct ax_task *task = engine->slots[slot];

        if (task == NULL)
            continue;
        if (engine->closing || atomic_load(&task->stop) != 0 || now >= task->job.deadline ||
            now >= task->job.watch_at)
            engine->due[n_due++] = slot;
        else
            look_again(engine, task);
    }
    for (size_t i = 0; i < n_due; i++) {
        struct ax_task *task = engine->slots[engine->due[i]];
        int cause = engine->closing ? AX_CLOSED : atomic_load(&task->stop);

        pthread_mutex_unlock(&engine->lock);
        if (cause != 0)
            ax_job_stop(&task->job, (enum ax_cause)cause, now);
        ax_job_tick(&task->job, now);
        pthread_mutex_lock(&engine->lock);
        if (task->job.phase == AX_ENDED)
            leave_slot(engine, engine->due[i]);
        else
            look_again(engine, task);
    }
}

/* When to look again at a launch.
 *
 * One that is to end gets the grace, as every call: its child may have executed long ago, and
 * only the thread that started it not have come back yet. Then it is signalled as others are. */
static uint64_t
look_after_launching(struct ax_engine *engine, struct launching *entry, uint64_t now)
{
    struct ax_job *job = &entry->task->job;
    int none = 0;

    /* So that it counts as late whatever is seen first of the end of its child. */
    if (now >= entry->deadline)
        atomic_compare_exchange_strong(&entry->task->stop, &none, AX_TIMED_OUT);
    if (atomic_load(&entry->task->stop) == 0 && !engine->closing)
        return entry->deadline;
    if (entry->kill_at == UINT64_MAX)
        entry->kill_at = now + job->grace;
    if (now < entry->kill_at && !engine->closing)
        return entry->kill_at;
    ax_job_kill_launch(job, &engine->own);
    return now + AX_LAUNCH_PATIENCE; /* the next stage may hang, too */
}

/* What was asked for, and what time has brought about. */
static void
look_after_all(struct ax_engine *engine, uint64_t now)
{
    uint64_t earliest = UINT64_MAX;

    engine->attention = false;
    close_retired(engine);
    drop_stopped(engine);
    for (size_t i = 0; i < engine->n_launching; i++) {
        uint64_t next = look_after_launching(engine, &engine->launching[i], now);

        if (next < earliest)
            earliest = next;
    }
    engine->timer_at = UINT64_MAX;
    check_stuck(engine, now);
    ax_ring_no_later(engine, earliest, engine->own_timer_fd);
    look_after_watched(engine, now);
}

/* Which task an event belongs to: NULL when it is gone, and the event is a late one. */
static struct ax_task *
find_task(const struct ax_engine *engine, uint64_t tag)
{
    uint64_t slot = tag >> SOURCE_BITS & ((1u << SLOT_BITS) - 1);
    struct ax_task *task = slot < engine->max_active ? engine->slots[slot] : NULL;

    return task != NULL && task->generation == (uint32_t)(tag >> 32) ? task : NULL;
}

static bool
is_idle(const struct ax_engine *engine)
{
    return engine->n_watched == 0 && engine->n_launching == 0 && engine->n_queued == 0;
}

/* Wait awake for the next task, where the last one came as soon: to be woken takes as long as
 * half a launch where the processor has to be woken as well. True: it is there. */
static bool
spin(const struct ax_engine *engine, uint64_t since)
{
    while (ax_now() < since + SPIN && !engine->closing)
        for (int i = 0; i < LOOKS; i++) {
            if (engine->inbox != NULL)
                return true;
            ax_relax();
        }
    return false;
}

/* ax_events_wait - wait for events and act on them. Called and left with the lock held.
 *
 * The tasks are worked on without it: only the leader touches those in `slots`. */
void
ax_events_wait(struct ax_engine *engine)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    struct ax_task *tasks[EVENTS_AT_ONCE];
    bool timer = false;
    bool idle = engine->may_spin && is_idle(engine);
    uint64_t since = idle ? ax_now() : 0;
    int n, patience = wait_how_long(engine);

    pthread_mutex_unlock(&engine->lock);
    if (idle && engine->spins && spin(engine, since)) {
        pthread_mutex_lock(&engine->lock);
        engine->wakes_at = 0;
        return;
    }
    engine->asleep = true;
    n = epoll_wait(engine->epoll_fd, events, EVENTS_AT_ONCE,
                   engine->inbox == NULL ? patience : 0);
    engine->asleep = false;
    pthread_mutex_lock(&engine->lock);
    engine->wakes_at = 0;
    if (idle)
        engine->spins = ax_now() < since + SPIN;
    for (int i = 0; i < n; i++) {
        tasks[i] = NULL;
        if (events[i].data.u64 == AX_TAG_WAKE) {
            ax_silence(engine->own_wake_fd);
        } else if (events[i].data.u64 == AX_TAG_TIMER) {
            ax_silence(engine->own_timer_fd);
            timer = true;
        } else {
            tasks[i] = find_task(engine, events[i].data.u64);
            /* Of several it may be another that ends next, and the loop is awake anyway. */
            if (tasks[i] != NULL && tasks[i]->port != NULL)
                tasks[i]->job.bell = engine->n_active == 1 ? &tasks[i]->port->bell : NULL;
        }
    }
    pthread_mutex_unlock(&engine->lock);
    for (int i = 0; i < n; i++)
        if (tasks[i] != NULL)
            ax_job_ready(&tasks[i]->job, events[i].data.u64 & ((1u << SOURCE_BITS) - 1),
                         (events[i].events & (EPOLLIN | EPOLLHUP)) == EPOLLHUP);
    pthread_mutex_lock(&engine->lock);
    for (int i = 0; i < n; i++) {
        uint64_t slot = events[i].data.u64 >> SOURCE_BITS & ((1u << SLOT_BITS) - 1);

        /* A task may stand here several times; the slot says whether it still runs. */
        if (tasks[i] == NULL || engine->slots[slot] != tasks[i])
            continue;
        if (tasks[i]->job.phase == AX_ENDED)
            leave_slot(engine, slot);
        else
            look_again(engine, tasks[i]);
    }
    if (timer || engine->attention || engine->closing)
        look_after_all(engine, ax_now());
    else if (engine->watch_at != UINT64_MAX && ax_now() >= engine->watch_at)
        look_after_watched(engine, ax_now());
}
