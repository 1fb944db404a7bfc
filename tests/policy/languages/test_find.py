"""find expressions, by themselves and against the real find."""

from __future__ import annotations

import random
import shutil

import pytest
from policy.languages.sandbox import changed_anything

from agent_exec.model.effect import EffectKind
from agent_exec.policy.languages.find import find
from agent_exec.policy.meaning import Inner, Meaning


def _find(*words: str, globs: frozenset[int] = frozenset()) -> Meaning:
    return find(("find", *words), globs, None)


def _kinds(meaning: Meaning) -> list[tuple[str, str | None]]:
    return [(effect.kind.value, effect.path) for effect in meaning.effects]


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ("", ["."]),
        ("-name x", ["."]),
        ("a b", ["a", "b"]),
        ("-H -P -O3 -D tree a -type f", ["a"]),
        ("-- a -print", ["a"]),
        ("a ( -name x -o -iname y ) ! -empty , -true -print0", ["a"]),
        ("a -maxdepth 2 -size -5k -mtime +1 -perm -u+x -newermt 2020-01-01", ["a"]),
        ("a -printf %p\\n -ls -quit -prune -not -path x -regex y -regextype z", ["a"]),
        ("-", ["./-"]),
    ],
)
def test_only_reads_its_starting_points(words: str, starts: list[str]) -> None:
    meaning = _find(*words.split())

    assert _kinds(meaning) == [("read", start) for start in starts]
    assert meaning.inner == ()


@pytest.mark.parametrize(
    ("words", "effect"),
    [
        ("a -delete", ("delete", "a")),
        ("-delete", ("delete", ".")),
        ("-fprint M", ("write", "M")),
        ("-fprint0 M", ("write", "M")),
        ("-fls M", ("write", "M")),
        ("-fprintf M %p", ("write", "M")),
        ("-fprint -", ("write", "./-")),
        ("-newer x", ("read", "x")),
        ("-samefile x", ("read", "x")),
        ("-neweraB x", ("read", "x")),
        ("-files0-from x", ("read", "x")),
        ("-files0-from x -delete", ("delete", None)),
        ("-execdir cat x ;", ("unknown", None)),
        ("-frob", ("unknown", None)),
        ("a -print b", ("unknown", None)),
        ("-name", ("unknown", None)),
        ("-exec ls {}", ("unknown", None)),
        ("-exec ;", ("unknown", None)),
        ("-exec {} ;", ("execute", None)),
        ("-exec ./{} x ;", ("execute", None)),
        ("-exec cp {} {}.old ;", ("unknown", None)),
        ("-exec sh -c cat{} ;", ("unknown", None)),
        ("-exec env A={} ls ;", ("unknown", None)),
        ("-exec cat {}/../x ;", ("unknown", None)),
        ("-execdir cat ../x ;", ("unknown", None)),
        ("-files0-from x -exec cat {} ;", ("unknown", None)),
        ("-ok rm {} +", ("unknown", None)),
    ],
)
def test_has_an_effect(words: str, effect: tuple[str, str | None]) -> None:
    assert effect in _kinds(_find(*words.split()))


@pytest.mark.parametrize(
    ("words", "inner"),
    [
        ("a -exec ls -l {} ;", [Inner(("ls", "-l", "a"), frozenset({2}))]),
        ("-exec ls {} +", [Inner(("ls", "."), frozenset({1}))]),
        ("a b -exec ls {} +", [Inner(("ls", "a", "b"), frozenset({1, 2}))]),
        (
            "a b -exec ls {} ;",
            [Inner(("ls", "a"), frozenset({1})), Inner(("ls", "b"), frozenset({1}))],
        ),
        ("a -exec ls {}/x ;", [Inner(("ls", "a"), frozenset({1}))]),
        ("a b -exec touch M ;", [Inner(("touch", "M"))]),
        ("-ok rm {} ;", [Inner(("rm", "."), frozenset({1}))]),
        (
            "-exec ls {} ; -exec rm {} ;",
            [Inner(("ls", "."), frozenset({1})), Inner(("rm", "."), frozenset({1}))],
        ),
        (
            "a/b -execdir ls {} ;",
            [
                Inner(("ls", "b"), frozenset({1}), cwd="a"),
                Inner(("ls", "."), frozenset({1}), cwd="a/b"),
            ],
        ),
    ],
)
def test_runs_commands(words: str, inner: list[Inner]) -> None:
    assert list(_find(*words.split()).inner) == inner


@pytest.mark.parametrize(
    ("words", "closed"),
    [
        ("a -type f", ()),
        ("-L a", ("a",)),
        ("a b -follow", ("a", "b")),
        ("-exec cat {} ;", (".",)),
        ("a -exec cat {} +", ("a",)),
        ("a -exec cat x ;", ()),
    ],
)
def test_says_where_no_link_may_lead_out(words: str, closed: tuple[str, ...]) -> None:
    assert _find(*words.split()).closed == closed


def test_a_plus_ends_an_action_only_after_the_braces() -> None:
    assert _find("-exec", "ls", "+", "x", "{}", "+", "-print").inner == (
        Inner(("ls", "+", "x", "."), frozenset({3})),
    )


@pytest.mark.parametrize("words", ["*", "[a]", "-name *", "a -fprint *", "a *"])
def test_a_glob_that_may_be_an_expression_is_unknown(words: str) -> None:
    globs = frozenset(at + 1 for at, word in enumerate(words.split()) if set(word) & set("*["))

    assert ("unknown", None) in _kinds(_find(*words.split(), globs=globs))


def test_a_glob_with_a_plain_beginning_is_a_starting_point() -> None:
    assert _kinds(_find("src/*", globs=frozenset({1}))) == [("read", "src/*")]


_WORDS = (
    ". a.txt d -name -type f *.txt -o -a ! ( ) , -exec -execdir -ok touch M rm {} ; + -delete "
    "-fprint -fprintf %p -fls -print -print0 -printf -ls -maxdepth 1 -newer b.txt -size +0 -true "
    "-false -L -H -depth -d -prune -quit -not -path ./x -perm -u+r ls cat -regex .* -empty -mtime "
    "-1 -follow -- -daystart"
)


@pytest.mark.skipif(
    not (shutil.which("find") and shutil.which("bwrap")), reason="needs find and bubblewrap"
)
@pytest.mark.parametrize("seed", range(2))
def test_what_only_reads_changes_nothing_when_the_real_find_runs_it(seed: int) -> None:
    chance = random.Random(seed)
    words = _WORDS.split()
    calls: list[tuple[str, ...]] = []
    while len(calls) < 300:
        call = tuple(chance.choices(words, k=chance.randint(1, 8)))
        harm = chance.choice((("-delete",), ("-exec", "touch", "M", ";"), ("-fprint", "M")))
        at = chance.randint(0, len(call))
        call = (*call[:at], *harm, *call[at:])
        meaning = _find(*call)
        kinds = {effect.kind for effect in meaning.effects}
        if kinds <= {EffectKind.READ} and {inner.argv[0] for inner in meaning.inner} <= {
            "ls",
            "cat",
        }:
            calls.append(call)
    controls = [("-delete",), ("-exec", "touch", "M", ";"), ("-fprint", "M")]
    changed = changed_anything([("find", *call) for call in (*calls, *controls)])

    assert changed[-3:] == [True] * 3
    assert [call for call, did in zip(calls, changed, strict=False) if did] == []
