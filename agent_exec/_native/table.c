/* table.c - see table.h. */
#define _GNU_SOURCE
#include "table.h"
#include "filter.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/* Read-locked by whoever holds a table, of whom there may be many; write-locked by a fork. */
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP /* glibc: a fork is not kept waiting */
#define NO_FORK_INITIALIZER PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#else
#define NO_FORK_INITIALIZER PTHREAD_RWLOCK_INITIALIZER
#endif

static pthread_rwlock_t no_fork = NO_FORK_INITIALIZER;

static void
forbid_forks(void)
{
    pthread_rwlock_wrlock(&no_fork);
}

static void
allow_forks(void)
{
    pthread_rwlock_unlock(&no_fork);
}

/* By the only thread of a forked process. Its number is not that of the thread which took the
 * lock, so it could not give it back. */
static void
renew_lock(void)
{
    no_fork = (pthread_rwlock_t)NO_FORK_INITIALIZER;
}

static void
register_guard(void)
{
    (void)pthread_atfork(forbid_forks, allow_forks, renew_lock);
}

/* ax_table_guard_forks - make fork(2) wait for ax_table_release(). May be called again. */
void
ax_table_guard_forks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, register_guard);
}

/* ax_table_hold - no fork copies `table` until ax_table_release(): what a descriptor of ours
 * is and what we noted of it change together, so that a forked child closes what it inherited
 * of us and nothing else. Short, no blocking call between, and not twice by one thread. */
void
ax_table_hold(const struct ax_table *table)
{
    if (table->self_pidfd < 0)
        pthread_rwlock_rdlock(&no_fork);
}

void
ax_table_release(const struct ax_table *table)
{
    if (table->self_pidfd < 0)
        pthread_rwlock_unlock(&no_fork);
}

/* ax_table_borrow - a host descriptor, usable in `table` and at least 3.
 *
 * Ensures   The number, or -1 and errno. Give it to ax_table_return() afterwards.
 * Source    pidfd_getfd(2): always permitted within one process.
 */
int
ax_table_borrow(const struct ax_table *table, int host_fd)
{
    if (table->self_pidfd >= 0) {
        uint64_t secret[2]; /* nothing to the call: for the filter that we may carry */

        ax_filter_secret(secret);
        return (int)syscall(SYS_pidfd_getfd, table->self_pidfd, host_fd, 0, secret[0],
                            secret[1]);
    }
    if (host_fd >= 3)
        return host_fd;
    return fcntl(host_fd, F_DUPFD_CLOEXEC, 3);
}

void
ax_table_return(int borrowed, int host_fd, const struct ax_table *table)
{
    if (borrowed >= 0 && (table->self_pidfd >= 0 || borrowed != host_fd))
        close(borrowed);
}

/* ax_pipe - a pipe whose ends are at least 3 and close-on-exec; `ours` (0, 1, or -1 for
 * neither) does not block. Ensures 0, or -1 and errno. */
int
ax_pipe(int ends[2], int ours)
{
    int error = 0;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (ends[i] < 3) { /* the host runs without standard descriptors */
            int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, 3);

            if (moved < 0)
                error = errno;
            else {
                close(ends[i]);
                ends[i] = moved;
            }
        }
    }
    if (error == 0 && ours >= 0 && fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0)
        error = errno;
    if (error == 0)
        return 0;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return -1;
}
