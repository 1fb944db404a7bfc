/* values.c - see values.h. */
#include "values.h"

int
ax_read_signed(PyObject *object, PyObject *name, long long *value)
{
    PyObject *attribute = PyObject_GetAttr(object, name);

    if (attribute == NULL)
        return -1;
    *value = PyLong_AsLongLong(attribute);
    Py_DECREF(attribute);
    return *value == -1 && PyErr_Occurred() ? -1 : 0;
}

int
ax_read_unsigned(PyObject *object, PyObject *name, uint64_t *value)
{
    PyObject *attribute = PyObject_GetAttr(object, name);

    if (attribute == NULL)
        return -1;
    *value = PyLong_AsUnsignedLongLong(attribute);
    Py_DECREF(attribute);
    return *value == (uint64_t)-1 && PyErr_Occurred() ? -1 : 0;
}

int
ax_read_int(PyObject *object, PyObject *name, int *value)
{
    long long wide;

    if (ax_read_signed(object, name, &wide) < 0)
        return -1;
    if (wide < INT32_MIN || wide > INT32_MAX) {
        PyErr_Format(PyExc_OverflowError, "%U is out of range", name);
        return -1;
    }
    *value = (int)wide;
    return 0;
}

int
ax_read_flag(PyObject *object, PyObject *name, unsigned flag, unsigned *flags)
{
    PyObject *attribute = PyObject_GetAttr(object, name);
    int truth = attribute == NULL ? -1 : PyObject_IsTrue(attribute);

    Py_XDECREF(attribute);
    if (truth > 0)
        *flags |= flag;
    return truth < 0 ? -1 : 0;
}

/* Seconds to nanoseconds; None and infinity are UINT64_MAX. */
int
ax_read_seconds(PyObject *object, PyObject *name, uint64_t *value)
{
    PyObject *attribute = PyObject_GetAttr(object, name);
    double seconds;

    if (attribute == NULL)
        return -1;
    if (attribute == Py_None) {
        Py_DECREF(attribute);
        *value = UINT64_MAX;
        return 0;
    }
    seconds = PyFloat_AsDouble(attribute);
    Py_DECREF(attribute);
    if (seconds == -1.0 && PyErr_Occurred())
        return -1;
    if (!(seconds >= 0)) {
        PyErr_Format(PyExc_ValueError, "%U is negative or not a number", name);
        return -1;
    }
    *value = seconds < 1e9 ? (uint64_t)(seconds * 1e9) : UINT64_MAX;
    return 0;
}

/* Words of a tuple of bytes, NULL-terminated; they live as long as the plan does. A NUL
 * inside a word, where execve(2) would silently cut it, is a ValueError. */
char **
ax_read_words(PyObject *object, PyObject *name)
{
    PyObject *tuple = PyObject_GetAttr(object, name);
    Py_ssize_t n = tuple == NULL ? -1 : PyTuple_Size(tuple);
    char **words = NULL;

    if (n >= 0) {
        words = PyMem_Malloc(((size_t)n + 1) * sizeof *words);
        if (words == NULL)
            PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; words != NULL && i < n; i++) {
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(tuple, i), &words[i], NULL) < 0) {
            PyMem_Free(words);
            words = NULL;
        }
    }
    if (words != NULL)
        words[n] = NULL;
    Py_XDECREF(tuple); /* the plan holds it */
    return words;
}

/* A bytes attribute, borrowed from the plan; None is NULL. */
int
ax_read_bytes(PyObject *object, PyObject *name, const char **bytes, Py_ssize_t *size)
{
    PyObject *attribute = PyObject_GetAttr(object, name);
    int result = -1;

    *bytes = NULL;
    *size = 0;
    if (attribute == Py_None)
        result = 0;
    else if (attribute != NULL)
        result = PyBytes_AsStringAndSize(attribute, (char **)bytes, size);
    Py_XDECREF(attribute);
    return result;
}
