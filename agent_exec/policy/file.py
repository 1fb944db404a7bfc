"""What may stand in a policy file. These models check it, and make its JSON Schema.

Words are strict strings, because YAML takes an unquoted ``no`` for a boolean and ``-1`` for a
number.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

VERSION = 1

ID_WORD = r"^[a-z0-9][a-z0-9._-]*$"
PATH_WORD = r"^(worktree|system|tmp|toolchains|home|secrets|above|/.*|~(/.*)?)$"
PATH_WORDS = (
    "worktree, system, tmp, toolchains, home, secrets, above (the worktree and the home directory"
    " themselves, and what holds them), /absolute or ~/path"
)
PLACE_WORD = r"^(worktree|system|tmp|toolchains|home|/.*|~(/.*)?)$"
PLACE_WORDS = "worktree, system, tmp, toolchains, home, /absolute or ~/path"
SEARCH_WORD = r"^(inherit|/.*)$"
SEARCH_WORDS = "inherit (our PATH) or /absolute"

Word = Annotated[StrictStr, Field(min_length=1)]
Id = Annotated[StrictStr, Field(pattern=ID_WORD)]
Element = Word | Annotated[list[Word], Field(min_length=1)]
PathWord = Annotated[StrictStr, Field(pattern=PATH_WORD, description=PATH_WORDS)]
PlaceWord = Annotated[StrictStr, Field(pattern=PLACE_WORD, description=PLACE_WORDS)]
SearchWord = Annotated[StrictStr, Field(pattern=SEARCH_WORD, description=SEARCH_WORDS)]
Seconds = Annotated[float, Field(gt=0, le=31_536_000, strict=True)]
VerdictWord = Literal["allow", "ask", "deny"]
KindWord = Literal["read", "write", "delete", "execute", "network", "state", "privilege", "unknown"]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Examples(_Entry):
    """Commands as shell text, checked whenever the file is read."""

    match: list[Word] = []
    not_match: list[Word] = []


class RuleEntry(_Entry):
    """A verdict on the commands that it covers."""

    id: Id
    verdict: VerdictWord
    because: Word
    """Shown to the person who is asked, and to the model that is refused."""
    effects: Annotated[list[KindWord], Field(min_length=1)] | None = None
    paths: Annotated[list[PathWord], Field(min_length=1)] | None = None
    command: Annotated[list[Element], Field(min_length=1)] | None = None
    examples: Examples = Examples()


class RouteEntry(_Entry):
    """When a real shell may run a text."""

    shell: Literal["never", "fallback", "always"] | None = None
    program: Annotated[StrictStr, Field(pattern="^/")] | None = None
    verdict: VerdictWord | None = None


class TrustEntry(_Entry):
    """When a program is what its name says."""

    owners: Annotated[list[Word | StrictInt], Field(min_length=1)] | None = None
    writable_by: Literal["owner", "anybody"] | None = None


class ProgramsEntry(_Entry):
    """Where programs are looked up."""

    path: Annotated[list[SearchWord], Field(min_length=1)] | None = None
    trust: TrustEntry | None = None


class TemplatesEntry(_Entry):
    """Spawn templates."""

    hot_after: Annotated[StrictInt, Field(ge=1)] | None = None
    max_per_worktree: Annotated[StrictInt, Field(ge=1)] | None = None
    on_update: Literal["recreate", "ask", "deny"] | None = None
    deny_write: StrictBool | None = None


class EnvEntry(_Entry):
    """The environment of children."""

    inherit: list[Word] | None = None
    set: dict[Word, StrictStr] | None = None
    from_call: list[Word] | None = None


class LimitsEntry(_Entry):
    """Bounds on every call."""

    timeout_s: Seconds | None = None
    max_timeout_s: Seconds | None = None
    output_bytes: Annotated[StrictInt, Field(ge=0)] | None = None
    processes: Annotated[StrictInt, Field(ge=1)] | Literal["none"] | None = None
    memory_mib: Annotated[StrictInt, Field(ge=1)] | Literal["none"] | None = None
    file_mib: Annotated[StrictInt, Field(ge=1)] | Literal["none"] | None = None
    open_files: Annotated[StrictInt, Field(ge=16)] | Literal["none"] | None = None
    concurrent: Annotated[StrictInt, Field(ge=1)] | None = None


class ProcessesEntry(_Entry):
    """What is left when a call has ended."""

    survivors: Literal["kill", "keep"] | None = None


class SandboxEntry(_Entry):
    """The floor and the ceiling of what a child may do."""

    read: list[PlaceWord] | None = None
    write: list[PlaceWord] | None = None
    network: Literal["deny", "allow"] | None = None
    protect: list[Word] | None = None
    require: list[Literal["landlock", "seccomp", "cgroup", "bubblewrap"]] | None = None


class SessionsEntry(_Entry):
    """Background sessions."""

    max: Annotated[StrictInt, Field(ge=0)] | None = None
    idle_s: Seconds | None = None


class AuditEntry(_Entry):
    """The log of calls."""

    keep_days: Annotated[StrictInt, Field(ge=1)] | None = None


class PolicyFile(_Entry):
    """One file."""

    version: Literal[1]
    extends: list[Word] = []
    disable: list[Id] = []
    default: VerdictWord | None = None
    route: RouteEntry | None = None
    launcher: Literal["auto", "vfork", "kernel", "portable"] | None = None
    programs: ProgramsEntry | None = None
    templates: TemplatesEntry | None = None
    env: EnvEntry | None = None
    limits: LimitsEntry | None = None
    processes: ProcessesEntry | None = None
    sandbox: SandboxEntry | None = None
    sessions: SessionsEntry | None = None
    redact: list[Word] | None = None
    audit: AuditEntry | None = None
    rules: list[RuleEntry] = []
