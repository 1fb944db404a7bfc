"""Shortcuts for what most texts are: without them, every text is read the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_exec.shell import planning
from agent_exec.shell.lexer import Lexer
from agent_exec.shell.reading import Scope, read

SCOPE = Scope.of_call({"HOME": "/home/x", "A": "v"}, "/w")
PARTS = st.sampled_from(
    [
        *(
            "ls",
            "cd",
            "-la",
            "src/main.py",
            "a#b",
            "#",
            "~",
            "x~",
            "{a,b}",
            "a{1..2}",
            "%1",
            "=",
            "A=b",
        ),
        *("'", "''", '"a b"', '"', "\\ ", "\\", "$A", "$?", "'$?'", "*.py", "[x", "?", "`", "!"),
        *(
            "|",
            "||",
            "&&",
            ";",
            ">",
            "2>",
            "2>&1",
            "<",
            "<<E",
            "\n",
            "\nE\n",
            "\t",
            "  ",
            "é",
            "\xa0",
        ),
        *("parallel", "if", "export", "time", "echo", "(", "&", "1", "exit"),
    ]
)
TEXTS = st.lists(st.tuples(PARTS, st.sampled_from(["", " "])).map("".join), max_size=10)


@given(parts=TEXTS)
@settings(
    max_examples=500,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_text_is_read_as_it_is_without_them(
    monkeypatch: pytest.MonkeyPatch, parts: list[str]
) -> None:
    text = "".join(parts)
    short = read(text, SCOPE)
    with monkeypatch.context() as long_way:
        long_way.setattr(Lexer, "plain_words", lambda _self: [])
        long_way.setattr(planning, "_plain_argv", lambda _simple: None)
        assert read(text, SCOPE) == short
