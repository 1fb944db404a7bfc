"""Where ``cd`` goes: by the words of the path, links or not, as bash does it."""

from __future__ import annotations

from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex

# Another file for each process: what a shell sees there is its own.
_OF_EACH_PROCESS = regex(
    r"/(?:dev/(?:fd(?:/|$)|std(?:in|out|err)$|tty$)|proc/(?:thread-)?self(?:/|$))"
)


class Way(NamedTuple):
    """Of ``cd``."""

    end: str
    """The directory, absolute, that becomes the current one."""
    taken_back: tuple[str, ...]
    """The directories that ``..`` takes back. bash goes this way only where all of them are."""


def may_enter(target: str) -> bool:
    """Is where ``cd TARGET`` goes certain, if it goes there at all?"""
    # Two leading slashes may be another root; the empty one is where we are, or an error.
    return bool(target) and not target.startswith(("-", "//"))


def of_each_process(cwd: str, target: str) -> bool:
    """Is `target`, by its words, another file for each process?"""
    return _OF_EACH_PROCESS.match(logical(cwd, target).end) is not None


def logical(cwd: str, target: str) -> Way:
    """The way of ``cd TARGET``. ``..`` takes back a name, even that of a link."""
    names = [] if target.startswith("/") else [name for name in cwd.split("/") if name]
    taken_back = []
    for name in target.split("/"):
        if name == "..":
            if names:
                taken_back.append(_path(names))
                names.pop()
        elif name not in ("", "."):
            names.append(name)
    return Way(_path(names), tuple(taken_back))


def _path(names: list[str]) -> str:
    return "/" + "/".join(names)
