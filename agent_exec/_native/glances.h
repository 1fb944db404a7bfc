/* glances.h - questions to the file system, asked again. */
#ifndef AX_GLANCES_H
#define AX_GLANCES_H

#include <stdbool.h>
#include <stddef.h>

bool ax_still_so(const char *glances, size_t size);
bool ax_is_straight(char *path, size_t begin);

#endif
