"""Which files of the log are removed, and when."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.runtime.audit.files import _number_of, file_name, files_of, remove_old


@given(st.dates(), st.dates())
def test_days_are_as_far_apart_as_in_a_calendar(one: dt.date, other: dt.date) -> None:
    apart = _number_of(one.isoformat()) - _number_of(other.isoformat())
    assert apart == (one - other).days


@pytest.mark.parametrize(
    ("today", "day", "kept"),
    [
        pytest.param("2024-03-01", "2024-02-28", True, id="leap-year"),
        pytest.param("2023-03-01", "2023-02-26", False, id="no-leap-year"),
        pytest.param("2023-03-01", "2023-02-27", True, id="to-the-day"),
        pytest.param("2027-01-01", "2026-12-30", True, id="new-year"),
        pytest.param("2027-01-01", "2026-12-29", False, id="last-year"),
        pytest.param("2027-01-01", "2026-13-01", True, id="no-month"),
        pytest.param("2027-01-01", "2026-00-10", True, id="month-nought"),
        pytest.param("2027-01-01", "2026-10-32", True, id="no-day"),
    ],
)
def test_files_of_days_that_are_past_are_removed(
    tmp_path: Path, today: str, day: str, kept: bool
) -> None:
    file = tmp_path / file_name(day, 1)
    file.touch()
    remove_old(str(tmp_path), today, 2)
    assert files_of(str(tmp_path)) == ([str(file)] if kept else [])
