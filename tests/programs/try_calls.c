/* try_calls.c - make system calls as told, and print what the kernel answers.
 *
 * Each argument is a call: its number and up to six arguments, separated by commas, in decimal or
 * hexadecimal. A line "errno" is printed for each, 0 for success; "signal N" where it was the end of
 * the process that made it. "int80:" before the number makes it the way of 32-bit programs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static long
call_foreign(long number)
{
#if defined(__x86_64__)
    long result = number;

    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result;
#else
    (void)number;
    errno = ENOSYS;
    return -1;
#endif
}

static int
make_call(char *text)
{
    unsigned long words[7] = {0};
    int n = 0;

    if (strncmp(text, "int80:", 6) == 0)
        return call_foreign(strtol(text + 6, NULL, 0)) < 0 ? 1 : 0;
    for (char *word = strtok(text, ","); word != NULL && n < 7; word = strtok(NULL, ","))
        words[n++] = strtoul(word, NULL, 0);
    errno = 0;
    return syscall((long)words[0], words[1], words[2], words[3], words[4], words[5], words[6]) < 0
               ? errno
               : 0;
}

/* In a process of its own: it may be its end. */
static void
try_call(char *text)
{
    int status, said[2];
    pid_t pid;

    if (pipe(said) < 0)
        exit(1);
    pid = fork();
    if (pid == 0) {
        int error = make_call(text);

        _exit(write(said[1], &error, sizeof error) == (ssize_t)sizeof error ? 0 : 1);
    }
    close(said[1]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        exit(1);
    if (WIFSIGNALED(status)) {
        printf("signal %d\n", WTERMSIG(status));
    } else {
        int error;

        if (read(said[0], &error, sizeof error) != (ssize_t)sizeof error)
            exit(1);
        printf("%d\n", error);
    }
    close(said[0]);
}

int
main(int argc, char **argv)
{
    signal(SIGSYS, SIG_DFL);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (int i = 1; i < argc; i++) {
        fflush(stdout);
        try_call(argv[i]);
    }
    return 0;
}
