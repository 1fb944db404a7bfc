"""Which files a call runs as code, besides its programs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from itertools import islice

from agent_exec.model.decision import Decision, Ruling
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import ExecRequest, Source

# Read by programs that run what stands in them, whichever of them does.
_BUILD_FILES = (
    *("Makefile", "GNUmakefile", "makefile", "justfile", "Rakefile", "Gemfile", "CMakeLists.txt"),
    *("package.json", "Cargo.toml", "build.rs", "go.mod", "pom.xml", "build.gradle"),
    *("pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "conftest.py"),
)
_MOST_MATCHES = 1000
_MOST_INTERPRETERS = 4  # as the kernel
_LONGEST_FIRST_LINE = 256  # as the kernel


def code_files(request: ExecRequest, decision: Decision, worktree: str) -> tuple[list[str], bool]:
    """Absolute paths of files that are run, and whether there is code that has no name.

    Where there is, build files count, and every file that is read: ``sh < commands`` runs one.

    Args:
        request: What was decided on.
        decision: On it.
        worktree: Absolute, without links.
    """
    named: list[str] = []
    folders: list[str] = []
    unnamed = False
    for ruling in decision.commands:
        here = ruling.cwd or request.cwd
        for effect in filter(_is_code, ruling.effects):
            paths = () if effect.path is None else tuple(_matches(effect.path, here))
            within = [path for path in paths if os.path.isdir(path)]
            named += [path for path in paths if path not in within]
            if effect.path is None or within:
                unnamed = True
                folders += [*within, here]
    if unnamed:
        named += _build_files([*folders, worktree])
        named += _read_files(request, decision)
    return named, unnamed


def why_not_remembered(request: ExecRequest, decision: Decision) -> str | None:
    """Why nobody can say what an approval for good would cover; None: it can be said."""
    kinds = {effect.kind for ruling in decision.commands for effect in ruling.effects}
    if EffectKind.UNKNOWN in kinds or not request.complete:
        return "what is not understood is not remembered"
    running = [ruling for ruling in decision.commands if any(map(_is_unnamed, ruling.effects))]
    if not running:
        return None
    written_later = request.call.background and request.stdin is None
    if isinstance(request.stdin, int) or written_later:
        return "it may run what comes from its input, which nobody knows"
    from_network = any(
        effect.kind is EffectKind.NETWORK
        for ruling in decision.commands
        for effect in ruling.effects
        if any(other is not ruling for other in running)
    )
    inner = any(ruling.of is not None for ruling in decision.commands)
    if from_network and (inner or any(each.stdin is Source.PIPE for each in request.commands)):
        return "it may run what comes from the network, which nobody knows"
    return None


def interpreters(program: str, cwd: str) -> Iterator[str]:
    """What the kernel runs for a script: that of its first line, and of the first line of that."""
    for _ in range(_MOST_INTERPRETERS):
        try:
            with open(os.open(program, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
                line = file.read(_LONGEST_FIRST_LINE).partition(b"\n")[0]
        except OSError:
            return
        words = line[2:].split()
        if not line.startswith(b"#!") or not words:
            return
        program = os.path.join(cwd, os.fsdecode(words[0]))
        yield program


def _is_code(effect: Effect) -> bool:
    return effect.kind is EffectKind.EXECUTE and effect.argv is None


def _is_unnamed(effect: Effect) -> bool:
    return _is_code(effect) and effect.path is None


def _matches(path: str, here: str) -> Iterator[str]:
    """The file of that name, and those that it stands for if it is a glob."""
    named = os.path.join(here, path)
    yield named
    if glob.has_magic(path):
        yield from islice(glob.iglob(os.path.join(glob.escape(here), path)), _MOST_MATCHES)


def _build_files(folders: Iterable[str]) -> list[str]:
    return [
        path
        for folder in dict.fromkeys(folders)
        for name in _BUILD_FILES
        if os.path.isfile(path := os.path.join(folder, name))
    ]


def _read_files(request: ExecRequest, decision: Decision) -> list[str]:
    def paths(ruling: Ruling) -> Iterator[str]:
        here = ruling.cwd or request.cwd
        for effect in ruling.effects:
            if effect.kind is EffectKind.READ and effect.path is not None:
                yield from _matches(effect.path, here)

    read = (path for ruling in decision.commands for path in paths(ruling))
    return [path for path in read if os.path.isfile(path)]
