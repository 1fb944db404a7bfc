/* filter.c - see filter.h. */
#define _GNU_SOURCE
#include "filter.h"
#include "sys.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static _Thread_local const struct ax_filter *carried;

bool
ax_filter_is(const struct ax_filter *one, const struct ax_filter *other)
{
    return one->n == other->n && one->secret[0] == other->secret[0] &&
           one->secret[1] == other->secret[1] &&
           memcmp(one->code, other->code, one->n * sizeof *one->code) == 0;
}

/* ax_filter_carry - put `filter` on the calling thread, for good, and no_new_privs with it.
 *
 * Borrows   The filter, until the thread ends.
 * Ensures   0; or an errno: ENOMEM, EINVAL, or what a filter of somebody else's says. The
 *           other threads of the process stay as they are.
 * Source    seccomp(2): without SECCOMP_FILTER_FLAG_TSYNC it is the thread's.
 */
int
ax_filter_carry(const struct ax_filter *filter)
{
    struct sock_fprog program = {filter->n, (struct sock_filter *)filter->code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return errno;
    carried = filter;
    return 0;
}

/* What the calling thread carries, or NULL. */
const struct ax_filter *
ax_filter_carried(void)
{
    return carried;
}

/* The words for calls that the carried filter keeps from programs; zeros where there is none. */
void
ax_filter_secret(uint64_t secret[2])
{
    secret[0] = carried == NULL ? 0 : carried->secret[0];
    secret[1] = carried == NULL ? 0 : carried->secret[1];
}
