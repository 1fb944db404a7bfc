/* filter.h - a seccomp filter, and the thread that carries one.
 *
 * What a thread carries, its children inherit. It cannot be put down again.
 */
#ifndef AX_FILTER_H
#define AX_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AX_MOST_CODE = 4096 }; /* instructions: BPF_MAXINSNS */

struct ax_filter {
    const struct sock_filter *code; /* NULL: there is no filter */
    unsigned short n;               /* instructions */
    /* What opens the calls that the filter lets through to us alone, in argument registers
     * that they do not use: see docs/concepts/seccomp.md. */
    uint64_t secret[2];
};

bool ax_filter_is(const struct ax_filter *one, const struct ax_filter *other);
int ax_filter_carry(const struct ax_filter *filter);
const struct ax_filter *ax_filter_carried(void);
void ax_filter_secret(uint64_t secret[2]);

#endif
