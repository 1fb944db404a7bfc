/* identity.h - is the file, and are we, what a template remembers? */
#ifndef AX_IDENTITY_H
#define AX_IDENTITY_H

#include "launch.h"

/* Who we are, as far as numbers tell. Compared as bytes. */
struct ax_credentials {
    uint32_t pid;
    uint32_t uids[4], gids[4]; /* real, effective, saved, file system */
    uint32_t capabilities[6];  /* effective, permitted, inheritable; low and high words */
    uint32_t securebits;
    uint32_t n_groups;
    uint64_t groups;           /* FNV-1a of the supplementary groups */
};

int ax_credentials_get(struct ax_credentials *now);
struct ax_failure ax_template_check(const struct ax_launch *launch,
                                    const char *maker, size_t maker_size,
                                    const struct ax_credentials *now);

#endif
