/* engine.h - native threads that start, feed, read, bound, kill and reap jobs. */
#ifndef AX_ENGINE_H
#define AX_ENGINE_H

#include "job.h"

#include <pthread.h>

struct ax_engine;

/* Where the finished jobs of one event loop are put, and how it is woken. */
struct ax_port {
    int event_fd; /* the host's: readable when there is something to take, or soon */
    struct ax_bell bell;
    _Atomic(struct ax_task *) finished; /* the last first */
};

/* A job on its way through an engine. */
struct ax_task {
    struct ax_job job; /* first: a task is allocated and freed by whoever submits it */
    uint64_t ticket;
    struct ax_port *port;   /* NULL: run by ax_engine_run() */
    pthread_cond_t *waiter; /* of an ax_engine_run() that left it to the threads */
    bool delivered;         /* to the waiter */
    atomic_int stop;      /* enum ax_cause asked for from outside, or 0 */
    uint32_t generation;
    size_t *living; /* of the thread of ours that started it, or NULL; see thread_main() */
    struct ax_task *next;
};

struct ax_engine_counts {
    size_t threads, active, queued;
    bool private_table;
};

struct ax_engine *ax_engine_new(size_t max_active, bool cgroups, const char *image,
                                int *error);
bool ax_engine_is_started(const struct ax_engine *engine);
bool ax_engine_is_ours(const struct ax_engine *engine);
int ax_port_open(struct ax_port *port);
void ax_port_close(struct ax_engine *engine, struct ax_port *port);
int ax_engine_submit(struct ax_engine *engine, struct ax_task *task, uint64_t *ticket);
void ax_engine_cancel(struct ax_engine *engine, uint64_t ticket);
struct ax_task *ax_port_take(struct ax_port *port);
int ax_engine_run(struct ax_engine *engine, struct ax_task *task, bool (*interrupted)(void *),
                  void *context);
void ax_engine_forget(struct ax_engine *engine);
void ax_engine_bound(struct ax_engine *engine, uint64_t processes, uint64_t memory);
bool ax_engine_contains(struct ax_engine *engine, char text[CGROUP_TEXT]);
pid_t ax_engine_guardian(const struct ax_engine *engine, int *error);
void ax_engine_count(struct ax_engine *engine, struct ax_engine_counts *counts);
void ax_engine_close(struct ax_engine *engine);
void ax_engine_free(struct ax_engine *engine);

#endif
