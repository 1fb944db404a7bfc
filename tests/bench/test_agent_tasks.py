"""What agents call in the benchmark, and when there are no agents."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from agent_exec.bench.agent_tools import AgentBenchOptions, run, run_agent_benchmark
from agent_exec.bench.agent_tools.corpus import SIZES, make_corpus
from agent_exec.bench.agent_tools.tasks import INTERPRETERS, PRESETS
from agent_exec.errors import Unsupported


def test_the_presets_are_sixteen_tools_fourteen_of_them_and_texts() -> None:
    names = {preset: [task.name for task in tasks] for preset, tasks in PRESETS.items()}
    assert len(set(names["all"])) == 16
    assert set(names["all"]) - set(names["no-interpreters"]) == set(INTERPRETERS)
    assert all(task.text is not None for task in PRESETS["shell-text"])
    assert all(task.minimal for task in PRESETS["all"])


@pytest.mark.parametrize("size", ["small", "medium"])
def test_the_corpus_is_the_same_each_time_and_has_changes_to_show(
    tmp_path: Path, size: str
) -> None:
    listings = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made = make_corpus(tmp_path / name, size)
        files = sorted(Path(made.worktree).glob("src/**/*.py"))
        listings.append([(file.name, file.read_bytes()) for file in files])
        status = subprocess.run(
            ["git", "status", "--short"],
            cwd=made.worktree,
            env=dict(made.env),
            capture_output=True,
            text=True,
            check=True,
        )
        assert [line[:2] for line in status.stdout.splitlines()] == [" M"] * 3 + ["??"]
    assert listings[0] == listings[1]
    assert len(listings[0]) == SIZES[size].files
    compile(listings[0][0][1], "module", "exec")


def test_elsewhere_than_on_linux_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unsupported, match="is for Linux"):
        run_agent_benchmark(AgentBenchOptions(), tell=lambda _: None)


@pytest.mark.parametrize(
    ("installed", "words"),
    [
        pytest.param(None, r"need autogen-core>=0.7.5,<0.8 \(pip install .*\)$", id="none"),
        pytest.param("0.4.9", r"installed is 0\.4\.9", id="another"),
    ],
)
def test_without_the_right_autogen_it_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, words: str
) -> None:
    found = None if installed is None else sys.__spec__
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: found)
    monkeypatch.setattr(run, "version", lambda _: installed)
    with pytest.raises(Unsupported, match=words) as refused:
        run_agent_benchmark(AgentBenchOptions(), tell=lambda _: None)
    assert "\n" not in str(refused.value)
