"""Clients that break, are slow, ask for nonsense, or for much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from daemon_host import Home
from realproc import is_alive, wait_until

from agent_exec import DaemonError
from agent_exec.daemon.client import Client
from agent_exec.daemon.protocol import MOST_BYTES, as_line

pytestmark = pytest.mark.timeout(40)


def send_raw(client: Client, data: bytes) -> None:
    client._socket.sendall(data)


def sleeping_call(home: Home, client: Client) -> list[int]:
    """The pids of a call of two processes that do not end by themselves."""
    pids = home.worktree / "pids"
    pids.unlink(missing_ok=True)
    script = "sleep 1000 & echo $! $$ > new; mv new pids; wait"
    where = {"worktree": str(home.worktree), "policy": "open"}
    client.send("call", arguments={"argv": ["sh", "-c", script]}, **where)
    wait_until(pids.exists)
    return [int(pid) for pid in pids.read_text().split()]


def test_a_request_may_come_byte_by_byte(served: Home) -> None:
    with served.connect() as client:
        for byte in as_line({"id": 77, "op": "status"}):
            send_raw(client, bytes([byte]))
        assert client.receive()["id"] == 77


def test_requests_are_answered_as_they_end_and_by_their_ids(served: Home) -> None:
    where = {"worktree": str(served.worktree), "policy": "open"}
    with served.connect() as client:
        slow = client.send(
            "call",
            arguments={"argv": ["sh", "-c", "until [ -e go1 ]; do :; done; echo slow"]},
            **where,
        )
        quick = client.send("call", arguments={"argv": ["echo", "quick"]}, **where)
        first = client.receive()
        assert (first["id"], first["ok"]["stdout"]["head"]) == (quick, "quick\n")
        (served.worktree / "go1").touch()
        second = client.receive()
        assert (second["id"], second["ok"]["stdout"]["head"]) == (slow, "slow\n")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param(b"garbage\n", "no JSON", id="no-json"),
        pytest.param(b"[1]\n", "one JSON object", id="no-object"),
        pytest.param(b"\xff\xfe\n", "no JSON", id="no-text"),
        pytest.param(b'{"op": "status"}\n', "has an id", id="no-id"),
        pytest.param(b"[" * 100_000 + b"\n", "no JSON", id="deep"),
        pytest.param(b'{"id": 1, "op": "fly"}\n', "no op 'fly'", id="unknown-op"),
        pytest.param(b'{"id": 1, "op": "call"}\n', "arguments", id="no-arguments"),
        pytest.param(
            b'{"id": 1, "op": "call", "arguments": {}, "worktree": "x"}\n',
            "absolute",
            id="relative",
        ),
        pytest.param(
            b'{"id": 1, "op": "call", "arguments": {}, "worktree": "/nowhere"}\n',
            "no directory",
            id="no-worktree",
        ),
        pytest.param(
            b'{"id": 1, "op": "call", "arguments": {}, "worktree": "/", "policy": "x"}\n',
            "no policy 'x'",
            id="no-policy",
        ),
        pytest.param(
            b'{"id": 1, "op": "check", "worktree": "/", "call": {"argv": 3}}\n', "int", id="argv"
        ),
        pytest.param(b'{"id": 1, "op": "cancel", "request": {}}\n', "the id of", id="cancel"),
        *[
            pytest.param(
                as_line({"id": 1, "op": op, "call": {}, "worktree": place}), "absolute", id=id_
            )
            for op in ("check", "approver")
            for id_, place in ((f"{op}-nul", "/a\0b"), (f"{op}-half", "/\ud800"))
        ],
        pytest.param(
            as_line({"id": 1, "op": "check", "call": {}, "worktree": "/", "policy": "/\ud800"}),
            "absolute path",
            id="policy-half",
        ),
        pytest.param(
            as_line({"id": 1, "op": "judge", "command": "", "cwd": "/", "timeout_s": 10**400}),
            "number of seconds",
            id="timeout",
        ),
    ],
)
def test_nonsense_is_answered_and_the_connection_goes_on(
    served: Home, line: bytes, says: str
) -> None:
    with served.connect() as client:
        send_raw(client, line)
        assert says in client.receive()["error"]["message"]
        assert served.call(client, "true")["status"] == 0


def test_a_models_mistake_is_a_result_and_no_error(served: Home) -> None:
    with served.connect() as client:
        result = client.request(
            "call", worktree=str(served.worktree), policy="open", arguments={"argv": "ls -l"}
        )
    assert (result["ended"], "ls" in result["text"]) == ("refused", True)


def test_an_id_that_is_in_use_is_refused_and_can_be_used_when_it_is_answered(served: Home) -> None:
    call = {"id": 5, "op": "call", "worktree": str(served.worktree), "policy": "open"}
    call["arguments"] = {"argv": ["sh", "-c", "until [ -e go2 ]; do :; done"]}
    with served.connect() as client:
        send_raw(client, as_line(call) + as_line(call))
        assert "not answered yet" in client.receive()["error"]["message"]
        (served.worktree / "go2").touch()
        assert client.receive()["ok"]["status"] == 0
        send_raw(client, as_line(call))
        assert client.receive()["ok"]["status"] == 0


def test_a_client_that_goes_away_takes_its_calls_with_it(served: Home) -> None:
    with served.connect() as stays:
        with served.connect() as leaves:
            pids = sleeping_call(served, leaves)
        wait_until(lambda: not any(map(is_alive, pids)))
        wait_until(lambda: stays.request("status")["connections"] == 1)
        assert served.call(stays, "true")["status"] == 0


def test_a_half_line_at_the_end_is_nothing(served: Home) -> None:
    with served.connect() as client:
        send_raw(client, b'{"id": 1, "op": "stop"')
    with served.connect() as client:
        wait_until(lambda: client.request("status")["connections"] == 1)
        assert client.request("status")["draining"] is None


def test_a_call_can_be_cancelled_alone(served: Home) -> None:
    with served.connect() as client:
        pids = sleeping_call(served, client)
        call = client._last_id
        cancel = client.send("cancel", request=call)
        told = {message["id"]: message for message in (client.receive(), client.receive())}
        assert told[call]["error"]["code"] == "cancelled"
        assert told[cancel]["ok"] == {"cancelled": True}
        assert not any(map(is_alive, pids))
        assert client.request("cancel", request=call) == {"cancelled": False}


def test_long_input_arrives_and_fifty_megabytes_are_refused_clearly(served: Home) -> None:
    with served.connect() as client:
        long = served.call(client, "wc", "-c", arguments={"stdin": "x" * 16_000_000})
        assert long["stdout"]["head"] == "16000000\n"
        refused = served.call(client, "wc", "-c", arguments={"stdin": "x" * 50_000_000})
        assert (refused["ended"], "write them to a file" in refused["text"]) == ("refused", True)


def test_a_request_that_is_too_large_is_refused_by_its_id(served: Home) -> None:
    line = as_line({"id": 9, "op": "call", "arguments": {"stdin": "x" * MOST_BYTES}})
    with served.connect() as client:
        with pytest.raises(DaemonError) as caught:
            served.call(client, "cat", arguments={"stdin": "x" * MOST_BYTES})
        assert caught.value.code == "too_large"
        send_raw(client, line)
        refused = client.receive()
        assert (refused["id"], refused["error"]["code"]) == (9, "too_large")
        assert served.call(client, "true")["status"] == 0


def test_bytes_that_are_no_text_come_through(served: Home) -> None:
    with served.connect() as client:
        result = served.call(client, "printf", r"a\0\n")
    assert result["stdout"]["head"] == "a\0\n"


def test_a_long_call_tells_that_it_goes_on(served: Home) -> None:
    told: list[dict[str, Any]] = []

    def on_progress(progress: dict[str, Any]) -> None:
        told.append(progress)
        (served.worktree / "go3").touch()

    with served.connect() as client:
        result = client.request(
            "call",
            on_progress=on_progress,
            progress=True,
            worktree=str(served.worktree),
            policy="open",
            arguments={"argv": ["sh", "-c", "until [ -e go3 ]; do sleep 0.01; done; echo done"]},
        )
    assert result["stdout"]["head"] == "done\n"
    assert told[0]["elapsed_s"] > 0


def test_a_changed_policy_file_counts_from_the_next_call_on(home: Home) -> None:
    home.serve()
    base, policy = home.folder / "base.yaml", home.folder / "policy.yaml"
    base.write_text("version: 1\nextends: [open]\n")
    policy.write_text("version: 1\nextends: [./base.yaml]\n")
    rule = (
        "version: 1\nextends: [open]\n"
        "rules: [{id: no-touch, command: [touch], verdict: deny, because: not here}]\n"
    )
    with home.connect() as client:
        assert home.call(client, "touch", "a", policy=str(policy))["status"] == 0
        base.write_text(rule)
        assert "not here" in home.call(client, "touch", "a", policy=str(policy))["text"]
        base.write_text("version: 1\nrules: 7\n")
        with pytest.raises(DaemonError) as caught:
            home.call(client, "touch", "a", policy=str(policy))
        assert caught.value.code == "PolicyError"
        base.unlink()
        with pytest.raises(DaemonError):
            home.call(client, "touch", "a", policy=str(policy))
        base.write_text("version: 1\nextends: [open]\n")
        assert home.call(client, "touch", "a", policy=str(policy))["status"] == 0
        assert client.request("status")["services"] == 1


def test_worktrees_are_kept_apart(home: Home) -> None:
    home.serve()
    other = home.folder / "other"
    other.mkdir()
    with home.connect() as client:
        for folder in (home.worktree, other):
            assert home.call(client, "pwd", worktree=str(folder))["stdout"]["head"] == f"{folder}\n"
        assert client.request("status")["services"] == 2


def test_a_hosts_command_is_judged(served: Home) -> None:
    with served.connect() as client:
        ruled = client.request(
            "judge",
            worktree=str(served.worktree),
            policy="default",
            command="ls",
            cwd=str(served.worktree),
            program=["/x/agent-exec"],
        )
    assert ruled["command"] == "/x/agent-exec run -q --cwd . -c ls"


def test_nothing_of_ours_is_written_to_the_log_by_clients_that_break(home: Home) -> None:
    with home.connect(start=True) as client:
        sleeping_call(home, client)
        send_raw(client, b"garbage\n" + b'{"id"')
    with home.connect() as client:
        wait_until(lambda: client.request("status")["connections"] == 1)
    assert Path(home.places.log).read_text() == ""
    assert json.loads(home.cli("daemon", "--status").stdout)["in_flight"] == 1
