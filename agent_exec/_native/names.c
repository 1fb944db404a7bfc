/* names.c - see names.h. With the interpreter lock. */
#include "names.h"

int
ax_names_init(struct ax_names *names)
{
#define AX_NAME(name)                                        \
    names->name##_ = PyUnicode_InternFromString(#name);      \
    if (names->name##_ == NULL)                              \
        return -1;
    AX_NAMES(AX_NAME)
#undef AX_NAME
    return 0;
}

void
ax_names_clear(struct ax_names *names)
{
#define AX_NAME(name) Py_CLEAR(names->name##_);
    AX_NAMES(AX_NAME)
#undef AX_NAME
}
