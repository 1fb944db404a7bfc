/* crew.h - threads of an engine that carry a filter, for the children that are to have it.
 *
 * All state is the engine's, under its lock.
 */
#ifndef AX_CREW_H
#define AX_CREW_H

#include "filter.h"

#include <pthread.h>
#include <stdint.h>

struct ax_engine;
struct ax_task;

enum { MOST_CREWS = 4 };

/* The threads of one filter, at most as many as there are plain ones at rest. */
struct ax_crew {
    struct ax_engine *engine; /* NULL: the place is free */
    struct ax_filter filter;
    struct sock_filter code[AX_MOST_CODE]; /* the filter's, a copy of our own */
    pthread_cond_t called;
    size_t n_threads, n_idle;
    size_t n_called; /* of the idle ones, who have not come yet */
    /* Tasks that its threads have started. Their children get SIGKILL when the thread that
     * cloned them ends (PR_SET_PDEATHSIG), so until then none of them goes. */
    size_t living;
    uint64_t busy_since, used_at;
    int error; /* the filter cannot be put on a thread */
    bool retiring;
};

/* Who is to start a task. */
enum ax_starter {
    AX_STARTER_SELF, /* the calling thread */
    AX_STARTER_CREW, /* a thread of the task's crew, which has been called */
    AX_STARTER_WAIT, /* whoever has time first: the calling thread is not the right one */
};

enum ax_starter ax_crew_choose(struct ax_engine *engine, struct ax_crew *own,
                               const struct ax_task *task);
struct ax_crew *ax_crew_to_grow(struct ax_engine *engine, const struct ax_task *task);
bool ax_crew_await(struct ax_crew *crew);
void ax_crew_leave(struct ax_crew *crew);
void ax_crews_wake(struct ax_engine *engine);
void ax_crews_free(struct ax_engine *engine, bool ours);

#endif
