/* module.h - what the files that Python sees share. With the interpreter lock. */
#ifndef AX_MODULE_H
#define AX_MODULE_H

#include "outcome.h"
#include "plan.h"

#include <errno.h>

struct module_state {
    struct ax_names names;
    struct ax_types types;
    PyTypeObject *engine_type, *port_type;
    struct ax_found found; /* by spawn(), which has no engine */
};

extern PyType_Spec ax_engine_spec, ax_port_spec;
extern PyMethodDef ax_path_functions[];

static inline PyObject *
raise_errno(int error)
{
    errno = error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

#endif
