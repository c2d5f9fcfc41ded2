"""All notebooks run from top to bottom, on a real server, with a real kernel."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.jupyter import environment

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def drawn_in(data: dict[str, Any]) -> bool:
    """Whether this is what Panel marks as drawn by a kernel."""
    return "application/vnd.holoviews_exec.v0+json" in data


def test_there_are_four() -> None:
    assert [name[0] for name in NAMES] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(FOLDER / "example.py", tmp_path)
    for variable, value in environment(tmp_path, data_dir).items():
        monkeypatch.setenv(variable, value)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", nbformat.NO_CONVERT)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert sum(map(drawn_in, shown)) >= 2
    if name.startswith("4"):
        assert b'<script type="importmap">' in (tmp_path / "weekly-report.html").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_of_a_notebook_is_small_and_whole(name: str) -> None:
    """Their text and pictures can be read where no kernel runs; scripts that only a kernel brings to life aren't kept."""
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 300_000
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "run from top to bottom"
    kinds = {kind for cell in code for output in cell.outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
    assert kinds <= {"image/png", "text/html", "text/plain"}
    assert not re.search(r"https?://(?!127\.0\.0\.1)|<script", path.read_text())
