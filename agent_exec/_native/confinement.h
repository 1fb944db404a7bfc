/* confinement.h - a plan's Confinement, as what the child does to itself. */
#ifndef AX_CONFINEMENT_H
#define AX_CONFINEMENT_H

#include "launch.h"
#include "names.h"

int ax_read_confinement(const struct ax_names *names, PyObject *plan, struct ax_launch *launch);
void ax_confinement_clear(struct ax_confinement *confinement);

#endif
