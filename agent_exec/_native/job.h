/* job.h - one call: its stages, its streams, and the phases it goes through.
 *
 * A job is touched by one thread at a time: the one that starts it, then the one that
 * watches it. ax_job_kill_launch() alone may be called meanwhile. Nothing here knows Python.
 */
#ifndef AX_JOB_H
#define AX_JOB_H

#include "bell.h"
#include "capture.h"
#include "cgroup.h"
#include "clock.h"
#include "descendants.h"
#include "identity.h"
#include "launch.h"
#include "table.h"

#include <pthread.h>
#include <sys/resource.h>

/* Why a job ended other than by itself. An interface: see runtime/native_engine.py. */
enum ax_cause {
    AX_BY_ITSELF = 0,
    AX_TIMED_OUT = 1,
    AX_CANCELLED = 2,
    AX_CLOSED = 3,       /* the engine was closed */
    AX_NOT_LAUNCHED = 4, /* failure says why */
};

enum ax_phase {
    AX_WAITING = 0, /* not started */
    AX_RUNNING,
    AX_TERMINATING, /* SIGTERM was sent */
    AX_KILLING,     /* SIGKILL was sent */
    AX_DRAINING,    /* every stage has exited, an output is still open */
    AX_LAST_WORDS,  /* survivors were killed, what they wrote is read */
    AX_ENDED,
};

/* A tag of the engine's holds a slot and a source; a stage is a source. */
enum { AX_MOST_ACTIVE = 1 << 16, AX_MOST_STAGES = 1 << 10 };

/* Where a standard descriptor comes from, when it is not a descriptor (>= 0). */
enum { AX_FROM_NULL = -1, AX_FROM_PIPE = -2 };

enum ax_stage_end {
    AX_NOT_ENDED = 0, /* never started, or outlived SIGKILL */
    AX_EXITED = 1,
    AX_SIGNALLED = 2,
    AX_STATUS_LOST = 3, /* somebody else's wait took it */
};

struct ax_stage {
    struct ax_launch launch;
    int host_program_fd; /* launch.program_fd is our own while the stage starts, else -1 */
    int host_ruleset_fd; /* the same for launch.confinement.ruleset_fd; -1: none */
    const char *maker; /* the template's struct ax_credentials, as bytes */
    size_t maker_size;
    pid_t pid; /* 0: not started */
    int pidfd; /* -1: none, or closed */
    bool exited;
    enum ax_stage_end end;
    int value; /* exit code or signal number */
    struct rusage usage;
};

struct ax_stream {
    int to;       /* AX_FROM_PIPE, AX_FROM_NULL or a host descriptor */
    int spill_to; /* a host descriptor, or -1 */
    int fd; /* read end of our pipe, or -1 */
    bool registered; /* with the job's epoll */
    struct ax_capture capture;
};

/* What children get as a standard descriptor, while they are started. */
struct ax_end {
    int fd; /* -1: none */
    bool owned;
};

struct ax_ends {
    struct ax_end input, next_input, link, outputs[2];
};

struct ax_job {
    /* What to run. Borrowed from the plan. */
    struct ax_stage *stages;
    size_t n_stages;
    int input_from;
    const char *input;
    size_t input_size;
    struct ax_stream streams[2]; /* stdout of the last stage, stderr of all */
    uint64_t timeout, grace, drain; /* ns; timeout UINT64_MAX: none */
    bool keep_survivors;
    const char *mark;
    size_t mark_size;

    /* Where it stands. */
    enum ax_phase phase;
    enum ax_cause cause;
    struct ax_failure failure;
    size_t failed_stage;
    int input_fd; /* write end of our pipe, or -1 */
    struct ax_ends ends;
    size_t input_done;
    size_t n_running;
    bool pipe_held;
    struct ax_leaf *leaf; /* its cgroup, or NULL */
    bool contained;       /* every stage was born in it */
    int leaf_refused;     /* errno of a birth in it, or 0 */
    bool hunted; /* survivors were looked for */
    struct ax_pids survivors;
    uint64_t started, deadline, ended; /* CLOCK_MONOTONIC, ns */

    /* Where it lives. */
    const struct ax_table *table;
    struct ax_recent *recent;
    int epoll; /* its descriptors are registered there, or -1 */
    uint64_t tag;      /* of their events; a source is added */
    uint64_t watch_at; /* when to begin to watch its outputs, UINT64_MAX: they are watched */
    struct ax_bell *bell; /* of who waits for this job alone, or NULL */
    pthread_mutex_t launching; /* guards launch.pidfd of the stages */
};

/* What became ready. A stage is AX_ON_STAGE plus its index. */
enum ax_source { AX_ON_INPUT = 0, AX_ON_OUT = 1, AX_ON_ERR = 2, AX_ON_STAGE = 3 };

void ax_job_init(struct ax_job *job);
void ax_job_start(struct ax_job *job, const struct ax_table *table, struct ax_recent *recent,
                  const struct ax_stack *stack, struct ax_found *found);
int ax_job_fd(const struct ax_job *job, unsigned source);
void ax_job_watch_late(struct ax_job *job, uint64_t at);
bool ax_job_is_loud(const struct ax_job *job);
void ax_job_ready(struct ax_job *job, unsigned source, bool hung_up);
void ax_job_tick(struct ax_job *job, uint64_t now);
void ax_job_stop(struct ax_job *job, enum ax_cause cause, uint64_t now);
void ax_job_clear(struct ax_job *job);
void ax_job_write_input(struct ax_job *job);
int ax_job_register(struct ax_job *job, int epoll, uint64_t tag);
bool ax_reap_stuck(pid_t pid);

#endif
