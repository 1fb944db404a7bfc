"""The MCP server over HTTP: who may talk to it, sessions, and its end."""

from __future__ import annotations

import re
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from mcp_wire import (
    LONG,
    PATIENCE_S,
    TOKEN,
    HttpServer,
    call,
    wait_for_tails,
    words,
)

from agent_exec.integrations.mcp.tokens import find_token

AgentExec = Callable[..., CompletedProcess[str]]
PING = {"id": 99, "method": "ping"}


@pytest.fixture(scope="module")
def worktree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worktree")
    (folder / "a.txt").write_text("one\n")
    return folder


@pytest.fixture(scope="module")
def server(worktree: Path) -> Iterator[HttpServer]:
    with HttpServer(worktree) as running:
        yield running


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"authorization": ""}, 401, id="no-token"),
        pytest.param({"authorization": "Bearer another"}, 401, id="another-token"),
        pytest.param({"authorization": f"Bearer {TOKEN}x"}, 401, id="longer"),
        pytest.param({"authorization": f"Basic {TOKEN}"}, 401, id="another-scheme"),
        pytest.param({"authorization": "Bearer \xff"}, 401, id="no-ascii"),
        pytest.param({"host": "evil.example"}, 421, id="host"),
        pytest.param({"host": "127.0.0.1.evil.example:80"}, 421, id="host-that-begins-well"),
        pytest.param({"origin": "http://evil.example"}, 403, id="origin"),
        pytest.param({"origin": "null"}, 403, id="origin-of-a-file"),
        pytest.param({"origin": "http://127.0.0.1:1", "host": "evil.example"}, 421, id="mixed"),
        pytest.param({"content_type": "text/plain"}, 400, id="what-a-form-may-send"),
        pytest.param({"authorization": f"bearer {TOKEN}", "mcp_session_id": "x"}, 404, id="known"),
    ],
)
def test_who_is_refused(server: HttpServer, headers: dict[str, str], status: int) -> None:
    assert server.post(PING, **headers)[0] == status


def test_every_path_and_method_wants_the_token(server: HttpServer) -> None:
    for method in ("GET", "DELETE", "OPTIONS", "HEAD"):
        assert (method, server.exchange(None, method, authorization="")[0]) == (method, 401)


def test_input_that_a_call_may_hold_gets_there(server: HttpServer) -> None:
    session = server.session()
    asked = call(1, {"argv": ["wc", "-c"], "stdin": "x" * 10_000_000})
    status, body = server.post(asked, mcp_session_id=session)
    assert (status, "stdout:\\n10000000" in body) == (200, True)


def test_a_session_that_is_deleted_ends_its_calls_and_no_others(
    server: HttpServer, worktree: Path
) -> None:
    mine, others = server.session(), server.session()
    connections = [server.open(call(1, LONG), mcp_session_id=each) for each in (mine, others)]
    wait_for_tails(worktree, count=2)
    assert server.exchange(None, "DELETE", mcp_session_id=mine)[0] == 200
    wait_for_tails(worktree, count=1)
    assert server.post(PING, mcp_session_id=mine)[0] == 404
    assert server.post(PING, mcp_session_id=others)[0] == 200
    cancel = {"method": "notifications/cancelled", "params": {"requestId": 1}}
    assert server.post(cancel, mcp_session_id=others)[0] == 202
    wait_for_tails(worktree, count=0)
    for connection in connections:
        connection.close()


def test_a_client_of_2026_that_leaves_ends_its_call(server: HttpServer, worktree: Path) -> None:
    leaving, staying = server.modern(1, LONG), server.modern(1, LONG)
    wait_for_tails(worktree, count=2)
    leaving.close()
    wait_for_tails(worktree, count=1)
    staying.close()
    wait_for_tails(worktree, count=0)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_every_call_and_the_server_at_once(
    worktree: Path, signum: signal.Signals
) -> None:
    with HttpServer(worktree) as server:
        # Of both generations of the protocol.
        connections = (
            server.open(call(1, LONG), mcp_session_id=server.session()),
            server.modern(1, LONG),
        )
        wait_for_tails(worktree, count=2)
        server.process.send_signal(signum)
        # Long before the call would have ended by itself, and that is what is tested.
        assert server.process.wait(PATIENCE_S) == 128 + signum
        wait_for_tails(worktree, count=0)
        for connection in connections:
            connection.close()
        assert "Traceback" not in server.stderr.read()


def test_a_server_that_is_killed_leaves_no_child(worktree: Path) -> None:
    with HttpServer(worktree) as server:
        connection = server.modern(1, LONG)
        wait_for_tails(worktree, count=1)
        server.process.kill()
        server.process.wait(PATIENCE_S)
        wait_for_tails(worktree, count=0)
        connection.close()


def refused(agent_exec: AgentExec, worktree: Path, *more: str) -> str:
    done = agent_exec(*words(worktree, "--http", *more))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (125, "", 1)
    return done.stderr


def test_it_listens_on_this_machine_only(agent_exec: AgentExec, worktree: Path) -> None:
    said = refused(agent_exec, worktree, "--host", "0.0.0.0")
    assert "can be reached from elsewhere" in said


def test_a_port_that_is_taken_is_said(agent_exec: AgentExec, worktree: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(agent_exec, worktree, "--port", port)
        assert f"port {port}: Address already in use" in said


def test_a_token_is_made_and_told_where_none_is_given(worktree: Path) -> None:
    with HttpServer(worktree, AGENT_EXEC_MCP_TOKEN="") as server:
        (made,) = re.findall(r"Authorization: (Bearer \S{40,})$", server.told)
        assert server.post(PING, authorization="")[0] == 401
        assert server.post(PING, authorization="Bearer ")[0] == 401
        assert server.post(PING, authorization=made, mcp_session_id="x")[0] == 404


def test_a_file_keeps_the_token_and_nobody_else_can_read_it(worktree: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    words = ("--token-file", str(file), "--host", "::1")
    with HttpServer(worktree, *words) as server:
        token = file.read_text().strip()
        assert (len(token) >= 40, stat.S_IMODE(file.stat().st_mode)) == (True, 0o600)
        assert server.told == f"agent-exec: the token is in {file}"
        assert server.post(PING)[0] == 401
        known = f"Bearer {token}"
        assert server.post(PING, authorization=known, mcp_session_id="x")[0] == 404
    assert find_token(str(file), str(worktree), {}).value == token
