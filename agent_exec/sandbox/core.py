"""What of a sandbox the C core does: many system calls in one go, without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable

from agent_exec.named_tuple import NamedTuple


class Core(NamedTuple):
    """Handed in: only `agent_exec.launch` knows the C core. Each may be called from any thread."""

    make_rule_set: Callable[[bytes, bytes, int, int, int], tuple[int, bytes]]
    """From: `landlock.attribute`, `landlock.rules`, what may be said of files, a descriptor that
    has a rule of its own, or -1, and its access. To: a descriptor, close-on-exec, and what each
    path named, for `landlock.places`. Raises OSError; then nothing is left."""
    rules_hold: Callable[[bytes, bytes], bool]
    """From: rules, and what their paths named. Do they still? Where a link is now, nothing is."""
    is_empty: Callable[[bytes, int], bool]
    """Is the path a directory of that mode, with nothing in it? Raises OSError."""
