"""The notebooks run from top to bottom on small samples, here and with the name of another site."""

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from distributed import LocalCluster
from nbclient import NotebookClient

from tests.docs.conftest import surroundings
from tests.integration.conftest import Finished
from tests.integration.test_flow_vh_bb import _small_card as small_vh_bb
from tests.pages import ROOT

# The kernel's own event loop; nothing of ours.
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.timeout(1800)]

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SITE = 'SITE = "local"'


def _executed(
    name: str,
    folder: Path,
    *,
    site: str = "local",
    card: Path | None = None,
    output: str = "",
    scale: float = 1.0,
) -> str:
    """What the cells of a notebook show, run in a folder with some settings."""
    notebook: Any = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert SITE in cells[0].source
    cells[0].source = cells[0].source.replace(SITE, f'SITE = "{site}"')
    given = {"CARD": card, "OUTPUT": output, "SCALE": scale}
    settings = {f"ZNOUGHT_{key}": str(value) for key, value in given.items() if value}
    client = NotebookClient(notebook, timeout=1500, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**surroundings(), **settings})
    return "".join(str(cell.outputs) for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_kept(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert len(cells) <= 14
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []


def test_the_notebook_of_vh_ww_runs(finished: Finished, tmp_path: Path) -> None:
    output = shutil.copytree(finished.output, tmp_path / "output", copy_function=shutil.copy2)
    shown = _executed("vh_ww", tmp_path, card=finished.card, output=str(output))
    assert all(words in shown for words in ("mva_greedy", "macro", "image/png"))


def test_the_notebook_of_agc_ttbar_runs(tmp_path: Path) -> None:
    shown = _executed("agc_ttbar", tmp_path, card=ROOT / "analyses" / "agc_ttbar.yaml", scale=0.1)
    assert all(words in shown for words in ("4j2b", "jes_down", "text/html", "image/png"))


def test_the_notebook_of_vh_bb_runs(tmp_path: Path) -> None:
    shown = _executed("vh_bb", tmp_path, card=small_vh_bb(tmp_path))
    assert all(words in shown for words in ("text/html", "image/png"))


def test_own_ntuples_run_here_and_on_another_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = _executed("own_ntuples", tmp_path)
    assert all(words in shown for words in ("nanoaod", "text/html", "image/png"))
    sites = tmp_path / "config" / "znought" / "sites.yaml"
    sites.parent.mkdir(parents=True)
    loopback = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, threads_per_worker=1, **loopback) as cluster:
        sites.write_text(yaml.safe_dump({"mine": {"base": "address", "address": cluster.scheduler_address}}))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(sites.parents[1]))
        elsewhere = _executed("own_ntuples", tmp_path, site="mine", output="elsewhere")
    assert (tmp_path / "elsewhere" / "report.html").exists()
    results = [(tmp_path / name / "results.json").read_text() for name in ("output-own", "elsewhere")]
    assert results[0] == results[1]
    assert "image/png" in elsewhere
