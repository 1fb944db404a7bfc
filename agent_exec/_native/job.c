/* job.c - see job.h. */
#define _GNU_SOURCE
#include "job.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4
#endif

enum { READ_SIZE = 65536, READS_AT_ONCE = 16, PIPE_SIZE = 65536 };

static const uint64_t SECOND = 1000000000;
/* Only a process stuck in the kernel outlives SIGKILL by this long. */
static const uint64_t KILL_TIMEOUT = 2000000000;
/* What survivors wrote before they were killed is in the pipe already. */
static const uint64_t LAST_WORDS = 20000000;

uint64_t
ax_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void
ax_job_init(struct ax_job *job)
{
    memset(job, 0, sizeof *job);
    job->failure.action = -1;
    job->input_from = AX_FROM_NULL;
    job->input_fd = -1;
    job->epoll = -1;
    job->timeout = job->deadline = UINT64_MAX;
    pthread_mutex_init(&job->launching, NULL);
    for (int i = 0; i < 2; i++) {
        job->streams[i].to = AX_FROM_PIPE;
        job->streams[i].fd = -1;
        job->streams[i].spill_to = -1;
        job->streams[i].capture.spill_fd = -1;
    }
}

/* ax_table_borrow - a host descriptor, usable in `table` and at least 3.
 *
 * Ensures   The number, or -1 and errno. Give it to ax_table_return() afterwards.
 * Source    pidfd_getfd(2): always permitted within one process.
 */
int
ax_table_borrow(const struct ax_table *table, int host_fd)
{
    if (table->self_pidfd >= 0)
        return (int)syscall(SYS_pidfd_getfd, table->self_pidfd, host_fd, 0);
    if (host_fd >= 3)
        return host_fd;
    return fcntl(host_fd, F_DUPFD_CLOEXEC, 3);
}

void
ax_table_return(int borrowed, int host_fd, const struct ax_table *table)
{
    if (borrowed >= 0 && (table->self_pidfd >= 0 || borrowed != host_fd))
        close(borrowed);
}

/* A pipe whose ends are at least 3 and close-on-exec; `ours` does not block. */
static int
open_pipe(int ends[2], int ours)
{
    int error = 0;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (ends[i] < 3) { /* the host runs without standard descriptors */
            int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);

            if (moved < 0)
                error = errno;
            else {
                close(ends[i]);
                ends[i] = moved;
            }
        }
    }
    if (error == 0 && ours >= 0 && fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0)
        error = errno;
    if (error == 0)
        return 0;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}

/* Deregister, then close: a child between clone and exec, or a fork of the host, still
 * refers to the open file, and epoll would report on it for as long. epoll(7), Q6. */
static void
drop_fd(const struct ax_job *job, int *fd)
{
    if (*fd < 0)
        return;
    if (job->epoll >= 0)
        (void)epoll_ctl(job->epoll, EPOLL_CTL_DEL, *fd, NULL);
    close(*fd);
    *fd = -1;
}

static void
give_up_launch(struct ax_job *job, size_t stage, enum ax_step step, int error, int action)
{
    job->cause = AX_NOT_LAUNCHED;
    job->failed_stage = stage;
    job->failure = (struct ax_failure){.step = (int)step, .error = error, .action = action};
}

/* Does an action name a descriptor that must be brought along? 0, 1 and 2 are the child's
 * own, wired before. */
bool
ax_action_has_source(const struct ax_action *action)
{
    return action->host_fd > 2 && (action->type == AX_DUP2 || action->type == AX_FCHDIR ||
                                   action->type == AX_OPEN);
}

static void
return_stage(struct ax_stage *stage, const struct ax_table *table)
{
    struct ax_launch *launch = &stage->launch;

    ax_table_return(launch->program_fd, stage->host_program_fd, table);
    launch->program_fd = -1;
    for (size_t i = 0; i < launch->n_actions; i++) {
        struct ax_action *action = &launch->actions[i];

        if (!ax_action_has_source(action))
            continue;
        ax_table_return(action->fd, action->host_fd, table);
        action->fd = -1;
    }
}

/* Bring the descriptors of a stage into the table that it is started from. What a failure
 * leaves behind, return_stage() gives back. */
static bool
borrow_stage(struct ax_job *job, size_t index)
{
    struct ax_stage *stage = &job->stages[index];
    struct ax_launch *launch = &stage->launch;

    launch->program_fd = ax_table_borrow(job->table, stage->host_program_fd);
    if (launch->program_fd < 0) {
        give_up_launch(job, index, AX_STEP_SPAWN, errno, -1);
        return false;
    }
    for (size_t i = 0; i < launch->n_actions; i++) {
        struct ax_action *action = &launch->actions[i];
        enum ax_step step = action->type == AX_FCHDIR ? AX_STEP_CWD : AX_STEP_STDIO;

        /* Numbers above 2 mean nothing in a table that is not the host's, and the child
         * would close them anyway. */
        if ((action->type == AX_DUP2 || action->type == AX_OPEN) && action->newfd > 2) {
            give_up_launch(job, index, step, EINVAL, (int)i);
            return false;
        }
        if (!ax_action_has_source(action))
            continue;
        action->fd = ax_table_borrow(job->table, action->host_fd);
        if (action->fd < 0) {
            give_up_launch(job, index, step, errno, (int)i);
            return false;
        }
    }
    return true;
}

/* Every template is looked at before anything starts: a stale one must not be found out
 * when half of a pipeline runs. */
static bool
check_templates(struct ax_job *job)
{
    struct ax_credentials now;

    if (ax_credentials_get(&now) < 0) {
        give_up_launch(job, 0, AX_STEP_SPAWN, errno, -1);
        return false;
    }
    for (size_t i = 0; i < job->n_stages; i++) {
        struct ax_stage *stage = &job->stages[i];
        struct ax_failure failure = ax_template_check(&stage->launch, stage->maker,
                                                      stage->maker_size, &now);

        if (failure.step != AX_STEP_NONE) {
            give_up_launch(job, i, (enum ax_step)failure.step, failure.error, -1);
            return false;
        }
    }
    return true;
}

/* The standard descriptors of the children, while they are started. -1: none yet. */
struct child_ends {
    int input;
    int outputs[2];
    bool owned[3]; /* ours to close, not the table's /dev/null */
};

/* Small input fits the pipe and needs no watching. */
static void
write_input(struct ax_job *job)
{
    while (job->input_fd >= 0 && job->input_done < job->input_size) {
        ssize_t written = write(job->input_fd, job->input + job->input_done,
                                job->input_size - job->input_done);

        if (written >= 0)
            job->input_done += (size_t)written;
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            break; /* EPIPE: the child does not want more, which is its business */
    }
    drop_fd(job, &job->input_fd);
}

static bool
open_input(struct ax_job *job, struct child_ends *ends)
{
    int pipe[2];

    if (job->input_from == AX_FROM_NULL ||
        (job->input_from == AX_FROM_PIPE && job->input_size == 0)) {
        ends->input = job->table->dev_null;
        return true;
    }
    ends->owned[0] = true;
    if (job->input_from >= 0) {
        ends->input = ax_table_borrow(job->table, job->input_from);
        ends->owned[0] = job->table->self_pidfd >= 0 || ends->input != job->input_from;
        return ends->input >= 0;
    }
    if (open_pipe(pipe, 1) < 0)
        return false;
    ends->input = pipe[0];
    job->input_fd = pipe[1];
    write_input(job);
    return true;
}

static bool
open_output(struct ax_job *job, int which, struct child_ends *ends)
{
    struct ax_stream *stream = &job->streams[which];
    int pipe[2];

    if (stream->to == AX_FROM_NULL) {
        ends->outputs[which] = job->table->dev_null;
        return true;
    }
    ends->owned[1 + which] = true;
    if (stream->to >= 0) {
        ends->outputs[which] = ax_table_borrow(job->table, stream->to);
        ends->owned[1 + which] =
            job->table->self_pidfd >= 0 || ends->outputs[which] != stream->to;
        return ends->outputs[which] >= 0;
    }
    if (stream->spill_to >= 0) {
        stream->capture.spill_fd = ax_table_borrow(job->table, stream->spill_to);
        if (stream->capture.spill_fd < 0)
            return false;
    }
    if (open_pipe(pipe, 0) < 0)
        return false;
    stream->fd = pipe[0];
    ends->outputs[which] = pipe[1];
    return true;
}

static void
close_ends(struct child_ends *ends)
{
    if (ends->owned[0] && ends->input >= 0)
        close(ends->input);
    for (int i = 0; i < 2; i++)
        if (ends->owned[1 + i] && ends->outputs[i] >= 0)
            close(ends->outputs[i]);
}

/* From here on the child is the stage's, and ax_job_kill_launch() leaves it alone. */
static void
take_child(struct ax_job *job, struct ax_stage *stage, pid_t pid)
{
    int pidfd;

    pthread_mutex_lock(&job->launching);
    pidfd = stage->launch.pidfd;
    stage->launch.pidfd = -1;
    pthread_mutex_unlock(&job->launching);
    if (pid < 0) {
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    stage->pid = pid;
    stage->pidfd = pidfd;
    job->n_running++;
}

/* ax_job_kill_launch - end a launch that hangs in its exec (a file system that does not
 * answer): the thread that started it then goes on.
 *
 * Context   Any thread that works in `table`.
 */
void
ax_job_kill_launch(struct ax_job *job, const struct ax_table *table)
{
    pthread_mutex_lock(&job->launching);
    for (size_t i = 0; i < job->n_stages; i++) {
        int pidfd = job->stages[i].launch.pidfd;
        int here = pidfd < 0 || job->table == table ? pidfd : ax_table_borrow(table, pidfd);

        if (here < 0)
            continue;
        (void)syscall(SYS_pidfd_send_signal, here, SIGKILL, NULL, 0);
        if (job->table != table)
            ax_table_return(here, pidfd, table);
    }
    pthread_mutex_unlock(&job->launching);
}

static bool
start_stages(struct ax_job *job, struct child_ends *ends, const struct ax_stack *stack,
             atomic_int *how)
{
    for (size_t i = 0; i < job->n_stages; i++) {
        struct ax_stage *stage = &job->stages[i];
        struct ax_launch *launch = &stage->launch;
        int link[2] = {-1, -1};
        bool last = i + 1 == job->n_stages;
        pid_t pid;

        if (!last && open_pipe(link, -1) < 0) {
            give_up_launch(job, i, AX_STEP_STDIO, errno, -1);
            return false;
        }
        launch->stdio[0] = ends->input;
        launch->stdio[1] = last ? ends->outputs[0] : link[1];
        launch->stdio[2] = ends->outputs[1];
        launch->pid = ax_recent_reserve(job->recent);
        pid = ax_spawn(launch, stack, how);
        take_child(job, stage, pid);
        if (ends->owned[0])
            close(ends->input);
        ends->input = link[0];
        ends->owned[0] = true;
        if (!last)
            close(link[1]);
        if (pid < 0) {
            give_up_launch(job, i, (enum ax_step)launch->failure.step, launch->failure.error,
                           launch->failure.action);
            return false;
        }
    }
    return true;
}

static void settle(struct ax_job *job, uint64_t now);
static void signal_stages(struct ax_job *job, int signum);

/* ax_job_start - start every stage, or none for good.
 *
 * Context   A thread that works in `table`. Blocks until each child has exec'd.
 * Borrows   table, recent and what the job's plan borrows, until the job has ended.
 * Ensures   The phase is AX_RUNNING; or, when a stage did not start, AX_KILLING while
 *           those before it are ended, or AX_ENDED; failure then says why.
 * GIL       Not held.
 */
void
ax_job_start(struct ax_job *job, const struct ax_table *table, struct ax_recent *recent,
             const struct ax_stack *stack, atomic_int *how)
{
    struct child_ends ends = {.input = -1, .outputs = {-1, -1}};
    bool ok = true;

    job->table = table;
    job->recent = recent;
    job->started = ax_now();
    job->deadline = job->timeout == UINT64_MAX ? UINT64_MAX : job->started + job->timeout;
    job->phase = AX_RUNNING;

    for (size_t i = 0; ok && i < job->n_stages; i++)
        ok = borrow_stage(job, i);
    ok = ok && check_templates(job);
    if (ok && !(open_input(job, &ends) && open_output(job, 0, &ends) &&
                open_output(job, 1, &ends))) {
        give_up_launch(job, 0, AX_STEP_STDIO, errno, -1);
        ok = false;
    }
    ok = ok && start_stages(job, &ends, stack, how);
    close_ends(&ends);
    for (size_t i = 0; i < job->n_stages; i++)
        return_stage(&job->stages[i], table);
    if (!ok) {
        signal_stages(job, SIGKILL);
        job->phase = AX_KILLING;
        job->deadline = ax_now() + KILL_TIMEOUT;
        settle(job, job->started);
    }
}

/* ax_job_fd - the descriptor to watch for a source, or -1. Input is watched for writing,
 * all else for reading. */
int
ax_job_fd(const struct ax_job *job, unsigned source)
{
    switch (source) {
    case AX_ON_INPUT:
        return job->input_fd;
    case AX_ON_OUT:
    case AX_ON_ERR:
        return job->streams[source - AX_ON_OUT].fd;
    default:
        return job->stages[source - AX_ON_STAGE].exited
                   ? -1
                   : job->stages[source - AX_ON_STAGE].pidfd;
    }
}

/* Read what is there: until the pipe is empty, at its end, or somebody else's turn. */
static void
pump(struct ax_job *job, struct ax_stream *stream)
{
    char bytes[READ_SIZE];

    for (int turn = 0; stream->fd >= 0 && turn < READS_AT_ONCE; turn++) {
        ssize_t size = read(stream->fd, bytes, sizeof bytes);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            drop_fd(job, &stream->fd);
            return;
        }
        ax_capture_feed(&stream->capture, bytes, (size_t)size);
        if ((size_t)size < sizeof bytes)
            return; /* the pipe was emptied; level-triggered watching tells of more */
    }
}

/* A stage's whole group, by the descriptor of its leader: it cannot be somebody else's
 * even when the leader has been reaped by another wait. */
static void
signal_stage(const struct ax_stage *stage, int signum)
{
    siginfo_t info;

    if (stage->pid == 0 || stage->pidfd < 0)
        return;
    if (!(stage->launch.flags & AX_SESSION)) {
        (void)syscall(SYS_pidfd_send_signal, stage->pidfd, signum, NULL, 0);
        return;
    }
    if (syscall(SYS_pidfd_send_signal, stage->pidfd, signum, NULL,
                PIDFD_SIGNAL_PROCESS_GROUP) == 0 || errno != EINVAL)
        return;
    /* Before 6.9: the number is the group's for as long as our zombie holds it. */
    if (waitid((idtype_t)P_PIDFD, (id_t)stage->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
        (void)kill(-stage->pid, signum);
}

static void
signal_stages(struct ax_job *job, int signum)
{
    for (size_t i = 0; i < job->n_stages; i++)
        signal_stage(&job->stages[i], signum);
}

/* The kernel keeps the exit code beside the pidfd since 6.15 (PIDFD_GET_INFO). */
static bool
ask_pidfd(int pidfd, int *status)
{
    struct {
        uint64_t mask, cgroup;
        uint32_t ids[11];
        int32_t exit_code;
    } info = {.mask = 1 << 3 /* PIDFD_INFO_EXIT */};

    if (ioctl(pidfd, _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, sizeof info), &info) < 0 ||
        !(info.mask & 1 << 3))
        return false;
    *status = info.exit_code;
    return true;
}

static void
reap(struct ax_stage *stage)
{
    siginfo_t info = {0};
    int status;
    long result;

    if (stage->pid == 0 || stage->pidfd < 0)
        return;
    do /* the raw call: glibc's does not pass the usage on */
        result = ax_sys(SYS_waitid, P_PIDFD, stage->pidfd, &info, WEXITED | WNOHANG,
                        &stage->usage);
    while (result == -EINTR);
    if (result == 0 && info.si_pid != 0) {
        stage->end = info.si_code == CLD_EXITED ? AX_EXITED : AX_SIGNALLED;
        stage->value = info.si_status;
    } else if (result == 0) {
        return; /* it outlived SIGKILL */
    } else if (ask_pidfd(stage->pidfd, &status)) {
        stage->end = WIFEXITED(status) ? AX_EXITED : AX_SIGNALLED;
        stage->value = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    } else {
        stage->end = AX_STATUS_LOST;
    }
    if (stage->exited) { /* and so deregistered */
        close(stage->pidfd);
        stage->pidfd = -1;
    }
}

/* ax_reap_stuck - reap a stage that outlived SIGKILL, once it has ended after all.
 *
 * Ensures   True when `pid` is no longer ours to wait for.
 */
bool
ax_reap_stuck(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) != 0;
}

static void
hunt_survivors(struct ax_job *job)
{
    pid_t few[16], *leaders = few;
    struct ax_hunt hunt = {
        .loadavg = job->table->loadavg,
        .mark = job->mark,
        .mark_size = job->mark_size,
        .age = ax_now() - job->started,
        .recent = job->recent,
    };

    if (job->hunted || job->stages[0].pid == 0)
        return;
    job->hunted = true;
    if (job->n_stages > 16)
        leaders = malloc(job->n_stages * sizeof *leaders);
    for (size_t i = 0; leaders != NULL && i < job->n_stages; i++)
        if (job->stages[i].pid != 0)
            leaders[hunt.n_leaders++] = job->stages[i].pid;
    hunt.leaders = leaders;
    if (leaders != NULL)
        ax_hunt(&hunt, !job->keep_survivors, &job->survivors);
    if (leaders != few)
        free(leaders);
}

static void
finish(struct ax_job *job)
{
    hunt_survivors(job);
    /* Before the zombies that hold the groups are reaped. Where nothing was found, by
     * ways that work here, there is nothing to signal. */
    if (job->cause != AX_BY_ITSELF ||
        (!job->keep_survivors && (job->survivors.n > 0 || job->table->loadavg < 0)))
        signal_stages(job, SIGKILL);
    for (size_t i = 0; i < job->n_stages; i++) {
        reap(&job->stages[i]);
        drop_fd(job, &job->stages[i].pidfd);
    }
    for (int i = 0; i < 2; i++) {
        struct ax_stream *stream = &job->streams[i];

        pump(job, stream);
        drop_fd(job, &stream->fd);
        ax_table_return(stream->capture.spill_fd, stream->spill_to, job->table);
        stream->capture.spill_fd = -1;
    }
    drop_fd(job, &job->input_fd);
    job->phase = AX_ENDED;
    job->ended = ax_now();
    job->deadline = UINT64_MAX;
}

static bool
outputs_ended(const struct ax_job *job)
{
    return job->streams[0].fd < 0 && job->streams[1].fd < 0;
}

static void
all_exited(struct ax_job *job, uint64_t now)
{
    pump(job, &job->streams[0]);
    pump(job, &job->streams[1]);
    drop_fd(job, &job->input_fd);
    job->phase = AX_DRAINING;
    job->deadline = now + (job->cause == AX_CLOSED ? 0 : job->drain);
}

/* Go on from phase to phase as far as what has happened allows. */
static void
settle(struct ax_job *job, uint64_t now)
{
    for (;;) {
        bool late = now >= job->deadline;

        switch (job->phase) {
        case AX_RUNNING:
        case AX_TERMINATING:
        case AX_KILLING:
            if (job->n_running == 0) {
                all_exited(job, now);
                break;
            }
            if (!late)
                return;
            if (job->phase == AX_RUNNING) {
                ax_job_stop(job, AX_TIMED_OUT, now);
                return;
            }
            if (job->phase == AX_KILLING) {
                finish(job);
                return;
            }
            signal_stages(job, SIGKILL);
            job->phase = AX_KILLING;
            job->deadline = now + KILL_TIMEOUT;
            return;
        case AX_DRAINING:
            if (outputs_ended(job)) {
                finish(job);
                return;
            }
            if (!late)
                return;
            job->pipe_held = true;
            if (job->keep_survivors && job->cause == AX_BY_ITSELF) {
                finish(job);
                return;
            }
            hunt_survivors(job);
            signal_stages(job, SIGKILL);
            job->phase = AX_LAST_WORDS;
            job->deadline = now + LAST_WORDS;
            return;
        case AX_LAST_WORDS:
            if (outputs_ended(job) || late)
                finish(job);
            return;
        case AX_WAITING:
        case AX_ENDED:
            return;
        }
    }
}

/* ax_job_ready - a watched descriptor is ready: `hung_up` says that the other end of a
 * pipe is closed and nothing is left in it. */
void
ax_job_ready(struct ax_job *job, unsigned source, bool hung_up)
{
    if (job->phase == AX_ENDED)
        return;
    if (source == AX_ON_INPUT) {
        write_input(job);
    } else if (source == AX_ON_OUT || source == AX_ON_ERR) {
        struct ax_stream *stream = &job->streams[source - AX_ON_OUT];

        if (hung_up)
            drop_fd(job, &stream->fd);
        else
            pump(job, stream);
    } else {
        struct ax_stage *stage = &job->stages[source - AX_ON_STAGE];

        if (stage->pid == 0 || stage->exited)
            return;
        stage->exited = true;
        job->n_running--;
        /* Reaped at the end: until then the zombie keeps the group. Nothing more comes
         * from its descriptor, which would stay ready. */
        if (job->epoll >= 0)
            (void)epoll_ctl(job->epoll, EPOLL_CTL_DEL, stage->pidfd, NULL);
    }
    settle(job, ax_now());
}

/* ax_job_tick - time has passed. */
void
ax_job_tick(struct ax_job *job, uint64_t now)
{
    if (now >= job->deadline)
        settle(job, now);
}

/* ax_job_stop - end it: SIGTERM now, SIGKILL after the grace; at once when closing.
 *
 * A later cause does not replace an earlier one, but closing cuts the grace short.
 */
void
ax_job_stop(struct ax_job *job, enum ax_cause cause, uint64_t now)
{
    if (job->phase == AX_ENDED || job->phase == AX_KILLING || job->phase == AX_LAST_WORDS)
        return;
    if (job->cause == AX_BY_ITSELF)
        job->cause = cause;
    if (job->phase == AX_DRAINING) {
        job->deadline = now;
    } else if (cause == AX_CLOSED) {
        signal_stages(job, SIGKILL);
        job->phase = AX_KILLING;
        job->deadline = now + KILL_TIMEOUT;
    } else if (job->phase == AX_RUNNING) {
        signal_stages(job, SIGTERM);
        signal_stages(job, SIGCONT); /* a stopped process acts on nothing but SIGKILL */
        job->phase = AX_TERMINATING;
        job->deadline = now + job->grace;
    }
    settle(job, now);
}

/* ax_job_clear - free what the job gathered; the stages are their maker's. It has ended, or was never started. */
void
ax_job_clear(struct ax_job *job)
{
    for (int i = 0; i < 2; i++)
        ax_capture_clear(&job->streams[i].capture);
    free(job->survivors.pids);
    job->survivors.pids = NULL;
    pthread_mutex_destroy(&job->launching);
}
