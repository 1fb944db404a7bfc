/* identity.c - see identity.h. */
#define _GNU_SOURCE
#include "identity.h"
#include "sys.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ax_credentials_get - the calling thread's credentials.
 *
 * Ensures   0, or -1 and errno (ENOMEM for very many groups).
 * Source    credentials(7), capget(2). setfsuid(2): -1 changes nothing and tells.
 */
int
ax_credentials_get(struct ax_credentials *now)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    gid_t few[64], *groups = few;
    int n;

    memset(now, 0, sizeof *now); /* padding is compared too */
    now->pid = (uint32_t)getpid();
    getresuid(&now->uids[0], &now->uids[1], &now->uids[2]);
    getresgid(&now->gids[0], &now->gids[1], &now->gids[2]);
    now->uids[3] = (uint32_t)setfsuid((uid_t)-1);
    now->gids[3] = (uint32_t)setfsgid((gid_t)-1);
    now->securebits = (uint32_t)prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
    if (syscall(SYS_capget, &header, data) == 0) {
        for (int word = 0; word < 2; word++) {
            now->capabilities[word] = data[word].effective;
            now->capabilities[2 + word] = data[word].permitted;
            now->capabilities[4 + word] = data[word].inheritable;
        }
    }

    n = getgroups(64, few);
    if (n < 0 && errno == EINVAL) {
        n = getgroups(0, NULL);
        groups = n > 0 ? malloc((size_t)n * sizeof *groups) : NULL;
        if (groups == NULL) {
            errno = ENOMEM;
            return -1;
        }
        n = getgroups(n, groups);
    }
    now->n_groups = n > 0 ? (uint32_t)n : 0;
    now->groups = 0xcbf29ce484222325u;
    for (int i = 0; i < n; i++)
        now->groups = (now->groups ^ groups[i]) * 0x100000001b3u;
    if (groups != few)
        free(groups);
    return 0;
}

static bool
same_file(const struct ax_identity *known, const struct stat *now)
{
    return (uint64_t)now->st_dev == known->dev && (uint64_t)now->st_ino == known->ino &&
           (uint64_t)now->st_size == known->size && now->st_mode == known->mode &&
           now->st_uid == known->uid && now->st_gid == known->gid &&
           now->st_ctim.tv_sec * INT64_C(1000000000) + now->st_ctim.tv_nsec ==
               known->ctime_ns &&
           now->st_mtim.tv_sec * INT64_C(1000000000) + now->st_mtim.tv_nsec ==
               known->mtime_ns;
}

/* ax_template_check - may this template be launched from, here and now?
 *
 * Borrows   launch->program_fd, open in the calling thread's table.
 * Ensures   No failure; EACCES: made by another process or with other credentials;
 *           ESTALE: the path or the descriptor is not the file it was, for whatever
 *           reason (the RFC makes no difference).
 */
struct ax_failure
ax_template_check(const struct ax_launch *launch, const char *maker, size_t maker_size,
                  const struct ax_credentials *now)
{
    struct ax_failure failure = {.step = AX_STEP_NONE, .action = -1};
    struct stat status;

    if (maker_size != sizeof *now || memcmp(maker, now, sizeof *now) != 0) {
        failure.step = AX_STEP_TEMPLATE;
        failure.error = EACCES;
    } else if ((launch->path != NULL && (stat(launch->path, &status) < 0 ||
                                         !same_file(&launch->identity, &status))) ||
               fstat(launch->program_fd, &status) < 0 ||
               !same_file(&launch->identity, &status)) {
        failure.step = AX_STEP_TEMPLATE;
        failure.error = ESTALE;
    }
    return failure;
}
