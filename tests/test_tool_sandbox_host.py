"""`ExecTool` in hosts that are confined, refused or crowded themselves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from realproc import run_host

from agent_exec.sandbox import landlock

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not landlock.version(), reason="needs Landlock"),
]
SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]

HOST = """
    import errno, tempfile, threading
    from pathlib import Path
    import agent_exec
    from agent_exec import Answer, ExecTool, Reply
    SECCOMP = {seccomp}
    def become_ordinary():
        os.setgroups([])
        if os.getuid() == 0:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        place = Path(tempfile.mkdtemp(dir="/tmp"))
        os.environ.update(HOME=str(place), XDG_STATE_HOME=str(place / "state"))
        (place / "tree").mkdir()
        return place / "tree"
    def policy(tree, text):
        file = tree.parent / "policy.yaml"
        file.write_text("version: 1\\nextends: [default]\\n" + text)
        return file
    async def yes(question):
        return Answer(Reply.ONCE)
    tree = Path(sys.argv[1])
    (tree / "a.txt").write_text("one\\n")
"""


def said(script: str, tree: Path) -> list[str]:
    tree.mkdir()
    environ = {
        **os.environ,
        "HOME": str(tree.parent),
        "XDG_STATE_HOME": str(tree.parent / "state"),
    }
    host = HOST.replace("{seccomp}", str(SECCOMP))
    return run_host("", host + script, str(tree), env=environ).stdout.splitlines()


def test_a_host_in_a_domain_adds_ours_to_it(tmp_path: Path) -> None:
    """What its own domain withholds stays withheld from what was granted, and that is told; what
    ours withholds is withheld within it."""
    script = """
    import ctypes, struct
    from confined import READ_DIR, READ_FILE, EXECUTE, WRITE_FILE, rule_set
    (tree / "b.txt").write_text("two\\n")
    state = tree.parent / "state"
    state.mkdir()
    everything = 0x1FFF
    libc = ctypes.CDLL(None, use_errno=True)
    with rule_set(root=READ_FILE | READ_DIR | EXECUTE, dev=WRITE_FILE) as fd:
        folder = os.open(state, os.O_PATH)
        rule = struct.pack("=Qi", everything, folder)
        assert libc.syscall(445, fd, 1, rule, 0) == 0
        os.close(folder)
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        assert libc.syscall(446, fd, 0) == 0
    with ExecTool(tree, approver=yes, launcher="vfork") as tool:
        print(tool.run_sync(["cat", "a.txt"]).stdout.head.strip())
        result = tool.run_sync(["cp", "a.txt", "b.txt"])
        print(result.stages[0].exit_code, (tree / "b.txt").read_text().strip())
        print(*result.notices)
        result = tool.run_sync(["python3", "-c", "open('/proc/1/environ').read()"])
        print(result.stages[0].exit_code)
    """
    read, written, notice, other = said(script, tmp_path / "tree")
    assert (read, written, other) == ("one", "1 two", "1")
    assert notice.startswith("perhaps the sandbox: cp may change what its words name")


@pytest.mark.parametrize(
    ("error", "verdict"), [("EPERM", "ask"), ("ENOSYS", "ask")], ids=["container", "old-kernel"]
)
def test_a_host_that_may_install_no_filter_asks_and_runs_what_was_granted_without(
    tmp_path: Path, error: str, verdict: str
) -> None:
    script = f"""
    refuse_system_calls([SECCOMP], errno.{error})
    with ExecTool(tree, approver=yes, launcher="vfork") as tool:
        decision = tool.check(["cat", "a.txt"])
        print(decision.verdict, "lists seccomp, which cannot be had here" in decision.because[0])
        print(tool.run_sync(["cat", "a.txt"]).stdout.head.strip())
        result = tool.run_sync(["sed", "-n", "w c.txt", "a.txt"])
    rule = policy(tree, "sandbox: {{require: [landlock]}}")
    with ExecTool(tree, policy=rule, launcher="vfork") as tool:
        print(tool.run_sync(["cat", "a.txt"]).stdout.head.strip())
    """
    assert said(script, tmp_path / "tree") == [f"{verdict} True", "one", "one"]


def test_no_memory_for_a_filter_refuses_the_call(tmp_path: Path) -> None:
    """It was to be had when that was tried."""
    script = """
    with ExecTool(tree, launcher="vfork") as tool:
        assert tool.check(["cat", "a.txt"]).verdict == "allow"
        refuse_system_calls([SECCOMP], errno.ENOMEM)
        for _ in range(5):
            try:
                print(tool.run_sync(["cat", "a.txt"]).stdout.head)
            except agent_exec.LaunchError as error:
                print(error.step, errno.errorcode[error.errno])
    """
    assert said(script, tmp_path / "tree") == ["sandbox ENOMEM"] * 5


def test_an_ordinary_user_with_hundreds_of_threads(tmp_path: Path) -> None:
    """Each call may have its own number of processes on top, and no more than that."""
    script = """
    with ExecTool(tree, policy=policy(tree, ""), launcher="vfork") as tool:
        tool.run_sync(["cat", "a.txt"])  # imports what the other user may not be able to
    tree = become_ordinary()
    (tree / "a.txt").write_text("one\\n")
    (tree / "few.py").write_text(
        "import threading\\n"
        "e = threading.Event()\\n"
        "t = [threading.Thread(target=e.wait) for _ in range(8)]\\n"
        "[x.start() for x in t]; e.set(); [x.join() for x in t]; print('few')\\n"
    )
    (tree / "many.py").write_text(
        "import threading\\n"
        "e = threading.Event()\\n"
        "try:\\n"
        "    for n in range(500): threading.Thread(target=e.wait, daemon=True).start()\\n"
        "except RuntimeError: print('stopped', n < 100)\\n"
        "e.set()\\n"
    )
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(300)]
    for thread in threads: thread.start()
    rule = policy(tree, "limits: {processes: 64}")
    with ExecTool(tree, policy=rule, approver=yes, launcher="vfork") as tool:
        print(tool.run_sync(["cat", "a.txt"]).stdout.head.strip())
        for name in "few.py", "many.py":
            result = tool.run_sync(["python3", name])
            print(result.stdout.head.strip(), result.stderr.head.strip()[-200:])
        result = tool.run_sync(["python3", "-c", "open('/etc/new', 'w')"])
        print(result.stages[0].exit_code)
    over.set()
    for thread in threads: thread.join()
    import shutil
    shutil.rmtree(tree.parent)
    """
    found = [line.strip() for line in said(script, tmp_path / "tree")]
    assert found == ["one", "few", "stopped True", "1"]
