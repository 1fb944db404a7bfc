"""The conformance page, what a row finds in its words, and the rows that need a host.

Also imported by those hosts, after `realproc`.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from realproc import finish

from agent_exec.errors import LaunchError, TemplateError
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.action import Action

TRUE = "/bin/true"
_PAGE = Path(__file__).parents[1] / "docs" / "reference" / "spawn-template-conformance.md"


@dataclass(frozen=True)
class Listed:
    """What the page says of one row."""

    outcome: str
    verdict: str

    @property
    def is_reproduced(self) -> bool:
        return not self.verdict.startswith("not reproduced")


def read_page() -> dict[str, Listed]:
    """Every row of the page's tables, by its id. None is listed twice."""
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \| (.+) \| (.+) \|$", _PAGE.read_text(), re.MULTILINE)
    listed = {row: Listed(outcome, verdict) for row, outcome, verdict in rows}
    assert len(listed) == len(rows)
    return listed


def refusal(do: Callable[[], object]) -> str:
    """The errno, by name, with which a template is refused."""
    try:
        done = do()
    except TemplateError as error:
        return errno.errorcode[error.errno]
    return f"not refused: {done}"


def outcome(template: SpawnTemplate, *actions: Action) -> str:
    """What becomes of a child that should exit with 0."""
    try:
        code, status = finish(template.spawn(["true"], {}, actions))
    except LaunchError as error:
        at = "" if error.action is None else f", action {error.action}"
        return f"{errno.errorcode[error.errno]} at step {error.step}{at}"
    return "works" if (code, status) == (os.CLD_EXITED, 0) else f"{code} {status}"


HOST = """
    import ctypes, resource, shutil, warnings
    from conformance import *
    def create(source):
        return SpawnTemplate.create(source, launcher=make_launcher(ENGINE))
    def mount(*words):
        subprocess.run(["mount", *words], check=True)
    def program(folder):
        mount("-t", "tmpfs", "none", folder)
        return shutil.copy(TRUE, folder)
    template = create(TRUE)
"""
"""What the scripts below begin with. ENGINE is the launcher, sys.argv[1] a folder."""

HOSTS = {
    "create-system-file-table-full": """
    openat = {"x86_64": 257, "aarch64": 56}[os.uname().machine]
    refuse_system_calls([openat], errno.ENFILE)
    print(refusal(lambda: create(TRUE)))
    """,
    "create-no-memory": """
    openat = {"x86_64": 257, "aarch64": 56}[os.uname().machine]
    refuse_system_calls([openat], errno.ENOMEM)
    print(refusal(lambda: create(TRUE)))
    """,
    "create-noexec-mount": """
    path = program(sys.argv[1])
    mount("-o", "remount,noexec", sys.argv[1])
    found = {refusal(lambda: create(path)), refusal(lambda: create(os.open(path, os.O_RDONLY)))}
    print(*found)
    """,
    "stale-noexec-mount": """
    path = program(sys.argv[1])
    for source in path, os.open(path, os.O_RDONLY):
        with create(source) as template:
            mount("-o", "remount,noexec", sys.argv[1])
            found = {refusal(lambda: template.spawn(["true"])), refusal(template.check)}
            mount("-o", "remount,exec", sys.argv[1])
            assert outcome(template) == "works"
        print(*found)
    """,
    "stale-noexec-bind-mount": """
    path = program(sys.argv[1])
    with create(path) as template:
        mount("--bind", path, path)
        assert outcome(template) == "works"
        mount("-o", "remount,bind,noexec", path)
        print(refusal(lambda: template.spawn(["true"])))
    """,
    "stale-bind-mount": """
    path = program(sys.argv[1])
    with create(path) as template:
        mount("--bind", "/bin/false", path)
        refused = refusal(lambda: template.spawn(["true"]))
        subprocess.run(["umount", path], check=True)
        print(f"{refused}; {outcome(template)} again without it")
    """,
    "spawn-in-a-forked-child": """
    warnings.simplefilter("ignore")  # CPython 3.12: of a fork beside other threads
    if os.fork() == 0:
        print(refusal(lambda: template.spawn(["true"])), flush=True)
        os._exit(0)
    os.wait()
    """,
    "spawn-after-setresuid": """
    os.setresuid(65534, 65534, 65534)
    print(refusal(lambda: template.spawn(["true"])))
    """,
    "spawn-after-setresuid-of-what-only-root-may-execute": """
    path = program(sys.argv[1])
    os.chmod(path, 0o700)
    template = create(path)
    os.setresuid(65534, 65534, 65534)
    print(refusal(lambda: template.spawn(["true"])))
    """,
    "spawn-process-limit": """
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
    template = create(TRUE)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    print(outcome(template))
    """,
    "spawn-fd-table-full": """
    spare = [os.open("/", os.O_PATH)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0] + 1, 4096))
    print(outcome(template))
    """,
    "spawn-no-memory": """
    new_pid_namespace = 0x20000000
    assert ctypes.CDLL(None).unshare(new_pid_namespace) == 0
    warnings.simplefilter("ignore")  # CPython 3.12: of a fork beside other threads
    init = os.fork()
    if init == 0:
        os._exit(0)
    os.waitpid(init, 0)  # clone(2): ENOMEM in a namespace whose init has ended
    print(outcome(template))
    """,
}
