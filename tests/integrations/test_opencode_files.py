"""The files that are installed for opencode, under node: tools, guard, and their client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from daemon_host import Home, home_in
from realproc import PATIENCE_S, is_alive, wait_until

from agent_exec.daemon.protocol import as_line, make_token
from agent_exec.integrations.opencode.install import Options
from agent_exec.integrations.opencode.install import install as install_files

HOST = Path(__file__).parents[1] / "programs" / "opencode_plugin_host.mjs"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(NODE is None, reason="needs node"),
    pytest.mark.timeout(60),
]


class Host:
    """One process that has loaded the files of a project."""

    def __init__(self, home: Home, *places: str, project: Path | None = None) -> None:
        assert NODE is not None
        self._process = subprocess.Popen(
            [NODE, HOST, *places],
            cwd=project or home.worktree,
            env=home.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, **message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self, kind: str) -> Any:
        """The next message, which is of this kind; what is shown meanwhile is passed over."""
        assert self._process.stdout is not None
        while True:
            message = json.loads(self._process.stdout.readline())
            if kind in message:
                return message[kind]
            assert "metadata" in message, message

    def call(self, tool: str = "exec", **given: Any) -> Any:
        """The output of one call that is allowed."""
        self.tell(call=tool, args=given)
        return self.hear("result")["output"]

    def end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def hosting(home: Home, *places: str, project: Path | None = None) -> Iterator[Host]:
    host = Host(home, *places, project=project)
    try:
        yield host
    finally:
        host.end()


def install(home: Home, project: Path | None = None, **options: str) -> None:
    given = Options(project=str(project or home.worktree), **options)  # type: ignore[arg-type]
    assert list(install_files(given, home.environ))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A project with the tool and the guard, for tests that leave them as they are."""
    with home_in(tmp_path_factory.mktemp("installed")) as home:
        subprocess.run(["git", "init", "-q", home.worktree], env=home.environ, check=True)
        (home.worktree / "greeting.txt").write_text("hello, worktree\n")
        (home.worktree / "sub").mkdir()
        install(home)
        yield home


@pytest.fixture
def host(installed: Home) -> Iterator[Host]:
    with hosting(installed) as made:
        yield made


@pytest.fixture
def project(installed: Home, tmp_path: Path) -> Path:
    """Another one of the same user, whose daemon serves it too; it has a policy of its own."""
    (tmp_path / "mine.yaml").write_text(
        "version: 1\nextends: [default]\nrules:\n"
        "  - {id: no-rm, command: [rm], verdict: deny, because: we never remove files}\n"
    )
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as made:
        yield made


def test_a_call_starts_a_daemon_and_runs(host: Host) -> None:
    assert host.call(argv=["cat", "greeting.txt"]).endswith("stdout:\nhello, worktree")
    assert "hello" in host.call(argv=None, command="cat greeting.txt | head -1", env=None)


def test_a_call_works_where_the_session_does(installed: Home) -> None:
    sub = str(installed.worktree / "sub")
    with hosting(installed, sub) as host:
        assert sub in host.call(argv=["pwd"])
        assert str(installed.worktree) + "\n" in host.call(argv=["pwd"], cwd="..") + "\n"
    # Outside of a repository opencode takes / for the worktree.
    with hosting(installed, sub, "/") as host:
        assert sub in host.call(argv=["pwd"])
        host.tell(call="exec", args={"argv": ["cat", "../greeting.txt"]})
        assert host.hear("ask")["patterns"] == ["cat ../greeting.txt"]


def test_what_is_asked_about_runs_when_it_is_approved(installed: Home, host: Host) -> None:
    host.tell(call="exec", args={"argv": ["touch", "made"], "justification": "to see"})
    asked = host.hear("ask")
    assert (asked["permission"], asked["patterns"]) == ("exec", ["touch made"])
    assert asked["always"] == ["touch made"]
    assert asked["metadata"]["justification"] == "to see"
    assert asked["metadata"]["because"]
    assert not (installed.worktree / "made").exists()
    host.tell(reply=None)
    assert "exit status 0" in host.hear("result")["output"]
    assert (installed.worktree / "made").exists()


def test_what_a_person_rejects_does_not_run_and_is_recorded(installed: Home, host: Host) -> None:
    host.tell(call="exec", args={"argv": ["touch", "not-made"]})
    host.hear("ask")
    host.tell(reply="not here")
    assert host.hear("error") == "not here"
    assert not (installed.worktree / "not-made").exists()
    shown = installed.cli("log", "show", "--json").stdout.splitlines()
    record = json.loads(shown[-1])
    assert (record["call"]["argv"], record["answer"]["message"]) == (
        ["touch", "not-made"],
        "not here",
    )


@pytest.mark.parametrize(
    ("given", "patterns", "always"),
    [
        pytest.param({"argv": ["touch", "a b"]}, ["touch 'a b'"], True, id="quoted"),
        pytest.param({"argv": ["touch", "*"]}, ["touch '*'"], False, id="wildcard"),
        pytest.param({"argv": ["touch", "it's"]}, ["touch 'it'\"'\"'s'"], True, id="quote"),
        pytest.param(
            {"command": "touch a; touch b"}, ["touch a", "touch b"], False, id="two-commands"
        ),
        pytest.param(
            {"pipeline": [["cat", "greeting.txt"], ["tee", "x"]]}, ["tee x"], False, id="pipeline"
        ),
        pytest.param(
            {"argv": ["touch", "a"], "env": [{"name": "CI", "value": "1"}]},
            ["touch a (env CI=1)"],
            True,
            id="variable",
        ),
        pytest.param(
            {"command": "echo $((1+1))"}, ["echo $((1+1))"], True, id="what-a-shell-would-make"
        ),
        pytest.param({"command": "touch  a"}, ["touch a"], False, id="text-in-other-words"),
    ],
)
def test_each_command_that_is_asked_about_is_a_pattern(
    host: Host, given: dict[str, Any], patterns: list[str], always: bool
) -> None:
    host.tell(call="exec", args=given)
    asked = host.hear("ask")
    assert asked["patterns"] == patterns
    assert asked["always"] == (patterns if always else [])


def test_what_always_remembers_differs_by_what_is_beside_the_words(host: Host) -> None:
    found = set()
    for beside in ({}, {"cwd": "sub"}, {"stdin": "1"}, {"stdin": "2"}):
        host.tell(call="exec", args={"argv": ["touch", "a"], **beside})
        found.add(host.hear("ask")["patterns"][0])
        host.tell(reply="no")
        host.hear("error")
    assert len(found) == 4


def test_a_model_reads_why_it_was_denied(installed: Home, project: Path) -> None:
    install(installed, project, policy="./mine.yaml")
    with hosting(installed, project=project) as host:
        host.tell(call="exec", args={"argv": ["rm", "x"]})
        assert "we never remove files" in host.hear("error")
        host.tell(guard="bash", args={"command": "rm x"})
        assert "we never remove files" in host.hear("error")


def test_a_mistake_of_the_model_is_answered(host: Host) -> None:
    host.tell(call="exec", args={"argv": ["ls", "|", "wc"]})
    assert "pipeline" in host.hear("error")


def test_output_is_shown_while_it_comes_and_an_abort_ends_all(installed: Home, host: Host) -> None:
    host.tell(call="exec", args={"argv": ["tail", "-f", "greeting.txt"]})
    assert host.hear("metadata")["metadata"]["output"] == "hello, worktree\n"
    running = tails(installed)
    assert running
    host.tell(abort=True)
    assert "cancelled" in host.hear("error")
    assert not any(map(is_alive, running))


def tails(home: Home) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = (path / "cwd").readlink() == home.worktree
            if is_ours and (path / "cmdline").read_bytes().startswith(b"tail\0"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def begun(host: Host, session: str = "ses_1") -> tuple[str, int]:
    """A session that was approved, as `session` of opencode; its handle, and the pid it says."""
    script = "echo pid $$; while read x; do echo got $x; done"
    given = {"argv": ["sh", "-c", script], "background": True}
    host.tell(call="exec", args=given, session=session)
    host.hear("ask")
    host.tell(reply=None)
    handle = host.hear("result")["metadata"]["result"]["session"]["handle"]
    return handle, int(read_until(host, handle, "\n", session).split()[1])


def read_until(host: Host, handle: str, said: str, session: str = "ses_1") -> str:
    """All that it has written, once `said` is part of it."""
    while True:
        look = {"session": handle, "offset": 0, "wait_ms": 10_000}
        host.tell(call="exec_read", args=look, session=session)
        text = host.hear("result")["metadata"]["result"]["stdout"]["head"]
        if said in text:
            return str(text)


def test_what_is_left_running_is_read_written_and_stopped(host: Host) -> None:
    handle, pid = begun(host)
    host.call("exec_write", session=handle, text="a line\n")
    assert "got a line" in read_until(host, handle, "got")
    assert handle in host.call("exec_read", session=None)
    assert is_alive(pid)
    assert "stopped" in host.call("exec_stop", session=handle)
    assert not is_alive(pid)


def test_what_is_allowed_is_left_running_too(installed: Home, host: Host) -> None:
    given = {"argv": ["tail", "-f", "greeting.txt"], "run_in_background": True}
    host.tell(call="exec", args=given)
    handle = host.hear("result")["metadata"]["result"]["session"]["handle"]
    assert "hello" in read_until(host, handle, "\n")
    assert tails(installed)
    host.call("exec_stop", session=handle)


def test_it_ends_with_the_session_of_opencode_and_is_its_own(host: Host) -> None:
    handle, mine = begun(host)
    _, others = begun(host, "ses_2")
    for name, more in (("exec_read", {}), ("exec_write", {"text": "x"}), ("exec_stop", {})):
        host.tell(call=name, args={"session": handle, **more}, session="ses_2")
        assert "no session" in host.hear("error")
    host.tell(event="session.deleted", properties={"info": {"id": "ses_1"}})
    host.hear("done")
    wait_until(lambda: not is_alive(mine))
    assert is_alive(others)


def test_it_ends_with_opencode_however_that_ends(installed: Home) -> None:
    with hosting(installed) as host:
        _, pid = begun(host)
        host.tell(call="exec", args={"argv": ["true"]})
        host.hear("result")
        assert is_alive(pid)
    wait_until(lambda: not is_alive(pid))


def test_after_another_daemon_has_come_there_is_no_such_session(home: Home) -> None:
    install(home)
    with hosting(home) as host:
        handle, pid = begun(host)
        (daemon,) = home.running()
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid) and not is_alive(daemon))
        host.tell(call="exec_read", args={"session": handle})
        assert "no session" in host.hear("error")
        begun(host)


def test_an_abort_while_it_is_asked_runs_nothing(installed: Home, host: Host) -> None:
    host.tell(call="exec", args={"argv": ["touch", "aborted"]})
    host.hear("ask")
    host.tell(abort=True)
    host.tell(reply=None)
    assert "cancelled" in host.hear("error")
    assert not (installed.worktree / "aborted").exists()


def test_the_stand_in_for_bash(installed: Home, project: Path) -> None:
    install(installed, project, shell="replace")
    (project / "sub").mkdir()
    with hosting(installed, project=project) as host:
        assert "stdout:\n1" in host.call("bash", command="pwd | wc -l", timeout=None)
        told = host.call("bash", command="pwd", timeout=1000, workdir="sub")
        assert str(project / "sub") in told


@pytest.mark.parametrize(
    ("command", "becomes"),
    [
        pytest.param("cat greeting.txt", "run -q -p default", id="ours"),
        pytest.param("git push", "call the tool exec", id="asked"),
        pytest.param("agent-exec run -p open -- rm x", "without agent-exec", id="itself"),
        pytest.param(3, "send command", id="no-text"),
    ],
)
def test_the_guard_judges_the_built_in_shell(host: Host, command: object, becomes: str) -> None:
    host.tell(guard="bash", args={"command": command, "timeout": 1000})
    kind = "args" if "run -q" in becomes else "error"
    told = host.hear(kind)
    assert becomes in (told["command"] if kind == "args" else told)


def test_the_guard_leaves_other_tools_alone(host: Host) -> None:
    host.tell(guard="read", args={"filePath": "x"})
    assert host.hear("args") == {"filePath": "x"}


def test_what_the_guard_makes_of_a_command_runs(installed: Home, host: Host) -> None:
    host.tell(
        guard="shell", args={"command": "cat greeting.txt", "workdir": str(installed.worktree)}
    )
    made = host.hear("args")["command"]
    done = subprocess.run(
        ["bash", "-c", made],
        cwd=installed.worktree,
        env=installed.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "hello, worktree\n")


def test_without_a_judgement_nothing_runs(installed: Home, project: Path) -> None:
    install(installed, project, policy="./mine.yaml")
    (project / "mine.yaml").write_text("version: 1\nnonsense: 1\n")
    with hosting(installed, project=project) as host:
        host.tell(guard="bash", args={"command": "true"})
        assert "could not judge" in host.hear("error")
        host.tell(call="exec", args={"argv": ["true"]})
        assert "nonsense" in host.hear("error")


def test_a_daemon_that_was_killed_is_replaced(home: Home) -> None:
    install(home)
    with hosting(home) as host:
        host.call(argv=["true"])
        (pid,) = home.running()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid))
        assert "exit status 0" in host.call(argv=["true"])
        (another,) = home.running()
    assert another != pid


def test_a_call_that_may_have_begun_is_not_run_twice(home: Home) -> None:
    install(home, policy="open")
    with hosting(home) as host:
        host.tell(call="exec", args={"command": "echo x >> runs; tail -f runs"})
        wait_until((home.worktree / "runs").exists)
        (pid,) = home.running()
        os.kill(pid, signal.SIGKILL)
        assert "gone" in host.hear("error")
    assert (home.worktree / "runs").read_text() == "x\n"


def test_a_long_path_to_the_socket_works(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    with home_in(folder) as home:
        install(home)
        with hosting(home) as host:
            assert "exit status 0" in host.call(argv=["true"])


def test_what_does_not_know_the_token_is_told_nothing(home: Home) -> None:
    install(home)
    os.mkdir(home.places.runtime, 0o700)
    make_token(home.places.token)
    with socket.socket(socket.AF_UNIX) as listener, hosting(home) as host:
        listener.bind(home.places.socket)
        listener.listen()
        listener.settimeout(PATIENCE_S)
        host.tell(call="exec", args={"argv": ["echo", "a secret"]})
        with listener.accept()[0] as client:
            client.settimeout(PATIENCE_S)
            said = client.recv(4096)
            claimed = {"pid": os.getpid(), "nonce": "0", "proof": "0"}
            client.sendall(as_line({"id": json.loads(said)["id"], "ok": claimed}))
            assert "not the daemon" in host.hear("error")
            said += client.recv(4096)
    assert b"secret" not in said
    assert b"prove" not in said


@pytest.mark.parametrize("mode", [0o755, 0o770])
def test_a_folder_that_others_can_change_is_not_trusted(home: Home, mode: int) -> None:
    install(home)
    os.mkdir(home.places.runtime)
    os.chmod(home.places.runtime, mode)
    with hosting(home) as host:
        host.tell(call="exec", args={"argv": ["true"]})
        assert "mode 0700" in host.hear("error")


def test_sixteen_calls_at_once_are_not_mixed_up(host: Host) -> None:
    for number in range(16):
        host.tell(call="exec", args={"argv": ["echo", f"<{number}>"]})
    outputs = [host.hear("result") for _ in range(16)]
    for one in outputs:
        word = one["title"].partition(" ")[2].strip("'")
        assert one["output"].endswith(f"\n{word}")
    assert len({one["title"] for one in outputs}) == 16
