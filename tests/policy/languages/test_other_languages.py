"""xargs, test expressions and jq filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Source
from agent_exec.policy.languages.jq import jq
from agent_exec.policy.languages.test_expression import expression
from agent_exec.policy.languages.xargs import xargs
from agent_exec.policy.meaning import Inner

_HERE = (".",)


@pytest.mark.parametrize(
    ("words", "inner", "plain"),
    [
        ("", Inner(("echo",), more=_HERE), _HERE),
        ("ls -l", Inner(("ls", "-l"), more=_HERE), _HERE),
        ("-n1 -P 4 ls", Inner(("ls",), more=_HERE), _HERE),
        ("-0 ls", Inner(("ls",), more=_HERE), ()),
        ("-0rn 1 ls", Inner(("ls",), more=_HERE), ()),
        ("--null --max-args=1 ls", Inner(("ls",), more=_HERE), ()),
        ("-l -e -i ls {}", Inner(("ls",), more=_HERE), _HERE),
        ("-I X ls -l X", Inner(("ls", "-l"), more=_HERE), _HERE),
        ("-I X ls -l", Inner(("ls", "-l")), _HERE),
        ("-I X echo a X b", Inner(("echo", "a", "X", "b")), _HERE),
        ("-d , ls", Inner(("ls",), more=_HERE), _HERE),
        ("-- ls", Inner(("ls",), more=_HERE), _HERE),
    ],
)
def test_xargs_builds_a_command(words: str, inner: Inner, plain: tuple[str, ...]) -> None:
    meaning = xargs(("xargs", *words.split()), frozenset(), _HERE)

    assert meaning.effects == ()
    assert meaning.inner == (inner._replace(stdin=Source.NOTHING),)
    assert meaning.plain == plain


def test_what_xargs_reads_from_a_file_is_unknown() -> None:
    meaning = xargs(("xargs", "-a", "list", "ls"), frozenset(), _HERE)

    assert [(effect.kind, effect.path) for effect in meaning.effects] == [(EffectKind.READ, "list")]
    assert meaning.inner == (Inner(("ls",), more=()),)


@pytest.mark.parametrize(
    "words",
    [
        "--frob ls",
        "-I X X",
        "-I X ./X",
        "-I X mv X Y",
        "-I X grep X a.txt",
        "-i sh -c ls{}",
        "--process-slot-var=LD_PRELOAD ls",
    ],
)
def test_xargs_is_unknown(words: str) -> None:
    meaning = xargs(("xargs", *words.split()), frozenset(), _HERE)

    assert EffectKind.UNKNOWN in [effect.kind for effect in meaning.effects]


@pytest.mark.parametrize(
    ("words", "effects"),
    [
        ("-f a", [("read", "a")]),
        ("! -d a -o -e b", [("read", "a"), ("read", "b")]),
        ("a -nt b", [("read", "a"), ("read", "b")]),
        ("a = b", []),
        ("-z a", []),
        ("-n", []),
        ("3 -gt 2", []),
        ("-v a", []),
        ("-v a[x]", [("execute", None)]),
        ("-R a[x]", [("execute", None)]),
        ("! ( -v a[$(x)] )", [("execute", None)]),
        ("a[x] -eq 1", [("execute", None)]),
        ("1 -eq x", [("execute", None)]),
    ],
)
def test_a_test_looks_at_files(words: str, effects: list[tuple[str, str | None]]) -> None:
    for argv in (("test", *words.split()), ("[", *words.split(), "]")):
        found = expression(argv, frozenset(), None).effects
        assert [(effect.kind.value, effect.path) for effect in found] == effects


def test_a_test_without_its_bracket_is_unknown() -> None:
    assert expression(("[", "-f", "a"), frozenset(), None).effects[0].kind is EffectKind.UNKNOWN


@pytest.mark.parametrize(
    ("words", "glob", "unknown"), [("-f src/*", 2, False), ("*", 1, True), ("-v a*", 2, True)]
)
def test_a_glob_in_a_test(words: str, glob: int, *, unknown: bool) -> None:
    effects = expression(("test", *words.split()), frozenset({glob}), None).effects

    assert any(effect.kind is not EffectKind.READ for effect in effects) is unknown


@pytest.mark.parametrize(
    "text",
    [
        ".",
        ".a | .b",
        "map(.x) | add",
        '"a\\(.b + "c")"',
        "{load: 1, import: 2}",
        ".include",
        '# import "x"\n.',
        '"import"',
        "env.HOME",
        "$ENV.HOME",
        "$__loc__",
        "input, inputs",
        '"\\(")" | ".")"',
        '@csv "x\\(.a)"',
        "reduce .[] as $x (0; . + $x)",
    ],
)
def test_a_filter_only_computes(text: str) -> None:
    assert jq(text).effects == ()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('import "a" as a; .', EffectKind.READ),
        ('include "a"; .', EffectKind.READ),
        ("modulemeta", EffectKind.READ),
        ('"\\(modulemeta)"', EffectKind.READ),
        ('load("x")', EffectKind.UNKNOWN),
        ('system("x")', EffectKind.UNKNOWN),
        ("eval", EffectKind.UNKNOWN),
        ('"a', EffectKind.UNKNOWN),
        ("# a \\\nmodulemeta", EffectKind.UNKNOWN),
    ],
)
def test_a_filter_does_more(text: str, kind: EffectKind) -> None:
    assert [effect.kind for effect in jq(text).effects] == [kind]


@given(st.text(max_size=30), st.lists(st.text(max_size=6), max_size=6))
def test_any_words_have_a_meaning(text: str, words: list[str]) -> None:
    jq(text)
    expression(("test", *words), frozenset({1}), None)
    xargs(("xargs", *words), frozenset({2}), None)
