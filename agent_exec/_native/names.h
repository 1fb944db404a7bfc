/* names.h - the words that Python values are read by. */
#ifndef AX_NAMES_H
#define AX_NAMES_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* The attributes that plans are read by; interned once per interpreter. */
#define AX_NAMES(name)                                                                     \
    name(actions) name(arg) name(argv) name(called) name(cap) name(credentials)            \
    name(confinement) name(ctime_ns)                                                       \
    name(dev) name(die_with_parent) name(drain_s) name(envp) name(executable) name(fd)     \
    name(filter) name(hard) name(landlock) name(landlock_flags) name(nice)                 \
    name(no_new_privs) name(program) name(resource) name(rlimits) name(secret) name(soft)  \
    name(umask)                                                                            \
    name(flags) name(gid) name(grace_s) name(head_bytes) name(identity) name(inherit_fds)  \
    name(ino) name(limits) name(mark) name(mode) name(mtime_ns) name(newfd) name(path)     \
    name(reset_signals) name(resolve) name(script) name(session) name(size) name(stages)   \
    name(stderr) name(stderr_spill) name(stdin) name(stdout) name(stdout_spill)            \
    name(survivors) name(tail_bytes) name(timeout_s) name(type) name(uid)

struct ax_names {
#define AX_NAME(name) PyObject *name##_;
    AX_NAMES(AX_NAME)
#undef AX_NAME
};

int ax_names_init(struct ax_names *names);
void ax_names_clear(struct ax_names *names);

#endif
