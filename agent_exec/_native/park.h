/* park.h - a child that stands still at its exec, and so keeps writers from a file. */
#ifndef AX_PARK_H
#define AX_PARK_H

#include "launch.h"

struct ax_park {
    int program_fd; /* open in the table of the calling thread */
    char **argv, **envp;

    /* Set by ax_park(). */
    pid_t parent;
    volatile int pidfd;
    struct ax_failure failure; /* AX_STEP_TEMPLATE: nobody may trace here */
};

pid_t ax_park(struct ax_park *park, const struct ax_stack *stack);
_Noreturn void ax_parked_main(void *park);

#endif
