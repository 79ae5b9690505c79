"""The notebook runs from top to bottom, on the results of the small analysis."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.integration.conftest import ROOT, Finished

# The kernel's own event loop; nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_the_notebook_runs(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = shutil.copytree(finished.output, tmp_path / "output", copy_function=shutil.copy2)
    monkeypatch.setenv("ZNOUGHT_CARD", str(finished.card))
    monkeypatch.setenv("ZNOUGHT_OUTPUT", str(output))
    notebook = nbformat.read(ROOT / "notebooks" / "vh_ww.ipynb", as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = "".join(str(cell.get("outputs", "")) for cell in notebook.cells)
    assert "mva_greedy" in printed
    assert "macro" in printed
    assert "image/png" in printed
