"""The page on notebooks runs in one, from top to bottom, and its results are tables and pictures there."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from tests.integration.conftest import ROOT
from znought.facility.starting.own_events import start

# The kernel's own event loop; nothing of ours.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINES = 10


def _blocks() -> list[str]:
    return BLOCK.findall((ROOT / "docs" / "notebooks.md").read_text())


def _shown(cell: Any) -> set[str]:
    return {kind for output in cell.outputs for kind in output.get("data", {})}


def test_the_page_runs_as_a_notebook(tmp_path: Path) -> None:
    start(tmp_path / "peak")
    path = tmp_path / "peak" / "peak.yaml"
    card = yaml.safe_load(path.read_text())
    # No fit and few figures: the run of the first cell is a whole one.
    for name in ("signal", "signal_region", "discriminants", "likelihood", "variations"):
        del card[name]
    card |= {"regions": {"peak": card["regions"]["peak"]}, "plotting": {"variables": ["m_mumu"]}}
    path.write_text(yaml.safe_dump(card | {"validation": {"action": "report"}}))
    cells = [nbformat.v4.new_code_cell(block) for block in _blocks()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path / "peak")}})
    client.execute()
    shown = [_shown(cell) for cell in notebook.cells]
    assert [("text/html" in kinds) for kinds in shown] == [True, True, True, True, True, False]
    assert "image/png" in shown[-1]
    tables = "".join(str(cell.outputs) for cell in notebook.cells)
    for words in (
        "expected events of Resonance in two muons",
        "total",
        "have not seen it",
        "Fit of expected",
    ):
        assert words in tables, words


@pytest.mark.parametrize("about", ["greedy", "train_folds", "workspace(", "data_mc("])
def test_each_takes_few_lines(about: str) -> None:
    """Without imports, made-up input and comments: calls of the library, one per statement."""
    (block,) = [one for one in _blocks() if about in one]
    lines = [line for line in block.splitlines() if line and not line.startswith(("from", "import", "rng"))]
    assert len(lines) <= LINES + 4
