"""A pydantic model to the one JSON Schema that every strict mode takes.

What they have in common: an object at the top, every property required, no further ones,
``anyOf`` with null for what is optional, no references, defaults or titles.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

_LEFT_OUT = frozenset({"title", "default", "$defs"})


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema 2020-12 of `model`, with its docstring as description of the whole."""
    schema = model.model_json_schema()
    schema.pop("description", None)
    return _strict(schema, schema.get("$defs", {}))


def _strict(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        found = definitions[node["$ref"].rpartition("/")[2]]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _strict({**found, **beside}, definitions)
    made = {key: value for key, value in node.items() if key not in _LEFT_OUT}
    if "properties" in made:
        made["properties"] = {
            name: _strict(each, definitions) for name, each in made["properties"].items()
        }
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    if "anyOf" in made:
        made["anyOf"] = [_strict(each, definitions) for each in made["anyOf"]]
    if "items" in made:
        made["items"] = _strict(made["items"], definitions)
    return made
