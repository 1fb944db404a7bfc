"""Function tools, and an executor for the shell tool, over one `ExecTool`."""

from __future__ import annotations

from typing import Any

from agents import (
    FunctionTool,
    RunContextWrapper,
    ShellActionRequest,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
    ShellTool,
    ToolApprovalItem,
)
from agents.tool_context import ToolContext

from agent_exec import Denied, Ended, ExecTool, Question, ToolResult, Verdict
from agent_exec.integrations.common.asking import NOT_ASKED, call_or_ask, run_answered
from agent_exec.integrations.common.served import Definition, definitions, owner_of
from agent_exec.integrations.openai_agents.outputs import whole
from agent_exec.integrations.openai_agents.questions import Questions

_NOT_RUN = 126


class ExecTools:
    """Gives `exec`, with the tools for what it starts in the background, or the hosted models'
    shell tool, to agents.

    A call that the policy asks about interrupts the run. What a person is asked, `questions`
    tells. Give the run a context that is a dict: the SDK stores it with the state of the run,
    and questions are kept in it, below ``agent_exec``. What was approved is what runs.

    Args:
        tool: Stays the caller's to close.
        interrupt: False: what the policy asks about is for the approver of `tool`.
        owner: Whose background sessions the agents have: those of this object alone, when not
            given. They end with `tool`, or by its ``end_sessions(execs.owner)``.

    Attributes:
        functions: For ``Agent(tools=...)``.
        owner: See above.
    """

    def __init__(self, tool: ExecTool, *, interrupt: bool = True, owner: str | None = None) -> None:
        self.owner = owner_of(owner)
        self._tool = tool
        self._interrupt = interrupt
        self._questions = Questions()
        self.functions = [self._function(each) for each in definitions()]

    def shell(self) -> ShellTool:
        """The shell tool of models that have one; its texts run without a shell where they can."""
        return ShellTool(
            executor=self._run_shell,
            needs_approval=self._shell_needs_approval if self._interrupt else False,
        )

    def questions(self, item: ToolApprovalItem, context: object = None) -> list[dict[str, Any]]:
        """What a person is asked: ``text`` for them, and ``question``, for programs.

        One for `exec`; for the shell tool, one for each text that the policy asks about. An
        ``answer`` that is added to one, in a context that keeps it, is given instead of once.

        Args:
            item: An interruption of a run.
            context: Of that run.

        Raises:
            LookupError: Nothing is known of it.
        """
        found = self._questions.shown(context, item.call_id or "")
        if not found:
            raise LookupError(f"no question is known about {item.call_id}; ask the model again")
        return found

    def _function(self, definition: Definition) -> FunctionTool:
        name = definition.name

        async def needs_approval(
            wrapper: RunContextWrapper[Any], arguments: dict[str, Any], id_: str
        ) -> bool:
            return name == "exec" and await self._asks(wrapper, arguments, id_)

        async def invoke(context: ToolContext[Any], arguments: str) -> str:
            done = await self._called(context, context.tool_call_id, name, arguments)
            return done.text or "" if isinstance(done, ToolResult) else NOT_ASKED

        return FunctionTool(
            name=name,
            description=definition.description,
            params_json_schema=definition.parameters,
            on_invoke_tool=invoke,
            strict_json_schema=True,
            needs_approval=needs_approval if self._interrupt else False,
        )

    async def _asks(
        self, wrapper: RunContextWrapper[Any], arguments: dict[str, Any], id_: str
    ) -> bool:
        """Whether the policy asks; then the question is kept."""
        decision = await self._tool.decide(arguments)
        if decision.verdict is not Verdict.ASK:
            return False
        try:
            question = self._tool.question(decision)
        except Denied:
            # It has changed this moment: the call itself will say so.
            return False
        self._questions.keep(wrapper.context, id_, question)
        return True

    async def _called(
        self,
        wrapper: RunContextWrapper[Any],
        id_: str,
        name: str,
        arguments: dict[str, Any] | str,
        *,
        approved_as: tuple[str, str] | None = None,
    ) -> ToolResult | Question:
        if not self._interrupt:
            return await self._tool.call(arguments, name=name, owner=self.owner)
        if wrapper.is_tool_approved(*(approved_as or (name, id_))):
            question, answer = self._questions.take(wrapper, id_)
            return await run_answered(
                self._tool, arguments, question, answer, name=name, owner=self.owner
            )
        return await call_or_ask(self._tool, arguments, name=name, owner=self.owner)

    async def _shell_needs_approval(
        self, wrapper: RunContextWrapper[Any], action: ShellActionRequest, id_: str
    ) -> bool:
        asked = [
            await self._asks(wrapper, _arguments(action, text), f"{id_}.{number}")
            for number, text in enumerate(action.commands)
        ]
        return any(asked)

    async def _run_shell(self, request: ShellCommandRequest) -> ShellResult:
        action, id_ = request.data.action, request.data.call_id
        outputs = []
        for number, text in enumerate(action.commands):
            done = await self._called(
                request.ctx_wrapper,
                f"{id_}.{number}",
                "exec",
                _arguments(action, text),
                approved_as=("shell", id_),
            )
            outputs.append(_shell_output(text, done))
        return ShellResult(outputs, max_output_length=action.max_output_length)


def _arguments(action: ShellActionRequest, text: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {"command": text}
    if action.timeout_ms is not None:
        arguments["timeout_ms"] = action.timeout_ms
    return arguments


def _shell_output(text: str, done: ToolResult | Question) -> ShellCommandOutput:
    if isinstance(done, Question):
        return _not_run(text, NOT_ASKED)
    if done.error is not None:
        return _not_run(text, done.text or "")
    ended = "timeout" if done.ended is Ended.TIMEOUT else "exit"
    return ShellCommandOutput(
        stdout=whole(done.stdout),
        stderr=whole(done.stderr),
        outcome=ShellCallOutcome(ended, None if ended == "timeout" else done.status),
        command=text,
    )


def _not_run(text: str, why: str) -> ShellCommandOutput:
    return ShellCommandOutput(stderr=why, outcome=ShellCallOutcome("exit", _NOT_RUN), command=text)
