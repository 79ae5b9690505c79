"""PHYSLITE of ATLAS: impact parameters, isolation and forward tagger, computed again on the real file."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from tests.processors.fixtures import events, whole_chunk, write_tree
from znought.errors import DataError
from znought.processors.canonical import canonical_events
from znought.processors.canonical.physlite_overlap import overlap
from znought.processors.dialects.sums import _bookkeeper_rows
from znought.processors.quality.judged import CLEAN, TRIGGERED, Quality, judged


@pytest.fixture(scope="module")
def read(open_data: Path) -> tuple[Any, Any]:
    """Canonical events of the real file, and its tree."""
    path = str(open_data / "PHYSLITE_example.root")
    canonical = canonical_events(whole_chunk(path, tree="CollectionTree"))
    return canonical, uproot.open(path)["CollectionTree"]


def _link(tree: Any, flavour: str) -> Any:
    if flavour == "Electron":
        return ak.firsts(tree["AnalysisElectronsAuxDyn.trackParticleLinks"].array(), axis=2).m_persIndex
    name = "AnalysisMuonsAuxDyn.inDetTrackParticleLink"
    return tree[f"{name}/{name}.m_persIndex"].array()


@pytest.mark.parametrize(("flavour", "tracks"), [("Electron", "GSF"), ("Muon", "InDet")])
def test_impact_parameters_equal_those_of_the_linked_track(read: Any, flavour: str, tracks: str) -> None:
    canonical, tree = read
    found = canonical.array[flavour]
    assert ak.sum(ak.num(found.pt)) >= 5
    track = {
        name: tree[f"{tracks}TrackParticlesAuxDyn.{name}"].array()
        for name in ("d0", "z0", "vz", "theta", "phi", "definingParametersCovMatrixDiag")
    }
    beam = [tree[f"EventInfoAuxDyn.beamPosSigma{axis}"].array(library="np") for axis in ("X", "Y", "XY")]
    kind, z = (tree[f"PrimaryVerticesAuxDyn.{name}"].array() for name in ("vertexType", "z"))
    for event, links in enumerate(_link(tree, flavour).tolist()):
        for lepton, link in enumerate(links):
            one = {name: np.asarray(values[event][link], np.float64) for name, values in track.items()}
            x, y, xy = (float(values[event]) for values in beam)
            axis = np.array([np.sin(one["phi"]), -np.cos(one["phi"])])
            spot = axis @ np.array([[x**2, xy], [xy, y**2]]) @ axis
            significance = one["d0"] / np.sqrt(one["definingParametersCovMatrixDiag"][0] + spot)
            assert found.d0_significance[event][lepton] == pytest.approx(float(significance), rel=1e-6)
            primary = z[event][kind[event] == 1][0]
            along = (one["z0"] + one["vz"] - primary) * np.sin(one["theta"])
            assert found.z0_sin_theta[event][lepton] == pytest.approx(float(along), abs=1e-6)


def test_isolation_and_forward_tagger_are_those_of_the_file(read: Any) -> None:
    canonical, tree = read
    for flavour, prefix in (("Electron", "AnalysisElectrons"), ("Muon", "AnalysisMuons")):
        cone, pt = (tree[f"{prefix}AuxDyn.{name}"].array() for name in ("topoetcone20", "pt"))
        np.testing.assert_allclose(
            ak.flatten(canonical.array[flavour].isolation_calo), ak.flatten(cone / pt), rtol=1e-6
        )
    jets = canonical.array.Jet
    fjvt = ak.flatten(tree["AnalysisJetsAuxDyn.DFCommonJets_fJvt"].array())
    np.testing.assert_array_equal(ak.flatten(jets.fjvt), fjvt)
    pt, eta = ak.flatten(jets.pt).to_numpy(), np.abs(ak.flatten(jets.eta).to_numpy())
    applies = (eta > 2.5) & (eta < 4.5) & (pt > 20.0) & (pt < 60.0)
    passed = ak.flatten(jets.passes_fjvt).to_numpy()
    np.testing.assert_array_equal(passed, ~applies | (fjvt.to_numpy() <= 0.5))
    assert 0 < np.count_nonzero(~passed) < np.count_nonzero(applies)


def _direction(found: Any) -> Any:
    pt, eta, mass = (ak.to_numpy(found[name]) for name in ("pt", "eta", "mass"))
    y = np.arcsinh(pt * np.sinh(eta) / np.hypot(pt, mass))
    return np.stack([y, ak.to_numpy(found.phi)], axis=1)


def _close(one: Any, others: list[Any], dr: float) -> bool:
    turn = [np.mod(one[1] - other[1] + np.pi, 2 * np.pi) - np.pi for other in others]
    return any(np.hypot(one[0] - other[0], dphi) < dr for other, dphi in zip(others, turn, strict=True))


def test_overlaps_are_removed_in_the_prescribed_order(read: Any) -> None:
    canonical, tree = read
    original = "GSFTrackParticlesAuxDyn.originalTrackParticle"
    original = tree[f"{original}/{original}.m_persIndex"].array().tolist()
    links = {flavour: _link(tree, flavour).tolist() for flavour in ("Electron", "Muon")}
    tracks = tree["AnalysisJetsAuxDyn.NumTrkPt500"].array().tolist()
    n_removed = 0
    for event in range(100):
        e, mu, jet = (canonical.array[event][name] for name in ("Electron", "Muon", "Jet"))
        at = {name: _direction(found) for name, found in (("e", e), ("mu", mu), ("jet", jet))}
        muons = [i for i, tight in enumerate(mu.is_tight.tolist()) if tight]
        jets = [i for i, good in enumerate(jet.is_good.tolist()) if good]
        on = {links["Muon"][event][i] for i in muons}
        tight = [i for i, passed in enumerate(e.is_tight.tolist()) if passed]
        electrons = [i for i in tight if original[event][links["Electron"][event][i]] not in on]
        before = len(electrons) + len(muons) + len(jets)
        jets = [i for i in jets if not _close(at["jet"][i], [at["e"][j] for j in electrons], 0.2)]
        electrons = [i for i in electrons if not _close(at["e"][i], [at["jet"][j] for j in jets], 0.4)]
        close = [i for i in jets if _close(at["jet"][i], [at["mu"][j] for j in muons], 0.2)]
        jets = [i for i in jets if i not in close or tracks[event][i][0] >= 3]
        muons = [i for i in muons if not _close(at["mu"][i], [at["jet"][j] for j in jets], 0.4)]
        n_removed += before - len(electrons) - len(muons) - len(jets)
        for found, remaining in ((e, electrons), (mu, muons), (jet, jets)):
            assert np.flatnonzero(ak.to_numpy(found.passes_overlap)).tolist() == remaining
    assert n_removed > 5


@pytest.mark.parametrize("few", [True, False])
def test_a_jet_of_few_tracks_is_the_muon_and_another_one_holds_it(read: Any, few: bool) -> None:
    """Every muon is put onto a jet of its event, of fewer than three tracks or of more."""
    canonical, tree = read
    source = canonical.source
    n_tracks = ak.to_numpy(ak.flatten(tree["AnalysisJetsAuxDyn.NumTrkPt500"].array()[:, :, 0]))
    n_electrons, n_muons = (int(source.counts(name).sum()) for name in ("Electron", "Muon"))
    counts = source.counts("Jet")
    first = np.cumsum(counts) - counts
    event = np.repeat(np.arange(100), source.counts("Muon"))
    chosen = [
        next(i for i in range(first[e], first[e] + counts[e]) if (n_tracks[i] < 3) == few) for e in event
    ]
    pt, eta, phi, mass = (source.array(f"data/Jet.{name}") for name in ("pt", "eta", "phi", "mass"))
    y = np.arcsinh(pt * np.sinh(eta) / np.hypot(pt, mass))
    alone = np.isin(np.arange(len(n_tracks)), chosen)
    moved = {
        "data/Muon.eta": lambda _: y[chosen],
        "data/Muon.phi": lambda _: phi[chosen],
        "data/Muon.mass": lambda _: np.zeros(n_muons),
        "data/Muon.is_tight": lambda _: np.ones(n_muons, np.bool_),
        "data/Electron.is_tight": lambda _: np.zeros(n_electrons, np.bool_),
        "data/Jet.is_good": lambda _: alone,
    }
    remaining = overlap(source.shifted(moved))
    muons, jets = remaining[n_electrons : n_electrons + n_muons], remaining[n_electrons + n_muons :]
    assert n_muons >= 5
    assert muons.tolist() == [few] * n_muons
    assert jets[chosen].tolist() == [not few] * n_muons


def test_event_cleaning_is_a_branch_of_the_file(open_data: Path) -> None:
    path, name = str(open_data / "PHYSLITE_example.root"), "EventInfoAuxDyn.DFCommonJets_eventClean_LooseBad"
    found = judged(whole_chunk(path, tree="CollectionTree"), Quality("2018", (CLEAN,), filters=(name,)))
    clean = uproot.open(path)["CollectionTree"][name].array(library="np")
    assert found.kept.tolist() == (clean != 0).tolist()


class _Branch:
    def __init__(self, entries: list[list[Any]]) -> None:
        self.entries = entries

    def array(self, *, library: str) -> Any:
        """One array of rows per entry."""
        found = np.empty(len(self.entries), object)
        found[:] = [np.asarray(entry) for entry in self.entries]
        return found


ROWS = {
    "nAcceptedEvents": [[1000, 900, 1000, 50, 5000]],
    "sumOfEventWeights": [[10.0, 9.0, 20.0, 0.5, 30.0]],
    "sumOfEventWeightsSquared": [[1.0, 0.9, 4.0, 0.1, 5.0]],
    "cycle": [[0, 0, 1, 1, 1]],
}
NAMES = [
    ["AllExecutedEvents", "Kernel", "AllExecutedEvents", "Kernel", "AllExecutedEvents_NonNominalMCWeight_7"]
]


@pytest.mark.parametrize("named", [True, False])
def test_sums_are_those_of_the_bookkeeper_by_name(named: bool) -> None:
    rows: dict[str, Any] = {**ROWS, "name": NAMES} if named else ROWS
    metadata = {f"CutBookkeepersAuxDyn.{name}": _Branch(entries) for name, entries in rows.items()}
    found = _bookkeeper_rows({"MetaData": metadata})
    assert found is not None
    # Without names the row that accepted most is another weight's.
    assert [row.sumw for row in found] == [20.0 if named else 30.0]
    streams = [["StreamAOD", "StreamAOD", "unknownStream", "StreamAOD", "StreamAOD"]]
    metadata["CutBookkeepersAuxDyn.inputStreams"] = _Branch(streams)
    expected = 10.0 if named else 30.0
    assert [row.sumw for row in _bookkeeper_rows({"MetaData": metadata}) or ()] == [expected]


def test_a_file_without_the_bookkeeper_is_refused() -> None:
    rows: dict[str, Any] = {**ROWS, "name": [["Kernel"] * 5]}
    metadata = {f"CutBookkeepersAuxDyn.{name}": _Branch(entries) for name, entries in rows.items()}
    with pytest.raises(DataError, match="no bookkeeper of AllExecutedEvents of StreamAOD"):
        _bookkeeper_rows({"MetaData": metadata})


def test_open_data_keep_their_trigger_requirement(tmp_path: Path) -> None:
    columns = events(60, seed=3)
    columns |= {"trigE": np.arange(60) % 3 == 0, "trigM": np.arange(60) % 4 == 0}
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        write_tree(file, "Events", columns)
    quality = Quality("2016", (TRIGGERED,), triggers={"main": ("trigE", "trigM")}, primary_dataset="main")
    found = judged(whole_chunk(str(path)), quality)
    assert found.kept.tolist() == (columns["trigE"] | columns["trigM"]).tolist()
