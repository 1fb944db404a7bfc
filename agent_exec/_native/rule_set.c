/* rule_set.c - see rule_set.h. */
#define _GNU_SOURCE
#include "rule_set.h"
#include "launch.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BENEATH = 1 /* LANDLOCK_RULE_PATH_BENEATH */, NO_LINKS = 4 /* RESOLVE_NO_SYMLINKS */ };

/* Then the path with its NUL, padded to 8 bytes. */
struct rule {
    uint64_t access;
    uint64_t path_size;
};

/* struct landlock_path_beneath_attr */
struct beneath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

/* The path of the rule at the beginning of `rules`; NULL: it is not made so. */
static const char *
read_rule(const char *rules, size_t size, struct rule *rule, size_t *whole)
{
    const char *path = rules + sizeof *rule;
    size_t left;

    if (size < sizeof *rule)
        return NULL;
    memcpy(rule, rules, sizeof *rule);
    left = size - sizeof *rule;
    if (rule->path_size >= left || strnlen(path, left) != rule->path_size)
        return NULL;
    *whole = sizeof *rule + ((rule->path_size + 1 + 7) & ~(size_t)7);
    return *whole <= size ? path : NULL;
}

/* ax_rules_count - how many rules there are.
 *
 * Borrows   `rules`, `size` bytes.
 * Ensures   -1 for what is not made as sandbox/landlock.py makes it: a path that holds a NUL, or
 *           ends beyond.
 * GIL       Not needed.
 */
ssize_t
ax_rules_count(const char *rules, size_t size)
{
    ssize_t count = 0;
    struct rule rule;

    for (size_t at = 0, whole; at < size; at += whole, count++)
        if (read_rule(rules + at, size - at, &rule, &whole) == NULL)
            return -1;
    return count;
}

/* A path that is not there, or no longer what was looked at, gives nothing. */
static bool
is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EACCES ||
           error == ENAMETOOLONG;
}

static int
allow(int rule_set, int fd, uint64_t access)
{
    const struct beneath beneath = {.access = access, .fd = fd};

    return syscall(SYS_landlock_add_rule, rule_set, PATH_BENEATH, &beneath, 0) < 0 ? errno : 0;
}

/* Give `access` to what `fd` is and to all beneath. 0 and what it is, or errno. */
static int
allow_here(int rule_set, int fd, uint64_t access, uint64_t of_files, struct ax_place *place)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return errno;
    *place = (struct ax_place){1, status.st_dev, status.st_ino};
    if (!S_ISDIR(status.st_mode))
        access &= of_files;
    return access == 0 ? 0 : allow(rule_set, fd, access);
}

static int
allow_path(int rule_set, const char *path, uint64_t access, uint64_t of_files,
           struct ax_place *place)
{
    const struct ax_open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = NO_LINKS};
    int fd, error;

    do {
        fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        *place = (struct ax_place){0, 0, 0};
        return is_gone(errno) ? 0 : errno;
    }
    error = allow_here(rule_set, fd, access, of_files, place);
    close(fd);
    return error;
}

static int
fill(int rule_set, const struct ax_rules *wanted, struct ax_place *places)
{
    uint64_t withheld = 0;
    struct rule rule;
    int error = 0;

    if (wanted->attribute_size < sizeof withheld)
        return EINVAL;
    memcpy(&withheld, wanted->attribute, sizeof withheld);
    for (size_t at = 0, whole; error == 0 && at < wanted->rules_size; at += whole) {
        const char *path = read_rule(wanted->rules + at, wanted->rules_size - at, &rule, &whole);

        if (path == NULL)
            return EINVAL;
        error = allow_path(rule_set, path, rule.access & withheld, wanted->of_files, places++);
    }
    if (error == 0 && wanted->pinned >= 0)
        error = allow(rule_set, wanted->pinned, wanted->pinned_access);
    return error;
}

/* ax_rule_set_make - a rule set that withholds what its attribute says, but for its rules.
 *
 * In no path a link is followed. What is no directory gets of its access what may be said of
 * files. A path that is not there, or cannot be reached, gives nothing.
 *
 * Borrows   `wanted` and what it points to; `pinned` is open.
 * Requires  A place for every rule, as ax_rules_count counts them.
 * Owns      The descriptor that it gives, which is close-on-exec, is the caller's.
 * Ensures   The descriptor and what each path was, or -errno and no descriptor: EMFILE, ENFILE,
 *           ENOMEM; EBADFD, where no rule may be about the pinned file; EOPNOTSUPP, ENOSYS
 *           without Landlock; EINVAL.
 * GIL       Not needed.
 * Source    landlock(7), landlock_add_rule(2), openat2(2).
 */
int
ax_rule_set_make(const struct ax_rules *wanted, struct ax_place *places)
{
    int fd = (int)syscall(SYS_landlock_create_ruleset, wanted->attribute,
                          wanted->attribute_size, 0);
    int error;

    if (fd < 0)
        return -errno;
    error = fill(fd, wanted, places);
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

/* ax_rules_hold - do the paths of rules name what they named?
 *
 * Only the last part of a path may be a link to be noticed; that names nothing.
 *
 * Borrows   `rules`, `size` bytes, and a place for each of them.
 * Requires  As many places as ax_rules_count counts.
 * GIL       Not needed.
 */
bool
ax_rules_hold(const char *rules, size_t size, const struct ax_place *places)
{
    struct rule rule;

    for (size_t at = 0, whole; at < size; at += whole, places++) {
        const char *path = read_rule(rules + at, size - at, &rule, &whole);
        struct stat now;
        bool there;

        if (path == NULL)
            return false;
        there = fstatat(AT_FDCWD, path, &now, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(now.st_mode);
        if (there != (places->there != 0))
            return false;
        if (there && (now.st_dev != places->dev || now.st_ino != places->ino))
            return false;
    }
    return true;
}
