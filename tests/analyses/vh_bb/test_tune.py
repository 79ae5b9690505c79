"""The search of VH(bb): what its fitness sees, and that it repeats."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.analyses.vh_bb.test_networks import Build, build, card
from tests.models.samples import tensorflow_warnings
from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import read_channel
from znought.analyses.vh_bb.networks import NetworkModel, network_of, training_of
from znought.analyses.vh_bb.stages.tune import Task, stop_rows, stop_z
from znought.models.folds import UNTRAINED
from znought.models.samples import stop_rows as stop_rows_of
from znought.models.search import Search
from znought.models.space import SpaceConfig
from znought.stats.eft.counting import smeft_z

__all__ = ["build", "card"]

pytestmark = tensorflow_warnings


def test_fitness_sees_the_stop_part_alone(build: Build) -> None:
    sample = read_channel(build())
    rows = stop_rows(sample)
    assert len(rows) > 5
    assert sample.events.is_vh[rows].all()
    assert not {0, UNTRAINED} & set(sample.fold[rows].tolist())
    from znought.analyses.vh_bb.channels import training_data

    data = training_data(sample, 0.01)
    seen = data.identity[stop_rows_of(data, 0, sample.plan.training)]
    assert set(sample.events.identity[rows].tolist()) == set(seen.tolist())


def test_fitness_is_z_of_all_events(card: VHBBCard, build: Build) -> None:
    """w(0.01) = 1.4: 100 events of the standard model, 40 more at 0.01, whatever the part that is judged."""
    sample, config = read_channel(build()), replace(card.smeft, n_cuts=2)
    rows = stop_rows(sample)
    z = stop_z(sample, rows, np.linspace(1.0, 2.0, len(rows)), 0.01, config)
    expected = smeft_z(140.0, 100.0, sigma_rel=0.5, signal_definition="excess")
    assert z == pytest.approx(float(expected), rel=0.05)
    few = replace(config, min_background=1e4)
    assert stop_z(sample, rows, np.linspace(1.0, 2.0, len(rows)), 0.01, few) == 0.0


def test_equal_seeds_give_equal_histories(card: VHBBCard, build: Build, tmp_path: Path) -> None:
    """One network in all, trained once a run: its compilation is what takes long."""
    plan = build()
    sample, model = read_channel(plan), NetworkModel("0L", "asimov", 0.03)
    space = SpaceConfig(
        nodes=(4,), n_layers=(1, 1), shared_width=True, activations=("relu",), learning_rate=None
    )
    evolution = replace(card.search.evolution, population=3, generations=2)
    config = replace(card.search, min_epochs=6, max_epochs=6, space=space, evolution=evolution)
    histories = []
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        training = training_of(card, sample, model)
        task = Task(plan, 0.03, training, card.smeft, str(tmp_path / run))
        search = Search(config, network_of(card, sample, model), tmp_path / run / "trials.log")
        while (job := search.ask()) is not None:
            search.tell(job, task.value(job))
        histories.append([(trial.genome, trial.value, trial.generation) for trial in search.trials()])
    assert histories[0] == histories[1]
    assert len(histories[0]) == 6
    assert all(value is not None and value > 0.0 for _, value, _ in histories[0])
