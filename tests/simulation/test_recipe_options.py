"""Options that other analyses' recipes use: extra weights, heavy-flavour filter, tagged skim."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from znought.analyses.vh_bb.recipes import RECIPES
from znought.simulation import jobs
from znought.simulation.config import DetectorConfig
from znought.simulation.pythia import PythiaGenerator
from znought.simulation.recipe import BPairFilter, Recipe, Weigher


def _s_hat(process: Any) -> float:
    return float((process[3].p() + process[4].p()).mCalc())


def _weights(captured: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
    return {"sHat": np.array(captured)}


def _run(recipe: Recipe, n_events: int, path: Path) -> ak.Array:
    job = jobs.SimulationJob(recipe.name, recipe, 0, n_events, 2, seed=3, detector=DetectorConfig())
    with uproot.open(jobs.run_job(job, str(path)).path) as file:
        return file["Events"].arrays()


def test_extra_weights_follow_the_hard_process_and_tagged_skim(tmp_path: Path) -> None:
    recipe = replace(RECIPES["zh_nunubb"], weigher=Weigher(_s_hat, _weights), skim="bb")
    events = _run(recipe, 60, tmp_path)
    assert ak.min(events.sHat) > 200.0
    assert ak.all(ak.sum(events.Jet_btagDiscriminant > 0.15, axis=1) >= 2)
    assert ak.all(ak.sum(events.Jet_hadronFlavour == 5, axis=1) >= 1)
    # Responses of one event share its weights.
    by_event = {(int(e), float(s)) for e, s in zip(events.event, events.sHat, strict=True)}
    assert len(by_event) == len(set(events.event.tolist()))
    assert set(events.genWeight.tolist()) == {0.5}


def test_b_pair_filter_leaves_b_quark_pairs(tmp_path: Path) -> None:
    recipe = Recipe(
        name="zbb",
        description="Z + bb from gluon splitting",
        commands=(
            "WeakBosonAndParton:qqbar2gmZg = on",
            "PhaseSpace:pTHatMin = 100",
            "23:onMode = off",
            "23:onIfAny = 12",
        ),
        leptons="record",
        b_pair=BPairFilter(m_min_gev=20.0),
        skim="dijet",
    )
    events = _run(recipe, 5, tmp_path)
    assert len(events) > 0
    assert ak.all(ak.sum(events.Jet_hadronFlavour == 5, axis=1) >= 1)


def test_giving_up_within_the_shower_costs_time_and_not_events() -> None:
    def efficiency(scale_gev: float, n_events: int) -> tuple[float, int]:
        recipe = replace(RECIPES["z_ll_bb_high"], b_pair=BPairFilter(scale_gev=scale_gev))
        recipe = replace(recipe, commands=(*recipe.commands, "HadronLevel:all = off"))
        generator = PythiaGenerator(recipe, 11)
        generator.batch(n_events)
        return n_events / generator.attempted, n_events

    early, n_early = efficiency(BPairFilter().scale_gev, 120)
    late, n_late = efficiency(2.0, 40)
    assert abs(early / late - 1.0) < 4.0 * (1.0 / n_early + 1.0 / n_late) ** 0.5
    assert efficiency(60.0, 20)[0] < 0.6 * early  # pairs split late: this would lose most of them
