/* probe.c - print what this process finds itself to be, a "name value" a line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void
print_descriptors(void)
{
    printf("descriptors");
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf(" %d", fd);
    printf("\n");
}

static void
print_signals(const char *name, int blocked)
{
    sigset_t mask;

    sigprocmask(SIG_SETMASK, NULL, &mask);
    printf("%s", name);
    for (int signum = 1; signum <= SIGRTMAX; signum++) {
        struct sigaction action;

        if (signum > SIGSYS && signum < SIGRTMIN)
            continue;
        if (blocked ? sigismember(&mask, signum) == 1
                    : sigaction(signum, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            printf(" %d", signum);
    }
    printf("\n");
}

int
main(int argc, char **argv)
{
    char name[17] = "", cwd[4096];
    int tty = open("/dev/tty", O_RDWR);

    if (tty >= 0)
        close(tty);
    prctl(PR_GET_NAME, name);
    printf("argc %d\n", argc);
    for (int i = 0; i < argc; i++)
        printf("argv%d %s\n", i, argv[i]);
    for (char **word = environ; *word != NULL; word++)
        printf("env %s\n", *word);
    printf("execfn %s\n", (const char *)getauxval(AT_EXECFN));
    printf("comm %s\n", name);
    printf("cwd %s\n", getcwd(cwd, sizeof cwd) != NULL ? cwd : strerror(errno));
    printf("leads_session %d\n", getsid(0) == getpid());
    printf("leads_group %d\n", getpgid(0) == getpid());
    printf("terminal %d\n", tty >= 0);
    print_descriptors();
    print_signals("blocked", 1);
    print_signals("ignored", 0);
    return 0;
}
