"""What has a form of ours, and what is left to bash with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.model.script import (
    Assignment,
    Item,
    Joint,
    Kind,
    Operator,
    Piece,
    Pipeline,
    Redirection,
    Script,
    SimpleCommand,
    Word,
)
from agent_exec.shell.needs_bash import NeedsBash
from agent_exec.shell.parser import parse


def plain(text: str) -> Word:
    return Word((Piece(Kind.PLAIN, text),))


def quoted(text: str) -> Word:
    return Word((Piece(Kind.QUOTED, text),))


def command(*words: Word | str, line: int = 1, **parts: tuple[object, ...]) -> SimpleCommand:
    written = tuple(plain(word) if isinstance(word, str) else word for word in words)
    return SimpleCommand(
        parts.get("assignments", ()),  # type: ignore[arg-type]
        written,
        parts.get("redirections", ()),  # type: ignore[arg-type]
        line,
    )


def one(made: SimpleCommand) -> Script:
    return Script((Item(Joint.ALWAYS, Pipeline((made,), (), negated=False)),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ls -l", one(command("ls", "-l")), id="words"),
        pytest.param(
            "'' \"\" x''",
            one(
                command(
                    quoted(""), quoted(""), Word((Piece(Kind.PLAIN, "x"), Piece(Kind.QUOTED, "")))
                )
            ),
            id="empty-words",
        ),
        pytest.param(
            "a\\ b'c'",
            one(
                command(
                    Word(
                        (
                            Piece(Kind.PLAIN, "a"),
                            Piece(Kind.QUOTED, " "),
                            Piece(Kind.PLAIN, "b"),
                            Piece(Kind.QUOTED, "c"),
                        )
                    )
                )
            ),
            id="quotes-within-a-word",
        ),
        pytest.param(
            '"a$b"',
            one(command(Word((Piece(Kind.QUOTED, "a"), Piece(Kind.QUOTED_VARIABLE, "b"))))),
            id="a-quoted-variable",
        ),
        pytest.param(
            "A=1 B='x y' env",
            one(
                command(
                    "env", assignments=(Assignment("A", plain("1")), Assignment("B", quoted("x y")))
                )
            ),
            id="assignments",
        ),
        pytest.param("x {a,b}c", one(command("x", "ac", "bc")), id="braces"),
        pytest.param("x a{,b}", one(command("x", "a", "ab")), id="an-empty-brace"),
        pytest.param("x {,b}", one(command("x", "b")), id="a-brace-that-vanishes"),
        pytest.param("x {08..10}", one(command("x", "08", "09", "10")), id="padded-numbers"),
        pytest.param("x {c..a}", one(command("x", "c", "b", "a")), id="letters-backwards"),
        pytest.param("x {a,{b,c}}d", one(command("x", "ad", "bd", "cd")), id="braces-in-braces"),
        pytest.param(
            "x {} @{1} {a b}", one(command("x", "{}", "@{1}", "{a", "b}")), id="no-braces"
        ),
        pytest.param(
            "x $'a\\tb\\x41\\101\\'\\q'",
            one(command("x", quoted("a\tbAA'\\q"))),
            id="ansi-quotes",
        ),
        pytest.param("env A=1", one(command("env", "A=1")), id="an-assignment-as-a-word"),
        pytest.param(
            "cat <in >>out 2>&1",
            one(
                command(
                    "cat",
                    redirections=(
                        Redirection(0, Operator.READ, plain("in")),
                        Redirection(1, Operator.APPEND, plain("out")),
                        Redirection(2, Operator.DUPLICATE_OUT, plain("1")),
                    ),
                )
            ),
            id="redirections",
        ),
        pytest.param(
            "cat <<-'E' x\n\t$a\n\tE\n",
            one(
                command(
                    "cat",
                    "x",
                    redirections=(Redirection(0, Operator.HERE_DOCUMENT, quoted("$a\n")),),
                )
            ),
            id="a-here-document",
        ),
        pytest.param(
            ">empty",
            one(command(redirections=(Redirection(1, Operator.WRITE, plain("empty")),))),
            id="a-redirection-alone",
        ),
        pytest.param("\n\n x", one(command("x", line=3)), id="the-line-is-kept"),
        pytest.param("", Script(()), id="nothing"),
        pytest.param(" # only a comment\n", Script(()), id="a-comment"),
    ],
)
def test_a_text_has_this_form(text: str, expected: Script) -> None:
    assert _without_messages(parse(text)) == expected


def _without_messages(script: Script) -> Script:
    """Without what only messages need."""
    items = [
        item._replace(
            pipeline=item.pipeline._replace(
                commands=tuple(
                    stage._replace(shown="", last_line=1) for stage in item.pipeline.commands
                )
            )
        )
        for item in script.items
    ]
    return Script(tuple(items))


def test_lists_and_pipelines_keep_their_order_and_their_joints() -> None:
    script = parse("! a | b |& c && d || e; f\ng")
    assert [
        (
            item.joint,
            item.pipeline.negated,
            [stage.words[0].literal for stage in item.pipeline.commands],
            item.pipeline.errors_too,
        )
        for item in script.items
    ] == [
        (Joint.ALWAYS, True, ["a", "b", "c"], (False, True)),
        (Joint.AND, False, ["d"], ()),
        (Joint.OR, False, ["e"], ()),
        (Joint.ALWAYS, False, ["f"], ()),
        (Joint.ALWAYS, False, ["g"], ()),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo $(id)", "command substitution"),
        ("echo `id`", "command substitution"),
        ('echo "`id`"', "command substitution"),
        ("echo $((1+1))", "arithmetic"),
        ("echo ${x:-y}", "parameter expansion"),
        ("echo ${x@P}", "parameter expansion"),
        ("echo $@", "special parameter"),
        ("echo $$", "special parameter"),
        ("echo $'\\u00e9'", "locale"),
        ("echo $'\\xff'", "locale"),
        ("echo $'a\\0b'", "NUL"),
        ("echo $'a", "unfinished"),
        ('echo $"x"', r'\$"'),
        ("{a,b}", "brace expansion"),
        ("x=1 {a,b}", "brace expansion"),
        ("x={a,b} y", "brace expansion"),
        ("export x={a,b}", "braces"),
        ("echo >{a,b}", "brace expansion"),
        ("echo {a,{b}}", "odd brace"),
        ("echo {a,b}}", "odd brace"),
        ("echo {a..b..2}", "odd brace"),
        ("echo {1..100000}", "very many"),
        ("echo " + "{a,b}" * 11, "very many"),
        ("echo {~,b}", "tilde"),
        ("echo $x{a,b}", "dollar"),
        ("echo {$x,b}c", "dollar"),
        ("echo {$,b}c", "dollar"),
        ("x=1", "assignment"),
        ("x+=1 y", "array or an appending"),
        ("x[0]=1 y", "array or an appending"),
        ("x=(1 2)", "subshell"),
        ("(ls)", "subshell"),
        ("f() { ls; }", "subshell"),
        ("{ ls; }", "compound"),
        ("if true; then ls; fi", "compound"),
        ("time ls", "compound"),
        ("! ! ls", "compound"),
        ("]] x", "compound"),
        ("do\\\nne", "compound"),
        ("%1", "a job"),
        ("'%1'", "a job"),
        ("ls &", "background"),
        ("ls & ls", "background"),
        ("case x in x) ls;; esac", "compound"),
        ("ls ;; ls", "case statement"),
        ("ls >&x", "computed"),
        ("ls >&'$(id)'", "computed"),
        ("ls 3>x", "above 2"),
        ("ls >&-", "computed"),
        ("ls {fd}>x", "variable"),
        ("ls 2>1>x", "nothing"),
        ("ls > ", "nothing"),
        ("ls >*", "pattern"),
        ("ls >&0", "to the input"),
        ("ls 2<&0", "to the input"),
        ("cat <<E\n$x\nE", "expansion in a here-document"),
        ("cat <<E\nx", "without its end"),
        ("cat <<E", "without its end"),
        ("cat <<$x\n$x", "delimiter"),
        ("ls ~root", "tilde"),
        ("ls ~+", "tilde"),
        ("x a=b:~/c", "tilde"),
        ("x a+=~/c", "tilde"),
        ("x a[0]=~/c", "tilde"),
        ("x a['0']=~/c", "tilde"),
        ("ls '", "unfinished"),
        ('ls "', "unfinished"),
        ("ls \\", "backslash"),
        ("ls &&", "nothing after"),
        ("&& ls", "syntax error"),
        ("ls | | ls", "syntax error"),
        ("ls &\\\n& ls", "background|two lines"),
        ("echo $V\\\nne", "name over two lines"),
        ('echo "$V\\\nne"', "name over two lines"),
        ("echo $V\\\n\\\n1", "name over two lines"),
        ("echo $\\\nV", "name over two lines"),
        ("ls <(id)", "nothing|subshell"),
        ("ls\rrm", "control character"),
        ("ls \x00", "control character"),
        ("ls \ud800", "control character"),
        ("ls \x1b[2J", "control character"),
        ("ls \x9b2J", "control character"),
        ("ls \u202e", "control character"),
        ("ls \u2066x", "control character"),
        ("ls \u2028rm", "control character"),
        ("a " * 20_001, "more than"),
        ("a {1..999} " * 21, "more than"),
    ],
)
def test_bash_is_needed_for(text: str, reason: str) -> None:
    with pytest.raises(NeedsBash, match=reason):
        parse(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    _parse(text)


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                " ",
                "'",
                '"',
                "\\",
                "$x",
                "${x}",
                "|",
                "&&",
                ";",
                "\n",
                "<<E",
                "E",
                ">",
                "#",
                "!",
                "~",
                "{",
                "}",
                ",",
                "=",
                "2",
            ]
        ),
        max_size=30,
    )
)
def test_no_soup_breaks_the_parser(tokens: list[str]) -> None:
    _parse("".join(tokens))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("'" * 1_000_001, id="quotes"),
        pytest.param("a | " * 500_000 + "a", id="pipes"),
        pytest.param("\\\n" * 500_000, id="continuations"),
        pytest.param("{" * 1_000_000 + "x", id="braces"),
        pytest.param("{," * 200_000, id="braces-and-commas"),
        pytest.param("a " * 500_000, id="words"),
        pytest.param("cat <<E\n" + "x\n" * 500_000 + "E\n", id="a-here-document"),
        pytest.param('"$x"' * 60_000, id="variables-in-one-word"),
        pytest.param("\n" * 300_000, id="newlines"),
        pytest.param("(" * 1_000_000, id="parentheses"),
    ],
)
@pytest.mark.timeout(60)
def test_a_long_text_is_read_in_one_pass(text: str) -> None:
    _parse(text)


def _parse(text: str) -> Script | None:
    try:
        return parse(text)
    except NeedsBash as needs:
        offset = needs.offset
    assert 0 <= offset <= len(text)
    return None
