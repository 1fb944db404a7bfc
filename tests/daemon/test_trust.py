"""Who is served, who may approve, and what a client believes."""

from __future__ import annotations

import hmac
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_host import Home
from realproc import wait_until

from agent_exec import DaemonError, Verdict
from agent_exec.daemon.protocol import as_line, make_token, proof
from agent_exec.policy.load import SHIPPED
from agent_exec.runtime.checker import Checker

pytestmark = pytest.mark.timeout(40)

CONNECT = """
import os, sys
from agent_exec.daemon.client import Client
from agent_exec.errors import DaemonError
try:
    with Client.connect() as client:
        {then}
except DaemonError as error:
    print(error.code, error)
"""
"""A program that connects; what it prints begins with the code of the refusal."""


def raw(home: Home) -> socket.socket:
    """A connection without a handshake."""
    connected = socket.socket(socket.AF_UNIX)
    connected.settimeout(10)
    connected.connect(home.places.socket)
    return connected


def answer_of(connected: socket.socket) -> dict[str, Any]:
    with connected.makefile("rb") as file:
        answer: dict[str, Any] = json.loads(file.readline())
    return answer


def test_a_proof_is_an_hmac() -> None:
    for token in (b"", os.urandom(32), b"\xff" * 64):
        expected = hmac.digest(token, b"client one two 3", "sha256").hex()
        assert proof(token, "client", "one two", 3) == expected


def child_connects(home: Home, words: tuple[str, ...] = (), then: str = "print('served')") -> str:
    """What the program says that a call of the daemon runs, perhaps by other words."""
    with home.connect() as client:
        script = home.worktree / "connect.py"
        script.write_text(CONNECT.format(then=then))
        environ = [
            f"{name}={value}"
            for name, value in home.environ.items()
            if name.startswith("XDG_") or name in ("PYTHONPATH", "HOME", "PATH")
        ]
        python = ["env", *environ, sys.executable, str(script)]
        result = home.call(client, *words, *python)
    said = result["stdout"]["head"]
    assert said, result
    return str(said)


def test_places_are_open_to_nobody_else(served: Home) -> None:
    places = served.places
    for path in (places.runtime, places.secrets):
        assert os.stat(path).st_mode & 0o777 == 0o700
    for path in (places.socket, places.token, places.lock):
        assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["runtime", "secrets"])
def test_a_directory_that_is_open_to_others_is_not_used(home: Home, name: str) -> None:
    folder = Path(getattr(home.places, name))
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    with pytest.raises(DaemonError) as caught:
        home.connect(start=True)
    assert "0700" in str(caught.value)
    wait_until(lambda: home.running() == [])


def test_a_client_with_another_token_is_refused_and_refuses(home: Home) -> None:
    home.serve()
    make_token(home.places.token)
    with pytest.raises(DaemonError) as caught:
        home.connect()
    assert caught.value.code == "not_trusted"
    with raw(home) as connected, connected.makefile("rb") as file:
        hello = {"id": 1, "op": "hello", "protocol": 1, "version": "0.1.0", "nonce": "n"}
        connected.sendall(as_line(hello))
        greeting = json.loads(file.readline())["ok"]
        nonces = f"n {greeting['nonce']}"
        guess = proof(b"another token", "client", nonces, greeting["pid"])
        connected.sendall(as_line({"id": 2, "op": "prove", "proof": guess}))
        assert json.loads(file.readline())["error"]["code"] == "not_trusted"
        assert file.readline() == b""


def test_the_proof_of_the_daemon_is_none_of_a_client(served: Home) -> None:
    with raw(served) as connected, connected.makefile("rb") as file:
        hello = {"id": 1, "op": "hello", "protocol": 1, "version": "0.1.0", "nonce": "n"}
        connected.sendall(as_line(hello))
        echoed = json.loads(file.readline())["ok"]["proof"]
        connected.sendall(as_line({"id": 2, "op": "prove", "proof": echoed}))
        assert json.loads(file.readline())["error"]["code"] == "not_trusted"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(as_line({"id": 1, "op": "status"}), id="a-request"),
        pytest.param(as_line({"id": 1, "op": "prove", "proof": "x"}), id="proof-without-hello"),
        pytest.param(b"GET / HTTP/1.1\r\n", id="another-protocol"),
        pytest.param(b"x" * 5000 + b"\n", id="longer-than-a-hello"),
        pytest.param(b'{"id": true, "op": "hello"}\n', id="no-id"),
        pytest.param(
            as_line({"id": 1, "op": "hello", "version": "1", "protocol": 1, "nonce": "\ud800"}),
            id="half-of-a-character",
        ),
    ],
)
def test_who_has_proved_nothing_gets_nothing(served: Home, line: bytes) -> None:
    with raw(served) as connected, connected.makefile("rb") as file:
        connected.sendall(line)
        assert "error" in json.loads(file.readline())
        assert file.readline() == b""
    with served.connect() as client:
        wait_until(lambda: client.request("status")["connections"] == 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_another_user_is_refused_even_where_the_socket_is_open_to_all(home: Home) -> None:
    home.serve()
    script = textwrap.dedent("""
        import os, socket, sys
        os.setgid(65534); os.setuid(65534)
        connected = socket.socket(socket.AF_UNIX)
        try:
            connected.connect(sys.argv[1])
            print(connected.recv(4096).decode())
        except PermissionError:
            print("no way in")
    """)

    def connect() -> str:
        return subprocess.run(
            [sys.executable, "-c", script, home.places.socket],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert connect() == "no way in\n"
    for path in (home.places.socket, home.places.runtime, home.folder / "run"):
        os.chmod(path, 0o777)
    for folder in (home.folder, *home.folder.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 1:
            folder.chmod(folder.stat().st_mode | 0o011)
    assert '"not_trusted"' in connect()


def test_a_child_of_a_call_is_refused(served: Home) -> None:
    assert child_connects(served).startswith("not_trusted")


def test_a_child_that_has_cleared_its_environment_is_refused(served: Home) -> None:
    assert "descends from the daemon" in child_connects(served, ("env", "-i"))


ORPHAN = (
    "import os\n"
    "first = os.getpid()\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "while os.getppid() == first: pass\n"
)
"""The beginning of a program that then has another parent than the one that started it."""


def test_a_grandchild_that_has_left_its_parents_is_known_by_its_mark(served: Home) -> None:
    program = ORPHAN + "import sys\nsys.stdout = open('saying', 'w')\n"
    program += CONNECT.format(then="print('served')")
    program += "sys.stdout.close()\nos.rename('saying', 'said')\n"
    (served.worktree / "orphan.py").write_text(program)
    with served.connect() as client:
        words = ["sh", "-c", f"{sys.executable} orphan.py & sleep 1000"]
        environ = " ".join(
            f"{name}='{value}'"
            for name, value in served.environ.items()
            if name.startswith("XDG_") or name in ("PYTHONPATH", "HOME")
        )
        words[2] = f"export {environ}; {words[2]}"
        where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "open"}
        client.send("call", arguments={"argv": words}, **where)
        said = served.worktree / "said"
        wait_until(said.exists)
    assert "mark of a call" in said.read_text() or "cgroup" in said.read_text()


@pytest.mark.parametrize("words", [[], ["env", "-u", "AGENT_EXEC_CALL_2"]], ids=["own", "above"])
def test_the_mark_of_a_call_gives_a_program_and_its_children_away(
    served: Home, words: list[str]
) -> None:
    program = CONNECT.format(then="print('served')")
    # The shell has the mark; what it waits for has it, or has dropped it.
    done = subprocess.run(
        ["sh", "-c", '"$@"; true', "sh", *words, sys.executable, "-c", program],
        env=served.environ | {"AGENT_EXEC_CALL_2": "other-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "has the mark of a call" in done.stdout


def test_who_cannot_be_told_from_a_leftover_of_a_call_may_not_approve(served: Home) -> None:
    said = served.folder / "said"
    program = ORPHAN + f"import sys\nsys.stdout = open('{said}.new', 'w')\n"
    program += CONNECT.format(then="client.request('status'); client.request('approver')")
    program += f"sys.stdout.close()\nos.rename('{said}.new', '{said}')\n"
    subprocess.run([sys.executable, "-c", program], env=served.environ, check=True)
    wait_until(said.exists)
    assert said.read_text().startswith("not_trusted")
    assert "cannot approve" in said.read_text()


def test_who_ran_before_the_daemon_may_approve(served: Home) -> None:
    asked = []

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        asked.append(question["decision"]["call"])
        return {"reply": "once"}

    (served.worktree / "old").touch()
    with served.connect() as client:
        where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "default"}
        client.request("approver", worktree=str(served.worktree))
        result = client.request(
            "call", on_question=answer, arguments={"argv": ["rm", "old"]}, **where
        )
    assert (result["status"], asked) == (0, [{"argv": ["rm", "old"]}])
    assert not (served.worktree / "old").exists()


def test_a_person_says_no_and_the_model_hears_why(served: Home) -> None:
    (served.worktree / "old").touch()
    with served.connect() as client:
        client.request("approver")
        result = client.request(
            "call",
            on_question=lambda _: {"reply": "never", "message": "move it to trash/"},
            worktree=str(served.worktree),
            policy="default",
            arguments={"argv": ["rm", "old"]},
        )
    assert (result["ended"], "move it to trash/" in result["text"]) == ("refused", True)
    assert (served.worktree / "old").exists()


def test_only_an_approver_answers(served: Home) -> None:
    where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "default"}
    with served.connect() as client:
        decided = client.request("decide", arguments={"argv": ["touch", "decided"]}, **where)
        assert decided["question"]["cwd"] == str(served.worktree)
        answer: dict[str, Any] = {"decision": decided["decision"], "answer": {"reply": "once"}}
        with pytest.raises(DaemonError) as caught:
            client.request("answer", **where, **answer)
        assert caught.value.code == "not_trusted"
        client.request("approver")
        wrongs: list[object] = [[], 5, None]
        for wrong in wrongs:
            with pytest.raises(DaemonError, match="no answer that could be understood"):
                client.request("answer", question="1", answer=wrong)
        assert client.request("answer", **where, **answer)["status"] == 0
    assert (served.worktree / "decided").exists()


def test_nobody_there_to_approve_is_a_refusal(served: Home) -> None:
    with served.connect() as client:
        result = served.call(client, "touch", "new", policy="default")
    assert (result["ended"], result["verdict"]) == ("refused", "ask")


def test_an_approver_that_leaves_is_a_refusal(served: Home) -> None:
    with served.connect() as approver, served.connect() as client:
        approver.request("approver")
        where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "default"}
        client.send("call", arguments={"argv": ["touch", "new"]}, **where)
        assert approver.receive()["op"] == "question"
        approver.close()
        assert client.receive()["ok"]["ended"] == "refused"


def test_another_approver_cannot_answer_what_it_was_not_asked(served: Home) -> None:
    with served.connect() as asked, served.connect() as other, served.connect() as client:
        other.request("approver", worktree=str(served.folder))
        asked.request("approver", worktree=str(served.worktree))
        where: dict[str, Any] = {"worktree": str(served.worktree), "policy": "default"}
        client.send("call", arguments={"argv": ["touch", "new"]}, **where)
        question = asked.receive()["question"]["id"]
        yes: dict[str, Any] = {"question": question, "answer": {"reply": "once"}}
        assert other.request("answer", **yes) == {"taken": False}
        assert asked.request("answer", **yes) == {"taken": True}
        assert client.receive()["ok"]["status"] == 0


@pytest.fixture
def impostor(home: Home) -> Iterator[socket.socket]:
    """What listens in the place of the daemon, of the same user."""
    Path(home.places.runtime).mkdir(mode=0o700)
    Path(home.places.secrets).mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(home.places.socket)
        listener.listen()
        yield listener


def test_a_client_asks_nothing_of_what_cannot_read_the_token(
    home: Home, impostor: socket.socket
) -> None:
    make_token(home.places.token)
    heard = []

    def serve() -> None:
        connected, _ = impostor.accept()
        with connected, connected.makefile("rb") as file:
            hello = json.loads(file.readline())
            claims = {"protocol": 1, "version": "9.0", "pid": os.getpid(), "nonce": "n"}
            connected.sendall(as_line({"id": hello["id"], "ok": {**claims, "proof": "0" * 64}}))
            heard.append(file.readline())

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(DaemonError) as caught:
        home.connect(start=True)
    thread.join()
    assert (caught.value.code, heard) == ("not_trusted", [b""])


def test_nobody_can_stand_between_a_client_and_the_daemon(
    home: Home, impostor: socket.socket
) -> None:
    # It has the daemon's own proof; but that names the daemon's pid, and the kernel another.
    token = make_token(home.places.token)

    def serve() -> None:
        connected, _ = impostor.accept()
        with connected, connected.makefile("rb") as file:
            hello = json.loads(file.readline())
            other = os.getppid()
            passed_on = proof(token, "daemon", f"{hello['nonce']} n", other)
            claims = {"protocol": 1, "version": "9.0", "pid": other, "nonce": "n"}
            connected.sendall(as_line({"id": hello["id"], "ok": {**claims, "proof": passed_on}}))
            file.readline()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(DaemonError) as caught:
        home.connect()
    thread.join()
    assert caught.value.code == "not_trusted"


def test_no_policy_lets_the_token_be_read(home: Home) -> None:
    for name in SHIPPED:
        decision = Checker(home.worktree, name).check({"argv": ["cat", home.places.token]})
        assert decision.verdict is not Verdict.ALLOW
