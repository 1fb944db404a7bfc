"""The MCP server over pipes, byte by byte: what no client of good manners sends, and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mcp import types
from mcp_wire import LONG, PATIENCE_S, StdioServer, call, text_of, wait_for_tails, words

from agent_exec.integrations.mcp.server import _can_be_asked


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


MISTAKES: list[tuple[bytes, Any, int]] = [
    (b"{bad json", None, -32700),
    (b"\xff\xfe", None, -32700),
    (b"[" * 100_000, None, -32700),
    (b'{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"\\ud800"}}', 4, -32700),
    (b'[{"jsonrpc":"2.0","id":3,"method":"ping"}]', None, -32600),
    (b'{"jsonrpc":"1.0","id":"x","method":"ping"}', "x", -32600),
    (b'"ping"', None, -32600),
    (b'{"jsonrpc":"2.0","id":8,"method":"tools/call"}', 8, -32602),
    (b'{"jsonrpc":"2.0","method":"tools/call"}', None, -32600),
    (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None, -32600),
    (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', None, -32600),
    (b'{"jsonrpc":"2.0","id":9,"method":"tools/burn"}', 9, -32601),
]


def test_every_message_that_is_none_is_answered_and_the_next_one_served(
    one_server: StdioServer,
) -> None:
    for sent, id_, code in MISTAKES:
        one_server.write(sent + b"\n")
        answer = one_server.receive()
        assert (sent[:99], answer["id"], answer["error"]["code"]) == (sent[:99], id_, code)
    one_server.write(b"\n \n")
    answer = one_server.ask(call(10, {"argv": ["echo", "one"]}))
    assert (answer["id"], text_of(answer)[-3:]) == (10, "one")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        pytest.param(["cat", "a.txt"], '{"argv": ["cat", "a.txt"]}', id="list"),
        pytest.param('{"argv": ["ls"]}', '{"argv": ["ls"]}', id="json-in-a-string"),
        pytest.param("cat a.txt", '{"command": "cat a.txt"}', id="string"),
        pytest.param(5, '{"argv": ["git", "status", "-s"]}', id="number"),
        pytest.param(["x" * 5000], '{"argv": ["git", "status", "-s"]}', id="too-long-to-show"),
    ],
)
def test_arguments_that_are_no_object_are_answered_in_words_for_the_model(
    one_server: StdioServer, arguments: object, shown: str
) -> None:
    answer = one_server.ask(call(1, arguments))
    assert answer["result"]["isError"] is True
    assert text_of(answer) == f"arguments have to be an object; send {shown}"


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with StdioServer(tmp_path_factory.mktemp("worktree")) as server:
        yield server


def test_a_cancel_of_what_has_ended_or_never_was_changes_nothing(one_server: StdioServer) -> None:
    done = one_server.ask(call(7, {"argv": ["true"]}))
    assert done["id"] == 7
    for id_ in (7, 777):
        one_server.send({"method": "notifications/cancelled", "params": {"requestId": id_}})
    assert one_server.ask({"id": 8, "method": "ping"})["id"] == 8


def test_input_that_is_too_long_is_refused_in_words(one_server: StdioServer) -> None:
    answer = one_server.ask(call(1, {"argv": ["wc", "-c"], "stdin": "x" * 50_000_000}))
    assert "at most; write them to a file" in text_of(answer)


def test_a_child_reads_nothing_of_the_protocol(one_server: StdioServer) -> None:
    one_server.send(call(1, {"argv": ["wc", "-c"]}))
    one_server.send({"id": 2, "method": "ping"})
    answers = sorted([one_server.receive(), one_server.receive()], key=lambda each: each["id"])
    assert text_of(answers[0]).endswith("stdout:\n0")
    assert answers[1]["result"] == {}


@pytest.mark.parametrize(
    ("capabilities", "asked"),
    [
        pytest.param({}, False, id="no-way"),
        pytest.param({"elicitation": {}}, True, id="unnamed"),
        pytest.param({"elicitation": {"form": {}}}, True, id="forms"),
        pytest.param({"elicitation": {"form": {}, "url": {}}}, True, id="both"),
        pytest.param({"elicitation": {"url": {}}}, False, id="links-only"),
    ],
)
def test_a_host_is_asked_by_a_form_where_it_has_forms(capabilities: Any, asked: bool) -> None:
    session = SimpleNamespace(
        client_capabilities=types.ClientCapabilities.model_validate(capabilities)
    )
    assert _can_be_asked(SimpleNamespace(session=session)) is asked  # type: ignore[arg-type]


def test_a_host_that_asks_by_forms_is_asked(worktree: Path) -> None:
    with StdioServer(worktree, {"elicitation": {}}) as server:
        question = server.ask(call(1, {"argv": ["rm", "a.txt"]}))
        assert question["method"] == "elicitation/create"
        # The input ends, and nobody has answered.
    assert server.process.returncode == 0
    assert (worktree / "a.txt").exists()


ENDS = [
    ("end of input", 0),
    ("nobody reads", 0),
    (signal.SIGTERM, 128 + signal.SIGTERM),
    (signal.SIGHUP, 128 + signal.SIGHUP),
    (signal.SIGKILL, -signal.SIGKILL),
]


@pytest.mark.parametrize(("how", "status"), ENDS, ids=str)
def test_nothing_is_left_when_the_server_ends(worktree: Path, how: Any, status: int) -> None:
    with StdioServer(worktree) as server:
        server.send(call(1, LONG))
        server.send(call(2, {"pipeline": [["tail", "-f", "a.txt"], ["cat"]]}))
        wait_for_tails(worktree, count=2)
        if how == "end of input":
            server.stdin.close()
        elif how == "nobody reads":
            server.stdout.close()
            server.send({"id": 3, "method": "ping"})
        else:
            server.process.send_signal(how)
        assert server.process.wait(PATIENCE_S) == status
        wait_for_tails(worktree, count=0)


def test_it_says_what_to_install_where_the_extra_is_not(worktree: Path) -> None:
    script = "import sys; sys.modules['mcp'] = None; from agent_exec.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *words(worktree)],
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr.rstrip().endswith(b"pip install 'agent-exec[mcp]'")
    assert done.stderr.count(b"\n") == 1
