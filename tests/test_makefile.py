"""The Makefile on a machine that lacks something."""

import shutil
import subprocess
from pathlib import Path

from support.processes import ROOT

# As Debian's Python without the package python3-venv: it leaves a folder without pip behind.
_PYTHON = """#!/bin/sh
case "$*" in *venv*) mkdir -p .venv/bin; touch .venv/bin/python; exit 1;; esac
"""


def test_a_virtual_environment_that_could_not_be_made_is_made_again(tmp_path: Path) -> None:
    """Break: leave the folder behind, so that the next `make` misses pip."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "uv.lock").touch()
    python = tmp_path / "python3"
    python.write_text(_PYTHON, encoding="utf-8")
    python.chmod(0o755)
    for _ in range(2):
        done = subprocess.run(
            ["make", "setup", f"PYTHON={python}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Creating .venv" in done.stdout
        assert done.returncode == 2
        assert not (tmp_path / ".venv").exists()
