/* engine_types.c - agent_exec._native.Engine and Port. */
#include "module.h"

#include <string.h>

typedef struct {
    PyObject_HEAD
    struct ax_engine *engine;
} EngineObject;

typedef struct {
    PyObject_HEAD
    EngineObject *engine;
    struct ax_port port;
} PortObject;

static struct module_state *
state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* The engine of `self`, or NULL and an exception when it is not to be used. */
static struct ax_engine *
usable(EngineObject *self)
{
    if (self->engine == NULL)
        raise_errno(ECANCELED);
    else if (!ax_engine_is_ours(self->engine))
        PyErr_SetString(PyExc_RuntimeError, "this engine belongs to the process we forked from");
    else
        return self->engine;
    return NULL;
}

/* --- ports ------------------------------------------------------------------------ */

static PyObject *
port_fileno(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(((PortObject *)self)->port.event_fd);
}

static PyObject *
port_take(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const struct module_state *state = state_of(self);
    PortObject *port = (PortObject *)self;
    PyObject *list = PyList_New(0);
    struct ax_task *next;

    if (list == NULL)
        return NULL;
    next = ax_port_take(&port->port);
    while (next != NULL) {
        struct ax_py_task *task = (struct ax_py_task *)next;
        PyObject *result = ax_job_result(&state->types, &task->task.job);
        PyObject *pair = result == NULL ? NULL : PyTuple_Pack(2, task->token, result);

        next = next->next;
        ax_task_free(task);
        if (pair == NULL || (list != NULL && PyList_Append(list, pair) < 0))
            Py_CLEAR(list); /* out of memory; the tasks are freed all the same */
        Py_XDECREF(result);
        Py_XDECREF(pair);
    }
    return list;
}

static void
port_dealloc(PyObject *self)
{
    PortObject *port = (PortObject *)self;
    PyTypeObject *type = Py_TYPE(self);

    if (port->engine != NULL) {
        if (ax_engine_is_ours(port->engine->engine))
            ax_port_close(port->engine->engine, &port->port);
        Py_DECREF(port->engine);
    }
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef port_methods[] = {
    {"fileno", port_fileno, METH_NOARGS, "The eventfd: readable when a call has finished."},
    {"take", port_take, METH_NOARGS, "Finished calls as (token, Outcome or RawFailure), oldest first."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot port_slots[] = {
    {Py_tp_doc, "Where the finished calls of one event loop are put."},
    {Py_tp_methods, port_methods},
    {Py_tp_dealloc, port_dealloc},
    {0, NULL},
};

PyType_Spec ax_port_spec = {
    .name = "agent_exec._native.Port",
    .basicsize = sizeof(PortObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = port_slots,
};

/* --- engines ---------------------------------------------------------------------- */

static PyObject *
engine_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"max_concurrent", "cgroups", "image", "processes", "memory", NULL};
    struct module_state *state = PyType_GetModuleState(type);
    Py_ssize_t max_active;
    const char *image;
    unsigned long long processes = 0, memory = 0;
    int cgroups;
    EngineObject *self;
    int error;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "npz|KK:Engine", keywords, &max_active,
                                     &cgroups, &image, &processes, &memory))
        return NULL;
    if (max_active < 1 || max_active > AX_MOST_ACTIVE)
        return PyErr_Format(PyExc_ValueError, "max_concurrent is 1 to %d, not %zd",
                            AX_MOST_ACTIVE, max_active);
    if (ax_types_init(&state->types) < 0)
        return NULL;
    self = (EngineObject *)PyType_GenericAlloc(type, 0);
    if (self == NULL)
        return NULL;
    self->engine = ax_engine_new((size_t)max_active, cgroups, image, &error);
    if (self->engine == NULL) {
        Py_DECREF(self);
        return raise_errno(error);
    }
    ax_engine_bound(self->engine, processes, memory);
    return (PyObject *)self;
}

static void
engine_dealloc(PyObject *self)
{
    struct ax_engine *engine = ((EngineObject *)self)->engine;
    PyTypeObject *type = Py_TYPE(self);

    if (engine != NULL) {
        if (ax_engine_is_ours(engine)) {
            Py_BEGIN_ALLOW_THREADS
            ax_engine_close(engine);
            Py_END_ALLOW_THREADS
        }
        ax_engine_free(engine);
    }
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *
engine_port(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    struct module_state *state = state_of(self);
    PortObject *port;
    int error;

    if (usable((EngineObject *)self) == NULL)
        return NULL;
    port = (PortObject *)PyType_GenericAlloc(state->port_type, 0);
    if (port == NULL)
        return NULL;
    error = ax_port_open(&port->port);
    if (error != 0) {
        Py_DECREF(port);
        return raise_errno(error);
    }
    port->engine = (EngineObject *)Py_NewRef(self);
    return (PyObject *)port;
}

static PyObject *
engine_submit(PyObject *self, PyObject *args)
{
    struct module_state *state = state_of(self);
    struct ax_engine *engine = usable((EngineObject *)self);
    PyObject *port, *plan, *token;
    struct ax_py_task *task;
    uint64_t ticket;
    int error;

    if (engine == NULL ||
        !PyArg_ParseTuple(args, "O!OO:submit", state->port_type, &port, &plan, &token))
        return NULL;
    task = ax_task_new(&state->names, plan);
    if (task == NULL)
        return NULL;
    task->token = Py_NewRef(token);
    task->port = Py_NewRef(port);
    task->task.port = &((PortObject *)port)->port;
    if (ax_engine_is_started(engine)) {
        error = ax_engine_submit(engine, &task->task, &ticket);
    } else {
        Py_BEGIN_ALLOW_THREADS
        error = ax_engine_submit(engine, &task->task, &ticket);
        Py_END_ALLOW_THREADS
    }
    if (error != 0) {
        ax_task_free(task);
        return raise_errno(error);
    }
    return PyLong_FromUnsignedLongLong(ticket);
}

static PyObject *
engine_cancel(PyObject *self, PyObject *ticket)
{
    unsigned long long number = PyLong_AsUnsignedLongLong(ticket);
    struct ax_engine *engine = usable((EngineObject *)self);

    if (engine == NULL || (number == (unsigned long long)-1 && PyErr_Occurred()))
        return NULL;
    ax_engine_cancel(engine, number);
    return Py_NewRef(Py_None);
}

/* What a run() that was interrupted by a signal handler's exception remembers. */
struct interruption {
    PyThreadState *thread;
    PyObject *type, *value, *traceback;
};

static bool
check_signals(void *context)
{
    struct interruption *interruption = context;
    bool raised;

    PyEval_RestoreThread(interruption->thread);
    raised = PyErr_CheckSignals() < 0;
    if (raised && interruption->type == NULL)
        PyErr_Fetch(&interruption->type, &interruption->value, &interruption->traceback);
    else if (raised)
        PyErr_Clear(); /* the first one is what the caller is told */
    interruption->thread = PyEval_SaveThread();
    return raised;
}

static PyObject *
engine_run(PyObject *self, PyObject *plan)
{
    struct module_state *state = state_of(self);
    struct ax_engine *engine = usable((EngineObject *)self);
    struct interruption interruption = {0};
    struct ax_py_task *task;
    PyObject *result = NULL;
    int error;

    if (engine == NULL)
        return NULL;
    task = ax_task_new(&state->names, plan);
    if (task == NULL)
        return NULL;
    interruption.thread = PyEval_SaveThread();
    error = ax_engine_run(engine, &task->task, check_signals, &interruption);
    PyEval_RestoreThread(interruption.thread);

    if (interruption.type != NULL)
        PyErr_Restore(interruption.type, interruption.value, interruption.traceback);
    else if (error != 0)
        raise_errno(error);
    else
        result = ax_job_result(&state->types, &task->task.job);
    ax_task_free(task);
    return result;
}

static PyObject *
engine_counts(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    struct ax_engine *engine = usable((EngineObject *)self);
    struct ax_engine_counts counts;

    if (engine == NULL)
        return NULL;
    ax_engine_count(engine, &counts);
    return Py_BuildValue("(nnnN)", (Py_ssize_t)counts.threads, (Py_ssize_t)counts.active,
                         (Py_ssize_t)counts.queued, PyBool_FromLong(counts.private_table));
}

static PyObject *
engine_containment(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    struct ax_engine *engine = usable((EngineObject *)self);
    char text[CGROUP_TEXT];
    bool contains;

    if (engine == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    contains = ax_engine_contains(engine, text);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(NN)", PyBool_FromLong(contains), PyUnicode_DecodeFSDefault(text));
}

static PyObject *
engine_guardian(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const struct ax_engine *engine = usable((EngineObject *)self);
    int error;
    pid_t pid;

    if (engine == NULL)
        return NULL;
    pid = ax_engine_guardian(engine, &error);
    return Py_BuildValue("(ii)", (int)pid, error);
}

static PyObject *
engine_close(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    struct ax_engine *engine = ((EngineObject *)self)->engine;

    if (ax_engine_is_ours(engine)) {
        Py_BEGIN_ALLOW_THREADS
        ax_engine_close(engine);
        Py_END_ALLOW_THREADS
    }
    return Py_NewRef(Py_None);
}

static PyObject *
engine_forget(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    struct ax_engine *engine = ((EngineObject *)self)->engine;

    if (!ax_engine_is_ours(engine))
        ax_engine_forget(engine);
    return Py_NewRef(Py_None);
}

static PyMethodDef engine_methods[] = {
    {"port", engine_port, METH_NOARGS, "A new Port."},
    {"submit", engine_submit, METH_VARARGS, "submit(port, plan, token) -> ticket."},
    {"cancel", engine_cancel, METH_O, "End the call of a ticket: SIGTERM, grace, SIGKILL."},
    {"run", engine_run, METH_O, "Run a CallPlan on this thread -> Outcome or RawFailure."},
    {"counts", engine_counts, METH_NOARGS, "(threads, active, queued, private_table)."},
    {"containment", engine_containment, METH_NOARGS,
     "(True, path of the cgroup that holds those of the calls) or (False, why not)."},
    {"guardian", engine_guardian, METH_NOARGS,
     "(pid, 0); (0, errno) where it could not be started; (0, 0) before the first call."},
    {"forget", engine_forget, METH_NOARGS,
     "In a process that was just forked: close what it inherited of calls in run()."},
    {"close", engine_close, METH_NOARGS, "Kill and reap every call, stop every thread."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot engine_slots[] = {
    {Py_tp_doc, "Engine(max_concurrent, cgroups, image, processes=0, memory=0): native threads that run "
                "calls, each in a cgroup with these limits where it has one."},
    {Py_tp_new, engine_new},
    {Py_tp_methods, engine_methods},
    {Py_tp_dealloc, engine_dealloc},
    {0, NULL},
};

PyType_Spec ax_engine_spec = {
    .name = "agent_exec._native.Engine",
    .basicsize = sizeof(EngineObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = engine_slots,
};
