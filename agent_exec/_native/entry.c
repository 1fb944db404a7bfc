/* entry.c - the entry point of the extension module, which the kernel runs like any static
 * program: no loader, no libc, no Python, a few pages of memory.
 *
 * So nothing in it may need a relocation or call anything but the kernel; a test looks
 * (tests/native/test_audit.py). The first word says which program it is.
 */
#include "entry.h"
#include "sys.h"

__asm__(".text\n"
        ".globl _start\n"
        ".hidden _start\n"
        ".type _start, %function\n"
        "_start:\n"
#if defined(__x86_64__)
        "xorl %ebp, %ebp\n"
        "movq %rsp, %rdi\n"
        "andq $-16, %rsp\n"
        "call ax_entry_main\n"
        "ud2\n"
#elif defined(__aarch64__)
        "mov x29, #0\n"
        "mov x30, #0\n"
        "mov x0, sp\n"
        "bl ax_entry_main\n"
        "brk #0\n"
#endif
        ".size _start, .-_start\n");

_Noreturn void ax_entry_main(long *stack);

__attribute__((used, visibility("hidden"))) IN_CHILD _Noreturn void
ax_entry_main(long *stack)
{
    const char *name = stack[0] > 0 ? (const char *)stack[1] : "";
    const char *inside = "/dev/agent_exec/inside";

    while (*inside != '\0' && *name == *inside) {
        name++;
        inside++;
    }
    if (*name == *inside)
        ax_inside_main(stack);
    ax_guardian_main(stack);
}
