/* run.c - a task on the calling thread. */
#define _GNU_SOURCE
#include "engine_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { CROWDED = 256 }; /* descriptors */

static const uint64_t SIGNAL_CHECK = 100000000; /* ns between looks at signals */

/* Watch a started job on the calling thread. */
static void
watch_here(struct ax_engine *engine, struct ax_job *job, struct pollfd *polled,
           bool (*interrupted)(void *), void *context)
{
    unsigned n_sources = AX_ON_STAGE + (unsigned)job->n_stages;
    bool closing = false;

    while (job->phase != AX_ENDED) {
        uint64_t now = ax_now();
        uint64_t next = job->deadline < job->watch_at ? job->deadline : job->watch_at;
        uint64_t wait = next > now ? next - now : 0;
        bool watch = job->watch_at <= job->deadline; /* and not a look at signals */
        struct timespec until;
        int n;

        /* A signal that comes just before ppoll() does not end it. */
        if (wait > SIGNAL_CHECK)
            wait = SIGNAL_CHECK;
        until.tv_sec = (time_t)(wait / 1000000000);
        until.tv_nsec = (long)(wait % 1000000000);
        for (unsigned source = 0; source < n_sources; source++) {
            polled[source].fd = ax_job_fd(job, source);
            polled[source].events = source == AX_ON_INPUT ? POLLOUT : POLLIN;
        }
        polled[n_sources].fd = closing ? -1 : engine->closing_fd;
        polled[n_sources].events = POLLIN;
        n = ppoll(polled, n_sources + 1, &until, NULL);
        if ((n < 0 || (n == 0 && !watch)) && interrupted(context))
            /* Asked again, it does not wait for the grace. */
            ax_job_stop(job, job->phase == AX_RUNNING ? AX_CANCELLED : AX_CLOSED, ax_now());
        if (n > 0 && polled[n_sources].revents != 0) {
            closing = true;
            ax_job_stop(job, AX_CLOSED, ax_now());
        }
        for (unsigned source = 0; n > 0 && source < n_sources; source++)
            if (polled[source].revents != 0)
                ax_job_ready(job, source,
                             (polled[source].revents & (POLLIN | POLLHUP)) == POLLHUP);
        ax_job_tick(job, ax_now());
    }
}

/* The signal mask that write(2) to a closed pipe asks for, on a thread of the host. */
static void
hold_sigpipe(sigset_t *before)
{
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, before);
}

static void
release_sigpipe(const sigset_t *before)
{
    struct timespec at_once = {0};
    sigset_t pipe;

    if (sigismember(before, SIGPIPE))
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    while (sigtimedwait(&pipe, NULL, &at_once) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* Wait until `condition`, a signal or 50 ms: a condition variable does not notice signals.
 * With the lock held. True: a signal handler wants the task to end. */
static bool
wait_awhile(struct ax_engine *engine, pthread_cond_t *condition, bool (*interrupted)(void *),
            void *context)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (pthread_cond_timedwait(condition, &engine->lock, &until) == 0)
        return false;
    pthread_mutex_unlock(&engine->lock);
    stop = interrupted(context);
    pthread_mutex_lock(&engine->lock);
    return stop;
}

/* Take a slot of max_active, or say why not. With the lock held. */
static int
wait_for_slot(struct ax_engine *engine, bool (*interrupted)(void *), void *context)
{
    while (engine->n_active >= engine->max_active && !engine->closing)
        if (wait_awhile(engine, &engine->changed, interrupted, context))
            return EINTR;
    return engine->closing ? ECANCELED : 0;
}

/* Does the host have so many descriptors open, or so few left, that a child should rather be
 * started from the threads' table? Copying the host's takes 85 ns for each. */
static bool
is_crowded(const struct ax_engine *engine)
{
    int lowest;

    if (engine->own.self_pidfd < 0)
        return false;
    lowest = fcntl(engine->host.dev_null, F_DUPFD_CLOEXEC, 0);
    if (lowest >= 0)
        close(lowest);
    return lowest < 0 || lowest > CROWDED;
}

/* Is there a stage that is to have a filter? The host's threads carry none, and the child takes
 * longer to put one on itself than a thread that does takes to be called. */
static bool
has_filter(const struct ax_job *job)
{
    for (size_t i = 0; i < job->n_stages; i++)
        if (job->stages[i].launch.confinement.filter.code != NULL)
            return true;
    return false;
}

/* Is a job better left to the threads? They have started. */
static bool
is_for_threads(const struct ax_engine *engine, const struct ax_job *job)
{
    return has_filter(job) || is_crowded(engine);
}

/* Leave the task to the threads, and wait for its end. With the lock held. */
static void
run_there(struct ax_engine *engine, struct ax_task *task, bool (*interrupted)(void *),
          void *context)
{
    pthread_cond_t waiter = PTHREAD_COND_INITIALIZER;

    task->waiter = &waiter;
    ax_post(engine, task);
    while (!task->delivered) {
        if (!wait_awhile(engine, &waiter, interrupted, context))
            continue;
        /* Asked again, it does not wait for the grace. */
        atomic_store(&task->stop, atomic_load(&task->stop) == 0 ? AX_CANCELLED : AX_CLOSED);
        engine->attention = true;
        ax_ring(engine->wake_fd);
    }
    pthread_cond_destroy(&waiter);
}

/* ax_engine_run - run a task on the calling thread, in the host's descriptor table; or wait
 * for it here, where that table is crowded or a filter is wanted.
 *
 * Context   Any thread of the host, without the interpreter lock. `interrupted` is called
 *           after a signal, and takes the lock itself; true ends the task.
 * Ensures   0 and the task has ended; or an errno and it was not started: ECANCELED when
 *           the engine is closed, EINTR when interrupted while waiting, ENOMEM.
 */
int
ax_engine_run(struct ax_engine *engine, struct ax_task *task, bool (*interrupted)(void *),
              void *context)
{
    struct pollfd few[AX_ON_STAGE + 17], *polled = few;
    struct ax_stack stack = {0};
    sigset_t before;
    bool looked = engine->started; /* without the lock, which others wait for */
    bool leave = looked && is_for_threads(engine, &task->job);
    size_t place = 0;
    int error, stop;

    if (task->job.n_stages > 16) {
        polled = calloc(AX_ON_STAGE + task->job.n_stages + 1, sizeof *polled);
        if (polled == NULL)
            return ENOMEM;
    }
    pthread_mutex_lock(&engine->lock);
    /* The threads watch over a launch that hangs. Without them it goes unwatched. */
    error = ax_threads_start(engine) == ECANCELED ? ECANCELED : 0;
    if (error == 0 && engine->started && !looked)
        leave = is_for_threads(engine, &task->job);
    if (error == 0 && leave) {
        run_there(engine, task, interrupted, context);
        pthread_mutex_unlock(&engine->lock);
        if (polled != few)
            free(polled);
        return 0;
    }
    if (error == 0)
        error = wait_for_slot(engine, interrupted, context);
    if (error == 0) {
        if (engine->n_stacks > 0)
            stack = engine->stacks[--engine->n_stacks];
        else if (ax_stack_open(&stack) < 0)
            error = ENOMEM;
    }
    if (error != 0) {
        pthread_mutex_unlock(&engine->lock);
        if (polled != few)
            free(polled);
        return error;
    }
    ax_add_launching(engine, task, engine->timer_fd);
    while (engine->here[place] != NULL)
        place++;
    engine->here[place] = task;
    pthread_mutex_unlock(&engine->lock);

    ax_job_start(&task->job, &engine->host, &engine->recent, &stack, &engine->found);
    ax_guard_call(&engine->guard, &task->job, &stack);

    pthread_mutex_lock(&engine->lock);
    ax_remove_launching(engine, task);
    /* Its child may have been killed in launch, for it was late: so that this counts, whatever is
     * seen first of its end. */
    stop = atomic_load(&task->stop);
    if (stop != 0 && task->job.cause == AX_BY_ITSELF)
        task->job.cause = (enum ax_cause)stop;
    if (task->job.phase == AX_RUNNING)
        ax_job_watch_late(&task->job, ax_late(engine, ax_now()));
    if (engine->n_stacks < STACK_POOL) {
        engine->stacks[engine->n_stacks++] = stack;
        stack.base = NULL;
    }
    if (engine->closing)
        ax_ring(engine->wake_fd);
    pthread_mutex_unlock(&engine->lock);
    ax_stack_close(&stack);

    if (task->job.input_fd >= 0)
        hold_sigpipe(&before);
    else
        sigfillset(&before); /* nothing to release */
    watch_here(engine, &task->job, polled, interrupted, context);
    release_sigpipe(&before);

    pthread_mutex_lock(&engine->lock);
    ax_remember_stuck(engine, &task->job, engine->wake_fd);
    engine->here[place] = NULL;
    engine->loud = ax_job_is_loud(&task->job);
    ax_release_slot(engine);
    if (engine->queue_first != NULL)
        ax_ring(engine->wake_fd);
    pthread_mutex_unlock(&engine->lock);
    if (polled != few)
        free(polled);
    return 0;
}
