"""Many updates under load: no call fails, and none runs what was not there while it was made.

    python -m pytest tests/updates/test_storm.py --rounds 1000

is the long form of it; without the option there are few rounds. Each round is one update, in a
way of its own, while 16 callers make one call after another.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from updating import Deb, Versions, read_number

from agent_exec import ExecTool, TemplateUse, ToolResult

_CALLERS = 16
_A_PACKAGE_EACH = 25
"""Rounds."""


@dataclass
class Seen:
    """One call: between which versions it was made, and what it ran."""

    least: int
    """Was visible before the call."""
    most: int
    """The last that anybody had begun to install when it had ended."""
    result: ToolResult


@dataclass
class Storm:
    """The versions of one program, and what callers have seen of them."""

    visible: int = 0
    begun: int = 0
    over: bool = False
    seen: list[Seen] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def call(self, run: Callable[[], ToolResult]) -> None:
        """Make calls until it is over; every caller makes some."""
        try:
            while True:
                last, least = self.over, self.visible
                result = run()
                self.seen.append(Seen(least, self.begun, result))
                if last:
                    return
        except BaseException as error:
            self.errors.append(error)
            raise

    def install(self, number: int, how: Callable[[int], None]) -> None:
        """An update: from here on some may see it, afterwards everybody has to."""
        self.begun = number
        how(number)
        self.visible = number


class Ways:
    """To replace the program of a package, each in one step: no moment is without any."""

    def __init__(self, package: Deb) -> None:
        self._package = package
        self._program = package.program
        self._new = package.folder / "new"
        self._kept = package.folder / "kept"
        self._kept.mkdir()

    def by_rename(self, number: int) -> None:
        self._package.versions.write(self._new, number).rename(self._program)

    def by_link(self, number: int) -> None:
        """A symbolic link to another file, put in place of whatever was there."""
        target = self._package.versions.write(self._kept / str(number % 8), number, 0o755)
        self._new.symlink_to(target)
        self._new.rename(self._program)

    def by_hard_link(self, number: int) -> None:
        """A file that has other names; the old one stays under its own."""
        path = self._package.versions.write(self._kept / f"hard-{number}", number)
        os.link(path, self._new)
        self._new.rename(self._program)
        (self._kept / f"hard-{number - 3}").unlink(missing_ok=True)

    def by_package(self, number: int) -> None:
        self._package.install(number)

    def of(self, number: int) -> Callable[[int], None]:
        """The way of a round."""
        if number % _A_PACKAGE_EACH == 0:
            return self.by_package
        return (self.by_rename, self.by_link, self.by_hard_link)[number % 3]


@pytest.fixture
def ways(tmp_path: Path, versions: Versions) -> Ways:
    return Ways(Deb(tmp_path / "update", versions))


@pytest.fixture
def tool(tmp_path: Path, ways: Ways, tool_launcher: str) -> Iterator[ExecTool]:
    tree = tmp_path / "tree"
    tree.mkdir()
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        f"version: 1\nprograms: {{path: ['{ways._program.parent}', /usr/bin, /bin]}}\n"
        # The portable launcher cannot confine.
        "sandbox: {require: []}\ndefault: deny\nrules:\n"
        "- {id: ours, command: [vtool], verdict: allow, because: it is ours}\n"
    )
    with ExecTool(
        tree, policy=policy, launcher=tool_launcher, audit=False, max_concurrent=_CALLERS
    ) as made:
        yield made


@pytest.mark.foreign
@pytest.mark.timeout(3000)
def test_a_storm_of_updates_under_load(
    tool: ExecTool, ways: Ways, rounds: int, capsys: pytest.CaptureFixture[str]
) -> None:
    storm = Storm()
    storm.install(1, ways.by_package)
    callers = [
        threading.Thread(target=storm.call, args=[lambda: tool.run_sync(["vtool"])])
        for _ in range(_CALLERS)
    ]
    for caller in callers:
        caller.start()
    for number in range(2, rounds + 2):
        storm.install(number, ways.of(number))
    storm.over = True
    for caller in callers:
        caller.join()
    wrong = [
        (one.least, read_number(one.result.stdout.head), one.most)
        for one in storm.seen
        if not one.least <= read_number(one.result.stdout.head) <= one.most
    ]
    assert (wrong, storm.errors) == ([], [])
    uses = [one.result.stages[0].template for one in storm.seen]
    with capsys.disabled():
        print(
            f"\n{rounds} updates under {_CALLERS} in flight: {len(uses)} calls, "
            f"{uses.count(TemplateUse.RECREATED)} met a replaced program, none ran a wrong one"
        )
    assert TemplateUse.RECREATED in uses
