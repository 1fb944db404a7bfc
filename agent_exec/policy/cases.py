"""Tables of cases: calls, and the verdicts that they are to have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError, model_validator

from agent_exec.errors import AgentExecError, PolicyError
from agent_exec.model.decision import Decision
from agent_exec.named_tuple import NamedTuple

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_BYTES = 16 * 1024 * 1024
Words = Annotated[list[StrictStr], Field(min_length=1)]


class Case(BaseModel):
    """One call, and what is to be decided."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    argv: Words | None = None
    pipeline: Annotated[list[Words], Field(min_length=1)] | None = None
    command: StrictStr | None = None
    cwd: StrictStr | None = None
    env: dict[StrictStr, StrictStr] | None = None
    stdin: StrictStr | None = None
    verdict: Literal["allow", "ask", "deny"]
    route: Literal["direct", "shell"] | None = None

    @model_validator(mode="after")
    def _has_one_form(self) -> Case:
        if [self.argv, self.pipeline, self.command].count(None) != 2:
            raise ValueError("a case has one of argv, pipeline and command")
        return self

    def call(self) -> Mapping[str, Any]:
        """Without what is to come of it."""
        return self.model_dump(exclude_none=True, exclude={"verdict", "route"})


class Failed(NamedTuple):
    """A case that came out otherwise."""

    number: int
    """From 1."""
    call: Mapping[str, Any]
    message: str


def read_cases(path: str) -> tuple[Case, ...]:
    """The cases of a YAML file: a list of calls with ``verdict``.

    Raises:
        PolicyError: It cannot be read, or is wrong.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        content = yaml.load(text, _LOADER)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise PolicyError(f"{path}: {' '.join(str(error).split())}") from None
    if len(text) > _MOST_BYTES:
        raise PolicyError(f"{path}: larger than {_MOST_BYTES} bytes")
    if not isinstance(content, list):
        raise PolicyError(f"{path}: a table of cases is a list of calls with their verdicts")
    return tuple(_cases(content, path))


def run_cases(
    cases: Iterable[Case], check: Callable[[Mapping[str, Any]], Decision]
) -> Iterator[Failed]:
    """Those that come out otherwise. `check` decides on a call, and raises InvalidCall."""
    for number, case in enumerate(cases, 1):
        call = case.call()
        try:
            decision = check(call)
        except AgentExecError as error:
            yield Failed(number, call, f"{case.verdict} was expected: {error}")
            continue
        if decision.verdict != case.verdict:
            reasons = "; ".join(decision.because)
            message = f"{case.verdict} was expected, it is {decision.verdict.value}: {reasons}"
            yield Failed(number, call, message)
        elif case.route is not None and decision.route != case.route:
            route = "none" if decision.route is None else decision.route.value
            reason = decision.route_reason or "no shell is needed"
            message = f"the route {case.route} was expected, it is {route}: {reason}"
            yield Failed(number, call, message)


def _cases(content: list[object], path: str) -> Iterator[Case]:
    for number, entry in enumerate(content, 1):
        try:
            yield Case.model_validate(entry)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            at = f"{where}: " if where else ""
            raise PolicyError(f"{path}: case {number}: {at}{first['msg']}") from None
