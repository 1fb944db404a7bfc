/* parked.c - everything that a child which is to stand still does between clone and exec.
 *
 * The rules of child.c are its rules too: no undefined symbol, nothing but the kernel.
 */
#define _GNU_SOURCE
#include "park.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <time.h>

enum { EXEC_TRIES = 6 };

IN_CHILD static _Noreturn void
give_up(struct ax_park *park, enum ax_step step, long error)
{
    park->failure.step = (int)step;
    park->failure.error = (int)-error;
    for (;;)
        ax_sys(SYS_exit_group, 127, 0, 0, 0, 0);
}

/* ax_parked_main - execute the file, and never an instruction of it.
 *
 * Context   The child, after clone with CLONE_VM|CLONE_VFORK, on a stack of its own.
 * Calls     System calls through sys.h only.
 * Requires  All signals are blocked, and stay so but for the SIGTRAP of the exec: that is
 *           what the kernel stops a traced child by, before its first instruction.
 * Ensures   Never returns. The child is traced by the thread that made it and will stop; or
 *           park->failure is filled in. It holds no descriptor, no directory but the root,
 *           no terminal, and no privilege of the file.
 * Source    ptrace(2), prctl(2), execveat(2).
 */
IN_CHILD _Noreturn void
ax_parked_main(void *argument)
{
    struct ax_park *park = argument;
    struct ax_sigaction by_default = {0};
    uint64_t mask = ~((uint64_t)1 << (SIGTRAP - 1));
    unsigned fd = (unsigned)park->program_fd;
    struct timespec pause = {.tv_nsec = 500000};
    long result;

    result = ax_sys(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* The parent may have died before the line above. */
    if (result >= 0 && ax_sys(SYS_getppid, 0, 0, 0, 0, 0) != park->parent)
        result = -ESRCH;
    if (result >= 0)
        result = ax_sys(SYS_setsid, 0, 0, 0, 0, 0);
    if (result >= 0)
        result = ax_sys(SYS_chdir, "/", 0, 0, 0, 0);
    if (result >= 0)
        result = ax_sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (result >= 0 && fd > 0)
        result = ax_sys(SYS_close_range, 0, fd - 1, 0, 0, 0);
    if (result >= 0)
        result = ax_sys(SYS_close_range, fd + 1, ~0U, 0, 0, 0);
    if (result >= 0)
        result = ax_sys(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0);
    if (result < 0)
        give_up(park, AX_STEP_SPAWN, result);

    result = ax_sys(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0, 0);
    if (result < 0)
        give_up(park, AX_STEP_TEMPLATE, result);
    ax_sys(SYS_rt_sigaction, SIGTRAP, &by_default, 0, sizeof(uint64_t), 0);
    ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof mask, 0);

    for (int tries = 0; tries < EXEC_TRIES; tries++) {
        result = ax_sys(SYS_execveat, fd, "", park->argv, park->envp, AT_EMPTY_PATH);
        if (result != -ETXTBSY)
            break;
        ax_sys(SYS_nanosleep, &pause, 0, 0, 0, 0);
        pause.tv_nsec *= 2;
    }
    give_up(park, AX_STEP_EXEC, result);
}
