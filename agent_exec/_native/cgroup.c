/* cgroup.c - see cgroup.h.
 *
 * An engine makes one cgroup below the one that its process is in, and leaves in that:
 *
 *     OURS/agent_exec-PID-START-RANDOM/kill-N     a call whose survivors are killed
 *                                     /keep-N     a call whose survivors live on
 *
 * A leaf is used again when it is empty. The engine holds a lock (flock(2)) on its cgroup;
 * where that is free and no process is PID since START, the owner is gone, and whoever
 * comes next ends what it left and removes it.
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst; clone(2), CLONE_INTO_CGROUP.
 */
#define _GNU_SOURCE
#include "cgroup.h"
#include "cgroup_tree.h"
#include "launch.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum {
    MOST_LEAVES = 4096,
    MOST_REFUSALS = 3, /* of a clone into a leaf, until no more are tried */
};

static bool
is_private(const struct ax_table *table)
{
    return table->self_pidfd >= 0;
}

static void
none(struct ax_cgroup *cgroup, const char *why, int error)
{
    cgroup->state = AX_CGROUP_NONE;
    cgroup->why = why;
    cgroup->error = error;
}

/* Open with a number that no standard descriptor has. */
static int
open_above_2(int folder, const char *path, int flags)
{
    int fd = openat(folder, path, flags | O_CLOEXEC), moved;

    if (fd < 0 || fd > 2)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return moved;
}

/* Is the cgroup one that processes can be put into, and that can kill them? */
static bool
is_usable(const char *path)
{
    char file[PATH_MAX + 16], type[32] = "";
    int fd;

    snprintf(file, sizeof file, "%s/cgroup.kill", path); /* 5.14 */
    if (access(file, W_OK) < 0)
        return false;
    snprintf(file, sizeof file, "%s/cgroup.type", path);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, type, sizeof type - 1) < 0)
        type[0] = '\0';
    close(fd);
    return strcmp(type, "domain\n") == 0; /* below a threaded one: "domain invalid" */
}

static bool
lock_path(struct ax_cgroup *cgroup, const struct ax_table *table)
{
    ax_table_hold(table);
    cgroup->lock_fd = open_above_2(AT_FDCWD, cgroup->path, O_RDONLY | O_DIRECTORY);
    cgroup->lock_private = is_private(table);
    ax_table_release(table);
    return cgroup->lock_fd >= 0 && flock(cgroup->lock_fd, LOCK_EX | LOCK_NB) == 0;
}

/* Does a child live that is born in the leaf? The kernel compares the number of kills of
 * two cgroups: of the one that the child is born in, and of its parent's (6.18). Where our
 * own was killed before we came to it, every such child gets SIGKILL.
 *
 * Ensures   0, or an errno: ECANCELED for a child that was killed. */
static int
try_birth(const struct ax_table *table, const struct ax_leaf *leaf)
{
    char *nothing[] = {NULL};
    struct ax_found found = {.how = AX_CLONE3};
    struct ax_stack stack;
    struct ax_launch launch = {
        .program_fd = table->dev_null, /* no program: the child says so, and exits */
        .argv = nothing,
        .envp = nothing,
        .stdio = {-1, -1, -1},
        .cgroup_fd = leaf->dir_fd,
    };
    siginfo_t info;
    pid_t pid;

    if (ax_stack_open(&stack) < 0)
        return errno;
    pid = ax_spawn(&launch, &stack, &found);
    ax_stack_close(&stack);
    if (pid > 0)
        while (waitid((idtype_t)P_PIDFD, (id_t)launch.pidfd, &info, WEXITED) < 0 &&
               errno == EINTR)
            ;
    if (launch.pidfd >= 0)
        close(launch.pidfd);
    if (launch.cgroup_error != 0)
        return launch.cgroup_error;
    return launch.failure.step == AX_STEP_EXEC ? 0 : ECANCELED;
}

static struct ax_leaf *make_leaf(struct ax_cgroup *cgroup, const struct ax_table *table, bool keep);

/* Make the engine's cgroup, and remove what dead owners have left beside it. */
static void
set_up(struct ax_cgroup *cgroup, const struct ax_table *table, bool keep)
{
    struct ax_leaf *leaf;
    int error;
    unsigned long long start = 0;
    unsigned salt = 0;
    const char *why = ax_cgroup_find_own(cgroup->path, PATH_MAX - 128);
    int written;

    if (why != NULL) {
        none(cgroup, why, errno);
        return;
    }
    cgroup->parent_size = strlen(cgroup->path);
    ax_cgroup_sweep(cgroup->path);
    if (!ax_process_start(getpid(), &start) ||
        getrandom(&salt, sizeof salt, GRND_NONBLOCK) != (ssize_t)sizeof salt) {
        none(cgroup, "there is no name for it", errno);
        return;
    }
    written = snprintf(cgroup->path + cgroup->parent_size, PATH_MAX - cgroup->parent_size,
                       "/" CGROUP_PREFIX "%d-%llu-%08x", (int)getpid(), start, salt);
    if (written < 0 || mkdir(cgroup->path, 0755) < 0) {
        none(cgroup, "none can be made below our own", errno);
        return;
    }
    if (!is_usable(cgroup->path)) {
        none(cgroup, "one below our own takes no process, or cannot kill (Linux 5.14)", 0);
    } else if (!lock_path(cgroup, table)) {
        none(cgroup, "one below our own cannot be locked", errno);
    } else if (ax_cgroup_bounds_enable(&cgroup->bounds, cgroup->path),
               (leaf = make_leaf(cgroup, table, keep)) == NULL) {
        none(cgroup, "none can be made below one of ours", errno);
    } else if ((error = try_birth(table, leaf)) != 0) {
        none(cgroup, "no process can be born in one", error);
    } else {
        cgroup->state = AX_CGROUP_READY;
        cgroup->idle[leaf->private_table][leaf->keep] = leaf;
        return;
    }
    ax_cgroup_remove(cgroup->path, cgroup->parent_size);
}

static void
leaf_path(const struct ax_cgroup *cgroup, const struct ax_leaf *leaf, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%.*s/%s-%u", PATH_MAX - 64, cgroup->path,
             leaf->keep ? CGROUP_KEEP : CGROUP_KILL, leaf->number);
}

static void
close_leaf(struct ax_leaf *leaf)
{
    if (leaf->dir_fd >= 0)
        close(leaf->dir_fd);
    if (leaf->events_fd >= 0)
        close(leaf->events_fd);
    leaf->dir_fd = leaf->events_fd = -1;
}

/* Each clone into a leaf looks whether we may write this file, and would make its inode anew and
 * drop it again: 4 us. Once a name was looked up, the kernel keeps it while it has memory. */
static void
remember_procs(const struct ax_leaf *leaf)
{
    struct stat status;

    (void)fstatat(leaf->dir_fd, "cgroup.procs", &status, 0);
}

/* A new leaf, or NULL: the limit of the hierarchy, or of descriptors. */
static struct ax_leaf *
make_leaf(struct ax_cgroup *cgroup, const struct ax_table *table, bool keep)
{
    struct ax_leaf *leaf;
    char path[PATH_MAX];

    if (cgroup->n_leaves == MOST_LEAVES || (leaf = calloc(1, sizeof *leaf)) == NULL)
        return NULL;
    leaf->number = cgroup->next_number++;
    leaf->keep = keep;
    leaf->private_table = is_private(table);
    leaf->dir_fd = leaf->events_fd = -1;
    leaf_path(cgroup, leaf, path);
    if (mkdir(path, 0755) < 0) {
        free(leaf);
        return NULL;
    }
    /* Known before a fork can copy them: see ax_cgroup_forget(). */
    ax_table_hold(table);
    leaf->dir_fd = open_above_2(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (leaf->dir_fd >= 0)
        leaf->events_fd = open_above_2(leaf->dir_fd, "cgroup.events", O_RDONLY);
    if (leaf->events_fd < 0) {
        close_leaf(leaf);
        ax_table_release(table);
        (void)rmdir(path);
        free(leaf);
        return NULL;
    }
    leaf->next_all = cgroup->all;
    cgroup->all = leaf;
    ax_table_release(table);
    remember_procs(leaf);
    ax_cgroup_bounds_set(&cgroup->bounds, path);
    cgroup->n_leaves++;
    return leaf;
}

/* One that was occupied and is empty now. Only a thread that works in its table can tell. */
static struct ax_leaf *
take_emptied(struct ax_cgroup *cgroup, const struct ax_table *table, bool keep)
{
    for (struct ax_leaf **link = &cgroup->occupied; *link != NULL; link = &(*link)->next) {
        struct ax_leaf *leaf = *link;

        if (leaf->keep != keep || leaf->private_table != is_private(table) ||
            !ax_leaf_is_empty(leaf))
            continue;
        *link = leaf->next;
        leaf->occupied = false;
        return leaf;
    }
    return NULL;
}

/* ax_leaf_take - an empty cgroup for one call, or NULL: then the call goes without.
 *
 * Context   A thread that works in `table`.
 * Ensures   Nobody else uses the leaf until ax_leaf_give_back(), in the same table.
 */
struct ax_leaf *
ax_leaf_take(const struct ax_table *table, bool keep)
{
    struct ax_cgroup *cgroup = table->cgroup;
    struct ax_leaf **idle, *leaf = NULL;

    if (cgroup == NULL)
        return NULL;
    idle = &cgroup->idle[is_private(table)][keep];
    pthread_mutex_lock(&cgroup->lock);
    if (cgroup->state == AX_CGROUP_UNTRIED)
        set_up(cgroup, table, keep);
    if (cgroup->state == AX_CGROUP_READY) {
        leaf = *idle;
        if (leaf != NULL)
            *idle = leaf->next;
        else if ((leaf = take_emptied(cgroup, table, keep)) == NULL)
            leaf = make_leaf(cgroup, table, keep);
    }
    pthread_mutex_unlock(&cgroup->lock);
    return leaf;
}

/* ax_leaf_is_empty - is no process in the leaf, or in a cgroup below it? Zombies do not
 * count. A leaf that somebody has removed is empty. */
bool
ax_leaf_is_empty(const struct ax_leaf *leaf)
{
    char text[256];
    ssize_t size = pread(leaf->events_fd, text, sizeof text - 1, 0);

    if (size < 0)
        return errno == ENODEV;
    text[size] = '\0';
    return strstr(text, "populated 0") != NULL;
}

/* ax_leaf_look - find whom a call has left in its leaf, and end them if asked.
 *
 * Context   The thread that watches the call, after every stage has exited.
 * Borrows   `stages`, which are not reported.
 * Ensures   `found` holds each once. With `kill`, all have got SIGKILL, those too that
 *           were forked meanwhile; normally they are gone, and reaped where orphans are
 *           ours to reap.
 */
void
ax_leaf_look(const struct ax_table *table, struct ax_leaf *leaf, bool kill,
             const pid_t *stages, size_t n_stages, struct ax_pids *found)
{
    char path[PATH_MAX];

    leaf->occupied = !ax_leaf_is_empty(leaf);
    if (!leaf->occupied)
        return;
    leaf_path(table->cgroup, leaf, path);
    ax_cgroup_list(path, stages, n_stages, found);
    if (kill) {
        ax_cgroup_kill(path, found);
        leaf->spent = true; /* see try_birth() */
    }
}

/* Remove a leaf that is not to be used again; what is still dying in it is left to
 * ax_cgroup_close(). */
static void
discard(struct ax_cgroup *cgroup, const struct ax_table *table, struct ax_leaf *leaf)
{
    struct ax_leaf **link = &cgroup->all;
    char path[PATH_MAX];

    leaf_path(cgroup, leaf, path);
    ax_table_hold(table);
    close_leaf(leaf);
    ax_table_release(table);
    if (!ax_cgroup_remove_empty(path))
        return;
    while (*link != leaf)
        link = &(*link)->next_all;
    *link = leaf->next_all;
    free(leaf);
    cgroup->n_leaves--;
}

/* ax_leaf_give_back - a call has ended. `refused` is the errno of a clone into the leaf, or 0. */
void
ax_leaf_give_back(const struct ax_table *table, struct ax_leaf *leaf, int refused)
{
    struct ax_cgroup *cgroup = table->cgroup;
    struct ax_leaf **list;

    pthread_mutex_lock(&cgroup->lock);
    if (refused != 0 && ++cgroup->n_refused >= MOST_REFUSALS)
        none(cgroup, "no process can be started in one", refused);
    if (refused != 0 || leaf->spent) { /* one that refused a process may be gone */
        discard(cgroup, table, leaf);
    } else {
        list = leaf->occupied ? &cgroup->occupied
                              : &cgroup->idle[leaf->private_table][leaf->keep];
        leaf->next = *list;
        *list = leaf;
    }
    pthread_mutex_unlock(&cgroup->lock);
}

/* ax_cgroup_new - nothing is made before the first call. NULL: no memory. */
struct ax_cgroup *
ax_cgroup_new(void)
{
    struct ax_cgroup *cgroup = calloc(1, sizeof *cgroup);

    if (cgroup == NULL)
        return NULL;
    pthread_mutex_init(&cgroup->lock, NULL);
    cgroup->lock_fd = -1;
    return cgroup;
}

/* ax_cgroup_ready - have calls a cgroup of their own here? `text` is which, or why not. */
bool
ax_cgroup_ready(const struct ax_table *table, char text[CGROUP_TEXT])
{
    struct ax_cgroup *cgroup = table->cgroup;
    bool ready;

    if (cgroup == NULL) {
        snprintf(text, CGROUP_TEXT, "not asked for");
        return false;
    }
    pthread_mutex_lock(&cgroup->lock);
    if (cgroup->state == AX_CGROUP_UNTRIED)
        set_up(cgroup, table, false);
    ready = cgroup->state == AX_CGROUP_READY;
    if (ready)
        snprintf(text, CGROUP_TEXT, "%s", cgroup->path);
    else
        snprintf(text, CGROUP_TEXT, "%s%s%s", cgroup->why, cgroup->error == 0 ? "" : ": ",
                 cgroup->error == 0 ? "" : strerror(cgroup->error));
    pthread_mutex_unlock(&cgroup->lock);
    return ready;
}

/* ax_cgroup_forget - in a process that was just forked, by its only thread: close what the
 * host's table has of it. The cgroups are the parent's. Takes no lock. */
void
ax_cgroup_forget(struct ax_cgroup *cgroup)
{
    for (struct ax_leaf *leaf = cgroup->all; leaf != NULL; leaf = leaf->next_all)
        if (!leaf->private_table)
            close_leaf(leaf);
    if (cgroup->lock_fd >= 0 && !cgroup->lock_private)
        close(cgroup->lock_fd);
    cgroup->lock_fd = -1;
}

/* ax_cgroup_close - no call uses it any more: remove the cgroups. Who is to live on goes on
 * in the cgroup of our process. May be called twice. */
void
ax_cgroup_close(struct ax_cgroup *cgroup)
{
    pthread_mutex_lock(&cgroup->lock);
    if (cgroup->lock_fd >= 0) {
        ax_cgroup_remove(cgroup->path, cgroup->parent_size);
        ax_cgroup_forget(cgroup);
    }
    none(cgroup, "the engine is closed", 0);
    pthread_mutex_unlock(&cgroup->lock);
}

/* ax_cgroup_free - free one that is closed, or another process's (not `ours`). */
void
ax_cgroup_free(struct ax_cgroup *cgroup, bool ours)
{
    while (cgroup->all != NULL) {
        struct ax_leaf *leaf = cgroup->all;

        cgroup->all = leaf->next_all;
        if (!leaf->private_table)
            close_leaf(leaf);
        free(leaf);
    }
    if (ours) /* one that was held at a fork must not be destroyed */
        pthread_mutex_destroy(&cgroup->lock);
    free(cgroup);
}
