/* version.c - print the number that has been written into this file after it was compiled. */
#include <stdio.h>

static const volatile char number[] = "@@@@@@@@";

int
main(void)
{
    for (int i = 0; i < 8; i++)
        putchar(number[i]);
    putchar('\n');
    return 0;
}
