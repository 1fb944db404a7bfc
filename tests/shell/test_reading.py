"""What a text would do, command by command, before any of it is done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shell.argv_oracle import TOKENS
from shell.commands import COMMANDS

from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command, FileUse, Source
from agent_exec.shell.reading import Reading, Scope, read

ENVIRONMENT = {"HOME": "/home/u", "LC_ALL": "C.UTF-8", "V": "value", "PATH": "/usr/bin"}


def scope_of(**variables: str) -> Scope:
    return Scope.of_call({**ENVIRONMENT, **variables}, "/w")


def lowered(text: str, scope: Scope | None = None) -> tuple[Command, ...]:
    reading = read(text, scope_of() if scope is None else scope)
    assert reading.script is not None, reading.needs_bash
    assert reading.complete
    assert reading.needs_bash is None
    assert all(command.certain and command.program is None for command in reading.commands)
    return reading.commands


def refused(text: str, scope: Scope | None = None) -> Reading:
    reading = read(text, scope_of() if scope is None else scope)
    assert reading.script is None
    assert reading.needs_bash
    assert not reading.complete
    assert not any(command.certain for command in reading.commands)
    return reading


def test_a_command_is_listed_with_all_that_it_uses() -> None:
    [command] = lowered("A=1 B=$V rg -n '*' *.py ~/x <in >>out 2>/dev/null 2>&1")
    assert command == Command(
        argv=("rg", "-n", "*", "*.py", "/home/u/x"),
        program=None,
        cwd="/w",
        variables=(("A", "1"), ("B", "value")),
        files=(FileUse(EffectKind.READ, "in"), FileUse(EffectKind.WRITE, "out")),
        patterns=frozenset({3}),
        stdin=Source.FILE,
    )


@pytest.mark.parametrize(
    ("redirections", "files"),
    [
        pytest.param(">f", [("write", "f")], id="write"),
        pytest.param(">>f", [("write", "f")], id="append"),
        pytest.param(">|f", [("write", "f")], id="clobber"),
        pytest.param("&>f", [("write", "f")], id="both"),
        pytest.param("&>>f", [("write", "f")], id="append-both"),
        pytest.param("2>f", [("write", "f")], id="errors"),
        pytest.param("<f", [("read", "f")], id="read"),
        pytest.param("<>f", [("read", "f"), ("write", "f")], id="read-and-write"),
        pytest.param(">a >b", [("write", "a"), ("write", "b")], id="every-one-is-opened"),
        pytest.param(">/dev/null 2>/dev/null </dev/null", [], id="dev-null"),
        pytest.param("2>&1 >&2", [], id="descriptors"),
        pytest.param("<<<x", [], id="here-string"),
        pytest.param(">~/f", [("write", "/home/u/f")], id="home"),
        pytest.param('>"$V/f"', [("write", "value/f")], id="variable"),
    ],
)
def test_redirections_are_uses_of_files(redirections: str, files: list[tuple[str, str]]) -> None:
    [command] = lowered(f"x {redirections}")
    assert [(use.kind.value, use.path) for use in command.files] == files


@pytest.mark.parametrize(
    ("text", "stdin", "content"),
    [
        pytest.param("x", Source.NOTHING, None, id="the-call's"),
        pytest.param("a | x", Source.PIPE, None, id="pipe"),
        pytest.param("a | x <f", Source.FILE, None, id="file-instead-of-pipe"),
        pytest.param("x <f <<<y", Source.TEXT, "y\n", id="the-last-wins"),
        pytest.param("x <<E\ny\nE", Source.TEXT, "y\n", id="here-document"),
        pytest.param("x <<<$V", Source.TEXT, "value\n", id="here-string"),
        pytest.param("a | x </dev/null", Source.NOTHING, None, id="dev-null"),
        pytest.param("x <&2", Source.OPEN, None, id="descriptor"),
        pytest.param("a | x 2<f", Source.PIPE, None, id="not-the-input"),
        pytest.param("a | x &>f", Source.PIPE, None, id="only-output"),
    ],
)
def test_the_input_of_a_command_is_known(text: str, stdin: Source, content: str | None) -> None:
    command = lowered(text)[-1]
    assert (command.stdin, command.text) == (stdin, content)


def test_only_the_first_command_gets_the_text_that_the_call_was_given() -> None:
    scope = scope_of()._replace(stdin=Source.TEXT, text="rm x")
    first, second, third = lowered("sh | cat; sh", scope)
    assert (first.stdin, first.text) == (Source.TEXT, "rm x")
    assert (second.stdin, second.text) == (Source.PIPE, None)
    assert (third.stdin, third.text) == (Source.PIPE, None)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param("cd d && x", ["/w/d"], id="and"),
        pytest.param("cd d && a && x", ["/w/d"], id="and-and"),
        pytest.param("cd d && a | x", ["/w/d"], id="and-pipe"),
        pytest.param("cd d || x", ["/w"], id="or"),
        pytest.param("cd d; x", ["/w/d", "/w"], id="whether-it-fails-or-not"),
        pytest.param("cd d\nx", ["/w/d", "/w"], id="newline"),
        pytest.param("cd d && a; x", ["/w/d", "/w"], id="behind-the-list"),
        pytest.param("cd d && a || x", ["/w/d", "/w"], id="or-behind-and"),
        pytest.param("cd d || exit; x", ["/w/d"], id="or-exit"),
        pytest.param("cd d || exit 1\nx", ["/w/d"], id="or-exit-1"),
        pytest.param("cd d || false; x", ["/w", "/w/d"], id="or-false"),
        pytest.param("! cd d && x", ["/w"], id="negated"),
        pytest.param("! cd d || x", ["/w/d"], id="negated-or"),
        pytest.param("cd d | a; x", ["/w"], id="a-stage-is-a-shell-of-its-own"),
        pytest.param("a | cd d; x", ["/w"], id="the-last-stage-too"),
        pytest.param("true && cd d && x", ["/w/d"], id="behind-true"),
        pytest.param("a && cd d; x", ["/w/d", "/w"], id="perhaps-not-run"),
        pytest.param("cd /d && cd ../e/./f && x", ["/e/f"], id="by-words"),
        pytest.param("cd && x", ["/home/u"], id="home"),
        pytest.param("cd ~/p && x", ["/home/u/p"], id="below-home"),
        pytest.param('cd "$V" && x', ["/w/value"], id="variable"),
        pytest.param("cd -- d && x", ["/w/d"], id="end-of-options"),
        pytest.param("cd a b; x", ["/w"], id="too-many-directories"),
        pytest.param("cd a; cd /b; x", ["/b", "/w/a", "/w"], id="three-places"),
        pytest.param("cd d && cd $PWD/e && x", ["/w/d/e"], id="the-shell-knows-where-it-is"),
        pytest.param("exit; x", ["/w"], id="never-run-and-still-listed"),
        pytest.param("true || x", ["/w"], id="never-run-behind-or"),
    ],
)
def test_a_command_is_listed_for_every_directory_where_it_may_run(
    text: str, places: list[str]
) -> None:
    assert [command.cwd for command in lowered(text) if command.argv == ("x",)] == places


def test_what_is_the_same_everywhere_is_listed_once() -> None:
    assert [command.argv[0] for command in lowered("cd d; echo a; x; echo b >f")] == [
        *("cd", "echo", "x", "x", "echo", "echo"),
    ]


def test_too_many_directories_are_left_to_bash() -> None:
    text = "\n".join(f"cd d{number}" for number in range(9))
    assert refused(f"{text}\nx").needs_bash == "too many directories in which a command may run"


def test_an_export_holds_for_what_follows_in_the_same_shell() -> None:
    text = "export A=1 B=$V; x $A; C=3 y; export D=4 | z; w $A$D; export V"
    assert [(command.argv, command.variables) for command in lowered(text)] == [
        (("export", "A=1", "B=value"), ()),
        (("x", "1"), (("A", "1"), ("B", "value"))),
        (("y",), (("A", "1"), ("B", "value"), ("C", "3"))),
        (("export", "D=4"), (("A", "1"), ("B", "value"))),
        (("z",), (("A", "1"), ("B", "value"))),
        (("w", "1"), (("A", "1"), ("B", "value"))),
        (("export", "V"), (("A", "1"), ("B", "value"))),
    ]


def test_an_export_that_may_not_happen_is_listed_with_and_without() -> None:
    commands = lowered("a && export A=1; x $A")
    assert [command.argv for command in commands[2:]] == [("x", "1"), ("x",)]


def test_a_later_assignment_of_a_prefix_sees_the_earlier_and_the_words_see_none() -> None:
    [command] = lowered("A=1 B=$A x $A$V")
    assert command.argv == ("x", "value")
    assert command.variables == (("A", "1"), ("B", "1"))


def test_variables_of_the_call_are_those_of_every_command() -> None:
    scope = scope_of(P="1")._replace(exported=(("P", "1"),))
    assert [command.variables for command in lowered("P=2 x; y", scope)] == [
        (("P", "1"), ("P", "2")),
        (("P", "1"),),
    ]


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        pytest.param("x $?", ("x", "0"), id="at-the-start"),
        pytest.param("false; x $?", ("x", "1"), id="known"),
        pytest.param("! true; x $?", ("x", "1"), id="negated"),
        pytest.param("a && x $?", ("x", "0"), id="behind-and"),
        pytest.param("cd d || x $?", ("x", "1"), id="behind-cd"),
    ],
)
def test_a_status_that_is_known_is_a_number(text: str, argv: tuple[str, ...]) -> None:
    command = lowered(text)[-1]
    assert command.argv == argv
    assert not command.patterns


def test_a_status_that_only_the_run_tells_makes_its_word_a_pattern() -> None:
    commands = lowered('a; x "s=$?" y; echo $?; a; [ $? -eq 0 ]')
    assert [(command.argv, sorted(command.patterns)) for command in commands[1::2]] == [
        (("x", "s=$?", "y"), [1]),
        (("a",), []),
    ]
    # What our builtins make of a number is the same for all numbers.
    assert [(command.argv, sorted(command.patterns)) for command in commands[2::2]] == [
        (("echo", "$?"), []),
        (("[", "$?", "-eq", "0", "]"), []),
    ]


def test_a_redirection_alone_is_a_builtin_that_does_nothing() -> None:
    [command] = lowered(">f")
    assert command.argv == (":",)
    assert command.builtin
    assert command.files == (FileUse(EffectKind.WRITE, "f"),)


def test_what_vanishes_is_no_command() -> None:
    assert lowered("$NONE") == ()
    assert [command.argv for command in lowered("$NONE rm x")] == [("rm", "x")]


@pytest.mark.parametrize("text", ["", "  ", "# nothing", "\n\n"])
def test_a_text_of_nothing_is_a_script_of_nothing(text: str) -> None:
    reading = read(text, scope_of())
    assert reading.commands == ()
    assert reading.complete


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a; $? x", "whose name only the run tells", id="a-status-as-the-name"),
        pytest.param("*x y", "whose name only the run tells", id="a-pattern-as-the-name"),
        pytest.param("$V[0] x", "whose name only the run tells", id="a-set-in-the-name"),
        pytest.param("a; A=$? x", "only the run tells", id="a-status-in-a-variable"),
        pytest.param("a; x >f$?", "only the run tells", id="a-status-in-a-file"),
        pytest.param("a; x <<<$?", "only the run tells", id="a-status-as-the-input"),
        pytest.param("a; cd $?", "only the run tells", id="a-status-to-enter"),
        pytest.param("cd d*", "only the run tells", id="a-pattern-to-enter"),
        pytest.param("A=1 x >$V", "assignments before it", id="a-file-of-a-prefix"),
        pytest.param("A=1 $NONE", "assignment to a variable", id="a-prefix-of-nothing"),
        pytest.param("A=1 cd d", "before a builtin", id="a-prefix-of-a-builtin"),
        pytest.param("PATH=/x y", "PATH", id="path"),
        pytest.param("IFS=: y", "IFS", id="ifs"),
        pytest.param("BASH_ENV=x y", "BASH_ENV", id="bash-env"),
        pytest.param("LC_ALL=xx y", "locale", id="a-locale"),
        pytest.param("UID=1 y", "UID", id="read-only"),
        pytest.param("export PATH=/x", "PATH", id="export-path"),
        pytest.param("export HOME=/x", "HOME", id="export-home"),
        pytest.param('"export" A=1', "quoted export", id="a-quoted-export"),
        pytest.param("x >$NONE", "redirection to nothing", id="a-file-that-vanishes"),
        pytest.param('x >"$T"', "makes up", id="a-file-that-bash-makes-up"),
        pytest.param("x | <f", "without a command", id="an-input-of-nothing"),
        pytest.param("$NONE <>f | x", "without a command", id="an-input-of-what-vanishes"),
        pytest.param("x >/dev/tcp/h/1", "makes up", id="a-connection"),
        pytest.param("x >/dev/./stdout", "each process", id="an-output"),
        pytest.param("cd /dev && x >fd/1", "each process", id="an-output-from-where-it-is"),
        pytest.param("cd /proc; cat <self/status", "each process", id="its-own-status"),
        pytest.param("x </dev/tty", "each process", id="the-terminal"),
        pytest.param("test -e ../proc/thread-self", "each process", id="a-question-about-it"),
        pytest.param("x /proc/self/fd/*", "each process", id="its-descriptors"),
        pytest.param("cd /proc/self", "odd directory", id="its-own-directory"),
        pytest.param("x ~", "home", id="no-home"),
        pytest.param("x $UID", "UID", id="computed"),
        pytest.param("x $SHELL", "SHELL", id="set-by-bash-where-it-is-not-there"),
        pytest.param("x $S", "unquoted value", id="split"),
        pytest.param("x $G", "unquoted value", id="matched"),
        pytest.param("$J", "a job", id="a-job-by-a-variable"),
        pytest.param("x [[:alpha:]]*", "bracket", id="a-class"),
        pytest.param("x .*", "match", id="dot-files"),
    ],
)
def test_bash_is_needed_where_only_the_run_or_bash_tells(text: str, reason: str) -> None:
    scope = scope_of(S="a b", G="*", J="%1", T="/dev/tcp/h/1")
    if reason == "home":
        scope = scope._replace(home=None)
    assert reason in str(refused(text, scope).needs_bash)


@pytest.mark.parametrize("home", ["", "//x", "-", None])
@pytest.mark.parametrize("text", ["cd", "cd ~"])
def test_an_odd_home_is_left_to_bash(text: str, home: str | None) -> None:
    variables = {} if home is None else {"HOME": home}
    refused(text, Scope.of_call(variables, "/w"))


@pytest.mark.parametrize("home", ["", None])
def test_a_tilde_without_a_home_is_left_to_bash(home: str | None) -> None:
    refused("x ~", scope_of()._replace(home=home))


def test_a_very_long_text_is_not_read() -> None:
    assert refused("#" * ((1 << 20) + 1)).needs_bash == "the text is very long"


@pytest.mark.parametrize(
    "name",
    [
        *("BASH_ENV", "BASH_FUNC_ls%%", "SHELLOPTS", "BASHOPTS", "POSIXLY_CORRECT", "CDPATH"),
        *("GLOBIGNORE", "IFS", "ENV", "BASH_COMPAT", "EXECIGNORE", "UID", "PPID", "RANDOM"),
    ],
)
def test_bash_is_needed_where_the_environment_changes_it(name: str) -> None:
    assert name in str(refused("ls", scope_of(**{name: "x"})).needs_bash)


@pytest.mark.parametrize(
    ("variables", "lowers"),
    [
        ({}, True),
        ({"LANG": "C"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8"}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, True),
        ({"LANG": "C", "LC_COLLATE": "de_DE.UTF-8"}, False),
        ({"LANG": "C", "LC_CTYPE": "de_DE.ISO-8859-1"}, False),
        ({"LC_ALL": "de_DE.UTF-8", "LC_COLLATE": "C"}, False),
    ],
)
def test_patterns_are_ours_only_where_names_are_sorted_by_bytes(
    variables: dict[str, str], lowers: bool
) -> None:
    scope = Scope.of_call(variables, "/w")
    assert (read("ls *.py", scope).script is not None) is lowers
    assert read("ls '*.py'", scope).script is not None


def test_parameters_of_a_text_that_nobody_knows_are_left_to_bash() -> None:
    assert refused("x $1", scope_of()._replace(parameters=None))
    [command] = lowered('x $1 "$2" $#', scope_of()._replace(parameters=("s", "one")))
    assert command.argv == ("x", "one", "", "1")


@given(st.text(st.characters(), max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    check_reading(read(text, scope_of()))


@given(st.lists(st.one_of(st.sampled_from(TOKENS), st.sampled_from(COMMANDS)), max_size=20))
def test_no_soup_breaks_the_reading(tokens: list[str]) -> None:
    check_reading(read(" ".join(tokens), scope_of()))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a|" * 5_000_000, id="ten-megabytes-of-pipes"),
        pytest.param("a|" * 30_000 + "(", id="pipes-for-the-listing"),
        pytest.param("a|" * 400 + "(", id="fewer-pipes-for-the-listing"),
        pytest.param("'" * 1_000_001, id="quotes"),
        pytest.param("'\"'\"" * 200_000, id="quotes-in-quotes"),
        pytest.param('"$(' * 10_000 + "a" + ')"' * 10_000, id="substitutions-in-quotes"),
        pytest.param("$(" * 15_000, id="substitutions"),
        pytest.param("`a " * 10_000, id="backticks"),
        pytest.param("(" * 30_000, id="parentheses"),
        pytest.param("if a; then " * 3_000, id="ifs"),
        pytest.param("\\a" * 250_000, id="escapes"),
        pytest.param("{a,b}" * 100_000, id="braces"),
        pytest.param("x {" * 10_000, id="open-braces"),
        pytest.param("x " + "{a,b}{c,d} " * 20_000, id="many-braces"),
        pytest.param("ls " + "*a" * 100_000, id="stars"),
        pytest.param("ls " + "[a]*" * 1_000, id="sets"),
        pytest.param("<<E " * 8_000, id="here-documents"),
        pytest.param("cd d;" * 3_000, id="directories"),
        pytest.param("\n".join(f"export A{i}=1" for i in range(1_000)), id="exports"),
        pytest.param(" ".join(f"A{i}=1" for i in range(3_000)) + " x", id="prefixes"),
        pytest.param("a\x00b" * 10_000, id="control-characters"),
        pytest.param("\\\n" * 15_000 + "(", id="continuations"),
    ],
)
@pytest.mark.timeout(30)
def test_a_reading_takes_bounded_time(text: str) -> None:
    check_reading(read(text, scope_of()))


def check_reading(reading: Reading) -> None:
    """What holds for the reading of any text."""
    assert (reading.script is None) == (reading.needs_bash is not None)
    assert reading.complete == (reading.script is not None)
    assert all(command.certain is reading.complete for command in reading.commands)
    assert all(command.argv for command in reading.commands)
