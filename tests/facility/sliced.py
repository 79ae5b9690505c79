"""Templates of events that are read slice by slice, beside those of all events at once."""

from typing import Any

import numpy as np
import pytest

from znought.facility.context import Context
from znought.facility.events import slices
from znought.facility.events.counted import counted_events
from znought.facility.events.sample import sample_slices
from znought.facility.fitting.placement import Bins
from znought.facility.fitting.templates import templates

ROWS = 40


def assert_the_same_in_slices(context: Context[Any], bins: Bins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates and what becomes of each variation do not depend on how many rows are held at a time."""
    counts = [counted_events(context.card, context.workspace, shares) for shares in ((), (0.5,))]
    whole = templates(context.card, context.workspace, bins, with_data=True)
    monkeypatch.setattr(slices, "AT_A_TIME", ROWS)
    assert len(sample_slices(context.card, context.workspace)) > 3
    again = [counted_events(context.card, context.workspace, shares) for shares in ((), (0.5,))]
    for first, second in zip(counts, again, strict=True):
        assert (first.generated, first.in_shares) == (second.generated, second.in_shares)
        for process, events in first.by_process.items():
            assert events.model_dump() == pytest.approx(second.by_process[process].model_dump(), rel=1e-9)
    assert 0 < counts[1].in_shares[0] < counts[1].generated == counts[0].generated
    found = templates(context.card, context.workspace, bins, with_data=True)
    assert [one.to_dict()["order"] for one in found.records] == [
        one.to_dict()["order"] for one in whole.records
    ]
    for region, expected in zip(found.regions, whole.regions, strict=True):
        assert list(region.variations) == list(expected.variations)
        np.testing.assert_array_equal(region.observed, expected.observed)
        np.testing.assert_array_equal(region.nominal.events, expected.nominal.events)
        for name in ("nominal", *region.variations):
            one, two = (r.nominal if name == "nominal" else r.variation(name) for r in (region, expected))
            np.testing.assert_allclose(one.sumw, two.sumw, rtol=1e-9)
            np.testing.assert_allclose(one.sumw2, two.sumw2, rtol=1e-9)
