"""Every exception: drawn in the docstring, and whole after a trip through pickle."""

from __future__ import annotations

import errno
import inspect
import pickle

import pytest

from agent_exec import errors
from agent_exec.errors import AgentExecError, LaunchError, ProgramNotFound, Step, TemplateError

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, AgentExecError)
}


def test_the_docstring_draws_the_tree() -> None:
    assert errors.__doc__ is not None
    parents: dict[int, str] = {}
    drawn = {}
    for line in errors.__doc__.splitlines():
        name = line.strip(" │├└─").split(" ")[0]
        if name not in CLASSES:
            continue
        depth = line.index(name)
        above = [parents[level] for level in sorted(parents) if level < depth]
        drawn[name] = above[-1] if above else "Exception"
        parents = {level: parent for level, parent in parents.items() if level < depth}
        parents[depth] = name
    assert drawn == {name: kind.__mro__[1].__name__ for name, kind in CLASSES.items()}


@pytest.mark.parametrize(
    "error",
    [
        LaunchError("/bin/x", Step.CWD, errno.ENOENT, action=3, stage=1),
        TemplateError("/bin/x", errno.ESTALE, "why"),
        ProgramNotFound("x", ("/bin", "/usr/bin"), ("/tree/x",)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_data_survives_pickling(error: AgentExecError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
