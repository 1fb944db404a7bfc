/* outcome.h - what became of a task, as Python values. */
#ifndef AX_OUTCOME_H
#define AX_OUTCOME_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "job.h"

/* The values that outcomes are made of: agent_exec.model.outcome. */
struct ax_types {
    PyObject *outcome, *stage_outcome, *captured;
    PyObject *exit, *signal, *timeout, *cancelled; /* members of Ended */
    PyObject *vfork;                               /* member of LauncherName */
};

int ax_types_init(struct ax_types *types);
void ax_types_clear(struct ax_types *types);
PyObject *ax_job_result(const struct ax_types *types, const struct ax_job *job);

#endif
