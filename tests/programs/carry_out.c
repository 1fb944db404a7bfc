/* carry_out ORDER... - WORD... - carry out orders as the first process inside bubblewrap does.
 *
 * Built with the sanitizers, which the code itself leaves out: it runs without libc's set-up. Each
 * word lies in memory of its own, exactly as long as it is.
 */
#include "sys.h"
#undef IN_CHILD
#define IN_CHILD
#include "inside.c"

#include <stdlib.h>
#include <string.h>

/* All of it is needed until the end. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static char **
copy(char **to, char **words)
{
    for (; *words != NULL; words++, to++) {
        *to = strdup(*words);
        if (*to == NULL)
            exit(99);
    }
    *to = NULL;
    return to + 1;
}

int
main(int argc, char **argv, char **envp)
{
    size_t n = 0;
    char **stack;

    while (envp[n] != NULL)
        n++;
    stack = calloc((size_t)argc + n + 3, sizeof *stack);
    if (stack == NULL || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        exit(99);
    stack[0] = (char *)(intptr_t)argc;
    copy(copy(stack + 1, argv), envp);
    ax_inside_main((long *)(void *)stack);
}
