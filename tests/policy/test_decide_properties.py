"""Laws of a verdict: more to judge, or more rules that ask or deny, never make it weaker."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from policy.values import command, effect, judged, policy

from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Verdict
from agent_exec.model.effect import EffectKind

KINDS = st.sampled_from([kind.value for kind in EffectKind])
PATHS = st.sampled_from(["a", "sub/b", "..", ".env", "/etc/passwd", "/usr/x", ".git/hooks/x", None])
EFFECTS = st.builds(effect, KINDS, PATHS)
NAMES = st.sampled_from(["git push", "git status", "cat a", "./x", "agent-exec run", "rm -r b"])


@st.composite
def commands(draw: st.DrawFn) -> Analysed:
    """One command with up to three effects."""
    effects = draw(st.lists(EFFECTS, max_size=3))
    own = draw(st.integers(-1, len(effects)))
    return command(draw(NAMES), *effects, own=own, certain=draw(st.booleans()))


def some(words: list[str]) -> st.SearchStrategy[list[str] | None]:
    """Some of `words`, or nothing at all."""
    return st.none() | st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True)


@st.composite
def rules(draw: st.DrawFn, *verdicts: str) -> dict[str, Any]:
    """One rule with one of these verdicts."""
    given_ = {
        "verdict": draw(st.sampled_from(verdicts)),
        "effects": draw(some([kind.value for kind in EffectKind])),
        "paths": draw(some(["worktree", "system", "secrets", "above", "/etc"])),
        "command": draw(st.none() | st.sampled_from([["git"], ["git", "push"], ["cat"], ["./x"]])),
    }
    return {key: value for key, value in given_.items() if value is not None}


def not_weaker(verdict: Verdict, than: Verdict) -> bool:
    order = list(Verdict)
    return order.index(verdict) >= order.index(than)


ANY = rules("allow", "ask", "deny")
DEFAULTS = st.sampled_from(["allow", "ask", "deny"])


@given(st.lists(ANY, max_size=4), DEFAULTS, st.lists(commands(), min_size=1), commands())
def test_another_command_never_makes_a_verdict_weaker(
    of: list[dict[str, Any]], default: str, found: list[Analysed], more: Analysed
) -> None:
    by = policy(*of, default=default)
    assert not_weaker(judged(by, *found, more).verdict, judged(by, *found).verdict)


@given(st.lists(ANY, max_size=4), DEFAULTS, commands(), EFFECTS)
def test_another_effect_never_makes_a_verdict_weaker(
    of: list[dict[str, Any]], default: str, found: Analysed, more: Any
) -> None:
    by = policy(*of, default=default)
    own = found.own if found.own < 0 else found.own + 1
    with_more = found._replace(effects=(more, *found.effects), own=own)
    # A command without effects is allowed by any rule that may allow one.
    before = judged(by, found).verdict
    assert not_weaker(judged(by, with_more).verdict, before)


@given(
    st.lists(ANY, max_size=4),
    DEFAULTS,
    st.lists(commands(), min_size=1),
    rules("ask", "deny"),
)
def test_a_rule_that_asks_or_denies_never_loosens(
    of: list[dict[str, Any]], default: str, found: list[Analysed], more: dict[str, Any]
) -> None:
    before = judged(policy(*of, default=default), *found).verdict
    assert not_weaker(judged(policy(*of, more, default=default), *found).verdict, before)


@given(st.lists(ANY, max_size=4), st.lists(commands(), min_size=1))
def test_what_is_not_understood_is_only_allowed_by_a_rule_that_names_it(
    of: list[dict[str, Any]], found: list[Analysed]
) -> None:
    narrow = [
        rule
        for rule in of
        if rule["verdict"] != "allow" or "unknown" not in rule.get("effects", ["unknown"])
    ]
    doubt = [each._replace(effects=(*each.effects, effect("unknown")), own=0) for each in found]
    assert judged(policy(*narrow), *doubt).verdict != "allow"
