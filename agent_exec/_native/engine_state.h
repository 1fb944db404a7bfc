/* engine_state.h - what an engine consists of; for engine.c, threads.c, watching.c and run.c. */
#ifndef AX_ENGINE_STATE_H
#define AX_ENGINE_STATE_H

#include "crew.h"
#include "engine.h"
#include "guard.h"

enum {
    MOST_THREADS = 64,
    STACK_POOL = 32,
    AX_LAUNCH_PATIENCE = 20000000, /* ns until a launch counts as hanging */
    AX_SHORT = 1000000, /* ns that outputs are left alone for: see ax_late() */
};

struct stuck {
    pid_t pid;
    struct stuck *next;
};

/* A task that is being started, perhaps by a thread of the host. */
struct launching {
    struct ax_task *task;
    uint64_t deadline;
    uint64_t kill_at; /* UINT64_MAX: it goes on */
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

    struct ax_found found;
    struct ax_recent recent;
    struct ax_guard guard;
    struct ax_stack stacks[STACK_POOL]; /* for launches on threads that are not ours */
    size_t n_stacks;

    /* Submitted and not seen by a thread yet, the last first. Filled without the lock: an
     * event loop must not wait for threads that work. */
    _Atomic(struct ax_task *) inbox;
    atomic_size_t n_submitting; /* threads that have yet to fill it, or to say so */
    struct ax_task *queue_first, *queue_last;
    size_t n_queued;
    size_t n_active;            /* jobs that hold a slot of max_active, run() included */
    size_t n_watched;           /* jobs in `slots` */
    struct ax_task **slots;     /* max_active of them */
    uint32_t *generations;
    size_t *due; /* slots, while the leader works on them */
    struct launching *launching; /* max_active of them */
    struct ax_task **here;       /* those in run(), max_active of them; NULL between */
    size_t n_launching;
    struct stuck *stuck;
    int *retired; /* copies of closed ports' eventfds, for a thread of ours to close */
    size_t n_retired;
    uint64_t timer_at; /* when timer_fd rings, UINT64_MAX: not */
    uint64_t watch_at; /* when the first outputs are to be watched; no later than they are */
    uint64_t wakes_at; /* when the leader wakes by itself; 0: it is awake, or there is none */
    size_t n_cpus;
    bool loud; /* the last task that ended said more than goes into a pipe */
    _Atomic uint64_t next_ticket;

    pthread_t threads[MOST_THREADS];
    size_t n_threads;
    size_t n_crewed; /* of them, those that carry a filter; the others are plain */
    struct ax_crew crews[MOST_CREWS];
    atomic_size_t n_followers; /* plain ones */
    pthread_t gone; /* the last one that left, to be joined */
    bool has_gone;
    uint64_t busy_since; /* when the last thread went to launch; a hint for growth */
    atomic_bool leader;
    atomic_bool asleep; /* the leader waits, or is about to look into the inbox and wait */
    bool spins;         /* the last task came soon after the engine had nothing to do */
    bool may_spin;      /* there is a processor for whoever makes tasks meanwhile */
    bool watch_armed; /* watch_fd will ring: whoever follows looks whether somebody leads */
    bool attention; /* a task wants to be stopped */
    atomic_bool closing;
    atomic_bool started;
    int start_error;
};

void ax_set_timer(int timer_fd, uint64_t at);
void ax_ring_no_later(struct ax_engine *engine, uint64_t at, int timer_fd);
uint64_t ax_late(const struct ax_engine *engine, uint64_t now);
void ax_close_fd(int *fd);
void ax_add_launching(struct ax_engine *engine, struct ax_task *task, int timer_fd);
void ax_remove_launching(struct ax_engine *engine, const struct ax_task *task);
void ax_post(struct ax_engine *engine, struct ax_task *task);
void ax_collect(struct ax_engine *engine);
void ax_remember_stuck(struct ax_engine *engine, const struct ax_job *job, int wake_fd);
void ax_release_slot(struct ax_engine *engine);
bool ax_engine_is_done(const struct ax_engine *engine);
int ax_threads_start(struct ax_engine *engine);

#endif
