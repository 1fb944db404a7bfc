/* setuid_cat.c - become root (installed setuid), say so, and wait for end of input.
 *
 * Its parent, when it is not root, can no longer signal it: a process that outlives
 * SIGKILL, without a broken file system.
 */
#include <unistd.h>

int
main(void)
{
    char byte;

    if (setuid(0) < 0 || write(1, "root\n", 5) != 5)
        return 1;
    while (read(0, &byte, 1) > 0)
        ;
    return 0;
}
