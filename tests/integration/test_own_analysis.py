"""A user's analysis: one file and one card in an empty folder, and what runs again when either is edited."""

import json
import os
import shutil
import socket
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.facility.small import write_ntuples
from tests.integration.conftest import znought

ANALYSIS = '''
"""e mu + jets."""

import awkward as ak
from mine import leading_pair

from znought import Analysis, Cuts, Variable


class Selection(Cuts):
    pt_lepton_min_gev: float = 15.0
    n_jets_min: int = 2


def objects(events, cuts):
    electrons = events.Electron[events.Electron.is_tight & (events.Electron.pt > cuts.pt_lepton_min_gev)]
    muons = events.Muon[events.Muon.is_tight & (events.Muon.pt > cuts.pt_lepton_min_gev)]
    return {"electrons": electrons, "muons": muons, "jets": events.Jet[events.Jet.is_good]}


def select(o, cuts):
    return {
        "e_mu": (ak.num(o.electrons) >= 1) & (ak.num(o.muons) >= 1),
        "jets": ak.num(o.jets) >= cuts.n_jets_min,
    }


def m_ll(o):
    return (o.electrons[:, 0] + o.muons[:, 0]).mass


ANALYSIS = Analysis(
    "emu",
    selection=Selection,
    objects=objects,
    select=select,
    variables=[
        Variable(m_ll, bins=(20, 0, 200), label="$m_{ll}$", unit="GeV"),
        Variable("m_jj", lambda o: leading_pair(o.jets).mass, bins=(20, 0, 400), unit="GeV"),
        Variable("n_jets", lambda o: ak.num(o.jets), bins="integer"),
    ],
)
'''
HELPER = "def leading_pair(jets):\n    return jets[:, 0] + jets[:, 1]\n"
CARD = """
analysis: emu.py
title: e mu
lumi_ifb: 10.0
processes: {VH: {}, top: {}, data: {kind: data}}
datasets:
  vh: {process: VH, xsec_pb: 0.1, files: ["a.root", "b.root"]}
  ttbar: {process: top, xsec_pb: 1.0, files: ["c.root"]}
  data: {process: data, files: ["d.root", "e.root"], lumi_ifb: 2.0}
regions:
  low: {m_ll: [null, 80.0]}
validation: {action: report}
"""
STAGES = ("process", "validate", "summarise", "plot")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a user after a run that went through."""
    folder = tmp_path_factory.mktemp("own")
    write_ntuples(folder)
    (folder / "emu.py").write_text(ANALYSIS)
    (folder / "mine.py").write_text(HELPER)
    card = CARD
    for name in "abcde":
        card = card.replace(f'"{name}.root"', f'"{folder}/{name}.root"')
    (folder / "card.yaml").write_text(card)
    checked = znought("check", folder / "card.yaml")
    assert "of the first 200 pass" in checked.stdout
    znought("run", folder / "card.yaml", "--output", folder / "out", "--workers", 1)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of the folder, output included, somewhere else; ntuples stay where they are."""
    for name in ("emu.py", "mine.py", "card.yaml"):
        shutil.copy(finished / name, tmp_path / name)
    shutil.copytree(finished / "out", tmp_path / "out")
    return tmp_path


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[str]:
    """Address of a scheduler with one worker, neither of which has this package; all else they have."""
    venv.create(tmp_path / "bare", with_pip=False)
    (packages,) = (tmp_path / "bare/lib").glob("python*/site-packages")
    # A path in a .pth file is searched, but the .pth files in it (the editable installation's) are not read.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(tmp_path / "bare/bin/python")
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert subprocess.run(
        [python, "-c", "import znought"], env=surroundings, cwd=tmp_path, check=False
    ).returncode
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    started = [
        subprocess.Popen([python, "-m", *command], env=surroundings, cwd=tmp_path, stderr=subprocess.DEVNULL)
        for command in (scheduler, worker)
    ]
    try:
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def test_scheduler_and_workers_need_not_have_the_package(
    finished: Path, tmp_path: Path, strangers: str
) -> None:
    card, output = finished / "card.yaml", tmp_path / "out"
    znought("process", card, "--output", output, "--site", "address", "--address", strangers)
    for name in ("cutflow.json", "ledger.json"):
        assert (output / name).read_bytes() == (finished / "out" / name).read_bytes()


def _done(folder: Path) -> dict[str, bool]:
    """Stage → whether a run did it again."""
    printed = znought("run", folder / "card.yaml", "--output", folder / "out", "--workers", 1).stderr
    return {stage: f"{stage:<9} done" in printed for stage in STAGES}


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_yields_by_region_and_figures_are_there(finished: Path) -> None:
    results: Any = json.loads((finished / "out/results.json").read_text())
    assert set(results["regions"]["low"]) == {"VH", "top"}
    assert all(entry["events"][0] > 0 for entry in results["regions"]["low"].values())
    figures = {path.stem for path in (finished / "out/figures").glob("*.png")}
    assert {"region_low_m_ll", "region_low_n_jets", "cutflow", "n_minus_one_low_m_ll"} <= figures
    assert (finished / "out/report.html").exists()


def test_a_copied_directory_stays_valid(copied: Path) -> None:
    assert not any(_done(copied).values())


REDRAWN = {"process": False, "validate": True, "summarise": False, "plot": True}


def test_a_label_of_the_card_redraws_figures_only(copied: Path) -> None:
    _edit(copied / "card.yaml", "{VH: {}", "{VH: {label: $VH$, colour: black}")
    assert _done(copied) == REDRAWN


def test_a_label_of_the_analysis_leaves_columns_as_they_are(copied: Path) -> None:
    """Its source decides what `process` makes; what comes out is the same, and only what draws follows."""
    _edit(copied / "emu.py", "$m_{ll}$", r"$m_{\\ell\\ell}$")
    assert _done(copied) == REDRAWN | {"process": True}


FIGURE = '''
def spectrum(run):
    """Mass of the leptons.

    Of the events of one dataset.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.hist(run.events("vh", ["m_ll"]).columns["m_ll"], bins=20)
    return figure


'''


def test_a_figure_of_the_analysis_is_drawn_and_shown(copied: Path) -> None:
    _edit(copied / "emu.py", "ANALYSIS =", FIGURE + "ANALYSIS =")
    _edit(copied / "emu.py", "    variables=[", "    figures=[spectrum],\n    variables=[")
    _done(copied)
    assert (copied / "out/figures/spectrum.png").stat().st_size > 5000
    assert "Mass of the leptons" in (copied / "out/report.html").read_text()
    _edit(copied / "emu.py", "return figure", "return axes")
    failed = znought("plot", copied / "card.yaml", "--output", copied / "out", check=False)
    assert "figure 'spectrum': expected a matplotlib Figure, received Axes" in failed.stderr


def test_a_cut_redoes_all_that_follows(copied: Path) -> None:
    _edit(copied / "card.yaml", "regions:", "selection: {n_jets_min: 3}\nregions:")
    assert all(_done(copied).values())


def test_a_module_beside_the_analysis_counts_as_its_source(copied: Path) -> None:
    _edit(copied / "mine.py", "jets[:, 0] + jets[:, 1]", "1.0 * (jets[:, 0] + jets[:, 1])")
    assert _done(copied)["process"]


def test_a_mistake_in_a_function_is_one_line(copied: Path) -> None:
    _edit(copied / "emu.py", "o.muons[:, 0]).mass", "o.muon[:, 0]).mass")
    line = (
        (copied / "emu.py")
        .read_text()
        .splitlines()
        .index("    return (o.electrons[:, 0] + o.muon[:, 0]).mass")
    )
    failed = znought("check", copied / "card.yaml", check=False)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stdout + failed.stderr
    for words in (f"emu.py:{line + 1}", "m_ll", "did you mean 'muons'", "datasets.vh"):
        assert words in failed.stdout, words


def test_a_card_tells_all_of_its_mistakes_at_once(copied: Path) -> None:
    _edit(copied / "card.yaml", "m_ll: [null", "m_l: [null")
    _edit(copied / "card.yaml", "xsec_pb: 1.0", "xsec: 1.0")
    failed = znought("check", copied / "card.yaml", check=False)
    assert failed.returncode == 1
    assert "did you mean 'm_ll'" in failed.stdout
    assert "did you mean 'datasets.ttbar.xsec_pb'" in failed.stdout
    assert "2 mistakes" in failed.stdout or "3 mistakes" in failed.stdout
