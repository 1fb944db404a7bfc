/* cgroup_bounds.c - see cgroup_bounds.h.
 *
 * A cgroup has the files of a controller where the cgroup above it hands that on. Ours holds no
 * process, so it may hand on to its leaves what it has itself; what the cgroup above ours does is
 * left as it is.
 *
 * Source: Documentation/admin-guide/cgroup-v2.rst, "Controllers".
 */
#define _GNU_SOURCE
#include "cgroup_bounds.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TEXT = 512 };

static int
open_in(const char *folder, const char *name, int flags)
{
    char path[PATH_MAX + 32];

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return -1;
    return open(path, flags | O_CLOEXEC);
}

static bool
write_to(const char *folder, const char *name, const char *text)
{
    int fd = open_in(folder, name, O_WRONLY);
    size_t size = strlen(text);
    bool written;

    if (fd < 0)
        return false;
    written = write(fd, text, size) == (ssize_t)size;
    return close(fd) == 0 && written;
}

static bool
write_number(const char *folder, const char *name, uint64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return write_to(folder, name, text);
}

/* Is the word among those of the file? */
static bool
lists(const char *folder, const char *name, const char *word)
{
    char text[MOST_TEXT] = "", *rest = text, *found;
    int fd = open_in(folder, name, O_RDONLY);

    if (fd < 0)
        return false;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    while ((found = strsep(&rest, " \n")) != NULL)
        if (strcmp(found, word) == 0)
            return true;
    return false;
}

static bool
hand_on(const char *path, const char *controller)
{
    char text[32];

    if (lists(path, "cgroup.subtree_control", controller))
        return true;
    snprintf(text, sizeof text, "+%s", controller);
    return lists(path, "cgroup.controllers", controller) &&
           write_to(path, "cgroup.subtree_control", text);
}

/* ax_cgroup_bounds_enable - have the leaves of the cgroup at `path` limited, where they can be.
 *
 * Requires  No process is in it.
 * Ensures   has_processes and has_memory say what will be.
 */
void
ax_cgroup_bounds_enable(struct ax_cgroup_bounds *bounds, const char *path)
{
    bounds->has_processes = bounds->processes != 0 && hand_on(path, "pids");
    bounds->has_memory = bounds->memory != 0 && hand_on(path, "memory");
}

/* ax_cgroup_bounds_set - limit one leaf. Where that fails it says so in `bounds`; the limits that
 * every process of a call sets for itself are there all the same.
 *
 * Ensures   A call that has no memory left is killed as a whole, and does not swap instead.
 */
void
ax_cgroup_bounds_set(struct ax_cgroup_bounds *bounds, const char *leaf)
{
    if (bounds->has_processes)
        bounds->has_processes = write_number(leaf, "pids.max", bounds->processes);
    if (!bounds->has_memory)
        return;
    bounds->has_memory = write_number(leaf, "memory.max", bounds->memory) &&
                         write_to(leaf, "memory.oom.group", "1");
    (void)write_to(leaf, "memory.swap.max", "0"); /* absent where swap is not accounted */
}
