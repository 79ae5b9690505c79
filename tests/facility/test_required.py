"""Theory uncertainties that a card requires are named where they are missing, rate apart from acceptance."""

from pathlib import Path
from typing import Any

import pytest

from tests.facility.small import context_of, small_card, write_ntuples
from znought.errors import CardError
from znought.facility.fitting.required import missing

WORKSPACE: dict[str, Any] = {
    "norms": {"xsec_VH": {"processes": ["VH"], "relative": 0.05}},
    "systematics": {
        "scale": {
            "kind": "weights",
            "processes": ["VH"],
            "weights": {"combination": "pair", "members": ["a", "b"]},
        },
        "shower": {"kind": "two_point", "weight": "shower", "part": "norm"},
    },
}


def _lines(folder: Path, workspace: dict[str, Any], **required: dict[str, list[str]]) -> tuple[str, ...]:
    likelihood = {"control_regions": ["top"], "workspace": workspace, **required}
    card = context_of(small_card(folder, likelihood=likelihood), folder / "out").card
    return missing(card, card.likelihood.workspace)


def test_each_missing_uncertainty_is_a_line(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    found = _lines(tmp_path, WORKSPACE, required={"VH": ["xsec_VH"], "top": ["xsec_top"], "all": ["scale"]})
    assert found == (
        "top has no uncertainty 'scale', which is required of it.",
        "top has no uncertainty 'xsec_top', which is required of it.",
    )
    # A norm changes no acceptance, nor does a systematic of which the yield alone is kept.
    found = _lines(tmp_path, WORKSPACE, required_acceptance={"VH": ["scale", "xsec_VH", "shower"]})
    assert [line.split("'")[1] for line in found] == ["xsec_VH", "shower"]
    assert all(line.startswith("Acceptance: VH has no uncertainty") for line in found)
    assert _lines(tmp_path, WORKSPACE) == ()


def test_unknown_processes_are_refused(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    with pytest.raises(CardError, match="did you mean 'top'"):
        _lines(tmp_path, WORKSPACE, required_acceptance={"topp": ["xsec"]})
    modelling = WORKSPACE | {"bin_modelling": {"model": {"processes": ["tops"], "relative": 0.1}}}
    with pytest.raises(CardError, match=r"bin_modelling\.model"):
        _lines(tmp_path, modelling)
