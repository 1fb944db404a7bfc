"""What of a sandbox the C core does: many system calls in one go, without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from agent_exec.sandbox.landlock import Where


class Core(NamedTuple):
    """Handed in: only `agent_exec.launch` knows the C core. Each may be called from any thread."""

    make_rule_set: Callable[[bytes, bytes, int, int, int], tuple[int, bytes]]
    """From: `landlock.attribute`, `landlock.rules`, what may be said of files, a descriptor that
    has a rule of its own, or -1, and its access. To: a descriptor, close-on-exec, and what each
    path named, for `landlock.places`. Raises OSError; then nothing is left."""
    pack_places: Callable[[Mapping[str, Where]], bytes]
    """Questions: does the path still name that? Packed, one may stand behind another."""
    still_so: Callable[[bytes], bool]
    """Is it so, of all that was packed?"""
    is_empty: Callable[[bytes, int], bool]
    """Is the path a directory of that mode, with nothing in it? Raises OSError."""
