/* guardian.c - a process of its own that outlives its owner and ends what that left.
 *
 *     agent-exec-guardian OWNER MARK CGROUP
 *
 * descriptors: 0 a pipe, to say our pid once; 1 a pidfd of the owner; 2 /dev/null.
 *
 * A program that the extension module itself is (entry.c): nothing here may need a relocation
 * or call anything but the kernel.
 */
#define _GNU_SOURCE
#include "entry.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum {
    SAY = 0,
    OWNER = 1,
    NOTHING = 2,
    LISTING_SIZE = 4096,
    MOST_DEEP = 16,
    MOST_ROUNDS = 64,   /* a fork bomb is not outrun; it is stopped by limits */
    QUIET_ROUNDS = 3,
    REMOVE_TRIES = 400, /* of 5 ms: the dying take a moment */
};

/* getdents64(2) */
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

enum { IS_DIRECTORY = 4 };

IN_CHILD static _Noreturn void
leave(int status)
{
    for (;;)
        ax_sys(SYS_exit_group, status, 0, 0, 0, 0);
}

IN_CHILD static void
pause_ns(long ns)
{
    struct timespec pause = {.tv_nsec = ns};

    ax_sys(SYS_nanosleep, &pause, 0, 0, 0, 0);
}

IN_CHILD static bool
begins_with(const char *text, const char *prefix)
{
    while (*prefix != '\0')
        if (*text++ != *prefix++)
            return false;
    return true;
}

/* Call `act` for each entry of an open directory; the number of times it said true. */
IN_CHILD static int
for_each(int folder, bool (*act)(int folder, const struct entry *entry, const void *context),
         const void *context)
{
    _Alignas(struct entry) char listing[LISTING_SIZE];
    int n = 0;
    long size;

    while ((size = ax_sys(SYS_getdents64, folder, listing, sizeof listing, 0, 0)) > 0) {
        for (long at = 0; at < size;) {
            const struct entry *entry = (const void *)(listing + at);

            n += act(folder, entry, context);
            at += entry->size;
        }
    }
    return n;
}

/* --- by the mark ------------------------------------------------------------------ */

/* The pid that an entry of /proc stands for, or -1. */
IN_CHILD static int
read_pid(const char *name)
{
    int pid = 0;

    for (; *name >= '0' && *name <= '9'; name++)
        pid = pid * 10 + (*name - '0');
    return *name == '\0' && pid > 0 ? pid : -1;
}

/* Does a word of the environment, as read from `fd`, begin with the mark? */
IN_CHILD static bool
has_mark(int fd, const char *mark)
{
    char bytes[LISTING_SIZE];
    long at = 0, size; /* at: how much of the mark this word has; -1: another word */

    while ((size = ax_sys(SYS_read, fd, bytes, sizeof bytes, 0, 0)) > 0) {
        for (long i = 0; i < size; i++) {
            if (at >= 0)
                at = bytes[i] == mark[at] ? at + 1 : -1;
            if (at > 0 && mark[at] == '\0')
                return true;
            if (bytes[i] == '\0')
                at = 0;
        }
    }
    return false;
}

/* The pidfd is opened before the environment: should the number be recycled in between, the
 * signal reaches nobody. */
IN_CHILD static bool
end_marked(int proc, const struct entry *entry, const void *mark)
{
    char path[32];
    const char *file = "/environ";
    int pid = read_pid(entry->name), length = 0;
    long pidfd, environment;
    bool found = false;

    if (pid < 0)
        return false;
    for (const char *from = entry->name; *from != '\0'; from++)
        path[length++] = *from;
    while (*file != '\0')
        path[length++] = *file++;
    path[length] = '\0';
    pidfd = ax_sys(SYS_pidfd_open, pid, 0, 0, 0, 0);
    if (pidfd < 0)
        return false;
    environment = ax_sys(SYS_openat, proc, path, O_RDONLY | O_CLOEXEC, 0, 0);
    if (environment >= 0) {
        found = has_mark((int)environment, mark);
        ax_sys(SYS_close, environment, 0, 0, 0, 0);
    }
    if (found)
        ax_sys(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0, 0);
    ax_sys(SYS_close, pidfd, 0, 0, 0, 0);
    return found;
}

/* What is found may have forked, and one that is in its exec has no environment for a moment:
 * so it goes on until some rounds have found nothing. */
IN_CHILD static void
end_all_marked(const char *mark)
{
    int quiet = 0;

    for (int round = 0; round < MOST_ROUNDS && quiet < QUIET_ROUNDS; round++) {
        long proc = ax_sys(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);
        int n;

        if (proc < 0)
            return;
        n = for_each((int)proc, end_marked, mark);
        ax_sys(SYS_close, proc, 0, 0, 0, 0);
        quiet = n == 0 ? quiet + 1 : 0;
        pause_ns(2000000);
    }
}

/* --- by cgroup -------------------------------------------------------------------- */

IN_CHILD static bool
end_leaf(int folder, const struct entry *entry, const void *context)
{
    long leaf, kill;

    (void)context;
    if (!begins_with(entry->name, "kill-"))
        return false;
    leaf = ax_sys(SYS_openat, folder, entry->name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
    if (leaf < 0)
        return false;
    kill = ax_sys(SYS_openat, leaf, "cgroup.kill", O_WRONLY | O_CLOEXEC, 0, 0);
    if (kill >= 0) {
        ax_sys(SYS_write, kill, "1", 1, 0, 0);
        ax_sys(SYS_close, kill, 0, 0, 0, 0);
    }
    ax_sys(SYS_close, leaf, 0, 0, 0, 0);
    return true;
}

/* `context` is how deep we are: below a leaf may be those of a call within the call. */
IN_CHILD static bool
remove_below(int folder, const struct entry *entry, const void *context)
{
    const int *depth = context;
    int deeper = *depth + 1;
    long below;

    if (entry->type != IS_DIRECTORY || entry->name[0] == '.' || deeper > MOST_DEEP)
        return false;
    below = ax_sys(SYS_openat, folder, entry->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);
    if (below >= 0) {
        for_each((int)below, remove_below, &deeper);
        ax_sys(SYS_close, below, 0, 0, 0, 0);
    }
    return ax_sys(SYS_unlinkat, folder, entry->name, AT_REMOVEDIR, 0, 0) < 0;
}

/* Calls whose survivors are to be kept are in other leaves, which stay while they are needed. */
IN_CHILD static void
end_cgroup(const char *path)
{
    const int depth = 0;

    for (int tries = 0; tries < REMOVE_TRIES; tries++) {
        long folder = ax_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);

        if (folder < 0)
            return;
        for_each((int)folder, end_leaf, NULL);
        ax_sys(SYS_lseek, folder, 0, 0, 0, 0);
        for_each((int)folder, remove_below, &depth);
        ax_sys(SYS_close, folder, 0, 0, 0, 0);
        if (ax_sys(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR, 0, 0) == 0)
            return;
        pause_ns(5000000);
    }
}

/* --- life ------------------------------------------------------------------------- */

IN_CHILD static void
await_owner(void)
{
    struct pollfd owner = {.fd = OWNER, .events = POLLIN};
    long n;

    do
        n = ax_sys(SYS_ppoll, &owner, 1, 0, 0, 0);
    while (n == -EINTR || n == 0);
}

/* ax_guardian_main - wait until the owner is gone, end what it left, and go.
 *
 * Context   A process of its own, just exec'd; `stack` is what the kernel put there: argc,
 *           argv. An owner that ends as it should kills us before (guard.c).
 * Ensures   Never returns. Our first process exits at once, so that we are nobody's child.
 * Source    elf(5); Documentation/filesystems/proc.rst; cgroup-v2.rst.
 */
IN_CHILD _Noreturn void
ax_guardian_main(const long *stack)
{
    const char *const *argv = (const char *const *)(stack + 1);
    long pid;

    if (stack[0] != 4)
        leave(2);
    pid = ax_sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid != 0)
        leave(pid < 0);
    ax_sys(SYS_prctl, PR_SET_NAME, "agent-exec-gua", 0, 0, 0);
    ax_sys(SYS_chdir, "/", 0, 0, 0, 0);
    pid = ax_sys(SYS_getpid, 0, 0, 0, 0, 0);
    ax_sys(SYS_write, SAY, &pid, sizeof pid, 0, 0);
    ax_sys(SYS_dup3, NOTHING, SAY, 0, 0, 0);

    await_owner();
    if (argv[3][0] != '\0')
        end_cgroup(argv[3]);
    if (argv[2][0] != '\0')
        end_all_marked(argv[2]);
    leave(0);
}
