"""The words of bash 5.2, which `tests/shell/test_execution.py` compares with bash itself."""

from __future__ import annotations

import signal

import pytest

from agent_exec.shell.job_message import Ending, job_message


def _ending(shown: str, *, status: int | None = None, by: int | None = None) -> Ending:
    return Ending(shown, 4321, status, by)


@pytest.mark.parametrize(
    ("endings", "message"),
    [
        pytest.param(
            [_ending("sleep 9", by=signal.SIGKILL)],
            "bash: line 7:  4321 Killed                  sleep 9\n",
            id="one-command",
        ),
        pytest.param(
            [_ending("./x", by=signal.SIGFPE)],
            "bash: line 7:  4321 Floating point exception./x\n",
            id="a-long-description",
        ),
        pytest.param([_ending("x", by=signal.SIGTERM)], "Terminated\n", id="terminated"),
        pytest.param([_ending("x", by=signal.SIGINT)], "", id="interrupted"),
        pytest.param([_ending("x", by=signal.SIGPIPE)], "", id="broken-pipe"),
        pytest.param([_ending("x", status=3)], "", id="not-by-a-signal"),
        pytest.param(
            [_ending("x", by=signal.SIGKILL), _ending("y", status=0)], "", id="not-the-last"
        ),
        pytest.param(
            [
                _ending("a 1", status=0),
                _ending("b", status=3),
                _ending("c", by=signal.SIGABRT),
            ],
            "bash: line 7:  4321 Done                    a 1\n"
            "      4321 Exit 3                  | b\n"
            "      4321 Aborted                 | c\n",
            id="a-pipeline",
        ),
        pytest.param(
            [Ending("x", 4321, None, signal.SIGSEGV, dumped=True)],
            "bash: line 7:  4321 Segmentation fault      (core dumped) x\n",
            id="a-core-file",
        ),
    ],
)
def test_the_message_of(endings: list[Ending], message: str) -> None:
    assert job_message(7, endings) == message
