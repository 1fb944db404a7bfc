/* outcome.c - see outcome.h. With the interpreter lock. */
#include "outcome.h"

/* ax_types_init - import what outcomes are made of.
 *
 * Ensures   0, once they are there: with the first engine, for whoever only asks whether
 *           children can be spawned needs none; or -1 and an exception.
 * GIL       Held. The import lets it go, so another thread may be quicker.
 */
int
ax_types_init(struct ax_types *types)
{
    struct ax_types found = {0};
    PyObject *module, *ended = NULL, *launcher = NULL;
    bool whole = false;

    if (types->vfork != NULL)
        return 0;
    module = PyImport_ImportModule("agent_exec.model.outcome");
    if (module == NULL)
        return -1;
    ended = PyObject_GetAttrString(module, "Ended");
    launcher = PyObject_GetAttrString(module, "LauncherName");
    whole = ended != NULL && launcher != NULL &&
            (found.outcome = PyObject_GetAttrString(module, "Outcome")) != NULL &&
            (found.stage_outcome = PyObject_GetAttrString(module, "StageOutcome")) != NULL &&
            (found.captured = PyObject_GetAttrString(module, "Captured")) != NULL &&
            (found.exit = PyObject_GetAttrString(ended, "EXIT")) != NULL &&
            (found.signal = PyObject_GetAttrString(ended, "SIGNAL")) != NULL &&
            (found.timeout = PyObject_GetAttrString(ended, "TIMEOUT")) != NULL &&
            (found.cancelled = PyObject_GetAttrString(ended, "CANCELLED")) != NULL &&
            (found.vfork = PyObject_GetAttrString(launcher, "VFORK")) != NULL;
    Py_XDECREF(ended);
    Py_XDECREF(launcher);
    Py_DECREF(module);
    if (whole && types->vfork == NULL)
        *types = found;
    else
        ax_types_clear(&found);
    return whole ? 0 : -1;
}

void
ax_types_clear(struct ax_types *types)
{
    Py_CLEAR(types->outcome);
    Py_CLEAR(types->stage_outcome);
    Py_CLEAR(types->captured);
    Py_CLEAR(types->exit);
    Py_CLEAR(types->signal);
    Py_CLEAR(types->timeout);
    Py_CLEAR(types->cancelled);
    Py_CLEAR(types->vfork);
}

struct field {
    PyObject *name, *value; /* value: a new reference, or NULL and an exception */
};

/* A `Frozen` from its fields. object.__setattr__ is what its own __init__ uses;
 * from here it costs a tenth, which a short call can tell. Takes the values. */
static PyObject *
make(PyObject *type, const struct field *fields, size_t n)
{
    PyObject *object = PyType_GenericAlloc((PyTypeObject *)type, 0);

    for (size_t i = 0; i < n; i++) {
        if (object != NULL && (fields[i].value == NULL ||
                               PyObject_GenericSetAttr(object, fields[i].name,
                                                       fields[i].value) < 0))
            Py_CLEAR(object);
        Py_XDECREF(fields[i].value);
    }
    return object;
}

#define MAKE(type, ...)                                                                 \
    make(type, (const struct field[])__VA_ARGS__,                                       \
         sizeof((const struct field[])__VA_ARGS__) / sizeof(struct field))

static double
seconds(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static PyObject *
number_if(bool known, int value)
{
    return known ? PyLong_FromLong(value) : Py_NewRef(Py_None);
}

static PyObject *
stage_result(const struct ax_names *names, const struct ax_types *types,
             const struct ax_stage *stage)
{
    return MAKE(types->stage_outcome,
                {
                    {names->pid_, PyLong_FromLong(stage->pid)},
                    {names->exit_code_, number_if(stage->end == AX_EXITED, stage->value)},
                    {names->signal_, number_if(stage->end == AX_SIGNALLED, stage->value)},
                    {names->user_s_, PyFloat_FromDouble(seconds(&stage->usage.ru_utime))},
                    {names->system_s_, PyFloat_FromDouble(seconds(&stage->usage.ru_stime))},
                    {names->max_rss_kib_, PyLong_FromLong(stage->usage.ru_maxrss)},
                });
}

static PyObject *
capture_result(const struct ax_names *names, const struct ax_types *types,
               const struct ax_capture *capture)
{
    PyObject *tail = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)capture->tail_size);

    if (tail != NULL && capture->tail_size > 0)
        ax_capture_copy_tail(capture, PyBytes_AsString(tail));
    return MAKE(types->captured,
                {
                    {names->head_, PyBytes_FromStringAndSize(capture->head,
                                                             (Py_ssize_t)capture->head_size)},
                    {names->tail_, tail},
                    {names->dropped_, PyLong_FromUnsignedLongLong(capture->dropped)},
                    {names->spilled_, PyLong_FromUnsignedLongLong(capture->spilled)},
                    {names->spill_errno_, PyLong_FromLong(capture->spill_error)},
                });
}

static PyObject *
pids_result(const pid_t *pids, size_t n)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)n);

    for (size_t i = 0; tuple != NULL && i < n; i++) {
        PyObject *pid = PyLong_FromLong(pids[i]);

        if (pid == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, pid) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* Stages that outlived SIGKILL. */
static PyObject *
unreaped_result(const struct ax_job *job)
{
    struct ax_pids unreaped = {0};
    PyObject *result;

    for (size_t i = 0; i < job->n_stages; i++)
        unreaped.n += job->stages[i].pid != 0 && job->stages[i].end == AX_NOT_ENDED;
    if (unreaped.n == 0)
        return PyTuple_New(0);
    unreaped.pids = PyMem_Calloc(unreaped.n, sizeof *unreaped.pids);
    if (unreaped.pids == NULL)
        return PyErr_NoMemory();
    unreaped.n = 0;
    for (size_t i = 0; i < job->n_stages; i++)
        if (job->stages[i].pid != 0 && job->stages[i].end == AX_NOT_ENDED)
            unreaped.pids[unreaped.n++] = job->stages[i].pid;
    result = pids_result(unreaped.pids, unreaped.n);
    PyMem_Free(unreaped.pids);
    return result;
}

static PyObject *
stages_result(const struct ax_names *names, const struct ax_types *types,
              const struct ax_job *job)
{
    PyObject *stages = PyTuple_New((Py_ssize_t)job->n_stages);

    for (size_t i = 0; stages != NULL && i < job->n_stages; i++) {
        PyObject *stage = stage_result(names, types, &job->stages[i]);

        if (stage == NULL || PyTuple_SetItem(stages, (Py_ssize_t)i, stage) < 0)
            Py_CLEAR(stages);
    }
    return stages;
}

static PyObject *
ended_result(const struct ax_types *types, const struct ax_job *job)
{
    PyObject *ended = types->exit;

    if (job->cause == AX_TIMED_OUT)
        ended = types->timeout;
    else if (job->cause == AX_CANCELLED)
        ended = types->cancelled;
    else if (job->stages[job->n_stages - 1].end == AX_SIGNALLED)
        ended = types->signal;
    return Py_NewRef(ended);
}

/* ax_job_result - what became of a job that has ended.
 *
 * Ensures   An Outcome; or, when it was not launched or the engine was closed, a
 *           RawFailure: (cause, step, errno, action or -1, stage). NULL: no memory.
 */
PyObject *
ax_job_result(const struct ax_names *names, const struct ax_types *types,
              const struct ax_job *job)
{
    if (job->cause == AX_NOT_LAUNCHED || job->cause == AX_CLOSED)
        return Py_BuildValue("(iiiin)", (int)job->cause, job->failure.step,
                             job->failure.error, job->failure.action,
                             (Py_ssize_t)job->failed_stage);
    return MAKE(types->outcome,
                {
                    {names->ended_, ended_result(types, job)},
                    {names->launcher_, Py_NewRef(types->vfork)},
                    {names->stages_, stages_result(names, types, job)},
                    {names->stdout_, capture_result(names, types, &job->streams[0].capture)},
                    {names->stderr_, capture_result(names, types, &job->streams[1].capture)},
                    {names->contained_, PyBool_FromLong(job->contained)},
                    {names->pipe_held_, PyBool_FromLong(job->pipe_held)},
                    {names->survivors_, pids_result(job->survivors.pids, job->survivors.n)},
                    {names->unreaped_, unreaped_result(job)},
                    {names->duration_s_,
                     PyFloat_FromDouble((double)(job->ended - job->started) / 1e9)},
                });
}
