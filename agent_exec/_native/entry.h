/* entry.h - the programs that the extension module is when the kernel runs it as one. */
#ifndef AX_ENTRY_H
#define AX_ENTRY_H

/* Each takes the stack as the kernel has made it: argc, argv, NULL, envp, NULL. */
_Noreturn void ax_guardian_main(const long *stack);
_Noreturn void ax_inside_main(long *stack);

#endif
