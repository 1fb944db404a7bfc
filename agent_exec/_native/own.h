/* own.h - the descriptors of an engine's threads, in a table of their own. */
#ifndef AX_OWN_H
#define AX_OWN_H

#include "engine_state.h"

/* Of epoll: who rang. All others are a task's. */
#define AX_TAG_WAKE UINT64_MAX
#define AX_TAG_TIMER (UINT64_MAX - 1)

int ax_own_open(struct ax_engine *engine);
void ax_own_close(struct ax_engine *engine);

#endif
