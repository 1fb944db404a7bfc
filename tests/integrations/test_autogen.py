"""The workbench, the tool and the code executor under the real AutoGen, with a scripted model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from framework_suite import (
    LONG_TREE,
    AgentSuite,
    ApproverSuite,
    Arguments,
    Asked,
    BackgroundSuite,
    with_tool,
    worktree,
)
from mcp_wire import wait_for_tails
from realproc import is_alive, wait_until

from agent_exec import Answer, ExecTool, Question, Reply

pytest.importorskip("autogen_core")
pytest.importorskip("autogen_agentchat")

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_core import CancellationToken, FunctionCall
from autogen_core.code_executor import CodeBlock, CodeResult
from autogen_core.models import (
    ChatCompletionClient,
    CreateResult,
    ModelFamily,
    ModelInfo,
    RequestUsage,
)

from agent_exec.integrations.autogen import (
    ExecAutoGenTool,
    ExecCodeExecutor,
    ExecWorkbench,
    exec_tools,
)

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

NOTHING = RequestUsage(prompt_tokens=0, completion_tokens=0)


class Script(ChatCompletionClient):
    """A model that calls a tool once, and then says that it is done."""

    def __init__(self, arguments: Arguments, name: str = "exec") -> None:
        self._left: list[Any] = [
            [FunctionCall(id="call-0", name=name, arguments=json.dumps(dict(arguments)))]
        ]

    async def create(self, _messages: Sequence[Any], **_: Any) -> CreateResult:
        content = self._left.pop() if self._left else "done"
        finish: Any = "stop" if content == "done" else "function_calls"
        return CreateResult(finish_reason=finish, content=content, usage=NOTHING, cached=False)

    def create_stream(self, *_: Any, **__: Any) -> AsyncGenerator[str | CreateResult, None]:
        raise NotImplementedError

    async def close(self) -> None: ...

    def actual_usage(self) -> RequestUsage:
        return NOTHING

    def total_usage(self) -> RequestUsage:
        return NOTHING

    def count_tokens(self, *_: Any, **__: Any) -> int:
        return 0

    def remaining_tokens(self, *_: Any, **__: Any) -> int:
        return 1

    @property
    def capabilities(self) -> Any:
        return self.model_info

    @property
    def model_info(self) -> ModelInfo:
        return ModelInfo(
            vision=False,
            function_calling=True,
            json_output=False,
            family=ModelFamily.UNKNOWN,
            structured_output=False,
        )


class TestAutoGenWorkbench(AgentSuite, ApproverSuite, BackgroundSuite):
    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return {"workbench": ExecWorkbench(tool, owner=owner)}

    async def run(
        self, tool: ExecTool, arguments: Arguments, token: CancellationToken | None = None
    ) -> str | Asked:
        return await self.sent(self.adapter(tool), "exec", arguments, token)

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        # The agent does not hand on that its task is cancelled.
        return await ExecWorkbench(tool).call_tool("exec", arguments)

    async def sent(
        self,
        adapter: Any,
        name: str,
        arguments: Arguments,
        token: CancellationToken | None = None,
    ) -> str:
        agent = AssistantAgent("coder", model_client=Script(arguments, name), **adapter)
        result = await agent.run(task="go on", cancellation_token=token)
        (event,) = [each for each in result.messages if isinstance(each, ToolCallExecutionEvent)]
        return str(event.content[0].content)

    @pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
    def test_the_approver_of_the_tool_is_asked(self, worktree: Path, reply: Reply) -> None:
        told = self.result(
            worktree, {"argv": ["touch", "new"]}, approver=lambda _question: Answer(reply)
        )
        assert told.startswith("exit status 0" if reply is Reply.ONCE else "refused: ")
        assert (worktree / "new").exists() is (reply is Reply.ONCE)

    def test_a_token_that_is_cancelled_leaves_no_process(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> None:
            token = CancellationToken()
            running = asyncio.ensure_future(self.run(tool, LONG_TREE, token))
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
            token.cancel()
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))
            await self.ended(running)

        with_tool(worktree, use, policy="open", grace_s=0.0)

    async def ended(self, running: asyncio.Future[Any]) -> None:
        """The agent goes on, to a model that sees the token itself."""
        assert await running == "cancelled, and ended"

    def test_a_token_that_was_cancelled_before_starts_nothing(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> None:
            token = CancellationToken()
            token.cancel()
            calls = {"argv": ["touch", "new"]}
            done = await ExecWorkbench(tool).call_tool("exec", calls, token)
            assert done.to_text() == "cancelled, and ended"

        with_tool(worktree, use, policy="open")
        assert not (worktree / "new").exists()


class TestAutoGenTool(TestAutoGenWorkbench):
    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return {"tools": exec_tools(tool, owner=owner)}

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        return await ExecAutoGenTool(tool).run_json(arguments, CancellationToken())

    async def ended(self, running: asyncio.Future[Any]) -> None:
        """`AssistantAgent` waits for ever for a tool that was cancelled."""
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@pytest.mark.parametrize("end", [ExecWorkbench.stop, ExecWorkbench.reset])
def test_sessions_end_with_their_workbench(worktree: Path, end: Any) -> None:
    async def use(tool: ExecTool) -> None:
        suite = TestAutoGenWorkbench()
        adapters = suite.adapter(tool), suite.adapter(tool)
        (_, pid), (_, other) = [await suite.begun(each) for each in adapters]
        await end(adapters[0]["workbench"])
        await to_thread.run_sync(wait_until, lambda: not is_alive(pid))
        assert is_alive(other)

    with_tool(worktree, use, policy="open", grace_s=0.0)


@pytest.mark.parametrize("token", [None, CancellationToken()], ids=["no-token", "token"])
def test_a_call_whose_task_is_cancelled_leaves_no_process(
    worktree: Path, token: CancellationToken | None
) -> None:
    async def use(tool: ExecTool) -> None:
        call = ExecWorkbench(tool).call_tool("exec", LONG_TREE, token)
        running = asyncio.ensure_future(call)
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

    with_tool(worktree, use, policy="open", grace_s=0.0)


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
def test_a_token_cancels_the_call_and_not_the_task_that_awaits_it(
    worktree: Path, reply: Reply
) -> None:
    """Here while its own task runs, which may not wait for anything after that."""

    async def use(tool: ExecTool) -> None:
        workbench = ExecWorkbench(tool)
        done = await workbench.call_tool("exec", {"argv": ["touch", "new"]}, token)
        assert done.to_text() == "cancelled, and ended"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        later = CancellationToken()
        done = await workbench.call_tool("exec", {"argv": ["cat", "a.txt"]}, later)
        later.cancel()
        await asyncio.sleep(0)
        assert not done.is_error

    async def approver(_question: Question) -> Answer:
        token.cancel()
        return Answer(reply)

    token = CancellationToken()
    with_tool(worktree, use, approver=approver)
    assert not (worktree / "new").exists()


def test_what_did_not_run_is_an_error_and_what_failed_is_none(worktree: Path) -> None:
    async def use(tool: ExecTool) -> list[bool]:
        workbench = ExecWorkbench(tool)
        calls: list[dict[str, Any]] = [{"argv": ["cat", "missing"]}, {"argv": ["rm", "a.txt"]}, {}]
        return [(await workbench.call_tool("exec", each)).is_error for each in calls]

    assert with_tool(worktree, use) == [False, True, True]


@pytest.mark.parametrize("how", [ExecAutoGenTool, ExecWorkbench])
def test_the_definition_is_ours(worktree: Path, how: Any) -> None:
    async def use(tool: ExecTool) -> None:
        made = how(tool)
        schema = made.schema if how is ExecAutoGenTool else (await made.list_tools())[0]
        shown = tool.definition("openai")[0]
        assert (schema["name"], schema["description"]) == ("exec", shown["description"])
        assert schema["strict"] is True
        assert schema["parameters"] == shown["parameters"]

    with_tool(worktree, use)


def executed(worktree: Path, *blocks: tuple[str, str], **options: Any) -> CodeResult:
    async def use(tool: ExecTool) -> CodeResult:
        given = [CodeBlock(code=code, language=language) for language, code in blocks]
        return await ExecCodeExecutor(tool).execute_code_blocks(given, CancellationToken())

    return with_tool(worktree, use, **options)


@pytest.mark.parametrize(
    ("blocks", "status", "output"),
    [
        pytest.param([("bash", "cat a.txt | wc -l")], 0, "stdout:\n1", id="text"),
        pytest.param([("python", "print(6 * 7)")], 0, "stdout:\n42", id="python"),
        pytest.param([("sh", "cat missing"), ("sh", "cat a.txt")], 1, "No such file", id="fails"),
        pytest.param([("cobol", "STOP RUN")], 126, "there is no 'cobol' here", id="language"),
        pytest.param([], 0, "", id="nothing"),
    ],
)
def test_blocks_run_up_to_the_first_that_fails(
    worktree: Path, blocks: list[tuple[str, str]], status: int, output: str
) -> None:
    done = executed(worktree, *blocks, policy="open")
    assert done.exit_code == status
    assert done.output.endswith(output) or output in done.output
    assert "one" not in done.output


def test_a_block_that_is_denied(worktree: Path) -> None:
    done = executed(worktree, ("bash", "rm a.txt"), policy="read-only")
    assert (done.exit_code, done.output[:9]) == (126, "refused: ")
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
def test_the_approver_of_the_tool_is_asked_about_a_block(worktree: Path, reply: Reply) -> None:
    blocks = ("sh", "touch new"), ("sh", "cat a.txt")
    done = executed(worktree, *blocks, approver=lambda _question: Answer(reply))
    assert done.exit_code == (0 if reply is Reply.ONCE else 126)
    assert (worktree / "new").exists() is (reply is Reply.ONCE)


def test_a_block_that_takes_too_long_is_ended(worktree: Path) -> None:
    text = LONG_TREE["argv"][2]
    done = executed(worktree, ("bash", text), policy="open", timeout_s=0.3, grace_s=0.0)
    assert (done.exit_code, done.output[:9]) == (124, "timed out")
    wait_for_tails(worktree, count=0)


def test_a_block_that_says_much_is_cut(worktree: Path) -> None:
    done = executed(worktree, ("python", "print('x' * 200_000 + 'last')"), policy="open")
    assert "bytes left out" in done.output
    assert done.output.endswith("last")
    assert len(done.output) < 40_000


def test_a_block_whose_token_is_cancelled_leaves_no_process(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        token = CancellationToken()
        block = CodeBlock(code=LONG_TREE["argv"][2], language="bash")
        executor = ExecCodeExecutor(tool)
        running = asyncio.ensure_future(executor.execute_code_blocks([block], token))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        token.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

    with_tool(worktree, use, policy="open", grace_s=0.0)
