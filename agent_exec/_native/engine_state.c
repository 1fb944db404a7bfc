/* engine_state.c - steps on an engine's state that its parts share. The lock is held, but
 * for those that only take a descriptor. */
#define _GNU_SOURCE
#include "engine_state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

void
ax_set_timer(int timer_fd, uint64_t at)
{
    struct itimerspec when = {0};

    if (at == 0)
        at = 1; /* zero would disarm */
    if (at != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(at / 1000000000);
        when.it_value.tv_nsec = (long)(at % 1000000000);
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* The timer only ever moves earlier here; it is set anew when it rings. `timer_fd` is its
 * number in the table of the calling thread. */
void
ax_ring_no_later(struct ax_engine *engine, uint64_t at, int timer_fd)
{
    if (at < engine->timer_at) {
        engine->timer_at = at;
        ax_set_timer(timer_fd, at);
    }
}

/* When to begin to watch the outputs of a task that starts now; UINT64_MAX: at once. What is over
 * before that has woken nobody but at its end; what fills a pipe before that waits. Where calls
 * wait for processors, nobody sleeps who could be woken, and where the task that ended last would
 * have waited, the next one may as well. */
uint64_t
ax_late(const struct ax_engine *engine, uint64_t now)
{
    return engine->loud || engine->n_active > engine->n_cpus ? UINT64_MAX : now + AX_SHORT;
}

void
ax_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Stages that outlived SIGKILL are reaped when they end after all. `wake_fd` is its number
 * in the table of the calling thread. */
void
ax_remember_stuck(struct ax_engine *engine, const struct ax_job *job, int wake_fd)
{
    for (size_t i = 0; i < job->n_stages; i++) {
        struct stuck *stuck;

        if (job->stages[i].pid == 0 || job->stages[i].end != AX_NOT_ENDED)
            continue;
        stuck = malloc(sizeof *stuck);
        if (stuck == NULL)
            return; /* it stays a zombie until we exit; nothing else is lost */
        stuck->pid = job->stages[i].pid;
        stuck->next = engine->stuck;
        engine->stuck = stuck;
        engine->attention = true;
        ax_ring(wake_fd);
    }
}

/* A slot of max_active is free again. */
void
ax_release_slot(struct ax_engine *engine)
{
    engine->n_active--;
    pthread_cond_broadcast(&engine->changed);
}

void
ax_add_launching(struct ax_engine *engine, struct ax_task *task, int timer_fd)
{
    uint64_t now = ax_now();
    uint64_t deadline = task->job.timeout == UINT64_MAX ? UINT64_MAX : now + task->job.timeout;

    engine->n_active++;
    engine->launching[engine->n_launching++] = (struct launching){task, deadline, UINT64_MAX};
    engine->busy_since = now;
    ax_ring_no_later(engine, deadline, timer_fd);
}

void
ax_remove_launching(struct ax_engine *engine, const struct ax_task *task)
{
    size_t place = 0;

    while (engine->launching[place].task != task)
        place++;
    engine->launching[place] = engine->launching[--engine->n_launching];
}

/* Hand a task to the threads, by a thread of the host; with or without the lock.
 *
 * Who begins to lead, stops to lead or goes to sleep looks into the inbox after that: either
 * they see the task, or we see what they are. */
void
ax_post(struct ax_engine *engine, struct ax_task *task)
{
    struct ax_task *before = atomic_load(&engine->inbox);

    do
        task->next = before;
    while (!atomic_compare_exchange_weak(&engine->inbox, &before, task));
    /* The task may be somebody else's by now, or gone. */
    if (before != NULL)
        return; /* whoever was to see that one has not looked yet */
    if (engine->leader && engine->asleep)
        ax_ring(engine->wake_fd);
    else if (!engine->leader && engine->n_followers > 0)
        ax_ring(engine->promote_fd);
}

/* Move what was posted to the end of the queue. */
void
ax_collect(struct ax_engine *engine)
{
    struct ax_task *task, *first = NULL, *last;

    if (engine->inbox == NULL)
        return;
    task = last = atomic_exchange(&engine->inbox, NULL);
    while (task != NULL) {
        struct ax_task *earlier = task->next;

        task->next = first;
        first = task;
        task = earlier;
        engine->n_queued++;
    }
    if (engine->queue_first == NULL)
        engine->queue_first = first;
    else
        engine->queue_last->next = first;
    engine->queue_last = last;
}
