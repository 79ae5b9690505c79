"""Leading objects and counts as plain arrays: the same as with awkward, sorted or not."""

from typing import Any

import awkward as ak
import numpy as np
import pytest

from tests.processors.fixtures import whole_chunk
from znought.analysis import Analysis, Cuts, Variable
from znought.errors import DataError
from znought.processors.canonical import canonical_events
from znought.processors.evaluated import NOMINAL, WHOLE, Request
from znought.processors.kinematics import invariant_mass
from znought.processors.leading import count, leading, leading_value
from znought.processors.plugin import evaluate


@pytest.mark.parametrize("is_sorted", [True, False])
def test_leading_objects_are_those_of_awkward(simulated: tuple[str, str], is_sorted: bool) -> None:
    jets = canonical_events(whole_chunk(simulated[0])).array.Jet
    ordered = jets[ak.argsort(jets.pt, axis=1, ascending=False)]
    expected = ak.pad_none(ordered, 3)
    found = leading(ordered if is_sorted else jets, 3)
    for place, momentum in enumerate(found):
        for field in ("pt", "eta", "phi", "mass"):
            values = ak.to_numpy(ak.fill_none(expected[:, place][field], np.nan))
            np.testing.assert_array_equal(getattr(momentum, field), values)
    tags = leading_value(jets, "btag", 1)[0]
    np.testing.assert_array_equal(tags, ak.to_numpy(ak.fill_none(expected[:, 0].btag, np.nan)))
    pairs = ak.fill_none((expected[:, 0] + expected[:, 1]).mass, np.nan)
    np.testing.assert_allclose(invariant_mass(found[0], found[1]), ak.to_numpy(pairs), rtol=1e-6, atol=1e-4)


def test_counts_are_those_of_awkward(simulated: tuple[str, str]) -> None:
    jets = canonical_events(whole_chunk(simulated[0])).array.Jet
    mask = jets.pt > 40.0
    np.testing.assert_array_equal(count(mask), ak.to_numpy(ak.num(jets[mask])))
    assert count(mask[:0]).tolist() == []


def test_momenta_among_the_objects_are_those_of_passing_events(simulated: tuple[str, str]) -> None:
    def objects(events: Any, cuts: Cuts) -> dict[str, Any]:
        return {"jets": events.Jet, "j0": leading(events.Jet, 1)[0]}

    analysis = Analysis(
        "toy",
        objects=objects,
        select=lambda o, cuts: {"jets": ak.num(o.jets) > 2},
        variables=(
            Variable("pt", lambda o: o.j0.pt),
            Variable("largest", lambda o: ak.max(o.jets.pt, axis=1)),
        ),
    )
    chunk = whole_chunk(simulated[0])
    found = evaluate(analysis, chunk, Request(Cuts()))[WHOLE][NOMINAL]
    assert len(found.event) > 100
    np.testing.assert_array_equal(found.columns["pt"], found.columns["largest"])
    wrong = Analysis(
        "toy",
        objects=lambda events, cuts: {"j0": leading(events.Jet[3:], 1)[0]},
        select=lambda o, cuts: {},
    )
    with pytest.raises(DataError, match="'j0' has 597 entries for 600 events"):
        evaluate(wrong, chunk, Request(Cuts()))
