"""The filter on the leptons of the hard process: parts that exclude each other, and counts that keep σ·ε."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.analyses.vh_bb.recipes import RECIPES
from znought.errors import CardError
from znought.simulation import lepton_filter
from znought.simulation.lepton_filter import Lepton
from znought.simulation.pythia import PythiaGenerator
from znought.simulation.recipe import BPairFilter, LeptonFilter, PartonFilter, Recipe, Weigher

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pythia8mc")

SLICES = ("ttbar_lnulnu", "ttbar_lnulnu_high", "ttbar_2l", "ttbar_2l_tau")


def _lepton(pdg_id: int, px: float, py: float, pz: float = 0.0) -> Lepton:
    return Lepton(pdg_id, px, py, pz, math.hypot(px, py, pz))


momenta = st.tuples(*(st.floats(-250.0, 250.0) for _ in range(3)))
flavours = st.sampled_from((11, 13, 15))


@given(
    st.tuples(flavours, flavours),
    st.lists(momenta, min_size=4, max_size=4),
    st.tuples(st.floats(-200.0, 200.0), st.floats(-200.0, 200.0)),
)
@settings(max_examples=300)
def test_an_event_is_in_one_slice_or_below_all(
    kinds: tuple[int, int], p: list[tuple[float, ...]], recoil: tuple[float, float]
) -> None:
    ids = (kinds[0], -kinds[1], -kinds[0] - 1, kinds[1] + 1)
    found = [_lepton(pdg_id, *momentum) for pdg_id, momentum in zip(ids, p, strict=True)]
    first = found[0]
    showered = [_lepton(first.pdg_id, first.px + recoil[0], first.py + recoil[1], first.pz), *found[1:]]
    inside = [_passes(found, showered, RECIPES[name].lepton_filter) for name in SLICES]
    pair = lepton_filter.pair_of(found, LeptonFilter("pair"))
    is_pair = pair is not None and math.hypot(*(showered[0][i] + showered[1][i] for i in (1, 2))) > 135.0
    assert sum(inside) == (is_pair or lepton_filter.reach_gev(found) > 110.0)
    assert inside[2:] == [is_pair and pair == "pair", is_pair and pair == "tau_pair"]


def _passes(found: Sequence[Lepton], showered: Sequence[Lepton], cut: LeptonFilter | None) -> bool:
    assert cut is not None
    return lepton_filter.passes_hard(found, cut) and lepton_filter.passes_shower(
        showered, cut, lepton_filter.pair_of(found, cut)
    )


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ((11, -11), "pair"),
        ((13, -13), "pair"),
        ((15, -11), "tau_pair"),
        ((15, -15), "tau_pair"),
        ((11, -13), None),
    ],
)
def test_light_leptons_of_one_flavour_and_taus_make_pairs(ids: tuple[int, int], expected: str | None) -> None:
    def pair(x: float, cut: LeptonFilter) -> str | None:
        return lepton_filter.pair_of([_lepton(ids[0], x, 45.0), _lepton(ids[1], x, -45.0)], cut)

    assert pair(60.0, LeptonFilter("pair")) == expected
    assert pair(19.0, LeptonFilter("pair")) is None
    assert pair(60.0, LeptonFilter("pair", m_ll_gev=(91.0, 111.0))) is None
    above = pair(60.0, LeptonFilter("pair", m_ll_gev=(50.0, 80.0)))
    assert above == ("tau_pair" if expected == "tau_pair" else None)


@given(st.lists(momenta, min_size=4, max_size=4), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_no_lost_part_of_a_lepton_reaches_further(p: list[tuple[float, ...]], x: float, y: float) -> None:
    first, second, *neutrinos = (_lepton(i, *one) for i, one in zip((11, -13, -12, 14), p, strict=True))
    total = [x * first[axis] + y * second[axis] + sum(one[axis] for one in neutrinos) for axis in (1, 2)]
    assert math.hypot(*total) <= lepton_filter.reach_gev([first, second, *neutrinos]) * (1 + 1e-12)


def _shares(name: str, n_events: int, cut: LeptonFilter | None, seed: int) -> tuple[float, list[Any]]:
    """Efficiency of the filter on events whose shower is initial-state alone, and their hard leptons."""
    off = ("PartonLevel:FSR", "PartonLevel:Remnants", "HadronLevel:all")
    bare = tuple(f"{step} = off" for step in off)
    recipe = RECIPES[name]
    weigher = Weigher(capture=lepton_filter.leptons, weigh=lambda captured: {})
    recipe = replace(recipe, commands=(*recipe.commands, *bare), lepton_filter=cut, weigher=weigher)
    generator = PythiaGenerator(recipe, seed)
    batch = generator.batch(n_events)
    return n_events / generator.attempted, list(batch.captured)


def test_attempts_before_the_filter_keep_the_cross_section() -> None:
    efficiency, unfiltered = _shares("ttbar_lnuqq", 2500, None, 1)
    assert efficiency == 1.0
    reach = np.array([lepton_filter.reach_gev(found) for found in unfiltered])
    for name, low, high in (("ttbar_lnuqq", 110.0, 180.0), ("ttbar_lnuqq_high", 180.0, math.inf)):
        cut = RECIPES[name].lepton_filter
        assert cut is not None
        assert cut.pt_rest_gev == (low, high)
        efficiency, kept = _shares(name, 300, cut, 2)
        expected = np.mean((reach > low) & (reach <= high))
        error = math.hypot((expected * (1 - expected) / 2500) ** 0.5, efficiency / 300**0.5)
        assert abs(efficiency - expected) < 4.0 * error
        assert all(low < lepton_filter.reach_gev(found) <= high for found in kept)


def test_slices_of_two_leptons_add_up() -> None:
    total, _ = _shares("ttbar_lnulnu", 300, LeptonFilter("rest"), 3)
    parts = [_shares(name, 150, RECIPES[name].lepton_filter, 4)[0] for name in SLICES[:2]]
    assert abs(sum(parts) / total - 1.0) < 4.0 * (1 / 300 + 1 / 150) ** 0.5
    pairs, found = _shares("ttbar_2l_tau", 60, RECIPES["ttbar_2l_tau"].lepton_filter, 5)
    assert 0.01 < pairs < 0.04
    assert all(lepton_filter.pair_of(one, LeptonFilter("pair")) == "tau_pair" for one in found)


def test_filters_within_the_shower_exclude_each_other() -> None:
    with pytest.raises(CardError, match="parton_filter and b_pair exclude each other"):
        Recipe("both", "", (), "record", parton_filter=PartonFilter(), b_pair=BPairFilter())
