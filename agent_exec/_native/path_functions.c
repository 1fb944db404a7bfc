/* path_functions.c - the functions of agent_exec._native about paths. */
#include "folder.h"
#include "glances.h"
#include "module.h"
#include "rule_set.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

static PyObject *
path_still_so(PyObject *Py_UNUSED(module), PyObject *glances)
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
path_is_straight(PyObject *Py_UNUSED(module), PyObject *args)
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
path_make_rule_set(PyObject *Py_UNUSED(module), PyObject *args)
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
path_rules_hold(PyObject *Py_UNUSED(module), PyObject *args)
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
path_is_empty(PyObject *Py_UNUSED(module), PyObject *args)
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

PyMethodDef ax_path_functions[] = {
    {"still_so", path_still_so, METH_O,
     "Has every question that launch/glances.py packed the answer that it had?"},
    {"is_straight", path_is_straight, METH_VARARGS,
     "is_straight(folder, names): are there only plain names, beneath a folder, and no links?"},
    {"make_rule_set", path_make_rule_set, METH_VARARGS,
     "make_rule_set(attribute, rules, of_files, pinned, pinned_access) -> (fd, places)."},
    {"rules_hold", path_rules_hold, METH_VARARGS,
     "rules_hold(rules, places): do the paths of rules name what they named?"},
    {"is_empty", path_is_empty, METH_VARARGS,
     "is_empty(path, mode): is it a directory of that mode, with nothing in it?"},
    {NULL, NULL, 0, NULL},
};
