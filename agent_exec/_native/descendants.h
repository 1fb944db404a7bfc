/* descendants.h - find the processes that a call has left behind. */
#ifndef AX_DESCENDANTS_H
#define AX_DESCENDANTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ax_pids {
    pid_t *pids;
    size_t n, room;
};

enum { RECENT = 256 };

/* The children that we made ourselves lately, so that they are not taken for descendants. */
struct ax_recent {
    pthread_mutex_t lock;
    volatile pid_t ring[RECENT]; /* 0: not known yet */
    size_t count;
};

struct ax_hunt {
    int loadavg;                 /* /proc/loadavg, or -1 */
    pid_t first;                 /* of the first stage: descendants have higher numbers */
    const pid_t *leaders;        /* stages whose zombies hold their sessions and groups */
    size_t n_leaders;
    const char *mark;            /* "NAME=value" in the environment, or NULL */
    size_t mark_size;
    uint64_t age;                /* ns since the first stage was started */
    struct ax_recent *recent;
    int *pauses; /* made so far; ax_hunt() keeps count */
};

bool ax_pids_add(struct ax_pids *pids, pid_t pid);
bool ax_process_start(pid_t pid, unsigned long long *start);
volatile pid_t *ax_recent_reserve(struct ax_recent *recent);
void ax_hunt(const struct ax_hunt *hunt, bool kill, struct ax_pids *found);

#endif
