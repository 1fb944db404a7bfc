/* crew.c - see crew.h. With the engine's lock. */
#define _GNU_SOURCE
#include "engine_state.h"

#include <errno.h>
#include <string.h>

/* The filter that all stages of a task have; NULL where they do not have one and the same. */
static const struct ax_filter *
filter_of(const struct ax_task *task)
{
    const struct ax_job *job = &task->job;
    const struct ax_filter *first = &job->stages[0].launch.confinement.filter;

    if (first->code == NULL)
        return NULL;
    for (size_t i = 1; i < job->n_stages; i++) {
        const struct ax_filter *filter = &job->stages[i].launch.confinement.filter;

        if (filter->code == NULL || !ax_filter_is(filter, first))
            return NULL;
    }
    return first;
}

static struct ax_crew *
find_crew(struct ax_engine *engine, const struct ax_filter *filter)
{
    for (size_t i = 0; i < MOST_CREWS; i++)
        if (engine->crews[i].engine != NULL && ax_filter_is(&engine->crews[i].filter, filter))
            return &engine->crews[i];
    return NULL;
}

static void
call_one(struct ax_crew *crew)
{
    crew->n_called++;
    crew->used_at = ax_now();
    pthread_cond_signal(&crew->called);
}

/* ax_crew_choose - who starts `task`, the first of the queue; who is idle is called. `own` is
 * the crew of the calling thread, or NULL.
 *
 * A plain thread may start any task: where the filter is not inherited, the child puts it on
 * itself, which takes longer. So no task ever depends on a crew, and the first ones of a filter
 * do not wait for it.
 */
enum ax_starter
ax_crew_choose(struct ax_engine *engine, struct ax_crew *own, const struct ax_task *task)
{
    const struct ax_filter *filter = filter_of(task);
    struct ax_crew *crew = filter == NULL ? NULL : find_crew(engine, filter);

    /* A guardian would inherit the filter, and not be able to do its work: the call that starts
     * it is for a plain thread. A crew is made after a launch, so the engine's cgroup has been
     * tried. */
    bool guards = crew != NULL && ax_guard_is_due(&engine->guard, &task->job, engine->host.cgroup);

    if (own != NULL) {
        if (crew != own || guards)
            return AX_STARTER_WAIT;
        if (engine->n_queued > 1 && own->n_idle > own->n_called)
            call_one(own);
        return AX_STARTER_SELF;
    }
    if (crew == NULL || crew->error != 0 || crew->retiring || guards)
        return AX_STARTER_SELF;
    if (crew->n_called > 0)
        return AX_STARTER_CREW;
    if (crew->n_idle > 0) {
        call_one(crew);
        return AX_STARTER_CREW;
    }
    if (crew->n_threads < engine->max_threads)
        return AX_STARTER_SELF;
    /* All of them launch, and take the queue when they are done; unless they hang. */
    if (ax_now() < crew->busy_since + AX_LAUNCH_PATIENCE) {
        ax_ring_no_later(engine, crew->busy_since + AX_LAUNCH_PATIENCE, engine->own_timer_fd);
        return AX_STARTER_WAIT;
    }
    return AX_STARTER_SELF;
}

static void
free_place(struct ax_crew *crew)
{
    pthread_cond_destroy(&crew->called);
    memset(crew, 0, sizeof *crew);
}

/* A place for one more crew, or NULL. Where there is none, the one that was used longest ago
 * begins to go, if nobody needs its threads: for the next one that asks. */
static struct ax_crew *
find_place(struct ax_engine *engine)
{
    struct ax_crew *oldest = NULL;

    for (size_t i = 0; i < MOST_CREWS; i++) {
        struct ax_crew *crew = &engine->crews[i];

        if (crew->engine == NULL)
            return crew;
        if (crew->living == 0 && crew->n_called == 0 && crew->n_idle == crew->n_threads &&
            !crew->retiring && (oldest == NULL || crew->used_at < oldest->used_at))
            oldest = crew;
    }
    if (oldest != NULL && oldest->n_threads == 0) {
        free_place(oldest);
        return oldest;
    }
    if (oldest != NULL) {
        oldest->retiring = true;
        pthread_cond_broadcast(&oldest->called);
    }
    return NULL;
}

/* ax_crew_to_grow - the crew that needs another thread for tasks like `task`, or NULL. */
struct ax_crew *
ax_crew_to_grow(struct ax_engine *engine, const struct ax_task *task)
{
    const struct ax_filter *filter = filter_of(task);
    struct ax_crew *crew = filter == NULL ? NULL : find_crew(engine, filter);

    if (filter == NULL || engine->closing)
        return NULL;
    if (crew != NULL)
        return crew->n_threads < engine->max_threads && crew->n_idle == 0 && crew->error == 0 &&
                       !crew->retiring
                   ? crew
                   : NULL;
    crew = find_place(engine);
    if (crew == NULL)
        return NULL;
    memcpy(crew->code, filter->code, filter->n * sizeof *filter->code);
    crew->filter = *filter;
    crew->filter.code = crew->code;
    crew->used_at = ax_now();
    pthread_cond_init(&crew->called, NULL);
    crew->engine = engine;
    return crew;
}

/* ax_crew_await - wait until a thread of the crew is called. False: it is to go. */
bool
ax_crew_await(struct ax_crew *crew)
{
    struct ax_engine *engine = crew->engine;

    crew->n_idle++;
    while (crew->n_called == 0 && !crew->retiring && !ax_engine_is_done(engine))
        pthread_cond_wait(&crew->called, &engine->lock);
    crew->n_idle--;
    if (crew->n_called == 0)
        return false;
    crew->n_called--;
    return true;
}

/* ax_crew_leave - a thread of the crew ends. */
void
ax_crew_leave(struct ax_crew *crew)
{
    crew->n_threads--;
    if (crew->retiring && crew->n_threads == 0)
        free_place(crew);
}

/* Called when the engine is done: each sees it for itself. */
void
ax_crews_wake(struct ax_engine *engine)
{
    for (size_t i = 0; i < MOST_CREWS; i++)
        if (engine->crews[i].engine != NULL)
            pthread_cond_broadcast(&engine->crews[i].called);
}

/* Without the lock: nobody is there any more. What waits in another process is not ours. */
void
ax_crews_free(struct ax_engine *engine, bool ours)
{
    for (size_t i = 0; i < MOST_CREWS; i++) {
        struct ax_crew *crew = &engine->crews[i];

        if (crew->engine == NULL)
            continue;
        if (ours)
            pthread_cond_destroy(&crew->called);
        crew->engine = NULL;
    }
}
