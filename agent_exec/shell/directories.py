"""Where ``cd`` goes: by the words of the path, links or not, as bash does it."""

from __future__ import annotations


def may_enter(target: str) -> bool:
    """Is where ``cd TARGET`` goes certain, if it goes there at all?"""
    # Two leading slashes may be another root; the empty one is where we are, or an error.
    return bool(target) and not target.startswith(("-", "//"))


def logical(cwd: str, target: str) -> str:
    """The directory, absolute, that ``cd TARGET`` makes the current one.

    ``..`` takes back a name, even that of a link.
    """
    names: list[str] = [] if target.startswith("/") else cwd.strip("/").split("/")
    for name in target.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return "/" + "/".join(name for name in names if name)
