/* plan.h - plans, as tasks of the engine and stages of a launch. */
#ifndef AX_PLAN_H
#define AX_PLAN_H

#include "engine.h"
#include "names.h"
#include "start.h"

/* A task and the Python objects it borrows from. */
struct ax_py_task {
    struct ax_task task; /* first */
    PyObject *plan, *token, *port;
};

int ax_read_spawn_plan(const struct ax_names *names, PyObject *plan, struct ax_stage *stage);
void ax_stage_clear(struct ax_stage *stage);
struct ax_py_task *ax_task_new(const struct ax_names *names, PyObject *plan);
void ax_task_free(struct ax_py_task *task);

#endif
