"""``agent-exec opencode install`` and ``uninstall``."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from typing import NamedTuple

import agent_exec
from agent_exec import AgentExecError, InvalidCall
from agent_exec.daemon.hook import absolute_policy, own_program
from agent_exec.daemon.protocol import PROTOCOL
from agent_exec.homes import home
from agent_exec.integrations import installed
from agent_exec.integrations.opencode.settings import MARK, take_back, with_ours
from agent_exec.schema.definition import definitions

HOST = "opencode"
SHELLS = ("guard", "replace", "leave")
_CONFIGURATIONS = ("opencode.json", "opencode.jsonc")
# Where there are tools, opencode installs a package of its own beside them and beside the user's
# configuration, and waits for it: a minute and more where there is no registry. Not where these
# say that it is there. Ours need none.
_LOCK = '{"lockfileVersion":3,"packages":{"":{"dependencies":{"@opencode-ai/plugin":"*"}}}}\n'
_KEEP = "node_modules/.agent_exec"
_OURS = (
    "agent_exec/client.js",
    "agent_exec/daemon.js",
    "agent_exec/live.js",
    "agent_exec/setup.js",
    "tools/exec.js",
    "tools/bash.js",
    "plugins/agent_exec.js",
)


class Options(NamedTuple):
    """What is to be installed, and where."""

    project: str = "."
    everywhere: bool = False
    """For all projects of the user, instead of one."""
    policy: str = "default"
    worktree: str | None = None
    """None: that of each session."""
    shell: str = "guard"
    """What becomes of the built-in shell tool; one of `SHELLS`."""
    mcp: bool = False
    """The tool comes from an MCP server, instead of a file."""
    offline: bool = False
    """No package registry can be reached."""


class Planned(NamedTuple):
    """One file that is to be written."""

    path: str
    before: bytes | None
    after: bytes

    def diff(self) -> str:
        """For people."""
        old = [] if self.before is None else self.before.decode("utf-8", "replace").splitlines()
        new = self.after.decode().splitlines()
        origin = os.devnull if self.before is None else self.path
        return "\n".join(difflib.unified_diff(old, new, origin, self.path, lineterm=""))


def prepare(options: Options, environ: Mapping[str, str] = os.environ) -> tuple[Planned, ...]:
    """The files, without those that are as they are to be already.

    Raises:
        InvalidCall: An option makes no sense, or a file of somebody else is in the way.
    """
    if options.shell not in SHELLS:
        raise InvalidCall(f"shell is {options.shell!r}, and has to be one of {', '.join(SHELLS)}")
    places = _Places.of(options, environ)
    wanted = {
        os.path.join(places.folder, name): content
        for name, content in _files(options, places).items()
    }
    for folder in (places.folder, *([places.home] if options.offline else ())):
        wanted |= _instead_of_packages(folder)
    planned = [_planned(path, content) for path, content in wanted.items()]
    ignored = os.path.join(places.folder, ".gitignore")
    if not options.everywhere and installed.read_file(ignored) is None:
        planned.append(Planned(ignored, None, _gitignore().encode()))
    planned.append(_configuration(options, places))
    return tuple([one for one in planned if one.before != one.after])


def install(options: Options, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Make the changes; what there is to say, line by line.

    What was installed there before, with other options or by another version, is taken back
    first.

    Raises:
        InvalidCall: A change cannot be made; then none is.
    """
    # Finds what is wrong before anything is taken back.
    if not prepare(options, environ):
        yield "it is there already"
        return
    for _ in _taken_back(_Places.of(options, environ)):
        pass
    made: list[installed.Change] = []
    planned = prepare(options, environ)
    try:
        for one in planned:
            made.append(  # noqa: PERF401 - known, should the next one fail
                installed.record_change(one.path, one.before, one.after, host=HOST, environ=environ)
            )
    except AgentExecError as error:
        if stays := _undone(made, environ):
            raise InvalidCall(
                f"{error}; what was written until then stays ({stays}): mend that, then run "
                "`agent-exec opencode uninstall`"
            ) from None
        raise
    for one in planned:
        yield f"wrote {one.path}"
    yield "start opencode anew to let it find them"


def uninstall(options: Options, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Take back what was installed there; what was done, line by line.

    Raises:
        InvalidCall: A file cannot be understood or written.
    """
    places = _Places.of(options, environ)
    done = [*_taken_back(places), *_without_record(places)]
    yield from done or [f"{places.folder} has nothing of ours"]


def _undone(made: Sequence[installed.Change], environ: Mapping[str, str]) -> str:
    """Take all that back; why some of it could not be, or nothing."""
    failed: list[str] = []
    for change in reversed(made):
        try:
            installed.undo(change, take_back, environ=environ)
        except AgentExecError as error:
            failed.append(str(error))
    return "; ".join(failed)


def _taken_back(places: _Places) -> Iterator[str]:
    changes = installed.changes(host=HOST, environ=places.environ)
    ours = [one for one in changes if places.has(one.path)]
    rest = [one for one in changes if one not in ours]
    # Beside the user's configuration, for whichever projects want it.
    shared = [os.path.join(places.home, name) for name in (_KEEP, "package-lock.json")]
    if all(one.path in shared for one in rest):
        ours = list(changes)
    for change in reversed(ours):
        if done := installed.undo(change, take_back, environ=places.environ):
            yield done


def _without_record(places: _Places) -> Iterator[str]:
    """Files of which the record is gone."""
    found = False
    for name in (*_OURS, _KEEP):
        path = os.path.join(places.folder, name)
        if (installed.read_file(path) or b"").startswith(MARK.encode()):
            found = True
            os.unlink(path)
            yield f"removed {path}"
            with suppress(OSError):  # somebody else has put something there
                os.rmdir(os.path.dirname(path))
    lock = os.path.join(places.folder, "package-lock.json")
    if installed.read_file(lock) == _LOCK.encode():
        os.unlink(lock)
        yield f"removed {lock}"
    path = places.configuration()
    before = installed.read_file(path)
    if found and before is not None:
        # As if there had been none of our entries before.
        left = take_back(before.decode(), b"{}") or ""
        change = installed.record_change(
            path, before, left.encode(), host=HOST, environ=places.environ
        )
        installed.forget(change, environ=places.environ)
        yield f"{path} is without our entries"


class _Places(NamedTuple):
    project: str
    """Where opencode looks for its configuration first."""
    folder: str
    """Where it looks for tools and plugins."""
    home: str
    """The same for all projects of the user."""
    environ: Mapping[str, str]

    @classmethod
    def of(cls, options: Options, environ: Mapping[str, str]) -> _Places:
        config = environ.get("XDG_CONFIG_HOME", "")
        if not os.path.isabs(config):
            config = os.path.join(home(), ".config")
        own = os.path.realpath(os.path.join(config, "opencode"))
        if options.everywhere:
            return cls(own, own, own, environ)
        project = os.path.realpath(options.project)
        if not os.path.isdir(project):
            raise InvalidCall(f"{project} is no directory")
        return cls(project, os.path.join(project, ".opencode"), own, environ)

    def configuration(self) -> str:
        """The file that is there, or is to be made."""
        folders = dict.fromkeys((self.project, self.folder))
        paths = [os.path.join(folder, name) for folder in folders for name in _CONFIGURATIONS]
        there = [path for path in paths if os.path.lexists(path)]
        return os.path.realpath(there[0] if there else paths[0])

    def has(self, path: str) -> bool:
        """Whether it is a file that an install writes here."""
        return path.startswith(f"{self.folder}/") or path == self.configuration()


def _files(options: Options, places: _Places) -> dict[str, str]:
    """Path beneath the folder -> content."""
    found = {
        "agent_exec/client.js": _source("client.js"),
        "agent_exec/daemon.js": _source("daemon.js"),
        "agent_exec/live.js": _source("live.js"),
        "agent_exec/setup.js": _setup(options, places),
        "plugins/agent_exec.js": _source("plugin.js"),
    }
    if not options.mcp:
        found["tools/exec.js"] = _source("exec.js")
    if options.shell == "replace":
        found["tools/bash.js"] = _source("bash.js")
    return found


def _gitignore() -> str:
    """What opencode itself would have put there, and our files, which are for this machine."""
    theirs = ("node_modules", "package.json", "package-lock.json", "bun.lock", ".gitignore")
    return (
        "\n".join(
            [*theirs, "agent_exec/", *[one for one in _OURS if not one.startswith("agent_exec/")]]
        )
        + "\n"
    )


def _instead_of_packages(folder: str) -> dict[str, str]:
    """What keeps opencode from installing packages there; nothing where somebody has some."""
    theirs = ("package.json", "package-lock.json", "node_modules")
    if any(os.path.lexists(os.path.join(folder, name)) for name in theirs):
        return {}
    return {
        os.path.join(folder, _KEEP): f"{MARK}keeps this folder.\n",
        os.path.join(folder, "package-lock.json"): _LOCK,
    }


def _planned(path: str, content: str) -> Planned:
    before = installed.read_file(path)
    if before is not None and not before.startswith(MARK.encode()):
        raise InvalidCall(f"{path} is there already, and is not ours; move it away")
    return Planned(path, before, content.encode())


def _configuration(options: Options, places: _Places) -> Planned:
    path = places.configuration()
    before = installed.read_file(path)
    try:
        text = "" if before is None else before.decode()
    except UnicodeDecodeError:
        raise InvalidCall(f"{path} is no UTF-8") from None
    server = None
    if options.mcp:
        server = [*own_program(), "mcp", "--policy", _policy(options, places)]
        if options.worktree is not None:
            server += ["--worktree", os.path.abspath(options.worktree)]
    after = with_ours(text, path, server).encode()
    return Planned(path, before, after)


def _setup(options: Options, places: _Places) -> str:
    tools = {
        tool["name"]: {
            "description": tool["description"],
            "args": tool["inputSchema"]["properties"],
        }
        for tool in definitions("mcp")
    }
    setup = {
        "program": own_program(),
        "policy": _policy(options, places),
        "worktree": None if options.worktree is None else os.path.abspath(options.worktree),
        "protocol": PROTOCOL,
        "version": agent_exec.__version__,
        "tool": None if options.mcp else "exec",
        "guard": options.shell == "guard",
        "tools": tools,
    }
    told = f"{MARK}what it was installed with. Change it by installing again.\n"
    return f"{told}\nexport default {json.dumps(setup, indent=2)}\n"


def _policy(options: Options, places: _Places) -> str:
    return absolute_policy(options.policy, os.getcwd() if options.everywhere else places.project)


def _source(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
