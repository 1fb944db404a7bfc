/* cgroup.h - a cgroup v2 for every running call, which nothing that it starts can leave
 * by a new session, a double fork or another environment. */
#ifndef AX_CGROUP_H
#define AX_CGROUP_H

#include "cgroup_bounds.h"
#include "descendants.h"
#include "table.h"

#include <limits.h>

enum { CGROUP_TEXT = PATH_MAX + 128 };

/* The cgroup of one call at a time. */
struct ax_leaf {
    int dir_fd;    /* for clone3(2); at least 3, in the table of its maker */
    int events_fd; /* cgroup.events */
    unsigned number;
    bool keep;          /* survivors of its calls are to live on */
    bool private_table; /* the table is the engine's threads', not the host's */
    bool occupied;      /* somebody was in it when its call had ended */
    bool spent;         /* it is not to be used again */
    struct ax_leaf *next;     /* in `idle` or `occupied` */
    struct ax_leaf *next_all;
};

enum ax_cgroup_state { AX_CGROUP_UNTRIED = 0, AX_CGROUP_READY, AX_CGROUP_NONE };

/* The cgroup of one engine, below that of its process. It holds the leaves and no process. */
struct ax_cgroup {
    pthread_mutex_t lock;
    enum ax_cgroup_state state;
    const char *why; /* AX_CGROUP_NONE: what failed, */
    int error;       /* and its errno, or 0 */
    char path[PATH_MAX];
    size_t parent_size; /* bytes of `path` that are the cgroup of our process */
    int lock_fd;        /* held while we live: flock(2) on `path` */
    bool lock_private;  /* in whose table */
    struct ax_cgroup_bounds bounds; /* of each leaf */
    unsigned next_number, n_leaves, n_refused;
    struct ax_leaf *idle[2][2]; /* by private_table and keep */
    struct ax_leaf *occupied;
    struct ax_leaf *all;
};

struct ax_cgroup *ax_cgroup_new(void);
bool ax_cgroup_ready(const struct ax_table *table, char text[CGROUP_TEXT]);
void ax_cgroup_forget(struct ax_cgroup *cgroup);
void ax_cgroup_close(struct ax_cgroup *cgroup);
void ax_cgroup_free(struct ax_cgroup *cgroup, bool ours);

struct ax_leaf *ax_leaf_take(const struct ax_table *table, bool keep);
bool ax_leaf_is_empty(const struct ax_leaf *leaf);
void ax_leaf_look(const struct ax_table *table, struct ax_leaf *leaf, bool kill,
                  const pid_t *stages, size_t n_stages, struct ax_pids *found);
void ax_leaf_give_back(const struct ax_table *table, struct ax_leaf *leaf, int refused);

#endif
