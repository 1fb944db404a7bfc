"""What doctor finds is what the kernel answered: asked again where it was made to refuse."""

from __future__ import annotations

import ast
import errno
import json
import os
from typing import Any

import pytest
from realproc import is_built, run_host

from agent_exec.policy import judge
from agent_exec.policy.merge import BASE
from agent_exec.runtime.doctor import Finding, Findings, examine
from agent_exec.runtime.kernel import probe_features
from agent_exec.template import pin

pytestmark = pytest.mark.timeout(30)

X86 = os.uname().machine == "x86_64"
NUMBERS = {
    "clone3": 435,
    "close_range": 436,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "AT_EXECVE_CHECK": 322 if X86 else 281,
}
IOCTL = 16 if X86 else 29


def facts_where_refused(number: int, error: int) -> dict[str, Any]:
    """The facts that doctor finds in a process that is refused a system call."""
    script = """
        import json
        from agent_exec.runtime.doctor import examine
        refuse_system_calls([int(sys.argv[1])], int(sys.argv[2]))
        print(json.dumps(examine().to_json()["facts"]))
    """
    found: dict[str, Any] = json.loads(run_host("portable", script, f"{number}", f"{error}").stdout)
    return found


@pytest.mark.skipif(not is_built("vfork"), reason="the vfork launcher is not built")
def test_what_confines_a_child_is_tried_on_one() -> None:
    seccomp = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    here = {fact.name: fact.value for fact in examine().facts}
    assert (here["no_new_privs"], here["seccomp filter"]) == ("works", "works")
    refused = facts_where_refused(seccomp, errno.EPERM)
    assert refused["seccomp filter"]["value"] == "does not work"
    assert "not permitted" in refused["seccomp filter"]["note"]
    assert refused["no_new_privs"]["value"] == "works"


def test_every_feature_is_asked_for_by_itself() -> None:
    assert [feature.name for feature in probe_features()] == list(NUMBERS)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        *[(name, error) for name in NUMBERS for error in (errno.ENOSYS, errno.EPERM)],
        ("AT_EXECVE_CHECK", errno.EINVAL),  # kernels that do not know the flag
    ],
)
def test_a_system_call_that_is_refused_does_not_work(name: str, error: int) -> None:
    script = """
        from agent_exec.runtime.kernel import probe_features
        refuse_system_calls([int(sys.argv[1])], int(sys.argv[2]))
        print({feature.name: feature.error for feature in probe_features()})
    """
    here = {feature.name: feature.error for feature in probe_features()}
    done = run_host("portable", script, f"{NUMBERS[name]}", f"{error}")
    refused = {name: error}
    if name == "pidfd_open":  # without one there is nothing to get a descriptor from
        refused["pidfd_getfd"] = error
    assert ast.literal_eval(done.stdout) == here | refused


def test_the_kernel_can_be_asked_about_a_program_where_doctor_says_so() -> None:
    (check,) = [feature for feature in probe_features() if feature.name == "AT_EXECVE_CHECK"]
    fd = os.open("/bin/sh", os.O_PATH | os.O_CLOEXEC)
    answer = pin._ask_kernel(fd)
    os.close(fd)
    assert (check.error == 0) == (answer is not None)


def test_what_does_not_work_is_told_with_what_follows() -> None:
    fact = facts_where_refused(NUMBERS["pidfd_getfd"], errno.EPERM)["kernel pidfd_getfd"]
    assert fact == {
        "value": "does not work",
        "note": "Operation not permitted: the engine shares the host's descriptors",
    }


@pytest.mark.skipif(not is_built("native"), reason="the native engine is not built")
def test_the_engines_descriptors_are_its_own_unless_they_cannot_be() -> None:
    (table,) = [fact for fact in examine().facts if fact.name == "descriptor table"]
    assert table.value == "private"
    refused = facts_where_refused(NUMBERS["pidfd_getfd"], errno.EPERM)
    assert refused["descriptor table"]["value"] == "shared with the host"


def test_whether_a_judgement_is_compiled_is_told() -> None:
    (judgement,) = [fact for fact in examine().facts if fact.name == "judgement"]
    from_source = str(judge.__file__).endswith(".py")
    assert judgement.value == ("interpreted" if from_source else "compiled")


def test_a_lost_exit_status_is_not_found_where_it_cannot_be_asked_for() -> None:
    refused = facts_where_refused(IOCTL, errno.ENOTTY)
    assert refused["kernel PIDFD_GET_INFO"] == {
        "value": "does not work",
        "note": "a status that somebody else's wait has taken is lost",
    }


def test_templates_are_told_as_a_tool_keeps_them() -> None:
    hot_after, most = (BASE["templates"][name] for name in ("hot_after", "max_per_worktree"))
    (templates,) = [fact for fact in examine().facts if fact.name == "spawn templates"]
    assert templates == Finding(
        "spawn templates",
        "work",
        f"kept from launch {hot_after} of a program on, {most} for each worktree",
    )


@pytest.mark.skipif(not is_built("vfork"), reason="the vfork launcher is not built")
def test_whether_writers_can_be_kept_off_is_tried() -> None:
    (held,) = [fact for fact in examine().facts if fact.name == "template deny_write"]
    assert held.value == "works"
    ptrace = {"x86_64": 101, "aarch64": 117}[os.uname().machine]
    refused = facts_where_refused(ptrace, errno.EPERM)["template deny_write"]
    assert refused["value"] == "does not work"
    assert "nothing may be traced here" in refused["note"]


def test_without_the_program_to_try_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    values = {fact.name: fact.value for fact in examine().facts}
    tried = ("launcher vfork", "launcher portable", "kernel PIDFD_GET_INFO", "guardian")
    assert [values[name] for name in tried] == ["not tried"] * len(tried)
    assert values["spawn templates"] == values["descriptor table"] == "not tried"


def test_findings_are_the_same_as_text_and_as_json() -> None:
    findings = Findings("vfork", (Finding("a", "works"), Finding("long", "no", "why")))
    assert findings.as_text() == "a     works\nlong  no  (why)"
    assert findings.to_json() == {
        "launcher": "vfork",
        "facts": {"a": {"value": "works", "note": None}, "long": {"value": "no", "note": "why"}},
    }
