/* table.h - the descriptor table that a thread works in. */
#ifndef AX_TABLE_H
#define AX_TABLE_H

struct ax_cgroup;

/* Threads of an engine leave the host's table; threads of the host stay in it. */
struct ax_table {
    int self_pidfd; /* of our own process, to import from the host's table; -1: this is it */
    int dev_null;
    int loadavg; /* /proc/loadavg, or -1 */
    struct ax_cgroup *cgroup; /* where calls get cgroups of their own, or NULL */
};

void ax_table_guard_forks(void);
void ax_table_hold(const struct ax_table *table);
void ax_table_release(const struct ax_table *table);
int ax_table_borrow(const struct ax_table *table, int host_fd);
void ax_table_return(int borrowed, int host_fd, const struct ax_table *table);
int ax_pipe(int ends[2], int ours);

#endif
