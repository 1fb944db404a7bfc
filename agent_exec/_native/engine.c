/* engine.c - an engine as its host sees it. */
#define _GNU_SOURCE
#include "engine_state.h"
#include "own.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const time_t JOIN_TIMEOUT = 10; /* s */

/* Held for a microsecond at most: waiting for it awake is cheaper than asleep. */
static void
init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP /* glibc */
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* That we may run on. */
static int
count_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                       : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* ax_engine_new - an engine that has started nothing yet. `cgroups`: where that is possible,
 * each call gets a cgroup of its own. `image`: path of this module, for the guardian; or NULL.
 *
 * Owns      The caller: ax_engine_free().
 * Ensures   The engine, or NULL and *error.
 */
struct ax_engine *
ax_engine_new(size_t max_active, bool cgroups, const char *image, int *error)
{
    struct ax_engine *engine = calloc(1, sizeof *engine);
    int cpus = count_processors();

    if (engine == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    init_lock(&engine->lock);
    pthread_cond_init(&engine->changed, NULL);
    pthread_mutex_init(&engine->recent.lock, NULL);
    engine->process = getpid();
    if (image != NULL && (engine->guard.image = strdup(image)) == NULL) {
        free(engine);
        *error = ENOMEM;
        return NULL;
    }
    engine->max_active = max_active;
    engine->max_threads = cpus < 2 ? 2 : cpus > 3 ? 4 : (size_t)cpus + 1;
    engine->may_spin = cpus > 1;
    engine->n_cpus = cpus < 1 ? 1 : (size_t)cpus;
    engine->timer_at = engine->watch_at = UINT64_MAX;
    engine->host.cgroup = cgroups ? ax_cgroup_new() : NULL;
    engine->own = (struct ax_table){-1, -1, -1, engine->host.cgroup};
    engine->own_wake_fd = engine->own_promote_fd = engine->own_timer_fd = -1;
    engine->epoll_fd = engine->watch_fd = -1;
    engine->slots = calloc(max_active, sizeof(struct ax_task *));
    engine->launching = calloc(max_active, sizeof *engine->launching);
    engine->generations = calloc(max_active, sizeof(uint32_t));
    engine->due = calloc(max_active, sizeof(size_t));
    engine->here = calloc(max_active, sizeof(struct ax_task *));
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->promote_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->closing_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    engine->host.self_pidfd = -1;
    engine->host.dev_null = open("/dev/null", O_RDWR | O_CLOEXEC);
    engine->host.loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    *error = 0;
    if (engine->slots == NULL || engine->launching == NULL || engine->generations == NULL ||
        engine->due == NULL || engine->here == NULL || (cgroups && engine->host.cgroup == NULL))
        *error = ENOMEM;
    else if (engine->wake_fd < 0 || engine->promote_fd < 0 || engine->closing_fd < 0 ||
             engine->timer_fd < 0 || engine->host.dev_null < 0)
        *error = errno;
    if (engine->host.dev_null >= 0 && engine->host.dev_null < 3) {
        int moved = fcntl(engine->host.dev_null, F_DUPFD_CLOEXEC, 3);

        if (moved < 0 && *error == 0)
            *error = errno;
        close(engine->host.dev_null);
        engine->host.dev_null = moved;
    }
    if (*error != 0) {
        ax_engine_free(engine);
        return NULL;
    }
    return engine;
}

/* Without the lock: a hint whether ax_engine_submit() will have to wait for threads. */
bool
ax_engine_is_started(const struct ax_engine *engine)
{
    return engine->started;
}

/* False in a process that was forked from the engine's: its threads are not there. */
bool
ax_engine_is_ours(const struct ax_engine *engine)
{
    return getpid() == engine->process;
}

/* ax_engine_forget - in a process that was just forked, by its only thread: close what calls
 * had open in the host's table. Takes no lock: nobody is there to hold it, and somebody may
 * have held it. */
void
ax_engine_forget(struct ax_engine *engine)
{
    bool shared = engine->own.self_pidfd < 0;

    if (engine->host.cgroup != NULL)
        ax_cgroup_forget(engine->host.cgroup);
    for (size_t i = 0; i < engine->max_active; i++)
        if (engine->here[i] != NULL)
            ax_job_forget(&engine->here[i]->job);
    for (size_t i = 0; shared && i < engine->max_active; i++)
        if (engine->slots[i] != NULL)
            ax_job_forget(&engine->slots[i]->job);
}

/* ax_port_open - a place for finished tasks. Ensures 0 or an errno. */
int
ax_port_open(struct ax_port *port)
{
    port->finished = NULL;
    port->bell.fd = -1;
    port->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return port->event_fd < 0 ? errno : 0;
}

/* ax_port_close - forget a port. No task of it is on its way any more. */
void
ax_port_close(struct ax_engine *engine, struct ax_port *port)
{
    bool shared = port->bell.fd == port->event_fd;

    ax_close_fd(&port->event_fd);
    if (port->bell.fd < 0 || shared)
        return;
    pthread_mutex_lock(&engine->lock);
    if (!engine->closing) {
        int *more = realloc(engine->retired, (engine->n_retired + 1) * sizeof *more);

        if (more != NULL) { /* else it stays open until the engine is closed */
            engine->retired = more;
            engine->retired[engine->n_retired++] = port->bell.fd;
            engine->attention = true;
            ax_ring(engine->wake_fd);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    port->bell.fd = -1;
}

/* ax_engine_submit - queue a task; it comes out of its port.
 *
 * Context   A thread of the host. Takes the lock only when the engine has no threads yet.
 * Owns      On success the engine has the task until ax_port_take().
 * Ensures   0 and a ticket; or an errno: ECANCELED when closed, EAGAIN, ENOMEM, EMFILE
 *           when the threads cannot be started.
 */
int
ax_engine_submit(struct ax_engine *engine, struct ax_task *task, uint64_t *ticket)
{
    int error = 0;

    if (!engine->started) {
        pthread_mutex_lock(&engine->lock);
        error = ax_threads_start(engine);
        pthread_mutex_unlock(&engine->lock);
        if (error != 0)
            return error;
    }
    engine->n_submitting++; /* before the look at `closing`: see is_done() */
    if (engine->closing) {
        error = ECANCELED;
    } else {
        *ticket = task->ticket = ++engine->next_ticket;
        ax_post(engine, task);
    }
    engine->n_submitting--;
    return error;
}

/* ax_engine_cancel - end a task. Without effect when it has ended already. */
void
ax_engine_cancel(struct ax_engine *engine, uint64_t ticket)
{
    pthread_mutex_lock(&engine->lock);
    ax_collect(engine);
    for (struct ax_task **link = &engine->queue_first; *link != NULL; link = &(*link)->next)
        if ((*link)->ticket == ticket)
            atomic_store(&(*link)->stop, AX_CANCELLED);
    for (size_t i = 0; i < engine->n_launching; i++)
        if (engine->launching[i].task->ticket == ticket)
            atomic_store(&engine->launching[i].task->stop, AX_CANCELLED);
    for (size_t i = 0; i < engine->max_active; i++)
        if (engine->slots[i] != NULL && engine->slots[i]->ticket == ticket)
            atomic_store(&engine->slots[i]->stop, AX_CANCELLED);
    engine->attention = true;
    ax_ring(engine->wake_fd);
    pthread_mutex_unlock(&engine->lock);
}

/* ax_port_take - the finished tasks of a port, first first. The caller frees them. */
struct ax_task *
ax_port_take(struct ax_port *port)
{
    struct ax_task *task, *first = NULL;

    ax_silence(port->event_fd);
    ax_bell_await(&port->bell);
    task = atomic_exchange(&port->finished, NULL);
    while (task != NULL) {
        struct ax_task *earlier = task->next;

        task->next = first;
        first = task;
        task = earlier;
    }
    return first;
}

void
ax_engine_count(struct ax_engine *engine, struct ax_engine_counts *counts)
{
    pthread_mutex_lock(&engine->lock);
    ax_collect(engine);
    counts->threads = engine->n_threads;
    counts->active = engine->n_active;
    counts->queued = engine->n_queued;
    counts->private_table = engine->own.self_pidfd >= 0;
    pthread_mutex_unlock(&engine->lock);
}

/* ax_engine_bound - what each call may have that gets a cgroup which can limit it: threads, and
 * bytes of memory; 0: no limit. Before the first call. */
void
ax_engine_bound(struct ax_engine *engine, uint64_t processes, uint64_t memory)
{
    if (engine->host.cgroup != NULL) {
        engine->host.cgroup->bounds.processes = processes;
        engine->host.cgroup->bounds.memory = memory;
    }
}

/* ax_engine_contains - does each call get a cgroup of its own? `text` is where, or why not. */
bool
ax_engine_contains(struct ax_engine *engine, char text[CGROUP_TEXT])
{
    return ax_cgroup_ready(&engine->host, text);
}

/* ax_engine_guardian - the pid of the guardian; 0: there is none, or not yet (*error 0). */
pid_t
ax_engine_guardian(const struct ax_engine *engine, int *error)
{
    int state = atomic_load(&engine->guard.state);

    *error = state == AX_GUARD_NONE ? engine->guard.error : 0;
    return state == AX_GUARD_THERE ? engine->guard.pid : 0;
}

static void
close_host(struct ax_engine *engine)
{
    ax_close_fd(&engine->wake_fd);
    ax_close_fd(&engine->promote_fd);
    ax_close_fd(&engine->closing_fd);
    ax_close_fd(&engine->timer_fd);
    ax_close_fd(&engine->host.dev_null);
    ax_close_fd(&engine->host.loadavg);
    if (engine->own.self_pidfd < 0)
        ax_own_close(engine); /* they were in the host's table */
}

/* ax_engine_close - kill and reap every job, stop every thread. May be called twice.
 *
 * Ensures   Every task is in its port. A thread that does not come back in JOIN_TIMEOUT
 *           (its launch is stuck in the kernel) is left to itself, with what it uses.
 */
void
ax_engine_close(struct ax_engine *engine)
{
    struct timespec until;
    size_t n_threads;
    bool left = false, has_gone;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_TIMEOUT;
    pthread_mutex_lock(&engine->lock);
    engine->closing = true;
    while (engine->n_submitting > 0) /* they take no lock */
        sched_yield();
    ax_ring(engine->wake_fd);
    ax_ring(engine->promote_fd);
    ax_ring(engine->closing_fd);
    pthread_cond_broadcast(&engine->changed);
    /* Until they have started, the threads are not all known. */
    while (engine->n_threads > 0 && !engine->started && engine->start_error == 0 &&
           pthread_cond_timedwait(&engine->changed, &engine->lock, &until) == 0)
        ;
    while (engine->n_active > 0 &&
           pthread_cond_timedwait(&engine->changed, &engine->lock, &until) == 0)
        ;
    left = engine->n_active > 0;
    n_threads = engine->n_threads;
    engine->n_threads = 0;
    has_gone = engine->has_gone;
    engine->has_gone = false;
    pthread_mutex_unlock(&engine->lock);

    for (size_t i = 0; i < n_threads; i++) {
        if (pthread_timedjoin_np(engine->threads[i], NULL, &until) != 0) {
            pthread_detach(engine->threads[i]);
            left = true;
        }
    }
    if (has_gone)
        pthread_join(engine->gone, NULL);
    if (left) {
        engine->process = 0; /* nobody's: ax_engine_free() leaves it alone */
        return;
    }
    if (engine->host.cgroup != NULL)
        ax_cgroup_close(engine->host.cgroup);
    ax_guard_dismiss(&engine->guard);
    close_host(engine);
}

/* ax_engine_free - free an engine that is closed, or another process's. */
void
ax_engine_free(struct ax_engine *engine)
{
    bool ours = ax_engine_is_ours(engine);

    if (engine->process == 0)
        return;
    close_host(engine);
    if (engine->host.cgroup != NULL)
        ax_cgroup_free(engine->host.cgroup, ours);
    for (size_t i = 0; i < engine->n_stacks; i++)
        ax_stack_close(&engine->stacks[i]);
    while (engine->stuck != NULL) {
        struct stuck *stuck = engine->stuck;

        engine->stuck = stuck->next;
        free(stuck);
    }
    free(engine->slots);
    free(engine->launching);
    free(engine->generations);
    free(engine->due);
    free(engine->here);
    free(engine->retired);
    free(engine->guard.image);
    ax_crews_free(engine, ours);
    if (ours) { /* a lock that was held at the fork must not be destroyed */
        pthread_mutex_destroy(&engine->lock);
        pthread_mutex_destroy(&engine->recent.lock);
        pthread_cond_destroy(&engine->changed);
    }
    free(engine);
}
