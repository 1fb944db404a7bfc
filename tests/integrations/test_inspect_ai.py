"""The sandbox under the real Inspect: an evaluation with its own mock model."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from anyio import to_thread
from mcp_wire import wait_for_tails
from realproc import is_alive, wait_until

pytest.importorskip("inspect_ai")

from inspect_ai.util import (
    OutputLimitExceededError,
    SandboxEnvironmentLimits,
    SandboxUserUnsupportedError,
)

from agent_exec.integrations.inspect_ai import AgentExecConfig, AgentExecSandbox

pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]
T = TypeVar("T")


def with_sandbox(use: Callable[[Any], Awaitable[T]], policy: str | None = None) -> T:
    async def main() -> T:
        config = policy if policy is None else AgentExecConfig(policy=policy)
        made = await AgentExecSandbox.sample_init("a-task", config, {})
        try:
            with anyio.fail_after(40):
                return await use(made["default"])
        finally:
            await AgentExecSandbox.sample_cleanup("a-task", config, made, interrupted=False)

    return anyio.run(main)


EVALUATION = """
import json, re, sys
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageTool, ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import bash, python
from inspect_ai.util import SandboxEnvironmentSpec
from agent_exec.integrations.inspect_ai import AgentExecConfig, exec_tools

TALKS = ["sh", "-c", "echo pid $$; while read x; do echo got $x; done"]

def converse(messages, *_):
    # The calls of a session, each made of what the model was told before.
    told = [each.text for each in messages if isinstance(each, ChatMessageTool)]
    handle = re.search(r"session (\\w+) ", told[0])[1] if told else None
    read = ("exec_read", {"session": handle, "offset": 0, "wait_ms": 200})
    if not told or "it was stopped" in told[-1]:
        # The second one is left to the end of the sample.
        name, arguments = "exec", {"argv": TALKS, "background": True}
    elif told[-1].startswith("running") and len(told) > 1 and handle not in told[-1]:
        output = ModelOutput.from_content("mockllm/model", "done")
        output.usage = ModelUsage()
        return output
    elif "got a" in told[-1]:
        name, arguments = "exec_stop", {"session": handle}
    elif "pid" in told[-1] and not any("wrote" in each for each in told):
        name, arguments = "exec_write", {"session": handle, "text": "a\\n"}
    else:
        name, arguments = read
    output = ModelOutput.for_tool_call("mockllm/model", name, arguments)
    output.usage = ModelUsage()
    return output

def session():
    task = Task(
        dataset=[Sample(input="go on")],
        solver=[use_tools(exec_tools()), generate()],
        sandbox=SandboxEnvironmentSpec("agent_exec", AgentExecConfig(policy="open")),
        message_limit=60,
    )
    model = get_model("mockllm/model", custom_outputs=converse, memoize=False)
    (log,) = eval(task, model=model, log_dir="logs", display="none")
    assert log.status == "success", log.error
    return [each.text for each in log.samples[0].messages if isinstance(each, ChatMessageTool)]

def message(tool, arguments, policy):
    outputs = [
        ModelOutput.for_tool_call("mockllm/model", tool, arguments),
        ModelOutput.from_content("mockllm/model", "done"),
    ]
    for output in outputs:
        # It would be counted, with a table that is downloaded.
        output.usage = ModelUsage()
    task = Task(
        dataset=[Sample(input="go on", files={"a.txt": "one\\n"})],
        solver=[use_tools(bash(timeout=20), python(timeout=20)), generate()],
        sandbox=SandboxEnvironmentSpec("agent_exec", AgentExecConfig(policy=policy)),
    )
    model = get_model("mockllm/model", custom_outputs=outputs, memoize=False)
    (log,) = eval(task, model=model, log_dir="logs", display="none")
    assert log.status == "success", log.error
    (found,) = [each for each in log.samples[0].messages if isinstance(each, ChatMessageTool)]
    error = None if found.error is None else [found.error.type, found.error.message]
    return [found.text, error]

print(json.dumps([*(message(*each) for each in json.loads(sys.argv[1])), session()]))
"""
CALLS = {
    "bash": ("bash", {"command": "cat a.txt | wc -l"}, "workspace"),
    "python": ("python", {"code": "print(6 * 7)"}, "open"),
    "refused": ("bash", {"command": "rm a.txt"}, "read-only"),
}


@pytest.fixture(scope="module")
def given_back(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a model was given back that has called a tool: text, and kind and words of an error.
    Of ``session``, the texts of all of its calls.

    In a process of its own: Inspect keeps files open for as long as its process lives.
    """
    folder = tmp_path_factory.mktemp("inspect")
    done = subprocess.run(
        [sys.executable, "-c", EVALUATION, json.dumps(list(CALLS.values()))],
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=150,
    )
    return dict(zip([*CALLS, "session"], json.loads(done.stdout), strict=True))


@pytest.mark.timeout(170)
@pytest.mark.parametrize(("name", "text"), [("bash", "1"), ("python", "42")])
def test_the_tools_of_inspect_run_in_it(given_back: dict[str, Any], name: str, text: str) -> None:
    told, error = given_back[name]
    assert error is None
    assert told.strip() == text


@pytest.mark.timeout(170)
def test_what_is_refused_is_an_error_that_says_why(given_back: dict[str, Any]) -> None:
    _, error = given_back["refused"]
    assert error[0] == "permission"
    assert "refused: " in error[1]


@pytest.mark.timeout(170)
def test_a_model_has_sessions_that_end_with_its_sample(given_back: dict[str, Any]) -> None:
    told = given_back["session"]
    assert [text for text in told if "wrote 2 bytes" in text]
    assert [text for text in told if "got a\n" in text]
    assert "it was stopped" in told[-2]
    assert told[-1].startswith("running in the background")
    pids = {int(pid) for text in told for pid in re.findall(r"pid (\d+)\n", text)}
    assert pids
    wait_until(lambda: not any(map(is_alive, pids)))


def test_a_program_has_the_tool_of_its_sandbox() -> None:
    async def use(sandbox: Any) -> int:
        begun = await sandbox.as_type(AgentExecSandbox).tool.start(["sh", "-c", "echo $$; cat"])
        return int((await begun.read(wait_s=20)).stdout.head)

    pid = with_sandbox(use, "open")
    wait_until(lambda: not is_alive(pid))


def test_the_result_of_a_command() -> None:
    async def use(sandbox: Any) -> Any:
        return await sandbox.exec(["cat", "-"], input="in\n", env=None, timeout=20)

    done = with_sandbox(use)
    assert (done.success, done.returncode, done.stdout, done.stderr) == (True, 0, "in\n", "")


def test_a_command_that_fails() -> None:
    done = with_sandbox(lambda sandbox: sandbox.exec(["cat", "missing"]))
    assert (done.success, done.returncode) == (False, 1)
    assert "No such file" in done.stderr


def test_a_program_that_is_missing_is_a_command_that_fails() -> None:
    done = with_sandbox(lambda sandbox: sandbox.exec(["no-such-program"]))
    assert (done.success, done.returncode) == (False, 127)
    assert "no such program" in done.stderr


def test_a_command_that_takes_too_long() -> None:
    with pytest.raises(TimeoutError):
        with_sandbox(lambda sandbox: sandbox.exec(["sleep", "1000"], timeout=1), "open")


@pytest.mark.parametrize("user", ["nobody", "no-such-user"])
def test_another_user_is_not_to_be_had(user: str) -> None:
    with pytest.raises(SandboxUserUnsupportedError):
        with_sandbox(lambda sandbox: sandbox.exec(["true"], user=user))


def test_we_are_to_be_had() -> None:
    done = with_sandbox(lambda sandbox: sandbox.exec(["true"], user=str(os.geteuid())))
    assert done.success


def test_an_output_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SandboxEnvironmentLimits, "MAX_EXEC_OUTPUT_SIZE", 1000)

    async def use(sandbox: Any) -> None:
        await sandbox.write_file("long", "x" * 1001)
        with pytest.raises(OutputLimitExceededError) as caught:
            await sandbox.exec(["cat", "long"])
        assert caught.value.truncated_output == "x" * 1000

    with_sandbox(use)


def test_a_long_file_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SandboxEnvironmentLimits, "MAX_READ_FILE_SIZE", 10)

    async def use(sandbox: Any) -> None:
        await sandbox.write_file("long", b"x" * 11)
        with pytest.raises(OutputLimitExceededError):
            await sandbox.read_file("long")

    with_sandbox(use)


def test_files_are_those_of_the_worktree() -> None:
    async def use(sandbox: Any) -> None:
        await sandbox.write_file("sub/a.txt", "é\r\n")
        assert await sandbox.read_file("sub/a.txt") == "é\r\n"
        assert await sandbox.read_file("sub/a.txt", text=False) == "é\r\n".encode()
        assert (await sandbox.exec(["cat", "sub/a.txt"])).stdout == "é\r\n"
        with pytest.raises(PermissionError):
            await sandbox.read_file("/etc/passwd")
        with pytest.raises(FileNotFoundError):
            await sandbox.read_file("missing")
        with pytest.raises(IsADirectoryError):
            await sandbox.read_file("sub")

    with_sandbox(use)


def test_a_call_that_is_cancelled_leaves_no_process_and_a_sample_no_folder() -> None:
    async def use(sandbox: Any) -> Path:
        worktree = Path((await sandbox.exec(["pwd"])).stdout.strip())
        await sandbox.write_file("a.txt", "one\n")
        tree = ["sh", "-c", "tail -f a.txt & tail -f a.txt"]
        running = asyncio.ensure_future(sandbox.exec(tree))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))
        return worktree

    assert not with_sandbox(use, "open").exists()


@pytest.mark.parametrize("policy", ["no-such-policy"])
def test_a_policy_that_is_not_to_be_had_fails_the_sample(policy: str) -> None:
    from agent_exec import PolicyError

    with pytest.raises(PolicyError):
        with_sandbox(lambda sandbox: sandbox.exec(["true"]), policy)
