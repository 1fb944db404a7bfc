/* park.c - make a child that stands still at its exec: see park.h and parked.c.
 *
 * The kernel refuses whoever would write to a file that a process executes. A child that is
 * traced stops before its first instruction, and executes the file as long as it is not let go.
 */
#define _GNU_SOURCE
#include "park.h"
#include "sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* From the moment that a vfork's parent runs again, the exec has only to map the program: the
 * time of a few page faults, or of a file system that hangs. */
enum { FIRST_PAUSE = 20000, LONGEST_PAUSE = 10000000, MOST_PAUSES = 3000 }; /* ns, ns, 30 s */

static bool
has_ended(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    return poll(&ended, 1, 0) > 0;
}

/* Wait until the child stands still, and have the kernel kill it with its tracer. Asked of
 * ptrace(2), which only a child that has stopped answers: the report of waitid(2) may have been
 * taken by a wait of the host for any of its children. */
static int
wait_for_stop(pid_t pid, int pidfd)
{
    struct timespec pause = {.tv_nsec = FIRST_PAUSE};

    for (int tries = 0; tries < MOST_PAUSES; tries++) {
        if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)PTRACE_O_EXITKILL) == 0)
            return 0;
        if (errno != ESRCH)
            return errno;
        if (has_ended(pidfd))
            return ENOEXEC; /* killed by an exec that could not go back any more */
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < LONGEST_PAUSE)
            pause.tv_nsec *= 2;
    }
    return ETIMEDOUT;
}

/* So that no wait of the host for any of its children finds what is none of its affair. */
static void
take_report_of_stop(int pidfd)
{
    siginfo_t info;

    while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WSTOPPED | WNOHANG) < 0 &&
           errno == EINTR)
        ;
}

static void
reap(int pidfd)
{
    siginfo_t info;

    /* ECHILD when somebody else's wait was quicker: it is gone all the same. */
    while (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR)
        ;
    close(pidfd);
}

/* ax_park - make a child that executes park->program_fd and runs no instruction of it.
 *
 * Context   A thread that lives as long as the child is to: it is the child's tracer, and the
 *           kernel kills the child when it ends. It carries no filter of ours.
 * Borrows   park and what it points to; the stack, for the call.
 * Owns      The caller owns the child and park->pidfd (close-on-exec). SIGKILL ends it, from
 *           any thread.
 * Ensures   A pid, and writers get ETXTBSY; or -1, park->failure says why, and no process or
 *           descriptor is left behind.
 * GIL       Not held: an exec from a slow file system can take seconds.
 * Source    ptrace(2), "Attaching and detaching", "execve(2) under ptrace".
 */
pid_t
ax_park(struct ax_park *park, const struct ax_stack *stack)
{
    uint64_t all = ~(uint64_t)0, before;
    int error;
    long pid;

    park->failure = (struct ax_failure){.step = AX_STEP_NONE, .action = -1};
    park->parent = getpid();
    park->pidfd = -1;
    ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all, 0);
    pid = ax_clone_onto(stack, ax_parked_main, park, &park->pidfd);
    ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof all, 0);
    if (pid < 0) {
        park->failure.step = AX_STEP_SPAWN;
        park->failure.error = (int)-pid;
        return -1;
    }
    if (park->failure.step != AX_STEP_NONE) {
        reap(park->pidfd);
        return -1;
    }
    error = wait_for_stop((pid_t)pid, park->pidfd);
    if (error != 0) {
        syscall(SYS_pidfd_send_signal, park->pidfd, SIGKILL, NULL, 0);
        reap(park->pidfd);
        park->failure.step = AX_STEP_EXEC;
        park->failure.error = error;
        return -1;
    }
    take_report_of_stop(park->pidfd);
    return (pid_t)pid;
}
