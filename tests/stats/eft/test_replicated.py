"""Significances on resampled events: each drawing by hand, and paired between two discriminants."""

from dataclasses import replace

import numpy as np
import pytest

from tests.stats.eft.test_measurement import CHANNEL, SETTINGS
from znought.stats.bootstrap import Multiplicity
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.counting import cut_scan
from znought.stats.eft.measurement import significance, tried_cuts
from znought.stats.eft.replicated import replicated_z


@pytest.mark.parametrize("with_backgrounds", [True, False])
def test_a_replicate_is_the_significance_of_events_that_count_so_often(with_backgrounds: bool) -> None:
    """At the cuts of the sample, by the scan of each half with the weights of the drawing."""
    found = significance(
        CHANNEL, 0.01, SETTINGS, signal_definition="excess", with_backgrounds=with_backgrounds
    )
    values = replicated_z(CHANNEL, found, SETTINGS, n_bootstrap=3)
    events, score = CHANNEL.events, CHANNEL.scores[0.01]
    units, unit = np.unique(events.identity, return_inverse=True)
    half, vh = events.identity % np.uint64(2) == 0, events.is_vh
    for k in range(3):
        times = 2.0 * Multiplicity(units, "held_out_z").of(np.arange(units.size), k)[unit]
        by_hand = []
        for rows, cut in ((~half, found.held_cuts[0]), (half, found.held_cuts[1])):
            weights = (
                events.weight_at((0.01, 0.0)) * vh,
                events.weight * vh,
                events.weight * ~vh * with_backgrounds,
            )
            kinds = [(times * one)[rows] for one in weights]
            scan = cut_scan(score[rows], *kinds, cuts=tried_cuts(score, SETTINGS))
            by_hand.append(scan.z[scan.at(cut)])
        assert values[k] == pytest.approx(np.mean(by_hand), rel=1e-9)
    assert np.unique(values).size == 3


def test_replicates_scatter_around_the_significance_and_follow_the_events() -> None:
    found = significance(CHANNEL, 0.01, SETTINGS, signal_definition="excess")
    values = replicated_z(CHANNEL, found, SETTINGS, n_bootstrap=100)
    assert values.mean() == pytest.approx(found.z, abs=4 * values.std() / 10)
    pt = CHANNEL.scores[0.01]
    moved = ScoredChannel(
        CHANNEL.events, {0.01: pt + 0.01 * pt.std() * np.random.default_rng(2).normal(size=pt.size)}, {}
    )
    other = significance(moved, 0.01, SETTINGS, signal_definition="excess")
    difference = replicated_z(moved, other, SETTINGS, n_bootstrap=100) - values
    assert difference.std() < 0.5 * values.std()


def test_without_a_cut_that_leaves_background_there_is_no_replicate() -> None:
    found = significance(CHANNEL, 0.01, SETTINGS, signal_definition="excess", with_backgrounds=False)
    wanting = replace(SETTINGS, min_background=0.99 * found.inclusive_background)
    assert replicated_z(CHANNEL, found, wanting, n_bootstrap=20).shape == (0,)
