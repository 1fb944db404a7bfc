/* child.c - everything that runs between clone and exec.
 *
 * This file has no undefined symbol: it calls nothing but the kernel. A test compiles
 * it alone and looks (tests/native/test_audit.py). docs/audit-native.md is the
 * reader's guide.
 */
#define _GNU_SOURCE
#include "launch.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

enum { EXEC_TRIES = 6 };

IN_CHILD static _Noreturn void
fail(struct ax_launch *launch, enum ax_step step, long error, int action)
{
    launch->failure.step = (int)step;
    launch->failure.error = (int)-error;
    launch->failure.action = action;
    for (;;)
        ax_sys(SYS_exit_group, 127, 0, 0, 0, 0);
}

IN_CHILD static void
set_default(int signum)
{
    struct ax_sigaction by_default = {0};

    /* EINVAL for SIGKILL and SIGSTOP, which have no other. */
    ax_sys(SYS_rt_sigaction, signum, &by_default, 0, sizeof(uint64_t), 0);
}

/* Without CLONE_CLEAR_SIGHAND: a handler that ran here would run on the parent's
 * memory. What is ignored stays ignored, as it does over exec. */
IN_CHILD static void
clear_handlers(void)
{
    for (int signum = 1; signum <= N_SIGNALS; signum++) {
        struct ax_sigaction now = {0};

        ax_sys(SYS_rt_sigaction, signum, 0, &now, sizeof(uint64_t), 0);
        if (now.handler != (void *)SIG_DFL && now.handler != (void *)SIG_IGN)
            set_default(signum);
    }
}

IN_CHILD static bool
is_target(const struct ax_launch *launch, int fd)
{
    for (size_t i = 0; i < launch->n_actions; i++) {
        const struct ax_action *action = &launch->actions[i];

        if (action->type == AX_CLOSE && action->fd == fd)
            return true;
        if ((action->type == AX_DUP2 || action->type == AX_OPEN) && action->newfd == fd)
            return true;
    }
    return false;
}

/* What is needed at the end, out of the way of the plan's own numbers: an action that
 * lands on it would otherwise replace it. */
IN_CHILD static int
move_aside(struct ax_launch *launch, int from)
{
    long fd = from;

    while (is_target(launch, (int)fd)) {
        fd = ax_sys(SYS_fcntl, from, F_DUPFD_CLOEXEC, fd + 1, 0, 0);
        if (fd < 0)
            fail(launch, AX_STEP_SPAWN, fd, -1);
    }
    return (int)fd;
}

/* Descriptors that the child needs until its end: the program and the Landlock rule set. Where
 * there is no rule set, both are the program. Ascending. */
struct needed {
    unsigned fd[2];
};

/* close_range(2) that spares what is needed. */
IN_CHILD static long
close_others(unsigned first, unsigned last, unsigned flags, const struct needed *needed)
{
    for (int i = 0; i < 2; i++) {
        unsigned keep = needed->fd[i];

        if (keep < first || keep > last)
            continue;
        if (keep > first) {
            long result = ax_sys(SYS_close_range, first, keep - 1, flags, 0, 0);

            if (result < 0)
                return result;
        }
        if (keep == last)
            return 0;
        first = keep + 1;
    }
    return ax_sys(SYS_close_range, first, last, flags, 0, 0);
}

/* The secret is for filters that keep openat2 from programs, and nothing to the call. */
IN_CHILD static long
open_at(const struct ax_launch *launch, const struct ax_action *action)
{
    long fd = ax_sys6(SYS_openat2, action->fd, (long)action->path, (long)&action->how,
                      sizeof action->how, (long)launch->secret[0], (long)launch->secret[1]);
    long result;

    if (fd < 0 || fd == action->newfd)
        return fd;
    result = ax_sys(SYS_dup3, fd, action->newfd, action->how.flags & O_CLOEXEC, 0, 0);
    ax_sys(SYS_close, fd, 0, 0, 0, 0);
    return result;
}

/* dup2(2) with the RFC's rule for equal numbers: the descriptor must be open, its
 * close-on-exec flag stays. dup3(2) refuses them, as the RFC does with O_CLOEXEC. */
IN_CHILD static long
dup_to(const struct ax_action *action)
{
    if (action->fd == action->newfd && action->flags == 0)
        return ax_sys(SYS_fcntl, action->fd, F_GETFD, 0, 0, 0);
    return ax_sys(SYS_dup3, action->fd, action->newfd, action->flags, 0, 0);
}

IN_CHILD static void
run_actions(struct ax_launch *launch, const struct needed *needed, uint64_t *mask)
{
    for (size_t i = 0; i < launch->n_actions; i++) {
        const struct ax_action *action = &launch->actions[i];
        enum ax_step step = AX_STEP_STDIO;
        long result = 0;

        switch ((enum ax_action_type)action->type) {
        case AX_CLOSE:
            result = ax_sys(SYS_close, action->fd, 0, 0, 0, 0);
            break;
        case AX_DUP2:
            result = dup_to(action);
            break;
        case AX_FCHDIR:
            step = AX_STEP_CWD;
            result = ax_sys(SYS_fchdir, action->fd, 0, 0, 0, 0);
            break;
        case AX_OPEN:
            result = open_at(launch, action);
            break;
        case AX_CLOSE_RANGE:
            result = close_others((unsigned)action->fd, (unsigned)action->newfd,
                                  action->flags, needed);
            break;
        case AX_SIGMASK:
            *mask = action->signals;
            break;
        case AX_SIGDEFAULT:
            for (int signum = 1; signum <= N_SIGNALS; signum++)
                if (action->signals >> (signum - 1) & 1)
                    set_default(signum);
            break;
        }
        if (result < 0)
            fail(launch, step, result, (int)i);
    }
}

/* In this order: what only lessens comes first and needs no right; no_new_privs is what the
 * kernel asks for before a domain or a filter; a filter that is not inherited comes last, so
 * that it has no say over the rest. All after the actions, whose files are the plan's and not
 * the program's. */
IN_CHILD static void
confine(struct ax_launch *launch, int ruleset_fd)
{
    const struct ax_confinement *confinement = &launch->confinement;
    long result = 0;

    if (confinement->has_umask)
        ax_sys(SYS_umask, confinement->umask, 0, 0, 0, 0);
    if (confinement->has_nice) {
        result = ax_sys(SYS_getpriority, PRIO_PROCESS, 0, 0, 0, 0); /* 20 - nice */
        if (result >= 0)
            result = ax_sys(SYS_setpriority, PRIO_PROCESS, 0,
                            20 - result + confinement->nice, 0, 0);
    }
    for (size_t i = 0; result >= 0 && i < confinement->n_rlimits; i++) {
        const struct ax_rlimit *rlimit = &confinement->rlimits[i];

        result = ax_sys(SYS_prlimit64, 0, rlimit->resource, rlimit, 0, 0);
    }
    if (result >= 0 && confinement->no_new_privs && !confinement->inherits)
        result = ax_sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (result >= 0 && ruleset_fd >= 0)
        result = ax_sys(SYS_landlock_restrict_self, ruleset_fd, confinement->landlock_flags,
                        0, 0, 0);
    if (result >= 0 && confinement->filter.code != 0 && !confinement->inherits) {
        struct sock_fprog program = {confinement->filter.n,
                                     (struct sock_filter *)confinement->filter.code};

        result = ax_sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program, 0, 0);
    }
    if (result < 0)
        fail(launch, AX_STEP_SANDBOX, result, -1);
}

IN_CHILD static bool
path_is_pinned(const struct ax_launch *launch, const char *path)
{
    const struct ax_identity *pinned = &launch->identity;
    struct stat now;

    /* glibc's and musl's struct stat is the kernel's on 64-bit machines. */
    if (ax_sys(SYS_newfstatat, AT_FDCWD, path, &now, 0, 0) < 0)
        return false;
    return now.st_dev == pinned->dev && now.st_ino == pinned->ino &&
           now.st_mode == pinned->mode &&
           now.st_ctim.tv_sec * 1000000000L + now.st_ctim.tv_nsec == pinned->ctime_ns;
}

/* By path where the path still is the pinned file, so that AT_EXECFN and comm are what
 * any exec would give (execveat gives "/dev/fd/N", and "N" as comm before 6.14); by
 * the pinned descriptor otherwise. A script can only go by path: with close-on-exec,
 * its interpreter could not open "/dev/fd/N" (ENOENT). */
IN_CHILD static _Noreturn void
exec_program(struct ax_launch *launch, int program_fd)
{
    const char *path = launch->called != 0 ? launch->called : launch->path;
    bool by_path = path != 0 && path_is_pinned(launch, path);
    struct timespec pause = {.tv_nsec = 500000};
    long result = -ESTALE;

    if (launch->script && !by_path)
        fail(launch, AX_STEP_TEMPLATE, -ESTALE, -1);

    /* ETXTBSY: somebody has just written the file, and a process forked meanwhile
     * holds the writer's descriptor until its own exec (golang/go#22315). */
    for (int tries = 0; tries < EXEC_TRIES; tries++) {
        if (by_path)
            result = ax_sys(SYS_execve, path, launch->argv, launch->envp, 0, 0);
        else
            result = ax_sys(SYS_execveat, program_fd, "", launch->argv, launch->envp,
                            AT_EMPTY_PATH);
        if (result != -ETXTBSY)
            break;
        ax_sys(SYS_nanosleep, &pause, 0, 0, 0, 0);
        pause.tv_nsec *= 2;
    }
    fail(launch, AX_STEP_EXEC, result, -1);
}

/* ax_child_main - become the planned program, or say why not.
 *
 * Context   The child, after clone with CLONE_VM|CLONE_VFORK, on a stack of its own.
 *           The thread that spawned it stands still; the others run on.
 * Calls     System calls through sys.h only. No libc: errno, locks and thread-local
 *           storage are the parent's.
 * Requires  The launch is complete and unchanging; all signals are blocked;
 *           stdio sources are at least 3.
 * Ensures   Never returns. Either the program runs, or launch->failure is filled in
 *           and the exit status is 127. A child killed before either looks like a
 *           program killed at once.
 * Writes    Kernel state of the child; its own stack; launch->failure.
 * Source    vfork(2), execveat(2), close_range(2), openat2(2), sigaction(2), prlimit(2),
 *           landlock_restrict_self(2), seccomp(2).
 */
IN_CHILD _Noreturn void
ax_child_main(void *argument)
{
    struct ax_launch *launch = argument;
    uint64_t mask = launch->flags & AX_RESET_SIGNALS ? 0 : launch->sigmask;
    int program_fd = move_aside(launch, launch->program_fd);
    bool has_ruleset = launch->confined && launch->confinement.ruleset_fd >= 0;
    int ruleset_fd = has_ruleset ? move_aside(launch, launch->confinement.ruleset_fd) : -1;
    int other = has_ruleset ? ruleset_fd : program_fd;
    struct needed needed = {{(unsigned)(other < program_fd ? other : program_fd),
                             (unsigned)(other < program_fd ? program_fd : other)}};
    long result;

    if (launch->reset_handlers)
        clear_handlers();
    if (launch->flags & AX_RESET_SIGNALS)
        for (int signum = 1; signum <= N_SIGNALS; signum++)
            if (launch->ignored >> (signum - 1) & 1)
                set_default(signum);

    if (launch->flags & AX_SESSION) {
        result = launch->group_does ? ax_sys(SYS_setpgid, 0, 0, 0, 0, 0)
                                    : ax_sys(SYS_setsid, 0, 0, 0, 0, 0);
        if (result < 0)
            fail(launch, AX_STEP_SPAWN, result, -1);
    }
    if (launch->flags & AX_DIE_WITH_PARENT) {
        result = ax_sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (result < 0)
            fail(launch, AX_STEP_SPAWN, result, -1);
        /* The parent may have died before the line above. */
        if (ax_sys(SYS_getppid, 0, 0, 0, 0, 0) != launch->parent)
            fail(launch, AX_STEP_SPAWN, -ESRCH, -1);
    }

    /* Sources are at least 3, so no target overwrites a later source, and none is the
     * no-op that would leave close-on-exec set. */
    for (int target = 0; target < 3; target++) {
        if (launch->stdio[target] < 0)
            continue;
        result = ax_sys(SYS_dup3, launch->stdio[target], target, 0, 0, 0);
        if (result < 0)
            fail(launch, AX_STEP_STDIO, result, -1);
    }
    run_actions(launch, &needed, &mask);

    /* Closed now, not at exec: an exec that hangs must not hold other launches' pipes. */
    if (!(launch->flags & AX_INHERIT_FDS)) {
        result = close_others(3, ~0U, 0, &needed);
        if (result < 0)
            fail(launch, AX_STEP_STDIO, result, -1);
    }

    if (launch->confined)
        confine(launch, ruleset_fd);

    /* The handlers are gone, so a signal that was held back can only do its default. */
    result = ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof mask, 0);
    if (result < 0)
        fail(launch, AX_STEP_SPAWN, result, -1);
    exec_program(launch, program_fd);
}
