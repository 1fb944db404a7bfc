"""A policy as it is applied: merged, checked, frozen."""

from __future__ import annotations

from agent_exec.model.decision import Verdict
from agent_exec.model.effect import EffectKind
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.paths import PathSet, Places

Pattern = tuple[frozenset[str], ...]
"""Of a command: for each word, what it may be."""


class Rule(NamedTuple):
    """A verdict on some commands, with its reason."""

    id: str
    verdict: Verdict
    because: str
    effects: frozenset[EffectKind] | None
    """None: of any kind."""
    paths: PathSet | None
    """None: on any path, and where none is known."""
    command: Pattern | None
    """None: any command."""


class Trust(NamedTuple):
    """When a program is what its name says."""

    owners: frozenset[int]
    """User ids that may own it, and the directories that lead to it."""
    others_may_write: bool
    """May group or others be able to write these?"""


class Environment(NamedTuple):
    """Of the children."""

    inherit: tuple[str, ...]
    """Names of variables that they get from us; ``*`` matches any part."""
    set: tuple[tuple[str, str], ...]
    from_call: tuple[str, ...]
    """Names of variables that a call may set; the same."""


class Limits(NamedTuple):
    """Of every call; times in seconds."""

    timeout_s: float
    max_timeout_s: float
    output_bytes: int
    concurrent: int
    processes: int | None = None
    """Of a call; None: no limit, also of those below."""
    memory_mib: int | None = None
    """Of data of one process."""
    file_mib: int | None = None
    """Of one file that is written."""
    open_files: int | None = None
    """Of one process."""


class Templates(NamedTuple):
    """Of the cache of spawn templates."""

    hot_after: int
    max_per_worktree: int
    on_update: str
    """``recreate``, ``ask`` or ``deny``."""
    deny_write: bool
    """Is everybody kept from writing to the file of a template?"""


class SandboxSettings(NamedTuple):
    """``sandbox:`` of a policy, for one worktree and one user. Paths without links."""

    read: tuple[str, ...]
    """Always readable."""
    readable: Places
    """The same."""
    write: tuple[str, ...]
    """Always writable, but for a temp directory."""
    tmp: bool
    """Has every call one?"""
    network: bool
    """May the network be granted?"""
    network_said: str
    """Where the policy says so, for messages."""
    require: frozenset[str]
    worktree: tuple[str, ...]
    """The worktree, and the directory of its repository where that lies elsewhere."""
    git: tuple[str, ...]
    """What git reads besides."""
    caches: tuple[str, ...]
    """Of package managers: written by what installs, and by what nobody knows."""
    nothing_withheld: bool = False
    """It asks for no sandbox."""


class SessionLimits(NamedTuple):
    """Of background sessions."""

    most: int
    """That run at once."""
    idle_s: float
    """Seconds after which one that nobody has read is ended."""


class Policy(NamedTuple):
    """What a tool goes by. `name` is for messages."""

    name: str
    default: Verdict
    allows: tuple[Rule, ...]
    tightens: tuple[Rule, ...]
    """Rules that ask or deny."""
    shell: Verdict
    """The weakest verdict of a text that needs a real shell; DENY where none is run."""
    always_shell: bool
    """Every text goes to a real shell."""
    shell_program: str
    launcher: str
    path: tuple[str, ...]
    """Where names of programs are looked up."""
    trust: Trust
    environment: Environment
    limits: Limits
    templates: Templates
    sessions: SessionLimits
    survivors: str
    worktree: str
    """Absolute, without links: that which `paths` speak of."""
    sandbox: SandboxSettings
    protect: tuple[str, ...]
    """Files and directories in the worktree: to write one is to run code later."""
    redact: tuple[str, ...]
    """Regular expressions of what a model does not get to read in outputs."""
    keep_days: int
    """Of the audit log."""
