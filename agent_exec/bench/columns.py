"""Aligned cells, for a terminal without colours."""

from __future__ import annotations

from collections.abc import Sequence


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    """Lines of aligned cells. With `numbers`, a cell that starts with a digit is set right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    right = [
        numbers and all(row[i][:1].isdigit() or row[i] == "-" for row in rows)
        for i in range(len(head))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
        )
        return f"  {'  '.join(padded)}".rstrip()

    return "\n".join(line(cells) for cells in (head, *rows))
