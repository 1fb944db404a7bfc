/* Appends its arguments to the file that ARGV_DUMP names: each with a NUL after it, then one more
 * for the end. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    size_t size = 1, at = 0;
    char *record;
    int fd = open(getenv("ARGV_DUMP"), O_WRONLY | O_APPEND);

    for (int i = 1; i < argc; i++)
        size += strlen(argv[i]) + 2;
    record = malloc(size);
    if (fd < 0 || record == NULL)
        return 2;
    for (int i = 1; i < argc; i++) { /* '+' so that an empty word is not an end */
        record[at++] = '+';
        strcpy(record + at, argv[i]);
        at += strlen(argv[i]) + 1;
    }
    record[at++] = '\0';
    return write(fd, record, at) == (ssize_t)at ? 0 : 2;
}
