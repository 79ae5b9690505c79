"""VH(bb): hand-made events through the processor, channel by channel and cut by cut."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from znought.analyses.vh_bb.analysis import ANALYSIS
from znought.analyses.vh_bb.columns import CUTS, smeft_columns
from znought.analyses.vh_bb.exported import draw_unweighted, write_npz, write_table
from znought.analyses.vh_bb.features import FEATURES, VHState, features, neutrino_eta
from znought.analyses.vh_bb.selection import CHANNELS, VHBBSelection
from znought.errors import CardError, DataError
from znought.facility.ntuples.runner import process_fileset
from znought.processors.evaluated import Request
from znought.processors.kinematics import Momentum
from znought.processors.processor import AnalysisProcessor
from znought.processors.result import ChannelResult

Lepton = tuple[float, float, float, int]
Jet = tuple[float, float, float, float]
B1: Jet = (120.0, 0.2, 2.9, 0.9)
B2: Jet = (90.0, -0.3, -2.7, 0.8)
LIGHT: Jet = (60.0, 1.0, 2.2, 0.05)


class Event:
    """One event of the test: leptons, jets and missing transverse momentum."""

    def __init__(
        self,
        electrons: tuple[Lepton, ...] = (),
        muons: tuple[Lepton, ...] = (),
        jets: tuple[Jet, ...] = (B1, B2),
        met: tuple[float, float] = (210.0, 0.0),
    ) -> None:
        self.electrons, self.muons, self.jets, self.met = electrons, muons, jets, met


def collection(
    name: str, rows: Sequence[Sequence[tuple[float, ...]]], columns: tuple[str, ...]
) -> dict[str, Any]:
    return {
        name: ak.zip(
            {
                c: ak.values_astype([[x[i] for x in row] for row in rows], np.float32)
                for i, c in enumerate(columns)
            }
        )
    }


def write(path: Path, events: list[Event], *, weights: bool = True) -> str:
    """A file as the simulation writes it."""
    n = len(events)
    rows: dict[str, Any] = {
        "run": np.ones(n, np.uint32),
        "luminosityBlock": np.ones(n, np.uint32),
        "event": np.arange(n, dtype=np.uint64),
        "genWeight": np.full(n, 0.5),
        "MET_pt": np.array([e.met[0] for e in events], np.float32),
        "MET_phi": np.array([e.met[1] for e in events], np.float32),
        "MET_significance": np.ones(n, np.float32),
        "TkMET_pt": np.ones(n, np.float32),
        "TkMET_phi": np.zeros(n, np.float32),
        "SoftActivity_ht": np.ones(n, np.float32),
    }
    if weights:
        rows |= {f"SMEFTWeight_{i}": np.full(n, 1.0 + i) for i in range(6)}
    lepton = ("pt", "eta", "phi", "charge", "mass", "pfRelIso03_all")
    rows |= collection("Electron", [tuple((*x, 0.0, 0.0) for x in e.electrons) for e in events], lepton)
    rows |= collection("Muon", [tuple((*x, 0.1, 0.0) for x in e.muons) for e in events], lepton)
    jets = [tuple((pt, eta, phi, 10.0, b, 0.7) for pt, eta, phi, b in e.jets) for e in events]
    rows |= collection("Jet", jets, ("pt", "eta", "phi", "mass", "btagDiscriminant", "btagProb85"))
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: ak.type(ak.Array(values)).content for name, values in rows.items()})
        file["Events"].extend(rows)
        runs = {"run": np.uint32(1), "genEventCount": n, "genEventSumw": 0.5 * n, "genEventSumw2": 0.25 * n}
        file.mktree("Runs", {name: np.asarray(value).dtype for name, value in runs.items()})
        file["Runs"].extend({name: np.array([value]) for name, value in runs.items()})
    return str(path)


def process(
    path: str, channel: str, selection: VHBBSelection | None = None, columns_directory: str | None = None
) -> ChannelResult:
    """What one channel leaves of a file."""
    request = Request(selection or VHBBSelection(), channels=(channel,))
    processor = AnalysisProcessor(ANALYSIS.for_workers, request, columns_directory)
    fileset = {"vh": {"files": [path], "metadata": {"is_data": False}}}
    return process_fileset(None, fileset, processor).results["vh"].of(channel)


MU: Lepton = (60.0, 0.1, 0.3, -1)
MU_PLUS: Lepton = (150.0, -0.2, -0.1, 1)
MU_SOFT: Lepton = (35.0, 0.5, 0.4, -1)

# Events that fail exactly one cut of 0L, by the cut's name.
FAILING = {
    "leptons": Event(muons=(MU,)),
    "n_jets": Event(jets=(B1, B2, LIGHT, (40.0, -1.0, -2.0, 0.01))),
    "two_b_jets": Event(jets=(B1, LIGHT)),
    "pt_b1": Event(jets=((44.0, 0.2, 2.9, 0.9), (40.0, -0.3, -2.7, 0.8))),
    "met": Event(met=(120.0, 0.0)),
    "angles": Event(met=(210.0, 2.0)),
}


def test_every_cut_of_0l_rejects_its_event_and_no_other(tmp_path: Path) -> None:
    events = [Event(), *FAILING.values()]
    result = process(write(tmp_path / "a.root", events), "0L")
    flow = result.cutflows["nominal"]
    assert flow.names == CUTS
    # One event fewer after each of the six cuts; the last, pT(V), is the missing momentum again.
    assert flow.counts == (7, 6, 5, 4, 3, 2, 1, 1)
    assert [float(w) for w in flow.sumw] == [0.5 * n for n in flow.counts]
    for cut, event in FAILING.items():
        alone = process(write(tmp_path / f"{cut}.root", [event]), "0L").cutflows["nominal"]
        assert alone.counts[CUTS.index(cut) - 1] == 1
        assert alone.counts[CUTS.index(cut)] == 0


def test_channels_are_told_apart_by_their_leptons(tmp_path: Path) -> None:
    met = (90.0, 0.1)
    electron: Lepton = (40.0, 0.3, 0.2, 1)
    events = [
        Event(),
        Event(muons=(MU_PLUS,), met=met),
        Event(muons=(MU_PLUS, MU_SOFT), met=(10.0, 0.0)),  # m_ll ≈ 80: outside the window
        Event(muons=((150.0, -0.2, -0.1, 1), (42.0, 0.66, 0.45, -1)), met=(10.0, 0.0)),
        Event(muons=((150.0, -0.2, -0.1, 1), (42.0, 0.66, 0.45, 1)), met=(10.0, 0.0)),  # same sign
        Event(electrons=(electron,), muons=(MU_PLUS,), met=met),  # different flavour
    ]
    path = write(tmp_path / "a.root", events)
    found = {channel: process(path, channel).cutflows["nominal"].counts[1] for channel in CHANNELS}
    assert found == {"0L": 1, "1L": 1, "2L": 1}
    soft = VHBBSelection(pt_lepton_veto_gev=30.0, pt_lepton_min_gev=30.0, m_ll_gev=(0.0, 500.0))
    assert process(path, "2L", soft).cutflows["nominal"].counts[1] == 2


def test_columns_hold_inputs_and_stored_weights(tmp_path: Path) -> None:
    result = process(
        write(tmp_path / "a.root", [FAILING["met"], Event()]),
        "0L",
        columns_directory=str(tmp_path / "columns"),
    )
    (file,) = result.columns
    table = pq.read_table(file.path)
    expected = ["run", "luminosityBlock", "event", "response", "gen_weight", *FEATURES["0L"]]
    assert table.column_names == [*expected, "pt_v", "m_bb", "met", "n_jets", *smeft_columns()]
    row = {name: table[name][0].as_py() for name in table.column_names}
    assert row["event"] == 1
    assert row["gen_weight"] == 0.5
    assert row["ptb1"] == pytest.approx(120.0)
    assert row["misset"] == row["met"] == pytest.approx(210.0)
    px = 120 * np.cos(2.9) + 90 * np.cos(-2.7)
    py = 120 * np.sin(2.9) + 90 * np.sin(-2.7)
    assert row["pth"] == pytest.approx(np.hypot(px, py), rel=1e-5)
    assert row["ptvh"] == pytest.approx(np.hypot(px + 210.0, py), rel=1e-4)
    assert row["dphib1met"] == pytest.approx(2.9, rel=1e-5)
    assert [row[name] for name in smeft_columns()] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_events_without_stored_weights_say_so(tmp_path: Path) -> None:
    result = process(
        write(tmp_path / "a.root", [Event()], weights=False),
        "0L",
        columns_directory=str(tmp_path / "columns"),
    )
    table = pq.read_table(result.columns[0].path)
    assert all(np.isnan(table[name][0].as_py()) for name in smeft_columns())


def state(leptons: tuple[Momentum, ...]) -> VHState:
    b1 = Momentum.of([100.0], [0.5], [3.0], [8.0])
    b2 = Momentum.of([60.0], [-0.5], [-3.0], [6.0])
    return VHState(
        b1, b2, leptons, (np.array([130.0]), np.array([20.0])), (np.array([-150.0]), np.array([5.0]))
    )


def test_inputs_of_each_channel_have_the_notebooks_names_and_order() -> None:
    l1, l2 = Momentum.of([80.0], [0.3], [0.2]), Momentum.of([40.0], [-0.4], [0.6])
    for leptons in ((), (l1,), (l1, l2)):
        made = features(state(leptons))
        assert tuple(made) == FEATURES[f"{len(leptons)}L"]
        assert all(np.isfinite(values).all() for values in made.values())
    assert [len(names) for names in FEATURES.values()] == [10, 14, 14]
    two = features(state((l1, l2)))
    assert two["ptz"][0] == pytest.approx(np.hypot((l1.px + l2.px)[0], (l1.py + l2.py)[0]), rel=1e-6)
    assert two["deltarll"][0] == pytest.approx(np.hypot(0.7, 0.4), rel=1e-6)


def test_transverse_mass_is_that_of_two_bodies_at_rest() -> None:
    # H and V back to back at equal transverse momentum: m_T = E_T^H + E_T^V.
    b1, b2 = Momentum.of([100.0], [0.4], [0.3]), Momentum.of([100.0], [-0.4], [-0.3])
    pt_h = float((b1.px + b2.px)[0])
    made = features(VHState(b1, b2, (), (np.array([-pt_h]), np.zeros(1)), (np.zeros(1), np.zeros(1))))
    m_bb = np.sqrt(2 * 100.0**2 * (np.cosh(0.8) - np.cos(0.6)))
    assert made["mtvh"][0] == pytest.approx(np.hypot(pt_h, m_bb) + pt_h, rel=1e-6)
    assert made["ptvh"][0] == pytest.approx(0.0, abs=1e-4)


def test_the_neutrino_gives_the_w_mass() -> None:
    lepton = Momentum.of([50.0, 40.0], [0.7, -1.0], [0.1, 2.0])
    met, phi = np.array([35.0, 30.0]), np.array([1.2, 3.5])
    eta = neutrino_eta(lepton, met, phi)
    mass2 = 2 * lepton.pt * met * (np.cosh(lepton.eta - eta) - np.cos(lepton.phi - phi))
    np.testing.assert_allclose(np.sqrt(mass2), 80.379, rtol=1e-9)
    # The two solutions add up to 2 a p_z,ℓ / p_T,ℓ²; the smaller one is taken.
    a = 0.5 * 80.379**2 + lepton.pt * met * np.cos(lepton.phi - phi)
    taken = met * np.sinh(eta)
    other = 2 * a * lepton.pt * np.sinh(lepton.eta) / lepton.pt**2 - taken
    assert (np.abs(taken) < np.abs(other)).all()


def test_unweighted_events_follow_the_weights() -> None:
    w = np.random.default_rng(1).exponential(size=50)
    drawn = draw_unweighted(w, 10_000, seed=3)
    counts = np.bincount(drawn.rows, minlength=50)
    assert np.abs(counts - 10_000 * w / w.sum()).max() <= 1.0
    assert drawn.n_distinct == 50
    with pytest.raises(DataError, match="weights ≥ 0"):
        draw_unweighted([1.0, -1.0], 3, seed=1)


def test_export_has_the_notebooks_layout_and_scales_on_the_training_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    signal = {name: rng.normal(1.0, 1.0, 40) for name in FEATURES["0L"]}
    background = {name: rng.normal(0.0, 1.0, 60) for name in FEATURES["0L"]}
    test = (rng.random(40) < 0.2, rng.random(60) < 0.2)
    train_path, test_path = write_npz(tmp_path, signal, background, test, channel="0L", coefficient=0.03)
    assert (train_path.name, test_path.name) == ("X_train_0L_cHW_0d03.npz", "X_test_0L_cHW_0d03.npz")
    with np.load(train_path) as train, np.load(test_path) as held:
        assert train["x"].min() == 0.0
        assert train["x"].max() == 1.0
        assert train["x"].shape[1] == 10
        assert len(train["y"]) + len(held["y"]) == 100
        assert held["y"].sum() == test[0].sum()
        assert held["x"].max() > 1.0 or held["x"].min() < 0.0
    write_table(tmp_path / "zh.csv", signal, channel="0L", signal=True)
    lines = (tmp_path / "zh.csv").read_text().splitlines()
    assert lines[0].split() == [*FEATURES["0L"], "signal"]
    assert len(lines) == 41
    assert lines[1].split()[-1] == "1"
    with pytest.raises(DataError, match="Unknown channel"):
        write_table(tmp_path / "x.csv", signal, channel="3L", signal=True)
    with pytest.raises(DataError, match="Unknown column 'ptl'"):
        write_table(tmp_path / "x.csv", signal, channel="1L", signal=True)
    with pytest.raises(DataError, match="both"):
        write_npz(
            tmp_path,
            signal,
            background,
            (np.zeros(40, bool), np.zeros(60, bool)),
            channel="0L",
            coefficient=0.03,
        )


def test_the_selection_is_checked() -> None:
    with pytest.raises(CardError, match="expected channels"):
        VHBBSelection(met_min_gev={"3L": 1.0})
    with pytest.raises(CardError, match="pt_lepton_min_gev"):
        VHBBSelection(pt_lepton_min_gev=5.0)
    with pytest.raises(CardError, match="increasing pair"):
        VHBBSelection(m_ll_gev=(101.0, 81.0))
