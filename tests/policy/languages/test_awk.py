"""awk programs, by themselves and against the real ones."""

from __future__ import annotations

import random
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.languages.sandbox import changed_anything

from agent_exec.model.effect import EffectKind
from agent_exec.policy.languages.awk import awk

COMPUTES = [
    "{print $1}", "NR>5", "NR>=10 && NR<=20", "$1 > 5 {print}", "{print ($1 > 2)}",
    "{print($1 > 2)}", "!a[$0]++", "{a[$1]+=$2} END {for (k in a) print k, a[k]}",
    "/a\\/b/{n++} END{print n/2}", "{x = $1 / $2; y = f(3)/2; print x}", "{print a / b / c}",
    '/"/{print} # "', '{sub(/\\/$/, ""); print}', '{gsub(/[|>]/, ""); print}',
    'BEGIN{FS="|"}{print $2 ">" $3}', '{print "system(\\"x\\")"}', '# system("x")\n1',
    '{print > "/dev/stderr"}', '{print "a" > "/dev/null"}', "BEGIN{getline; print}",
    'BEGIN{while (getline line) n++; print n > "/dev/stdout"}', "{if (x > 1) y = 2; print}",
    "{x = y > z; print x}", "{print\n}$1 > 3", "{print; if (a > b) c}", "/[[:alpha:]]+/",
    "function g(a, b) { return a > b } {print g($1, $2)}", "{print $NF; next} $1>2", "a || b",
    'BEGIN{printf "%s\\n", substr("abc", 2) > "/dev/stderr"}', "1", "", "$0 ~ /x/ && $1 !~ /y/",
    '{print x ? "a" : "b"}', "\\\n{print}", '{print ENVIRON["HOME"]}',
]  # fmt: skip
EFFECTS = [
    ('BEGIN{system("x")}', "execute", None), ('{print | "sh"}', "execute", None),
    ('BEGIN{"x" | getline}', "execute", None), ('{print |& "x"}', "execute", None),
    ('@load "x"', "execute", None), ('@include "x"', "execute", None),
    ('BEGIN{f="system";@f("x")}', "execute", None), ('awk::system("x")', "execute", None),
    ('{print > "M"}', "write", "M"), ('{print >> "M"}', "write", "M"),
    ('{print>"M"}', "write", "M"), ('{print > "-"}', "write", "./-"),
    ('{print (a)(b) > "M"}', "write", "M"), ('{printf("%s", $0) > "M"}', "write", "M"),
    ('{print a,\nb > "M"}', "write", "M"), ('{print a &&\nb > "M"}', "write", "M"),
    ('{print a \\\n > "M"}', "write", "M"), ('{print a ||\n\n# x\nb > "M"}', "write", "M"),
    ('{if (x) print > "M"}', "write", "M"), ('{print > "M"; print}', "write", "M"),
    ('{print > "M" ";"}', "write", None), ('{print > "M" "N"}', "write", None),
    ('{print > "M\\x41"}', "write", None), ("{print > $1}", "write", None),
    ('{print > ("M")}', "write", None), ("{print a > b ? c : d}", "write", None),
    ("{print a[1 > 2]}", "write", None), ('{print a >= "M"}', "write", "M"),
    ('BEGIN{getline < "M"}', "read", "M"), ('BEGIN{getline x < "M"}', "read", "M"),
    ('BEGIN{while ((getline x < "M") > 0) y}', "read", "M"),
    ('BEGIN{getline x < "M" "N"}', "read", None), ('BEGIN{getline a[1] < "M"}', "read", None),
    ("BEGIN{getline $1 < f}", "read", None), ('BEGIN{ARGV[1]="M"}', "read", None),
    ('BEGIN{getline x < "/inet/tcp/0/h/80"}', "network", None), ('SYMTAB["x"]', "unknown", None),
    ("{if (x) /a/}", "unknown", None), ("{x++ /a/}", "unknown", None), ("/[/]/", "unknown", None),
    ("{print length / 2}", "unknown", None), ('"a', "unknown", None), ("/a", "unknown", None),
    ("{print 'x'}", "unknown", None), ('"a\nb"', "unknown", None), ("{x = `y`}", "unknown", None),
    ('{while (x) /"/; system("y") #"/\n}', "unknown", None),
]  # fmt: skip


@pytest.mark.parametrize("program", COMPUTES)
def test_only_computes(program: str) -> None:
    assert awk(program).effects == ()


@pytest.mark.parametrize(("program", "kind", "path"), EFFECTS, ids=[row[0] for row in EFFECTS])
def test_has_an_effect(program: str, kind: str, path: str | None) -> None:
    found = [(effect.kind, effect.path) for effect in awk(program).effects]

    assert (EffectKind(kind), path) in found


@given(st.text(alphabet="pgsx/\"'\\[]{}()|>&@<,;\n #~!+-$1=", max_size=30))
def test_any_text_has_a_meaning(program: str) -> None:
    awk(program)


def test_time_is_linear() -> None:
    for program in ("a)/" * 100_000, "(" * 200_000, "/[[:" * 50_000, "x " * 200_000, "[" * 200_000):
        awk(program)


_PIECES = (
    "{", "}", "print", " ", "$1", "a", "b", "(", ")", "[", "]", '"M"', '"touch M"', '> "M"',
    '>"M"', '>>"M"', ">", "|", '| "sh"', 'system("touch M")', "/", "/x/", '/"/', "/[/]/", '"',
    "\\", "\\\n", "\n", ";", ",", "#", "if (a)", "while (0)", "else ", "BEGIN", "END", "==", "=",
    "++", "--", "!", "~", "?", ":", "&&", "||", "+", "-", "*", "%", "^", "1", "2", ".5", "length",
    "getline", '< "b.txt"', "getline x", 'printf("x")', "print(1)(2)", "print a,",
    "function f(x) {", "return", "f(1)", "in", "delete a[1]", "next", '"touch M" | getline',
    "/a\\/", "/[a/", '" "', 'sub(/"/, "x")', "x / 2", "NR", "$", "for (;;)", "exit", "@", "'",
)  # fmt: skip
_SHELLS = tuple(
    name for name in ("mawk", "gawk", "original-awk", "busybox") if shutil.which(name) is not None
)


@pytest.mark.skipif(not (_SHELLS and shutil.which("bwrap")), reason="needs an awk and bubblewrap")
@pytest.mark.parametrize("seed", range(3))
def test_what_only_computes_changes_nothing_in_any_awk(seed: int) -> None:
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < 200:
        pieces = chance.choices(_PIECES, k=chance.randint(1, 10))
        harm = chance.choice(('system("touch M")', 'print > "M"', 'print "x" | "sh"', ""))
        pieces.insert(chance.randint(0, len(pieces)), harm)
        program = chance.choice(("", "{")) + "".join(pieces) + chance.choice(("", "}"))
        if "M" in program and not awk(program).effects:
            made[program] = None
    programs = [*made]
    controls = ['BEGIN{system("touch M")}', '{print > "M"}', '{print "touch M" | "sh"}']
    for name in _SHELLS:
        first = ["busybox", "awk"] if name == "busybox" else [name]
        changed = changed_anything([[*first, "--", e, "a.txt"] for e in (*programs, *controls)])

        assert changed[-3:] == [True] * 3
        assert [each for each, did in zip(programs, changed, strict=False) if did] == []
