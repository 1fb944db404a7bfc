/* threads.c - the threads of an engine.
 *
 * Threads. One leads: it waits in epoll for what happens to running jobs. A thread that
 * starts a child stands still until the child has exec'd, so before it does, it gives up
 * the lead: at once where other jobs need watching, else a timer lets a follower take
 * over should the launch hang. There is one thread more than may start children at the
 * same time.
 *
 * Some threads carry a filter (crew.h). They are called when there is something for them to
 * start, may lead as well, and are counted apart.
 */
#define _GNU_SOURCE
#include "engine_state.h"
#include "own.h"
#include "start.h"
#include "watching.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

enum { THREAD_STACK = 512 * 1024 };

/* What a thread of an engine works with. */
struct worker {
    struct ax_stack stack;
    struct ax_crew *crew; /* whose filter it carries, or NULL: it is a plain one */
    /* Tasks that have been started by this thread, or by its crew. The children of a thread get
     * SIGKILL when it ends, and not only when the process does (PR_SET_PDEATHSIG). With the
     * engine's lock. */
    size_t *living;
};

static void *thread_main(void *argument);
static void *crew_main(void *argument);

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
has_launchable(struct ax_engine *engine)
{
    ax_collect(engine);
    return engine->queue_first != NULL && engine->n_active < engine->max_active;
}

static bool
create_thread(struct ax_engine *engine, void *(*body)(void *), void *argument)
{
    pthread_attr_t attributes;
    bool added;

    if (engine->n_threads == MOST_THREADS || pthread_attr_init(&attributes) != 0)
        return false;
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    added = pthread_create(&engine->threads[engine->n_threads], &attributes, body,
                           argument) == 0;
    pthread_attr_destroy(&attributes);
    engine->n_threads += added;
    return added;
}

/* By a plain thread: one that carries a filter would pass it on. */
static bool
add_thread(struct ax_engine *engine)
{
    return create_thread(engine, thread_main, engine);
}

/* Start one queued task. Called and left with the lock held; the launch is made without. */
static void
launch(struct ax_engine *engine, struct ax_task *task, const struct worker *worker)
{
    struct ax_crew *crew = NULL;

    task->living = worker->living;
    ++*task->living;
    ax_add_launching(engine, task, engine->own_timer_fd);
    if (worker->crew != NULL)
        worker->crew->busy_since = engine->busy_since;
    pthread_mutex_unlock(&engine->lock);

    ax_job_start(&task->job, &engine->own, &engine->recent, &worker->stack, &engine->found);
    if (worker->crew == NULL)
        ax_guard_call(&engine->guard, &task->job, &worker->stack);

    pthread_mutex_lock(&engine->lock);
    ax_remove_launching(engine, task);
    if (worker->crew == NULL && task->job.failure.step == AX_STEP_NONE)
        crew = ax_crew_to_grow(engine, task);
    if (task->job.phase == AX_ENDED)
        ax_task_end(engine, task);
    else
        ax_task_watch(engine, task);
    /* Its children are quicker to start there; it makes no difference to this one. */
    if (crew != NULL && create_thread(engine, crew_main, crew)) {
        crew->n_threads++;
        engine->n_crewed++;
    }
}

/* Start what the calling thread may start. It has handed over, or never had the lead. */
static void
launch_queued(struct ax_engine *engine, const struct worker *worker)
{
    while (has_launchable(engine) && !engine->closing &&
           ax_crew_choose(engine, worker->crew, engine->queue_first) == AX_STARTER_SELF)
        launch(engine, pop_queue(engine), worker);
}

/* Leave: launches that hung made us more than are of use. With the lock held, by a thread
 * that has nothing to do. Gives back whom to join, or false. */
static bool
leave(struct ax_engine *engine, pthread_t *gone)
{
    size_t place = 0;
    bool has_gone = engine->has_gone;

    while (!pthread_equal(engine->threads[place], pthread_self()))
        place++;
    engine->threads[place] = engine->threads[--engine->n_threads];
    *gone = engine->gone;
    engine->gone = pthread_self();
    engine->has_gone = true;
    return has_gone;
}

static bool
has_others(const struct ax_engine *engine)
{
    return engine->n_watched > 0 || engine->n_launching > 0 || engine->n_queued > 1;
}

/* Let a plain follower lead: at once where it is needed, else if this launch hangs. */
static void
give_up_lead(struct ax_engine *engine, bool at_once)
{
    engine->leader = false;
    if (at_once) {
        ax_ring(engine->own_promote_fd);
    } else if (!engine->watch_armed) {
        ax_set_timer(engine->watch_fd, ax_now() + AX_LAUNCH_PATIENCE);
        engine->watch_armed = true;
    }
}

/* See to it that somebody leads while this thread launches. True: it may launch.
 *
 * One plain thread at least is not launching: it leads, follows, or is on its way to either. So
 * a thread that carries a filter, which must not make another one, never has to. */
static bool
hand_over(struct ax_engine *engine, const struct ax_crew *crew)
{
    if (engine->n_followers > 0 || crew != NULL) {
        give_up_lead(engine, has_others(engine) || engine->inbox != NULL);
        return true;
    }
    if (engine->n_threads - engine->n_crewed >= engine->max_threads) {
        uint64_t now = ax_now();

        /* All others launch, and take the queue when they are done; unless they hang. */
        if (now < engine->busy_since + AX_LAUNCH_PATIENCE) {
            ax_ring_no_later(engine, engine->busy_since + AX_LAUNCH_PATIENCE, engine->own_timer_fd);
            return false;
        }
    }
    if (!add_thread(engine)) {
        ax_ring_no_later(engine, ax_now() + AX_LAUNCH_PATIENCE, engine->own_timer_fd);
        return false;
    }
    engine->leader = false; /* the new thread finds no leader and becomes it */
    return true;
}

/* Before a thread goes to wait: it may leave a task that somebody else has to start, and the
 * leader has looked already. */
static void
remind_leader(struct ax_engine *engine)
{
    if (engine->leader && has_launchable(engine))
        ax_ring(engine->own_wake_fd);
}

/* Wait until a leader is wanted. Called and left with the lock held. */
static void
follow(struct ax_engine *engine)
{
    struct pollfd wanted[2] = {
        {.fd = engine->own_promote_fd, .events = POLLIN},
        {.fd = engine->watch_fd, .events = POLLIN},
    };

    remind_leader(engine);
    engine->n_followers++;
    pthread_mutex_unlock(&engine->lock);
    (void)poll(wanted, 2, -1);
    pthread_mutex_lock(&engine->lock);
    engine->n_followers--;
    if (wanted[0].revents != 0)
        ax_silence(engine->own_promote_fd);
    if (wanted[1].revents != 0) {
        ax_silence(engine->watch_fd);
        engine->watch_armed = false;
    }
}

/* Is it closed, and nothing left to do? With the lock. */
bool
ax_engine_is_done(const struct ax_engine *engine)
{
    /* In this order: who submits looks at `closing` once it is counted, and is counted until
     * its task is in the inbox. */
    return engine->closing && engine->n_submitting == 0 && engine->inbox == NULL &&
           engine->n_queued == 0 && engine->n_watched == 0 && engine->n_launching == 0;
}

/* May the leader start the first task of the queue? Where that is another's, it sees to it that
 * the other does, and no longer leads if that is better. */
static bool
may_launch(struct ax_engine *engine, struct ax_crew *own)
{
    switch (ax_crew_choose(engine, own, engine->queue_first)) {
    case AX_STARTER_SELF:
        return hand_over(engine, own);
    case AX_STARTER_CREW:
        /* Where it is the only task, its crew is to lead: the next one is likely to be the
         * crew's as well, and need not be passed on. */
        if (!has_others(engine))
            give_up_lead(engine, false);
        return false;
    case AX_STARTER_WAIT:
        if (own != NULL)
            give_up_lead(engine, true);
        return false;
    }
    return false;
}

/* Lead, until somebody else does. Called and left with the lock held. */
static void
lead(struct ax_engine *engine, const struct worker *worker)
{
    engine->leader = true;
    while (engine->leader && !ax_engine_is_done(engine)) {
        if (has_launchable(engine) && !engine->closing) {
            if (may_launch(engine, worker->crew)) {
                launch_queued(engine, worker);
                if (engine->leader)
                    return; /* somebody else took it meanwhile */
                engine->leader = true;
                continue;
            }
            if (!engine->leader)
                return;
        }
        ax_events_wait(engine);
    }
}

/* Whoever sees the end first wakes the others, who wait for different things. */
static void
wake_all(struct ax_engine *engine)
{
    if (engine->started && ax_engine_is_done(engine)) {
        ax_ring(engine->own_promote_fd);
        ax_ring(engine->own_wake_fd);
        ax_crews_wake(engine);
    }
    pthread_cond_broadcast(&engine->changed);
}

static void *
thread_main(void *argument)
{
    struct ax_engine *engine = argument;
    size_t living = 0;
    struct worker worker = {.living = &living};
    bool ready = ax_stack_open(&worker.stack) == 0;
    bool has_gone = false;
    pthread_t gone;

    prctl(PR_SET_NAME, "agent_exec", 0, 0, 0);
    pthread_mutex_lock(&engine->lock);
    if (!engine->started) {
        engine->start_error = ready ? ax_own_open(engine) : ENOMEM;
        if (engine->start_error == 0 && !add_thread(engine))
            engine->start_error = EAGAIN;
        engine->started = engine->start_error == 0;
        if (!engine->started)
            ax_own_close(engine);
        pthread_cond_broadcast(&engine->changed);
        ready = engine->started;
    }
    while (ready && !ax_engine_is_done(engine)) {
        if (!engine->leader)
            lead(engine, &worker);
        if (ax_engine_is_done(engine))
            break;
        if (engine->leader && living == 0 &&
            engine->n_threads - engine->n_crewed > engine->max_threads) {
            has_gone = leave(engine, &gone);
            break;
        }
        follow(engine); /* also where a crew has been called to lead */
    }
    wake_all(engine);
    pthread_mutex_unlock(&engine->lock);
    ax_stack_close(&worker.stack);
    if (has_gone) /* it has nothing left to do but to return */
        pthread_join(gone, NULL);
    return NULL;
}

/* A thread of a crew: like a plain one, but that it starts only what is to have its filter, makes no
 * thread, and waits to be called. */
static void *
crew_main(void *argument)
{
    struct ax_crew *crew = argument;
    struct ax_engine *engine = crew->engine;
    struct worker worker = {.crew = crew, .living = &crew->living};
    int error = ax_stack_open(&worker.stack) == 0 ? 0 : ENOMEM;
    bool has_gone = false;
    pthread_t gone;

    prctl(PR_SET_NAME, "agent_exec", 0, 0, 0);
    if (error == 0)
        error = ax_filter_carry(&crew->filter);
    pthread_mutex_lock(&engine->lock);
    crew->error = error;
    while (error == 0 && ax_crew_await(crew)) {
        if (engine->leader)
            launch_queued(engine, &worker);
        if (!engine->leader)
            lead(engine, &worker);
        remind_leader(engine);
    }
    if (!engine->closing) {
        has_gone = leave(engine, &gone);
        engine->n_crewed--;
        ax_crew_leave(crew);
    }
    wake_all(engine);
    pthread_mutex_unlock(&engine->lock);
    ax_stack_close(&worker.stack);
    if (has_gone)
        pthread_join(gone, NULL);
    return NULL;
}

/* Start the threads at the first call that needs them. With the lock held. */
int
ax_threads_start(struct ax_engine *engine)
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
    while (!engine->started && engine->start_error == 0 && engine->n_threads > 0)
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
        pthread_cond_broadcast(&engine->changed);
        return error;
    }
    if (!engine->started)
        return EAGAIN; /* another caller was told why */
    /* Closed while we waited: nobody would take a task any more. */
    return engine->closing ? ECANCELED : 0;
}
