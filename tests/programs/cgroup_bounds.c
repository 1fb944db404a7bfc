/* cgroup_bounds PATH LEAF PROCESSES MEMORY - limit a leaf as the C core does; print what it says. */
#include "cgroup_bounds.h"

#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
    struct ax_cgroup_bounds bounds = {0};

    if (argc != 5)
        return 2;
    bounds.processes = strtoull(argv[3], NULL, 10);
    bounds.memory = strtoull(argv[4], NULL, 10);
    ax_cgroup_bounds_enable(&bounds, argv[1]);
    printf("%d %d", bounds.has_processes, bounds.has_memory);
    ax_cgroup_bounds_set(&bounds, argv[2]);
    printf(" %d %d\n", bounds.has_processes, bounds.has_memory);
    return 0;
}
