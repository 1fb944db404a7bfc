"""`ExecTool`: the one facade. Runs the steps from a call to its result, in order."""

from __future__ import annotations

import itertools
import os
from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from agent_exec.errors import AgentExecError, Closed, InvalidCall
from agent_exec.launch.select import select_parker
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Verdict
from agent_exec.model.outcome import LauncherName
from agent_exec.model.plan import Containment, Limits, Survivors
from agent_exec.model.question import Answer, Question
from agent_exec.model.result import ToolResult
from agent_exec.policy.outputs import outputs_folder
from agent_exec.policy.paths import normal
from agent_exec.policy.policy import Policy
from agent_exec.runtime import checks
from agent_exec.runtime.alike import Alike
from agent_exec.runtime.approvals.asking import Approver, Asking
from agent_exec.runtime.approvals.memory import Memory, approvals_folder
from agent_exec.runtime.audit.files import audit_folder
from agent_exec.runtime.audit.log import AuditLog
from agent_exec.runtime.audit.writer import AuditWriter
from agent_exec.runtime.background import Background
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.call_options import CallOptions
from agent_exec.runtime.checker import Checker
from agent_exec.runtime.deciding import Deciding
from agent_exec.runtime.enforcing import enforced_by, make_sandbox
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.familiar import FamiliarCalls
from agent_exec.runtime.flow import Flow
from agent_exec.runtime.guardian import start_guardian
from agent_exec.runtime.live import Live
from agent_exec.runtime.outline import outline_of
from agent_exec.runtime.presenting import Presenter
from agent_exec.runtime.refusal import not_run
from agent_exec.runtime.renewal import Updates
from agent_exec.runtime.runner import Runner
from agent_exec.runtime.script_outline import script_outline_of
from agent_exec.runtime.select import select_engine, select_straight, select_witness
from agent_exec.runtime.spelling import call_of, stages_of, text_call_of, words_of
from agent_exec.runtime.tracing import Tracing
from agent_exec.sandbox.available import names
from agent_exec.sandbox.profile import Enforced
from agent_exec.schema.redact import Redactor
from agent_exec.template.cache import CacheStats, TemplateCache

if TYPE_CHECKING:
    from agent_exec.runtime.sessions.handle import BackgroundSession

_LONGEST_GRACE_S = 3600.0
_T = TypeVar("_T")


class ExecTool:
    """Runs commands in a worktree: argv in, a structured result out, no shell between.

    One tool serves any number of concurrent calls, from several event loops (asyncio, trio)
    and threads; a process that was forked from ours may go on using it.

    Args:
        worktree: The directory that calls work in.
        policy: What may run: a shipped name (``read-only``, ``default``, ``workspace``,
            ``strict``, ``open``), the path of a file, or a `Policy`.
        approver: Who is asked about what the policy asks about: takes a `Question` and gives
            an `Answer`, or a coroutine of one. A plain callable is called on a thread of its
            own. Without, what would be asked is refused.
        audit: The folder of the audit log; ``agent_exec/audit`` beneath the XDG state directory
            when not given; False for none.
        asked_by: Who sends the calls, for the log: ``mcp:claude``.
        launcher: ``vfork``, ``portable``, or ``auto``: what the policy says.
        hot_after: Launches of a program from which on its spawn template is kept, at least 1.
        max_templates: How many are kept, at least 1.
        max_concurrent: Calls that may run at once, 1 to 65536; later ones wait.
        timeout_s: Seconds that a call may take which names no limit; inf for no limit.
        grace_s: Seconds from SIGTERM to SIGKILL, 0 to 3600.
        output_bytes: Bytes kept of each output, half head, half tail; 0 for none.
        survivors: ``kill`` or ``keep`` what a call leaves running when it has ended.
        containment: How descendants of a call are kept together: ``cgroup`` finds all of them,
            ``session`` those that kept their session, group or environment, ``auto`` is the
            former where it works. See `containment` for what it came to.
        output_dir: Where `keep_output` puts files; ``agent_exec/outputs`` beneath the XDG
            state directory when not given.
        output_file_bytes: Most bytes of one such file.
        trace_content: Whether arguments and results are part of the spans, where the
            application traces by OpenTelemetry; when not given, as
            ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says.

    What is not given (`hot_after` to `max_concurrent`, `timeout_s`, `output_bytes`,
    `survivors`) is as the policy says; so is the longest time that a call may take, whatever
    it asks for. The environment of the children is made of that of this process when the tool
    is made, by ``env`` of the policy.

    Raises:
        PolicyError: No such policy.
        InvalidCall: The worktree is no directory, or an option is not what it has to be;
            the message says what that is.
        Unsupported: The launcher, or `containment`, does not work here.
        OSError: The descriptors that it needs cannot be had (EMFILE, ENFILE).
    """

    def __init__(
        self,
        worktree: str | os.PathLike[str] = ".",
        *,
        policy: str | os.PathLike[str] | Policy = "default",
        approver: Approver | None = None,
        audit: str | os.PathLike[str] | bool | None = None,
        asked_by: str | None = None,
        launcher: str = "auto",
        hot_after: int | None = None,
        max_templates: int | None = None,
        max_concurrent: int | None = None,
        timeout_s: float | None = None,
        grace_s: float = 2.0,
        output_bytes: int | None = None,
        survivors: str | None = None,
        containment: str = "auto",
        output_dir: str | os.PathLike[str] | None = None,
        output_file_bytes: int = 256 * 1024 * 1024,
        trace_content: bool | None = None,
    ) -> None:
        # Before the engine is made, which nobody would close.
        witness = select_witness()
        self._checker = Checker(_absolute("worktree", worktree), policy, witness, select_straight())
        self.worktree = self._checker.worktree
        policy = self._policy = self._checker.policy
        hot_after = _given(hot_after, policy.templates.hot_after)
        max_templates = _given(max_templates, policy.templates.max_per_worktree)
        max_concurrent = _given(max_concurrent, policy.limits.concurrent)
        output_bytes = _given(output_bytes, policy.limits.output_bytes)
        timeout_s = _given(timeout_s, policy.limits.timeout_s)
        checks.whole_number("hot_after", hot_after, least=1)
        checks.whole_number("max_templates", max_templates, least=1)
        checks.whole_number("max_concurrent", max_concurrent, least=1, most=checks.MOST_CALLS)
        checks.whole_number("output_bytes", output_bytes, least=0, most=checks.MOST_BYTES)
        checks.whole_number("output_file_bytes", output_file_bytes, least=0, most=checks.MOST_BYTES)
        limits = Limits(
            timeout_s=min(checks.duration("timeout_s", timeout_s), policy.limits.max_timeout_s),
            grace_s=checks.delay("grace_s", grace_s, most=_LONGEST_GRACE_S),
            head_bytes=output_bytes - output_bytes // 2,
            tail_bytes=output_bytes // 2,
        )
        kept = checks.choice("survivors", _given(survivors, policy.survivors), Survivors)
        contained = checks.choice("containment", containment, Containment)
        outputs = (
            outputs_folder(os.environ, self.worktree)
            if output_dir is None
            else _absolute("output_dir", output_dir)
        )
        launcher = policy.launcher if launcher == "auto" else launcher
        self._parker = select_parker() if policy.templates.deny_write else None
        # Where nothing is withheld, nothing is limited.
        bounded = not policy.sandbox.nothing_withheld
        make_engine = partial(
            select_engine,
            launcher,
            containment=contained,
            processes=policy.limits.processes if bounded else None,
            memory_mib=policy.limits.memory_mib if bounded else None,
        )
        self._engine, chosen = make_engine(max_concurrent=max_concurrent)
        enforced = enforced_by(chosen.name, policy)
        # Not by a method: sessions hold the checker, and would keep a tool that was dropped.
        self._checker.enforced = partial(_names_of, enforced, self._engine)
        self._sandbox = make_sandbox(policy, enforced, os.environ)
        self._settings = Settings(
            sandbox=self._sandbox,
            cache=TemplateCache(
                self.worktree,
                hot_after=hot_after,
                max_templates=max_templates,
                credentials=chosen.credentials,
                holder=self._parker,
            ),
            environment=self._checker.environment,
            limits=limits,
            survivors=kept,
            output_folder=outputs,
            output_cap=output_file_bytes,
            shell_program=self._policy.shell_program,
            on_update=self._policy.templates.on_update,
            outlines=Alike(partial(outline_of, self._checker.environment)),
            script_outlines=Alike(partial(script_outline_of, self._checker.environment)),
        )
        self._approver = approver
        memory = Memory(approvals_folder(os.environ), self.worktree)
        asking = Asking(memory, self.worktree, self._policy.shell_program)
        self._redact = Redactor(self._policy.redact, self._checker.withheld_secrets())
        self._log = self._audit_log(audit, asked_by)
        self._flow = Flow(
            self._checker,
            asking,
            Runner(self._engine, self._settings, self._checker),
            Updates(self._settings.on_update, self._settings.cache),
            self._log,
            Tracing(trace_content, self._redact),
            FamiliarCalls(witness),
        )
        self._background = Background(
            policy,
            self._settings,
            self._checker,
            self._redact,
            self._flow.record,
            make_engine,
        )
        self._deciding = Deciding(self._flow, asking)
        self._starter = chosen
        self._session = os.urandom(5).hex()
        self._counter = itertools.count(1)

    async def run(self, argv: Sequence[str], **options: Unpack[CallOptions]) -> ToolResult:
        """Run one command. What a child does is in the result and never raised.

        Raises:
            InvalidCall: The call makes no sense; the message says what to send instead.
            ProgramNotFound: The program is nowhere.
            TemplateError, LaunchError: It was found, and did not become a process.
            Closed: The tool was closed.
        """
        return await self._run(call_of((words_of(argv),), options))

    async def run_pipeline(
        self, stages: Sequence[Sequence[str]], **options: Unpack[CallOptions]
    ) -> ToolResult:
        """Run commands joined by pipes, without a shell. Raises as `run`."""
        return await self._run(call_of(stages_of(stages), options))

    def run_sync(self, argv: Sequence[str], **options: Unpack[CallOptions]) -> ToolResult:
        """`run` on the calling thread, for callers with no event loop."""
        return self._run_sync(call_of((words_of(argv),), options))

    def run_pipeline_sync(
        self, stages: Sequence[Sequence[str]], **options: Unpack[CallOptions]
    ) -> ToolResult:
        """`run_pipeline` on the calling thread."""
        return self._run_sync(call_of(stages_of(stages), options))

    async def call(
        self,
        arguments: Mapping[str, Any] | str,
        *,
        name: str = "exec",
        approver: Approver | None = None,
        asked_by: str | None = None,
        owner: str = "",
        live: Live | None = None,
    ) -> ToolResult:
        """Run what a model has sent as the arguments of a tool; see `definition`.

        What is wrong with it, or refused, is in the result, in words that a model can act on:
        nothing is raised for it. Outputs are without secrets and as long as a model wants
        them; `ToolResult.text` is all of the result as text.

        Args:
            arguments: An object, or the JSON text of one.
            name: Of the tool that the model has called.
            approver: Who is asked about this call, instead of the tool's own.
            asked_by: Who sends this call, instead of what the tool was told.
            owner: Whose sessions it may start, read, write and stop: those of another owner are
                not there for it. See `end_sessions`.
            live: Gets what the call writes, while it runs.

        Raises:
            Closed: The tool was closed.
        """
        # pydantic takes longer to import than all else that a tool needs.
        from agent_exec.schema.read_call import read_call  # noqa: PLC0415

        id_ = self._new_id()
        call: ToolCall | None = None
        hints: tuple[str, ...] = ()
        try:
            if name != "exec":
                served = await self._background.served.serve(name, arguments, owner=owner, id_=id_)
                return self._presenter.session(*served)
            call, hints = read_call(arguments)
            if call.background:
                begun = await self._flow.granted(call, id_, approver or self._approver, asked_by)
                answer = await self._background.served.begin(*begun, owner)
                return self._presenter.session(answer, hints)
            flow = self._flow_for(live)
            result = await flow.run(call, id_, approver or self._approver, asked_by)
        except Closed:
            raise
        except AgentExecError as error:
            if call is None:
                self._flow.not_understood(id_, error)
            result = not_run(error, id_)
        return self._presenter.present(result, call, hints)

    async def decide(self, call: ToolCall | Mapping[str, Any] | str) -> Decision:
        """The first half of a call: what `question` asks about, and `run_decided` runs later.

        Nothing runs. A call that makes no sense is denied, with the `error`.

        Args:
            call: A `ToolCall`, or what a model has sent.
        """
        from agent_exec.schema.read_call import read_call  # noqa: PLC0415 - see `call`

        try:
            made = call if isinstance(call, ToolCall) else read_call(call).call
            return self._deciding.decided(made, self._new_id())
        except AgentExecError as error:
            return Decision(Verdict.DENY, None, error=str(error), because=(str(error),))

    def question(self, decision: Decision) -> Question:
        """What a person is asked about a decision of `decide` whose verdict is ASK.

        Raises:
            InvalidCall: It is none.
            Denied: It comes out different by now; decide again.
        """
        return self._deciding.question(decision, self._new_id())

    async def run_decided(
        self,
        decision: Decision,
        answer: Answer | None = None,
        *,
        owner: str = "",
        live: Live | None = None,
    ) -> ToolResult:
        """The second half: run what was decided on, as `call` does, when the answer says so.

        The decision is made again, with the files of now. Where it does not come out equal,
        nothing runs, and the result says so.

        Args:
            decision: Of `decide`; it may have been JSON in between, for days.
            answer: A person's, where the verdict is ASK.
            owner: As of `call`.
            live: Gets what the call writes, while it runs.

        Raises:
            Closed: The tool was closed.
        """
        grant = None
        try:
            judged = self._deciding.judged_later(decision, self._new_id())
            grant = self._deciding.answered(decision, judged, answer)
            if grant.request.call.background:
                begun = self._flow.decided(grant)
                return self._presenter.session(await self._background.served.begin(*begun, owner))
            result = await self._flow_for(live).run_granted(grant)
        except Closed:
            raise
        except AgentExecError as error:
            id_ = self._new_id() if grant is None else grant.request.id
            if grant is None:
                self._flow.refused(decision, answer, id_, error)
            result = not_run(error, id_)
        return self._presenter.present(result, decision.call)

    def _flow_for(self, live: Live | None) -> Flow:
        if live is None:
            return self._flow
        live.show_by(self._redact)
        return self._flow.watched(live)

    @staticmethod
    def definition(dialect: str) -> list[dict[str, Any]]:
        """The tools for a model, for ``openai``, ``anthropic``, ``mcp`` or ``gemini``.

        Raises:
            InvalidCall: There is no such dialect.
        """
        from agent_exec.schema.definition import definitions  # noqa: PLC0415 - see `call`

        return definitions(dialect)

    async def run_shell(self, text: str, **options: Unpack[CallOptions]) -> ToolResult:
        """Run shell text, without a shell wherever that is exactly the same. Raises as `run`."""
        return await self._run(text_call_of(text, options))

    def run_shell_sync(self, text: str, **options: Unpack[CallOptions]) -> ToolResult:
        """`run_shell` on the calling thread."""
        return self._run_sync(text_call_of(text, options))

    async def start(
        self, argv: Sequence[str], *, terminal: bool = False, **options: Unpack[CallOptions]
    ) -> BackgroundSession:
        """Begin a command that goes on by itself: to be read, written to and stopped.

        It takes no time limit but what `timeout_s` says, ends with the tool at the latest, and
        when nobody has read it for as long as the policy says (``sessions.idle_s``).

        Args:
            argv: The program and its arguments.
            terminal: Give it a terminal (PTY), of 24 rows and 80 columns.
            options: As of `run`; `stdin` is text, behind which its input ends at once, unless it
                has a terminal. `stdout` and `stderr` are not taken.

        Raises:
            InvalidCall: As `run`; or there are as many sessions as there may be.
            Unsupported: There can be no terminal here.
            ProgramNotFound, TemplateError, LaunchError, Closed: As `run`.
        """
        return await self._start(call_of((words_of(argv),), options), terminal=terminal)

    async def start_pipeline(
        self, stages: Sequence[Sequence[str]], **options: Unpack[CallOptions]
    ) -> BackgroundSession:
        """`start` of commands joined by pipes."""
        return await self._start(call_of(stages_of(stages), options), terminal=False)

    async def start_shell(
        self, text: str, *, terminal: bool = False, **options: Unpack[CallOptions]
    ) -> BackgroundSession:
        """`start` of shell text."""
        return await self._start(text_call_of(text, options), terminal=terminal)

    @property
    def running_sessions(self) -> int:
        """How many background sessions have not ended."""
        return self._background.running

    def end_sessions(self, owner: str) -> None:
        """End the sessions of an `owner` of `call`, who is gone; forget them. Does not wait."""
        self._background.end_owner(owner)

    def check(self, argv: Sequence[str], **options: Unpack[CallOptions]) -> Decision:
        """What would be decided on `run`. Nothing runs; a program need not be there.

        Raises:
            InvalidCall: As `run`.
        """
        return self._checker.check_call(call_of((words_of(argv),), options))

    def check_pipeline(
        self, stages: Sequence[Sequence[str]], **options: Unpack[CallOptions]
    ) -> Decision:
        """What would be decided on `run_pipeline`."""
        return self._checker.check_call(call_of(stages_of(stages), options))

    def check_shell(self, text: str, **options: Unpack[CallOptions]) -> Decision:
        """What would be decided on `run_shell`."""
        return self._checker.check_call(text_call_of(text, options))

    def warm_up(self) -> None:
        """Have the guardian started now, and not beside the first call.

        For owners that may be killed at any moment: a call that runs before there is a
        guardian could leave something behind then.

        Raises:
            LaunchError, TemplateError: Nothing can be started here.
        """
        start_guardian(self._engine, self._starter, self._checker.environment.mark(self._new_id()))

    @property
    def checker(self) -> Checker:
        """What judges the calls, also those that somebody else runs."""
        return self._checker

    @property
    def audit_trouble(self) -> str | None:
        """Why records of the audit log were lost; None when none was."""
        return None if self._log is None else self._log.trouble

    @property
    def templates(self) -> CacheStats:
        """What the cache of spawn templates has done and holds."""
        return self._settings.cache.stats

    @property
    def launcher(self) -> LauncherName:
        """What starts the children."""
        return self._engine.launcher

    @property
    def containment(self) -> Containment:
        """What keeps the descendants of calls together: ``cgroup`` or ``session``."""
        contains, _ = self._engine.containment()
        return Containment.CGROUP if contains else Containment.SESSION

    def close(self) -> None:
        """Kill calls in flight and sessions, let the templates go. Idempotent."""
        self._background.close()
        self._engine.close()
        self._settings.cache.close()
        if self._parker is not None:
            self._parker.close()
        if self._sandbox is not None:
            self._sandbox.close()
        if self._log is not None:
            self._log.close()

    async def aclose(self) -> None:
        """`close`, for ``async with``."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @cached_property
    def _presenter(self) -> Presenter:
        return Presenter(self._redact, self._settings.output_folder)

    async def _start(self, call: ToolCall, *, terminal: bool) -> BackgroundSession:
        if call.stdout is not None or call.stderr is not None:
            raise InvalidCall("a session is read by its own methods; leave stdout and stderr out")
        call = call._replace(background=True, terminal=terminal)
        begun = await self._flow.granted(call, self._new_id(), self._approver, None)
        return await self._background.served.start(*begun, "")

    def _run(self, call: ToolCall) -> Coroutine[Any, Any, ToolResult]:
        # The flow's coroutine itself: another around it would cost a call a microsecond.
        return self._flow.run(call, self._new_id(), self._approver)

    def _run_sync(self, call: ToolCall) -> ToolResult:
        return self._flow.run_sync(call, self._new_id(), self._approver)

    def _audit_log(
        self, audit: str | os.PathLike[str] | bool | None, asked_by: str | None
    ) -> AuditLog | None:
        if audit is False:
            return None
        if audit is None or audit is True:
            folder = audit_folder(os.environ)
        else:
            folder = _absolute("audit", audit)
        return AuditLog(
            AuditWriter(folder, self._policy.keep_days),
            worktree=self.worktree,
            policy=self._policy.name,
            asked_by=asked_by,
            redact=self._redact,
        )

    def _new_id(self) -> str:
        # The pid, because a forked child goes on with the same counter.
        return f"{self._session}-{os.getpid():x}-{next(self._counter)}"


def _names_of(enforced: Enforced, engine: Engine) -> frozenset[str]:
    """What children are held to, in the words of a policy."""
    contains, _ = engine.containment()
    return names(enforced, cgroup=contains)


def _given(value: _T | None, otherwise: _T) -> _T:
    return otherwise if value is None else value


def _absolute(name: str, value: str | os.PathLike[str]) -> str:
    given = checks.path(name, value)
    try:
        return normal(os.path.abspath(given))
    except FileNotFoundError:
        raise InvalidCall(
            f"{name} is {given!r}, and the current directory is gone; give an absolute path"
        ) from None
