"""The search of VH(bb): what its fitness sees, and that it repeats."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.analyses.vh_bb.test_networks import Build, build, card
from tests.models.samples import tensorflow_warnings
from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import ChannelPlan, quoted_sample, read_channel
from znought.analyses.vh_bb.networks import NetworkModel, network_of, network_task
from znought.analyses.vh_bb.stages.tune import ChannelJudge, ClassifierTrial, search_rows, search_z
from znought.facility.learning.searching import NetworkTrial
from znought.models.folds import SEARCHED, UNTRAINED
from znought.models.search import Search
from znought.models.space import SpaceConfig
from znought.stats.eft.counting import smeft_z

__all__ = ["build", "card"]

pytestmark = tensorflow_warnings


def _searched(plan: ChannelPlan) -> ChannelPlan:
    return replace(plan, training=replace(plan.training, search_fraction=0.3, n_repeats=1))


def test_fitness_sees_the_part_of_the_search_alone(build: Build) -> None:
    sample = read_channel(_searched(build()))
    rows = search_rows(sample)
    assert len(rows) > 5
    assert sample.events.is_vh[rows].all()
    assert set(sample.fold[rows].tolist()) == {SEARCHED}
    everything = search_rows(sample, with_backgrounds=True)
    assert set(rows.tolist()) < set(everything.tolist())
    assert not set(rows.tolist()) & set(np.flatnonzero(sample.fold >= UNTRAINED).tolist())


def test_events_of_the_search_are_quoted_nowhere(build: Build) -> None:
    """The others make up for them: yields stay, within the statistics of the draw."""
    whole = read_channel(_searched(build()))
    quoted = quoted_sample(whole)
    assert SEARCHED not in quoted.fold
    assert len(quoted.events) == int((whole.fold != SEARCHED).sum()) == int(quoted.inside.sum())
    grown = quoted.events.weight.sum() / whole.events.weight[whole.fold != SEARCHED].sum()
    assert grown == pytest.approx(1.0 / 0.7)
    np.testing.assert_array_equal(quoted.table["event"], whole.table["event"][whole.fold != SEARCHED])
    plain = read_channel(build())
    assert quoted_sample(plain) is plain


def test_fitness_is_z_of_all_events(card: VHBBCard, build: Build) -> None:
    """w(0.01) = 1.4: 100 events of the standard model, 40 more at 0.01, whatever the part that is judged."""
    sample, config = read_channel(_searched(build())), replace(card.smeft, n_cuts=2)
    rows = search_rows(sample)
    z = search_z(sample, rows, np.linspace(1.0, 2.0, len(rows)), 0.01, config)
    expected = smeft_z(140.0, 100.0, sigma_rel=0.5, signal_definition="excess")
    assert z == pytest.approx(float(expected), rel=0.05)
    few = replace(config, min_background=1e4)
    assert search_z(sample, rows, np.linspace(1.0, 2.0, len(rows)), 0.01, few) == 0.0


def test_trees_are_judged_with_backgrounds(card: VHBBCard, build: Build) -> None:
    trees = replace(card.trees, max_iter=3, min_samples_leaf=5)
    trial = ClassifierTrial(_searched(build()), 0.01, trees, replace(card.smeft, min_background=0.1))
    assert trial.value({}) > 0.0
    assert np.isfinite(trial.value({"max_leaf_nodes": 3}))


def test_equal_seeds_give_equal_histories(card: VHBBCard, build: Build, tmp_path: Path) -> None:
    """One network in all, trained once a run: its compilation is what takes long."""
    plan = _searched(build())
    sample, model = read_channel(plan), NetworkModel("0L", "asimov", 0.03)
    space = SpaceConfig(
        nodes=(4,), n_layers=(1, 1), shared_width=True, activations=("relu",), learning_rate=None
    )
    evolution = replace(card.search.evolution, population=3, generations=2)
    config = replace(card.search, min_epochs=6, max_epochs=6, space=space, evolution=evolution)
    histories = []
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        task = network_task(card, sample, model, tmp_path / run)
        trial_of = NetworkTrial(task, ChannelJudge(plan, 0.03, card.smeft), str(tmp_path / run))
        search = Search(config, network_of(card, sample, model), tmp_path / run / "trials.log")
        while (job := search.ask()) is not None:
            search.tell(job, trial_of.value(job))
        histories.append([(trial.genome, trial.value, trial.generation) for trial in search.trials()])
    assert histories[0] == histories[1]
    assert len(histories[0]) == 6
    assert all(value is not None and value > 0.0 for _, value, _ in histories[0])
