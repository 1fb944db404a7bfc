/* cgroup_tree.h - find, list, end and remove cgroups by their paths. */
#ifndef AX_CGROUP_TREE_H
#define AX_CGROUP_TREE_H

#include "descendants.h"

#define CGROUP_PREFIX "agent_exec-"
#define CGROUP_KILL "kill"
#define CGROUP_KEEP "keep"

const char *ax_cgroup_find_own(char *path, size_t size);
void ax_cgroup_list(const char *path, const pid_t *except, size_t n_except,
                    struct ax_pids *found);
void ax_cgroup_kill(const char *path, const struct ax_pids *members);
bool ax_cgroup_remove_empty(const char *path);
void ax_cgroup_remove(const char *path, size_t parent_size);
void ax_cgroup_sweep(const char *parent);

#endif
