/* folder.c - see folder.h. */
#define _GNU_SOURCE
#include "folder.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* struct linux_dirent64, without the name. */
struct entry {
    uint64_t ino;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

/* Does a directory that was just opened hold nothing? 1, 0, or -errno. */
static int
holds_nothing(int fd)
{
    _Alignas(struct entry) char entries[512];
    long size;

    while ((size = syscall(SYS_getdents64, fd, entries, sizeof entries)) > 0) {
        for (long at = 0; at < size;) {
            const struct entry *entry = (const struct entry *)(const void *)(entries + at);

            if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0)
                return 0;
            at += entry->size;
        }
    }
    return size == 0 ? 1 : -errno;
}

/* ax_folder_is_empty - is it a directory of that mode, with nothing in it?
 *
 * A link in the place of the directory is not followed, and none.
 *
 * Ensures   1, 0, or -errno: ENOTDIR for a link, EMFILE. No descriptor is left.
 * GIL       Not needed.
 * Source    getdents64(2): a first entry that is too long for the buffer is EINVAL; names have at
 *           most 255 bytes.
 */
int
ax_folder_is_empty(const char *path, mode_t mode)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    int result;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        result = -errno;
    else
        result = (status.st_mode & 07777) == mode ? holds_nothing(fd) : 0;
    close(fd);
    return result;
}
