"""sed scripts, by themselves and against the real sed."""

from __future__ import annotations

import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.languages.sandbox import changed_anything

from agent_exec.model.effect import EffectKind
from agent_exec.policy.languages.sed import _PLAIN_SCRIPT, read_script, sed
from agent_exec.policy.meaning import Meaning

READS = [
    "p", "10,20p", "$p", "1~2p", "/a/,/b/p", "/a/I,+3p", "\\,a,p", "2,~4d", "s/a/b/", "s/a/b/gI3",
    "s|a|b|;p", "s/[/]/x/", "s/[^/]*$//", "s/[]/]/x/", "s/[[:alpha:]/]/x/", "s/a/\\\n/",
    "s/a/b/ ;p", "y/abc/xyz/", "y,/,\\,,", "/x/{p;d}", "/x/!{p;d}", "{p;p}",
    ":a;N;$!ba;s/\\n/ /g", "$!{N;ba};:a", "b end;p;:end", "t\np", "T;p", "n;d", "N;P;D",
    "h;H;g;G;x", "=", "l", "l 5", "q", "q5", "Q 1", "F;z", "a text", "a w M", "1i\\\nw M",
    "c\\\nw M\\\nw N", "a\\w M", "# w M", "p # w M", "#n\np", "v 4.2", "w /dev/stdout",
    "s/a/b/w /dev/stderr", "r /dev/stdin", "", "  ;; p", "}", "1!  p",
]  # fmt: skip
WRITES = [
    "w M", "wM", "w  M", "1w M", "$!w M", "/a/w M", "1,2w M", "p;w M", "p\nw M", "{w M\n}", "W M",
    "s/a/b/w M", "s/a/b/gpw M", "s,[,],x,w M", "s/[^/]/x/w M", "y/a/b/;w M", "a x\nw M",
    "a\\\nx\nw M", ":a;w M", "b;w M", "ba\nw M", "# x\nw M", "\\xaxw M", "s/a/b/\nw M", "l 3;w M",
]  # fmt: skip
UNKNOWN = [
    "s/a/b", "s/a", "s", "y/a/b", "y/a", "/a", "1,", "1", "k", "1;p", "s/a/b/k", "p q", "w", "r",
    "w\np", ":", "a\\  \nw M", "s\\a\\b\\", "s\na\nb\n", "sé a é b é", "s/[/x/", "s/[[.a/b/",
    "ba} w M", "b é", "+ p", "1~p",
]  # fmt: skip


@given(st.from_regex(_PLAIN_SCRIPT, fullmatch=True))
def test_what_is_plain_does_nothing_when_read_sign_by_sign(text: str) -> None:
    assert read_script(text) == Meaning()


@pytest.mark.parametrize("script", READS)
def test_only_computes(script: str) -> None:
    assert sed(script).effects == ()


@pytest.mark.parametrize("script", WRITES)
def test_writes(script: str) -> None:
    assert [(effect.kind, effect.path) for effect in sed(script).effects] == [
        (EffectKind.WRITE, "M")
    ]


@pytest.mark.parametrize("script", ["e", "e touch M", "1e touch M", "s/a/b/e", "s/a/b/ge", "$!e x"])
def test_runs_a_program(script: str) -> None:
    assert [effect.kind for effect in sed(script).effects] == [EffectKind.EXECUTE]


@pytest.mark.parametrize("script", ["r M", "1R M", "/a/r M"])
def test_reads(script: str) -> None:
    assert [(effect.kind, effect.path) for effect in sed(script).effects] == [
        (EffectKind.READ, "M")
    ]


@pytest.mark.parametrize("script", UNKNOWN)
def test_is_unknown(script: str) -> None:
    assert EffectKind.UNKNOWN in [effect.kind for effect in sed(script).effects]


def test_a_dash_is_a_file_of_that_name() -> None:
    assert sed("w -").effects[0].path == "./-"


@given(st.text(alphabet="swreabcip{}[]^/\\;,$!0123 \n:~+MgI#.", max_size=30))
def test_any_text_has_a_meaning(script: str) -> None:
    sed(script)


def test_time_is_linear() -> None:
    for script in ("{" * 200_000, "s/[[.a/" * 50_000, "p;" * 100_000, "\\" * 100_000):
        sed(script)


_PIECES = (
    "s/", "/", "/g", "/e", "/w M", "w M", "e touch M", "W M", "p", "1", "$", "!", "{", "}", ";",
    "\n", ",", "a\\", "a ", "i\\\n", "c\\\n", "\\", "[", "]", "[^", "[[:alpha:]", "[[.", ".]",
    ":]", "x", ":a", "ba", "b", "t", "y/a/b/", "/a/", "\\,a,", "#", " ", "I", "M", "~", "+", "l",
    "q", "r b.txt", "n", "N", "s,a,b,", "s;a;b;", "\\n", "\\/", "&", "=", "-", "}}", "0", "2",
    "d", "D", "v", "F",
)  # fmt: skip


@pytest.mark.skipif(
    not (shutil.which("sed") and shutil.which("bwrap")), reason="needs sed and bubblewrap"
)
@pytest.mark.parametrize("seed", range(3))
def test_what_only_computes_changes_nothing_when_the_real_sed_runs_it(seed: int) -> None:
    chance = random.Random(seed)
    scripts: dict[str, None] = {}
    while len(scripts) < 400:
        script = "".join(chance.choices(_PIECES, k=chance.randint(1, 9)))
        script += chance.choice(("", "\nw M", ";w M"))
        # What the effect could be in, and what we understand: the rest proves nothing.
        if ("M" in script or "/e" in script) and not sed(script).effects:
            scripts[script] = None
    controls = ["w M", "s/one/touch M/e", "1e touch M"]
    changed = changed_anything([["sed", "-e", each, "a.txt"] for each in (*scripts, *controls)])

    assert changed[-3:] == [True] * 3
    assert [each for each, did in zip(scripts, changed, strict=False) if did] == []
