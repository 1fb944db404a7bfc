/* sys.h - system calls without libc, for code that shares memory with its parent.
 *
 * libc's wrappers write errno, which under CLONE_VM is the parent thread's. These
 * return -errno instead and touch nothing else.
 */
#ifndef AX_SYS_H
#define AX_SYS_H

#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long
ax_sys6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* Between two looks at a variable that another thread will write. */
static inline void
ax_relax(void)
{
    __builtin_ia32_pause();
}

#elif defined(__aarch64__)

static inline void
ax_relax(void)
{
    __asm__ volatile("yield");
}

static inline long
ax_sys6(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

#else
#error "the native launcher knows x86-64 and arm64; build without it elsewhere"
#endif

#define ax_sys(number, a, b, c, d, e)                                              \
    ax_sys6((number), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0L)

/* Newer than the headers of the oldest distribution we build on. */
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#ifndef SYS_landlock_add_rule
#define SYS_landlock_add_rule 445
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* A function that runs without libc and its set-up. The sanitizers' shadow memory and the
 * stack canary are not its own. */
#if defined(__clang__)
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread"), no_stack_protector))
#else
#define IN_CHILD \
    __attribute__((no_sanitize("address"), no_sanitize("undefined"), no_sanitize("thread"), \
                   no_stack_protector))
#endif

#endif
