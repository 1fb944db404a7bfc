"""Inside the sandbox: run a text by bash and by ours, and say what differs.

    python -I execution_driver.py ORDERS.json

A JSON line with a text comes in, a JSON line with an answer goes out: ``{"outcome": "equal"}``,
``"shell"`` (we leave it to bash), and with "why": ``"left out"``, ``"at times"`` (it differed,
and the next time it did not) or ``"different"``.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import select
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

_ORDERS = json.loads(Path(sys.argv[1]).read_text())
sys.path[:0] = _ORDERS["modules"]

# What these are in is known only now.
from shell.fixture_repository import clear, copy  # noqa: E402

from agent_exec import ExecTool  # noqa: E402
from agent_exec.model.decision import Route  # noqa: E402
from agent_exec.model.outcome import Ended  # noqa: E402
from agent_exec.model.result import Output  # noqa: E402

_HOME = Path("/home/agent")
_PROJECT = _HOME / "project"
_TEMPORARY = Path("/tmp")
_TIMEOUT_S = 8.0
_MOST_OUTPUT = 1 << 24
_REPEATS = 3  # of what came out differently: does bash differ from itself?
# What only a child's environment shows, and `git` notes of files that it has looked at.
_OWN = re.compile(rb"(?:SHLVL|_|AGENT_EXEC_CALL\w*)=.*")
_PID = re.compile(rb"^(bash: line [0-9]+:|    ) +[0-9]+ (?=[A-Z])", re.MULTILINE)
_SKIPPED = re.compile(r"(?:^|/)\.git/index$")

Tree = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Run:
    """What one way of running a text came to."""

    status: int | None
    stdout: bytes
    stderr: bytes
    tree: Tree

    def differences(self, other: Run, *, ordered: bool, parallel: bool) -> list[str]:
        """What differs, in words: ours is `other`."""
        told = []
        for name in ("status", "stdout", "stderr"):
            mine, its = getattr(self, name), getattr(other, name)
            if isinstance(mine, bytes) and (not ordered or (name == "stderr" and parallel)):
                mine, its = sorted(mine.splitlines()), sorted(its.splitlines())
            if mine != its:
                told.append(f"{name}: bash {_short(mine)}, ours {_short(its)}")
        paths = sorted(self.tree.keys() | other.tree.keys())
        told += [
            f"file {path}: bash {self.tree.get(path)}, ours {other.tree.get(path)}"
            for path in paths
            if self.tree.get(path) != other.tree.get(path)
        ]
        return told


def main() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_OUTPUT, _MOST_OUTPUT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fixture = Fixture(Path(_ORDERS["pristine"]))
    with contextlib.ExitStack() as stack:
        tools = [
            stack.enter_context(
                ExecTool(
                    _PROJECT,
                    policy=_ORDERS["policy"],
                    launcher=launcher,
                    containment="session",
                    timeout_s=_TIMEOUT_S,
                    output_bytes=_MOST_OUTPUT,
                    audit=False,
                )
            )
            for launcher in _ORDERS["launchers"]
        ]
        for number, line in enumerate(sys.stdin):
            answer = _compare(json.loads(line), fixture, tools, number)
            print(json.dumps(answer), flush=True)


class Fixture:
    """The files, which are made new for a run when the last one has changed them."""

    def __init__(self, pristine: Path) -> None:
        self._pristine = pristine
        self._clean: Tree | None = None
        self._digests: dict[tuple[object, ...], str] = {}

    @contextlib.contextmanager
    def fresh(self) -> Iterator[None]:
        if self._clean is None or self._stamps() != self._clean:
            # The project itself may be mounted elsewhere, too.
            clear(_HOME, keep=_PROJECT.name)
            clear(_TEMPORARY)
            copy(self._pristine, _PROJECT)
            self._clean = self._stamps()
            self._digests.clear()
        yield

    def tree(self) -> Tree:
        """What there is: kinds, modes and contents."""
        return {path: self._contents(path, status) for path, status in _walk()}

    def _contents(self, path: str, status: os.stat_result) -> tuple[str, ...]:
        mode = f"{status.st_mode:o}"
        if _SKIPPED.search(path):
            return (mode,)
        if stat.S_ISLNK(status.st_mode):
            return (mode, os.readlink(path))
        if stat.S_ISREG(status.st_mode):
            return (mode, self._digest(path, status))
        return (mode,)

    def _digest(self, path: str, status: os.stat_result) -> str:
        """Of the content, which is read again when anything of the file has changed."""
        key = (path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        digest = self._digests.get(key)
        if digest is None:
            try:
                digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]
            except PermissionError:
                digest = str(status.st_size)
            self._digests[key] = digest
        return digest

    def _stamps(self) -> Tree:
        """What there is, and whether it is still the same; quickly."""
        return {
            path: (str(status.st_ino), str(status.st_mode), str(status.st_mtime_ns))
            for path, status in _walk()
        }


def _walk() -> Iterator[tuple[str, os.stat_result]]:
    waiting = [str(_HOME), str(_TEMPORARY)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except PermissionError:
            continue
        for entry in entries:
            yield entry.path, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)


def _compare(text: str, fixture: Fixture, tools: list[ExecTool], number: int) -> dict[str, object]:
    told: list[str] = []
    # Each engine hands descriptors on for half of the texts, and captures for the other.
    merged = number % 2 == 0
    by_bash = _runner(fixture, partial(_bash, text, merged=merged))
    bash: Run | None = None
    for tool in tools:
        by_us = _runner(fixture, partial(_ours, text, tool, merged=merged))
        try:
            ours = by_us()  # first: it may be a text that we leave to bash
            bash = by_bash() if bash is None else bash
            differences = _differ(text, bash, ours, by_bash, by_us, merged=merged)
        except Shell:
            return {"outcome": "shell"}
        except AtTimes as reason:
            return {"outcome": "at times", "why": reason.args}
        except LeftOut as reason:
            return {"outcome": "left out", "why": [str(reason)]}
        way = "outputs together" if merged else "outputs captured"
        told += [f"{tool.launcher.value}, {way}: {each}" for each in differences]
    return {"outcome": "different", "why": told} if told else {"outcome": "equal"}


class LeftOut(Exception):
    """A text that says nothing: it takes too long, or bash differs from itself."""


class AtTimes(Exception):
    """What differed was the same the next time: stages of a pipeline race."""


class Shell(Exception):
    """A text that we leave to bash."""


def _runner(
    fixture: Fixture, run: Callable[[], tuple[int | None, bytes, bytes]]
) -> Callable[[], Run]:
    def fresh_run() -> Run:
        with fixture.fresh():
            status, stdout, stderr = run()
            return Run(status, _plain(stdout), _plain(stderr), fixture.tree())

    return fresh_run


def _differ(
    text: str,
    bash: Run,
    ours: Run,
    by_bash: Callable[[], Run],
    by_us: Callable[[], Run],
    *,
    merged: bool,
) -> list[str]:
    # bash keeps its variables in an order of its own; and stages of a pipeline write errors at
    # the same time.
    parallel = "|" in text
    ordered = not re.search(r"\b(?:print)?env\b", text) and not (merged and parallel)
    differ = partial(Run.differences, ordered=ordered, parallel=parallel)
    differences = differ(bash, ours)
    for _ in range(_REPEATS if differences else 0):
        again = by_bash()
        if differ(bash, again):
            raise LeftOut("bash does not do the same twice")
        if not differ(bash, by_us()):
            raise AtTimes(*differences)
    return differences


def _bash(text: str, *, merged: bool) -> tuple[int | None, bytes, bytes]:
    with Pipe() as out, Pipe() as err:
        try:
            process = subprocess.Popen(
                ["bash", "-c", "--", text],
                executable="/bin/bash",
                cwd=_PROJECT,
                env=_ORDERS["variables"],
                stdin=subprocess.DEVNULL,
                stdout=out.write_end,
                stderr=out.write_end if merged else err.write_end,
                start_new_session=True,
            )
        except OSError as error:
            raise LeftOut(str(error)) from None
        out.start()
        err.start()
        try:
            if not _has_ended(process.pid):
                raise LeftOut("takes too long")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            status = process.wait()
        if status < 0:
            status = 128 - status
        return status, out.read(), err.read()


def _has_ended(pid: int) -> bool:
    """Does a child end in time? Until it is waited for, its pid is its own."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], _TIMEOUT_S)[0])
    finally:
        os.close(descriptor)


def _ours(text: str, tool: ExecTool, *, merged: bool) -> tuple[int | None, bytes, bytes]:
    with Pipe() as out:
        try:
            if merged:
                out.start(shared=True)
                result = tool.run_shell_sync(text, stdout=out.write_end, stderr=out.write_end)
            else:
                result = tool.run_shell_sync(text)
        except Exception as error:  # whatever it is, it differs from bash
            return None, b"", f"{type(error).__name__}: {error}".encode()
        if result.route is not Route.DIRECT:
            raise Shell
        if result.ended is Ended.TIMEOUT:
            raise LeftOut("takes too long")
        if result.error is not None:
            return None, b"", result.error.encode()
        if merged:
            return result.status, out.read(), b""
        return result.status, _bytes(result.stdout), _bytes(result.stderr)


def _bytes(output: Output) -> bytes:
    if output.dropped:
        raise LeftOut("very long output")
    return (output.head + output.tail).encode("utf-8", "surrogateescape")


class Pipe:
    """A pipe that a thread reads to its end."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._drain)
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()
        if self._thread.ident is not None:
            self._thread.join(1.0)
        os.close(self._read_end)

    def start(self, *, shared: bool = False) -> None:
        """Begin to read; unless `shared`, our end for writing is closed."""
        self._thread.start()
        if not shared:
            self._close()

    def read(self) -> bytes:
        """All of it, once every writer is gone."""
        self._close()
        self._thread.join(_TIMEOUT_S)
        return b"".join(self._chunks)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self.write_end)

    def _drain(self) -> None:
        left = _MOST_OUTPUT
        while chunk := os.read(self._read_end, 1 << 16):
            # The rest of what is very long is read and forgotten.
            self._chunks.append(chunk[:left])
            left = max(0, left - len(chunk))


def _plain(output: bytes) -> bytes:
    """Without what is of one process only. Captured text has no bytes that are no UTF-8."""
    lines = [line for line in output.splitlines(keepends=True) if not _OWN.match(line)]
    text = _PID.sub(rb"\1 PID ", b"".join(lines))
    return text.decode("utf-8", "replace").encode()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}... ({len(text)})"


if __name__ == "__main__":
    main()
