"""The page of the command line agrees with the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from agent_exec.cli.commands import app
from agent_exec.model.decision import Route, Verdict
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.plan import TemplateUse
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.runtime.doctor import examine

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGE = (REFERENCE / "cli.md").read_text("utf-8")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every command below `command` that does something, with its full name."""
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, inner in below.items():
        yield from commands(inner, f"{name} {word}")


COMMANDS = dict(commands(get_command(app), "agent-exec"))


PAGES_OF_THEIR_OWN = {
    "agent-exec bench agent-tools": "bench-agent-tools.md",
    "agent-exec bench launch": "bench-launch.md",
}


def section(name: str) -> str:
    """What the reference says about the command `name`."""
    if name in PAGES_OF_THEIR_OWN:
        return (REFERENCE / PAGES_OF_THEIR_OWN[name]).read_text("utf-8")
    _, _, rest = PAGE.partition(f"## {name}\n")
    return rest.partition("\n## ")[0]


def test_every_command_has_a_section() -> None:
    assert re.findall(r"^## (agent-exec .*)$", PAGE, re.MULTILINE) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_section_and_no_other(name: str) -> None:
    rows = "\n".join(re.findall(r"^\| (`-.*?) \|", section(name), re.MULTILINE))
    options = {
        word
        for param in COMMANDS[name].params
        if param.param_type_name == "option" and param.name != "help"
        for word in param.opts
    }
    # `--no-x` stands for the switch `--x/--no-x` whose default is on.
    written = set(re.findall(r"`(-[-\w]+)", rows))
    assert {word.replace("--no-", "--") for word in written} == options


def test_the_options_of_the_command_itself_are_told() -> None:
    intro = PAGE.partition("\n## ")[0]
    options = {word for param in get_command(app).params for word in param.opts}
    assert options | {"--help"} == set(
        re.findall(r"--[-\w]+", intro.replace("agent-exec --", "--"))
    )


def test_every_fact_of_doctor_is_explained_and_no_other() -> None:
    cells = re.findall(r"^\| (`[a-z].*?) \|", section("agent-exec doctor"), re.MULTILINE)
    told = set(re.findall(r"`(.+?)`", ", ".join(cells)))
    found = {re.sub(r"^tool .*", "tool NAME", fact.name) for fact in examine().facts}
    assert told == found


def test_the_json_object_has_the_fields_of_a_result() -> None:
    _, _, rest = PAGE.partition("```json\n")
    shown = json.loads(rest.partition("```")[0])
    stage = StageResult(("cat", "greeting.txt"), 0, None, LauncherName.VFORK, TemplateUse.MISS)
    result = ToolResult(
        id=shown["id"],
        verdict=Verdict.ALLOW,
        route=Route.DIRECT,
        ended=Ended.EXIT,
        status=0,
        stages=(stage,),
        stdout=Output("hello, worktree\n"),
        duration_ms=shown["duration_ms"],
        held_by=("landlock", "seccomp", "cgroup"),
    )
    assert shown == result.to_json()
    assert list(shown) == list(result.to_json())


@pytest.mark.parametrize("field", [name for name in ToolResult._fields if name != "text"])
def test_every_field_is_explained(field: str) -> None:
    cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section("The JSON object"), re.MULTILINE)
    assert f"`{field}`" in ", ".join(cells).split(", ")
