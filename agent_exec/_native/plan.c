/* plan.c - see plan.h. Everything here runs with the interpreter lock. */
#include "plan.h"
#include "confinement.h"
#include "values.h"

#include <string.h>

static int
read_signals(PyObject *set, uint64_t *signals)
{
    PyObject *iterator = PyObject_GetIter(set);
    PyObject *item;

    *signals = 0;
    if (iterator == NULL)
        return -1;
    while ((item = PyIter_Next(iterator)) != NULL) {
        long signum = PyLong_AsLong(item);

        Py_DECREF(item);
        if (signum >= 1 && signum <= 64) {
            *signals |= (uint64_t)1 << (signum - 1);
        } else if (!PyErr_Occurred()) {
            PyErr_Format(PyExc_ValueError, "%ld is not a signal", signum);
            break;
        }
    }
    Py_DECREF(iterator);
    return PyErr_Occurred() ? -1 : 0;
}

static int
read_open(const struct ax_names *names, PyObject *how, struct ax_action *action)
{
    Py_ssize_t size;

    if (ax_read_bytes(how, names->path_, &action->path, &size) < 0 ||
        ax_read_unsigned(how, names->flags_, &action->how.flags) < 0 ||
        ax_read_unsigned(how, names->mode_, &action->how.mode) < 0 ||
        ax_read_unsigned(how, names->resolve_, &action->how.resolve) < 0)
        return -1;
    if (action->path == NULL || strlen(action->path) != (size_t)size) {
        PyErr_SetString(PyExc_ValueError, "the path of an OPEN is None or holds a NUL");
        return -1;
    }
    return 0;
}

static int
read_action(const struct ax_names *names, PyObject *object, struct ax_action *action)
{
    int type, flags, result = 0;
    PyObject *arg;

    memset(action, 0, sizeof *action);
    if (ax_read_int(object, names->type_, &type) < 0 ||
        ax_read_int(object, names->flags_, &flags) < 0 ||
        ax_read_int(object, names->fd_, &action->host_fd) < 0 ||
        ax_read_int(object, names->newfd_, &action->newfd) < 0)
        return -1;
    action->type = (uint32_t)type;
    action->flags = (uint32_t)flags;
    action->fd = action->host_fd;
    if (type != AX_OPEN && type != AX_SIGMASK && type != AX_SIGDEFAULT)
        return 0;
    arg = PyObject_GetAttr(object, names->arg_);
    if (arg == NULL)
        return -1;
    result = type == AX_OPEN ? read_open(names, arg, action) : read_signals(arg, &action->signals);
    Py_DECREF(arg);
    return result;
}

static int
read_actions(const struct ax_names *names, PyObject *plan, struct ax_launch *launch)
{
    PyObject *tuple = PyObject_GetAttr(plan, names->actions_);
    Py_ssize_t n = tuple == NULL ? -1 : PyTuple_Size(tuple);
    int result = n < 0 ? -1 : 0;

    if (n > 0) {
        launch->actions = PyMem_Malloc((size_t)n * sizeof *launch->actions);
        if (launch->actions == NULL) {
            PyErr_NoMemory();
            result = -1;
        }
    }
    for (Py_ssize_t i = 0; result == 0 && i < n; i++) {
        result = read_action(names, PyTuple_GetItem(tuple, i), &launch->actions[i]);
        launch->n_actions = (size_t)i + 1;
    }
    Py_XDECREF(tuple);
    return result;
}

static int
read_identity(const struct ax_names *names, PyObject *executable, struct ax_identity *identity)
{
    PyObject *object = PyObject_GetAttr(executable, names->identity_);
    uint64_t mode, uid, gid;
    long long ctime, mtime;
    int result = -1;

    if (object == NULL)
        return -1;
    if (ax_read_unsigned(object, names->dev_, &identity->dev) == 0 &&
        ax_read_unsigned(object, names->ino_, &identity->ino) == 0 &&
        ax_read_unsigned(object, names->size_, &identity->size) == 0 &&
        ax_read_unsigned(object, names->mode_, &mode) == 0 &&
        ax_read_unsigned(object, names->uid_, &uid) == 0 &&
        ax_read_unsigned(object, names->gid_, &gid) == 0 &&
        ax_read_signed(object, names->ctime_ns_, &ctime) == 0 &&
        ax_read_signed(object, names->mtime_ns_, &mtime) == 0) {
        identity->mode = (uint32_t)mode;
        identity->uid = (uint32_t)uid;
        identity->gid = (uint32_t)gid;
        identity->ctime_ns = ctime;
        identity->mtime_ns = mtime;
        result = 0;
    }
    Py_DECREF(object);
    return result;
}

static int
read_executable(const struct ax_names *names, PyObject *plan, struct ax_stage *stage)
{
    PyObject *executable = PyObject_GetAttr(plan, names->executable_);
    struct ax_launch *launch = &stage->launch;
    const char *maker = NULL;
    unsigned script = 0;
    Py_ssize_t size;
    int result = -1;

    if (executable == NULL)
        return -1;
    if (ax_read_int(executable, names->fd_, &stage->host_program_fd) == 0 &&
        ax_read_bytes(executable, names->path_, &launch->path, &size) == 0 &&
        ax_read_bytes(executable, names->called_, &launch->called, &size) == 0 &&
        ax_read_flag(executable, names->script_, 1, &script) == 0 &&
        read_identity(names, executable, &launch->identity) == 0 &&
        ax_read_bytes(executable, names->credentials_, &maker, &size) == 0) {
        launch->program_fd = stage->host_program_fd;
        launch->script = script != 0;
        stage->maker = maker;
        stage->maker_size = (size_t)size;
        result = 0;
    }
    Py_DECREF(executable); /* the plan holds it */
    return result;
}

/* ax_read_spawn_plan - a SpawnPlan as a stage that has not started.
 *
 * Borrows   The plan, and with it all bytes, until ax_stage_clear().
 * Ensures   0; or -1 and a Python exception. The stage may be cleared either way.
 */
int
ax_read_spawn_plan(const struct ax_names *names, PyObject *plan, struct ax_stage *stage)
{
    struct ax_launch *launch = &stage->launch;

    memset(stage, 0, sizeof *stage);
    stage->pidfd = -1;
    launch->pidfd = -1;
    for (int i = 0; i < 3; i++)
        launch->stdio[i] = -1;
    if (read_executable(names, plan, stage) < 0 ||
        read_actions(names, plan, launch) < 0 ||
        ax_read_flag(plan, names->inherit_fds_, AX_INHERIT_FDS, &launch->flags) < 0 ||
        ax_read_flag(plan, names->session_, AX_SESSION, &launch->flags) < 0 ||
        ax_read_flag(plan, names->reset_signals_, AX_RESET_SIGNALS, &launch->flags) < 0 ||
        ax_read_flag(plan, names->die_with_parent_, AX_DIE_WITH_PARENT, &launch->flags) < 0 ||
        ax_read_confinement(names, plan, launch) < 0)
        return -1;
    launch->argv = ax_read_words(plan, names->argv_);
    if (launch->argv == NULL)
        return -1;
    launch->envp = ax_read_words(plan, names->envp_);
    return launch->envp == NULL ? -1 : 0;
}

void
ax_stage_clear(struct ax_stage *stage)
{
    PyMem_Free(stage->launch.argv);
    PyMem_Free(stage->launch.envp);
    PyMem_Free(stage->launch.actions);
    ax_confinement_clear(&stage->launch.confinement);
    stage->launch.argv = stage->launch.envp = NULL;
    stage->launch.actions = NULL;
}

static int
read_end(PyObject *plan, PyObject *name, int *to)
{
    PyObject *end = PyObject_GetAttr(plan, name);
    int result = -1;

    if (end == NULL)
        return -1;
    if (PyUnicode_Check(end)) {
        *to = PyUnicode_CompareWithASCIIString(end, "null") == 0 ? AX_FROM_NULL : AX_FROM_PIPE;
        if (*to == AX_FROM_NULL || PyUnicode_CompareWithASCIIString(end, "capture") == 0)
            result = 0;
        else
            PyErr_Format(PyExc_ValueError, "%R is no end of a pipe", end);
    } else {
        long fd = PyLong_AsLong(end);

        *to = (int)fd;
        if (!PyErr_Occurred() && (fd < 0 || fd > INT32_MAX))
            PyErr_Format(PyExc_ValueError, "%ld is not a descriptor", fd);
        result = PyErr_Occurred() ? -1 : 0;
    }
    Py_DECREF(end);
    return result;
}

static int
read_input(const struct ax_names *names, PyObject *plan, struct ax_job *job)
{
    PyObject *input = PyObject_GetAttr(plan, names->stdin_);
    int is_bytes = input == NULL ? -1 : PyBytes_Check(input);
    Py_ssize_t size;

    Py_XDECREF(input);
    if (is_bytes < 0)
        return -1;
    if (!is_bytes) {
        if (read_end(plan, names->stdin_, &job->input_from) < 0)
            return -1;
        if (job->input_from != AX_FROM_PIPE)
            return 0;
        PyErr_SetString(PyExc_ValueError, "stdin cannot be captured");
        return -1;
    }
    job->input_from = AX_FROM_PIPE;
    if (ax_read_bytes(plan, names->stdin_, &job->input, &size) < 0)
        return -1;
    job->input_size = (size_t)size;
    return 0;
}

static int
read_stream(const struct ax_names *names, PyObject *plan, PyObject *to, PyObject *spill,
            struct ax_stream *stream)
{
    PyObject *where;
    int result = 0;

    if (read_end(plan, to, &stream->to) < 0)
        return -1;
    where = PyObject_GetAttr(plan, spill);
    if (where == NULL)
        return -1;
    if (where != Py_None &&
        (ax_read_int(where, names->fd_, &stream->spill_to) < 0 ||
         ax_read_unsigned(where, names->cap_, &stream->capture.spill_cap) < 0))
        result = -1;
    Py_DECREF(where);
    return result;
}

static int
read_limits(const struct ax_names *names, PyObject *plan, struct ax_job *job)
{
    PyObject *limits = PyObject_GetAttr(plan, names->limits_);
    uint64_t head, tail;
    int result = -1;

    if (limits == NULL)
        return -1;
    if (ax_read_seconds(limits, names->timeout_s_, &job->timeout) == 0 &&
        ax_read_seconds(limits, names->grace_s_, &job->grace) == 0 &&
        ax_read_seconds(limits, names->drain_s_, &job->drain) == 0 &&
        ax_read_unsigned(limits, names->head_bytes_, &head) == 0 &&
        ax_read_unsigned(limits, names->tail_bytes_, &tail) == 0) {
        for (int i = 0; i < 2; i++) {
            job->streams[i].capture.head_limit = head;
            job->streams[i].capture.tail_limit = tail;
        }
        result = 0;
    }
    Py_DECREF(limits);
    return result;
}

static int
read_survivors(const struct ax_names *names, PyObject *plan, struct ax_job *job)
{
    PyObject *survivors = PyObject_GetAttr(plan, names->survivors_);

    if (survivors == NULL)
        return -1;
    job->keep_survivors = PyUnicode_Check(survivors) &&
                          PyUnicode_CompareWithASCIIString(survivors, "keep") == 0;
    Py_DECREF(survivors);
    return 0;
}

static int
read_stages(const struct ax_names *names, PyObject *plan, struct ax_job *job)
{
    PyObject *stages = PyObject_GetAttr(plan, names->stages_);
    Py_ssize_t n = stages == NULL ? -1 : PyTuple_Size(stages);
    int result = n < 0 ? -1 : 0;

    if (result == 0 && (n == 0 || n > AX_MOST_STAGES)) {
        PyErr_Format(PyExc_ValueError, "a call has 1 to %d stages", AX_MOST_STAGES);
        result = -1;
    }
    if (result == 0) {
        job->stages = PyMem_Calloc((size_t)n, sizeof *job->stages);
        if (job->stages == NULL) {
            PyErr_NoMemory();
            result = -1;
        }
    }
    for (Py_ssize_t i = 0; result == 0 && i < n; i++) {
        struct ax_stage *stage = &job->stages[i];

        job->n_stages = (size_t)i + 1;
        result = ax_read_spawn_plan(names, PyTuple_GetItem(stages, i), stage);
        stage->launch.program_fd = -1; /* borrowed when the stage starts */
        stage->host_ruleset_fd = stage->launch.confinement.ruleset_fd;
        stage->launch.confinement.ruleset_fd = -1;
        for (size_t action = 0; action < stage->launch.n_actions; action++)
            if (ax_action_has_source(&stage->launch.actions[action]))
                stage->launch.actions[action].fd = -1;
    }
    Py_XDECREF(stages);
    return result;
}

/* ax_task_new - a CallPlan as a task.
 *
 * Owns      The caller: ax_task_free(). The task holds the plan.
 * Ensures   The task, or NULL and a Python exception.
 */
struct ax_py_task *
ax_task_new(const struct ax_names *names, PyObject *plan)
{
    struct ax_py_task *task = PyMem_Calloc(1, sizeof *task);
    const char *mark;
    Py_ssize_t mark_size;

    if (task == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    ax_job_init(&task->task.job);
    task->plan = Py_NewRef(plan);
    if (read_stages(names, plan, &task->task.job) < 0 ||
        read_input(names, plan, &task->task.job) < 0 ||
        read_limits(names, plan, &task->task.job) < 0 ||
        read_stream(names, plan, names->stdout_, names->stdout_spill_,
                    &task->task.job.streams[0]) < 0 ||
        read_stream(names, plan, names->stderr_, names->stderr_spill_,
                    &task->task.job.streams[1]) < 0 ||
        read_survivors(names, plan, &task->task.job) < 0 ||
        ax_read_bytes(plan, names->mark_, &mark, &mark_size) < 0) {
        ax_task_free(task);
        return NULL;
    }
    if (mark_size > 0) {
        task->task.job.mark = mark;
        task->task.job.mark_size = (size_t)mark_size;
    }
    return task;
}

void
ax_task_free(struct ax_py_task *task)
{
    struct ax_job *job = &task->task.job;

    for (size_t i = 0; i < job->n_stages; i++)
        ax_stage_clear(&job->stages[i]);
    PyMem_Free(job->stages);
    ax_job_clear(job);
    Py_XDECREF(task->plan);
    Py_XDECREF(task->token);
    Py_XDECREF(task->port);
    PyMem_Free(task);
}
