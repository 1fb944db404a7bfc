/* descendants.c - see descendants.h.
 *
 * A descendant is known by the session or group of a stage, or by the mark in its
 * environment. One that left both and cleared its environment is not found.
 */
#define _GNU_SOURCE
#include "descendants.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum {
    MOST_CANDIDATES = 256, /* above, listing /proc is cheaper than trying each number */
    MOST_ROUNDS = 16,      /* a fork bomb is not outrun; it is stopped by limits */
    MOST_PAUSES = 8,       /* of a hunt, for processes without an environment */
    KERNEL_THREAD = 0x00200000, /* PF_KTHREAD: has none for good */
    DEATH_MS = 10,
};
/* Above this age pid numbers may have gone round (32768 of them, at the least). */
static const uint64_t AGE_OF_DOUBT = 1000000000;

struct process {
    char state;
    pid_t group, session;
    unsigned flags;
    unsigned long long start; /* ticks since boot: with the pid, who it is */
};

/* ax_recent_reserve - a place for the pid of a child that is about to be made.
 *
 * The kernel writes it (CLONE_PARENT_SETTID) before the child runs, so that a number is
 * hardly ever handed out and not yet here.
 */
volatile pid_t *
ax_recent_reserve(struct ax_recent *recent)
{
    volatile pid_t *place;

    pthread_mutex_lock(&recent->lock);
    place = &recent->ring[recent->count++ % RECENT];
    *place = 0;
    pthread_mutex_unlock(&recent->lock);
    return place;
}

/* Mark which of the `n` numbers above `first` are ours; say how many are not. */
static size_t
mark_recent(struct ax_recent *recent, pid_t first, size_t n, bool *ours)
{
    size_t others = n;

    memset(ours, 0, n);
    pthread_mutex_lock(&recent->lock);
    for (size_t i = 0; i < RECENT; i++) {
        pid_t pid = recent->ring[i];

        if (pid <= first || (size_t)(pid - first) > n || ours[pid - first - 1])
            continue;
        ours[pid - first - 1] = true;
        others--;
    }
    pthread_mutex_unlock(&recent->lock);
    return others;
}

/* The pid handed out last in our pid namespace: the fifth word. proc(5). -1: unknown. */
static pid_t
last_pid(int loadavg)
{
    char text[128], *word;
    ssize_t size = loadavg < 0 ? -1 : pread(loadavg, text, sizeof text - 1, 0);

    if (size <= 0)
        return -1;
    text[size] = '\0';
    word = strrchr(text, ' ');
    return word == NULL ? -1 : (pid_t)strtol(word + 1, NULL, 10);
}

static ssize_t
read_proc(pid_t pid, const char *name, char *buffer, size_t size, off_t offset)
{
    char path[64];
    ssize_t got;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    do
        got = pread(fd, buffer, size, offset);
    while (got < 0 && errno == EINTR);
    close(fd);
    return got;
}

static bool
read_process(pid_t pid, struct process *process)
{
    char text[512];
    const char *after;
    ssize_t size = read_proc(pid, "stat", text, sizeof text - 1, 0);

    if (size <= 0)
        return false;
    text[size] = '\0';
    after = strrchr(text, ')'); /* the name may hold anything, parentheses too */
    return after != NULL &&
           sscanf(after + 1,
                  " %c %*d %d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  &process->state, &process->group, &process->session, &process->flags,
                  &process->start) == 5;
}

/* Is the mark a whole word of the environment? Words end in a NUL. In the middle of an exec
 * there are no words for a moment, nor in a process that was given none: looked at again. */
static bool
has_mark(pid_t pid, const struct ax_hunt *hunt)
{
    char text[16384] = "";
    const struct timespec pause = {.tv_nsec = 1000000};
    size_t keep = 1; /* as if a NUL stood before the first word */
    off_t offset = 0;

    if (hunt->mark == NULL || hunt->mark_size >= sizeof text / 2)
        return false;
    for (;;) {
        ssize_t got = read_proc(pid, "environ", text + keep, sizeof text - keep, offset);
        const char *end, *at = text;

        if (got == 0 && offset == 0 && (*hunt->pauses)++ < MOST_PAUSES) {
            nanosleep(&pause, NULL);
            continue;
        }
        if (got <= 0)
            return false;
        end = text + keep + got;
        while ((at = memmem(at, (size_t)(end - at), hunt->mark, hunt->mark_size)) != NULL) {
            if (at > text && at[-1] == '\0' && at + hunt->mark_size < end &&
                at[hunt->mark_size] == '\0')
                return true;
            at++;
        }
        offset += got;
        keep = (size_t)(end - text) < hunt->mark_size + 1 ? (size_t)(end - text)
                                                         : hunt->mark_size + 1;
        memmove(text, end - keep, keep);
    }
}

static bool
is_ours(pid_t pid, const struct ax_hunt *hunt, struct process *process)
{
    for (size_t i = 0; i < hunt->n_leaders; i++)
        if (pid == hunt->leaders[i])
            return false; /* a stage: its end is waited for elsewhere */
    if (pid == getpid() || !read_process(pid, process) || process->state == 'Z' ||
        process->state == 'X')
        return false;
    for (size_t i = 0; i < hunt->n_leaders; i++)
        if (process->group == hunt->leaders[i] || process->session == hunt->leaders[i])
            return true;
    return !(process->flags & KERNEL_THREAD) && has_mark(pid, hunt);
}

/* ax_process_start - when a process was started, in ticks since boot. False: there is none. */
bool
ax_process_start(pid_t pid, unsigned long long *start)
{
    struct process process;

    if (!read_process(pid, &process))
        return false;
    *start = process.start;
    return true;
}

/* ax_pids_add - true when `pid` was not there yet. A pid is reported once, however many
 * rounds see it. Without memory it is killed all the same, and missing from the report. */
bool
ax_pids_add(struct ax_pids *found, pid_t pid)
{
    for (size_t i = 0; i < found->n; i++)
        if (found->pids[i] == pid)
            return false;
    if (found->n == found->room) {
        size_t room = found->room > 0 ? found->room * 2 : 8;
        pid_t *moved = realloc(found->pids, room * sizeof *moved);

        if (moved == NULL)
            return true;
        found->pids = moved;
        found->room = room;
    }
    found->pids[found->n++] = pid;
    return true;
}

/* The descriptor is opened before the process is looked at again, so that a recycled
 * number cannot slip in between; and for a thread's number it cannot be opened. */
static bool
look_at(pid_t pid, const struct ax_hunt *hunt, bool kill, struct ax_pids *found)
{
    struct process first, again;
    siginfo_t info;
    bool same;
    int pidfd;

    if (!is_ours(pid, hunt, &first))
        return false;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return false;
    same = is_ours(pid, hunt, &again) && again.start == first.start;
    if (same && kill) {
        struct pollfd death = {.fd = pidfd, .events = POLLIN};

        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        /* Normally well under a millisecond; a process stuck in the kernel is not awaited. */
        (void)poll(&death, 1, DEATH_MS);
        /* An orphan is our child only where we are init or a subreaper. ECHILD elsewhere. */
        (void)waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
    }
    close(pidfd);
    return same && ax_pids_add(found, pid);
}

static bool
look_at_all(const struct ax_hunt *hunt, bool kill, struct ax_pids *found)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    bool any = false;

    if (proc == NULL)
        return false;
    while ((entry = readdir(proc)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            any |= look_at((pid_t)strtol(entry->d_name, NULL, 10), hunt, kill, found);
    closedir(proc);
    return any;
}

static bool
one_round(const struct ax_hunt *hunt, bool kill, struct ax_pids *found)
{
    pid_t first = hunt->first, last = last_pid(hunt->loadavg);
    bool ours[MOST_CANDIDATES];
    bool any = false;
    size_t n;

    if (last < first || last - first > MOST_CANDIDATES || hunt->age > AGE_OF_DOUBT)
        return look_at_all(hunt, kill, found);
    /* Numbers go up: a descendant's is above the first stage's. */
    n = (size_t)(last - first);
    if (mark_recent(hunt->recent, first, n, ours) == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!ours[i])
            any |= look_at(first + 1 + (pid_t)i, hunt, kill, found);
    return any;
}

/* ax_hunt - find what the stages have left behind, and kill it if asked.
 *
 * Context   A thread of ours, after every stage has exited and before any is reaped:
 *           the zombies keep their pids, sessions and groups from being used again.
 * Borrows   Everything in `hunt`.
 * Ensures   `found` holds each once. With `kill`, rounds go on until one finds nothing
 *           new (what is found may have forked), or MOST_ROUNDS.
 */
void
ax_hunt(const struct ax_hunt *hunt, bool kill, struct ax_pids *found)
{
    int rounds = kill ? MOST_ROUNDS : 1, pauses = 0;
    struct ax_hunt patient = *hunt;

    patient.pauses = &pauses;
    while (rounds-- > 0 && one_round(&patient, kill, found))
        ;
}
