/* own.c - see own.h.
 *
 * The threads of an engine share a descriptor table of their own (close_range(2) with
 * CLOSE_RANGE_UNSHARE), holding nothing but what they opened: a launch copies that small
 * table whatever the host has open, and neither a fork of the host nor the host's limit
 * on descriptors meets our pipes. What a plan names is imported by pidfd_getfd(2), which
 * is always permitted within a process unless a filter forbids it; then the host's table
 * is used.
 */
#define _GNU_SOURCE
#include "own.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Leave the host's descriptor table for a copy that holds nothing of the host's. */
static bool
leave_host_table(struct ax_engine *engine)
{
    int null;

    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE) < 0)
        return false;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* Neither may the host's 0, 1 and 2 stay open because of us. */
    for (int fd = 0; fd < 3; fd++)
        if (fd != null)
            dup3(null, fd, O_CLOEXEC);
    engine->own.dev_null = fcntl(null, F_DUPFD_CLOEXEC, 3);
    if (null > 2)
        close(null);
    engine->own.loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    engine->own.self_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return true;
}

/* pidfd_getfd(2) of ourselves: 5.6, and forbidden by some container filters. */
static bool
can_import(const struct ax_engine *engine)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, engine->wake_fd, 0);

    if (copy >= 0)
        close(copy);
    if (pidfd >= 0)
        close(pidfd);
    return copy >= 0;
}

/* ax_own_open - what the threads of an engine open for themselves.
 *
 * Context   The first of them, with the lock.
 * Ensures   0, or an errno and nothing is left but what ax_own_close() closes.
 */
int
ax_own_open(struct ax_engine *engine)
{
    struct epoll_event wake = {.events = EPOLLIN, .data.u64 = AX_TAG_WAKE};
    struct epoll_event timer = {.events = EPOLLIN, .data.u64 = AX_TAG_TIMER};

    engine->own = engine->host;
    engine->own_wake_fd = engine->wake_fd;
    engine->own_promote_fd = engine->promote_fd;
    engine->own_timer_fd = engine->timer_fd;
    if (can_import(engine) && leave_host_table(engine)) {
        if (engine->own.dev_null < 0 || engine->own.self_pidfd < 0)
            return errno;
        engine->own_wake_fd = ax_table_borrow(&engine->own, engine->wake_fd);
        engine->own_promote_fd = ax_table_borrow(&engine->own, engine->promote_fd);
        engine->own_timer_fd = ax_table_borrow(&engine->own, engine->timer_fd);
        if (engine->own_wake_fd < 0 || engine->own_promote_fd < 0 || engine->own_timer_fd < 0)
            return errno;
    }
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    engine->watch_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (engine->epoll_fd < 0 || engine->watch_fd < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->own_wake_fd, &wake) < 0 ||
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, engine->own_timer_fd, &timer) < 0)
        return errno;
    return 0;
}

/* By a thread that works in the table which they are in. */
void
ax_own_close(struct ax_engine *engine)
{
    ax_close_fd(&engine->epoll_fd);
    ax_close_fd(&engine->watch_fd);
}
