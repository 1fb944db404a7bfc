/* engine.c - see engine.h.
 *
 * Threads. One leads: it waits in epoll for what happens to running jobs. A thread that
 * starts a child stands still until the child has exec'd, so before it does, it gives up
 * the lead: at once where other jobs need watching, else a timer lets a follower take
 * over should the launch hang. There is one thread more than may start children at the
 * same time.
 *
 * Descriptors. The threads share a descriptor table of their own (close_range(2) with
 * CLOSE_RANGE_UNSHARE), holding nothing but what they opened: a launch copies that small
 * table whatever the host has open, and neither a fork of the host nor the host's limit
 * on descriptors meets our pipes. What a plan names is imported by pidfd_getfd(2), which
 * is always permitted within a process unless a filter forbids it; then the host's table
 * is used.
 */
#define _GNU_SOURCE
#include "engine.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_THREADS = 64,
    THREAD_STACK = 512 * 1024,
    EVENTS_AT_ONCE = 64,
    STACK_POOL = 32,
    /* Of an epoll tag: source in the low bits, then slot, then generation. */
    SOURCE_BITS = 12,
    SLOT_BITS = 20,
};

static const uint64_t TAG_WAKE = UINT64_MAX, TAG_TIMER = UINT64_MAX - 1;
static const uint64_t LAUNCH_PATIENCE = 20000000; /* ns until a launch counts as hanging */
static const uint64_t STUCK_CHECK = 1000000000;   /* ns between looks at unreaped stages */
static const uint64_t SIGNAL_CHECK = 100000000;   /* ns between looks at signals in run() */
static const time_t JOIN_TIMEOUT = 10;            /* s */

struct stuck {
    pid_t pid;
    struct stuck *next;
};

/* A task that is being started, perhaps by a thread of the host. */
struct launching {
    struct ax_task *task;
    uint64_t deadline;
};

struct ax_engine {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a slot became free, a thread is ready or gone, closing */
    pid_t process;
    size_t max_active;
    size_t max_threads;

    struct ax_table host, own;
    int wake_fd, promote_fd, timer_fd;             /* in the host's table */
    int own_wake_fd, own_promote_fd, own_timer_fd; /* the same, in the threads' table */
    int closing_fd;                                /* the host's: for run() */
    int epoll_fd, watch_fd;                        /* the threads' */

    atomic_int how;
    struct ax_recent recent;
    struct ax_stack stacks[STACK_POOL]; /* for launches on threads that are not ours */
    size_t n_stacks;

    struct ax_task *queue_first, *queue_last;
    size_t n_queued;
    size_t n_active;            /* jobs that hold a slot of max_active, run() included */
    size_t n_watched;           /* jobs in `slots` */
    struct ax_task **slots;     /* max_active of them */
    uint32_t *generations;
    struct launching *launching; /* max_active of them */
    size_t n_launching;
    struct stuck *stuck;
    int *retired; /* copies of closed ports' eventfds, for a thread of ours to close */
    size_t n_retired;
    uint64_t timer_at; /* when timer_fd rings, UINT64_MAX: not */
    uint64_t next_ticket;

    pthread_t threads[MOST_THREADS];
    size_t n_threads, n_followers;
    uint64_t busy_since; /* when the last thread went to launch; a hint for growth */
    bool leader;
    bool watch_armed; /* watch_fd will ring: whoever follows looks whether somebody leads */
    bool attention; /* a task wants to be stopped */
    bool closing;
    bool started;
    int start_error;
};

static void *thread_main(void *argument);

/* --- small parts ------------------------------------------------------------------ */

static void
ring(int event_fd)
{
    uint64_t one = 1;

    while (write(event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void
silence(int event_fd)
{
    uint64_t count;

    while (read(event_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

static void
set_timer(int timer_fd, uint64_t at)
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
static void
ring_no_later(struct ax_engine *engine, uint64_t at, int timer_fd)
{
    if (at < engine->timer_at) {
        engine->timer_at = at;
        set_timer(timer_fd, at);
    }
}

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static struct ax_task *
pop_queue(struct ax_engine *engine)
{
    struct ax_task *task = engine->queue_first;

    engine->queue_first = task->next;
    if (engine->queue_first == NULL)
        engine->queue_last = NULL;
    engine->n_queued--;
    task->next = NULL;
    return task;
}

static bool
has_launchable(const struct ax_engine *engine)
{
    return engine->queue_first != NULL && engine->n_active < engine->max_active;
}

/* Give a finished task to its loop. Called with the lock, by a thread of ours. */
static void
deliver(struct ax_engine *engine, struct ax_task *task)
{
    struct ax_port *port = task->port;

    task->next = NULL;
    if (port->first != NULL) {
        port->last->next = task;
        port->last = task;
        return; /* it has been woken, and has not looked yet */
    }
    port->first = port->last = task;
    if (engine->own.self_pidfd < 0) {
        ring(port->event_fd);
        return;
    }
    if (port->own_event_fd < 0)
        port->own_event_fd = ax_table_borrow(&engine->own, port->event_fd);
    if (port->own_event_fd >= 0)
        ring(port->own_event_fd);
}

/* Stages that outlived SIGKILL are reaped when they end after all. `wake_fd` is its number
 * in the table of the calling thread. */
static void
remember_stuck(struct ax_engine *engine, const struct ax_job *job, int wake_fd)
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
        ring(wake_fd);
    }
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
        ring_no_later(engine, now + STUCK_CHECK, engine->own_timer_fd);
}

/* A slot of max_active is free again. */
static void
release_slot(struct ax_engine *engine)
{
    engine->n_active--;
    pthread_cond_broadcast(&engine->changed);
}

static void
end_task(struct ax_engine *engine, struct ax_task *task)
{
    remember_stuck(engine, &task->job, engine->own_wake_fd);
    release_slot(engine);
    deliver(engine, task);
}

/* Tasks that were stopped before they were started. */
static void
drop_stopped(struct ax_engine *engine)
{
    struct ax_task **link = &engine->queue_first, *last = NULL;

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

/* --- watching --------------------------------------------------------------------- */

static bool
watch(struct ax_engine *engine, struct ax_job *job, uint64_t slot_tag)
{
    unsigned n_sources = AX_ON_STAGE + (unsigned)job->n_stages;

    job->epoll = engine->epoll_fd;
    for (unsigned source = 0; source < n_sources; source++) {
        int fd = ax_job_fd(job, source);
        struct epoll_event event = {
            .events = source == AX_ON_INPUT ? EPOLLOUT : EPOLLIN,
            .data.u64 = slot_tag | source,
        };

        if (fd >= 0 && epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            return false; /* ENOMEM, or the user's limit on watches */
    }
    return true;
}

/* Put a started task where the leader finds it. With the lock held throughout, the
 * leader cannot meet it half registered. */
static void
register_task(struct ax_engine *engine, struct ax_task *task)
{
    uint64_t slot = 0;
    uint64_t now = ax_now();

    while (engine->slots[slot] != NULL)
        slot++;
    task->generation = ++engine->generations[slot];
    engine->slots[slot] = task;
    engine->n_watched++;
    if (!watch(engine, &task->job,
               ((uint64_t)task->generation << 32) | (slot << SOURCE_BITS))) {
        task->job.failure = (struct ax_failure){AX_STEP_SPAWN, errno, -1};
        ax_job_stop(&task->job, AX_NOT_LAUNCHED, now);
    }
    ax_job_tick(&task->job, now);
    if (task->job.phase == AX_ENDED) {
        engine->slots[slot] = NULL;
        engine->n_watched--;
        end_task(engine, task);
        return;
    }
    ring_no_later(engine, task->job.deadline, engine->own_timer_fd);
    if (atomic_load(&task->stop) != 0) {
        engine->attention = true;
        ring(engine->own_wake_fd);
    }
}

static void
add_launching(struct ax_engine *engine, struct ax_task *task, int timer_fd)
{
    uint64_t now = ax_now();
    uint64_t deadline = task->job.timeout == UINT64_MAX ? UINT64_MAX : now + task->job.timeout;

    engine->n_active++;
    engine->launching[engine->n_launching++] = (struct launching){task, deadline};
    engine->busy_since = now;
    ring_no_later(engine, deadline, timer_fd);
}

static void
remove_launching(struct ax_engine *engine, const struct ax_task *task)
{
    size_t place = 0;

    while (engine->launching[place].task != task)
        place++;
    engine->launching[place] = engine->launching[--engine->n_launching];
}

/* Start one queued task. Called and left with the lock held; the launch is made without. */
static void
launch(struct ax_engine *engine, struct ax_task *task, const struct ax_stack *stack)
{
    add_launching(engine, task, engine->own_timer_fd);
    pthread_mutex_unlock(&engine->lock);

    ax_job_start(&task->job, &engine->own, &engine->recent, stack, &engine->how);

    pthread_mutex_lock(&engine->lock);
    remove_launching(engine, task);
    if (task->job.phase == AX_ENDED)
        end_task(engine, task);
    else
        register_task(engine, task);
}

static void
launch_queued(struct ax_engine *engine, const struct ax_stack *stack)
{
    while (has_launchable(engine) && !engine->closing)
        launch(engine, pop_queue(engine), stack);
}

static bool
add_thread(struct ax_engine *engine)
{
    pthread_attr_t attributes;
    bool added;

    if (engine->n_threads == MOST_THREADS || pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    added = pthread_create(&engine->threads[engine->n_threads], &attributes, thread_main,
                           engine) == 0;
    pthread_attr_destroy(&attributes);
    engine->n_threads += added;
    return added;
}

/* See to it that somebody leads while this thread launches. True: it may launch. */
static bool
hand_over(struct ax_engine *engine)
{
    bool others = engine->n_watched > 0 || engine->n_launching > 0 || engine->n_queued > 1;

    if (engine->n_followers > 0) {
        if (others) {
            ring(engine->own_promote_fd);
        } else if (!engine->watch_armed) {
            set_timer(engine->watch_fd, ax_now() + LAUNCH_PATIENCE);
            engine->watch_armed = true;
        }
        engine->leader = false;
        return true;
    }
    if (engine->n_threads >= engine->max_threads) {
        uint64_t now = ax_now();

        /* All others launch, and take the queue when they are done; unless they hang. */
        if (now < engine->busy_since + LAUNCH_PATIENCE) {
            ring_no_later(engine, engine->busy_since + LAUNCH_PATIENCE, engine->own_timer_fd);
            return false;
        }
    }
    if (!add_thread(engine)) {
        ring_no_later(engine, ax_now() + LAUNCH_PATIENCE, engine->own_timer_fd);
        return false;
    }
    engine->leader = false; /* the new thread finds no leader and becomes it */
    return true;
}

static void
close_retired(struct ax_engine *engine)
{
    while (engine->n_retired > 0)
        close(engine->retired[--engine->n_retired]);
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
        const struct launching *entry = &engine->launching[i];

        if (atomic_load(&entry->task->stop) != 0 || engine->closing || now >= entry->deadline)
            ax_job_kill_launch(&entry->task->job, &engine->own);
        else if (entry->deadline < earliest)
            earliest = entry->deadline;
    }
    for (size_t i = 0; i < engine->max_active; i++) {
        struct ax_task *task = engine->slots[i];
        int cause;

        if (task == NULL)
            continue;
        cause = engine->closing ? AX_CLOSED : atomic_load(&task->stop);
        if (cause != 0)
            ax_job_stop(&task->job, (enum ax_cause)cause, now);
        ax_job_tick(&task->job, now);
        if (task->job.phase == AX_ENDED) {
            engine->slots[i] = NULL;
            engine->n_watched--;
            end_task(engine, task);
        } else if (task->job.deadline < earliest) {
            earliest = task->job.deadline;
        }
    }
    engine->timer_at = UINT64_MAX;
    check_stuck(engine, now);
    ring_no_later(engine, earliest, engine->own_timer_fd);
}

/* Which task an event belongs to: NULL when it is gone, and the event is a late one. */
static struct ax_task *
find_task(const struct ax_engine *engine, uint64_t tag)
{
    uint64_t slot = tag >> SOURCE_BITS & ((1u << SLOT_BITS) - 1);
    struct ax_task *task = slot < engine->max_active ? engine->slots[slot] : NULL;

    return task != NULL && task->generation == (uint32_t)(tag >> 32) ? task : NULL;
}

/* Wait for events and act on them. Called and left with the lock held.
 *
 * The tasks are worked on without it: only the leader touches those in `slots`. */
static void
wait_for_events(struct ax_engine *engine)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    struct ax_task *tasks[EVENTS_AT_ONCE];
    bool timer = false;
    int n;

    pthread_mutex_unlock(&engine->lock);
    n = epoll_wait(engine->epoll_fd, events, EVENTS_AT_ONCE, -1);
    pthread_mutex_lock(&engine->lock);
    for (int i = 0; i < n; i++) {
        tasks[i] = NULL;
        if (events[i].data.u64 == TAG_WAKE) {
            silence(engine->own_wake_fd);
        } else if (events[i].data.u64 == TAG_TIMER) {
            silence(engine->own_timer_fd);
            timer = true;
        } else {
            tasks[i] = find_task(engine, events[i].data.u64);
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
        if (tasks[i]->job.phase == AX_ENDED) {
            engine->slots[slot] = NULL;
            engine->n_watched--;
            end_task(engine, tasks[i]);
        } else {
            ring_no_later(engine, tasks[i]->job.deadline, engine->own_timer_fd);
        }
    }
    if (timer || engine->attention || engine->closing)
        look_after_all(engine, ax_now());
}

/* Wait until a leader is wanted. Called and left with the lock held. */
static void
follow(struct ax_engine *engine)
{
    struct pollfd wanted[2] = {
        {.fd = engine->own_promote_fd, .events = POLLIN},
        {.fd = engine->watch_fd, .events = POLLIN},
    };

    engine->n_followers++;
    pthread_mutex_unlock(&engine->lock);
    (void)poll(wanted, 2, -1);
    pthread_mutex_lock(&engine->lock);
    engine->n_followers--;
    if (wanted[0].revents != 0)
        silence(engine->own_promote_fd);
    if (wanted[1].revents != 0) {
        silence(engine->watch_fd);
        engine->watch_armed = false;
    }
}

static bool
is_done(const struct ax_engine *engine)
{
    return engine->closing && engine->n_watched == 0 && engine->n_launching == 0 &&
           engine->n_queued == 0;
}

/* --- threads ---------------------------------------------------------------------- */

/* Leave the host's descriptor table for a copy that holds nothing of the host's. */
static bool
leave_host_table(struct ax_engine *engine)
{
    int null;

    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE) < 0)
        return false;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* Neither may the host's 0, 1 and 2 stay open because of us. */
    for (int fd = 0; fd < 3; fd++)
        if (fd != null)
            dup3(null, fd, O_CLOEXEC);
    engine->own.dev_null = fcntl(null, F_DUPFD_CLOEXEC, 3);
    if (null > 2)
        close(null);
    engine->own.loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    engine->own.self_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return true;
}

/* pidfd_getfd(2) of ourselves: 5.6, and forbidden by some container filters. */
static bool
can_import(const struct ax_engine *engine)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, engine->wake_fd, 0);

    if (copy >= 0)
        close(copy);
    if (pidfd >= 0)
        close(pidfd);
    return copy >= 0;
}

static int
open_own(struct ax_engine *engine)
{
    struct epoll_event wake = {.events = EPOLLIN, .data.u64 = TAG_WAKE};
    struct epoll_event timer = {.events = EPOLLIN, .data.u64 = TAG_TIMER};

    engine->own = engine->host;
    engine->own_wake_fd = engine->wake_fd;
    engine->own_promote_fd = engine->promote_fd;
    engine->own_timer_fd = engine->timer_fd;
    if (can_import(engine) && leave_host_table(engine)) {
        if (engine->own.dev_null < 0 || engine->own.self_pidfd < 0)
            return errno;
        engine->own_wake_fd = ax_table_borrow(&engine->own, engine->wake_fd);
        engine->own_promote_fd = ax_table_borrow(&engine->own, engine->promote_fd);
        engine->own_timer_fd = ax_table_borrow(&engine->own, engine->timer_fd);
        if (engine->own_wake_fd < 0 || engine->own_promote_fd < 0 || engine->own_timer_fd < 0)
            return errno;
    }
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    engine->watch_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (engine->epoll_fd < 0 || engine->watch_fd < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->own_wake_fd, &wake) < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->own_timer_fd, &timer) < 0)
        return errno;
    return 0;
}

/* By a thread that works in the table which they are in. */
static void
close_own(struct ax_engine *engine)
{
    close_fd(&engine->epoll_fd);
    close_fd(&engine->watch_fd);
}

static void *
thread_main(void *argument)
{
    struct ax_engine *engine = argument;
    struct ax_stack stack;
    bool ready = ax_stack_open(&stack) == 0;

    prctl(PR_SET_NAME, "agent_exec", 0, 0, 0);
    pthread_mutex_lock(&engine->lock);
    if (!engine->started) {
        engine->start_error = ready ? open_own(engine) : ENOMEM;
        if (engine->start_error == 0 && !add_thread(engine))
            engine->start_error = EAGAIN;
        engine->started = engine->start_error == 0;
        if (!engine->started)
            close_own(engine);
        pthread_cond_broadcast(&engine->changed);
        ready = engine->started;
    }
    while (ready && !is_done(engine)) {
        if (engine->leader) {
            follow(engine);
            continue;
        }
        engine->leader = true;
        while (engine->leader && !is_done(engine)) {
            if (has_launchable(engine) && !engine->closing && hand_over(engine)) {
                launch_queued(engine, &stack);
                if (engine->leader)
                    break; /* somebody else took it meanwhile */
                engine->leader = true;
                continue;
            }
            wait_for_events(engine);
        }
        if (is_done(engine))
            break;
    }
    /* Whoever sees the end first wakes the others. */
    if (engine->started && is_done(engine))
        ring(engine->own_promote_fd);
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    ax_stack_close(&stack);
    return NULL;
}

/* Start the threads at the first call that needs them. With the lock held. */
static int
ensure_started(struct ax_engine *engine)
{
    sigset_t all, before;

    if (engine->closing)
        return ECANCELED;
    if (engine->started)
        return 0;
    if (engine->n_threads == 0) {
        bool added;

        /* The host's handlers run on the host's threads. glibc leaves out SIGSETXID:
         * setuid(2) of the host must reach us. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        added = add_thread(engine);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!added)
            return EAGAIN;
    }
    while (!engine->started && engine->start_error == 0)
        pthread_cond_wait(&engine->changed, &engine->lock);
    if (engine->start_error != 0) {
        int error = engine->start_error;

        /* The one thread there is has nothing left to do but to unlock and return. */
        if (engine->n_threads > 0) {
            pthread_t thread = engine->threads[0];

            engine->n_threads = 0;
            pthread_mutex_unlock(&engine->lock);
            pthread_join(thread, NULL);
            pthread_mutex_lock(&engine->lock);
        }
        engine->start_error = 0;
        return error;
    }
    return 0;
}

/* --- the host's side -------------------------------------------------------------- */

/* ax_engine_new - an engine that has started nothing yet.
 *
 * Owns      The caller: ax_engine_free().
 * Ensures   The engine, or NULL and *error.
 */
struct ax_engine *
ax_engine_new(size_t max_active, int *error)
{
    struct ax_engine *engine = calloc(1, sizeof *engine);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    if (engine == NULL) {
        *error = ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    pthread_mutex_init(&engine->recent.lock, NULL);
    engine->process = getpid();
    engine->max_active = max_active;
    engine->max_threads = cpus < 2 ? 2 : cpus > 3 ? 4 : (size_t)cpus + 1;
    engine->timer_at = UINT64_MAX;
    engine->own = (struct ax_table){-1, -1, -1};
    engine->own_wake_fd = engine->own_promote_fd = engine->own_timer_fd = -1;
    engine->epoll_fd = engine->watch_fd = -1;
    engine->slots = calloc(max_active, sizeof(struct ax_task *));
    engine->launching = calloc(max_active, sizeof *engine->launching);
    engine->generations = calloc(max_active, sizeof(uint32_t));
    engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->promote_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->closing_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    engine->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    engine->host.self_pidfd = -1;
    engine->host.dev_null = open("/dev/null", O_RDWR | O_CLOEXEC);
    engine->host.loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    *error = 0;
    if (engine->slots == NULL || engine->launching == NULL || engine->generations == NULL)
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

/* ax_port_open - a place for finished tasks. Ensures 0 or an errno. */
int
ax_port_open(struct ax_port *port)
{
    port->first = port->last = NULL;
    port->own_event_fd = -1;
    port->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return port->event_fd < 0 ? errno : 0;
}

/* ax_port_close - forget a port. No task of it is on its way any more. */
void
ax_port_close(struct ax_engine *engine, struct ax_port *port)
{
    close_fd(&port->event_fd);
    if (port->own_event_fd < 0)
        return;
    pthread_mutex_lock(&engine->lock);
    if (!engine->closing) {
        int *more = realloc(engine->retired, (engine->n_retired + 1) * sizeof *more);

        if (more != NULL) { /* else it stays open until the engine is closed */
            engine->retired = more;
            engine->retired[engine->n_retired++] = port->own_event_fd;
            engine->attention = true;
            ring(engine->wake_fd);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    port->own_event_fd = -1;
}

/* ax_engine_submit - queue a task; it comes out of its port.
 *
 * Owns      On success the engine has the task until ax_port_take().
 * Ensures   0 and a ticket; or an errno: ECANCELED when closed, EAGAIN, ENOMEM, EMFILE
 *           when the threads cannot be started.
 */
int
ax_engine_submit(struct ax_engine *engine, struct ax_task *task, uint64_t *ticket)
{
    int error;

    pthread_mutex_lock(&engine->lock);
    error = ensure_started(engine);
    if (error == 0) {
        bool first = engine->queue_first == NULL;

        *ticket = task->ticket = ++engine->next_ticket;
        task->next = NULL;
        if (first)
            engine->queue_first = task;
        else
            engine->queue_last->next = task;
        engine->queue_last = task;
        engine->n_queued++;
        if (!engine->leader) {
            ring(engine->promote_fd);
        } else if (first) {
            ring(engine->wake_fd);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return error;
}

/* ax_engine_cancel - end a task. Without effect when it has ended already. */
void
ax_engine_cancel(struct ax_engine *engine, uint64_t ticket)
{
    pthread_mutex_lock(&engine->lock);
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
    ring(engine->wake_fd);
    pthread_mutex_unlock(&engine->lock);
}

/* ax_port_take - the finished tasks of a port, first first. The caller frees them. */
struct ax_task *
ax_port_take(struct ax_engine *engine, struct ax_port *port)
{
    struct ax_task *first;

    silence(port->event_fd);
    pthread_mutex_lock(&engine->lock);
    first = port->first;
    port->first = port->last = NULL;
    pthread_mutex_unlock(&engine->lock);
    return first;
}

/* Watch a started job on the calling thread. */
static void
watch_here(struct ax_engine *engine, struct ax_job *job, struct pollfd *polled,
           bool (*interrupted)(void *), void *context)
{
    unsigned n_sources = AX_ON_STAGE + (unsigned)job->n_stages;
    bool closing = false;

    while (job->phase != AX_ENDED) {
        uint64_t now = ax_now();
        uint64_t wait = job->deadline > now ? job->deadline - now : 0;
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
        if (n <= 0 && interrupted(context))
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

/* Take a slot of max_active, or say why not. With the lock held. */
static int
wait_for_slot(struct ax_engine *engine, bool (*interrupted)(void *), void *context)
{
    while (engine->n_active >= engine->max_active && !engine->closing) {
        struct timespec until;
        bool stop;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 50000000; /* a condition variable does not notice signals */
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&engine->changed, &engine->lock, &until);
        pthread_mutex_unlock(&engine->lock);
        stop = interrupted(context);
        pthread_mutex_lock(&engine->lock);
        if (stop)
            return EINTR;
    }
    return engine->closing ? ECANCELED : 0;
}

/* ax_engine_run - run a task on the calling thread, in the host's descriptor table.
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
    int error;

    if (task->job.n_stages > 16) {
        polled = calloc(AX_ON_STAGE + task->job.n_stages + 1, sizeof *polled);
        if (polled == NULL)
            return ENOMEM;
    }
    pthread_mutex_lock(&engine->lock);
    /* The threads watch over a launch that hangs. Without them it goes unwatched. */
    error = ensure_started(engine) == ECANCELED ? ECANCELED
                                                : wait_for_slot(engine, interrupted, context);
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
    add_launching(engine, task, engine->timer_fd);
    pthread_mutex_unlock(&engine->lock);

    ax_job_start(&task->job, &engine->host, &engine->recent, &stack, &engine->how);

    pthread_mutex_lock(&engine->lock);
    remove_launching(engine, task);
    if (engine->n_stacks < STACK_POOL) {
        engine->stacks[engine->n_stacks++] = stack;
        stack.base = NULL;
    }
    if (engine->closing)
        ring(engine->wake_fd);
    pthread_mutex_unlock(&engine->lock);
    ax_stack_close(&stack);

    if (task->job.input_fd >= 0)
        hold_sigpipe(&before);
    else
        sigfillset(&before); /* nothing to release */
    watch_here(engine, &task->job, polled, interrupted, context);
    release_sigpipe(&before);

    pthread_mutex_lock(&engine->lock);
    remember_stuck(engine, &task->job, engine->wake_fd);
    release_slot(engine);
    if (engine->queue_first != NULL)
        ring(engine->wake_fd);
    pthread_mutex_unlock(&engine->lock);
    if (polled != few)
        free(polled);
    return 0;
}

void
ax_engine_count(struct ax_engine *engine, struct ax_engine_counts *counts)
{
    pthread_mutex_lock(&engine->lock);
    counts->threads = engine->n_threads;
    counts->active = engine->n_active;
    counts->queued = engine->n_queued;
    counts->private_table = engine->own.self_pidfd >= 0;
    pthread_mutex_unlock(&engine->lock);
}

static void
close_host(struct ax_engine *engine)
{
    close_fd(&engine->wake_fd);
    close_fd(&engine->promote_fd);
    close_fd(&engine->closing_fd);
    close_fd(&engine->timer_fd);
    close_fd(&engine->host.dev_null);
    close_fd(&engine->host.loadavg);
    if (engine->own.self_pidfd < 0)
        close_own(engine); /* they were in the host's table */
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
    bool left = false;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += JOIN_TIMEOUT;
    pthread_mutex_lock(&engine->lock);
    engine->closing = true;
    ring(engine->wake_fd);
    ring(engine->promote_fd);
    ring(engine->closing_fd);
    pthread_cond_broadcast(&engine->changed);
    while (engine->n_active > 0 &&
           pthread_cond_timedwait(&engine->changed, &engine->lock, &until) == 0)
        ;
    left = engine->n_active > 0;
    n_threads = engine->n_threads;
    engine->n_threads = 0;
    pthread_mutex_unlock(&engine->lock);

    for (size_t i = 0; i < n_threads; i++) {
        if (pthread_timedjoin_np(engine->threads[i], NULL, &until) != 0) {
            pthread_detach(engine->threads[i]);
            left = true;
        }
    }
    if (left)
        engine->process = 0; /* nobody's: ax_engine_free() leaves it alone */
    else
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
    free(engine->retired);
    if (ours) { /* a lock that was held at the fork must not be destroyed */
        pthread_mutex_destroy(&engine->lock);
        pthread_mutex_destroy(&engine->recent.lock);
        pthread_cond_destroy(&engine->changed);
    }
    free(engine);
}
