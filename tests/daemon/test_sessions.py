"""Background sessions of a daemon: many short clients, one owner."""

from __future__ import annotations

import signal
from contextlib import closing
from typing import Any

import pytest
from daemon_host import Home
from realproc import is_alive, wait_until

from agent_exec import DaemonError
from agent_exec.daemon.client import Client

TALKS = ("sh", "-c", "echo pid $$; while read x; do echo got $x; done")


def begin(home: Home, client: Client, *argv: str, **fields: Any) -> tuple[str, int]:
    """Handle and pid of a session; what it runs says the pid first."""
    result = home.call(client, *(argv or TALKS), arguments={"background": True}, **fields)
    assert result["ended"] == "running", result["text"]
    handle = result["session"]["handle"]
    text = result["stdout"]["head"]
    while "\n" not in text:
        given: dict[str, Any] = {"session": handle, "offset": 0, "wait_ms": 5000}
        text = companion(home, client, "exec_read", given, **fields)["stdout"]["head"]
    return handle, int(text.split()[1])


def companion(
    home: Home, client: Client, name: str, arguments: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    where = {"worktree": str(home.worktree), "policy": "open"}
    return client.request("call", **(where | fields), name=name, arguments=arguments)


def test_several_clients_of_one_owner_use_one_handle(served: Home) -> None:
    with served.connect() as client:
        handle, pid = begin(served, client, owner="host session 1")
    with served.connect() as client:
        given = {"session": handle, "text": "a\n"}
        companion(served, client, "exec_write", given, owner="host session 1")
    with served.connect() as client:
        look: dict[str, Any] = {"session": handle, "offset": 0, "wait_ms": 5000}
        text = ""
        while "got a" not in text:
            result = companion(served, client, "exec_read", look, owner="host session 1")
            text = result["stdout"]["head"]
        assert is_alive(pid)
        result = companion(served, client, "exec_stop", {"session": handle}, owner="host session 1")
        assert result["ended"] == "cancelled"
        assert not is_alive(pid)


def test_another_owner_or_worktree_has_no_such_handle(served: Home) -> None:
    other = served.folder / "other"
    other.mkdir()
    with served.connect() as client:
        handle, pid = begin(served, client, owner="mine")
        for fields in (
            {"owner": "yours"},
            {},
            {"owner": "mine", "worktree": str(other)},
            {"owner": "mine", "policy": "read-only"},
        ):
            for name in ("exec_read", "exec_write", "exec_stop"):
                result = companion(served, client, name, {"session": handle, "text": "x"}, **fields)
                if name != "exec_write":
                    result = companion(served, client, name, {"session": handle}, **fields)
                assert result["ended"] == "refused"
                assert "there is no session" in result["text"]
        assert is_alive(pid)
        client.request("end", owner="mine")
        wait_until(lambda: not is_alive(pid))


def test_what_has_no_owner_ends_with_its_connection(served: Home) -> None:
    with served.connect() as client:
        handle, pid = begin(served, client)
        result = companion(served, client, "exec_read", {"session": handle})
        assert result["ended"] == "running"
    wait_until(lambda: not is_alive(pid))


def test_the_end_of_an_owner_is_that_of_its_sessions_alone(served: Home) -> None:
    with served.connect() as client:
        _, first = begin(served, client, owner="one")
        _, second = begin(served, client, owner="two")
        client.request("end", owner="one")
        wait_until(lambda: not is_alive(first))
        assert is_alive(second)
        client.request("end", owner="two")
        with pytest.raises(DaemonError, match="owner is a text"):
            client.request("end", owner=7)
        wait_until(lambda: not is_alive(second))


def test_a_daemon_with_a_session_is_not_idle(home: Home) -> None:
    daemon = home.serve("idle_s=0.2")
    with closing(home.connect()) as client:
        handle, pid = begin(home, client, owner="host")
    with pytest.raises(Exception, match="timed out"):
        daemon.wait(1.0)
    assert is_alive(pid)
    with home.connect() as client:
        companion(home, client, "exec_stop", {"session": handle}, owner="host")
    assert daemon.wait(10) == 0


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_the_sessions_end_with_the_daemon(home: Home, signum: int) -> None:
    daemon = home.serve()
    with home.connect() as client:
        _, pid = begin(home, client, owner="host")
    daemon.send_signal(signum)
    daemon.wait(10)
    wait_until(lambda: not is_alive(pid))


def test_decided_and_run_for_an_owner(served: Home) -> None:
    """The two halves of a question, as an approver's connection has them."""
    with served.connect() as client:
        where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "open"}
        given = {"argv": ["cat"], "background": True}
        decided = client.request("decide", **where, arguments=given)
        client.request("approver", worktree=None)
        result = client.request(
            "answer",
            **where,
            decision=decided["decision"],
            answer={"reply": "once"},
            owner="host",
        )
        handle = result["session"]["handle"]
        result = companion(served, client, "exec_stop", {"session": handle}, owner="host")
        assert result["ended"] == "cancelled"
