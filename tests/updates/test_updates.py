"""What becomes of calls when their program is replaced under them, as package managers do it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from realproc import wait_until
from updating import FOREIGN, OF_THE_SYSTEM, Copy, Deb, Rename, Update, Versions, read_number

from agent_exec import Answer, ApprovalRefused, Denied, ExecTool, Question, Reply, ToolResult

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(
    params=[
        *OF_THE_SYSTEM,
        *[pytest.param(name, marks=pytest.mark.foreign) for name in FOREIGN],
    ]
)
def update(request: pytest.FixtureRequest, tmp_path: Path, versions: Versions) -> Update:
    kind = (OF_THE_SYSTEM | FOREIGN)[request.param]
    return kind(tmp_path / "update", versions)


class Place:
    """A worktree, a tool by a policy that lets `vtool` run, and the tool's audit log."""

    def __init__(
        self, folder: Path, update: Update, templates: str = "hot_after: 1", **options: Any
    ) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.log = folder / "audit"
        path = [*map(str, update.path), "/usr/bin", "/bin"]
        policy = folder / "policy.yaml"
        policy.write_text(
            f"version: 1\nprograms: {{path: {json.dumps(path)}}}\n"
            f"templates: {{{templates}}}\ndefault: deny\nrules:\n"
            "- {id: ours, command: [vtool], verdict: allow, because: it is ours}\n"
            "- {id: wrapped, command: [timeout], verdict: allow, because: it waits}\n"
        )
        self.tool = ExecTool(self.tree, policy=policy, audit=self.log, **options)

    def run(self) -> ToolResult:
        return self.tool.run_sync(["vtool"])

    def records(self) -> list[dict[str, Any]]:
        (file,) = self.log.iterdir()
        return [json.loads(line) for line in file.read_text().splitlines() if line]


@pytest.fixture
def place(tmp_path: Path, update: Update) -> Iterator[Place]:
    made = Place(tmp_path, update)
    yield made
    made.tool.close()


def numbers(results: list[ToolResult]) -> list[int]:
    return [read_number(result.stdout.head) for result in results]


def test_the_call_after_an_update_runs_the_new_program(update: Update, place: Place) -> None:
    results = []
    for number in (1, 2):
        update.install(number)
        results += [place.run(), place.run()]
    assert numbers(results) == [1, 1, 2, 2]
    assert [result.stages[0].template for result in results] == ["miss", "hit", update.use, "hit"]
    # And the log says why.
    recreated = [record["recreated"] for record in place.records()]
    assert recreated == [[None], [None], [update.reason], [None]]


def test_what_a_wrapper_runs_is_the_new_program_too(update: Update, place: Place) -> None:
    # Its right to execute is to a file, and that is another one at once.
    results = []
    for number in (1, 2):
        update.install(number)
        results += [place.tool.run_sync(["timeout", "60", "vtool"]) for _ in range(2)]
    assert numbers(results) == [1, 1, 2, 2]


@pytest.mark.parametrize("on_update", ["ask", "deny"])
@pytest.mark.parametrize("kind", [Rename, Copy, pytest.param(Deb, marks=pytest.mark.foreign)])
def test_a_policy_may_refuse_what_an_update_has_put_there(
    tmp_path: Path, versions: Versions, kind: type[Update], on_update: str
) -> None:
    update = kind(tmp_path / "update", versions)
    place = Place(tmp_path, update, f"hot_after: 1, on_update: {on_update}")
    update.install(1)
    place.run()
    update.install(2)
    for _ in range(2):
        with pytest.raises(Denied, match=f"on_update of the policy is {on_update}"):
            place.run()
    place.tool.close()
    assert [record["ended"] for record in place.records()] == ["exit", "refused", "refused"]


@pytest.mark.parametrize("way", ["argv", "text"])
@pytest.mark.parametrize("reply", list(Reply))
def test_a_person_is_asked_about_an_update_once(
    tmp_path: Path, versions: Versions, way: str, reply: Reply
) -> None:
    update = Rename(tmp_path / "update", versions)
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return Answer(reply)

    place = Place(tmp_path, update, "hot_after: 1, on_update: ask", approver=answer)
    with place.tool as tool:

        def run() -> ToolResult:
            return tool.run_shell_sync("vtool") if way == "text" else tool.run_sync(["vtool"])

        update.install(1)
        run()
        update.install(2)
        if reply is Reply.NEVER:
            with pytest.raises(ApprovalRefused):
                run()
        else:
            assert numbers([run(), run()]) == [2, 2]
            # A later one is another.
            update.install(3)
            assert numbers([run()]) == [3]
    assert len(asked) == (1 if reply is Reply.NEVER else 2)
    assert "has been replaced or changed since it was last run" in str(asked[0].decision.because)
    assert asked[0].wider == ()


@pytest.mark.foreign
@pytest.mark.parametrize("mode", [0o775, 0o757], ids=["group", "others"])
def test_a_package_whose_program_others_may_write_is_not_trusted(
    tmp_path: Path, versions: Versions, mode: int
) -> None:
    update = Deb(tmp_path / "update", versions)
    place = Place(tmp_path, update)
    update.install(1)
    assert numbers([place.run()]) == [1]
    update.mode = mode
    update.install(2)
    with pytest.raises(Denied):
        place.run()
    assert "others than its owner may write" in str(place.tool.check(["vtool"]).to_json())
    update.mode = 0o755
    update.install(3)
    result = place.run()
    place.tool.close()
    assert (numbers([result]), result.stages[0].template) == ([3], "recreated")


def test_trust_is_asked_about_the_new_file_in_mid_call(
    tmp_path: Path, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after the decision and before the launch: it is decided again."""
    update = Rename(tmp_path / "update", versions)
    place = Place(tmp_path, update)
    update.install(1)
    place.run()
    lease = place.tool._settings.cache.lease

    def replace_first(program: str) -> Any:
        new = versions.write(update.folder / "new", 2, 0o777)
        new.rename(update.program)
        return lease(program)

    monkeypatch.setattr(place.tool._settings.cache, "lease", replace_first)
    with pytest.raises(Denied):
        place.run()
    place.tool.close()


def test_a_writer_is_refused_while_a_child_runs_the_program_and_only_then(tmp_path: Path) -> None:
    program = Path(shutil.copy("/bin/sh", tmp_path / "shell"))
    with ExecTool(tmp_path, policy="open") as tool:
        words = ["./shell", "-c", "until [ -e over ]; do [ -e on ] || : >on; done"]
        tool.run_sync(["./shell", "-c", ":"])
        os.close(os.open(program, os.O_WRONLY))
        call = threading.Thread(target=tool.run_sync, args=[words])
        call.start()
        wait_until((tmp_path / "on").exists)
        with pytest.raises(OSError, match=os.strerror(errno.ETXTBSY)):
            os.open(program, os.O_WRONLY)
        (tmp_path / "over").touch()
        call.join()
        os.close(os.open(program, os.O_WRONLY))
