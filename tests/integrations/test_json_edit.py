"""One thing changed in a text, and every other byte as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec import InvalidCall
from agent_exec.integrations.json_edit import drop, put, read, replace

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        pytest.param("", '{\n  "a": {\n    "b": [\n      1\n    ]\n  }\n}\n', id="empty"),
        pytest.param(
            '{\n\t"x": 1\n}\n',
            '{\n\t"x": 1,\n\t"a": {\n\t\t"b": [\n\t\t\t1\n\t\t]\n\t}\n}\n',
            id="tabs",
        ),
        pytest.param('{"x": 1}', '{"x": 1, "a": {"b": [1]}}', id="one-line"),
        pytest.param(
            '{\n  // why\n  "a": {"b": [0]} /* end */\n}',
            '{\n  // why\n  "a": {"b": [0, 1]} /* end */\n}',
            id="comments",
        ),
        pytest.param(
            '{\r\n  "a": {}\r\n}\r\n',
            '{\r\n  "a": {\r\n    "b": [\r\n      1\r\n    ]\r\n  }\r\n}\r\n',
            id="other-line-ends",
        ),
    ],
)
def test_what_is_put_in_looks_like_the_rest(text: str, after: str) -> None:
    at = len(read(text, "f").get("a", {}).get("b", [])) if text else 0
    assert put(text, ("a", "b", at), 1, "f") == after


@given(content=OBJECTS, indent=st.sampled_from([None, 1, 4, "\t"]), value=JSON)
def test_what_was_put_in_can_be_dropped_and_the_rest_is_the_same(
    content: dict[str, object], indent: int | str | None, value: object
) -> None:
    text = json.dumps(content, indent=indent)
    with_it = put(text, ("a key of ours",), value, "f")
    assert json.loads(with_it) == {**content, "a key of ours": value}
    assert json.loads(drop(with_it, ("a key of ours",), "f")) == content


@given(content=OBJECTS, indent=st.sampled_from([None, 2]))
def test_every_member_can_be_dropped(content: dict[str, object], indent: int | None) -> None:
    for key in content:
        left = drop(json.dumps(content, indent=indent), (key,), "f")
        assert json.loads(left) == {name: v for name, v in content.items() if name != key}


@given(JSON)
def test_json_is_read_as_it_is(value: object) -> None:
    assert read(json.dumps(value), "f") == value


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param('{"a": 1', 1, id="open"),
        pytest.param('{"a" 1}', 1, id="no-colon"),
        pytest.param('{\n"a": tru\n}', 2, id="word"),
        pytest.param("{}\n{}", 2, id="two"),
        pytest.param("{1: 2}", 1, id="number-as-key"),
        pytest.param("[" * 5000, 1, id="deep"),
    ],
)
def test_what_is_none_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InvalidCall, match=f"^f:{line}: "):
        read(text, "f")


def test_something_else_on_the_way_is_refused() -> None:
    with pytest.raises(InvalidCall, match="at a is"):
        put('{"a": 7}', ("a", "b"), 1, "f")


def test_half_of_a_character_stays_an_escape() -> None:
    text = replace('{"\\ud800": "\\udfff"}', ("\ud800",), {"\udc00": "\udfff"}, "f")
    assert text == '{"\\ud800": {"\\udc00": "\\udfff"}}'
    assert put(text, ("\udfff",), 1, "f").encode()
