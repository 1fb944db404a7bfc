/* inside.c - the first process of a PID namespace that bubblewrap has made: confines and
 * executes the program, reaps, and tells how it ended.
 *
 *     /dev/agent_exec/inside ORDER... - WORD...
 *
 * An order is a letter with its value; numbers are hexadecimal, each ended by a colon:
 *
 *     sPATH                        what is told is appended to this file
 *     cDEV:INO:                    the directory that it has to work in
 *     pDEV:INO:MODE:CTIME:PATH     the program, as it was pinned; CTIME in ns
 *     nPATH                        what the program is executed by instead
 *     q                            it is a script
 *     hFS:NET:SCOPED:FILES:        what Landlock withholds; what of it is about files
 *     lACCESS:DEV:INO:PATH         given again beneath PATH, if it is this file; zeros: any
 *     fHEX                         a filter
 *
 * Of the environment, words that begin with a plus sign are the program's, without it: what
 * stands there would otherwise have a say in bubblewrap.
 *
 * A program that the extension module itself is (entry.c): nothing here may need a relocation
 * or call anything but the kernel.
 */
#define _GNU_SOURCE
#include "entry.h"
#include "launch.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { RESOLVE_NO_LINKS = 4, PATH_BENEATH = 1, EXECUTE_AND_READ = 1 | 4, UNUSABLE = 125 };

/* What is told, in this order. sandbox/told.py reads it. */
enum kind { BEGUN = 1, FAILED = 2, ENDED = 3 };

struct told {
    int32_t kind, first, second;
};

struct identity {
    uint64_t dev, ino;
};

struct orders {
    const char *program, *called;
    struct identity directory, pinned;
    uint64_t mode, ctime_ns;
    bool has_directory, script;
    char *filter; /* hexadecimal, then decoded in its place */
    int told;     /* a descriptor */
    int rule_set; /* -1: none */
    uint64_t fs, files;
};

struct ruleset_attribute { /* landlock(7) */
    uint64_t fs, net, scoped;
};

struct beneath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

IN_CHILD static _Noreturn void
leave(int status)
{
    for (;;)
        ax_sys(SYS_exit_group, status, 0, 0, 0, 0);
}

IN_CHILD static void
tell(const struct orders *orders, enum kind kind, int first, int second)
{
    const struct told told = {(int32_t)kind, first, second};

    ax_sys(SYS_write, orders->told, &told, sizeof told, 0, 0);
}

IN_CHILD static _Noreturn void
fail(const struct orders *orders, enum ax_step step, long error)
{
    tell(orders, FAILED, (int)step, (int)-error);
    leave(UNUSABLE);
}

/* -1: it is no hexadecimal digit. */
IN_CHILD static int
digit(char from)
{
    if (from >= '0' && from <= '9')
        return from - '0';
    return from >= 'a' && from <= 'f' ? from - 'a' + 10 : -1;
}

/* The number at `*text`, which is moved behind its colon. */
IN_CHILD static uint64_t
number(const struct orders *orders, const char **text)
{
    uint64_t value = 0;

    while (digit(**text) >= 0)
        value = value << 4 | (uint64_t)digit(*(*text)++);
    if (*(*text)++ != ':')
        fail(orders, AX_STEP_SANDBOX, -EINVAL);
    return value;
}

IN_CHILD static bool
is(const struct stat *file, const struct identity *expected)
{
    return file->st_dev == expected->dev && file->st_ino == expected->ino;
}

/* Landlock, the way launches outside have it: a path that is not what it was gives nothing. */
IN_CHILD static void
give(const struct orders *orders, const char *text)
{
    const struct ax_open_how how = {O_PATH | O_CLOEXEC, 0, RESOLVE_NO_LINKS};
    struct beneath beneath;
    struct identity expected;
    struct stat file;
    long fd, result;

    beneath.access = number(orders, &text) & orders->fs;
    expected.dev = number(orders, &text);
    expected.ino = number(orders, &text);
    result = fd = ax_sys(SYS_openat2, AT_FDCWD, text, &how, sizeof how, 0);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EACCES)
        return;
    beneath.fd = (int32_t)fd;
    if (result >= 0)
        result = ax_sys(SYS_newfstatat, fd, "", &file, AT_EMPTY_PATH, 0);
    if (result >= 0 && !S_ISDIR(file.st_mode))
        beneath.access &= orders->files;
    if (result >= 0 && beneath.access != 0 &&
        ((expected.dev == 0 && expected.ino == 0) || is(&file, &expected)))
        result = ax_sys(SYS_landlock_add_rule, orders->rule_set, PATH_BENEATH, &beneath, 0, 0);
    if (result < 0)
        fail(orders, AX_STEP_SANDBOX, result);
    ax_sys(SYS_close, fd, 0, 0, 0, 0);
}

IN_CHILD static void
withhold(struct orders *orders, const char *text)
{
    struct ruleset_attribute attribute;
    long made;

    orders->fs = attribute.fs = number(orders, &text);
    attribute.net = number(orders, &text);
    attribute.scoped = number(orders, &text);
    orders->files = number(orders, &text);
    made = ax_sys(SYS_landlock_create_ruleset, &attribute, sizeof attribute, 0, 0, 0);
    if (made < 0)
        fail(orders, AX_STEP_SANDBOX, made);
    orders->rule_set = (int)made;
}

IN_CHILD static void
read_program(struct orders *orders, const char *text)
{
    orders->pinned.dev = number(orders, &text);
    orders->pinned.ino = number(orders, &text);
    orders->mode = number(orders, &text);
    orders->ctime_ns = number(orders, &text);
    orders->program = text;
}

/* What can be told about comes first: `s`. */
IN_CHILD static void
read_order(struct orders *orders, char *word)
{
    const char *text = word + 1;

    switch (word[0]) {
    case 's': {
        long fd = ax_sys(SYS_openat, AT_FDCWD, text, O_WRONLY | O_APPEND | O_CLOEXEC, 0, 0);

        if (fd < 0)
            leave(UNUSABLE);
        orders->told = (int)fd;
        break;
    }
    case 'c':
        orders->directory.dev = number(orders, &text);
        orders->directory.ino = number(orders, &text);
        orders->has_directory = true;
        break;
    case 'p':
        read_program(orders, text);
        break;
    case 'n':
        orders->called = text;
        break;
    case 'q':
        orders->script = true;
        break;
    case 'h':
        withhold(orders, text);
        break;
    case 'l':
        give(orders, text);
        break;
    case 'f':
        orders->filter = word + 1;
        break;
    default:
        fail(orders, AX_STEP_SANDBOX, -EINVAL);
    }
}

/* The words of the program, in the place of ours. */
IN_CHILD static void
read_environment(char **envp)
{
    char **to = envp;

    for (; *envp != 0; envp++)
        if (**envp == '+')
            *to++ = *envp + 1;
    *to = 0;
}

IN_CHILD static bool
is_pinned(const struct orders *orders, const struct stat *file)
{
    return is(file, &orders->pinned) && file->st_mode == orders->mode &&
           (uint64_t)(file->st_ctim.tv_sec * 1000000000L + file->st_ctim.tv_nsec) ==
               orders->ctime_ns;
}

/* A descriptor of the program, that is the file which was pinned. */
IN_CHILD static int
open_program(const struct orders *orders)
{
    long fd = ax_sys(SYS_openat, AT_FDCWD, orders->program, O_PATH | O_CLOEXEC, 0, 0);
    struct beneath beneath = {.access = EXECUTE_AND_READ, .fd = (int32_t)fd};
    struct stat file;

    if (fd < 0)
        fail(orders, AX_STEP_TEMPLATE, -ESTALE);
    if (ax_sys(SYS_newfstatat, fd, "", &file, AT_EMPTY_PATH, 0) < 0 || !is_pinned(orders, &file))
        fail(orders, AX_STEP_TEMPLATE, -ESTALE);
    if (orders->rule_set >= 0) {
        long result = ax_sys(SYS_landlock_add_rule, orders->rule_set, PATH_BENEATH, &beneath, 0, 0);

        if (result < 0)
            fail(orders, AX_STEP_SANDBOX, result);
    }
    return (int)fd;
}

/* In the place of its digits, of which it has half as many bytes. */
IN_CHILD static long
decode(char *text)
{
    long n = 0;

    for (; text[2 * n] != '\0' && text[2 * n + 1] != '\0'; n++) {
        int high = digit(text[2 * n]), low = digit(text[2 * n + 1]);

        if (high < 0 || low < 0)
            return -1;
        text[n] = (char)(high << 4 | low);
    }
    return n;
}

IN_CHILD static void
filter(const struct orders *orders)
{
    const long size = decode(orders->filter);
    const long one = (long)sizeof(struct sock_filter);
    const struct sock_fprog program = {(unsigned short)(size / one),
                                       (struct sock_filter *)(void *)orders->filter};
    long result = -EINVAL;

    if (size > 0 && size % one == 0 && size / one <= AX_MOST_CODE)
        result = ax_sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program, 0, 0);
    if (result < 0)
        fail(orders, AX_STEP_SANDBOX, result);
}

/* By path where it still is the pinned file, as child.c does and for its reasons. */
IN_CHILD static _Noreturn void
become(const struct orders *orders, int program, char **argv, char **envp)
{
    const char *path = orders->called != 0 ? orders->called : orders->program;
    const uint64_t no_signal = 0;
    struct stat now;
    bool by_path;
    long result;

    if (orders->rule_set >= 0) {
        result = ax_sys(SYS_landlock_restrict_self, orders->rule_set, 0, 0, 0, 0);
        if (result < 0)
            fail(orders, AX_STEP_SANDBOX, result);
    }
    ax_sys(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC, 0, 0);
    if (orders->filter != 0)
        filter(orders);
    by_path = ax_sys(SYS_newfstatat, AT_FDCWD, path, &now, 0, 0) >= 0 && is_pinned(orders, &now);
    if (orders->script && !by_path)
        fail(orders, AX_STEP_TEMPLATE, -ESTALE);
    ax_sys(SYS_rt_sigprocmask, SIG_SETMASK, &no_signal, 0, sizeof no_signal, 0);
    if (by_path)
        result = ax_sys(SYS_execve, path, argv, envp, 0, 0);
    else
        result = ax_sys(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
    fail(orders, AX_STEP_EXEC, result);
}

/* Reap until the program has ended. What it leaves behind, the kernel ends with us. */
IN_CHILD static _Noreturn void
await(const struct orders *orders, long program)
{
    int status = 0;
    long pid;

    /* Whoever reads what the program writes waits for the last to close it. */
    ax_sys(SYS_close_range, 0, 2, 0, 0, 0);
    do
        pid = ax_sys(SYS_wait4, -1, &status, 0, 0, 0);
    while (pid != program && (pid >= 0 || pid == -EINTR));
    tell(orders, ENDED, status, 0);
    leave(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* ax_inside_main - carry out the orders.
 *
 * Context   A process of its own, just exec'd by bubblewrap in the place that this has made;
 *           no_new_privs is set, all signals are blocked, and stay so: those for the group are
 *           the program's. `stack` is what the kernel put there: argc, argv, envp.
 * Ensures   Never returns. What became of the program has been told.
 * Source    pid_namespaces(7), landlock(7), seccomp(2), execveat(2).
 */
IN_CHILD _Noreturn void
ax_inside_main(long *stack)
{
    char **argv = (char **)(stack + 1);
    char **envp = argv + stack[0] + 1;
    struct orders orders = {.told = -1, .rule_set = -1};
    struct stat here;
    long program;
    int fd;

    for (argv++; *argv != 0 && !((*argv)[0] == '-' && (*argv)[1] == '\0'); argv++)
        read_order(&orders, *argv);
    if (*argv == 0 || *++argv == 0 || orders.program == 0)
        fail(&orders, AX_STEP_SANDBOX, -EINVAL);
    tell(&orders, BEGUN, 0, 0);
    read_environment(envp);
    if (orders.has_directory && (ax_sys(SYS_newfstatat, AT_FDCWD, ".", &here, 0, 0) < 0 ||
                                 !is(&here, &orders.directory)))
        fail(&orders, AX_STEP_CWD, -ESTALE);
    fd = open_program(&orders);
    program = ax_sys(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (program == 0)
        become(&orders, fd, argv, envp);
    if (program < 0)
        fail(&orders, AX_STEP_SPAWN, program);
    await(&orders, program);
}
