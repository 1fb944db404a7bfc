"""A result in words, in which nothing is obeyed by whoever shows it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.model.decision import Route, Verdict
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.model.session import SessionState
from agent_exec.schema.harmless import escaped, harmless, looks_binary, one_line
from agent_exec.schema.text import as_text


def stage(*argv: str, exit_code: int | None = 0, signal: str | None = None) -> StageResult:
    return StageResult(argv, exit_code, signal, LauncherName.VFORK, None)


def written(text: str, **fields: int | str) -> Output:
    return Output(head=text, size=len(text))._replace(**fields)  # type: ignore[arg-type]


DONE = ToolResult(
    "1", Verdict.ALLOW, Route.DIRECT, Ended.EXIT, status=0, stages=(stage("a"),), duration_ms=12.4
)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (DONE, "exit status 0 after 12 ms\nno output"),
        (
            DONE._replace(stdout=written("a\nb\n"), stderr=written("c")),
            "exit status 0 after 12 ms\nstdout:\na\nb\nstderr:\nc",
        ),
        (
            DONE._replace(stdout=Output("ab", "yz", 20, "/f", 24)),
            (
                "exit status 0 after 12 ms\nstdout:\nab\n"
                "[20 bytes left out; the whole of it is in /f]\nyz"
            ),
        ),
        (
            DONE._replace(stdout=written("\x7fELF\x02\0\0", size=900)),
            (
                "exit status 0 after 12 ms\n"
                "stdout: 900 bytes that are no text, an ELF program, not shown"
            ),
        ),
        (
            DONE._replace(ended=Ended.TIMEOUT, status=None, duration_ms=1500.0),
            "timed out after 1.5 s, and was ended\nno output",
        ),
        (
            DONE._replace(
                ended=Ended.SIGNAL,
                status=143,
                stages=(stage("a", exit_code=None, signal="SIGTERM"),),
            ),
            "ended by SIGTERM after 12 ms\nno output",
        ),
        (
            DONE._replace(
                stages=(
                    stage("rg", exit_code=2),
                    stage("yes", exit_code=None, signal="SIGPIPE"),
                    stage("head"),
                )
            ),
            "exit status 0 after 12 ms\nstage 1 (rg): exit status 2\nno output",
        ),
        (
            DONE._replace(route=Route.SHELL, route_reason="a loop"),
            "exit status 0 after 12 ms\nrun by a shell: a loop\nno output",
        ),
        (
            DONE._replace(notices=("timeout was\ntaken",)),
            "exit status 0 after 12 ms\nno output\nnote: timeout was\\ntaken",
        ),
        (
            ToolResult("1", Verdict.DENY, None, Ended.REFUSED, error="no rule allows it"),
            "refused: no rule allows it",
        ),
        (
            ToolResult("1", Verdict.ASK, None, Ended.REFUSED, error="rm deletes x"),
            "refused, nobody has approved it: rm deletes x",
        ),
        (
            ToolResult("1", Verdict.ALLOW, None, Ended.LAUNCH_FAILED, error="gone"),
            "not started: gone",
        ),
        (
            DONE._replace(ended=Ended.RUNNING, session=SessionState("s1", running=True)),
            (
                "running in the background for 12 ms\nnothing new\n"
                "session s1 (running); go on with exec_read, offset 0"
            ),
        ),
        (
            DONE._replace(
                ended=Ended.RUNNING,
                stdout=written("b\n"),
                session=SessionState("s1", True, 20, 22, dropped=3, size=30),
            ),
            (
                "running in the background for 12 ms\noutput:\nb\n"
                "session s1 (running, 3 bytes before this are not shown); "
                "go on with exec_read, offset 22"
            ),
        ),
        (
            DONE._replace(session=SessionState("s1", False, 20, 22, size=30)),
            (
                "exit status 0 after 12 ms\nnothing new\n"
                "session s1 (ended); go on with exec_read, offset 22 of 30"
            ),
        ),
        (
            DONE._replace(session=SessionState("s1", False, 20, 30, size=30)),
            (
                "exit status 0 after 12 ms\nnothing new\n"
                "session s1 (ended); that is all of its output"
            ),
        ),
    ],
)
def test_what_a_model_reads(result: ToolResult, text: str) -> None:
    assert as_text(result) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\n", "a\tb\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link", "alink"),
        ("a\x9b31mb", "ab"),
        ("10%\r20%\rdone\n", "done\n"),
        ("dos\r\nline\r\n", "dos\nline\n"),
        ("a\x00\x07b", "a\\x00\\x07b"),
        ("safe\u202egpj.exe", "safe\\u202egpj.exe"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\x1b", "\\x1b"),
        ("über 日本 🎉", "über 日本 🎉"),
    ],
)
def test_text_that_nothing_obeys(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(
    st.text(
        alphabet=st.characters(codec=None) | st.sampled_from("\x1b[]\x9b\r\n\x07m;1"), max_size=60
    )
)
def test_no_control_character_comes_through(text: str) -> None:
    for shown, allowed in ((harmless(text), "\t\n"), (one_line(text), "")):
        assert not any(
            unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in allowed
            for char in shown
        )


@given(st.text(alphabet=st.characters(codec=None) | st.sampled_from("\x1b]\x07\n\u3164\u202e")))
def test_who_decides_sees_every_character_of_a_text(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    rest = iter(shown)
    assert all(each in rest for char in text for each in escaped(char))
    assert len(shown) >= len(text)


@pytest.mark.parametrize("char", "\x1b\n\t\x85\u202e\u200b\u00a0\u3000\u3164\ufe0f\U000e0041\udc80")
def test_what_cannot_be_seen_is_shown_by_its_number(char: str) -> None:
    assert escaped(f"a{char}b").startswith("a\\")


def test_a_long_line_without_an_end_takes_no_square_of_its_time() -> None:
    # Would take minutes if each character were compared with the rest.
    for text in ("a" * 1_000_000, "\x1b]" * 300_000, "\x1b[" * 300_000 + "\r"):
        assert len(harmless(text)) <= 4 * len(text)


@pytest.mark.parametrize(
    ("text", "binary"),
    [
        ("", False),
        ("text\n", False),
        ("\x1b[31mred\x1b[0m\n", False),
        ("a\0b", True),
        ("\ufffdPNG\r\n\x1a\n", True),
        ("caf\ufffd is latin 1, and the rest is fine", False),
    ],
)
def test_what_is_no_text(text: str, *, binary: bool) -> None:
    assert looks_binary(text) is binary


@given(st.text(alphabet=st.characters(max_codepoint=0xFF) | st.just("\ufffd"), max_size=30))
def test_a_text_has_few_characters_that_no_text_has(text: str) -> None:
    strange = [
        char
        for char in text
        if char == "\ufffd" or (unicodedata.category(char) == "Cc" and char not in "\t\n\r\x1b\b\f")
    ]
    assert looks_binary(text) is ("\0" in text or len(strange) * 10 > len(text))


def test_what_is_plain_is_shown_as_it_is() -> None:
    assert harmless(text := "".join(map(chr, range(0x20, 0x7F))) + "\t\n") == text
    assert harmless("".join(map(chr, range(128)))) != "".join(map(chr, range(128)))
