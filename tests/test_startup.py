"""What a process that only judges does not import, and what loading does not make.

A hook or a check is a process of its own for each command, and its start is most of what it
takes. How long that is, ``agent-exec bench policy`` says.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from daemon_host import home_in

from agent_exec.cli.commands import app
from agent_exec.cli.plain_help import plain_help
from agent_exec.model.effect import EffectKind
from agent_exec.policy import load_tables
from agent_exec.policy.compiled_tables import Commands, CompiledTables
from agent_exec.policy.environment import make_environment
from agent_exec.policy.table_source import make_table
from agent_exec.policy.written_tables import written_tables

SETUP = Path(__file__).parents[1] / "setup.py"

# Each takes milliseconds, by itself or by what it brings along.
SLOW = frozenset(
    {
        *("anyio", "asyncio", "concurrent.futures", "dataclasses", "difflib", "hashlib", "inspect"),
        *("multiprocessing", "pathlib", "pydantic", "secrets", "shlex", "shutil", "socket", "ssl"),
        *("subprocess", "tempfile", "tree_sitter", "typer", "urllib.parse", "uuid", "yaml"),
        *("click", "ipaddress", "platform", "random"),
        *("agent_exec.policy.file", "agent_exec.policy.examples", "agent_exec.policy.read_file"),
        *("agent_exec.policy.table_source", "agent_exec.policy.written_tables"),
        *(f"agent_exec.policy.languages.{name}" for name in ("awk", "find", "jq", "sed", "xargs")),
    }
)
TO_RUN = frozenset({"agent_exec.tool", "agent_exec.runtime.engine", "agent_exec.template.cache"})
# A plain call has a few modules less than that; each of the other ones is to be worth it.
MOST_OF_A_RUN = 205
OF_THE_HOOK = {
    *("agent_exec", "agent_exec._version", "agent_exec.cli", "agent_exec.cli.hook_words"),
    *("agent_exec.daemon", "agent_exec.daemon.client", "agent_exec.daemon.hook"),
    *("agent_exec.daemon.places", "agent_exec.daemon.protocol", "agent_exec.errors"),
    "agent_exec.homes",
    *("agent_exec.integrations", "agent_exec.integrations.claude_code"),
    *("agent_exec.integrations.claude_code.hook", "agent_exec.named_tuple"),
}

RUN = """
import sys
begin = set(sys.modules)
folder, *words = sys.argv[1:]
if folder:
    from agent_exec.policy import load, load_tables
    load.shipped = load_tables.shipped = lambda: folder
from agent_exec.cli import main
sys.argv[1:] = words
try:
    main()
finally:
    print(*sorted(set(sys.modules) - begin), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of policies as an installation has it, wherever the package is."""
    spec = importlib.util.spec_from_file_location("setup_py", SETUP)
    assert spec is not None
    assert spec.loader is not None
    setup_py: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(setup_py)
    build = tmp_path_factory.mktemp("build")
    setup_py.add_policies(build)
    return str(build)


def imported(
    folder: str, *words: str, stdin: bytes = b"", env: Mapping[str, str] = os.environ, cwd: Path
) -> tuple[str, set[str]]:
    """What a process of ``agent-exec`` prints, and the modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, folder, *words],
        input=stdin,
        cwd=cwd,
        env=env,
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.stdout.decode(), set(done.stderr.decode().split())


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        pytest.param(("-c", "ls -la | head -3"), "allow", id="allowed"),
        pytest.param(("--", "git", "push"), "ask", id="asked"),
    ],
)
def test_a_check_imports_little(
    installed: str, tmp_path: Path, words: tuple[str, ...], verdict: str
) -> None:
    said, modules = imported(installed, "check", "--json", *words, cwd=tmp_path)
    assert json.loads(said)["verdict"] == verdict
    assert "agent_exec.runtime.checker" in modules
    assert modules & (SLOW | TO_RUN) == set()
    # What is not allowed is held to nothing.
    assert ("agent_exec.runtime.enforcing" in modules) is (verdict == "allow")


def test_a_hook_that_a_daemon_answers_imports_less(tmp_path: Path) -> None:
    event = {"tool_name": "Bash", "tool_input": {"command": "ls"}}
    with home_in(tmp_path) as home:
        home.serve()
        with home.connect() as client:
            # It has read what it needs: the hook does not wait long for it.
            client.request(
                "check", worktree=str(home.worktree), policy="default", call={"argv": ["ls"]}
            )
        given = json.dumps(event | {"cwd": str(home.worktree)}).encode()
        said, modules = imported(
            "", "hook", "claude-code", stdin=given, env=home.environ, cwd=home.worktree
        )
    assert json.loads(said)["hookSpecificOutput"]["permissionDecision"] == "allow"
    assert {name for name in modules if name.startswith("agent_exec")} == OF_THE_HOOK
    assert modules & (SLOW | TO_RUN) == set()
    assert modules & {"typing", "hmac", "_hashlib", "contextlib"} == set()


def test_a_run_imports_what_a_call_takes(installed: str, tmp_path: Path) -> None:
    said, modules = imported(installed, "run", "-q", "-c", "echo a | cat", cwd=tmp_path)
    assert said == "a\n"
    assert "agent_exec.tool" in modules
    # A temp directory that holds others is removed by it.
    assert modules & SLOW <= {"shutil"}
    assert len({name for name in modules if name.startswith("agent_exec")}) <= MOST_OF_A_RUN


@pytest.mark.parametrize(
    ("columns", "program", "quick"),
    [
        pytest.param("80", "agent-exec", True, id="usual"),
        pytest.param("200", "agent-exec", True, id="wide"),
        pytest.param("79", "agent-exec", False, id="narrow"),
        pytest.param("wide", "agent-exec", False, id="no-number"),
        pytest.param("80", "other", False, id="another-name"),
    ],
)
def test_only_the_usual_help_needs_no_typer(
    monkeypatch: pytest.MonkeyPatch, columns: str, program: str, *, quick: bool
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    assert (plain_help() is not None) is quick


@pytest.mark.parametrize("columns", ["80", "200"])
def test_help_is_what_typer_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "argv", ["agent-exec", "--help"])
    with pytest.raises(SystemExit):
        app(prog_name="agent-exec")
    assert capsys.readouterr().out == plain_help()


def test_help_needs_no_typer(tmp_path: Path) -> None:
    start = f"import sys; sys.argv[0] = 'agent-exec'{RUN.replace('import sys', '', 1)}"
    done = subprocess.run(
        [sys.executable, "-P", "-c", start, "", "--help"],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.startswith(b"Usage: agent-exec ")
    assert set(done.stderr.decode().split()) & {*SLOW, "typing", "json"} == set()


@pytest.mark.parametrize(
    ("words", "usual"),
    [
        pytest.param(["--version"], False, id="short"),
        pytest.param(["schema", "--for", "mcp"], True, id="may-be-long"),
    ],
)
def test_cycles_are_looked_for_as_usual_where_a_process_may_live_long(
    tmp_path: Path, words: list[str], *, usual: bool
) -> None:
    tell = (
        "import gc, os, sys; from agent_exec import cli; begin = gc.get_threshold();"
        "cli._leave = lambda status: sys.exit(status)\n"
        "try: cli.as_process()\n"
        "finally: print(gc.get_threshold() == begin, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", tell, *words],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.stderr.decode().split() == [str(usual)]


def test_no_written_table_is_made_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(name: str, *rest: Any, **named: Any) -> Any:
        made.append(name)
        return make_table(name, *rest, **named)

    monkeypatch.setattr("agent_exec.policy.written_tables.make_table", counted)
    tables = written_tables({"own.yaml": {"a": {"also": ["b"]}, "c": {}}})
    assert made == []
    for name in ("a", "b", "a"):
        assert tables.get(name) is not None
    assert made == ["a"]


def test_no_line_of_compiled_tables_is_read_before_it_is_asked_for(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_tables, "shipped", lambda: installed)
    tables = load_tables.load_tables()
    programs = tables.programs
    assert isinstance(programs, CompiledTables)
    assert list(programs._made) == []
    for _ in range(2):
        git = tables.get("git")
        assert git is not None
        commands = git.commands
        assert isinstance(commands, Commands)
        assert "log" in commands
        assert commands.get("log") is not None
        assert (list(programs._made), list(commands._made)) == (["git"], ["log"])


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        pytest.param("A_C", {EffectKind.READ}, id="begin"),
        pytest.param("X_B", {EffectKind.WRITE}, id="end"),
        pytest.param("A_1_M_2_Z", {EffectKind.EXECUTE}, id="several"),
        pytest.param("A_M_Z", {EffectKind.EXECUTE}, id="nothing-between"),
        pytest.param("A_M_M_Z", {EffectKind.EXECUTE}, id="twice-between"),
        pytest.param("A_MZ", {EffectKind.READ}, id="one-part-missing"),
        pytest.param("PQP", {EffectKind.UNKNOWN}, id="parts-do-not-overlap"),
        pytest.param("XA_", {EffectKind.UNKNOWN}, id="not-inside"),
        pytest.param("A\n_B", {EffectKind.WRITE}, id="any-character"),
    ],
)
def test_names_with_stars(name: str, kinds: set[EffectKind]) -> None:
    words = {"read": ["A_*"], "write": ["*_B"], "execute": ["A_*M_*Z", "PQ*QP"]}
    found = make_environment(words, "environment.yaml").effects(name, "")
    assert {effect.kind for effect in found} == kinds


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["--version"], 0, id="version"),
        pytest.param(["check", "--", "git", "push"], 10, id="check"),
        pytest.param(["run", "--json", "-p", "open", "--", "true"], 0, id="run"),
    ],
)
def test_a_process_that_leaves_at_once_has_said_all(
    tmp_path: Path, words: list[str], status: int
) -> None:
    # To a pipe, output is buffered.
    process = [sys.executable, "-P", "-m", "agent_exec", *words]
    done = subprocess.run(process, cwd=tmp_path, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (status, b"")
    assert done.stdout.endswith(b"\n")
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        unread = subprocess.run(
            process, cwd=tmp_path, stdout=write_end, stderr=subprocess.PIPE, check=False, timeout=30
        )
    finally:
        os.close(write_end)
    assert (unread.returncode, unread.stderr) == (141, b"")
