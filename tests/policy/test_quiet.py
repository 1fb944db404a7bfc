"""Programs that ask the network unasked: that they do, and that those that only read do not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from policy.judging import Bench

from agent_exec.model.decision import Executor, Verdict
from agent_exec.policy.quiet import QUIET, quiet

READS = (
    *("npm ls", "npm config get registry", "go version", "go list ./...", "terraform version"),
    *("pip list", "pip3 list --format=json"),
)


@pytest.mark.parametrize("text", [*READS, "npm ls | head", "sh -c 'go version'", "env CI=1 npm ls"])
def test_what_only_reads_is_kept_from_the_network(text: str, tmp_path: Path) -> None:
    decision = Bench("default", tmp_path).judge(text)

    assert decision.verdict is Verdict.ALLOW, decision.because
    name = next(each for each in QUIET if each[0] in text)
    assert decision.commands[0].variables == QUIET[name]


@pytest.mark.parametrize("text", ["env -i npm ls", "env -u GOPROXY go version", "env - go env"])
def test_env_may_take_the_variables_away(text: str, tmp_path: Path) -> None:
    decision = Bench("default", tmp_path).judge(text)

    assert decision.verdict is Verdict.ASK
    assert "the network" in decision.because[0]


def test_a_sub_command_that_never_asks_is_left_alone(tmp_path: Path) -> None:
    for executor in Executor:
        decision = Bench("default", tmp_path).judge(("pip", "show", "x"), executor=executor)
        assert decision.verdict is Verdict.ALLOW, decision.because
        assert decision.commands[0].variables == ()


def test_nothing_sets_the_variable_of_pip_otherwise(tmp_path: Path) -> None:
    name = "PIP_DISABLE_PIP_VERSION_CHECK"
    bench = Bench("default", tmp_path)
    assert bench.judge(f"env {name}=1 pip list").verdict is Verdict.ALLOW
    assert bench.judge(f"env {name}=0 pip list").verdict is Verdict.ASK


@pytest.mark.parametrize("text", READS)
def test_the_variables_do_not_reach_what_a_host_starts(text: str, tmp_path: Path) -> None:
    argv = tuple(text.split())
    decision = Bench("default", tmp_path).judge(argv, executor=Executor.HOST)

    assert decision.verdict is Verdict.ASK


def test_what_may_run_more_has_the_network_that_was_granted(tmp_path: Path) -> None:
    for text in ("npm install", "go build ./...", "sh -c 'go version; go mod download'"):
        assert Bench("workspace", tmp_path).judge(text).commands[0].variables == ()


def _asks(server: socket.socket, here: Path, variables: Mapping[str, str]) -> bool:
    """Does ``npm root`` in `here`, with a home of its own, ask `server` anything?"""
    home = here / f"home-{len(variables)}"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **variables}
    subprocess.run(["npm", "root"], cwd=here, env=environment, check=True, stdout=subprocess.PIPE)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.foreign
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_npm_asks_the_registry_of_the_directory_unless_it_is_kept_from_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        (tmp_path / "package.json").write_text(json.dumps({"name": "x", "version": "1.0.0"}))
        # One that never answers is waited for.
        text = f"registry=http://127.0.0.1:{port}/\nfetch-timeout=200\nfetch-retries=0\n"
        (tmp_path / ".npmrc").write_text(text)
        asked = _asks(server, tmp_path, {})
        quieted = _asks(server, tmp_path, dict(quiet({("npm",)})))

    assert (asked, quieted) == (True, False)
