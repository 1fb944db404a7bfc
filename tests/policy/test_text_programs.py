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


def test_the_lines_are_many_and_each_is_there_once() -> None:
    assert len(set(HARMLESS)) == len(HARMLESS) >= 250
    assert len(set(HARMFUL)) == len(HARMFUL) >= 150
