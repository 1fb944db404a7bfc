/* job.c - see job.h. */
#define _GNU_SOURCE
#include "job.h"
#include "start.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4
#endif

enum { READ_SIZE = 65536, READS_AT_ONCE = 16 };

/* Only a process stuck in the kernel outlives SIGKILL by this long. */
static const uint64_t KILL_TIMEOUT = 2000000000;
/* When to ask again for a watch that the kernel has refused. */
static const uint64_t WATCH_AGAIN = 1000000;
/* What survivors wrote before they were killed is in the pipe already. */
static const uint64_t LAST_WORDS = 20000000;

void
ax_job_init(struct ax_job *job)
{
    memset(job, 0, sizeof *job);
    job->failure.action = -1;
    job->input_from = AX_FROM_NULL;
    job->input_fd = -1;
    job->epoll = -1;
    job->ends = (struct ax_ends){{-1, false}, {-1, false}, {-1, false}, {{-1, false}, {-1, false}}};
    job->timeout = job->deadline = job->watch_at = UINT64_MAX;
    pthread_mutex_init(&job->launching, NULL);
    for (int i = 0; i < 2; i++) {
        job->streams[i].to = AX_FROM_PIPE;
        job->streams[i].fd = -1;
        job->streams[i].spill_to = -1;
        job->streams[i].capture.spill_fd = -1;
    }
}

/* Deregister, then close: a child between clone and exec, or a fork of the host, still
 * refers to the open file, and epoll would report on it for as long. epoll(7), Q6. */
static void
drop(const struct ax_job *job, int *fd, bool registered)
{
    if (*fd < 0)
        return;
    if (registered)
        (void)epoll_ctl(job->epoll, EPOLL_CTL_DEL, *fd, NULL);
    ax_table_hold(job->table);
    close(*fd);
    *fd = -1;
    ax_table_release(job->table);
}

/* ax_job_write_input - as much as the pipe takes now; closed when all is written. */
void
ax_job_write_input(struct ax_job *job)
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
    drop(job, &job->input_fd, job->epoll >= 0);
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
             const struct ax_stack *stack, struct ax_found *found)
{
    job->table = table;
    job->recent = recent;
    job->started = ax_now();
    job->deadline = job->timeout == UINT64_MAX ? UINT64_MAX : job->started + job->timeout;
    job->phase = AX_RUNNING;
    job->leaf = ax_leaf_take(table, job->keep_survivors);
    job->contained = job->leaf != NULL;
    if (ax_start_stages(job, stack, found))
        return;
    signal_stages(job, SIGKILL);
    job->phase = AX_KILLING;
    job->deadline = ax_now() + KILL_TIMEOUT;
    settle(job, job->started);
}

/* ax_job_fd - the descriptor to watch now for a source, or -1. Input is watched for writing,
 * all else for reading. */
int
ax_job_fd(const struct ax_job *job, unsigned source)
{
    switch (source) {
    case AX_ON_INPUT:
        return job->input_fd;
    case AX_ON_OUT:
    case AX_ON_ERR:
        return job->watch_at == UINT64_MAX ? job->streams[source - AX_ON_OUT].fd : -1;
    default:
        return job->stages[source - AX_ON_STAGE].exited
                   ? -1
                   : job->stages[source - AX_ON_STAGE].pidfd;
    }
}

/* ax_job_watch_late - do not watch the outputs before `at`, if there are any: a short call then
 * wakes us at its end, and not for each thing that it says. Where input is still to be written,
 * they are watched: the program may answer before it has read all of it.
 *
 * Requires  The job has just been started, and nothing of it is watched yet.
 */
void
ax_job_watch_late(struct ax_job *job, uint64_t at)
{
    if (job->input_fd < 0 && (job->streams[0].fd >= 0 || job->streams[1].fd >= 0))
        job->watch_at = at;
}

/* ax_job_is_loud - did it say as much as may fill a pipe? */
bool
ax_job_is_loud(const struct ax_job *job)
{
    for (int i = 0; i < 2; i++) {
        const struct ax_capture *capture = &job->streams[i].capture;

        if (capture->head_size + capture->tail_size + capture->dropped >= READ_SIZE / 2)
            return true;
    }
    return false;
}

/* Read what is there: until the pipe is empty, at its end, or somebody else's turn. With
 * `to_end` also see whether that was the end, as nobody else will tell. */
static void
pump(struct ax_job *job, struct ax_stream *stream, bool to_end)
{
    char bytes[READ_SIZE];

    for (int turn = 0; stream->fd >= 0 && turn < READS_AT_ONCE; turn++) {
        ssize_t size = read(stream->fd, bytes, sizeof bytes);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return;
        if (size <= 0) {
            drop(job, &stream->fd, stream->registered);
            return;
        }
        ax_capture_feed(&stream->capture, bytes, (size_t)size);
        if ((size_t)size < sizeof bytes && !to_end)
            return; /* the pipe was emptied; level-triggered watching tells of more */
    }
}

static bool
outputs_ended(const struct ax_job *job)
{
    return job->streams[0].fd < 0 && job->streams[1].fd < 0;
}

/* Register a source. Ensures 0 or an errno. */
static int
add(struct ax_job *job, unsigned source, int fd)
{
    struct epoll_event event = {
        .events = source == AX_ON_INPUT ? EPOLLOUT : EPOLLIN,
        .data.u64 = job->tag | source,
    };

    if (epoll_ctl(job->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return errno;
    if (source == AX_ON_OUT || source == AX_ON_ERR)
        job->streams[source - AX_ON_OUT].registered = true;
    return 0;
}

/* From now on, or from when it can be: where the kernel refuses a watch, they are read now, and
 * asked for again later. */
static void
watch_outputs(struct ax_job *job, uint64_t now)
{
    if (job->watch_at == UINT64_MAX)
        return;
    job->watch_at = UINT64_MAX;
    for (unsigned source = AX_ON_OUT; job->epoll >= 0 && source <= AX_ON_ERR; source++) {
        struct ax_stream *stream = &job->streams[source - AX_ON_OUT];

        if (stream->fd < 0 || stream->registered || add(job, source, stream->fd) == 0)
            continue;
        pump(job, stream, true);
        job->watch_at = now + WATCH_AGAIN;
    }
}

/* ax_job_register - have `epoll` tell what becomes ready: the tag of an event is `tag` and a source.
 *
 * Ensures   0; or an errno (ENOMEM, or ENOSPC: the user's limit), and some are registered.
 */
int
ax_job_register(struct ax_job *job, int epoll, uint64_t tag)
{
    job->epoll = epoll;
    job->tag = tag;
    for (unsigned source = 0; source < AX_ON_STAGE + job->n_stages; source++) {
        int fd = ax_job_fd(job, source);
        int error = fd >= 0 ? add(job, source, fd) : 0;

        if (error != 0)
            return error;
    }
    return 0;
}

/* Is a stage alive, or our zombie? Then nobody else has its pid, session or group. Another
 * wait of the host may have reaped it. */
static bool
holds_its_number(const struct ax_stage *stage)
{
    siginfo_t info;

    return stage->pid != 0 && stage->pidfd >= 0 &&
           waitid((idtype_t)P_PIDFD, (id_t)stage->pidfd, &info,
                  WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* A stage's whole group, by the descriptor of its leader: it cannot be somebody else's
 * even when the leader has been reaped by another wait. */
static void
signal_stage(const struct ax_stage *stage, int signum)
{
    if (stage->pid == 0 || stage->pidfd < 0)
        return;
    if (!(stage->launch.flags & AX_SESSION)) {
        (void)syscall(SYS_pidfd_send_signal, stage->pidfd, signum, NULL, 0);
        return;
    }
    if (syscall(SYS_pidfd_send_signal, stage->pidfd, signum, NULL,
                PIDFD_SIGNAL_PROCESS_GROUP) == 0 || errno != EINVAL)
        return;
    /* Before 6.9. */
    if (holds_its_number(stage))
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
        .first = job->stages[0].pid,
        .mark = job->mark,
        .mark_size = job->mark_size,
        .age = ax_now() - job->started,
        .recent = job->recent,
    };

    bool in_leaf;

    if (job->hunted || job->stages[0].pid == 0)
        return;
    job->hunted = true;
    in_leaf = job->leaf != NULL && !ax_leaf_is_empty(job->leaf);
    if (job->contained && !in_leaf)
        return;
    if (job->n_stages > 16)
        leaders = malloc(job->n_stages * sizeof *leaders);
    for (size_t i = 0; leaders != NULL && i < job->n_stages; i++)
        if (holds_its_number(&job->stages[i]))
            leaders[hunt.n_leaders++] = job->stages[i].pid;
    hunt.leaders = leaders;
    if (in_leaf)
        ax_leaf_look(job->table, job->leaf,
                     !job->keep_survivors || job->cause != AX_BY_ITSELF, leaders,
                     hunt.n_leaders, &job->survivors);
    if (leaders != NULL && !job->contained)
        ax_hunt(&hunt, !job->keep_survivors, &job->survivors);
    if (leaders != few)
        free(leaders);
}

/* Once. */
static void
announce(struct ax_job *job)
{
    if (job->bell != NULL && job->cause == AX_BY_ITSELF)
        ax_bell_announce(job->bell);
    job->bell = NULL;
}

static void
finish(struct ax_job *job)
{
    announce(job);
    hunt_survivors(job);
    /* Before the zombies that hold the groups are reaped. Where nothing was found, by
     * ways that work here, there is nothing to signal. */
    if (job->cause != AX_BY_ITSELF ||
        (!job->keep_survivors && (job->survivors.n > 0 || job->table->loadavg < 0)))
        signal_stages(job, SIGKILL);
    for (size_t i = 0; i < job->n_stages; i++) {
        reap(&job->stages[i]);
        drop(job, &job->stages[i].pidfd, job->epoll >= 0);
    }
    for (int i = 0; i < 2; i++) {
        struct ax_stream *stream = &job->streams[i];

        pump(job, stream, false);
        drop(job, &stream->fd, stream->registered);
        ax_table_return(stream->capture.spill_fd, stream->spill_to, job->table);
        stream->capture.spill_fd = -1;
    }
    drop(job, &job->input_fd, job->epoll >= 0);
    if (job->leaf != NULL)
        ax_leaf_give_back(job->table, job->leaf, job->leaf_refused);
    job->leaf = NULL;
    job->phase = AX_ENDED;
    job->ended = ax_now();
    job->deadline = UINT64_MAX;
}

static void
all_exited(struct ax_job *job, uint64_t now)
{
    bool unwatched = job->watch_at != UINT64_MAX;

    if (unwatched)
        announce(job); /* a short call: hardly ever does a descendant keep its outputs open */
    pump(job, &job->streams[0], unwatched);
    pump(job, &job->streams[1], unwatched);
    drop(job, &job->input_fd, job->epoll >= 0);
    if (!outputs_ended(job))
        watch_outputs(job, now);
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
        ax_job_write_input(job);
    } else if (source == AX_ON_OUT || source == AX_ON_ERR) {
        struct ax_stream *stream = &job->streams[source - AX_ON_OUT];

        if (hung_up)
            drop(job, &stream->fd, stream->registered);
        else
            pump(job, stream, false);
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
    bool late = now >= job->watch_at;

    if (late)
        watch_outputs(job, now);
    if (late || now >= job->deadline)
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
