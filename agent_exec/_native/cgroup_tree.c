/* cgroup_tree.c - see cgroup_tree.h. Paths are absolute, below a cgroup v2 mount. */
#define _GNU_SOURCE
#include "cgroup_tree.h"
#include "sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum {
    CGROUP2_MAGIC = 0x63677270,
    MOST_WATCHED = 64, /* whose deaths are awaited one by one */
    DEATHS_MS = 100,   /* normally under a millisecond; one stuck in the kernel is not awaited */
    REMOVE_TRIES = 16,
    MOST_DEEP = 16,
};

/* --- our own ---------------------------------------------------------------------- */

/* The path of our cgroup as /proc/self/cgroup tells it, "0::/...". */
static bool
read_own(char *path, size_t size)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    if (file == NULL)
        return false;
    while (!found && getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        found = strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < size;
        if (found)
            strcpy(path, line + 3);
    }
    free(line);
    fclose(file);
    return found;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void
unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
            from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Where the cgroup `own` is, if the mount of this line of mountinfo shows it. */
static bool
place_in_mount(char *line, const char *own, char *path, size_t size)
{
    char *fields[5], *type = strstr(line, " - cgroup2 "), *rest = line;
    size_t root_size;

    if (type == NULL)
        return false;
    for (int i = 0; i < 5; i++)
        if ((fields[i] = strsep(&rest, " ")) == NULL)
            return false;
    unescape(fields[3]);
    unescape(fields[4]);
    root_size = strcmp(fields[3], "/") == 0 ? 0 : strlen(fields[3]);
    if (strncmp(own, fields[3], root_size) != 0 ||
        (own[root_size] != '/' && own[root_size] != '\0'))
        return false;
    own += root_size;
    return snprintf(path, size, "%s%s", fields[4], strcmp(own, "/") == 0 ? "" : own) < (int)size;
}

/* Does the file list this number, one a line? */
static bool
lists(const char *folder, pid_t pid)
{
    char path[PATH_MAX + 16];
    FILE *file;
    bool found = false;
    int member;

    snprintf(path, sizeof path, "%s/cgroup.procs", folder);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (!found && fscanf(file, "%d", &member) == 1)
        found = member == pid;
    fclose(file);
    return found;
}

/* ax_cgroup_find_own - where the cgroup v2 is that our process is in.
 *
 * Ensures   NULL and `path`; or why there is none to be used, and errno or 0.
 * Source    cgroups(7), /proc/[pid]/cgroup; proc(5), mountinfo.
 */
const char *
ax_cgroup_find_own(char *path, size_t size)
{
    FILE *mounts;
    char own[PATH_MAX], *line = NULL;
    size_t room = 0;
    struct statfs status;
    bool mounted = false;

    errno = 0;
    if (!read_own(own, sizeof own))
        return "this process is in no cgroup v2";
    mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL)
        return "/proc/self/mountinfo cannot be read";
    while (!mounted && getline(&line, &room, mounts) > 0)
        mounted = place_in_mount(line, own, path, size);
    free(line);
    fclose(mounts);
    errno = 0;
    if (!mounted)
        return "the cgroup v2 of this process is not mounted here";
    /* Another mount may lie over it, and a threaded cgroup does not list its processes. */
    if (statfs(path, &status) < 0)
        return "the cgroup of this process cannot be seen";
    if (status.f_type != CGROUP2_MAGIC || !lists(path, getpid())) {
        errno = 0;
        return "the cgroup of this process is not where it should be";
    }
    return NULL;
}

/* --- members ---------------------------------------------------------------------- */

/* Call `act` for every cgroup below `path`, deepest first, then for `path` itself. */
static void
walk(const char *path, int depth, void (*act)(const char *path, void *context), void *context)
{
    char below[PATH_MAX];
    const struct dirent *entry;
    DIR *folder = depth < MOST_DEEP ? opendir(path) : NULL;

    while (folder != NULL && (entry = readdir(folder)) != NULL)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below)
            walk(below, depth + 1, act, context);
    if (folder != NULL)
        closedir(folder);
    act(path, context);
}

struct listing {
    const pid_t *except;
    size_t n_except;
    struct ax_pids *found;
};

static bool
is_excepted(const struct listing *listing, pid_t pid)
{
    for (size_t i = 0; i < listing->n_except; i++)
        if (listing->except[i] == pid)
            return true;
    return false;
}

static void
list_one(const char *path, void *context)
{
    const struct listing *listing = context;
    char file[PATH_MAX + 16];
    FILE *procs;
    int pid;

    snprintf(file, sizeof file, "%s/cgroup.procs", path);
    procs = fopen(file, "re");
    if (procs == NULL)
        return;
    /* 0 stands for a process that our pid namespace does not know. */
    while (fscanf(procs, "%d", &pid) == 1)
        if (pid > 0 && !is_excepted(listing, pid))
            (void)ax_pids_add(listing->found, pid);
    fclose(procs);
}

/* ax_cgroup_list - add the processes in `path`, and in the cgroups below it, to `found`. */
void
ax_cgroup_list(const char *path, const pid_t *except, size_t n_except, struct ax_pids *found)
{
    struct listing listing = {.except = except, .n_except = n_except, .found = found};

    walk(path, 0, list_one, &listing);
}

static bool
write_word(const char *path, const char *name, const char *word)
{
    char file[PATH_MAX + 16];
    bool written;
    int fd;

    snprintf(file, sizeof file, "%s/%s", path, name);
    fd = open(file, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    written = write(fd, word, strlen(word)) > 0;
    close(fd);
    return written;
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Are orphans of our descendants our children? */
static bool
adopts_orphans(void)
{
    int subreaper = 0;

    return getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0) == 0 && subreaper);
}

/* ax_cgroup_kill - end every process in `path` and below it.
 *
 * Borrows   `members`, as just listed: their deaths are awaited, and they are reaped where
 *           they are ours to reap.
 * Ensures   Every process there has got SIGKILL; one that is being forked gets it too.
 */
void
ax_cgroup_kill(const char *path, const struct ax_pids *members)
{
    struct pollfd deaths[MOST_WATCHED];
    size_t n = members->n < MOST_WATCHED ? members->n : MOST_WATCHED;
    bool reap = adopts_orphans();
    int64_t until = now_ms() + DEATHS_MS;

    /* Opened before they die, so that no number means another process. */
    for (size_t i = 0; i < n; i++) {
        deaths[i].fd = (int)syscall(SYS_pidfd_open, members->pids[i], 0);
        deaths[i].events = POLLIN;
    }
    (void)write_word(path, "cgroup.kill", "1");
    for (size_t i = 0; i < n; i++) {
        siginfo_t info;
        int64_t left = until - now_ms();

        if (deaths[i].fd < 0)
            continue;
        (void)poll(&deaths[i], 1, left > 0 ? (int)left : 0);
        if (reap)
            (void)waitid((idtype_t)P_PIDFD, (id_t)deaths[i].fd, &info, WEXITED | WNOHANG);
        close(deaths[i].fd);
    }
}

/* --- removal ---------------------------------------------------------------------- */

static void
remove_one(const char *path, void *context)
{
    (void)context;
    (void)rmdir(path);
}

/* ax_cgroup_remove_empty - remove `path` and what is below it, where no process is. */
bool
ax_cgroup_remove_empty(const char *path)
{
    walk(path, 0, remove_one, NULL);
    return access(path, F_OK) < 0;
}

/* Move everybody in `path` to the cgroup `parent`, where they would be without us. */
static void
move_out(const char *path, const char *parent)
{
    struct ax_pids members = {0};
    char number[16];

    ax_cgroup_list(path, NULL, 0, &members);
    for (size_t i = 0; i < members.n; i++) {
        snprintf(number, sizeof number, "%d", (int)members.pids[i]);
        (void)write_word(parent, "cgroup.procs", number);
    }
    free(members.pids);
}

static void
end_members(const char *path)
{
    struct ax_pids members = {0};

    ax_cgroup_list(path, NULL, 0, &members);
    ax_cgroup_kill(path, &members);
    free(members.pids);
}

static bool
is_kept(const char *leaf)
{
    return strncmp(strrchr(leaf, '/') + 1, CGROUP_KEEP "-", strlen(CGROUP_KEEP "-")) == 0;
}

struct removal {
    const char *root, *parent;
    bool forced;
};

static void
clear_leaf(const char *path, void *context)
{
    const struct removal *removal = context;

    if (strrchr(path, '/') - path != (ptrdiff_t)strlen(removal->root))
        return; /* not directly below the root */
    if (!is_kept(path))
        end_members(path);
    else if (removal->forced)
        move_out(path, removal->parent);
}

/* Remove `path` and what is below it. */
static bool
remove_tree(const char *path, const char *parent, bool forced)
{
    struct removal removal = {.root = path, .parent = parent, .forced = forced};
    struct timespec pause = {.tv_nsec = 1000000};

    for (int tries = 0; tries < REMOVE_TRIES; tries++) {
        if (ax_cgroup_remove_empty(path))
            return true;
        walk(path, 0, clear_leaf, &removal);
        if (tries > 0) /* the dying are not gone yet */
            nanosleep(&pause, NULL);
    }
    return false;
}

/* ax_cgroup_remove - remove an engine's cgroup: who is in a leaf for calls whose survivors
 * are killed is killed; who is in one of the others goes on in the cgroup of our process,
 * the first `parent_size` bytes of `path`. */
void
ax_cgroup_remove(const char *path, size_t parent_size)
{
    char parent[PATH_MAX];

    snprintf(parent, sizeof parent, "%.*s", (int)parent_size, path);
    (void)remove_tree(path, parent, true);
}

/* Is the process alive that made the cgroup of this name? Whoever is not sure says yes. */
static bool
has_owner(const char *name)
{
    unsigned long long start, now;
    int pid;

    if (sscanf(name, CGROUP_PREFIX "%d-%llu-", &pid, &start) != 2)
        return true;
    return ax_process_start((pid_t)pid, &now) && now == start;
}

/* ax_cgroup_sweep - remove what owners that are gone have left below `parent`.
 *
 * A pid of another pid namespace looks gone, too: the lock tells. Those whom the owner
 * wanted kept are left alone, and their cgroup stays until they have ended.
 */
void
ax_cgroup_sweep(const char *parent)
{
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *folder = opendir(parent);

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        int fd;

        if (strncmp(entry->d_name, CGROUP_PREFIX, strlen(CGROUP_PREFIX)) != 0 ||
            has_owner(entry->d_name) ||
            snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) >= (int)sizeof path)
            continue;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            (void)remove_tree(path, parent, false);
        close(fd);
    }
    if (folder != NULL)
        closedir(folder);
}
