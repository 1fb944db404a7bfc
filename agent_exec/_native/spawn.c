/* spawn.c - make a child that runs ax_child_main(). */
#define _GNU_SOURCE
#include "clock.h"
#include "launch.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { GUARD_SIZE = 65536, STACK_SIZE = 65536 };

static const uint64_t LOOK_EVERY = 10000000; /* ns */

#define BIT(signum) ((uint64_t)1 << ((signum) - 1))

/* Those that programs ignore for a while, or from one moment to the next. */
static const uint64_t OFTEN_IGNORED =
    BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(SIGPIPE) |
    BIT(SIGALRM) | BIT(SIGTERM) | BIT(SIGCHLD) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU) |
    BIT(SIGXFSZ);

/* clone3(2). The first version has 64 bytes, and a kernel that knows no more takes them. */
struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

enum { CLONE_ARGS_SIZE_1 = 64 };

/* ax_stack_open - map a stack with a guard below it.
 *
 * Owns      The mapping, until ax_stack_close().
 * Ensures   0, or -1 and errno (ENOMEM); then the stack is empty and may be closed.
 */
int
ax_stack_open(struct ax_stack *stack)
{
    char *base = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);

    stack->base = NULL;
    stack->size = 0;
    if (base == MAP_FAILED)
        return -1;
    if (mprotect(base + GUARD_SIZE, STACK_SIZE, PROT_READ | PROT_WRITE) < 0) {
        int error = errno;

        munmap(base, GUARD_SIZE + STACK_SIZE);
        errno = error;
        return -1;
    }
    stack->base = base;
    stack->size = GUARD_SIZE + STACK_SIZE;
    return 0;
}

void
ax_stack_close(struct ax_stack *stack)
{
    if (stack->base != NULL)
        munmap(stack->base, stack->size);
    stack->base = NULL;
}

/* call_clone - clone or clone3 whose child calls `child(argument)` on its new stack.
 *
 * Requires  CLONE_VFORK, and a stack for the child among the first four arguments, `words`.
 * Ensures   In the parent: a pid, or -errno. Does not return in the child.
 */
#if defined(__x86_64__)
__attribute__((noinline)) static long
call_clone(long number, const void *const words[4], void (*child)(void *), void *argument)
{
    const void *first = words[0], *second = words[1], *third = words[2], *fourth = words[3];
    register long rax __asm__("rax") = number;
    register const void *r10 __asm__("r10") = fourth;
    /* r8 would be the TLS of clone(2): unread without CLONE_SETTLS. */
    register void (*r8)(void *) __asm__("r8") = child;
    register void *r9 __asm__("r9") = argument;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %%r9, %%rdi\n\t"
                     "callq *%%r8\n\t"
                     "ud2\n"
                     "1:"
                     : "+r"(rax)
                     : "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "cc", "memory");
    return rax;
}
#elif defined(__aarch64__)
__attribute__((noinline)) static long
call_clone(long number, const void *const words[4], void (*child)(void *), void *argument)
{
    const void *first = words[0], *second = words[1], *third = words[2], *fourth = words[3];
    register long x8 __asm__("x8") = number;
    register const void *x0 __asm__("x0") = first;
    register const void *x1 __asm__("x1") = second;
    register const void *x2 __asm__("x2") = third;
    register const void *x3 __asm__("x3") = fourth;
    register void (*x5)(void *) __asm__("x5") = child;
    register void *x6 __asm__("x6") = argument;

    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x6\n\t"
                     "blr x5\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x5), "r"(x6)
                     : "cc", "memory");
    return (long)x0;
}
#endif

static long
clone_with_clone3(struct ax_launch *launch, const struct ax_stack *stack, int cgroup_fd)
{
    size_t size = CLONE_ARGS_SIZE_1;
    struct clone3_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&launch->pidfd,
        .parent_tid = (uint64_t)(uintptr_t)launch->pid,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)stack->base,
        .stack_size = stack->size,
    };

    if (launch->pid != NULL)
        args.flags |= CLONE_PARENT_SETTID;
    if (cgroup_fd > 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_fd;
        size = sizeof args;
    }
    launch->reset_handlers = false;
    return call_clone(SYS_clone3, (const void *[]){&args, (const void *)size,
                                                   (const void *)launch->secret[0],
                                                   (const void *)launch->secret[1]},
                      ax_child_main, launch);
}

/* ax_clone_onto - make a child that calls `child(argument)`, by the older call.
 *
 * Context   Any thread, with all signals blocked; it stands still until the child has
 *           exec'd or died.
 * Requires  `child` never returns, and clears the handlers of signals before it unblocks them.
 * Ensures   A pid, and `*pidfd` is the caller's (close-on-exec); or -errno.
 * Source    clone(2), vfork(2).
 */
long
ax_clone_onto(const struct ax_stack *stack, void (*child)(void *), void *argument,
              volatile int *pidfd)
{
    unsigned long flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    const char *top = (const char *)stack->base + stack->size;

    return call_clone(SYS_clone, (const void *[]){(const void *)flags, top,
                                                  (const void *)pidfd, NULL},
                      child, argument);
}

static long
clone_with_clone(struct ax_launch *launch, const struct ax_stack *stack)
{
    launch->reset_handlers = true;
    return ax_clone_onto(stack, ax_child_main, launch, &launch->pidfd);
}

/* Has this process no controlling terminal? So says the kernel: where there is no /dev/tty, it
 * says something else. */
static bool
has_no_terminal(void)
{
    long fd = ax_sys(SYS_openat, AT_FDCWD, "/dev/tty",
                     O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0, 0);

    if (fd >= 0)
        ax_sys(SYS_close, fd, 0, 0, 0, 0);
    return fd == -ENXIO;
}

/* The seldom signals that this process ignores, and whether it has a terminal. To ask for all of
 * that takes as long as all else that a launch does, and hardly any program changes it: the
 * answer may be LOOK_EVERY old. */
static void
look_around(struct ax_found *found)
{
    uint64_t now = ax_now(), ignored = 0;

    if (found->looked_at != 0 && now - found->looked_at < LOOK_EVERY)
        return;
    for (int signum = 1; signum <= N_SIGNALS; signum++) {
        struct ax_sigaction action = {0};

        if (OFTEN_IGNORED & BIT(signum))
            continue;
        ax_sys(SYS_rt_sigaction, signum, 0, &action, sizeof(uint64_t), 0);
        if (action.handler == (void *)SIG_IGN)
            ignored |= BIT(signum);
    }
    found->ignored = ignored;
    found->no_terminal = has_no_terminal();
    found->looked_at = now;
}

/* Does a group of its own set a child apart as well as a session would? It is found by its
 * cgroup, and there is no terminal to be kept from: none of ours, and none that it opens first
 * and is to have. For each session the kernel makes a group to schedule (sched(7), autogroup),
 * in which the child stands in line anew, while we wait for it. */
static bool
is_group_enough(const struct ax_launch *launch, const struct ax_found *found)
{
    for (size_t i = 0; i < launch->n_actions; i++)
        if (launch->actions[i].type == AX_OPEN)
            return false;
    return launch->cgroup_fd > 0 && found->no_terminal;
}

/* Was the mount made noexec since the template was? Asked when an exec was refused, and not
 * before every one. */
static bool
is_noexec(const struct ax_launch *launch)
{
    struct statvfs mount;
    int result = launch->path == NULL ? fstatvfs(launch->program_fd, &mount)
                                      : statvfs(launch->path, &mount);

    return result == 0 && mount.f_flag & ST_NOEXEC;
}

/* ax_spawn - start the program of a launch.
 *
 * Context   Any thread; it stands still until the child has exec'd or died.
 * Borrows   The launch and everything it points to; the stack, for the call.
 * Owns      The caller owns the child, and launch->pidfd (close-on-exec) where it is not
 *           -1: after a failure too, since another thread may be looking at it.
 * Ensures   A pid; or -1, launch->failure says why, and no process is left behind.
 *           `found` remembers that clone3 is refused here (containers: EPERM or ENOSYS;
 *           old emulations: EINVAL). Where the child cannot be born in launch->cgroup_fd,
 *           it is born in our cgroup, and launch->cgroup_error says why.
 * GIL       Not held: an exec from a slow file system can take seconds.
 *           A thread that carries a filter starts children of that filter only: the
 *           others' failure is AX_STEP_SANDBOX with EINVAL.
 * Source    clone(2), vfork(2).
 */
pid_t
ax_spawn(struct ax_launch *launch, const struct ax_stack *stack, struct ax_found *found)
{
    const struct ax_filter *carried = ax_filter_carried();
    uint64_t all = ~(uint64_t)0;
    long pid = -ENOSYS;

    launch->failure = (struct ax_failure){.step = AX_STEP_NONE, .action = -1};
    launch->parent = getpid();
    launch->pidfd = -1;
    look_around(found);
    launch->ignored = found->ignored | OFTEN_IGNORED;
    launch->group_does = is_group_enough(launch, found);
    launch->cgroup_error = 0;
    launch->confinement.inherits = carried != NULL;
    ax_filter_secret(launch->secret);
    /* It would inherit what it was not planned to have. */
    if (carried != NULL && (launch->confinement.filter.code == NULL ||
                            !ax_filter_is(carried, &launch->confinement.filter))) {
        launch->failure.step = AX_STEP_SANDBOX;
        launch->failure.error = EINVAL;
        return -1;
    }

    /* The raw call: glibc's would leave out its own 32 and 33 (SIGCANCEL, SIGSETXID),
     * whose handlers must not run in the child either. */
    ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, &launch->sigmask, sizeof all, 0);
    if (launch->cgroup_fd > 0) {
        if (atomic_load_explicit(&found->how, memory_order_relaxed) == AX_CLONE3)
            pid = clone_with_clone3(launch, stack, launch->cgroup_fd);
        if (pid < 0) {
            launch->cgroup_error = (int)-pid;
            launch->group_does = false;
        }
    }
    if (pid < 0 && atomic_load_explicit(&found->how, memory_order_relaxed) == AX_CLONE3) {
        pid = clone_with_clone3(launch, stack, 0);
        if (pid == -ENOSYS || pid == -EPERM || pid == -EINVAL)
            atomic_store_explicit(&found->how, AX_CLONE, memory_order_relaxed);
    }
    if (pid < 0 && atomic_load_explicit(&found->how, memory_order_relaxed) == AX_CLONE)
        pid = clone_with_clone(launch, stack);
    ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &launch->sigmask, 0, sizeof all, 0);

    if (pid > 0 && launch->pid != NULL)
        *launch->pid = (pid_t)pid; /* clone(2) has one place for two results */
    if (pid < 0) {
        launch->failure.step = AX_STEP_SPAWN;
        launch->failure.error = (int)-pid;
        return -1;
    }
    if (launch->failure.step != AX_STEP_NONE) {
        siginfo_t info;

        /* ECHILD when somebody else's wait was quicker: it is gone all the same. */
        while (waitid((idtype_t)P_PIDFD, (id_t)launch->pidfd, &info, WEXITED) < 0 &&
               errno == EINTR)
            ;
        if (launch->failure.step == AX_STEP_EXEC && launch->failure.error == EACCES &&
            is_noexec(launch))
            launch->failure = (struct ax_failure){AX_STEP_TEMPLATE, ESTALE, -1};
        return -1;
    }
    return (pid_t)pid;
}
