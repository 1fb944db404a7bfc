"""What models send, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.errors import InvalidCall
from agent_exec.model.call import Keep, ToolCall
from agent_exec.schema.arguments import TOOLS
from agent_exec.schema.convert import convert
from agent_exec.schema.read_call import (
    MOST_STDIN,
    read_call,
    read_read,
    read_stop,
    read_write,
)

GIT = ToolCall(stages=(("git", "status"),))


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ({"argv": ["git", "status"]}, GIT),
        ('{"argv": ["git", "status"]}', GIT),
        ({"argv": ["echo", ""]}, ToolCall(stages=(("echo", ""),))),
        ({"pipeline": [["ls"], ["wc"]]}, ToolCall(stages=(("ls",), ("wc",)))),
        ({"command": "ls | wc"}, ToolCall(command="ls | wc")),
        ({"argv": ["git", "status"], "command": "", "pipeline": [], "env": []}, GIT),
        ({"argv": ["git", "status"], "command": None, "background": None}, GIT),
        ({"argv": ["git", "status"], "background": False}, GIT),
        ({"argv": ["git", "status"], "timeout_ms": 1500}, GIT._replace(timeout_s=1.5)),
        (
            {"argv": ["git", "status"], "env": [{"name": "CI", "value": "1"}]},
            GIT._replace(env={"CI": "1"}),
        ),
        (
            {"argv": ["git", "status"], "output": {"keep": "tail", "bytes": 5}},
            GIT._replace(keep=Keep.TAIL, output_bytes=5),
        ),
        (
            {"argv": ["git", "status"], "stdout_file": "a", "append": True, "stdin": "x"},
            GIT._replace(stdout_file="a", append=True, stdin="x"),
        ),
        (
            {"argv": ["git", "status"], "background": True, "terminal": True, "cwd": "sub"},
            GIT._replace(background=True, terminal=True, cwd="sub"),
        ),
        ({"argv": ["git", "status"], "justification": "why"}, GIT._replace(justification="why")),
    ],
)
def test_what_the_schema_says_is_taken_without_a_word(arguments: Any, call: ToolCall) -> None:
    assert read_call(arguments) == (call, ())


@pytest.mark.parametrize(
    ("arguments", "call", "hint"),
    [
        ({"cmd": "ls"}, ToolCall(command="ls"), "cmd was taken for command"),
        ({"command": ["git", "status"]}, GIT, "command was taken for argv"),
        ({"command": "git", "args": ["status"]}, GIT, "args was taken for argv"),
        ({"program": "git", "args": ["status"]}, GIT, "program and its arguments"),
        ({"program": "ls"}, ToolCall(stages=(("ls",),)), "program and its arguments"),
        ({"argv": '["git", "status"]'}, GIT, "argv was sent as text"),
        ({"argv": ["sleep", 5]}, ToolCall(stages=(("sleep", "5"),)), '5 was taken for "5"'),
        ({"argv": [["ls"], ["wc"]]}, ToolCall(stages=(("ls",), ("wc",))), "taken for pipeline"),
        ({"argv": ["git", "status"], "timeout": 30}, GIT._replace(timeout_s=30.0), "seconds"),
        ({"argv": ["git", "status"], "timeout": 5e3}, GIT._replace(timeout_s=5.0), "milliseconds"),
        ({"argv": ["git", "status"], "timeout_s": 0.5}, GIT._replace(timeout_s=0.5), "seconds"),
        ({"argv": ["git", "status"], "timeout_ms": "10"}, GIT._replace(timeout_s=0.01), "as text"),
        ({"argv": ["git", "status"], "env": {"A": 1}}, GIT._replace(env={"A": "1"}), "env was"),
        ({"argv": ["git", "status"], "workdir": "x"}, GIT._replace(cwd="x"), "taken for cwd"),
        ({"argv": ["git", "status"], "background": "true"}, GIT._replace(background=True), "true"),
        ({"argv": ["git", "status"], "output": "head"}, GIT._replace(keep=Keep.HEAD), "keep"),
        ({"argv": ["git", "status"], "append": True}, GIT._replace(append=True), "says nothing"),
    ],
)
def test_what_is_surely_meant_is_taken_and_said(arguments: Any, call: ToolCall, hint: str) -> None:
    read = read_call(arguments)
    assert read.call == call
    assert hint in "; ".join(read.hints)


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({}, 'send argv, such as {"argv"'),
        ({"argv": []}, "nothing to run"),
        ({"argv": ["a"], "command": "b"}, "argv and command were sent"),
        ({"argv": ["a"], "args": ["b"]}, "argv was sent twice"),
        ({"argv": "git status"}, 'send {"argv": ["git", "status"]}'),
        ({"argv": "ls | wc"}, 'send {"command": "ls | wc"}'),
        ({"pipeline": ["ls", "wc -l"]}, 'send {"command": "ls | wc -l"}'),
        ({"argv": ["a", None]}, "argv[1] is null; send argv as a list of strings"),
        ({"argv": ["a", True]}, "argv[1] is true"),
        ({"pipeline": [["a"], []]}, "pipeline[1]"),
        ({"argv": ["a"], "envs": {}, "evn": {"A": "1"}}, "did you mean env"),
        ({"argv": ["a"], "session": "s"}, '"session" is a field of exec_read'),
        ({"argv": ["a"], "zzz": 1}, 'there is no field "zzz"; leave it out'),
        ({"argv": ["a"], "timeout_ms": 0}, "from 1 to"),
        ({"argv": ["a"], "timeout_ms": 10**400}, "from 1 to"),
        ({"argv": ["a"], "timeout": float("inf")}, "send timeout_ms"),
        ({"argv": ["a"], "timeout": 10**400}, "send timeout_ms"),
        ({"argv": ["a", 10**5000]}, "argv[1] is int; send argv as a list of strings"),
        ({"argv": ["a"], "env": {"A": 10**5000}}, "send env as a list such as"),
        ({"argv": ["a"], "timeout": "soon"}, "send timeout_ms"),
        ({"argv": ["a"], "terminal": True}, "send background: true"),
        ({"argv": ["a"], "env": [{"name": "A"}]}, "send env as a list such as"),
        (
            {"argv": ["a"], "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            "env sets A twice",
        ),
        ({"argv": ["a"], "output": {"keep": "middle"}}, '"head" or "tail"'),
        ({"argv": ["a"], "stdin": "x" * (MOST_STDIN + 1)}, "write them to a file"),
        ('{"argv": ["a"', "no JSON"),
        ('{"argv": ["a"], "timeout": NaN}', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ([1], "one JSON object"),
        (None, "one JSON object"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_to_send(arguments: Any, answer: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        read_call(arguments)
    assert answer in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_the_companions_know_other_names_too() -> None:
    assert read_read({}).session is None
    assert read_read({"session_id": "a", "from": "5"}).offset == 5
    assert read_write({"session": "a", "chars": ""}).text == ""
    assert read_stop({"handle": "a", "signal": "SIGINT"}).signal == "SIGINT"
    for reader in (read_write, read_stop):
        with pytest.raises(InvalidCall, match="session is missing; send session as a string"):
            reader({})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*TOOLS["exec"].model_fields, "cmd", "args", "program", "timeout", "timeout_s", "tty"]
)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_anything_is_a_call_or_refused(arguments: dict[str, Any]) -> None:
    try:
        read = read_call(arguments)
    except InvalidCall:
        return
    assert bool(read.call.stages) != (read.call.command is not None)


@given(
    st.lists(st.text(max_size=6), min_size=1, max_size=4),
    st.sampled_from(["argv", "pipeline", "command"]),
)
def test_words_arrive_as_they_were_sent(words: list[str], form: str) -> None:
    value: Any = {"argv": words, "pipeline": [words, ["cat"]], "command": " ".join(words)}[form]
    sent = json.dumps({form: value})
    if not value:
        return
    call = read_call(sent).call
    seen: Any = call.command if form == "command" else [list(argv) for argv in call.stages]
    assert seen == ([words] if form == "argv" else value)


@given(st.dictionaries(st.sampled_from(list(TOOLS["exec"].model_fields)), JSON, max_size=4))
def test_a_call_that_was_converted_is_not_converted_again(arguments: dict[str, Any]) -> None:
    try:
        once = convert(arguments, "exec")
    except InvalidCall:
        return
    again = convert(once.fields, "exec")
    assert again.hints == ()


TEXT = st.text(st.characters(codec=None) | st.sampled_from("ab \ud800"), max_size=4)
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "argv": st.lists(TEXT, max_size=3) | st.just(["ls", 1]),
    "command": TEXT,
    "cwd": TEXT,
    "timeout_ms": st.integers(-1, 2) | st.just(1_000_000_001),
    "justification": TEXT,
    "stdin": TEXT,
}
SENT = st.fixed_dictionaries(
    {}, optional={name: fitting | st.none() | JSON for name, fitting in FITTING.items()}
)


def read(arguments: dict[str, Any]) -> object:
    """What comes of it: a call and hints, or the words of a refusal."""
    try:
        return read_call(arguments)
    except InvalidCall as error:
        return str(error)


@given(SENT)
def test_what_is_usual_is_read_as_all_else(arguments: dict[str, Any]) -> None:
    # A flag that says nothing has it read in full.
    assert read(arguments) == read({**arguments, "background": False})
