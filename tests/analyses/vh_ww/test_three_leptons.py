"""Events with a third lepton: which pair they have, and that all others are as without them."""

import awkward as ak
import numpy as np
import pytest

from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.analyses.vh_ww.columns import columns
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.errors import CardError
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated, Request
from znought.processors.kinematics import Momentum, invariant_mass
from znought.processors.variations import VariationsConfig


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Chunk:
    """One lepton in ten has another of its flavour beside it."""
    return whole_chunk(write_nanoaod(tmp_path_factory.mktemp("three") / "a.root", events(5000, seed=8)))


def _made(chunk: Chunk, *varied: str, **cuts: object) -> dict[str, Evaluated]:
    selection = VHWWSelection.model_validate({"btag_mode": "regions", **cuts})
    return dict(columns(chunk, Request(selection, VariationsConfig(varied)))[WHOLE])


def test_events_of_two_leptons_are_as_without_the_others(chunk: Chunk) -> None:
    two, found = _made(chunk, "jes")[NOMINAL], _made(chunk, n_leptons_max=3)[NOMINAL]
    inside = found.columns["n_leptons"] == 2
    assert np.array_equal(found.event[inside], two.event)
    for name, values in two.columns.items():
        assert np.array_equal(found.columns[name][inside], values), name
    assert set(two.columns["n_leptons"]) == {2}
    assert set(two.columns["m_sf"]) == {-1.0}
    assert (~inside).sum() > 50


def test_the_pair_of_three_leptons_is_that_of_opposite_charges(chunk: Chunk) -> None:
    """Event by event, by a loop over all leptons."""
    found = _made(chunk, n_leptons_max=3, charges="any")[NOMINAL]
    view, kinds = chunk.view, set[str]()
    leptons = {}
    for flavour in ("electron", "muon"):
        parts = {name: view.flat(f"{flavour}_{name}") for name in ("pt", "eta", "phi", "charge", "isolation")}
        leptons[flavour] = ak.unflatten(ak.zip(parts), view.counts(f"{flavour}_pt"))
    for row in np.flatnonzero(found.columns["n_leptons"] == 3):
        event = found.event[row]
        e, mu = (
            [one for one in leptons[flavour][event].tolist() if one["pt"] > 10 and abs(one["eta"]) < 2.5]
            for flavour in ("electron", "muon")
        )
        e, mu = ([one for one in some if one["isolation"] < 0.15] for some in (e, mu))
        e = [one for one in e if not 1.37 < abs(one["eta"]) < 1.52]
        assert len(e) + len(mu) == 3
        pairs = [
            (one["charge"] * two["charge"] < 0, one["pt"] + two["pt"], one, two) for one in e for two in mu
        ]
        _, _, one, two = max(pairs, key=lambda pair: pair[:2])
        kinds.add("unlike" if one["charge"] * two["charge"] < 0 else "alike")
        assert found.columns["same_sign"][row] == (one["charge"] * two["charge"] > 0)
        assert sorted([one["pt"], two["pt"]]) == pytest.approx(
            [found.columns["pt_l1"][row], found.columns["pt_l0"][row]], rel=1e-6
        )
        same = e if len(e) == 2 else mu
        momenta = [
            Momentum.of([o["pt"]], [o["eta"]], [o["phi"]], 0.000511 if same is e else 0.105658) for o in same
        ]
        assert found.columns["m_sf"][row] == pytest.approx(invariant_mass(*momenta)[0], rel=1e-5)
    assert kinds == {"unlike", "alike"}


def test_a_variation_keeps_third_leptons(chunk: Chunk) -> None:
    found = _made(chunk, "jes", "lepton_scale", n_leptons_max=3)
    for name in ("jes_up", "lepton_scale_down"):
        assert (found[name].columns["n_leptons"] == 3).sum() > 50


def test_four_leptons_cannot_be_asked_for() -> None:
    with pytest.raises((CardError, ValueError), match="n_leptons_max"):
        VHWWSelection.model_validate({"n_leptons_max": 4})
