"""Our state is never in a directory that only relative words name."""

from __future__ import annotations

import pwd

import pytest

from agent_exec.homes import home, state_home


@pytest.mark.parametrize(
    ("given", "found"),
    [
        pytest.param("/h", "/h", id="absolute"),
        pytest.param("h", "/", id="relative"),
        pytest.param("", "/", id="empty"),
        pytest.param(None, "/", id="unknown"),
    ],
)
def test_home(monkeypatch: pytest.MonkeyPatch, given: str | None, found: str) -> None:
    def nobody(_uid: int) -> object:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    if given is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", given)
    assert home() == found
    for state in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "state"}):
        assert state_home(state) == f"{found.rstrip('/')}/.local/state"
    assert state_home({"XDG_STATE_HOME": "/state"}) == "/state"
