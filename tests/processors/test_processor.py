"""Plain functions through the processor: ledger, coffea's Runner, histograms, scale factors."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
from coffea.nanoevents import BaseSchema
from coffea.processor import IterativeExecutor, Runner
from correctionlib.highlevel import CorrectionSet

from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from tests.processors.test_canonical import _only_muons
from tests.processors.test_weights import _binned, _btag
from znought.analysis import Analysis, Cuts, Variable
from znought.errors import CardError, DataError
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.canonical import canonical_events
from znought.processors.evaluated import NOMINAL, WHOLE, Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.variations import VariationsConfig
from znought.processors.weights import ScaleFactor, check_scale_factors

_EDGES = (0.0, 20.0, 50.0, 60.0, 500.0)
_SYSTEMATICS: dict[Any, str] = {"nominal": "nominal", "up": "sfup", "down": "sfdown"}
_TAGGING: dict[Any, str] = {"nominal": "central", "up": "up", "down": "down"}


def _objects(events: Any, cuts: Cuts) -> Mapping[str, Any]:
    jets = events.Jet[events.Jet.is_good & (events.Jet.pt > 30.0)]
    return {"jets": jets, "muons": events.Muon, "lead": ak.firsts(events.Muon)}


ANALYSIS = Analysis(
    "toy",
    objects=_objects,
    select=lambda o, cuts: {"jets": ak.num(o.jets) > 0},
    variables=(
        Variable("ht", lambda o: ak.sum(o.jets.pt, axis=1), bins=(20, 0.0, 400.0)),
        Variable("pt", lambda o: ak.max(o.jets.pt, axis=1), edges=_EDGES),
        Variable("n", lambda o: ak.num(o.jets), bins="integer"),
        Variable("unbinned", lambda o: ak.sum(o.jets.mass, axis=1)),
    ),
)


def _processor(directory: Path | None = None, **request: Any) -> AnalysisProcessor:
    return AnalysisProcessor(
        ANALYSIS, Request(Cuts(), **request), None if directory is None else str(directory)
    )


def _run(processor: AnalysisProcessor, *paths: str, chunk_size: int = 150, **metadata: Any) -> RunResult:
    fileset = {"toy": {"files": list(paths), "metadata": metadata}}
    return process_fileset(None, fileset, processor, chunk_size=chunk_size)


def _columns(found: RunResult, variation: str = NOMINAL) -> Any:
    files = [file.path for file in found.results["toy"].columns if file.variation == variation]
    tables = [pq.read_table(path, partitioning=None).to_pandas() for path in files]
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.argsort(columns["event"])
    return {name: values[order] for name, values in columns.items()}


def test_columns_and_histograms_are_the_same_for_any_chunks(
    simulated: tuple[str, str], tmp_path: Path
) -> None:
    variations = VariationsConfig(("jes", "jer"))
    runs = [
        _run(_processor(tmp_path / str(size), variations=variations), *simulated, chunk_size=size)
        for size in (70, 10_000)
    ]
    assert runs[0].results["toy"].of(WHOLE).cutflows == runs[1].results["toy"].of(WHOLE).cutflows
    for variation in (NOMINAL, "jer_up"):
        first, second = (_columns(run, variation) for run in runs)
        assert list(first)[:4] == ["run", "luminosityBlock", "event", "response"]
        for name, values in first.items():
            np.testing.assert_array_equal(values, second[name])
    hists = runs[0].results["toy"].of(WHOLE).hists
    assert set(hists) == {"ht", "pt", "n"}
    columns = _columns(runs[0])
    for name, histogram in hists.items():
        values = columns[name].astype(int) if name == "n" else columns[name]
        again = histogram.copy().reset().fill(values, weight=columns["gen_weight"])
        for field in ("value", "variance"):
            mine, theirs = (np.array(cast(Any, h.view(flow=True))[field]) for h in (histogram, again))
            np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    assert hists["pt"].axes[0].edges.tolist() == list(_EDGES)


def test_coffea_runs_plain_functions_too(simulated: tuple[str, str]) -> None:
    runner = Runner(IterativeExecutor(status=False), schema=BaseSchema, chunksize=250)
    fileset: dict[str, Any] = {"toy": {"files": dict.fromkeys(simulated, "Events"), "metadata": {}}}
    theirs = runner(fileset, _processor())["toy"].of(WHOLE)
    ours = _run(_processor(), *simulated).results["toy"].of(WHOLE)
    assert theirs.cutflows == ours.cutflows
    for name, histogram in ours.hists.items():
        assert theirs.hists[name].values() == pytest.approx(histogram.values(), rel=1e-12)


def test_a_file_of_muons_alone_is_processed_and_what_it_lacks_declared(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", _only_muons(50, "run", "luminosityBlock", "event"))
    muons = Analysis(
        "muons",
        objects=lambda events, cuts: {"muons": events.Muon[events.Muon.is_tight]},
        select=lambda o, cuts: {"one": ak.num(o.muons) > 0},
        variables=(Variable("pt", lambda o: o.muons.pt[:, 0], bins=(10, 0.0, 100.0)),),
    )
    found = _run(AnalysisProcessor(muons, Request(Cuts())), path).results["toy"]
    assert found.of(WHOLE).cutflows[NOMINAL].counts[-1] > 0
    assert set(found.substitutes) == {"identity", "Muon.is_tight"}
    assert found.dialects == ("nanoaod",)
    with pytest.raises(DataError, match=r"a\.root .* lacks identity, and the card refuses"):
        _run(AnalysisProcessor(muons, Request(Cuts(), refuse_substitutes=True)), path)


@pytest.fixture(scope="module")
def corrections(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("corrections") / "sf.json"
    parts = [
        _binned("muon_id", "pt", [0.0, 30.0, 1e4], [0.9, 1.1]),
        _btag("sf", 0.95, 0.8),
        _btag("efficiency", 0.6, 0.05),
    ]
    path.write_text(json.dumps({"schema_version": 2, "corrections": parts}))
    return str(path)


def _tagging(corrections: str, **changed: Any) -> ScaleFactor:
    given: dict[str, Any] = {
        "inputs": {"flavor": "flavour"},
        "systematic_input": "systematic",
        "systematics": _TAGGING,
        "efficiency": "efficiency",
    }
    return ScaleFactor(corrections, "sf", "jets", **{**given, **changed})


def test_scale_factors_multiply_over_objects(tmp_path: Path, corrections: str) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(300, seed=41))
    factor: dict[str, Any] = {"systematic_input": "variation", "systematics": _SYSTEMATICS}
    weights = {
        "all": ScaleFactor(corrections, "muon_id", "muons", **factor),
        "lead": ScaleFactor(
            corrections, "muon_id", "lead", systematic_input="variation", systematics={"nominal": "nominal"}
        ),
    }
    check_scale_factors(weights, any_object=True)
    plain = _columns(_run(_processor(tmp_path / "plain"), path))
    found = _columns(_run(_processor(tmp_path / "weighed", weights=weights), path))
    array = canonical_events(whole_chunk(path)).array
    muons = array.Muon[ak.num(array.Jet[array.Jet.pt > 30.0]) > 0]
    each = ak.where(muons.pt < 30.0, 0.9, 1.1)
    expected = ak.prod(each, axis=1) * ak.fill_none(ak.firsts(each), 1.0)
    np.testing.assert_allclose(found["gen_weight"] / plain["gen_weight"], expected, rtol=1e-12)
    ratio = found["gen_weight_all_up"] / found["gen_weight"]
    np.testing.assert_allclose(ratio, 1.1 ** ak.to_numpy(ak.num(muons)), rtol=1e-12)


def test_tagged_and_untagged_jets_both_count(tmp_path: Path, corrections: str) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(300, seed=42))
    runs: tuple[tuple[str, dict[str, Any]], ...] = (
        ("p", {}),
        ("w", {"weights": {"btag": _tagging(corrections)}}),
    )
    plain, found = (_columns(_run(_processor(tmp_path / x, **request), path)) for x, request in runs)
    file = CorrectionSet.from_file(corrections)
    array = canonical_events(whole_chunk(path)).array
    jets = array.Jet[array.Jet.pt > 30.0]
    jets = jets[ak.num(jets) > 0]
    flat = ak.flatten(jets)
    flavour, pt = ak.to_numpy(flat.hadronFlavour).astype(int), ak.to_numpy(flat.pt)
    for way, column in (("central", "gen_weight"), ("down", "gen_weight_btag_down")):
        scale, efficiency = (
            file["sf"].evaluate(way, flavour, pt),
            file["efficiency"].evaluate("central", flavour, pt),
        )
        each = np.where(flat.is_btagged, scale, (1 - scale * efficiency) / (1 - efficiency))
        expected = ak.prod(ak.unflatten(each, ak.num(jets)), axis=1)
        np.testing.assert_allclose(found[column] / plain["gen_weight"], expected, rtol=1e-12)


def test_objects_and_inputs_that_are_not_there_are_named(tmp_path: Path, corrections: str) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(60, seed=43))
    wrong: list[tuple[str, dict[str, Any]]] = [
        (r"weights\.btag\.applies_to: Unknown object 'jet', did you mean 'jets'", {"applies_to": "jet"}),
        (r"weights\.btag: Unknown variable 'flavor', did you mean 'flavour'", {"inputs": {}}),
    ]
    for message, changed in wrong:
        weights = {"btag": replace(_tagging(corrections), **changed)}
        with pytest.raises(CardError, match=message):
            _processor(weights=weights).process(whole_chunk(path).view.entries)
    with pytest.raises(
        CardError, match=r"weights\.x: applies_to: Unknown object 'jest', did you mean 'jets'"
    ):
        check_scale_factors({"x": replace(_tagging(corrections), applies_to="jest")})
