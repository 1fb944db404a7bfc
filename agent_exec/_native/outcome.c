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

/* A named tuple of its fields, in the order of agent_exec/model/outcome.py. Its own __new__ would
 * cost ten times as much, which a short call can tell. Takes the values: new references, or NULL
 * and an exception. */
static PyObject *
make(PyObject *type, PyObject *const *values, size_t n)
{
    PyObject *object = PyType_GenericAlloc((PyTypeObject *)type, (Py_ssize_t)n);

    for (size_t i = 0; i < n; i++) {
        if (object == NULL || values[i] == NULL) {
            Py_CLEAR(object);
            Py_XDECREF(values[i]);
        } else if (PyTuple_SetItem(object, (Py_ssize_t)i, values[i]) < 0) {
            Py_CLEAR(object);
        }
    }
    return object;
}

#define MAKE(type, ...)                                                                 \
    make(type, (PyObject *const[])__VA_ARGS__,                                          \
         sizeof((PyObject *const[])__VA_ARGS__) / sizeof(PyObject *))

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
stage_result(const struct ax_types *types, const struct ax_stage *stage)
{
    return MAKE(types->stage_outcome,
                {
                    PyLong_FromLong(stage->pid),
                    number_if(stage->end == AX_EXITED, stage->value),
                    number_if(stage->end == AX_SIGNALLED, stage->value),
                    PyFloat_FromDouble(seconds(&stage->usage.ru_utime)),
                    PyFloat_FromDouble(seconds(&stage->usage.ru_stime)),
                    PyLong_FromLong(stage->usage.ru_maxrss),
                });
}

static PyObject *
capture_result(const struct ax_types *types, const struct ax_capture *capture)
{
    PyObject *tail = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)capture->tail_size);

    if (tail != NULL && capture->tail_size > 0)
        ax_capture_copy_tail(capture, PyBytes_AsString(tail));
    return MAKE(types->captured,
                {
                    PyBytes_FromStringAndSize(capture->head, (Py_ssize_t)capture->head_size),
                    tail,
                    PyLong_FromUnsignedLongLong(capture->dropped),
                    PyLong_FromUnsignedLongLong(capture->spilled),
                    PyLong_FromLong(capture->spill_error),
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
stages_result(const struct ax_types *types, const struct ax_job *job)
{
    PyObject *stages = PyTuple_New((Py_ssize_t)job->n_stages);

    for (size_t i = 0; stages != NULL && i < job->n_stages; i++) {
        PyObject *stage = stage_result(types, &job->stages[i]);

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
ax_job_result(const struct ax_types *types, const struct ax_job *job)
{
    if (job->cause == AX_NOT_LAUNCHED || job->cause == AX_CLOSED)
        return Py_BuildValue("(iiiin)", (int)job->cause, job->failure.step,
                             job->failure.error, job->failure.action,
                             (Py_ssize_t)job->failed_stage);
    return MAKE(types->outcome,
                {
                    ended_result(types, job),
                    Py_NewRef(types->vfork),
                    stages_result(types, job),
                    capture_result(types, &job->streams[0].capture),
                    capture_result(types, &job->streams[1].capture),
                    PyBool_FromLong(job->pipe_held),
                    pids_result(job->survivors.pids, job->survivors.n),
                    unreaped_result(job),
                    PyBool_FromLong(job->contained),
                    PyFloat_FromDouble((double)(job->ended - job->started) / 1e9),
                });
}
