"""Data and simulation of five eras in one card, from `znought check` to the fit."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from distributed import Client
from typer.testing import CliRunner

from tests.analyses.vh_ww.independent import Independent, independent
from tests.facility.small import context_of
from tests.integration.run2 import ERAS, PROCESSES, write_run2
from tests.processors.fixtures import whole_chunk
from tests.processors.test_calibration import ERAS as OFFICIAL
from znought.facility.cards.reading import StandardCard
from znought.facility.cli import app
from znought.facility.context import Context
from znought.facility.events.store import read_events
from znought.facility.pipeline import run_stages, whole
from znought.facility.regions.books import read_region_books
from znought.facility.results.standard import read_results
from znought.facility.stages.process import process
from znought.facility.workspace import Workspace
from znought.processors.canonical import canonical_source
from znought.processors.canonical.momenta import JET_NOISE

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Context[StandardCard]:
    """After a whole run but its figures."""
    context = context_of(write_run2(tmp_path_factory.mktemp("run2")), tmp_path_factory.mktemp("out"))
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as client:
        run_stages(replace(context, cluster=lambda: client), whole(context)[:-1])
    return context


_KNOWN: dict[tuple[Path, str, tuple[str, str]], Independent] = {}


def _expected(card: StandardCard, name: str, vary: tuple[str, str] = ("", "nom")) -> Independent:
    """What passes of a dataset, worked out once."""
    key = card.folder, name, vary
    if key not in _KNOWN:
        _KNOWN[key] = _passing(card, name, vary)
    return _KNOWN[key]


def _passing(card: StandardCard, name: str, vary: tuple[str, str]) -> Independent:
    """What passes of a dataset by an independent calculation: selected, certified, triggered and clean."""
    dataset = card.datasets[name]
    period, path = ERAS[str(dataset.era)], str(dataset.files[0])
    if vary[0].startswith("Regrouped_Absolute_2") and not vary[0].endswith(period.year):
        vary = ("", "nom")
    btag, point = period.btag
    is_data = dataset.process == "data"
    noise = canonical_source(whole_chunk(path, is_data=is_data)).array(JET_NOISE)
    calibration = card.request.jets[name]
    found = independent(path, calibration, noise, btag=btag, working_point=point, vary=vary)
    events = uproot.open(path)["Events"].arrays(
        ["event", "run", "luminosityBlock", "Flag_goodVertices", "HLT_Mu23_Ele12_v7", "HLT_IsoMu24"],
        library="np",
    )
    passed = events["Flag_goodVertices"] & events["HLT_Mu23_Ele12_v7"]
    if dataset.process == "data":
        passed &= np.isin(events["luminosityBlock"], [*range(1, 8), 9])
    else:
        passed |= events["Flag_goodVertices"] & events["HLT_IsoMu24"]
    kept = np.isin(found.event, events["event"][passed])
    return Independent(*(values[kept] for values in vars(found).values()))


def _columns(output: Path, name: str, variation: str = "nominal") -> Any:
    return read_events(
        output / "columns", [name], ["gen_weight", "pt_j0", "m_jj", "met"], variation=variation
    )


def test_check_has_nothing_to_say(finished: Context[StandardCard], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(finished.card.folder / "run2.yaml")])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("era", ERAS)
def test_events_of_every_era_equal_an_independent_calculation(
    finished: Context[StandardCard], era: str
) -> None:
    output = finished.workspace.columns.parent
    for process_name in PROCESSES:
        name = f"{process_name}_{era}"
        expected, found = _expected(finished.card, name), _columns(output, name)
        assert len(expected.event) > 30
        order = np.argsort(found["event"])
        assert np.array_equal(found["event"][order], np.sort(expected.event))
        mine = np.argsort(expected.event)
        for column in ("pt_j0", "m_jj", "met"):
            values = getattr(expected, column)[mine]
            assert found[column][order] == pytest.approx(values, rel=2e-5, abs=1e-3), column


def test_yields_by_era_equal_an_independent_calculation(finished: Context[StandardCard]) -> None:
    """Each simulated dataset stands at the luminosity of its era, and the eras add up."""
    books = read_region_books(finished.workspace.regions)
    total = dict.fromkeys(PROCESSES, 0.0)
    for era, period in ERAS.items():
        for process_name in PROCESSES:
            name = f"{process_name}_{era}"
            expected, dataset = _expected(finished.card, name), finished.card.datasets[name]
            inside = (expected.m_jj < 40.0) | (expected.m_jj >= 160.0)
            if process_name == "data":
                assert books[era].data == np.sum(inside)  # what lies in the signal region is not looked at
                continue
            with uproot.open(str(dataset.files[0])) as file:
                generated = file["Runs"].arrays(library="np")
            share = generated["genEventCount"].sum() / generated["genFilterAttempted"].sum()
            scale = period.lumi_ifb * 1e3 * float(dataset.xsec_pb or 0) * share
            scale /= generated["genEventSumw"].sum()
            yields = float(expected.weight.sum()) * scale
            assert books[era].processes[process_name].sumw[-1] == pytest.approx(yields, rel=1e-6)
            assert books[era].lumi_ifb == books[f"signal_{era}"].lumi_ifb == period.lumi_ifb
            signal = float(expected.weight[~inside].sum()) * scale
            found = books[f"signal_{era}"].processes[process_name].sumw[-1]
            assert found == pytest.approx(signal, rel=1e-6)
            total[process_name] += signal
    for process_name in ("VH", "top"):
        found = books["signal"].processes[process_name].sumw[-1]
        assert found == pytest.approx(total[process_name], rel=1e-6)
    assert books["signal"].lumi_ifb is None
    assert "era" not in books["signal_2018"].n_minus_one
    assert books["signal"].data is books["signal_2018"].data is None


@pytest.mark.parametrize(
    ("variation", "vary"),
    [
        ("jes_Regrouped_Absolute_up", ("Regrouped_Absolute", "up")),
        ("jes_Regrouped_Absolute_2017_down", ("Regrouped_Absolute_2017", "down")),
        ("jer_up", ("jer", "up")),
    ],
)
def test_variations_equal_an_independent_calculation(
    finished: Context[StandardCard], variation: str, vary: tuple[str, str]
) -> None:
    output = finished.workspace.columns.parent
    for name in ("top_2016preVFP", "top_2017", "VH_2022"):
        expected, found = _expected(finished.card, name, vary), _columns(output, name, variation)
        assert float(found["gen_weight"].sum()) == pytest.approx(float(expected.weight.sum()), rel=1e-6)
        assert np.sort(found["pt_j0"]) == pytest.approx(np.sort(expected.pt_j0), rel=1e-5)


def test_the_workspace_has_the_stated_correlations(finished: Context[StandardCard]) -> None:
    """A common source is one parameter, that of a year another, and the resolution one for each era."""
    spec = json.loads((finished.workspace.fit / "workspace.json").read_text())
    modifiers: dict[str, set[str]] = {}
    for channel in spec["channels"]:
        for sample in channel["samples"]:
            for one in sample["modifiers"]:
                modifiers.setdefault(one["name"], set()).add(sample["name"])
    moved = {name for name in modifiers if name.startswith("je")}
    sources = {f"jes_Regrouped_Absolute{year}" for year in ("", "_2016", "_2017", "_2018")}
    assert moved <= sources | {f"jer_{era}" for era in ERAS}
    assert "jes_Regrouped_Absolute" in moved
    assert "jer" not in moved
    fit = read_results(finished.workspace.results).fit
    assert fit is not None
    assert fit.regions


def _official(open_data: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for era, one in OFFICIAL.items():
        yield (
            era,
            {
                "file": str(open_data / "pog" / one.folder / "jet_jerc.json.gz"),
                "simulation": one.scale,
                "resolution": one.resolution,
                "data": {"A": one.data},
                "algorithm": one.algorithm,
            },
        )


def test_official_calibrations_of_all_eras_in_one_card(open_data: Path, tmp_path: Path) -> None:
    context = context_of(write_run2(tmp_path, jets=dict(_official(open_data))), tmp_path / "out")
    process(context)
    for name in ("VH_2016postVFP", "data_2017", "top_2018", "top_2022", "data_2022"):
        expected, found = _expected(context.card, name), _columns(tmp_path / "out", name)
        assert len(expected.event) > 20
        assert np.array_equal(np.sort(found["event"]), np.sort(expected.event))
        assert np.sort(found["m_jj"]) == pytest.approx(np.sort(expected.m_jj), rel=2e-5, abs=1e-3)
    assert Workspace(tmp_path / "out").columns.is_dir()
