"""The MCP server `agentexec`: one tool, and its companions, over one `ExecTool`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import anyio
from mcp import types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

import agent_exec
from agent_exec import (
    AgentExecError,
    Answer,
    Approver,
    Closed,
    ExecTool,
    Question,
    ToolResult,
    Verdict,
)
from agent_exec.integrations.mcp.elicitation import Questions, answer_of, elicitation

NAME = "agentexec"
_HEARTBEAT_S = 10.0
"""Hosts give up on a call from which they hear nothing for 60 s."""
_ANSWER_S = 24 * 3600.0
"""How long a question may be thought about."""
_LONGEST_NAME = 64
_LONGEST_SHOWN = 1000
_INSTRUCTIONS = (
    "Run programs with exec: argv is the usual form, no shell between. A policy decides what may "
    "run; a refusal says what to do instead."
)

Context: TypeAlias = ServerRequestContext[Any, Any]


def make_server(tool: ExecTool, *, heartbeat_s: float = _HEARTBEAT_S) -> Server[Any]:
    """A server that runs calls with `tool`, which stays the caller's to close.

    Args:
        tool: Whose policy and worktree count.
        heartbeat_s: Seconds between two signs of life of a call.
    """
    handlers = _Handlers(tool, heartbeat_s)
    server: Server[Any] = Server(
        NAME,
        version=agent_exec.__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
    )
    security = RequestStateSecurity.ephemeral(ttl=_ANSWER_S)
    server.middleware.append(_mistaken_arguments)
    server.middleware.append(RequestStateBoundary(security, default_audience=NAME))
    return server


class _Handlers:
    def __init__(self, tool: ExecTool, heartbeat_s: float) -> None:
        self._tool = tool
        self._heartbeat_s = heartbeat_s
        self._questions = Questions()
        self._owners: set[str] = set()
        self._tools = [types.Tool.model_validate(each) for each in tool.definition("mcp")]

    async def list_tools(
        self, _: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._tools)

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        names = [tool.name for tool in self._tools]
        if params.name not in names:
            return _error(f"there is no tool {params.name!r}; there are {', '.join(names)}")
        async with _alive(context, self._heartbeat_s):
            try:
                return await self._called(context, params)
            except Closed:
                return _error("the server is ending and runs nothing more")
            except AgentExecError as error:
                # What was decided on changed before it could be asked about.
                return _error(f"refused: {error}")

    async def _called(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        arguments = params.arguments or {}
        approver: Approver | None = None
        if params.name == "exec" and _can_be_asked(context):
            if context.session.can_send_request:
                approver = _Elicits(context)
            elif params.request_state is not None:
                responses = params.input_responses or {}
                approver = self._questions.answered(params.request_state, responses)
            else:
                decision = await self._tool.decide(arguments)
                if decision.verdict is Verdict.ASK:
                    return self._questions.ask(self._tool.question(decision))
        result = await self._tool.call(
            arguments,
            name=params.name,
            approver=approver,
            asked_by=_asked_by(context),
            owner=self._owner(context),
        )
        return _shown(result)

    def _owner(self, context: Context) -> str:
        """Whose background sessions these are: a client's, where it has a session with us.

        Over stdio there is one client, and its sessions end with the server. From 2026-07-28 on
        requests over HTTP belong to nobody: then whoever has the token and the handle is the owner.
        """
        # No handler is given it otherwise.
        connection = context.session._connection  # noqa: SLF001
        owner = connection.session_id
        if owner is None:
            return ""
        if owner not in self._owners:
            self._owners.add(owner)
            connection.exit_stack.callback(self._left, owner)
        return owner

    def _left(self, owner: str) -> None:
        self._owners.discard(owner)
        self._tool.end_sessions(owner)


class _Elicits:
    """Asks the client in the middle of a call."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def __call__(self, question: Question) -> Answer:
        form = elicitation(question)
        said = await self._context.session.elicit_form(
            form.message, form.requested_schema, self._context.request_id
        )
        return answer_of(said)


def _can_be_asked(context: Context) -> bool:
    """By a form: a client that names no way at all has that one."""
    capabilities = context.session.client_capabilities
    asks = None if capabilities is None else capabilities.elicitation
    return asks is not None and (asks.form is not None or asks.url is None)


def _asked_by(context: Context) -> str:
    """The client, for the log; by what it calls itself, which nobody has checked."""
    client = context.session.client_params
    name = "" if client is None else client.client_info.name[:_LONGEST_NAME]
    return "mcp:" + "".join(char if char.isprintable() else "?" for char in name)


async def _mistaken_arguments(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Say what is wrong with arguments that are no object: to the model, that can send others."""
    arguments = (ctx.params or {}).get("arguments")
    if ctx.method != "tools/call" or arguments is None or isinstance(arguments, Mapping):
        return await call_next(ctx)
    return _error(f"arguments have to be an object; send {_corrected(arguments)}")


def _corrected(arguments: object) -> str:
    made = arguments
    if isinstance(arguments, str):
        try:
            made = json.loads(arguments)
        except (ValueError, RecursionError):
            made = {"command": arguments}
    elif isinstance(arguments, list):
        made = {"argv": arguments}
    shown = json.dumps(made) if isinstance(made, dict) else ""
    return shown if 0 < len(shown) <= _LONGEST_SHOWN else '{"argv": ["git", "status", "-s"]}'


def _shown(result: ToolResult) -> types.CallToolResult:
    """The text is what every host gives to the model; the object is for programs."""
    return types.CallToolResult(
        content=[types.TextContent(text=result.text or "")],
        structured_content=result.to_json(),
        is_error=result.error is not None,
    )


def _error(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)


@asynccontextmanager
async def _alive(context: Context, every_s: float) -> AsyncIterator[None]:
    """Report progress while a call runs, to a client that has asked for it."""
    async with anyio.create_task_group() as group:
        group.start_soon(_report, context, every_s)
        yield
        group.cancel_scope.cancel()


async def _report(context: Context, every_s: float) -> None:
    began = anyio.current_time()
    while True:
        await anyio.sleep(every_s)
        seconds = anyio.current_time() - began
        await context.session.report_progress(seconds, message=f"running for {seconds:.0f} s")
