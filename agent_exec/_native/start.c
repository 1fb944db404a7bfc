/* start.c - see start.h. */
#define _GNU_SOURCE
#include "start.h"
#include "sys.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void
give_up_launch(struct ax_job *job, size_t stage, enum ax_step step, int error, int action)
{
    job->cause = AX_NOT_LAUNCHED;
    job->failed_stage = stage;
    job->failure = (struct ax_failure){.step = (int)step, .error = error, .action = action};
}

/* Does an action name a descriptor that must be brought along? 0, 1 and 2 are the child's
 * own, wired before. */
bool
ax_action_has_source(const struct ax_action *action)
{
    return action->host_fd > 2 && (action->type == AX_DUP2 || action->type == AX_FCHDIR ||
                                   action->type == AX_OPEN);
}

static void
return_stage(struct ax_stage *stage, const struct ax_table *table)
{
    struct ax_launch *launch = &stage->launch;

    ax_table_return(launch->program_fd, stage->host_program_fd, table);
    launch->program_fd = -1;
    ax_table_return(launch->confinement.ruleset_fd, stage->host_ruleset_fd, table);
    launch->confinement.ruleset_fd = -1;
    for (size_t i = 0; i < launch->n_actions; i++) {
        struct ax_action *action = &launch->actions[i];

        if (!ax_action_has_source(action))
            continue;
        ax_table_return(action->fd, action->host_fd, table);
        action->fd = -1;
    }
}

/* Bring the descriptors of a stage into the table that it is started from. What a failure
 * leaves behind, return_stage() gives back. */
static bool
borrow_stage(struct ax_job *job, size_t index)
{
    struct ax_stage *stage = &job->stages[index];
    struct ax_launch *launch = &stage->launch;

    launch->program_fd = ax_table_borrow(job->table, stage->host_program_fd);
    if (launch->program_fd < 0) {
        give_up_launch(job, index, AX_STEP_SPAWN, errno, -1);
        return false;
    }
    if (stage->host_ruleset_fd >= 0) {
        launch->confinement.ruleset_fd = ax_table_borrow(job->table, stage->host_ruleset_fd);
        if (launch->confinement.ruleset_fd < 0) {
            give_up_launch(job, index, AX_STEP_SANDBOX, errno, -1);
            return false;
        }
    }
    for (size_t i = 0; i < launch->n_actions; i++) {
        struct ax_action *action = &launch->actions[i];
        enum ax_step step = action->type == AX_FCHDIR ? AX_STEP_CWD : AX_STEP_STDIO;

        /* Numbers above 2 mean nothing in a table that is not the host's, and the child
         * would close them anyway. */
        if ((action->type == AX_DUP2 || action->type == AX_OPEN) && action->newfd > 2) {
            give_up_launch(job, index, step, EINVAL, (int)i);
            return false;
        }
        if (!ax_action_has_source(action))
            continue;
        action->fd = ax_table_borrow(job->table, action->host_fd);
        if (action->fd < 0) {
            give_up_launch(job, index, step, errno, (int)i);
            return false;
        }
    }
    return true;
}

/* Every template is looked at before anything starts: a stale one must not be found out
 * when half of a pipeline runs. */
static bool
check_templates(struct ax_job *job)
{
    struct ax_credentials now;

    if (ax_credentials_get(&now) < 0) {
        give_up_launch(job, 0, AX_STEP_SPAWN, errno, -1);
        return false;
    }
    for (size_t i = 0; i < job->n_stages; i++) {
        struct ax_stage *stage = &job->stages[i];
        struct ax_failure failure = ax_template_check(&stage->launch, stage->maker,
                                                      stage->maker_size, &now);

        if (failure.step != AX_STEP_NONE) {
            give_up_launch(job, i, (enum ax_step)failure.step, failure.error, -1);
            return false;
        }
    }
    return true;
}

static bool
set_end(struct ax_end *end, int fd, bool owned)
{
    end->owned = owned;
    end->fd = fd;
    return fd >= 0;
}

/* A descriptor of the host's as an end of a child. */
static bool
borrow_end(const struct ax_job *job, struct ax_end *end, int host_fd)
{
    int fd = ax_table_borrow(job->table, host_fd);

    return set_end(end, fd, job->table->self_pidfd >= 0 || fd != host_fd);
}

static void
close_end(struct ax_end *end)
{
    if (end->owned && end->fd >= 0)
        close(end->fd);
    end->fd = -1;
}

static void
close_ends(struct ax_ends *ends)
{
    close_end(&ends->input);
    close_end(&ends->next_input);
    close_end(&ends->link);
    close_end(&ends->outputs[0]);
    close_end(&ends->outputs[1]);
}

/* A pipe of ours and the child's: `ours` is the index of the end that the job keeps. */
static bool
open_pipe(const struct ax_job *job, int ours, int *kept, struct ax_end *end)
{
    int pipe[2];
    bool ok;

    ax_table_hold(job->table);
    ok = ax_pipe(pipe, ours) == 0;
    if (ok) {
        *kept = pipe[ours];
        set_end(end, pipe[1 - ours], true);
    }
    ax_table_release(job->table);
    return ok;
}

/* A pipe between two stages. */
static bool
open_link(const struct ax_job *job, struct ax_ends *ends)
{
    int pipe[2];
    bool ok;

    ax_table_hold(job->table);
    ok = ax_pipe(pipe, -1) == 0;
    if (ok) {
        set_end(&ends->next_input, pipe[0], true);
        set_end(&ends->link, pipe[1], true);
    }
    ax_table_release(job->table);
    return ok;
}

static bool
open_input(struct ax_job *job)
{
    if (job->input_from >= 0)
        return borrow_end(job, &job->ends.input, job->input_from);
    if (job->input_from == AX_FROM_NULL || job->input_size == 0)
        return set_end(&job->ends.input, job->table->dev_null, false);
    if (!open_pipe(job, 1, &job->input_fd, &job->ends.input))
        return false;
    ax_job_write_input(job); /* small input fits the pipe and needs no watching */
    return true;
}

static bool
open_output(struct ax_job *job, int which)
{
    struct ax_stream *stream = &job->streams[which];

    if (stream->to >= 0)
        return borrow_end(job, &job->ends.outputs[which], stream->to);
    if (stream->to == AX_FROM_NULL)
        return set_end(&job->ends.outputs[which], job->table->dev_null, false);
    if (stream->spill_to >= 0) {
        stream->capture.spill_fd = ax_table_borrow(job->table, stream->spill_to);
        if (stream->capture.spill_fd < 0)
            return false;
    }
    return open_pipe(job, 0, &stream->fd, &job->ends.outputs[which]);
}

/* ax_job_forget - in a process that was forked from ours: close our copies of the pipes of
 * a job that runs there, so that its ends of file come when they should. */
void
ax_job_forget(struct ax_job *job)
{
    close_ends(&job->ends);
    for (int i = 0; i < 2; i++)
        if (job->streams[i].fd >= 0)
            close(job->streams[i].fd);
    if (job->input_fd >= 0)
        close(job->input_fd);
}

/* From here on the child is the stage's, and ax_job_kill_launch() leaves it alone. */
static void
take_child(struct ax_job *job, struct ax_stage *stage, pid_t pid)
{
    int pidfd;

    pthread_mutex_lock(&job->launching);
    pidfd = stage->launch.pidfd;
    stage->launch.pidfd = -1;
    pthread_mutex_unlock(&job->launching);
    if (pid < 0) {
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    stage->pid = pid;
    stage->pidfd = pidfd;
    job->n_running++;
}

/* ax_job_kill_launch - end a launch that hangs in its exec (a file system that does not
 * answer): the thread that started it then goes on.
 *
 * Context   Any thread that works in `table`.
 */
void
ax_job_kill_launch(struct ax_job *job, const struct ax_table *table)
{
    pthread_mutex_lock(&job->launching);
    for (size_t i = 0; i < job->n_stages; i++) {
        int pidfd = job->stages[i].launch.pidfd;
        int here = pidfd < 0 || job->table == table ? pidfd : ax_table_borrow(table, pidfd);

        if (here < 0)
            continue;
        (void)syscall(SYS_pidfd_send_signal, here, SIGKILL, NULL, 0);
        if (job->table != table)
            ax_table_return(here, pidfd, table);
    }
    pthread_mutex_unlock(&job->launching);
}

static bool
start_each(struct ax_job *job, const struct ax_stack *stack, struct ax_found *found)
{
    struct ax_ends *ends = &job->ends;

    for (size_t i = 0; i < job->n_stages; i++) {
        struct ax_stage *stage = &job->stages[i];
        struct ax_launch *launch = &stage->launch;
        bool last = i + 1 == job->n_stages;
        pid_t pid;

        if (!last && !open_link(job, ends)) {
            give_up_launch(job, i, AX_STEP_STDIO, errno, -1);
            return false;
        }
        launch->stdio[0] = ends->input.fd;
        launch->stdio[1] = last ? ends->outputs[0].fd : ends->link.fd;
        launch->stdio[2] = ends->outputs[1].fd;
        launch->cgroup_fd = job->leaf != NULL ? job->leaf->dir_fd : 0;
        launch->pid = ax_recent_reserve(job->recent);
        pid = ax_spawn(launch, stack, found);
        take_child(job, stage, pid);
        if (pid > 0 && launch->cgroup_error != 0) {
            job->contained = false;
            job->leaf_refused = launch->cgroup_error;
        }
        ax_table_hold(job->table);
        close_end(&ends->input);
        close_end(&ends->link);
        ends->input = ends->next_input;
        ends->next_input.fd = -1;
        ax_table_release(job->table);
        if (pid < 0) {
            give_up_launch(job, i, (enum ax_step)launch->failure.step, launch->failure.error,
                           launch->failure.action);
            return false;
        }
    }
    return true;
}

/* ax_start_stages - start every stage of a job, or say in job->failure which did not start.
 *
 * Context   A thread that works in job->table. Blocks until each child has exec'd.
 * Ensures   True and all run; or false, and those before the failed one run.
 */
bool
ax_start_stages(struct ax_job *job, const struct ax_stack *stack, struct ax_found *found)
{
    bool ok = true;

    for (size_t i = 0; ok && i < job->n_stages; i++)
        ok = borrow_stage(job, i);
    ok = ok && check_templates(job);
    if (ok && !(open_input(job) && open_output(job, 0) &&
                open_output(job, 1))) {
        give_up_launch(job, 0, AX_STEP_STDIO, errno, -1);
        ok = false;
    }
    ok = ok && start_each(job, stack, found);
    ax_table_hold(job->table);
    close_ends(&job->ends);
    ax_table_release(job->table);
    for (size_t i = 0; i < job->n_stages; i++)
        return_stage(&job->stages[i], job->table);
    return ok;
}
