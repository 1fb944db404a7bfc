/* module.c - agent_exec._native: the types and functions that launch/native.py uses. */
#include "folder.h"
#include "glances.h"
#include "outcome.h"
#include "park.h"
#include "plan.h"
#include "rule_set.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

struct module_state {
    struct ax_names names;
    struct ax_types types;
    PyTypeObject *engine_type, *port_type;
    struct ax_found found; /* by spawn(), which has no engine */
};

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

static PyObject *
raise_errno(int error)
{
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
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

static PyType_Spec port_spec = {
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

static PyType_Spec engine_spec = {
    .name = "agent_exec._native.Engine",
    .basicsize = sizeof(EngineObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = engine_slots,
};

/* --- functions -------------------------------------------------------------------- */

static PyObject *
native_credentials(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    struct ax_credentials now;

    if (ax_credentials_get(&now) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyBytes_FromStringAndSize((const char *)&now, sizeof now);
}

/* Start one child on the calling thread, from the host's descriptor table. */
static pid_t
spawn_here(struct module_state *state, struct ax_stage *stage)
{
    struct ax_credentials now;
    struct ax_stack stack;
    pid_t pid = -1;

    if (ax_credentials_get(&now) < 0 || ax_stack_open(&stack) < 0) {
        stage->launch.failure = (struct ax_failure){AX_STEP_SPAWN, errno, -1};
        return -1;
    }
    stage->launch.failure =
        ax_template_check(&stage->launch, stage->maker, stage->maker_size, &now);
    if (stage->launch.failure.step == AX_STEP_NONE)
        pid = ax_spawn(&stage->launch, &stack, &state->found);
    ax_stack_close(&stack);
    return pid;
}

static PyObject *
native_spawn(PyObject *module, PyObject *plan)
{
    struct module_state *state = PyModule_GetState(module);
    struct ax_stage stage;
    const struct ax_failure *failure = &stage.launch.failure;
    PyObject *result;
    pid_t pid;

    if (ax_read_spawn_plan(&state->names, plan, &stage) < 0) {
        ax_stage_clear(&stage);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    pid = spawn_here(state, &stage);
    if (pid < 0 && stage.launch.pidfd >= 0)
        close(stage.launch.pidfd);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("(iiiii)", (int)pid, pid < 0 ? -1 : stage.launch.pidfd,
                           failure->step, failure->error, failure->action);
    ax_stage_clear(&stage);
    return result;
}

static PyObject *
native_clone_call(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    struct module_state *state = PyModule_GetState(module);

    return PyUnicode_FromString(atomic_load(&state->found.how) == AX_CLONE3 ? "clone3" : "clone");
}

static PyObject *
native_still_so(PyObject *Py_UNUSED(module), PyObject *glances)
{
    char *bytes;
    Py_ssize_t size;
    bool so;

    if (PyBytes_AsStringAndSize(glances, &bytes, &size) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    so = ax_still_so(bytes, (size_t)size);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(so);
}

/* `text` as the kernel is given it, with a NUL, in `room` bytes at `into`. Its size; -1 when
 * that is no name or does not fit, or with an exception. */
static Py_ssize_t
put_name(PyObject *text, char *into, size_t room)
{
    PyObject *name = PyUnicode_EncodeFSDefault(text);
    Py_ssize_t size;
    char *bytes;

    if (name == NULL) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError))
            PyErr_Clear();
        return -1;
    }
    if (PyBytes_AsStringAndSize(name, &bytes, &size) < 0)
        size = -1;
    else if ((size_t)size >= room || strlen(bytes) != (size_t)size)
        size = -1;
    else
        memcpy(into, bytes, (size_t)size + 1);
    Py_DECREF(name);
    return size;
}

static PyObject *
native_is_straight(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *folder, *names;
    char path[PATH_MAX];
    Py_ssize_t begin;
    bool straight = false;

    if (!PyArg_ParseTuple(args, "UU:is_straight", &folder, &names))
        return NULL;
    begin = put_name(folder, path, sizeof path - 1);
    if (begin >= 0) {
        path[begin++] = '/';
        if (put_name(names, path + begin, sizeof path - (size_t)begin) >= 0) {
            Py_BEGIN_ALLOW_THREADS
            straight = ax_is_straight(path, (size_t)begin);
            Py_END_ALLOW_THREADS
        }
    }
    return PyErr_Occurred() ? NULL : PyBool_FromLong(straight);
}

static PyObject *
native_make_rule_set(PyObject *Py_UNUSED(module), PyObject *args)
{
    struct ax_rules wanted;
    Py_ssize_t attribute_size, rules_size;
    unsigned long long of_files, pinned_access;
    PyObject *places, *result;
    char *found;
    ssize_t count;
    int fd;

    if (!PyArg_ParseTuple(args, "y#y#KiK:make_rule_set", &wanted.attribute, &attribute_size,
                          &wanted.rules, &rules_size, &of_files, &wanted.pinned, &pinned_access))
        return NULL;
    wanted.attribute_size = (size_t)attribute_size;
    wanted.rules_size = (size_t)rules_size;
    wanted.of_files = of_files;
    wanted.pinned_access = pinned_access;
    count = ax_rules_count(wanted.rules, wanted.rules_size);
    if (count < 0)
        return raise_errno(EINVAL);
    places = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(sizeof(struct ax_place)) * count);
    if (places == NULL)
        return NULL;
    found = PyBytes_AsString(places);
    Py_BEGIN_ALLOW_THREADS
    fd = ax_rule_set_make(&wanted, (struct ax_place *)(void *)found);
    Py_END_ALLOW_THREADS
    if (fd < 0) {
        Py_DECREF(places);
        return raise_errno(-fd);
    }
    result = Py_BuildValue("(iN)", fd, places);
    if (result == NULL)
        close(fd);
    return result;
}

static PyObject *
native_rules_hold(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *rules, *places;
    Py_ssize_t rules_size, places_size;
    ssize_t count;
    bool hold;

    if (!PyArg_ParseTuple(args, "y#y#:rules_hold", &rules, &rules_size, &places, &places_size))
        return NULL;
    count = ax_rules_count(rules, (size_t)rules_size);
    if (count < 0 || places_size != count * (Py_ssize_t)sizeof(struct ax_place))
        return raise_errno(EINVAL);
    Py_BEGIN_ALLOW_THREADS
    hold = ax_rules_hold(rules, (size_t)rules_size, (const struct ax_place *)(const void *)places);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(hold);
}

static PyObject *
native_is_empty(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *path;
    unsigned int mode;
    int empty;

    if (!PyArg_ParseTuple(args, "yI:is_empty", &path, &mode))
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    empty = ax_folder_is_empty(path, mode);
    Py_END_ALLOW_THREADS
    return empty < 0 ? raise_errno(-empty) : PyBool_FromLong(empty);
}

static PyObject *
native_park(PyObject *Py_UNUSED(module), PyObject *fd)
{
    long number = PyLong_AsLong(fd);
    char *argv[] = {"agent-exec-parked", NULL}, *envp[] = {NULL};
    struct ax_park park = {.program_fd = (int)number, .argv = argv, .envp = envp};
    struct ax_stack stack;
    pid_t pid = -1;

    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (number < 0 || number >= INT_MAX)
        return raise_errno(EBADF);
    if (ax_stack_open(&stack) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_BEGIN_ALLOW_THREADS
    pid = ax_park(&park, &stack);
    ax_stack_close(&stack);
    Py_END_ALLOW_THREADS
    return Py_BuildValue("(iiii)", (int)pid, pid < 0 ? -1 : park.pidfd, park.failure.step,
                         park.failure.error);
}

static PyMethodDef native_functions[] = {
    {"credentials", native_credentials, METH_NOARGS, "Who the calling thread is, as bytes."},
    {"spawn", native_spawn, METH_O,
     "spawn(SpawnPlan) -> (pid, pidfd, step, errno, action); pid -1: see step."},
    {"park", native_park, METH_O,
     "park(fd) -> (pid, pidfd, step, errno) of a child that stands still; pid -1: see step. It "
     "ends with the calling thread."},
    {"clone_call", native_clone_call, METH_NOARGS,
     "Which system call made the last child of spawn()."},
    {"still_so", native_still_so, METH_O,
     "Has every question that launch/glances.py packed the answer that it had?"},
    {"is_straight", native_is_straight, METH_VARARGS,
     "is_straight(folder, names): are there only plain names, beneath a folder, and no links?"},
    {"make_rule_set", native_make_rule_set, METH_VARARGS,
     "make_rule_set(attribute, rules, of_files, pinned, pinned_access) -> (fd, places)."},
    {"rules_hold", native_rules_hold, METH_VARARGS,
     "rules_hold(rules, places): do the paths of rules name what they named?"},
    {"is_empty", native_is_empty, METH_VARARGS,
     "is_empty(path, mode): is it a directory of that mode, with nothing in it?"},
    {NULL, NULL, 0, NULL},
};

static int
native_exec(PyObject *module)
{
    struct module_state *state = PyModule_GetState(module);

    atomic_init(&state->found.how, AX_CLONE3);
    ax_table_guard_forks();
    if (ax_names_init(&state->names) < 0)
        return -1;
    state->engine_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &engine_spec, NULL);
    state->port_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &port_spec, NULL);
    if (state->engine_type == NULL || state->port_type == NULL ||
        PyModule_AddType(module, state->engine_type) < 0 ||
        PyModule_AddType(module, state->port_type) < 0)
        return -1;
    return 0;
}

static int
native_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct module_state *state = PyModule_GetState(module);

    Py_VISIT(state->engine_type);
    Py_VISIT(state->port_type);
    return 0;
}

static int
native_clear(PyObject *module)
{
    struct module_state *state = PyModule_GetState(module);

    Py_CLEAR(state->engine_type);
    Py_CLEAR(state->port_type);
    ax_names_clear(&state->names);
    ax_types_clear(&state->types);
    return 0;
}

static void
native_free(void *module)
{
    (void)native_clear(module);
}

enum { SLOT_MULTIPLE_INTERPRETERS = 3, PER_INTERPRETER_LOCK = 2, FIRST_WITH_SLOT = 0x030c0000 };

static PyModuleDef_Slot native_slots[] = {
    {Py_mod_exec, native_exec},
    {0, NULL}, /* SLOT_MULTIPLE_INTERPRETERS, where the interpreter knows it */
    {0, NULL},
};

static struct PyModuleDef native_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "agent_exec._native",
    .m_doc = "The launch core. Private: agent_exec.launch is its only user.",
    .m_size = sizeof(struct module_state),
    .m_methods = native_functions,
    .m_slots = native_slots,
    .m_traverse = native_traverse,
    .m_clear = native_clear,
    .m_free = native_free,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    /* The limited API of 3.11 does not name the slot, and 3.11 refuses it. */
    if (Py_Version >= FIRST_WITH_SLOT) {
        native_slots[1].slot = SLOT_MULTIPLE_INTERPRETERS;
        native_slots[1].value = (void *)(uintptr_t)PER_INTERPRETER_LOCK;
    }
    return PyModuleDef_Init(&native_module);
}
