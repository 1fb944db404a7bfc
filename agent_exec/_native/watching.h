/* watching.h - what the leader does: see what happens to running tasks, keep their time, and
 * hand out those that have ended. By threads of the engine, with the lock. */
#ifndef AX_WATCHING_H
#define AX_WATCHING_H

#include "engine_state.h"

void ax_task_watch(struct ax_engine *engine, struct ax_task *task);
void ax_task_end(struct ax_engine *engine, struct ax_task *task);
void ax_events_wait(struct ax_engine *engine);

#endif
