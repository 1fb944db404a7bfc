"""What programs that work on text and files do, by their tables: whole commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy.harmful_text import HARMFUL
from policy.judging import Bench

from agent_exec.model.decision import Verdict
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.analyse import analyse
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.tables import Tables
from agent_exec.shell.reading import Scope, read

HARMLESS = tuple(
    line
    for line in (Path(__file__).parent / "harmless.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
LEAST_ALLOWED = 0.98


@pytest.fixture(scope="module")
def tables() -> Tables:
    return load_tables()


def _effects(text: str, tables: Tables) -> tuple[list[Effect], bool]:
    reading = read(text, Scope({"HOME": "/nothing"}, home="/nothing", cwd="/work"))
    analysed = analyse(reading.commands, tables, cwd="/work", variables={})
    # What an inner command does stands with that command.
    return [e for found in analysed for e in found.effects if e.argv is None], reading.complete


@pytest.mark.parametrize("text", HARMLESS)
def test_only_reads(text: str, tables: Tables) -> None:
    effects, complete = _effects(text, tables)

    assert complete
    assert [e for e in effects if e.kind is not EffectKind.READ or e.path is None] == []


@pytest.mark.parametrize(("text", "effect"), HARMFUL, ids=[text for text, _ in HARMFUL])
def test_its_effect_is_seen(text: str, effect: str, tables: Tables) -> None:
    kind, _, path = effect.partition(" ")
    effects, _complete = _effects(text, tables)

    assert EffectKind(kind) in {e.kind for e in effects if not path or e.path == path}


@pytest.mark.parametrize("policy", ["default", "read-only"])
def test_nearly_all_harmless_commands_are_allowed(policy: str, tmp_path: Path) -> None:
    bench = Bench(policy, tmp_path)
    refused = {
        text: decision.because
        for text in HARMLESS
        if (decision := bench.judge(text)).verdict is not Verdict.ALLOW
    }
    assert len(refused) <= (1 - LEAST_ALLOWED) * len(HARMLESS), refused


@pytest.mark.parametrize("policy", ["default", "read-only"])
def test_no_harmful_command_is_allowed(policy: str, tmp_path: Path) -> None:
    bench = Bench(policy, tmp_path)

    assert [t for t, _ in HARMFUL if bench.judge(t).verdict is Verdict.ALLOW] == []


@pytest.mark.parametrize(
    "text",
    [
        "find . -exec cat {} +",
        "find . -name '*.txt' -exec head -1 {} \\;",
        "find -L . -name x",
        "find . -follow",
        "find . -print0 | xargs -0 cat",
        "grep -R x .",
        "grep -R x",
        "rg -L x",
        "rg --follow x src",
        "fd -L x",
        "diff -r src docs",
        "du -L",
    ],
)
def test_links_that_lead_out_are_not_followed(text: str, tmp_path: Path) -> None:
    outside, worktree = tmp_path / "outside", tmp_path / "worktree"
    for folder in (outside, worktree / "src", worktree / "docs"):
        folder.mkdir(parents=True)
    bench = Bench("read-only", worktree)
    (worktree / "src" / "inside").symlink_to(worktree / "src")
    assert bench.judge(text).verdict is Verdict.ALLOW

    (worktree / "src" / "out").symlink_to(outside)
    assert bench.judge(text).verdict is not Verdict.ALLOW


def test_the_lines_are_many_and_each_is_there_once() -> None:
    assert len(set(HARMLESS)) == len(HARMLESS) >= 250
    assert len(set(HARMFUL)) == len(HARMFUL) >= 150
