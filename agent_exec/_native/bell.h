/* bell.h - eventfds, and how an event loop is woken by one.
 *
 * To wake a sleeping processor takes about as long as to finish a job. So where a job is
 * about to end, its loop is woken ahead: both then happen at the same time.
 */
#ifndef AX_BELL_H
#define AX_BELL_H

#include <stdatomic.h>

enum ax_bell_state {
    AX_BELL_QUIET = 0,
    AX_BELL_ANNOUNCED, /* rung ahead; the loop has not looked yet */
    AX_BELL_AWAITED,   /* the loop has, and waits awake */
};

struct ax_bell {
    int fd; /* an eventfd in the table of the engine's threads, or -1 */
    atomic_int state;
};

void ax_ring(int event_fd);
void ax_silence(int event_fd);
void ax_bell_announce(struct ax_bell *bell);
void ax_bell_ring(struct ax_bell *bell);
void ax_bell_await(struct ax_bell *bell);

#endif
