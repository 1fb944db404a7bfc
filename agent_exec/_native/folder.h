/* folder.h - is a directory that was given away as it was? */
#ifndef AX_FOLDER_H
#define AX_FOLDER_H

#include <sys/types.h>

int ax_folder_is_empty(const char *path, mode_t mode);

#endif
