"""What a call writes, told while it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_host import Home
from realproc import is_alive, wait_until

from agent_exec.daemon.client import Client
from agent_exec.runtime.live import MOST_LIVE, Live

pytestmark = pytest.mark.timeout(40)

UNTIL_GO = "until [ -e go ]; do :; done; rm go"
SAYS = f"echo one; echo two >&2; {UNTIL_GO}; echo three"


def asked(home: Home, client: Client, *, policy: str = "open", **arguments: Any) -> int:
    """A call that is looked at; its id."""
    where = {"worktree": str(home.worktree), "policy": policy}
    return client.send("call", live=True, arguments=arguments, **where)


def told(client: Client, id_: int, *, until: str) -> dict[str, str]:
    """What was told of each output, until `until` was among it."""
    found = {"stdout": "", "stderr": ""}
    while until not in "".join(found.values()):
        message = client.receive()
        assert message["id"] == id_
        for name in found:
            found[name] += message["progress"].get(name, "")
    return found


def result(client: Client, id_: int) -> dict[str, Any]:
    while True:
        message = client.receive()
        if "progress" not in message:
            assert message["id"] == id_
            ok: dict[str, Any] = message["ok"]
            return ok


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"argv": ["sh", "-c", SAYS]}, id="argv"),
        pytest.param(
            {"command": f"echo one; echo two >&2; sh -c '{UNTIL_GO}'; echo three"}, id="text"
        ),
        pytest.param(
            {
                "pipeline": [
                    ["sh", "-c", f"echo one; echo two >&2; {UNTIL_GO}; echo three"],
                    ["cat"],
                ]
            },
            id="pipeline",
        ),
    ],
)
def test_output_is_told_before_the_call_ends(served: Home, arguments: dict[str, Any]) -> None:
    with served.connect() as client:
        id_ = asked(served, client, **arguments)
        found = told(client, id_, until="one")
        if not found["stderr"]:
            found["stderr"] = told(client, id_, until="two")["stderr"]
        assert found == {"stdout": "one\n", "stderr": "two\n"}
        (served.worktree / "go").touch()
        done = result(client, id_)
    assert (done["stdout"]["head"], done["stderr"]["head"]) == ("one\nthree\n", "two\n")


def test_what_was_decided_before_is_told_too(served: Home) -> None:
    where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "default"}
    script = f"echo one; {UNTIL_GO}"
    with served.connect() as client:
        decided = client.request("decide", arguments={"argv": ["sh", "-c", script]}, **where)
        client.request("approver", asked=False)
        answer = {"decision": decided["decision"], "answer": {"reply": "once"}}
        id_ = client.send("answer", live=True, **where, **answer)
        assert told(client, id_, until="one")["stdout"] == "one\n"
        (served.worktree / "go").touch()
        assert result(client, id_)["status"] == 0


def test_no_secret_and_no_control_sequence_is_told(served: Home) -> None:
    policy = served.worktree / "policy.yaml"
    policy.write_text("version: 1\nextends: [open]\nredact: ['s3cr3t-[a-z]+']\n")
    script = rf"printf 's3cr3t-word \033[31mred\033[0m\n'; {UNTIL_GO}"
    with served.connect() as client:
        id_ = asked(served, client, policy=str(policy), argv=["sh", "-c", script])
        assert told(client, id_, until="red")["stdout"] == "[redacted] red\n"
        (served.worktree / "go").touch()
        assert result(client, id_)["status"] == 0


def test_a_client_that_does_not_read_holds_up_no_call(served: Home) -> None:
    with served.connect() as slow, served.connect() as other:
        where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "open"}
        # More at once than a socket takes.
        script = "n=0; while [ $n -lt 40 ]; do seq 3000; n=$((n + 1)); done; touch written"
        calls = [asked(served, slow, argv=["sh", "-c", script]) for _ in range(4)]
        assert len(set(calls)) == 4
        wait_until((served.worktree / "written").exists)
        done = other.request("call", arguments={"argv": ["echo", "hi"]}, **where)
        assert done["stdout"]["head"] == "hi\n"


def test_a_client_that_leaves_takes_the_call_with_it(served: Home) -> None:
    with served.connect() as client:
        id_ = asked(served, client, argv=["sh", "-c", "echo $$; exec sleep 1000"])
        pid = int(told(client, id_, until="\n")["stdout"])
        assert is_alive(pid)
    wait_until(lambda: not is_alive(pid))


def test_who_is_not_to_be_asked_is_not(served: Home) -> None:
    where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "default"}
    with served.connect() as silent, served.connect() as client:
        silent.request("approver", worktree=str(served.worktree), asked=False)
        refused = client.request("call", arguments={"argv": ["touch", "new"]}, **where)
    assert (refused["ended"], "nobody is there" in refused["error"]) == ("refused", True)


@pytest.fixture
def live() -> Iterator[Live]:
    with Live() as made:
        yield made


def write(live: Live, data: bytes) -> None:
    os.write(live.files[0].spill.fd, data)


def test_nothing_is_shown_before_secrets_can_be_taken_out(live: Live) -> None:
    write(live, b"a\n")
    assert live.read() == {}
    live.show_by(str.upper)
    assert live.read() == {"stdout": "A\n"}
    assert live.read() == {}


def test_whole_lines_are_shown_and_long_ones_in_parts(live: Live) -> None:
    live.show_by(str)
    write(live, "ä".encode()[:1])
    assert live.read() == {}
    write(live, "ä".encode()[1:] + b"\nnext")
    assert live.read() == {"stdout": "ä\n"}
    write(live, b" line\r")
    assert live.read()["stdout"].startswith("next line")
    write(live, b"x" * 5000)
    assert live.read() == {"stdout": "x" * 5000}


def test_it_takes_so_much_and_no_more(served: Home) -> None:
    with served.connect() as client:
        size = 3 * MOST_LIVE
        id_ = asked(served, client, argv=["sh", "-c", f"yes | head -c {size}; {UNTIL_GO}"])
        got = 0
        while got < MOST_LIVE:
            got += len(client.receive()["progress"].get("stdout", ""))
        (served.worktree / "go").touch()
        assert result(client, id_)["stdout"]["dropped"] > 0
    assert got == MOST_LIVE


def test_a_file_is_written_and_nothing_told(served: Home, tmp_path: Path) -> None:
    with served.connect() as client:
        id_ = asked(served, client, argv=["echo", "hi"], stdout_file="out.txt")
        assert result(client, id_)["status"] == 0
    assert (served.worktree / "out.txt").read_text() == "hi\n"
