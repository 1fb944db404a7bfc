/* start.h - how the stages of a job are started. */
#ifndef AX_START_H
#define AX_START_H

#include "job.h"

bool ax_action_has_source(const struct ax_action *action);
bool ax_start_stages(struct ax_job *job, const struct ax_stack *stack, struct ax_found *found);
void ax_job_forget(struct ax_job *job);
void ax_job_kill_launch(struct ax_job *job, const struct ax_table *table);

#endif
