"""One schema for every vendor, by each vendor's own helper."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from agent_exec.errors import InvalidCall
from agent_exec.schema.definition import definitions

DIALECTS = ("openai", "anthropic", "mcp", "gemini")
PARAMETERS = {
    "openai": "parameters",
    "anthropic": "input_schema",
    "mcp": "inputSchema",
    "gemini": "parametersJsonSchema",
}
TOOLS = ("exec", "exec_read", "exec_write", "exec_stop")


def schemas() -> list[dict[str, Any]]:
    return [tool["parameters"] for tool in definitions("openai")]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_has_the_same_tools_and_the_same_schema(dialect: str) -> None:
    tools = definitions(dialect)
    assert tuple(tool["name"] for tool in tools) == TOOLS
    assert [tool[PARAMETERS[dialect]] for tool in tools] == schemas()
    assert all(20 < len(tool["description"]) < 400 for tool in tools)
    assert json.loads(json.dumps(tools)) == tools


def test_no_other_dialect() -> None:
    with pytest.raises(InvalidCall, match="there are openai, anthropic, mcp, gemini"):
        definitions("cobol")


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [node for each in schema for node in nodes(each)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(node for each in schema.values() for node in nodes(each))]


@pytest.mark.parametrize("schema", schemas(), ids=TOOLS)
def test_it_is_strict_without_what_some_strict_mode_refuses(schema: dict[str, Any]) -> None:
    assert schema["type"] == "object"
    for node in nodes(schema):
        if "properties" in node:
            assert node["required"] == list(node["properties"])
            assert node["additionalProperties"] is False
            assert all(each.get("description") or each for each in node["properties"].values())
        if "type" in node and not isinstance(node["type"], dict):
            assert isinstance(node["type"], str)
        assert not {"$ref", "$defs", "default", "title", "oneOf", "allOf", "not"}.intersection(node)


@pytest.mark.parametrize("schema", schemas(), ids=TOOLS)
def test_every_field_is_explained_to_the_model(schema: dict[str, Any]) -> None:
    assert all(field["description"] for field in schema["properties"].values())


@pytest.mark.parametrize("schema", schemas(), ids=TOOLS)
@pytest.mark.foreign
def test_json_schema_2020_12(schema: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.foreign
def test_results_are_what_the_output_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    from schema.test_text import DONE

    for tool in definitions("mcp"):
        jsonschema.Draft202012Validator(tool["outputSchema"]).validate(DONE.to_json())


@pytest.mark.parametrize("schema", schemas(), ids=TOOLS)
@pytest.mark.foreign
def test_openai_strict_mode_changes_nothing(schema: dict[str, Any]) -> None:
    strict = pytest.importorskip("agents.strict_schema")
    assert strict.ensure_strict_json_schema(copy.deepcopy(schema)) == schema


@pytest.mark.parametrize("schema", schemas(), ids=TOOLS)
@pytest.mark.foreign
def test_anthropic(schema: dict[str, Any]) -> None:
    anthropic = pytest.importorskip("anthropic")
    made = anthropic.transform_schema(copy.deepcopy(schema))
    assert made["properties"].keys() == schema["properties"].keys()


@pytest.mark.parametrize("schema", schemas(), ids=TOOLS)
@pytest.mark.foreign
def test_gemini(schema: dict[str, Any]) -> None:
    types = pytest.importorskip("google.genai.types")
    made = types.Schema.from_json_schema(
        json_schema=types.JSONSchema.model_validate(schema), raise_error_on_unsupported_field=True
    )
    assert made.properties.keys() == schema["properties"].keys()
