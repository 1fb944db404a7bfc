"""The page of the tool agrees with the tool."""

from __future__ import annotations

import re
from pathlib import Path

from agent_exec.schema.definition import definitions
from agent_exec.schema.read_call import MOST_STDIN

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "tool-schema.md").read_text("utf-8")


def test_every_argument_is_explained_and_no_other() -> None:
    section = PAGE.partition("## exec\n")[2].partition("\n## ")[0]
    written = [
        word
        for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
        for word in re.findall(r"`(\w+)`", row)
    ]
    assert written == list(definitions("openai")[0]["parameters"]["properties"])


def test_the_limit_of_input_is_as_written() -> None:
    assert f"at most {MOST_STDIN >> 20} MiB" in PAGE
