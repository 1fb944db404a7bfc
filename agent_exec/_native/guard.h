/* guard.h - the guardian of an engine: see guardian.c. */
#ifndef AX_GUARD_H
#define AX_GUARD_H

#include "job.h"

enum ax_guard_state { AX_GUARD_UNTRIED = 0, AX_GUARD_STARTING, AX_GUARD_THERE, AX_GUARD_NONE };

struct ax_guard {
    atomic_int state;
    char *image;       /* path of this extension module, or NULL: no guardian */
    int error;         /* errno of AX_GUARD_NONE */
    pid_t pid;
    unsigned long long start; /* with the pid, who it is */
};

bool ax_guard_is_due(const struct ax_guard *guard, const struct ax_job *job,
                     const struct ax_cgroup *cgroup);
void ax_guard_call(struct ax_guard *guard, const struct ax_job *job,
                   const struct ax_stack *stack);
void ax_guard_dismiss(struct ax_guard *guard);

#endif
