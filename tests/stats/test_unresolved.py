"""What few events cannot show is taken from where more events are, and its error is said."""

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.stats.paired import BinnedEvents, PairedDifference, paired_difference, paired_events
from znought.stats.unresolved import NormConfig, estimated_norm


def _pair(n_events: int, share: float, first: int = 0, stay: float = 1.0) -> PairedDifference:
    """One bin in which a share of the events is doubled; weight 1 each."""
    rows = np.arange(first, first + n_events)
    weights = stay + (rows % round(1 / share) == 0) if share else np.full(n_events, stay)
    bins: NDArray[np.int64] = np.zeros(n_events, np.int64)
    nominal = BinnedEvents(rows, bins, np.ones(n_events))
    return paired_difference(nominal, BinnedEvents(rows, bins, np.asarray(weights, np.float64)), None, 1)


def test_a_change_that_is_seen_stays_the_regions_own() -> None:
    found = estimated_norm(_pair(400, 0.1), _pair(4000, 0.02), statistical_error=100.0)
    assert found.source == "region"
    assert found.resolved
    assert found.norm == pytest.approx(0.1)
    assert found.error == pytest.approx(np.sqrt(40 * 0.9**2 + 360 * 0.1**2) / 400)
    assert found.verdict == "holds"


def test_no_event_moved_is_not_zero() -> None:
    found = estimated_norm(_pair(30, 0.0, first=1), _pair(4000, 0.02), statistical_error=100.0)
    assert found.source == "looser region"
    assert not found.resolved
    assert found.norm == pytest.approx(0.02)


def test_a_change_within_its_error_is_taken_from_the_looser_region() -> None:
    rng = np.random.default_rng(1)
    rows, factor = np.arange(4000), 1 + rng.normal(0.01, 0.2, 4000)
    looser = paired_events(
        BinnedEvents(rows, 0 * rows, np.ones(4000)), BinnedEvents(rows, 0 * rows, factor), None, 1
    )
    tight = rows < 100
    own = paired_events(
        BinnedEvents(rows[tight], 0 * rows[tight], np.ones(100)),
        BinnedEvents(rows[tight], 0 * rows[tight], factor[tight]),
        None,
        1,
    )
    whole = looser.difference()
    found = estimated_norm(own.difference(looser), whole, statistical_error=100.0)
    assert found.source == "looser region"
    assert found.norm == pytest.approx(whole.norm)
    # A looser region that moves by much more is contradicted by these events.
    other = paired_events(
        BinnedEvents(rows, 0 * rows, np.ones(4000)), BinnedEvents(rows, 0 * rows, factor + 0.5), None, 1
    )
    found = estimated_norm(own.difference(other), other.difference(), statistical_error=100.0)
    assert found.source == "region"
    with pytest.raises(DataError, match="looser one"):
        estimated_norm(own.difference(), other.difference(), statistical_error=100.0)


def test_an_error_that_matters_is_a_weakness() -> None:
    own = _pair(400, 0.1)
    size = own.norm_error * 400
    assert estimated_norm(own, None, statistical_error=size / 0.29).verdict == "holds"
    assert estimated_norm(own, None, statistical_error=size / 0.31).verdict == "weak"


def test_a_process_that_is_not_touched_is_zero_and_holds() -> None:
    found = estimated_norm(_pair(400, 0.0), _pair(4000, 0.0), statistical_error=1.0)
    assert (found.norm, found.error, found.verdict) == (0.0, 0.0, "holds")


def test_limits_are_checked() -> None:
    with pytest.raises(CardError, match="resolved_p_value"):
        NormConfig(resolved_p_value=1.0)
    with pytest.raises(CardError, match="weak_above"):
        NormConfig(weak_above=0.0)
    with pytest.raises(DataError, match="statistical_error"):
        estimated_norm(_pair(10, 0.1), None, statistical_error=0.0)
