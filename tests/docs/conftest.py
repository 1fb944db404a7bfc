"""Who reads a guide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from guide import Reader, reader_in


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with reader_in(tmp_path) as made:
        yield made
