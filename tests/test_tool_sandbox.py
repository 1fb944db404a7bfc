"""`ExecTool` and its sandbox: what a call may do is what was granted, and everyday work works."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from agent_exec import Answer, Denied, ExecTool, LaunchError, Question, Reply
from agent_exec.errors import Step
from agent_exec.model.decision import Verdict
from agent_exec.sandbox import landlock

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not landlock.version(), reason="needs Landlock"),
]
REAL_HOME = Path.home()


def _yes(question: Question) -> Answer:
    return Answer(Reply.ONCE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a private key, of the user that the tool runs as."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("the-private-key\n")
    (home / ".gitconfig").write_text("[user]\nname = A\nemail = a@example.org\n")
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
    with ExecTool(tree, approver=_yes, launcher="vfork") as made:
        yield made


def policy(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(f"version: 1\nextends: [default]\n{text}\n")
    return file


# What only reads


def test_a_temp_directory_may_be_written_and_does_not_stay(tree: Path, tool: ExecTool) -> None:
    rule = policy(
        tree.parent,
        "rules: [{id: fooled, command: [python3], effects: [execute],"
        " verdict: allow, because: as if it only read}]",
    )
    script = tree / "p.py"
    script.write_text("import os\nopen(os.environ['TMPDIR'] + '/x', 'w').write('ok')\n")
    with ExecTool(tree, policy=rule, launcher="vfork") as made:
        result = made.run_sync(["python3", "p.py"])
    assert result.status == 0, result.stderr.head
    assert not list((tree.parent / "home/.local/state/agent_exec/tmp").glob("*/[0-9]*"))


def test_the_temp_directory_of_a_call_is_empty_and_not_that_of_another(tool: ExecTool) -> None:
    first = tool.run_shell_sync("mktemp; mktemp -d; ls -A $TMPDIR | wc -l; env | grep ^TMPDIR")
    assert first.stdout.head.splitlines()[-1].startswith("TMPDIR=")
    again = tool.run_sync(["sh", "-c", "ls -A $TMPDIR | wc -l; echo $TMPDIR"])
    assert again.stdout.head.split()[0] == "0"
    assert not os.path.exists(again.stdout.head.split()[1]) or not os.listdir(
        again.stdout.head.split()[1]
    )


def test_a_call_that_sets_tmpdir_itself_keeps_it(tree: Path) -> None:
    rule = policy(tree.parent, "env: {from_call: [TMPDIR]}")
    with ExecTool(tree, policy=rule, approver=_yes, launcher="vfork") as tool:
        result = tool.run_sync(["env"], env={"TMPDIR": str(tree)})
    assert f"TMPDIR={tree}\n" in result.stdout.head


def test_the_temp_directory_takes_the_place_of_one_that_the_policy_sets(tree: Path) -> None:
    rule = policy(tree.parent, f"env: {{set: {{TMPDIR: {tree}}}}}")
    with ExecTool(tree, policy=rule, launcher="vfork") as tool:
        for result in (tool.run_sync(["printenv"]), tool.run_shell_sync("printenv; true")):
            [line] = [each for each in result.stdout.head.split("\n") if "TMPDIR=" in each]
            assert "/agent_exec/tmp/" in line


SECRETS = {
    "private-key": "cat {home}/.ssh/id_ed25519",
    "environ-of-the-parent": "cat /proc/{pid}/environ",
    "memory-of-the-parent": "cat /proc/{pid}/maps",
    "directory-of-the-parent": "ls /proc/{pid}/cwd/",
    "our-state": "ls {home}/.local/state/agent_exec",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_code_reads_no_secret_that_nobody_has_granted(
    text: str, home: Path, tree: Path, tool: ExecTool
) -> None:
    script = tree / "read.sh"
    script.write_text("#!/bin/sh\n" + text.format(home=home, pid=os.getpid()) + "\n")
    script.chmod(0o755)
    tool.run_sync(["cat", "a.txt"])
    assert subprocess.run([script], capture_output=True, check=False).returncode == 0
    result = tool.run_sync(["./read.sh"])
    assert result.status != 0
    assert result.stdout.head == ""
    assert any("sandbox" in notice for notice in result.notices)


def test_what_was_asked_about_and_granted_is_readable(home: Path, tool: ExecTool) -> None:
    result = tool.run_sync(["cat", str(home / ".ssh/id_ed25519")])
    assert result.stdout.head == "the-private-key\n"


def test_no_process_of_another_call_is_signalled(tree: Path, tool: ExecTool) -> None:
    other = subprocess.Popen(["sleep", "60"])
    script = tree / "kill.sh"
    script.write_text(f"#!/bin/sh\nkill -TERM {other.pid}; kill -0 {os.getpid()}\n")
    script.chmod(0o755)
    try:
        result = tool.run_sync(["./kill.sh"])
        assert result.status != 0
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(landlock.version() < landlock.SCOPE_SINCE, reason="needs scopes of Landlock")
def test_what_may_change_processes_may_signal_them(tool: ExecTool) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        assert tool.run_sync(["/bin/kill", "-TERM", str(other.pid)]).status == 0
        assert other.wait(20) == -signal.SIGTERM
    finally:
        other.kill()
        other.wait()


# What writes


def test_a_grant_to_write_one_file_is_no_grant_to_write_elsewhere(
    home: Path, tree: Path, tool: ExecTool
) -> None:
    assert tool.run_sync(["cp", "a.txt", "b.txt"]).status == 0
    assert tool.run_sync(["sed", "-i", "s/one/two/", "a.txt"]).status == 0
    assert tool.run_sync(["mkdir", "-p", "x/y/z"]).status == 0
    assert tool.run_sync(["mv", "b.txt", "x/y/b.txt"]).status == 0
    assert tool.run_sync(["rm", "-r", "x"]).status == 0
    assert tool.run_sync(["tee", str(home / "new.txt")], stdin="x").status == 0
    assert tool.run_sync(["chmod", "600", "a.txt"]).status == 0
    assert (tree / "a.txt").read_text() == "two\n"
    script = tree / "escape.sh"
    script.write_text(f"#!/bin/sh\necho x > {home}/escaped\necho x > {home}/.ssh/id_ed25519\n")
    script.chmod(0o755)
    result = tool.run_sync(["./escape.sh"])
    assert result.status != 0
    assert not (home / "escaped").exists()
    assert any("no right to" in notice and "home" in notice for notice in result.notices)


def test_a_link_that_leads_out_gives_no_right_outside(
    home: Path, tree: Path, tool: ExecTool
) -> None:
    (tree / "out").symlink_to(home)
    script = tree / "escape.sh"
    script.write_text("#!/bin/sh\ncat out/.ssh/id_ed25519; echo x > out/escaped\n")
    script.chmod(0o755)
    result = tool.run_sync(["./escape.sh"])
    assert (result.stdout.head, (home / "escaped").exists()) == ("", False)


# Everyday work, each granted as asked


def _git(tree: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=tree, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_commits_with_hooks_and_filters(tree: Path, tool: ExecTool) -> None:
    made = tool.run_sync(["git", "init", "-q"])
    assert (made.status, made.notices) == (0, ()), "its samples are run by nobody"
    _git(tree, "config", "filter.up.clean", "tr a-z A-Z")
    (tree / ".gitattributes").write_text("*.txt filter=up\n")
    hook = tree / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho hooked > hooked.log\n")
    hook.chmod(0o755)
    for argv in (
        ["git", "add", "."],
        ["git", "commit", "-m", "first"],
        ["git", "status", "-s"],
        ["git", "log", "--stat"],
        ["git", "checkout", "-q", "-b", "other"],
    ):
        result = tool.run_sync(argv)
        assert result.status == 0, (argv, result.stderr.head, result.notices)
    assert (tree / "hooked.log").exists()
    shown = tool.run_sync(["git", "cat-file", "-p", "HEAD:a.txt"])
    assert shown.stdout.head == "ONE\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_works_in_a_linked_worktree(tree: Path, tmp_path: Path) -> None:
    _git(tree, "init", "-q")
    _git(tree, "add", ".")
    _git(tree, "commit", "-qm", "first")
    linked = tmp_path / "linked"
    _git(tree, "worktree", "add", "-q", str(linked))
    (linked / "a.txt").write_text("two\n")
    with ExecTool(linked, approver=_yes, launcher="vfork") as tool:
        assert "M a.txt" in tool.run_sync(["git", "status", "-s"]).stdout.head
        result = tool.run_sync(["git", "commit", "-qam", "second"])
        assert result.status == 0, (result.stderr.head, result.notices)


def test_a_repository_names_no_directory_that_does_not_name_it(home: Path, tree: Path) -> None:
    (tree / ".git").write_text(f"gitdir: {home}/.ssh\n")
    with ExecTool(tree, approver=_yes, launcher="vfork") as tool:
        rights = tool.check(["git", "status"]).commands[0].rights
    assert rights is not None
    assert not any(str(home / ".ssh").startswith(path) for path in rights.read)


WHEEL = {
    "pkg/__init__.py": "def main(): print('from the wheel')\n",
    "pkg-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: pkg\nVersion: 1\n",
    "pkg-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
    "Tag: py3-none-any\n",
    "pkg-1.dist-info/entry_points.txt": "[console_scripts]\npkg = pkg:main\n",
    "pkg-1.dist-info/RECORD": "",
}


def test_pip_installs_into_a_venv_whose_programs_run(tree: Path, tool: ExecTool) -> None:
    import zipfile

    with zipfile.ZipFile(tree / "pkg-1-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)
    made = tool.run_sync(["python3", "-m", "venv", ".venv"], timeout_s=100)
    assert made.status == 0, (made.stderr.head, made.notices)
    result = tool.run_sync(
        [".venv/bin/pip", "install", "--no-index", "./pkg-1-py3-none-any.whl"], timeout_s=100
    )
    assert result.status == 0, (result.stderr.head, result.notices)
    assert tool.run_sync([".venv/bin/pkg"]).stdout.head == "from the wheel\n"


@pytest.mark.foreign
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_npm_installs_a_local_package(tree: Path, tool: ExecTool) -> None:
    (tree / "dep").mkdir()
    (tree / "dep/package.json").write_text('{"name": "dep", "version": "1.0.0"}')
    (tree / "package.json").write_text('{"name": "top", "version": "1.0.0"}')
    argv = ["npm", "install", "--offline", "--no-audit", "--no-fund", "./dep"]
    result = tool.run_sync(argv, timeout_s=100)
    assert result.status == 0, (result.stderr.head, result.notices)
    assert (tree / "node_modules/dep").exists()


@pytest.mark.foreign
@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_cargo_builds(tree: Path, home: Path) -> None:
    (tree / "src").mkdir()
    (tree / "src/main.rs").write_text('fn main() { println!("built"); }\n')
    (tree / "Cargo.toml").write_text('[package]\nname = "x"\nversion = "1.0.0"\nedition = "2021"\n')
    folder = Path(shutil.which("cargo") or "").parent
    where = f'"{folder}", /usr/local/bin, /usr/bin, /bin'
    for name in (".rustup", ".cargo"):
        (home / name).symlink_to(REAL_HOME / name)
    rule = policy(tree.parent, f"programs: {{path: [{where}]}}")
    with ExecTool(tree, policy=rule, approver=_yes, launcher="vfork") as tool:
        result = tool.run_sync(["cargo", "build", "--offline"], timeout_s=100)
        assert result.status == 0, (result.stderr.head, result.notices)
        assert tool.run_sync(["./target/debug/x"]).stdout.head == "built\n"


def test_pytest_runs_the_tests_of_the_worktree(tree: Path) -> None:
    (tree / "test_x.py").write_text("def test_x(tmp_path): (tmp_path / 'x').write_text('x')\n")
    folder = Path(sys.executable).parent
    rule = policy(tree.parent, f'programs: {{path: ["{folder}", /usr/bin, /bin]}}')
    with ExecTool(tree, policy=rule, approver=_yes, launcher="vfork") as tool:
        result = tool.run_sync(["pytest", "-q", "-p", "no:cacheprovider"], timeout_s=100)
    assert result.status == 0, (result.stdout.head, result.stderr.head, result.notices)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_builds_what_its_rules_say(tree: Path, tool: ExecTool) -> None:
    (tree / "Makefile").write_text("b.txt: a.txt\n\tsort a.txt > b.txt && touch -r a.txt b.txt\n")
    result = tool.run_sync(["make"])
    assert result.status == 0, (result.stderr.head, result.notices)
    assert (tree / "b.txt").exists()


# By name judged to write, so that they are no code; and yet each runs others.
WITH_HELPERS = {
    "tar": (["tar", "czf", "b.tgz", "a.txt"], ["tar", "xzf", "b.tgz"]),
    "tar-xz": (["tar", "cJf", "b.txz", "a.txt"], ["tar", "tJf", "b.txz"]),
    "gcc": (["gcc", "-O1", "-o", "m", "m.c"], ["./m"]),
    "cc": (["cc", "-c", "-o", "m.o", "m.c"], ["nm", "m.o"]),
    "dpkg": (["dpkg", "-l", "dpkg"], ["dpkg-query", "-W", "dpkg"]),
    "df": (["df", "."], ["findmnt", "-n", "/"]),
}


@pytest.mark.foreign
@pytest.mark.parametrize("name", WITH_HELPERS)
def test_a_program_runs_its_helpers_and_reads_what_it_tells_of(
    name: str, tree: Path, tool: ExecTool
) -> None:
    (tree / "m.c").write_text("int main(void) { return 0; }\n")
    for argv in WITH_HELPERS[name]:
        if not argv[0].startswith("./") and shutil.which(argv[0]) is None:
            pytest.skip(f"needs {argv[0]}")
        result = tool.run_sync(argv)
        assert (result.status, result.notices) == (0, ()), (argv, result.stderr.head)


EDITORS = {
    "ed": (["ed", "-s", "a.txt"], "s/one/two/\nw\nq\n"),
    "vim": (["vim", "-es", "-c", "%s/one/two/", "-c", "wq", "a.txt"], None),
    "sed": (["sed", "-i.bak", "s/one/two/", "a.txt"], None),
    "perl": (["perl", "-pi", "-e", "s/one/two/", "a.txt"], None),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "sed" else pytest.mark.foreign, id=name)
        for name in EDITORS
    ],
)
def test_an_editor_edits(name: str, tree: Path, tool: ExecTool) -> None:
    argv, stdin = EDITORS[name]
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    result = tool.run_sync(argv, stdin=stdin)
    assert (tree / "a.txt").read_text() == "two\n", (result.stderr.head, result.notices)


def test_a_search_reads_the_whole_tree(tree: Path, tool: ExecTool) -> None:
    (tree / "deep/er").mkdir(parents=True)
    (tree / "deep/er/b.txt").write_text("one more\n")
    name = "rg" if shutil.which("rg") else "grep"
    result = tool.run_sync([name, *(["-r"] if name == "grep" else []), "one", "."])
    assert result.stdout.head.count("one") == 2
    assert result.stderr.head == ""


def test_a_program_of_a_home_directory_that_the_policy_lists_runs(home: Path, tree: Path) -> None:
    folder = home / ".cargo/bin"
    folder.mkdir(parents=True)
    program = folder / "mine"
    program.write_text("#!/bin/sh\ncat a.txt\n")
    program.chmod(0o755)
    rule = policy(
        tree.parent,
        f'rules: [{{id: mine, command: ["{program}"], verdict: allow, because: "it is ours"}}]',
    )
    with ExecTool(tree, policy=rule, launcher="vfork") as tool:
        assert tool.run_sync([str(program)]).stdout.head == "one\n"


# The network


SOCKETS = {
    "tcp": "s = socket.socket(); s.connect(('127.0.0.1', {port}))",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "unix": "s = socket.socket(socket.AF_UNIX); s.connect({path!r})",
    "abstract": "s = socket.socket(socket.AF_UNIX); s.connect({abstract!r})",
    "datagram-pair": "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM);"
    " a.sendto(b'x', {datagram!r})",
}


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[dict[str, object]]:
    """Somebody who answers at every kind of address."""
    path, abstract = str(tmp_path / "s"), f"\0agent-exec-{os.getpid()}"
    datagram = str(tmp_path / "d")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as hidden,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as letters,
    ):
        unix.bind(path)
        unix.listen()
        hidden.bind(abstract)
        hidden.listen()
        letters.bind(datagram)
        port = tcp.getsockname()[1]
        yield {"port": port, "path": path, "abstract": abstract, "datagram": datagram}


@pytest.mark.parametrize("name", SOCKETS)
def test_without_the_network_nothing_connects_and_that_is_told(
    name: str, listening: dict[str, object], tree: Path, tool: ExecTool
) -> None:
    code = "import socket\n" + SOCKETS[name].format(**listening) + "\nprint('connected')\n"
    (tree / "connect.py").write_text(code)
    control = subprocess.run(
        ["python3", "connect.py"], cwd=tree, capture_output=True, text=True, check=False
    )
    if "Operation not permitted" not in control.stderr:  # raw sockets are for root
        assert control.stdout == "connected\n", control.stderr
    result = tool.run_sync(["python3", "connect.py"])
    assert (result.status, result.stdout.head) == (1, "")
    assert any("no right to use the network" in notice for notice in result.notices)


@pytest.mark.foreign
def test_a_command_that_was_granted_the_network_has_it(
    listening: dict[str, object], tool: ExecTool
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    result = tool.run_sync(["curl", "-s", "-m", "2", f"http://127.0.0.1:{listening['port']}/"])
    assert result.status == 28, "connected, and nobody answered"


def test_a_ceiling_refuses_what_was_granted_and_names_its_line(tree: Path) -> None:
    rule = policy(tree.parent, "sandbox:\n  network: deny")
    with (
        ExecTool(tree, policy=rule, approver=_yes, launcher="vfork") as tool,
        pytest.raises(Denied, match=r"policy\.yaml:4:.*sandbox\.network is deny"),
    ):
        tool.run_sync(["curl", "http://127.0.0.1/"])


# What cannot be had


def test_what_is_required_and_cannot_be_had_is_asked_about(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    with ExecTool(tree, launcher="vfork") as tool:
        decision = tool.check(["cat", "a.txt"])
        assert decision.verdict is Verdict.ASK
        assert "lists landlock, which cannot be had here" in decision.because[0]
        with pytest.raises(Denied):
            tool.run_sync(["cat", "a.txt"])
    with ExecTool(tree, launcher="vfork", approver=_yes) as tool:
        assert tool.run_sync(["cat", "a.txt"]).stdout.head == "one\n"
        (tree / "s.py").write_text("import socket; socket.socket()")
        assert tool.run_sync(["python3", "s.py"]).status == 1, "seccomp is still there"


def test_a_launcher_that_cannot_confine_asks_and_runs_what_was_granted(tree: Path) -> None:
    with ExecTool(tree, launcher="portable") as tool, pytest.raises(Denied):
        tool.run_sync(["cat", "a.txt"])
    with ExecTool(tree, launcher="portable", approver=_yes) as tool:
        assert tool.run_sync(["cat", "a.txt"]).stdout.head == "one\n"
    rule = policy(tree.parent, "sandbox: {require: []}")
    with ExecTool(tree, policy=rule, launcher="portable") as tool:
        assert tool.run_sync(["cat", "a.txt"]).stdout.head == "one\n"


def test_paths_that_do_not_exist_give_nothing_and_hinder_nothing(tree: Path) -> None:
    rule = policy(tree.parent, "sandbox: {read: [worktree, system, /no/such], write: [/no/such]}")
    with ExecTool(tree, policy=rule, launcher="vfork") as tool:
        assert tool.run_sync(["cat", "a.txt"]).stdout.head == "one\n"


def test_no_descriptor_for_a_rule_set_refuses_the_call(
    tree: Path, tool: ExecTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def none_left(*_: object) -> tuple[int, bytes]:
        raise OSError(errno.EMFILE, "Too many open files")

    assert tool._sandbox is not None
    core = tool._sandbox.rule_sets._core._replace(make_rule_set=none_left)
    monkeypatch.setattr(tool._sandbox.rule_sets, "_core", core)
    with pytest.raises(LaunchError) as caught:
        tool.run_sync(["cat", "a.txt"])
    assert (caught.value.step, caught.value.errno) == (Step.SANDBOX, errno.EMFILE)


def test_a_worktree_that_was_moved_takes_no_rights_with_it(tree: Path, tool: ExecTool) -> None:
    script = "#!/bin/sh\ncat {place}/a.txt\n"
    (tree / "s.sh").write_text(script.format(place=tree))
    (tree / "s.sh").chmod(0o755)
    assert tool.run_sync(["./s.sh"]).stdout.head == "one\n"
    moved = tree.parent / "moved"
    tree.rename(moved)
    tree.mkdir()
    (tree / "a.txt").write_text("new\n")
    (tree / "s.sh").write_text(script.format(place=moved))
    (tree / "s.sh").chmod(0o755)
    result = tool.run_sync(["./s.sh"])
    assert result.stdout.head == ""
    (tree / "s.sh").write_text(script.format(place=tree))
    assert tool.run_sync(["./s.sh"]).stdout.head == "new\n"


def test_a_result_names_what_held_the_call(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cgroup` where calls have one of their own."""

    def held(policy: str | Path, *, contained: bool, launcher: str = "vfork") -> list[object]:
        mode = "auto" if contained else "session"
        with ExecTool(
            tree, policy=policy, approver=_yes, launcher=launcher, containment=mode
        ) as tool:
            results = [tool.run_sync(["cat", "a.txt"])]
            results += [tool.run_pipeline_sync([["cat", "a.txt"], ["wc"]])]
            results += [tool.run_shell_sync("cat a.txt; cat a.txt | wc")]
        return [result.held_by for result in results]

    assert held("default", contained=False) == [("landlock", "seccomp")] * 3
    assert held("open", contained=False) == [()] * 3
    assert held("default", contained=False, launcher="portable") == [()] * 3
    (found,) = set(held("open", contained=True))
    assert found in ((), ("cgroup",))
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert held("default", contained=False) == [("seccomp",)] * 3


def test_what_did_not_run_was_held_by_nothing(tree: Path) -> None:
    with ExecTool(tree, launcher="vfork") as tool:
        refused = anyio.run(tool.call, {"argv": ["touch", "b"]})
    assert (refused.ended, refused.held_by) == ("refused", None)


def test_open_withholds_nothing(tree: Path, home: Path) -> None:
    with ExecTool(tree, policy="open", launcher="vfork") as tool:
        assert tool.check(["cat", "a.txt"]).commands[0].rights is None
        result = tool.run_sync(["sh", "-c", f"echo x > {home}/f; ulimit -d"])
    assert (home / "f").exists()
    assert "TMPDIR" not in result.stdout.head


def test_an_approval_for_good_does_not_outlive_the_rights_that_were_shown(tree: Path) -> None:
    def always(question: Question) -> Answer:
        return Answer(Reply.ALWAYS)

    with ExecTool(tree, approver=always, launcher="vfork") as tool:
        assert tool.run_sync(["touch", "b.txt"]).status == 0
    with ExecTool(tree, launcher="vfork") as tool:
        assert tool.run_sync(["touch", "b.txt"]).status == 0
    wider = policy(tree.parent, "sandbox: {read: [/]}")
    with ExecTool(tree, policy=wider, launcher="vfork") as tool, pytest.raises(Denied):
        tool.run_sync(["touch", "b.txt"])


@pytest.mark.anyio
async def test_programs_that_run_at_once_keep_their_rule_sets(tmp_path: Path) -> None:
    """One takes a while to make, and is for one temp directory."""
    (tmp_path / "a").write_text("a\n")
    programs = ("cat", "head", "tail", "wc", "ls", "stat", "sort", "nl")
    async with ExecTool(tmp_path, policy="default") as tool:
        assert tool._sandbox is not None
        for _ in range(4):
            async with anyio.create_task_group() as tasks:
                for name in programs:
                    tasks.start_soon(tool.run, (name, "a"))
        assert tool._sandbox.rule_sets.made == len(programs)


@pytest.mark.anyio
async def test_as_many_rule_sets_are_made_as_calls_of_a_kind_run_at_once(
    tmp_path: Path, home: Path
) -> None:
    """Of texts, too, whose stages share one temp directory."""
    (tmp_path / "a").write_text("a\nb\n")
    programs = ("cat", "head", "tail", "ls", "stat", "sort", "nl", "uniq")
    texts = [f"{name} a | wc -l" for name in programs]
    async with ExecTool(tmp_path, policy="default", max_concurrent=16) as tool:
        assert tool._sandbox is not None
        for step in (1, 3, 5, 7) * 2:
            at_once = [texts[place * step % len(texts)] for place in range(2 * len(texts))]
            async with anyio.create_task_group() as tasks:
                for text in at_once:
                    tasks.start_soon(tool.run_shell, text)
        # Two calls of each kind at once, of two stages; and all once more, should another process
        # have changed something of the machine. Were directories for whoever comes, it would be 90.
        assert 2 * len(texts) <= tool._sandbox.rule_sets.made <= 2 * (2 * 2 * len(texts))
