/* plan.h - plans and outcomes, between Python and C. */
#ifndef AX_PLAN_H
#define AX_PLAN_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "engine.h"
#include "start.h"

/* The attributes that plans are read by and outcomes written; interned once per
 * interpreter. */
#define AX_NAMES(name)                                                                     \
    name(actions) name(arg) name(argv) name(cap) name(credentials) name(ctime_ns)          \
    name(dev) name(die_with_parent) name(drain_s) name(envp) name(executable) name(fd)     \
    name(flags) name(gid) name(grace_s) name(head_bytes) name(identity) name(inherit_fds)  \
    name(ino) name(limits) name(mark) name(mode) name(mtime_ns) name(newfd) name(path)     \
    name(reset_signals) name(resolve) name(script) name(session) name(size) name(stages)   \
    name(stderr) name(stderr_spill) name(stdin) name(stdout) name(stdout_spill)            \
    name(survivors) name(tail_bytes) name(timeout_s) name(type) name(uid)                  \
    name(dropped) name(duration_s) name(ended) name(exit_code) name(head) name(launcher)   \
    name(max_rss_kib) name(pid) name(pipe_held) name(signal) name(spill_errno)             \
    name(spilled) name(contained) name(system_s) name(tail) name(unreaped) name(user_s)

struct ax_names {
#define AX_NAME(name) PyObject *name##_;
    AX_NAMES(AX_NAME)
#undef AX_NAME
};

/* The values that outcomes are made of: agent_exec.model.outcome. */
struct ax_types {
    PyObject *outcome, *stage_outcome, *captured;
    PyObject *exit, *signal, *timeout, *cancelled; /* members of Ended */
    PyObject *vfork;                               /* member of LauncherName */
};

/* A task and the Python objects it borrows from. */
struct ax_py_task {
    struct ax_task task; /* first */
    PyObject *plan, *token, *port;
};

int ax_names_init(struct ax_names *names);
void ax_names_clear(struct ax_names *names);
int ax_read_spawn_plan(const struct ax_names *names, PyObject *plan, struct ax_stage *stage);
void ax_stage_clear(struct ax_stage *stage);
struct ax_py_task *ax_task_new(const struct ax_names *names, PyObject *plan);
void ax_task_free(struct ax_py_task *task);
int ax_types_init(struct ax_types *types);
void ax_types_clear(struct ax_types *types);
PyObject *ax_task_result(const struct ax_names *names, const struct ax_types *types,
                         const struct ax_py_task *task);

#endif
