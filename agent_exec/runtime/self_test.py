"""The self-tests of a launcher, as doctor shows them."""

from __future__ import annotations

from dataclasses import dataclass

from agent_exec.launch.kernel_probe import why_not_kernel
from agent_exec.launch.kernel_selftest import SelfTest, run_self_tests
from agent_exec.launch.system_call import SystemCall, system_call


@dataclass(frozen=True, slots=True)
class SelfTests:
    """What the RFC's self-tests found; none was run where the kernel has not the calls."""

    why_not: str | None
    tests: tuple[SelfTest, ...]

    @property
    def passed(self) -> bool:
        """Were they run, and is all as the RFC says?"""
        return self.why_not is None and not any(test.problem for test in self.tests)

    def to_json(self) -> dict[str, object]:
        """As one object."""
        return {
            "launcher": "kernel",
            "available": self.why_not is None,
            "why_not": self.why_not,
            "tests": [
                {"number": test.number, "name": test.name, "problem": test.problem or None}
                for test in self.tests
            ],
        }

    def as_text(self) -> str:
        """A line per test, and one that counts them."""
        if self.why_not is not None:
            return f"not available: {self.why_not}"
        lines = [
            f"not ok {test.number} {test.name}: {test.problem}"
            if test.problem
            else f"ok {test.number} {test.name}"
            for test in self.tests
        ]
        failed = sum(bool(test.problem) for test in self.tests)
        return "\n".join([*lines, f"{len(self.tests) - failed} passed, {failed} failed"])


def self_test_kernel(call: SystemCall = system_call) -> SelfTests:
    """Run the 17 self-tests of the RFC; about a second."""
    why_not = why_not_kernel(call)
    return SelfTests(why_not, () if why_not is not None else tuple(run_self_tests(call)))
