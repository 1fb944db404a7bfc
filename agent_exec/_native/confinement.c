/* confinement.c - see confinement.h. With the interpreter lock. */
#include "confinement.h"
#include "values.h"

/* A field that may be None. Ensures 0 and whether it is there, or -1 and an exception. */
static int
read_optional(PyObject *object, PyObject *name, bool *there, int *value)
{
    PyObject *attribute = PyObject_GetAttr(object, name);
    int result = attribute == NULL ? -1 : 0;

    *there = result == 0 && attribute != Py_None;
    Py_XDECREF(attribute);
    return *there ? ax_read_int(object, name, value) : result;
}

/* One limit. Python's RLIM_INFINITY is -1, which is the kernel's. */
static int
read_limit(PyObject *object, PyObject *name, uint64_t *value)
{
    long long number;

    if (ax_read_signed(object, name, &number) < 0)
        return -1;
    if (number < -1) {
        PyErr_Format(PyExc_ValueError, "%U is negative", name);
        return -1;
    }
    *value = (uint64_t)number;
    return 0;
}

static int
read_rlimits(const struct ax_names *names, PyObject *object, struct ax_confinement *confinement)
{
    PyObject *tuple = PyObject_GetAttr(object, names->rlimits_);
    Py_ssize_t n = tuple == NULL ? -1 : PyTuple_Size(tuple);
    int result = n < 0 ? -1 : 0;

    if (n > 0) {
        confinement->rlimits = PyMem_Malloc((size_t)n * sizeof *confinement->rlimits);
        if (confinement->rlimits == NULL) {
            PyErr_NoMemory();
            result = -1;
        }
    }
    for (Py_ssize_t i = 0; result == 0 && i < n; i++) {
        struct ax_rlimit *rlimit = &confinement->rlimits[i];
        PyObject *one = PyTuple_GetItem(tuple, i);

        if (ax_read_int(one, names->resource_, &rlimit->resource) < 0 ||
            read_limit(one, names->soft_, &rlimit->soft) < 0 ||
            read_limit(one, names->hard_, &rlimit->hard) < 0)
            result = -1;
        confinement->n_rlimits = (size_t)i + 1;
    }
    Py_XDECREF(tuple);
    return result;
}

static int
read_secret(const struct ax_names *names, PyObject *object, uint64_t secret[2])
{
    PyObject *words = PyObject_GetAttr(object, names->secret_);
    int result = 0;

    if (words == NULL)
        return -1;
    for (int i = 0; result == 0 && i < 2; i++) {
        PyObject *word = PyTuple_GetItem(words, i);

        secret[i] = word == NULL ? 0 : PyLong_AsUnsignedLongLong(word);
        result = PyErr_Occurred() ? -1 : 0;
    }
    Py_DECREF(words);
    return result;
}

static int
read_filter(const struct ax_names *names, PyObject *object, struct ax_filter *filter)
{
    PyObject *attribute = PyObject_GetAttr(object, names->filter_);
    Py_ssize_t size = 0;
    const char *code;
    int result = -1;

    if (attribute == NULL)
        return -1;
    if (attribute == Py_None) {
        result = 0;
    } else if (ax_read_bytes(attribute, names->program_, &code, &size) == 0 &&
               read_secret(names, attribute, filter->secret) == 0) {
        size_t n = (size_t)size / sizeof *filter->code;

        if (n == 0 || n > AX_MOST_CODE || n * sizeof *filter->code != (size_t)size) {
            PyErr_Format(PyExc_ValueError, "%zd bytes are no filter", size);
        } else {
            filter->code = (const struct sock_filter *)(const void *)code;
            filter->n = (unsigned short)n;
            result = 0;
        }
    }
    Py_DECREF(attribute); /* the plan holds it */
    return result;
}

static int
read_parts(const struct ax_names *names, PyObject *object, struct ax_confinement *confinement)
{
    unsigned no_new_privs = 0;
    uint64_t flags;
    bool has_ruleset;
    int umask = 0;

    if (read_optional(object, names->landlock_, &has_ruleset, &confinement->ruleset_fd) < 0 ||
        ax_read_unsigned(object, names->landlock_flags_, &flags) < 0 ||
        read_filter(names, object, &confinement->filter) < 0 ||
        ax_read_flag(object, names->no_new_privs_, 1, &no_new_privs) < 0 ||
        read_rlimits(names, object, confinement) < 0 ||
        read_optional(object, names->nice_, &confinement->has_nice, &confinement->nice) < 0 ||
        read_optional(object, names->umask_, &confinement->has_umask, &umask) < 0)
        return -1;
    confinement->landlock_flags = (uint32_t)flags;
    confinement->no_new_privs = no_new_privs != 0;
    confinement->umask = (unsigned)umask;
    if (has_ruleset && confinement->ruleset_fd < 0)
        PyErr_Format(PyExc_ValueError, "%d is not a descriptor", confinement->ruleset_fd);
    else if (flags > UINT32_MAX)
        PyErr_SetString(PyExc_OverflowError, "landlock_flags is out of range");
    else if (no_new_privs == 0 && (has_ruleset || confinement->filter.code != NULL))
        PyErr_SetString(PyExc_ValueError, "landlock and filter cannot be had without no_new_privs");
    else
        return 0;
    return -1;
}

/* ax_read_confinement - what is to be done to the child of `plan`, if anything.
 *
 * Borrows   The plan, and with it the filter, until ax_confinement_clear().
 * Ensures   0; or -1 and a Python exception. May be cleared either way.
 */
int
ax_read_confinement(const struct ax_names *names, PyObject *plan, struct ax_launch *launch)
{
    PyObject *object = PyObject_GetAttr(plan, names->confinement_);
    int result = object == NULL ? -1 : 0;

    launch->confinement.ruleset_fd = -1;
    if (object != NULL && object != Py_None) {
        launch->confined = true;
        result = read_parts(names, object, &launch->confinement);
    }
    Py_XDECREF(object); /* the plan holds it */
    return result;
}

void
ax_confinement_clear(struct ax_confinement *confinement)
{
    PyMem_Free(confinement->rlimits);
    confinement->rlimits = NULL;
}
