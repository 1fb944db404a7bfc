"""Files of whole outputs, beside somebody who removes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from agent_exec.runtime.spill import OutputFile


def test_one_that_somebody_has_removed_is_closed_all_the_same(tmp_path: Path) -> None:
    made = OutputFile.create(str(tmp_path / "outputs"), "a", 10)
    assert os.path.isfile(made.path)
    shutil.rmtree(tmp_path / "outputs")
    made.close(keep=False)
    assert list(tmp_path.iterdir()) == []
