"""The filter on the leptons of the hard process: parts that exclude each other, and counts that keep σ·ε."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from znought.errors import CardError
from znought.simulation import lepton_filter
from znought.simulation.generator import EventGenerator
from znought.simulation.lepton_filter import Lepton
from znought.simulation.recipe import BPairFilter, LeptonFilter, PartonFilter, Recipe, Weigher
from znought.simulation.recipes import RECIPES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pythia8mc")

SLICES = ("ttbar_lnulnu", "ttbar_lnulnu_high", "ttbar_2l", "ttbar_2l_tau")


class _Record:
    """A process record of leptons alone, behind system, beams and colliding partons."""

    def __init__(self, found: Sequence[Lepton]) -> None:
        self.found = found

    def size(self) -> int:
        return 5 + len(self.found)

    def __getitem__(self, i: int) -> "_Entry":
        return _Entry(self.found[i - 5])


class _Entry:
    def __init__(self, lepton: Lepton) -> None:
        self.lepton = lepton

    def status(self) -> int:
        return 23

    def id(self) -> int:
        return self.lepton.pdg_id

    def idAbs(self) -> int:  # noqa: N802  (Pythia's name)
        return abs(self.lepton.pdg_id)

    def px(self) -> float:
        return self.lepton.px

    def py(self) -> float:
        return self.lepton.py

    def pz(self) -> float:
        return self.lepton.pz

    def e(self) -> float:
        return self.lepton.e


def _lepton(pdg_id: int, px: float, py: float, pz: float = 0.0) -> Lepton:
    return Lepton(pdg_id, px, py, pz, math.hypot(px, py, pz))


momenta = st.tuples(*(st.floats(-250.0, 250.0) for _ in range(3)))
flavours = st.sampled_from((11, 13, 15))


@given(st.tuples(flavours, flavours), st.lists(momenta, min_size=4, max_size=4))
@settings(max_examples=200)
def test_an_event_is_in_one_slice_or_below_all(kinds: tuple[int, int], p: list[tuple[float, ...]]) -> None:
    ids = (kinds[0], -kinds[1], -kinds[0] - 1, kinds[1] + 1)
    found = [_lepton(pdg_id, *momentum) for pdg_id, momentum in zip(ids, p, strict=True)]
    cuts = [RECIPES[name].lepton_filter for name in SLICES]
    inside = [cut is not None and lepton_filter.passes(_Record(found), cut) for cut in cuts]
    whole = lepton_filter.part_of(found, LeptonFilter("rest"))
    assert sum(inside) == (whole is not None)
    assert inside[2:] == [whole == "pair", whole == "tau_pair"]
    assert whole is not None or lepton_filter.reach_gev(found) <= 110.0


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
    def part(x: float, cut: LeptonFilter) -> str | None:
        balance = _lepton(12, -0.6 * 120.0 * x, 0.0)  # keeps the sums with a neutrino below 110 GeV
        return lepton_filter.part_of(
            [_lepton(ids[0], 60.0 * x, 45.0), _lepton(ids[1], 60.0 * x, -45.0), balance], cut
        )

    assert part(1.0, LeptonFilter("pair")) == expected
    assert part(0.9, LeptonFilter("pair")) is None
    assert part(1.0, LeptonFilter("pair", m_ll_gev=(91.0, 111.0))) is None
    above = part(1.0, LeptonFilter("pair", m_ll_gev=(50.0, 80.0)))
    assert above == ("tau_pair" if expected == "tau_pair" else None)


@given(st.lists(momenta, min_size=4, max_size=4), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_no_lost_part_of_a_lepton_reaches_further(p: list[tuple[float, ...]], x: float, y: float) -> None:
    first, second, *neutrinos = (_lepton(i, *one) for i, one in zip((11, -13, -12, 14), p, strict=True))
    total = [x * first[axis] + y * second[axis] + sum(one[axis] for one in neutrinos) for axis in (1, 2)]
    assert math.hypot(*total) <= lepton_filter.reach_gev([first, second, *neutrinos]) * (1 + 1e-12)


def _shares(name: str, n_events: int, cut: LeptonFilter | None, seed: int) -> tuple[float, list[Any]]:
    """Efficiency of the filter on events without shower, and their leptons."""
    off = ("PartonLevel:ISR", "PartonLevel:FSR", "PartonLevel:Remnants", "HadronLevel:all")
    bare = tuple(f"{step} = off" for step in off)
    recipe = RECIPES[name]
    weigher = Weigher(capture=lepton_filter.leptons, weigh=lambda captured: {})
    recipe = replace(recipe, commands=(*recipe.commands, *bare), lepton_filter=cut, weigher=weigher)
    generator = EventGenerator(recipe, seed)
    batch = generator.batch(n_events)
    return n_events / generator.attempted, list(batch.captured)


def test_attempts_before_the_filter_keep_the_cross_section() -> None:
    efficiency, unfiltered = _shares("ttbar_lnuqq", 3000, None, 1)
    assert efficiency == 1.0
    reach = np.array([lepton_filter.reach_gev(found) for found in unfiltered])
    for name, low, high in (("ttbar_lnuqq", 110.0, 180.0), ("ttbar_lnuqq_high", 180.0, math.inf)):
        cut = RECIPES[name].lepton_filter
        assert cut is not None
        assert cut.pt_rest_gev == (low, high)
        efficiency, kept = _shares(name, 300, cut, 2)
        expected = np.mean((reach > low) & (reach <= high))
        error = math.hypot((expected * (1 - expected) / 3000) ** 0.5, efficiency / 300**0.5)
        assert abs(efficiency - expected) < 4.0 * error
        assert all(low < lepton_filter.reach_gev(found) <= high for found in kept)


def test_filters_within_the_shower_exclude_each_other() -> None:
    with pytest.raises(CardError, match="parton_filter and b_pair exclude each other"):
        Recipe("both", "", (), "record", parton_filter=PartonFilter(), b_pair=BPairFilter())
