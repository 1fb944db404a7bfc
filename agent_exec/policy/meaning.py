"""What a part of a command means: effects, and commands that it would run in turn."""

from __future__ import annotations

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import Source
from agent_exec.named_tuple import NamedTuple
from agent_exec.named_tuple import new as _new

# Named by many commands. To read or to write them concerns no file that the call does not
# show; to run them is to run what nobody knows yet, and to delete them is what it says.
_STREAMS = frozenset({"-", "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr"})


class Inner(NamedTuple):
    """A command inside a command."""

    argv: tuple[str, ...]
    patterns: frozenset[int] = frozenset()
    """Indices of words that stand for any number of names of files."""
    more: tuple[str, ...] | None = None
    """See `agent_exec.model.request.Command.more`."""
    variables: tuple[tuple[str, str], ...] = ()
    stdin: Source | None = None
    """None: that of the outer command; the same for `cwd`."""
    cwd: str | None = None
    """Relative to that of the outer command, or absolute."""


class Meaning(NamedTuple):
    """Of a word, a text or an argument vector. All empty: it only computes."""

    effects: tuple[Effect, ...] = ()
    inner: tuple[Inner, ...] = ()
    texts: tuple[str, ...] = ()
    """Shell texts that would be run."""
    plain: tuple[str, ...] = ()
    """Directories: that is all, if no name beneath them has blanks, quotes or backslashes."""
    closed: tuple[str, ...] = ()
    """Directories: that is all, if no link beneath them leads out of them."""


def unknown(because: str) -> Meaning:
    """Of what is not understood."""
    return Meaning((Effect(EffectKind.UNKNOWN, because=because),))


def on(kind: EffectKind, path: str | None, because: str = "") -> tuple[Effect, ...]:
    """An effect on a path; none where the path is no file."""
    if path not in _STREAMS or kind is EffectKind.DELETE:
        return (_new(Effect, (kind, path, None, because)),)
    if kind is EffectKind.EXECUTE and path != "/dev/null":
        return (Effect(kind, because=because or "runs what its input says"),)
    return ()
