/* glances.c - see glances.h. What policy/eyes.py asks again in Python, in one go. */
#define _GNU_SOURCE
#include "glances.h"
#include "launch.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* policy/eyes.py, Sight */
enum sight { LINK, EXECUTE, STATUS, OWN_STATUS, CONTENT, REAL };

enum { NUMBERS = 6, NO_LINKS = 4 /* RESOLVE_NO_SYMLINKS */ };

/* launch/glances.py, _HEADER; then path and target, each with a NUL, padded to 8 bytes. */
struct glance {
    uint32_t sight;
    uint32_t known; /* 0: the answer was None */
    uint32_t path_size, target_size;
    int64_t numbers[NUMBERS];
};

static int64_t
nanoseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool
is_link_still(const struct glance *glance, const char *path, const char *target)
{
    char now[PATH_MAX];
    ssize_t size = readlink(path, now, sizeof now);

    if (size < 0 || !glance->known)
        return size < 0 && !glance->known;
    return (size_t)size == glance->target_size && memcmp(now, target, (size_t)size) == 0;
}

static bool
is_status_still(const struct glance *glance, const char *path)
{
    struct stat now;
    int flags = glance->sight == OWN_STATUS ? AT_SYMLINK_NOFOLLOW : 0;
    const int64_t *then = glance->numbers;

    if (fstatat(AT_FDCWD, path, &now, flags) < 0)
        return !glance->known;
    if (!glance->known)
        return false;
    if (glance->sight != CONTENT)
        return then[0] == (int64_t)now.st_mode && then[1] == (int64_t)now.st_uid;
    return (uint64_t)then[0] == now.st_dev && (uint64_t)then[1] == now.st_ino &&
           then[2] == (int64_t)now.st_mode && then[3] == now.st_size &&
           then[4] == nanoseconds(now.st_mtim) && then[5] == nanoseconds(now.st_ctim);
}

static bool
is_real_still(const char *path)
{
    struct ax_open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = NO_LINKS};
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

    if (fd < 0)
        return false;
    close((int)fd);
    return true;
}

static bool
is_still_so(const struct glance *glance, const char *path, const char *target)
{
    switch (glance->sight) {
    case LINK:
        return is_link_still(glance, path, target);
    case EXECUTE:
        return (access(path, X_OK) == 0) == (glance->numbers[0] != 0);
    case STATUS:
    case OWN_STATUS:
    case CONTENT:
        return is_status_still(glance, path);
    case REAL:
        return is_real_still(path);
    default:
        return false;
    }
}

/* ax_still_so - does every question have the answer now that it had then?
 *
 * Borrows   `glances`, `size` bytes as launch/glances.py makes them.
 * Ensures   False also for what is not made so.
 * GIL       Not needed.
 */
bool
ax_still_so(const char *glances, size_t size)
{
    size_t at = 0;

    while (at < size) {
        struct glance glance;
        const char *path;
        size_t text;

        if (size - at < sizeof glance)
            return false;
        memcpy(&glance, glances + at, sizeof glance);
        path = glances + at + sizeof glance;
        text = ((size_t)glance.path_size + glance.target_size + 2 + 7) & ~(size_t)7;
        if (size - at - sizeof glance < text || path[glance.path_size] != '\0')
            return false;
        if (!is_still_so(&glance, path, path + glance.path_size + 1))
            return false;
        at += sizeof glance + text;
    }
    return true;
}

/* ax_is_straight - are there only plain names in a path, and no link among what they name?
 *
 * Borrows   `path`, written to meanwhile. Names are looked at from `begin` on, which is where
 *           one begins.
 * Ensures   False also where there are dots or no name; true where a name is of nothing, or of
 *           what cannot be looked at. Beneath nothing there is nothing to ask for.
 * GIL       Not needed.
 */
bool
ax_is_straight(char *path, size_t begin)
{
    char *name = path + begin;
    bool is_there = true;

    for (;;) {
        char *end = strchrnul(name, '/'), after = *end, target;
        size_t size = (size_t)(end - name);

        if (size == 0 || (size == 1 && name[0] == '.') ||
            (size == 2 && name[0] == '.' && name[1] == '.'))
            return false;
        if (is_there) {
            *end = '\0';
            if (readlink(path, &target, 1) >= 0) {
                *end = after;
                return false;
            }
            is_there = errno != ENOENT;
            *end = after;
        }
        if (after == '\0')
            return true;
        name = end + 1;
    }
}
