/* guard.c - see guard.h. */
#define _GNU_SOURCE
#include "guard.h"
#include "start.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { START_MS = 2000, END_MS = 1000, MARK_SIZE = 256 };

/* What the marks of all calls of an engine begin with: up to the last "-" of this one. */
static void
common_mark(const struct ax_job *job, char mark[MARK_SIZE])
{
    size_t size = job->mark_size;

    while (size > 0 && job->mark[size - 1] != '-')
        size--;
    if (size >= MARK_SIZE || (size > 0 && memchr(job->mark, '=', size) == NULL))
        size = 0;
    memcpy(mark, size > 0 ? job->mark : "", size);
    mark[size] = '\0';
}

static void
close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Read the pid that the guardian says, once it is nobody's child. */
static bool
hear(int said, pid_t *pid)
{
    struct pollfd ready = {.fd = said, .events = POLLIN};
    long word;

    while (poll(&ready, 1, START_MS) < 0 && errno == EINTR)
        ;
    if (read(said, &word, sizeof word) != (ssize_t)sizeof word)
        return false;
    *pid = (pid_t)word;
    return true;
}

/* Start the image as a guardian. Ensures 0, or an errno. */
static int
start(struct ax_guard *guard, const struct ax_table *table, char *words[],
      const struct ax_stack *stack)
{
    char *nothing[] = {NULL};
    struct ax_found found = {.how = AX_CLONE3};
    int said[2] = {-1, -1};
    struct ax_launch launch = {
        .argv = words,
        .envp = nothing, /* no mark: it is nobody's descendant */
        .stdio = {-1, -1, table->dev_null},
        .flags = AX_SESSION | AX_RESET_SIGNALS,
        .pidfd = -1,
    };
    siginfo_t info;
    pid_t first = -1;
    int error = 0;

    launch.program_fd = open(guard->image, O_PATH | O_CLOEXEC);
    launch.stdio[1] = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (launch.program_fd < 0 || launch.stdio[1] < 0 || ax_pipe(said, -1) < 0)
        error = errno;
    if (error == 0) {
        launch.stdio[0] = said[1];
        first = ax_spawn(&launch, stack, &found);
        if (first < 0)
            error = launch.failure.error;
    }
    close_if_open(said[1]);
    if (first > 0) {
        if (!hear(said[0], &guard->pid) || !ax_process_start(guard->pid, &guard->start))
            error = ENOEXEC;
        /* It exits as soon as it has forked; should it hang, it must not hold us up. */
        if (error != 0)
            (void)syscall(SYS_pidfd_send_signal, launch.pidfd, SIGKILL, NULL, 0);
        while (waitid((idtype_t)P_PIDFD, (id_t)launch.pidfd, &info, WEXITED) < 0 &&
               errno == EINTR)
            ;
    }
    close_if_open(launch.pidfd);
    close_if_open(said[0]);
    close_if_open(launch.stdio[1]);
    close_if_open(launch.program_fd);
    return error;
}

/* ax_guard_is_due - would ax_guard_call() start a guardian after this job, which has not
 * started? `cgroup` has been tried, or is NULL. */
bool
ax_guard_is_due(const struct ax_guard *guard, const struct ax_job *job,
                const struct ax_cgroup *cgroup)
{
    char mark[MARK_SIZE];

    if (atomic_load_explicit(&guard->state, memory_order_relaxed) != AX_GUARD_UNTRIED ||
        job->keep_survivors || guard->image == NULL)
        return false;
    common_mark(job, mark);
    return mark[0] != '\0' || (cgroup != NULL && cgroup->state == AX_CGROUP_READY);
}

/* ax_guard_call - see to it that somebody ends what a call leaves should we be killed. The
 * stages die with us (PR_SET_PDEATHSIG), what they start does not.
 *
 * Context   The thread that has just started the call, with its stack. The first call of an
 *           engine pays for it; later ones look at one number.
 */
void
ax_guard_call(struct ax_guard *guard, const struct ax_job *job, const struct ax_stack *stack)
{
    int untried = AX_GUARD_UNTRIED;
    char mark[MARK_SIZE], home[CGROUP_TEXT], owner[16];
    char *words[] = {"agent-exec-guardian", owner, mark, home, NULL};

    if (atomic_load_explicit(&guard->state, memory_order_relaxed) != AX_GUARD_UNTRIED ||
        job->keep_survivors || guard->image == NULL)
        return;
    common_mark(job, mark);
    home[0] = '\0';
    if (job->table->cgroup != NULL && !ax_cgroup_ready(job->table, home))
        home[0] = '\0';
    if ((mark[0] == '\0' && home[0] == '\0') ||
        !atomic_compare_exchange_strong(&guard->state, &untried, AX_GUARD_STARTING))
        return;
    snprintf(owner, sizeof owner, "%d", (int)getpid());
    guard->error = start(guard, job->table, words, stack);
    atomic_store(&guard->state, guard->error == 0 ? AX_GUARD_THERE : AX_GUARD_NONE);
}

/* ax_guard_dismiss - no call runs any more: end the guardian. */
void
ax_guard_dismiss(struct ax_guard *guard)
{
    unsigned long long start;
    struct pollfd end = {.events = POLLIN};
    siginfo_t info;

    if (atomic_exchange(&guard->state, AX_GUARD_NONE) != AX_GUARD_THERE)
        return;
    end.fd = (int)syscall(SYS_pidfd_open, guard->pid, 0);
    if (end.fd < 0)
        return; /* somebody has ended it */
    if (ax_process_start(guard->pid, &start) && start == guard->start) {
        (void)syscall(SYS_pidfd_send_signal, end.fd, SIGKILL, NULL, 0);
        (void)poll(&end, 1, END_MS);
        /* Where orphans are ours. ECHILD elsewhere. */
        (void)waitid((idtype_t)P_PIDFD, (id_t)end.fd, &info, WEXITED | WNOHANG);
    }
    close(end.fd);
}
