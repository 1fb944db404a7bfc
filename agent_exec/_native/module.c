/* module.c - agent_exec._native: what launch/native.py uses, and how it is made. */
#include "module.h"
#include "park.h"

#include <limits.h>
#include <unistd.h>

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
    state->engine_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &ax_engine_spec, NULL);
    state->port_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &ax_port_spec, NULL);
    if (state->engine_type == NULL || state->port_type == NULL ||
        PyModule_AddType(module, state->engine_type) < 0 ||
        PyModule_AddType(module, state->port_type) < 0 ||
        PyModule_AddFunctions(module, ax_path_functions) < 0)
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
