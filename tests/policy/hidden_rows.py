"""All hidden rows, in one table."""

from __future__ import annotations

from policy import hidden_more, hidden_options, hidden_shell, hidden_wrappers

ROWS = (
    *hidden_shell.ROWS,
    *hidden_wrappers.ROWS,
    *hidden_options.ROWS,
    *hidden_more.ROWS,
)
