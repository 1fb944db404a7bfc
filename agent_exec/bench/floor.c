/* floor.c - how fast can this machine start a program and have its output?
 *
 *     floor LAUNCHES IN_FLIGHT WARM_UP DIRECTORY STDOUT STDERR PROGRAM [ARGUMENT...]
 *
 * Starts PROGRAM in DIRECTORY, LAUNCHES times, IN_FLIGHT at a time, on one thread, and
 * prints one JSON object: elapsed_ns, cpu_ns (of this process alone) and latencies_ns,
 * one per launch. WARM_UP launches before that are not counted. The files STDOUT and
 * STDERR hold what every launch must print; a launch that prints anything else or does
 * not exit with status 0 ends the run with exit status 1. argv[0] of the program is
 * PROGRAM; its environment is ours.
 *
 * This is the yardstick of `agent-exec bench launch`: each launch does what a launcher
 * cannot leave out, with the cheapest system call that Linux has for it, and nothing
 * else. One thread: more than one spawning thread can beat it at IN_FLIGHT above 1,
 * because vfork suspends only the thread that spawns.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { MAX_LAUNCHES = 100000000, MAX_IN_FLIGHT = 1024, STACK_SIZE = 65536, READ_SIZE = 65536, N_EVENTS = 64 };

/* What an event is about; also the index of the two outputs. */
enum source { OUT, ERR, EXITED };

struct expected {
    char *bytes;
    size_t size;
};

/* One launch. `generation` tells its events from those of the slot's last user. */
struct slot {
    uint64_t started_ns;
    uint32_t generation;
    int fds[3]; /* by enum source; -1 once it is done with */
    size_t got[2];
};

/* Read by the child, which shares our memory; `error` is written by it. */
struct launch {
    int null_fd, out_fd, err_fd, directory_fd, program_fd;
    char **argv, **envp;
    uint64_t sigmask;
    volatile long error;
};

/* clone3(2), first version with set_tid left out: 64 bytes. */
struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

struct floor {
    struct launch launch;
    struct expected expected[2];
    struct slot *slots;
    size_t *idle; /* a stack of slots */
    size_t n_slots, n_idle;
    char *stack, *scratch;
    uint64_t *latencies_ns;
    size_t n_latencies;
    int epoll_fd;
};

static _Noreturn void
die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static _Noreturn void
die_wrong(const char *what, long value)
{
    fprintf(stderr, "floor: %s: %ld\n", what, value);
    exit(1);
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t
cpu_ns(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000U +
           (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000U;
}

/* The child may not use libc: errno and every lock in there are the parent's. */
#if defined(__x86_64__)
static inline long
raw(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((noinline)) static long
clone3_call(const struct clone3_args *args, size_t size, void (*child)(void *), void *argument)
{
    register long rax __asm__("rax") = SYS_clone3;
    register void (*r8)(void *) __asm__("r8") = child;
    register void *r9 __asm__("r9") = argument;

    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %%r9, %%rdi\n\t"
                     "callq *%%r8\n\t"
                     "ud2\n"
                     "1:"
                     : "+r"(rax)
                     : "D"(args), "S"(size), "r"(r8), "r"(r9)
                     : "rcx", "r11", "cc", "memory");
    return rax;
}
#elif defined(__aarch64__)
static inline long
raw(long number, long a, long b, long c, long d, long e)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
}

__attribute__((noinline)) static long
clone3_call(const struct clone3_args *args, size_t size, void (*child)(void *), void *argument)
{
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = (long)size;
    register void (*x5)(void *) __asm__("x5") = child;
    register void *x6 __asm__("x6") = argument;

    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, #0\n\t"
                     "mov x0, x6\n\t"
                     "blr x5\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x5), "r"(x6)
                     : "cc", "memory");
    return x0;
}
#else
#error "only x86-64 and arm64 are supported"
#endif

/* child_main - become the program, or say why not.
 *
 * Context   The child, on a stack of its own in the parent's memory; the parent thread
 *           is suspended, and all signals are blocked.
 * Calls     System calls only.
 * Ensures   Never returns. `error` is the errno of what failed, if anything did.
 */
__attribute__((no_stack_protector)) static void
child_main(void *argument)
{
    struct launch *launch = argument;
    long result;

    if ((result = raw(SYS_dup3, launch->null_fd, 0, 0, 0, 0)) >= 0 &&
        (result = raw(SYS_dup3, launch->out_fd, 1, 0, 0, 0)) >= 0 &&
        (result = raw(SYS_dup3, launch->err_fd, 2, 0, 0, 0)) >= 0 &&
        (result = raw(SYS_fchdir, launch->directory_fd, 0, 0, 0, 0)) >= 0 &&
        (result = raw(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC, 0, 0)) >= 0 &&
        (result = raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&launch->sigmask, 0,
                      sizeof launch->sigmask, 0)) >= 0)
        result = raw(SYS_execveat, launch->program_fd, (long)"", (long)launch->argv,
                     (long)launch->envp, AT_EMPTY_PATH);
    launch->error = -result;
    for (;;)
        raw(SYS_exit_group, 127, 0, 0, 0, 0);
}

/* spawn - start the program. Returns its pidfd, close-on-exec, owned by the caller. */
static int
spawn(struct floor *floor)
{
    int pidfd = -1;
    uint64_t all = ~(uint64_t)0;
    struct clone3_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)floor->stack,
        .stack_size = STACK_SIZE,
    };
    long pid;

    floor->launch.error = 0;
    raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&floor->launch.sigmask, sizeof all, 0);
    pid = clone3_call(&args, sizeof args, child_main, &floor->launch);
    raw(SYS_rt_sigprocmask, SIG_SETMASK, (long)&floor->launch.sigmask, 0, sizeof all, 0);
    if (pid < 0) {
        errno = (int)-pid;
        die("clone3");
    }
    if (floor->launch.error != 0) {
        errno = (int)floor->launch.error;
        die("the child before exec");
    }
    return pidfd;
}

static void
watch(struct floor *floor, size_t index, enum source source)
{
    struct slot *slot = &floor->slots[index];
    struct epoll_event event = {
        .events = EPOLLIN,
        .data.u64 = (uint64_t)slot->generation << 32 | index << 2 | source,
    };

    if (epoll_ctl(floor->epoll_fd, EPOLL_CTL_ADD, slot->fds[source], &event) < 0)
        die("epoll_ctl");
}

/* A child that has not exec'd yet still holds the file: closing alone would leave it
 * registered. */
static void
forget(struct floor *floor, struct slot *slot, enum source source)
{
    if (epoll_ctl(floor->epoll_fd, EPOLL_CTL_DEL, slot->fds[source], NULL) < 0)
        die("epoll_ctl");
    close(slot->fds[source]);
    slot->fds[source] = -1;
}

static void
start(struct floor *floor)
{
    size_t index = floor->idle[--floor->n_idle];
    struct slot *slot = &floor->slots[index];
    int out[2], err[2];

    slot->started_ns = now_ns();
    slot->generation++;
    slot->got[OUT] = slot->got[ERR] = 0;
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        die("pipe2");
    floor->launch.out_fd = out[1];
    floor->launch.err_fd = err[1];
    slot->fds[OUT] = out[0];
    slot->fds[ERR] = err[0];
    slot->fds[EXITED] = spawn(floor);
    close(out[1]);
    close(err[1]);
    for (enum source source = OUT; source <= EXITED; source++)
        watch(floor, index, source);
}

/* Reads once, and to the end where nobody writes any more: the pipe would block. */
static void
take_output(struct floor *floor, struct slot *slot, enum source source, bool hung_up)
{
    const struct expected *expected = &floor->expected[source];
    ssize_t n;

    do {
        n = read(slot->fds[source], floor->scratch, READ_SIZE);
        if (n < 0)
            die("read");
        if ((size_t)n > expected->size - slot->got[source] ||
            memcmp(floor->scratch, expected->bytes + slot->got[source], (size_t)n) != 0)
            die_wrong("wrong output near byte", (long)slot->got[source]);
        slot->got[source] += (size_t)n;
    } while (n > 0 && hung_up);
    if (n == 0) {
        if (slot->got[source] != expected->size)
            die_wrong("too few bytes of output", (long)slot->got[source]);
        forget(floor, slot, source);
    }
}

static void
take_status(struct floor *floor, struct slot *slot)
{
    siginfo_t info;

    if (waitid((idtype_t)P_PIDFD, (id_t)slot->fds[EXITED], &info, WEXITED) < 0)
        die("waitid");
    if (info.si_code != CLD_EXITED || info.si_status != 0)
        die_wrong("wrong exit status or signal", info.si_status);
    forget(floor, slot, EXITED);
}

/* handle - take what one event brings. True when that ended a launch. */
static bool
handle(struct floor *floor, const struct epoll_event *event)
{
    uint64_t tag = event->data.u64;
    enum source source = tag & 3;
    size_t index = (tag & 0xffffffff) >> 2;
    struct slot *slot = &floor->slots[index];

    if (slot->generation != tag >> 32 || slot->fds[source] < 0)
        return false;
    if (source == EXITED)
        take_status(floor, slot);
    else
        take_output(floor, slot, source, event->events & EPOLLHUP);
    if (slot->fds[OUT] >= 0 || slot->fds[ERR] >= 0 || slot->fds[EXITED] >= 0)
        return false;
    floor->latencies_ns[floor->n_latencies++] = now_ns() - slot->started_ns;
    floor->idle[floor->n_idle++] = index;
    return true;
}

static void
run(struct floor *floor, size_t launches)
{
    struct epoll_event events[N_EVENTS];
    size_t started = 0, ended = 0;

    floor->n_latencies = 0;
    while (ended < launches) {
        int n;

        while (floor->n_idle > 0 && started < launches) {
            start(floor);
            started++;
        }
        n = epoll_wait(floor->epoll_fd, events, N_EVENTS, -1);
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++)
            if (handle(floor, &events[i]))
                ended++;
    }
}

static void *
allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);

    if (memory == NULL)
        die("calloc");
    return memory;
}

static struct expected
read_expected(const char *path)
{
    struct expected expected;
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) < 0)
        die(path);
    expected.size = (size_t)status.st_size;
    expected.bytes = allocate(expected.size, 1);
    if (read(fd, expected.bytes, expected.size) != (ssize_t)expected.size)
        die(path);
    close(fd);
    return expected;
}

static int
open_or_die(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0)
        die(path);
    return fd;
}

static size_t
number(const char *word, size_t least, size_t most)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10);

    if (*word == '\0' || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "floor: %s: not a number from %zu to %zu\n", word, least, most);
        exit(2);
    }
    return value;
}

int
main(int argc, char **argv)
{
    struct floor floor = {0};
    size_t launches, warm_up;
    uint64_t elapsed, cpu;

    if (argc < 8) {
        fputs("usage: floor LAUNCHES IN_FLIGHT WARM_UP DIRECTORY STDOUT STDERR PROGRAM "
              "[ARGUMENT...]\n", stderr);
        return 2;
    }
    launches = number(argv[1], 1, MAX_LAUNCHES);
    floor.n_slots = number(argv[2], 1, MAX_IN_FLIGHT);
    warm_up = number(argv[3], 0, MAX_LAUNCHES);
    floor.launch.directory_fd = open_or_die(argv[4], O_PATH | O_DIRECTORY);
    floor.expected[OUT] = read_expected(argv[5]);
    floor.expected[ERR] = read_expected(argv[6]);
    floor.launch.program_fd = open_or_die(argv[7], O_PATH);
    floor.launch.null_fd = open_or_die("/dev/null", O_RDONLY);
    floor.launch.argv = &argv[7];
    floor.launch.envp = environ;
    floor.scratch = allocate(READ_SIZE, 1);
    floor.slots = allocate(floor.n_slots, sizeof *floor.slots);
    floor.idle = allocate(floor.n_slots, sizeof *floor.idle);
    floor.latencies_ns = allocate(launches > warm_up ? launches : warm_up, sizeof(uint64_t));
    for (size_t i = 0; i < floor.n_slots; i++)
        floor.idle[floor.n_idle++] = i;
    floor.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (floor.epoll_fd < 0)
        die("epoll_create1");
    floor.stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (floor.stack == MAP_FAILED)
        die("mmap");

    run(&floor, warm_up);
    cpu = cpu_ns();
    elapsed = now_ns();
    run(&floor, launches);
    elapsed = now_ns() - elapsed;
    cpu = cpu_ns() - cpu;

    printf("{\"elapsed_ns\": %llu, \"cpu_ns\": %llu, \"latencies_ns\": [",
           (unsigned long long)elapsed, (unsigned long long)cpu);
    for (size_t i = 0; i < launches; i++)
        printf("%s%llu", i > 0 ? ", " : "", (unsigned long long)floor.latencies_ns[i]);
    puts("]}");
    return 0;
}
