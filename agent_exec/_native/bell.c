/* bell.c - see bell.h. */
#define _GNU_SOURCE
#include "bell.h"
#include "clock.h"
#include "sys.h"

#include <errno.h>
#include <unistd.h>

static const uint64_t PATIENCE = 30000; /* ns for an event loop to wait awake */

void
ax_ring(int event_fd)
{
    uint64_t one = 1;

    while (write(event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void
ax_silence(int event_fd)
{
    uint64_t count;

    while (read(event_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* ax_bell_announce - wake the loop for what will be there in some microseconds.
 *
 * Context   A thread of the engine. ax_bell_ring() follows, sooner or later.
 */
void
ax_bell_announce(struct ax_bell *bell)
{
    if (bell->fd < 0)
        return;
    bell->state = AX_BELL_ANNOUNCED;
    ax_ring(bell->fd);
}

/* ax_bell_ring - wake the loop for what is there now, unless it was told and still listens. */
void
ax_bell_ring(struct ax_bell *bell)
{
    if (atomic_exchange(&bell->state, AX_BELL_QUIET) == AX_BELL_QUIET && bell->fd >= 0)
        ax_ring(bell->fd);
}

/* ax_bell_await - by the loop that was woken: when that was ahead, wait until the thing is
 * there, but not for long. Else it is rung for again. */
void
ax_bell_await(struct ax_bell *bell)
{
    int announced = AX_BELL_ANNOUNCED;
    uint64_t until;

    if (!atomic_compare_exchange_strong(&bell->state, &announced, AX_BELL_AWAITED))
        return;
    until = ax_now() + PATIENCE;
    while (bell->state == AX_BELL_AWAITED && ax_now() < until)
        ax_relax();
    bell->state = AX_BELL_QUIET;
}
