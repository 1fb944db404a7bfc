/* launch.h - one launch: what the parent prepares and the child carries out. */
#ifndef AX_LAUNCH_H
#define AX_LAUNCH_H

#include "filter.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a launch failed, in the order of a launch. The numbers are an interface:
 * agent_exec/launch/native.py maps them to exceptions. */
enum ax_step {
    AX_STEP_NONE = 0,
    AX_STEP_SPAWN = 1,
    AX_STEP_CWD = 2,
    AX_STEP_STDIO = 3,
    AX_STEP_SANDBOX = 4,
    AX_STEP_EXEC = 5,
    AX_STEP_TEMPLATE = 6, /* no step of a launch: the template is not to be used */
};

struct ax_failure {
    int step;   /* enum ax_step; AX_STEP_NONE: no failure */
    int error;  /* errno */
    int action; /* index of the failed action, or -1 */
};

/* Numbers and fields of the RFC's struct spawn_template_action. */
enum ax_action_type {
    AX_CLOSE = 0,
    AX_DUP2 = 1,
    AX_FCHDIR = 2,
    AX_OPEN = 3,
    AX_CLOSE_RANGE = 4,
    AX_SIGMASK = 5,
    AX_SIGDEFAULT = 6,
};

enum { N_SIGNALS = 64 };

/* The kernel's struct sigaction: the same 32 bytes on x86-64 and arm64. */
struct ax_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

struct ax_open_how { /* openat2(2) */
    uint64_t flags, mode, resolve;
};

struct ax_action {
    uint32_t type, flags;
    int fd, newfd;
    int host_fd;        /* fd as the plan names it, where the launch borrows its own */
    uint64_t signals;   /* SIGMASK, SIGDEFAULT: bit n-1 is signal n */
    const char *path;   /* OPEN */
    struct ax_open_how how;
};

struct ax_rlimit { /* of prlimit64(2) */
    uint64_t soft, hard;
    int resource;
};

/* What the child does to itself last, so that it can do no more than was granted. */
struct ax_confinement {
    int ruleset_fd; /* of Landlock, in the table of the spawning thread; or -1 */
    uint32_t landlock_flags;
    bool no_new_privs, has_nice, has_umask;
    int nice; /* added to ours */
    unsigned umask;
    struct ax_rlimit *rlimits;
    size_t n_rlimits;
    struct ax_filter filter;
    bool inherits; /* the spawning thread carries the filter */
};

struct ax_identity {
    uint64_t dev, ino, size;
    uint32_t mode, uid, gid;
    int64_t ctime_ns, mtime_ns;
};

enum ax_launch_flag {
    AX_INHERIT_FDS = 1,
    AX_SESSION = 2,
    AX_RESET_SIGNALS = 4,
    AX_DIE_WITH_PARENT = 8,
};

struct ax_launch {
    /* The program. fd is open in the table of the spawning thread. */
    int program_fd;
    const char *path;   /* absolute, or NULL: run by descriptor alone */
    const char *called; /* what path is called after the actions, or NULL: path */
    bool script;
    struct ax_identity identity;

    char **argv, **envp; /* NULL-terminated */
    struct ax_action *actions;
    size_t n_actions;
    int stdio[3]; /* source of 0, 1, 2: -1 to leave it, else at least 3 */
    unsigned flags;
    int cgroup_fd; /* the cgroup that the child is born in; 0: ours */
    bool confined;
    struct ax_confinement confinement;

    /* Set by ax_spawn(). */
    pid_t parent;
    uint64_t sigmask;     /* of the parent, before it blocked everything */
    uint64_t ignored;     /* signals that the parent may ignore: bit n-1 is signal n */
    bool group_does;      /* instead of a session */
    bool reset_handlers;  /* the kernel did not clear the handlers */
    uint64_t secret[2];   /* of the filter that the spawning thread carries, or zeros */
    int cgroup_error;     /* errno: the child is in our cgroup after all */
    volatile int pidfd;   /* written by the kernel before the child runs */
    volatile pid_t *pid;  /* the same for its pid, where the caller wants it so early */
    struct ax_failure failure;
};

/* A stack for one child at a time. The child of a vfork has left it by the time its
 * parent runs again, so a thread needs one. */
struct ax_stack {
    void *base;
    size_t size;
};

enum ax_clone { AX_CLONE3 = 0, AX_CLONE = 1 };

/* What launches have found out, for those that come after them. */
struct ax_found {
    atomic_int how;             /* enum ax_clone: how children are made here */
    _Atomic uint64_t ignored;   /* signals that this process ignores, but for OFTEN_IGNORED */
    atomic_bool no_terminal;    /* this process has none */
    _Atomic uint64_t looked_at; /* both: CLOCK_MONOTONIC, ns */
};

int ax_stack_open(struct ax_stack *stack);
void ax_stack_close(struct ax_stack *stack);

long ax_clone_onto(const struct ax_stack *stack, void (*child)(void *), void *argument,
                   volatile int *pidfd);
pid_t ax_spawn(struct ax_launch *launch, const struct ax_stack *stack, struct ax_found *found);
_Noreturn void ax_child_main(void *launch);

#endif
