"""Commands to what they do: what holds for every table, and what must never be overlooked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command, FileUse, Source
from agent_exec.policy.analyse import MOST_COMMANDS, MOST_LEVELS, analyse
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.table import Syntax, Table
from agent_exec.policy.tables import Tables
from agent_exec.policy.written_tables import written_tables

SHIPPED = load_tables()
NOT_HARMLESS = {EffectKind.UNKNOWN, EffectKind.EXECUTE, EffectKind.PRIVILEGE}

words = st.one_of(
    st.sampled_from(["-", "--", "", "-n", "-x", "-c", "-e", "--help", "--output=x", "-ofile"]),
    st.sampled_from(["A=1", "x y", "rm x", "{}", ";", "+", "*", "-*", "s/a/b/e", "{print > $1}"]),
    st.sampled_from(["/dev/stdin", "5", "+5", "@f", "if=a", "-exec", "push", "run", "-C", "\\"]),
    st.text(max_size=8),
    st.binary(max_size=8).map(lambda word: word.decode("utf-8", "surrogateescape")),
)
names = st.sampled_from([*SHIPPED.names(), "bash", "sh"])
vectors = st.builds(
    lambda name, rest: (*name, *rest),
    st.one_of(names.map(lambda name: (name,)), st.just(())),
    st.lists(words, max_size=7),
)


def analysed(
    *argv: str, stdin: Source = Source.NOTHING, tables: Tables = SHIPPED, builtin: bool = False
) -> tuple[Analysed, ...]:
    command = Command(argv, None, stdin=stdin, builtin=builtin)
    return analyse([command], tables, cwd="/w", variables={})


def kinds(found: Sequence[Analysed]) -> set[EffectKind]:
    """Of all effects but the inner commands, which are judged themselves."""
    return {effect.kind for each in found for effect in each.effects if effect.argv is None}


def all_tables() -> Iterator[tuple[tuple[str, ...], Table]]:
    """Every table, sub-commands too, with the words that lead to it."""
    waiting: list[tuple[tuple[str, ...], Table | None]] = [
        ((name,), SHIPPED.get(name)) for name in SHIPPED.names()
    ]
    while waiting:
        path, table = waiting.pop()
        assert table is not None
        yield path, table
        waiting += [((*path, word), inner) for word, inner in (table.commands or {}).items()]


@given(
    argv=vectors,
    patterns=st.frozensets(st.integers(0, 7), max_size=3),
    stdin=st.sampled_from(Source),
    more=st.sampled_from([None, (), ("src/",), (".",)]),
    text=st.none() | st.text(max_size=10),
    builtin=st.booleans(),
    certain=st.booleans(),
)
@settings(max_examples=1500)
def test_no_argument_vector_is_too_much(
    argv: tuple[str, ...],
    patterns: frozenset[int],
    stdin: Source,
    more: tuple[str, ...] | None,
    text: str | None,
    builtin: bool,
    certain: bool,
) -> None:
    command = Command(
        argv,
        None,
        patterns=patterns,
        stdin=stdin,
        more=more,
        text=text,
        builtin=builtin,
        certain=certain,
    )
    found = analyse([command], SHIPPED, cwd="/w", variables={})
    assert found[0].command == command
    assert all(each.of is None or each.of < index for index, each in enumerate(found))
    if not certain:
        assert EffectKind.UNKNOWN in kinds(found)


def test_an_option_that_no_table_has_makes_every_program_unknown() -> None:
    silent = [
        " ".join(path)
        for path, table in all_tables()
        if table.syntax is not Syntax.WORDS
        and table.anything is None
        and table.language != "test"
        and not kinds(analysed(*path, "--no-such-option-anywhere", "x")) & NOT_HARMLESS
    ]
    assert silent == []


def test_a_program_that_may_do_anything_says_so_whatever_its_words() -> None:
    for path, table in all_tables():
        if table.anything is not None:
            found = kinds(analysed(*path, "--no-such-option", "x"))
            expected = {effect.kind for effect in table.anything}
            assert expected <= found or EffectKind.UNKNOWN in found, path


@given(
    argv=st.sampled_from(
        [
            ("rm", "-rf", "x"),
            ("sort", "-o", "out", "in"),
            ("rg", "-n", "TODO", "src"),
            ("find", ".", "-delete"),
            ("git", "push"),
            ("no-such-program", "--x"),
            ("./own", "x"),
            ("bash", "-c", "rm x; ls"),
            ("xargs", "rm"),
        ]
    ),
    wrappers=st.lists(
        st.sampled_from(
            [
                ("env",),
                ("env", "-"),
                ("env", "-i"),
                ("env", "--"),
                ("env", "-u", "A"),
                ("timeout", "5"),
                ("timeout", "-sKILL", "--kill-af=3", "5"),
                ("nice",),
                ("nice", "-n5"),
                ("nice", "-5"),
                ("nice", "--adj", "5"),
                ("ionice", "-c3"),
                ("nohup",),
                ("setsid", "-w"),
                ("stdbuf", "-oL", "-e0"),
                ("time", "-p"),
                ("chrt", "-i", "0"),
                ("taskset", "1"),
                ("flock", "x"),
                ("prlimit", "--nofile=5"),
                ("choom", "-n", "5", "--"),
                ("linux64",),
                ("setpriv", "--nnp"),
                ("chroot", "/"),
                ("unshare", "-r"),
                ("busybox",),
                ("/lib64/ld-linux-x86-64.so.2",),
                ("watch", "-x"),
            ]
        ),
        max_size=4,
    ),
)
def test_a_wrapped_command_does_at_least_what_it_does_alone(
    argv: tuple[str, ...], wrappers: list[tuple[str, ...]]
) -> None:
    bare = kinds(analysed(*argv))
    assert bare <= kinds(analysed(*itertools.chain(*wrappers), *argv))


@pytest.mark.parametrize(
    "line",
    [
        "python3",
        "python3 -",
        "python3 /dev/stdin",
        "python3 -I -",
        "perl /dev/stdin",
        "ruby -",
        "node -",
        "node /dev/stdin",
        "awk -f - x",
        "awk -f /dev/stdin x",
        "sed -f - x",
        "sed -nf- x",
        "sed --file=/dev/stdin x",
        "make -f -",
        "bash",
        "bash -s",
        "bash /dev/stdin",
        "sh -",
        "env bash",
        "timeout 5 python3",
    ],
)
def test_code_that_comes_from_the_input_is_run(line: str) -> None:
    assert EffectKind.EXECUTE in kinds(analysed(*line.split(), stdin=Source.PIPE))


@pytest.mark.parametrize(
    ("line", "kind", "path"),
    [
        ("rm -", EffectKind.DELETE, "-"),
        ("rm /dev/null", EffectKind.DELETE, "/dev/null"),
        ("cp a -", EffectKind.WRITE, "./-"),
        ("mkdir -", EffectKind.WRITE, "./-"),
        ("tee -", EffectKind.WRITE, "./-"),
        ("sort -o - a", EffectKind.WRITE, "./-"),
    ],
)
def test_a_dash_is_a_file_where_the_program_says_nothing_else(
    line: str, kind: EffectKind, path: str
) -> None:
    (found,) = analysed(*line.split())
    assert (kind, path) in {(effect.kind, effect.path) for effect in found.effects}


@pytest.mark.parametrize("line", ["uniq a -", "tar -cf - src", "gzip -c -", "pdftotext a.pdf -"])
def test_a_dash_is_the_output_of_programs_that_say_so(line: str) -> None:
    assert EffectKind.WRITE not in kinds(analysed(*line.split()))


def test_commands_in_commands_end_in_doubt() -> None:
    deep = analysed(*["env"] * (MOST_LEVELS + 5), "ls")
    assert EffectKind.UNKNOWN not in kinds(analysed(*["env"] * (MOST_LEVELS - 1), "ls"))
    assert EffectKind.UNKNOWN in kinds(deep)


@pytest.mark.parametrize(
    "last", [("ls",), ("bash", "-c", "rm -rf x"), ("env", "rm", "x"), ("xargs", "rm")]
)
def test_commands_beyond_the_most_end_in_doubt(last: tuple[str, ...]) -> None:
    """Also where the last that still fits is a shell, whose text then does not."""
    true = Command(("true",), None, builtin=True)
    for number in (MOST_COMMANDS - 1, MOST_COMMANDS):
        commands = [*[true] * number, Command(last, None)]
        found = analyse(commands, SHIPPED, cwd="/w", variables={})
        assert len(found) <= MOST_COMMANDS
        if number == MOST_COMMANDS or last != ("ls",):
            assert EffectKind.UNKNOWN in kinds(found)


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(("rg", "x", *["a"] * 100_000), id="operands"),
        pytest.param(("grep", *["-e", "x"] * 50_000), id="options"),
        pytest.param(("1" * 100_000 + "x",), id="digits-in-a-name"),
        pytest.param(("env", *["A=1"] * 30_000, "ls"), id="assignments"),
        pytest.param(("cat", "-" * 100_000), id="dashes"),
        pytest.param(("find", *["("] * 50_000), id="parentheses"),
        pytest.param(("sed", "-n", "{" * 100_000), id="braces"),
        pytest.param(("awk", "{" * 100_000), id="braces-of-awk"),
        pytest.param(("test", *["!"] * 100_000, "x"), id="not-not"),
    ],
)
def test_much_of_it_takes_no_longer_than_it_must(argv: tuple[str, ...]) -> None:
    """In time that grows faster than its length, any of these would take minutes."""
    assert analysed(*argv)[0].command.argv == argv


def test_a_name_that_nobody_knows_is_not_remembered() -> None:
    tables = load_tables()
    before = tables.get("no-such-program-0")
    analysed("ls", tables=tables)
    made = tables._made
    size = len(made)
    for number in range(100):
        assert tables.get(f"no-such-program-{number}") is before is None
    assert tables._made is made
    assert len(made) == size


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        ("env A=1 B-C=2 ls", "ls"),
        ("env - ls", "ls"),
        ("env -- A=1 ls", "ls"),
        ("env A=1 -S x", "-S"),
    ],
)
def test_env_takes_words_as_env_does(line: str, understood: str) -> None:
    assert analysed(*line.split())[1].command.argv[0] == understood


@pytest.mark.parametrize(
    ("source", "argv", "unknown"),
    [
        pytest.param({"syntax": "single", "flags": ["-n"]}, ["-n=true"], False, id="true"),
        pytest.param({"syntax": "single", "flags": ["-n"]}, ["-n=false"], False, id="false"),
        pytest.param({"syntax": "single", "flags": ["-n"]}, ["-n=x"], True, id="neither"),
        pytest.param({"syntax": "single", "flags": ["-n"]}, ["-n", "-n=0"], True, id="both"),
        pytest.param(
            {"negatable": True, "flags": ["--dry-run"]}, ["--dry-run", "--no-dry"], True, id="no"
        ),
    ],
)
def test_an_option_and_its_opposite_leave_a_doubt(
    source: dict[str, object], argv: list[str], unknown: bool
) -> None:
    tables = written_tables({"own.yaml": {"prog": source}})
    assert (EffectKind.UNKNOWN in kinds(analysed("prog", *argv, tables=tables))) is unknown


def test_an_option_that_was_taken_back_does_not_choose_a_mode() -> None:
    source = {
        "syntax": "single",
        "flags": ["-n"],
        "effects": ["network"],
        "modes": [{"if": ["-n"], "effects": []}],
    }
    tables = written_tables({"own.yaml": {"prog": source}})
    assert kinds(analysed("prog", "-n", tables=tables)) == set()
    assert kinds(analysed("prog", "-n=false", tables=tables)) == {EffectKind.NETWORK}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"options": {"-d": {"effects": ["delete ."]}}}, id="an-effect"),
        pytest.param({"options": {"-o": {"value": "write"}}}, id="a-value"),
        pytest.param(
            {"flags": ["-d"], "modes": [{"if": ["-d"], "operands": ["delete*"]}]}, id="a-mode"
        ),
        pytest.param({"plus": "code"}, id="a-plus"),
        pytest.param({"response_files": True}, id="a-file-of-words"),
    ],
)
def test_a_glob_that_may_match_a_harmful_option_is_unknown(source: dict[str, object]) -> None:
    tables = written_tables({"own.yaml": {"prog": {**source, "operands": ["read*"]}}})
    for word, unknown in (("*", True), ("./*", False), ("src/*.py", False)):
        command = Command(("prog", word), None, patterns=frozenset({1}))
        found = analyse([command], tables, cwd="/w", variables={})
        assert (EffectKind.UNKNOWN in kinds(found)) is unknown


def test_a_variable_of_a_wrapper_is_judged_with_the_command_inside() -> None:
    outer, inner = analysed("env", "GIT_PAGER=x", "LANG=C", "git", "log")
    assert outer.command.variables == ()
    assert inner.command.variables == (("GIT_PAGER", "x"), ("LANG", "C"))
    assert EffectKind.EXECUTE in kinds([inner])


def test_what_is_around_a_command_is_judged_though_its_words_do_nothing() -> None:
    written = FileUse(EffectKind.WRITE, "out")
    for command, kind in (
        (Command(("true",), None, files=(written,)), EffectKind.WRITE),
        (Command(("true",), None, variables=(("LD_PRELOAD", "x"),)), EffectKind.EXECUTE),
        (Command(("true",), None, terminal=True), EffectKind.UNKNOWN),
        (Command(("true",), None, certain=False), EffectKind.UNKNOWN),
    ):
        (found,) = analyse([command], SHIPPED, cwd="/w", variables={})
        assert kinds([found]) == {kind}
        assert found.own == 0


def test_words_that_nobody_knows_go_to_the_command_inside() -> None:
    command = Command(("env", "rm"), None, more=("src/",))
    _, inner = analyse([command], SHIPPED, cwd="/w", variables={})
    assert inner.command.more == ("src/",)
    assert EffectKind.UNKNOWN in kinds([inner])


@pytest.mark.parametrize(
    ("operands", "line", "unknown"),
    [
        pytest.param(["read*", "write"], "./* out", False, id="what-follows-counts-from-the-end"),
        pytest.param(["read*", "write"], "a ./*", True, id="the-last-may-be-any"),
        pytest.param(["read*", "write"], "./*", True, id="alone"),
        pytest.param(["data", "read*"], "a ./*", False, id="what-precedes-counts-from-the-start"),
        pytest.param(["data", "read*"], "./* a", True, id="the-first-may-be-two"),
        pytest.param(["read", "write"], "./* out", True, id="too-many"),
        pytest.param(["read*"], "./* a ./*", False, id="all-the-same"),
    ],
)
def test_a_glob_is_known_where_all_that_it_may_be_is_one(
    operands: list[str], line: str, unknown: bool
) -> None:
    tables = written_tables({"own.yaml": {"prog": {"operands": operands}}})
    argv = ("prog", *line.split())
    patterns = frozenset(index for index, word in enumerate(argv) if "*" in word)
    command = Command(argv, None, patterns=patterns)
    found = analyse([command], tables, cwd="/w", variables={})
    assert (EffectKind.UNKNOWN in kinds(found)) is unknown
