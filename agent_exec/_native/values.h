/* values.h - attributes of Python objects as C values. With the interpreter lock; each gives 0, or
 * -1 (NULL) and a Python exception. */
#ifndef AX_VALUES_H
#define AX_VALUES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

int ax_read_signed(PyObject *object, PyObject *name, long long *value);
int ax_read_unsigned(PyObject *object, PyObject *name, uint64_t *value);
int ax_read_int(PyObject *object, PyObject *name, int *value);
int ax_read_flag(PyObject *object, PyObject *name, unsigned flag, unsigned *flags);
int ax_read_seconds(PyObject *object, PyObject *name, uint64_t *value);
char **ax_read_words(PyObject *object, PyObject *name);
int ax_read_bytes(PyObject *object, PyObject *name, const char **bytes, Py_ssize_t *size);

#endif
