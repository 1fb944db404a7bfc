/* cgroup_bounds.h - how many processes, and how much memory, all of a call may have. */
#ifndef AX_CGROUP_BOUNDS_H
#define AX_CGROUP_BOUNDS_H

#include <stdbool.h>
#include <stdint.h>

struct ax_cgroup_bounds {
    uint64_t processes, memory; /* threads, and bytes; 0: no limit is wanted */
    bool has_processes, has_memory;
};

void ax_cgroup_bounds_enable(struct ax_cgroup_bounds *bounds, const char *path);
void ax_cgroup_bounds_set(struct ax_cgroup_bounds *bounds, const char *leaf);

#endif
