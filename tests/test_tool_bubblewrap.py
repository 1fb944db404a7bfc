"""`ExecTool` with bubblewrap: namespaces around calls that are confined besides. Real programs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from realproc import wait_until
from sessions import Model, talk

from agent_exec import Answer, Denied, ExecTool, LaunchError, Question, Reply, ToolResult
from agent_exec.errors import Step
from agent_exec.model.decision import Verdict
from agent_exec.model.plan import SpawnPlan
from agent_exec.runtime import boxing
from agent_exec.runtime.boxing import find_bwrap, why_not_trusted
from agent_exec.runtime.enforcing import why_no_bubblewrap
from agent_exec.sandbox.box import Box

PATH = boxing.DEFAULT_PATH
WHY_NOT = why_no_bubblewrap(PATH, None)
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(WHY_NOT is not None, reason=f"needs bubblewrap: {WHY_NOT}"),
]
REQUIRE = "sandbox: {require: [landlock, seccomp, bubblewrap]}"


def _yes(question: Question) -> Answer:
    return Answer(Reply.ONCE)


def policy(folder: Path, text: str = REQUIRE) -> Path:
    file = folder / "policy.yaml"
    file.write_text(f"version: 1\nextends: [default]\n{text}\n")
    return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("the-private-key\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local/state"))
    return home


@pytest.fixture
def tree(home: Path, tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("one\n")
    return tree


@pytest.fixture
def tool(tree: Path) -> Iterator[ExecTool]:
    with ExecTool(tree, policy=policy(tree.parent), approver=_yes, launcher="vfork") as made:
        yield made


def script(tree: Path, text: str, name: str = "s.sh") -> str:
    """A program of the worktree: code that nobody knows, so it gets all of the worktree."""
    (tree / name).write_text(f"#!/bin/sh\n{text}\n")
    (tree / name).chmod(0o755)
    return f"./{name}"


# What is there


def test_a_hidden_path_is_not_there(home: Path, tree: Path, tool: ExecTool) -> None:
    text = f"cat {home}/.ssh/id_ed25519 /etc/shadow; ls -A {home} {home.parent}; ls -d /srv"
    result = tool.run_sync([script(tree, text)])
    assert result.held_by is not None
    assert {"landlock", "seccomp", "bubblewrap"} <= set(result.held_by)
    assert "the-private-key" not in result.stdout.head
    assert f"{home}/.ssh/id_ed25519: No such file" in result.stderr.head
    assert ".ssh" not in result.stdout.head
    assert {"home", "tree"} >= set(result.stdout.head.split()) - {
        f"{home}:",
        f"{home.parent}:",
        ".local",
    }
    assert "cannot access '/srv': No such file" in result.stderr.head
    assert "cat: /etc/shadow: Permission denied" in result.stderr.head
    # What is there, to lead to what was granted, is Landlock's as without.
    assert f"cannot open directory '{home}': Permission denied" in result.stderr.head
    assert any("was not there for ./s.sh" in notice for notice in result.notices), result.notices


def test_what_may_only_be_read_is_mounted_so(tree: Path) -> None:
    """Also without the other layers: the mount itself says no (EROFS), not a rule (EACCES)."""
    other = tree.parent / "other"
    other.mkdir()
    rule = policy(tree.parent, f"{REQUIRE[:-1]}, read: [worktree, system, {other}]}}")
    with ExecTool(tree, policy=rule, approver=_yes, launcher="vfork") as tool:
        result = tool.run_sync([script(tree, f"cat /proc/self/mounts; touch {other}/x")])
    assert result.status == 1
    options = {
        words[1]: words[3].split(",") for words in map(str.split, result.stdout.head.splitlines())
    }
    assert "ro" in options[str(other)]
    assert "ro" in options["/usr"]
    assert "ro" in options["/"]
    assert "rw" in options[str(tree)]
    assert not list(other.iterdir())


def test_code_may_write_in_its_worktree_and_temp_directories(tree: Path, tool: ExecTool) -> None:
    text = 'echo 1 > made && echo 2 > "$TMPDIR/t" && echo 3 > /var/tmp/v && cat "$TMPDIR/v"'
    assert tool.run_sync([script(tree, text)]).stdout.head == "3\n"
    assert (tree / "made").read_text() == "1\n"
    assert not Path("/var/tmp/v").exists()


# Processes


def test_a_program_sees_and_signals_its_own_processes_alone(tree: Path, tool: ExecTool) -> None:
    text = f"ls /proc | grep -c '^[0-9]'; kill -0 {os.getpid()} || kill -9 -1; echo $PPID"
    result = tool.run_sync([script(tree, text)])
    assert int(result.stdout.head.split()[0]) < 8
    assert (
        f"({os.getpid()}) - No such process" in result.stderr.head
        or "No such" in result.stderr.head
    )


class Left:
    """What a script leaves running, in words that nobody else's programs have."""

    def __init__(self) -> None:
        seconds = f"1{int.from_bytes(os.urandom(4))}"
        self.text = (
            f"setsid sh -c 'while :; do sleep {seconds}; done' & env -i setsid sleep {seconds} &"
        )
        self._word = seconds.encode()

    def count(self) -> int:
        found = 0
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    found += self._word in (entry / "cmdline").read_bytes()
                except OSError:  # it has just ended
                    continue
        return found


@pytest.fixture
def left() -> Left:
    return Left()


@pytest.mark.parametrize("survivors", ["kill", "keep"])
def test_nothing_outlives_a_call(survivors: str, tree: Path, left: Left) -> None:
    with ExecTool(
        tree, policy=policy(tree.parent), approver=_yes, launcher="vfork", survivors=survivors
    ) as tool:
        result = tool.run_sync([script(tree, f"{left.text} exit 3")])
        assert (result.status, result.survivors, result.pipe_held) == (3, (), False)
        assert left.count() == 0


def test_a_deadline_ends_the_whole_tree(tree: Path, tool: ExecTool, left: Left) -> None:
    result = tool.run_sync(
        [script(tree, f"trap '' TERM; {left.text} sleep 100; sleep 100")], timeout_s=1
    )
    assert (result.ended, result.stages[0].signal) == ("timeout", "SIGKILL")
    wait_until(lambda: left.count() == 0)


def test_a_program_is_told_of_its_deadline(tree: Path, tool: ExecTool) -> None:
    text = "trap 'echo bye; exit 4' TERM; echo ready; sleep 100 & wait"
    result = tool.run_sync([script(tree, text)], timeout_s=2)
    assert (result.ended, result.stages[0].exit_code) == ("timeout", 4)
    assert result.stdout.head == "ready\nbye\n"


# The same as without


SAME = {
    "status": ["sh", "-c", "exit 3"],
    "a status like that of a signal": ["sh", "-c", "exit 137"],
    "signal": ["sh", "-c", "kill -9 $$"],
    "another signal": ["sh", "-c", "kill -USR1 $$"],
    "words": ["printf", "[%s]", "a b", "", "$x", "*"],
    "its own name": ["sh", "-c", "echo $0; nosuch"],
    "environment": [
        "sh",
        "-c",
        "env | grep -v -e TMPDIR -e AGENT_EXEC_CALL | sort; pwd; umask; id -u",
    ],
    "descriptors and signals": [
        "python3",
        "-c",
        (
            "import os, signal\n"
            "print([fd for fd in range(100) if os.path.exists(f'/dev/fd/{fd}')][:-1])\n"
            "print(signal.pthread_sigmask(0, []))\n"
            "print([n for n in signal.valid_signals() if signal.getsignal(n) == signal.SIG_IGN])"
        ),
    ],
    "message": ["ls", "no-such-file"],
}


def _shown(result: ToolResult) -> tuple[object, ...]:
    stage = result.stages[0]
    return (
        result.status,
        stage.exit_code,
        stage.signal,
        result.ended,
        result.stdout,
        result.stderr,
    )


def test_a_program_finds_and_leaves_what_it_does_without(tree: Path, tool: ExecTool) -> None:
    with ExecTool(tree, approver=_yes, launcher="vfork") as plain:
        for name, argv in SAME.items():
            assert _shown(tool.run_sync(argv)) == _shown(plain.run_sync(argv)), name


def test_a_pipeline_and_a_text_are_run_as_without(tree: Path, tool: ExecTool) -> None:
    piped = tool.run_pipeline_sync([["cat"], ["tr", "a-z", "A-Z"]], stdin="abc")
    assert (piped.stdout.head, piped.status) == ("ABC", 0)
    text = "cat a.txt > b; sh -c 'kill -15 $$'; echo $?; sh -c 'exit 7' || cat b | sed s/o/0/"
    assert tool.run_shell_sync(text).stdout.head == "143\n0ne\n"


def test_what_cannot_be_executed_is_no_status(tree: Path, tool: ExecTool) -> None:
    broken = tree / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(LaunchError) as caught:
        tool.run_sync(["./broken"])
    assert caught.value.step is Step.EXEC
    with ExecTool(tree, approver=_yes, launcher="vfork") as plain:
        text = "./broken || echo $?"
        assert tool.run_shell_sync(text).stderr.head == plain.run_shell_sync(text).stderr.head


def test_a_terminal_is_one_and_its_keys_reach_the_program_alone(tree: Path) -> None:
    (tree / "asks.py").write_text(
        "import os, sys\n"
        "print([os.isatty(fd) for fd in (0, 1, 2)], open('/dev/tty').fileno() > 2, flush=True)\n"
        "try:\n    print('ready', flush=True); sys.stdin.readline()\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n"
        "print('line', repr(sys.stdin.readline()), flush=True)\n"
    )

    async def use(model: Model) -> None:
        session = await model.start("python3", "asks.py", terminal=True)
        assert "[True, True, True] True" in await model.until(session, "ready")
        await model.write(session, "\x03")
        await model.until(session, "interrupted")
        await model.write(session, "hello\n")
        await model.until(session, r"line 'hello\n'")
        assert (await model.ended(session)).status == 0

    talk(tree, use, policy=policy(tree.parent), approver=_yes)


# The network


def test_there_is_a_loopback_and_nothing_else(tree: Path, tool: ExecTool) -> None:
    (tree / "n.py").write_text(
        "import socket, sys, errno\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())\n"
        "print(server.accept()[0].send(b'x'), client.recv(1))\n"
        "def says(family, *to):\n"
        "    try:\n"
        "        s = socket.socket(getattr(socket, family), socket.SOCK_STREAM if family !="
        " 'AF_NETLINK' else socket.SOCK_RAW)\n"
        "        s.connect(*to)\n"
        "        print(family, 'connected')\n"
        "    except OSError as error:\n"
        "        print(family, errno.errorcode[error.errno])\n"
        "says('AF_INET', ('127.0.0.1', int(sys.argv[1])))\n"
        "says('AF_INET', ('192.0.2.1', 80))\n"
        "says('AF_INET6', ('2001:db8::1', 80))\n"
        "says('AF_UNIX', sys.argv[2])\n"
        "says('AF_UNIX', '\\0agent-exec-test')\n"
        "says('AF_NETLINK', (0, 0))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]
        result = tool.run_sync(["python3", "n.py", str(port), "/run/docker.sock"])
    assert result.stdout.head.splitlines() == [
        "1 b'x'",
        "AF_INET ECONNREFUSED",
        "AF_INET ENETUNREACH",
        "AF_INET6 ENETUNREACH",
        "AF_UNIX EACCES",
        "AF_UNIX EACCES",
        "AF_NETLINK EACCES",
    ]


# What was judged is what runs


def test_a_program_that_was_replaced_meanwhile_does_not_run(
    tree: Path, tool: ExecTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After bubblewrap has been started: the program inside is not the pinned one."""
    name = script(tree, "echo old")
    assert tool.run_sync([name]).stdout.head == "old\n"
    made = Box.plan
    other = tree / "new"

    def swap_first(*args: object, **named: object) -> object:
        plan = made(*args, **named)  # type: ignore[arg-type]
        other.write_text("#!/bin/sh\necho new\n")
        other.chmod(0o755)
        other.replace(tree / "s.sh")
        return plan

    monkeypatch.setattr(Box, "plan", swap_first)
    with pytest.raises((Denied, LaunchError)) as caught:
        tool.run_sync([name])
    assert "no longer what was approved" in str(caught.value)
    monkeypatch.undo()
    assert tool.run_sync([name]).stdout.head == "new\n"


def test_a_directory_that_was_replaced_meanwhile_is_not_worked_in(
    tree: Path, tool: ExecTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Box.plan

    def swap_first(*args: object, **named: object) -> object:
        plan = made(*args, **named)  # type: ignore[arg-type]
        tree.rename(tree.parent / "away")
        shutil.copytree(tree.parent / "away", tree)
        return plan

    monkeypatch.setattr(Box, "plan", swap_first)
    with pytest.raises(LaunchError):
        tool.run_sync(["cat", "a.txt"])


def test_a_path_that_became_a_link_meanwhile_gives_no_right(
    home: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tree.parent / "data"
    data.mkdir()
    rule = policy(tree.parent, f"{REQUIRE[:-1]}, read: [worktree, system, {data}]}}")
    made = Box.plan

    def swap_first(*args: object, **named: object) -> object:
        plan = made(*args, **named)  # type: ignore[arg-type]
        data.rmdir()
        data.symlink_to(home / ".ssh")
        return plan

    with ExecTool(tree, policy=rule, approver=_yes, launcher="vfork") as tool:
        monkeypatch.setattr(Box, "plan", swap_first)
        result = tool.run_sync([script(tree, f"cat {data}/id_ed25519")])
    assert (result.status, result.stdout.head) == (1, "")


def test_a_path_that_is_gone_meanwhile_hinders_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tree.parent / "data"
    data.mkdir()
    rule = policy(tree.parent, f"{REQUIRE[:-1]}, read: [worktree, system, {data}]}}")
    made = Box.plan

    def remove_first(*args: object, **named: object) -> object:
        plan = made(*args, **named)  # type: ignore[arg-type]
        data.rmdir()
        return plan

    with ExecTool(tree, policy=rule, launcher="vfork") as tool:
        monkeypatch.setattr(Box, "plan", remove_first)
        assert tool.run_sync(["cat", "a.txt"]).stdout.head == "one\n"


def test_a_variable_of_the_call_has_no_say_in_bubblewrap(tree: Path) -> None:
    """Which is started without a sandbox."""
    text = f"{REQUIRE}\nenv: {{from_call: [LD_DEBUG, LD_DEBUG_OUTPUT]}}"
    with ExecTool(tree, policy=policy(tree.parent, text), approver=_yes, launcher="vfork") as tool:
        env = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": f"{tree}/debug"}
        result = tool.run_sync([script(tree, "env | grep -c LD_DEBUG")], env=env)
    assert result.stdout.head == "2\n"
    said = b"".join(each.read_bytes() for each in tree.glob("debug.*"))
    assert b"/bin/sh" in said
    assert b"bwrap" not in said


# The page

DOCS = Path(__file__).parents[1] / "docs"


def test_the_worked_example_works(home: Path, tree: Path) -> None:
    example = DOCS / "examples" / "bubblewrap.yaml"
    assert f"```yaml\n{example.read_text()}```" in (DOCS / "concepts/bubblewrap.md").read_text()
    (tree / "client.py").write_text(
        "import http.server, threading, urllib.request\n"
        "handler = http.server.SimpleHTTPRequestHandler\n"
        "server = http.server.HTTPServer(('127.0.0.1', 8000), handler)\n"
        "threading.Thread(target=server.handle_request).start()\n"
        "print(urllib.request.urlopen('http://127.0.0.1:8000/a.txt').read())\n"
    )
    script(
        tree,
        "ps -e -o comm=\npython3 client.py 2>log\ncat ~/.ssh/id_ed25519",
        "run-tests.sh",
    )
    with ExecTool(tree, policy=example, launcher="vfork") as tool:
        result = tool.run_sync(["./run-tests.sh"])
    said = result.stdout.head.splitlines()
    assert said[-1] == "b'one\\n'"
    assert set(said) & {"run-tests.sh", "ps"} == {"run-tests.sh", "ps"}
    assert len(said) < 8
    assert result.stderr.head == f"cat: {home}/.ssh/id_ed25519: No such file or directory\n"
    assert any("likely the sandbox" in notice for notice in result.notices)


# Where it cannot be had


def test_bubblewrap_gets_no_rights_and_stays_within_the_limits(
    tree: Path, tool: ExecTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setuid one does not become root; what is withheld inside is left to the inside."""
    seen: list[SpawnPlan] = []
    made = Box.plan

    def see(*args: object, **named: object) -> SpawnPlan:
        seen.append(made(*args, **named))  # type: ignore[arg-type]
        return seen[-1]

    monkeypatch.setattr(Box, "plan", see)
    tool.run_sync(["cat", "a.txt"])
    (plan,) = seen
    assert plan.executable.path == os.fsencode(find_bwrap(PATH, None))
    assert plan.confinement is not None
    assert plan.confinement.no_new_privs
    assert plan.confinement.rlimits
    assert (plan.confinement.landlock, plan.confinement.filter) == (None, None)
    assert all(word.startswith(b"+") for word in plan.envp)


def test_it_is_used_only_where_it_is_required(tree: Path) -> None:
    with ExecTool(tree, approver=_yes, launcher="vfork") as tool:
        assert tool.run_sync(["ls", "-d", "/home"]).status == 0
        result = tool.run_sync(["sh", "-c", f"kill -0 {os.getpid()}; echo $$"])
    assert int(result.stdout.head) > 10


def test_where_nothing_is_withheld_it_is_not_met(tree: Path) -> None:
    file = policy(tree.parent, "sandbox: {read: [/], write: [/, tmp], require: [bubblewrap]}")
    with ExecTool(tree, policy=file, launcher="vfork") as tool:
        assert tool.check(["cat", "a.txt"]).verdict is Verdict.ASK


def _false(folder: Path, text: str = "exit 1") -> Path:
    made = folder / "bwrap"
    made.write_text(f"#!/bin/sh\n{text}\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize("where", ["missing", "not root's", "in the worktree"])
def test_without_a_bubblewrap_of_roots_it_is_asked(
    where: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree / "bin" if where == "in the worktree" else tree.parent / "bin"
    folder.mkdir()
    if where != "missing":
        _false(folder)
        os.chown(folder / "bwrap", 65534, -1) if os.geteuid() == 0 else None
    why = why_no_bubblewrap((str(folder),), str(tree))
    assert why is not None
    expected = "does not belong to root" if where == "not root's" else "there is no bwrap"
    assert expected in why or "can be written by others" in why
    text = f"{REQUIRE}\nprograms: {{path: [{folder}, /usr/bin, /bin]}}"
    if where == "not root's":
        with ExecTool(tree, policy=policy(tree.parent, text), launcher="vfork") as tool:
            decision = tool.check(["cat", "a.txt"])
            assert decision.verdict is Verdict.ASK
            assert "lists bubblewrap, which cannot be had here" in decision.because[0]
            with pytest.raises(Denied):
                tool.run_sync(["cat", "a.txt"])


def test_namespaces_that_are_refused_are_told(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container without them: bubblewrap is there, and fails."""
    false = _false(tmp_path, "echo bwrap: Creating new namespace failed >&2; exit 1")
    monkeypatch.setattr(boxing, "find_bwrap", lambda *_: str(false))
    monkeypatch.setattr(boxing, "why_not_trusted", lambda _: None)
    why = why_no_bubblewrap(PATH, str(tree))
    assert why == "bwrap: Creating new namespace failed"
    with ExecTool(tree, policy=policy(tree.parent), launcher="vfork") as tool:
        assert tool.check(["cat", "a.txt"]).verdict is Verdict.ASK


def test_namespaces_that_are_refused_later_run_nothing(
    tree: Path, tool: ExecTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    false = _false(tmp_path, "echo bwrap: Creating new namespace failed >&2; exit 1")
    monkeypatch.setattr(boxing, "why_not_trusted", lambda _: None)
    assert tool._sandbox is not None
    assert tool._sandbox.box is not None
    pinned = boxing.PinnedBwrap(str(false), tool._starter.credentials)
    monkeypatch.setattr(tool._sandbox.box, "_program", pinned)
    with pytest.raises(LaunchError) as caught:
        tool.run_sync(["cat", "a.txt"])
    pinned.close()
    assert caught.value.step is Step.SANDBOX
    assert caught.value.reason == "bwrap: Creating new namespace failed"


def test_bubblewrap_is_found_and_trusted_here() -> None:
    found = find_bwrap(PATH, None)
    assert why_not_trusted(found) is None
    assert os.path.samefile(found, shutil.which("bwrap", path=":".join(PATH)) or "")


@pytest.mark.parametrize("wrong", ["file", "directory"])
def test_what_others_may_write_is_not_trusted(wrong: str, tmp_path: Path) -> None:
    made = _false(tmp_path)
    (made if wrong == "file" else tmp_path).chmod(0o777)
    assert why_not_trusted(str(made)) is not None


# Nothing is left


def test_no_mount_and_no_temp_directory_is_left(tree: Path, home: Path, tool: ExecTool) -> None:
    before = Path("/proc/self/mounts").read_text()
    tool.run_sync([script(tree, 'mkdir -p "$TMPDIR/d/e"; echo x > "$TMPDIR/d/e/f"')])
    tool.run_sync(["cat", "a.txt"])
    assert Path("/proc/self/mounts").read_text() == before
    folders = list((home / ".local/state/agent_exec/tmp").glob("*/[0-9]*"))
    assert folders
    assert not [entry for folder in folders for entry in folder.iterdir()]


def test_a_bubblewrap_that_is_killed_takes_everything_with_it(
    tree: Path, tool: ExecTool, left: Left
) -> None:
    name = script(tree, f"{left.text} : > started; sleep 1000")
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(tool.run_sync, [name], timeout_s=60)
        wait_until(lambda: (tree / "started").exists() and left.count() > 1)
        (outer,) = _children_called(b"bwrap")
        os.kill(outer, signal.SIGKILL)
        result = call.result(60)
    assert (result.ended, result.stages[0].signal) == ("signal", "SIGKILL")
    wait_until(lambda: left.count() == 0)


_HOST = """
import sys
from agent_exec import Answer, ExecTool, Reply
tool = ExecTool(
    sys.argv[1], policy=sys.argv[2], approver=lambda _: Answer(Reply.ONCE), launcher="vfork",
    survivors="keep",
)
tool.check(["cat", "a.txt"])
print("ready", flush=True)
tool.run_sync([sys.argv[3]])
"""


def test_an_agent_that_is_killed_takes_everything_with_it(tree: Path, left: Left) -> None:
    """Also where survivors are kept, so that nobody else ends them."""
    name = script(tree, f"{left.text} wait")
    words = [sys.executable, "-c", _HOST, str(tree), str(policy(tree.parent)), name]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == b"ready\n"
            wait_until(lambda: left.count() > 1)
        finally:
            host.kill()
    wait_until(lambda: left.count() == 0)


def _children_called(name: bytes) -> list[int]:
    """Pids of our own children."""
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0] == name
    ]
