/* rule_set.h - a Landlock rule set, made in one go. */
#ifndef AX_RULE_SET_H
#define AX_RULE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a path named when its rule was made. sandbox/landlock.py, _PLACE. */
struct ax_place {
    uint64_t there; /* 0: nothing, or nothing that may be reached */
    uint64_t dev, ino;
};

/* What a rule set is to hold. */
struct ax_rules {
    const void *attribute; /* struct landlock_ruleset_attr, what it withholds first */
    size_t attribute_size;
    const char *rules; /* sandbox/landlock.py, _RULE: each an access and a path */
    size_t rules_size;
    uint64_t of_files; /* what may be said of what is no directory */
    int pinned;        /* a file that has `pinned_access`, whatever its path names; or -1 */
    uint64_t pinned_access;
};

ssize_t ax_rules_count(const char *rules, size_t size);
int ax_rule_set_make(const struct ax_rules *wanted, struct ax_place *places);
bool ax_rules_hold(const char *rules, size_t size, const struct ax_place *places);

#endif
